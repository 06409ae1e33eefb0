//! Challenge: a badge was shown, and the PIN is awaited; the station opens only after the entry is durable.

use super::*;
use crate::handoff::planted::{self, Bug};

impl Challenge {
    pub(super) fn handle(mut self, now: Moment, event: Event, rules: &Rules) -> Next {
        if self.common.note(now, event) {
            // The guest keeps her place: the station makes itself ready again behind the PIN pad.
            let guest = self.recording().is_none().then_some(self.guest);
            return self.clean_up(now, rules, Trigger::Fault, guest);
        }
        match self.guest.pin_event(&mut self.common, now, event, rules) {
            Some(PinStep::On(effects)) => return (Station::Challenge(self), effects),
            Some(PinStep::Gone(effects)) => return self.vacate(effects),
            Some(PinStep::Verified(_)) => return self.open_when_ready(now, rules, vec![Effect::ForgetPin]),
            None => {}
        }
        match event {
            Event::Prepared(..) => self.open_when_ready(now, rules, Vec::new()),
            Event::Recorded(turn, durable) => match self.guest.stage {
                // Break-glass opens even where nothing can be written: its entry is then held, and shown.
                Stage::Recording(asked, proof) if asked == turn && (durable || self.guest.is_emergency()) => {
                    self.attend(now, rules, proof)
                }
                Stage::Recording(asked, _) if asked == turn => {
                    let (station, mut effects) = self.clean_up(now, rules, Trigger::Fault, None);
                    effects.push(Effect::Notify(Notice::CannotRecord));
                    (station, effects)
                }
                Stage::Again(_)
                | Stage::Checking(_)
                | Stage::New(_)
                | Stage::Pin
                | Stage::Recording(..)
                | Stage::Setting(..)
                | Stage::Verified(_) => self.on(),
            },
            Event::BadgeIn(Presented::Rostered(operator)) if operator.id == self.guest.operator.id => {
                self.on()
            }
            Event::BadgeIn(Presented::Rostered(operator)) => {
                let guest = Guest::new(operator, now, rules);
                if self.recording().is_some() {
                    return self.clean_up(now, rules, Trigger::Takeover, Some(guest));
                }
                self.guest = guest;
                (Station::Challenge(self), vec![Effect::ForgetPin])
            }
            Event::BadgeIn(presented) => {
                let effects = refuse(&mut self.common, presented);
                (Station::Challenge(self), effects)
            }
            Event::BadgeOut(id) if id == self.guest.operator.id && rules.badge_mode == BadgeMode::Hold => {
                self.leave(now, rules, Trigger::BadgeOut)
            }
            Event::Cancelled => self.leave(now, rules, Trigger::Ended),
            Event::EmergencyWished if self.recording().is_none() => match Guest::emergency(now, rules) {
                Some(guest) if !self.guest.is_emergency() => {
                    self.guest = guest;
                    (Station::Challenge(self), vec![Effect::ForgetPin])
                }
                Some(_) | None => self.on(),
            },
            Event::ReaderLost if self.guest.is_emergency() => self.on(),
            Event::ReaderLost => self.leave(now, rules, Trigger::ReaderLost),
            Event::Suspending => self.leave(now, rules, Trigger::Suspend),
            Event::Stopping => {
                let outgoing = self.recording();
                let ending = Ending { outgoing, stopping: true, ..Ending::nobody(Trigger::Maintenance) };
                clean_up(self.common, now, rules, ending)
            }
            Event::TimeCame if self.guest.until <= now => match self.guest.stage {
                // A disk that does not answer keeps nobody out of break-glass.
                Stage::Recording(_, proof) if self.guest.is_emergency() => self.attend(now, rules, proof),
                // The entry or the capsule did not come in time: something inside has failed.
                Stage::Recording(..) | Stage::Verified(_) => {
                    let (station, mut effects) = self.clean_up(now, rules, Trigger::Fault, None);
                    effects.push(Effect::Notify(Notice::CannotOpen));
                    (station, effects)
                }
                Stage::Again(_) | Stage::Checking(_) | Stage::New(_) | Stage::Pin | Stage::Setting(..) => {
                    self.vacate(vec![Effect::ForgetPin])
                }
            },
            Event::TimeCame => {
                self.guest.wait = self.guest.wait.filter(|wait| *wait > now);
                self.on()
            }
            Event::Active(_)
            | Event::AppWished(_)
            | Event::BadgeOut(_)
            | Event::CapsuleLost
            | Event::Drilled(..)
            | Event::DrillWished
            | Event::EmergencyWished
            | Event::EndWished
            | Event::FreshStartWished
            | Event::LogClosed
            | Event::LogWished
            | Event::Looked(..)
            | Event::PinChanged(..)
            | Event::PinChecked(..)
            | Event::PinGiven
            | Event::ReaderBack
            | Event::RestartWished
            | Event::RetryWished
            | Event::Revoked(_)
            | Event::Settled(..)
            | Event::Stepped(..)
            | Event::Unfinished => self.on(),
        }
    }

    fn on(self) -> Next {
        (Station::Challenge(self), Vec::new())
    }

    /// Whose opening entry is being written: from then on the ledger may hold an opening, and every
    /// opening has an end.
    fn recording(&self) -> Option<OperatorId> {
        matches!(self.guest.stage, Stage::Recording(..)).then_some(self.guest.operator.id)
    }

    fn vacate(self, effects: Vec<Effect>) -> Next {
        (Station::Vacant(Vacant { common: self.common, attested: self.attested }), effects)
    }

    fn leave(self, now: Moment, rules: &Rules, trigger: Trigger) -> Next {
        if self.recording().is_some() {
            return self.clean_up(now, rules, trigger, None);
        }
        self.vacate(vec![Effect::ForgetPin])
    }

    fn clean_up(self, now: Moment, rules: &Rules, trigger: Trigger, guest: Option<Guest>) -> Next {
        let outgoing = self.recording();
        clean_up(self.common, now, rules, Ending { outgoing, guest, ..Ending::nobody(trigger) })
    }

    fn open_when_ready(mut self, now: Moment, rules: &Rules, mut effects: Vec<Effect>) -> Next {
        if let (Stage::Verified(proof), Capsule::Ready) = (self.guest.stage, self.common.capsule) {
            if planted::is(Bug::UncoverBeforeRecord) {
                return self.attend(now, rules, proof);
            }
            let turn = self.common.ask();
            self.guest.stage = Stage::Recording(turn, proof);
            self.guest.until = now.after(rules.step_limit);
            effects.push(Effect::Record(turn, self.guest.opening(proof)));
        }
        (Station::Challenge(self), effects)
    }

    fn attend(self, now: Moment, rules: &Rules, proof: PinVerified) -> Next {
        attend(self.common, &self.guest, now, rules, proof)
    }
}
