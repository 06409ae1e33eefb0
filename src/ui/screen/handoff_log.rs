//! The handoff log: what happened, newest first. Only the rows that are shown are made, however many there
//! are; one entry opens beside the list.

use iced::widget::{Column, canvas, column, container, mouse_area, row, space};
use iced::{Alignment, Color, Element, Length, Padding, Point, Rectangle, Renderer, Size, Theme, mouse};

use crate::driver::Wish;
use crate::driver::scene::LogScene;
use crate::evidence::escape;
use crate::ui::Message;
use crate::ui::icon::Icon;
use crate::ui::log::{LogMessage, Menu, Shown, Verdict};
use crate::ui::parts::{Look, Touch, line, pill, say, soft, width};
use crate::ui::screen::{elsewhere, keyboard, log_controls, log_day, log_entry, log_filter};
use crate::ui::theme::{self, BAR, Kind, STRONG, TEXT};

/// The open entry, for scrolling by keyboard.
pub const ENTRY: &str = "log entry";
/// The page of controls, for scrolling by keyboard.
pub const CONTROLS: &str = "log controls";
/// A row of the list, on a 1280×800 screen, without the room of its ring.
const ROW: f32 = 64.0;
/// Between two rows.
const GAP: f32 = 4.0;
/// The height of a line of buttons, without the room of their rings.
const LINE: f32 = 64.0;
/// The height of a key while something is searched for.
const KEY: f32 = 64.0;
/// Around everything.
const EDGE: (f32, f32, f32) = (12.0, 40.0, 16.0);
/// Between the parts, from above to below.
const BETWEEN: f32 = 8.0;

/// How many rows are shown.
#[must_use]
pub fn rows(look: Look<'_>) -> u64 {
    let (above, _, below) = EDGE;
    let edges = look.px(above) + look.px(below);
    let line = look.px(LINE) + 8.0 + look.px(BETWEEN);
    let mut room = look.size.height - BAR - edges - 2.0 * line;
    if look.log.keyboard {
        // Rows are worth more there than the line above.
        room += line;
        room -= 5.0 * (look.px(KEY) + 8.0 + look.px(4.0)) + look.px(BETWEEN);
    } else if look.log.open.is_none() {
        room -= look.px(log_day::HIGH) + look.px(BETWEEN);
    }
    if pending(look).is_some() {
        room -= look.px(LINE) + 8.0 + look.px(BETWEEN);
    }
    if problem(look).is_some() {
        room -= look.px(28.0) + look.px(BETWEEN);
    }
    let count = ((room + GAP) / (look.px(ROW) + 8.0 + GAP)).floor().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few rows")]
    let count = count as u64;
    count
}

fn scene<'a>(look: Look<'a>) -> Option<&'a LogScene> {
    crate::ui::log_of(look.scene)
}

/// What of sessions is not ended elsewhere, where the list stands alone.
fn pending<'a>(look: Look<'a>) -> Option<&'a LogScene> {
    let alone = look.log.open.is_none() && !look.log.keyboard;
    scene(look).filter(|scene| alone && !scene.pending.is_empty())
}

/// What is wrong, or was done, in a line.
fn problem(look: Look<'_>) -> Option<(String, bool)> {
    let scene = scene(look)?;
    match (&scene.verdict, &scene.problem, &scene.exported) {
        (Some(Err(problem)), _, _) | (_, Some(problem), _) | (_, _, Some(Err(problem))) => {
            Some((escape(problem), true))
        }
        (_, _, Some(Ok(path))) => Some((format!("A copy is on the medium: {}", escape(path)), false)),
        (_, _, None) => None,
    }
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(look: Look<'_>, scene: &LogScene) -> Vec<Message> {
    let log = look.log;
    if log.note.is_some() {
        return log_entry::note_stops(look);
    }
    let mut stops = Vec::new();
    if !log.keyboard {
        stops.push(controls(look));
        if !scene.media.is_empty() {
            stops.push(Message::Log(LogMessage::Menu(Some(Menu::Export))));
        }
        if scene.drill {
            stops.push(Message::Wish(Wish::Drill));
        }
        stops.push(Message::Wish(Wish::CloseLog));
    }
    if let Some(menu) = log.menu {
        stops.extend(log_filter::menu_stops(look, scene, menu));
        return stops;
    }
    if log.on_controls() {
        stops.extend(log_controls::stops(look, scene));
        return stops;
    }
    stops.extend(log_filter::stops(look));
    stops.extend(pending(look).and_then(elsewhere::pending_stop));
    if log.keyboard {
        stops.push(Message::Log(LogMessage::Keyboard(false)));
    }
    stops.extend(shown(look).map(|(_, shown)| Message::Open(shown.written.index)));
    if !log.keyboard && log.last_top(rows(look)) > 0 {
        stops.extend(pages(look));
    }
    if log.opened().is_some() && !log.keyboard {
        stops.extend(log_entry::stops(look));
    }
    stops
}

/// What the button of the controls does: it opens their page, leads back to it, or leaves it.
fn controls(look: Look<'_>) -> Message {
    Message::Log(LogMessage::Controls(!look.log.on_controls()))
}

/// The rows that are shown, with their places, as far as they were read.
fn shown<'a>(look: Look<'a>) -> impl Iterator<Item = (u64, &'a Shown)> {
    let top = look.log.top;
    let end = (top + rows(look)).min(look.log.count);
    (top..end).filter_map(move |place| Some((place, look.log.at(place)?)))
}

