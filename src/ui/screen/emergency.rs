//! Emergency access: a reason first, chosen or typed, then the code; and the bar that says all the
//! while that it is one.

use iced::widget::{Column, canvas, column, container, row, space};
use iced::{Alignment, Color, Element, Length, Point, Rectangle, Renderer, Theme, mouse};

use crate::driver::Wish;
use crate::driver::scene::{EmergencyScene, PinScene};
use crate::evidence::escape;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch, card, disc, heading, page, pill, say, soft};
use crate::ui::screen::{challenge, keyboard};
use crate::ui::theme::{self, Kind, STRONG, TEXT};
use crate::ui::{Message, keypad, words};

/// The screen.
pub fn view<'a>(look: Look<'a>, pin: &PinScene, emergency: &EmergencyScene) -> Element<'a, Message> {
    match (&emergency.reason, look.draft) {
        (Some(reason), _) => code(look, pin, reason),
        (None, Some(draft)) => typing(look, draft),
        (None, None) => reasons(look, pin),
    }
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(look: Look<'_>, emergency: &EmergencyScene) -> Vec<Message> {
    match (&emergency.reason, look.draft) {
        (Some(_), _) => vec![again(), Message::Wish(Wish::Cancel), Message::Enter],
        (None, Some(_)) => vec![Message::Draft(false), Message::DraftDone],
        (None, None) => {
            let mut stops: Vec<_> = look.scene.station.reasons.iter().map(|reason| chosen(reason)).collect();
            stops.extend([Message::Draft(true), Message::Wish(Wish::Cancel)]);
            stops
        }
    }
}

fn chosen(reason: &str) -> Message {
    Message::Wish(Wish::Reason(reason.to_owned()))
}

/// Back to the choice of a reason.
fn again() -> Message {
    Message::Wish(Wish::Reason(String::new()))
}

/// A few large choices, and one to type another.
fn reasons<'a>(look: Look<'a>, pin: &PinScene) -> Element<'a, Message> {
    let tile = |message: Message, text: String| {
        Touch::new(look, Kind::Card, message)
            .width(Length::Fill)
            .height(look.px(88.0))
            .letters(look.px(22.0))
            .saying(text)
    };
    let mut tiles: Vec<Element<'_, Message>> =
        look.scene.station.reasons.iter().map(|reason| tile(chosen(reason), escape(reason))).collect();
    tiles.push(tile(Message::Draft(true), "Another reason…".to_owned()));
    let mut rows = Column::new().spacing(look.px(8.0));
    let mut tiles = tiles.into_iter();
    while let Some(first) = tiles.next() {
        let second = tiles.next().unwrap_or_else(|| space::horizontal().width(Length::Fill).into());
        rows = rows.push(row![first, second].spacing(look.px(8.0)));
    }
    let said = column![head(look), heading(look, 28.0, "Why do you need it?"), rows]
        .spacing(look.px(16.0))
        .width(Length::Fill);
    page(look, said, Some(challenge::give_up(look, pin)))
}

/// What it is, in two lines.
fn head<'a>(look: Look<'_>) -> Element<'a, Message> {
    let colours = look.colours;
    row![
        disc(look, Icon::Warning, 72.0, colours.bad, colours.bad_tint),
        column![
            say(words::EMERGENCY, look.px(40.0), STRONG, colours.bad),
            say(words::EMERGENCY_MORE, look.px(20.0), TEXT, colours.ink),
        ]
    ]
    .spacing(look.px(20.0))
    .align_y(Alignment::Center)
    .into()
}

/// The reason is typed.
fn typing<'a>(look: Look<'a>, draft: &str) -> Element<'a, Message> {
    let colours = look.colours;
    let typed = card(look, 16.0, say(format!("{}|", escape(draft)), look.px(28.0), TEXT, colours.ink))
        .width(Length::Fill);
    let done = (Message::DraftDone, "Done", !draft.trim().is_empty());
    let said = column![
        heading(look, 28.0, "Why do you need it?"),
        typed,
        soft(look, "A few words. No patient's name."),
        space::vertical(),
        keyboard::view(look, 72.0, false, Message::Draft(false), done),
    ]
    .spacing(look.px(8.0));
    page(look, said, None)
}

