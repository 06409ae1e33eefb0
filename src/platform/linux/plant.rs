//! The drill's planter: leaves a canary of every class that exists here, as an app would, under the
//! account that it runs as. The same code plants inside a capsule and on the host.
//!
//! Run as `cleanshift-init plant SEED SIDE REPORT`, because that program is the one that every capsule
//! has. It can do nothing that an app could not.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt, CreateWindowAux, PropMode, WindowClass};
use x11rb::wrapper::ConnectionExt as _;

use super::canary::{Side, canary, key};

/// Where a planter in a capsule of the station itself reports.
pub const REPORT: &str = "/session/run/drill-report";
/// By this mark in the environment a planter beside a station leaves out what could not be taken back.
pub const CAREFUL: &str = "CLEANSHIFT_DRILL_CAREFUL";
/// How long the planter's daemon waits for its end before it ends by itself.
const LIFE: Duration = Duration::from_secs(900);
/// How long a program that only plants something may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether this process was started as the planter, and then its end.
#[must_use]
pub fn asked() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next()?.as_str(), arguments.next(), arguments.next(), arguments.next()) {
        ("plant", Some(seed), Some(side), Some(report)) => {
            let Some(side) = Side::of(&side) else { return Some(ExitCode::from(2)) };
            let planted = Planter { seed, side }.all(Path::new(&report));
            Some(if planted.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        ("guard", Some(seed), Some(report), _) => Some(super::drill::guard::run(&seed, Path::new(&report))),
        ("hold", Some(seed), Some(side), Some(report)) => {
            let Some(side) = Side::of(&side) else { return Some(ExitCode::from(2)) };
            Planter { seed, side }.hold(Path::new(&report));
            Some(ExitCode::SUCCESS)
        }
        _ => None,
    }
}

/// What a planter beside a station does not plant on the host, because it would stay or cost something:
/// why.
pub const WITHHELD: [(u8, &str); 4] = [
    (4, "on the host it would stand among the account's own jobs"),
    (17, "on the host a job could not be told from others when it is taken back"),
    (20, "on the host the shell lets none of its programs leave a core"),
    (21, "on the host a line could not be taken out of the log again"),
];

struct Planter {
    seed: String,
    side: Side,
}

/// What was planted, or why it was not.
type Planted = Result<String, String>;

fn failed(what: &str) -> impl Fn(io::Error) -> String {
    let what = what.to_owned();
    move |error| format!("{what}: {error}")
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|value| !value.as_os_str().is_empty())
}

impl Planter {
    fn canary(&self, class: u8) -> String {
        canary(&self.seed, self.side, class)
    }

