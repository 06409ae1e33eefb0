//! `cleanshiftctl log verify` names what was done to a ledger, by the real command on real files that the
//! real store has written: damage, old copies, other keys, and what only looks like damage.

#![expect(clippy::disallowed_methods, reason = "the tests start the command and damage files of their own")]
#![expect(unused_results, reason = "a test says what matters by its assertions")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails in a test ends the test")]

#[path = "log_verify/ground.rs"]
mod ground;
#[path = "log_verify/keys.rs"]
mod keys;
#[path = "log_verify/pruning.rs"]
mod pruning;

use cleanshift::evidence::{StationKey, StationSeal};
use cleanshift::ports::{Body, Entry, Ledger as _, Stamp};
use ground::{POLICY, Ran, Station, at, ctl, forge, opened, rebuild_head};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

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
    // What was brought, and could not be held against it, leaves the question open: that is no success.
    let ran = verify(&["--key", &other]);
    assert_eq!((ran.code, &ran.json()["key_checked"]), (2, &false.into()));
    // A part of it: what holds is said, and what cannot be shown.
    write(&receipts[4..]);
    let ran = verify(&["--key", &key]);
    let json = ran.json();
    assert_eq!((ran.code, &json["verdict"]), (2, &"whole".into()));
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
        (station.verify(&[station.policy().to_str().unwrap()]), "neither a copy of station.db, nor exported"),
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
    let kept = std::fs::read(station.state().join("station.key")).unwrap();
    let seed: [u8; 32] = cleanshift::private::unseal(&kept).unwrap().as_slice().try_into().unwrap();
    let seal = StationSeal::new(StationKey::read(&station.key()).unwrap().origin().to_owned(), &seed);
    let db = station.db();
    forge(&db, 2, &seal, |receipt| receipt.change.as_mut().unwrap().after = hash_of_version_1());
    db.execute("UPDATE latest SET after = ?1 WHERE what = 'roster'", [hash_of_version_1()]).unwrap();
    db.execute_batch(
        "DROP TABLE marks; DROP TABLE found; DROP TABLE found_upto; DROP TABLE found_words;
         DROP TABLE found_people; DROP TABLE found_nodes; DROP TABLE outbox; DROP TABLE seen_events;
         DROP TABLE sessions; PRAGMA user_version = 1",
    )
    .unwrap();
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
    assert_eq!((version(), marks, station.key() == key), (3, 5, true));
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
