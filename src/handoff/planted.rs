//! Bugs planted one at a time, to prove that the walk and the simulation would catch them. Compiled in with the feature
//! `planted-bugs` alone, which no release has; without it every question here is a constant `false`.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Taking the badge away ends nothing.
    BadgeOutIgnored,
    /// A break-glass session does not end by itself.
    BreakGlassEndless,
    /// A gate that cannot look counts as clean.
    BlindIsClean,
    /// The cover comes after the first step.
    CoverLate,
    /// Nothing is covered.
    CoverMissing,
    /// A cover that was not confirmed kills nothing.
    CoverUnconfirmed,
    /// A drill is not left for whoever wants to work.
    DrillKeepsWaiting,
    /// A drill's session is shown.
    DrillUncovered,
    /// Anybody who is at work may have a drill held.
    DrillUnasked,
    /// An opening has two ends when its receipt was late.
    EndedTwice,
    /// A fresh start asks for no PIN.
    FreshStartUnasked,
    /// A station that is to be held opens although something is not ended elsewhere.
    HoldForgotten,
    /// A token that comes late goes to whoever is in then.
    LateGrant,
    /// A thread that comes late acts on the next capsule.
    LateThread,
    /// A launched app's roles are not looked at.
    LaunchUnchecked,
    /// The log opens without the PIN.
    LogUnasked,
    /// A transaction is not synced.
    NotSynced,
    /// Old entries are pruned without a checkpoint that is kept elsewhere.
    PrunedUnanchored,
    /// Old entries lose their text before an entry says so.
    PrunedUnsaid,
    /// A quarantined station goes straight to vacant.
    QuarantineToVacant,
    /// The receipt is not awaited.
    ReceiptNotAwaited,
    /// Any operator releases a quarantine.
    ReleaseByAnybody,
    /// What a session holds elsewhere is not ended.
    RevokeSkipped,
    /// A session that a provider has revoked goes on.
    RevokedIgnored,
    /// Residue counts as clean.
    ResidueForgotten,
    /// An answer to an old question counts.
    StaleAnswer,
    /// A clean-up waits without an end.
    StepWithoutEnd,
    /// An app that asks for the PIN again starts without it.
    StepUpSkipped,
    /// Another rostered badge ends nothing.
    TakeoverIgnored,
    /// An unknown badge ends the session.
    UnknownBadgeEnds,
    /// A key takes over without the signature of the one before.
    RotationUnsigned,
    /// The session is shown before the entry is durable.
    UncoverBeforeRecord,
    /// What the shell before has left unfinished is not told.
    UnfinishedForgotten,
    /// A wrong PIN opens.
    WrongPinOpens,
}

/// Every bug of the core.
pub const ALL: [Bug; 25] = [
    Bug::BadgeOutIgnored,
    Bug::BreakGlassEndless,
    Bug::CoverLate,
    Bug::CoverMissing,
    Bug::DrillKeepsWaiting,
    Bug::DrillUncovered,
    Bug::DrillUnasked,
    Bug::FreshStartUnasked,
    Bug::HoldForgotten,
    Bug::LaunchUnchecked,
    Bug::LogUnasked,
    Bug::QuarantineToVacant,
    Bug::ReceiptNotAwaited,
    Bug::ReleaseByAnybody,
    Bug::ResidueForgotten,
    Bug::RevokeSkipped,
    Bug::RevokedIgnored,
    Bug::StaleAnswer,
    Bug::StepUpSkipped,
    Bug::StepWithoutEnd,
    Bug::TakeoverIgnored,
    Bug::UnknownBadgeEnds,
    Bug::UncoverBeforeRecord,
    Bug::UnfinishedForgotten,
    Bug::WrongPinOpens,
];

/// Bugs of driver and store, which the core's walk cannot see: the simulation's to find.
pub const BEYOND: [Bug; 6] = [
    Bug::BlindIsClean,
    Bug::CoverUnconfirmed,
    Bug::EndedTwice,
    Bug::LateGrant,
    Bug::LateThread,
    Bug::NotSynced,
];

/// Bugs of the ledger's keeping, which verification has to find.
pub const KEEPING: [Bug; 3] = [Bug::PrunedUnanchored, Bug::PrunedUnsaid, Bug::RotationUnsigned];

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug in this thread, or none.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted.
pub(crate) fn is(bug: Bug) -> bool {
    #[cfg(feature = "planted-bugs")]
    return PLANTED.get() == Some(bug);
    #[cfg(not(feature = "planted-bugs"))]
    {
        let _ = bug;
        false
    }
}
