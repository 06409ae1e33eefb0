//! What the station must not forget is on the disk before it acts on it: one SQLite file with the
//! journal, the ledger and the roster. Every disk trick lives here.
//!
//! ```text
//! station.db    journal · ledger (with its tree and checkpoints) · its index · roster; WAL, synchronous=FULL
//! station.key   the station's Ed25519 seed; without it no entry can be written
//! station.lock  held by the one shell that runs
//! station.reserve  space that is given up for break-glass when the disk is full
//! ```
//!
//! A receipt, its leaf, root and checkpoint, and what it means for the journal are one transaction:
//! there is no state of the disk with half of them. `tests/ledger_faults.rs` holds it to that.

#![forbid(unsafe_code)]

mod codes;
mod day;
mod entry;
mod files;
mod index;
mod journal;
mod ledger;
mod reserve;
mod roster;
mod schema;
mod search;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use zeroize::Zeroizing;

use crate::evidence::{StationKey, StationSeal, checkpoint};
use crate::ports::{PortError, Result, Stamp};

/// What a rehearsal gives a store in place of a real disk: SQLite's files lie on a disk of its own,
/// and nothing else of a real station's is read or written.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// The name under which SQLite knows that disk.
    pub vfs: String,
    /// The station's seed, in place of `station.key`.
    pub seed: [u8; 32],
    /// The time of the first entry.
    pub at: Stamp,
}

/// The store of a station.
pub struct Store {
    dir: PathBuf,
    /// The disk on which SQLite's files lie, where it is not the real one.
    vfs: Option<String>,
    station: String,
    /// Pages of the log are read beside a write, so that a supervisor's scrolling delays no handoff.
    /// Closed before the writer: the last to close folds the WAL into the file, which a reader cannot.
    reader: Mutex<Connection>,
    /// What the view of the log searches over, and what it reads days over.
    finds: search::Asking,
    days: search::Asking,
    /// `None` where the store was opened to be read.
    writer: Option<Mutex<Writer>>,
    _lock: Option<File>,
}

struct Writer {
    db: Connection,
    seal: StationSeal,
    /// The size and root that this process has seen to be signed by its own key.
    trusted: Option<(u64, crate::evidence::Hash)>,
}

impl Store {
    /// Opens the store for the shell, of which there is one; makes it, the station's key and the
    /// first entry (of kind `key`) where there is none. `station` is the station's name.
    ///
    /// # Errors
    /// When another shell has it, the disk fails, the file is no store or a newer one, the key is
    /// missing or another one, or the newest entry is not signed by it.
    pub fn open(dir: &Path, station: &str) -> Result<Self> {
        files::private_dir(dir)?;
        let lock = files::lock(&dir.join("station.lock"))?.ok_or_else(|| {
            PortError::new(format!(
                "open the store: another Cleanshift is running on {}; stop it first",
                dir.display()
            ))
        })?;
        let opened = loop {
            match Self::writable(dir, station, true) {
                // Where not even the store can be opened for want of space, what is kept for emergencies
                // is what keeps the station from being out of service.
                Err(error) if error.0.contains(FULL) && reserve::give_up(dir) => {}
                opened => break opened,
            }
        };
        let mut store = opened?;
        store._lock = Some(lock);
        if let Err(error) = reserve::keep(dir) {
            tracing::warn!(%error, "no space is kept for break-glass");
        }
        Ok(store)
    }

    /// Opens the store for a short write of IT's (the roster) beside a shell that may be running;
    /// makes it where there is none.
    ///
    /// # Errors
    /// As [`Store::open`], but for the running shell.
    pub fn open_beside(dir: &Path, station: &str) -> Result<Self> {
        files::private_dir(dir)?;
        // Whoever has the lock may be making the store just now; it is there when the first entry is.
        let lock = files::lock(&dir.join("station.lock"))?;
        Self::writable(dir, station, lock.is_some())
    }

    /// Opens the store to be read alone, beside a shell that may be running.
    ///
    /// # Errors
    /// When there is none, the disk fails, or the file is no store or a newer one.
    pub fn open_read(dir: &Path) -> Result<Self> {
        let reader = connect_to_read(dir, None)?;
        Ok(Self {
            dir: dir.to_owned(),
            vfs: None,
            station: String::new(),
            writer: None,
            reader: Mutex::new(reader),
            finds: search::Asking::default(),
            days: search::Asking::default(),
            _lock: None,
        })
    }

