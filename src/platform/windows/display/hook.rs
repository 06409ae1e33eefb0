//! The keys that lead out: swallowed before any app hears of them, by a low-level hook on a thread of its own
//! for each desktop, because a hook hears only its own desktop's keys.
//!
//! Ctrl+Alt+Del is the system's own and is not heard by anybody; the policies that the installer sets empty its
//! screen. The hook also knows keys that are held down or stuck, which do not count as somebody's touch.

#![expect(unsafe_code, reason = "hooks are set through the system's own calls")]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use windows_sys::Win32::Foundation::{LPARAM, LRESULT, WPARAM};
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{
    GetAsyncKeyState, VK_BROWSER_FAVORITES, VK_BROWSER_HOME, VK_BROWSER_SEARCH, VK_CONTROL, VK_ESCAPE, VK_F4,
    VK_F23, VK_LAUNCH_APP1, VK_LAUNCH_APP2, VK_LAUNCH_MAIL, VK_LAUNCH_MEDIA_SELECT, VK_LCONTROL, VK_LMENU,
    VK_LSHIFT, VK_LWIN, VK_MENU, VK_NUMLOCK, VK_RCONTROL, VK_RMENU, VK_RSHIFT, VK_RWIN, VK_SHIFT, VK_SLEEP,
    VK_SNAPSHOT, VK_TAB,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CallNextHookEx, HC_ACTION, HHOOK, KBDLLHOOKSTRUCT, LLKHF_ALTDOWN, SetWindowsHookExW, UnhookWindowsHookEx,
    WH_KEYBOARD_LL, WM_KEYDOWN, WM_SYSKEYDOWN,
};

use super::desktop::Desktop;
use super::pump::{Hands, Pump};
use super::refused;
use crate::ports::{PortError, Result};

/// Which desktop's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A session's: an app's window may be closed by its own key.
    Session,
    /// The shell's.
    Shell,
}

/// What is held down beside a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Any Alt.
    pub alt: bool,
    /// Any Ctrl.
    pub ctrl: bool,
    /// Left Alt and left Shift together.
    pub left_alt_shift: bool,
}

/// Whether this key leads out of the station, with what is held beside it, and is swallowed.
#[must_use]
pub fn leads_out(place: Place, key: u16, held: Held) -> bool {
    match key {
        // Start, search, settings, accessibility, lock, clipboard history: all of Win's own.
        VK_LWIN | VK_RWIN => true,
        // Mail, media, calculator, browser, assistant and sleep keys of keyboards.
        VK_BROWSER_FAVORITES
        | VK_BROWSER_HOME
        | VK_BROWSER_SEARCH
        | VK_LAUNCH_APP1
        | VK_LAUNCH_APP2
        | VK_LAUNCH_MAIL
        | VK_LAUNCH_MEDIA_SELECT
        | VK_F23
        | VK_SLEEP => true,
        // To another window.
        VK_TAB => held.alt,
        // To another window, to Start, to the task list.
        VK_ESCAPE => held.alt || held.ctrl,
        VK_F4 => held.alt && place == Place::Shell,
        // High contrast; on the shell's desktop a picture of who is at work, too.
        VK_SNAPSHOT => held.left_alt_shift || place == Place::Shell,
        // Mouse keys.
        VK_NUMLOCK => held.left_alt_shift,
        _ => false,
    }
}

/// A hook on one desktop. It is gone when this is dropped.
pub struct Hook {
    _pump: Pump<Installed>,
}

impl Hook {
    /// Swallows what leads out of this desktop from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn on(desktop: &Arc<Desktop>, place: Place) -> Result<Self> {
        let pump = Pump::start(Arc::clone(desktop), Duration::from_secs(3600), move || {
            PLACE.set(place);
            // SAFETY: the function lives as long as the program, of which this is the module.
            let hook = unsafe {
                SetWindowsHookExW(WH_KEYBOARD_LL, Some(heard), GetModuleHandleW(std::ptr::null()), 0)
            };
            if hook.is_null() {
                return Err(PortError(format!("hold the keys that lead out: {}", refused())));
            }
            Ok(Installed(hook))
        })?;
        Ok(Self { _pump: pump })
    }
}

struct Installed(HHOOK);

impl Hands for Installed {}

impl Drop for Installed {
    fn drop(&mut self) {
        // SAFETY: the hook is this value's own, and this is the thread that set it.
        let _ = unsafe { UnhookWindowsHookEx(self.0) };
    }
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Shell) };
    /// Which keys are down, one bit for each.
    static DOWN: Cell<[u128; 2]> = const { Cell::new([0; 2]) };
}

unsafe extern "system" fn heard(code: i32, message: WPARAM, about: LPARAM) -> LRESULT {
    // SAFETY: the arguments are the ones that the system has called with; with this code it gives the
    // structure that is read.
    unsafe {
        if code != i32::try_from(HC_ACTION).unwrap_or(0) {
            return CallNextHookEx(std::ptr::null_mut(), code, message, about);
        }
        let event = *(about as *const KBDLLHOOKSTRUCT);
        if swallows(u32::try_from(message).unwrap_or(0), &event) {
            return 1;
        }
        CallNextHookEx(std::ptr::null_mut(), code, message, about)
    }
}

