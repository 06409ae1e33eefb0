//! The service's side of the pipe: one shell at a time, one account at a time. When the shell has gone,
//! however that came about, its account is deleted.

#![expect(
    unsafe_code,
    reason = "pipes with access lists and programs of other accounts are the system's own calls"
)]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::windows::io::{AsRawHandle as _, FromRawHandle, HandleOrInvalid, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle, ERROR_PIPE_CONNECTED, HANDLE};
use windows_sys::Win32::Security::{ImpersonateLoggedOnUser, RevertToSelf, SECURITY_ATTRIBUTES};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::Environment::{CreateEnvironmentBlock, DestroyEnvironmentBlock};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, GetNamedPipeClientProcessId, PIPE_READMODE_BYTE,
    PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_WAIT,
};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, PROCESS_DUP_HANDLE, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::pool::{self, Account};
use super::protocol::{self, Ask, PIPE, Start, Told, USED};
use crate::platform::windows::capsule::PROFILE;
use crate::platform::windows::job::{Job, done};
use crate::platform::windows::security::{Descriptor, Sid};
use crate::platform::windows::spawn::{self, Program};
use crate::platform::windows::wide::{text, wide};

/// How many bytes of a message the pipe keeps.
const ROOM: u32 = 64 << 10;

/// The shell that has come.
struct Shell {
    process: OwnedHandle,
    session: u32,
}

/// Serves shells of this account until the pipe cannot be made.
///
/// # Errors
/// When it cannot: another program has made it, or the system refuses.
pub(super) fn serve(station: &Sid) -> io::Result<()> {
    let left = pool::sweep()?;
    if left > 0 {
        tracing::warn!(left, "accounts of sessions were left, and are deleted");
    }
    listen(&make(station)?)
}

/// Converses with one shell after another.
fn listen(pipe: &OwnedHandle) -> io::Result<()> {
    loop {
        // The same instance again and again: nobody else can ever make one.
        let mut conversation = connect(pipe)?;
        if let Err(error) = converse(&mut conversation) {
            tracing::warn!(%error, "a conversation with the shell has ended");
        }
        // SAFETY: the pipe is open.
        let _ = unsafe { windows_sys::Win32::System::Pipes::DisconnectNamedPipe(pipe.as_raw_handle()) };
    }
}

/// Makes the pipe: it is the system's, whose word the shell takes for it, the station's account reads and
/// writes, and nobody else anything.
fn make(station: &Sid) -> io::Result<OwnedHandle> {
    make_with(&Descriptor::parse(&format!("O:SYD:P(A;;GA;;;SY)(A;;{USED:#x};;;{})", station.text()?))?)
}

fn make_with(rights: &Descriptor) -> io::Result<OwnedHandle> {
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?,
        lpSecurityDescriptor: rights.as_ptr(),
        bInheritHandle: 0,
    };
    let name = wide(PIPE);
    let mode = PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS;
    let access = PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE;
    // SAFETY: the name ends with a zero; it and the attributes outlive the call.
    let pipe =
        unsafe { CreateNamedPipeW(name.as_ptr(), access, mode, 1, ROOM, ROOM, 0, &raw const attributes) };
    // SAFETY: the handle is new and nobody else's.
    unsafe { HandleOrInvalid::from_raw_handle(pipe) }.try_into().map_err(|_| io::Error::last_os_error())
}

/// Waits for the next shell.
fn connect(pipe: &OwnedHandle) -> io::Result<File> {
    // SAFETY: the pipe is open, and is waited for here.
    match done(unsafe { ConnectNamedPipe(pipe.as_raw_handle(), null_mut()) }) {
        Err(error) if error.raw_os_error() != i32::try_from(ERROR_PIPE_CONNECTED).ok() => Err(error),
        _ => Ok(File::from(pipe.try_clone()?)),
    }
}

