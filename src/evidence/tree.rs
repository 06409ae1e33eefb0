//! An append costs O(log n): the tree of RFC 6962 is kept as its frontier, the roots of its perfect
//! subtrees, from which the root of the whole follows.

use sha2::{Digest, Sha256};
use tlog_tiles::{Hash as TileHash, node_hash, record_hash};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of a leaf over these bytes: SHA-256(0x00 ‖ bytes), RFC 6962 §2.1.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    record_hash(bytes).0
}

/// The right edge of a tree: the roots of its perfect subtrees, the largest first. There is one for
/// each bit that is set in the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of `size` leaves from the bytes of [`Frontier::to_bytes`]; `None` where the two
    /// do not fit each other.
    #[must_use]
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && u32::try_from(peaks.len()) == Ok(size.count_ones());
        fits.then(|| Self { size, peaks: peaks.to_vec() })
    }

    /// The peaks, one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut below = self.size;
        while below & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            node = join(left, node);
            below >>= 1;
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root over all leaves; SHA-256 of nothing where there is none (RFC 6962 §2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return Sha256::digest([]).into();
        };
        peaks.fold(*last, |right, left| join(*left, right))
    }
}

fn join(left: Hash, right: Hash) -> Hash {
    node_hash(TileHash(left), TileHash(right)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots of Certificate Transparency's own test of RFC 6962 (merkle_tree_test).
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_test_vectors_of_rfc_6962_hold() {
        let mut frontier = Frontier::default();
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex::encode(frontier.root()), nothing);
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            frontier.push(leaf_hash(&hex::decode(leaf).unwrap()));
            assert_eq!(hex::encode(frontier.root()), root, "size {}", frontier.size());
        }
    }

    /// The definition of RFC 6962 §2.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => *one,
            more => {
                let split = more.len().next_power_of_two() / 2;
                join(by_definition(&more[..split]), by_definition(&more[split..]))
            }
        }
    }

    #[test]
    fn the_frontier_gives_the_root_of_the_definition_and_survives_storing() {
        let mut frontier = Frontier::default();
        let mut leaves = Vec::new();
        for number in 0_u32..300 {
            leaves.push(leaf_hash(&number.to_be_bytes()));
            frontier.push(leaves[leaves.len() - 1]);
            assert_eq!(frontier.root(), by_definition(&leaves));
            frontier = Frontier::from_bytes(frontier.size(), &frontier.to_bytes()).unwrap();
        }
        assert_eq!(Frontier::from_bytes(301, &frontier.to_bytes()), None);
        assert_eq!(Frontier::from_bytes(300, &frontier.to_bytes()[1..]), None);
    }
}
