//! The roster and the break-glass codes on the disk: what the store keeps of them.

use super::{BadgeUid, Result, Stamp};
use crate::handoff::OperatorId;

/// The roster's rows on the disk. The roster reaches the disk through this face alone.
pub trait RosterRows: Send + Sync {
    /// Every row, by key.
    fn all(&self) -> Result<Vec<RosterRow>>;
    /// The row that has this badge.
    fn by_badge(&self, badge: &BadgeUid) -> Result<Option<RosterRow>>;
    /// The row of this operator.
    fn by_id(&self, operator: OperatorId) -> Result<Option<RosterRow>>;
    /// Changes rows and writes the ledger's entry of kind `roster`, in one transaction: puts rows in
    /// (a row whose `id` is 0 is new and gets a number) and takes the rows with these keys out. The
    /// store works out the hashes before and after over all rows, by [`RosterRow`]s without PINs.
    fn change(&self, put: &[RosterRow], take: &[String], by: &str, deed: &str, at: &Stamp) -> Result<()>;
    /// Writes the counter of wrong tries, and whether the badge is disabled; durable on return.
    fn count(&self, operator: OperatorId, wrong: u8, last_utc_ms: i64, disabled: bool) -> Result<()>;
    /// Sets that counter to nothing if it still says `wrong`; durable on return.
    fn begin_anew(&self, operator: OperatorId, wrong: u8) -> Result<()>;
    /// Writes a new PIN hash; durable on return.
    fn set_pin(&self, operator: OperatorId, pin: &PinRow) -> Result<()>;
}

/// The break-glass codes on the disk.
pub trait CodeRows: Send + Sync {
    /// Every code, by name.
    fn codes(&self) -> Result<Vec<CodeRow>>;
    /// Puts a code in, or takes the one of this name out (`None`), and writes the ledger's entry of
    /// kind `roster`, in one transaction.
    fn change_code(&self, name: &str, phc: Option<&str>, by: &str, at: &Stamp) -> Result<()>;
    /// How many wrong codes there were since the last right one, and when the last was (UTC ms).
    fn wrong_codes(&self) -> Result<(u8, i64)>;
    /// Writes that counter; durable on return.
    fn count_codes(&self, wrong: u8, last_utc_ms: i64) -> Result<()>;
}

/// A break-glass code, as stored: Argon2id over an HMAC with the pepper. Debug shows no hash.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeRow {
    /// What IT calls it: `Ward 4 envelope`.
    pub name: String,
    /// The PHC string.
    pub phc: String,
}

impl std::fmt::Debug for CodeRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeRow").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One operator on the roster, as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterRow {
    /// Her number; 0 for a row that has none yet.
    pub id: u32,
    /// Her key: `ana.ruiz`.
    pub key: String,
    /// Her name.
    pub name: String,
    /// Her roles, by the policy's names.
    pub roles: Vec<String>,
    /// Her badges.
    pub badges: Vec<BadgeUid>,
    /// The first instant at which she may work, UTC milliseconds.
    pub valid_from_utc_ms: Option<i64>,
    /// The instant at which her time ends, UTC milliseconds.
    pub valid_until_utc_ms: Option<i64>,
    /// Her PIN's hash.
    pub pin: Option<PinRow>,
    /// Wrong tries since the last right one.
    pub wrong: u8,
    /// When the last wrong one was, UTC milliseconds.
    pub wrong_last_utc_ms: i64,
    /// Whether the badge is disabled.
    pub disabled: bool,
}

/// A PIN as stored: Argon2id over an HMAC with the pepper. Debug shows no hash.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PinRow {
    /// The PHC string.
    pub phc: String,
    /// Whether it is a one-time PIN.
    pub one_time: bool,
}

impl std::fmt::Debug for PinRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PinRow").field("one_time", &self.one_time).finish_non_exhaustive()
    }
}
