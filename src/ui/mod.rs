//! The screens: they are shown a [`Scene`] and send [`Wish`]es, and decide nothing.
//!
//! One fullscreen window. Each screen of `screen/` is a pure function of its part of the scene.
//! A digit of a PIN goes from the key straight into the [`PinPad`]; no message prints it, no widget
//! keeps it. Nothing is drawn again unless something on the screen changes: each screen says when it
//! next looks different, and one alarm is set for that moment.
//!
//! Reading order: this file, [`screen`], then [`parts`] (what screens are made of), [`theme`],
//! [`words`].

#![forbid(unsafe_code)]

pub mod icon;
pub mod keypad;
pub mod keys;
pub mod log;
mod log_keys;
pub mod parts;
pub mod run;
pub mod screen;
pub mod theme;
pub mod words;

pub use log::{Log, LogMessage};
pub use run::run;

use std::time::{Duration, Instant};

use iced::widget::{operation, qr_code, scrollable};
use iced::{Element, Size, Subscription, Task, window};
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use crate::driver::Wish;
use crate::driver::scene::{Phase, Scene};
use crate::pin::{PinKey, PinPad};
use parts::Look;
use run::{Scenes, alarm};
use theme::Colours;

/// The longest reason that can be typed, in characters.
const REASON: usize = 80;
/// More than a block of the queue through which messages come.
const QUEUED: usize = 32;

/// What happens on the screens. No message tells a digit: [`PinKey`] prints as a dot.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The moment has come at which the screen looks different.
    Alarm(Instant),
    /// The window has a native id.
    Attached(u64),
    /// Type a reason for emergency access, or leave that.
    Draft(bool),
    /// The reason is typed.
    DraftDone,
    /// The PIN in the pad is whole.
    Enter,
    /// The keyboard moves or presses.
    Go(Go),
    /// Something of the handoff log's view.
    Log(LogMessage),
    /// A letter of a reason. Never a digit of a PIN: those are [`Message::Pad`].
    Letter(char),
    /// An entry of the log is opened, or closed when it is open.
    Open(u64),
    /// Nothing: it takes the place of a key that was pressed, in the toolkit's memory.
    Nothing,
    /// The window is there.
    Opened(window::Id),
    /// The driver has ended.
    Over,
    /// A key of the PIN pad.
    Pad(PinKey),
    /// The window has another size: a monitor came or went.
    Resized(Size),
    /// A new scene, and when it came.
    Shown(Box<Scene>, Instant),
    /// Something is wished.
    Wish(Wish),
}

/// What the keyboard does beside digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// One step back: cancel, close.
    Back,
    /// Down.
    Down,
    /// To the first.
    First,
    /// To the last.
    Last,
    /// Left.
    Left,
    /// To the next.
    Next,
    /// A page down.
    PageDown,
    /// A page up.
    PageUp,
    /// Press what has the focus, or the primary action.
    Press,
    /// Press what has the focus.
    PressFocused,
    /// To the one before.
    Previous,
    /// Right.
    Right,
    /// Up.
    Up,
}

impl Message {
    /// The name of the place on the screen that sends this message. The keys of the pad have names
    /// too: which keys there are is no secret, which were pressed is.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Pad(PinKey::Digit(digit)) => format!("key {digit}"),
            Self::Pad(PinKey::Erase) => "key erase".to_owned(),
            Self::Alarm(_)
            | Self::Attached(_)
            | Self::Draft(_)
            | Self::DraftDone
            | Self::Enter
            | Self::Go(_)
            | Self::Letter(_)
            | Self::Log(_)
            | Self::Nothing
            | Self::Open(_)
            | Self::Opened(_)
            | Self::Over
            | Self::Resized(_)
            | Self::Shown(..)
            | Self::Wish(_) => format!("{self:?}"),
        }
    }
}

