//! The Windows station.

pub mod clock;
pub mod display;
pub mod drill;
pub mod heap;
pub mod host;
pub mod medium;
pub mod places;
pub mod private;
pub mod registry;
pub mod security;
pub mod sleep;
pub mod station;
pub mod stop;
pub mod watch;

pub use super::sabotage;
