//! What a receipt says to people: one plain sentence first, and nothing in it that could forge a line
//! of the log or turn its direction around (requirement E-12).

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::receipt::{GateSaw, HandoffFacts, Receipt, Time};
use super::tokens::signed_out;

/// How often each kind of answer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Looked, and there was nothing.
    pub absent: usize,
    /// The class does not exist on this host.
    pub not_here: usize,
    /// A host setting, as found.
    pub setting: usize,
    /// Looked, and something was there.
    pub present: usize,
    /// Could not look.
    pub unknown: usize,
}

impl Counts {
    /// Whether nothing was found and everything could be looked for.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.present == 0 && self.unknown == 0
    }
}

/// `22 absent · 4 not here · 2 by setting`: never a round number that hides the kinds (promise 4).
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} absent · {} not here · {} by setting", self.absent, self.not_here, self.setting)?;
        if self.present > 0 {
            write!(f, " · {} present", self.present)?;
        }
        if self.unknown > 0 {
            write!(f, " · {} unknown", self.unknown)?;
        }
        Ok(())
    }
}

/// Counts the classes of traces by their answer: of several gates of a class the gravest counts. An answer
/// that this version does not know counts as unknown.
#[must_use]
pub fn counts(gates: &[GateSaw]) -> Counts {
    let mut classes: BTreeMap<u8, u8> = BTreeMap::new();
    for gate in gates {
        let gravity = match gate.answer.as_str() {
            "not-applicable" => 0,
            "setting" => 1,
            "absent" => 2,
            "present" => 4,
            _ => 3,
        };
        let class = classes.entry(gate.class).or_default();
        *class = gravity.max(*class);
    }
    let mut counts = Counts::default();
    for gravity in classes.into_values() {
        match gravity {
            0 => counts.not_here += 1,
            1 => counts.setting += 1,
            2 => counts.absent += 1,
            4 => counts.present += 1,
            _ => counts.unknown += 1,
        }
    }
    counts
}

/// The text with every character that could forge or reorder what is shown (controls, line and
/// paragraph separators, bidirectional marks, invisible ones) written as `\u{202e}`.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if forges(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn forges(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What the receipt says, in a sentence, with times of the station's own time zone.
#[must_use]
pub fn sentence(receipt: &Receipt) -> String {
    sentence_in(receipt, &TimeZone::system())
}

