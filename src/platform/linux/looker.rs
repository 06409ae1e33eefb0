//! `cleanshift-looker`: counts, for the account that called it and for no other, what an ordinary
//! account may not look at. It takes no arguments, reads nothing from its caller, changes nothing, and
//! prints one line of numbers.
//!
//! The package installs it setuid root. The shell believes it only where nobody but root could have
//! put it there ([`trusted`]), and waits a bounded time for it. The kiosk's unit leaves a setuid program
//! nothing to gain (an empty bounding set); the shell asks it by a socket of systemd's there, which root
//! alone can have made, and it counts for whom the kernel says is at the other end.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::net::sockopt;
use rustix::thread::{CapabilitySet, capabilities};
use serde::{Deserialize, Serialize};

use super::{pace, spawn};

/// Where the package puts it.
pub const INSTALLED: &str = "/usr/lib/cleanshift/cleanshift-looker";
/// Where systemd listens for it (`cleanshift-looker.socket`).
pub const SOCKET: &str = "/run/cleanshift-looker.socket";
/// How long it may take.
const PATIENCE: Duration = Duration::from_millis(700);
/// The most of a file that is searched for a name.
const MOST: u64 = 1 << 20;
/// The mode bit of a program that runs as its owner.
const SETUID: u32 = 0o4000;

/// What was counted; `None` where there is nothing of the kind on this host, or it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Jobs of `at`.
    pub at: Option<u64>,
    /// Core dumps and crash reports.
    pub cores: Option<u64>,
    /// Tables of cron.
    pub cron: Option<u64>,
    /// Print jobs and kept documents.
    pub print: Option<u64>,
    /// Kerberos caches that a service keeps.
    pub tickets: Option<u64>,
}

/// Counts for the real uid of the caller, and prints.
#[must_use]
pub fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        let _ = writeln!(io::stderr(), "cleanshift-looker: takes no arguments");
        return ExitCode::from(2);
    }
    // Without the right to read everything it would count too little, and too little reads like clean. Root's
    // number alone is not that right.
    if !may_look() {
        let _ = writeln!(io::stderr(), "cleanshift-looker: has no right to look (no CAP_DAC_READ_SEARCH)");
        return ExitCode::FAILURE;
    }
    let counts = count(Path::new("/"), caller());
    match serde_json::to_string(&counts) {
        Ok(line) if writeln!(io::stdout(), "{line}").is_ok() => ExitCode::SUCCESS,
        Ok(_) | Err(_) => ExitCode::FAILURE,
    }
}

fn may_look() -> bool {
    let right = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE;
    capabilities(None).is_ok_and(|sets| sets.effective.intersects(right))
}

/// The account that asks: the one that started this, or, where systemd did, the one at the other end of
/// the socket. Whoever starts it cannot choose: the socket counts for root alone.
fn caller() -> u32 {
    let own = rustix::process::getuid();
    if !own.is_root() {
        return own.as_raw();
    }
    sockopt::socket_peercred(rustix::stdio::stdin()).map_or(own, |peer| peer.uid).as_raw()
}

/// Counts what `uid` has below `root`.
#[must_use]
pub fn count(root: &Path, uid: u32) -> Counts {
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let owned = |_: &str, data: &fs::Metadata, _: &Path| data.uid() == uid;
    let mark = format!(".{uid}.");
    let named = |file: &str, data: &fs::Metadata, _: &Path| data.uid() == uid || file.contains(&mark);
    let job = |file: &str, data: &fs::Metadata, path: &Path| {
        // A control file (c00001) names whose job it is; a document (d00001-001) has its number. The
        // service writes the control file up to half a minute later: until then it may be anybody's.
        let control = file.strip_prefix('d').map(|rest| {
            let number = rest.split('-').next().unwrap_or_default();
            path.with_file_name(format!("c{number}"))
        });
        let control = control.unwrap_or_else(|| path.to_owned());
        data.uid() == uid
            || !control.exists()
            || name.as_ref().is_some_and(|name| holds(&control, name.as_bytes()))
    };
    let cached = |_: &str, data: &fs::Metadata, path: &Path| {
        data.uid() == uid || holds(path, format!("/{uid}:").as_bytes())
    };
    Counts {
        at: sum(root, &["var/spool/cron/atjobs", "var/spool/at"], &owned),
        cores: sum(root, &["var/lib/systemd/coredump", "var/crash", "var/spool/abrt"], &named),
        cron: sum(root, &["var/spool/cron/crontabs", "var/spool/cron/tabs"], &owned),
        print: sum(root, &["var/spool/cups"], &job),
        tickets: sum(root, &["var/lib/sss/secrets"], &cached),
    }
}

