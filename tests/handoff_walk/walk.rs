//! Walks every state that a small station can reach, over every event, and checks the seven rules of
//! the core on each edge: what must never happen, and what must.
//!
//! The walk is finite because time is relative and turns are numbered by age: after each edge both
//! are moved back to where they began, which changes nothing for a core that only compares them.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a walk that cannot go on has failed, and a rule names the events it is about"
)]

use std::collections::{HashMap, VecDeque};

use cleanshift::handoff::station::{Capsule, Common, Doing, DrillDoing, DrillEnd, LogView, Stage};
use cleanshift::handoff::{
    App, AppWish, Attended, BadgeMode, DrillPart, Effect, EmergencyAccess, Event, Finding, Guest, Moment,
    Operator, OperatorId, PinAnswer, PinVerified, Presented, Record, Refusal, Roles, Rules, Station, Step,
    SupervisorRights, Trigger, Turn, Window,
};

/// The moment at which every edge begins.
const NOW: Moment = Moment(1_000);
/// Longer ago than this is all the same.
const LONG_AGO: u64 = 7;

fn operator(id: u32) -> Operator {
    Operator {
        id: OperatorId(id),
        roles: Roles(if id == 1 { 0b01 } else { 0b11 }),
        supervisor: id == 3,
        until: None,
    }
}

/// A small station to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Small {
    /// Badges are tapped; supervisors may do nothing.
    Tap,
    /// Badges are held; supervisors may do all.
    Hold,
    /// Badges are tapped, and supervisors may have drills held; with shorter times and fewer people.
    DrillTap,
    /// The same with badges that are held.
    DrillHold,
    /// Held badges with break-glass, and with shorter times and fewer people, so that it stays small.
    BreakGlass,
}

/// Every small station.
pub(crate) const ALL_SMALL: [Small; 5] =
    [Small::DrillTap, Small::DrillHold, Small::BreakGlass, Small::Tap, Small::Hold];

fn rules(small: Small) -> Rules {
    if small == Small::BreakGlass {
        return Rules {
            idle: 2,
            warning: 1,
            absolute: 3,
            patience: 1,
            grace: 0,
            step_limit: 1,
            retries: 0,
            quarantine_pause: 1,
            emergency: Some(EmergencyAccess { roles: Roles(0b10), longest: 2, patience: 1 }),
            ..rules(Small::Hold)
        };
    }
    if matches!(small, Small::DrillTap | Small::DrillHold) {
        let held = rules(Small::Hold);
        return Rules {
            badge_mode: if small == Small::DrillTap { BadgeMode::Tap } else { BadgeMode::Hold },
            idle: 2,
            warning: 1,
            absolute: 3,
            patience: 1,
            grace: 0,
            step_limit: 1,
            retries: 0,
            quarantine_pause: 1,
            supervisors: SupervisorRights { drill: true, ..held.supervisors },
            ..held
        };
    }
    let badge_mode = if small == Small::Tap { BadgeMode::Tap } else { BadgeMode::Hold };
    Rules {
        badge_mode,
        idle: 4,
        warning: 2,
        absolute: 6,
        patience: 3,
        grace: 1,
        step_limit: 2,
        retries: 1,
        quarantine_retries: 1,
        quarantine_pause: 2,
        emergency: None,
        // In one mode supervisors may do all, in the other nothing.
        supervisors: SupervisorRights {
            read_log: badge_mode == BadgeMode::Hold,
            release: badge_mode == BadgeMode::Hold,
            enable_badge: badge_mode == BadgeMode::Hold,
            // Drills are the business of walks of their own, which are small enough for them.
            drill: false,
        },
        apps: vec![Roles(0b01), Roles(0b10)],
    }
}

// ---------------------------------------------------------------------------------------------
// Moving a state back to where the walk began
// ---------------------------------------------------------------------------------------------

fn common(station: &mut Station) -> &mut Common {
    match station {
        Station::Attended(phase) => &mut phase.common,
        Station::Challenge(phase) => &mut phase.common,
        Station::CleanUp(phase) => &mut phase.common,
        Station::Drill(phase) => &mut phase.common,
        Station::Quarantine(phase) => &mut phase.common,
        Station::Vacant(phase) => &mut phase.common,
    }
}

