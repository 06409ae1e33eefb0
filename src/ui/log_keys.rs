//! The handoff log by keyboard, wheel and touch: what each does to the view, and what it asks for.

use iced::Task;
use iced::widget::operation;
use iced::widget::scrollable::{AbsoluteOffset, RelativeOffset};

use super::log::{Choice, LogMessage, Page, day_of};
use super::{App, Go, Message, log_of, screen};
use crate::driver::Wish;
use crate::driver::scene::{LogWish, Phase};

impl App {
    /// Whether keys go to the log: it is in front, and nothing stands before it.
    pub(super) fn reads_log(&self) -> bool {
        match &self.scene.phase {
            Phase::Attended(scene) => {
                scene.log.is_some()
                    && scene.warning.is_none()
                    && scene.pin_again.is_none()
                    && !scene.before_open
                    && !scene.afresh
            }
            Phase::Challenge(_)
            | Phase::CleanUp(_)
            | Phase::Drill(_)
            | Phase::OutOfService(_)
            | Phase::Quarantine(_)
            | Phase::Vacant(_) => false,
        }
    }

    fn log_rows(&self) -> u64 {
        screen::handoff_log::rows(self.look())
    }

    /// Asks for what the view needs and does not have yet.
    pub(super) fn ask_log(&mut self) {
        if log_of(&self.scene).is_none() {
            return;
        }
        let (rows, utc_ms) = (self.log_rows(), self.look().utc_ms);
        for wish in self.log.needs(rows, utc_ms, &self.zone) {
            self.wish(wish);
        }
    }

    /// Rows have come: one of them may have waited to have the focus.
    pub(super) fn log_arrived(&mut self) {
        let rows = self.log_rows();
        if let Some(number) = self.log.arrived(rows) {
            self.focus = Some(Message::Open(number));
        }
    }

    fn search(&mut self) {
        let wish = self.log.asked();
        self.focus = None;
        self.wish(Wish::Log(wish));
        if self.log.controls.is_some_and(|page| page.between != self.log.filter.day) {
            self.ask_controls();
        }
    }

    /// The controls are told for the day that is chosen, and for all entries where none is.
    fn ask_controls(&mut self) {
        let between = self.log.filter.day;
        self.log.controls = Some(Page { between, left: None });
        self.wish(Wish::Log(LogWish::Controls(between)));
    }

    /// The page of controls comes, or is come back to, or goes.
    fn controls(&mut self, there: bool) {
        let log = &mut self.log;
        (log.menu, log.note, log.keyboard, log.caret) = (None, None, false, false);
        self.focus = None;
        if log.open.take().is_some() {
            self.wish(Wish::Log(LogWish::Shut));
        }
        if !there {
            self.log.controls = None;
            self.wish(Wish::Log(LogWish::ControlsShut));
        } else if self.log.controls.is_none() {
            self.ask_controls();
        }
    }

    /// Where the page of controls is shown again after an entry, it stands where it was left.
    pub(super) fn controls_again(&mut self) -> Task<Message> {
        if !self.log.on_controls() {
            return Task::none();
        }
        let left = self.log.controls.as_mut().and_then(|page| page.left.take());
        left.map_or_else(Task::none, |(place, _)| self.scroll_controls(place))
    }

    /// How far down the page of controls the button of this exception stands, in pixels.
    #[must_use]
    pub fn top_of_exception(&self, place: u32) -> Option<f32> {
        screen::log_controls::top_of(self.look(), log_of(&self.scene)?, place)
    }

    /// Scrolls so that this exception is seen, with what it is an exception to.
    pub(super) fn scroll_controls(&self, place: u32) -> Task<Message> {
        let Some(top) = self.top_of_exception(place) else { return Task::none() };
        let y = (top - self.size.height / 3.0).max(0.0);
        operation::scroll_to(screen::handoff_log::CONTROLS, AbsoluteOffset { x: None, y: Some(y) })
    }

    pub(super) fn log_message(&mut self, message: LogMessage) {
        if !self.reads_log() {
            return;
        }
        let rows = self.log_rows();
        match message {
            LogMessage::Choose(choice) => {
                self.log.menu = None;
                let filter = &mut self.log.filter;
                match choice {
                    Choice::Cause(cause) => filter.cause = cause,
                    Choice::Day(day) => filter.day = day,
                    Choice::Kind(place) => filter.kinds = place,
                    Choice::Operator(key) => filter.operator = key,
                    Choice::Verdict(verdict) => filter.verdict = verdict,
                    Choice::Export(medium) => {
                        self.focus = None;
                        return self.wish(Wish::Log(LogWish::Export(medium)));
                    }
                }
                self.search();
            }
            LogMessage::Controls(there) => self.controls(there),
            LogMessage::Exception(place, number) => {
                if let Some(page) = &mut self.log.controls {
                    page.left = Some((place, number));
                    self.focus = None;
                    let wish = self.log.toggle(number);
                    self.wish(Wish::Log(wish));
                }
            }
            LogMessage::Keyboard(there) => {
                self.log.keyboard = there && !self.log.keyboard;
                self.log.caret = self.log.keyboard;
                self.focus = None;
                if self.log.open.take().is_some() {
                    self.wish(Wish::Log(LogWish::Shut));
                }
            }
            LogMessage::Menu(menu) => {
                self.log.menu = menu;
                self.log.keyboard = false;
                self.focus = None;
            }
            LogMessage::Note(there) => {
                self.log.note = there.then(String::new);
                self.focus = None;
            }
            LogMessage::NoteDone => {
                if let (Some(note), Some(number)) =
                    (self.log.note.take_if(|note| !note.trim().is_empty()), self.log.open)
                {
                    self.focus = None;
                    self.wish(Wish::Log(LogWish::Note(number, note)));
                }
            }
            LogMessage::Scroll(by) => self.log.scroll(by, rows),
            LogMessage::Seek(part) => {
                let last = self.log.last_top(rows);
                self.log.top =
                    (last / 1000 * u64::from(part) + last % 1000 * u64::from(part) / 1000).min(last);
                self.focus = None;
            }
            LogMessage::Turn(days) => self.turn(days),
        }
        self.ask_log();
    }

