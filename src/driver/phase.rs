//! Which phase the station is in.

use crate::handoff::Station;

/// Which phase, without what is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PhaseName {
    Attended,
    Challenge,
    CleanUp,
    Drill,
    Quarantine,
    Vacant,
}

impl PhaseName {
    pub(super) fn of(station: &Station) -> Self {
        match station {
            Station::Attended(_) => Self::Attended,
            Station::Challenge(_) => Self::Challenge,
            Station::CleanUp(_) => Self::CleanUp,
            Station::Drill(_) => Self::Drill,
            Station::Quarantine(_) => Self::Quarantine,
            Station::Vacant(_) => Self::Vacant,
        }
    }
}
