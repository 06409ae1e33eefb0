//! The view's questions, answered: the index finds, the ledger tells. A newer question stops an older.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, InterruptHandle, OptionalExtension as _, params_from_iter};

use super::index::{self, Row};
use super::{Store, day, disk, held, ledger};
use crate::evidence::one::{self, Wrong};
use crate::evidence::{Hash, Receipt, Stored};
use crate::ports::controls::Controls;
use crate::ports::{Day, Found, Numbers, PortError, Question, Result, Search, Written};

/// How many entries come with the answer.
const FIRST: u64 = 64;
const DOING: &str = "search the log";

/// A connection for questions of one sort, of which the newest alone counts.
#[derive(Default)]
pub(super) struct Asking {
    newest: AtomicU64,
    db: Mutex<Option<Connection>>,
    running: Mutex<Option<InterruptHandle>>,
}

impl Asking {
    /// Answers a question over this connection; `None` where a newer one has come.
    fn answer<T>(
        &self,
        place: (&Path, Option<&str>),
        ticket: u64,
        work: &mut dyn FnMut(&Connection) -> rusqlite::Result<Option<T>>,
    ) -> Result<Option<T>> {
        let _ = self.newest.fetch_max(ticket, Ordering::SeqCst);
        if let Some(running) = &*held(&self.running) {
            running.interrupt();
        }
        let mut own = held(&self.db);
        let db = match &mut *own {
            Some(db) => db,
            none => {
                let db = none.insert(super::connect_to_read(place.0, place.1)?);
                *held(&self.running) = Some(db.get_interrupt_handle());
                db
            }
        };
        while self.wanted(ticket) {
            match work(db) {
                // An interruption that was meant for the one before is no answer.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {}
                answer => return answer.map_err(disk(DOING)),
            }
        }
        Ok(None)
    }

    fn wanted(&self, ticket: u64) -> bool {
        self.newest.load(Ordering::SeqCst) == ticket
    }
}

/// What the index answers, and whether it can be believed.
enum Answer<T> {
    Good(T),
    Damaged,
}

impl Search for Store {
    fn find(&self, question: &Question, ticket: u64) -> Result<Option<Found>> {
        let place = (self.file.as_path(), self.vfs.as_deref());
        if *question == Question::default() {
            return self.finds.answer(place, ticket, &mut |db| all(db).map(Some));
        }
        for tries in 0..2 {
            // The question counts from now on, so that an older one lets go of a long making-whole.
            let _ = self.finds.newest.fetch_max(ticket, Ordering::SeqCst);
            self.whole_index(&|| self.finds.wanted(ticket))?;
            match self.finds.answer(place, ticket, &mut |db| some(db, question).map(Some)) {
                Ok(Some(Answer::Good(found))) => return Ok(Some(found)),
                Ok(None) => return Ok(None),
                Ok(Some(Answer::Damaged)) | Err(_) if tries == 0 => self.forget_index()?,
                Ok(Some(Answer::Damaged)) => break,
                Err(error) => return Err(error),
            }
        }
        Err(PortError::new(
            "search the log: its index cannot be made anew; the list without a filter has all of it",
        ))
    }

    fn read(&self, numbers: &[u64]) -> Result<Vec<Written>> {
        let db = self.reader();
        numbers
            .iter()
            .filter_map(|number| entry(&db, *number).transpose())
            .collect::<rusqlite::Result<_>>()
            .map_err(disk("read the ledger"))
    }

    fn day(&self, between: (i64, i64), ticket: u64) -> Result<Option<Day>> {
        let place = (self.file.as_path(), self.vfs.as_deref());
        for tries in 0..2 {
            let _ = self.days.newest.fetch_max(ticket, Ordering::SeqCst);
            self.whole_index(&|| self.days.wanted(ticket))?;
            let wanted = || self.days.wanted(ticket);
            match self.days.answer(place, ticket, &mut |db| a_day(db, between, &wanted)) {
                Ok(Some(Answer::Good(day))) => return Ok(Some(day)),
                Ok(None) => return Ok(None),
                Ok(Some(Answer::Damaged)) | Err(_) if tries == 0 => self.forget_index()?,
                Ok(Some(Answer::Damaged)) => break,
                Err(error) => return Err(error),
            }
        }
        Err(PortError::new("read the day: the log's index cannot be made anew"))
    }

