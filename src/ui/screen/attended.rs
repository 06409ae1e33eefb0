//! An operator is at work: the bar that is always above, and what stands beneath it when the
//! session's own windows do not: the launcher, the idle warning, the handoff log.

use iced::widget::{column, container, row, space, stack, text};
use iced::{Alignment, Element, Length, Padding};

use crate::driver::Wish;
use crate::driver::scene::{AttendedScene, PinScene, WindowScene};
use crate::evidence::escape;
use crate::handoff::BadgeMode;
use crate::ui::icon::{self, Icon};
use crate::ui::parts::{Look, Touch, fit, heading, line, pill, say, width};
use crate::ui::screen::{afresh, challenge, emergency, handoff_log, launcher, receipt, warning};
use crate::ui::theme::{self, BAR, Kind, STRONG, TEXT};
use crate::ui::{Message, keypad, words};

/// Below this width the bar leaves out what is said elsewhere too.
const NARROW: f32 = 1200.0;
/// The least width of a window's button.
const LEAST: f32 = 72.0;
/// From this width on a window's button has its title.
const TITLED: f32 = 152.0;
/// How long before the end the time that is left is counted by the second, milliseconds.
const SHORT: u64 = 600_000;
/// How long before the end the time that is left is told at all, milliseconds.
const TOLD: u64 = 3_600_000;

/// The screen.
pub fn view<'a>(look: Look<'a>, scene: &'a AttendedScene) -> Element<'a, Message> {
    let beneath = if let Some(until) = scene.warning {
        warning::view(look, scene, until)
    } else if let Some(pin) = &scene.pin_again {
        again(look, pin)
    } else if scene.afresh {
        afresh::view(look)
    } else if let Some(receipt) = scene.before.as_deref().filter(|_| scene.before_open) {
        receipt::view(look, receipt)
    } else if let Some(log) = &scene.log {
        handoff_log::view(look, log)
    } else if scene.launcher {
        launcher::view(look, scene)
    } else {
        // The session's own display stands here, in a window of its own.
        space::vertical().width(Length::Fill).height(Length::Fill).into()
    };
    container(column![bar(look, scene), beneath]).width(Length::Fill).height(Length::Fill).into()
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(look: Look<'_>, scene: &AttendedScene) -> Vec<Message> {
    if scene.warning.is_some() {
        return vec![Message::Wish(Wish::Stay)];
    }
    let mut stops = if let Some(pin) = &scene.pin_again {
        challenge::stops(look, pin)
    } else if scene.afresh {
        afresh::stops()
    } else if scene.before_open && scene.before.is_some() {
        receipt::stops()
    } else if let Some(log) = &scene.log {
        handoff_log::stops(look, log)
    } else if scene.launcher {
        launcher::stops(scene)
    } else {
        Vec::new()
    };
    let Room { windows: shown, close, .. } = Room::of(look, scene);
    for window in with_buttons(scene, shown) {
        stops.push(Message::Wish(Wish::Raise(window.window)));
        if window.front && close > 0.0 {
            stops.push(Message::Wish(Wish::CloseWindow(window.window)));
        }
    }
    if shown < scene.windows.len() {
        stops.push(Message::Wish(Wish::Launcher(true)));
    }
    if scene.log.is_none() {
        stops.push(apps_toggle(scene));
    }
    if scene.reads_log && scene.log.is_none() {
        stops.push(Message::Wish(Wish::OpenLog));
    }
    if !scene.emergency {
        stops.push(Message::Wish(Wish::Afresh(!scene.afresh)));
    }
    stops.push(Message::Wish(Wish::End));
    let mut once = Vec::with_capacity(stops.len());
    for stop in stops {
        if !once.contains(&stop) {
            once.push(stop);
        }
    }
    once
}

fn apps_toggle(scene: &AttendedScene) -> Message {
    Message::Wish(Wish::Launcher(!scene.launcher))
}

/// The PIN again, before the log opens or an app starts: whoever stands here need not be the one whose session
/// it is.
fn again<'a>(look: Look<'a>, pin: &PinScene) -> Element<'a, Message> {
    let colours = look.colours;
    let app = pin.app.and_then(|app| look.scene.station.apps.get(usize::from(app.0)));
    let mut said = column![
        heading(look, 40.0, "Your PIN again"),
        say(words::why_again(app.map(|(name, _)| escape(name)).as_deref()), look.px(24.0), TEXT, colours.ink),
    ]
    .spacing(look.px(16.0));
    if let Some(problem) = &pin.problem {
        said = said.push(pill(look, Icon::Warning, problem.clone(), colours.amber, colours.amber_tint));
    } else if let Some(left) = pin.tries_left {
        said = said.push(pill(look, Icon::Warning, words::tries(left), colours.amber, colours.amber_tint));
    }
    let left = column![said, space::vertical(), challenge::give_up(look, pin)]
        .height(Length::Fill)
        .width(Length::Fill);
    let right = container(keypad::view(look, pin)).center_y(Length::Fill);
    container(row![left, right].spacing(look.px(48.0)))
        .padding(Padding::from([look.px(32.0), look.px(40.0)]))
        .width(Length::Fill)
        .height(Length::Fill)
        .into()
}

