//! Desktop objects: the shell's own, on which a PIN is typed, and one for each session.
//!
//! Windows of one desktop cannot send messages to those of another, nor hook their keys, and only one
//! desktop has the screen, the keyboard and the pointer. A desktop lives as long as somebody holds it: the
//! watchdog holds the shell's, so that a shell that dies leaves a black screen and not a session.
//!
//! Who may open a desktop is written on it when it is made: the station's account, the system, and in
//! strong mode the account of the session for its own. Where apps run as the station's own account the
//! list does not hold them back; the limits of the session's job do (`JOB_OBJECT_UILIMIT_DESKTOP`, `…_HANDLES`).
//!
//! Wine makes desktop objects but shows all of them on one screen and never tells that another has the
//! input. There the shell's windows themselves cover, and the report says that nothing is kept apart.

#![expect(unsafe_code, reason = "desktops are made through the system's own calls")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use windows_sys::Win32::Foundation::GetLastError;
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, SECURITY_ATTRIBUTES, SetUserObjectSecurity};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::StationsAndDesktops::{
    CloseDesktop, CreateDesktopW, DESKTOP_READOBJECTS, DESKTOP_SWITCHDESKTOP, GetThreadDesktop,
    GetUserObjectInformationW, HDESK, OpenDesktopW, OpenInputDesktop, SetThreadDesktop, SwitchDesktop,
    UOI_NAME,
};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;

use super::{narrow, refused, wide};
use crate::platform::windows::security::{Descriptor, Sid};
use crate::ports::{PortError, Result};

/// The name of the shell's own desktop.
pub const SHELL: &str = "Cleanshift";
/// What the names of sessions' desktops begin with.
pub const SESSION: &str = "CleanshiftSession-";
/// The desktop that an account has without anybody's doing.
const DEFAULT: &str = "Default";
/// The most desktops of sessions that one shell can meet: each leaves a number behind only while it lives.
const MOST: u32 = 10_000;
/// Every right to a desktop, and to its security.
const EVERYTHING: u32 = 0x000f_01ff;
/// What apps of another account need: to read, make windows and menus, hook among themselves, enumerate and
/// write; not to switch, record, play back or change who may.
const APPS: u32 = 0x0002_00cf;

/// An open desktop object.
#[derive(Debug)]
pub struct Desktop {
    handle: HDESK,
    name: String,
}

// SAFETY: a handle of a desktop is a number of the process, good on every thread of it.
unsafe impl Send for Desktop {}
// SAFETY: as above; the system guards the object behind it.
unsafe impl Sync for Desktop {}

impl Drop for Desktop {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own. The system refuses while a thread still lives there.
        let _ = unsafe { CloseDesktop(self.handle) };
    }
}

impl Desktop {
    /// Makes the desktop of this name, or opens the one that is there; `apps` is the SID of an account
    /// beside the station's that may run programs there. Whoever made it, who may open it is set anew.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make(name: &str, apps: Option<&str>) -> Result<Self> {
        let failed = |what: &str| PortError(format!("make the desktop {name}: {what}"));
        let own = Sid::own().and_then(|sid| sid.text()).map_err(|error| failed(&error.to_string()))?;
        let mut list = format!("D:P(A;;{EVERYTHING:#x};;;{own})(A;;{EVERYTHING:#x};;;SY)");
        if let Some(apps) = apps {
            if !is_sid(apps) {
                return Err(failed("the session's account has no SID"));
            }
            list.push_str(&format!("(A;;{APPS:#x};;;{apps})"));
        }
        let list = Descriptor::parse(&list).map_err(|error| failed(&error.to_string()))?;
        let attributes = SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(0),
            lpSecurityDescriptor: list.as_ptr(),
            bInheritHandle: 0,
        };
        let name_wide = wide(name);
        let (device, mode) = (std::ptr::null(), std::ptr::null());
        // SAFETY: name, attributes and list outlive the call.
        let handle =
            unsafe { CreateDesktopW(name_wide.as_ptr(), device, mode, 0, EVERYTHING, &raw const attributes) };
        if handle.is_null() {
            return Err(failed(&refused()));
        }
        let made = Self { handle, name: name.to_owned() };
        // SAFETY: the handle is open, and the list outlives the call.
        let set = unsafe { SetUserObjectSecurity(handle, &DACL_SECURITY_INFORMATION, list.as_ptr()) };
        if set == 0 {
            return Err(failed(&format!("who may open it could not be set: {}", refused())));
        }
        Ok(made)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name as a program's start takes it (`STARTUPINFO.lpDesktop`).
    #[must_use]
    pub fn startup_name(&self) -> String {
        format!("WinSta0\\{}", self.name)
    }

    /// Its handle, for calls that enumerate what is on it.
    #[must_use]
    pub fn handle(&self) -> HDESK {
        self.handle
    }

    /// From now on the calling thread is on this desktop. It must own no window and no hook yet. Whoever starts such
    /// a thread holds the desktop until it has ended: the system does not let go of one that a thread is on.
    ///
    /// # Errors
    /// When it does.
    pub fn take_thread(&self) -> Result<()> {
        let failed = || PortError(format!("bring a thread to the desktop {}: {}", self.name, refused()));
        // Wine closes a thread's desktop with the thread: it gets a handle of its own there.
        let handle =
            if keeps_apart() { self.handle } else { open(&self.name, EVERYTHING).ok_or_else(failed)? };
        // SAFETY: the handle is open, and stays so while the thread runs.
        if unsafe { SetThreadDesktop(handle) } == 0 { Err(failed()) } else { Ok(()) }
    }

    /// Gives it the screen, the keyboard and the pointer.
    ///
    /// # Errors
    /// When the system refuses: on the secure desktop (Ctrl+Alt+Del, consent) and while the machine is locked.
    pub fn switch_to(&self) -> Result<()> {
        // SAFETY: the handle is open.
        if unsafe { SwitchDesktop(self.handle) } == 0 {
            return Err(PortError(format!("switch to the desktop {}: {}", self.name, refused())));
        }
        SHELL_HAS_INPUT.store(self.name == SHELL, Ordering::SeqCst);
        Ok(())
    }
}

