//! What the list of the log is narrowed to: the line of filters, and the choices that one opens.

use iced::widget::{Column, Row, column, container, row, scrollable, space, text};
use iced::{Alignment, Element, Length, Padding};

use crate::driver::scene::LogScene;
use crate::evidence::escape;
use crate::ui::icon::Icon;
use crate::ui::log::{CAUSES, Choice, KINDS, LogMessage, Menu, VERDICTS, cause, day_of};
use crate::ui::parts::{Look, Touch, fit, heading, soft};
use crate::ui::screen::{PAGE, elsewhere};
use crate::ui::theme::{self, Kind, STRONG, TEXT};
use crate::ui::{Message, words};

/// How many days back can be chosen at once; others are a step before or after.
const DAYS: i64 = 14;
/// How many choices stand beside each other.
const BESIDE: usize = 3;

fn of(message: LogMessage) -> Message {
    Message::Log(message)
}

/// What the keyboard can reach on the line of filters.
#[must_use]
pub fn stops(look: Look<'_>) -> Vec<Message> {
    let mut stops = vec![of(LogMessage::Turn(-1)), of(LogMessage::Menu(Some(Menu::Day)))];
    if look.log.filter.day.is_some() {
        stops.push(of(LogMessage::Turn(1)));
    }
    let menus = [Menu::Operator, Menu::Cause, Menu::Verdict, Menu::Kind];
    stops.extend(menus.map(|menu| of(LogMessage::Menu(Some(menu)))));
    stops.push(of(LogMessage::Keyboard(true)));
    stops
}

/// What stands on the button of a menu.
fn chosen(look: Look<'_>, scene: &LogScene, menu: Menu) -> (String, bool) {
    let filter = &look.log.filter;
    let either = |chosen: Option<String>, none: &str| {
        (chosen.clone().unwrap_or_else(|| none.to_owned()), chosen.is_some())
    };
    match menu {
        Menu::Day => either(filter.day.map(|(from, _)| day_name(look, from)), "Any day"),
        Menu::Operator => {
            let name = |key: &String| {
                let known = scene.people.iter().find(|(other, _)| other == key);
                escape(known.map_or(key, |(_, name)| name))
            };
            either(filter.operator.as_ref().map(name), "Anyone")
        }
        Menu::Cause => either(filter.cause.map(cause), "Cause"),
        Menu::Verdict => {
            let name = VERDICTS.iter().find(|(verdict, _)| Some(*verdict) == filter.verdict);
            either(name.map(|(_, name)| (*name).to_owned()), "Verdict")
        }
        Menu::Kind => (KINDS.get(filter.kinds).map_or("", |(name, _)| name).to_owned(), filter.kinds > 0),
        Menu::Export => ("Export".to_owned(), false),
        Menu::Pending => (words::pending(scene.pending.len()), false),
    }
}

fn day_name(look: Look<'_>, from: i64) -> String {
    let today = day_of(look.utc_ms, look.zone).map_or(0, |(from, _)| from);
    // A day has 23 to 25 hours.
    match (today - from + 12 * 3_600_000).div_euclid(24 * 3_600_000) {
        0 => "Today".to_owned(),
        1 => "Yesterday".to_owned(),
        _ => look.time(from, "%a %-d %b"),
    }
}

/// A day on, or back.
fn step<'a>(look: Look<'a>, icon: Icon, days: i8, there: bool) -> Element<'a, Message> {
    Touch::new(look, Kind::Quiet, of(LogMessage::Turn(days)))
        .width(look.px(64.0))
        .padding(0)
        .enabled(there)
        .holding(container(icon.view(look.px(28.0), look.colours.ink)).center(Length::Fill))
}

