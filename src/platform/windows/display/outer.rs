//! The station's own display: the shell's desktop, its window over the first monitor and black over all
//! others, covering and uncovering, and when somebody last touched the station.
//!
//! Covering is to give the screen, the keyboard and the pointer to the shell's desktop. All of it goes
//! through one thread that never sends a message to a window of another thread, so that neither an app nor the
//! screens' own thread can hold it. Whoever asks waits for the answer with a deadline.
//!
//! Below the shell's window lies a black curtain over each monitor; what comes while somebody works is
//! black before anybody here has heard of it, because a desktop without windows has nothing to show. The
//! curtains also come up over the session's own desktop: where the system does not let the desktop be
//! changed just now, because Ctrl+Alt+Del has its own, nothing of the session comes back after it.

#![expect(unsafe_code, reason = "windows are moved through the system's own calls")]

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HWND, RECT};
use windows_sys::Win32::Graphics::Gdi::{BLACKNESS, GetDC, PatBlt, ReleaseDC};
use windows_sys::Win32::System::SystemInformation::{GetTickCount, GetTickCount64};
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{GetLastInputInfo, LASTINPUTINFO};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    HWND_TOPMOST, IsHungAppWindow, IsWindow, SWP_ASYNCWINDOWPOS, SWP_NOACTIVATE, SWP_NOSIZE, SWP_NOZORDER,
    SWP_SHOWWINDOW, SetForegroundWindow, SetWindowPos,
};

use super::accessibility::{self, Accessibility};
use super::bar::Front;
use super::desktop::{self, Desktop, SessionDesktop};
use super::hook::{self, Hook, Place};
use super::monitors::{self, Monitor};
use super::pump::{CONFIRM, Pump, Surface};
use crate::ports::{PortError, Result};

/// How often the cover is looked at, beside what the system tells.
const LOOK: Duration = Duration::from_millis(100);

/// The station's own display.
pub struct Outer {
    pump: Pump<Hands>,
    /// Gives the shell's window the keyboard: the one thing that may have to wait for the screens' thread.
    focus: Pump<Focus>,
    keys: std::result::Result<Hook, String>,
    shortcuts: OnceLock<Result<Accessibility>>,
    /// The size of the first monitor, in pixels.
    pub size: (u16, u16),
}

impl Outer {
    /// Takes the shell's desktop, and brings the calling thread there: the main one, before it has made a window.
    ///
    /// # Errors
    /// When it cannot be made, or the system shows nothing.
    pub fn open() -> Result<Self> {
        monitors::own_pixels();
        desktop::enter()?;
        let shell = desktop::shell()?;
        let size = size()?;
        let hands_desktop = Arc::clone(&shell);
        let pump = Pump::start(Arc::clone(&shell), LOOK, move || Ok(Hands::new(hands_desktop)))?;
        let focus = Pump::start(Arc::clone(&shell), CONFIRM * 60, || Ok(Focus))?;
        let keys = Hook::on(&shell, Place::Shell).map_err(|error| error.to_string());
        Ok(Self { pump, focus, keys, shortcuts: OnceLock::new(), size })
    }

    /// Draws the curtains, gives the shell's desktop the input, and from now on keeps the shell's window over the
    /// first monitor and above everything else.
    ///
    /// # Errors
    /// When the system refuses or does not answer in time.
    pub fn guard(&self) -> Result<()> {
        // The first windows of a desktop bring up more than themselves.
        self.pump.ask_for(CONFIRM * 8, Hands::guard)?
    }

    /// Turns off the shortcuts of accessibility that lead out; how they were is kept in `run_dir`. A station where
    /// that fails runs all the same: the report says so.
    pub fn shortcuts_off(&self, run_dir: &Path) {
        if let Err(error) = self.shortcuts.get_or_init(|| Accessibility::off(run_dir)) {
            tracing::error!(%error, "the shortcuts of accessibility lead out");
        }
    }

    /// The shell's own window is there.
    ///
    /// # Errors
    /// When it is not a window, or the display does not answer in time.
    pub fn attach(&self, window: u64) -> Result<()> {
        let window =
            usize::try_from(window).map_err(|_| PortError::new("understand the shell window's id"))?;
        self.pump.ask(move |hands| hands.attach(window))??;
        self.give_focus(window)
    }

