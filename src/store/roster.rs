//! A change of the roster and its entry in the ledger are one transaction: neither is there without
//! the other.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Store, disk};
use crate::handoff::OperatorId;
use crate::ports::{BadgeUid, PinRow, PortError, Result, RosterRow, RosterRows, Stamp};

const READ: &str = "read the roster";
const WRITE: &str = "write the roster";

const COLUMNS: &str =
    "id, key, name, roles, valid_from, valid_until, pin, pin_one_time, wrong, wrong_last, disabled";

impl RosterRows for Store {
    fn all(&self) -> Result<Vec<RosterRow>> {
        all(&self.reader())
    }

    fn by_badge(&self, badge: &BadgeUid) -> Result<Option<RosterRow>> {
        let where_ = "id = (SELECT operator FROM badges WHERE uid = ?1)";
        one(&self.reader(), where_, badge.0.as_str())
    }

    fn by_id(&self, operator: OperatorId) -> Result<Option<RosterRow>> {
        one(&self.reader(), "id = ?1", operator.0)
    }

    fn change(&self, put: &[RosterRow], take: &[String], by: &str, deed: &str, at: &Stamp) -> Result<()> {
        self.writer()?.transact(&self.station, |ledger| {
            let before = hash_of_all(&ledger.tx)?;
            take_out(&ledger.tx, take)?;
            put_in(&ledger.tx, put)?;
            let after = hash_of_all(&ledger.tx)?;
            ledger.change("roster", by, deed, before, after, at).map(drop)
        })
    }

    fn count(&self, operator: OperatorId, wrong: u8, last_utc_ms: i64, disabled: bool) -> Result<()> {
        let changed = self.writer()?.db.execute(
            "UPDATE roster SET wrong = ?2, wrong_last = ?3, disabled = ?4 WHERE id = ?1",
            params![operator.0, wrong, last_utc_ms, disabled],
        );
        there(changed.map_err(disk("write the counter of wrong tries"))?)
    }

    fn begin_anew(&self, operator: OperatorId, wrong: u8) -> Result<()> {
        let changed = self
            .writer()?
            .db
            .execute("UPDATE roster SET wrong = 0 WHERE id = ?1 AND wrong = ?2", params![operator.0, wrong]);
        changed.map(drop).map_err(disk("write the counter of wrong tries"))
    }

    fn set_pin(&self, operator: OperatorId, pin: &PinRow) -> Result<()> {
        let changed = self.writer()?.db.execute(
            "UPDATE roster SET pin = ?2, pin_one_time = ?3 WHERE id = ?1",
            params![operator.0, pin.phc, pin.one_time],
        );
        there(changed.map_err(disk("write the PIN"))?)
    }
}

fn there(changed: usize) -> Result<()> {
    if changed == 1 { Ok(()) } else { Err(PortError::new("write the roster: the operator is not on it")) }
}

fn take_out(db: &Connection, keys: &[String]) -> Result<()> {
    for key in keys {
        let gone = db.execute("DELETE FROM roster WHERE key = ?1", [key]).map_err(disk(WRITE))?;
        if gone == 0 {
            return Err(PortError::new(format!("write the roster: {key} is not on it")));
        }
    }
    Ok(())
}

/// Puts rows in. Badges come last and all together, so that two operators can swap theirs.
fn put_in(db: &Connection, rows: &[RosterRow]) -> Result<()> {
    let wrong = disk(WRITE);
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        let other: Option<u32> = db
            .query_row("SELECT id FROM roster WHERE key = ?1 AND id <> ?2", params![row.key, row.id], |row| {
                row.get(0)
            })
            .optional()
            .map_err(&wrong)?;
        if other.is_some() {
            return Err(PortError::new(format!("write the roster: {} is on it already", row.key)));
        }
        let id = put_row(db, row)?;
        let _ = db.execute("DELETE FROM badges WHERE operator = ?1", [id]).map_err(&wrong)?;
        ids.push(id);
    }
    for (row, id) in rows.iter().zip(ids) {
        for (place, badge) in row.badges.iter().enumerate() {
            let whose: Option<String> = db
                .query_row(
                    "SELECT key FROM roster JOIN badges ON operator = id WHERE uid = ?1",
                    [&badge.0],
                    |row| row.get(0),
                )
                .optional()
                .map_err(&wrong)?;
            if let Some(key) = whose {
                return Err(PortError::new(format!(
                    "write the roster: badge {} is {key}'s already",
                    badge.0
                )));
            }
            let _ = db
                .execute(
                    "INSERT INTO badges (uid, operator, place) VALUES (?1, ?2, ?3)",
                    params![badge.0, id, i64::try_from(place).unwrap_or(i64::MAX)],
                )
                .map_err(&wrong)?;
        }
    }
    Ok(())
}

fn put_row(db: &Connection, row: &RosterRow) -> Result<i64> {
    let roles = serde_json::to_string(&row.roles).map_err(|error| PortError::new(error.to_string()))?;
    let id = (row.id != 0).then_some(row.id);
    let (phc, one_time) = row.pin.as_ref().map(|pin| (pin.phc.as_str(), pin.one_time)).unzip();
    let values = params![
        id,
        row.key,
        row.name,
        roles,
        row.valid_from_utc_ms,
        row.valid_until_utc_ms,
        phc,
        one_time.unwrap_or_default(),
        row.wrong,
        row.wrong_last_utc_ms,
        row.disabled
    ];
    if id.is_none() {
        let sql = format!("INSERT INTO roster ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)");
        let _ = db.execute(&sql, values).map_err(disk(WRITE))?;
        return Ok(db.last_insert_rowid());
    }
    let changed = db.execute(
        "UPDATE roster SET key = ?2, name = ?3, roles = ?4, valid_from = ?5, valid_until = ?6, pin = ?7,
         pin_one_time = ?8, wrong = ?9, wrong_last = ?10, disabled = ?11 WHERE id = ?1",
        values,
    );
    there(changed.map_err(disk(WRITE))?)?;
    Ok(i64::from(row.id))
}

