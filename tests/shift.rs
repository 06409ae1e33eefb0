//! A ward's day, simulated: a seed is a day, and after every step of it, every crash and at its end all
//! promises hold. The driver, the core, the store and the evidence are the real ones; time, threads,
//! capsules, gates, screen and the disk under SQLite are a rehearsal's.
//!
//! `SEEDS=n` runs so many days (10,000 by default), from `FIRST` on. A day that breaks a promise is
//! named with the one command that plays it again, with a trace. `ENOUGH=n` goes on until n are found.

#![expect(clippy::disallowed_methods, reason = "which days are run is told by the environment")]
#![expect(clippy::unwrap_used, reason = "what fails in a test ends the test")]

#[path = "shift/day.rs"]
mod day;
#[path = "shift/ground.rs"]
mod ground;
#[path = "shift/promises.rs"]
mod promises;
#[path = "shift/ward.rs"]
mod ward;
#[path = "shift/witness.rs"]
mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use cleanshift::platform::rehearsal::disk::{Fault, Weather};
use day::Day;
use ward::{Broken, Mishap, Tally};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.replace('_', "").parse().ok())
}

/// Runs the day of this seed.
fn run(seed: u64, trace: bool) -> (Result<Tally, Broken>, Vec<String>) {
    let mut day = Day::new(seed);
    day.ward.trace = trace.then(Vec::new);
    let ran = catch_unwind(AssertUnwindSafe(|| day.run()));
    let ran = ran.unwrap_or_else(|_| Err("something panicked".to_owned()));
    (ran, day.ward.trace.take().unwrap_or_default())
}

