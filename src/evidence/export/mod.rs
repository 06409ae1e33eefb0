//! Entries in the forms that others read. Each form is a file here, and pure: an entry goes in, text
//! comes out, and nothing is remembered but whether it was the first. All times are UTC.
//!
//! | form | for | one entry is |
//! |---|---|---|
//! | `jsonl` | whoever verifies: the very bytes that were hashed | a line |
//! | [`csv`] | people with a spreadsheet | a row |
//! | [`fhir`] | a hospital's audit record repository: FHIR R4 `AuditEvent` | an entry of a bundle |
//! | [`ocsf`] | a security data lake: OCSF 1.6.0 | a line |
//! | [`syslog`] | a log collector: RFC 5424 | a line |
//!
//! A proof ([`super::proof`]) is no stream, but a file for each receipt.
//!
//! Whatever people have named passes through [`escape`], in every form but
//! `jsonl`, whose bytes are those of the receipt: JSON escapes the controls itself, and whoever shows it
//! must escape the rest.

pub mod csv;
pub mod fhir;
pub mod ocsf;
pub mod syslog;

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::receipt::{HandoffFacts, Receipt, Time};
use super::tokens::{TokenFacts, TokenState, ended};
use super::verify::Stored;
use super::words::{counts, escape, sentence_in};

/// The form of an export that is one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The canonical receipts.
    Jsonl,
    /// A table.
    Csv,
    /// A FHIR R4 bundle of `AuditEvent`s.
    Fhir,
    /// OCSF events.
    Ocsf,
    /// RFC 5424 messages.
    Syslog,
}

impl Form {
    /// What stands before the first entry.
    #[must_use]
    pub fn before(self) -> String {
        match self {
            Self::Csv => csv::heading(),
            Self::Fhir => fhir::before(),
            Self::Jsonl | Self::Ocsf | Self::Syslog => String::new(),
        }
    }

    /// One entry.
    #[must_use]
    pub fn entry(self, entry: &Item<'_>, first: bool) -> Vec<u8> {
        match self {
            Self::Jsonl => [entry.stored.json, b"\n"].concat(),
            Self::Csv => csv::row(entry).into_bytes(),
            Self::Fhir => fhir::entry(entry, first).into_bytes(),
            Self::Ocsf => format!("{}\n", ocsf::event(entry)).into_bytes(),
            Self::Syslog => syslog::message(entry).into_bytes(),
        }
    }

    /// What stands after the last entry.
    #[must_use]
    pub fn after(self, any: bool) -> &'static str {
        match self {
            Self::Fhir => fhir::after(any),
            Self::Jsonl | Self::Csv | Self::Ocsf | Self::Syslog => "",
        }
    }
}

/// An entry to be exported: as it is stored, and read.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// As it is stored.
    pub stored: &'a Stored<'a>,
    /// The same, read.
    pub receipt: &'a Receipt,
}

impl Item<'_> {
    /// The leaf hash, hexadecimal.
    fn leaf(&self) -> String {
        hex::encode(self.stored.leaf)
    }

    /// What the entry says, in a sentence.
    fn sentence(&self) -> String {
        sentence_in(self.receipt, &TimeZone::UTC)
    }

    /// The facts that fit no field of a form, by name; texts are escaped. Empty ones are left out.
    fn facts(&self) -> Vec<(&'static str, Fact)> {
        let receipt = self.receipt;
        let mut facts = vec![
            ("kind", text(&receipt.kind)),
            ("station", text(&receipt.station)),
            ("index", Fact::Number(receipt.index)),
            ("leaf", Fact::Text(self.leaf())),
            ("previous", text(&receipt.previous)),
            ("boot_id", text(&receipt.at.boot_id)),
            ("boot_ms", Fact::Number(receipt.at.boot_ms)),
            ("note", text(&receipt.note)),
            ("policy", text(&receipt.policy)),
        ];
        if let Some(handoff) = &receipt.handoff {
            facts.extend(handoff_facts(handoff, receipt.finished().is_some()));
        }
        if let Some((by, deed)) = deed(receipt) {
            facts.push(("changed_by", text(by)));
            facts.push(("change", text(&deed)));
        }
        if let Some(change) = &receipt.change {
            facts.push(("before", text(&change.before)));
            facts.push(("after", text(&change.after)));
        }
        if let Some(anchor) = &receipt.anchor {
            facts.push(("anchor_size", Fact::Number(anchor.size)));
            facts.push(("anchor_root", text(&anchor.root)));
            if let Some(pruned) = &anchor.pruned {
                facts.push(("pruned_from", Fact::Number(pruned.from)));
                facts.push(("pruned_upto", Fact::Number(pruned.upto)));
                facts.push(("keep_ms", Fact::Number(pruned.keep_ms)));
            }
        }
        if let Some(about) = &receipt.about {
            facts.push(("about", Fact::Number(about.entry)));
            facts.push(("about_leaf", text(&about.leaf)));
        }
        facts.push(("session", text(&receipt.session)));
        if !receipt.tokens.is_empty() {
            let unsettled = ended(&receipt.tokens).unsettled();
            facts.push(("unsettled", Fact::Number(u64::try_from(unsettled).unwrap_or(u64::MAX))));
        }
        facts.push(("signed_out", Fact::List(receipt.tokens.iter().map(token).collect())));
        facts.push(("held", Fact::List(receipt.held.iter().map(held).collect())));
        facts.retain(|(_, fact)| match fact {
            Fact::Number(_) => true,
            Fact::Text(text) => !text.is_empty(),
            Fact::List(list) => !list.is_empty(),
        });
        facts
    }
}

