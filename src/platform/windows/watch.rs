//! The watchdog, `cleanshift.exe --watch`: what Windows starts as the account's shell.
//!
//! It holds the shell's desktop, so that a shell that dies leaves a black screen and never a session; starts the
//! shell on it, and starts it again whenever it ends otherwise than by being told to stop. The shell is in a job
//! that ends with the watchdog: whoever ends the watchdog ends the shell and the session with it, and whoever
//! has started the watchdog (Windows, the service) starts all of it anew, covered.

#![expect(unsafe_code, reason = "programs are started on a desktop through the system's own calls")]

use std::ffi::OsString;
use std::io::{Error, Result};
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{
    CREATE_SUSPENDED, CreateProcessW, GetExitCodeProcess, INFINITE, PROCESS_INFORMATION, ResumeThread,
    STARTUPINFOW, TerminateProcess, WaitForSingleObject,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{GetSystemMetrics, SM_SHUTTINGDOWN};

use super::display::accessibility;
use super::display::desktop::{self, Desktop};
use super::wide::{command_line, wide};
use super::{host, places};

/// The argument that asks for the watchdog.
const WATCH: &str = "--watch";
/// How many ends within [`SPAN`] are too many.
const ENDS: usize = 3;
/// The time in which they count.
const SPAN: Duration = Duration::from_secs(60);
/// How long a screen that says "out of service" and ends is waited for before it is shown again.
const PAUSE: Duration = Duration::from_secs(2);

/// The shell's arguments, where this process was asked to watch.
#[must_use]
pub fn wanted() -> Option<Vec<OsString>> {
    let (watch, rest): (Vec<_>, Vec<_>) = std::env::args_os().skip(1).partition(|argument| argument == WATCH);
    (!watch.is_empty()).then_some(rest)
}

/// Watches over the shell, which gets these arguments, until it is told to stop.
#[must_use]
pub fn watch(arguments: &[OsString]) -> ExitCode {
    host::log_to_stderr();
    host::harden();
    match keep_up(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cleanshift: failed to watch over the shell: {error}");
            ExitCode::from(2)
        }
    }
}

fn keep_up(arguments: &[OsString]) -> Result<()> {
    let program = std::env::current_exe()?;
    let shell = desktop::shell().map_err(|error| Error::other(error.to_string()))?;
    let mut ends = Ends::default();
    loop {
        cover(&shell);
        let ended = Watched::start(&program, arguments, Some(&shell)).and_then(|child| child.wait());
        cover(&shell);
        match ended {
            // Told to stop. Where that was the machine's end, and it was called off, the station comes back.
            Ok(0) if is_ending() => std::thread::sleep(PAUSE),
            Ok(0) => return leave(arguments),
            ended => {
                let why = ended.map_or_else(|error| error.to_string(), |code| format!("code {code:#x}"));
                tracing::error!(why, "the shell has ended");
                if ends.are_too_many(now()) {
                    return out_of_service(&program, arguments, &shell, &why);
                }
            }
        }
    }
}

/// The screen that says so, until it is told to stop: the station stays covered.
fn out_of_service(program: &Path, arguments: &[OsString], shell: &Desktop, why: &str) -> Result<()> {
    let text = format!(
        "The station's shell does not stay up: it has ended {ENDS} times within a minute, the last time with {why}.\n\
         For IT: run `cleanshiftctl doctor` as an administrator, mend what it tells, and restart the machine.\n"
    );
    let file = std::env::temp_dir().join("cleanshift-out-of-service.txt");
    // A file that cannot be written is said too: the screen has words of its own for that.
    let _ = std::fs::write(&file, text);
    let mut all: Vec<OsString> = arguments.iter().filter(|argument| *argument != "--demo").cloned().collect();
    all.extend([OsString::from("--out-of-service"), file.into_os_string()]);
    loop {
        if let Ok(0) = Watched::start(program, &all, Some(shell)).and_then(|child| child.wait()) {
            return leave(arguments);
        }
        cover(shell);
        std::thread::sleep(PAUSE);
    }
}

/// Gives back what the shell had: its exit is at once, and puts nothing back itself.
fn leave(arguments: &[OsString]) -> Result<()> {
    let state = state_of(arguments).unwrap_or_else(places::state);
    if let Err(error) = accessibility::restore(&places::runtime(&state)) {
        tracing::warn!(%error, "the shortcuts of accessibility stay off until the account signs in again");
    }
    desktop::leave().map_err(|error| Error::other(error.to_string()))
}

/// The state directory that the shell's arguments name, in either way of naming it.
fn state_of(arguments: &[OsString]) -> Option<PathBuf> {
    let joined =
        arguments.iter().find_map(|argument| argument.to_str()?.strip_prefix("--state=").map(PathBuf::from));
    let mut rest = arguments.iter().skip_while(|argument| *argument != "--state").skip(1);
    joined.or_else(|| rest.next().map(PathBuf::from))
}

fn cover(shell: &Desktop) {
    if let Err(error) = shell.switch_to() {
        tracing::error!(%error, "failed to cover the station");
    }
}

/// Whether the machine, or the sign-in of this account, is ending.
fn is_ending() -> bool {
    // SAFETY: takes a number and only reads.
    unsafe { GetSystemMetrics(SM_SHUTTINGDOWN) != 0 }
}