fn swallows(message: u32, event: &KBDLLHOOKSTRUCT) -> bool {
    let key = u16::try_from(event.vkCode).unwrap_or(0);
    let pressed = matches!(message, WM_KEYDOWN | WM_SYSKEYDOWN);
    let held_before = turn(key, pressed);
    if pressed && held_before {
        LAST_REPEAT.store(event.time.max(1), Ordering::SeqCst);
    }
    let is_down = |key: u16| bit(DOWN.get(), key) || async_down(key);
    let held = Held {
        // Wine leaves the flag out; the message says the same.
        alt: event.flags & LLKHF_ALTDOWN != 0
            || message == WM_SYSKEYDOWN
            || [VK_MENU, VK_LMENU, VK_RMENU].into_iter().any(is_down),
        ctrl: [VK_CONTROL, VK_LCONTROL, VK_RCONTROL].into_iter().any(is_down),
        left_alt_shift: is_down(VK_LMENU) && is_down(VK_LSHIFT),
    };
    // What goes up is let through, so that nothing stays down in an app, except where nobody heard it go down.
    if pressed { leads_out(PLACE.get(), key, held) } else { leads_out(PLACE.get(), key, Held::default()) }
}

fn async_down(key: u16) -> bool {
    // SAFETY: takes a number and only reads.
    unsafe { GetAsyncKeyState(i32::from(key)) < 0 }
}

fn bit(keys: [u128; 2], key: u16) -> bool {
    keys.get(usize::from(key >> 7)).is_some_and(|keys| keys >> (key & 127) & 1 == 1)
}

/// Notes a key as down or up; answers whether it was down before.
fn turn(key: u16, pressed: bool) -> bool {
    let mut keys = DOWN.get();
    let was = bit(keys, key);
    if let Some(part) = keys.get_mut(usize::from(key >> 7)) {
        let one = 1_u128 << (key & 127);
        if pressed { *part |= one } else { *part &= !one }
    }
    DOWN.set(keys);
    was
}

/// When a key that is held down was last heard again, on the system's clock; 0: never.
static LAST_REPEAT: AtomicU32 = AtomicU32::new(0);
/// When somebody last touched the station, on the same clock.
static LAST_TOUCH: AtomicU32 = AtomicU32::new(0);
/// How far the system's own times of one event lie apart, in milliseconds.
const SAME: u32 = 16;

/// How long ago the station was last touched, in milliseconds: `last` is when the system has last heard of any
/// device (0: it has not yet), `now` what its clock says.
pub(super) fn touched(last: u32, now: u32) -> u32 {
    let repeat = LAST_REPEAT.load(Ordering::SeqCst);
    let known = LAST_TOUCH.load(Ordering::SeqCst);
    let touch = last_touch(last, repeat, known, now);
    LAST_TOUCH.store(touch, Ordering::SeqCst);
    now.wrapping_sub(touch)
}

/// When the last touch was. A device that repeats a key has not been touched; one that was never heard of has not
/// been touched since this was first asked.
fn last_touch(last: u32, repeat: u32, known: u32, now: u32) -> u32 {
    let is_repeat = repeat != 0 && last.wrapping_sub(repeat).min(repeat.wrapping_sub(last)) <= SAME;
    let none = last == 0;
    match (none || is_repeat, known) {
        (true, 0) => now,
        (true, known) => known,
        (false, _) => last,
    }
}

/// The shifts, which accessibility listens to: named here because the test of the keys walks them.
pub const SHIFTS: [u16; 3] = [VK_SHIFT, VK_LSHIFT, VK_RSHIFT];

