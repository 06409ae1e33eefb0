//! Counting what is in the capsule before it dies: numbers only, never contents.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::bus;
use crate::platform::linux::display::selections::Kept;
use crate::platform::linux::gates::{
    AGENTS, BROWSERS, CLIPBOARDS, LEARNED, PICTURES, RECENT, SERVICES, is_git_cache,
};
use crate::platform::linux::{pace, reach};

/// The most entries that are counted in one place.
const MOST: u64 = 100_000;
/// How long the session's display and keyring may take to answer: a program in it may hold them.
const ANSWER: Duration = Duration::from_millis(250);
/// Where the session may write besides its home and runtime directory.
const PLACES: [(&str, &str); 3] =
    [("tmp files", "/tmp"), ("var-tmp files", "/var/tmp"), ("shm files", "/dev/shm")];

/// What is in the capsule now, by name; the gates take up each name. What could not be counted is not
/// named.
pub(super) fn count(environment: &[(String, String)]) -> Vec<(String, u64)> {
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    let (home, runtime) = (Path::new(value("HOME")), Path::new(value("XDG_RUNTIME_DIR")));
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{}", value("DISPLAY").trim_start_matches(':')));
    let cookie = PathBuf::from(value("XAUTHORITY"));
    let shown = aside(move || {
        let things = Kept::behind(&socket, &cookie).and_then(|kept| kept.things());
        things.ok().map(|things| number(things.len()))
    });
    let address = value("DBUS_SESSION_BUS_ADDRESS").to_owned();
    let items = aside(move || bus::keyring_items(&address));
    let mut counts = Vec::new();
    let mut told = |name: &str, count: u64| counts.push((name.to_owned(), count));
    let programs = processes();
    let named =
        |wanted: &[&str]| number(programs.iter().filter(|(_, name)| wanted.contains(&name.as_str())).count());
    told("processes", number(programs.len()));
    told("user managers", named(&["systemd"]));
    told("bus services", named(&SERVICES));
    let caches = programs.iter().filter(|(pid, name)| is_git_cache(*pid, name)).count();
    told("key agents", named(&AGENTS) + number(caches));
    told("home files", files(home, MOST));
    told("runtime files", files(runtime, MOST));
    for (name, place) in PLACES {
        told(name, files(Path::new(place), MOST));
    }
    for (name, places) in [
        ("clipboard databases", CLIPBOARDS),
        ("browser files", BROWSERS),
        ("histories", RECENT),
        ("saved files", PICTURES),
        ("preferences", LEARNED),
    ] {
        told(name, places.iter().map(|place| files(&home.join(place), MOST)).sum());
    }
    let starting = |place: &Path, start: &str| {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        number(entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(start)).count())
    };
    let cache = files(Path::new(value("KRB5CCNAME").trim_start_matches("DIR:")), MOST);
    told("tickets", cache + starting(Path::new("/tmp"), "krb5cc"));
    told("Wayland sockets", starting(runtime, "wayland-"));
    told("core dumps", starting(home, "core") + starting(Path::new("/tmp"), "core"));
    let mut writable: Vec<PathBuf> = PLACES.iter().map(|(_, place)| PathBuf::from(place)).collect();
    writable.push(home.to_owned());
    told("files for others", writable.iter().map(|place| borrowed(place, MOST)).sum());
    for kind in ["shm", "sem", "msg"] {
        told(&format!("sysv {kind}"), rows(&format!("/proc/sysvipc/{kind}")));
    }
    told("kernel keys", lines("/proc/keys", |line| line.contains(" user ") || line.contains("logon")));
    told("abstract sockets", lines("/proc/net/unix", |line| line.contains(" @")));
    told("listening ports", ["tcp", "tcp6"].iter().map(|kind| listening(kind)).sum());
    for (name, answer) in [("selections", shown), ("keyring items", items)] {
        if let Some(count) = answer.and_then(|answer| answer.recv_timeout(pace::patience(ANSWER)).ok()) {
            told(name, count);
        }
    }
    counts.extend(reach::tried());
    counts
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// All processes: their pids and their names, as the kernel keeps them.
fn processes() -> Vec<(i32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(|pid| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        (pid, name.trim().to_owned())
    })
    .collect()
}

fn files(place: &Path, most: u64) -> u64 {
    if std::fs::symlink_metadata(place).is_ok_and(|data| !data.is_dir()) {
        return 1;
    }
    let mut seen = 0;
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        if seen >= most {
            break;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            seen += files(&entry.path(), most - seen);
        } else {
            seen += 1;
        }
    }
    seen
}

/// Files that run as their owner or group.
fn borrowed(place: &Path, most: u64) -> u64 {
    let (mut seen, mut places, mut found) = (0, vec![place.to_owned()], 0);
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            seen += 1;
            if seen > most {
                return found;
            }
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                places.push(entry.path());
            } else if data.is_file() && data.permissions().mode() & 0o6000 != 0 && data.nlink() > 0 {
                found += 1;
            }
        }
    }
    found
}

fn rows(table: &str) -> u64 {
    // The first line is the heading.
    lines(table, |_| true).saturating_sub(1)
}

fn lines(file: &str, wanted: impl Fn(&str) -> bool) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    number(text.lines().filter(|line| wanted(line)).count())
}

fn listening(kind: &str) -> u64 {
    lines(&format!("/proc/net/{kind}"), |line| line.split_whitespace().nth(3) == Some("0A"))
}

/// Counts on a thread of its own, so that whoever is asked cannot hold up the rest.
fn aside(count: impl FnOnce() -> Option<u64> + Send + 'static) -> Option<Receiver<u64>> {
    let (answer, answered) = channel();
    let ask = move || {
        if let Some(count) = count() {
            let _ = answer.send(count);
        }
    };
    std::thread::Builder::new().spawn(ask).ok().map(|_| answered)
}

/// 24 bytes from the kernel, in hexadecimal: the keyring's password, known to nobody afterwards.
pub(super) fn random_password() -> Result<String, String> {
    let mut bytes = [0; 24];
    let mut source =
        std::fs::File::open("/dev/urandom").map_err(|error| format!("open /dev/urandom: {error}"))?;
    source.read_exact(&mut bytes).map_err(|error| format!("read /dev/urandom: {error}"))?;
    Ok(hex::encode(bytes))
}
