//! The promises, as invariants over what is true in the world, what the screen shows and what the disk
//! holds. Looked at after every step, after every recovery, and at the end of every day.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use cleanshift::driver::Scene;
use cleanshift::driver::scene::{Phase, StepName, StepState};
use cleanshift::evidence::Receipt;
use cleanshift::handoff::{Late, OperatorId, Roles, Rules, Trigger};
use cleanshift::platform::rehearsal::sign_ins::Providers;
use cleanshift::platform::rehearsal::world::{Call, World};
use cleanshift::ports::{CodeRows as _, Ledger as _, RosterRows as _};
use cleanshift::store::Store;

use crate::ground::{CODE, EMERGENCY, OWN_PIN, PEOPLE, SUE, TOM};
use crate::ward::{Broken, covered_first};
use crate::witness::{Ack, Acknowledged};

/// How long after a cover that was not confirmed the session may still be reachable: until its capsule
/// is killed, milliseconds.
const KILLED_WITHIN: u64 = 1_000;
/// How long after its time a break-glass session may still be seen, where the machine slept over it.
const ENDED_WITHIN: u64 = 1_000;
/// How long after its PIN the log may still open: as long as a PIN is waited for, and as a slow disk takes to
/// write who reads it.
const PROVED_WITHIN: u64 = 90_000;

/// What the promises remember from one look to the next.
#[derive(Default)]
pub(crate) struct Promises {
    /// The last picture in a word, for the trace.
    pub(crate) label: String,
    /// The PIN that was typed last.
    pub(crate) typed: String,
    /// When that was, and when it was the right one last.
    pub(crate) typed_at: u64,
    pub(crate) proved_at: u64,
    /// When a session was left last.
    left_at: u64,
    /// The apps that ran in the last picture.
    ran: Vec<cleanshift::handoff::App>,
    /// Since when a station that opens late waits longer than it may.
    late_since: Option<u64>,
    held: bool,
    /// When the session that runs was opened, and whether the log is read in it.
    opened_at: u64,
    reads: bool,
    was: Option<Kind>,
    /// Capsules in which a session was.
    used: BTreeSet<u64>,
    /// Since when a session is reachable although it was to be covered.
    uncovered_since: Option<u64>,
    /// Since when a break-glass session runs, and since when it is seen to be over.
    emergency_since: Option<u64>,
    overdue_since: Option<u64>,
    /// Who was at work in the last picture, and whether she read the log.
    attended: Option<(OperatorId, bool)>,
    /// Whether it was opened at a barred station.
    unclean: bool,
    /// Break-glass openings that the ledger must tell of, by the wall clock's time.
    owed: Vec<i64>,
    seen: Seen,
}

/// What has just begun.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) opened: bool,
    pub(crate) vacated: bool,
    pub(crate) quarantined: bool,
    pub(crate) emergency: bool,
    pub(crate) unclean: bool,
    pub(crate) held: bool,
    pub(crate) drill: bool,
    pub(crate) hold: bool,
    pub(crate) revoked: bool,
    pub(crate) afresh: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Attended,
    Challenge,
    CleanUp,
    Drill,
    Quarantine,
    Vacant,
}

fn broken(promise: &str, what: &str) -> Result<(), Broken> {
    Err(format!("{promise}: {what}"))
}

impl Promises {
    /// A shell begins.
    pub(crate) fn begins(&mut self) {
        self.was = None;
    }

    /// A shell has ended.
    pub(crate) fn died(&mut self) {
        self.was = None;
        self.uncovered_since = None;
        self.label.clear();
    }

    /// Every break-glass session that was opened is told of by the ledger: as its own entry, or as one
    /// that was held. `dead` when the shell has died, which forgets what it had no chance to tell.
    pub(crate) fn told(&mut self, said: &Mutex<Acknowledged>, dead: bool) -> Result<(), Broken> {
        let said = said.lock().unwrap();
        self.owed.retain(|at| !said.told.contains(at));
        if dead {
            self.owed.clear();
        }
        match self.owed.as_slice() {
            [] => Ok(()),
            owed => broken("evidence", &format!("the ledger does not tell of the break-glass of {owed:?}")),
        }
    }

