//! Where the station keeps what only it may know: its sign-in key and the secrets of calls. In the host's keyring
//! where there is one, else in files that only the station's account may read.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::ports::{PortError, Result};
use crate::private;

/// The name under which the host's keyring holds them.
const SERVICE: &str = "cleanshift";
/// How long the host's keyring may take: a locked one waits for a person who is not there.
const KEYRING: Duration = Duration::from_secs(2);
/// The longest that is kept, bytes.
const MOST: u64 = 64 * 1024;
/// What the files' names begin with, so that no name of a secret is a name that the system knows.
const PREFIX: &str = "secret-";
/// What the names of the notes begin with that say that the keyring has one.
const NOTE: &str = "keyring-";

/// The keyring and the files of one station.
#[derive(Clone, Debug)]
pub struct Vault {
    state: PathBuf,
    origin: String,
    keyring: bool,
}

/// Where a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The host's keyring.
    Keyring,
    /// A file that only the station's account may read.
    File,
}

impl Home {
    /// For people.
    #[must_use]
    pub fn report(self) -> &'static str {
        match self {
            Self::Keyring => "the host's keyring",
            Self::File => private::OF_ACCOUNT,
        }
    }
}

impl Vault {
    /// The vault of the station with this state directory, whose ledger was begun with this name: the keyring has its
    /// secrets under that. `keyring` says that the host's keyring can be reached.
    ///
    /// Whoever is not the owner of the state directory has another keyring than the station, and does not use it.
    #[must_use]
    pub fn of(state: &Path, origin: &str, keyring: bool) -> Self {
        Self {
            state: state.to_owned(),
            origin: origin.to_owned(),
            keyring: keyring && private::is_own(state),
        }
    }

    /// What is kept under this name: a file first, else what the keyring has. May take as long as the keyring.
    ///
    /// # Errors
    /// A fragment with the remedy, where a file is there and cannot be trusted or read, or where the keyring cannot be
    /// asked: what cannot be looked at is not missing.
    pub fn get(&self, name: &str) -> Result<Option<(Zeroizing<Vec<u8>>, Home)>> {
        if let Some(found) = read(&self.file(name))? {
            return Ok(Some((found, Home::File)));
        }
        if !self.keyring {
            return if self.is_in_keyring(name) { Err(self.unreachable(name)) } else { Ok(None) };
        }
        let found = self.ask(name, |entry| match entry.get_secret() {
            Ok(secret) => Some(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Some(None),
            Err(_) => None,
        });
        let found = found.ok_or_else(|| self.unreachable(name))?;
        if found.is_none() && self.is_in_keyring(name) {
            return Err(PortError(format!(
                "find the {name} in the host's keyring, where it was put: it was removed there, or the keyring is \
                 another one. To have it anew, remove {} first",
                self.note(name).display()
            )));
        }
        Ok(found.map(|secret| (secret, Home::Keyring)))
    }

    /// Keeps it under this name, in place of what was there.
    ///
    /// # Errors
    /// A fragment with the remedy.
    pub fn set(&self, name: &str, secret: &[u8]) -> Result<Home> {
        let copy = Zeroizing::new(secret.to_vec());
        if self.ask(name, move |entry| entry.set_secret(&copy).ok()).is_some() {
            // Noted, so that nobody to whom the keyring is closed takes it for missing and makes another.
            write(&self.note(name), b"")?;
            // One that stands in a file would be found first.
            let _ = remove(&self.file(name))?;
            return Ok(Home::Keyring);
        }
        if self.is_in_keyring(name) {
            return Err(self.unreachable(name));
        }
        let file = self.file(name);
        let sealed = private::seal(secret)
            .map_err(|error| PortError(format!("seal what goes into {}: {error}", file.display())))?;
        write(&file, &sealed)?;
        Ok(Home::File)
    }

    /// Forgets it. Whether there was one.
    ///
    /// # Errors
    /// A fragment with the remedy.
    pub fn remove(&self, name: &str) -> Result<bool> {
        let ring = self.ask(name, |entry| match entry.delete_credential() {
            Ok(()) => Some(true),
            Err(keyring::Error::NoEntry) => Some(false),
            Err(_) => None,
        });
        if ring.is_none() && self.is_in_keyring(name) {
            return Err(self.unreachable(name));
        }
        let _ = remove(&self.note(name))?;
        Ok(remove(&self.file(name))? || ring == Some(true))
    }

    /// The names of those that are kept in files.
    ///
    /// # Errors
    /// A fragment with the remedy.
    pub fn files(&self) -> Result<Vec<String>> {
        let place = self.place();
        let failed = |error: std::io::Error| PortError(format!("list {}: {error}", place.display()));
        let entries = match fs::read_dir(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let Some(written) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            let decoded =
                url::form_urlencoded::parse(written.as_bytes()).next().map(|(name, _)| name.into_owned());
            names.extend(decoded);
        }
        names.sort();
        Ok(names)
    }

    fn place(&self) -> PathBuf {
        self.state.join("secrets")
    }

    fn file(&self, name: &str) -> PathBuf {
        let written: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        self.place().join(format!("{PREFIX}{written}"))
    }

    /// Where it is noted that the keyring has it.
    fn note(&self, name: &str) -> PathBuf {
        let written: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        self.place().join(format!("{NOTE}{written}"))
    }

    fn is_in_keyring(&self, name: &str) -> bool {
        self.note(name).exists()
    }

    fn unreachable(&self, name: &str) -> PortError {
        PortError(format!(
            "ask the host's keyring for the {name}: it is locked, does not answer, or is another account's. Unlock it, \
             and run this as the station's account, in its own session"
        ))
    }

    /// Asks the keyring on a thread of its own, and gives up on it after a while.
    fn ask<T: Send + 'static>(
        &self,
        name: &str,
        question: impl FnOnce(&keyring::Entry) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        if !self.keyring {
            return None;
        }
        let account = format!("{}: {name}", self.origin);
        let (answer, answered) = std::sync::mpsc::channel();
        drop(std::thread::spawn(move || {
            let _ =
                answer.send(keyring::Entry::new(SERVICE, &account).ok().and_then(|entry| question(&entry)));
        }));
        answered.recv_timeout(KEYRING).ok().flatten()
    }
}

