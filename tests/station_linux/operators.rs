//! Badges, PINs and what the policy says of them, by people of every kind.

use std::fs;
use std::time::Duration;

use cleanshift::ctl::demo::shift::own_pin;
use cleanshift::ctl::demo::stage::{Stage, wait_for};
use cleanshift::platform::linux::clock::HostClock;
use cleanshift::ports::{Clock as _, RosterRows as _};
use cleanshift::store::Store;
use serde_json::Value;

use super::ground::*;

/// Where the button that enables the first badge is, on a launcher without apps.
const ENABLE: (i16, i16) = (735, 303);

#[test]
fn a_dead_card_service_ends_the_session() {
    let (mut stage, issued) = stage("");
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let mark = stage.mark();
    stage.kill_pcscd().unwrap();
    stage.wait_state(mark, "vacant").unwrap();
    assert!(last_handoff(&stage).contains("reader-lost"), "{}", last_handoff(&stage));
    stage.emulator.remove(0);
    stage.start_pcscd().unwrap();
    let mark = stage.mark();
    assert!(wait_for(|| stage.lay("ana").is_ok()));
    stage.wait_state(mark, "challenge, PIN").unwrap();
    stage.pin("ana").unwrap();
}

#[test]
fn a_badge_pulled_in_any_phase_opens_nothing() {
    let (mut stage, issued) = stage("");
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    // While the PIN is awaited.
    let mark = stage.mark();
    stage.tap("ana").unwrap();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    // In the moment in which it is typed: whatever wins, the station ends vacant, and every opening in
    // the ledger has its end.
    for _ in 0..5 {
        stage.tap("ana").unwrap();
        let mark = stage.mark();
        stage.screen.type_text(&format!("{}\n", own_pin("ana"))).unwrap();
        stage.emulator.remove(0);
        stage.wait_state(mark, "vacant, ready").unwrap();
    }
    let entries = log(&stage);
    let count = |what: &str| entries.iter().filter(|entry| entry.to_string().contains(what)).count();
    let ended = entries.iter().filter(|entry| entry.to_string().contains("Ana Ruiz"));
    let ended = ended.filter(|entry| entry.to_string().contains("\"kind\":\"handoff\"")).count();
    assert_eq!(count("\"kind\":\"opened\""), ended, "an opening without an end");
    // An unknown badge ends nothing.
    stage.tap("ana").unwrap();
    stage.pin("ana").unwrap();
    stage.lay_on(1, "a bus card").unwrap();
    assert!(wait_for(|| log(&stage).iter().any(|entry| entry.to_string().contains("badge-unknown"))));
    let before = log(&stage).len();
    stage.emulator.remove(1);
    std::thread::sleep(Duration::from_millis(900));
    assert_eq!(log(&stage).len(), before, "a bus card's going is nothing");
    verified(&stage);
}

#[test]
fn wrong_pins_disable_the_badge_until_somebody_enables_it() {
    let (mut stage, issued) = stage("");
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    stage.write("policy.toml", &format!("{policy}[pin]\ndisable_after = 3\n")).unwrap();
    up(&mut stage);
    stage.tap("ana").unwrap();
    for _ in 0..3 {
        let mark = stage.mark();
        stage.screen.type_text("999999\n").unwrap();
        stage.wait_state(mark, "challenge, PIN is checked").unwrap();
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(wait_for(|| log(&stage).iter().any(|entry| entry.to_string().contains("\"disabled\""))));
    stage.emulator.remove(0);
    let list = || String::from_utf8(stage.ctl(&["roster", "list"]).output().unwrap().stdout).unwrap();
    assert!(list().lines().any(|line| line.starts_with("ana") && line.contains("disabled")), "{}", list());
    // IT issues a new one-time PIN, which lets the badge work again.
    let output = stage.ctl(&["roster", "reset-pin", "ana", "--json"]).output().unwrap();
    let fresh: Value = serde_json::from_slice(&output.stdout).unwrap();
    let pin = fresh[0]["one_time_pin"].as_str().unwrap().to_owned();
    assert_ne!(Some(&pin), issued.iter().find(|row| row.0 == "ana").map(|row| &row.1));
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &[("ana".to_owned(), pin)]).unwrap();
    verified(&stage);
}

