//! The walk passes, and fails for every bug that is planted.

#[path = "handoff_walk/walk.rs"]
mod walk;

use walk::walk_all;

#[test]
fn every_rule_holds_on_every_edge() {
    for walked in walk_all().unwrap_or_else(|broken| panic!("{broken}")) {
        println!("{} states, {} edges", walked.states, walked.edges);
        assert!(
            walked.states > 1_000 && walked.edges > 50_000,
            "the walk has become too small to prove anything"
        );
    }
}

#[test]
fn a_state_without_a_way_to_vacant_is_found() {
    // 3 is vacant; 1 and 2 lead to each other and nowhere else.
    let ways = [(0, 1), (0, 4), (1, 2), (2, 1), (4, 3), (3, 0)];
    let there = vec![false, false, false, true, false];
    assert_eq!(walk::leading_to(there, &ways), [true, false, false, true, true]);
}

#[cfg(feature = "planted-bugs")]
#[test]
fn every_planted_bug_is_caught() {
    use cleanshift::handoff::planted::{ALL, plant};
    for bug in ALL {
        plant(Some(bug));
        // One after the other: a bug is planted for this thread alone.
        let caught = walk::ALL_SMALL.into_iter().find_map(|small| walk::walk(small).err());
        plant(None);
        let broken = caught.unwrap_or_else(|| panic!("{bug:?} was planted and not caught"));
        println!("{bug:?}: {}", broken.lines().next().unwrap_or_default());
    }
}
