//! A stage: everything that a real run needs around the shell, private to one directory, so that two
//! can run at once. Used by the demo, the tests and the bench alike.
//!
//! When started as root, everything runs as an ordinary account of its own. Every part ends with the
//! stage, and with the process that set it, however that ends.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::account::{Account, Claim, Part};
use super::card_service::CardService;
use super::emulator::Emulator;
use super::page::Page;
use super::screen::Screen;
use super::tray;
use crate::platform::linux::capsule::random_hex;
use crate::platform::linux::display::cookie;
use crate::platform::linux::{host, sabotage};

pub use super::account::{wait_for, wait_within};

/// The programs that a stage takes copies of, because the account may not be able to read where they
/// were built.
const PROGRAMS: [&str; 3] = ["cleanshift", "cleanshiftctl", "cleanshift-init"];

/// The lock's name in a stage's directory.
const LOCK: &str = "lock";
/// How often a PIN is typed, and how long it may take until the station goes on: together less than it waits for a PIN.
const ENTRIES: u32 = 3;
const TAKEN: Duration = Duration::from_secs(8);
const BACKSPACE: u32 = 0xff08;

/// A stage; its processes and files go when it is dropped.
pub struct Stage {
    // Dropped in this order: the shell first, the files last.
    shell: Option<Part>,
    /// The virtual reader's badges.
    pub emulator: Arc<Emulator>,
    cards: CardService,
    /// The display, seen from outside.
    pub screen: Screen,
    /// The display's number.
    pub display: u32,
    server: Part,
    /// The page that apps open.
    pub page: Page,
    /// The account that everything runs as.
    pub account: Account,
    /// The directory of everything.
    pub dir: PathBuf,
    /// What the stage's programs find in their environment beside what every stage has.
    pub environment: Vec<(String, String)>,
    _files: Files,
    _claim: Claim,
}

/// The stage's directory; taken away when dropped. While it is in use its lock is held, so that what
/// a stage has left that was killed can be told from one that stands.
struct Files {
    dir: PathBuf,
    _lock: File,
}

impl Files {
    fn make(account: Account) -> io::Result<Self> {
        sweep();
        let dir = std::env::temp_dir().join(format!("{}{}", tray::STAGE, random_hex(6)?));
        account.make_dir(&dir)?;
        let making = dir.join("lock.new");
        let lock = File::create(&making)?;
        lock.lock()?;
        // Under its name only once it is held: an unheld lock says that nobody is there.
        fs::rename(making, dir.join(LOCK))?;
        Ok(Self { dir, _lock: lock })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if std::env::var_os("CLEANSHIFT_KEEP_STAGE").is_some() {
            let _ = fs::remove_file(self.dir.join(LOCK));
        } else {
            take_away(&self.dir);
        }
    }
}

/// Takes away what stages have left whose process was killed.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let unheld = || File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if entry.file_name().to_string_lossy().starts_with(tray::STAGE) && unheld() {
            take_away(&entry.path());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a stage's own directory, with a random name")]
fn take_away(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
}

