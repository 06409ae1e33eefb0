//! The nested X server of one session: Xephyr inside the shell's container, confined to its own
//! namespaces, with its own cookie, and killed with its session.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::cookie;
use crate::platform::linux::capsule::{private_dir, readable};
use crate::platform::linux::{pace, spawn};
use crate::ports::{PortError, Result};

/// How long the server may take to be ready.
const READY: Duration = Duration::from_secs(8);
/// How long its end may take.
const GONE: Duration = Duration::from_secs(5);

/// A nested X server that runs.
pub struct Nested {
    server: OwnedFd,
    confinement: Child,
    /// The directory of its socket.
    pub sockets: PathBuf,
    /// Its number.
    pub number: u32,
    /// Its cookie file.
    pub cookie_file: PathBuf,
    /// Its cookie.
    pub cookie: Vec<u8>,
}

impl Nested {
    /// Starts a nested server in `container`, a window of display `outer`.
    ///
    /// # Errors
    /// A fragment that says what did not come up.
    pub fn start(run_dir: &Path, outer: u32, container: u32) -> Result<Self> {
        let number = if outer == 1 { 2 } else { 1 };
        let sockets = run_dir.join("x11");
        let cookie_file = run_dir.join("xauthority");
        let failed = |error: std::io::Error| PortError(format!("make the nested display's files: {error}"));
        let _ = std::fs::remove_dir(&sockets);
        private_dir(&sockets).map_err(failed)?;
        for stale in std::fs::read_dir(&sockets).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(stale.path());
        }
        let cookie = cookie::make(&cookie_file, number).map_err(failed)?;
        let mut command = spawn::command("/usr/bin/bwrap");
        let _ = command.args(confinement(&sockets, &cookie_file, outer));
        let _ = command.args(["/usr/bin/Xephyr", &format!(":{number}"), "-parent", &container.to_string()]);
        let _ = command.args(["-no-host-grab", "-nolisten", "tcp", "-nolisten", "local", "-noreset", "-br"]);
        let _ = command.args(["-auth", "/run/cookie", "-displayfd", "1"]);
        // bwrap closes the descriptor on which it tells the server's pid. Standard input is the one that
        // the server can do without.
        let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|error| PortError(format!("start Xephyr: {error}")))?;
        let _ = command.stdin(Stdio::from(tell)).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut confinement =
            spawn::start(command).map_err(|error| PortError(format!("start Xephyr: {error}")))?;
        match ready(&mut confinement, told) {
            Ok(server) => Ok(Self { server, confinement, sockets, number, cookie_file, cookie }),
            Err(error) => {
                let _ = confinement.kill();
                let _ = confinement.wait();
                let _ = std::fs::remove_file(&cookie_file);
                Err(error)
            }
        }
    }

    /// The path of its socket on the host.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.sockets.join(format!("X{}", self.number))
    }

    /// Ends it and waits for the kernel's proof.
    ///
    /// # Errors
    /// When the proof does not come.
    pub fn kill(&mut self) -> Result<()> {
        let _ = pidfd_send_signal(&self.server, Signal::KILL);
        if !readable(&self.server, pace::patience(GONE)) {
            return Err(PortError::new("end the nested display: the kernel does not confirm it"));
        }
        let _ = self.confinement.kill();
        let _ = self.confinement.wait();
        let _ = std::fs::remove_file(self.socket());
        let _ = std::fs::remove_file(&self.cookie_file);
        Ok(())
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Xephyr sees the system's programs, the outer display's socket and cookie, and its own socket
/// directory: no network, no home, no state.
#[expect(clippy::disallowed_methods, reason = "the outer display's cookie is named by the environment")]
fn confinement(sockets: &Path, cookie_file: &Path, outer: u32) -> Vec<String> {
    let sockets = sockets.display().to_string();
    let cookie_file = cookie_file.display().to_string();
    let socket = format!("/tmp/.X11-unix/X{outer}");
    let mut list: Vec<String> = [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-net",
        "--die-with-parent",
        "--new-session",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/bin",
        "/bin",
        "--symlink",
        "usr/lib",
        "/lib",
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--ro-bind-try",
        "/etc/ld.so.cache",
        "/etc/ld.so.cache",
        "--ro-bind-try",
        "/etc/X11/xkb",
        "/etc/X11/xkb",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        "--tmpfs",
        "/var/lib/xkb",
        "--bind",
        &sockets,
        "/tmp/.X11-unix",
        "--ro-bind",
        &socket,
        &socket,
        "--ro-bind",
        &cookie_file,
        "/run/cookie",
        "--setenv",
        "DISPLAY",
        &format!(":{outer}"),
    ]
    .map(str::to_owned)
    .to_vec();
    if let Some(outer_cookie) = std::env::var("XAUTHORITY").ok().filter(|path| Path::new(path).exists()) {
        list.extend(["--ro-bind".to_owned(), outer_cookie, "/run/outer-cookie".to_owned()]);
        list.extend(["--setenv", "XAUTHORITY", "/run/outer-cookie"].map(str::to_owned));
    }
    list.extend(["--info-fd", "0", "--as-pid-1", "--"].map(str::to_owned));
    list
}

/// Waits until the server says that it is ready; answers a hold on it.
fn ready(confinement: &mut Child, told: OwnedFd) -> Result<OwnedFd> {
    let failed = || PortError::new("start the nested display");
    let number = confinement.stdout.take().ok_or_else(failed)?;
    let note = first_line(std::fs::File::from(told), "\"child-pid\"").ok_or_else(failed)?;
    let digits: String = note.chars().filter(char::is_ascii_digit).collect();
    let pid = digits.parse().ok().and_then(Pid::from_raw).ok_or_else(failed)?;
    let server = pidfd_open(pid, PidfdFlags::empty())
        .map_err(|error| PortError(format!("hold the nested display: {error}")))?;
    first_line(number, "").map(|_| server).ok_or_else(failed)
}

/// The first line that has `mark` in it, waited for a bounded time.
fn first_line(from: impl std::io::Read + Send + 'static, mark: &'static str) -> Option<String> {
    let (said, heard) = std::sync::mpsc::channel();
    drop(std::thread::spawn(move || {
        let mut lines = BufReader::new(from).lines().map_while(std::result::Result::ok);
        let _ = said.send(lines.find(|line| !line.is_empty() && line.contains(mark)));
        // Read on to the end: whoever still writes would be ended by a pipe that nobody reads.
        lines.for_each(drop);
    }));
    heard.recv_timeout(pace::patience(READY)).ok().flatten()
}
