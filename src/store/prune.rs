//! Old entries give up their text, and keep their leaf hashes: below a checkpoint that is kept elsewhere
//! alone, and only after an entry that says so.
//!
//! First the entry of kind `pruned` is durable, then the texts go, some hundreds in a transaction, so that no
//! handoff waits for them. What a crash leaves of that is done the next time: text that is still there
//! within the range is no fault, text that is missing outside of every range is.

use rusqlite::{Connection, params};

use super::{Store, disk, entry, index, ledger, outbox};
use crate::evidence::receipt::{AnchorFacts, PrunedFacts};
use crate::evidence::verify::written_at;
use crate::evidence::{Kept, checkpoint::Signature};
use crate::handoff::planted::{self, Bug};
use crate::ports::{PortError, Result, Stamp, Written};

const WRITE: &str = "prune the ledger";

/// So many entries one entry of kind `pruned` speaks of at most.
const RANGE: u64 = 10_000;
/// So many texts are given up in one transaction.
const BATCH: i64 = 250;

/// What keeps its text for ever: who verifies needs it.
const LASTING: &str = "kind IN ('key', 'anchored', 'pruned') OR number IN
    (SELECT max(number) FROM marks WHERE kind IN ('roster', 'policy') GROUP BY kind)";

/// How long entries are kept, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How long, milliseconds.
    pub keep_ms: u64,
    /// Hash of the policy that says so.
    pub policy: String,
    /// Who prunes: `station`, or an account.
    pub by: String,
}

/// What one step of pruning did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The first entry and the one after the last of which an entry of kind `pruned` was written.
    pub range: Option<(u64, u64)>,
    /// How many texts were given up.
    pub texts: u64,
    /// Why nothing more is pruned although it is older than the policy keeps it.
    pub held_back: Option<String>,
}

impl Pruned {
    /// Whether another step may find something to do.
    #[must_use]
    pub fn more(&self) -> bool {
        self.range.is_some() || self.texts > 0
    }
}

impl Store {
    /// Says how long the shell keeps entries; said once.
    pub fn keep_for(&self, keep: Keep) {
        let _ = self.keep.set(keep);
    }

    /// Writes the entry that says that this checkpoint is kept elsewhere, at `place`: from now on what it
    /// covers may be pruned.
    ///
    /// # Errors
    /// When it is not a checkpoint over this ledger, not signed by its key, or the entry cannot be written.
    pub fn anchor(&self, kept: &Kept, place: &str, by: &str, at: &Stamp) -> Result<Written> {
        let refuse =
            |why: &str| PortError::new(format!("anchor the checkpoint over {} entries: {why}", kept.size));
        self.writer()?.transact(&self.station, |writing| {
            match ledger::root_at(&writing.tx, kept.size) {
                None => {
                    return Err(refuse("the ledger has fewer; it was put back from an old copy, or cut off"));
                }
                Some(root) if root != kept.root => {
                    return Err(refuse(
                        "it is not over this ledger's entries; take the one that this station prints",
                    ));
                }
                Some(_) => {}
            }
            let keys = ledger::keys(&writing.tx)?;
            if kept.signature(&keys) != Signature::Good {
                return Err(refuse(
                    "its signature is not this station's; take the one that this station prints",
                ));
            }
            let anchor = AnchorFacts {
                by: by.to_owned(),
                size: kept.size,
                root: hex::encode(kept.root),
                pruned: None,
            };
            writing.append(entry::anchored(at, anchor, place))
        })
    }

    /// One step of pruning: gives up texts that the ledger says are pruned; where there are none, writes the
    /// entry about the next ones that are older than the policy keeps them.
    ///
    /// # Errors
    /// When the disk fails. What was done until then is consistent, and goes on the next time.
    pub fn prune_once(&self, keep: &Keep, at: &Stamp) -> Result<Pruned> {
        let texts = self.give_up_texts()?;
        if texts > 0 {
            return Ok(Pruned { texts, ..Pruned::default() });
        }
        self.writer()?.transact(&self.station, |writing| {
            let (from, _) = said(&writing.tx)?;
            let old = older(&writing.tx, from, at.utc_ms.saturating_sub_unsigned(keep.keep_ms))?;
            if old == from {
                return Ok(Pruned::default());
            }
            let Some(anchor) = anchor(&writing.tx)? else {
                return Ok(held_back(format!(
                    "the entries {from} to {} are older than the policy keeps them, and no checkpoint over them is kept \
                     elsewhere: `cleanshiftctl log checkpoint` prints one, `cleanshiftctl log anchor` says that it is kept",
                    old - 1
                )));
            };
            let upto = if planted::is(Bug::PrunedUnanchored) { old } else { old.min(anchor.size) };
            if upto <= from {
                return Ok(held_back(format!(
                    "the entries {from} to {} are older than the policy keeps them, and the newest checkpoint kept elsewhere \
                     is over the first {} alone: anchor a newer one",
                    old - 1,
                    anchor.size
                )));
            }
            if planted::is(Bug::PrunedUnsaid) {
                return give_up(&writing.tx, from, upto).map(|texts| Pruned { texts, ..Pruned::default() });
            }
            let pruned = Some(PrunedFacts { from, upto, keep_ms: keep.keep_ms });
            let anchor = AnchorFacts { by: keep.by.clone(), pruned, ..anchor };
            let _ = writing.append(entry::pruned(at, anchor, &keep.policy))?;
            Ok(Pruned { range: Some((from, upto)), ..Pruned::default() })
        })
    }

