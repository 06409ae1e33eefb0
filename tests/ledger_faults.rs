//! No fault of the disk, of a killed writer or of somebody's hand leaves a ledger that is believed
//! and wrong. Verification is the judge.
//!
//! One thing nobody can see from the ledger alone: a tail that was cut off together with its
//! checkpoints, by somebody who could write the file. A checkpoint that was kept elsewhere shows it.

#![expect(clippy::disallowed_methods, reason = "the tests start and kill writers of their own")]
#![expect(unused_results, reason = "a test says what matters by its assertions")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a test ends the test")]

#[path = "ledger_faults/outbox.rs"]
mod outbox;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cleanshift::evidence::verify::{Bad, Fault};
use cleanshift::evidence::{Frontier, StationKey, StationSeal, Verdict, checkpoint, leaf_hash};
use cleanshift::handoff::OperatorId;
use cleanshift::handoff::record::{Record, Trigger};
use cleanshift::ports::{
    Answer, BadgeUid, Body, Ends, Entry, GateAnswer, Handoff, Ledger as _, Person, RosterRow,
    RosterRows as _, Stamp, Written,
};
use cleanshift::store::Store;
use rusqlite::{Connection, params};

// ---------------------------------------------------------------------------------------------
// A ledger to be damaged
// ---------------------------------------------------------------------------------------------

fn stamp(number: u32) -> Stamp {
    Stamp {
        utc_ms: 1_790_000_000_000 + i64::from(number) * 60_000,
        boot_ms: u64::from(number),
        boot_id: "0b1e".to_owned(),
    }
}

fn person(name: &str) -> Person {
    Person {
        id: OperatorId(1),
        key: name.to_lowercase().replace(' ', "."),
        name: name.to_owned(),
        role: "Nurse".to_owned(),
    }
}

/// A handoff of real size: 28 gates.
fn handoff(number: u32) -> Entry {
    let gate = |class: u8| GateAnswer {
        class,
        gate: format!("gate {class}"),
        answer: if class.is_multiple_of(7) { Answer::NotApplicable } else { Answer::Absent },
        saw: "0 processes in the recorded namespace".to_owned(),
        method: "init pidfd".to_owned(),
        took: Duration::from_micros(u64::from(class)),
    };
    let body = Body::Handoff(Box::new(Handoff {
        outgoing: Some(person("Ana Ruiz")),
        incoming: Some(person("Ben Osei")),
        trigger: Trigger::Takeover,
        opened: Some(stamp(number)),
        began: stamp(number),
        covered_after: Duration::from_micros(900),
        clean_after: Duration::from_millis(310),
        rounds: 1,
        apps: vec![("Chart".to_owned(), true), ("Browser".to_owned(), false)],
        proof: "init pidfd".to_owned(),
        inside: Vec::new(),
        after: (1..=28).map(gate).collect(),
        shared: Vec::new(),
        capabilities: vec![("userns".to_owned(), "yes".to_owned())],
        sign_ins: Ends::default(),
        assurance: "UID+PIN: identification, below AAL2".to_owned(),
        policy: "ab".repeat(32),
    }));
    Entry { at: stamp(number), body }
}

fn opened(number: u32) -> Entry {
    let record = Record::Opened(OperatorId(1));
    let body = Body::Core { record, person: Some(person("Ana Ruiz")), note: String::new(), unfinished: None };
    Entry { at: stamp(number), body }
}

fn row(key: &str, badge: &str) -> RosterRow {
    let badges = vec![BadgeUid(badge.to_owned())];
    RosterRow { key: key.to_owned(), name: key.to_owned(), badges, ..RosterRow::default() }
}

/// Entries 0 (key), 1 (roster), then pairs of opened and handoff.
fn fill(dir: &Path, pairs: u32) -> Store {
    let store = Store::open(dir, "Station 12").unwrap();
    store.change(&[row("ana.ruiz", "04AA")], &[], "it", "add ana.ruiz", &stamp(0)).unwrap();
    for number in 0..pairs {
        store.append(&opened(number)).unwrap();
        store.append(&handoff(number)).unwrap();
    }
    store
}

