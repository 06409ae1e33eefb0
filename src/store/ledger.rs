//! An entry is durable with its leaf, root, checkpoint and journal step, or it is not there at all.
//! Nothing is signed on top of a head that this station's key did not sign.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use super::audit::{Pace, walk};
use super::{Store, Writer, disk, entry, index, journal, outbox, roster, schema};
use crate::evidence::verify::{Bad, Fault};
use crate::evidence::{Frontier, Hash, Kept, Receipt, StationKey, StationSeal, Verdict, against, leaf_hash};
use crate::handoff::planted::{self, Bug};
use crate::ports::{Body, Entry, Intent, Ledger, PortError, Result, Stamp, Unfinished, Written};

const WRITE: &str = "write the entry";
const READ: &str = "read the ledger";

impl Ledger for Store {
    fn append(&self, entry: &Entry) -> Result<Written> {
        loop {
            match self.append_once(entry) {
                Ok(written) if matches!(entry.body, Body::Stopped) => {
                    // After the last entry all of the ledger is in the one file: whoever copies that has it.
                    let folded = self
                        .writer()?
                        .db
                        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                        .map_err(disk("fold the store into one file"));
                    if let Err(error) = folded {
                        tracing::warn!(%error, "the newest entries are in station.db-wal");
                    }
                    return Ok(written);
                }
                Err(error)
                    if error.0.contains(super::FULL)
                        && entry::has_reserve(entry)
                        && super::reserve::give_up(&self.dir) => {}
                written => return written,
            }
        }
    }

    fn intend(&self, intent: Intent) -> Result<()> {
        let wrong = disk("write the intent");
        let mut writer = self.writer()?;
        let tx = Transaction::new(&mut writer.db, TransactionBehavior::Immediate).map_err(&wrong)?;
        journal::intend(&tx, &intent).map_err(&wrong)?;
        tx.commit().map_err(&wrong)
    }

    fn unfinished(&self) -> Result<Option<Unfinished>> {
        journal::unfinished(&self.reader())
    }

    fn page(&self, before: Option<u64>, limit: usize) -> Result<Vec<Written>> {
        let wrong = disk(READ);
        let db = self.reader();
        let mut rows = db
            .prepare_cached(
                "SELECT number, json, leaf, checkpoint FROM ledger WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
            )
            .map_err(&wrong)?;
        let before = before.map_or(i64::MAX, |number| i64::try_from(number).unwrap_or(i64::MAX));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        rows.query_map([before, limit], |row| {
            Ok(Written {
                index: row.get::<_, i64>(0)?.cast_unsigned(),
                json: row.get::<_, Vec<u8>>(1)?.into(),
                leaf: row.get(2)?,
                checkpoint: row.get::<_, String>(3)?.into(),
            })
        })
        .and_then(Iterator::collect)
        .map_err(&wrong)
    }

    fn entries(&self) -> Result<u64> {
        count(&self.reader())
    }

    fn prune(&self, at: &Stamp) -> Result<bool> {
        let Some(keep) = self.keep.get() else { return Ok(false) };
        let pruned = self.prune_once(keep, at)?;
        if let Some(why) = &pruned.held_back {
            tracing::warn!("nothing was pruned: {why}");
        }
        Ok(pruned.more())
    }

    fn verify(&self) -> Result<std::result::Result<u64, String>> {
        let verdict = self.audit_at(Pace::Alone, Some(&self.public_key()?), false, &[])?;
        Ok(if verdict.whole() { Ok(verdict.entries) } else { Err(verdict.sentence()) })
    }
}

impl Store {
    fn append_once(&self, entry: &Entry) -> Result<Written> {
        let (mut receipt, means) = entry::receipt(entry)?;
        self.writer()?.transact(&self.station, |ledger| {
            if matches!(means, entry::Means::Finished) && !planted::is(Bug::EndedTwice) {
                // Whose session ends is what the ledger holds open: a receipt that was late and written
                // twice, or an opening that failed, must not make two ends or an end of nothing.
                entry::ends(&mut receipt, journal::open(&ledger.tx).map_err(disk(WRITE))?);
            }
            if let Body::Settled(settlement) = &entry.body {
                outbox::settles(&ledger.tx, settlement, &mut receipt)?;
            }
            if let Some(about) = &mut receipt.about {
                about.leaf = ledger.leaf_of(about.entry)?;
            }
            let written = ledger.append(receipt)?;
            match &means {
                entry::Means::Opened(person, at) => journal::opened(&ledger.tx, person, at),
                entry::Means::Finished => journal::clear(&ledger.tx),
                entry::Means::Nothing => Ok(()),
            }
            .map_err(disk(WRITE))?;
            Ok(written)
        })
    }

