//! A disk of memory that fails as disks fail: a power cut loses what was not synced, in any order and
//! in the middle of a sector's neighbour; a full, failing or read-only disk says so; a slow one takes
//! its time. What was synced is never lost: whatever else is lost is somebody's bug.
//!
//! Pure; [`super::vfs`] puts it under SQLite.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::dice::Dice;

/// What a power cut leaves whole: of a write that was not synced, any of its sectors may be there.
const SECTOR: usize = 512;

/// What goes wrong at one write, sync, truncation or deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The shell is killed just before it. What was written stays.
    Crash,
    /// It fails once, in this way.
    Fails(Weather),
    /// It takes this many milliseconds.
    Hangs(u64),
    /// From here on everything fails in this way, until somebody clears the disk's weather.
    Lasting(Weather),
    /// The power is cut in the middle of it: it may be done in part, and nothing unsynced is sure.
    PowerCut,
}

/// How a disk fails while it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Reads and writes fail (EIO). What a failed sync should have kept is not kept by a later one.
    Failing,
    /// Writes find no space (ENOSPC).
    Full,
    /// Writes are not permitted (EPERM).
    Forbidden,
    /// Writes find a read-only disk.
    ReadOnly,
}

/// How the shell on this disk died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It was killed; the machine runs on.
    Killed,
    /// The power was cut.
    PowerCut,
}

/// A disk.
#[derive(Debug)]
pub struct Disk {
    number: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, File>,
    /// Which shell's handles are alive.
    life: u32,
    dead: Option<Death>,
    changes: u64,
    plan: Option<(u64, Fault)>,
    weather: Option<Weather>,
    hung_ms: u64,
    dice: Dice,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What the running machine sees.
    live: Option<Vec<u8>>,
    /// What was synced.
    durable: Option<Vec<u8>>,
    /// Whether the name on the disk is this file's, not that of a deleted one before it.
    named: bool,
    /// What was done since the last sync, in order.
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Truncate(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Truncate(len) => to.resize(*len, 0),
            Self::Write(at, bytes) => put(to, *at, bytes),
        }
    }
}

fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if at == to.len() {
        to.extend_from_slice(bytes);
        return;
    }
    let end = at.saturating_add(bytes.len());
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(place) = to.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}

