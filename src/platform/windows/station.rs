//! The Windows station as the driver sees it: display, capsule and gates joined behind the ports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use super::capsule::{self, Capsule, Launch, Reins, Spec};
use super::display::bar::{Bar, Palette, Press, Said, Shown};
use super::display::desktop::SessionDesktop;
use super::display::outer::Outer;
use super::display::windows::{self, Seen, Windows};
use super::gates::{self, Lookout, Remains};
use super::{account, bounds, browser, capability, host, private, profile, visit};
use crate::handoff::{App, Window};
use crate::platform::sabotage;
use crate::policy::{CapsuleMode, Policy};
use crate::ports::{
    AppWindow, CapsuleNews, Capsules, Closing, Destroyed, GateAnswer, Gates, Grant, Idle, Machine, Page,
    PortError, Result, Screen,
};

/// How long the shell's window may take to appear before a capsule cannot be built.
const WINDOW: Duration = Duration::from_secs(8);

/// The bar before anybody has said what stands in it.
const PLAIN: Palette =
    Palette { bar: 0x1C_2A_33, marked: 0x32_48_55, on_bar: 0xFF_FF_FF, soft: 0xC4_CF_D6, amber: 0xFF_B3_40 };

/// Where what is pressed on the bar goes.
pub type Pressed = Box<dyn Fn(Press) + Send + Sync>;

/// The Windows station.
pub struct WindowsStation {
    this: Weak<Self>,
    outer: Outer,
    policy: Policy,
    run_dir: PathBuf,
    capabilities: Mutex<Vec<(String, String)>>,
    lookout: Lookout,
    /// When the first app was started.
    first_app: OnceLock<SystemTime>,
    news: OnceLock<Box<dyn Fn(CapsuleNews) + Send + Sync>>,
    pressed: OnceLock<Pressed>,
    said: Mutex<Said>,
    generation: AtomicU64,
    session: Mutex<Session>,
    /// What news and the cover need of the session: they must not wait for whoever builds or ends it.
    reins: Mutex<Option<Reins>>,
    bar: Mutex<Option<Arc<Bar>>>,
    shell: Mutex<bool>,
    attached: Condvar,
    apps: Mutex<Apps>,
    apps_changed: Condvar,
}

/// The station of this system.
pub type Station = WindowsStation;

/// What stands for the session that is open or ready.
#[derive(Default)]
struct Session {
    capsule: Option<Capsule>,
    account: Option<account::Lent>,
    desktop: Option<SessionDesktop>,
    windows: Option<Windows>,
    remains: Remains,
    /// Capsules whose end the system has not proved: set aside so that an emergency session can have a
    /// fresh one, and ended before anything counts as destroyed.
    aside: Vec<(Capsule, Option<account::Lent>)>,
    /// Whether the last end was not proved.
    undestroyed: bool,
}

