//! The handoff log on the station's own screen: who may read it, and that what she does with it is on
//! record.

use std::fs;
use std::time::Duration;

use cleanshift::ctl::demo::shift::own_pin;
use cleanshift::ctl::demo::stage::{Stage, wait_for};

use super::ground::*;

/// The bar's button for the log.
const LOG: (i16, i16) = (804, 32);
/// The buttons beneath an entry that is open.
const ATTEST: (i16, i16) = (560, 700);
const WRITE: (i16, i16) = (832, 700);
const ESCAPE: u32 = 0xff1b;

/// A stage on which Ana has worked, and whose times are short.
fn worked() -> (Stage, Vec<(String, String)>) {
    let (mut stage, issued) = stage("");
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    let times = "[times]\npatience = \"10 s\"\nlog_idle = \"10 s\"";
    stage.write("policy.toml", &policy.replace("[times]", times)).unwrap();
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    (stage, issued)
}

fn pause() {
    std::thread::sleep(Duration::from_millis(700));
}

#[test]
fn a_supervisor_finds_an_entry_and_signs_what_she_says_of_it() {
    let (stage, issued) = worked();
    let handoff = newest(&stage, "handoff");
    stage.tap("sofia").unwrap();
    stage.first_pin("sofia", &issued).unwrap();
    let mark = stage.mark();
    pause();
    stage.screen.touch(LOG.0, LOG.1).unwrap();
    stage.wait_state(mark, "attended, log").unwrap();
    assert_eq!(newest(&stage, "viewed")["operator"]["key"], "sofia");
    // Found by what is typed, opened by Enter: what she writes is about that very entry.
    pause();
    stage.screen.type_text("ana badge-out").unwrap();
    pause();
    stage.screen.type_text("\n").unwrap();
    pause();
    stage.screen.touch(WRITE.0, WRITE.1).unwrap();
    pause();
    stage.screen.type_text("talked it over 7\n").unwrap();
    assert!(wait_for(|| newest(&stage, "annotated")["note"] == "talked it over 7"), "no note was written");
    let note = newest(&stage, "annotated");
    assert_eq!(note["operator"]["key"], "sofia");
    assert_eq!(note["about"]["entry"], handoff["index"], "{note}");
    pause();
    stage.screen.touch(ATTEST.0, ATTEST.1).unwrap();
    assert!(wait_for(|| newest(&stage, "attested")["about"]["entry"] == handoff["index"]));
    // It closes by itself.
    stage.wait_state(mark, "attended, 0 windows").unwrap();
    verified(&stage);
}

#[test]
fn the_log_opens_for_its_supervisor_s_pin_alone() {
    let (stage, issued) = worked();
    // Where a supervisor's button is, Ana has none.
    stage.tap("ana").unwrap();
    stage.pin("ana").unwrap();
    let mark = stage.mark();
    pause();
    stage.screen.touch(LOG.0, LOG.1).unwrap();
    pause();
    assert!(!stage.was(mark, "attended, log"));
    assert!(newest(&stage, "viewed").is_null());
    // A supervisor's badge is a takeover like any other.
    let mark = stage.mark();
    stage.lay_on(1, "sofia").unwrap();
    stage.wait_state(mark, "challenge, PIN").unwrap();
    stage.first_pin("sofia", &issued).unwrap();
    assert!(last_handoff(&stage).contains("takeover"), "{}", last_handoff(&stage));
    // Some time later the log asks for her PIN, and a wrong one is none.
    std::thread::sleep(Duration::from_secs(11));
    let mark = stage.mark();
    stage.screen.touch(LOG.0, LOG.1).unwrap();
    stage.wait_state(mark, "attended, log, PIN").unwrap();
    pause();
    stage.screen.type_text("999999\n").unwrap();
    assert!(wait_for(|| newest(&stage, "denied")["operator"]["key"] == "sofia"), "a wrong PIN is on record");
    assert!(newest(&stage, "viewed").is_null(), "a wrong PIN opened the log");
    pause();
    stage.screen.type_text(&format!("{}\n", own_pin("sofia"))).unwrap();
    assert!(wait_for(|| newest(&stage, "viewed")["operator"]["key"] == "sofia"));
    pause();
    let mark = stage.mark();
    stage.screen.key(ESCAPE).unwrap();
    stage.wait_state(mark, "attended, 0 windows").unwrap();
    // Badge-out ends it all.
    let mark = stage.mark();
    stage.emulator.remove(1);
    stage.wait_state(mark, "vacant, ready").unwrap();
    verified(&stage);
}
