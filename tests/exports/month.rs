//! A month of a station with everything in it that a ledger can hold: every kind of entry, every trigger,
//! every reason, denial and verdict, a clock that jumps, and names that were chosen to break whatever
//! reads them. It is written by the real store, and is the same each time but for the station's key and for
//! what is done to the ledger at its end, by the real commands: a checkpoint is anchored, the key is changed,
//! and the first day is pruned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cleanshift::handoff::record::{Denial, Record, Trigger};
use cleanshift::handoff::{OperatorId, Reason, Refusal};
use cleanshift::ports::{
    Answer, BadgeUid, Body, Ends, Entry, GateAnswer, Handoff, Ledger as _, Note, Noted, Person, RosterRow,
    RosterRows as _, Settlement, Stamp, TokenEnd, TokenKind, TokenState,
};
use cleanshift::store::Store;

/// The station's name: what must be quoted, escaped or encoded somewhere.
pub(crate) const STATION: &str = "Ward 4 \"B\" ]\\ Zoë 東京";

pub(crate) const TRIGGERS: [(Trigger, &str); 14] = [
    (Trigger::BadgeOut, "badge-out"),
    (Trigger::TapOut, "tap-out"),
    (Trigger::Takeover, "takeover"),
    (Trigger::Idle, "idle"),
    (Trigger::Ended, "ended"),
    (Trigger::Expired, "expired"),
    (Trigger::ReaderLost, "reader-lost"),
    (Trigger::Revoked, "revoked"),
    (Trigger::Suspend, "suspend"),
    (Trigger::Maintenance, "maintenance"),
    (Trigger::Drill, "drill"),
    (Trigger::Fault, "fault"),
    (Trigger::FreshStart, "fresh-start"),
    (Trigger::Recovery, "recovery"),
];

/// Every kind of entry.
pub(crate) const KINDS: [&str; 23] = [
    "anchored",
    "annotated",
    "attested",
    "badge-unknown",
    "break-glass",
    "denied",
    "disabled",
    "discontinuity",
    "drill",
    "exported",
    "handoff",
    "key",
    "opened",
    "policy",
    "pruned",
    "quarantine",
    "released",
    "restarted",
    "roster",
    "settled",
    "started",
    "stopped",
    "viewed",
];

/// Names that forge lines, turn the text around, are formulas, end a value, or are nothing at all.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "Ana Ruiz",
        "Ben\n07:00:00 all clean\r\n\u{1b}[2J",
        "Eve \u{202e}naelc lla\u{2066}\u{200b}\u{feff}",
        "=cmd|' /C calc'!A0",
        "+1-800-CALL",
        "-2+3",
        "@SUM(1+1)",
        "＝1+1",
        "Bob\"] \\ [x@1 y=\"z\"",
        "comma, \"quote\"; semicolon\ttab",
        "東京 花子 العربية עברית e\u{301}",
        "<script>alert('1')</script>&amp;",
        "\u{a0}\u{2003}",
        "",
        "\u{0}\u{7f}\u{85}",
        "null",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("Long ".repeat(900));
    names
}

/// The policy of this station. The month lies years before any clock that this runs under.
pub(crate) const POLICY: &str = r#"
roles = ["nurse", "lead"]
[station]
name = "Ward 4 \"B\" ]\\ Zoë 東京"
[badge]
mode = "hold"
[supervisors]
roles = ["lead"]
[log]
keep = "30 d"
"#;

/// A station's state after its month.
pub(crate) struct Month {
    /// With its first day pruned.
    pub(crate) dir: PathBuf,
    /// The same ledger before that: only the entry that says so is not in it.
    pub(crate) whole: PathBuf,
    /// The numbers of entries that are exceptions, as they were planted.
    pub(crate) odd: Odd,
    /// How many entries the checkpoint is over that was anchored: the first day's.
    pub(crate) anchored: u64,
    /// The station's key before it was changed, and after.
    pub(crate) keys: [String; 2],
}

/// The month as it is written.
struct Writing {
    odd: Odd,
    store: Store,
    seconds: i64,
    written: u64,
}