    fn check(&self, number: u64) -> Result<std::result::Result<u64, String>> {
        // The keys before the one that signs now have signed older entries.
        let own = self.public_key()?;
        let mut keys = self.all_keys()?;
        if keys.last().is_none_or(|last| last.text() != own.text()) {
            keys.push(own);
        }
        self.whole_index(&|| true)?;
        for tries in 0..2 {
            let checked = check(&self.reader(), number, &keys).map_err(disk("read the ledger"))?;
            match checked {
                // The hashes beside the ledger may be what is damaged: they are made anew before an
                // entry is called wrong.
                Err(Wrong::Tree(_)) if tries == 0 => {
                    self.forget_index()?;
                    self.whole_index(&|| true)?;
                }
                Err(Wrong::Tree(what) | Wrong::Entry(what)) => return Ok(Err(what)),
                Ok(total) => return Ok(Ok(total)),
            }
        }
        Err(PortError::new("check the entry"))
    }

    fn notes(&self, number: u64) -> Result<Vec<Written>> {
        self.whole_index(&|| true)?;
        let db = self.reader();
        let wrong = disk(DOING);
        let numbers: Vec<i64> = db
            .prepare_cached("SELECT number FROM found WHERE about = ?1 ORDER BY number")
            .and_then(|mut query| query.query_map([number.cast_signed()], |row| row.get(0))?.collect())
            .map_err(&wrong)?;
        let notes = numbers.into_iter().filter_map(|one| entry(&db, one.cast_unsigned()).transpose());
        let notes = notes.collect::<rusqlite::Result<Vec<_>>>().map_err(&wrong)?;
        // What is shown beside an entry is about it by its own words, not by the index's.
        Ok(notes.into_iter().filter(|note| about(note) == Some(number)).collect())
    }

    fn controls(
        &self,
        between: Option<(i64, i64)>,
        told: &dyn Fn(u64, u64) -> bool,
    ) -> Result<Option<Controls>> {
        self.controls_of(between, told)
    }
}

fn about(note: &Written) -> Option<u64> {
    Receipt::read(&note.json).ok()?.about.map(|about| about.entry)
}

fn entry(db: &Connection, number: u64) -> rusqlite::Result<Option<Written>> {
    db.prepare_cached("SELECT json, leaf, checkpoint FROM ledger WHERE number = ?1")?
        .query_row([number.cast_signed()], |row| {
            Ok(Written {
                index: number,
                json: row.get::<_, Vec<u8>>(0)?.into(),
                leaf: row.get(1)?,
                checkpoint: row.get::<_, String>(2)?.into(),
            })
        })
        .optional()
}

fn first(db: &Connection, numbers: &Numbers) -> rusqlite::Result<Vec<Written>> {
    numbers.part(0, FIRST).into_iter().filter_map(|number| entry(db, number).transpose()).collect()
}

fn people(db: &Connection) -> rusqlite::Result<Arc<[(String, String)]>> {
    let mut query = db.prepare_cached("SELECT key, name FROM found_people ORDER BY name, key LIMIT 500")?;
    let people = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    people.collect::<rusqlite::Result<Vec<_>>>().map(Into::into)
}