    /// The day before or after; where none was chosen, the day that is shown, and from there on.
    fn turn(&mut self, days: i8) {
        let shown = self.log.filter.day;
        let Some((from, until)) = shown.or_else(|| self.log.day()) else { return };
        const HALF: i64 = 12 * 3_600_000;
        let moment = match (shown, days) {
            (None, _) => from,
            (Some(_), ..0) => from - HALF,
            (Some(_), _) => until + HALF,
        };
        self.log.filter.day = day_of(moment, &self.zone);
        self.search();
    }

    pub(super) fn log_letter(&mut self, letter: char) {
        if self.log.menu.is_none() && !self.log.on_controls() && self.log.letter(letter) {
            self.search();
        }
        self.ask_log();
    }

    pub(super) fn log_erase(&mut self) {
        if self.log.menu.is_none() && !self.log.on_controls() && self.log.erase() {
            self.search();
        }
        self.ask_log();
    }

    /// What a key that moves does to the list; `None` where it does what it does everywhere.
    pub(super) fn log_go(&mut self, go: Go) -> Option<Task<Message>> {
        let log = &self.log;
        if log.menu.is_some() || log.note.is_some() {
            let types = go == Go::PressFocused && log.note.is_some() && self.focus.is_none();
            return types.then(|| {
                self.log_letter(' ');
                Task::none()
            });
        }
        if log.on_controls() {
            return self.go_on_controls(go);
        }
        let rows = self.log_rows();
        let here = match &self.focus {
            None => None,
            Some(Message::Open(number)) => log.place_of(*number),
            // Another place has the focus: up and down go from one to the next there.
            Some(_) if matches!(go, Go::Up | Go::Down | Go::PressFocused) => return None,
            Some(_) => None,
        };
        let page = rows.max(2) - 1;
        let to = match go {
            Go::Down => here.map_or(log.top, |place| place + 1),
            Go::Up => here.map_or(log.top, |place| place.saturating_sub(1)),
            Go::PageDown | Go::PageUp if log.open.is_some() => return None,
            Go::PageDown => here.map_or(log.top + rows, |place| place + page),
            Go::PageUp => here.map_or(log.top.saturating_sub(page), |place| place.saturating_sub(page)),
            Go::First => 0,
            Go::Last => log.count.saturating_sub(1),
            Go::PressFocused if self.focus.is_none() && log.caret => {
                self.log_letter(' ');
                return Some(Task::none());
            }
            Go::Back | Go::Left | Go::Next | Go::Press | Go::PressFocused | Go::Previous | Go::Right => {
                return None;
            }
        };
        if log.count > 0 {
            self.focus = self.log.show(to, rows).map(Message::Open);
            self.ask_log();
        }
        Some(Task::none())
    }

    /// On the page of controls the keys that move scroll; Tab goes from one exception to the next.
    fn go_on_controls(&self, go: Go) -> Option<Task<Message>> {
        const PAGE: &str = screen::handoff_log::CONTROLS;
        let (row, page) = (self.size.height / 10.0, self.size.height / 2.0);
        let by = |y| operation::scroll_by(PAGE, AbsoluteOffset { x: 0.0, y });
        Some(match go {
            Go::Down => by(row),
            Go::Up => by(-row),
            Go::PageDown => by(page),
            Go::PageUp => by(-page),
            Go::First => operation::snap_to(PAGE, RelativeOffset { x: None, y: Some(0.0) }),
            Go::Last => operation::snap_to(PAGE, RelativeOffset { x: None, y: Some(1.0) }),
            Go::Back | Go::Left | Go::Next | Go::Press | Go::PressFocused | Go::Previous | Go::Right => {
                return None;
            }
        })
    }

    /// One step back: the note, the choice, the keyboard, the entry, the controls, the search, the log.
    pub(super) fn log_back(&mut self) {
        let log = &mut self.log;
        if log.note.take().is_some() || log.menu.take().is_some() {
            self.focus = None;
        } else if log.keyboard {
            (log.keyboard, log.caret) = (false, false);
        } else if let Some(number) = log.open.take() {
            // From the controls it was opened, and to them it goes back.
            let left = log.controls.as_mut().and_then(|page| page.left.take());
            self.focus = Some(left.map_or(Message::Open(number), |(place, number)| {
                Message::Log(LogMessage::Exception(place, number))
            }));
            self.wish(Wish::Log(LogWish::Shut));
        } else if log.controls.is_some() {
            self.controls(false);
        } else if log.caret || !log.filter.text.is_empty() {
            log.caret = false;
            if !std::mem::take(&mut log.filter.text).is_empty() {
                self.search();
            }
        } else {
            self.wish(Wish::CloseLog);
        }
        self.ask_log();
    }
}

/// What scrolls an entry to its beginning.
pub(super) fn to_the_top() -> Task<Message> {
    operation::scroll_to(screen::handoff_log::ENTRY, AbsoluteOffset { x: None, y: Some(0.0) })
}
