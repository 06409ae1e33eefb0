//! The bar above a session: a native window on the session's own desktop, because the screens' window is on
//! the shell's. It says what the screens' bar says, in the same colours, and what is pressed there is told to
//! whoever made it; it decides nothing.
//!
//! Its strip of the screen is taken out of what apps may fill, and it stays above them. With it come the
//! curtains of the session's desktop: while the station is covered there is nothing but black on it, whoever
//! gets there.

#![expect(unsafe_code, reason = "windows are made and moved through the system's own calls")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use windows_sys::Win32::Foundation::RECT;
use windows_sys::Win32::Graphics::Gdi::InvalidateRect;
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{ReleaseCapture, SetCapture};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    HWND_TOPMOST, MSG, SPI_GETWORKAREA, SPI_SETWORKAREA, SW_HIDE, SWP_NOACTIVATE, SWP_SHOWWINDOW,
    SetWindowPos, ShowWindow, SystemParametersInfoW, WM_LBUTTONDBLCLK, WM_LBUTTONDOWN, WM_LBUTTONUP,
    WM_PAINT,
};

use super::desktop::{self, SessionDesktop};
use super::hook::{Hook, Place};
use super::monitors;
use super::paint::{self, Letters, Picture, Stands};
use super::pump::{Hands, Pump, Surface};
use crate::ports::{PortError, Result};

/// How often the bar is put above everything again.
const LOOK: Duration = Duration::from_millis(500);
/// How long the curtains of the session's desktop may take to be there.
const CURTAINS: Duration = Duration::from_millis(200);

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// "Apps": the launcher is wished.
    Apps,
    /// "End session".
    End,
    /// A window's button: it is wished in front.
    Raise(u32),
}

/// A palette, each colour as 0xRRGGBB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// The bar.
    pub bar: u32,
    /// A button that is pressed, or whose window is in front.
    pub marked: u32,
    /// Text.
    pub on_bar: u32,
    /// Text that comes second.
    pub soft: u32,
    /// A warning.
    pub amber: u32,
}

/// A window's button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Which.
    pub window: u32,
    /// Its title, escaped.
    pub title: String,
    /// Whether it is in front.
    pub front: bool,
}

/// What the bar says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who is at work, as far as the policy has it shown.
    pub first: String,
    /// Since when, and what ends the session; or what must be said now.
    pub second: String,
    /// Whether the second line is a warning.
    pub warns: bool,
    /// The windows that stand.
    pub windows: Vec<Shown>,
    /// The colours.
    pub palette: Palette,
}

/// The bar of one session. It is gone when this is dropped, and the screen's edge is free again.
pub struct Bar {
    pump: Arc<Pump<Strip>>,
    covered: Arc<AtomicBool>,
    keys: std::result::Result<Hook, String>,
}

impl Bar {
    /// Makes the bar of a session, not shown yet, and holds the keys that lead out of its desktop.
    ///
    /// # Errors
    /// When no window can be made there.
    pub fn open(session: &SessionDesktop, said: Said, tell: Box<dyn Fn(Press) + Send>) -> Result<Self> {
        let covered = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&covered);
        let pump = Pump::start(Arc::clone(session.desktop()), LOOK, move || Strip::make(said, tell, shared))?;
        let keys = Hook::on(session.desktop(), Place::Session).map_err(|error| error.to_string());
        if let Err(error) = &keys {
            tracing::error!(%error, "failed to hold the keys that lead out of a session");
        }
        Ok(Self { pump: Arc::new(pump), covered, keys })
    }

    /// Says something else from now on.
    ///
    /// # Errors
    /// When its thread is gone.
    pub fn say(&self, said: Said) -> Result<()> {
        self.pump.tell(move |strip| strip.say(said))
    }

    /// What follows the cover.
    #[must_use]
    pub fn front(&self) -> Front {
        Front { pump: Arc::clone(&self.pump), covered: Arc::clone(&self.covered) }
    }

    /// Whether the keys that lead out of the session are held.
    #[must_use]
    pub fn holds_keys(&self) -> bool {
        self.keys.is_ok()
    }
}

