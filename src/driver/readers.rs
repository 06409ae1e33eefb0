//! What lies on which reader, so that a badge's going is told after its coming even when the
//! roster is still being asked.

use std::collections::HashMap;

use crate::handoff::OperatorId;

/// What lies on each reader.
#[derive(Default)]
pub(super) struct Readers {
    places: HashMap<String, Place>,
}

enum Place {
    /// The roster is being asked; whether the badge has gone meanwhile.
    Asked { gone: bool },
    /// The roster has said whose it is.
    Known(Option<OperatorId>),
}

impl Readers {
    /// A badge lies on this reader, and the roster is about to be asked.
    pub(super) fn came(&mut self, reader: &str) {
        let _ = self.places.insert(reader.to_owned(), Place::Asked { gone: false });
    }

    /// The roster has answered. True when the badge has gone meanwhile.
    pub(super) fn resolved(&mut self, reader: &str, whose: Option<OperatorId>) -> bool {
        match self.places.get_mut(reader) {
            Some(Place::Asked { gone: true }) => {
                let _ = self.places.remove(reader);
                true
            }
            Some(place @ (Place::Asked { gone: false } | Place::Known(_))) => {
                *place = Place::Known(whose);
                false
            }
            // The readers were lost meanwhile: the badge counts as gone.
            None => true,
        }
    }

    /// Whatever lay on this reader is gone: whose badge it was, if that is to be told now.
    pub(super) fn went(&mut self, reader: &str) -> Option<OperatorId> {
        match self.places.remove(reader)? {
            Place::Asked { .. } => {
                let _ = self.places.insert(reader.to_owned(), Place::Asked { gone: true });
                None
            }
            Place::Known(whose) => whose,
        }
    }
}
