//! Badges over PC/SC, the same on every system.
//!
//! One thread only waits for what readers tell; whether a badge is gone is decided there and nowhere
//! else. Cards are spoken to on threads of their own, with a deadline, so that a card that does not
//! answer cannot hold up the removal of another.

#![forbid(unsafe_code)]

mod apdu;
mod ask;
mod identity;
mod told;
mod watch;

pub use watch::Watch;

use std::time::Duration;

use crate::ports::ReaderEvent;

/// How long a card may take to say who it is, on a machine that is not slower than others.
pub const CARD: Duration = Duration::from_secs(2);

/// Which readers count.
#[derive(Clone, Debug)]
pub struct Readers {
    /// Beginnings of names of readers that count. Empty: every reader that is not virtual.
    pub allowed: Vec<String>,
    /// Whether a virtual reader may count: in a demo and in tests only, because anybody who reaches
    /// its port can insert a badge.
    pub allow_virtual: bool,
    /// How long a card may take to say who it is.
    pub patience: Duration,
}

impl Default for Readers {
    fn default() -> Self {
        Self { allowed: Vec::new(), allow_virtual: false, patience: CARD }
    }
}

impl Readers {
    /// Whether a reader of this name counts.
    #[must_use]
    pub fn admit(&self, name: &str) -> bool {
        let lower = name.to_lowercase();
        let is_virtual = ["virtual", "vpcd", "vicc"].iter().any(|mark| lower.contains(mark));
        let named =
            self.allowed.is_empty() || self.allowed.iter().any(|start| name.starts_with(start.as_str()));
        named && (self.allow_virtual || !is_virtual)
    }

    /// Watches the readers and tells what they see, until the watch is dropped.
    ///
    /// Each badge is told once as having come (or as unreadable) and once as having gone, in this
    /// order. The loss of the card service, or of the last reader that counts, is told at once; when it
    /// is back, what lies on the readers is told anew. `tell` is called on threads of the watch, one
    /// call at a time; it must not drop the watch.
    #[must_use]
    pub fn watch(self, tell: impl Fn(ReaderEvent) + Send + Sync + 'static) -> Watch {
        Watch::begin(self, tell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_reader_counts_only_where_it_is_allowed() {
        let real = Readers { allowed: vec!["OMNIKEY".to_owned()], ..Readers::default() };
        assert!(real.admit("OMNIKEY CardMan 5x21 00 00"));
        assert!(!real.admit("ACS ACR122U 00 00"));
        let named = Readers { allowed: vec!["Virtual PCD".to_owned()], ..Readers::default() };
        assert!(!named.admit("Virtual PCD 00 00"));
        assert!(Readers { allow_virtual: true, ..named }.admit("Virtual PCD 00 00"));
        assert!(Readers::default().admit("ACS ACR122U 00 00"));
        assert!(!Readers::default().admit("Virtual PCD 00 00"));
    }
}
