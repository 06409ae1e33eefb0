//! `cleanshiftctl roster`: operators, badges, one-time PINs. IT never knows anybody's own PIN.

mod change;
mod csv;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use self::change::Change;
use super::{GOOD, WANTING};
use crate::ports::{BadgeUid, Clock, RosterRow, RosterRows};
use crate::roster::{Pepper, RosterRules, one_time_pin};

/// Look after the roster.
#[derive(Subcommand)]
pub enum RosterCommand {
    /// Put an operator on the roster and issue a one-time PIN.
    Add {
        /// Her key: letters, digits, dots and dashes.
        key: String,
        /// Her name, as it stands on the screen.
        #[arg(long)]
        name: String,
        /// A role of hers; may be given more than once.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// A badge of hers, in hexadecimal; may be given more than once.
        #[arg(long = "badge", required = true)]
        badges: Vec<String>,
        /// The first day on which she may work: 2026-11-24.
        #[arg(long)]
        valid_from: Option<String>,
        /// The last day on which she may work.
        #[arg(long)]
        valid_until: Option<String>,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the roster.
    List {
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take an operator off the roster.
    Remove {
        /// Her key.
        key: String,
    },
    /// Issue a new one-time PIN, and let a disabled badge work again.
    ResetPin {
        /// Her key.
        key: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take operators from a CSV file; new ones get one-time PINs. All or nothing.
    Import {
        /// The file: key,name,roles,badges,valid_from,valid_until; roles and badges separated by ;
        file: PathBuf,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the roster as CSV, without PINs.
    Export {
        /// The file; standard output when none is given.
        file: Option<PathBuf>,
    },
}

/// What the commands work with.
pub struct Context {
    /// The roster's rows.
    pub rows: Arc<dyn RosterRows>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the policy says of roles and PINs.
    pub rules: RosterRules,
    /// The pepper.
    pub pepper: Pepper,
    /// Who does it.
    pub by: String,
}

const COLUMNS: [&str; 6] = ["key", "name", "roles", "badges", "valid_from", "valid_until"];

/// Runs a command.
///
/// # Errors
/// What could not be done, for the terminal.
pub fn run(command: &RosterCommand, context: &Context) -> Result<u8, String> {
    match command {
        RosterCommand::Add { key, name, roles, badges, valid_from, valid_until, json } => {
            let line = Line {
                place: String::new(),
                key: key.clone(),
                name: name.clone(),
                roles: roles.clone(),
                badges: badges.clone(),
                from: valid_from.clone().unwrap_or_default(),
                until: valid_until.clone().unwrap_or_default(),
            };
            if context.all()?.iter().any(|row| row.key == *key) {
                return Ok(refuse(&[format!(
                    "{key} is on the roster already; remove it first, or import a CSV line to change it"
                )]));
            }
            context.take(&[line], "", *json)
        }
        RosterCommand::List { json } => context.list(*json),
        RosterCommand::Remove { key } => {
            if !context.all()?.iter().any(|row| row.key == *key) {
                return Ok(refuse(&[unknown_key(key, &context.all()?)]));
            }
            context.change(&[], std::slice::from_ref(key), &format!("remove {key}"))?;
            tell(&format!("{key} is off the roster\n"))
        }
        RosterCommand::ResetPin { key, json } => context.reset(key, *json),
        RosterCommand::Import { file, json } => {
            let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            match csv::lines(&text, file) {
                Ok(lines) => context.take(&lines, "import: ", *json),
                Err(problems) => Ok(refuse(&problems)),
            }
        }
        RosterCommand::Export { file } => context.export(file.as_deref()),
    }
}

fn refuse(problems: &[String]) -> u8 {
    for problem in problems {
        eprintln!("{problem}");
    }
    eprintln!("help: nothing was changed; correct what is named and try again");
    WANTING
}

fn unknown_key(key: &str, rows: &[RosterRow]) -> String {
    let near = rows.iter().map(|row| (strsim::damerau_levenshtein(key, &row.key), &row.key)).min();
    match near {
        Some((0..=3, near)) => format!("{key} is not on the roster; did you mean {near}?"),
        Some(_) | None => format!("{key} is not on the roster"),
    }
}

/// An operator as somebody wrote her down.
struct Line {
    place: String,
    key: String,
    name: String,
    roles: Vec<String>,
    badges: Vec<String>,
    from: String,
    until: String,
}

impl Context {
    fn all(&self) -> Result<Vec<RosterRow>, String> {
        self.rows.all().map_err(|error| format!("failed to {error}"))
    }

    fn change(&self, put: &[RosterRow], take: &[String], deed: &str) -> Result<(), String> {
        let changed = self.rows.change(put, take, &self.by, deed, &self.clock.stamp());
        changed.map_err(|error| format!("failed to {error}"))
    }

    /// Takes operators in: every line is checked before the first is written, in one transaction.
    fn take(&self, lines: &[Line], deed: &str, as_json: bool) -> Result<u8, String> {
        let standing = self.all()?;
        let mut problems = Vec::new();
        let mut put: Vec<RosterRow> = Vec::new();
        for line in lines {
            let old = standing.iter().find(|row| row.key == line.key);
            let mut wrong = |what: String| problems.push(format!("{}{what}", line.place));
            let row = self.row(line, old, &mut wrong);
            if put.iter().any(|other| other.key == row.key) {
                wrong(format!("{} is there twice", row.key));
            }
            let rewritten = |key: &String| lines.iter().any(|line| line.key == *key);
            let others = standing.iter().filter(|other| !rewritten(&other.key)).chain(&put);
            for other in others.filter(|other| other.key != row.key) {
                if let Some(badge) = row.badges.iter().find(|badge| other.badges.contains(badge)) {
                    wrong(format!("badge {} is {}'s already", badge.0, other.key));
                }
            }
            put.push(row);
        }
        if !problems.is_empty() {
            return Ok(refuse(&problems));
        }
        let mut changes: Vec<Change> =
            put.iter().map(|row| Change::of(row, standing.iter().find(|old| old.key == row.key))).collect();
        for (row, change) in put.iter_mut().zip(&mut changes) {
            if row.pin.is_none() {
                let (digits, stored) = one_time_pin(&self.pepper, self.rules.least)
                    .map_err(|error| format!("failed to {error}"))?;
                row.pin = Some(stored);
                change.one_time_pin = Some(digits);
                if !change.new {
                    change.what.push("PIN");
                }
            }
        }
        put.retain(|row| changes.iter().any(|change| change.key == row.key && !change.is_none()));
        if !put.is_empty() {
            self.change(&put, &[], &format!("{deed}{}", change::deed(&changes)))?;
        }
        let now = self.clock.stamp().utc_ms;
        for row in put.iter().filter(|row| row.valid_until_utc_ms.is_some_and(|until| until <= now)) {
            eprintln!("note: the time of {} is over already: the station will not let her in", row.key);
        }
        tell(&if as_json { change::as_json(&changes) } else { change::in_words(&changes) })
    }

    fn row(&self, line: &Line, old: Option<&RosterRow>, wrong: &mut dyn FnMut(String)) -> RosterRow {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        if line.key.is_empty() || line.key.len() > 64 || !line.key.chars().all(plain) {
            wrong(format!(
                "`{}` is no key: use letters, digits, dots and dashes",
                crate::evidence::escape(&line.key)
            ));
        }
        let disguised = crate::evidence::escape(&line.name) != line.name;
        if line.name.trim().is_empty() || line.name.chars().count() > 80 || disguised {
            wrong(format!("`{}` is no name for the screen", crate::evidence::escape(&line.name)));
        }
        if line.roles.is_empty() {
            wrong("there is no role".to_owned());
        }
        for (place, role) in line.roles.iter().enumerate() {
            if line.roles.iter().take(place).any(|other| other == role) {
                wrong(format!("role `{role}` is there twice"));
            }
        }
        for role in line.roles.iter().filter(|role| !self.rules.roles.contains(role)) {
            let near =
                self.rules.roles.iter().map(|known| (strsim::damerau_levenshtein(role, known), known)).min();
            match near {
                Some((0..=3, near)) => {
                    wrong(format!("unknown role `{role}`; did you mean `{near}`?"));
                }
                Some(_) | None => {
                    wrong(format!("unknown role `{role}`; known are: {}", self.rules.roles.join(", ")));
                }
            }
        }
        let mut badges = Vec::new();
        for badge in &line.badges {
            match badge_uid(badge) {
                Some(uid) if badges.contains(&uid) => wrong(format!("badge {} is there twice", uid.0)),
                Some(uid) => badges.push(uid),
                None => wrong(format!("`{badge}` is no badge: 4 to 10 bytes in hexadecimal")),
            }
        }
        if line.badges.is_empty() {
            wrong("there is no badge".to_owned());
        }
        let mut date = |text: &str, end: bool| match day(text, end) {
            Ok(at) => at,
            Err(()) => {
                wrong(format!("`{text}` is no day: write 2026-11-24"));
                None
            }
        };
        let (from, until) = (date(&line.from, false), date(&line.until, true));
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            wrong("the time on the roster ends before it begins".to_owned());
        }
        RosterRow {
            key: line.key.clone(),
            name: line.name.clone(),
            roles: line.roles.clone(),
            badges,
            valid_from_utc_ms: from,
            valid_until_utc_ms: until,
            ..old.cloned().unwrap_or_default()
        }
    }

    fn reset(&self, key: &str, as_json: bool) -> Result<u8, String> {
        let all = self.all()?;
        let Some(mut row) = all.iter().find(|row| row.key == key).cloned() else {
            return Ok(refuse(&[unknown_key(key, &all)]));
        };
        let was = row.clone();
        let (digits, stored) =
            one_time_pin(&self.pepper, self.rules.least).map_err(|error| format!("failed to {error}"))?;
        row.pin = Some(stored);
        row.disabled = false;
        row.wrong = 0;
        let name = row.name.clone();
        let enabled = if was.disabled { ", enable the badge" } else { "" };
        self.change(&[row], &[], &format!("reset PIN of {key}{enabled}"))?;
        let reset =
            [Change { key: key.to_owned(), name, what: vec!["PIN"], new: false, one_time_pin: Some(digits) }];
        tell(&if as_json { change::as_json(&reset) } else { change::in_words(&reset) })
    }

    fn list(&self, as_json: bool) -> Result<u8, String> {
        let now = self.clock.stamp().utc_ms;
        let rows = self.all()?;
        let state = |row: &RosterRow| match row {
            row if row.disabled => "disabled",
            row if row.valid_until_utc_ms.is_some_and(|until| now >= until) => "expired",
            row if row.valid_from_utc_ms.is_some_and(|from| now < from) => "not yet valid",
            row if row.pin.as_ref().is_none_or(|pin| pin.one_time) => "one-time PIN",
            _ => "good",
        };
        let badges = |row: &RosterRow| row.badges.iter().map(|badge| badge.0.clone()).collect::<Vec<_>>();
        if as_json {
            let one = |row: &RosterRow| {
                json!({
                    "key": row.key, "name": row.name, "roles": row.roles, "badges": badges(row),
                    "valid_from": in_words(row.valid_from_utc_ms, false), "valid_until": in_words(row.valid_until_utc_ms, true),
                    "state": state(row),
                })
            };
            return tell(&format!("{:#}\n", json!(rows.iter().map(one).collect::<Vec<_>>())));
        }
        let mut table = vec![["KEY", "NAME", "ROLES", "BADGES", "FROM", "UNTIL", "STATE"].map(str::to_owned)];
        for row in &rows {
            let (from, until) =
                (in_words(row.valid_from_utc_ms, false), in_words(row.valid_until_utc_ms, true));
            let cells = [
                row.key.clone(),
                row.name.clone(),
                row.roles.join(" "),
                badges(row).join(" "),
                from,
                until,
                state(row).to_owned(),
            ];
            table.push(cells);
        }
        tell(&in_columns(&table))
    }

    fn export(&self, file: Option<&Path>) -> Result<u8, String> {
        let failed = |error: ::csv::Error| format!("failed to write the CSV: {error}");
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).map_err(failed)?;
        for row in self.all()? {
            let badges: Vec<_> = row.badges.iter().map(|badge| badge.0.as_str()).collect();
            let (from, until) =
                (in_words(row.valid_from_utc_ms, false), in_words(row.valid_until_utc_ms, true));
            let (roles, badges) = (row.roles.join(";"), badges.join(";"));
            writer.write_record([&row.key, &row.name, &roles, &badges, &from, &until]).map_err(failed)?;
        }
        let text = writer.into_inner().map_err(|error| format!("failed to write the CSV: {error}"))?;
        match file {
            Some(file) => {
                std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
                Ok(GOOD)
            }
            None => tell(&String::from_utf8_lossy(&text)),
        }
    }
}

/// A badge as people write it: spaces, colons, dashes and small letters are all the same.
fn badge_uid(text: &str) -> Option<BadgeUid> {
    let digits: String = text.chars().filter(|letter| !matches!(letter, ' ' | ':' | '-')).collect();
    let bytes = hex::decode(digits).ok()?;
    (4..=10).contains(&bytes.len()).then(|| BadgeUid(hex::encode_upper(bytes)))
}

/// A day in the station's own time zone: its first instant, or the first after it.
fn day(text: &str, end: bool) -> Result<Option<i64>, ()> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut date: Date = text.parse().map_err(|_| ())?;
    if end {
        date = date.tomorrow().map_err(|_| ())?;
    }
    let instant = date.to_zoned(TimeZone::system()).map_err(|_| ())?;
    Ok(Some(instant.timestamp().as_millisecond()))
}

fn in_words(utc_ms: Option<i64>, end: bool) -> String {
    let at = utc_ms.and_then(|ms| jiff::Timestamp::from_millisecond(if end { ms - 1 } else { ms }).ok());
    at.map_or_else(String::new, |at| at.to_zoned(TimeZone::system()).date().to_string())
}

/// Says it on standard output. One-time PINs are said once: that they could not be said is an error.
fn tell(text: &str) -> Result<u8, String> {
    super::say(text).map_err(|error| {
        format!(
            "{error}\nhelp: the change stands in the roster; issue one-time PINs that were not shown anew with \
             `cleanshiftctl roster reset-pin KEY`"
        )
    })
}

fn in_columns<const N: usize>(table: &[[String; N]]) -> String {
    let width = |column: usize| {
        table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in table {
        let cells: Vec<_> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<width$}", width = width(column)))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
