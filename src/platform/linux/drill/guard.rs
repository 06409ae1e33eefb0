//! Taking back what a drill has planted on the host, by the seed alone, so that a shell that comes after
//! one that was killed can do it too; and the guard that does it when its shell is gone.
//!
//! What has left a session is no child of the shell, or the gates would count it as the shell's own. So
//! the planter runs below a guard, which hangs on the shell by a pipe and not by its birth: the pipe's end
//! is the planting's end, however the shell ends.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _};

use crate::platform::linux::canary::{Side, canary, key};
use crate::platform::linux::plant::CAREFUL;

/// By this mark in their environment what a drill has started is found again.
pub const MARK: &str = "CLEANSHIFT_DRILL";
/// What the guard says when everything is planted, or could not be, and when all of it is taken back.
pub const PLANTED: &str = "planted";
/// See [`PLANTED`].
pub const FAILED: &str = "failed";
/// See [`PLANTED`].
pub const GONE: &str = "gone";
/// How often the marked programs are looked for again, every 20 ms, before they count as unkillable.
const TRIES: u32 = 50;

/// Directories of the account that the planter makes where they are not there, innermost last.
const MADE: [&str; 16] = [
    ".local",
    ".local/share",
    ".local/share/klipper",
    ".local/share/Trash",
    ".local/share/Trash/files",
    "Downloads",
    ".config",
    ".config/ibus",
    ".config/chromium",
    ".config/chromium/Default",
    ".config/systemd",
    ".config/systemd/user",
    ".cache",
    ".gnupg",
    ".dbus",
    ".dbus/session-bus",
];

/// What a bus makes for itself in the runtime directory, which is the shell's own.
const BUS: &str = "dbus-1";

/// What has to be known to take a drill's planting back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The seed of its canaries.
    pub seed: String,
    /// When it began, in seconds since 1970.
    pub since: i64,
    /// The runtime directory that its planter was given.
    pub runtime: PathBuf,
    /// Where a display's socket was planted.
    pub display: Option<PathBuf>,
    /// Directories that were not there before it.
    pub made: Vec<PathBuf>,
}

impl Note {
    /// What is to be noted before a drill with this seed begins.
    #[must_use]
    pub fn new(seed: String, since: i64, runtime: PathBuf, display: Option<PathBuf>) -> Self {
        let missing = home().into_iter().flat_map(|home| MADE.map(|name| home.join(name)));
        let missing = missing.chain([runtime.join(BUS)]);
        let made = missing.filter(|path| fs::symlink_metadata(path).is_err()).collect();
        Self { seed, since, runtime, display, made }
    }

