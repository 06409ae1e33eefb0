//! What the station must not forget is on the disk before it acts on it: one SQLite file with the
//! journal, the ledger, the roster and the outbox. Every disk trick lives here.
//!
//! ```text
//! station.db    journal · ledger (with its tree and checkpoints) · its index · roster · outbox; WAL, synchronous=FULL
//! station.key   the station's Ed25519 seed; without it no entry can be written; `station.key.new` while it changes
//! station.lock  held by the one shell that runs
//! station.reserve  space that is given up for break-glass when the disk is full
//! ```
//!
//! A receipt, its leaf, root and checkpoint, and what it means for the journal are one transaction:
//! there is no state of the disk with half of them. `tests/ledger_faults.rs` holds it to that.

#![forbid(unsafe_code)]

mod audit;
mod codes;
mod controls;
mod day;
mod entry;
mod files;
mod index;
mod journal;
mod keys;
mod ledger;
mod outbox;
#[cfg(test)]
mod outbox_tests;
mod prune;
mod reserve;
mod roster;
mod scan;
mod schema;
mod search;
#[cfg(test)]
mod tests;

pub use prune::{Keep, Pruned};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::evidence::{StationSeal, checkpoint};
use crate::ports::{PortError, Result, Stamp};

pub use scan::Snapshot;

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
    /// SQLite's file.
    file: PathBuf,
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
    /// How long the shell keeps entries, where its policy says so.
    keep: OnceLock<Keep>,
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

    /// Whether a shell runs on the store in this directory.
    ///
    /// # Errors
    /// When that cannot be seen, because this account may not look there.
    pub fn is_held(dir: &Path) -> Result<bool> {
        files::is_locked(&dir.join("station.lock"))
    }

    /// Opens the store to be read alone, beside a shell that may be running.
    ///
    /// # Errors
    /// When there is none, the disk fails, or the file is no store or a newer one.
    pub fn open_read(dir: &Path) -> Result<Self> {
        Self::read(dir, &dir.join(NAME))
    }

    /// Opens a copy of a store's file to be read alone, such as an auditor has.
    ///
    /// # Errors
    /// As [`Store::open_read`].
    pub fn open_copy(file: &Path) -> Result<Self> {
        Self::read(file.parent().unwrap_or(Path::new("")), file)
    }

    fn read(dir: &Path, file: &Path) -> Result<Self> {
        let reader = connect_to_read(file, None)?;
        Ok(Self {
            dir: dir.to_owned(),
            file: file.to_owned(),
            vfs: None,
            station: String::new(),
            writer: None,
            reader: Mutex::new(reader),
            keep: OnceLock::new(),
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
        let path = dir.join(NAME);
        let mut db =
            Connection::open_with_flags_and_vfs(path, flags, rehearsed.vfs.as_str()).map_err(&wrong)?;
        schema::prepare(&db).map_err(&wrong)?;
        let seal = StationSeal::new(checkpoint::origin(station), &rehearsed.seed);
        if schema::look(&db)? == schema::Found::Empty || ledger::count(&db)? == 0 {
            schema::create(&mut db)?;
            ledger::begin(&mut db, &seal, station, &rehearsed.at)?;
        }
        schema::migrate(&mut db)?;
        Self::ready(dir, station, Writer { db, seal, trusted: None }, Some(rehearsed.vfs.clone()))
    }

    fn writable(dir: &Path, station: &str, make: bool) -> Result<Self> {
        let path = dir.join(NAME);
        drop(files::private_file(&path)?);
        files::sync_dir(&path)?;
        let wrong = disk("open the store");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&path, flags).map_err(&wrong)?;
        schema::prepare(&db).map_err(&wrong)?;
        let found = schema::look(&db)?;
        if matches!(found, schema::Found::Older(_)) && !make {
            return Err(PortError::new(
                "open the store: an older Cleanshift is running on it; stop that one first, or start it anew",
            ));
        }
        let made = found != schema::Found::Empty && ledger::count(&db)? > 0;
        let seal = if made {
            schema::migrate(&mut db)?;
            keys::settled(dir, &db, make)?
        } else if make {
            keys::make_store(dir, station, &mut db)?
        } else {
            return Err(PortError::new("open the store: another Cleanshift is making it; try again"));
        };
        let store = Self::ready(dir, station, Writer { db, seal, trusted: None }, None)?;
        if make {
            store.hash_codes(&crate::now::stamp())?;
        }
        Ok(store)
    }

    fn ready(dir: &Path, station: &str, mut writer: Writer, vfs: Option<String>) -> Result<Self> {
        fold(&writer.db)?;
        writer.check_head()?;
        index::begin(&mut writer.db);
        let file = dir.join(NAME);
        let reader = connect_to_read(&file, vfs.as_deref())?;
        Ok(Self {
            dir: dir.to_owned(),
            file,
            vfs,
            station: station.to_owned(),
            writer: Some(Mutex::new(writer)),
            reader: Mutex::new(reader),
            keep: OnceLock::new(),
            finds: search::Asking::default(),
            days: search::Asking::default(),
            _lock: None,
        })
    }

    /// Whether SQLite's file has a WAL beside it.
    #[must_use]
    pub fn has_wal(&self) -> bool {
        beside(&self.file, "-wal").exists()
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

fn connect_to_read(path: &Path, vfs: Option<&str>) -> Result<Connection> {
    let found = std::fs::metadata(path);
    if let (None, Err(error)) = (vfs, &found)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(PortError::new(format!("open the store: {}: {error}", path.display())));
    }
    if vfs.is_none() && found.is_err() {
        let (name, dir) = (path.file_name().unwrap_or_default(), path.parent().unwrap_or(Path::new("")));
        let text = if name == NAME {
            format!("open the store: there is none in {}; start the station once", dir.display())
        } else {
            format!("open the store: there is no file {}", path.display())
        };
        return Err(PortError::new(text));
    }
    let beside = beside(path, "-wal");
    // A copy that nobody writes to is read as it lies, and gets no files beside it.
    let still = vfs.is_none() && !beside.exists() && !path.with_file_name("station.lock").exists();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let db = match vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
            None => Connection::open_with_flags(path, flags)?,
        };
        schema::prepare(&db)?;
        let _: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(db)
    };
    let immutable = || {
        let address = format!("file:{}?immutable=1", escaped(path));
        let db = Connection::open_with_flags(address, flags | OpenFlags::SQLITE_OPEN_URI)?;
        schema::prepare(&db)?;
        Ok(db)
    };
    let db = match if still { immutable() } else { open() } {
        Ok(db) => db,
        // On a read-only medium WAL cannot make its index; without a WAL beside it none is needed.
        Err(error) if !beside.exists() && needs_index(&error) => {
            immutable().map_err(disk("open the store"))?
        }
        Err(error) if needs_index(&error) => {
            return Err(PortError::new(format!(
                "open the store: {} has entries that are in {} alone, and reading them needs a directory that may be \
                 written to; copy both files into one",
                path.display(),
                beside.display()
            )));
        }
        Err(error) => return Err(disk("open the store")(error)),
    };
    match schema::look(&db)? {
        schema::Found::Store | schema::Found::Older(_) => Ok(db),
        schema::Found::Empty => Err(PortError::new(format!(
            "open the store: there is nothing in {}; if it is a copy, {} belongs to it: copy both, or stop the station \
             before you copy",
            path.display(),
            beside.display()
        ))),
    }
}

/// The file that SQLite keeps beside this one under the same name with an end.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn needs_index(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// SQLite's file in the state directory.
const NAME: &str = "station.db";
/// What a full disk is called.
const FULL: &str = "the disk is full";

/// Turns SQLite's errors into a fragment for people: `write the entry: the disk is full`.
fn disk(doing: &'static str) -> impl Fn(rusqlite::Error) -> PortError {
    move |error| {
        let damaged =
            matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
        let remedy = if damaged { DAMAGED } else { "" };
        PortError::new(format!("{doing}: {}{remedy}", reason(&error)))
    }
}

/// What to do with a damaged file.
const DAMAGED: &str = "; keep this file for whoever looks into it, and put station.db with its station.db-wal back from a \
                       copy, or move the whole state directory away to begin a new ledger";

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
