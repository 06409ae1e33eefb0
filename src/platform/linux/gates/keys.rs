//! Class 9: keys that the kernel keeps for the account.

use std::fs;
use std::io;
use std::time::Duration;

use super::{Gate, Ground, Look, Trace};

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 9,
    name: "kernel keys",
    what: "keys",
    method: "/proc/keys",
    inside: &["kernel keys"],
    look,
    clear: Some(clear),
}];

/// How many times the kernel is given 10 ms to free keys that nobody holds.
const COLLECTION: u32 = 50;

fn look(ground: &Ground) -> Look {
    let old = ground.baseline.traces.get("kernel keys");
    // The kernel frees keys that nobody holds any more in the background: it is given a moment.
    for _ in 0..if ground.baseline.traces.is_empty() { 0 } else { COLLECTION } {
        let new = |key: &Trace| old.is_none_or(|old| !old.contains(&key.key));
        if keys().is_ok_and(|found| !found.iter().any(new)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    match keys() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Look::not_here("this kernel has no keys"),
        Err(error) => Look::unknown(format!("it could not be read: {error}")),
        Ok(found) => Look::These(found),
    }
}

/// All keys with content (not the rings that hold them), by their serial numbers. What is revoked has
/// no content any more and waits to be freed.
fn keys() -> io::Result<Vec<Trace>> {
    let table = fs::read_to_string("/proc/keys")?;
    let with_content = table.lines().filter(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let gone = fields.next().is_some_and(|flags| flags.contains('R') || flags.contains('D'));
        !gone && fields.nth(5).is_some_and(|kind| matches!(kind, "user" | "logon" | "big_key"))
    });
    Ok(with_content.filter_map(|line| line.split_whitespace().next().map(Trace::of)).collect())
}

/// Takes each key off the account's ring and has the kernel free it now: one that is only revoked
/// stands in the table, with its description, for minutes.
#[expect(unsafe_code, reason = "no crate in use wraps keyctl's operations")]
fn clear(_: &Ground, traces: &[Trace]) {
    const UNLINK: libc::c_long = 9;
    const INVALIDATE: libc::c_long = 21;
    const USER_KEYRING: libc::c_long = -4;
    for trace in traces {
        let Ok(serial) = u32::from_str_radix(&trace.key, 16) else { continue };
        let serial = libc::c_ulong::from(serial);
        // SAFETY: both operations take numbers and no memory of ours.
        let _ = unsafe {
            (
                libc::syscall(libc::SYS_keyctl, INVALIDATE, serial, 0, 0, 0),
                libc::syscall(libc::SYS_keyctl, UNLINK, serial, USER_KEYRING, 0, 0),
            )
        };
    }
}
