//! Getting tokens for the operator, keeping them fresh while she is at work, and noting each that has to be ended
//! before anybody is given it.

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::watch;

use super::browser;
use super::core::{Core, Identity};
use super::dpop::ProofKey;
use super::end;
use super::key::StationKey;
use super::outbox::{How, Of, id, pause};
use super::provider::{Disbelief, Field, Provider};
use super::wire::{Answer, Fault};
use crate::policy::SignInWay;
use crate::ports::{Grant, Secret, SignInNews, TokenKind, TokenState};

/// The longest life of an access token that is taken without a remark, milliseconds (requirement T-07).
const LONG: i64 = 15 * 60 * 1000;
/// How long a token is taken to be good whose provider does not say, milliseconds.
const UNTOLD: i64 = 5 * 60 * 1000;
/// The scope that outlives sessions (requirement T-05).
pub(super) const OFFLINE: &str = "offline_access";

/// What a provider grants (RFC 6749 §5.1).
#[derive(Deserialize)]
pub(super) struct Granted {
    access_token: Hidden,
    token_type: String,
    expires_in: Option<i64>,
    refresh_token: Option<Hidden>,
    /// Not of the standard, but some tell it.
    refresh_expires_in: Option<i64>,
    id_token: Option<Hidden>,
    scope: Option<String>,
}

/// A token on its way from JSON into a [`Secret`].
struct Hidden(Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::new(text)))
    }
}

/// Why she is not signed in: a sentence for her screen, and whether it may go better later.
pub(super) struct Trouble {
    pub(super) sentence: String,
    pub(super) again: bool,
}

impl Trouble {
    pub(super) fn lasting(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), again: false }
    }

    pub(super) fn passing(provider: &Provider, why: &str) -> Self {
        let sentence = format!("{} {why}. The station keeps trying.", provider.policy.name);
        Self { sentence, again: true }
    }

    fn refused(provider: &Provider, answer: &Answer) -> Self {
        let sentence = format!("{} refused the sign-in: {}. Tell IT.", provider.policy.name, answer.said());
        if answer.later() {
            Self::passing(provider, &format!("answers {}", answer.said()))
        } else {
            Self::lasting(sentence)
        }
    }
}

/// One sign-in of one session.
pub(super) struct SignIn {
    pub(super) core: Arc<Core>,
    pub(super) provider: Arc<Provider>,
    pub(super) index: usize,
    pub(super) number: String,
    /// The operator's key.
    pub(super) key: String,
    pub(super) over: watch::Receiver<bool>,
    /// The nonce that the operator's own sign-in was begun with.
    pub(super) nonce: Option<String>,
}

/// The tokens that are fresh now.
struct Fresh {
    refresh: Option<Secret>,
    refresh_key: Option<u64>,
    granted_utc_ms: i64,
    expires_utc_ms: i64,
}

