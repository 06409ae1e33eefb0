//! A ward and its station: the real driver, core, store and roster on the rehearsal's time, threads,
//! world and disk. One queue decides what happens next, so that a seed is a day.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, Mutex};

use cleanshift::driver::scene::{Phase, PinAsk, PinScene};
use cleanshift::driver::{Driver, Ends, Item, Scene, Wish};
use cleanshift::handoff::{Rules, Trigger};
use cleanshift::pin::PinKey;
use cleanshift::platform::rehearsal::clock::RehearsedClock;
use cleanshift::platform::rehearsal::dice::Dice;
use cleanshift::platform::rehearsal::disk::{Death, Disk, Fault};
use cleanshift::platform::rehearsal::hands::{RehearsedHands, Wanted};
use cleanshift::platform::rehearsal::pins::RehearsedPins;
use cleanshift::platform::rehearsal::sign_ins::Providers;
use cleanshift::platform::rehearsal::world::{Call, World};
use cleanshift::ports::{BadgeUid, Clock, CodeRows, Job, Ledger as _, Ports, ReaderEvent, RosterRows};
use cleanshift::roster::Directory;
use cleanshift::store::Store;

use crate::ground;
use crate::promises::Promises;
use crate::witness::{Acknowledged, Witness};

/// A promise that was broken, in words.
pub(crate) type Broken = String;

/// So many steps at one moment are a loop without an end.
const SPIN: u32 = 3_000;

/// A ward.
pub(crate) struct Ward {
    pub(crate) dice: Dice,
    pub(crate) clock: Arc<RehearsedClock>,
    pub(crate) disk: Arc<Disk>,
    pub(crate) world: Arc<World>,
    pub(crate) providers: Arc<Providers>,
    pub(crate) rules: Rules,
    pub(crate) shell: Option<Shell>,
    /// No more is invented that goes wrong.
    pub(crate) calm: bool,
    /// Threads and answers are late as chance has it; otherwise only where it was planned.
    pub(crate) chance: bool,
    /// What happens to the thread, or to the answer, of this number.
    pub(crate) planned: Option<(u64, Mishap)>,
    /// How many threads were begun, and how many answers came.
    pub(crate) begun: u64,
    pub(crate) answered: u64,
    /// What lies on which reader.
    pub(crate) lying: BTreeMap<&'static str, &'static str>,
    /// The PIN that was typed last when one was asked for.
    pub(crate) typed: String,
    /// When that was, and when it was the right one last.
    typed_at: u64,
    proved_at: u64,
    pub(crate) said: Arc<Mutex<Acknowledged>>,
    pub(crate) promises: Promises,
    /// What happened, where somebody wants to read it.
    pub(crate) trace: Option<Vec<String>>,
    pub(crate) tally: Tally,
    queue: BTreeMap<(u64, u64), Happening>,
    number: u64,
    restart_at: Option<u64>,
    machine_died: bool,
    spun: (u64, u32),
}

/// What is planned to happen to one thread or one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The answer comes when nobody waits for it any more.
    AnswerLate,
    /// The answer comes twice.
    AnswerTwice,
    /// The thread begins when nobody waits for it any more.
    ThreadLate,
    /// The thread never ends.
    ThreadNever,
}

/// Later than any step is waited for, milliseconds.
const TOO_LATE: u64 = 13_500;

/// What a day had in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: u64,
    pub(crate) handoffs: u64,
    pub(crate) quarantines: u64,
    pub(crate) kills: u64,
    pub(crate) power_cuts: u64,
    pub(crate) starts: u64,
    pub(crate) refused_starts: u64,
    pub(crate) late: u64,
    pub(crate) twice: u64,
    pub(crate) never: u64,
    pub(crate) emergencies: u64,
    /// Of these, at a barred station; and with an opening that was held.
    pub(crate) barred: u64,
    pub(crate) held: u64,
    pub(crate) restarts: u64,
    pub(crate) suspends: u64,
    pub(crate) drills: u64,
    /// Tokens that were given to sessions, and stations that were held.
    pub(crate) tokens: u64,
    pub(crate) holds: u64,
    pub(crate) revoked: u64,
    pub(crate) afresh: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.handoffs += other.handoffs;
        self.quarantines += other.quarantines;
        self.kills += other.kills;
        self.power_cuts += other.power_cuts;
        self.starts += other.starts;
        self.refused_starts += other.refused_starts;
        self.late += other.late;
        self.twice += other.twice;
        self.never += other.never;
        self.emergencies += other.emergencies;
        self.barred += other.barred;
        self.held += other.held;
        self.restarts += other.restarts;
        self.suspends += other.suspends;
        self.drills += other.drills;
        self.tokens += other.tokens;
        self.holds += other.holds;
        self.revoked += other.revoked;
        self.afresh += other.afresh;
    }
}

