//! What a drill comes to: a row for each class, a verdict, and how they are told.

use std::fmt::Write as _;

use serde_json::{Value, json};

pub use crate::platform::linux::drill::classes::{CLASSES, name};

/// How a gate did on a canary that was put before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// There was nothing to see.
    Nothing,
    /// It saw it.
    Saw,
    /// The class is proved by reach, and the way to it was shown: there outside, not there inside.
    Reach,
    /// It missed it: the control has failed.
    Missed,
}

impl Sight {
    fn word(self) -> &'static str {
        match self {
            Self::Missed => "MISSED",
            Self::Nothing => "-",
            Self::Reach => "by reach",
            Self::Saw => "yes",
        }
    }
}

/// What became of one class.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number, 1 to 28.
    pub class: u8,
    /// What was planted in the capsule.
    pub contained: Vec<String>,
    /// What was planted on the host.
    pub escaped: Vec<String>,
    /// Why nothing was planted, where nothing was.
    pub why_not: String,
    /// How the look inside did.
    pub inside: Sight,
    /// How the look on the host did.
    pub outside: Sight,
    /// Whether the search found it while it was there.
    pub searched: Sight,
    /// The answer in the handoff's receipt.
    pub answer: String,
    /// How many places still have a canary of it afterwards, and where.
    pub left: Vec<String>,
}

/// What a drill came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was seen, and nothing is left.
    Clean,
    /// Something was not seen where it was: the drill proves nothing about that class.
    ControlFailed,
    /// Something is left, or the station did not come clean.
    Residue,
}

impl Verdict {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::ControlFailed => "control-failed",
            Self::Residue => "residue",
        }
    }
}

/// A drill, told.
#[derive(Clone, Debug)]
pub struct Table {
    /// A row for each class.
    pub rows: Vec<Row>,
    /// Why the station did not come clean, where it did not.
    pub barred: Option<String>,
    /// What else people must know to judge it.
    pub notes: Vec<String>,
}

impl Table {
    /// The verdict. What is left weighs more than what was not seen.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let unclean =
            |row: &Row| !row.left.is_empty() || matches!(row.answer.as_str(), "present" | "unknown" | "");
        let missed = |row: &Row| [row.inside, row.outside, row.searched].contains(&Sight::Missed);
        if self.barred.is_some() || self.rows.iter().any(unclean) {
            Verdict::Residue
        } else if self.rows.iter().any(missed) || self.rows.len() != CLASSES.len() {
            Verdict::ControlFailed
        } else {
            Verdict::Clean
        }
    }

    /// The verdict in a line, for the ledger.
    #[must_use]
    pub fn summary(&self) -> String {
        let planted = self.rows.iter().filter(|row| !row.contained.is_empty() || !row.escaped.is_empty());
        let left: usize = self.rows.iter().map(|row| row.left.len()).sum();
        let kinds = ["absent", "not-applicable", "setting", "present", "unknown"];
        let kinds: Vec<String> = kinds
            .iter()
            .map(|kind| (kind, self.rows.iter().filter(|row| row.answer == **kind).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        format!(
            "{}: planted in {} of 28 classes, {left} left; the gates said {}",
            self.verdict().word(),
            planted.count(),
            kinds.join(", ")
        )
    }

    /// As JSON: `verdict`, and an object for each class.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "class": row.class,
                    "name": name(row.class),
                    "contained": row.contained,
                    "escaped": row.escaped,
                    "why_not": row.why_not,
                    "seen_inside": row.inside.word(),
                    "seen_outside": row.outside.word(),
                    "seen_by_search": row.searched.word(),
                    "answer": row.answer,
                    "left": row.left,
                })
            })
            .collect();
        json!({
            "verdict": self.verdict().word(),
            "barred": self.barred,
            "classes": rows,
            "notes": self.notes,
        })
    }

    /// For the terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{:>2}  {:<28} {:<20} {:<9} {:<9} {:<15} {}\n",
            "", "class", "planted", "inside", "outside", "after", "left"
        );
        for row in &self.rows {
            let planted = match (row.contained.len(), row.escaped.len()) {
                (0, 0) => "-".to_owned(),
                (0, out) => format!("{out} on the host"),
                (within, 0) => format!("{within} inside"),
                (within, out) => format!("{within} inside, {out} out"),
            };
            let _ = writeln!(
                text,
                "{:>2}  {:<28} {planted:<20} {:<9} {:<9} {:<15} {}",
                row.class,
                name(row.class),
                row.inside.word(),
                row.outside.word(),
                row.answer,
                row.left.len()
            );
        }
        text.push('\n');
        for row in &self.rows {
            let class = format!("{} {}", row.class, name(row.class));
            if row.contained.is_empty() && row.escaped.is_empty() {
                let _ = writeln!(text, "{class}: not planted: {}", row.why_not);
            }
            if row.searched == Sight::Missed {
                let _ = writeln!(text, "{class}: the search did not find it while it was there");
            }
            for place in &row.left {
                let _ = writeln!(text, "{class}: left: {place}");
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        if let Some(why) = &self.barred {
            let _ = writeln!(text, "the station did not come clean: {why}");
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }
}
