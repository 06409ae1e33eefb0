//! Quarantine: nobody works here until what was found is gone, but for an emergency session; it is
//! left for one of these or a clean-up alone.

use super::clean_up::step_limit;
use super::*;
use crate::handoff::planted::{self, Bug};

impl Quarantine {
    pub(super) fn handle(mut self, now: Moment, event: Event, rules: &Rules) -> Next {
        if self.common.note(now, event) {
            // Only an emergency session has a capsule built here, and she is told that there is none.
            self.common.capsule = Capsule::None;
            self.common.unbuilt = 0;
            let waited = self.guest.take_if(|guest| guest.is_emergency() && guest.stage != Stage::Pin);
            let told = waited.map(|_| vec![Effect::ForgetPin, Effect::Notify(Notice::CannotOpen)]);
            return (Station::Quarantine(self), told.unwrap_or_default());
        }
        if let Some(mut guest) = self.guest {
            match guest.pin_event(&mut self.common, now, event, rules) {
                Some(PinStep::On(effects)) => {
                    // A one-time PIN proves too little to release a station.
                    self.guest = (!matches!(guest.stage, Stage::New(_))).then_some(guest);
                    return (Station::Quarantine(self), effects);
                }
                Some(PinStep::Gone(effects)) => {
                    self.guest = None;
                    return (Station::Quarantine(self), effects);
                }
                Some(PinStep::Verified(_)) if guest.is_emergency() => {
                    self.guest = Some(guest);
                    return self.open_when_ready(now, rules, vec![Effect::ForgetPin]);
                }
                Some(PinStep::Verified(proof)) => {
                    let turn = self.common.ask();
                    guest.stage = Stage::Recording(turn, proof);
                    guest.until = now.after(rules.step_limit);
                    self.guest = Some(guest);
                    let record = if self.restart {
                        Record::Restarted(proof.operator())
                    } else {
                        Record::Released(proof.operator())
                    };
                    return (
                        Station::Quarantine(self),
                        vec![Effect::ForgetPin, Effect::Record(turn, record)],
                    );
                }
                None => {}
            }
        }
        match event {
            Event::BadgeIn(Presented::Rostered(operator))
                if (operator.supervisor && rules.supervisors.release)
                    || planted::is(Bug::ReleaseByAnybody) =>
            {
                if self.guest.is_some_and(|guest| guest.operator.id == operator.id) {
                    return self.on();
                }
                self.guest = Some(Guest::new(operator, now, rules));
                self.restart = false;
                (Station::Quarantine(self), vec![Effect::ForgetPin])
            }
            Event::EmergencyWished if self.guest.is_none() => match Guest::emergency(now, rules) {
                Some(guest) => {
                    self.guest = Some(guest);
                    (Station::Quarantine(self), vec![Effect::ForgetPin])
                }
                None => self.on(),
            },
            Event::RestartWished => {
                let asked =
                    self.guest.is_some_and(|guest| !guest.is_emergency() && guest.stage == Stage::Pin);
                self.restart |= asked;
                self.on()
            }
            Event::Prepared(..) => self.open_when_ready(now, rules, Vec::new()),
            Event::ReaderLost if self.guest.is_some_and(|guest| guest.is_emergency()) => self.on(),
            Event::BadgeIn(presented) => {
                let effects = refuse(&mut self.common, presented);
                (Station::Quarantine(self), effects)
            }
            Event::BadgeOut(id)
                if rules.badge_mode == BadgeMode::Hold
                    && self.guest.is_some_and(|guest| guest.operator.id == id) =>
            {
                self.without_guest()
            }
            Event::Cancelled | Event::Suspending if self.opening().is_some() => self.clean_up(now, 0, rules),
            Event::Cancelled | Event::ReaderLost | Event::Suspending => self.without_guest(),
            Event::Recorded(turn, durable) => match self.guest.map(|guest| (guest, guest.stage)) {
                // Durable or held: break-glass opens (requirement A-11).
                Some((guest, Stage::Recording(asked, proof))) if asked == turn && guest.is_emergency() => {
                    attend(self.common, &guest, now, rules, proof)
                }
                Some((_, Stage::Recording(asked, _))) if asked == turn && durable => {
                    if self.restart {
                        self.guest = None;
                        self.restart = false;
                        return (Station::Quarantine(self), vec![Effect::Restart]);
                    }
                    if self.reason == Reason::SignIns {
                        // This is what she has released it from.
                        self.revoking = Revoking::Released;
                    }
                    self.clean_up(now, 0, rules)
                }
                Some((_, Stage::Recording(asked, _))) if asked == turn => {
                    self.guest = None;
                    (Station::Quarantine(self), vec![Effect::Notify(Notice::CannotRecord)])
                }
                _ => self.on(),
            },
            Event::RetryWished if planted::is(Bug::QuarantineToVacant) => {
                let attested = Attested(());
                (Station::Vacant(Vacant { common: self.common, attested }), Vec::new())
            }
            Event::RetryWished if self.opening().is_some() => self.on(),
            Event::RetryWished => {
                let rounds = self.rounds;
                self.clean_up(now, rounds, rules)
            }
            Event::Stopping => {
                self.stopping = true;
                let rounds = self.rounds;
                self.clean_up(now, rounds, rules)
            }
            Event::TimeCame => {
                let mut effects = Vec::new();
                if let Some((guest, proof)) = self.opening()
                    && guest.until <= now
                {
                    // A disk that does not answer keeps nobody out either.
                    return attend(self.common, &guest, now, rules, proof);
                }
                if let Some(guest) = self.guest.take_if(|guest| guest.until <= now) {
                    effects.push(Effect::ForgetPin);
                    if matches!(guest.stage, Stage::Recording(..) | Stage::Verified(_)) {
                        effects.push(Effect::Notify(Notice::CannotOpen));
                    }
                }
                // Whoever is about to open the station is not interrupted by a try that goes by itself.
                if self.until <= now && self.guest.is_some_and(|guest| guest.is_emergency()) {
                    self.until = now.after(rules.quarantine_pause);
                }
                if self.until > now {
                    return (Station::Quarantine(self), effects);
                }
                if self.again {
                    let rounds = self.rounds.saturating_add(1);
                    return self.clean_up(now, rounds, rules);
                }
                // Nothing more is tried without a person; the station only looks at itself again.
                self.until = now.after(rules.quarantine_pause);
                (Station::Quarantine(self), effects)
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
            | Event::Revoked(_)
            | Event::Settled(..)
            | Event::Stepped(..)
            | Event::Unfinished => self.on(),
        }
    }

    fn on(self) -> Next {
        (Station::Quarantine(self), Vec::new())
    }

    fn without_guest(mut self) -> Next {
        match self.guest.take() {
            Some(_) => (Station::Quarantine(self), vec![Effect::ForgetPin]),
            None => self.on(),
        }
    }

    /// Whose break-glass entry is being written: from then on the ledger may hold an opening, and every
    /// opening has an end.
    fn opening(&self) -> Option<(Guest, PinVerified)> {
        let guest = self.guest.filter(Guest::is_emergency)?;
        match guest.stage {
            Stage::Recording(_, proof) => Some((guest, proof)),
            Stage::Again(_)
            | Stage::Checking(_)
            | Stage::New(_)
            | Stage::Pin
            | Stage::Setting(..)
            | Stage::Verified(_) => None,
        }
    }

    /// A fresh capsule is built once the code was found right; the entry follows when it stands.
    pub(super) fn open_when_ready(mut self, now: Moment, rules: &Rules, mut effects: Vec<Effect>) -> Next {
        let Some(guest) = self.guest.as_mut().filter(|guest| guest.is_emergency()) else {
            return (Station::Quarantine(self), effects);
        };
        if let Stage::Verified(proof) = guest.stage {
            match self.common.capsule {
                Capsule::Ready => {
                    let turn = self.common.ask();
                    guest.stage = Stage::Recording(turn, proof);
                    guest.until = now.after(rules.step_limit);
                    effects.push(Effect::Record(turn, guest.opening(proof)));
                }
                Capsule::None => {
                    let turn = self.common.ask();
                    self.common.capsule = Capsule::Building(turn, now.after(rules.step_limit));
                    guest.until = now.after(rules.step_limit.saturating_mul(2));
                    effects.push(Effect::Prepare(turn));
                }
                Capsule::Building(..) => {}
            }
        }
        (Station::Quarantine(self), effects)
    }

    /// A quarantined station is left for a clean-up, or for an emergency session; never for Vacant.
    fn clean_up(self, now: Moment, rounds: u8, rules: &Rules) -> Next {
        let outgoing = if self.opening().is_some() { Some(OperatorId::EMERGENCY) } else { self.outgoing };
        let mut common = self.common;
        let turn = common.ask();
        common.capsule = Capsule::None;
        // What could not be built before is tried anew: whoever asks for a try gets one.
        common.unbuilt = 0;
        let station = CleanUp {
            common,
            outgoing,
            trigger: self.trigger,
            doing: Doing::Step(Step::Destroy),
            turn,
            until: now.after(step_limit(Step::Destroy, rules)),
            round: 0,
            quarantine_rounds: rounds,
            guest: None,
            drill: None,
            revoking: self.revoking,
            stopping: self.stopping,
        };
        (Station::CleanUp(station), vec![Effect::Cover, Effect::ForgetPin, Effect::Step(turn, Step::Destroy)])
    }
}
