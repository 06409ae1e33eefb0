//! What the entries come to. Every entry from the ledger's beginning goes through here, so that a session
//! that was open when the asked time began is known; only those of the asked time are counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Numbers;
use super::sign_ins::SignIns;
use crate::evidence::pruned::Pruned;
use crate::evidence::receipt::{HandoffFacts, Receipt};
use crate::evidence::words::{Counts, counts};

/// A cover that took longer is an exception, microseconds (requirement L-03).
const COVERED: u64 = 1_000_000;

/// The classes whose traces are secrets: keyring, kernel keys, key agents, Kerberos tickets, browser
/// profiles (requirements §2.2).
const SECRETS: std::ops::RangeInclusive<u8> = 8..=12;

/// Numbers over the entries of a time.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub(super) entries: u64,
    pub(super) range: Option<(u64, u64)>,
    pub(super) kinds: BTreeMap<String, u64>,
    pub(super) triggers: BTreeMap<String, u64>,
    pub(super) operators: BTreeSet<String>,
    pub(super) boots: BTreeSet<String>,
    pub(super) gates: Counts,
    pub(super) inside: Counts,
    pub(super) secrets: Counts,
    pub(super) apps: u64,
    pub(super) forced: u64,
    pub(super) shared: u64,
    pub(super) held: u64,
    pub(super) pruned: u64,
    /// What the ledger says of its anchors and of what was pruned.
    pub(super) keeping: Pruned,
    pub(super) removed: u64,
    pub(super) pin_below_aal2: u64,
    pub(super) slowest_cover_us: u64,
    pub(super) slowest_clean_us: u64,
    pub(super) sign_ins: SignIns,
    pub(super) odd: Odd,
    state: State,
}

/// The entries that are exceptions to something.
#[derive(Clone, Debug, Default)]
pub(super) struct Odd {
    pub(super) break_glass: Numbers,
    pub(super) break_glass_unclean: Numbers,
    pub(super) break_glass_without_reason: Numbers,
    pub(super) clock_back: Numbers,
    pub(super) covered_late: Numbers,
    pub(super) disabled_let_in: Numbers,
    pub(super) discontinuity: Numbers,
    pub(super) drill_wanting: Numbers,
    pub(super) end_of_nothing: Numbers,
    pub(super) missing: Numbers,
    pub(super) nobody: Numbers,
    pub(super) not_clean: Numbers,
    pub(super) opened_beside: Numbers,
    pub(super) opened_unproved: Numbers,
    pub(super) pruned_wrong: Numbers,
    pub(super) quarantine: Numbers,
    pub(super) secrets: Numbers,
    pub(super) unknown_badge: Numbers,
    pub(super) unlinked: Numbers,
    pub(super) unreadable: Numbers,
    pub(super) without_end: Numbers,
}

/// What must be known of the entries before.
#[derive(Clone, Debug, Default)]
struct State {
    /// The opening of the session that is open.
    open: Option<u64>,
    /// Whether the station was proved clean since it was last used or started; `None` before anything
    /// has told.
    clean: Option<bool>,
    disabled: BTreeSet<String>,
    at: Option<Timestamp>,
    next: Option<u64>,
    leaf: String,
}

impl Tally {
    /// Takes the next entry, with its leaf hash. `counted` says whether it is of the asked time.
    pub fn entry(&mut self, receipt: &Receipt, leaf: &[u8], counted: bool) {
        let before = if counted { None } else { Some(self.odd.clone()) };
        self.follow(receipt, leaf);
        self.sign_ins.entry(receipt, counted);
        match before {
            Some(before) => self.odd = before,
            None => self.count(receipt),
        }
    }

    /// Takes the next entry where its text was pruned: its leaf alone is left.
    pub fn pruned(&mut self, index: u64, leaf: &[u8]) {
        self.pruned += 1;
        self.keeping.gap(index);
        self.lost(index, leaf);
    }

    /// An entry of which only the leaf is known.
    fn lost(&mut self, index: u64, leaf: &[u8]) {
        // What happened in it nobody knows any more.
        (self.state.open, self.state.clean) = (None, None);
        (self.state.next, self.state.leaf) = (Some(index + 1), hex::encode(leaf));
    }

    /// Takes the next entry where its text cannot be read.
    pub fn unreadable(&mut self, index: u64, leaf: &[u8]) {
        self.lost(index, leaf);
        self.odd.unreadable.push(index);
    }