    /// Plants everything, and writes a line for each thing: its class, whether it was planted, what.
    fn all(&self, report: &Path) -> io::Result<()> {
        let mut out = File::options().create(true).append(true).open(report)?;
        let mut say = |class: u8, planted: Planted| {
            let line = match planted {
                Ok(what) => format!("{class}\tplanted\t{what}\n"),
                Err(why) => format!("{class}\tnot\t{why}\n"),
            };
            out.write_all(line.as_bytes())
        };
        for (class, planted) in self.daemon(report) {
            say(class, planted)?;
        }
        say(2, self.unit())?;
        say(3, self.bus())?;
        say(4, self.careful(4).unwrap_or_else(|| self.table()))?;
        say(4, self.careful(4).unwrap_or_else(|| self.job()))?;
        say(6, self.wayland())?;
        for (class, place) in [
            (7, ".local/share/klipper"),
            (16, ".local/share/Trash/files"),
            (19, "Downloads"),
            (26, ".config/ibus"),
        ] {
            say(class, self.at_home(class, place))?;
        }
        say(8, self.keyring())?;
        say(9, self.kernel_key())?;
        say(10, self.ssh_agent())?;
        say(10, self.gpg_agent())?;
        say(10, self.git_cache())?;
        say(11, self.file(11, Path::new("/tmp"), "krb5cc_"))?;
        say(12, self.browser())?;
        let runtime = variable("XDG_RUNTIME_DIR");
        for place in ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from).into_iter().chain(runtime) {
            say(13, self.file(13, &place, "left-"))?;
        }
        let account = PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw()));
        if account.exists() {
            say(13, self.file(13, &account, "left-"))?;
        }
        say(14, self.system_v())?;
        say(14, self.queue())?;
        say(17, self.careful(17).unwrap_or_else(|| self.print()))?;
        say(20, self.careful(20).unwrap_or_else(|| self.core()))?;
        say(21, self.careful(21).unwrap_or_else(|| self.log()))?;
        say(27, self.for_others())?;
        say(0, Ok("done".to_owned()))
    }

    /// Why this class is not planted beside a station, where it is not.
    fn careful(&self, class: u8) -> Option<Planted> {
        let why = WITHHELD.iter().find(|(withheld, _)| *withheld == class)?.1;
        (self.side == Side::Escaped && std::env::var_os(CAREFUL).is_some()).then(|| Err(why.to_owned()))
    }

    /// A file in this place whose name and content are the canary.
    fn file(&self, class: u8, place: &Path, start: &str) -> Planted {
        let path = place.join(format!("{start}{}", self.canary(class)));
        fs::write(&path, self.canary(class)).map_err(failed(&path.display().to_string()))?;
        Ok(path.display().to_string())
    }

    fn at_home(&self, class: u8, place: &str) -> Planted {
        let home = variable("HOME").ok_or("there is no home")?.join(place);
        fs::create_dir_all(&home).map_err(failed("make the place in the home"))?;
        self.file(class, &home, "")
    }

    fn private(&self, class: u8) -> Result<PathBuf, String> {
        let dir =
            variable("XDG_RUNTIME_DIR").ok_or("there is no runtime directory")?.join(self.canary(class));
        let made = fs::DirBuilder::new().mode(0o700).create(&dir);
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(format!("make a directory: {error}"))
            }
            Ok(()) | Err(_) => Ok(dir),
        }
    }

    /// A daemon with a session of its own, as badly behaved programs start one; it holds the sockets,
    /// the port, the selection and the cut buffer.
    fn daemon(&self, report: &Path) -> Vec<(u8, Planted)> {
        let ready = report.with_extension(format!("{}-hold", self.side.word()));
        let own = std::env::current_exe().map_err(failed("find myself"));
        let started = own.and_then(|own| {
            let mut command = program("/usr/bin/setsid");
            let _ = command.arg("--fork").arg(own);
            let _ = command.args(["hold", &self.seed, self.side.word()]).arg(&ready).arg(self.canary(1));
            run(command, "start a daemon").map(drop)
        });
        if let Err(why) = started {
            return vec![(1, Err(why))];
        }
        let until = super::clock::monotonic() + PATIENCE;
        loop {
            let text = fs::read_to_string(&ready).unwrap_or_default();
            if text.ends_with("held\n") || super::clock::monotonic() > until {
                let _ = fs::remove_file(&ready);
                let lines = text.lines().filter_map(|line| {
                    let mut fields = line.splitn(3, '\t');
                    let class = fields.next()?.parse().ok()?;
                    let planted = fields.next()? == "planted";
                    let what = fields.next()?.to_owned();
                    Some((class, if planted { Ok(what) } else { Err(what) }))
                });
                return lines.collect();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The daemon: holds what lives only as long as somebody holds it, and ends with its capsule, by a
    /// kill, or by itself after a while.
    fn hold(&self, ready: &Path) {
        let mut text = "1\tplanted\ta daemon in a session of its own\n".to_owned();
        let mut say = |class: u8, planted: &Planted| {
            text += &match planted {
                Ok(what) => format!("{class}\tplanted\t{what}\n"),
                Err(why) => format!("{class}\tnot\t{why}\n"),
            };
        };
        let name = self.canary(15);
        let socket =
            SocketAddr::from_abstract_name(&name).and_then(|address| UnixListener::bind_addr(&address));
        say(
            15,
            &socket
                .as_ref()
                .map(|_| format!("@{name}"))
                .map_err(|error| format!("an abstract socket: {error}")),
        );
        let port = TcpListener::bind(("127.0.0.1", 0));
        let number = port.as_ref().ok().and_then(|port| port.local_addr().ok()).map(|address| address.port());
        say(
            15,
            &number.map(|number| format!("port {number}")).ok_or_else(|| "no port could be had".to_owned()),
        );
        let selection = self.selection();
        say(5, &selection.as_ref().map(|_| "CLIPBOARD and CUT_BUFFER0".to_owned()).map_err(Clone::clone));
        let part = ready.with_extension("part");
        let _ = fs::write(&part, text + "held\n");
        let _ = fs::rename(part, ready);
        std::thread::sleep(LIFE);
    }

    fn selection(&self) -> Result<x11rb::rust_connection::RustConnection, String> {
        let held = || -> Result<_, Box<dyn std::error::Error>> {
            let (connection, screen) = x11rb::connect(None)?;
            let root = connection.setup().roots.get(screen).ok_or("no screen")?.root;
            let window = connection.generate_id()?;
            let aux = CreateWindowAux::new();
            connection
                .create_window(0, window, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &aux)?
                .check()?;
            let atom = connection.intern_atom(false, b"CLIPBOARD")?.reply()?.atom;
            connection.set_selection_owner(window, atom, x11rb::CURRENT_TIME)?.check()?;
            let buffer = AtomEnum::CUT_BUFFE_R0;
            let text = self.canary(5);
            connection
                .change_property8(PropMode::REPLACE, root, buffer, AtomEnum::STRING, text.as_bytes())?
                .check()?;
            Ok(connection)
        };
        held().map_err(|error| format!("own the clipboard: {error}"))
    }

    fn unit(&self) -> Planted {
        if !Path::new("/run/systemd/system").exists() {
            return Err("no systemd can be reached".to_owned());
        }
        let place = variable("HOME").ok_or("there is no home")?.join(".config/systemd/user");
        fs::create_dir_all(&place).map_err(failed("make the unit's directory"))?;
        let path = place.join(format!("{}.service", self.canary(2)));
        fs::write(&path, "[Service]\nExecStart=/bin/true\n").map_err(failed("write a unit"))?;
        Ok(path.display().to_string())
    }

    fn bus(&self) -> Planted {
        let dir = self.private(3)?;
        let address = format!("unix:path={}/bus", dir.display());
        let mut command = program("/usr/bin/dbus-daemon");
        let _ = command.args(["--session", "--fork", "--nopidfile"]).arg(format!("--address={address}"));
        run(command, "start a bus").map(|_| address)
    }

    /// A line in the account's table of cron, below what stands there already.
    fn table(&self) -> Planted {
        if !Path::new("/usr/bin/crontab").exists() {
            return Err("cron is not installed".to_owned());
        }
        let mut command = program("/bin/sh");
        let _ = command.args(["-c", "{ crontab -l 2>/dev/null; cat; } | crontab -"]);
        let line = format!("0 0 1 1 * /bin/true {}\n", self.canary(4));
        fed(command, "a line in cron's table", line.as_bytes())
    }

    fn job(&self) -> Planted {
        if !Path::new("/usr/bin/at").exists() {
            return Err("at is not installed".to_owned());
        }
        let mut command = program("/usr/bin/at");
        let _ = command.args(["now", "+", "1", "year"]);
        // It answers `job 7 at Sat Nov 27 …`.
        let told = answered(command, "add a job", format!("true {}\n", self.canary(4)).as_bytes())?;
        let mut words = told.split_whitespace().skip_while(|word| *word != "job");
        Ok(format!("at job {}", words.nth(1).unwrap_or("without a number")))
    }

    fn wayland(&self) -> Planted {
        let runtime = PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw()));
        if !runtime.exists() {
            return Err("no Wayland display can be reached".to_owned());
        }
        self.file(6, &runtime, "wayland-")
    }

    /// An item in the session's keyring, or, on the host, in a keyring of the account.
    fn keyring(&self) -> Planted {
        let secret = self.canary(8);
        let mut store = program("/usr/bin/secret-tool");
        let _ = store.args(["store", "--label=drill", "drill", &secret]);
        if self.side == Side::Contained {
            return fed(store, "store a secret", secret.as_bytes());
        }
        let dir = self.private(8)?;
        let address = format!("unix:path={}/bus", dir.display());
        let mut bus = program("/usr/bin/dbus-daemon");
        let _ = bus.args(["--session", "--fork", "--nopidfile"]).arg(format!("--address={address}"));
        // Asked before the daemon below has its name, or after it was ended, the bus starts one of its own, which would
        // make its directories among the shell's and the account's, where nobody takes them back.
        let _ = bus.env("XDG_RUNTIME_DIR", &dir).env("XDG_DATA_HOME", dir.join("data"));
        let _ = run(bus, "start a bus for the keyring")?;
        let mut daemon = program("/usr/bin/gnome-keyring-daemon");
        let _ = daemon.args(["--unlock", "--components=secrets"]);
        let _ = daemon.arg(format!("--control-directory={}", dir.display()));
        // A keyring of the account's own stays what it is.
        let _ = daemon.env("XDG_DATA_HOME", dir.join("data"));
        let _ = daemon.env("DBUS_SESSION_BUS_ADDRESS", &address);
        let _ = fed(daemon, "start a keyring", b"drill")?;
        let _ = store.env("DBUS_SESSION_BUS_ADDRESS", &address);
        fed(store, "store a secret", secret.as_bytes())
    }

    /// A key of the account, which lives on when its last process is gone.
    #[expect(unsafe_code, reason = "no crate in use wraps add_key")]
    fn kernel_key(&self) -> Planted {
        const USER_KEYRING: libc::c_long = -4;
        let text = CString::new(self.canary(9)).map_err(|error| error.to_string())?;
        let bytes = text.as_bytes();
        // SAFETY: two strings that end with 0, and a payload with its length, all alive over the call.
        let serial = unsafe {
            libc::syscall(
                libc::SYS_add_key,
                c"user".as_ptr(),
                text.as_ptr(),
                bytes.as_ptr(),
                bytes.len(),
                USER_KEYRING,
            )
        };
        if serial < 0 {
            Err(format!("add a key: {}", io::Error::last_os_error()))
        } else {
            Ok(format!("key {serial}"))
        }
    }

    fn ssh_agent(&self) -> Planted {
        let dir = self.private(10)?;
        let (socket, file) = (dir.join("agent"), dir.join("key"));
        let mut agent = program("/usr/bin/ssh-agent");
        let _ = agent.arg("-a").arg(&socket);
        let _ = run(agent, "start ssh-agent")?;
        let mut made = program("/usr/bin/ssh-keygen");
        let _ = made.args(["-q", "-t", "ed25519", "-N", "", "-C", &self.canary(10), "-f"]).arg(&file);
        let _ = run(made, "make a key")?;
        let mut add = program("/usr/bin/ssh-add");
        let _ = add.arg("-q").arg(&file).env("SSH_AUTH_SOCK", &socket);
        run(add, "give the agent a key").map(|_| "an ssh-agent with a key".to_owned())
    }

    fn gpg_agent(&self) -> Planted {
        let dir = self.private(10)?.join("gnupg");
        let made = fs::DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(failed("make a directory"))?;
        // Whoever asks for the agent starts it, as any program of GnuPG would.
        let mut agent = program("/usr/bin/gpg-connect-agent");
        let _ = agent.arg("--homedir").arg(&dir).arg("/bye");
        run(agent, "start gpg-agent").map(|_| "a gpg-agent".to_owned())
    }

    /// A password that git keeps for whoever comes next in the same place.
    fn git_cache(&self) -> Planted {
        let git = ["/usr/bin/git", "/usr/local/bin/git"].into_iter().find(|git| Path::new(git).exists());
        let socket = self.private(10)?.join("git/socket");
        let mut cache = program(git.unwrap_or("/usr/bin/git"));
        let _ = cache.args(["credential-cache", "--timeout", "900", "--socket"]).arg(&socket).arg("store");
        let known =
            format!("protocol=https\nhost=git.example\nusername=drill\npassword={}\n\n", self.canary(10));
        fed(cache, "keep a password", known.as_bytes()).map(|_| "git's cache with a password".to_owned())
    }

    /// A profile directory such as a browser leaves. The drill's own page is visited besides, where
    /// Chromium is installed.
    fn browser(&self) -> Planted {
        self.at_home(12, ".config/chromium/Default")
    }

    #[expect(unsafe_code, reason = "no crate in use wraps shmget")]
    fn system_v(&self) -> Planted {
        let text = self.canary(14);
        // SAFETY: the segment is made, attached, written within its size, and detached.
        unsafe {
            let id = libc::shmget(key(&text), 4096, libc::IPC_CREAT | 0o600);
            let place =
                if id < 0 { usize::MAX as *mut libc::c_void } else { libc::shmat(id, std::ptr::null(), 0) };
            if place as usize == usize::MAX {
                return Err(format!("make a segment: {}", io::Error::last_os_error()));
            }
            std::ptr::copy_nonoverlapping(text.as_ptr(), place.cast(), text.len());
            let _ = libc::shmdt(place);
            Ok(format!("segment {id}"))
        }
    }

    #[expect(unsafe_code, reason = "no crate in use wraps mq_open")]
    fn queue(&self) -> Planted {
        if self.side == Side::Escaped && !Path::new("/dev/mqueue").exists() {
            // It could not be taken back by its name in a directory, and no gate could see it.
            return Err("the host does not show its message queues".to_owned());
        }
        let text = self.canary(14);
        let name = CString::new(format!("/{text}")).map_err(|error| error.to_string())?;
        // SAFETY: a name that ends with 0; the kernel's own defaults for the queue; a message with its
        // length.
        let sent = unsafe {
            let flags = libc::O_CREAT | libc::O_RDWR | libc::O_NONBLOCK;
            let queue = libc::mq_open(name.as_ptr(), flags, 0o600, std::ptr::null_mut::<libc::mq_attr>());
            if queue < 0 { -1 } else { libc::mq_send(queue, text.as_ptr().cast(), text.len(), 0) }
        };
        if sent < 0 {
            Err(format!("make a queue: {}", io::Error::last_os_error()))
        } else {
            Ok(format!("/dev/mqueue/{text}"))
        }
    }

    fn print(&self) -> Planted {
        if !Path::new("/usr/bin/lp").exists() {
            return Err("no print service can be reached".to_owned());
        }
        let mut command = program("/usr/bin/lp");
        let _ = command.args(["-t", &self.canary(17), "-H", "hold"]);
        // It answers `request id is PRINTER-7 (0 file(s))`.
        let told = answered(command, "print", self.canary(17).as_bytes())?;
        let mut words = told.split_whitespace().skip_while(|word| *word != "is");
        Ok(format!("print job {}", words.nth(1).unwrap_or("without a number")))
    }

    /// A program that crashes with the canary in its memory, and asks for a core first.
    fn core(&self) -> Planted {
        let dir = self.private(20)?;
        let mut command = program("/bin/sh");
        let script =
            "ulimit -c unlimited 2>/dev/null || ulimit -c \"$(ulimit -H -c)\"; word=$1; kill -ABRT $$";
        let _ = command.args(["-c", script, "core", &self.canary(20)]).current_dir(&dir);
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = command.status().map_err(failed("crash"))?;
        let left = fs::read_dir(&dir).into_iter().flatten().flatten().count();
        if left == 0 {
            Err("a crash left no core".to_owned())
        } else {
            Ok(format!("a core in {}", dir.display()))
        }
    }

    fn log(&self) -> Planted {
        if !Path::new("/dev/log").exists() && !Path::new("/run/systemd/journal/socket").exists() {
            return Err("no system log can be reached".to_owned());
        }
        let mut command = program("/usr/bin/logger");
        let _ = command.args(["-t", "drill", &self.canary(21)]);
        run(command, "log a line").map(|_| "a line in the log".to_owned())
    }

    fn for_others(&self) -> Planted {
        let place = self.file(27, Path::new("/tmp"), "others-")?;
        let mode = fs::Permissions::from_mode(0o4755);
        fs::set_permissions(&place, mode).map_err(failed("make a setuid file"))?;
        Ok(place)
    }
}

