//! Class 14, and what programs keep of a person in the registry (class 9 as well): the account's own registry, taken
//! before the first session and put back after every one. What starts programs (Run, COM, file associations), what was
//! opened last, printers and preferences are in it.
//!
//! Values larger than [`KEPT`] are known by their hash, and cannot be put back; a registry with more keys than
//! [`MOST`] cannot be vouched for. What Windows itself writes there all the time ([`NOISE`]) is put back and not counted.

use std::collections::BTreeMap;
use std::fmt;
use std::ptr::{null, null_mut};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_PATH_NOT_FOUND, ERROR_SUCCESS,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_READ, KEY_SET_VALUE, KEY_WOW64_64KEY, RegCloseKey,
    RegCreateKeyExW, RegDeleteKeyValueW, RegDeleteTreeW, RegEnumKeyExW, RegEnumValueW, RegOpenKeyExW,
    RegSetValueExW,
};

use super::{Gate, Ground, Look, SEAM, Trace};
use crate::platform::windows::registry::wide;

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 14,
    name: "the account's registry",
    what: "changes",
    method: "HKEY_CURRENT_USER against its baseline",
    inside: true,
    partial: None,
    look,
    clear: Some(|ground, traces| put_back(&ground.baseline.hive, traces)),
}];

/// The most keys that are looked at.
const MOST: usize = 150_000;
/// How deep keys are followed; a key that leads back to itself ends there.
const DEPTH: usize = 40;
/// The largest value that is kept to be put back, in bytes.
const KEPT: usize = 256 << 10;
/// The longest name of a value, in UTF-16 units.
const NAME: usize = 16_384;
/// How much of a key's path is shown: what is deeper can be a person's.
const SHOWN: usize = 4;

/// Where Windows itself writes all the time, whoever is at work.
const NOISE: [&str; 12] = [
    r"Volatile Environment",
    r"Software\Classes\Local Settings\MrtCache",
    r"Software\Classes\Local Settings\Software\Microsoft\Windows\CurrentVersion\AppModel",
    r"Software\Microsoft\Windows NT\CurrentVersion\HostActivityManager",
    r"Software\Microsoft\Windows\CurrentVersion\CloudStore",
    r"Software\Microsoft\Windows\CurrentVersion\ContentDeliveryManager",
    r"Software\Microsoft\Windows\CurrentVersion\Diagnostics",
    r"Software\Microsoft\Windows\CurrentVersion\Explorer\SessionInfo",
    r"Software\Microsoft\Windows\CurrentVersion\Notifications",
    r"Software\Microsoft\Windows\CurrentVersion\PushNotifications",
    r"Software\Microsoft\Windows\CurrentVersion\Search",
    r"Software\Microsoft\Windows\DWM",
];

/// A registry as it stood.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Hive {
    keys: BTreeMap<String, Key>,
    /// Whether it was taken at all.
    taken: bool,
    /// Why it may not be all.
    blind: Option<String>,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Key {
    Open(BTreeMap<String, Value>),
    /// This account may not look into it.
    Closed,
}

/// A value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    kind: u32,
    hash: [u8; 32],
    /// What it is, where it is small enough to be kept.
    #[serde(with = "as_text")]
    bytes: Option<Vec<u8>>,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values can be anybody's: only their kind is ever shown.
        write!(f, "Value({})", self.kind)
    }
}

/// Bytes as hexadecimal text, which is less than half of a list of numbers.
mod as_text {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(hex::encode).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|text| hex::decode(text).map_err(de::Error::custom))
            .transpose()
    }
}

/// An open key.
struct Opened(HKEY);

impl Drop for Opened {
    #[expect(unsafe_code, reason = "keys are closed by Windows' own call")]
    fn drop(&mut self) {
        // SAFETY: it was opened by `open` or `make` and is not used any more.
        let _ = unsafe { RegCloseKey(self.0) };
    }
}

