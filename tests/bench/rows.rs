//! The rows of the table: samples, their median and p95, the bar, and peers of the same run.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// The monotonic clock, the same in all processes of a machine.
pub(crate) fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(u64::try_from(now.tv_sec).unwrap(), u32::try_from(now.tv_nsec).unwrap())
}

/// One row.
pub(crate) struct Row {
    /// Its id, as others look it up.
    pub id: &'static str,
    /// What was measured.
    pub what: String,
    /// The unit of all its numbers.
    pub unit: &'static str,
    /// The most that its p95 may be.
    pub bar: f64,
    /// What was measured.
    pub samples: Vec<f64>,
    /// Whether something else that the bar asks for was missed.
    pub spoiled: bool,
    /// What others took for the like, in the same run.
    pub peers: Vec<(String, Vec<f64>)>,
}

impl Row {
    pub(crate) fn new(id: &'static str, what: &str, unit: &'static str, bar: f64) -> Self {
        Self { id, what: what.to_owned(), unit, bar, samples: Vec::new(), spoiled: false, peers: Vec::new() }
    }

    fn met(&self) -> bool {
        !self.spoiled && !self.samples.is_empty() && quantile(&self.samples, 0.95) <= self.bar
    }
}

/// The nearest-rank quantile.
fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// All rows that were asked for.
#[derive(Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
}

impl Rows {
    /// Whether any of these rows is to be measured.
    pub(crate) fn wanted(&self, ids: &[&str]) -> bool {
        std::env::var("CLEANSHIFT_BENCH_ONLY")
            .map_or(true, |only| only.split(',').any(|name| ids.contains(&name.trim())))
    }

    /// Takes a row that was measured.
    pub(crate) fn take(&mut self, row: Row) {
        println!("{}: median {:.2} {}", row.id, median(&row.samples), row.unit);
        self.rows.push(row);
    }

    /// The table.
    pub(crate) fn print(&self) {
        println!();
        println!(
            "{:<16} {:>4} {:>10} {:>10} {:>8}      {:<6} peers (median, ours being 1)",
            "id", "n", "median", "p95", "bar", ""
        );
        for row in &self.rows {
            let own = median(&row.samples);
            let peer = |(name, samples): &(String, Vec<f64>)| {
                format!("{name} {:.1} ({:.1}×, n {})", median(samples), median(samples) / own, samples.len())
            };
            let peers: Vec<_> = row.peers.iter().map(peer).collect();
            println!(
                "{:<16} {:>4} {:>10.2} {:>10.2} {:>8} {:<4} {:<6} {}",
                row.id,
                row.samples.len(),
                own,
                quantile(&row.samples, 0.95),
                row.bar,
                row.unit,
                if row.met() { "met" } else { "MISSED" },
                peers.join(", ")
            );
        }
        println!();
        for row in &self.rows {
            println!("{:<16} {}", row.id, row.what);
        }
    }

    /// The same for programs, into `target/bench.json`.
    pub(crate) fn write(&self) {
        let row = |row: &Row| {
            let peers: Map<String, Value> =
                row.peers.iter().map(|(name, samples)| (name.clone(), json!(median(samples)))).collect();
            json!({
                "id": row.id,
                "what": row.what,
                "unit": row.unit,
                "n": row.samples.len(),
                "median": median(&row.samples),
                "p95": quantile(&row.samples, 0.95),
                "bar": row.bar,
                "met": row.met(),
                "peers": peers,
            })
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        let file = target().join("bench.json");
        std::fs::write(&file, serde_json::to_string_pretty(&rows).unwrap() + "\n").unwrap();
        println!("\nwritten: {}", file.display());
    }
}

/// The directory that holds `release/deps`, where this program lies.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
