//! What a capsule can see: an allow-list, nothing else. The station's state and policy, /run, /home,
//! /var, pcscd's socket, the outer X socket and its cookie are not forbidden there but absent.

use std::path::{Path, PathBuf};

use crate::policy::CapsulePolicy;

use super::browser;
use super::init::BUS_CONFIG;

/// The operator's home inside.
pub const HOME: &str = "/session/home";
/// The runtime directory inside.
pub const RUNTIME: &str = "/session/run";
/// Where the nested display's cookie is bound inside.
pub const COOKIE: &str = "/session/xauthority";
/// Where init is bound inside.
pub const INIT: &str = "/session/cleanshift-init";
/// Where the window manager's configuration is bound inside.
pub const WINDOW_MANAGER: &str = "/session/window-manager";

/// The files under /etc that programs need and that tell nothing of the station.
const ETC: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "chromium.d",
    "chromium/master_preferences",
    "firefox/defaults",
    "firefox-esr",
    "fonts",
    "gtk-3.0",
    "host.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "pki",
    "protocols",
    "services",
    "ssl",
    "timezone",
    "X11",
    "xdg",
];

/// What differs from capsule to capsule.
pub struct Root<'a> {
    /// The policy's limits and openings.
    pub policy: &'a CapsulePolicy,
    /// The shell's directory for this capsule: holds the synthetic files.
    pub dir: &'a Path,
    /// The directory of the nested display's socket.
    pub x11: &'a Path,
    /// The nested display's cookie.
    pub cookie: &'a Path,
    /// The init program on the host.
    pub init: &'a Path,
    /// Golden profiles, bound read-only, in the order of the apps that have one.
    pub profiles: &'a [PathBuf],
    /// The account, as it is inside and outside.
    pub ids: (u32, u32),
    /// Whether the capsule gets an empty network of its own from bwrap.
    pub no_network: bool,
}

/// Where a golden profile is bound inside.
#[must_use]
pub fn profile_place(number: usize) -> String {
    format!("/session/profile/{number}")
}

impl Root<'_> {
    /// Writes the synthetic files that stand for the host's.
    ///
    /// # Errors
    /// When the shell's own directory cannot be written.
    pub fn write_files(&self, window_manager: &str, resolver: &str) -> std::io::Result<()> {
        let (uid, gid) = self.ids;
        let files = [
            ("passwd", format!("operator:x:{uid}:{gid}:Operator:{HOME}:/bin/sh\n")),
            ("group", format!("operator:x:{gid}:\n")),
            ("hosts", "127.0.0.1 localhost station\n::1 localhost\n".to_owned()),
            ("hostname", "station\n".to_owned()),
            ("resolv.conf", resolver.to_owned()),
            // A number of its own for each capsule: the host's would let two sessions be linked.
            ("machine-id", format!("{}\n", super::capsule::random_hex(16)?)),
            ("bus.conf", BUS.to_owned()),
            ("window-manager", window_manager.to_owned()),
        ];
        for (name, text) in files {
            std::fs::write(self.dir.join(name), text)?;
        }
        for (name, _, text) in browser::everywhere() {
            std::fs::write(self.dir.join(name), text)?;
        }
        Ok(())
    }

    /// bwrap's arguments, up to the program to start.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut list = List(Vec::new());
        let (uid, gid) = self.ids;
        list.add(&["--unshare-user", "--uid", &uid.to_string(), "--gid", &gid.to_string()]);
        list.add(&["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
        list.add(&["--hostname", "station", "--die-with-parent", "--new-session", "--clearenv"]);
        if self.no_network {
            list.add(&["--unshare-net"]);
        }
        list.add(&["--ro-bind", "/usr", "/usr"]);
        for (link, target) in
            [("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/lib64", "usr/lib64")]
        {
            list.add(&["--symlink", target, link]);
        }
        for name in ETC {
            let path = format!("/etc/{name}");
            list.add(&["--ro-bind-try", &path, &path]);
        }
        for name in ["passwd", "group", "hosts", "hostname", "resolv.conf", "machine-id"] {
            list.bind(&self.dir.join(name), &format!("/etc/{name}"));
        }
        // The host's own policies for browsers do not count inside: these are there in their place.
        for (name, place, _) in browser::everywhere() {
            list.bind(&self.dir.join(name), &place);
        }
        list.bind(&self.dir.join("bus.conf"), BUS_CONFIG);
        list.bind(&self.dir.join("window-manager"), WINDOW_MANAGER);
        list.add(&["--proc", "/proc", "--dev", "/dev", "--dev-bind-try", "/dev/dri", "/dev/dri"]);
        let home = self.policy.home_bytes.to_string();
        let other = self.policy.tmp_bytes.to_string();
        list.add(&["--perms", "0700", "--size", &home, "--tmpfs", HOME]);
        list.add(&["--perms", "0700", "--size", &other, "--tmpfs", RUNTIME]);
        for place in ["/tmp", "/var/tmp", "/dev/shm"] {
            list.add(&["--perms", "1777", "--size", &other, "--tmpfs", place]);
        }
        list.bind(self.x11, "/tmp/.X11-unix");
        list.bind(self.cookie, COOKIE);
        list.bind(self.init, INIT);
        for (number, profile) in self.profiles.iter().enumerate() {
            list.bind(profile, &profile_place(number));
        }
        for shared in &self.policy.shared {
            let path = shared.display().to_string();
            list.add(&["--bind", &path, &path]);
        }
        // bwrap's own root and /dev are tmpfs without a limit: nobody writes there.
        list.add(&["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", HOME]);
        list.add(&["--as-pid-1", "--", INIT]);
        list.0
    }
}

struct List(Vec<String>);

impl List {
    fn add(&mut self, arguments: &[&str]) {
        self.0.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    fn bind(&mut self, from: &Path, to: &str) {
        self.add(&["--ro-bind", &from.display().to_string(), to]);
    }
}

/// The private bus: no service directories, so that nothing is started by name and a client cannot
/// bring a second keyring to life after ours has died.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><keep_umask/><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"#;
