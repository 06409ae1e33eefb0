//! A person is asked for the PIN: who, the keypad, and what went wrong if something did.

use iced::widget::{Column, column, container, row, space};
use iced::{Alignment, Element, Length};

use crate::driver::Wish;
use crate::driver::scene::{PinScene, StepScene};
use crate::evidence::escape;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch, page, pill, say, soft, width};
use crate::ui::screen::{clean_up, elsewhere, emergency};
use crate::ui::theme::{Kind, STRONG, TEXT};
use crate::ui::{Message, keypad, words};

/// How long before its end patience is spoken of, milliseconds.
const SPOKEN_OF: u64 = 15_000;

/// The screen.
pub fn view<'a>(look: Look<'a>, pin: &PinScene) -> Element<'a, Message> {
    if let Some(emergency) = &pin.emergency {
        return emergency::view(look, pin, emergency);
    }
    let room = look.size.width - look.px(80.0) - look.px(400.0) - look.px(48.0);
    let left = column![person(look, pin, room), space::vertical(), give_up(look, pin)]
        .height(Length::Fill)
        .width(Length::Fill);
    let right = container(keypad::view(look, pin)).center_y(Length::Fill);
    let content = row![left, right].spacing(look.px(48.0));
    page(look, content, None)
}

/// What the keyboard can reach: digits, Enter and Backspace work at once.
#[must_use]
pub fn stops(look: Look<'_>, pin: &PinScene) -> Vec<Message> {
    if let Some(emergency) = &pin.emergency {
        return emergency::stops(look, emergency);
    }
    vec![Message::Wish(Wish::Cancel), Message::Enter]
}

/// Who is asked, and what is to be said to her.
fn person<'a>(look: Look<'_>, pin: &PinScene, room: f32) -> Element<'a, Message> {
    let colours = look.colours;
    let name = escape(&pin.name);
    let size = name_size(look, &name, room);
    let mut said = Column::new().spacing(look.px(12.0)).push(
        column![
            say(words::greeting(look.hour()), look.px(28.0), TEXT, colours.soft),
            say(name, size, STRONG, colours.ink).line_height(1.1),
            say(escape(&pin.role), look.px(24.0), TEXT, colours.soft),
        ]
        .spacing(look.px(6.0)),
    );
    if let Some(problem) = &pin.problem {
        said = said.push(pill(look, Icon::Warning, problem.clone(), colours.amber, colours.amber_tint));
    } else if let Some(left) = pin.tries_left {
        said = said.push(pill(look, Icon::Warning, words::tries(left), colours.amber, colours.amber_tint));
    } else if let Some(notice) = look.scene.notice {
        let (title, _) = words::notice(notice, &look.scene.station.help);
        said = said.push(pill(look, Icon::Warning, title, colours.amber, colours.amber_tint));
    }
    if let Some(more) = words::ask_more(pin.ask, pin.digits) {
        said = said.push(soft(look, more));
    }
    if let Some(held) = &pin.held {
        let what = if held.release { words::RELEASES.to_owned() } else { words::held(held.tokens.len()) };
        said = said.push(pill(look, Icon::Clock, what, colours.amber, colours.amber_tint));
        said = said.push(elsewhere::tokens(look, held.tokens.iter().take(3)));
    } else if let Some(steps) = &pin.clean_up {
        said = said.push(getting_ready(look, steps));
    }
    container(said).padding([look.px(24.0), 0.0]).into()
}

/// The largest size at which a name takes no more than two lines.
#[must_use]
pub fn name_size(look: Look<'_>, name: &str, room: f32) -> f32 {
    let sizes = [64.0, 56.0, 48.0, 40.0, 32.0].map(|size| look.px(size));
    let longest = name.split_whitespace().max_by_key(|word| word.chars().count()).unwrap_or_default();
    let fits = |size: &f32| {
        // Two lines never fill to the last pixel: words break where they end.
        width(name, *size, STRONG) <= room * 1.55 && width(longest, *size, STRONG) <= room
    };
    sizes.into_iter().find(fits).unwrap_or(sizes[4])
}

/// The clean-up that still runs in a takeover, as a thin column.
fn getting_ready<'a>(look: Look<'_>, steps: &[StepScene]) -> Element<'a, Message> {
    let title = say("Getting the station ready…", look.px(20.0), STRONG, look.colours.ink);
    column![title, clean_up::steps(look, steps, 4.0)].spacing(look.px(8.0)).into()
}

/// The way back.
pub fn give_up<'a>(look: Look<'a>, pin: &PinScene) -> Element<'a, Message> {
    let mut line = row![
        Touch::new(look, Kind::Quiet, Message::Wish(Wish::Cancel))
            .width(look.px(176.0))
            .with_icon(Icon::Close, "Cancel")
    ]
    .spacing(look.px(20.0))
    .align_y(Alignment::Center);
    let left = look.until(pin.until_ms);
    if left <= SPOKEN_OF {
        line = line.push(soft(look, format!("Closes by itself in {} s", words::seconds(left))));
    }
    line.into()
}

/// When this screen next looks different without a new scene, on the shell's clock.
#[must_use]
pub fn next_change(pin: &PinScene, now_ms: u64) -> Option<u64> {
    let spoken_of = pin.until_ms.saturating_sub(SPOKEN_OF);
    let patience = if now_ms < spoken_of { Some(spoken_of) } else { next_second(pin.until_ms, now_ms) };
    let wait = pin.wait_until_ms.and_then(|until| next_second(until, now_ms));
    [patience, wait].into_iter().flatten().min()
}

/// When the whole seconds of a countdown next change.
#[must_use]
pub fn next_second(until_ms: u64, now_ms: u64) -> Option<u64> {
    let left = until_ms.checked_sub(now_ms).filter(|left| *left > 0)?;
    Some(now_ms + (left - 1) % 1000 + 1)
}
