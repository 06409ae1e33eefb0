//! A day of a ward, as a seed has it: people who come and go, mistype, forget and pull their badges, and
//! a station at which things go wrong.

use cleanshift::driver::Wish;
use cleanshift::driver::scene::{ControlsScene, LogWish, Phase, PinAsk, PinScene, Question};
use cleanshift::handoff::{App, BadgeMode, Late};
use cleanshift::platform::rehearsal::disk::{Death, Fault, Weather};
use cleanshift::ports::ReaderEvent;

use crate::ground::{self, ANA, BEN, CHO, CODE, Colleague, HOUR, MORNING, OWN_PIN, PEOPLE, SUE, TOM};
use crate::promises::Promises;
use crate::ward::{Broken, Tally, Ward};

const READERS: [&str; 2] = ["left", "right"];
const WRONG_CODE: &str = "1234567890";
const WHY: &str = "Patient emergency";
/// A station on which nothing more goes wrong is vacant, or says why not, within this time.
const PATIENCE: u64 = 60_000;
/// Stations that open although something is not ended elsewhere, and stations that are held.
const OPENS: Late = Late::Open { after: 2_000 };
const HOLDS: Late = Late::Hold { longest: 600_000 };
const WEATHERS: [Weather; 4] = [Weather::Failing, Weather::Full, Weather::Forbidden, Weather::ReadOnly];

/// A day that is under way.
pub(crate) struct Day {
    pub(crate) ward: Ward,
    mode: BadgeMode,
    weather_until: Option<u64>,
    reader_back: Option<u64>,
    tom_has_own: bool,
}

impl Day {
    /// The day of this seed, before it begins.
    pub(crate) fn new(seed: u64) -> Self {
        let rules = ground::rules(BadgeMode::Hold, 3_000, Some(OPENS));
        let mut ward = Ward::new(seed, ground::disk(seed), rules);
        let mode = if ward.dice.one_in(3) { BadgeMode::Tap } else { BadgeMode::Hold };
        let grace = if ward.dice.one_in(4) { 0 } else { 3_000 };
        let late = [None, Some(OPENS), Some(HOLDS)][usize::try_from(ward.dice.below(3)).unwrap()];
        ward.rules = ground::rules(mode, grace, late);
        Self { ward, mode, weather_until: None, reader_back: None, tom_has_own: false }
    }

    /// From the morning to the evening.
    pub(crate) fn run(&mut self) -> Result<Tally, Broken> {
        self.ward.start()?;
        let acts = 22 + self.ward.dice.below(26);
        for _ in 0..acts {
            let wait = match self.ward.dice.below(20) {
                0 => self.ward.dice.below(180_000),
                1..=4 => self.ward.dice.below(15_000),
                5..=11 => self.ward.dice.below(3_000),
                _ => self.ward.dice.below(400),
            };
            self.ward.pass(wait)?;
            self.whatever_ends()?;
            if self.ward.dice.one_in(5) {
                self.misfortune()?;
            }
            self.act()?;
        }
        self.evening()?;
        Ok(self.ward.tally)
    }

    /// The same day at a station that signs its operators in, and is held until that is ended.
    pub(crate) fn held(mut self) -> Self {
        self.ward.rules = ground::rules(self.mode, 3_000, Some(HOLDS));
        self.ward.providers.calm();
        self
    }

    /// One fixed short day, for one fault at every point of it. How many changes the disk was asked for
    /// until the evening.
    pub(crate) fn fixed(&mut self) -> Result<u64, Broken> {
        self.ward.chance = false;
        self.ward.start()?;
        self.ward.pass(2_000)?;
        self.tries(&ANA, ANA.pin)?;
        self.ward.wish(Wish::Launch(App(0)))?;
        self.ward.pass(500)?;
        self.tries(&BEN, BEN.pin)?;
        self.ward.pass(4_000)?;
        self.ward.wish(Wish::End)?;
        self.leaves()?;
        self.leaves()?;
        self.ward.pass(4_000)?;
        self.tries(&TOM, "999999")?;
        self.leaves()?;
        self.ward.pass(1_500)?;
        self.tries(&SUE, SUE.pin)?;
        self.ward.wish(Wish::OpenLog)?;
        self.ward.pass(1_000)?;
        self.ward.wish(Wish::Drill)?;
        self.ward.pass(15_000)?;
        self.leaves()?;
        self.ward.pass(5_000)?;
        self.ward.wish(Wish::Emergency)?;
        self.ward.pass(100)?;
        self.ward.wish(Wish::Reason(WHY.to_owned()))?;
        self.ward.pass(100)?;
        self.ward.types(CODE)?;
        self.ward.pass(1_000)?;
        self.ward.wish(Wish::Launch(App(1)))?;
        self.ward.pass(500)?;
        self.ward.wish(Wish::End)?;
        self.ward.pass(5_000)?;
        self.ward.wish(Wish::Stop)?;
        self.ward.pass(65_000)?;
        let changes = self.ward.disk.changes();
        self.evening()?;
        Ok(changes)
    }

