//! The handoff log on the screen: found, read and checked beside everything else, and only for a
//! supervisor who has it open; and the receipt of the handoff before a session, for whoever works in it.

use std::sync::Arc;

use crate::handoff::station::LogView;
use crate::handoff::{Operator, Station};
use crate::ports::controls::Controls;
use crate::ports::{Body, Day, Entry, Found, Note, Noted, Numbers, PortError, Question, Result, Written};

use super::Driver;
use super::PRUNE_EVERY;
use super::inbox::Inbox;
use super::scene::{ControlsScene, LogScene, LogWish, OpenScene};

/// How long a verification is waited for before another is begun, milliseconds.
const VERIFYING: u64 = 60_000;
/// The most entries that are read at a time.
const ROWS: u64 = 200;
/// The longest note, in characters.
const NOTE: usize = 500;
/// The longest text that is searched for, in characters.
const TEXT: usize = 120;

/// The log while it is read.
pub(super) struct Reading {
    pub(super) scene: LogScene,
    /// Whether there is anything to be shown yet: an empty list that is drawn first only makes whoever waits
    /// wait longer.
    pub(super) ready: bool,
    numbers: Numbers,
    /// The newest of each sort of question: an older answer is not waited for any more.
    find: u64,
    rows: u64,
    day: u64,
    /// The newest question for the controls. Whoever reads the entries for it gives up once this is gone.
    controls: Option<(u64, Arc<()>)>,
}

/// A copy of the log that is about to be taken.
#[derive(Clone)]
pub(super) struct Copy {
    numbers: Numbers,
    medium: String,
    name: String,
}

/// What comes back from reading the log.
#[derive(Clone)]
pub(super) enum LogNews {
    /// Whether the receipt before this session holds.
    BeforeChecked(u64, Result<std::result::Result<u64, String>>),
    /// Which controls the entries are evidence for.
    Controls(u64, Result<Option<Arc<Controls>>>),
    /// So many entries of so many were read for that.
    ControlsRead(u64, u64, u64),
    /// Whether the entry that is open holds.
    Checked(u64, Result<std::result::Result<u64, String>>),
    /// What a stretch of time was like.
    Day(u64, Result<Option<Day>>),
    /// A copy was taken.
    Exported(Result<String>),
    /// Entries were found.
    Found(u64, Result<Option<Found>>),
    /// Where a copy may go.
    Media(Result<Vec<String>>),
    /// A note is written, or is not.
    Noted(Result<Written>),
    /// The entry that is open, and what was written about it.
    Opened(u64, Result<(Option<Written>, Vec<Written>)>),
    /// That a copy is about to be taken is on record, or is not.
    Recorded(Copy, Result<Written>),
    /// A part of the list, from this place on.
    Rows(u64, u64, Result<Vec<Written>>),
}

impl Driver {
    /// The supervisor who reads the log just now.
    fn reads_log(&self) -> Option<Operator> {
        match &self.station {
            Some(Station::Attended(attended))
                if attended.log == LogView::Open
                    && attended.operator.supervisor
                    && self.settings.rules.supervisors.read_log =>
            {
                Some(attended.operator)
            }
            Some(
                Station::Attended(_)
                | Station::Challenge(_)
                | Station::CleanUp(_)
                | Station::Drill(_)
                | Station::Quarantine(_)
                | Station::Vacant(_),
            )
            | None => None,
        }
    }

    pub(super) fn log_changed(&mut self) {
        let open = self.reads_log().is_some();
        if open && self.log.is_none() {
            self.log = Some(Reading {
                scene: LogScene { drill: self.settings.rules.supervisors.drill, ..LogScene::default() },
                ready: false,
                numbers: Numbers::All(0),
                find: 0,
                rows: 0,
                day: 0,
                controls: None,
            });
            self.find(Question::default());
        } else if !open {
            self.log = None;
        }
    }