#[expect(unsafe_code, reason = "the registry is asked by pointers")]
fn open(base: HKEY, path: &str, rights: u32) -> Result<Opened, u32> {
    let path = wide(path);
    let mut key = null_mut();
    // SAFETY: the path ends with a zero; the place for the key outlives the call.
    match unsafe { RegOpenKeyExW(base, path.as_ptr(), 0, rights | KEY_WOW64_64KEY, &raw mut key) } {
        ERROR_SUCCESS => Ok(Opened(key)),
        code => Err(code),
    }
}

#[expect(unsafe_code, reason = "the registry is asked by pointers")]
fn below(key: &Opened) -> Result<Vec<String>, u32> {
    let mut names = Vec::new();
    let mut room = [0_u16; 260];
    loop {
        let mut length = 260;
        let number = u32::try_from(names.len()).unwrap_or(u32::MAX);
        // SAFETY: the key is open; the room is as long as is said.
        let code = unsafe {
            RegEnumKeyExW(
                key.0,
                number,
                room.as_mut_ptr(),
                &raw mut length,
                null(),
                null_mut(),
                null_mut(),
                null_mut(),
            )
        };
        match code {
            ERROR_SUCCESS => {
                names.push(String::from_utf16_lossy(room.get(..length as usize).unwrap_or_default()));
            }
            ERROR_NO_MORE_ITEMS => return Ok(names),
            code => return Err(code),
        }
    }
}

#[expect(unsafe_code, reason = "the registry is asked by pointers")]
fn values(key: &Opened) -> Result<BTreeMap<String, Value>, u32> {
    let mut found = BTreeMap::new();
    let mut name = vec![0_u16; NAME];
    let mut room = vec![0_u8; 4096];
    let mut number = 0;
    loop {
        let (mut length, mut kind) = (u32::try_from(NAME).unwrap_or(0), 0);
        let mut bytes = u32::try_from(room.len()).unwrap_or(0);
        // SAFETY: the key is open; name and room are as large as is said.
        let code = unsafe {
            RegEnumValueW(
                key.0,
                number,
                name.as_mut_ptr(),
                &raw mut length,
                null(),
                &raw mut kind,
                room.as_mut_ptr(),
                &raw mut bytes,
            )
        };
        match code {
            ERROR_SUCCESS => {
                let data = room.get(..bytes as usize).unwrap_or_default();
                let name = String::from_utf16_lossy(name.get(..length as usize).unwrap_or_default());
                let bytes = (data.len() <= KEPT).then(|| data.to_vec());
                let _ = found.insert(name, Value { kind, hash: Sha256::digest(data).into(), bytes });
                number += 1;
            }
            ERROR_MORE_DATA if room.len() < 64 << 20 => room = vec![0; (bytes as usize).max(room.len() * 2)],
            ERROR_NO_MORE_ITEMS => return Ok(found),
            code => return Err(code),
        }
    }
}

impl Hive {
    /// The account's registry as it is now.
    pub(super) fn take() -> Self {
        let mut hive = Self { taken: true, ..Self::default() };
        hive.walk("", DEPTH);
        hive
    }

    fn walk(&mut self, path: &str, depth: usize) {
        if self.keys.len() >= MOST || depth == 0 {
            self.blind = Some("the account's registry is larger or deeper than can be looked at".to_owned());
            return;
        }
        let Ok(key) = open(HKEY_CURRENT_USER, path, KEY_READ) else {
            let _ = self.keys.insert(path.to_owned(), Key::Closed);
            return;
        };
        let (Ok(values), Ok(names)) = (values(&key), below(&key)) else {
            let _ = self.keys.insert(path.to_owned(), Key::Closed);
            return;
        };
        drop(key);
        let _ = self.keys.insert(path.to_owned(), Key::Open(values));
        for name in names {
            let path = if path.is_empty() { name } else { format!(r"{path}\{name}") };
            self.walk(&path, depth - 1);
        }
    }

