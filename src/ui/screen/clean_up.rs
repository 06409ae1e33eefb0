//! A session has ended: covered at once, the steps ticking off if it takes longer than a glance.

use iced::widget::{Column, column, container, row, space};
use iced::{Alignment, Element, Length};

use crate::driver::scene::{CleanUpScene, StepScene, StepState};
use crate::evidence::escape;
use crate::handoff::Trigger;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, card, disc, page, say, whom_to_call};
use crate::ui::screen::{challenge, drill, elsewhere};
use crate::ui::theme::{STRONG, TEXT};
use crate::ui::{Message, words};

/// Steps show only after this long, milliseconds: a clean-up that is done sooner flashes nothing.
pub const GLANCE: u64 = 400;

/// The screen.
pub fn view<'a>(look: Look<'a>, scene: &CleanUpScene) -> Element<'a, Message> {
    if let Some(guest) = &scene.guest {
        return challenge::view(look, guest);
    }
    if let Some(held) = &scene.drill {
        return drill::view(look, held, true);
    }
    let colours = look.colours;
    let name = scene.name.as_deref().map(escape);
    let mut said = Column::new().spacing(look.px(12.0)).align_x(Alignment::Center).push(
        say(words::ended(name.as_deref()), look.px(44.0), STRONG, colours.ink).align_x(Alignment::Center),
    );
    said = said.push(say(
        words::because(scene.trigger, scene.name.is_some()),
        look.px(24.0),
        TEXT,
        colours.soft,
    ));
    let held = scene.held.as_ref();
    if let Some(held) = held {
        said = said.push(say(words::NOTHING_LEFT_HERE, look.px(24.0), TEXT, colours.soft));
        let content =
            column![said, elsewhere::held(look, held)].spacing(look.px(24.0)).align_x(Alignment::Center);
        let mut beneath = row![].align_y(Alignment::Center);
        beneath = beneath.push(elsewhere::emergency(look, held));
        let beneath: Element<'_, Message> = beneath.push(space::horizontal()).push(whom_to_call(look)).into();
        return page(look, container(content).center(Length::Fill), Some(beneath));
    }
    if name.is_some() && scene.trigger != Trigger::Maintenance {
        said = said.push(say("This station is being made ready.", look.px(24.0), TEXT, colours.soft));
    }
    let shown = look.now_ms.saturating_sub(scene.began_ms) >= GLANCE && !scene.steps.is_empty();
    // The steps have their room from the start, so that nothing moves when they appear.
    let room = look.px(6.0 * 40.0 + 48.0);
    let steps: Element<'_, Message> = if shown {
        card(look, 24.0, steps(look, &scene.steps, 12.0)).into()
    } else {
        space::horizontal().width(Length::Shrink).into()
    };
    let content = column![
        disc(look, Icon::Ring, 128.0, colours.amber, colours.amber_tint),
        said,
        container(steps).height(room),
    ]
    .spacing(look.px(28.0))
    .align_x(Alignment::Center);
    let beneath: Element<'_, Message> = row![space::horizontal(), whom_to_call(look)].into();
    page(look, container(content).center(Length::Fill), Some(beneath))
}

/// The steps in one column.
pub fn steps<'a>(look: Look<'_>, steps: &[StepScene], gap: f32) -> Element<'a, Message> {
    let colours = look.colours;
    let lines = steps.iter().map(|step| {
        let (icon, colour, font, ink) = match step.state {
            StepState::Done => (Icon::Tick, colours.good, TEXT, colours.ink),
            StepState::Failed => (Icon::Close, colours.bad, STRONG, colours.bad),
            StepState::Now => (Icon::Ring, colours.amber, STRONG, colours.ink),
            StepState::Waiting => (Icon::Circle, colours.soft, TEXT, colours.soft),
        };
        let mut text = words::step(step.step).to_owned();
        match step.state {
            StepState::Now => text.push('…'),
            StepState::Failed => text.push_str(" – failed"),
            StepState::Done | StepState::Waiting => {}
        }
        row![icon.view(look.px(24.0), colour), say(text, look.px(20.0), font, ink)]
            .spacing(look.px(16.0))
            .align_y(Alignment::Center)
            .into()
    });
    Column::from_iter(lines).spacing(look.px(gap)).into()
}

/// When this screen next looks different without a new scene, on the shell's clock.
#[must_use]
pub fn next_change(scene: &CleanUpScene, now_ms: u64) -> Option<u64> {
    match &scene.guest {
        Some(guest) => challenge::next_change(guest, now_ms),
        None => Some(scene.began_ms + GLANCE).filter(|moment| *moment > now_ms),
    }
}