/// What opens a menu, so wide.
fn opens<'a>(look: Look<'a>, scene: &LogScene, menu: Menu, wide: f32) -> Element<'a, Message> {
    let (word, narrowed) = chosen(look, scene, menu);
    let kind = if narrowed { Kind::CardMarked } else { Kind::Card };
    // Where there is no room for both, the word says enough.
    let arrow = look.size.width >= 1200.0;
    let inner = wide - look.px(24.0) - if arrow { look.px(24.0) } else { 0.0 } - look.px(2.0);
    let word = fit(&word, look.px(18.0), STRONG, inner);
    let words = text(word).size(look.px(18.0)).font(STRONG).wrapping(text::Wrapping::None);
    let mut both = row![words, space::horizontal()].align_y(Alignment::Center);
    if arrow {
        both = both.push(Icon::Down.view(look.px(20.0), look.colours.soft));
    }
    Touch::new(look, kind, of(LogMessage::Menu(Some(menu))))
        .width(wide)
        .padding([0.0, look.px(12.0)])
        .holding(container(both).center_y(Length::Fill))
}

/// The day alone, where nothing else narrows.
pub fn days<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    row![
        step(look, Icon::Left, -1, true),
        opens(look, scene, Menu::Day, look.px(176.0)),
        step(look, Icon::Right, 1, look.log.filter.day.is_some()),
    ]
    .spacing(look.px(4.0))
    .align_y(Alignment::Center)
    .into()
}

/// The line of filters.
pub fn line<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let colours = look.colours;
    let log = look.log;
    let full = look.size.width - look.px(80.0);
    let between = look.px(4.0);
    // Seven places with rings, six gaps; the two steps are square.
    let room = full - 2.0 * (look.px(64.0) + 8.0) - 7.0 * between - 6.0 * 8.0;
    let each = (room * 0.155).floor();
    let button = |menu: Menu| opens(look, scene, menu, each);
    let typed = &log.filter.text;
    let (word, font, colour) = if typed.is_empty() && !log.caret {
        ("Search".to_owned(), TEXT, colours.soft)
    } else {
        (format!("{}|", escape(typed)), STRONG, colours.ink)
    };
    let search_room = room - 5.0 * each;
    // What was typed last is seen, however long it is.
    let inner = search_room - look.px(24.0) - look.px(24.0) - look.px(8.0);
    let mut word = word;
    while crate::ui::parts::width(&word, look.px(20.0), font) > inner && word.chars().count() > 1 {
        let _ = word.remove(0);
    }
    let words = text(word).size(look.px(20.0)).font(font).color(colour).wrapping(text::Wrapping::None);
    let kind = if typed.is_empty() { Kind::Card } else { Kind::CardMarked };
    let search = Touch::new(look, kind, of(LogMessage::Keyboard(true)))
        .width(search_room)
        .padding([0.0, look.px(12.0)])
        .holding(
            container(
                row![Icon::Search.view(look.px(24.0), colours.soft), words]
                    .spacing(look.px(8.0))
                    .align_y(Alignment::Center),
            )
            .center_y(Length::Fill),
        );
    row![
        step(look, Icon::Left, -1, true),
        button(Menu::Day),
        step(look, Icon::Right, 1, log.filter.day.is_some()),
        button(Menu::Operator),
        button(Menu::Cause),
        button(Menu::Verdict),
        button(Menu::Kind),
        search,
    ]
    .spacing(between)
    .align_y(Alignment::Center)
    .into()
}

