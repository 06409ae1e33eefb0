//! Crashes and failures of the real station: killed at every step of a handoff, a full disk, a disk that
//! cannot be written, a clock that jumps, processes that cannot be ended. After each the station is
//! clean and says so, or is barred and says why.
//!
//! It is a test of its own because the shell has to be built with the feature `faults`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unused_results,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

#[path = "station_linux/ground.rs"]
#[expect(dead_code, reason = "shared with the tests of the station")]
mod ground;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use cleanshift::ctl::demo::shift::own_pin;
use cleanshift::ctl::demo::stage::{Stage, wait_for};
use rustix::process::Signal;
use serde_json::Value;

use ground::*;

/// Ten years in milliseconds.
const TEN_YEARS: i64 = 315_576_000_000;

/// Tells the stage's shell where its faults are written.
fn faults(stage: &mut Stage) -> PathBuf {
    let dir = stage.dir.join("faults");
    stage.account.make_dir(&dir).unwrap();
    stage.environment.push(("CLEANSHIFT_FAULTS".to_owned(), dir.display().to_string()));
    dir
}

/// Runs the named test again in a mount namespace of its own, as root, where what it mounts is seen by
/// nobody else and goes with it. True inside.
fn alone(test: &str) -> bool {
    if std::env::var_os("CLEANSHIFT_ALONE").is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: to mount a file system needs root");
        return false;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env("CLEANSHIFT_ALONE", "1");
    assert!(command.status().unwrap().success(), "{test}: see above");
    false
}

/// A stage whose state lies on a small disk of its own.
fn on_a_small_disk() -> (Stage, Vec<(String, String)>) {
    let stage = Stage::set(SIZE).unwrap();
    let options = format!("size=24M,mode=700,uid={}", stage.account.uid());
    mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], &stage);
    furnished(stage, "")
}

fn mount(arguments: &[&str], stage: &Stage) {
    let state = stage.dir.join("state");
    assert!(Command::new("mount").args(arguments).arg(state).status().unwrap().success(), "{arguments:?}");
}

/// Waits a bounded time for the shell's end.
fn ends(stage: &mut Stage) -> bool {
    (0..1500).any(|_| {
        let stands = stage.stands();
        if stands {
            std::thread::sleep(Duration::from_millis(20));
        }
        !stands
    })
}

fn kind(entry: &Value) -> &str {
    entry["receipt"]["kind"].as_str().unwrap_or_default()
}

/// Every opening is followed by its own end before the next, and nothing is open now.
fn every_opening_has_its_end(stage: &Stage) {
    let mut open = 0;
    for entry in log(stage) {
        match kind(&entry) {
            "opened" => {
                assert_eq!(open, 0, "a session was opened before the last had its end: {entry}");
                open = 1;
            }
            "handoff" if entry.to_string().contains("Ana Ruiz") => open = 0,
            _ => {}
        }
    }
    assert_eq!(open, 0, "an opening without an end");
}

/// Ana's session, from the badge to the badge's going, as far as it comes.
fn session(stage: &Stage) {
    let mark = stage.mark();
    if stage.tap("ana").is_err() {
        return;
    }
    drop(stage.screen.type_text(&format!("{}\n", own_pin("ana"))));
    let opened = wait_for(|| said(stage, mark, "attended") || stage.shell_is_gone());
    if opened && !stage.shell_is_gone() {
        touch_tile(stage, 0);
        wait_for(|| painted_pixels(stage) > 100_000 || stage.shell_is_gone());
    }
    stage.emulator.remove(0);
}

#[test]
fn a_shell_killed_at_any_step_comes_back_through_clean_up() {
    let (mut stage, issued) = stage("");
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    stage.write("policy.toml", &policy.replace("close_grace = \"0 s\"", "close_grace = \"1 s\"")).unwrap();
    let dir = faults(&mut stage);
    paint(&mut stage, &issued);
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    // A handoff without a fault: all the steps there are.
    fs::remove_file(dir.join("steps")).unwrap();
    let mark = stage.mark();
    session(&stage);
    stage.wait_state(mark, "clean-up").unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    let mut steps: Vec<String> = Vec::new();
    for step in fs::read_to_string(dir.join("steps")).unwrap().lines() {
        if !steps.iter().any(|known| known == step) {
            steps.push(step.to_owned());
        }
    }
    for known in [
        "after the intent to begin",
        "after the intent to ask the apps",
        "after the intent to destroy",
        "after the intent to look",
        "before the entry opened",
        "before the entry handoff",
        "after the end of the capsule",
        "before the next capsule",
    ] {
        assert!(steps.iter().any(|step| step == known), "{known}: not among {steps:#?}");
    }
    for step in &steps {
        let before = log(&stage).len();
        stage.write("faults/at", step).unwrap();
        session(&stage);
        assert!(ends(&mut stage), "{step}: the shell was not killed there");
        // A bwrap that was being started may stand and wait, with nothing in it: the next start ends it.
        let waiting = |name: &String| name == "bwrap";
        assert!(wait_for(|| contained(&stage).iter().all(waiting)), "{step}: left {:?}", contained(&stage));
        let left = contained_pids(&stage);
        assert_eq!(painted_pixels(&stage), 0, "{step}: the session is on the screen");
        up(&mut stage);
        assert_eq!(painted_pixels(&stage), 0);
        let now = contained_pids(&stage);
        assert!(left.iter().all(|old| !now.contains(old)), "{step}: {left:?} outlived the next start");
        // The first handoff after the start is the station's own clean-up.
        let entries = log(&stage).split_off(before);
        let started = entries.iter().position(|entry| kind(entry) == "started").unwrap();
        let next = entries.iter().skip(started).find(|entry| kind(entry) == "handoff").unwrap().to_string();
        assert!(next.contains("\"recovery\"") || next.contains("\"fresh-start\""), "{step}: {next}");
        every_opening_has_its_end(&stage);
        verified(&stage);
    }
}

