//! Processes of a session, and what they would still hold: the capsule's PID namespace, its brokers,
//! its file systems.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{Baseline, Remains, Saw, account};
use crate::platform::linux::cgroup;
use crate::ports::Answer;

/// A process of this account in a PID namespace that is not the shell's.
pub(super) struct Found {
    pub(super) pid: i32,
    pub(super) since: u64,
    pub(super) namespace: u64,
    pub(super) name: String,
}

/// The kernel's proof first; then no process in the capsule's namespace, or in any nested one.
pub(super) fn look(remains: &Remains, baseline: &Baseline) -> Saw {
    let (found, unreadable) = nested();
    let left: Vec<_> = found
        .iter()
        .filter(|found| {
            found.namespace == remains.pid_namespace
                || !baseline.processes.contains(&(found.pid, found.since))
        })
        .map(|found| format!("{} ({})", found.name, found.pid))
        .collect();
    let method = "init pidfd, then /proc";
    if !left.is_empty() {
        Saw::of(&left, "processes", method)
    } else if remains.pid_namespace != 0 && !remains.proved {
        Saw::unknown("the kernel has not proved the capsule's end", method)
    } else if unreadable > 0 {
        Saw::unknown(format!("{unreadable} processes of this account could not be looked at"), method)
    } else {
        Saw::absent("no processes", method)
    }
}

/// A delegated cgroup would be a second proof. This release makes none for its capsules.
pub(super) fn control_group(remains: &Remains) -> Saw {
    let method = "cgroup.events";
    let Some(group) = &remains.group else {
        return Saw {
            answer: Answer::NotApplicable,
            saw: "the capsule has no control group of its own; its end is proved by its init".to_owned(),
            method: "by construction",
        };
    };
    match cgroup::empty(group) {
        Ok(true) => Saw::absent("the capsule's control group is empty", method),
        Ok(false) => Saw {
            answer: Answer::Present,
            saw: "the capsule's control group has processes".to_owned(),
            method,
        },
        Err(error) => Saw::unknown(format!("it could not be read: {error}"), method),
    }
}

/// The bus and the keyring daemon live in the capsule's namespace: by name, in any nested one.
pub(super) fn brokers(_: &Remains, baseline: &Baseline) -> Saw {
    let (found, _) = nested();
    let left: Vec<_> = found
        .iter()
        .filter(|found| !baseline.processes.contains(&(found.pid, found.since)))
        .filter(|found| matches!(found.name.as_str(), "dbus-daemon" | "gnome-keyring-d"))
        .map(|found| format!("{} ({})", found.name, found.pid))
        .collect();
    Saw::of(&left, "brokers", "/proc")
}

/// Whether any process of this account still has one of the capsule's file systems mounted or a file
/// on one open. By device number, because an open file of a dead mount has no path.
pub(super) fn mounts(remains: &Remains) -> Saw {
    let mut left = Vec::new();
    let mut unreadable = 0;
    for pid in own() {
        match fs::read_to_string(format!("/proc/{pid}/mountinfo")) {
            Ok(text) if remains.devices.iter().any(|device| text.contains(&mount_number(*device))) => {
                left.push(format!("mounted in process {pid}"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => unreadable += 1,
        }
        let Ok(handles) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            // A process that is just ending has none; one that hides them is counted with the processes.
            continue;
        };
        for handle in handles.flatten() {
            if fs::metadata(handle.path()).is_ok_and(|data| remains.devices.contains(&data.dev())) {
                left.push(format!("held open by process {pid}"));
            }
        }
    }
    let method = "st_dev of mounts and open files";
    if left.is_empty() && unreadable > 0 {
        return Saw::unknown(
            format!("{unreadable} processes of this account could not be looked at"),
            method,
        );
    }
    Saw::of(&left, "file systems of the session", method)
}

fn mount_number(device: u64) -> String {
    format!(" {}:{} ", rustix::fs::major(device), rustix::fs::minor(device))
}

/// The processes of this account that are not in the shell's own PID namespace, and how many of this
/// account could not be looked at.
pub(super) fn nested() -> (Vec<Found>, usize) {
    let ours = fs::metadata("/proc/self/ns/pid").map_or(0, |data| data.ino());
    let mut found = Vec::new();
    let mut unreadable = 0;
    for pid in own() {
        let namespace = match fs::metadata(format!("/proc/{pid}/ns/pid")) {
            Ok(data) => data.ino(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            // Non-dumpable: its depth still stands in its status, which everybody may read.
            Err(_) => match depth(pid) {
                Some(1) | None => continue,
                Some(_) => {
                    unreadable += 1;
                    continue;
                }
            },
        };
        if namespace != ours {
            found.push(Found { pid, since: since(pid), namespace, name: name(pid) });
        }
    }
    (found, unreadable)
}

/// Every process of this account, with when it began.
pub(super) fn own_since() -> Vec<(i32, u64)> {
    own().into_iter().map(|pid| (pid, since(pid))).collect()
}

/// The inodes of sockets that processes of this account hold, but for the shell itself and what ran
/// before it.
pub(super) fn held_sockets(baseline: &Baseline) -> BTreeSet<u64> {
    let ours = i32::try_from(std::process::id()).unwrap_or(0);
    let others = own_since().into_iter().filter(|found| found.0 != ours && !baseline.own.contains(found));
    let handles =
        others.flat_map(|(pid, _)| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten());
    handles
        .filter_map(|handle| {
            let target = fs::read_link(handle.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// The live processes of this account; a zombie holds nothing.
fn own() -> Vec<i32> {
    let mark = format!("Uid:\t{}\t", account());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.contains(&mark) && !status.contains("State:\tZ") && !status.contains("State:\tX")
        })
        .collect()
}

fn depth(pid: i32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    Some(numbers.split_whitespace().count())
}

fn since(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

fn name(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().chars().filter(|letter| !letter.is_control()).collect()
}
