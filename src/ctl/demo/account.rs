//! The account that a stage's programs run as: never root, and never with anything of this process'
//! environment.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal};

use crate::platform::linux::spawn;

/// The account that everything runs as when started as root; a second stage at the same time takes
/// the next: `cleanshift-demo2`, and so on.
const NAME: &str = "cleanshift-demo";
/// The most stages at a time when started as root.
const MOST: u32 = 8;
/// How long a part may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// An ordinary account: this process' own, or one made for the purpose when this process is root's.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    /// This process' own account; as root, the account `cleanshift-demo`, made on first use without a
    /// home, a shell or a password.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn ordinary() -> io::Result<Self> {
        if rustix::process::geteuid().is_root() { Self::named(NAME) } else { Ok(Self { ids: None }) }
    }

    /// This process' own account, root's too: for a display server that can be nobody else's.
    #[must_use]
    pub fn own() -> Self {
        Self { ids: None }
    }

    /// An account that no other stage uses as long as the claim is held. A station judges all that its
    /// account leaves on the host, so that two stages of one account would find each other's traces.
    /// As root the next free account is taken; otherwise it is waited for.
    ///
    /// # Errors
    /// When none can be had.
    pub fn claim() -> io::Result<(Self, Claim)> {
        if !rustix::process::geteuid().is_root() {
            let file = lock_file(&format!("uid-{}", rustix::process::getuid().as_raw()))?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
            return Ok((Self { ids: None }, Claim(file)));
        }
        for number in 1..=MOST {
            let name = if number == 1 { NAME.to_owned() } else { format!("{NAME}{number}") };
            let file = lock_file(&name)?;
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                return Ok((Self::named(&name)?, Claim(file)));
            }
        }
        Err(io::Error::other(format!("{MOST} stages stand already")))
    }

    fn named(name: &str) -> io::Result<Self> {
        if let Some(ids) = find(name)? {
            return Ok(Self { ids: Some(ids) });
        }
        let mut useradd = command("useradd");
        let made = useradd
            .args(["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name])
            .stdin(Stdio::null())
            .status()?;
        // Another stage may have made it in the same moment.
        match find(name)? {
            Some(ids) => Ok(Self { ids: Some(ids) }),
            None if made.success() => Err(io::Error::other(format!("the account {name} is not there"))),
            None => Err(io::Error::other(format!("the account {name} could not be made"))),
        }
    }

    /// The account's number.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.ids.map_or_else(|| rustix::process::getuid().as_raw(), |ids| ids.0)
    }

    /// Whether a person can sign in to it.
    #[must_use]
    pub fn shared(&self) -> bool {
        self.ids.is_none() && crate::platform::linux::host::shared_account()
    }

    /// The account's live processes.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        let mark = format!("Uid:\t{}\t", self.uid());
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.contains(&mark) && !status.contains("State:\tZ")
        })
        .collect()
    }

    /// A program as this account, with an environment of `PATH` and `LANG` alone.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = command(program);
        if let Some((uid, gid)) = self.ids {
            // From root this also drops the supplementary groups.
            let _ = command.uid(uid).gid(gid);
        }
        command
    }

    /// The same for a part that stands for a while: it is killed when this process ends, however
    /// that comes about. To be started by [`Part::start`].
    #[must_use]
    pub fn part(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command("setpriv");
        let _ = command.args(["--pdeathsig", "KILL", "--"]).arg(program).stdin(Stdio::null());
        command
    }

    /// Makes a directory that is this account's alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        self.give(path)
    }

    /// Gives a file to this account.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        self.ids.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid)))
    }
}

/// An account that is claimed for one stage; free again when dropped.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "the lock is held as long as the file is open")] fs::File);

fn lock_file(name: &str) -> io::Result<fs::File> {
    let path = std::env::temp_dir().join(format!(".cleanshift-claim-{name}"));
    fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

fn find(name: &str) -> io::Result<Option<(u32, u32)>> {
    let passwd = fs::read_to_string("/etc/passwd")?;
    let row = passwd.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = |row: &str, place: usize| row.split(':').nth(place).and_then(|number| number.parse().ok());
    Ok(row.and_then(|row| Some((number(row, 1)?, number(row, 2)?))))
}

#[expect(clippy::disallowed_methods, reason = "the stage starts the parts around the shell")]
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let _ = command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let _ = command.env("LANG", "C.UTF-8").current_dir("/");
    command
}

/// A program of a stage; killed and waited for when dropped.
pub struct Part(pub Child);

impl Part {
    /// Starts a command of [`Account::part`].
    ///
    /// # Errors
    /// Those of [`Command::spawn`].
    pub fn start(command: Command) -> io::Result<Self> {
        // The death signal is tied to the thread that starts the program.
        spawn::start(command).map(Self)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end, as the system would.
    pub fn ask_to_end(&self) {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits a bounded time until something holds.
pub fn wait_for(holds: impl Fn() -> bool) -> bool {
    wait_within(PATIENCE, holds)
}

/// Waits until something holds, about so long.
pub fn wait_within(patience: Duration, holds: impl Fn() -> bool) -> bool {
    let tries = patience.as_millis() / 20;
    (0..tries).any(|_| {
        let now = holds();
        if !now {
            std::thread::sleep(Duration::from_millis(20));
        }
        now
    })
}