fn database(dir: &Path) -> Connection {
    Connection::open(dir.join("station.db")).unwrap()
}

fn audit(dir: &Path, key: Option<&StationKey>, all_signatures: bool) -> Verdict {
    Store::open_read(dir).unwrap().audit(key, all_signatures).unwrap()
}

fn bad(dir: &Path, key: Option<&StationKey>, all_signatures: bool) -> Bad {
    audit(dir, key, all_signatures).first_bad.expect("the damage is found")
}

/// Does the damage, judges, and undoes it.
fn with_change(db: &Connection, change: &str, undo: &str, judge: impl FnOnce()) {
    db.execute_batch(change).unwrap();
    judge();
    db.execute_batch(undo).unwrap();
}

// ---------------------------------------------------------------------------------------------
// A hand in the file
// ---------------------------------------------------------------------------------------------

#[test]
fn every_flipped_byte_is_named_with_its_entry() {
    let dir = tempfile::tempdir().unwrap();
    let key = fill(dir.path(), 4).public_key().unwrap();
    let db = database(dir.path());
    for number in 0..10_i64 {
        for (column, fault) in [
            ("json", Some(Fault::Edited)),
            ("leaf", Some(Fault::Edited)),
            ("root", Some(Fault::WrongRoot)),
            // Text, signature, or no UTF-8 any more: it depends on the byte.
            ("checkpoint", None),
        ] {
            let read = format!("SELECT CAST({column} AS BLOB) FROM ledger WHERE number = ?1");
            let whole: Vec<u8> = db.query_row(&read, [number], |row| row.get(0)).unwrap();
            let kind = if column == "checkpoint" { "TEXT" } else { "BLOB" };
            let write = format!("UPDATE ledger SET {column} = CAST(?2 AS {kind}) WHERE number = ?1");
            for place in (0..whole.len()).step_by(whole.len() / 16 + 1).chain([whole.len() - 1]) {
                let mut flipped = whole.clone();
                flipped[place] ^= 1;
                db.execute(&write, params![number, flipped]).unwrap();
                let found = bad(dir.path(), Some(&key), true);
                let what = format!("{column} of entry {number} at {place}: {found:?}");
                assert_eq!(found.index, number.cast_unsigned(), "{what}");
                assert_eq!(found.fault, fault.unwrap_or(found.fault), "{what}");
            }
            db.execute(&write, params![number, whole]).unwrap();
        }
    }
    assert!(audit(dir.path(), Some(&key), true).whole());
}

#[test]
fn what_stands_beside_the_entries_must_agree_with_them() {
    let dir = tempfile::tempdir().unwrap();
    drop(fill(dir.path(), 2));
    let db = database(dir.path());
    db.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM head").unwrap();
    db.execute_batch("CREATE TEMP TABLE was AS SELECT * FROM latest").unwrap();
    let head = "INSERT OR REPLACE INTO head SELECT * FROM kept";
    let latest = "INSERT OR REPLACE INTO latest SELECT * FROM was";
    for (change, undo) in [
        ("UPDATE head SET size = 7", head),
        ("UPDATE head SET size = 5", head),
        ("UPDATE head SET frontier = zeroblob(64)", head),
        ("UPDATE head SET frontier = zeroblob(63)", head),
        ("DELETE FROM head", head),
        ("UPDATE latest SET after = 'x' WHERE what = 'roster'", latest),
        ("UPDATE latest SET after = 'x' WHERE what = 'key'", latest),
        ("DELETE FROM latest", latest),
        ("UPDATE roster SET name = 'Eve'", "UPDATE roster SET name = 'ana.ruiz'"),
        ("UPDATE badges SET uid = '04EE'", "UPDATE badges SET uid = '04AA'"),
    ] {
        with_change(&db, change, undo, || {
            let found = bad(dir.path(), None, false);
            assert!(found.index >= 5, "{change}: {found:?}");
        });
        assert!(audit(dir.path(), None, false).whole(), "{undo}");
    }
}

