//! The scenes that the screens are tested on: made up, but of the shapes that a driver publishes.

use std::sync::Arc;
use std::time::Duration;

use cleanshift::driver::scene::{
    AppState, AppTile, AttendedScene, CleanSummary, CleanUpScene, ControlsScene, DrillReport, DrillScene,
    DrillStep, DrillStepScene, DrillVerdict, DrilledRow, EmergencyScene, HeldScene, LogScene, Look,
    OpenScene, Phase, PinAsk, PinScene, QuarantineScene, ReceiptScene, Scene, StationFacts, StepName,
    StepScene, StepState, TokenEnd, TokenKind, TokenState, VacantScene, WindowScene,
};
use cleanshift::evidence::controls::{Tally, report};
use cleanshift::evidence::leaf_hash;
use cleanshift::evidence::receipt::{
    About, AppClosed, ChangeFacts, GateSaw, HandoffFacts, Receipt, Time, Who,
};
use cleanshift::handoff::{App, BadgeMode, Notice, Trigger, Window};
use cleanshift::ports::controls::{Control, Controls, Elsewhere, Exception};
use cleanshift::ports::{Answer, Day, DrillRow, Gap, GateAnswer, Held, Mark, Sight, Written};

/// 2026-11-23T07:42:10Z.
pub(crate) const UTC: i64 = 1_795_419_730_000;
/// The shell's own clock at that moment.
pub(crate) const NOW: u64 = 1_000_000;
/// The shortest name.
pub(crate) const SHORT: &str = "Bo Ek";
/// The longest name.
pub(crate) const LONG: &str = "Dr. Maria-Magdalena von Hohenstein-Waldenburg, MD PhD";

/// A station with everything that a policy can say.
pub(crate) fn facts(look: Look) -> StationFacts {
    let app = |name: &str, icon: &str| (name.to_owned(), icon.to_owned());
    StationFacts {
        name: "Station 12".to_owned(),
        place: "Ward 4 · Bay B".to_owned(),
        badge_mode: BadgeMode::Hold,
        help: "IT: 4411".to_owned(),
        neighbour: "Station 11, Bay A".to_owned(),
        pin_digits: (4, 8),
        reasons: [
            "Patient emergency",
            "Badge forgotten or lost",
            "The badge reader does not work",
            "The station is not clean",
        ]
        .map(str::to_owned)
        .to_vec(),
        demo: false,
        look,
        apps: vec![
            app("Chart", "chart"),
            app("Medication", "pill"),
            app("Guidelines", "book"),
            app("Lab results", "gauge"),
            app("Intranet", "globe"),
            app("Terminal", "terminal"),
            app("Radiology pictures and reports", "image"),
        ],
    }
}

/// A scene of this phase.
pub(crate) fn scene(phase: Phase) -> Scene {
    Scene {
        station: Arc::new(facts(Look::Light)),
        utc_ms: UTC,
        now_ms: NOW,
        reader: true,
        notice: None,
        phase,
    }
}

/// The same with other facts.
pub(crate) fn with(scene: Scene, change: impl FnOnce(&mut StationFacts)) -> Scene {
    let mut facts = (*scene.station).clone();
    change(&mut facts);
    Scene { station: Arc::new(facts), ..scene }
}

fn clean() -> CleanSummary {
    CleanSummary { at_utc_ms: UTC - 12_000, absent: 22, not_here: 4, settings: 2, elsewhere: 0, took_ms: 312 }
}

pub(crate) fn vacant() -> Scene {
    scene(Phase::Vacant(VacantScene { clean: Some(clean()), ready: true, emergency: false, drilled: None }))
}

/// A drill under way, at the step of this number.
pub(crate) fn drill_scene(by: &str, at: usize) -> DrillScene {
    let steps = DrillStep::ALL.into_iter().enumerate().map(|(place, step)| DrillStepScene {
        step,
        state: match place.cmp(&at) {
            std::cmp::Ordering::Less => StepState::Done,
            std::cmp::Ordering::Equal => StepState::Now,
            std::cmp::Ordering::Greater => StepState::Waiting,
        },
    });
    DrillScene { by: by.to_owned(), began_ms: NOW - 4_000, steps: steps.collect(), stopping: false }
}

/// The classes of [`drilled`], in part.
const CLASSES: [&str; 28] = [
    "processes",
    "user services",
    "D-Bus and its services",
    "scheduled jobs",
    "X clipboard and root window",
    "Wayland clipboard",
    "clipboard managers",
    "keyring",
    "kernel keys",
    "key agents and cards",
    "Kerberos tickets",
    "browser profiles",
    "temporary files",
    "System V and POSIX IPC",
    "sockets and ports",
    "recent files and histories",
    "print jobs",
    "mounted media",
    "pictures and downloads",
    "core dumps",
    "system log",
    "swap and hibernation",
    "freed memory",
    "graphics memory",
    "network identity",
    "learned input",
    "files for other accounts",
    "sign-ins elsewhere",
];

