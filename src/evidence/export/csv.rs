//! A table for people, by RFC 4180: UTF-8, rows end in CRLF. No cell is taken for a formula by a
//! spreadsheet: one that begins with `=`, `+`, `-` or `@` (or their full-width forms) has an
//! apostrophe before it, as OWASP asks; tabs and line ends are escaped like every control.

use super::{Item, clean, deed};
use crate::evidence::receipt::{HandoffFacts, Who};
use crate::evidence::tokens::{ended, signed_out};
use crate::evidence::words::{Counts, counts, escape};

/// The columns. New ones are added at the end.
const COLUMNS: [&str; 35] = [
    "index",
    "utc",
    "station",
    "kind",
    "operator",
    "name",
    "role",
    "incoming",
    "incoming_name",
    "trigger",
    "opened_utc",
    "began_utc",
    "covered_ms",
    "clean_ms",
    "rounds",
    "apps_closed",
    "apps_forced",
    "apps",
    "absent",
    "not_here",
    "by_setting",
    "present",
    "unknown",
    "verdict",
    "assurance",
    "changed_by",
    "change",
    "note",
    "held",
    "sentence",
    "leaf",
    "about",
    "session",
    "signed_out",
    "unsettled",
];

/// The first row.
#[must_use]
pub fn heading() -> String {
    line(COLUMNS.map(str::to_owned))
}

/// The row of an entry.
#[must_use]
pub fn row(entry: &Item<'_>) -> String {
    let receipt = entry.receipt;
    let none = String::new;
    let key = |who: Option<&Who>| who.map_or_else(none, |who| escape(&who.key));
    let name = |who: Option<&Who>| who.map_or_else(none, |who| escape(&who.name));
    let operator = receipt.operator.as_ref();
    let handoff = receipt.handoff.as_ref();
    let incoming = handoff.and_then(|facts| facts.incoming.as_ref());
    let (by, change) = deed(receipt).map_or_else(Default::default, |(by, deed)| (escape(by), escape(&deed)));
    let of = |tell: &dyn Fn(&HandoffFacts) -> String| handoff.map_or_else(none, tell);
    let counted = |tell: fn(Counts) -> usize| of(&|facts| tell(counts(&facts.after)).to_string());
    let forced = |gracefully: bool| {
        of(&|facts| facts.apps.iter().filter(|app| app.gracefully == gracefully).count().to_string())
    };
    line([
        receipt.index.to_string(),
        escape(&receipt.at.utc),
        escape(&receipt.station),
        escape(&receipt.kind),
        key(operator),
        name(operator),
        operator.map_or_else(none, |who| escape(&who.role)),
        key(incoming),
        name(incoming),
        of(&|facts| escape(&facts.trigger)),
        of(&|facts| facts.opened.as_ref().map_or_else(none, |time| escape(&time.utc))),
        of(&|facts| escape(&facts.began.utc)),
        of(&|facts| millis(facts.covered_after_us)),
        receipt.finished().map_or_else(none, |facts| millis(facts.clean_after_us)),
        of(&|facts| facts.rounds.to_string()),
        forced(true),
        forced(false),
        of(&|facts| facts.apps.iter().map(|app| escape(&app.name)).collect::<Vec<_>>().join("; ")),
        counted(|counts| counts.absent),
        counted(|counts| counts.not_here),
        counted(|counts| counts.setting),
        counted(|counts| counts.present),
        counted(|counts| counts.unknown),
        of(&|_| if clean(receipt) { "clean".to_owned() } else { "not clean".to_owned() }),
        of(&|facts| escape(&facts.assurance)),
        by,
        change,
        escape(&receipt.note),
        if receipt.held.is_empty() { none() } else { receipt.held.len().to_string() },
        entry.sentence(),
        entry.leaf(),
        receipt.about.as_ref().map_or_else(none, |about| about.entry.to_string()),
        escape(&receipt.session),
        signed_out(&receipt.tokens),
        if receipt.tokens.is_empty() { none() } else { ended(&receipt.tokens).unsettled().to_string() },
    ])
}

/// Microseconds as milliseconds: `0.900`.
fn millis(micros: u64) -> String {
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

fn line<const N: usize>(cells: [String; N]) -> String {
    let mut line = cells.map(|cell| quoted(&harmless(cell))).join(",");
    line.push_str("\r\n");
    line
}

fn harmless(cell: String) -> String {
    let formula = |first: char| matches!(first, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    if cell.trim_start().starts_with(formula) { format!("'{cell}") } else { cell }
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_reads_back() {
        let cells =
            ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", " =1", "＝1", "a,b", "say \"hi\"", "", "plain"];
        let line = line(cells.map(str::to_owned));
        assert!(line.ends_with("\r\n"));
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let read = reader.records().next().unwrap().unwrap();
        let expected = ["'=cmd|' /C calc'!A0", "'+1", "'-2+3", "'@SUM(A1)", "' =1", "'＝1"];
        assert_eq!(read.iter().take(6).collect::<Vec<_>>(), expected);
        assert_eq!(read.iter().skip(6).collect::<Vec<_>>(), cells[6..]);
        assert_eq!(millis(12_345), "12.345");
    }
}
