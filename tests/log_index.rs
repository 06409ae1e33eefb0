//! The log's index finds what a slow look over all receipts finds, is made anew where it is damaged, and
//! is never what is shown.

#![expect(unused_results, reason = "a test says what matters by its assertions")]
#![expect(clippy::disallowed_methods, reason = "the view is held to what the command says")]
#![expect(clippy::unwrap_used, reason = "what fails in a test ends the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use cleanshift::evidence::Receipt;
use cleanshift::handoff::OperatorId;
use cleanshift::handoff::record::{Denial, Record, Trigger};
use cleanshift::ports::{
    Answer, Body, Ends, Entry, GateAnswer, Handoff, Ledger as _, Note, Noted, Numbers, Person, Question,
    Search as _, Stamp, Verdict, Written,
};
use cleanshift::store::Store;
use rusqlite::Connection;
use serde_json::{Value, json};

/// Chance that can be repeated (Knuth's constants for a linear congruence).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

const FIRST: i64 = 1_790_000_000_000;
const PEOPLE: [(&str, &str); 4] = [
    ("ana.ruiz", "Ana Ruiz"),
    ("ben.osei", "Ben Osei"),
    ("øyvind", "Øyvind Æsir"),
    ("zoe", "Zoë\u{202e}\n%_'"),
];

fn person(chance: &mut Chance) -> Person {
    let (key, name) = chance.of(&PEOPLE);
    Person { id: OperatorId(1), key: key.to_owned(), name: name.to_owned(), role: "Nurse".to_owned() }
}

fn entry(chance: &mut Chance, number: u64) -> Entry {
    // Clocks go back now and then.
    let back = if chance.below(20) == 0 { 7_200_000 } else { 0 };
    let at = Stamp {
        utc_ms: FIRST + i64::try_from(number).unwrap() * 613_000 - back,
        boot_ms: number,
        boot_id: "0b1e".to_owned(),
    };
    let who = Some(person(chance));
    let core =
        |record, person, note: &str| Body::Core { record, person, note: note.to_owned(), unfinished: None };
    let body = match chance.below(9) {
        0 => core(Record::Opened(OperatorId(1)), who, "UID+PIN"),
        1 => core(Record::Denied(OperatorId(1), Denial::WrongPin), who, "wrong PIN"),
        2 => core(Record::BadgeUnknown, None, ""),
        3 => core(Record::Viewed(OperatorId(1)), who, ""),
        4 if number > 3 => Body::Noted(Noted {
            what: chance.of(&[Note::Annotated, Note::Attested]),
            by: person(chance),
            about: Some(chance.below(number)),
            text: "the pump ALARM".to_owned(),
        }),
        _ => {
            let gate = |class| GateAnswer {
                class,
                gate: format!("gate {class}"),
                answer: Answer::Absent,
                saw: "none".to_owned(),
                method: "pidfd".to_owned(),
                took: Duration::from_micros(9),
            };
            let mut after: Vec<GateAnswer> = (1..=3).map(gate).collect();
            if chance.below(6) == 0 {
                after[0].answer = chance.of(&[Answer::Present, Answer::Unknown, Answer::Setting]);
            }
            Body::Handoff(Box::new(Handoff {
                outgoing: who.filter(|_| chance.below(8) > 0),
                incoming: (chance.below(2) == 0).then(|| person(chance)),
                trigger: chance.of(&[Trigger::BadgeOut, Trigger::Takeover, Trigger::Idle, Trigger::TapOut]),
                opened: None,
                began: at.clone(),
                covered_after: Duration::from_micros(900),
                clean_after: Duration::from_micros(300_000 + chance.below(90_000)),
                rounds: 1,
                apps: vec![("Chart".to_owned(), chance.below(3) > 0)],
                proof: "init pidfd".to_owned(),
                inside: Vec::new(),
                after,
                shared: Vec::new(),
                capabilities: Vec::new(),
                sign_ins: Ends::default(),
                assurance: String::new(),
                policy: String::new(),
            }))
        }
    };
    Entry { at, body }
}

fn filled(dir: &Path, seed: u64, count: u64) -> Store {
    let store = Store::open(dir, "Station 12").unwrap();
    let mut chance = Chance(seed);
    for number in 0..count {
        // A key's entry stands before all of them.
        store.append(&entry(&mut chance, number + 1)).unwrap();
    }
    store
}

