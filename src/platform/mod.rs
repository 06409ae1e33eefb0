//! The only home of what differs between systems.
//!
//! `linux` and `windows` have the same names for the same things; whoever is above them names
//! [`native`], which is the one that this program was built for.

#[cfg(feature = "faults")]
pub mod faults;
#[cfg(target_os = "linux")]
pub mod linux;
mod media;
pub mod rehearsal;
pub mod sabotage;
#[cfg(windows)]
pub mod windows;

#[cfg(target_os = "linux")]
pub use linux as native;
#[cfg(windows)]
pub use windows as native;
