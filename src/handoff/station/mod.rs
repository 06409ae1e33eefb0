//! The station: six phases, and the one function that moves between them.

mod attended;
mod challenge;
mod clean_up;
mod drill;
mod guest;
mod quarantine;
mod settling;
mod step_up;
mod vacant;

use attended::attend;
use clean_up::{Ending, clean_up};
use guest::{PinStep, refuse};

use super::record::Denial;
use super::{
    App, AppWish, BadgeMode, DrillPart, Effect, Event, Finding, Moment, Notice, Operator, OperatorId,
    PinAnswer, PinVerified, Presented, Record, Refusal, Rules, Step, Trigger, Turn,
};

/// The station, in one of its phases.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Station {
    /// An operator is at work.
    Attended(Attended),
    /// A badge was shown, and the PIN is awaited.
    Challenge(Challenge),
    /// A session has ended, and everything of it is being destroyed and looked for.
    CleanUp(CleanUp),
    /// A drill is held: a session of nobody's, which is never shown.
    Drill(Drill),
    /// Something was found, or could not be looked for: nobody works here until it is gone.
    Quarantine(Quarantine),
    /// Nobody is in, and the station is proved clean.
    Vacant(Vacant),
}

/// What every phase knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Common {
    /// The number of the newest question.
    pub turn: Turn,
    /// Whether an allowed reader is there.
    pub reader: bool,
    /// The next capsule.
    pub capsule: Capsule,
    /// How many capsules in a row could not be built.
    pub unbuilt: u8,
}

/// How far the next capsule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capsule {
    /// It is being built, since this question, until this moment at the latest.
    Building(Turn, Moment),
    /// There is none.
    None,
    /// It stands ready.
    Ready,
}

/// The proof that a clean-up has finished: every gate attested, the receipt durable. Made in
/// `handle` alone, on the durable receipt of a clean look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attested(());

/// Nobody is in, and the station is proved clean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vacant {
    /// What every phase knows.
    pub common: Common,
    attested: Attested,
}

/// A badge was shown, and the PIN is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Challenge {
    /// What every phase knows.
    pub common: Common,
    /// Who, and how far.
    pub guest: Guest,
    attested: Attested,
}

/// Somebody who has shown a badge and is not in: at a vacant station, waiting behind a clean-up,
/// or a supervisor before a quarantined one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guest {
    /// Who.
    pub operator: Operator,
    /// When patience ends.
    pub until: Moment,
    /// How far.
    pub stage: Stage,
    /// Tries left, after a wrong PIN.
    pub left: Option<u8>,
    /// Until when the next try must wait.
    pub wait: Option<Moment>,
}

/// How far a guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The new PIN is awaited a second time.
    Again(PinVerified),
    /// The PIN is being checked.
    Checking(Turn),
    /// An own PIN is awaited, in place of a one-time PIN.
    New(PinVerified),
    /// The PIN is awaited.
    Pin,
    /// The opening entry (or, in quarantine, the release) is being written.
    Recording(Turn, PinVerified),
    /// The new PIN is being stored.
    Setting(Turn, PinVerified),
    /// The PIN was right; the clean-up or the capsule is awaited.
    Verified(PinVerified),
}

/// An operator is at work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attended {
    /// What every phase knows. `capsule` is `Ready`: the one that is open.
    pub common: Common,
    /// Who.
    pub operator: Operator,
    /// Since when.
    pub since: Moment,
    /// When the station was last touched.
    pub active: Moment,
    /// Whether the idle warning stands.
    pub warned: bool,
    /// The handoff log, when she reads it.
    pub log: LogView,
    /// When her PIN was last found right in this session; its opening counts.
    pub proved: Moment,
    /// The app that waits for her PIN.
    pub step_up: Option<StepUp>,
    proof: PinVerified,
}

/// The handoff log on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogView {
    /// It is not shown.
    Closed,
    /// It is wished for, and the PIN is asked for again: whoever stands before an open session need
    /// not be the one whose it is.
    Pin(Guest),
    /// It is asked for; the entry that says so is being written.
    Asked(Turn),
    /// It is shown.
    Open,
}

/// An app that asks for the PIN of whoever starts it, and whose operator is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StepUp {
    /// Which.
    pub app: App,
    /// How far the asking is.
    pub guest: Guest,
}

/// A session has ended, and everything of it is being destroyed and looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CleanUp {
    /// What every phase knows.
    pub common: Common,
    /// Whose session it was.
    pub outgoing: Option<OperatorId>,
    /// Why.
    pub trigger: Trigger,
    /// What is being done.
    pub doing: Doing,
    /// The number of the question that is outstanding.
    pub turn: Turn,
    /// When it counts as failed.
    pub until: Moment,
    /// How many rounds have been tried already.
    pub round: u8,
    /// How many times a quarantined station has tried again already, by itself.
    pub quarantine_rounds: u8,
    /// Somebody who waits.
    pub guest: Option<Guest>,
    /// What it has to do with a drill.
    pub drill: Option<DrillEnd>,
    /// How far it is with ending what the session holds elsewhere.
    pub revoking: Revoking,
    /// Whether the shell is to stop when all is clean.
    pub stopping: bool,
}

/// How far a handoff is with ending what the session holds elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Revoking {
    /// It is not begun, or there is nothing to be ended.
    Not,
    /// It was begun at this moment.
    Since(Moment),
    /// It was begun, and a supervisor has said that the station need not wait for its end.
    Released,
}

/// What a clean-up has to do with a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DrillEnd {
    /// It ends a drill that this supervisor has started.
    Ends(OperatorId),
    /// A drill is to follow: her PIN was found right when her session, which it ends, was opened.
    Follows(PinVerified),
}

