//! The PIN check: a keyed hash, a counter that is durable before the answer, a delay that grows.
//!
//! NIST SP 800-63B §3.1.1.2 and §3.2.2 (requirements ): Argon2id over an HMAC with a
//! pepper that is kept apart; ten consecutive failures disable the badge.

use std::sync::PoisonError;
use std::thread::Builder;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Directory, Pepper, weak};
use crate::handoff::{OperatorId, PinAnswer, PinVerified};
use crate::pin::Pin;
use crate::ports::{PinProblem, PinRow, PortError, Result};

/// Memory in KiB (OWASP Password Storage).
const MEMORY: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// The longest delay between two tries, milliseconds.
const LONGEST_DELAY: u32 = 60_000;
/// The least digits of a one-time PIN.
const ONE_TIME_DIGITS: u8 = 6;

impl Directory {
    pub(super) fn judge(&self, operator: OperatorId, pin: &Pin) -> Result<PinAnswer> {
        let row = self.row(operator)?;
        let Some(stored) = &row.pin else {
            return Err(PortError(format!("check the PIN of {}: none was issued yet", row.key)));
        };
        if row.disabled {
            return Ok(PinAnswer::Disabled);
        }
        let now = self.clock.stamp().utc_ms;
        let wait = self.delay(row.wrong);
        let waited = now.saturating_sub(row.wrong_last_utc_ms);
        // A clock that went backwards must not keep anybody out for longer than one delay.
        if (0..i64::from(wait)).contains(&waited) {
            let wait = wait.saturating_sub(u32::try_from(waited).unwrap_or(0));
            return Ok(PinAnswer::Wrong { left: self.left(row.wrong), wait });
        }
        // Counted as wrong, and that durable, before anybody is told what the look has found: a power cut
        // gives no free try. The disk and the hash need not wait for each other.
        let wrong = row.wrong.saturating_add(1);
        let disabled = wrong >= self.rules.disable_after;
        let (counted, looked) = std::thread::scope(|scope| {
            let look = || verify(&self.pepper, pin, &stored.phc);
            let beside = Builder::new().spawn_scoped(scope, look);
            let counted = self.rows.count(operator, wrong, now, disabled);
            let lost = |_| Err(PortError::new("check the PIN: its thread was lost"));
            // Where there is no room for another thread it is looked at after.
            (counted, beside.map_or_else(|_| look(), |beside| beside.join().unwrap_or_else(lost)))
        });
        counted?;
        if looked? {
            if disabled {
                // The last try was right: the badge must not stay disabled for as long as she is let in.
                self.rows.count(operator, 0, now, false)?;
            } else {
                let _ = self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(operator, wrong);
            }
            let proof = PinVerified::of(operator);
            return Ok(if stored.one_time { PinAnswer::OneTime(proof) } else { PinAnswer::Right(proof) });
        }
        if disabled {
            return Ok(PinAnswer::Disabled);
        }
        Ok(PinAnswer::Wrong { left: self.left(wrong), wait: self.delay(wrong) })
    }

    pub(super) fn take_own(
        &self,
        operator: OperatorId,
        pin: &Pin,
    ) -> std::result::Result<PinVerified, PinProblem> {
        let row = self.row(operator).map_err(PinProblem::Failed)?;
        if let Some(sentence) = weak::problem(pin, self.rules.least, self.rules.most) {
            return Err(PinProblem::Weak(sentence));
        }
        let stored = row.pin.unwrap_or_default();
        if !stored.phc.is_empty() && verify(&self.pepper, pin, &stored.phc).map_err(PinProblem::Failed)? {
            return Err(PinProblem::Weak("Choose a PIN that is not the one you were given.".to_owned()));
        }
        let phc = hash(&self.pepper, pin).map_err(PinProblem::Failed)?;
        self.rows.set_pin(operator, &PinRow { phc, one_time: false }).map_err(PinProblem::Failed)?;
        Ok(PinVerified::of(operator))
    }

    fn left(&self, wrong: u8) -> u8 {
        self.rules.disable_after.saturating_sub(wrong)
    }

    /// How long the next try must wait after so many wrong ones, milliseconds: 1, 2, 4, 8 s, and on.
    fn delay(&self, wrong: u8) -> u32 {
        growing(wrong, self.rules.slow_after)
    }
}

/// How long the next try must wait after so many wrong ones, milliseconds: nothing for the first,
/// then 1, 2, 4, 8 s, and on to a minute.
pub(super) fn growing(wrong: u8, slow_after: u8) -> u32 {
    match wrong.checked_sub(slow_after) {
        None => 0,
        Some(over) => 1_000_u32.saturating_mul(1 << over.min(6)).min(LONGEST_DELAY),
    }
}

/// Issues a one-time PIN: random digits, and what is stored of them. The digits are shown once to
/// whoever issues it, and the first tap asks for an own PIN.
///
/// # Errors
/// When the system gives no random bytes or the hash cannot be made.
pub fn one_time_pin(pepper: &Pepper, least: u8) -> Result<(Zeroizing<String>, PinRow)> {
    let (digits, phc) = random_digits(pepper, least.max(ONE_TIME_DIGITS))?;
    Ok((digits, PinRow { phc, one_time: true }))
}

/// So many random digits that are not easily guessed, and their hash.
pub(super) fn random_digits(pepper: &Pepper, count: u8) -> Result<(Zeroizing<String>, String)> {
    loop {
        let mut digits = Zeroizing::new(String::new());
        while digits.len() < usize::from(count) {
            let mut byte = [0];
            getrandom::fill(&mut byte).map_err(|error| PortError(format!("get random digits: {error}")))?;
            // 250 is the largest multiple of ten in a byte: each digit is equally likely.
            if byte[0] < 250 {
                digits.push(char::from(b'0' + byte[0] % 10));
            }
        }
        let pin = Pin::read(&digits).ok_or_else(|| PortError::new("make random digits"))?;
        if weak::problem(&pin, count, u8::MAX).is_none() {
            let phc = hash(pepper, &pin)?;
            return Ok((digits, phc));
        }
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY, PASSES, LANES, None)
        .map_err(|error| PortError(format!("hash the PIN: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PIN under the pepper, in hexadecimal: the password that Argon2id is given.
fn keyed(pepper: &Pepper, pin: &Pin) -> Result<Zeroizing<String>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(pepper.expose())
        .map_err(|error| PortError(format!("use the pepper: {error}")))?;
    mac.update(pin.expose());
    Ok(Zeroizing::new(hex::encode(mac.finalize().into_bytes())))
}

fn hash(pepper: &Pepper, pin: &Pin) -> Result<String> {
    let failed = |error: argon2::password_hash::Error| PortError(format!("hash the PIN: {error}"));
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| PortError(format!("get a random salt: {error}")))?;
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let keyed = keyed(pepper, pin)?;
    Ok(argon2()?.hash_password(keyed.as_bytes(), &salt).map_err(failed)?.to_string())
}

pub(super) fn verify(pepper: &Pepper, pin: &Pin, phc: &str) -> Result<bool> {
    let parsed =
        PasswordHash::new(phc).map_err(|error| PortError(format!("read the stored PIN: {error}")))?;
    let keyed = keyed(pepper, pin)?;
    match argon2()?.verify_password(keyed.as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(PortError(format!("check the PIN: {error}"))),
    }
}