    /// Hides the session and takes the keyboard from it; returns when that is so.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn cover(&self) -> Result<()> {
        let shell = self.pump.ask(Hands::cover)??;
        shell.map_or(Ok(()), |shell| self.give_focus(shell))
    }

    /// Shows the session and gives it the keyboard.
    ///
    /// # Errors
    /// When there is none, or the system does not let it.
    pub fn show(&self) -> Result<()> {
        // What shows the session is done only while somebody still waits for it; what hides it, however late.
        let until = now().saturating_add(u64::try_from(CONFIRM.as_millis()).unwrap_or(0));
        self.pump.ask(move |hands| {
            if now() > until { Err(PortError::new("show the session: too late")) } else { hands.show() }
        })?
    }

    /// Which session there is to show: its desktop, and what stands in front on it.
    ///
    /// # Errors
    /// When the display does not answer in time.
    pub fn session(&self, session: Option<&SessionDesktop>) -> Result<()> {
        let session = session.cloned();
        self.pump.ask(move |hands| hands.session(session))?
    }

    /// The bar and the curtains of the session's desktop follow the cover from now on.
    ///
    /// # Errors
    /// When the display does not answer in time.
    pub fn front(&self, front: Option<Front>) -> Result<()> {
        self.pump.ask(move |hands| hands.front = front)
    }

    /// How long ago the last input was, by the system's own count of its devices. A key that is held down, or
    /// stuck, is no input (requirement A-08).
    ///
    /// # Errors
    /// When the system does not say.
    pub fn since_input(&self) -> Result<Duration> {
        let mut last =
            LASTINPUTINFO { cbSize: u32::try_from(size_of::<LASTINPUTINFO>()).unwrap_or(0), dwTime: 0 };
        // SAFETY: the structure says its own size and outlives the call; the clock takes nothing.
        let (told, now) = unsafe { (GetLastInputInfo(&mut last), GetTickCount()) };
        if told == 0 {
            return Err(PortError(format!("hear when the station was last touched: {}", super::refused())));
        }
        Ok(Duration::from_millis(u64::from(hook::touched(last.dwTime, now))))
    }

    /// What the capability report says: of the desktops, and of the keys that lead out.
    #[must_use]
    pub fn report(&self) -> Vec<(String, String)> {
        let keys = match &self.keys {
            Ok(_) => "the ways out are swallowed (Ctrl+Alt+Del cannot be)".to_owned(),
            Err(why) => format!("not held: failed to {why}"),
        };
        [
            ("desktops", desktop::report().to_owned()),
            ("keys", keys),
            ("accessibility", accessibility::report()),
        ]
        .map(|(name, found)| (name.to_owned(), found))
        .to_vec()
    }

    fn give_focus(&self, shell: usize) -> Result<()> {
        self.focus.tell(move |_| {
            let shell = shell as HWND;
            // SAFETY: the calls take any handle, also one whose window has gone.
            unsafe {
                if IsHungAppWindow(shell) == 0 {
                    let _ = SetForegroundWindow(shell);
                }
            }
        })
    }
}

/// For a screen that stands alone, without a station: the calling thread is on the shell's desktop, which has the
/// input, and its keys are held for as long as the process lives. Answers the size of the first monitor.
///
/// # Errors
/// When there is no desktop, or the system shows nothing.
pub fn alone() -> Result<(u16, u16)> {
    static KEYS: OnceLock<Result<Hook>> = OnceLock::new();
    monitors::own_pixels();
    desktop::enter()?;
    let shell = desktop::shell()?;
    shell.switch_to()?;
    if let Err(error) = KEYS.get_or_init(|| Hook::on(&shell, Place::Shell)) {
        tracing::error!(%error, "failed to hold the keys that lead out");
    }
    size()
}