    /// What is wrong with this entry, judged by those before it.
    fn follow(&mut self, receipt: &Receipt, leaf: &[u8]) {
        let (index, odd, state) = (receipt.index, &mut self.odd, &mut self.state);
        match state.next {
            Some(next) if next != index => odd.missing.push(index),
            Some(_) if receipt.previous != state.leaf => odd.unlinked.push(index),
            Some(_) | None => {}
        }
        state.next = Some(index + 1);
        state.leaf = hex::encode(leaf);
        if let Ok(at) = receipt.at.utc.parse::<Timestamp>() {
            if state.at.is_some_and(|before| at < before) {
                odd.clock_back.push(index);
            }
            state.at = Some(at);
        }
        let kind = receipt.kind.as_str();
        let keeps = matches!(kind, "anchored" | "pruned");
        if keeps && self.keeping.told(index, kind, receipt.anchor.as_ref()).is_err() {
            odd.pruned_wrong.push(index);
        }
        let key = receipt.operator.as_ref().map(|who| who.key.as_str());
        match kind {
            "opened" => {
                if let Some(open) = state.open {
                    odd.opened_beside.push(index);
                    odd.without_end.push(open);
                }
                if state.clean == Some(false) {
                    odd.opened_unproved.push(index);
                }
                if key.is_some_and(|key| state.disabled.contains(key)) {
                    odd.disabled_let_in.push(index);
                }
                if key.is_none() {
                    odd.nobody.push(index);
                }
                (state.open, state.clean) = (Some(index), Some(false));
            }
            "break-glass" => {
                odd.break_glass.push(index);
                if receipt.note.is_empty() {
                    odd.break_glass_without_reason.push(index);
                }
                match (&receipt.handoff, state.open) {
                    // It tells of the end of the session before, as far as it had come.
                    (Some(_), _) => odd.break_glass_unclean.push(index),
                    (None, Some(open)) => odd.without_end.push(open),
                    (None, None) => {}
                }
                (state.open, state.clean) = (Some(index), Some(false));
            }
            "handoff" => {
                if let Some(facts) = &receipt.handoff {
                    handoff(odd, index, facts);
                    state.clean = Some(counts(&facts.after).clean());
                }
                if receipt.note.starts_with("no session of") {
                    odd.end_of_nothing.push(index);
                }
                state.open = None;
            }
            "started" => state.clean = Some(false),
            "disabled" => state.disabled.extend(key.map(str::to_owned)),
            "roster" => {
                let deed = receipt.change.as_ref().map_or("", |change| change.deed.as_str());
                // An import names nobody, and may have enabled anybody.
                let import = deed.starts_with("import");
                state.disabled.retain(|key| !import && !deed.ends_with(&format!(" {key}")));
            }
            "badge-unknown" => odd.unknown_badge.push(index),
            "quarantine" => {
                odd.quarantine.push(index);
                if receipt.handoff.as_ref().is_some_and(leaves_secrets) {
                    odd.secrets.push(index);
                }
            }
            "discontinuity" => odd.discontinuity.push(index),
            "drill" if !receipt.note.starts_with("clean") => odd.drill_wanting.push(index),
            _ => {}
        }
    }

    fn count(&mut self, receipt: &Receipt) {
        self.entries += 1;
        let first = self.range.map_or(receipt.index, |(first, _)| first);
        self.range = Some((first, receipt.index));
        *self.kinds.entry(receipt.kind.clone()).or_default() += 1;
        let _ = self.boots.insert(receipt.at.boot_id.clone());
        self.operators.extend(receipt.operator.as_ref().map(|who| who.key.clone()));
        self.held += receipt.held.len() as u64;
        let deed = receipt.change.as_ref().map_or("", |change| change.deed.as_str());
        self.removed += u64::from(receipt.kind == "roster" && deed.starts_with("remove"));
        let Some(facts) = &receipt.handoff else { return };
        if receipt.kind == "handoff" {
            *self.triggers.entry(facts.trigger.clone()).or_default() += 1;
            self.slowest_cover_us = self.slowest_cover_us.max(facts.covered_after_us);
            self.slowest_clean_us = self.slowest_clean_us.max(facts.clean_after_us);
            self.shared += u64::from(!facts.shared.is_empty());
            self.pin_below_aal2 += u64::from(facts.assurance.contains("below AAL2"));
            self.apps += facts.apps.len() as u64;
            self.forced += facts.apps.iter().filter(|app| !app.gracefully).count() as u64;
        }
        add(&mut self.gates, counts(&facts.after));
        add(&mut self.inside, counts(&facts.inside));
        let secrets: Vec<_> =
            facts.after.iter().filter(|gate| SECRETS.contains(&gate.class)).cloned().collect();
        add(&mut self.secrets, counts(&secrets));
    }

    /// How many entries of this kind there are.
    pub(super) fn kind(&self, kind: &str) -> u64 {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    /// The time of the newest entry.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.state.at
    }

    /// How many handoffs began for one of these reasons.
    pub(super) fn triggers(&self, triggers: &[&str]) -> u64 {
        triggers.iter().filter_map(|trigger| self.triggers.get(*trigger)).sum()
    }
}

fn handoff(odd: &mut Odd, index: u64, facts: &HandoffFacts) {
    if facts.covered_after_us > COVERED {
        odd.covered_late.push(index);
    }
    if !counts(&facts.after).clean() {
        odd.not_clean.push(index);
    }
    if leaves_secrets(facts) {
        odd.secrets.push(index);
    }
}

fn leaves_secrets(facts: &HandoffFacts) -> bool {
    let open = |answer: &str| matches!(answer, "present" | "unknown");
    facts.after.iter().any(|gate| SECRETS.contains(&gate.class) && open(&gate.answer))
}

fn add(to: &mut Counts, more: Counts) {
    to.absent += more.absent;
    to.not_here += more.not_here;
    to.setting += more.setting;
    to.present += more.present;
    to.unknown += more.unknown;
}
