//! The handoff log as it was read, and what its view asks next: each entry is read once, and no more
//! of them than the screen is about to show.

use jiff::tz::TimeZone;

use crate::driver::Wish;
use crate::driver::scene::{LogScene, LogWish, Question, Verdict as Asked, Written};
use crate::evidence::{Receipt, counts, escape, words};

/// So many rows are read ahead of those that are shown.
const AHEAD: u64 = 80;
/// When fewer than so many rows are left beyond those that are shown, more are read.
const FEW: u64 = 24;
/// The longest text that can be searched for, in characters.
const TEXT: usize = 60;
/// The longest note that can be typed, in characters.
const NOTE: usize = 300;

/// The view of the handoff log.
#[derive(Debug, Default)]
pub struct Log {
    /// A part of the list, newest first.
    pub rows: Vec<Shown>,
    /// At which place of the list they begin.
    pub from: u64,
    /// How many entries the list has.
    pub count: u64,
    /// The place of the first row that is shown.
    pub top: u64,
    /// What is asked for.
    pub filter: Filter,
    /// The choice that stands open.
    pub menu: Option<Menu>,
    /// Whether the keyboard on the screen types what is searched for.
    pub keyboard: bool,
    /// Whether keys go to the search, though nothing stands there yet.
    pub caret: bool,
    /// A note while it is typed.
    pub note: Option<String>,
    /// The number of the entry that is open.
    pub open: Option<u64>,
    /// The controls that the entries are evidence for, while they are looked at; an entry may be open before
    /// them.
    pub controls: Option<Page>,
    /// That entry, where the list does not have it.
    apart: Option<Shown>,
    /// What supervisors have written about it.
    pub notes: Vec<Shown>,
    /// The place that is to have the focus once it was read.
    wanted: Option<u64>,
    /// The part and the stretch of time that were asked for last.
    asked_rows: Option<u64>,
    asked_day: Option<(i64, i64)>,
    /// The entry whose place the list was moved to already.
    placed: Option<u64>,
}

/// The page of controls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The time that was asked for, UTC milliseconds; all of it without.
    pub between: Option<(i64, i64)>,
    /// The exception whose entry was opened last: its place on the page, and the entry's number.
    pub left: Option<(u32, u64)>,
}

/// What the list is narrowed to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// A day: from its first moment to its last, UTC milliseconds.
    pub day: Option<(i64, i64)>,
    /// An operator's key.
    pub operator: Option<String>,
    /// A handoff's trigger.
    pub cause: Option<&'static str>,
    /// What the entry says of the station.
    pub verdict: Option<Asked>,
    /// Sorts of entries: a place in [`KINDS`].
    pub kinds: usize,
    /// What is searched for.
    pub text: String,
}

/// A choice of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// Why handoffs began.
    Cause,
    /// The day.
    Day,
    /// Where a copy goes.
    Export,
    /// Sorts of entries.
    Kind,
    /// Who.
    Operator,
    /// What is not ended elsewhere: a list, of which nothing is chosen.
    Pending,
    /// What was found.
    Verdict,
}

/// What is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// Why handoffs began.
    Cause(Option<&'static str>),
    /// The day.
    Day(Option<(i64, i64)>),
    /// Where a copy goes.
    Export(String),
    /// Sorts of entries.
    Kind(usize),
    /// Who.
    Operator(Option<String>),
    /// What was found.
    Verdict(Option<Asked>),
}

/// What is done with the view.
#[derive(Clone, Debug, PartialEq)]
pub enum LogMessage {
    /// Something of a menu is chosen.
    Choose(Choice),
    /// The controls that the entries are evidence for come or go.
    Controls(bool),
    /// The entry with this number, an exception at this place of the controls' page, is opened.
    Exception(u32, u64),
    /// The keyboard on the screen comes or goes.
    Keyboard(bool),
    /// A menu opens, or closes.
    Menu(Option<Menu>),
    /// A note is begun, or given up.
    Note(bool),
    /// The note is written.
    NoteDone,
    /// So many rows on (or back).
    Scroll(i64),
    /// To this part of the whole, in thousandths.
    Seek(u32),
    /// A day on (or back).
    Turn(i8),
}