/// The size of the first monitor, in pixels.
fn size() -> Result<(u16, u16)> {
    let first = *monitors::all().first().ok_or_else(|| PortError::new("find the station's monitor"))?;
    let (left, top, right, bottom) = first.place;
    let side =
        |length: i32| u16::try_from(length).map_err(|_| PortError::new("measure the station's monitor"));
    Ok((side(right - left)?, side(bottom - top)?))
}

fn now() -> u64 {
    // SAFETY: takes nothing and only reads.
    unsafe { GetTickCount64() }
}

struct Focus;

impl super::pump::Hands for Focus {}

struct Hands {
    desktop: Arc<Desktop>,
    curtains: Vec<(Monitor, Surface)>,
    shell: Option<usize>,
    session: Option<SessionDesktop>,
    front: Option<Front>,
    guarded: bool,
    covered: bool,
}

impl Hands {
    fn new(desktop: Arc<Desktop>) -> Self {
        let (curtains, shell, session, front) = (Vec::new(), None, None, None);
        Self { desktop, curtains, shell, session, front, guarded: false, covered: true }
    }

    fn guard(&mut self) -> Result<()> {
        self.guarded = true;
        self.draw_curtains()?;
        self.cover().map(drop)
    }

    fn attach(&mut self, shell: usize) -> Result<()> {
        // SAFETY: any number may be asked about.
        if unsafe { IsWindow(shell as HWND) } == 0 {
            return Err(PortError::new("find the shell's window"));
        }
        self.shell = Some(shell);
        self.raise(false);
        Ok(())
    }

    fn session(&mut self, session: Option<SessionDesktop>) -> Result<()> {
        let other = |known: &SessionDesktop| session.as_ref().is_none_or(|new| new.name() != known.name());
        // A desktop that has the input is not let go of: the station is covered first.
        let covered = if self.session.as_ref().is_some_and(other) { self.cover().map(drop) } else { Ok(()) };
        self.session = session;
        covered
    }

    /// Answers the shell's window, which is to have the keyboard.
    fn cover(&mut self) -> Result<Option<usize>> {
        let seen = !std::mem::replace(&mut self.covered, true);
        let switched = self.desktop.switch_to();
        self.raise(seen);
        if let Some(front) = &self.front {
            front.cover(true);
        }
        match (switched, &self.session) {
            (Ok(()), _) => Ok(self.shell),
            // The secure desktop has the screen. What comes back after it is black, and is left at once.
            (Err(_), Some(session)) if self.hidden(session) => Ok(self.shell),
            (Err(_), None) if desktop::input_desktop().is_none() => Ok(self.shell),
            (Err(error), _) => Err(error),
        }
    }

    /// Whether no pixel and no key of the session can be reached although the shell's desktop has no input.
    fn hidden(&self, session: &SessionDesktop) -> bool {
        let elsewhere = desktop::input_desktop().as_deref() != Some(session.name());
        elsewhere && self.front.as_ref().is_some_and(Front::is_covered)
    }

    fn show(&mut self) -> Result<()> {
        let session =
            self.session.as_ref().ok_or_else(|| PortError::new("show the session: there is none"))?;
        session.desktop().switch_to()?;
        self.covered = false;
        if let Some(front) = &self.front {
            front.cover(false);
        }
        if !desktop::keeps_apart() {
            self.step_aside();
        }
        Ok(())
    }

    /// Where every desktop is shown on one screen, the shell's windows would lie over the session: they go to the
    /// far corner of their monitor, all but one pixel. Not hidden, because Wine waits for two seconds for a window
    /// manager that is not there, and loses what was drawn.
    fn step_aside(&self) {
        let how = SWP_NOACTIVATE | SWP_NOSIZE | SWP_NOZORDER;
        let aside = |window: HWND, monitor: &Monitor, how: u32| {
            let (_, _, right, bottom) = monitor.place;
            // SAFETY: the curtains are this thread's own; the shell's window is asked and not waited for.
            let _ = unsafe { SetWindowPos(window, std::ptr::null_mut(), right - 1, bottom - 1, 0, 0, how) };
        };
        self.curtains.iter().for_each(|(monitor, curtain)| aside(curtain.window(), monitor, how));
        if let (Some(shell), Some(first)) = (self.shell, monitors::all().first()) {
            aside(shell as HWND, first, how | SWP_ASYNCWINDOWPOS);
        }
    }

