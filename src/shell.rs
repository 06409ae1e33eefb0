//! Puts the parts of the shell together: policy → store → ports → driver → screens.
//!
//! Whatever is wrong with the policy, the store or the host is told on the terminal and, where there
//! is a display, on the station's screen, which stays locked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser};
use tokio::sync::{mpsc, watch};

use crate::badge::{CARD, Readers};
use crate::driver::scene::{Look, Phase, Scene, StationFacts};
use crate::driver::{Driver, Settings, Wish};
use crate::pin::PinPad;
use crate::platform::native::clock::HostClock;
use crate::platform::native::drill::{self, StationDrill};
use crate::platform::native::medium::Mounted;
use crate::platform::native::sleep::{self, Sleep};
use crate::platform::native::station::Station;
use crate::platform::native::{display, host, places, sabotage};
use crate::policy::{self, Policy, StationPolicy};
use crate::ports::{
    Body, Clock, CodeRows, Entry, Gates, Intent, Ledger, Outbox, Ports, RosterRows, Stamp, Unfinished,
    Written,
};
use crate::revoke::Revoker;
use crate::roster::{CODE_DIGITS, Directory, Pepper, RosterRules};
use crate::store::{Keep, Store};
use crate::ui;

crate::platform::on_linux! {
    #[path = "shell/linux.rs"]
    mod system;
}
crate::platform::on_windows! {
    #[path = "shell/windows.rs"]
    mod system;
}

/// The station could not run.
const COULD_NOT_RUN: u8 = 2;

/// Covers the station, opens it for a badge and PIN, and cleans up after every session.
#[derive(Parser)]
#[command(name = "cleanshift", version)]
struct Arguments {
    /// The policy file.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// The directory of the station's state.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Show that this is a demo, and let virtual readers count.
    #[arg(long)]
    demo: bool,
    /// Show the text of this file on a screen that takes nothing, for a station that must not open.
    #[arg(long, value_name = "FILE", conflicts_with = "demo")]
    out_of_service: Option<PathBuf>,
}

/// The shell's command line, for its manual page and completions.
#[must_use]
pub fn command_line() -> clap::Command {
    Arguments::command()
}

/// The most of a text that is shown, in bytes.
const MOST_SHOWN: u64 = 65_536;

