//! Settings of the host that decide what outlives a session in memory and on the disk: read, never
//! inferred. The gates tell them after every handoff, `cleanshiftctl doctor` before the first.

use std::fs;
use std::io;
use std::path::Path;

/// A setting as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Whether it is as a station wants it.
    pub kept: bool,
    /// What was seen: a lowercase fragment.
    pub saw: String,
}

fn found(kept: bool, saw: impl Into<String>) -> io::Result<Setting> {
    Ok(Setting { kept, saw: saw.into() })
}

/// Whether memory can reach the disk by swapping.
///
/// # Errors
/// Those of reading `/proc/swaps`.
pub fn swap(root: &Path) -> io::Result<Setting> {
    let table = fs::read_to_string(root.join("proc/swaps"))?;
    match table.lines().count().saturating_sub(1) {
        0 => found(true, "the host has no swap"),
        areas => {
            let zram = table.lines().skip(1).all(|line| line.starts_with("/dev/zram"));
            found(
                zram,
                format!("the host swaps to {areas} {}", if zram { "areas of memory" } else { "areas" }),
            )
        }
    }
}

/// Whether the kernel could write all memory to the disk.
///
/// # Errors
/// Those of reading `/sys/power/state`, but for its absence.
pub fn hibernation(root: &Path) -> io::Result<Setting> {
    let disk = fs::read_to_string(root.join("sys/power/disk"));
    let states = match fs::read_to_string(root.join("sys/power/state")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return found(true, "this kernel cannot suspend");
        }
        other => other?,
    };
    let can = states.split_whitespace().any(|state| state == "disk")
        && !disk.unwrap_or_default().contains("[disabled]");
    found(!can, if can { "the host can hibernate to its disk" } else { "the host cannot hibernate" })
}

/// Whether the kernel overwrites memory when it is freed.
///
/// # Errors
/// Those of reading `/proc/cmdline`.
pub fn freed(root: &Path) -> io::Result<Setting> {
    let line = fs::read_to_string(root.join("proc/cmdline"))?;
    // The last one counts, as for the kernel.
    let on = line.split_whitespace().rfind(|word| word.starts_with("init_on_free="));
    let on = on.is_some_and(|word| matches!(word, "init_on_free=1" | "init_on_free=on"));
    let saw = if on {
        "the kernel overwrites memory when it is freed (init_on_free)"
    } else {
        "the kernel was not told to overwrite memory when it is freed (init_on_free)"
    };
    found(on, saw)
}

/// Where a core would go if a program could leave one.
///
/// # Errors
/// Those of reading `/proc/sys/kernel/core_pattern`.
pub fn core_pattern(root: &Path) -> io::Result<Setting> {
    let pattern = fs::read_to_string(root.join("proc/sys/kernel/core_pattern"))?;
    let pattern = pattern.trim();
    let kept = !pattern.starts_with('|') && !pattern.starts_with('/');
    let where_to = if pattern.starts_with('|') {
        "cores go to a program of the host"
    } else if kept {
        "cores stay in the program's own directory"
    } else {
        "cores go to one directory of the host"
    };
    found(kept, format!("{where_to} (`{pattern}`)"))
}
