//! Nobody is in: what a tap does here, that the station is clean, and nothing about anybody.

use iced::widget::{column, container, row, space};
use iced::{Alignment, Element, Length};

use crate::driver::Wish;
use crate::driver::scene::{CleanSummary, VacantScene};
use crate::handoff::BadgeMode;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, disc, heading, page, say, whom_to_call};
use crate::ui::screen::{drill, emergency};
use crate::ui::theme::{self, STRONG};
use crate::ui::{Message, words};

/// The screen.
pub fn view<'a>(look: Look<'a>, scene: &VacantScene) -> Element<'a, Message> {
    if let Some(report) = &scene.drilled {
        return drill::result(look, report);
    }
    let centre = container(invitation(look)).center(Length::Fill);
    let beneath = row![
        scene.clean.as_ref().map_or_else(|| waiting(look), |summary| clean(look, summary)),
        space::horizontal(),
        whom_to_call(look),
    ]
    .spacing(look.px(16.0))
    .align_y(Alignment::Center);
    let beneath = if scene.emergency { beneath.push(emergency::offer(look)) } else { beneath };
    page(look, centre, Some(beneath.into()))
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(scene: &VacantScene) -> Vec<Message> {
    if scene.drilled.is_some() {
        return vec![Message::Wish(Wish::DrillSeen)];
    }
    if scene.emergency { vec![Message::Wish(Wish::Emergency)] } else { Vec::new() }
}

/// The largest thing on the screen: what to do, or why nothing can be done.
fn invitation<'a>(look: Look<'_>) -> Element<'a, Message> {
    let colours = look.colours;
    let facts = &look.scene.station;
    let (icon, colour, tint, title, more) = if let Some(notice) = look.scene.notice {
        let (title, more) = words::notice(notice, &facts.help);
        (Icon::Warning, colours.amber, colours.amber_tint, title, more)
    } else if look.scene.reader {
        let icon = match facts.badge_mode {
            BadgeMode::Hold => Icon::Reader,
            BadgeMode::Tap => Icon::Badge,
        };
        let more = words::what_a_tap_does(facts.badge_mode).to_owned();
        (icon, colours.accent, colours.accent_tint, words::INVITATION, more)
    } else {
        let more = words::no_reader(&facts.help);
        (Icon::ReaderMissing, colours.bad, colours.bad_tint, words::NO_READER, more)
    };
    column![
        disc(look, icon, 208.0, colour, tint),
        column![
            heading(look, 64.0, title).align_x(Alignment::Center),
            say(more, look.px(24.0), theme::TEXT, colours.soft).align_x(Alignment::Center),
        ]
        .spacing(look.px(12.0))
        .align_x(Alignment::Center),
    ]
    .spacing(look.px(32.0))
    .align_x(Alignment::Center)
    .into()
}

/// What the last look found, counted by kind of answer.
fn clean<'a>(look: Look<'_>, summary: &CleanSummary) -> Element<'a, Message> {
    let colours = look.colours;
    let radius = look.px(16.0);
    let title = format!("{} at {}", words::is_clean(summary), look.time(summary.at_utc_ms, "%H:%M:%S"));
    container(
        row![
            Icon::ShieldTick.view(look.px(44.0), colours.good),
            column![
                say(title, look.px(22.0), STRONG, colours.good),
                say(words::counts(summary), look.px(20.0), theme::TEXT, colours.ink),
            ]
            .spacing(look.px(2.0)),
        ]
        .spacing(look.px(16.0))
        .align_y(Alignment::Center),
    )
    .padding([look.px(12.0), look.px(20.0)])
    .style(move |_| {
        let line = if colours.stroke > 1.0 { colours.good } else { colours.good_tint };
        theme::framed(colours.good_tint, line, colours.stroke, radius)
    })
    .into()
}

fn waiting<'a>(look: Look<'_>) -> Element<'a, Message> {
    space::vertical().height(look.px(72.0)).width(Length::Shrink).into()
}
