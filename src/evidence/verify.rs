//! Names the first bad entry of a ledger, and what is wrong with it. Reads entries one by one and
//! keeps none, so that a million of them need no memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Deserialize;

use super::checkpoint::{self, Signature, StationKey};
use super::receipt::Receipt;
use super::tree::{Frontier, Hash, leaf_hash};

/// After so many notes the rest are counted, not told.
const NOTES: usize = 20;

/// An entry as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its number.
    pub index: u64,
    /// Its canonical JSON.
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
    /// Another entry stands in its place.
    Reordered,
    /// The checkpoint does not say this size and this root.
    WrongCheckpoint,
    /// The checkpoint is another key's.
    WrongKey,
    /// The tree does not give the stored root.
    WrongRoot,
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
    /// How many signatures were checked.
    pub signatures: u64,
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
        let entries = match self.entries {
            1 => "1 entry".to_owned(),
            more => format!("{more} entries"),
        };
        match &self.first_bad {
            Some(bad) => format!("broken at entry {}: {}", bad.index, bad.what),
            None if self.key_checked => format!("whole: {entries}, signed by this key"),
            None => format!("consistent, key not checked: {entries}"),
        }
    }
}

/// Verifies entries in the order of their numbers. With `key`, the newest checkpoint (with
/// `all_signatures`, each) must be signed by it; without, by the key that the ledger's first entry
/// names, and the verdict says that nobody vouched for that one.
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
    brought: bool,
    key: Option<StationKey>,
    all_signatures: bool,
    origin: String,
    previous: String,
    newest: String,
    utc: String,
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
}

#[derive(Deserialize)]
struct SpineTime<'a> {
    utc: &'a str,
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
        let (_, utc) = text.strip_prefix(r#"{"at":{"boot_id":""#)?.split_once(r#","utc":""#)?;
        let (_, tail) = text.rsplit_once(r#","index":"#)?;
        let (index, kind) = tail.split_once(r#","kind":""#)?;
        let (_, previous) = tail.rsplit_once(r#","previous":""#)?;
        let upto = |text: &'a str| text.split_once('"').map(|(value, _)| value);
        let kind = upto(kind)?;
        (!matches!(kind, "roster" | "policy" | "key")).then_some(Self {
            index: index.parse().ok()?,
            previous: upto(previous)?,
            kind,
            at: SpineTime { utc: upto(utc)? },
            change: None,
        })
    }
}

impl Audit {
    /// A verification of nothing yet.
    #[must_use]
    pub fn new(key: Option<StationKey>, all_signatures: bool) -> Self {
        Self {
            verdict: Verdict::default(),
            brought: key.is_some(),
            key,
            all_signatures,
            origin: String::new(),
            previous: String::new(),
            newest: String::new(),
            utc: String::new(),
            text: String::new(),
            backwards: 0,
        }
    }

    /// Takes the next entry. Breaks when something is wrong with it; the verdict is ready then.
    pub fn entry(&mut self, entry: &Stored<'_>) -> ControlFlow<()> {
        match self.follow(entry) {
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
        let newest = self.verdict.entries.checked_sub(1);
        if let (None, Some(newest), false) = (&self.verdict.first_bad, newest, self.all_signatures) {
            let text = std::mem::take(&mut self.newest);
            self.verdict.first_bad = self.signature(newest, &text).err();
        }
        if let Some(bad) = &self.verdict.first_bad {
            self.verdict.entries = self.verdict.entries.min(bad.index);
        }
        self.verdict.key_checked = self.brought && self.verdict.signatures > 0;
        if !self.brought {
            self.verdict.notes.push(match &self.key {
                Some(key) => format!("key not checked: the ledger itself names {}", key.text()),
                None => "key not checked: the ledger names none".to_owned(),
            });
        }
        if let Some(more) = self.backwards.checked_sub(NOTES as u64).filter(|more| *more > 0) {
            self.verdict.notes.push(format!("the clock went backwards {more} more times"));
        }
        self.verdict
    }

    fn follow(&mut self, entry: &Stored<'_>) -> Result<(), Bad> {
        let index = self.verdict.entries;
        if entry.index != index {
            return Err(bad(index, Fault::Missing, "missing: there is no such entry".to_owned()));
        }
        let edited = |what: &str| bad(index, Fault::Edited, format!("edited: {what}"));
        let leaf = leaf_hash(entry.json);
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
            self.begin(entry.json).map_err(|what| bad(index, Fault::WrongKey, what))?;
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
        self.head(index, entry.checkpoint, &root)?;
        self.changes(index, &spine)?;
        self.time(index, spine.at.utc);
        self.previous.clear();
        self.previous.push_str(hex_of(&leaf, &mut [0; 64]));
        self.newest.clear();
        self.newest.push_str(entry.checkpoint);
        self.verdict.entries += 1;
        Ok(())
    }

    /// The first entry names the key and with it the origin.
    fn begin(&mut self, json: &[u8]) -> Result<(), String> {
        let named = Receipt::read(json)
            .ok()
            .filter(|receipt| receipt.kind == "key")
            .and_then(|receipt| StationKey::read(&receipt.note).ok());
        match (&self.key, named) {
            (Some(key), Some(named)) if *key != named => {
                return Err(format!("wrong key: the ledger was begun with {}", named.text()));
            }
            (Some(_), _) => {}
            (None, named) => self.key = named,
        }
        self.origin = self.key.as_ref().map_or_else(String::new, |key| key.origin().to_owned());
        Ok(())
    }

    /// The entry does not follow from the one before. Whose fault that is, the signature of the one
    /// before can tell.
    fn unlinked(&mut self, index: u64) -> Bad {
        let what = "edited: it does not follow from the entry before, one of the two was changed";
        let before = std::mem::take(&mut self.newest);
        index
            .checked_sub(1)
            .filter(|_| !self.all_signatures)
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
        if self.all_signatures { self.signature(index, checkpoint) } else { Ok(()) }
    }

    fn signature(&mut self, index: u64, checkpoint: &str) -> Result<(), Bad> {
        let Some(key) = &self.key else { return Ok(()) };
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
        if last.as_deref().unwrap_or_default() == change.before {
            return Ok(());
        }
        let what = format!("the {} was changed outside Cleanshift before this entry", spine.kind);
        Err(bad(index, Fault::ChangedOutside, what))
    }

    /// A clock that goes backwards is reported, and no failure (requirement E-10).
    fn time(&mut self, index: u64, utc: &str) {
        // All have the same form and width, so that text compares as time.
        if utc < self.utc.as_str() {
            self.backwards += 1;
            if self.backwards <= NOTES as u64 {
                let before = &self.utc;
                self.verdict
                    .notes
                    .push(format!("the clock went backwards before entry {index}: from {before} to {utc}"));
            }
        }
        self.utc.clear();
        self.utc.push_str(utc);
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
            about: None,
            held: Vec::new(),
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