/// A shell that runs.
pub(crate) struct Shell {
    pub(crate) driver: Driver,
    pub(crate) ends: Ends,
    pub(crate) witness: Arc<Witness>,
    hands: Arc<RehearsedHands>,
    started: u64,
    /// What waits for the ledger's thread, with the number of what waits for it.
    lane: VecDeque<(Job, Option<u64>)>,
    lane_busy: bool,
    then: BTreeMap<u64, Job>,
}

enum Happening {
    /// Something is done beside everything else.
    Aside(Job),
    /// Something comes in.
    Comes(Item),
    /// The ledger's thread does its next.
    Lane,
    /// What waited for the ledger's thread has waited enough.
    Then(u64),
}

impl Ward {
    /// A ward on this disk, before its shell is started.
    pub(crate) fn new(seed: u64, disk: Arc<Disk>, rules: Rules) -> Self {
        let clock = Arc::new(RehearsedClock::begin(ground::MORNING));
        clock.set(1_000);
        let world = World::new(Arc::clone(&clock));
        let providers = Providers::new(Arc::clone(&clock), Arc::clone(&world), seed);
        Self {
            dice: Dice::new(seed),
            clock,
            disk,
            world,
            providers,
            rules,
            shell: None,
            calm: false,
            chance: true,
            planned: None,
            begun: 0,
            answered: 0,
            lying: BTreeMap::new(),
            typed: String::new(),
            typed_at: 0,
            proved_at: 0,
            said: Arc::default(),
            promises: Promises::default(),
            trace: None,
            tally: Tally::default(),
            queue: BTreeMap::new(),
            number: 0,
            restart_at: None,
            machine_died: true,
            spun: (0, 0),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.world()
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9}.{:03} s  {}", now / 1000, now % 1000, what()));
        }
    }

    /// The picture on the station's screen; none while no shell runs.
    pub(crate) fn scene(&self) -> Option<Scene> {
        Some(self.shell.as_ref()?.ends.scenes.borrow().clone())
    }

    // -----------------------------------------------------------------------------------------
    // Starting and dying
    // -----------------------------------------------------------------------------------------

    /// Starts the shell as the real one is started: store, policy, ports, driver.
    pub(crate) fn start(&mut self) -> Result<(), Broken> {
        self.restart_at = None;
        self.disk.boot();
        if self.chance && !self.calm && self.dice.one_in(5) {
            // A crash in the middle of a recovery, again and again, ends the same.
            let fault = if self.dice.one_in(2) { Fault::Crash } else { Fault::PowerCut };
            self.disk.plan(self.disk.changes() + self.dice.below(25), fault);
        }
        let machine = std::mem::take(&mut self.machine_died);
        self.clock.start(machine);
        self.tally.starts += 1;
        let store = match Store::rehearse(self.disk.dir().as_ref(), ground::STATION, &ground::rehearsed()) {
            Ok(store) => store,
            Err(error) => return self.refused(&error.to_string()),
        };
        self.promises.recovered(&store, &self.said, self.calm, machine)?;
        let (said, disk) = (Arc::clone(&self.said), Arc::clone(&self.disk));
        let witness = Arc::new(Witness::new(store, said, disk, Arc::clone(&self.providers)));
        if let Err(error) = witness.store.note_policy(&"ab".repeat(32), "it", &self.clock.stamp()) {
            drop(witness);
            return self.refused(&error.to_string());
        }
        let rows: Arc<dyn RosterRows> = witness.clone();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let codes: Arc<dyn CodeRows> = witness.clone();
        let directory = Arc::new(Directory::new(
            Arc::clone(&rows),
            codes,
            Arc::clone(&clock),
            ground::pepper(),
            ground::roster_rules(),
        ));
        let ports = Ports {
            sign_ins: self.providers.clone(),
            clock,
            roster: directory.clone(),
            pins: Arc::new(RehearsedPins::new(directory, rows, Box::new(ground::stored))),
            capsules: self.world.clone(),
            gates: self.world.clone(),
            drill: self.world.clone(),
            screen: self.world.clone(),
            idle: self.world.clone(),
            search: witness.clone(),
            media: witness.clone(),
            ledger: witness.clone(),
            machine: self.world.clone(),
        };
        let hands = Arc::new(RehearsedHands::new(Arc::clone(&self.world)));
        let (driver, ends) = Driver::with_hands(ground::settings(self.rules.clone()), ports, hands.clone());
        if !matches!(ends.scenes.borrow().phase, Phase::CleanUp(_)) {
            return Err("a crash is a clean-up: the first scene of a shell is not a clean-up".to_owned());
        }
        let started = self.now();
        self.world.touch();
        let (lane, then) = (VecDeque::new(), BTreeMap::new());
        self.shell = Some(Shell {
            driver,
            ends,
            witness: witness.clone(),
            hands,
            started,
            lane,
            lane_busy: false,
            then,
        });
        let unfinished = !matches!(witness.unfinished(), Ok(None));
        self.note(|| "the shell starts".to_owned());
        self.promises.begins();
        self.step(|shell| shell.driver.begin())?;
        if let Some(Phase::CleanUp(clean_up)) = self.scene().map(|scene| scene.phase)
            && (clean_up.trigger == Trigger::Recovery) != unfinished
        {
            return Err(format!("a crash is a clean-up: {:?}, unfinished: {unfinished}", clean_up.trigger));
        }
        // The readers tell a new shell what lies on them.
        for (reader, badge) in self.lying.clone() {
            self.came(reader, badge)?;
        }
        Ok(())
    }

    fn refused(&mut self, why: &str) -> Result<(), Broken> {
        self.note(|| format!("the shell cannot start: {why}"));
        self.tally.refused_starts += 1;
        if self.disk.dead().is_none() && self.calm {
            return Err(format!("care goes on: the store does not open on a good disk: {why}"));
        }
        self.machine_died |= self.disk.dead() == Some(Death::PowerCut);
        self.restart_at = Some(self.now() + 5_000);
        Ok(())
    }

    /// The shell is killed, or the power is cut.
    pub(crate) fn die(&mut self, how: Death) {
        self.disk.kill(how);
        let how = self.disk.dead().unwrap_or(how);
        // What it had no chance to tell it has told nobody.
        let _ = self.promises.told(&self.said, true);
        self.note(|| format!("{how:?}"));
        self.queue.clear();
        self.shell = None;
        let all = how == Death::PowerCut;
        *(if all { &mut self.tally.power_cuts } else { &mut self.tally.kills }) += 1;
        let survives = self.dice.one_in(2);
        self.world.shell_dies(all, survives);
        self.providers.shell_dies();
        self.machine_died |= all;
        self.promises.died();
        self.restart_at = Some(self.now() + 500 + self.dice.below(4_000));
    }

    // -----------------------------------------------------------------------------------------
    // Time
    // -----------------------------------------------------------------------------------------

    /// Lets time come, and whatever comes with it.
    pub(crate) fn until(&mut self, then: u64) -> Result<(), Broken> {
        loop {
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let wake =
                self.shell.as_ref().and_then(|shell| Some(shell.started + shell.driver.next_wake()?.0));
            // Nobody hears a provider while no shell runs.
            let provider = self.shell.as_ref().and_then(|_| self.providers.next());
            let Some(next) = [queued, wake, provider, self.restart_at].into_iter().flatten().min() else {
                break;
            };
            if next > then {
                break;
            }
            if next > self.now() {
                self.clock.set(next);
            }
            let now = self.now();
            self.spun = if self.spun.0 == now { (now, self.spun.1 + 1) } else { (now, 0) };
            if self.spun.1 > SPIN {
                return Err(format!("whoever waits, waits with a deadline: the station spins at {now}"));
            }
            if self.restart_at.is_some_and(|at| at <= now) {
                self.start()?;
            } else if provider.is_some_and(|at| at <= now) {
                let providers = Arc::clone(&self.providers);
                self.step(|_| providers.time_came())?;
            } else if queued.is_some_and(|at| at <= now) {
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happens(happening)?;
                }
            } else {
                self.step(|shell| shell.driver.time_came())?;
            }
        }
        if then > self.now() {
            self.clock.set(then);
        }
        Ok(())
    }

    /// The same for so many milliseconds.
    pub(crate) fn pass(&mut self, ms: u64) -> Result<(), Broken> {
        self.until(self.now() + ms)
    }

    /// The machine sleeps: time passes, and nothing happens in it.
    pub(crate) fn sleep(&mut self, ms: u64) {
        self.note(|| format!("the machine sleeps for {ms} ms"));
        self.clock.set(self.now() + ms);
    }

    /// The host is about to sleep, gives the station five seconds, and sleeps.
    pub(crate) fn suspend(&mut self, ms: u64) -> Result<(), Broken> {
        self.note(|| "the host is about to sleep".to_owned());
        self.tally.suspends += 1;
        let mut waits = None;
        self.step(|shell| waits = Some((shell.ends.suspending)()))?;
        let (asked, started) = (self.now(), self.tally.starts);
        while let Some(waited) = &waits
            && self.now() < asked + 5_000
        {
            if waited.try_recv() == Err(TryRecvError::Disconnected) {
                let barred = matches!(self.scene().map(|scene| scene.phase), Some(Phase::Quarantine(_)));
                let left = self.world.reachable() || !(barred || self.world.readable().is_empty());
                if left && self.shell.is_some() && started == self.tally.starts {
                    return Err("covered first: the host sleeps while a session is left".to_owned());
                }
                break;
            }
            self.pass(20)?;
        }
        self.sleep(ms);
        Ok(())
    }

    fn happens(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Comes(item) => self.step(|shell| shell.driver.take(item)),
            Happening::Aside(job) => self.step(|_| job()),
            Happening::Then(number) => {
                if let Some(job) = self.shell.as_mut().and_then(|shell| shell.then.remove(&number)) {
                    self.aside(job);
                }
                Ok(())
            }
            Happening::Lane => {
                let Some(shell) = &mut self.shell else { return Ok(()) };
                let Some((job, waits)) = shell.lane.pop_front() else {
                    shell.lane_busy = false;
                    return Ok(());
                };
                let before = self.now();
                let hung = self.step_for(|_| job())?;
                self.push(before + 1 + hung, Happening::Lane);
                if let Some(number) = waits {
                    self.push(before + hung, Happening::Then(number));
                }
                Ok(())
            }
        }
    }

    fn push(&mut self, at: u64, happening: Happening) {
        if self.shell.is_some() {
            self.number += 1;
            let _ = self.queue.insert((at, self.number), happening);
        }
    }

    /// Something that takes time: soon as a rule, now and then late, or never.
    fn aside(&mut self, job: Job) {
        let mut delay = 1 + self.dice.below(25);
        // A cover that was not confirmed is the one case in which the kill must not be the one that is late.
        let urgent = self.world.reachable();
        self.begun += 1;
        match self.planned {
            Some((at, Mishap::ThreadNever)) if at == self.begun && !urgent => return,
            Some((at, Mishap::ThreadLate)) if at == self.begun && !urgent => delay += TOO_LATE,
            _ => {}
        }
        if self.chance && !self.calm && !urgent {
            if self.dice.one_in(300) {
                self.tally.never += 1;
                self.note(|| "what was just begun never ends".to_owned());
                return;
            }
            if self.dice.one_in(60) {
                self.tally.late += 1;
                delay += self.dice.below(20_000);
            }
        }
        self.push(self.now() + delay, Happening::Aside(job));
    }

    /// One step of the shell, what it wants done, and all promises.
    pub(crate) fn step(&mut self, step: impl FnOnce(&mut Shell)) -> Result<(), Broken> {
        self.step_for(step).map(drop)
    }

    /// The same; for how long the disk has hung in it, or apps were waited for.
    fn step_for(&mut self, step: impl FnOnce(&mut Shell)) -> Result<u64, Broken> {
        let _ = self.disk.hung() + self.world.lasted();
        let Some(shell) = &mut self.shell else { return Ok(0) };
        step(shell);
        let hung = self.disk.hung() + self.world.lasted();
        if let Some(how) = self.disk.dead() {
            self.die(how);
            return Ok(hung);
        }
        self.gather(hung);
        self.kept()?;
        if self.world.restarts() {
            self.tally.restarts += 1;
            if !std::mem::take(&mut self.said.lock().unwrap().restart) {
                return Err("evidence: the machine was started anew, and nothing says by whom".to_owned());
            }
            self.die(Death::PowerCut);
            return Ok(hung);
        }
        if self.shell.as_ref().is_some_and(|shell| shell.driver.stopped()) {
            self.stop()?;
        }
        Ok(hung)
    }

    /// Takes from the shell what it wants done and what has come in.
    fn gather(&mut self, hung: u64) {
        let now = self.now();
        loop {
            let Some(shell) = &mut self.shell else { return };
            let wanted = shell.hands.wanted();
            let arrived: Vec<Item> = std::iter::from_fn(|| shell.driver.arrived()).collect();
            if wanted.is_empty() && arrived.is_empty() {
                return;
            }
            for wanted in wanted {
                match wanted {
                    Wanted::Aside(job) => self.aside(job),
                    Wanted::InOrder(job) => self.in_order(job, None),
                    Wanted::After(first, patience, then) => {
                        self.number += 1;
                        let number = self.number;
                        self.in_order(first, Some(number));
                        if let Some(shell) = &mut self.shell {
                            let _ = shell.then.insert(number, then);
                        }
                        self.push(
                            now + u64::try_from(patience.as_millis()).unwrap(),
                            Happening::Then(number),
                        );
                    }
                }
            }
            for item in arrived {
                let (mut at, mut late) = (now + hung, 0);
                self.answered += u64::from(item.is_answer());
                match self.planned {
                    Some((at, Mishap::AnswerLate)) if item.is_answer() && at == self.answered => {
                        late = TOO_LATE;
                    }
                    Some((number, Mishap::AnswerTwice)) if item.is_answer() && number == self.answered => {
                        self.push(at + 3_000, Happening::Comes(item.clone()));
                    }
                    _ => {}
                }
                at += late;
                if item.is_answer() && self.chance && !self.calm {
                    if self.dice.one_in(150) {
                        self.tally.late += 1;
                        at += self.dice.below(20_000);
                    }
                    if self.dice.one_in(80) {
                        self.tally.twice += 1;
                        let again = at + self.dice.below(5_000);
                        self.push(again, Happening::Comes(item.clone()));
                    }
                }
                self.push(at, Happening::Comes(item));
            }
        }
    }

    fn in_order(&mut self, job: Job, waits: Option<u64>) {
        let Some(shell) = &mut self.shell else { return };
        shell.lane.push_back((job, waits));
        if !shell.lane_busy {
            shell.lane_busy = true;
            self.push(self.now() + 1, Happening::Lane);
        }
    }

    fn kept(&mut self) -> Result<(), Broken> {
        let calls = self.world.calls();
        for (session, capsule) in self.world.given() {
            self.providers.given(&session, capsule);
            self.tally.tokens += 1;
        }
        let Some(shell) = &self.shell else { return Ok(()) };
        let scene = shell.ends.scenes.borrow().clone();
        let label = label(&scene);
        if self.promises.label != label {
            self.promises.label.clone_from(&label);
            self.note(|| label);
        }
        self.promises.typed.clone_from(&self.typed);
        self.promises.typed_at = self.typed_at;
        self.promises.proved_at = self.proved_at;
        self.promises.signed_in(self.clock.world(), &scene, &self.providers, &self.rules)?;
        self.promises.kept(self.clock.world(), &scene, &calls, &self.world, &self.said, &self.rules)?;
        let seen = self.promises.seen();
        self.tally.sessions += u64::from(seen.opened);
        self.tally.handoffs += u64::from(seen.vacated);
        self.tally.quarantines += u64::from(seen.quarantined);
        self.tally.emergencies += u64::from(seen.emergency);
        self.tally.barred += u64::from(seen.unclean);
        self.tally.held += u64::from(seen.held);
        self.tally.drills += u64::from(seen.drill);
        self.tally.holds += u64::from(seen.hold);
        self.tally.revoked += u64::from(seen.revoked);
        self.tally.afresh += u64::from(seen.afresh);
        Ok(())
    }

    /// The shell was told to stop and is clean.
    fn stop(&mut self) -> Result<(), Broken> {
        self.note(|| "the shell stops".to_owned());
        let Some(mut shell) = self.shell.take() else { return Ok(()) };
        if !self.world.readable().is_empty() || self.world.reachable() {
            return Err("destroyed, not covered: a stopped shell has left something".to_owned());
        }
        let waiting = std::mem::take(&mut shell.lane);
        let (hands, witness) = (shell.hands.clone(), shell.witness.clone());
        shell.driver.end();
        let last = hands.wanted().into_iter().filter_map(|wanted| match wanted {
            Wanted::InOrder(job) => Some(job),
            Wanted::Aside(_) | Wanted::After(..) => None,
        });
        waiting.into_iter().map(|(job, _)| job).chain(last).for_each(|job| job());
        drop(witness);
        let untold = self.said.lock().unwrap().untold || self.disk.dead().is_some();
        self.promises.told(&self.said, untold)?;
        self.queue.clear();
        self.world.shell_dies(false, false);
        self.providers.shell_dies();
        self.promises.died();
        self.machine_died = self.disk.dead() == Some(Death::PowerCut);
        self.restart_at = Some(self.now() + 1_000 + self.dice.below(60_000));
        Ok(())
    }

    // -----------------------------------------------------------------------------------------
    // What people do
    // -----------------------------------------------------------------------------------------

    pub(crate) fn wish(&mut self, wish: Wish) -> Result<(), Broken> {
        self.note(|| format!("wish: {wish:?}"));
        self.world.touch();
        self.step(|shell| {
            let _ = shell.ends.wishes.send(wish);
        })
    }

    pub(crate) fn types(&mut self, pin: &str) -> Result<(), Broken> {
        let mut right = false;
        let mut asked = |asked: &PinScene| {
            right = ground::is_right(&asked.name, pin);
            matches!(asked.ask, PinAsk::Pin | PinAsk::New | PinAsk::Again)
        };
        let asked = match self.scene().map(|scene| scene.phase) {
            Some(Phase::Challenge(pin)) => asked(&pin),
            Some(Phase::CleanUp(clean_up)) => clean_up.guest.as_ref().is_some_and(&mut asked),
            Some(Phase::Quarantine(barred)) => barred.guest.as_ref().is_some_and(&mut asked),
            Some(Phase::Attended(at_work)) => at_work.pin_again.as_ref().is_some_and(&mut asked),
            _ => false,
        };
        if asked {
            pin.clone_into(&mut self.typed);
            self.typed_at = self.clock.world();
            if right {
                self.proved_at = self.typed_at;
            }
        }
        if let Some(shell) = &self.shell {
            shell.ends.pad.wipe();
            pin.bytes().for_each(|digit| shell.ends.pad.press(PinKey::Digit(digit - b'0')));
        }
        self.wish(Wish::PinEntered)
    }

    pub(crate) fn reader(&mut self, event: ReaderEvent) -> Result<(), Broken> {
        self.note(|| format!("reader: {event:?}"));
        self.step(|shell| (shell.ends.readers)(event))
    }

    pub(crate) fn came(&mut self, reader: &str, badge: &str) -> Result<(), Broken> {
        self.reader(ReaderEvent::Came { reader: reader.to_owned(), uid: BadgeUid(badge.to_owned()) })
    }

    pub(crate) fn went(&mut self, reader: &str) -> Result<(), Broken> {
        self.reader(ReaderEvent::Went { reader: reader.to_owned() })
    }

    /// Something of the world's own doing, and what comes of it.
    pub(crate) fn world(&mut self, what: &str, happens: impl FnOnce(&World)) -> Result<(), Broken> {
        self.note(|| what.to_owned());
        let world = Arc::clone(&self.world);
        happens(&world);
        self.step(|_| ())
    }
}

