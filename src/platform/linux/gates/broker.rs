//! Classes 17 and 21: what services of the host keep for a session: print jobs and their documents,
//! lines in the system's log.

use super::lookout::any_here;
use super::{Gate, Ground, Look, Trace};
use crate::platform::linux::{host, spawn};

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 17,
        name: "print jobs",
        what: "print jobs or kept documents",
        method: "the print service",
        inside: &[],
        look: printing,
        clear: Some(clear_printing),
    },
    Gate {
        class: 21,
        name: "system log",
        what: "lines",
        method: "the system's log",
        inside: &[],
        look: log,
        clear: None,
    },
];

fn printing(ground: &Ground) -> Look {
    if !any_here(&["/run/cups", "/var/spool/cups", "tcp 631"]) {
        return Look::not_here("no print service runs here");
    }
    ground.counted(17, "print jobs or kept documents", |counts| counts.print)
}

/// Jobs, and what is kept of them, are taken away where nobody signs in to the account: there every
/// job that it has came from a session.
fn clear_printing(_: &Ground, _: &[Trace]) {
    if !host::shared_account()
        && let Some(name) = host::account_name()
    {
        spawn::run(&["/usr/bin/cancel", "-a", "-x", "-u", &name]);
    }
}

/// A line in a log cannot be told from the shell's own by its account; that a session has no way to
/// the log is what can be known.
fn log(ground: &Ground) -> Look {
    if !any_here(&["/run/systemd/journal/socket", "/dev/log", "/var/log/syslog", "/var/log/messages"]) {
        return Look::not_here("no system log runs here");
    }
    ground.by_reach(21)
}
