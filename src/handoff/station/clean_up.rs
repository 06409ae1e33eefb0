//! Clean-up: destroy, look, write the receipt; the only way out makes an [`Attested`].

use super::*;
use crate::handoff::planted::{self, Bug};

/// What a clean-up is begun with.
pub(super) struct Ending {
    pub(super) outgoing: Option<OperatorId>,
    pub(super) trigger: Trigger,
    pub(super) guest: Option<Guest>,
    pub(super) drill: Option<DrillEnd>,
    pub(super) stopping: bool,
}

/// Begins a clean-up: whatever the cause, covering is the first effect.
pub(super) fn clean_up(mut common: Common, now: Moment, rules: &Rules, ending: Ending) -> Next {
    let signed_in = rules.sign_ins.is_some() && ending.outgoing.is_some_and(settling::signs_in);
    let step = if signed_in { Step::Farewell } else { closing(ending.outgoing, rules) };
    let turn = common.ask();
    common.capsule = Capsule::None;
    let station = CleanUp {
        common,
        outgoing: ending.outgoing,
        trigger: ending.trigger,
        doing: Doing::Step(step),
        turn,
        until: now.after(step_limit(step, rules)),
        round: 0,
        quarantine_rounds: 0,
        guest: ending.guest,
        drill: ending.drill,
        revoking: Revoking::Not,
        stopping: ending.stopping,
    };
    let mut effects = vec![Effect::Cover, Effect::ForgetPin, Effect::Step(turn, step)];
    if planted::is(Bug::CoverMissing) {
        let _ = effects.remove(0);
    } else if planted::is(Bug::CoverLate) {
        effects.swap(0, 2);
    }
    (Station::CleanUp(station), effects)
}

/// How the capsule's end begins: its apps are asked, where there were any, and where the policy grants time.
fn closing(outgoing: Option<OperatorId>, rules: &Rules) -> Step {
    if outgoing.is_some() && rules.grace > 0 { Step::AskApps } else { Step::Destroy }
}

pub(super) fn step_limit(step: Step, rules: &Rules) -> u64 {
    match step {
        Step::Farewell => rules.sign_ins.map_or(0, |sign_ins| sign_ins.farewell),
        Step::AskApps => rules.grace.saturating_add(rules.step_limit),
        Step::Destroy => rules.step_limit,
    }
}

