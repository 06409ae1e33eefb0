//! The tray of badges: `cleanshiftctl demo badge insert|remove NAME` reaches the stage that runs
//! through a socket that is its account's alone.
//!
//! A request is one line (`insert ana`), and so is the answer: `done`, or why not.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::account::Account;
use super::emulator::{Emulator, Temper};
use super::shift::{BUS_CARD, PEOPLE};

/// The socket's name in the stage's directory.
const SOCKET: &str = "tray.sock";
/// What a stage's directory is called.
pub const STAGE: &str = "cleanshift-stage-";
/// The name of the card that is on nobody's roster.
pub const UNKNOWN: &str = "unknown";
/// The answer to a request that was carried out.
const DONE: &str = "done";
/// How long the two ends wait for each other.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is done with a badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It is laid on the first reader that is free.
    Insert,
    /// It is taken away.
    Remove,
}

/// Who has a badge in the demo, by the names that the command line takes.
pub fn names() -> impl Iterator<Item = &'static str> {
    PEOPLE.iter().map(|person| person.0).chain([UNKNOWN])
}

/// The identifier of somebody's badge.
///
/// # Errors
/// When nobody in the demo is called so.
pub fn uid(name: &str) -> io::Result<Vec<u8>> {
    let person = PEOPLE.iter().find(|person| person.0 == name).map(|person| person.3);
    let badge = person.or((name == UNKNOWN).then_some(BUS_CARD));
    let badge = badge.ok_or_else(|| {
        let known: Vec<_> = names().collect();
        io::Error::other(format!("nobody in the demo is called {name}: try {}", known.join(", ")))
    })?;
    hex::decode(badge).map_err(io::Error::other)
}

/// Lays somebody's badge on the first reader that is free, or takes it away.
///
/// # Errors
/// A sentence that says why that cannot be done.
pub fn put(emulator: &Emulator, what: Move, name: &str) -> io::Result<()> {
    let uid = uid(name)?;
    let lying = emulator.lying();
    let at = lying.iter().position(|place| place.as_ref() == Some(&uid));
    match (what, at) {
        (Move::Insert, Some(_)) => Err(io::Error::other(format!("the badge of {name} lies there already"))),
        (Move::Insert, None) => {
            let free = lying.iter().position(Option::is_none);
            let free = free.ok_or_else(|| io::Error::other("a badge lies on each of the two readers"))?;
            emulator.insert(free, &uid, Temper::Honest)
        }
        (Move::Remove, Some(slot)) => {
            emulator.remove(slot);
            Ok(())
        }
        (Move::Remove, None) => Err(io::Error::other(format!("the badge of {name} lies on no reader"))),
    }
}

/// Takes requests for a stage, until the process ends.
///
/// # Errors
/// When the socket cannot be made.
pub fn serve(dir: &Path, account: Account, emulator: Arc<Emulator>) -> io::Result<()> {
    let path = dir.join(SOCKET);
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    account.give(&path)?;
    drop(std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = reply(&stream, &emulator);
        }
    }));
    Ok(())
}

fn reply(mut stream: &UnixStream, emulator: &Emulator) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    let _ = BufReader::new(stream.take(256)).read_line(&mut line)?;
    let done = match line.trim().split_once(' ') {
        Some(("insert", name)) => put(emulator, Move::Insert, name),
        Some(("remove", name)) => put(emulator, Move::Remove, name),
        Some(_) | None => Err(io::Error::other("say insert NAME or remove NAME")),
    };
    let answer = done.map_or_else(|error| error.to_string(), |()| DONE.to_owned());
    stream.write_all(format!("{answer}\n").as_bytes())
}

/// Asks the stage in `dir`, else the one that was set last, to move a badge.
///
/// # Errors
/// When no stage runs, or why the badge cannot be moved.
pub fn ask(dir: Option<&Path>, what: Move, name: &str) -> io::Result<()> {
    let mut stream = match dir {
        Some(dir) => UnixStream::connect(dir.join(SOCKET))
            .map_err(|error| io::Error::other(format!("no demo answers in {}: {error}", dir.display())))?,
        None => running()?,
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    let verb = match what {
        Move::Insert => "insert",
        Move::Remove => "remove",
    };
    stream.write_all(format!("{verb} {name}\n").as_bytes())?;
    let mut answer = String::new();
    let _ = stream.take(4096).read_to_string(&mut answer)?;
    match answer.trim() {
        DONE => Ok(()),
        "" => Err(io::Error::other("the demo has ended")),
        why => Err(io::Error::other(why.to_owned())),
    }
}

/// The stage that was set last, of those that answer.
fn running() -> io::Result<UnixStream> {
    let mut stages: Vec<(SystemTime, PathBuf)> = fs::read_dir(std::env::temp_dir())?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(STAGE))
        .filter_map(|entry| Some((entry.metadata().ok()?.created().ok()?, entry.path().join(SOCKET))))
        .collect();
    stages.sort();
    let found = stages.iter().rev().find_map(|(_, socket)| UnixStream::connect(socket).ok());
    found.ok_or_else(|| io::Error::other("no demo is running: start one with `make demo`"))
}