impl Stage {
    /// Sets a stage: account, directory, card service with a virtual reader, display, page.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn set(size: (u16, u16)) -> io::Result<Self> {
        Self::on(Surface::Hidden, size)
    }

    /// The same, with the display in a window of the desktop that this process was started on.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn in_window(size: (u16, u16)) -> io::Result<Self> {
        Self::on(Surface::Window, size)
    }

    /// The same, with a display that can be given a second monitor (`DUMMY1`) by `xrandr`. For root alone.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn with_monitors(size: (u16, u16)) -> io::Result<Self> {
        Self::on(Surface::Monitors, size)
    }

    fn on(surface: Surface, size: (u16, u16)) -> io::Result<Self> {
        let (account, claim) = Account::claim()?;
        let files = Files::make(account)?;
        let dir = files.dir.clone();
        for part in ["bin", "home", "run", "state", "reader"] {
            account.make_dir(&dir.join(part))?;
        }
        for program in PROGRAMS {
            let _ = fs::copy(find(program)?, dir.join("bin").join(program))?;
        }
        let page = Page::serve()?;
        let (server, display, key) = start_display(surface, &dir, account, size)?;
        let screen = Screen::open(display, &key)?;
        let cards = CardService::start(account, &dir.join("reader"))?;
        let emulator = Arc::new(Emulator::new(cards.port()));
        tray::serve(&dir, account, Arc::clone(&emulator))?;
        Ok(Self {
            shell: None,
            emulator,
            cards,
            screen,
            display,
            server,
            page,
            account,
            dir,
            environment: Vec::new(),
            _files: files,
            _claim: claim,
        })
    }

    /// Writes a file that the account may read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.dir.join(name);
        fs::write(&path, text)?;
        self.account.give(&path)?;
        Ok(path)
    }

    /// A program as the stage's account, with the stage's display, card service and directories and
    /// nothing else of this process' environment.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.account.command(program);
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        let _ = command
            .env("HOME", self.dir.join("home"))
            .env("XDG_RUNTIME_DIR", self.dir.join("run"))
            .env("DISPLAY", format!(":{}", self.display))
            .env("XAUTHORITY", self.dir.join("xauthority"))
            .env("PCSCLITE_CSOCK_NAME", self.cards.socket())
            .envs(self.environment.iter().cloned())
            .current_dir(&self.dir);
        sabotage::hand_on(command);
    }

    /// `cleanshiftctl` on the stage's policy and state.
    #[must_use]
    pub fn ctl(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.dir.join("bin/cleanshiftctl"));
        let _ = command.arg("--policy").arg(self.dir.join("policy.toml"));
        let _ = command.arg("--state").arg(self.dir.join("state")).args(arguments);
        command
    }

    /// Starts the shell with the stage's policy and state. What it says goes into `shell.log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_shell(&mut self) -> io::Result<()> {
        let mut command = self.account.part(self.dir.join("bin/cleanshift"));
        self.surround(&mut command);
        let log = File::options().create(true).append(true).open(self.dir.join("shell.log"))?;
        let _ = command.env("CLEANSHIFT_LOG", "info").env("NO_COLOR", "1");
        let _ = command.arg("--demo").arg("--policy").arg(self.dir.join("policy.toml"));
        let _ = command.arg("--state").arg(self.dir.join("state"));
        let _ = command.stdout(Stdio::null()).stderr(log);
        self.shell = Some(Part::start(command)?);
        Ok(())
    }

    /// How much the shell has said so far: a place to wait from.
    #[must_use]
    pub fn mark(&self) -> usize {
        fs::read_to_string(self.dir.join("shell.log")).map_or(0, |text| text.len())
    }

    /// Waits a bounded time until the shell, since `mark`, says that the station is in this state.
    ///
    /// # Errors
    /// When it does not; the error carries what it said instead.
    pub fn wait_state(&self, mark: usize, state: &str) -> io::Result<()> {
        if wait_for(|| self.was(mark, state)) {
            return Ok(());
        }
        let said = self.said(mark);
        Err(io::Error::other(format!("the station did not come to `{state}`; the shell said:\n{said}")))
    }

    /// Types a PIN and Enter, and waits as [`Stage::wait_state`] does. What is typed before the screen asks for it is
    /// lost: whoever sees that nothing follows takes back what is there and types it again.
    ///
    /// # Errors
    /// When the station does not come to this state, or the display does not answer.
    pub fn enter(&self, mark: usize, pin: &str, state: &str) -> io::Result<()> {
        for again in 0..ENTRIES {
            let typed = self.mark();
            if again > 0 {
                (0..pin.len()).try_for_each(|_| self.screen.key(BACKSPACE))?;
            }
            self.screen.type_text(&format!("{pin}\n"))?;
            if wait_within(TAKEN, || self.was(typed, "")) {
                break;
            }
        }
        self.wait_state(mark, state)
    }

    /// Whether the shell, since `mark`, has said that the station is in this state.
    #[must_use]
    pub fn was(&self, mark: usize, state: &str) -> bool {
        self.said(mark).contains(&format!("station: {state}"))
    }

    fn said(&self, mark: usize) -> String {
        let said = fs::read_to_string(self.dir.join("shell.log")).unwrap_or_default();
        said.get(mark..).unwrap_or_default().to_owned()
    }

    /// Whether the shell and its display still run.
    ///
    /// A window that its owner closes ends the display, and the shell with it.
    #[must_use]
    pub fn stands(&mut self) -> bool {
        let runs = |part: &mut Part| matches!(part.0.try_wait(), Ok(None));
        runs(&mut self.server) && self.shell.as_mut().is_some_and(runs)
    }

    /// Whether the shell, once started, is no longer there; waits for nothing.
    #[must_use]
    pub fn shell_is_gone(&self) -> bool {
        let Some(pid) = self.shell_pid() else { return true };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
    }

    /// The shell's process, while it runs.
    #[must_use]
    pub fn shell_pid(&self) -> Option<u32> {
        self.shell.as_ref().map(Part::pid)
    }

    /// The display server's process.
    #[must_use]
    pub fn display_pid(&self) -> u32 {
        self.server.pid()
    }

    /// Kills the display server as a crash would, and starts another in its place.
    ///
    /// # Errors
    /// When none comes up.
    pub fn renew_display(&mut self) -> io::Result<()> {
        self.server.0.kill()?;
        let _ = self.server.0.wait()?;
        let (server, display, key) =
            start_display(Surface::Hidden, &self.dir, self.account, self.screen.size)?;
        self.screen = Screen::open(display, &key)?;
        self.display = display;
        self.server = server;
        Ok(())
    }

    /// Asks the shell to stop and waits until it has; answers whether it ended well.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop_shell(&mut self) -> io::Result<bool> {
        let Some(mut shell) = self.shell.take() else { return Ok(true) };
        shell.ask_to_end();
        for _ in 0..300 {
            if let Some(status) = shell.0.try_wait()? {
                return Ok(status.success());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(false)
    }

    /// Kills the shell as a crash would.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill_shell(&mut self) -> io::Result<()> {
        if let Some(mut shell) = self.shell.take() {
            shell.0.kill()?;
            let _ = shell.0.wait()?;
        }
        Ok(())
    }

    /// Starts the card service again after [`Stage::kill_pcscd`], and waits until its reader is there.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_pcscd(&mut self) -> io::Result<()> {
        self.cards.revive()
    }

    /// Kills the card service as a crash would.
    ///
    /// # Errors
    /// When its ports do not become free.
    pub fn kill_pcscd(&mut self) -> io::Result<()> {
        self.cards.kill()
    }
}

