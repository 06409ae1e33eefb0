//! The samples load; wrong files are told what is wrong, where, and what to do.
//!
//! `tests/policies/NAME.toml` must give exactly `tests/policies/NAME.problem`. A missing text fails.
//! Write them anew with `CLEANSHIFT_WRITE_SNAPSHOTS=1 cargo test --test policies`, and read them.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "what fails in a test ends the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cleanshift::handoff::Late;
use cleanshift::policy::{Policy, SignInWay, schema};

fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    files
}

#[test]
fn every_sample_is_a_policy() {
    let samples = files("policies");
    assert_eq!(samples.len(), 5);
    for sample in samples {
        let policy = Policy::read(&sample).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(
            !policy.apps.is_empty() && !policy.supervisors.roles.is_empty(),
            "{} teaches too little",
            sample.display()
        );
    }
}

#[test]
fn a_slow_machine_is_granted_longer_steps() {
    let text = include_str!("../policies/ward.toml");
    assert_eq!(Policy::parse(text, "ward.toml").unwrap().rules.step_limit, 12_000);
    let slow = text.replace("[times]", "[times]\nstep = \"5 min\"");
    assert_eq!(Policy::parse(&slow, "ward.toml").unwrap().rules.step_limit, 300_000);
}

#[test]
fn the_schema_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/policy.schema.json");
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(stored, schema(), "run: cleanshiftctl policy schema > policies/policy.schema.json");
}

#[test]
fn every_wrong_file_gets_its_problem() {
    let wrong = files("tests/policies");
    assert!(wrong.len() >= 15, "the wrong files are not there");
    for file in wrong {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let said = match fs::read(&file).map(String::from_utf8).unwrap() {
            Ok(text) => Policy::parse(&text, &name).map(drop),
            Err(_) => Policy::read(&file).map(drop),
        };
        let said = said.expect_err(&name).to_string().replace(&file.display().to_string(), &name);
        let golden = file.with_extension("problem");
        if std::env::var("CLEANSHIFT_WRITE_SNAPSHOTS").is_ok() {
            fs::write(&golden, &said).unwrap();
        }
        let expected =
            fs::read_to_string(&golden).unwrap_or_else(|_| panic!("{} is missing", golden.display()));
        assert_eq!(said, expected, "{name}");
        assert!(said.contains("help: "), "{name}: no remedy");
    }
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let problems = Policy::read(Path::new("/nowhere/policy.toml")).unwrap_err().to_string();
    assert!(problems.starts_with("/nowhere/policy.toml: the policy cannot be read"), "{problems}");
}

/// A policy with everything in it that can be said of signing in elsewhere and of ending it.
const ELSEWHERE: &str = r#"
roles = ["nurse"]
[station]
name = "S"
[badge]
mode = "hold"
[[apps]]
name = "Chart"
command = "chromium"
[[sign_in]]
name = "Hospital"
issuer = "https://id.example.org/realms/ward"
client = "station-12"
how = "exchange"
scopes = ["openid", "launch", "patient/*.read"]
audience = "https://ehr.example.org"
subject = "{key}@example.org"
environment = "HOSPITAL_TOKEN"
file = ".config/hospital/token"
end_by_sid = "https://id.example.org/sessions/{sid}"
events = "https://id.example.org/events"
certificates = "/etc/cleanshift/hospital.pem"
[[sign_in]]
name = "Test"
issuer = "http://127.0.0.1:8080"
client = "station-12"
how = "browser"
app = "Chart"
[[revoke.call]]
kind = "http"
name = "EHR"
method = "DELETE"
url = "https://ehr.example.org/{station}/sessions/{operator}?session={session}"
headers = { Authorization = "Bearer {secret}", Content-Type = "application/json", X-Token-Hint = "" }
body = '{"who": {"id": "{operator}"}, "token": "{secret}", "basic": true}'
expires = "20 min"
"#;

#[test]
fn what_is_signed_in_elsewhere_and_ended_is_read() {
    let policy = Policy::parse(ELSEWHERE, "policy.toml").unwrap_or_else(|problems| panic!("{problems}"));
    let [hospital, test] = policy.sign_ins.as_slice() else { panic!("{:?}", policy.sign_ins) };
    assert_eq!(hospital.how, SignInWay::Exchange);
    assert_eq!(hospital.scopes, ["openid", "launch", "patient/*.read"]);
    assert_eq!(
        (hospital.subject.as_str(), hospital.audience.as_str()),
        ("{key}@example.org", "https://ehr.example.org")
    );
    assert_eq!(hospital.environment.as_deref(), Some("HOSPITAL_TOKEN"));
    assert_eq!(hospital.file.as_deref(), Some(".config/hospital/token"));
    assert_eq!(hospital.end_by_sid.as_deref(), Some("https://id.example.org/sessions/{sid}"));
    assert_eq!(hospital.events.as_deref(), Some("https://id.example.org/events"));
    assert_eq!(hospital.certificates.as_deref(), Some(Path::new("/etc/cleanshift/hospital.pem")));
    assert_eq!(test.how, SignInWay::Browser { app: "Chart".to_owned() });
    assert_eq!((test.subject.as_str(), test.scopes.as_slice()), ("{key}", &["openid".to_owned()][..]));
    let [call] = policy.revoke.calls.as_slice() else { panic!("{:?}", policy.revoke) };
    assert_eq!((call.name.as_str(), call.method.as_str()), ("EHR", "DELETE"));
    assert_eq!(call.expires, Duration::from_mins(20));
    assert!(call.headers.contains(&("Authorization".to_owned(), "Bearer {secret}".to_owned())));
    assert!(call.body.contains("\"basic\": true"));
}

#[test]
fn how_late_a_station_may_open_is_read_where_anything_is_ended_elsewhere() {
    let read =
        |text: &str| Policy::parse(text, "policy.toml").unwrap_or_else(|problems| panic!("{problems}"));
    let late = |policy: &Policy| policy.rules.sign_ins.map(|rules| rules.late);
    let with =
        |revoke: &str| read(&ELSEWHERE.replace("[[revoke.call]]", &format!("{revoke}\n[[revoke.call]]")));
    assert_eq!(late(&read(ELSEWHERE)), Some(Late::Open { after: 2_000 }));
    assert_eq!(late(&with("[revoke]\nafter = \"500 ms\"")), Some(Late::Open { after: 500 }));
    assert_eq!(late(&with("[revoke]\nlate = \"hold\"")), Some(Late::Hold { longest: 12 * 3_600_000 }));
    let nobody = ELSEWHERE.split("[[sign_in]]").next().unwrap();
    assert_eq!(late(&read(&format!("{nobody}[revoke]\nlate = \"hold\""))), None, "nobody is signed in");
    let asks = |reverify: &str| read(&format!("{nobody}reverify = \"{reverify}\"")).rules.apps[0].reverify;
    assert_eq!((asks("PIN"), asks("10 min")), (Some(0), Some(600_000)));
    assert_eq!(read(nobody).rules.apps[0].reverify, None);
}