    /// What a supervisor wishes of the log that she has open; anybody else's wish is nothing.
    pub(super) fn log_wish(&mut self, wish: LogWish) {
        let Some(operator) = self.reads_log() else { return };
        match wish {
            LogWish::Controls(between) => self.controls(between),
            LogWish::ControlsShut => {
                if let Some(log) = &mut self.log {
                    (log.controls, log.scene.controls) = (None, None);
                }
            }
            LogWish::Find(question) => self.find(question),
            LogWish::Rows(from) => self.rows(from),
            LogWish::Day(from, until) => self.day(from, until),
            LogWish::Open(number) => self.open_entry(number),
            LogWish::Shut => {
                if let Some(log) = &mut self.log {
                    log.scene.open = None;
                }
            }
            LogWish::Note(about, text) => {
                let text = one_line(&text, NOTE);
                let what = if text.is_empty() { Note::Attested } else { Note::Annotated };
                self.note(Noted { what, by: self.book.operator(operator), about: Some(about), text });
            }
            LogWish::Export(medium) => self.export(&medium, operator),
        }
    }

    /// Once a day, while nobody is here: what is older than the policy keeps it is pruned, step by step.
    pub(super) fn prune(&mut self) {
        let now = self.ports.clock.now();
        if !matches!(self.station, Some(Station::Vacant(_))) || self.prune_after > now {
            return;
        }
        self.prune_after = now.after(PRUNE_EVERY);
        let (ledger, clock) = (self.ports.ledger.clone(), self.ports.clock.clone());
        self.work(move || Inbox::Pruned(ledger.prune(&clock.stamp())));
    }

    pub(super) fn pruned(&mut self, pruned: Result<bool>) {
        match pruned {
            // Goes on at once, or as soon as the station is vacant again.
            Ok(true) => {
                self.prune_after = self.ports.clock.now();
                self.prune();
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "failed to prune the ledger; tried again in a day"),
        }
    }

