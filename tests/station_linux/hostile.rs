//! Programs that want to outlive their session, to reach out of it, or to take the station down.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};

use super::ground::*;

/// Keysyms.
const CONTROL: u32 = 0xffe3;
const SHIFT: u32 = 0xffe1;

#[test]
fn a_hostile_session_leaves_nothing_and_reaches_nothing() {
    let (stage, _) = attended("python3", &adversary);
    assert!(wait_for(|| report(&stage).contains("ready")), "the adversary did not run: {}", report(&stage));
    let said = report(&stage);
    // What it can do inside, it did: otherwise there would be nothing to prove.
    for done in [
        "file:/tmp did",
        "file:/var/tmp did",
        "file:/dev/shm did",
        "sysv did",
        "abstract did",
        "key did",
        "keyring did",
        "root-property did",
    ] {
        assert!(
            said.lines().any(|line| line.starts_with(done) && !line.contains("did-not")),
            "{done}: {said}"
        );
    }
    // What must not be reached was not.
    for line in said.lines() {
        let forbidden = ["see:", "outer-x", "tool:", "steal-socket", "trace-init", "read-init"];
        if forbidden.iter().any(|start| line.starts_with(start)) {
            assert!(line.contains("did-not"), "reached out of the capsule: {line}");
        }
    }
    // The looks see it while it lives.
    assert!(alive(&stage));
    let names = contained(&stage);
    assert!(
        names.len() > 50 && names.iter().any(|name| name == "cleanshift-init"),
        "the look is blind: {names:?}"
    );

    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant").unwrap();
    assert!(!alive(&stage), "something of the session still moves");
    stage.wait_state(mark, "vacant, ready").unwrap();
    // What stands now is the next capsule, and has nothing of the last in it.
    assert!(!contained(&stage).iter().any(|name| name.starts_with("python") || name.contains(MARKER)));
    assert_eq!(left_files(&stage), Vec::<PathBuf>::new());
    assert!(!has_line("/proc/net/unix", MARKER) && !has_line("/proc/keys", MARKER));
    assert_eq!(sysv_of(stage.account.uid()), 0);
    let handoff = last_handoff(&stage);
    assert!(handoff.contains("badge-out") && handoff.contains("Ana Ruiz"), "{handoff}");
    // The policy gives apps no time to close: what was open is told all the same, as forced.
    assert!(
        handoff.contains(r#""gracefully":false"#) && handoff.contains(r#""name":"Adversary""#),
        "{handoff}"
    );
    verified(&stage);
}

#[test]
fn the_next_operator_finds_nothing_of_the_last() {
    let (stage, issued) = attended("python3", &adversary);
    assert!(wait_for(|| report(&stage).contains("ready")), "{}", report(&stage));
    // Where everything is there, the look sees it.
    assert_eq!(
        found(&stage),
        ["files", "keyring", "clipboard", "root property", "system v memory", "processes"]
    );
    let mark = stage.mark();
    stage.lay_on(1, "ben").unwrap();
    stage.wait_state(mark, "challenge, PIN").unwrap();
    stage.emulator.remove(0);
    stage.first_pin("ben", &issued).unwrap();
    assert_eq!(found(&stage), Vec::<String>::new());
    let handoff = last_handoff(&stage);
    assert!(handoff.contains("takeover") && handoff.contains("Ben Osei"), "{handoff}");
    verified(&stage);
}

#[test]
fn a_display_held_hostage_is_covered_and_destroyed() {
    let magenta = [255, 0, 255];
    let (stage, issued) = attended("python3", &|dir: &Path| {
        vec!["/session/home/display_adversary.py".to_owned(), shared(dir), MARKER.to_owned()]
    });
    let shown = || stage.screen.look().unwrap().count(magenta);
    assert!(wait_for(|| report(&stage).contains("held")), "{}", report(&stage));
    assert!(wait_for(|| shown() > 100_000), "the hostile window is not on the screen");
    // With Control and Shift held a nested display would take the outer keyboard and pointer.
    stage.screen.touch(500, 400).unwrap();
    stage.screen.chord(&[CONTROL, SHIFT]).unwrap();
    let mark = stage.mark();
    stage.lay_on(1, "ben").unwrap();
    stage.wait_state(mark, "clean-up").unwrap();
    assert_eq!(shown(), 0, "the session is still on the screen");
    stage.wait_state(mark, "challenge, PIN").unwrap();
    stage.emulator.remove(0);
    // Keys reach the shell: nothing in the session had taken them.
    stage.first_pin("ben", &issued).unwrap();
    assert_eq!(found(&stage), Vec::<String>::new());
    assert_eq!(shown(), 0);
    verified(&stage);
}

#[test]
fn browsers_keep_their_own_sandbox() {
    let (mut stage, issued) = stage("");
    let page = format!("http://127.0.0.1:{}/", stage.page.port);
    add(&stage, &format!("reach = [\"127.0.0.1:{}\"]\n", stage.page.port));
    for (name, command, arguments) in [
        ("Chromium", "chromium", vec!["--no-first-run", "--disable-gpu", &page]),
        ("Firefox", "firefox-esr", vec!["--new-instance", &page]),
    ] {
        let entry = format!(
            "[[apps]]\nname = {name:?}\ncommand = {command:?}\nnetwork = true\narguments = {arguments:?}\n"
        );
        add(&stage, &entry);
    }
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    for (place, kind) in [(0, "--type=renderer"), (1, "-isForBrowser")] {
        let asked = || stage.page.requests().iter().filter(|request| request.starts_with("/ ")).count();
        let before = asked();
        touch_tile(&stage, place);
        assert!(wait_for(|| asked() > before), "the page was not asked for");
        // Filtered system calls (2), in the processes that handle what a page sends.
        let filtered = || sandboxed(&stage, kind);
        assert!(
            wait_for(|| !filtered().is_empty() && filtered().iter().all(|mode| mode == "2")),
            "{kind}: {:?}",
            filtered()
        );
        stage.screen.touch(APPS.0, APPS.1).unwrap();
    }
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(sandboxed(&stage, "--type=renderer").is_empty() && sandboxed(&stage, "-isForBrowser").is_empty());
}

/// How the kernel filters the system calls of this kind of the account's processes.
fn sandboxed(stage: &Stage, kind: &str) -> Vec<String> {
    let uid = format!("Uid:\t{}\t", stage.account.uid());
    let mut modes = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let (command, status) = (read("cmdline"), read("status"));
        if command.contains(kind) && status.contains(&uid) && !status.contains("State:\tZ") {
            let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:\t"));
            modes.push(mode.unwrap_or_default().to_owned());
        }
    }
    modes
}