#[cfg(all(test, windows))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

    use windows_sys::Win32::UI::Input::KeyboardAndMouse::{
        INPUT, INPUT_0, INPUT_KEYBOARD, KEYBDINPUT, KEYEVENTF_EXTENDEDKEY, KEYEVENTF_KEYUP, SendInput, VK_A,
        VK_DELETE, VK_RETURN, VK_U,
    };

    use super::*;
    use crate::platform::windows::display::desktop::SessionDesktop;

    const ALT: Held = Held { alt: true, ctrl: false, left_alt_shift: false };
    const CTRL: Held = Held { alt: false, ctrl: true, left_alt_shift: false };
    const LEFTS: Held = Held { alt: true, ctrl: false, left_alt_shift: true };
    const NONE: Held = Held { alt: false, ctrl: false, left_alt_shift: false };

    #[test]
    fn what_leads_out_is_swallowed_and_what_is_typed_is_not() {
        for place in [Place::Session, Place::Shell] {
            for (key, held) in [
                (VK_LWIN, NONE),
                (VK_RWIN, NONE),
                (VK_LWIN, ALT),
                (VK_TAB, ALT),
                (VK_ESCAPE, ALT),
                (VK_ESCAPE, CTRL),
                (VK_SNAPSHOT, LEFTS),
                (VK_NUMLOCK, LEFTS),
                (VK_LAUNCH_MAIL, NONE),
                (VK_BROWSER_HOME, NONE),
                (VK_F23, NONE),
            ] {
                assert!(leads_out(place, key, held), "{place:?} lets {key:#x} with {held:?} through");
            }
            for (key, held) in [
                (VK_TAB, NONE),
                (VK_TAB, CTRL),
                (VK_ESCAPE, NONE),
                (VK_F4, NONE),
                (VK_F4, CTRL),
                (VK_NUMLOCK, NONE),
                (VK_RETURN, ALT),
                (VK_U, NONE),
                (VK_DELETE, CTRL),
                (VK_A, NONE),
            ] {
                assert!(!leads_out(place, key, held), "{place:?} swallows {key:#x} with {held:?}");
            }
        }
        assert!(leads_out(Place::Shell, VK_F4, ALT) && !leads_out(Place::Session, VK_F4, ALT));
        assert!(leads_out(Place::Shell, VK_SNAPSHOT, NONE) && !leads_out(Place::Session, VK_SNAPSHOT, NONE));
    }

    #[test]
    fn a_key_that_is_held_down_is_no_touch() {
        assert_eq!(last_touch(5_000, 0, 0, 9_000), 5_000);
        assert_eq!(last_touch(8_990, 8_990, 5_000, 9_000), 5_000);
        assert_eq!(last_touch(8_995, 8_985, 5_000, 9_000), 5_000);
        assert_eq!(last_touch(8_995, 8_900, 5_000, 9_000), 8_995);
        // Never heard of: since it was first asked, and no longer.
        assert_eq!(last_touch(0, 0, 0, 9_000), 9_000);
        assert_eq!(last_touch(0, 0, 9_000, 9_500), 9_000);
        // The clock of 49 days comes round.
        assert_eq!(last_touch(3, u32::MAX - 3, 5_000, 9), 5_000);
    }

    fn send(key: u16, up: bool) {
        let extended = [VK_LWIN, VK_RWIN, VK_NUMLOCK, VK_SNAPSHOT, VK_RMENU, VK_RCONTROL].contains(&key);
        let flags = if up { KEYEVENTF_KEYUP } else { 0 } | if extended { KEYEVENTF_EXTENDEDKEY } else { 0 };
        let event = KEYBDINPUT { wVk: key, wScan: 0, dwFlags: flags, time: 0, dwExtraInfo: 0 };
        let input = INPUT { r#type: INPUT_KEYBOARD, Anonymous: INPUT_0 { ki: event } };
        // SAFETY: one structure is given with its size.
        let sent = unsafe { SendInput(1, &input, i32::try_from(size_of::<INPUT>()).unwrap()) };
        assert_eq!(sent, 1, "the key was not sent");
    }

    /// Whether the key is down for everybody while it is pressed with others: a key that was swallowed is not.
    fn arrives(with: &[u16], key: u16) -> bool {
        with.iter().for_each(|key| send(*key, false));
        send(key, false);
        std::thread::sleep(Duration::from_millis(60));
        let there = async_down(key);
        send(key, true);
        with.iter().rev().for_each(|key| send(*key, true));
        std::thread::sleep(Duration::from_millis(20));
        there
    }

    /// Every chord on a real hook, on a desktop of its own, sent as a device would.
    #[test]
    fn every_way_out_is_swallowed_by_the_hook_itself() {
        let session = SessionDesktop::make(None).unwrap();
        let outs: [(&[u16], u16); 9] = [
            (&[], VK_LWIN),
            (&[], VK_RWIN),
            (&[VK_LMENU], VK_TAB),
            (&[VK_LMENU], VK_ESCAPE),
            (&[VK_LCONTROL], VK_ESCAPE),
            (&[VK_LCONTROL, VK_LSHIFT], VK_ESCAPE),
            (&[VK_LMENU, VK_LSHIFT], VK_SNAPSHOT),
            (&[VK_LMENU, VK_LSHIFT], VK_NUMLOCK),
            (&[], VK_LAUNCH_MAIL),
        ];
        let seen = std::thread::spawn(move || {
            session.desktop().take_thread().unwrap();
            let look = |(with, key): (&[u16], u16)| arrives(with, key);
            let before: Vec<bool> = outs.into_iter().map(look).collect();
            let hook = Hook::on(session.desktop(), Place::Session).unwrap();
            let held: Vec<bool> = outs.into_iter().map(look).collect();
            let typed = [look((&[], VK_A)), look((&[], VK_TAB)), look((&[VK_LMENU], VK_F4))];
            drop(hook);
            let shell = Hook::on(session.desktop(), Place::Shell).unwrap();
            let closes = look((&[VK_LMENU], VK_F4));
            drop(shell);
            (before, held, typed, closes)
        });
        let (before, held, typed, closes) = seen.join().unwrap();
        assert!(before.iter().all(|there| *there), "the look is blind without a hook: {before:?}");
        assert!(held.iter().all(|there| !there), "a way out is open: {held:?}");
        assert_eq!(typed, [true; 3], "what is typed is swallowed");
        assert!(!closes, "the shell's window can be closed");
    }
}