/// Where one of the programs lies: beside this one, or where the package puts init.
fn find(program: &str) -> io::Result<PathBuf> {
    let here = std::env::current_exe()?;
    // The test harness lies one directory below the programs.
    let beside = here.ancestors().skip(1).map(|place| place.join(program));
    let mut places = beside.chain([Path::new(host::INSTALLED).join(program)]);
    places.find(|place| place.is_file()).ok_or_else(|| {
        io::Error::other(format!("{program} is not there: run cargo build, or install the package anew"))
    })
}

/// What a stage's display is drawn on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Surface {
    /// Nothing: it can be looked at by screenshots alone.
    Hidden,
    /// Nothing, on monitors that can come and go.
    Monitors,
    /// A window of this process' own desktop.
    Window,
}

/// Starts a display that nobody sees, which picks its own number, with its cookie in `dir`/xauthority; answers the
/// process, the number and the cookie.
///
/// # Errors
/// When it does not come up.
pub fn hidden_display(dir: &Path, account: Account, size: (u16, u16)) -> io::Result<(Part, u32, Vec<u8>)> {
    start_display(Surface::Hidden, dir, account, size)
}

/// Starts a display that picks its own number; answers the process, the number and the cookie.
fn start_display(
    surface: Surface,
    dir: &Path,
    account: Account,
    (width, height): (u16, u16),
) -> io::Result<(Part, u32, Vec<u8>)> {
    if rustix::process::geteuid().is_root() && fs::create_dir("/tmp/.X11-unix").is_ok() {
        // A display server of an ordinary account cannot make this directory with the mode that it wants.
        fs::set_permissions("/tmp/.X11-unix", fs::Permissions::from_mode(0o1777))?;
    }
    let file = dir.join("xauthority");
    let key = hex::decode(random_hex(16)?).map_err(io::Error::other)?;
    cookie::write(&file, "", &key).and_then(|()| account.give(&file))?;
    let (name, mut command) = match surface {
        Surface::Hidden => {
            let mut command = account.part("Xvfb");
            let _ = command.args(["-screen", "0", &format!("{width}x{height}x24")]);
            ("Xvfb", command)
        }
        Surface::Monitors => ("Xorg", with_monitors(dir, (width, height))?),
        Surface::Window => ("Xephyr", in_window(dir, account, &format!("{width}x{height}"))?),
    };
    let _ = command.args(["-displayfd", "1", "-nolisten", "tcp", "-nolisten", "local", "-noreset", "-auth"]);
    let _ = command.arg(&file).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Part::start(command)?;
    let mut line = String::new();
    if let Some(stdout) = server.0.stdout.take() {
        let _ = BufReader::new(stdout).read_line(&mut line)?;
    }
    let number = line
        .trim()
        .parse()
        .map_err(|_| io::Error::other(format!("{name} did not come up: run packaging/setup.sh test")))?;
    cookie::write(&file, line.trim(), &key).and_then(|()| account.give(&file))?;
    Ok((server, number, key))
}