/// A page up and a page down.
fn pages(look: Look<'_>) -> [Message; 2] {
    let page = i64::try_from(rows(look)).unwrap_or(1);
    [Message::Log(LogMessage::Scroll(-page)), Message::Log(LogMessage::Scroll(page))]
}

/// The log, below the bar.
pub fn view<'a>(look: Look<'a>, scene: &'a LogScene) -> Element<'a, Message> {
    let log = look.log;
    let mut all = column![].spacing(look.px(BETWEEN));
    if !log.keyboard || log.note.is_some() {
        all = all.push(head(look, scene));
    }
    if let Some((said, bad)) = problem(look) {
        let colour = if bad { look.colours.bad } else { look.colours.good };
        let room = look.size.width - look.px(80.0);
        all = all.push(container(line(&said, look.px(20.0), STRONG, colour, room)).height(look.px(28.0)));
    }
    if log.note.is_some() {
        all = all.push(log_entry::note(look));
    } else if let Some(menu) = log.menu {
        all = all.push(log_filter::menu(look, scene, menu));
    } else if log.on_controls() {
        all = all.push(log_controls::view(look, scene));
    } else {
        all = all.push(log_filter::line(look, scene));
        if let Some(pending) = pending(look).and_then(|scene| elsewhere::pending(look, scene)) {
            all = all.push(pending);
        }
        if !log.keyboard && log.open.is_none() {
            all = all.push(log_day::view(look, scene));
        }
        all = all.push(list(look, scene));
        if log.keyboard {
            let hide = Message::Log(LogMessage::Keyboard(false));
            all = all.push(keyboard::view(look, KEY, true, hide.clone(), (hide, "Show list", true)));
        }
    }
    let (above, beside, below) = EDGE;
    container(all)
        .padding(Padding::from([look.px(above), look.px(beside)]).bottom(look.px(below)))
        .width(Length::Fill)
        .height(Length::Fill)
        .into()
}

/// Whether it holds, how much there is, whose clock it is, and the ways out.
fn head<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let colours = look.colours;
    // A million entries are told beside every way out.
    let room = if scene.media.is_empty() { 1200.0 } else { 1300.0 };
    let narrow = look.size.width < room * look.scale;
    let verdict = match &scene.verdict {
        None => pill(look, Icon::Ring, "Verifying…", colours.amber, colours.amber_tint),
        Some(Ok(count)) => {
            let what = if narrow { "" } else { " entries" };
            let said = format!("{}{what} verified", thousands(*count));
            pill(look, Icon::ShieldTick, said, colours.good, colours.good_tint)
        }
        Some(Err(_)) => pill(look, Icon::Warning, "The log does not hold", colours.bad, colours.bad_tint),
    };
    let count = if scene.searching && scene.question != scene.answered {
        "Searching…".to_owned()
    } else {
        format!("{} of {}", thousands(scene.count), thousands(scene.total))
    };
    let zone = look.time(look.utc_ms, "%Z");
    let zone = match look.zone.iana_name() {
        Some(name) if name != zone && !narrow => format!("Times: {name} ({zone})"),
        Some(_) | None => format!("Times: {zone}"),
    };
    // Where there is no room for icons beside them, the words say enough.
    let way = |message: Message, kind: Kind, icon: Icon, word: &'static str, wide: f32| {
        let touch = Touch::new(look, kind, message).padding(0);
        if narrow {
            touch.width(width(word, look.px(20.0), STRONG).ceil() + look.px(20.0)).saying(word)
        } else {
            touch.width(look.px(wide)).with_icon(icon, word)
        }
    };
    let mut ways = row![].spacing(look.px(4.0));
    let kind = if look.log.controls.is_some() { Kind::CardMarked } else { Kind::Quiet };
    ways = ways.push(way(controls(look), kind, Icon::Tick, "Controls", 160.0));
    if !scene.media.is_empty() {
        let export = Message::Log(LogMessage::Menu(Some(Menu::Export)));
        ways = ways.push(way(export, Kind::Quiet, Icon::Export, "Export", 160.0));
    }
    if scene.drill {
        ways = ways.push(way(Message::Wish(Wish::Drill), Kind::Quiet, Icon::ShieldTick, "Run drill", 160.0));
    }
    ways = ways.push(way(Message::Wish(Wish::CloseLog), Kind::Quiet, Icon::Close, "Close", 144.0));
    let told = column![say(count, look.px(20.0), STRONG, colours.ink), soft(look, zone)];
    container(
        row![verdict, told, space::horizontal(), ways]
            .spacing(look.px(if narrow { 12.0 } else { 20.0 }))
            .align_y(Alignment::Center),
    )
    .height(look.px(LINE) + 8.0)
    .into()
}

