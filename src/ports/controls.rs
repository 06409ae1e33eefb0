//! Which controls the ledger's entries are evidence for, as the view shows it: plain data, worked out by
//! the store from the entries themselves.

/// What the entries of a time are evidence for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controls {
    /// How many entries were counted.
    pub entries: u64,
    /// The number of the first and of the last of them.
    pub range: Option<(u64, u64)>,
    /// Whether the whole ledger verifies.
    pub whole: bool,
    /// What verifying it came to, in a sentence.
    pub verified: String,
    /// The controls for which there is evidence, in the order of their frameworks.
    pub controls: Vec<Control>,
    /// The controls of the same frameworks for which a station gives none.
    pub elsewhere: Vec<Elsewhere>,
}

impl Controls {
    /// How many exceptions there are, over all controls.
    #[must_use]
    pub fn exceptions(&self) -> usize {
        self.controls.iter().map(|control| control.exceptions.len()).sum()
    }
}

/// A control and what the entries say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The framework: `NIST SP 800-53 Rev. 5`.
    pub framework: &'static str,
    /// The control's id there: `AC-12`.
    pub id: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// What the entries are evidence of.
    pub evidence: &'static str,
    /// What was counted, and how often; what ends with `, microseconds` is a time.
    pub counts: Vec<(String, u64)>,
    /// Where the entries do not bear it out.
    pub exceptions: Vec<Exception>,
    /// What the station does not show.
    pub not_shown: &'static str,
}

/// Entries that do not bear a control out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// What is the matter.
    pub what: &'static str,
    /// How many entries.
    pub count: u64,
    /// The numbers of the first of them.
    pub entries: Vec<u64>,
}

/// A control for which a station gives no evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The framework.
    pub framework: &'static str,
    /// The control's id there.
    pub id: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// Why not.
    pub why: &'static str,
}