/// Ana types three wrong PINs, which the policy has disable her badge.
fn disable_ana(stage: &Stage) {
    stage.tap("ana").unwrap();
    for _ in 0..3 {
        let mark = stage.mark();
        stage.screen.type_text("999999\n").unwrap();
        stage.wait_state(mark, "challenge, PIN is checked").unwrap();
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(wait_for(|| log(stage).iter().any(|entry| entry.to_string().contains("\"disabled\""))));
    stage.emulator.remove(0);
}

#[test]
fn a_supervisor_enables_a_badge_on_the_screen() {
    let (mut stage, issued) = stage("");
    add(&stage, "[pin]\ndisable_after = 3\n");
    up(&mut stage);
    disable_ana(&stage);
    stage.tap("sofia").unwrap();
    stage.first_pin("sofia", &issued).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    stage.screen.touch(ENABLE.0, ENABLE.1).unwrap();
    let enabled = |entry: &Value| {
        let text = entry.to_string();
        text.contains("enable ana") && text.contains("\"sofia\"")
    };
    assert!(wait_for(|| log(&stage).iter().any(enabled)), "no entry says who enabled whom");
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    verified(&stage);
}

#[test]
fn supervisors_may_do_what_the_policy_says_and_no_more() {
    let (mut stage, issued) = stage("");
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    let rights = "[supervisors]\nread_log = false\nrelease = false\nenable_badge = false";
    stage.write("policy.toml", &policy.replace("[supervisors]", rights)).unwrap();
    add(&stage, "[pin]\ndisable_after = 3\n[quarantine]\nretries = 0\n");
    up(&mut stage);
    disable_ana(&stage);
    stage.tap("sofia").unwrap();
    stage.first_pin("sofia", &issued).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // Where the log's button and the badge's would be there is nothing that does anything.
    let before = log(&stage).len();
    let mark = stage.mark();
    stage.screen.touch(ENABLE.0, ENABLE.1).unwrap();
    stage.screen.touch(LOG.0, LOG.1).unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!stage.was(mark, "attended, log"));
    assert_eq!(log(&stage).len(), before, "{:?}", log(&stage).last());
    // A barred station is not hers to release either: her badge is not asked for a PIN.
    let trace = std::env::temp_dir().join(format!("{MARKER}-{}", stage.dir.file_name().unwrap().display()));
    assert!(stage.command("touch").arg(&trace).status().unwrap().success());
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "quarantine").unwrap();
    stage.lay("sofia").unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    stage.screen.type_text(&format!("{}\n", own_pin("sofia"))).unwrap();
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!log(&stage).iter().any(|entry| entry["receipt"]["kind"] == "released"));
    fs::remove_file(trace).unwrap();
    verified(&stage);
}

#[test]
fn a_second_tap_ends_a_session_where_badges_are_tapped() {
    let (mut stage, issued) = stage("");
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    stage.write("policy.toml", &policy.replace("\"hold\"", "\"tap\"")).unwrap();
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.emulator.remove(0);
    stage.first_pin("ana", &issued).unwrap();
    // The badge is gone, and she works.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(last_handoff(&stage).contains("fresh-start"), "{}", last_handoff(&stage));
    let mark = stage.mark();
    stage.lay("ana").unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(last_handoff(&stage).contains("tap-out"), "{}", last_handoff(&stage));
    // The badge that ended the session, still lying there, begins no other.
    std::thread::sleep(Duration::from_millis(1200));
    assert!(stage.wait_state(mark, "vacant").is_ok());
    stage.emulator.remove(0);
    stage.tap("ana").unwrap();
    stage.pin("ana").unwrap();
    verified(&stage);
}

#[test]
fn access_that_ends_ends_the_session_that_runs() {
    let (mut stage, issued) = stage("");
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    // A contractor whose time is over soon: the command line knows days alone. Her session learns of it when it
    // begins, for which a busy machine may need longer than she has: then she is given more.
    let clock = HostClock::begin();
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    let began = [10, 20, 40].into_iter().any(|seconds| {
        let store = Store::open_beside(&stage.dir.join("state"), "Station 1").unwrap();
        let mut ana = store.all().unwrap().into_iter().find(|row| row.key == "ana").unwrap();
        let now = clock.stamp();
        ana.valid_until_utc_ms = Some(now.utc_ms + seconds * 1000);
        store.change(&[ana], &[], "it", "shorten ana", &now).unwrap();
        drop(store);
        for entry in fs::read_dir(stage.dir.join("state")).unwrap().flatten() {
            stage.account.give(&entry.path()).unwrap();
        }
        let began = stage.tap("ana").and_then(|()| stage.pin("ana")).is_ok();
        if !began {
            stage.emulator.remove(0);
            std::thread::sleep(Duration::from_secs(5));
        }
        began
    });
    assert!(began, "no time was long enough to begin a session in");
    let mark = stage.mark();
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(last_handoff(&stage).contains("expired"), "{}", last_handoff(&stage));
    stage.emulator.remove(0);
    // And it begins none.
    let mark = stage.mark();
    stage.lay("ana").unwrap();
    let over = |entry: &Value| {
        entry["receipt"]["kind"] == "denied" && entry.to_string().contains("the time on the roster is over")
    };
    assert!(wait_for(|| log(&stage).iter().any(over)), "{:?}", log(&stage).last());
    assert!(!stage.was(mark, "challenge"));
    verified(&stage);
}

#[test]
fn an_idle_station_warns_and_ends_the_session() {
    let (mut stage, issued) = stage("");
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    let times = "[times]\nidle = \"30 s\"\nwarning = \"20 s\"";
    stage.write("policy.toml", &policy.replace("[times]", times)).unwrap();
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let mark = stage.mark();
    stage.wait_state(mark, "attended, warning").unwrap();
    // A touch is work.
    stage.screen.touch(400, 600).unwrap();
    stage.wait_state(mark, "attended, 0 windows").unwrap();
    let mark = stage.mark();
    stage.wait_state(mark, "attended, warning").unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(last_handoff(&stage).contains("\"idle\""), "{}", last_handoff(&stage));
    verified(&stage);
}

#[test]
fn an_app_that_cannot_start_says_why() {
    let (mut stage, issued) = stage("");
    let command = "echo the chart server is not reachable >&2; exit 3";
    add(&stage, &app(&stage, "Chart", "sh", &["-c".to_owned(), command.to_owned()]));
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let red = [0xfd, 0xe4, 0xe5];
    std::thread::sleep(Duration::from_millis(400));
    let before = stage.screen.look().unwrap();
    touch_tile(&stage, 0);
    assert!(wait_for(|| stage.screen.look().unwrap().rgb != before.rgb));
    std::thread::sleep(Duration::from_millis(800));
    assert!(stage.screen.look().unwrap().has_like(red, 3), "nothing says that the app failed");
}
