//! Classes 22 and 23: memory on the disk, and memory that was freed. Only settings of the host can
//! answer here: they are told as found, never as absent, and bar the station only where the policy
//! requires them.

use std::fs;

use super::{Gate, Ground, Look};

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
    match fs::read_to_string("/proc/swaps") {
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
        Ok(table) => match table.lines().count().saturating_sub(1) {
            0 => Look::setting(ground, "swap", true, "the host has no swap"),
            areas => {
                let zram = table.lines().skip(1).all(|line| line.starts_with("/dev/zram"));
                let saw =
                    format!("the host swaps to {areas} {}", if zram { "areas of memory" } else { "areas" });
                Look::setting(ground, "swap", zram, saw)
            }
        },
    }
}

fn hibernation(ground: &Ground) -> Look {
    let (state, disk) = (fs::read_to_string("/sys/power/state"), fs::read_to_string("/sys/power/disk"));
    match state {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Look::setting(ground, "hibernation", true, "this kernel cannot suspend")
        }
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
        Ok(states) => {
            let can = states.split_whitespace().any(|state| state == "disk")
                && !disk.unwrap_or_default().contains("[disabled]");
            let saw = if can { "the host can hibernate to its disk" } else { "the host cannot hibernate" };
            Look::setting(ground, "hibernation", !can, saw)
        }
    }
}

/// Whether the kernel overwrites memory when it is freed.
fn freed(ground: &Ground) -> Look {
    match fs::read_to_string("/proc/cmdline") {
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
        Ok(line) => {
            // The last one counts, as for the kernel.
            let on = line.split_whitespace().rfind(|word| word.starts_with("init_on_free="));
            let on = on.is_some_and(|word| matches!(word, "init_on_free=1" | "init_on_free=on"));
            let saw = if on {
                "the kernel overwrites memory when it is freed (init_on_free)"
            } else {
                "the kernel was not told to overwrite memory when it is freed (init_on_free)"
            };
            Look::setting(ground, "init-on-free", on, saw)
        }
    }
}
