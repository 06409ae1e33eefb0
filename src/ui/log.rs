//! The handoff log as it was read: each entry is read once, not at every drawing.

use jiff::tz::TimeZone;

use crate::driver::scene::{LogScene, Written};
use crate::evidence::{Receipt, counts, escape, words};

/// The handoff log, as far as it was read.
#[derive(Debug, Default)]
pub struct Log {
    /// The entries, newest first.
    pub entries: Vec<Shown>,
    /// The number of the entry that is open.
    pub open: Option<u64>,
}

/// An entry as the list shows it.
#[derive(Debug)]
pub struct Shown {
    /// The entry as it was stored.
    pub written: Written,
    /// What was read of it, or why it could not be read.
    pub receipt: Result<Receipt, String>,
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

impl Log {
    /// Takes over what the scene has; what was read already is kept.
    pub fn follow(&mut self, scene: Option<&LogScene>, zone: &TimeZone) {
        let Some(scene) = scene else {
            *self = Self::default();
            return;
        };
        let mut old: Vec<Option<Shown>> = std::mem::take(&mut self.entries).into_iter().map(Some).collect();
        let mut place = 0;
        for written in &scene.entries {
            // Both lists run from new to old, so one pass finds what was read already.
            while old.get(place).and_then(Option::as_ref).is_some_and(|s| s.written.index > written.index) {
                place += 1;
            }
            let same = old.get_mut(place).filter(|s| s.as_ref().is_some_and(|s| s.written == *written));
            let shown = same.and_then(Option::take).unwrap_or_else(|| Shown::read(written, zone));
            self.entries.push(shown);
        }
    }

    /// The entry that is open.
    #[must_use]
    pub fn opened(&self) -> Option<&Shown> {
        self.entries.iter().find(|shown| Some(shown.written.index) == self.open)
    }
}

impl Shown {
    fn read(written: &Written, zone: &TimeZone) -> Self {
        let receipt = Receipt::read(&written.json);
        let mut shown = Self {
            written: written.clone(),
            day: String::new(),
            time: String::new(),
            who: String::new(),
            what: "This entry cannot be read".to_owned(),
            apps: String::new(),
            took: String::new(),
            verdict: Verdict::Unreadable,
            receipt,
        };
        if let Ok(receipt) = &shown.receipt {
            shown.day = words::local(&receipt.at, zone, "%a %-d %b");
            shown.time = words::local(&receipt.at, zone, "%H:%M:%S");
            shown.who = who(receipt);
            shown.what = what(receipt);
            if let Some(facts) = &receipt.handoff {
                let forced = facts.apps.iter().filter(|app| !app.gracefully).count();
                shown.apps = match (facts.apps.len(), forced) {
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
    match (&receipt.handoff, name) {
        (Some(facts), name) => {
            let next = facts.incoming.as_ref().map_or_else(|| "vacant".to_owned(), |who| escape(&who.name));
            format!("{} → {next}", name.unwrap_or_else(|| "nobody".to_owned()))
        }
        (None, Some(name)) => name,
        (None, None) => match &receipt.change {
            Some(change) => escape(&change.by),
            None => "Station".to_owned(),
        },
    }
}

fn what(receipt: &Receipt) -> String {
    if let Some(facts) = &receipt.handoff {
        return match facts.trigger.as_str() {
            "badge-out" => "badge taken".to_owned(),
            "tap-out" => "badge tapped again".to_owned(),
            "takeover" => "taken over".to_owned(),
            "idle" => "nobody there".to_owned(),
            "drill" => "for a drill".to_owned(),
            "ended" => "ended".to_owned(),
            "expired" => "time over".to_owned(),
            "reader-lost" => "reader lost".to_owned(),
            "suspend" => "went to sleep".to_owned(),
            "maintenance" => "shell stopped".to_owned(),
            "fault" => "fault".to_owned(),
            "fresh-start" => "made ready after a start".to_owned(),
            "recovery" => "recovered after a stop".to_owned(),
            other => escape(other),
        };
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
        "started" => "station started".to_owned(),
        "stopped" => "station stopped".to_owned(),
        "roster" => "roster changed".to_owned(),
        "policy" => "policy changed".to_owned(),
        "key" => "station key".to_owned(),
        other => escape(other),
    }
}

fn verdict(receipt: &Receipt) -> Verdict {
    match (&receipt.handoff, receipt.kind.as_str()) {
        (Some(facts), _) if counts(&facts.after).clean() => Verdict::Clean,
        (Some(_), _) | (None, "quarantine") => Verdict::NotClean,
        (None, "disabled" | "denied" | "badge-unknown") => Verdict::Refused,
        (None, _) => Verdict::None,
    }
}
