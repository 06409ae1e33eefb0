//! Asking the gates: each on a thread of its own, all within one bounded time, so that a gate that
//! hangs or breaks costs its own answer and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::scan::Scan;
use super::{Baseline, Gate, Ground, Look, Remains, Saw, Trace, all};
use crate::platform::linux::clock::monotonic;
use crate::platform::linux::looker;
use crate::platform::linux::pace;
use crate::platform::linux::reach::{self, DOORS};
use crate::platform::linux::sabotage;
use crate::ports::{Answer, GateAnswer};

/// How many classes of traces there are; each is answered in every look.
pub const CLASSES: u8 = 28;
/// How long all gates together may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Who looks for traces: knows what stood before the first session, and asks every gate.
pub struct Lookout {
    baseline: Arc<Baseline>,
    require: Vec<String>,
    shared: Vec<PathBuf>,
    looker: PathBuf,
    /// Gates whose look has not ended yet: a gate that hangs is not asked again meanwhile.
    busy: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Lookout {
    /// Looks at the host as it is now, before the first session. `require` names the settings that the
    /// policy requires, `shared` the directories that it shares into capsules.
    #[must_use]
    pub fn begin(require: &[String], shared: &[PathBuf]) -> Self {
        let mut lookout = Self {
            baseline: Arc::default(),
            require: require.to_vec(),
            shared: shared.to_vec(),
            looker: looker::installed(),
            busy: Arc::default(),
        };
        let ground = lookout.ground(&Remains::default());
        let counts = ground.counts().cloned();
        let mut traces = BTreeMap::new();
        for gate in all() {
            if let Look::These(found) | Look::Partly(found, _) = (gate.look)(&ground) {
                let _ = traces.insert(gate.name, found.into_iter().map(|trace| trace.key).collect());
            }
        }
        let own = Scan::take().own.iter().map(|process| (process.pid, process.since)).collect();
        lookout.baseline = Arc::new(Baseline { traces, own, counts });
        lookout
    }

    /// Asks every gate, after each has cleared what it may.
    #[must_use]
    pub fn look(&self, remains: &Remains) -> Vec<GateAnswer> {
        self.ask(remains, true)
    }

    /// Asks every gate as it is, and clears nothing.
    #[must_use]
    pub fn find(&self, remains: &Remains) -> Vec<GateAnswer> {
        self.ask(remains, false)
    }

    /// The names of all gates.
    #[must_use]
    pub fn gates() -> Vec<&'static str> {
        all().map(|gate| gate.name).collect()
    }

    /// Turns what a capsule's init counted before its end into answers: what there was to be destroyed,
    /// and which doors of the host it found.
    #[must_use]
    pub fn inside(&self, counts: &[(String, u64)]) -> Vec<GateAnswer> {
        let answer = |class, gate: &str, there: bool, saw: String, method: &str| GateAnswer {
            class,
            gate: gate.to_owned(),
            answer: if there { Answer::Present } else { Answer::Absent },
            saw,
            method: method.to_owned(),
            took: Duration::ZERO,
        };
        let mut answers = Vec::new();
        for (name, count) in counts {
            // A name that no gate asked for is no answer: init is never believed.
            if let Some(gate) = all().find(|gate| gate.inside.contains(&name.as_str())) {
                answers.push(answer(gate.class, name, *count > 0, count.to_string(), "inside the capsule"));
            }
        }
        for class in 1..=CLASSES {
            let doors = DOORS.iter().filter(|door| door.class == class);
            let tried: Vec<bool> = doors
                .filter_map(|door| counts.iter().find(|(place, _)| place == door.place))
                .map(|(_, open)| *open > 0)
                .collect();
            if !tried.is_empty() {
                let open = tried.iter().filter(|open| **open).count();
                let saw = format!("{open} of {} ways to the host", tried.len());
                answers.push(answer(class, "ways out", open > 0, saw, "tried inside the capsule"));
            }
        }
        answers.sort_by_key(|answer| answer.class);
        answers
    }

    fn ground(&self, remains: &Remains) -> Ground {
        Ground {
            remains: remains.clone(),
            baseline: Arc::clone(&self.baseline),
            require: self.require.clone(),
            shared: self.shared.clone(),
            looker: self.looker.clone(),
            scan: OnceLock::new(),
            counts: OnceLock::new(),
        }
    }

    fn ask(&self, remains: &Remains, clear: bool) -> Vec<GateAnswer> {
        let gates: Vec<&'static Gate> = all().collect();
        self.ask_these(&gates, remains, clear, pace::patience(PATIENCE))
    }

