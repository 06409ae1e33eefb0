//! Reads all entries in their order and has them verified. Of a million entries the hashes of their
//! texts are most of the work: one thread reads, some hash, and one follows the chain.

use std::num::NonZero;
use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use rusqlite::{Connection, Rows};

use crate::evidence::{Audit, Hash, StationKey, Stored, Verdict, leaf_hash};

/// So many entries are handed on at a time: a megabyte or two.
const BATCH: usize = 256;
/// So many batches may wait for each thread that hashes.
const WAITING: usize = 2;
/// More threads than these would wait for the one that reads.
const MOST: usize = 4;

/// How a ledger is verified.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// By the thread that asks, beside which the station has other things to do.
    Alone,
    /// By as many threads as there are processors, within reason: somebody waits for it.
    SideBySide,
}

/// Verifies the entries of this snapshot.
pub(super) fn walk(db: &Connection, key: Option<&StationKey>, all_signatures: bool, pace: Pace) -> Verdict {
    let mut audit = Audit::new(key.cloned(), all_signatures);
    if let Err(error) = feed(db, &mut audit, pace) {
        audit.unreadable(&super::reason(&error));
    }
    audit.finish()
}

fn feed(db: &Connection, audit: &mut Audit, pace: Pace) -> rusqlite::Result<()> {
    let mut query = db.prepare("SELECT number, json, leaf, root, checkpoint FROM ledger ORDER BY number")?;
    let mut rows = query.query([])?;
    let mut batch = Batch::default();
    loop {
        let more = batch.fill(&mut rows);
        batch.hash();
        // What was read before a row that cannot be read is followed all the same.
        if batch.follow(audit).is_break() || !more? {
            return Ok(());
        }
        if matches!(pace, Pace::SideBySide) {
            return side_by_side(&mut rows, audit, batch);
        }
    }
}

/// The rest of the rows. Batches go round the hashing threads in turn and are taken from them in the
/// same turn, so that they are followed in their order. An entry that does not hold ends the one that
/// follows; the others then find nobody who takes what they have.
fn side_by_side(rows: &mut Rows<'_>, audit: &mut Audit, spare: Batch) -> rusqlite::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST);
    let (give_back, spares) = channel();
    let _ = give_back.send(spare);
    std::thread::scope(|scope| {
        let (mut to, mut from) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (read, to_hash) = sync_channel(WAITING);
            let (hashed, to_follow) = sync_channel(WAITING);
            drop(scope.spawn(move || hash_all(&to_hash, &hashed)));
            to.push(read);
            from.push(to_follow);
        }
        drop(scope.spawn(move || follow_all(&from, audit, &give_back)));
        read_all(rows, &to, &spares)
    })
}

/// Reads until the rows end or nobody takes them any more.
fn read_all(rows: &mut Rows<'_>, to: &[SyncSender<Batch>], spares: &Receiver<Batch>) -> rusqlite::Result<()> {
    for thread in to.iter().cycle() {
        let mut batch = spares.try_recv().unwrap_or_default();
        let more = batch.fill(rows);
        if thread.send(batch).is_err() || !matches!(more, Ok(true)) {
            return more.map(drop);
        }
    }
    Ok(())
}

fn hash_all(read: &Receiver<Batch>, hashed: &SyncSender<Batch>) {
    for mut batch in read {
        batch.hash();
        if hashed.send(batch).is_err() {
            return;
        }
    }
}

fn follow_all(hashed: &[Receiver<Batch>], audit: &mut Audit, give_back: &Sender<Batch>) {
    for thread in hashed.iter().cycle() {
        let Ok(batch) = thread.recv() else { return };
        if batch.follow(audit).is_break() {
            return;
        }
        let _ = give_back.send(batch);
    }
}

/// Entries that stand one behind the other in memory that is used again.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    leaves: Vec<Hash>,
}

/// Where an entry's parts stand.
struct Row {
    index: u64,
    json: Range<usize>,
    leaf: Range<usize>,
    root: Range<usize>,
    checkpoint: Range<usize>,
}

