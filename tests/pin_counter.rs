//! The counter of wrong tries, on the real store and the real hash: it is durable before anybody is told
//! what a PIN came to, and where it errs it says one try too many.

#![expect(clippy::unwrap_used, reason = "what fails in a test ends the test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cleanshift::handoff::{OperatorId, PinAnswer, PinVerified};
use cleanshift::pin::Pin;
use cleanshift::platform::rehearsal::clock::RehearsedClock;
use cleanshift::ports::{
    BadgeUid, Clock, PinCheck as _, PinRow, PortError, Result, RosterRow, RosterRows, Stamp,
};
use cleanshift::roster::{Directory, Pepper, RosterRules};
use cleanshift::store::Store;

const ANA: OperatorId = OperatorId(1);
const PIN: &str = "583920";
const WRONG: &str = "174655";

/// The store's rows on a disk that can be told to wait, or to fail.
struct Slow {
    store: Arc<Store>,
    /// What a count waits for, when it is to wait.
    gate: Mutex<Option<Receiver<()>>>,
    fails: AtomicBool,
}

impl RosterRows for Slow {
    fn all(&self) -> Result<Vec<RosterRow>> {
        self.store.all()
    }

    fn by_badge(&self, badge: &BadgeUid) -> Result<Option<RosterRow>> {
        self.store.by_badge(badge)
    }

    fn by_id(&self, operator: OperatorId) -> Result<Option<RosterRow>> {
        self.store.by_id(operator)
    }

    fn change(&self, put: &[RosterRow], take: &[String], by: &str, deed: &str, at: &Stamp) -> Result<()> {
        self.store.change(put, take, by, deed, at)
    }

    fn count(&self, operator: OperatorId, wrong: u8, last_utc_ms: i64, disabled: bool) -> Result<()> {
        if let Some(gate) = self.gate.lock().unwrap().take() {
            gate.recv().unwrap();
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(PortError::new("write the counter of wrong tries: the disk is full"));
        }
        self.store.count(operator, wrong, last_utc_ms, disabled)
    }

    fn begin_anew(&self, operator: OperatorId, wrong: u8) -> Result<()> {
        self.store.begin_anew(operator, wrong)
    }

    fn set_pin(&self, operator: OperatorId, pin: &PinRow) -> Result<()> {
        self.store.set_pin(operator, pin)
    }
}

struct Station {
    _dir: tempfile::TempDir,
    rows: Arc<Slow>,
    directory: Arc<Directory>,
    clock: Arc<RehearsedClock>,
}

/// A station on whose roster Ana is, with her own PIN.
fn station() -> Station {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path(), "S").unwrap());
    let (pepper, _) = Pepper::open(dir.path(), "S", false, false).unwrap();
    let clock = Arc::new(RehearsedClock::begin(1_790_000_000_000));
    let rows = Arc::new(Slow { store: store.clone(), gate: Mutex::default(), fails: AtomicBool::default() });
    let rules = RosterRules {
        roles: vec!["nurse".to_owned()],
        supervisors: Vec::new(),
        least: 4,
        most: 15,
        slow_after: 5,
        disable_after: 3,
    };
    let directory = Arc::new(Directory::new(rows.clone(), store.clone(), clock.clone(), pepper, rules));
    let ana = RosterRow {
        key: "ana.ruiz".to_owned(),
        name: "Ana Ruiz".to_owned(),
        roles: vec!["nurse".to_owned()],
        ..RosterRow::default()
    };
    store.change(&[ana], &[], "it", "add ana.ruiz", &clock.stamp()).unwrap();
    assert_eq!(directory.set(ANA, &pin(PIN)), Ok(PinVerified::of(ANA)));
    Station { _dir: dir, rows, directory, clock }
}

fn pin(digits: &str) -> Pin {
    Pin::read(digits).unwrap()
}

impl Station {
    fn check(&self, digits: &str) -> PinAnswer {
        self.directory.check(ANA, &pin(digits))
    }

    fn row(&self) -> RosterRow {
        self.rows.by_id(ANA).unwrap().unwrap()
    }

    /// From now on the next count waits until it is let go.
    fn hold(&self) -> Sender<()> {
        let (go, gate) = channel();
        *self.rows.gate.lock().unwrap() = Some(gate);
        go
    }
}

fn right() -> PinAnswer {
    PinAnswer::Right(PinVerified::of(ANA))
}

#[test]
fn nobody_is_told_before_the_count_is_durable() {
    let station = station();
    for digits in [PIN, WRONG] {
        let go = station.hold();
        let (told, answer) = channel();
        let (directory, before) = (Arc::clone(&station.directory), station.row().wrong);
        let asked = std::thread::spawn(move || {
            told.send(directory.check(ANA, &pin(digits))).unwrap();
        });
        // Far longer than the hash takes: the look itself has long been done.
        assert!(answer.recv_timeout(Duration::from_secs(2)).is_err(), "told before it was counted");
        assert_eq!(station.row().wrong, before);
        go.send(()).unwrap();
        let answer = answer.recv_timeout(Duration::from_secs(30)).expect("no answer after the count");
        assert_eq!(answer == right(), digits == PIN);
        asked.join().unwrap();
        assert_eq!(station.row().wrong, before + 1, "an answer without its count");
    }
}

#[test]
fn a_count_that_cannot_be_written_lets_nobody_in() {
    let station = station();
    assert_eq!(station.check(PIN), right(), "the look is blind");
    station.rows.fails.store(true, Ordering::SeqCst);
    assert_eq!(station.check(PIN), PinAnswer::Failed);
    assert_eq!(station.check(WRONG), PinAnswer::Failed);
}

#[test]
fn a_right_pin_begins_anew_and_a_lost_beginning_costs_a_try_at_most() {
    let station = station();
    assert_eq!(station.check(WRONG), PinAnswer::Wrong { left: 2, wait: 0 });
    assert_eq!(station.check(PIN), right());
    // As a crash would leave it.
    assert_eq!(station.row().wrong, 2);
    station.directory.begin_anew(ANA);
    assert_eq!(station.row().wrong, 0);
    // A beginning that comes late does not forget a wrong try that was counted meanwhile.
    assert_eq!(station.check(PIN), right());
    assert_eq!(station.check(WRONG), PinAnswer::Wrong { left: 1, wait: 0 });
    station.directory.begin_anew(ANA);
    assert_eq!(station.row().wrong, 2);
    // Without a right PIN there is nothing to begin.
    station.directory.begin_anew(ANA);
    assert_eq!(station.row().wrong, 2);
}

#[test]
fn the_last_try_enables_the_badge_before_it_lets_in() {
    let station = station();
    let _ = (station.check(WRONG), station.check(WRONG));
    assert_eq!(station.check(PIN), right());
    let row = station.row();
    assert!(!row.disabled && row.wrong == 0, "let in with a disabled badge: {row:?}");
    let _ = (station.check(WRONG), station.check(WRONG));
    assert_eq!(station.check(WRONG), PinAnswer::Disabled);
    assert!(station.row().disabled);
    station.clock.set(1);
    assert_eq!(station.check(PIN), PinAnswer::Disabled);
}
