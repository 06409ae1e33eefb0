//! Text may be missing below a checkpoint that is kept elsewhere, where an entry says so; anywhere else
//! it was removed.

use super::receipt::AnchorFacts;
use super::tree::Hash;

/// What a ledger says of its anchors and of what was pruned below them, and what is without text.
#[derive(Clone, Debug, Default)]
pub(super) struct Pruned {
    /// Ranges of entries without text, in their order: the first, and the one after the last.
    gaps: Vec<(u64, u64)>,
    anchors: Vec<Anchored>,
    claims: Vec<Claim>,
}

/// An entry of kind `anchored`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// Its number.
    pub index: u64,
    /// How many entries the checkpoint is over.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// An entry of kind `pruned`.
#[derive(Clone, Debug)]
struct Claim {
    index: u64,
    from: u64,
    upto: u64,
    /// Whether an entry before it says that the checkpoint is kept elsewhere.
    anchored: bool,
}

impl Pruned {
    /// An entry without text.
    pub(super) fn gap(&mut self, index: u64) {
        match self.gaps.last_mut() {
            Some(last) if last.1 == index => last.1 += 1,
            Some(_) | None => self.gaps.push((index, index + 1)),
        }
    }

    /// How many entries are without text.
    pub(super) fn count(&self) -> u64 {
        self.gaps.iter().map(|(from, upto)| upto - from).sum()
    }

    /// Whether there is one at or after this number.
    pub(super) fn since(&self, index: Option<u64>) -> bool {
        self.gaps.last().is_some_and(|(_, upto)| index.is_none_or(|index| *upto > index))
    }

    /// The anchors, in their order.
    pub(super) fn into_anchors(self) -> Vec<Anchored> {
        self.anchors
    }

    /// Takes an entry of kind `anchored` or `pruned`; a fragment where it contradicts what stands before it.
    pub(super) fn told(&mut self, index: u64, kind: &str, facts: Option<&AnchorFacts>) -> Result<(), String> {
        let facts = facts.ok_or_else(|| format!("it is of kind {kind} and names no checkpoint"))?;
        let root = hex::decode(&facts.root).ok().and_then(|root| Hash::try_from(root).ok());
        let root = root.ok_or("the checkpoint that it names has no root")?;
        if facts.size == 0 || facts.size > index {
            return Err("the checkpoint that it names is over entries after it".to_owned());
        }
        let Some(pruned) = facts.pruned.as_ref() else {
            if kind == "pruned" {
                return Err("it is of kind pruned and names no entries".to_owned());
            }
            self.anchors.push(Anchored { index, size: facts.size, root });
            return Ok(());
        };
        if pruned.upto > facts.size {
            return Err("it prunes entries that no checkpoint kept elsewhere covers".to_owned());
        }
        let anchored = self.anchors.iter().any(|anchor| anchor.size == facts.size && anchor.root == root);
        self.claims.push(Claim { index, from: pruned.from, upto: pruned.upto, anchored });
        Ok(())
    }

    /// The first entry whose text is missing without a word of it.
    pub(super) fn unsaid(&self) -> Option<u64> {
        self.gaps.iter().find_map(|(from, upto)| self.unsaid_within(*from, *upto))
    }

    /// The first entry of these of which no entry says that it was pruned.
    pub(super) fn unsaid_within(&self, from: u64, upto: u64) -> Option<u64> {
        let mut index = from;
        // Each claim that covers the place takes it further; where none does, nobody has said it.
        while index < upto {
            let covers = |claim: &&Claim| claim.from <= index && index < claim.upto;
            match self.claims.iter().filter(covers).map(|claim| claim.upto).max() {
                Some(next) => index = next,
                None => return Some(index),
            }
        }
        None
    }

    /// The first entry that prunes below a checkpoint that no entry says is kept elsewhere.
    pub(super) fn unanchored(&self) -> Option<u64> {
        self.claims.iter().find(|claim| !claim.anchored).map(|claim| claim.index)
    }

    /// The anchor that covers the most entries.
    pub(super) fn highest(&self) -> Option<u64> {
        self.anchors.iter().map(|anchor| anchor.size).max()
    }

    /// The lowest anchor that covers all that is without text.
    pub(super) fn below(&self) -> Option<u64> {
        let upto = self.gaps.last()?.1;
        self.anchors.iter().map(|anchor| anchor.size).filter(|size| *size >= upto).min()
    }
}