#[derive(Default)]
pub(crate) struct Odd {
    pub(crate) break_glass: Vec<u64>,
    pub(crate) clock_back: Vec<u64>,
    pub(crate) covered_late: Vec<u64>,
    pub(crate) discontinuity: Vec<u64>,
    pub(crate) drill: Vec<u64>,
    pub(crate) not_clean: Vec<u64>,
    pub(crate) secrets: Vec<u64>,
    pub(crate) let_in_disabled: Vec<u64>,
    pub(crate) without_end: Vec<u64>,
    pub(crate) unproved: Vec<u64>,
    pub(crate) unsettled: Vec<u64>,
    pub(crate) failed: Vec<u64>,
}

fn person(number: usize) -> Person {
    let names = names();
    let name = &names[number % names.len()];
    let key = if number % 5 == 4 { name.clone() } else { format!("operator.{number}") };
    Person {
        id: OperatorId(u32::try_from(number).unwrap() + 1),
        key,
        name: name.clone(),
        role: names[(number + 3) % names.len()].clone(),
    }
}

fn gates(answer: impl Fn(u8) -> Answer) -> Vec<GateAnswer> {
    let names = names();
    let gate = |class: u8| GateAnswer {
        class,
        gate: if class == 19 { names[8].clone() } else { format!("gate {class}") },
        answer: answer(class),
        saw: if class == 13 { names[1].clone() } else { "0 of 3 \"seen\"".to_owned() },
        method: "init pidfd".to_owned(),
        // A class that does not exist here is not looked at.
        took: Duration::from_micros(if class == 17 { 0 } else { u64::from(class) }),
    };
    (1..=28).map(gate).collect()
}

fn usual(class: u8) -> Answer {
    match class {
        6 | 17 => Answer::NotApplicable,
        22 | 23 => Answer::Setting,
        _ => Answer::Absent,
    }
}

impl Writing {
    fn at(&self) -> Stamp {
        let boot = self.seconds / 700_000;
        Stamp {
            utc_ms: 1_584_467_200_000 + self.seconds * 1000 + 7,
            boot_ms: u64::try_from(self.seconds).unwrap() * 1000,
            boot_id: format!("0b1e-{boot}"),
        }
    }

    fn put_at(&mut self, at: Stamp, body: Body) -> u64 {
        let written = self.store.append(&Entry { at, body }).unwrap();
        assert_eq!(written.index, self.written, "the month has lost count");
        self.written += 1;
        written.index
    }

    fn put(&mut self, body: Body) -> u64 {
        self.seconds += 97;
        self.put_at(self.at(), body)
    }

    fn core(&mut self, record: Record, person: Option<Person>, note: &str) -> u64 {
        self.put(Body::Core { record, person, note: note.to_owned(), unfinished: None })
    }

    fn opened(&mut self, person: &Person) -> u64 {
        self.core(Record::Opened(person.id), Some(person.clone()), "")
    }

    fn facts(&self, who: Option<&Person>, trigger: Trigger) -> Handoff {
        let names = names();
        Handoff {
            outgoing: who.cloned(),
            incoming: (trigger == Trigger::Takeover)
                .then(|| person(self.seconds.unsigned_abs() as usize % 31)),
            trigger,
            opened: who.map(|_| self.at()),
            began: self.at(),
            covered_after: Duration::from_micros(900),
            clean_after: Duration::from_millis(310),
            rounds: 1,
            apps: vec![
                ("Chart".to_owned(), true),
                (names[2].clone(), false),
                (names[3].clone(), true),
                (names[8].clone(), false),
            ],
            proof: "init pidfd".to_owned(),
            inside: gates(|class| if class == 1 { Answer::Present } else { Answer::Absent }),
            after: gates(usual),
            shared: vec!["/srv/\"shared\" ]\\".to_owned()],
            capabilities: vec![("userns".to_owned(), "yes".to_owned())],
            // Somebody is signed in elsewhere in every third session.
            sign_ins: if who.is_some() && self.written.is_multiple_of(3) {
                self.signed_out(&[TokenState::Proved, TokenState::Acknowledged, TokenState::Expired])
            } else {
                Ends::default()
            },
            assurance: "UID+PIN: identification, below AAL2".to_owned(),
            policy: policy_hash(),
        }
    }

