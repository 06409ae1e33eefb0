//! The Windows station on its real parts, under Wine, looked at from outside: a private card service with a virtual
//! reader, a display, the Windows programs as an ordinary account of Windows.
//!
//! What looks here is Linux's: screenshots of the display, the host's own list of processes, the Linux
//! `cleanshiftctl` on the ledger that the Windows station wrote. What Wine cannot show (desktops apart from each
//! other, the secure desktop, drivers) is not shown here. `make test-windows` builds what this drives.

#![expect(clippy::unwrap_used, unused_results, reason = "what fails in a test ends the test")]

#[path = "station_windows/ground.rs"]
mod ground;
#[path = "station_windows/hostile.rs"]
mod hostile;

use cleanshift::ctl::demo::stage::wait_for;

use self::ground::Ground;

#[test]
fn an_administrator_is_refused() {
    let ground = Ground::set("");
    let output =
        ground.raised(&["cleanshift.exe", "--state", "state", "--policy", "policy.toml"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("refuses to run as an administrator"), "{said}");
}

#[test]
fn the_programs_of_the_linux_station_say_whose_they_are() {
    let ground = Ground::set("");
    for name in ["cleanshift-init.exe", "cleanshift-looker.exe"] {
        let output = ground.raised(&[name]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("belongs to the Linux station"));
    }
}

#[test]
fn a_shift_is_worked_and_its_log_verifies_on_linux() {
    let mut ground = Ground::set("[[apps]]\nname = \"Notes\"\ncommand = 'C:\\windows\\notepad.exe'\n");
    let issued = ground.enrol();
    ground.start_shell();
    ground.wait_state(0, "vacant, ready");
    ground.shot("vacant");

    let mark = ground.mark();
    ground.lay("ana");
    ground.wait_state(mark, "challenge, PIN");
    ground.first_pin("ana", &issued);
    ground.shot("launcher");
    assert!(ground.programs("notepad.exe").is_empty());
    let mark = ground.mark();
    ground.touch_tile(0);
    ground.wait_state(mark, "attended, 1 windows");
    assert!(
        !ground.programs("notepad.exe").is_empty(),
        "the look is blind: the app is not among the processes"
    );
    ground.shot("attended");

    // Another badge takes the station over: the session ends before its PIN counts for anything.
    let mark = ground.mark();
    ground.lay("ben");
    ground.wait_state(mark, "clean-up");
    assert!(wait_for(|| ground.programs("notepad.exe").is_empty()), "an app has outlived its session");
    ground.wait_state(mark, "challenge, PIN");
    ground.first_pin("ben", &issued);
    ground.shot("taken-over");

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
