//! What the kernel itself keeps: keys, abstract sockets, swap.

use std::fs;
use std::io;
use std::time::Duration;

use super::{Baseline, Saw, processes};
use crate::ports::Answer;

/// How many times the kernel is given 10 ms to free keys that nobody holds.
const COLLECTION: u32 = 50;

/// Keys with content that this account may see and that were not there before the first session.
pub(super) fn look_keys(baseline: &Baseline) -> Saw {
    let method = "/proc/keys";
    // The kernel frees keys that nobody holds any more in the background: it is given a moment.
    for _ in 0..COLLECTION {
        if keys().is_ok_and(|found| found.iter().all(|key| baseline.keys.contains(key))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    match keys() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Saw { answer: Answer::NotApplicable, saw: "this kernel has no keys".to_owned(), method }
        }
        Err(error) => Saw::unknown(format!("it could not be read: {error}"), method),
        Ok(found) => {
            let left: Vec<_> = found.into_iter().filter(|key| !baseline.keys.contains(key)).collect();
            Saw::of(&left, "keys", method)
        }
    }
}

/// The serial numbers of all keys with content (not the rings that hold them).
pub(super) fn keys() -> io::Result<Vec<String>> {
    let table = fs::read_to_string("/proc/keys")?;
    Ok(table
        .lines()
        .filter(|line| {
            line.split_whitespace().nth(7).is_some_and(|kind| matches!(kind, "user" | "logon" | "big_key"))
        })
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect())
}

/// Abstract sockets that a process of this account holds and that were not there before the first
/// session. The shell's own are no trace, nor are those of other accounts: a session cannot make one.
pub(super) fn look_sockets(baseline: &Baseline) -> Saw {
    let method = "/proc/net/unix and who holds it";
    let table = match fs::read_to_string("/proc/net/unix") {
        Err(error) => return Saw::unknown(format!("it could not be read: {error}"), method),
        Ok(table) => table,
    };
    let held = processes::held_sockets(baseline);
    let left: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let (facts, name) = line.split_once(" @")?;
            let inode: u64 = facts.split_whitespace().nth(6)?.parse().ok()?;
            held.contains(&inode)
                .then(|| name.chars().filter(|letter| !letter.is_control()).take(60).collect())
        })
        .collect();
    Saw::of(&left, "abstract sockets", method)
}

/// Where the host swaps, parts of a session's memory may lie on the disk: a setting, as found, and a
/// trace where the policy requires that there is none.
pub(super) fn swap(required: bool) -> Saw {
    let method = "/proc/swaps";
    match fs::read_to_string(method) {
        Err(error) => Saw::unknown(format!("it could not be read: {error}"), method),
        Ok(table) => {
            let areas = table.lines().count().saturating_sub(1);
            let saw = if areas == 0 {
                "the host has no swap".to_owned()
            } else {
                format!("the host swaps to {areas} areas")
            };
            let answer = if required && areas > 0 { Answer::Present } else { Answer::Setting };
            Saw { answer, saw, method }
        }
    }
}