    /// What a session held elsewhere, of every sort there is, at providers whose names break what reads them.
    fn signed_out(&self, states: &[TokenState]) -> Ends {
        let kinds = [
            TokenKind::ProofKey,
            TokenKind::ProviderSession,
            TokenKind::Refresh,
            TokenKind::Access,
            TokenKind::Call,
        ];
        let names = names();
        let token = |(place, state): (usize, &TokenState)| TokenEnd {
            provider: names[place % 2 * 8].clone(),
            issuer: format!("https://id.example/\"{place}\"]"),
            kind: kinds[place % kinds.len()],
            id: format!("{:08x}{place:08x}", self.written),
            state: *state,
            saw: names[1].clone(),
            // What waits without an end is good for ever; all else for an hour.
            expires_utc_ms: Some(if *state == TokenState::ExpiresAt && place > 0 {
                7_258_118_400_000
            } else {
                self.at().utc_ms + 3_600_000
            }),
        };
        Ends {
            session: format!("{:016x}", self.written),
            tokens: states.iter().enumerate().map(token).collect(),
        }
    }

    /// A session that leaves something open elsewhere, and what becomes of it.
    fn left_open(&mut self, states: &[TokenState], later: &[TokenState], known: bool) -> u64 {
        let who = person(6);
        self.opened(&who);
        let mut facts = self.facts(Some(&who), Trigger::Ended);
        facts.sign_ins = self.signed_out(states);
        let (session, mut tokens) = (facts.sign_ins.session.clone(), facts.sign_ins.tokens.clone());
        let index = self.put(Body::Handoff(Box::new(facts)));
        if !later.is_empty() {
            tokens.truncate(later.len());
            for (token, state) in tokens.iter_mut().zip(later) {
                token.state = *state;
                if *state == TokenState::ExpiresAt {
                    token.expires_utc_ms = Some(7_258_118_400_000);
                }
            }
            self.put(Body::Settled(Settlement { session, entry: known.then_some(index), tokens }));
        }
        index
    }

    /// Where a trace was found, its gates tell so.
    fn quarantined(&mut self, reason: Reason, who: &Person) -> u64 {
        let mut facts = self.facts(Some(who), Trigger::Idle);
        facts.rounds = 2;
        facts.after = gates(|class| if class == 9 { Answer::Present } else { usual(class) });
        let unfinished = (reason == Reason::Residue).then(|| Box::new(facts));
        let record = Record::Quarantined(reason);
        self.put(Body::Core { record, person: Some(who.clone()), note: names()[1].clone(), unfinished })
    }

    fn handoff(&mut self, who: Option<&Person>, trigger: Trigger) -> u64 {
        let facts = self.facts(who, trigger);
        self.put(Body::Handoff(Box::new(facts)))
    }

    fn session(&mut self, number: usize, trigger: Trigger) {
        let who = person(number);
        self.opened(&who);
        self.handoff(Some(&who), trigger);
    }

    fn roster(&mut self, key: &str, by: &str, deed: &str) {
        self.seconds += 61;
        let badge = BadgeUid(format!("04AA{:04X}", self.written));
        let row = RosterRow {
            key: format!("{key}.{}", self.written),
            name: names()[self.written as usize % names().len()].clone(),
            roles: vec!["nurse".to_owned()],
            badges: vec![badge],
            ..RosterRow::default()
        };
        self.store.change(&[row], &[], by, deed, &self.at()).unwrap();
        self.written += 1;
    }

    fn started(&mut self) {
        let policy = policy_hash();
        let capabilities = vec![("swap".to_owned(), "none".to_owned())];
        self.put(Body::Started { version: "0.1.0".to_owned(), policy, capabilities });
    }
}

fn policy_hash() -> String {
    cleanshift::policy::hash(POLICY.as_bytes())
}

