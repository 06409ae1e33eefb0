//! Measures the station on its real parts and prints the table of its bars: medians and p95 of at
//! least twenty handoffs, and its peers beside it in the same run. Nothing here fails for being slow;
//! a row that misses its bar says so, in the table and in `target/bench.json`.
//!
//! `CLEANSHIFT_BENCH_ONLY=cover,rest` measures some rows alone; `CLEANSHIFT_BENCH_ENTRIES` makes the
//! ledger smaller than the million that its bar is about (the row then says so).

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unused_results,
    reason = "a bench that cannot go on has failed, and it starts the programs that it measures"
)]

mod handoffs;
mod journal;
mod ledger;
mod observer;
mod peers;
mod rows;
#[path = "../handoff_walk/walk.rs"]
mod walk;

use rows::{Row, Rows};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("observe") => observer::observe(),
        Some("ledger") => ledger::in_this_process(),
        _ => measure(),
    }
}

fn measure() {
    let mut rows = Rows::default();
    if rows.wanted(&["walk"]) {
        rows.take(the_walk());
    }
    if rows.wanted(&["ledger_view", "ledger_verify"]) {
        ledger::measure(&mut rows);
    }
    handoffs::measure(&mut rows);
    rows.print();
    rows.write();
}

/// The core's walk, every small station.
fn the_walk() -> Row {
    let mut row = Row::new("walk", "", "s", 5.0);
    for _ in 0..3 {
        let began = rows::now();
        let walked = walk::walk_all().unwrap();
        row.samples.push((rows::now() - began).as_secs_f64());
        row.what = format!(
            "core walk, every state and every event, the small stations side by side ({} states, {:.1} million edges)",
            walked.iter().map(|walked| walked.states).sum::<usize>(),
            walked.iter().map(|walked| walked.edges).sum::<usize>() as f64 / 1e6
        );
    }
    row
}
