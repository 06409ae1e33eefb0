//! Job objects: what a program was started in it cannot leave, and neither can what it starts.
//!
//! A job's end is `TerminateJobObject`; that its list of processes is empty is the system's proof that
//! every process in it is gone, nested jobs included. A job ends with its last handle, too: a shell that is
//! killed takes its sessions with it.

#![expect(unsafe_code, reason = "jobs are made through the system's own calls")]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle, BorrowedHandle, HandleOrNull, OwnedHandle};
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, ERROR_MORE_DATA, HANDLE, INVALID_HANDLE_VALUE, SetLastError, WAIT_TIMEOUT,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::System::IO::{CreateIoCompletionPort, GetQueuedCompletionStatus, OVERLAPPED};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
    JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION, JOB_OBJECT_LIMIT_JOB_MEMORY,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_UILIMIT, JOB_OBJECT_UILIMIT_DESKTOP,
    JOB_OBJECT_UILIMIT_DISPLAYSETTINGS, JOB_OBJECT_UILIMIT_EXITWINDOWS, JOB_OBJECT_UILIMIT_GLOBALATOMS,
    JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS, JOBOBJECT_ASSOCIATE_COMPLETION_PORT,
    JOBOBJECT_BASIC_PROCESS_ID_LIST, JOBOBJECT_BASIC_UI_RESTRICTIONS, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JOBOBJECTINFOCLASS, JobObjectAssociateCompletionPortInformation, JobObjectBasicProcessIdList,
    JobObjectBasicUIRestrictions, JobObjectExtendedLimitInformation, OpenJobObjectW,
    QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::SystemServices::{
    JOB_OBJECT_MSG_ACTIVE_PROCESS_LIMIT, JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO, JOB_OBJECT_MSG_JOB_MEMORY_LIMIT,
    JOB_OBJECT_MSG_NEW_PROCESS, JOB_OBJECT_QUERY, JOB_OBJECT_TERMINATE,
};

use super::clock::monotonic;
use super::security::Descriptor;
use super::wide::wide;

/// Who may do what with a job by its name: the system all, others of this machine and the account itself only ask
/// and end it (JOB_OBJECT_QUERY, JOB_OBJECT_TERMINATE, SYNCHRONIZE). A session's own program must not let itself out.
const RIGHTS: &str = "D:P(A;;GA;;;SY)(A;;0x10000c;;;BA)(A;;0x10000c;;;OW)";

/// What a program that was ended with its job leaves as its exit code.
const ENDED: u32 = 0xC1EA;

/// How long between two looks at a job that is ending.
const LOOK: Duration = Duration::from_millis(2);

/// What a session must not do to the desktop that others use after it. Handles are not limited: a program
/// that may not name the windows of others cannot use the input methods of the desktop, and the shell's own
/// windows stand on another desktop. The clipboard is the session's while it lasts, and a gate clears it.
const FORBIDDEN: JOB_OBJECT_UILIMIT = JOB_OBJECT_UILIMIT_DISPLAYSETTINGS
    | JOB_OBJECT_UILIMIT_EXITWINDOWS
    | JOB_OBJECT_UILIMIT_GLOBALATOMS
    | JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS;

/// What a job holds its processes to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// The most processes at a time.
    pub processes: Option<u32>,
    /// The most memory that all together may have committed, bytes.
    pub memory: Option<u64>,
    /// Whether they are kept from the settings of the desktop and of the display.
    pub desktop: bool,
}

/// A job.
pub struct Job {
    handle: OwnedHandle,
    limits: Limits,
}

