//! Starting programs from a thread that never ends.
//!
//! PR_SET_PDEATHSIG, and so bwrap's `--die-with-parent`, is tied to the *thread* that started the
//! program: from a thread of a pool, a session would die when the pool lets that thread go.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::clock::monotonic;
use super::pace;

type Request = (Command, Sender<io::Result<Child>>);

/// Starts a program whose life is tied to this process.
///
/// # Errors
/// Those of [`Command::spawn`].
pub fn start(command: Command) -> io::Result<Child> {
    static THREAD: OnceLock<Mutex<Sender<Request>>> = OnceLock::new();
    let requests = THREAD.get_or_init(|| {
        let (requests, queue) = channel::<Request>();
        drop(std::thread::spawn(move || {
            for (mut command, answer) in queue {
                let _ = answer.send(command.spawn());
            }
        }));
        Mutex::new(requests)
    });
    let (answer, answered) = channel();
    let gone = || io::Error::other("the starting thread is gone");
    requests.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer)).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// The most that is heard of a program: what a pipe holds.
const MOST: usize = 65_536;

/// How long a program that only clears something may take.
const PATIENCE: Duration = Duration::from_millis(800);

/// Runs a program that clears something, for a bounded time; what it came to is looked at afterwards.
/// One that is not installed has nothing to clear.
pub(super) fn run(words: &[&str]) {
    bounded(words, Stdio::null());
}

/// The same: what it said, as far as a pipe holds it.
pub(super) fn answer(words: &[&str]) -> String {
    let Ok((mut told, telling)) = io::pipe() else { return String::new() };
    bounded(words, telling.into());
    let mut text = vec![0; MOST];
    // A child that it left may hold the other end open: what is there now is all.
    let there = super::capsule::readable(&told, Duration::ZERO);
    let read = if there { told.read(&mut text).unwrap_or(0) } else { 0 };
    text.truncate(read);
    String::from_utf8_lossy(&text).into_owned()
}

/// Runs a program for a bounded time and answers what it printed, as far as a pipe holds it. Root can have it
/// run as another account, by user and group and without any other group.
///
/// # Errors
/// The last line that it said where it failed, or why it could not be run.
pub fn heard(account: Option<(u32, u32)>, words: &[&str], patience: Duration) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("no program".to_owned()) };
    let pipes = io::pipe().and_then(|out| Ok((out, io::pipe()?)));
    let ((out, print), (complaints, complain)) = pipes.map_err(|error| error.to_string())?;
    let mut command = command(program);
    // Some programs keep a log of their own at home, even to tell their version: below no directory they cannot.
    let _ = command.env("HOME", "/dev/null");
    let _ = command.args(arguments).stdin(Stdio::null()).stdout(print).stderr(complain);
    if let Some((user, group)) = account {
        let _ = command.uid(user).gid(group).current_dir("/");
    }
    let mut child = start(command).map_err(|error| format!("{program}: {error}"))?;
    let until = monotonic().saturating_add(patience);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if monotonic() < until => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{program} did not end in time"));
            }
        }
    };
    if status.success() {
        return Ok(there(out));
    }
    let said = there(complaints);
    let line = said.lines().rfind(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned());
    Err(line.unwrap_or_else(|| format!("{program}: {status}")))
}

/// What lies in a pipe now: whoever still holds its other end is not waited for.
fn there(mut pipe: io::PipeReader) -> String {
    let mut text = vec![0; MOST];
    let mut filled = 0;
    while super::capsule::readable(&pipe, Duration::ZERO)
        && let Some(rest) = text.get_mut(filled..)
        && let Ok(read @ 1..) = pipe.read(rest)
    {
        filled += read;
    }
    text.truncate(filled);
    String::from_utf8_lossy(&text).into_owned()
}

fn bounded(words: &[&str], out: Stdio) {
    let Some((program, arguments)) = words.split_first() else { return };
    let mut command = command(program);
    let _ = command.args(arguments).stdin(Stdio::null()).stdout(out).stderr(Stdio::null());
    // What belongs to the account is found by its runtime directory.
    let runtime = std::env::var_os("XDG_RUNTIME_DIR");
    let _ = command.envs(runtime.map(|runtime| ("XDG_RUNTIME_DIR", runtime)));
    let Ok(mut child) = start(command) else { return };
    let until = monotonic().saturating_add(pace::patience(PATIENCE));
    while matches!(child.try_wait(), Ok(None)) {
        if monotonic() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A command with an empty environment but for what every program needs.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the platform is where programs are started")]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let _ = command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8");
    command
}
