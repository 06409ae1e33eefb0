//! Class 20: core dumps and crash reports, which hold what a program knew.

use std::fs;
use std::io;
use std::path::Path;

use super::{Gate, Ground, Look, Trace, account};
use crate::platform::linux::setting;

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 20,
        name: "core dumps",
        what: "core dumps",
        method: "/var/lib/systemd/coredump, /var/crash, /var/spool/abrt",
        inside: &["core dumps"],
        look: dumps,
        clear: None,
    },
    Gate {
        class: 20,
        name: "core pattern",
        what: "",
        method: "/proc/sys/kernel/core_pattern",
        inside: &[],
        look: pattern,
        clear: None,
    },
];

/// Where hosts collect core dumps.
const PLACES: [&str; 3] = ["/var/lib/systemd/coredump", "/var/crash", "/var/spool/abrt"];

fn dumps(ground: &Ground) -> Look {
    let mark = format!(".{}.", account());
    let mut found = Vec::new();
    let mut shut = false;
    for place in PLACES.map(Path::new).into_iter().filter(|place| place.exists()) {
        match fs::read_dir(place) {
            // Names hold the account: core.PROGRAM.UID.BOOT.PID.TIME, _usr_bin_program.UID.crash.
            Ok(entries) => found.extend(
                entries
                    .flatten()
                    .filter(|entry| entry.file_name().to_string_lossy().contains(&mark))
                    .map(|entry| Trace::of(entry.path().display().to_string())),
            ),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => shut = true,
            Err(error) => return Look::unknown(format!("{} could not be read: {error}", place.display())),
        }
    }
    if !shut || !found.is_empty() {
        return Look::These(found);
    }
    ground.counted(20, "core dumps", |counts| counts.cores)
}

/// Where a core would go if a program could leave one. A session's may not: its limit is 1 byte, which
/// also stops a pattern that is a pipe.
fn pattern(ground: &Ground) -> Look {
    match setting::core_pattern(Path::new("/")) {
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
        Ok(found) => {
            Look::setting(ground, "core-pattern", found.kept, format!("{}; sessions leave none", found.saw))
        }
    }
}