#[test]
fn a_dropped_row_and_a_swapped_pair_are_named() {
    let dir = tempfile::tempdir().unwrap();
    drop(fill(dir.path(), 4));
    let db = database(dir.path());
    db.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM ledger").unwrap();
    for number in 0..10 {
        let drop_one = format!("DELETE FROM ledger WHERE number = {number}");
        with_change(&db, &drop_one, "INSERT OR IGNORE INTO ledger SELECT * FROM kept", || {
            let found = bad(dir.path(), None, false);
            assert_eq!((found.index, found.fault), (number, Fault::Missing));
        });
    }
    for number in 0..9 {
        let next = number + 1;
        let swap = format!(
            "UPDATE ledger SET number = -1 WHERE number = {number};
             UPDATE ledger SET number = {number} WHERE number = {next};
             UPDATE ledger SET number = {next} WHERE number = -1"
        );
        with_change(&db, &swap, &swap, || {
            let found = bad(dir.path(), None, false);
            assert_eq!((found.index, found.fault), (number, Fault::Reordered));
            assert_eq!(found.what, format!("reordered: entry {next} stands in its place"));
        });
    }
    assert!(audit(dir.path(), None, true).whole());
}

/// Puts the frontier right for the first `size` entries, as whoever can write the file could.
fn rebuild_head(db: &Connection, size: u64) {
    let mut frontier = Frontier::default();
    let mut query = db.prepare("SELECT leaf FROM ledger ORDER BY number LIMIT ?1").unwrap();
    let mut rows = query.query([size.cast_signed()]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        frontier.push(row.get(0).unwrap());
    }
    db.execute("UPDATE head SET size = ?1, frontier = ?2", params![size.cast_signed(), frontier.to_bytes()])
        .unwrap();
}

#[test]
fn a_cut_tail_is_seen_by_the_frontier_or_by_a_checkpoint_kept_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = fill(dir.path(), 4);
    let kept = store.page(None, 1).unwrap()[0].checkpoint.clone();
    let key = store.public_key().unwrap();
    drop(store);
    let db = database(dir.path());
    db.execute("DELETE FROM ledger WHERE number >= 7", []).unwrap();
    let found = bad(dir.path(), Some(&key), false);
    assert_eq!((found.index, found.fault), (7, Fault::Missing));
    let refused = Store::open(dir.path(), "Station 12").err().unwrap();
    assert!(refused.0.contains("its newest entry is not what was written"), "{refused}");
    // Whoever also puts the frontier right leaves a shorter ledger that is whole in itself. Only
    // the checkpoint that was kept elsewhere tells: it is signed by the station, and not in here.
    rebuild_head(&db, 7);
    assert!(audit(dir.path(), Some(&key), true).whole());
    assert_eq!(key.check(&kept), checkpoint::Signature::Good);
    let inside: i64 = db
        .query_row("SELECT count(*) FROM ledger WHERE checkpoint = ?1", [&*kept], |row| row.get(0))
        .unwrap();
    assert_eq!(inside, 0);
}

/// Edits an entry and puts right all that follows, as somebody could who can write the file.
fn forge(db: &Connection, from: u64, seal: Option<&StationSeal>) {
    let rows: Vec<(i64, Vec<u8>, String)> = db
        .prepare("SELECT number, json, checkpoint FROM ledger ORDER BY number")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut frontier = Frontier::default();
    let mut previous = String::new();
    for (number, json, old) in rows {
        let mut receipt: serde_json::Value = serde_json::from_slice(&json).unwrap();
        receipt["previous"] = previous.into();
        if number.cast_unsigned() == from {
            receipt["note"] = "nothing happened".into();
        }
        let json = serde_json_canonicalizer::to_vec(&receipt).unwrap();
        let leaf = leaf_hash(&json);
        frontier.push(leaf);
        previous = hex::encode(leaf);
        if number.cast_unsigned() < from {
            continue;
        }
        let root = frontier.root();
        let checkpoint = if let Some(seal) = seal {
            seal.sign(frontier.size(), &root).unwrap()
        } else {
            let (_, signatures) = old.split_once("\n\n").unwrap();
            let (origin, base64) = (old.lines().next().unwrap(), tlog_tiles::Hash(root));
            format!("{origin}\n{}\n{base64}\n\n{signatures}", frontier.size())
        };
        db.execute(
            "UPDATE ledger SET json = ?2, leaf = ?3, root = ?4, checkpoint = ?5 WHERE number = ?1",
            params![number, json, leaf, root, checkpoint],
        )
        .unwrap();
    }
    rebuild_head(db, frontier.size());
}