impl SignIn {
    /// Signs in, and keeps that fresh until the session is over.
    pub(super) async fn run(mut self) {
        let mut told = String::new();
        let mut tries = 0;
        let mut fresh: Option<Fresh> = None;
        while !self.is_over() {
            let came = match &fresh {
                Some(before) => self.refresh(before).await,
                None => self.obtain().await,
            };
            match came {
                Ok(now) => {
                    told.clear();
                    tries = 0;
                    self.wait(
                        now.granted_utc_ms + (now.expires_utc_ms - now.granted_utc_ms).max(1500) * 2 / 3,
                    )
                    .await;
                    fresh = Some(now);
                }
                Err(_) if self.is_over() => return,
                Err(trouble) => {
                    self.provider.note("the sign-in failed");
                    if trouble.sentence != told {
                        told = trouble.sentence.clone();
                        self.core
                            .say(SignInNews::Failed(self.provider.policy.name.clone(), trouble.sentence));
                    }
                    if !trouble.again {
                        return;
                    }
                    tries += 1;
                    let wait = i64::try_from(pause(tries, None).as_millis()).unwrap_or(i64::MAX);
                    self.wait(self.core.utc_ms().saturating_add(wait)).await;
                }
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits until then, or until the session is over.
    async fn wait(&mut self, utc_ms: i64) {
        let moment = self.core.moment_of(utc_ms);
        let over = self.over.wait_for(|over| *over);
        tokio::select! {
            () = self.core.until(moment) => {}
            _ = over => {}
        }
    }

    /// The first tokens.
    async fn obtain(&mut self) -> Result<Fresh, Trouble> {
        let policy = self.provider.policy.clone();
        if policy.scopes.iter().any(|scope| scope == OFFLINE) {
            let name = &policy.name;
            return Err(Trouble::lasting(format!(
                "The policy asks {name} for {OFFLINE}, which outlives the session. Tell IT to take it out."
            )));
        }
        let key = self.provider.station().map_err(|why| Trouble {
            sentence: format!("{} cannot be asked: failed to {why}", policy.name),
            again: true,
        })?;
        let metadata =
            self.provider.metadata().await.map_err(|why| Trouble::passing(&self.provider, &why))?;
        self.core.report();
        if metadata.proof && !policy.bearer {
            self.make_proof_key()?;
        }
        let granted = match &policy.how {
            SignInWay::Browser { app } => browser::sign_in(self, app, &metadata).await?,
            SignInWay::Assertion | SignInWay::Exchange => {
                let mut answer = self.assert(&key, &metadata.token).await?;
                if wants_nonce(&answer) {
                    // With a new assertion: a provider takes none twice.
                    answer = self.assert(&key, &metadata.token).await?;
                }
                self.granted(&answer)?
            }
        };
        self.receive(granted, None).await
    }

    /// Asserts who the operator is, for tokens.
    async fn assert(&self, key: &StationKey, address: &str) -> Result<Answer, Trouble> {
        let policy = &self.provider.policy;
        let subject = policy.subject.replace("{key}", &self.key);
        let assertion =
            key.subject_assertion(&policy.client, &subject, &policy.issuer, self.core.utc_ms())
                .map_err(|error| Trouble::lasting(format!("The station failed to {error}. Tell IT.")))?;
        let mut fields: Vec<Field<'_>> = if policy.how == SignInWay::Assertion {
            vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                ("assertion", assertion.expose()),
            ]
        } else {
            vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", assertion.expose()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ]
        };
        let scope = policy.scopes.join(" ");
        if !scope.is_empty() {
            fields.push(("scope", &scope));
        }
        fields.extend(self.audience());
        self.post(address, &fields).await
    }

    /// Whom the token is for, as a request says it: a resource where it is an address (RFC 8707), else an audience.
    pub(super) fn audience(&self) -> Option<Field<'_>> {
        let audience = &self.provider.policy.audience;
        let field = if url::Url::parse(audience).is_ok() { "resource" } else { "audience" };
        (!audience.is_empty()).then_some((field, audience))
    }

    /// Makes the key that this sign-in's tokens are bound to, once.
    fn make_proof_key(&self) -> Result<(), Trouble> {
        let failed = |error| Trouble::lasting(format!("The station failed to {error}. Tell IT."));
        let there = self.core.state(|state| {
            state.of(&self.number).is_none_or(|session| session.proofs.contains_key(&self.index))
        });
        if there {
            return Ok(());
        }
        let key = ProofKey::fresh().map_err(failed)?;
        let item =
            self.core.item(&self.number, Of::SignIn(self.index), TokenKind::ProofKey, key.thumbprint());
        let held = self.core.state(|state| match state.of(&self.number) {
            Some(session) if !*session.over.borrow() => session.proofs.insert(self.index, key).is_none(),
            Some(_) | None => false,
        });
        if held {
            let _ = self.core.take_in(item).map_err(failed)?;
        }
        Ok(())
    }

