//! `cleanshift-init`, PID 1 of a capsule: makes the capsule ready, starts apps, reaps, reports ends,
//! and ends with everything in it when the shell's end of the socket closes.
//!
//! It makes itself non-dumpable before anything else runs, because an app of the same uid could
//! otherwise take the socket by `pidfd_getfd` and speak in its name.

mod bus;
mod keyring;
pub mod look;
pub mod protocol;
pub mod redirect;
mod tokens;

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::MemfdFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use super::pace;
use protocol::{Begin, Launch, Order, Word};
use redirect::Redirect;
use tokens::Granted;

/// Where the private bus's configuration is bound.
pub const BUS_CONFIG: &str = "/session/bus.conf";
/// How often the keyring's alias is tried before the capsule counts as failed (every 20 ms).
const ALIAS_TRIES: u32 = 250;
/// How long the keyring may keep silent when the alias is tried.
const SILENCE: Duration = Duration::from_secs(2);
/// How much of a planter's report is told.
const REPORTED: u64 = 16 * 1024;
/// How much of what an app writes to stderr is kept, to say why it failed.
const TAIL: usize = 2048;

/// Apps that run: by pid, which app, and the tail of what it wrote to stderr.
type Running = Arc<Mutex<HashMap<i32, (u8, Arc<Mutex<Vec<u8>>>)>>>;

/// Runs PID 1 of a capsule. The socket to the shell is standard input.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(ended) = tokens::asked().or_else(super::plant::asked) {
        return ended;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cleanshift-init: failed to {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    harden()?;
    let socket = Arc::new(own_socket()?);
    tell(&socket, &Word::Hello);
    let Some(Order::Begin(begin)) = order(&socket)? else {
        return Err("be told how to begin".to_owned());
    };
    pace::set(begin.pace);
    limit(&begin)?;
    let running = Running::default();
    if let Err(what) = make_ready(&begin) {
        tell(&socket, &Word::Failed(what.clone()));
        return Err(what);
    }
    let redirect = match redirect(&begin, &socket) {
        Ok(redirect) => redirect,
        Err(what) => {
            tell(&socket, &Word::Failed(what.clone()));
            return Err(what);
        }
    };
    let mut granted = Granted::default();
    let reaper = (Arc::clone(&socket), Arc::clone(&running));
    drop(std::thread::spawn(move || reap(&reaper.0, &reaper.1)));
    // Tried before any app runs, so that none can be in the way of the answer.
    tell(&socket, &Word::Ready(super::reach::tried()));
    let mut copied = HashSet::new();
    // The end of the socket is the end of the capsule: PID 1 returns, and the kernel kills the rest.
    while let Some(order) = order(&socket)? {
        match order {
            Order::Begin(_) => {}
            Order::Launch(app) => {
                let number = app.app;
                if let Some(profile) = &app.profile
                    && copied.insert(profile.clone())
                    && let Err(why) = copy_profile(profile, &begin)
                {
                    tell(&socket, &Word::Ended { app: number, pid: 0, why: Some(why) });
                    continue;
                }
                match launch(&app, &begin, &granted, &running, &socket) {
                    Ok(()) => {}
                    Err(why) => tell(&socket, &Word::Ended { app: number, pid: 0, why: Some(why) }),
                }
            }
            Order::Hold(hold) => granted.hold(hold, &begin, &socket),
            Order::Offer(offer) => {
                if let Some(redirect) = &redirect {
                    redirect.offer(offer);
                }
            }
            Order::Whose(pid) => tell(&socket, &Word::Belongs { pid, app: whose(pid, &running) }),
            Order::Report => tell(&socket, &Word::Reported(report())),
            Order::Look(serial) => {
                let told = Arc::clone(&socket);
                let environment = begin.environment.clone();
                let look = move || tell(&told, &Word::Looked(serial, look::count(&environment)));
                // Where a program has used up every process, there is no thread for it: the look goes
                // without an answer, and PID 1 goes on.
                drop(std::thread::Builder::new().spawn(look));
            }
        }
    }
    Ok(())
}

/// The station's address in the capsule, where the policy has a sign-in that needs it. Bound before any app
/// starts, so that none can have it first.
fn redirect(begin: &Begin, socket: &Arc<OwnedFd>) -> Result<Option<Redirect>, String> {
    let told = Arc::clone(socket);
    let listen = || Redirect::listen(move |path| tell(&told, &Word::Returned(path)));
    begin.redirect.then(listen).transpose()
}

/// What a drill's planter has reported, as far as a message holds it.
fn report() -> String {
    let mut text = Vec::new();
    let read =
        std::fs::File::open(super::plant::REPORT).and_then(|file| file.take(REPORTED).read_to_end(&mut text));
    drop(read);
    String::from_utf8_lossy(&text).into_owned()
}