/// Something that an entry tells.
enum Fact {
    Number(u64),
    Text(String),
    List(Vec<String>),
}

impl Fact {
    /// It as texts: one, or as many as the list has.
    fn texts(self) -> Vec<String> {
        match self {
            Self::Number(number) => vec![number.to_string()],
            Self::Text(text) => vec![text],
            Self::List(list) => list,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::List(list) => json!(list),
        }
    }
}

fn text(text: &str) -> Fact {
    Fact::Text(escape(text))
}

fn handoff_facts(handoff: &HandoffFacts, finished: bool) -> Vec<(&'static str, Fact)> {
    let counts = counts(&handoff.after);
    let number = |count: usize| Fact::Number(u64::try_from(count).unwrap_or(u64::MAX));
    let apps = handoff.apps.iter().map(|app| {
        let how = if app.gracefully { "closed by itself" } else { "forced" };
        format!("{}: {how}", escape(&app.name))
    });
    let open = handoff.after.iter().filter(|gate| matches!(gate.answer.as_str(), "present" | "unknown"));
    let open = open.map(|gate| format!("{} {}: {}", gate.class, escape(&gate.gate), escape(&gate.saw)));
    let shared = handoff.shared.iter().map(|path| escape(path));
    vec![
        ("trigger", text(&handoff.trigger)),
        ("incoming", text(handoff.incoming.as_ref().map_or("", |who| &who.key))),
        ("opened", text(handoff.opened.as_ref().map_or("", |time| &time.utc))),
        ("began", text(&handoff.began.utc)),
        ("covered_after_us", Fact::Number(handoff.covered_after_us)),
        (if finished { "clean_after_us" } else { "not_clean_for_us" }, Fact::Number(handoff.clean_after_us)),
        ("rounds", Fact::Number(handoff.rounds.into())),
        ("apps", Fact::List(apps.collect())),
        ("destroyed", text(&handoff.proof)),
        ("absent", number(counts.absent)),
        ("not_here", number(counts.not_here)),
        ("by_setting", number(counts.setting)),
        ("present", number(counts.present)),
        ("unknown", number(counts.unknown)),
        ("not_proved", Fact::List(open.collect())),
        ("shared_not_checked", Fact::List(shared.collect())),
        ("assurance", text(&handoff.assurance)),
    ]
}

/// Who changed something or did something with the ledger, and what.
fn deed(receipt: &Receipt) -> Option<(&str, Cow<'_, str>)> {
    if let Some(change) = &receipt.change {
        return Some((&change.by, Cow::Borrowed(&change.deed)));
    }
    let anchor = receipt.anchor.as_ref()?;
    let deed = match &anchor.pruned {
        Some(pruned) => format!(
            "prune entries {} to {} below the checkpoint over {} entries",
            pruned.from,
            pruned.upto.saturating_sub(1),
            anchor.size
        ),
        None => format!("keep the checkpoint over {} entries elsewhere", anchor.size),
    };
    Some((&anchor.by, Cow::Owned(deed)))
}

