//! System V memory, semaphores and queues, and POSIX message queues.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::{Baseline, Saw, account};
use crate::ports::Answer;

/// System V objects of this account that were not there before the first session, and that the shell
/// itself has not made (the software renderer shares memory with the display).
pub(super) fn look(baseline: &Baseline) -> Saw {
    let method = "/proc/sysvipc";
    match own() {
        Err(error) => Saw::unknown(format!("the tables could not be read: {error}"), method),
        Ok(found) => {
            let left: Vec<_> = found.into_iter().filter(|object| !baseline.ipc.contains(object)).collect();
            Saw::of(&left, "objects", method)
        }
    }
}

/// Each System V object of this account, by kind and id.
pub(super) fn own() -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let ours = std::process::id().to_string();
    for kind in ["shm", "sem", "msg"] {
        let table = fs::read_to_string(format!("/proc/sysvipc/{kind}"))?;
        let mut lines = table.lines();
        let heading: Vec<_> = lines.next().unwrap_or_default().split_whitespace().collect();
        let column = |name: &str| heading.iter().position(|heading| *heading == name);
        for line in lines {
            let row: Vec<_> = line.split_whitespace().collect();
            let value =
                |name: &str| column(name).and_then(|place| row.get(place)).copied().unwrap_or_default();
            if value("uid") == account().to_string() && value("cpid") != ours {
                found.push(format!("{kind} {}", row.get(1).copied().unwrap_or_default()));
            }
        }
    }
    Ok(found)
}

/// POSIX message queues, where the host shows them.
pub(super) fn queues(_: &Baseline) -> Saw {
    let method = "/dev/mqueue";
    match fs::read_dir(method) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Saw {
            answer: Answer::NotApplicable,
            saw: "the host has no /dev/mqueue; the capsule has an IPC namespace of its own".to_owned(),
            method,
        },
        Err(error) => Saw::unknown(format!("it could not be read: {error}"), method),
        Ok(entries) => {
            let left: Vec<_> = entries
                .flatten()
                .filter(|entry| entry.metadata().is_ok_and(|data| data.uid() == account()))
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            Saw::of(&left, "queues", method)
        }
    }
}
