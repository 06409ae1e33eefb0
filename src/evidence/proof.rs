//! A receipt and its proof in one text that needs nothing else to be believed but the station's key: a
//! C2SP `tlog-proof` (<https://c2sp.org/tlog-proof>), as of July 2026.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64 of the receipt's canonical JSON>
//! index <the entry's number>
//! <base64 of a sibling hash>        from the leaf's up to the root's child (RFC 6962 §2.1.1)
//!
//! <the checkpoint, word for word>
//! ```
//!
//! The format does not vouch for what `extra` holds. Here it is the entry itself: its hash is the leaf
//! that the inclusion proof begins with, so that a byte changed in it fails the proof.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog_tiles::{
    Error as TreeError, Hash as TileHash, HashReader, check_record, prove_record,
    stored_hashes_for_record_hash, tree_hash,
};

use super::checkpoint::{self, Signature, StationKey};
use super::receipt::Receipt;
use super::tree::{Hash, leaf_hash};

/// The first line of every proof.
const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// A tree deeper than this has more leaves than numbers.
const DEEPEST: usize = 64;

/// A receipt with the way from its leaf to a signed root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The entry's number.
    pub index: u64,
    /// The receipt's canonical JSON.
    pub json: Vec<u8>,
    /// The sibling hashes, from the leaf's up to the root's child.
    pub path: Vec<Hash>,
    /// The checkpoint whose root the path leads to.
    pub checkpoint: String,
}

/// What a proof that holds has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The receipt.
    pub receipt: Receipt,
    /// Its leaf hash.
    pub leaf: Hash,
    /// How many entries the checkpoint's tree has.
    pub size: u64,
    /// The root of that tree.
    pub root: Hash,
    /// Whether the checkpoint's signature was checked with a key that the auditor brought.
    pub key_checked: bool,
}

impl Proven {
    /// The verdict in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (index, size) = (self.receipt.index, self.size);
        if self.key_checked {
            format!("whole: entry {index} stands in the ledger of {size} entries that this key has signed")
        } else {
            format!("consistent, key not checked: entry {index} of {size} leads to the checkpoint's root")
        }
    }
}

impl Proof {
    /// Whether this text says that it is such a proof.
    #[must_use]
    pub fn is(text: &[u8]) -> bool {
        text.starts_with(HEAD.as_bytes())
    }