/// The same in another time zone.
#[must_use]
pub fn sentence_in(receipt: &Receipt, zone: &TimeZone) -> String {
    let at = clock(&receipt.at, zone);
    let who = receipt.operator.as_ref().map(|who| escape(&who.name));
    let name = who.as_deref().unwrap_or("Somebody");
    let note = escape(&receipt.note);
    let because = if note.is_empty() { String::new() } else { format!(": {note}") };
    match receipt.kind.as_str() {
        "handoff" => match &receipt.handoff {
            Some(facts) => handoff(receipt, facts, zone),
            None => format!("A handoff was recorded at {at} without its facts"),
        },
        "opened" => format!("{name}'s session opened at {at}"),
        "denied" => format!("{name} was not let in at {at}{because}"),
        "disabled" => format!("{name}'s badge was disabled at {at}{because}"),
        "badge-unknown" => format!("A badge that is not known here was shown at {at}"),
        "quarantine" => match &who {
            Some(who) => {
                let elsewhere = elsewhere(receipt);
                format!("The station was quarantined at {at} after {who}'s session{because}{elsewhere}")
            }
            None => format!("The station was quarantined at {at}{because}"),
        },
        "released" => format!("{name} released the station from quarantine at {at}"),
        "restarted" => format!("{name} had the machine started anew at {at}"),
        "break-glass" => {
            let code = receipt.operator.as_ref().map(|who| escape(&who.role)).unwrap_or_default();
            let why = if note.is_empty() { "no reason given".to_owned() } else { note.clone() };
            let unproved = receipt.handoff.as_ref().map(|facts| unproved(&facts.after)).unwrap_or_default();
            let elsewhere = elsewhere(receipt);
            format!(
                "Emergency access opened the station at {at} with the code {code}: {why}{unproved}{elsewhere}"
            )
        }
        "discontinuity" => {
            let held = number(receipt.held.len(), "entry", "entries");
            format!("{held} of before {at} could not be written when it happened, and is told now")
        }
        "drill" => match &who {
            Some(who) => format!("{who} had a drill held at {at}{because}"),
            None => format!("A drill was held at {at}{because}"),
        },
        "viewed" => format!("{name} opened the handoff log at {at}"),
        "annotated" => format!("{name} wrote at {at} about {}{because}", entry_of(receipt)),
        "attested" => format!("{name} looked at {} at {at}, and stands for it{because}", entry_of(receipt)),
        "exported" => format!("{name} took a copy of the handoff log at {at}{because}"),
        "started" => format!("The station started at {at}{because}"),
        "stopped" => format!("The station stopped at {at}"),
        "settled" => {
            let told = signed_out(&receipt.tokens);
            let whose = match (&receipt.about, &who) {
                (Some(about), Some(who)) => format!("{who}'s session of entry {}", about.entry),
                (Some(about), None) => format!("the session of entry {}", about.entry),
                (None, _) => "an earlier session".to_owned(),
            };
            let told = if told.is_empty() { told } else { format!("; signed out at {told}") };
            format!("More was known at {at} of what {whose} held elsewhere{told}{because}")
        }
        "anchored" => match &receipt.anchor {
            Some(anchor) => {
                let (by, size) = (whose(&anchor.by), anchor.size);
                format!("{by} keeps the checkpoint over {size} entries elsewhere since {at}{because}")
            }
            None => format!("A checkpoint is kept elsewhere since {at}"),
        },
        "pruned" => match receipt.anchor.as_ref().and_then(|anchor| anchor.pruned.as_ref().zip(Some(anchor)))
        {
            Some((pruned, anchor)) => format!(
                "The text of entries {} to {}, but of changes that still count, was given up by {} at {at}, as the \
                 policy says; their hashes stay, below the checkpoint over {} entries",
                pruned.from,
                pruned.upto.saturating_sub(1),
                whose(&anchor.by),
                anchor.size
            ),
            None => format!("The text of old entries was given up at {at}"),
        },
        kind @ ("roster" | "policy" | "key") => match &receipt.change {
            Some(change) => {
                let (by, deed) = (whose(&change.by), escape(&change.deed));
                format!("The {kind} was changed by {by} at {at}: {deed}")
            }
            None => format!("The {kind} was changed at {at}"),
        },
        kind => format!("{} at {at}{because}", escape(kind)),
    }
}

/// Who has made a change: an operator by her key, the command line by the department that works with it.
fn whose(by: &str) -> String {
    match by {
        "it" => "IT".to_owned(),
        "station" => "the station".to_owned(),
        other => escape(other),
    }
}

fn handoff(receipt: &Receipt, facts: &HandoffFacts, zone: &TimeZone) -> String {
    let began = clock(&facts.began, zone);
    let incoming = facts.incoming.as_ref().map(|who| escape(&who.name));
    let why = match facts.trigger.as_str() {
        "fresh-start" if receipt.operator.is_some() => "to begin afresh".to_owned(),
        trigger => because(trigger, incoming.as_deref()),
    };
    let mut parts = vec![match &receipt.operator {
        Some(who) => format!("{}'s session ended at {began} {why}", escape(&who.name)),
        None => format!("The station was made ready at {began} {why}; no session was open"),
    }];
    if !facts.apps.is_empty() {
        let forced = facts.apps.iter().filter(|app| !app.gracefully).count();
        parts.push(format!("{} closed, {forced} forced", number(facts.apps.len() - forced, "app", "apps")));
    }
    let counts = counts(&facts.after);
    let mut gates = format!(
        "{} absent, {} not here, {} by setting",
        number(counts.absent, "trace", "traces"),
        counts.not_here,
        counts.setting
    );
    if !counts.clean() {
        gates.push_str(&format!(", {} present, {} unknown", counts.present, counts.unknown));
    }
    parts.push(gates);
    let told = signed_out(&receipt.tokens);
    if !told.is_empty() {
        parts.push(format!("signed out at {told}"));
    }
    let took = seconds(facts.clean_after_us);
    parts.push(match facts.rounds {
        0 | 1 => format!("clean in {took}"),
        rounds => format!("clean in {took}, after {rounds} rounds"),
    });
    parts.join("; ")
}

/// What had become of the sign-ins of a session whose handoff is not finished.
fn elsewhere(receipt: &Receipt) -> String {
    let told = signed_out(&receipt.tokens);
    if told.is_empty() { told } else { format!("; signed out at {told}") }
}

fn entry_of(receipt: &Receipt) -> String {
    receipt.about.as_ref().map_or_else(|| "an entry".to_owned(), |about| format!("entry {}", about.entry))
}

