//! The controls of a drill, on a host on which no session is open: what is planted there must be seen
//! by the gate that it is for, and a gate that was shown nothing may not say "absent" by its own look.

use std::collections::BTreeSet;
use std::io;

use super::judge::{Judge, Said};
use super::planted::{self, Planted, ROOT_ALONE};
use super::search::{Found, search};
use crate::ctl::demo::stage::Stage;
use crate::platform::linux::reach::{self, DOORS};

/// Ways of an answer that are no look at the class itself, and are told as such.
const BY_REACH: [&str; 3] = ["unreachable", "by construction", "another IPC namespace"];
/// Who counts what only root may see. Where nothing of a class was planted, its "none" stands.
const LOOKER: &str = "the looker's count";
/// Gates whose clearing needs nothing but the account's own rights.
const CLEARED: [&str; 4] =
    ["kernel keys", "System V IPC", "Kerberos tickets", "clipboard of the station's display"];
/// Classes that the planter may fail to plant on the host for want of a program or of rights.
const MAY_FAIL: [u8; 4] = [12, 18, 20, 25];

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

/// What came of the controls.
#[derive(Default)]
pub struct Control {
    /// What was planted.
    pub planted: Vec<Planted>,
    /// What is wrong with the gates.
    pub failures: Vec<Failure>,
    /// Classes that are proved by reach, and whose way was shown to be there outside.
    pub by_reach: BTreeSet<u8>,
    /// What the search found while it was there.
    pub found: Found,
}

/// Plants on the host, and asks gates and, with `since`, the search: what is there must be seen, and
/// must be gone again once the gates have cleared theirs and the drill has taken back the rest.
///
/// # Errors
/// When planting or judging fails.
pub fn run(stage: &Stage, seed: &str, since: Option<i64>) -> io::Result<Control> {
    run_with(stage, seed, since, &[])
}

/// The same, with something added to the judge's environment.
///
/// # Errors
/// When planting or judging fails.
pub fn run_with(
    stage: &Stage,
    seed: &str,
    since: Option<i64>,
    environment: &[(&str, &str)],
) -> io::Result<Control> {
    let mut command = stage.command(stage.dir.join("bin/cleanshiftctl"));
    let _ = command.args(["drill", "judge"]).envs(environment.iter().copied());
    let mut judge = Judge::start(command)?;
    let before = judge.find()?;
    let planted = planted::escape(stage, seed);
    let seen = planted.as_ref().map_err(ToString::to_string).and_then(|planted| {
        let with = judge.find().map_err(|error| error.to_string())?;
        let found = since.map(|since| search(stage, seed, since, planted)).unwrap_or_default();
        let cleared = judge.look().map_err(|error| error.to_string())?;
        Ok((with, found, cleared))
    });
    // Whatever went wrong, nothing of it may stay on this machine.
    planted::take_back(stage, seed, planted.as_deref().unwrap_or_default());
    let planted = planted?;
    let (with, found, cleared) = seen.map_err(io::Error::other)?;
    let gone = judge.find()?;
    let mut failures = Vec::new();
    let mut by_reach = BTreeSet::new();
    for said in before.iter().chain(&gone) {
        if matches!(said.answer.as_str(), "present" | "unknown") {
            fail(&mut failures, said, format!("says {} where nothing is planted: {}", said.answer, said.saw));
        }
    }
    for said in &with {
        let own: Vec<&Planted> =
            planted.iter().filter(|planted| planted.done && planted.gate() == Some(&said.gate)).collect();
        let reached = BY_REACH.contains(&said.method.as_str());
        let excused = |planted: &Planted| {
            planted.class == said.class
                && !planted.done
                && (planted.what == ROOT_ALONE || MAY_FAIL.contains(&planted.class))
        };
        match (said.answer.as_str(), own.first()) {
            ("present", Some(_)) | ("not-applicable" | "setting", None) => {}
            ("absent", None) if reached || said.method == LOOKER || planted.iter().any(excused) => {}
            ("absent", None) => {
                fail(&mut failures, said, "says absent, and was shown nothing that it could see".to_owned());
            }
            ("absent", Some(_)) if reached && door_open(said.class) => drop(by_reach.insert(said.class)),
            (answer, Some(missed)) => fail(&mut failures, said, format!("says {answer} of {}", missed.what)),
            (answer, None) => fail(&mut failures, said, format!("says {answer}: {}", said.saw)),
        }
    }
    for said in cleared.iter().filter(|said| CLEARED.contains(&said.gate.as_str())) {
        if said.answer == "present" {
            fail(&mut failures, said, format!("does not clear what is this account's own: {}", said.saw));
        }
    }
    for class in (1..=28).filter(|class| !with.iter().any(|said| said.class == *class)) {
        failures.push(Failure {
            class,
            gate: "none".to_owned(),
            why: "no gate answers for this class".to_owned(),
        });
    }
    Ok(Control { planted, failures, by_reach, found })
}

fn fail(failures: &mut Vec<Failure>, said: &Said, why: String) {
    failures.push(Failure { class: said.class, gate: said.gate.clone(), why });
}

/// Whether a way that is not there inside is there outside: the probe is not blind.
fn door_open(class: u8) -> bool {
    DOORS.iter().any(|door| door.class == class && reach::open(door.place))
}
