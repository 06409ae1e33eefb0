//! What belongs to break-glass and could not be written is held here until it can be told: a full or
//! dead disk keeps nobody out, and hides nothing.

use std::collections::HashMap;

use crate::handoff::record::Denial;
use crate::handoff::{Record, Turn};
use crate::ports::{Body, Entry};

/// So many entries are held; of more, the oldest wrong codes are forgotten, and no opening ever is.
const MOST: usize = 256;

/// Entries that are not durable.
#[derive(Default)]
pub(super) struct Held {
    expected: HashMap<u8, Entry>,
    entries: Vec<Entry>,
    /// How many of them are being told just now.
    telling: usize,
}

impl Held {
    /// Remembers an entry of break-glass until the ledger has answered.
    pub(super) fn expect(&mut self, turn: Turn, record: Record, entry: &Entry) {
        let emergency = match record {
            Record::BreakGlass => true,
            Record::Denied(id, Denial::WrongPin | Denial::Unchecked) => id.is_emergency(),
            Record::BadgeUnknown
            | Record::Denied(..)
            | Record::Drilled(_)
            | Record::DrillOpened(_)
            | Record::Handoff(..)
            | Record::Opened(_)
            | Record::Quarantined(_)
            | Record::Released(_)
            | Record::Restarted(_)
            | Record::Viewed(_) => false,
        };
        if emergency {
            drop(self.expected.insert(turn.0, entry.clone()));
        }
    }

    /// The ledger has answered.
    pub(super) fn answered(&mut self, turn: Turn, durable: bool) {
        if let Some(entry) = self.expected.remove(&turn.0)
            && !durable
        {
            let opening = |entry: &Entry| matches!(entry.body, Body::BreakGlass { .. });
            let old = self.entries.iter().skip(self.telling).position(|held| !opening(held));
            if let Some(old) = old.filter(|_| self.entries.len() >= MOST) {
                drop(self.entries.remove(self.telling + old));
            }
            self.entries.push(entry);
        }
    }

    /// What is to be told now that the ledger writes again, if anything.
    pub(super) fn begin_telling(&mut self) -> Option<Vec<Entry>> {
        if self.entries.is_empty() || self.telling > 0 {
            return None;
        }
        self.telling = self.entries.len();
        Some(self.entries.clone())
    }

    /// Whether what was told is durable now.
    pub(super) fn told(&mut self, durable: bool) {
        let told = std::mem::take(&mut self.telling);
        if durable {
            drop(self.entries.drain(..told.min(self.entries.len())));
        }
    }

    /// The opening that is not durable, in a line that a phone can read from the screen.
    pub(super) fn opening(&self) -> Option<String> {
        let all = self.entries.iter().rev().chain(self.expected.values());
        all.into_iter().find_map(|entry| match &entry.body {
            Body::BreakGlass { person, reason, .. } => Some(format!(
                "cleanshift break-glass utc_ms={} boot={} boot_ms={} code={:?} reason={:?}",
                entry.at.utc_ms, entry.at.boot_id, entry.at.boot_ms, person.role, reason
            )),
            Body::Change { .. }
            | Body::Core { .. }
            | Body::Discontinuity(_)
            | Body::Drill { .. }
            | Body::Handoff(_)
            | Body::Noted(_)
            | Body::Settled(_)
            | Body::Started { .. }
            | Body::Stopped => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::OperatorId;
    use crate::ports::{Person, Stamp};

    fn fails(held: &mut Held, turn: u8, record: Record, body: Body) {
        let entry = Entry { at: Stamp { utc_ms: 0, boot_ms: 0, boot_id: String::new() }, body };
        held.expect(Turn(turn), record, &entry);
        held.answered(Turn(turn), false);
    }

    #[test]
    fn no_number_of_wrong_codes_hides_an_opening() {
        let mut held = Held::default();
        let wrong = Record::Denied(OperatorId::EMERGENCY, Denial::WrongPin);
        for turn in 0..=u8::MAX {
            fails(
                &mut held,
                turn,
                wrong,
                Body::Core { record: wrong, person: None, note: String::new(), unfinished: None },
            );
        }
        let person = Person {
            id: OperatorId::EMERGENCY,
            key: "break-glass".to_owned(),
            name: "Emergency access".to_owned(),
            role: "ward-4".to_owned(),
        };
        let opening = Body::BreakGlass { person, reason: "fire".to_owned(), unfinished: None };
        fails(&mut held, 0, Record::BreakGlass, opening);
        for turn in 0..=u8::MAX {
            fails(
                &mut held,
                turn,
                wrong,
                Body::Core { record: wrong, person: None, note: String::new(), unfinished: None },
            );
        }
        assert!(held.opening().is_some());
        assert_eq!(held.begin_telling().map(|told| told.len()), Some(MOST));
    }
}