/// The sorts of entries that can be asked for: their name, and the kinds as receipts write them.
pub const KINDS: [(&str, &[&str]); 6] = [
    ("All kinds", &[]),
    ("Handoffs", &["handoff"]),
    ("Sessions", &["opened", "break-glass", "handoff", "settled"]),
    ("Refusals", &["denied", "disabled", "badge-unknown"]),
    ("Station", &["started", "stopped", "quarantine", "released", "restarted", "discontinuity", "drill"]),
    ("Changes", &["roster", "policy", "key", "viewed", "annotated", "attested", "exported"]),
];

/// The causes that can be asked for, as receipts write them.
pub const CAUSES: [&str; 14] = [
    "badge-out",
    "takeover",
    "tap-out",
    "ended",
    "idle",
    "expired",
    "suspend",
    "reader-lost",
    "revoked",
    "drill",
    "maintenance",
    "fault",
    "fresh-start",
    "recovery",
];

/// The verdicts that can be asked for.
pub const VERDICTS: [(Asked, &str); 4] = [
    (Asked::Clean, "Clean"),
    (Asked::NotClean, "Not clean"),
    (Asked::Refused, "Refused"),
    (Asked::None, "Only told"),
];

impl Filter {
    /// As the driver is asked.
    #[must_use]
    pub fn question(&self) -> Question {
        let kinds = KINDS.get(self.kinds).map_or(&[][..], |(_, kinds)| kinds);
        Question {
            between: self.day,
            operator: self.operator.clone(),
            trigger: self.cause.map(str::to_owned),
            verdict: self.verdict,
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            text: self.text.trim().to_owned(),
        }
    }
}

/// The day that has this moment, here: from its first moment to its last, UTC milliseconds.
#[must_use]
pub fn day_of(utc_ms: i64, zone: &TimeZone) -> Option<(i64, i64)> {
    let first = jiff::Timestamp::from_millisecond(utc_ms).ok()?.to_zoned(zone.clone()).start_of_day().ok()?;
    let next = first.tomorrow().ok()?.start_of_day().ok()?;
    Some((first.timestamp().as_millisecond(), next.timestamp().as_millisecond()))
}

impl Log {
    /// Takes over what the scene has; what was read already is kept.
    pub fn follow(&mut self, scene: Option<&LogScene>, zone: &TimeZone) {
        let Some(scene) = scene else {
            *self = Self::default();
            return;
        };
        self.count = scene.count;
        if self.asked_rows == Some(scene.from) {
            self.asked_rows = None;
        }
        self.from = scene.from;
        let mut old: Vec<Option<Shown>> = std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        let mut place = 0;
        for written in &scene.entries {
            // Both lists run from new to old, so one pass finds what was read already.
            while old.get(place).and_then(Option::as_ref).is_some_and(|s| s.written.index > written.index) {
                place += 1;
            }
            let same = old.get_mut(place).filter(|s| s.as_ref().is_some_and(|s| s.written == *written));
            let shown = same.and_then(Option::take).unwrap_or_else(|| Shown::read(written, zone));
            self.rows.push(shown);
        }
        if let (None, Some(day)) = (self.asked_day, &scene.day) {
            self.asked_day = Some(day.between);
        }
        let opened = scene.open.as_ref().filter(|open| Some(open.number) == self.open);
        self.notes = opened.iter().flat_map(|open| &open.notes).map(|note| Shown::read(note, zone)).collect();
        if let Some(entry) = opened.and_then(|open| open.entry.as_ref())
            && self.apart.as_ref().is_none_or(|shown| shown.written != *entry)
        {
            self.apart = Some(Shown::read(entry, zone));
        }
        if let Some((number, place)) = opened.and_then(|open| Some((open.number, open.place?)))
            && self.placed != Some(number)
        {
            self.placed = Some(number);
            self.wanted = Some(place);
        }
    }

