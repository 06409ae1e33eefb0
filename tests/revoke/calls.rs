//! Calls to what is not OAuth: what is put into a template cannot change what is asked, and what cannot be made is
//! said. And the command line that keeps their secrets and the station's key.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use cleanshift::policy::CallPolicy;
use cleanshift::ports::{SignIns, TokenKind, TokenState};
use cleanshift::revoke::secret_name;
use serde_json::{Value, json};

use crate::ground::{Site, one, person};
use crate::hostile::{Does, Hostile};

fn call(base: &str, kind: &str, body: &str) -> CallPolicy {
    CallPolicy {
        name: "Chart".to_owned(),
        method: "POST".to_owned(),
        url: format!("{base}/call/{{operator}}/end?at={{station}}"),
        headers: vec![
            ("Content-Type".to_owned(), kind.to_owned()),
            ("Authorization".to_owned(), "Key {secret}".to_owned()),
        ],
        body: body.to_owned(),
        expires: Duration::from_secs(3600),
        certificates: None,
    }
}

/// Each call is written down before it may be tried: of so many, the first session's end overtakes some.
#[test]
fn a_session_that_is_over_before_its_calls_are_taken_in_has_all_of_them_tried() {
    const CALLS: usize = 40;
    let site = Site::new();
    let _ = site.vault().set(&secret_name("Chart"), b"canary-secret").unwrap();
    let hostile = Hostile::start("", "", 300, json!({}));
    (0..CALLS)
        .for_each(|number| hostile.does(&format!("/call/ana.ruiz/{number}"), Does::Says(204, String::new())));
    let of = |number: usize| CallPolicy {
        url: format!("{}/call/{{operator}}/{number}", hostile.issuer),
        ..call(&hostile.issuer, "application/json", "{}")
    };
    let station = site.station(|policy| policy.revoke.calls.extend((0..CALLS).map(of))).listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let ends = station.ended(&session);
    let states: Vec<_> =
        ends.tokens.iter().map(|token| (token.kind, token.state, token.saw.as_str())).collect();
    assert_eq!(states, vec![(TokenKind::Call, TokenState::Acknowledged, "HTTP 204"); CALLS]);
    assert_eq!(hostile.got("/call").len(), CALLS);
}

#[test]
fn what_is_put_into_a_call_is_written_as_its_place_requires() {
    let evil = "a/../b?c=d&e\"f}<g>'h{secret}#i\u{e9}";
    let site = Site::new();
    let _ = site.vault().set(&secret_name("Chart"), b"canary-secret\"<&").unwrap();
    let json_body = r#"{"who":"{operator}","key":"{secret}","n":{"session":"{session}"}}"#;
    let bodies = [
        ("application/json; charset=utf-8", json_body),
        ("application/x-www-form-urlencoded", "who={operator}&key={secret}"),
        ("application/xml", "<who name=\"{operator}\">{secret}</who>"),
        ("text/plain", "who={operator}"),
    ];
    for (kind, body) in bodies {
        let hostile = Hostile::start("", "", 300, json!({}));
        hostile.does("/call/*", Does::Says(200, String::new()));
        let encoded = "/call/a%2F..%2Fb%3Fc%3Dd%26e%22f%7D%3Cg%3E%27h%7Bsecret%7D%23i%C3%A9/end";
        hostile.does(encoded, Does::Says(204, String::new()));
        let station =
            site.station(|policy| policy.revoke.calls.push(call(&hostile.issuer, kind, body))).listening();
        let session = station.revoker.begin(&person(evil));
        let end = one(&station.ended(&session), TokenKind::Call);
        if kind == "text/plain" {
            assert_eq!(end.state, TokenState::Failed, "{end:?}");
            assert!(hostile.got("/call").is_empty());
            continue;
        }
        assert_eq!((end.state, end.saw.as_str()), (TokenState::Acknowledged, "HTTP 204"), "{kind}: {end:?}");
        let got = hostile.got("/call");
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].line, format!("POST {encoded}?at=Station%2012 HTTP/1.1"));
        assert_eq!(got[0].headers["authorization"], "Key canary-secret\"<&");
        let body = &got[0].body;
        match kind {
            "application/x-www-form-urlencoded" => {
                let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
                let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
                assert_eq!(pairs, [pair("who", evil), pair("key", "canary-secret\"<&")]);
            }
            "application/xml" => assert_eq!(
                body,
                "<who name=\"a/../b?c=d&amp;e&quot;f}&lt;g&gt;&apos;h{secret}#i\u{e9}\">canary-secret&quot;&lt;&amp;</who>"
            ),
            _ => {
                let told: Value = serde_json::from_str(body).unwrap();
                let meant = json!({ "who": evil, "key": "canary-secret\"<&", "n": { "session": session } });
                assert_eq!(told, meant);
            }
        }
    }
}

