//! What the core asks of the world, in the order in which it must be done.

use super::{App, OperatorId, Record, Turn, Window};

/// Something to be done. The driver carries effects out one after another, in order; an effect
/// that takes time answers later, with the event that its sentence names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Check the PIN in its home against this operator's. Answer: `PinChecked`.
    CheckPin(Turn, OperatorId),
    /// Cover the session: from now on no pixel and no keystroke of it is reachable. Done at once.
    Cover,
    /// Do this part of a drill. Answer: `Drilled`.
    Drill(Turn, DrillPart),
    /// End whatever of a drill is under way, and take back what it has planted. Done at once, as far as
    /// anybody waits for it; the gates tell whether anything is left.
    EndDrill,
    /// Forget whatever stands in the PIN's home. Done at once.
    ForgetPin,
    /// Let every gate look for traces of the last session. Answer: `Looked`.
    Look(Turn),
    /// Tell the person at the station something. Done at once.
    Notify(Notice),
    /// Build the next capsule, behind the cover. Answer: `Prepared`.
    Prepare(Turn),
    /// Write a durable entry. Answer: `Recorded`.
    Record(Turn, Record),
    /// Start the machine anew. Done at once; a failure is told to the person at the station.
    Restart,
    /// Begin to end what the session holds elsewhere: its keys are destroyed, its tokens revoked. Done at once,
    /// as far as anybody waits for it; it goes on beside everything else.
    Revoke,
    /// Do what the operator wishes with an app. Done at once; a failure shows in the scene.
    Serve(AppWish),
    /// Take the PIN in its home as the operator's own new one. Answer: `PinChanged`.
    SetPin(Turn, OperatorId),
    /// Tell whether everything that the session holds elsewhere is ended: once everything was tried once, and
    /// each time that more is known. Answer: `Settled`.
    Settle(Turn),
    /// Do one step of the clean-up. Answer: `Stepped`.
    Step(Turn, Step),
    /// End the shell: the station is covered, and nothing of a session is left. Done at once.
    Stop,
    /// Show the session. Done at once.
    Uncover,
}

/// A step of the clean-up that acts on the capsule, in the order in which they are taken. Looking
/// ([`Effect::Look`]) and writing the receipt ([`Effect::Record`]) follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Let the session's own browser take leave of the providers whose sessions live in its cookies: behind
    /// the cover, while the capsule still lives.
    Farewell,
    /// Ask the apps to close, and wait as long as the policy grants.
    AskApps,
    /// Destroy the capsule and see that it is gone.
    Destroy,
}

/// A part of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DrillPart {
    /// Plant in the capsule that stands, and look into it.
    Contained,
    /// Plant on the host, and ask the gates, while no capsule stands.
    Escaped,
}

/// A wish about an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppWish {
    /// Close a window.
    Close(Window),
    /// Start an app.
    Launch(App),
    /// Bring a window to the front.
    Raise(Window),
}

/// What the person at the station is told for a few seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// The badge is disabled; a supervisor or IT can enable it.
    BadgeDisabled,
    /// The badge's time on the roster is over.
    BadgeExpired,
    /// The badge's time on the roster has not begun.
    BadgeNotYetValid,
    /// The card did not answer; hold it still.
    BadgeUnreadable,
    /// The badge is not known here.
    BadgeUnknown,
    /// The session could not be opened.
    CannotOpen,
    /// The entry could not be written; no new session.
    CannotRecord,
    /// The machine could not be started anew from here.
    CannotRestart,
    /// The app asks for a person's own PIN, which an emergency session has not.
    PinNeeded,
    /// Only a supervisor's badge helps now.
    SupervisorNeeded,
}
