//! Mode `account`: the shell's side. The service makes an account for a session, starts the session's programs
//! under it in the shell's jobs, and deletes it afterwards; all that Windows keeps by account goes with it.

#![expect(unsafe_code, reason = "who owns a pipe or may use a window station is the system's to say")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    EXPLICIT_ACCESS_W, GRANT_ACCESS, GetSecurityInfo, REVOKE_ACCESS, SE_KERNEL_OBJECT, SE_WINDOW_OBJECT,
    SetEntriesInAclW, SetSecurityInfo, TRUSTEE_IS_SID, TRUSTEE_IS_USER, TRUSTEE_W,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, NO_INHERITANCE, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
};
use windows_sys::Win32::Storage::FileSystem::SECURITY_IDENTIFICATION;
use windows_sys::Win32::System::StationsAndDesktops::GetProcessWindowStation;

use super::capsule::Launch;
use super::job::Job;
use super::security::{self, Descriptor, Sid};
use super::service::protocol::{self, Ask, PIPE, Start, Told, USED};
use super::spawn::Process;
use crate::ports::{PortError, Result};

/// What a session's account may do with the window station: read it, its clipboard and its atoms, make windows
/// on the desktops that let it, and list nothing that is not its own. `WINSTA_READATTRIBUTES`,
/// `ACCESSCLIPBOARD`, `ACCESSGLOBALATOMS` and `ENUMDESKTOPS`, with `READ_CONTROL`.
const STATION: u32 = 0x0002_0000 | 0x0001 | 0x0002 | 0x0004 | 0x0020;

/// An account that is lent for a session.
pub struct Lent {
    pipe: Mutex<File>,
    sid: String,
}

/// Has the service make an account for a session.
///
/// # Errors
/// When there is no service, what answers is not it, or it cannot.
pub fn lend() -> Result<Lent> {
    let mut pipe = connect()?;
    let sid = match ask(&mut pipe, &Ask::Lend).map_err(|error| failed(&error))? {
        Told::Lent(sid) => sid,
        Told::Failed(why) => return Err(failed(&why)),
        Told::Started(..) | Told::Ended(_) => return Err(failed(&"the service answers something else")),
    };
    let lent = Lent { pipe: Mutex::new(pipe), sid };
    lent.station(true).map_err(|error| failed(&error))?;
    Ok(lent)
}

/// Has the service delete what a shell before has left. A service without a shell has done so already.
///
/// # Errors
/// When there is none, or something is left.
pub fn sweep() -> Result<()> {
    let mut pipe = connect()?;
    match ask(&mut pipe, &Ask::End).map_err(|error| failed(&error))? {
        Told::Ended(_) => Ok(()),
        Told::Failed(why) => Err(failed(&why)),
        Told::Started(..) | Told::Lent(_) => Err(failed(&"the service answers something else")),
    }
}

impl Lent {
    /// The account's SID, as text.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Has the service start an app under the account, in the session's job and in its own.
    ///
    /// # Errors
    /// A fragment that says what did not work.
    pub fn start(
        &self,
        launch: &Launch,
        path: &Path,
        desktop: Option<&str>,
        jobs: [&Job; 2],
    ) -> Result<Process> {
        let failed = |why: &dyn std::fmt::Display| PortError(format!("start {}: {why}", launch.command));
        if launch.golden.is_some() {
            return Err(failed(
                &"in mode `account` a `profile` is not copied in yet; leave it out of the policy",
            ));
        }
        let order = Start {
            program: path.display().to_string(),
            arguments: launch.arguments.clone(),
            environment: launch.environment.clone(),
            files: launch.files.clone(),
            desktop: desktop.unwrap_or_default().to_owned(),
            jobs: jobs.map(|job| u64::try_from(job.handle().as_raw_handle().addr()).unwrap_or(0)),
        };
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let told = ask(&mut pipe, &Ask::Start(Box::new(order))).map_err(|error| failed(&error))?;
        let (pid, handle) = match told {
            Told::Started(pid, handle) => (pid, handle),
            Told::Failed(why) => return Err(failed(&why)),
            Told::Lent(_) | Told::Ended(_) => return Err(failed(&"the service answers something else")),
        };
        let handle = usize::try_from(handle).map_err(|error| failed(&error))?;
        // SAFETY: the service has made this handle for this process, and nobody else has been told of it.
        let handle = unsafe { OwnedHandle::from_raw_handle(std::ptr::without_provenance_mut(handle)) };
        Ok(Process::of(handle, pid))
    }

