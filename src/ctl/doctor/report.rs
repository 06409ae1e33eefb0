//! One requirement, and how all of them are told: as text of 80 columns, worst first, and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

/// How wide the text is.
const WIDTH: usize = 80;
/// How far what is told about a requirement is set in.
const INDENT: usize = 10;

/// How a host stands to a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The station must not open.
    Bad,
    /// The station opens, with less than it could have; the text says what is less.
    Reduced,
    /// As it should be.
    Good,
}

/// One requirement, as found.
#[derive(Clone, Debug, Serialize)]
pub struct Requirement {
    /// Its name for programs: stable.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// How the host stands to it.
    pub state: State,
    /// Whether it could be looked at. What could not is never good.
    pub looked: bool,
    /// What was seen.
    pub saw: String,
    /// Why it matters.
    pub why: String,
    /// The command lines that mend it; empty where it is good.
    pub mend: Vec<String>,
    /// Whether `cleanshiftctl kiosk enable` and a new start mend it.
    pub kiosk: bool,
}

impl Requirement {
    /// Begins to tell of a requirement: its names, and why it matters.
    #[must_use]
    pub fn of(id: impl Into<String>, title: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            state: State::Good,
            looked: true,
            saw: String::new(),
            why: why.into(),
            mend: Vec::new(),
            kiosk: false,
        }
    }

    /// As it should be.
    #[must_use]
    pub fn good(self, saw: impl Into<String>) -> Self {
        Self { saw: saw.into(), ..self }
    }

    /// The station must not open. `mend` has one command in each line.
    #[must_use]
    pub fn bad(self, saw: impl Into<String>, mend: impl AsRef<str>) -> Self {
        self.wanting(State::Bad, saw, mend)
    }

    /// The station opens, with less. `mend` has one command in each line.
    #[must_use]
    pub fn reduced(self, saw: impl Into<String>, mend: impl AsRef<str>) -> Self {
        self.wanting(State::Reduced, saw, mend)
    }

    /// Bad where `bad`, else reduced.
    #[must_use]
    pub fn bad_if(self, bad: bool, saw: impl Into<String>, mend: impl AsRef<str>) -> Self {
        self.wanting(if bad { State::Bad } else { State::Reduced }, saw, mend)
    }

    /// It could not be looked at, and why; `mend` is how it can.
    #[must_use]
    pub fn unseen(self, why: impl Into<String>, mend: impl AsRef<str>) -> Self {
        Self { looked: false, ..self.reduced(why, mend) }
    }

    /// What `cleanshiftctl kiosk enable` puts right.
    #[must_use]
    pub fn by_kiosk(self) -> Self {
        Self { kiosk: true, ..self }
    }

    fn wanting(self, state: State, saw: impl Into<String>, mend: impl AsRef<str>) -> Self {
        let mend = mend.as_ref().lines().map(str::to_owned).collect();
        Self { state, saw: saw.into(), mend, ..self }
    }

    /// Whether people are told of both in one: they are of one kind, are found alike and mended alike.
    fn goes_with(&self, next: &Self) -> bool {
        let kind = |one: &Self| one.id.split_once(':').map(|(kind, _)| kind.to_owned());
        kind(self).is_some()
            && (kind(self), self.state, self.looked, &self.mend)
                == (kind(next), next.state, next.looked, &next.mend)
    }

    fn label(&self) -> &'static str {
        match (self.state, self.looked) {
            (State::Good, _) => "good",
            (State::Reduced, true) => "reduced",
            (State::Reduced, false) => "not seen",
            (State::Bad, _) => "bad",
        }
    }
}

/// All requirements.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The worst of all.
    pub verdict: State,
    /// The account that the tries were made as.
    pub account: String,
    /// How many are of which kind.
    pub counts: Counts,
    /// Each, worst first.
    pub requirements: Vec<Requirement>,
}

/// How many requirements are of which kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// Bad ones.
    pub bad: usize,
    /// Reduced ones, with those that could not be looked at.
    pub reduced: usize,
    /// Those that could not be looked at.
    pub unseen: usize,
    /// Good ones.
    pub good: usize,
}

