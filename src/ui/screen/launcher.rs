//! The apps that the operator may start, and for a supervisor the badges that wait to be enabled.

use iced::widget::{Column, Row, column, container, row, scrollable, space};
use iced::{Alignment, Color, Element, Length};

use crate::driver::Wish;
use crate::driver::scene::{AppState, AppTile, AttendedScene, CleanSummary};
use crate::evidence::escape;
use crate::ui::icon::{self, Icon};
use crate::ui::parts::{Look, Touch, card, heading, line, pill, say, soft};
use crate::ui::screen::{PAGE, emergency};
use crate::ui::theme::{self, Kind, STRONG, TEXT};
use crate::ui::{Message, words};

/// The least width of a tile, on a 1280×800 screen; tiles share out the whole width.
const WIDE: f32 = 208.0;
/// How high it is.
const HIGH: f32 = 176.0;
/// Between two tiles, beside the room of their rings.
const GAP: f32 = 16.0;

/// The launcher, below the bar.
pub fn view<'a>(look: Look<'a>, scene: &AttendedScene) -> Element<'a, Message> {
    let colours = look.colours;
    // The line of the clean-up before has its room always: tiles must not move under a finger.
    let said: Element<'_, Message> = match (&scene.fresh, &scene.before) {
        (fresh, Some(_)) => receipt(look, fresh.as_ref()),
        (Some(clean), None) => {
            pill(look, Icon::ShieldTick, words::verified_clean(clean), colours.good, colours.good_tint)
        }
        (None, None) => space::horizontal().width(Length::Shrink).into(),
    };
    let head = row![heading(look, 32.0, "Your apps"), space::horizontal(), said]
        .align_y(Alignment::Center)
        .height(look.px(if scene.before.is_some() { 72.0 } else { 56.0 }));
    let columns = columns(look);
    let rows = scene.apps.chunks(columns).map(|tiles| {
        Row::from_iter(tiles.iter().map(|tile| app(look, scene, tile))).spacing(look.px(GAP)).into()
    });
    let mut content = column![head].spacing(look.px(24.0));
    if let Some(data) = look.held {
        content = content.push(emergency::held(look, data));
    }
    content = if scene.apps.is_empty() {
        content.push(soft(look, "The policy of this station grants your role no apps. Call IT."))
    } else {
        content.push(Column::from_iter(rows).spacing(look.px(GAP)))
    };
    let failed = scene.apps.iter().filter_map(|tile| match &tile.state {
        AppState::Failed(why) => Some(why),
        AppState::Idle | AppState::Running | AppState::Starting => None,
    });
    for why in failed {
        let why = escape(why);
        content = content.push(pill(look, Icon::Warning, why, colours.bad, colours.bad_tint));
    }
    for (provider, sentence) in &scene.sign_in_problems {
        let why = words::not_signed_in(&escape(provider), &escape(sentence));
        content = content.push(pill(look, Icon::Warning, why, colours.amber, colours.amber_tint));
    }
    if !scene.disabled.is_empty() {
        let rows = scene.disabled.iter().map(|(number, name)| disabled(look, *number, name));
        let list =
            column![heading(look, 24.0, "Disabled badges"), Column::from_iter(rows).spacing(look.px(8.0))]
                .spacing(look.px(12.0));
        content = content.push(list);
    }
    scrollable(container(content).padding([look.px(24.0), look.px(40.0)]).width(Length::Fill))
        .id(PAGE)
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours))
        .into()
}

/// What the clean-up before came to, for two seconds; the way to its receipt as long as the session is:
/// two seconds are short for a glove.
fn receipt<'a>(look: Look<'a>, fresh: Option<&CleanSummary>) -> Element<'a, Message> {
    let good = look.colours.good;
    let said = fresh.map_or_else(|| "Receipt".to_owned(), words::verified_clean);
    let both = row![Icon::ShieldTick.view(look.px(28.0), good), say(said, look.px(20.0), STRONG, good)]
        .spacing(look.px(12.0))
        .align_y(Alignment::Center);
    Touch::new(look, Kind::Card, Message::Wish(Wish::Receipt(true)))
        .padding([0.0, look.px(16.0)])
        .holding(container(both).center_y(Length::Fill))
}

/// How many tiles stand beside each other.
#[must_use]
pub fn columns(look: Look<'_>) -> usize {
    let each = look.px(WIDE) + 8.0 + look.px(GAP);
    let room = room(look) + look.px(GAP);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few tiles")]
    let count = (room / each).floor() as usize;
    count.max(1)
}

fn room(look: Look<'_>) -> f32 {
    look.size.width - look.px(80.0)
}

