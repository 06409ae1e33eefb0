//! What the view of the handoff log asks of the ledger, and what it is answered: plain data.

use std::sync::Arc;

use super::controls::Controls;
use super::{Person, Result, Written};

/// Finds entries of the ledger for the view. Whatever is shown is read from the ledger itself; an index
/// only finds it.
pub trait Search: Send + Sync {
    /// Which entries are asked for. `None` where a question with another ticket was asked meanwhile: the
    /// newest question is the only one that anybody still waits for.
    fn find(&self, question: &Question, ticket: u64) -> Result<Option<Found>>;
    /// These entries, in this order; one that is not there is left out.
    fn read(&self, numbers: &[u64]) -> Result<Vec<Written>>;
    /// What happened between these moments (UTC milliseconds, the first counted in), from the receipts
    /// themselves. `None` where another day was asked for meanwhile.
    fn day(&self, between: (i64, i64), ticket: u64) -> Result<Option<Day>>;
    /// Verifies one entry now: its text, its place in the chain, its tree, its signature, and that the
    /// newest checkpoint covers it. The inner error says what is wrong, for people.
    fn check(&self, number: u64) -> Result<std::result::Result<u64, String>>;
    /// The entries that supervisors have written about this one, oldest first.
    fn notes(&self, number: u64) -> Result<Vec<Written>>;
    /// Which controls the entries between these moments (UTC milliseconds, the first counted in; all of them
    /// without) are evidence for. Reads every entry, which takes seconds where there are a million: `told`
    /// hears how many of how many were read, and answers whether anybody still waits. `None` where it said
    /// that nobody does.
    fn controls(
        &self,
        between: Option<(i64, i64)>,
        told: &dyn Fn(u64, u64) -> bool,
    ) -> Result<Option<Controls>>;
}

/// What is looked for. Everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// From this moment (UTC milliseconds) on, and before that one.
    pub between: Option<(i64, i64)>,
    /// This operator's key: she left, came, or the entry is about her.
    pub operator: Option<String>,
    /// A handoff's trigger, as receipts write it: `badge-out`.
    pub trigger: Option<String>,
    /// What the entry says of the station.
    pub verdict: Option<Verdict>,
    /// Kinds of entries, as receipts write them. Empty: all.
    pub kinds: Vec<String>,
    /// Words that must all stand in it, in names, causes, apps or notes; or an entry's number.
    pub text: String,
}

/// What an entry says of the station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A handoff, and every gate attested.
    Clean,
    /// Nothing: it only tells.
    None,
    /// Something was found, or could not be looked for.
    NotClean,
    /// Somebody was not let in.
    Refused,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Which entries, newest first.
    pub numbers: Numbers,
    /// How many entries the ledger has in all.
    pub total: u64,
    /// The first of them, so that a list can be drawn at once.
    pub first: Vec<Written>,
    /// Whom the ledger knows: key and name, by name.
    pub people: Arc<[(String, String)]>,
}

/// Numbers of entries, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// All of so many.
    All(u64),
    /// These.
    These(Arc<[u64]>),
}

impl Numbers {
    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::All(count) => *count,
            Self::These(numbers) => numbers.len() as u64,
        }
    }

    /// The number at this place of the list.
    #[must_use]
    pub fn at(&self, place: u64) -> Option<u64> {
        match self {
            Self::All(count) => count.checked_sub(place + 1),
            Self::These(numbers) => numbers.get(usize::try_from(place).ok()?).copied(),
        }
    }

    /// The numbers of a part of the list.
    #[must_use]
    pub fn part(&self, from: u64, count: u64) -> Vec<u64> {
        (from..from.saturating_add(count)).map_while(|place| self.at(place)).collect()
    }

    /// At which place a number stands.
    #[must_use]
    pub fn place(&self, number: u64) -> Option<u64> {
        match self {
            Self::All(count) => count.checked_sub(number + 1),
            Self::These(numbers) => {
                numbers.binary_search_by(|one| number.cmp(one)).ok().map(|place| place as u64)
            }
        }
    }
}

/// What happened in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Day {
    /// From this moment (UTC milliseconds) on, and before that one.
    pub between: (i64, i64),
    /// Who held the station when, in order.
    pub held: Vec<Held>,
    /// When the station did not serve, in order.
    pub gaps: Vec<Gap>,
    /// The handoffs, in order.
    pub marks: Vec<Mark>,
    /// Handoffs in each hour from the first moment on.
    pub per_hour: Vec<u32>,
    /// The time from the cause to the proof of half of the handoffs, microseconds. `None` without one.
    pub median_us: Option<u64>,
    /// The same of 95 of 100.
    pub p95_us: Option<u64>,
    /// Apps that had to be forced.
    pub forced: u64,
    /// How often the station was quarantined.
    pub quarantines: u64,
}

/// An operator held the station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Her key.
    pub key: String,
    /// Her name.
    pub name: String,
    /// Since when, UTC milliseconds.
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// The station did not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Since when, UTC milliseconds.
    pub from: i64,
    /// Until when.
    pub until: i64,
    /// Whether it was barred; else it was off.
    pub barred: bool,
}

/// A handoff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The entry's number.
    pub number: u64,
    /// When it began, UTC milliseconds.
    pub at: i64,
    /// Whether every gate attested.
    pub clean: bool,
    /// Whether an app had to be forced.
    pub forced: bool,
}

/// Removable media that a supervisor may take a copy of the log with.
pub trait Media: Send + Sync {
    /// The media that are mounted now where the policy allows an export, by their directories.
    fn mounted(&self) -> Result<Vec<String>>;
    /// Writes entries as JSON lines, and beside them the ledger's newest checkpoint, onto a medium that is
    /// mounted now: all of it durable under its name, or nothing. `parts` hands over some at a time, none
    /// at the end. Answers the file's path.
    fn export(
        &self,
        medium: &str,
        name: &str,
        checkpoint: &str,
        parts: &mut dyn FnMut() -> Result<Vec<Written>>,
    ) -> Result<String>;
}

/// What a supervisor has done with the log itself: an entry of its own, never a change of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What.
    pub what: Note,
    /// Who.
    pub by: Person,
    /// About which entry, by its number.
    pub about: Option<u64>,
    /// What she wrote, or what was exported and where to.
    pub text: String,
}

/// What a supervisor can do with the log itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// She wrote something about an entry.
    Annotated,
    /// She has looked at an entry, and stands for it.
    Attested,
    /// She took a copy with her.
    Exported,
}
