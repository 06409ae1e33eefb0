//! The store does what its ports promise, and refuses what it must not open.

use std::time::Duration;

use super::*;
use crate::evidence::Receipt;
use crate::evidence::verify::Fault;
use crate::handoff::record::{Denial, Record, Trigger};
use crate::handoff::{OperatorId, Reason};
use crate::ports::{
    BadgeUid, Body, Ends, Entry, Handoff, Intent, Ledger as _, Person, PinRow, RosterRow, RosterRows as _,
};

fn at(seconds: i64) -> Stamp {
    Stamp { utc_ms: 1_790_000_000_000 + seconds * 1000, boot_ms: 5, boot_id: "b".to_owned() }
}

fn ana() -> Person {
    Person {
        id: OperatorId(1),
        key: "ana.ruiz".to_owned(),
        name: "Ana Ruiz".to_owned(),
        role: "Nurse".to_owned(),
    }
}

fn core(record: Record, person: Option<Person>, note: &str) -> Entry {
    Entry { at: at(1), body: Body::Core { record, person, note: note.to_owned(), unfinished: None } }
}

fn handoff() -> Entry {
    let body = Body::Handoff(Box::new(Handoff {
        outgoing: Some(ana()),
        incoming: None,
        trigger: Trigger::BadgeOut,
        opened: Some(at(0)),
        began: at(1),
        covered_after: Duration::from_micros(900),
        clean_after: Duration::from_millis(310),
        rounds: 1,
        apps: vec![("Chart".to_owned(), true)],
        proof: "init pidfd".to_owned(),
        inside: Vec::new(),
        after: Vec::new(),
        shared: Vec::new(),
        capabilities: vec![("userns".to_owned(), "yes".to_owned())],
        sign_ins: Ends::default(),
        assurance: String::new(),
        policy: "ab".to_owned(),
    }));
    Entry { at: at(2), body }
}

fn row(key: &str, badge: &str) -> RosterRow {
    RosterRow {
        key: key.to_owned(),
        name: key.to_uppercase(),
        roles: vec!["nurse".to_owned()],
        badges: vec![BadgeUid(badge.to_owned())],
        pin: Some(PinRow { phc: "$argon2id$".to_owned(), one_time: true }),
        ..RosterRow::default()
    }
}

fn refusal(result: Result<Store>) -> String {
    result.err().expect("it should be refused").0
}

fn kinds(store: &Store) -> Vec<String> {
    let mut kinds: Vec<String> =
        store.page(None, 100).unwrap().iter().map(|entry| Receipt::read(&entry.json).unwrap().kind).collect();
    kinds.reverse();
    kinds
}

#[test]
fn the_first_entry_names_the_key_and_the_files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("new/state");
    let store = Store::open(&state, "Station 12").unwrap();
    assert_eq!(kinds(&store), ["key"]);
    assert_eq!(store.verify().unwrap(), Ok(1));
    assert_eq!(store.public_key().unwrap().origin(), "cleanshift.station/Station%2012");
    let is_private =
        |path: &Path| !crate::private::is_open_to_others(&std::fs::File::open(path).unwrap()).unwrap();
    assert!(crate::private::is_closed(&state).unwrap());
    let mut names: Vec<_> = std::fs::read_dir(&state).unwrap().map(|file| file.unwrap().path()).collect();
    names.sort();
    assert!(names.iter().all(|file| is_private(file)), "{names:?}");
    assert!(names.contains(&state.join("station.key")) && !names.contains(&state.join("station.key.new")));
}

#[test]
fn every_record_gets_its_kind() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let id = OperatorId(1);
    for record in [
        Record::Denied(id, Denial::WrongPin),
        Record::Denied(id, Denial::Disabled),
        Record::BadgeUnknown,
        Record::Quarantined(Reason::Residue),
        Record::Released(id),
        Record::Viewed(id),
        Record::Opened(id),
    ] {
        let _ = store.append(&core(record, Some(ana()), "note")).unwrap();
    }
    let _ = store.append(&handoff()).unwrap();
    let started = Body::Started { version: "1".to_owned(), policy: "ab".to_owned(), capabilities: vec![] };
    let _ = store.append(&Entry { at: at(3), body: started }).unwrap();
    let _ = store.append(&Entry { at: at(4), body: Body::Stopped }).unwrap();
    assert_eq!(
        kinds(&store),
        [
            "key",
            "denied",
            "disabled",
            "badge-unknown",
            "quarantine",
            "released",
            "viewed",
            "opened",
            "handoff",
            "started",
            "stopped"
        ]
    );
    let quarantine = Receipt::read(&store.page(Some(5), 1).unwrap()[0].json).unwrap();
    assert_eq!(quarantine.note, "a trace was found: note");
    assert_eq!(quarantine.at.utc, "2026-09-21T14:13:21.000Z");
    assert_eq!(store.verify().unwrap(), Ok(11));
    assert!(store.append(&core(Record::Handoff(None, Trigger::Idle), None, "")).is_err());
    assert_eq!(store.entries().unwrap(), 11);
}

