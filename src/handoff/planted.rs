//! Bugs planted one at a time, to prove that the walk would catch them. Compiled in with the feature
//! `planted-bugs` alone, which no release has; without it every question here is a constant `false`.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Taking the badge away ends nothing.
    BadgeOutIgnored,
    /// A break-glass session does not end by itself.
    BreakGlassEndless,
    /// The cover comes after the first step.
    CoverLate,
    /// Nothing is covered.
    CoverMissing,
    /// A launched app's roles are not looked at.
    LaunchUnchecked,
    /// A quarantined station goes straight to vacant.
    QuarantineToVacant,
    /// The receipt is not awaited.
    ReceiptNotAwaited,
    /// Any operator releases a quarantine.
    ReleaseByAnybody,
    /// Residue counts as clean.
    ResidueForgotten,
    /// An answer to an old question counts.
    StaleAnswer,
    /// A clean-up waits without an end.
    StepWithoutEnd,
    /// Another rostered badge ends nothing.
    TakeoverIgnored,
    /// An unknown badge ends the session.
    UnknownBadgeEnds,
    /// The session is shown before the entry is durable.
    UncoverBeforeRecord,
    /// What the shell before has left unfinished is not told.
    UnfinishedForgotten,
    /// A wrong PIN opens.
    WrongPinOpens,
}

/// Every bug.
pub const ALL: [Bug; 16] = [
    Bug::BadgeOutIgnored,
    Bug::BreakGlassEndless,
    Bug::CoverLate,
    Bug::CoverMissing,
    Bug::LaunchUnchecked,
    Bug::QuarantineToVacant,
    Bug::ReceiptNotAwaited,
    Bug::ReleaseByAnybody,
    Bug::ResidueForgotten,
    Bug::StaleAnswer,
    Bug::StepWithoutEnd,
    Bug::TakeoverIgnored,
    Bug::UnknownBadgeEnds,
    Bug::UncoverBeforeRecord,
    Bug::UnfinishedForgotten,
    Bug::WrongPinOpens,
];

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
pub(super) fn is(bug: Bug) -> bool {
    #[cfg(feature = "planted-bugs")]
    return PLANTED.get() == Some(bug);
    #[cfg(not(feature = "planted-bugs"))]
    {
        let _ = bug;
        false
    }
}