    /// Whether the controls are what is shown: nothing has opened before them.
    #[must_use]
    pub fn on_controls(&self) -> bool {
        self.controls.is_some() && self.open.is_none() && self.menu.is_none() && self.note.is_none()
    }

    /// The row at this place of the list, where it was read.
    #[must_use]
    pub fn at(&self, place: u64) -> Option<&Shown> {
        self.rows.get(usize::try_from(place.checked_sub(self.from)?).ok()?)
    }

    /// At which place this entry stands, where it was read.
    #[must_use]
    pub fn place_of(&self, number: u64) -> Option<u64> {
        let row = self.rows.iter().position(|shown| shown.written.index == number)?;
        Some(self.from + row as u64)
    }

    /// The entry that is open.
    #[must_use]
    pub fn opened(&self) -> Option<&Shown> {
        let open = self.open?;
        let apart = self.apart.as_ref().filter(|shown| shown.written.index == open);
        apart.or_else(|| self.rows.iter().find(|shown| shown.written.index == open))
    }

    /// Opens an entry, or closes it when it is open. Answers what is to be wished.
    pub fn toggle(&mut self, number: u64) -> LogWish {
        self.note = None;
        self.notes.clear();
        self.apart = None;
        if self.open == Some(number) {
            self.open = None;
            return LogWish::Shut;
        }
        self.open = Some(number);
        // An entry that was touched in the list stands where the finger is.
        self.placed = self.place_of(number).map(|_| number);
        LogWish::Open(number)
    }

    /// Moves the list so that this place is shown among so many rows, and has the focus. Answers the
    /// entry there, where it was read already.
    pub fn show(&mut self, place: u64, rows: u64) -> Option<u64> {
        let place = place.min(self.count.saturating_sub(1));
        if place < self.top {
            self.top = place;
        } else if place >= self.top + rows {
            self.top = place + 1 - rows;
        }
        let number = self.at(place).map(|shown| shown.written.index);
        self.wanted = if number.is_none() { Some(place) } else { None };
        number
    }

    /// The entry that waited to have the focus, once it was read.
    pub fn arrived(&mut self, rows: u64) -> Option<u64> {
        let place = self.wanted?;
        self.show(place, rows)
    }

    /// Scrolls by so many rows.
    pub fn scroll(&mut self, by: i64, rows: u64) {
        self.top = self.top.saturating_add_signed(by).min(self.last_top(rows));
    }

    /// The place of the first row when the last ones are shown.
    #[must_use]
    pub fn last_top(&self, rows: u64) -> u64 {
        self.count.saturating_sub(rows)
    }

    /// The filter has changed: the list begins anew.
    pub fn asked(&mut self) -> LogWish {
        self.top = 0;
        self.wanted = None;
        self.asked_rows = None;
        LogWish::Find(self.filter.question())
    }

    /// A letter is typed: into the note, or into what is searched for. True where that has changed.
    pub fn letter(&mut self, letter: char) -> bool {
        if let Some(note) = &mut self.note {
            if note.chars().count() < NOTE {
                note.push(letter);
            }
            return false;
        }
        if letter == '/' && !self.caret && self.filter.text.is_empty() {
            self.caret = true;
            return false;
        }
        let room = self.filter.text.chars().count() < TEXT && !(letter == ' ' && self.filter.text.is_empty());
        if room {
            self.caret = true;
            self.filter.text.push(letter);
        }
        room
    }

    /// The last letter is taken back. True where what is searched for has changed.
    pub fn erase(&mut self) -> bool {
        match &mut self.note {
            Some(note) => {
                let _ = note.pop();
                false
            }
            None => self.filter.text.pop().is_some(),
        }
    }

