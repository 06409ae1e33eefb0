//! What is still to be ended elsewhere outlives a restart: rows that are durable before the answer, and hold of a
//! token what is sealed under a key that is nowhere on the disk.
//!
//! The receipt of a session and its rows belong together: whoever appends that receipt marks the rows with its
//! number in the same transaction, so that no crash comes between the two, and no later write of a row forgets it.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use super::{Store, disk, entry, schema};
use crate::evidence::receipt::{About, Receipt};
use crate::ports::{
    Outbox, OutboxRow, PortError, Result, Settlement, Stamp, TokenEnd, TokenKind, TokenState,
};

/// Since version 3.
pub(super) const TABLES: &str = "
-- What is still to be ended elsewhere. Of a token: the beginning of its hash, and what is sealed.
-- AUTOINCREMENT: a row that comes late never takes the place of another.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    kind TEXT NOT NULL,
    token TEXT NOT NULL CHECK (length(token) IN (0, 16)),
    state TEXT NOT NULL,
    saw TEXT NOT NULL,
    expires INTEGER,
    sid TEXT,
    sealed BLOB NOT NULL,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    entry INTEGER,
    open INTEGER NOT NULL
) STRICT;
-- Events of providers that were taken already, by their hash, until their time is over.
CREATE TABLE seen_events (
    event BLOB PRIMARY KEY CHECK (length(event) = 32),
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Which entry is the receipt of a session that was signed in elsewhere. Only a help: what it says stands in
-- the ledger.
CREATE TABLE sessions (
    session TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of ON sessions (number);
";

const READ: &str = "read the outbox";
const WRITE: &str = "write to the outbox";

impl Outbox for Store {
    fn put(&self, row: &OutboxRow) -> Result<i64> {
        let end = entry::without_secrets(&row.end);
        let id = (row.id != 0).then_some(row.id);
        let wrong = disk(WRITE);
        let writer = self.writer()?;
        // What the receipt has said of the session stays said.
        let sql = "INSERT INTO outbox (id, session, provider, issuer, kind, token, state, saw, expires, sid, sealed, due,
                       tries, entry, open)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                   ON CONFLICT (id) DO UPDATE SET session = excluded.session, provider = excluded.provider,
                       issuer = excluded.issuer, kind = excluded.kind, token = excluded.token,
                       state = excluded.state, saw = excluded.saw, expires = excluded.expires, sid = excluded.sid,
                       sealed = excluded.sealed, due = excluded.due, tries = excluded.tries,
                       open = excluded.open AND coalesce(excluded.entry, entry) IS NULL,
                       entry = coalesce(excluded.entry, entry)";
        let put = params![
            id,
            row.session,
            end.provider,
            end.issuer,
            end.kind.word(),
            end.id,
            end.state.word(),
            end.saw,
            end.expires_utc_ms,
            row.sid,
            row.sealed,
            row.due_utc_ms,
            row.tries,
            row.entry.map(u64::cast_signed),
            row.open
        ];
        let _ = writer.db.prepare_cached(sql).and_then(|mut query| query.execute(put)).map_err(&wrong)?;
        Ok(id.unwrap_or_else(|| writer.db.last_insert_rowid()))
    }

    fn rows(&self) -> Result<Vec<OutboxRow>> {
        let db = self.reader();
        // A store that is read as an older Cleanshift left it has no outbox.
        if matches!(schema::look(&db)?, schema::Found::Older(_)) {
            return Ok(Vec::new());
        }
        let sql =
            "SELECT id, session, provider, issuer, kind, token, state, saw, expires, sid, sealed, due, tries,
                   entry, open FROM outbox ORDER BY id";
        let wrong = disk(READ);
        let mut query = db.prepare_cached(sql).map_err(&wrong)?;
        let mut rows = query.query([]).map_err(&wrong)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(&wrong)? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    fn remove(&self, id: i64) -> Result<()> {
        let removed = self.writer()?.db.execute("DELETE FROM outbox WHERE id = ?1", [id]);
        removed.map(drop).map_err(disk(WRITE))
    }

    fn told(&self, session: &str, entry: u64) -> Result<()> {
        tell(&self.writer()?.db, session, entry).map_err(disk(WRITE))
    }

    fn first_seen(&self, event: &str, until_utc_ms: i64, now: &Stamp) -> Result<bool> {
        let wrong = disk("remember a provider's event");
        let mut writer = self.writer()?;
        let tx = Transaction::new(&mut writer.db, TransactionBehavior::Immediate).map_err(&wrong)?;
        let _ = tx.execute("DELETE FROM seen_events WHERE until <= ?1", [now.utc_ms]).map_err(&wrong)?;
        // By its hash, so that a provider's text of whatever length takes no more room than another's.
        let event: [u8; 32] = Sha256::digest(event).into();
        let sql = "INSERT OR IGNORE INTO seen_events (event, until) VALUES (?1, ?2)";
        let new = tx.execute(sql, params![event, until_utc_ms]).map_err(&wrong)?;
        tx.commit().map_err(&wrong)?;
        Ok(new > 0)
    }
}

fn read(row: &Row<'_>) -> Result<OutboxRow> {
    let wrong = disk(READ);
    let (kind, state): (String, String) = (row.get(4).map_err(&wrong)?, row.get(6).map_err(&wrong)?);
    let (Some(known_kind), Some(known_state)) = (kind_of(&kind), state_of(&state)) else {
        let id: i64 = row.get(0).map_err(&wrong)?;
        return Err(PortError::new(format!(
            "{READ}: row {id} was changed outside Cleanshift: it says `{kind}` and `{state}`"
        )));
    };
    let plain = || -> rusqlite::Result<OutboxRow> {
        Ok(OutboxRow {
            id: row.get(0)?,
            session: row.get(1)?,
            end: TokenEnd {
                provider: row.get(2)?,
                issuer: row.get(3)?,
                kind: known_kind,
                id: row.get(5)?,
                state: known_state,
                saw: row.get(7)?,
                expires_utc_ms: row.get(8)?,
            },
            sid: row.get(9)?,
            sealed: row.get(10)?,
            due_utc_ms: row.get(11)?,
            tries: row.get(12)?,
            entry: row.get::<_, Option<i64>>(13)?.map(i64::cast_unsigned),
            open: row.get(14)?,
        })
    };
    plain().map_err(wrong)
}

fn kind_of(word: &str) -> Option<TokenKind> {
    let all = [
        TokenKind::ProviderSession,
        TokenKind::ProofKey,
        TokenKind::Refresh,
        TokenKind::Access,
        TokenKind::Call,
    ];
    all.into_iter().find(|kind| kind.word() == word)
}

fn state_of(word: &str) -> Option<TokenState> {
    let all = [
        TokenState::Proved,
        TokenState::Acknowledged,
        TokenState::Pending,
        TokenState::ExpiresAt,
        TokenState::Expired,
        TokenState::Failed,
    ];
    all.into_iter().find(|state| state.word() == word)
}

fn tell(db: &Connection, session: &str, entry: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE outbox SET entry = ?2, open = 0 WHERE session = ?1")?
        .execute(params![session, entry.cast_signed()])
        .map(drop)
}

/// The receipt of a session has been appended: its rows and whoever settles later are to find it. One of a
/// quarantine stands until that of the handoff comes; one that was held in memory is told of by another.
pub(super) fn appended(tx: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<()> {
    let held = receipt.held.iter().map(|held| (held.kind.as_str(), held.session.as_str()));
    for (kind, session) in held.chain([(receipt.kind.as_str(), receipt.session.as_str())]) {
        if session.is_empty() || !matches!(kind, "handoff" | "break-glass" | "quarantine") {
            continue;
        }
        let _ = tx
            .prepare_cached("INSERT OR REPLACE INTO sessions (session, number) VALUES (?1, ?2)")?
            .execute(params![session, receipt.index.cast_signed()])?;
        if kind != "quarantine" {
            tell(tx, session, receipt.index)?;
        }
    }
    Ok(())
}

/// Says of a settlement which entry it is about: the receipt of its session, by the number that the outbox
/// has kept or by the session's own. An entry that tells of another session is not believed to be that one.
pub(super) fn settles(db: &Connection, settlement: &Settlement, receipt: &mut Receipt) -> Result<()> {
    let known = receipt_of(db, &settlement.session).map_err(disk(READ))?;
    for number in settlement.entry.into_iter().chain(known) {
        let json: Option<Vec<u8>> = db
            .query_row("SELECT json FROM ledger WHERE number = ?1", [number.cast_signed()], |row| row.get(0))
            .optional()
            .map_err(disk(READ))?;
        let first = match json {
            None => continue,
            // Its text was given up; nothing contradicts what the outbox has kept.
            Some(json) if json.is_empty() => None,
            Some(json) => match Receipt::read(&json) {
                Ok(first) if tells_of(&first, &settlement.session) => Some(first),
                Ok(_) | Err(_) => continue,
            },
        };
        receipt.operator =
            first.filter(|first| first.session == settlement.session).and_then(|first| first.operator);
        receipt.about = Some(About { entry: number, leaf: String::new() });
        return Ok(());
    }
    receipt.note = "no entry of this ledger tells of the session".to_owned();
    Ok(())
}

fn tells_of(receipt: &Receipt, session: &str) -> bool {
    let own = receipt.kind != "settled" && receipt.session == session;
    !session.is_empty() && (own || receipt.held.iter().any(|held| held.session == session))
}

/// The number of the receipt of this session, where it has one.
fn receipt_of(db: &Connection, session: &str) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT number FROM sessions WHERE session = ?1")?
        .query_row([session], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
        .optional()
}

/// Forgets which session these entries were of: their text was given up.
pub(super) fn forget(db: &Connection, numbers: &[i64]) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM sessions WHERE number = ?1")?;
    numbers.iter().try_for_each(|number| delete.execute([number]).map(drop))
}
