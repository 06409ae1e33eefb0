//! Class 1: processes of a session. The kernel's proof first, then no process of the account that a
//! session could have left, in any namespace.

use std::time::Duration;

use super::scan::Scan;
use super::{Gate, Ground, Look, Trace};
use crate::platform::linux::cgroup;

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 1,
        name: "processes",
        what: "processes",
        method: "init pidfd, then /proc",
        inside: &["processes"],
        look,
        clear: None,
    },
    Gate {
        class: 1,
        name: "control group",
        what: "processes",
        method: "cgroup.events",
        inside: &[],
        look: control_group,
        clear: None,
    },
];

/// How often a look that found something is repeated, every 20 ms: a program that was just ending is
/// no trace, and one that only hops from pid to pid is there in every look.
const TRIES: u32 = 20;

fn look(ground: &Ground) -> Look {
    let mut left = found(ground, ground.scan());
    for _ in 0..if ground.baseline.traces.is_empty() { 0 } else { TRIES } {
        if left.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        left = found(ground, &Scan::take());
    }
    if left.is_empty() && ground.had_capsule() && !ground.remains.proved {
        return Look::unknown("the kernel has not proved the capsule's end");
    }
    Look::These(left)
}

fn found(ground: &Ground, scan: &Scan) -> Vec<Trace> {
    let suspects = ground.suspects(scan);
    let traces = suspects.iter().map(|process| {
        Trace::shown(
            format!("{} {}", process.pid, process.since),
            format!("{} ({})", process.name, process.pid),
        )
    });
    traces.collect()
}

/// A second proof, where the host has delegated a control group to the station.
fn control_group(ground: &Ground) -> Look {
    let Some(group) = &ground.remains.group else {
        return Look::not_here("the capsule has no control group of its own; its end is proved by its init");
    };
    match cgroup::empty(group) {
        Ok(true) => Look::These(Vec::new()),
        Ok(false) => Look::present("the capsule's control group has processes"),
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
    }
}