/// How many files in these directories are meant; `None` where none of them can be read.
fn sum(root: &Path, places: &[&str], meant: &dyn Fn(&str, &fs::Metadata, &Path) -> bool) -> Option<u64> {
    let mut total = None;
    for place in places {
        let Ok(entries) = fs::read_dir(root.join(place)) else { continue };
        let files = entries.flatten().filter(|entry| {
            let data = fs::symlink_metadata(entry.path());
            data.is_ok_and(|data| {
                data.is_file() && meant(&entry.file_name().to_string_lossy(), &data, &entry.path())
            })
        });
        let here = u64::try_from(files.count()).unwrap_or(u64::MAX);
        total = Some(total.unwrap_or(0) + here);
    }
    total
}

fn holds(path: &Path, what: &[u8]) -> bool {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut bytes));
    read.is_ok() && bytes.windows(what.len()).any(|part| part == what)
}

/// Why a looker is not believed; `Ok` where nobody but root could have put it there or change it.
///
/// # Errors
/// A fragment for the capability report.
pub fn trusted(path: &Path) -> Result<(), String> {
    let data = fs::symlink_metadata(path).map_err(|_| "it is not installed".to_owned())?;
    if !data.is_file() || data.uid() != 0 {
        return Err("it is no file of root's".to_owned());
    }
    if data.mode() & SETUID == 0 {
        return Err("it has no right to look (it is not setuid root)".to_owned());
    }
    if data.permissions().mode() & 0o022 != 0 {
        return Err("others than root may write it".to_owned());
    }
    for place in path.ancestors().skip(1) {
        let data = fs::symlink_metadata(place).map_err(|error| format!("{}: {error}", place.display()))?;
        // In a directory with the sticky bit nobody can move what is root's.
        let safe = data.mode() & 0o022 == 0 || data.mode() & 0o1000 != 0;
        if data.uid() != 0 || !data.is_dir() || !safe {
            return Err(format!("others than root may write {}", place.display()));
        }
    }
    Ok(())
}

/// Asks the looker behind a socket, where root alone can have made it.
#[must_use]
pub fn ask_socket(path: &Path) -> Option<Counts> {
    let mut socket = UnixStream::connect(path).ok()?;
    // The kernel tells who listens there: systemd, as root.
    let _ = sockopt::socket_peercred(&socket).ok().filter(|peer| peer.uid.is_root())?;
    socket.set_read_timeout(Some(pace::patience(PATIENCE))).ok()?;
    let mut text = Vec::new();
    let _ = (&mut socket).take(1024).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Asks the looker, where there is one that can be believed: by its socket, else by starting it.
#[must_use]
pub fn ask(path: &Path) -> Option<Counts> {
    // Only the looker that the package installs has a socket.
    if path == Path::new(INSTALLED)
        && let Some(counts) = ask_socket(Path::new(SOCKET))
    {
        return Some(counts);
    }
    trusted(path).ok()?;
    let mut command = spawn::command(&path.display().to_string());
    let _ = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = spawn::start(command).ok()?;
    let mut stdout = child.stdout.take()?;
    let mut text = [0; 1024];
    let told = super::capsule::readable(&stdout, pace::patience(PATIENCE))
        .then(|| stdout.read(&mut text).ok())
        .flatten();
    // It is root's: a kill from here fails, and it ends by itself when nobody reads.
    drop(stdout);
    drop(std::thread::spawn(move || child.wait()));
    serde_json::from_slice(text.get(..told?)?).ok()
}

/// What the capability report says.
#[must_use]
pub fn report() -> String {
    if ask_socket(Path::new(SOCKET)).is_some() {
        return "yes, by its socket: counts print jobs, scheduled jobs, core dumps and kept tickets"
            .to_owned();
    }
    match trusted(Path::new(INSTALLED)) {
        Ok(()) => "yes: counts print jobs, scheduled jobs, core dumps and kept tickets".to_owned(),
        Err(why) => format!("none ({why}): what only root may see is proved by reach"),
    }
}

/// The path of the looker that the shell asks.
#[must_use]
pub fn installed() -> PathBuf {
    PathBuf::from(INSTALLED)
}