fn utc(receipt: &Receipt) -> i64 {
    receipt.at.utc.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Whether a receipt answers a question, by its own words.
fn answers(receipt: &Receipt, question: &Question) -> bool {
    let facts = receipt.handoff.as_ref().filter(|_| receipt.kind == "handoff");
    let incoming = facts.and_then(|facts| facts.incoming.as_ref());
    let people: Vec<_> = receipt.operator.iter().chain(incoming).collect();
    let unclean = |answer: &str| !matches!(answer, "absent" | "not-applicable" | "setting");
    let verdict = match (facts, receipt.kind.as_str()) {
        (Some(facts), _) if facts.after.iter().any(|gate| unclean(&gate.answer)) => Verdict::NotClean,
        (Some(_), _) => Verdict::Clean,
        (None, "denied" | "badge-unknown" | "disabled") => Verdict::Refused,
        (None, _) => Verdict::None,
    };
    let mut text = format!("{} {} ", receipt.kind, receipt.note);
    for who in &people {
        text += &format!("{} {} {} ", who.key, who.name, who.role);
    }
    if let Some(facts) = facts {
        text += &facts.trigger;
        facts
            .apps
            .iter()
            .for_each(|app| text += &format!(" {}{}", app.name, if app.gracefully { "" } else { " forced" }));
        facts
            .after
            .iter()
            .filter(|gate| unclean(&gate.answer))
            .for_each(|gate| text += &format!(" {}", gate.gate));
    }
    if let Some(change) = &receipt.change {
        text += &format!(" {} {}", change.by, change.deed);
    }
    text += match verdict {
        Verdict::Clean => " clean",
        Verdict::NotClean => " not clean",
        Verdict::Refused => " refused",
        Verdict::None => "",
    };
    let text = text.to_lowercase();
    let words = question.text.to_lowercase();
    question.between.is_none_or(|(from, until)| (from..until).contains(&utc(receipt)))
        && question.operator.as_ref().is_none_or(|key| people.iter().any(|who| who.key == *key))
        && question
            .trigger
            .as_ref()
            .is_none_or(|trigger| facts.is_some_and(|facts| facts.trigger == *trigger))
        && question.verdict.is_none_or(|wanted| wanted == verdict)
        && (question.kinds.is_empty() || question.kinds.contains(&receipt.kind))
        && words.split_whitespace().all(|word| text.contains(word) || word.parse() == Ok(receipt.index))
}

fn questions(chance: &mut Chance, count: u64) -> Question {
    let hours = |hours: u64| i64::try_from(hours).unwrap() * 3_600_000;
    let maybe = |chance: &mut Chance| chance.below(3) == 0;
    let from = FIRST + hours(chance.below(count / 6 + 1));
    Question {
        between: maybe(chance).then(|| (from, from + hours(24))),
        operator: maybe(chance).then(|| chance.of(&["ana.ruiz", "øyvind", "nobody"]).to_owned()),
        trigger: maybe(chance).then(|| chance.of(&["badge-out", "takeover", "suspend"]).to_owned()),
        verdict: maybe(chance)
            .then(|| chance.of(&[Verdict::Clean, Verdict::NotClean, Verdict::Refused, Verdict::None])),
        kinds: if maybe(chance) { vec!["handoff".to_owned(), "denied".to_owned()] } else { Vec::new() },
        text: if maybe(chance) {
            chance
                .of(&["ruiz", "ØYVIND chart", "pump alarm", "%", "17", "gate 1", "forced", "'", "x or true"])
                .to_owned()
        } else {
            String::new()
        },
    }
}

fn all(store: &Store) -> Vec<Receipt> {
    store.page(None, 100_000).unwrap().iter().map(|written| Receipt::read(&written.json).unwrap()).collect()
}

fn numbers(store: &Store, question: &Question, ticket: u64) -> Vec<u64> {
    let found = store.find(question, ticket).unwrap().unwrap();
    let numbers = found.numbers.part(0, u64::MAX);
    let first: Vec<u64> = found.first.iter().map(|written| written.index).collect();
    assert_eq!(first[..], numbers[..first.len()], "the first rows are those of the list");
    for (place, number) in (0..).zip(&numbers) {
        assert_eq!(found.numbers.place(*number), Some(place));
    }
    numbers
}

fn same_as_a_slow_look(store: &Store, chance: &mut Chance, ticket: &mut u64, times: u32) {
    let receipts = all(store);
    let mut hits = 0;
    for _ in 0..times {
        let question = questions(chance, receipts.len() as u64);
        *ticket += 1;
        let slow: Vec<u64> = receipts
            .iter()
            .filter(|receipt| answers(receipt, &question))
            .map(|receipt| receipt.index)
            .collect();
        assert_eq!(numbers(store, &question, *ticket), slow, "{question:?}");
        hits += slow.len();
    }
    assert!(hits > 100, "the questions find too little to prove anything: {hits}");
}

#[test]
fn the_index_finds_what_a_slow_look_finds() {
    for seed in 1..=4 {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(dir.path(), seed, 250);
        let (mut chance, mut ticket) = (Chance(seed + 100), 0);
        same_as_a_slow_look(&store, &mut chance, &mut ticket, 60);
        // What is written afterwards is found as well.
        for number in 251..271 {
            store.append(&entry(&mut chance, number)).unwrap();
        }
        same_as_a_slow_look(&store, &mut chance, &mut ticket, 30);
        assert_eq!(store.verify().unwrap(), Ok(271));
    }
}

#[test]
fn an_older_question_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 5, 40);
    let question = Question { text: "ana".to_owned(), ..Question::default() };
    assert!(store.find(&question, 7).unwrap().is_some());
    assert!(store.find(&question, 6).unwrap().is_none(), "a newer question was asked");
    assert!(store.day((FIRST, FIRST + 86_400_000), 3).unwrap().is_some(), "days are asked for apart");
    assert!(store.day((FIRST, FIRST + 86_400_000), 2).unwrap().is_none());
}

