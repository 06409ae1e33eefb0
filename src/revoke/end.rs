//! Ending what a session holds elsewhere, and only that (requirements T-01, T-02, T-04): per provider the session,
//! then refresh tokens, then access tokens; tried again until it is proved, refused or over.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use super::calls::Unmade;
use super::core::Core;
use super::discovery::Metadata;
use super::outbox::{How, Item, Of, TRIED_FOR, pause};
use super::provider::Provider;
use super::wire::{Answer, Fault};
use crate::ports::{Secret, SignInNews, TokenKind, TokenState};

/// What a try has come to.
struct Came {
    state: TokenState,
    saw: String,
    /// How long the provider wants to be left alone.
    after: Option<Duration>,
    /// Whether the provider is of no use now: its other tokens are not tried in this round.
    deaf: bool,
}

impl Came {
    fn to(state: TokenState, saw: impl Into<String>) -> Self {
        Self { state, saw: saw.into(), after: None, deaf: false }
    }

    fn later(answer: &Answer) -> Self {
        let saw = answer.said();
        Self { state: TokenState::Pending, saw, after: answer.retry_after, deaf: true }
    }

    fn unreached(why: &str) -> Self {
        Self { state: TokenState::Pending, saw: format!("the provider {why}"), after: None, deaf: true }
    }
}

/// Ends everything of a session once its sign-ins have stopped, tells that, and follows what is left.
pub(super) async fn finish(core: Arc<Core>, number: String, tasks: Vec<(usize, JoinHandle<()>)>) {
    let mut rounds = JoinSet::new();
    let mut groups = Vec::new();
    for (index, task) in tasks {
        groups.push(Of::SignIn(index));
        let (core, number) = (Arc::clone(&core), number.clone());
        let _ = rounds.spawn(async move {
            // What is on its way is waited for: a token that comes now has to be ended too.
            let _ = task.await;
            (Of::SignIn(index), round(&core, &number, Of::SignIn(index)).await)
        });
    }
    for index in 0..core.calls.len() {
        groups.push(Of::Call(index));
        let (core, number) = (Arc::clone(&core), number.clone());
        let _ = rounds.spawn(async move { (Of::Call(index), round(&core, &number, Of::Call(index)).await) });
    }
    let mut asked = Vec::new();
    while let Some(done) = rounds.join_next().await {
        asked.extend(done);
    }
    let current = core.state(|state| state.of(&number).map(|session| session.tried = true).is_some());
    if current {
        core.say(SignInNews::Ended(number.clone()));
    }
    for of in groups {
        let after = asked.iter().find(|(done, _)| *done == of).and_then(|(_, after)| *after);
        drop(tokio::spawn(follow(Arc::clone(&core), number.clone(), of, after)));
    }
}

/// Takes up what an earlier shell has left of a session: tries it at once, and follows it.
pub(super) async fn take_up(core: Arc<Core>, number: String, of: Of) {
    let after = round(&core, &number, of).await;
    follow(core, number, of, after).await;
}

/// Follows what is left of a session at one place: tries again with growing pauses, and gives up when it is over.
pub(super) async fn follow(core: Arc<Core>, number: String, of: Of, mut after: Option<Duration>) {
    loop {
        let group = core.group(&number, of);
        let Some(ends) = group.iter().map(over_at).min() else { return };
        let pending: Vec<u64> = pending(&group);
        let mut wake = core.moment_of(ends);
        if !pending.is_empty() {
            let tries = group.iter().map(|item| item.tries).max().unwrap_or(0);
            let wait = pause(tries, after);
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            let due = core.utc_ms().saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX));
            pending.iter().for_each(|key| core.change(*key, |item| item.due_utc_ms = due));
            core.write(&pending);
            wake = wake.min(core.clock.now().0.saturating_add(wait_ms));
        }
        core.until(wake).await;
        after = round(&core, &number, of).await;
    }
}

fn pending(group: &[Item]) -> Vec<u64> {
    let those = group.iter().filter(|item| item.end.state == TokenState::Pending);
    those.map(|item| item.key).collect()
}

/// When something is given up, milliseconds since 1970.
fn over_at(item: &Item) -> i64 {
    item.end.expires_utc_ms.unwrap_or_else(|| item.since_utc_ms.saturating_add(TRIED_FOR))
}

