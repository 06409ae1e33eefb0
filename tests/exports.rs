//! What leaves the station is what others can read: every form of export is taken by validators that
//! others wrote, and each of these is shown to refuse a spoiled file. Proofs hold by our verifier and by one
//! that shares no code with it. The controls name what was planted, by its number.
//!
//! The validators are installed by `packaging/setup.sh test` (tests/validators/).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    unused_results,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

#[path = "exports/kept.rs"]
mod kept;
#[path = "exports/month.rs"]
mod month;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cleanshift::evidence::escape;
use month::{KINDS, Month, STATION, TRIGGERS};
use serde_json::Value;

// ---------------------------------------------------------------------------------------------
// The ground
// ---------------------------------------------------------------------------------------------

struct Ground {
    month: Month,
    /// The exports are made here.
    dir: PathBuf,
    key: String,
    _root: tempfile::TempDir,
}

/// One month for all tests that run at the same time; gone with the last of them.
fn ground() -> Arc<Ground> {
    static SHARED: Mutex<Weak<Ground>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ground) = shared.upgrade() {
        return ground;
    }
    let root = tempfile::tempdir().unwrap();
    let month = month::write(root.path());
    let dir = root.path().join("out");
    fs::create_dir(&dir).unwrap();
    let key = month.keys[1].clone();
    let ground = Arc::new(Ground { month, dir, key, _root: root });
    *shared = Arc::downgrade(&ground);
    ground
}

fn log(state: &Path, arguments: &[&str]) -> Output {
    log_in("UTC", state, arguments)
}

