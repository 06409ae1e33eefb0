//! What a session holds elsewhere: why a station is held, and what of it is not ended.

use iced::widget::{Column, column, container, row, scrollable, space};
use iced::{Alignment, Element, Length, Padding};

use crate::driver::Wish;
use crate::driver::scene::{HeldScene, LogScene, TokenEnd, TokenState};
use crate::evidence::tokens::TokenState as Told;
use crate::evidence::{TokenFacts, escape};
use crate::ui::icon::Icon;
use crate::ui::log::{LogMessage, Menu};
use crate::ui::parts::{Look, Touch, card, heading, say, soft};
use crate::ui::screen::PAGE;
use crate::ui::theme::{self, Kind, STRONG, TEXT};
use crate::ui::{Message, words};

/// The most lines on the screen of a station that is held; of more, the count says enough.
const MOST: usize = 3;

/// What holds the station, and what a person can do.
pub fn held<'a>(look: Look<'a>, scene: &HeldScene) -> Element<'a, Message> {
    let colours = look.colours;
    let mut said = column![
        say(words::held(scene.tokens.len()), look.px(24.0), STRONG, colours.ink),
        tokens(look, scene.tokens.iter().take(MOST)),
    ]
    .spacing(look.px(12.0));
    if let Some(more) = scene.tokens.len().checked_sub(MOST).filter(|more| *more > 0) {
        said = said.push(soft(look, format!("and {more} more")));
    }
    if scene.release {
        said = said.push(
            row![
                Icon::Badge.view(look.px(24.0), colours.accent),
                say(words::MAY_RELEASE, look.px(20.0), TEXT, colours.ink)
            ]
            .spacing(look.px(12.0))
            .align_y(Alignment::Center),
        );
    }
    card(look, 24.0, said).width(look.px(760.0)).into()
}

/// The way past it, where there is one.
pub fn emergency<'a>(look: Look<'a>, scene: &HeldScene) -> Option<Element<'a, Message>> {
    let emergency = Touch::new(look, Kind::Quiet, Message::Wish(Wish::Emergency)).width(look.px(288.0));
    scene.emergency.then(|| emergency.with_icon(Icon::Warning, words::EMERGENCY))
}

/// What the keyboard can reach on the screen of a station that is held.
#[must_use]
pub fn stops(scene: &HeldScene) -> Vec<Message> {
    scene.emergency.then_some(Message::Wish(Wish::Emergency)).into_iter().collect()
}

/// Tokens, one beneath the other: whose, what, how it stands.
pub fn tokens<'a, 't>(look: Look<'_>, tokens: impl Iterator<Item = &'t TokenEnd>) -> Element<'a, Message> {
    let colours = look.colours;
    let lines = tokens.map(|token| {
        let (icon, colour) = match token.state {
            TokenState::Proved | TokenState::Acknowledged => (Icon::Tick, colours.good),
            TokenState::Expired => (Icon::Tick, colours.soft),
            TokenState::Pending => (Icon::Retry, colours.amber),
            TokenState::ExpiresAt => (Icon::Clock, colours.amber),
            TokenState::Failed => (Icon::Warning, colours.bad),
        };
        let what =
            format!("{}: {}, {}", escape(&token.provider), token.kind.word(), words::token(token.state));
        let mut more = escape(&token.saw);
        if let Some(at) = token.expires_utc_ms.filter(|_| !token.state.is_final()) {
            let time = look.time(at, "%H:%M");
            let comma = if more.is_empty() { "" } else { " · " };
            more = format!("{more}{comma}ends by itself at {time}");
        }
        let mut text = column![say(what, look.px(20.0), TEXT, colours.ink)];
        if !more.is_empty() {
            text = text.push(say(more, look.px(18.0), TEXT, colours.soft));
        }
        row![icon.view(look.px(24.0), colour), text].spacing(look.px(12.0)).into()
    });
    Column::from_iter(lines).spacing(look.px(8.0)).into()
}

/// How many sign-ins are not ended, above the list of the log, where there are any: it opens their list.
pub fn pending<'a>(look: Look<'a>, scene: &LogScene) -> Option<Element<'a, Message>> {
    let count = scene.pending.len();
    let message = pending_stop(scene)?;
    let touch = Touch::new(look, Kind::Card, message).width(Length::Fill).padding([0.0, look.px(16.0)]);
    Some(touch.with_icon(Icon::Clock, words::pending(count)))
}

/// What the keyboard can reach of that.
#[must_use]
pub fn pending_stop(scene: &LogScene) -> Option<Message> {
    (!scene.pending.is_empty()).then_some(Message::Log(LogMessage::Menu(Some(Menu::Pending))))
}

/// The list of what is not ended.
pub fn list<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let colours = look.colours;
    let back = Touch::new(look, Kind::Quiet, Message::Log(LogMessage::Menu(None))).width(look.px(160.0));
    let head = row![
        column![
            heading(look, 28.0, "Not ended yet"),
            soft(look, "It is tried again by itself. What comes of it is an entry of the log.")
        ],
        space::horizontal(),
        back.with_icon(Icon::Left, "Back")
    ]
    .align_y(Alignment::Center);
    let listed = if scene.pending.is_empty() {
        container(soft(look, "Everything is ended."))
    } else {
        container(tokens(look, scene.pending.iter()))
    };
    let listed = scrollable(listed.padding(Padding::ZERO.right(look.px(24.0))).width(Length::Fill))
        .id(PAGE)
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours));
    column![head, listed].spacing(look.px(12.0)).into()
}

/// What an entry tells of it.
pub fn facts<'a>(look: Look<'_>, tokens: &[TokenFacts]) -> Element<'a, Message> {
    let colours = look.colours;
    let lines = tokens.iter().map(|token| {
        // As the list of what is not ended draws them: what failed does not look like what is waited for.
        let (icon, colour) = match token.state {
            Told::Proved | Told::Acknowledged => (Icon::Tick, colours.good),
            Told::Expired => (Icon::Tick, colours.soft),
            Told::Pending => (Icon::Retry, colours.amber),
            Told::ExpiresAt => (Icon::Clock, colours.amber),
            Told::Failed => (Icon::Warning, colours.bad),
        };
        let what = format!("{}: {}, {}", escape(&token.provider), token.kind.word(), token.state.plain());
        let mut more = vec![escape(&token.issuer)];
        more.extend([escape(&token.saw)].into_iter().filter(|saw| !saw.is_empty()));
        if !token.expires.is_empty() {
            more.push(format!("ends by itself at {}", escape(&token.expires)));
        }
        let text = column![
            say(what, look.px(20.0), TEXT, colours.ink),
            say(more.join(" · "), look.px(18.0), TEXT, colours.soft)
        ];
        row![icon.view(look.px(24.0), colour), text].spacing(look.px(12.0)).into()
    });
    column![
        say("Signed in elsewhere", look.px(22.0), STRONG, colours.ink),
        Column::from_iter(lines).spacing(look.px(8.0))
    ]
    .spacing(look.px(8.0))
    .into()
}
