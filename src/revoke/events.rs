//! What providers tell of sessions that they have revoked (CAEP `session-revoked`), fetched by polling (RFC 8936): the
//! station opens no socket for it. All that an event can do is to end a session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::core::{Core, Stage};
use super::outbox::pause;
use super::provider::{Disbelief, Provider};
use super::signed::Wrong;
use super::wire::Fault;
use crate::ports::SignInNews;

/// The type of the event.
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// The scope with which events are read (the CAEP interoperability profile).
const SCOPE: &str = "ssf.read";
/// The most events at once.
const AT_ONCE: usize = 25;
/// How long a provider may hold a poll open.
const HELD: Duration = Duration::from_secs(70);
/// How long to wait after an answer that held nothing and came at once, milliseconds.
const IDLE: u64 = 5_000;
/// How old an event may be, seconds.
const OLDEST: i64 = 10 * 60;
/// How far ahead of the station's clock, seconds.
const AHEAD: i64 = 60;

/// Why an event is refused, as RFC 8935 §2.4 names it, and for people.
type Refusal = (&'static str, &'static str);

/// Polls the events of one provider for as long as the station runs.
pub(super) async fn poll(core: Arc<Core>, index: usize) {
    let Some(provider) = core.providers.get(index).map(Arc::clone) else { return };
    let Some(address) = provider.policy.events.clone() else { return };
    if super::wire::permitted(&address).is_none() {
        provider.remark("its events are not polled: the address is not https");
        return;
    }
    let mut taken: Vec<String> = Vec::new();
    let mut refused: Map<String, Value> = Map::new();
    let mut tries = 0;
    loop {
        let body = json!({
            "maxEvents": AT_ONCE, "returnImmediately": false, "ack": taken, "setErrs": refused,
        });
        let began = core.clock.now().0;
        let build =
            |client: &reqwest::Client| client.post(&address).header("accept", "application/json").json(&body);
        let polled = provider.authorised(Some(SCOPE), build, Some(HELD)).await;
        let mut after = None;
        match polled {
            Ok(answer) if answer.good() => {
                #[derive(Deserialize)]
                struct Polled {
                    #[serde(default)]
                    sets: BTreeMap<String, String>,
                }
                tries = 0;
                taken.clear();
                refused.clear();
                let sets = answer.json::<Polled>().map(|polled| polled.sets).unwrap_or_default();
                let mut stuck = sets.is_empty() && core.clock.now().0.saturating_sub(began) < IDLE;
                for (jti, text) in sets.into_iter().take(AT_ONCE) {
                    match judge(&core, &provider, index, &jti, &text).await {
                        Judged::Taken => taken.push(jti),
                        Judged::Refused((code, why)) => {
                            provider.note(&format!("an event is refused: {why}"));
                            drop(refused.insert(jti, json!({ "err": code, "description": why })));
                        }
                        Judged::Later => stuck = true,
                    }
                }
                if stuck {
                    core.until(core.clock.now().0.saturating_add(IDLE)).await;
                }
                continue;
            }
            Ok(answer) => {
                after = answer.retry_after;
                provider.remark(&format!("its events answer {}", answer.said()));
            }
            Err(Fault(why)) => provider.remark(&format!("its events: it {why}")),
        }
        tries += 1;
        let wait = u64::try_from(pause(tries, after).as_millis()).unwrap_or(u64::MAX);
        core.until(core.clock.now().0.saturating_add(wait)).await;
    }
}

enum Judged {
    /// It is received, whether or not it concerns anybody here.
    Taken,
    Refused(Refusal),
    /// It cannot be judged now.
    Later,
}

