//! The windows of a session, seen from a thread of its own on the session's desktop.
//!
//! What apps put into their titles is hostile, and an app may hang: titles are read from the system's own
//! copy and never asked for, everything is bounded, and what is wished of a window is posted. A window that
//! lies under the bar is moved below it.

#![expect(unsafe_code, reason = "windows are asked and moved through the system's own calls")]

use std::sync::Arc;
use std::time::Duration;

use windows_sys::Win32::Foundation::{HWND, LPARAM, RECT};
use windows_sys::Win32::System::StationsAndDesktops::EnumDesktopWindows;
use windows_sys::Win32::System::Threading::GetCurrentProcessId;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    GA_ROOTOWNER, GW_OWNER, GWL_EXSTYLE, GWL_STYLE, GetAncestor, GetForegroundWindow, GetWindow,
    GetWindowLongPtrW, GetWindowRect, GetWindowThreadProcessId, HWND_TOP, InternalGetWindowText,
    IsHungAppWindow, IsIconic, IsWindow, IsWindowVisible, PostMessageW, SW_RESTORE, SWP_ASYNCWINDOWPOS,
    SWP_NOACTIVATE, SWP_NOMOVE, SWP_NOSIZE, SWP_NOZORDER, SetForegroundWindow, SetWindowPos, ShowWindowAsync,
    WM_CLOSE, WS_CAPTION, WS_EX_APPWINDOW, WS_EX_TOOLWINDOW,
};

use super::desktop::{Desktop, SessionDesktop};
use super::pump::{Hands, Pump};
use super::{monitors, narrow};
use crate::ports::{PortError, Result};

/// How often the windows are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// The longest title that is read, in UTF-16 units, with its zero.
const TITLE: usize = 129;
/// The most windows that are told.
const MOST: usize = 64;
/// How often one window is moved below the bar before it is let be: the bar stays above it in any case.
const MOVED: u8 = 8;
/// The least width of a window that is moved: smaller ones are menus and hints.
const WIDE: i32 = 160;

/// A window as the desktop tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its handle.
    pub window: u32,
    /// Its title, bounded, without control and bidi characters.
    pub title: String,
    /// The process that made it, by the system's word.
    pub pid: u32,
    /// Whether it is in front.
    pub front: bool,
}

/// What the session's desktop tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The desktop cannot be looked at any more.
    Lost,
    /// The windows that stand now, newest last.
    Windows(Vec<Seen>),
}

/// The shell's eyes and hands on a session's desktop.
pub struct Windows {
    pump: Pump<Watcher>,
}

impl Windows {
    /// Looks at the desktop, and tells news from then on.
    ///
    /// # Errors
    /// When no thread can be brought there.
    pub fn watch(session: &SessionDesktop, news: Box<dyn Fn(News) + Send + Sync>) -> Result<Self> {
        let desktop = Arc::clone(session.desktop());
        let looked_at = Arc::clone(&desktop);
        let pump = Pump::start(desktop, LOOK, move || {
            Ok(Watcher { desktop: looked_at, news, told: None, moved: Vec::new(), lost: false })
        })?;
        Ok(Self { pump })
    }

    /// Brings a window to the front.
    ///
    /// # Errors
    /// When the desktop cannot be reached.
    pub fn raise(&self, window: u32) -> Result<()> {
        self.pump.tell(move |watcher| watcher.raise(window))
    }

    /// Asks a window to close.
    ///
    /// # Errors
    /// When the desktop cannot be reached.
    pub fn close(&self, window: u32) -> Result<()> {
        self.pump.tell(move |watcher| watcher.close(window))
    }

    /// The windows that stand now, with their processes: asked and waited for.
    ///
    /// # Errors
    /// When the desktop does not answer in time.
    pub fn now(&self) -> Result<Vec<Seen>> {
        self.pump
            .ask(|watcher| watcher.look().ok_or_else(|| PortError::new("look at the session's desktop")))?
    }
}

struct Watcher {
    desktop: Arc<Desktop>,
    news: Box<dyn Fn(News) + Send + Sync>,
    told: Option<Vec<Seen>>,
    moved: Vec<(u32, u8)>,
    lost: bool,
}

impl Hands for Watcher {
    fn tick(&mut self) {
        if self.lost {
            return;
        }
        let Some(seen) = self.look() else {
            self.lost = true;
            return (self.news)(News::Lost);
        };
        self.keep_below_bar(&seen);
        if self.told.as_ref() != Some(&seen) {
            self.told = Some(seen.clone());
            (self.news)(News::Windows(seen));
        }
    }
}

