//! The seven rules of the core, checked on one edge: what must never happen, and what must.

use cleanshift::handoff::station::{Capsule, Doing, LogView, Stage};
use cleanshift::handoff::{
    AppWish, BadgeMode, Effect, Event, Finding, Guest, Moment, OperatorId, PinAnswer, PinVerified, Presented,
    Record, Rules, Station, Step, Trigger, Turn,
};

use super::drill::{drill, may_drill};
use super::relative::guest;
use super::sign_ins::{looked_clean, settled, sign_ins};
use super::step_up::step_up;

/// Whoever uses a break-glass code.
fn emergency(guest: Option<Guest>) -> bool {
    guest.is_some_and(|guest| guest.is_emergency())
}

fn proof_of(stage: Stage) -> Option<PinVerified> {
    match stage {
        Stage::Verified(proof) | Stage::Recording(_, proof) => Some(proof),
        Stage::Again(_) | Stage::Checking(_) | Stage::New(_) | Stage::Pin | Stage::Setting(..) => None,
    }
}

/// The rule is broken unless this holds.
pub(super) fn ensure(holds: bool, rule: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

/// Checks the rules on an edge; the error says which of them is broken.
#[expect(clippy::too_many_lines, reason = "the seven rules stand in one place, in their order")]
pub(super) fn check(
    before: &Station,
    at: Moment,
    event: Event,
    after: &Station,
    effects: &[Effect],
    rules: &Rules,
) -> Result<(), String> {
    let covers_first = effects.first() == Some(&Effect::Cover);
    let into_clean_up = matches!(after, Station::CleanUp(_));
    // 1. Leaving Attended: the first effect covers, the next phase is CleanUp. And whatever begins a
    //    clean-up covers first.
    if matches!(before, Station::Attended(_)) && !matches!(after, Station::Attended(_)) {
        ensure(into_clean_up, "1: Attended is left for CleanUp alone")?;
    }
    if into_clean_up && !matches!(before, Station::CleanUp(_)) {
        ensure(covers_first, "1: a clean-up begins with the cover")?;
    }
    // 2. Uncover only from Challenge, on the answer to the outstanding question, after the opening
    //    record is durable, for the operator whose PIN was right. Break-glass opens from Quarantine
    //    too, and where its record could not be written or the disk did not answer in time.
    let uncovers = effects.contains(&Effect::Uncover);
    let opens = !matches!(before, Station::Attended(_)) && matches!(after, Station::Attended(_));
    ensure(uncovers == opens, "2: uncovering and opening are one")?;
    let waiting = match before {
        Station::Challenge(challenge) => Some(challenge.guest),
        Station::Quarantine(quarantine) => quarantine.guest.filter(Guest::is_emergency),
        _ => None,
    };
    let answered = waiting.and_then(|guest| match (guest.stage, event) {
        (Stage::Recording(asked, proof), Event::Recorded(turn, durable)) => {
            (asked == turn && (durable || guest.is_emergency())).then_some(proof)
        }
        (Stage::Recording(_, proof), Event::TimeCame) => {
            (guest.is_emergency() && at >= guest.until).then_some(proof)
        }
        _ => None,
    });
    if opens {
        let proof = answered.ok_or("2: only the durable opening record uncovers")?;
        ensure(
            matches!(after, Station::Attended(attended) if attended.operator.id == proof.operator()),
            "2: whose PIN",
        )?;
        if let (true, Station::Attended(attended), Some(access)) =
            (proof.operator().is_emergency(), after, rules.emergency)
        {
            let bounded = attended.operator.until == Some(at.after(access.longest));
            ensure(bounded && !attended.operator.supervisor, "2: break-glass ends by itself")?;
        }
    }
    if answered.is_some() {
        ensure(opens, "2: the durable opening record does open")?;
    }
    if let Some(stage) = guest(after).map(|guest| guest.stage)
        && let Some(proof) = proof_of(stage)
        && guest(before).and_then(|guest| proof_of(guest.stage)).is_none()
    {
        let right = matches!(event, Event::PinChecked(_, PinAnswer::Right(said)) if said == proof)
            || matches!(event, Event::PinChanged(_, Some(said)) if said == proof);
        ensure(right, "2: only a right PIN verifies")?;
    }
    // 3. Out of CleanUp only with Attested, after the receipt is durable.
    let left = matches!(after, Station::Vacant(_) | Station::Challenge(_) | Station::Drill(_));
    match before {
        Station::CleanUp(clean_up) if left => {
            let durable = clean_up.doing == Doing::Receipt && event == Event::Recorded(clean_up.turn, true);
            ensure(durable, "3: out of CleanUp only after the durable receipt")?;
        }
        Station::Quarantine(_) | Station::Attended(_) => ensure(!left, "3: only CleanUp leads to Vacant")?,
        Station::CleanUp(_) | Station::Challenge(_) | Station::Drill(_) | Station::Vacant(_) => {}
    }
    if let (Station::CleanUp(was), Station::CleanUp(is)) = (before, after)
        && is.doing == Doing::Receipt
        && was.doing != Doing::Receipt
    {
        ensure(looked_clean(was, event) || settled(was), "3: a receipt only after a clean look")?;
        ensure(matches!(effects, [.., Effect::Record(_, Record::Handoff(..))]), "3: the receipt is written")?;
    }
    // 4. Residue, unknown, or silence: another round or Quarantine; left only as the rules say.
    if let Station::CleanUp(clean_up) = before {
        let unclean = matches!(event, Event::Looked(turn, Finding::Residue | Finding::Unknown) if turn == clean_up.turn && clean_up.doing == Doing::Looking)
            || matches!(event, Event::Stepped(turn, false) if turn == clean_up.turn && clean_up.doing == Doing::Step(Step::Destroy))
            || (event == Event::TimeCame
                && at >= clean_up.until
                && matches!(clean_up.doing, Doing::Looking | Doing::Step(Step::Destroy)));
        if unclean {
            let again = matches!(after, Station::CleanUp(is) if is.round == clean_up.round + 1 && is.doing == Doing::Step(Step::Destroy));
            let barred = matches!(after, Station::Quarantine(_))
                && effects.iter().any(|effect| matches!(effect, Effect::Record(_, Record::Quarantined(_))));
            ensure(
                if clean_up.round < rules.retries { again } else { barred },
                "4: unclean is tried again, then quarantined",
            )?;
        }
        if event == Event::Recorded(clean_up.turn, false) && clean_up.doing == Doing::Receipt {
            ensure(matches!(after, Station::Quarantine(_)), "4: no receipt, no vacancy")?;
        }
    }
    if let Station::Quarantine(quarantine) = before
        && !matches!(after, Station::Quarantine(_))
    {
        let released = match (event, quarantine.guest) {
            (Event::Recorded(turn, true), Some(guest)) => {
                guest.operator.supervisor
                    && rules.supervisors.release
                    && matches!(guest.stage, Stage::Recording(asked, _) if asked == turn)
            }
            _ => false,
        };
        let again = event == Event::TimeCame && quarantine.again && at >= quarantine.until;
        let recording = emergency(quarantine.guest)
            && quarantine.guest.is_some_and(|guest| matches!(guest.stage, Stage::Recording(..)));
        let given_up = recording && matches!(event, Event::Cancelled | Event::Suspending);
        let allowed = released || again || given_up || matches!(event, Event::RetryWished | Event::Stopping);
        ensure(
            opens || allowed && into_clean_up,
            "4: Quarantine is left for CleanUp, by a try or a supervisor, or by break-glass",
        )?;
        if let (true, Station::CleanUp(clean_up)) = (recording, after) {
            ensure(clean_up.outgoing == Some(OperatorId::EMERGENCY), "4: an opening that began has an end")?;
        }
    }
    if let Station::Quarantine(quarantine) = after {
        ensure(
            quarantine.guest.is_none_or(|guest| {
                guest.operator.supervisor && rules.supervisors.release
                    || guest.is_emergency() && rules.emergency.is_some()
            }),
            "4: only a supervisor who may release it, or break-glass, stands before Quarantine",
        )?;
    }
    if let Station::Attended(attended) = after {
        ensure(
            attended.log == LogView::Closed || (attended.operator.supervisor && rules.supervisors.read_log),
            "only a supervisor who may read the log does",
        )?;
        let was = match before {
            Station::Attended(before) => before.log,
            _ => LogView::Closed,
        };
        let asks = |log| matches!(log, LogView::Asked(_));
        if asks(attended.log) && !asks(was) {
            let own = |proof: PinVerified| proof.operator() == attended.operator.id;
            let right = match (was, event) {
                (LogView::Closed, Event::LogWished) => {
                    at < attended.since.after(rules.patience) && attended.step_up.is_none()
                }
                (LogView::Pin(guest), Event::PinChecked(turn, PinAnswer::Right(proof))) => {
                    guest.stage == Stage::Checking(turn) && own(proof)
                }
                (LogView::Pin(guest), Event::PinChanged(turn, Some(proof))) => {
                    matches!(guest.stage, Stage::Setting(asked, _) if asked == turn) && own(proof)
                }
                _ => false,
            };
            ensure(right, "the log opens for a PIN that was just found right")?;
        }
        if attended.log == LogView::Open && was != LogView::Open {
            let durable =
                matches!((was, event), (LogView::Asked(asked), Event::Recorded(turn, true)) if asked == turn);
            ensure(durable, "the log opens once it is on record who reads it")?;
        }
    }
    // 5. Whoever waits, waits with a deadline, and the deadline moves something.
    let waits =
        !matches!(after, Station::Vacant(vacant) if !matches!(vacant.common.capsule, Capsule::Building(..)));
    ensure(after.deadline(rules).is_some() == waits, "5: whoever waits has a deadline")?;
    if event == Event::TimeCame && before.deadline(rules).is_some_and(|deadline| at >= deadline) {
        // Two deadlines of one instant are taken one after the other; each must change something.
        ensure(after != before, "5: a deadline that came has moved something")?;
    }
    // 6. What does end a session, and what does not.
    if let Station::Attended(attended) = before {
        let own = attended.operator.id;
        let ends = match event {
            // Break-glass works without a reader, too.
            Event::ReaderLost if own.is_emergency() => None,
            Event::TimeCame if attended.operator.until.is_some_and(|until| until <= at) => {
                Some(Trigger::Expired)
            }
            Event::BadgeOut(id) if id == own && rules.badge_mode == BadgeMode::Hold => {
                Some(Trigger::BadgeOut)
            }
            Event::BadgeIn(Presented::Rostered(other)) if other.id != own => Some(Trigger::Takeover),
            Event::BadgeIn(Presented::Rostered(_)) if rules.badge_mode == BadgeMode::Tap => {
                Some(Trigger::TapOut)
            }
            Event::EndWished => Some(Trigger::Ended),
            Event::FreshStartWished if !own.is_emergency() => Some(Trigger::FreshStart),
            Event::Revoked(id) if id == own && !own.is_emergency() => Some(Trigger::Revoked),
            Event::DrillWished if may_drill(attended, rules) => Some(Trigger::Drill),
            Event::ReaderLost => Some(Trigger::ReaderLost),
            Event::CapsuleLost => Some(Trigger::Fault),
            Event::Stopping => Some(Trigger::Maintenance),
            Event::Suspending => Some(Trigger::Suspend),
            Event::TimeCame if attended.since.after(rules.absolute) <= at => Some(Trigger::Expired),
            Event::TimeCame if attended.active.after(rules.idle) <= at => Some(Trigger::Idle),
            _ => None,
        };
        match (ends, after) {
            (Some(trigger), Station::CleanUp(clean_up)) => {
                ensure(
                    clean_up.trigger == trigger && clean_up.outgoing == Some(own),
                    "6: ended for the right cause",
                )?;
                let expected = match (trigger, clean_up.guest) {
                    (Trigger::Takeover, Some(guest)) => {
                        event == Event::BadgeIn(Presented::Rostered(guest.operator))
                    }
                    // Whoever begins afresh is asked for her PIN as anybody is.
                    (Trigger::FreshStart, Some(guest)) => {
                        guest.operator.id == own && guest.stage == Stage::Pin
                    }
                    (Trigger::Takeover | Trigger::FreshStart, None) => false,
                    (_, guest) => guest.is_none(),
                };
                ensure(expected, "6: who takes over waits, or who begins afresh, and nobody else does")?;
            }
            (Some(_), _) => return Err("6: what must end a session does".to_owned()),
            (None, Station::Attended(_)) => {}
            (None, _) => return Err("6: nothing else ends a session".to_owned()),
        }
        if event == Event::BadgeIn(Presented::Unknown) {
            let entry =
                effects.iter().any(|effect| matches!(effect, Effect::Record(_, Record::BadgeUnknown)));
            ensure(
                entry && effects.iter().any(|effect| matches!(effect, Effect::Notify(_))),
                "6: an unknown badge gets a notice and an entry",
            )?;
        }
    }
    drill(before, at, event, after, effects, rules)?;
    sign_ins(before, at, event, after, effects, rules)?;
    step_up(before, at, event, after, effects, rules)?;
    // Break-glass is never disabled: whoever has the right code gets in, wherever it is asked for.
    if event == Event::EmergencyWished && rules.emergency.is_some() {
        let offered = match before {
            Station::Vacant(_) => true,
            Station::Quarantine(quarantine) => quarantine.guest.is_none(),
            _ => false,
        };
        ensure(!offered || emergency(guest(after)), "break-glass is asked for its code")?;
    }
    if let Some(waits) = guest(before)
        && waits.is_emergency()
        && let (Stage::Checking(asked), Event::PinChecked(turn, answer)) = (waits.stage, event)
        && asked == turn
    {
        let now = guest(after);
        let stays = match answer {
            PinAnswer::Wrong { .. } => {
                now.is_some_and(|guest| guest.stage == Stage::Pin && guest.left.is_none())
            }
            PinAnswer::Right(proof) if proof.operator().is_emergency() => {
                now.is_some_and(|guest| proof_of(guest.stage).is_some())
            }
            _ => true,
        };
        ensure(stays, "break-glass: a wrong code is slowed down and not locked out, a right one goes on")?;
    }
    if effects.contains(&Effect::Restart) {
        let by = match before {
            Station::Quarantine(quarantine) => quarantine.restart && quarantine.guest.is_some_and(|guest| {
                guest.operator.supervisor && matches!((guest.stage, event), (Stage::Recording(asked, _), Event::Recorded(turn, true)) if asked == turn)
            }),
            _ => false,
        };
        ensure(by, "only a supervisor whose wish is on record has the machine started anew")?;
    }
    for effect in effects {
        if let Effect::Serve(wish) = effect {
            let Station::Attended(attended) = before else {
                return Err("6: apps are served to an operator at work".to_owned());
            };
            let permitted = match wish {
                AppWish::Launch(app) => {
                    rules.app(*app).is_some_and(|rule| rule.roles.meets(attended.operator.roles))
                }
                AppWish::Close(_) | AppWish::Raise(_) => true,
            };
            ensure(permitted, "6: only permitted apps are started")?;
        }
    }
    // What the shell before has left unfinished is told as a recovery, and moves nothing else.
    if event == Event::Unfinished {
        let trigger = |station: &Station| match station {
            Station::CleanUp(clean_up) => Some(clean_up.trigger),
            _ => None,
        };
        let began = matches!(before, Station::CleanUp(clean_up) if clean_up.outgoing.is_none());
        let expected = match trigger(before) {
            Some(Trigger::FreshStart) if began => Some(Trigger::Recovery),
            other => other,
        };
        ensure(effects.is_empty() && trigger(after) == expected, "unfinished work is a recovery")?;
    }
    // An answer to a question that nobody asked changes nothing.
    let answer = match event {
        Event::Drilled(turn, _)
        | Event::Looked(turn, _)
        | Event::PinChanged(turn, _)
        | Event::PinChecked(turn, _)
        | Event::Prepared(turn, _)
        | Event::Recorded(turn, _)
        | Event::Settled(turn, _)
        | Event::Stepped(turn, _) => Some(turn),
        _ => None,
    };
    if answer == Some(Turn(200)) {
        ensure(after == before && effects.is_empty(), "2: a stale answer changes nothing")?;
    }
    Ok(())
}
