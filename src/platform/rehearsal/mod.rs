//! A station made of memory: for tests and simulation.
//!
//! The driver, the core, the store and the evidence of a rehearsal are the real ones. Made of memory
//! are time ([`clock`]), threads ([`hands`]), capsules, gates, screen and idle ([`world`]), and the disk
//! under SQLite ([`disk`], [`vfs`]). `tests/shift.rs` takes thousands of wards through a day with it.

pub mod clock;
pub mod dice;
pub mod disk;
pub mod hands;
pub mod pins;
pub mod sign_ins;
pub mod vfs;
pub mod world;