    /// Opens the store of a rehearsal; makes it where there is none. It has no lock file and no key
    /// file, so that a real station's directory cannot be opened like this.
    ///
    /// # Errors
    /// When that disk fails, the file is no store or a newer one, or the newest entry is not signed
    /// by the key of this seed.
    pub fn rehearse(dir: &Path, station: &str, rehearsed: &Rehearsed) -> Result<Self> {
        let wrong = disk("open the store");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let path = dir.join("station.db");
        let mut db =
            Connection::open_with_flags_and_vfs(path, flags, rehearsed.vfs.as_str()).map_err(&wrong)?;
        schema::prepare(&db).map_err(&wrong)?;
        let seal = StationSeal::new(checkpoint::origin(station), &rehearsed.seed);
        if schema::look(&db)? == schema::Found::Empty || ledger::count(&db)? == 0 {
            schema::create(&mut db)?;
            ledger::begin(&mut db, &seal, station, &rehearsed.at)?;
        }
        Self::ready(dir, station, Writer { db, seal, trusted: None }, Some(rehearsed.vfs.clone()))
    }

    fn writable(dir: &Path, station: &str, make: bool) -> Result<Self> {
        let path = dir.join("station.db");
        drop(files::private_file(&path)?);
        files::sync_dir(&path)?;
        let wrong = disk("open the store");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&path, flags).map_err(&wrong)?;
        schema::prepare(&db).map_err(&wrong)?;
        let made = schema::look(&db)? == schema::Found::Store && ledger::count(&db)? > 0;
        let seal = if made {
            settled_key(dir, &db)?
        } else if make {
            make_store(dir, station, &mut db)?
        } else {
            return Err(PortError::new("open the store: another Cleanshift is making it; try again"));
        };
        Self::ready(dir, station, Writer { db, seal, trusted: None }, None)
    }

    fn ready(dir: &Path, station: &str, mut writer: Writer, vfs: Option<String>) -> Result<Self> {
        fold(&writer.db)?;
        writer.check_head()?;
        schema::migrate(&mut writer.db)?;
        index::begin(&mut writer.db);
        let reader = connect_to_read(dir, vfs.as_deref())?;
        Ok(Self {
            dir: dir.to_owned(),
            vfs,
            station: station.to_owned(),
            writer: Some(Mutex::new(writer)),
            reader: Mutex::new(reader),
            finds: search::Asking::default(),
            days: search::Asking::default(),
            _lock: None,
        })
    }

    /// The station's public key, as an auditor keeps it: that of `station.key`; in a copy of the store
    /// without the secret, the one that the ledger's first entry names.
    ///
    /// # Errors
    /// When the key cannot be read, or is not the one that the ledger was begun with.
    pub fn public_key(&self) -> Result<StationKey> {
        let named = ledger::first_key(&self.reader())?;
        match &self.writer {
            Some(writer) => StationKey::read(&held(writer).seal.public()).map_err(PortError::new),
            None if !self.dir.join("station.key").exists() => Ok(named),
            None => settled_key(&self.dir, &self.reader()).map(|_| named),
        }
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.as_ref();
        Ok(held(writer.ok_or_else(|| PortError::new("write to the store: it was opened to be read"))?))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        held(&self.reader)
    }
}

/// Folds what an earlier shell has left in the WAL into the file, and begins the WAL anew. A sync that
/// failed leaves pages in the WAL that the kernel shows and calls clean, but that never reached the
/// disk: whatever were written behind them would be lost with them in a power cut. Folding writes
/// and syncs all of it again.
fn fold(db: &Connection) -> Result<()> {
    let held: i64 = db
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(disk("open the store"))?;
    if held != 0 {
        tracing::warn!("another program holds the store; what it left was not written again");
    }
    Ok(())
}

