//! The settings of the host that `require` may name, on whatever system: a policy is checked alike everywhere, and a
//! setting that a system does not have holds there.

/// All of them. What each must be stands with its gate.
pub(super) const ALL: [&str; 14] = [
    "swap",
    "hibernation",
    "init-on-free",
    "core-pattern",
    "card-certificates",
    "clipboard-history",
    "event-logs",
    "fast-startup",
    "notifications",
    "printed-documents",
    "recall",
    "search-index",
    "session-account",
    "spool-folder",
];