fn guest(station: &mut Station) -> Option<&mut Guest> {
    match station {
        Station::Challenge(phase) => Some(&mut phase.guest),
        Station::CleanUp(phase) => phase.guest.as_mut(),
        Station::Quarantine(phase) => phase.guest.as_mut(),
        Station::Attended(_) | Station::Drill(_) | Station::Vacant(_) => None,
    }
}

/// Every turn in a state, to be read or changed, but the newest.
fn turns(station: &mut Station, visit: &mut dyn FnMut(&mut Turn)) {
    if let Capsule::Building(turn, _) = &mut common(station).capsule {
        visit(turn);
    }
    if let Some(guest) = guest(station)
        && let Stage::Checking(turn) | Stage::Recording(turn, _) | Stage::Setting(turn, _) = &mut guest.stage
    {
        visit(turn);
    }
    match station {
        Station::Attended(phase) => {
            if let LogView::Asked(turn) = &mut phase.log {
                visit(turn);
            }
        }
        Station::CleanUp(phase) => visit(&mut phase.turn),
        Station::Drill(phase) => match &mut phase.doing {
            DrillDoing::Recording(turn) | DrillDoing::Part(turn, _) => visit(turn),
            DrillDoing::Building => {}
        },
        Station::Challenge(_) | Station::Quarantine(_) | Station::Vacant(_) => {}
    }
}

/// Every moment in a state.
fn moments(station: &mut Station, visit: &mut dyn FnMut(&mut Moment)) {
    if let Capsule::Building(_, until) = &mut common(station).capsule {
        visit(until);
    }
    if let Some(guest) = guest(station) {
        visit(&mut guest.until);
        if let Some(wait) = &mut guest.wait {
            visit(wait);
        }
    }
    match station {
        Station::Attended(phase) => {
            visit(&mut phase.since);
            visit(&mut phase.active);
            if let Some(until) = &mut phase.operator.until {
                visit(until);
            }
        }
        Station::CleanUp(phase) => visit(&mut phase.until),
        Station::Drill(phase) => visit(&mut phase.until),
        Station::Quarantine(phase) => visit(&mut phase.until),
        Station::Challenge(_) | Station::Vacant(_) => {}
    }
}

/// Whoever uses a break-glass code.
fn emergency(guest: Option<Guest>) -> bool {
    guest.is_some_and(|guest| guest.is_emergency())
}

fn move_back(mut station: Station, now: Moment) -> Station {
    moments(&mut station, &mut |moment| {
        let relative = i128::from(moment.0) - i128::from(now.0);
        let clipped = relative.max(-i128::from(LONG_AGO));
        *moment = Moment(u64::try_from(i128::from(NOW.0) + clipped).unwrap());
    });
    let newest = common(&mut station).turn;
    let mut ages = Vec::new();
    turns(&mut station, &mut |turn| ages.push(newest.0.wrapping_sub(turn.0)));
    ages.sort_unstable();
    ages.dedup();
    let rank = |age: u8| u8::try_from(ages.iter().position(|other| *other == age).unwrap() + 1).unwrap();
    turns(&mut station, &mut |turn| *turn = Turn(100 - rank(newest.0.wrapping_sub(turn.0))));
    common(&mut station).turn = Turn(100);
    station
}

fn outstanding(station: &Station) -> Vec<Turn> {
    let mut found = Vec::new();
    turns(&mut station.clone(), &mut |turn| found.push(*turn));
    found
}

// ---------------------------------------------------------------------------------------------
// Everything that can happen to a state
// ---------------------------------------------------------------------------------------------

/// Who has a badge: a nurse, another who may start more, and a supervisor.
fn people(small: Small) -> Vec<u32> {
    match small {
        Small::BreakGlass => vec![3],
        Small::DrillHold | Small::DrillTap => vec![2, 3],
        Small::Hold | Small::Tap => vec![1, 2, 3],
    }
}

