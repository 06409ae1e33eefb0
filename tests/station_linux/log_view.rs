//! The handoff log on the station's own screen: who may read it, and that what she does with it is on
//! record.

use std::fs;
use std::time::Duration;

use cleanshift::ctl::demo::shift::own_pin;
use cleanshift::ctl::demo::stage::{Stage, wait_for};

use super::ground::*;

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

/// The button of the controls, where there is no medium.
const CONTROLS: (i16, i16) = (730, 112);
const TAB: u32 = 0xff09;

#[test]
fn a_supervisor_sees_the_controls_and_opens_the_exception_that_the_command_names() {
    let (stage, issued) = worked();
    // A badge that is on no roster is an exception to two of them at least.
    stage.lay_on(1, "a bus card").unwrap();
    assert!(wait_for(|| !newest(&stage, "badge-unknown").is_null()));
    stage.emulator.remove(1);
    stage.tap("sofia").unwrap();
    stage.first_pin("sofia", &issued).unwrap();
    let mark = stage.mark();
    pause();
    stage.screen.touch(LOG.0, LOG.1).unwrap();
    stage.wait_state(mark, "attended, log").unwrap();
    pause();
    assert!(!stage.was(mark, "attended, log, controls"), "nobody has asked for them yet");
    stage.screen.touch(CONTROLS.0, CONTROLS.1).unwrap();
    stage.wait_state(mark, "attended, log, controls").unwrap();
    let output = stage.ctl(&["log", "controls", "--json"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let exceptions =
        told["controls"].as_array().unwrap().iter().flat_map(|one| one["exceptions"].as_array().unwrap());
    let entries: Vec<u64> = exceptions
        .flat_map(|odd| odd["entries"].as_array().unwrap())
        .filter_map(serde_json::Value::as_u64)
        .collect();
    assert!(entries.contains(&newest(&stage, "badge-unknown")["index"].as_u64().unwrap()), "{told}");
    // The page's own buttons come first: the controls', the drill's and the way out, a day back, the days. Then each
    // exception that the command names, in its order.
    for (place, number) in entries.iter().enumerate().take(2) {
        pause();
        for _ in 0..if place == 0 { 6 } else { 1 } {
            stage.screen.key(TAB).unwrap();
        }
        pause();
        stage.screen.type_text("\n").unwrap();
        pause();
        stage.screen.touch(WRITE.0, WRITE.1).unwrap();
        pause();
        let text = format!("seen as exception {place}");
        stage.screen.type_text(&format!("{text}\n")).unwrap();
        assert!(wait_for(|| newest(&stage, "annotated")["note"] == text), "no note was written");
        assert_eq!(newest(&stage, "annotated")["about"]["entry"], *number, "{entries:?}");
        pause();
        // Back from the entry to the page, with the focus where it was.
        stage.screen.key(ESCAPE).unwrap();
    }
    assert!(entries.len() > 1, "{entries:?}");
    // Back to the list, and out of the log.
    let mark = stage.mark();
    pause();
    stage.screen.key(ESCAPE).unwrap();
    stage.wait_state(mark, "attended, log").unwrap();
    pause();
    stage.screen.key(ESCAPE).unwrap();
    stage.wait_state(mark, "attended, 0 windows").unwrap();
    verified(&stage);
}

/// The button that takes a copy, and the first medium that it offers.
const EXPORT: (i16, i16) = (739, 112);
const MEDIUM: (i16, i16) = (200, 276);

/// A medium that is mounted as long as the test runs.
struct Medium(std::path::PathBuf);

impl Medium {
    fn mount(stage: &Stage) -> Self {
        let place = stage.dir.join("media/stick");
        stage.account.make_dir(&stage.dir.join("media")).unwrap();
        stage.account.make_dir(&place).unwrap();
        let owner = format!("uid={},mode=700,size=4m", stage.account.uid());
        let mut mount = std::process::Command::new("mount");
        assert!(mount.args(["-t", "tmpfs", "-o", &owner, "stick"]).arg(&place).status().unwrap().success());
        Self(place)
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_copy_goes_where_the_policy_allows_and_nowhere_else() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: to mount a medium needs root");
        return;
    }
    for allowed in [false, true] {
        let (mut stage, issued) = stage("");
        let medium = Medium::mount(&stage);
        if allowed {
            add(&stage, &format!("[log]\nexport_to = [{:?}]\n", stage.dir.join("media")));
        }
        up(&mut stage);
        stage.tap("sofia").unwrap();
        stage.first_pin("sofia", &issued).unwrap();
        let mark = stage.mark();
        pause();
        stage.screen.touch(LOG.0, LOG.1).unwrap();
        stage.wait_state(mark, "attended, log").unwrap();
        pause();
        stage.screen.touch(EXPORT.0, EXPORT.1).unwrap();
        pause();
        stage.screen.touch(MEDIUM.0, MEDIUM.1).unwrap();
        let files = || -> Vec<String> {
            let entries = fs::read_dir(&medium.0).unwrap().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        let written =
            wait_for(|| files().iter().any(|name| name.ends_with(".jsonl") && !name.starts_with('.')));
        assert_eq!(written, allowed, "{:?}", files());
        assert_eq!(newest(&stage, "exported").is_null(), !allowed);
        if allowed {
            let name = files().into_iter().find(|name| name.ends_with(".jsonl")).unwrap();
            let text = fs::read_to_string(medium.0.join(&name)).unwrap();
            let lines: Vec<serde_json::Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let known = log(&stage);
            assert!(lines.len() > 4);
            for line in &lines {
                let index = usize::try_from(line["index"].as_u64().unwrap()).unwrap();
                assert_eq!(line["receipt"], known[index]["receipt"], "the copy is what the log has");
            }
            assert!(files().contains(&format!("{name}.checkpoint")), "{:?}", files());
            assert!(newest(&stage, "exported")["note"].as_str().unwrap().contains("entries to "));
        }
        verified(&stage);
    }
}
