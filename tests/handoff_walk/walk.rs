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

mod check;
mod drill;
mod relative;
mod sign_ins;
mod small;
mod step_up;

use std::collections::HashMap;

use cleanshift::handoff::{Effect, Station};
use rustc_hash::FxBuildHasher;

use check::{check, ensure};
use relative::{NOW, move_back};
pub(crate) use small::{ALL_SMALL, Small};
use small::{events, rules};

/// How much a walk has seen.
pub(crate) struct Walked {
    /// States that can be reached.
    pub states: usize,
    /// Edges that were checked: a state and an event.
    pub edges: usize,
}

/// The states that were reached, by their numbers, which are their places.
#[derive(Default)]
struct Known {
    states: Vec<Station>,
    numbers: HashMap<Station, u32, FxBuildHasher>,
}

impl Known {
    fn number(&mut self, station: Station) -> u32 {
        let next = u32::try_from(self.states.len()).unwrap();
        *self.numbers.entry(station).or_insert_with_key(|new| {
            self.states.push(new.clone());
            next
        })
    }
}

/// Which states have a way to one of those that are there already, found by going all ways (from, to)
/// backwards.
pub(crate) fn leading_to(mut there: Vec<bool>, ways: &[(u32, u32)]) -> Vec<bool> {
    // The ways are sorted by where they lead: `ends[to]` is where those that lead there end.
    let mut ends = vec![0; there.len() + 1];
    for (_, to) in ways {
        ends[*to as usize + 1] += 1;
    }
    for state in 1..ends.len() {
        ends[state] += ends[state - 1];
    }
    let mut sources = vec![0; ways.len()];
    for (from, to) in ways {
        let place = &mut ends[*to as usize];
        sources[*place] = *from;
        *place += 1;
    }
    let begins = |state: usize| state.checked_sub(1).map_or(0, |before| ends[before]);
    let mut open: Vec<usize> = (0..there.len()).filter(|state| there[*state]).collect();
    while let Some(state) = open.pop() {
        for from in &sources[begins(state)..ends[state]] {
            if !std::mem::replace(&mut there[*from as usize], true) {
                open.push(*from as usize);
            }
        }
    }
    there
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
    let mut known = Known::default();
    let _ = known.number(move_back(first, NOW));
    let mut edges = 0;
    let mut ways = Vec::new();
    // The last state that a way to each was noted from.
    let mut noted = vec![u32::MAX];
    let mut from = 0;
    while let Some(before) = known.states.get(from as usize).cloned() {
        for (at, event) in events(&before, small, &rules) {
            edges += 1;
            let (after, effects) = before.clone().handle(at, event, &rules);
            check(&before, at, event, &after, &effects, &rules)
                .map_err(|rule| format!("{rule}\n  before {before:?}\n  event  {event:?} at {at:?}\n  after  {after:?}\n  effects {effects:?}"))?;
            // Most events leave the state as it is, which is then moved back already.
            if at == NOW && after == before {
                continue;
            }
            let to = known.number(move_back(after, at));
            noted.resize(known.states.len(), u32::MAX);
            if std::mem::replace(&mut noted[to as usize], from) != from {
                ways.push((from, to));
            }
        }
        from += 1;
    }
    // 7. From every state there is a way to Vacant.
    let vacant = known.states.iter().map(|state| matches!(state, Station::Vacant(_))).collect();
    let reached = leading_to(vacant, &ways);
    ensure(reached.iter().all(|reached| *reached), "7: from every state there is a way to Vacant")?;
    Ok(Walked { states: known.states.len(), edges })
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
