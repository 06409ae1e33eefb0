//! `cleanshiftctl log verify` names what was done to a ledger, by the real command on real files that the
//! real store has written: damage, old copies, other keys, and what only looks like damage.

#![expect(clippy::disallowed_methods, reason = "the tests start the command and damage files of their own")]
#![expect(unused_results, reason = "a test says what matters by its assertions")]
#![expect(clippy::unwrap_used, reason = "what fails in a test ends the test")]

use std::path::PathBuf;
use std::process::Command;

use cleanshift::evidence::{Frontier, Receipt, StationKey, StationSeal, leaf_hash};
use cleanshift::handoff::OperatorId;
use cleanshift::handoff::record::Record;
use cleanshift::ports::{
    BadgeUid, Body, CodeRows as _, Entry, Ledger as _, Person, RosterRow, RosterRows as _, Stamp,
};
use cleanshift::store::{Keep, Store};
use rusqlite::{Connection, params};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

// ---------------------------------------------------------------------------------------------
// A station with a past
// ---------------------------------------------------------------------------------------------

const POLICY: &str = r#"
roles = ["nurse", "lead"]
[station]
name = "Station 12"
[badge]
mode = "hold"
[supervisors]
roles = ["lead"]
[log]
keep = "30 d"
"#;

/// Long before the policy's 30 days.
fn at(minutes: i64) -> Stamp {
    let minute = 60_000;
    Stamp {
        utc_ms: 1_700_000_000_000 + minutes * minute,
        boot_ms: (minutes * minute).cast_unsigned(),
        boot_id: "b".to_owned(),
    }
}

fn opened(minutes: i64) -> Entry {
    let person = Person {
        id: OperatorId(1),
        key: "ana.ruiz".to_owned(),
        name: "Ana Ruiz".to_owned(),
        role: "Nurse".to_owned(),
    };
    let record = Record::Opened(OperatorId(1));
    Entry { at: at(minutes), body: Body::Core { record, person: Some(person), note: String::new() } }
}

struct Station {
    dir: tempfile::TempDir,
}

/// What a run of the command came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The number of the first bad entry and what is wrong with it.
    fn bad(&self) -> (u64, String) {
        let json = self.json();
        assert_eq!((self.code, json["verdict"].as_str()), (1, Some("broken")), "{self:?}");
        let bad = &json["first_bad"];
        (bad["index"].as_u64().unwrap(), bad["fault"].as_str().unwrap().to_owned())
    }

    fn whole(&self) -> Value {
        let json = self.json();
        assert_eq!((self.code, json["verdict"].as_str()), (0, Some("whole")), "{self:?}");
        json
    }
}

fn ctl<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    let out = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl")).args(arguments).output().unwrap();
    Ran {
        code: out.status.code().unwrap(),
        out: String::from_utf8(out.stdout).unwrap(),
        err: String::from_utf8(out.stderr).unwrap(),
    }
}

impl Station {
    /// Entries 0 (key), 1 (roster), 2 (roster, a code), 3 (policy), 4 to 11 (opened).
    fn new() -> Self {
        let station = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(station.state()).unwrap();
        std::fs::write(station.policy(), POLICY).unwrap();
        let store = station.open();
        let badges = vec![BadgeUid("04AA".to_owned())];
        let ana = RosterRow { key: "ana.ruiz".to_owned(), badges, ..RosterRow::default() };
        store.change(&[ana], &[], "it", "add ana.ruiz", &at(0)).unwrap();
        store.change_code("Ward 4 envelope", Some("$argon2id$1"), "it", &at(0)).unwrap();
        store.note_policy(&cleanshift::policy::hash(POLICY.as_bytes()), "it", &at(0)).unwrap();
        for minutes in 0..8 {
            store.append(&opened(minutes)).unwrap();
        }
        drop(store);
        station
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn policy(&self) -> PathBuf {
        self.dir.path().join("policy.toml")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self) -> Store {
        Store::open(&self.state(), "Station 12").unwrap()
    }

    fn db(&self) -> Connection {
        Connection::open(self.state().join("station.db")).unwrap()
    }

    /// `cleanshiftctl log …` on this station.
    fn log(&self, arguments: &[&str]) -> Ran {
        let (state, policy) = (self.state().display().to_string(), self.policy().display().to_string());
        ctl(&[&["--state", &state, "--policy", &policy, "log"], arguments].concat())
    }

    fn verify(&self, arguments: &[&str]) -> Ran {
        self.log(&[&["verify", "--json"], arguments].concat())
    }

    fn key(&self) -> String {
        self.log(&["key"]).out.trim().to_owned()
    }

    /// Keeps the newest checkpoint in a file.
    fn keep(&self, name: &str) -> String {
        let path = self.file(name).display().to_string();
        assert_eq!(self.log(&["checkpoint", "--out", &path]).code, 0);
        path
    }

    /// Damages the file, looks that it was whole before, and gives what the command says then.
    fn damaged(&self, damage: &str, arguments: &[&str]) -> (u64, String) {
        self.verify(arguments).whole();
        self.db().execute_batch(damage).unwrap();
        self.verify(arguments).bad()
    }

    fn copy_to(&self, name: &str) {
        std::fs::copy(self.state().join("station.db"), self.file(name)).unwrap();
    }

    fn put_back(&self, name: &str) {
        std::fs::copy(self.file(name), self.state().join("station.db")).unwrap();
    }
}

/// Puts the frontier right for what is there, as whoever can write the file could.
fn rebuild_head(db: &Connection) {
    let mut frontier = Frontier::default();
    let mut query = db.prepare("SELECT leaf FROM ledger ORDER BY number").unwrap();
    let mut rows = query.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        frontier.push(row.get(0).unwrap());
    }
    let size = frontier.size().cast_signed();
    db.execute("UPDATE head SET size = ?1, frontier = ?2", params![size, frontier.to_bytes()]).unwrap();
}

