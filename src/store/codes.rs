//! A change of the break-glass codes and its entry in the ledger are one transaction, as with the
//! roster, whose hash covers their names.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, disk, roster};
use crate::ports::{CodeRow, CodeRows, PortError, Result, Stamp};

const READ: &str = "read the break-glass codes";
const WRITE: &str = "write the break-glass codes";

impl CodeRows for Store {
    fn codes(&self) -> Result<Vec<CodeRow>> {
        let db = self.reader();
        let mut query = db.prepare_cached("SELECT name, phc FROM codes ORDER BY name").map_err(disk(READ))?;
        query
            .query_map([], |row| Ok(CodeRow { name: row.get(0)?, phc: row.get(1)? }))
            .and_then(Iterator::collect)
            .map_err(disk(READ))
    }

    fn change_code(&self, name: &str, phc: Option<&str>, by: &str, at: &Stamp) -> Result<()> {
        self.writer()?.transact(&self.station, |ledger| {
            let before = roster::hash_of_all(&ledger.tx)?;
            let changed = match phc {
                Some(phc) => ledger.tx.execute(
                    "INSERT INTO codes (name, phc) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET phc = ?2",
                    params![name, phc],
                ),
                None => ledger.tx.execute("DELETE FROM codes WHERE name = ?1", [name]),
            };
            if changed.map_err(disk(WRITE))? == 0 {
                return Err(PortError::new(format!("{WRITE}: there is none called {name}")));
            }
            let after = roster::hash_of_all(&ledger.tx)?;
            let deed = match phc {
                Some(_) => format!("issue the break-glass code {name}"),
                None => format!("remove the break-glass code {name}"),
            };
            ledger.change("roster", by, &deed, before, after, at).map(drop)
        })
    }

    fn wrong_codes(&self) -> Result<(u8, i64)> {
        self.reader()
            .query_row("SELECT wrong, last FROM wrong_codes", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map(Option::unwrap_or_default)
            .map_err(disk(READ))
    }

    fn count_codes(&self, wrong: u8, last_utc_ms: i64) -> Result<()> {
        let sql = "INSERT INTO wrong_codes (one, wrong, last) VALUES (1, ?1, ?2)
                   ON CONFLICT (one) DO UPDATE SET wrong = ?1, last = ?2";
        let counted = self.writer()?.db.execute(sql, params![wrong, last_utc_ms]);
        counted.map(drop).map_err(disk("write the counter of wrong codes"))
    }
}
