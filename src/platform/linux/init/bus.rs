//! One question to the capsule's own bus: how many items the session's keyring has. Asked over the
//! socket itself, because starting a program for it takes longer than all other counts together.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::platform::linux::pace;

/// How long the bus may keep silent.
const PATIENCE: Duration = Duration::from_millis(300);
/// The longest answer that is read.
const LONGEST: usize = 4 << 20;
/// Kinds of messages.
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
/// Where the items of the session's collection are.
const COLLECTION: &str = "/org/freedesktop/secrets/collection/session";

/// How many items the session's collection has; `None` where the bus or the keyring does not say.
pub(super) fn keyring_items(address: &str) -> Option<u64> {
    let mut bus = UnixStream::connect(address.strip_prefix("unix:path=")?).ok()?;
    bus.set_read_timeout(Some(pace::patience(PATIENCE))).ok()?;
    let uid = hex::encode(rustix::process::getuid().as_raw().to_string());
    bus.write_all(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes()).ok()?;
    let mut greeting = [0; 128];
    let read = bus.read(&mut greeting).ok()?;
    if !greeting.get(..read)?.starts_with(b"OK ") {
        return None;
    }
    let hello =
        call(1, ["/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "org.freedesktop.DBus"], &[]);
    let get = call(
        2,
        [COLLECTION, "org.freedesktop.DBus.Properties", "Get", "org.freedesktop.secrets"],
        &["org.freedesktop.Secret.Collection", "Items"],
    );
    bus.write_all(&[b"BEGIN\r\n".as_slice(), &hello, &get].concat()).ok()?;
    // The answer to the greeting comes first, and signals may come between.
    for wanted in [false, true] {
        loop {
            let (kind, message) = receive(&mut bus)?;
            match kind {
                RETURN if wanted => return Some(items(&message)),
                RETURN => break,
                ERROR => return None,
                _ => {}
            }
        }
    }
    None
}

/// Items are told by their paths below the collection's.
fn items(message: &[u8]) -> u64 {
    let start = format!("{COLLECTION}/");
    let found = message.windows(start.len()).filter(|part| *part == start.as_bytes());
    u64::try_from(found.count()).unwrap_or(u64::MAX)
}

/// A method call with strings alone (D-Bus specification, "Message Format").
fn call(serial: u32, [path, interface, member, destination]: [&str; 4], arguments: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    for argument in arguments {
        string(&mut body, argument);
    }
    let mut fields = Vec::new();
    for (code, kind, value) in
        [(1, b'o', path), (2, b's', interface), (3, b's', member), (6, b's', destination)]
    {
        align(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        string(&mut fields, value);
    }
    if !arguments.is_empty() {
        align(&mut fields, 8);
        let signature = "s".repeat(arguments.len());
        fields.extend([8, 1, b'g', 0, u8::try_from(signature.len()).unwrap_or(0)]);
        fields.extend(signature.as_bytes());
        fields.push(0);
    }
    let mut message = vec![b'l', CALL, 0, 1];
    message.extend(length(&body).to_le_bytes());
    message.extend(serial.to_le_bytes());
    message.extend(length(&fields).to_le_bytes());
    message.extend(fields);
    align(&mut message, 8);
    message.extend(body);
    message
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(0)
}

fn align(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    align(bytes, 4);
    bytes.extend(length(text.as_bytes()).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

/// The next message: its kind, and all of it.
fn receive(bus: &mut UnixStream) -> Option<(u8, Vec<u8>)> {
    let mut message = vec![0; 16];
    bus.read_exact(&mut message).ok()?;
    let number = |at: usize| -> Option<usize> {
        let bytes: [u8; 4] = message.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let rest = number(12)?.checked_next_multiple_of(8)?.checked_add(number(4)?)?;
    if rest > LONGEST {
        return None;
    }
    let kind = *message.get(1)?;
    let mut tail = vec![0; rest];
    bus.read_exact(&mut tail).ok()?;
    message.extend(tail);
    Some((kind, message))
}
