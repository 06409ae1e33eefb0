//! Names the first bad entry of a ledger, and what is wrong with it. Reads entries one by one and
//! keeps none, so that a million of them need no memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Deserialize;

use super::against::Came;
use super::chain::Chain;
use super::checkpoint::{self, Signature, StationKey};
pub use super::pruned::Anchored;
use super::pruned::Pruned;
use super::receipt::AnchorFacts;
use super::tree::{Frontier, Hash, leaf_hash};

/// By so much the wall clock may lag behind the clock that counts from boot before it is told, milliseconds:
/// entries of two programs are stamped before they wait for each other, and are then written in another order.
const SLACK_MS: i64 = 100;
/// After so many notes the rest are counted, not told.
const NOTES: usize = 20;

/// An entry as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its number.
    pub index: u64,
    /// Its canonical JSON; nothing where it was pruned.
    pub json: &'a [u8],
    /// Its leaf hash.
    pub leaf: &'a [u8],
    /// The root of the tree that ends with it.
    pub root: &'a [u8],
    /// The checkpoint over that tree.
    pub checkpoint: &'a str,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The checkpoint's signature does not hold.
    BadSignature,
    /// What an entry of roster or policy says was there before is not what the last one left.
    ChangedOutside,
    /// The text is not the one that was written.
    Edited,
    /// It is not there.
    Missing,
    /// Its text is gone, and no entry says that it was pruned.
    Removed,
    /// Another entry stands in its place.
    Reordered,
    /// It, or one before it, is not what a checkpoint kept elsewhere covers.
    Rewritten,
    /// A checkpoint kept elsewhere covers it, and it is not there.
    Truncated,
    /// The checkpoint does not say this size and this root.
    WrongCheckpoint,
    /// The checkpoint is another key's.
    WrongKey,
    /// The tree does not give the stored root.
    WrongRoot,
}

impl Fault {
    /// In a word, for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BadSignature => "bad-signature",
            Self::ChangedOutside => "changed-outside",
            Self::Edited => "edited",
            Self::Missing => "missing",
            Self::Removed => "removed",
            Self::Reordered => "reordered",
            Self::Rewritten => "rewritten",
            Self::Truncated => "truncated",
            Self::WrongCheckpoint => "wrong-checkpoint",
            Self::WrongKey => "wrong-key",
            Self::WrongRoot => "wrong-root",
        }
    }
}

/// The first entry that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its number.
    pub index: u64,
    /// What is wrong, for programs.
    pub fault: Fault,
    /// What is wrong, for people: `edited: its text does not give its leaf hash`.
    pub what: String,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries hold, from the first one on.
    pub entries: u64,
    /// The first one that does not.
    pub first_bad: Option<Bad>,
    /// Whether the signatures were checked with a key that the auditor brought.
    pub key_checked: bool,
    /// How many signatures were checked: the newest, and that of every change of the key; or all.
    pub signatures: u64,
    /// Whether every signature was checked.
    pub all_signatures: bool,
    /// The station's keys, as the ledger names them, in their order.
    pub keys: Vec<StationKey>,
    /// How many entries were pruned: of these only hashes are there.
    pub pruned: u64,
    /// The lowest anchored checkpoint below which all of them lie.
    pub pruned_below: Option<u64>,
    /// The checkpoints that the ledger says are kept elsewhere.
    pub anchors: Vec<Anchored>,
    /// What came of each checkpoint that the auditor has brought, by its size.
    pub against: Vec<(u64, Came)>,
    /// What is worth knowing and no failure: a clock that went backwards, a key not checked.
    pub notes: Vec<String>,
    /// Hash after the newest change of each kind: `roster`, `policy`, `key`.
    pub latest: BTreeMap<String, String>,
    /// The tree over the entries that hold.
    pub tree: Frontier,
}

impl Verdict {
    /// Whether every entry holds.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.first_bad.is_none()
    }

    /// The verdict in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        if let Some(bad) = &self.first_bad {
            return format!("broken at entry {}: {}", bad.index, bad.what);
        }
        let entries = match self.entries {
            1 => "1 entry".to_owned(),
            more => format!("{more} entries"),
        };
        let with = if self.key_checked { " with this key" } else { "" };
        let signatures = match (self.signatures, self.all_signatures) {
            (0, _) => String::new(),
            (_, true) => format!(", all {} signatures checked{with}", self.entries - self.pruned),
            (_, false) => format!(", newest signature checked{with}"),
        };
        let pruned = match (self.pruned, self.pruned_below) {
            (0, _) => String::new(),
            (some, Some(below)) => {
                format!("; {some} of them pruned below the anchor at {below} entries: hashes only")
            }
            (some, None) => format!("; {some} of them pruned: hashes only"),
        };
        let verdict = if self.key_checked { "whole" } else { "consistent, key not checked" };
        format!("{verdict}: {entries}{signatures}{pruned}")
    }
}