/// Tries everything of a group that is pending, in order, and tells what has changed. Returns how long the provider
/// wants to be left alone.
pub(super) async fn round(core: &Arc<Core>, number: &str, of: Of) -> Option<Duration> {
    let group = core.group(number, of);
    let mut changed = Vec::new();
    let mut asked = None;
    let mut deaf: Option<String> = None;
    let mut by_sid: Option<Came> = None;
    for item in &group {
        if item.open && matches!(item.end.kind, TokenKind::ProviderSession | TokenKind::Call) {
            // What ends with the session waits for it, where only a sign-in was given up.
            continue;
        }
        let now = core.utc_ms();
        let came = if over_at(item) <= now {
            match item.end.expires_utc_ms {
                Some(_) => Came::to(TokenState::Expired, "its time is over"),
                None => Came::to(TokenState::Failed, "given up after a week; when it ends is not known"),
            }
        } else if item.end.state != TokenState::Pending {
            continue;
        } else if let Some(why) = &deaf {
            Came::to(TokenState::Pending, why.clone())
        } else if let (How::Sid(sid), Of::SignIn(index)) = (&item.how, of) {
            // One call ends the session and all of its tokens.
            if by_sid.is_none() {
                by_sid = Some(match core.providers.get(index) {
                    Some(provider) => end_by_sid(provider, sid).await,
                    None => Came::to(TokenState::Failed, "the policy has no such sign-in any more"),
                });
            }
            match &by_sid {
                Some(came) => {
                    Came { state: came.state, saw: came.saw.clone(), after: came.after, deaf: false }
                }
                None => continue,
            }
        } else {
            try_once(core, item, number).await
        };
        asked = asked.max(came.after);
        if came.deaf {
            deaf = Some(came.saw.clone());
        }
        core.change(item.key, |item| {
            if came.state != TokenState::Expired {
                item.tries = item.tries.saturating_add(1);
            }
            let times = if came.state == TokenState::Pending { item.tried() } else { String::new() };
            item.stands(came.state, format!("{}{times}", came.saw));
            tracing::info!(provider = %item.end.provider, "{}: {}", item.end.kind.word(), item.end.state.word());
        });
        changed.push(item.key);
    }
    core.tell(&changed);
    asked
}

/// Tries to end one thing.
async fn try_once(core: &Arc<Core>, item: &Item, number: &str) -> Came {
    match item.of {
        Of::Call(index) => call(core, index, item, number).await,
        Of::Gone => Came::to(TokenState::Failed, "the policy does not name it any more"),
        Of::SignIn(index) => {
            let Some(provider) = core.providers.get(index) else {
                return Came::to(TokenState::Failed, "the policy has no such sign-in any more");
            };
            match item.end.kind {
                TokenKind::ProviderSession => {
                    Came::to(TokenState::Failed, "cookie destroyed, provider not told")
                }
                TokenKind::ProofKey => Came::to(TokenState::Proved, "destroyed in memory"),
                TokenKind::Call => Came::to(TokenState::Failed, "the policy does not name it any more"),
                TokenKind::Refresh | TokenKind::Access => match core.rows.open(item) {
                    Some(token) => token_end(provider, item.end.kind, &token).await,
                    None => Came::to(TokenState::ExpiresAt, "sealed under a key that is gone"),
                },
            }
        }
    }
}

/// Revokes a token (RFC 7009) and looks whether it is active (RFC 7662).
async fn token_end(provider: &Provider, kind: TokenKind, token: &Secret) -> Came {
    let metadata = match provider.metadata().await {
        Ok(metadata) => metadata,
        Err(why) => return Came::unreached(&why),
    };
    let hint = if kind == TokenKind::Refresh { "refresh_token" } else { "access_token" };
    let fields = [("token", token.expose()), ("token_type_hint", hint)];
    let Some(place) = &metadata.revocation else {
        let saw = "the provider has no revocation";
        return by_itself(provider, &metadata, &fields, saw).await;
    };
    match provider.post(place, &fields, None).await {
        Err(Fault(why)) => Came::unreached(&why),
        Ok(answer) if answer.good() => revoked(provider, &metadata, &fields, &answer).await,
        Ok(answer) if answer.later() => Came::later(&answer),
        Ok(answer) if answer.error().as_deref() == Some("unsupported_token_type") => {
            let saw = "the provider revokes no tokens of this kind";
            by_itself(provider, &metadata, &fields, saw).await
        }
        Ok(answer) => {
            Came::to(TokenState::Failed, format!("the provider refused to revoke it: {}", answer.said()))
        }
    }
}