/// A station that shows what a drill came to.
pub(crate) fn drilled(by: &str, verdict: DrillVerdict) -> Scene {
    let row = |(place, name): (usize, &&str)| {
        let class = u8::try_from(place + 1).unwrap();
        let (escaped, contained) = match class {
            4 | 6 | 17 | 18 | 20..=25 | 28 => (0, 0),
            13 => (4, 4),
            class => (1 + usize::from(class % 2), 1),
        };
        let missed = class == 9 && verdict == DrillVerdict::ControlFailed;
        let left = class == 13 && verdict == DrillVerdict::Residue;
        let sight = |there: usize| if there > 0 { Sight::Saw } else { Sight::Nothing };
        let why_not = match class {
            4 => "on the host it would take the place of the account's own jobs",
            18 | 25 => "only root can plant it on the host",
            22 | 23 => "only a setting of the host can answer",
            _ => "",
        };
        DrilledRow {
            row: DrillRow {
                class,
                name: (*name).to_owned(),
                contained,
                escaped,
                why_not: why_not.to_owned(),
                inside: sight(contained),
                outside: if missed { Sight::Missed } else { sight(escaped) },
                searched: sight(escaped),
                missed: missed
                    .then(|| "kernel keys says absent of key 284412".to_owned())
                    .into_iter()
                    .collect(),
            },
            answer: Some(match class {
                22..=24 => Answer::Setting,
                6 | 28 => Answer::NotApplicable,
                13 if left => Answer::Present,
                _ => Answer::Absent,
            }),
            left: left.then(|| "/tmp/left-canary".to_owned()).into_iter().collect(),
        }
    };
    let notes = vec!["3 places may not be read by the station's account.".to_owned()];
    let entered = Some(verdict != DrillVerdict::Residue);
    let (by, at_utc_ms) = (by.to_owned(), UTC - 65_000);
    let rows = CLASSES.iter().enumerate().map(row).collect();
    let report = DrillReport { by, at_utc_ms, verdict, rows, notes, entered };
    let drilled = Some(Arc::new(report));
    scene(Phase::Vacant(VacantScene { clean: Some(clean()), ready: true, emergency: true, drilled }))
}

pub(crate) fn pin(name: &str) -> PinScene {
    PinScene {
        name: name.to_owned(),
        role: "Nurse".to_owned(),
        ask: PinAsk::Pin,
        tries_left: None,
        wait_until_ms: None,
        problem: None,
        until_ms: NOW + 60_000,
        clean_up: None,
        digits: (4, 8),
        emergency: None,
        app: None,
        held: None,
    }
}

/// A vacant station that offers emergency access.
pub(crate) fn emergency_offered() -> Scene {
    scene(Phase::Vacant(VacantScene { clean: Some(clean()), ready: true, emergency: true, drilled: None }))
}

pub(crate) fn emergency_pin(reason: Option<&str>) -> PinScene {
    PinScene {
        role: String::new(),
        digits: (10, 10),
        emergency: Some(EmergencyScene { reason: reason.map(str::to_owned) }),
        until_ms: NOW + 180_000,
        ..pin("Emergency access")
    }
}

/// Emergency access is asked for, with or without a reason yet.
pub(crate) fn emergency(reason: Option<&str>) -> Scene {
    challenge(|pin| *pin = emergency_pin(reason))
}

/// An emergency session whose opening could not be written.
pub(crate) fn in_emergency(at_work: &mut AttendedScene) {
    fresh(at_work);
    at_work.fresh = None;
    at_work.name = "Emergency access".to_owned();
    at_work.role = "Ward 4 envelope".to_owned();
    at_work.emergency = true;
    at_work.end_ms = NOW + 29 * 60_000 + 41_000;
    at_work.held = Some(
        "cleanshift break-glass utc_ms=1790000000000 boot=0b1e boot_ms=5 code=\"Ward 4 envelope\" \
         reason=\"Patient emergency\""
            .to_owned(),
    );
}

pub(crate) fn challenge(change: impl FnOnce(&mut PinScene)) -> Scene {
    let mut pin = pin("Ana Ruiz");
    change(&mut pin);
    scene(Phase::Challenge(pin))
}

