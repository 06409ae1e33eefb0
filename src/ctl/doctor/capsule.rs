//! What a capsule is made of: an account of its own, namespaces, a network, a control group.

use std::fs;

use super::host::{ACCOUNT, Host, owner};
use super::report::Requirement;
use crate::platform::linux::cgroup::Delegated;
use crate::platform::linux::looker;

/// All of them.
#[must_use]
pub fn all(host: &Host) -> Vec<Requirement> {
    let mut all = vec![account(host), subordinate(host), linger(host)];
    all.extend(namespaces(host));
    all.extend([network(host), group(host), init(host), look(host)]);
    all
}

fn account(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "account",
        "the station's account",
        "sessions run as this account: it must have no rights, and nobody may sign in to it",
    );
    let make = format!(
        "systemd-sysusers   # or: useradd --system --user-group --home-dir /var/lib/cleanshift \
         --shell /usr/sbin/nologin {ACCOUNT}"
    );
    match &host.account {
        None => asked.bad(format!("there is no account {ACCOUNT}"), make),
        Some(account) if account.ids.0 == 0 => {
            asked.bad(format!("{ACCOUNT} is another name of root"), format!("userdel --force {ACCOUNT}\n{make}"))
        }
        Some(account) if !account.shell.ends_with("/nologin") && !account.shell.ends_with("/false") => asked
            .reduced(
                format!("a person can sign in to {ACCOUNT} (its shell is {}): the gates then have to tell her \
                         own programs from a session's", account.shell),
                format!("usermod --shell /usr/sbin/nologin {ACCOUNT}"),
            ),
        Some(_) if !host.as_station() && host.real => asked.unseen(
            format!("{ACCOUNT} is there, but this was started as {}: what follows was tried with other rights than \
                     the station's", host.tried_as()),
            "sudo cleanshiftctl doctor",
        ),
        Some(account) => asked.good(format!("{ACCOUNT}, number {}, cannot be signed in to", account.ids.0)),
    }
}

fn subordinate(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "subordinate-ids",
        "numbers of other accounts (subuid)",
        "with numbers of its own in /etc/subuid a session could leave processes as other accounts",
    );
    for file in ["/etc/subuid", "/etc/subgid"] {
        match host.read(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return asked.unseen(format!("{file}: {error}"), "sudo cleanshiftctl doctor"),
            Ok(text) if text.lines().any(|line| line.starts_with(&format!("{ACCOUNT}:"))) => {
                return asked.bad(
                    format!("{file} gives numbers to {ACCOUNT}"),
                    format!("sed -i '/^{ACCOUNT}:/d' /etc/subuid /etc/subgid"),
                );
            }
            Ok(_) => {}
        }
    }
    asked.good("/etc/subuid and /etc/subgid have none")
}

fn linger(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "linger",
        "lingering services",
        "a lingering account has a systemd of its own, in which a session could leave services",
    );
    if host.has(&format!("/var/lib/systemd/linger/{ACCOUNT}")) {
        return asked.bad(format!("{ACCOUNT} lingers"), format!("loginctl disable-linger {ACCOUNT}"));
    }
    asked.good(format!("{ACCOUNT} does not linger"))
}

/// The namespaces of a capsule: bwrap's option, the kernel's name, what would be shared without it.
const KINDS: [(&str, &str, &str); 4] = [
    ("--unshare-pid", "pid", "processes: their end is what proves that a session is over"),
    ("--unshare-ipc", "ipc", "System V and POSIX IPC"),
    ("--unshare-uts", "uts", "the host's name"),
    ("--unshare-net", "net", "the host's network and abstract sockets"),
];

