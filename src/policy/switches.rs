//! What a machine's own policies set before the policy file does: one file for many stations, and few values that
//! differ between them. The two make one text, which is read, hashed and shown as any policy is.

use std::borrow::Cow;
use std::path::Path;

use toml::{Table, Value};

use super::problem::Problems;
use super::{Policy, read};

/// A value that stands before the file's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The table and the key of the file that it stands before.
    pub key: (&'static str, &'static str),
    /// The value.
    pub value: SwitchValue,
}

/// What a switch is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwitchValue {
    /// A text, as it would stand in quotes.
    Text(String),
    /// True or false.
    Flag(bool),
}

impl Policy {
    /// Reads a policy file together with the switches that are set.
    ///
    /// # Errors
    /// Every problem that was found, with its place and remedy: the file's own where it has one, else those that
    /// the switches make of it.
    pub fn in_force(path: &Path, switches: &[Switch]) -> Result<Self, Problems> {
        let alone = Self::read(path);
        let Some(text) = text_of(path, switches) else { return alone };
        let name = format!("{}, with what this machine's policies set ({})", path.display(), named(switches));
        Self::parse(&text, &name).map_err(|both| alone.err().unwrap_or(both))
    }
}

/// The text of a policy in force: the file's, with the switches' values in it where there are any.
#[must_use]
pub fn in_force<'a>(file: &'a [u8], switches: &[Switch]) -> Cow<'a, [u8]> {
    let text = std::str::from_utf8(file).ok().and_then(|text| with(text, switches));
    text.map_or(Cow::Borrowed(file), |text| Cow::Owned(text.into_bytes()))
}

/// The keys that the switches stand before, for people.
#[must_use]
pub fn named(switches: &[Switch]) -> String {
    let names: Vec<_> = switches.iter().map(|switch| format!("{}.{}", switch.key.0, switch.key.1)).collect();
    names.join(", ")
}

fn text_of(path: &Path, switches: &[Switch]) -> Option<String> {
    let bytes = read::read_bounded(path).ok()?;
    with(std::str::from_utf8(&bytes).ok()?, switches)
}

/// None where there is nothing to set, or the file is no TOML in which it could be: it is told as it is then.
fn with(text: &str, switches: &[Switch]) -> Option<String> {
    if switches.is_empty() {
        return None;
    }
    let mut file: Table = text.strip_prefix('\u{feff}').unwrap_or(text).parse().ok()?;
    for switch in switches {
        let (table, key) = switch.key;
        let value = match &switch.value {
            SwitchValue::Text(text) => Value::String(text.clone()),
            SwitchValue::Flag(flag) => Value::Boolean(*flag),
        };
        let table = file.entry(table).or_insert_with(|| Value::Table(Table::new())).as_table_mut()?;
        let _ = table.insert(key.to_owned(), value);
    }
    let text = toml::to_string(&file).ok()?;
    Some(format!("# This machine's policies set {}.\n{text}", named(switches)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::hash;

    const FILE: &str = r#"roles = ["nurse"]
[station]
place = "Ward 4"
[badge]
mode = "tap"
[times]
idle = "90 s"
[[apps]]
name = "Chart"
command = "xterm"
roles = ["nurse"]
"#;

    fn text(key: (&'static str, &'static str), value: &str) -> Switch {
        Switch { key, value: SwitchValue::Text(value.to_owned()) }
    }

    fn read(text: &str, switches: &[Switch]) -> Result<Policy, String> {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("policy.toml");
        std::fs::write(&file, text).unwrap();
        Policy::in_force(&file, switches).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_switch_stands_before_the_file_and_what_it_does_not_name_stays() {
        let switches = [
            text(("station", "name"), "WARD-4-PC \"7\""),
            text(("times", "idle"), "45 s"),
            Switch { key: ("break_glass", "enabled"), value: SwitchValue::Flag(false) },
        ];
        let policy = read(FILE, &switches).unwrap();
        assert_eq!(policy.station.name, "WARD-4-PC \"7\"");
        assert_eq!(policy.station.place, "Ward 4");
        assert_eq!(policy.rules.idle, 45_000);
        assert_eq!(policy.apps.len(), 1);
        // What is hashed is what is shown, and what is shown is read as the same policy.
        let shown = in_force(FILE.as_bytes(), &switches).into_owned();
        assert_eq!(policy.hash, hash(&shown));
        assert_eq!(Policy::parse(std::str::from_utf8(&shown).unwrap(), "shown").unwrap(), policy);
    }

    #[test]
    fn without_a_switch_the_file_is_what_is_in_force() {
        let named = FILE.replace("[station]", "[station]\nname = \"Station 12\"");
        assert_eq!(&*in_force(named.as_bytes(), &[]), named.as_bytes());
        assert_eq!(read(&named, &[]).unwrap().hash, hash(named.as_bytes()));
    }

    #[test]
    fn a_wrong_value_is_told_as_the_machines_and_a_wrong_file_at_its_own_place() {
        let named = FILE.replace("[station]", "[station]\nname = \"Station 12\"");
        let wrong = read(&named, &[text(("capsule", "mode"), "quick")]).unwrap_err();
        assert!(wrong.contains("this machine's policies set (capsule.mode)"), "{wrong}");
        assert!(wrong.contains("unknown variant `quick`"), "{wrong}");
        let wrong =
            read(&named.replace("90 s", "soon"), &[text(("station", "place"), "Ward 5")]).unwrap_err();
        assert!(wrong.contains("policy.toml:8:"), "{wrong}");
        // Where the file has no table to set it in, the file is told.
        let wrong = read("station = 3\nroles = []\n", &[text(("station", "place"), "Ward 5")]).unwrap_err();
        assert!(wrong.contains("policy.toml:1:"), "{wrong}");
    }
}
