//! The gates: for each trace class, a look that can find it.
//!
//! Every gate has the same shape (`Gate`): the class it answers for, what the capsule's init counts
//! for it before the end, how it looks at the host afterwards, and how it clears what lies outside a
//! capsule where that can be done safely. All 28 classes answer in every look, each by its kind; a
//! gate that breaks or does not answer in time is unknown.
//!
//! What stood on the host before the station's first session (the baseline) is not a trace; everything
//! of this account that came since is. A scan of /proc can convict but never acquit (containment.md
//! §3.3): that processes are gone is proved by the pidfd of the capsule's init, and the scans here are
//! the second look. Where this account may not look, the looker does ([`super::looker`]); without it
//! the class is proved by reach ([`super::reach`]), and the answer says `unreachable`.

mod broker;
mod display;
mod dumps;
mod files;
mod home;
mod ipc;
mod keys;
mod lookout;
mod media;
mod network;
mod processes;
mod profiles;
mod remote;
mod scan;
mod secrets;
mod services;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::scan::Scan;
use super::clock::monotonic;
use super::looker::{self, Counts};
use crate::ports::{Answer, GateAnswer};

pub(super) use self::home::{BROWSERS, CLIPBOARDS, LEARNED, PICTURES, RECENT};
pub use self::lookout::{CLASSES, Lookout};
pub(super) use self::secrets::{AGENTS, is_git_cache};
pub(super) use self::services::SERVICES;

/// What a destroyed capsule would be known by.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// The inode of its PID namespace; 0 where there was no capsule.
    pub pid_namespace: u64,
    /// The inode of its IPC namespace; 0 where there was no capsule.
    pub ipc_namespace: u64,
    /// The device numbers of its file systems.
    pub devices: Vec<u64>,
    /// Whether the kernel proved its end.
    pub proved: bool,
    /// The socket of its nested display.
    pub display: Option<PathBuf>,
    /// The shell's directory for it.
    pub run_dir: PathBuf,
    /// The directory of its control group, where it had one.
    pub group: Option<PathBuf>,
    /// Which doors of the host its init found; `None` where it did not say.
    pub doors: Option<Vec<(String, u64)>>,
    /// The window in which a session is shown on the station's display, where there is one.
    pub container: Option<u32>,
    /// When the shell started its first app, on the clock that counts suspend; what began before that
    /// is of no session. `None` where none has been started.
    pub first_app: Option<Duration>,
}

/// What stood on the host before the first session.
#[derive(Default)]
pub(super) struct Baseline {
    /// The traces that each gate found, by the gate's name.
    traces: BTreeMap<&'static str, BTreeSet<String>>,
    /// Every process of this account, by pid and when it began.
    own: BTreeSet<(i32, u64)>,
    /// What the looker counted.
    counts: Option<Counts>,
}

/// What the gates look at.
pub(super) struct Ground {
    remains: Remains,
    baseline: Arc<Baseline>,
    require: Vec<String>,
    shared: Vec<PathBuf>,
    looker: PathBuf,
    scan: OnceLock<Scan>,
    counts: OnceLock<Option<Counts>>,
}

/// One gate.
pub(super) struct Gate {
    /// The trace class that it answers for, 1 to 28.
    class: u8,
    /// Its name, for the screen and the receipt.
    name: &'static str,
    /// What it looks for, in the plural: "no files", "3 files".
    what: &'static str,
    /// How it looks, where it looks itself.
    method: &'static str,
    /// What init counts inside the capsule for it, by the names of `init::look`.
    inside: &'static [&'static str],
    /// Looks at the host.
    look: fn(&Ground) -> Look,
    /// Clears these traces, as far as that is safe; a second look tells whether it worked.
    clear: Option<fn(&Ground, &[Trace])>,
}

/// Stands between a file's path and its state; no path has it.
const SEAM: char = '\0';

/// Something that a gate found: what it is known by from look to look, and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    key: String,
    shown: String,
}

/// What a gate's look comes to, before what was always there is taken off.
pub(super) enum Look {
    /// What there is.
    These(Vec<Trace>),
    /// What there is, and why that may not be all.
    Partly(Vec<Trace>, String),
    /// An answer that needs no baseline.
    Said(Saw),
}

/// What a look says.
pub(super) struct Saw {
    answer: Answer,
    saw: String,
    method: Option<&'static str>,
}