fn events(station: &Station, small: Small, rules: &Rules) -> Vec<(Moment, Event)> {
    let mut list = vec![
        Event::Active(NOW),
        Event::AppWished(AppWish::Launch(App(0))),
        Event::AppWished(AppWish::Launch(App(1))),
        Event::AppWished(AppWish::Launch(App(9))),
        Event::AppWished(AppWish::Raise(Window(7))),
        Event::AppWished(AppWish::Close(Window(7))),
        Event::BadgeIn(Presented::Refused(OperatorId(1), Refusal::Disabled)),
        Event::BadgeIn(Presented::Refused(OperatorId(2), Refusal::Expired)),
        Event::BadgeIn(Presented::Unknown),
        Event::BadgeIn(Presented::Unreadable),
        Event::Cancelled,
        Event::CapsuleLost,
        Event::DrillWished,
        Event::EmergencyWished,
        Event::EndWished,
        Event::LogClosed,
        Event::LogWished,
        Event::PinGiven,
        Event::ReaderBack,
        Event::ReaderLost,
        Event::RestartWished,
        Event::RetryWished,
        Event::Stopping,
        Event::Suspending,
        Event::TimeCame,
        Event::Unfinished,
    ];
    for id in people(small) {
        list.push(Event::BadgeIn(Presented::Rostered(operator(id))));
        list.push(Event::BadgeOut(OperatorId(id)));
    }
    let mut turns = outstanding(station);
    // An answer to a question that nobody asked.
    turns.push(Turn(200));
    for turn in turns {
        for answer in [true, false] {
            list.push(Event::Drilled(turn, answer));
            list.push(Event::Prepared(turn, answer));
            list.push(Event::Recorded(turn, answer));
            list.push(Event::Stepped(turn, answer));
        }
        for finding in [Finding::Clean, Finding::Residue, Finding::Unknown] {
            list.push(Event::Looked(turn, finding));
        }
        for answer in [
            PinAnswer::Disabled,
            PinAnswer::Failed,
            PinAnswer::Wrong { left: 1, wait: 0 },
            PinAnswer::Wrong { left: 0, wait: 2 },
        ] {
            list.push(Event::PinChecked(turn, answer));
        }
        list.push(Event::PinChanged(turn, None));
        for id in people(small).into_iter().chain(rules.emergency.map(|_| OperatorId::EMERGENCY.0)) {
            let proof = PinVerified::of(OperatorId(id));
            list.push(Event::PinChecked(turn, PinAnswer::Right(proof)));
            list.push(Event::PinChecked(turn, PinAnswer::OneTime(proof)));
            list.push(Event::PinChanged(turn, Some(proof)));
        }
    }
    if matches!(small, Small::DrillTap | Small::DrillHold) {
        // One-time PINs and touches are the other walks' business.
        list.retain(|event| {
            !matches!(
                event,
                Event::Active(_)
                    | Event::PinChanged(..)
                    | Event::PinChecked(_, PinAnswer::OneTime(_) | PinAnswer::Wrong { wait: 2, .. })
            )
        });
    }
    if rules.emergency.is_some() {
        // One-time PINs, the log and touches are the other walks' business.
        list.retain(|event| {
            !matches!(
                event,
                Event::Active(_)
                    | Event::LogWished
                    | Event::PinChanged(..)
                    | Event::PinChecked(_, PinAnswer::OneTime(_) | PinAnswer::Wrong { wait: 2, .. })
            )
        });
    }
    let mut edges: Vec<_> = list.into_iter().map(|event| (NOW, event)).collect();
    if let Some(deadline) = station.deadline(rules) {
        edges.push((deadline.max(NOW), Event::TimeCame));
    }
    edges
}

// ---------------------------------------------------------------------------------------------
// The rules
// ---------------------------------------------------------------------------------------------

fn proof_of(stage: Stage) -> Option<PinVerified> {
    match stage {
        Stage::Verified(proof) | Stage::Recording(_, proof) => Some(proof),
        Stage::Again(_) | Stage::Checking(_) | Stage::New(_) | Stage::Pin | Stage::Setting(..) => None,
    }
}

