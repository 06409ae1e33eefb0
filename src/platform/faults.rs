//! Faults planted into a shell that runs: its death at a chosen step, another wall clock. In builds with
//! the feature `faults` alone, which no release has.
//!
//! `CLEANSHIFT_FAULTS` names a directory. Each step is noted in its file `steps`; the shell kills itself
//! at the step that the file `at` names; the file `clock` holds the milliseconds by which the wall
//! clock is off.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::handoff::{App, DrillPart, Moment, Window};
use crate::ports::{
    Body, CapsuleNews, Capsules, Clock, Closing, Destroyed, Drill, DrillRow, DrillSearch, Entry, GateAnswer,
    Gates, Grant, Intent, Ledger, Page, Ports, Result, Stamp, Unfinished, Written,
};

/// The same ports, with the faults that the environment asks for.
#[must_use]
pub fn plant(mut ports: Ports) -> Ports {
    if let Some(dir) = dir() {
        ports.ledger = Arc::new(Faulty { dir: dir.clone(), real: ports.ledger });
        ports.capsules = Arc::new(Faulty { dir: dir.clone(), real: ports.capsules });
        ports.drill = Arc::new(Faulty { dir: dir.clone(), real: ports.drill });
        ports.gates = Arc::new(Faulty { dir, real: ports.gates });
    }
    ports
}

/// The same clock, off by as much as the environment asks for.
#[must_use]
pub fn clock(real: Arc<dyn Clock>) -> Arc<dyn Clock> {
    match dir() {
        Some(dir) => Arc::new(Faulty { dir, real }),
        None => real,
    }
}

#[expect(clippy::disallowed_methods, reason = "the faults are named by the environment")]
fn dir() -> Option<PathBuf> {
    std::env::var("CLEANSHIFT_FAULTS").ok().map(PathBuf::from)
}

/// A port with faults.
struct Faulty<T: ?Sized> {
    dir: PathBuf,
    real: Arc<T>,
}

impl<T: ?Sized> Faulty<T> {
    /// Does something that is a step, with a place to die before it and one after it.
    fn step<R>(&self, what: &str, deed: impl FnOnce(&T) -> R) -> R {
        reached(&self.dir, &format!("before {what}"));
        let done = deed(&self.real);
        reached(&self.dir, &format!("after {what}"));
        done
    }
}

fn reached(dir: &Path, step: &str) {
    if let Ok(mut steps) = File::options().create(true).append(true).open(dir.join("steps")) {
        let _ = writeln!(steps, "{step}");
    }
    if fs::read_to_string(dir.join("at")).is_ok_and(|at| at == step) {
        let _ = fs::remove_file(dir.join("at"));
        super::native::host::die();
    }
}

impl Ledger for Faulty<dyn Ledger> {
    fn append(&self, entry: &Entry) -> Result<Written> {
        let what = match &entry.body {
            Body::Core { record, .. } => {
                let words = format!("{record:?}");
                words.split('(').next().unwrap_or_default().to_lowercase()
            }
            Body::BreakGlass { .. } => "break-glass".to_owned(),
            Body::Discontinuity(_) => "discontinuity".to_owned(),
            Body::Drill { .. } => "drill".to_owned(),
            Body::Handoff(_) => "handoff".to_owned(),
            Body::Settled(_) => "settled".to_owned(),
            Body::Noted(noted) => format!("{:?}", noted.what).to_lowercase(),
            Body::Change { .. } => "change".to_owned(),
            Body::Started { .. } => "started".to_owned(),
            Body::Stopped => "stopped".to_owned(),
        };
        self.step(&format!("the entry {what}"), |real| real.append(entry))
    }

    fn intend(&self, intent: Intent) -> Result<()> {
        let what = match &intent {
            Intent::Open(..) => "open",
            Intent::Begin(_) => "begin",
            Intent::AskApps => "ask the apps",
            Intent::Destroy => "destroy",
            Intent::Look => "look",
        };
        self.step(&format!("the intent to {what}"), |real| real.intend(intent))
    }

    fn unfinished(&self) -> Result<Option<Unfinished>> {
        self.real.unfinished()
    }

    fn page(&self, before: Option<u64>, limit: usize) -> Result<Vec<Written>> {
        self.real.page(before, limit)
    }

    fn entries(&self) -> Result<u64> {
        self.real.entries()
    }

    fn prune(&self, at: &Stamp) -> Result<bool> {
        self.real.prune(at)
    }

    fn verify(&self) -> Result<std::result::Result<u64, String>> {
        self.real.verify()
    }
}

impl Capsules for Faulty<dyn Capsules> {
    fn listen(&self, news: Box<dyn Fn(CapsuleNews) + Send + Sync>) {
        self.real.listen(news);
    }

    fn prepare(&self) -> Result<()> {
        self.step("the next capsule", Capsules::prepare)
    }

    fn launch(&self, app: App) -> Result<()> {
        self.step("the start of an app", |real| real.launch(app))
    }

    fn raise(&self, window: Window) -> Result<()> {
        self.real.raise(window)
    }

    fn close(&self, window: Window) -> Result<()> {
        self.real.close(window)
    }

    fn hold(&self, grant: &Grant) -> Result<()> {
        self.real.hold(grant)
    }

    fn visit(&self, page: &Page) -> Result<()> {
        self.real.visit(page)
    }

    fn ask_to_close(&self, grace: Duration) -> Closing {
        self.step("the asking of the apps", |real| real.ask_to_close(grace))
    }

    fn destroy(&self) -> Result<Destroyed> {
        self.step("the end of the capsule", Capsules::destroy)
    }

    fn shared(&self) -> Vec<String> {
        self.real.shared()
    }
}

impl Gates for Faulty<dyn Gates> {
    fn look_inside(&self) -> Vec<GateAnswer> {
        self.step("the look inside", Gates::look_inside)
    }

    fn look(&self) -> Vec<GateAnswer> {
        self.step("the look", Gates::look)
    }

    fn capabilities(&self) -> Vec<(String, String)> {
        self.real.capabilities()
    }
}

impl Drill for Faulty<dyn Drill> {
    fn plant(&self, part: DrillPart, over: &AtomicBool) -> Result<Vec<DrillRow>> {
        let what = match part {
            DrillPart::Contained => "the planting in the capsule",
            DrillPart::Escaped => "the planting on the host",
        };
        self.step(what, |real| real.plant(part, over))
    }

    fn take_back(&self) {
        self.real.take_back();
    }

    fn search(&self, patience: Duration, over: &AtomicBool) -> DrillSearch {
        self.real.search(patience, over)
    }
}

impl Clock for Faulty<dyn Clock> {
    fn now(&self) -> Moment {
        self.real.now()
    }

    fn micros(&self) -> u64 {
        self.real.micros()
    }

    fn stamp(&self) -> Stamp {
        let mut stamp = self.real.stamp();
        let off =
            fs::read_to_string(self.dir.join("clock")).ok().and_then(|text| text.trim().parse::<i64>().ok());
        stamp.utc_ms = stamp.utc_ms.saturating_add(off.unwrap_or(0));
        stamp
    }
}