/// What stands in front on a session's desktop: the bar while it is shown, black while it is covered.
pub struct Front {
    pump: Arc<Pump<Strip>>,
    covered: Arc<AtomicBool>,
}

impl Front {
    /// Puts black or the bar in front; not waited for.
    pub(super) fn cover(&self, cover: bool) {
        if self.pump.tell(move |strip| strip.cover(cover)).is_err() {
            tracing::error!("the bar of the session is gone");
        }
    }

    /// Whether all of the session's desktop is black; waits a little for it.
    pub(super) fn is_covered(&self) -> bool {
        for _ in 0..20 {
            if self.covered.load(Ordering::SeqCst) {
                return true;
            }
            std::thread::sleep(CURTAINS / 20);
        }
        self.covered.load(Ordering::SeqCst)
    }
}

/// A part of the bar that can be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Button {
    left: i32,
    right: i32,
    press: Press,
}

/// How the bar's width is shared out: what ends the session is never cut short, and windows have what is left.
/// Answers the width of the text at the left, and the buttons.
fn lay_out(width: i32, unit: impl Fn(i32) -> i32, windows: &[Shown]) -> (i32, Vec<Button>) {
    let (end, apps, edge) = (unit(184), unit(128), unit(8));
    let end_left = (width - edge - end).max(0);
    let apps_left = (end_left - apps).max(0);
    let mut buttons = vec![
        Button { left: end_left, right: width - edge, press: Press::End },
        Button { left: apps_left, right: end_left, press: Press::Apps },
    ];
    let person = (apps_left * 2 / 5).min(unit(420)).max(unit(120).min(apps_left));
    let room = apps_left - person - unit(16);
    let (least, most) = (unit(120), unit(240));
    let fitting = usize::try_from(room / least.max(1)).unwrap_or(0).min(windows.len());
    let each = if fitting == 0 { 0 } else { (room / i32::try_from(fitting).unwrap_or(1)).min(most) };
    // The one in front always has its button.
    let hidden = windows.iter().skip(fitting).find(|window| window.front);
    let first = if hidden.is_some() { fitting.saturating_sub(1) } else { fitting };
    let mut left = person + unit(8);
    for window in windows.iter().take(first).chain(hidden.filter(|_| fitting > 0)) {
        buttons.push(Button { left, right: left + each, press: Press::Raise(window.window) });
        left += each;
    }
    (person, buttons)
}

struct Strip {
    surface: Surface,
    size: (i32, i32),
    curtains: Vec<Surface>,
    said: Said,
    tell: Box<dyn Fn(Press) + Send>,
    buttons: Vec<Button>,
    person: i32,
    pressed: Option<Press>,
    large: Letters,
    small: Letters,
    middle: Letters,
    covered: Arc<AtomicBool>,
}

impl Strip {
    fn make(said: Said, tell: Box<dyn Fn(Press) + Send>, covered: Arc<AtomicBool>) -> Result<Self> {
        let place = monitors::bar().ok_or_else(|| PortError::new("find the screen's edge for the bar"))?;
        let surface = Surface::make("Cleanshift", place)?;
        let letters = |height: i32, strong| Letters::of(monitors::scaled(height), strong);
        let (large, small, middle) = (letters(22, true), letters(16, false), letters(20, true));
        let (size, curtains, buttons) = ((0, 0), Vec::new(), Vec::new());
        let (person, pressed) = (0, None);
        let mut strip = Self {
            surface,
            size,
            curtains,
            said,
            tell,
            buttons,
            person,
            pressed,
            large,
            small,
            middle,
            covered,
        };
        strip.fit();
        Ok(strip)
    }

    /// Takes its place at the screen's edge, and the edge out of what apps may fill.
    fn fit(&mut self) {
        let Some(place) = monitors::bar() else { return };
        self.size = (place.right - place.left, place.bottom - place.top);
        if let Some(room) = monitors::below_bar() {
            set_room(room);
        }
        self.arrange();
        if !self.covered.load(Ordering::SeqCst) {
            self.to_the_front();
        }
    }