    /// Has the service delete the account with its profile; answers what was seen of that, for the receipt. To be
    /// called when the session's job is empty.
    ///
    /// # Errors
    /// When something of it is still there.
    pub fn end(&self) -> Result<String> {
        let _ = self.station(false);
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        match ask(&mut pipe, &Ask::End) {
            Ok(Told::Ended(saw)) => Ok(saw),
            Ok(Told::Failed(why)) => Err(PortError(format!("delete the session's account: {why}"))),
            Ok(Told::Started(..) | Told::Lent(_)) => {
                Err(PortError::new("delete the session's account: the service answers something else"))
            }
            // A service that was started anew meanwhile has deleted it first thing; it says so.
            Err(_) => {
                *pipe = connect()?;
                drop(pipe);
                sweep_with(&self.pipe)
            }
        }
    }

    /// Lets the account use the window station, or not any more.
    fn station(&self, allowed: bool) -> io::Result<()> {
        let sid = Sid::parse(&self.sid)?;
        let entry = EXPLICIT_ACCESS_W {
            grfAccessPermissions: STATION,
            grfAccessMode: if allowed { GRANT_ACCESS } else { REVOKE_ACCESS },
            grfInheritance: NO_INHERITANCE,
            Trustee: TRUSTEE_W {
                TrusteeForm: TRUSTEE_IS_SID,
                TrusteeType: TRUSTEE_IS_USER,
                ptstrName: sid.as_ptr().cast(),
                ..TRUSTEE_W::default()
            },
        };
        let (mut list, mut whole): (*mut ACL, PSECURITY_DESCRIPTOR) = (null_mut(), null_mut());
        let mut new: *mut ACL = null_mut();
        // SAFETY: the own window station is open as long as the process; every answer has its place, the entry and
        // its SID outlive the calls, and what the system has made is given back once.
        let code = unsafe {
            let station: HANDLE = GetProcessWindowStation().cast();
            let what = DACL_SECURITY_INFORMATION;
            let mut code = GetSecurityInfo(
                station,
                SE_WINDOW_OBJECT,
                what,
                null_mut(),
                null_mut(),
                &raw mut list,
                null_mut(),
                &raw mut whole,
            );
            if code == ERROR_SUCCESS {
                code = SetEntriesInAclW(1, &raw const entry, list, &raw mut new);
            }
            if code == ERROR_SUCCESS {
                code =
                    SetSecurityInfo(station, SE_WINDOW_OBJECT, what, null_mut(), null_mut(), new, null_mut());
                let _ = LocalFree(new.cast());
            }
            let _ = LocalFree(whole);
            code
        };
        if code == ERROR_SUCCESS { Ok(()) } else { Err(security::error(code)) }
    }
}

fn sweep_with(pipe: &Mutex<File>) -> Result<String> {
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    match ask(&mut pipe, &Ask::End) {
        Ok(Told::Ended(_)) => Ok(", account deleted by the service when it was started anew".to_owned()),
        Ok(Told::Failed(why)) => Err(PortError(format!("delete the session's account: {why}"))),
        Ok(Told::Started(..) | Told::Lent(_)) | Err(_) => {
            Err(PortError::new("delete the session's account: the service does not answer"))
        }
    }
}

fn failed(why: &dyn std::fmt::Display) -> PortError {
    PortError(format!("have an account made for the session: {why}"))
}

fn ask(pipe: &mut File, what: &Ask) -> io::Result<Told> {
    protocol::send(pipe, what)?;
    protocol::receive(pipe)?.ok_or_else(|| io::Error::other("the service has gone"))
}

/// Opens the pipe, and looks that it is the system's: whoever can make a pipe could else hand out accounts.
fn connect() -> Result<File> {
    let missing = |why: &dyn std::fmt::Display| {
        PortError(format!(
            "reach Cleanshift's service: {why}. The policy's mode `account` needs it: install the package with it, or \
             write mode = \"sweep\""
        ))
    };
    let mut options = OpenOptions::new();
    let pipe = options.access_mode(USED).security_qos_flags(SECURITY_IDENTIFICATION).open(PIPE);
    let pipe = pipe.map_err(|error| missing(&error))?;
    if !is_systems(&pipe).map_err(|error| missing(&error))? {
        return Err(missing(&"another program answers in its place"));
    }
    Ok(pipe)
}

fn is_systems(pipe: &File) -> io::Result<bool> {
    let (mut owner, mut whole) = (null_mut(), null_mut());
    // SAFETY: the pipe is open and every answer has its place.
    let code = unsafe {
        GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut whole,
        )
    };
    if code != ERROR_SUCCESS {
        return Err(security::error(code));
    }
    // Given back when this function ends; the owner points into it.
    let _whole = Descriptor::of(whole);
    // SAFETY: the owner lives as long as the descriptor.
    let owner = unsafe { Sid::copy(owner)? };
    Ok(owner.text()? == "S-1-5-18")
}
