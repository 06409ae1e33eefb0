//! The capsule: one disposable world of namespaces below one init, built while the station is
//! vacant, used once, and ended as one thing.
//!
//! Its end is a SIGKILL through a pidfd of its init; that pidfd becoming readable is the kernel's
//! proof that every process in its PID namespace is gone (zap_pid_ns_processes waits for them all).

use std::fs;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg,
    socketpair, sockopt,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::cgroup::{Delegated, Group};
use super::init::protocol::{self, Begin, Hold, Launch, Offer, Order, Word, is_return};
use super::network::Network;
use super::pace;
use super::root::{COOKIE, HOME, RUNTIME, Root, WINDOW_MANAGER};
use super::spawn;
use super::visit::{Held, Holding};
use crate::policy::CapsulePolicy;
use crate::ports::{Destroyed, PortError, Result, Secret};

/// How long a capsule may take to become ready.
const READY: Duration = Duration::from_secs(9);
/// How long the kernel may take to prove its end.
const GONE: Duration = Duration::from_secs(8);
/// How long a look inside may take before the capsule is destroyed without it.
const LOOK: Duration = Duration::from_millis(350);

/// What a capsule is built from.
pub struct Spec {
    /// The shell's private directory; the capsule makes its own below.
    pub run_dir: PathBuf,
    /// The init program on the host.
    pub init: PathBuf,
    /// The directory of the nested display's socket.
    pub x11: PathBuf,
    /// The nested display's cookie.
    pub cookie: PathBuf,
    /// The nested display's number.
    pub display: u32,
    /// The policy's limits and openings.
    pub policy: CapsulePolicy,
    /// Golden profiles, in the order of [`super::root::profile_place`].
    pub profiles: Vec<PathBuf>,
    /// How the capsule reaches the network.
    pub network: Network,
    /// Whether its init listens at the station's address inside.
    pub redirect: bool,
    /// The control group that the host has delegated, below which the capsule gets its own.
    pub delegated: Option<Delegated>,
    /// The window manager's command line and configuration text.
    pub window_manager: (Vec<String>, String),
}

/// What a capsule tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Which app a pid belongs to.
    Belongs(u32, Option<u8>),
    /// An app has ended, with the pid that it was started under: as it should, or with a reason.
    Ended(u8, u32, Option<String>),
    /// The capsule is gone, by itself.
    Lost,
    /// A browser has come to the station's address inside, with this path and query.
    Returned(Secret),
    /// An app runs, with this pid in the capsule's numbering.
    Started(u8, u32),
}

/// The number of a look, and what was counted, by name.
type Looked = (u32, Vec<(String, u64)>);

/// A hold on init, its pid on the host, and the doors that it tried.
type Greeted = (OwnedFd, Pid, Vec<(String, u64)>);

/// A capsule that stands.
pub struct Capsule {
    socket: Arc<OwnedFd>,
    init: Arc<OwnedFd>,
    chain: Child,
    ending: Arc<AtomicBool>,
    looks: Mutex<Receiver<Looked>>,
    reports: Mutex<Receiver<String>>,
    holding: Arc<Holding>,
    serial: AtomicU32,
    dir: PathBuf,
    group: Option<Group>,
    /// The inode of its PID namespace.
    pub pid_namespace: u64,
    /// The inode of its IPC namespace.
    pub ipc_namespace: u64,
    /// The doors of the host that its init tried before any app ran, each with 1 where it is there.
    pub doors: Vec<(String, u64)>,
    /// The device numbers of its own file systems.
    pub devices: Vec<u64>,
}

