//! The evidence: receipts, the tree over them, checkpoints and their verification. Pure, over bytes.
//!
//! ```text
//! Receipt --RFC 8785--> JSON --SHA-256(0x00‖…)--> leaf --RFC 6962--> root --C2SP note, Ed25519--> checkpoint
//! ```
//!
//! What it cannot do is said: who holds the station's key and its disk can rewrite everything since
//! the last checkpoint that somebody keeps elsewhere. A tail that is cut off together with its
//! checkpoints is seen only by whoever kept a newer checkpoint.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod one;
pub mod receipt;
pub mod tree;
pub mod verify;
pub mod words;

pub use checkpoint::{StationKey, StationSeal};
pub use receipt::Receipt;
pub use tree::{Frontier, Hash, leaf_hash};
pub use verify::{Audit, Bad, Fault, Stored, Verdict, verify};
pub use words::{Counts, counts, escape, sentence, sentence_in};