fn now() -> Duration {
    // SAFETY: takes nothing and only reads.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// When the shell has ended without being told to.
#[derive(Default)]
struct Ends(Vec<Duration>);

impl Ends {
    /// Counts one more, now; whether there were too many within the time that counts.
    fn are_too_many(&mut self, now: Duration) -> bool {
        self.0.push(now);
        self.0.retain(|end| now.saturating_sub(*end) < SPAN);
        self.0.len() >= ENDS
    }
}

/// A program that ends with this value.
pub(crate) struct Watched {
    process: OwnedHandle,
    /// Held, and nothing else: it ends with this.
    _job: OwnedHandle,
}

impl Watched {
    /// Starts it, on a desktop where one is named; nothing that this process holds is handed on.
    pub(crate) fn start(program: &Path, arguments: &[OsString], on: Option<&Desktop>) -> Result<Self> {
        let job = job()?;
        let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let mut line = wide(command_line(&program.to_string_lossy(), &words));
        let program = wide(program);
        let mut desktop = on.map(|on| wide(&on.startup_name()));
        let startup = STARTUPINFOW {
            cb: u32::try_from(size_of::<STARTUPINFOW>()).unwrap_or_default(),
            lpDesktop: desktop.as_mut().map_or(std::ptr::null_mut(), |name| name.as_mut_ptr()),
            ..STARTUPINFOW::default()
        };
        let mut made = PROCESS_INFORMATION::default();
        // SAFETY: every text ends with a zero, and all of them outlive the call; the handles that it makes are
        // owned at once. The program does not run before it is in the job.
        unsafe {
            let started = CreateProcessW(
                program.as_ptr(),
                line.as_mut_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                0,
                CREATE_SUSPENDED,
                std::ptr::null(),
                std::ptr::null(),
                &raw const startup,
                &raw mut made,
            );
            if started == 0 {
                return Err(Error::last_os_error());
            }
            let process = OwnedHandle::from_raw_handle(made.hProcess);
            let thread = OwnedHandle::from_raw_handle(made.hThread);
            let held = AssignProcessToJobObject(job.as_raw_handle(), process.as_raw_handle()) != 0;
            if !held || ResumeThread(thread.as_raw_handle()) == u32::MAX {
                let error = Error::last_os_error();
                let _ = TerminateProcess(process.as_raw_handle(), 1);
                return Err(error);
            }
            Ok(Self { process, _job: job })
        }
    }

    /// Waits until it has ended: its exit code.
    pub(crate) fn wait(&self) -> Result<u32> {
        let mut code = 0;
        // SAFETY: the handle is this value's own.
        unsafe {
            let _ = WaitForSingleObject(self.process.as_raw_handle(), INFINITE);
            let got = GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code);
            if got == 0 { Err(Error::last_os_error()) } else { Ok(code) }
        }
    }
}

/// A job whose process ends when its last handle closes: with this process, whatever ends it. What that process
/// starts is not in it: a session's own job, which ends with the shell, has limits for windows, and Windows takes
/// nobody into such a job who is in another.
fn job() -> Result<OwnedHandle> {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags =
        JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
    // SAFETY: the handle is owned at once; the structure says its size and outlives the call.
    unsafe {
        let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        if job.is_null() {
            return Err(Error::last_os_error());
        }
        let job = OwnedHandle::from_raw_handle(job);
        let size = u32::try_from(size_of_val(&limits)).unwrap_or_default();
        let what = JobObjectExtendedLimitInformation;
        if SetInformationJobObject(job.as_raw_handle(), what, (&raw const limits).cast(), size) == 0 {
            return Err(Error::last_os_error());
        }
        Ok(job)
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    fn command_shell() -> std::path::PathBuf {
        Path::new(r"C:\windows\system32\cmd.exe").to_owned()
    }

    fn list(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn three_ends_within_a_minute_are_too_many_and_three_in_an_hour_are_not() {
        let mut ends = Ends::default();
        let seconds = |seconds: [u64; 3]| seconds.map(Duration::from_secs);
        assert_eq!(seconds([100, 110, 159]).map(|at| ends.are_too_many(at)), [false, false, true]);
        let mut ends = Ends::default();
        assert_eq!(seconds([100, 161, 222]).map(|at| ends.are_too_many(at)), [false, false, false]);
    }

    #[test]
    fn the_state_is_where_the_shell_was_told() {
        let state = Some(PathBuf::from(r"C:\state"));
        assert_eq!(state_of(&list(&["--demo", "--state", r"C:\state"])), state);
        assert_eq!(state_of(&list(&[r"--state=C:\state", "--demo"])), state);
        assert_eq!(state_of(&list(&["--demo"])), None);
    }

    #[test]
    fn how_a_program_ended_is_known() {
        for code in [0, 3] {
            let told = ["/c", "exit", &code.to_string()].map(OsString::from);
            let ended = Watched::start(&command_shell(), &told, None).and_then(|child| child.wait());
            assert_eq!(ended.ok(), Some(code));
        }
        assert!(Watched::start(Path::new(r"C:\no\such.exe"), &[], None).is_err());
    }

    #[test]
    fn what_is_watched_ends_with_the_watchdog() -> Result<()> {
        let child = Watched::start(Path::new(r"C:\windows\system32\notepad.exe"), &[], None)?;
        let Watched { process, _job: job } = child;
        // SAFETY: the handle is open.
        let runs = |process: &OwnedHandle| unsafe { WaitForSingleObject(process.as_raw_handle(), 300) } != 0;
        assert!(runs(&process), "it has ended by itself");
        // As the system does when the process that holds the job is ended.
        drop(job);
        // SAFETY: the handle is open.
        let gone = unsafe { WaitForSingleObject(process.as_raw_handle(), 5000) } == 0;
        assert!(gone, "it runs on");
        Ok(())
    }
}