fn namespaces(host: &Host) -> Vec<Requirement> {
    let package = Requirement::of(
        "bubblewrap",
        "bubblewrap",
        "it makes the capsule in which a session runs, and which ends as one thing",
    );
    let users = Requirement::of(
        "user-namespaces",
        "user namespaces",
        "without them an ordinary account can make no capsule, and the station refuses to open",
    );
    let every = Requirement::of(
        "namespaces",
        "namespaces of a session's own",
        "what a session shares with the host outlives it",
    );
    let nested = Requirement::of(
        "nested-sandbox",
        "sandboxes inside a capsule",
        "each app runs in one of its own, and browsers isolate their pages in another",
    );
    let mend = "apt install bubblewrap";
    let without = |why: &str| {
        [&users, &every, &nested].map(|asked| {
            asked.clone().bad(
                why,
                "cleanshiftctl doctor   # again, once \
            that is mended",
            )
        })
    };
    let Some(bwrap) = host.program("bwrap") else {
        let mut found = vec![package.bad("bwrap is not installed", mend)];
        found.extend(without("nothing can make them: bwrap is not installed"));
        return found;
    };
    let package = match host.heard(&[&bwrap, "--version"]) {
        Ok(version) => package.good(version.trim()),
        Err(said) => package.bad(format!("bwrap does not run: {said}"), "apt install --reinstall bubblewrap"),
    };
    if let Err(said) = host.namespaces(&bwrap, &[], &["/bin/true"]) {
        let refused = refused(host, users.clone(), &bwrap, &said);
        let [_, every, nested] = without("they need user namespaces, which were refused");
        return vec![package, refused, every, nested];
    }
    let users = users.good("this account can make them with bwrap");
    vec![package, users, each(host, every, &bwrap), inside(host, nested, &bwrap)]
}

/// Why user namespaces are refused: the kernel's switches are asked one after the other.
fn refused(host: &Host, asked: Requirement, bwrap: &str, said: &str) -> Requirement {
    let is = |path: &str, value: &str| host.word(path).as_deref() == Some(value);
    let setting = |name: &str, value: &str| {
        format!("echo '{name} = {value}' > /etc/sysctl.d/61-user-namespaces.conf\nsysctl --system")
    };
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return asked.bad(
            "the kernel refuses them to ordinary accounts: kernel.unprivileged_userns_clone is 0",
            setting("kernel.unprivileged_userns_clone", "1"),
        );
    }
    if is("/proc/sys/user/max_user_namespaces", "0") {
        return asked.bad(
            "the kernel grants none: user.max_user_namespaces is 0",
            setting("user.max_user_namespaces", "28633"),
        );
    }
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        return asked.bad(
            "AppArmor refuses them to bwrap, as Ubuntu has it: kernel.apparmor_restrict_unprivileged_userns is 1, and \
             no profile allows bwrap to (`userns,`)",
            "install -m 644 /usr/share/cleanshift/apparmor-bwrap /etc/apparmor.d/cleanshift-bwrap\n\
             apparmor_parser -r /etc/apparmor.d/cleanshift-bwrap",
        );
    }
    asked.bad(
        format!("{said}. No switch that is known here forbids it: a container, a chroot or a security module of this \
                 host may"),
        format!("setpriv --reuid={ACCOUNT} --regid={ACCOUNT} --clear-groups {bwrap} --unshare-user --ro-bind / / true"),
    )
}

/// Whether each namespace really is another than this process'.
fn each(host: &Host, asked: Requirement, bwrap: &str) -> Requirement {
    let mut lacking = Vec::new();
    for (option, name, what) in KINDS {
        let link = format!("/proc/self/ns/{name}");
        let ours = fs::read_link(&link).map(|link| link.display().to_string()).unwrap_or_default();
        match host.namespaces(bwrap, &[option], &["/bin/readlink", &link]) {
            Ok(theirs) if theirs.trim() != ours && theirs.contains('[') => {}
            Ok(_) => lacking.push(format!("{name} ({what}) is the host's still")),
            Err(said) => lacking.push(format!("{name} ({what}): {said}")),
        }
    }
    if lacking.is_empty() {
        return asked.good("PID, mount, IPC, UTS and network, each tried");
    }
    asked.bad(
        lacking.join("; "),
        "uname -r   # a kernel with CONFIG_PID_NS, IPC_NS, UTS_NS and NET_NS is needed",
    )
}

fn inside(host: &Host, asked: Requirement, bwrap: &str) -> Requirement {
    // The capsule's root, an app's sandbox, and the one that a browser makes.
    let inner =
        ["/usr/bin/bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc"];
    let words = [&inner[..], &["--"], &inner[..], &["--", "/bin/true"]].concat();
    match host.namespaces(bwrap, &["--unshare-pid"], &words) {
        Ok(_) => asked.good("three, one in the other"),
        Err(said) => asked.bad(
            format!("a capsule can be made, and no sandbox inside it: {said}"),
            "sysctl user.max_user_namespaces   # must be large; a security module may also forbid it",
        ),
    }
}