impl Report {
    /// Puts them in order.
    #[must_use]
    pub fn of(account: String, mut requirements: Vec<Requirement>) -> Self {
        // A stable sort: within a kind they stay as they are asked.
        requirements.sort_by_key(|requirement| (requirement.state, !requirement.looked));
        let count = |state| requirements.iter().filter(|requirement| requirement.state == state).count();
        let counts = Counts {
            bad: count(State::Bad),
            reduced: count(State::Reduced),
            unseen: requirements.iter().filter(|requirement| !requirement.looked).count(),
            good: count(State::Good),
        };
        let verdict = requirements.iter().map(|requirement| requirement.state).min();
        Self { verdict: verdict.unwrap_or(State::Bad), account, counts, requirements }
    }

    /// The requirements that bar the station.
    pub fn bad(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter().filter(|requirement| requirement.state == State::Bad)
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for group in self.requirements.chunk_by(Requirement::goes_with) {
            match group {
                [one] => told(&mut text, one),
                many => listed(&mut text, many),
            }
        }
        let Counts { bad, reduced, unseen, good } = self.counts;
        let unseen = if unseen == 0 { String::new() } else { format!(" ({unseen} of them not seen)") };
        let verdict = match self.verdict {
            State::Bad => "This host is not fit for a station yet: mend what is bad.",
            State::Reduced => "This host is fit for a station, with what is reduced above.",
            State::Good => "This host is fit for a station.",
        };
        let summary = format!(
            "{} requirements, tried as {}: {bad} bad, {reduced} reduced{unseen}, {good} good. {verdict}",
            self.requirements.len(),
            self.account
        );
        text.push('\n');
        wrapped(&mut text, 0, &summary);
        text
    }

    /// What the out-of-service screen shows: what is bad, and how it is mended.
    #[must_use]
    pub fn screen(&self) -> String {
        let mut text = "This machine is not fit for a station now. For IT:\n\n".to_owned();
        self.bad().for_each(|requirement| told(&mut text, requirement));
        text.push_str(super::system::AGAIN);
        text.push_str("All of it: cleanshiftctl doctor\n");
        text
    }
}

fn told(text: &mut String, requirement: &Requirement) {
    let label = requirement.label();
    if requirement.state == State::Good {
        let line = format!("{label:<INDENT$}{}: {}", requirement.title, requirement.saw);
        return wrapped(text, INDENT, &line);
    }
    let _ = writeln!(text, "{label:<INDENT$}{}", requirement.title);
    let body = " ".repeat(INDENT);
    wrapped(text, INDENT, &format!("{body}{}", requirement.saw));
    wrapped(text, INDENT, &format!("{body}Why: {}", requirement.why));
    // A command is copied: it keeps its line, however long.
    for command in &requirement.mend {
        let _ = writeln!(text, "{body}$ {command}");
    }
    text.push('\n');
}

/// The same for many of one kind: each in a line of its own.
fn listed(text: &mut String, many: &[Requirement]) {
    let Some(first) = many.first() else { return };
    let unit = first.id.starts_with("unit:");
    let kind = if unit { "units of the package" } else { "files and links that make this host a kiosk" };
    let label = first.label();
    let body = " ".repeat(INDENT);
    if first.state == State::Good {
        return wrapped(
            text,
            INDENT,
            &format!("{label:<INDENT$}{kind}: all {} are there, unchanged", many.len()),
        );
    }
    let _ = writeln!(text, "{label:<INDENT$}{kind}");
    for one in many {
        wrapped(text, INDENT + 2, &format!("{body}{}: {}", one.title, one.saw));
    }
    let why = if unit {
        "they start the parts of the station, each with the rights that it needs"
    } else {
        "with them the machine starts into the station, and no key leads past it"
    };
    wrapped(text, INDENT, &format!("{body}Why: {why}"));
    for command in &first.mend {
        let _ = writeln!(text, "{body}$ {command}");
    }
    text.push('\n');
}

/// Adds a paragraph, broken at spaces; lines after the first are set in.
fn wrapped(text: &mut String, indent: usize, paragraph: &str) {
    for (number, line) in paragraph.lines().enumerate() {
        let options = textwrap::Options::new(WIDTH);
        let space = " ".repeat(indent);
        let options = if number == 0 { options } else { options.initial_indent(&space) };
        let options = options.subsequent_indent(&space).break_words(false);
        text.push_str(&textwrap::fill(line, options.word_separator(textwrap::WordSeparator::AsciiSpace)));
        text.push('\n');
    }
}
