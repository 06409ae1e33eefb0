//! The gates: for each trace class, a look that can find it.
//!
//! A scan of /proc can convict but never acquit (containment.md §3.3): that processes are gone is
//! proved by the pidfd of the capsule's init, and the scans here are the second look. What stood on
//! the host before the station's first session (the baseline) is not a trace; everything of this
//! account that came since is.

mod files;
mod ipc;
mod kernel;
mod processes;

use std::time::Duration;

use super::clock::monotonic;
use crate::ports::{Answer, GateAnswer};

/// What a destroyed capsule would be known by.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// The inode of its PID namespace; 0 where there was no capsule.
    pub pid_namespace: u64,
    /// The device numbers of its file systems.
    pub devices: Vec<u64>,
    /// Whether the kernel proved its end.
    pub proved: bool,
    /// The socket of its nested display.
    pub display: Option<std::path::PathBuf>,
    /// The shell's directory for it.
    pub run_dir: std::path::PathBuf,
    /// The directory of its control group, where it had one.
    pub group: Option<std::path::PathBuf>,
}

/// What stood on the host before the first session.
pub struct Baseline {
    files: std::collections::BTreeSet<std::path::PathBuf>,
    ipc: std::collections::BTreeSet<String>,
    keys: std::collections::BTreeSet<String>,
    own: std::collections::BTreeSet<(i32, u64)>,
    processes: std::collections::BTreeSet<(i32, u64)>,
}

/// What a look says.
struct Saw {
    answer: Answer,
    saw: String,
    method: &'static str,
}

impl Baseline {
    /// Looks at the host as it is now.
    #[must_use]
    pub fn take() -> Self {
        Self {
            files: files::own().into_iter().collect(),
            ipc: ipc::own().unwrap_or_default().into_iter().collect(),
            keys: kernel::keys().unwrap_or_default().into_iter().collect(),
            own: processes::own_since().into_iter().collect(),
            processes: processes::nested().0.into_iter().map(|found| (found.pid, found.since)).collect(),
        }
    }
}

/// Asks every gate. A setting of the host that the policy requires, and that is not so, is present.
#[must_use]
pub fn look(remains: &Remains, baseline: &Baseline, require: &[String]) -> Vec<GateAnswer> {
    let gates: [(u8, &str, &dyn Fn() -> Saw); 13] = [
        (1, "processes", &|| processes::look(remains, baseline)),
        (1, "control group", &|| processes::control_group(remains)),
        (3, "D-Bus and its services", &|| processes::brokers(remains, baseline)),
        (5, "nested display", &|| files::display(remains)),
        (8, "keyring", &|| files::keyring(remains)),
        (9, "kernel keys", &|| kernel::look_keys(baseline)),
        (12, "profiles and mounts", &|| processes::mounts(remains)),
        (13, "temporary files", &|| files::look(baseline)),
        (13, "runtime directory", &|| files::runtime(remains)),
        (14, "System V IPC", &|| ipc::look(baseline)),
        (14, "message queues", &|| ipc::queues(baseline)),
        (15, "abstract sockets", &|| kernel::look_sockets(baseline)),
        (22, "swap", &|| kernel::swap(require.iter().any(|name| name == "swap"))),
    ];
    gates.iter().map(|(class, gate, look)| ask(*class, gate, look)).collect()
}

/// Whether the session's place on the screen is covered, once more and with the display server's own
/// answer: where it is silent, what it still shows is unknown.
pub fn cover(confirm: impl Fn() -> crate::ports::Result<()>) -> GateAnswer {
    let method = "the display server's answer";
    ask(5, "cover", &|| match confirm() {
        Ok(()) => Saw::absent("the session's place is unmapped", method),
        Err(error) => Saw::unknown(format!("failed to {error}"), method),
    })
}

fn ask(class: u8, gate: &str, look: &dyn Fn() -> Saw) -> GateAnswer {
    let began = monotonic();
    let saw = look();
    let took: Duration = monotonic().saturating_sub(began);
    GateAnswer {
        class,
        gate: gate.to_owned(),
        answer: saw.answer,
        saw: saw.saw,
        method: saw.method.to_owned(),
        took,
    }
}

/// Turns what a capsule's init counted before its end into answers: what there was to be destroyed.
#[must_use]
pub fn inside(counts: &[(String, u64)]) -> Vec<GateAnswer> {
    counts
        .iter()
        .map(|(name, count)| GateAnswer {
            class: match name.as_str() {
                "processes" => 1,
                "keyring items" => 8,
                "kernel keys" => 9,
                "home files" => 12,
                "sysv shm" | "sysv sem" | "sysv msg" => 14,
                "abstract sockets" => 15,
                _ => 13,
            },
            gate: name.clone(),
            answer: if *count == 0 { Answer::Absent } else { Answer::Present },
            saw: count.to_string(),
            method: "inside the capsule".to_owned(),
            took: Duration::ZERO,
        })
        .collect()
}

impl Saw {
    fn absent(saw: impl Into<String>, method: &'static str) -> Self {
        Self { answer: Answer::Absent, saw: saw.into(), method }
    }

    fn unknown(saw: impl Into<String>, method: &'static str) -> Self {
        Self { answer: Answer::Unknown, saw: saw.into(), method }
    }

    /// Nothing is absent, something is present: counted and, where it helps to find it, named.
    fn of(found: &[String], what: &str, method: &'static str) -> Self {
        match found.split_first() {
            None => Self::absent(format!("no {what}"), method),
            Some((first, [])) => Self { answer: Answer::Present, saw: format!("1 {what}: {first}"), method },
            Some((first, more)) => {
                let saw = format!("{} {what}: {first} and {} more", found.len(), more.len());
                Self { answer: Answer::Present, saw, method }
            }
        }
    }
}

/// The account that the station runs as.
fn account() -> u32 {
    rustix::process::getuid().as_raw()
}
