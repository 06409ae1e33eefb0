//! Break-glass on the real parts: it opens a station that nothing else opens, is recorded whatever
//! happens, and is slowed down but never disabled.

use std::fs;
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};

use super::ground::*;

fn kinds(stage: &Stage) -> Vec<String> {
    log(stage).iter().map(|entry| entry["receipt"]["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_code_opens_a_station_whose_reader_is_dead() {
    let (mut stage, _) = stage("");
    let code = code(&stage);
    up(&mut stage);
    let mark = stage.mark();
    stage.kill_pcscd().unwrap();
    // The shell has no word for this state; the card service's end is all that there is to wait for.
    std::thread::sleep(Duration::from_millis(800));
    ask(&stage, EMERGENCY);
    stage.wait_state(mark, "challenge, PIN").unwrap();
    // A wrong code is recorded, and another can be tried.
    let wrong = if code == "1111111111" { "2222222222" } else { "1111111111" };
    stage.screen.type_text(wrong).unwrap();
    let denied = || newest(&stage, "denied").to_string().contains("wrong break-glass code");
    assert!(wait_for(denied), "{:?}", kinds(&stage));
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.type_text(&code).unwrap();
    stage.wait_state(mark, "attended").unwrap();
    let opened = newest(&stage, "break-glass");
    assert_eq!(opened["note"], "Patient emergency");
    assert_eq!(opened["operator"]["role"], "Ward 4 envelope");
    assert!(opened["handoff"].is_null(), "a clean station has nothing unproved: {opened}");
    // It ends in a full handoff.
    let mark = stage.mark();
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.touch(END.0, END.1).unwrap();
    stage.wait_state(mark, "vacant").unwrap();
    let handoff = newest(&stage, "handoff");
    assert_eq!(handoff["operator"]["key"], "break-glass");
    assert!(handoff["handoff"]["assurance"].as_str().unwrap().contains("no person identified"));
    verified(&stage);
}

#[test]
fn a_code_opens_a_quarantined_station_and_tells_what_was_not_proved() {
    let (mut stage, issued) = stage("");
    let code = code(&stage);
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let trace = std::env::temp_dir().join(format!("{MARKER}-{}", stage.dir.file_name().unwrap().display()));
    assert!(stage.command("touch").arg(&trace).status().unwrap().success());
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "quarantine").unwrap();
    // The entry of the quarantine says whose handoff it was, why it began and what each gate saw. The station
    // is barred at once, and its entry is written after.
    assert!(
        wait_for(|| !newest(&stage, "quarantine").is_null()),
        "no entry of the quarantine: {:?}",
        kinds(&stage)
    );
    let barred = newest(&stage, "quarantine");
    assert_eq!(barred["operator"]["key"], "ana", "{barred}");
    assert_eq!(barred["handoff"]["trigger"], "badge-out");
    let saw = barred["handoff"]["after"].as_array().unwrap();
    assert!(saw.len() > 28 && saw.iter().any(|gate| gate["answer"] == "present"), "{barred}");
    assert!(!barred["handoff"]["inside"].as_array().unwrap().is_empty(), "{barred}");
    // The button may be a moment later than the screen: whether there is a code is asked of the disk.
    ask(&stage, BARRED);
    stage.screen.type_text(&code).unwrap();
    stage.wait_state(mark, "attended").unwrap();
    let opened = newest(&stage, "break-glass");
    let unproved = opened["handoff"]["after"].as_array().unwrap();
    let present: Vec<_> = unproved.iter().filter(|gate| gate["answer"] == "present").collect();
    assert!(!present.is_empty(), "{opened}");
    assert_eq!(opened["handoff"]["trigger"], "badge-out");
    // What bars the station bars it again, until it is gone.
    let mark = stage.mark();
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.touch(END.0, END.1).unwrap();
    stage.wait_state(mark, "quarantine").unwrap();
    let mark = stage.mark();
    fs::remove_file(trace).unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    verified(&stage);
}
