//! A PIN counts only while the shell's own desktop has the input: on any other an app could have read it, or drawn
//! the pad that it was typed into.

use std::sync::Arc;

use super::desktop;
use crate::handoff::{OperatorId, PinAnswer, PinVerified};
use crate::pin::Pin;
use crate::ports::{PinCheck, PinProblem, PortError};

/// A check that is made only here.
struct OnlyHere {
    check: Arc<dyn PinCheck>,
    here: fn() -> bool,
}

/// The same check, made only while the shell's desktop has the input.
#[must_use]
pub fn only_here(check: Arc<dyn PinCheck>) -> Arc<dyn PinCheck> {
    Arc::new(OnlyHere { check, here: desktop::pin_allowed })
}

impl PinCheck for OnlyHere {
    fn check(&self, operator: OperatorId, pin: &Pin) -> PinAnswer {
        if (self.here)() {
            return self.check.check(operator, pin);
        }
        tracing::error!("a PIN was not looked at: another desktop has the keyboard");
        PinAnswer::Failed
    }

    fn begin_anew(&self, operator: OperatorId) {
        self.check.begin_anew(operator);
    }

    fn set(&self, operator: OperatorId, pin: &Pin) -> Result<PinVerified, PinProblem> {
        if (self.here)() {
            return self.check.set(operator, pin);
        }
        Err(PinProblem::Failed(PortError::new("take a PIN while another desktop has the keyboard")))
    }
}

#[cfg(all(test, windows))]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Says of every PIN that it is wrong, and counts how many it was asked about.
    #[derive(Default)]
    struct Asked(AtomicU8);

    impl PinCheck for Asked {
        fn check(&self, _: OperatorId, _: &Pin) -> PinAnswer {
            let _ = self.0.fetch_add(1, Ordering::SeqCst);
            PinAnswer::Wrong { left: 4, wait: 0 }
        }

        fn begin_anew(&self, _: OperatorId) {}

        fn set(&self, _: OperatorId, _: &Pin) -> Result<PinVerified, PinProblem> {
            let _ = self.0.fetch_add(1, Ordering::SeqCst);
            Err(PinProblem::Weak(String::new()))
        }
    }

    #[test]
    fn a_pin_is_looked_at_only_while_the_shells_desktop_has_the_input() {
        let asked = Arc::new(Asked::default());
        let (operator, pin) = (OperatorId(1), Pin::default());
        let there = OnlyHere { check: asked.clone(), here: || true };
        assert_eq!(there.check(operator, &pin), PinAnswer::Wrong { left: 4, wait: 0 });
        assert!(matches!(there.set(operator, &pin), Err(PinProblem::Weak(_))));
        assert_eq!(asked.0.load(Ordering::SeqCst), 2);
        let elsewhere = OnlyHere { check: asked.clone(), here: || false };
        assert_eq!(elsewhere.check(operator, &pin), PinAnswer::Failed);
        assert!(matches!(elsewhere.set(operator, &pin), Err(PinProblem::Failed(_))));
        assert_eq!(asked.0.load(Ordering::SeqCst), 2, "a PIN was looked at all the same");
    }
}