/// What can be chosen: the word, what it chooses, and whether it is chosen now.
fn choices(look: Look<'_>, scene: &LogScene, menu: Menu) -> Vec<(String, Choice, bool)> {
    let filter = &look.log.filter;
    match menu {
        Menu::Day => {
            let mut days = vec![("Any day".to_owned(), Choice::Day(None), filter.day.is_none())];
            for back in 0..DAYS {
                // Noon of so many days ago, whatever the clocks did meanwhile.
                let noon =
                    day_of(look.utc_ms, look.zone).map(|(from, _)| from + 43_200_000 - back * 86_400_000);
                if let Some(day) = noon.and_then(|noon| day_of(noon, look.zone)) {
                    days.push((day_name(look, day.0), Choice::Day(Some(day)), filter.day == Some(day)));
                }
            }
            days
        }
        Menu::Operator => {
            let all = ("Anyone".to_owned(), Choice::Operator(None), filter.operator.is_none());
            let people = scene.people.iter().map(|(key, name)| {
                (escape(name), Choice::Operator(Some(key.clone())), filter.operator.as_ref() == Some(key))
            });
            std::iter::once(all).chain(people).collect()
        }
        Menu::Cause => {
            let all = ("Any cause".to_owned(), Choice::Cause(None), filter.cause.is_none());
            let causes = CAUSES
                .into_iter()
                .map(|one| (cause(one), Choice::Cause(Some(one)), filter.cause == Some(one)));
            std::iter::once(all).chain(causes).collect()
        }
        Menu::Verdict => {
            let all = ("Any verdict".to_owned(), Choice::Verdict(None), filter.verdict.is_none());
            let verdicts = VERDICTS.into_iter().map(|(one, name)| {
                (name.to_owned(), Choice::Verdict(Some(one)), filter.verdict == Some(one))
            });
            std::iter::once(all).chain(verdicts).collect()
        }
        Menu::Kind => KINDS
            .into_iter()
            .enumerate()
            .map(|(place, (name, _))| (name.to_owned(), Choice::Kind(place), filter.kinds == place))
            .collect(),
        Menu::Pending => Vec::new(),
        Menu::Export => {
            scene.media.iter().map(|medium| (escape(medium), Choice::Export(medium.clone()), false)).collect()
        }
    }
}

/// What the keyboard can reach while a menu stands open.
#[must_use]
pub fn menu_stops(look: Look<'_>, scene: &LogScene, menu: Menu) -> Vec<Message> {
    let mut stops: Vec<Message> =
        choices(look, scene, menu).into_iter().map(|(_, choice, _)| of(LogMessage::Choose(choice))).collect();
    stops.push(of(LogMessage::Menu(None)));
    stops
}

/// The choices of a menu.
pub fn menu<'a>(look: Look<'a>, scene: &LogScene, menu: Menu) -> Element<'a, Message> {
    let colours = look.colours;
    let (title, more) = match menu {
        Menu::Pending => return elsewhere::list(look, scene),
        Menu::Cause => ("Why the handoff began", None),
        Menu::Day => ("Which day", Some("Others with the arrows beside the day.")),
        Menu::Export => (
            "Take a copy of what is listed",
            Some("It names people and times. That it was taken is recorded."),
        ),
        Menu::Kind => ("What sort of entry", None),
        Menu::Operator => ("Who left, came or was refused", None),
        Menu::Verdict => ("What was found", None),
    };
    let full = look.size.width - look.px(80.0) - look.px(24.0);
    #[expect(clippy::cast_precision_loss, reason = "a few choices")]
    let beside = BESIDE as f32;
    let wide = ((full - (beside - 1.0) * look.px(8.0)) / beside - 8.0).floor();
    let one = |(word, choice, chosen): (String, Choice, bool)| {
        let word = fit(&word, look.px(20.0), STRONG, wide - look.px(32.0));
        let kind = if chosen { Kind::CardMarked } else { Kind::Card };
        Touch::new(look, kind, of(LogMessage::Choose(choice))).width(wide).saying(word)
    };
    let mut all = choices(look, scene, menu).into_iter().map(one);
    let mut lines = Column::new().spacing(look.px(8.0));
    loop {
        let line: Vec<_> = all.by_ref().take(BESIDE).collect();
        if line.is_empty() {
            break;
        }
        lines = lines.push(Row::from_iter(line).spacing(look.px(8.0)));
    }
    let listed = scrollable(container(lines).padding(Padding::ZERO.right(look.px(24.0))))
        .id(PAGE)
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours));
    let back = Touch::new(look, Kind::Quiet, of(LogMessage::Menu(None))).width(look.px(160.0));
    let mut words = column![heading(look, 28.0, title)];
    if let Some(more) = more {
        words = words.push(soft(look, more));
    }
    let head =
        row![words, space::horizontal(), back.with_icon(Icon::Left, "Back")].align_y(Alignment::Center);
    column![head, listed].spacing(look.px(12.0)).into()
}
