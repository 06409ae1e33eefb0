//! A ledger of a million receipts of real size: how soon a supervisor sees it on the station's screen,
//! and how soon all of it is verified.

use std::fs;
use std::process::Command;
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use cleanshift::handoff::OperatorId;
use cleanshift::handoff::record::Trigger;
use cleanshift::ports::{Answer, Body, Ends, Entry, GateAnswer, Handoff, Ledger as _, Person, Stamp};
use cleanshift::store::Store;

use super::journal::Journal;
use super::rows::{Row, Rows, now};

const SIZE: (u16, u16) = (1280, 800);
/// The bar's button for the log at [`SIZE`], and a part of the list that it opens, where nothing else is
/// said before its rows are there.
const LOG: (i16, i16) = (980, 32);
const LIST: (i16, i16, u16, u16) = (60, 370, 500, 330);
/// The keysym of Escape, which closes the log.
const ESCAPE: u32 = 0xff1b;
/// How often the view is opened, and the whole verified.
const TIMES: usize = 20;
const VERIFIES: usize = 3;

/// Measures in a process whose temporary files are in memory: a million durable commits would
/// measure the disk.
pub(crate) fn measure(rows: &mut Rows) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("ledger");
    if fs::metadata("/dev/shm").is_ok() {
        command.env("TMPDIR", "/dev/shm");
    }
    let output = command.stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the ledger could not be measured");
    let text = String::from_utf8(output.stdout).unwrap();
    let told = |name: &str| -> Vec<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().map(|sample| sample.parse().unwrap()).collect()
    };
    let entries = told("entries")[0];
    let size = told("bytes")[0];
    let about = format!("{entries} entries, nearly all receipts of handoffs of {size} bytes and 28 gates");
    let mut view =
        Row::new("ledger_view", &format!("touch → list of the handoff log drawn, {about}"), "ms", 100.0);
    view.samples = told("view");
    let mut verify = Row::new(
        "ledger_verify",
        &format!("cleanshiftctl log verify: leaves, tree, every root, newest signature; {about}"),
        "s",
        5.0,
    );
    verify.samples = told("verify");
    verify.peers = vec![(
        "journalctl --verify over as many sealed entries of the same text".to_owned(),
        told("journal"),
    )];
    verify.spoiled = entries < 1e6;
    view.spoiled = entries < 1e6;
    rows.take(view);
    rows.take(verify);
}

/// Waits until the shell has used no processor for a while.
fn at_rest(shell: u32) {
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{shell}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    loop {
        let before = ticks();
        std::thread::sleep(Duration::from_millis(300));
        if ticks() <= before + 1 {
            return;
        }
    }
}

fn stamp(number: u64) -> Stamp {
    Stamp {
        utc_ms: 1_700_000_000_000 + i64::try_from(number).unwrap() * 60_000,
        boot_ms: number * 60_000,
        boot_id: "0b1e".to_owned(),
    }
}

fn person(id: u32, key: &str, name: &str) -> Person {
    Person { id: OperatorId(id), key: key.to_owned(), name: name.to_owned(), role: "nurse".to_owned() }
}

/// A handoff with every trace class of Linux.
fn handoff(number: u64) -> Entry {
    let gate = |class: u8| GateAnswer {
        class,
        gate: format!("trace class {class}"),
        answer: if class.is_multiple_of(7) { Answer::NotApplicable } else { Answer::Absent },
        saw: "no process is in the capsule's PID namespace".to_owned(),
        method: "init pidfd".to_owned(),
        took: Duration::from_micros(u64::from(class) + number % 97),
    };
    let body = Body::Handoff(Box::new(Handoff {
        outgoing: Some(person(1, "ana", "Ana Ruiz")),
        incoming: Some(person(2, "ben", "Ben Osei")),
        trigger: Trigger::Takeover,
        opened: Some(stamp(number)),
        began: stamp(number),
        covered_after: Duration::from_micros(900 + number % 89),
        clean_after: Duration::from_millis(310 + number % 83),
        rounds: 1,
        apps: vec![("Chart".to_owned(), true), ("Terminal".to_owned(), false)],
        proof: "init pidfd".to_owned(),
        inside: (1..=6).map(gate).collect(),
        after: (1..=28).map(gate).collect(),
        shared: Vec::new(),
        capabilities: vec![("userns".to_owned(), "yes".to_owned()), ("swap".to_owned(), "none".to_owned())],
        sign_ins: Ends::default(),
        assurance: "UID+PIN: identification, below AAL2".to_owned(),
        policy: "ab".repeat(32),
    }));
    Entry { at: stamp(number), body }
}

