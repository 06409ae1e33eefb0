//! Which controls the entries are evidence for, in the place of the list: each with what was counted, with
//! its exceptions, whose entries open from here, and with what the station does not show.

use iced::widget::{Column, Row, column, container, row, scrollable, space};
use iced::{Alignment, Color, Element, Font, Length, Padding};

use crate::driver::scene::{Control, Controls, ControlsScene, LogScene};
use crate::evidence::{escape, words};
use crate::ui::Message;
use crate::ui::icon::Icon;
use crate::ui::log::{LogMessage, Menu};
use crate::ui::parts::{Look, Touch, card, heading, high, say, soft, width};
use crate::ui::screen::handoff_log::{CONTROLS, thousands};
use crate::ui::screen::log_filter;
use crate::ui::theme::{self, Kind, STRONG, TEXT};

/// The number of an entry that is an exception, on a 1280×800 screen, without the room of its ring.
const NUMBER: (f32, f32) = (112.0, 56.0);
/// Between the parts of a card, and between the cards.
const WITHIN: f32 = 10.0;
const BETWEEN: f32 = 16.0;
/// Between a card's edge and what it says.
const PADDING: f32 = 20.0;

fn of(message: LogMessage) -> Message {
    Message::Log(message)
}

/// What was told, where it was and there is anything.
fn told(scene: &LogScene) -> Option<&Controls> {
    let controls = scene.controls.as_ref()?.told.as_ref()?.as_ref().ok()?;
    (controls.entries > 0 || controls.exceptions() > 0).then_some(controls)
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(look: Look<'_>, scene: &LogScene) -> Vec<Message> {
    let mut stops = vec![of(LogMessage::Turn(-1)), of(LogMessage::Menu(Some(Menu::Day)))];
    if look.log.filter.day.is_some() {
        stops.push(of(LogMessage::Turn(1)));
    }
    let exceptions = told(scene).into_iter().flat_map(|told| &told.controls);
    let entries = exceptions.flat_map(|control| &control.exceptions).flat_map(|odd| &odd.entries);
    stops.extend(entries.zip(0..).map(|(number, place)| of(LogMessage::Exception(place, *number))));
    stops
}

/// How far down the page the button of this exception stands, in pixels.
#[must_use]
pub fn top_of(look: Look<'_>, scene: &LogScene, place: u32) -> Option<f32> {
    let (_, tops) = page(look, told(scene)?);
    tops.into_iter().find_map(|(one, top)| (one == place).then_some(top))
}

/// The page, below the view's head.
pub fn view<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let colours = look.colours;
    let controls = scene.controls.as_ref();
    let head = row![log_filter::days(look, scene), summary(look, controls)]
        .spacing(look.px(20.0))
        .align_y(Alignment::Center);
    let below: Element<'_, Message> =
        match (controls.and_then(|controls| controls.told.as_ref()), told(scene)) {
            (Some(Err(problem)), _) => {
                let said = say(escape(problem), look.px(20.0), STRONG, colours.bad);
                container(said).center(Length::Fill).into()
            }
            (_, Some(told)) => {
                let inside = container(page(look, told).0).padding(Padding::ZERO.right(look.px(24.0)));
                scrollable(inside)
                    .id(CONTROLS)
                    .width(Length::Fill)
                    .height(Length::Fill)
                    .style(move |_, _| theme::scroll(colours))
                    .into()
            }
            (Some(Ok(_)), None) => {
                let said = "Nothing was written on this day. Choose another, or any day.";
                container(soft(look, said)).center(Length::Fill).into()
            }
            (None, None) => reading(look, scene),
        };
    column![head, below].spacing(look.px(12.0)).height(Length::Fill).into()
}

/// Of which entries it is told, and how many exceptions there are.
fn summary<'a>(look: Look<'a>, controls: Option<&ControlsScene>) -> Element<'a, Message> {
    let title = heading(look, 24.0, "What these entries are evidence for");
    let told = controls.and_then(|controls| controls.told.as_ref()).and_then(|told| told.as_ref().ok());
    let Some(told) = told else { return title.into() };
    let entries = if told.entries == 1 { "entry" } else { "entries" };
    let range = match told.range {
        Some((first, last)) if first != last => format!(", {} to {}", thousands(first), thousands(last)),
        Some((first, _)) => format!(", number {}", thousands(first)),
        None => String::new(),
    };
    let exceptions = match told.exceptions() {
        0 => "no exceptions".to_owned(),
        1 => "1 exception".to_owned(),
        more => format!("{more} exceptions"),
    };
    column![title, soft(look, format!("{} {entries}{range} · {exceptions}", thousands(told.entries)))].into()
}