/// The state of the screens.
pub struct App {
    scene: Scene,
    came: Instant,
    now: Instant,
    wishes: mpsc::UnboundedSender<Wish>,
    pad: PinPad,
    size: Size,
    zone: TimeZone,
    colours: Colours,
    focus: Option<Message>,
    log: Log,
    draft: Option<String>,
    held: Option<(String, qr_code::Data)>,
    scenes: Option<Scenes>,
    turned: bool,
}

impl App {
    /// The screens, showing this scene, which came `now`.
    #[must_use]
    pub fn new(
        scene: Scene,
        now: Instant,
        wishes: mpsc::UnboundedSender<Wish>,
        pad: PinPad,
        size: Size,
        zone: TimeZone,
    ) -> Self {
        let colours = Colours::of(scene.station.look);
        let mut log = Log::default();
        log.follow(log_of(&scene), &zone);
        let held = held_of(&scene).and_then(coded);
        let (draft, focus, scenes, turned) = (None, None, None, false);
        Self {
            scene,
            came: now,
            now,
            wishes,
            pad,
            size,
            zone,
            colours,
            focus,
            log,
            draft,
            held,
            scenes,
            turned,
        }
    }

    /// Takes a message.
    pub fn update(&mut self, message: Message) -> Task<Message> {
        match message {
            Message::Alarm(now) => self.now = now.max(self.came),
            Message::Attached(window) => self.wish(Wish::Attach(window)),
            Message::Draft(open) => {
                self.draft = open.then(String::new);
                self.focus = None;
            }
            Message::DraftDone => self.draft_done(),
            Message::Enter => self.enter(),
            Message::Go(go) => return self.go(go),
            Message::Letter(letter) => self.letter(letter),
            Message::Log(message) => {
                self.log_message(message);
                return self.controls_again();
            }
            Message::Open(index) => {
                let wish = self.log.toggle(index);
                self.wish(Wish::Log(wish));
                self.focus = None;
                self.ask_log();
                return Task::batch([log_keys::to_the_top(), self.controls_again()]);
            }
            Message::Nothing => {}
            Message::Opened(window) => return window::raw_id::<Message>(window).map(Message::Attached),
            Message::Over => return iced::exit(),
            Message::Pad(key) => self.press(key),
            Message::Resized(size) => {
                self.size = size;
                self.ask_log();
            }
            Message::Shown(scene, came) => return self.show(*scene, came),
            Message::Wish(wish) => {
                // Whoever touches has no need of the ring.
                self.focus = None;
                self.wish(wish);
            }
        }
        Task::none()
    }

