//! What the screens see of a clean-up, of a station that is held, and of one that is not clean.

use super::{DrillScene, GateAnswer, PinScene, TokenEnd};
use crate::handoff::Trigger;

/// A session has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanUpScene {
    /// Whose session it was.
    pub name: Option<String>,
    /// Why it ended.
    pub trigger: Trigger,
    /// When (shell clock) it began.
    pub began_ms: u64,
    /// The steps.
    pub steps: Vec<StepScene>,
    /// Somebody who waits and may type already.
    pub guest: Option<PinScene>,
    /// The drill that it ends.
    pub drill: Option<DrillScene>,
    /// What holds the station, where it is held.
    pub held: Option<HeldScene>,
}

/// One line of the clean-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepScene {
    /// Which step.
    pub step: StepName,
    /// How far it is.
    pub state: StepState,
}

/// The steps as people see them, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepName {
    /// The session is covered.
    Covered,
    /// The apps are asked to close.
    AppsAsked,
    /// The capsule is destroyed.
    Destroyed,
    /// The gates look.
    Checked,
    /// What the session holds elsewhere is ended.
    SignInsEnded,
    /// The receipt is written.
    Receipt,
}

impl StepName {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Covered, Self::AppsAsked, Self::Destroyed, Self::Checked, Self::SignInsEnded, Self::Receipt];
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// It is being done.
    Now,
    /// It has not begun.
    Waiting,
}

/// The station is not clean.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarantineScene {
    /// What was found, in plain words, one sentence each.
    pub findings: Vec<String>,
    /// The gates behind them.
    pub gates: Vec<GateAnswer>,
    /// Since when, in UTC milliseconds.
    pub since_utc_ms: i64,
    /// When (shell clock) it tries again by itself.
    pub retry_at_ms: Option<u64>,
    /// A supervisor who has shown her badge and is asked for the PIN.
    pub guest: Option<PinScene>,
    /// Whether a supervisor may release it here.
    pub release: bool,
    /// Whether the supervisor who is asked for her PIN wants the machine started anew.
    pub restart: bool,
    /// Whether emergency access is offered.
    pub emergency: bool,
}

/// The station is held until everything that the session holds elsewhere is ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldScene {
    /// What is not ended: nothing where that is not known.
    pub tokens: Vec<TokenEnd>,
    /// When (shell clock) it is quarantined, if nothing happens.
    pub until_ms: u64,
    /// Whether a supervisor's PIN releases it here.
    pub release: bool,
    /// Whether emergency access is offered.
    pub emergency: bool,
}