/// How far the reading is.
fn reading<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let (colours, radius) = (look.colours, look.px(6.0));
    let (read, total) =
        scene.controls.as_ref().map_or((0, scene.total), |controls| (controls.read, controls.total));
    let said = if read < total || read == 0 {
        format!("Reading {} entries…", thousands(total))
    } else {
        format!("Verifying {} entries…", thousands(total))
    };
    let wide = look.px(480.0);
    #[expect(clippy::cast_precision_loss, reason = "a part of a few hundred pixels")]
    let part = (read as f32 / total.max(1) as f32).min(1.0) * wide;
    let bar = move |wide: f32, colour: Color| {
        container(space::horizontal())
            .width(wide)
            .height(radius * 2.0)
            .style(move |_| theme::field(colour, radius))
    };
    let rest = container(bar(part.round(), colours.accent))
        .width(wide)
        .style(move |_| theme::field(colours.pressed, radius));
    container(column![heading(look, 24.0, said), rest].spacing(look.px(16.0)).align_x(Alignment::Center))
        .center(Length::Fill)
        .into()
}

/// Parts one below the other, of which each has its height before it is drawn: so the keyboard's focus can
/// be scrolled to.
struct Pile<'a> {
    look: Look<'a>,
    parts: Vec<Element<'a, Message>>,
    room: f32,
    high: f32,
    gap: f32,
}

impl<'a> Pile<'a> {
    fn new(look: Look<'a>, room: f32, gap: f32) -> Self {
        Self { look, parts: Vec::new(), room, high: 0.0, gap }
    }

    /// Where the next part begins.
    fn next(&self) -> f32 {
        if self.parts.is_empty() { 0.0 } else { self.high + self.gap }
    }

    fn push(&mut self, part: impl Into<Element<'a, Message>>, high: f32) {
        self.high = self.next() + high;
        self.parts.push(container(part).height(high).into());
    }

    fn text(&mut self, content: &str, size: f32, font: Font, colour: Color) {
        let size = self.look.px(size);
        self.push(say(content, size, font, colour), high(content, size, font, self.room));
    }

    /// An icon, and beside it what it stands for.
    fn marked(&mut self, icon: Icon, content: &str, colour: Color) {
        let (size, wide, gap) = (self.look.px(20.0), self.look.px(24.0), self.look.px(10.0));
        let tall = high(content, size, STRONG, self.room - wide - gap).max(wide);
        self.push(row![icon.view(wide, colour), say(content, size, STRONG, colour)].spacing(gap), tall);
    }

    fn column(self) -> Column<'a, Message> {
        Column::from_vec(self.parts).spacing(self.gap).width(Length::Fill)
    }
}

/// All of it, and where each exception's button stands.
fn page<'a>(look: Look<'a>, told: &Controls) -> (Column<'a, Message>, Vec<(u32, f32)>) {
    let colours = look.colours;
    let room = (look.size.width - look.px(80.0) - look.px(24.0)).floor();
    let padding = look.px(PADDING);
    let (mut all, mut tops) = (Pile::new(look, room, look.px(BETWEEN)), Vec::new());
    let (icon, colour) =
        if told.whole { (Icon::ShieldTick, colours.good) } else { (Icon::Warning, colours.bad) };
    all.marked(icon, &format!("The ledger: {}", escape(&told.verified)), colour);
    let (mut framework, mut place) = ("", 0);
    for control in &told.controls {
        if control.framework != framework {
            framework = control.framework;
            all.text(framework, 26.0, STRONG, colours.ink);
        }
        let mut own = Pile::new(look, room - 2.0 * padding, look.px(WITHIN));
        let top = all.next() + padding;
        one(&mut own, control, &mut place, &mut |place, below| tops.push((place, top + below)));
        let high = own.high + 2.0 * padding;
        all.push(card(look, PADDING, own.column()).width(Length::Fill), high);
    }
    all.text("No evidence here for", 26.0, STRONG, colours.ink);
    let mut none = Pile::new(look, room - 2.0 * padding, look.px(WITHIN));
    for control in &told.elsewhere {
        none.text(&format!("{}  {}", control.id, control.title), 20.0, STRONG, colours.ink);
        none.text(&format!("{}: {}", control.framework, control.why), 20.0, TEXT, colours.soft);
    }
    let high = none.high + 2.0 * padding;
    all.push(card(look, PADDING, none.column()).width(Length::Fill), high);
    (all.column(), tops)
}

