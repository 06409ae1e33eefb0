//! What the shell asks of the host it runs on.

use std::io::Error;
use std::path::PathBuf;
use std::ptr::null_mut;

use tokio::signal::windows::{self, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LUID};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, DACL_SECURITY_INFORMATION, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW,
    PROTECTED_DACL_SECURITY_INFORMATION, SE_PRIVILEGE_ENABLED, SE_SHUTDOWN_NAME, SetKernelObjectSecurity,
    TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Console::{
    ATTACH_PARENT_PROCESS, AttachConsole, GetStdHandle, STD_ERROR_HANDLE,
};
use windows_sys::Win32::System::LibraryLoader::SetDllDirectoryW;
use windows_sys::Win32::System::Shutdown::{
    InitiateShutdownW, SHTDN_REASON_FLAG_PLANNED, SHTDN_REASON_MAJOR_APPLICATION, SHUTDOWN_FORCE_SELF,
    SHUTDOWN_RESTART,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;

use super::registry::wide;
use super::security::{self, Descriptor, Sid};
use super::sleep;
use super::stop::StopEvent;
use crate::ports::{PortError, Result};

/// Who may do what with the shell's process: the system all, administrators end it and see that it is there
/// (PROCESS_TERMINATE, SYNCHRONIZE, PROCESS_QUERY_LIMITED_INFORMATION), its own account only see that it is there.
const PROCESS: &str = "D:P(A;;GA;;;SY)(A;;0x101001;;;BA)(A;;0x101000;;;OW)";

/// What a screen says where nothing more is known of why the shell does not stay up.
pub const DOES_NOT_STAY_UP: &str = "The station's shell does not stay up. For IT: start cleanshift.exe in a command prompt of its account, which says \
     why\n";
/// Whose rights the shell refuses to have, and what to do instead.
pub const NOT_AS_ROOT: &str = "refuses to run as an administrator or a service of the system: a session must not have their rights.\n\
     help: start it as an ordinary account of its own, not with `Run as administrator`";

/// Whether this process has the rights of the system or of an administrator. Where that cannot be told, it has them.
#[must_use]
pub fn is_root() -> bool {
    security::is_elevated().unwrap_or(true)
}

/// No other program of the account may look into the shell or end it: it is asked PINs. No library is loaded from
/// the directory that it happens to be started in.
#[expect(unsafe_code, reason = "a process's own access list is set through the system's own calls")]
pub fn harden() {
    let closed = Descriptor::parse(PROCESS).and_then(|list| {
        let information = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
        // SAFETY: the handle of the own process is always valid; the descriptor outlives the call.
        let set = unsafe { SetKernelObjectSecurity(GetCurrentProcess(), information, list.as_ptr()) };
        if set == 0 { Err(Error::last_os_error()) } else { Ok(()) }
    });
    if let Err(error) = closed {
        tracing::warn!(%error, "failed to close the shell's process to other programs of its account");
    }
    let none = wide("");
    // SAFETY: the text ends with a zero and outlives the call.
    let _ = unsafe { SetDllDirectoryW(none.as_ptr()) };
}

/// Writes the shell's own log to standard error; `CLEANSHIFT_LOG` chooses how much. A program without a console of
/// its own tells it to the one that it was started from, where there is one.
#[expect(unsafe_code, reason = "the console is asked for through the system's own calls")]
pub fn log_to_stderr() {
    // SAFETY: have no arguments that could be wrong. It fails where there is no console to be had.
    unsafe {
        // Where standard error was given, a file or a pipe, it stays that.
        if GetStdHandle(STD_ERROR_HANDLE).is_null() {
            let _ = AttachConsole(ATTACH_PARENT_PROCESS);
        }
    }
    crate::platform::log::to_stderr();
}

/// Does nothing: Windows tells a writer that its reader has gone by an error of the write.
pub fn end_with_its_reader() {}

/// Whether a keyring of the host can be asked: every account has its Credential Manager. Where the package was told of
/// the station's account none is: IT's commands, which are other accounts', could not read what lies in it.
#[must_use]
pub fn has_keyring() -> bool {
    Sid::station().is_none()
}

/// What the system or an administrator tells the shell: to stop.
pub struct Orders {
    interrupt: CtrlC,
    close: CtrlClose,
    shutdown: CtrlShutdown,
    sign_out: CtrlLogoff,
    stop: Option<StopEvent>,
}

impl Orders {
    /// Listens from now on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
            sign_out: windows::ctrl_logoff()?,
            stop: StopEvent::make()
                .inspect_err(|error| tracing::error!(%error, "failed to listen for the order to stop"))
                .ok(),
        })
    }

    /// Waits for the next order to stop.
    pub async fn to_stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
            _ = self.sign_out.recv() => {}
            () = sleep::ending() => {}
            () = async {
                match &self.stop {
                    Some(stop) => stop.wait().await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}

/// Ends this process at once, as a loss of power would.
#[cfg(feature = "faults")]
#[expect(unsafe_code, reason = "the end that nothing can delay is the system's own call")]
pub fn die() {
    // SAFETY: the handle of the own process is always valid.
    let _ = unsafe { windows_sys::Win32::System::Threading::TerminateProcess(GetCurrentProcess(), 137) };
}

/// The account's name, for who did what.
#[must_use]
pub fn account() -> String {
    account_name().map_or_else(|| "it".to_owned(), |name| format!("it:{name}"))
}

/// The name of the account that this process runs as.
#[must_use]
#[expect(unsafe_code, reason = "the account's name is asked through the system's own call")]
pub fn account_name() -> Option<String> {
    let mut name = vec![0_u16; 257];
    let mut length = u32::try_from(name.len()).ok()?;
    // SAFETY: the buffer has as many units as is said and outlives the call.
    if unsafe { GetUserNameW(name.as_mut_ptr(), &raw mut length) } == 0 {
        return None;
    }
    // The length counts the zero at the end.
    name.truncate(usize::try_from(length).ok()?.saturating_sub(1));
    String::from_utf16(&name).ok().filter(|name| !name.is_empty())
}

/// The shell's own program: on Windows a capsule has no first process of its own.
///
/// # Errors
/// When the system does not say where it lies.
pub fn init_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| PortError(format!("find the shell's own program: {error}")))
}

