//! Attended: an operator is at work; everything that ends her session covers first.

use super::*;
use crate::handoff::planted::{self, Bug};

/// Opens the station for a guest whose entry was answered.
pub(super) fn attend(common: Common, guest: &Guest, now: Moment, rules: &Rules, proof: PinVerified) -> Next {
    let station = Attended {
        common,
        operator: guest.at_work(now, rules),
        since: now,
        active: now,
        warned: false,
        log: LogView::Closed,
        proof,
    };
    (Station::Attended(station), vec![Effect::ForgetPin, Effect::Uncover])
}

impl Attended {
    /// The proof that let her in.
    #[must_use]
    pub fn proof(&self) -> PinVerified {
        self.proof
    }

    pub(super) fn handle(mut self, now: Moment, event: Event, rules: &Rules) -> Next {
        if self.common.note(now, event) {
            return self.end(now, rules, Trigger::Fault);
        }
        match event {
            // Nobody was there for too long, and nobody was asked in time: the machine slept.
            Event::Active(moment) if moment.min(now) >= self.active.after(rules.idle) => {
                self.end(now, rules, Trigger::Idle)
            }
            Event::Active(moment) if moment > self.active => {
                self.active = moment.min(now);
                self.warned = false;
                self.on()
            }
            Event::AppWished(AppWish::Launch(app)) => {
                let permitted = planted::is(Bug::LaunchUnchecked)
                    || rules
                        .apps
                        .get(usize::from(app.0))
                        .is_some_and(|roles| roles.meets(self.operator.roles));
                let effects = if permitted { vec![Effect::Serve(AppWish::Launch(app))] } else { Vec::new() };
                (Station::Attended(self), effects)
            }
            Event::AppWished(wish @ (AppWish::Close(_) | AppWish::Raise(_))) => {
                (Station::Attended(self), vec![Effect::Serve(wish)])
            }
            Event::BadgeIn(Presented::Rostered(operator)) if operator.id == self.operator.id => {
                match rules.badge_mode {
                    BadgeMode::Hold => self.on(),
                    BadgeMode::Tap => self.end(now, rules, Trigger::TapOut),
                }
            }
            Event::BadgeIn(Presented::Rostered(_)) if planted::is(Bug::TakeoverIgnored) => self.on(),
            Event::BadgeIn(Presented::Unknown) if planted::is(Bug::UnknownBadgeEnds) => {
                self.end(now, rules, Trigger::Fault)
            }
            Event::BadgeOut(_) if planted::is(Bug::BadgeOutIgnored) => self.on(),
            Event::BadgeIn(Presented::Rostered(operator)) => {
                let guest = Some(Guest::new(operator, now, rules));
                let outgoing = Some(self.operator.id);
                let ending = Ending { outgoing, guest, ..Ending::nobody(Trigger::Takeover) };
                clean_up(self.common, now, rules, ending)
            }
            Event::BadgeIn(presented) => {
                let effects = refuse(&mut self.common, presented);
                (Station::Attended(self), effects)
            }
            Event::BadgeOut(id) if id == self.operator.id && rules.badge_mode == BadgeMode::Hold => {
                self.end(now, rules, Trigger::BadgeOut)
            }
            Event::DrillWished
                if self.may_read_log(rules) && rules.supervisors.drill && self.log == LogView::Open
                    || planted::is(Bug::DrillUnasked) =>
            {
                let ending = Ending {
                    outgoing: Some(self.operator.id),
                    drill: Some(DrillEnd::Follows(self.proof)),
                    ..Ending::nobody(Trigger::Drill)
                };
                clean_up(self.common, now, rules, ending)
            }
            Event::EndWished => self.end(now, rules, Trigger::Ended),
            Event::LogClosed => {
                self.log = LogView::Closed;
                self.on()
            }
            Event::LogWished if self.may_read_log(rules) && self.log == LogView::Closed => {
                let turn = self.common.ask();
                self.log = LogView::Asked(turn);
                let record = Record::Viewed(self.operator.id);
                (Station::Attended(self), vec![Effect::Record(turn, record)])
            }
            // Break-glass is for the day on which the reader fails, too.
            Event::ReaderLost if self.operator.id.is_emergency() => self.on(),
            Event::ReaderLost => self.end(now, rules, Trigger::ReaderLost),
            Event::Recorded(turn, durable) if self.log == LogView::Asked(turn) => {
                self.log = if durable { LogView::Open } else { LogView::Closed };
                let effects = if durable { Vec::new() } else { vec![Effect::Notify(Notice::CannotRecord)] };
                (Station::Attended(self), effects)
            }
            Event::Stopping => {
                let outgoing = Some(self.operator.id);
                let ending = Ending { outgoing, stopping: true, ..Ending::nobody(Trigger::Maintenance) };
                clean_up(self.common, now, rules, ending)
            }
            Event::Suspending => self.end(now, rules, Trigger::Suspend),
            Event::TimeCame => self.time_came(now, rules),
            Event::Active(_)
            | Event::BadgeOut(_)
            | Event::Cancelled
            | Event::CapsuleLost
            | Event::Drilled(..)
            | Event::DrillWished
            | Event::EmergencyWished
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
            | Event::Stepped(..)
            | Event::Unfinished => self.on(),
        }
    }

    fn may_read_log(&self, rules: &Rules) -> bool {
        self.operator.supervisor && rules.supervisors.read_log
    }

    fn on(self) -> Next {
        (Station::Attended(self), Vec::new())
    }

    fn end(self, now: Moment, rules: &Rules, trigger: Trigger) -> Next {
        let outgoing = Some(self.operator.id);
        clean_up(self.common, now, rules, Ending { outgoing, ..Ending::nobody(trigger) })
    }

    /// When the session ends in any case.
    fn over(&self, rules: &Rules) -> Moment {
        let absolute = self.since.after(rules.absolute);
        self.operator.until.map_or(absolute, |until| until.min(absolute))
    }

    fn warning(&self, rules: &Rules) -> Moment {
        self.active.after(rules.idle.saturating_sub(rules.warning))
    }

    fn time_came(mut self, now: Moment, rules: &Rules) -> Next {
        if self.over(rules) <= now {
            self.end(now, rules, Trigger::Expired)
        } else if self.active.after(rules.idle) <= now {
            self.end(now, rules, Trigger::Idle)
        } else {
            self.warned = self.warning(rules) <= now;
            self.on()
        }
    }

    pub(super) fn deadline(&self, rules: &Rules) -> Moment {
        let idle = if self.warned { self.active.after(rules.idle) } else { self.warning(rules) };
        idle.min(self.over(rules))
    }
}
