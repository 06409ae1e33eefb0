//! The Linux station.

pub mod canary;
pub mod capability;
pub mod capsule;
pub mod cgroup;
pub mod clock;
pub mod display;
pub mod gates;
pub mod host;
pub mod init;
pub mod looker;
pub mod network;
pub mod places;
pub mod plant;
pub mod reach;
pub mod root;
pub mod sabotage;
pub mod spawn;
pub mod station;