#[test]
fn a_forger_without_the_key_is_named_where_the_forging_begins() {
    let dir = tempfile::tempdir().unwrap();
    let key = fill(dir.path(), 4).public_key().unwrap();
    forge(&database(dir.path()), 5, None);
    for key in [Some(&key), None] {
        let found = bad(dir.path(), key, false);
        assert_eq!((found.index, found.fault), (5, Fault::BadSignature));
    }
    assert!(Store::open(dir.path(), "Station 12").is_err(), "nothing is signed on top of it");
}

#[test]
fn another_key_is_a_wrong_key_and_without_one_nobody_vouches() {
    let dir = tempfile::tempdir().unwrap();
    let key = fill(dir.path(), 2).public_key().unwrap();
    let seal = StationSeal::new(key.origin().to_owned(), &[9; 32]);
    let other = StationKey::read(&seal.public()).unwrap();
    let found = bad(dir.path(), Some(&other), false);
    assert_eq!((found.index, found.fault), (0, Fault::WrongKey));
    let verdict = audit(dir.path(), None, false);
    assert!(verdict.whole() && !verdict.key_checked);
    assert_eq!(verdict.sentence(), "consistent, key not checked: 6 entries, newest signature checked");
    assert!(audit(dir.path(), Some(&key), false).key_checked);
    // Entries that somebody has signed anew with a key of his own.
    forge(&database(dir.path()), 3, Some(&seal));
    let found = bad(dir.path(), Some(&key), false);
    assert_eq!((found.index, found.fault), (3, Fault::WrongKey));
}

// ---------------------------------------------------------------------------------------------
// A disk that loses
// ---------------------------------------------------------------------------------------------

/// Copies the store as a power cut would leave it, with one file cut to this length.
fn copy_cut(from: &Path, to: &Path, cut: &str, length: usize) {
    for name in ["station.db", "station.db-wal", "station.db-shm", "station.key", "station.lock"] {
        let _ = std::fs::remove_file(to.join(name));
    }
    for name in ["station.db", "station.db-wal", "station.key"] {
        let Ok(mut bytes) = std::fs::read(from.join(name)) else { continue };
        if name == cut {
            bytes.truncate(length);
        }
        std::fs::write(to.join(name), bytes).unwrap();
    }
}

/// Cuts a file at many lengths: how many of these stores opened with a whole prefix, were refused,
/// or opened and were named as broken by verification.
fn cut_everywhere(dir: &Path, file: &str, written: &[Written]) -> (u32, u32, u32) {
    let copy = tempfile::tempdir().unwrap();
    let (mut prefixes, mut refused, mut broken) = (0, 0, 0);
    let length = std::fs::read(dir.join(file)).unwrap().len();
    assert!(length > 4096, "{file} has something to lose");
    let step = length / 160 + 1;
    for cut in (0..length).step_by(step).chain(0..4).chain(length - 4..length) {
        copy_cut(dir, copy.path(), file, cut);
        let Ok(store) = Store::open(copy.path(), "Station 12") else {
            refused += 1;
            continue;
        };
        let verdict = store.audit(Some(&store.public_key().unwrap()), true).unwrap();
        if !verdict.whole() {
            broken += 1;
            continue;
        }
        prefixes += 1;
        let left = store.page(None, 100).unwrap();
        assert!(!left.is_empty(), "{file} cut at {cut}");
        assert_eq!(left, written[written.len() - left.len()..], "{file} cut at {cut}");
        // It goes on from there.
        store.append(&opened(1000)).unwrap();
        assert!(store.verify().unwrap().is_ok());
    }
    println!("{file}: {prefixes} whole prefixes, {refused} refused, {broken} named by verification");
    (prefixes, refused, broken)
}