/// A phase in a word or two.
pub(crate) fn label(scene: &Scene) -> String {
    match &scene.phase {
        Phase::Attended(at_work) => {
            let log = if at_work.log.is_some() { ", log" } else { "" };
            let warned = if at_work.warning.is_some() { ", warned" } else { "" };
            format!("attended by {}{log}{warned}", at_work.name)
        }
        Phase::Challenge(pin) => format!("challenge, {}: {:?}", pin.name, pin.ask),
        Phase::CleanUp(clean_up) => {
            let guest = clean_up.guest.as_ref().map(|guest| format!(", {}: {:?}", guest.name, guest.ask));
            format!("clean-up ({:?}){}", clean_up.trigger, guest.unwrap_or_default())
        }
        Phase::Drill(drill) => format!("drill by {}", drill.by),
        Phase::OutOfService(why) => format!("out of service: {why}"),
        Phase::Quarantine(barred) => format!("quarantine: {}", barred.findings.join(" ")),
        Phase::Vacant(vacant) if vacant.drilled.is_some() => {
            let verdict = vacant.drilled.as_ref().map(|report| report.verdict.word());
            format!("vacant, drill: {}", verdict.unwrap_or_default())
        }
        Phase::Vacant(vacant) if vacant.ready => "vacant, ready".to_owned(),
        Phase::Vacant(_) => "vacant".to_owned(),
    }
}

/// Whether the screen was covered before anything else.
pub(crate) fn covered_first(calls: &[Call]) -> bool {
    calls.first() == Some(&Call::Cover)
}
