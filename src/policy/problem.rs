//! What is wrong with a policy: `path:line:col`, the line, a caret, what is wrong, the remedy. The
//! same text goes to the terminal and onto the station's screen.

use std::fmt;
use std::ops::Range;

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: a sentence fragment.
    pub what: String,
    /// What to do about it.
    pub help: String,
    /// Where, in bytes of the text; `None` for the file as a whole.
    pub place: Option<Range<usize>>,
}

/// All problems of a file, with the file's name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file, as it was named.
    pub path: String,
    /// Its text, as far as it could be read.
    pub text: String,
    /// The problems, in the order of the file.
    pub list: Vec<Problem>,
}

/// Where a problem is, counted from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position<'a> {
    /// The line's number.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The line itself.
    pub text: &'a str,
    /// How many characters the caret underlines.
    pub length: usize,
}

/// What to do about what the TOML reader did not understand.
pub(super) fn for_toml(message: &str) -> &'static str {
    if message.contains("escape") {
        "write a path in single quotes, or each backslash of it twice"
    } else {
        "correct the TOML; strings stand in quotes, tables in [brackets]"
    }
}

impl Problems {
    /// Where a problem is.
    #[must_use]
    pub fn position(&self, problem: &Problem) -> Option<Position<'_>> {
        let place = problem.place.clone()?;
        let before = self.text.get(..place.start)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let text = self.text.get(start..)?.lines().next().unwrap_or_default();
        let column = before.get(start..)?.chars().count() + 1;
        let left = text.chars().count().saturating_sub(column - 1);
        let marked = self
            .text
            .get(place)
            .map_or(1, |marked| marked.lines().next().unwrap_or_default().chars().count());
        let length = marked.clamp(1, left.max(1));
        Some(Position { line: before.matches('\n').count() + 1, column, text, length })
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            match self.position(problem) {
                None => writeln!(f, "{}: {}", self.path, problem.what)?,
                Some(at) => {
                    writeln!(f, "{}:{}:{}: {}", self.path, at.line, at.column, problem.what)?;
                    let margin = " ".repeat(at.line.to_string().len());
                    // Tabs keep their width only if the caret line has them too.
                    let indent: String = at
                        .text
                        .chars()
                        .take(at.column - 1)
                        .map(|letter| if letter == '\t' { '\t' } else { ' ' })
                        .collect();
                    writeln!(f, "{margin} |")?;
                    writeln!(f, "{} | {}", at.line, at.text)?;
                    writeln!(f, "{margin} | {indent}^{}", "~".repeat(at.length - 1))?;
                }
            }
            writeln!(f, "help: {}", problem.help)?;
        }
        Ok(())
    }
}
