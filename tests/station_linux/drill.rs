//! The drill that a supervisor has held at the station itself, pressed on the screen and looked at from
//! outside: nothing of it is shown, everything is entered, and nothing is left, even by a shell that dies.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use cleanshift::platform::linux::canary::{START, Side, canary, key};
use serde_json::Value;

use super::ground::*;

/// The log's button for a drill.
const DRILL: (i16, i16) = (843, 112);

/// The shell up, a supervisor in, the log open, and the drill begun by a touch. Answers the mark of its
/// beginning.
fn begun(stage: &mut Stage, issued: &[(String, String)]) -> usize {
    up(stage);
    stage.tap("sofia").unwrap();
    stage.first_pin("sofia", issued).unwrap();
    let mark = stage.mark();
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.touch(LOG.0, LOG.1).unwrap();
    stage.wait_state(mark, "attended, log").unwrap();
    std::thread::sleep(Duration::from_millis(900));
    let mark = stage.mark();
    stage.screen.touch(DRILL.0, DRILL.1).unwrap();
    stage.wait_state(mark, "drill").unwrap();
    mark
}

/// Waits for a state for as long as a whole drill may take on a slow machine.
fn long(stage: &Stage, mark: usize, state: &str) {
    for _ in 0..6 {
        if wait_for(|| stage.was(mark, state)) {
            return;
        }
    }
    stage.wait_state(mark, state).unwrap();
}

/// The words that this stage's drill plants, once it has noted its seed: other stages have drills too.
fn words(stage: &Stage) -> Vec<Vec<u8>> {
    let note = stage.dir.join("state/drill/note");
    let seed = || {
        let text = fs::read_to_string(&note).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("seed ").map(str::to_owned))
    };
    assert!(wait_for(|| seed().is_some()), "the drill has noted no seed");
    let seed = seed().unwrap();
    let both = [Side::Contained, Side::Escaped];
    let all = both.into_iter().flat_map(|side| (1..=28).map(move |class| (side, class)));
    all.map(|(side, class)| canary(&seed, side, class).into_bytes()).collect()
}

/// Looks at a whole file, in pieces that overlap by more than a word: one here may be larger than the memory.
fn through(path: &Path, mut look: impl FnMut(&[u8])) {
    use std::io::Read as _;
    const PIECE: u64 = 16 << 20;
    const OVERLAP: usize = 4096;
    let Ok(mut file) = fs::File::open(path) else { return };
    let mut bytes = Vec::new();
    while (&mut file).take(PIECE).read_to_end(&mut bytes).is_ok_and(|read| read > 0) {
        look(&bytes);
        drop(bytes.drain(..bytes.len().saturating_sub(OVERLAP)));
    }
}

/// Where these words are, for root and so beyond every permission: names and contents of files, what
/// processes were started with, what the kernel and the display list.
fn found(stage: &Stage, words: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |place: String, bytes: &[u8]| {
        let mut starts = memchr::memmem::find_iter(bytes, START);
        if starts.any(|at| words.iter().any(|word| bytes.get(at..at + word.len()) == Some(word.as_slice()))) {
            found.push(place);
        }
    };
    for table in ["/proc/keys", "/proc/net/unix", "/proc/self/mountinfo"] {
        look(table.to_owned(), &fs::read(table).unwrap_or_default());
    }
    let keys = stage.command("cat").arg("/proc/keys").output().unwrap().stdout;
    look("the account's keys".to_owned(), &keys);
    let root = stage.command("xprop").arg("-root").output().unwrap().stdout;
    assert!(!root.is_empty(), "the look at the root window is blind");
    look("the root window".to_owned(), &root);
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for part in ["cmdline", "environ"] {
            let bytes = fs::read(entry.path().join(part)).unwrap_or_default();
            look(format!("{}, {part}", entry.path().display()), &bytes);
        }
    }
    let mut places: Vec<PathBuf> =
        ["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/var/spool"].map(PathBuf::from).to_vec();
    places.push(stage.dir.clone());
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            // Other tests have stages of their own beside this one.
            let name = entry.file_name().to_string_lossy().into_owned();
            if place == Path::new("/tmp") && name.starts_with("cleanshift-stage") {
                continue;
            }
            look(path.display().to_string(), path.as_os_str().as_encoded_bytes());
            // The programs themselves are copies of what was built.
            if path == stage.dir.join("bin") {
                continue;
            }
            if kind.is_dir() {
                places.push(path);
            } else if kind.is_file() && entry.metadata().is_ok_and(|data| data.uid() == stage.account.uid()) {
                through(&path, |bytes| look(path.display().to_string(), bytes));
            }
        }
    }
    found
}

