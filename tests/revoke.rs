//! Signing operators in elsewhere and ending that, against a certified OpenID provider in its own process and against
//! a hostile one. What is said to be ended is looked at from outside: with a copy of the token, at the resource server.
//!
//! The provider is installed by `packaging/setup.sh test` (tests/provider/).

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails where it stands")]
#![expect(clippy::disallowed_methods, reason = "a test starts programs, and its clock is the machine's")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one kind of news among all")]

#[path = "revoke/calls.rs"]
mod calls;
#[path = "revoke/events.rs"]
mod events;
#[path = "revoke/ground.rs"]
mod ground;
#[path = "revoke/hostile.rs"]
mod hostile;
#[path = "revoke/outages.rs"]
mod outages;

#[path = "revoke/strangers.rs"]
mod strangers;

use cleanshift::policy::SignInWay;
use cleanshift::ports::{SignInNews, SignIns, TokenKind, TokenState};
use serde_json::json;

use ground::{Browser, NAME, Provider, Site, one, person, sign_in};

#[test]
fn what_the_station_asserts_signs_in_and_a_copy_of_the_token_is_refused_after_the_end() {
    for (how, nonce) in [(SignInWay::Assertion, false), (SignInWay::Exchange, true)] {
        let site = Site::new();
        let provider = Provider::start(&site, json!({ "nonce": nonce }));
        let station =
            site.station(|policy| policy.sign_ins.push(sign_in(&provider.issuer, how.clone()))).listening();
        let session = station.revoker.begin(&person("ana.ruiz"));
        let (token, _) = station.signed(0);
        let address = format!("{}/api", provider.issuer);
        let access = cleanshift::ports::Secret::new(token.clone());
        let proof = || station.revoker.prove(NAME, "GET", &address, &access).unwrap();
        // The token is good, for whoever holds the key.
        let held = proof().expect("the provider binds its tokens").expose().to_owned();
        assert_eq!(provider.api(&token, Some(&held)), 200, "the token is not good in the first place");
        // A captured token alone is refused (T-08).
        assert_eq!(provider.api(&token, None), 401);
        let late = proof().unwrap().expose().to_owned();
        let ends = station.ended(&session);
        assert_eq!(ends.session, session);
        for kind in [TokenKind::ProofKey, TokenKind::Refresh, TokenKind::Access] {
            let end = one(&ends, kind);
            assert_eq!(end.state, TokenState::Proved, "{end:?}");
            assert_eq!(end.id.len(), 16);
        }
        assert!(ends.settled());
        assert_eq!(one(&ends, TokenKind::Access).saw, "introspection: not active");
        assert!(proof().is_none(), "the key is still there");
        // A copy of the token, with a proof that was made while the key was there.
        assert_eq!(provider.api(&token, Some(&late)), 401);
        let log = provider.log();
        let place = |what: &str| {
            log.iter().position(|line| line == what).unwrap_or_else(|| panic!("{what}: {log:?}"))
        };
        assert!(place("/token/revocation refresh_token") < place("/token/revocation access_token"));
        station.revoker.told(&session, 4711);
        station.until("an empty outbox", |station| {
            cleanshift::ports::Outbox::rows(&*station.outbox).unwrap().is_empty()
        });
    }
}

#[test]
fn a_page_that_nobody_came_back_from_is_no_sign_in() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({}));
    let way = SignInWay::Browser { app: "Chart".to_owned() };
    let station = site.station(|policy| policy.sign_ins.push(sign_in(&provider.issuer, way))).listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let shown = |news: &SignInNews| matches!(news, SignInNews::Visit(_)).then_some(());
    let _ = station.heard.wait(0, "the provider's page", shown);
    let ends = station.ended(&session);
    assert!(ends.settled(), "{ends:?}");
    assert!(ends.tokens.iter().all(|end| end.kind == TokenKind::ProofKey), "{ends:?}");
    station.revoker.told(&session, 7);
    station.until("an empty outbox", |station| {
        cleanshift::ports::Outbox::rows(&*station.outbox).unwrap().is_empty()
    });
}

/// Where apps use the token by themselves it is bound to no key, though the provider could, and ends like any other.
#[test]
fn a_token_for_apps_is_a_bearers() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({}));
    let station = site
        .station(|policy| {
            let mut at = sign_in(&provider.issuer, SignInWay::Assertion);
            at.bearer = true;
            policy.sign_ins.push(at);
        })
        .listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let (token, _) = station.signed(0);
    assert_eq!(provider.api(&token, None), 200);
    let ends = station.ended(&session);
    assert!(ends.settled() && ends.tokens.iter().all(|end| end.kind != TokenKind::ProofKey), "{ends:?}");
    assert_eq!(provider.api(&token, None), 401);
}

