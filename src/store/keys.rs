//! The station's key: made with the ledger, kept in `station.key`, and changed by an entry that the old
//! and the new one sign.
//!
//! A change is the entry's transaction. Before it, the new seed is on the disk as `station.key.new`; after
//! it, the old one is overwritten and gives its name to the new one. Whatever a crash leaves in between, the
//! ledger says which of the two files is the key.

use std::path::Path;

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::{NAME, Store, disk, files, held, ledger, schema};
use crate::evidence::{StationKey, StationSeal, checkpoint};
use crate::ports::{PortError, Result, Stamp};

const KEY: &str = "station.key";
const NEW: &str = "station.key.new";

impl Store {
    /// The station's public key, as an auditor keeps it: that of `station.key`; in a copy of the store
    /// without the secret, the newest one that the ledger names.
    ///
    /// # Errors
    /// When the key cannot be read, or is not the one that the ledger names.
    pub fn public_key(&self) -> Result<StationKey> {
        let named = ledger::current_key(&self.reader())?;
        match &self.writer {
            Some(writer) => StationKey::read(&held(writer).seal.public()).map_err(PortError::new),
            None if !self.dir.join(KEY).exists() => Ok(named),
            None => settled(&self.dir, &self.reader(), false).map(|_| named),
        }
    }

    /// The name that the ledger in this directory was begun with, which it keeps whatever the station is called later.
    /// Where there is no ledger yet: the one that it will be begun with on a station of this name.
    ///
    /// # Errors
    /// When there is a store that cannot be read.
    pub fn origin_in(dir: &Path, station: &str) -> Result<String> {
        if dir.join(NAME).exists() {
            return Ok(ledger::current_key(&Self::open_read(dir)?.reader())?.origin().to_owned());
        }
        Ok(checkpoint::origin(station))
    }

    /// The keys that the ledger has named, in their order: what an entry is signed by is one of them.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn all_keys(&self) -> Result<Vec<StationKey>> {
        ledger::keys(&self.reader())
    }

    /// Changes the station's key: the entry of kind `key` is signed by the old one and the new one, all that
    /// follow by the new one. The answer is the old key and the new one. The old secret is overwritten and gone
    /// on return, as far as the file system overwrites in place.
    ///
    /// # Errors
    /// When the store was not opened by [`Store::open`], so that a shell may be running that signs with the old
    /// key; or when the disk fails.
    pub fn rotate_key(&self, by: &str, at: &Stamp) -> Result<(StationKey, StationKey)> {
        if self._lock.is_none() {
            return Err(PortError::new("change the station's key: the shell may be running; stop it first"));
        }
        let seed = new_seed()?;
        let mut writer = self.writer()?;
        let read = |seal: &StationSeal| StationKey::read(&seal.public()).map_err(PortError::new);
        let old = read(&writer.seal)?;
        let next = StationSeal::new(old.origin().to_owned(), &seed);
        files::write_secret(&self.dir.join(NEW), &*seed)?;
        writer.rotate(&self.station, next, by, at)?;
        // What is in the WAL alone goes with the WAL, and the key that could sign without it is about to go.
        if let Err(error) = super::fold(&writer.db) {
            tracing::warn!(%error, "the new key's entry is in station.db-wal");
        }
        let new = read(&writer.seal)?;
        succeed(&self.dir)?;
        Ok((old, new))
    }
}

fn new_seed() -> Result<Zeroizing<[u8; 32]>> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)
        .map_err(|error| PortError::new(format!("make the station's key: {error}")))?;
    Ok(seed)
}

/// The new key takes the place of the old one, which is overwritten first.
fn succeed(dir: &Path) -> Result<()> {
    let (path, new) = (dir.join(KEY), dir.join(NEW));
    if path.exists() {
        files::overwrite(&path)?;
    }
    files::rename(&new, &path)
}

/// The key of a store that has entries. With `mend`, what a crash has left of a change is brought to its end.
pub(super) fn settled(dir: &Path, db: &Connection, mend: bool) -> Result<StationSeal> {
    let (path, new) = (dir.join(KEY), dir.join(NEW));
    let named = ledger::current_key(db)?;
    let seal = |seed: &[u8; 32]| StationSeal::new(named.origin().to_owned(), seed);
    let is = |seal: &StationSeal| seal.public() == named.text();
    if let Some(current) = files::read_secret(&path)?.map(|seed| seal(&seed))
        && is(&current)
    {
        if mend && new.exists() {
            // A change that its entry never followed.
            files::overwrite(&new)?;
            files::remove(&new)?;
        }
        return Ok(current);
    }
    // A crash between the entry and the key's final name.
    if let Some(next) = files::read_secret(&new)?.map(|seed| seal(&seed))
        && is(&next)
    {
        if mend {
            succeed(dir)?;
        }
        return Ok(next);
    }
    Err(PortError::new(if path.exists() {
        "open the store: station.key is not the key that the ledger was begun with, or has changed to; put that \
         one back"
    } else {
        "open the store: station.key is missing, and the ledger has entries; put the key back from a copy, or \
         move the whole state directory away to begin a new ledger"
    }))
}

/// Makes tables, key and first entry. The key gets its final name last: a key with its final name
/// and no entries means that the ledger was lost, which is never taken for a first start.
pub(super) fn make_store(dir: &Path, station: &str, db: &mut Connection) -> Result<StationSeal> {
    let (path, new) = (dir.join(KEY), dir.join(NEW));
    if path.exists() {
        return Err(PortError::new(
            "open the store: station.key is there, and the ledger is gone; put station.db back from a copy, \
             or move the whole state directory away to begin a new ledger",
        ));
    }
    let seed = new_seed()?;
    files::write_secret(&new, &*seed)?;
    let seal = StationSeal::new(checkpoint::origin(station), &seed);
    schema::create(db)?;
    ledger::begin(db, &seal, station, &crate::now::stamp())?;
    // What is in the WAL alone goes with the WAL; the first entry shall not.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(disk("make the store"))?;
    files::rename(&new, &path)?;
    Ok(seal)
}
