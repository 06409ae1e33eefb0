//! A provider that is down, hostile, or back: what each answer means, what is tried again and when, what a restart
//! leaves, and what is never said.

use std::time::Duration;

use cleanshift::policy::SignInWay;
use cleanshift::ports::{Clock, Outbox, SignIns, TokenKind, TokenState};
use serde_json::json;

use crate::ground::{Provider, Site, Station, one, person, sign_in};
use crate::hostile::{Does, Hostile};

fn signed(site: &Site, hostile: &Hostile) -> (Station, String) {
    let station = site
        .station(|policy| policy.sign_ins.push(sign_in(&hostile.issuer, SignInWay::Assertion)))
        .listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let _ = station.signed(0);
    (station, session)
}

fn row(station: &Station, kind: TokenKind) -> cleanshift::ports::OutboxRow {
    let rows = station.outbox.rows().unwrap();
    rows.into_iter().find(|row| row.end.kind == kind).expect("a row")
}

#[test]
fn each_answer_of_a_provider_means_what_it_says() {
    let error = |code: &str| format!("{{\"error\":\"{code}\"}}");
    let active = |active: bool| Some(Does::Says(200, format!("{{\"active\":{active}}}")));
    let says = |status: u16, body: &str| Does::Says(status, body.to_owned());
    let cases = [
        (says(200, ""), None, TokenState::Acknowledged, "no introspection"),
        (says(200, "<html>"), None, TokenState::Acknowledged, "no introspection"),
        (says(200, ""), active(false), TokenState::Proved, "not active"),
        (says(200, ""), active(true), TokenState::Pending, "says that it is active"),
        (says(200, ""), Some(Does::Garbage), TokenState::Acknowledged, "introspection"),
        (says(200, ""), Some(says(200, "{\"active\":\"no\"}")), TokenState::Acknowledged, "cannot be read"),
        (says(200, ""), Some(says(403, "")), TokenState::Acknowledged, "introspection refused: HTTP 403"),
        (says(400, &error("invalid_request")), active(false), TokenState::Failed, "HTTP 400 invalid_request"),
        (says(400, &error("unsupported_token_type")), None, TokenState::ExpiresAt, "no tokens of this kind"),
        (says(400, &error("unsupported_token_type")), active(false), TokenState::Proved, "not active"),
        (says(401, &error("invalid_client")), active(false), TokenState::Failed, "HTTP 401 invalid_client"),
        (says(403, "canary"), None, TokenState::Failed, "HTTP 403"),
        (says(429, ""), active(false), TokenState::Pending, "HTTP 429"),
        (says(503, ""), active(false), TokenState::Pending, "HTTP 503"),
        (Does::With(302, "location", "/elsewhere".to_owned()), active(false), TokenState::Failed, "HTTP 302"),
        (Does::With(307, "location", "/elsewhere".to_owned()), active(false), TokenState::Failed, "HTTP 307"),
        (Does::Garbage, active(false), TokenState::Pending, "breaks off"),
        (Does::Huge, active(false), TokenState::Pending, "more than is read"),
        (Does::Never, active(false), TokenState::Pending, "not answer in time"),
    ];
    let site = Site::new();
    std::thread::scope(|scope| {
        for (revoke, introspect, state, saw) in cases {
            let site = &site;
            let _ = scope.spawn(move || {
                let more = if introspect.is_some() {
                    json!({ "introspection_endpoint": "/look" })
                } else {
                    json!({})
                };
                let hostile = Hostile::start("access", "refresh", 300, more);
                hostile.does("/revoke", revoke.clone());
                introspect.into_iter().for_each(|does| hostile.does("/look", does));
                let (station, session) = signed(site, &hostile);
                let ends = station.ended(&session);
                for kind in [TokenKind::Refresh, TokenKind::Access] {
                    let end = one(&ends, kind);
                    assert_eq!(end.state, state, "{revoke:?}: {end:?}");
                    assert!(end.saw.contains(saw), "{revoke:?}: {end:?}");
                    assert!(end.expires_utc_ms.is_some());
                }
                assert_eq!(hostile.got("/elsewhere").len(), 0, "a token was sent elsewhere");
                assert_eq!(ends.settled(), state.is_final() && state != TokenState::Failed);
                let waits = matches!(state, TokenState::Pending | TokenState::ExpiresAt);
                assert_eq!(!station.revoker.pending().is_empty(), waits);
            });
        }
    });
}