impl Watcher {
    /// The windows that stand. `None` where the desktop is gone.
    fn look(&self) -> Option<Vec<Seen>> {
        let mut handles: Vec<u32> = Vec::new();
        unsafe extern "system" fn one(window: HWND, list: LPARAM) -> i32 {
            // SAFETY: the list is the one that was given below and outlives the call.
            let list = unsafe { &mut *(list as *mut Vec<u32>) };
            if counts(window) {
                list.push(number(window));
            }
            i32::from(list.len() < MOST)
        }
        // SAFETY: the desktop is open; the list outlives the call, which ends before it is read.
        let whole =
            unsafe { EnumDesktopWindows(self.desktop.handle(), Some(one), &raw mut handles as LPARAM) } != 0;
        // A desktop without any window, and a list that is full, are answered like a failure.
        if !whole && handles.is_empty() && super::desktop::thread_desktop().is_none() {
            return None;
        }
        // The order is from the front to the back; what has the keyboard is in front of that.
        // SAFETY: the calls take nothing, or any handle.
        let active = unsafe { GetAncestor(GetForegroundWindow(), GA_ROOTOWNER) };
        let front =
            if handles.contains(&number(active)) { Some(number(active)) } else { handles.first().copied() };
        let known: Vec<u32> = self.told.iter().flatten().map(|seen| seen.window).collect();
        let (mut old, mut new): (Vec<u32>, Vec<u32>) =
            handles.into_iter().partition(|one| known.contains(one));
        old.sort_by_key(|one| known.iter().position(|known| known == one));
        new.reverse();
        let seen = |window: u32| Seen {
            window,
            title: title(handle(window)),
            pid: process(handle(window)),
            front: front == Some(window),
        };
        Some(old.into_iter().chain(new).map(seen).collect())
    }

    fn raise(&mut self, window: u32) {
        let window = handle(window);
        // SAFETY: the calls take any handle; none of them waits for an app that hangs.
        unsafe {
            if IsWindow(window) == 0 || !counts(window) {
                return;
            }
            if IsIconic(window) != 0 {
                let _ = ShowWindowAsync(window, SW_RESTORE);
            }
            let how = SWP_ASYNCWINDOWPOS | SWP_NOMOVE | SWP_NOSIZE | SWP_NOACTIVATE;
            let _ = SetWindowPos(window, HWND_TOP, 0, 0, 0, 0, how);
            if IsHungAppWindow(window) == 0 {
                let _ = SetForegroundWindow(window);
            }
        }
    }

    fn close(&mut self, window: u32) {
        let window = handle(window);
        if counts(window) {
            // SAFETY: the call takes any handle; a message that is posted is not waited for.
            let _ = unsafe { PostMessageW(window, WM_CLOSE, 0, 0) };
        }
    }

    /// Moves what lies under the bar below it: there its title, and its own ways to close, are out of reach.
    fn keep_below_bar(&mut self, seen: &[Seen]) {
        let (Some(bar), Some(room)) = (monitors::bar(), monitors::below_bar()) else { return };
        self.moved.retain(|(window, _)| seen.iter().any(|seen| seen.window == *window));
        for seen in seen {
            let Some(to) = place_below(rect(handle(seen.window)), bar, room) else { continue };
            let times = match self.moved.iter_mut().find(|(window, _)| *window == seen.window) {
                Some((_, times)) => times,
                None => {
                    self.moved.push((seen.window, 0));
                    let Some((_, times)) = self.moved.last_mut() else { continue };
                    times
                }
            };
            if *times >= MOVED {
                continue;
            }
            *times += 1;
            let (width, height) = (to.right - to.left, to.bottom - to.top);
            let how = SWP_ASYNCWINDOWPOS | SWP_NOZORDER | SWP_NOACTIVATE;
            // SAFETY: the call takes any handle; it is asked and not waited for.
            let _ = unsafe {
                SetWindowPos(handle(seen.window), std::ptr::null_mut(), to.left, to.top, width, height, how)
            };
        }
    }
}

/// Where a window goes that lies under the bar. `None` where it does not, or its frame alone does: what is
/// maximised hangs over its room by the width of its frame.
fn place_below(window: Option<RECT>, bar: RECT, room: RECT) -> Option<RECT> {
    let window = window?;
    let frame = (bar.bottom - bar.top) / 4;
    let beside = window.left >= bar.right || window.right <= bar.left;
    let above = window.bottom <= bar.top;
    if beside || above || window.top >= bar.bottom - frame || window.right - window.left < WIDE {
        return None;
    }
    let height = (window.bottom - window.top).min(room.bottom - room.top);
    let width = (window.right - window.left).min(room.right - room.left);
    let left = window.left.clamp(room.left, room.right - width);
    Some(RECT { left, top: room.top, right: left + width, bottom: room.top + height })
}

/// Whether it is a window that an operator would call one: seen, its own, not a menu, hint or strip, and not
/// the shell's.
fn counts(window: HWND) -> bool {
    // SAFETY: the calls take any handle.
    unsafe {
        if IsWindowVisible(window) == 0 || process(window) == GetCurrentProcessId() {
            return false;
        }
        let style = u32::try_from(GetWindowLongPtrW(window, GWL_STYLE) & 0xffff_ffff).unwrap_or(0);
        let more = u32::try_from(GetWindowLongPtrW(window, GWL_EXSTYLE) & 0xffff_ffff).unwrap_or(0);
        if more & WS_EX_APPWINDOW != 0 {
            return true;
        }
        let owned = !GetWindow(window, GW_OWNER).is_null();
        !owned
            && more & WS_EX_TOOLWINDOW == 0
            && (style & WS_CAPTION == WS_CAPTION || !title(window).is_empty())
    }
}

