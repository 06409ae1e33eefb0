//! The host that is looked at: this machine, or a tree of files that stands for one.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::linux::{capability, network, spawn};

/// The account that an installed station runs as.
pub const ACCOUNT: &str = "cleanshift";
/// Who stands for it where it is not there: an account without any rights.
const NOBODY: (u32, u32) = (65_534, 65_534);
/// How long a program may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where programs are.
const PROGRAMS: [&str; 4] = ["usr/lib/xorg", "usr/bin", "usr/sbin", "usr/lib/cleanshift"];

/// A row of `passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its user and its group.
    pub ids: (u32, u32),
    /// What runs when somebody signs in.
    pub shell: String,
}

/// The host that is looked at.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    /// Whether it is this machine, so that more than its files can be asked.
    pub real: bool,
    /// The station's account, where it is there.
    pub account: Option<Account>,
    /// Its policy.
    pub policy: PathBuf,
    /// Its state.
    pub state: PathBuf,
}

impl Host {
    /// The host below `root`; its policy and state where they are installed, unless others are named.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn below(root: &Path, policy: Option<&Path>, state: Option<&Path>) -> io::Result<Self> {
        let root = root.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
        let named = |name: &str| {
            passwd.lines().find_map(|line| {
                let fields: Vec<_> = line.split(':').collect();
                let ids = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
                let shell = (*fields.get(6)?).to_owned();
                (*fields.first()? == name).then_some(Account { ids, shell })
            })
        };
        let place = |given: Option<&Path>, installed: &str| {
            given.map_or_else(|| root.join(installed), Path::to_owned)
        };
        Ok(Self {
            account: named(ACCOUNT),
            policy: place(policy, "etc/cleanshift/policy.toml"),
            state: place(state, "var/lib/cleanshift"),
            real: root == Path::new("/"),
            root,
        })
    }

    /// A path of the host's.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The path as people know it.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).map_or_else(
            |_| path.display().to_string(),
            |below| Path::new("/").join(below).display().to_string(),
        )
    }

    /// The text of a file.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(self.at(path))
    }

    /// The first word of a file, where it can be read.
    #[must_use]
    pub fn word(&self, path: &str) -> Option<String> {
        self.read(path).ok()?.split_whitespace().next().map(str::to_owned)
    }

    /// Whether something is there.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// The path of a program, where it is installed and may be run.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<String> {
        let places = PROGRAMS.iter().map(|place| self.at(place).join(name));
        let mut there = places.filter(|path| {
            fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
        });
        there.next().map(|path| path.display().to_string())
    }

    /// Runs a program as the station's account and answers what it printed.
    ///
    /// # Errors
    /// What it said.
    pub fn heard(&self, words: &[&str]) -> Result<String, String> {
        spawn::heard(self.ids(), words, PATIENCE)
    }

    /// Has bwrap make namespaces, as the station's account ([`capability::make_namespaces`]).
    ///
    /// # Errors
    /// What bwrap said.
    pub fn namespaces(&self, bwrap: &str, more: &[&str], words: &[&str]) -> Result<String, String> {
        capability::make_namespaces(self.ids(), bwrap, more, words)
    }

    /// Has pasta make a network, as the station's account.
    ///
    /// # Errors
    /// What pasta said.
    pub fn network(&self, pasta: &str) -> Result<(), String> {
        network::make_network(self.ids(), pasta)
    }

    /// Whom the tries are made as, where that is not this process' own account.
    #[must_use]
    pub fn ids(&self) -> Option<(u32, u32)> {
        let root = rustix::process::geteuid().is_root();
        root.then(|| self.account.as_ref().map_or(NOBODY, |account| account.ids))
    }

    /// The name of the account that the tries are made as.
    #[must_use]
    pub fn tried_as(&self) -> String {
        let own = rustix::process::geteuid();
        match &self.account {
            Some(account) if own.is_root() || account.ids.0 == own.as_raw() => ACCOUNT.to_owned(),
            None if own.is_root() => "nobody".to_owned(),
            Some(_) | None => crate::platform::linux::host::account_name()
                .unwrap_or_else(|| format!("account {}", own.as_raw())),
        }
    }

    /// Whether the tries are made as the station's own account.
    #[must_use]
    pub fn as_station(&self) -> bool {
        self.account.is_some() && self.tried_as() == ACCOUNT
    }
}

/// Who owns it, and its mode.
///
/// # Errors
/// Those of looking.
pub fn owner(path: &Path) -> io::Result<(u32, u32)> {
    fs::symlink_metadata(path).map(|data| (data.uid(), data.mode() & 0o7777))
}
