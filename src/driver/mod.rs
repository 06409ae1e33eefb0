//! The loop that owns the only station: one inbox → handle → effects in order → results as events.
//!
//! Whatever happens (a badge, a key, a deadline, the end of a step) comes in through one queue. The
//! core answers with effects, which are carried out in order. Effects that are done at once (cover,
//! uncover, forgetting the PIN) are done here, on the spot; effects that take time run on threads
//! of their own and come back as events, so that nothing ever stands between a badge that goes and
//! the cover. Entries for the ledger go through one thread, in order.

mod book;
mod compose;
mod drill;
mod effects;
mod held;
mod inbox;
mod intake;
mod log;
mod phase;
mod readers;
mod receipt;
pub mod scene;
mod sign_ins;
mod threads;

pub use inbox::Item;
pub use scene::{Scene, Wish};

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::handoff::planted::{self, Bug};
use crate::handoff::station::LogView;
use crate::handoff::{
    AppWish, Effect, Event, Finding, Moment, Notice, OperatorId, Rules, Station, Trigger, Turn,
};
use crate::pin::{Pin, PinPad};
use crate::ports::{
    Answer, AppWindow, Body, CapsuleNews, Entry, GateAnswer, Hands, Intent, PinProblem, PortError, Ports,
    ReaderEvent,
};

use book::{Book, Gathering};
use drill::Drilling;
use held::Held;
use inbox::Inbox;
use log::Reading;
use phase::PhaseName;
use readers::Readers;
use scene::{AppState, DrillReport, StationFacts};
use sign_ins::{Elsewhere, ElsewhereNews};
use threads::Threads;

/// How long a notice stands, milliseconds.
const NOTICE: u64 = 4_000;
/// How long the opening screen tells of the clean-up before it, milliseconds.
const FRESH: u64 = 2_000;
/// How long the result of a drill stands at a station that nobody touches, milliseconds.
const RESULT: u64 = 5 * 60_000;
/// How often idle is asked for while the warning stands, milliseconds.
const WARNED_POLL: u64 = 200;
/// How long a step waits for its intent to be durable before it goes on without: a hung disk must
/// not keep a capsule alive, and the receipt that cannot be written then bars the station.
const INTENT_PATIENCE: Duration = Duration::from_millis(500);
/// How often old entries are pruned, milliseconds.
const PRUNE_EVERY: u64 = 24 * 3_600_000;
/// How long the last entry may take when the shell stops.
const LAST_ENTRY: Duration = Duration::from_secs(2);

/// What the driver needs beside the ports.
pub struct Settings {
    /// What the core needs.
    pub rules: Rules,
    /// What does not change while the shell runs.
    pub facts: StationFacts,
    /// Hash of the policy in force, hexadecimal.
    pub policy: String,
    /// The least digits of a PIN.
    pub least_digits: usize,
    /// How many digits a break-glass code has.
    pub code_digits: u8,
    /// The shell's version.
    pub version: String,
    /// Whether the receipt of the handoff before a session tells whose session that was.
    pub show_names: bool,
}

/// The outer ends of a driver that is about to run.
pub struct Ends {
    /// The newest picture of the station.
    pub scenes: watch::Receiver<Scene>,
    /// What the screens ask.
    pub wishes: mpsc::UnboundedSender<Wish>,
    /// Where readers tell what they see.
    pub readers: Box<dyn Fn(ReaderEvent) + Send + Sync>,
    /// Where digits go.
    pub pad: PinPad,
    /// Where the host tells that it is about to sleep. The other end of what it is given is closed when
    /// nothing of a session is left to be shown (a station that is barred stays covered).
    pub suspending: Box<dyn Fn() -> std::sync::mpsc::Receiver<()> + Send + Sync>,
}

