//! What a provider says of itself and of whom it signed in: believed where it is proved, and never further. And what
//! is secret is in no log, row or message.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cleanshift::policy::SignInWay;
use cleanshift::ports::{Clock, Outbox, SignInNews, SignIns, TokenKind, TokenState};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::ground::{Site, log, one, person, sign_in};
use crate::hostile::{Does, Hostile};

fn key(seed: u8) -> EncodingKey {
    let der = p256::SecretKey::from_slice(&[seed; 32]).unwrap().to_pkcs8_der().unwrap();
    EncodingKey::from_ec_der(der.as_bytes())
}

#[test]
fn a_provider_that_cannot_be_believed_signs_nobody_in() {
    let site = Site::new();
    let config = "/.well-known/openid-configuration";
    let told = |issuer: &str, token: &str| json!({ "issuer": issuer, "token_endpoint": token }).to_string();
    type Answer<'a> = Box<dyn Fn(&Hostile) -> Does + 'a>;
    let cases: [(&str, Answer<'_>); 8] = [
        (
            "another issuer",
            Box::new(|it| Does::Says(200, told("https://else.example", &format!("{}/token", it.issuer)))),
        ),
        (
            "another issuer",
            Box::new(|it| Does::Says(200, told(&format!("{}/", it.issuer), &format!("{}/token", it.issuer)))),
        ),
        (
            "no place for tokens",
            Box::new(|it| Does::Says(200, told(&it.issuer, "http://else.example/token"))),
        ),
        ("as JSON", Box::new(|_| Does::Says(200, "<html>".to_owned()))),
        ("HTTP 404", Box::new(|_| Does::Says(404, String::new()))),
        ("HTTP 302", Box::new(|_| Does::With(302, "location", "/other".to_owned()))),
        ("more than is read", Box::new(|_| Does::Huge)),
        ("breaks off", Box::new(|_| Does::Garbage)),
    ];
    for (saw, does) in cases {
        let hostile = Hostile::start("access", "refresh", 300, json!({}));
        hostile.does(config, does(&hostile));
        let station = site
            .station(|policy| policy.sign_ins.push(sign_in(&hostile.issuer, SignInWay::Assertion)))
            .listening();
        let session = station.revoker.begin(&person("ana.ruiz"));
        let sentence = station.failed(0);
        assert!(sentence.contains(saw), "{saw}: {sentence}");
        assert!(hostile.got("/token").is_empty() && hostile.got("/other").is_empty());
        let finding = station.revoker.capabilities().remove(0);
        assert!(finding.1.starts_with("Hospital: assertion, not reached: it "), "{finding:?}");
        // Once it tells the truth she is signed in, in the same session.
        let good = json!({
            "issuer": hostile.issuer, "token_endpoint": format!("{}/token", hostile.issuer),
            "revocation_endpoint": format!("{}/revoke", hostile.issuer),
        });
        hostile.does(config, Does::Says(200, good.to_string()));
        station.advance(std::time::Duration::from_secs(10));
        let _ = station.signed(0);
        assert!(station.ended(&session).settled());
        let finding = station.revoker.capabilities().remove(0);
        assert_eq!(finding, ("sign-ins".to_owned(), "Hospital: assertion, revocation".to_owned()));
    }
    let plain = site
        .station(|policy| policy.sign_ins.push(sign_in("http://hospital.example", SignInWay::Assertion)))
        .listening();
    let _ = plain.revoker.begin(&person("ana.ruiz"));
    assert!(plain.failed(0).contains("not https"));
}

#[test]
fn whom_the_provider_signed_in_is_believed_only_where_it_is_proved() {
    let site = Site::new();
    let public = |mut jwk: Jwk| {
        jwk.common.key_id = Some("1".to_owned());
        serde_json::to_value(jwk).unwrap()
    };
    let keys = json!({ "keys": [
        { "kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "of a kind that nobody knows" },
        public(Jwk::from_encoding_key(&key(1), Algorithm::ES256).unwrap()),
    ] });
    let (good, other) = (key(1), key(2));
    let point = keys["keys"][1]["x"].as_str().unwrap().to_owned();
    type Sign = Box<dyn Fn(Value) -> Option<String>>;
    let es = |key: EncodingKey, change: fn(&mut Value)| -> Sign {
        Box::new(move |mut claims| {
            change(&mut claims);
            let mut header = Header::new(Algorithm::ES256);
            header.kid = Some("1".to_owned());
            Some(encode(&header, &claims, &key).unwrap())
        })
    };
    let none: Sign = Box::new(|claims| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        Some(format!("{}.{}.", part(json!({ "alg": "none", "kid": "1" })), part(claims)))
    });
    // With what everybody knows as the secret.
    let confused: Sign = Box::new(move |claims| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("1".to_owned());
        Some(encode(&header, &claims, &EncodingKey::from_secret(point.as_bytes())).unwrap())
    });
    let cases: [(&str, Sign); 9] = [
        ("", es(good.clone(), |_| {})),
        ("another sign-in", es(good.clone(), |claims| claims["nonce"] = json!("of another"))),
        ("for somebody else", es(good.clone(), |claims| claims["aud"] = json!("another"))),
        ("another issuer's", es(good.clone(), |claims| claims["iss"] = json!("https://else.example"))),
        ("too old", es(good, |claims| claims["exp"] = json!(1_700_000_000))),
        ("does not hold", es(other, |_| {})),
        ("not signed as it must be", none),
        ("not signed as it must be", confused),
        ("does not say whom", Box::new(|_| None)),
    ];
    for (saw, sign) in cases {
        let hostile =
            Hostile::start("", "", 300, json!({ "authorization_response_iss_parameter_supported": true }));
        hostile.does("/jwks", Does::Says(200, keys.to_string()));
        let way = SignInWay::Browser { app: "Chart".to_owned() };
        let station = site.station(|policy| policy.sign_ins.push(sign_in(&hostile.issuer, way))).listening();
        let session = station.revoker.begin(&person("ana.ruiz"));
        let visit = |news: &SignInNews| match news {
            SignInNews::Visit(page) => Some(page.address.expose().to_owned()),
            _ => None,
        };
        let page = url::Url::parse(&station.heard.wait(0, "the page", visit).0).unwrap();
        let field = |name: &str| page.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        let now = station.clock.stamp().utc_ms / 1000;
        let claims = json!({
            "iss": hostile.issuer, "aud": "cleanshift", "sub": "ana", "nonce": field("nonce"), "iat": now, "exp": now + 300,
        });
        let mut tokens = json!({ "access_token": "access", "token_type": "bearer", "expires_in": 300 });
        if let Some(token) = sign(claims) {
            tokens["id_token"] = json!(token);
        }
        hostile.does("/token", Does::Says(200, tokens.to_string()));
        let issuer: String = url::form_urlencoded::byte_serialize(hostile.issuer.as_bytes()).collect();
        station
            .revoker
            .returned(&format!("/signed-in?code=canary-code&state={}&iss={issuer}", field("state")));
        if saw.is_empty() {
            let _ = station.signed(0);
        } else {
            let sentence = station.failed(0);
            assert!(sentence.contains(saw), "{saw}: {sentence}");
            assert!(!station.heard.all().iter().any(|news| matches!(news, SignInNews::Signed(_))));
        }
        // PKCE: the verifier is the one that the challenge was made of.
        let sent = hostile.got("/token").remove(0).body;
        let verifier =
            url::form_urlencoded::parse(sent.as_bytes()).find(|(key, _)| key == "code_verifier").unwrap().1;
        assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())), field("code_challenge"));
        assert_eq!(field("code_challenge_method"), "S256");
        let ends = station.ended(&session);
        assert_eq!(one(&ends, TokenKind::Access).state, TokenState::Acknowledged);
        let provider = one(&ends, TokenKind::ProviderSession);
        assert_eq!(
            (provider.state, provider.saw.as_str()),
            (TokenState::Failed, "cookie destroyed, provider not told")
        );
        assert!(hostile.got("/revoke").iter().any(|got| got.body.contains("token=access&")));
    }
    // An answer in another provider's name, or in nobody's, is none (RFC 9207).
    for issuer in ["&iss=https%3A%2F%2Felse.example", ""] {
        let hostile =
            Hostile::start("", "", 300, json!({ "authorization_response_iss_parameter_supported": true }));
        let way = SignInWay::Browser { app: "Chart".to_owned() };
        let station = site.station(|policy| policy.sign_ins.push(sign_in(&hostile.issuer, way))).listening();
        let _ = station.revoker.begin(&person("ana.ruiz"));
        let state = |news: &SignInNews| match news {
            SignInNews::Visit(page) => {
                page.address.expose().split("state=").nth(1).map(|state| state[..32].to_owned())
            }
            _ => None,
        };
        let (state, _) = station.heard.wait(0, "the page", state);
        station.revoker.returned(&format!("/signed-in?code=c&state={state}{issuer}"));
        assert!(station.failed(0).contains("another provider"));
        assert!(hostile.got("/token").is_empty());
    }
}