#[test]
fn without_revocation_a_token_ends_at_its_time_and_then_it_is_said_to_have() {
    let site = Site::new();
    let hostile = Hostile::start("access", "refresh", 300, json!({ "revocation_endpoint": null }));
    let (station, session) = signed(&site, &hostile);
    let ends = station.ended(&session);
    assert_eq!(one(&ends, TokenKind::Access).state, TokenState::ExpiresAt);
    station.revoker.told(&session, 5);
    station.advance(Duration::from_secs(299));
    assert_eq!(station.revoker.pending().len(), 2);
    station.advance(Duration::from_secs(2));
    let (entry, end) = station.settled(&session, TokenKind::Access, TokenState::Expired);
    assert_eq!((entry, end.saw.as_str()), (Some(5), "its time is over"));
    // The SMART configuration names a place of revocation that the other leaves out (T-06).
    let smart = Hostile::start("access", "refresh", 300, json!({ "revocation_endpoint": null }));
    let told = json!({ "revocation_endpoint": format!("{}/revoke", smart.issuer) });
    smart.does("/.well-known/smart-configuration", Does::Says(200, told.to_string()));
    let (station, session) = signed(&site, &smart);
    assert_eq!(one(&station.ended(&session), TokenKind::Access).state, TokenState::Acknowledged);
}

#[test]
fn an_outage_of_days_is_pending_until_the_provider_is_back() {
    let site = Site::new();
    let hostile = Hostile::start("access", "refresh", 300, json!({}));
    let (station, session) = signed(&site, &hostile);
    hostile.down(true);
    let ends = station.ended(&session);
    assert!(ends.tokens.iter().all(|token| token.state == TokenState::Pending), "{ends:?}");
    assert!(!ends.settled());
    station.revoker.told(&session, 12);
    // The pauses grow from a second to five minutes, by half at least and never more than twice.
    for tries in 1..=11_u32 {
        station.until("a try", |station| {
            let row = row(station, TokenKind::Refresh);
            row.tries == tries && row.due_utc_ms > station.clock.stamp().utc_ms
        });
        let wait = row(&station, TokenKind::Refresh).due_utc_ms - station.clock.stamp().utc_ms;
        let most = (1000 << (tries - 1)).min(300_000);
        assert!(wait <= most, "try {tries}: {wait} ms is longer than {most} ms");
        assert!(tries < 6 || wait > most / 2 - 20_000, "try {tries}: {wait} ms is no pause");
        station.advance(Duration::from_millis(u64::try_from(most).unwrap()));
    }
    // The access token is over before the provider is back.
    let (entry, _) = station.settled(&session, TokenKind::Access, TokenState::Expired);
    assert_eq!(entry, Some(12));
    // Back, but it asks for time: that is given, and no more than an hour of it.
    hostile.down(false);
    for (asked, least, most) in [("1800", 1_790, 1_800), ("9999999", 3_590, 3_600)] {
        hostile.does("/revoke", Does::With(503, "retry-after", asked.to_owned()));
        let before = row(&station, TokenKind::Refresh).tries;
        station.advance(Duration::from_secs(70 * 60));
        station.until("a try", |station| {
            let row = row(station, TokenKind::Refresh);
            row.tries > before && row.due_utc_ms > station.clock.stamp().utc_ms
        });
        let wait = (row(&station, TokenKind::Refresh).due_utc_ms - station.clock.stamp().utc_ms) / 1000;
        assert!((least..=most).contains(&wait), "asked for {asked} s, waits {wait} s");
    }
    assert_eq!(station.revoker.pending().len(), 1);
    hostile.does("/revoke", Does::Says(200, String::new()));
    station.advance(Duration::from_secs(60 * 3600));
    let (entry, end) = station.settled(&session, TokenKind::Refresh, TokenState::Acknowledged);
    assert_eq!(entry, Some(12));
    assert!(end.saw.starts_with("revoked (HTTP 200)"), "{end:?}");
    station.until("an empty outbox", |station| station.outbox.rows().unwrap().is_empty());
    assert!(station.revoker.pending().is_empty());
}