/// A control.
fn one<'a>(own: &mut Pile<'a>, control: &Control, place: &mut u32, at: &mut dyn FnMut(u32, f32)) {
    let look = own.look;
    let colours = look.colours;
    own.text(&format!("{}  {}", control.id, control.title), 22.0, STRONG, colours.ink);
    own.text(&sentence(control.evidence), 20.0, TEXT, colours.ink);
    counts(own, control);
    for odd in &control.exceptions {
        let named = odd.entries.len() as u64;
        let entries =
            if odd.count == 1 { "1 entry".to_owned() } else { format!("{} entries", thousands(odd.count)) };
        let first = if odd.count > named { format!(", the first {named} of them:") } else { String::new() };
        own.marked(Icon::Warning, &format!("Exception: {}, {entries}{first}", odd.what), colours.amber);
        let (wide, tall) = (look.px(NUMBER.0) + 8.0, look.px(NUMBER.1) + 8.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few on a line")]
        let beside = (own.room / (wide + look.px(4.0))).floor().max(1.0) as usize;
        for line in odd.entries.chunks(beside) {
            let below = own.next();
            let numbers: Vec<_> = line
                .iter()
                .map(|number| {
                    let message = of(LogMessage::Exception(*place, *number));
                    at(*place, below);
                    *place += 1;
                    Touch::new(look, Kind::CardMarked, message)
                        .width(look.px(NUMBER.0))
                        .height(look.px(NUMBER.1))
                        .padding(0)
                        .saying(thousands(*number))
                })
                .collect();
            own.push(Row::from_vec(numbers).spacing(look.px(4.0)), tall);
        }
    }
    if control.exceptions.is_empty() {
        own.marked(Icon::Tick, "No exceptions in these entries", colours.good);
    }
    own.text(&format!("Not shown: {}.", control.not_shown), 20.0, TEXT, colours.soft);
}

/// What was counted: two beside each other, each number before what it counts.
fn counts<'a>(own: &mut Pile<'a>, control: &Control) {
    let look = own.look;
    let colours = look.colours;
    let (size, gap, between) = (look.px(18.0), look.px(12.0), look.px(24.0));
    let counted: Vec<(String, String, Color)> = control
        .counts
        .iter()
        .map(|(what, count)| {
            let (what, number) = match what.strip_suffix(", microseconds") {
                Some(what) => (what, words::seconds(*count)),
                None => (what.as_str(), thousands(*count)),
            };
            (number, escape(what), if *count == 0 { colours.soft } else { colours.ink })
        })
        .collect();
    let numbers = counted.iter().map(|(number, ..)| width(number, size, STRONG));
    let wide = numbers.fold(look.px(28.0), f32::max).ceil() + 1.0;
    let each = ((own.room - between) / 2.0).floor();
    let room = each - wide - gap;
    let mut lines = Pile::new(look, own.room, look.px(4.0));
    for both in counted.chunks(2) {
        let mut line = Row::new().spacing(between);
        let mut tall: f32 = 0.0;
        for (number, what, colour) in both {
            tall = tall.max(high(what, size, TEXT, room));
            let number = container(say(number, size, STRONG, *colour)).align_right(wide);
            let what = container(say(what, size, TEXT, *colour)).width(room);
            line = line.push(row![number, what].spacing(gap).width(each));
        }
        lines.push(line, tall);
    }
    let tall = lines.high;
    own.push(lines.column(), tall);
}

/// What the map says in a fragment, as a sentence.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
