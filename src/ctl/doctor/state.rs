//! The station's own files: policy, state, pepper, the room on the disk, and the clock.

use std::io::ErrorKind;
use std::path::Path;

use super::host::{ACCOUNT, Host, owner};
use super::report::Requirement;
use crate::platform::linux::clock;
use crate::policy::Policy;

/// Less than this much room, in MiB, and no receipt may fit.
const LEAST_ROOM: u64 = 64;
/// Less than this much room, in MiB, and it does not last for long.
const MUCH_ROOM: u64 = 1024;
/// How far the clock may be off, in microseconds, where the kernel says that others set it.
const MOST_OFF: i64 = 1_000_000;

/// All of them, and the policy where it is good.
#[must_use]
pub fn all(host: &Host) -> (Vec<Requirement>, Option<Policy>) {
    let (policy, read) = policy(host);
    (vec![policy, state(host), pepper(host), room(host), time(host)], read)
}

fn policy(host: &Host) -> (Requirement, Option<Policy>) {
    let shown = host.shown(&host.policy);
    let asked = Requirement::of(
        "policy",
        "the policy",
        "it says who may do what here; without a good one the station does not open",
    );
    let (uid, mode) = match owner(&host.policy) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mend = format!(
                "cleanshiftctl kiosk enable --policy FILE   # samples: /usr/share/doc/cleanshift/\ncleanshiftctl policy check {shown}"
            );
            return (asked.bad(format!("there is no {shown}"), mend), None);
        }
        Err(error) => return (asked.unseen(format!("{shown}: {error}"), "sudo cleanshiftctl doctor"), None),
        Ok(found) => found,
    };
    let policy = match Policy::read(&host.policy) {
        Ok(policy) => policy,
        Err(problems) => {
            let first = problems.list.first();
            let at = first.and_then(|problem| problems.position(problem));
            let at = at.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
            let what = first.map_or(String::new(), |problem| format!("{} ({})", problem.what, problem.help));
            let more = match problems.list.len() {
                0 | 1 => String::new(),
                all => format!("; and {} more", all - 1),
            };
            let mend = format!("cleanshiftctl policy check {shown}");
            return (asked.bad(format!("{shown}{at}: {what}{more}"), mend), None);
        }
    };
    let found = if mode & 0o022 != 0 {
        asked.bad(
            format!("{shown} can be changed by others than its owner (mode {mode:04o})"),
            format!("chown root:root {shown} && chmod 644 {shown}"),
        )
    } else if uid != 0 && host.real && host.policy.starts_with("/etc") {
        asked.bad(
            format!("{shown} is not root's (account {uid}): a session of that account could change it"),
            format!("chown root:root {shown} && chmod 644 {shown}"),
        )
    } else if host.account.as_ref().is_some_and(|account| account.ids.0 != uid) && mode & 0o004 == 0 {
        asked.bad(
            format!("the account {ACCOUNT} may not read {shown} (mode {mode:04o})"),
            format!("chmod 644 {shown}"),
        )
    } else {
        asked.good(format!("{shown} holds, for {}", policy.station.name))
    };
    (found, Some(policy))
}

fn state(host: &Host) -> Requirement {
    let shown = host.shown(&host.state);
    let asked = Requirement::of(
        "state",
        "the station's state",
        "the roster, the log and the station's key: its account's alone, or receipts can be forged",
    );
    let mend = format!(
        "systemd-tmpfiles --create cleanshift.conf   # or: install -d -m 700 -o {ACCOUNT} -g {ACCOUNT} {shown}"
    );
    let (uid, mode) = match owner(&host.state) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return asked.bad(format!("there is no directory {shown}"), mend);
        }
        Err(error) => return asked.unseen(format!("{shown}: {error}"), "sudo cleanshiftctl doctor"),
        Ok(found) => found,
    };
    let wanted = host.account.as_ref().map(|account| account.ids.0);
    if mode & 0o077 != 0 {
        return asked
            .bad(format!("{shown} is open to others (mode {mode:04o})"), format!("chmod 700 {shown}"));
    }
    match wanted {
        None => asked.unseen(format!("{shown} is account {uid}'s; there is no account {ACCOUNT}"), mend),
        Some(wanted) if wanted != uid => asked.bad(
            format!("{shown} is account {uid}'s, and the station runs as {ACCOUNT} ({wanted})"),
            format!("chown -R {ACCOUNT}:{ACCOUNT} {shown}"),
        ),
        Some(_) => asked.good(format!("{shown}, mode {mode:04o}, {ACCOUNT}'s")),
    }
}

