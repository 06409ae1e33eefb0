//! The Linux station.

pub mod browser;
pub mod canary;
pub mod capability;
pub mod capsule;
pub mod cgroup;
pub mod clock;
pub mod display;
pub mod drill;
pub mod gates;
pub mod heap;
pub mod host;
pub mod init;
pub mod looker;
pub mod medium;
pub mod network;
pub mod pace;
pub mod places;
pub mod plant;
pub mod private;
pub mod reach;
pub mod root;
pub mod setting;
pub mod sleep;
pub mod spawn;
pub mod station;
pub mod visit;

pub use super::sabotage;