    /// The curtains over everything, at once; the shell's window over them, as soon as its thread does it. What
    /// stood in it while the session was seen, with names and titles, comes up `black`.
    fn raise(&self, black: bool) {
        let first = monitors::all().first().copied();
        if let (Some(shell), Some(first)) = (self.shell, first) {
            let shell = shell as HWND;
            let RECT { left, top, right, bottom } = first.rect();
            let (width, height) = (right - left, bottom - top);
            // SAFETY: the window is another thread's: it is asked and not waited for. Its context is given back.
            unsafe {
                if black && desktop::keeps_apart() {
                    let context = GetDC(shell);
                    if !context.is_null() {
                        let _ = PatBlt(context, 0, 0, width, height, BLACKNESS);
                        let _ = ReleaseDC(shell, context);
                    }
                }
                let how = SWP_NOACTIVATE | SWP_ASYNCWINDOWPOS | SWP_SHOWWINDOW;
                let _ = SetWindowPos(shell, HWND_TOPMOST, left, top, width, height, how);
            }
        }
        // Next behind the shell's window, which may be late to come above what was put above everything meanwhile.
        let above = self.shell.map_or(HWND_TOPMOST, |shell| shell as HWND);
        for (monitor, curtain) in &self.curtains {
            let RECT { left, top, right, bottom } = monitor.rect();
            let (width, height) = (right - left, bottom - top);
            let how = SWP_NOACTIVATE | SWP_SHOWWINDOW;
            // SAFETY: the window is this thread's own.
            let _ = unsafe { SetWindowPos(curtain.window(), above, left, top, width, height, how) };
        }
    }

    /// A curtain over each monitor that is there now.
    fn draw_curtains(&mut self) -> Result<()> {
        let monitors = monitors::all();
        self.curtains.retain(|(monitor, _)| monitors.contains(monitor));
        for monitor in monitors {
            if !self.curtains.iter().any(|(known, _)| *known == monitor) {
                self.curtains.push((monitor, Surface::make("", monitor.rect())?));
            }
        }
        Ok(())
    }
}

impl super::pump::Hands for Hands {
    fn changed(&mut self) {
        if !self.guarded {
            return;
        }
        if let Err(error) = self.draw_curtains() {
            tracing::error!(%error, "failed to cover a monitor");
        }
        if self.covered || desktop::keeps_apart() {
            self.raise(false);
        }
    }

    /// Whoever has given the session's desktop the input while the station is covered gets it taken away.
    fn tick(&mut self) {
        if self.covered
            && let Some(session) = &self.session
            && desktop::keeps_apart()
            && desktop::input_desktop().as_deref() == Some(session.name())
            && let Err(error) = self.cover()
        {
            tracing::error!(%error, "failed to cover the session again");
        }
    }
}

#[cfg(all(test, windows))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

    use super::*;

    /// One test, because the display is one.
    #[test]
    fn a_session_is_shown_only_while_there_is_one_and_covered_when_it_goes() {
        let outer = Outer::open().unwrap();
        outer.guard().unwrap();
        assert!(desktop::pin_allowed());
        assert!(outer.show().is_err(), "there was no session to show");
        let session = SessionDesktop::make(None).unwrap();
        outer.session(Some(&session)).unwrap();
        assert!(desktop::pin_allowed(), "a session that is ready is not shown");
        outer.show().unwrap();
        assert!(!desktop::pin_allowed(), "the session is not shown");
        outer.cover().unwrap();
        assert!(desktop::pin_allowed());
        // One that goes while it is seen, and one that takes its place.
        outer.show().unwrap();
        outer.session(Some(&SessionDesktop::make(None).unwrap())).unwrap();
        assert!(desktop::pin_allowed(), "a session was let go of while it was seen");
        outer.show().unwrap();
        outer.session(None).unwrap();
        assert!(desktop::pin_allowed());
        assert!(outer.show().is_err());
        assert!(outer.attach(0xdead).is_err(), "what is no window was taken for the shell's");
        assert!(outer.since_input().is_ok());
    }
}
