//! Nobody has touched the station for a while: how long is left, what happens at zero, one way to stay.

use iced::widget::{column, container};
use iced::{Alignment, Element, Length};

use crate::driver::Wish;
use crate::driver::scene::AttendedScene;
use crate::evidence::escape;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch, card, disc, say};
use crate::ui::screen::challenge;
use crate::ui::theme::{Kind, STRONG, TEXT};
use crate::ui::{Message, words};

/// The warning, in place of everything below the bar.
pub fn view<'a>(look: Look<'a>, scene: &AttendedScene, until_ms: u64) -> Element<'a, Message> {
    let colours = look.colours;
    let seconds = words::seconds(look.until(until_ms)).to_string();
    let question = format!("Still there, {}?", escape(&scene.name));
    let room = look.px(720.0);
    let size = challenge::name_size(look, &question, room).min(look.px(48.0));
    let said = column![
        disc(look, Icon::Clock, 112.0, colours.amber, colours.amber_tint),
        say(question, size, STRONG, colours.ink).align_x(Alignment::Center),
        say(seconds, look.px(128.0), STRONG, colours.amber).line_height(1.0),
        say("At zero your apps will be closed and your session ends.", look.px(24.0), TEXT, colours.soft)
            .align_x(Alignment::Center),
        Touch::new(look, Kind::Primary, Message::Wish(Wish::Stay))
            .width(look.px(320.0))
            .height(look.px(88.0))
            .letters(look.px(32.0))
            .saying("Stay"),
        say("Touching anything counts too.", look.px(20.0), TEXT, colours.soft),
    ]
    .spacing(look.px(20.0))
    .align_x(Alignment::Center);
    container(card(look, 32.0, container(said).center_x(room))).center(Length::Fill).into()
}
