//! The Windows station.

pub mod account;
pub mod bounds;
pub mod browser;
pub mod capability;
pub mod capsule;
pub mod clock;
pub mod display;
pub mod drill;
pub mod gates;
pub mod heap;
pub mod host;
pub mod job;
pub mod lockdown;
pub mod medium;
pub mod places;
pub mod private;
pub mod profile;
pub mod registry;
pub mod remove;
pub mod security;
pub mod service;
pub mod setting;
pub mod sleep;
pub mod spawn;
pub mod station;
pub mod stop;
pub mod visit;
pub mod watch;
pub mod wide;

pub use super::sabotage;

#[cfg(test)]
mod tests;
