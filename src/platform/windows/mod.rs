//! The Windows station.

pub mod capability;
pub mod clock;
pub mod drill;
pub mod gates;
pub mod heap;
pub mod host;
pub mod lockdown;
pub mod medium;
pub mod places;
pub mod private;
pub mod registry;
pub mod security;
pub mod setting;
pub mod sleep;
pub mod station;
pub mod stop;

pub use super::sabotage;
