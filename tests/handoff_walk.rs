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
