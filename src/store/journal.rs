//! What was begun is known after any crash: each intent is durable before its step is taken.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{disk, entry};
use crate::handoff::OperatorId;
use crate::ports::{Intent, Person, Result, Stamp, Unfinished};

/// What stands in the journal while the ledger holds an opening without an end.
const OPEN: &str = "a session was open";

/// Writes an intent. A session that is about to open forgets what stood here before, but for a session
/// that the ledger holds open: break-glass opens where that one's handoff is unfinished, and where its
/// own entry cannot be written the next receipt still has to tell of that end.
pub(super) fn intend(db: &Connection, intent: &Intent) -> rusqlite::Result<()> {
    match intent {
        Intent::Open(person, at) => {
            let _ = db.execute("DELETE FROM journal WHERE doing <> ?1", [OPEN])?;
            session(db, "a session was about to open", person, at)
        }
        Intent::Begin(trigger) => step(db, &format!("a handoff began ({})", entry::trigger(*trigger))),
        Intent::AskApps => step(db, "the apps were asked to close"),
        Intent::Destroy => step(db, "the capsule was being destroyed"),
        Intent::Look => step(db, "the gates were looking"),
    }
}

/// A session is open: its entry is in the ledger.
pub(super) fn opened(db: &Connection, person: &Person, at: &Stamp) -> rusqlite::Result<()> {
    clear(db)?;
    session(db, OPEN, person, at)
}

/// A handoff is complete.
pub(super) fn clear(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM journal", []).map(drop)
}

fn step(db: &Connection, doing: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO journal (doing) VALUES (?1)")?.execute([doing]).map(drop)
}

fn session(db: &Connection, doing: &str, person: &Person, at: &Stamp) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO journal (doing, operator, key, name, role, utc_ms, boot_ms, boot_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            doing,
            person.id.0,
            person.key,
            person.name,
            person.role,
            at.utc_ms,
            i64::try_from(at.boot_ms).unwrap_or(i64::MAX),
            at.boot_id
        ],
    )
    .map(drop)
}

/// Whose session the ledger holds open, and since when.
pub(super) fn open(db: &Connection) -> rusqlite::Result<Option<(Person, Stamp)>> {
    db.prepare_cached(
        "SELECT operator, key, name, role, utc_ms, boot_ms, boot_id FROM journal
         WHERE doing = ?1 ORDER BY step DESC LIMIT 1",
    )?
    .query_row([OPEN], whose)
    .optional()
}

/// What was begun and not finished.
pub(super) fn unfinished(db: &Connection) -> Result<Option<Unfinished>> {
    let wrong = disk("read the journal");
    let last: Option<String> = db
        .query_row("SELECT doing FROM journal ORDER BY step DESC LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(&wrong)?;
    let Some(last) = last else { return Ok(None) };
    let session = db
        .query_row(
            "SELECT operator, key, name, role, utc_ms, boot_ms, boot_id FROM journal
             WHERE operator IS NOT NULL ORDER BY step DESC LIMIT 1",
            [],
            whose,
        )
        .optional()
        .map_err(&wrong)?;
    let (person, opened) = session.unzip();
    Ok(Some(Unfinished { person, opened, last }))
}

fn whose(row: &Row<'_>) -> rusqlite::Result<(Person, Stamp)> {
    let person =
        Person { id: OperatorId(row.get(0)?), key: row.get(1)?, name: row.get(2)?, role: row.get(3)? };
    let boot_ms: i64 = row.get(5)?;
    let at = Stamp {
        utc_ms: row.get(4)?,
        boot_ms: u64::try_from(boot_ms).unwrap_or_default(),
        boot_id: row.get(6)?,
    };
    Ok((person, at))
}
