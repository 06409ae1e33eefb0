//! The outbox keeps what it has acknowledged, and a receipt tells of a session's tokens without telling one.

use std::time::Duration;

use super::*;
use crate::evidence::Receipt;
use crate::handoff::record::{Record, Trigger};
use crate::handoff::{OperatorId, Reason};
use crate::ports::{
    Body, Ends, Entry, Handoff, Ledger as _, Outbox as _, OutboxRow, Person, Settlement, TokenEnd, TokenKind,
    TokenState,
};

fn at(seconds: i64) -> Stamp {
    Stamp { utc_ms: 1_790_000_000_000 + seconds * 1000, boot_ms: 5, boot_id: "b".to_owned() }
}

fn end(state: TokenState) -> TokenEnd {
    TokenEnd {
        provider: "Hospital".to_owned(),
        issuer: "https://id.example".to_owned(),
        kind: TokenKind::Refresh,
        id: "0123456789abcdef".to_owned(),
        state,
        saw: "HTTP 503, tried twice".to_owned(),
        expires_utc_ms: Some(1_790_000_900_000),
    }
}

fn row(session: &str) -> OutboxRow {
    OutboxRow {
        id: 0,
        session: session.to_owned(),
        end: end(TokenState::Pending),
        sid: Some("sid-1".to_owned()),
        sealed: vec![0, 255, 7],
        due_utc_ms: 1_790_000_001_000,
        tries: 2,
        entry: None,
        open: true,
    }
}

fn handoff(session: &str, tokens: Vec<TokenEnd>) -> Handoff {
    let ana = Person {
        id: OperatorId(1),
        key: "ana.ruiz".to_owned(),
        name: "Ana Ruiz".to_owned(),
        role: "Nurse".to_owned(),
    };
    Handoff {
        outgoing: Some(ana),
        incoming: None,
        trigger: Trigger::BadgeOut,
        opened: Some(at(0)),
        began: at(1),
        covered_after: Duration::from_micros(900),
        clean_after: Duration::from_millis(310),
        rounds: 1,
        apps: Vec::new(),
        proof: "init pidfd".to_owned(),
        inside: Vec::new(),
        after: Vec::new(),
        sign_ins: Ends { session: session.to_owned(), tokens },
        shared: Vec::new(),
        capabilities: Vec::new(),
        assurance: String::new(),
        policy: "ab".to_owned(),
    }
}

fn ended(session: &str, tokens: Vec<TokenEnd>) -> Entry {
    Entry { at: at(2), body: Body::Handoff(Box::new(handoff(session, tokens))) }
}

fn settled(store: &Store, session: &str, entry: Option<u64>) -> Receipt {
    let settlement =
        Settlement { session: session.to_owned(), entry, tokens: vec![end(TokenState::Expired)] };
    let written = store.append(&Entry { at: at(9), body: Body::Settled(settlement) }).unwrap();
    Receipt::read(&written.json).unwrap()
}

#[test]
fn a_row_is_as_it_was_written_and_its_number_is_never_anothers() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let first = store.put(&row("a1")).unwrap();
    let bare = OutboxRow { sid: None, sealed: Vec::new(), open: false, ..row("a1") };
    let second = store.put(&bare).unwrap();
    let later = OutboxRow { id: first, tries: 3, due_utc_ms: 9, end: end(TokenState::Failed), ..row("a1") };
    assert_eq!(store.put(&later).unwrap(), first);
    let expected = [later, OutboxRow { id: second, ..bare }];
    assert_eq!(store.rows().unwrap(), expected);
    drop(store);
    let store = Store::open(dir.path(), "S").unwrap();
    assert_eq!(store.rows().unwrap(), expected);
    assert_eq!(Store::open_read(dir.path()).unwrap().rows().unwrap(), expected);
    store.remove(second).unwrap();
    store.remove(second).unwrap();
    assert!(store.put(&row("b2")).unwrap() > second);
    let sessions: Vec<_> = store.rows().unwrap().into_iter().map(|row| row.session).collect();
    assert_eq!(sessions, ["a1", "b2"]);
    // A word that nobody has written is told, not passed over.
    let _ = store.writer().unwrap().db.execute("UPDATE outbox SET state = 'gone'", []).unwrap();
    assert!(store.rows().unwrap_err().0.contains("changed outside Cleanshift"));
}