fn size(db: &Connection) -> rusqlite::Result<u64> {
    ledger::count(db).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Every entry: for that no index is needed.
fn all(db: &Connection) -> rusqlite::Result<Found> {
    let total = size(db)?;
    let numbers = Numbers::All(total);
    let people = people(db).unwrap_or_default();
    Ok(Found { first: first(db, &numbers)?, numbers, total, people })
}

fn some(db: &Connection, question: &Question) -> rusqlite::Result<Answer<Found>> {
    let total = size(db)?;
    let rows: i64 = db.query_row("SELECT count(*) FROM found", [], |row| row.get(0))?;
    if rows.cast_unsigned() != total || index::upto(db)? != total {
        return Ok(Answer::Damaged);
    }
    let numbers: Arc<[u64]> = match statement(db, question)? {
        None => Arc::default(),
        Some((sql, values)) => {
            let mut query = db.prepare(&sql)?;
            let rows = query.query_map(params_from_iter(values), |row| row.get::<_, i64>(0))?;
            rows.map(|number| number.map(i64::cast_unsigned)).collect::<rusqlite::Result<Vec<_>>>()?.into()
        }
    };
    let numbers = Numbers::These(numbers);
    let first = first(db, &numbers)?;
    for written in &first {
        if !agrees(db, written)? {
            return Ok(Answer::Damaged);
        }
    }
    Ok(Answer::Good(Found { numbers, total, first, people: people(db)? }))
}

/// Whether the index says of an entry what its receipt says.
fn agrees(db: &Connection, written: &Written) -> rusqlite::Result<bool> {
    let receipt = Receipt::read(&written.json).ok();
    Ok(Row::stored(db, written.index)?.as_ref() == Some(&Row::of(receipt.as_ref())))
}

/// The question as SQL; `None` where a word of it stands in no entry.
fn statement(db: &Connection, question: &Question) -> rusqlite::Result<Option<(String, Vec<Value>)>> {
    let mut sql = String::from("SELECT number FROM found WHERE true");
    let mut values: Vec<Value> = Vec::new();
    if let Some((from, until)) = question.between {
        sql.push_str(" AND utc_ms >= ? AND utc_ms < ?");
        values.extend([from.into(), until.into()]);
    }
    if let Some(key) = &question.operator {
        let Some(id) = index::word(db, key)? else { return Ok(None) };
        sql.push_str(" AND (operator = ? OR incoming = ?)");
        values.extend([id.into(), id.into()]);
    }
    if let Some(trigger) = &question.trigger {
        let Some(id) = index::word(db, trigger)? else { return Ok(None) };
        sql.push_str(" AND cause = ?");
        values.push(id.into());
    }
    if let Some(verdict) = question.verdict {
        sql.push_str(" AND verdict = ?");
        values.push(index::number_of(verdict).into());
    }
    if !question.kinds.is_empty() {
        let mut ids = Vec::new();
        for kind in &question.kinds {
            ids.extend(index::word(db, kind)?.map(|id| id.to_string()));
        }
        sql.push_str(&format!(" AND kind IN ({})", ids.join(", ")));
    }
    for term in question.text.to_lowercase().split_whitespace() {
        sql.push_str(" AND (text IN (SELECT id FROM found_words WHERE instr(word, ?) > 0)");
        values.push(term.to_owned().into());
        if let Ok(number) = term.parse::<i64>() {
            sql.push_str(" OR number = ?");
            values.push(number.into());
        }
        sql.push(')');
    }
    sql.push_str(" ORDER BY number DESC");
    Ok(Some((sql, values)))
}

fn a_day(
    db: &Connection,
    between: (i64, i64),
    wanted: &dyn Fn() -> bool,
) -> rusqlite::Result<Option<Answer<Day>>> {
    let mut numbers: Vec<i64> = db
        .prepare_cached("SELECT number FROM found WHERE utc_ms >= ?1 AND utc_ms < ?2 ORDER BY number")?
        .query_map([between.0, between.1], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // What the station was when the day began, the last entry before it tells that says so.
    let before: Option<i64> = db
        .prepare_cached(
            "SELECT number FROM found WHERE utc_ms < ?1 AND kind IN
             (SELECT id FROM found_words WHERE word IN
              ('opened', 'break-glass', 'handoff', 'started', 'stopped', 'quarantine'))
             ORDER BY utc_ms DESC, number DESC LIMIT 1",
        )?
        .query_row([between.0], |row| row.get(0))
        .optional()?;
    if let Some(before) = before.filter(|before| !numbers.contains(before)) {
        numbers.insert(0, before);
    }
    let mut receipts = Vec::with_capacity(numbers.len());
    for number in numbers {
        if !wanted() {
            return Ok(None);
        }
        let Some(written) = entry(db, number.cast_unsigned())? else { return Ok(Some(Answer::Damaged)) };
        if !agrees(db, &written)? {
            return Ok(Some(Answer::Damaged));
        }
        receipts.extend(Receipt::read(&written.json));
    }
    Ok(Some(Answer::Good(day::of(&receipts, between))))
}

/// An entry with all that vouches for it: text, leaf, root, checkpoint.
type WholeRow = (Vec<u8>, Vec<u8>, Vec<u8>, String);

fn check(
    db: &Connection,
    number: u64,
    keys: &[crate::evidence::StationKey],
) -> rusqlite::Result<std::result::Result<u64, Wrong>> {
    let tx = db.unchecked_transaction()?;
    let row = |number: u64| -> rusqlite::Result<Option<WholeRow>> {
        tx.prepare_cached("SELECT json, leaf, root, checkpoint FROM ledger WHERE number = ?1")?
            .query_row([number.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()
    };
    let total = size(&tx)?;
    let (Some((json, leaf, root, checkpoint)), Some(newest)) =
        (row(number)?, total.checked_sub(1).map(row).transpose()?.flatten())
    else {
        return Ok(Err(Wrong::Entry("it is not there".to_owned())));
    };
    let before = number.checked_sub(1).map(row).transpose()?.flatten().map(|row| row.1);
    let Ok(newest_root) = Hash::try_from(newest.2.as_slice()) else {
        return Ok(Err(Wrong::Entry("the newest root is damaged".to_owned())));
    };
    let entry = Stored { index: number, json: &json, leaf: &leaf, root: &root, checkpoint: &checkpoint };
    let head = one::Head { size: total, root: newest_root, checkpoint: &newest.3 };
    let node = |place| index::node(&tx, place);
    Ok(one::check(&entry, before.as_deref(), &head, keys, &node).map(|()| total))
}
