//! A station's key and its successors: each has signed the entry that names the next, so that an auditor
//! who holds any of them can verify what all of them have signed.

use super::checkpoint::{Signature, StationKey};
use super::receipt::Receipt;
use super::verify::Fault;

/// The keys of a ledger, in their order.
#[derive(Default)]
pub(super) struct Chain {
    brought: Option<StationKey>,
    named: Vec<StationKey>,
}

impl Chain {
    /// A chain of which nothing is known but the key that an auditor has brought.
    pub(super) fn new(brought: Option<StationKey>) -> Self {
        Self { brought, named: Vec::new() }
    }

    /// The first entry: the key that it names, where it names one. Without, the auditor's own key is the one.
    pub(super) fn begin(&mut self, json: &[u8]) -> Result<(), String> {
        let receipt = Receipt::read(json).ok().filter(|receipt| receipt.kind == "key");
        let named = receipt.as_ref().and_then(|receipt| StationKey::read(&receipt.note).ok());
        if let (Some(receipt), Some(key)) = (&receipt, &named)
            && receipt.change.as_ref().is_none_or(|change| change.after != key.fingerprint())
        {
            return Err("wrong key: the hash beside the key that it names is not that key's".to_owned());
        }
        self.named.extend(named.or_else(|| self.brought.clone()));
        Ok(())
    }

    /// The key that signs now.
    pub(super) fn current(&self) -> Option<&StationKey> {
        self.named.last()
    }

    /// The keys, in their order.
    pub(super) fn into_keys(self) -> Vec<StationKey> {
        self.named
    }

    /// Whether an auditor has brought a key.
    pub(super) fn was_brought(&self) -> bool {
        self.brought.is_some()
    }

    /// Whether the key that was brought is one of the ledger's.
    pub(super) fn vouched(&self) -> bool {
        self.brought.as_ref().is_some_and(|key| self.named.contains(key))
    }

    /// What is wrong with the key that was brought, once all entries were seen.
    pub(super) fn stranger(&self) -> Option<String> {
        let first = self.named.first().filter(|_| self.was_brought() && !self.vouched())?.text();
        Some(match self.named.get(1..).and_then(<[StationKey]>::last) {
            None => format!("wrong key: the ledger was begun with {first}"),
            Some(last) => format!(
                "wrong key: the ledger was begun with {first} and goes on with {}; this key is none of its {}",
                last.text(),
                self.named.len()
            ),
        })
    }

    /// A later entry of kind `key`: the key that signs now must have signed it, and the next one too.
    pub(super) fn change(&mut self, json: &[u8], checkpoint: &str) -> Result<(), (Fault, String)> {
        let edited = || (Fault::Edited, "edited: it changes the station's key and names none".to_owned());
        let receipt = Receipt::read(json).map_err(|_| edited())?;
        let next = StationKey::read(&receipt.note).map_err(|_| edited())?;
        let wrong = |what: &str| Err((Fault::WrongKey, format!("wrong key: {what}")));
        if receipt.change.is_none_or(|change| change.after != next.fingerprint()) {
            return wrong("the hash beside the key that it names is not that key's");
        }
        if self.current().is_some_and(|current| current.origin() != next.origin()) {
            return wrong("it changes the station's key to one of another origin");
        }
        if !self.current().is_some_and(|current| current.check(checkpoint) == Signature::Good) {
            return wrong("it changes the station's key, and the key before has not signed it");
        }
        if next.check(checkpoint) != Signature::Good {
            return wrong("it changes the station's key, and the new key has not signed it");
        }
        self.named.push(next);
        Ok(())
    }
}