#[test]
fn the_view_tells_of_the_controls_what_the_command_tells() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 11, 300);
    store.append(&entry(&mut Chance(1), 301)).unwrap();
    let key = dir.path().join("station.pub");
    std::fs::write(&key, store.public_key().unwrap().text()).unwrap();
    let day = (FIRST + 86_400_000, FIRST + 2 * 86_400_000);
    let mut exceptions = Vec::new();
    for between in [None, Some(day), Some((0, 1))] {
        let shown = store.controls(between, &|_, _| true).unwrap().unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"));
        command.args(["log", "--state"]).arg(dir.path()).args(["controls", "--json", "--key"]).arg(&key);
        if let Some((from, until)) = between {
            let at = |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
            command.args(["--from", &at(from), "--to", &at(until)]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let controls = shown.controls.iter().map(|one| {
            let counts: Vec<_> =
                one.counts.iter().map(|(what, count)| json!({ "what": what, "count": count })).collect();
            let odd = one.exceptions.iter();
            let odd: Vec<_> = odd
                .map(|odd| json!({ "what": odd.what, "count": odd.count, "entries": odd.entries }))
                .collect();
            json!({
                "framework": one.framework, "id": one.id, "title": one.title, "evidence": one.evidence,
                "counts": counts, "exceptions": odd, "not_shown": one.not_shown,
            })
        });
        let none = shown.elsewhere.iter().map(
            |one| json!({ "framework": one.framework, "id": one.id, "title": one.title, "why": one.why }),
        );
        let same = json!({
            "entries": shown.entries,
            "range": shown.range,
            "verified": shown.verified,
            "verdict": if shown.whole { "whole" } else { "broken" },
            "controls": controls.collect::<Vec<_>>(),
            "none": none.collect::<Vec<_>>(),
            "exceptions": shown.exceptions(),
        });
        assert_eq!(same, told, "{between:?}");
        let odd = shown.controls.iter().flat_map(|control| &control.exceptions);
        exceptions.push((shown.entries, odd.map(|odd| odd.count).sum::<u64>()));
    }
    assert_eq!((exceptions[0].0, exceptions[2].0), (302, 0));
    assert!(exceptions[1].0 > 50 && exceptions[1].0 < 250, "{exceptions:?}: the day is all or nothing");
    assert!(exceptions[0].1 > exceptions[1].1 && exceptions[1].1 > 0, "{exceptions:?}");
}

#[test]
fn controls_that_nobody_waits_for_are_let_go_and_how_far_they_are_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 12, 9_000);
    let steps = std::cell::RefCell::new(Vec::new());
    let told = |read, total| {
        steps.borrow_mut().push((read, total));
        true
    };
    assert!(store.controls(None, &told).unwrap().is_some());
    let all = steps.take();
    assert!(all.len() >= 3 && all.is_sorted() && all.iter().all(|(_, total)| *total == 9_001), "{all:?}");
    assert_eq!((all[0].0, all[all.len() - 1].0), (0, 9_001));
    let given_up = |read, total| {
        steps.borrow_mut().push((read, total));
        read == 0
    };
    assert_eq!(store.controls(None, &given_up).unwrap(), None);
    assert_eq!(steps.take(), all[..2], "it went on though nobody waited");
}

#[test]
fn every_entry_can_be_checked_and_a_changed_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 6, 70);
    for number in 0..=70 {
        assert_eq!(store.check(number).unwrap(), Ok(71), "entry {number}");
    }
    assert!(store.check(71).unwrap().is_err());
    let db = Connection::open(dir.path().join("station.db")).unwrap();
    let json: Vec<u8> =
        db.query_row("SELECT json FROM ledger WHERE number = 9", [], |row| row.get(0)).unwrap();
    let mut edited = json;
    *edited.iter_mut().rfind(|byte| **byte == b'2').unwrap() = b'3';
    db.execute("UPDATE ledger SET json = ?1 WHERE number = 9", [edited]).unwrap();
    let said = store.check(9).unwrap().unwrap_err();
    assert!(said.contains("its text does not give its leaf hash"), "{said}");
    assert_eq!(store.check(8).unwrap(), Ok(71));
    // Cut off from the chain: the leaf was made to fit, and the tree does not have it.
    let json: Vec<u8> =
        db.query_row("SELECT json FROM ledger WHERE number = 9", [], |row| row.get(0)).unwrap();
    db.execute(
        "UPDATE ledger SET leaf = ?1 WHERE number = 9",
        [cleanshift::evidence::leaf_hash(&json).to_vec()],
    )
    .unwrap();
    let said = store.check(9).unwrap().unwrap_err();
    assert!(said.contains("the tree of its own checkpoint does not have it"), "{said}");
}

