//! The world of a rehearsal: capsules whose every trace is known by whose it is, a screen that knows
//! whether a session's pixels can be seen, gates that look at it truly. Nothing in it can be hidden
//! from whoever directs, so that "clean" can be checked against the truth.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::RehearsedClock;
use crate::handoff::{App, DrillPart, OperatorId, Window};
use crate::ports::{
    Answer, AppWindow, CapsuleNews, Capsules, Closing, Destroyed, Drill, DrillRow, DrillSearch, GateAnswer,
    Gates, Grant, Idle, Machine, Page, PortError, Result, Screen, Sight,
};

/// The trace classes of this world, by their numbers in the catalogue, with how each is looked for.
const CLASSES: [(u8, &str, &str); 4] = [
    (1, "processes", "init pidfd"),
    (5, "files", "mounts"),
    (11, "kernel keyrings", "/proc/keys"),
    (17, "print jobs", "root looker"),
];

/// What the shell asked of the world, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Something about apps or the capsule.
    Capsule,
    /// Cover.
    Cover,
    /// Something of a drill is planted.
    Drill,
    /// The gates' look.
    Look,
    /// Something was begun beside everything else.
    Thread,
    /// Show the session, or put the shell's own view before it.
    Views,
}

/// What goes wrong in the world, each so many times.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    /// The cover is not confirmed.
    pub cover: u32,
    /// The session cannot be shown.
    pub uncover: u32,
    /// The capsule cannot be destroyed.
    pub destroy: u32,
    /// A capsule cannot be built.
    pub prepare: u32,
    /// A gate cannot look.
    pub blind: u32,
    /// Idle cannot be told.
    pub idle: u32,
    /// At the next end of a session a trace of it escapes, and outlives so many clearings.
    pub leak: Option<u32>,
    /// The machine cannot be started anew from here.
    pub restart: u32,
    /// What a drill plants on the host cannot be taken back by what has planted it.
    pub drill: u32,
    /// What a drill has planted is not found by the gates, and outlives them; only a search finds it.
    pub hidden: u32,
    /// Apps do not close when they are asked.
    pub stubborn_apps: bool,
}

/// Where the capsule's news go.
type Listener = Box<dyn Fn(CapsuleNews) + Send + Sync>;

/// The world.
pub struct World {
    clock: Arc<RehearsedClock>,
    news: Mutex<Option<Listener>>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    capsules: Vec<Capsule>,
    escaped: Vec<Escaped>,
    /// Whether the session's display is in front.
    shown: bool,
    attending: Option<OperatorId>,
    last_input: u64,
    built: u64,
    windows: u32,
    calls: Vec<Call>,
    lasted: u64,
    /// What a drill has planted so far.
    rows: Vec<DrillRow>,
    /// So many looks and searches long something of a drill is there that no gate sees.
    hidden: u32,
    restarts: bool,
    /// Tokens that were given to capsules: of which session, and to which capsule.
    given: Vec<(String, u64)>,
    troubles: Troubles,
}

/// A disposable world in the world.
struct Capsule {
    number: u64,
    /// Whose traces are in it.
    traces: BTreeSet<OperatorId>,
    apps: BTreeSet<u8>,
    windows: Vec<AppWindow>,
    /// Whether the shell that built it is dead.
    orphan: bool,
}