/// Xorg on its dummy driver, which has monitors that are none, without input devices and terminals.
fn with_monitors(dir: &Path, (width, height): (u16, u16)) -> io::Result<Command> {
    let configuration = dir.join("xorg.conf");
    let text = format!(
        "Section \"ServerFlags\"\nOption \"AutoAddDevices\" \"false\"\nOption \"AutoEnableDevices\" \"false\"\nEndSection\n\
         Section \"Device\"\nIdentifier \"device\"\nDriver \"dummy\"\nVideoRam 65536\nEndSection\n\
         Section \"Monitor\"\nIdentifier \"monitor\"\nHorizSync 5.0-1000.0\nVertRefresh 5.0-200.0\nEndSection\n\
         Section \"Screen\"\nIdentifier \"screen\"\nDevice \"device\"\nMonitor \"monitor\"\nDefaultDepth 24\n\
         SubSection \"Display\"\nDepth 24\nModes \"{width}x{height}\"\nEndSubSection\nEndSection\n"
    );
    fs::write(&configuration, text)?;
    // Root's display server, left to pick a number, would take one that an account's server has.
    let number = loop {
        let number = 200 + (u16::from_str_radix(&random_hex(2)?, 16).map_err(io::Error::other)? & 0xfff);
        if !Path::new(&format!("/tmp/.X11-unix/X{number}")).exists() {
            break number;
        }
    };
    let mut command = Account::own().part("Xorg");
    let _ = command
        .arg(format!(":{number}"))
        .args(["-novtswitch", "-sharevts", "-config"])
        .arg(configuration)
        .arg("-configdir")
        .arg(dir);
    let _ = command.arg("-logfile").arg(dir.join("xorg.log"));
    Ok(command)
}

/// Xephyr in a window of this process' desktop, whose cookie it is lent: only Xephyr sees it.
fn in_window(dir: &Path, account: Account, size: &str) -> io::Result<Command> {
    let display = std::env::var_os("DISPLAY");
    let display = display.ok_or_else(|| io::Error::other("there is no display to open a window on"))?;
    let mut command = account.part("Xephyr");
    let _ = command.args(["-no-host-grab", "-title", "Cleanshift demo: the station", "-screen", size]);
    let _ = command.env("DISPLAY", display);
    let own = std::env::var_os("XAUTHORITY").map(PathBuf::from);
    let own = own.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".Xauthority")));
    if let Some(own) = own.filter(|own| own.exists()) {
        let lent = dir.join("desktop-xauthority");
        let _ = fs::copy(own, &lent)?;
        fs::set_permissions(&lent, fs::Permissions::from_mode(0o600))?;
        account.give(&lent)?;
        let _ = command.env("XAUTHORITY", lent);
    }
    Ok(command)
}