/// What the gates had not proved when emergency access opened a station.
fn unproved(gates: &[GateSaw]) -> String {
    let open = gates.iter().filter(|gate| matches!(gate.answer.as_str(), "present" | "unknown"));
    let open: Vec<_> =
        open.map(|gate| format!("{} ({})", escape(&gate.gate), escape(&gate.answer))).collect();
    if open.is_empty() {
        "; the clean-up before it was not finished".to_owned()
    } else {
        format!("; not proved clean: {}", open.join(", "))
    }
}

fn because(trigger: &str, incoming: Option<&str>) -> String {
    match trigger {
        "badge-out" => "because the badge was taken away".to_owned(),
        "tap-out" => "because the badge was tapped again".to_owned(),
        "takeover" => format!("because {} tapped in", incoming.unwrap_or("somebody else")),
        "idle" => "because nobody touched the station".to_owned(),
        "drill" => "for a drill".to_owned(),
        "ended" => "by its own end button".to_owned(),
        "expired" => "because its time was over".to_owned(),
        "reader-lost" => "because the badge reader was lost".to_owned(),
        "suspend" => "because the machine went to sleep".to_owned(),
        "maintenance" => "because the shell was asked to stop".to_owned(),
        "revoked" => "because an identity provider has revoked it".to_owned(),
        "fault" => "because something in the station failed".to_owned(),
        "fresh-start" => "because the shell started".to_owned(),
        "recovery" => "because the shell before was ended in the middle of it".to_owned(),
        other => format!("({})", escape(other)),
    }
}