/// Starts the machine anew.
///
/// # Errors
/// When the system does not let this account.
#[expect(unsafe_code, reason = "the machine is started anew through the system's own calls")]
pub fn restart() -> Result<()> {
    let failed = |why: &str| PortError(format!("start the machine anew: {why}"));
    allow_shutdown().map_err(|error| failed(&error.to_string()))?;
    let reason = SHTDN_REASON_MAJOR_APPLICATION | SHTDN_REASON_FLAG_PLANNED;
    // SAFETY: no machine and no message are named; the rest are numbers.
    let code = unsafe {
        InitiateShutdownW(null_mut(), null_mut(), 0, SHUTDOWN_RESTART | SHUTDOWN_FORCE_SELF, reason)
    };
    if code == 0 { Ok(()) } else { Err(failed(&security::error(code).to_string())) }
}

/// The right to shut down is held, but off, until it is asked for.
#[expect(unsafe_code, reason = "rights are switched on through the system's own calls")]
fn allow_shutdown() -> std::io::Result<()> {
    let mut token: HANDLE = null_mut();
    let mut right = LUID::default();
    // SAFETY: the handles and structures outlive the calls; the token's handle is closed once.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &raw mut token) == 0 {
            return Err(Error::last_os_error());
        }
        let found = LookupPrivilegeValueW(null_mut(), SE_SHUTDOWN_NAME, &raw mut right);
        let wanted = TOKEN_PRIVILEGES {
            PrivilegeCount: 1,
            Privileges: [LUID_AND_ATTRIBUTES { Luid: right, Attributes: SE_PRIVILEGE_ENABLED }],
        };
        let set =
            found != 0 && AdjustTokenPrivileges(token, 0, &raw const wanted, 0, null_mut(), null_mut()) != 0;
        // That it was switched on for nobody is an error of a call that succeeds.
        let error = Error::last_os_error();
        let _ = CloseHandle(token);
        if set && error.raw_os_error() == Some(0) { Ok(()) } else { Err(error) }
    }
}

/// Whether a person can sign in to the account that this process runs as: on Windows always.
#[must_use]
pub fn shared_account() -> bool {
    true
}

/// The size of the station's screen, where there is a display: for a screen that stands alone, which is then on the
/// shell's desktop.
#[must_use]
pub fn screen_size() -> Option<(u16, u16)> {
    super::display::outer::alone().ok()
}