    /// What differs from how it stood.
    fn changes(&self, now: &Self) -> Vec<Change> {
        let mut found = Vec::new();
        for (path, key) in &now.keys {
            match (self.keys.get(path), key) {
                (None, _) => {
                    // What is below a new key is new with it.
                    let above = path.rsplit_once('\\').map_or("", |(above, _)| above);
                    if self.keys.contains_key(above) {
                        found.push(Change::NewKey(path.clone()));
                    }
                }
                (Some(Key::Open(old)), Key::Open(new)) => {
                    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
                    let changed = names.filter(|name| {
                        let (old, new) = (old.get(*name), new.get(*name));
                        old.map(|old| (old.kind, old.hash)) != new.map(|new| (new.kind, new.hash))
                    });
                    found.extend(changed.map(|name| Change::Value(path.clone(), name.clone())));
                }
                (Some(Key::Closed), Key::Closed) => {}
                (Some(_), _) => found.push(Change::Closed(path.clone())),
            }
        }
        let gone = self.keys.keys().filter(|path| !now.keys.contains_key(*path));
        found.extend(gone.map(|path| Change::LostKey(path.clone())));
        found
    }
}

/// One change, since the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    NewKey(String),
    LostKey(String),
    /// It can be looked into now and could not before, or the other way.
    Closed(String),
    /// A value came, went, or is another.
    Value(String, String),
}

impl Change {
    fn path(&self) -> &str {
        match self {
            Self::NewKey(path) | Self::LostKey(path) | Self::Closed(path) | Self::Value(path, _) => path,
        }
    }

    fn is_noise(&self) -> bool {
        let path = self.path().to_ascii_lowercase();
        NOISE.iter().any(|noise| {
            let noise = noise.to_ascii_lowercase();
            path == noise || path.strip_prefix(&noise).is_some_and(|rest| rest.starts_with('\\'))
        })
    }

