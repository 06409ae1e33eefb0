//! What the shell asks of the host it runs on.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::display::outer::Outer;
use super::spawn;
use crate::ports::{PortError, Result};

/// Where the package puts the programs that nobody starts by hand.
pub const INSTALLED: &str = "/usr/lib/cleanshift";

/// What a screen says where nothing more is known of why the shell does not stay up.
pub const DOES_NOT_STAY_UP: &str =
    "The station's shell does not stay up. For IT: journalctl -u cleanshift -b\n";
/// Whose rights the shell refuses to have, and what to do instead.
pub const NOT_AS_ROOT: &str = "refuses to run as root: a session must not have the rights of the system.\n\
     help: start it as an ordinary account of its own";

/// Whether this process has the rights of the system.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root() || rustix::process::getuid().is_root()
}

/// The shell itself leaves no core, and no other program of the account may look into it: it is asked
/// PINs. A hard limit of 1, because 0 still feeds a core_pattern that is a pipe. `WAYLAND_DISPLAY` is
/// taken away because the screens are X11's.
pub fn harden() {
    // What is not dumpable gives its files in /proc to root, its own threads excepted.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
    forget_wayland();
}

#[expect(unsafe_code, reason = "the environment is changed before any thread is started")]
fn forget_wayland() {
    // SAFETY: called first thing in main, while this is the only thread.
    unsafe { std::env::remove_var("WAYLAND_DISPLAY") };
}

/// Writes the shell's own log to standard error; `CLEANSHIFT_LOG` chooses how much.
pub fn log_to_stderr() {
    crate::platform::log::to_stderr();
}

/// Lets a closed pipe end this process, as it ends other command-line programs.
#[expect(unsafe_code, reason = "the standard library ignores the signal, and no crate in use sets it")]
pub fn end_with_its_reader() {
    // SAFETY: the default action takes no memory of ours, and no other thread has been started.
    let _ = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Whether a keyring of the host can be asked without waiting for one to be started.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the host's session bus is named by the environment")]
pub fn has_keyring() -> bool {
    std::env::var("DBUS_SESSION_BUS_ADDRESS").is_ok_and(|address| !address.is_empty())
}

/// What the system or an administrator tells the shell: to stop.
pub struct Orders {
    terminate: Signal,
    interrupt: Signal,
}

impl Orders {
    /// Listens from now on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next order to stop.
    pub async fn to_stop(&mut self) {
        let _ = tokio::select! {
            got = self.terminate.recv() => got,
            got = self.interrupt.recv() => got,
        };
    }
}

/// Ends this process at once, as a loss of power would.
#[cfg(feature = "faults")]
pub fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// The account's name, for who did what.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "who works at the command line is named by the environment")]
pub fn account() -> String {
    let who =
        std::env::var("SUDO_USER").or_else(|_| std::env::var("LOGNAME")).or_else(|_| std::env::var("USER"));
    who.map_or_else(|_| "it".to_owned(), |who| format!("it:{who}"))
}

/// The program that becomes PID 1 of a capsule: beside the shell, else where the package puts it.
///
/// # Errors
/// When it is in neither place.
pub fn init_program() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|shell| Some(shell.parent()?.join("cleanshift-init")));
    beside
        .into_iter()
        .chain([Path::new(INSTALLED).join("cleanshift-init")])
        .find(|path| path.exists())
        .ok_or_else(|| {
            PortError::new(
                "find cleanshift-init beside the shell or in /usr/lib/cleanshift: install the package anew",
            )
        })
}

/// Starts the machine anew, by systemd.
///
/// # Errors
/// When systemd is not there or does not let this account.
pub fn restart() -> Result<()> {
    let failed = |why: String| PortError(format!("start the machine anew: {why}"));
    if !Path::new("/run/systemd/system").exists() {
        return Err(failed("systemd does not run here; switch it off and on".to_owned()));
    }
    let mut command = spawn::command("/usr/bin/systemctl");
    let _ = command.args(["--no-ask-password", "reboot"]).stdin(Stdio::null()).stdout(Stdio::null());
    let status = spawn::start(command).and_then(|mut child| child.wait());
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(failed("the system does not let this account".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The name of the account that this process runs as, where the host's own list has it.
#[must_use]
pub fn account_name() -> Option<String> {
    row().map(|(name, _)| name)
}

/// Whether a person can sign in to the account that this process runs as. There her own programs come
/// and go beside the station, and what they leave must be told from what a session leaves.
#[must_use]
pub fn shared_account() -> bool {
    static SHARED: OnceLock<bool> = OnceLock::new();
    *SHARED.get_or_init(|| {
        row().is_none_or(|(_, shell)| !shell.ends_with("/nologin") && !shell.ends_with("/false"))
    })
}

/// The account's name and shell.
fn row() -> Option<(String, String)> {
    let uid = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let own = fields.get(2)?.parse() == Ok(uid);
        own.then(|| Some(((*fields.first()?).to_owned(), (*fields.get(6)?).to_owned()))).flatten()
    })
}

/// The size of the station's screen, where there is a display.
#[must_use]
pub fn screen_size() -> Option<(u16, u16)> {
    Outer::open().ok().map(|outer| outer.size)
}
