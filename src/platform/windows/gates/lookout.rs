//! Asking the gates: each on a thread of its own, all within one bounded time, so that a gate that hangs or breaks costs
//! its own answer and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::hive::Hive;
use super::kept::Place;
use super::scan::Scan;
use super::shell_state::State;
use super::{Baseline, Gate, Ground, Look, Remains, Saw, Trace, all};
use crate::platform::sabotage;
use crate::platform::windows::clock::monotonic;
use crate::ports::{Answer, GateAnswer};

/// How many classes of traces there are; each is answered in every look.
pub const CLASSES: u8 = 18;
/// How long all gates together may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all may take before the first session, when nobody waits for a place.
const BASELINE: Duration = Duration::from_secs(60);

/// Who looks for traces: knows what stood before the first session, and asks every gate.
pub struct Lookout {
    baseline: Arc<Baseline>,
    require: Vec<String>,
    shared: Vec<PathBuf>,
    /// Gates whose look has not ended yet: a gate that hangs is not asked again meanwhile.
    busy: Arc<Mutex<BTreeSet<&'static str>>>,
    /// Gates that have cleared something once that a clearing does not prove gone: they do not say absent any more until
    /// people have seen to it.
    tainted: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Where the baseline is kept for a shell that comes after this one was killed.
    place: Option<Place>,
}

impl Lookout {
    /// Looks at the host as it is now, before the first session. `require` names the settings that the policy requires,
    /// `shared` the directories that it shares into capsules. What an earlier shell has left must be gone by then, and
    /// the keys of accessibility be as the station keeps them: what stands now is what later looks compare with.
    ///
    /// The baseline is kept in `run_dir`. Where a shell before was killed during a session, its baseline counts, so that
    /// what that session left is found.
    ///
    /// # Errors
    /// Where the baseline cannot be kept, or the one of a shell that was killed cannot be read.
    pub fn begin(require: &[String], shared: &[PathBuf], run_dir: &Path) -> io::Result<Self> {
        let place = Place::of(run_dir);
        let mut lookout = Self::now(&all().collect::<Vec<_>>(), require, shared)?;
        if place.is_open() {
            let mut baseline = place.read()?;
            baseline.note(&Scan::take());
            lookout.baseline = Arc::new(baseline);
        } else {
            place.write(&lookout.baseline)?;
        }
        lookout.tainted = Arc::new(Mutex::new(place.tainted()?));
        lookout.place = Some(place);
        Ok(lookout)
    }

    /// A session's first app is about to start: from now on something may be left. Must have succeeded before it starts.
    ///
    /// # Errors
    /// Where that could not be made durable.
    pub fn session_begins(&self) -> io::Result<()> {
        self.place.as_ref().map_or(Ok(()), Place::open)
    }