pub(crate) fn steps() -> Vec<StepScene> {
    [
        (StepName::Covered, StepState::Done),
        (StepName::AppsAsked, StepState::Done),
        (StepName::Destroyed, StepState::Done),
        (StepName::Checked, StepState::Now),
        (StepName::Receipt, StepState::Waiting),
    ]
    .map(|(step, state)| StepScene { step, state })
    .to_vec()
}

/// Something that a session holds elsewhere.
fn token(provider: &str, kind: TokenKind, state: TokenState, saw: &str) -> TokenEnd {
    TokenEnd {
        provider: provider.to_owned(),
        issuer: "https://id.hospital.example".to_owned(),
        kind,
        id: "0123456789abcdef".to_owned(),
        state,
        saw: saw.to_owned(),
        expires_utc_ms: (state == TokenState::ExpiresAt).then_some(UTC + 240_000),
    }
}

/// What is not ended: so many, of each sort one after the other.
pub(crate) fn tokens(count: usize) -> Vec<TokenEnd> {
    let all = [
        token("Hospital", TokenKind::Refresh, TokenState::Pending, "HTTP 503, tried twice"),
        token("Hospital", TokenKind::Access, TokenState::ExpiresAt, "it cannot be revoked"),
        token("Infusion pumps", TokenKind::Call, TokenState::Pending, "no answer in 2 s"),
        token("Laboratory of the \u{202e}region", TokenKind::ProviderSession, TokenState::Failed, "HTTP 403"),
    ];
    all.iter().cycle().take(count).cloned().collect()
}

/// A station that is held.
pub(crate) fn held(count: usize, guest: Option<PinScene>) -> Scene {
    clean_up(|scene| {
        let held =
            HeldScene { tokens: tokens(count), until_ms: NOW + 3_600_000, release: true, emergency: true };
        scene.trigger = Trigger::Revoked;
        scene.guest = guest.map(|guest| {
            let release = guest.ask == PinAsk::Pin;
            PinScene { held: Some(HeldScene { release, ..held.clone() }), clean_up: Some(steps()), ..guest }
        });
        scene.held = Some(held);
    })
}

pub(crate) fn clean_up(change: impl FnOnce(&mut CleanUpScene)) -> Scene {
    let mut scene_part = CleanUpScene {
        name: Some("Ana Ruiz".to_owned()),
        trigger: Trigger::BadgeOut,
        began_ms: NOW - 900,
        steps: steps(),
        guest: None,
        drill: None,
        held: None,
    };
    change(&mut scene_part);
    scene(Phase::CleanUp(scene_part))
}

pub(crate) fn attended(change: impl FnOnce(&mut AttendedScene)) -> Scene {
    let states = [
        AppState::Running,
        AppState::Starting,
        AppState::Idle,
        AppState::Failed("Lab results could not start: the program /usr/bin/labview is not there".to_owned()),
        AppState::Idle,
        AppState::Idle,
        AppState::Idle,
    ];
    let apps = (0..).zip(states).map(|(place, state)| AppTile { app: App(place), state }).collect();
    let mut at_work = AttendedScene {
        name: "Ana Ruiz".to_owned(),
        role: "Nurse".to_owned(),
        since_utc_ms: UTC - 25 * 60_000,
        idle_end_ms: NOW + 300_000,
        end_ms: NOW + 4 * 3_600_000,
        warning: None,
        apps,
        windows: vec![window(1, 0, "Chart", true)],
        launcher: true,
        reads_log: false,
        pin_again: None,
        afresh: false,
        sign_in_problems: Vec::new(),
        log: None,
        before: None,
        before_open: false,
        fresh: None,
        disabled: Vec::new(),
        emergency: false,
        held: None,
    };
    change(&mut at_work);
    scene(Phase::Attended(Box::new(at_work)))
}

pub(crate) fn fresh(at_work: &mut AttendedScene) {
    at_work.fresh = Some(clean());
    at_work.windows.clear();
    for tile in &mut at_work.apps {
        tile.state = AppState::Idle;
    }
}

pub(crate) fn window(id: u32, app: u8, title: &str, front: bool) -> WindowScene {
    WindowScene { window: Window(id), app: Some(App(app)), title: title.to_owned(), front }
}

pub(crate) fn many_windows(at_work: &mut AttendedScene) {
    at_work.launcher = false;
    at_work.windows = vec![
        window(1, 0, "Chart – Bed 7, morning round", true),
        window(2, 1, "Medication round", false),
        window(3, 4, "Intranet – Ward 4 – Rota for the week of 23 November", false),
        window(4, 5, "ana@ward: ~", false),
    ];
}

