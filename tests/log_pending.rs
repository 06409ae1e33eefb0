//! `cleanshiftctl log` tells IT what a session held elsewhere, what is still to be ended, and nothing that could be
//! used.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "what fails in a test ends the test")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cleanshift::handoff::OperatorId;
use cleanshift::handoff::record::Trigger;
use cleanshift::ports::{
    Body, Ends, Entry, Handoff, Ledger as _, Outbox as _, OutboxRow, Person, Question, Search as _,
    Settlement, Stamp, TokenEnd, TokenKind, TokenState,
};
use cleanshift::store::Store;
use serde_json::Value;

const SEALED: &str = "canary-of-what-is-sealed";
const SID: &str = "canary-of-the-sid";

fn log(state: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"));
    let ran = command.args(["log", "--state"]).arg(state).args(arguments).env("TZ", "UTC").output().unwrap();
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

fn stamp(minutes: i64) -> Stamp {
    Stamp { utc_ms: 1_790_000_000_000 + minutes * 60_000, boot_ms: 5, boot_id: "b".to_owned() }
}

fn end(kind: TokenKind, state: TokenState) -> TokenEnd {
    TokenEnd {
        provider: "Hospital".to_owned(),
        issuer: "https://id.example".to_owned(),
        kind,
        id: "0123456789abcdef".to_owned(),
        state,
        saw: "HTTP 503, tried twice".to_owned(),
        expires_utc_ms: Some(stamp(15).utc_ms),
    }
}

fn ended(tokens: Vec<TokenEnd>) -> Entry {
    let (key, name, role) = ("ana.ruiz".to_owned(), "Ana Ruiz".to_owned(), "Nurse".to_owned());
    let body = Body::Handoff(Box::new(Handoff {
        outgoing: Some(Person { id: OperatorId(1), key, name, role }),
        incoming: None,
        trigger: Trigger::BadgeOut,
        opened: Some(stamp(0)),
        began: stamp(1),
        covered_after: Duration::from_micros(900),
        clean_after: Duration::from_millis(310),
        rounds: 1,
        apps: Vec::new(),
        proof: "init pidfd".to_owned(),
        inside: Vec::new(),
        after: Vec::new(),
        sign_ins: Ends { session: "5e5510".to_owned(), tokens },
        shared: Vec::new(),
        capabilities: Vec::new(),
        assurance: String::new(),
        policy: String::new(),
    }));
    Entry { at: stamp(1), body }
}

#[test]
fn what_is_pending_is_told_and_nothing_of_what_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "Station 12").unwrap();
    assert_eq!(
        log(dir.path(), &["pending"]),
        "Nothing of earlier sessions is still to be ended elsewhere.\n"
    );
    let none: Value = serde_json::from_str(&log(dir.path(), &["pending", "--json"])).unwrap();
    assert_eq!(none, serde_json::json!({ "pending": [] }));
    let row = OutboxRow {
        id: 0,
        session: "5e5510".to_owned(),
        end: end(TokenKind::Refresh, TokenState::Pending),
        sid: Some(SID.to_owned()),
        sealed: SEALED.as_bytes().to_vec(),
        due_utc_ms: stamp(3).utc_ms,
        tries: 2,
        entry: None,
        open: true,
    };
    let _ = store.put(&row).unwrap();
    assert!(log(dir.path(), &["pending"]).contains("session open"));
    let index = store.append(&ended(vec![end(TokenKind::Refresh, TokenState::Pending)])).unwrap().index;
    let table = log(dir.path(), &["pending"]);
    let told: Vec<_> =
        table.lines().nth(1).unwrap().split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let number = index.to_string();
    assert_eq!(
        told,
        [
            "5e5510",
            "Hospital",
            "refresh token",
            "pending",
            "2",
            "2026-09-21 14:16:20",
            "2026-09-21 14:28:20",
            number.as_str(),
            "HTTP 503, tried twice"
        ],
        "{table}"
    );
    let json = log(dir.path(), &["pending", "--json"]);
    let told: Value = serde_json::from_str(&json).unwrap();
    let one = &told["pending"][0];
    assert_eq!((&one["entry"], &one["tries"], &one["by_sid"]), (&index.into(), &2.into(), &true.into()));
    assert_eq!((&one["state"], &one["next_try"]), (&"pending".into(), &"2026-09-21T14:16:20.000Z".into()));
    for told in [&table, &json] {
        assert!(!told.contains(SEALED) && !told.contains(SID), "{told}");
    }
}

#[test]
fn an_entry_says_what_was_held_elsewhere_and_a_later_one_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), "Station 12").unwrap();
    let tokens =
        vec![end(TokenKind::ProofKey, TokenState::Proved), end(TokenKind::Refresh, TokenState::Pending)];
    let index = store.append(&ended(tokens)).unwrap().index;
    let settlement = Settlement {
        session: "5e5510".to_owned(),
        entry: None,
        tokens: vec![end(TokenKind::Refresh, TokenState::Expired)],
    };
    let later = store.append(&Entry { at: stamp(16), body: Body::Settled(settlement) }).unwrap().index;
    let shown = log(dir.path(), &["show", &index.to_string()]);
    assert!(shown.contains("signed out at Hospital: 1 proved, 1 pending;"), "{shown}");
    assert!(shown.contains("Signed in elsewhere, session 5e5510: 1 proved, 1 pending"), "{shown}");
    let token = shown.lines().find(|line| line.contains("refresh token")).unwrap();
    assert!(
        token.contains("0123456789abcdef  pending  HTTP 503, tried twice  2026-09-21T14:28:20.000Z"),
        "{token}"
    );
    let shown = log(dir.path(), &["show", &later.to_string()]);
    let first = "More was known at 14:29:20 of what the session of entry 1 held elsewhere; signed out at Hospital: 1 expired.";
    assert!(shown.starts_with(first) && shown.contains("about   entry 1, its leaf "), "{shown}");
    let list = log(dir.path(), &["list"]);
    let row = |kind: &str| list.lines().find(|line| line.contains(kind)).unwrap().to_owned();
    assert!(row("handoff").ends_with("clean, 1 open elsewhere"), "{list}");
    assert!(
        row("settled").contains("of entry 1") && row("settled").ends_with("Hospital: 1 expired"),
        "{list}"
    );
    let json: Value =
        serde_json::from_str(&log(dir.path(), &["show", &later.to_string(), "--json"])).unwrap();
    // The view's search finds both, and shows the later beside the first.
    let find =
        |question: Question, ticket: u64| store.find(&question, ticket).unwrap().unwrap().numbers.part(0, 9);
    let kinds = Question { kinds: vec!["settled".to_owned()], ..Question::default() };
    assert_eq!(find(kinds, 1), [later]);
    for (ticket, text, found) in
        [(2, "hospital", &[later, index][..]), (3, "pending", &[index]), (4, "hospitals", &[])]
    {
        assert_eq!(find(Question { text: text.to_owned(), ..Question::default() }, ticket), found, "{text}");
    }
    let hers = Question { operator: Some("ana.ruiz".to_owned()), ..Question::default() };
    assert_eq!(find(hers, 5), [0_u64; 0], "no session of hers was open by the ledger");
    assert_eq!(store.notes(index).unwrap().iter().map(|note| note.index).collect::<Vec<_>>(), [later]);
    assert_eq!(json["receipt"]["tokens"][0]["state"], "expired");
    assert_eq!(json["verified"], true);
}
