//! The pure core: decides what a station may do next, and knows nothing of the world.
//!
//! A [`Station`] is a value. An [`Event`] goes in; a new station and an ordered list of
//! [`Effect`]s come out. There is no input, output, clock, thread or secret here: time is an
//! argument ([`Moment`]), deadlines are a query ([`Station::deadline`]), and the PIN is spoken of
//! but never seen.
//!
//! ```text
//!             start
//!               |
//!               v        all gates attested, receipt durable
//!          +---------+ ------------------------------------> +--------+
//!    +---> | CleanUp |                                       | Vacant |
//!    |     +---------+ <------------------+                  +--------+
//!    |       ^     | residue, unknown,    | capsule lost         | badge
//!    |  retry|     | no answer            |                      v
//!    |       |     v                 +----+-----+   patience +-----------+
//!    |   +------------+              | Attended | <--------- | Challenge |
//!    |   | Quarantine |              +----------+  PIN right, +-----------+
//!    |   +------------+                   |        opening durable
//!    +------------------------------------+  badge-out, takeover, idle, ended, ...
//! ```
//!
//! A sixth phase, Drill, stands beside Attended: a session of nobody's that is never shown, between the
//! clean-up after a supervisor's session and a clean-up of its own.
//!
//! Reading order: this file for the words, [`event`] and [`effect`] for what goes in and out,
//! [`station`] for the rules.

#![forbid(unsafe_code)]

pub mod effect;
pub mod event;
pub mod operator;
pub mod planted;
pub mod record;
pub mod rules;
pub mod station;

pub use effect::{AppWish, DrillPart, Effect, Notice, Step};
pub use event::{Event, Finding, PinAnswer, Presented, Refusal};
pub use operator::{Operator, OperatorId, PinVerified, Roles};
pub use record::{Record, Trigger};
pub use rules::{AppRule, BadgeMode, EmergencyAccess, Late, Rules, SignInRules, SupervisorRights};
pub use station::{Attended, Challenge, CleanUp, Drill, Guest, Quarantine, Reason, Station, Vacant};

/// A point in time: milliseconds since the shell started, on a clock that also counts suspend
/// (CLOCK_BOOTTIME) and never goes backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `ms` milliseconds later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; 0 when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The number of a question that the core has asked. An answer counts only when it carries the
/// number of the question that is still outstanding; a late or repeated one is ignored. Wraps at
/// 256, which keeps the state finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Turn(pub u8);

impl Turn {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// A permitted app, by its place in the policy's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct App(pub u8);

/// A top-level window of an app, by its X id in the capsule's own display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window(pub u32);