#[test]
fn a_file_cut_anywhere_opens_with_a_whole_prefix_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = fill(dir.path(), 12);
    let written = store.page(None, 100).unwrap();
    // A power cut while the shell runs: what is lost of the WAL is lost entry by entry.
    let (prefixes, ..) = cut_everywhere(dir.path(), "station.db-wal", &written);
    assert!(prefixes > 100);
    cut_everywhere(dir.path(), "station.db", &written);
    // Everything in the one file, and that file cut.
    drop(store);
    let (_, refused, broken) = cut_everywhere(dir.path(), "station.db", &written);
    assert!(refused + broken > 100);
}

/// Appends until it fails: how many entries were acknowledged, and why the next was not.
fn append_until_it_fails(store: &Store) -> (u64, String) {
    loop {
        let before = store.entries().unwrap();
        if let Err(error) = store.append(&handoff(7)) {
            return (before, error.0);
        }
        assert!(before < 100_000, "the disk never fails");
    }
}

/// A tiny file system of its own, for whoever may mount one.
struct TinyDisk(PathBuf);

impl TinyDisk {
    fn mount(at: &Path) -> Option<Self> {
        let tmpfs = ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"];
        let mounted = Command::new("mount").args(tmpfs).arg(at).output();
        mounted.is_ok_and(|done| done.status.success()).then(|| Self(at.to_owned()))
    }

    fn read_only(&self) {
        let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_or_read_only_disk_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = TinyDisk::mount(dir.path()) else {
        eprintln!("no file system could be mounted here; the test of a file that may not grow stands in");
        return;
    };
    let ballast = dir.path().join("ballast");
    std::fs::write(&ballast, vec![0; 600_000]).unwrap();
    let store = fill(dir.path(), 2);
    let (acknowledged, why) = append_until_it_fails(&store);
    assert_eq!(why, "write the entry: the disk is full");
    assert_eq!(store.entries().unwrap(), acknowledged);
    let change = store.change(&[row("ben.osei", "04BB")], &[], "it", "add ben.osei", &stamp(9));
    assert!(change.is_err());
    assert_eq!(store.all().unwrap().len(), 1);
    assert_eq!(store.verify().unwrap(), Ok(acknowledged));
    // Room again: the same store goes on.
    std::fs::remove_file(&ballast).unwrap();
    store.append(&handoff(8)).unwrap();
    assert_eq!(store.verify().unwrap(), Ok(acknowledged + 1));
    drop(store);
    disk.read_only();
    let refused = Store::open(dir.path(), "Station 12").err().unwrap();
    assert!(refused.0.contains("ead-only"), "{refused}");
    // A medium that is read-only can still be read and verified.
    assert!(audit(dir.path(), None, true).whole());
}

// ---------------------------------------------------------------------------------------------
// A writer that dies
// ---------------------------------------------------------------------------------------------

/// Set for a process that is to write into this directory until it is killed.
const WRITE_TO: &str = "CLEANSHIFT_TEST_WRITE_TO";

/// The other process of two tests below; by itself it does nothing.
#[test]
fn writer() {
    let Ok(dir) = std::env::var(WRITE_TO) else { return };
    let store = Store::open(Path::new(&dir), "Station 12").unwrap();
    for number in 0.. {
        match store.append(&if number % 2 == 0 { opened(number) } else { handoff(number) }) {
            Ok(written) => println!("wrote {}", written.index),
            Err(error) => {
                assert_eq!(store.verify().unwrap(), Ok(store.entries().unwrap()));
                println!("failed {error}");
                return;
            }
        }
    }
}

/// Starts the other process; `before` is shell text that runs first in it.
fn start_writer(dir: &Path, before: &str) -> std::process::Child {
    let me = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", &format!("{before} exec \"$0\" --exact writer --nocapture"), me.to_str().unwrap()])
        .env(WRITE_TO, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The number of an entry that the other process says it has written. The test harness may have
/// begun the line.
fn number_in(line: &str) -> Option<u64> {
    line.split_once("wrote ").and_then(|(_, number)| number.parse().ok())
}

#[test]
fn a_writer_that_is_killed_loses_no_entry_that_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = None;
    for round in 0..25 {
        let mut child = start_writer(dir.path(), "");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut random = [0, 0];
        getrandom::fill(&mut random).unwrap();
        for _ in 0..=random[0] % 16 {
            acknowledged = lines.by_ref().find_map(|line| number_in(&line));
        }
        std::thread::sleep(Duration::from_micros(u64::from(random[1]) * 16));
        child.kill().unwrap();
        // What it had still said before it died counts too.
        acknowledged = lines.filter_map(|line| number_in(&line)).last().or(acknowledged);
        child.wait().unwrap();
        let store = Store::open(dir.path(), "Station 12").unwrap();
        let length = store.entries().unwrap();
        assert!(
            acknowledged.is_some_and(|index| index < length),
            "round {round}: {acknowledged:?}, {length}"
        );
        assert_eq!(store.verify().unwrap(), Ok(length), "round {round}");
        // The journal agrees with the newest entry: open after `opened`, finished after `handoff`.
        let newest = store.page(None, 1).unwrap();
        let receipt = cleanshift::evidence::Receipt::read(&newest[0].json).unwrap();
        assert_eq!(store.unfinished().unwrap().is_some(), receipt.kind == "opened", "round {round}");
    }
    let key = Store::open_read(dir.path()).unwrap().public_key().unwrap();
    let verdict = audit(dir.path(), Some(&key), true);
    assert!(verdict.whole() && verdict.entries > 50, "{verdict:?}");
}

