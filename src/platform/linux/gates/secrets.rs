//! Classes 8, 10 and 11: who keeps secrets for programs: the keyring, agents of keys, smart cards,
//! Kerberos.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::lookout::any_here;
use super::scan::Process;
use super::{Gate, Ground, Look, Trace, account, home, host_runtime};
use crate::platform::linux::host;

pub(super) const GATES: [Gate; 5] = [
    Gate {
        class: 8,
        name: "keyring",
        what: "keyrings",
        method: "keyring daemons in /proc, keyring files",
        inside: &["keyring items"],
        look: keyring,
        clear: None,
    },
    Gate {
        class: 10,
        name: "key agents",
        what: "agents",
        method: "agents in /proc, their sockets",
        inside: &["key agents"],
        look: agents,
        clear: None,
    },
    Gate {
        class: 10,
        name: "smart cards",
        what: "unlocked cards",
        method: "the card service",
        inside: &[],
        look: cards,
        clear: None,
    },
    Gate {
        class: 11,
        name: "Kerberos tickets",
        what: "ticket files",
        method: "/tmp, /run/user",
        inside: &["tickets"],
        look: tickets,
        clear: Some(clear_tickets),
    },
    Gate {
        class: 11,
        name: "Kerberos tickets that a service keeps",
        what: "ticket caches",
        method: "the services that keep tickets",
        inside: &[],
        look: kept_tickets,
        clear: None,
    },
];

/// Programs that keep secrets, by the name that the kernel keeps of them (15 letters).
const KEYRINGS: [&str; 5] = ["gnome-keyring-d", "keepassxc", "kwalletd5", "kwalletd6", "oo7-daemon"];
/// Programs that keep keys unlocked.
pub(in crate::platform::linux) const AGENTS: [&str; 6] =
    ["dirmngr", "gpg-agent", "keyboxd", "p11-kit-server", "scdaemon", "ssh-agent"];

/// Whether this process is git's cache of passwords, which the kernel knows by the name of git alone.
pub(in crate::platform::linux) fn is_git_cache(pid: i32, name: &str) -> bool {
    let words = || fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    name.starts_with("git")
        && words().split(|byte| *byte == 0).take(2).any(|word| word.ends_with(b"credential-cache--daemon"))
}

/// What a process is known by, and how it is shown.
fn programs(ground: &Ground, wanted: impl Fn(&Process) -> bool) -> Vec<Trace> {
    let suspects = ground.suspects(ground.scan());
    let found = suspects.iter().filter(|process| wanted(process)).map(|process| {
        Trace::shown(
            format!("{} {}", process.pid, process.since),
            format!("{} ({})", process.name, process.pid),
        )
    });
    found.collect()
}

/// Files in a place whose name begins so, that are this account's; changed files are new ones.
fn files(place: &Path, start: &str) -> Vec<Trace> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let own = entries.filter_map(|entry| {
        let data = entry.metadata().ok()?;
        let meant = data.uid() == account() && entry.file_name().to_string_lossy().starts_with(start);
        meant.then(|| Trace::file(place, &entry.path(), &format!("{} {}", data.ctime(), data.ctime_nsec())))
    });
    own.collect()
}

/// The session's keyring is a daemon in the capsule, with files in the capsule's memory alone.
fn keyring(ground: &Ground) -> Look {
    let mut found = programs(ground, |process| KEYRINGS.contains(&process.name.as_str()));
    for name in ["keyring", "keyrings", "bus"] {
        let path = ground.remains.run_dir.join(name);
        if path.exists() {
            found.push(Trace::of(path.display().to_string()));
        }
    }
    if let Some(home) = home().filter(|_| !host::shared_account()) {
        for place in [".local/share/keyrings", ".local/share/kwalletd"] {
            found.extend(files(&home.join(place), ""));
        }
    }
    Look::These(found)
}

fn agents(ground: &Ground) -> Look {
    let agent = |process: &Process| {
        AGENTS.contains(&process.name.as_str()) || is_git_cache(process.pid, &process.name)
    };
    let mut found = programs(ground, agent);
    found.extend(files(Path::new("/tmp"), "ssh-"));
    if !host::shared_account() {
        found.extend(files(&host_runtime().join("gnupg"), "S."));
        if let Some(home) = home() {
            found.extend(files(&home.join(".gnupg"), "S."));
        }
    }
    Look::These(found)
}

/// Cards are unlocked through the card service alone, to which a session has no way.
fn cards(ground: &Ground) -> Look {
    if !any_here(&["/run/pcscd"]) && std::env::var_os("PCSCLITE_CSOCK_NAME").is_none() {
        return Look::not_here("no card service runs here");
    }
    ground.by_reach(10)
}

fn tickets(ground: &Ground) -> Look {
    let mut found = files(Path::new("/tmp"), "krb5cc");
    found.extend(files(Path::new("/tmp"), "tkt"));
    found.extend(files(&host_runtime(), "krb5cc"));
    found.extend(files(&ground.remains.run_dir, "krb5cc"));
    Look::These(found)
}

/// A ticket file that came since the baseline is this account's own: it is taken away.
fn clear_tickets(_: &Ground, traces: &[Trace]) {
    for trace in traces {
        let _ = fs::remove_file(trace.path());
    }
}

fn kept_tickets(ground: &Ground) -> Look {
    if !any_here(&["/run/.heim_org.h5l.kcm-socket", "/var/lib/sss/secrets"]) {
        return Look::not_here("no service keeps Kerberos tickets here");
    }
    ground.counted(11, "ticket caches", |counts| counts.tickets)
}