fn network(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "private-network",
        "a private network for sessions",
        "without it apps with network share the host's: its loopback and abstract sockets are within their reach, and \
         every receipt says so",
    );
    let Some(pasta) = host.program("pasta") else {
        return asked.reduced("pasta is not installed", "apt install passt");
    };
    let Err(said) = host.network(&pasta) else { return asked.good("pasta makes one for this account") };
    let tun = host.at("/dev/net/tun");
    match owner(&tun) {
        Err(_) => asked
            .reduced("there is no /dev/net/tun", "modprobe tun && echo tun > /etc/modules-load.d/tun.conf"),
        Ok((_, mode)) if mode & 0o006 != 0o006 => asked.reduced(
            format!("/dev/net/tun is shut to ordinary accounts (mode {mode:04o}): {said}"),
            "chmod 666 /dev/net/tun   # as udev's own rule has it",
        ),
        Ok(_) => asked.reduced(format!("pasta cannot make one: {said}"), "pasta --config-net -- true"),
    }
}

fn group(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "control-group",
        "a control group for each session",
        "it keeps a session off the swap and bounds its processes; its end is proved without it, too",
    );
    if !host.real {
        return asked.unseen("this is not the machine that runs", "cleanshiftctl doctor   # on the station");
    }
    let systemd = host.has("/run/systemd/system");
    let in_unit = "the station's unit is given one (Delegate=yes), and tries it when it starts; this command is given none";
    let show = "systemctl show -p Delegate,DelegateControllers cleanshift.service";
    // Root may make groups everywhere: that it can says nothing about the account.
    if host.ids().is_some() && systemd {
        return asked.unseen(in_unit, show);
    }
    let tried = if host.ids().is_some() {
        Err("systemd does not run this host: nobody delegates one to the account".to_owned())
    } else {
        Delegated::probe()
    };
    match tried {
        Ok(has) if has.is_empty() => asked.reduced(
            "one can be made, and the host gives it no limits (memory, pids)",
            "cat /sys/fs/cgroup/cgroup.controllers   # memory and pids should be there, not with version 1",
        ),
        Ok(has) => asked.good(format!("delegated, with {}", has.join(" and "))),
        Err(why) if systemd => asked.unseen(format!("{in_unit}: {why}"), show),
        Err(why) => asked.reduced(why, "cleanshiftctl kiosk enable   # on a host that systemd runs"),
    }
}

fn init(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "cleanshift-init",
        "cleanshift-init, a capsule's first process",
        "it starts and counts what runs in a session; whoever can change it is in every session",
    );
    let mend = "apt install --reinstall cleanshift";
    let Some(path) = host.program("cleanshift-init") else {
        return asked.bad("/usr/lib/cleanshift/cleanshift-init is not installed", mend);
    };
    match owner(path.as_ref()) {
        Err(error) => asked.unseen(error.to_string(), "sudo cleanshiftctl doctor"),
        Ok((0, mode)) if mode & 0o022 == 0 => asked.good("installed, root's alone to change"),
        Ok((uid, mode)) => {
            asked.bad(format!("others than root may change it (account {uid}, mode {mode:04o})"), mend)
        }
    }
}

fn look(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "looker",
        "cleanshift-looker",
        "it counts print jobs, scheduled jobs and core dumps, which an ordinary account may not see; without it those \
         classes are proved by reach alone",
    );
    let mend = "apt install --reinstall cleanshift";
    let path = host.at(looker::INSTALLED);
    let Ok((uid, mode)) = owner(&path) else {
        return asked.reduced(format!("{} is not installed", looker::INSTALLED), mend);
    };
    if uid != 0 || mode & 0o022 != 0 {
        return asked.bad(
            format!("others than root may change it (account {uid}, mode {mode:04o}), and it runs as root"),
            mend,
        );
    }
    if !host.real {
        return asked.good(format!("root's, mode {mode:04o}"));
    }
    match (looker::ask(&path), looker::trusted(&path)) {
        (Some(_), _) => asked.good(format!("root's, mode {mode:04o}; it answers")),
        (None, Ok(())) => asked.reduced("it is there and does not answer", mend),
        (None, Err(why)) => asked.reduced(
            format!("{why}, and nothing listens on {}", looker::SOCKET),
            "systemctl start cleanshift-looker.socket",
        ),
    }
}
