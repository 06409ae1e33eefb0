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
    assert!(stage.screen.look().unwrap().share([0, 0, 0]) < 0.9, "the look is blind");
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "clean-up").unwrap();
    assert_eq!(painted_pixels(&stage), 0, "what was covered still shows until somebody draws over it");
    let black = stage.screen.look().unwrap().share([0, 0, 0]);
    assert!(black > 0.999, "the bar still tells whose session it was: {black}");
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

/// Chance that can be repeated (Knuth's constants for a linear congruence).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// One to four keys of a keyboard.
    fn chord(&mut self) -> Vec<u8> {
        (0..=self.below(4)).map(|_| u8::try_from(9 + self.below(246)).unwrap()).collect()
    }
}

#[test]
fn ten_thousand_chords_open_nothing() {
    let (mut stage, issued) = stage("");
    add(&stage, "[pin]\ndisable_after = 50\n");
    up(&mut stage);
    let mut chance = Chance(1);
    // Nobody is in: nothing at all may come of it.
    let mark = stage.mark();
    for _ in 0..8_000 {
        stage.screen.strike(&chance.chord()).unwrap();
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(!said(&stage, mark, "station:"), "a key has moved a vacant station");
    // A PIN is asked for: digits may be typed and given up, and the station stays closed.
    for _ in 0..4 {
        stage.lay("ana").unwrap();
        for _ in 0..500 {
            stage.screen.strike(&chance.chord()).unwrap();
        }
        stage.emulator.remove(0);
    }
    let mark = stage.mark();
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        !log(&stage).iter().any(|entry| entry["receipt"]["kind"] == "opened"),
        "chance has opened the station"
    );
    assert!(!said(&stage, mark, "attended"));
    // The keyboard still works, and so does the station.
    stage.tap("ben").unwrap();
    stage.first_pin("ben", &issued).unwrap();
    verified(&stage);
}

#[test]
fn no_signal_opens_the_station() {
    let (mut stage, _) = stage("");
    up(&mut stage);
    stage.tap("ana").unwrap();
    // As any program of the account could send them.
    let send = |stage: &Stage, number: i32| {
        let shell = stage.shell_pid().unwrap().to_string();
        let mut kill = stage.command("kill");
        assert!(kill.args([&format!("-{number}"), &shell]).status().unwrap().success());
    };
    // What stops or wakes it: it goes on where it was.
    for number in [17, 18, 20, 18, 21, 18, 22, 18, 19, 18, 23, 28, 13] {
        send(&stage, number);
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(stage.stands(), "a signal that is none has ended the shell");
    // Whatever ends it ends it closed.
    for number in [10, 12, 1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 34, 64] {
        // What whoever started the tests has had ignored (SIGQUIT, in the background of a shell) ends nothing.
        send(&stage, number);
        // The shell itself attends to 2 and 15, whoever has had them ignored before.
        if ignored(number) && ![2, 15].contains(&number) {
            assert!(!ends(&mut stage), "signal {number} is ignored, and has ended the shell");
            continue;
        }
        // The language's runtime looks at the first fault (4, 7, 11) that is none, and lets the next one be.
        if !ends(&mut stage) {
            send(&stage, number);
        }
        assert!(ends(&mut stage), "signal {number} was taken for something else");
        assert!(one_colour(&stage), "something stands on the screen after signal {number}");
        let mark = stage.mark();
        stage.start_shell().unwrap();
        // Her badge still lies there: a PIN is asked for again.
        stage.wait_state(mark, "challenge, PIN").unwrap();
    }
    assert!(
        !log(&stage).iter().any(|entry| entry["receipt"]["kind"] == "opened"),
        "a signal has opened the station"
    );
    verified(&stage);
}

/// Whether this process, and so whatever it starts, ignores a signal.
fn ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (number - 1)) != 0
}

/// Waits a bounded time for the shell's end.
fn ends(stage: &mut Stage) -> bool {
    (0..150).any(|_| {
        let stands = stage.stands();
        if stands {
            std::thread::sleep(Duration::from_millis(20));
        }
        !stands
    })
}

fn one_colour(stage: &Stage) -> bool {
    let one = || {
        let shot = stage.screen.look().unwrap();
        shot.count([shot.rgb[0], shot.rgb[1], shot.rgb[2]]) == shot.rgb.len() / 3
    };
    wait_for(one)
}

