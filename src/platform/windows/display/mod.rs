//! The display of a session: a desktop object of its own, apart from the shell's. Apps never reach the
//! desktop that a PIN is typed on. Covering is to give the screen and the keyboard back to the shell's desktop.

pub mod accessibility;
pub mod bar;
pub mod desktop;
pub mod hook;
mod monitors;
pub mod notices;
pub mod outer;
mod paint;
pub mod pins;
mod pump;
pub mod windows;

pub(crate) use crate::platform::windows::wide::{text as narrow, wide};

/// The height of the bar above a session, in pixels of a screen of 96 dots per inch: as on the screens.
pub const BAR_HEIGHT: u16 = 64;

/// Why the system has just refused, for people: its own sentence, without the full stop.
#[must_use]
pub(crate) fn refused() -> String {
    let text = std::io::Error::last_os_error().to_string();
    text.trim_end_matches('.').to_owned()
}

/// What the shell's own window needs here: it takes nothing that is dropped on it, and stands in no list of windows.
#[must_use]
pub fn window() -> iced::window::settings::PlatformSpecific {
    iced::window::settings::PlatformSpecific {
        drag_and_drop: false,
        skip_taskbar: true,
        ..iced::window::settings::PlatformSpecific::default()
    }
}