    fn arrange(&mut self) {
        (self.person, self.buttons) = lay_out(self.size.0, monitors::scaled, &self.said.windows);
        // SAFETY: the window is this thread's own; all of it is to be drawn again.
        let _ = unsafe { InvalidateRect(self.surface.window(), std::ptr::null(), 0) };
    }

    fn say(&mut self, said: Said) {
        if self.said != said {
            self.said = said;
            self.arrange();
        }
    }

    fn to_the_front(&self) {
        let Some(place) = monitors::bar() else { return };
        let (width, height) = (place.right - place.left, place.bottom - place.top);
        let how = SWP_NOACTIVATE | SWP_SHOWWINDOW;
        // SAFETY: the window is this thread's own.
        let _ = unsafe {
            SetWindowPos(self.surface.window(), HWND_TOPMOST, place.left, place.top, width, height, how)
        };
    }

    fn cover(&mut self, cover: bool) {
        if !cover {
            self.covered.store(false, Ordering::SeqCst);
            self.to_the_front();
            self.curtains.clear();
            return;
        }
        if desktop::keeps_apart() && !self.draw_curtains() {
            // Not said to be covered where it is not.
            return;
        }
        self.pressed = None;
        // SAFETY: the window is this thread's own.
        let _ = unsafe { ShowWindow(self.surface.window(), SW_HIDE) };
        self.covered.store(true, Ordering::SeqCst);
    }

    /// Black over each monitor.
    fn draw_curtains(&mut self) -> bool {
        let mut curtains = Vec::new();
        for monitor in monitors::all() {
            let RECT { left, top, right, bottom } = monitor.rect();
            let Ok(curtain) = Surface::make("", monitor.rect()) else { return false };
            let how = SWP_NOACTIVATE | SWP_SHOWWINDOW;
            // SAFETY: the window is this thread's own.
            let shown = unsafe {
                SetWindowPos(curtain.window(), HWND_TOPMOST, left, top, right - left, bottom - top, how)
            };
            if shown == 0 {
                return false;
            }
            curtains.push(curtain);
        }
        self.curtains = curtains;
        true
    }

    fn at(&self, message: &MSG) -> Option<Press> {
        // The place is in the two halves of the word, each with its sign.
        let half = |shift: u32| {
            i32::from(u16::try_from(message.lParam >> shift & 0xffff).unwrap_or(0).cast_signed())
        };
        let (x, y) = (half(0), half(16));
        let inside = y >= 0 && y < self.size.1;
        let hit = |button: &&Button| inside && x >= button.left && x < button.right;
        self.buttons.iter().find(hit).map(|button| button.press)
    }

    fn draw(&self, picture: &Picture) {
        let (width, height) = self.size;
        let palette = self.said.palette;
        let unit = monitors::scaled;
        picture.fill(RECT { left: 0, top: 0, right: width, bottom: height }, palette.bar);
        let upper = RECT { left: unit(16), top: unit(6), right: self.person, bottom: unit(36) };
        let lower = RECT { top: unit(36), bottom: unit(58), ..upper };
        picture.text(upper, &self.said.first, &self.large, palette.on_bar, Stands::Left);
        let second = if self.said.warns { palette.amber } else { palette.soft };
        picture.text(lower, &self.said.second, &self.small, second, Stands::Left);
        for button in &self.buttons {
            let field = RECT {
                left: button.left + unit(4),
                top: unit(8),
                right: button.right - unit(4),
                bottom: height - unit(8),
            };
            let is_pressed = self.pressed == Some(button.press);
            let window = |id: u32| self.said.windows.iter().find(|window| window.window == id);
            let (text, back, ink) = match button.press {
                Press::Apps => ("Apps", is_pressed.then_some(palette.marked), palette.on_bar),
                Press::End if is_pressed => ("End session", Some(palette.marked), palette.on_bar),
                Press::End => ("End session", Some(palette.on_bar), palette.bar),
                Press::Raise(id) => {
                    let (title, front) =
                        window(id).map_or(("", false), |window| (window.title.as_str(), window.front));
                    (title, (front || is_pressed).then_some(palette.marked), palette.on_bar)
                }
            };
            if let Some(back) = back {
                picture.round(field, back, unit(8));
            }
            let words = RECT { left: field.left + unit(8), right: field.right - unit(8), ..field };
            picture.text(words, text, &self.middle, ink, Stands::Centre);
        }
    }
}

