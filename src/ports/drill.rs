//! A drill: traces are planted on purpose, so that it can be seen whether the gates see them.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Result;
use crate::handoff::DrillPart;

/// Planting traces on purpose, so that it can be seen whether the gates see them.
pub trait Drill: Send + Sync {
    /// Plants every class that can be planted in this part, asks the gates about it, and, on the host,
    /// takes it back; answers the rows so far, one for each class. As soon as `over` is set it ends, with
    /// what it has planted taken back; begun with `over` set, it plants nothing.
    fn plant(&self, part: DrillPart, over: &AtomicBool) -> Result<Vec<DrillRow>>;
    /// Takes back what was planted on the host, by this shell or by one before. Returns when whatever
    /// plants has ended; does nothing where nothing was planted.
    fn take_back(&self);
    /// Looks for everything that was planted and was not yet found to be gone, by ways that share nothing
    /// with the gates. For `patience` at most; where `over` is set only in the places that are near.
    fn search(&self, patience: Duration, over: &AtomicBool) -> DrillSearch;
}

/// What became of one class of traces in a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillRow {
    /// The trace class, 1 to 28.
    pub class: u8,
    /// Its name.
    pub name: String,
    /// How many things were planted in the capsule.
    pub contained: usize,
    /// How many were planted on the host.
    pub escaped: usize,
    /// Why something was not planted; empty where all was.
    pub why_not: String,
    /// Whether the look inside saw what was planted there.
    pub inside: Sight,
    /// Whether the gates saw what was planted on the host.
    pub outside: Sight,
    /// Whether the search saw it while it was there.
    pub searched: Sight,
    /// What was not as it should be, in fragments.
    pub missed: Vec<String>,
}

/// How a look did on what was put before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// There was nothing to see.
    #[default]
    Nothing,
    /// It saw it.
    Saw,
    /// The class is proved by reach, and the way to it was shown: there outside, not there inside.
    Reach,
    /// It missed it.
    Missed,
}

/// What a search for canaries found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrillSearch {
    /// The classes of which something is left, and where.
    pub found: Vec<(u8, Vec<String>)>,
    /// What was not searched, and why, in sentences.
    pub notes: Vec<String>,
}
