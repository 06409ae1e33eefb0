//! The rules of asking for the PIN again before an app, checked on one edge.

use cleanshift::handoff::station::{LogView, Stage};
use cleanshift::handoff::{
    App, AppWish, Attended, Effect, Event, Moment, Notice, PinAnswer, PinVerified, Rules, Station,
};

use super::check::ensure;

/// Whether the PIN that this operator is asked for again was just found right.
fn right(was: &Attended, event: Event) -> bool {
    let Some(guest) = was.asked() else { return false };
    let own = |proof: PinVerified| proof.operator() == was.operator.id;
    match (guest.stage, event) {
        (Stage::Checking(asked), Event::PinChecked(turn, PinAnswer::Right(proof))) => {
            asked == turn && own(proof)
        }
        (Stage::Setting(asked, _), Event::PinChanged(turn, Some(proof))) => asked == turn && own(proof),
        _ => false,
    }
}

/// An app that asks for the PIN again starts on a PIN that is young enough or was just found right, never in an
/// emergency session, and what does not ask starts at once.
pub(super) fn step_up(
    before: &Station,
    at: Moment,
    event: Event,
    after: &Station,
    effects: &[Effect],
    rules: &Rules,
) -> Result<(), String> {
    let Station::Attended(was) = before else {
        return Ok(());
    };
    let served = effects.iter().find_map(|effect| match effect {
        Effect::Serve(AppWish::Launch(app)) => Some(*app),
        _ => None,
    });
    let may = |app: App| rules.app(app).is_some_and(|rule| rule.roles.meets(was.operator.roles));
    let asks = |app: App| rules.app(app).and_then(|rule| rule.reverify);
    let young = |app: App| asks(app).is_none_or(|age| at < was.proved.after(age));
    if let Some(app) = served {
        let waited = was.step_up.is_some_and(|step_up| step_up.app == app) && right(was, event);
        let wished = event == Event::AppWished(AppWish::Launch(app));
        ensure(waited || wished && young(app), "step-up: an app starts on a PIN that is young enough")?;
        ensure(asks(app).is_none() || !was.operator.id.is_emergency(), "step-up: a code is no person's PIN")?;
    }
    if let Event::AppWished(AppWish::Launch(app)) = event
        && may(app)
    {
        if was.operator.id.is_emergency() && asks(app).is_some() {
            ensure(effects == [Effect::Notify(Notice::PinNeeded)], "step-up: a refusal is told")?;
        } else if young(app) {
            ensure(served == Some(app), "step-up: an app that need not ask starts at once")?;
        } else if was.log == LogView::Closed && was.step_up.is_none() {
            let asked = matches!(after, Station::Attended(is)
                if is.step_up.is_some_and(|step_up| step_up.app == app && step_up.guest.stage == Stage::Pin));
            ensure(asked && effects == [Effect::ForgetPin], "step-up: the PIN is asked for again")?;
        }
    }
    if let (Some(step_up), true) = (was.step_up, right(was, event)) {
        ensure(served == Some(step_up.app), "step-up: the app starts once the PIN was right")?;
    }
    if let Station::Attended(is) = after {
        ensure(is.log == LogView::Closed || is.step_up.is_none(), "step-up: one PIN is asked for at a time")?;
        ensure(
            is.proved == was.proved || is.proved == at && right(was, event),
            "step-up: only a right PIN is new",
        )?;
        if was.step_up.is_some() && event == Event::Cancelled {
            ensure(
                is.step_up.is_none() && effects.contains(&Effect::ForgetPin),
                "step-up: it can be given up",
            )?;
        }
    }
    Ok(())
}
