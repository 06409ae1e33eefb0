//! The evidence: receipts, the tree over them, checkpoints and their verification. Pure, over bytes.
//!
//! ```text
//! Receipt --RFC 8785--> JSON --SHA-256(0x00‖…)--> leaf --RFC 6962--> root --C2SP note, Ed25519--> checkpoint
//! ```
//!
//! # The receipt
//!
//! Canonical JSON (RFC 8785) of a [`Receipt`], `cleanshift/receipt/1`: what happened, when by three
//! clocks, who, and the leaf hash of the entry before (`previous`). Its bytes are what is hashed,
//! stored and exported; nobody ever writes them anew.
//!
//! # The checkpoint
//!
//! ```text
//! cleanshift.station/Station%2012            the origin, which is the key's name too
//! 512                                        how many entries
//! q5vBqYJ…=                                  the RFC 6962 root over their leaves, base64
//!
//! — cleanshift.station/Station%2012 8XqR…=   Ed25519 by the station's key (C2SP signed-note)
//! ```
//!
//! Every entry has one. Kept elsewhere (`cleanshiftctl log checkpoint`), it shows afterwards that what it
//! covers was neither cut off nor rewritten: [`against`]. IT tells the ledger that it is kept by an entry of
//! kind `anchored`.
//!
//! # The key and its successors
//!
//! The first entry is of kind `key` and names the public key in its note. A later one names the key
//! that takes over: its checkpoint is signed by both, the old one to allow it, the new one to show that it is
//! there; the entries after it are signed by the new one alone (`chain`). So an auditor who holds any
//! key of the chain can verify all of it, and a key that came without such an entry is a wrong key.
//!
//! # Pruning
//!
//! A `pruned` entry says which entries below an anchored checkpoint have given up their text. Their
//! leaves stay, and the tree over them is verified as before; text that is missing elsewhere is
//! `removed`, a failure.
//!
//! # What a session held elsewhere
//!
//! `tokens` of a `handoff` (of a `quarantine` or a `break-glass`, where that one was not finished) says of each
//! token, provider's session and call how far its end had come by then: [`TokenFacts`]. What becomes of it later
//! is an entry of kind `settled`, which is `about` the first and has those alone that have changed; `session` is
//! the same random number in both. Of a token there is the beginning of its hash, 16 hexadecimal digits, and a
//! reader refuses anything else in its place.
//!
//! # What it cannot do
//! Who holds the station's key and its disk can rewrite everything since the last checkpoint that
//! somebody keeps elsewhere. A tail that is cut off together with its
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

pub mod against;
mod chain;
pub mod checkpoint;
pub mod controls;
pub mod export;
pub mod lines;
pub mod one;
pub mod proof;
mod pruned;
pub mod receipt;
pub mod tokens;
pub mod tree;
pub mod verify;
pub mod words;

pub use against::Kept;
pub use checkpoint::{StationKey, StationSeal};
pub use receipt::{Receipt, schema};
pub use tokens::{TokenFacts, TokenKind, TokenState};
pub use tree::{Frontier, Hash, leaf_hash};
pub use verify::{Audit, Bad, Fault, Stored, Verdict, verify};
pub use words::{Counts, counts, escape, sentence, sentence_in};