/// Every disk, by its number, for SQLite's file names.
static DISKS: Mutex<(u64, BTreeMap<u64, Weak<Disk>>)> = Mutex::new((0, BTreeMap::new()));

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Self::with(BTreeMap::new(), seed)
    }

    fn with(files: BTreeMap<String, File>, seed: u64) -> Arc<Self> {
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.0 += 1;
        let number = disks.0;
        let inner = Inner {
            files,
            life: 0,
            dead: None,
            changes: 0,
            plan: None,
            weather: None,
            hung_ms: 0,
            dice: Dice::new(seed),
        };
        let disk = Arc::new(Self { number, inner: Mutex::new(inner) });
        let _ = disks.1.insert(number, Arc::downgrade(&disk));
        disk
    }

    /// A disk with the same synced contents, and nothing else of this one.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Arc<Self> {
        let synced = |file: &File| {
            let durable = file.durable.clone();
            File { live: durable.clone(), durable, named: true, pending: Vec::new() }
        };
        let files = &self.inner().files;
        let files = files.iter().filter(|(_, file)| file.live.is_some());
        let files = files.map(|(name, file)| (name.rsplit('/').next().unwrap_or(name), file));
        let files: Vec<_> = files.map(|(name, file)| (name.to_owned(), synced(file))).collect();
        let copy = Self::with(BTreeMap::new(), seed);
        let dir = copy.dir();
        copy.inner().files = files.into_iter().map(|(name, file)| (format!("{dir}/{name}"), file)).collect();
        copy
    }

    /// The directory in which its files lie.
    #[must_use]
    pub fn dir(&self) -> String {
        format!("/{}", self.number)
    }

    /// The disk on which this file lies.
    pub(super) fn of(path: &str) -> Option<Arc<Self>> {
        let number = path.split('/').nth(1)?.parse().ok()?;
        let disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        disks.1.get(&number)?.upgrade()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes (writes, syncs, truncations, deletions) were asked of it so far.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.inner().changes
    }

    /// Lets this fault happen at the change of this number.
    pub fn plan(&self, at: u64, fault: Fault) {
        self.inner().plan = Some((at, fault));
    }

    /// Forgets a fault that has not happened yet.
    pub fn forget_plan(&self) {
        self.inner().plan = None;
    }

    /// Sets or clears how everything fails.
    pub fn weather(&self, weather: Option<Weather>) {
        self.inner().weather = weather;
    }

    /// For how many milliseconds its calls have hung since this was asked last.
    #[must_use]
    pub fn hung(&self) -> u64 {
        std::mem::take(&mut self.inner().hung_ms)
    }

    /// How the shell on it died, if it did.
    #[must_use]
    pub fn dead(&self) -> Option<Death> {
        self.inner().dead
    }

    /// Ends the shell on it.
    pub fn kill(&self, how: Death) {
        let _ = self.inner().dead.get_or_insert(how);
    }

    /// Whether everything that was written into this file is synced; also where there is no such file.
    #[must_use]
    pub fn synced(&self, name: &str) -> bool {
        self.inner().files.get(&format!("{}/{name}", self.dir())).is_none_or(|file| file.pending.is_empty())
    }

    /// Starts anew after a death: no handle of before works, and after a power cut the files are what
    /// it has left of them.
    pub fn boot(&self) {
        let mut inner = self.inner();
        inner.life += 1;
        if inner.dead.take() == Some(Death::PowerCut) {
            let Inner { files, dice, .. } = &mut *inner;
            let luck = dice.below(4);
            files.values_mut().for_each(|file| file.cut(dice, luck));
            files.retain(|_, file| file.live.is_some());
        }
    }

    pub(super) fn life(&self) -> u32 {
        self.inner().life
    }

    // What SQLite does, for the handle of one life.

    pub(super) fn exists(&self, path: &str) -> bool {
        self.inner().files.get(path).is_some_and(|file| file.live.is_some())
    }

    /// Makes a file; its name is durable with its first sync.
    pub(super) fn make(&self, path: &str) {
        let file = &mut *self.inner();
        let file = file.files.entry(path.to_owned()).or_default();
        file.live = Some(Vec::new());
        file.named = false;
        file.pending.clear();
    }

    pub(super) fn size(&self, path: &str, life: u32) -> Result<usize, Weather> {
        let inner = self.inner();
        inner.alive(life)?;
        Ok(inner.live(path).map_or(0, Vec::len))
    }

    /// Reads; what lies beyond the end is zero. The number of bytes that were there.
    pub(super) fn read(&self, path: &str, life: u32, at: usize, into: &mut [u8]) -> Result<usize, Weather> {
        let inner = self.inner();
        inner.alive(life)?;
        if inner.weather == Some(Weather::Failing) {
            return Err(Weather::Failing);
        }
        let there = inner.live(path).and_then(|live| live.get(at..)).unwrap_or_default();
        let read = there.len().min(into.len());
        let (to, beyond) = into.split_at_mut(read);
        to.copy_from_slice(there.get(..read).unwrap_or_default());
        beyond.fill(0);
        Ok(read)
    }

    pub(super) fn write(&self, path: &str, life: u32, at: usize, bytes: &[u8]) -> Result<(), Weather> {
        self.change(path, life, Change::Write(at, bytes.to_vec()))
    }

    pub(super) fn truncate(&self, path: &str, life: u32, len: usize) -> Result<(), Weather> {
        self.change(path, life, Change::Truncate(len))
    }

    fn change(&self, path: &str, life: u32, change: Change) -> Result<(), Weather> {
        let mut inner = self.inner();
        let before = inner.dead;
        let asked = inner.ask(life);
        // It was on its way when the power went.
        let torn = before.is_none() && inner.dead == Some(Death::PowerCut);
        let file = inner.files.entry(path.to_owned()).or_default();
        if asked.is_ok()
            && let Some(live) = &mut file.live
        {
            change.apply(live);
        }
        if asked.is_ok() || torn {
            file.pending.push(change);
        }
        asked
    }

    pub(super) fn sync(&self, path: &str, life: u32) -> Result<(), Weather> {
        let mut inner = self.inner();
        let asked = inner.ask(life);
        let alive = inner.dead.is_none();
        let file = inner.files.entry(path.to_owned()).or_default();
        match asked {
            Ok(()) if file.named => file.sync(),
            Ok(()) => {
                // The directory is synced with a new name in it, and so are the deletions before.
                file.sync();
                inner.files.retain(|_, file| file.live.is_some());
            }
            // The kernel has given up these pages and calls them clean: a later sync keeps them not.
            Err(Weather::Failing) if alive => file.pending.clear(),
            Err(Weather::Failing | Weather::Forbidden | Weather::Full | Weather::ReadOnly) => {}
        }
        asked
    }

    pub(super) fn delete(&self, path: &str, life: u32, durably: bool) -> Result<(), Weather> {
        let mut inner = self.inner();
        inner.ask(life)?;
        if let Some(file) = inner.files.get_mut(path) {
            file.live = None;
            file.pending.clear();
            file.named = false;
            if durably {
                file.durable = None;
            }
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = DISKS.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}

impl Inner {
    fn live(&self, path: &str) -> Option<&Vec<u8>> {
        self.files.get(path)?.live.as_ref()
    }

    fn alive(&self, life: u32) -> Result<(), Weather> {
        if self.dead.is_some() || life != self.life { Err(Weather::Failing) } else { Ok(()) }
    }

    /// Counts a change, and lets happen what is planned for it.
    fn ask(&mut self, life: u32) -> Result<(), Weather> {
        self.alive(life)?;
        let number = self.changes;
        self.changes += 1;
        if let Some((_, fault)) = self.plan.take_if(|(at, _)| *at <= number) {
            match fault {
                Fault::Crash => self.dead = Some(Death::Killed),
                Fault::Fails(how) => return Err(how),
                Fault::Hangs(ms) => self.hung_ms += ms,
                Fault::Lasting(how) => self.weather = Some(how),
                Fault::PowerCut => self.dead = Some(Death::PowerCut),
            }
        }
        self.alive(life)?;
        self.weather.map_or(Ok(()), Err)
    }
}

impl File {
    fn sync(&mut self) {
        match &mut self.durable {
            Some(durable) if self.named => self.pending.iter().for_each(|change| change.apply(durable)),
            Some(_) | None => self.durable.clone_from(&self.live),
        }
        self.named = self.live.is_some();
        self.pending.clear();
    }

    /// What a power cut leaves of it.
    fn cut(&mut self, dice: &mut Dice, luck: u64) {
        let pending = std::mem::take(&mut self.pending);
        if !self.named {
            // Its making or its deletion was not durable: it may be as if it had not happened.
            self.live = if dice.one_in(2) { self.durable.clone() } else { None };
        } else if let Some(durable) = &self.durable {
            let mut left = durable.clone();
            for change in pending {
                match change {
                    Change::Truncate(_) if keeps(dice, luck) => change.apply(&mut left),
                    Change::Truncate(_) => {}
                    Change::Write(at, bytes) => {
                        for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                            if keeps(dice, luck) {
                                put(&mut left, at + number * SECTOR, sector);
                            }
                        }
                    }
                }
            }
            self.live = Some(left);
        }
        self.durable.clone_from(&self.live);
        self.named = true;
    }
}

/// Whether an unsynced sector is kept: by luck none, all, half or most of them.
fn keeps(dice: &mut Dice, luck: u64) -> bool {
    match luck {
        0 => false,
        1 => true,
        2 => dice.one_in(2),
        _ => !dice.one_in(8),
    }
}
