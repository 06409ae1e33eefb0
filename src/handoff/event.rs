//! What can happen to a station. One closed list: whoever adds to it is told by the compiler
//! every phase that must answer.

use super::{App, AppWish, Moment, Operator, OperatorId, PinVerified, Turn};

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Somebody touched the station: the last input was at this moment. Sent when a deadline is
    /// near and while a warning stands, so that the core knows before it decides.
    Active(Moment),
    /// An operator's wish about an app: start it, raise or close one of its windows.
    AppWished(AppWish),
    /// A badge lies on the reader, and the roster has said whose it is.
    BadgeIn(Presented),
    /// The badge of this operator has left the reader.
    BadgeOut(OperatorId),
    /// The person at the PIN pad gives up.
    Cancelled,
    /// The capsule ended by itself: its init, its display or its broker died.
    CapsuleLost,
    /// The answer to [`super::Effect::Drill`]: the part is done (true) or could not be (false).
    Drilled(Turn, bool),
    /// A supervisor who reads the log asks for a drill.
    DrillWished,
    /// Somebody asks for emergency access, without a badge.
    EmergencyWished,
    /// The attended session is ended from the shell's bar.
    EndWished,
    /// The operator at work wishes to begin afresh: everything is destroyed, and a new session is opened for
    /// her.
    FreshStartWished,
    /// The view of the handoff log is closed.
    LogClosed,
    /// A supervisor at work asks for the handoff log.
    LogWished,
    /// The answer to [`super::Effect::Look`]: what the gates found.
    Looked(Turn, Finding),
    /// The answer to [`super::Effect::SetPin`]; `None` when the new PIN was refused (weak, or not
    /// the same twice) and must be chosen again.
    PinChanged(Turn, Option<PinVerified>),
    /// The answer to [`super::Effect::CheckPin`].
    PinChecked(Turn, PinAnswer),
    /// A whole PIN stands in its home (`pin.rs`); it waits to be checked or taken as a new one.
    PinGiven,
    /// The answer to [`super::Effect::Prepare`]: a capsule stands ready, or could not be built.
    Prepared(Turn, bool),
    /// A reader that the policy allows is there (again).
    ReaderBack,
    /// No allowed reader is left, or the card service is gone.
    ReaderLost,
    /// The answer to [`super::Effect::Record`]: the entry is durable (true) or could not be
    /// written (false).
    Recorded(Turn, bool),
    /// The supervisor who is asked for her PIN wants the machine started anew.
    RestartWished,
    /// Somebody at a quarantined station asks to clean up again.
    RetryWished,
    /// A provider says that this operator's session is revoked. It can end a session, and nothing else.
    Revoked(OperatorId),
    /// The answer to [`super::Effect::Settle`]: everything that the session held elsewhere is ended or its
    /// time is over (true), or something is not (false). A later one counts too.
    Settled(Turn, bool),
    /// The answer to [`super::Effect::Step`]: the clean-up step is done (true) or failed (false).
    Stepped(Turn, bool),
    /// The machine is about to sleep.
    Suspending,
    /// The shell was asked to stop: by IT, a package upgrade or the machine's shutdown.
    Stopping,
    /// The deadline that [`super::Station::deadline`] named has come.
    TimeCame,
    /// The journal tells that the shell before has left a session or a handoff unfinished, or cannot
    /// be read.
    Unfinished,
}

/// Whose badge lies on the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presented {
    /// The roster knows it, and its operator may work here.
    Rostered(Operator),
    /// The roster knows it, but not now.
    Refused(OperatorId, Refusal),
    /// The card did not answer, or was pulled away too soon.
    Unreadable,
    /// The roster does not know it: a bus card, a badge of another house.
    Unknown,
}

/// Why a rostered badge is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many wrong PINs; a supervisor or IT must enable it again.
    Disabled,
    /// The time on the roster is over.
    Expired,
    /// The time on the roster has not begun.
    NotYetValid,
}

/// What the PIN check said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PinAnswer {
    /// Wrong, and it was the last try: the badge is disabled until somebody enables it again.
    Disabled,
    /// The check could not be made (store, pepper): nobody is let in on that.
    Failed,
    /// Right, but it was a one-time PIN: an own one must be chosen first.
    OneTime(PinVerified),
    /// Right.
    Right(PinVerified),
    /// Wrong.
    Wrong {
        /// Tries that are left before the badge is disabled.
        left: u8,
        /// How long the next try must wait, in milliseconds.
        wait: u32,
    },
}

/// What the gates found, taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// Every gate answered absent, not-applicable, or a setting that the policy does not require.
    Clean,
    /// At least one gate found a trace, or a setting that the policy requires is not as required.
    Residue,
    /// No gate found a trace, but at least one could not look.
    Unknown,
}

impl From<App> for Event {
    fn from(app: App) -> Self {
        Self::AppWished(AppWish::Launch(app))
    }
}