/// Runs days on all cores until so many have broken a promise: those, and what was in all of them.
/// `plant` is called on each thread before its first day.
fn run_all(first: u64, many: u64, enough: usize, plant: &(dyn Fn() + Sync)) -> (Tally, Vec<(u64, Broken)>) {
    let next = AtomicU64::new(first);
    let over = AtomicBool::new(false);
    let all = Mutex::new((Tally::default(), Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let _ = scope.spawn(|| {
                plant();
                while !over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + many {
                        break;
                    }
                    let (ran, _) = run(seed, false);
                    let mut all = all.lock().unwrap();
                    match ran {
                        Ok(tally) => all.0.add(tally),
                        Err(broken) => {
                            all.1.push((seed, broken));
                            over.store(all.1.len() >= enough, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    all.into_inner().unwrap()
}

#[test]
fn every_promise_holds_on_every_day() {
    let (first, many) = (number("FIRST").unwrap_or(1), number("SEEDS").unwrap_or(10_000));
    let enough = number("ENOUGH").unwrap_or(1);
    let (tally, broken) = run_all(first, many, usize::try_from(enough).unwrap(), &|| ());
    let told = broken.iter().map(|(seed, broken)| {
        format!("day {seed}: {broken}\nreplay: SEED={seed} cargo test --test shift replay -- --nocapture")
    });
    let told: Vec<_> = told.collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    println!("{many} days: {tally:?}");
    // A simulation in which nothing happens proves nothing.
    let per_day = |count: u64| count / many;
    if many >= 1_000 {
        let rare = [
            tally.emergencies,
            tally.barred,
            tally.held,
            tally.restarts,
            tally.suspends,
            tally.drills,
            tally.tokens,
            tally.holds,
            tally.revoked,
            tally.afresh,
        ];
        assert!(rare.iter().all(|count| *count > many / 200), "hardly any emergency: {tally:?}");
    }
    assert!(per_day(tally.sessions) >= 1, "hardly anybody works: {tally:?}");
    assert!(per_day(tally.kills + tally.power_cuts) >= 1, "hardly anything goes wrong: {tally:?}");
}

/// Plays the day of `SEED` again, and tells what happened in it.
#[test]
fn replay() {
    let Some(seed) = number("SEED") else { return };
    let (ran, trace) = run(seed, true);
    trace.iter().for_each(|line| println!("{line}"));
    match ran {
        Ok(tally) => println!("day {seed}: every promise held: {tally:?}"),
        Err(broken) => panic!("day {seed}: {broken}"),
    }
}

/// What goes wrong at one point of the fixed day.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// At the disk's change of this number.
    Disk(u64, Fault),
    /// To the thread or the answer of this number.
    Step(u64, Mishap),
}

/// How many changes, threads and answers there were until the evening.
type Points = (u64, u64, u64);

fn run_fixed(wrong: Option<Wrong>, trace: bool) -> (Result<Points, Broken>, Vec<String>) {
    let mut day = Day::new(FIXED);
    day.ward.trace = trace.then(Vec::new);
    match wrong {
        Some(Wrong::Disk(at, fault)) => day.ward.disk.plan(at, fault),
        Some(Wrong::Step(at, mishap)) => day.ward.planned = Some((at, mishap)),
        None => {}
    }
    let ran = catch_unwind(AssertUnwindSafe(|| day.fixed()));
    let ran = ran.unwrap_or_else(|_| Err("something panicked".to_owned()));
    let ran = ran.map(|changes| (changes, day.ward.begun, day.ward.answered));
    (ran, day.ward.trace.take().unwrap_or_default())
}

/// The seed whose people the fixed day has: badges are held.
const FIXED: u64 = 1;

fn every_wrong() -> Vec<Wrong> {
    let (changes, begun, answered) = run_fixed(None, false).0.unwrap();
    let faults = [
        Fault::Crash,
        Fault::PowerCut,
        Fault::Fails(Weather::Failing),
        Fault::Fails(Weather::Forbidden),
        Fault::Fails(Weather::Full),
        Fault::Fails(Weather::ReadOnly),
        Fault::Lasting(Weather::Failing),
        Fault::Lasting(Weather::Full),
        Fault::Hangs(2_000),
        Fault::Hangs(13_500),
    ];
    let disk = (0..changes).flat_map(|at| faults.iter().map(move |fault| Wrong::Disk(at, *fault)));
    let step = |last: u64, mishap: Mishap| (1..=last).map(move |at| Wrong::Step(at, mishap));
    disk.chain(step(begun, Mishap::ThreadLate))
        .chain(step(begun, Mishap::ThreadNever))
        .chain(step(answered, Mishap::AnswerLate))
        .chain(step(answered, Mishap::AnswerTwice))
        .collect()
}

#[test]
fn every_single_fault_at_every_point_of_a_day_is_survived() {
    let all = every_wrong();
    if let Some(number) = number("FAULT") {
        let wrong = all[usize::try_from(number).unwrap()];
        let (ran, trace) = run_fixed(Some(wrong), true);
        trace.iter().for_each(|line| println!("{line}"));
        assert!(ran.is_ok(), "{wrong:?}: {ran:?}");
        return;
    }
    let next = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            let _ = scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(wrong) = all.get(number)
                {
                    if let Err(why) = run_fixed(Some(*wrong), false).0 {
                        broken.lock().unwrap().push((number, *wrong, why));
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    let told = broken.iter().map(|(number, wrong, why)| {
        format!(
            "{wrong:?}: {why}\nreplay: FAULT={number} cargo test --test shift every_single -- --nocapture"
        )
    });
    let told: Vec<_> = told.collect();
    assert!(told.is_empty(), "{} of {}:\n{}", told.len(), all.len(), told.join("\n"));
    println!("{} single faults survived", all.len());
    assert!(all.len() > 1_000, "the fixed day has become too short to prove anything");
}

#[test]
fn a_station_that_is_held_goes_through_the_same_day() {
    let mut day = Day::new(FIXED).held();
    let _ = day.fixed().unwrap();
    assert!(
        day.ward.tally.tokens > 2 && day.ward.tally.emergencies > 0,
        "hardly anybody was signed in: {:?}",
        day.ward.tally
    );
}

#[test]
fn a_vacant_station_prunes_once_a_day() {
    let mut day = Day::new(FIXED);
    let _ = day.fixed().unwrap();
    let (prunings, starts) = (day.ward.said.lock().unwrap().prunings, day.ward.tally.starts);
    assert!((1..=starts).contains(&prunings), "{prunings} prunings by {starts} shells in one day");
}

#[test]
fn the_controls_are_told_to_a_supervisor_who_has_the_log_open_alone() {
    let seen = Day::new(FIXED).controls().unwrap();
    let [(ana, by_ana), (closed, by_closed), (open, by_open), (shut, by_shut)] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!((ana, by_ana), (&None, &0), "somebody who may not read the log was told");
    assert_eq!((closed, by_closed), (&None, &0), "it was told without the log, whose opening is on record");
    let open = open.as_ref().unwrap();
    let told = open.told.as_ref().unwrap().as_ref().unwrap();
    assert!(told.whole && told.entries > 4, "{told:?}");
    assert_eq!((open.between, open.read, open.total), (None, told.entries, told.entries));
    assert_eq!((by_open, shut, by_shut), (&1, &None, &1));
}

#[test]
fn a_seed_is_a_day() {
    for seed in 1..=5 {
        let (first, again) = (run(seed, true), run(seed, true));
        assert_eq!(first.1, again.1, "day {seed} is not the same when it is played again");
    }
}

/// Days are run until one shows the bug; the core's and those of driver and store.
#[cfg(feature = "planted-bugs")]
#[test]
fn every_planted_bug_is_caught() {
    use cleanshift::handoff::planted::{ALL, BEYOND, Bug, plant};
    let many = number("SEEDS").unwrap_or(1_000);
    let mut missed = Vec::new();
    // An answer that is believed too early harms nothing here: the gates look for themselves, and find
    // the capsule. The walk catches it.
    let harmless = |bug: &Bug| *bug == Bug::StaleAnswer;
    for bug in ALL.into_iter().chain(BEYOND).filter(|bug| !harmless(bug)) {
        let (_, broken) = run_all(1, many, 1, &|| plant(Some(bug)));
        match broken.first() {
            Some((seed, broken)) => println!("{bug:?}: day {seed}: {broken}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "planted and not caught in {many} days: {missed:?}");
}