/// How wide a tile is without its ring, so that a row fills the screen.
fn wide(look: Look<'_>) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a few tiles")]
    let columns = columns(look) as f32;
    ((room(look) - (columns - 1.0) * look.px(GAP)) / columns - 8.0).floor()
}

/// Where the list must stand so that this stop is seen, in pixels from its top.
#[must_use]
pub fn top_of(look: Look<'_>, scene: &AttendedScene, stop: &Message) -> f32 {
    let step = look.px(HIGH) + 8.0 + look.px(GAP);
    let tiles = scene.apps.iter().position(|tile| pressed(scene, tile).as_ref() == Some(stop));
    // What follows the tiles is the end of the list; iced stops there by itself.
    let row = tiles.unwrap_or(scene.apps.len() + 8 * columns(look)) / columns(look);
    #[expect(clippy::cast_precision_loss, reason = "a few rows")]
    let row = row as f32;
    (row - 1.0).max(0.0) * step
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(scene: &AttendedScene) -> Vec<Message> {
    let apps = scene.apps.iter().filter_map(|tile| pressed(scene, tile));
    let badges = scene.disabled.iter().map(|(number, _)| Message::Wish(Wish::Enable(*number)));
    let receipt = scene.before.iter().map(|_| Message::Wish(Wish::Receipt(true)));
    receipt.chain(apps).chain(badges).collect()
}

/// What pressing a tile means: an app that runs already comes to the front.
fn pressed(scene: &AttendedScene, tile: &AppTile) -> Option<Message> {
    match tile.state {
        AppState::Starting => None,
        AppState::Failed(_) | AppState::Idle => Some(Message::Wish(Wish::Launch(tile.app))),
        AppState::Running => {
            let window = scene.windows.iter().find(|window| window.app == Some(tile.app));
            Some(Message::Wish(window.map_or(Wish::Launch(tile.app), |window| Wish::Raise(window.window))))
        }
    }
}

fn app<'a>(look: Look<'a>, scene: &AttendedScene, tile: &AppTile) -> Element<'a, Message> {
    let colours = look.colours;
    let named = look.scene.station.apps.get(usize::from(tile.app.0));
    let (name, icon) = named.map_or(("App", "app"), |(name, icon)| (name.as_str(), icon.as_str()));
    let wide = wide(look);
    let room = wide - look.px(32.0);
    let (size, radius) = (look.px(64.0), look.px(16.0));
    let picture =
        container(icon::of_app(icon, look.px(36.0), colours.accent)).center(size).style(move |_| {
            if colours.stroke > 1.0 {
                theme::framed(colours.accent_tint, colours.accent, 2.0, radius)
            } else {
                theme::field(colours.accent_tint, radius)
            }
        });
    let state: Option<(Icon, Color, &str)> = match &tile.state {
        AppState::Idle => None,
        AppState::Starting => Some((Icon::Ring, colours.amber, "Starting…")),
        AppState::Running => Some((Icon::Dot, colours.accent, "Open")),
        AppState::Failed(_) => Some((Icon::Warning, colours.bad, "Try again")),
    };
    let mut top = row![picture, space::horizontal()];
    if let Some((icon, colour, word)) = state {
        top = top.push(
            row![icon.view(look.px(20.0), colour), say(word, look.px(18.0), STRONG, colour)]
                .spacing(look.px(6.0))
                .align_y(Alignment::Center),
        );
    }
    let mut text = column![line(name, look.px(24.0), STRONG, colours.ink, room)].spacing(look.px(2.0));
    if matches!(tile.state, AppState::Failed(_)) {
        text = text.push(say("Did not start", look.px(18.0), TEXT, colours.bad));
    }
    let content = column![top, space::vertical(), text].width(Length::Fill).height(Length::Fill);
    let message = pressed(scene, tile);
    let enabled = message.is_some();
    Touch::new(look, Kind::Card, message.unwrap_or(Message::Wish(Wish::Launch(tile.app))))
        .enabled(enabled)
        .width(wide)
        .height(look.px(HIGH))
        .padding(look.px(16.0))
        .holding(content)
}

fn disabled<'a>(look: Look<'a>, number: u32, name: &str) -> Element<'a, Message> {
    let enable = Touch::new(look, Kind::Quiet, Message::Wish(Wish::Enable(number))).width(look.px(160.0));
    let room = look.px(520.0);
    let name = escape(name);
    card(
        look,
        8.0,
        row![
            space::horizontal().width(look.px(8.0)),
            Icon::Badge.view(look.px(28.0), look.colours.amber),
            container(line(&name, look.px(20.0), STRONG, look.colours.ink, room)).width(room),
            enable.with_icon(Icon::Tick, "Enable"),
        ]
        .spacing(look.px(16.0))
        .align_y(Alignment::Center),
    )
    .into()
}