/// Whether nobody did it: the station prunes by itself, once a day.
fn by_itself(receipt: &Receipt) -> bool {
    receipt.kind == "pruned" && receipt.anchor.as_ref().is_some_and(|anchor| anchor.by == "station")
}

/// `Hospital (https://id.example): access token 0123456789abcdef: proved, introspection: not active`.
fn token(token: &TokenFacts) -> String {
    let when = if token.expires.is_empty() {
        String::new()
    } else {
        format!(", expires {}", escape(&token.expires))
    };
    let id = token.id.digits();
    let kind =
        if id.is_empty() { token.kind.word().to_owned() } else { format!("{} {id}", token.kind.word()) };
    let (provider, issuer) = (escape(&token.provider), escape(&token.issuer));
    format!("{provider} ({issuer}): {kind}: {}{when}, {}", token.state.word(), escape(&token.saw))
}

fn held(held: &super::receipt::Held) -> String {
    let who = held.operator.as_ref().map_or_else(String::new, |who| format!(" {}", escape(&who.key)));
    let note = if held.note.is_empty() { String::new() } else { format!(": {}", escape(&held.note)) };
    format!("{} {}{who}{note}", escape(&held.at.utc), escape(&held.kind))
}

// ---------------------------------------------------------------------------------------------
// What the forms agree on
// ---------------------------------------------------------------------------------------------

/// How much an entry should be looked at; every form has its own numbers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// The station's day: opened, handed off, started, stopped, read, annotated.
    Ordinary,
    /// Worth noticing: roster, policy or key was changed, a quarantine released, old entries pruned, sign-ins of a
    /// session left that have not ended yet.
    Notice,
    /// Somebody was not let in.
    Refused,
    /// Something is not as it should be: a badge disabled, a drill or a handoff that was not clean, a sign-in that
    /// could not be ended.
    Wanting,
    /// Somebody should act now: quarantine, break-glass, entries that could not be written.
    Alarm,
}

fn weight(receipt: &Receipt) -> Weight {
    match receipt.kind.as_str() {
        "handoff" if !clean(receipt) => Weight::Wanting,
        "handoff" | "settled" if failed(receipt) => Weight::Wanting,
        "handoff" if ended(&receipt.tokens).unsettled() > 0 => Weight::Notice,
        "drill" if !receipt.note.starts_with("clean") => Weight::Wanting,
        "disabled" => Weight::Wanting,
        "denied" | "badge-unknown" => Weight::Refused,
        "quarantine" | "break-glass" | "discontinuity" => Weight::Alarm,
        "roster" | "policy" | "key" | "released" | "restarted" | "anchored" | "pruned" => Weight::Notice,
        _ => Weight::Ordinary,
    }
}

/// Whether what the entry tells of has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It has. Break-glass has, too: the station opened.
    Success,
    /// It was refused, and can be tried again.
    Refused,
    /// It has failed.
    Failed,
}

fn outcome(receipt: &Receipt) -> Outcome {
    match receipt.kind.as_str() {
        "denied" | "badge-unknown" => Outcome::Refused,
        "disabled" | "quarantine" | "discontinuity" => Outcome::Failed,
        "handoff" if !clean(receipt) => Outcome::Failed,
        "handoff" | "settled" if failed(receipt) => Outcome::Failed,
        "drill" if !receipt.note.starts_with("clean") => Outcome::Failed,
        _ => Outcome::Success,
    }
}

/// Whether something that the session held elsewhere could not be ended and is not tried again.
fn failed(receipt: &Receipt) -> bool {
    ended(&receipt.tokens).of(TokenState::Failed) > 0
}

/// Whether the handoff was finished, and no gate has found anything or could not look; so for whatever is
/// no handoff.
fn clean(receipt: &Receipt) -> bool {
    let finished = receipt.finished();
    finished.map_or(receipt.handoff.is_none(), |facts| counts(&facts.after).clean())
}