    /// Gives up texts that the newest entry of kind `pruned` speaks of.
    fn give_up_texts(&self) -> Result<u64> {
        self.writer()?.transact(&self.station, |writing| {
            let (upto, from) = said(&writing.tx)?;
            give_up(&writing.tx, from, upto)
        })
    }
}

fn held_back(why: String) -> Pruned {
    Pruned { held_back: Some(why), ..Pruned::default() }
}

/// The entry up to which the ledger says that it is pruned, and the first that the newest such entry
/// speaks of.
fn said(db: &Connection) -> Result<(u64, u64)> {
    let Some(newest) = ledger::newest(db, "pruned")? else { return Ok((0, 0)) };
    let anchor = ledger::receipt_at(db, newest)?.and_then(|receipt| receipt.anchor);
    let pruned = anchor.and_then(|anchor| anchor.pruned).ok_or_else(|| {
        PortError::new(format!(
            "{WRITE}: entry {newest} does not say what was pruned; `cleanshiftctl log verify` tells more"
        ))
    })?;
    Ok((pruned.upto, pruned.from))
}

/// The first entry from this one on that is not older than this, of the next [`RANGE`].
fn older(db: &Connection, from: u64, than_utc_ms: i64) -> Result<u64> {
    let wrong = disk(WRITE);
    let mut query = db
        .prepare(
            "SELECT number, json, number IN (SELECT number FROM marks WHERE kind IN ('key', 'anchored', 'pruned'))
             FROM ledger WHERE number >= ?1 ORDER BY number",
        )
        .map_err(&wrong)?;
    let mut rows = query.query([from.cast_signed()]).map_err(&wrong)?;
    let mut upto = from;
    while upto - from < RANGE {
        let Some(row) = rows.next().map_err(&wrong)? else { break };
        // What keeps its text for ever stops nothing, whatever time it tells.
        if row.get(2).map_err(&wrong)? {
            continue;
        }
        let json = row.get_ref(1).map_err(&wrong)?.as_blob().unwrap_or_default();
        // What tells no time is kept.
        if written_at(json).is_none_or(|at| at.as_millisecond() >= than_utc_ms) {
            break;
        }
        upto = row.get::<_, i64>(0).map_err(&wrong)?.cast_unsigned() + 1;
    }
    Ok(upto)
}

/// The anchor that covers the most, if it still is over what stands below it.
fn anchor(db: &Connection) -> Result<Option<AnchorFacts>> {
    let mut best: Option<AnchorFacts> = None;
    for number in ledger::marked(db, "anchored")? {
        let Some(anchor) = ledger::receipt_at(db, number)?.and_then(|receipt| receipt.anchor) else {
            continue;
        };
        let root = ledger::root_at(db, anchor.size).map(hex::encode);
        if root.as_ref() == Some(&anchor.root) && best.as_ref().is_none_or(|best| best.size < anchor.size) {
            best = Some(anchor);
        }
    }
    Ok(best)
}

/// Gives up some texts of this range, and of changes below it that were the newest of their kind when
/// theirs was pruned.
fn give_up(db: &Connection, from: u64, upto: u64) -> Result<u64> {
    let wrong = disk(WRITE);
    let lasting = format!("SELECT number FROM marks WHERE {LASTING}");
    let sql = format!(
        "SELECT number FROM ledger WHERE number >= ?1 AND number < ?2 AND length(json) > 0
             AND number NOT IN ({lasting})
         UNION
         SELECT number FROM ledger WHERE length(json) > 0 AND number NOT IN ({lasting})
             AND number IN (SELECT number FROM marks WHERE number < ?1 AND kind IN ('roster', 'policy'))
         LIMIT ?3"
    );
    let numbers: Vec<i64> = db
        .prepare(&sql)
        .and_then(|mut query| {
            query
                .query_map(params![from.cast_signed(), upto.cast_signed(), BATCH], |row| row.get(0))?
                .collect()
        })
        .map_err(&wrong)?;
    for number in &numbers {
        let _ = db
            .prepare_cached("UPDATE ledger SET json = x'', checkpoint = '' WHERE number = ?1")
            .and_then(|mut update| update.execute([number]))
            .map_err(&wrong)?;
    }
    // What finds entries would tell the names that they had.
    index::forget(db, &numbers, (numbers.len() as i64) < BATCH).map_err(&wrong)?;
    outbox::forget(db, &numbers).map_err(&wrong)?;
    Ok(numbers.len() as u64)
}