#[test]
fn what_a_receipt_has_told_no_later_write_forgets() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let (own, other) = (store.put(&row("a1")).unwrap(), store.put(&row("b2")).unwrap());
    let index = store.append(&ended("a1", vec![end(TokenState::Pending)])).unwrap().index;
    let told = |store: &Store| -> Vec<(i64, Option<u64>, bool)> {
        store.rows().unwrap().iter().map(|row| (row.id, row.entry, row.open)).collect()
    };
    // Nobody has said `told` yet: the shell could have died here.
    assert_eq!(told(&store), [(own, Some(index), false), (other, None, true)]);
    let _ = store.put(&OutboxRow { id: own, ..row("a1") }).unwrap();
    assert_eq!(told(&store)[0], (own, Some(index), false));
    store.told("b2", 1).unwrap();
    assert_eq!(told(&store)[1], (other, Some(1), false));
}

#[test]
fn a_settlement_finds_the_receipt_of_its_session_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let quarantine = Body::Core {
        record: Record::Quarantined(Reason::Residue),
        person: None,
        note: String::new(),
        unfinished: Some(Box::new(handoff("a1", vec![end(TokenState::Pending)]))),
    };
    let barred = store.append(&Entry { at: at(1), body: quarantine }).unwrap();
    let receipt = Receipt::read(&barred.json).unwrap();
    assert_eq!((receipt.session.as_str(), receipt.tokens.len()), ("a1", 1));
    assert_eq!(settled(&store, "a1", None).about.map(|about| about.entry), Some(barred.index));
    let opened = Record::Opened(OperatorId(1));
    let person = handoff("", Vec::new()).outgoing;
    let opened = Body::Core { record: opened, person, note: String::new(), unfinished: None };
    let _ = store.append(&Entry { at: at(1), body: opened }).unwrap();
    let first = store.append(&ended("a1", vec![end(TokenState::Pending)])).unwrap();
    let second = store.append(&ended("b2", vec![end(TokenState::Proved)])).unwrap();
    for named in [None, Some(first.index), Some(second.index), Some(5_000)] {
        let receipt = settled(&store, "a1", named);
        let about = receipt.about.unwrap();
        assert_eq!((about.entry, about.leaf), (first.index, hex::encode(first.leaf)), "{named:?}");
        assert_eq!(receipt.operator.map(|who| who.key), Some("ana.ruiz".to_owned()));
        assert_eq!((receipt.session.as_str(), receipt.tokens[0].state.word()), ("a1", "expired"));
        assert_eq!(receipt.tokens[0].expires, "2026-09-21T14:28:20.000Z");
    }
    for (session, named) in [("c3", None), ("c3", Some(second.index)), ("", None), ("", Some(1))] {
        let receipt = settled(&store, session, named);
        assert_eq!((receipt.about, receipt.note.contains("no entry of this ledger")), (None, true));
    }
    // One that was held in memory is told of by the entry that tells of it.
    let held =
        store.append(&Entry { at: at(3), body: Body::Discontinuity(vec![ended("d4", vec![])]) }).unwrap();
    assert_eq!(settled(&store, "d4", None).about.map(|about| about.entry), Some(held.index));
    assert!(store.verify().unwrap().is_ok());
    // Where it is found is only a help: without it the entry is written, and says so.
    store.writer().unwrap().db.execute_batch("DELETE FROM sessions").unwrap();
    assert_eq!(settled(&store, "a1", Some(first.index)).about.map(|about| about.entry), Some(first.index));
    assert_eq!(settled(&store, "a1", None).about, None);
}