    /// The screen as it is now.
    #[must_use]
    pub fn view(&self) -> Element<'_, Message> {
        screen::view(self.look())
    }

    /// The same for the shell's one window.
    fn view_in(&self, _: window::Id) -> Element<'_, Message> {
        self.view()
    }

    /// The theme of the station's look.
    #[must_use]
    pub fn theme(&self) -> iced::Theme {
        theme::theme(self.colours)
    }

    /// What the keyboard can reach on this screen, in reading order.
    #[must_use]
    pub fn stops(&self) -> Vec<Message> {
        screen::stops(self.look())
    }

    /// What has the keyboard's focus.
    #[must_use]
    pub fn focus(&self) -> Option<&Message> {
        self.focus.as_ref()
    }

    /// What the screens listen to: scenes, the keyboard, and one alarm when one is needed.
    pub fn subscription(&self) -> Subscription<Message> {
        let alarm = self.next_change().map(|at| Subscription::run_with(at, alarm));
        let scenes = self.scenes.clone().map(|scenes| Subscription::run_with(scenes, Scenes::stream));
        let keys = iced::keyboard::listen().filter_map(|event| keys::meaning(&event));
        let sizes = window::resize_events().map(|(_, size)| Message::Resized(size));
        Subscription::batch([Some(keys), Some(sizes), scenes, alarm].into_iter().flatten())
    }

    /// When the screen next looks different by itself. `None` while it stands still.
    #[must_use]
    pub fn next_change(&self) -> Option<Instant> {
        let look = self.look();
        let minute = || {
            let into = u64::try_from(look.utc_ms.rem_euclid(60_000)).unwrap_or(0);
            Some(look.now_ms + 60_000 - into)
        };
        let now = look.now_ms;
        let (clock, own) = match &self.scene.phase {
            Phase::Attended(scene) => (None, screen::attended::next_change(scene, now)),
            Phase::Challenge(pin) => (minute(), screen::challenge::next_change(pin, now)),
            Phase::CleanUp(scene) => (minute(), screen::clean_up::next_change(scene, now)),
            Phase::Drill(_) | Phase::OutOfService(_) | Phase::Vacant(_) => (minute(), None),
            Phase::Quarantine(scene) => (minute(), screen::quarantine::next_change(scene, now)),
        };
        let next = [clock, own].into_iter().flatten().min()?;
        Some(self.came + Duration::from_millis(next.saturating_sub(self.scene.now_ms)))
    }

    fn look(&self) -> Look<'_> {
        let passed = self.now.saturating_duration_since(self.came).as_millis();
        let passed = u64::try_from(passed).unwrap_or(0);
        Look {
            scene: &self.scene,
            now_ms: self.scene.now_ms.saturating_add(passed),
            utc_ms: self.scene.utc_ms.saturating_add_unsigned(passed),
            zone: &self.zone,
            colours: self.colours,
            size: self.size,
            scale: theme::scale(self.size),
            focus: self.focus.as_ref(),
            typed: self.pad.len(),
            log: &self.log,
            draft: self.draft.as_deref(),
            held: self.held.as_ref().map(|(_, data)| data),
        }
    }

    fn wish(&self, wish: Wish) {
        // A driver that has ended hears nothing; the window is about to close then.
        let _ = self.wishes.send(wish);
    }

    fn show(&mut self, scene: Scene, came: Instant) -> Task<Message> {
        let asks = |scene: &Scene| screen::asked(&scene.phase).map(|pin| pin.ask);
        let typed = asks(&self.scene).is_some() && asks(&self.scene) != asks(&scene);
        let asked = |scene: &Scene| screen::asked(&scene.phase).map(|pin| pin.name.clone());
        if asked(&self.scene) != asked(&scene) {
            // Whatever was typed until now was typed for somebody who is not asked any more: keys that
            // came late, after the driver had wiped the pad.
            self.pad.wipe();
        }
        self.colours = Colours::of(scene.station.look);
        self.log.follow(log_of(&scene), &self.zone);
        if screen::asked(&scene.phase).is_none_or(|pin| pin.emergency.is_none()) {
            self.draft = None;
        }
        let held = held_of(&scene);
        if self.held.as_ref().map(|(line, _)| line.as_str()) != held {
            self.held = held.and_then(coded);
        }
        self.turned ^= screen::which(&self.scene.phase) != screen::which(&scene.phase);
        self.scene = scene;
        self.came = came;
        self.now = came;
        self.log_arrived();
        if self.focus.as_ref().is_some_and(|focus| !self.stops().contains(focus)) {
            self.focus = None;
        }
        self.ask_log();
        if typed { forget_keys() } else { Task::none() }
    }

    /// A key of the pad: it counts only while a PIN is asked for.
    fn press(&mut self, key: PinKey) {
        if self.reads_log() {
            return match key {
                PinKey::Erase => self.log_erase(),
                // Digits of a search or a note are no secret.
                PinKey::Digit(digit) => self.letter(char::from(b'0' + digit.min(9))),
            };
        }
        if let Some(draft) = &mut self.draft {
            match key {
                PinKey::Erase => drop(draft.pop()),
                // Digits of a reason are no secret.
                PinKey::Digit(digit) => self.letter(char::from(b'0' + digit.min(9))),
            }
            return;
        }
        let now = self.look().now_ms;
        let Some(pin) = screen::asked(&self.scene.phase).filter(|pin| keypad::takes_digits(pin, now)) else {
            return;
        };
        let (least, most) = pin.digits;
        if key != PinKey::Erase && self.pad.len() >= usize::from(most) {
            return;
        }
        self.pad.press(key);
        // Where every PIN has the same length, the last digit is enough.
        if least == most && key != PinKey::Erase && self.pad.len() == usize::from(most) {
            self.wish(Wish::PinEntered);
        }
    }

    fn enter(&mut self) {
        let now = self.look().now_ms;
        let whole = screen::asked(&self.scene.phase).is_some_and(|pin| {
            keypad::takes_digits(pin, now) && keypad::is_whole(self.pad.len(), pin.digits)
        });
        if whole {
            self.wish(Wish::PinEntered);
        }
    }

    /// A letter counts only while a reason is typed.
    fn letter(&mut self, letter: char) {
        if self.reads_log() {
            return self.log_letter(letter);
        }
        if let Some(draft) = self.draft.as_mut().filter(|draft| draft.chars().count() < REASON) {
            draft.push(letter);
        }
    }

    fn draft_done(&mut self) {
        if let Some(draft) = self.draft.take_if(|draft| !draft.trim().is_empty()) {
            self.focus = None;
            self.wish(Wish::Reason(draft));
        }
    }

    fn go(&mut self, go: Go) -> Task<Message> {
        if self.reads_log()
            && let Some(task) = self.log_go(go)
        {
            return task;
        }
        match go {
            Go::Next | Go::Right => self.step(1),
            Go::Previous | Go::Left => self.step(-1),
            Go::Down => self.step(self.line()),
            Go::Up => self.step(-self.line()),
            Go::PageDown => return self.page(1.0),
            Go::PageUp => return self.page(-1.0),
            Go::First => self.focus = self.stops().first().cloned(),
            Go::Last => self.focus = self.stops().last().cloned(),
            Go::Press => return self.activate(true),
            Go::PressFocused if self.draft.is_some() && self.focus.is_none() => self.letter(' '),
            Go::PressFocused => return self.activate(false),
            Go::Back => self.back(),
        }
        self.scroll_to_focus()
    }

    /// Moves what scrolls by half a screen.
    fn page(&self, by: f32) -> Task<Message> {
        let which = match (log_of(&self.scene), self.log.open) {
            (Some(_), Some(_)) if self.log.menu.is_none() => screen::handoff_log::ENTRY,
            (Some(_) | None, _) => screen::PAGE,
        };
        let offset = scrollable::AbsoluteOffset { x: 0.0, y: by * self.size.height / 2.0 };
        operation::scroll_by(which, offset)
    }

    /// How many stops a step up or down is: a row of tiles on the launcher.
    fn line(&self) -> isize {
        match (&self.scene.phase, &self.focus) {
            (Phase::Attended(scene), Some(Message::Wish(Wish::Launch(_) | Wish::Raise(_))))
                if scene.launcher && scene.log.is_none() && scene.warning.is_none() =>
            {
                isize::try_from(screen::launcher::columns(self.look())).unwrap_or(1)
            }
            _ => 1,
        }
    }

    fn step(&mut self, by: isize) {
        let stops = self.stops();
        let Some(last) = stops.len().checked_sub(1) else {
            self.focus = None;
            return;
        };
        let place = self.focus.as_ref().and_then(|focus| stops.iter().position(|stop| stop == focus));
        let next = match place {
            None if by > 0 => 0,
            None => last,
            // One step goes around, a larger one stops at the end.
            Some(place) if by == 1 && place == last => 0,
            Some(0) if by == -1 => last,
            Some(place) => place.saturating_add_signed(by).min(last),
        };
        self.focus = stops.get(next).cloned();
    }

    fn activate(&mut self, primary: bool) -> Task<Message> {
        let focused = self.focus.clone().filter(|focus| self.stops().contains(focus));
        let message = focused.or_else(|| primary.then(|| self.primary()).flatten());
        let Some(message) = message else {
            return Task::none();
        };
        let kept = self.focus.clone();
        let task = self.update(message);
        // Unlike a finger, the keyboard keeps its place.
        self.focus = kept.filter(|focus| self.stops().contains(focus));
        task
    }

    /// What Enter means when nothing has the focus.
    fn primary(&self) -> Option<Message> {
        if let Phase::Attended(scene) = &self.scene.phase {
            if scene.warning.is_some() {
                return Some(Message::Wish(Wish::Stay));
            }
            return match (&scene.pin_again, self.log.opened()) {
                (Some(_), _) => Some(Message::Enter),
                // Nothing is pressed there unless it is meant.
                (None, _) if scene.afresh => None,
                (None, _) if self.log.note.is_some() => Some(Message::Log(LogMessage::NoteDone)),
                (None, _) if self.reads_log() && self.log.menu.is_none() && !self.log.on_controls() => {
                    self.log.at(self.log.top).map(|shown| Message::Open(shown.written.index))
                }
                (None, _) => None,
            };
        }
        if self.draft.is_some() {
            return Some(Message::DraftDone);
        }
        let pin = screen::asked(&self.scene.phase)?;
        pin.emergency.as_ref().is_none_or(|emergency| emergency.reason.is_some()).then_some(Message::Enter)
    }

    fn back(&mut self) {
        if self.draft.take().is_some() {
            return;
        }
        if screen::asked(&self.scene.phase).is_some() {
            return self.wish(Wish::Cancel);
        }
        if matches!(&self.scene.phase, Phase::Vacant(scene) if scene.drilled.is_some()) {
            return self.wish(Wish::DrillSeen);
        }
        let Phase::Attended(scene) = &self.scene.phase else {
            return;
        };
        if scene.warning.is_some() {
            self.wish(Wish::Stay);
        } else if scene.afresh {
            self.wish(Wish::Afresh(false));
        } else if scene.before_open {
            self.wish(Wish::Receipt(false));
        } else if scene.log.is_some() {
            self.log_back();
        } else if scene.fresh.is_some() {
            // What is told of the clean-up before is dismissed.
            self.wish(Wish::Receipt(false));
        } else if scene.launcher && !scene.windows.is_empty() {
            self.wish(Wish::Launcher(false));
        }
    }

    /// Moves what scrolls so that the focus is seen.
    fn scroll_to_focus(&self) -> Task<Message> {
        let (Phase::Attended(scene), Some(focus)) = (&self.scene.phase, &self.focus) else {
            return Task::none();
        };
        let to =
            |which, top| operation::scroll_to(which, scrollable::AbsoluteOffset { x: None, y: Some(top) });
        let look = self.look();
        if let Message::Log(LogMessage::Exception(place, _)) = focus {
            return self.scroll_controls(*place);
        }
        if scene.log.is_none() && screen::launcher::stops(scene).contains(focus) {
            to(screen::PAGE, screen::launcher::top_of(look, scene, focus))
        } else {
            Task::none()
        }
    }
}