fn rect(window: HWND) -> Option<RECT> {
    let mut rect = RECT::default();
    // SAFETY: the structure outlives the call, which takes any handle.
    unsafe { (IsIconic(window) == 0 && GetWindowRect(window, &mut rect) != 0).then_some(rect) }
}

fn process(window: HWND) -> u32 {
    let mut pid = 0;
    // SAFETY: the number outlives the call, which takes any handle.
    let _ = unsafe { GetWindowThreadProcessId(window, &mut pid) };
    pid
}

/// Its title as the system keeps it; the app is not asked.
fn title(window: HWND) -> String {
    let mut units = [0_u16; TITLE];
    // SAFETY: the buffer and its length belong together and outlive the call, which takes any handle.
    let used =
        unsafe { InternalGetWindowText(window, units.as_mut_ptr(), i32::try_from(TITLE).unwrap_or(0)) };
    let used = usize::try_from(used).unwrap_or(0).min(TITLE);
    narrow(units.get(..used).unwrap_or_default()).chars().filter(|letter| !is_disguise(*letter)).collect()
}

/// Characters that can make a title look like another: controls and directions.
fn is_disguise(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A handle as a number: the system gives no more than 32 bits of it.
pub(super) fn number(window: HWND) -> u32 {
    u32::try_from(window as usize & 0xffff_ffff).unwrap_or(0)
}

/// The handle of a number: widened with its sign, as the system does.
pub(super) fn handle(window: u32) -> HWND {
    window.cast_signed() as isize as HWND
}

#[cfg(all(test, windows))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::platform::windows::watch::Watched;

    const LONG: Duration = Duration::from_secs(30);

    fn wait_for(news: &Receiver<News>, what: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        loop {
            match news.recv_timeout(LONG).unwrap() {
                News::Windows(seen) if what(&seen) => return seen,
                News::Windows(_) => {}
                News::Lost => unreachable!("the desktop is gone"),
            }
        }
    }

    /// A real program on a session's desktop, seen, moved out from under the bar, and asked to close.
    #[test]
    fn a_window_of_the_session_is_told_and_closes_when_it_is_asked() {
        let session = SessionDesktop::make(None).unwrap();
        let other = SessionDesktop::make(None).unwrap();
        let (tell, news) = channel();
        let watch = Windows::watch(&session, Box::new(move |news| drop(tell.send(news)))).unwrap();
        let elsewhere = Windows::watch(&other, Box::new(drop)).unwrap();
        assert_eq!(wait_for(&news, |_| true), [], "there was a window before any program");
        let notepad = Path::new(r"C:\windows\system32\notepad.exe");
        let app = Watched::start(notepad, &[], Some(session.desktop())).unwrap();
        let seen = wait_for(&news, |seen| !seen.is_empty());
        let [only] = seen.as_slice() else { unreachable!("{seen:?}") };
        assert!(only.front && only.pid != 0 && only.title.contains("Notepad"), "{only:?}");
        assert_eq!(elsewhere.now().unwrap(), [], "it is seen on another session's desktop");
        watch.raise(only.window).unwrap();
        watch.close(only.window).unwrap();
        let _ = wait_for(&news, <[Seen]>::is_empty);
        assert_eq!(app.wait().unwrap(), 0, "it did not close by itself");
    }

    #[test]
    fn what_lies_under_the_bar_is_moved_below_it_and_nothing_else_is() {
        let bar = RECT { left: 0, top: 0, right: 1280, bottom: 64 };
        let room = RECT { left: 0, top: 64, right: 1280, bottom: 800 };
        let place = |left, top, right, bottom| {
            let window = RECT { left, top, right, bottom };
            place_below(Some(window), bar, room).map(|to| (to.left, to.top, to.right, to.bottom))
        };
        assert_eq!(place(100, 10, 600, 400), Some((100, 64, 600, 454)));
        assert_eq!(place(0, 0, 1280, 800), Some((0, 64, 1280, 800)));
        assert_eq!(place(-50, -20, 600, 400), Some((0, 64, 650, 484)));
        // Below it, maximised with its frame, on another monitor, and too small to be a window.
        assert_eq!(place(100, 64, 600, 400), None);
        assert_eq!(place(-8, 56, 1288, 808), None);
        assert_eq!(place(1300, 0, 1900, 400), None);
        assert_eq!(place(100, 10, 200, 400), None);
    }

    #[test]
    fn a_handle_is_the_same_after_it_was_a_number() {
        for window in [0x1_0068_usize, 0xffff_ffff_8001_0068] {
            assert_eq!(handle(number(window as HWND)) as usize, window);
        }
    }
}