#[test]
fn pages_come_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    for _ in 0..9 {
        let _ = store.append(&core(Record::BadgeUnknown, None, "")).unwrap();
    }
    let indexes = |before, limit| -> Vec<u64> {
        store.page(before, limit).unwrap().iter().map(|entry| entry.index).collect()
    };
    assert_eq!(indexes(None, 3), [9, 8, 7]);
    assert_eq!(indexes(Some(7), 3), [6, 5, 4]);
    assert_eq!(indexes(Some(1), 3), [0]);
    assert_eq!(indexes(Some(0), 3), [0; 0]);
}

#[test]
fn the_journal_knows_what_was_begun_until_the_handoff_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    assert_eq!(store.unfinished().unwrap(), None);
    store.intend(Intent::Open(ana(), at(7))).unwrap();
    let begun = store.unfinished().unwrap().unwrap();
    assert_eq!((begun.person, begun.opened), (Some(ana()), Some(at(7))));
    let _ = store.append(&core(Record::Opened(OperatorId(1)), Some(ana()), "")).unwrap();
    assert_eq!(store.unfinished().unwrap().unwrap().last, "a session was open");
    drop(store);
    let store = Store::open(dir.path(), "S").unwrap();
    assert_eq!(store.unfinished().unwrap().unwrap().person, Some(ana()));
    store.intend(Intent::Begin(Trigger::Takeover)).unwrap();
    store.intend(Intent::Destroy).unwrap();
    let begun = store.unfinished().unwrap().unwrap();
    assert_eq!((begun.person, begun.last.as_str()), (Some(ana()), "the capsule was being destroyed"));
    let _ = store.append(&core(Record::Quarantined(Reason::Residue), Some(ana()), "")).unwrap();
    assert!(store.unfinished().unwrap().is_some());
    let _ = store.append(&handoff()).unwrap();
    assert_eq!(store.unfinished().unwrap(), None);
}

#[test]
fn a_break_glass_that_was_never_written_leaves_the_session_before_it_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let _ = store.append(&core(Record::Opened(OperatorId(1)), Some(ana()), "")).unwrap();
    store.intend(Intent::Begin(Trigger::BadgeOut)).unwrap();
    let glass = Person { id: OperatorId::EMERGENCY, key: "break-glass".to_owned(), ..ana() };
    store.intend(Intent::Open(glass.clone(), at(3))).unwrap();
    assert_eq!(store.unfinished().unwrap().unwrap().person, Some(glass));
    let written = store.append(&handoff()).unwrap();
    assert_eq!(Receipt::read(&written.json).unwrap().operator.unwrap().key, "ana.ruiz");
    assert_eq!(store.unfinished().unwrap(), None);
}

#[test]
fn one_shell_at_a_time_and_it_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Store::open(dir.path(), "S").unwrap();
    assert!(refusal(Store::open(dir.path(), "S")).contains("another Cleanshift is running"));
    let beside = Store::open_beside(dir.path(), "S").unwrap();
    beside.change(&[row("ana.ruiz", "04AA")], &[], "it", "add ana.ruiz", &at(1)).unwrap();
    let _ = shell.append(&handoff()).unwrap();
    beside.change(&[row("ben.osei", "04BB")], &[], "it", "add ben.osei", &at(2)).unwrap();
    let _ = shell.append(&handoff()).unwrap();
    assert_eq!(kinds(&shell), ["key", "roster", "handoff", "roster", "handoff"]);
    let read = Store::open_read(dir.path()).unwrap();
    assert_eq!(read.verify().unwrap(), Ok(5));
    assert_eq!(read.all().unwrap().len(), 2);
    assert!(read.append(&handoff()).is_err());
    drop(shell);
    drop(Store::open(dir.path(), "S").unwrap());
}

