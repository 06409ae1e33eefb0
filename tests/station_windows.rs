//! The Windows station on its real parts, under Wine, looked at from outside: a private card service with a virtual
//! reader, a display, the Windows programs as an ordinary account of Windows.
//!
//! What looks here is Linux's: screenshots of the display, the host's own list of processes, the Linux
//! `cleanshiftctl` on the ledger that the Windows station wrote. What Wine cannot show (desktops apart from each
//! other, the secure desktop, drivers) is not shown here. `make test-windows` builds what this drives.

#![expect(clippy::unwrap_used, clippy::panic, unused_results, reason = "what fails in a test ends the test")]

#[path = "station_windows/ground.rs"]
mod ground;
#[path = "station_windows/hostile.rs"]
mod hostile;

use cleanshift::ctl::demo::screen::Shot;
use cleanshift::ctl::demo::stage::{Stage, wait_for};

use self::ground::{Ground, POLICY, shot};

const NOTES: &str = "[[apps]]\nname = \"Notes\"\ncommand = 'C:\\windows\\notepad.exe'\n";

#[test]
#[ignore = "drives the programs for Windows, which `make test-windows` builds"]
fn an_administrator_is_refused() {
    let ground = Ground::set("");
    let output =
        ground.raised(&["cleanshift.exe", "--state", "state", "--policy", "policy.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("refuses to run as an administrator"), "{said}");
}

#[test]
#[ignore = "drives the programs for Windows, which `make test-windows` builds"]
fn the_programs_of_the_linux_station_say_whose_they_are() {
    let ground = Ground::set("");
    for name in ["cleanshift-init.exe", "cleanshift-looker.exe"] {
        let output = ground.raised(&[name]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("belongs to the Linux station"));
    }
}

#[test]
#[ignore = "drives the programs for Windows, which `make test-windows` builds"]
fn a_shift_is_worked_and_its_log_verifies_on_linux() {
    work_a_shift(&mut Ground::set(NOTES), "");
}

#[test]
#[ignore = "drives the package for Windows, which `make test-windows` builds"]
fn the_package_is_installed_works_a_shift_and_goes() {
    let mut ground = Ground::set(NOTES);
    ground.install();
    work_a_shift(&mut ground, "installed-");
    ground.uninstall();
    // What it leaves behind for the auditor holds without it.
    ground.verified();
}

/// The same station on both systems: what differs is less than the hands of a clock.
#[test]
#[ignore = "drives the programs for Windows, which `make test-windows` builds"]
fn the_screens_are_laid_out_as_on_linux() {
    for size in [ground::SIZE, (1920, 1080)] {
        let width = size.0;
        let mut stage = Stage::set(size).unwrap();
        stage.write("policy.toml", &format!("{POLICY}{NOTES}")).unwrap();
        stage.enrol().unwrap();
        stage.start_shell().unwrap();
        stage.wait_state(0, "vacant, ready").unwrap();
        let vacant = shot(&stage.screen, &format!("linux-vacant-{width}"));
        let mark = stage.mark();
        ground::lay(&stage.emulator, "ana");
        stage.wait_state(mark, "challenge, PIN").unwrap();
        let challenge = shot(&stage.screen, &format!("linux-challenge-{width}"));
        assert!(stage.stop_shell().unwrap());
        drop(stage);

        let mut ground = Ground::sized(NOTES, size);
        ground.enrol();
        ground.start_shell();
        ground.wait_state(0, "vacant, ready");
        let there = ground.shot(&format!("vacant-{width}"));
        assert!(apart(&vacant, &there) < ALIKE, "vacant at {width}: {}", apart(&vacant, &there));
        let mark = ground.mark();
        ground.lay("ana");
        ground.wait_state(mark, "challenge, PIN");
        let there = ground.shot(&format!("challenge-{width}"));
        assert!(apart(&challenge, &there) < ALIKE, "challenge at {width}: {}", apart(&challenge, &there));
        // Screens that are not the same are told apart.
        assert!(apart(&vacant, &there) > 2.0 * ALIKE, "the look is blind: {}", apart(&vacant, &there));
        ground.stop_shell();
    }
}

/// The share of a screen that a time of day takes.
const ALIKE: f64 = 0.005;

/// How many of two pictures' pixels are plainly of another colour, as a share.
fn apart(one: &Shot, other: &Shot) -> f64 {
    assert_eq!(one.size, other.size);
    let pixels = || one.rgb.chunks_exact(3).zip(other.rgb.chunks_exact(3));
    let differ =
        |(one, other): &(&[u8], &[u8])| one.iter().zip(*other).any(|(one, other)| one.abs_diff(*other) > 24);
    #[expect(clippy::cast_precision_loss, reason = "a screen has few pixels")]
    let share = pixels().filter(differ).count() as f64 / pixels().count() as f64;
    share
}

/// A badge, a PIN, an app, a takeover, the receipts; pictures are named after `pictures`.
fn work_a_shift(ground: &mut Ground, pictures: &str) {
    let issued = ground.enrol();
    ground.start_shell();
    ground.wait_state(0, "vacant, ready");
    drop(ground.shot(&format!("{pictures}vacant")));

    let mark = ground.mark();
    ground.lay("ana");
    ground.wait_state(mark, "challenge, PIN");
    ground.first_pin("ana", &issued);
    drop(ground.shot(&format!("{pictures}launcher")));
    assert!(ground.programs("notepad.exe").is_empty());
    let mark = ground.mark();
    ground.touch_tile(0);
    ground.wait_state(mark, "attended, 1 windows");
    assert!(
        !ground.programs("notepad.exe").is_empty(),
        "the look is blind: the app is not among the processes"
    );
    drop(ground.shot(&format!("{pictures}attended")));

    // Another badge takes the station over: the session ends before its PIN counts for anything.
    let mark = ground.mark();
    ground.lay("ben");
    ground.wait_state(mark, "clean-up");
    assert!(wait_for(|| ground.programs("notepad.exe").is_empty()), "an app has outlived its session");
    ground.wait_state(mark, "challenge, PIN");
    ground.first_pin("ben", &issued);
    drop(ground.shot(&format!("{pictures}taken-over")));

    let mark = ground.mark();
    ground.emulator.remove(0);
    ground.wait_state(mark, "vacant, ready");
    ground.stop_shell();
    ground.verified();
    let kinds: Vec<String> = ground
        .log()
        .iter()
        .filter_map(|entry| entry["receipt"]["kind"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "opened").count(), 2, "{kinds:?}");
    assert!(kinds.iter().filter(|kind| *kind == "handoff").count() >= 3, "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some("stopped"), "{kinds:?}");
}
