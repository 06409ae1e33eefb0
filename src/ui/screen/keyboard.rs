//! A keyboard on the screen, for gloves: whoever has one of keys types there.

use iced::widget::{Row, column, container, row};
use iced::{Element, Length};

use crate::pin::PinKey;
use crate::ui::Message;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch};
use crate::ui::theme::Kind;

/// The letters of the keyboard.
const LETTERS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
const DIGITS: &str = "1234567890";

/// The rows of keys. `digits` adds a row of them; `back` and `done` are what its two buttons send, and
/// whether the second can be pressed.
pub fn view<'a>(
    look: Look<'a>,
    high: f32,
    digits: bool,
    back: Message,
    (done, word, whole): (Message, &'static str, bool),
) -> Element<'a, Message> {
    let colours = look.colours;
    let high = look.px(high);
    let key = |letter: char| {
        Touch::new(look, Kind::Card, Message::Letter(letter))
            .width(Length::Fill)
            .height(high)
            .padding(0)
            .letters(look.px(26.0))
            .saying(letter.to_string())
    };
    let line = |letters: &str| Row::from_iter(letters.chars().map(key)).spacing(look.px(4.0));
    let erase = Touch::new(look, Kind::Card, Message::Pad(PinKey::Erase))
        .width(look.px(120.0))
        .height(high)
        .padding(0)
        .holding(container(Icon::Erase.view(look.px(32.0), colours.ink)).center(Length::Fill));
    let blank = Touch::new(look, Kind::Card, Message::Letter(' '))
        .width(Length::Fill)
        .height(high)
        .padding(0)
        .saying("space");
    let done =
        Touch::new(look, Kind::Primary, done).width(look.px(200.0)).height(high).enabled(whole).saying(word);
    let back =
        Touch::new(look, Kind::Quiet, back).width(look.px(160.0)).height(high).with_icon(Icon::Close, "Back");
    let mut keys = column![].spacing(look.px(4.0));
    if digits {
        keys = keys.push(line(DIGITS));
    }
    for letters in LETTERS {
        keys = keys.push(line(letters));
    }
    keys.push(row![back, blank, erase, done].spacing(look.px(4.0))).into()
}