/// Which desktop this process has last given the input: what counts where the system does not tell.
static SHELL_HAS_INPUT: AtomicBool = AtomicBool::new(false);

/// The shell's own desktop, made when it is first asked for.
///
/// # Errors
/// When it cannot be made.
pub fn shell() -> Result<Arc<Desktop>> {
    static SHELLS: OnceLock<Mutex<Option<Arc<Desktop>>>> = OnceLock::new();
    let mut kept = SHELLS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(desktop) = kept.as_ref() {
        return Ok(Arc::clone(desktop));
    }
    let made = Arc::new(Desktop::make(SHELL, None)?);
    *kept = Some(Arc::clone(&made));
    Ok(made)
}

/// Brings the shell's main thread to the shell's desktop. Called first thing in main: before any window,
/// and before the screens' toolkit makes its own on this thread. A shell that the watchdog has started is
/// there already, with every thread.
///
/// # Errors
/// When there is no such desktop and none can be made.
pub fn enter() -> Result<()> {
    let shell = shell()?;
    if thread_desktop().as_deref() == Some(SHELL) { Ok(()) } else { shell.take_thread() }
}

/// Gives the input back to the desktop that an account has without anybody's doing: once the shell has
/// stopped as it should, and nobody is going to start it again.
///
/// # Errors
/// When the system refuses.
pub fn leave() -> Result<()> {
    let handle = open(DEFAULT, DESKTOP_SWITCHDESKTOP | DESKTOP_READOBJECTS)
        .ok_or_else(|| PortError(format!("open the desktop {DEFAULT}: {}", refused())))?;
    Desktop { handle, name: DEFAULT.to_owned() }.switch_to()
}

/// The name of the desktop that has the input. `None` where it may not be known: the secure desktop.
#[must_use]
pub fn input_desktop() -> Option<String> {
    // SAFETY: no pointer is given; the handle is closed below, after its only use.
    let handle = unsafe { OpenInputDesktop(0, 0, DESKTOP_READOBJECTS) };
    if handle.is_null() {
        return None;
    }
    let name = name_of(handle);
    // SAFETY: the handle was opened above and is not used any more.
    let _ = unsafe { CloseDesktop(handle) };
    name
}

/// Whether a PIN may be taken now: the shell's own desktop has the input, and no other could have read it.
#[must_use]
pub fn pin_allowed() -> bool {
    if keeps_apart() {
        input_desktop().as_deref() == Some(SHELL)
    } else {
        SHELL_HAS_INPUT.load(Ordering::SeqCst)
    }
}

/// Whether this system keeps desktops apart. Wine does not.
#[must_use]
pub fn keeps_apart() -> bool {
    static APART: OnceLock<bool> = OnceLock::new();
    *APART.get_or_init(|| {
        let ntdll = wide("ntdll.dll");
        // SAFETY: both names end with a zero; ntdll is in every process and never leaves it.
        unsafe {
            let module = GetModuleHandleW(ntdll.as_ptr());
            module.is_null() || GetProcAddress(module, c"wine_get_version".as_ptr().cast()).is_none()
        }
    })
}

/// What the capability report says of it.
#[must_use]
pub fn report() -> &'static str {
    if keeps_apart() {
        "kept apart: the shell and each session have a desktop of their own"
    } else {
        "not kept apart: Wine shows every desktop on one screen (for tests only)"
    }
}

/// The desktop of one session. It lives until this, every thread and every program there is gone.
#[derive(Clone, Debug)]
pub struct SessionDesktop {
    desktop: Arc<Desktop>,
}

