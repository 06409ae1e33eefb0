//! The rules of a drill that is held at the station itself, checked on one edge.

use cleanshift::handoff::station::{Capsule, Doing, DrillDoing, DrillEnd, LogView};
use cleanshift::handoff::{
    Attended, BadgeMode, DrillPart, Effect, Event, Moment, OperatorId, Presented, Record, Rules, Station,
    Trigger,
};

use super::check::ensure;
use super::small::operator;

/// Whether whoever is at work may have a drill held just now.
pub(super) fn may_drill(attended: &Attended, rules: &Rules) -> bool {
    let rights = rules.supervisors;
    attended.operator.supervisor && rights.read_log && rights.drill && attended.log == LogView::Open
}

/// The drill: begun by a supervisor alone, after a receipt; opened in the ledger before it plants; never
/// shown; left for a clean-up of its own, at once for whoever wants to work; entered once.
pub(super) fn drill(
    before: &Station,
    at: Moment,
    event: Event,
    after: &Station,
    effects: &[Effect],
    rules: &Rules,
) -> Result<(), String> {
    let entered = effects.iter().filter(|effect| matches!(effect, Effect::Record(_, Record::Drilled(_))));
    let entered = entered.count();
    let ends = |station: &Station| matches!(station, Station::CleanUp(clean_up) if matches!(clean_up.drill, Some(DrillEnd::Ends(_))));
    let follows = |station: &Station| match station {
        Station::CleanUp(clean_up) => match clean_up.drill {
            Some(DrillEnd::Follows(proof)) => Some(proof),
            Some(DrillEnd::Ends(_)) | None => None,
        },
        _ => None,
    };
    // It follows a supervisor's own session alone, on her wish.
    if let Some(proof) = follows(after)
        && follows(before).is_none()
    {
        let asked = matches!(before, Station::Attended(attended) if event == Event::DrillWished
            && may_drill(attended, rules) && attended.proof() == proof);
        ensure(asked, "drill: only a supervisor who reads the log has one held")?;
    }
    if let (Station::Drill(drill), false) = (after, matches!(before, Station::Drill(_))) {
        let proof = follows(before).ok_or("drill: it begins where one was to follow")?;
        let recorded =
            matches!(effects, [Effect::Record(_, Record::DrillOpened(by))] if *by == proof.operator());
        ensure(
            recorded && drill.by() == proof.operator(),
            "drill: it begins with its opening entry, and by whom",
        )?;
        ensure(drill.common.capsule == Capsule::None, "drill: no capsule stands while it begins")?;
    }
    // What must be: a drill that nobody stands in the way of begins; a guest is never kept waiting by one.
    if let Station::CleanUp(clean_up) = before
        && follows(before).is_some()
        && clean_up.doing == Doing::Receipt
        && event == Event::Recorded(clean_up.turn, true)
    {
        let expected = clean_up.guest.is_none() && !clean_up.stopping;
        ensure(matches!(after, Station::Drill(_)) == expected, "drill: it follows where nobody waits")?;
    }
    if let Station::CleanUp(clean_up) = after
        && clean_up.guest.is_some()
    {
        ensure(follows(after).is_none(), "drill: none follows where somebody waits")?;
    }
    let planting = effects.iter().find_map(|effect| match effect {
        Effect::Drill(_, part) => Some(*part),
        _ => None,
    });
    if let Station::Drill(was) = before {
        let answered = match (event, was.doing) {
            (Event::Recorded(turn, true), DrillDoing::Recording(asked)) if turn == asked => {
                Some(DrillPart::Escaped)
            }
            (Event::Prepared(turn, true), DrillDoing::Building) => {
                let asked = matches!(was.common.capsule, Capsule::Building(asked, _) if asked == turn);
                asked.then_some(DrillPart::Contained)
            }
            _ => None,
        };
        ensure(
            planting == answered,
            "drill: it plants after its entry is durable, and inside once a capsule stands",
        )?;
        let own = was.by();
        let ends_for = match event {
            Event::BadgeIn(Presented::Rostered(other)) if other.id != own => Some(Trigger::Takeover),
            Event::BadgeIn(Presented::Rostered(_)) if rules.badge_mode == BadgeMode::Tap => {
                Some(Trigger::TapOut)
            }
            Event::BadgeOut(id) if id == own && rules.badge_mode == BadgeMode::Hold => {
                Some(Trigger::BadgeOut)
            }
            Event::Cancelled | Event::EndWished => Some(Trigger::Ended),
            Event::ReaderLost => Some(Trigger::ReaderLost),
            Event::Suspending => Some(Trigger::Suspend),
            Event::Stopping => Some(Trigger::Maintenance),
            Event::CapsuleLost if was.common.capsule != Capsule::None => Some(Trigger::Fault),
            Event::TimeCame if was.until <= at => Some(Trigger::Fault),
            Event::TimeCame => match was.common.capsule {
                Capsule::Building(_, until) if until <= at => Some(Trigger::Fault),
                _ => None,
            },
            Event::Recorded(turn, false) if was.doing == DrillDoing::Recording(turn) => Some(Trigger::Fault),
            Event::Prepared(turn, false) if matches!(was.common.capsule, Capsule::Building(asked, _) if asked == turn) => {
                Some(Trigger::Fault)
            }
            Event::Drilled(turn, done) => match was.doing {
                DrillDoing::Part(asked, part) if asked == turn && (part == DrillPart::Contained || !done) => {
                    Some(Trigger::Drill)
                }
                _ => None,
            },
            _ => None,
        };
        match (ends_for, after) {
            (Some(trigger), Station::CleanUp(clean_up)) => {
                ensure(
                    clean_up.trigger == trigger
                        && clean_up.outgoing == Some(OperatorId::DRILL)
                        && clean_up.drill == Some(DrillEnd::Ends(own)),
                    "drill: it ends in a handoff of its own",
                )?;
                let takes = event
                    == Event::BadgeIn(Presented::Rostered(
                        clean_up.guest.map_or(operator(9), |guest| guest.operator),
                    ));
                ensure(
                    takes == (trigger == Trigger::Takeover),
                    "drill: whoever wants to work waits for the handoff alone",
                )?;
                let stops = effects.contains(&Effect::EndDrill);
                ensure(stops == (trigger != Trigger::Drill), "drill: what is under way ends with it")?;
            }
            (Some(_), _) => return Err("drill: what must end it does".to_owned()),
            (None, Station::Drill(_)) => {}
            (None, _) => return Err("drill: nothing else ends it".to_owned()),
        }
    } else {
        ensure(planting.is_none(), "drill: nothing is planted outside a drill")?;
    }
    // Somebody who waits behind its handoff does not wait for a search.
    if let (Station::CleanUp(was), Station::CleanUp(is)) = (before, after)
        && ends(before)
        && ends(after)
        && was.guest.is_none()
        && is.guest.is_some()
    {
        ensure(effects.contains(&Effect::EndDrill), "drill: its search ends for whoever waits")?;
        ensure(
            is.until <= at.after(rules.step_limit.max(rules.grace + rules.step_limit)),
            "drill: and is waited for no longer than a step",
        )?;
    }
    // It is entered once, when its handoff is complete or the station is barred.
    let over = ends(before) && !ends(after);
    ensure(entered == usize::from(over), "drill: it is entered once, at its end")?;
    ensure(!over || settled_or_barred(after), "drill: its end is a complete handoff or a quarantine")
}

fn settled_or_barred(station: &Station) -> bool {
    matches!(station, Station::Vacant(_) | Station::Challenge(_) | Station::Quarantine(_))
}