/// Verifies entries in the order of their numbers. The newest checkpoint (with `all_signatures`, each) must
/// be signed by the key that the ledger names, or has changed to by then. With `key`, that must be one
/// of those; without, the verdict says that nobody vouched for them.
pub fn verify<'a>(
    entries: impl IntoIterator<Item = Stored<'a>>,
    key: Option<&StationKey>,
    all_signatures: bool,
) -> Verdict {
    let mut audit = Audit::new(key.cloned(), all_signatures);
    for entry in entries {
        if audit.entry(&entry).is_break() {
            break;
        }
    }
    audit.finish()
}

/// A verification on its way: [`verify`] for whoever cannot hand over an iterator.
pub struct Audit {
    verdict: Verdict,
    chain: Chain,
    pruned: Pruned,
    /// The newest change of each kind.
    changed: BTreeMap<String, u64>,
    all_signatures: bool,
    origin: String,
    previous: String,
    newest: String,
    /// The number of the entry whose checkpoint that is.
    newest_index: u64,
    utc: String,
    boot_ms: u64,
    boot_id: String,
    text: String,
    backwards: u64,
}

/// The few fields that the chain itself needs; the rest is covered by the leaf hash.
#[derive(Deserialize)]
struct Spine<'a> {
    index: u64,
    previous: &'a str,
    kind: &'a str,
    #[serde(borrow)]
    at: SpineTime<'a>,
    #[serde(borrow, default)]
    change: Option<SpineChange<'a>>,
    #[serde(default)]
    anchor: Option<AnchorFacts>,
}

#[derive(Deserialize)]
struct SpineTime<'a> {
    utc: &'a str,
    boot_ms: u64,
    #[serde(borrow)]
    boot_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct SpineChange<'a> {
    before: &'a str,
    after: &'a str,
}