    /// What has begun since this was asked last.
    pub(crate) fn seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
    }

    /// After every step.
    pub(crate) fn kept(
        &mut self,
        now: u64,
        scene: &Scene,
        calls: &[Call],
        world: &World,
        said: &Mutex<Acknowledged>,
        rules: &Rules,
    ) -> Result<(), Broken> {
        let is = match &scene.phase {
            Phase::Attended(_) => Kind::Attended,
            Phase::Challenge(_) => Kind::Challenge,
            Phase::CleanUp(_) => Kind::CleanUp,
            Phase::Drill(_) => Kind::Drill,
            Phase::Quarantine(_) => Kind::Quarantine,
            Phase::Vacant(_) => Kind::Vacant,
            Phase::OutOfService(why) => return broken("a running driver", why),
        };
        let was = self.was.replace(is);
        let changed = was != Some(is);
        if was.is_none() && is != Kind::CleanUp {
            return broken("a crash is a clean-up", "a shell began with something else");
        }
        if was == Some(Kind::Attended) && changed && is != Kind::CleanUp {
            return broken("covered first", "a session was left for something else than a clean-up");
        }
        if changed && is == Kind::CleanUp && !covered_first(calls) {
            return broken("covered first", &format!("a clean-up began with {calls:?}"));
        }
        self.drilled(was, is, scene, calls)?;
        if was == Some(Kind::Attended) && changed {
            self.left_at = now;
        }
        let emergency = matches!(&scene.phase, Phase::Attended(at_work) if at_work.emergency);
        if was == Some(Kind::CleanUp) && changed && is == Kind::Attended {
            return broken("one operator", "a session opened without a challenge");
        }
        if was == Some(Kind::Quarantine) && changed && is != Kind::CleanUp && !emergency {
            return broken(
                "unknown is not clean",
                "a quarantine was left for something else than a clean-up or break-glass",
            );
        }
        self.covered(now, is, world)?;
        match &scene.phase {
            Phase::Attended(at_work) => {
                let operator = operator(&at_work.name)?;
                self.read(now, changed, at_work.log.is_some(), said)?;
                if changed {
                    self.seen.opened = true;
                    self.opened(operator, world, said)?;
                    if emergency {
                        self.emergency_since = Some(now);
                        self.owed.push(at_work.since_utc_ms);
                        self.seen.emergency = true;
                        self.unclean = was == Some(Kind::Quarantine);
                        self.seen.unclean = self.unclean;
                    }
                }
                self.seen.held |= changed && at_work.held.is_some();
                self.in_time(now, emergency)?;
                let told = said.lock().unwrap().told.contains(&at_work.since_utc_ms);
                if emergency && !told && at_work.held.is_none() {
                    return broken("evidence", "break-glass is neither in the ledger nor held");
                }
                // What the gates have found beside all capsules is what break-glass opens in spite of; its
                // entry must tell of it. A capsule with somebody's data in it is never opened.
                let of_it = said.lock().unwrap().emergency.filter(|(at, _)| *at == at_work.since_utc_ms);
                let told = emergency && self.unclean && !of_it.is_some_and(|(_, clean)| clean);
                let there = if told { world.inside() } else { world.readable() };
                let foreign: Vec<_> = there.into_iter().filter(|whose| *whose != operator).collect();
                if !foreign.is_empty() {
                    return broken("one operator", &format!("{operator:?} can read what is {foreign:?}'s"));
                }
                let roles = roles(operator);
                let permitted = |app: &cleanshift::handoff::App| {
                    rules.app(*app).is_some_and(|rule| rule.roles.meets(roles))
                };
                self.asked_again(now, world, emergency, rules)?;
                if let Some(app) = world.apps().iter().find(|app| !permitted(app)) {
                    return broken("one operator", &format!("{operator:?} was given {app:?}"));
                }
            }
            Phase::Drill(drill) => {
                if changed {
                    self.seen.drill = true;
                    receipt_before(said)?;
                    let who = operator(&drill.by)?;
                    if who != SUE.id {
                        return broken("a drill", &format!("{who:?} has one held"));
                    }
                }
                let foreign: Vec<_> =
                    world.readable().into_iter().filter(|whose| !whose.is_drill()).collect();
                if !foreign.is_empty() {
                    return broken("a drill", &format!("is held over what is {foreign:?}'s"));
                }
                let opened = said.lock().unwrap().turns.last() == Some(&Ack::Opened(OperatorId::DRILL));
                if !world.readable().is_empty() && !opened {
                    return broken("a drill", "something was planted before its opening was durable");
                }
                if let (true, Some(capsule)) = (!world.inside().is_empty(), world.capsule()) {
                    let _ = self.used.insert(capsule);
                }
            }
            Phase::Vacant(_) | Phase::Challenge(_) => {
                if !world.readable().is_empty() {
                    return broken(
                        "destroyed, not covered",
                        "something of a session is there at a vacant station",
                    );
                }
                if changed && was == Some(Kind::CleanUp) {
                    self.seen.vacated = true;
                    receipt_before(said)?;
                }
            }
            Phase::Quarantine(barred) => {
                self.seen.quarantined = changed;
                if barred.findings.is_empty() || barred.findings.iter().any(String::is_empty) {
                    return broken("care goes on", "a quarantine does not say why");
                }
                let may = [Ok(SUE.id), Ok(OperatorId::EMERGENCY)];
                if barred.guest.as_ref().is_some_and(|guest| !may.contains(&operator(&guest.name))) {
                    return broken(
                        "unknown is not clean",
                        "somebody may release a quarantine who is no supervisor",
                    );
                }
            }
            Phase::CleanUp(_) | Phase::OutOfService(_) => {}
        }
        world.attend(if let Phase::Attended(at_work) = &scene.phase {
            Some(operator(&at_work.name)?)
        } else {
            None
        });
        Ok(())
    }

    /// The log opens for its supervisor's PIN, typed a short while ago or to open this very session.
    fn read(&mut self, now: u64, opens: bool, shows: bool, said: &Mutex<Acknowledged>) -> Result<(), Broken> {
        if opens {
            (self.opened_at, self.reads) = (now, false);
        }
        if said.lock().unwrap().overreached {
            return broken("the log", "somebody has written into it who is no supervisor");
        }
        let fresh = now - self.opened_at.max(self.typed_at) <= PROVED_WITHIN;
        if shows && !std::mem::replace(&mut self.reads, shows) && !(fresh && self.typed == SUE.pin) {
            return broken("the log", "it was opened without its supervisor's PIN");
        }
        self.reads = shows;
        Ok(())
    }

    /// A drill is begun by a supervisor who reads the log, is never shown, plants only while it is held, and
    /// is left for a clean-up.
    fn drilled(&mut self, was: Option<Kind>, is: Kind, scene: &Scene, calls: &[Call]) -> Result<(), Broken> {
        let attended = std::mem::take(&mut self.attended);
        if let Phase::Attended(at_work) = &scene.phase {
            self.attended = Some((operator(&at_work.name)?, at_work.log.is_some()));
        }
        let for_a_drill = matches!(&scene.phase, Phase::CleanUp(clean_up)
            if clean_up.trigger == cleanshift::handoff::Trigger::Drill);
        if was == Some(Kind::Attended) && for_a_drill && attended != Some((SUE.id, true)) {
            return broken("a drill", &format!("{attended:?} has ended a session for it"));
        }
        if is == Kind::Drill && !matches!(was, Some(Kind::Drill | Kind::CleanUp)) {
            return broken("a drill", "began without a clean-up before it");
        }
        if was == Some(Kind::Drill) && !matches!(is, Kind::Drill | Kind::CleanUp) {
            return broken("a drill", "was left for something else than a clean-up");
        }
        if is == Kind::Drill && calls.contains(&Call::Views) {
            return broken("a drill", "its session was shown");
        }
        if calls.contains(&Call::Drill) && is != Kind::Drill {
            return broken("a drill", "something was planted while none is held");
        }
        Ok(())
    }

    /// An app that asks for the PIN again starts on one that is young enough, and for a person alone.
    fn asked_again(&mut self, now: u64, world: &World, emergency: bool, rules: &Rules) -> Result<(), Broken> {
        let ran = std::mem::replace(&mut self.ran, world.apps());
        for app in self.ran.iter().filter(|app| !ran.contains(app)) {
            let Some(age) = rules.app(*app).and_then(|rule| rule.reverify) else { continue };
            if emergency {
                return broken("step-up", &format!("{app:?} was started for a code"));
            }
            if now - self.proved_at > age + PROVED_WITHIN {
                return broken("step-up", &format!("{app:?} was started without a PIN"));
            }
        }
        Ok(())
    }

    /// What a session holds elsewhere ends with it: a station waits for that as its policy says, a revoked
    /// session ends, and no token reaches anybody but whom it was for.
    pub(crate) fn signed_in(
        &mut self,
        now: u64,
        scene: &Scene,
        providers: &Providers,
        rules: &Rules,
    ) -> Result<(), Broken> {
        if let Some(what) = providers.broken() {
            return Err(what);
        }
        let clean_up = match &scene.phase {
            Phase::CleanUp(clean_up) => Some(clean_up),
            Phase::Attended(_)
            | Phase::Challenge(_)
            | Phase::Drill(_)
            | Phase::OutOfService(_)
            | Phase::Quarantine(_)
            | Phase::Vacant(_) => None,
        };
        if let Some(clean_up) = clean_up.filter(|_| self.was == Some(Kind::Attended)) {
            let who = clean_up.name.as_deref().unwrap_or_default();
            self.seen.revoked = clean_up.trigger == Trigger::Revoked;
            self.seen.afresh = clean_up.trigger == Trigger::FreshStart;
            // A news may be late, and is never invented.
            if self.seen.revoked && !providers.was_revoked(who, PROVED_WITHIN) {
                return broken("one operator", &format!("{who}'s session was ended as revoked, and was not"));
            }
        }
        let held = clean_up.is_some_and(|clean_up| clean_up.held.is_some());
        if held && !rules.holds() {
            return broken("care goes on", "a station is held whose policy opens it");
        }
        self.seen.hold = held && !std::mem::replace(&mut self.held, held);
        let opened =
            matches!(scene.phase, Phase::Vacant(_) | Phase::Challenge(_)) && self.was == Some(Kind::CleanUp);
        let unsettled = providers.unsettled();
        if opened && rules.holds() && !unsettled.is_empty() {
            return broken("held", &format!("a station was opened while {unsettled:?} can still be used"));
        }
        // A station that opens late waits for its time, and no longer.
        let settles = clean_up.is_some_and(|clean_up| {
            let step = clean_up.steps.iter().find(|step| step.step == StepName::SignInsEnded);
            step.is_some_and(|step| step.state == StepState::Now)
        });
        match (rules.sign_ins.map(|rule| rule.late), providers.ended_at()) {
            (Some(Late::Open { after }), Some(since)) if settles && now > since + after => {
                let since = *self.late_since.get_or_insert(now);
                if now - since > ENDED_WITHIN {
                    return broken("care goes on", "a station waits longer for providers than it may");
                }
            }
            _ => self.late_since = None,
        }
        Ok(())
    }

    fn covered(&mut self, now: u64, is: Kind, world: &World) -> Result<(), Broken> {
        if is == Kind::Attended || !world.reachable() {
            self.uncovered_since = None;
            return Ok(());
        }
        let since = *self.uncovered_since.get_or_insert(now);
        if now.saturating_sub(since) > KILLED_WITHIN {
            return broken("covered first", "a session is reachable that nobody is in");
        }
        Ok(())
    }

    /// A break-glass session ends by itself.
    fn in_time(&mut self, now: u64, emergency: bool) -> Result<(), Broken> {
        let over = self.emergency_since.filter(|since| emergency && now > since + EMERGENCY);
        if over.is_none() {
            self.overdue_since = None;
            return Ok(());
        }
        let since = *self.overdue_since.get_or_insert(now);
        if now - since > ENDED_WITHIN {
            return broken("break-glass", "a session lasts beyond its time");
        }
        Ok(())
    }

    fn opened(
        &mut self,
        operator: OperatorId,
        world: &World,
        said: &Mutex<Acknowledged>,
    ) -> Result<(), Broken> {
        let Some(capsule) = world.capsule() else {
            return broken("destroyed, not covered", "a session opened without a capsule");
        };
        if operator.is_emergency() {
            if self.typed != CODE {
                return broken("break-glass", &format!("{} has opened a session", self.typed));
            }
            if !self.used.insert(capsule) {
                return broken("destroyed, not covered", "a capsule was used twice");
            }
            if said.lock().unwrap().unreasoned {
                return broken("break-glass", "a session was opened without a reason");
            }
            return Ok(());
        }
        if self.typed_at < self.left_at {
            return broken("one operator", &format!("{operator:?} was let in without a PIN"));
        }
        let issued = PEOPLE.iter().any(|who| who.id == operator && who.pin == self.typed);
        let right = issued || (operator == TOM.id && self.typed == OWN_PIN);
        if !right {
            return broken("one operator", &format!("{operator:?} was let in with {}", self.typed));
        }
        if !self.used.insert(capsule) {
            return broken("destroyed, not covered", "a capsule was used twice");
        }
        let turns = said.lock().unwrap().turns.clone();
        match turns.as_slice() {
            [.., Ack::Handoff { clean: true }, Ack::Opened(whose)] if *whose == operator => {}
            other => {
                let last = &other[other.len().saturating_sub(3)..];
                return broken(
                    "a receipt for every handoff",
                    &format!("{operator:?} was let in after {last:?}"),
                );
            }
        }
        synced(said)
    }

    /// After every start: nothing that was acknowledged is lost. After a power cut (`machine`) the ledger
    /// is verified whole, as it is in the evening.
    pub(crate) fn recovered(
        &mut self,
        store: &Store,
        said: &Arc<Mutex<Acknowledged>>,
        calm: bool,
        machine: bool,
    ) -> Result<(), Broken> {
        // A disk that fails just now cannot be judged; the next start does it.
        let Ok(rows) = store.all() else {
            return if calm { broken("care goes on", "the roster cannot be read") } else { Ok(()) };
        };
        let mut said = said.lock().unwrap();
        for row in &rows {
            let least = said.wrong.get(&OperatorId(row.id)).copied().unwrap_or(0);
            if row.wrong < least {
                let what = format!("{} has {} wrong tries, and had {least}", row.key, row.wrong);
                return broken("the count of wrong PINs", &what);
            }
            let _ = said.wrong.insert(OperatorId(row.id), row.wrong);
        }
        let least = said.wrong.get(&OperatorId::EMERGENCY).copied().unwrap_or(0);
        if let Ok((wrong, _)) = store.wrong_codes() {
            if wrong < least {
                let what = format!("there are {wrong} wrong codes, and there were {least}");
                return broken("the count of wrong codes", &what);
            }
            let _ = said.wrong.insert(OperatorId::EMERGENCY, wrong);
        }
        let newest = said.newest;
        let Ok(ledger) = Book::read(store) else {
            return if calm { broken("evidence", "the ledger cannot be read") } else { Ok(()) };
        };
        if let Some((index, leaf)) = newest {
            match ledger.leaves.get(usize::try_from(index).unwrap()) {
                Some(kept) if *kept == leaf => {}
                Some(_) => return broken("evidence", &format!("entry {index} is another one after a crash")),
                None => {
                    let what = format!("{} entries are left of {}", ledger.leaves.len(), index + 1);
                    return broken("evidence", &what);
                }
            }
        }
        said.newest = ledger.newest();
        let _ = ledger.one_end_each()?;
        said.turns = ledger.turns;
        if machine { verified(store) } else { Ok(()) }
    }

    /// At the end of a day.
    pub(crate) fn at_the_end(store: &Store, in_session: bool) -> Result<(), Broken> {
        verified(store)?;
        let ledger = Book::read(store).map_err(|error| format!("evidence: {error}"))?;
        let open = ledger.one_end_each()?;
        match open {
            Some(who) if !in_session => {
                broken("a receipt for every handoff", &format!("{who}'s opening has no end"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn verified(store: &Store) -> Result<(), Broken> {
    match store.verify() {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(sentence)) => broken("evidence", &sentence),
        // It could not be read, which says nothing about it.
        Err(_) => Ok(()),
    }
}

/// The receipt of the session before is there, clean and durable.
fn receipt_before(said: &Mutex<Acknowledged>) -> Result<(), Broken> {
    match said.lock().unwrap().turns.last() {
        Some(Ack::Handoff { clean: true }) => {}
        other => return broken("a receipt for every handoff", &format!("vacant after {other:?}")),
    }
    synced(said)
}

fn synced(said: &Mutex<Acknowledged>) -> Result<(), Broken> {
    if said.lock().unwrap().unsynced {
        broken("a receipt for every handoff", "what lets the station go on is not durable")
    } else {
        Ok(())
    }
}

const NAMES: [&str; 5] = ["ana.ruiz", "ben.osei", "cho.park", "sue.lind", "tom.beck"];

/// The operator of this name.
fn operator(name: &str) -> Result<OperatorId, Broken> {
    if matches!(name, "Emergency access" | "break-glass") {
        return Ok(OperatorId::EMERGENCY);
    }
    if matches!(name, "Drill" | "drill") {
        return Ok(OperatorId::DRILL);
    }
    let place = NAMES.iter().position(|known| *known == name);
    let place = place.ok_or_else(|| format!("one operator: {name} is nobody here"))?;
    Ok(OperatorId(u32::try_from(place).unwrap() + 1))
}

fn roles(operator: OperatorId) -> Roles {
    Roles(match operator.0 {
        _ if operator.is_emergency() => 0b111,
        3 => 0b010,
        4 => 0b100,
        _ => 0b001,
    })
}

/// What an entry means for sessions.
enum End {
    /// One was opened for this operator.
    Opened(String),
    /// One was opened by break-glass; whether the entry tells of a handoff that was not finished.
    BreakGlass { unfinished: bool },
    /// A handoff is complete, of this operator's session or of nobody's.
    Handoff(Option<String>),
}

/// The ledger, as far as the promises are about it.
struct Book {
    leaves: Vec<[u8; 32]>,
    turns: Vec<Ack>,
    /// Who was opened for, and whose session ended.
    ends: Vec<End>,
}

impl Book {
    fn read(store: &Store) -> Result<Self, Broken> {
        let mut entries = store.page(None, 100_000).map_err(|error| error.to_string())?;
        entries.reverse();
        let mut book = Self { leaves: Vec::new(), turns: Vec::new(), ends: Vec::new() };
        for entry in entries {
            book.leaves.push(entry.leaf);
            // Most entries are neither, and reading all of each is dear.
            let text = std::str::from_utf8(&entry.json).map_err(|error| error.to_string())?;
            if text.contains(r#""kind":"quarantine""#) && !text.contains(r#""handoff":{"#) {
                return broken("a receipt for every handoff", "a quarantine tells of no handoff")
                    .map(|()| book);
            }
            let kinds = [r#""kind":"opened""#, r#""kind":"handoff""#, r#""kind":"break-glass""#];
            if !kinds.iter().any(|kind| text.contains(kind)) {
                continue;
            }
            let receipt = Receipt::read(&entry.json)?;
            let held = receipt.held.iter().map(|held| (&held.kind, &held.note));
            if held
                .chain([(&receipt.kind, &receipt.note)])
                .any(|(kind, note)| kind == "break-glass" && note.is_empty())
            {
                return broken("break-glass", "an entry gives no reason").map(|()| book);
            }
            let key = receipt.operator.map(|who| who.key);
            match receipt.handoff {
                _ if receipt.kind == "discontinuity" => {}
                facts if receipt.kind == "break-glass" => {
                    book.turns.push(Ack::Opened(OperatorId::EMERGENCY));
                    book.ends.push(End::BreakGlass { unfinished: facts.is_some() });
                }
                None => {
                    let name = key.clone().unwrap_or_default();
                    book.turns.push(Ack::Opened(operator(&name)?));
                    book.ends.push(End::Opened(name));
                }
                Some(facts) => {
                    let unclean =
                        facts.after.iter().any(|gate| gate.answer == "present" || gate.answer == "unknown");
                    book.turns.push(Ack::Handoff { clean: !unclean && !facts.after.is_empty() });
                    book.ends.push(End::Handoff(key));
                }
            }
        }
        Ok(book)
    }

    fn newest(&self) -> Option<(u64, [u8; 32])> {
        let leaf = *self.leaves.last()?;
        Some((self.leaves.len() as u64 - 1, leaf))
    }

    /// Every opening has one end, and no session ends that was not opened. Who is still in.
    fn one_end_each(&self) -> Result<Option<String>, Broken> {
        let promise = "a receipt for every handoff";
        let mut open: Option<String> = None;
        for end in &self.ends {
            match (end, &open) {
                (End::Opened(who), None) => open = Some(who.clone()),
                (End::Opened(who), Some(inside)) => {
                    return Err(format!("{promise}: {who} was opened for while {inside} was in"));
                }
                // Break-glass ends what it found unfinished, and tells of it.
                (End::BreakGlass { unfinished: true }, _) | (End::BreakGlass { .. }, None) => {
                    open = Some("break-glass".to_owned());
                }
                (End::BreakGlass { unfinished: false }, Some(inside)) => {
                    return Err(format!("{promise}: break-glass does not tell of {inside}'s session"));
                }
                (End::Handoff(Some(who)), Some(inside)) if who == inside => open = None,
                (End::Handoff(Some(who)), _) => {
                    return Err(format!("{promise}: {who}'s session ended while {open:?} was in"));
                }
                (End::Handoff(None), Some(inside)) => {
                    return Err(format!("{promise}: {inside}'s session was forgotten by the next handoff"));
                }
                (End::Handoff(None), None) => {}
            }
        }
        Ok(open)
    }
}