    /// An operator and then a supervisor ask for the controls, each with her session open, she without and
    /// with the log: what the scene has of them after each, and how often the ledger was asked.
    pub(crate) fn controls(&mut self) -> Result<Vec<(Option<ControlsScene>, u64)>, Broken> {
        self.ward.chance = false;
        self.ward.start()?;
        self.ward.pass(2_000)?;
        let mut seen = Vec::new();
        let ask = |day: &mut Self| -> Result<(), Broken> {
            day.ward.wish(Wish::Log(LogWish::Controls(None)))?;
            day.ward.pass(1_000)
        };
        let mut look = |day: &Self| -> Result<(), Broken> {
            let asked = day.ward.said.lock().unwrap().controls;
            let log = match day.ward.scene().map(|scene| scene.phase) {
                Some(Phase::Attended(at_work)) => at_work.log,
                other => return Err(format!("nobody is at work: {other:?}")),
            };
            seen.push((log.and_then(|log| log.controls), asked));
            Ok(())
        };
        self.tries(&ANA, ANA.pin)?;
        self.ward.wish(Wish::OpenLog)?;
        ask(self)?;
        look(self)?;
        self.leaves()?;
        self.ward.pass(4_000)?;
        self.tries(&SUE, SUE.pin)?;
        ask(self)?;
        look(self)?;
        self.ward.wish(Wish::OpenLog)?;
        self.ward.pass(1_000)?;
        ask(self)?;
        look(self)?;
        self.ward.wish(Wish::Log(LogWish::ControlsShut))?;
        self.ward.pass(200)?;
        look(self)?;
        Ok(seen)
    }

    /// A supervisor does something with the log; it is nothing where she has not opened it.
    fn reads(&mut self) -> Result<(), Broken> {
        let number = u64::from(u32::try_from(self.ward.dice.below(40)).unwrap());
        let text = ["ana", "takeover chart", "7", "nobody at all"][usize::try_from(number % 4).unwrap()];
        let wish = match self.ward.dice.below(6) {
            0 => LogWish::Find(Question { text: text.to_owned(), ..Question::default() }),
            1 => LogWish::Rows(number),
            2 => LogWish::Day(MORNING, MORNING + 24 * HOUR.cast_signed()),
            3 => LogWish::Note(number, text.to_owned()),
            4 if number.is_multiple_of(2) => LogWish::Controls(None),
            4 => LogWish::Note(number, String::new()),
            _ => LogWish::Open(number),
        };
        self.ward.wish(Wish::Log(wish))
    }

    fn tries(&mut self, who: &Colleague, pin: &str) -> Result<(), Broken> {
        self.shows(who.badge)?;
        self.ward.pass(300)?;
        self.ward.types(pin)?;
        self.ward.pass(1_500)
    }

    // -----------------------------------------------------------------------------------------
    // People
    // -----------------------------------------------------------------------------------------