/// Writes all entries from this one on anew, after `change` had its way with this one, signed by this key.
fn forge(db: &Connection, from: u64, seal: &StationSeal, change: impl Fn(&mut Receipt)) {
    let mut query = db.prepare("SELECT number, json FROM ledger ORDER BY number").unwrap();
    let rows: Vec<(i64, Vec<u8>)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let (mut frontier, mut previous) = (Frontier::default(), String::new());
    for (number, json) in rows {
        let mut receipt = Receipt::read(&json).unwrap();
        if number.cast_unsigned() == from {
            change(&mut receipt);
        }
        receipt.previous = previous;
        let json = receipt.canonical();
        let leaf = leaf_hash(&json);
        frontier.push(leaf);
        previous = hex::encode(leaf);
        if number.cast_unsigned() >= from {
            let root = frontier.root();
            let checkpoint = seal.sign(frontier.size(), &root).unwrap();
            db.execute(
                "UPDATE ledger SET json = ?2, leaf = ?3, root = ?4, checkpoint = ?5 WHERE number = ?1",
                params![number, json, leaf, root, checkpoint],
            )
            .unwrap();
        }
    }
    rebuild_head(db);
}

// ---------------------------------------------------------------------------------------------
// A hand in the file
// ---------------------------------------------------------------------------------------------

#[test]
fn what_was_done_to_an_entry_is_named_with_it() {
    let edited =
        "UPDATE ledger SET json = CAST(replace(CAST(json AS TEXT), 'Ana', 'Eve') AS BLOB) WHERE number = 5";
    for (damage, arguments, found) in [
        (edited, &[][..], (5, "edited")),
        ("UPDATE ledger SET leaf = zeroblob(32) WHERE number = 6", &[], (6, "edited")),
        ("UPDATE ledger SET root = zeroblob(32) WHERE number = 6", &[], (6, "wrong-root")),
        (
            "UPDATE ledger SET checkpoint = replace(checkpoint, char(10) || '8' || char(10), char(10) || '9' || char(10))
             WHERE number = 7",
            &[],
            (7, "wrong-checkpoint"),
        ),
        // A flipped letter of the signature: the newest is always checked, an older one only with all.
        (
            "UPDATE ledger SET checkpoint = substr(checkpoint, 1, length(checkpoint) - 6)
                 || CASE substr(checkpoint, -6, 1) WHEN 'A' THEN 'B' ELSE 'A' END || substr(checkpoint, -5)
             WHERE number = 11",
            &[],
            (11, "bad-signature"),
        ),
        (
            "UPDATE ledger SET checkpoint = substr(checkpoint, 1, length(checkpoint) - 6)
                 || CASE substr(checkpoint, -6, 1) WHEN 'A' THEN 'B' ELSE 'A' END || substr(checkpoint, -5)
             WHERE number = 7",
            &["--all-signatures"],
            (7, "bad-signature"),
        ),
        ("DELETE FROM ledger WHERE number = 6", &[], (6, "missing")),
        (
            "UPDATE ledger SET number = -1 WHERE number = 6; UPDATE ledger SET number = 6 WHERE number = 7;
             UPDATE ledger SET number = 7 WHERE number = -1",
            &[],
            (6, "reordered"),
        ),
        ("DELETE FROM ledger WHERE number > 8", &[], (9, "missing")),
        ("UPDATE ledger SET json = x'', checkpoint = '' WHERE number = 6", &[], (6, "removed")),
        ("UPDATE ledger SET json = x'', checkpoint = '' WHERE number = 0", &[], (0, "removed")),
        ("UPDATE roster SET roles = '[\"lead\"]'", &[], (11, "changed-outside")),
        ("UPDATE badges SET uid = '04EE'", &[], (11, "changed-outside")),
        ("UPDATE codes SET phc = '$argon2id$2'", &[], (11, "changed-outside")),
        ("INSERT INTO codes VALUES ('Mine', '$argon2id$3')", &[], (11, "changed-outside")),
    ] {
        let (index, fault) = Station::new().damaged(damage, arguments);
        assert_eq!((index, fault.as_str()), found, "{damage}");
    }
}