fn order(socket: &OwnedFd) -> Result<Option<Order>, String> {
    protocol::receive(socket).map_err(|error| format!("understand the shell: {error}"))
}

fn tell(socket: &OwnedFd, word: &Word) {
    let _ = protocol::send(socket, word);
}

/// Before anything of the session can run: nobody may look into this process, take its socket, or
/// find a keyring that the host still holds.
fn harden() -> Result<(), String> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("become unreadable to apps: {error}"))?;
    join_fresh_session_keyring()?;
    // A hard limit of 1, because 0 still feeds a core_pattern that is a pipe.
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) })
        .map_err(|error| format!("forbid core dumps: {error}"))?;
    // Under memory pressure the session's programs go first, the shell last.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    Ok(())
}

#[expect(unsafe_code, reason = "no crate in use wraps keyctl's join operation")]
fn join_fresh_session_keyring() -> Result<(), String> {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL) takes no memory of ours.
    let keyring = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0, 0, 0, 0) };
    // A kernel without keyrings has none to leave anything in.
    if keyring < 0 && std::io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS) {
        return Err(format!("join a fresh session keyring: {}", std::io::Error::last_os_error()));
    }
    Ok(())
}

/// Moves the socket away from standard input, so that no app inherits it.
fn own_socket() -> Result<OwnedFd, String> {
    let socket = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3)
        .map_err(|error| format!("take the socket to the shell: {error}"))?;
    let null = std::fs::File::open("/dev/null").map_err(|error| format!("open /dev/null: {error}"))?;
    rustix::stdio::dup2_stdin(&null).map_err(|error| format!("close standard input: {error}"))?;
    Ok(socket)
}

fn limit(begin: &Begin) -> Result<(), String> {
    let most = Some(u64::from(begin.processes));
    rustix::process::setrlimit(Resource::Nproc, Rlimit { current: most, maximum: most })
        .map_err(|error| format!("limit the number of processes: {error}"))
}

fn variable<'a>(begin: &'a Begin, name: &str) -> &'a str {
    begin.environment.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

#[expect(clippy::disallowed_methods, reason = "PID 1 of a capsule is where its programs are started")]
fn program(command: &str, begin: &Begin) -> Command {
    let mut program = Command::new(command);
    let _ = program
        .env_clear()
        .envs(begin.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    program
}

/// The private bus, the keyring whose default collection is in memory only, the window manager.
fn make_ready(begin: &Begin) -> Result<(), String> {
    let runtime = variable(begin, "XDG_RUNTIME_DIR").to_owned();
    for private in [variable(begin, "KRB5CCNAME").trim_start_matches("DIR:"), variable(begin, "GNUPGHOME")] {
        make_private(private)?;
    }
    make_private(&format!("{runtime}/keyring"))?;
    let address = variable(begin, "DBUS_SESSION_BUS_ADDRESS");
    let mut bus = program("/usr/bin/dbus-daemon", begin);
    let _ = bus.args([&format!("--config-file={BUS_CONFIG}"), &format!("--address={address}")]);
    let _ = bus.args(["--nofork", "--nopidfile", "--syslog-only"]).stderr(Stdio::null());
    forget(bus.spawn().map_err(|error| format!("start the private bus: {error}"))?);
    let socket = address.trim_start_matches("unix:path=");
    wait_for("the private bus", || std::path::Path::new(socket).exists())?;
    let mut keyring = program("/usr/bin/gnome-keyring-daemon", begin);
    let _ = keyring.args(["--foreground", "--unlock", "--components=secrets"]);
    let _ = keyring.arg(format!("--control-directory={runtime}/keyring"));
    let mut keyring = keyring
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("start the private keyring: {error}"))?;
    if let Some(mut password) = keyring.stdin.take() {
        let _ = password.write_all(look::random_password()?.as_bytes());
    }
    forget(keyring);
    // From here on secrets go into the collection that lives in memory only.
    let silence = format!("--reply-timeout={}", pace::patience(SILENCE).as_millis());
    wait_for("the private keyring", || {
        let alias = program("/usr/bin/dbus-send", begin)
            .args(["--session", "--print-reply", &silence, "--dest=org.freedesktop.secrets"])
            .args(["/org/freedesktop/secrets", "org.freedesktop.Secret.Service.SetAlias", "string:default"])
            .arg("objpath:/org/freedesktop/secrets/collection/session")
            .stderr(Stdio::null())
            .status();
        alias.is_ok_and(|status| status.success())
    })?;
    if let Some((command, arguments)) = begin.window_manager.split_first() {
        let mut windows = program(command, begin);
        let started = windows.args(arguments).stderr(Stdio::null()).spawn();
        forget(started.map_err(|error| format!("start the window manager: {error}"))?);
    }
    Ok(())
}

fn make_private(path: &str) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| format!("make {path}: {error}"))
}