/// A drill is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Drill {
    /// What every phase knows. No capsule stands until what is planted on the host was seen and taken back.
    pub common: Common,
    /// How far it is.
    pub doing: DrillDoing,
    /// When what it waits for counts as failed.
    pub until: Moment,
    proof: PinVerified,
}

/// How far a drill is, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DrillDoing {
    /// Its opening entry is being written.
    Recording(Turn),
    /// A part of it is being done: the escaped one, and, once the capsule stands, the contained one.
    Part(Turn, DrillPart),
    /// Its capsule is being built.
    Building,
}

/// What a clean-up is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Nothing of the session is left here, but something is not ended elsewhere, and the policy holds the
    /// station until it is.
    Held,
    /// The gates look.
    Looking,
    /// The receipt is being written; the look was clean.
    Receipt,
    /// The look was clean; whether everything is ended elsewhere is awaited.
    Settling,
    /// A step on the capsule.
    Step(Step),
}

/// Something was found, or could not be looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quarantine {
    /// What every phase knows.
    pub common: Common,
    /// Whose session it was.
    pub outgoing: Option<OperatorId>,
    /// Why the clean-up began.
    pub trigger: Trigger,
    /// Why it did not end well.
    pub reason: Reason,
    /// When it tries again by itself; otherwise when it looks at itself again (rule 5).
    pub until: Moment,
    /// Whether `until` starts a new try.
    pub again: bool,
    /// How many times it has tried again by itself.
    pub rounds: u8,
    /// How far the handoff is with ending what the session holds elsewhere.
    pub revoking: Revoking,
    /// A supervisor who has shown her badge, or somebody who asks for emergency access.
    pub guest: Option<Guest>,
    /// Whether the supervisor wants the machine started anew, not a new clean-up.
    pub restart: bool,
    /// Whether the shell is to stop when all is clean.
    pub stopping: bool,
}

/// Why a station is quarantined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The capsule could not be destroyed.
    NotDestroyed,
    /// The receipt or the opening could not be written.
    NotRecorded,
    /// A trace was found.
    Residue,
    /// What the session holds elsewhere is not ended.
    SignIns,
    /// A step did not answer in time.
    Silent,
    /// A gate could not look.
    Unknown,
    /// A new capsule could not be built.
    Unprepared,
}

type Next = (Station, Vec<Effect>);

impl Common {
    fn ask(&mut self) -> Turn {
        self.turn = self.turn.next();
        self.turn
    }
}

impl Station {
    /// A station that has just started: always a clean-up, never vacant, because nobody knows how
    /// the last shell ended. The first effect covers the screen.
    #[must_use]
    pub fn start(now: Moment, rules: &Rules) -> Next {
        let common = Common { turn: Turn(0), reader: true, capsule: Capsule::None, unbuilt: 0 };
        clean_up(common, now, rules, Ending::nobody(Trigger::FreshStart))
    }

    /// What follows from an event: the station after it, and what must be done, in order.
    #[must_use]
    pub fn handle(self, now: Moment, event: Event, rules: &Rules) -> Next {
        match self {
            Self::Attended(attended) => attended.handle(now, event, rules),
            Self::Challenge(challenge) => challenge.handle(now, event, rules),
            Self::CleanUp(clean_up) => clean_up.handle(now, event, rules),
            Self::Drill(drill) => drill.handle(now, event, rules),
            Self::Quarantine(quarantine) => quarantine.handle(now, event, rules),
            Self::Vacant(vacant) => vacant.handle(now, event, rules),
        }
    }

    /// When [`Event::TimeCame`] is worth sending. Ask after every event.
    #[must_use]
    pub fn deadline(&self, rules: &Rules) -> Option<Moment> {
        match self {
            Self::Attended(attended) => Some(attended.deadline(rules)),
            Self::Challenge(challenge) => {
                let guest = challenge.guest.until;
                Some(challenge.common.building().map_or(guest, |built| built.min(guest)))
            }
            Self::CleanUp(clean_up) => {
                let guest = clean_up.guest_deadline();
                Some(guest.map_or(clean_up.until, |guest| guest.min(clean_up.until)))
            }
            Self::Drill(drill) => Some(drill.deadline()),
            Self::Quarantine(quarantine) => {
                let guest = quarantine.guest.and_then(|guest| guest.deadline());
                let waits = [guest, quarantine.common.building(), Some(quarantine.until)];
                waits.into_iter().flatten().min()
            }
            Self::Vacant(vacant) => vacant.common.building(),
        }
    }
}

impl Common {
    fn building(&self) -> Option<Moment> {
        match self.capsule {
            Capsule::Building(_, until) => Some(until),
            Capsule::None | Capsule::Ready => None,
        }
    }

    /// Takes note of what concerns every phase; true when the capsule is lost.
    fn note(&mut self, now: Moment, event: Event) -> bool {
        match (event, self.capsule) {
            (Event::ReaderLost, _) => self.reader = false,
            (Event::ReaderBack, _) => self.reader = true,
            (Event::Prepared(turn, built), Capsule::Building(asked, _)) if turn == asked => {
                if built {
                    self.capsule = Capsule::Ready;
                    self.unbuilt = 0;
                } else {
                    self.unbuilt = self.unbuilt.saturating_add(1);
                    return true;
                }
            }
            (Event::TimeCame, Capsule::Building(_, until)) if until <= now => {
                self.unbuilt = self.unbuilt.saturating_add(1);
                return true;
            }
            (Event::CapsuleLost, Capsule::Ready | Capsule::Building(..)) => return true,
            _ => {}
        }
        false
    }
}
