//! The rules of ending what a session holds elsewhere, checked on one edge.

use cleanshift::handoff::station::{Doing, Revoking, Stage};
use cleanshift::handoff::{
    CleanUp, Effect, Event, Finding, Late, Moment, Notice, PinAnswer, Presented, Reason, Record, Rules,
    Station, Step, Trigger,
};

use super::check::ensure;

/// Whether the gates have just told that nothing is left.
pub(super) fn looked_clean(was: &CleanUp, event: Event) -> bool {
    was.doing == Doing::Looking && event == Event::Looked(was.turn, Finding::Clean)
}

/// Whether they had told so before: only what is elsewhere was waited for.
pub(super) fn settled(was: &CleanUp) -> bool {
    matches!(was.doing, Doing::Settling | Doing::Held)
}

/// Whether this handoff ends something elsewhere.
fn revokes(clean_up: &CleanUp, rules: &Rules) -> bool {
    let person = |id: cleanshift::handoff::OperatorId| !id.is_emergency() && !id.is_drill();
    rules.sign_ins.is_some() && clean_up.outgoing.map_or(clean_up.trigger == Trigger::Recovery, person)
}

/// The sign-ins: a farewell comes first and bars nothing; revoking begins once, when the capsule's end was
/// tried, and before the gates look; its end is waited for as the policy says, and no longer; a held station is
/// left for a receipt when everything is ended, or a supervisor has released it, and otherwise for Quarantine.
#[expect(clippy::too_many_lines, reason = "the rules of one thing stand in one place")]
pub(super) fn sign_ins(
    before: &Station,
    at: Moment,
    event: Event,
    after: &Station,
    effects: &[Effect],
    rules: &Rules,
) -> Result<(), String> {
    let revoked = effects.iter().filter(|effect| **effect == Effect::Revoke).count();
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Settle(turn) => Some(*turn),
        _ => None,
    });
    let farewell = effects.iter().any(|effect| matches!(effect, Effect::Step(_, Step::Farewell)));
    // Where a session ends: its farewell comes first, and only there.
    if let (Station::CleanUp(is), false) = (after, matches!(before, Station::CleanUp(_))) {
        let expected = is.revoking == Revoking::Not
            && !matches!(before, Station::Quarantine(_))
            && is.outgoing.is_some()
            && revokes(is, rules);
        ensure(
            farewell == expected,
            "sign-ins: a session that ends takes leave first, and nothing else does",
        )?;
        if expected {
            let bounded = rules.sign_ins.is_some_and(|rule| is.until == at.after(rule.farewell));
            ensure(bounded, "sign-ins: a farewell has its time and no more")?;
        }
    } else {
        ensure(!farewell, "sign-ins: a farewell is taken at the beginning alone")?;
    }
    if let Station::CleanUp(was) = before {
        let over = matches!(event, Event::Stepped(turn, _) if turn == was.turn)
            || (event == Event::TimeCame && at >= was.until);
        if was.doing == Doing::Step(Step::Farewell) && over {
            let goes_on = matches!(after, Station::CleanUp(is) if matches!(is.doing, Doing::Step(Step::AskApps | Step::Destroy)));
            ensure(goes_on, "sign-ins: a farewell bars nothing, however it went")?;
        }
        // Once in a handoff, when the capsule's end was tried, whatever came of that.
        let tried = was.doing == Doing::Step(Step::Destroy) && over;
        if tried && revokes(was, rules) && was.revoking == Revoking::Not {
            ensure(revoked == 1, "sign-ins: revoking begins when the capsule's end was tried")?;
        }
        if revoked > 0 {
            let late = looked_clean(was, event);
            ensure(
                revoked == 1 && was.revoking == Revoking::Not && revokes(was, rules) && (tried || late),
                "sign-ins: revoking begins once, and not while the capsule lives",
            )?;
            let looks = effects.iter().position(|effect| matches!(effect, Effect::Look(_)));
            let begins = effects.iter().position(|effect| *effect == Effect::Revoke);
            ensure(looks.is_none_or(|looks| begins < Some(looks)), "sign-ins: it goes on beside the gates")?;
        }
    } else {
        ensure(revoked == 0, "sign-ins: only a clean-up revokes")?;
    }
    if let Station::CleanUp(is) = after
        && matches!(is.doing, Doing::Looking | Doing::Settling | Doing::Held)
        // The journal may tell of the shell before at any time; the look's end is then early enough.
        && is.outgoing.is_some()
        && revokes(is, rules)
    {
        ensure(is.revoking != Revoking::Not, "sign-ins: nobody looks before revoking has begun")?;
    }
    // It is asked for after a clean look, and the station waits for it no longer than the policy says.
    if let Some(turn) = asked {
        let from = matches!(before, Station::CleanUp(was) if looked_clean(was, event));
        let to = matches!(after, Station::CleanUp(is) if is.doing == Doing::Settling && is.turn == turn);
        ensure(from && to, "sign-ins: how they stand is asked after a clean look")?;
    }
    let late = rules.sign_ins.map(|rule| rule.late);
    if let (Station::CleanUp(is), Some(Late::Open { after: wait })) = (after, late)
        && is.doing == Doing::Settling
    {
        let Revoking::Since(since) = is.revoking else {
            return Err("sign-ins: what was not begun is waited for".to_owned());
        };
        ensure(
            is.until == since.after(wait),
            "sign-ins: a station that opens late waits so long and no longer",
        )?;
    }
    ensure(
        !matches!(after, Station::CleanUp(is) if is.doing == Doing::Held)
            || matches!(late, Some(Late::Hold { .. })),
        "sign-ins: only a policy holds a station",
    )?;
    if let Station::CleanUp(was) = before
        && matches!(was.doing, Doing::Settling | Doing::Held)
    {
        held(was, at, event, after, effects, rules)?;
    }
    if let Station::CleanUp(was) = before
        && looked_clean(was, event)
        && revokes(was, rules)
        && was.revoking != Revoking::Released
        && matches!(late, Some(Late::Hold { .. }))
    {
        let waits = matches!(after, Station::CleanUp(is) if is.doing == Doing::Settling);
        ensure(waits, "sign-ins: a station that is held waits for the answer")?;
    }
    // It is released by a supervisor alone, and only in the words of an entry.
    let released = |station: &Station| match station {
        Station::CleanUp(clean_up) => clean_up.revoking == Revoking::Released,
        Station::Quarantine(quarantine) => quarantine.revoking == Revoking::Released,
        _ => false,
    };
    if released(after) && !released(before) {
        let guest = match before {
            Station::CleanUp(was) if was.doing == Doing::Held => was.guest,
            Station::Quarantine(was) if was.reason == Reason::SignIns && !was.restart => was.guest,
            _ => None,
        };
        let by = guest.is_some_and(|guest| {
            guest.operator.supervisor
                && rules.supervisors.release
                && matches!((guest.stage, event), (Stage::Recording(asked, _), Event::Recorded(turn, true)) if asked == turn)
        });
        ensure(by, "sign-ins: only a supervisor whose word is on record releases a station")?;
    }
    Ok(())
}

