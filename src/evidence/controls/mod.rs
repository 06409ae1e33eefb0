//! Which controls of which framework the receipts are evidence for: with what was counted, with every
//! exception by its entries' numbers, and with what the station does not show.
//!
//! [`Tally`] takes the entries in their order and keeps numbers, never entries; [`report`] says what
//! they come to. A control without an exception is not thereby fulfilled: an auditor decides that, and
//! what stands under "not shown" has to come from elsewhere.

mod map;
mod nhi;
mod sign_ins;
mod tally;
mod text;

use serde::Serialize;

pub use map::report;
pub use tally::Tally;

/// So many entries are named for one exception; the rest are counted.
const NAMED: usize = 20;

/// What the receipts of a time are evidence for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many entries were looked at.
    pub entries: u64,
    /// The number of the first and of the last of them.
    pub range: Option<(u64, u64)>,
    /// What verifying the whole ledger came to, where that was done.
    pub verified: Option<String>,
    /// The controls for which there is evidence.
    pub controls: Vec<Control>,
    /// The entries of the same frameworks for which a station gives none, and why.
    pub none: Vec<Elsewhere>,
}

impl Report {
    /// How many exceptions there are, over all controls.
    #[must_use]
    pub fn exceptions(&self) -> usize {
        self.controls.iter().map(|control| control.exceptions.len()).sum()
    }
}

/// A control and what the receipts say of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Control {
    /// The framework: `NIST SP 800-53 Rev. 5`.
    pub framework: &'static str,
    /// The control's id: `AC-12`.
    pub id: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// What the receipts are evidence of.
    pub evidence: &'static str,
    /// What was counted.
    pub counts: Vec<Count>,
    /// Where the data do not bear it out.
    pub exceptions: Vec<Exception>,
    /// What the station does not show.
    pub not_shown: &'static str,
}

/// Something that was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// What.
    pub what: String,
    /// How often.
    pub count: u64,
}

/// Entries that do not bear a control out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// What is the matter.
    pub what: &'static str,
    /// How many entries.
    pub count: u64,
    /// The numbers of the first of them.
    pub entries: Vec<u64>,
}

/// A control for which a station gives no evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// The framework.
    pub framework: &'static str,
    /// The control's id.
    pub id: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// Why not.
    pub why: &'static str,
}

/// Numbers of entries: all are counted, the first are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Numbers {
    count: u64,
    first: Vec<u64>,
}

impl Numbers {
    fn push(&mut self, index: u64) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(index);
        }
    }
}