#[test]
fn a_killed_shell_leaves_nothing_and_recovers() {
    let (mut stage, _) = attended("python3", &adversary);
    assert!(wait_for(|| report(&stage).contains("ready")));
    assert!(alive(&stage), "the adversary does not move");
    assert!(contained(&stage).len() > 50, "the look is blind: {:?}", contained(&stage));
    stage.kill_shell().unwrap();
    assert!(wait_for(|| contained(&stage).is_empty()), "left of a killed shell: {:?}", contained(&stage));
    assert!(!alive(&stage));
    // Its windows went with it: the display is one colour.
    let shot = stage.screen.look().unwrap();
    let first = [shot.rgb[0], shot.rgb[1], shot.rgb[2]];
    assert_eq!(
        shot.count(first),
        usize::from(SIZE.0) * usize::from(SIZE.1),
        "something is still on the screen"
    );
    stage.emulator.remove(0);
    up(&mut stage);
    let handoff = last_handoff(&stage);
    assert!(handoff.contains("recovery") && handoff.contains("Ana Ruiz"), "{handoff}");
    verified(&stage);
}

#[test]
fn a_pin_cannot_be_listened_to() {
    // A listener to raw events on the session's display: it hears what is typed into the session, and
    // nothing of what is typed into the shell.
    let (stage, _) = attended("sh", &|dir: &Path| {
        let heard = dir.join("shared/heard").display().to_string();
        vec!["-c".to_owned(), format!("xterm & exec xinput test-xi2 --root > {heard} 2>&1")]
    });
    let heard = || {
        fs::read_to_string(stage.dir.join("shared/heard")).unwrap_or_default().matches("RawKeyPress").count()
    };
    assert!(wait_for(|| stage.wait_state(0, "attended, 1 windows").is_ok()));
    std::thread::sleep(Duration::from_millis(700));
    assert!(
        wait_for(|| {
            stage.screen.type_text("hello").unwrap();
            heard() > 0
        }),
        "the listener is deaf: it would prove nothing"
    );
    std::thread::sleep(Duration::from_millis(500));
    let before = heard();
    // The shell's own view comes in front (Apps), and takes the keys; then Ben's badge asks for a PIN.
    let mark = stage.mark();
    stage.lay_on(1, "ben").unwrap();
    stage.wait_state(mark, "clean-up").ok();
    stage.screen.type_text("314159").unwrap();
    stage.wait_state(mark, "challenge").unwrap();
    stage.screen.type_text("314159").unwrap();
    assert_eq!(heard(), before, "a listener in the session heard keys of the PIN");
}

#[test]
fn greedy_programs_are_bounded() {
    let script = r#"
import os, sys
out = open(sys.argv[1] + "/report", "a", buffering=1)
try:
    hog = open("/session/home/hog", "wb")
    for _ in range(4096): hog.write(b"x" * (1 << 20)); hog.flush()
    out.write("hog: unbounded\n")
except OSError as error:
    out.write("hog: bounded %s\n" % error.errno)
count = 0
try:
    while count < 20000:
        if os.fork() == 0:
            import time; time.sleep(600); os._exit(0)
        count += 1
    out.write("bomb: unbounded\n")
except OSError as error:
    out.write("bomb: bounded at %d\n" % count)
out.write("ready\n")
import time; time.sleep(600)
"#;
    let (stage, _) = attended("python3", &|dir: &Path| {
        vec!["-c".to_owned(), script.to_owned(), dir.join("shared").display().to_string()]
    });
    assert!(wait_for(|| report(&stage).contains("ready")), "{}", report(&stage));
    let said = report(&stage);
    assert!(said.contains("hog: bounded 28") && said.contains("bomb: bounded at"), "{said}");
    assert!(contained(&stage).len() > 300);
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(contained(&stage).len() < 30, "{:?}", contained(&stage));
    verified(&stage);
}
