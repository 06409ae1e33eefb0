//! Beginning afresh: what it does, before it is done.

use iced::widget::{column, container, row, space};
use iced::{Element, Length, Padding};

use crate::driver::Wish;
use crate::ui::Message;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch, card, heading, say};
use crate::ui::theme::{Kind, TEXT};

/// The question, below the bar.
pub fn view<'a>(look: Look<'a>) -> Element<'a, Message> {
    let ink = look.colours.ink;
    let wide = look.px(300.0);
    let go = Touch::new(look, Kind::Primary, Message::Wish(Wish::FreshStart)).width(wide);
    let stay = Touch::new(look, Kind::Quiet, Message::Wish(Wish::Afresh(false))).width(wide);
    let said = column![
        heading(look, 40.0, "Begin afresh?"),
        say("All apps close, and everything in this session is destroyed: files, passwords, keys and sign-ins. What is not saved elsewhere is lost.", look.px(24.0), TEXT, ink),
        say("Then type your PIN, and a new session opens for you.", look.px(24.0), TEXT, ink),
        space::vertical().height(look.px(16.0)),
        row![
            go.with_icon(Icon::Retry, "Begin afresh"),
            stay.with_icon(Icon::Left, "Go on working"),
        ]
        .spacing(look.px(16.0)),
    ]
    .spacing(look.px(16.0));
    container(card(look, 32.0, said).width(look.px(880.0)))
        .padding(Padding::from([look.px(32.0), look.px(40.0)]))
        .center_x(Length::Fill)
        .height(Length::Fill)
        .into()
}

/// What the keyboard can reach.
#[must_use]
pub fn stops() -> Vec<Message> {
    vec![Message::Wish(Wish::FreshStart), Message::Wish(Wish::Afresh(false))]
}