/// Every gate, in the order of the classes.
pub(super) fn all() -> impl Iterator<Item = &'static Gate> {
    let groups: [&'static [Gate]; 15] = [
        &processes::GATES,
        &services::GATES,
        &display::GATES,
        &home::GATES,
        &secrets::GATES,
        &keys::GATES,
        &profiles::GATES,
        &files::GATES,
        &ipc::GATES,
        &network::GATES,
        &broker::GATES,
        &media::GATES,
        &dumps::GATES,
        &settings::GATES,
        &remote::GATES,
    ];
    let mut gates: Vec<&'static Gate> = groups.into_iter().flatten().collect();
    gates.sort_by_key(|gate| gate.class);
    gates.into_iter()
}

/// Whether the session's place on the screen is covered, once more and with the display server's own
/// answer: where it is silent, what it still shows is unknown.
pub fn cover(confirm: impl Fn() -> crate::ports::Result<()>) -> GateAnswer {
    let began = monotonic();
    let (answer, saw) = match confirm() {
        Ok(()) => (Answer::Absent, "the session's place is unmapped".to_owned()),
        Err(error) => (Answer::Unknown, format!("failed to {error}")),
    };
    GateAnswer {
        class: 5,
        gate: "cover".to_owned(),
        answer,
        saw,
        method: "the display server's answer".to_owned(),
        took: monotonic().saturating_sub(began),
    }
}

impl Trace {
    /// A trace that is shown as what it is known by.
    fn of(key: impl Into<String>) -> Self {
        let key = key.into();
        Self { shown: key.clone(), key }
    }

    /// A file or directory below `place`. Its name may be a person's, and never leaves the station: its
    /// inode lets IT find it (`find PLACE -xdev -inum N`). A change of `state` makes it another trace.
    fn file(place: &Path, path: &Path, state: &str) -> Self {
        let inode = std::fs::symlink_metadata(path).map_or(0, |data| data.ino());
        let place = place.display();
        Self { key: format!("{}{SEAM}{state}", path.display()), shown: format!("in {place} (inode {inode})") }
    }

    /// Where a [`Trace::file`] is.
    fn path(&self) -> &Path {
        Path::new(self.key.split(SEAM).next().unwrap_or_default())
    }

    /// A trace that is shown otherwise.
    fn shown(key: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { key: key.into(), shown: shown.into() }
    }
}

impl Look {
    fn absent(saw: impl Into<String>, method: &'static str) -> Self {
        Self::Said(Saw { answer: Answer::Absent, saw: saw.into(), method: Some(method) })
    }

    fn not_here(saw: impl Into<String>) -> Self {
        Self::Said(Saw { answer: Answer::NotApplicable, saw: saw.into(), method: None })
    }

    fn unknown(saw: impl Into<String>) -> Self {
        Self::Said(Saw { answer: Answer::Unknown, saw: saw.into(), method: None })
    }

    fn present(saw: impl Into<String>) -> Self {
        Self::Said(Saw { answer: Answer::Present, saw: saw.into(), method: None })
    }

    /// A setting of the host, as found: a trace only where the policy requires it otherwise.
    fn setting(ground: &Ground, name: &str, kept: bool, saw: impl Into<String>) -> Self {
        let barred = !kept && ground.require.iter().any(|required| required == name);
        let answer = if barred { Answer::Present } else { Answer::Setting };
        let saw = saw.into();
        let saw = if barred { format!("{saw}; the policy requires otherwise") } else { saw };
        Self::Said(Saw { answer, saw, method: None })
    }
}

impl Saw {
    /// Nothing is absent, something is present: counted and, where it helps to find it, named.
    fn of(found: &[Trace], what: &str) -> Self {
        let (answer, saw) = match found {
            [] => (Answer::Absent, format!("no {what}")),
            [one] => (Answer::Present, format!("{what}: 1, {}", one.shown)),
            [first, ..] => (Answer::Present, format!("{what}: {}, among them {}", found.len(), first.shown)),
        };
        Self { answer, saw, method: None }
    }
}

impl Ground {
    /// The processes of this account, looked at once for all gates of a look.
    fn scan(&self) -> &Scan {
        self.scan.get_or_init(Scan::take)
    }

    /// What the looker counts now; `None` where there is none that can be believed.
    fn counts(&self) -> Option<&Counts> {
        self.counts.get_or_init(|| looker::ask(&self.looker)).as_ref()
    }

    /// Whether there was a capsule.
    fn had_capsule(&self) -> bool {
        self.remains.pid_namespace != 0
    }
}

/// The account that the station runs as.
fn account() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The home of the account that the station runs as.
fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// The runtime directory that the host keeps for the account.
fn host_runtime() -> PathBuf {
    PathBuf::from(format!("/run/user/{}", account()))
}
