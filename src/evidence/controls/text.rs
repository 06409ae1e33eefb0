//! The report as text for people.

use super::Report;
use super::map::size;
use crate::evidence::words::seconds;

impl Report {
    /// The report as text for people.
    #[must_use]
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let range = self.range.map_or_else(String::new, |(first, last)| format!(", {first} to {last}"));
        let _ = writeln!(out, "{} entries{range}", self.entries);
        let verified = self.verified.as_deref().unwrap_or("not verified here: `cleanshiftctl log verify`");
        let _ = writeln!(out, "ledger: {verified}");
        let mut framework = "";
        for control in &self.controls {
            if control.framework != framework {
                framework = control.framework;
                let _ = writeln!(out, "\n{framework}");
            }
            let _ = writeln!(out, "\n  {}  {}", control.id, control.title);
            let _ = writeln!(out, "    evidence    {}", control.evidence);
            for count in &control.counts {
                let told = match count.what.strip_suffix(", microseconds") {
                    Some(what) => format!("{what}: {}", seconds(count.count)),
                    None => format!("{}: {}", count.what, count.count),
                };
                let _ = writeln!(out, "    counted     {told}");
            }
            for odd in &control.exceptions {
                let named: Vec<_> = odd.entries.iter().map(u64::to_string).collect();
                let more = odd.count - size(odd.entries.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let entries = if odd.count == 1 { "entry" } else { "entries" };
                let _ = writeln!(out, "    EXCEPTION   {}: {entries} {}{more}", odd.what, named.join(", "));
            }
            if control.exceptions.is_empty() {
                let _ = writeln!(out, "    exceptions  none in these entries");
            }
            let _ = writeln!(out, "    not shown   {}", control.not_shown);
        }
        let _ = writeln!(out, "\nNo evidence here for");
        for none in &self.none {
            let _ = writeln!(out, "  {} {}  {}: {}", none.framework, none.id, none.title, none.why);
        }
        out
    }
}
