//! The only home of what differs between systems.

#[cfg(target_os = "linux")]
pub mod linux;
pub mod rehearsal;
#[cfg(windows)]
pub mod windows;