#[test]
fn a_call_that_fails_says_so_and_one_that_may_go_better_is_tried_again() {
    let site = Site::new();
    let hostile = Hostile::start("", "", 300, json!({}));
    let at = || {
        let mut call = call(&hostile.issuer, "application/json", "{}");
        drop(call.headers.pop());
        call.url = format!("{}/call", hostile.issuer);
        call
    };
    for (does, state) in [
        (Does::Says(200, String::new()), TokenState::Acknowledged),
        (Does::Says(403, String::new()), TokenState::Failed),
        (Does::Says(500, String::new()), TokenState::Pending),
    ] {
        hostile.does("/call", does);
        let station = site.station(|policy| policy.revoke.calls.push(at())).listening();
        let session = station.revoker.begin(&person("ana.ruiz"));
        assert_eq!(one(&station.ended(&session), TokenKind::Call).state, state);
    }
    // A secret that nobody has kept is a sentence with the remedy.
    let mut lacks = at();
    lacks.name = "Vendor".to_owned();
    lacks.body = "{\"key\":\"{secret}\"}".to_owned();
    let station = site.station(|policy| policy.revoke.calls.push(lacks)).listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let end = one(&station.ended(&session), TokenKind::Call);
    assert_eq!(end.state, TokenState::Pending);
    assert!(end.saw.contains("cleanshiftctl secret set \"Vendor\""), "{end:?}");
    // The shell dies before it could call: the next one does.
    hostile.does("/call", Does::Says(200, String::new()));
    let station = site.station(|policy| policy.revoke.calls.push(at())).listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    station.until("a row", |station| !cleanshift::ports::Outbox::rows(&*station.outbox).unwrap().is_empty());
    let before = hostile.got("/call").len();
    let station = station.restarted();
    assert_eq!(one(&station.revoker.left(), TokenKind::Call).state, TokenState::Pending);
    let station = station.listening();
    station.revoker.told(&session, 2);
    let (entry, _) = station.settled(&session, TokenKind::Call, TokenState::Acknowledged);
    assert_eq!((entry, hostile.got("/call").len()), (Some(2), before + 1));
}

fn ctl(state: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"))
        .args(arguments)
        .arg("--state")
        .arg(state)
        .arg("--policy")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/ward.toml"))
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses does not read it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_line_makes_the_key_once_and_shows_its_public_half_alone() {
    let state = tempfile::tempdir().unwrap();
    let first = ctl(state.path(), &["sign-in", "key", "--json"], b"");
    assert!(first.status.success(), "{first:?}");
    let set: Value = serde_json::from_slice(&first.stdout).unwrap();
    let key = &set["keys"][0];
    assert_eq!(
        (key["kty"].as_str(), key["crv"].as_str(), key["alg"].as_str()),
        (Some("EC"), Some("P-256"), Some("ES256"))
    );
    assert!(key["kid"].is_string() && key["d"].is_null(), "{key}");
    let again = ctl(state.path(), &["sign-in", "key", "--json"], b"");
    assert_eq!(again.stdout, first.stdout, "a new key would be of no use");
    let file = state.path().join("secrets/secret-sign-in+key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    // One that others may read is not trusted.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = ctl(state.path(), &["sign-in", "key", "--json"], b"");
    assert_eq!(open.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&open.stderr).contains("chmod 600"), "{open:?}");
}

#[test]
fn a_secret_comes_from_standard_input_and_for_a_call_that_the_policy_has() {
    let state = tempfile::tempdir().unwrap();
    let unknown = ctl(state.path(), &["secret", "set", "Nobody"], b"canary-secret\n");
    assert_eq!(unknown.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("no call named Nobody") && !said.contains("canary"), "{said}");
    assert!(!state.path().join("secrets").exists());
    let listed = || String::from_utf8(ctl(state.path(), &["secret", "list", "--json"], b"").stdout).unwrap();
    assert_eq!(listed(), "[{\"kept\":null,\"name\":\"Record\"}]\n");
    let empty = ctl(state.path(), &["secret", "set", "Record"], b"\n");
    assert_eq!(empty.status.code(), Some(1));
    let kept = ctl(state.path(), &["secret", "set", "Record"], b"canary-secret\n");
    assert!(kept.status.success(), "{kept:?}");
    assert!(!String::from_utf8_lossy(&kept.stdout).contains("canary"), "{kept:?}");
    assert_eq!(listed(), "[{\"kept\":\"file of this account (0600)\",\"name\":\"Record\"}]\n");
    let file = state.path().join("secrets/secret-call+Record");
    assert_eq!(std::fs::read(&file).unwrap(), b"canary-secret");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let removed = || ctl(state.path(), &["secret", "remove", "Record"], b"").status.code();
    assert_eq!((removed(), removed(), file.exists()), (Some(0), Some(1), false));
}