/// A count with its thousands apart.
#[must_use]
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn mark(look: Look<'_>, verdict: Verdict) -> Option<(Icon, Color, &'static str)> {
    let colours = look.colours;
    match verdict {
        Verdict::Clean => Some((Icon::ShieldTick, colours.good, "clean")),
        Verdict::None => None,
        Verdict::NotClean => Some((Icon::Warning, colours.bad, "not clean")),
        Verdict::Refused => Some((Icon::Warning, colours.amber, "refused")),
        Verdict::Unreadable => Some((Icon::Close, colours.bad, "unreadable")),
    }
}

/// The list, and the entry that is open beside it.
fn list<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let log = look.log;
    let full = look.size.width - look.px(80.0);
    let opened = log.opened().filter(|_| !log.keyboard);
    let count = rows(look);
    let scrolls = log.last_top(count) > 0 && !log.keyboard;
    let rail = if scrolls { look.px(LINE) + 8.0 + look.px(8.0) } else { 0.0 };
    let wide = if opened.is_some() { (full * 0.36).max(look.px(348.0)).round() } else { full };
    let room = wide - rail;
    if log.count == 0 {
        let said = match (scene.searching, scene.total) {
            (true, _) => "Searching…",
            (false, 0) => "Nothing has been written yet.",
            (false, _) => "No entry is like that. Press Esc, or choose less.",
        };
        return container(soft(look, said)).center(Length::Fill).into();
    }
    let end = (log.top + count).min(log.count);
    let entries = (log.top..end).map(|place| match log.at(place) {
        Some(shown) => entry(look, shown, room, opened.is_some()),
        // Its place is kept while it is read.
        None => container(space::horizontal()).width(room).height(look.px(ROW) + 8.0).into(),
    });
    let entries = Column::from_iter(entries).spacing(GAP).width(room);
    // A notch of a wheel is a row.
    let entries = mouse_area(entries).on_scroll(|delta| {
        let lines = match delta {
            mouse::ScrollDelta::Lines { y, .. } => y,
            mouse::ScrollDelta::Pixels { y, .. } => y / 60.0,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a few rows")]
        let rows = -lines.clamp(-100.0, 100.0).round() as i64;
        Message::Log(LogMessage::Scroll(rows))
    });
    let mut both = row![entries].spacing(look.px(8.0));
    if scrolls {
        both = both.push(slider(look, count));
    }
    let mut beside = row![both].spacing(look.px(20.0)).height(Length::Fill);
    if let Some(shown) = opened {
        beside = beside.push(log_entry::view(look, scene, shown));
    }
    beside.into()
}

/// A page up, where this part of the list lies in the whole, a page down.
fn slider<'a>(look: Look<'a>, rows: u64) -> Element<'a, Message> {
    let colours = look.colours;
    let page = |icon: Icon, message: Message, there: bool| {
        Touch::new(look, Kind::Quiet, message)
            .width(look.px(LINE))
            .height(look.px(LINE))
            .padding(0)
            .enabled(there)
            .holding(container(icon.view(look.px(28.0), colours.ink)).center(Length::Fill))
    };
    let [up, down] = pages(look);
    let (top, last) = (look.log.top, look.log.last_top(rows));
    let rail = Rail { top, last, rows, count: look.log.count, colours };
    column![
        page(Icon::Up, up, top > 0),
        canvas(rail).width(look.px(LINE) + 8.0).height(Length::Fill),
        page(Icon::Down, down, top < last),
    ]
    .spacing(look.px(4.0))
    .into()
}

/// The rail of a list of any length: pressing it moves to that part of the whole.
struct Rail {
    top: u64,
    last: u64,
    rows: u64,
    count: u64,
    colours: theme::Colours,
}

impl canvas::Program<Message> for Rail {
    type State = bool;