/// What a revoked token's introspection shows.
async fn revoked(provider: &Provider, metadata: &Metadata, fields: &[(&str, &str)], answer: &Answer) -> Came {
    let taken = format!("revoked (HTTP {})", answer.status);
    match active(provider, metadata, fields).await {
        Active::No => Came::to(TokenState::Proved, "introspection: not active"),
        Active::Yes => {
            Came::to(TokenState::Pending, format!("{taken}, but introspection says that it is active"))
        }
        Active::Unknown(why) => Came::to(TokenState::Acknowledged, format!("{taken}; {why}")),
    }
}

/// A token that cannot be revoked: it may have ended with another, else it ends by itself.
async fn by_itself(provider: &Provider, metadata: &Metadata, fields: &[(&str, &str)], saw: &str) -> Came {
    match active(provider, metadata, fields).await {
        Active::No => Came::to(TokenState::Proved, "introspection: not active"),
        Active::Yes | Active::Unknown(_) => Came::to(TokenState::ExpiresAt, saw),
    }
}

enum Active {
    No,
    Yes,
    Unknown(String),
}

/// Whether the provider says that a token is active. What cannot be looked at is not known.
async fn active(provider: &Provider, metadata: &Metadata, fields: &[(&str, &str)]) -> Active {
    #[derive(serde::Deserialize)]
    struct Told {
        active: bool,
    }
    let Some(place) = &metadata.introspection else {
        return Active::Unknown("the provider has no introspection".to_owned());
    };
    match provider.post(place, fields, None).await {
        Err(Fault(why)) => Active::Unknown(format!("introspection: the provider {why}")),
        Ok(answer) if !answer.good() => Active::Unknown(format!("introspection refused: {}", answer.said())),
        Ok(answer) => match answer.json::<Told>() {
            Some(Told { active: false }) => Active::No,
            Some(Told { active: true }) => Active::Yes,
            None => Active::Unknown("introspection cannot be read".to_owned()),
        },
    }
}

/// Ends one of the provider's sessions by its number: `DELETE` at the policy's address, with the station's own token.
async fn end_by_sid(provider: &Provider, sid: &str) -> Came {
    let Some(template) = &provider.policy.end_by_sid else {
        return Came::to(TokenState::Failed, "cookie destroyed, provider not told");
    };
    let sid: String = url::form_urlencoded::byte_serialize(sid.as_bytes()).collect();
    let address = template.replace("{sid}", &sid.replace('+', "%20"));
    if super::wire::permitted(&address).is_none() {
        return Came::to(TokenState::Failed, "the policy's address for ending sessions is not https");
    }
    match provider.authorised(None, |client| client.delete(&address), None).await {
        Err(Fault(why)) => Came::unreached(&why),
        // That it knows no such session is what was wanted.
        Ok(answer) if answer.good() || matches!(answer.status, 404 | 410) => Came::to(
            TokenState::Acknowledged,
            format!("the provider's session ended by its number (HTTP {})", answer.status),
        ),
        Ok(answer) if answer.later() => Came::later(&answer),
        Ok(answer) => Came::to(
            TokenState::Failed,
            format!("the provider refused to end its session: {}", answer.said()),
        ),
    }
}

/// Makes a call of the policy.
async fn call(core: &Arc<Core>, index: usize, item: &Item, number: &str) -> Came {
    let (Some(caller), How::Sid(operator)) = (core.calls.get(index), &item.how) else {
        return Came::to(TokenState::Failed, "the policy has no such call any more");
    };
    match caller.make(operator, number, &core.station, &core.clock).await {
        Err(Unmade::Never(why)) => Came::to(TokenState::Failed, why),
        Err(Unmade::Fault(Fault(why))) => Came::unreached(&why),
        Ok(answer) if answer.good() => Came::to(TokenState::Acknowledged, format!("HTTP {}", answer.status)),
        Ok(answer) if answer.later() => Came::later(&answer),
        Ok(answer) => Came::to(TokenState::Failed, format!("HTTP {}", answer.status)),
    }
}
