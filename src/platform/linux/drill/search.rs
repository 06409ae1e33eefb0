//! Looking for canaries by ways that share nothing with the gates: the bytes of /proc, of every mounted
//! file system, of the store, the journal and the swap, wherever this process may read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::planted::Planted;
use crate::platform::linux::canary::{REST, START, Side, canary, key};
use crate::platform::linux::clock::monotonic;
use crate::platform::linux::spawn;

/// File systems that have no files of programs in them.
const NO_FILES: [&str; 16] = [
    "autofs",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tracefs",
];
/// Where services of the host keep what programs gave them: changed files are read there, whoever owns
/// them.
const KEPT: [&str; 8] = ["/dev/shm", "/etc", "/home", "/media", "/root", "/run", "/tmp", "/var"];
/// The largest file whose content is searched.
const LARGEST: u64 = 256 << 20;
/// The most swap that is searched.
const MOST_SWAP: u64 = 2 << 30;

/// What was found of each canary: where. And what could not be looked at.
#[derive(Debug, Default)]
pub struct Found {
    /// Places, by side and class.
    pub places: BTreeMap<(&'static str, u8), BTreeSet<String>>,
    /// Places that this process may not read.
    pub unreadable: usize,
    /// What was not searched, and why.
    pub not_searched: Vec<String>,
}

impl Found {
    /// How many places have a canary of this class, of either side.
    #[must_use]
    pub fn of(&self, class: u8) -> usize {
        let both = [Side::Contained, Side::Escaped];
        both.iter().filter_map(|side| self.places.get(&(side.word(), class))).map(BTreeSet::len).sum()
    }

    /// The classes of a side of which something was found.
    #[must_use]
    pub fn classes(&self, side: Side) -> BTreeSet<u8> {
        self.places.keys().filter(|(word, _)| *word == side.word()).map(|(_, class)| *class).collect()
    }
}

/// Where is searched, and for how long.
pub struct Ground<'a> {
    /// The account under which the canaries were planted.
    pub account: u32,
    /// What the drill itself has written down: not searched.
    pub own: Vec<PathBuf>,
    /// Places that are searched first, and alone where the search was told to be over.
    pub near: Vec<PathBuf>,
    /// Tables that only the account can have shown, by name; or why they were not.
    pub tables: Vec<(String, std::result::Result<Vec<u8>, String>)>,
    /// The host's message queues, where they are shown.
    pub queues: Option<PathBuf>,
    /// How long all of it may take.
    pub patience: Duration,
    /// Set when it is to end.
    pub over: &'a AtomicBool,
}

/// The longest word that a canary is.
const LENGTH: usize = START.len() + REST;

/// The name of the network device that stands for a canary, which has no room for one.
#[must_use]
pub fn tunnel(seed: &str) -> String {
    canary(seed, Side::Escaped, 25).chars().skip(START.len()).take(10).collect::<String>() + "cs"
}

/// Searches for every canary of this seed; files count that changed since `since` (seconds since 1970),
/// but for what the drill itself has written down.
#[must_use]
pub fn search(ground: &Ground<'_>, seed: &str, since: i64, planted: &[Planted]) -> Found {
    let mut search = Search { words: BTreeMap::new(), keys: BTreeMap::new(), found: Found::default() };
    for side in [Side::Contained, Side::Escaped] {
        for class in 1..=28 {
            let word = canary(seed, side, class);
            let _ = search.keys.insert(key(&word).to_string(), (side.word(), class));
            let _ = search.words.insert(word, (side.word(), class));
        }
    }
    let until = monotonic().saturating_add(ground.patience);
    search.processes();
    search.tables(ground, seed, planted);
    search.queues(ground);
    search.files(ground, since, until);
    search.journal(since);
    search.swap(ground, until);
    search.found
}