#[test]
fn what_never_comes_back_expires() {
    let site = Site::new();
    let hostile = Hostile::start("access", "refresh", 300, json!({}));
    let (station, session) = signed(&site, &hostile);
    hostile.does("/revoke", Does::Never);
    hostile.down(true);
    let ends = station.ended(&session);
    assert_eq!(one(&ends, TokenKind::Refresh).state, TokenState::Pending);
    station.revoker.told(&session, 3);
    station.advance(Duration::from_secs(81 * 3600));
    let (entry, _) = station.settled(&session, TokenKind::Refresh, TokenState::Expired);
    assert_eq!(entry, Some(3));
    station.until("an empty outbox", |station| station.outbox.rows().unwrap().is_empty());
}

#[test]
fn a_restart_leaves_nothing_usable_and_retries_by_the_sessions_number() {
    let site = Site::new();
    for by_sid in [false, true] {
        let provider = Provider::start(&site, json!({ "dpop": false }));
        let policy = |policy: &mut cleanshift::policy::Policy| {
            let mut at = sign_in(&provider.issuer, SignInWay::Exchange);
            at.end_by_sid = by_sid.then(|| format!("{}/sessions/{{sid}}", provider.issuer));
            policy.sign_ins.push(at);
        };
        let station = site.station(policy).listening();
        let session = station.revoker.begin(&person("ana.ruiz"));
        let (token, _) = station.signed(0);
        assert_eq!(provider.api(&token, None), 200);
        let access = row(&station, TokenKind::Access);
        assert!(access.open && access.session == session);
        assert_eq!((access.sid.is_some(), access.sealed.is_empty()), (by_sid, by_sid));
        // What a stolen disk holds.
        let holds = |bytes: &[u8]| memchr::memmem::find(bytes, token.as_bytes()).is_some();
        assert!(
            !station
                .outbox
                .rows()
                .unwrap()
                .iter()
                .any(|row| holds(&row.sealed) || format!("{row:?}").contains(&token))
        );
        // The shell dies in the middle of the session.
        let station = station.restarted();
        let left = station.revoker.left();
        assert_eq!(left.session, session);
        let state = if by_sid { TokenState::Pending } else { TokenState::ExpiresAt };
        assert_eq!(one(&left, TokenKind::Access).state, state, "{left:?}");
        assert_eq!(station.revoker.ends().session, "");
        let station = station.listening();
        station.revoker.told(&session, 99);
        if by_sid {
            let (entry, end) = station.settled(&session, TokenKind::Access, TokenState::Acknowledged);
            assert_eq!(entry, Some(99));
            assert!(end.saw.contains("by its number"), "{end:?}");
            assert_eq!(provider.api(&token, None), 401, "the session's number has ended nothing");
            station.until("an empty outbox", |station| station.outbox.rows().unwrap().is_empty());
        } else {
            station.advance(Duration::from_secs(301));
            let (entry, _) = station.settled(&session, TokenKind::Access, TokenState::Expired);
            assert_eq!(entry, Some(99));
        }
    }
}

#[test]
fn an_outage_at_the_handoff_is_pending_and_settles_when_the_provider_is_back() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({ "dpop": false }));
    let station = site
        .station(|policy| policy.sign_ins.push(sign_in(&provider.issuer, SignInWay::Assertion)))
        .listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let (token, _) = station.signed(0);
    assert_eq!(provider.api(&token, None), 200);
    let _ = provider.control(json!({ "outage": { "status": 503, "retry": "1" } }));
    let ends = station.ended(&session);
    assert_eq!(one(&ends, TokenKind::Access).state, TokenState::Pending);
    assert_eq!(one(&ends, TokenKind::Access).saw, "HTTP 503");
    station.revoker.told(&session, 8);
    // The station is open for the next meanwhile, and the token good: that is what pending says.
    assert_eq!(provider.api(&token, None), 200);
    let _ = provider.control(json!({ "outage": null }));
    let (entry, _) = station.settled(&session, TokenKind::Access, TokenState::Proved);
    assert_eq!(entry, Some(8));
    assert_eq!(provider.api(&token, None), 401);
}
