//! The real PIN check with a quick hash: counting, delays and lock-out are the roster's own; only what
//! is stored of a new PIN is made without Argon2's cost, which a rehearsal of thousands of days cannot pay.

use std::sync::Arc;

use crate::handoff::{OperatorId, PinAnswer, PinVerified};
use crate::pin::Pin;
use crate::ports::{PinCheck, PinProblem, PinRow, RosterRows};

/// Makes what is stored of a PIN.
pub type Hash = Box<dyn Fn(&Pin) -> String + Send + Sync>;

/// The PIN check of a rehearsal.
pub struct RehearsedPins {
    real: Arc<dyn PinCheck>,
    rows: Arc<dyn RosterRows>,
    hash: Hash,
}

impl RehearsedPins {
    /// The check behind `real`, which must take what `hash` makes.
    #[must_use]
    pub fn new(real: Arc<dyn PinCheck>, rows: Arc<dyn RosterRows>, hash: Hash) -> Self {
        Self { real, rows, hash }
    }
}

impl PinCheck for RehearsedPins {
    fn check(&self, operator: OperatorId, pin: &Pin) -> PinAnswer {
        self.real.check(operator, pin)
    }

    fn begin_anew(&self, operator: OperatorId) {
        self.real.begin_anew(operator);
    }

    fn set(&self, operator: OperatorId, pin: &Pin) -> Result<PinVerified, PinProblem> {
        let row = PinRow { phc: (self.hash)(pin), one_time: false };
        self.rows.set_pin(operator, &row).map_err(PinProblem::Failed)?;
        Ok(PinVerified::of(operator))
    }
}
