//! The Linux station as the driver sees it: display, capsule and gates joined behind the ports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::canary::{Side, masked};
use super::capsule::{self, Capsule, Spec};
use super::cgroup::Delegated;
use super::display::nested::Nested;
use super::display::outer::Outer;
use super::display::windows::{self, Seen, Windows};
use super::gates::{self, Lookout, Remains};
use super::init::protocol::{Launch, Offer};
use super::network::Network;
use super::{browser, capability, clock, host, pace, plant, root, sabotage, visit};
use crate::handoff::{App, Window};
use crate::policy::{CapsuleMode, Policy};
use crate::ports::{
    AppWindow, CapsuleNews, Capsules, Closing, Destroyed, GateAnswer, Gates, Grant, Idle, Machine, Page,
    PortError, Result, Screen,
};

/// How long the shell's window may take to appear before a capsule cannot be built.
const WINDOW: Duration = Duration::from_secs(8);

/// The number of a drill's planter among the apps: a policy has fewer.
const PLANTER: u8 = u8::MAX;

/// The Linux station.
pub struct LinuxStation {
    this: Weak<Self>,
    outer: Outer,
    policy: Policy,
    run_dir: PathBuf,
    init: PathBuf,
    network: Network,
    delegated: Option<Delegated>,
    capabilities: Mutex<Vec<(String, String)>>,
    lookout: Lookout,
    /// When the first app was started.
    first_app: OnceLock<Duration>,
    news: OnceLock<Box<dyn Fn(CapsuleNews) + Send + Sync>>,
    generation: AtomicU64,
    session: Mutex<Session>,
    container: Mutex<Option<u32>>,
    attached: Condvar,
    apps: Mutex<Apps>,
    apps_changed: Condvar,
}

/// The station of this system.
pub type Station = LinuxStation;

/// What stands for the session that is open or ready.
#[derive(Default)]
struct Session {
    capsule: Option<Capsule>,
    nested: Option<Nested>,
    windows: Option<Windows>,
    remains: Remains,
    /// Capsules whose end the kernel has not proved: set aside so that an emergency session can have a
    /// fresh one, and ended before anything counts as destroyed.
    aside: Vec<Capsule>,
    /// Whether the last end was not proved.
    undestroyed: bool,
}

/// The apps that run and the windows that stand.
#[derive(Default)]
struct Apps {
    /// Each with the pid of a program of it: a second one may only have handed a page to the first.
    running: BTreeSet<(u8, u32)>,
    owners: BTreeMap<u32, Option<u8>>,
    seen: Vec<Seen>,
}