/// A lock that a panicking thread has left is taken all the same: a transaction that was not
/// committed is rolled back, so that there is nothing half-done to be protected from.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect_to_read(dir: &Path, vfs: Option<&str>) -> Result<Connection> {
    let path = dir.join("station.db");
    if vfs.is_none() && !path.exists() {
        let text = format!("open the store: there is none in {}; start the station once", dir.display());
        return Err(PortError::new(text));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let db = match vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&path, flags, vfs)?,
            None => Connection::open_with_flags(&path, flags)?,
        };
        schema::prepare(&db)?;
        let _: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(db)
    };
    let db = match open() {
        Ok(db) => db,
        // On a read-only medium WAL cannot make its index; without a WAL beside it none is needed.
        Err(error) if !dir.join("station.db-wal").exists() && needs_index(&error) => {
            let address = format!("file:{}?immutable=1", escaped(&path));
            Connection::open_with_flags(address, flags | OpenFlags::SQLITE_OPEN_URI)
                .map_err(disk("open the store"))?
        }
        Err(error) => return Err(disk("open the store")(error)),
    };
    match schema::look(&db)? {
        schema::Found::Store => Ok(db),
        schema::Found::Empty => Err(PortError::new("open the store: station.db is empty")),
    }
}

fn needs_index(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// The key of a store that has entries.
fn settled_key(dir: &Path, db: &Connection) -> Result<StationSeal> {
    let (path, new) = (dir.join("station.key"), dir.join("station.key.new"));
    let named = ledger::first_key(db)?;
    let seal = |seed: &[u8; 32]| StationSeal::new(named.origin().to_owned(), seed);
    if let Some(seed) = files::read_secret(&path)? {
        let seal = seal(&seed);
        return if seal.public() == named.text() {
            Ok(seal)
        } else {
            Err(PortError::new(
                "open the store: station.key is not the key that the ledger was begun with; put that one back",
            ))
        };
    }
    // A crash between the first entry and the key's final name.
    if let Some(seed) = files::read_secret(&new)?
        && seal(&seed).public() == named.text()
    {
        files::rename(&new, &path)?;
        return Ok(seal(&seed));
    }
    Err(PortError::new(
        "open the store: station.key is missing, and the ledger has entries; put the key back from a copy, \
         or move the whole state directory away to begin a new ledger",
    ))
}

/// Makes tables, key and first entry. The key gets its final name last: a key with its final name
/// and no entries means that the ledger was lost, which is never taken for a first start.
fn make_store(dir: &Path, station: &str, db: &mut Connection) -> Result<StationSeal> {
    let (path, new) = (dir.join("station.key"), dir.join("station.key.new"));
    if path.exists() {
        return Err(PortError::new(
            "open the store: station.key is there, and the ledger is gone; put station.db back from a copy, \
             or move the whole state directory away to begin a new ledger",
        ));
    }
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed)
        .map_err(|error| PortError::new(format!("make the station's key: {error}")))?;
    files::write_secret(&new, &*seed)?;
    let seal = StationSeal::new(checkpoint::origin(station), &seed);
    schema::create(db)?;
    ledger::begin(db, &seal, station, &stamp_now())?;
    // What is in the WAL alone goes with the WAL; the first entry shall not.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(disk("make the store"))?;
    files::rename(&new, &path)?;
    Ok(seal)
}

/// The time of the first entry: the store is made before there is a clock's port to ask.
#[expect(clippy::disallowed_methods, reason = "the key's own entry is written while the store is opened")]
fn stamp_now() -> Stamp {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let uptime = read("/proc/uptime");
    let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default();
    Stamp {
        utc_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        boot_ms: u64::try_from(std::time::Duration::from_secs_f64(seconds.max(0.0)).as_millis()).unwrap_or(0),
        boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
    }
}

/// What a full disk is called.
const FULL: &str = "the disk is full";

/// Turns SQLite's errors into a fragment for people: `write the entry: the disk is full`.
fn disk(doing: &'static str) -> impl Fn(rusqlite::Error) -> PortError {
    move |error| PortError::new(format!("{doing}: {}", reason(&error)))
}

fn reason(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => FULL.to_owned(),
        Some(ErrorCode::ReadOnly) => "the disk is read-only".to_owned(),
        Some(ErrorCode::SystemIoFailure) => format!("the disk failed ({error})"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds the store".to_owned()
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("the store's file is damaged ({error})")
        }
        _ => error.to_string(),
    }
}
