//! Classes 2 to 4: what other programs would start or keep for a session: systemd's user units and
//! lingering, D-Bus and the services on it, jobs of cron and at.

use std::fs;
use std::path::Path;

use super::lookout::any_here;
use super::{Gate, Ground, Look, Trace, account, home, host_runtime};
use crate::platform::linux::{host, spawn};

pub(super) const GATES: [Gate; 3] = [
    Gate {
        class: 2,
        name: "user services",
        what: "units or lingering",
        method: "unit directories, /var/lib/systemd/linger",
        inside: &["user managers"],
        look: units,
        clear: Some(clear_units),
    },
    Gate {
        class: 3,
        name: "D-Bus and its services",
        what: "services",
        method: "/proc",
        inside: &["bus services"],
        look: services,
        clear: None,
    },
    Gate {
        class: 4,
        name: "scheduled jobs",
        what: "scheduled jobs",
        method: "the spools of cron and at",
        inside: &[],
        look: jobs,
        clear: Some(clear_jobs),
    },
];

/// Programs that a session bus starts, by the name that the kernel keeps of them (15 letters).
pub(in crate::platform::linux) const SERVICES: [&str; 14] = [
    "at-spi-bus-laun",
    "at-spi2-registr",
    "dbus-broker",
    "dbus-broker-lau",
    "dbus-daemon",
    "dconf-service",
    "gvfsd",
    "gvfsd-metadata",
    "obexd",
    "pipewire",
    "pulseaudio",
    "wireplumber",
    "xdg-desktop-por",
    "xdg-document-po",
];

fn units(ground: &Ground) -> Look {
    if !Path::new("/run/systemd/system").exists() {
        return Look::not_here("this host is not run by systemd");
    }
    let mut found = Vec::new();
    let runtime = host_runtime().join("systemd");
    let own = home().map(|home| home.join(".config/systemd/user"));
    for place in [runtime.join("transient"), runtime.join("user")].into_iter().chain(own) {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push(Trace::shown(format!("unit {}", entry.path().display()), name));
        }
    }
    // Units that other programs of a desktop make all the time are a person's, not a session's.
    if host::shared_account() {
        return ground.by_reach(2);
    }
    let lingering = host::account_name().map(|name| Path::new("/var/lib/systemd/linger").join(name));
    if lingering.is_some_and(|path| path.exists()) {
        found.push(Trace::of("lingering"));
    }
    Look::These(found)
}

fn clear_units(_: &Ground, traces: &[Trace]) {
    for trace in traces {
        if trace.key.starts_with("unit ") {
            spawn::run(&["/usr/bin/systemctl", "--user", "stop", &trace.shown]);
        } else {
            spawn::run(&["/usr/bin/loginctl", "disable-linger"]);
        }
    }
}

fn services(ground: &Ground) -> Look {
    let suspects = ground.suspects(ground.scan());
    let found = suspects.iter().filter(|process| SERVICES.contains(&process.name.as_str())).map(|process| {
        Trace::shown(
            format!("{} {}", process.pid, process.since),
            format!("{} ({})", process.name, process.pid),
        )
    });
    Look::These(found.collect())
}

fn jobs(ground: &Ground) -> Look {
    if !any_here(&["/var/spool/cron", "/var/spool/at", "/usr/bin/crontab", "/usr/bin/at"]) {
        return Look::not_here("this host has neither cron nor at");
    }
    ground.counted(4, "scheduled jobs", |counts| match (counts.cron, counts.at) {
        (None, None) => None,
        (cron, at) => Some(cron.unwrap_or(0) + at.unwrap_or(0)),
    })
}

/// Jobs are cleared only on an account that nobody signs in to, and that had none before.
fn clear_jobs(ground: &Ground, _: &[Trace]) {
    let before = ground.baseline.counts.clone().unwrap_or_default();
    if host::shared_account() || account() == 0 {
        return;
    }
    if before.cron.unwrap_or(0) == 0 {
        spawn::run(&["/usr/bin/crontab", "-r"]);
    }
    if before.at.unwrap_or(0) == 0 {
        spawn::run(&["/bin/sh", "-c", "atq | cut -f1 | xargs -r atrm"]);
    }
}
