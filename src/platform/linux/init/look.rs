//! Counting what is in the capsule before it dies: numbers only, never contents.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// The most entries that are counted in one place.
const MOST: u64 = 100_000;

/// What is in the capsule now, by name.
pub(super) fn count(environment: &[(String, String)]) -> Vec<(String, u64)> {
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    let mut counts = vec![("processes".to_owned(), processes())];
    for (name, place) in [
        ("home files", value("HOME")),
        ("runtime files", value("XDG_RUNTIME_DIR")),
        ("tmp files", "/tmp"),
        ("var-tmp files", "/var/tmp"),
        ("shm files", "/dev/shm"),
    ] {
        counts.push((name.to_owned(), files(Path::new(place), MOST)));
    }
    for kind in ["shm", "sem", "msg"] {
        counts.push((format!("sysv {kind}"), rows(&format!("/proc/sysvipc/{kind}"))));
    }
    counts.push((
        "kernel keys".to_owned(),
        lines("/proc/keys", |line| line.contains(" user ") || line.contains("logon")),
    ));
    counts.push(("abstract sockets".to_owned(), lines("/proc/net/unix", |line| line.contains(" @"))));
    counts.push(("keyring items".to_owned(), keyring_items(environment)));
    counts
}

fn processes() -> u64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    u64::try_from(pids.count()).unwrap_or(u64::MAX)
}

fn files(place: &Path, most: u64) -> u64 {
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

fn rows(table: &str) -> u64 {
    // The first line is the heading.
    lines(table, |_| true).saturating_sub(1)
}

fn lines(file: &str, wanted: impl Fn(&str) -> bool) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    u64::try_from(text.lines().filter(|line| wanted(line)).count()).unwrap_or(u64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "PID 1 of a capsule asks the capsule's own bus")]
fn keyring_items(environment: &[(String, String)]) -> u64 {
    let asked = Command::new("/usr/bin/dbus-send")
        .env_clear()
        .envs(environment.iter().cloned())
        .args(["--session", "--print-reply", "--reply-timeout=300", "--dest=org.freedesktop.secrets"])
        .arg("/org/freedesktop/secrets/collection/session")
        .args([
            "org.freedesktop.DBus.Properties.Get",
            "string:org.freedesktop.Secret.Collection",
            "string:Items",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let reply = asked.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&reply);
    u64::try_from(text.matches("object path").count()).unwrap_or(u64::MAX)
}

/// 24 bytes from the kernel, in hexadecimal: the keyring's password, known to nobody afterwards.
pub(super) fn random_password() -> Result<String, String> {
    let mut bytes = [0; 24];
    let mut source =
        std::fs::File::open("/dev/urandom").map_err(|error| format!("open /dev/urandom: {error}"))?;
    source.read_exact(&mut bytes).map_err(|error| format!("read /dev/urandom: {error}"))?;
    Ok(hex::encode(bytes))
}
