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
        proved: now,
        step_up: None,
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
        if let Some(guest) = self.asked()
            && let Some(next) = self.pin_again(guest, now, event, rules)
        {
            return next;
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
            Event::AppWished(AppWish::Launch(app)) => self.launch(app, now, rules),
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
            // Whoever used a break-glass code has no PIN by which she could be let in again.
            Event::FreshStartWished if !self.operator.id.is_emergency() => self.begin_afresh(now, rules),
            Event::LogClosed => self.close_log(),
            Event::LogWished
                if self.may_read_log(rules) && self.log == LogView::Closed && self.step_up.is_none() =>
            {
                // The PIN that has just opened the session need not be typed twice.
                if now < self.since.after(rules.patience) || planted::is(Bug::LogUnasked) {
                    return self.view_log(Vec::new());
                }
                self.log = LogView::Pin(Guest::new(self.operator, now, rules));
                (Station::Attended(self), vec![Effect::ForgetPin])
            }
            // Break-glass is for the day on which the reader fails, too.
            Event::ReaderLost if self.operator.id.is_emergency() => self.on(),
            Event::ReaderLost => self.end(now, rules, Trigger::ReaderLost),
            Event::Recorded(turn, durable) if self.log == LogView::Asked(turn) => {
                self.log = if durable { LogView::Open } else { LogView::Closed };
                let effects = if durable { Vec::new() } else { vec![Effect::Notify(Notice::CannotRecord)] };
                (Station::Attended(self), effects)
            }
            Event::Revoked(id)
                if id == self.operator.id && !id.is_emergency() && !planted::is(Bug::RevokedIgnored) =>
            {
                self.end(now, rules, Trigger::Revoked)
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
            | Event::FreshStartWished
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
            | Event::Unfinished => self.on(),
        }
    }

    fn may_read_log(&self, rules: &Rules) -> bool {
        self.operator.supervisor && rules.supervisors.read_log
    }

    /// Has the entry written that the log is read; it opens once that is durable.
    pub(super) fn view_log(mut self, mut effects: Vec<Effect>) -> Next {
        let turn = self.common.ask();
        self.log = LogView::Asked(turn);
        effects.push(Effect::Record(turn, Record::Viewed(self.operator.id)));
        (Station::Attended(self), effects)
    }

    pub(super) fn on(self) -> Next {
        (Station::Attended(self), Vec::new())
    }

    /// A whole handoff, after which she is let in again, as anybody is: by her PIN.
    fn begin_afresh(self, now: Moment, rules: &Rules) -> Next {
        let mut guest = Guest::new(self.operator, now, rules);
        if planted::is(Bug::FreshStartUnasked) {
            guest.stage = Stage::Verified(self.proof);
        }
        let outgoing = Some(self.operator.id);
        let ending = Ending { outgoing, guest: Some(guest), ..Ending::nobody(Trigger::FreshStart) };
        clean_up(self.common, now, rules, ending)
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

    pub(super) fn time_came(mut self, now: Moment, rules: &Rules) -> Next {
        if self.over(rules) <= now {
            self.end(now, rules, Trigger::Expired)
        } else if self.active.after(rules.idle) <= now {
            self.end(now, rules, Trigger::Idle)
        } else {
            self.warned = self.warning(rules) <= now;
            if self.log == LogView::Open && self.active.after(rules.log_idle) <= now {
                self.log = LogView::Closed;
            }
            self.on()
        }
    }

    pub(super) fn deadline(&self, rules: &Rules) -> Moment {
        let idle = if self.warned { self.active.after(rules.idle) } else { self.warning(rules) };
        let log = match self.log {
            LogView::Open => Some(self.active.after(rules.log_idle)),
            LogView::Asked(_) | LogView::Closed | LogView::Pin(_) => None,
        };
        let pin = self.asked().and_then(|guest| guest.deadline());
        let session = idle.min(self.over(rules));
        [log, pin].into_iter().flatten().fold(session, Moment::min)
    }
}