    /// What must be asked for so that the rows from the top on, and the day that they are of, can be
    /// shown.
    pub fn needs(&mut self, rows: u64, utc_ms: i64, zone: &TimeZone) -> Vec<Wish> {
        let mut wishes = Vec::new();
        self.top = self.top.min(self.last_top(rows));
        let end = (self.top + rows).min(self.count);
        let read = self.from + self.rows.len() as u64;
        let short = self.top < self.from + FEW.min(self.from) || end + FEW.min(self.count - end) > read;
        let start = self.top.saturating_sub(AHEAD);
        if short && self.asked_rows.is_none_or(|asked| asked.abs_diff(start) > FEW) {
            self.asked_rows = Some(start);
            wishes.push(Wish::Log(LogWish::Rows(start)));
        }
        let first = self.at(self.top).and_then(|shown| shown.utc_ms);
        let day = self.filter.day.or_else(|| match first {
            Some(at) => day_of(at, zone),
            // Rows that are not read yet may be of any day; a list without rows shows today.
            None if self.count > 0 => None,
            None => day_of(utc_ms, zone),
        });
        if let Some((from, until)) = day.filter(|day| self.asked_day != Some(*day)) {
            self.asked_day = Some((from, until));
            wishes.push(Wish::Log(LogWish::Day(from, until)));
        }
        wishes
    }

    /// The stretch of time whose picture is asked for.
    #[must_use]
    pub fn day(&self) -> Option<(i64, i64)> {
        self.asked_day
    }

    /// Something was written: the picture of the day is not what it was.
    pub fn forget_day(&mut self) {
        self.asked_day = None;
    }
}

/// An entry as the list shows it.
#[derive(Debug)]
pub struct Shown {
    /// The entry as it was stored.
    pub written: Written,
    /// What was read of it, or why it could not be read.
    pub receipt: Result<Receipt, String>,
    /// When, UTC milliseconds.
    pub utc_ms: Option<i64>,
    /// The day: `Mon 23 Nov`.
    pub day: String,
    /// The time of day: `07:42:10`.
    pub time: String,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// Which apps were open.
    pub apps: String,
    /// How long it took.
    pub took: String,
    /// What was found.
    pub verdict: Verdict,
}

/// What an entry says of the station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every gate attested.
    Clean,
    /// Nothing, it only tells.
    None,
    /// Something was found, or could not be looked for.
    NotClean,
    /// Somebody was not let in.
    Refused,
    /// Not to be read.
    Unreadable,
}

impl Shown {
    fn read(written: &Written, zone: &TimeZone) -> Self {
        let receipt = Receipt::read(&written.json);
        let mut shown = Self {
            written: written.clone(),
            utc_ms: None,
            day: String::new(),
            time: String::new(),
            who: String::new(),
            what: "This entry cannot be read".to_owned(),
            apps: String::new(),
            took: String::new(),
            verdict: Verdict::Unreadable,
            receipt,
        };
        if written.json.is_empty() {
            shown.what = "pruned: its hash is kept".to_owned();
            shown.verdict = Verdict::None;
        }
        if let Ok(receipt) = &shown.receipt {
            shown.utc_ms = receipt.at.utc.parse().ok().map(jiff::Timestamp::as_millisecond);
            shown.day = words::local(&receipt.at, zone, "%a %-d %b");
            shown.time = words::local(&receipt.at, zone, "%H:%M:%S");
            shown.who = who(receipt);
            shown.what = what(receipt);
            if let Some(facts) = receipt.finished() {
                let forced = facts.apps.iter().filter(|app| !app.gracefully).count();
                shown.apps = match (facts.apps.len(), forced) {
                    (0, _) if facts.trigger == "recovery" && receipt.operator.is_some() => {
                        "apps unknown".to_owned()
                    }
                    (0, _) => "no apps".to_owned(),
                    (1, 0) => "1 app".to_owned(),
                    (1, _) => "1 app, forced".to_owned(),
                    (all, 0) => format!("{all} apps"),
                    (all, forced) => format!("{all} apps, {forced} forced"),
                };
                shown.took = words::seconds(facts.clean_after_us);
            }
            shown.verdict = verdict(receipt);
        }
        shown
    }
}

