//! The controls of a drill: what was planted on the host must be seen by the gate that it is for, and a
//! gate that was shown nothing may not say "absent" by its own look.

use std::collections::BTreeSet;

use super::planted::Planted;
use crate::platform::linux::reach::{self, DOORS};
use crate::ports::{Answer, GateAnswer};

/// Ways of an answer that are no look at the class itself, and are told as such.
const BY_REACH: [&str; 4] = ["unreachable", "by construction", "another IPC namespace", "the looker's count"];
/// Gates whose clearing needs nothing but the account's own rights.
const CLEARED: [&str; 4] =
    ["kernel keys", "System V IPC", "Kerberos tickets", "clipboard of the station's display"];

/// A gate that did not do what it was shown to need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its class.
    pub class: u8,
    /// Its name.
    pub gate: String,
    /// What it did.
    pub why: String,
}

/// What the gates said, one look after the other.
pub struct Looks {
    /// Before anything was planted.
    pub before: Vec<GateAnswer>,
    /// While all of it was there; nothing is cleared.
    pub with: Vec<GateAnswer>,
    /// After the gates have cleared what they may.
    pub cleared: Vec<GateAnswer>,
    /// After the rest was taken back.
    pub gone: Vec<GateAnswer>,
}

/// What is wrong with the gates, and the classes that are proved by reach and whose way was shown to be
/// there outside. `excused` are gates that could be shown nothing.
#[must_use]
pub fn judge(
    looks: &Looks,
    planted: &[Planted],
    excused: &dyn Fn(&GateAnswer) -> bool,
) -> (Vec<Failure>, BTreeSet<u8>) {
    let mut failures = Vec::new();
    let mut by_reach = BTreeSet::new();
    for said in looks.before.iter().chain(&looks.gone) {
        if matches!(said.answer, Answer::Present | Answer::Unknown) {
            let word = word(said.answer);
            fail(&mut failures, said, format!("says {word} where nothing is planted: {}", said.saw));
        }
    }
    for said in &looks.with {
        let own: Vec<&Planted> =
            planted.iter().filter(|planted| planted.done && planted.gate() == Some(&said.gate)).collect();
        let reached = BY_REACH.contains(&said.method.as_str());
        match (said.answer, own.first()) {
            (Answer::Present, Some(_)) | (Answer::NotApplicable | Answer::Setting, None) => {}
            (Answer::Absent, None) if reached || excused(said) => {}
            (Answer::Absent, None) => {
                fail(&mut failures, said, "says absent, and was shown nothing that it could see".to_owned());
            }
            (Answer::Absent, Some(_)) if reached && door_open(said.class) => {
                let _ = by_reach.insert(said.class);
            }
            (answer, Some(missed)) => {
                fail(&mut failures, said, format!("says {} of {}", word(answer), missed.what));
            }
            (answer, None) => fail(&mut failures, said, format!("says {}: {}", word(answer), said.saw)),
        }
    }
    for said in looks.cleared.iter().filter(|said| CLEARED.contains(&said.gate.as_str())) {
        if said.answer == Answer::Present {
            fail(&mut failures, said, format!("does not clear what is this account's own: {}", said.saw));
        }
    }
    for class in (1..=28).filter(|class| !looks.with.iter().any(|said| said.class == *class)) {
        failures.push(Failure {
            class,
            gate: "none".to_owned(),
            why: "no gate answers for this class".to_owned(),
        });
    }
    (failures, by_reach)
}

fn fail(failures: &mut Vec<Failure>, said: &GateAnswer, why: String) {
    failures.push(Failure { class: said.class, gate: said.gate.clone(), why });
}

fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Absent => "absent",
        Answer::NotApplicable => "not-applicable",
        Answer::Present => "present",
        Answer::Setting => "setting",
        Answer::Unknown => "unknown",
    }
}

/// Whether a way that is not there inside is there outside: the probe is not blind.
fn door_open(class: u8) -> bool {
    DOORS.iter().any(|door| door.class == class && reach::open(door.place))
}
