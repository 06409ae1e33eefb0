//! The roster: whose badge it is, and whether a PIN is right.
//!
//! Reaches the disk through [`RosterRows`] alone. A badge's identifier says who claims to be there;
//! the PIN is always asked.

#![forbid(unsafe_code)]

mod check;
mod codes;
mod pepper;
mod weak;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use check::one_time_pin;
pub use codes::{CODE_DIGITS, break_glass_code};
pub use pepper::{Pepper, PepperHome};

use crate::handoff::{Moment, Operator, OperatorId, PinAnswer, PinVerified, Presented, Refusal, Roles};
use crate::pin::Pin;
use crate::ports::{
    BadgeUid, Clock, CodeRows, Person, PinCheck, PinProblem, PortError, Result, Roster, RosterRow,
    RosterRows, Shown, Stamp,
};

/// What the policy says of roles and PINs.
#[derive(Clone, Debug)]
pub struct RosterRules {
    /// The names of the roles, in the order of [`Roles`]' bits.
    pub roles: Vec<String>,
    /// The roles that are supervisors'.
    pub supervisors: Vec<String>,
    /// The least digits of a PIN.
    pub least: u8,
    /// The most digits.
    pub most: u8,
    /// Wrong tries before the delay begins to grow.
    pub slow_after: u8,
    /// Wrong tries before the badge is disabled.
    pub disable_after: u8,
}

/// The roster of a station.
pub struct Directory {
    rows: Arc<dyn RosterRows>,
    codes: codes::Codes,
    clock: Arc<dyn Clock>,
    pepper: Pepper,
    rules: RosterRules,
    /// Whose PIN was right, and what their counters say until they begin anew.
    right: Mutex<HashMap<OperatorId, u8>>,
}

impl Directory {
    /// The roster in these rows.
    #[must_use]
    pub fn new(
        rows: Arc<dyn RosterRows>,
        codes: Arc<dyn CodeRows>,
        clock: Arc<dyn Clock>,
        pepper: Pepper,
        rules: RosterRules,
    ) -> Self {
        Self { rows, codes: codes::Codes::new(codes), clock, pepper, rules, right: Mutex::default() }
    }

    fn row(&self, operator: OperatorId) -> Result<RosterRow> {
        self.rows.by_id(operator)?.ok_or_else(|| PortError::new("find the operator on the roster"))
    }

    fn roles(&self, row: &RosterRow) -> Roles {
        let bit = |name: &String| self.rules.roles.iter().position(|role| role == name);
        let bits = row.roles.iter().filter_map(bit).filter(|place| *place < 16);
        Roles(bits.fold(0, |bits, place| bits | (1 << place)))
    }

    fn operator(&self, row: &RosterRow, now: Moment, stamp: &Stamp) -> Operator {
        let until = row.valid_until_utc_ms.map(|until| {
            // The wall clock is read once, now; from here on the session counts on the clock that
            // nobody can set.
            now.after(u64::try_from(until.saturating_sub(stamp.utc_ms)).unwrap_or(0))
        });
        Operator {
            id: OperatorId(row.id),
            roles: self.roles(row),
            supervisor: row.roles.iter().any(|role| self.rules.supervisors.contains(role)),
            until,
        }
    }
}

/// Why a row's badge is refused at this time, if it is.
fn refused(row: &RosterRow, utc_ms: i64) -> Option<Refusal> {
    if row.disabled {
        Some(Refusal::Disabled)
    } else if row.valid_from_utc_ms.is_some_and(|from| utc_ms < from) {
        Some(Refusal::NotYetValid)
    } else if row.valid_until_utc_ms.is_some_and(|until| utc_ms >= until) {
        Some(Refusal::Expired)
    } else {
        None
    }
}

fn person(row: &RosterRow) -> Person {
    let role = row.roles.first().cloned().unwrap_or_default();
    Person { id: OperatorId(row.id), key: row.key.clone(), name: row.name.clone(), role }
}

impl Roster for Directory {
    fn find(&self, badge: &BadgeUid, now: Moment) -> Result<Shown> {
        let Some(row) = self.rows.by_badge(badge)? else {
            return Ok(Shown { presented: Presented::Unknown, person: None });
        };
        let stamp = self.clock.stamp();
        let presented = match refused(&row, stamp.utc_ms) {
            Some(refusal) => Presented::Refused(OperatorId(row.id), refusal),
            None => Presented::Rostered(self.operator(&row, now, &stamp)),
        };
        Ok(Shown { presented, person: Some(person(&row)) })
    }

    fn refusal(&self, operator: OperatorId) -> Result<Option<Refusal>> {
        Ok(refused(&self.row(operator)?, self.clock.stamp().utc_ms))
    }

    fn person(&self, operator: OperatorId) -> Result<Person> {
        if operator.is_emergency() {
            return Ok(self.codes.person());
        }
        Ok(person(&self.row(operator)?))
    }

    fn enable(&self, operator: OperatorId, by: OperatorId) -> Result<()> {
        let mut row = self.row(operator)?;
        let by = self.row(by)?;
        row.disabled = false;
        row.wrong = 0;
        let deed = format!("enable {}", row.key);
        self.rows.change(&[row], &[], &by.key, &deed, &self.clock.stamp())
    }

    fn disabled(&self) -> Result<Vec<Person>> {
        Ok(self.rows.all()?.iter().filter(|row| row.disabled).map(person).collect())
    }

    fn has_codes(&self) -> Result<bool> {
        self.codes.any()
    }
}

impl PinCheck for Directory {
    fn check(&self, operator: OperatorId, pin: &Pin) -> PinAnswer {
        if operator.is_emergency() {
            return self.codes.judge(&self.pepper, pin, &*self.clock).unwrap_or_else(|error| {
                tracing::error!(%error, "failed to check a break-glass code");
                PinAnswer::Failed
            });
        }
        self.judge(operator, pin).unwrap_or_else(|error| {
            tracing::error!(%error, "failed to check a PIN");
            PinAnswer::Failed
        })
    }

    fn begin_anew(&self, operator: OperatorId) {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner).remove(&operator);
        if let Some(wrong) = right
            && let Err(error) = self.rows.begin_anew(operator, wrong)
        {
            tracing::error!(%error, "a counter of wrong tries says one too many");
        }
    }

    fn set(&self, operator: OperatorId, pin: &Pin) -> std::result::Result<PinVerified, PinProblem> {
        self.take_own(operator, pin)
    }
}