/// A trace outside every capsule.
struct Escaped {
    class: usize,
    whose: OperatorId,
    /// How many clearings it outlives.
    outlives: u32,
    /// Whether a drill has planted it.
    planted: bool,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(clock: Arc<RehearsedClock>) -> Arc<Self> {
        Arc::new(Self { clock, news: Mutex::default(), inner: Mutex::default() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, news: CapsuleNews) {
        if let Some(listener) = &*self.news.lock().unwrap_or_else(PoisonError::into_inner) {
            listener(news);
        }
    }

    // What happens to the world.

    /// What goes wrong from now on.
    pub fn trouble(&self, change: impl FnOnce(&mut Troubles)) {
        change(&mut self.inner().troubles);
    }

    /// Somebody puts everything right: no trouble, and what had escaped is gone.
    pub fn repair(&self) {
        let mut inner = self.inner();
        inner.troubles = Troubles::default();
        inner.escaped.clear();
        inner.hidden = 0;
    }

    /// Nothing more goes wrong; what has escaped stays.
    pub fn calm(&self) {
        self.inner().troubles = Troubles::default();
    }

    /// Somebody touches the station.
    pub fn touch(&self) {
        self.inner().last_input = self.clock.world();
    }

    /// Who is at work. Whatever her apps do from now on leaves her traces.
    pub fn attend(&self, operator: Option<OperatorId>) {
        let mut inner = self.inner();
        inner.attending = operator;
        if let (Some(operator), Some(capsule)) = (operator, inner.capsules.last_mut()) {
            let _ = capsule.traces.insert(operator);
        }
    }

    /// An app ends with a failure.
    pub fn app_fails(&self) {
        let app = {
            let mut inner = self.inner();
            let Some(capsule) = inner.standing() else { return };
            let Some(app) = capsule.apps.pop_first() else { return };
            capsule.windows.retain(|window| window.app != Some(App(app)));
            app
        };
        self.tell(CapsuleNews::AppFailed(App(app), "it crashed".to_owned()));
        self.tell_windows();
    }

    /// The capsule's display dies: nothing of it can be seen any more; the rest of it lives on.
    pub fn lose_capsule(&self) {
        self.inner().shown = false;
        self.tell(CapsuleNews::Lost("its display".to_owned()));
    }

    /// The shell dies: its windows go with it. `all` when the machine does too, with all its memory;
    /// otherwise the capsule may live on, as `survives` has it.
    pub fn shell_dies(&self, all: bool, survives: bool) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut inner = self.inner();
        inner.shown = false;
        inner.attending = None;
        inner.calls.clear();
        if all || !survives {
            inner.capsules.clear();
        }
        if all {
            inner.escaped.clear();
        }
        inner.capsules.iter_mut().for_each(|capsule| capsule.orphan = true);
    }

    fn tell_windows(&self) {
        let windows = self.inner().standing().map(|capsule| capsule.windows.clone());
        self.tell(CapsuleNews::Windows(windows.unwrap_or_default()));
    }

    /// The shell has begun something beside everything else.
    pub(super) fn begun(&self) {
        self.inner().calls.push(Call::Thread);
    }

    // What is true.

    /// What the shell asked since this was asked last.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.inner().calls)
    }

    /// How many milliseconds of waiting for apps there were since this was asked last.
    #[must_use]
    pub fn lasted(&self) -> u64 {
        std::mem::take(&mut self.inner().lasted)
    }

    /// Whether a session's pixels and keys are reachable.
    #[must_use]
    pub fn reachable(&self) -> bool {
        let inner = self.inner();
        inner.shown && inner.capsules.iter().any(|capsule| !capsule.traces.is_empty())
    }

    /// Whose data an app that runs at the station now could read.
    #[must_use]
    pub fn readable(&self) -> BTreeSet<OperatorId> {
        let inner = self.inner();
        let inside = inner.capsules.iter().flat_map(|capsule| capsule.traces.iter().copied());
        inside.chain(inner.escaped.iter().map(|escaped| escaped.whose)).collect()
    }

    /// Whose data is in a capsule, rather than beside all of them.
    #[must_use]
    pub fn inside(&self) -> BTreeSet<OperatorId> {
        self.inner().capsules.iter().flat_map(|capsule| capsule.traces.iter().copied()).collect()
    }

    /// Whether the shell has had the machine started anew since this was asked last.
    #[must_use]
    pub fn restarts(&self) -> bool {
        std::mem::take(&mut self.inner().restarts)
    }

    /// The tokens that were given to capsules since this was asked last: of which session, to which capsule.
    #[must_use]
    pub fn given(&self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.inner().given)
    }

    /// The number of the capsule that stands; none is ever given twice.
    #[must_use]
    pub fn capsule(&self) -> Option<u64> {
        self.inner().capsules.iter().find(|capsule| !capsule.orphan).map(|capsule| capsule.number)
    }

    /// The apps that run in it.
    #[must_use]
    pub fn apps(&self) -> Vec<App> {
        let mut inner = self.inner();
        inner.standing().map(|capsule| capsule.apps.iter().copied().map(App).collect()).unwrap_or_default()
    }
}

impl Inner {
    fn standing(&mut self) -> Option<&mut Capsule> {
        self.capsules.iter_mut().find(|capsule| !capsule.orphan)
    }

    /// Whether this happens now, which was to happen so many times.
    fn now(times: &mut u32) -> bool {
        let now = *times > 0;
        *times = times.saturating_sub(1);
        now
    }
}

fn refused(doing: &str) -> PortError {
    PortError::new(format!("{doing}: the rehearsal has it fail"))
}

