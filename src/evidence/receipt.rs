//! The wire type of an entry: canonical JSON (RFC 8785), version 1.
//!
//! The core's types are never serialised; this is the only shape that leaves the station.

use serde::{Deserialize, Serialize};

use super::tokens::TokenFacts;

/// An entry of the ledger, as it is stored, shown and exported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// `cleanshift/receipt/1`.
    pub schema: String,
    /// The station's name, from the policy.
    pub station: String,
    /// The number of the entry, from 0.
    pub index: u64,
    /// The leaf hash of the entry before, hexadecimal; empty for the first.
    pub previous: String,
    /// When.
    pub at: Time,
    /// What: `handoff`, `opened`, `denied`, `disabled`, `badge-unknown`, `quarantine`, `released`,
    /// `restarted`, `viewed`, `annotated`, `attested`, `exported`, `break-glass`, `discontinuity`,
    /// `drill`, `started`, `stopped`, `roster`, `policy`, `key`, `anchored`, `pruned`, `settled`.
    pub kind: String,
    /// Who it was about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operator: Option<Who>,
    /// What else people should know.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub note: String,
    /// The facts of a handoff; in a `break-glass` or a `quarantine`, of the one that was not finished.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub handoff: Option<HandoffFacts>,
    /// The facts of a change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change: Option<ChangeFacts>,
    /// Which checkpoint is kept elsewhere, in an `anchored`; what was given up below it, in a `pruned`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub anchor: Option<AnchorFacts>,
    /// Which entry a supervisor's note is about; of which session's receipt a `settled` tells more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<About>,
    /// Entries that could not be written when they happened, in a `discontinuity`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub held: Vec<Held>,
    /// The number of the session, random and hexadecimal, where it was signed in elsewhere.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub session: String,
    /// How far the end of what the session held elsewhere had come; in a `settled`, of what has changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tokens: Vec<TokenFacts>,
    /// The capability report, where it belongs to the entry.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub capabilities: Vec<Capability>,
    /// Hash of the policy in force, where it belongs to the entry.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub policy: String,
}

/// A point in time (requirement E-10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// RFC 3339 in UTC with milliseconds: `2026-11-23T07:42:10.123Z`.
    pub utc: String,
    /// Milliseconds since the host booted, suspend counted.
    pub boot_ms: u64,
    /// The kernel's random id of this boot.
    pub boot_id: String,
}

/// Who.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// The roster's key.
    pub key: String,
    /// The name on the screen.
    pub name: String,
    /// The role on the screen.
    pub role: String,
}

/// A name and what was found of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// `userns`, `pidns`, `cgroup`, `swap`, …
    pub name: String,
    /// What was found.
    pub found: String,
}

/// The facts of a handoff.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffFacts {
    /// Why it began: `badge-out`, `tap-out`, `takeover`, `idle`, `ended`, `expired`, `reader-lost`, …
    pub trigger: String,
    /// Whose badge began it, in a takeover.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incoming: Option<Who>,
    /// When the session began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opened: Option<Time>,
    /// When the handoff began.
    pub began: Time,
    /// Microseconds until the cover was confirmed.
    pub covered_after_us: u64,
    /// Microseconds until everything was proved clean; in a handoff that was not finished, until this
    /// entry.
    pub clean_after_us: u64,
    /// How many rounds of clean-up it took.
    pub rounds: u8,
    /// Each app that was open. After a `recovery` none: which were open, the shell that was ended knew.
    pub apps: Vec<AppClosed>,
    /// How the capsule's end was proved.
    pub proof: String,
    /// What the gates saw inside the capsule before its end.
    pub inside: Vec<GateSaw>,
    /// What the gates saw after it.
    pub after: Vec<GateSaw>,
    /// Directories that the policy shares, not checked.
    pub shared: Vec<String>,
    /// How the operator was proved: computed, never claimed.
    pub assurance: String,
}

/// An app at the end of its session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppClosed {
    /// Its name.
    pub name: String,
    /// Whether it closed by itself; else it was forced.
    pub gracefully: bool,
}

/// What a gate saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateSaw {
    /// The trace class (requirements.md §2.2).
    pub class: u8,
    /// The gate's name.
    pub gate: String,
    /// `absent`, `present`, `unknown`, `not-applicable`, `setting`.
    pub answer: String,
    /// What was seen.
    pub saw: String,
    /// How.
    pub method: String,
    /// Microseconds.
    pub took_us: u64,
}

/// An entry that another is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Its number.
    pub entry: u64,
    /// Its leaf hash, hexadecimal.
    pub leaf: String,
}

/// An entry that was held in memory because the disk took none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// When it happened.
    pub at: Time,
    /// What, as [`Receipt::kind`].
    pub kind: String,
    /// Who it was about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub operator: Option<Who>,
    /// What else people should know.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub note: String,
    /// The facts of a handoff.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub handoff: Option<HandoffFacts>,
    /// As [`Receipt::session`].
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub session: String,
    /// As [`Receipt::tokens`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tokens: Vec<TokenFacts>,
}

/// The facts of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeFacts {
    /// Who made it.
    pub by: String,
    /// What was done, without secrets.
    pub deed: String,
    /// Hash before, hexadecimal; empty for none.
    pub before: String,
    /// Hash after, hexadecimal.
    pub after: String,
}

/// The JSON Schema (draft 2020-12) of a receipt.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Receipt).to_value()
}

/// A checkpoint that is kept elsewhere, and what was pruned below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnchorFacts {
    /// Who said so.
    pub by: String,
    /// How many entries the checkpoint is over.
    pub size: u64,
    /// The root of the tree over them, hexadecimal.
    pub root: String,
    /// What was pruned below it, in a `pruned`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pruned: Option<PrunedFacts>,
}

/// Entries whose text was given up: their leaf hashes stay, and the tree over them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrunedFacts {
    /// The first of them.
    pub from: u64,
    /// The first one after them. Entries of kind `key`, `anchored` and `pruned` in between keep their text.
    pub upto: u64,
    /// How long the policy keeps entries, milliseconds.
    pub keep_ms: u64,
}

impl Receipt {
    /// Reads an entry from its canonical JSON.
    ///
    /// # Errors
    /// A sentence fragment with the place, when the bytes are not an entry of version 1.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|error| format!("read entry: {error}"))
    }

    /// The facts of a handoff that was finished: proved clean, with nothing left open.
    #[must_use]
    pub fn finished(&self) -> Option<&HandoffFacts> {
        self.handoff.as_ref().filter(|_| self.kind == "handoff")
    }

    /// Its canonical JSON (RFC 8785): the bytes that are hashed, stored and exported.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        // Only a map with keys that are no strings, or a number that is none, cannot be written;
        // this type has neither. The store refuses an empty entry all the same.
        serde_json_canonicalizer::to_vec(self).unwrap_or_default()
    }
}
