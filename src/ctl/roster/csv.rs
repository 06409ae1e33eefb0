//! The roster's CSV: what people save from a spreadsheet, and what they should save instead.

use std::path::Path;

use super::{COLUMNS, Line};

/// The operators of a file; each problem with its place and remedy.
pub(super) fn lines(text: &[u8], file: &Path) -> Result<Vec<Line>, Vec<String>> {
    let place = |line: u64| format!("{}:{line}: ", file.display());
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = plain(text).map_err(|(line, what)| vec![format!("{}{what}", place(line))])?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let heading = reader.headers().map_err(|error| vec![format!("{}{error}", place(1))])?.clone();
    if heading.iter().ne(COLUMNS) {
        let semicolons = text.lines().next().is_some_and(|line| line.split(';').map(str::trim).eq(COLUMNS));
        let columns = COLUMNS.join(",");
        return Err(vec![if semicolons {
            format!("{}the columns are separated by semicolons: separate them by commas", place(1))
        } else {
            format!("{}the first line must be: {columns}", place(1))
        }]);
    }
    let (mut good, mut problems) = (Vec::new(), Vec::new());
    for record in reader.records() {
        match record {
            Err(error) => {
                let line = error.position().map_or(0, |at| line_of(&text, at));
                problems.push(format!(
                    "{}this line does not have the six columns of the first; a name with a comma stands in quotes",
                    place(line)
                ));
            }
            Ok(record) => {
                let line = record.position().map_or(0, |at| line_of(&text, at));
                let field = |number: usize| record.get(number).unwrap_or_default().to_owned();
                let many = |number: usize| {
                    let field = field(number);
                    let parts = field.split(';').map(str::trim).filter(|part| !part.is_empty());
                    parts.map(str::to_owned).collect()
                };
                good.push(Line {
                    place: place(line),
                    key: field(0),
                    name: field(1),
                    roles: many(2),
                    badges: many(3),
                    from: field(4),
                    until: field(5),
                });
            }
        }
    }
    if good.is_empty() && problems.is_empty() {
        problems.push(format!("{}there is no operator in this file", place(1)));
    }
    if problems.is_empty() { Ok(good) } else { Err(problems) }
}

/// The text, if it is text; else the line at which it is none, and what to do.
fn plain(text: &[u8]) -> Result<String, (u64, String)> {
    let before = |end: usize| text.iter().take(end).filter(|byte| **byte == b'\n').count() as u64 + 1;
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err((1, "this file is UTF-16: save it as \"CSV UTF-8\"".to_owned()));
    }
    if let Some(at) = text.iter().position(|byte| *byte == 0) {
        return Err((before(at), "this is no CSV file: save the sheet as \"CSV UTF-8\"".to_owned()));
    }
    match std::str::from_utf8(text) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let at = error.valid_up_to();
            let byte = text.get(at).copied().unwrap_or_default();
            Err((
                before(at),
                format!("a letter here is not UTF-8 (byte {byte:02X}): save the file as \"CSV UTF-8\""),
            ))
        }
    }
}

/// The line on which a record begins; the reader counts from the blank lines before it.
fn line_of(text: &str, at: &csv::Position) -> u64 {
    let rest = usize::try_from(at.byte()).ok().and_then(|byte| text.get(byte..)).unwrap_or_default();
    let blank = rest.bytes().take_while(|byte| matches!(byte, b'\n' | b'\r'));
    at.line() + blank.filter(|byte| *byte == b'\n').count() as u64
}
