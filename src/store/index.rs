//! What finds entries for the view of the log: small rows beside the ledger, written with it, never
//! evidence. Where one does not say what its receipt says, all of them are made anew from the ledger.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{Store, disk, ledger};
use crate::evidence::receipt::Receipt;
use crate::evidence::{Hash, counts, one};
use crate::ports::{Result, Verdict};

/// The tables, which version 2 of the store has brought.
pub(super) const TABLES: &str = "
-- So many entries, from the first one on, stand in the index.
CREATE TABLE found_upto (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    upto INTEGER NOT NULL
) STRICT;
INSERT INTO found_upto (one, upto) VALUES (1, 0);
-- One row for each entry; kind, operator, incoming, cause and text are numbers of words.
CREATE TABLE found (
    number INTEGER PRIMARY KEY,
    utc_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    operator INTEGER NOT NULL,
    incoming INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    clean_us INTEGER,
    forced INTEGER NOT NULL,
    about INTEGER,
    text INTEGER NOT NULL
) STRICT;
CREATE INDEX found_when ON found (utc_ms);
CREATE INDEX found_about ON found (about) WHERE about IS NOT NULL;
-- Each word once: a station knows few people, causes and apps, and many handoffs.
CREATE TABLE found_words (
    id INTEGER PRIMARY KEY,
    word TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE found_people (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- The hashes of the tree in the order in which they came into being, to prove one entry by.
CREATE TABLE found_nodes (
    place INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;
";

/// How many entries are put in at a time: a handoff must not wait for more.
const AT_A_TIME: u64 = 500;
/// How many entries of an old store are put in while it is opened; more are left to whoever searches.
const WHILE_OPENING: u64 = 20_000;
/// The longest note that can be searched, in characters.
const NOTE: usize = 200;
const DOING: &str = "search the log";

/// What the index says of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) utc_ms: i64,
    pub(super) kind: String,
    pub(super) operator: String,
    pub(super) incoming: String,
    pub(super) cause: String,
    pub(super) verdict: Verdict,
    pub(super) clean_us: Option<i64>,
    pub(super) forced: i64,
    pub(super) about: Option<i64>,
    pub(super) text: String,
}

impl Row {
    /// What the index must say of this receipt; of one that cannot be read, nothing.
    pub(super) fn of(receipt: Option<&Receipt>) -> Self {
        let mut row = Self {
            utc_ms: 0,
            kind: String::new(),
            operator: String::new(),
            incoming: String::new(),
            cause: String::new(),
            verdict: Verdict::None,
            clean_us: None,
            forced: 0,
            about: None,
            text: String::new(),
        };
        let Some(receipt) = receipt else { return row };
        row.utc_ms = receipt.at.utc.parse().map_or(0, jiff::Timestamp::as_millisecond);
        row.kind.clone_from(&receipt.kind);
        row.verdict = verdict(receipt);
        row.about = receipt.about.as_ref().map(|about| about.entry.cast_signed());
        let mut words = vec![receipt.kind.as_str()];
        if let Some(who) = &receipt.operator {
            row.operator.clone_from(&who.key);
            words.extend([who.name.as_str(), &who.key, &who.role]);
        }
        if let Some(facts) = &receipt.handoff {
            row.cause.clone_from(&facts.trigger);
            // One that was not finished was not clean after any time.
            let finished = receipt.finished();
            row.clean_us = finished.map(|facts| i64::try_from(facts.clean_after_us).unwrap_or(i64::MAX));
            row.forced = facts.apps.iter().map(|app| i64::from(!app.gracefully)).sum();
            words.push(&facts.trigger);
            words.extend(facts.apps.iter().map(|app| app.name.as_str()));
            if let Some(who) = &facts.incoming {
                row.incoming.clone_from(&who.key);
                words.extend([who.name.as_str(), &who.key, &who.role]);
            }
            let left =
                facts.after.iter().filter(|gate| matches!(gate.answer.as_str(), "present" | "unknown"));
            words.extend(left.map(|gate| gate.gate.as_str()));
        }
        if let Some(change) = &receipt.change {
            words.extend([change.by.as_str(), &change.deed]);
        }
        words.push(match row.verdict {
            Verdict::Clean => "clean",
            Verdict::NotClean => "not clean",
            Verdict::Refused => "refused",
            Verdict::None => "",
        });
        if row.forced > 0 {
            words.push("forced");
        }
        for token in &receipt.tokens {
            words.extend([token.provider.as_str(), token.state.word()]);
        }
        let note: String = receipt.note.chars().take(NOTE).collect();
        words.push(&note);
        let mut seen: Vec<&str> = Vec::with_capacity(words.len());
        for word in words {
            if !word.is_empty() && !seen.contains(&word) {
                seen.push(word);
            }
        }
        row.text = seen.join("\n").to_lowercase();
        row
    }

    /// What the index does say of an entry.
    pub(super) fn stored(db: &Connection, number: u64) -> rusqlite::Result<Option<Self>> {
        let mut query = db.prepare_cached(
            "SELECT utc_ms, k.word, o.word, i.word, c.word, verdict, clean_us, forced, about, t.word FROM found
             JOIN found_words k ON k.id = kind JOIN found_words o ON o.id = operator
             JOIN found_words i ON i.id = incoming JOIN found_words c ON c.id = cause
             JOIN found_words t ON t.id = text WHERE number = ?1",
        )?;
        query
            .query_row([number.cast_signed()], |row| {
                Ok(Self {
                    utc_ms: row.get(0)?,
                    kind: row.get(1)?,
                    operator: row.get(2)?,
                    incoming: row.get(3)?,
                    cause: row.get(4)?,
                    verdict: match row.get::<_, i64>(5)? {
                        1 => Verdict::Clean,
                        2 => Verdict::NotClean,
                        3 => Verdict::Refused,
                        _ => Verdict::None,
                    },
                    clean_us: row.get(6)?,
                    forced: row.get(7)?,
                    about: row.get(8)?,
                    text: row.get(9)?,
                })
            })
            .optional()
    }
}

/// What an entry says of the station.
pub(super) fn verdict(receipt: &Receipt) -> Verdict {
    match (&receipt.handoff, receipt.kind.as_str()) {
        (Some(facts), "handoff") if counts(&facts.after).clean() => Verdict::Clean,
        (Some(_), "handoff") | (_, "quarantine") => Verdict::NotClean,
        (_, "disabled" | "denied" | "badge-unknown") => Verdict::Refused,
        _ => Verdict::None,
    }
}

/// How the index writes a verdict.
pub(super) fn number_of(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::None => 0,
        Verdict::Clean => 1,
        Verdict::NotClean => 2,
        Verdict::Refused => 3,
    }
}

/// The number of a word, where it has one.
pub(super) fn word(db: &Connection, word: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM found_words WHERE word = ?1")?
        .query_row([word], |row| row.get(0))
        .optional()
}

fn word_new(db: &Connection, text: &str) -> rusqlite::Result<i64> {
    if let Some(id) = word(db, text)? {
        return Ok(id);
    }
    let _ = db.prepare_cached("INSERT INTO found_words (word) VALUES (?1)")?.execute([text])?;
    Ok(db.last_insert_rowid())
}

/// How many entries stand in the index.
pub(super) fn upto(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT upto FROM found_upto")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// Where a hash of the tree is read.
pub(super) fn node(db: &Connection, place: u64) -> Option<Hash> {
    let mut query = db.prepare_cached("SELECT hash FROM found_nodes WHERE place = ?1").ok()?;
    query.query_row([place.cast_signed()], |row| row.get(0)).ok()
}

/// Puts an entry in that has just been written. An index that cannot take it keeps nobody out: it is
/// made whole by whoever searches next.
pub(super) fn appended(tx: &Transaction<'_>, receipt: &Receipt, leaf: &Hash) -> rusqlite::Result<()> {
    let put = match upto(tx) {
        Ok(upto) if upto == receipt.index => put(tx, receipt.index, Some(receipt), leaf),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    only_a_help(tx, put)
}

/// What only finds an entry keeps no entry from being written. A disk that is full or fails has undone the whole
/// transaction, which is not to go on.
pub(super) fn only_a_help(tx: &Transaction<'_>, put: rusqlite::Result<()>) -> rusqlite::Result<()> {
    match put {
        Err(error) if tx.is_autocommit() => Err(error),
        Err(error) if super::reason(&error) == super::FULL => Err(error),
        Err(error) => {
            tracing::warn!(%error, "what finds entries did not take one");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn put(db: &Connection, number: u64, receipt: Option<&Receipt>, leaf: &Hash) -> rusqlite::Result<()> {
    let row = Row::of(receipt);
    let id = |text: &str| word_new(db, text);
    let _ = db
        .prepare_cached(
            "INSERT OR REPLACE INTO found (number, utc_ms, kind, operator, incoming, cause, verdict, clean_us,
             forced, about, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            number.cast_signed(),
            row.utc_ms,
            id(&row.kind)?,
            id(&row.operator)?,
            id(&row.incoming)?,
            id(&row.cause)?,
            number_of(row.verdict),
            row.clean_us,
            row.forced,
            row.about,
            id(&row.text)?,
        ])?;
    let incoming = receipt.and_then(|receipt| receipt.handoff.as_ref()?.incoming.as_ref());
    for who in receipt.and_then(|receipt| receipt.operator.as_ref()).into_iter().chain(incoming) {
        let _ = db
            .prepare_cached(
                "INSERT INTO found_people (key, name) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET name = excluded.name WHERE name <> excluded.name",
            )?
            .execute([&who.key, &who.name])?;
    }
    if let Some((first, new)) = one::new_nodes(number, *leaf, &|place| node(db, place)) {
        let mut insert =
            db.prepare_cached("INSERT OR REPLACE INTO found_nodes (place, hash) VALUES (?1, ?2)")?;
        for (place, hash) in (first..).zip(new) {
            let _ = insert.execute(params![place.cast_signed(), hash])?;
        }
    }
    let _ = db.prepare_cached("UPDATE found_upto SET upto = ?1")?.execute([(number + 1).cast_signed()])?;
    Ok(())
}

/// Forgets what entries said whose text was given up; with `last`, words and names too that no other
/// entry has.
pub(super) fn forget(db: &Connection, numbers: &[i64], last: bool) -> rusqlite::Result<()> {
    let nothing = Row::of(None);
    let none = word_new(db, &nothing.text)?;
    let mut update = db.prepare_cached(
        "UPDATE found SET utc_ms = ?2, kind = ?3, operator = ?3, incoming = ?3, cause = ?3, verdict = ?4,
         clean_us = NULL, forced = 0, about = NULL, text = ?3 WHERE number = ?1",
    )?;
    for number in numbers {
        let _ = update.execute(params![number, nothing.utc_ms, none, number_of(nothing.verdict)])?;
    }
    if last && !numbers.is_empty() {
        db.execute_batch(
            "DELETE FROM found_words WHERE id NOT IN (SELECT kind FROM found UNION SELECT operator FROM found
                 UNION SELECT incoming FROM found UNION SELECT cause FROM found UNION SELECT text FROM found);
             DELETE FROM found_people WHERE key NOT IN (SELECT word FROM found_words);",
        )?;
    }
    Ok(())
}

/// Puts entries of the ledger in that are not there yet; false while there are more.
fn more(db: &mut Connection) -> Result<bool> {
    let wrong = disk(DOING);
    let tx = Transaction::new(db, TransactionBehavior::Immediate).map_err(&wrong)?;
    let (from, size) = (upto(&tx).map_err(&wrong)?, ledger::count(&tx)?);
    let end = size.min(from.saturating_add(AT_A_TIME));
    for number in from..end {
        let row: Option<(Vec<u8>, Hash)> = tx
            .prepare_cached("SELECT json, leaf FROM ledger WHERE number = ?1")
            .and_then(|mut query| {
                query.query_row([number.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(&wrong)?;
        // An entry that is missing or damaged has its place all the same; the ledger's audit names it.
        let receipt = row.as_ref().and_then(|(json, _)| Receipt::read(json).ok());
        let leaf = row.map_or([0; 32], |(_, leaf)| leaf);
        put(&tx, number, receipt.as_ref(), &leaf).map_err(&wrong)?;
    }
    tx.commit().map_err(&wrong)?;
    Ok(end >= size)
}

/// Puts in what an older Cleanshift has left out, as far as an opening may wait for it.
pub(super) fn begin(db: &mut Connection) {
    for _ in 0..WHILE_OPENING / AT_A_TIME {
        match more(db) {
            Ok(false) => {}
            Ok(true) => return,
            Err(error) => {
                tracing::warn!(%error, "the log's index is not whole");
                return;
            }
        }
    }
}

impl Store {
    /// Makes the index whole. Between two parts of the work whoever writes has its turn.
    fn complete_index(&self, wanted: &dyn Fn() -> bool) -> Result<()> {
        while wanted() {
            if more(&mut self.writer()?.db)? {
                break;
            }
        }
        Ok(())
    }

    /// The same, where what is there may be damaged.
    pub(super) fn whole_index(&self, wanted: &dyn Fn() -> bool) -> Result<()> {
        self.complete_index(wanted).or_else(|_| {
            self.forget_index()?;
            self.complete_index(wanted)
        })
    }

    /// Throws the index away, so that it is made anew from the ledger.
    pub(super) fn forget_index(&self) -> Result<()> {
        tracing::warn!("the log's index does not say what the ledger says; it is made anew");
        let mut writer = self.writer()?;
        let wrong = disk(DOING);
        let tx = Transaction::new(&mut writer.db, TransactionBehavior::Immediate).map_err(&wrong)?;
        for table in ["found", "found_upto", "found_words", "found_people", "found_nodes"] {
            tx.execute_batch(&format!("DROP TABLE IF EXISTS {table}")).map_err(&wrong)?;
        }
        tx.execute_batch(TABLES).map_err(&wrong)?;
        tx.commit().map_err(&wrong)
    }
}
