//! Drill: a session of nobody's, held on a supervisor's wish to show that the gates see. It is opened as
//! any session is, is never shown, and is left for a clean-up alone, at once where somebody wants to work.

use super::*;
use crate::handoff::planted::{self, Bug};

/// How many steps' time one part of a drill may take: its programs are started, seen and ended one by one.
pub(super) const PART: u64 = 6;

/// Begins a drill where a clean-up has just ended: its opening entry comes first.
pub(super) fn begin(mut common: Common, proof: PinVerified, now: Moment, rules: &Rules) -> Next {
    let turn = common.ask();
    common.capsule = Capsule::None;
    let doing = DrillDoing::Recording(turn);
    let station = Drill { common, proof, doing, until: now.after(rules.step_limit) };
    (Station::Drill(station), vec![Effect::Record(turn, Record::DrillOpened(proof.operator()))])
}

impl Drill {
    /// The supervisor who started it.
    #[must_use]
    pub fn by(&self) -> OperatorId {
        self.proof.operator()
    }

    pub(super) fn handle(mut self, now: Moment, event: Event, rules: &Rules) -> Next {
        if self.common.note(now, event) {
            return self.broken_off(now, rules, Trigger::Fault, None);
        }
        match (event, self.doing) {
            (Event::Recorded(turn, true), DrillDoing::Recording(asked)) if asked == turn => {
                self.take(now, DrillPart::Escaped, rules)
            }
            (Event::Recorded(turn, false), DrillDoing::Recording(asked)) if asked == turn => {
                let (station, mut effects) = self.broken_off(now, rules, Trigger::Fault, None);
                effects.push(Effect::Notify(Notice::CannotRecord));
                (station, effects)
            }
            (Event::Drilled(turn, true), DrillDoing::Part(asked, DrillPart::Escaped)) if asked == turn => {
                // The gates were asked while no capsule stood: all that they saw was planted.
                let turn = self.common.ask();
                self.common.capsule = Capsule::Building(turn, now.after(rules.step_limit));
                self.doing = DrillDoing::Building;
                self.until = now.after(rules.step_limit.saturating_mul(2));
                (Station::Drill(self), vec![Effect::Prepare(turn)])
            }
            (Event::Prepared(..), DrillDoing::Building) if self.common.capsule == Capsule::Ready => {
                let (station, mut effects) = self.take(now, DrillPart::Contained, rules);
                if planted::is(Bug::DrillUncovered) {
                    effects.push(Effect::Uncover);
                }
                (station, effects)
            }
            (Event::Drilled(turn, _), DrillDoing::Part(asked, _)) if asked == turn => {
                self.end(now, rules, Trigger::Drill, None)
            }
            (Event::BadgeIn(Presented::Rostered(_)), _) if planted::is(Bug::DrillKeepsWaiting) => self.on(),
            (Event::BadgeIn(Presented::Rostered(operator)), _) if operator.id == self.by() => {
                match rules.badge_mode {
                    BadgeMode::Hold => self.on(),
                    BadgeMode::Tap => self.broken_off(now, rules, Trigger::TapOut, None),
                }
            }
            // Care goes on: whoever wants to work waits for a handoff, and not for a drill.
            (Event::BadgeIn(Presented::Rostered(operator)), _) => {
                self.broken_off(now, rules, Trigger::Takeover, Some(Guest::new(operator, now, rules)))
            }
            (Event::BadgeIn(presented), _) => {
                let effects = refuse(&mut self.common, presented);
                (Station::Drill(self), effects)
            }
            (Event::BadgeOut(id), _) if id == self.by() && rules.badge_mode == BadgeMode::Hold => {
                self.broken_off(now, rules, Trigger::BadgeOut, None)
            }
            (Event::Cancelled | Event::EndWished, _) => self.broken_off(now, rules, Trigger::Ended, None),
            (Event::ReaderLost, _) => self.broken_off(now, rules, Trigger::ReaderLost, None),
            (Event::Suspending, _) => self.broken_off(now, rules, Trigger::Suspend, None),
            (Event::Stopping, _) => {
                let (mut station, effects) = self.broken_off(now, rules, Trigger::Maintenance, None);
                if let Station::CleanUp(clean_up) = &mut station {
                    clean_up.stopping = true;
                }
                (station, effects)
            }
            (Event::TimeCame, _) if self.until <= now => self.broken_off(now, rules, Trigger::Fault, None),
            (
                Event::Active(_)
                | Event::AppWished(_)
                | Event::BadgeOut(_)
                | Event::CapsuleLost
                | Event::Drilled(..)
                | Event::DrillWished
                | Event::EmergencyWished
                | Event::FreshStartWished
                | Event::LogClosed
                | Event::LogWished
                | Event::Looked(..)
                | Event::PinChanged(..)
                | Event::PinChecked(..)
                | Event::PinGiven
                | Event::Prepared(..)
                | Event::ReaderBack
                | Event::Recorded(..)
                | Event::RestartWished
                | Event::RetryWished
                | Event::Revoked(_)
                | Event::Settled(..)
                | Event::Stepped(..)
                | Event::TimeCame
                | Event::Unfinished,
                _,
            ) => self.on(),
        }
    }

    fn on(self) -> Next {
        (Station::Drill(self), Vec::new())
    }

    fn take(mut self, now: Moment, part: DrillPart, rules: &Rules) -> Next {
        let turn = self.common.ask();
        self.doing = DrillDoing::Part(turn, part);
        self.until = now.after(rules.step_limit.saturating_mul(PART));
        (Station::Drill(self), vec![Effect::Drill(turn, part)])
    }

    /// Its handoff begins. The opening entry may be in the ledger from the start, and has this end.
    fn end(self, now: Moment, rules: &Rules, trigger: Trigger, guest: Option<Guest>) -> Next {
        let drill = Some(DrillEnd::Ends(self.by()));
        let outgoing = Some(OperatorId::DRILL);
        clean_up(self.common, now, rules, Ending { drill, guest, outgoing, ..Ending::nobody(trigger) })
    }

    /// The same before it has planted all: what it has under way ends with it.
    fn broken_off(self, now: Moment, rules: &Rules, trigger: Trigger, guest: Option<Guest>) -> Next {
        let (station, mut effects) = self.end(now, rules, trigger, guest);
        let step = effects.len().saturating_sub(1);
        effects.insert(step, Effect::EndDrill);
        (station, effects)
    }

    pub(super) fn deadline(&self) -> Moment {
        self.common.building().map_or(self.until, |built| built.min(self.until))
    }
}