#[expect(clippy::disallowed_methods, reason = "the planter starts programs as an app would")]
fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    // What has left a capsule still carries its home; what it writes goes where the planter's home is.
    if let Some(home) = variable("HOME") {
        let _ = command.env("XDG_CONFIG_HOME", home.join(".config"));
        let _ = command.env("XDG_CACHE_HOME", home.join(".cache"));
        let _ = command.env("XDG_DATA_HOME", home.join(".local/share")).env("HOME", super::root::HOME);
    }
    command
}

fn run(command: Command, what: &str) -> Planted {
    fed(command, what, b"")
}

/// Runs a program on this input, for a bounded time.
fn fed(command: Command, what: &str, input: &[u8]) -> Planted {
    answered(command, what, input).map(|_| what.to_owned())
}

/// The same: what it said.
fn answered(mut command: Command, what: &str, input: &[u8]) -> Planted {
    let name = command.get_program().to_string_lossy().into_owned();
    if !Path::new(&name).exists() {
        return Err(format!("{what}: {name} is not installed"));
    }
    let (told, telling) = io::pipe().map_err(failed(what))?;
    let also = telling.try_clone().map_err(failed(what))?;
    let _ = command.stdin(Stdio::piped()).stdout(telling).stderr(also);
    let mut child = command.spawn().map_err(failed(what))?;
    // Its own ends stay open here until the command is dropped.
    drop(command);
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input);
    }
    let until = super::clock::monotonic() + PATIENCE;
    loop {
        match child.try_wait().map_err(failed(what))? {
            Some(status) if status.success() => {
                let mut text = [0; 512];
                // A daemon that it left may hold its output open: one read has what it said.
                let read = super::capsule::readable(&told, Duration::ZERO).then(|| (&told).read(&mut text));
                let read = read.and_then(Result::ok).unwrap_or(0);
                return Ok(String::from_utf8_lossy(text.get(..read).unwrap_or_default()).into_owned());
            }
            Some(status) => return Err(format!("{what}: {name} ended with {status}")),
            None if super::clock::monotonic() > until => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{what}: {name} did not end"));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