/// How much of the host's shared memory stands for one of these words: it has a key and no name.
fn shared_memory(words: &[Vec<u8>]) -> usize {
    let keys = words.iter().filter_map(|word| Some(key(std::str::from_utf8(word).ok()?).to_string()));
    let keys: Vec<String> = keys.collect();
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let stand = table.lines().filter_map(|line| line.split_whitespace().next());
    stand.filter(|number| keys.iter().any(|key| key == number)).count()
}

/// Every entry's kind and whose it is, the oldest first.
fn kinds(stage: &Stage) -> Vec<(String, String)> {
    let entries = log(stage);
    let of = |entry: &Value| {
        let receipt = &entry["receipt"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&receipt["kind"]), text(&receipt["operator"]["key"]))
    };
    entries.iter().map(of).collect()
}

#[test]
fn a_supervisor_has_a_drill_held_and_nothing_is_left() {
    let (mut stage, issued) = stage("");
    add(&stage, &app(&stage, "Terminal", "xterm", &[]));
    let mark = begun(&mut stage, &issued);
    let covered = large_windows(&stage);
    let words = &words(&stage);
    // While it is held nothing of a session is shown: the place of sessions is never mapped. And the look
    // for canaries sees some.
    let (seen, shown, over) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)), &AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (seen, shown, stage) = (Arc::clone(&seen), Arc::clone(&shown), &stage);
        scope.spawn(move || {
            while !over.load(Ordering::SeqCst) {
                if !seen.load(Ordering::SeqCst) && !found(stage, words).is_empty() {
                    seen.store(true, Ordering::SeqCst);
                }
                if large_windows(stage) > covered {
                    shown.store(true, Ordering::SeqCst);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        long(stage, mark, "vacant, drill result");
        over.store(true, Ordering::SeqCst);
    });
    assert!(seen.load(Ordering::SeqCst), "the look for canaries is blind, or nothing was planted");
    assert!(!shown.load(Ordering::SeqCst), "something of a session was shown");
    assert!(found(&stage, words).is_empty(), "{:#?}", found(&stage, words));
    assert_eq!(shared_memory(words), 0);
    // Her session and the drill's, each with its end, and what it came to.
    assert!(wait_for(|| !newest(&stage, "drill").is_null()));
    let kinds = kinds(&stage);
    let entry = |kind: &str, who: &str| (kind.to_owned(), who.to_owned());
    let wanted = [
        entry("opened", "sofia"),
        entry("viewed", "sofia"),
        entry("handoff", "sofia"),
        entry("opened", "drill"),
        entry("handoff", "drill"),
        entry("drill", "sofia"),
    ];
    assert!(kinds.ends_with(&wanted), "{kinds:#?}");
    let drill = newest(&stage, "drill");
    let note = drill["note"].as_str().unwrap();
    assert!(
        note.starts_with("clean: planted in ") && note.contains("of 28 classes") && note.contains("0 left"),
        "{note}"
    );
    assert!(newest(&stage, "opened")["note"].as_str().unwrap().contains("started by Sofia"), "{drill}");
    let handoff = newest(&stage, "handoff");
    assert_eq!(handoff["handoff"]["trigger"], "drill");
    assert!(handoff["handoff"]["assurance"].as_str().unwrap().contains("nobody"), "{handoff}");
    verified(&stage);
    // The result stands until a badge is tapped, which goes straight to the PIN.
    stage.emulator.remove(0);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    touch_tile(&stage, 0);
    assert!(wait_for(|| large_windows(&stage) > covered), "the look for a session on the screen is blind");
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(!stage.was(mark, "vacant, drill result"), "an old result is shown once more");
}

/// How many windows are shown that take most of the screen: one more where a session is on it.
fn large_windows(stage: &Stage) -> usize {
    let tree = stage.command("xwininfo").args(["-root", "-tree"]).output().unwrap().stdout;
    let tree = String::from_utf8_lossy(&tree).into_owned();
    let ids = tree.lines().filter_map(|line| line.trim().split(' ').next());
    let shown = ids.filter(|word| word.starts_with("0x")).filter(|id| {
        let said = stage.command("xwininfo").args(["-id", id]).output().unwrap().stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        let width = said.lines().find_map(|line| line.trim().strip_prefix("Width: ")?.parse::<u16>().ok());
        width.is_some_and(|width| width > SIZE.0 / 2) && said.contains("IsViewable")
    });
    shown.count()
}

#[test]
fn whoever_comes_does_not_wait_for_a_drill() {
    let (mut stage, issued) = stage("");
    let mark = begun(&mut stage, &issued);
    let words = words(&stage);
    assert!(wait_for(|| !found(&stage, &words).is_empty()), "nothing was planted");
    stage.lay_on(1, "ana").unwrap();
    stage.wait_state(mark, "challenge, PIN").unwrap();
    assert!(found(&stage, &words).is_empty(), "{:#?}", found(&stage, &words));
    assert!(!stage.was(mark, "quarantine"), "a drill that was broken off bars the station");
    stage.first_pin("ana", &issued).unwrap();
    let note = newest(&stage, "drill")["note"].as_str().unwrap().to_owned();
    assert!(note.starts_with("broken-off"), "{note}");
    assert_eq!(newest(&stage, "handoff")["handoff"]["trigger"], "takeover");
    verified(&stage);
}

#[test]
fn a_shell_that_dies_in_a_drill_leaves_nothing_of_it() {
    let (mut stage, issued) = stage("");
    let _ = begun(&mut stage, &issued);
    let words = words(&stage);
    assert!(wait_for(|| !found(&stage, &words).is_empty()), "nothing was planted");
    stage.kill_shell().unwrap();
    // What it has planted hangs on it, and goes with it, before any other shell comes.
    assert!(wait_for(|| found(&stage, &words).is_empty()), "{:#?}", found(&stage, &words));
    let mark = stage.mark();
    stage.start_shell().unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(!stage.was(mark, "quarantine"));
    let handoff = newest(&stage, "handoff");
    assert_eq!(
        (handoff["handoff"]["trigger"].as_str(), handoff["operator"]["key"].as_str()),
        (Some("recovery"), Some("drill"))
    );
    assert!(found(&stage, &words).is_empty());
    verified(&stage);
}

/// What only the note of a dead shell can tell: its guard was killed with it.
#[test]
fn a_shell_that_dies_with_its_guard_is_cleaned_up_after_by_the_next() {
    let (mut stage, issued) = stage("");
    let _ = begun(&mut stage, &issued);
    let words = words(&stage);
    assert!(wait_for(|| !found(&stage, &words).is_empty()), "nothing was planted");
    let guards = || -> Vec<u32> {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains(&stage.dir.display().to_string()) && line.contains("\0guard\0")
        })
        .collect()
    };
    let stand = guards();
    assert_eq!(stand.len(), 1, "the look for the guard is blind");
    signal(stand[0], rustix::process::Signal::KILL);
    stage.kill_shell().unwrap();
    assert!(!found(&stage, &words).is_empty(), "nothing is left that the next shell could take back");
    let mark = stage.mark();
    stage.start_shell().unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert!(found(&stage, &words).is_empty(), "{:#?}", found(&stage, &words));
    assert_eq!(shared_memory(&words), 0);
    verified(&stage);
}

/// A gate that does not look is told on the screen and in the ledger. Needs the shell of a build with the
/// feature `sabotage`.
#[cfg(feature = "sabotage")]
#[test]
fn a_gate_that_does_not_look_fails_the_drills_control() {
    let (mut stage, issued) = stage("");
    stage.environment.push(("CLEANSHIFT_SABOTAGE".to_owned(), "gate kernel keys".to_owned()));
    let mark = begun(&mut stage, &issued);
    long(&stage, mark, "vacant, drill result");
    assert!(wait_for(|| !newest(&stage, "drill").is_null()));
    let note = newest(&stage, "drill")["note"].as_str().unwrap().to_owned();
    assert!(note.starts_with("control-failed") && note.contains("kernel keys"), "{note}");
    verified(&stage);
}