impl Capsule {
    /// Builds a capsule and waits until it is ready.
    ///
    /// # Errors
    /// A fragment that says which part did not come up.
    pub fn build(spec: &Spec, news: Box<dyn Fn(News) + Send + Sync>) -> Result<Self> {
        let dir = spec.run_dir.join("capsule");
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| PortError(format!("{what}: {error}"))
        };
        private_dir(&dir).map_err(failed("make the capsule's directory"))?;
        let ids = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let root = Root {
            policy: &spec.policy,
            dir: &dir,
            x11: &spec.x11,
            cookie: &spec.cookie,
            init: &spec.init,
            profiles: &spec.profiles,
            ids,
            no_network: spec.network == Network::None,
        };
        root.write_files(&spec.window_manager.1, &spec.network.resolver())
            .map_err(failed("write the capsule's files"))?;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|error| PortError(format!("make the capsule's socket: {error}")))?;
        sockopt::set_socket_passcred(&ours, true)
            .map_err(|error| PortError(format!("ask for the capsule's credentials: {error}")))?;
        let mut words = spec.network.command();
        words.push("/usr/bin/bwrap".to_owned());
        words.extend(root.arguments());
        let group = spec.delegated.as_ref().map(|delegated| {
            delegated
                .make(spec.policy.processes, spec.policy.memory_bytes)
                .map(|group| (group.enter(words.clone()), group))
        });
        let group = group.transpose().map_err(failed("make the capsule's control group"))?;
        let (words, group) = group.map_or((words, None), |(words, group)| (words, Some(group)));
        let (program, arguments) =
            words.split_first().ok_or_else(|| PortError::new("name the capsule's program"))?;
        let mut command = spawn::command(program);
        let _ =
            command.args(arguments).stdin(Stdio::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut chain = spawn::start(command).map_err(failed("start bwrap"))?;
        match Self::greet(&ours, spec) {
            Ok((init, pid, doors)) => {
                let socket = Arc::new(ours);
                let init = Arc::new(init);
                let ending = Arc::new(AtomicBool::new(false));
                let (looked, looks) = channel();
                let (reported, reports) = channel();
                let holding = Arc::<Holding>::default();
                let mut capsule = Self {
                    socket: Arc::clone(&socket),
                    init: Arc::clone(&init),
                    chain,
                    ending: Arc::clone(&ending),
                    looks: Mutex::new(looks),
                    reports: Mutex::new(reports),
                    holding: Arc::clone(&holding),
                    serial: AtomicU32::new(0),
                    dir,
                    group,
                    pid_namespace: namespace(pid, "pid"),
                    ipc_namespace: namespace(pid, "ipc"),
                    doors,
                    devices: devices(pid),
                };
                capsule.remember(pid);
                drain_stderr(&mut capsule.chain);
                let heard = Heard { looked, reported, holding };
                drop(std::thread::spawn(move || listen(&socket, &heard, &ending, &*news)));
                Ok(capsule)
            }
            Err(error) => {
                let why = last_line(&mut chain);
                let _ = chain.kill();
                let _ = chain.wait();
                Err(PortError(if why.is_empty() { error.0 } else { format!("{error} ({why})") }))
            }
        }
    }

    /// Learns init's pid from the kernel, tells it how to begin, and waits until it is ready.
    fn greet(socket: &OwnedFd, spec: &Spec) -> Result<Greeted> {
        let pid = first_sender(socket)?;
        let init = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|error| PortError(format!("hold the capsule's init: {error}")))?;
        // The pid cannot have been given to another process meanwhile if it is still PID 1 of a
        // namespace of its own: nothing else of this account is.
        if !is_namespace_init(pid) {
            return Err(PortError::new("recognise the capsule's init"));
        }
        let begin = Begin {
            environment: environment(spec.display),
            processes: spec.policy.processes,
            window_manager: spec.window_manager.0.clone(),
            redirect: spec.redirect,
            pace: pace::times(),
        };
        protocol::send(socket, &Order::Begin(begin))
            .map_err(|error| PortError(format!("tell the capsule how to begin: {error}")))?;
        if !readable(socket, pace::patience(READY)) {
            return Err(PortError::new("get the capsule ready in time"));
        }
        match protocol::receive::<Word>(socket) {
            Ok(Some(Word::Ready(doors))) => Ok((init, pid, doors)),
            Ok(Some(Word::Failed(what))) => Err(PortError(what)),
            Ok(_) => Err(PortError::new("get the capsule ready")),
            Err(error) => Err(PortError(format!("understand the capsule: {error}"))),
        }
    }

    /// Orders an app to be started.
    ///
    /// # Errors
    /// When the capsule is gone.
    pub fn launch(&self, app: Launch) -> Result<()> {
        protocol::send(&*self.socket, &Order::Launch(app))
            .map_err(|error| PortError(format!("reach the capsule: {error}")))
    }

    /// Orders a token to be put where the session's programs find it; `order` makes the order with its number.
    ///
    /// # Errors
    /// When the capsule is gone, or holds those of another session.
    pub fn hold(&self, order: impl FnOnce(u32) -> Hold) -> Result<Held> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let order = order(serial);
        let held = self.holding.expect(&order)?;
        protocol::send(&*self.socket, &Order::Hold(order))
            .map_err(|error| PortError(format!("reach the capsule: {error}")))?;
        Ok(held)
    }

    /// Has a page handed out at the station's address inside, once.
    ///
    /// # Errors
    /// When the capsule is gone.
    pub fn offer(&self, offer: Offer) -> Result<()> {
        protocol::send(&*self.socket, &Order::Offer(offer))
            .map_err(|error| PortError(format!("reach the capsule: {error}")))
    }

    /// Asks which app a pid belongs to; the answer comes as news.
    pub fn ask_whose(&self, pid: u32) {
        let _ = protocol::send(&*self.socket, &Order::Whose(pid));
    }

    /// Counts what is in the capsule, or `None` when it does not answer in time.
    #[must_use]
    pub fn look(&self) -> Option<Vec<(String, u64)>> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        protocol::send(&*self.socket, &Order::Look(serial)).ok()?;
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (answered, counts) = looks.recv_timeout(pace::patience(LOOK)).ok()?;
            if answered == serial {
                return Some(counts);
            }
        }
    }

    /// What a drill's planter in it has reported so far, or `None` when it does not answer in time.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        while reports.try_recv().is_ok() {}
        protocol::send(&*self.socket, &Order::Report).ok()?;
        reports.recv_timeout(pace::patience(LOOK)).ok()
    }

    /// Destroys the capsule and waits for the kernel's proof.
    ///
    /// # Errors
    /// When the proof does not come: a process that cannot be ended (uninterruptible sleep).
    pub fn destroy(&mut self) -> Result<Destroyed> {
        self.ending.store(true, Ordering::SeqCst);
        let began = super::clock::monotonic();
        // An init that is dead already has a pidfd that is readable; the kill then fails harmlessly.
        let _ = pidfd_send_signal(&*self.init, Signal::KILL);
        if !readable(&*self.init, pace::patience(GONE)) {
            return Err(PortError::new("end every program of the session: the kernel does not confirm it"));
        }
        let took = super::clock::monotonic().saturating_sub(began);
        // bwrap and pasta stand outside the namespace: they end by themselves, or are ended.
        if let Some(pid) = Pid::from_raw(i32::try_from(self.chain.id()).unwrap_or(0))
            && let Ok(chain) = pidfd_open(pid, PidfdFlags::empty())
            && !readable(&chain, Duration::from_millis(300))
        {
            let _ = pidfd_send_signal(&chain, Signal::KILL);
            if !readable(&chain, pace::patience(GONE)) {
                return Err(PortError::new("end the programs around the capsule"));
            }
        }
        let _ = self.chain.wait();
        let _ = fs::remove_file(self.dir.join("init"));
        let Some(group) = &self.group else {
            return Ok(Destroyed { proof: "init pidfd".to_owned(), took, ..Destroyed::default() });
        };
        // A second proof, over the programs around the namespace too.
        group
            .end(pace::patience(GONE))
            .map_err(|error| PortError(format!("end the capsule's control group: {error}")))?;
        Ok(Destroyed { proof: "init pidfd, control group removed".to_owned(), took, ..Destroyed::default() })
    }

    /// The directory of its control group, where it has one.
    #[must_use]
    pub fn group(&self) -> Option<&Path> {
        self.group.as_ref().map(|group| group.dir.as_path())
    }

    /// Notes whom a next shell must end if this one is killed: a line for each capsule, because one that
    /// was set aside still stands.
    fn remember(&self, pid: Pid) {
        use std::io::Write;
        let note = format!("{} {}\n", pid.as_raw_nonzero(), start_time(pid).unwrap_or_default());
        let file = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("init"));
        let _ = file.and_then(|mut file| file.write_all(note.as_bytes()));
    }
}