    fn ask_these(
        &self,
        gates: &[&'static Gate],
        remains: &Remains,
        clear: bool,
        patience: Duration,
    ) -> Vec<GateAnswer> {
        let began = monotonic();
        let first = Arc::new(self.ground(remains));
        // What is there after a clearing must be looked at anew.
        let second = Arc::new(self.ground(remains));
        let (answers, answered) = channel();
        let mut why: BTreeMap<usize, &str> = BTreeMap::new();
        for (place, gate) in gates.iter().copied().enumerate() {
            if !lock(&self.busy).insert(gate.name) {
                let _ = why.insert(place, "its look before this one has not ended");
                continue;
            }
            let done = Done(gate.name, Arc::clone(&self.busy));
            let (answers, first, second) = (answers.clone(), Arc::clone(&first), Arc::clone(&second));
            let look = move || {
                let done = done;
                let answer = one(gate, &first, &second, clear);
                drop(done);
                let _ = answers.send((place, answer));
            };
            if std::thread::Builder::new().spawn(look).is_err() {
                let _ = why.insert(place, "there is no thread for it");
            }
        }
        drop(answers);
        let mut got: BTreeMap<usize, GateAnswer> = BTreeMap::new();
        let missing = loop {
            let left = patience.saturating_sub(monotonic().saturating_sub(began));
            match answered.recv_timeout(left) {
                Ok((place, answer)) => drop(got.insert(place, answer)),
                Err(RecvTimeoutError::Disconnected) => break "it broke while it looked",
                Err(RecvTimeoutError::Timeout) => break "it did not answer in time",
            }
        };
        gates
            .iter()
            .enumerate()
            .map(|(place, gate)| {
                got.remove(&place).unwrap_or_else(|| {
                    let saw = why.get(&place).copied().unwrap_or(missing);
                    let saw = Saw { answer: Answer::Unknown, saw: saw.to_owned(), method: None };
                    told(gate, saw, monotonic().saturating_sub(began))
                })
            })
            .collect()
    }
}

/// Takes a gate off the list of those that are still looking, however its look ends.
struct Done(&'static str, Arc<Mutex<BTreeSet<&'static str>>>);

impl Drop for Done {
    fn drop(&mut self) {
        let _ = lock(&self.1).remove(self.0);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One gate's answer; where it may clear, after it has cleared what it found.
fn one(gate: &'static Gate, ground: &Ground, again: &Ground, clear: bool) -> GateAnswer {
    let began = monotonic();
    if sabotage::gate(gate.name) {
        return told(gate, Saw::of(&[], gate.what), Duration::ZERO);
    }
    let (saw, left) = judged(gate, ground);
    let saw = match gate.clear {
        Some(sweep) if clear && saw.answer == Answer::Present && !sabotage::step("clear") => {
            sweep(ground, &left);
            let (mut after, still) = judged(gate, again);
            let cleared = left.len().saturating_sub(still.len());
            if cleared > 0 {
                after.saw = format!("{}; {cleared} cleared", after.saw);
            }
            after
        }
        Some(_) | None => saw,
    };
    told(gate, saw, monotonic().saturating_sub(began))
}

/// What a gate says of what has come since the baseline.
fn judged(gate: &'static Gate, ground: &Ground) -> (Saw, Vec<Trace>) {
    let old = ground.baseline.traces.get(gate.name);
    let new = |found: Vec<Trace>| -> Vec<Trace> {
        found.into_iter().filter(|trace| old.is_none_or(|old| !old.contains(&trace.key))).collect()
    };
    match (gate.look)(ground) {
        Look::These(found) => {
            let left = new(found);
            (Saw::of(&left, gate.what), left)
        }
        Look::Partly(found, why) => {
            let left = new(found);
            let saw = if left.is_empty() {
                Saw { answer: Answer::Unknown, saw: why, method: None }
            } else {
                Saw::of(&left, gate.what)
            };
            (saw, left)
        }
        Look::Said(saw) => (saw, Vec::new()),
    }
}

fn told(gate: &Gate, saw: Saw, took: Duration) -> GateAnswer {
    GateAnswer {
        class: gate.class,
        gate: gate.name.to_owned(),
        answer: saw.answer,
        saw: saw.saw,
        method: saw.method.unwrap_or(gate.method).to_owned(),
        took,
    }
}

/// Which of a class's doors the last capsule's init found, where there was a capsule.
pub(super) enum Way {
    /// It did not say.
    Untold,
    /// There was no capsule: nothing of a session can have run.
    NoCapsule,
    /// None of so many.
    Shut(usize),
    /// This one.
    Open(String),
}

impl Ground {
    /// What is known of the way from the last capsule to a class's part of the host.
    pub(super) fn way(&self, class: u8) -> Way {
        if !self.had_capsule() {
            return Way::NoCapsule;
        }
        let Some(found) = &self.remains.doors else { return Way::Untold };
        let doors: Vec<_> = DOORS.iter().filter(|door| door.class == class).collect();
        for door in &doors {
            match found.iter().find(|(place, _)| place == door.place) {
                Some((_, 0)) => {}
                // The way to a directory that the policy shares on purpose; it is named in the receipt.
                Some(_) if self.shared.iter().any(|path| path.starts_with(door.place)) => {}
                Some(_) => return Way::Open(door.place.to_owned()),
                None => return Way::Untold,
            }
        }
        if doors.is_empty() { Way::Untold } else { Way::Shut(doors.len()) }
    }

    /// The answer of a class at which this account may not look, when the looker has not looked either.
    pub(super) fn by_reach(&self, class: u8) -> Look {
        match self.way(class) {
            Way::NoCapsule => Look::absent(
                "no session has been there, and a capsule has no way to it by its allow-listed root",
                "by construction",
            ),
            Way::Shut(tried) => Look::absent(
                format!("unreachable: none of {tried} ways to it was there inside"),
                "unreachable",
            ),
            Way::Open(door) => {
                Look::unknown(format!("the session could reach {door}, and nobody could look behind it"))
            }
            Way::Untold => {
                Look::unknown("nobody could look, and the capsule did not say what it could reach")
            }
        }
    }

    /// What nobody but root may look at: the looker's count, else by reach.
    pub(super) fn counted(
        &self,
        class: u8,
        what: &str,
        count: impl Fn(&looker::Counts) -> Option<u64>,
    ) -> Look {
        let now = self.counts().and_then(&count);
        let before = self.baseline.counts.as_ref().and_then(&count).unwrap_or(0);
        match now {
            Some(now) if now > before => Look::present(format!("{} {what}", now - before)),
            Some(_) => Look::absent(format!("no {what}"), "the looker's count"),
            None => self.by_reach(class),
        }
    }
}

/// Whether one of these is on this host.
pub(super) fn any_here(places: &[&str]) -> bool {
    places.iter().any(
        |place| {
            if place.starts_with("tcp ") { reach::open(place) } else { Path::new(place).exists() }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: Gate = Gate {
        class: 1,
        name: "sound",
        what: "things",
        method: "a look",
        inside: &[],
        look: |_| Look::These(vec![Trace::of("a")]),
        clear: None,
    };
    const BROKEN: Gate = Gate { name: "broken", look: |_| panic!("on purpose"), ..SOUND };
    const HANGING: Gate = Gate {
        name: "hanging",
        look: |_| {
            std::thread::sleep(Duration::from_secs(3));
            Look::These(Vec::new())
        },
        ..SOUND
    };

    fn lookout() -> Lookout {
        Lookout {
            baseline: Arc::default(),
            require: Vec::new(),
            shared: Vec::new(),
            looker: PathBuf::from("/nonexistent"),
            busy: Arc::default(),
        }
    }

    #[test]
    fn a_gate_that_breaks_or_hangs_is_unknown_and_costs_no_other() {
        let lookout = lookout();
        let ask = || {
            lookout.ask_these(
                &[&SOUND, &BROKEN, &HANGING],
                &Remains::default(),
                true,
                Duration::from_millis(300),
            )
        };
        let said: Vec<_> = ask().into_iter().map(|answer| (answer.gate, answer.answer)).collect();
        let unknown = |name: &str| (name.to_owned(), Answer::Unknown);
        assert_eq!(said, [("sound".to_owned(), Answer::Present), unknown("broken"), unknown("hanging")]);
        // The one that still hangs gets no second thread.
        let again = ask();
        assert!(again[2].saw.contains("has not ended") && again[2].answer == Answer::Unknown);
        assert_eq!(again[0].answer, Answer::Present);
    }

    #[test]
    fn every_class_is_answered_in_every_look() {
        let classes: BTreeSet<u8> = all().map(|gate| gate.class).collect();
        assert_eq!(classes, (1..=CLASSES).collect());
        let mut names: Vec<_> = all().map(|gate| gate.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "two gates of one name would share a baseline");
    }

    #[test]
    fn what_nobody_looked_at_is_never_absent() {
        let lookout = lookout();
        let remains = |doors: Option<Vec<(String, u64)>>| Remains {
            pid_namespace: 7,
            proved: true,
            doors,
            ..Remains::default()
        };
        let answer = |remains: &Remains| match lookout.ground(remains).by_reach(17) {
            Look::Said(saw) => (saw.answer, saw.method),
            Look::These(_) | Look::Partly(..) => panic!("an answer by reach has no traces"),
        };
        let doors = |open: u64| {
            let places = ["/run/cups", "/var/spool/cups", "tcp 631"];
            Some(places.map(|place| (place.to_owned(), open)).to_vec())
        };
        assert_eq!(answer(&remains(None)).0, Answer::Unknown);
        assert_eq!(answer(&remains(Some(Vec::new()))).0, Answer::Unknown);
        assert_eq!(answer(&remains(doors(1))).0, Answer::Unknown);
        assert_eq!(answer(&remains(doors(0))), (Answer::Absent, Some("unreachable")));
        assert_eq!(answer(&Remains::default()), (Answer::Absent, Some("by construction")));
    }
}