    fn update(
        &self,
        dragged: &mut bool,
        event: &canvas::Event,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) -> Option<canvas::Action<Message>> {
        let seek = |at: Point| {
            let part = ((at.y - bounds.y) / bounds.height).clamp(0.0, 1.0) * 1000.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
            let part = part.round() as u32;
            Some(canvas::Action::publish(Message::Log(LogMessage::Seek(part))).and_capture())
        };
        let canvas::Event::Mouse(event) = event else { return None };
        match event {
            mouse::Event::ButtonPressed(mouse::Button::Left) => {
                *dragged = cursor.is_over(bounds);
                cursor.position_over(bounds).and_then(seek)
            }
            mouse::Event::CursorMoved { position } if *dragged => seek(*position),
            mouse::Event::ButtonReleased(_) => {
                *dragged = false;
                None
            }
            mouse::Event::ButtonPressed(_)
            | mouse::Event::CursorEntered
            | mouse::Event::CursorLeft
            | mouse::Event::CursorMoved { .. }
            | mouse::Event::WheelScrolled { .. } => None,
        }
    }

    fn draw(
        &self,
        _: &bool,
        renderer: &Renderer,
        _: &Theme,
        bounds: Rectangle,
        _: mouse::Cursor,
    ) -> Vec<canvas::Geometry> {
        let mut frame = canvas::Frame::new(renderer, bounds.size());
        let (wide, high) = (16.0, bounds.height);
        let left = (bounds.width - wide) / 2.0;
        let whole = canvas::Path::rounded_rectangle(Point::new(left, 0.0), Size::new(wide, high), 8.0.into());
        frame.fill(&whole, self.colours.pressed);
        #[expect(clippy::cast_precision_loss, reason = "a place on a rail of a few hundred pixels")]
        let (part, at) = (
            (self.rows as f32 / self.count.max(1) as f32 * high).clamp(40.0_f32.min(high), high),
            self.top as f32 / self.last.max(1) as f32,
        );
        let top = Point::new(left, (high - part) * at.min(1.0));
        let here = canvas::Path::rounded_rectangle(top, Size::new(wide, part), 8.0.into());
        frame.fill(&here, self.colours.soft);
        vec![frame.into_geometry()]
    }
}

fn entry<'a>(look: Look<'a>, shown: &Shown, room: f32, narrow: bool) -> Element<'a, Message> {
    let colours = look.colours;
    let (size, small) = (look.px(20.0), look.px(18.0));
    let open = look.log.open == Some(shown.written.index);
    let message = Message::Open(shown.written.index);
    let kind = if open { Kind::CardMarked } else { Kind::Card };
    let mark = mark(look, shown.verdict);
    let inner = room - 8.0 - look.px(32.0);
    let time = look.px(112.0);
    let content: Element<'_, Message> = if narrow {
        let icon = if mark.is_some() { look.px(28.0 + 8.0) } else { 0.0 };
        let rest = inner - look.px(92.0) - look.px(8.0) - icon;
        let mut top = row![
            container(say(&shown.time, size, STRONG, colours.ink)).width(look.px(92.0)),
            line(&shown.what, small, TEXT, colours.ink, rest),
            space::horizontal(),
        ]
        .spacing(look.px(8.0))
        .align_y(Alignment::Center);
        if let Some((icon, colour, _)) = mark {
            top = top.push(icon.view(look.px(24.0), colour));
        }
        column![top, line(&shown.who, small, TEXT, colours.soft, inner)].into()
    } else {
        let rest = inner - time - look.px(5.0 * 16.0);
        let (who, what, apps, took) = (rest * 0.26, rest * 0.22, rest * 0.23, rest * 0.09);
        let cell = |text: &str, size, font, colour, room: f32| {
            container(line(text, size, font, colour, room)).width(room)
        };
        let mark: Element<'_, Message> = match mark {
            Some((icon, colour, word)) => row![
                icon.view(look.px(24.0), colour),
                line(word, size, STRONG, colour, rest * 0.20 - look.px(32.0))
            ]
            .spacing(look.px(8.0))
            .align_y(Alignment::Center)
            .into(),
            None => space::horizontal().into(),
        };
        let content = row![
            column![say(&shown.time, size, STRONG, colours.ink), say(&shown.day, small, TEXT, colours.soft)]
                .width(time),
            cell(&shown.who, size, STRONG, colours.ink, who),
        ];
        // What is no handoff has the room of what only a handoff has.
        let content = if shown.took.is_empty() {
            content.push(cell(
                &shown.what,
                small,
                TEXT,
                colours.ink,
                what + apps + took + look.px(2.0 * 16.0),
            ))
        } else {
            content
                .push(cell(&shown.what, small, TEXT, colours.ink, what))
                .push(cell(&shown.apps, small, TEXT, colours.soft, apps))
                .push(cell(&shown.took, small, TEXT, colours.soft, took))
        };
        content.push(mark).spacing(look.px(16.0)).align_y(Alignment::Center).into()
    };
    Touch::new(look, kind, message)
        .width(Length::Fill)
        .height(look.px(ROW))
        .padding([0.0, look.px(16.0)])
        .holding(container(content).center_y(Length::Fill))
}
