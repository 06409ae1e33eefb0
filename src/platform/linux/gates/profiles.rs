//! Class 12: the session's own file systems, which hold its profiles and its whole home.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{Gate, Ground, Look, Trace};

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 12,
    name: "profiles and mounts",
    what: "file systems of the session",
    method: "st_dev of mounts and open files",
    inside: &["home files"],
    look,
    clear: None,
}];

/// Whether any process of this account still has one of the capsule's file systems mounted or a file
/// on one open. By device number, because an open file of a dead mount has no path.
fn look(ground: &Ground) -> Look {
    let devices = &ground.remains.devices;
    let mut left = Vec::new();
    let mut unreadable = 0;
    for process in &ground.scan().own {
        let pid = process.pid;
        match fs::read_to_string(format!("/proc/{pid}/mountinfo")) {
            Ok(text) if devices.iter().any(|device| text.contains(&mount_number(*device))) => {
                left.push(Trace::of(format!("mounted in process {pid}")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            // What hides itself and was there before the first session has nothing of it.
            Err(_) if ground.baseline.own.contains(&(pid, process.since)) => {}
            Err(_) => unreadable += 1,
        }
        let Ok(handles) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            // A process that is just ending has none; one that hides them is counted with the processes.
            continue;
        };
        for handle in handles.flatten() {
            if fs::metadata(handle.path()).is_ok_and(|data| devices.contains(&data.dev())) {
                left.push(Trace::of(format!("held open by process {pid}")));
            }
        }
    }
    if unreadable > 0 {
        return Look::Partly(left, format!("{unreadable} processes of this account could not be looked at"));
    }
    Look::These(left)
}

fn mount_number(device: u64) -> String {
    format!(" {}:{} ", rustix::fs::major(device), rustix::fs::minor(device))
}
