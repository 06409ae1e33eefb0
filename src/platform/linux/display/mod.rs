//! The display of a session: a nested X server, shown inside the shell's own window, so that apps
//! never reach the station's display: they cannot read a PIN, hold off the cover, or leave anything
//! behind. Covering is to unmap one window.

pub mod cookie;
pub mod nested;
pub mod outer;
pub mod selections;
pub mod windows;

/// The height of the shell's bar above the session, in pixels.
pub const BAR_HEIGHT: u16 = 64;

/// What the shell's own window needs here: fullscreen alone does nothing where no window manager runs.
#[must_use]
pub fn window() -> iced::window::settings::PlatformSpecific {
    iced::window::settings::PlatformSpecific {
        override_redirect: true,
        ..iced::window::settings::PlatformSpecific::default()
    }
}
