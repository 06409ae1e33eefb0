//! What the planter has planted, as it reports it, and which gate must see each thing.

use std::path::Path;

/// What is mounted in a runtime directory for a session's own file system.
pub const FILES: &str = "session-files";
/// Why something was not planted by an ordinary account.
pub const ROOT_ALONE: &str = "only root can plant it on the host";

/// One thing that was planted, or why it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// The trace class.
    pub class: u8,
    /// Whether it was planted.
    pub done: bool,
    /// What, or why not.
    pub what: String,
}

impl Planted {
    /// The gate that must see it on the host; `None` for what only a search can find there.
    #[must_use]
    pub fn gate(&self) -> Option<&'static str> {
        let path = Path::new(&self.what);
        let shared = ["/tmp", "/var/tmp", "/dev/shm"].map(Path::new);
        Some(match self.class {
            1 => "processes",
            2 => "user services",
            3 => "D-Bus and its services",
            4 => "scheduled jobs",
            5 if path.is_absolute() => "session display",
            5 => "clipboard of the station's display",
            6 => "Wayland displays",
            7 => "clipboard managers",
            8 => "keyring",
            9 => "kernel keys",
            10 => "key agents",
            11 => "Kerberos tickets",
            12 if path.ends_with(FILES) => "profiles and mounts",
            12 => "browser profiles",
            13 if path.parent().is_some_and(|parent| shared.contains(&parent)) => "temporary files",
            13 if path.ancestors().nth(2) == Some(Path::new("/run/user")) => {
                "the account's runtime directory"
            }
            13 => "runtime directory",
            14 if path.is_absolute() => "message queues",
            14 => "System V IPC",
            15 if self.what.starts_with('@') => "abstract sockets",
            15 => "listening ports",
            16 => "recent files and histories",
            17 => "print jobs",
            18 => "mounted media",
            19 => "pictures and downloads",
            20 if path.starts_with("/var") => "core dumps",
            21 => "system log",
            25 => "network identity",
            26 => "learned input and preferences",
            27 => "files for other accounts",
            _ => return None,
        })
    }
}

/// Reads the planter's report.
#[must_use]
pub fn read(report: &str) -> Vec<Planted> {
    let planted = report.lines().filter_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let class = fields.next()?.parse().ok()?;
        let done = fields.next()? == "planted";
        Some(Planted { class, done, what: fields.next()?.to_owned() })
    });
    planted.filter(|planted| planted.class != 0).collect()
}

/// Whether the planter has written its report to the end.
#[must_use]
pub fn whole(report: &str) -> bool {
    report.contains("\tdone\n")
}