impl Hands for Strip {
    fn message(&mut self, message: &MSG) -> bool {
        let window = self.surface.window();
        if message.hwnd != window {
            return false;
        }
        match message.message {
            WM_PAINT => {
                paint::draw(window, self.size, |picture| self.draw(picture));
                true
            }
            WM_LBUTTONDOWN | WM_LBUTTONDBLCLK => {
                self.pressed = self.at(message);
                // SAFETY: the window is this thread's own.
                let _ = unsafe { SetCapture(window) };
                self.arrange();
                true
            }
            WM_LBUTTONUP => {
                let (began, ended) = (self.pressed.take(), self.at(message));
                // SAFETY: takes nothing.
                let _ = unsafe { ReleaseCapture() };
                self.arrange();
                if let Some(press) = ended.filter(|_| began == ended && !self.covered.load(Ordering::SeqCst))
                {
                    (self.tell)(press);
                }
                true
            }
            _ => false,
        }
    }

    fn changed(&mut self) {
        self.fit();
        if self.covered.load(Ordering::SeqCst) && !self.curtains.is_empty() {
            let _ = self.draw_curtains();
        }
    }

    fn tick(&mut self) {
        if !self.covered.load(Ordering::SeqCst) {
            self.to_the_front();
        }
    }
}

impl Drop for Strip {
    fn drop(&mut self) {
        if let Some(first) = monitors::all().first() {
            set_room(first.rect());
        }
    }
}

/// Sets what apps may fill of the first monitor, where it is another. Nobody is told by a message that would have
/// to be waited for: an app asks when it fills the screen.
fn set_room(room: RECT) {
    let mut now = RECT::default();
    let (mut room, same) =
        (room, |a: &RECT, b: &RECT| (a.left, a.top, a.right, a.bottom) == (b.left, b.top, b.right, b.bottom));
    // SAFETY: each structure outlives its call.
    unsafe {
        let known = SystemParametersInfoW(SPI_GETWORKAREA, 0, (&raw mut now).cast(), 0) != 0;
        if !known || !same(&now, &room) {
            let _ = SystemParametersInfoW(SPI_SETWORKAREA, 0, (&raw mut room).cast(), 0);
        }
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    fn shown(count: u32, front: u32) -> Vec<Shown> {
        (1..=count)
            .map(|window| Shown { window, title: format!("Window {window}"), front: window == front })
            .collect()
    }

    #[test]
    fn what_ends_the_session_always_fits_and_every_button_is_large_enough_for_a_finger() {
        for width in [800, 1024, 1280, 1920, 3840] {
            for count in [0, 1, 3, 40] {
                let (person, buttons) = lay_out(width, |pixels| pixels, &shown(count, count));
                assert!(person > 0, "no room for who is at work at {width}");
                let presses: Vec<Press> = buttons.iter().map(|button| button.press).collect();
                assert!(presses.contains(&Press::End) && presses.contains(&Press::Apps));
                assert!(count == 0 || presses.contains(&Press::Raise(count)), "the window in front has none");
                let mut sides: Vec<(i32, i32)> =
                    buttons.iter().map(|button| (button.left, button.right)).collect();
                sides.sort_unstable();
                for (left, right) in &sides {
                    assert!(
                        right - left >= 44 && *left >= person && *right <= width,
                        "{width} {count}: {sides:?}"
                    );
                }
                assert!(sides.windows(2).all(|two| two.first().map(|a| a.1) <= two.last().map(|b| b.0)));
            }
        }
        assert!(i32::from(crate::platform::windows::display::BAR_HEIGHT) >= 44);
    }
}