/// The code, once there is a reason.
fn code<'a>(look: Look<'a>, pin: &PinScene, reason: &str) -> Element<'a, Message> {
    let colours = look.colours;
    let mut said = column![
        head(look),
        soft(look, "Your reason"),
        say(escape(reason), look.px(28.0), STRONG, colours.ink),
        Touch::new(look, Kind::Quiet, again()).width(look.px(200.0)).with_icon(Icon::Retry, "Change"),
    ]
    .spacing(look.px(12.0));
    if let Some(problem) = &pin.problem {
        said = said.push(pill(look, Icon::Warning, problem.clone(), colours.amber, colours.amber_tint));
    } else if let Some(notice) = look.scene.notice {
        let (title, _) = words::notice(notice, &look.scene.station.help);
        said = said.push(pill(look, Icon::Warning, title, colours.amber, colours.amber_tint));
    }
    let left = column![said, space::vertical(), challenge::give_up(look, pin)]
        .height(Length::Fill)
        .width(Length::Fill);
    let right = container(keypad::view(look, pin)).center_y(Length::Fill);
    page(look, row![left, right].spacing(look.px(48.0)), None)
}

/// The button that asks for it, quiet beside what is ordinary.
pub fn offer<'a>(look: Look<'a>) -> Element<'a, Message> {
    Touch::new(look, Kind::Quiet, Message::Wish(Wish::Emergency))
        .width(look.px(200.0))
        .with_icon(Icon::Warning, "Emergency")
}

/// Stripes across the bar of an emergency session: seen, not read, so that they stand for more than
/// their colour.
pub fn hatch<'a>(look: Look<'_>) -> Element<'a, Message> {
    canvas(Hatch(look.colours.bar_marked)).width(Length::Fill).height(Length::Fixed(HATCH)).into()
}

/// The height of the stripes at the lower edge of the bar.
pub const HATCH: f32 = 8.0;

struct Hatch(Color);

impl canvas::Program<Message> for Hatch {
    type State = ();

    fn draw(
        &self,
        _: &(),
        renderer: &Renderer,
        _: &Theme,
        bounds: Rectangle,
        _: mouse::Cursor,
    ) -> Vec<canvas::Geometry> {
        let mut frame = canvas::Frame::new(renderer, bounds.size());
        let (wide, high) = (bounds.width, bounds.height);
        let step = high * 2.0;
        let mut left = -high;
        while left < wide {
            let stripe = canvas::Path::new(|path| {
                path.move_to(Point::new(left, high));
                path.line_to(Point::new(left + high, 0.0));
                path.line_to(Point::new(left + step, 0.0));
                path.line_to(Point::new(left + step - high, high));
                path.close();
            });
            frame.fill(&stripe, self.0);
            left += step;
        }
        vec![frame.into_geometry()]
    }
}

/// What could not be written, as a code that a phone keeps.
pub fn held<'a>(look: Look<'_>, data: &'a iced::widget::qr_code::Data) -> Element<'a, Message> {
    let colours = look.colours;
    let code = iced::widget::qr_code(data)
        .cell_size(look.px(4.0))
        .style(|_| iced::widget::qr_code::Style { cell: Color::BLACK, background: Color::WHITE });
    let said = column![
        say("This emergency access could not be written to the disk.", look.px(24.0), STRONG, colours.bad),
        soft(look, "Photograph this code for IT. It is written as soon as the disk takes it."),
    ]
    .spacing(look.px(8.0));
    let both = row![code, said].spacing(look.px(24.0)).align_y(Alignment::Center);
    let (bad, tint, stroke, radius) = (colours.bad, colours.bad_tint, colours.stroke, look.px(16.0));
    container(both)
        .padding(look.px(16.0))
        .width(Length::Fill)
        .style(move |_| theme::framed(tint, bad, stroke, radius))
        .into()
}
