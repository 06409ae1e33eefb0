//! What the system announces: sleep, that another session of the machine takes the screen, and its end.
//!
//! Heard by a window that nobody sees, on the shell's desktop, to which no app of a session can send; sleep also
//! without any window. Whoever is told may take his time within what the system grants.

#![expect(unsafe_code, reason = "notices are asked for through the system's own calls")]

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, RECT, WPARAM};
use windows_sys::Win32::System::Power::{
    DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, PowerRegisterSuspendResumeNotification,
    PowerUnregisterSuspendResumeNotification,
};
use windows_sys::Win32::System::RemoteDesktop::{
    NOTIFY_FOR_THIS_SESSION, WTSRegisterSessionNotification, WTSUnRegisterSessionNotification,
};
use windows_sys::Win32::System::Shutdown::{ShutdownBlockReasonCreate, ShutdownBlockReasonDestroy};
use windows_sys::Win32::System::Threading::SetProcessShutdownParameters;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    DEVICE_NOTIFY_CALLBACK, PBT_APMSUSPEND, WM_ENDSESSION, WM_POWERBROADCAST, WM_QUERYENDSESSION,
    WM_WTSSESSION_CHANGE, WTS_CONSOLE_DISCONNECT, WTS_REMOTE_CONNECT, WTS_REMOTE_DISCONNECT,
    WTS_SESSION_LOCK,
};

use super::pump::{self, Pump, Surface};
use super::{desktop, refused, wide};
use crate::ports::Result;

/// What the system waits for before it sleeps: two seconds (its documentation), and a little less for safety.
pub const BEFORE_SLEEP: Duration = Duration::from_millis(1600);
/// What it waits for an app at its own end: five seconds.
pub const BEFORE_END: Duration = Duration::from_millis(4500);
/// Ended before every app of a session: the order goes down from 0x3ff to 0x100.
const FIRST: u32 = 0x3ff;
/// What the system's screen says while the end is held up.
const WHY: &str = "The session of this station is being ended";

/// What is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The screen goes to somebody else: locked, another account, a remote desktop.
    Away,
    /// The sign-in of the station's account ends, with or without the machine.
    End,
    /// The machine sleeps.
    Sleep,
}

/// What is done then; the system waits for its return.
pub type Told = Arc<dyn Fn(Notice) + Send + Sync>;

/// Hears, as long as it lives.
pub struct Notices {
    _pump: Pump<Ears>,
    power: Option<usize>,
    /// What is not heard, and why; for the report.
    pub missing: Vec<String>,
}

/// Who is told of sleep without a window: there is one shell in a process.
static SLEEP: OnceLock<Mutex<Option<Told>>> = OnceLock::new();

fn sleepers() -> &'static Mutex<Option<Told>> {
    SLEEP.get_or_init(Mutex::default)
}

impl Notices {
    /// Hears from now on.
    ///
    /// # Errors
    /// When no window can be made on the shell's desktop.
    pub fn listen(told: Told) -> Result<Self> {
        *sleepers().lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&told));
        let mut missing = Vec::new();
        let power = register_sleep();
        if let Err(why) = &power {
            missing.push(format!("sleep without a window ({why})"));
        }
        let by_window = power.is_err();
        let (heard, hears) = std::sync::mpsc::channel();
        let pump = Pump::start(desktop::shell()?, Duration::from_secs(3600), move || {
            let ears = Ears::make(told, by_window)?;
            let _ = heard.send(ears.missing.clone());
            Ok(ears)
        })?;
        missing.extend(hears.try_iter().flatten());
        // SAFETY: takes two numbers.
        if unsafe { SetProcessShutdownParameters(FIRST, 0) } == 0 {
            missing.push(format!("its end before the apps ({})", refused()));
        }
        Ok(Self { _pump: pump, power: power.ok(), missing })
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        if let Some(power) = self.power.take() {
            // SAFETY: the registration is this value's own.
            let _ = unsafe { PowerUnregisterSuspendResumeNotification(power as isize) };
        }
        *sleepers().lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn register_sleep() -> std::result::Result<usize, String> {
    let to = DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS { Callback: Some(sleeps), Context: std::ptr::null_mut() };
    let mut registration = std::ptr::null_mut();
    // SAFETY: the structure outlives the call, which copies it; the function lives as long as the program.
    let code = unsafe {
        PowerRegisterSuspendResumeNotification(
            DEVICE_NOTIFY_CALLBACK,
            (&raw const to).cast_mut().cast(),
            &raw mut registration,
        )
    };
    if code == 0 && !registration.is_null() {
        Ok(registration as usize)
    } else {
        Err(format!("error {code}"))
    }
}

unsafe extern "system" fn sleeps(_: *const core::ffi::c_void, kind: u32, _: *const core::ffi::c_void) -> u32 {
    if kind == PBT_APMSUSPEND {
        let told = sleepers().lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(told) = told {
            told(Notice::Sleep);
        }
    }
    0
}

struct Ears {
    window: Surface,
    missing: Vec<String>,
}

impl pump::Hands for Ears {}

