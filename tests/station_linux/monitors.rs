//! Monitors that come and go, by Xorg's dummy driver; it needs no monitor and no terminal, but root.

use std::time::Duration;

use cleanshift::ctl::demo::screen::Shot;
use cleanshift::ctl::demo::stage::{Stage, wait_for};
use rustix::process::Signal;

use super::ground::*;

/// What nobody has covered: the display's own background.
const BARE: [u8; 3] = [0, 255, 0];
/// What the session shows.
const SESSION: [u8; 3] = [255, 0, 255];

/// A stage whose display can have a second monitor, and a background that shows what is not covered.
/// `None` where this is not root.
fn stage_with_monitors() -> Option<(Stage, Vec<(String, String)>)> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: a display with monitors needs root");
        return None;
    }
    let (stage, issued) = furnished(Stage::with_monitors(SIZE).unwrap(), "");
    assert!(stage.command("xsetroot").args(["-solid", "#00ff00"]).status().unwrap().success());
    Some((stage, issued))
}

fn xrandr(stage: &Stage, arguments: &str) {
    assert!(stage.command("xrandr").args(arguments.split(' ')).status().unwrap().success(), "{arguments}");
}

/// Plugs a second monitor in, to the right of the first.
fn plug(stage: &Stage) {
    xrandr(stage, "--addmode DUMMY1 1024x768");
    xrandr(stage, "--output DUMMY1 --mode 1024x768 --right-of DUMMY0");
}

fn unplug(stage: &Stage) {
    xrandr(stage, "--output DUMMY1 --off");
    xrandr(stage, "--fb 1024x768");
}

/// What all monitors show.
fn everywhere(stage: &Stage) -> Shot {
    let (width, height) = stage.screen.size_now().unwrap();
    stage.screen.part(0, 0, width, height).unwrap()
}

/// What the second monitor shows.
fn second(stage: &Stage) -> Shot {
    stage.screen.part(1024, 0, 1024, 768).unwrap()
}

#[test]
fn a_monitor_that_comes_or_goes_shows_no_session() {
    let Some((mut stage, issued)) = stage_with_monitors() else { return };
    // The look sees what is bare, on both monitors.
    plug(&stage);
    assert!(wait_for(|| everywhere(&stage).count(BARE) == 2 * 1024 * 768), "the look is blind");
    unplug(&stage);
    paint(&mut stage, &issued);
    // While she works: her session stays where it was.
    let before = everywhere(&stage).count(SESSION);
    plug(&stage);
    for _ in 0..40 {
        let shot = second(&stage);
        assert_eq!((shot.count(BARE), shot.count(SESSION)), (0, 0), "on a monitor that was plugged in");
        std::thread::sleep(Duration::from_millis(25));
    }
    assert!(wait_for(|| everywhere(&stage).count(SESSION) == before), "the session does not stand as it was");
    assert!(wait_for(|| !is_black(&second(&stage))), "the shell has not come to the second monitor");
    unplug(&stage);
    for _ in 0..20 {
        assert_eq!(everywhere(&stage).count(BARE), 0);
    }
    assert!(wait_for(|| everywhere(&stage).count(SESSION) == before));
    // While the station is locked.
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    for _ in 0..10 {
        plug(&stage);
        let shot = everywhere(&stage);
        assert_eq!((shot.count(BARE), shot.count(SESSION)), (0, 0));
        unplug(&stage);
        let shot = everywhere(&stage);
        assert_eq!((shot.count(BARE), shot.count(SESSION)), (0, 0));
    }
    // The next session has both, below the bar, and the PIN pad still takes a PIN.
    plug(&stage);
    stage.tap("ana").unwrap();
    stage.pin("ana").unwrap();
    verified(&stage);
}

#[test]
fn a_monitor_is_covered_though_nobody_here_has_heard_of_it() {
    let Some((mut stage, issued)) = stage_with_monitors() else { return };
    paint(&mut stage, &issued);
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    let shell = stage.shell_pid().unwrap();
    signal(shell, Signal::STOP);
    plug(&stage);
    let shot = second(&stage);
    assert!(is_black(&shot), "a monitor plugged in while the shell stands still");
    unplug(&stage);
    assert_eq!(everywhere(&stage).count(BARE), 0);
    signal(shell, Signal::CONT);
    stage.tap("ana").unwrap();
    stage.pin("ana").unwrap();
}

fn is_black(shot: &Shot) -> bool {
    shot.count([0, 0, 0]) == shot.rgb.len() / 3
}