fn pepper(host: &Host) -> Requirement {
    let file = host.state.join("pepper");
    let shown = host.shown(&file);
    let asked = Requirement::of(
        "pepper",
        "the key that PINs are hashed with",
        "with it and the roster PINs can be tried out at leisure; without it every PIN must be reset",
    );
    match owner(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if std::fs::metadata(host.state.join("station.db")).is_ok() {
                // The kiosk's units give the account no session bus, and so no keyring.
                let of = owner(&host.state).ok().map(|(uid, _)| uid);
                let elsewhere = if host.account.as_ref().is_some_and(|account| of == Some(account.ids.0)) {
                    format!(
                        "the account {ACCOUNT} has no keyring where else it could be: if PINs were issued, it was lost"
                    )
                } else {
                    "it is in a keyring of this host's, or was lost".to_owned()
                };
                return asked.reduced(
                    format!("{shown} is not there: {elsewhere}"),
                    "cleanshiftctl roster list   # says so where it is lost",
                );
            }
            asked.good("none yet: it is made with the first PIN, as a file of the account alone")
        }
        Err(error) => asked.unseen(format!("{shown}: {error}"), "sudo cleanshiftctl doctor"),
        Ok((_, mode)) if mode & 0o077 != 0 => {
            asked.bad(format!("{shown} is open to others (mode {mode:04o})"), format!("chmod 600 {shown}"))
        }
        // Apart from the hashes, yet on the same disk.
        Ok(_) => asked.good(format!(
            "a file, {shown}, its account's alone; whoever has the whole disk unencrypted has it with the roster"
        )),
    }
}

fn room(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "disk",
        "room for the log",
        "no receipt, no session: on a full disk the station opens by break-glass alone",
    );
    let place = host.state.ancestors().find(|place| place.exists()).unwrap_or_else(|| Path::new("/"));
    let mend =
        format!("df -h {}\ncleanshiftctl log prune   # with [log] keep in the policy", host.shown(place));
    match rustix::fs::statvfs(place) {
        Err(error) => asked.unseen(format!("{}: {error}", host.shown(place)), mend),
        Ok(found) if found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) => {
            asked.bad(format!("{} is mounted read-only", host.shown(place)), mend)
        }
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize) >> 20;
            let saw = format!("{free} MiB free at {}", host.shown(place));
            // A file system without a count of its own (btrfs) tells 0 of 0.
            if found.f_files > 0 && found.f_favail < 1000 {
                asked.bad(format!("{} files more fit at {}", found.f_favail, host.shown(place)), mend)
            } else if free < MUCH_ROOM {
                asked.bad_if(free < LEAST_ROOM, saw, mend)
            } else {
                asked.good(saw)
            }
        }
    }
}

fn time(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "clock",
        "the clock",
        "receipts tell when; a clock that drifts does not keep anybody out, and the log tells when it jumps",
    );
    let mend = "apt install systemd-timesyncd && timedatectl set-ntp true";
    if !host.real {
        return asked.unseen("this is not the machine that runs", "cleanshiftctl doctor   # on the station");
    }
    match clock::synchronized() {
        Err(error) => asked.unseen(format!("the kernel does not say: {error}"), mend),
        Ok((true, off)) if off < MOST_OFF => asked.good(format!("at most {} ms off", off / 1000)),
        Ok((true, off)) => asked.reduced(format!("it may be {} s off", off / 1_000_000), mend),
        Ok((false, _)) => asked.reduced("the kernel says that nobody sets it (not synchronized)", mend),
    }
}