/// The loop.
pub struct Driver {
    station: Option<Station>,
    settings: Settings,
    ports: Ports,
    inbox: mpsc::UnboundedReceiver<Inbox>,
    post: mpsc::UnboundedSender<Inbox>,
    wishes: mpsc::UnboundedReceiver<Wish>,
    scenes: watch::Sender<Scene>,
    hands: Arc<dyn Hands>,
    /// How many capsules were asked for.
    capsule: Arc<AtomicU64>,
    pad: PinPad,
    first_pin: Option<Pin>,
    pin_problem: Option<String>,
    book: Book,
    held: Held,
    /// The drill that is held, what the last one came to, until when that is shown, and the question whose
    /// answer says whether it is entered.
    drilling: Option<Drilling>,
    drilled: Option<Arc<DrillReport>>,
    drilled_until: Option<Moment>,
    drill_entry: Option<Turn>,
    emergency: bool,
    elsewhere: Elsewhere,
    readers: Readers,
    reader_there: bool,
    notice: Option<(Notice, Moment)>,
    fresh_until: Option<Moment>,
    windows: Vec<AppWindow>,
    apps: Vec<AppState>,
    launcher: bool,
    in_front: Option<bool>,
    log: Option<Reading>,
    /// How many questions the log was asked.
    asked: u64,
    /// Whether the receipt of the handoff before this session is looked at, and whether the operator is asked
    /// if she means to begin afresh.
    before_open: bool,
    afresh: bool,
    disabled: Vec<(u32, String)>,
    quarantined_utc_ms: i64,
    /// Before then nothing is pruned.
    /// Since when the ledger is being verified for the view of the log.
    verifying: Option<Moment>,
    prune_after: Moment,
    step_failed: bool,
    arrived_us: u64,
    /// Sleeps of the host that wait until the station may sleep: letting go of one lets it go on.
    sleeping: Vec<std::sync::mpsc::Sender<()>>,
    stopped: bool,
}

impl Driver {
    /// A driver that has not begun, and its outer ends. It works with threads of its own.
    #[must_use]
    pub fn new(settings: Settings, ports: Ports) -> (Self, Ends) {
        Self::with_hands(settings, ports, Arc::new(Threads::start()))
    }

    /// The same with other hands: for a rehearsal, which takes the driver through its steps itself
    /// ([`Driver::begin`], [`Driver::arrived`], [`Driver::take`], [`Driver::time_came`], [`Driver::end`]).
    #[must_use]
    pub fn with_hands(settings: Settings, ports: Ports, hands: Arc<dyn Hands>) -> (Self, Ends) {
        let (post, inbox) = mpsc::unbounded_channel();
        let (wish, wishes) = mpsc::unbounded_channel();
        let pad = PinPad::default();
        let (scenes, scene) = watch::channel(compose::before_start(&settings, &*ports.clock));
        let (clock, readers_post) = (ports.clock.clone(), post.clone());
        let sleep_post = post.clone();
        let ends = Ends {
            scenes: scene,
            wishes: wish,
            readers: Box::new(move |event| {
                let _ = readers_post.send(Inbox::Reader(event, clock.micros()));
            }),
            pad: pad.clone(),
            suspending: Box::new(move || {
                let (waits, waited_for) = std::sync::mpsc::channel();
                let _ = sleep_post.send(Inbox::Suspending(waits));
                waited_for
            }),
        };
        let apps = vec![AppState::Idle; settings.facts.apps.len()];
        let mut book = Book::default();
        book.policy.clone_from(&settings.policy);
        let driver = Self {
            station: None,
            settings,
            ports,
            inbox,
            post,
            wishes,
            scenes,
            hands,
            capsule: Arc::default(),
            pad,
            first_pin: None,
            pin_problem: None,
            book,
            held: Held::default(),
            drilling: None,
            drilled: None,
            drilled_until: None,
            drill_entry: None,
            emergency: false,
            elsewhere: Elsewhere::default(),
            readers: Readers::default(),
            reader_there: true,
            notice: None,
            fresh_until: None,
            windows: Vec::new(),
            apps,
            launcher: true,
            in_front: None,
            log: None,
            asked: 0,
            before_open: false,
            afresh: false,
            disabled: Vec::new(),
            quarantined_utc_ms: 0,
            verifying: None,
            prune_after: Moment(0),
            step_failed: false,
            arrived_us: 0,
            sleeping: Vec::new(),
            stopped: false,
        };
        (driver, ends)
    }