impl Drop for Capsule {
    fn drop(&mut self) {
        if !self.ending.load(Ordering::SeqCst) {
            let _ = self.destroy();
        }
    }
}

/// Ends what a killed shell of this station has left, by the note that it made. A capsule ends by
/// itself when its shell is gone; this is the second net.
///
/// # Errors
/// When something that is left cannot be ended.
pub fn sweep(run_dir: &Path) -> Result<()> {
    // The nested display's files: its server died with its shell.
    let _ = fs::remove_file(run_dir.join("xauthority"));
    for socket in fs::read_dir(run_dir.join("x11")).into_iter().flatten().flatten() {
        let _ = fs::remove_file(socket.path());
    }
    let note = run_dir.join("capsule").join("init");
    let Ok(text) = fs::read_to_string(&note) else { return Ok(()) };
    for line in text.lines() {
        end_noted(line)?;
    }
    let _ = fs::remove_file(note);
    Ok(())
}

/// Ends the init of a line of the note, if it is still the same process.
fn end_noted(line: &str) -> Result<()> {
    let mut words = line.split(' ');
    let pid = words.next().and_then(|word| word.parse().ok()).and_then(Pid::from_raw);
    let since = words.next().and_then(|word| word.trim().parse::<u64>().ok());
    if let Some(pid) = pid
        && let Ok(init) = pidfd_open(pid, PidfdFlags::empty())
        && start_time(pid) == since
    {
        let _ = pidfd_send_signal(&init, Signal::KILL);
        if !readable(&init, pace::patience(GONE)) {
            return Err(PortError::new("end what the shell before has left"));
        }
    }
    Ok(())
}