#[test]
fn a_damaged_index_is_made_anew_and_never_shown() {
    let damages = [
        "DELETE FROM found WHERE number = 30",
        "UPDATE found SET operator = incoming, verdict = 1",
        "UPDATE found SET text = 1",
        "UPDATE found_upto SET upto = 12",
        "DELETE FROM found_words WHERE id % 3 = 0",
        "DROP TABLE found",
        "DROP TABLE found_words",
        "INSERT INTO found SELECT number + 5000, utc_ms, kind, operator, incoming, cause, verdict, clean_us, forced,
         about, text FROM found",
        "UPDATE found_nodes SET hash = zeroblob(32)",
    ];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(dir.path(), 7, 120);
        let (mut chance, mut ticket) = (Chance(8), 0);
        let damaged = |sql: &str| {
            Connection::open(dir.path().join("station.db")).unwrap().execute_batch(sql).unwrap();
        };
        damaged(damage);
        // Without a filter no index is needed, and what is found is the ledger's.
        let found = store.find(&Question::default(), 1).unwrap().unwrap();
        assert_eq!((found.numbers, found.total), (Numbers::All(121), 121), "{damage}");
        let handoffs = Question { kinds: vec!["handoff".to_owned()], ..Question::default() };
        let slow: Vec<u64> = all(&store)
            .iter()
            .filter(|receipt| receipt.kind == "handoff")
            .map(|receipt| receipt.index)
            .collect();
        assert_eq!(numbers(&store, &handoffs, 2), slow, "{damage}");
        ticket += 10;
        // A station goes on writing whatever its index is like.
        damaged("DELETE FROM found_upto");
        store.append(&entry(&mut chance, 121)).unwrap();
        assert_eq!(store.check(121).unwrap(), Ok(122), "{damage}");
        same_as_a_slow_look(&store, &mut chance, &mut ticket, 25);
        assert_eq!(store.verify().unwrap(), Ok(122));
    }
}

#[test]
fn a_store_of_the_first_version_gets_its_index() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 9, 80));
    let db = Connection::open(dir.path().join("station.db")).unwrap();
    let index = ["marks", "found", "found_upto", "found_words", "found_people", "found_nodes"];
    let tables = [&index[..], &["outbox", "seen_events", "sessions"]].concat();
    for table in tables {
        db.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    // Whoever only reads takes it as it is.
    assert_eq!(Store::open_read(dir.path()).unwrap().entries().unwrap(), 81);
    let store = Store::open(dir.path(), "Station 12").unwrap();
    let db = Connection::open(dir.path().join("station.db")).unwrap();
    let rows: i64 = db.query_row("SELECT count(*) FROM found", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 81, "filled while it is opened");
    same_as_a_slow_look(&store, &mut Chance(10), &mut 0, 30);
    assert_eq!(store.check(40).unwrap(), Ok(81));
}

#[test]
fn what_is_written_about_an_entry_is_found_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), 11, 90);
    let about: Vec<(u64, u64)> =
        all(&store).iter().rev().filter_map(|note| Some((note.index, note.about.as_ref()?.entry))).collect();
    assert!(about.len() > 3, "too few notes to prove anything");
    for number in 0..91 {
        let expected: Vec<u64> =
            about.iter().filter(|(_, entry)| *entry == number).map(|(index, _)| *index).collect();
        let notes: Vec<u64> = store.notes(number).unwrap().iter().map(|note: &Written| note.index).collect();
        assert_eq!(notes, expected);
    }
    let leaves: BTreeSet<String> =
        store.page(None, 100).unwrap().iter().map(|one| hex::encode(one.leaf)).collect();
    assert!(
        all(&store).iter().filter_map(|note| note.about.clone()).all(|about| leaves.contains(&about.leaf))
    );
    let noted =
        Noted { what: Note::Annotated, by: person(&mut Chance(1)), about: Some(5_000), text: "x".to_owned() };
    let at = Stamp { utc_ms: FIRST, boot_ms: 0, boot_id: String::new() };
    let refused = store.append(&Entry { at, body: Body::Noted(noted) }).unwrap_err();
    assert!(refused.0.contains("there is no entry 5000"), "{refused}");
    assert_eq!(store.verify().unwrap(), Ok(91));
}