    fn ticket(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    fn find(&mut self, mut question: Question) {
        question.text = one_line(&question.text, TEXT);
        let ticket = self.ticket();
        let Some(log) = &mut self.log else { return };
        log.find = ticket;
        // Rows that are still being read belong to the list before.
        log.rows = ticket;
        log.scene.question = question.clone();
        log.scene.searching = true;
        let search = self.ports.search.clone();
        self.work(move || Inbox::Log(LogNews::Found(ticket, search.find(&question, ticket))));
    }

    fn rows(&mut self, from: u64) {
        let ticket = self.ticket();
        let Some(log) = &mut self.log else { return };
        log.rows = ticket;
        let numbers = log.numbers.part(from, ROWS);
        let search = self.ports.search.clone();
        self.work(move || Inbox::Log(LogNews::Rows(ticket, from, search.read(&numbers))));
    }

    fn day(&mut self, from: i64, until: i64) {
        let ticket = self.ticket();
        let Some(log) = &mut self.log else { return };
        log.day = ticket;
        let search = self.ports.search.clone();
        self.work(move || Inbox::Log(LogNews::Day(ticket, search.day((from, until), ticket))));
    }

    /// Every entry is read for it, beside everything else.
    fn controls(&mut self, between: Option<(i64, i64)>) {
        let ticket = self.ticket();
        let Some(log) = &mut self.log else { return };
        let asked = Arc::new(());
        let wanted = Arc::downgrade(&asked);
        log.controls = Some((ticket, asked));
        log.scene.controls =
            Some(ControlsScene { between, total: log.scene.total, ..ControlsScene::default() });
        let (search, post) = (self.ports.search.clone(), self.post.clone());
        self.work(move || {
            let told = |read, total| {
                let _ = post.send(Inbox::Log(LogNews::ControlsRead(ticket, read, total)));
                wanted.strong_count() > 0
            };
            let controls = search.controls(between, &told);
            Inbox::Log(LogNews::Controls(ticket, controls.map(|controls| controls.map(Arc::new))))
        });
    }

    fn open_entry(&mut self, number: u64) {
        let Some(log) = &mut self.log else { return };
        let place = log.numbers.place(number);
        log.scene.open = Some(OpenScene { number, place, ..OpenScene::default() });
        let (search, checks) = (self.ports.search.clone(), self.ports.search.clone());
        self.work(move || {
            let read = search.read(&[number]).map(|entries| entries.into_iter().next());
            let both = read.and_then(|entry| Ok((entry, search.notes(number)?)));
            Inbox::Log(LogNews::Opened(number, both))
        });
        self.work(move || Inbox::Log(LogNews::Checked(number, checks.check(number))));
    }

    /// Writes what a supervisor has done with the log, as an entry of its own.
    fn note(&self, noted: Noted) {
        let entry = Entry { at: self.ports.clock.stamp(), body: Body::Noted(noted) };
        let (ledger, post) = (Arc::clone(&self.ports.ledger), self.post.clone());
        self.hands.in_order(Box::new(move || {
            let _ = post.send(Inbox::Log(LogNews::Noted(ledger.append(&entry))));
        }));
    }

    /// Writes what the list has onto a medium. That it goes there is on record before it does.
    fn export(&mut self, medium: &str, operator: Operator) {
        let by = self.book.operator(operator);
        let Some(log) = &mut self.log else { return };
        if !log.scene.media.iter().any(|offered| offered == medium) {
            return;
        }
        log.scene.exported = None;
        let numbers = log.numbers.clone();
        let at = self.ports.clock.stamp();
        let text = format!("{} entries to {medium}", numbers.count());
        let noted = Noted { what: Note::Exported, by, about: None, text };
        let entry = Entry { at: at.clone(), body: Body::Noted(noted) };
        let copy =
            Copy { numbers, medium: medium.to_owned(), name: format!("handoff-log-{}.jsonl", at.utc_ms) };
        let (ledger, post) = (Arc::clone(&self.ports.ledger), self.post.clone());
        self.hands.in_order(Box::new(move || {
            let _ = post.send(Inbox::Log(LogNews::Recorded(copy, ledger.append(&entry))));
        }));
    }

    /// That a copy is taken is on record: now it is, with the checkpoint of that very entry.
    fn copy(&mut self, copy: Copy, recorded: Result<Written>) {
        let checkpoint = match recorded {
            Ok(written) => written.checkpoint,
            Err(error) => return self.log_news(LogNews::Exported(Err(error))),
        };
        let (search, media) = (self.ports.search.clone(), self.ports.media.clone());
        self.work(move || {
            let Copy { numbers, medium, name } = copy;
            let mut place = 0;
            let mut parts = || {
                let part = numbers.part(place, ROWS);
                place += part.len() as u64;
                if part.is_empty() { Ok(Vec::new()) } else { search.read(&part) }
            };
            Inbox::Log(LogNews::Exported(media.export(&medium, &name, &checkpoint, &mut parts)))
        });
    }

    pub(super) fn log_news(&mut self, news: LogNews) {
        if let LogNews::BeforeChecked(number, checked) = news {
            return self.book.before_checked(number, told(checked));
        }
        if let LogNews::Recorded(copy, recorded) = news {
            return self.copy(copy, recorded);
        }
        let Some(log) = &mut self.log else { return };
        let controls = log.controls.as_ref().map(|(ticket, _)| *ticket);
        let scene = &mut log.scene;
        let mut said: Option<PortError> = None;
        let mut began = false;
        match news {
            LogNews::BeforeChecked(..) | LogNews::Recorded(..) => {}
            LogNews::Checked(number, checked) => {
                if let Some(open) = scene.open.as_mut().filter(|open| open.number == number) {
                    open.checked = Some(told(checked));
                }
            }
            LogNews::Controls(ticket, told) if Some(ticket) == controls => {
                let told = match told {
                    Ok(Some(controls)) => Some(Ok(controls)),
                    Ok(None) => None,
                    Err(error) => Some(Err(format!("It failed to {error}."))),
                };
                if let Some(controls) = &mut scene.controls {
                    controls.told = told;
                }
            }
            LogNews::ControlsRead(ticket, read, total) if Some(ticket) == controls => {
                if let Some(controls) = &mut scene.controls {
                    (controls.read, controls.total) = (read, total);
                }
            }
            LogNews::Day(ticket, day) if ticket == log.day => match day {
                Ok(Some(day)) => scene.day = Some(Arc::new(day)),
                Ok(None) => {}
                Err(error) => said = Some(error),
            },
            LogNews::Exported(exported) => {
                scene.exported = Some(exported.map_err(|error| error.to_string()));
            }
            LogNews::Found(ticket, found) if ticket == log.find => match found {
                Ok(Some(found)) => {
                    began = !std::mem::replace(&mut log.ready, true);
                    scene.searching = false;
                    scene.answered = scene.question.clone();
                    scene.count = found.numbers.count();
                    scene.total = found.total;
                    scene.people = found.people;
                    scene.from = 0;
                    scene.entries = found.first;
                    scene.problem = None;
                    log.numbers = found.numbers;
                }
                Ok(None) => {}
                Err(error) => {
                    began = !std::mem::replace(&mut log.ready, true);
                    scene.searching = false;
                    said = Some(error);
                }
            },
            LogNews::Media(media) => scene.media = media.unwrap_or_default(),
            LogNews::Noted(Ok(_)) => {
                if let Some(number) = scene.open.as_ref().map(|open| open.number) {
                    let search = self.ports.search.clone();
                    let question = scene.question.clone();
                    self.work(move || {
                        let read = search.read(&[number]).map(|entries| entries.into_iter().next());
                        let both = read.and_then(|entry| Ok((entry, search.notes(number)?)));
                        Inbox::Log(LogNews::Opened(number, both))
                    });
                    // The list has one entry more.
                    self.find(question);
                }
            }
            LogNews::Noted(Err(error)) => said = Some(error),
            LogNews::Opened(number, read) => {
                if let Some(open) = scene.open.as_mut().filter(|open| open.number == number) {
                    match read {
                        Ok((entry, notes)) => (open.entry, open.notes) = (entry, notes),
                        Err(error) => said = Some(error),
                    }
                }
            }
            LogNews::Rows(ticket, from, rows) if ticket == log.rows => match rows {
                Ok(rows) => (scene.from, scene.entries) = (from, rows),
                Err(error) => said = Some(error),
            },
            // An answer that nobody waits for any more.
            LogNews::Controls(..)
            | LogNews::ControlsRead(..)
            | LogNews::Day(..)
            | LogNews::Found(..)
            | LogNews::Rows(..) => {}
        }
        if let (Some(error), Some(log)) = (said, &mut self.log) {
            log.scene.problem = Some(format!("It failed to {error}."));
        }
        if began {
            self.look_around();
        }
    }

    /// What takes its time begins once the list is on its way to the screen.
    fn look_around(&mut self) {
        let (ledger, media) = (self.ports.ledger.clone(), self.ports.media.clone());
        // A verification that an earlier view has begun and that goes on is this one's too: of a large
        // ledger several at once would take the processors from whoever opens the log again and again.
        let now = self.ports.clock.now();
        if self.verifying.is_none_or(|since| now >= since.after(VERIFYING)) {
            self.verifying = Some(now);
            self.work(move || {
                Inbox::Verified(
                    ledger.verify().unwrap_or_else(|error| Err(format!("it could not be verified: {error}"))),
                )
            });
        }
        self.work(move || Inbox::Log(LogNews::Media(media.mounted())));
        self.ask_pending();
    }

    /// Shows the receipt of the handoff before this session, or puts it away.
    pub(super) fn show_before(&mut self, open: bool) {
        let attended = matches!(&self.station, Some(Station::Attended(_)));
        self.fresh_until = None;
        self.before_open = open && attended && self.book.before.is_some();
        if let (true, Some(before)) = (self.before_open, &self.book.before) {
            let (number, search) = (before.number, self.ports.search.clone());
            self.work(move || Inbox::Log(LogNews::BeforeChecked(number, search.check(number))));
        }
    }
}

fn told(checked: Result<std::result::Result<u64, String>>) -> std::result::Result<u64, String> {
    checked.unwrap_or_else(|error| Err(format!("it could not be checked: failed to {error}")))
}

/// Bounded, in one line.
fn one_line(text: &str, most: usize) -> String {
    let line: String = text.chars().filter(|letter| !letter.is_control()).take(most).collect();
    line.trim().to_owned()
}