impl Batch {
    /// Takes the next rows in place of what it held; answers whether there may be more.
    fn fill(&mut self, rows: &mut Rows<'_>) -> rusqlite::Result<bool> {
        self.bytes.clear();
        self.rows.clear();
        self.leaves.clear();
        while self.rows.len() < BATCH {
            let Some(row) = rows.next()? else { return Ok(false) };
            let mut keep = |bytes: &[u8]| {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                from..self.bytes.len()
            };
            let row = Row {
                index: row.get::<_, i64>(0)?.cast_unsigned(),
                json: keep(row.get_ref(1)?.as_blob()?),
                leaf: keep(row.get_ref(2)?.as_blob()?),
                root: keep(row.get_ref(3)?.as_blob()?),
                checkpoint: keep(row.get_ref(4)?.as_str()?.as_bytes()),
            };
            self.rows.push(row);
        }
        Ok(true)
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    fn hash(&mut self) {
        let leaves = self.rows.iter().map(|row| leaf_hash(self.part(&row.json))).collect();
        self.leaves = leaves;
    }

    fn follow(&self, audit: &mut Audit) -> ControlFlow<()> {
        for (row, leaf) in self.rows.iter().zip(&self.leaves) {
            let entry = Stored {
                index: row.index,
                json: self.part(&row.json),
                leaf: self.part(&row.leaf),
                root: self.part(&row.root),
                checkpoint: std::str::from_utf8(self.part(&row.checkpoint)).unwrap_or_default(),
            };
            audit.hashed(&entry, *leaf)?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::verify::Fault;
    use crate::handoff::record::Record;
    use crate::ports::{Body, Entry, Ledger as _, Stamp};
    use crate::store::Store;

    /// So many entries that every thread has batches, and the last is not full.
    const ENTRIES: u64 = (2 * MOST * BATCH + 7) as u64;

    #[test]
    fn the_first_entry_that_does_not_hold_is_named_in_whatever_batch() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), "S").unwrap();
        let at = Stamp { utc_ms: 1_790_000_000_000, boot_ms: 5, boot_id: "b".to_owned() };
        let body =
            Body::Core { record: Record::BadgeUnknown, person: None, note: String::new(), unfinished: None };
        let entry = Entry { at, body };
        while store.entries().unwrap() < ENTRIES {
            let _ = store.append(&entry).unwrap();
        }
        drop(store);
        let db = Connection::open(dir.path().join("station.db")).unwrap();
        db.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM ledger").unwrap();
        let verdict = |damage: &str| {
            db.execute_batch("DELETE FROM ledger; INSERT INTO ledger SELECT * FROM kept").unwrap();
            db.execute_batch(damage).unwrap();
            let store = Store::open_read(dir.path()).unwrap();
            let verdict = store.audit(None, false).unwrap();
            assert_eq!(store.verify().unwrap().ok(), verdict.whole().then_some(verdict.entries), "{damage}");
            verdict
        };
        let whole = verdict("");
        assert_eq!((whole.entries, &whole.first_bad), (ENTRIES, &None));
        let edited = |number: u64| {
            format!("UPDATE ledger SET json = CAST(json || ' ' AS BLOB) WHERE number = {number};")
        };
        let root = |number: u64| format!("UPDATE ledger SET root = zeroblob(32) WHERE number = {number};");
        let batch = BATCH as u64;
        let last = ENTRIES - 1;
        for (damage, number, fault) in [
            (edited(3), 3, Fault::Edited),
            (edited(batch - 1), batch - 1, Fault::Edited),
            (edited(batch), batch, Fault::Edited),
            (edited(last), last, Fault::Edited),
            (root(5 * batch + 9), 5 * batch + 9, Fault::WrongRoot),
            (edited(7 * batch) + &root(3 * batch - 1), 3 * batch - 1, Fault::WrongRoot),
            (format!("DELETE FROM ledger WHERE number = {}", 2 * batch), 2 * batch, Fault::Missing),
            (format!("DELETE FROM ledger WHERE number = {last}"), last, Fault::Missing),
        ] {
            let verdict = verdict(&damage);
            let bad = verdict.first_bad.unwrap_or_else(|| panic!("not seen: {damage}"));
            assert_eq!((bad.index, bad.fault, verdict.entries), (number, fault, number), "{damage}");
        }
    }
}
