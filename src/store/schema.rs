//! What stands in `station.db`. A file of a newer version, or one that is no store, is refused.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{disk, index, outbox};
use crate::handoff::planted::{self, Bug};
use crate::ports::{PortError, Result};

/// `CLSH`: tells `file` and the store what this file is.
const APPLICATION: i32 = 0x434c_5348;

/// The version of the tables that this code reads and writes.
const VERSION: i32 = 3;
/// The oldest that it still reads, and takes a step further where it may write.
const OLDEST: i32 = 1;

/// Waiting for another program's short write (roster changes by IT beside a running shell).
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

const TABLES: &str = "
-- The entries. `json` is the canonical text, `leaf` its hash, `root` the root of the tree that ends
-- with it, `checkpoint` the signed note over that tree.
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY,
    json BLOB NOT NULL,
    leaf BLOB NOT NULL CHECK (length(leaf) = 32),
    root BLOB NOT NULL CHECK (length(root) = 32),
    checkpoint TEXT NOT NULL
) STRICT;
-- The frontier of the tree: what an append needs of all entries before.
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL
) STRICT;
-- The hash that the newest change of each kind left.
CREATE TABLE latest (
    what TEXT PRIMARY KEY,
    after TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- What was begun and is not finished. Empty when a handoff is complete.
CREATE TABLE journal (
    step INTEGER PRIMARY KEY,
    doing TEXT NOT NULL,
    operator INTEGER,
    key TEXT,
    name TEXT,
    role TEXT,
    utc_ms INTEGER,
    boot_ms INTEGER,
    boot_id TEXT
) STRICT;
-- AUTOINCREMENT: the number of somebody who has left is never given to another.
CREATE TABLE roster (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    valid_from INTEGER,
    valid_until INTEGER,
    pin TEXT,
    pin_one_time INTEGER NOT NULL DEFAULT 0,
    wrong INTEGER NOT NULL DEFAULT 0,
    wrong_last INTEGER NOT NULL DEFAULT 0,
    disabled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE badges (
    uid TEXT PRIMARY KEY,
    operator INTEGER NOT NULL REFERENCES roster(id) ON DELETE CASCADE,
    place INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Break-glass codes, by the names that IT gives them, and the counter of wrong ones.
CREATE TABLE codes (
    name TEXT PRIMARY KEY,
    phc TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE wrong_codes (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    wrong INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT;
CREATE INDEX badges_of ON badges (operator, place);
";

/// Since version 2.
const MARKS: &str = "
-- Entries that must be found again without reading all: those of kind key, roster, policy, anchored
-- and pruned. Only a help; what they say stands in the ledger.
CREATE TABLE marks (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL
) STRICT;
CREATE INDEX marks_of ON marks (kind, number);
";

/// Marks the entries that a store of version 1 has. Text that is no JSON is left for verification to name.
const MARK_OLD: &str = "
INSERT INTO marks (number, kind)
SELECT number, kind FROM (
    SELECT number, CASE WHEN json_valid(CAST(json AS TEXT)) THEN CAST(json AS TEXT) ->> '$.kind' END AS kind FROM ledger
) WHERE kind IN ('key', 'roster', 'policy');
";

/// Sets what every connection needs.
pub(super) fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    // An old PIN hash is overwritten, not left in a free page.
    db.pragma_update(None, "secure_delete", true)?;
    let synchronous = if planted::is(Bug::NotSynced) { "OFF" } else { "FULL" };
    db.pragma_update(None, "synchronous", synchronous)
}

/// What kind of file it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing was written yet.
    Empty,
    /// A store of this version.
    Store,
    /// A store of this earlier one.
    Older(i32),
}

/// Looks what kind of file it is.
pub(super) fn look(db: &Connection) -> Result<Found> {
    let number = |name: &str| -> Result<i32> {
        db.pragma_query_value(None, name, |row| row.get(0)).map_err(disk("read the store"))
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(disk("read the store"))?;
    match (application, version, tables) {
        (0, 0, 0) => Ok(Found::Empty),
        (APPLICATION, VERSION, _) => Ok(Found::Store),
        (APPLICATION, older @ OLDEST..VERSION, _) => Ok(Found::Older(older)),
        (APPLICATION, newer, _) if newer > VERSION => Err(PortError::new(format!(
            "open the store: a newer Cleanshift wrote it (store version {newer}, this one knows {VERSION}); \
             install that version again"
        ))),
        _ => Err(PortError::new("open the store: station.db is not a store of Cleanshift")),
    }
}

/// Makes the tables.
pub(super) fn create(db: &mut Connection) -> Result<()> {
    let wrong = disk("make the store");
    let _: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(&wrong)?;
    let tx = Transaction::new(db, TransactionBehavior::Immediate).map_err(&wrong)?;
    if look(&tx)? == Found::Empty {
        tx.execute_batch(TABLES).map_err(&wrong)?;
        tx.execute_batch(MARKS).map_err(&wrong)?;
        tx.pragma_update(None, "application_id", APPLICATION).map_err(&wrong)?;
        tx.execute_batch(index::TABLES).map_err(&wrong)?;
        tx.execute_batch(outbox::TABLES).map_err(&wrong)?;
        tx.pragma_update(None, "user_version", VERSION).map_err(&wrong)?;
    }
    tx.commit().map_err(&wrong)
}

/// Takes a store of an earlier version to this one, in one transaction.
pub(super) fn migrate(db: &mut Connection) -> Result<()> {
    let wrong = disk("take the store to this version");
    let tx = Transaction::new(db, TransactionBehavior::Immediate).map_err(&wrong)?;
    if let Found::Older(version) = look(&tx)? {
        if version < 2 {
            tx.execute_batch(MARKS).map_err(&wrong)?;
            tx.execute_batch(MARK_OLD).map_err(&wrong)?;
            tx.execute_batch(index::TABLES).map_err(&wrong)?;
        }
        tx.execute_batch(outbox::TABLES).map_err(&wrong)?;
        tx.pragma_update(None, "user_version", VERSION).map_err(&wrong)?;
    }
    tx.commit().map_err(&wrong)
}