#[test]
fn a_full_disk_bars_the_station_and_says_so() {
    if !alone("a_full_disk_bars_the_station_and_says_so") {
        return;
    }
    let (mut stage, issued) = on_a_small_disk();
    paint(&mut stage, &issued);
    let fill = fill(&stage);
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "quarantine").unwrap();
    assert!(said(&stage, mark, "the disk is full"), "it does not say why");
    assert!(!said(&stage, mark, "vacant"));
    assert_eq!(painted_pixels(&stage), 0);
    assert!(!contained(&stage).iter().any(|name| name == "xterm"));
    // With room again it comes back by itself, and the receipt is there.
    fs::remove_file(&fill).unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    every_opening_has_its_end(&stage);
    assert!(last_handoff(&stage).contains("badge-out"), "{}", last_handoff(&stage));
    verified(&stage);
}

/// Fills the state's disk to the last byte.
fn fill(stage: &Stage) -> PathBuf {
    let fill = stage.dir.join("state/fill");
    let mut zeroes = std::io::repeat(0).take(64 << 20);
    let full = std::io::copy(&mut zeroes, &mut fs::File::create(&fill).unwrap()).is_err();
    assert!(full, "the disk is not full");
    fill
}

#[test]
fn break_glass_opens_where_nothing_can_be_written() {
    if !alone("break_glass_opens_where_nothing_can_be_written") {
        return;
    }
    let (mut stage, issued) = on_a_small_disk();
    let code = code(&stage);
    paint(&mut stage, &issued);
    let filled = fill(&stage);
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "quarantine").unwrap();
    // Space was kept for it: the entry is in the ledger, and says what was not finished.
    ask(&stage, BARRED);
    stage.screen.type_text(&code).unwrap();
    stage.wait_state(mark, "attended").unwrap();
    let opened = newest(&stage, "break-glass");
    assert_eq!(opened["handoff"]["trigger"], "badge-out", "{opened}");
    let mark = stage.mark();
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.touch(END.0, END.1).unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    // Where even that space is gone, it opens all the same; its entry is held, and told later.
    fs::File::options()
        .write(true)
        .open(stage.dir.join("state/station.reserve"))
        .unwrap()
        .set_len(0)
        .unwrap();
    let count = log(&stage).len();
    fs::remove_file(filled).unwrap();
    let filled = fill(&stage);
    let mark = stage.mark();
    ask(&stage, EMERGENCY);
    stage.screen.type_text(&code).unwrap();
    stage.wait_state(mark, "attended").unwrap();
    assert_eq!(log(&stage).len(), count, "it was written after all");
    fs::remove_file(filled).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.touch(END.0, END.1).unwrap();
    stage.wait_state(mark, "vacant").unwrap();
    assert!(wait_for(|| !newest(&stage, "discontinuity").is_null()), "what was held was never told");
    let told = newest(&stage, "discontinuity");
    assert_eq!(told["held"][0]["kind"], "break-glass", "{told}");
    assert_eq!(told["held"][0]["note"], "Patient emergency", "{told}");
    verified(&stage);
}