    /// Looks at the host as it is now, by these gates.
    fn now(gates: &[&'static Gate], require: &[String], shared: &[PathBuf]) -> io::Result<Self> {
        let began = monotonic();
        let mut lookout = Self {
            baseline: Arc::default(),
            require: require.to_vec(),
            shared: shared.to_vec(),
            busy: Arc::default(),
            tainted: Arc::default(),
            place: None,
        };
        let ground = Arc::new(lookout.ground(&Remains::default()));
        let (looks, looked) = channel();
        // Each on its own thread, because some ask a program that takes a second.
        for gate in gates.iter().copied() {
            let (looks, ground) = (looks.clone(), Arc::clone(&ground));
            let look = move || {
                let keys = match (gate.look)(&ground) {
                    Look::These(found) | Look::Partly(found, _) => {
                        found.into_iter().map(|trace| trace.key).collect()
                    }
                    Look::Anew(_) | Look::Said(_) => BTreeSet::new(),
                };
                let _ = looks.send((gate.name.to_owned(), keys));
            };
            drop(std::thread::Builder::new().spawn(look)?);
        }
        drop(looks);
        let mut baseline = Baseline { hive: Hive::take(), state: State::take(), ..Baseline::default() };
        while baseline.traces.len() < gates.len() {
            match looked.recv_timeout(BASELINE.saturating_sub(monotonic().saturating_sub(began))) {
                Ok((name, keys)) => drop(baseline.traces.insert(name, keys)),
                Err(_) => {
                    let silent = gates.iter().find(|gate| !baseline.traces.contains_key(gate.name));
                    let name = silent.map_or("one", |gate| gate.name);
                    return Err(io::Error::other(format!(
                        "the gate `{name}` did not say how the host stands"
                    )));
                }
            }
        }
        baseline.note(&Scan::take());
        lookout.baseline = Arc::new(baseline);
        Ok(lookout)
    }

    /// Asks every gate, after each has cleared what it may.
    #[must_use]
    pub fn look(&self, remains: &Remains) -> Vec<GateAnswer> {
        let gates: Vec<&'static Gate> = all().collect();
        let answers = self.ask(&gates, remains, true, PATIENCE);
        let bars = |answer: &GateAnswer| matches!(answer.answer, Answer::Present | Answer::Unknown);
        if let Some(place) = &self.place {
            let tainted = lock(&self.tainted).clone();
            // The mark stays where anything bars, so that a shell which comes after this one looks again in any case.
            if answers.iter().any(bars) {
                if !tainted.is_empty()
                    && let Err(error) = place.taint(&tainted)
                {
                    tracing::warn!(%error, "failed to keep what was cleared in part alone");
                }
            } else {
                place.close();
            }
        }
        answers
    }

    /// Asks every gate as it is, and clears nothing.
    #[must_use]
    pub fn find(&self, remains: &Remains) -> Vec<GateAnswer> {
        let gates: Vec<&'static Gate> = all().collect();
        self.ask(&gates, remains, false, PATIENCE)
    }

    /// Asks, while the session still stands, what there is to be destroyed: how many processes its job has, and what the
    /// gates find outside its profile. Nothing is cleared.
    #[must_use]
    pub fn inside(&self, remains: &Remains, processes: Option<u64>) -> Vec<GateAnswer> {
        let gates: Vec<&'static Gate> = all().filter(|gate| gate.inside && gate.class != 1).collect();
        let mut answers = self.ask(&gates, remains, false, PATIENCE);
        for answer in &mut answers {
            answer.method = format!("before the end: {}", answer.method);
        }
        let (answer, saw) = match processes {
            None => (Answer::Unknown, "the job object did not say".to_owned()),
            Some(0) => (Answer::Absent, "0".to_owned()),
            Some(count) => (Answer::Present, count.to_string()),
        };
        answers.insert(
            0,
            GateAnswer {
                class: 1,
                gate: "processes".to_owned(),
                answer,
                saw,
                method: "the job object's list".to_owned(),
                took: Duration::ZERO,
            },
        );
        answers
    }

    /// The names of all gates.
    #[must_use]
    pub fn gates() -> Vec<&'static str> {
        all().map(|gate| gate.name).collect()
    }

    pub(super) fn ground(&self, remains: &Remains) -> Ground {
        Ground {
            remains: remains.clone(),
            baseline: Arc::clone(&self.baseline),
            require: self.require.clone(),
            shared: self.shared.clone(),
        }
    }

    fn ask(
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
            let tainted = Arc::clone(&self.tainted);
            let look = move || {
                let done = done;
                let answer = one(gate, &first, &second, &tainted, clear);
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
fn one(
    gate: &'static Gate,
    ground: &Ground,
    again: &Ground,
    tainted: &Mutex<BTreeMap<String, usize>>,
    clear: bool,
) -> GateAnswer {
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
                if gate.partial.is_some() {
                    *lock(tainted).entry(gate.name.to_owned()).or_default() += cleared;
                }
            }
            after
        }
        Some(_) | None => saw,
    };
    let deleted = lock(tainted).get(gate.name).copied();
    let saw = match (gate.partial, deleted) {
        (Some(partial), Some(deleted)) if saw.answer == Answer::Absent => Saw {
            answer: Answer::Unknown,
            saw: format!("partial: {deleted} deleted; {partial}"),
            method: None,
        },
        _ => saw,
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
        Look::Anew(left) => (Saw::of(&left, gate.what), left),
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

#[cfg(test)]
mod tests;
