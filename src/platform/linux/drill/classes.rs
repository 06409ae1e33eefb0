//! The classes of traces as a drill names them, and those that no program can plant.

/// The classes, by number from 1 (requirements.md §2.2), as they stand in the table.
pub const CLASSES: [&str; 28] = [
    "processes",
    "user services",
    "D-Bus and its services",
    "scheduled jobs",
    "X clipboard and root window",
    "Wayland clipboard",
    "clipboard managers",
    "keyring",
    "kernel keys",
    "key agents and cards",
    "Kerberos tickets",
    "browser profiles",
    "temporary files",
    "System V and POSIX IPC",
    "sockets and ports",
    "recent files and histories",
    "print jobs",
    "mounted media",
    "pictures and downloads",
    "core dumps",
    "system log",
    "swap and hibernation",
    "freed memory",
    "graphics memory",
    "network identity",
    "learned input",
    "files for other accounts",
    "sign-ins elsewhere",
];

/// Classes that no program can plant: why.
pub const NOT_PLANTED: [(u8, &str); 5] = [
    (6, "a session has X alone, and no Wayland display runs here"),
    (22, "only a setting of the host can answer"),
    (23, "only a setting of the host can answer"),
    (24, "graphics memory cannot be looked at by a program"),
    (28, "a drill signs nobody in elsewhere"),
];

/// A class's name.
#[must_use]
pub fn name(class: u8) -> &'static str {
    usize::from(class).checked_sub(1).and_then(|place| CLASSES.get(place)).copied().unwrap_or("?")
}
