//! The keypad: it knows how many digits stand in the pad, never which.

use iced::widget::{Row, column, container, row, text};
use iced::{Alignment, Color, Element, Length};

use super::icon::Icon;
use super::parts::{Look, Touch, card, say, soft};
use super::theme::{self, Kind, STRONG};
use super::{Message, words};
use crate::driver::scene::{PinAsk, PinScene};
use crate::pin::PinKey;

/// The width of a key, on a 1280×800 screen.
const WIDE: f32 = 96.0;
/// The height of a key.
const HIGH: f32 = 80.0;
/// Between the rings of two keys; with the rings' own room it is 16 between the keys.
const GAP: f32 = 8.0;

/// Whether digits count just now.
#[must_use]
pub fn takes_digits(pin: &PinScene, now_ms: u64) -> bool {
    if pin.emergency.as_ref().is_some_and(|emergency| emergency.reason.is_none()) {
        // A code is taken with a reason alone.
        return false;
    }
    match pin.ask {
        PinAsk::Checking | PinAsk::Opening | PinAsk::Waiting => false,
        PinAsk::Again | PinAsk::New | PinAsk::Pin => pin.wait_until_ms.is_none_or(|until| until <= now_ms),
    }
}

/// Whether what stands in the pad can be a whole PIN.
#[must_use]
pub fn is_whole(typed: usize, (least, _): (u8, u8)) -> bool {
    typed >= usize::from(least)
}

/// The keypad with the dots above it.
pub fn view<'a>(look: Look<'a>, pin: &PinScene) -> Element<'a, Message> {
    let takes = takes_digits(pin, look.now_ms);
    let whole = takes && is_whole(look.typed, pin.digits);
    let gap = look.px(GAP);
    let three = |digits: [u8; 3]| -> Element<'a, Message> {
        Row::from_iter(digits.map(|digit| key(look, digit, takes))).spacing(gap).into()
    };
    let erase = touch(look, Kind::Card, Message::Pad(PinKey::Erase))
        .enabled(takes && look.typed > 0)
        .holding(container(Icon::Erase.view(look.px(32.0), faded(look, takes))).center(Length::Fill));
    let done = touch(look, Kind::Primary, Message::Enter)
        .enabled(whole)
        .holding(container(text("OK").size(look.px(28.0)).font(STRONG)).center(Length::Fill));
    let keys = column![
        three([1, 2, 3]),
        three([4, 5, 6]),
        three([7, 8, 9]),
        row![erase, key(look, 0, takes), done].spacing(gap)
    ]
    .spacing(gap);
    let asked = column![
        say(words::ask(pin.ask, pin.emergency.is_some()), look.px(24.0), STRONG, look.colours.ink),
        dots(look, pin),
    ]
    .spacing(look.px(16.0))
    .align_x(Alignment::Center);
    card(look, 24.0, column![asked, keys].spacing(look.px(16.0)).align_x(Alignment::Center)).into()
}

fn touch(look: Look<'_>, kind: Kind, message: Message) -> Touch<'_> {
    Touch::new(look, kind, message).width(look.px(WIDE)).height(look.px(HIGH)).padding(0)
}

fn faded(look: Look<'_>, takes: bool) -> Color {
    if takes { look.colours.ink } else { look.colours.soft }
}

fn key<'a>(look: Look<'a>, digit: u8, takes: bool) -> Element<'a, Message> {
    let label = text(digit.to_string()).size(look.px(36.0)).font(STRONG);
    touch(look, Kind::Card, Message::Pad(PinKey::Digit(digit)))
        .enabled(takes)
        .holding(container(label).center(Length::Fill))
}

fn dots<'a>(look: Look<'_>, pin: &PinScene) -> Element<'a, Message> {
    let high = look.px(24.0);
    if let Some(until) = pin.wait_until_ms.filter(|until| *until > look.now_ms) {
        let wait = format!("Try again in {} s", words::seconds(look.until(until)));
        return container(say(wait, look.px(20.0), STRONG, look.colours.amber)).center_y(high).into();
    }
    match pin.ask {
        PinAsk::Checking | PinAsk::Opening => container(soft(look, "One moment.")).center_y(high).into(),
        PinAsk::Waiting => container(soft(look, "The station is held.")).center_y(high).into(),
        PinAsk::Again | PinAsk::New | PinAsk::Pin => {
            let slots = look.typed.max(usize::from(pin.digits.0));
            let size = look.px(20.0);
            Row::from_iter((0..slots).map(|slot| dot(look, size, slot < look.typed)))
                .spacing(look.px(if slots > 10 { 4.0 } else { 12.0 }))
                .height(high)
                .align_y(Alignment::Center)
                .into()
        }
    }
}

fn dot<'a>(look: Look<'_>, size: f32, filled: bool) -> Element<'a, Message> {
    let colours = look.colours;
    let fill = if filled { colours.ink } else { Color::TRANSPARENT };
    let line = if filled { colours.ink } else { colours.soft };
    container(iced::widget::space())
        .width(size)
        .height(size)
        .style(move |_| theme::framed(fill, line, 2.0, size / 2.0))
        .into()
}
