//! The part of the policy that the core needs.

use super::{App, Roles};

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
    /// Who may start each app, and how, in the policy's order of apps.
    pub apps: Vec<AppRule>,
    /// How what a session holds elsewhere is ended; `None` where the policy signs nobody in.
    pub sign_ins: Option<SignInRules>,
}

/// Who may start an app, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppRule {
    /// The roles that may start it.
    pub roles: Roles,
    /// The operator's PIN is asked for again before it starts, where it was last found right this long ago;
    /// 0 asks always, `None` never.
    pub reverify: Option<u64>,
}

impl AppRule {
    /// An app that these roles may start whenever they like.
    #[must_use]
    pub fn of(roles: Roles) -> Self {
        Self { roles, reverify: None }
    }
}

/// How what a session holds elsewhere is ended (design, clean-up order).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignInRules {
    /// How long a farewell may take behind the cover, while the capsule still lives.
    pub farewell: u64,
    /// What is done when something is not ended in time.
    pub late: Late,
}

/// What is done when something of a session is not ended elsewhere in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Late {
    /// The station opens, and what is left goes on being ended: care goes on.
    Open {
        /// How long after its beginning the end is waited for.
        after: u64,
    },
    /// The station stays in its clean-up until everything is ended or its time is over, or a supervisor
    /// releases it.
    Hold {
        /// After this long it is quarantined.
        longest: u64,
    },
}

impl Rules {
    /// Who may start this app, and how.
    #[must_use]
    pub fn app(&self, app: App) -> Option<AppRule> {
        self.apps.get(usize::from(app.0)).copied()
    }

    /// Whether the station is held until what a session holds elsewhere is ended.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self.sign_ins, Some(SignInRules { late: Late::Hold { .. }, .. }))
    }
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