impl CleanUp {
    pub(super) fn handle(mut self, now: Moment, event: Event, rules: &Rules) -> Next {
        let _ = self.common.note(now, event);
        if self.doing == Doing::Held
            && let Some(next) = self.held(now, event, rules)
        {
            return next;
        }
        if let Some(mut guest) = self.guest {
            match guest.pin_event(&mut self.common, now, event, rules) {
                Some(PinStep::On(effects)) => {
                    self.guest = Some(guest);
                    return (Station::CleanUp(self), effects);
                }
                Some(PinStep::Gone(effects)) => {
                    self.guest = None;
                    return (Station::CleanUp(self), effects);
                }
                Some(PinStep::Verified(_)) => {
                    // The right PIN waits; the station opens only after the receipt.
                    self.guest = Some(guest);
                    return (Station::CleanUp(self), vec![Effect::ForgetPin]);
                }
                None => {}
            }
        }
        match event {
            Event::Stepped(turn, done) if turn == self.turn || planted::is(Bug::StaleAnswer) => {
                self.stepped(now, done, rules)
            }
            Event::Looked(turn, finding) if turn == self.turn && self.doing == Doing::Looking => {
                match finding {
                    Finding::Clean if planted::is(Bug::ReceiptNotAwaited) => self.attested(now, rules),
                    Finding::Residue if planted::is(Bug::ResidueForgotten) => self.receipt(now, rules),
                    Finding::Clean => self.settle(now, rules),
                    Finding::Residue => self.unclean(now, Reason::Residue, rules),
                    Finding::Unknown => self.unclean(now, Reason::Unknown, rules),
                }
            }
            Event::Recorded(turn, durable) if turn == self.turn && self.doing == Doing::Receipt => {
                if durable {
                    self.attested(now, rules)
                } else {
                    self.quarantine(now, Reason::NotRecorded, rules)
                }
            }
            Event::Settled(turn, settled) if turn == self.turn && self.doing == Doing::Settling => {
                self.settled(now, settled, rules)
            }
            Event::TimeCame => self.time_came(now, rules),
            Event::BadgeIn(Presented::Rostered(operator))
                if self.guest.is_some_and(|guest| guest.operator.id == operator.id) =>
            {
                (Station::CleanUp(self), Vec::new())
            }
            Event::BadgeIn(Presented::Rostered(operator)) if !self.stopping => {
                self.guest = Some(Guest::new(operator, now, rules));
                let mut effects = vec![Effect::ForgetPin];
                effects.extend(self.no_drill(now, rules));
                (Station::CleanUp(self), effects)
            }
            Event::BadgeIn(
                presented @ (Presented::Refused(..) | Presented::Unreadable | Presented::Unknown),
            ) => {
                let effects = refuse(&mut self.common, presented);
                (Station::CleanUp(self), effects)
            }
            Event::BadgeOut(id) if rules.badge_mode == BadgeMode::Hold => {
                if self.follows().is_some_and(|proof| proof.operator() == id) {
                    self.drill = None;
                }
                if self.guest.is_some_and(|guest| guest.operator.id == id) {
                    self.without_guest()
                } else {
                    self.on()
                }
            }
            Event::ReaderLost if self.guest.is_some_and(|guest| guest.is_emergency()) => self.on(),
            Event::Cancelled | Event::ReaderLost | Event::Suspending => {
                let ended = self.no_drill(now, rules);
                let (station, mut effects) = self.without_guest();
                effects.extend(ended);
                (station, effects)
            }
            Event::Stopping => {
                self.stopping = true;
                let ended = self.no_drill(now, rules);
                let (station, mut effects) = self.without_guest();
                effects.extend(ended);
                (station, effects)
            }
            Event::Unfinished
                if self.trigger == Trigger::FreshStart
                    && self.outgoing.is_none()
                    && !planted::is(Bug::UnfinishedForgotten) =>
            {
                self.trigger = Trigger::Recovery;
                self.on()
            }
            Event::Active(_)
            | Event::AppWished(_)
            | Event::BadgeIn(_)
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

    pub(super) fn on(self) -> Next {
        (Station::CleanUp(self), Vec::new())
    }

    /// The proof of the supervisor for whom a drill is to follow.
    fn follows(&self) -> Option<PinVerified> {
        match self.drill {
            Some(DrillEnd::Follows(proof)) => Some(proof),
            Some(DrillEnd::Ends(_)) | None => None,
        }
    }

    /// Somebody or something does not wait for a drill: none follows, and one that ends is searched for no
    /// longer.
    fn no_drill(&mut self, now: Moment, rules: &Rules) -> Option<Effect> {
        match self.drill {
            Some(DrillEnd::Follows(_)) => {
                self.drill = None;
                None
            }
            Some(DrillEnd::Ends(_)) => {
                if self.doing == Doing::Looking {
                    self.until = self.until.min(now.after(rules.step_limit));
                }
                Some(Effect::EndDrill)
            }
            None => None,
        }
    }

    /// The look was clean: the receipt is written before anything else.
    pub(super) fn receipt(mut self, now: Moment, rules: &Rules) -> Next {
        let turn = self.common.ask();
        self.turn = turn;
        self.doing = Doing::Receipt;
        self.until = now.after(rules.step_limit);
        let record = Record::Handoff(self.outgoing, self.trigger);
        (Station::CleanUp(self), vec![Effect::Record(turn, record)])
    }

    pub(super) fn without_guest(mut self) -> Next {
        match self.guest.take() {
            Some(_) => (Station::CleanUp(self), vec![Effect::ForgetPin]),
            None => self.on(),
        }
    }

    fn stepped(mut self, now: Moment, done: bool, rules: &Rules) -> Next {
        match self.doing {
            // A farewell that failed bars nothing: what it was to end is ended by other ways, or told.
            Doing::Step(Step::Farewell) => {
                let step = closing(self.outgoing, rules);
                self.take(now, step, rules)
            }
            // Apps that would not be asked are forced by the next step.
            Doing::Step(Step::AskApps) => self.take(now, Step::Destroy, rules),
            Doing::Step(Step::Destroy) if done => {
                let turn = self.common.ask();
                self.turn = turn;
                self.doing = Doing::Looking;
                // After a drill that nobody waits behind, every canary is searched for by other ways too.
                let searched = matches!(self.drill, Some(DrillEnd::Ends(_))) && self.guest.is_none();
                let parts = if searched { drill::PART } else { 1 };
                self.until = now.after(rules.step_limit.saturating_mul(parts));
                // It goes on while the gates look.
                let mut effects = self.revoke(now, rules);
                effects.push(Effect::Look(turn));
                (Station::CleanUp(self), effects)
            }
            Doing::Step(Step::Destroy) => self.undestroyed(now, Reason::NotDestroyed, rules),
            Doing::Held | Doing::Looking | Doing::Receipt | Doing::Settling => self.on(),
        }
    }

    fn take(mut self, now: Moment, step: Step, rules: &Rules) -> Next {
        let turn = self.common.ask();
        self.turn = turn;
        self.doing = Doing::Step(step);
        self.until = now.after(step_limit(step, rules));
        (Station::CleanUp(self), vec![Effect::Step(turn, step)])
    }

    fn time_came(mut self, now: Moment, rules: &Rules) -> Next {
        let mut effects = Vec::new();
        if self.guest_deadline().is_some_and(|until| until <= now) {
            self.guest = None;
            effects.push(Effect::ForgetPin);
        }
        if self.until > now || planted::is(Bug::StepWithoutEnd) {
            return (Station::CleanUp(self), effects);
        }
        let (station, more) = match self.doing {
            Doing::Step(Step::AskApps | Step::Farewell) => self.stepped(now, false, rules),
            Doing::Step(Step::Destroy) => self.undestroyed(now, Reason::Silent, rules),
            Doing::Looking => self.unclean(now, Reason::Silent, rules),
            Doing::Settling => self.settled(now, false, rules),
            Doing::Held => self.quarantine(now, Reason::SignIns, rules),
            Doing::Receipt => self.quarantine(now, Reason::NotRecorded, rules),
        };
        effects.extend(more);
        (station, effects)
    }

    /// The capsule may still be there. What the session holds elsewhere is ended in any case.
    fn undestroyed(mut self, now: Moment, reason: Reason, rules: &Rules) -> Next {
        let mut effects = self.revoke(now, rules);
        let (station, more) = self.unclean(now, reason, rules);
        effects.extend(more);
        (station, effects)
    }

    /// Something was found or could not be done: once more from the start, then quarantine.
    fn unclean(mut self, now: Moment, reason: Reason, rules: &Rules) -> Next {
        if self.round < rules.retries {
            self.round += 1;
            self.take(now, Step::Destroy, rules)
        } else {
            self.quarantine(now, reason, rules)
        }
    }

    pub(super) fn quarantine(mut self, now: Moment, reason: Reason, rules: &Rules) -> Next {
        let turn = self.common.ask();
        let over = self.drill_over();
        let again = self.quarantine_rounds < rules.quarantine_retries;
        let release = rules.supervisors.release;
        let guest = self.guest.filter(|guest| {
            guest.is_emergency() || release && guest.operator.supervisor && guest.stage == Stage::Pin
        });
        let station = Quarantine {
            common: self.common,
            outgoing: self.outgoing,
            trigger: self.trigger,
            reason,
            // Each pause is twice as long as the one before.
            until: now.after(rules.quarantine_pause.saturating_mul(1 << self.quarantine_rounds.min(6))),
            again,
            rounds: self.quarantine_rounds,
            revoking: self.revoking,
            guest,
            restart: false,
            stopping: self.stopping,
        };
        let mut effects = vec![Effect::ForgetPin, Effect::Record(turn, Record::Quarantined(reason))];
        effects.extend(over);
        station.open_when_ready(now, rules, effects)
    }

    /// A drill has come to its end, whatever it came to: it is entered once.
    fn drill_over(&mut self) -> Option<Effect> {
        let Some(DrillEnd::Ends(by)) = self.drill else { return None };
        self.drill = None;
        let turn = self.common.ask();
        Some(Effect::Record(turn, Record::Drilled(by)))
    }

    /// Every gate attested and the receipt durable: the only way out, and the only place where an
    /// [`Attested`] is made.
    fn attested(mut self, now: Moment, rules: &Rules) -> Next {
        let attested = Attested(());
        let mut effects: Vec<Effect> = self.drill_over().into_iter().collect();
        if self.stopping {
            effects.push(Effect::Stop);
            return (Station::Vacant(Vacant { common: self.common, attested }), effects);
        }
        if let (Some(proof), None) = (self.follows(), self.guest) {
            return drill::begin(self.common, proof, now, rules);
        }
        if self.common.unbuilt > rules.retries {
            self.common.unbuilt = 0;
            let (station, more) = self.quarantine(now, Reason::Unprepared, rules);
            effects.extend(more);
            return (station, effects);
        }
        let turn = self.common.ask();
        self.common.capsule = Capsule::Building(turn, now.after(rules.step_limit));
        effects.push(Effect::Prepare(turn));
        let station = match self.guest {
            Some(mut guest) => {
                if matches!(guest.stage, Stage::Verified(_)) {
                    // The capsule is now what this guest waits for.
                    guest.until = now.after(rules.step_limit.saturating_mul(2));
                }
                Station::Challenge(Challenge { common: self.common, guest, attested })
            }
            None => Station::Vacant(Vacant { common: self.common, attested }),
        };
        (station, effects)
    }
}