    /// Verifies the whole ledger, the stored frontier, and that the roster is what its newest entry
    /// left. With `key`, that must be one of the ledger's keys (the newest signature is checked; each with
    /// `all_signatures`). Reads one snapshot over a connection of its own and delays no write.
    ///
    /// # Errors
    /// When the store cannot be read at all; a damaged entry is no error but the verdict.
    pub fn audit(&self, key: Option<&StationKey>, all_signatures: bool) -> Result<Verdict> {
        self.audit_against(key, all_signatures, &[])
    }

    /// The same, held against checkpoints that were kept elsewhere.
    ///
    /// # Errors
    /// As [`Store::audit`], and when one of the checkpoints was damaged where it was kept.
    pub fn audit_against(
        &self,
        key: Option<&StationKey>,
        all_signatures: bool,
        kept: &[Kept],
    ) -> Result<Verdict> {
        self.audit_at(Pace::SideBySide, key, all_signatures, kept)
    }

    /// The same, at this pace.
    pub(super) fn audit_at(
        &self,
        pace: Pace,
        key: Option<&StationKey>,
        all_signatures: bool,
        kept: &[Kept],
    ) -> Result<Verdict> {
        let wrong = disk(READ);
        let db = super::connect_to_read(&self.file, self.vfs.as_deref())?;
        let tx = db.unchecked_transaction().map_err(&wrong)?;
        let mut verdict = walk(&tx, key, all_signatures, pace);
        // An auditor's key that is none of the ledger's is told of the first entry, and no walk finds more.
        let unsigned = verdict
            .first_bad
            .as_ref()
            .is_some_and(|bad| bad.index > 0 && matches!(bad.fault, Fault::BadSignature | Fault::WrongKey));
        if unsigned && !all_signatures {
            // Whoever changed an old entry and all that follows could not sign anew; the first
            // signature that does not hold tells where.
            verdict = walk(&tx, key, true, pace);
        }
        if verdict.whole() {
            verdict.first_bad = beside(&tx, &verdict);
        }
        if verdict.whole() {
            verdict.first_bad = unanchored(&tx, &verdict);
        }
        // The stored roots were all worked out again by now, so that they may be looked up.
        against::compare(kept, &mut verdict, |size| root_at(&tx, size)).map_err(PortError::new)?;
        Ok(verdict)
    }

    /// Appends an entry of kind `policy` when this hash differs from the last one's.
    ///
    /// # Errors
    /// When the entry cannot be written.
    pub fn note_policy(&self, hash: &str, by: &str, at: &Stamp) -> Result<Option<Written>> {
        self.writer()?.transact(&self.station, |ledger| {
            let before = ledger.latest("policy")?;
            if before == hash {
                return Ok(None);
            }
            let deed = if before.is_empty() { "take the first policy" } else { "take a new policy" };
            ledger.change("policy", by, deed, before, hash.to_owned(), at).map(Some)
        })
    }

    /// Takes what is stored of the break-glass codes into the roster's hash, where its newest entry was written
    /// before that was part of it.
    pub(super) fn hash_codes(&self, at: &Stamp) -> Result<()> {
        self.writer()?.transact(&self.station, |ledger| {
            let (was, is) = (roster::hash_before(&ledger.tx)?, roster::hash_of_all(&ledger.tx)?);
            if was == is || ledger.latest("roster")? != was {
                return Ok(());
            }
            let deed = "hash the break-glass codes themselves, not their names alone";
            ledger.change("roster", "station", deed, was, is, at).map(drop)
        })
    }

