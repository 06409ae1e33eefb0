//! The samples load; wrong files are told what is wrong, where, and what to do.
//!
//! `tests/policies/NAME.toml` must give exactly `tests/policies/NAME.problem`. A missing text fails.
//! Write them anew with `CLEANSHIFT_WRITE_SNAPSHOTS=1 cargo test --test policies`, and read them.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "what fails in a test ends the test")]

use std::fs;
use std::path::{Path, PathBuf};

use cleanshift::policy::{Policy, schema};

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
