//! What a command changed on the roster: for the ledger, the terminal and programs.

use serde_json::json;
use zeroize::Zeroizing;

use super::in_columns;
use crate::ports::RosterRow;

/// So many operators are named in a ledger's entry; more are counted.
const NAMED: usize = 12;

/// What became of one operator.
pub(super) struct Change {
    pub(super) key: String,
    pub(super) name: String,
    /// Whether she was not on the roster before.
    pub(super) new: bool,
    /// Which columns are others now.
    pub(super) what: Vec<&'static str>,
    /// Her new one-time PIN, where one was issued.
    pub(super) one_time_pin: Option<Zeroizing<String>>,
}

impl Change {
    /// What a row changes of the one that stood there.
    pub(super) fn of(row: &RosterRow, old: Option<&RosterRow>) -> Self {
        let mut change = Self {
            key: row.key.clone(),
            name: row.name.clone(),
            new: old.is_none(),
            what: Vec::new(),
            one_time_pin: None,
        };
        if let Some(old) = old {
            let columns = [
                ("name", row.name == old.name),
                ("roles", row.roles == old.roles),
                ("badges", row.badges == old.badges),
                ("valid_from", row.valid_from_utc_ms == old.valid_from_utc_ms),
                ("valid_until", row.valid_until_utc_ms == old.valid_until_utc_ms),
            ];
            change.what = columns.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect();
        }
        change
    }

    /// Whether all is as it was.
    pub(super) fn is_none(&self) -> bool {
        !self.new && self.what.is_empty() && self.one_time_pin.is_none()
    }

    fn words(&self) -> String {
        match self {
            change if change.new => format!("add {}", change.key),
            change => format!("change {} of {}", change.what.join(", "), change.key),
        }
    }
}

/// The deed for the ledger: who was added, and what changed of whom.
pub(super) fn deed(changes: &[Change]) -> String {
    let done: Vec<_> = changes.iter().filter(|change| !change.is_none()).collect();
    let mut words: Vec<_> = done.iter().take(NAMED).map(|change| change.words()).collect();
    if done.len() > NAMED {
        let more = &done[NAMED..];
        let added = more.iter().filter(|change| change.new).count();
        words.push(format!("add {added} and change {} more", more.len() - added));
    }
    words.join("; ")
}

/// For programs: one object an operator.
pub(super) fn as_json(changes: &[Change]) -> Zeroizing<String> {
    let one = |change: &Change| {
        let what = match change {
            change if change.new => "added",
            change if change.is_none() => "unchanged",
            _ => "changed",
        };
        let mut value =
            json!({ "key": change.key, "name": change.name, "change": what, "columns": change.what });
        if let (Some(pin), Some(value)) = (&change.one_time_pin, value.as_object_mut()) {
            drop(value.insert("one_time_pin".to_owned(), json!(pin.as_str())));
        }
        value
    };
    Zeroizing::new(format!("{:#}\n", json!(changes.iter().map(one).collect::<Vec<_>>())))
}

/// For people: the PINs that were issued, then what was changed.
pub(super) fn in_words(changes: &[Change]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    if changes.iter().any(|change| change.one_time_pin.is_some()) {
        text.push_str("One-time PINs, shown once. The first tap asks for an own PIN.\n");
        let mut table = vec![["KEY", "NAME", "ONE-TIME PIN"].map(str::to_owned)];
        for change in changes {
            if let Some(pin) = &change.one_time_pin {
                table.push([change.key.clone(), change.name.clone(), pin.as_str().to_owned()]);
            }
        }
        text.push_str(&in_columns(&table));
    }
    let mut say = |what: &str, of: &dyn Fn(&Change) -> bool| {
        let keys: Vec<_> = changes.iter().filter(|change| of(change)).map(|change| &*change.key).collect();
        if !keys.is_empty() {
            text.push_str(&format!("{what}: {}\n", keys.join(", ")));
        }
    };
    say("added", &|change| change.new);
    say("changed", &|change| !change.new && !change.is_none());
    say("unchanged", &Change::is_none);
    text
}
