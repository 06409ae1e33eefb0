//! The tokens of a session: taken from the shell, put where the session's programs find them (keyring,
//! environment, file), and told by `cleanshift-init token AUDIENCE`.
//!
//! PID 1 does not speak with the keyring or write into the home itself, because a program of the session
//! could let it wait: a child of it does, and ends.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::protocol::{self, Begin, Hold, Word};
use super::{keyring, program, tell};
use crate::platform::linux::{capsule, clock, root};
use crate::ports::{Clock, Secret};

/// What the child says when all is where it belongs.
const HELD: &str = "held";
/// The most that is heard of the child.
const HEARD: u64 = 1024;

/// What apps that are started from now on find in their environment: by sign-in and audience, the
/// variable's name and the token.
#[derive(Default)]
pub(super) struct Granted(BTreeMap<(String, String), (String, Secret)>);

impl Granted {
    /// The variables for an app.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values().map(|(name, token)| (name.as_str(), token.expose()))
    }

    /// Takes a grant, and has a child put it where it belongs; what came of it is told as [`Word::Held`].
    pub(super) fn hold(&mut self, hold: Hold, begin: &Begin, socket: &Arc<OwnedFd>) {
        let serial = hold.serial;
        if let Some(name) = &hold.environment {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            if name.is_empty() || !name.chars().all(plain) || hold.access.expose().contains('\0') {
                let why = Some(format!("put a token into the variable {name}: this cannot be a variable"));
                tell(socket, &Word::Held { serial, why });
                return;
            }
            let named = (hold.provider.clone(), hold.audience.clone());
            let _ = self.0.insert(named, (name.clone(), hold.access.clone()));
        }
        let (begin, told) = (begin.clone(), Arc::clone(socket));
        let put = move || {
            let why = put(&hold, &begin).err();
            tell(&told, &Word::Held { serial, why });
        };
        if let Err(error) = std::thread::Builder::new().spawn(put) {
            let why = Some(format!("put a token into the session's keyring: {error}"));
            tell(socket, &Word::Held { serial, why });
        }
    }
}

/// Has a child put the token where it belongs, and waits until it has.
fn put(hold: &Hold, begin: &Begin) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("put a token into the session's keyring: {error}");
    let message = Zeroizing::new(serde_json::to_vec(hold).map_err(|error| failed(error.into()))?);
    let mut child = program(root::INIT, begin);
    let child = child.arg("keep").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child.spawn().map_err(failed)?;
    let (given, heard) = (child.stdin.take(), child.stdout.take());
    // PID 1 waits for all its children in one place.
    super::forget(child);
    if let Some(mut given) = given {
        given.write_all(&message).map_err(failed)?;
    }
    let mut said = String::new();
    if let Some(heard) = heard {
        let _ = heard.take(HEARD).read_to_string(&mut said).map_err(failed)?;
    }
    match said.trim() {
        HELD => Ok(()),
        "" => Err("put a token into the session's keyring: whoever was to do it was ended".to_owned()),
        why => Err(why.to_owned()),
    }
}

/// Whether this process was started to put a token where it belongs, or to tell one, and then its end.
#[must_use]
pub(super) fn asked() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["keep"] => Some(keep()),
        ["token", audience] if !audience.starts_with('-') => Some(say(audience, false)),
        ["token", audience, "--json"] | ["token", "--json", audience] if !audience.starts_with('-') => {
            Some(say(audience, true))
        }
        ["token", ..] => {
            let _ = writeln!(std::io::stderr(), "usage: cleanshift-init token AUDIENCE [--json]");
            Some(ExitCode::from(2))
        }
        _ => None,
    }
}

/// The child: takes the token from standard input, and says how it went.
fn keep() -> ExitCode {
    let mut message = Zeroizing::new(Vec::with_capacity(protocol::LONGEST));
    let read = std::io::stdin().take(protocol::LONGEST as u64).read_to_end(&mut message);
    let hold = read.map_err(|error| format!("be told the token: {error}")).and_then(|_| {
        serde_json::from_slice::<Hold>(&message).map_err(|error| format!("understand init: {error}"))
    });
    let kept = hold.and_then(|hold| {
        keyring::put(&hold)?;
        match &hold.file {
            Some(file) => write_file(Path::new(root::HOME), file, &hold.access),
            None => Ok(()),
        }
    });
    let _ = match &kept {
        Ok(()) => writeln!(std::io::stdout(), "{HELD}"),
        Err(why) => writeln!(std::io::stdout(), "{why}"),
    };
    if kept.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes a token into a file below the home, for this account alone; whoever reads it meanwhile finds the
/// old one or the new one, whole.
fn write_file(home: &Path, file: &str, token: &Secret) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("write the token to ~/{file}: {error}");
    let below = Path::new(file);
    let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    let name = below.file_name().filter(|_| plain).and_then(|name| name.to_str());
    let name = name.ok_or_else(|| format!("write the token to {file}: this is no place below the home"))?;
    let place = home.join(below);
    if let Some(parent) = place.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    }
    let fresh = place.with_file_name(format!(".{name}.{}", capsule::random_hex(8).map_err(failed)?));
    let written = File::options().write(true).create_new(true).mode(0o600).open(&fresh);
    let written = written.and_then(|mut written| written.write_all(token.expose().as_bytes()));
    written.and_then(|()| fs::rename(&fresh, &place)).map_err(|error| {
        let _ = fs::remove_file(&fresh);
        failed(error)
    })
}

/// `cleanshift-init token AUDIENCE`: prints the token that the session's keyring holds for this audience.
/// Ends with 0; with 1 where there is none that is still good; with 2 where the keyring cannot be asked.
fn say(audience: &str, json: bool) -> ExitCode {
    let now = clock::HostClock::begin().stamp().utc_ms;
    let (code, why) = match keyring::find(audience) {
        Ok(Some(found)) if found.expires_utc_ms > now => {
            let line = if json { told(&found) } else { Zeroizing::new(found.token.expose().to_owned()) };
            match writeln!(std::io::stdout(), "{}", *line) {
                Ok(()) => return ExitCode::SUCCESS,
                Err(error) => (2, format!("failed to print the token: {error}")),
            }
        }
        Ok(Some(_)) => (1, format!("the token for {audience} has expired, and no other has come yet")),
        Ok(None) => (1, format!("no token for {audience} in this session")),
        Err(what) => (2, format!("failed to {what}: is this program running in a session?")),
    };
    let _ = writeln!(std::io::stderr(), "cleanshift-init: {why}");
    ExitCode::from(code)
}

/// The token with its end, for credential plugins.
fn told(found: &keyring::Found) -> Zeroizing<String> {
    let expires = jiff::Timestamp::from_millisecond(found.expires_utc_ms).map(|at| at.to_string());
    let told = serde_json::json!({ "token": found.token.expose(), "expires": expires.unwrap_or_default() });
    Zeroizing::new(told.to_string())
}
