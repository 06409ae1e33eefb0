//! The pepper: the key without which the stored PINs are worth nothing, kept apart from them.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ports::{PortError, Result};
use crate::private;

/// The name under which the host's keyring holds it.
const SERVICE: &str = "cleanshift";
/// How long the host's keyring may take before the file is used instead: a locked one waits for a
/// person who is not there.
const KEYRING: Duration = Duration::from_secs(2);

/// The most bytes of its file, in which it may stand sealed.
const MOST: usize = 4096;

/// 32 random bytes, wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Pepper([u8; 32]);

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper(\u{2022})")
    }
}

/// Where the pepper is kept, for the capability report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PepperHome {
    /// A file that only this account may read.
    File,
    /// The host's keyring.
    Keyring,
}

impl PepperHome {
    /// For the capability report.
    #[must_use]
    pub fn report(self) -> String {
        match self {
            Self::File => format!("{}, apart from the database", private::OF_ACCOUNT),
            Self::Keyring => "the host's keyring".to_owned(),
        }
    }
}

impl Pepper {
    /// Opens the station's pepper, or makes it where nothing has been hashed with one yet.
    ///
    /// A file that is there is used. Else the host's keyring is asked, when `keyring` says that one
    /// can be reached. `in_use` says that the roster holds PINs: then a missing pepper is an error,
    /// because a new one would silently lock everybody out. `origin` is the name that the ledger was begun with, under
    /// which the keyring has it: the station may be called otherwise since.
    ///
    /// Whoever is not the owner of the state directory has another keyring than the station, and does not use it:
    /// what root puts into a keyring of its own, the station's account would never find.
    ///
    /// # Errors
    /// A fragment with the remedy.
    pub fn open(state: &Path, origin: &str, keyring: bool, in_use: bool) -> Result<(Self, PepperHome)> {
        let file = state.join("pepper");
        if let Some(pepper) = read(&file)? {
            return Ok((pepper, PepperHome::File));
        }
        let own = private::is_own(state);
        let origin = origin.to_owned();
        if keyring
            && own
            && let Some(pepper) = bounded(move || from_keyring(&origin, in_use))
        {
            return Ok((pepper, PepperHome::Keyring));
        }
        if in_use && !own {
            return Err(PortError(format!(
                "find the pepper: {} is missing. Where it is in a keyring, only the account that owns {} has that: run \
                 this as that account. Else restore it from the backup, or reset every PIN after making a new one",
                file.display(),
                state.display()
            )));
        }
        if in_use {
            return Err(PortError(format!(
                "find the pepper: {} is missing, and the host's keyring has none. Restore it from the backup, or reset \
                 every PIN after making a new one",
                file.display()
            )));
        }
        Ok((create(&file)?, PepperHome::File))
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }

    fn fresh() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| PortError(format!("get random bytes: {error}")))?;
        Ok(Self(bytes))
    }
}

fn read(file: &Path) -> Result<Option<Pepper>> {
    let failed = |error: std::io::Error| PortError(format!("read the pepper {}: {error}", file.display()));
    let source = match fs::File::open(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    if private::is_open_to_others(&source).map_err(failed)? {
        return Err(PortError(format!(
            "trust the pepper {}: others may read it. Run: {}",
            file.display(),
            private::remedy(file)
        )));
    }
    let mut kept = Zeroizing::new(Vec::with_capacity(MOST));
    let _ = source.take(MOST as u64).read_to_end(&mut kept).map_err(failed)?;
    let secret = private::unseal(&kept).map_err(failed)?;
    match <[u8; 32]>::try_from(secret.as_slice()) {
        Ok(bytes) => Ok(Some(Pepper(bytes))),
        Err(_) => Err(PortError(format!(
            "read the pepper {}: it is not one of 32 bytes. Put it back from the backup",
            file.display()
        ))),
    }
}

fn create(file: &Path) -> Result<Pepper> {
    let failed = |error: std::io::Error| PortError(format!("write the pepper {}: {error}", file.display()));
    let pepper = Pepper::fresh()?;
    let mut target = private::new_file(file).map_err(failed)?;
    let sealed = private::seal(&pepper.0).map_err(failed)?;
    target.write_all(&sealed).and_then(|()| target.sync_all()).map_err(failed)?;
    if let Some(dir) = file.parent() {
        private::hand_over(&target, dir).map_err(failed)?;
    }
    Ok(pepper)
}

/// Asks on a thread of its own, and gives up on it after a while.
fn bounded(ask: impl FnOnce() -> Option<Pepper> + Send + 'static) -> Option<Pepper> {
    let (answer, answered) = std::sync::mpsc::channel();
    drop(std::thread::spawn(move || {
        let _ = answer.send(ask());
    }));
    answered.recv_timeout(KEYRING).ok().flatten()
}

fn from_keyring(origin: &str, in_use: bool) -> Option<Pepper> {
    let entry = keyring::Entry::new(SERVICE, origin).ok()?;
    match entry.get_secret() {
        Ok(secret) => Some(Pepper(secret.try_into().ok()?)),
        Err(keyring::Error::NoEntry) if !in_use => {
            let pepper = Pepper::fresh().ok()?;
            entry.set_secret(&pepper.0).ok()?;
            Some(pepper)
        }
        Err(_) => None,
    }
}
