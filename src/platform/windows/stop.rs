//! The order to stop, which only the system and administrators can give: an event that the shell's own account may
//! wait for and not set, so that no app of a session stops the shell.

use std::io::{Error, Result};
use std::ptr::null_mut;
use std::time::Duration;

use windows_sys::Win32::Foundation::{CloseHandle, ERROR_ALREADY_EXISTS, HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::System::Threading::{
    CreateEventW, EVENT_MODIFY_STATE, OpenEventW, SetEvent, WaitForSingleObject,
};

use super::registry::wide;
use super::security::Descriptor;

/// The event of the station that runs in this sign-in of the machine.
const NAME: &str = r"Local\CleanshiftStop";
/// Who may do what: the system and administrators all, its own account only wait (SYNCHRONIZE).
const RIGHTS: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x100000;;;OW)";
/// How often it is looked for.
const POLL: Duration = Duration::from_millis(100);

/// The event, as long as the shell runs.
pub struct StopEvent(HANDLE);

// SAFETY: a handle of an event may be used on every thread.
#[expect(unsafe_code, reason = "a handle is a pointer to the compiler")]
unsafe impl Send for StopEvent {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a handle is a pointer to the compiler")]
unsafe impl Sync for StopEvent {}

impl StopEvent {
    /// Makes the event. One that somebody else has made under this name is not the shell's, and would not have its
    /// rights.
    ///
    /// # Errors
    /// Those of the system.
    #[expect(unsafe_code, reason = "events are made through the system's own calls")]
    pub fn make() -> Result<Self> {
        let rights = Descriptor::parse(RIGHTS)?;
        let attributes = SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: rights.as_ptr(),
            bInheritHandle: 0,
        };
        let name = wide(NAME);
        // SAFETY: attributes, descriptor and name outlive the call.
        let event = unsafe { CreateEventW(&raw const attributes, 0, 0, name.as_ptr()) };
        let error = Error::last_os_error();
        if event.is_null() {
            return Err(error);
        }
        let event = Self(event);
        if error.raw_os_error() == i32::try_from(ERROR_ALREADY_EXISTS).ok() {
            return Err(Error::other(
                "something else has made the event by which the station is told to stop",
            ));
        }
        Ok(event)
    }

    /// Waits until it is set.
    pub async fn wait(&self) {
        // SAFETY: the handle is open as long as this lives; the call does not wait.
        #[expect(unsafe_code, reason = "events are asked through the system's own calls")]
        while unsafe { WaitForSingleObject(self.0, 0) } != WAIT_OBJECT_0 {
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for StopEvent {
    #[expect(unsafe_code, reason = "handles are closed through the system's own calls")]
    fn drop(&mut self) {
        // SAFETY: opened by this, used no more.
        let _ = unsafe { CloseHandle(self.0) };
    }
}

/// Orders the station of this sign-in of the machine to stop; whether there is one.
///
/// # Errors
/// Where this account may not.
#[expect(unsafe_code, reason = "events are set through the system's own calls")]
pub fn order() -> Result<bool> {
    let name = wide(NAME);
    // SAFETY: the name ends with a zero and outlives the call.
    let event = unsafe { OpenEventW(EVENT_MODIFY_STATE, 0, name.as_ptr()) };
    if event == null_mut() {
        let error = Error::last_os_error();
        return if error.kind() == std::io::ErrorKind::NotFound { Ok(false) } else { Err(error) };
    }
    // SAFETY: opened above, closed once, used no more.
    let set = unsafe {
        let set = SetEvent(event);
        let _ = CloseHandle(event);
        set
    };
    if set == 0 { Err(Error::last_os_error()) } else { Ok(true) }
}
