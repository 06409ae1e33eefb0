//! Events of a provider (CAEP `session-revoked`, polled): a good one ends the session of whom it is about; no other
//! does anything, and none is taken twice.

use cleanshift::policy::SignInWay;
use cleanshift::ports::{Clock, SignInNews, SignIns};
use serde_json::{Value, json};

use crate::ground::{Provider, Site, person, sign_in};

const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

#[test]
fn a_good_event_ends_the_session_and_a_bad_one_nothing() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({ "dpop": false }));
    let station = site.station(|policy| {
        let mut at = sign_in(&provider.issuer, SignInWay::Assertion);
        at.events = Some(format!("{}/events", provider.issuer));
        policy.sign_ins.push(at);
    });
    let station = station.listening();
    let _ = station.revoker.begin(&person("ana.ruiz"));
    // Only then is it known which session of the provider's is hers.
    let _ = station.signed(0);
    let now = station.clock.stamp().utc_ms / 1000;
    let issuer = provider.issuer.clone();
    let subject = |sub: &str| json!({ "format": "iss_sub", "iss": issuer, "sub": sub });
    let hers = subject("ana.ruiz@hospital.example");
    let good = |jti: &str, subject: &Value| {
        json!({
            "jti": jti, "iss": issuer, "aud": "cleanshift", "iat": now, "sub_id": subject,
            "events": { REVOKED: { "event_timestamp": now + 5, "initiating_entity": "admin" } },
        })
    };
    let with = |jti: &str, field: &str, value: Value| {
        let mut claims = good(jti, &hers);
        claims[field] = value;
        claims
    };
    let stamped = |jti: &str, time: i64| with(jti, "events", json!({ REVOKED: { "event_timestamp": time } }));
    let stranger =
        json!({ "format": "iss_sub", "iss": "https://else.example", "sub": "ana.ruiz@hospital.example" });
    let other_session =
        json!({ "format": "complex", "user": hers, "session": { "format": "opaque", "id": "other" } });
    // Each in its own way, in the order in which they are judged: the good one is the last.
    let events = [
        ("a1 none", json!({ "claims": good("a1 none", &hers), "key": "none" }), "invalid_request"),
        (
            "a2 stranger's key",
            json!({ "claims": good("a2 stranger's key", &hers), "key": "stranger" }),
            "invalid_key",
        ),
        ("a3 garbage", json!({ "text": "not.a.token" }), "invalid_request"),
        ("b1 aud", json!({ "claims": with("b1 aud", "aud", json!("another")) }), "invalid_audience"),
        (
            "b2 iss",
            json!({ "claims": with("b2 iss", "iss", json!("https://else.example")) }),
            "invalid_issuer",
        ),
        ("c1 old", json!({ "claims": with("c1 old", "iat", json!(now - 660)) }), "invalid_request"),
        ("c2 future", json!({ "claims": with("c2 future", "iat", json!(now + 120)) }), "invalid_request"),
        ("c3 stale", json!({ "claims": stamped("c3 stale", now - 660) }), "invalid_request"),
        ("c4 ahead", json!({ "claims": stamped("c4 ahead", now + 120) }), "invalid_request"),
        ("d1 type", json!({ "claims": good("d1 type", &hers), "typ": "JWT" }), "invalid_request"),
        (
            "d2 event",
            json!({ "claims": with("d2 event", "events", json!({ "urn:other": {} })) }),
            "invalid_request",
        ),
        ("d3 number", json!({ "claims": good("another number", &hers) }), "invalid_request"),
        ("e1 other", json!({ "claims": good("e1 other", &subject("bo.li@hospital.example")) }), ""),
        ("e2 other issuer's", json!({ "claims": good("e2 other issuer's", &stranger) }), ""),
        ("e3 other session", json!({ "claims": good("e3 other session", &other_session) }), ""),
        ("e4 earlier session", json!({ "claims": stamped("e4 earlier session", now - 60) }), ""),
        ("z1 good", json!({ "claims": good("z1 good", &hers) }), ""),
    ];
    let push = |under: &str, event: &Value| {
        let mut event = event.clone();
        event["under"] = json!(under);
        provider.control(json!({ "event": event }))
    };
    for (under, event, _) in &events {
        let _ = push(under, event);
    }
    let revoked = |news: &SignInNews| match news {
        SignInNews::Revoked(key) => Some(key.clone()),
        _ => None,
    };
    let (key, next) = station.heard.wait(0, "the revocation", revoked);
    assert_eq!(key, "ana.ruiz");
    let revocations = || station.heard.all().iter().filter(|news| revoked(news).is_some()).count();
    assert_eq!(revocations(), 1, "something came before the last event");
    station.until("every answer", |_| provider.control(json!({}))["events"] == json!([]));
    let polled = provider.control(json!({}))["polled"].clone();
    for (under, _, code) in &events {
        let refused = polled["refused"][*under]["err"].as_str().unwrap_or_default();
        assert_eq!(refused, *code, "{under}: {polled}");
        let acked = polled["acked"].as_array().unwrap().contains(&json!(under));
        assert_eq!(acked, code.is_empty(), "{under}");
    }
    // The same again, and after it one of today: only that one counts.
    let _ = push("z1 good", &events.last().unwrap().1);
    let _ = push("z2 good", &json!({ "claims": good("z2 good", &hers) }));
    let _ = station.heard.wait(next, "the second revocation", revoked);
    station.until("every answer", |_| provider.control(json!({}))["events"] == json!([]));
    assert_eq!(revocations(), 2, "{:?}", station.heard.all());
}
