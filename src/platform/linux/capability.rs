//! What this host can and cannot do: tried, not inferred, and told in every receipt.

use std::fs;
use std::time::Duration;

use super::cgroup::Delegated;
use super::network::Network;
use super::{host, looker, pace, spawn};

/// How long a try may take.
const TRY: Duration = Duration::from_secs(5);

/// Why this host cannot contain a session, with the remedy; `None` where it can.
#[must_use]
pub fn refusal() -> Option<String> {
    if namespaces() {
        return None;
    }
    Some(
        "contain a session: this account cannot make user namespaces with bwrap. Install the package bubblewrap, and \
         allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu an AppArmor profile \
         for bwrap). `cleanshiftctl doctor` says which it is"
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
    make_namespaces(None, "/usr/bin/bwrap", &["--unshare-pid"], &["/bin/true"]).is_ok()
}

/// Has bwrap make a user and a mount namespace, and those that `more` asks for, and run `words` inside,
/// as [`spawn::heard`] does. Answers what they printed.
///
/// # Errors
/// What bwrap said.
pub fn make_namespaces(
    account: Option<(u32, u32)>,
    bwrap: &str,
    more: &[&str],
    words: &[&str],
) -> Result<String, String> {
    let mut all = vec![bwrap, "--unshare-user"];
    all.extend(more);
    all.extend(["--ro-bind", "/", "/", "--proc", "/proc", "--"]);
    all.extend(words);
    spawn::heard(account, &all, pace::patience(TRY))
}
