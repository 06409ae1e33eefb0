//! The doors of the host that a capsule must not have: tried by its init before any app runs, and again
//! before its end. A door counts as shut only where it does not exist at all inside; one that is there
//! and refuses is open.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long a port of the host's loopback may take to answer or refuse.
const PATIENCE: Duration = Duration::from_millis(40);

/// A way to a part of the host that outlives every session.
pub struct Door {
    /// The trace class that would collect behind it.
    pub class: u8,
    /// Its path, or `tcp PORT` of the loopback.
    pub place: &'static str,
}

const fn door(class: u8, place: &'static str) -> Door {
    Door { class, place }
}

/// All doors that are tried.
pub const DOORS: [Door; 31] = [
    door(2, "/run/systemd"),
    door(2, "/run/dbus/system_bus_socket"),
    door(2, "/var/lib/systemd/linger"),
    door(4, "/var/spool/cron"),
    door(4, "/var/spool/at"),
    door(4, "/var/spool/anacron"),
    door(6, "/run/user"),
    door(7, "/home"),
    door(10, "/run/pcscd"),
    door(10, "/run/user"),
    door(11, "/run/.heim_org.h5l.kcm-socket"),
    door(11, "/var/lib/sss"),
    door(12, "/home"),
    door(13, "/run/user"),
    door(16, "/home"),
    door(17, "/run/cups"),
    door(17, "/var/spool/cups"),
    door(17, "tcp 631"),
    door(18, "/media"),
    door(18, "/run/media"),
    door(18, "/mnt"),
    door(18, "/run/dbus/system_bus_socket"),
    door(19, "/home"),
    door(20, "/var/lib/systemd/coredump"),
    door(20, "/var/crash"),
    door(21, "/run/systemd/journal/socket"),
    door(21, "/dev/log"),
    door(21, "/dev/kmsg"),
    door(21, "/var/log"),
    door(26, "/home"),
    door(26, "/dev/snd"),
];

/// Tries every door once: its place, and 1 where it is there.
#[must_use]
pub fn tried() -> Vec<(String, u64)> {
    let mut places: Vec<&str> = DOORS.iter().map(|door| door.place).collect();
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(|place| (place.to_owned(), u64::from(open(place)))).collect()
}

/// Whether a door is there, for this process.
#[must_use]
pub fn open(place: &str) -> bool {
    match place.strip_prefix("tcp ").map(str::parse) {
        Some(Ok(port)) => {
            TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE).is_ok()
        }
        Some(Err(_)) => true,
        // Only what does not exist is shut: a refusal, or an error of any other kind, is a door.
        None => match fs::symlink_metadata(Path::new(place)) {
            Ok(_) => true,
            Err(error) => {
                !matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
            }
        },
    }
}