/// Runs the shell.
#[must_use]
pub fn main() -> ExitCode {
    host::log_to_stderr();
    let arguments = Arguments::parse();
    if host::is_root() {
        eprintln!("cleanshift: {}", host::NOT_AS_ROOT);
        return ExitCode::from(COULD_NOT_RUN);
    }
    host::harden();
    if let Some(file) = &arguments.out_of_service {
        show(out_of_service(&arguments, told(file)));
        // The screen takes nothing and does not end by itself: there is no display.
        eprintln!("cleanshift: failed to show that the station is out of service: no display");
        return ExitCode::from(COULD_NOT_RUN);
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprint!("cleanshift: {problem}");
            show(out_of_service(&arguments, problem));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// Runs the station until it is told to stop. An error is what to tell people, whole lines.
fn run(arguments: &Arguments) -> Result<(), String> {
    let path = arguments.policy.clone().unwrap_or_else(places::policy);
    let policy = Policy::in_force(&path, &places::switches()).map_err(|problems| problems.to_string())?;
    let state = arguments.state.clone().unwrap_or_else(places::state);
    let parts = Parts::assemble(&policy, &state).map_err(|error| format!("failed to {error}\n"))?;
    let settings = Settings {
        rules: policy.rules.clone(),
        facts: facts(&policy, arguments.demo),
        policy: policy.hash.clone(),
        least_digits: usize::from(policy.pin.least),
        code_digits: CODE_DIGITS,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        show_names: policy.log.show_names,
    };
    let (driver, ends) = Driver::new(settings, parts.ports.clone());
    // A card is asked within a step's time: where that is more than the least, the machine is a slow one.
    let patience = CARD.max(std::time::Duration::from_millis(policy.rules.step_limit / 6));
    let readers = Readers { allowed: policy.readers.clone(), allow_virtual: arguments.demo, patience };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("failed to start the shell's threads: {error}\n"))?;
    // The readers are watched before the first screen stands, so that no badge's going is missed.
    let watch = readers.watch(ends.readers);
    if let Some(sleep) = &parts.sleep {
        sleep.call(Box::new(move |patience| {
            let _ = (ends.suspending)().recv_timeout(patience);
        }));
    }
    system::join(&parts.station, &ends.scenes, &ends.wishes, runtime.handle());
    drop(runtime.spawn(stop_on_signals(ends.wishes.clone())));
    drop(runtime.spawn(async move {
        driver.run().await;
        drop(watch);
        // Nothing of a session is left, and the ledger says so: the windows go with the process.
        system::over(&state);
        std::process::exit(0);
    }));
    let (width, height) = parts.station.screen_size();
    ui::run(ends.scenes, ends.wishes, ends.pad, (f32::from(width), f32::from(height)), display::window())
        .map_err(|error| format!("failed to draw the screens: {error}\n"))
}

/// The parts behind the ports.
struct Parts {
    station: Arc<Station>,
    ports: Ports,
    sleep: Option<Sleep>,
}

impl Parts {
    fn assemble(policy: &Policy, state: &Path) -> crate::ports::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(HostClock::begin());
        #[cfg(feature = "faults")]
        let clock = crate::platform::faults::clock(clock);
        let store = Arc::new(Store::open(state, &policy.station.name)?);
        if let Some(keep) = policy.log.keep {
            store.keep_for(keep_log(policy, keep, "station"));
        }
        drop(store.note_policy(&policy.hash, "it", &clock.stamp())?);
        let key = store.public_key()?;
        let origin = key.origin();
        let rows: Arc<dyn RosterRows> = store.clone();
        let in_use = rows.all()?.iter().any(|row| row.pin.is_some()) || !store.codes()?.is_empty();
        let (pepper, home) = Pepper::open(state, origin, host::has_keyring(), in_use)?;
        // What a drill of a shell that was killed has planted must be gone before it could count as old.
        drill::sweep(state)?;
        let init = host::init_program()?;
        let station = Station::open(policy, &places::runtime(state), &init)?;
        let codes: Arc<dyn CodeRows> = store.clone();
        let rules = roster_rules(policy);
        let directory = Arc::new(Directory::new(rows, codes, Arc::clone(&clock), pepper, rules));
        let mut capabilities = station.capabilities();
        capabilities.push(("pepper".to_owned(), home.report().to_owned()));
        let sleep = Sleep::delay();
        capabilities.push(("sleep".to_owned(), sleep::report(&sleep)));
        let outbox: Arc<dyn Outbox> = store.clone();
        let revoker =
            Arc::new(Revoker::open(policy, state, origin, host::has_keyring(), outbox, Arc::clone(&clock))?);
        report_sign_ins(&revoker, &station, capabilities);
        let ports = Ports {
            drill: StationDrill::new(station.clone(), Arc::clone(&clock), &init, state)?,
            clock,
            roster: directory.clone(),
            pins: system::pins(directory),
            capsules: station.clone(),
            gates: station.clone(),
            screen: station.clone(),
            idle: station.clone(),
            search: store.clone(),
            ledger: Arc::new(Recorded(store)),
            sign_ins: revoker,
            media: Arc::new(Mounted::below(&policy.log.export_to)),
            machine: station.clone(),
        };
        #[cfg(feature = "faults")]
        let ports = crate::platform::faults::plant(ports);
        Ok(Self { station, ports, sleep: sleep.ok() })
    }
}

/// Puts the sign-ins into the capability report, now and each time that more is found.
fn report_sign_ins(revoker: &Revoker, station: &Arc<Station>, others: Vec<(String, String)>) {
    station.report(others.iter().cloned().chain(revoker.capabilities()).collect());
    let station = Arc::clone(station);
    revoker.on_findings(Box::new(move |found| {
        station.report(others.iter().cloned().chain(found).collect());
    }));
}

/// The store as the driver's ledger.
struct Recorded(Arc<Store>);

impl Ledger for Recorded {
    fn append(&self, entry: &Entry) -> crate::ports::Result<Written> {
        // A receipt that is left out on purpose: the one before stands for it.
        if matches!(entry.body, Body::Handoff(_))
            && sabotage::step("receipt")
            && let Some(before) = self.0.page(None, 1)?.into_iter().next()
        {
            return Ok(before);
        }
        self.0.append(entry)
    }

