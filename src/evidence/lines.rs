//! Verifies exported receipts, one a line, as far as a range of them can be: each is what was written and
//! follows from the one before. What only the whole ledger can show is said, never assumed.

use super::against::Kept;
use super::checkpoint::{Signature, StationKey};
use super::pruned::Pruned;
use super::receipt::Receipt;
use super::tree::{Frontier, Hash, leaf_hash};
use super::verify::{Bad, Fault};

/// What a verification of exported receipts found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The number of the first receipt.
    pub from: u64,
    /// How many hold, from the first one on.
    pub entries: u64,
    /// How many between them are not there, and an entry says that they were pruned.
    pub pruned: u64,
    /// The first one that does not.
    pub first_bad: Option<Bad>,
    /// Whether a checkpoint, signed by the key that the auditor has brought, covers them.
    pub key_checked: bool,
    /// Whether they were shown to be the leaves of a checkpoint's tree.
    pub in_tree: bool,
    /// What could not be shown.
    pub notes: Vec<String>,
    /// What came of each checkpoint, by its size: the root over the receipts is that of the checkpoint.
    pub against: Vec<(u64, bool)>,
}

impl Lines {
    /// The verdict in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        if let Some(bad) = &self.first_bad {
            return format!("broken at entry {}: {}", bad.index, bad.what);
        }
        let last = (self.from + self.entries + self.pruned).saturating_sub(1);
        let range = match (self.entries, self.pruned) {
            (0, _) => "no receipts".to_owned(),
            (1, 0) => format!("1 receipt, entry {}", self.from),
            (more, 0) => format!("{more} receipts, entries {} to {last}", self.from),
            (more, pruned) => {
                format!("{more} receipts of the entries {} to {last}, {pruned} in between pruned", self.from)
            }
        };
        match (self.in_tree, self.key_checked) {
            (true, true) => format!("whole: {range}, covered by a checkpoint signed with this key"),
            (true, false) => format!("consistent, key not checked: {range}, covered by the checkpoint"),
            (false, _) => format!("consistent among themselves, tree and key not checked: {range}"),
        }
    }
}

