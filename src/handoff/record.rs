//! What the ledger is told, in the ward's words.

use super::{OperatorId, Reason, Refusal};

/// An entry that the core demands. The driver adds what only it knows: names, times, gate answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// A rostered badge was refused, or a PIN was wrong.
    Denied(OperatorId, Denial),
    /// A badge that the roster does not know was shown.
    BadgeUnknown,
    /// A session is about to open for whoever has used a break-glass code.
    BreakGlass,
    /// A drill that this supervisor has started is over: what it came to is added by the driver.
    Drilled(OperatorId),
    /// A session of nobody's is about to open for a drill, which this supervisor has started.
    DrillOpened(OperatorId),
    /// A handoff is complete: every gate attested. `None` where nobody's session was open.
    Handoff(Option<OperatorId>, Trigger),
    /// A session is about to open for this operator.
    Opened(OperatorId),
    /// A station was found not clean, and stays barred.
    Quarantined(Reason),
    /// A supervisor released a quarantined station into a new clean-up, or one that is held until everything
    /// elsewhere is ended.
    Released(OperatorId),
    /// A supervisor has the machine of a quarantined station started anew.
    Restarted(OperatorId),
    /// A supervisor is about to read the log.
    Viewed(OperatorId),
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// The badge is refused.
    Badge(Refusal),
    /// The PIN was wrong, and the badge is now disabled.
    Disabled,
    /// The PIN could not be checked.
    Unchecked,
    /// The PIN was wrong.
    WrongPin,
}

/// Why a handoff began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The badge left the reader (hold mode).
    BadgeOut,
    /// A drill: the session before it was ended for it, or it has planted all that it plants.
    Drill,
    /// The session was ended from the bar.
    Ended,
    /// The operator's time, on the roster or at one sitting, is over.
    Expired,
    /// Something inside the station failed.
    Fault,
    /// The operator wished to begin afresh; without a session that ended: the shell has started, and the one
    /// before has left nothing unfinished.
    FreshStart,
    /// Nobody touched the station.
    Idle,
    /// The shell was asked to stop.
    Maintenance,
    /// The reader or the card service was lost.
    ReaderLost,
    /// The shell has started, and the one before has left a session or a handoff unfinished.
    Recovery,
    /// A provider says that the operator's session is revoked.
    Revoked,
    /// The machine is about to sleep.
    Suspend,
    /// Another rostered badge was shown.
    Takeover,
    /// The same badge was tapped again (tap mode).
    TapOut,
}
