//! Break-glass codes: named, made by IT, checked like a PIN, slowed down by wrong tries and never
//! disabled (requirement A-11).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::Pepper;
use super::check::{growing, random_digits, verify};
use crate::handoff::{OperatorId, PinAnswer, PinVerified};
use crate::pin::Pin;
use crate::ports::{Clock, CodeRow, CodeRows, Person, Result};

/// How many digits a code has: it stands alone, without a badge.
pub const CODE_DIGITS: u8 = 10;
/// Wrong codes before the delay begins to grow.
const SLOW_AFTER: u8 = 2;

/// The codes of a station.
pub(super) struct Codes {
    rows: Arc<dyn CodeRows>,
    /// What a disk that cannot be read or written just now does not keep anybody from.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The codes as they were read last.
    codes: Vec<CodeRow>,
    /// The counter of wrong codes, and when it last changed.
    wrong: (u8, i64),
    /// The name of the code that was found right last.
    right: String,
}

impl Codes {
    pub(super) fn new(rows: Arc<dyn CodeRows>) -> Self {
        Self { rows, kept: Mutex::default() }
    }

    pub(super) fn any(&self) -> Result<bool> {
        Ok(!self.read()?.is_empty())
    }

    /// The codes; those that were read last where the disk cannot be read.
    fn read(&self) -> Result<Vec<CodeRow>> {
        match self.rows.codes() {
            Ok(codes) => {
                self.kept().codes.clone_from(&codes);
                Ok(codes)
            }
            Err(error) => {
                let codes = self.kept().codes.clone();
                if codes.is_empty() { Err(error) } else { Ok(codes) }
            }
        }
    }

    /// Who used the code that was found right last, by the code's name.
    pub(super) fn person(&self) -> Person {
        Person {
            id: OperatorId::EMERGENCY,
            key: "break-glass".to_owned(),
            name: "Emergency access".to_owned(),
            role: self.kept().right.clone(),
        }
    }

    /// Checks a code against all. The counter is durable before the answer where the disk takes it;
    /// a full or dead disk keeps nobody out, so that it is then kept in memory alone.
    pub(super) fn judge(&self, pepper: &Pepper, pin: &Pin, clock: &dyn Clock) -> Result<PinAnswer> {
        let codes = self.read()?;
        let now = clock.stamp().utc_ms;
        let (wrong, last) = self.tries();
        let wait = growing(wrong, SLOW_AFTER);
        let waited = now.saturating_sub(last);
        // A clock that went backwards must not keep anybody out for longer than one delay.
        if (0..i64::from(wait)).contains(&waited) {
            let wait = wait.saturating_sub(u32::try_from(waited).unwrap_or(0));
            return Ok(PinAnswer::Wrong { left: u8::MAX, wait });
        }
        let wrong = wrong.saturating_add(1);
        self.count(wrong, now);
        for code in codes {
            if verify(pepper, pin, &code.phc)? {
                self.count(0, now);
                self.kept().right = code.name;
                return Ok(PinAnswer::Right(PinVerified::of(OperatorId::EMERGENCY)));
            }
        }
        Ok(PinAnswer::Wrong { left: u8::MAX, wait: growing(wrong, SLOW_AFTER) })
    }

    /// The larger of what the disk and what memory knows.
    fn tries(&self) -> (u8, i64) {
        let stored = self.rows.wrong_codes().unwrap_or_default();
        let kept = self.kept().wrong;
        if kept.0 > stored.0 { kept } else { stored }
    }

    fn count(&self, wrong: u8, now: i64) {
        if let Err(error) = self.rows.count_codes(wrong, now) {
            tracing::error!(%error, "the counter of wrong codes is kept in memory");
        }
        self.kept().wrong = (wrong, now);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a break-glass code: random digits, to be sealed in an envelope, and what is stored of them.
///
/// # Errors
/// When the system gives no random bytes or the hash cannot be made.
pub fn break_glass_code(pepper: &Pepper) -> Result<(Zeroizing<String>, String)> {
    random_digits(pepper, CODE_DIGITS)
}
