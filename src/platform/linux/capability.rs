//! What this host can and cannot do: tried, not inferred, and told in every receipt.

use std::fs;
use std::process::Stdio;

use super::cgroup::Delegated;
use super::network::Network;
use super::{host, looker, spawn};

/// Why this host cannot contain a session, with the remedy; `None` where it can.
#[must_use]
pub fn refusal() -> Option<String> {
    if namespaces() {
        return None;
    }
    Some(
        "contain a session: this account cannot make user namespaces with bwrap. Install the package bubblewrap, and \
         allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu an AppArmor profile \
         for bwrap)"
            .to_owned(),
    )
}

/// The capability report.
#[must_use]
pub fn report(network: &Network, delegated: &Result<Delegated, String>) -> Vec<(String, String)> {
    let namespaces = if namespaces() { "yes (bwrap)" } else { "no" };
    let first_line = |path: &str| {
        let text = fs::read_to_string(path).unwrap_or_else(|error| format!("unknown: {error}"));
        text.lines().next().unwrap_or_default().to_owned()
    };
    let swap = match fs::read_to_string("/proc/swaps").map(|table| table.lines().count()) {
        Ok(0 | 1) => "none".to_owned(),
        Ok(lines) => format!("{} areas", lines - 1),
        Err(error) => format!("unknown: {error}"),
    };
    let account = if host::shared_account() {
        "shared account: a person can sign in to it, and her own programs leave things beside a session's"
    } else {
        "the station's own: nobody signs in to it"
    };
    let group = match delegated {
        Ok(delegated) => delegated.report(),
        Err(why) => format!("none ({why}); the end is proved by the PID namespace's init"),
    };
    [
        ("user namespace", namespaces.to_owned()),
        ("PID namespace", namespaces.to_owned()),
        ("control group", group),
        ("network", network.report().to_owned()),
        ("account", account.to_owned()),
        ("looker", looker::report()),
        ("display", "nested, one for each session (Xephyr)".to_owned()),
        ("swap", swap),
        ("core pattern", first_line("/proc/sys/kernel/core_pattern")),
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
    ]
    .map(|(name, found)| (name.to_owned(), found))
    .to_vec()
}

fn namespaces() -> bool {
    let mut command = spawn::command("/usr/bin/bwrap");
    let _ = command.args([
        "--unshare-user",
        "--unshare-pid",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "/bin/true",
    ]);
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    spawn::start(command).and_then(|mut child| child.wait()).is_ok_and(|status| status.success())
}
