//! Files that a session could have left: in the places where everybody may write, and in the shell's
//! own runtime directory.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Baseline, Remains, Saw, account};

/// Where every account may write.
const PLACES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// How deep new directories are walked; deeper ones are already named by the one that holds them.
const DEPTH: usize = 4;

/// Files of this account in the shared places that were not there before the first session.
pub(super) fn look(baseline: &Baseline) -> Saw {
    let left: Vec<_> = own()
        .into_iter()
        .filter(|path| {
            !baseline.files.contains(path) && !baseline.files.iter().any(|old| path.starts_with(old))
        })
        .map(|path| path.display().to_string())
        .collect();
    Saw::of(&left, "files", "/tmp, /var/tmp, /dev/shm")
}

/// Every file of this account in the shared places.
pub(super) fn own() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in PLACES {
        walk(Path::new(place), DEPTH, &mut found);
    }
    found
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

/// The nested display's socket, and that nothing answers there.
pub(super) fn display(remains: &Remains) -> Saw {
    let left: Vec<_> = remains
        .display
        .iter()
        .filter(|socket| socket.exists())
        .map(|socket| socket.display().to_string())
        .collect();
    Saw::of(&left, "display sockets", "pidfd of Xephyr, then its socket")
}

/// The keyring's files would lie in the capsule's own memory; on the host, in the account's own home.
pub(super) fn keyring(remains: &Remains) -> Saw {
    let mut left = Vec::new();
    for name in ["keyring", "keyrings", "bus"] {
        let path = remains.run_dir.join(name);
        if path.exists() {
            left.push(path.display().to_string());
        }
    }
    Saw::of(&left, "keyring files", "runtime directory; the daemon died with the capsule")
}

/// What is left in the shell's directory for the session: only what the shell itself writes there.
pub(super) fn runtime(remains: &Remains) -> Saw {
    let known = [
        "bus.conf",
        "capsule",
        "group",
        "hostname",
        "hosts",
        "machine-id",
        "passwd",
        "resolv.conf",
        "window-manager",
        "x11",
    ];
    let mut left = Vec::new();
    for place in [remains.run_dir.clone(), remains.run_dir.join("capsule")] {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            if !known.iter().any(|name| entry.file_name() == *name) {
                left.push(entry.path().display().to_string());
            }
        }
    }
    Saw::of(&left, "files", "the shell's runtime directory")
}