impl SessionDesktop {
    /// Makes one that nobody has used before; `apps` is the SID of the session's own account, in strong mode.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make(apps: Option<&str>) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        for _ in 0..MOST {
            let name = format!("{SESSION}{}", NEXT.fetch_add(1, Ordering::SeqCst));
            // What a session before has left, or somebody has put there, is not used: its windows and
            // hooks would be in this session.
            if exists(&name) {
                continue;
            }
            return Desktop::make(&name, apps).map(|desktop| Self { desktop: Arc::new(desktop) });
        }
        Err(PortError::new("make a session's desktop: every name is taken"))
    }

    /// The desktop.
    #[must_use]
    pub fn desktop(&self) -> &Arc<Desktop> {
        &self.desktop
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.desktop.name()
    }

    /// Its name as a program's start takes it (`STARTUPINFO.lpDesktop`).
    #[must_use]
    pub fn startup_name(&self) -> String {
        self.desktop.startup_name()
    }
}

/// The desktops of sessions that stand on this window station, by name.
#[must_use]
pub fn standing() -> Vec<String> {
    use windows_sys::Win32::System::StationsAndDesktops::{EnumDesktopsW, GetProcessWindowStation};
    unsafe extern "system" fn one(name: *const u16, list: isize) -> i32 {
        // SAFETY: the system gives a text that ends with a zero, and passes on the list that it was given
        // below, which outlives the call.
        unsafe {
            let length = (0..256).find(|at| *name.add(*at) == 0).unwrap_or(0);
            let text = String::from_utf16_lossy(std::slice::from_raw_parts(name, length));
            let list = list as *mut Vec<String>;
            (*list).push(text);
        }
        1
    }
    let mut names: Vec<String> = Vec::new();
    // SAFETY: the list outlives the call, which ends before it is read.
    let _ = unsafe { EnumDesktopsW(GetProcessWindowStation(), Some(one), &raw mut names as isize) };
    names.retain(|name| name.starts_with(SESSION));
    names
}

/// Whether a desktop of this name stands, as far as this account can tell: one that it may not open counts.
fn exists(name: &str) -> bool {
    const NO_SUCH_FILE: u32 = 2;
    match open(name, DESKTOP_READOBJECTS) {
        Some(handle) => {
            drop(Desktop { handle, name: name.to_owned() });
            true
        }
        // SAFETY: takes nothing and only reads.
        None => unsafe { GetLastError() != NO_SUCH_FILE },
    }
}

/// Opens a desktop that stands. The handle is the caller's to close.
fn open(name: &str, rights: u32) -> Option<HDESK> {
    let name = wide(name);
    // SAFETY: the name ends with a zero and outlives the call.
    let handle = unsafe { OpenDesktopW(name.as_ptr(), 0, 0, rights) };
    (!handle.is_null()).then_some(handle)
}

/// The name of the desktop that the calling thread is on.
#[must_use]
pub fn thread_desktop() -> Option<String> {
    // SAFETY: the handle belongs to the thread and is not closed.
    name_of(unsafe { GetThreadDesktop(GetCurrentThreadId()) })
}

fn name_of(desktop: HDESK) -> Option<String> {
    let mut name = [0_u16; 256];
    let mut used = 0;
    let size = u32::try_from(size_of_val(&name)).ok()?;
    // SAFETY: the buffer and its size belong together, and both outlive the call.
    let got =
        unsafe { GetUserObjectInformationW(desktop, UOI_NAME, name.as_mut_ptr().cast(), size, &mut used) };
    (got != 0).then(|| narrow(&name))
}

fn is_sid(text: &str) -> bool {
    text.starts_with("S-1-") && text.chars().skip(4).all(|letter| letter.is_ascii_digit() || letter == '-')
}

#[cfg(all(test, windows))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

    use super::*;

    #[test]
    fn a_sessions_desktop_is_never_one_that_stood_before() {
        let first = SessionDesktop::make(None).unwrap();
        assert!(exists(first.name()), "the look is blind");
        assert!(standing().iter().any(|name| name == first.name()), "the list is blind");
        let second = SessionDesktop::make(None).unwrap();
        assert_ne!(first.name(), second.name());
        let gone = first.name().to_owned();
        drop(first);
        assert!(!exists(&gone));
    }

    #[test]
    fn a_thread_is_on_the_desktop_that_it_took() {
        let session = SessionDesktop::make(None).unwrap();
        let (there, name) = (session.clone(), session.name().to_owned());
        let seen = std::thread::spawn(move || {
            let before = thread_desktop();
            there.desktop().take_thread().unwrap();
            (before, thread_desktop())
        });
        let (before, after) = seen.join().unwrap();
        assert_ne!(before.as_deref(), Some(name.as_str()), "it was there already");
        assert_eq!(after.as_deref(), Some(name.as_str()));
    }

    #[test]
    fn only_a_sid_is_written_on_a_desktop() {
        assert!(is_sid("S-1-5-21-1-2-3-1001"));
        for text in ["", "S-1-5-21)(A;;GA;;;WD", "BUILTIN", "S-2-1"] {
            assert!(!is_sid(text), "{text}");
        }
        assert!(Desktop::make("CleanshiftSession-test", Some("WD")).is_err());
    }
}
