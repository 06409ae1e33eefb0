//! Carrying effects out: the short ones on the spot, in order; the long ones on threads of their
//! own, whose results come back through the inbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::drill::Drilling;
use super::inbox::Inbox;
use super::scene::AppState;
use super::{Driver, INTENT_PATIENCE, NOTICE};
use crate::handoff::planted::{self, Bug};
use crate::handoff::{AppWish, Effect, Event, Notice, OperatorId, Record, Step, Turn};
use crate::ports::{Body, CapsuleNews, Closing, Entry, Intent, Job, Person, PinProblem, PortError};

impl Driver {
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::CheckPin(turn, operator) => {
                    let (pins, roster) = (self.ports.pins.clone(), self.ports.roster.clone());
                    let (pin, post) = (self.pad.take(), self.post.clone());
                    self.work(move || {
                        let answer = pins.check(operator, &pin);
                        // Which code was right stands for who used it.
                        if let (true, Ok(person)) = (operator.is_emergency(), roster.person(operator)) {
                            let _ = post.send(Inbox::Met(person));
                        }
                        Inbox::Event(Event::PinChecked(turn, answer))
                    });
                }
                Effect::Cover => self.cover(),
                Effect::Drill(turn, part) => self.drill_part(turn, part),
                Effect::EndDrill => self.end_drill(),
                Effect::ForgetPin => {
                    self.pad.wipe();
                    self.first_pin = None;
                    self.pin_problem = None;
                }
                Effect::Look(turn) => self.look(turn),
                Effect::Notify(notice) => self.notify(notice),
                Effect::Prepare(turn) => {
                    let capsules = self.ports.capsules.clone();
                    let _ = self.capsule.fetch_add(1, Ordering::SeqCst);
                    self.work(move || Inbox::Prepared(turn, capsules.prepare()));
                }
                Effect::Record(turn, record) => self.record(turn, record),
                Effect::Restart => {
                    let machine = self.ports.machine.clone();
                    self.work(move || Inbox::Restarted(machine.restart()));
                }
                Effect::Serve(wish) => self.serve(wish),
                Effect::Revoke => self.revoke(),
                Effect::SetPin(turn, operator) => self.set_pin(turn, operator),
                Effect::Settle(turn) => self.settle(turn),
                Effect::Step(turn, step) => self.step(turn, step),
                Effect::Stop => self.stopped = true,
                Effect::Uncover => {
                    let screen = self.ports.screen.clone();
                    let front = self.launcher;
                    self.in_front = Some(front);
                    let mut uncovered = Ok(());
                    self.hands.now(&mut || uncovered = screen.uncover(front));
                    if let Err(error) = uncovered {
                        tracing::error!(%error, "failed to uncover");
                        let _ = self.post.send(Inbox::Event(Event::CapsuleLost));
                    }
                }
            }
        }
    }

    pub(super) fn cover(&mut self) {
        let screen = self.ports.screen.clone();
        let mut covered = Ok(());
        self.hands.now(&mut || covered = screen.cover());
        if let (Ok(()), Some(handoff)) = (&covered, &mut self.book.handoff) {
            // A cover that is repeated in a later round says nothing of when it was covered first.
            let _ = handoff.covered_us.get_or_insert(self.ports.clock.micros());
        }
        if let Err(error) = covered
            && !planted::is(Bug::CoverUnconfirmed)
        {
            // A cover that is not confirmed is no cover: what shows the session is killed at once,
            // without asking its apps (requirement L-03). The clean-up's own step proves it.
            tracing::error!(%error, "failed to cover; the capsule is killed");
            let capsules = self.ports.capsules.clone();
            self.on_capsule(move || drop(capsules.destroy()));
        }
    }

    pub(super) fn step(&mut self, turn: Turn, step: Step) {
        let (capsules, gates) = (self.ports.capsules.clone(), self.ports.gates.clone());
        let meant = self.meant();
        match step {
            Step::Farewell => self.farewell(turn),
            Step::AskApps => {
                let grace = Duration::from_millis(self.settings.rules.grace);
                self.after_intent(Intent::AskApps, move || {
                    Inbox::Closed(
                        turn,
                        if meant() { capsules.ask_to_close(grace) } else { Closing::default() },
                    )
                });
            }
            Step::Destroy => self.after_intent(Intent::Destroy, move || {
                if !meant() {
                    return Inbox::Destroyed(
                        turn,
                        Vec::new(),
                        Err(PortError::new("destroy a capsule in time")),
                    );
                }
                let inside = gates.look_inside();
                Inbox::Destroyed(turn, inside, capsules.destroy())
            }),
        }
    }

    pub(super) fn record(&mut self, turn: Turn, record: Record) {
        let (at, now_us) = (self.ports.clock.stamp(), self.ports.clock.micros());
        let opens = match record {
            Record::Opened(operator) => Some(operator),
            Record::BreakGlass => Some(OperatorId::EMERGENCY),
            Record::DrillOpened(_) => Some(OperatorId::DRILL),
            Record::BadgeUnknown
            | Record::Denied(..)
            | Record::Drilled(_)
            | Record::Handoff(..)
            | Record::Quarantined(_)
            | Record::Released(_)
            | Record::Restarted(_)
            | Record::Viewed(_) => None,
        };
        if let Some(operator) = opens {
            self.book.opened = Some(at.clone());
            // Any other opening is shown only once its entry is durable, and that transaction tells the
            // journal of the session too; break-glass opens where its entry could not be written.
            if operator.is_emergency() {
                let person: Person = self.book.person(operator);
                self.hands.in_order(self.intent(Intent::Open(person, at.clone())));
            }
        }
        if let Record::DrillOpened(by) = record {
            self.drilling = Some(Drilling::begin(self.book.person(by), now_us / 1000));
        }
        if let Record::Drilled(by) = record {
            let by = Some(self.book.person(by));
            let entry = Entry { at, body: Body::Drill { by, came_to: self.drill_over() } };
            self.drill_entry = Some(turn);
            self.append(Some(turn), entry);
            return;
        }
        self.note_sign_ins(turn, record);
        let shared = self.ports.capsules.shared();
        let entry = self.book.entry(record, at, now_us, shared);
        self.held.expect(turn, record, &entry);
        self.append(Some(turn), entry);
    }

    pub(super) fn serve(&mut self, wish: AppWish) {
        let (capsules, post) = (self.ports.capsules.clone(), self.post.clone());
        match wish {
            AppWish::Launch(app) => {
                self.app_is(app, AppState::Starting);
                self.on_capsule(move || {
                    if let Err(error) = capsules.launch(app) {
                        let _ = post.send(Inbox::News(CapsuleNews::AppFailed(app, error.to_string())));
                    }
                });
            }
            AppWish::Close(window) => self.on_capsule(move || drop(capsules.close(window))),
            AppWish::Raise(window) => self.on_capsule(move || drop(capsules.raise(window))),
        }
    }

    pub(super) fn set_pin(&mut self, turn: Turn, operator: crate::handoff::OperatorId) {
        let second = self.pad.take();
        // A first one that was forgotten meanwhile (a clean-up forgets it) is the same as none.
        if !self.first_pin.take().is_some_and(|first| first.same_as(&second)) {
            let problem = PinProblem::Weak("The two PINs were not the same. Choose again.".to_owned());
            let _ = self.post.send(Inbox::PinSet(turn, Err(problem)));
            return;
        }
        let pins = self.ports.pins.clone();
        self.work(move || Inbox::PinSet(turn, pins.set(operator, &second)));
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        self.notice = Some((notice, self.ports.clock.now().after(NOTICE)));
    }

    /// Does something to the capsule that stands now, beside everything else.
    fn on_capsule(&self, job: impl FnOnce() + Send + 'static) {
        self.on_capsule_of(self.capsule(), job);
    }

    /// The same to the capsule of this number, where it stands still.
    pub(super) fn on_capsule_of(&self, capsule: u64, job: impl FnOnce() + Send + 'static) {
        let meant = self.is_capsule(capsule);
        self.hands.aside(Box::new(move || {
            if meant() {
                job();
            }
        }));
    }

    /// Whether the capsule that was meant is still the last one. A thread that comes late must not
    /// destroy the next operator's capsule, or start an app in it.
    fn meant(&self) -> impl Fn() -> bool + Send + 'static {
        self.is_capsule(self.capsule())
    }

    /// The number of the capsule that was asked for last.
    pub(super) fn capsule(&self) -> u64 {
        self.capsule.load(Ordering::SeqCst)
    }

    fn is_capsule(&self, meant: u64) -> impl Fn() -> bool + Send + 'static {
        let capsule = Arc::clone(&self.capsule);
        move || capsule.load(Ordering::SeqCst) == meant || planted::is(Bug::LateThread)
    }

    /// Does something that takes time, and posts what comes of it.
    pub(super) fn work(&self, job: impl FnOnce() -> Inbox + Send + 'static) {
        self.hands.aside(self.posting(job));
    }

    /// The same, once the intent is durable (or the disk has had its chance).
    pub(super) fn after_intent(&self, intent: Intent, job: impl FnOnce() -> Inbox + Send + 'static) {
        self.hands.after(self.intent(intent), INTENT_PATIENCE, self.posting(job));
    }

    fn posting(&self, job: impl FnOnce() -> Inbox + Send + 'static) -> Job {
        let post = self.post.clone();
        Box::new(move || {
            let _ = post.send(job());
        })
    }

    /// Writing this intent, for the ledger's turn.
    pub(super) fn intent(&self, intent: Intent) -> Job {
        let ledger = Arc::clone(&self.ports.ledger);
        Box::new(move || {
            if let Err(error) = ledger.intend(intent) {
                tracing::error!(%error, "failed to write an intent");
            }
        })
    }

    /// Tells what was held, now that the ledger writes again; the core does not wait for it.
    pub(super) fn tell_held(&self, held: Vec<Entry>) {
        let entry = Entry { at: self.ports.clock.stamp(), body: Body::Discontinuity(held) };
        let (ledger, post) = (Arc::clone(&self.ports.ledger), self.post.clone());
        self.hands.in_order(Box::new(move || {
            let _ = post.send(Inbox::Told(ledger.append(&entry)));
        }));
    }

    pub(super) fn append(&self, turn: Option<Turn>, entry: Entry) {
        let (ledger, post) = (Arc::clone(&self.ports.ledger), self.post.clone());
        self.hands.in_order(Box::new(move || {
            let written = ledger.append(&entry);
            if let Some(turn) = turn {
                let _ = post.send(Inbox::Written(turn, written));
            } else if let Err(error) = written {
                tracing::error!(%error, "failed to write an entry");
            }
        }));
    }
}