/// Fills a ledger, opens its view, verifies it; prints the samples.
pub(crate) fn in_this_process() {
    let wanted = std::env::var("CLEANSHIFT_BENCH_ENTRIES").ok();
    let wanted: u64 = wanted.map_or(1_000_000, |entries| entries.parse().unwrap());
    let mut stage = Stage::set(SIZE).unwrap();
    // The PIN of the opening counts for the log as long as one is waited for: the view is measured, not
    // how fast somebody types.
    let policy = include_str!("../../policies/demo.toml").replace("[times]", "[times]\npatience = \"5 min\"");
    stage.write_policy(&policy, "127.0.0.1:8712").unwrap();
    let issued = stage.enrol().unwrap();
    let state = stage.dir.join("state");
    let store = Store::open(&state, "Station 12").unwrap();
    let mut size = 0;
    let mut journal = Journal::begin(&stage.dir);
    for number in 0..wanted {
        let written = store.append(&handoff(number)).unwrap();
        size = written.json.len();
        journal.append(&written.json);
        if number % 100_000 == 99_999 {
            eprintln!("ledger: {} receipts written", number + 1);
        }
    }
    println!("bytes {size}");
    println!("entries {}", store.entries().unwrap());
    drop(store);
    let journal = journal.finish();
    for entry in fs::read_dir(&state).unwrap().flatten() {
        stage.account.give(&entry.path()).unwrap();
    }

    let mut verify = Vec::new();
    for _ in 0..VERIFIES {
        let began = now();
        let output = stage.ctl(&["log", "verify"]).output().unwrap();
        verify.push((now() - began).as_secs_f64());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    println!("verify {}", words(&verify));
    let peer: Vec<f64> = (0..VERIFIES).map(|_| journal.verify()).collect();
    println!("journal {}", words(&peer));
    drop(journal);

    let mark = stage.mark();
    stage.start_shell().unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    stage.tap("sofia").unwrap();
    stage.first_pin("sofia", &issued).unwrap();
    let list = || stage.screen.part(LIST.0, LIST.1, LIST.2, LIST.3).unwrap().rgb;
    std::thread::sleep(Duration::from_secs(1));
    let launcher = list();
    let touch = || {
        stage.screen.touch(LOG.0, LOG.1).unwrap();
        now()
    };
    // The first view shows what a drawn list looks like.
    let drawn = |rgb: &[u8]| {
        let colours: std::collections::BTreeSet<&[u8]> = rgb.chunks_exact(3).collect();
        rgb != launcher && colours.len() > 8
    };
    let mut view = Vec::new();
    for _ in 0..TIMES {
        let began = touch();
        while !drawn(&list()) {
            assert!(now() - began < Duration::from_secs(30), "the log was not drawn");
        }
        view.push((now() - began).as_secs_f64() * 1e3);
        // Its verification is let finish, so that each view begins from rest.
        at_rest(stage.shell_pid().unwrap());
        stage.screen.key(ESCAPE).unwrap();
        assert!(wait_for(|| list() == launcher), "the log was not closed");
    }
    println!("view {}", words(&view));
    stage.stop_shell().unwrap();
}

fn words(samples: &[f64]) -> String {
    samples.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}