/// The apps that run and the windows that stand.
#[derive(Default)]
struct Apps {
    /// Each with the pid of its first process.
    running: BTreeSet<(u8, u32)>,
    seen: Vec<(Seen, Option<u8>)>,
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

impl WindowsStation {
    /// Opens the station on the desktop of this Windows session.
    ///
    /// # Errors
    /// When there is no display, something of a session before cannot be ended, or the policy asks for accounts
    /// and there is no service that makes them.
    pub fn open(policy: &Policy, run_dir: &Path, _init: &Path) -> Result<Arc<Self>> {
        let outer = Outer::open()?;
        outer.guard()?;
        private::dir(run_dir).map_err(|error| PortError(format!("make {}: {error}", run_dir.display())))?;
        // What a shell that was killed has left must be gone before the baseline is taken, or it
        // would count as having always been there.
        capsule::sweep(run_dir)?;
        outer.shortcuts_off(run_dir);
        if policy.capsule.mode == CapsuleMode::Account {
            account::sweep()?;
        }
        let mut capabilities = capability::report();
        capabilities.extend(outer.report());
        capabilities.extend(bounds::report(policy));
        let lookout = Lookout::begin(&policy.require, &policy.capsule.shared, run_dir).map_err(|error| {
            PortError(format!("keep what stands on this station before its sessions: {error}"))
        })?;
        let said = Said {
            first: policy.station.name.clone(),
            second: String::new(),
            warns: false,
            windows: Vec::new(),
            palette: PLAIN,
        };
        Ok(Arc::new_cyclic(|this| Self {
            this: this.clone(),
            outer,
            policy: policy.clone(),
            run_dir: run_dir.to_owned(),
            capabilities: Mutex::new(capabilities),
            lookout,
            first_app: OnceLock::new(),
            news: OnceLock::new(),
            pressed: OnceLock::new(),
            said: Mutex::new(said),
            generation: AtomicU64::new(0),
            session: Mutex::default(),
            reins: Mutex::default(),
            bar: Mutex::default(),
            shell: Mutex::default(),
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

    /// Where what is pressed on the bar of a session goes from now on. Called once.
    pub fn listen_to_bar(&self, pressed: Pressed) {
        let _ = self.pressed.set(pressed);
    }

    /// Says something else on the bar from now on; the windows on it are the session's in any case.
    ///
    /// # Errors
    /// When the bar is gone.
    pub fn say(&self, said: Said) -> Result<()> {
        *lock(&self.said) = said;
        self.say_on_bar()
    }

    fn say_on_bar(&self) -> Result<()> {
        let mut said = lock(&self.said).clone();
        said.windows = lock(&self.apps)
            .seen
            .iter()
            .map(|(seen, _)| Shown { window: seen.window, title: seen.title.clone(), front: seen.front })
            .collect();
        let bar = lock(&self.bar).clone();
        bar.map_or(Ok(()), |bar| bar.say(said))
    }

    /// The apps that are open now, by their place in the policy.
    fn running(&self) -> Vec<u8> {
        let running: BTreeSet<u8> = lock(&self.apps).running.iter().map(|(app, _)| *app).collect();
        running.into_iter().collect()
    }

    /// An app's name.
    fn name(&self, app: u8) -> String {
        self.policy.apps.get(usize::from(app)).map_or_else(String::new, |app| app.name.clone())
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
            capsule::News::Lost => self.tell(CapsuleNews::Lost("the watch over its programs".to_owned())),
        }
    }

    fn window_news(&self, generation: u64, news: windows::News) {
        if !self.current(generation) {
            return;
        }
        match news {
            windows::News::Lost => self.tell(CapsuleNews::Lost("its desktop".to_owned())),
            windows::News::Windows(seen) => {
                let reins = lock(&self.reins).clone();
                let whose = |pid| reins.as_ref().and_then(|reins| reins.whose(pid));
                let whose: Vec<(Seen, Option<u8>)> = seen
                    .into_iter()
                    .map(|seen| (whose(seen.pid), seen))
                    .map(|(app, seen)| (seen, app))
                    .collect();
                let shown = whose.iter().map(|(seen, app)| AppWindow {
                    window: Window(seen.window),
                    app: app.map(App),
                    title: seen.title.clone(),
                    front: seen.front,
                });
                let shown = shown.collect();
                lock(&self.apps).seen = whose;
                let _ = self.say_on_bar();
                self.tell(CapsuleNews::Windows(shown));
            }
        }
    }

    /// Waits for the shell's own window: without it nothing covers a session.
    fn window(&self) -> Result<()> {
        let (shell, _) = self
            .attached
            .wait_timeout_while(lock(&self.shell), WINDOW, |shell| !*shell)
            .unwrap_or_else(PoisonError::into_inner);
        if *shell { Ok(()) } else { Err(PortError::new("see the shell's own window in time")) }
    }

    fn remains(&self) -> Remains {
        let mut remains = lock(&self.session).remains.clone();
        remains.run_dir.clone_from(&self.run_dir);
        remains.first_app = self.first_app.get().copied();
        remains
    }

    /// Makes what a session stands on: its desktop, what watches it, and its bar.
    fn stage(&self, generation: u64, account: Option<&str>) -> Result<(SessionDesktop, Windows, Bar)> {
        let desktop = SessionDesktop::make(account)?;
        let this = self.this.clone();
        let tell = move |news| {
            if let Some(station) = this.upgrade() {
                station.window_news(generation, news);
            }
        };
        let windows = Windows::watch(&desktop, Box::new(tell))?;
        let this = self.this.clone();
        let pressed = move |press| {
            if let Some(station) = this.upgrade().filter(|station| station.current(generation))
                && let Some(listener) = station.pressed.get()
            {
                listener(press);
            }
        };
        let said = lock(&self.said).clone();
        let bar = Bar::open(&desktop, said, Box::new(pressed))?;
        Ok((desktop, windows, bar))
    }

    /// While the shell is in front, nothing of the session may give itself the screen.
    fn bind(&self, covered: bool) -> Result<()> {
        let reins = lock(&self.reins).clone();
        reins.map_or(Ok(()), |reins| reins.forbid_desktops(covered))
    }

    /// Takes the session's desktop, bar and windows from the display: nothing of them is shown any more.
    fn strike(&self, session: &mut Session) -> Result<()> {
        *lock(&self.reins) = None;
        session.windows = None;
        self.outer.front(None)?;
        self.outer.session(None)?;
        *lock(&self.bar) = None;
        session.desktop = None;
        Ok(())
    }
}

/// As the system dates files and processes.
#[expect(clippy::disallowed_methods, reason = "it is compared with the system's own dates")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl Capsules for WindowsStation {
    fn listen(&self, news: Box<dyn Fn(CapsuleNews) + Send + Sync>) {
        let _ = self.news.set(news);
    }

    fn prepare(&self) -> Result<()> {
        self.window()?;
        let mut session = lock(&self.session);
        if session.undestroyed {
            // Nothing of it may be shown beside the new one.
            self.strike(&mut session)?;
            if let Some(capsule) = session.capsule.take() {
                let account = session.account.take();
                session.aside.push((capsule, account));
            }
            session.undestroyed = false;
        }
        if session.capsule.is_some() {
            return Err(PortError::new("build a capsule while another stands"));
        }
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        *lock(&self.apps) = Apps::default();
        let account = match self.policy.capsule.mode {
            CapsuleMode::Sweep => None,
            CapsuleMode::Account => Some(account::lend()?),
        };
        let sid = account.as_ref().map(|lent| lent.sid().to_owned());
        // From here on something stands that a destroy must find, whatever fails below.
        session.account = account;
        let (desktop, windows, bar) = self.stage(generation, sid.as_deref())?;
        let spec = Spec {
            run_dir: self.run_dir.clone(),
            policy: self.policy.capsule.clone(),
            desktop: Some(desktop.startup_name()),
        };
        let this = self.this.clone();
        let tell = move |news| {
            if let Some(station) = this.upgrade() {
                station.capsule_news(generation, news);
            }
        };
        let capsule = Capsule::build(&spec, Arc::new(tell))?;
        session.remains = Remains {
            capsule: true,
            profile: Some(capsule.profile().to_owned()),
            desktop: Some(desktop.name().to_owned()),
            run_dir: self.run_dir.clone(),
            account: sid,
            ..Remains::default()
        };
        let reins = session.capsule.insert(capsule).reins();
        reins.forbid_desktops(true)?;
        *lock(&self.reins) = Some(reins);
        self.outer.session(Some(&desktop))?;
        self.outer.front(Some(bar.front()))?;
        *lock(&self.bar) = Some(Arc::new(bar));
        (session.desktop, session.windows) = (Some(desktop), Some(windows));
        Ok(())
    }

    fn launch(&self, app: App) -> Result<()> {
        let entry = self.policy.apps.get(usize::from(app.0)).ok_or_else(|| PortError::new("find the app"))?;
        if entry.single && lock(&self.apps).runs(app.0) {
            let standing = {
                let apps = lock(&self.apps);
                apps.seen.iter().find(|(_, whose)| *whose == Some(app.0)).map(|(seen, _)| seen.window)
            };
            if let Some(window) = standing {
                return self.raise(Window(window));
            }
        }
        let (command, arguments) = browser::command_line(entry).map_err(PortError)?;
        let order = Launch {
            app: app.0,
            command,
            arguments,
            environment: entry.environment.clone(),
            golden: entry.profile.clone(),
            files: browser::files(entry),
        };
        self.lookout
            .session_begins()
            .map_err(|error| PortError(format!("note that a session begins: {error}")))?;
        let _ = self.first_app.get_or_init(now);
        let session = lock(&self.session);
        match &session.capsule {
            Some(capsule) => capsule.launch(&order, session.account.as_ref()),
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
        let session = lock(&self.session);
        match (&session.capsule, &session.account) {
            (Some(capsule), None) => capsule.hold(grant),
            (Some(_), Some(_)) => Err(PortError::new(
                "put a token into the capsule: in mode `account` the session's Credential Manager is another's",
            )),
            (None, _) => Err(PortError::new("put a token into the capsule: there is no session")),
        }
    }

    fn visit(&self, page: &Page) -> Result<()> {
        let app = self.policy.apps.iter().find(|app| app.name == page.app);
        let unknown = || PortError(format!("open the sign-in page in {}: there is no such app", page.app));
        visit::possible(app.ok_or_else(unknown)?)
    }

    fn ask_to_close(&self, grace: Duration) -> Closing {
        if sabotage::step("ask") {
            return Closing::default();
        }
        let asked: Vec<u32> = lock(&self.apps).seen.iter().map(|(seen, _)| seen.window).collect();
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
        while let Some((capsule, account)) = session.aside.last_mut() {
            let _ = capsule.destroy()?;
            if let Some(account) = account {
                let _ = account.end()?;
            }
            drop(session.aside.pop());
        }
        let forced = match session.capsule {
            Some(_) => self.running().into_iter().map(|app| self.name(app)).collect(),
            None => Vec::new(),
        };
        let mut ended = match &mut session.capsule {
            Some(_) if sabotage::step("destroy") => {
                std::mem::forget(session.capsule.take());
                session.remains.proved = true;
                Destroyed { proof: "job object empty".to_owned(), ..Destroyed::default() }
            }
            Some(capsule) => capsule.destroy()?,
            None => {
                capsule::sweep(&self.run_dir)?;
                Destroyed { proof: "no capsule".to_owned(), ..Destroyed::default() }
            }
        };
        if let Some(account) = &mut session.account {
            let deleted = account.end()?;
            ended.proof.push_str(&deleted);
        }
        if session.capsule.take().is_some() {
            session.remains.proved = true;
            session.remains.ended = Some(now());
        }
        session.account = None;
        self.strike(&mut session)?;
        session.undestroyed = false;
        Ok(Destroyed { forced, ..ended })
    }

    fn shared(&self) -> Vec<String> {
        self.policy.capsule.shared.iter().map(|path| path.display().to_string()).collect()
    }
}

impl Gates for WindowsStation {
    fn look_inside(&self) -> Vec<GateAnswer> {
        if sabotage::step("inside") {
            return Vec::new();
        }
        let processes = {
            let session = lock(&self.session);
            let Some(capsule) = &session.capsule else { return Vec::new() };
            capsule.processes().ok().and_then(|processes| u64::try_from(processes.len()).ok())
        };
        self.lookout.inside(&self.remains(), processes)
    }

    fn look(&self) -> Vec<GateAnswer> {
        let mut answers = self.lookout.look(&self.remains());
        answers.push(gates::cover(|| self.outer.cover()));
        answers
            .push(profile::gate(&self.run_dir, lock(&self.session).capsule.as_ref().map(Capsule::profile)));
        answers
    }

    fn capabilities(&self) -> Vec<(String, String)> {
        lock(&self.capabilities).clone()
    }
}

impl Screen for WindowsStation {
    fn attach(&self, window: u64) -> Result<()> {
        self.outer.attach(window)?;
        *lock(&self.shell) = true;
        self.attached.notify_all();
        Ok(())
    }

    fn cover(&self) -> Result<()> {
        if sabotage::step("cover") {
            return Ok(());
        }
        // The screen first: a job that does not take the limit must not delay it.
        let covered = self.outer.cover();
        let bound = self.bind(true);
        covered.and(bound)
    }

    fn uncover(&self, shell_in_front: bool) -> Result<()> {
        self.show_shell(shell_in_front)
    }

    fn show_shell(&self, shell_in_front: bool) -> Result<()> {
        if shell_in_front {
            let covered = self.outer.cover();
            return covered.and(self.bind(true));
        }
        self.bind(false)?;
        self.outer.show()
    }
}

impl Machine for WindowsStation {
    fn restart(&self) -> Result<()> {
        host::restart()
    }
}

impl Idle for WindowsStation {
    fn since_input(&self) -> Result<Duration> {
        self.outer.since_input()
    }
}
