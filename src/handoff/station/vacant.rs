//! Vacant: nobody is in, and a badge is awaited.

use super::*;

impl Vacant {
    pub(super) fn handle(mut self, now: Moment, event: Event, rules: &Rules) -> Next {
        if self.common.note(now, event) {
            return clean_up(self.common, now, rules, Ending::nobody(Trigger::Fault));
        }
        match event {
            Event::BadgeIn(Presented::Rostered(operator)) => {
                let guest = Guest::new(operator, now, rules);
                let station = Challenge { common: self.common, guest, attested: self.attested };
                (Station::Challenge(station), vec![Effect::ForgetPin])
            }
            Event::BadgeIn(presented) => {
                let effects = refuse(&mut self.common, presented);
                (Station::Vacant(self), effects)
            }
            Event::EmergencyWished => match Guest::emergency(now, rules) {
                Some(guest) => {
                    let station = Challenge { common: self.common, guest, attested: self.attested };
                    (Station::Challenge(station), vec![Effect::ForgetPin])
                }
                None => (Station::Vacant(self), Vec::new()),
            },
            Event::Stopping => {
                let ending = Ending { stopping: true, ..Ending::nobody(Trigger::Maintenance) };
                clean_up(self.common, now, rules, ending)
            }
            Event::Active(_)
            | Event::AppWished(_)
            | Event::BadgeOut(_)
            | Event::Cancelled
            | Event::CapsuleLost
            | Event::Drilled(..)
            | Event::DrillWished
            | Event::EndWished
            | Event::FreshStartWished
            | Event::LogClosed
            | Event::LogWished
            | Event::Looked(..)
            | Event::PinChanged(..)
            | Event::PinChecked(..)
            | Event::PinGiven
            | Event::Prepared(..)
            | Event::ReaderBack
            | Event::ReaderLost
            | Event::Recorded(..)
            | Event::RestartWished
            | Event::RetryWished
            | Event::Revoked(_)
            | Event::Settled(..)
            | Event::Stepped(..)
            | Event::Suspending
            | Event::TimeCame
            | Event::Unfinished => (Station::Vacant(self), Vec::new()),
        }
    }
}

impl Ending {
    pub(super) fn nobody(trigger: Trigger) -> Self {
        Self { outgoing: None, trigger, guest: None, drill: None, stopping: false }
    }
}