    /// Posts to the provider's place of tokens, with a proof where there is a key.
    pub(super) async fn ask(&self, address: &str, fields: &[Field<'_>]) -> Result<Granted, Trouble> {
        let mut answer = self.post(address, fields).await?;
        if wants_nonce(&answer) {
            answer = self.post(address, fields).await?;
        }
        self.granted(&answer)
    }

    fn granted(&self, answer: &Answer) -> Result<Granted, Trouble> {
        if !answer.good() {
            return Err(Trouble::refused(&self.provider, answer));
        }
        let unread = || {
            Trouble::lasting(format!("{} grants what cannot be read. Tell IT.", self.provider.policy.name))
        };
        answer.json::<Granted>().ok_or_else(unread)
    }

    async fn post(&self, address: &str, fields: &[Field<'_>]) -> Result<Answer, Trouble> {
        if self.is_over() {
            return Err(Trouble::lasting("The session is over."));
        }
        let proof = self
            .core
            .proof(&self.number, self.index, ("POST", address), None)
            .map_err(|error| Trouble::lasting(format!("The station failed to {error}. Tell IT.")))?;
        let sent = self.provider.post(address, fields, proof.as_ref()).await;
        let answer = sent.map_err(|Fault(why)| Trouble::passing(&self.provider, &why))?;
        if let Some(nonce) = &answer.nonce {
            self.core.state(|state| {
                if let Some(key) =
                    state.of(&self.number).and_then(|session| session.proofs.get_mut(&self.index))
                {
                    key.take_nonce(nonce);
                }
            });
        }
        Ok(answer)
    }

    /// New tokens for old ones; the first ones again where there is nothing to refresh with.
    async fn refresh(&mut self, before: &Fresh) -> Result<Fresh, Trouble> {
        let Some(refresh) = &before.refresh else {
            return match self.provider.policy.how {
                SignInWay::Assertion | SignInWay::Exchange => self.obtain().await,
                SignInWay::Browser { .. } => {
                    self.wait(before.expires_utc_ms).await;
                    let name = &self.provider.policy.name;
                    Err(Trouble::lasting(format!(
                        "The sign-in at {name} has run out. Tap out and in to sign in again."
                    )))
                }
            };
        };
        let metadata =
            self.provider.metadata().await.map_err(|why| Trouble::passing(&self.provider, &why))?;
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        fields.extend(self.audience());
        let granted = self.ask(&metadata.token, &fields).await?;
        self.receive(granted, Some(before)).await
    }

    /// Takes tokens in: notes each durably, and only then gives the access token to the capsule.
    async fn receive(&mut self, granted: Granted, before: Option<&Fresh>) -> Result<Fresh, Trouble> {
        let core = Arc::clone(&self.core);
        let policy = &self.provider.policy;
        let now = core.utc_ms();
        let own = matches!(policy.how, SignInWay::Browser { .. });
        let identity = match &granted.id_token {
            Some(token) if before.is_none() => browser::identity(self, &token.0).await,
            None if before.is_none() && own => {
                Err(format!("{} does not say whom it signed in. Tell IT.", policy.name))
            }
            Some(_) | None => Ok(None),
        };
        let sid = match (&identity, &policy.end_by_sid) {
            (Ok(Some(identity)), Some(_)) => identity.sid.clone(),
            (Ok(_) | Err(_), _) => core.state(|state| {
                let session = state.of(&self.number)?;
                session.identities.get(&self.index).filter(|_| policy.end_by_sid.is_some())?.sid.clone()
            }),
        };
        let life = granted.expires_in.map(|seconds| seconds.clamp(0, 10 * 365 * 86400) * 1000);
        let mut refresh_key = before.and_then(|before| before.refresh_key);
        let mut noted = Ok(());
        if let Some(Hidden(refresh)) = &granted.refresh_token {
            let life =
                granted.refresh_expires_in.filter(|seconds| *seconds > 0).map(|seconds| seconds * 1000);
            let expires = life.map(|life| now.saturating_add(life));
            match self.note(TokenKind::Refresh, refresh, sid.as_deref(), expires) {
                // The one before is used up and known to nobody else: it never left this process.
                Ok(key) => self.forget(refresh_key.replace(key).filter(|before| *before != key)),
                Err(error) => noted = Err(error),
            }
        }
        let expires = life.map(|life| now.saturating_add(life));
        if let Err(error) = self.note(TokenKind::Access, &granted.access_token.0, sid.as_deref(), expires) {
            noted = Err(error);
        }
        self.forget_expired(now);
        let fits = ["bearer", "dpop"].iter().any(|kind| granted.token_type.eq_ignore_ascii_case(kind));
        let offline =
            granted.scope.as_ref().is_some_and(|scope| scope.split(' ').any(|scope| scope == OFFLINE));
        let name = &policy.name;
        let given_up = if offline {
            Some(format!(
                "{name} granted {OFFLINE}, which outlives the session: its tokens are revoked again. Tell IT."
            ))
        } else if let Err(error) = noted {
            Some(format!("The station failed to {error}, so what {name} granted is revoked again. Tell IT."))
        } else if !fits {
            Some(format!("{name} grants a kind of token that the station does not know. Tell IT."))
        } else {
            identity.as_ref().err().cloned()
        };
        if let Some(sentence) = given_up {
            core.state(|state| {
                if let Some(session) = state.of(&self.number) {
                    drop(session.proofs.remove(&self.index));
                }
            });
            let _ = end::round(&core, &self.number, Of::SignIn(self.index)).await;
            return Err(Trouble::lasting(sentence));
        }
        if let Ok(Some(identity)) = identity {
            self.keep(identity);
        }
        if life.is_some_and(|life| life > LONG) {
            let minutes = life.unwrap_or(0) / 60_000;
            self.provider.remark(&format!("access tokens of {minutes} min: more than 15"));
            tracing::warn!(provider = %name, "its access tokens live {minutes} minutes: 15 are the most that is wise");
            core.report();
        }
        let expires_utc_ms = expires.unwrap_or(now + UNTOLD);
        if !self.is_over() {
            core.say(SignInNews::Signed(Grant {
                session: self.number.clone(),
                provider: name.clone(),
                issuer: policy.issuer.clone(),
                audience: if policy.audience.is_empty() {
                    policy.issuer.clone()
                } else {
                    policy.audience.clone()
                },
                access: granted.access_token.0.clone(),
                expires_utc_ms,
                environment: policy.environment.clone(),
                file: policy.file.clone(),
            }));
        }
        let kept = before.and_then(|before| before.refresh.clone());
        let refresh = granted.refresh_token.map(|Hidden(token)| token).or(kept);
        Ok(Fresh { refresh, refresh_key, granted_utc_ms: now, expires_utc_ms })
    }

    /// Notes a token that has to be ended, durably: its provider's number of the session where that suffices, else
    /// the token itself, sealed.
    fn note(
        &self,
        kind: TokenKind,
        token: &Secret,
        sid: Option<&str>,
        expires: Option<i64>,
    ) -> crate::ports::Result<u64> {
        let mut item = self.core.item(&self.number, Of::SignIn(self.index), kind, token.expose());
        item.end.expires_utc_ms = expires;
        let again = self.core.state(|state| {
            state
                .items
                .iter()
                .find(|held| held.session == item.session && held.end.id == item.end.id)
                .map(|held| held.key)
        });
        if let Some(key) = again {
            // A provider that does not rotate gives the same one again.
            self.core.change(key, |item| item.end.expires_utc_ms = expires);
            return Ok(key);
        }
        item.how = match sid {
            Some(sid) => How::Sid(sid.to_owned()),
            None => How::Token(self.core.rows.seal(token, &item.session, &item.end)?),
        };
        self.core.take_in(item)
    }

    /// Notes who the provider says she is.
    fn keep(&self, identity: Identity) {
        let by_sid = self.provider.policy.end_by_sid.is_some();
        self.core.state(|state| {
            if let (Some(sid), true) = (&identity.sid, by_sid) {
                let those = state.items.iter_mut().filter(|item| {
                    item.session == self.number
                        && item.of == Of::SignIn(self.index)
                        && item.end.kind == TokenKind::ProviderSession
                });
                for item in those {
                    item.how = How::Sid(sid.clone());
                    item.end.id = id(sid);
                }
            }
            if let Some(session) = state.of(&self.number) {
                drop(session.identities.insert(self.index, identity));
            }
        });
        let keys: Vec<u64> =
            self.core.group(&self.number, Of::SignIn(self.index)).iter().map(|item| item.key).collect();
        self.core.write(&keys);
    }

    pub(super) fn forget(&self, key: Option<u64>) {
        let Some(key) = key else { return };
        let row = self.core.state(|state| {
            let place = state.items.iter().position(|item| item.key == key)?;
            Some(state.items.remove(place).row)
        });
        self.core.remove(row.into_iter().collect());
    }

    /// Access tokens of before whose time is over need no end any more.
    fn forget_expired(&self, now: i64) {
        let over = |item: &super::outbox::Item| {
            item.end.kind == TokenKind::Access
                && item.end.state == TokenState::Pending
                && item.end.expires_utc_ms.is_some_and(|expires| expires < now)
        };
        let group = self.core.group(&self.number, Of::SignIn(self.index));
        group.iter().filter(|item| over(item)).for_each(|item| self.forget(Some(item.key)));
    }
}

/// Whether the provider asks for a proof with its nonce, which is good for one more try (RFC 9449 §8).
fn wants_nonce(answer: &Answer) -> bool {
    answer.nonce.is_some() && answer.error().as_deref() == Some("use_dpop_nonce")
}

/// What a text that is not believed means for the sign-in.
pub(super) fn disbelieved(provider: &Provider, disbelief: &Disbelief) -> String {
    let name = &provider.policy.name;
    match disbelief {
        Disbelief::Wrong(wrong) => {
            format!("{name} names the operator in a token that {}. Tell IT.", wrong.word())
        }
        Disbelief::Later(why) => format!("{name} {why}, so whom it signed in is not known."),
    }
}
