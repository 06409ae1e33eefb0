//! Class 18: media that were mounted for a session.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Gate, Ground, Look, Trace, account};
use crate::platform::linux::{host, spawn};

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 18,
    name: "mounted media",
    what: "mounted media",
    method: "/proc/self/mountinfo",
    inside: &[],
    look,
    clear: Some(clear),
}];

/// Where media are mounted for an account, each below its name.
const PLACES: [&str; 2] = ["/media", "/run/media"];

/// What is mounted for this account: below its name, by itself (FUSE), or with a root that is its own.
/// What is mounted for others a session has no way to.
fn look(_: &Ground) -> Look {
    let by_us = format!("user_id={}", account());
    let name = host::account_name();
    let table = match fs::read_to_string("/proc/self/mountinfo") {
        Err(error) => return Look::unknown(format!("it could not be read: {error}")),
        Ok(table) => table,
    };
    let ours = table.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ');
        let (device, place) = (fields.nth(2)?, fields.nth(1)?);
        let fuse = after.starts_with("fuse") && after.split([' ', ',']).any(|word| word == by_us);
        let media = PLACES.iter().any(|start| Path::new(place).starts_with(start));
        let named = name.as_ref().is_some_and(|name| {
            PLACES.iter().any(|start| Path::new(place).starts_with(Path::new(start).join(name)))
        });
        // Asked only of media: a file system of another machine might not answer.
        let owned = media && fs::metadata(place).is_ok_and(|data| data.uid() == account());
        (fuse || named || owned).then(|| Trace::shown(format!("{place} {device}"), place))
    });
    Look::These(ours.collect())
}

/// Unmounts what an ordinary account may.
fn clear(_: &Ground, traces: &[Trace]) {
    for trace in traces {
        spawn::run(&["/usr/bin/fusermount3", "-u", "-z", &trace.shown]);
        spawn::run(&["/usr/bin/umount", &trace.shown]);
    }
}
