//! Starting a program inside a job: created suspended, put into the job, and only then let run, with an
//! environment that was built for it, on the session's own desktop, and with no handle of the shell's.

#![expect(unsafe_code, reason = "the standard library starts no program suspended")]

use std::io;
use std::mem::size_of;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::time::Duration;

use windows_sys::Win32::Foundation::{FILETIME, HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
use windows_sys::Win32::System::SystemInformation::{GetSystemDirectoryW, GetWindowsDirectoryW};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_CONSOLE, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessAsUserW, CreateProcessW,
    GetExitCodeProcess, GetProcessTimes, OpenProcess, PROCESS_INFORMATION, PROCESS_QUERY_INFORMATION,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, ResumeThread,
    STARTF_FORCEOFFFEEDBACK, STARTUPINFOW, TerminateProcess, WaitForSingleObject,
};

use super::job::{Job, Limits, done};
use super::wide::{command_line, text, wide};

/// How long the end of a job that was only tried may take.
const TRY: Duration = Duration::from_secs(5);

/// What is to be started.
pub struct Program<'a> {
    /// Its file.
    pub path: &'a Path,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Its whole environment.
    pub environment: &'a [(String, String)],
    /// Where it begins.
    pub directory: &'a Path,
    /// The desktop on which its windows stand; that of the shell where there is none.
    pub desktop: Option<&'a str>,
}

/// A process that the shell holds: its pid is nobody else's as long as it does.
pub struct Process {
    handle: OwnedHandle,
    /// Its number.
    pub pid: u32,
}

/// Starts a program in a session's job, and below it in a job of its own.
///
/// # Errors
/// Those of the system; nothing of the program has run then.
pub fn start(program: &Program<'_>, session: &Job, own: &Job) -> io::Result<Process> {
    start_as(program, None, session, own)
}

/// The same under another account, by its token, which must be open.
///
/// # Errors
/// Those of the system; nothing of the program has run then.
pub(super) fn start_as(
    program: &Program<'_>,
    token: Option<HANDLE>,
    session: &Job,
    own: &Job,
) -> io::Result<Process> {
    let file = program.path.to_str().ok_or_else(|| io::Error::other("its path is no text"))?;
    if [".bat", ".cmd"].iter().any(|end| file.to_ascii_lowercase().ends_with(end)) {
        return Err(io::Error::other(
            "a batch file is no program: name cmd.exe, and the file as its argument",
        ));
    }
    let path = wide(program.path);
    let mut line = wide(command_line(file, program.arguments));
    let block = block(program.environment);
    let directory = wide(program.directory);
    let mut desktop = program.desktop.map(wide);
    let start = STARTUPINFOW {
        cb: u32::try_from(size_of::<STARTUPINFOW>()).unwrap_or(0),
        lpDesktop: desktop.as_mut().map_or(null_mut(), Vec::as_mut_ptr),
        dwFlags: STARTF_FORCEOFFFEEDBACK,
        ..STARTUPINFOW::default()
    };
    let mut made = PROCESS_INFORMATION::default();
    let flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | CREATE_NEW_CONSOLE;
    let (path, line, block) = (path.as_ptr(), line.as_mut_ptr(), block.as_ptr().cast());
    let (directory, start, made_at) = (directory.as_ptr(), &raw const start, &raw mut made);
    // SAFETY: every text ends with a zero and outlives the call, the line may be written to, the block ends
    // with two zeros, the token is open, and no handle is inherited.
    done(unsafe {
        match token {
            None => CreateProcessW(path, line, null(), null(), 0, flags, block, directory, start, made_at),
            Some(token) => CreateProcessAsUserW(
                token,
                path,
                line,
                null(),
                null(),
                0,
                flags,
                block,
                directory,
                start,
                made_at,
            ),
        }
    })?;
    // SAFETY: both handles are new and nobody else's.
    let (handle, thread) =
        unsafe { (OwnedHandle::from_raw_handle(made.hProcess), OwnedHandle::from_raw_handle(made.hThread)) };
    let process = Process { handle, pid: made.dwProcessId };
    let held = session.assign(process.handle()).and_then(|()| own.assign(process.handle()));
    // What was not put into its jobs must never run.
    let run = held.and_then(|()| match session.holds(process.handle())? {
        // SAFETY: the thread is the new process's first, and suspended.
        true if unsafe { ResumeThread(thread.as_raw_handle()) } != u32::MAX => Ok(()),
        true => Err(io::Error::last_os_error()),
        false => Err(io::Error::other("it is not in the session's job")),
    });
    match run {
        Ok(()) => Ok(process),
        Err(error) => {
            process.end();
            Err(error)
        }
    }
}

