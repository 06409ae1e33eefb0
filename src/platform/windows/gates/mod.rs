//! The gates: for each trace class of Windows, a look that can find it.
//!
//! Every gate has the same shape (`Gate`): the class it answers for, how it looks at the host after the
//! session's end, and how it clears what lies outside the session's own profile where that can be done safely.
//! All 18 classes answer in every look, each by its kind; a gate that breaks or does not answer in time is unknown.
//!
//! What stood on the host before the station's first session (the baseline) is not a trace; everything of this
//! account that came since is. In the default mode all sessions share the station's account, so that its
//! credentials, registry and folders are swept; what only the end of an account can answer for (`mode =
//! "account"`) is told as a setting, or, where a sweep is known to be partial, as unknown. It is never absent.

mod account;
mod ask;
mod autostart;
mod cards;
mod clipboard;
mod connections;
mod credentials;
mod folders;
mod hive;
mod identity;
mod kept;
mod lookout;
mod personal;
mod printing;
mod processes;
mod scan;
mod settings;
mod shell_state;
mod tickets;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::clock::monotonic;
use crate::ports::{Answer, GateAnswer};

pub use self::account::{is_administrator, own_sid};
pub use self::ask::{Ours, heard, program, windows as windows_dir};
pub use self::clipboard::clipboard_history;
pub use self::hive::has_machine_key;
pub use self::lookout::{CLASSES, Lookout};

/// What a destroyed capsule would be known by.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// Whether there was a capsule.
    pub capsule: bool,
    /// Whether its job object was seen empty after its end.
    pub proved: bool,
    /// The session's own profile directory.
    pub profile: Option<PathBuf>,
    /// The session's own desktop object, by name.
    pub desktop: Option<String>,
    /// The shell's directory for sessions.
    pub run_dir: PathBuf,
    /// The account that the session had for itself (strong mode), by its SID; `None` where it shared the
    /// station's.
    pub account: Option<String>,
    /// When the shell started its first app, by the system's clock; what began before that is of no session. `None`
    /// where none has been started.
    pub first_app: Option<SystemTime>,
    /// When the last capsule was ended.
    pub ended: Option<SystemTime>,
}

/// What stood on the host before the first session.
#[derive(Default)]
pub(super) struct Baseline {
    /// The traces that each gate found, by the gate's name.
    traces: BTreeMap<String, BTreeSet<String>>,
    /// Every process, by pid and when it began.
    processes: BTreeSet<(u32, i64)>,
    /// The account's registry.
    hive: hive::Hive,
    /// How the shell stood: keyboard, pointer, accessibility.
    state: shell_state::State,
}

/// What the gates look at.
pub(super) struct Ground {
    remains: Remains,
    baseline: Arc<Baseline>,
    require: Vec<String>,
    shared: Vec<PathBuf>,
}

/// One gate.
pub(super) struct Gate {
    /// The trace class that it answers for, 1 to 18.
    class: u8,
    /// Its name, for the screen and the receipt.
    name: &'static str,
    /// What it looks for, in the plural: "no files", "3 files".
    what: &'static str,
    /// How it looks, where it looks itself.
    method: &'static str,
    /// Whether its look before the end tells what there is to be destroyed.
    inside: bool,
    /// Why a clearing of what it found does not prove that it is gone; `None` where it does.
    partial: Option<&'static str>,
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
    /// Where it is, when it is a file: its name may be a person's, and never leaves the station.
    path: Option<PathBuf>,
}

/// What a gate's look comes to, before what was always there is taken off.
pub(super) enum Look {
    /// What there is.
    These(Vec<Trace>),
    /// What there is, whether or not it was there before: it never belongs to a station.
    Anew(Vec<Trace>),
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
        &tickets::GATES,
        &credentials::GATES,
        &identity::GATES,
        &personal::GATES,
        &clipboard::GATES,
        &printing::GATES,
        &connections::GATES,
        &folders::GATES,
        &autostart::GATES,
        &hive::GATES,
        &settings::GATES,
        &cards::GATES,
        &shell_state::GATES,
        &volume::GATES,
    ];
    let mut gates: Vec<&'static Gate> = groups.into_iter().flatten().collect();
    gates.sort_by_key(|gate| gate.class);
    gates.into_iter()
}

/// Whether the session is covered, once more: the display answers for it, which is silent only where it is unknown.
pub fn cover(confirm: impl Fn() -> crate::ports::Result<()>) -> GateAnswer {
    let began = monotonic();
    let (answer, saw) = match confirm() {
        Ok(()) => (Answer::Absent, "the shell's own desktop has the screen and the keyboard".to_owned()),
        Err(error) => (Answer::Unknown, format!("failed to {error}")),
    };
    GateAnswer {
        class: 18,
        gate: "cover".to_owned(),
        answer,
        saw,
        method: "the input desktop".to_owned(),
        took: monotonic().saturating_sub(began),
    }
}

impl Trace {
    /// A trace that is shown as what it is known by.
    fn of(key: impl Into<String>) -> Self {
        let key = key.into();
        Self { shown: key.clone(), key, path: None }
    }

    /// A trace that is shown otherwise.
    fn shown(key: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { key: key.into(), shown: shown.into(), path: None }
    }

    /// A file below `place`; a change of `state` makes it another trace. It is shown by the place and, when it is
    /// told, by the number that NTFS knows it by (`fsutil file queryFileNameById`).
    fn file(place: &Path, path: &Path, state: &str) -> Self {
        Self {
            key: format!("{}{SEAM}{state}", path.display()),
            shown: format!("in {}", place.display()),
            path: Some(path.to_owned()),
        }
    }

    /// How it is told.
    fn told(&self) -> String {
        match self.path.as_deref().map(folders::number) {
            Some(Some(number)) => format!("{} (file 0x{number:016x})", self.shown),
            Some(None) | None => self.shown.clone(),
        }
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
            [one] => (Answer::Present, format!("{what}: 1, {}", one.told())),
            [first, ..] => (Answer::Present, format!("{what}: {}, among them {}", found.len(), first.told())),
        };
        Self { answer, saw, method: None }
    }
}

impl Ground {
    /// Whether something was there before the first session, whatever its state.
    fn stood(&self, gate: &str, path: &Path) -> bool {
        let start = format!("{}{SEAM}", path.display());
        let traces = self.baseline.traces.get(gate);
        traces.is_some_and(|traces| {
            traces.range(start.clone()..).next().is_some_and(|next| next.starts_with(&start))
        })
    }
}
