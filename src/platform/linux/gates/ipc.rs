//! Class 14: System V memory, semaphores and queues, and POSIX message queues.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::{Gate, Ground, Look, Trace, account};

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 14,
        name: "System V IPC",
        what: "objects",
        method: "/proc/sysvipc",
        inside: &["sysv shm", "sysv sem", "sysv msg"],
        look: system_v,
        clear: Some(clear),
    },
    Gate {
        class: 14,
        name: "message queues",
        what: "queues",
        method: "/dev/mqueue",
        inside: &[],
        look: queues,
        clear: Some(clear_queues),
    },
];

/// Where the host shows its message queues.
const QUEUES: &str = "/dev/mqueue";

fn system_v(_: &Ground) -> Look {
    match objects() {
        Err(error) => Look::unknown(format!("the tables could not be read: {error}")),
        Ok(found) => Look::These(found),
    }
}

/// Each System V object of this account, by kind and id, but for those that the shell itself has made
/// (the software renderer shares memory with the display).
fn objects() -> io::Result<Vec<Trace>> {
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
                found.push(Trace::of(format!("{kind} {}", row.get(1).copied().unwrap_or_default())));
            }
        }
    }
    Ok(found)
}

/// Objects of this account that came since the baseline are a session's: they are taken away.
#[expect(unsafe_code, reason = "no crate in use wraps the removal of System V objects")]
fn clear(_: &Ground, traces: &[Trace]) {
    for trace in traces {
        let Some((kind, id)) = trace.key.split_once(' ') else { continue };
        let Ok(id) = id.parse() else { continue };
        // SAFETY: IPC_RMID takes an id and no memory of ours.
        let _ = unsafe {
            match kind {
                "shm" => libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()),
                "sem" => libc::semctl(id, 0, libc::IPC_RMID),
                _ => libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()),
            }
        };
    }
}

/// POSIX message queues, where the host shows them; elsewhere the capsule's own namespace tells.
fn queues(ground: &Ground) -> Look {
    match fs::read_dir(QUEUES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => apart(ground),
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
        Ok(entries) => {
            let own =
                entries.flatten().filter(|entry| entry.metadata().is_ok_and(|data| data.uid() == account()));
            Look::These(
                own.map(|entry| Trace::of(entry.file_name().to_string_lossy().into_owned())).collect(),
            )
        }
    }
}

/// The host shows no queues: a session has not reached its, if its IPC namespace was another.
fn apart(ground: &Ground) -> Look {
    let own = fs::metadata("/proc/self/ns/ipc").map(|data| data.ino());
    match (ground.remains.ipc_namespace, own) {
        (0, Ok(_)) if !ground.had_capsule() => {
            Look::absent("no session has been there: a capsule has queues of its own", "by construction")
        }
        (inside, Ok(own)) if inside != 0 && inside != own => {
            Look::absent("unreachable: the session had queues of its own", "another IPC namespace")
        }
        (_, _) => Look::unknown("the host does not show its queues, and the session's were not told apart"),
    }
}

fn clear_queues(_: &Ground, traces: &[Trace]) {
    for trace in traces {
        let _ = fs::remove_file(std::path::Path::new(QUEUES).join(&trace.key));
    }
}