#[test]
fn a_shell_that_dies_at_any_moment_shows_nothing() {
    let (mut stage, issued) = stage("");
    let mut chance = Chance(7);
    for (round, signal_of_death) in
        [Signal::KILL, Signal::SEGV, Signal::ABORT].repeat(2).into_iter().enumerate()
    {
        if round == 0 {
            paint(&mut stage, &issued);
        } else {
            up(&mut stage);
            stage.tap("ana").unwrap();
            stage.pin("ana").unwrap();
            touch_tile(&stage, 0);
            assert!(wait_for(|| painted_pixels(&stage) > 100_000));
        }
        let entries = log(&stage).len();
        stage.emulator.remove(0);
        std::thread::sleep(Duration::from_millis(chance.below(400)));
        signal(stage.shell_pid().unwrap(), signal_of_death);
        if !ends(&mut stage) {
            signal(stage.shell_pid().unwrap(), signal_of_death);
        }
        assert!(ends(&mut stage));
        assert!(one_colour(&stage), "the session, or the lock without a shell, is on the screen");
        assert!(wait_for(|| contained(&stage).is_empty()), "left: {:?}", contained(&stage));
        // The next start says whether the handoff was finished.
        let mark = stage.mark();
        stage.start_shell().unwrap();
        stage.wait_state(mark, "vacant, ready").unwrap();
        let of_ana = |entry: &&serde_json::Value| entry.to_string().contains("Ana Ruiz");
        let added = log(&stage).split_off(entries);
        let ended = added.iter().filter(of_ana).filter(|entry| entry["receipt"]["kind"] == "handoff").count();
        assert_eq!(ended, 1, "an opening has its end, once: {added:?}");
        assert!(stage.stop_shell().unwrap());
    }
    verified(&stage);
}

#[test]
fn what_a_killed_shell_was_starting_ends_with_the_next() {
    // As bwrap's second process stands there whose first was killed before it wrote the maps: waiting.
    let (mut stage, _) = stage("");
    let place = stage.dir.join("run/cleanshift").display().to_string();
    let mut bwrap = stage.command("/usr/bin/bwrap");
    bwrap.args(["--unshare-user", "--unshare-pid", "--userns-block-fd", "0", "--info-fd", "1"]);
    bwrap.args(["--ro-bind", "/", "/", "--setenv", "PLACE", &place, "--", "/bin/true"]);
    let before = contained_pids(&stage);
    let mut first = bwrap.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let new =
        || contained_pids(&stage).into_iter().filter(|found| !before.contains(found)).collect::<Vec<_>>();
    assert!(wait_for(|| !new().is_empty()));
    first.kill().unwrap();
    first.wait().unwrap();
    let left = new();
    assert_eq!(left.len(), 1, "it does not stand: there would be nothing to prove");
    up(&mut stage);
    assert!(!contained_pids(&stage).contains(&left[0]));
}

#[test]
fn a_display_server_that_dies_ends_the_session() {
    let (mut stage, issued) = stage("");
    paint(&mut stage, &issued);
    stage.emulator.remove(1);
    stage.renew_display().unwrap();
    assert!(ends(&mut stage), "a shell without a display goes on");
    assert!(wait_for(|| contained(&stage).is_empty()), "left: {:?}", contained(&stage));
    stage.emulator.remove(0);
    up(&mut stage);
    assert_eq!(painted_pixels(&stage), 0);
    let handoff = last_handoff(&stage);
    assert!(handoff.contains("recovery") && handoff.contains("Ana Ruiz"), "{handoff}");
    // Locked, it comes back locked.
    stage.tap("ana").unwrap();
    stage.renew_display().unwrap();
    assert!(ends(&mut stage));
    stage.emulator.remove(0);
    // The card service looks at a reader a few times a second: a badge that lies there again before it has
    // looked was never away.
    std::thread::sleep(Duration::from_millis(600));
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.pin("ana").unwrap();
    verified(&stage);
}

#[test]
fn no_input_device_reaches_a_session() {
    let (stage, _) = attended("sh", &|dir| {
        let into = dir.join("shared/devices").display().to_string();
        vec![
            "-c".to_owned(),
            format!("find /dev /sys/class/input 2>&1 > {into}.new; mv {into}.new {into}; exec sleep 600"),
        ]
    });
    let file = stage.dir.join("shared/devices");
    assert!(wait_for(|| file.exists()));
    let seen = std::fs::read_to_string(file).unwrap();
    assert!(seen.lines().any(|line| line == "/dev/null"), "the look is blind: {seen}");
    for device in ["input", "uinput", "hidraw", "/dev/fb", "/dev/dri", "/dev/tty0", "/dev/vcs", "/dev/mem"] {
        assert!(
            !seen.lines().any(|line| line.starts_with("/dev") && line.contains(device)),
            "{device}: {seen}"
        );
    }
}
