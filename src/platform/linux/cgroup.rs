//! A control group for each capsule, where the host has delegated one to the shell's account: what is
//! in it is bounded, ended at once, and shown to be gone by the kernel.
//!
//! The shell's own group must be the account's (systemd's `Delegate=yes`). Below it the shell stands in
//! a leaf of its own, because a group whose limits its children have may hold no processes itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::monotonic;

/// The leaf that the shell itself stands in.
const SHELL: &str = "shell";
/// The leaf of the capsule that stands.
const CAPSULE: &str = "capsule";
/// The most groups at a time: one, and those of capsules that would not end.
const MOST: u32 = 4;
/// The controllers that are used where the host gives them.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The control group that the host has delegated to the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegated {
    dir: PathBuf,
    /// The controllers that its children have.
    pub controllers: Vec<String>,
}

/// The control group of one capsule.
#[derive(Debug)]
pub struct Group {
    /// Its directory.
    pub dir: PathBuf,
}

impl Delegated {
    /// Takes the group that this process stands in, where it is the account's own.
    ///
    /// # Errors
    /// A fragment that says why there is none, for the capability report.
    pub fn take() -> Result<Self, String> {
        let mount = mount().ok_or("this host has no control groups of version 2")?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("this host names none")?;
        // A shell that was started again by the one before stands in the leaf already.
        let dir = mount.join(own);
        let dir = if dir.ends_with(SHELL) { dir.parent().unwrap_or(&dir).to_owned() } else { dir };
        let leaf = dir.join(SHELL);
        match fs::create_dir(&leaf) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err("none is delegated to this account".to_owned());
            }
            Ok(()) | Err(_) => {}
        }
        fs::write(leaf.join("cgroup.procs"), "0")
            .map_err(|error| format!("the shell cannot move in the one that is delegated: {error}"))?;
        for controller in CONTROLLERS {
            // Each by itself: one that the host keeps must not cost the other.
            let _ = fs::write(dir.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        let controllers = fs::read_to_string(dir.join("cgroup.subtree_control")).unwrap_or_default();
        let controllers = controllers.split_whitespace().map(str::to_owned).collect();
        let delegated = Self { dir, controllers };
        if !delegated.dir.join(SHELL).join("cgroup.kill").exists() {
            return Err("this kernel cannot end a whole group (cgroup.kill, Linux 5.14)".to_owned());
        }
        Ok(delegated)
    }

    /// Whether this process stands in a group that is delegated to its account: tried with a group that is
    /// gone again before this returns, and without moving anything.
    ///
    /// # Errors
    /// A fragment that says why there is none.
    pub fn probe() -> Result<Vec<String>, String> {
        let mount = mount().ok_or("this host has no control groups of version 2")?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).ok_or("this host names none")?;
        let dir = mount.join(own);
        let tried = dir.join(format!("try-{}", std::process::id()));
        fs::create_dir(&tried).map_err(|_| "none is delegated to this process".to_owned())?;
        let can_end = tried.join("cgroup.kill").exists();
        let has = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
        fs::remove_dir(&tried).map_err(|error| format!("{}: {error}", tried.display()))?;
        if !can_end {
            return Err("this kernel cannot end a whole group (cgroup.kill, Linux 5.14)".to_owned());
        }
        let used = has.split_whitespace().filter(|name| CONTROLLERS.contains(name));
        Ok(used.map(str::to_owned).collect())
    }

    /// Ends what an earlier shell's capsule has left.
    ///
    /// # Errors
    /// When something in it does not end in time.
    pub fn sweep(&self) -> io::Result<()> {
        for number in 0..MOST {
            self.group(number).end(Duration::from_secs(2))?;
        }
        Ok(())
    }

    /// The group of this number: the first, but where a capsule that would not end holds that one.
    fn group(&self, number: u32) -> Group {
        let name = if number == 0 { CAPSULE.to_owned() } else { format!("{CAPSULE}-{number}") };
        Group { dir: self.dir.join(name) }
    }

    /// Makes the group of the next capsule: no swap, so many processes, so many bytes of memory.
    ///
    /// # Errors
    /// When the group cannot be made, or a limit that the policy asks for and the host could hold
    /// cannot be set.
    pub fn make(&self, processes: u32, memory: Option<u64>) -> io::Result<Group> {
        let free = (0..MOST)
            .map(|number| self.group(number))
            .find(|group| group.end(Duration::from_millis(500)).is_ok());
        let group =
            free.ok_or_else(|| io::Error::other("every group is held by something that does not end"))?;
        fs::create_dir(&group.dir)?;
        let has = |controller: &str| self.controllers.iter().any(|name| name == controller);
        if has("pids") {
            fs::write(group.dir.join("pids.max"), processes.to_string())?;
        }
        if has("memory") {
            if let Some(bytes) = memory {
                fs::write(group.dir.join("memory.max"), bytes.to_string())?;
            }
            // The file is not there on a host that does not account for swap.
            let _ = fs::write(group.dir.join("memory.swap.max"), "0");
        }
        Ok(group)
    }

    /// What the capability report says of it.
    #[must_use]
    pub fn report(&self) -> String {
        if self.controllers.is_empty() {
            "one for each capsule; the host gives it no limits".to_owned()
        } else {
            format!("one for each capsule, with limits of {}", self.controllers.join(" and "))
        }
    }
}

impl Group {
    /// A command line that steps into the group and becomes `words`.
    #[must_use]
    pub fn enter(&self, words: Vec<String>) -> Vec<String> {
        // The program moves itself before it starts anything, so that nothing can be outside.
        let script = "echo 0 > \"$0/cgroup.procs\" && exec \"$@\"";
        let mut all: Vec<String> = ["/bin/sh", "-c", script].map(str::to_owned).into();
        all.push(self.dir.display().to_string());
        all.extend(words);
        all
    }

    /// Ends everything in the group and takes it away, which the kernel allows for an empty one only.
    ///
    /// # Errors
    /// When something in it does not end in time.
    pub fn end(&self, patience: Duration) -> io::Result<()> {
        let began = monotonic();
        loop {
            match fs::remove_dir(&self.dir) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if monotonic().saturating_sub(began) > patience => return Err(error),
                Err(_) => {}
            }
            fs::write(self.dir.join("cgroup.kill"), "1")?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether a group is gone or empty; the error where it cannot be told.
///
/// # Errors
/// Those of reading `cgroup.events`.
pub fn empty(dir: &Path) -> io::Result<bool> {
    match fs::read_to_string(dir.join("cgroup.events")) {
        Ok(events) => Ok(events.lines().any(|line| line == "populated 0")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Where control groups of version 2 are mounted.
fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"))?;
    line.split(' ').nth(1).map(PathBuf::from)
}