    /// Runs until the station is told to stop and is clean.
    pub async fn run(mut self) {
        self.begin();
        while !self.stopped {
            let wake = self.next_wake();
            let item = tokio::select! {
                biased;
                Some(item) = self.inbox.recv() => Some(item),
                Some(wish) = self.wishes.recv() => Some(Inbox::Wish(wish)),
                () = sleep_until(wake, &*self.ports.clock) => None,
            };
            match item {
                Some(item) => self.take(Item(item)),
                None => self.time_came(),
            }
        }
        self.end();
    }

    /// What came in and was not taken yet, the oldest first; wishes after everything else.
    #[must_use]
    pub fn arrived(&mut self) -> Option<Item> {
        let wish = |driver: &mut Self| driver.wishes.try_recv().ok().map(Inbox::Wish);
        self.inbox.try_recv().ok().or_else(|| wish(self)).map(Item)
    }

    /// Takes what came in, and shows what follows.
    pub fn take(&mut self, item: Item) {
        self.receive(item.0);
        self.publish();
    }

    /// Whether the station was told to stop and is clean: the driver is to be ended.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// The last entry.
    pub fn end(self) {
        self.append(None, Entry { at: self.ports.clock.stamp(), body: Body::Stopped });
        self.hands.settle(LAST_ENTRY);
    }

    /// The first thing of all: cover, then look at what the journal says of the shell before.
    pub fn begin(&mut self) {
        let post = self.post.clone();
        self.ports.capsules.listen(Box::new(move |news| {
            let _ = post.send(Inbox::News(news));
        }));
        let post = self.post.clone();
        self.ports.sign_ins.listen(Box::new(move |news| {
            let _ = post.send(Inbox::Elsewhere(ElsewhereNews::News(news)));
        }));
        let now = self.ports.clock.now();
        let mut gathering = Gathering::new(self.ports.clock.stamp(), self.ports.clock.micros());
        let (station, effects) = Station::start(now, &self.settings.rules);
        self.station = Some(station);
        // Covering comes before anything is asked of the disk.
        let (covering, rest): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(|effect| *effect == Effect::Cover);
        self.carry_out(covering);
        gathering.covered_us = Some(self.ports.clock.micros());
        self.book.capabilities = self.ports.gates.capabilities();
        let journal = self.ports.ledger.unfinished();
        // A journal that cannot be read may hide an unfinished session.
        let unfinished = !matches!(journal, Ok(None));
        if let Ok(Some(left)) = journal {
            gathering.outgoing = left.person;
            gathering.opened = left.opened;
        }
        self.book.handoff = Some(gathering);
        let started = Body::Started {
            version: self.settings.version.clone(),
            policy: self.settings.policy.clone(),
            capabilities: self.book.capabilities.clone(),
        };
        self.append(None, Entry { at: self.ports.clock.stamp(), body: started });
        self.carry_out(rest);
        if unfinished {
            self.tell(Event::Unfinished);
        }
        self.publish();
    }

    // -----------------------------------------------------------------------------------------
    // Time
    // -----------------------------------------------------------------------------------------