fn read(file: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let failed = |error: std::io::Error| PortError(format!("read {}: {error}", file.display()));
    let source = match fs::File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    if private::is_open_to_others(&source).map_err(failed)? {
        return Err(PortError(format!(
            "trust {}: others may read it. Run: {}",
            file.display(),
            private::remedy(file)
        )));
    }
    let mut kept = Zeroizing::default();
    let _ = source.take(MOST).read_to_end(&mut kept).map_err(failed)?;
    private::unseal(&kept).map(Some).map_err(failed)
}

fn write(file: &Path, secret: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| PortError(format!("write {}: {error}", file.display()));
    let place = file.parent().unwrap_or(Path::new("."));
    private::dir(place).map_err(failed)?;
    let new = file.with_extension("new");
    let _ = remove(&new)?;
    let mut target = private::new_file(&new).map_err(failed)?;
    target.write_all(secret).and_then(|()| target.sync_all()).map_err(failed)?;
    if let Some(above) = place.parent() {
        private::hand_over(&target, above)
            .and_then(|()| private::hand_over_dir(place, above))
            .map_err(failed)?;
    }
    drop(target);
    fs::rename(&new, file).map_err(failed)?;
    private::sync_dir(place).map_err(failed)
}

fn remove(file: &Path) -> Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(PortError(format!("remove {}: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_keyring_has_is_not_missing_where_it_cannot_be_asked() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::of(dir.path(), "Station 12", false);
        assert!(vault.get("sign-in key").unwrap().is_none());
        write(&vault.note("sign-in key"), b"").unwrap();
        for refused in [vault.get("sign-in key").err(), vault.set("sign-in key", b"another").err()] {
            assert!(refused.unwrap().0.contains("as the station's account"));
        }
        assert!(vault.remove("sign-in key").is_err());
        assert!(!vault.file("sign-in key").exists(), "another was made beside it");
        // Another secret is none of its business.
        assert_eq!(vault.set("call Record", b"s3cret").unwrap(), Home::File);
        assert_eq!(&*vault.get("call Record").unwrap().unwrap().0, b"s3cret");
        assert!(vault.remove("call Record").unwrap() && vault.get("call Record").unwrap().is_none());
    }
}