/// How the bar's width is shared out.
struct Room {
    /// For the operator's name.
    person: f32,
    /// For the button of the window in front.
    front: f32,
    /// For the button of each other window.
    each: f32,
    /// For closing the window in front; 0 where there is no room for it.
    close: f32,
    /// How many windows have a button.
    windows: usize,
    /// For the button of the launcher.
    apps: f32,
    /// For the button of the log.
    log: f32,
    /// For the button that begins afresh; 0 where there is none.
    afresh: f32,
    /// For the button that ends the session.
    end: f32,
}

impl Room {
    fn of(look: Look<'_>, scene: &AttendedScene) -> Self {
        let narrow = look.size.width < NARROW;
        let apps = if scene.log.is_some() { 0.0 } else { 128.0 };
        let log = match (scene.reads_log, narrow) {
            (false, _) => 0.0,
            (true, true) => 104.0,
            (true, false) => 184.0,
        };
        let afresh = match (scene.emergency, narrow) {
            (true, _) => 0.0,
            (false, true) => 120.0,
            (false, false) => 172.0,
        };
        let end = if narrow { 144.0 } else { 184.0 };
        let time =
            time_left(look, scene).map_or(0.0, |left| width(&left, 20.0, STRONG).ceil() + 24.0 + 8.0 + 24.0);
        // Beside these: the bar's own edges, the icon of the person, and a little air.
        let taken = 16.0 + 48.0 + 16.0 + apps + log + afresh + end + time;
        let wished = width(&first_line(look, scene), 22.0, STRONG)
            .max(width(&second_line(look, scene), 16.0, TEXT))
            .ceil()
            + 2.0;
        let most = if narrow { 296.0 } else { look.size.width * 0.26 };
        // That it is an emergency session, and how long, is never cut short.
        let person = wished.min(if scene.emergency { f32::INFINITY } else { most });
        let room = (look.size.width - taken - person).max(0.0);
        #[expect(clippy::cast_precision_loss, reason = "a few windows")]
        let count = scene.windows.len() as f32;
        let in_front = scene.windows.iter().any(|window| window.front);
        let close = if in_front && room >= LEAST * count + 64.0 { 64.0 } else { 0.0 };
        let equal = (room - close) / count.max(1.0);
        let (front, each) = if equal >= TITLED {
            (equal.min(240.0), equal.min(240.0))
        } else {
            // Too narrow for every title: the one in front has its own, the others their icons.
            (
                Some(room - close - LEAST * (count - 1.0))
                    .filter(|room| *room >= TITLED)
                    .map_or(LEAST, |room| room.min(240.0)),
                LEAST,
            )
        };
        let windows = if room >= close + LEAST * count {
            scene.windows.len()
        } else {
            // One place is kept for the button that says how many more there are.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few windows")]
            let fitting = (room / LEAST + 0.01).floor() as usize;
            fitting.saturating_sub(1)
        };
        Self { person, front, each, close, windows, apps, log, afresh, end }
    }
}