impl<'a> Spine<'a> {
    fn read(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Reads the same from both ends of canonical text, where keys are sorted: `at` is the first,
    /// and between `index` and the end stand only short ones. In between lie kilobytes of gates that
    /// need not be read again, since the leaf hash has covered them. A quote inside a string is
    /// escaped, so that what is looked for can only be a key. `None` where it is not as expected, and
    /// for changes, which are few: the whole text decides then.
    fn glance(json: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(json).ok()?;
        let (boot_id, at) = text.strip_prefix(r#"{"at":{"boot_id":""#)?.split_once(r#"","boot_ms":"#)?;
        let (boot_ms, utc) = at.split_once(r#","utc":""#)?;
        let (_, tail) = text.rsplit_once(r#","index":"#)?;
        let (index, kind) = tail.split_once(r#","kind":""#)?;
        let (_, previous) = tail.rsplit_once(r#","previous":""#)?;
        let upto = |text: &'a str| text.split_once('"').map(|(value, _)| value);
        let kind = upto(kind)?;
        let whole = matches!(kind, "roster" | "policy" | "key" | "anchored" | "pruned");
        (!whole).then_some(Self {
            index: index.parse().ok()?,
            previous: upto(previous)?,
            kind,
            at: SpineTime { utc: upto(utc)?, boot_ms: boot_ms.parse().ok()?, boot_id: boot_id.into() },
            change: None,
            anchor: None,
        })
    }
}

/// When an entry was written, UTC; `None` where its text says nothing of it.
#[must_use]
pub fn written_at(json: &[u8]) -> Option<jiff::Timestamp> {
    let spine = Spine::glance(json).or_else(|| Spine::read(json))?;
    spine.at.utc.parse().ok()
}

impl Audit {
    /// A verification of nothing yet.
    #[must_use]
    pub fn new(key: Option<StationKey>, all_signatures: bool) -> Self {
        Self {
            verdict: Verdict { all_signatures, ..Verdict::default() },
            chain: Chain::new(key),
            pruned: Pruned::default(),
            changed: BTreeMap::new(),
            all_signatures,
            origin: String::new(),
            previous: String::new(),
            newest: String::new(),
            newest_index: 0,
            utc: String::new(),
            boot_ms: 0,
            boot_id: String::new(),
            text: String::new(),
            backwards: 0,
        }
    }

    /// Takes the next entry. Breaks when something is wrong with it; the verdict is ready then.
    pub fn entry(&mut self, entry: &Stored<'_>) -> ControlFlow<()> {
        self.hashed(entry, leaf_hash(entry.json))
    }

    /// The same, where the leaf hash of its text has been worked out already, beside everything else.
    pub(crate) fn hashed(&mut self, entry: &Stored<'_>, leaf: Hash) -> ControlFlow<()> {
        match self.follow(entry, leaf) {
            Ok(()) => ControlFlow::Continue(()),
            Err(bad) => {
                self.verdict.first_bad = Some(bad);
                ControlFlow::Break(())
            }
        }
    }

    /// Says that the next entry cannot be read at all, for instance because the file is damaged.
    pub fn unreadable(&mut self, why: &str) {
        let index = self.verdict.entries;
        let _ = self.verdict.first_bad.get_or_insert_with(|| {
            bad(index, Fault::Edited, format!("edited: it cannot be read from the store, {why}"))
        });
    }

    /// The verdict, after the last entry.
    #[must_use]
    pub fn finish(mut self) -> Verdict {
        if self.verdict.whole() && !self.newest.is_empty() && !self.all_signatures {
            let text = std::mem::take(&mut self.newest);
            self.verdict.first_bad = self.signature(self.newest_index, &text).err();
        }
        if self.verdict.whole() {
            self.verdict.first_bad = self.afterwards();
        }
        if let Some(bad) = &self.verdict.first_bad {
            self.verdict.entries = self.verdict.entries.min(bad.index);
        }
        self.verdict.key_checked = self.chain.vouched() && self.verdict.signatures > 0;
        if !self.chain.was_brought() {
            self.verdict.notes.push(match self.chain.current() {
                Some(key) => format!("key not checked: the ledger itself names {}", key.text()),
                None => "key not checked: the ledger names none".to_owned(),
            });
        }
        (self.verdict.pruned, self.verdict.pruned_below) = (self.pruned.count(), self.pruned.below());
        self.verdict.anchors = std::mem::take(&mut self.pruned).into_anchors();
        self.verdict.keys = std::mem::take(&mut self.chain).into_keys();
        if let Some(more) = self.backwards.checked_sub(NOTES as u64).filter(|more| *more > 0) {
            self.verdict.notes.push(format!("the clock went backwards {more} more times"));
        }
        self.verdict
    }

    fn follow(&mut self, entry: &Stored<'_>, leaf: Hash) -> Result<(), Bad> {
        let index = self.verdict.entries;
        if entry.index != index {
            return Err(bad(index, Fault::Missing, "missing: there is no such entry".to_owned()));
        }
        if entry.json.is_empty() {
            return self.hash_alone(entry);
        }
        let edited = |what: &str| bad(index, Fault::Edited, format!("edited: {what}"));
        if leaf.as_slice() != entry.leaf {
            return Err(edited("its text does not give its leaf hash"));
        }
        let spine = Spine::glance(entry.json)
            .filter(|spine| spine.index == index && spine.previous == self.previous)
            .or_else(|| Spine::read(entry.json))
            .ok_or_else(|| edited("its text is no entry"))?;
        if spine.index != index {
            let what = format!("reordered: entry {} stands in its place", spine.index);
            return Err(bad(index, Fault::Reordered, what));
        }
        if index == 0 {
            self.chain.begin(entry.json).map_err(|what| bad(index, Fault::WrongKey, what))?;
            self.origin = self.chain.current().map_or_else(String::new, |key| key.origin().to_owned());
        }
        if spine.previous != self.previous {
            return Err(self.unlinked(index));
        }
        self.verdict.tree.push(leaf);
        let root = self.verdict.tree.root();
        if root.as_slice() != entry.root {
            let what = "wrong root: the tree up to it does not give the root that was stored".to_owned();
            return Err(bad(index, Fault::WrongRoot, what));
        }
        let changes_key = spine.kind == "key" && index > 0;
        self.head(index, entry.checkpoint, &root)?;
        if self.all_signatures && !changes_key {
            self.signature(index, entry.checkpoint)?;
        }
        self.changes(index, &spine)?;
        if changes_key {
            self.verdict.signatures += 1;
            self.chain
                .change(entry.json, entry.checkpoint)
                .map_err(|(fault, what)| bad(index, fault, what))?;
        }
        if matches!(spine.kind, "anchored" | "pruned") {
            let told = self.pruned.told(index, spine.kind, spine.anchor.as_ref());
            told.map_err(|what| edited(&what))?;
        }
        self.time(index, &spine.at);
        self.previous.clear();
        self.previous.push_str(hex_of(&leaf, &mut [0; 64]));
        self.newest.clear();
        self.newest.push_str(entry.checkpoint);
        self.newest_index = index;
        self.verdict.entries += 1;
        Ok(())
    }

    /// An entry without text: its hash stands for it in the tree. Whether it was pruned as it should, the
    /// entries after it tell.
    fn hash_alone(&mut self, entry: &Stored<'_>) -> Result<(), Bad> {
        let index = entry.index;
        let leaf = Hash::try_from(entry.leaf).ok().filter(|_| index > 0);
        let Some(leaf) = leaf else {
            return Err(bad(index, Fault::Removed, "removed: its text is gone".to_owned()));
        };
        self.verdict.tree.push(leaf);
        if self.verdict.tree.root().as_slice() != entry.root {
            let what = "edited: the hash that is left of this pruned entry is not the one that was written";
            return Err(bad(index, Fault::Edited, what.to_owned()));
        }
        self.pruned.gap(index);
        self.previous.clear();
        self.previous.push_str(hex_of(&leaf, &mut [0; 64]));
        self.verdict.entries += 1;
        Ok(())
    }

    /// What only the whole can tell: whether all text that is gone was pruned, and whether the auditor's key is
    /// one of the ledger's.
    fn afterwards(&self) -> Option<Bad> {
        if let Some(what) = self.chain.stranger() {
            return Some(bad(0, Fault::WrongKey, what));
        }
        if let Some(index) = self.pruned.unsaid() {
            let what = "removed: its text is gone, and no entry says that it was pruned".to_owned();
            return Some(bad(index, Fault::Removed, what));
        }
        let index = self.pruned.unanchored()?;
        let what = "edited: it prunes below a checkpoint that no entry says is kept elsewhere".to_owned();
        Some(bad(index, Fault::Edited, what))
    }

    /// The entry does not follow from the one before. Whose fault that is, the signature of the one
    /// before can tell.
    fn unlinked(&mut self, index: u64) -> Bad {
        let what = "edited: it does not follow from the entry before, one of the two was changed";
        let before = std::mem::take(&mut self.newest);
        index
            .checked_sub(1)
            .filter(|one| !self.all_signatures && *one == self.newest_index && !before.is_empty())
            .and_then(|one| self.signature(one, &before).err())
            .unwrap_or_else(|| bad(index, Fault::Edited, what.to_owned()))
    }

    fn head(&mut self, index: u64, checkpoint: &str, root: &Hash) -> Result<(), Bad> {
        if self.origin.is_empty() {
            // Nobody names a key, so the checkpoint's own first line stands for the origin.
            self.origin = checkpoint.lines().next().unwrap_or_default().to_owned();
        }
        checkpoint::text_into(&mut self.text, &self.origin, index + 1, root);
        let signed = checkpoint
            .strip_prefix(self.text.as_str())
            .and_then(|rest| rest.strip_prefix("\n— "))
            .and_then(|rest| rest.strip_prefix(self.origin.as_str()));
        if signed.is_none() {
            let what = "wrong checkpoint: it does not say this size and this root".to_owned();
            return Err(bad(index, Fault::WrongCheckpoint, what));
        }
        Ok(())
    }

    fn signature(&mut self, index: u64, checkpoint: &str) -> Result<(), Bad> {
        let Some(key) = self.chain.current() else { return Ok(()) };
        self.verdict.signatures += 1;
        match key.check(checkpoint) {
            Signature::Good => Ok(()),
            Signature::Bad => {
                let what = "bad signature: its checkpoint was not signed as it stands".to_owned();
                Err(bad(index, Fault::BadSignature, what))
            }
            Signature::Other => {
                let what = "wrong key: its checkpoint is signed by another key".to_owned();
                Err(bad(index, Fault::WrongKey, what))
            }
        }
    }

    /// What was there before a change must be what the last change left.
    fn changes(&mut self, index: u64, spine: &Spine<'_>) -> Result<(), Bad> {
        let Some(change) = &spine.change else { return Ok(()) };
        let last = self.verdict.latest.insert(spine.kind.to_owned(), change.after.to_owned());
        let since = self.changed.insert(spine.kind.to_owned(), index);
        // What was pruned in between may have been a change too: then nobody can tell what it left.
        if last.as_deref().unwrap_or_default() == change.before || self.pruned.since(since) {
            return Ok(());
        }
        let what = format!("the {} was changed outside Cleanshift before this entry", spine.kind);
        Err(bad(index, Fault::ChangedOutside, what))
    }

    /// A clock that goes backwards is reported, and no failure (requirement E-10).
    fn time(&mut self, index: u64, at: &SpineTime<'_>) {
        // All have the same form and width, so that text compares as time.
        if at.utc < self.utc.as_str() && self.set_back(at) {
            self.backwards += 1;
            if self.backwards <= NOTES as u64 {
                let (before, utc) = (&self.utc, at.utc);
                self.verdict
                    .notes
                    .push(format!("the clock went backwards before entry {index}: from {before} to {utc}"));
            }
        }
        self.utc.clear();
        self.utc.push_str(at.utc);
        self.boot_ms = at.boot_ms;
        if self.boot_id != at.boot_id {
            self.boot_id.clear();
            self.boot_id.push_str(&at.boot_id);
        }
    }

    /// Whether the wall clock lags behind the clock that counts from boot. Where both went back alike, the
    /// entry was only written later than one that was stamped after it.
    fn set_back(&self, at: &SpineTime<'_>) -> bool {
        let millis = |utc: &str| utc.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
        let (Some(before), Some(now)) = (millis(&self.utc), millis(at.utc)) else { return true };
        let counted = i128::from(at.boot_ms) - i128::from(self.boot_ms);
        let told = i128::from(now) - i128::from(before);
        self.boot_id != at.boot_id || counted - told > i128::from(SLACK_MS)
    }
}

fn bad(index: u64, fault: Fault, what: String) -> Bad {
    Bad { index, fault, what }
}

fn hex_of<'a>(hash: &Hash, text: &'a mut [u8; 64]) -> &'a str {
    let _ = hex::encode_to_slice(hash, text);
    std::str::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::receipt::{ChangeFacts, Receipt, Time, Who};

    fn receipt(kind: &str, note: &str) -> Receipt {
        Receipt {
            schema: "cleanshift/receipt/1".to_owned(),
            station: note.to_owned(),
            index: 41,
            previous: "ab".repeat(32),
            at: Time { utc: "2026-11-23T07:42:10.123Z".to_owned(), boot_ms: 9, boot_id: note.to_owned() },
            kind: kind.to_owned(),
            operator: Some(Who { key: note.to_owned(), name: note.to_owned(), role: note.to_owned() }),
            note: note.to_owned(),
            handoff: None,
            change: None,
            anchor: None,
            about: None,
            held: Vec::new(),
            session: note.to_owned(),
            tokens: Vec::new(),
            capabilities: Vec::new(),
            policy: note.to_owned(),
        }
    }

    #[test]
    fn a_glance_sees_what_reading_sees_whatever_stands_in_the_strings() {
        for note in
            ["", "plain", r#","index":7,"kind":"x","previous":"y","utc":"z""#, r#"\",\"index\":7"#, "é\n\"\\"]
        {
            let json = receipt("denied", note).canonical();
            let (seen, read) = (Spine::glance(&json).unwrap(), Spine::read(&json).unwrap());
            assert_eq!(
                (seen.index, seen.kind, seen.previous, seen.at.utc),
                (read.index, read.kind, read.previous, read.at.utc)
            );
        }
        let mut change = receipt("roster", "");
        change.change = Some(ChangeFacts {
            by: "it".to_owned(),
            deed: String::new(),
            before: String::new(),
            after: "cd".to_owned(),
        });
        assert!(Spine::glance(&change.canonical()).is_none());
        assert_eq!(Spine::read(&change.canonical()).unwrap().change.unwrap().after, "cd");
        assert!(Spine::glance(b"{}").is_none() && Spine::read(b"{}").is_none());
    }

    #[test]
    fn nothing_is_whole_and_vouched_for_by_nobody() {
        let verdict = verify([], None, true);
        assert!(verdict.whole() && !verdict.key_checked);
        assert_eq!(verdict.sentence(), "consistent, key not checked: 0 entries");
    }
}
