//! Carrying effects out: the short ones on the spot, in order; the long ones on threads of their
//! own, whose results come back through the inbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::inbox::Inbox;
use super::scene::AppState;
use super::{Driver, INTENT_PATIENCE, NOTICE};
use crate::handoff::{AppWish, Effect, Event, Notice, OperatorId, Record, Step, Turn};
use crate::ports::{CapsuleNews, Entry, Intent, Person, PinProblem, Ports};

/// Work for the ledger's thread.
pub(super) enum Job {
    Append(Option<Turn>, Box<Entry>),
    Intend(Intent, std::sync::mpsc::Sender<()>),
    /// An entry that tells of others which were held; the core does not wait for it.
    Tell(Box<Entry>),
}

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
                Effect::ForgetPin => {
                    self.pad.wipe();
                    self.first_pin = None;
                    self.pin_problem = None;
                }
                Effect::Look(turn) => {
                    let gates = self.ports.gates.clone();
                    self.after_intent(Intent::Look, move || Inbox::Looked(turn, gates.look()));
                }
                Effect::Notify(notice) => self.notify(notice),
                Effect::Prepare(turn) => {
                    let capsules = self.ports.capsules.clone();
                    self.work(move || Inbox::Prepared(turn, capsules.prepare()));
                }
                Effect::Record(turn, record) => self.record(turn, record),
                Effect::Restart => {
                    let machine = self.ports.machine.clone();
                    self.work(move || Inbox::Restarted(machine.restart()));
                }
                Effect::Serve(wish) => self.serve(wish),
                Effect::SetPin(turn, operator) => self.set_pin(turn, operator),
                Effect::Step(turn, step) => self.step(turn, step),
                Effect::Stop => self.stopped = true,
                Effect::Uncover => {
                    let screen = self.ports.screen.clone();
                    let front = self.launcher;
                    self.in_front = Some(front);
                    if let Err(error) = tokio::task::block_in_place(|| screen.uncover(front)) {
                        tracing::error!(%error, "failed to uncover");
                        let _ = self.post.send(Inbox::Event(Event::CapsuleLost));
                    }
                }
            }
        }
    }

    pub(super) fn cover(&mut self) {
        let screen = self.ports.screen.clone();
        let covered = tokio::task::block_in_place(|| screen.cover());
        if let (Ok(()), Some(handoff)) = (&covered, &mut self.book.handoff) {
            handoff.covered_us = Some(self.ports.clock.micros());
        }
        if let Err(error) = covered {
            // A cover that is not confirmed is no cover: what shows the session is killed at once,
            // without asking its apps (requirement L-03). The clean-up's own step proves it.
            tracing::error!(%error, "failed to cover; the capsule is killed");
            let capsules = self.ports.capsules.clone();
            drop(tokio::task::spawn_blocking(move || capsules.destroy()));
        }
    }

    pub(super) fn step(&mut self, turn: Turn, step: Step) {
        let (capsules, gates) = (self.ports.capsules.clone(), self.ports.gates.clone());
        match step {
            Step::AskApps => {
                let grace = Duration::from_millis(self.settings.rules.grace);
                self.after_intent(Intent::AskApps, move || Inbox::Closed(turn, capsules.ask_to_close(grace)));
            }
            Step::Destroy => self.after_intent(Intent::Destroy, move || {
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
            Record::BadgeUnknown
            | Record::Denied(..)
            | Record::Handoff(..)
            | Record::Quarantined(_)
            | Record::Released(_)
            | Record::Restarted(_)
            | Record::Viewed(_) => None,
        };
        if let Some(operator) = opens {
            self.book.opened = Some(at.clone());
            let (done, _) = std::sync::mpsc::channel();
            let person: Person = self.book.person(operator);
            let _ = self.ledger.send(Job::Intend(Intent::Open(person, at.clone()), done));
        }
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
                drop(tokio::task::spawn_blocking(move || {
                    if let Err(error) = capsules.launch(app) {
                        let _ = post.send(Inbox::News(CapsuleNews::AppFailed(app, error.to_string())));
                    }
                }));
            }
            AppWish::Close(window) => drop(tokio::task::spawn_blocking(move || capsules.close(window))),
            AppWish::Raise(window) => drop(tokio::task::spawn_blocking(move || capsules.raise(window))),
        }
    }

    pub(super) fn set_pin(&mut self, turn: Turn, operator: crate::handoff::OperatorId) {
        let second = self.pad.take();
        let first = self.first_pin.take().unwrap_or_default();
        if !first.same_as(&second) {
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

    /// Does something that takes time, and posts what comes of it.
    pub(super) fn work(&self, job: impl FnOnce() -> Inbox + Send + 'static) {
        let post = self.post.clone();
        drop(tokio::task::spawn_blocking(move || {
            let _ = post.send(job());
        }));
    }

    /// The same, once the intent is durable (or the disk has had its chance).
    pub(super) fn after_intent(&self, intent: Intent, job: impl FnOnce() -> Inbox + Send + 'static) {
        let (done, durable) = std::sync::mpsc::channel();
        let _ = self.ledger.send(Job::Intend(intent, done));
        self.work(move || {
            let _ = durable.recv_timeout(INTENT_PATIENCE);
            job()
        });
    }

    pub(super) fn append(&self, turn: Option<Turn>, entry: Entry) {
        let _ = self.ledger.send(Job::Append(turn, Box::new(entry)));
    }

    /// Waits until the ledger's thread has done all that it was given.
    pub(super) fn flush(self) {
        let (done, all) = std::sync::mpsc::channel();
        let _ = self.ledger.send(Job::Intend(Intent::Look, done));
        let _ = all.recv_timeout(Duration::from_secs(2));
    }
}

/// The thread through which every entry and intent goes, in order.
pub(super) fn ledger_thread(
    ports: &Ports,
    post: mpsc::UnboundedSender<Inbox>,
) -> std::sync::mpsc::Sender<Job> {
    let (jobs, queue) = std::sync::mpsc::channel();
    let ledger = Arc::clone(&ports.ledger);
    drop(std::thread::spawn(move || {
        for job in queue {
            match job {
                Job::Append(turn, entry) => {
                    let written = ledger.append(&entry);
                    if let Some(turn) = turn {
                        let _ = post.send(Inbox::Written(turn, written));
                    } else if let Err(error) = written {
                        tracing::error!(%error, "failed to write an entry");
                    }
                }
                Job::Tell(entry) => {
                    let _ = post.send(Inbox::Told(ledger.append(&entry)));
                }
                Job::Intend(intent, done) => {
                    if let Err(error) = ledger.intend(intent) {
                        tracing::error!(%error, "failed to write an intent");
                    }
                    let _ = done.send(());
                }
            }
        }
    }));
    jobs
}