/// Ends what a shell that was killed while it was starting a program has left: bwrap's second process has
/// no death signal yet while it waits for the first to write its maps, and then waits for ever. To be
/// called before this shell starts any of its own.
///
/// # Errors
/// When one cannot be ended.
pub fn sweep_unborn(run_dir: &Path) -> Result<()> {
    let place = run_dir.display().to_string();
    let own = rustix::process::getuid().as_raw();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let (Some(pid), Ok(data)) = (pid, entry.metadata()) else { continue };
        // Held before it is looked at, so that what is killed is what was seen.
        let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        if data.uid() == own && words.starts_with("/usr/bin/bwrap\0") && words.contains(&place) {
            let _ = pidfd_send_signal(&held, Signal::KILL);
            if !readable(&held, pace::patience(GONE)) {
                return Err(PortError::new("end what the shell before was starting"));
            }
        }
    }
    Ok(())
}

/// The environment of everything inside: every place where secrets collect points inside.
fn environment(display: u32) -> Vec<(String, String)> {
    [
        ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={RUNTIME}/bus")),
        ("DISPLAY", format!(":{display}")),
        ("GNUPGHOME", format!("{RUNTIME}/gnupg")),
        ("HOME", HOME.to_owned()),
        ("KRB5CCNAME", format!("DIR:{RUNTIME}/krb5cc")),
        ("LANG", "C.UTF-8".to_owned()),
        ("LOGNAME", "operator".to_owned()),
        ("NO_AT_BRIDGE", "1".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("SHELL", "/bin/sh".to_owned()),
        ("SSH_AUTH_SOCK", format!("{RUNTIME}/ssh.sock")),
        ("USER", "operator".to_owned()),
        ("WINDOW_MANAGER_CONFIG", WINDOW_MANAGER.to_owned()),
        ("XAUTHORITY", COOKIE.to_owned()),
        ("XDG_RUNTIME_DIR", RUNTIME.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Where answers of a capsule go.
struct Heard {
    looked: Sender<Looked>,
    reported: Sender<String>,
    holding: Arc<Holding>,
}

fn listen(socket: &OwnedFd, heard: &Heard, ending: &AtomicBool, news: &(dyn Fn(News) + Send + Sync)) {
    loop {
        match protocol::receive::<Word>(socket) {
            Ok(Some(Word::Belongs { pid, app })) => news(News::Belongs(pid, app)),
            Ok(Some(Word::Ended { app, pid, why })) => {
                news(News::Ended(app, pid, why.map(|why| plain(&why))));
            }
            Ok(Some(Word::Held { serial, why })) => {
                heard.holding.answered(serial, why.map(|why| plain(&why)));
            }
            Ok(Some(Word::Returned(path))) if is_return(path.expose()) => news(News::Returned(path)),
            Ok(Some(Word::Started { app, pid })) => news(News::Started(app, pid)),
            Ok(Some(Word::Looked(serial, counts))) => {
                let _ = heard.looked.send((serial, counts));
            }
            Ok(Some(Word::Reported(report))) => {
                let _ = heard.reported.send(report);
            }
            // Words out of place, and what is no word at all, are passed over: init is never believed.
            Ok(Some(Word::Failed(_) | Word::Hello | Word::Ready(_) | Word::Returned(_))) => {}
            Err(error)
                if error
                    .get_ref()
                    .is_some_and(<dyn std::error::Error + Send + Sync>::is::<serde_json::Error>) => {}
            Err(_) | Ok(None) => break,
        }
    }
    heard.holding.over();
    if !ending.load(Ordering::SeqCst) {
        news(News::Lost);
    }
}

/// A sentence from inside, bounded and without control characters.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// The pid of whoever sent the first message, as the kernel vouches for it.
fn first_sender(socket: &OwnedFd) -> Result<Pid> {
    if !readable(socket, pace::patience(READY)) {
        return Err(PortError::new("hear from the capsule in time"));
    }
    let mut bytes = [0; 256];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [io::IoSliceMut::new(&mut bytes)];
    let received = recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
        .map_err(|error| PortError(format!("hear from the capsule: {error}")))?;
    if received.bytes == 0 {
        return Err(PortError::new("start the capsule"));
    }
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(sender) => Some(sender.pid),
            RecvAncillaryMessage::ScmRights(_) | _ => None,
        })
        .ok_or_else(|| PortError::new("learn the capsule's init from the kernel"))
}

/// Whether something becomes readable in time.
pub(super) fn readable(what: impl AsFd, patience: Duration) -> bool {
    let until = super::clock::monotonic().saturating_add(patience);
    loop {
        let left = until.saturating_sub(super::clock::monotonic());
        let limit = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(&what, PollFlags::IN)], Some(&limit)) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

fn is_namespace_init(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let numbers: Vec<_> = numbers.split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}

fn namespace(pid: Pid, kind: &str) -> u64 {
    fs::metadata(format!("/proc/{}/ns/{kind}", pid.as_raw_nonzero())).map_or(0, |data| data.ino())
}

/// The device numbers of the capsule's own tmpfs file systems: the host's, which came with a directory
/// that is bound into it, are not its own.
fn devices(pid: Pid) -> Vec<u64> {
    let host = in_memory("/proc/self/mountinfo");
    let inside = in_memory(&format!("/proc/{}/mountinfo", pid.as_raw_nonzero()));
    inside.into_iter().filter(|device| !host.contains(device)).collect()
}

fn in_memory(mountinfo: &str) -> Vec<u64> {
    let mounts = fs::read_to_string(mountinfo).unwrap_or_default();
    let numbers = mounts.lines().filter(|line| line.contains(" - tmpfs ")).filter_map(|line| {
        let (major, minor) = line.split(' ').nth(2)?.split_once(':')?;
        Some(rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?))
    });
    numbers.collect()
}

/// When a process began, in clock ticks since boot: with the pid, its name for ever.
fn start_time(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn drain_stderr(child: &mut Child) {
    if let Some(mut stderr) = child.stderr.take() {
        drop(std::thread::spawn(move || io::copy(&mut stderr, &mut io::sink())));
    }
}

fn last_line(child: &mut Child) -> String {
    let _ = child.kill();
    let mut text = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(4096).read_to_string(&mut text);
    }
    plain(text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default())
}

/// A directory of this account alone.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// So many random bytes from the kernel, in hexadecimal.
///
/// # Errors
/// When the kernel gives none.
pub fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(hex::encode(random))
}
