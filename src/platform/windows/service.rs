//! `cleanshift-service`: the Windows service of mode `account`. It runs as the system, makes an account for each
//! session, starts the session's programs under it in the shell's own jobs, and deletes it with its profile.
//!
//! It listens on a named pipe that only the station's account can open, reads bounded messages of a few words,
//! and keeps one account at a time. It never has a session's files or programs named by anybody but the shell, and
//! does nothing with the system's rights that the session's own account could turn elsewhere.

#![expect(unsafe_code, reason = "services speak with the system by its own calls")]

pub mod pool;
pub mod protocol;
mod serve;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use windows_sys::Win32::Foundation::{ERROR_CALL_NOT_IMPLEMENTED, ERROR_SUCCESS, NO_ERROR};
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, REG_SZ, RegDeleteKeyValueW, RegSetKeyValueW};
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, CloseServiceHandle, ControlService, CreateServiceW, DeleteService, OpenSCManagerW,
    OpenServiceW, QueryServiceStatus, RegisterServiceCtrlHandlerExW, SC_ACTION, SC_ACTION_RESTART, SC_HANDLE,
    SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE, SERVICE_ACCEPT_SHUTDOWN, SERVICE_ACCEPT_STOP,
    SERVICE_ALL_ACCESS, SERVICE_AUTO_START, SERVICE_CONFIG_FAILURE_ACTIONS, SERVICE_CONTROL_INTERROGATE,
    SERVICE_CONTROL_SHUTDOWN, SERVICE_CONTROL_STOP, SERVICE_ERROR_NORMAL, SERVICE_FAILURE_ACTIONSW,
    SERVICE_QUERY_STATUS, SERVICE_RUNNING, SERVICE_STATUS, SERVICE_STATUS_CURRENT_STATE, SERVICE_STOPPED,
    SERVICE_TABLE_ENTRYW, SERVICE_WIN32_OWN_PROCESS, SetServiceStatus, StartServiceCtrlDispatcherW,
    StartServiceW,
};

use super::job::done;
use super::registry;
use super::security::{self, Sid};
use super::wide::wide;

/// The service's name.
const NAME: &str = "CleanshiftService";
/// Its name for people.
const SHOWN: &str = "Cleanshift session accounts";
/// Where the account that the station runs as is written, by its SID.
const KEY: &str = security::STATION.0;
const STATION: &str = security::STATION.1;
/// `DELETE`, to take it away.
const DELETE: u32 = 0x0001_0000;

const USAGE: &str = "\
usage: cleanshift-service COMMAND
  install ACCOUNT  installs and starts the service for a station that runs as ACCOUNT, its name or its SID
  remove           stops and removes it, and deletes every account of sessions
  run              what Windows itself calls