    fn somebody(&mut self) -> &'static Colleague {
        match self.ward.dice.below(12) {
            0..=3 => &ANA,
            4..=6 => &BEN,
            7..=8 => &CHO,
            9..=10 => &SUE,
            _ => &TOM,
        }
    }

    fn act(&mut self) -> Result<(), Broken> {
        let Some(scene) = self.ward.scene() else { return Ok(()) };
        match scene.phase {
            Phase::Attended(at_work) if at_work.emergency => self.works_in_an_emergency(),
            Phase::Attended(at_work) => self.works(&at_work.name),
            Phase::Challenge(pin) => self.asked(&pin),
            Phase::CleanUp(clean_up) => match clean_up.guest {
                Some(pin) => self.asked(&pin),
                None if clean_up.held.is_some() => self.barred(),
                None => self.waits(),
            },
            Phase::Quarantine(barred) => match barred.guest {
                Some(pin) => {
                    if pin.emergency.is_none() && self.ward.dice.one_in(5) {
                        self.ward.wish(Wish::Restart)?;
                    }
                    self.asked(&pin)
                }
                None => self.barred(),
            },
            Phase::Drill(_) => self.waits_for_a_drill(),
            Phase::Vacant(vacant) if vacant.drilled.is_some() && self.ward.dice.one_in(4) => {
                self.ward.wish(Wish::DrillSeen)
            }
            Phase::Vacant(_) => self.waits(),
            Phase::OutOfService(_) => Ok(()),
        }
    }

    fn waits(&mut self) -> Result<(), Broken> {
        if self.reader_back.is_some() && self.ward.dice.one_in(2) {
            return self.ward.wish(Wish::Emergency);
        }
        match self.ward.dice.below(16) {
            0 => self.shows("DEADBEEF"),
            1 => self.ward.reader(ReaderEvent::Unreadable { reader: "left".to_owned() }),
            2 => self.ward.wish(Wish::Stop),
            3 => self.leaves(),
            4 => self.ward.pass(120_000),
            5 => self.ward.wish(Wish::Emergency),
            _ => {
                let who = self.somebody();
                self.shows(who.badge)
            }
        }
    }

    /// A drill is held, and somebody comes, or does not.
    fn waits_for_a_drill(&mut self) -> Result<(), Broken> {
        match self.ward.dice.below(12) {
            0 => self.ward.wish(Wish::Cancel),
            1 => self.leaves(),
            2 | 3 => {
                let who = self.somebody();
                self.shows(who.badge)
            }
            4 => self.shows("DEADBEEF"),
            5 => self.ward.wish(Wish::Stop),
            6 => self.misfortune(),
            _ => self.ward.pass(5_000),
        }
    }

    /// A badge is shown: laid on a free reader (hold), or tapped.
    fn shows(&mut self, badge: &'static str) -> Result<(), Broken> {
        if self.reader_back.is_some() {
            return Ok(());
        }
        if self.mode == BadgeMode::Hold {
            if self.ward.lying.values().any(|lying| *lying == badge) {
                return Ok(());
            }
            let free = READERS.iter().find(|reader| !self.ward.lying.contains_key(*reader));
            let reader = match free {
                Some(free) => *free,
                None => {
                    let _ = self.ward.lying.remove("left");
                    self.ward.went("left")?;
                    "left"
                }
            };
            let _ = self.ward.lying.insert(reader, badge);
            return self.ward.came(reader, badge);
        }
        self.ward.came("left", badge)?;
        let held = self.ward.dice.below(300);
        self.ward.pass(held)?;
        self.ward.went("left")
    }

    /// Whatever lies on a reader is taken away.
    fn leaves(&mut self) -> Result<(), Broken> {
        match self.ward.lying.pop_first() {
            Some((reader, _)) => self.ward.went(reader),
            None => Ok(()),
        }
    }

    fn pin_of(&self, name: &str) -> &'static str {
        let who = PEOPLE.iter().find(|who| name.starts_with(&who_key(who)[..3])).copied().unwrap_or(&ANA);
        if who.id == TOM.id && self.tom_has_own { OWN_PIN } else { who.pin }
    }

    /// The reason and the code, as somebody in a hurry gives them.
    fn asked_for_a_code(&mut self, pin: &PinScene) -> Result<(), Broken> {
        let reasoned = pin.emergency.as_ref().is_some_and(|emergency| emergency.reason.is_some());
        let dice = self.ward.dice.below(24);
        match (pin.ask, dice) {
            (_, 0) => self.ward.wish(Wish::Cancel),
            (_, 1) => {
                let who = self.somebody();
                self.shows(who.badge)
            }
            (_, 2) => self.ward.wish(Wish::Reason(String::new())),
            (_, 3) => self.ward.wish(Wish::Emergency),
            (PinAsk::Checking | PinAsk::Opening | PinAsk::Waiting, 4) => self.ward.types(WRONG_CODE),
            (PinAsk::Checking | PinAsk::Opening | PinAsk::Waiting, _) => Ok(()),
            // No code opens without a reason.
            (_, 4) => self.ward.types(CODE),
            (_, 5) => self.ward.pass(181_000),
            (_, 6) => self.ward.types("1234"),
            (_, 7) => self.misfortune(),
            (_, 8 | 9) => {
                // The disk fails just now, of all times.
                let weather = WEATHERS[usize::try_from(self.ward.dice.below(4)).unwrap()];
                self.weather_until = Some(self.ward.now() + self.ward.dice.below(90_000));
                self.ward.note(|| format!("from now on: {weather:?}"));
                self.ward.disk.weather(Some(weather));
                Ok(())
            }
            _ if !reasoned => self.ward.wish(Wish::Reason(WHY.to_owned())),
            (_, 10..=12) => self.ward.types(WRONG_CODE),
            (_, 13) => self.ward.pass(61_000),
            _ => self.ward.types(CODE),
        }
    }

    fn works_in_an_emergency(&mut self) -> Result<(), Broken> {
        match self.ward.dice.below(16) {
            0..=4 => {
                let app = App(u8::try_from(self.ward.dice.below(4)).unwrap());
                self.ward.wish(Wish::Launch(app))
            }
            5 | 6 => self.ward.wish(Wish::End),
            7 | 8 => {
                let who = self.somebody();
                self.shows(who.badge)
            }
            9 => self.ward.wish(Wish::Emergency),
            10 => self.ward.wish(Wish::OpenLog),
            11 => self.ward.wish(Wish::Launcher(false)),
            12 => {
                // It is needed to the end.
                for _ in 0..20 {
                    if !matches!(self.phase(), Some(Phase::Attended(at_work)) if at_work.emergency) {
                        break;
                    }
                    self.ward.world.touch();
                    self.ward.pass(95_000)?;
                }
                Ok(())
            }
            13 => self.ward.pass(121_000),
            14 => self.ward.wish(Wish::Enable(1)),
            _ => self.misfortune(),
        }
    }

    fn asked(&mut self, pin: &PinScene) -> Result<(), Broken> {
        if pin.emergency.is_some() {
            return self.asked_for_a_code(pin);
        }
        let dice = self.ward.dice.below(20);
        match (pin.ask, dice) {
            (PinAsk::Checking | PinAsk::Opening | PinAsk::Waiting, 0..=14) => Ok(()),
            (_, 0) => self.ward.wish(Wish::Cancel),
            (_, 1) => self.leaves(),
            (_, 2) => {
                let who = self.somebody();
                self.shows(who.badge)
            }
            (_, 3) => self.shows("DEADBEEF"),
            (PinAsk::Checking | PinAsk::Opening | PinAsk::Waiting, _) => self.ward.types("1234"),
            (PinAsk::Pin, 4..=6) => self.ward.types("999999"),
            (PinAsk::Pin, _) => {
                let right = self.pin_of(&pin.name);
                self.ward.types(right)
            }
            (PinAsk::New, _) => self.ward.types(OWN_PIN),
            (PinAsk::Again, 4..=5) => self.ward.types("111222"),
            (PinAsk::Again, _) => {
                self.ward.types(OWN_PIN)?;
                self.tom_has_own = true;
                Ok(())
            }
        }
    }

    fn works(&mut self, name: &str) -> Result<(), Broken> {
        let supervisor = name.starts_with("sue");
        match self.ward.dice.below(28) {
            0..=5 => {
                let app = App(u8::try_from(self.ward.dice.below(6)).unwrap());
                self.ward.wish(Wish::Launch(app))
            }
            6..=8 => self.leaves(),
            9 | 10 => {
                // Another badge, or her own once more.
                let who = self.somebody();
                self.shows(who.badge)
            }
            11 => self.shows("DEADBEEF"),
            12 => self.ward.wish(Wish::End),
            13 => self.ward.wish(Wish::Launcher(true)),
            14 => self.ward.wish(Wish::Launcher(false)),
            15 => self.ward.pass(101_000),
            16 => self.ward.wish(Wish::Stay),
            17 if self.ward.dice.one_in(3) => self.ward.wish(Wish::Stop),
            18 if self.mode == BadgeMode::Tap => {
                let own =
                    PEOPLE.iter().find(|who| name.starts_with(&who_key(who)[..3])).copied().unwrap_or(&ANA);
                self.shows(own.badge)
            }
            18 if supervisor => {
                self.ward.wish(Wish::OpenLog)?;
                self.ward.pass(300)?;
                self.ward.wish(Wish::Drill)?;
                let wait = self.ward.dice.below(400);
                self.ward.pass(wait)
            }
            17 => self.ward.wish(Wish::Drill),
            19..=21 if supervisor => {
                self.ward.wish(Wish::OpenLog)?;
                self.ward.pass(300)?;
                // After a while in the session her PIN is asked for again.
                let pin = if self.ward.dice.one_in(4) { "9999" } else { SUE.pin };
                self.ward.types(pin)
            }
            // Whoever is no supervisor gets nothing of it.
            22 => self.reads(),
            23 if supervisor => {
                self.ward.wish(Wish::CloseLog)?;
                let whom = 1 + u32::try_from(self.ward.dice.below(5)).unwrap();
                self.ward.wish(Wish::Enable(whom))
            }
            25 => self.ward.wish(Wish::FreshStart),
            26 => {
                let whose = PEOPLE[usize::try_from(self.ward.dice.below(5)).unwrap()];
                self.revokes(whose)
            }
            27 => {
                let ms = self.ward.dice.below(60_000);
                self.loses(ms)
            }
            24 => {
                let open = self.ward.dice.one_in(2);
                self.ward.wish(Wish::Receipt(open))
            }
            _ => self.ward.world("somebody works", cleanshift::platform::rehearsal::world::World::touch),
        }
    }

    /// A provider says that somebody's session is revoked: hers ends at once, and nobody else's.
    fn revokes(&mut self, whose: &Colleague) -> Result<(), Broken> {
        let is_in = |day: &Self, who: &str| matches!(day.phase(), Some(Phase::Attended(at_work)) if at_work.name.starts_with(who));
        let key = ["ana.ruiz", "ben.osei", "cho.park", "sue.lind", "tom.beck"][whose.id.0 as usize - 1];
        let (hers, starts) = (is_in(self, who_key(whose)), self.ward.tally.starts);
        let providers = self.ward.providers.clone();
        self.ward.world("a provider revokes a session", |_| providers.revoke(key))?;
        self.ward.pass(1)?;
        let signs_in = self.ward.rules.sign_ins.is_some();
        if hers && signs_in && self.ward.tally.starts == starts && is_in(self, who_key(whose)) {
            return Err(format!("one operator: {key} is in, and her session was revoked"));
        }
        Ok(())
    }

    /// No provider answers for a while.
    fn loses(&mut self, ms: u64) -> Result<(), Broken> {
        let providers = self.ward.providers.clone();
        self.ward.world("the providers are lost", |_| providers.lose(ms))
    }

    fn barred(&mut self) -> Result<(), Broken> {
        match self.ward.dice.below(10) {
            0 | 1 => self.ward.wish(Wish::Retry),
            6 | 7 => self.ward.wish(Wish::Emergency),
            2 | 3 => self.shows(SUE.badge),
            4 => self
                .ward
                .world("somebody puts things right", cleanshift::platform::rehearsal::world::World::repair),
            5 => self.waits(),
            _ => self.ward.pass(20_000),
        }
    }

    // -----------------------------------------------------------------------------------------
    // What goes wrong
    // -----------------------------------------------------------------------------------------

    fn misfortune(&mut self) -> Result<(), Broken> {
        let which = self.ward.dice.below(30);
        let times = 1 + u32::try_from(self.ward.dice.below(3)).unwrap();
        let change = self.ward.disk.changes() + self.ward.dice.below(40);
        let weather = WEATHERS[usize::try_from(self.ward.dice.below(4)).unwrap()];
        let plan = |day: &mut Self, fault: Fault| {
            day.ward.note(|| format!("planned at change {change}: {fault:?}"));
            day.ward.disk.plan(change, fault);
            Ok(())
        };
        match which {
            0..=2 => plan(self, Fault::Crash),
            3..=5 => plan(self, Fault::PowerCut),
            6 | 7 => plan(self, Fault::Fails(weather)),
            8 => {
                self.weather_until = Some(self.ward.now() + self.ward.dice.below(90_000));
                plan(self, Fault::Lasting(weather))
            }
            9 | 10 => {
                let ms = self.ward.dice.below(20_000);
                plan(self, Fault::Hangs(ms))
            }
            11 => {
                if self.ward.shell.is_some() {
                    self.ward.die(Death::Killed);
                }
                Ok(())
            }
            12 => {
                if self.ward.shell.is_some() {
                    self.ward.die(Death::PowerCut);
                }
                Ok(())
            }
            // One at a time: a session that can neither be covered nor killed is beyond any shell.
            13 => self.trouble("the cover will fail, and apps will not close", |trouble| {
                (trouble.cover, trouble.destroy, trouble.stubborn_apps) = (1, 0, true);
            }),
            14 => self.trouble("the session cannot be shown", |trouble| trouble.uncover = 1),
            // The same where the cover has just failed.
            15 if self.ward.world.reachable() && !matches!(self.phase(), Some(Phase::Attended(_))) => Ok(()),
            15 => self.trouble("the capsule will not end", |trouble| {
                (trouble.destroy, trouble.cover) = (times, 0);
            }),
            16 => self.trouble("no capsule can be built", |trouble| trouble.prepare = times),
            17 => self.trouble("a gate is blind", |trouble| trouble.blind = times),
            18 => self.trouble("idle cannot be told", |trouble| trouble.idle = times),
            19 | 20 => {
                let outlives = u32::try_from(self.ward.dice.below(7)).unwrap();
                self.trouble("a trace will escape", |trouble| trouble.leak = Some(outlives))
            }
            21 => self.trouble("apps will not close", |trouble| trouble.stubborn_apps = true),
            22 => self.ward.world("an app crashes", cleanshift::platform::rehearsal::world::World::app_fails),
            23 => self
                .ward
                .world("the capsule is lost", cleanshift::platform::rehearsal::world::World::lose_capsule),
            24 => {
                let ms = self.ward.dice.below(2 * HOUR);
                if self.ward.dice.one_in(2) {
                    self.ward.sleep(ms);
                } else {
                    self.ward.suspend(ms)?;
                }
                let jump = i64::try_from(self.ward.dice.below(4 * HOUR)).unwrap() - (2 * HOUR).cast_signed();
                self.ward.clock.jump(jump);
                // Somebody touches it, and thereby wakes it.
                self.ward.world.touch();
                let was = self.phase();
                self.ward.pass(1)?;
                match (was, self.phase()) {
                    (Some(Phase::Attended(was)), Some(Phase::Attended(is))) if ms > self.ward.rules.idle => {
                        Err(format!("one operator: {} was gone for {ms} ms, and {} is in", was.name, is.name))
                    }
                    _ => Ok(()),
                }
            }
            28 => self.trouble("a drill will not take back what it plants", |trouble| trouble.drill = 1),
            29 => self.trouble("a drill leaves what no gate sees", |trouble| trouble.hidden = times),
            25 => self.trouble("the machine will not start anew", |trouble| trouble.restart = 1),
            _ => {
                if self.reader_back.is_some() {
                    return Ok(());
                }
                self.ward.lying.clear();
                self.reader_back = Some(self.ward.now() + self.ward.dice.below(20_000));
                self.ward.reader(ReaderEvent::Lost { why: "unplugged".to_owned() })
            }
        }
    }

    fn trouble(
        &mut self,
        what: &str,
        change: impl FnOnce(&mut cleanshift::platform::rehearsal::world::Troubles),
    ) -> Result<(), Broken> {
        self.ward.world(what, |world| world.trouble(change))
    }

    /// What has gone wrong for a while goes right again.
    fn whatever_ends(&mut self) -> Result<(), Broken> {
        let now = self.ward.now();
        if self.weather_until.is_some_and(|until| until <= now) {
            self.weather_until = None;
            self.ward.note(|| "the disk is well again".to_owned());
            self.ward.disk.weather(None);
        }
        if self.reader_back.is_some_and(|until| until <= now) {
            self.reader_back = None;
            self.ward.reader(ReaderEvent::Back)?;
        }
        Ok(())
    }

    // -----------------------------------------------------------------------------------------
    // The evening
    // -----------------------------------------------------------------------------------------

    /// Nothing more goes wrong, and everybody goes home: the station must find its way.
    fn evening(&mut self) -> Result<(), Broken> {
        self.ward.note(|| "evening: nothing more goes wrong".to_owned());
        self.ward.calm = true;
        self.ward.planned = None;
        self.ward.disk.forget_plan();
        self.ward.disk.weather(None);
        self.ward.world("calm", cleanshift::platform::rehearsal::world::World::calm)?;
        self.ward.providers.calm();
        self.weather_until = None;
        if self.reader_back.take().is_some() {
            self.ward.reader(ReaderEvent::Back)?;
        }
        while !self.ward.lying.is_empty() {
            self.leaves()?;
        }
        // What was begun late in the day may still be under way, and a stopped shell is to come back.
        self.ward.pass(70_000)?;
        if matches!(self.phase(), Some(Phase::Attended(_))) {
            self.ward.wish(Wish::End)?;
        }
        if matches!(self.phase(), Some(Phase::Challenge(_) | Phase::Quarantine(_))) {
            self.ward.wish(Wish::Cancel)?;
        }
        self.ward.pass(PATIENCE)?;
        if self.ward.shell.is_none() {
            // It was told to stop while it was barred, did so, and is started again.
            self.ward.pass(70_000)?;
        }
        match self.phase() {
            Some(Phase::Vacant(_) | Phase::Quarantine(_)) => {}
            _ => return Err(self.stuck("vacant or quarantined within a minute")),
        }
        // Whatever was found is taken away: there is a way to vacant from everywhere.
        self.ward.world("put right", cleanshift::platform::rehearsal::world::World::repair)?;
        if matches!(self.phase(), Some(Phase::Quarantine(_))) {
            self.ward.wish(Wish::Retry)?;
            self.ward.pass(PATIENCE)?;
        }
        if self.ward.shell.is_none() {
            // It was told to stop while it was barred, and is started again.
            self.ward.pass(70_000)?;
        }
        self.vacant()?;
        if self.ward.chance {
            self.one_more()?;
        }
        // Whatever is written next lets the station tell what it holds.
        self.shows("DEADBEEF")?;
        self.leaves()?;
        self.ward.pass(2_000)?;
        self.ward.promises.told(&self.ward.said, false)?;
        self.ward.providers.all_told()?;
        let shell = self.ward.shell.as_ref().ok_or("liveness: no shell runs in the evening")?;
        Promises::at_the_end(&shell.witness.store, false)
    }

    /// Break-glass is slow after wrong codes, and never closed; no disk closes it either.
    fn breaks_glass(&mut self) -> Result<(), Broken> {
        self.ward.wish(Wish::Emergency)?;
        self.ward.wish(Wish::Reason(WHY.to_owned()))?;
        for _ in 0..self.ward.dice.below(8) {
            self.ward.types(WRONG_CODE)?;
            let pause = if self.ward.dice.one_in(2) { 61_000 } else { 500 };
            self.ward.pass(pause)?;
        }
        self.ward.pass(61_000)?;
        if self.ward.dice.one_in(2) {
            let weather = WEATHERS[usize::try_from(self.ward.dice.below(4)).unwrap()];
            self.ward.note(|| format!("from now on: {weather:?}"));
            self.ward.disk.weather(Some(weather));
        }
        self.ward.types(CODE)?;
        self.ward.pass(5_000)?;
        if !matches!(self.phase(), Some(Phase::Attended(at_work)) if at_work.emergency) {
            return Err(self.stuck("opened by break-glass"));
        }
        self.ward.disk.weather(None);
        self.ward.wish(Wish::Launch(App(2)))?;
        self.ward.pass(1_000)?;
        self.ward.wish(Wish::End)?;
        self.ward.pass(10_000)?;
        self.vacant()
    }

    /// Care goes on: whoever may work can still be let in, keeps her session beside a bus card, is taken
    /// over from, and is handed off.
    fn one_more(&mut self) -> Result<(), Broken> {
        // The longest wait between two tries is over by then.
        self.ward.pass(61_000)?;
        if self.ward.dice.one_in(3) {
            self.breaks_glass()?;
        }
        let may = |who: &&Colleague| {
            let store = &self.ward.shell.as_ref()?.witness.store;
            let row = cleanshift::ports::RosterRows::by_id(store, who.id).ok()??;
            (!row.disabled).then_some(())
        };
        let (sue, ana) = (may(&&SUE).is_some(), may(&&ANA).is_some());
        let mut able =
            [&SUE, &ANA, &BEN].into_iter().filter(|who| may(who).is_some()).collect::<Vec<_>>().into_iter();
        if sue && ana && self.ward.dice.one_in(3) {
            self.holds_a_drill()?;
        }
        let Some(first) = able.next() else { return Ok(()) };
        self.lets_in(first)?;
        self.ward.wish(Wish::Launch(App(0)))?;
        self.shows("DEADBEEF")?;
        self.ward.pass(1_000)?;
        self.is_in(first)?;
        let _ = self.ward.lying.remove("right").map(|_| self.ward.went("right")).transpose()?;
        let last = able.next();
        if let Some(second) = last {
            self.lets_in(second)?;
        }
        match self.mode {
            BadgeMode::Tap => self.shows(last.unwrap_or(first).badge)?,
            BadgeMode::Hold => {
                while !self.ward.lying.is_empty() {
                    self.leaves()?;
                }
            }
        }
        self.ward.pass(10_000)?;
        self.vacant()
    }

    /// A supervisor has a drill held: it is left at once for somebody who comes, or comes to its end.
    fn holds_a_drill(&mut self) -> Result<(), Broken> {
        self.lets_in(&SUE)?;
        self.ward.wish(Wish::OpenLog)?;
        self.ward.pass(1_000)?;
        self.ward.wish(Wish::Drill)?;
        // In a rehearsal a drill may be over in a moment.
        let over =
            |day: &Self| matches!(day.phase(), Some(Phase::Vacant(vacant)) if vacant.drilled.is_some());
        for _ in 0..2_000 {
            if matches!(self.phase(), Some(Phase::Drill(_))) || over(self) {
                break;
            }
            self.ward.pass(2)?;
        }
        let comes = !over(self) && self.ward.dice.one_in(2);
        if !over(self) && !matches!(self.phase(), Some(Phase::Drill(_))) {
            return Err(self.stuck("held for a drill"));
        }
        let verdict = if comes {
            self.shows(ANA.badge)?;
            self.ward.pass(4_000)?;
            if !matches!(self.phase(), Some(Phase::Challenge(pin)) if pin.name.starts_with("ana")) {
                return Err(self.stuck("left by a drill for whoever comes"));
            }
            self.ward.wish(Wish::Cancel)?;
            "broken-off"
        } else {
            self.ward.pass(15_000)?;
            match self.phase() {
                Some(Phase::Vacant(vacant))
                    if vacant.drilled.as_ref().is_some_and(|report| report.entered == Some(true)) => {}
                _ => return Err(self.stuck("vacant with the result of a drill")),
            }
            self.ward.wish(Wish::DrillSeen)?;
            "clean"
        };
        while !self.ward.lying.is_empty() {
            self.leaves()?;
        }
        self.ward.pass(2_000)?;
        let entered = self.ward.said.lock().unwrap().drills.last().cloned().unwrap_or_default();
        if !entered.starts_with(verdict) {
            return Err(format!("a drill: {verdict} was to be entered, and it says {entered}"));
        }
        self.vacant()
    }

    fn lets_in(&mut self, who: &Colleague) -> Result<(), Broken> {
        self.shows(who.badge)?;
        self.ward.pass(200)?;
        self.ward.types(who.pin)?;
        self.ward.pass(5_000)?;
        self.is_in(who)
    }

    fn is_in(&self, who: &Colleague) -> Result<(), Broken> {
        match self.phase() {
            Some(Phase::Attended(at_work)) if at_work.name.starts_with(who_key(who)) => Ok(()),
            _ => Err(self.stuck(&format!("attended by {}", who_key(who)))),
        }
    }

    fn vacant(&self) -> Result<(), Broken> {
        match self.phase() {
            Some(Phase::Vacant(_)) => Ok(()),
            _ => Err(self.stuck("vacant")),
        }
    }

    fn stuck(&self, wanted: &str) -> Broken {
        let is = self.ward.scene().map_or("no shell".to_owned(), |scene| crate::ward::label(&scene));
        format!("liveness: the station is not {wanted} but {is}")
    }

    fn phase(&self) -> Option<Phase> {
        Some(self.ward.scene()?.phase)
    }
}

fn who_key(who: &Colleague) -> &'static str {
    match who.id.0 {
        1 => "ana",
        2 => "ben",
        3 => "cho",
        4 => "sue",
        _ => "tom",
    }
}
