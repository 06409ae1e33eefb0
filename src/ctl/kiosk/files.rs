//! What `cleanshiftctl kiosk enable` lays on a host: the files of the `*.d` directories, compiled in so that
//! the command and the doctor mean the same bytes, and the links that start the units.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the package puts the units.
pub const UNIT_PLACE: &str = "/usr/lib/systemd/system";

/// The package's units, by name.
pub const UNITS: [(&str, &str); 5] = [
    ("cleanshift-display.service", include_str!("../../../packaging/systemd/cleanshift-display.service")),
    ("cleanshift.service", include_str!("../../../packaging/systemd/cleanshift.service")),
    (
        "cleanshift-out-of-service.service",
        include_str!("../../../packaging/systemd/cleanshift-out-of-service.service"),
    ),
    ("cleanshift-looker.socket", include_str!("../../../packaging/systemd/cleanshift-looker.socket")),
    ("cleanshift-looker@.service", include_str!("../../../packaging/systemd/cleanshift-looker@.service")),
];

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A file of root's, mode 0644, with this text.
    File(Vec<u8>),
    /// A symbolic link to this target.
    Link(PathBuf),
}

/// Something that is laid on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Laid {
    /// Where, from the host's root.
    pub path: String,
    /// What.
    pub what: What,
    /// Why it matters.
    pub why: &'static str,
}

/// How a path is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// As it was laid.
    AsLaid,
    /// Nothing is there.
    Absent,
    /// Something else is there.
    Other,
}

impl Laid {
    /// How `path`, where this belongs on a host, is found.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn found(&self, path: &Path) -> io::Result<Found> {
        let data = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
            other => other?,
        };
        let same = match &self.what {
            What::File(bytes) => data.is_file() && fs::read(path)? == *bytes,
            What::Link(target) => data.is_symlink() && fs::read_link(path)? == *target,
        };
        Ok(if same { Found::AsLaid } else { Found::Other })
    }
}

/// The files, each with why.
const FILES: [(&str, &str, &str); 5] = [
    (
        "/etc/sysctl.d/60-cleanshift.conf",
        include_str!("../../../packaging/host/etc/sysctl.d/60-cleanshift.conf"),
        "the kernel's own keys and collected core dumps are ways to what a session held",
    ),
    (
        "/etc/systemd/logind.conf.d/60-cleanshift.conf",
        include_str!("../../../packaging/host/etc/systemd/logind.conf.d/60-cleanshift.conf"),
        "no login prompts on other terminals; time to cover the screen before a sleep",
    ),
    (
        "/etc/systemd/sleep.conf.d/60-cleanshift.conf",
        include_str!("../../../packaging/host/etc/systemd/sleep.conf.d/60-cleanshift.conf"),
        "hibernation writes all memory to the disk",
    ),
    (
        "/etc/systemd/coredump.conf.d/60-cleanshift.conf",
        include_str!("../../../packaging/host/etc/systemd/coredump.conf.d/60-cleanshift.conf"),
        "core dumps hold what a program knew",
    ),
    (
        "/etc/X11/xorg.conf.d/60-cleanshift.conf",
        include_str!("../../../packaging/host/etc/X11/xorg.conf.d/60-cleanshift.conf"),
        "keys that end the display or leave it for another terminal",
    ),
];

/// The links: where, to what, why.
const LINKS: [(&str, &str, &str); 8] = [
    (
        "/etc/systemd/system/default.target",
        "/usr/lib/systemd/system/graphical.target",
        "the machine starts into the station",
    ),
    (
        "/etc/systemd/system/display-manager.service",
        "/usr/lib/systemd/system/cleanshift-display.service",
        "the station's display stands in the place of a desktop's sign-in",
    ),
    (
        "/etc/systemd/system/graphical.target.wants/cleanshift-display.service",
        "/usr/lib/systemd/system/cleanshift-display.service",
        "the display is started with the machine",
    ),
    (
        "/etc/systemd/system/graphical.target.wants/cleanshift.service",
        "/usr/lib/systemd/system/cleanshift.service",
        "the shell is started with the machine",
    ),
    (
        "/etc/systemd/system/sockets.target.wants/cleanshift-looker.socket",
        "/usr/lib/systemd/system/cleanshift-looker.socket",
        "the shell can ask for what only root may count",
    ),
    (
        "/etc/systemd/system/getty@tty1.service",
        "/dev/null",
        "no login prompt on the terminal that the display uses",
    ),
    ("/etc/systemd/system/autovt@.service", "/dev/null", "no login prompts on other terminals"),
    (
        "/etc/systemd/system/ctrl-alt-del.target",
        "/dev/null",
        "Ctrl+Alt+Del does not start the machine anew in the middle of a session",
    ),
];

/// All that is laid on every host.
#[must_use]
pub fn laid() -> Vec<Laid> {
    let files = FILES.iter().map(|(path, text, why)| Laid {
        path: (*path).to_owned(),
        what: What::File(text.as_bytes().to_vec()),
        why,
    });
    let links = LINKS.iter().map(|(path, target, why)| Laid {
        path: (*path).to_owned(),
        what: What::Link(PathBuf::from(target)),
        why,
    });
    files.chain(links).collect()
}
