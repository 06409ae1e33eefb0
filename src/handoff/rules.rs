//! The part of the policy that the core needs.

use super::Roles;

/// What the policy has the core do. All times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What leaving and tapping mean.
    pub badge_mode: BadgeMode,
    /// Without a touch for this long, the session ends.
    pub idle: u64,
    /// How long before that the warning stands.
    pub warning: u64,
    /// The longest that one session may last.
    pub absolute: u64,
    /// Without a touch for this long, the handoff log closes.
    pub log_idle: u64,
    /// How long a PIN may be waited for. So long a right one counts for the log too, which asks for it
    /// again afterwards.
    pub patience: u64,
    /// How long apps are given to close by themselves; 0 asks none.
    pub grace: u64,
    /// How long any other step, look, write or build may take before it counts as failed.
    pub step_limit: u64,
    /// How often an unclean result is tried again before the station is quarantined.
    pub retries: u8,
    /// How often a quarantined station tries again by itself.
    pub quarantine_retries: u8,
    /// How long a quarantined station waits before it tries again by itself.
    pub quarantine_pause: u64,
    /// What break-glass opens; `None` where the policy does not have it.
    pub emergency: Option<EmergencyAccess>,
    /// What supervisors may do here.
    pub supervisors: SupervisorRights,
    /// Which roles may start each app, in the policy's order of apps.
    pub apps: Vec<Roles>,
}

/// What a break-glass code opens (requirement A-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EmergencyAccess {
    /// The roles whose apps it may start.
    pub roles: Roles,
    /// The longest that one such session may last.
    pub longest: u64,
    /// How long a reason and the code may be waited for.
    pub patience: u64,
}

/// What supervisors may do at this station, as the policy has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SupervisorRights {
    /// They may read the handoff log on the screen.
    pub read_log: bool,
    /// They may release a quarantined station into a new clean-up.
    pub release: bool,
    /// They may enable a disabled badge.
    pub enable_badge: bool,
    /// They may have a drill held, from the handoff log.
    pub drill: bool,
}

/// What leaving the badge on the reader, and tapping it, mean at this station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadgeMode {
    /// The badge stays on the reader; taking it away ends the session.
    Hold,
    /// Tap to begin, tap again to end.
    Tap,
}