fn wait_for(what: &str, ready: impl Fn() -> bool) -> Result<(), String> {
    for _ in 0..ALIAS_TRIES.saturating_mul(pace::times()) {
        if ready() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("make {what} ready in time"))
}

/// A child that [`reap`] waits for.
fn forget(child: Child) {
    drop(child);
}

/// Starts an app in a bwrap of its own inside the capsule, so that what differs between apps (their
/// network, the policies of their browsers) does not leak from one to the other.
fn launch(
    app: &Launch,
    begin: &Begin,
    granted: &Granted,
    running: &Running,
    socket: &OwnedFd,
) -> Result<(), String> {
    let mut command = program("/usr/bin/bwrap", begin);
    let _ = command.args(["--dev-bind", "/", "/"]);
    if !app.network {
        let _ = command.arg("--unshare-net");
    }
    let texts = bind_texts(&mut command, &app.files)?;
    let _ = command.arg("--").arg(&app.command).args(&app.arguments);
    let _ = command.envs(granted.environment()).envs(app.environment.iter().cloned());
    let _ = command.stderr(Stdio::piped());
    let _ = command.current_dir(variable(begin, "HOME"));
    let tail = Arc::new(Mutex::new(Vec::new()));
    // The lock is held over the start, so that the reaper cannot see the end before the name.
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = command.spawn().map_err(|error| format!("start {}: {error}", app.command))?;
    drop(texts);
    let pid = child.id();
    if let Some(stderr) = child.stderr.take() {
        let tail = Arc::clone(&tail);
        drop(std::thread::Builder::new().spawn(move || keep_tail(stderr, &tail)));
    }
    if let Ok(pid) = i32::try_from(pid) {
        let _ = running.insert(pid, (app.app, tail));
    }
    // Told under the lock too: the word of its end cannot come before that of its start.
    tell(socket, &Word::Started { app: app.app, pid });
    forget(child);
    Ok(())
}

/// Has bwrap bind these texts read-only over the files of these names, for this app alone. They come by
/// descriptors and lie in no file that another app could open; each is to be kept until bwrap runs.
fn bind_texts(command: &mut Command, files: &[(String, String)]) -> Result<Vec<OwnedFd>, String> {
    let mut texts = Vec::new();
    for (path, text) in files {
        let failed = |error: std::io::Error| format!("hand over {path}: {error}");
        // Inherited on purpose: bwrap reads it, and closes it before the app begins.
        let memory = rustix::fs::memfd_create("text", MemfdFlags::empty());
        let mut file = std::fs::File::from(memory.map_err(|error| failed(error.into()))?);
        file.write_all(text.as_bytes()).and_then(|()| file.rewind()).map_err(failed)?;
        let _ = command.args(["--ro-bind-data", &file.as_raw_fd().to_string(), path]);
        texts.push(file.into());
    }
    Ok(texts)
}

/// The app whose process this is, or whose process is among its forebears.
fn whose(mut pid: u32, running: &Running) -> Option<u8> {
    let running = running.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..32 {
        if let Some((app, _)) = i32::try_from(pid).ok().and_then(|pid| running.get(&pid)) {
            return Some(*app);
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        pid = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    }
    None
}

fn keep_tail(mut from: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let surplus = tail.len().saturating_sub(TAIL);
        drop(tail.drain(..surplus));
    }
}

/// Copies an app's golden profile into the home, before its first start in a session alone: what the
/// operator has changed since must not be undone by a second window.
fn copy_profile(profile: &str, begin: &Begin) -> Result<(), String> {
    copy_into(std::path::Path::new(profile), std::path::Path::new(variable(begin, "HOME")))
        .map_err(|error| format!("copy the profile: {error}"))
}

fn copy_into(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_into(&entry.path(), &target)?;
        } else if kind.is_file() {
            let _ = std::fs::copy(entry.path(), target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        }
    }
    Ok(())
}

/// Waits for every child, its own and those that others left to PID 1, and tells of apps that ended.
fn reap(socket: &OwnedFd, running: &Running) {
    loop {
        match rustix::process::wait(rustix::process::WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                let app = running.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid.as_raw_pid());
                if let Some((app, tail)) = app {
                    let pid = u32::try_from(pid.as_raw_pid()).unwrap_or(0);
                    tell(socket, &Word::Ended { app, pid, why: why(status, &tail) });
                }
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            // No child at all: even the bus is gone. There is nothing left to be PID 1 of.
            Err(_) => std::process::exit(1),
        }
    }
}

fn why(status: rustix::process::WaitStatus, tail: &Mutex<Vec<u8>>) -> Option<String> {
    let end = match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => return None,
        (Some(code), _) => format!("it ended with code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    };
    let tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&tail);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let last: String = last.chars().filter(|letter| !letter.is_control()).take(160).collect();
    Some(if last.is_empty() { end } else { format!("{end}: {last}") })
}
