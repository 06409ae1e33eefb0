//! What a policy that does not hold still says of its station: what it is called, and whom to call.

use std::path::Path;

use toml::de::DeTable;

use super::read::{self, MOST_SHOWN};
use super::{StationPolicy, Switch, SwitchValue};

impl StationPolicy {
    /// What the policy in force says of the station, however wrong it is in all else: whoever stands before a station
    /// that is out of service needs to know whom to call. What could not be shown is left out, and so is all of a file
    /// that cannot be read.
    #[must_use]
    pub fn as_far_as_read(path: &Path, switches: &[Switch]) -> Self {
        let bytes = read::read_bounded(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let (file, _) = DeTable::parse_recoverable(text.strip_prefix('\u{feff}').unwrap_or(&text));
        let station = file.get_ref().get("station").and_then(|station| station.get_ref().as_table());
        let said = |key: &str| {
            let set = switches.iter().find_map(|switch| match &switch.value {
                SwitchValue::Text(text) if switch.key == ("station", key) => Some(text.as_str()),
                SwitchValue::Text(_) | SwitchValue::Flag(_) => None,
            });
            let written = || station?.get(key)?.get_ref().as_str();
            set.filter(|text| can_be_shown(text))
                .or_else(|| written().filter(|text| can_be_shown(text)))
                .map(str::to_owned)
                .unwrap_or_default()
        };
        Self {
            name: said("name"),
            place: said("place"),
            help: said("help"),
            neighbour: said("neighbour"),
            look: toml::Value::String(said("look")).try_into().unwrap_or_default(),
        }
    }
}

fn can_be_shown(text: &str) -> bool {
    !text.chars().any(read::is_disguise) && text.chars().count() <= MOST_SHOWN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Look, Policy};

    fn as_far_as_read(text: &[u8], switches: &[Switch]) -> StationPolicy {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("policy.toml");
        std::fs::write(&file, text).unwrap();
        assert!(Policy::in_force(&file, switches).is_err());
        StationPolicy::as_far_as_read(&file, switches)
    }

    fn said(station: &StationPolicy) -> [&str; 3] {
        [&station.name, &station.help, &station.neighbour]
    }

    #[test]
    fn a_wrong_policy_still_says_whom_to_call() {
        let station = "[station]\nname = \"Station 12\"\nhelp = \"IT: 4411\"\nlook = \"dark\"\n";
        let names = ["Station 12", "IT: 4411", ""];
        let wrong = [
            // No apps and no roles; a value that is none; a line that is no TOML, before and after; a letter that is
            // not UTF-8; a text that disguises.
            station.as_bytes().to_vec(),
            format!("{station}[times]\nidle = \"soon\"\n").into_bytes(),
            format!("roles = \"nurse\n{station}").into_bytes(),
            format!("{station}[[apps]\nname =\n").into_bytes(),
            [station.as_bytes(), b"place = \"Zo\xeb\"\n"].concat(),
            format!("{station}neighbour = \"Station \u{202e}11\"\n").into_bytes(),
        ];
        for text in wrong {
            let found = as_far_as_read(&text, &[]);
            assert_eq!((said(&found), found.look), (names, Look::Dark), "{}", String::from_utf8_lossy(&text));
        }
        assert_eq!(as_far_as_read(b"station = 3\n", &[]), StationPolicy::default());
        assert_eq!(as_far_as_read(b"PK\x03\x04", &[]), StationPolicy::default());
    }

    #[test]
    fn a_switch_that_is_wrong_leaves_what_the_file_says() {
        let file = b"[station]\nname = \"Station 12\"\nhelp = \"IT: 4411\"\n";
        let set = |key, value: &str| Switch { key, value: SwitchValue::Text(value.to_owned()) };
        let switches = [
            set(("badge", "mode"), "quick"),
            set(("station", "name"), "WARD-4-PC-7"),
            set(("station", "help"), &"4411 ".repeat(40)),
        ];
        assert_eq!(said(&as_far_as_read(file, &switches)), ["WARD-4-PC-7", "IT: 4411", ""]);
    }
}
