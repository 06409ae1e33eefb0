//! The processes of this account, read once for all gates of a look.

use std::fs;

use super::{Ground, account};

/// Ticks of a second in what the kernel tells programs (USER_HZ): fixed on every architecture in use.
const TICKS: u64 = 100;

/// A process of this account.
pub(super) struct Process {
    pub(super) pid: i32,
    /// When it began, in clock ticks since boot: with the pid, its name for ever.
    pub(super) since: u64,
    pub(super) name: String,
    /// Whether it is in a PID namespace below ours; read from its status, which nobody can hide.
    pub(super) nested: bool,
    parent: i32,
}

/// All live processes of this account; a zombie holds nothing.
pub(super) struct Scan {
    pub(super) own: Vec<Process>,
}

impl Scan {
    pub(super) fn take() -> Self {
        let uid = account().to_string();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self { own: pids.filter_map(|pid| read(pid, &uid)).collect() }
    }

    /// Whether this process was started by us, and still hangs on us.
    fn ours(&self, process: &Process) -> bool {
        let us = i32::try_from(std::process::id()).unwrap_or(0);
        let mut pid = process.pid;
        for _ in 0..64 {
            if pid == us {
                return true;
            }
            match self.own.iter().find(|process| process.pid == pid) {
                Some(process) => pid = process.parent,
                None => return false,
            }
        }
        false
    }
}

fn read(pid: i32, uid: &str) -> Option<Process> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    };
    let state = field("State");
    if field("Uid").split_whitespace().next() != Some(uid) || state.starts_with('Z') || state.starts_with('X')
    {
        return None;
    }
    Some(Process {
        pid,
        since: since(pid),
        name: field("Name").chars().filter(|letter| !letter.is_control()).collect(),
        nested: field("NSpid").split_whitespace().count() > 1,
        parent: field("PPid").parse().unwrap_or(0),
    })
}

fn since(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

impl Ground {
    /// The processes of this account that could be a session's: all in nested namespaces, and those of
    /// ours that came after the first app was started and that we have not started ourselves.
    ///
    /// On an account that a person signs in to, her own programs come and go beside the station; there
    /// only a program that carries the session's environment counts among those in our namespace.
    pub(super) fn suspects<'a>(&self, scan: &'a Scan) -> Vec<&'a Process> {
        let first = self.remains.first_app.map(ticks);
        let shared = crate::platform::linux::host::shared_account();
        let suspect = |process: &&Process| {
            !self.baseline.own.contains(&(process.pid, process.since))
                && (process.nested
                    || first.is_some_and(|first| process.since >= first)
                        && !scan.ours(process)
                        && (!shared || has_session(process.pid)))
        };
        scan.own.iter().filter(suspect).collect()
    }
}

/// Whether a program has the environment of a session.
fn has_session(pid: i32) -> bool {
    let mark = format!("HOME={}", crate::platform::linux::root::HOME);
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|part| part == mark.as_bytes())
}

/// A time since boot in the unit in which the kernel tells when a process began.
fn ticks(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).saturating_mul(TICKS) / 1000
}
