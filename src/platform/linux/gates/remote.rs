//! Class 28: what other machines would still hold open for an operator.

use super::{Gate, Look};

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 28,
    name: "sign-ins elsewhere",
    what: "sign-ins",
    method: "the policy",
    inside: &[],
    look: |_| Look::not_here("this policy signs nobody in"),
    clear: None,
}];