fn ensure(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

#[expect(clippy::too_many_lines, reason = "the seven rules stand in one place, in their order")]
fn check(
    before: &Station,
    at: Moment,
    event: Event,
    after: &Station,
    effects: &[Effect],
    rules: &Rules,
) -> Result<(), String> {
    let covers_first = effects.first() == Some(&Effect::Cover);
    let into_clean_up = matches!(after, Station::CleanUp(_));
    // 1. Leaving Attended: the first effect covers, the next phase is CleanUp. And whatever begins a
    //    clean-up covers first.
    if matches!(before, Station::Attended(_)) && !matches!(after, Station::Attended(_)) {
        ensure(into_clean_up, "1: Attended is left for CleanUp alone")?;
    }
    if into_clean_up && !matches!(before, Station::CleanUp(_)) {
        ensure(covers_first, "1: a clean-up begins with the cover")?;
    }
    // 2. Uncover only from Challenge, on the answer to the outstanding question, after the opening
    //    record is durable, for the operator whose PIN was right. Break-glass opens from Quarantine
    //    too, and where its record could not be written or the disk did not answer in time.
    let uncovers = effects.contains(&Effect::Uncover);
    let opens = !matches!(before, Station::Attended(_)) && matches!(after, Station::Attended(_));
    ensure(uncovers == opens, "2: uncovering and opening are one")?;
    let waiting = match before {
        Station::Challenge(challenge) => Some(challenge.guest),
        Station::Quarantine(quarantine) => quarantine.guest.filter(Guest::is_emergency),
        _ => None,
    };
    let answered = waiting.and_then(|guest| match (guest.stage, event) {
        (Stage::Recording(asked, proof), Event::Recorded(turn, durable)) => {
            (asked == turn && (durable || guest.is_emergency())).then_some(proof)
        }
        (Stage::Recording(_, proof), Event::TimeCame) => {
            (guest.is_emergency() && at >= guest.until).then_some(proof)
        }
        _ => None,
    });
    if opens {
        let proof = answered.ok_or("2: only the durable opening record uncovers")?;
        ensure(
            matches!(after, Station::Attended(attended) if attended.operator.id == proof.operator()),
            "2: whose PIN",
        )?;
        if let (true, Station::Attended(attended), Some(access)) =
            (proof.operator().is_emergency(), after, rules.emergency)
        {
            let bounded = attended.operator.until == Some(at.after(access.longest));
            ensure(bounded && !attended.operator.supervisor, "2: break-glass ends by itself")?;
        }
    }
    if answered.is_some() {
        ensure(opens, "2: the durable opening record does open")?;
    }
    if let Some(stage) = guest(&mut after.clone()).map(|guest| guest.stage)
        && let Some(proof) = proof_of(stage)
        && guest(&mut before.clone()).and_then(|guest| proof_of(guest.stage)).is_none()
    {
        let right = matches!(event, Event::PinChecked(_, PinAnswer::Right(said)) if said == proof)
            || matches!(event, Event::PinChanged(_, Some(said)) if said == proof);
        ensure(right, "2: only a right PIN verifies")?;
    }
    // 3. Out of CleanUp only with Attested, after the receipt is durable.
    let settled = matches!(after, Station::Vacant(_) | Station::Challenge(_) | Station::Drill(_));
    match before {
        Station::CleanUp(clean_up) if settled => {
            let durable = clean_up.doing == Doing::Receipt && event == Event::Recorded(clean_up.turn, true);
            ensure(durable, "3: out of CleanUp only after the durable receipt")?;
        }
        Station::Quarantine(_) | Station::Attended(_) => ensure(!settled, "3: only CleanUp leads to Vacant")?,
        Station::CleanUp(_) | Station::Challenge(_) | Station::Drill(_) | Station::Vacant(_) => {}
    }
    if let (Station::CleanUp(was), Station::CleanUp(is)) = (before, after)
        && is.doing == Doing::Receipt
        && was.doing != Doing::Receipt
    {
        let clean = was.doing == Doing::Looking && event == Event::Looked(was.turn, Finding::Clean);
        ensure(clean, "3: a receipt only after a clean look")?;
        ensure(matches!(effects, [Effect::Record(_, Record::Handoff(..))]), "3: the receipt is written")?;
    }
    // 4. Residue, unknown, or silence: another round or Quarantine; left only as the rules say.
    if let Station::CleanUp(clean_up) = before {
        let unclean = matches!(event, Event::Looked(turn, Finding::Residue | Finding::Unknown) if turn == clean_up.turn && clean_up.doing == Doing::Looking)
            || matches!(event, Event::Stepped(turn, false) if turn == clean_up.turn && clean_up.doing == Doing::Step(Step::Destroy))
            || (event == Event::TimeCame
                && at >= clean_up.until
                && matches!(clean_up.doing, Doing::Looking | Doing::Step(Step::Destroy)));
        if unclean {
            let again = matches!(after, Station::CleanUp(is) if is.round == clean_up.round + 1 && is.doing == Doing::Step(Step::Destroy));
            let barred = matches!(after, Station::Quarantine(_))
                && effects.iter().any(|effect| matches!(effect, Effect::Record(_, Record::Quarantined(_))));
            ensure(
                if clean_up.round < rules.retries { again } else { barred },
                "4: unclean is tried again, then quarantined",
            )?;
        }
        if event == Event::Recorded(clean_up.turn, false) && clean_up.doing == Doing::Receipt {
            ensure(matches!(after, Station::Quarantine(_)), "4: no receipt, no vacancy")?;
        }
    }
    if let Station::Quarantine(quarantine) = before
        && !matches!(after, Station::Quarantine(_))
    {
        let released = match (event, quarantine.guest) {
            (Event::Recorded(turn, true), Some(guest)) => {
                guest.operator.supervisor
                    && rules.supervisors.release
                    && matches!(guest.stage, Stage::Recording(asked, _) if asked == turn)
            }
            _ => false,
        };
        let again = event == Event::TimeCame && quarantine.again && at >= quarantine.until;
        let recording = emergency(quarantine.guest)
            && quarantine.guest.is_some_and(|guest| matches!(guest.stage, Stage::Recording(..)));
        let given_up = recording && matches!(event, Event::Cancelled | Event::Suspending);
        let allowed = released || again || given_up || matches!(event, Event::RetryWished | Event::Stopping);
        ensure(
            opens || allowed && into_clean_up,
            "4: Quarantine is left for CleanUp, by a try or a supervisor, or by break-glass",
        )?;
        if let (true, Station::CleanUp(clean_up)) = (recording, after) {
            ensure(clean_up.outgoing == Some(OperatorId::EMERGENCY), "4: an opening that began has an end")?;
        }
    }
    if let Station::Quarantine(quarantine) = after {
        ensure(
            quarantine.guest.is_none_or(|guest| {
                guest.operator.supervisor && rules.supervisors.release
                    || guest.is_emergency() && rules.emergency.is_some()
            }),
            "4: only a supervisor who may release it, or break-glass, stands before Quarantine",
        )?;
    }
    if let Station::Attended(attended) = after {
        ensure(
            attended.log == LogView::Closed || (attended.operator.supervisor && rules.supervisors.read_log),
            "only a supervisor who may read the log does",
        )?;
    }
    // 5. Whoever waits, waits with a deadline, and the deadline moves something.
    let waits =
        !matches!(after, Station::Vacant(vacant) if !matches!(vacant.common.capsule, Capsule::Building(..)));
    ensure(after.deadline(rules).is_some() == waits, "5: whoever waits has a deadline")?;
    if event == Event::TimeCame && before.deadline(rules).is_some_and(|deadline| at >= deadline) {
        // Two deadlines of one instant are taken one after the other; each must change something.
        ensure(after != before, "5: a deadline that came has moved something")?;
    }
    // 6. What does end a session, and what does not.
    if let Station::Attended(attended) = before {
        let own = attended.operator.id;
        let ends = match event {
            // Break-glass works without a reader, too.
            Event::ReaderLost if own.is_emergency() => None,
            Event::TimeCame if attended.operator.until.is_some_and(|until| until <= at) => {
                Some(Trigger::Expired)
            }
            Event::BadgeOut(id) if id == own && rules.badge_mode == BadgeMode::Hold => {
                Some(Trigger::BadgeOut)
            }
            Event::BadgeIn(Presented::Rostered(other)) if other.id != own => Some(Trigger::Takeover),
            Event::BadgeIn(Presented::Rostered(_)) if rules.badge_mode == BadgeMode::Tap => {
                Some(Trigger::TapOut)
            }
            Event::EndWished => Some(Trigger::Ended),
            Event::DrillWished if may_drill(attended, rules) => Some(Trigger::Drill),
            Event::ReaderLost => Some(Trigger::ReaderLost),
            Event::CapsuleLost => Some(Trigger::Fault),
            Event::Stopping => Some(Trigger::Maintenance),
            Event::Suspending => Some(Trigger::Suspend),
            Event::TimeCame if attended.since.after(rules.absolute) <= at => Some(Trigger::Expired),
            Event::TimeCame if attended.active.after(rules.idle) <= at => Some(Trigger::Idle),
            _ => None,
        };
        match (ends, after) {
            (Some(trigger), Station::CleanUp(clean_up)) => {
                ensure(
                    clean_up.trigger == trigger && clean_up.outgoing == Some(own),
                    "6: ended for the right cause",
                )?;
                let expected = if trigger == Trigger::Takeover {
                    event == Event::BadgeIn(Presented::Rostered(clean_up.guest.unwrap().operator))
                } else {
                    clean_up.guest.is_none()
                };
                ensure(expected, "6: a takeover's operator waits, nobody else does")?;
            }
            (Some(_), _) => return Err("6: what must end a session does".to_owned()),
            (None, Station::Attended(_)) => {}
            (None, _) => return Err("6: nothing else ends a session".to_owned()),
        }
        if event == Event::BadgeIn(Presented::Unknown) {
            let entry =
                effects.iter().any(|effect| matches!(effect, Effect::Record(_, Record::BadgeUnknown)));
            ensure(
                entry && effects.iter().any(|effect| matches!(effect, Effect::Notify(_))),
                "6: an unknown badge gets a notice and an entry",
            )?;
        }
    }
    drill(before, at, event, after, effects, rules)?;
    // Break-glass is never disabled: whoever has the right code gets in, wherever it is asked for.
    if event == Event::EmergencyWished && rules.emergency.is_some() {
        let offered = match before {
            Station::Vacant(_) => true,
            Station::Quarantine(quarantine) => quarantine.guest.is_none(),
            _ => false,
        };
        ensure(
            !offered || emergency(guest(&mut after.clone()).copied()),
            "break-glass is asked for its code",
        )?;
    }
    if let Some(waits) = guest(&mut before.clone()).copied()
        && waits.is_emergency()
        && let (Stage::Checking(asked), Event::PinChecked(turn, answer)) = (waits.stage, event)
        && asked == turn
    {
        let now = guest(&mut after.clone()).copied();
        let stays = match answer {
            PinAnswer::Wrong { .. } => {
                now.is_some_and(|guest| guest.stage == Stage::Pin && guest.left.is_none())
            }
            PinAnswer::Right(proof) if proof.operator().is_emergency() => {
                now.is_some_and(|guest| proof_of(guest.stage).is_some())
            }
            _ => true,
        };
        ensure(stays, "break-glass: a wrong code is slowed down and not locked out, a right one goes on")?;
    }
    if effects.contains(&Effect::Restart) {
        let by = match before {
            Station::Quarantine(quarantine) => quarantine.restart && quarantine.guest.is_some_and(|guest| {
                guest.operator.supervisor && matches!((guest.stage, event), (Stage::Recording(asked, _), Event::Recorded(turn, true)) if asked == turn)
            }),
            _ => false,
        };
        ensure(by, "only a supervisor whose wish is on record has the machine started anew")?;
    }
    for effect in effects {
        if let Effect::Serve(wish) = effect {
            let Station::Attended(attended) = before else {
                return Err("6: apps are served to an operator at work".to_owned());
            };
            let permitted = match wish {
                AppWish::Launch(app) => rules
                    .apps
                    .get(usize::from(app.0))
                    .is_some_and(|roles| roles.meets(attended.operator.roles)),
                AppWish::Close(_) | AppWish::Raise(_) => true,
            };
            ensure(permitted, "6: only permitted apps are started")?;
        }
    }
    // What the shell before has left unfinished is told as a recovery, and moves nothing else.
    if event == Event::Unfinished {
        let trigger = |station: &Station| match station {
            Station::CleanUp(clean_up) => Some(clean_up.trigger),
            _ => None,
        };
        let expected = match trigger(before) {
            Some(Trigger::FreshStart) => Some(Trigger::Recovery),
            other => other,
        };
        ensure(effects.is_empty() && trigger(after) == expected, "unfinished work is a recovery")?;
    }
    // An answer to a question that nobody asked changes nothing.
    let answer = match event {
        Event::Drilled(turn, _)
        | Event::Looked(turn, _)
        | Event::PinChanged(turn, _)
        | Event::PinChecked(turn, _)
        | Event::Prepared(turn, _)
        | Event::Recorded(turn, _)
        | Event::Stepped(turn, _) => Some(turn),
        _ => None,
    };
    if answer == Some(Turn(200)) {
        ensure(after == before && effects.is_empty(), "2: a stale answer changes nothing")?;
    }
    Ok(())
}

/// Whether whoever is at work may have a drill held just now.
fn may_drill(attended: &Attended, rules: &Rules) -> bool {
    let rights = rules.supervisors;
    attended.operator.supervisor && rights.read_log && rights.drill && attended.log == LogView::Open
}

/// The drill: begun by a supervisor alone, after a receipt; opened in the ledger before it plants; never
/// shown; left for a clean-up of its own, at once for whoever wants to work; entered once.
fn drill(
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

// ---------------------------------------------------------------------------------------------
// The walk
// ---------------------------------------------------------------------------------------------

/// How much a walk has seen.
pub(crate) struct Walked {
    /// States that can be reached.
    pub states: usize,
    /// Edges that were checked: a state and an event.
    pub edges: usize,
}

/// Walks everything that a station in this mode can reach; the error says which rule is broken, and on
/// which edge.
pub(crate) fn walk(small: Small) -> Result<Walked, String> {
    let rules = rules(small);
    let (first, effects) = Station::start(NOW, &rules);
    ensure(
        matches!(first, Station::CleanUp(_)) && effects.first() == Some(&Effect::Cover),
        "start is a covered clean-up",
    )?;
    let first = move_back(first, NOW);
    let mut numbers: HashMap<Station, u32> = HashMap::from([(first.clone(), 0)]);
    let mut queue = VecDeque::from([first]);
    let mut back: Vec<Vec<u32>> = vec![Vec::new()];
    let mut vacant = Vec::new();
    let mut edges = 0;
    while let Some(before) = queue.pop_front() {
        let from = numbers[&before];
        if matches!(before, Station::Vacant(_)) {
            vacant.push(from);
        }
        for (at, event) in events(&before, small, &rules) {
            edges += 1;
            let (after, effects) = before.clone().handle(at, event, &rules);
            check(&before, at, event, &after, &effects, &rules)
                .map_err(|rule| format!("{rule}\n  before {before:?}\n  event  {event:?} at {at:?}\n  after  {after:?}\n  effects {effects:?}"))?;
            let after = move_back(after, at);
            let next = u32::try_from(numbers.len()).unwrap();
            let to = *numbers.entry(after).or_insert_with_key(|after| {
                queue.push_back(after.clone());
                back.push(Vec::new());
                next
            });
            if back[to as usize].last() != Some(&from) {
                back[to as usize].push(from);
            }
        }
    }
    // 7. From every state there is a way to Vacant.
    let mut reached = vec![false; back.len()];
    let mut queue = VecDeque::from(vacant);
    while let Some(state) = queue.pop_front() {
        if !std::mem::replace(&mut reached[state as usize], true) {
            queue.extend(&back[state as usize]);
        }
    }
    ensure(reached.iter().all(|reached| *reached), "7: from every state there is a way to Vacant")?;
    Ok(Walked { states: numbers.len(), edges })
}

/// Walks every small station side by side, as many at a time as there are processors.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn walk_all() -> Result<Vec<Walked>, String> {
    std::thread::scope(|scope| {
        let walks = ALL_SMALL
            .map(|small| scope.spawn(move || walk(small).map_err(|broken| format!("{small:?}: {broken}"))));
        walks.into_iter().map(|walk| walk.join().unwrap()).collect()
    })
}
