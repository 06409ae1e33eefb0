//! The drill as IT runs it: on a real station of its own it accounts for all 28 classes, sees what it
//! has planted, leaves nothing, and enters what it came to in a ledger.

#![expect(
    clippy::disallowed_methods,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

use std::process::Command;

use serde_json::Value;

#[test]
fn a_drill_sees_everything_leaves_nothing_and_is_entered() {
    let state = tempfile::tempdir().unwrap();
    let ctl = env!("CARGO_BIN_EXE_cleanshiftctl");
    let run = |arguments: &[&str]| {
        Command::new(ctl).arg("--state").arg(state.path()).args(arguments).output().unwrap()
    };
    let output = run(&["drill", "--json", "--compare"]);
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!((told["verdict"].as_str(), output.status.code()), (Some("clean"), Some(0)), "{told:#}");
    let classes = told["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 28);
    for row in classes {
        // Each class by its kind; settings and what is not here are never called absent.
        let answer = row["answer"].as_str().unwrap();
        let planted = |side: &str| !row[side].as_array().unwrap().is_empty();
        assert!(["absent", "not-applicable", "setting"].contains(&answer), "{row}");
        assert!(
            planted("contained") || planted("escaped") || !row["why_not"].as_str().unwrap().is_empty(),
            "{row}"
        );
        assert!([22, 23].contains(&row["class"].as_u64().unwrap()) == (answer == "setting"), "{row}");
        assert!(row["left"].as_array().unwrap().is_empty(), "{row}");
    }
    // What needs nothing but Linux was planted on both sides, and seen on both.
    for class in [1, 5, 7, 9, 11, 12, 13, 14, 15, 16, 19, 26, 27] {
        let row = &classes[class - 1];
        assert_eq!(
            (row["seen_inside"].as_str(), row["seen_outside"].as_str()),
            (Some("yes"), Some("yes")),
            "{row}"
        );
    }
    // The ordinary ways leave something: daemons outlive their group, and files a home.
    let left = |way: &str| -> u64 {
        told["compared"].as_array().unwrap().iter().filter_map(|row| row[way].as_u64()).sum()
    };
    assert!(left("group") > left("guest") && left("guest") > 0, "{:#}", told["compared"]);

    let log = run(&["log", "list", "--json", "--all"]);
    let text = String::from_utf8(log.stdout).unwrap();
    assert!(text.contains("\"drill\"") && text.contains("clean: planted in"), "{text}");
    assert!(run(&["log", "verify"]).status.success());
}

#[test]
fn a_drill_that_cannot_run_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"))
        .args(["--policy", "/nonexistent/policy.toml", "drill"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("could not run") && said.contains("/nonexistent/policy.toml"), "{said}");
}
