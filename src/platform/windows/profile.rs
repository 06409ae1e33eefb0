//! A session's profile: a directory with the layout of a Windows profile that only this session has, and
//! that is destroyed with it.
//!
//! Programs that take their places from the environment (`APPDATA`, `TEMP`, …) keep all they keep in it.
//! One that asks Windows itself for the account's folders is not turned here: what it leaves in the
//! account's own profile is the gates' to find, and is kept apart only in mode `account`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::clock::monotonic;
use super::remove::{self, Left};
use crate::ports::{Answer, GateAnswer};

/// Below the shell's directory for sessions: the profiles.
const SESSIONS: &str = "sessions";
/// Below it: what could not be destroyed.
const ASIDE: &str = ".left";

/// The directories that programs expect in a profile.
const LAYOUT: [&str; 14] = [
    r"AppData\Local\Microsoft\Windows\INetCache",
    r"AppData\Local\Microsoft\Windows\Temporary Internet Files",
    r"AppData\Local\Temp",
    r"AppData\LocalLow",
    r"AppData\Roaming\Microsoft\Windows\Recent",
    r"AppData\Roaming\Microsoft\Windows\SendTo",
    r"AppData\Roaming\Microsoft\Windows\Start Menu\Programs",
    "Desktop",
    "Documents",
    "Downloads",
    "Favorites",
    "Music",
    "Pictures",
    "Videos",
];

/// The most that a golden profile may hold, and how deep: it is copied while an operator waits.
const MOST: (u64, usize) = (1 << 30, 64);

/// The profile of a session.
#[derive(Debug)]
pub struct Profile {
    /// Where it lies.
    pub root: PathBuf,
    aside: PathBuf,
}

impl Profile {
    /// Makes a new one below the shell's directory for sessions, under a name that was never used.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make(run_dir: &Path) -> io::Result<Self> {
        let sessions = run_dir.join(SESSIONS);
        fs::create_dir_all(&sessions)?;
        let root = sessions.join(format!("s-{}", random_hex(6)?));
        // An error where it is there already: nobody else's directory becomes a session's.
        fs::create_dir(&root)?;
        let profile = Self { root, aside: run_dir.join(ASIDE) };
        for place in LAYOUT {
            fs::create_dir_all(profile.root.join(place))?;
        }
        Ok(profile)
    }

    /// Copies a golden profile into it, over what is there.
    ///
    /// # Errors
    /// Those of the file system; a link in the golden profile is one, and so is more than it may hold.
    pub fn copy_in(&self, golden: &Path) -> io::Result<()> {
        let mut places = vec![(golden.to_owned(), self.root.clone(), 0)];
        let mut size = 0_u64;
        while let Some((from, to, depth)) = places.pop() {
            fs::create_dir_all(&to)?;
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                let data = entry.metadata()?;
                let (from, to) = (entry.path(), to.join(entry.file_name()));
                if data.is_symlink() {
                    return Err(io::Error::other(format!("{} is a link", from.display())));
                }
                size = size.saturating_add(data.len());
                if size > MOST.0 || depth >= MOST.1 {
                    return Err(io::Error::other("it is larger or deeper than a golden profile may be"));
                }
                if data.is_dir() {
                    places.push((from, to, depth + 1));
                } else {
                    let _ = fs::copy(&from, &to)?;
                }
            }
        }
        Ok(())
    }

    /// Destroys it. Answers what could not be.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn destroy(&self) -> io::Result<Vec<Left>> {
        remove::tree(&self.root, &self.aside)
    }
}

/// Destroys every profile that a shell before has left, and what it could not destroy. Answers what still
/// cannot be.
///
/// # Errors
/// When one cannot be opened.
pub fn sweep(run_dir: &Path) -> io::Result<Vec<Left>> {
    let aside = run_dir.join(ASIDE);
    let mut left = Vec::new();
    for place in [run_dir.join(SESSIONS), aside.clone()] {
        let entries = match fs::read_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            left.extend(remove::tree(&entry?.path(), &aside)?);
        }
    }
    Ok(left)
}

/// What of sessions is still on the disk: profiles beside `standing`, and what was set aside. For the gate.
///
/// # Errors
/// When it cannot be looked.
pub fn remaining(run_dir: &Path, standing: Option<&Path>) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in [run_dir.join(SESSIONS), run_dir.join(ASIDE)] {
        match fs::read_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            entries => {
                for entry in entries? {
                    found.push(entry?.path());
                }
            }
        }
    }
    found.retain(|path| Some(path.as_path()) != standing);
    Ok(found)
}

/// The gate that looks whether a profile of a session is still there, beside the one that stands.
#[must_use]
pub fn gate(run_dir: &Path, standing: Option<&Path>) -> GateAnswer {
    let began = monotonic();
    let (answer, saw) = match remaining(run_dir, standing) {
        Ok(found) if found.is_empty() => (Answer::Absent, "no session's profile".to_owned()),
        Ok(found) => (Answer::Present, format!("profiles, or what is left of them: {}", found.len())),
        Err(error) => (Answer::Unknown, format!("failed to look: {error}")),
    };
    GateAnswer {
        class: 13,
        gate: "session profiles".to_owned(),
        answer,
        saw,
        method: "the directory of sessions".to_owned(),
        took: monotonic().saturating_sub(began),
    }
}

/// So many random bytes from the system, in hexadecimal.
///
/// # Errors
/// When the system gives none.
pub fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(hex::encode(random))
}
