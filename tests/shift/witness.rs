//! Stands between the driver and the real store, and remembers what was acknowledged: that must hold
//! after any crash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use cleanshift::handoff::{OperatorId, Record, Trigger};
use cleanshift::platform::rehearsal::disk::Disk;
use cleanshift::platform::rehearsal::sign_ins::Providers;
use cleanshift::ports::controls::Controls;
use cleanshift::ports::{
    Answer, BadgeUid, Body, CodeRow, CodeRows, Day, Entry, Found, Handoff, Intent, Ledger, Media, PinRow,
    PortError, Question, Result, RosterRow, RosterRows, Search, Stamp, Unfinished, Written,
};
use cleanshift::store::Store;

use crate::ground::SUE;

/// What was acknowledged, over all shells of a day.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// Number and leaf of the newest entry.
    pub(crate) newest: Option<(u64, [u8; 32])>,
    /// What the drills came to that were entered.
    pub(crate) drills: Vec<String>,
    /// Openings and handoffs, in order.
    pub(crate) turns: Vec<Ack>,
    /// The newest entry was acknowledged before the disk had all of it.
    pub(crate) unsynced: bool,
    /// The emergency openings that the ledger tells of, as its own or as one that was held, by the wall
    /// clock's time.
    pub(crate) told: BTreeSet<i64>,
    /// The emergency opening that was asked for last: its time, and whether it told that the station was
    /// proved clean.
    pub(crate) emergency: Option<(i64, bool)>,
    /// One was asked for without a reason.
    pub(crate) unreasoned: bool,
    /// Somebody has written into the log who is no supervisor.
    pub(crate) overreached: bool,
    /// What was held was to be told, and could not be written.
    pub(crate) untold: bool,
    /// How often a shell asked for old entries to be pruned.
    pub(crate) prunings: u64,
    /// How often the controls were asked for.
    pub(crate) controls: u64,
    /// A supervisor's wish for a new start of the machine is in the ledger, and was not acted on yet.
    pub(crate) restart: bool,
    /// The least that the counter of wrong tries may say; that of codes as that of whoever uses them.
    pub(crate) wrong: BTreeMap<OperatorId, u8>,
}

/// An opening or a handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    /// A session was opened.
    Opened(OperatorId),
    /// A handoff is complete; whether every gate had attested.
    Handoff { clean: bool },
}

/// Whether these facts prove a clean station.
fn clean(facts: &Handoff) -> bool {
    let unclean = |answer| matches!(answer, Answer::Present | Answer::Unknown);
    // Without the proof of the capsule's end nobody knows what the gates looked at.
    let proved = !facts.proof.is_empty() && !facts.after.is_empty();
    proved && !facts.after.iter().any(|gate| unclean(gate.answer))
}

/// The store of one shell, watched.
pub(crate) struct Witness {
    pub(crate) store: Store,
    said: Arc<Mutex<Acknowledged>>,
    disk: Arc<Disk>,
    providers: Arc<Providers>,
}

impl Witness {
    pub(crate) fn new(
        store: Store,
        said: Arc<Mutex<Acknowledged>>,
        disk: Arc<Disk>,
        providers: Arc<Providers>,
    ) -> Self {
        Self { store, said, disk, providers }
    }

    /// What an entry tells of sign-ins: before it is written, and once it is durable.
    fn sign_ins_of(&self, entry: &Entry, durable: bool) {
        let tells = |facts: &Handoff| {
            let person =
                facts.outgoing.as_ref().is_some_and(|who| !who.id.is_emergency() && !who.id.is_drill());
            let recovery = facts.trigger == Trigger::Recovery;
            if person || recovery || !facts.sign_ins.session.is_empty() {
                self.providers.entered(&facts.sign_ins, recovery, durable);
            }
        };
        match &entry.body {
            Body::Handoff(facts) => tells(facts),
            Body::BreakGlass { unfinished, .. } => {
                unfinished.as_deref().into_iter().for_each(tells);
                // It opens whatever is not ended, and also where this could not be written.
                self.providers.excuse();
            }
            Body::Core { record: Record::Released(_), .. } if durable => self.providers.excuse(),
            Body::Settled(settlement) if durable => self.providers.settled(settlement),
            Body::Core { .. }
            | Body::Change { .. }
            | Body::Discontinuity(_)
            | Body::Drill { .. }
            | Body::Noted(_)
            | Body::Settled(_)
            | Body::Started { .. }
            | Body::Stopped => {}
        }
    }

    fn said(&self) -> MutexGuard<'_, Acknowledged> {
        self.said.lock().unwrap()
    }
}

impl CodeRows for Witness {
    fn codes(&self) -> Result<Vec<CodeRow>> {
        self.store.codes()
    }

    fn change_code(&self, name: &str, phc: Option<&str>, by: &str, at: &Stamp) -> Result<()> {
        self.store.change_code(name, phc, by, at)
    }

    fn wrong_codes(&self) -> Result<(u8, i64)> {
        self.store.wrong_codes()
    }

    fn count_codes(&self, wrong: u8, last_utc_ms: i64) -> Result<()> {
        let before = self.said().wrong.get(&OperatorId::EMERGENCY).copied().unwrap_or(0);
        let _ = self.said().wrong.insert(OperatorId::EMERGENCY, before.min(wrong));
        self.store.count_codes(wrong, last_utc_ms)?;
        let _ = self.said().wrong.insert(OperatorId::EMERGENCY, wrong);
        Ok(())
    }
}

