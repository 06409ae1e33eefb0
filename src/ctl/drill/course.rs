//! The course of a drill: on the bare host first (is every canary seen?), then in a real session that
//! is handed off (is every canary gone?).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::control::{self, Control, Failure};
use super::planted::Planted;
use super::search::{Found, search};
use super::session::{self, Handoff};
use super::table::{CLASSES, Row, Sight, Table};
use crate::ctl::demo::stage::Stage;
use crate::platform::linux::canary::Side;
use crate::platform::linux::capsule::random_hex;
use crate::platform::linux::drill::classes::NOT_PLANTED;

/// Runs a drill on a stage that was set for it; `session_alone` leaves out the controls and the search.
///
/// # Errors
/// When it cannot run to its end; what the station does wrong is no error but a verdict.
pub fn run(stage: &mut Stage, policy: Option<&Path>, session_alone: bool) -> io::Result<Table> {
    let seed = random_hex(16)?;
    let since = i64::try_from(super::now().as_secs()).unwrap_or(0);
    let browser = Path::new("/usr/bin/chromium").exists();
    stage.account.make_dir(&stage.dir.join("shared"))?;

    let control = if session_alone { Control::default() } else { control::run(stage, &seed, Some(since))? };
    let text = session::policy(stage, policy, &seed, browser)?;
    let _ = stage.write("policy.toml", &text)?;
    let one_time = session::enrol(stage)?;
    let mark = stage.mark();
    stage.start_shell()?;
    stage.wait_state(mark, "vacant, ready")?;
    // An empty session first: what is always there inside must not pass for what was planted.
    session::come(stage, Some(&one_time))?;
    let (empty, mut barred) = left_or_barred(stage)?;
    let mut contained = Vec::new();
    let mut handoff = Handoff::default();
    if barred.is_none() {
        session::come(stage, None)?;
        contained = session::plant(stage, &seed, browser)?;
        (handoff, barred) = left_or_barred(stage)?;
    }
    let after = if session_alone { Found::default() } else { search(stage, &seed, since, &control.planted) };
    // The station heals itself where a second round can; that the first one left something stands.
    if barred.is_none() && handoff.rounds > 1 {
        barred = Some(format!("it took {} rounds of clean-up: the first left something", handoff.rounds));
    }
    if browser && barred.is_none() && !handoff.apps.iter().any(|(app, closed)| app == "Chromium" && *closed) {
        barred = Some(
            "the receipt does not say that Chromium, which was open, closed when it was asked".to_owned(),
        );
    }
    let failed = |failure: &Failure| format!("control: {} ({}) {}", failure.gate, failure.class, failure.why);
    let mut notes: Vec<String> = control.failures.iter().map(failed).collect();
    notes.extend(after.not_searched.iter().map(|what| format!("not searched: {what}")));
    if after.unreadable > 0 {
        notes.push(format!("{} places may not be read by this account", after.unreadable));
    }
    if stage.account.shared() {
        notes.push(
            "shared account: a person can sign in to it; the gates compare with what stood here before the drill"
                .to_owned(),
        );
    }
    let _ = stage.stop_shell()?;
    let rows = rows(&Seen {
        control: &control,
        empty: &empty,
        handoff: &handoff,
        contained: &contained,
        after: &after,
    });
    Ok(Table { rows, barred, notes })
}

/// Ends the session; a station that does not come clean says why instead.
fn left_or_barred(stage: &Stage) -> io::Result<(Handoff, Option<String>)> {
    match session::leave(stage) {
        Ok(handoff) => Ok((handoff, None)),
        Err(error) => {
            let text = error.to_string();
            let found: Vec<&str> = text
                .lines()
                .filter_map(|line| line.split_once("not clean: ").map(|(_, found)| found.trim()))
                .collect();
            let why = if found.is_empty() { "it did not say why".to_owned() } else { found.join(" ") };
            Ok((session::last(stage).unwrap_or_default(), Some(why)))
        }
    }
}

struct Seen<'a> {
    control: &'a Control,
    empty: &'a Handoff,
    handoff: &'a Handoff,
    contained: &'a [Planted],
    after: &'a Found,
}

fn rows(seen: &Seen<'_>) -> Vec<Row> {
    (1..=28).take(CLASSES.len()).map(|class| row(class, seen)).collect()
}

fn row(class: u8, seen: &Seen<'_>) -> Row {
    let done = |planted: &[Planted]| -> Vec<String> {
        planted
            .iter()
            .filter(|planted| planted.class == class && planted.done)
            .map(|planted| planted.what.clone())
            .collect()
    };
    let (contained, escaped) = (done(seen.contained), done(&seen.control.planted));
    let mut reasons: BTreeSet<&str> = BTreeSet::new();
    for planted in seen.contained.iter().chain(&seen.control.planted) {
        if planted.class == class && !planted.done {
            let _ = reasons.insert(&planted.what);
        }
    }
    let _ =
        NOT_PLANTED.iter().filter(|(known, _)| *known == class).map(|(_, why)| reasons.insert(why)).count();
    let searched = match seen.control.found.classes(Side::Escaped).contains(&class) {
        true => Sight::Saw,
        // What lives as a number in a table alone has no word to be found by.
        false if escaped.is_empty() => Sight::Nothing,
        false => Sight::Missed,
    };
    let left = [Side::Contained, Side::Escaped]
        .iter()
        .filter_map(|side| seen.after.places.get(&(side.word(), class)))
        .flatten()
        .cloned()
        .collect();
    Row {
        class,
        inside: inside(class, &contained, seen),
        outside: outside(class, &escaped, seen.control),
        searched,
        answer: answer(class, &seen.handoff.after),
        why_not: reasons.into_iter().collect::<Vec<_>>().join("; "),
        contained,
        escaped,
        left,
    }
}

/// Whether more of a class was counted inside than in an empty session.
fn inside(class: u8, contained: &[String], seen: &Seen<'_>) -> Sight {
    if contained.is_empty() {
        return Sight::Nothing;
    }
    let of = |handoff: &Handoff| -> BTreeMap<String, u64> {
        let rows = handoff.inside.iter().filter(|(found, _, _)| *found == class);
        rows.map(|(_, gate, count)| (gate.clone(), *count)).collect()
    };
    let before = of(seen.empty);
    let more = of(seen.handoff).iter().any(|(gate, count)| *count > before.get(gate).copied().unwrap_or(0));
    if more { Sight::Saw } else { Sight::Missed }
}

/// Whether the gates of a class passed the controls.
fn outside(class: u8, escaped: &[String], control: &Control) -> Sight {
    if control.failures.iter().any(|failure| failure.class == class) {
        Sight::Missed
    } else if control.by_reach.contains(&class) {
        Sight::Reach
    } else if escaped.is_empty() {
        Sight::Nothing
    } else {
        Sight::Saw
    }
}

/// A class's answer: the gravest that its gates gave.
fn answer(class: u8, after: &[(u8, String, String, String, String)]) -> String {
    let given: Vec<&str> = after.iter().filter(|row| row.0 == class).map(|row| row.2.as_str()).collect();
    let order = ["present", "unknown", "absent", "setting", "not-applicable"];
    order.into_iter().find(|kind| given.contains(kind)).unwrap_or_default().to_owned()
}