#[test]
fn a_policy_that_no_entry_tells_of_is_named() {
    let station = Station::new();
    assert_eq!(station.verify(&[]).whole()["policy_checked"], true);
    std::fs::write(station.policy(), POLICY.replace("30 d", "31 d")).unwrap();
    let ran = station.verify(&[]);
    assert_eq!(ran.bad(), (11, "changed-outside".to_owned()));
    assert!(ran.out.contains("is not the one that the newest entry about it says"), "{ran:?}");
    // The file of some other place says nothing of a state directory that was named.
    let state = station.state().display().to_string();
    assert_eq!(ctl(&["--state", &state, "log", "verify", "--json"]).whole()["policy_checked"], false);
}

#[test]
fn the_sentence_says_what_was_checked() {
    let station = Station::new();
    let key = station.key();
    let sentence = |arguments: &[&str]| {
        let ran = station.log(&[&["verify"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out.lines().next().unwrap().to_owned()
    };
    assert_eq!(sentence(&[]), "consistent, key not checked: 12 entries, newest signature checked");
    assert_eq!(sentence(&["--key", &key]), "whole: 12 entries, newest signature checked with this key");
    let all = sentence(&["--key", &key, "--all-signatures"]);
    assert_eq!(all, "whole: 12 entries, all 12 signatures checked with this key");
    let json = station.verify(&[]).whole();
    assert_eq!((&json["key_checked"], &json["signatures"]), (&Value::Bool(false), &1.into()));
    let json = station.verify(&["--key", &key, "--all-signatures"]).whole();
    assert_eq!((&json["key_checked"], &json["signatures"]), (&Value::Bool(true), &12.into()));
}

// ---------------------------------------------------------------------------------------------
// Checkpoints that were kept elsewhere
// ---------------------------------------------------------------------------------------------

#[test]
fn a_cut_tail_is_seen_against_a_checkpoint_alone_and_that_is_said() {
    let station = Station::new();
    let kept = station.keep("kept");
    let text = std::fs::read_to_string(&kept).unwrap();
    station.verify(&["--against", &kept]).whole();
    let db = station.db();
    db.execute("DELETE FROM ledger WHERE number > 8", []).unwrap();
    rebuild_head(&db);
    station.verify(&[]).whole();
    let ran = station.log(&["verify"]);
    assert!(
        ran.out.contains("entries cut off at the end together with their checkpoints cannot be seen"),
        "{ran:?}"
    );
    for against in [&kept, &text, text.trim_end()] {
        let ran = station.verify(&["--against", against]);
        assert_eq!(ran.bad(), (9, "truncated".to_owned()));
        assert_eq!(ran.json()["against"][0]["result"], "truncated");
        assert!(ran.out.contains("truncated below a known checkpoint"), "{ran:?}");
    }
    // The same where the frontier alone would tell of it.
    let station = Station::new();
    let kept = station.keep("kept");
    station.db().execute("DELETE FROM ledger WHERE number > 8", []).unwrap();
    assert_eq!(station.verify(&["--against", &kept]).bad(), (9, "truncated".to_owned()));
}

#[test]
fn an_old_copy_that_was_put_back_is_named_even_when_it_was_written_on() {
    let station = Station::new();
    let first = station.keep("first");
    station.copy_to("old.db");
    let store = station.open();
    for minutes in 20..24 {
        store.append(&opened(minutes)).unwrap();
    }
    drop(store);
    let second = station.keep("second");
    station.verify(&["--against", &first, "--against", &second]).whole();
    station.put_back("old.db");
    station.verify(&[]).whole();
    assert_eq!(
        station.verify(&["--against", &first, "--against", &second]).bad(),
        (12, "truncated".to_owned())
    );
    let store = station.open();
    for minutes in 30..36 {
        store.append(&opened(minutes)).unwrap();
    }
    drop(store);
    station.verify(&["--against", &first]).whole();
    let ran = station.verify(&["--against", &second, "--against", &first]);
    assert_eq!(ran.bad(), (12, "rewritten".to_owned()));
    assert!(ran.out.contains("one of the entries 12 to 15 is not the one"), "{ran:?}");
    assert_eq!(station.log(&["anchor", &second]).code, 2);
}

#[test]
fn a_checkpoint_that_is_not_this_ledgers_is_told_apart_from_a_damaged_one() {
    let (station, other) = (Station::new(), Station::new());
    let (own, foreign) = (station.keep("own"), other.keep("foreign"));
    assert_eq!(station.verify(&["--against", &foreign]).bad(), (0, "wrong-key".to_owned()));
    let text = std::fs::read_to_string(&own).unwrap();
    let damaged = station.file("damaged").display().to_string();
    std::fs::write(&damaged, text.replace("\n12\n", "\n13\n")).unwrap();
    let ran = station.verify(&["--against", &damaged]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.json()["error"].as_str().unwrap().contains("it was changed where it was kept"), "{ran:?}");
    for nonsense in ["/no/such/file", "a\nb\n"] {
        let ran = station.verify(&["--against", nonsense]);
        assert!(ran.code == 2 && ran.err.contains("cleanshiftctl log checkpoint"), "{ran:?}");
    }
    // Several in one file, as a file that each day's checkpoint is added to.
    station.open().append(&opened(20)).unwrap();
    assert_eq!(station.keep("own"), own);
    assert_eq!(station.verify(&["--against", &own]).whole()["against"].as_array().unwrap().len(), 2);
}

// ---------------------------------------------------------------------------------------------
// Keys
// ---------------------------------------------------------------------------------------------

#[test]
fn a_foreign_key_is_named() {
    let station = Station::new();
    let other = Station::new().key();
    let ran = station.verify(&["--key", &other]);
    assert_eq!(ran.bad(), (0, "wrong-key".to_owned()));
    assert!(ran.out.contains(&format!("begun with {}", station.key())), "{ran:?}");
    std::fs::write(station.state().join("station.key"), [1; 32]).unwrap();
    assert_eq!(station.verify(&[]).bad(), (11, "wrong-key".to_owned()));
}

#[test]
fn a_changed_key_is_followed_from_either_end() {
    let station = Station::new();
    let (old, kept) = (station.key(), station.keep("kept"));
    let secret = std::fs::read(station.state().join("station.key")).unwrap();
    let store = station.open();
    let beside = station.log(&["rotate-key"]);
    assert!(beside.code == 2 && beside.err.contains("another Cleanshift is running"), "{beside:?}");
    drop(store);
    let ran = station.log(&["rotate-key", "--json"]);
    let new = ran.json()["new"].as_str().unwrap().to_owned();
    assert_eq!(
        (ran.json()["old"].as_str(), station.key() == new, old == new),
        (Some(old.as_str()), true, false)
    );
    // The old secret is nowhere in the state any more; that it would be found shows the new one.
    let next = std::fs::read(station.state().join("station.key")).unwrap();
    let holds = |secret: &[u8]| {
        std::fs::read_dir(station.state()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            memchr::memmem::find(&bytes, secret).is_some()
        })
    };
    assert!(holds(&next) && !holds(&secret));
    station.open().append(&opened(20)).unwrap();
    for key in [&old, &new] {
        for all in [&[][..], &["--all-signatures"]] {
            let json = station.verify(&[&["--key", key, "--against", &kept], all].concat()).whole();
            assert_eq!((&json["key_checked"], json["keys"].as_array().unwrap().len()), (&true.into(), 2));
        }
    }
    // And once more.
    assert_eq!(station.log(&["rotate-key"]).code, 0);
    let newest = station.key();
    for key in [&old, &new, &newest] {
        assert_eq!(station.verify(&["--key", key, "--all-signatures"]).whole()["key_checked"], true);
    }
    let stranger = Station::new().key();
    let ran = station.verify(&["--key", &stranger]);
    assert_eq!(ran.bad(), (0, "wrong-key".to_owned()));
    assert!(ran.out.contains("this key is none of its 3"), "{ran:?}");
    assert!(!station.verify(&[]).whole()["key_checked"].as_bool().unwrap());
}

#[test]
fn a_key_that_came_without_the_old_ones_signature_is_a_wrong_key() {
    // Signed anew by another key, without a word.
    let station = Station::new();
    let key = StationKey::read(&station.key()).unwrap();
    let thief = StationSeal::new(key.origin().to_owned(), &[9; 32]);
    forge(&station.db(), 6, &thief, |_| {});
    assert_eq!(station.verify(&[]).bad(), (6, "wrong-key".to_owned()));
    // An entry that says that the key was changed, which only the new one has signed.
    let station = Station::new();
    assert_eq!(station.log(&["rotate-key"]).code, 0);
    station.open().append(&opened(20)).unwrap();
    let thiefs = StationKey::read(&thief.public()).unwrap();
    forge(&station.db(), 12, &thief, |receipt| {
        assert_eq!(receipt.kind, "key");
        receipt.note = thiefs.text().to_owned();
        receipt.change.as_mut().unwrap().after = thiefs.fingerprint();
    });
    let ran = station.verify(&[]);
    assert_eq!(ran.bad(), (12, "wrong-key".to_owned()));
    assert!(ran.out.contains("the key before has not signed it"), "{ran:?}");
}

#[test]
fn a_change_of_the_key_that_was_broken_off_is_brought_to_an_end_or_was_none() {
    let station = Station::new();
    let path = |name: &str| station.state().join(name);
    let old = std::fs::read(path("station.key")).unwrap();
    station.copy_to("before.db");
    station.log(&["rotate-key"]);
    let (new, public) = (std::fs::read(path("station.key")).unwrap(), station.key());
    let whole = || {
        drop(station.open());
        assert!(!path("station.key.new").exists());
        station.verify(&["--key", &station.key()]).whole();
    };
    // Before the old one was overwritten; while it was; after it.
    for left in [Some(old.clone()), Some(vec![0; 32]), None] {
        std::fs::write(path("station.key.new"), &new).unwrap();
        match left {
            Some(left) => std::fs::write(path("station.key"), left).unwrap(),
            None => std::fs::remove_file(path("station.key")).unwrap(),
        }
        // Reading alone changes nothing, and knows the key.
        assert_eq!(station.key(), public);
        assert!(path("station.key.new").exists());
        whole();
        assert_eq!(std::fs::read(path("station.key")).unwrap(), new);
    }
    // Before the entry was durable: the new one never was the key.
    station.put_back("before.db");
    std::fs::write(path("station.key"), &old).unwrap();
    std::fs::write(path("station.key.new"), &new).unwrap();
    whole();
    assert_eq!(std::fs::read(path("station.key")).unwrap(), old);
}

// ---------------------------------------------------------------------------------------------
// Pruning
// ---------------------------------------------------------------------------------------------

fn pruned() -> Station {
    let station = Station::new();
    let kept = station.keep("kept");
    assert_eq!(station.log(&["anchor", &kept, "--place", "the auditor's safe"]).code, 0);
    let ran = station.log(&["prune", "--json"]);
    // Entries 1 (a roster of before), and 4 to 11; the key, the newest roster and policy stay.
    assert_eq!((&ran.json()["texts"], &ran.json()["ranges"][0]["upto"]), (&9.into(), &12.into()), "{ran:?}");
    station
}

#[test]
fn nothing_is_pruned_without_a_checkpoint_that_is_kept_elsewhere() {
    let station = Station::new();
    let ran = station.log(&["prune"]);
    assert!(ran.code == 0 && ran.out.contains("Nothing was pruned"), "{ran:?}");
    assert!(ran.out.contains("no checkpoint over them is kept elsewhere"), "{ran:?}");
    let texts = || -> i64 {
        let sql = "SELECT count(*) FROM ledger WHERE length(json) > 0";
        station.db().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(texts(), 12);
    // What is newer than the policy keeps stays, anchored or not: the anchor itself is of now.
    let kept = station.keep("kept");
    station.log(&["anchor", &kept]);
    let newer = station.keep("newer");
    station.log(&["anchor", &newer]);
    station.log(&["prune"]);
    assert_eq!(texts(), 3 + 3, "key, roster, policy; two anchors and what was pruned");
    assert_eq!(station.verify(&[]).whole()["pruned"], 9);
    let ran = station.log(&["prune"]);
    assert!(ran.out.starts_with("Nothing was pruned.\n") && ran.out.lines().count() == 1, "{ran:?}");
    std::fs::write(station.policy(), POLICY.replace("[log]\nkeep = \"30 d\"", "")).unwrap();
    assert!(station.log(&["prune"]).out.contains("the policy keeps the log for ever"));
}

#[test]
fn a_pruned_ledger_is_whole_and_says_so() {
    let station = pruned();
    let (key, kept) = (station.key(), station.file("kept").display().to_string());
    let ran = station.log(&["verify", "--key", &key, "--all-signatures", "--against", &kept]);
    let said = "whole: 14 entries, all 5 signatures checked with this key; \
                9 of them pruned below the anchor at 12 entries: hashes only";
    assert!(ran.code == 0 && ran.out.starts_with(said), "{ran:?}");
    let json = station.verify(&[]).whole();
    assert_eq!((&json["pruned"], &json["pruned_below"]), (&9.into(), &12.into()));
    assert!(station.log(&["show", "5"]).out.contains("was pruned"));
    assert!(station.log(&["show", "13"]).out.contains("The text of entries 0 to 11 was given up"));
    assert!(station.log(&["list"]).out.contains("(pruned)"));
    // Nothing of the old entries is left in the file; the anchor's text shows that it would be found.
    drop(station.open());
    station.db().execute_batch("PRAGMA secure_delete = ON; DELETE FROM journal").unwrap();
    let file = std::fs::read(station.state().join("station.db")).unwrap();
    let holds = |text: &[u8]| memchr::memmem::find(&file, text).is_some();
    assert!(holds(b"the auditor's safe") && !holds(b"Ana Ruiz"));
    // The station goes on.
    station.open().append(&opened(40)).unwrap();
    station.verify(&["--key", &key]).whole();
    station.log(&["rotate-key"]);
    assert_eq!(station.verify(&["--key", &key]).whole()["key_checked"], true);
}

#[test]
fn what_was_done_to_a_pruned_ledger_is_named() {
    for (damage, found) in [
        ("UPDATE ledger SET leaf = zeroblob(32) WHERE number = 6", (6, "edited")),
        ("UPDATE ledger SET root = zeroblob(32) WHERE number = 6", (6, "edited")),
        ("DELETE FROM ledger WHERE number = 6", (6, "missing")),
        ("UPDATE ledger SET json = x'', checkpoint = '' WHERE number = 12", (12, "removed")),
        ("UPDATE ledger SET json = x'', checkpoint = '' WHERE number = 0", (0, "removed")),
    ] {
        let (index, fault) = pruned().damaged(damage, &[]);
        assert_eq!((index, fault.as_str()), found, "{damage}");
    }
    // Hashes worked out anew over a changed one are what no key has signed.
    let station = pruned();
    let db = station.db();
    let mut frontier = Frontier::default();
    for number in 0..14 {
        let leaf: [u8; 32] =
            db.query_row("SELECT leaf FROM ledger WHERE number = ?1", [number], |row| row.get(0)).unwrap();
        frontier.push(if number == 6 { [7; 32] } else { leaf });
        let sql = "UPDATE ledger SET leaf = ?2, root = ?3 WHERE number = ?1";
        db.execute(sql, params![number, if number == 6 { [7; 32] } else { leaf }, frontier.root()]).unwrap();
    }
    rebuild_head(&db);
    let (index, _) = station.verify(&[]).bad();
    assert_eq!(index, 12, "the first entry after it that has its text");
}

#[test]
fn pruning_that_dies_at_any_step_leaves_a_whole_ledger_and_goes_on() {
    use cleanshift::platform::rehearsal::disk::{Death, Disk, Fault, Weather};
    use cleanshift::platform::rehearsal::vfs;
    use cleanshift::store::Rehearsed;
    vfs::register();
    let rehearsed = Rehearsed { vfs: vfs::NAME.to_owned(), seed: [1; 32], at: at(0) };
    let keep = Keep { keep_ms: 86_400_000, policy: "ab".to_owned(), by: "station".to_owned() };
    let now = Stamp { utc_ms: at(0).utc_ms + 100 * 86_400_000, ..at(0) };
    let (mut interrupted, mut finished) = (0, 0);
    for (change, seed) in (0..40).flat_map(|change| (0..3).map(move |seed| (change, seed))) {
        let disk = Disk::new(seed);
        let open = || Store::rehearse(disk.dir().as_ref(), "S", &rehearsed).unwrap();
        let store = open();
        for minutes in 0..30 {
            store.append(&opened(minutes)).unwrap();
        }
        let checkpoint = store.page(None, 1).unwrap()[0].checkpoint.clone();
        let kept = cleanshift::evidence::Kept::read_all(&checkpoint).unwrap();
        store.anchor(&kept[0], "", "it", &at(31)).unwrap();
        disk.plan(disk.changes() + change, Fault::Fails(Weather::Failing));
        let mut failed = false;
        for _ in 0..4 {
            failed |= store.prune_once(&keep, &now).is_err();
        }
        interrupted += u32::from(failed);
        disk.kill(if seed == 0 { Death::Killed } else { Death::PowerCut });
        drop(store);
        disk.boot();
        disk.forget_plan();
        let store = open();
        let verdict = store.audit_against(None, true, &kept).unwrap();
        assert!(verdict.whole(), "change {change}, seed {seed}: {verdict:?}");
        finished += u32::from(verdict.pruned == 30);
        while store.prune_once(&keep, &now).unwrap().more() {}
        let verdict = store.audit_against(None, true, &kept).unwrap();
        assert!(verdict.whole() && verdict.pruned == 30, "change {change}, seed {seed}: {verdict:?}");
    }
    assert!(interrupted > 10 && finished > 10, "{interrupted} were broken off, {finished} were not");
}

// ---------------------------------------------------------------------------------------------
// Copies, exports, and what cannot be verified
// ---------------------------------------------------------------------------------------------

#[test]
fn a_copy_is_verified_as_it_lies_and_one_without_its_wal_says_so() {
    let station = Station::new();
    let copy = station.file("audit.db").display().to_string();
    let verify = |file: &str| ctl(&["log", "verify", file, "--json"]);
    let wal =
        |ran: &Ran| ran.json()["notes"].to_string().contains("copy both files, or stop the station first");
    let store = station.open();
    store.append(&opened(20)).unwrap();
    // While the station runs, the newest entry is in the WAL.
    station.copy_to("audit.db");
    let ran = verify(&copy);
    assert!(ran.whole()["entries"] == 12 && wal(&ran), "{ran:?}");
    std::fs::copy(station.state().join("station.db-wal"), station.file("audit.db-wal")).unwrap();
    let ran = verify(&copy);
    assert!(ran.whole()["entries"] == 13 && !wal(&ran), "{ran:?}");
    for name in ["audit.db-wal", "audit.db-shm"] {
        let _ = std::fs::remove_file(station.file(name));
    }
    store.append(&Entry { at: at(21), body: Body::Stopped }).unwrap();
    drop(store);
    station.copy_to("audit.db");
    let ran = verify(&copy);
    assert!(ran.whole()["entries"] == 14 && !wal(&ran), "{ran:?}");
    assert!(!station.file("audit.db-shm").exists(), "nothing was written beside the copy");
    assert_eq!(
        ctl(&["log", "verify", &copy, "--json", "--key", &station.key()]).whole()["key_checked"],
        true
    );
    station.db().execute("UPDATE ledger SET leaf = zeroblob(32) WHERE number = 6", []).unwrap();
    station.copy_to("audit.db");
    assert_eq!(verify(&copy).bad(), (6, "edited".to_owned()));
    // A station that was never stopped: the file alone may hold nothing at all.
    std::fs::write(&copy, []).unwrap();
    let ran = verify(&copy);
    assert!(ran.code == 2 && ran.err.contains("station.db-wal belongs to it"), "{ran:?}");
}

#[test]
fn exported_receipts_are_verified_as_far_as_they_can_be() {
    let station = Station::new();
    let store = station.open();
    let mut receipts: Vec<Vec<u8>> = store.page(None, 100).unwrap().iter().map(|e| e.json.to_vec()).collect();
    receipts.reverse();
    drop(store);
    let export = station.file("export.jsonl").display().to_string();
    let write = |lines: &[Vec<u8>]| {
        let text = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect::<Vec<u8>>();
        std::fs::write(&export, text).unwrap();
    };
    let verify = |more: &[&str]| ctl(&[&["log", "verify", &export, "--json"], more].concat());
    write(&receipts);
    let json = verify(&[]).whole();
    assert_eq!((&json["in_tree"], &json["key_checked"]), (&false.into(), &false.into()));
    assert!(json["notes"].to_string().contains("no signature was checked"));
    let kept = station.keep("export.jsonl.checkpoint");
    let key = station.key();
    let json = verify(&["--key", &key]).whole();
    assert_eq!((&json["in_tree"], &json["key_checked"]), (&true.into(), &true.into()), "{json}");
    let other = Station::new().key();
    assert_eq!(verify(&["--key", &other]).whole()["key_checked"], false);
    // A part of it: what holds is said, and what cannot be shown.
    write(&receipts[4..]);
    let json = verify(&["--key", &key]).whole();
    assert_eq!(
        (&json["from"], &json["in_tree"], &json["key_checked"]),
        (&4.into(), &false.into(), &false.into())
    );
    assert!(json["notes"].to_string().contains("that they are in the station's tree was not"));
    let damaged = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = receipts.clone();
        change(&mut lines);
        write(&lines);
        verify(&["--against", &kept]).bad()
    };
    let flipped = |lines: &mut Vec<Vec<u8>>| {
        let place = memchr::memmem::find(&lines[6], b"Ana").unwrap();
        lines[6][place] = b'E';
    };
    assert_eq!(damaged(&flipped), (7, "edited".to_owned()), "the one after it does not follow");
    assert_eq!(damaged(&|lines| drop(lines.remove(6))), (6, "missing".to_owned()));
    assert_eq!(damaged(&|lines| lines.swap(6, 7)), (6, "missing".to_owned()));
    assert_eq!(damaged(&|lines| lines[6].push(b' ')), (6, "edited".to_owned()));
    let newest = |lines: &mut Vec<Vec<u8>>| {
        let place = memchr::memmem::find(&lines[11], b"Ana").unwrap();
        lines[11][place] = b'E';
    };
    assert_eq!(damaged(&newest), (11, "wrong-root".to_owned()));
}

#[test]
fn what_cannot_be_verified_says_why_and_what_to_do() {
    let station = Station::new();
    for (ran, remedy) in [
        (station.verify(&["--key", "nonsense"]), "cleanshiftctl log key"),
        (station.verify(&["--key", "a+b+c"]), "NAME+ID+BASE64"),
        (station.log(&["show", "99", "--json"]), "the newest is 11"),
        (station.verify(&["/no/such/file"]), "/no/such/file"),
        (station.verify(&[station.policy().to_str().unwrap()]), "neither a copy of station.db nor exported"),
    ] {
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(remedy), "{ran:?}");
        assert!(ran.json()["error"].as_str().unwrap().contains(remedy), "{ran:?}");
    }
    let path = station.state().join("station.db");
    let whole = std::fs::read(&path).unwrap();
    // No page of SQLite's may be damaged so that a program is told nothing.
    let (mut broken, mut unreadable) = (0, 0);
    for place in (16..whole.len()).step_by(1021) {
        let mut bytes = whole.clone();
        bytes[place..(place + 64).min(whole.len())].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        let ran = station.verify(&[]);
        match ran.code {
            0 => {}
            1 => {
                broken += 1;
                assert_eq!(ran.json()["verdict"], "broken", "{ran:?}");
            }
            2 => {
                unreadable += 1;
                assert!(!ran.json()["error"].as_str().unwrap().is_empty(), "{ran:?}");
            }
            other => panic!("{other}: {ran:?}"),
        }
    }
    assert!(broken > 0 && unreadable > 0, "{broken} broken, {unreadable} unreadable");
    let header = [&[0; 100], &whole[100..]].concat();
    std::fs::write(&path, header).unwrap();
    let ran = station.verify(&[]);
    assert!(ran.code == 2 && ran.err.contains("put station.db with its station.db-wal back"), "{ran:?}");
}

#[test]
fn a_clock_is_said_to_go_backwards_only_when_it_did() {
    let station = Station::new();
    let store = station.open();
    let backwards =
        || station.verify(&[]).whole()["notes"].to_string().matches("the clock went backwards").count();
    store.append(&opened(20)).unwrap();
    // The first entry, and with it the store, was made by the clock of this machine.
    let before = backwards();
    // Stamped before the entry above by another program, and written after it.
    store.append(&opened(19)).unwrap();
    assert_eq!(backwards(), before);
    let set_back = Stamp { utc_ms: at(10).utc_ms, ..at(21) };
    store.append(&Entry { at: set_back, ..opened(0) }).unwrap();
    assert_eq!(backwards(), before + 1);
}

/// What version 1 hashed: of the break-glass codes, their names alone.
fn hash_of_version_1() -> String {
    let rows = r#"[{"badges":["04AA"],"id":1,"key":"ana.ruiz","name":"","roles":[],"valid_from_utc_ms":null,"valid_until_utc_ms":null}]"#;
    hex::encode(Sha256::digest(format!(r#"{rows}["Ward 4 envelope"]"#)))
}

#[test]
fn a_store_of_version_1_is_read_as_it_is_and_taken_further_when_it_is_opened() {
    let station = Station::new();
    let seed: [u8; 32] = std::fs::read(station.state().join("station.key")).unwrap().try_into().unwrap();
    let seal = StationSeal::new(StationKey::read(&station.key()).unwrap().origin().to_owned(), &seed);
    let db = station.db();
    forge(&db, 2, &seal, |receipt| receipt.change.as_mut().unwrap().after = hash_of_version_1());
    db.execute("UPDATE latest SET after = ?1 WHERE what = 'roster'", [hash_of_version_1()]).unwrap();
    db.execute_batch("DROP TABLE marks; PRAGMA user_version = 1").unwrap();
    drop(db);
    let version =
        || -> i64 { station.db().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap() };
    // An auditor's look changes nothing.
    let key = station.key();
    assert_eq!(station.verify(&["--key", &key, "--all-signatures"]).whole()["entries"], 12);
    assert_eq!(version(), 1);
    station.copy_to("one.db");
    drop(station.open());
    let marks: i64 = station.db().query_row("SELECT count(*) FROM marks", [], |row| row.get(0)).unwrap();
    assert_eq!((version(), marks, station.key() == key), (2, 5, true));
    // An entry says that the codes themselves are hashed from now on; once.
    let ran = station.log(&["show", "12"]);
    assert!(ran.out.contains("hash the break-glass codes themselves"), "{ran:?}");
    drop(station.open());
    assert_eq!(station.verify(&["--key", &key]).whole()["entries"], 13);
    let (index, fault) = station.damaged("UPDATE codes SET phc = '$argon2id$2'", &[]);
    assert_eq!((index, fault.as_str()), (12, "changed-outside"));
    // What was changed outside before is not taken for what version 1 has written.
    station.put_back("one.db");
    station.db().execute("UPDATE codes SET name = 'Mine'", []).unwrap();
    drop(station.open());
    assert_eq!(station.verify(&[]).bad(), (11, "changed-outside".to_owned()));
}

// ---------------------------------------------------------------------------------------------
// Bugs planted
// ---------------------------------------------------------------------------------------------

/// The tests above would see a store that does it wrongly.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_of_keeping_are_found_by_verification() {
    use cleanshift::handoff::planted::{Bug, KEEPING, plant};
    for bug in KEEPING {
        let station = Station::new();
        let kept = station.keep("kept");
        let store = station.open();
        for minutes in 50..60 {
            store.append(&opened(minutes)).unwrap();
        }
        let checkpoint = std::fs::read_to_string(&kept).unwrap();
        let kept = cleanshift::evidence::Kept::read_all(&checkpoint).unwrap();
        store.anchor(&kept[0], "", "it", &at(61)).unwrap();
        assert!(store.audit(None, false).unwrap().whole());
        let keep = Keep { keep_ms: 86_400_000, policy: "ab".to_owned(), by: "station".to_owned() };
        let now = Stamp { utc_ms: at(0).utc_ms + 100 * 86_400_000, ..at(62) };
        plant(Some(bug));
        for _ in 0..3 {
            store.prune_once(&keep, &now).unwrap();
        }
        store.rotate_key("it", &now).unwrap();
        plant(None);
        let found = store.audit(None, false).unwrap().first_bad.map(|bad| bad.fault.word());
        let expected = match bug {
            Bug::PrunedUnanchored => "edited",
            Bug::PrunedUnsaid => "removed",
            _ => "wrong-key",
        };
        assert_eq!(found, Some(expected), "{bug:?}");
    }
}