impl Apps {
    /// Whether a program of this app runs.
    fn runs(&self, app: u8) -> bool {
        self.running.range((app, 0)..=(app, u32::MAX)).next().is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LinuxStation {
    /// The apps that are open now, by their place in the policy.
    fn running(&self) -> Vec<u8> {
        let running: BTreeSet<u8> = lock(&self.apps).running.iter().map(|(app, _)| *app).collect();
        running.into_iter().collect()
    }

    /// An app's name.
    fn name(&self, app: u8) -> String {
        self.policy.apps.get(usize::from(app)).map_or_else(String::new, |app| app.name.clone())
    }

    /// Opens the station on the display that the environment names.
    ///
    /// # Errors
    /// When there is no display, or the host cannot contain a session.
    pub fn open(policy: &Policy, run_dir: &Path, init: &Path) -> Result<Arc<Self>> {
        pace::take(policy.rules.step_limit);
        let outer = Outer::open()?;
        outer.guard()?;
        if let Some(why) = capability::refusal() {
            return Err(PortError(why));
        }
        capsule::private_dir(run_dir)
            .map_err(|error| PortError(format!("make {}: {error}", run_dir.display())))?;
        // What a shell that was killed has left must be gone before the baseline is taken, or it
        // would count as having always been there.
        capsule::sweep(run_dir)?;
        capsule::sweep_unborn(run_dir)?;
        let delegated = Delegated::take();
        if let Ok(delegated) = &delegated {
            delegated
                .sweep()
                .map_err(|error| PortError(format!("end what the shell before has left: {error}")))?;
        }
        let wanted = policy.apps.iter().any(|app| app.network);
        let network = Network::choose(wanted, &policy.capsule.reach);
        let mut capabilities = capability::report(&network, &delegated);
        if delegated.is_err() && policy.capsule.memory_bytes.is_some() {
            let unheld = "the policy's `memory` is not held: there is no control group".to_owned();
            capabilities.push(("memory limit".to_owned(), unheld));
        }
        if policy.capsule.mode == CapsuleMode::Account {
            capabilities
                .push(("mode".to_owned(), "`account` is Windows' alone: namespaces in its place".to_owned()));
        }
        let lookout = Lookout::begin(&policy.require, &policy.capsule.shared);
        Ok(Arc::new_cyclic(|this| Self {
            this: this.clone(),
            outer,
            policy: policy.clone(),
            run_dir: run_dir.to_owned(),
            init: init.to_owned(),
            network,
            delegated: delegated.ok(),
            capabilities: Mutex::new(capabilities),
            lookout,
            first_app: OnceLock::new(),
            news: OnceLock::new(),
            generation: AtomicU64::new(0),
            session: Mutex::default(),
            container: Mutex::default(),
            attached: Condvar::new(),
            apps: Mutex::default(),
            apps_changed: Condvar::new(),
        }))
    }

    /// The size of the station's screen, in pixels.
    #[must_use]
    pub fn screen_size(&self) -> (u16, u16) {
        self.outer.size
    }

    /// Replaces the capability report by one that others have added to.
    pub fn report(&self, capabilities: Vec<(String, String)>) {
        *lock(&self.capabilities) = capabilities;
    }

    fn tell(&self, news: CapsuleNews) {
        if let Some(listener) = self.news.get() {
            listener(news);
        }
    }

    /// News of a capsule counts only while that capsule is the one in use.
    fn current(&self, generation: u64) -> bool {
        self.generation.load(Ordering::SeqCst) == generation
    }

    fn capsule_news(&self, generation: u64, news: capsule::News) {
        if !self.current(generation) {
            return;
        }
        match news {
            capsule::News::Belongs(pid, app) => {
                let _ = lock(&self.apps).owners.insert(pid, app);
                self.tell_windows();
            }
            capsule::News::Ended(app, pid, why) => {
                let runs_on = {
                    let mut apps = lock(&self.apps);
                    let _ = apps.running.remove(&(app, pid));
                    apps.runs(app)
                };
                self.apps_changed.notify_all();
                match why {
                    None if runs_on => {}
                    None => self.tell(CapsuleNews::AppEnded(App(app))),
                    Some(why) => self.tell(CapsuleNews::AppFailed(App(app), why)),
                }
            }
            capsule::News::Lost => self.tell(CapsuleNews::Lost("its first process".to_owned())),
            capsule::News::Returned(path) => self.tell(CapsuleNews::Returned(path)),
            capsule::News::Started(app, pid) => {
                let ran = {
                    let mut apps = lock(&self.apps);
                    let ran = apps.runs(app);
                    let _ = apps.running.insert((app, pid));
                    ran
                };
                if !ran {
                    self.tell(CapsuleNews::Starting(App(app)));
                }
            }
        }
    }

    fn window_news(&self, generation: u64, news: windows::News) {
        if !self.current(generation) {
            return;
        }
        match news {
            windows::News::Lost => self.tell(CapsuleNews::Lost("its display".to_owned())),
            windows::News::Windows(seen) => {
                let unknown: Vec<u32> = {
                    let mut apps = lock(&self.apps);
                    apps.seen = seen;
                    let pids = apps.seen.iter().map(|seen| seen.pid).filter(|pid| *pid != 0);
                    pids.filter(|pid| !apps.owners.contains_key(pid)).collect()
                };
                if unknown.is_empty() {
                    self.tell_windows();
                }
                // The answers bring the windows with their apps; asked from here because this is a
                // thread of its own, and the session's lock is not held by any caller that waits for it.
                if let Some(capsule) = &lock(&self.session).capsule {
                    unknown.into_iter().for_each(|pid| capsule.ask_whose(pid));
                }
            }
        }
    }

    fn tell_windows(&self) {
        let windows = {
            let apps = lock(&self.apps);
            let window = |seen: &Seen| AppWindow {
                window: Window(seen.window),
                app: apps.owners.get(&seen.pid).copied().flatten().map(App),
                title: seen.title.clone(),
                front: seen.front,
            };
            apps.seen.iter().map(window).collect()
        };
        self.tell(CapsuleNews::Windows(windows));
    }

    /// Waits for the shell's own window, in which the session's display will be shown.
    fn container(&self) -> Result<u32> {
        let patience = pace::patience(WINDOW);
        let (container, _) = self
            .attached
            .wait_timeout_while(lock(&self.container), patience, |container| container.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        container.ok_or_else(|| PortError::new("see the shell's own window in time"))
    }

    /// What every gate says of the host as it is now; nothing is cleared. With `clear` each gate clears
    /// first what it may, as at a handoff. While no capsule stands, and after an app may have run.
    pub(super) fn ask_gates(&self, clear: bool) -> Vec<GateAnswer> {
        let remains = self.remains();
        if clear { self.lookout.look(&remains) } else { self.lookout.find(&remains) }
    }

    /// From now on what comes counts as a session's.
    pub(super) fn apps_begin(&self) {
        let _ = self.first_app.get_or_init(clock::since_boot);
    }

    fn remains(&self) -> Remains {
        let mut remains = lock(&self.session).remains.clone();
        remains.run_dir.clone_from(&self.run_dir);
        remains.first_app = self.first_app.get().copied();
        remains
    }

    /// The shell's directory for sessions, and where the socket of the last session's display was.
    pub(super) fn run_places(&self) -> (PathBuf, Option<PathBuf>) {
        (self.run_dir.clone(), lock(&self.session).remains.display.clone())
    }

    /// Starts a drill's planter in the capsule that stands.
    pub(super) fn start_planter(&self, seed: &str) -> Result<()> {
        self.apps_begin();
        let order = Launch {
            app: PLANTER,
            command: root::INIT.to_owned(),
            arguments: ["plant", seed, Side::Contained.word(), plant::REPORT].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            network: true,
            files: Vec::new(),
            profile: None,
        };
        match &lock(&self.session).capsule {
            Some(capsule) => capsule.launch(order),
            None => Err(PortError::new("start the planter: there is no session")),
        }
    }

    /// What the planter in the capsule has reported so far.
    pub(super) fn planter_said(&self) -> Option<String> {
        lock(&self.session).capsule.as_ref()?.report()
    }

    /// What is in the capsule now, by class.
    pub(super) fn counted_inside(&self) -> Vec<GateAnswer> {
        let counts = lock(&self.session).capsule.as_ref().and_then(Capsule::look).unwrap_or_default();
        self.lookout.inside(&counts)
    }

    /// The order that starts an app; a web app at `address`, where it is given.
    fn start_of(&self, app: App, address: Option<&str>) -> Result<Launch> {
        let entry = self.policy.apps.get(usize::from(app.0)).ok_or_else(|| PortError::new("find the app"))?;
        let before =
            self.policy.apps.iter().take(usize::from(app.0)).filter(|app| app.profile.is_some()).count();
        let (command, arguments) = browser::command_line(entry, address);
        Ok(Launch {
            app: app.0,
            command,
            arguments,
            environment: entry.environment.clone(),
            network: entry.network,
            files: browser::files(entry),
            profile: entry.profile.as_ref().map(|_| root::profile_place(before)),
        })
    }

    fn profiles(&self) -> Vec<PathBuf> {
        self.policy.apps.iter().filter_map(|app| app.profile.clone()).collect()
    }
}

impl Capsules for LinuxStation {
    fn listen(&self, news: Box<dyn Fn(CapsuleNews) + Send + Sync>) {
        let _ = self.news.set(news);
    }

    fn prepare(&self) -> Result<()> {
        let container = self.container()?;
        let mut session = lock(&self.session);
        if session.undestroyed {
            // Its display is ended in any case: nothing of it may be shown beside the new one.
            if let Some(nested) = &mut session.nested {
                nested.kill()?;
            }
            session.nested = None;
            session.windows = None;
            let capsule = session.capsule.take();
            session.aside.extend(capsule);
            session.undestroyed = false;
        }
        if session.capsule.is_some() || session.nested.is_some() {
            return Err(PortError::new("build a capsule while another stands"));
        }
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        *lock(&self.apps) = Apps::default();
        self.outer.fit()?;
        let nested = Nested::start(&self.run_dir, self.outer.number, container)?;
        // From here on something stands that a destroy must find, whatever fails below.
        let nested = session.nested.insert(nested);
        let this = self.this.clone();
        let spec = Spec {
            run_dir: self.run_dir.clone(),
            init: self.init.clone(),
            x11: nested.sockets.clone(),
            cookie: nested.cookie_file.clone(),
            display: nested.number,
            policy: self.policy.capsule.clone(),
            profiles: self.profiles(),
            network: self.network.clone(),
            redirect: visit::listens(&self.policy, &self.network),
            delegated: self.delegated.clone(),
            window_manager: windows::window_manager(),
        };
        let (socket, number, cookie) = (nested.socket(), nested.number, nested.cookie.clone());
        let tell = move |news| {
            if let Some(station) = this.upgrade() {
                station.capsule_news(generation, news);
            }
        };
        let capsule = Capsule::build(&spec, Box::new(tell))?;
        session.remains = Remains {
            pid_namespace: capsule.pid_namespace,
            ipc_namespace: capsule.ipc_namespace,
            devices: capsule.devices.clone(),
            proved: false,
            display: Some(socket.clone()),
            run_dir: self.run_dir.clone(),
            group: capsule.group().map(Path::to_owned),
            doors: (!sabotage::step("doors")).then(|| capsule.doors.clone()),
            container: Some(container),
            first_app: None,
        };
        session.capsule = Some(capsule);
        let this = self.this.clone();
        let tell = move |news| {
            if let Some(station) = this.upgrade() {
                station.window_news(generation, news);
            }
        };
        session.windows = Some(Windows::watch(&socket, number, &cookie, Box::new(tell))?);
        Ok(())
    }

    fn launch(&self, app: App) -> Result<()> {
        let entry = self.policy.apps.get(usize::from(app.0)).ok_or_else(|| PortError::new("find the app"))?;
        if entry.single && lock(&self.apps).runs(app.0) {
            let standing = {
                let apps = lock(&self.apps);
                let belongs = |seen: &&Seen| apps.owners.get(&seen.pid).copied().flatten() == Some(app.0);
                apps.seen.iter().find(belongs).map(|seen| seen.window)
            };
            if let Some(window) = standing {
                return self.raise(Window(window));
            }
        }
        let order = self.start_of(app, None)?;
        let _ = self.first_app.get_or_init(clock::since_boot);
        match &lock(&self.session).capsule {
            Some(capsule) => capsule.launch(order),
            None => Err(PortError::new("start the app: there is no session")),
        }
    }

    fn raise(&self, window: Window) -> Result<()> {
        lock(&self.session).windows.as_ref().map_or(Ok(()), |windows| windows.raise(window.0))
    }

    fn close(&self, window: Window) -> Result<()> {
        lock(&self.session).windows.as_ref().map_or(Ok(()), |windows| windows.close(window.0))
    }

    fn hold(&self, grant: &Grant) -> Result<()> {
        let held = match &lock(&self.session).capsule {
            Some(capsule) => capsule.hold(|serial| visit::order(grant, serial))?,
            None => return Err(PortError::new("put a token into the capsule: there is no session")),
        };
        held.wait()
    }

    fn visit(&self, page: &Page) -> Result<()> {
        let place = self.policy.apps.iter().position(|app| app.name == page.app);
        let app = place.and_then(|place| self.policy.apps.get(place));
        let unknown = || PortError(format!("open the sign-in page in {}: there is no such app", page.app));
        let (Some(app), Some(number)) = (app, place.and_then(|place| u8::try_from(place).ok())) else {
            return Err(unknown());
        };
        visit::possible(app, &self.policy, &self.network)?;
        let nonce = capsule::random_hex(16)
            .map_err(|error| PortError(format!("open the sign-in page in {}: {error}", page.app)))?;
        let (mut order, at) = (self.start_of(App(number), None)?, visit::address(&nonce));
        let offer = Offer { nonce, address: page.address.clone(), start: visit::start(&order) };
        if app.web.is_some() {
            order = self.start_of(App(number), Some(&at))?;
        } else {
            visit::turn_to(&mut order, &at);
        }
        let _ = self.first_app.get_or_init(clock::since_boot);
        match &lock(&self.session).capsule {
            Some(capsule) => capsule.offer(offer).and_then(|()| capsule.launch(order)),
            None => Err(PortError(format!("open the sign-in page in {}: there is no session", page.app))),
        }
    }

    fn ask_to_close(&self, grace: Duration) -> Closing {
        if sabotage::step("ask") {
            return Closing::default();
        }
        let asked: Vec<u32> = lock(&self.apps).seen.iter().map(|seen| seen.window).collect();
        for window in asked {
            let _ = self.close(Window(window));
        }
        let open = self.running();
        let (apps, _) = self
            .apps_changed
            .wait_timeout_while(lock(&self.apps), grace, |apps| !apps.running.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let closed = |app: u8| !apps.runs(app);
        Closing { apps: open.into_iter().map(|app| (self.name(app), closed(app))).collect() }
    }

    fn destroy(&self) -> Result<Destroyed> {
        // News of what is about to end is no news.
        let _ = self.generation.fetch_add(1, Ordering::SeqCst);
        let mut session = lock(&self.session);
        session.windows = None;
        session.undestroyed = true;
        while let Some(capsule) = session.aside.last_mut() {
            let _ = capsule.destroy()?;
            drop(session.aside.pop());
        }
        if sabotage::step("display") {
            std::mem::forget(session.nested.take());
        }
        let forced = match session.capsule {
            Some(_) => self.running().into_iter().map(|app| self.name(app)).collect(),
            None => Vec::new(),
        };
        let ended = match &mut session.capsule {
            Some(_) if sabotage::step("destroy") => {
                std::mem::forget(session.capsule.take());
                session.remains.proved = true;
                Destroyed { proof: "init pidfd".to_owned(), ..Destroyed::default() }
            }
            Some(capsule) => capsule.destroy()?,
            None => {
                capsule::sweep(&self.run_dir)?;
                Destroyed { proof: "no capsule".to_owned(), ..Destroyed::default() }
            }
        };
        if session.capsule.take().is_some() {
            session.remains.proved = true;
        }
        if let Some(nested) = &mut session.nested {
            nested.kill()?;
        }
        session.nested = None;
        session.undestroyed = false;
        Ok(Destroyed { forced, ..ended })
    }

    fn shared(&self) -> Vec<String> {
        self.policy.capsule.shared.iter().map(|path| path.display().to_string()).collect()
    }
}

impl Gates for LinuxStation {
    fn look_inside(&self) -> Vec<GateAnswer> {
        if sabotage::step("inside") {
            return Vec::new();
        }
        let mut session = lock(&self.session);
        let counts = session.capsule.as_ref().and_then(Capsule::look).unwrap_or_default();
        // A door that came only while the session ran is open all the same.
        for door in session.remains.doors.iter_mut().flatten() {
            door.1 = door.1.max(counts.iter().find(|(name, _)| *name == door.0).map_or(0, |(_, open)| *open));
        }
        drop(session);
        self.lookout.inside(&counts)
    }

    fn look(&self) -> Vec<GateAnswer> {
        let mut answers = self.ask_gates(true);
        answers.push(gates::cover(|| self.outer.cover()));
        // What is written down of a drill's canary must not be found as one later.
        answers.iter_mut().for_each(|answer| answer.saw = masked(&answer.saw));
        answers
    }

    fn capabilities(&self) -> Vec<(String, String)> {
        lock(&self.capabilities).clone()
    }
}

impl Screen for LinuxStation {
    fn attach(&self, window: u64) -> Result<()> {
        let window = u32::try_from(window).map_err(|_| PortError::new("understand the shell window's id"))?;
        let container = self.outer.attach(window)?;
        *lock(&self.container) = Some(container);
        self.attached.notify_all();
        Ok(())
    }

    fn cover(&self) -> Result<()> {
        if sabotage::step("cover") {
            return Ok(());
        }
        self.outer.cover()
    }

    fn uncover(&self, shell_in_front: bool) -> Result<()> {
        if shell_in_front { Ok(()) } else { self.outer.show() }
    }

    fn show_shell(&self, shell_in_front: bool) -> Result<()> {
        if shell_in_front { self.outer.cover() } else { self.outer.show() }
    }
}

impl Machine for LinuxStation {
    fn restart(&self) -> Result<()> {
        host::restart()
    }
}

impl Idle for LinuxStation {
    fn since_input(&self) -> Result<Duration> {
        self.outer.since_input()
    }
}