    /// Writes it down, durable on return.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text =
            format!("seed {}\nsince {}\nruntime {}\n", self.seed, self.since, self.runtime.display());
        if let Some(display) = &self.display {
            text.push_str(&format!("display {}\n", display.display()));
        }
        for made in &self.made {
            text.push_str(&format!("made {}\n", made.display()));
        }
        let new = path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all())
    }

    /// Reads one, where there is one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut note = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            match name {
                "seed" => value.clone_into(&mut note.seed),
                "since" => note.since = value.parse().unwrap_or(0),
                "runtime" => note.runtime = value.into(),
                "display" => note.display = Some(value.into()),
                "made" => note.made.push(value.into()),
                _ => {}
            }
        }
        if note.seed.is_empty() {
            return Err(io::Error::other(format!("{} names no drill", path.display())));
        }
        Ok(Some(note))
    }
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// Runs the guard: has everything planted, says so, and takes it back when its input says or is at its end.
#[must_use]
pub fn run(seed: &str, report: &Path) -> ExitCode {
    let started = std::env::current_exe().and_then(|own| program(&own, seed, report).spawn());
    let Ok(mut planter) = started else {
        tell(FAILED);
        return ExitCode::FAILURE;
    };
    let pid = i32::try_from(planter.id()).ok().and_then(Pid::from_raw);
    drop(std::thread::spawn(move || {
        let done = planter.wait().is_ok_and(|status| status.success());
        tell(if done { PLANTED } else { FAILED });
    }));
    // A line and the end mean the same: that is enough.
    let _ = io::stdin().lock().read_line(&mut String::new());
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::KILL);
    }
    let note = report.with_file_name("note");
    if let Ok(Some(note)) = Note::read(&note) {
        take_back(&note);
        // It names what was planted, and nothing of that is there any more.
        let _ = fs::remove_file(report);
    }
    tell(GONE);
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "the guard starts the planter as a program of the host")]
fn program(own: &Path, seed: &str, report: &Path) -> Command {
    let mut command = Command::new(own);
    let _ = command.args(["plant", seed, Side::Escaped.word()]).arg(report).env(CAREFUL, "1");
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn tell(word: &str) {
    let mut out = io::stdout().lock();
    // A shell that is gone hears nothing.
    let _ = writeln!(out, "{word}").and_then(|()| out.flush());
}

/// Takes back whatever was planted on the host with this seed: ends what it has started, then removes what
/// it has left. What is not there any more is passed over.
pub fn take_back(note: &Note) {
    end_marked(&note.seed);
    let word = |class| canary(&note.seed, Side::Escaped, class);
    free_keys(&word(9));
    free_shared_memory(key(&word(14)));
    empty_cut_buffer(&word(5));
    let account = PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw()));
    let mut files: Vec<PathBuf> = vec![
        format!("/tmp/krb5cc_{}", word(11)).into(),
        format!("/tmp/others-{}", word(27)).into(),
        format!("/dev/mqueue/{}", word(14)).into(),
        account.join(format!("wayland-{}", word(6))),
    ];
    for place in ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from).iter().chain([&note.runtime, &account]) {
        files.push(place.join(format!("left-{}", word(13))));
    }
    if let Some(home) = home() {
        for (class, place) in [
            (7, ".local/share/klipper"),
            (12, ".config/chromium/Default"),
            (16, ".local/share/Trash/files"),
            (19, "Downloads"),
            (26, ".config/ibus"),
        ] {
            files.push(home.join(place).join(word(class)));
        }
        files.push(home.join(".config/systemd/user").join(format!("{}.service", word(2))));
    }
    files.extend(note.display.clone());
    for file in files {
        let _ = fs::remove_file(file);
    }
    for class in [3, 8, 10, 20] {
        remove_private(&note.runtime.join(word(class)));
    }
    // Only what the drill made, and only where nobody has put anything into it since.
    for made in note.made.iter().rev() {
        if *made == note.runtime.join(BUS) {
            remove_private(made);
        } else {
            let _ = fs::remove_dir(made);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a directory that the drill made, noted or named by its seed")]
fn remove_private(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
}

/// Ends every program of the account that carries the drill's seed or one of its canaries in its command
/// line or environment, but for this one.
fn end_marked(seed: &str) {
    let mut marks: Vec<String> = (1..=28).map(|class| canary(seed, Side::Escaped, class)).collect();
    marks.push(seed.to_owned());
    let (own, account) = (std::process::id().to_string(), rustix::process::getuid().as_raw());
    for _ in 0..TRIES {
        let mut left = 0;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            use std::os::unix::fs::MetadataExt;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(pid) = name.parse().ok().and_then(Pid::from_raw) else { continue };
            let ours = fs::metadata(entry.path()).is_ok_and(|data| data.uid() == account);
            let read = |part: &str| fs::read(entry.path().join(part)).unwrap_or_default();
            // A program that lets nobody look into it has files of root's in /proc; its command line shows.
            let line = read("cmdline");
            if name == own || line.is_empty() || is_dead(&read("stat")) {
                continue;
            }
            let text = [line, if ours { read("environ") } else { Vec::new() }].concat();
            let text = String::from_utf8_lossy(&text);
            if marks.iter().any(|mark| text.contains(mark.as_str()))
                && kill_process(pid, Signal::KILL).is_ok()
            {
                left += 1;
            }
        }
        if left == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_dead(stat: &[u8]) -> bool {
    let stat = String::from_utf8_lossy(stat);
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// Has the kernel free every key of this description now, and takes it off the account's ring.
#[expect(unsafe_code, reason = "no crate in use wraps keyctl's operations")]
fn free_keys(description: &str) {
    const UNLINK: libc::c_long = 9;
    const INVALIDATE: libc::c_long = 21;
    const USER_KEYRING: libc::c_long = -4;
    let table = fs::read_to_string("/proc/keys").unwrap_or_default();
    for line in table.lines().filter(|line| line.contains(description)) {
        let serial = line.split_whitespace().next().and_then(|word| u32::from_str_radix(word, 16).ok());
        let Some(serial) = serial.map(libc::c_ulong::from) else { continue };
        // SAFETY: both operations take numbers and no memory of ours.
        let _ = unsafe {
            (
                libc::syscall(libc::SYS_keyctl, INVALIDATE, serial, 0, 0, 0),
                libc::syscall(libc::SYS_keyctl, UNLINK, serial, USER_KEYRING, 0, 0),
            )
        };
    }
}

/// Removes the shared memory of this key.
#[expect(unsafe_code, reason = "no crate in use wraps shmctl")]
fn free_shared_memory(key: i32) {
    // SAFETY: a segment that is not there is not made; removing takes a number and no memory of ours.
    unsafe {
        let id = libc::shmget(key, 0, 0);
        if id >= 0 {
            let _ = libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
        }
    }
}

/// Takes the canary off the display's root window, where it still stands there.
fn empty_cut_buffer(word: &str) {
    let emptied = || -> std::result::Result<(), Box<dyn std::error::Error>> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots.get(screen).ok_or("no screen")?.root;
        let buffer = AtomEnum::CUT_BUFFE_R0;
        let kept = connection.get_property(false, root, buffer, AtomEnum::ANY, 0, 4096)?.reply()?.value;
        if kept == word.as_bytes() {
            connection.delete_property(root, buffer.into())?.check()?;
        }
        Ok(())
    };
    // What is still there is found by the gate and by the search.
    drop(emptied());
}

/// The properties of the display's root window, by name and value, as bytes to be searched.
///
/// # Errors
/// When there is no display that answers.
pub fn root_window() -> std::result::Result<Vec<u8>, String> {
    let read = || -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots.get(screen).ok_or("no screen")?.root;
        let mut bytes = Vec::new();
        for atom in connection.list_properties(root)?.reply()?.atoms {
            let property = connection.get_property(false, root, atom, AtomEnum::ANY, 0, 65_536)?.reply()?;
            bytes.extend(property.value);
            bytes.push(0);
        }
        Ok(bytes)
    };
    read().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note");
        assert_eq!(Note::read(&path).unwrap(), None);
        let note = Note::new("seed".to_owned(), 7, "/run/x y".into(), Some("/tmp/.X11-unix/X9".into()));
        note.write(&path).unwrap();
        assert_eq!(Note::read(&path).unwrap(), Some(note));
        fs::write(&path, "since 7\n").unwrap();
        assert!(Note::read(&path).is_err());
    }
}