#[test]
fn an_event_is_new_once_and_forgotten_when_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let until = at(60).utc_ms;
    let long = "x".repeat(10_000);
    assert!(store.first_seen("jti-1", until, &at(0)).unwrap());
    assert!(store.first_seen(&long, until, &at(0)).unwrap());
    assert!(!store.first_seen("jti-1", until, &at(1)).unwrap());
    drop(store);
    let store = Store::open(dir.path(), "S").unwrap();
    assert!(!store.first_seen("jti-1", until, &at(59)).unwrap());
    assert!(!store.first_seen(&long, until, &at(59)).unwrap());
    assert!(store.first_seen("jti-2", at(500).utc_ms, &at(60)).unwrap());
    let kept: i64 =
        store.reader().query_row("SELECT count(*) FROM seen_events", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1, "what is past its time is forgotten");
}

#[test]
fn a_receipt_without_sign_ins_is_as_it_always_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let written = store.append(&ended("", Vec::new())).unwrap();
    let text = std::str::from_utf8(&written.json).unwrap();
    assert!(!text.contains(r#""session":"#) && !text.contains("tokens"), "{text}");
    let written = store.append(&ended("a1", vec![end(TokenState::Proved)])).unwrap();
    let text = std::str::from_utf8(&written.json).unwrap();
    assert!(text.contains(r#""session":"a1""#) && text.contains(r#""state":"proved""#), "{text}");
}

#[test]
fn no_token_reaches_the_disk_whoever_hands_it_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "S").unwrap();
    let canaries = [
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbmEucnVpeiJ9.c2lnbmF0dXJlLWNhbmFyeQ",
        "canary-opaque-0123456789_abcdefghijklmnopqrst",
    ];
    let careless = |canary: &str| TokenEnd {
        id: canary.to_owned(),
        saw: format!(
            "HTTP 400 from https://id.example/oauth2/revoke: token={canary}, \"{canary}\" is unknown"
        ),
        ..end(TokenState::Failed)
    };
    for canary in canaries {
        let _ = store.put(&OutboxRow { end: careless(canary), ..row("a1") }).unwrap();
        let written = store.append(&ended("a1", vec![careless(canary)])).unwrap();
        let receipt = Receipt::read(&written.json).unwrap();
        assert_eq!(receipt.tokens[0].id.digits().len(), 16);
        let seen = "HTTP 400 from https://id.example/oauth2/revoke: [left out], \"[left out]\" is unknown";
        assert_eq!(receipt.tokens[0].saw, seen);
        let settlement = Settlement { session: "a1".to_owned(), entry: None, tokens: vec![careless(canary)] };
        let _ = store.append(&Entry { at: at(9), body: Body::Settled(settlement) }).unwrap();
    }
    drop(store);
    let mut looked = 0;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        looked += usize::from(has("is unknown"));
        for canary in canaries {
            assert!(!has(canary) && !has(&canary[canary.len() - 24..]), "a token is on the disk");
        }
    }
    assert!(looked > 0, "the look is blind");
}

#[test]
fn a_store_of_version_2_gets_its_outbox() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), "S").unwrap());
    let db = Connection::open(dir.path().join("station.db")).unwrap();
    db.execute_batch(
        "DROP TABLE outbox; DROP TABLE seen_events; DROP TABLE sessions; PRAGMA user_version = 2",
    )
    .unwrap();
    drop(db);
    // Whoever only reads takes it as it is: nothing is pending in it.
    let read = Store::open_read(dir.path()).unwrap();
    assert_eq!((read.rows().unwrap(), read.verify().unwrap()), (Vec::new(), Ok(1)));
    drop(read);
    let refused = Store::open_beside(dir.path(), "S").map(drop);
    assert_eq!(refused, Ok(()), "nobody has the store: it is taken further");
    let store = Store::open(dir.path(), "S").unwrap();
    let version: i32 = store.reader().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 3);
    assert_eq!(store.put(&row("a1")), Ok(1));
    assert_eq!(store.verify().unwrap(), Ok(1));
}
