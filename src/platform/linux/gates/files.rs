//! Classes 13 and 27: files that a session could have left in the places where everybody may write,
//! and in the runtime directories; programs and files among them that were made to be another's.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Gate, Ground, Look, Trace, account, host_runtime};
use crate::platform::linux::{clock, host};

pub(super) const GATES: [Gate; 4] = [
    Gate {
        class: 13,
        name: "temporary files",
        what: "files",
        method: "/tmp, /var/tmp, /dev/shm",
        inside: &["tmp files", "var-tmp files", "shm files"],
        look: temporary,
        clear: None,
    },
    Gate {
        class: 13,
        name: "runtime directory",
        what: "files",
        method: "the shell's runtime directory",
        inside: &["runtime files"],
        look: runtime,
        clear: None,
    },
    Gate {
        class: 13,
        name: "the account's runtime directory",
        what: "files",
        method: "/run/user",
        inside: &[],
        look: of_account,
        clear: None,
    },
    Gate {
        class: 27,
        name: "files for other accounts",
        what: "files",
        method: "modes and access lists in /tmp, /var/tmp, /dev/shm and shared directories",
        inside: &["files for others"],
        look: for_others,
        clear: None,
    },
];

/// Where every account may write.
const PLACES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// How deep new directories are walked; deeper ones are already named by the one that holds them.
const DEPTH: usize = 4;
/// The bits of a program that runs as its owner or group.
const BORROWED: u32 = 0o6000;
/// The name under which Linux keeps a file's access list.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Files of this account in the shared places.
fn temporary(_: &Ground) -> Look {
    let mut traces = Vec::new();
    for place in PLACES.map(Path::new) {
        let mut found = Vec::new();
        walk(place, DEPTH, &mut found);
        traces.extend(found.iter().map(|path| Trace::file(place, path, "")));
    }
    Look::These(traces)
}

fn walk(place: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let Ok(data) = entry.metadata() else { continue };
        if data.uid() == account() {
            found.push(entry.path());
        } else if data.is_dir() && depth > 0 {
            walk(&entry.path(), depth - 1, found);
        }
    }
}

/// What is left in the shell's directory for the session: only what the shell itself writes there.
fn runtime(ground: &Ground) -> Look {
    let known = [
        "bus.conf",
        "capsule",
        "group",
        "hostname",
        "hosts",
        "browser-chromium",
        "browser-firefox",
        "browser-firefox-defaults",
        "machine-id",
        "passwd",
        "resolv.conf",
        "window-manager",
        "x11",
    ];
    let mut left = Vec::new();
    for place in [ground.remains.run_dir.clone(), ground.remains.run_dir.join("capsule")] {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !known.iter().any(|known| name == *known) {
                left.push(Trace::file(&place, &entry.path(), ""));
            }
        }
    }
    Look::These(left)
}

/// What has come into the directory that the host keeps for the account since the first app started.
fn of_account(ground: &Ground) -> Look {
    let place = host_runtime();
    if !place.exists() {
        return Look::not_here("the host keeps no runtime directory for the account");
    }
    if host::shared_account() {
        return ground.by_reach(13);
    }
    let Some(first) = ground.remains.first_app.and_then(clock::wall_of) else {
        return Look::These(Vec::new());
    };
    let entries = match fs::read_dir(&place) {
        Ok(entries) => entries.flatten(),
        Err(error) => return Look::unknown(format!("it could not be read: {error}")),
    };
    let since = |data: &fs::Metadata| {
        let seconds = u64::try_from(data.ctime()).unwrap_or(0);
        Duration::new(seconds, u32::try_from(data.ctime_nsec()).unwrap_or(0)) >= first
    };
    // A directory's time moves with what the shell itself does in its own.
    let new = entries.filter(|entry| entry.metadata().is_ok_and(|data| !data.is_dir() && since(&data)));
    Look::These(new.map(|entry| Trace::file(&place, &entry.path(), "")).collect())
}

/// Files of this account that run as another, or that name another in an access list: everywhere where
/// it may write and others look.
fn for_others(ground: &Ground) -> Look {
    let mut found = Vec::new();
    for place in PLACES.iter().map(Path::new).chain(ground.shared.iter().map(PathBuf::as_path)) {
        odd(place, place, DEPTH, &mut found);
    }
    Look::These(found)
}

fn odd(place: &Path, dir: &Path, depth: usize, found: &mut Vec<Trace>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(data) = entry.metadata() else { continue };
        let path = entry.path();
        if data.is_dir() {
            if depth > 0 {
                odd(place, &path, depth - 1, found);
            }
        } else if data.is_file() && data.uid() == account() {
            let mut list = [0; 4];
            // A list that does not fit is there all the same.
            let listed = match rustix::fs::lgetxattr(&path, ACCESS_LIST, &mut list) {
                Ok(_) | Err(rustix::io::Errno::RANGE) => true,
                Err(_) => false,
            };
            if data.mode() & BORROWED != 0 || listed {
                found.push(Trace::file(place, &path, &format!("{} {}", data.ino(), data.ctime())));
            }
        }
    }
}
