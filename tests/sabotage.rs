//! A gate that does not look, or a step of the clean-up that is left out, does not go unnoticed: every
//! one is switched off by itself, and the drill's controls or the drill must report it.
#![cfg(feature = "sabotage")]
#![expect(
    clippy::disallowed_methods,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

use std::process::Command;

use cleanshift::ctl::demo::stage::Stage;
use cleanshift::ctl::drill::control;
use cleanshift::platform::linux::gates::Lookout;
use cleanshift::platform::linux::sabotage::STEPS;
use serde_json::Value;

const CHOICE: &str = "CLEANSHIFT_SABOTAGE";

#[test]
fn a_gate_that_does_not_look_is_reported() {
    // One test for all gates, because the choice is this process' own.
    let stage = Stage::set((640, 480)).unwrap();
    let controlled = |choice: &str| {
        // What one run has left is not what the next one plants.
        let seed = cleanshift::platform::linux::capsule::random_hex(16).unwrap();
        let control = control::run_with(&stage, &seed, None, &[(CHOICE, choice)]).unwrap();
        control.failures.into_iter().map(|failure| failure.gate).collect::<Vec<_>>()
    };
    assert_eq!(controlled("gate none"), Vec::<String>::new(), "the controls fail without a sabotage");
    let unnoticed: Vec<_> = Lookout::gates()
        .into_iter()
        .filter(|gate| !controlled(&format!("gate {gate}")).iter().any(|failed| failed == gate))
        .collect();
    assert!(unnoticed.is_empty(), "switched off, and nobody said so: {unnoticed:?}");
    let cleared = controlled("step clear");
    assert!(cleared.iter().any(|gate| gate == "kernel keys"), "{cleared:?}");
}

#[test]
fn a_step_that_is_left_out_is_reported() {
    let mut unnoticed = Vec::new();
    for step in STEPS.iter().filter(|step| **step != "clear") {
        let output = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"))
            .args(["drill", "--json", "--session-alone"])
            .env(CHOICE, format!("step {step}"))
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let verdict = told["verdict"].as_str().unwrap_or("no verdict").to_owned();
        println!("{step}: {verdict}: {}", told["barred"]);
        if output.status.code() != Some(1) {
            unnoticed.push(format!("{step}: {verdict} {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(unnoticed.is_empty(), "left out, and nobody said so: {unnoticed:?}");
}