impl Job {
    /// Makes a job. Whoever knows its `name` may open it where the account allows.
    ///
    /// # Errors
    /// Those of the system; a name that is taken is one.
    pub fn new(name: Option<&str>, limits: Limits) -> io::Result<Self> {
        let rights = Descriptor::parse(RIGHTS)?;
        let attributes = SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?,
            lpSecurityDescriptor: rights.as_ptr(),
            bInheritHandle: 0,
        };
        let name = name.map(wide);
        let name = name.as_ref().map_or(null(), Vec::as_ptr);
        // SAFETY: the name is null or ends with a zero, and all outlives the call.
        let handle = unsafe {
            SetLastError(0);
            CreateJobObjectW(&raw const attributes, name)
        };
        // Read before anything else is asked of the system.
        let last = io::Error::last_os_error();
        // SAFETY: the handle is new and nobody else's.
        let handle: OwnedHandle = unsafe { HandleOrNull::from_raw_handle(handle) }
            .try_into()
            .map_err(|_| io::Error::last_os_error())?;
        if last.raw_os_error() == i32::try_from(ERROR_ALREADY_EXISTS).ok() {
            return Err(last);
        }
        let job = Self { handle, limits };
        job.set_limits(limits.processes)?;
        if limits.desktop {
            job.forbid(FORBIDDEN)?;
        }
        Ok(job)
    }

    /// Opens a job by its name, to end it: what a killed shell may have left. `None` where there is none.
    ///
    /// # Errors
    /// When it is there and may not be opened.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        let name = wide(name);
        // SAFETY: the name ends with a zero and outlives the call.
        let handle = unsafe { OpenJobObjectW(JOB_OBJECT_QUERY | JOB_OBJECT_TERMINATE, 0, name.as_ptr()) };
        // SAFETY: the handle is new and nobody else's.
        match OwnedHandle::try_from(unsafe { HandleOrNull::from_raw_handle(handle) }) {
            Ok(handle) => Ok(Some(Self { handle, limits: Limits::default() })),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::NotFound => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The job behind a handle that another process has given.
    pub(super) fn of(handle: OwnedHandle) -> Self {
        Self { handle, limits: Limits::default() }
    }

    /// Its handle, for the service that starts a program in it.
    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }

    /// Puts a process into it, for ever.
    ///
    /// # Errors
    /// When the process is in a job that this one cannot lie in.
    pub fn assign(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
        // SAFETY: both handles are open for the time of the call.
        done(unsafe { AssignProcessToJobObject(self.raw(), process.as_raw_handle()) })
    }

    /// Whether this process is in it, or in a job that lies in it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn holds(&self, process: BorrowedHandle<'_>) -> io::Result<bool> {
        let mut held = 0;
        // SAFETY: both handles are open and the answer is written to a place of its size.
        done(unsafe { IsProcessInJob(process.as_raw_handle(), self.raw(), &raw mut held) })?;
        Ok(held != 0)
    }

    /// The pids of every process in it, nested jobs included. Empty is the proof of its end.
    ///
    /// # Errors
    /// When the system does not say: never to be taken for empty.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        let mut room = 64_usize;
        loop {
            // Two counts stand before the pids, as large as one pid on a system of 64 bits.
            let mut list = vec![0_usize; room + 1];
            let size = u32::try_from(size_of_val(list.as_slice())).map_err(io::Error::other)?;
            let place = list.as_mut_ptr().cast::<JOBOBJECT_BASIC_PROCESS_ID_LIST>();
            // SAFETY: the place is aligned for the structure and `size` bytes large.
            let answered = unsafe {
                QueryInformationJobObject(
                    self.raw(),
                    JobObjectBasicProcessIdList,
                    place.cast(),
                    size,
                    null_mut(),
                )
            };
            if answered == 0 {
                let error = io::Error::last_os_error();
                if error.raw_os_error() == i32::try_from(ERROR_MORE_DATA).ok() && room < 1 << 20 {
                    room *= 4;
                    continue;
                }
                return Err(error);
            }
            // SAFETY: the system has written the structure's head.
            let (assigned, listed) =
                unsafe { ((*place).NumberOfAssignedProcesses, (*place).NumberOfProcessIdsInList) };
            if assigned > listed && room < 1 << 20 {
                room *= 4;
                continue;
            }
            let pids = list.iter().skip(1).take(usize::try_from(listed).map_err(io::Error::other)?);
            return Ok(pids.filter_map(|pid| u32::try_from(*pid).ok()).collect());
        }
    }

    /// Ends every process in it and waits until the system lists none any more; answers how long that took.
    ///
    /// # Errors
    /// When the list is not empty in time, or cannot be read.
    pub fn end(&self, patience: Duration) -> io::Result<Duration> {
        let began = monotonic();
        // From here on it takes one process at most: who starts programs as fast as they are ended starts none.
        // A job that was opened only to be ended cannot be told so.
        let _ = self.set_limits(Some(1));
        loop {
            // SAFETY: the handle is open.
            let told = done(unsafe { TerminateJobObject(self.raw(), ENDED) });
            let left = self.processes()?;
            if left.is_empty() {
                return Ok(monotonic().saturating_sub(began));
            }
            if monotonic().saturating_sub(began) >= patience {
                told?;
                let left = left.len();
                return Err(io::Error::other(format!("{left} of its processes do not end")));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Has the news of the job come to this port, under this key.
    ///
    /// # Errors
    /// Those of the system.
    pub fn tell(&self, port: &Port, key: usize) -> io::Result<()> {
        let what = JOBOBJECT_ASSOCIATE_COMPLETION_PORT {
            CompletionKey: std::ptr::without_provenance_mut::<c_void>(key),
            CompletionPort: port.0.as_raw_handle(),
        };
        self.set(JobObjectAssociateCompletionPortInformation, &what)
    }

    /// While the session is covered its programs can neither make a desktop nor switch to one: browsers make
    /// one for their sandbox, so that it is not forbidden always.
    ///
    /// # Errors
    /// Those of the system.
    pub fn forbid_desktops(&self, forbidden: bool) -> io::Result<()> {
        if !self.limits.desktop {
            return Ok(());
        }
        self.forbid(if forbidden { FORBIDDEN | JOB_OBJECT_UILIMIT_DESKTOP } else { FORBIDDEN })
    }

    fn forbid(&self, what: JOB_OBJECT_UILIMIT) -> io::Result<()> {
        self.set(JobObjectBasicUIRestrictions, &JOBOBJECT_BASIC_UI_RESTRICTIONS { UIRestrictionsClass: what })
    }

    /// Neither kind of breakaway is among the flags: a program cannot start another outside.
    fn set_limits(&self, processes: Option<u32>) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        let mut flags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
        if let Some(processes) = processes {
            flags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
            limits.BasicLimitInformation.ActiveProcessLimit = processes.max(1);
        }
        if let Some(memory) = self.limits.memory {
            flags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
            limits.JobMemoryLimit = usize::try_from(memory).unwrap_or(usize::MAX);
        }
        limits.BasicLimitInformation.LimitFlags = flags;
        self.set(JobObjectExtendedLimitInformation, &limits)
    }

    fn set<T>(&self, class: JOBOBJECTINFOCLASS, what: &T) -> io::Result<()> {
        let size = u32::try_from(size_of::<T>()).map_err(io::Error::other)?;
        // SAFETY: the structure is that of the class, of this size, and outlives the call.
        done(unsafe { SetInformationJobObject(self.raw(), class, (&raw const *what).cast(), size) })
    }

    fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}

/// Where the news of jobs comes in. The system does not promise to bring all of it: whoever listens looks
/// for himself now and then.
pub struct Port(OwnedHandle);

/// What a port brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The job of this key is empty.
    Empty(usize),
    /// A process has come into the job of this key.
    Came(usize, u32),
    /// The job of this key has reached its most processes or its most memory.
    Full(usize),
    /// Something else has happened in a job.
    Other,
    /// Nothing came in time.
    Quiet,
}