/// The same in another time zone.
fn log_in(zone: &str, state: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"))
        .args(["log", "--state"])
        .arg(state)
        .args(arguments)
        .env("TZ", zone)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What a command printed that went well.
fn said(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command said that did not, with its exit code.
fn refusal(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

impl Ground {
    /// Exports the month in this form, into a file or directory of this name.
    fn export(&self, format: &str, name: &str, more: &[&str]) -> PathBuf {
        self.export_of(&self.month.dir, format, name, more)
    }

    /// The same of the month before anything of it was pruned.
    fn whole(&self, format: &str, name: &str, more: &[&str]) -> PathBuf {
        self.export_of(&self.month.whole, format, name, more)
    }

    fn export_of(&self, state: &Path, format: &str, name: &str, more: &[&str]) -> PathBuf {
        let out = self.dir.join(name);
        let place = out.display().to_string();
        let arguments = [&["export", "--format", format, "--force", "--out", &place], more].concat();
        said(&log(state, &arguments));
        out
    }

    fn receipts(&self, name: &str, more: &[&str]) -> Vec<Value> {
        let file = self.export("jsonl", name, more);
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs the validators over these files, each with its form.
    fn judge(&self, files: &[(&str, PathBuf)]) -> Vec<Judgement> {
        let schema = self.dir.join(format!("schema-{:?}.json", std::thread::current().id()));
        fs::write(&schema, said(&log(&self.month.dir, &["schema"]))).unwrap();
        let mut python = Command::new(validators().join("venv/bin/python"))
            .arg(own("tests/validators/check.py"))
            .args([&schema, Path::new(&self.key)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the validators are installed by packaging/setup.sh test");
        let mut wanted = String::new();
        for (form, file) in files {
            wanted.push_str(&format!("{form}\t{}\n", file.display()));
        }
        python.stdin.take().unwrap().write_all(wanted.as_bytes()).unwrap();
        let mut found = judgements(&python.wait_with_output().unwrap());
        let bundles = files.iter().filter(|(form, _)| *form == "fhir").map(|(_, file)| file);
        let mut node = Command::new("node");
        node.arg(own("tests/validators/check.js")).arg(validators().join("node_modules")).args(bundles);
        found.extend(judgements(&node.output().unwrap()));
        found
    }
}

#[derive(Debug, serde::Deserialize)]
struct Judgement {
    file: PathBuf,
    entries: usize,
    problems: Vec<String>,
}

fn judgements(output: &Output) -> Vec<Judgement> {
    said(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Where packaging/setup.sh has put them: beside what cargo builds, unless it was told another place.
fn validators() -> PathBuf {
    let beside =
        || Path::new(env!("CARGO_BIN_EXE_cleanshiftctl")).ancestors().nth(2).unwrap().join("validators");
    std::env::var_os("CLEANSHIFT_VALIDATORS").map_or_else(beside, PathBuf::from)
}

fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn python(arguments: &[&Path]) -> Output {
    let program = validators().join("venv/bin/python");
    Command::new(program).arg(own("packaging/verify_proof.py")).args(arguments).output().unwrap()
}

/// The proofs in a directory, in their order; what one key hands over to the next is none of them.
fn proofs_in(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().unwrap() == "tlog-proof").collect();
    files.sort();
    files
}

/// The checkpoint of a proof of the newest tree, as a file beside an export.
fn checkpoint_beside(ground: &Ground, export: &Path, proofs: &Path) -> PathBuf {
    let text = fs::read_to_string(&proofs_in(proofs)[0]).unwrap();
    let place = export.with_extension("checkpoint");
    fs::write(&place, text.split_once("\n\n").unwrap().1).unwrap();
    assert!(ground.month.dir.exists());
    place
}

// ---------------------------------------------------------------------------------------------
// Validators of others
// ---------------------------------------------------------------------------------------------

#[test]
fn the_month_has_everything_in_it() {
    let ground = ground();
    let receipts = ground.receipts("everything.jsonl", &[]);
    let mut kinds: Vec<_> = receipts.iter().map(|receipt| receipt["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, KINDS);
    for (_, trigger) in TRIGGERS {
        assert!(receipts.iter().any(|receipt| receipt["handoff"]["trigger"] == trigger), "no {trigger}");
    }
    for answer in ["absent", "present", "unknown", "not-applicable", "setting"] {
        let gives = |receipt: &Value| {
            let gates = receipt["handoff"]["after"].as_array();
            gates.is_some_and(|gates| gates.iter().any(|gate| gate["answer"] == answer))
        };
        assert!(receipts.iter().any(gives), "no gate says {answer}");
    }
    assert!(receipts.iter().any(|receipt| receipt["held"].as_array().is_some_and(|held| !held.is_empty())));
    assert_eq!(receipts[0]["station"], STATION);
    let verified = said(&log(&ground.month.dir, &["verify", "--key", &ground.key]));
    let pruned = format!("pruned below the anchor at {} entries: hashes only", ground.month.anchored);
    assert!(verified.starts_with("whole: ") && verified.contains(&pruned), "{verified}");
}

#[test]
fn validators_of_others_take_every_export() {
    let ground = ground();
    let entries = ground.receipts("good.jsonl", &[]).len();
    let proofs = ground.whole("proof", "good-proofs", &[]);
    let files: Vec<(&str, PathBuf)> = ["jsonl", "csv", "fhir", "ocsf", "syslog"]
        .map(|form| (form, ground.export(form, &format!("good-all.{form}"), &[])))
        .to_vec();
    let tree = ground.whole("jsonl", "good-tree.jsonl", &[]);
    let leaves = fs::read_to_string(&tree).unwrap().lines().count();
    assert!(leaves > entries + 30, "nothing was pruned: {leaves}, {entries}");
    checkpoint_beside(&ground, &tree, &proofs);
    let empty = ground.export("fhir", "good-empty.fhir", &["--from", "2200-01-01"]);
    let found = ground.judge(&[files, vec![("tree", tree.clone())]].concat());
    assert_eq!(found.len(), 7, "five forms, the tree, and the bundle once more");
    for judgement in found {
        assert_eq!(judgement.problems, Vec::<String>::new(), "{}", judgement.file.display());
        let many = if judgement.file == tree { leaves } else { entries };
        assert_eq!(judgement.entries, many, "{}", judgement.file.display());
    }
    for judgement in ground.judge(&[("fhir", empty)]) {
        assert_eq!((judgement.entries, judgement.problems.len()), (0, 0), "a bundle of nothing");
    }
}

/// What each entry must be told as: OCSF's class and activity; FHIR's type, subtype, action and outcome.
fn meaning(receipt: &Value) -> (u64, u64, [&'static str; 4]) {
    let (takeover, nobody) = (receipt["handoff"]["incoming"].is_object(), receipt["operator"].is_null());
    let gates = receipt["handoff"]["after"].as_array().map_or(&[][..], Vec::as_slice);
    let unclean = gates.iter().any(|gate| gate["answer"] == "present" || gate["answer"] == "unknown");
    let tokens = receipt["tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let outcome = if unclean || tokens.iter().any(|token| token["state"] == "failed") { "8" } else { "0" };
    match receipt["kind"].as_str().unwrap() {
        "opened" => (3002, 1, ["110114", "110122", "E", "0"]),
        "denied" | "badge-unknown" => (3002, 1, ["110114", "110122", "E", "4"]),
        "disabled" => (3001, 5, ["110114", "110122", "E", "8"]),
        "break-glass" => (3002, 1, ["110113", "110127", "E", "0"]),
        "handoff" if nobody => (0, 99, ["110100", "", "E", outcome]),
        "handoff" if takeover => (3002, 7, ["110114", "110123", "E", outcome]),
        "handoff" => (3002, 2, ["110114", "110123", "E", outcome]),
        "settled" => (3002, 2, ["110114", "110123", "E", outcome]),
        "quarantine" => (2004, 1, ["110113", "", "E", "8"]),
        "released" => (2004, 3, ["110113", "110135", "U", "0"]),
        "roster" => (3004, 3, ["110113", "110137", "U", "0"]),
        "policy" | "key" => (3004, 3, ["110113", "110129", "U", "0"]),
        "viewed" | "anchored" => (3004, 2, ["110101", "", "R", "0"]),
        "annotated" | "attested" => (3004, 3, ["110101", "", "U", "0"]),
        "exported" => (3004, 2, ["110106", "", "R", "0"]),
        "pruned" => (3004, 4, ["110101", "", "D", "0"]),
        "started" => (6002, 3, ["110100", "110120", "E", "0"]),
        "stopped" => (6002, 4, ["110100", "110121", "E", "0"]),
        "restarted" => (6002, 5, ["110100", "110121", "E", "0"]),
        "discontinuity" => (0, 99, ["110113", "110133", "E", "8"]),
        "drill" if receipt["note"].as_str().unwrap().starts_with("clean") => {
            (0, 99, ["110100", "", "E", "0"])
        }
        "drill" => (0, 99, ["110100", "", "E", "8"]),
        other => panic!("nobody has said what {other} is"),
    }
}

#[test]
fn each_entry_is_told_as_what_it_is() {
    let ground = ground();
    let receipts = ground.receipts("meaning.jsonl", &[]);
    let ocsf = fs::read_to_string(ground.export("ocsf", "meaning.ocsf", &[])).unwrap();
    let fhir = fs::read(ground.export("fhir", "meaning.fhir", &[])).unwrap();
    let fhir: Value = serde_json::from_slice(&fhir).unwrap();
    let syslog = fs::read_to_string(ground.export("syslog", "meaning.syslog", &[])).unwrap();
    let csv = fs::read_to_string(ground.export("csv", "meaning.csv", &[])).unwrap();
    let audits = fhir["entry"].as_array().unwrap();
    assert_eq!((ocsf.lines().count(), audits.len()), (receipts.len(), receipts.len()));
    assert_eq!((syslog.lines().count(), csv.lines().count()), (receipts.len(), receipts.len() + 1));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut levels: BTreeMap<String, String> = BTreeMap::new();
    for (((receipt, event), audit), line) in receipts.iter().zip(ocsf.lines()).zip(audits).zip(syslog.lines())
    {
        let (class, activity, codes) = meaning(receipt);
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(
            (&event["class_uid"], &event["activity_id"]),
            (&class.into(), &activity.into()),
            "{receipt}"
        );
        assert_eq!(event["type_uid"], class * 100 + activity);
        if activity == 7 {
            let key = |who: &Value| escape(who["key"].as_str().unwrap());
            assert_eq!(event["actor"]["user"]["uid"], key(&receipt["operator"]), "who had the station");
            assert_eq!(event["user"]["uid"], key(&receipt["handoff"]["incoming"]), "who takes it");
        }
        let audit = &audit["resource"];
        let told =
            [&audit["type"]["code"], &audit["subtype"][0]["code"], &audit["action"], &audit["outcome"]];
        assert_eq!(told.map(&text), codes.map(str::to_owned), "{receipt}");
        let agents = audit["agent"].as_array().unwrap();
        assert_eq!(agents.iter().filter(|agent| agent["requestor"] == true).count(), 1, "{agents:?}");
        assert_eq!(agents.last().unwrap()["type"]["coding"][0]["code"], "110150");
        let names = receipt["operator"].is_object();
        assert!(!names || agents.iter().any(|agent| agent["type"]["coding"][0]["code"] == "IRCP"));
        let details = audit["entity"][0]["detail"].as_array().unwrap();
        assert!(details.iter().any(|detail| detail["type"] == "checkpoint"));
        let tokens = receipt["tokens"].as_array().map_or(0, Vec::len);
        assert_eq!(
            details.iter().filter(|detail| detail["type"] == "signed_out").count(),
            tokens,
            "{receipt}"
        );
        assert_eq!(line.matches(" signed_out=\"").count(), tokens);
        assert_eq!(event["unmapped"]["signed_out"].as_array().map_or(0, Vec::len), tokens);
        if let Some(about) = receipt["about"]["entry"].as_u64() {
            assert_eq!(event["unmapped"]["about"], about);
            assert!(
                line.contains(&format!(" about=\"{about}\"")) && details.iter().any(|d| d["type"] == "about")
            );
        }
        // The same leaf everywhere: it is what leads from an event to its receipt.
        let leaf = text(&event["metadata"]["uid"]);
        assert_eq!(text(&audit["entity"][0]["what"]["identifier"]["value"]), leaf);
        assert!(leaf.len() == 64 && line.contains(&format!(" leaf=\"{leaf}\"")) && csv.contains(&leaf));
        let level = line.split_once('>').unwrap().0.trim_start_matches('<').to_owned();
        levels.entry(level).or_insert_with(|| text(&receipt["kind"]));
    }
    // Facility 10 and five severities: 1, 3, 4, 5 and 6.
    assert_eq!(levels.keys().collect::<Vec<_>>(), ["81", "83", "84", "85", "86"]);
    // No line of people's forms can be forged or turned around.
    for (form, told) in [("ocsf", &ocsf), ("syslog", &syslog), ("csv", &csv)] {
        let forged = |letter: char| {
            (letter.is_control() && !matches!(letter, '\n' | '\r'))
                || matches!(letter, '\u{202e}' | '\u{2066}' | '\u{200b}')
        };
        assert_eq!(told.chars().find(|letter| forged(*letter)), None, "{form}");
    }
    let jsonl = fs::read_to_string(ground.dir.join("meaning.jsonl")).unwrap();
    assert!(jsonl.contains('\u{202e}'), "the names to be looked for are not there");
}

/// A spoiled file, and the validator that must refuse it.
struct Spoiled {
    form: &'static str,
    by: &'static str,
    what: &'static str,
    from: &'static str,
    to: &'static str,
}

const SPOILED: [Spoiled; 25] = [
    spoil("jsonl", "jsonschema", "a number for a kind", r#""kind":"opened""#, r#""kind":7"#),
    spoil("jsonl", "jsonschema", "an unknown field", r#""kind":"opened""#, r#""kind":"opened","x":1"#),
    spoil("jsonl", "jsonschema", "no station", r#","station":"Ward"#, r#","sation":"Ward"#),
    spoil("jsonl", "jsonschema", "an unknown state", r#""state":"proved""#, r#""state":"gone""#),
    spoil("jsonl", "jsonschema", "an unknown sort of token", r#""kind":"proof key""#, r#""kind":"proof""#),
    spoil("jsonl", "jsonschema", "more of a token than its hash", r#","id":"0"#, r#","id":"eyJ0"#),
    spoil("jsonl", "jsonschema", "a token without provider", r#""provider":"#, r#""povider":"#),
    spoil("csv", "Error", "an open quote", "\r\n1,", "\r\n\"1,"),
    spoil("csv", "csv", "a cell too few", "\r\n1,", "\r\n"),
    spoil("csv", "csv", "a formula", ",\"'=cmd", ",\"=cmd"),
    spoil("fhir", "fhir.resources", "no time", r#""recorded":"#, r#""recorder":"#),
    spoil("fhir", "fhir.resources", "a bad instant", r#""recorded":"2020"#, r#""recorded":"20x0"#),
    spoil("fhir", "fhir.resources", "no source", r#""source":"#, r#""sorce":"#),
    spoil("fhir", "fhir", "an unknown action", r#""action":"E""#, r#""action":"Z""#),
    spoil("fhir", "fhir", "an unknown outcome", r#""outcome":"0""#, r#""outcome":"99""#),
    spoil("fhir", "fhir", "a code by a wrong name", r#""display":"Login""#, r#""display":"Logon""#),
    spoil("ocsf", "ocsf-json-schema", "an unknown activity", r#""activity_id":1,"#, r#""activity_id":77,"#),
    spoil("ocsf", "ocsf-json-schema", "nobody logs on", r#""user":{"full_name""#, r#""usr":{"full_name""#),
    spoil("ocsf", "ocsf-json-schema", "a time in words", r#""time":15"#, r#""time":"now","tmie":15"#),
    spoil("ocsf", "py-ocsf-models", "an unknown severity", r#""severity_id":1"#, r#""severity_id":42"#),
    spoil("ocsf", "py-ocsf-models", "no product", r#""product":{"#, r#""prodct":{"#),
    spoil("syslog", "syslog-rfc5424-parser", "no priority", "<86>1 ", "1 "),
    spoil("syslog", "syslog-rfc5424-parser", "a bare quote in a value", r#"\"B\" \]"#, r#""B" \]"#),
    spoil("syslog", "syslog-rfc5424-parser", "no byte order mark", "\u{feff}", ""),
    spoil("tree", "pymerkle", "a changed byte", r#""rounds":1"#, r#""rounds":2"#),
];

const fn spoil(
    form: &'static str,
    by: &'static str,
    what: &'static str,
    from: &'static str,
    to: &'static str,
) -> Spoiled {
    Spoiled { form, by, what, from, to }
}

#[test]
fn each_validator_refuses_a_spoiled_file() {
    let ground = ground();
    let proofs = ground.whole("proof", "spoil-proofs", &[]);
    // Two days are enough for all but the tree.
    let days = |form: &str| {
        fs::read_to_string(ground.whole(form, &format!("spoil.{form}"), &["--to", "2020-03-18"]))
    };
    let forms = ["jsonl", "csv", "fhir", "ocsf", "syslog"].map(|form| (form, days(form).unwrap()));
    let everything = fs::read_to_string(ground.whole("jsonl", "spoil-all.jsonl", &[])).unwrap();
    let forms = [&forms[..], &[("tree", everything)]].concat();
    let mut files = Vec::new();
    for (number, spoiled) in SPOILED.iter().enumerate() {
        let form = spoiled.form;
        let (_, text) = forms.iter().find(|(name, _)| *name == form).unwrap();
        let changed = text.replacen(spoiled.from, spoiled.to, 1);
        assert_ne!(*text, changed, "{}: nothing was spoiled", spoiled.what);
        let place = ground.dir.join(format!("spoiled-{number}.{form}"));
        fs::write(&place, changed).unwrap();
        checkpoint_beside(&ground, &place, &proofs);
        files.push((spoiled.form, place));
    }
    let signed = ground.whole("jsonl", "spoiled-signature.jsonl", &[]);
    let checkpoint = checkpoint_beside(&ground, &signed, &proofs);
    let text = fs::read_to_string(&checkpoint).unwrap();
    let size = text.lines().nth(1).unwrap();
    fs::write(&checkpoint, text.replacen(&format!("\n{size}\n"), &format!("\n1{size}\n"), 1)).unwrap();
    files.push(("tree", signed.clone()));
    let found = ground.judge(&files);
    let refuses = |file: &Path, by: &str| {
        let of_file = found.iter().filter(|judgement| judgement.file == file);
        let mut problems = of_file.flat_map(|judgement| &judgement.problems);
        problems.any(|problem| problem.contains(&format!("{by}: ")))
    };
    for (spoiled, (_, file)) in SPOILED.iter().zip(&files) {
        assert!(refuses(file, spoiled.by), "{} took {}: {found:#?}", spoiled.by, spoiled.what);
    }
    assert!(refuses(&signed, "PyNaCl"), "PyNaCl took a changed checkpoint");
}

// ---------------------------------------------------------------------------------------------
// Proofs
// ---------------------------------------------------------------------------------------------

#[test]
fn every_receipt_proves_itself_to_two_verifiers() {
    let ground = ground();
    let proofs = ground.export("proof", "proofs", &[]);
    let files = proofs_in(&proofs);
    assert_eq!(files.len(), ground.receipts("proofs.jsonl", &[]).len());
    let all: Vec<&Path> =
        [Path::new(&ground.key)].into_iter().chain(files.iter().map(PathBuf::as_path)).collect();
    let python_said = said(&python(&all));
    assert_eq!(python_said.lines().filter(|line| line.starts_with("whole: ")).count(), files.len());
    // Ours starts anew for each, so that it is shown a few; its own test shows it every place of every tree.
    let nowhere = ground.dir.join("no station here");
    for file in files.iter().step_by(files.len() / 12) {
        let place = file.display().to_string();
        let told = said(&log(&nowhere, &["verify", &place, "--key", &ground.key, "--json"]));
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["verdict"], &told["key_checked"]), (&"whole".into(), &true.into()));
        let alone = said(&log(&nowhere, &["verify", &place]));
        assert!(alone.starts_with("consistent, key not checked: "), "{alone}");
    }
}

#[test]
fn a_changed_proof_and_another_key_are_refused_by_both() {
    let ground = ground();
    let proofs = ground.export("proof", "changed-proofs", &["--operator", "operator.1"]);
    let file = proofs_in(&proofs).swap_remove(0);
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let changed = ground.dir.join("changed.tlog-proof");
    let place = changed.display().to_string();
    let letter = |letter: char| if letter == 'A' { 'B' } else { 'A' };
    for (number, line) in lines.iter().enumerate() {
        if line.is_empty() || number == 0 {
            continue;
        }
        let mut letters: Vec<char> = line.chars().collect();
        let at = letters.len() * 2 / 3;
        letters[at] = if letters[at].is_ascii_digit() && line.len() < 20 { '7' } else { letter(letters[at]) };
        let line: String = letters.into_iter().collect();
        if line == lines[number] {
            continue;
        }
        let mut now = lines.clone();
        now[number] = &line;
        fs::write(&changed, now.join("\n") + "\n").unwrap();
        let ours = log(&ground.month.dir, &["verify", &place, "--key", &ground.key]);
        assert_eq!(ours.status.code(), Some(1), "line {number} can be changed: {line}");
        assert!(String::from_utf8_lossy(&ours.stdout).starts_with("broken: "));
        let theirs = python(&[Path::new(&ground.key), &changed]);
        assert_eq!(theirs.status.code(), Some(1), "line {number} can be changed for Python: {line}");
    }
    let other = tempfile::tempdir().unwrap();
    drop(cleanshift::store::Store::open(other.path(), STATION).unwrap());
    let key = said(&log(other.path(), &["key"]));
    let place = file.display().to_string();
    let ours = log(&ground.month.dir, &["verify", &place, "--key", key.trim()]);
    assert!(String::from_utf8_lossy(&ours.stdout).starts_with("broken: wrong key: "));
    assert_eq!(python(&[Path::new(key.trim()), &file]).status.code(), Some(1));
    // A file that is no proof is no broken one.
    let (code, told) = refusal(&log(&ground.month.dir, &["verify", "/etc/hostname"]));
    assert!(code == 2 && told.contains("nor a C2SP tlog-proof"), "{told}");
}

#[test]
fn a_whole_export_stands_under_a_checkpoint_that_was_kept() {
    let ground = ground();
    let export = ground.whole("jsonl", "kept.jsonl", &[]);
    let proofs = ground.whole("proof", "kept-proofs", &["--from", "2020-03-17", "--to", "2020-03-18"]);
    let checkpoint = checkpoint_beside(&ground, &export, &proofs);
    let key = Path::new(&ground.key);
    let entries = fs::read_to_string(&export).unwrap().lines().count();
    let told = said(&python(&[key, &export, &checkpoint]));
    assert_eq!(told.trim(), format!("whole: {entries} of {entries} entries stand under the checkpoint"));
    // An older checkpoint covers the first entries; the key before has signed it.
    let key = Path::new(&ground.month.keys[0]);
    let shown = said(&log(&ground.month.whole, &["show", "99", "--json"]));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    fs::write(&checkpoint, shown["checkpoint"].as_str().unwrap()).unwrap();
    let told = said(&python(&[key, &export, &checkpoint]));
    assert!(told.starts_with("whole: 100 of "), "{told}");
    for (what, spoil) in [
        ("a dropped row", (|lines: &mut Vec<String>| drop(lines.remove(7))) as fn(&mut Vec<String>)),
        ("a swapped pair", |lines| lines.swap(20, 21)),
        ("a truncated tail", |lines| lines.truncate(99)),
        ("a flipped byte", |lines| lines[50] = lines[50].replacen("2020", "2021", 1)),
    ] {
        let mut lines: Vec<String> =
            fs::read_to_string(&export).unwrap().lines().map(str::to_owned).collect();
        spoil(&mut lines);
        let spoiled = ground.dir.join("kept-spoiled.jsonl");
        fs::write(&spoiled, lines.join("\n") + "\n").unwrap();
        assert_eq!(python(&[key, &spoiled, &checkpoint]).status.code(), Some(1), "{what} is taken");
    }
}

// ---------------------------------------------------------------------------------------------
// The command
// ---------------------------------------------------------------------------------------------

#[test]
fn filters_take_what_they_say() {
    let ground = ground();
    let all = ground.receipts("filter-all.jsonl", &[]);
    let count = |is: &dyn Fn(&Value) -> bool| all.iter().filter(|receipt| is(receipt)).count();
    let utc = |receipt: &Value| receipt["at"]["utc"].as_str().unwrap().to_owned();
    let day = ground.receipts("filter-day.jsonl", &["--from", "2020-03-20", "--to", "2020-03-20"]);
    assert!(!day.is_empty() && day.iter().all(|receipt| utc(receipt).starts_with("2020-03-20")));
    assert_eq!(day.len(), count(&|receipt| utc(receipt).starts_with("2020-03-20")));
    let instants = ["--from", "2020-03-20T20:00:00+02:00", "--to", "2020-03-20T18:20:00Z"];
    let hours = ground.receipts("filter-hours.jsonl", &instants);
    let within = |receipt: &Value| {
        let utc = utc(receipt);
        utc.as_str() >= "2020-03-20T18:00" && utc.as_str() < "2020-03-20T18:20" && utc.starts_with("2020")
    };
    assert!(hours.len() > 3 && hours.len() == count(&within), "{} entries", hours.len());
    let hers = ground.receipts("filter-hers.jsonl", &["--operator", "operator.5"]);
    let names = |receipt: &Value| {
        receipt["operator"]["key"] == "operator.5" || receipt["handoff"]["incoming"]["key"] == "operator.5"
    };
    assert!(!hers.is_empty() && hers.iter().all(names));
    assert_eq!(hers.len(), count(&names));
    assert_eq!(ground.receipts("filter-station.jsonl", &["--station", STATION]).len(), all.len());
    let elsewhere = log(&ground.month.dir, &["export", "--format", "jsonl", "--station", "Ward 5"]);
    assert!(elsewhere.stdout.is_empty() && elsewhere.status.success());
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("no entry is of this time"));
    for (arguments, help) in [
        (&["--from", "yesterday"][..], "write a day as 2026-11-23"),
        (&["--from", "2020-03-20T07:00:00"], "write a day as 2026-11-23"),
        (&["--from", "2020-03-21", "--to", "2020-03-20"], "--from is not before --to"),
        (&["--force"], "--out"),
    ] {
        let all = [&["export", "--format", "csv"], arguments].concat();
        let (code, told) = refusal(&log(&ground.month.dir, &all));
        assert!(code == 2 && told.contains(help), "{arguments:?}: {told}");
    }
    let (code, told) = refusal(&log(&ground.month.dir, &["export", "--format", "proof"]));
    assert!(code == 2 && told.contains("name a directory for them with --out"), "{told}");
}

#[test]
fn an_export_is_private_whole_or_not_there_and_replaces_nothing_unasked() {
    let ground = ground();
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("log.csv");
    let place = file.display().to_string();
    let export = |more: &[&str]| {
        log(&ground.month.dir, &[&["export", "--format", "csv", "--out", &place], more].concat())
    };
    let told: Value = serde_json::from_str(&said(&export(&["--json"]))).unwrap();
    assert_eq!(
        (&told["format"], &told["first"], &told["out"]),
        (&"csv".into(), &0.into(), &place.as_str().into())
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&file), 0o600);
    let before = fs::read(&file).unwrap();
    fs::write(&file, "mine").unwrap();
    let (code, told) = refusal(&export(&[]));
    assert!(code == 2 && told.contains("replace it with --force"), "{told}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    said(&export(&["--force"]));
    assert_eq!(fs::read(&file).unwrap(), before);
    // Proofs go into a directory of their own, which is there when all of them are.
    let proofs = root.path().join("proofs");
    let place = proofs.display().to_string();
    let arguments = ["export", "--format", "proof", "--operator", "operator.1", "--out", &place];
    said(&log(&ground.month.dir, &arguments));
    assert_eq!(mode(&proofs), 0o700);
    assert!(fs::read_dir(&proofs).unwrap().all(|proof| mode(&proof.unwrap().path()) == 0o600));
    let (code, told) = refusal(&log(&ground.month.dir, &arguments));
    assert!(code == 2 && told.contains("there are files in it"), "{told}");
    said(&log(&ground.month.dir, &[&arguments[..], &["--force"]].concat()));
    // An entry that is not what was written ends the export, and nothing of it is left.
    let text = "replace(CAST(json AS TEXT), 'opened', 'closed')";
    for (change, what) in [
        (format!("UPDATE ledger SET json = CAST({text} AS BLOB) WHERE number = 6"), "entry 6 was edited"),
        ("DELETE FROM ledger WHERE number = 6".to_owned(), "entry 7 does not follow"),
        (
            "UPDATE ledger SET number = -1 WHERE number = 6; UPDATE ledger SET number = 6 WHERE number = 8; \
             UPDATE ledger SET number = 8 WHERE number = -1"
                .to_owned(),
            "entry 6 was reordered",
        ),
    ] {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(ground.month.whole.join("station.db"), copy.path().join("station.db")).unwrap();
        let _ = fs::copy(ground.month.whole.join("station.db-wal"), copy.path().join("station.db-wal"));
        let db = rusqlite::Connection::open(copy.path().join("station.db")).unwrap();
        db.execute_batch(&change).unwrap();
        drop(db);
        for format in ["csv", "fhir", "proof"] {
            let out = root.path().join("spoiled");
            let place = out.display().to_string();
            let (code, told) = refusal(&log(copy.path(), &["export", "--format", format, "--out", &place]));
            // A tree of other leaves has another root: proofs are refused before the first entry.
            let head = format == "proof" && !what.contains("edited");
            let what = if head { "the newest checkpoint is not the signed head" } else { what };
            assert!(code == 1 && told.contains(what), "{code}: {told}");
            assert!(!out.exists());
        }
    }
    let mut left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["log.csv", "proofs"], "something was left behind");
}

#[test]
fn people_are_told_in_which_zone_a_time_is() {
    let ground = ground();
    let list = |zone: &str| said(&log_in(zone, &ground.month.whole, &["list", "--all"]));
    let heading =
        |list: &str| list.lines().next().unwrap().split("  ").map(str::to_owned).collect::<Vec<_>>();
    let (utc, far) = (list("UTC"), list("JST-9"));
    assert!(heading(&utc).iter().any(|cell| cell.trim() == "when (UTC)"), "{:?}", heading(&utc));
    assert!(heading(&far).iter().any(|cell| cell.trim() == "when (JST)"), "{:?}", heading(&far));
    // The store has written the first entry now; the second is of the month.
    assert!(utc.lines().nth(2).unwrap().contains("2020-03-17 17:46:45"), "{utc}");
    assert!(far.lines().nth(2).unwrap().contains("2020-03-18 02:46:45"), "{far}");
    // Where there are summer and winter in one list, both are named.
    let seasons = list("CET-1CEST,M3.5.0,M10.5.0/3");
    assert!(heading(&seasons).iter().any(|cell| cell.trim() == "when (CEST/CET)"), "{:?}", heading(&seasons));
    let handoff = ["show", "8"];
    let shown = said(&log_in("JST-9", &ground.month.whole, &handoff));
    let place = shown.lines().find(|line| line.starts_with("Entry 8 of ")).unwrap();
    assert!(place.contains("Z (2020-03-18 0") && place.ends_with(" JST)"), "{place}");
    // A gate that did not look took no time.
    let gate =
        |number: &str| shown.lines().rev().find(|line| line.contains(number)).unwrap().trim_end().to_owned();
    assert!(gate("gate 17 ").ends_with("  –") && gate("gate 18 ").ends_with("  18 µs"), "{shown}");
}

#[test]
fn the_schema_of_a_receipt_is_fresh() {
    let printed: Value = serde_json::from_str(&said(&log(Path::new("/nowhere"), &["schema"]))).unwrap();
    let stored = fs::read(own("assets/receipt.schema.json")).unwrap();
    let stored: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(stored, printed, "run: cleanshiftctl log schema > assets/receipt.schema.json");
}

#[test]
fn no_title_and_no_address_has_a_field() {
    let schema = said(&log(Path::new("/nowhere"), &["schema"]));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut fields: Vec<String> = Vec::new();
    let mut places = vec![&schema];
    while let Some(place) = places.pop() {
        match place {
            Value::Object(map) => {
                if let Some(Value::Object(properties)) = map.get("properties") {
                    fields.extend(properties.keys().cloned());
                }
                places.extend(map.values());
            }
            Value::Array(list) => places.extend(list),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(fields.len() > 40 && fields.contains(&"gracefully".to_owned()), "the look is blind: {fields:?}");
    let told = |field: &&String| {
        ["title", "window", "url", "patient", "address"].iter().any(|word| field.contains(word))
    };
    assert_eq!(fields.iter().find(told), None);
}

// ---------------------------------------------------------------------------------------------
// Controls
// ---------------------------------------------------------------------------------------------

#[test]
fn controls_are_told_with_what_was_planted() {
    let ground = ground();
    let told = said(&log(&ground.month.dir, &["controls", "--key", &ground.key, "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["verdict"], "whole");
    let controls = told["controls"].as_array().unwrap();
    let control = |id: &str| controls.iter().find(|control| control["id"] == id).expect(id);
    for id in [
        "AC-7",
        "AC-10",
        "AC-11",
        "AC-11(1)",
        "AC-12",
        "SC-23(1)",
        "IA-11",
        "SC-4",
        "SC-24",
        "AU-8",
        "AU-9(3)",
        "AU-10",
        "AU-11",
        "AU-12",
        "PR.AA-01",
        "PR.AA-03",
        "PR.AA-05",
        "PR.DS-01",
        "2.1 (3)",
        "164.312(a)(2)(i)",
        "164.312(a)(2)(ii)",
        "164.312(a)(2)(iii)",
        "164.312(b)",
        "164.312(c)(1)",
        "164.312(d)",
        "NHI1:2025",
        "NHI2:2025",
        "NHI4:2025",
        "NHI7:2025",
        "NHI8:2025",
        "NHI9:2025",
        "NHI10:2025",
    ] {
        let control = control(id);
        assert!(!control["counts"].as_array().unwrap().is_empty(), "{id} counts nothing");
        assert!(control["not_shown"].as_str().unwrap().len() > 20, "{id} claims everything");
    }
    assert_eq!(told["none"].as_array().unwrap().len(), 3);
    let odd = |id: &str, what: &str| -> Vec<u64> {
        let exceptions = control(id)["exceptions"].as_array().unwrap();
        let of = exceptions.iter().find(|odd| odd["what"].as_str().unwrap().contains(what));
        let entries = of.map_or(&Value::Null, |odd| &odd["entries"]).as_array();
        entries.into_iter().flatten().map(|entry| entry.as_u64().unwrap()).collect()
    };
    let planted = &ground.month.odd;
    assert_eq!(odd("AC-7", "badge was disabled"), planted.let_in_disabled);
    assert_eq!(odd("AC-10", "while another was open"), planted.unproved[1..]);
    assert_eq!(odd("AC-11", "longer than a second"), planted.covered_late);
    assert_eq!(odd("AC-12", "no end"), planted.without_end);
    for id in ["AC-12", "SC-23(1)", "NHI7:2025"] {
        assert_eq!(odd(id, "has not ended yet"), planted.unsettled, "{id}");
        assert_eq!(odd(id, "could not be ended"), planted.failed, "{id}");
    }
    assert_eq!(odd("IA-11", "break-glass"), planted.break_glass);
    assert_eq!(odd("SC-4", "found something"), planted.not_clean);
    assert_eq!(odd("SC-4", "no clean handoff stands before"), planted.unproved);
    assert_eq!(odd("SC-4", "drill"), planted.drill);
    assert_eq!(odd("SC-24", "not proved clean"), planted.break_glass[1..]);
    assert_eq!(odd("AU-8", "backwards"), planted.clock_back);
    assert_eq!(odd("AU-12", "could not be written"), planted.discontinuity);
    assert_eq!(odd("164.312(a)(2)(ii)", "no reason"), planted.break_glass[1..]);
    assert_eq!(odd("NHI2:2025", "secrets"), planted.secrets);
    for id in ["AU-9(3)", "AU-11", "PR.DS-01", "164.312(c)(1)"] {
        assert_eq!(control(id)["exceptions"].as_array().unwrap().len(), 0, "{id}");
    }
    let counted = |id: &str, what: &str| {
        let counts = control(id)["counts"].as_array().unwrap();
        counts.iter().find(|count| count["what"].as_str().unwrap().contains(what)).expect(what)["count"]
            .clone()
    };
    for id in ["AU-9(3)", "AU-11", "PR.DS-01", "164.312(c)(1)"] {
        assert_eq!(counted(id, "said to be kept elsewhere"), 1, "{id}");
        assert_eq!(counted(id, "largest of them covers"), ground.month.anchored, "{id}");
    }
    // Of the first day, the entries that name the key and the policy in force keep their text.
    assert_eq!(counted("AU-11", "whose text was pruned"), ground.month.anchored - 2);
    assert_eq!(counted("AU-11", "that they lie below"), ground.month.anchored);
    // The counts are those of the receipts; of many entries the first are named.
    let receipts = ground.receipts("controls.jsonl", &[]);
    let barred = receipts.iter().filter(|receipt| receipt["kind"] == "quarantine");
    let barred: Vec<_> = barred.map(|receipt| receipt["index"].as_u64().unwrap()).collect();
    assert!(barred.len() > 20);
    assert_eq!(odd("SC-4", "was barred"), barred[..20]);
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for receipt in &receipts {
        *kinds.entry(receipt["kind"].as_str().unwrap()).or_default() += 1;
    }
    for (kind, many) in kinds {
        let counts = control("AU-12")["counts"].as_array().unwrap();
        let counted = counts.iter().find(|count| count["what"] == format!("entries: {kind}"));
        assert_eq!(counted.unwrap()["count"], many, "{kind}");
    }
}

#[test]
fn controls_of_a_time_know_what_was_before_it_and_name_a_broken_ledger() {
    let ground = ground();
    let day = ["controls", "--from", "2020-03-20", "--to", "2020-03-20"];
    let text = said(&log(&ground.month.dir, &day));
    assert!(text.contains("AC-12  Session Termination") && text.contains("not shown"), "{text}");
    assert!(!text.contains("EXCEPTION   a session opened"), "{text}");
    assert!(text.contains("No evidence here for") && text.contains("NHI3:2025"));
    let copy = tempfile::tempdir().unwrap();
    fs::copy(ground.month.whole.join("station.db"), copy.path().join("station.db")).unwrap();
    let _ = fs::copy(ground.month.whole.join("station.db-wal"), copy.path().join("station.db-wal"));
    let db = rusqlite::Connection::open(copy.path().join("station.db")).unwrap();
    assert_eq!(db.execute("DELETE FROM ledger WHERE number = 40", []).unwrap(), 1);
    drop(db);
    let broken = log(copy.path(), &["controls", "--json"]);
    assert_eq!(broken.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&broken.stdout).unwrap();
    let controls = told["controls"].as_array().unwrap();
    let chain = controls.iter().find(|control| control["id"] == "AU-9(3)").unwrap();
    let named: Vec<_> =
        chain["exceptions"].as_array().unwrap().iter().map(|odd| &odd["entries"][0]).collect();
    assert_eq!(named, [40, 41], "the missing one by the audit, the next by the chain");
}