/// The instant of a time; the first of 1970 where the text is none, which the store never writes.
fn instant(time: &Time) -> Timestamp {
    time.utc.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The time as RFC 3339 with milliseconds, which knows the years 1 to 9999 alone: a clock beyond them is
/// told as their first instant, and word for word among the facts.
fn rfc3339(time: &Time) -> String {
    let at = instant(time);
    if at.to_zoned(TimeZone::UTC).year() < 1 {
        return "0001-01-01T00:00:00.000Z".to_owned();
    }
    format!("{at:.3}")
}

// ---------------------------------------------------------------------------------------------
// Which entries
// ---------------------------------------------------------------------------------------------

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
    /// Those that name this operator: hers, those in which she took over, what she changed or pruned.
    pub operator: Option<String>,
    /// Those of this station.
    pub station: Option<String>,
}

impl Wanted {
    /// Whether every entry is.
    #[must_use]
    pub fn all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this one is.
    #[must_use]
    pub fn takes(&self, receipt: &Receipt) -> bool {
        let at = instant(&receipt.at);
        self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at < to)
            && self.station.as_ref().is_none_or(|station| *station == receipt.station)
            && self.operator.as_ref().is_none_or(|key| names(receipt, key))
    }
}

fn names(receipt: &Receipt, key: &str) -> bool {
    let is = |who: &Option<super::receipt::Who>| who.as_ref().is_some_and(|who| who.key == key);
    is(&receipt.operator)
        || receipt.handoff.as_ref().is_some_and(|facts| is(&facts.incoming))
        || receipt.change.as_ref().is_some_and(|change| change.by == key)
        || receipt.anchor.as_ref().is_some_and(|anchor| anchor.by == key)
        || receipt.held.iter().any(|held| is(&held.operator))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::receipt::{AnchorFacts, PrunedFacts};

    fn of_kind(kind: &str) -> Receipt {
        let json = format!(
            r#"{{"at":{{"boot_id":"b","boot_ms":1,"utc":"2026-11-23T07:42:10.123Z"}},"index":7,"kind":"{kind}","note":"read twice","operator":{{"key":"sofia","name":"Sofia","role":"Lead"}},"previous":"","schema":"cleanshift/receipt/1","station":"S"}}"#
        );
        Receipt::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_the_station_prunes_by_itself_nobody_did() {
        let mut receipt = of_kind("pruned");
        receipt.operator = None;
        for (by, people) in [("it", 1), ("station", 0)] {
            let pruned = Some(PrunedFacts { from: 2, upto: 5, keep_ms: 1 });
            receipt.anchor = Some(AnchorFacts { by: by.to_owned(), size: 6, root: "ab".to_owned(), pruned });
            let json = receipt.canonical();
            let stored = Stored { index: 7, json: &json, leaf: &[1; 32], root: &[], checkpoint: "" };
            let item = Item { stored: &stored, receipt: &receipt };
            let audit = fhir::audit_event(&item);
            let agents = audit["agent"].as_array().unwrap();
            assert_eq!((agents.len(), &agents[0]["requestor"]), (people + 1, &true.into()), "{agents:?}");
            let actor = &ocsf::event(&item)["actor"];
            assert_eq!(
                (actor["user"].is_object(), actor["app_name"].is_string()),
                (people == 1, people == 0)
            );
            assert!(csv::row(&item).contains(&format!(",{by},prune entries 2 to 4 below")));
        }
    }

    #[test]
    fn what_a_supervisor_does_with_the_log_is_told_as_that() {
        for (kind, activity, code, action) in [
            ("viewed", 2, "110101", "R"),
            ("annotated", 3, "110101", "U"),
            ("attested", 3, "110101", "U"),
            ("exported", 2, "110106", "R"),
        ] {
            let receipt = of_kind(kind);
            let json = receipt.canonical();
            let stored = Stored { index: 7, json: &json, leaf: &[1; 32], root: &[], checkpoint: "" };
            let item = Item { stored: &stored, receipt: &receipt };
            let event = ocsf::event(&item);
            assert_eq!((&event["class_uid"], &event["activity_id"]), (&3004.into(), &activity.into()));
            assert_eq!(event["actor"]["user"]["uid"], "sofia");
            let audit = fhir::audit_event(&item);
            assert_eq!((&audit["type"]["code"], &audit["action"]), (&code.into(), &action.into()));
            assert_eq!((&audit["outcome"], &audit["agent"][0]["requestor"]), (&"0".into(), &true.into()));
            assert_eq!(weight(&receipt), Weight::Ordinary);
        }
    }
}