impl Port {
    /// Makes one.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no file is tied to the new port.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, null_mut(), 0, 1) };
        // SAFETY: the handle is new and nobody else's.
        let port = OwnedHandle::try_from(unsafe { HandleOrNull::from_raw_handle(port) });
        port.map(Self).map_err(|_| io::Error::last_os_error())
    }

    /// Waits for the next notice.
    ///
    /// # Errors
    /// When the port is gone.
    pub fn next(&self, patience: Duration) -> io::Result<Notice> {
        let (mut message, mut key) = (0_u32, 0_usize);
        let mut which: *mut OVERLAPPED = null_mut();
        let patience = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX - 1);
        let port = self.0.as_raw_handle();
        // SAFETY: every answer has a place of its own, and the port is open.
        let came = unsafe {
            GetQueuedCompletionStatus(port, &raw mut message, &raw mut key, &raw mut which, patience)
        };
        if came == 0 {
            let error = io::Error::last_os_error();
            let quiet = error.raw_os_error() == i32::try_from(WAIT_TIMEOUT).ok();
            return if quiet { Ok(Notice::Quiet) } else { Err(error) };
        }
        // The third answer is no address here but a pid, where the message is about a process.
        let pid = u32::try_from(which.addr()).unwrap_or(0);
        Ok(match message {
            JOB_OBJECT_MSG_ACTIVE_PROCESS_ZERO => Notice::Empty(key),
            JOB_OBJECT_MSG_NEW_PROCESS => Notice::Came(key, pid),
            JOB_OBJECT_MSG_ACTIVE_PROCESS_LIMIT | JOB_OBJECT_MSG_JOB_MEMORY_LIMIT => Notice::Full(key),
            _ => Notice::Other,
        })
    }
}

/// The error of a call that answers zero where it failed.
pub(super) fn done(answer: i32) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
