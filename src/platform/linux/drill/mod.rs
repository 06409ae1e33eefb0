//! The drill at the station itself: planting on the host beside the shell and in the capsule that stands,
//! asking the very gates that judge a handoff, taking back, and looking for every canary afterwards.
//!
//! What `cleanshiftctl drill` shares with it lies here: what was planted ([`planted`]), whether the gates
//! saw it ([`control`]), and the search ([`search`]), which shares nothing with the gates.

pub mod classes;
pub mod control;
pub mod guard;
pub mod planted;
pub mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::classes::{CLASSES, NOT_PLANTED, name};
use self::control::{Failure, Looks};
use self::guard::Note;
use self::planted::{Planted, ROOT_ALONE};
use super::canary::{Side, canary, masked};
use super::capsule::{private_dir, random_hex};
use super::clock::monotonic;
use super::plant::WITHHELD;
use super::spawn;
use super::station::LinuxStation;
use crate::handoff::DrillPart;
use crate::ports::{Answer, Clock, Drill, DrillRow, DrillSearch, GateAnswer, PortError, Result, Sight};

/// How long the planter may take, on either side.
const PLANTING: Duration = Duration::from_secs(40);
/// How long taking back may take.
const BACK: Duration = Duration::from_secs(5);
/// How often it is asked whether something has come to its end.
const POLL: Duration = Duration::from_millis(20);

/// Gates that a drill at the station can show nothing: why.
const SHOWN_NOTHING: [(&str, &str); 6] = [
    ("control group", "a control group of the host is shown nothing: it ends with its capsule"),
    ("profiles and mounts", ROOT_ALONE),
    ("session's picture", "the session of a drill is never shown"),
    ("mounted media", ROOT_ALONE),
    ("network identity", ROOT_ALONE),
    ("core dumps", ROOT_ALONE),
];
/// What the browser's own row says besides.
const NO_PAGE: &str = "a cookie over a page is planted by `cleanshiftctl drill` alone";

/// The drill of a station.
pub struct StationDrill {
    station: Arc<LinuxStation>,
    clock: Arc<dyn Clock>,
    init: PathBuf,
    /// The drill's own directory among the station's state, and that state.
    dir: PathBuf,
    state: PathBuf,
    inner: Mutex<Inner>,
}

/// What is known of the drill that is held, or was held last.
#[derive(Default)]
struct Inner {
    /// What must still be searched for.
    note: Option<Note>,
    guard: Option<Guard>,
    escaped: Vec<Planted>,
    contained: Vec<Planted>,
    failures: Vec<Failure>,
    by_reach: BTreeSet<u8>,
    /// Classes that the search found while they were there.
    searched: BTreeSet<u8>,
    /// Classes of which more was counted inside than before.
    inside: BTreeSet<u8>,
}

/// The guard of what is planted on the host; what it says comes line by line.
struct Guard {
    input: ChildStdin,
    said: Receiver<String>,
    _starter: Child,
}