/// Judges one event; where it concerns the session that is open, tells so.
async fn judge(core: &Core, provider: &Provider, index: usize, jti: &str, text: &str) -> Judged {
    let signed = match provider.believe(text).await {
        Ok(signed) => signed,
        Err(Disbelief::Later(_)) => return Judged::Later,
        Err(Disbelief::Wrong(wrong)) => {
            let code = match wrong {
                Wrong::Form => "invalid_request",
                Wrong::Key | Wrong::Signature => "invalid_key",
                Wrong::Issuer => "invalid_issuer",
                Wrong::Audience => "invalid_audience",
            };
            return Judged::Refused((code, wrong.word()));
        }
    };
    let kind = signed.kind.unwrap_or_default().to_ascii_lowercase();
    if !matches!(kind.as_str(), "secevent+jwt" | "application/secevent+jwt") {
        return Judged::Refused(("invalid_request", "its type is not secevent+jwt"));
    }
    let claims = &signed.claims;
    if claims["jti"].as_str() != Some(jti) {
        return Judged::Refused(("invalid_request", "its number is not the one that it came under"));
    }
    let event = &claims["events"][REVOKED];
    if !event.is_object() {
        return Judged::Refused(("invalid_request", "it is no session-revoked event"));
    }
    let stamp = core.clock.stamp();
    let now = stamp.utc_ms.div_euclid(1000);
    let Some(issued) = claims["iat"].as_i64() else {
        return Judged::Refused(("invalid_request", "it does not say when it was issued"));
    };
    let happened = event["event_timestamp"].as_i64().or_else(|| claims["toe"].as_i64()).unwrap_or(issued);
    if [issued, happened].iter().any(|time| *time < now - OLDEST) {
        return Judged::Refused(("invalid_request", "it is older than ten minutes"));
    }
    if [issued, happened].iter().any(|time| *time > now + AHEAD) {
        return Judged::Refused(("invalid_request", "it is from the future"));
    }
    // Beyond this time its age alone refuses it.
    let until = (issued + OLDEST + AHEAD).saturating_mul(1000);
    let name = format!("{}\n{jti}", provider.policy.issuer);
    let first = tokio::task::block_in_place(|| core.rows.outbox().first_seen(&name, until, &stamp));
    match first {
        Ok(true) => {}
        Ok(false) => return Judged::Taken,
        Err(error) => {
            tracing::warn!("failed to {error}");
            return Judged::Later;
        }
    }
    let subject = if claims["sub_id"].is_null() { &event["subject"] } else { &claims["sub_id"] };
    if let Some(key) = concerned(core, provider, index, subject, happened) {
        provider.note("the session is revoked");
        core.say(SignInNews::Revoked(key));
    }
    Judged::Taken
}

/// The key of the operator at work, where this subject is she or her session, and it began before this happened: what
/// was revoked earlier was another session.
fn concerned(
    core: &Core,
    provider: &Provider,
    index: usize,
    subject: &Value,
    happened: i64,
) -> Option<String> {
    core.state(|state| {
        let session = state.session.as_ref().filter(|session| session.stage != Stage::Ended)?;
        if happened.saturating_add(1).saturating_mul(1000) <= session.begun_utc_ms {
            return None;
        }
        let mut names = vec![provider.policy.subject.replace("{key}", &session.person.key)];
        let identity = session.identities.get(&index);
        names.extend(identity.map(|identity| identity.subject.clone()));
        let sid = identity.and_then(|identity| identity.sid.as_deref());
        is_hers(subject, &provider.policy.issuer, &names, sid).then(|| session.person.key.clone())
    })
}

/// Whether a subject identifier (RFC 9493) is one of these names at this issuer, or this session.
fn is_hers(subject: &Value, issuer: &str, names: &[String], sid: Option<&str>) -> bool {
    let named = |value: &Value| value.as_str().is_some_and(|value| names.iter().any(|name| name == value));
    match subject["format"].as_str() {
        Some("iss_sub") => subject["iss"].as_str() == Some(issuer) && named(&subject["sub"]),
        Some("email") => named(&subject["email"]),
        Some("opaque") => named(&subject["id"]) || (sid.is_some() && subject["id"].as_str() == sid),
        Some("complex") | None => {
            let session = &subject["session"];
            if let (Some(sid), Some(id)) = (sid, session["id"].as_str()) {
                return sid == id;
            }
            subject["user"].is_object() && is_hers(&subject["user"], issuer, names, None)
        }
        Some(_) => false,
    }
}