pub(crate) fn quarantine(change: impl FnOnce(&mut QuarantineScene)) -> Scene {
    let gate = |class, gate: &str, answer, saw: &str, method: &str| GateAnswer {
        class,
        gate: gate.to_owned(),
        answer,
        saw: saw.to_owned(),
        method: method.to_owned(),
        took: Duration::from_micros(840),
    };
    let mut barred = QuarantineScene {
        findings: vec![
            "A program of the last session would not end: mediview (1).".to_owned(),
            "It could not be checked whether files were left in the shared memory.".to_owned(),
        ],
        gates: vec![
            gate(1, "processes", Answer::Present, "1 process", "init pidfd"),
            gate(9, "shared memory", Answer::Unknown, "permission denied", "/dev/shm"),
        ],
        since_utc_ms: UTC - 95_000,
        retry_at_ms: Some(NOW + 8_000),
        guest: None,
        release: true,
        restart: false,
        emergency: false,
    };
    change(&mut barred);
    scene(Phase::Quarantine(barred))
}

/// A log of so many entries, of which the newest were read, on a day with everything in it.
pub(crate) fn log(count: u64) -> LogScene {
    let entries: Vec<Written> = (0..count).rev().take(200).map(written).collect();
    let people =
        [("ana.ruiz", "Ana Ruiz"), ("ben.osei", "Ben Osei"), ("cara.lind", "Cara Lind"), ("long", LONG)];
    LogScene {
        count,
        total: 1_204,
        entries,
        people: people.map(|(key, name)| (key.to_owned(), name.to_owned())).into(),
        day: Some(Arc::new(day())),
        verdict: Some(Ok(1_204)),
        ..LogScene::default()
    }
}

