//! Classes 15 and 25: sockets that would still answer, tunnels, and file systems over the network.

use std::collections::BTreeSet;
use std::fs;

use super::{Gate, Ground, Look, Trace, account};

pub(super) const GATES: [Gate; 3] = [
    Gate {
        class: 15,
        name: "abstract sockets",
        what: "abstract sockets",
        method: "/proc/net/unix and who holds it",
        inside: &["abstract sockets"],
        look: abstract_sockets,
        clear: None,
    },
    Gate {
        class: 15,
        name: "listening ports",
        what: "ports",
        method: "/proc/net",
        inside: &["listening ports"],
        look: ports,
        clear: None,
    },
    Gate {
        class: 25,
        name: "network identity",
        what: "network file systems or tunnels",
        method: "mounts and network devices",
        inside: &[],
        look: identity,
        clear: None,
    },
];

/// File systems that carry somebody's sign-in to a server.
const REMOTE: [&str; 10] =
    ["9p", "afs", "ceph", "cifs", "fuse.davfs", "fuse.rclone", "fuse.sshfs", "nfs", "nfs4", "smb3"];

/// Abstract sockets that a process of this account holds. The shell's own are no trace, nor are those
/// of other accounts: a session cannot make one.
fn abstract_sockets(ground: &Ground) -> Look {
    let table = match fs::read_to_string("/proc/net/unix") {
        Err(error) => return Look::unknown(format!("it could not be read: {error}")),
        Ok(table) => table,
    };
    let held = held(ground);
    let named = table.lines().filter_map(|line| {
        let (facts, name) = line.split_once(" @")?;
        let inode: u64 = facts.split_whitespace().nth(6)?.parse().ok()?;
        let shown: String = name.chars().filter(|letter| !letter.is_control()).take(60).collect();
        held.contains(&inode).then(|| Trace::shown(inode.to_string(), shown))
    });
    Look::These(named.collect())
}

/// The inodes of sockets that processes of this account hold, but for the shell itself and what ran
/// before it.
fn held(ground: &Ground) -> BTreeSet<u64> {
    let ours = i32::try_from(std::process::id()).unwrap_or(0);
    let own = ground.scan().own.iter().filter(|process| {
        process.pid != ours && !ground.baseline.own.contains(&(process.pid, process.since))
    });
    own.flat_map(|process| sockets(&process.pid.to_string())).collect()
}

fn sockets(pid: &str) -> Vec<u64> {
    let handles = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inodes = handles.filter_map(|handle| {
        let target = fs::read_link(handle.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    });
    inodes.collect()
}

/// Ports of the host at which something of this account waits, but for the shell's own.
fn ports(_: &Ground) -> Look {
    let ours: BTreeSet<u64> = sockets("self").into_iter().collect();
    let mut found = Vec::new();
    for (kind, waits) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let table = match fs::read_to_string(format!("/proc/net/{kind}")) {
            Ok(table) => table,
            // A host without that protocol.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Look::unknown(format!("/proc/net/{kind} could not be read: {error}")),
        };
        for line in table.lines().skip(1) {
            let row: Vec<_> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, uid, _, inode, ..] = row[..] else { continue };
            let own = uid.parse() == Ok(account());
            if state == waits && own && !inode.parse().is_ok_and(|inode| ours.contains(&inode)) {
                let port = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
                let shown = format!("{kind} {}", port.unwrap_or(0));
                found.push(Trace::shown(format!("{kind} {local}"), shown));
            }
        }
    }
    Look::These(found)
}

/// File systems of other machines in this mount namespace, and tunnels that are this account's.
fn identity(_: &Ground) -> Look {
    let table = match fs::read_to_string("/proc/self/mountinfo") {
        Err(error) => return Look::unknown(format!("mounts could not be read: {error}")),
        Ok(table) => table,
    };
    let mut found: Vec<Trace> = table
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let kind = after.split(' ').next()?;
            let place = before.split(' ').nth(4)?;
            REMOTE.contains(&kind).then(|| Trace::of(format!("{kind} at {place}")))
        })
        .collect();
    for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let owner = fs::read_to_string(entry.path().join("owner")).unwrap_or_default();
        if owner.trim().parse() == Ok(account()) {
            found.push(Trace::of(format!("tunnel {}", entry.file_name().to_string_lossy())));
        }
    }
    Look::These(found)
}
