//! Quarantine: nobody works here until what was found is gone; left for a clean-up alone.

use super::clean_up::step_limit;
use super::*;
use crate::handoff::planted::{self, Bug};

impl Quarantine {
    pub(super) fn handle(mut self, now: Moment, event: Event, rules: &Rules) -> Next {
        let _ = self.common.note(now, event);
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
                Some(PinStep::Verified(proof)) => {
                    let turn = self.common.ask();
                    guest.stage = Stage::Recording(turn, proof);
                    guest.until = now.after(rules.step_limit);
                    self.guest = Some(guest);
                    let record = Record::Released(proof.operator());
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
                (Station::Quarantine(self), vec![Effect::ForgetPin])
            }
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
            Event::Cancelled | Event::ReaderLost | Event::Suspending => self.without_guest(),
            Event::Recorded(turn, durable) => match self.guest.map(|guest| guest.stage) {
                Some(Stage::Recording(asked, _)) if asked == turn && durable => self.clean_up(now, 0, rules),
                Some(Stage::Recording(asked, _)) if asked == turn => {
                    self.guest = None;
                    (Station::Quarantine(self), vec![Effect::Notify(Notice::CannotRecord)])
                }
                _ => self.on(),
            },
            Event::RetryWished if planted::is(Bug::QuarantineToVacant) => {
                let attested = Attested(());
                (Station::Vacant(Vacant { common: self.common, attested }), Vec::new())
            }
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
                if self.guest.is_some_and(|guest| guest.until <= now) {
                    self.guest = None;
                    effects.push(Effect::ForgetPin);
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
            | Event::EndWished
            | Event::LogClosed
            | Event::LogWished
            | Event::Looked(..)
            | Event::PinChanged(..)
            | Event::PinChecked(..)
            | Event::PinGiven
            | Event::Prepared(..)
            | Event::ReaderBack
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

    /// A quarantined station is left for a clean-up alone, never for Vacant.
    fn clean_up(self, now: Moment, rounds: u8, rules: &Rules) -> Next {
        let mut common = self.common;
        let turn = common.ask();
        common.capsule = Capsule::None;
        // What could not be built before is tried anew: whoever asks for a try gets one.
        common.unbuilt = 0;
        let station = CleanUp {
            common,
            outgoing: self.outgoing,
            trigger: self.trigger,
            doing: Doing::Step(Step::Destroy),
            turn,
            until: now.after(step_limit(Step::Destroy, rules)),
            round: 0,
            quarantine_rounds: rounds,
            guest: None,
            stopping: self.stopping,
        };
        (Station::CleanUp(station), vec![Effect::Cover, Effect::ForgetPin, Effect::Step(turn, Step::Destroy)])
    }
}
