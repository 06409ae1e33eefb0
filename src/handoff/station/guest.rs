//! Somebody who has shown a badge and is asked for the PIN: the same questions before a vacant, a
//! cleaning and a quarantined station.

use super::*;
use crate::handoff::planted::{self, Bug};

impl Guest {
    pub(super) fn new(operator: Operator, now: Moment, rules: &Rules) -> Self {
        let until = now.after(patience(operator.id, rules));
        Self { operator, until, stage: Stage::Pin, left: None, wait: None }
    }

    /// Somebody without a badge who asks for emergency access, where the rules have it.
    pub(super) fn emergency(now: Moment, rules: &Rules) -> Option<Self> {
        rules.emergency.map(|access| Self::new(Operator::emergency(access), now, rules))
    }

    /// Whether she asks for emergency access.
    #[must_use]
    pub fn is_emergency(&self) -> bool {
        self.operator.id.is_emergency()
    }

    /// What is written before the station opens for her.
    pub(super) fn opening(&self, proof: PinVerified) -> Record {
        if self.is_emergency() { Record::BreakGlass } else { Record::Opened(proof.operator()) }
    }

    /// She as she is at work from now on: a break-glass session has an end of its own.
    pub(super) fn at_work(&self, now: Moment, rules: &Rules) -> Operator {
        match rules.emergency {
            Some(access) if self.is_emergency() && !planted::is(Bug::BreakGlassEndless) => {
                Operator { until: Some(now.after(access.longest)), ..self.operator }
            }
            Some(_) | None => self.operator,
        }
    }

    /// When this guest's patience ends. A guest whose PIN was right waits for the station, which has
    /// deadlines of its own.
    pub(super) fn deadline(&self) -> Option<Moment> {
        (!matches!(self.stage, Stage::Verified(_))).then_some(self.until)
    }

    /// What a PIN, its check or its change leads to; `None` when the event is none of that.
    ///
    /// This is the same before a vacant, a cleaning and a quarantined station: only what a
    /// verified guest leads to differs, and that is decided by the phase.
    pub(super) fn pin_event(
        &mut self,
        common: &mut Common,
        now: Moment,
        event: Event,
        rules: &Rules,
    ) -> Option<PinStep> {
        match (event, self.stage) {
            (Event::PinGiven, Stage::Pin) if self.wait.is_some_and(|wait| wait > now) => {
                Some(PinStep::On(vec![Effect::ForgetPin]))
            }
            (Event::PinGiven, Stage::Pin) => {
                let turn = common.ask();
                self.stage = Stage::Checking(turn);
                self.until = now.after(rules.step_limit);
                Some(PinStep::On(vec![Effect::CheckPin(turn, self.operator.id)]))
            }
            (Event::PinGiven, Stage::New(proof)) => {
                self.stage = Stage::Again(proof);
                self.until = now.after(rules.patience);
                Some(PinStep::On(Vec::new()))
            }
            (Event::PinGiven, Stage::Again(proof)) => {
                let turn = common.ask();
                self.stage = Stage::Setting(turn, proof);
                self.until = now.after(rules.step_limit);
                Some(PinStep::On(vec![Effect::SetPin(turn, self.operator.id)]))
            }
            (Event::PinChecked(turn, answer), Stage::Checking(asked)) if turn == asked => {
                Some(self.checked(common, now, answer, rules))
            }
            (Event::PinChanged(turn, Some(proof)), Stage::Setting(asked, _))
                if turn == asked && proof.operator() == self.operator.id =>
            {
                self.stage = Stage::Verified(proof);
                self.until = now.after(rules.step_limit);
                Some(PinStep::Verified(proof))
            }
            (Event::PinChanged(turn, _), Stage::Setting(asked, proof)) if turn == asked => {
                self.stage = Stage::New(proof);
                self.until = now.after(rules.patience);
                Some(PinStep::On(Vec::new()))
            }
            (Event::PinGiven | Event::PinChecked(..) | Event::PinChanged(..), _) => {
                Some(PinStep::On(Vec::new()))
            }
            _ => None,
        }
    }

    fn checked(&mut self, common: &mut Common, now: Moment, answer: PinAnswer, rules: &Rules) -> PinStep {
        let id = self.operator.id;
        let patience = patience(id, rules);
        self.until = now.after(patience);
        match answer {
            PinAnswer::Right(proof) if proof.operator() == id => {
                self.stage = Stage::Verified(proof);
                self.until = now.after(rules.step_limit);
                PinStep::Verified(proof)
            }
            PinAnswer::OneTime(proof) if proof.operator() == id && !self.is_emergency() => {
                self.stage = Stage::New(proof);
                PinStep::On(vec![Effect::ForgetPin])
            }
            PinAnswer::Wrong { .. } if planted::is(Bug::WrongPinOpens) => {
                let proof = PinVerified::of(id);
                self.stage = Stage::Verified(proof);
                PinStep::Verified(proof)
            }
            PinAnswer::Wrong { left, wait } => {
                self.stage = Stage::Pin;
                // Break-glass is slowed down by wrong tries, and never disabled.
                self.left = (!self.is_emergency()).then_some(left);
                self.wait = (wait > 0).then(|| now.after(u64::from(wait)));
                self.until = now.after(patience.saturating_add(u64::from(wait)));
                let turn = common.ask();
                PinStep::On(vec![
                    Effect::ForgetPin,
                    Effect::Record(turn, Record::Denied(id, Denial::WrongPin)),
                ])
            }
            PinAnswer::Disabled => {
                let turn = common.ask();
                PinStep::Gone(vec![
                    Effect::ForgetPin,
                    Effect::Notify(Notice::BadgeDisabled),
                    Effect::Record(turn, Record::Denied(id, Denial::Disabled)),
                ])
            }
            // A proof of somebody else's PIN is no answer to this question.
            PinAnswer::Failed | PinAnswer::Right(_) | PinAnswer::OneTime(_) => {
                let turn = common.ask();
                PinStep::Gone(vec![
                    Effect::ForgetPin,
                    Effect::Notify(Notice::CannotOpen),
                    Effect::Record(turn, Record::Denied(id, Denial::Unchecked)),
                ])
            }
        }
    }
}

fn patience(id: OperatorId, rules: &Rules) -> u64 {
    rules.emergency.filter(|_| id.is_emergency()).map_or(rules.patience, |access| access.patience)
}

/// What a guest's event leads to.
pub(super) enum PinStep {
    /// The guest stays.
    On(Vec<Effect>),
    /// The guest is sent away.
    Gone(Vec<Effect>),
    /// The guest's PIN was found right.
    Verified(PinVerified),
}

/// What is told and written when a badge cannot begin anything here.
pub(super) fn refuse(common: &mut Common, presented: Presented) -> Vec<Effect> {
    let (notice, record) = match presented {
        Presented::Rostered(_) => (Notice::SupervisorNeeded, None),
        Presented::Refused(id, refusal) => {
            let notice = match refusal {
                Refusal::Disabled => Notice::BadgeDisabled,
                Refusal::Expired => Notice::BadgeExpired,
                Refusal::NotYetValid => Notice::BadgeNotYetValid,
            };
            (notice, Some(Record::Denied(id, Denial::Badge(refusal))))
        }
        Presented::Unreadable => (Notice::BadgeUnreadable, None),
        Presented::Unknown => (Notice::BadgeUnknown, Some(Record::BadgeUnknown)),
    };
    let mut effects = vec![Effect::Notify(notice)];
    effects.extend(record.map(|record| Effect::Record(common.ask(), record)));
    effects
}