fn number(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Microseconds as people read them: `0.31 s`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub fn seconds(micros: u64) -> String {
    format!("{:.2} s", micros as f64 / 1e6)
}

/// The time of day, `07:42:10`; the stored text where it is no time.
fn clock(time: &Time, zone: &TimeZone) -> String {
    local(time, zone, "%H:%M:%S")
}

/// A receipt's time in this zone and form (as `strftime`); the stored text where it is no time.
#[must_use]
pub fn local(time: &Time, zone: &TimeZone, form: &str) -> String {
    match time.utc.parse::<jiff::Timestamp>() {
        Ok(at) => at.to_zoned(zone.clone()).strftime(form).to_string(),
        Err(_) => escape(&time.utc),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::receipt::{AppClosed, Who};

    fn gates(answers: &[(&str, usize)]) -> Vec<GateSaw> {
        let one = |class: u8, answer: &str| GateSaw {
            class,
            gate: "processes".to_owned(),
            answer: answer.to_owned(),
            saw: String::new(),
            method: String::new(),
            took_us: 1,
        };
        let each = answers.iter().flat_map(|(answer, times)| vec![*answer; *times]);
        (1..).zip(each).map(|(class, answer)| one(class, answer)).collect()
    }

    fn who(key: &str, name: &str) -> Option<Who> {
        Some(Who { key: key.to_owned(), name: name.to_owned(), role: "Nurse".to_owned() })
    }

    fn takeover() -> Receipt {
        let time = |utc: &str| Time { utc: utc.to_owned(), boot_ms: 1, boot_id: String::new() };
        let app = |gracefully| AppClosed { name: "Chart".to_owned(), gracefully };
        Receipt {
            schema: "cleanshift/receipt/1".to_owned(),
            station: "Station 12".to_owned(),
            index: 7,
            previous: String::new(),
            at: time("2026-11-23T07:42:10.433Z"),
            kind: "handoff".to_owned(),
            operator: who("ana.ruiz", "Ana Ruiz"),
            note: String::new(),
            handoff: Some(HandoffFacts {
                trigger: "takeover".to_owned(),
                incoming: who("ben.osei", "Ben Osei"),
                opened: None,
                began: time("2026-11-23T07:42:10.123Z"),
                covered_after_us: 900,
                clean_after_us: 310_000,
                rounds: 1,
                apps: vec![app(true), app(true), app(true), app(true), app(false)],
                proof: "init pidfd".to_owned(),
                inside: Vec::new(),
                after: gates(&[("absent", 22), ("not-applicable", 4), ("setting", 2)]),
                shared: Vec::new(),
                assurance: String::new(),
            }),
            change: None,
            anchor: None,
            about: None,
            held: Vec::new(),
            session: String::new(),
            tokens: Vec::new(),
            capabilities: Vec::new(),
            policy: String::new(),
        }
    }

    #[test]
    fn a_handoff_is_one_plain_sentence() {
        assert_eq!(
            sentence_in(&takeover(), &TimeZone::UTC),
            "Ana Ruiz's session ended at 07:42:10 because Ben Osei tapped in; 4 apps closed, 1 forced; \
             22 traces absent, 4 not here, 2 by setting; clean in 0.31 s"
        );
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert!(sentence_in(&takeover(), &zone).contains("at 09:42:10"));
    }

    #[test]
    fn what_a_session_held_elsewhere_is_told_where_it_ends_and_when_more_is_known() {
        let mut receipt = takeover();
        let token = |kind: &str, state: &str| {
            let (id, saw) = ("0123456789abcdef", "introspection: not active");
            let json = serde_json::json!({
                "provider": "Hospital", "issuer": "https://id.example", "kind": kind, "id": id, "state": state, "saw": saw,
            });
            serde_json::from_value(json).unwrap()
        };
        receipt.session = "5e55".to_owned();
        receipt.tokens = [("proof key", "proved"), ("refresh token", "proved"), ("access token", "pending")]
            .map(|(k, s)| token(k, s))
            .into();
        let told = sentence_in(&receipt, &TimeZone::UTC);
        assert!(
            told.ends_with("2 by setting; signed out at Hospital: 2 proved, 1 pending; clean in 0.31 s"),
            "{told}"
        );
        receipt.handoff = None;
        receipt.kind = "quarantine".to_owned();
        let told = sentence_in(&receipt, &TimeZone::UTC);
        assert!(
            told.ends_with("after Ana Ruiz's session; signed out at Hospital: 2 proved, 1 pending"),
            "{told}"
        );
        receipt.kind = "settled".to_owned();
        receipt.tokens = vec![token("access token", "expired")];
        receipt.about = Some(crate::evidence::receipt::About { entry: 6, leaf: String::new() });
        assert_eq!(
            sentence_in(&receipt, &TimeZone::UTC),
            "More was known at 07:42:10 of what Ana Ruiz's session of entry 6 held elsewhere; signed out at Hospital: \
             1 expired"
        );
        (receipt.about, receipt.operator, receipt.tokens) = (None, None, Vec::new());
        let told = sentence_in(&receipt, &TimeZone::UTC);
        assert_eq!(told, "More was known at 07:42:10 of what an earlier session held elsewhere");
        assert_eq!(Receipt::read(&receipt.canonical()).unwrap(), receipt);
    }

    #[test]
    fn no_name_forges_a_line_or_turns_the_text() {
        let mut receipt = takeover();
        receipt.operator = who("x", "Ana\n07:00 all clean\u{202e}\u{1b}[2J");
        let shown = sentence_in(&receipt, &TimeZone::UTC);
        assert!(shown.starts_with("Ana\\u{a}07:00 all clean\\u{202e}\\u{1b}[2J's session"), "{shown}");
        assert_eq!(escape("Zoë Ærø 東京 —"), "Zoë Ærø 東京 —");
        assert_eq!(escape("\u{85}\u{2066}\u{2028}\u{200f}"), "\\u{85}\\u{2066}\\u{2028}\\u{200f}");
    }

    #[test]
    fn counts_hide_no_kind() {
        let all = gates(&[("absent", 2), ("not-applicable", 1), ("present", 1), ("unknown", 1), ("odd", 1)]);
        let counts = counts(&all);
        assert!(!counts.clean());
        assert_eq!(counts.to_string(), "2 absent · 1 not here · 0 by setting · 1 present · 2 unknown");
        // A class has one answer: what one of its gates has found is not hidden by what another has not.
        let mut same = gates(&[("absent", 2), ("present", 1), ("setting", 1)]);
        same.iter_mut().for_each(|gate| gate.class = 5);
        assert_eq!(super::counts(&same).to_string(), "0 absent · 0 not here · 0 by setting · 1 present");
    }

    #[test]
    fn canonical_json_has_sorted_keys_and_reads_back() {
        let receipt = takeover();
        let json = receipt.canonical();
        assert!(json.starts_with(br#"{"at":{"boot_id":"","boot_ms":1,"utc":"2026-11-23T07:42:10.433Z"},"#));
        assert!(json.ends_with(br#""previous":"","schema":"cleanshift/receipt/1","station":"Station 12"}"#));
        assert_eq!(Receipt::read(&json).unwrap(), receipt);
    }
}
