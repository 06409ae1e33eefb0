//! The display of a session: a desktop object of its own, apart from the shell's. Apps never reach the
//! desktop that a PIN is typed on. Covering is to give the screen and the keyboard back to the shell's desktop.

pub mod accessibility;
pub mod bar;
pub mod desktop;
pub mod hook;
pub mod outer;
mod monitors;
pub mod notices;
mod paint;
mod pump;
pub mod windows;

pub(crate) use crate::platform::windows::registry::wide;

/// The height of the bar above a session, in pixels of a screen of 96 dots per inch: as on the screens.
pub const BAR_HEIGHT: u16 = 64;

/// A text as the system gives it, up to the first zero.
#[must_use]
pub(crate) fn narrow(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// Why the system has just refused, for people: its own sentence, without the full stop.
#[must_use]
pub(crate) fn refused() -> String {
    let text = std::io::Error::last_os_error().to_string();
    text.trim_end_matches('.').to_owned()
}
