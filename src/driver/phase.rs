//! Which phase the station is in, and whose session may be about to end.

use crate::handoff::{Operator, Station};

/// Which phase, without what is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PhaseName {
    Attended,
    Challenge,
    CleanUp,
    Quarantine,
    Vacant,
}

impl PhaseName {
    pub(super) fn of(station: &Station) -> Self {
        match station {
            Station::Attended(_) => Self::Attended,
            Station::Challenge(_) => Self::Challenge,
            Station::CleanUp(_) => Self::CleanUp,
            Station::Quarantine(_) => Self::Quarantine,
            Station::Vacant(_) => Self::Vacant,
        }
    }
}

/// Whose session it is that may be about to end.
pub(super) fn leaving(station: &Station) -> Option<Operator> {
    match station {
        Station::Attended(attended) => Some(attended.operator),
        Station::Challenge(_) | Station::CleanUp(_) | Station::Quarantine(_) | Station::Vacant(_) => None,
    }
}
