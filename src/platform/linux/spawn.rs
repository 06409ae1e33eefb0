//! Starting programs from a thread that never ends.
//!
//! PR_SET_PDEATHSIG, and so bwrap's `--die-with-parent`, is tied to the *thread* that started the
//! program: from a thread of a pool, a session would die when the pool lets that thread go.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

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

/// A command with an empty environment but for what every program needs.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the platform is where programs are started")]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let _ = command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8");
    command
}