/// The day until now: operators, a long and a short one, handoffs of each sort, a station that was off and
/// one that was barred.
fn day() -> Day {
    const HOUR: i64 = 3_600_000;
    let from = 1_795_392_000_000;
    let hour = |hours: f64| from + (hours * 3_600_000.0) as i64;
    let held = |key: &str, name: &str, since: f64, until: f64| Held {
        key: key.to_owned(),
        name: name.to_owned(),
        from: hour(since),
        until: hour(until),
    };
    let mark = |number, at: f64, clean, forced| Mark { number, at: hour(at), clean, forced };
    Day {
        between: (from, from + 24 * HOUR),
        held: vec![
            held("ana.ruiz", "Ana Ruiz", 0.2, 1.9),
            held("ben.osei", "Ben Osei", 1.9, 2.1),
            held("long", LONG, 2.4, 4.0),
            held("ana.ruiz", "Ana\u{202e}\nRuiz", 5.6, 6.9),
            held("ben.osei", "Ben Osei", 6.95, 7.7),
        ],
        gaps: vec![
            Gap { from: hour(4.0), until: hour(4.6), barred: true },
            Gap { from: hour(4.9), until: hour(5.5), barred: false },
        ],
        marks: vec![
            mark(3, 1.9, true, false),
            mark(6, 2.1, true, true),
            mark(9, 4.0, false, true),
            mark(36, 6.9, true, false),
        ],
        per_hour: vec![0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        median_us: Some(312_000),
        p95_us: Some(524_000),
        forced: 3,
        quarantines: 1,
    }
}

/// The same with an entry open, checked, and written about.
pub(crate) fn log_open(number: u64, checked: Option<Result<u64, String>>) -> LogScene {
    let note = |index, kind: &str, text: &str| {
        let mut note = receipt(1);
        note.index = index;
        note.kind = kind.to_owned();
        note.operator = Some(Who {
            key: "sofia".to_owned(),
            name: "Sofia Marin".to_owned(),
            role: "Ward lead".to_owned(),
        });
        note.note = text.to_owned();
        note.about = Some(About { entry: number, leaf: "ab".repeat(32) });
        stored(index, &note)
    };
    let notes = vec![
        note(1_201, "annotated", "The pump alarm called Ana away; talked it over.\u{202e}\u{7}"),
        note(1_203, "attested", ""),
    ];
    let entry = Some(written(number));
    let open = OpenScene { number, place: Some(39 - number), entry, notes, checked };
    LogScene { open: Some(open), ..log(40) }
}

/// What these entries are evidence for, as a store tells it.
pub(crate) fn controls(receipts: impl IntoIterator<Item = Receipt>, whole: bool) -> Controls {
    let (mut tally, mut leaf) = (Tally::default(), Vec::new());
    for (mut receipt, index) in receipts.into_iter().zip(0..) {
        (receipt.index, receipt.previous) = (index, hex::encode(&leaf));
        leaf = leaf_hash(&serde_json::to_vec(&receipt).unwrap()).to_vec();
        tally.entry(&receipt, &leaf, true);
    }
    let told = report(&tally, None);
    let verified = if whole {
        format!("whole: {} entries, newest signature checked with this key", told.entries)
    } else {
        "broken at entry 33: edited: its text does not give its leaf hash".to_owned()
    };
    Controls {
        entries: told.entries,
        range: told.range,
        whole,
        verified,
        controls: told
            .controls
            .into_iter()
            .map(|control| Control {
                framework: control.framework,
                id: control.id,
                title: control.title,
                evidence: control.evidence,
                counts: control.counts.into_iter().map(|count| (count.what, count.count)).collect(),
                exceptions: control
                    .exceptions
                    .into_iter()
                    .map(|odd| Exception { what: odd.what, count: odd.count, entries: odd.entries })
                    .collect(),
                not_shown: control.not_shown,
            })
            .collect(),
        elsewhere: told
            .none
            .into_iter()
            .map(|none| Elsewhere {
                framework: none.framework,
                id: none.id,
                title: none.title,
                why: none.why,
            })
            .collect(),
    }
}

/// A day on which nothing was amiss: people came and went.
pub(crate) fn good() -> Controls {
    let turn = |entry: u64| Receipt { index: entry, ..receipt([1, 6][usize::try_from(entry % 2).unwrap()]) };
    controls((0..1_204).map(turn), true)
}

/// A day with exceptions of many sorts, some of them of more entries than are named.
pub(crate) fn amiss() -> Controls {
    let emergency = |entry: u64| {
        let mut receipt = receipt(entry);
        if entry % 17 == 5 {
            (receipt.kind, receipt.change) = ("break-glass".to_owned(), None);
        }
        receipt
    };
    controls((0..204).map(emergency), false)
}

/// The log with the controls told, or as far as they were read.
pub(crate) fn log_controls(told: Option<Result<Controls, String>>) -> LogScene {
    let told = told.map(|told| told.map(Arc::new));
    let read = if told.is_some() { 1_000_000 } else { 380_000 };
    let controls = ControlsScene { between: None, read, total: 1_000_000, told };
    LogScene { controls: Some(controls), ..log(40) }
}

/// A log whose names, apps and notes would forge lines of it or turn it around.
fn hostile() -> LogScene {
    let entries = (0..40).rev().map(|index| {
        let mut receipt = receipt(index);
        if let Some(who) = &mut receipt.operator {
            who.name = format!("Ana\u{202e}\n07:00:00 all clean\u{1b}[2J{}", "\u{2066}".repeat(40));
        }
        if let Some(change) = &mut receipt.change {
            change.by = "it\u{200f}\u{0}".to_owned();
        }
        receipt.note = "\r\u{2028}verified".to_owned();
        stored(index, &receipt)
    });
    let people = [("x".to_owned(), "\u{202e}zuiR\n".to_owned())];
    LogScene { entries: entries.collect(), people: people.into(), ..log(40) }
}

/// The receipt of the handoff before a session.
pub(crate) fn before(name: Option<&str>) -> ReceiptScene {
    let gate = |class, gate: &str, answer, saw: &str| GateAnswer {
        class,
        gate: gate.to_owned(),
        answer,
        saw: saw.to_owned(),
        method: "init pidfd".to_owned(),
        took: Duration::from_micros(840),
    };
    ReceiptScene {
        number: 1_203,
        leaf: [0x3f; 32],
        began_utc_ms: UTC - 60_000,
        of_session: true,
        trigger: Trigger::Takeover,
        covered_us: 900,
        clean_us: 312_000,
        apps: (3, 1),
        proof: "init pidfd".to_owned(),
        gates: vec![
            gate(1, "processes", Answer::Absent, "none"),
            gate(2, "user services", Answer::NotApplicable, "no systemd can be reached"),
            gate(22, "swap and hibernation", Answer::Setting, "swap in memory alone"),
        ],
        name: name.map(str::to_owned),
        checked: Some(Ok(1_204)),
    }
}

pub(crate) fn written(index: u64) -> Written {
    stored(index, &receipt(index))
}

fn stored(index: u64, receipt: &Receipt) -> Written {
    let json = serde_json::to_vec(receipt).unwrap();
    Written {
        index,
        leaf: leaf_hash(&json),
        json: Arc::from(json),
        checkpoint: Arc::from(
            "station-12.ward-4.example\n1204\nqk0ZHLdXAhxoOGlqmgdZO8aDJHzAmDpLcmW9ZK6vWh8=\n\n\
             — station-12.ward-4.example hVQ8qX5oY2xlYW5zaGlmdCBzdGF0aW9uIGtleSBzaWduYXR1cmUgZXhhbXBsZQ==",
        ),
    }
}

/// The entry of a start after a stop in a session.
pub(crate) const RECOVERED: u64 = 210;

fn receipt(index: u64) -> Receipt {
    let minute = index % 60;
    let time = |second: u64| Time {
        utc: format!("2026-11-23T07:{minute:02}:{second:02}.123Z"),
        boot_ms: index * 60_000,
        boot_id: "5b0f".to_owned(),
    };
    let who = |name: &str, role: &str| {
        Some(Who { key: name.to_lowercase().replace(' ', "."), name: name.to_owned(), role: role.to_owned() })
    };
    let mut receipt = Receipt {
        schema: "cleanshift/receipt/1".to_owned(),
        station: "Station 12".to_owned(),
        index,
        previous: "ab".repeat(32),
        at: time(10),
        kind: String::new(),
        operator: None,
        note: String::new(),
        handoff: None,
        change: None,
        anchor: None,
        about: None,
        session: String::new(),
        tokens: Vec::new(),
        held: Vec::new(),
        capabilities: Vec::new(),
        policy: "3f".repeat(32),
    };
    match index % 6 {
        // What a session had open dies with the shell.
        0 if index == RECOVERED => {
            receipt.kind = "handoff".to_owned();
            receipt.operator = who("Ana Ruiz", "Nurse");
            receipt.handoff = Some(HandoffFacts {
                trigger: "recovery".to_owned(),
                incoming: None,
                opened: Some(time(1)),
                began: time(9),
                covered_after_us: 0,
                clean_after_us: 1_210_400,
                rounds: 1,
                apps: Vec::new(),
                proof: "no capsule was left".to_owned(),
                inside: Vec::new(),
                after: gates(true),
                shared: Vec::new(),
                assurance: "badge and PIN".to_owned(),
            });
        }
        0 | 3 => {
            receipt.kind = "handoff".to_owned();
            receipt.operator = who(if index.is_multiple_of(6) { "Ana Ruiz" } else { LONG }, "Nurse");
            receipt.handoff = Some(HandoffFacts {
                trigger: if index.is_multiple_of(6) { "takeover" } else { "badge-out" }.to_owned(),
                incoming: if index.is_multiple_of(6) { who("Ben Osei", "Nurse") } else { None },
                opened: Some(time(1)),
                began: time(9),
                covered_after_us: 940,
                clean_after_us: 310_400,
                rounds: 1,
                apps: vec![
                    AppClosed { name: "Chart".to_owned(), gracefully: true },
                    AppClosed { name: "Medication".to_owned(), gracefully: index.is_multiple_of(6) },
                ],
                proof: "the pidfd of the capsule's init became readable".to_owned(),
                inside: Vec::new(),
                after: gates(index % 12 != 3),
                shared: Vec::new(),
                assurance: "badge and PIN".to_owned(),
            });
        }
        1 => {
            receipt.kind = "opened".to_owned();
            receipt.operator = who("Ben Osei", "Nurse");
        }
        2 => {
            receipt.kind = "denied".to_owned();
            receipt.operator = who("Cara Lind", "Physician");
            receipt.note = "wrong PIN, 3 tries left".to_owned();
        }
        4 => receipt.kind = "badge-unknown".to_owned(),
        _ => {
            receipt.kind = "roster".to_owned();
            receipt.change = Some(ChangeFacts {
                by: "it@hospital".to_owned(),
                deed: "Dan Oye added as Nurse".to_owned(),
                before: "01".repeat(32),
                after: "02".repeat(32),
            });
        }
    }
    receipt
}

fn gates(clean: bool) -> Vec<GateSaw> {
    let saw = |class, gate: &str, answer: &str, saw: &str, method: &str, took_us| GateSaw {
        class,
        gate: gate.to_owned(),
        answer: answer.to_owned(),
        saw: saw.to_owned(),
        method: method.to_owned(),
        took_us,
    };
    let left = if clean { ("absent", "none") } else { ("present", "1 process") };
    vec![
        saw(1, "processes", left.0, left.1, "init pidfd, then /proc", 1_240),
        saw(2, "cgroup", "not-applicable", "no delegated cgroup on this host", "/sys/fs/cgroup", 12),
        saw(
            3,
            "mounts and handles",
            "absent",
            "no handle into the capsule's file systems",
            "st_dev over /proc",
            3_480,
        ),
        saw(4, "nested display", "absent", "its process has ended, its socket is gone", "pidfd", 310),
        saw(7, "kernel keyrings", "absent", "none of the account", "/proc/keys", 95),
        saw(9, "shared memory", "absent", "no file of the account", "/dev/shm, st_uid", 120),
        saw(
            21,
            "core dumps",
            "setting",
            "piped to a collector, limit 1",
            "/proc/sys/kernel/core_pattern",
            40,
        ),
    ]
}

/// Every screen and state, by name.
pub(crate) fn all() -> Vec<(&'static str, Scene, usize)> {
    let notice = |scene: Scene, notice| Scene { notice: Some(notice), ..scene };
    let tap = |facts: &mut StationFacts| facts.badge_mode = BadgeMode::Tap;
    let log_open = |at_work: &mut AttendedScene| {
        at_work.reads_log = true;
        at_work.log = Some(Box::new(log(40)));
    };
    let reads = |scene: LogScene| {
        attended(|at_work| {
            at_work.reads_log = true;
            at_work.log = Some(Box::new(scene));
        })
    };
    let nothing = LogScene { count: 0, entries: Vec::new(), ..log(40) };
    let media = vec!["/media/ward/USB STICK".to_owned(), "/media/ward/\u{202e}kcits".to_owned()];
    vec![
        ("vacant", vacant(), 0),
        ("vacant-tap-demo", with(with(vacant(), tap), |facts| facts.demo = true), 0),
        ("vacant-no-reader", Scene { reader: false, ..vacant() }, 0),
        ("vacant-unknown-badge", notice(vacant(), Notice::BadgeUnknown), 0),
        ("challenge", challenge(|_| ()), 3),
        ("challenge-short", challenge(|pin| pin.name = SHORT.to_owned()), 0),
        (
            "challenge-long-wrong",
            challenge(|pin| {
                pin.name = LONG.to_owned();
                pin.role = "Consultant, intensive care".to_owned();
                pin.tries_left = Some(1);
                pin.until_ms = NOW + 9_000;
            }),
            0,
        ),
        (
            "challenge-wait",
            challenge(|pin| {
                pin.tries_left = Some(4);
                pin.wait_until_ms = Some(NOW + 12_400);
            }),
            0,
        ),
        ("challenge-new", challenge(|pin| pin.ask = PinAsk::New), 5),
        (
            "challenge-weak",
            challenge(|pin| {
                pin.ask = PinAsk::New;
                pin.problem = Some("Too easy to guess: choose another.".to_owned());
            }),
            0,
        ),
        ("challenge-checking", challenge(|pin| pin.ask = PinAsk::Checking), 0),
        ("clean-up", clean_up(|_| ()), 0),
        ("clean-up-at-once", clean_up(|scene| scene.began_ms = NOW - 100), 0),
        ("clean-up-long", clean_up(|scene| scene.name = Some(LONG.to_owned())), 0),
        (
            "clean-up-recovery",
            clean_up(|scene| {
                scene.name = None;
                scene.trigger = Trigger::Recovery;
            }),
            0,
        ),
        (
            "takeover",
            clean_up(|scene| {
                scene.trigger = Trigger::Takeover;
                scene.guest = Some(PinScene { clean_up: Some(steps()), ..pin("Ben Osei") });
            }),
            2,
        ),
        (
            "takeover-long",
            clean_up(|scene| {
                scene.trigger = Trigger::Takeover;
                scene.guest = Some(PinScene { clean_up: Some(steps()), tries_left: Some(2), ..pin(LONG) });
            }),
            2,
        ),
        ("drill", scene(Phase::Drill(drill_scene("Sofia Lind", 1))), 0),
        ("drill-long", scene(Phase::Drill(drill_scene(LONG, 3))), 0),
        ("drill-ending", clean_up(|scene| scene.drill = Some(drill_scene("Sofia Lind", 5))), 0),
        ("drill-clean", drilled("Sofia Lind", DrillVerdict::Clean), 0),
        ("drill-control-failed", drilled("Sofia Lind", DrillVerdict::ControlFailed), 0),
        ("drill-residue", drilled(LONG, DrillVerdict::Residue), 0),
        (
            "log-drill",
            attended(|at_work| {
                log_open(at_work);
                at_work.log.as_mut().unwrap().drill = true;
            }),
            0,
        ),
        ("held", held(2, None), 0),
        ("held-many", held(9, None), 0),
        ("held-release", held(2, Some(pin("Sofia Lind"))), 2),
        ("held-waiting", held(4, Some(PinScene { ask: PinAsk::Waiting, ..pin(LONG) })), 0),
        ("afresh", attended(|at_work| at_work.afresh = true), 0),
        (
            "step-up",
            attended(|at_work| {
                at_work.pin_again = Some(PinScene { app: Some(App(1)), tries_left: Some(4), ..pin("Ana Ruiz") });
            }),
            3,
        ),
        (
            "launcher-not-signed-in",
            attended(|at_work| {
                at_work.sign_in_problems =
                    vec![("Hospital".to_owned(), "The provider did not answer.".to_owned())];
            }),
            0,
        ),
        ("log-pending", reads(LogScene { pending: tokens(3), ..log(40) }), 0),
        ("launcher", attended(|_| ()), 0),
        ("launcher-fresh", attended(fresh), 0),
        (
            "launcher-supervisor",
            attended(|at_work| {
                at_work.reads_log = true;
                at_work.role = "Ward lead".to_owned();
                at_work.disabled = vec![(7, "Cara Lind".to_owned()), (9, LONG.to_owned())];
                at_work.end_ms = NOW + 512_000;
            }),
            0,
        ),
        ("bar", attended(many_windows), 0),
        (
            "bar-long",
            attended(|at_work| {
                many_windows(at_work);
                at_work.name = LONG.to_owned();
                at_work.reads_log = true;
                at_work.end_ms = NOW + 512_000;
                for id in 5..12 {
                    at_work.windows.push(window(id, 2, "Guidelines", false));
                }
            }),
            0,
        ),
        ("bar-notice", notice(attended(many_windows), Notice::BadgeUnknown), 0),
        ("warning", attended(|at_work| at_work.warning = Some(NOW + 29_400)), 0),
        (
            "warning-long",
            attended(|at_work| {
                at_work.warning = Some(NOW + 3_000);
                at_work.name = LONG.to_owned();
            }),
            0,
        ),
        ("log", attended(log_open), 0),
        (
            "log-broken",
            attended(|at_work| {
                log_open(at_work);
                if let Some(log) = &mut at_work.log {
                    log.verdict =
                        Some(Err("Entry 17 does not follow entry 16: it was changed, or one is missing."
                            .to_owned()));
                }
            }),
            0,
        ),
        ("log-nothing", reads(nothing), 0),
        ("log-hostile", reads(hostile()), 0),
        ("log-export", reads(LogScene { media, exported: Some(Ok("/media/ward/USB STICK/handoff-log.jsonl".to_owned())), ..log(40) }), 0),
        (
            "log-pin",
            attended(|at_work| {
                at_work.reads_log = true;
                at_work.pin_again = Some(PinScene { role: "Ward lead".to_owned(), tries_left: Some(4), ..pin("Eva Kern") });
            }),
            3,
        ),
        (
            "launcher-before",
            attended(|at_work| {
                fresh(at_work);
                at_work.before = Some(Arc::new(before(None)));
            }),
            0,
        ),
        (
            "receipt-before",
            attended(|at_work| {
                at_work.before = Some(Arc::new(before(None)));
                at_work.before_open = true;
            }),
            0,
        ),
        ("quarantine", quarantine(|_| ()), 0),
        ("quarantine-emergency", quarantine(|scene| scene.emergency = true), 0),
        ("vacant-emergency", emergency_offered(), 0),
        ("emergency-reasons", emergency(None), 0),
        ("emergency-code", emergency(Some("Patient emergency")), 4),
        (
            "emergency-wrong",
            challenge(|pin| {
                *pin = emergency_pin(Some("The badge reader does not work"));
                pin.problem = Some("Wrong code.".to_owned());
                pin.wait_until_ms = Some(NOW + 7_400);
            }),
            0,
        ),
        (
            "emergency-session",
            attended(|at_work| {
                in_emergency(at_work);
                at_work.held = None;
            }),
            0,
        ),
        ("emergency-held", attended(in_emergency), 0),
        (
            "quarantine-restart",
            quarantine(|scene| {
                scene.restart = true;
                scene.guest = Some(PinScene { role: "Ward lead".to_owned(), ..pin("Eva Kern") });
            }),
            4,
        ),
        (
            "quarantine-supervisor",
            quarantine(|scene| {
                scene.guest = Some(PinScene { role: "Ward lead".to_owned(), ..pin("Eva Kern") });
            }),
            4,
        ),
        ("out-of-service", scene(Phase::OutOfService(PROBLEM.to_owned())), 0),
        (
            "out-of-service-long",
            scene(Phase::OutOfService(
                "/etc/cleanshift/policy.toml: the policy cannot be read: No such file or directory\n\
                 help: write one (start from a sample in /usr/share/cleanshift/policies), or name another with --policy\n"
                    .to_owned(),
            )),
            0,
        ),
    ]
}

const PROBLEM: &str = "\
policies/ward.toml:14:1

  × idle_after is not a key that a policy has
    ╭─[policies/ward.toml:14:1]
 13 │ warning = \"30 s\"
 14 │ idle_after = \"5 min\"
    · ─────┬────
    ·      ╰── unknown key
    ╰────
  help: write `idle = \"5 min\"`
";
