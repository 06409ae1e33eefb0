//! What holds in each phase, and the test that shows it.
//!
//! | phase | what holds | shown by |
//! |---|---|---|
//! | any | a clean-up begins with the cover; a stale answer changes nothing; whoever waits has a deadline | `tests/handoff_walk.rs` |
//! | Vacant | every gate has attested, and the receipt is durable | `tests/handoff_walk.rs`, rule 3 |
//! | Challenge | nothing of a session exists but an unused capsule; the station opens only on the answer to the outstanding question | `tests/handoff_walk.rs`, rule 2 |
//! | Attended | one operator's apps run, in a capsule that nobody has used; badge-out, takeover, idle, time, a lost reader and a lost capsule end it; an unknown badge does not | `tests/handoff_walk.rs`, rule 6 |
//! | CleanUp | the session is covered; the capsule is killed through a pidfd whose becoming readable is the kernel's proof | `cleanshiftctl demo shift` |
//! | Quarantine | nobody works; it is left for another clean-up alone | `tests/handoff_walk.rs`, rule 4 |
//!
//! That each gate sees what it is for is shown by `tests/gates.rs` on really planted objects; that a
//! handoff leaves none of them by `tests/drill.rs`, which looks in ways of its own; that no gate and no
//! step could be left out unnoticed by `tests/sabotage.rs`.
//!
//! The ledger's promises (no acknowledged entry lost, every edit named) are shown by
//! `tests/ledger_faults.rs`; the screens' (no digit in a message, contrast, sizes) by `tests/screens.rs`.
//!
//! # What is not promised
//!
//! * Root on the station can rewrite everything since the last checkpoint that was kept elsewhere.
//! * A badge's identifier can be copied: with a PIN that the station checks it is *below AAL2*, and
//!   every receipt says so.
//! * Directories that the policy shares into a capsule are named in every receipt, and not checked.
//! * Screen readers see nothing: the toolkit has no accessibility tree.