";

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (what, outcome) = match words.as_slice() {
        ["install", account] => ("install the service", install(account)),
        ["remove"] => ("remove the service", remove()),
        ["run"] => ("run as a service", run()),
        _ => {
            let _ = io::stderr().write_all(USAGE.as_bytes());
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cleanshift-service: failed to {what}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A handle of the service control manager's.
struct Held(SC_HANDLE);

impl Held {
    fn of(handle: SC_HANDLE) -> io::Result<Self> {
        if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(handle)) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: it is open and used no more.
        let _ = unsafe { CloseServiceHandle(self.0) };
    }
}

/// Whether a service runs now.
///
/// # Errors
/// What Windows said, also where there is no such service.
pub fn runs(name: &str) -> io::Result<bool> {
    let name = wide(name);
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the name ends with a zero and outlives the calls; the handles are closed once; the status is ours.
    unsafe {
        let scm = Held::of(OpenSCManagerW(null(), null(), SC_MANAGER_CONNECT))?;
        let service = Held::of(OpenServiceW(scm.0, name.as_ptr(), SERVICE_QUERY_STATUS))?;
        done(QueryServiceStatus(service.0, &raw mut status))?;
    }
    Ok(status.dwCurrentState == SERVICE_RUNNING)
}

fn install(account: &str) -> io::Result<()> {
    let station = if account.starts_with("S-1-") { Sid::parse(account)? } else { pool::sid_of(account)? };
    if station.is_system() {
        return Err(io::Error::other("the station's account is the system's own"));
    }
    let (key, value, sid) = (wide(KEY), wide(STATION), wide(station.text()?));
    let bytes = u32::try_from(size_of_val(sid.as_slice())).map_err(io::Error::other)?;
    // SAFETY: every text ends with a zero and is as long as is said.
    let code = unsafe {
        RegSetKeyValueW(HKEY_LOCAL_MACHINE, key.as_ptr(), value.as_ptr(), REG_SZ, sid.as_ptr().cast(), bytes)
    };
    if code != ERROR_SUCCESS {
        return Err(security::error(code));
    }
    let program = std::env::current_exe()?;
    // In quotation marks: a path with a space in it could else name another program.
    let line = wide(format!("\"{}\" run", program.display()));
    let (name, shown) = (wide(NAME), wide(SHOWN));
    // SAFETY: every text ends with a zero and outlives the call; the handles are closed once.
    unsafe {
        let scm = Held::of(OpenSCManagerW(null(), null(), SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE))?;
        let service = Held::of(CreateServiceW(
            scm.0,
            name.as_ptr(),
            shown.as_ptr(),
            SERVICE_ALL_ACCESS,
            SERVICE_WIN32_OWN_PROCESS,
            SERVICE_AUTO_START,
            SERVICE_ERROR_NORMAL,
            line.as_ptr(),
            null(),
            null_mut(),
            null(),
            null(),
            null(),
        ))?;
        // Whatever ends it starts it again.
        let mut again = [SC_ACTION { Type: SC_ACTION_RESTART, Delay: 1000 }; 3];
        let actions = SERVICE_FAILURE_ACTIONSW {
            dwResetPeriod: 60,
            cActions: 3,
            lpsaActions: again.as_mut_ptr(),
            ..SERVICE_FAILURE_ACTIONSW::default()
        };
        done(ChangeServiceConfig2W(service.0, SERVICE_CONFIG_FAILURE_ACTIONS, (&raw const actions).cast()))?;
        done(StartServiceW(service.0, 0, null()))
    }
}

fn remove() -> io::Result<()> {
    let name = wide(NAME);
    let mut status = SERVICE_STATUS::default();
    // SAFETY: every text ends with a zero and outlives the call; the handles are closed once.
    unsafe {
        let scm = Held::of(OpenSCManagerW(null(), null(), SC_MANAGER_CONNECT))?;
        let service = Held::of(OpenServiceW(scm.0, name.as_ptr(), SERVICE_ALL_ACCESS | DELETE))?;
        // One that does not run need not be stopped.
        let _ = ControlService(service.0, SERVICE_CONTROL_STOP, &raw mut status);
        done(DeleteService(service.0))?;
    }
    let (key, value) = (wide(KEY), wide(STATION));
    // SAFETY: both names end with a zero. What is not there need not be deleted.
    let _ = unsafe { RegDeleteKeyValueW(HKEY_LOCAL_MACHINE, key.as_ptr(), value.as_ptr()) };
    pool::sweep().map(drop)
}

/// Where the state of the service is told; null before Windows has asked for it.
static STATUS: AtomicPtr<core::ffi::c_void> = AtomicPtr::new(null_mut());
/// What came of serving.
static OUTCOME: OnceLock<io::Result<()>> = OnceLock::new();

fn run() -> io::Result<()> {
    let mut name = wide(NAME);
    let table = [
        SERVICE_TABLE_ENTRYW { lpServiceName: name.as_mut_ptr(), lpServiceProc: Some(service_main) },
        SERVICE_TABLE_ENTRYW::default(),
    ];
    // SAFETY: the table ends with an empty row, and it and the name outlive the call, which lasts as long as the
    // service.
    done(unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) })?;
    match OUTCOME.get() {
        Some(Err(error)) => Err(io::Error::other(error.to_string())),
        Some(Ok(())) | None => Ok(()),
    }
}

unsafe extern "system" fn service_main(_: u32, _: *mut windows_sys::core::PWSTR) {
    let name = wide(NAME);
    // SAFETY: the name ends with a zero, and the function is one for controls.
    let status = unsafe { RegisterServiceCtrlHandlerExW(name.as_ptr(), Some(control), null()) };
    STATUS.store(status.cast(), Ordering::SeqCst);
    tell(SERVICE_RUNNING, NO_ERROR);
    let station = registry::machine_text(KEY, STATION).ok_or_else(|| {
        io::Error::other(format!(
            "no account is named in HKLM\\{KEY}: run cleanshift-service install ACCOUNT"
        ))
    });
    let outcome = station.and_then(|sid| Sid::parse(&sid)).and_then(|sid| serve::serve(&sid));
    let code = outcome.as_ref().err().and_then(io::Error::raw_os_error);
    let code = code.and_then(|code| u32::try_from(code).ok()).unwrap_or(1);
    let _ = OUTCOME.set(outcome);
    tell(SERVICE_STOPPED, code);
}

unsafe extern "system" fn control(
    what: u32,
    _: u32,
    _: *mut core::ffi::c_void,
    _: *mut core::ffi::c_void,
) -> u32 {
    match what {
        SERVICE_CONTROL_STOP | SERVICE_CONTROL_SHUTDOWN => {
            tell(SERVICE_STOPPED, NO_ERROR);
            // What is lent is deleted by the next start, or by `remove`: the shell's session still uses it.
            std::process::exit(0)
        }
        SERVICE_CONTROL_INTERROGATE => NO_ERROR,
        _ => ERROR_CALL_NOT_IMPLEMENTED,
    }
}

fn tell(state: SERVICE_STATUS_CURRENT_STATE, code: u32) {
    let accepted = if state == SERVICE_RUNNING { SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN } else { 0 };
    let status = SERVICE_STATUS {
        dwServiceType: SERVICE_WIN32_OWN_PROCESS,
        dwCurrentState: state,
        dwControlsAccepted: accepted,
        dwWin32ExitCode: code,
        ..SERVICE_STATUS::default()
    };
    // SAFETY: the handle came from the system for this, and the structure outlives the call.
    let _ = unsafe { SetServiceStatus(STATUS.load(Ordering::SeqCst).cast(), &raw const status) };
}