fn who(receipt: &Receipt) -> String {
    let name = receipt.operator.as_ref().map(|who| escape(&who.name));
    match (receipt.finished(), name) {
        (Some(facts), name) => {
            let next = facts.incoming.as_ref().map_or_else(|| "vacant".to_owned(), |who| escape(&who.name));
            format!("{} → {next}", name.unwrap_or_else(|| "nobody".to_owned()))
        }
        (None, Some(name)) => name,
        (None, None) => match (&receipt.change, &receipt.anchor) {
            (Some(change), _) => escape(&change.by),
            (None, Some(anchor)) => escape(&anchor.by),
            (None, None) => "Station".to_owned(),
        },
    }
}

fn what(receipt: &Receipt) -> String {
    if let Some(facts) = receipt.finished() {
        return cause(&facts.trigger);
    }
    match receipt.kind.as_str() {
        "opened" => "session opened".to_owned(),
        "denied" => "not let in".to_owned(),
        "disabled" => "badge disabled".to_owned(),
        "badge-unknown" => "unknown badge".to_owned(),
        "quarantine" => "not clean".to_owned(),
        "released" => "quarantine released".to_owned(),
        "restarted" => "machine restarted".to_owned(),
        "break-glass" => "emergency access".to_owned(),
        "discontinuity" => "told late".to_owned(),
        "drill" => "drill".to_owned(),
        "viewed" => "log opened".to_owned(),
        "annotated" => about(receipt, "note on"),
        "attested" => about(receipt, "attested"),
        "exported" => "copy taken".to_owned(),
        "started" => "station started".to_owned(),
        "stopped" => "station stopped".to_owned(),
        "roster" => "roster changed".to_owned(),
        "policy" => "policy changed".to_owned(),
        "key" => "station key".to_owned(),
        "settled" => about(receipt, "signed out, of"),
        "anchored" => "checkpoint kept elsewhere".to_owned(),
        "pruned" => "old entries pruned".to_owned(),
        other => escape(other),
    }
}

fn about(receipt: &Receipt, what: &str) -> String {
    let entry = receipt.about.as_ref().map_or_else(String::new, |about| about.entry.to_string());
    format!("{what} {entry}")
}

/// A handoff's trigger, as the list says it.
#[must_use]
pub fn cause(trigger: &str) -> String {
    match trigger {
        "badge-out" => "badge taken".to_owned(),
        "tap-out" => "tapped out".to_owned(),
        "takeover" => "taken over".to_owned(),
        "idle" => "nobody there".to_owned(),
        "drill" => "for a drill".to_owned(),
        "ended" => "ended".to_owned(),
        "expired" => "time over".to_owned(),
        "reader-lost" => "reader lost".to_owned(),
        "revoked" => "revoked".to_owned(),
        "suspend" => "went to sleep".to_owned(),
        "maintenance" => "shell stopped".to_owned(),
        "fault" => "fault".to_owned(),
        "fresh-start" => "started afresh".to_owned(),
        "recovery" => "after a stop".to_owned(),
        other => escape(other),
    }
}

fn verdict(receipt: &Receipt) -> Verdict {
    match (receipt.finished(), receipt.kind.as_str()) {
        (Some(facts), _) if counts(&facts.after).clean() => Verdict::Clean,
        (Some(_), _) | (None, "quarantine") => Verdict::NotClean,
        (None, "disabled" | "denied" | "badge-unknown") => Verdict::Refused,
        (None, _) if receipt.handoff.is_some() => Verdict::NotClean,
        (None, _) => Verdict::None,
    }
}