impl Ears {
    fn make(told: Told, sleep_by_window: bool) -> Result<Self> {
        let window = Surface::make("Cleanshift notices", RECT::default())?;
        let handle = window.window() as usize;
        pump::on_sent(Box::new(move |message, first, second| {
            heard(handle as HWND, &told, sleep_by_window, message, first, second)
        }));
        let mut missing = Vec::new();
        // SAFETY: the window is this thread's own.
        if unsafe { WTSRegisterSessionNotification(window.window(), NOTIFY_FOR_THIS_SESSION) } == 0 {
            missing.push(format!("a lock of the machine and other accounts ({})", refused()));
        }
        Ok(Self { window, missing })
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        // SAFETY: the window is this thread's own, and is still there.
        let _ = unsafe { WTSUnRegisterSessionNotification(self.window.window()) };
    }
}

fn heard(
    window: HWND,
    told: &Told,
    sleep_by_window: bool,
    message: u32,
    first: WPARAM,
    _: LPARAM,
) -> Option<LRESULT> {
    let word = u32::try_from(first).unwrap_or(0);
    match message {
        WM_QUERYENDSESSION => {
            let why = wide(WHY);
            // SAFETY: the window is this thread's own; the text ends with a zero and is copied.
            let _ = unsafe { ShutdownBlockReasonCreate(window, why.as_ptr()) };
            Some(1)
        }
        WM_ENDSESSION if word != 0 => {
            told(Notice::End);
            Some(0)
        }
        WM_ENDSESSION => {
            // SAFETY: the window is this thread's own.
            let _ = unsafe { ShutdownBlockReasonDestroy(window) };
            Some(0)
        }
        WM_WTSSESSION_CHANGE if is_away(word) => {
            told(Notice::Away);
            Some(0)
        }
        WM_POWERBROADCAST if sleep_by_window && word == PBT_APMSUSPEND => {
            told(Notice::Sleep);
            Some(1)
        }
        _ => None,
    }
}

/// Whether this change of the machine's sessions takes the screen from the station.
fn is_away(change: u32) -> bool {
    [WTS_CONSOLE_DISCONNECT, WTS_REMOTE_CONNECT, WTS_REMOTE_DISCONNECT, WTS_SESSION_LOCK].contains(&change)
}

#[cfg(all(test, windows))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

    use windows_sys::Win32::UI::WindowsAndMessaging::{
        FindWindowExW, GetWindowThreadProcessId, PBT_APMRESUMEAUTOMATIC, SMTO_ABORTIFHUNG,
        SendMessageTimeoutW, WTS_SESSION_UNLOCK,
    };

    use super::*;

    /// The window that hears, of this process.
    fn ears() -> Option<usize> {
        let title = wide("Cleanshift notices");
        let mut after = std::ptr::null_mut();
        loop {
            // SAFETY: the title ends with a zero; any window may be asked whose it is.
            unsafe {
                after = FindWindowExW(std::ptr::null_mut(), after, std::ptr::null(), title.as_ptr());
                let mut pid = 0;
                let _ = GetWindowThreadProcessId(after, &raw mut pid);
                if after.is_null() || pid == std::process::id() {
                    return (!after.is_null()).then_some(after as usize);
                }
            }
        }
    }

    fn send(window: usize, message: u32, first: u32) -> usize {
        let mut answer = 99;
        // SAFETY: the answer outlives the call, which ends in time.
        let sent = unsafe {
            let first = usize::try_from(first).unwrap();
            SendMessageTimeoutW(window as HWND, message, first, 0, SMTO_ABORTIFHUNG, 5000, &raw mut answer)
        };
        assert_ne!(sent, 0, "the window does not answer");
        answer
    }

    #[test]
    fn what_takes_the_station_away_is_told_and_what_gives_it_back_is_not() {
        let heard: Arc<Mutex<Vec<Notice>>> = Arc::default();
        let list = Arc::clone(&heard);
        let notices = Notices::listen(Arc::new(move |notice| list.lock().unwrap().push(notice))).unwrap();
        let taken = || std::mem::take(&mut *heard.lock().unwrap());
        std::thread::spawn(move || {
            desktop::shell().unwrap().take_thread().unwrap();
            let window = ears().unwrap();
            assert_eq!(send(window, WM_QUERYENDSESSION, 0), 1);
            let _ = send(window, WM_ENDSESSION, 0);
            let _ = send(window, WM_WTSSESSION_CHANGE, WTS_SESSION_UNLOCK);
            let _ = send(window, WM_POWERBROADCAST, PBT_APMRESUMEAUTOMATIC);
        })
        .join()
        .unwrap();
        assert_eq!(taken(), []);
        std::thread::spawn(|| {
            desktop::shell().unwrap().take_thread().unwrap();
            let window = ears().unwrap();
            let _ = send(window, WM_WTSSESSION_CHANGE, WTS_SESSION_LOCK);
            let _ = send(window, WM_WTSSESSION_CHANGE, WTS_CONSOLE_DISCONNECT);
            let _ = send(window, WM_ENDSESSION, 1);
        })
        .join()
        .unwrap();
        assert_eq!(taken(), [Notice::Away, Notice::Away, Notice::End]);
        // SAFETY: the function reads no pointer of these.
        let _ = unsafe { sleeps(std::ptr::null(), PBT_APMRESUMEAUTOMATIC, std::ptr::null()) };
        assert_eq!(taken(), []);
        // SAFETY: as above.
        let _ = unsafe { sleeps(std::ptr::null(), PBT_APMSUSPEND, std::ptr::null()) };
        assert_eq!(taken(), [Notice::Sleep]);
        drop(notices);
        // SAFETY: as above.
        let _ = unsafe { sleeps(std::ptr::null(), PBT_APMSUSPEND, std::ptr::null()) };
        assert_eq!(taken(), [], "a shell that has gone is told");
    }
}