    /// When [`Driver::time_came`] is worth calling, if nothing comes in before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        let station = self.station.as_ref()?;
        let warned = matches!(station, Station::Attended(attended) if attended.warned);
        let poll = warned.then(|| self.ports.clock.now().after(WARNED_POLL));
        let notice = self.notice.map(|(_, until)| until);
        let prune = matches!(station, Station::Vacant(_)).then_some(self.prune_after);
        let own = [poll, notice, self.fresh_until, self.drilled_until, prune, self.looks_again()];
        own.into_iter().chain([station.deadline(&self.settings.rules)]).flatten().min()
    }

    /// Time has come: notices end, idle is asked for, and the core is told of its deadline.
    pub fn time_came(&mut self) {
        let now = self.ports.clock.now();
        self.arrived_us = self.ports.clock.micros();
        if self.notice.is_some_and(|(_, until)| until <= now) {
            self.notice = None;
        }
        if self.fresh_until.is_some_and(|until| until <= now) {
            self.fresh_until = None;
        }
        if self.drilled_until.is_some_and(|until| until <= now) {
            self.result_seen();
        }
        if matches!(self.station, Some(Station::Attended(_))) {
            let idle = self.ports.idle.clone();
            // An unknown idle time counts as idle: the station may end a session too soon, never too late.
            let mut since = Ok(Duration::ZERO);
            self.hands.now(&mut || since = idle.since_input());
            if let Ok(idle) = since {
                let ago = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
                // A warning that ends by this shows the session again; not before it is known whether
                // the session is over.
                self.decide(Event::Active(Moment(now.0.saturating_sub(ago))));
            }
        }
        self.look_again();
        let due = self.station.as_ref().and_then(|station| station.deadline(&self.settings.rules));
        if due.is_some_and(|due| due <= now) {
            self.tell(Event::TimeCame);
        }
        self.prune();
        self.order_views();
        self.publish();
    }

    // -----------------------------------------------------------------------------------------
    // The core
    // -----------------------------------------------------------------------------------------

    fn tell(&mut self, event: Event) {
        self.decide(event);
        self.log_changed();
        self.order_views();
    }

    /// Tells the core, and does what it answers; the views stay as they are.
    fn decide(&mut self, event: Event) {
        let was_held = self.is_held();
        let Some(station) = self.station.take() else {
            return;
        };
        let was = PhaseName::of(&station);
        let (station, effects) = station.handle(self.ports.clock.now(), event, &self.settings.rules);
        let is = PhaseName::of(&station);
        self.station = Some(station);
        if is == PhaseName::CleanUp && was != PhaseName::CleanUp && was != PhaseName::Quarantine {
            self.gather();
        } else if is == PhaseName::CleanUp && was == PhaseName::Quarantine {
            self.gather_given_up();
        }
        self.carry_out(effects);
        if was != is {
            self.phase_changed(was, is);
        }
        if self.is_held() && !was_held {
            self.ask_codes();
        }
    }

    /// A handoff begins: from now on the book gathers what its receipt will tell.
    fn gather(&mut self) {
        self.nothing_ends();
        let Some(Station::CleanUp(clean_up)) = &self.station else {
            return;
        };
        let mut gathering = Gathering::new(self.ports.clock.stamp(), self.arrived_us);
        gathering.trigger = Some(clean_up.trigger);
        // Also a session whose opening was just being written: the entry may be in the ledger.
        gathering.outgoing = clean_up.outgoing.map(|id| self.book.person(id));
        gathering.opened = clean_up.outgoing.and(self.book.opened.clone());
        if clean_up.trigger == Trigger::Takeover {
            gathering.incoming = clean_up.guest.map(|guest| self.book.operator(guest.operator));
        }
        self.book.handoff = Some(gathering);
        self.hands.in_order(self.intent(Intent::Begin(clean_up.trigger)));
    }

    /// An emergency session that was given up while its opening was being written has its end too.
    fn gather_given_up(&mut self) {
        let emergency = |station: &Option<Station>| match station {
            Some(Station::CleanUp(clean_up)) => clean_up.outgoing == Some(OperatorId::EMERGENCY),
            Some(
                Station::Attended(_)
                | Station::Challenge(_)
                | Station::Drill(_)
                | Station::Quarantine(_)
                | Station::Vacant(_),
            )
            | None => false,
        };
        let gathered = self.book.handoff.as_ref().and_then(|gathered| gathered.outgoing.as_ref());
        if emergency(&self.station) && gathered.is_none_or(|person| !person.id.is_emergency()) {
            self.gather();
        }
    }

    fn phase_changed(&mut self, was: PhaseName, is: PhaseName) {
        self.step_failed = false;
        match is {
            PhaseName::Attended => {
                self.fresh_until = Some(self.ports.clock.now().after(FRESH));
                let roster = self.ports.roster.clone();
                self.work(move || Inbox::Disabled(roster.disabled()));
                self.sign_in();
            }
            PhaseName::Vacant | PhaseName::Challenge if was == PhaseName::CleanUp => {
                let utc_ms = self.ports.clock.stamp().utc_ms;
                self.book.finish(utc_ms, self.settings.show_names);
            }
            PhaseName::Drill => {
                // Its own opening stands in the book already.
                let opened = self.book.opened.take();
                self.book.finish(self.ports.clock.stamp().utc_ms, self.settings.show_names);
                self.book.opened = opened;
            }
            // What an earlier badge was told is not said to whoever comes next.
            PhaseName::Challenge if was == PhaseName::Vacant => self.notice = None,
            PhaseName::Quarantine => self.quarantined_utc_ms = self.ports.clock.stamp().utc_ms,
            PhaseName::Vacant | PhaseName::Challenge | PhaseName::CleanUp => {}
        }
        if matches!(is, PhaseName::Vacant | PhaseName::Quarantine) {
            self.ask_codes();
        }
        self.prune();
        if is != PhaseName::Attended {
            self.fresh_until = None;
            self.signed_out();
            self.windows.clear();
            self.apps.fill(AppState::Idle);
            self.launcher = true;
            self.log = None;
            self.before_open = false;
            self.afresh = false;
            self.in_front = None;
        }
    }

    fn ask_codes(&self) {
        let roster = self.ports.roster.clone();
        self.work(move || Inbox::Codes(roster.has_codes()));
    }

    /// While attended: puts the shell's own view or the session in front, as the scene has it.
    fn order_views(&mut self) {
        let Some(Station::Attended(attended)) = &self.station else {
            return;
        };
        let asked = attended.log != LogView::Closed || attended.step_up.is_some();
        let front = self.launcher || attended.warned || asked || self.before_open || self.afresh;
        if self.in_front == Some(front) {
            return;
        }
        self.in_front = Some(front);
        let screen = self.ports.screen.clone();
        let mut ordered = Ok(());
        self.hands.now(&mut || ordered = screen.show_shell(front));
        if let Err(error) = ordered {
            tracing::error!(%error, "failed to order the views");
            self.in_front = None;
        }
    }

    fn publish(&mut self) {
        self.follow_result();
        let scene = compose::scene(self);
        let (was, is) = (compose::label(&self.scenes.borrow().phase), compose::label(&scene.phase));
        if was != is {
            // What IT and the tests follow a station by; it names nobody.
            tracing::info!("station: {is}");
        }
        drop(self.scenes.send_replace(scene));
        match &self.station {
            // Nothing of a session is left here at a station that is held.
            Some(Station::CleanUp(_)) if self.is_held() => self.sleeping.clear(),
            None | Some(Station::Attended(_) | Station::CleanUp(_) | Station::Drill(_)) => {}
            Some(Station::Challenge(_) | Station::Quarantine(_) | Station::Vacant(_)) => {
                self.sleeping.clear();
            }
        }
    }

    fn guest(&self) -> Option<crate::handoff::Guest> {
        match self.station.as_ref()? {
            Station::Challenge(challenge) => Some(challenge.guest),
            Station::CleanUp(clean_up) => clean_up.guest,
            Station::Quarantine(quarantine) => quarantine.guest,
            Station::Attended(attended) => attended.asked(),
            Station::Drill(_) | Station::Vacant(_) => None,
        }
    }
}

/// All answers taken together: one trace is residue, one blind gate is unknown (promise 4). A look
/// that answered nothing at all has not looked.
fn judge(answers: &[GateAnswer]) -> Finding {
    let blind = |gate: &GateAnswer| gate.answer == Answer::Unknown && !planted::is(Bug::BlindIsClean);
    if answers.iter().any(|gate| gate.answer == Answer::Present) {
        Finding::Residue
    } else if answers.is_empty() || answers.iter().any(blind) {
        Finding::Unknown
    } else {
        Finding::Clean
    }
}

async fn sleep_until(wake: Option<Moment>, clock: &dyn crate::ports::Clock) {
    match wake {
        Some(wake) => tokio::time::sleep(Duration::from_millis(wake.since(clock.now()))).await,
        None => std::future::pending().await,
    }
}
