//! Asking a program of Windows' own, within a bounded time and without a window; and which programs beside a
//! session's apps this shell has started itself.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::windows::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use crate::platform::windows::clock::monotonic;

/// The most that is read of an answer.
const MOST: u64 = 4 << 20;

static OURS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// While it lives, this process counts as started by the shell for itself, and as no session's. Only the shell can say
/// so: who a process says its parent is can be chosen by whoever makes it.
pub struct Ours(u32);

impl Ours {
    /// This process is the shell's own.
    #[must_use]
    pub fn is(pid: u32) -> Self {
        let _ = OURS.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Self(pid)
    }

    pub(super) fn has(pid: u32) -> bool {
        OURS.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = OURS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Where Windows is.
#[must_use]
pub fn windows() -> PathBuf {
    // The variable is the system's own and this process is the shell's: no app has set it.
    PathBuf::from(std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into()))
}

/// Windows' own program of this name, where it has one.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = windows().join("System32").join(name);
    path.is_file().then_some(path)
}

/// What a program of Windows' own prints, which it must have done within `patience`.
///
/// # Errors
/// A fragment: why it did not.
pub fn heard(program: &std::path::Path, arguments: &[&str], patience: Duration) -> Result<String, String> {
    let began = monotonic();
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .creation_flags(CREATE_NO_WINDOW)
        .spawn()
        .map_err(|error| format!("{name} did not start: {error}"))?;
    let ours = Ours::is(child.id());
    let out = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until the pipe broke counts; the exit code tells whether it was all.
        let _ = out.map(|out| out.take(MOST).read_to_end(&mut bytes));
        bytes
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if monotonic().saturating_sub(began) < patience => {
                std::thread::sleep(Duration::from_millis(10))
            }
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                drop(ours);
                return Err(format!("{name} did not answer in time"));
            }
            Err(error) => return Err(format!("{name} could not be waited for: {error}")),
        }
    };
    drop(ours);
    let bytes = reader.join().map_err(|_| format!("{name} could not be read"))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status.success() { Ok(text) } else { Err(format!("{name} failed ({status})")) }
}