/// The windows that have a button: the first ones, and always the one in front.
fn with_buttons(scene: &AttendedScene, count: usize) -> impl Iterator<Item = &WindowScene> {
    let front = scene.windows.iter().position(|window| window.front);
    let hidden = front.filter(|place| *place >= count && count > 0);
    let first = if hidden.is_some() { count - 1 } else { count };
    let last = hidden.and_then(|place| scene.windows.get(place));
    scene.windows.iter().take(first).chain(last)
}

/// How long the session can go on, once that is worth telling.
fn time_left(look: Look<'_>, scene: &AttendedScene) -> Option<String> {
    if scene.emergency {
        // The first line counts it down.
        return None;
    }
    let left = look.until(scene.end_ms);
    let most = if look.size.width < NARROW { SHORT } else { TOLD };
    (left < most).then(|| words::left(left))
}

/// The first line: who, and as what.
fn first_line(look: Look<'_>, scene: &AttendedScene) -> String {
    if scene.emergency {
        words::emergency_left(look.until(scene.end_ms))
    } else if look.size.width < NARROW || scene.role.is_empty() {
        escape(&scene.name)
    } else {
        format!("{} · {}", escape(&scene.name), escape(&scene.role))
    }
}

/// The second line: what must be said now, or since when and what ends the session.
fn second_line(look: Look<'_>, scene: &AttendedScene) -> String {
    if let Some(notice) = look.scene.notice {
        return format!("{}.", words::notice(notice, "").0);
    }
    if scene.emergency {
        return "Everything is recorded".to_owned();
    }
    let ends = match look.scene.station.badge_mode {
        BadgeMode::Hold => words::TAKE_BADGE,
        BadgeMode::Tap => words::TAP_BADGE,
    };
    format!("since {} · {ends}", look.time(scene.since_utc_ms, "%H:%M"))
}

