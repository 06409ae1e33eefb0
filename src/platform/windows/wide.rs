//! Text as Windows takes it: UTF-16 with a zero at its end, and the quoting of a command line.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt as _;

/// The text in UTF-16, ended by a zero. Whatever stands behind a zero in it is left out, as Windows would.
#[must_use]
pub fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().take_while(|unit| *unit != 0).chain([0]).collect()
}

/// The text of UTF-16 up to its first zero; what is no Unicode is shown as a mark.
#[must_use]
pub fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// A command line from which a program takes exactly these words (the rules of `CommandLineToArgvW`).
#[must_use]
pub fn command_line(program: &str, arguments: &[String]) -> String {
    // The program's own name is read by other rules: a quotation mark cannot stand in it at all.
    let mut line = format!("\"{}\"", program.replace('"', ""));
    for argument in arguments {
        line.push(' ');
        quote(&mut line, argument);
    }
    line
}

fn quote(line: &mut String, argument: &str) {
    let plain = !argument.is_empty() && !argument.contains([' ', '\t', '\n', '\u{b}', '"']);
    if plain {
        line.push_str(argument);
        return;
    }
    line.push('"');
    let mut slashes = 0;
    for letter in argument.chars() {
        if letter == '"' {
            // Backslashes before a quotation mark count double, and one more takes the mark as it is.
            line.extend(std::iter::repeat_n('\\', slashes + 1));
        }
        slashes = if letter == '\\' { slashes + 1 } else { 0 };
        line.push(letter);
    }
    line.extend(std::iter::repeat_n('\\', slashes));
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_programs_read_them() {
        let line = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            command_line(r"C:\Program Files\a.exe", &words)
        };
        assert_eq!(line(&["--app=https://x/"]), "\"C:\\Program Files\\a.exe\" --app=https://x/");
        assert_eq!(line(&["a b", ""]), "\"C:\\Program Files\\a.exe\" \"a b\" \"\"");
        assert_eq!(line(&[r"a\", r"a b\"]), "\"C:\\Program Files\\a.exe\" a\\ \"a b\\\\\"");
        assert_eq!(line(&[r#"say "hi""#]), "\"C:\\Program Files\\a.exe\" \"say \\\"hi\\\"\"");
        assert_eq!(line(&[r#"a\"b"#]), "\"C:\\Program Files\\a.exe\" \"a\\\\\\\"b\"");
    }

    #[test]
    fn text_ends_at_its_zero() {
        assert_eq!(wide("aö"), [97, 246, 0]);
        assert_eq!(wide("a\0b"), [97, 0]);
        assert_eq!(text(&[97, 246, 0, 98]), "aö");
    }
}