    fn trace(&self) -> Trace {
        let what = match self {
            Self::NewKey(_) => "a new key",
            Self::LostKey(_) => "a missing key",
            Self::Closed(_) => "a key that changed its rights",
            Self::Value(..) => "a value",
        };
        let value = if let Self::Value(_, name) = self { name.as_str() } else { "" };
        let place: Vec<&str> = self.path().split('\\').take(SHOWN).collect();
        Trace::shown(
            format!("{what}{SEAM}{}{SEAM}{value}", self.path()),
            format!(r"{what} in HKCU\{}", place.join(r"\")),
        )
    }
}

fn look(ground: &Ground) -> Look {
    let old = &ground.baseline.hive;
    if !old.taken {
        return Look::Anew(Vec::new());
    }
    let now = Hive::take();
    let changes = old.changes(&now);
    let traces = changes.iter().filter(|change| !change.is_noise()).map(Change::trace).collect();
    match old.blind.clone().or(now.blind) {
        Some(why) => Look::Partly(traces, why),
        None => Look::Anew(traces),
    }
}

/// Puts the account's registry back as it stood; what could not be is for a second look to tell.
fn put_back(old: &Hive, _: &[Trace]) {
    // New keys go first and whole; then what is missing comes, parents before what is in them.
    let now = Hive::take();
    let changes = old.changes(&now);
    for change in &changes {
        if let Change::NewKey(path) = change {
            delete(path);
        }
    }
    for change in &changes {
        match change {
            Change::LostKey(path) => {
                if let (Some(key), Some(Key::Open(values))) = (make(path), old.keys.get(path)) {
                    values.iter().for_each(|(name, value)| set(&key, name, value));
                }
            }
            Change::Value(path, name) => match old.keys.get(path) {
                Some(Key::Open(values)) => match values.get(name) {
                    Some(value) => {
                        if let Ok(key) = open(HKEY_CURRENT_USER, path, KEY_SET_VALUE) {
                            set(&key, name, value);
                        }
                    }
                    None => delete_value(path, name),
                },
                Some(Key::Closed) | None => {}
            },
            Change::NewKey(_) | Change::Closed(_) => {}
        }
    }
}

#[expect(unsafe_code, reason = "the registry is changed by pointers")]
fn delete(path: &str) {
    let name = wide(path);
    // SAFETY: the path ends with a zero, and is never empty: the baseline always has the root.
    let _ = unsafe { RegDeleteTreeW(HKEY_CURRENT_USER, name.as_ptr()) };
}

#[expect(unsafe_code, reason = "the registry is changed by pointers")]
fn delete_value(path: &str, name: &str) {
    let (path, name) = (wide(path), wide(name));
    // SAFETY: both end with a zero.
    let _ = unsafe { RegDeleteKeyValueW(HKEY_CURRENT_USER, path.as_ptr(), name.as_ptr()) };
}

#[expect(unsafe_code, reason = "the registry is changed by pointers")]
fn make(path: &str) -> Option<Opened> {
    let name = wide(path);
    let mut key = null_mut();
    // SAFETY: the path ends with a zero; the place for the key outlives the call.
    let code = unsafe {
        RegCreateKeyExW(
            HKEY_CURRENT_USER,
            name.as_ptr(),
            0,
            null(),
            0,
            KEY_SET_VALUE | KEY_WOW64_64KEY,
            null(),
            &raw mut key,
            null_mut(),
        )
    };
    (code == ERROR_SUCCESS).then_some(Opened(key))
}

#[expect(unsafe_code, reason = "the registry is changed by pointers")]
fn set(key: &Opened, name: &str, value: &Value) {
    let Some(bytes) = &value.bytes else { return };
    let name = wide(name);
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    // SAFETY: the key is open; the name ends with a zero; there are as many bytes as is said.
    let _ = unsafe { RegSetValueExW(key.0, name.as_ptr(), 0, value.kind, bytes.as_ptr(), length) };
}

/// Whether the machine's registry has this key; else by which code it could not be said.
pub(super) fn machine_key(path: &str) -> Result<bool, u32> {
    match open(HKEY_LOCAL_MACHINE, path, KEY_READ) {
        Ok(_) => Ok(true),
        Err(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) => Ok(false),
        Err(code) => Err(code),
    }
}

/// Whether the machine's registry has this key, as far as this account may see.
#[must_use]
pub fn has_machine_key(path: &str) -> bool {
    machine_key(path) == Ok(true)
}

/// The values of a key of the machine's registry, by name and hash; none where there is no such key.
pub(super) fn machine_values(path: &str) -> Result<Vec<(String, String)>, u32> {
    match open(HKEY_LOCAL_MACHINE, path, KEY_READ).and_then(|key| values(&key)) {
        Ok(found) => Ok(found.into_iter().map(|(name, value)| (name, hex::encode(value.hash))).collect()),
        Err(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) => Ok(Vec::new()),
        Err(code) => Err(code),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes a text into the account's registry, as an app would.
    pub(in crate::platform::windows::gates) fn plant(path: &str, name: &str, text: &str) {
        let key = make(path).expect("the key is made");
        let bytes: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        set(&key, name, &Value { kind: 1, hash: Sha256::digest(&bytes).into(), bytes: Some(bytes) });
    }

    pub(in crate::platform::windows::gates) fn unplant(path: &str) {
        delete(path);
    }

    pub(in crate::platform::windows::gates) fn unplant_value(path: &str, name: &str) {
        delete_value(path, name);
    }

    pub(in crate::platform::windows::gates) fn planted(path: &str, name: &str) -> Option<Vec<u8>> {
        let key = open(HKEY_CURRENT_USER, path, KEY_READ).ok()?;
        values(&key).ok()?.get(name)?.bytes.clone()
    }

    #[test]
    fn what_windows_writes_itself_is_noise_and_what_is_named_alike_is_not() {
        assert!(Change::NewKey(r"volatile environment\1".to_owned()).is_noise());
        assert!(Change::NewKey("Volatile Environment".to_owned()).is_noise());
        assert!(!Change::NewKey("Volatile Environment2".to_owned()).is_noise());
        assert!(
            !Change::Value(r"Software\Microsoft\Windows\CurrentVersion\Run".to_owned(), "x".to_owned())
                .is_noise()
        );
    }
}
