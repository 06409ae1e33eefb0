//! Moves a state back to where the walk began, so that the states that differ in time and in the
//! numbers of their questions alone are one.

use cleanshift::handoff::station::{Capsule, Common, DrillDoing, LogView, Revoking, Stage};
use cleanshift::handoff::{Guest, Moment, Station, Turn};

/// The moment at which every edge begins.
pub(super) const NOW: Moment = Moment(1_000);
/// Longer ago than this is all the same.
const LONG_AGO: u64 = 7;
/// The longest that a small station waits for the end of what a session holds elsewhere.
pub(super) const WAITED: u64 = 2;
/// A state holds no more turns than these, beside the newest.
const MOST_TURNS: usize = 3;

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

fn guest_mut(station: &mut Station) -> Option<&mut Guest> {
    match station {
        Station::Challenge(phase) => Some(&mut phase.guest),
        Station::CleanUp(phase) => phase.guest.as_mut(),
        Station::Quarantine(phase) => phase.guest.as_mut(),
        // Somebody who is asked for her PIN again, before the log or an app.
        Station::Attended(phase) => match &mut phase.log {
            LogView::Pin(guest) => Some(guest),
            LogView::Asked(_) | LogView::Closed | LogView::Open => {
                phase.step_up.as_mut().map(|step_up| &mut step_up.guest)
            }
        },
        Station::Drill(_) | Station::Vacant(_) => None,
    }
}

/// Whoever waits in a state.
pub(super) fn guest(station: &Station) -> Option<Guest> {
    match station {
        Station::Challenge(phase) => Some(phase.guest),
        Station::CleanUp(phase) => phase.guest,
        Station::Quarantine(phase) => phase.guest,
        Station::Attended(phase) => phase.asked(),
        Station::Drill(_) | Station::Vacant(_) => None,
    }
}

/// Every turn in a state, to be read or changed, but the newest.
fn turns(station: &mut Station, visit: &mut impl FnMut(&mut Turn)) {
    if let Capsule::Building(turn, _) = &mut common(station).capsule {
        visit(turn);
    }
    if let Some(guest) = guest_mut(station)
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

/// Since when a handoff ends what the session holds elsewhere.
fn since(revoking: &mut Revoking, visit: &mut impl FnMut(&mut Moment)) {
    if let Revoking::Since(moment) = revoking {
        visit(moment);
        // Longer ago than any small station waits is all the same.
        *moment = (*moment).max(Moment(NOW.0 - WAITED));
    }
}

/// Every moment in a state.
fn moments(station: &mut Station, visit: &mut impl FnMut(&mut Moment)) {
    if let Capsule::Building(_, until) = &mut common(station).capsule {
        visit(until);
    }
    if let Some(guest) = guest_mut(station) {
        visit(&mut guest.until);
        if let Some(wait) = &mut guest.wait {
            visit(wait);
        }
    }
    match station {
        Station::Attended(phase) => {
            visit(&mut phase.since);
            visit(&mut phase.active);
            visit(&mut phase.proved);
            if let Some(until) = &mut phase.operator.until {
                visit(until);
            }
        }
        Station::CleanUp(phase) => {
            visit(&mut phase.until);
            since(&mut phase.revoking, visit);
        }
        Station::Drill(phase) => visit(&mut phase.until),
        Station::Quarantine(phase) => {
            visit(&mut phase.until);
            since(&mut phase.revoking, visit);
        }
        Station::Challenge(_) | Station::Vacant(_) => {}
    }
}

/// The state as it would be had the walk begun at this moment: moments count from [`NOW`], and of the
/// turns only the order of their ages is left.
pub(super) fn move_back(mut station: Station, now: Moment) -> Station {
    moments(&mut station, &mut |moment| {
        let ago = now.since(*moment).min(LONG_AGO);
        *moment = Moment(NOW.0 + moment.since(now) - ago);
    });
    let newest = common(&mut station).turn;
    let age = |turn: Turn| newest.0.wrapping_sub(turn.0);
    let (mut ages, mut count) = ([0; MOST_TURNS], 0);
    turns(&mut station, &mut |turn| {
        ages[count] = age(*turn);
        count += 1;
    });
    let ages = &mut ages[..count];
    ages.sort_unstable();
    // Turns of one age stay of one age.
    let younger = |than: u8| ages.chunk_by(u8::eq).take_while(|same| same[0] < than).count();
    turns(&mut station, &mut |turn| *turn = Turn(99 - u8::try_from(younger(age(*turn))).unwrap()));
    common(&mut station).turn = Turn(100);
    station
}

/// The questions of a state that are outstanding.
pub(super) fn outstanding(station: &Station) -> Vec<Turn> {
    let mut found = Vec::new();
    turns(&mut station.clone(), &mut |turn| found.push(*turn));
    found
}