    fn intend(&self, intent: Intent) -> crate::ports::Result<()> {
        self.0.intend(intent)
    }

    fn unfinished(&self) -> crate::ports::Result<Option<Unfinished>> {
        self.0.unfinished()
    }

    fn page(&self, before: Option<u64>, limit: usize) -> crate::ports::Result<Vec<Written>> {
        self.0.page(before, limit)
    }

    fn entries(&self) -> crate::ports::Result<u64> {
        self.0.entries()
    }

    fn prune(&self, at: &Stamp) -> crate::ports::Result<bool> {
        self.0.prune(at)
    }

    fn verify(&self) -> crate::ports::Result<Result<u64, String>> {
        self.0.verify()
    }
}

/// What the store needs of the policy to prune: by whose word, and who does.
#[must_use]
pub fn keep_log(policy: &Policy, keep: std::time::Duration, by: &str) -> Keep {
    let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    Keep { keep_ms, policy: policy.hash.clone(), by: by.to_owned() }
}

/// What the roster needs of the policy.
#[must_use]
pub fn roster_rules(policy: &Policy) -> RosterRules {
    RosterRules {
        roles: policy.roles.clone(),
        supervisors: policy.supervisors.roles.clone(),
        least: policy.pin.least,
        most: policy.pin.most,
        slow_after: policy.pin.slow_after,
        disable_after: policy.pin.disable_after,
    }
}

fn facts(policy: &Policy, demo: bool) -> StationFacts {
    StationFacts {
        name: policy.station.name.clone(),
        place: policy.station.place.clone(),
        badge_mode: policy.rules.badge_mode,
        help: policy.station.help.clone(),
        neighbour: policy.station.neighbour.clone(),
        pin_digits: (policy.pin.least, policy.pin.most),
        reasons: policy.reasons.clone(),
        demo,
        look: look(policy.station.look),
        apps: policy.apps.iter().map(|app| (app.name.clone(), app.icon.clone())).collect(),
    }
}

fn look(chosen: policy::Look) -> Look {
    match chosen {
        policy::Look::Contrast => Look::Contrast,
        policy::Look::Dark => Look::Dark,
        policy::Look::Light => Look::Light,
    }
}

async fn stop_on_signals(wishes: mpsc::UnboundedSender<Wish>) {
    let Ok(mut order) = host::Orders::listen() else { return };
    loop {
        order.to_stop().await;
        let _ = wishes.send(Wish::Stop);
    }
}

/// What a file says about why the station is out of service.
fn told(file: &Path) -> String {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(MOST_SHOWN).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match read {
        Ok(_) if !text.trim().is_empty() => text,
        Ok(_) | Err(_) => host::DOES_NOT_STAY_UP.to_owned(),
    }
}

/// The screen of a station that cannot run: the same words as on the terminal, and whom to call where the
/// policy says it.
fn out_of_service(arguments: &Arguments, problem: String) -> Scene {
    let policy = arguments.policy.clone().unwrap_or_else(places::policy);
    let station = StationPolicy::as_far_as_read(&policy, &places::switches());
    let named = |name: String| if name.is_empty() { "This station".to_owned() } else { name };
    let station = StationFacts {
        name: named(station.name),
        place: station.place,
        badge_mode: crate::handoff::BadgeMode::Hold,
        help: station.help,
        neighbour: station.neighbour,
        pin_digits: (4, 15),
        reasons: Vec::new(),
        demo: arguments.demo,
        look: look(station.look),
        apps: Vec::new(),
    };
    let stamp = HostClock::begin().stamp();
    Scene {
        station: Arc::new(station),
        utc_ms: stamp.utc_ms,
        now_ms: 0,
        reader: true,
        notice: None,
        phase: Phase::OutOfService(problem),
    }
}

/// Shows one scene until the shell is ended, where there is a display to show it on.
fn show(scene: Scene) {
    let Some((width, height)) = host::screen_size() else { return };
    let (keep, scenes) = watch::channel(scene);
    let (wishes, _) = mpsc::unbounded_channel();
    let size = (f32::from(width), f32::from(height));
    let _ = ui::run(scenes, wishes, PinPad::default(), size, display::window());
    drop(keep);
}