#[test]
fn a_file_that_may_not_grow_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    drop(fill(dir.path(), 2));
    // 512 blocks of 512 or 1024 bytes, as the shell has it; either is soon full.
    let child = start_writer(dir.path(), "trap '' XFSZ; ulimit -f 512;");
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{text}");
    assert!(text.contains("failed write the entry: the disk"), "{text}");
    let store = Store::open(dir.path(), "Station 12").unwrap();
    let length = store.entries().unwrap();
    assert_eq!(text.lines().filter_map(number_in).next_back(), Some(length - 1));
    assert_eq!(store.verify().unwrap(), Ok(length));
    store.append(&handoff(1)).unwrap();
    assert_eq!(store.verify().unwrap(), Ok(length + 1));
}

// ---------------------------------------------------------------------------------------------
// Somebody else's arithmetic
// ---------------------------------------------------------------------------------------------

/// RFC 6962 by the definition, in another language, with nothing of ours.
const STRANGER: &str = r#"
import base64, hashlib, json, sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
rows = db.execute("SELECT number, json, leaf, root, checkpoint FROM ledger ORDER BY number").fetchall()
def tree(leaves):
    if len(leaves) == 1: return leaves[0]
    k = 1
    while k * 2 < len(leaves): k *= 2
    return hashlib.sha256(b"\1" + tree(leaves[:k]) + tree(leaves[k:])).digest()
leaves, previous = [], ""
for place, (number, text, leaf, root, checkpoint) in enumerate(rows):
    leaves.append(hashlib.sha256(b"\0" + text).digest())
    receipt = json.loads(text)
    canonical = json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical.encode() == text, place
    assert place == number == receipt["index"] and receipt["previous"] == previous, place
    assert leaves[-1] == leaf and tree(leaves) == root, place
    lines = checkpoint.split("\n")
    assert lines[0] == "cleanshift.station/Station%2012" and lines[1] == str(place + 1), place
    assert base64.b64decode(lines[2]) == root and lines[3] == "" and len(lines) == 6, place
    previous = leaf.hex()
print(len(rows))
"#;

#[test]
fn a_stranger_gets_the_same_roots() {
    let dir = tempfile::tempdir().unwrap();
    drop(fill(dir.path(), 20));
    let path = dir.path().join("station.db");
    let Ok(out) = Command::new("python3").args(["-c", STRANGER]).arg(path).output() else {
        eprintln!("there is no python3 here");
        return;
    };
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "42", "{complaint}");
}
