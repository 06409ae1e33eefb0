//! The PIN again, in a session that runs: before the handoff log, and before an app that asks for it. Whoever
//! stands before an open session need not be the one whose it is.

use super::*;
use crate::handoff::planted::{self, Bug};

impl Attended {
    /// Who is asked for her PIN again, for the log or for an app.
    #[must_use]
    pub fn asked(&self) -> Option<Guest> {
        match (self.log, self.step_up) {
            (LogView::Pin(guest), _) | (_, Some(StepUp { guest, .. })) => Some(guest),
            (LogView::Asked(_) | LogView::Closed | LogView::Open, None) => None,
        }
    }

    /// Starts an app, where she may, and once her PIN was found right where the app asks for it.
    pub(super) fn launch(mut self, app: App, now: Moment, rules: &Rules) -> Next {
        let rule = rules.app(app);
        if !(planted::is(Bug::LaunchUnchecked)
            || rule.is_some_and(|rule| rule.roles.meets(self.operator.roles)))
        {
            return self.on();
        }
        let asks = rule.and_then(|rule| rule.reverify).filter(|_| !planted::is(Bug::StepUpSkipped));
        match asks {
            // A code proves nobody, and such an app wants a person.
            Some(_) if self.operator.id.is_emergency() => {
                (Station::Attended(self), vec![Effect::Notify(Notice::PinNeeded)])
            }
            Some(age) if now >= self.proved.after(age) => {
                // The launcher is not seen while the log is, or while a PIN is asked for.
                if self.log == LogView::Closed && self.step_up.is_none() {
                    let guest = Guest::new(self.operator, now, rules);
                    self.step_up = Some(StepUp { app, guest });
                    return (Station::Attended(self), vec![Effect::ForgetPin]);
                }
                self.on()
            }
            Some(_) | None => (Station::Attended(self), vec![Effect::Serve(AppWish::Launch(app))]),
        }
    }

    /// What happens while the PIN is asked for again; `None` when it is nothing of that.
    pub(super) fn pin_again(
        &self,
        mut guest: Guest,
        now: Moment,
        event: Event,
        rules: &Rules,
    ) -> Option<Next> {
        let mut this = self.clone();
        if event == Event::Cancelled || (event == Event::TimeCame && guest.until <= now) {
            let next = this.unasked();
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
                match &mut this.step_up {
                    Some(step_up) => step_up.guest = guest,
                    None => this.log = LogView::Pin(guest),
                }
                Some((Station::Attended(this), effects))
            }
            PinStep::Gone(effects) => {
                let (station, _) = this.unasked();
                Some((station, effects))
            }
            PinStep::Verified(_) => {
                this.proved = now;
                let Some(StepUp { app, .. }) = this.step_up.take() else {
                    return Some(this.view_log(vec![Effect::ForgetPin]));
                };
                Some((Station::Attended(this), vec![Effect::ForgetPin, Effect::Serve(AppWish::Launch(app))]))
            }
        }
    }

    /// Back to work: no PIN is asked for any more.
    fn unasked(mut self) -> Next {
        if self.step_up.take().is_some() {
            return (Station::Attended(self), vec![Effect::ForgetPin]);
        }
        self.close_log()
    }

    pub(super) fn close_log(mut self) -> Next {
        let asked = matches!(self.log, LogView::Pin(_));
        self.log = LogView::Closed;
        (Station::Attended(self), if asked { vec![Effect::ForgetPin] } else { Vec::new() })
    }
}
