//! Whoever exports the ledger reads one state of it, whatever is written meanwhile, and entry by entry,
//! so that a million of them need no memory.

use rusqlite::{Connection, OptionalExtension as _};

use super::{Store, disk};
use crate::evidence::{Hash, Stored};
use crate::ports::{PortError, Result};

const READ: &str = "read the ledger";

/// The ledger as it stood at one moment.
pub struct Snapshot {
    db: Connection,
}

impl Store {
    /// The ledger as it stands now, to be read over a connection of its own. It delays no write.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let db = super::connect_to_read(&self.file, self.vfs.as_deref())?;
        // The first read fixes the moment.
        db.execute_batch("BEGIN").map_err(disk(READ))?;
        let _ = super::ledger::count(&db)?;
        Ok(Snapshot { db })
    }
}

impl Snapshot {
    /// Hands over every entry, in the order of their numbers. An entry whose text was pruned has none.
    ///
    /// # Errors
    /// When the store cannot be read, and whatever `work` says.
    pub fn each(&self, mut work: impl FnMut(&Stored<'_>) -> Result<()>) -> Result<()> {
        let wrong = disk(READ);
        let sql = "SELECT number, json, leaf, root, checkpoint FROM ledger ORDER BY number";
        let mut query = self.db.prepare(sql).map_err(&wrong)?;
        let mut rows = query.query([]).map_err(&wrong)?;
        while let Some(row) = rows.next().map_err(&wrong)? {
            let damaged = |error: rusqlite::types::FromSqlError| {
                PortError::new(format!("{READ}: {error}; `cleanshiftctl log verify` tells more"))
            };
            let blob = |column| -> Result<&[u8]> {
                let value = row.get_ref(column).map_err(&wrong)?;
                value.as_blob_or_null().map(Option::unwrap_or_default).map_err(damaged)
            };
            let checkpoint = row.get_ref(4).map_err(&wrong)?;
            work(&Stored {
                index: row.get::<_, i64>(0).map_err(&wrong)?.cast_unsigned(),
                json: blob(1)?,
                leaf: blob(2)?,
                root: blob(3)?,
                checkpoint: checkpoint.as_str_or_null().map_err(damaged)?.unwrap_or_default(),
            })?;
        }
        Ok(())
    }

    /// Hands over every leaf hash, in the order of the entries' numbers.
    ///
    /// # Errors
    /// As [`Snapshot::each`].
    pub fn leaves(&self, mut work: impl FnMut(Hash) -> Result<()>) -> Result<()> {
        let wrong = disk(READ);
        let mut query = self.db.prepare("SELECT leaf FROM ledger ORDER BY number").map_err(&wrong)?;
        let mut rows = query.query([]).map_err(&wrong)?;
        while let Some(row) = rows.next().map_err(&wrong)? {
            work(row.get(0).map_err(&wrong)?)?;
        }
        Ok(())
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// When the store cannot be read, or has no entry.
    pub fn checkpoint(&self) -> Result<String> {
        self.db
            .query_row("SELECT checkpoint FROM ledger ORDER BY number DESC LIMIT 1", [], |row| row.get(0))
            .optional()
            .map_err(disk(READ))?
            .ok_or_else(|| PortError::new(format!("{READ}: it has no entry")))
    }
}
