//! The only home of the secret: fixed size, wiped on drop, never printed.
//!
//! A digit goes from the keypad straight into a [`PinPad`]; when the PIN is whole the driver takes
//! it out as a [`Pin`], lends it to the check, and drops it. Nothing else carries a digit.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The most digits that a PIN can have.
pub const MOST_DIGITS: usize = 15;

/// A PIN: up to [`MOST_DIGITS`] decimal digits. Prints as dots, is wiped on drop. The digits stand in
/// one place however often the PIN changes hands: what is moved leaves a copy where it was.
#[derive(Clone, Default)]
pub struct Pin {
    digits: Box<[u8; MOST_DIGITS]>,
    len: usize,
}

impl Zeroize for Pin {
    fn zeroize(&mut self) {
        self.digits.as_mut_slice().zeroize();
        self.len.zeroize();
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Pin {}

impl Pin {
    /// Reads a PIN from text, as the command line is given one. `None` unless all are digits and
    /// there are no more than [`MOST_DIGITS`].
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut pin = Self::default();
        for byte in text.bytes() {
            if !byte.is_ascii_digit() || !pin.push(byte - b'0') {
                return None;
            }
        }
        Some(pin)
    }

    /// How many digits there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The digits as ASCII, for the PIN check alone.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// Whether two PINs are the same, in time that does not depend on where they differ.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        let differing = self.digits.iter().zip(other.digits.iter()).fold(0, |seen, (a, b)| seen | (a ^ b));
        differing == 0 && self.len == other.len
    }

    fn push(&mut self, digit: u8) -> bool {
        let Some(place) = self.digits.get_mut(self.len) else {
            return false;
        };
        *place = b'0' + digit;
        self.len += 1;
        true
    }

    fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
        if let Some(place) = self.digits.get_mut(self.len) {
            place.zeroize();
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(\u{2022})")
    }
}

/// A key of the PIN pad. Prints as a dot, so that no message that carries it can tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PinKey {
    /// A digit, 0 to 9.
    Digit(u8),
    /// Take the last digit back.
    Erase,
}

impl fmt::Debug for PinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\u{2022}")
    }
}

/// The pad that the screen types into and the driver takes from. Clones share one home.
#[derive(Clone, Default)]
pub struct PinPad {
    pin: Arc<Mutex<Pin>>,
}

impl PinPad {
    /// Puts a key in.
    pub fn press(&self, key: PinKey) {
        let mut pin = self.pin.lock().unwrap_or_else(PoisonError::into_inner);
        match key {
            PinKey::Digit(digit) => {
                let _ = pin.push(digit.min(9));
            }
            PinKey::Erase => pin.pop(),
        }
    }

    /// How many digits there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pin.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the PIN out; the pad is empty afterwards.
    #[must_use]
    pub fn take(&self) -> Pin {
        std::mem::take(&mut *self.pin.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wipes whatever is in it.
    pub fn wipe(&self) {
        self.pin.lock().unwrap_or_else(PoisonError::into_inner).zeroize();
    }
}

impl fmt::Debug for PinPad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinPad(\u{2022})")
    }
}