#[test]
fn a_roster_change_and_its_entry_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    store.change(&[row("ana.ruiz", "04AA"), row("ben.osei", "04BB")], &[], "it", "add two", &at(1)).unwrap();
    let twice = store.change(&[row("eva.lind", "04CC"), row("kim.lee", "04AA")], &[], "it", "add", &at(1));
    assert_eq!(twice.unwrap_err().0, "write the roster: badge 04AA is ana.ruiz's already");
    let twice = store.change(&[row("ana.ruiz", "04DD")], &[], "it", "add", &at(1));
    assert_eq!(twice.unwrap_err().0, "write the roster: ana.ruiz is on it already");
    let nobody = store.change(&[], &["eva.lind".to_owned()], "it", "remove", &at(1));
    assert_eq!(nobody.unwrap_err().0, "write the roster: eva.lind is not on it");
    assert_eq!(kinds(&store), ["key", "roster"]);
    // Two operators swap their badges.
    let mut rows = store.all().unwrap();
    let (left, right) = rows.split_at_mut(1);
    std::mem::swap(&mut left[0].badges, &mut right[0].badges);
    store.change(&rows, &[], "it", "swap badges", &at(2)).unwrap();
    let found = store.by_badge(&BadgeUid("04AA".to_owned())).unwrap().unwrap();
    assert_eq!(found.key, "ben.osei");
    assert_eq!(found, store.by_id(OperatorId(found.id)).unwrap().unwrap());
    // Neither counter nor PIN is a change of the roster.
    store.count(OperatorId(found.id), 10, 99, true).unwrap();
    store.set_pin(OperatorId(found.id), &PinRow { phc: "new".to_owned(), one_time: false }).unwrap();
    let now = store.by_id(OperatorId(found.id)).unwrap().unwrap();
    assert_eq!((now.wrong, now.wrong_last_utc_ms, now.disabled), (10, 99, true));
    assert_eq!(now.pin.unwrap().phc, "new");
    assert!(store.count(OperatorId(77), 1, 1, false).is_err());
    assert_eq!(store.verify().unwrap(), Ok(3));
    // The number of somebody who has left is never given to another.
    store.change(&[], &["ben.osei".to_owned()], "it", "remove ben.osei", &at(3)).unwrap();
    store.change(&[row("new.one", "04AA")], &[], "it", "add new.one", &at(4)).unwrap();
    assert!(store.all().unwrap().iter().all(|row| row.key == "ana.ruiz" || row.id > found.id));
    store.change(&[], &["ana.ruiz".to_owned(), "new.one".to_owned()], "it", "remove all", &at(5)).unwrap();
    store.change(&[row("new.two", "04BB")], &[], "it", "add new.two", &at(6)).unwrap();
    assert_eq!(store.verify().unwrap(), Ok(7));
}

#[test]
fn a_roster_changed_outside_is_named_even_after_the_next_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    store.change(&[row("ana.ruiz", "04AA")], &[], "it", "add ana.ruiz", &at(1)).unwrap();
    for change in [
        "UPDATE roster SET roles = '[\"supervisor\"]'",
        "UPDATE badges SET uid = '04EE'",
        "UPDATE roster SET valid_until = 5",
    ] {
        let _ = store.writer().unwrap().db.execute(change, []).unwrap();
        let bad = store.audit(None, false).unwrap().first_bad.unwrap();
        assert_eq!((bad.index, bad.fault), (1, Fault::ChangedOutside));
        assert_eq!(bad.what, "the roster was changed outside Cleanshift after this entry");
    }
    store.change(&[row("ben.osei", "04BB")], &[], "it", "add ben.osei", &at(2)).unwrap();
    let bad = store.audit(None, false).unwrap().first_bad.unwrap();
    assert_eq!((bad.index, bad.fault), (2, Fault::ChangedOutside));
}

#[test]
fn a_policy_is_noted_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    assert!(store.note_policy("aa", "it", &at(1)).unwrap().is_some());
    assert!(store.note_policy("aa", "it", &at(2)).unwrap().is_none());
    let written = store.note_policy("bb", "it", &at(3)).unwrap().unwrap();
    let change = Receipt::read(&written.json).unwrap().change.unwrap();
    assert_eq!((change.before.as_str(), change.after.as_str()), ("aa", "bb"));
    assert_eq!(store.verify().unwrap(), Ok(3));
}

#[test]
fn a_key_or_a_ledger_that_is_gone_is_never_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    drop(Store::open(dir.path(), "S").unwrap());
    let key = std::fs::read(path("station.key")).unwrap();
    // A crash between the first entry and the key's final name is healed.
    std::fs::rename(path("station.key"), path("station.key.new")).unwrap();
    drop(Store::open(dir.path(), "S").unwrap());
    assert!(path("station.key").exists());
    std::fs::remove_file(path("station.key")).unwrap();
    assert!(refusal(Store::open(dir.path(), "S")).contains("station.key is missing"));
    // An auditor's copy without the secret can be read and verified.
    assert!(Store::open_read(dir.path()).unwrap().verify().unwrap().is_ok());
    std::fs::write(path("station.key"), [1; 32]).unwrap();
    assert!(refusal(Store::open(dir.path(), "S")).contains("not the key that the ledger was begun with"));
    std::fs::write(path("station.key"), [1; 31]).unwrap();
    assert!(refusal(Store::open(dir.path(), "S")).contains("not a key of 32 bytes"));
    std::fs::write(path("station.key"), key).unwrap();
    std::fs::remove_file(path("station.db")).unwrap();
    assert!(refusal(Store::open(dir.path(), "S")).contains("the ledger is gone"));
}

