//! One entry, checked by itself: what its text hashes to, where it stands, and that a signed tree has
//! it. Whoever hands over the hashes beside it need not be trusted: wrong ones prove nothing.

use tlog_tiles::{
    Error, Hash as TileHash, HashReader, check_record, prove_record, stored_hash_index,
    stored_hashes_for_record_hash,
};

use super::checkpoint::{self, Signature, StationKey};
use super::receipt::Receipt;
use super::tree::{Hash, leaf_hash};
use super::verify::Stored;

/// Where the hashes of a tree are read, by their place in the order in which they come into being.
pub type Nodes<'a> = &'a dyn Fn(u64) -> Option<Hash>;

struct Reading<'a>(Nodes<'a>);

impl HashReader for Reading<'_> {
    fn read_hashes(&self, places: &[u64]) -> Result<Vec<TileHash>, Error> {
        let one = |place: &u64| (self.0)(*place).map(TileHash);
        places.iter().map(one).collect::<Option<_>>().ok_or(Error::IndexesNotInTree)
    }
}

/// The hashes that come into being with the leaf of this number, and the place of the first: the leaf,
/// and the roots of the subtrees that it completes. `None` where an older one cannot be read.
#[must_use]
pub fn new_nodes(number: u64, leaf: Hash, nodes: Nodes<'_>) -> Option<(u64, Vec<Hash>)> {
    let new = stored_hashes_for_record_hash(number, TileHash(leaf), &Reading(nodes)).ok()?;
    Some((stored_hash_index(0, number), new.into_iter().map(|hash| hash.0).collect()))
}

/// A tree whose head is signed: how many entries it has, its root, and the signed note.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// How many entries.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The checkpoint.
    pub checkpoint: &'a str,
}

/// What is wrong with an entry, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The entry, or a checkpoint over it.
    Entry(String),
    /// A tree does not have it, by the hashes that were handed over: either may be wrong.
    Tree(String),
}

impl Wrong {
    /// The words.
    #[must_use]
    pub fn what(&self) -> &str {
        let (Self::Entry(what) | Self::Tree(what)) = self;
        what
    }
}

/// Checks one entry: its text against its leaf, its number, the leaf before it, its own checkpoint, and
/// that the newest one covers it too. Of `keys`, in the order in which the station had them, the newest
/// checkpoint must be signed by the last, the entry's own by any. Whether one was rightly handed over to the
/// next is for the whole verification to say. Of an entry that was pruned the hash alone is checked.
///
/// # Errors
/// What is wrong, for people.
pub fn check(
    entry: &Stored<'_>,
    before: Option<&[u8]>,
    newest: &Head<'_>,
    keys: &[StationKey],
    nodes: Nodes<'_>,
) -> Result<(), Wrong> {
    let wrong = |what: &str| Wrong::Entry(what.to_owned());
    if entry.json.is_empty() {
        // Its text was pruned, and its checkpoint with it: its hash is all that can be found again.
        let leaf: Hash = entry.leaf.try_into().map_err(|_| wrong("its stored hash is damaged"))?;
        signed(newest, "the newest", current(keys)).map_err(Wrong::Entry)?;
        return covers(newest, "the newest", entry.index, leaf, nodes).map_err(Wrong::Tree);
    }
    let leaf = leaf_hash(entry.json);
    if leaf.as_slice() != entry.leaf {
        return Err(wrong("its text does not give its leaf hash: it was changed"));
    }
    let receipt = Receipt::read(entry.json).map_err(Wrong::Entry)?;
    if receipt.index != entry.index {
        return Err(Wrong::Entry(format!("entry {} stands in its place", receipt.index)));
    }
    if hex::encode(before.unwrap_or_default()) != receipt.previous {
        return Err(wrong("it does not follow from the entry before"));
    }
    let root: Hash = entry.root.try_into().map_err(|_| wrong("its stored root is damaged"))?;
    let own = Head { size: entry.index + 1, root, checkpoint: entry.checkpoint };
    for (head, which, keys) in [(&own, "its own", keys), (newest, "the newest", current(keys))] {
        signed(head, which, keys).map_err(Wrong::Entry)?;
        covers(head, which, entry.index, leaf, nodes).map_err(Wrong::Tree)?;
    }
    Ok(())
}

/// The key that signs now.
fn current(keys: &[StationKey]) -> &[StationKey] {
    keys.get(keys.len().saturating_sub(1)..).unwrap_or_default()
}

