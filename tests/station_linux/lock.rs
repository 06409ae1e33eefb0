//! The lock's own failures: what other lock screens showed, let in or forgot (`src/manual/failures.rs`).

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use cleanshift::ctl::demo::account::Part;
use cleanshift::ctl::demo::stage::{Stage, wait_for};
use rustix::process::Signal;

use super::ground::*;

#[test]
fn a_cover_that_is_not_confirmed_kills_the_session() {
    let (stage, _) = painted();
    assert!(
        contained(&stage).iter().any(|name| name == "xterm"),
        "the look is blind: {:?}",
        contained(&stage)
    );
    // The display server answers nobody: nothing can be covered, and nothing new be shown.
    signal(stage.display_pid(), Signal::STOP);
    let mark = stage.mark();
    stage.emulator.remove(0);
    let gone = wait_for(|| contained(&stage).is_empty());
    let barred = stage.wait_state(mark, "quarantine");
    signal(stage.display_pid(), Signal::CONT);
    assert!(gone, "left behind a display that does not answer: {:?}", contained(&stage));
    barred.unwrap();
    assert!(said(&stage, mark, "failed to cover; the capsule is killed"));
    assert!(said(&stage, mark, "not clean: It could not be checked: cover"), "it does not say why");
    // Once the server answers, nothing of the session shows, and the station comes back by itself.
    assert!(wait_for(|| painted_pixels(&stage) == 0));
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert_eq!(painted_pixels(&stage), 0);
    assert!(last_handoff(&stage).contains("badge-out"), "{}", last_handoff(&stage));
    verified(&stage);
}

#[test]
fn the_cover_does_not_wait_for_the_screens() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: to hold a thread of another account's program needs root");
        return;
    }
    let (stage, _) = painted();
    // The screens are drawn by the shell's first thread, which now stands still.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/station_linux/hold_thread.py");
    let mut holder = Command::new("python3");
    holder.arg(script).arg(stage.shell_pid().unwrap().to_string());
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut word = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut word).unwrap();
    assert_eq!(word.trim(), "held");
    assert!(painted_pixels(&stage) > 100_000);
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "clean-up").unwrap();
    assert_eq!(painted_pixels(&stage), 0, "what was covered still shows until somebody draws over it");
    stage.wait_state(mark, "vacant, ready").unwrap();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    stage.tap("ana").unwrap();
    stage.pin("ana").unwrap();
}

#[test]
fn nothing_stays_above_the_lock() {
    let (mut stage, _) = stage("");
    // A notification, as any program of the station's own display could show one. Before the station
    // is up it is seen.
    let notification = |stage: &Stage, place: &str| {
        let mut command = stage.account.part("xterm");
        command.env("DISPLAY", format!(":{}", stage.display));
        command.env("XAUTHORITY", stage.dir.join("xauthority"));
        command.args([
            "-xrm",
            "*overrideRedirect: true",
            "-bg",
            "#ff00ff",
            "-fg",
            "#ff00ff",
            "-cr",
            "#ff00ff",
        ]);
        command.args(["-geometry", place]);
        Part::start(command).unwrap()
    };
    let early = notification(&stage, "40x10+100+100");
    assert!(wait_for(|| painted_pixels(&stage) > 10_000), "the look is blind");
    up(&mut stage);
    assert_eq!(painted_pixels(&stage), 0, "what was there before the station shows above it");
    let mark = stage.mark();
    stage.tap("ana").unwrap();
    let late = notification(&stage, "40x10+200+300");
    let windows = || {
        let output = stage.command("xwininfo").args(["-root", "-tree"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let came = wait_for(|| windows().contains("+200+300"));
    assert!(came, "the notification did not come: {}", windows());
    assert!(wait_for(|| painted_pixels(&stage) == 0), "a notification stays above the lock");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(painted_pixels(&stage), 0);
    drop((early, late));
    assert!(said(&stage, mark, "challenge, PIN"));
}
