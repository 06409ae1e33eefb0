//! The only home of what differs between systems.
//!
//! `linux` and `windows` have the same names for the same things; whoever is above them names
//! [`native`], which is the one that this program was built for.

#[cfg(feature = "faults")]
pub mod faults;
#[cfg(target_os = "linux")]
pub mod linux;
mod log;
mod media;
pub mod rehearsal;
pub mod sabotage;
#[cfg(windows)]
pub mod windows;

#[cfg(target_os = "linux")]
pub use linux as native;
#[cfg(windows)]
pub use windows as native;

/// What follows is there on Linux alone. Its modules are read by `rustfmt` only where they are named to it.
#[cfg(target_os = "linux")]
macro_rules! on_linux {
    ($($item:item)*) => { $($item)* };
}
/// What follows is there on Linux alone.
#[cfg(not(target_os = "linux"))]
macro_rules! on_linux {
    ($($item:item)*) => {};
}
/// What follows is there on Windows alone. Its modules are read by `rustfmt` only where they are named to it.
#[cfg(windows)]
macro_rules! on_windows {
    ($($item:item)*) => { $($item)* };
}
/// What follows is there on Windows alone.
#[cfg(not(windows))]
macro_rules! on_windows {
    ($($item:item)*) => {};
}
pub(crate) use {on_linux, on_windows};