/// The bar.
fn bar<'a>(look: Look<'a>, scene: &AttendedScene) -> Element<'a, Message> {
    // The bar has one size on every screen, see [`BAR`].
    let colours = if scene.emergency { look.colours.in_emergency() } else { look.colours };
    let look = Look { scale: 1.0, colours, ..look };
    let room = Room::of(look, scene);
    let second = if look.scene.notice.is_some() { colours.on_bar_amber } else { colours.on_bar_soft };
    let person = row![
        container(Icon::Person.view(28.0, colours.on_bar)).center_x(44.0).center_y(BAR),
        column![
            line(&first_line(look, scene), 22.0, STRONG, colours.on_bar, room.person),
            line(&second_line(look, scene), 16.0, TEXT, second, room.person),
        ]
        .width(room.person),
    ]
    .spacing(4)
    .align_y(Alignment::Center);
    let mut items = row![person, space::horizontal().width(16)].align_y(Alignment::Center).height(BAR);
    for window in with_buttons(scene, room.windows) {
        items = items.push(window_button(look, window, if window.front { room.front } else { room.each }));
        if window.front && room.close > 0.0 {
            let close = Touch::new(look, Kind::Bar, Message::Wish(Wish::CloseWindow(window.window)));
            let cross = container(Icon::Close.view(22.0, colours.on_bar)).center(Length::Fill);
            items = items.push(close.width(64).height(BAR).padding(0).holding(cross));
        }
    }
    if room.windows < scene.windows.len() {
        let more = format!("+{}", scene.windows.len() - room.windows);
        let button = Touch::new(look, Kind::Bar, Message::Wish(Wish::Launcher(true)));
        items = items.push(button.width(72).height(BAR).padding(0).saying(more));
    }
    items = items.push(space::horizontal());
    if scene.log.is_none() {
        let kind = if scene.launcher { Kind::BarMarked } else { Kind::Bar };
        let apps = Touch::new(look, kind, apps_toggle(scene)).width(room.apps).height(BAR).padding(0);
        items = items.push(apps.with_icon(Icon::Plus, "Apps"));
    }
    if scene.reads_log {
        let (kind, wish) =
            if scene.log.is_some() { (Kind::BarMarked, Wish::CloseLog) } else { (Kind::Bar, Wish::OpenLog) };
        let log = Touch::new(look, kind, Message::Wish(wish)).width(room.log).height(BAR).padding(0);
        let name = if look.size.width < NARROW { "Log" } else { "Handoff log" };

        items = items.push(log.with_icon(Icon::Log, name));
    }
    if let Some(left) = time_left(look, scene) {
        let short = look.until(scene.end_ms) < SHORT;
        let colour = if short { colours.on_bar_amber } else { colours.on_bar_soft };
        let both = row![Icon::Clock.view(24.0, colour), text(left).size(20).font(STRONG).color(colour)];
        items = items.push(container(both.spacing(8).align_y(Alignment::Center)).padding([0, 12]));
    }
    if room.afresh > 0.0 {
        let kind = if scene.afresh { Kind::BarMarked } else { Kind::Bar };
        let message = Message::Wish(Wish::Afresh(!scene.afresh));
        let afresh = Touch::new(look, kind, message).width(room.afresh).height(BAR).padding(0);
        items = items.push(if look.size.width < NARROW {
            afresh.letters(18.0).saying("Fresh start")
        } else {
            afresh.with_icon(Icon::Retry, "Fresh start")
        });
    }
    let end = Touch::new(look, Kind::BarEnd, Message::Wish(Wish::End)).width(room.end).height(BAR).padding(0);
    items = items.push(if look.size.width < NARROW {
        end.saying("End session")
    } else {
        end.with_icon(Icon::End, "End session")
    });

    let bar = container(items)
        .width(Length::Fill)
        .height(BAR)
        .padding(Padding::ZERO.left(8.0).right(8.0))
        .style(move |_| theme::field(colours.bar, 0.0));
    if !scene.emergency {
        return bar.into();
    }
    let stripes = column![space::vertical().height(BAR - emergency::HATCH), emergency::hatch(look)];
    stack![bar, stripes].width(Length::Fill).height(BAR).into()
}

fn window_button<'a>(look: Look<'a>, window: &WindowScene, room: f32) -> Element<'a, Message> {
    let colours = look.colours;
    let app = window.app.and_then(|app| look.scene.station.apps.get(usize::from(app.0)));
    let (name, icon) = app.map_or(("", "app"), |(name, icon)| (name.as_str(), icon.as_str()));
    let title = if window.title.is_empty() { name } else { window.title.as_str() };
    let kind = if window.front { Kind::BarMarked } else { Kind::Bar };
    let button = Touch::new(look, kind, Message::Wish(Wish::Raise(window.window)))
        .width(room)
        .height(BAR)
        .padding([0.0, 16.0]);
    let picture = icon::of_app(icon, 24.0, colours.on_bar);
    if room < TITLED {
        return button.padding(0).holding(container(picture).center(Length::Fill));
    }
    let words = fit(title, 20.0, STRONG, room - 32.0 - 24.0 - 10.0 - 4.0);
    let words = text(words).size(20).font(STRONG).wrapping(text::Wrapping::None);
    let both = row![picture, words].spacing(10).align_y(Alignment::Center);
    button.holding(container(both).center_y(Length::Fill))
}

/// When this screen next looks different without a new scene, on the shell's clock.
#[must_use]
pub fn next_change(scene: &AttendedScene, now_ms: u64) -> Option<u64> {
    if let Some(until) = scene.warning {
        return challenge::next_second(until, now_ms);
    }
    if let Some(pin) = &scene.pin_again {
        return challenge::next_change(pin, now_ms);
    }
    let left = scene.end_ms.checked_sub(now_ms).filter(|left| *left > 0)?;
    if left >= TOLD {
        Some(scene.end_ms - TOLD + 1)
    } else if left <= SHORT || scene.emergency {
        challenge::next_second(scene.end_ms, now_ms)
    } else {
        Some(now_ms + (left - 1) % 60_000 + 1)
    }
}
