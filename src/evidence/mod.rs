//! The evidence: receipts, the tree over them, checkpoints and their verification. Pure, over bytes.
//!
//! ```text
//! Receipt --RFC 8785--> JSON --SHA-256(0x00‖…)--> leaf --RFC 6962--> root --C2SP note, Ed25519--> checkpoint
//! ```
//!
//! What it cannot do is said: who holds the station's key and its disk can rewrite everything since
//! the last checkpoint that somebody keeps elsewhere. A tail that is cut off together with its
//! checkpoints is seen only by whoever kept a newer checkpoint.
//!
//! # The receipt's schema
//!
//! A receipt is [`Receipt`], and nothing else: version 1 has the fields that its documentation names, and
//! refuses others. `cleanshiftctl log schema` prints it as JSON Schema (draft 2020-12, from [`schema`]);
//! `assets/receipt.schema.json` is the same. A new field or kind of entry that readers of version 1 can
//! pass over is added with a default; anything else makes it `cleanshift/receipt/2`.
//!
//! No name of a patient, title of a window or address of a page has a field: apps are named as the policy
//! names them, and gates count what they see.
//!
//! # What leaves the station
//!
//! [`proof`] is one receipt that proves itself; [`export`] has the forms that others read; [`controls`]
//! says for which controls of which framework the receipts are evidence, and where they are not.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod controls;
pub mod export;
pub mod proof;
pub mod receipt;
pub mod tree;
pub mod verify;
pub mod words;

pub use checkpoint::{StationKey, StationSeal};
pub use receipt::{Receipt, schema};
pub use tree::{Frontier, Hash, leaf_hash};
pub use verify::{Audit, Bad, Fault, Stored, Verdict, verify};
pub use words::{Counts, counts, escape, sentence, sentence_in};
