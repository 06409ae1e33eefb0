//! The controls of a drill, on a host on which no session is open: what is planted there must be seen
//! by the gate that it is for, and a gate that was shown nothing may not say "absent" by its own look.

use std::collections::BTreeSet;
use std::io;

use super::judge::{Judge, Said};
use super::planted::{self, Planted, ROOT_ALONE};
use super::search::{Found, search};
use crate::ctl::demo::stage::Stage;
pub use crate::platform::linux::drill::control::Failure;
use crate::platform::linux::drill::control::{self, Looks};
use crate::ports::GateAnswer;

/// Classes that the planter may fail to plant on the host for want of a program or of rights.
const MAY_FAIL: [u8; 4] = [12, 18, 20, 25];

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
    let excused = |said: &GateAnswer| {
        planted.iter().any(|planted| {
            planted.class == said.class
                && !planted.done
                && (planted.what == ROOT_ALONE || MAY_FAIL.contains(&planted.class))
        })
    };
    let answers = |said: &[Said]| said.iter().map(Said::answer).collect();
    let looks = Looks {
        before: answers(&before),
        with: answers(&with),
        cleared: answers(&cleared),
        gone: answers(&gone),
    };
    let (failures, by_reach) = control::judge(&looks, &planted, &excused);
    Ok(Control { planted, failures, by_reach, found })
}