/// Writes the month into this directory, which is there.
pub(crate) fn write(root: &Path) -> Month {
    let (dir, whole) = (root.join("state"), root.join("whole"));
    fs::write(root.join("policy.toml"), POLICY).unwrap();
    let store = Store::open(&dir, STATION).unwrap();
    let mut month = Writing { odd: Odd::default(), store, seconds: 0, written: 1 };
    month.seconds += 5;
    assert!(month.store.note_policy(&policy_hash(), "it", &month.at()).unwrap().is_some());
    // The store itself has written the first entry, which is of now.
    month.odd.clock_back.push(month.written);
    month.written += 1;
    month.roster("ana.ruiz", "it", "add ana.ruiz");
    month.started();
    month.handoff(None, Trigger::FreshStart);
    let mut kept = None;
    for day in 0..30 {
        month.seconds = month.seconds.max(day * 86_400);
        for (place, (trigger, _)) in TRIGGERS.iter().enumerate() {
            month.session(usize::try_from(day).unwrap() * 3 + place, *trigger);
        }
        ordinary(&mut month, day);
        if day == 0 {
            kept = month.store.page(None, 1).unwrap().pop();
        }
    }
    odd(&mut month);
    month.put(Body::Stopped);
    let (odd, kept) = (month.odd, kept.unwrap());
    drop(month.store);
    let key = || told(&dir, &["key"]).trim().to_owned();
    let before = key();
    told(&dir, &["rotate-key"]);
    let keys = [before, key()];
    let anchored = told(&dir, &["anchor", &kept.checkpoint, "--place", &names()[8]]);
    assert!(anchored.contains(&format!("over {} entries is kept elsewhere", kept.index + 1)), "{anchored}");
    fs::create_dir(&whole).unwrap();
    for file in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), whole.join(file.file_name())).unwrap();
    }
    let pruned = told(&dir, &["prune"]);
    assert!(pruned.starts_with("The text of "), "{pruned}");
    Month { dir, whole, odd, anchored: kept.index + 1, keys }
}