#[test]
fn the_hosts_certificates_count_and_those_of_the_policy_beside_them() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let site = Site::new();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder().with_no_client_auth();
    let tls = Arc::new(tls.with_single_cert(vec![made.cert.der().clone()], private).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hospital.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    for (certificates, good) in
        [(None, false), (Some(dir.path().join("none.pem")), false), (Some(file), true)]
    {
        let hostile = Hostile::secured(Arc::clone(&tls), "access", "refresh");
        let station = site
            .station(|policy| {
                let mut at = sign_in(&hostile.issuer, SignInWay::Assertion);
                at.certificates.clone_from(&certificates);
                policy.sign_ins.push(at);
            })
            .listening();
        let session = station.revoker.begin(&person("ana.ruiz"));
        if good {
            let _ = station.signed(0);
            assert_eq!(one(&station.ended(&session), TokenKind::Access).state, TokenState::Acknowledged);
        } else {
            assert!(station.failed(0).contains("cannot be"), "{certificates:?}");
            assert!(hostile.got("/").is_empty(), "a stranger was asked");
        }
    }
}

#[test]
fn long_lives_are_remarked_and_nothing_secret_is_said_anywhere() {
    let site = Site::new();
    let _ = site.vault().set(&cleanshift::revoke::secret_name("Vendor"), b"canary-secret").unwrap();
    let hostile =
        Hostile::start("canary-access", "canary-refresh", 3600, json!({ "introspection_endpoint": "/look" }));
    hostile.does("/vendor", Does::Says(503, "canary-answer".to_owned()));
    let station = site
        .station(|policy| {
            policy.sign_ins.push(sign_in(&hostile.issuer, SignInWay::Exchange));
            policy.revoke.calls.push(cleanshift::policy::CallPolicy {
                name: "Vendor".to_owned(),
                method: "PUT".to_owned(),
                url: format!("{}/vendor?key={{secret}}", hostile.issuer),
                headers: vec![("X-Key".to_owned(), "{secret}".to_owned())],
                body: String::new(),
                expires: std::time::Duration::from_secs(60),
                certificates: None,
            });
        })
        .listening();
    let session = station.revoker.begin(&person("ana.ruiz"));
    let (token, _) = station.signed(0);
    assert_eq!(token, "canary-access");
    station
        .until("the remark", |station| station.revoker.capabilities()[0].1.ends_with("60 min: more than 15"));
    hostile.does("/revoke", Does::Says(400, "{\"error\":\"canary-error\"}".to_owned()));
    hostile.does("/look", Does::Says(200, "canary-look".to_owned()));
    let rows = station.outbox.rows().unwrap();
    assert!(rows.iter().any(|row| !row.sealed.is_empty()), "nothing was sealed");
    let mut said = format!("{:?}", station.heard.all()).into_bytes();
    let ends = station.ended(&session);
    station.revoker.told(&session, 1);
    let assertion = hostile.got("/token")[0].body.split("client_assertion=").nth(1).unwrap()[..40].to_owned();
    said.extend(
        format!("{ends:?}{:?}{:?}{:?}", station.heard.all(), station.revoker, station.revoker.pending())
            .bytes(),
    );
    for row in rows.iter().chain(&station.outbox.rows().unwrap()) {
        said.extend(format!("{row:?}").bytes().chain(row.sealed.iter().copied()));
    }
    said.extend(log().lock().unwrap().iter());
    let heard = |what: &str| memchr::memmem::find(&said, what.as_bytes()).is_some();
    // The ears are open: the station's own lines are there, at every level, and those of the libraries below it.
    assert!(heard("refresh token: failed") && heard("hyper_util"), "nothing was heard");
    assert!(!heard("canary"), "a secret was said");
    assert!(!heard(&assertion), "an assertion was said");
}