/// What of an emergency session's opening could not be written.
fn held_of(scene: &Scene) -> Option<&str> {
    match &scene.phase {
        Phase::Attended(attended) => attended.held.as_deref(),
        Phase::Challenge(_)
        | Phase::CleanUp(_)
        | Phase::Drill(_)
        | Phase::OutOfService(_)
        | Phase::Quarantine(_)
        | Phase::Vacant(_) => None,
    }
}

/// A line with its code for a phone.
fn coded(line: &str) -> Option<(String, qr_code::Data)> {
    Some((line.to_owned(), qr_code::Data::new(line).ok()?))
}

/// What comes from the keyboard goes to the screens through a queue that leaves each message where it
/// stood until its place, among 31 of a block, is given back with the block. So many others push the
/// keys of a PIN out of it.
fn forget_keys() -> Task<Message> {
    Task::batch((0..QUEUED).map(|_| Task::done(Message::Nothing)))
}

pub(crate) fn log_of(scene: &Scene) -> Option<&crate::driver::scene::LogScene> {
    match &scene.phase {
        Phase::Attended(attended) => attended.log.as_deref(),
        Phase::Challenge(_)
        | Phase::CleanUp(_)
        | Phase::Drill(_)
        | Phase::OutOfService(_)
        | Phase::Quarantine(_)
        | Phase::Vacant(_) => None,
    }
}