#[test]
fn a_disk_that_cannot_be_written_keeps_the_station_closed() {
    if !alone("a_disk_that_cannot_be_written_keeps_the_station_closed") {
        return;
    }
    let (mut stage, issued) = on_a_small_disk();
    paint(&mut stage, &issued);
    stage.kill_shell().unwrap();
    mount(&["-o", "remount,ro"], &stage);
    let mark = stage.mark();
    stage.start_shell().unwrap();
    assert!(
        wait_for(|| said(&stage, mark, "read-only") || said(&stage, mark, "Read-only")),
        "it does not say why"
    );
    let nothing = stage.screen.look().unwrap().rgb;
    assert!(wait_for(|| stage.screen.look().unwrap().rgb != nothing), "the screen does not say why");
    stage.emulator.remove(0);
    stage.lay("ana").unwrap();
    std::thread::sleep(Duration::from_millis(1000));
    assert!(!said(&stage, mark, "station: vacant") && !said(&stage, mark, "station: challenge"));
    stage.kill_shell().unwrap();
    stage.emulator.remove(0);
    mount(&["-o", "remount,rw"], &stage);
    up(&mut stage);
    let handoff = last_handoff(&stage);
    assert!(handoff.contains("\"recovery\"") && handoff.contains("Ana Ruiz"), "{handoff}");
    verified(&stage);
}

#[test]
fn a_clock_that_jumps_ends_nothing_and_keeps_nobody_out() {
    let (mut stage, issued) = stage("");
    let dir = faults(&mut stage);
    paint(&mut stage, &issued);
    for (round, off) in [TEN_YEARS, -TEN_YEARS, 0].into_iter().enumerate() {
        // While she works.
        let mark = stage.mark();
        stage.write("faults/clock", &off.to_string()).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!said(&stage, mark, "clean-up"), "a clock that jumps has ended a session");
        assert!(painted_pixels(&stage) > 100_000);
        stage.emulator.remove(0);
        stage.wait_state(mark, "vacant, ready").unwrap();
        assert!(last_handoff(&stage).contains("badge-out"), "{}", last_handoff(&stage));
        let year = last_handoff(&stage);
        let years = ["2036", "2016", "2026"];
        assert!(
            round == 2 || year.contains(&format!("\"utc\":\"{}", years[round])),
            "the clock did not jump: {year}"
        );
        verified(&stage);
        stage.tap("ana").unwrap();
        stage.pin("ana").unwrap();
        touch_tile(&stage, 0);
        assert!(wait_for(|| painted_pixels(&stage) > 100_000));
    }
    // And across a crash.
    stage.write("faults/clock", &(-TEN_YEARS).to_string()).unwrap();
    stage.kill_shell().unwrap();
    stage.emulator.remove(0);
    up(&mut stage);
    assert!(last_handoff(&stage).contains("\"recovery\""), "{}", last_handoff(&stage));
    every_opening_has_its_end(&stage);
    verified(&stage);
    assert!(dir.exists());
}

#[test]
fn a_stopped_init_is_destroyed() {
    let (mut stage, issued) = stage("");
    paint(&mut stage, &issued);
    let inits: Vec<u32> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
            status.starts_with("Name:\tcleanshift-init")
                && status.contains(&format!("Uid:\t{}\t", stage.account.uid()))
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    assert!(!inits.is_empty());
    inits.iter().for_each(|pid| signal(*pid, Signal::STOP));
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(!contained(&stage).iter().any(|name| name == "xterm"));
    assert!(
        inits.iter().all(|pid| fs::metadata(format!("/proc/{pid}")).is_err()),
        "an init of the last session stands"
    );
    verified(&stage);
}

#[test]
fn a_process_that_cannot_be_ended_bars_the_station() {
    if !alone("a_process_that_cannot_be_ended_bars_the_station") {
        return;
    }
    if !PathBuf::from("/dev/fuse").exists() {
        eprintln!("skipped: this host has no /dev/fuse, so that no process can be made to wait for ever");
        return;
    }
    let (mut stage, issued) = stage("");
    let place = stage.dir.join("shared/silent");
    stage.account.make_dir(&place).unwrap();
    let mut silent = Command::new("python3");
    silent.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/station_linux/silent_fs.py")).arg(&place);
    let mut silent = silent.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut words = BufReader::new(silent.stdout.take().unwrap()).lines();
    assert_eq!(words.next().unwrap().unwrap(), "mounted");
    let script = format!("stat {}/chart", place.display());
    add(&stage, &app(&stage, "Asker", "sh", &["-c".to_owned(), script]));
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    touch_tile(&stage, 0);
    assert_eq!(words.next().unwrap().unwrap(), "asked", "nobody looks into the silent file system");
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "quarantine").unwrap();
    assert!(
        contained(&stage).iter().any(|name| name == "stat"),
        "the look is blind: {:?}",
        contained(&stage)
    );
    assert!(said(&stage, mark, "end every program of the session: the kernel does not confirm it"));
    assert!(!said(&stage, mark, "station: vacant"), "vacant while a process of the session stands");
    // When it can be ended, the station comes back by itself.
    drop(silent.stdin.take());
    silent.wait().unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(!contained(&stage).iter().any(|name| name == "stat"));
    every_opening_has_its_end(&stage);
    verified(&stage);
}