/// Whether a job of this program can keep its processes off the settings of the desktop: tried once, with a
/// program of Windows' own, because a shell that was itself started in a job may not be able to.
#[must_use]
pub fn limits_desktop() -> bool {
    static TRIED: OnceLock<bool> = OnceLock::new();
    *TRIED.get_or_init(|| {
        let tried = || {
            let job = Job::new(None, Limits { desktop: true, ..Limits::default() })?;
            let own = Job::new(None, Limits::default())?;
            let directory = system_directory();
            let program = Program {
                path: &directory.join("cmd.exe"),
                arguments: &["/c".to_owned(), "exit".to_owned()],
                environment: &environment(&directory),
                directory: &directory,
                desktop: None,
            };
            let _ = start(&program, &job, &own)?;
            job.end(TRY)
        };
        tried().is_ok()
    })
}

impl Process {
    /// The process behind a handle that another process has given.
    pub(super) fn of(handle: OwnedHandle, pid: u32) -> Self {
        Self { handle, pid }
    }

    /// Holds the process of this number; `None` where there is none, or it is another account's.
    #[must_use]
    pub fn hold(pid: u32) -> Option<Self> {
        let look = PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION;
        let access = look | PROCESS_TERMINATE | PROCESS_SYNCHRONIZE;
        [access, PROCESS_QUERY_LIMITED_INFORMATION].into_iter().find_map(|access| {
            // SAFETY: the call takes plain numbers.
            let handle = unsafe { OpenProcess(access, 0, pid) };
            // SAFETY: a handle that is not null is new and nobody else's.
            (!handle.is_null()).then(|| Self { handle: unsafe { OwnedHandle::from_raw_handle(handle) }, pid })
        })
    }

    /// Its handle.
    #[must_use]
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }

    /// When it was created, in units of 100 ns: with the pid, its name for ever.
    #[must_use]
    pub fn since(&self) -> Option<u64> {
        let [mut created, mut exited, mut kernel, mut own] = [FILETIME::default(); 4];
        let handle = self.handle.as_raw_handle();
        // SAFETY: the handle is open, and each answer has a place of its own.
        let told = unsafe {
            GetProcessTimes(handle, &raw mut created, &raw mut exited, &raw mut kernel, &raw mut own)
        };
        (told != 0).then(|| u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
    }

    /// Whether it has ended, in this time.
    #[must_use]
    pub fn ended(&self, patience: Duration) -> bool {
        let patience = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX - 1);
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.handle.as_raw_handle(), patience) == WAIT_OBJECT_0 }
    }

    /// Its exit code, where it has ended.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        let mut code = 0;
        // SAFETY: the handle is open and the answer has its place.
        let told = unsafe { GetExitCodeProcess(self.handle.as_raw_handle(), &raw mut code) };
        (told != 0 && self.ended(Duration::ZERO)).then_some(code)
    }

    /// Ends it; whether that came about tells [`Process::ended`].
    pub fn end(&self) {
        // SAFETY: the handle is open.
        let _ = unsafe { TerminateProcess(self.handle.as_raw_handle(), 1) };
    }
}

/// An environment as Windows takes it: in the order of its names, each ended by a zero, and one more.
fn block(environment: &[(String, String)]) -> Vec<u16> {
    let mut sorted: Vec<_> = environment.iter().collect();
    sorted.sort_by_key(|(name, _)| name.to_uppercase());
    let mut block: Vec<u16> = sorted
        .iter()
        .filter(|(name, _)| !name.is_empty() && !name.contains('='))
        .flat_map(|(name, value)| wide(format!("{name}={value}")))
        .collect();
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    block
}

/// The host's own variables that programs need and that tell nothing of an account.
const KEPT: [&str; 22] = [
    "ALLUSERSPROFILE",
    "CommonProgramFiles",
    "CommonProgramFiles(x86)",
    "CommonProgramW6432",
    "COMPUTERNAME",
    "ComSpec",
    "DriverData",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROCESSOR_IDENTIFIER",
    "PROCESSOR_LEVEL",
    "PROCESSOR_REVISION",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "ProgramW6432",
    "PUBLIC",
    "SystemDrive",
    "SystemRoot",
    "windir",
];

