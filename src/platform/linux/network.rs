//! How a capsule reaches the network: not at all, through a network of its own (pasta), or, where
//! the host cannot make one, through the shell's, which the capability report then says.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use super::{pace, spawn};

/// The address at which pasta answers for a resolver that is only on the host's loopback. From the
/// block for documentation (RFC 5737), so that it can be nobody's.
const RESOLVER: &str = "192.0.2.53";

/// How long a try may take.
const TRY: Duration = Duration::from_secs(5);

/// How a capsule reaches the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Not at all.
    None,
    /// Through a network of its own; these ports of the host's loopback are reachable.
    Private(Vec<u16>),
    /// Through the shell's.
    Shared,
}

impl Network {
    /// What the policy asks for, as far as this host can do it.
    #[must_use]
    pub fn choose(wanted: bool, reach: &[u16]) -> Self {
        if !wanted {
            Self::None
        } else if make_network(None, "/usr/bin/pasta").is_ok() {
            Self::Private(reach.to_vec())
        } else {
            Self::Shared
        }
    }

    /// What stands before bwrap on the command line.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let Self::Private(reach) = self else { return Vec::new() };
        let mut words =
            ["/usr/bin/pasta", "--config-net", "-q", "-t", "none", "-u", "none", "-U", "none", "--no-map-gw"]
                .map(str::to_owned)
                .to_vec();
        if reach.is_empty() {
            words.extend(["-T".to_owned(), "none".to_owned()]);
        }
        for port in reach {
            words.extend(["-T".to_owned(), port.to_string()]);
        }
        if resolver_on_loopback() {
            words.extend(["--dns-forward".to_owned(), RESOLVER.to_owned()]);
        }
        words.push("--".to_owned());
        words
    }

    /// The capsule's resolv.conf.
    #[must_use]
    pub fn resolver(&self) -> String {
        let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        match self {
            Self::Private(_) if resolver_on_loopback() => format!("nameserver {RESOLVER}\n"),
            Self::None | Self::Private(_) | Self::Shared => host,
        }
    }

    /// For the capability report.
    #[must_use]
    pub fn report(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Private(_) => "private (pasta)",
            Self::Shared => "shared: pasta cannot be used by this account (is /dev/net/tun open to it?)",
        }
    }
}

/// Whether pasta can really make a network for this account, and bwrap namespaces below it, as a capsule has
/// them: tried, not inferred. Both may work alone and not together: pasta drops rights, and whoever may gain
/// none (no_new_privs) does not have them back for what bwrap does next.
///
/// # Errors
/// What pasta or bwrap said.
pub fn make_network(account: Option<(u32, u32)>, pasta: &str) -> Result<(), String> {
    let own = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let (user, group) = account.unwrap_or(own);
    let (user, group) = (user.to_string(), group.to_string());
    let network = [pasta, "--config-net", "-q", "-T", "none", "-U", "none", "-t", "none", "-u", "none"];
    let below = ["--no-map-gw", "--", "/usr/bin/bwrap", "--unshare-user", "--uid", &user, "--gid", &group];
    let inside = ["--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--", "/bin/true"];
    spawn::heard(account, &[&network[..], &below[..], &inside[..]].concat(), pace::patience(TRY)).map(drop)
}

fn resolver_on_loopback() -> bool {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let mut servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")).map(str::trim);
    servers.all(|server| server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}