    /// Where the store lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What stands beside the entries and must agree with them: the frontier, the newest hashes, the
/// roster's rows.
fn beside(db: &Connection, verdict: &Verdict) -> Option<Bad> {
    let next = verdict.entries;
    let bad = |index: u64, fault: Fault, what: &str| Some(Bad { index, fault, what: what.to_owned() });
    match head(db) {
        Ok(Some(kept)) if kept == verdict.tree => {}
        Ok(Some(kept)) if kept.size() > next => {
            let what = format!("missing: the store has known {} entries", kept.size());
            return bad(next, Fault::Missing, &what);
        }
        Ok(None) if next == 0 => {}
        Ok(_) => {
            let what = "wrong root: the stored frontier of the tree is not that of the entries";
            return bad(next.saturating_sub(1), Fault::WrongRoot, what);
        }
        Err(error) => return bad(next, Fault::Edited, &error.to_string()),
    }
    let newest = next.saturating_sub(1);
    let rows = match schema::look(db) {
        Ok(schema::Found::Older(1)) => roster::hash_before(db),
        Ok(schema::Found::Empty | schema::Found::Older(_) | schema::Found::Store) | Err(_) => {
            roster::hash_of_all(db)
        }
    };
    if rows.is_ok_and(|now| now == verdict.latest.get("roster").cloned().unwrap_or_default()) {
        let agrees = verdict.latest.iter().all(|(what, after)| latest(db, what).as_ref() == Ok(after));
        let what = "edited: the newest hashes beside the ledger are not those of its entries";
        return if agrees { None } else { bad(newest, Fault::ChangedOutside, what) };
    }
    bad(newest, Fault::ChangedOutside, "the roster was changed outside Cleanshift after this entry")
}

/// The first anchor that is not over what stands below it.
fn unanchored(db: &Connection, verdict: &Verdict) -> Option<Bad> {
    let other = verdict.anchors.iter().find(|anchor| root_at(db, anchor.size) != Some(anchor.root))?;
    let what = format!(
        "edited: the checkpoint over {} entries that it says is kept elsewhere is not over these entries",
        other.size
    );
    Some(Bad { index: other.index, fault: Fault::Edited, what })
}

/// The stored root of the tree over so many entries.
pub(super) fn root_at(db: &Connection, size: u64) -> Option<Hash> {
    let number = size.checked_sub(1)?.cast_signed();
    db.query_row("SELECT root FROM ledger WHERE number = ?1", [number], |row| row.get(0)).ok()
}

/// How many entries there are.
pub(super) fn count(db: &Connection) -> Result<u64> {
    // The newest number plus one costs nothing; entries that are missing below it are the audit's.
    db.query_row("SELECT coalesce(max(number) + 1, 0) FROM ledger", [], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
        .map_err(disk(READ))
}

/// The key that signs the ledger's entries now: the newest that one of them names.
pub(super) fn current_key(db: &Connection) -> Result<StationKey> {
    let newest = newest(db, "key")?.unwrap_or(0);
    receipt_at(db, newest)?
        .filter(|receipt| receipt.kind == "key")
        .and_then(|receipt| StationKey::read(&receipt.note).ok())
        .ok_or_else(|| {
            PortError::new(format!(
                "read the ledger: its entry {newest} does not name the station's key; `cleanshiftctl log verify` tells \
                 more, and the state directory must be put back from a copy or moved away"
            ))
        })
}

/// The keys that the ledger has named, in their order.
pub(super) fn keys(db: &Connection) -> Result<Vec<StationKey>> {
    let mut keys = Vec::new();
    for number in marked(db, "key")? {
        let key = receipt_at(db, number)?.map(|receipt| StationKey::read(&receipt.note));
        keys.extend(key.and_then(std::result::Result::ok));
    }
    Ok(keys)
}

/// The number of the newest entry of one of the marked kinds.
pub(super) fn newest(db: &Connection, kind: &str) -> Result<Option<u64>> {
    Ok(marked(db, kind)?.pop())
}

/// The numbers of the entries of one of the marked kinds. Of a store of version 1, which marks none, the one
/// that names the key is known.
pub(super) fn marked(db: &Connection, kind: &str) -> Result<Vec<u64>> {
    let wrong = disk(READ);
    if schema::look(db)? == schema::Found::Older(1) {
        return Ok(if kind == "key" { vec![0] } else { Vec::new() });
    }
    let mut query =
        db.prepare_cached("SELECT number FROM marks WHERE kind = ?1 ORDER BY number").map_err(&wrong)?;
    query
        .query_map([kind], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
        .and_then(Iterator::collect)
        .map_err(&wrong)
}

/// An entry, read; `None` where it is not there or cannot be read.
pub(super) fn receipt_at(db: &Connection, number: u64) -> Result<Option<Receipt>> {
    let json: Option<Vec<u8>> = db
        .query_row("SELECT json FROM ledger WHERE number = ?1", [number.cast_signed()], |row| row.get(0))
        .optional()
        .map_err(disk(READ))?;
    Ok(json.and_then(|json| Receipt::read(&json).ok()))
}

fn head(db: &Connection) -> Result<Option<Frontier>> {
    let row: Option<(i64, Vec<u8>)> = db
        .query_row("SELECT size, frontier FROM head", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .map_err(disk(READ))?;
    let Some((size, bytes)) = row else { return Ok(None) };
    Frontier::from_bytes(size.cast_unsigned(), &bytes)
        .map(Some)
        .ok_or_else(|| PortError::new("read the ledger: the frontier of its tree is damaged"))
}

fn latest(db: &Connection, what: &str) -> Result<String> {
    db.query_row("SELECT after FROM latest WHERE what = ?1", [what], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
        .map_err(disk(READ))
}

/// Writes the first entry, which names the key.
pub(super) fn begin(db: &mut Connection, seal: &StationSeal, station: &str, at: &Stamp) -> Result<()> {
    let wrong = disk(WRITE);
    let tx = Transaction::new(db, TransactionBehavior::Immediate).map_err(&wrong)?;
    let public = seal.public();
    let after = hex::encode(Sha256::digest(&public));
    let mut ledger =
        Appending { tx, seal, next: None, station, tree: Frontier::default(), previous: String::new() };
    let _ = ledger.append(entry::key(at, "station", &public, String::new(), after))?;
    ledger.tx.commit().map_err(&wrong)
}

/// A transaction in which entries are appended.
pub(super) struct Appending<'a> {
    pub(super) tx: Transaction<'a>,
    seal: &'a StationSeal,
    /// The key that takes over, which signs as well.
    next: Option<&'a StationSeal>,
    station: &'a str,
    tree: Frontier,
    previous: String,
}

impl Appending<'_> {
    /// Appends a receipt, whose number, station and `previous` are filled in here.
    pub(super) fn append(&mut self, mut receipt: Receipt) -> Result<Written> {
        receipt.index = self.tree.size();
        receipt.station = self.station.to_owned();
        receipt.previous = std::mem::take(&mut self.previous);
        if let Some(change) = &receipt.change {
            self.set_latest(&receipt.kind, &change.after)?;
        }
        if matches!(receipt.kind.as_str(), "key" | "roster" | "policy" | "anchored" | "pruned") {
            self.mark(receipt.index, &receipt.kind)?;
        }
        let json = receipt.canonical();
        if json.is_empty() {
            return Err(PortError::new("write the entry: it has no canonical form"));
        }
        let leaf = leaf_hash(&json);
        self.tree.push(leaf);
        let root = self.tree.root();
        let checkpoint = match self.next {
            Some(next) if planted::is(Bug::RotationUnsigned) => next.sign(self.tree.size(), &root),
            Some(next) => self.seal.sign_over_to(next, self.tree.size(), &root),
            None => self.seal.sign(self.tree.size(), &root),
        };
        let checkpoint = checkpoint.map_err(PortError::new)?;
        self.store(receipt.index, &json, &leaf, &root, &checkpoint).map_err(disk(WRITE))?;
        index::appended(&self.tx, &receipt, &leaf).map_err(disk(WRITE))?;
        index::only_a_help(&self.tx, outbox::appended(&self.tx, &receipt)).map_err(disk(WRITE))?;
        self.previous = hex::encode(leaf);
        Ok(Written { index: receipt.index, json: json.into(), leaf, checkpoint: Arc::from(checkpoint) })
    }

    /// Appends an entry of kind `what` about a change.
    pub(super) fn change(
        &mut self,
        what: &str,
        by: &str,
        deed: &str,
        before: String,
        after: String,
        at: &Stamp,
    ) -> Result<Written> {
        let (what, by, deed) = (what.to_owned(), by.to_owned(), deed.to_owned());
        let body = Body::Change { what, by, deed, before, after };
        let (receipt, _) = entry::receipt(&Entry { at: at.clone(), body })?;
        self.append(receipt)
    }

    fn store(
        &self,
        index: u64,
        json: &[u8],
        leaf: &Hash,
        root: &Hash,
        checkpoint: &str,
    ) -> rusqlite::Result<()> {
        let _ = self
            .tx
            .prepare_cached(
                "INSERT INTO ledger (number, json, leaf, root, checkpoint) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![index.cast_signed(), json, leaf, root, checkpoint])?;
        let _ = self
            .tx
            .prepare_cached("INSERT OR REPLACE INTO head (one, size, frontier) VALUES (1, ?1, ?2)")?
            .execute(params![self.tree.size().cast_signed(), self.tree.to_bytes()])?;
        Ok(())
    }

    fn latest(&self, what: &str) -> Result<String> {
        latest(&self.tx, what)
    }

    fn mark(&self, number: u64, kind: &str) -> Result<()> {
        self.tx
            .execute("INSERT INTO marks (number, kind) VALUES (?1, ?2)", params![number.cast_signed(), kind])
            .map(drop)
            .map_err(disk(WRITE))
    }

    /// The leaf hash of an entry that another is to be about.
    fn leaf_of(&self, number: u64) -> Result<String> {
        let leaf: Option<Hash> = self
            .tx
            .query_row("SELECT leaf FROM ledger WHERE number = ?1", [number.cast_signed()], |row| row.get(0))
            .optional()
            .map_err(disk(WRITE))?;
        leaf.map(hex::encode)
            .ok_or_else(|| PortError::new(format!("write the entry: there is no entry {number}")))
    }

    fn set_latest(&self, what: &str, after: &str) -> Result<()> {
        self.tx
            .execute("INSERT OR REPLACE INTO latest (what, after) VALUES (?1, ?2)", [what, after])
            .map(drop)
            .map_err(disk(WRITE))
    }
}

impl Writer {
    /// Runs `work` in one transaction at the ledger's head and commits it.
    pub(super) fn transact<T>(
        &mut self,
        station: &str,
        work: impl FnOnce(&mut Appending<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transact_with(station, None, work)
    }

    fn transact_with<T>(
        &mut self,
        station: &str,
        next: Option<&StationSeal>,
        work: impl FnOnce(&mut Appending<'_>) -> Result<T>,
    ) -> Result<T> {
        let wrong = disk(WRITE);
        let tx = Transaction::new(&mut self.db, TransactionBehavior::Immediate).map_err(&wrong)?;
        let (tree, previous) = trusted_head(&tx, &self.seal, self.trusted)?;
        let previous = hex::encode(previous);
        let mut ledger = Appending { tx, seal: &self.seal, next, station, tree, previous };
        let answer = work(&mut ledger)?;
        let now = (ledger.tree.size(), ledger.tree.root());
        ledger.tx.commit().map_err(&wrong)?;
        self.trusted = Some(now);
        Ok(answer)
    }

    /// Writes the entry by which `next` takes over, signed by both, and signs with it from now on.
    pub(super) fn rotate(&mut self, station: &str, next: StationSeal, by: &str, at: &Stamp) -> Result<()> {
        self.transact_with(station, Some(&next), |ledger| {
            let public = next.public();
            let before = ledger.latest("key")?;
            let after = hex::encode(Sha256::digest(&public));
            ledger.append(entry::key(at, by, &public, before, after)).map(drop)
        })?;
        self.seal = next;
        Ok(())
    }

    /// Checks that the newest entry is what this key has signed.
    pub(super) fn check_head(&mut self) -> Result<()> {
        let (tree, _) = trusted_head(&self.db, &self.seal, None)?;
        self.trusted = Some((tree.size(), tree.root()));
        Ok(())
    }
}

/// The tree to append to and the newest leaf. A log must not sign what does not follow from what it
/// has signed: the frontier must give the newest checkpoint's root, and the checkpoint be signed by
/// this key, unless `trusted` says that this process has seen that already.
fn trusted_head(
    db: &Connection,
    seal: &StationSeal,
    trusted: Option<(u64, Hash)>,
) -> Result<(Frontier, Hash)> {
    let broken = |what: &str| {
        PortError::new(format!(
            "write to the ledger: {what}; `cleanshiftctl log verify` tells more, and the state directory must be \
             put back from a copy or moved away"
        ))
    };
    let tree = head(db)?.ok_or_else(|| broken("the frontier of its tree is gone"))?;
    let (index, json, leaf, root, checkpoint): (i64, Vec<u8>, Hash, Hash, String) = db
        .query_row(
            "SELECT number, json, leaf, root, checkpoint FROM ledger ORDER BY number DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )
        .map_err(disk(READ))?;
    let size = index.cast_unsigned() + 1;
    if tree.size() != size || tree.root() != root || leaf_hash(&json) != leaf {
        return Err(broken("its newest entry is not what was written"));
    }
    if trusted != Some((size, root)) {
        // Ed25519 signs the same text always the same, so that signing again checks both. Where this key
        // took over, another's signature stands before its own.
        let signed = seal.sign(size, &root).unwrap_or_default();
        let alone = signed.split_once("\n\n").map_or("", |(_, signature)| signature);
        let rest = checkpoint.strip_prefix(signed.strip_suffix(alone).unwrap_or(&signed));
        if alone.is_empty() || !rest.is_some_and(|signatures| signatures.ends_with(alone)) {
            if current_key(db)?.text() != seal.public() {
                return Err(PortError::new(
                    "write to the ledger: the station's key was changed meanwhile; try again",
                ));
            }
            return Err(broken("its newest entry is not signed by this station's key"));
        }
    }
    Ok((tree, leaf))
}