/// The environment of every program of a session whose profile is at `profile`: what the host has of
/// [`KEPT`], and every place where secrets collect pointing into the profile.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "what the host has of a short list is handed on")]
pub fn environment(profile: &Path) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        KEPT.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect();
    let place = profile.display().to_string();
    let below = |rest: &str| format!("{place}\\{rest}");
    let (drive, rest) = place.split_at(place.find('\\').unwrap_or(place.len()));
    let system = system_directory().display().to_string();
    let windows = windows_directory().display().to_string();
    let path = format!("{system};{windows};{system}\\Wbem;{system}\\WindowsPowerShell\\v1.0");
    let own = [
        ("APPDATA", below(r"AppData\Roaming")),
        ("HOMEDRIVE", drive.to_owned()),
        ("HOMEPATH", rest.to_owned()),
        ("LOCALAPPDATA", below(r"AppData\Local")),
        ("PATH", path),
        ("TEMP", below(r"AppData\Local\Temp")),
        ("TMP", below(r"AppData\Local\Temp")),
        ("USERNAME", "operator".to_owned()),
        ("USERPROFILE", place.clone()),
    ];
    all.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    all
}

/// Where Windows' own programs are.
#[must_use]
pub fn system_directory() -> PathBuf {
    // SAFETY: the call writes at most as many units as it is told of.
    directory(|place, room| unsafe { GetSystemDirectoryW(place, room) })
}

fn windows_directory() -> PathBuf {
    // SAFETY: the call writes at most as many units as it is told of.
    directory(|place, room| unsafe { GetWindowsDirectoryW(place, room) })
}

fn directory(ask: impl Fn(*mut u16, u32) -> u32) -> PathBuf {
    let mut place = [0_u16; 512];
    let length = ask(place.as_mut_ptr(), 512);
    let length = usize::try_from(length).unwrap_or(0);
    PathBuf::from(text(place.get(..length).unwrap_or_default()))
}

/// The file of a program: an absolute path as it is; a name among Windows' own programs, or as its installer
/// has registered it for the whole machine (`App Paths`). Never what happens to lie in a working directory.
///
/// # Errors
/// A fragment with the remedy.
pub fn find(command: &str) -> Result<PathBuf, String> {
    let path = Path::new(command);
    if path.is_absolute() {
        return if path.is_file() { Ok(path.to_owned()) } else { Err(format!("find {command}")) };
    }
    let missing = || {
        Err(format!("find {command}: it is not installed for the whole machine; name its file in the policy"))
    };
    if command.contains(['\\', '/', ':']) {
        return missing();
    }
    let name = if command.to_ascii_lowercase().ends_with(".exe") {
        command.to_owned()
    } else {
        format!("{command}.exe")
    };
    let own = system_directory().join(&name);
    if own.is_file() {
        return Ok(own);
    }
    registered(&name).filter(|path| path.is_file()).map_or_else(missing, Ok)
}

/// Where the installer of a program says that it is.
fn registered(name: &str) -> Option<PathBuf> {
    let key = wide(format!("SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\App Paths\\{name}"));
    let mut place = [0_u16; 1024];
    let mut size = u32::try_from(size_of_val(&place)).ok()?;
    // SAFETY: the key ends with a zero, and the answer is no larger than it is told.
    let answer = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            null(),
            RRF_RT_REG_SZ,
            null_mut(),
            place.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    let path = PathBuf::from(text(&place).trim_matches('"'));
    (answer == 0 && path.is_absolute()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_built_from_its_list_alone() {
        let all = environment(Path::new(r"C:\ProgramData\Cleanshift\run\s-1"));
        let of = |name: &str| all.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(of("HOMEDRIVE"), Some("C:"));
        assert_eq!(of("HOMEPATH"), Some(r"\ProgramData\Cleanshift\run\s-1"));
        assert_eq!(of("TEMP"), Some(r"C:\ProgramData\Cleanshift\run\s-1\AppData\Local\Temp"));
        assert!(of("SystemRoot").is_some(), "nothing starts without it");
        // What this test runs under has more than that.
        let foreign =
            std::env::vars().find(|(name, _)| !all.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)));
        assert!(foreign.is_some(), "the look is blind: the host has nothing that could be handed on");
    }

    #[test]
    fn a_block_is_sorted_and_ends_twice() {
        let pairs = [("b", "2"), ("A", "1"), ("=C:", "x"), ("", "y")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let units: Vec<u16> = "A=1\0b=2\0\0".encode_utf16().collect();
        assert_eq!(block(&pairs), units);
        assert_eq!(block(&[]), [0, 0]);
    }

    #[test]
    fn a_program_is_found_where_it_is_installed_and_nowhere_else() {
        assert!(find("cmd").unwrap().is_absolute());
        assert!(find("cmd.exe").is_ok());
        for missing in ["no-such-program", r"..\cmd.exe", "C:cmd.exe", r"C:\no\such.exe"] {
            assert!(find(missing).is_err(), "{missing}");
        }
    }
}