/// Every row, by key.
fn all(db: &Connection) -> Result<Vec<RosterRow>> {
    let wrong = disk(READ);
    let mut badges: HashMap<u32, Vec<BadgeUid>> = HashMap::new();
    let mut query =
        db.prepare_cached("SELECT operator, uid FROM badges ORDER BY operator, place").map_err(&wrong)?;
    let pairs = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&wrong)?;
    for pair in pairs {
        let (operator, uid): (u32, String) = pair.map_err(&wrong)?;
        badges.entry(operator).or_default().push(BadgeUid(uid));
    }
    let mut query =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM roster ORDER BY key")).map_err(&wrong)?;
    let mut rows: Vec<RosterRow> = query.query_map([], row_of).and_then(Iterator::collect).map_err(&wrong)?;
    for row in &mut rows {
        row.badges = badges.remove(&row.id).unwrap_or_default();
    }
    Ok(rows)
}

fn one(db: &Connection, which: &str, value: impl rusqlite::ToSql) -> Result<Option<RosterRow>> {
    let wrong = disk(READ);
    let sql = format!("SELECT {COLUMNS} FROM roster WHERE {which}");
    let row = db
        .prepare_cached(&sql)
        .and_then(|mut query| query.query_row([value], row_of).optional())
        .map_err(&wrong)?;
    let Some(mut row) = row else { return Ok(None) };
    let mut query =
        db.prepare_cached("SELECT uid FROM badges WHERE operator = ?1 ORDER BY place").map_err(&wrong)?;
    row.badges = query
        .query_map([row.id], |row| row.get(0).map(BadgeUid))
        .and_then(Iterator::collect)
        .map_err(&wrong)?;
    Ok(Some(row))
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<RosterRow> {
    let roles: String = row.get(3)?;
    let roles = serde_json::from_str(&roles).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(error))
    })?;
    let one_time = row.get(7)?;
    Ok(RosterRow {
        id: row.get(0)?,
        key: row.get(1)?,
        name: row.get(2)?,
        roles,
        badges: Vec::new(),
        valid_from_utc_ms: row.get(4)?,
        valid_until_utc_ms: row.get(5)?,
        pin: row.get::<_, Option<String>>(6)?.map(|phc| PinRow { phc, one_time }),
        wrong: row.get(8)?,
        wrong_last_utc_ms: row.get(9)?,
        disabled: row.get(10)?,
    })
}

/// A row as it is hashed: no PIN, and neither the counter nor the disabling, which change without an
/// entry of kind `roster` (each has one of its own kind).
#[derive(Serialize)]
struct Hashed<'a> {
    id: u32,
    key: &'a str,
    name: &'a str,
    roles: &'a [String],
    badges: Vec<&'a str>,
    valid_from_utc_ms: Option<i64>,
    valid_until_utc_ms: Option<i64>,
}

/// SHA-256, in hexadecimal, over the canonical JSON of all rows by key, followed by the break-glass codes
/// where there are any, each by its name and the hash of what is stored of it; empty where there is neither.
pub(super) fn hash_of_all(db: &Connection) -> Result<String> {
    let codes = codes(db)?;
    let codes: Vec<_> =
        codes.iter().map(|(name, phc)| (name.as_str(), hex::encode(Sha256::digest(phc)))).collect();
    hash(db, &codes)
}

/// The same as stores of version 1 had it: of the codes, only the names.
pub(super) fn hash_before(db: &Connection) -> Result<String> {
    let codes = codes(db)?;
    hash(db, &codes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
}

fn hash<T: Serialize>(db: &Connection, codes: &[T]) -> Result<String> {
    let rows = all(db)?;
    if rows.is_empty() && codes.is_empty() {
        return Ok(String::new());
    }
    let hashed: Vec<Hashed<'_>> = rows
        .iter()
        .map(|row| Hashed {
            id: row.id,
            key: &row.key,
            name: &row.name,
            roles: &row.roles,
            badges: row.badges.iter().map(|badge| badge.0.as_str()).collect(),
            valid_from_utc_ms: row.valid_from_utc_ms,
            valid_until_utc_ms: row.valid_until_utc_ms,
        })
        .collect();
    let wrong = |error: serde_json::Error| PortError::new(error.to_string());
    let mut json = serde_json_canonicalizer::to_vec(&hashed).map_err(wrong)?;
    if !codes.is_empty() {
        json.extend(serde_json_canonicalizer::to_vec(&codes).map_err(wrong)?);
    }
    Ok(hex::encode(Sha256::digest(json)))
}

/// Names and what is stored of each break-glass code, by name.
fn codes(db: &Connection) -> Result<Vec<(String, String)>> {
    let mut query = db.prepare_cached("SELECT name, phc FROM codes ORDER BY name").map_err(disk(READ))?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect).map_err(disk(READ))
}