/// What happens while the end of everything elsewhere is waited for.
fn held(
    was: &CleanUp,
    at: Moment,
    event: Event,
    after: &Station,
    effects: &[Effect],
    rules: &Rules,
) -> Result<(), String> {
    let holds = rules.sign_ins.is_some_and(|rule| matches!(rule.late, Late::Hold { .. }));
    let is_held = was.doing == Doing::Held;
    let over = event == Event::TimeCame && at >= was.until;
    let answer = match event {
        Event::Settled(turn, settled) if turn == was.turn => Some(settled),
        _ => None,
    };
    let recorded = was.guest.and_then(|guest| match (guest.stage, event) {
        (Stage::Recording(asked, _), Event::Recorded(turn, durable)) if is_held && asked == turn => {
            Some(durable)
        }
        _ => None,
    });
    let code = matches!((was.guest, event), (Some(guest), Event::PinChecked(turn, PinAnswer::Right(proof)))
        if guest.is_emergency() && guest.stage == Stage::Checking(turn) && proof.operator().is_emergency());
    let waits_with_code =
        was.guest.is_some_and(|guest| guest.is_emergency() && matches!(guest.stage, Stage::Verified(_)));
    let receipt = matches!(after, Station::CleanUp(is) if is.doing == Doing::Receipt);
    let barred = matches!(after, Station::Quarantine(is) if is.reason == Reason::SignIns);
    let goes_on = answer == Some(true) || recorded == Some(true) || (!holds && (answer.is_some() || over));
    ensure(receipt == goes_on, "sign-ins: the receipt follows when all is ended, released, or not held")?;
    let bars =
        is_held && (over || code) || holds && !is_held && waits_with_code && (over || answer == Some(false));
    ensure(barred == bars, "sign-ins: held too long it is barred, and so it is where a code opens it")?;
    if !receipt && !barred {
        let Station::CleanUp(is) = after else {
            return Err("sign-ins: a station that waits is not left".to_owned());
        };
        let becomes = is_held || holds && (over || answer == Some(false));
        ensure(
            (is.doing == Doing::Held) == becomes,
            "sign-ins: what is not ended in time holds the station",
        )?;
        // Whoever waits at a held station waits with a deadline.
        if let (Doing::Held, Some(guest)) = (is.doing, is.guest) {
            let deadline = Station::CleanUp(is.clone()).deadline(rules);
            ensure(deadline <= Some(guest.until), "sign-ins: nobody waits at a held station for ever")?;
            let begins = matches!(guest.stage, Stage::Verified(_))
                && !matches!(was.guest, Some(before) if is_held && before.stage == guest.stage);
            ensure(!begins || guest.until == at.after(rules.patience), "sign-ins: and not for long")?;
        }
    }
    if is_held && event == Event::EmergencyWished && rules.emergency.is_some() {
        let busy = was.guest.is_some_and(|guest| matches!(guest.stage, Stage::Recording(..)));
        let offered =
            matches!(after, Station::CleanUp(is) if is.guest.is_some_and(|guest| guest.is_emergency()));
        ensure(busy || offered, "sign-ins: a held station is opened by break-glass")?;
    }
    // A supervisor's right PIN is put on record, and nobody else's.
    let released = effects.iter().any(|effect| matches!(effect, Effect::Record(_, Record::Released(_))));
    let right = matches!((was.guest, event), (Some(guest), Event::PinChecked(turn, PinAnswer::Right(proof)))
        if guest.stage == Stage::Checking(turn) && proof.operator() == guest.operator.id
            && guest.operator.supervisor && rules.supervisors.release);
    ensure(
        released == (is_held && right),
        "sign-ins: a supervisor's right PIN releases, and nothing else does",
    )?;
    if recorded == Some(false) {
        ensure(
            effects.contains(&Effect::Notify(Notice::CannotRecord)),
            "sign-ins: what is not on record releases nothing",
        )?;
    }
    if let (true, Event::BadgeIn(Presented::Rostered(operator))) = (is_held, event)
        && !was.stopping
    {
        let asked = matches!(after, Station::CleanUp(is) if is.guest.is_some_and(|guest| guest.operator.id == operator.id));
        ensure(asked, "sign-ins: whoever comes to a held station is asked for her PIN")?;
    }
    Ok(())
}