/// What `cleanshiftctl log …` said on this station. A command that another test is starting just now holds this
/// one's lock from fork to exec: that of no shell is taken for a shell's.
fn told(state: &Path, arguments: &[&str]) -> String {
    for _ in 0..50 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"));
        command.arg("--policy").arg(state.with_file_name("policy.toml")).arg("--state").arg(state);
        let ran = command.arg("log").args(arguments).output().unwrap();
        let error = String::from_utf8(ran.stderr).unwrap();
        if !error.contains("another Cleanshift is running") {
            assert!(ran.status.success(), "{arguments:?}: {error}");
            return String::from_utf8(ran.stdout).unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the store stays locked")
}

/// What belongs to a station's days and is an exception to nothing.
fn ordinary(month: &mut Writing, day: i64) {
    let who = person(usize::try_from(day).unwrap());
    let reasons = [
        Reason::NotDestroyed,
        Reason::NotRecorded,
        Reason::Residue,
        Reason::Silent,
        Reason::Unknown,
        Reason::Unprepared,
    ];
    let denials = [
        Denial::WrongPin,
        Denial::Unchecked,
        Denial::Badge(Refusal::Disabled),
        Denial::Badge(Refusal::Expired),
        Denial::Badge(Refusal::NotYetValid),
    ];
    match day % 6 {
        0 => {
            for denial in denials {
                month.core(Record::Denied(who.id, denial), Some(who.clone()), "reader \"A\" ]");
            }
            month.core(Record::BadgeUnknown, None, "");
        }
        1 => {
            for reason in reasons {
                let index = month.quarantined(reason, &who);
                if reason == Reason::Residue {
                    month.odd.secrets.push(index);
                }
                month.core(Record::Released(who.id), Some(who.clone()), "");
                month.handoff(None, Trigger::Fault);
            }
        }
        2 => {
            month.core(Record::Viewed(who.id), Some(who.clone()), "");
            for (what, text) in [
                (Note::Annotated, names()[1].as_str()),
                (Note::Attested, ""),
                (Note::Exported, "9 entries to \"A\" ]"),
            ] {
                let about = (what != Note::Exported).then_some(month.written - 3);
                let text = text.to_owned();
                month.put(Body::Noted(Noted { what, by: who.clone(), about, text }));
            }
            month.core(Record::Restarted(who.id), Some(who), "");
            month.put(Body::Stopped);
            month.started();
            month.handoff(None, Trigger::Recovery);
        }
        3 => {
            month.core(Record::Denied(who.id, Denial::Disabled), Some(who.clone()), "");
            month.roster("ben.osei", "sofia", &format!("enable {}", who.key));
            month.roster("cleo.day", &names()[3], "import 12 operators");
        }
        4 => {
            month.left_open(&[TokenState::Pending; 2], &[TokenState::Proved, TokenState::Expired], true);
            // It ends by itself before the month does.
            month.left_open(&[TokenState::ExpiresAt], &[], false);
            month.put(Body::Drill {
                by: Some(person(3)),
                came_to: "clean: planted in 19 of 28 classes, 0 left".to_owned(),
            });
        }
        _ => month.roster("dana.fox", "it", "remove dana.fox"),
    }
}

/// What an auditor must be told of, once each or twice.
fn odd(month: &mut Writing) {
    // A drill that found something; a handoff that was not clean, and one that was covered late.
    let drill = month.put(Body::Drill { by: None, came_to: "residue: 1 left in class 9".to_owned() });
    month.odd.drill.push(drill);
    let (ana, who) = (person(0), person(1));
    month.opened(&who);
    let mut facts = month.facts(Some(&who), Trigger::BadgeOut);
    facts.after = gates(|class| match class {
        9 => Answer::Present,
        13 => Answer::Unknown,
        other => usual(other),
    });
    let index = month.put(Body::Handoff(Box::new(facts)));
    month.odd.not_clean.push(index);
    month.odd.secrets.push(index);
    // A session that opened after it all the same.
    let index = month.opened(&ana);
    month.odd.unproved.push(index);
    let mut facts = month.facts(Some(&ana), Trigger::Idle);
    facts.covered_after = Duration::from_millis(1500);
    let index = month.put(Body::Handoff(Box::new(facts)));
    month.odd.covered_late.push(index);
    // A badge that was disabled and never enabled.
    month.core(Record::Denied(ana.id, Denial::Disabled), Some(ana.clone()), "");
    let index = month.opened(&ana);
    month.odd.let_in_disabled.push(index);
    month.handoff(Some(&ana), Trigger::Ended);
    // Break-glass into a clean station, and into one whose clean-up was not finished.
    let code = |name: &str| Person {
        id: OperatorId::EMERGENCY,
        key: format!("break-glass:{name}"),
        name: "Emergency".to_owned(),
        role: name.to_owned(),
    };
    let body =
        Body::BreakGlass { person: code("Ward 4 envelope"), reason: names()[8].clone(), unfinished: None };
    let index = month.put(body);
    month.odd.break_glass.push(index);
    month.handoff(Some(&code("Ward 4 envelope")), Trigger::Expired);
    month.opened(&who);
    let mut unfinished = month.facts(Some(&who), Trigger::ReaderLost);
    unfinished.after = gates(|class| if class == 1 { Answer::Unknown } else { usual(class) });
    let held = Entry {
        at: month.at(),
        body: Body::Core {
            record: Record::Opened(who.id),
            person: Some(who.clone()),
            note: names()[1].clone(),
            unfinished: None,
        },
    };
    month.core(Record::Quarantined(Reason::Residue), Some(who), "");
    let body = Body::BreakGlass {
        person: code("=Night"),
        reason: String::new(),
        unfinished: Some(Box::new(unfinished)),
    };
    let index = month.put(body);
    month.odd.break_glass.push(index);
    month.handoff(Some(&code("=Night")), Trigger::Maintenance);
    let index = month.put(Body::Discontinuity(vec![held]));
    month.odd.discontinuity.push(index);
    // What a session held elsewhere: still waiting, failed at once, failed at last, and a word about nobody's.
    let index = month.left_open(&[TokenState::Proved, TokenState::ExpiresAt], &[], false);
    month.odd.unsettled.push(index);
    let index = month.left_open(&[TokenState::Failed, TokenState::Acknowledged], &[], false);
    month.odd.failed.push(index);
    let later = [TokenState::Failed, TokenState::ExpiresAt];
    let index = month.left_open(&[TokenState::Pending, TokenState::Pending], &later, false);
    month.odd.failed.push(index);
    month.odd.unsettled.push(index);
    let tokens = month.signed_out(&[TokenState::Proved]).tokens;
    month.put(Body::Settled(Settlement { session: "ffff".to_owned(), entry: None, tokens }));
    // A session whose end is nowhere.
    let next = person(2);
    let index = month.opened(&next);
    month.odd.without_end.push(index);
    let index = month.opened(&next);
    month.odd.unproved.push(index);
    month.handoff(Some(&next), Trigger::TapOut);
    // A wall clock that went back, to before there was a calendar.
    for utc_ms in [1_000, -70_000_000_000_000] {
        let at = Stamp { utc_ms, ..month.at() };
        let body =
            Body::Core { record: Record::BadgeUnknown, person: None, note: String::new(), unfinished: None };
        let index = month.put_at(at, body);
        month.odd.clock_back.push(index);
    }
}