#[test]
fn a_newer_store_and_another_programs_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), "S").unwrap());
    let change = |pragma: &str, number: i32| {
        let db = Connection::open(dir.path().join("station.db")).unwrap();
        db.pragma_update(None, pragma, number).unwrap();
    };
    change("user_version", 1_000);
    assert!(refusal(Store::open(dir.path(), "S")).contains("a newer Cleanshift wrote it"));
    assert!(refusal(Store::open_read(dir.path())).contains("a newer Cleanshift wrote it"));
    change("application_id", 5);
    assert!(refusal(Store::open(dir.path(), "S")).contains("not a store of Cleanshift"));
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(Store::open_read(empty.path())).contains("there is none in"));
}

#[test]
fn a_station_that_is_renamed_keeps_its_origin_and_tells_its_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), "Old").unwrap());
    let store = Store::open(dir.path(), "New").unwrap();
    let written = store.append(&handoff()).unwrap();
    assert_eq!(Receipt::read(&written.json).unwrap().station, "New");
    assert!(written.checkpoint.starts_with("cleanshift.station/Old\n2\n"));
    assert_eq!(store.verify().unwrap(), Ok(2));
}

#[test]
fn a_clock_that_goes_backwards_is_told_and_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    for utc_ms in [1_790_000_000_000, i64::MAX, 1_480_000_000_000, i64::MIN] {
        let at = Stamp { utc_ms, ..at(0) };
        let _ = store.append(&Entry { at, body: Body::Stopped }).unwrap();
    }
    let verdict = store.audit(Some(&store.public_key().unwrap()), true).unwrap();
    assert!(verdict.whole(), "{verdict:?}");
    assert!(verdict.notes.iter().any(|note| note.contains("the clock went backwards before entry 3")));
}

#[test]
fn an_opening_has_one_end_however_often_a_handoff_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "Station 12").unwrap();
    let _ = store.append(&core(Record::Opened(OperatorId(1)), Some(ana()), "")).unwrap();
    // The first answer was late, and the station has cleaned up once more.
    for whose in [Some("ana.ruiz"), None] {
        let written = store.append(&handoff()).unwrap();
        let receipt = Receipt::read(&written.json).unwrap();
        assert_eq!(receipt.operator.as_ref().map(|who| who.key.as_str()), whose);
        assert_eq!(receipt.handoff.unwrap().opened.is_some(), whose.is_some());
        assert_eq!(receipt.note.contains("no session of ana.ruiz was open"), whose.is_none());
    }
    // A handoff that does not know whose session it ends is told by the ledger.
    let _ = store.append(&core(Record::Opened(OperatorId(1)), Some(ana()), "")).unwrap();
    let mut unknowing = handoff();
    if let Body::Handoff(facts) = &mut unknowing.body {
        facts.outgoing = None;
    }
    let receipt = Receipt::read(&store.append(&unknowing).unwrap().json).unwrap();
    assert_eq!(receipt.operator.map(|who| who.key), Some("ana.ruiz".to_owned()));
}

#[test]
fn what_a_failed_sync_has_left_does_not_take_later_entries_with_it() {
    use crate::platform::rehearsal::disk::{Death, Disk, Fault, Weather};
    use crate::platform::rehearsal::vfs;
    vfs::register();
    let rehearsed = Rehearsed { vfs: vfs::NAME.to_owned(), seed: [1; 32], at: at(0) };
    let open = |disk: &Disk| Store::rehearse(disk.dir().as_ref(), "Station 12", &rehearsed).unwrap();
    let entry = core(Record::BadgeUnknown, None, "");
    for (change, seed) in (0..8).flat_map(|change| (0..6).map(move |seed| (change, seed))) {
        let disk = Disk::new(seed);
        let store = open(&disk);
        disk.plan(disk.changes() + change, Fault::Fails(Weather::Failing));
        let _ = store.append(&entry);
        disk.kill(Death::Killed);
        drop(store);
        disk.boot();
        disk.forget_plan();
        let store = open(&disk);
        let acknowledged = store.append(&entry).unwrap();
        disk.kill(Death::PowerCut);
        drop(store);
        disk.boot();
        let kept = open(&disk).entries().unwrap();
        assert!(kept > acknowledged.index, "change {change}, seed {seed}: {kept} entries are left");
    }
}
