//! Gates and steps of the clean-up that can be switched off one at a time, to prove that the drill or
//! the other gates would report it. Compiled in with the feature `sabotage` alone, which no release
//! has; without it every question here is a constant `false`.

use std::process::Command;

/// Steps of a handoff that can be left out.
pub const STEPS: [&str; 8] = ["ask", "clear", "cover", "destroy", "display", "doors", "inside", "receipt"];

/// Names what is switched off: `gate NAME` or `step NAME`.
#[cfg(feature = "sabotage")]
const CHOICE: &str = "CLEANSHIFT_SABOTAGE";

/// Whether this gate is switched off: it answers absent without having looked.
#[must_use]
pub(super) fn gate(name: &str) -> bool {
    chosen("gate", name)
}

/// Whether this step is left out, and said to be done.
#[must_use]
pub fn step(name: &str) -> bool {
    chosen("step", name)
}

#[cfg(feature = "sabotage")]
fn chosen(kind: &str, name: &str) -> bool {
    std::env::var_os(CHOICE).is_some_and(|choice| choice.to_str() == Some(&format!("{kind} {name}")))
}

#[cfg(not(feature = "sabotage"))]
fn chosen(_: &str, _: &str) -> bool {
    false
}

/// Hands the choice on to a program that is started with an environment of its own.
#[cfg(feature = "sabotage")]
pub fn hand_on(command: &mut Command) {
    if let Some(choice) = std::env::var_os(CHOICE) {
        let _ = command.env(CHOICE, choice);
    }
}

/// There is no choice to hand on.
#[cfg(not(feature = "sabotage"))]
pub fn hand_on(_: &mut Command) {}