impl Capsules for World {
    fn listen(&self, news: Box<dyn Fn(CapsuleNews) + Send + Sync>) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = Some(news);
    }

    fn prepare(&self) -> Result<()> {
        let mut inner = self.inner();
        inner.calls.push(Call::Capsule);
        if Inner::now(&mut inner.troubles.prepare) {
            return Err(refused("build a capsule"));
        }
        if !inner.capsules.is_empty() {
            return Err(PortError::new("build a capsule while another stands"));
        }
        inner.built += 1;
        let number = inner.built;
        let traces = BTreeSet::new();
        inner.capsules.push(Capsule {
            number,
            traces,
            apps: BTreeSet::new(),
            windows: Vec::new(),
            orphan: false,
        });
        Ok(())
    }

    fn launch(&self, app: App) -> Result<()> {
        {
            let mut inner = self.inner();
            inner.calls.push(Call::Capsule);
            inner.windows += 1;
            let (window, operator) = (Window(inner.windows), inner.attending);
            let Some(capsule) = inner.standing() else {
                return Err(PortError::new("start the app: there is no session"));
            };
            let _ = capsule.apps.insert(app.0);
            capsule.traces.extend(operator);
            let title = format!("window of app {}", app.0);
            capsule.windows.push(AppWindow { window, app: Some(app), title, front: true });
        }
        self.tell(CapsuleNews::Starting(app));
        self.tell_windows();
        Ok(())
    }

    fn raise(&self, _: Window) -> Result<()> {
        self.inner().calls.push(Call::Capsule);
        Ok(())
    }

    fn close(&self, window: Window) -> Result<()> {
        {
            let mut inner = self.inner();
            inner.calls.push(Call::Capsule);
            if let Some(capsule) = inner.standing() {
                capsule.windows.retain(|standing| standing.window != window);
            }
        }
        self.tell_windows();
        Ok(())
    }

    fn hold(&self, grant: &Grant) -> Result<()> {
        let mut inner = self.inner();
        inner.calls.push(Call::Capsule);
        let Some(capsule) = inner.standing().map(|capsule| capsule.number) else {
            return Err(PortError::new("put a token into the session: there is none"));
        };
        inner.given.push((grant.session.clone(), capsule));
        Ok(())
    }

    fn visit(&self, _page: &Page) -> Result<()> {
        Ok(())
    }

    fn ask_to_close(&self, grace: Duration) -> Closing {
        let mut inner = self.inner();
        inner.calls.push(Call::Capsule);
        let stubborn = inner.troubles.stubborn_apps;
        let Some(capsule) = inner.standing() else { return Closing::default() };
        let apps: Vec<_> = capsule.apps.iter().map(|app| (format!("app {app}"), !stubborn)).collect();
        if !stubborn {
            capsule.apps.clear();
            capsule.windows.clear();
        } else if !apps.is_empty() {
            inner.lasted += u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        }
        Closing { apps }
    }

    fn destroy(&self) -> Result<Destroyed> {
        let mut inner = self.inner();
        inner.calls.push(Call::Capsule);
        if Inner::now(&mut inner.troubles.destroy) {
            return Err(refused("destroy the capsule"));
        }
        inner.escaped.retain_mut(|escaped| {
            let stays = escaped.outlives > 0;
            escaped.outlives = escaped.outlives.saturating_sub(1);
            stays
        });
        let whose: Vec<_> =
            inner.capsules.iter().flat_map(|capsule| capsule.traces.iter().copied()).collect();
        if let (Some(whose), Some(outlives)) = (whose.first(), inner.troubles.leak) {
            inner.troubles.leak = None;
            let class = usize::try_from(inner.built).unwrap_or(0) % CLASSES.len();
            inner.escaped.push(Escaped { class, whose: *whose, outlives, planted: false });
        }
        let proof = if inner.capsules.is_empty() { "no capsule" } else { "init pidfd" };
        let open = inner.capsules.iter().flat_map(|capsule| &capsule.apps);
        let forced = open.map(|app| format!("app {app}")).collect();
        inner.capsules.clear();
        inner.shown = false;
        Ok(Destroyed { proof: proof.to_owned(), took: Duration::from_millis(9), forced })
    }

    fn shared(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Gates for World {
    fn look_inside(&self) -> Vec<GateAnswer> {
        let mut inner = self.inner();
        inner.calls.push(Call::Look);
        let there = inner.standing().is_some_and(|capsule| !capsule.traces.is_empty());
        if there { vec![answered(0, Answer::Present, "1 process")] } else { Vec::new() }
    }

    fn look(&self) -> Vec<GateAnswer> {
        let mut inner = self.inner();
        inner.calls.push(Call::Look);
        let blind = Inner::now(&mut inner.troubles.blind);
        let looked = (0..CLASSES.len()).map(|class| {
            let left = inner.escaped.iter().filter(|escaped| escaped.class == class).count()
                + if class == 0 { inner.capsules.len() } else { 0 };
            match left {
                _ if blind && class == 2 => answered(class, Answer::Unknown, "it could not be read"),
                0 => answered(class, Answer::Absent, "0"),
                left => answered(class, Answer::Present, &left.to_string()),
            }
        });
        let setting = GateAnswer { answer: Answer::Setting, ..answered(1, Answer::Setting, "swap is on") };
        looked.chain([setting]).collect()
    }

    fn capabilities(&self) -> Vec<(String, String)> {
        vec![("userns".to_owned(), "rehearsed".to_owned())]
    }
}

fn answered(class: usize, answer: Answer, saw: &str) -> GateAnswer {
    let (number, gate, method) = CLASSES.get(class).copied().unwrap_or((0, "", ""));
    GateAnswer {
        class: number,
        gate: gate.to_owned(),
        answer,
        saw: saw.to_owned(),
        method: method.to_owned(),
        took: Duration::from_micros(40),
    }
}

impl Drill for World {
    fn plant(&self, part: DrillPart, over: &AtomicBool) -> Result<Vec<DrillRow>> {
        if over.load(Ordering::SeqCst) {
            return Err(refused("plant after the end of the drill"));
        }
        let mut inner = self.inner();
        inner.calls.push(Call::Drill);
        match part {
            DrillPart::Escaped => {
                inner.rows.clear();
                let whose = OperatorId::DRILL;
                inner.escaped.extend((0..CLASSES.len()).map(|class| Escaped {
                    class,
                    whose,
                    outlives: u32::MAX,
                    planted: true,
                }));
                if Inner::now(&mut inner.troubles.drill) {
                    return Err(refused("take back what was planted"));
                }
                let blind = Inner::now(&mut inner.troubles.blind);
                inner.escaped.retain(|escaped| !escaped.planted);
                inner.rows = (0..CLASSES.len()).map(|class| row(class, blind && class == 2)).collect();
            }
            DrillPart::Contained => {
                let Some(capsule) = inner.standing() else {
                    return Err(PortError::new("plant in a capsule: there is none"));
                };
                let _ = capsule.traces.insert(OperatorId::DRILL);
                for row in &mut inner.rows {
                    (row.contained, row.inside) = (1, Sight::Saw);
                }
                inner.hidden = std::mem::take(&mut inner.troubles.hidden);
            }
        }
        Ok(inner.rows.clone())
    }

    fn take_back(&self) {
        let mut inner = self.inner();
        inner.escaped.retain(|escaped| !escaped.planted);
    }

    fn search(&self, _: Duration, over: &AtomicBool) -> DrillSearch {
        let mut inner = self.inner();
        if over.load(Ordering::SeqCst) || !Inner::now(&mut inner.hidden) {
            return DrillSearch::default();
        }
        DrillSearch { found: vec![(11, vec!["/proc/keys".to_owned()])], notes: Vec::new() }
    }
}

fn row(class: usize, missed: bool) -> DrillRow {
    let (number, name, _) = CLASSES.get(class).copied().unwrap_or((0, "", ""));
    DrillRow {
        class: number,
        name: name.to_owned(),
        contained: 0,
        escaped: 1,
        why_not: String::new(),
        inside: Sight::Nothing,
        outside: if missed { Sight::Missed } else { Sight::Saw },
        searched: Sight::Saw,
        missed: missed.then(|| format!("{name} could not be read")).into_iter().collect(),
    }
}

impl Screen for World {
    fn attach(&self, _: u64) -> Result<()> {
        Ok(())
    }

    fn cover(&self) -> Result<()> {
        let mut inner = self.inner();
        inner.calls.push(Call::Cover);
        if Inner::now(&mut inner.troubles.cover) {
            return Err(refused("cover"));
        }
        inner.shown = false;
        Ok(())
    }

    fn uncover(&self, shell_in_front: bool) -> Result<()> {
        let mut inner = self.inner();
        inner.calls.push(Call::Views);
        if Inner::now(&mut inner.troubles.uncover) {
            return Err(refused("uncover"));
        }
        inner.shown = !shell_in_front && !inner.capsules.is_empty();
        Ok(())
    }

    fn show_shell(&self, shell_in_front: bool) -> Result<()> {
        let mut inner = self.inner();
        inner.calls.push(Call::Views);
        inner.shown = !shell_in_front && !inner.capsules.is_empty();
        Ok(())
    }
}

impl Machine for World {
    fn restart(&self) -> Result<()> {
        let mut inner = self.inner();
        if Inner::now(&mut inner.troubles.restart) {
            return Err(refused("start the machine anew"));
        }
        inner.restarts = true;
        Ok(())
    }
}

impl Idle for World {
    fn since_input(&self) -> Result<Duration> {
        let mut inner = self.inner();
        if Inner::now(&mut inner.troubles.idle) {
            return Err(refused("ask when the station was touched"));
        }
        Ok(Duration::from_millis(self.clock.world().saturating_sub(inner.last_input)))
    }
}