impl Ledger for Witness {
    fn append(&self, entry: &Entry) -> Result<Written> {
        match &entry.body {
            Body::BreakGlass { reason, unfinished, .. } => {
                let mut said = self.said();
                said.emergency =
                    Some((entry.at.utc_ms, unfinished.as_ref().is_none_or(|facts| clean(facts))));
                said.unreasoned |= reason.is_empty();
            }
            Body::Discontinuity(_) => self.said().untold = true,
            Body::Change { .. }
            | Body::Core { .. }
            | Body::Drill { .. }
            | Body::Handoff(_)
            | Body::Noted(_)
            | Body::Settled(_)
            | Body::Started { .. }
            | Body::Stopped => {}
        }
        self.sign_ins_of(entry, false);
        let written = self.store.append(entry)?;
        self.sign_ins_of(entry, true);
        let mut said = self.said();
        said.newest = Some((written.index, written.leaf));
        // Asked now: what is written later and fails may leave something that was never promised.
        said.unsynced = !self.disk.synced("station.db-wal");
        match &entry.body {
            Body::Core { record: Record::Opened(operator), .. } => said.turns.push(Ack::Opened(*operator)),
            Body::Core { record: Record::DrillOpened(_), .. } => {
                said.turns.push(Ack::Opened(OperatorId::DRILL));
            }
            Body::Drill { came_to, .. } => said.drills.push(came_to.clone()),
            Body::Handoff(facts) => {
                said.turns.push(Ack::Handoff { clean: clean(facts) });
            }
            Body::BreakGlass { .. } => {
                let _ = said.told.insert(entry.at.utc_ms);
                said.turns.push(Ack::Opened(OperatorId::EMERGENCY));
            }
            Body::Discontinuity(held) => {
                said.untold = false;
                let openings = held.iter().filter(|held| matches!(held.body, Body::BreakGlass { .. }));
                said.told.extend(openings.map(|held| held.at.utc_ms));
            }
            Body::Core { record: Record::Restarted(_), .. } => said.restart = true,
            Body::Noted(noted) => said.overreached |= noted.by.id != SUE.id,
            Body::Core { .. }
            | Body::Change { .. }
            | Body::Settled(_)
            | Body::Started { .. }
            | Body::Stopped => {}
        }
        Ok(written)
    }

    fn intend(&self, intent: Intent) -> Result<()> {
        self.store.intend(intent)
    }

    fn unfinished(&self) -> Result<Option<Unfinished>> {
        self.store.unfinished()
    }

    fn page(&self, before: Option<u64>, limit: usize) -> Result<Vec<Written>> {
        self.store.page(before, limit)
    }

    fn entries(&self) -> Result<u64> {
        self.store.entries()
    }

    fn prune(&self, at: &Stamp) -> Result<bool> {
        self.said().prunings += 1;
        self.store.prune(at)
    }

    fn verify(&self) -> Result<std::result::Result<u64, String>> {
        self.store.verify()
    }
}

impl Search for Witness {
    fn find(&self, question: &Question, ticket: u64) -> Result<Option<Found>> {
        self.store.find(question, ticket)
    }

    fn read(&self, numbers: &[u64]) -> Result<Vec<Written>> {
        self.store.read(numbers)
    }

    fn day(&self, between: (i64, i64), ticket: u64) -> Result<Option<Day>> {
        self.store.day(between, ticket)
    }

    fn check(&self, number: u64) -> Result<std::result::Result<u64, String>> {
        self.store.check(number)
    }

    fn notes(&self, number: u64) -> Result<Vec<Written>> {
        self.store.notes(number)
    }

    fn controls(
        &self,
        between: Option<(i64, i64)>,
        told: &dyn Fn(u64, u64) -> bool,
    ) -> Result<Option<Controls>> {
        self.said().controls += 1;
        self.store.controls(between, told)
    }
}

/// A station of memory has no media.
impl Media for Witness {
    fn mounted(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn export(
        &self,
        medium: &str,
        _: &str,
        _: &str,
        _: &mut dyn FnMut() -> Result<Vec<Written>>,
    ) -> Result<String> {
        Err(PortError::new(format!("export to {medium}: it is not there")))
    }
}

impl RosterRows for Witness {
    fn all(&self) -> Result<Vec<RosterRow>> {
        self.store.all()
    }

    fn by_badge(&self, badge: &BadgeUid) -> Result<Option<RosterRow>> {
        self.store.by_badge(badge)
    }

    fn by_id(&self, operator: OperatorId) -> Result<Option<RosterRow>> {
        self.store.by_id(operator)
    }

    fn change(&self, put: &[RosterRow], take: &[String], by: &str, deed: &str, at: &Stamp) -> Result<()> {
        // From the moment it is asked for, the new counter is allowed; once done, it is all that is.
        for row in put {
            let least = self.said().wrong.get(&OperatorId(row.id)).copied().unwrap_or(0).min(row.wrong);
            let _ = self.said().wrong.insert(OperatorId(row.id), least);
        }
        self.store.change(put, take, by, deed, at)
    }

    fn count(&self, operator: OperatorId, wrong: u8, last_utc_ms: i64, disabled: bool) -> Result<()> {
        let before = self.said().wrong.get(&operator).copied().unwrap_or(0);
        let _ = self.said().wrong.insert(operator, before.min(wrong));
        self.store.count(operator, wrong, last_utc_ms, disabled)?;
        let _ = self.said().wrong.insert(operator, wrong);
        Ok(())
    }

    fn begin_anew(&self, operator: OperatorId, wrong: u8) -> Result<()> {
        // A counter that has gone on meanwhile stays as it is.
        if self.said().wrong.get(&operator) == Some(&wrong) {
            let _ = self.said().wrong.insert(operator, 0);
        }
        self.store.begin_anew(operator, wrong)
    }

    fn set_pin(&self, operator: OperatorId, pin: &PinRow) -> Result<()> {
        self.store.set_pin(operator, pin)
    }
}
