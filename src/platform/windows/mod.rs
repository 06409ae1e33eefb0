//! The Windows station.

pub mod display;