    /// The proof as text, for a file whose name ends in `.tlog-proof`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{HEAD}\nextra {}\nindex {}\n", STANDARD.encode(&self.json), self.index);
        for hash in &self.path {
            let _ = writeln!(text, "{}", TileHash(*hash));
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// A sentence fragment, when the text is no such proof, or holds no receipt.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("read the proof: {what}");
        let (top, checkpoint) = text.split_once("\n\n").ok_or_else(|| wrong("its checkpoint is missing"))?;
        let mut lines = top.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(wrong(&format!("its first line is not {HEAD}")));
        }
        let receipt = "it holds no receipt; Cleanshift writes the receipt into its line `extra`";
        let extra =
            lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or_else(|| wrong(receipt))?;
        let json = STANDARD.decode(extra).map_err(|_| wrong("its line `extra` is not base64"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index
            .and_then(|number| number.parse::<u64>().ok().filter(|index| index.to_string() == number))
            .ok_or_else(|| wrong("its line `index` is missing or no number"))?;
        let hash = |line: &str| TileHash::parse_hash(line).map(|hash| hash.0);
        let path: Vec<Hash> = lines
            .map(hash)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("a line between `index` and the empty line is not the base64 of a SHA-256"))?;
        if path.len() > DEEPEST {
            return Err(wrong("it has more hashes than a tree can be deep"));
        }
        Ok(Self { index, json, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks everything that the text alone can show: that the receipt is the entry of this number in
    /// the tree of this checkpoint, and, with `key`, that the station has signed that.
    ///
    /// # Errors
    /// What is wrong, as `edited: …`, `wrong key: …`, `wrong checkpoint: …`.
    pub fn check(&self, key: Option<&StationKey>) -> Result<Proven, String> {
        // The signature first: without it a wrong path says nothing about who made it wrong.
        match key.map(|key| key.check(&self.checkpoint)) {
            Some(Signature::Other) => {
                let what = "wrong key: the checkpoint is signed by another key; where the station's was changed since, \
                            take the newest, which `cleanshiftctl log key` prints";
                return Err(what.to_owned());
            }
            Some(Signature::Bad) => {
                return Err("edited: the checkpoint's signature does not hold".to_owned());
            }
            Some(Signature::Good) | None => {}
        }
        let said = checkpoint::read(&self.checkpoint)
            .ok_or("wrong checkpoint: it does not say an origin, a size and a root")?;
        if key.is_some_and(|key| key.origin() != said.origin()) {
            return Err("wrong checkpoint: it is another station's".to_owned());
        }
        let (leaf, size, root) = (leaf_hash(&self.json), said.size(), *said.hash());
        let path = self.path.iter().map(|hash| TileHash(*hash)).collect();
        check_record(&path, size, root, self.index, TileHash(leaf)).map_err(|_| {
            format!(
                "edited: the receipt, its number {} and the path do not lead to the checkpoint's root",
                self.index
            )
        })?;
        let receipt = Receipt::read(&self.json).map_err(|error| format!("edited: {error}"))?;
        if receipt.index != self.index {
            return Err(format!("reordered: the receipt says that it is entry {}", receipt.index));
        }
        Ok(Proven { receipt, leaf, size, root: root.0, key_checked: key.is_some() })
    }

    /// The key to which this one hands over, where this is the proof of the entry that says so against its own
    /// checkpoint, which both have signed.
    #[must_use]
    pub fn hands_over(&self, from: &StationKey) -> Option<StationKey> {
        let receipt = self.check(Some(from)).ok()?.receipt;
        let next = StationKey::read(&receipt.note).ok().filter(|_| receipt.kind == "key")?;
        let named = receipt.change.is_some_and(|change| change.after == next.fingerprint());
        let both = next.origin() == from.origin() && next.check(&self.checkpoint) == Signature::Good;
        (named && both).then_some(next)
    }
}

/// The hashes of a whole tree, from which any entry can be proved: 64 bytes for each entry, and
/// nothing of the entries themselves.
#[derive(Debug, Default)]
pub struct Prover {
    nodes: Nodes,
    size: u64,
}

#[derive(Debug, Default)]
struct Nodes(Vec<TileHash>);

impl HashReader for Nodes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<TileHash>, TreeError> {
        let one = |index: &u64| usize::try_from(*index).ok().and_then(|place| self.0.get(place)).copied();
        indexes.iter().map(one).collect::<Option<_>>().ok_or(TreeError::IndexesNotInTree)
    }
}

impl Prover {
    /// Takes the leaf of the next entry.
    ///
    /// # Errors
    /// A fragment, when the tree does not hold what it was given before.
    pub fn push(&mut self, leaf: Hash) -> Result<(), String> {
        let new = stored_hashes_for_record_hash(self.size, TileHash(leaf), &self.nodes);
        self.nodes.0.extend(new.map_err(|error| format!("hash the tree: {error}"))?);
        self.size += 1;
        Ok(())
    }

    /// How many entries there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all of them.
    ///
    /// # Errors
    /// As [`Prover::push`].
    pub fn root(&self) -> Result<Hash, String> {
        tree_hash(self.size, &self.nodes)
            .map(|root| root.0)
            .map_err(|error| format!("hash the tree: {error}"))
    }

    /// The way from this entry's leaf to the root.
    ///
    /// # Errors
    /// A fragment, when there is no such entry.
    pub fn path(&self, index: u64) -> Result<Vec<Hash>, String> {
        self.path_below(index, self.size)
    }

    /// The way from this entry's leaf to the root of the tree as it was with so many entries.
    ///
    /// # Errors
    /// A fragment, when there is no such entry below it.
    pub fn path_below(&self, index: u64, size: u64) -> Result<Vec<Hash>, String> {
        let path = prove_record(size, index, &self.nodes);
        path.map(|path| path.iter().map(|hash| hash.0).collect())
            .map_err(|error| format!("prove entry {index}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::checkpoint::{StationSeal, origin};
    use crate::evidence::tree::Frontier;

    fn json(index: u64) -> Vec<u8> {
        let receipt = format!(
            r#"{{"at":{{"boot_id":"b","boot_ms":1,"utc":"2026-11-23T07:42:10.123Z"}},"index":{index},"kind":"stopped","previous":"","schema":"cleanshift/receipt/1","station":"S"}}"#
        );
        receipt.into_bytes()
    }

    /// The proofs of every entry of ledgers of this size.
    fn proofs(size: u64, seal: &StationSeal) -> Vec<Proof> {
        let (mut prover, mut frontier) = (Prover::default(), Frontier::default());
        for index in 0..size {
            prover.push(leaf_hash(&json(index))).unwrap();
            frontier.push(leaf_hash(&json(index)));
        }
        assert_eq!(prover.root().unwrap(), frontier.root(), "the two trees differ at size {size}");
        let checkpoint = seal.sign(size, &frontier.root()).unwrap();
        let one = |index| Proof {
            index,
            json: json(index),
            path: prover.path(index).unwrap(),
            checkpoint: checkpoint.clone(),
        };
        (0..size).map(one).collect()
    }

    #[test]
    fn every_entry_of_every_small_ledger_is_proved_by_its_text_alone() {
        let seal = StationSeal::new(origin("S"), &[7; 32]);
        let key = StationKey::read(&seal.public()).unwrap();
        for size in 1..=33 {
            for proof in proofs(size, &seal) {
                let read = Proof::read(&proof.text()).unwrap();
                assert_eq!(read, proof);
                let proven = read.check(Some(&key)).unwrap();
                assert_eq!((proven.receipt.index, proven.size), (proof.index, size));
                assert!(proven.key_checked && !read.check(None).unwrap().key_checked);
            }
        }
    }

    #[test]
    fn no_byte_of_a_proof_can_be_changed() {
        let seal = StationSeal::new(origin("S"), &[7; 32]);
        let key = StationKey::read(&seal.public()).unwrap();
        let text = proofs(11, &seal).swap_remove(6).text();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra ey") && text.contains("\nindex 6\n"));
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            let changed = String::from_utf8(bytes).map_err(|_| String::new());
            let found = changed.and_then(|text| Proof::read(&text)?.check(Some(&key)).map(drop));
            assert!(found.is_err(), "the byte at {place} can be changed");
        }
    }

    #[test]
    fn no_text_that_claims_an_absurd_tree_ends_the_reader() {
        for size in [0, 1, 1 << 62, 1 << 63, (1 << 63) + 1, u64::MAX] {
            for index in [0, 1, size.wrapping_sub(1), u64::MAX] {
                for deep in [0, 1, 63, 64] {
                    let root = TileHash([1; 32]);
                    let text = format!("S\n{size}\n{root}\n\n");
                    let proof = Proof { index, json: json(1), path: vec![[2; 32]; deep], checkpoint: text };
                    let found = Proof::read(&proof.text()).and_then(|proof| proof.check(None));
                    assert!(found.is_err(), "{size} {index} {deep}");
                }
            }
        }
    }

    #[test]
    fn a_key_hands_over_by_the_entry_that_both_have_signed_alone() {
        let [old, new, other] = [7, 8, 9].map(|seed| StationSeal::new(origin("S"), &[seed; 32]));
        let key = |seal: &StationSeal| StationKey::read(&seal.public()).unwrap();
        let proof = |kind: &str, named: &StationSeal, signed: &dyn Fn(&Hash) -> String| {
            let (text, after) = (key(named).text().to_owned(), key(named).fingerprint());
            let change = format!(
                r#"{{"at":{{"boot_id":"b","boot_ms":1,"utc":"2026-11-23T07:42:10.123Z"}},"change":{{"after":"{after}","before":"","by":"it","deed":"change the station's key"}},"index":2,"kind":"{kind}","note":"{text}","previous":"","schema":"cleanshift/receipt/1","station":"S"}}"#
            );
            let mut prover = Prover::default();
            let leaves = [leaf_hash(&json(0)), leaf_hash(&json(1)), leaf_hash(change.as_bytes()), [5; 32]];
            leaves.iter().for_each(|leaf| prover.push(*leaf).unwrap());
            let mut frontier = Frontier::default();
            leaves[..3].iter().for_each(|leaf| frontier.push(*leaf));
            let path = prover.path_below(2, 3).unwrap();
            Proof { index: 2, json: change.into_bytes(), path, checkpoint: signed(&frontier.root()) }
        };
        let both = |root: &Hash| old.sign_over_to(&new, 3, root).unwrap();
        assert_eq!(proof("key", &new, &both).hands_over(&key(&old)), Some(key(&new)));
        assert_eq!(proof("policy", &new, &both).hands_over(&key(&old)), None, "no change of the key");
        assert_eq!(proof("key", &other, &both).hands_over(&key(&old)), None, "the one named has not signed");
        assert_eq!(proof("key", &new, &both).hands_over(&key(&other)), None, "another station's auditor");
        let alone = |root: &Hash| new.sign(3, root).unwrap();
        assert_eq!(proof("key", &new, &alone).hands_over(&key(&old)), None, "the old one has not signed");
        let mut changed = proof("key", &new, &both);
        changed.json =
            String::from_utf8(changed.json).unwrap().replace(r#""by":"it""#, r#""by":"me""#).into_bytes();
        assert_eq!(changed.hands_over(&key(&old)), None, "not the entry that was signed");
    }

    #[test]
    fn another_key_another_place_and_another_ledger_are_named() {
        let (seal, other) =
            (StationSeal::new(origin("S"), &[7; 32]), StationSeal::new(origin("S"), &[8; 32]));
        let key = StationKey::read(&seal.public()).unwrap();
        let proofs_of = |seal| proofs(5, seal).swap_remove(2);
        assert!(proofs_of(&other).check(Some(&key)).unwrap_err().starts_with("wrong key: "));
        let mut moved = proofs_of(&seal);
        moved.index = 3;
        assert!(moved.check(Some(&key)).unwrap_err().starts_with("edited: "));
        let mut older = proofs_of(&seal);
        older.checkpoint = seal.sign(6, &[1; 32]).unwrap();
        assert!(older.check(Some(&key)).unwrap_err().starts_with("edited: "));
        assert!(Proof::read("c2sp.org/tlog-proof@v1\nindex 1\n\nx").unwrap_err().contains("no receipt"));
        assert!(!Proof::is(b"{}") && Proof::is(proofs_of(&seal).text().as_bytes()));
    }
}