#[test]
fn an_operator_signs_in_herself_and_takes_leave_before_the_tokens_are_revoked() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({ "dpop": false }));
    let way = SignInWay::Browser { app: "Chart".to_owned() };
    let station = site.station(|policy| policy.sign_ins.push(sign_in(&provider.issuer, way))).listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let visit = |news: &SignInNews| match news {
        SignInNews::Visit(page) => Some(page.clone()),
        _ => None,
    };
    let (page, _) = station.heard.wait(0, "the page", visit);
    assert_eq!(page.app, "Chart");
    let mut browser = Browser::default();
    let back = browser.sign_in(page.address.expose(), "ana");
    // What answers no question is not believed.
    station.revoker.returned("/signed-in?code=forged&state=guessed");
    station.revoker.returned(&back);
    let (token, _) = station.signed(0);
    assert_eq!(provider.api(&token, None), 200);
    let pages = station.revoker.farewells();
    assert_eq!(pages.len(), 1);
    let left = browser.leave(pages[0].address.expose());
    station.revoker.returned("/signed-out?state=guessed");
    assert!(!station.heard.all().contains(&SignInNews::Farewelled));
    station.revoker.returned(&left);
    assert!(station.heard.all().contains(&SignInNews::Farewelled));
    let ends = station.ended(&session);
    assert_eq!(one(&ends, TokenKind::ProviderSession).state, TokenState::Acknowledged);
    assert_eq!(one(&ends, TokenKind::Access).state, TokenState::Proved);
    assert_eq!(one(&ends, TokenKind::Refresh).state, TokenState::Proved);
    assert_eq!(provider.api(&token, None), 401);
    let log = provider.log();
    let place =
        |what: &str| log.iter().position(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{log:?}"));
    assert!(place("/session/end/confirm") < place("/token/revocation refresh_token"), "{log:?}");
}

#[test]
fn only_the_tokens_of_the_session_that_ends_are_ended() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({ "dpop": false }));
    let at = || {
        site.station(|policy| policy.sign_ins.push(sign_in(&provider.issuer, SignInWay::Assertion)))
            .listening()
    };
    let (one_station, other) = (at(), at());
    let session = one_station.revoker.begin(&person("ana.ruiz"));
    let _ = other.revoker.begin(&person("ana.ruiz"));
    let ((token, _), (others, _)) = (one_station.signed(0), other.signed(0));
    assert_eq!((provider.api(&token, None), provider.api(&others, None)), (200, 200));
    let _ = one_station.ended(&session);
    assert_eq!((provider.api(&token, None), provider.api(&others, None)), (401, 200));
}

#[test]
fn refreshed_tokens_come_in_place_of_the_old_and_all_of_them_are_ended() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({ "ttl": 12, "dpop": true }));
    let station = site
        .station(|policy| policy.sign_ins.push(sign_in(&provider.issuer, SignInWay::Assertion)))
        .listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let (first, next) = station.signed(0);
    let (second, _) = station.signed(next);
    assert_ne!(first, second);
    let address = format!("{}/api", provider.issuer);
    let good = |token: &str| {
        let access = cleanshift::ports::Secret::new(token);
        let proof = station.revoker.prove(NAME, "GET", &address, &access).unwrap().unwrap();
        provider.api(token, Some(proof.expose()))
    };
    assert_eq!((good(&first), good(&second)), (200, 200));
    let ends = station.ended(&session);
    let access: Vec<_> = ends.tokens.iter().filter(|token| token.kind == TokenKind::Access).collect();
    assert_eq!(access.len(), 2, "{ends:?}");
    assert!(access.iter().all(|token| token.state == TokenState::Proved), "{ends:?}");
    assert_eq!(one(&ends, TokenKind::Refresh).state, TokenState::Proved);
}

#[test]
fn offline_access_is_refused_before_it_is_asked_for_and_revoked_where_it_is_granted() {
    let site = Site::new();
    let provider = Provider::start(&site, json!({ "dpop": false }));
    let asks = site
        .station(|policy| {
            let mut at = sign_in(&provider.issuer, SignInWay::Assertion);
            at.scopes.push("offline_access".to_owned());
            policy.sign_ins.push(at);
        })
        .listening();
    let _ = asks.revoker.begin(&person("ana.ruiz"));
    assert!(asks.failed(0).contains("offline_access, which outlives the session"));
    assert!(!provider.log().iter().any(|line| line.starts_with("/token")), "it was asked for");
    let _ = provider.control(json!({ "offline": true }));
    let gets = site
        .station(|policy| policy.sign_ins.push(sign_in(&provider.issuer, SignInWay::Assertion)))
        .listening();
    let session = gets.revoker.begin(&person("ana.ruiz"));
    assert!(gets.failed(0).contains("granted offline_access"));
    assert!(provider.log().contains(&"/token/revocation refresh_token".to_owned()));
    let ends = gets.ended(&session);
    assert_eq!(one(&ends, TokenKind::Refresh).state, TokenState::Proved);
    assert!(
        !gets.heard.all().iter().any(|news| matches!(news, SignInNews::Signed(_))),
        "the capsule was given it"
    );
}
