//! Who is at the station, as far as the core needs to know.

use super::EmergencyAccess;

/// An operator, by the roster's number for her. Names, badges and PINs stay outside the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(pub u32);

impl OperatorId {
    /// Nobody on the roster: whoever uses the break-glass code. The roster never gives this number.
    pub const EMERGENCY: Self = Self(u32::MAX);
    /// Nobody at all: in whose name a drill's session is held. The roster never gives this number either.
    pub const DRILL: Self = Self(u32::MAX - 1);

    /// Whether this is whoever uses the break-glass code.
    #[must_use]
    pub fn is_emergency(self) -> bool {
        self == Self::EMERGENCY
    }

    /// Whether this is nobody, in whose name a drill's session is held.
    #[must_use]
    pub fn is_drill(self) -> bool {
        self == Self::DRILL
    }
}

/// A set of roles, one bit for each role that the policy names, in the policy's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(pub u16);

impl Roles {
    /// Whether the two sets share a role.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// An operator as the roster answers for her badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operator {
    /// Her number.
    pub id: OperatorId,
    /// Her roles, which decide her apps.
    pub roles: Roles,
    /// Whether she may read the log and release a quarantine.
    pub supervisor: bool,
    /// When her time on the roster ends, if it does: a session that still runs then is ended.
    pub until: Option<super::Moment>,
}

impl Operator {
    /// Whoever uses the break-glass code, as the rules let her.
    #[must_use]
    pub fn emergency(access: EmergencyAccess) -> Self {
        Self { id: OperatorId::EMERGENCY, roles: access.roles, supervisor: false, until: None }
    }
}

/// The proof that an operator's own PIN, or a break-glass code, was found right. [`super::Attended`] cannot be made
/// without it, and only the roster's PIN check makes one (`tests/architecture.rs` holds it to that).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PinVerified {
    operator: OperatorId,
}

impl PinVerified {
    /// Made by the PIN check that has just found `operator`'s PIN right, and by nobody else.
    #[must_use]
    pub fn of(operator: OperatorId) -> Self {
        Self { operator }
    }

    /// Whose PIN it was.
    #[must_use]
    pub fn operator(self) -> OperatorId {
        self.operator
    }
}
