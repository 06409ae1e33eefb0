//! How much longer things may take on this machine than on an ordinary one: in proportion to the time that the
//! policy grants a step (`times.step`).
//!
//! What waits inside a step has to give up before the step's own time is over, so that it can say what failed.
//! On a machine that is slower than others all of these times grow alike. Whether the screen is covered is not
//! waited for any longer: a cover that is late is no cover, however slow the machine.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a step is granted on an ordinary machine, milliseconds.
const ORDINARY: u64 = 12_000;

static TIMES: AtomicU32 = AtomicU32::new(1);

/// Takes the pace from the time that a step is granted, in milliseconds.
pub fn take(step: u64) {
    set(of(step));
}

fn of(step: u64) -> u32 {
    u32::try_from(step / ORDINARY).unwrap_or(u32::MAX)
}

/// Takes the pace that somebody else took.
pub fn set(times: u32) {
    // Never less than an ordinary machine needs, and never so much that a wait has no end.
    TIMES.store(times.clamp(1, 100), Ordering::Relaxed);
}

/// The pace as a number that [`set`] takes.
#[must_use]
pub fn times() -> u32 {
    TIMES.load(Ordering::Relaxed)
}

/// How long something may take here that may take `ordinary` on an ordinary machine.
#[must_use]
pub fn patience(ordinary: Duration) -> Duration {
    ordinary.saturating_mul(times())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_inside_a_step_never_gets_more_than_its_share() {
        for (step, times) in [(12_000, 1), (23_999, 1), (24_000, 2), (300_000, 25)] {
            assert_eq!(of(step), times);
            assert!(u64::from(times) * ORDINARY <= step, "a wait would outlive its step");
        }
    }
}