fn signed(head: &Head<'_>, which: &str, keys: &[StationKey]) -> Result<(), String> {
    let mut text = String::new();
    let origin = keys.last().map(StationKey::origin).unwrap_or_default();
    checkpoint::text_into(&mut text, origin, head.size, &head.root);
    if !head.checkpoint.strip_prefix(text.as_str()).is_some_and(|rest| rest.starts_with("\n— ")) {
        return Err(format!("{which} checkpoint does not say this size and this root"));
    }
    let found: Vec<Signature> = keys.iter().map(|key| key.check(head.checkpoint)).collect();
    if found.contains(&Signature::Good) {
        Ok(())
    } else if found.contains(&Signature::Bad) {
        Err(format!("{which} checkpoint was not signed as it stands"))
    } else {
        Err(format!("{which} checkpoint is signed by another key"))
    }
}

fn covers(head: &Head<'_>, which: &str, number: u64, leaf: Hash, nodes: Nodes<'_>) -> Result<(), String> {
    let proved = number < head.size
        && prove_record(head.size, number, &Reading(nodes))
            .and_then(|proof| check_record(&proof, head.size, TileHash(head.root), number, TileHash(leaf)))
            .is_ok();
    if proved { Ok(()) } else { Err(format!("the tree of {which} checkpoint does not have it")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::StationSeal;
    use crate::evidence::receipt::Time;
    use crate::evidence::tree::Frontier;
    use std::cell::RefCell;

    #[test]
    fn one_entry_of_many_holds_and_each_change_is_named() {
        let seal = StationSeal::new("s".to_owned(), &[3; 32]);
        let key = StationKey::read(&seal.public()).unwrap();
        let (mut tree, nodes) = (Frontier::default(), RefCell::new(Vec::<Hash>::new()));
        let read = |place: u64| nodes.borrow().get(usize::try_from(place).ok()?).copied();
        let mut rows: Vec<(Vec<u8>, Hash, Hash, String)> = Vec::new();
        for index in 0..21 {
            let previous = rows.last().map(|row| hex::encode(row.1)).unwrap_or_default();
            let receipt = Receipt { index, previous, at: Time::default(), ..Receipt::default() };
            let json = receipt.canonical();
            let leaf = leaf_hash(&json);
            let (place, new) = new_nodes(index, leaf, &read).unwrap();
            assert_eq!(place, nodes.borrow().len() as u64);
            nodes.borrow_mut().extend(new);
            tree.push(leaf);
            let checkpoint = seal.sign(index + 1, &tree.root()).unwrap();
            rows.push((json, leaf, tree.root(), checkpoint));
        }
        let newest = Head { size: 21, root: rows[20].2, checkpoint: &rows[20].3 };
        let stored = |index: u64| {
            let row = &rows[usize::try_from(index).unwrap()];
            Stored { index, json: &row.0, leaf: &row.1, root: &row.2, checkpoint: &row.3 }
        };
        let before = |index: u64| index.checked_sub(1).map(|one| rows[usize::try_from(one).unwrap()].1);
        for index in 0..21 {
            let before = before(index);
            let held = check(
                &stored(index),
                before.as_ref().map(|leaf| &leaf[..]),
                &newest,
                std::slice::from_ref(&key),
                &read,
            );
            assert_eq!(held, Ok(()), "entry {index}");
        }
        let wrong = |entry: &Stored<'_>, what: &str| {
            let before = before(7);
            let held = check(
                entry,
                before.as_ref().map(|leaf| &leaf[..]),
                &newest,
                std::slice::from_ref(&key),
                &read,
            );
            assert!(held.as_ref().is_err_and(|said| said.what().contains(what)), "{what}: {held:?}");
        };
        let mut edited = rows[7].0.clone();
        edited[20] ^= 1;
        wrong(&Stored { json: &edited, ..stored(7) }, "does not give its leaf hash");
        wrong(&Stored { json: &rows[8].0, leaf: &rows[8].1, ..stored(7) }, "entry 8 stands in its place");
        wrong(&Stored { root: &rows[6].2, ..stored(7) }, "its own checkpoint does not say");
        let other = StationSeal::new("s".to_owned(), &[4; 32]).sign(8, &rows[7].2).unwrap();
        wrong(&Stored { checkpoint: &other, ..stored(7) }, "its own checkpoint is signed by another key");
        // A hash beside it that is wrong proves nothing.
        let beside = usize::try_from(stored_hash_index(0, 6)).unwrap();
        nodes.borrow_mut()[beside] = [9; 32];
        wrong(&stored(7), "the tree of its own checkpoint does not have it");
    }
}