struct Search {
    words: BTreeMap<String, (&'static str, u8)>,
    keys: BTreeMap<String, (&'static str, u8)>,
    found: Found,
}

impl Search {
    fn bytes(&mut self, bytes: &[u8], place: &str) {
        let start = START.as_bytes();
        let mut from = 0;
        while let Some(at) = bytes.get(from..).and_then(|rest| find(rest, start)) {
            let word = bytes.get(from + at..from + at + LENGTH).map(String::from_utf8_lossy);
            if let Some(whose) = word.and_then(|word| self.words.get(word.as_ref()).copied()) {
                let _ = self.found.places.entry(whose).or_default().insert(place.to_owned());
            }
            from += at + start.len();
        }
    }

    /// Command lines, environments, names, open files, of every process that may be looked at.
    fn processes(&mut self) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.bytes().all(|byte| byte.is_ascii_digit()) || name == std::process::id().to_string() {
                continue;
            }
            for part in ["cmdline", "environ", "comm", "maps"] {
                match fs::read(entry.path().join(part)) {
                    Ok(bytes) => self.bytes(&bytes, &format!("process {name}, {part}")),
                    Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                        self.found.unreadable += 1;
                    }
                    Err(_) => {}
                }
            }
            for handle in fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten() {
                if let Ok(target) = fs::read_link(handle.path()) {
                    self.bytes(
                        target.as_os_str().as_encoded_bytes(),
                        &format!("process {name}, an open file"),
                    );
                }
            }
        }
    }

    /// What the kernel itself lists: sockets, keys (as the account sees them), shared memory, network
    /// devices, ports; and the cut buffers of the stage's display.
    fn tables(&mut self, ground: &Ground<'_>, seed: &str, planted: &[Planted]) {
        for table in ["/proc/net/unix", "/proc/self/mountinfo"] {
            self.bytes(&fs::read(table).unwrap_or_default(), table);
        }
        for (place, table) in &ground.tables {
            match table {
                Ok(bytes) => self.bytes(bytes, place),
                Err(why) => self.found.not_searched.push(format!("{place} ({why})")),
            }
        }
        let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        for number in table.lines().filter_map(|line| line.split_whitespace().next()) {
            if let Some(whose) = self.keys.get(number).copied() {
                let _ = self.found.places.entry(whose).or_default().insert("/proc/sysvipc/shm".to_owned());
            }
        }
        let tunnel = tunnel(seed);
        if Path::new("/sys/class/net").join(&tunnel).exists() {
            let _ = self.found.places.entry((Side::Escaped.word(), 25)).or_default().insert(tunnel);
        }
        let listening = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        for planted in planted.iter().filter(|planted| planted.done && planted.class == 15) {
            let port = planted.what.strip_prefix("port ").and_then(|port| port.parse::<u16>().ok());
            let mark = port.map(|port| format!(":{port:04X} 00000000:0000 0A"));
            if mark.is_some_and(|mark| listening.contains(&mark)) {
                let _ = self
                    .found
                    .places
                    .entry((Side::Escaped.word(), 15))
                    .or_default()
                    .insert(planted.what.clone());
            }
        }
    }

    /// The host's message queues, where they are shown.
    fn queues(&mut self, ground: &Ground<'_>) {
        let Some(place) = &ground.queues else {
            self.found.not_searched.push("message queues (only root can have them shown)".to_owned());
            return;
        };
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            self.bytes(entry.file_name().as_encoded_bytes(), "a message queue");
        }
    }

    /// Every mounted file system that has files: names everywhere, content where a session could have
    /// got it to.
    fn files(&mut self, ground: &Ground<'_>, since: i64, until: Duration) {
        for place in &ground.near {
            // The near places are few and small: they are searched whatever else is to be over.
            let _ = self.tree(place, ground, since, until, false);
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut roots: Vec<PathBuf> = mounts
            .lines()
            .filter_map(|line| {
                let (before, after) = line.split_once(" - ")?;
                let kind = after.split(' ').next()?;
                (!NO_FILES.contains(&kind)).then(|| before.split(' ').nth(4).map(PathBuf::from))?
            })
            .collect();
        roots.sort();
        roots.dedup();
        for root in roots {
            if let Err(why) = self.tree(&root, ground, since, until, true) {
                self.found.not_searched.push(format!("all of {} ({why})", root.display()));
            }
        }
    }

    /// One file system from this place on. `stoppable` where it may be broken off because the search is over.
    fn tree(
        &mut self,
        root: &Path,
        ground: &Ground<'_>,
        since: i64,
        until: Duration,
        stoppable: bool,
    ) -> Result<(), &'static str> {
        let Ok(device) = fs::symlink_metadata(root).map(|data| data.dev()) else { return Ok(()) };
        let mut places = vec![root.to_owned()];
        while let Some(place) = places.pop() {
            if stoppable && ground.over.load(Ordering::Relaxed) {
                return Err("the search was ended early");
            }
            if monotonic() > until {
                return Err("there was no more time");
            }
            let Ok(entries) = fs::read_dir(&place) else {
                self.found.unreadable += 1;
                continue;
            };
            for entry in entries.flatten() {
                let (path, Ok(data)) = (entry.path(), entry.metadata()) else { continue };
                if ground.own.contains(&path) {
                    continue;
                }
                let shown = path.display().to_string();
                if find(entry.file_name().as_encoded_bytes(), START.as_bytes()).is_some() {
                    self.bytes(shown.as_bytes(), &shown);
                }
                if data.is_dir() {
                    if data.dev() == device {
                        places.push(path);
                    }
                } else if data.is_file() && data.ctime() >= since && data.size() <= LARGEST {
                    let kept = KEPT.iter().any(|kept| path.starts_with(kept));
                    if data.uid() == ground.account || kept {
                        self.content(&path, &shown);
                    }
                }
            }
        }
        Ok(())
    }

    fn content(&mut self, path: &Path, shown: &str) {
        match fs::read(path) {
            Ok(bytes) => self.bytes(&bytes, shown),
            Err(_) => self.found.unreadable += 1,
        }
    }

    fn journal(&mut self, since: i64) {
        if !Path::new("/run/systemd/journal/socket").exists() {
            return;
        }
        let output = spawn::command("journalctl")
            .args(["--since", &format!("@{since}"), "-o", "verbose", "--no-pager", "-q"])
            .stderr(Stdio::null())
            .output();
        match output {
            Ok(output) => self.bytes(&output.stdout, "the journal"),
            Err(error) => self.found.not_searched.push(format!("the journal ({error})")),
        }
    }

    fn swap(&mut self, ground: &Ground<'_>, until: Duration) {
        let table = fs::read_to_string("/proc/swaps").unwrap_or_default();
        for area in table.lines().skip(1).filter_map(|line| line.split_whitespace().next()) {
            let read = File::open(area).and_then(|mut file| {
                let mut part = vec![0; 1 << 20];
                let mut total = 0;
                while total < MOST_SWAP && monotonic() < until && !ground.over.load(Ordering::Relaxed) {
                    match file.read(&mut part)? {
                        0 => break,
                        read => {
                            total += u64::try_from(read).unwrap_or(0);
                            let bytes = part.get(..read).unwrap_or_default().to_vec();
                            self.bytes(&bytes, area);
                        }
                    }
                }
                Ok(())
            });
            if let Err(error) = read {
                self.found.not_searched.push(format!("swap on {area} ({error})"));
            }
        }
    }
}

/// Where `what` begins in `bytes`.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        let here = from + at;
        if bytes.get(here..here + what.len()) == Some(what) {
            return Some(here);
        }
        from = here + 1;
    }
    None
}