impl Guard {
    /// Starts it apart from the shell, so that what it plants is nobody's child here.
    fn start(init: &Path, seed: &str, report: &Path, runtime: &Path) -> std::io::Result<Self> {
        let mut command = spawn::command("/usr/bin/setsid");
        let _ = command.arg("--fork").arg(init).args(["guard", seed]).arg(report).env(guard::MARK, seed);
        for name in ["HOME", "DISPLAY", "XAUTHORITY"] {
            let _ = command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let _ = command.env("XDG_RUNTIME_DIR", runtime).current_dir("/");
        let _ = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut starter = spawn::start(command)?;
        let (Some(input), Some(output)) = (starter.stdin.take(), starter.stdout.take()) else {
            return Err(std::io::Error::other("the guard has no ends to talk through"));
        };
        let (lines, said) = channel();
        drop(std::thread::Builder::new().spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                let _ = lines.send(line);
            }
        })?);
        let _ = starter.wait()?;
        Ok(Self { input, said, _starter: starter })
    }

    /// Waits for its next word; an error when it is gone, when it takes too long, or when all is over.
    fn word(&self, patience: Duration, over: &AtomicBool) -> Result<String> {
        let until = monotonic().saturating_add(patience);
        loop {
            if over.load(Ordering::SeqCst) {
                return Err(ended_early());
            }
            match self.said.recv_timeout(POLL) {
                Ok(word) => return Ok(word),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PortError::new("plant on the host: the planter is gone"));
                }
                Err(RecvTimeoutError::Timeout) if monotonic() > until => {
                    return Err(PortError::new("plant on the host in time"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Has it take everything back, and waits until it has.
    fn end(mut self) {
        let _ = writeln!(self.input, "end");
        let until = monotonic().saturating_add(BACK);
        while monotonic() < until {
            match self.said.recv_timeout(POLL) {
                Ok(word) if word == guard::GONE => return,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

fn ended_early() -> PortError {
    PortError::new("go on with the drill: it was ended early")
}

/// Takes back what a shell that was killed has left of a drill, before anybody says what has always been
/// here. What is still there afterwards is found by the first search.
///
/// # Errors
/// When the note of it is there and cannot be read.
pub fn sweep(state: &Path) -> Result<()> {
    let path = state.join("drill").join("note");
    let note =
        Note::read(&path).map_err(|error| PortError(format!("read what a drill has planted: {error}")))?;
    if let Some(note) = note {
        guard::take_back(&note);
        let _ = fs::remove_file(path.with_file_name("report"));
    }
    Ok(())
}

impl StationDrill {
    /// The drill of this station, which keeps what it needs below `state`.
    ///
    /// # Errors
    /// When it can keep nothing there.
    pub fn new(
        station: Arc<LinuxStation>,
        clock: Arc<dyn Clock>,
        init: &Path,
        state: &Path,
    ) -> Result<Arc<Self>> {
        let dir = state.join("drill");
        let failed = |error: std::io::Error| PortError(format!("make the drill's directory: {error}"));
        private_dir(&dir).map_err(failed)?;
        let note = Note::read(&dir.join("note")).map_err(failed)?;
        let inner = Mutex::new(Inner { note, ..Inner::default() });
        let (init, state) = (init.to_owned(), state.to_owned());
        Ok(Arc::new(Self { station, clock, init, dir, state, inner }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plants on the host and asks the gates, while no capsule stands.
    fn escape(&self, inner: &mut Inner, over: &AtomicBool) -> Result<()> {
        if inner.note.is_some() {
            return Err(PortError::new("begin: what the drill before has planted is not found to be gone"));
        }
        *inner = Inner::default();
        let failed = |error: std::io::Error| PortError(format!("plant on the host: {error}"));
        let seed = random_hex(16).map_err(failed)?;
        let since = self.clock.stamp().utc_ms / 1000;
        let (runtime, display) = self.station.run_places();
        let note = Note::new(seed.clone(), since, runtime.clone(), display);
        // Durable before anything is planted: whoever comes after this shell must know.
        note.write(&self.dir.join("note")).map_err(failed)?;
        inner.note = Some(note.clone());
        self.station.apps_begin();
        let before = self.station.ask_gates(false);
        let report = self.dir.join("report");
        let _ = fs::remove_file(&report);
        let guard = Guard::start(&self.init, &seed, &report, &runtime).map_err(failed)?;
        let guard = inner.guard.insert(guard);
        let word = guard.word(PLANTING, over)?;
        let text = fs::read_to_string(&report).map_err(failed)?;
        if word != guard::PLANTED || !planted::whole(&text) {
            return Err(PortError::new("plant on the host: the planter did not finish"));
        }
        inner.escaped = planted::read(&text);
        inner.escaped.extend(self.session_display(&note));
        let with = self.station.ask_gates(false);
        let near = AtomicBool::new(true);
        let found = self.look_for(&note, &inner.escaped, PLANTING, &near);
        inner.searched = found.classes(Side::Escaped);
        let cleared = self.station.ask_gates(true);
        if over.load(Ordering::SeqCst) {
            return Err(ended_early());
        }
        self.back(inner);
        let gone = self.station.ask_gates(false);
        let excused = |said: &GateAnswer| {
            SHOWN_NOTHING.iter().any(|(gate, _)| *gate == said.gate)
                || WITHHELD.iter().any(|(class, _)| *class == said.class)
        };
        let looks = Looks { before, with, cleared, gone };
        (inner.failures, inner.by_reach) = control::judge(&looks, &inner.escaped, &excused);
        Ok(())
    }

    /// What stands for the socket of a session's display, where the last session had one.
    fn session_display(&self, note: &Note) -> Option<Planted> {
        let place = note.display.as_ref().filter(|place| !place.exists())?;
        let written = fs::write(place, canary(&note.seed, Side::Escaped, 5));
        let what = written.as_ref().map_or_else(ToString::to_string, |()| place.display().to_string());
        Some(Planted { class: 5, done: written.is_ok(), what })
    }

    /// Plants in the capsule that stands, and counts what is in it before and after.
    fn contain(&self, inner: &mut Inner, over: &AtomicBool) -> Result<()> {
        let Some(note) = &inner.note else {
            return Err(PortError::new("plant in the session: the drill has not begun"));
        };
        let before = counts(&self.station.counted_inside());
        self.station.start_planter(&note.seed)?;
        let until = monotonic().saturating_add(PLANTING);
        let text = loop {
            if over.load(Ordering::SeqCst) {
                return Err(ended_early());
            }
            match self.station.planter_said() {
                Some(text) if planted::whole(&text) => break text,
                Some(_) | None if monotonic() > until => {
                    return Err(PortError::new("plant in the session in time"));
                }
                Some(_) | None => std::thread::sleep(POLL),
            }
        };
        inner.contained = planted::read(&text);
        let after = counts(&self.station.counted_inside());
        let more = after.iter().filter(|(name, count)| **count > before.get(*name).copied().unwrap_or(0));
        inner.inside = more.map(|((class, _), _)| *class).collect();
        Ok(())
    }

    /// Takes back what is on the host: by its guard, and once more by its seed.
    fn back(&self, inner: &mut Inner) {
        if let Some(guard) = inner.guard.take() {
            guard.end();
        }
        if let Some(note) = &inner.note {
            guard::take_back(note);
            let _ = fs::remove_file(self.dir.join("report"));
        }
    }

    fn look_for(
        &self,
        note: &Note,
        planted: &[Planted],
        patience: Duration,
        over: &AtomicBool,
    ) -> search::Found {
        let keys = fs::read("/proc/keys").map_err(|error| error.to_string());
        let account = rustix::process::getuid().as_raw();
        let mut near: Vec<PathBuf> = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from).to_vec();
        near.extend([
            PathBuf::from(format!("/run/user/{account}")),
            note.runtime.clone(),
            self.state.clone(),
        ]);
        near.extend(std::env::var_os("HOME").map(PathBuf::from));
        near.retain(|place| place.is_dir());
        let queues = PathBuf::from("/dev/mqueue");
        let ground = search::Ground {
            account,
            own: vec![self.dir.join("report"), self.dir.join("note")],
            near,
            tables: vec![
                ("/proc/keys".to_owned(), keys),
                ("the display's root window".to_owned(), guard::root_window()),
            ],
            queues: queues.is_dir().then_some(queues),
            patience,
            over,
        };
        search::search(&ground, &note.seed, note.since, planted)
    }
}

impl Drill for StationDrill {
    fn plant(&self, part: DrillPart, over: &AtomicBool) -> Result<Vec<DrillRow>> {
        let mut inner = self.inner();
        if over.load(Ordering::SeqCst) {
            return Err(ended_early());
        }
        let done = match part {
            DrillPart::Escaped => self.escape(&mut inner, over),
            DrillPart::Contained => self.contain(&mut inner, over),
        };
        if done.is_err() {
            self.back(&mut inner);
        }
        done.map(|()| (1..=28).take(CLASSES.len()).map(|class| inner.row(class)).collect())
    }

    fn take_back(&self) {
        let mut inner = self.inner();
        self.back(&mut inner);
    }

    fn search(&self, patience: Duration, over: &AtomicBool) -> DrillSearch {
        let mut inner = self.inner();
        let Some(note) = inner.note.clone() else { return DrillSearch::default() };
        // The planting on the host is over: its ports may be somebody else's by now.
        let found = self.look_for(&note, &[], patience, over);
        let mut left: BTreeMap<u8, Vec<String>> = BTreeMap::new();
        for ((_, class), places) in &found.places {
            left.entry(*class).or_default().extend(places.iter().map(|place| masked(place)));
        }
        let mut notes: Vec<String> =
            found.not_searched.iter().map(|what| format!("Not searched: {what}.")).collect();
        if found.unreadable > 0 {
            notes.push(format!("{} places may not be read by the station's account.", found.unreadable));
        }
        if left.is_empty() && fs::remove_file(self.dir.join("note")).is_ok() {
            inner.note = None;
        }
        DrillSearch { found: left.into_iter().collect(), notes }
    }
}

impl Inner {
    fn row(&self, class: u8) -> DrillRow {
        let of = |planted: &[Planted]| planted.iter().filter(|one| one.class == class && one.done).count();
        let (contained, escaped) = (of(&self.contained), of(&self.escaped));
        let missed: Vec<String> = self
            .failures
            .iter()
            .filter(|failure| failure.class == class)
            .map(|failure| masked(&format!("{} {}", failure.gate, failure.why)))
            .chain(
                (contained > 0 && !self.inside.contains(&class))
                    .then(|| "the look inside saw no more".to_owned()),
            )
            .chain(
                (escaped > 0 && !self.searched.contains(&class))
                    .then(|| "the search did not find it".to_owned()),
            )
            .collect();
        let sight = |there: usize, saw: bool| match (there, saw) {
            (0, _) => Sight::Nothing,
            (_, true) => Sight::Saw,
            (_, false) => Sight::Missed,
        };
        let outside = if self.failures.iter().any(|failure| failure.class == class) {
            Sight::Missed
        } else if self.by_reach.contains(&class) {
            Sight::Reach
        } else {
            sight(escaped, true)
        };
        DrillRow {
            class,
            name: name(class).to_owned(),
            contained,
            escaped,
            why_not: self.why_not(class, escaped),
            inside: sight(contained, self.inside.contains(&class)),
            outside,
            searched: sight(escaped, self.searched.contains(&class)),
            missed,
        }
    }

    /// Why something of a class was not planted.
    fn why_not(&self, class: u8, escaped: usize) -> String {
        let mut why: BTreeSet<String> = BTreeSet::new();
        for one in self.contained.iter().chain(&self.escaped).filter(|one| one.class == class && !one.done) {
            let _ = why.insert(masked(&one.what));
        }
        why.extend(NOT_PLANTED.iter().filter(|(known, _)| *known == class).map(|(_, why)| (*why).to_owned()));
        if class == 12 {
            let _ = why.insert(NO_PAGE.to_owned());
        }
        if escaped == 0 && matches!(class, 18 | 25) {
            let _ = why.insert(ROOT_ALONE.to_owned());
        }
        why.into_iter().collect::<Vec<_>>().join("; ")
    }
}

/// How much of each thing was counted, by its class and name.
fn counts(answers: &[GateAnswer]) -> BTreeMap<(u8, String), u64> {
    let counted = answers.iter().filter(|answer| answer.answer != Answer::Unknown);
    counted
        .filter_map(|answer| Some(((answer.class, answer.gate.clone()), answer.saw.parse().ok()?)))
        .collect()
}