impl Shell {
    fn of(pipe: &File) -> io::Result<Self> {
        let (mut pid, mut session) = (0, 0);
        // SAFETY: the pipe is open, the answers have their places, and the new handle is nobody else's.
        let process = unsafe {
            done(GetNamedPipeClientProcessId(pipe.as_raw_handle(), &raw mut pid))?;
            done(ProcessIdToSessionId(pid, &raw mut session))?;
            let process = OpenProcess(PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
            if process.is_null() {
                return Err(io::Error::last_os_error());
            }
            OwnedHandle::from_raw_handle(process)
        };
        Ok(Self { process, session })
    }

    /// The service's own handle of a job of the shell's.
    fn job(&self, handle: u64) -> io::Result<Job> {
        let handle = usize::try_from(handle).map_err(io::Error::other)?;
        let mut own: HANDLE = null_mut();
        // SAFETY: both processes are open; what the handle is of is found out when it is used.
        unsafe {
            done(DuplicateHandle(
                self.process.as_raw_handle(),
                std::ptr::without_provenance_mut(handle),
                GetCurrentProcess(),
                &raw mut own,
                0,
                0,
                DUPLICATE_SAME_ACCESS,
            ))?;
            Ok(Job::of(OwnedHandle::from_raw_handle(own)))
        }
    }

    /// Gives the shell a handle of a process.
    fn give(&self, process: &spawn::Process) -> io::Result<u64> {
        let mut theirs: HANDLE = null_mut();
        // SAFETY: both processes and the handle are open.
        done(unsafe {
            DuplicateHandle(
                GetCurrentProcess(),
                process.handle().as_raw_handle(),
                self.process.as_raw_handle(),
                &raw mut theirs,
                0,
                0,
                DUPLICATE_SAME_ACCESS,
            )
        })?;
        u64::try_from(theirs.addr()).map_err(io::Error::other)
    }
}

fn converse(pipe: &mut File) -> io::Result<()> {
    let shell = Shell::of(pipe)?;
    let mut lent: Option<Account> = None;
    let outcome = loop {
        let ask = match protocol::receive::<Ask>(pipe) {
            Ok(Some(ask)) => ask,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let told = answer(ask, &shell, &mut lent).unwrap_or_else(|error| Told::Failed(error.to_string()));
        if let Err(error) = protocol::send(pipe, &told) {
            break Err(error);
        }
    };
    // The shell's job has ended with its last handle; what is left is the account.
    if let Some(account) = lent.take() {
        let _ = account.end()?;
    }
    outcome
}

fn answer(ask: Ask, shell: &Shell, lent: &mut Option<Account>) -> io::Result<Told> {
    match ask {
        Ask::Lend => {
            if lent.is_some() {
                return Err(io::Error::other("an account is lent already"));
            }
            // What could not be deleted before is tried again, before another is made.
            let _ = pool::sweep()?;
            let account = Account::make(shell.session)?;
            let sid = account.sid.clone();
            *lent = Some(account);
            Ok(Told::Lent(sid))
        }
        Ask::Start(order) => {
            order.check().map_err(io::Error::other)?;
            let account = lent.as_ref().ok_or_else(|| io::Error::other("no account is lent"))?;
            let process = start(&order, account, shell)?;
            Ok(Told::Started(process.pid, shell.give(&process)?))
        }
        Ask::End => {
            // What cannot be deleted is found by the next sweep, by its name.
            let Some(account) = lent.take() else {
                return pool::sweep().map(|_| Told::Ended(", no account".to_owned()));
            };
            account.end().map(Told::Ended)
        }
    }
}

/// Starts a program under the lent account, in the shell's jobs.
fn start(order: &Start, account: &Account, shell: &Shell) -> io::Result<spawn::Process> {
    let [session, own] = order.jobs;
    let (session, own) = (shell.job(session)?, shell.job(own)?);
    let profile = account.profile();
    as_account(account, || order.files.iter().try_for_each(|(place, content)| lay(profile, place, content)))?;
    let mut environment = environment(account)?;
    for (name, value) in &order.environment {
        environment.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        environment.push((name.clone(), value.clone()));
    }
    let place = profile.display().to_string();
    let arguments: Vec<String> =
        order.arguments.iter().map(|argument| argument.replace(PROFILE, &place)).collect();
    let program = Program {
        path: Path::new(&order.program),
        arguments: &arguments,
        environment: &environment,
        directory: profile,
        desktop: Some(&order.desktop),
    };
    spawn::start_as(&program, Some(account.token()), &session, &own)
}

/// Does something with the rights of the account alone: a path that leads elsewhere leads it no further than
/// its own programs.
fn as_account<T>(account: &Account, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // SAFETY: the token is open.
    done(unsafe { ImpersonateLoggedOnUser(account.token()) })?;
    let outcome = work();
    // SAFETY: takes nothing.
    if unsafe { RevertToSelf() } == 0 {
        // This thread must not go on as somebody else.
        std::process::abort();
    }
    outcome
}

fn lay(profile: &Path, place: &str, content: &str) -> io::Result<()> {
    let path = profile.join(place);
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(content.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The environment that Windows has for the account.
fn environment(account: &Account) -> io::Result<Vec<(String, String)>> {
    let mut block = null_mut();
    // SAFETY: the token is open and the answer has its place.
    done(unsafe { CreateEnvironmentBlock(&raw mut block, account.token(), 0) })?;
    let mut found = Vec::new();
    let mut place: *const u16 = block.cast();
    loop {
        let mut units = Vec::new();
        // SAFETY: the block is a row of texts that end with a zero, and ends with an empty one.
        unsafe {
            while *place != 0 {
                units.push(*place);
                place = place.add(1);
            }
            place = place.add(1);
        }
        if units.is_empty() {
            break;
        }
        if let Some((name, value)) = text(&units).split_once('=') {
            found.push((name.to_owned(), value.to_owned()));
        }
    }
    // SAFETY: the block came from the call above and is used no more.
    let _ = unsafe { DestroyEnvironmentBlock(block) };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::os::windows::fs::OpenOptionsExt as _;
    use std::time::Duration;

    use super::*;
    use crate::platform::windows::account;
    use crate::platform::windows::clock::monotonic;

    /// The next conversation: the one before may not be over yet.
    fn client() -> File {
        let until = monotonic() + Duration::from_secs(20);
        loop {
            match OpenOptions::new().access_mode(USED).open(PIPE) {
                Ok(pipe) => return pipe,
                Err(error) => assert!(monotonic() < until, "the service takes nobody any more: {error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The service itself, as it listens, though not as the system's account: what it does with accounts is shown on
    /// Windows by hand.
    #[test]
    fn the_service_hears_orders_alone_and_the_shell_hears_the_system_alone() {
        let rights = format!("D:P(A;;GA;;;{})", Sid::own().unwrap().text().unwrap());
        let rights = Descriptor::parse(&rights).unwrap();
        let pipe = make_with(&rights).unwrap();
        assert!(make_with(&rights).is_err(), "a second program could answer in its place");
        drop(std::thread::spawn(move || listen(&pipe)));
        let mut shell = client();
        protocol::send(&mut shell, &Ask::Start(Box::new(order()))).unwrap();
        let Some(Told::Failed(why)) = protocol::receive(&mut shell).unwrap() else {
            unreachable!("it was done")
        };
        assert_eq!(why, "no account is lent");
        let mut bad = order();
        bad.program = "x.exe".to_owned();
        protocol::send(&mut shell, &Ask::Start(Box::new(bad))).unwrap();
        let Some(Told::Failed(why)) = protocol::receive(&mut shell).unwrap() else {
            unreachable!("it was done")
        };
        assert_eq!(why, "the program is no absolute path");
        drop(shell);
        // What is no message ends the conversation, and only that.
        let mut hostile = client();
        hostile.write_all(&[255; 64]).unwrap();
        assert!(protocol::receive::<Told>(&mut hostile).map_or(true, |told| told.is_none()));
        drop(hostile);
        let mut shell = client();
        protocol::send(&mut shell, &Ask::Start(Box::new(order()))).unwrap();
        assert!(matches!(protocol::receive(&mut shell).unwrap(), Some(Told::Failed(_))));
        drop(shell);
        // The shell takes no account from a pipe that is not the system's.
        let until = monotonic() + Duration::from_secs(20);
        let refused = loop {
            match account::lend() {
                Err(error) if error.0.contains("another program answers") => break error.0,
                Err(error) => assert!(monotonic() < until, "{error}"),
                Ok(_) => unreachable!("an account of nobody's was taken"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(refused.contains("mode = \"sweep\""), "{refused}");
    }

    fn order() -> Start {
        Start {
            program: r"C:\Windows\System32\cmd.exe".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            files: Vec::new(),
            desktop: String::new(),
            jobs: [0, 0],
        }
    }
}
