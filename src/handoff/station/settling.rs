//! What a session holds elsewhere: its end begins with the capsule's, goes on while the gates look, and is
//! waited for as long as the policy says, before the receipt.

use super::*;
use crate::handoff::planted::{self, Bug};
use crate::handoff::{Late, SignInRules};

/// Whether this operator's sessions sign her in anywhere. Break-glass and drills are nobody's.
pub(super) fn signs_in(operator: OperatorId) -> bool {
    !operator.is_emergency() && !operator.is_drill()
}

impl CleanUp {
    /// Whether this handoff has anything to end elsewhere: what a session has begun, or what the shell before
    /// has left.
    fn revokes(&self, rules: &Rules) -> bool {
        let begun = match self.outgoing {
            Some(operator) => signs_in(operator),
            None => self.trigger == Trigger::Recovery,
        };
        begun && rules.sign_ins.is_some()
    }

    /// Begins to end it, once in a handoff.
    pub(super) fn revoke(&mut self, now: Moment, rules: &Rules) -> Vec<Effect> {
        if !self.revokes(rules) || self.revoking != Revoking::Not {
            return Vec::new();
        }
        self.revoking = Revoking::Since(now);
        if planted::is(Bug::RevokeSkipped) { Vec::new() } else { vec![Effect::Revoke] }
    }

    /// The look was clean: the end of everything elsewhere is waited for, as long as it may take.
    pub(super) fn settle(mut self, now: Moment, rules: &Rules) -> Next {
        let mut effects = self.revoke(now, rules);
        let until = match (self.revoking, rules.sign_ins) {
            (Revoking::Since(since), Some(SignInRules { late, .. })) if self.revokes(rules) => match late {
                Late::Open { after } => Some(since.after(after)).filter(|until| *until > now),
                // Whether something is left is to be known before the station is said to be held.
                Late::Hold { .. } => Some(now.after(rules.step_limit)),
            },
            _ => None,
        };
        let Some(until) = until else {
            let (station, more) = self.receipt(now, rules);
            effects.extend(more);
            return (station, effects);
        };
        let turn = self.common.ask();
        (self.turn, self.doing, self.until) = (turn, Doing::Settling, until);
        effects.push(Effect::Settle(turn));
        (Station::CleanUp(self), effects)
    }

    /// It is known how that stands, or was not told in time: the receipt says so, or the station is held.
    pub(super) fn settled(mut self, now: Moment, settled: bool, rules: &Rules) -> Next {
        let Some(SignInRules { late: Late::Hold { longest }, .. }) = rules.sign_ins else {
            return self.receipt(now, rules);
        };
        if settled || planted::is(Bug::HoldForgotten) {
            return self.receipt(now, rules);
        }
        let since = match self.revoking {
            Revoking::Since(since) => since,
            Revoking::Not | Revoking::Released => now,
        };
        self.doing = Doing::Held;
        // After a try at a quarantined station the answer has its time too.
        self.until = since.after(longest).max(now.after(rules.step_limit));
        if let Some(guest) = &mut self.guest
            && matches!(guest.stage, Stage::Verified(_))
        {
            if guest.is_emergency() {
                return self.quarantine(now, Reason::SignIns, rules);
            }
            guest.until = now.after(rules.patience);
        }
        self.on()
    }

    /// What happens at a station that is held; `None` where it is the same as in every clean-up.
    pub(super) fn held(&mut self, now: Moment, event: Event, rules: &Rules) -> Option<Next> {
        let may_release = |operator: Operator| operator.supervisor && rules.supervisors.release;
        if let Some(mut guest) = self.guest
            && let Some(step) = guest.pin_event(&mut self.common, now, event, rules)
        {
            let mut this = self.clone();
            this.guest = Some(guest);
            return Some(match step {
                PinStep::On(effects) => (Station::CleanUp(this), effects),
                PinStep::Gone(effects) => {
                    this.guest = None;
                    (Station::CleanUp(this), effects)
                }
                // It opens as a quarantined station does: with an entry that says what is not ended.
                PinStep::Verified(_) if guest.is_emergency() => this.quarantine(now, Reason::SignIns, rules),
                // A PIN that was only just chosen in place of a one-time PIN proves too little for it.
                PinStep::Verified(proof)
                    if may_release(guest.operator) && matches!(event, Event::PinChecked(..)) =>
                {
                    let turn = this.common.ask();
                    guest.stage = Stage::Recording(turn, proof);
                    guest.until = now.after(rules.step_limit);
                    this.guest = Some(guest);
                    let record = Effect::Record(turn, Record::Released(proof.operator()));
                    (Station::CleanUp(this), vec![Effect::ForgetPin, record])
                }
                PinStep::Verified(_) => {
                    // She may have to wait for long; whoever has gone meanwhile must not be let in.
                    guest.until = now.after(rules.patience);
                    this.guest = Some(guest);
                    (Station::CleanUp(this), vec![Effect::ForgetPin])
                }
            });
        }
        let releasing = self.guest.and_then(|guest| match guest.stage {
            Stage::Recording(turn, _) => Some((turn, guest.until)),
            Stage::Again(_)
            | Stage::Checking(_)
            | Stage::New(_)
            | Stage::Pin
            | Stage::Setting(..)
            | Stage::Verified(_) => None,
        });
        let mut this = self.clone();
        match (event, releasing) {
            (Event::Settled(turn, true), _) if turn == self.turn => {
                this.guest = this.guest.filter(|_| releasing.is_none());
                Some(this.receipt(now, rules))
            }
            (Event::Recorded(turn, durable), Some((asked, _))) if turn == asked => {
                this.guest = None;
                if durable {
                    this.revoking = Revoking::Released;
                    return Some(this.receipt(now, rules));
                }
                Some((Station::CleanUp(this), vec![Effect::Notify(Notice::CannotRecord)]))
            }
            (Event::TimeCame, Some((_, until))) if until <= now && self.until > now => {
                this.guest = None;
                Some((Station::CleanUp(this), vec![Effect::Notify(Notice::CannotRecord)]))
            }
            (Event::EmergencyWished, None) if !self.guest.is_some_and(|guest| guest.is_emergency()) => {
                this.guest = Some(Guest::emergency(now, rules)?);
                Some((Station::CleanUp(this), vec![Effect::ForgetPin]))
            }
            // A station that is to stop takes nobody in, but can be released.
            (Event::BadgeIn(Presented::Rostered(operator)), None)
                if self.stopping
                    && may_release(operator)
                    && self.guest.is_none_or(|guest| guest.operator.id != operator.id) =>
            {
                this.guest = Some(Guest::new(operator, now, rules));
                Some((Station::CleanUp(this), vec![Effect::ForgetPin]))
            }
            _ => None,
        }
    }

    /// When whoever waits is sent away. At a held station she does not wait for ever, though her PIN was right.
    pub(super) fn guest_deadline(&self) -> Option<Moment> {
        let guest = self.guest?;
        if self.doing == Doing::Held { Some(guest.until) } else { guest.deadline() }
    }
}