/// Verifies receipts in the order of their numbers, with the checkpoints that came with them.
///
/// # Errors
/// A fragment, when there is not one receipt.
pub fn verify<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    checkpoints: &[Kept],
    key: Option<&StationKey>,
) -> Result<Lines, String> {
    let mut found = Lines::default();
    let mut walk = Walk::default();
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
    // What was pruned is told after it.
    let told = |line: &&[u8]| std::str::from_utf8(line).is_ok_and(|text| text.contains(r#""kind":"pruned""#));
    for receipt in lines.iter().copied().filter(|line| told(line)).filter_map(|line| Receipt::read(line).ok())
    {
        // One that contradicts itself covers nothing.
        let _ = walk.pruned.told(receipt.index, &receipt.kind, receipt.anchor.as_ref());
    }
    for line in lines {
        if let Err(bad) = walk.take(line, &mut found) {
            found.first_bad = Some(bad);
            return Ok(found);
        }
    }
    if found.entries == 0 {
        return Err("read the export: there is not one receipt in it".to_owned());
    }
    if found.from > 0 {
        found.notes.push(format!(
            "the receipts before entry {} are not in this file, so that no root can be worked out: that these follow \
             from each other was checked, that they are in the station's tree was not; export from the first entry, \
             take single proofs, or verify station.db",
            found.from
        ));
    }
    if let Some(gap) = walk.gap {
        found.notes.push(format!(
            "{} entries are not in this file, from entry {gap} on: an entry in it says that they were pruned; without \
             their hashes no root can be worked out, so that nothing here shows the entries from {gap} on to be in the \
             station's tree; take single proofs, or verify station.db",
            found.pruned
        ));
    }
    let end = found.from + found.entries + found.pruned;
    for kept in checkpoints {
        walk.covered(kept, key, end, &mut found);
        if found.first_bad.is_some() {
            return Ok(found);
        }
    }
    if checkpoints.is_empty() {
        found.notes.push("no checkpoint is beside this file: no signature was checked".to_owned());
    }
    if key.is_none() {
        found.notes.push(match walk.keys.last() {
            Some(key) => format!("key not checked: the export itself names {}", key.text()),
            None => "key not checked: the export names none".to_owned(),
        });
    }
    found.notes.push("one who cuts the end off an export leaves no trace in it".to_owned());
    Ok(found)
}

#[derive(Default)]
struct Walk {
    tree: Frontier,
    /// The roots after each receipt, where the first one is there.
    roots: Vec<Hash>,
    /// The leaf of the receipt before; none at the beginning and after a gap.
    previous: Option<String>,
    keys: Vec<StationKey>,
    /// What the receipts say was pruned.
    pruned: Pruned,
    /// The first entry that is not there because it was pruned.
    gap: Option<u64>,
}

impl Walk {
    fn take(&mut self, line: &[u8], found: &mut Lines) -> Result<(), Bad> {
        let index = found.from + found.entries + found.pruned;
        let bad = |fault, what: String| Bad { index, fault, what };
        let receipt =
            Receipt::read(line).map_err(|error| bad(Fault::Edited, format!("edited: failed to {error}")))?;
        if receipt.canonical() != line {
            return Err(bad(Fault::Edited, "edited: it is not in its canonical form".to_owned()));
        }
        if found.entries == 0 {
            found.from = receipt.index;
        } else if receipt.index > index && self.pruned.unsaid_within(index, receipt.index).is_none() {
            found.pruned += receipt.index - index;
            let _ = self.gap.get_or_insert(index);
            self.previous = None;
        } else if receipt.index != index {
            let (fault, what) = if receipt.index > index {
                let what = format!(
                    "missing: entry {} follows here; of a choice of receipts only single proofs can be verified",
                    receipt.index
                );
                (Fault::Missing, what)
            } else {
                (Fault::Reordered, format!("reordered: entry {} stands in its place", receipt.index))
            };
            return Err(bad(fault, what));
        }
        let follows = match &self.previous {
            Some(previous) => receipt.previous == *previous,
            None => receipt.index > 0 || receipt.previous.is_empty(),
        };
        if !follows {
            let what = "edited: it does not follow from the entry before, one of the two was changed";
            return Err(bad(Fault::Edited, what.to_owned()));
        }
        let leaf = leaf_hash(line);
        if found.from == 0 && self.gap.is_none() {
            self.tree.push(leaf);
            self.roots.push(self.tree.root());
        }
        if receipt.kind == "key"
            && let Ok(key) = StationKey::read(&receipt.note)
        {
            self.keys.push(key);
        }
        self.previous = Some(hex::encode(leaf));
        found.entries += 1;
        Ok(())
    }

    /// Holds a checkpoint against the receipts.
    fn covered(&self, kept: &Kept, key: Option<&StationKey>, end: u64, found: &mut Lines) {
        let bad = |index, fault, what: String| Some(Bad { index, fault, what });
        let newest = end.saturating_sub(1);
        let keys: Vec<StationKey> = key.cloned().into_iter().chain(self.keys.iter().cloned()).collect();
        match kept.signature(&keys) {
            Signature::Bad => {
                let what = "bad signature: the checkpoint was not signed as it stands".to_owned();
                found.first_bad = bad(newest, Fault::BadSignature, what);
                return;
            }
            Signature::Other if !keys.is_empty() => {
                let what = "wrong key: the checkpoint is signed by another key".to_owned();
                found.first_bad = bad(newest, Fault::WrongKey, what);
                return;
            }
            Signature::Good | Signature::Other => {}
        }
        if found.from > 0 || self.gap.is_some_and(|gap| kept.size > gap) {
            found.against.push((kept.size, false));
            return;
        }
        if kept.size > end {
            found.against.push((kept.size, false));
            found.notes.push(format!(
                "the checkpoint is over {} entries and the file holds the first {end}: nothing shows that these \
                 are among its leaves",
                kept.size
            ));
            return;
        }
        let root = usize::try_from(kept.size - 1).ok().and_then(|place| self.roots.get(place));
        if root != Some(&kept.root) {
            let what = format!(
                "wrong root: the receipts up to it do not give the root of the checkpoint over {} entries",
                kept.size
            );
            found.first_bad = bad(kept.size - 1, Fault::WrongRoot, what);
            return;
        }
        found.against.push((kept.size, true));
        if kept.size < end {
            let what = format!("the entries from {} on are newer than the checkpoint", kept.size);
            found.notes.push(what);
            return;
        }
        found.in_tree = true;
        found.key_checked |= key.is_some_and(|key| key.check(&kept.text) == Signature::Good);
        if let Some(key) = key
            && !found.key_checked
        {
            let known =
                if self.keys.contains(key) { "an earlier one of this station" } else { "none of its" };
            found.notes.push(format!(
                "the checkpoint is signed by a key that the export names; the key given is {known}, and the \
                 signature that hands one over to the next is not in an export"
            ));
        }
    }
}
