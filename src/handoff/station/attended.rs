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
        if let LogView::Pin(guest) = self.log
            && let Some(next) = self.log_pin(guest, now, event, rules)
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
            Event::LogClosed => self.close_log(),
            Event::LogWished if self.may_read_log(rules) && self.log == LogView::Closed => {
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

    /// What happens while the PIN is asked for again; `None` when it is nothing of the log's.
    fn log_pin(&self, mut guest: Guest, now: Moment, event: Event, rules: &Rules) -> Option<Next> {
        let mut this = self.clone();
        if event == Event::Cancelled || (event == Event::TimeCame && guest.until <= now) {
            let next = this.close_log();
            // The session has deadlines of its own, which may have come with this one.
            return match (event, next) {
                (Event::TimeCame, (Station::Attended(this), mut effects)) => {
                    let (station, more) = this.time_came(now, rules);
                    effects.extend(more);
                    // A clean-up covers first, and forgets what was typed by itself.
                    effects.sort_by_key(|effect| *effect != Effect::Cover);
                    Some((station, effects))
                }
                (_, next) => Some(next),
            };
        }
        match guest.pin_event(&mut this.common, now, event, rules)? {
            PinStep::On(effects) => {
                this.log = LogView::Pin(guest);
                Some((Station::Attended(this), effects))
            }
            PinStep::Gone(effects) => {
                this.log = LogView::Closed;
                Some((Station::Attended(this), effects))
            }
            PinStep::Verified(_) => Some(this.view_log(vec![Effect::ForgetPin])),
        }
    }

    /// Has the entry written that the log is read; it opens once that is durable.
    fn view_log(mut self, mut effects: Vec<Effect>) -> Next {
        let turn = self.common.ask();
        self.log = LogView::Asked(turn);
        effects.push(Effect::Record(turn, Record::Viewed(self.operator.id)));
        (Station::Attended(self), effects)
    }

    fn close_log(mut self) -> Next {
        let asked = matches!(self.log, LogView::Pin(_));
        self.log = LogView::Closed;
        (Station::Attended(self), if asked { vec![Effect::ForgetPin] } else { Vec::new() })
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
            LogView::Pin(guest) => guest.deadline(),
            LogView::Asked(_) | LogView::Closed => None,
        };
        let session = idle.min(self.over(rules));
        log.map_or(session, |log| log.min(session))
    }
}
