//! Classes 22 and 23: memory on the disk, and memory that was freed. Only settings of the host can
//! answer here: they are told as found, never as absent, and bar the station only where the policy
//! requires them.

use std::io;
use std::path::Path;

use super::{Gate, Ground, Look};
use crate::platform::linux::setting::{self, Setting};

pub(super) const GATES: [Gate; 3] = [
    Gate { class: 22, name: "swap", what: "", method: "/proc/swaps", inside: &[], look: swap, clear: None },
    Gate {
        class: 22,
        name: "hibernation",
        what: "",
        method: "/sys/power/state",
        inside: &[],
        look: hibernation,
        clear: None,
    },
    Gate {
        class: 23,
        name: "freed memory",
        what: "",
        method: "/proc/cmdline",
        inside: &[],
        look: freed,
        clear: None,
    },
];

fn swap(ground: &Ground) -> Look {
    told(ground, "swap", setting::swap(Path::new("/")))
}

fn hibernation(ground: &Ground) -> Look {
    told(ground, "hibernation", setting::hibernation(Path::new("/")))
}

/// Whether the kernel overwrites memory when it is freed.
fn freed(ground: &Ground) -> Look {
    told(ground, "init-on-free", setting::freed(Path::new("/")))
}

fn told(ground: &Ground, name: &str, found: io::Result<Setting>) -> Look {
    match found {
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
        Ok(found) => Look::setting(ground, name, found.kept, found.saw),
    }
}
