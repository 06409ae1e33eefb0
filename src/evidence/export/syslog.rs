//! RFC 5424 messages, one a line, with the facts as structured data.
//!
//! `SD-ID`s need an enterprise number; Cleanshift has none. `cleanshift@32473` uses the one that RFC 5612
//! keeps for documentation: collectors should map it to their own. The facility is 10 (`authpriv`), which
//! collectors keep from ordinary readers; the severity follows what happened:
//!
//! | severity | entries |
//! |---|---|
//! | 1 alert | quarantine, break-glass, discontinuity |
//! | 3 error | a handoff or drill that was not clean, a sign-in that could not be ended, a badge disabled |
//! | 4 warning | denied, an unknown badge |
//! | 5 notice | roster, policy, key, released, restarted, anchored, pruned, a handoff with sign-ins that have not ended yet |
//! | 6 informational | everything else |

use std::fmt::Write as _;

use super::{Item, Weight, rfc3339, weight};
use crate::evidence::checkpoint::origin;

/// Security and authorisation messages, private (RFC 5424 §6.2.1).
const FACILITY: u8 = 10;

/// Documentation's own enterprise number (RFC 5612).
const SD_ID: &str = "cleanshift@32473";

/// The longest HOSTNAME and MSGID (RFC 5424 §6).
const HOSTNAME: usize = 255;
const MSGID: usize = 32;

/// The message of an entry, with its line end.
#[must_use]
pub fn message(entry: &Item<'_>) -> String {
    let receipt = entry.receipt;
    let severity = match weight(receipt) {
        Weight::Ordinary => 6,
        Weight::Notice => 5,
        Weight::Refused => 4,
        Weight::Wanting => 3,
        Weight::Alarm => 1,
    };
    let station = origin(&receipt.station);
    let station = station.rsplit('/').next().unwrap_or_default();
    let mut text = format!(
        "<{}>1 {} {} cleanshift - {} [{SD_ID}",
        FACILITY * 8 + severity,
        rfc3339(&receipt.at),
        printable(station, HOSTNAME),
        printable(&receipt.kind, MSGID),
    );
    if let Some(who) = &receipt.operator {
        for (name, value) in [("operator", &who.key), ("name", &who.name), ("role", &who.role)] {
            parameter(&mut text, name, &crate::evidence::escape(value));
        }
    }
    // A parameter may stand there more than once (§6.3.3).
    for (name, fact) in entry.facts() {
        for value in fact.texts() {
            parameter(&mut text, name, &value);
        }
    }
    // A message in UTF-8 begins with the byte order mark (§6.4).
    let _ = writeln!(text, "] \u{feff}{}", entry.sentence());
    text
}

fn parameter(text: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    let _ = write!(text, " {name}=\"");
    // Parsers in the field take the `\\"` at the end of `a\\"` for an escaped quote, and would read on
    // into the next parameter: no value ends in a backslash.
    let (value, end) = value.strip_suffix('\\').map_or((value, ""), |value| (value, "\\\\u{5c}"));
    for character in value.chars() {
        if matches!(character, '"' | '\\' | ']') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push_str(end);
    text.push('"');
}

/// What a field of the header may hold: printable ASCII without spaces; `-` for nothing.
fn printable(text: &str, longest: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_value_is_escaped_and_nothing_else() {
        let mut text = String::new();
        parameter(&mut text, "x", "a\"b]c\\d[é");
        parameter(&mut text, "empty", "");
        parameter(&mut text, "y", "z\\");
        assert_eq!(text, r#" x="a\"b\]c\\d[é" y="z\\u{5c}""#);
        assert_eq!((printable("é", 9), printable("a b", 2)), ("-".to_owned(), "ab".to_owned()));
    }
}
