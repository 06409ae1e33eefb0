//! Old entries give up their text, and nothing else.

use cleanshift::evidence::Frontier;
use cleanshift::ports::{Ledger as _, Search as _, Stamp};
use cleanshift::store::{Keep, Store};
use rusqlite::params;

use crate::ground::{POLICY, Station, at, opened, rebuild_head};

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
    assert!(station.log(&["show", "13"]).out.contains("The text of entries 0 to 11, but of changes"));
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

/// The tests above would see a store that does it wrongly.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_of_keeping_are_found_by_verification() {
    use cleanshift::handoff::planted::{KEEPING, plant};
    for (bug, expected) in KEEPING.into_iter().zip(["edited", "removed", "wrong-key"]) {
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
        assert_eq!(found, Some(expected), "{bug:?}");
    }
}

#[test]
fn a_pruned_ledger_exports_and_proves_what_is_left() {
    let station = pruned();
    let (jsonl, proofs) = (station.file("left.jsonl"), station.file("proofs"));
    for (format, out) in [("jsonl", &jsonl), ("proof", &proofs)] {
        let out = out.display().to_string();
        let ran = station.log(&["export", "--format", format, "--out", &out, "--json"]);
        let told = ran.json();
        assert_eq!((&told["entries"], &told["pruned"]), (&5.into(), &9.into()), "{ran:?}");
    }
    let text = std::fs::read_to_string(jsonl).unwrap();
    assert!(
        text.lines().count() == 5
            && text.contains(r#""kind":"pruned""#)
            && text.contains(r#""kind":"anchored""#)
    );
    let mut files: Vec<_> = std::fs::read_dir(proofs).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 5);
    for file in files {
        let ran = station.log(&["verify", &file.display().to_string(), "--key", &station.key()]);
        assert!(ran.code == 0 && ran.out.contains("in the ledger of 14 entries"), "{ran:?}");
    }
    let controls = station.log(&["controls", "--json"]).json();
    let controls = controls["controls"].as_array().unwrap();
    let control = controls.iter().find(|control| control["id"] == "AU-12").unwrap();
    let pruned =
        |count: &serde_json::Value| count["what"] == "entries whose text was pruned" && count["count"] == 9;
    assert!(control["counts"].as_array().unwrap().iter().any(pruned), "{control}");
    assert!(control["exceptions"].as_array().unwrap().is_empty(), "{control}");
}

#[test]
fn the_view_verifies_what_was_pruned_and_what_an_older_key_signed() {
    let station = pruned();
    assert_eq!(station.log(&["rotate-key"]).code, 0);
    let store = station.open();
    store.append(&opened(900)).unwrap();
    let entries = store.entries().unwrap();
    for number in 0..entries {
        assert_eq!(store.check(number).unwrap(), Ok(entries), "entry {number}");
    }
    // A hash that was put in the place of a pruned one is not in the tree.
    let old = "UPDATE ledger SET leaf = zeroblob(32) WHERE number = 5";
    station.db().execute_batch(old).unwrap();
    let said = store.check(5).unwrap().unwrap_err();
    assert!(said.contains("the newest checkpoint does not have it"), "{said}");
}
