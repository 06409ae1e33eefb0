//! A day of the station as a picture: who held it when, its handoffs, and when it did not serve; beside it
//! what the day came to.

use iced::widget::{canvas, column, container, row};
use iced::{Color, Element, Length, Pixels, Point, Rectangle, Renderer, Size, Theme, mouse};

use crate::driver::scene::{Day, LogScene};
use crate::evidence::escape;
use crate::ui::Message;
use crate::ui::parts::{Look, say, width};
use crate::ui::screen::handoff_log::thousands;
use crate::ui::theme::{self, Colours, STRONG, TEXT};
use crate::ui::words;

/// How high the picture is, on a 1280×800 screen.
pub const HIGH: f32 = 108.0;
/// The height of its hours and of its line of handoffs.
const HOURS: f32 = 24.0;
const MARKS: f32 = 28.0;

/// The picture, and what the day came to.
pub fn view<'a>(look: Look<'a>, scene: &'a LogScene) -> Element<'a, Message> {
    let colours = look.colours;
    let radius = look.px(16.0);
    let wanted = look.log.day();
    let day = scene.day.as_deref().filter(|day| Some(day.between) == wanted);
    let inside: Element<'_, Message> = match day {
        None => {
            container(say("Reading the day…", look.px(20.0), TEXT, colours.soft)).center(Length::Fill).into()
        }
        Some(day) => {
            let picture = canvas(Picture { day, look }).width(Length::FillPortion(28)).height(Length::Fill);
            let hours = canvas(Hours { day, look }).width(Length::FillPortion(8)).height(Length::Fill);
            row![picture, hours, numbers(look, day)].spacing(look.px(20.0)).into()
        }
    };
    container(inside)
        .padding([look.px(6.0), look.px(16.0)])
        .width(Length::Fill)
        .height(look.px(HIGH))
        .style(move |_| theme::framed(colours.card, colours.line, colours.stroke, radius))
        .into()
}

/// What the day came to, in four lines.
fn numbers<'a>(look: Look<'a>, day: &Day) -> Element<'a, Message> {
    let colours = look.colours;
    let size = look.px(18.0);
    let date = look.time(day.between.0, "%A, %-d %B");
    let handoffs = match day.marks.len() {
        1 => "1 handoff".to_owned(),
        more => format!("{} handoffs", thousands(more as u64)),
    };
    let took = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), |us| words::took(us / 1000));
    let speed = format!("median {} · p95 {}", took(day.median_us), took(day.p95_us));
    let barred = match day.quarantines {
        1 => "1 quarantine".to_owned(),
        more => format!("{more} quarantines"),
    };
    let ends = format!("{} forced · {barred}", day.forced);
    let colour = if day.quarantines > 0 { colours.bad } else { colours.ink };
    let line = |text: String, font, colour| {
        say(text, size, font, colour).wrapping(iced::widget::text::Wrapping::None)
    };
    container(column![
        line(date, STRONG, colours.ink),
        line(handoffs, TEXT, colours.ink),
        line(speed, TEXT, colours.ink),
        line(ends, TEXT, colour),
    ])
    .width(Length::FillPortion(15))
    .center_y(Length::Fill)
    .into()
}

/// Where a moment of the day lies, in a width.
fn at(day: &Day, moment: i64, wide: f32) -> f32 {
    let (from, until) = day.between;
    #[expect(clippy::cast_precision_loss, reason = "a place among a few hundred pixels")]
    let part = (moment - from) as f32 / (until - from).max(1) as f32;
    part.clamp(0.0, 1.0) * wide
}

struct Picture<'a> {
    day: &'a Day,
    look: Look<'a>,
}

/// Slanted lines, within an area: what is hatched is told from what is filled without its colour.
fn hatch(frame: &mut canvas::Frame, area: Rectangle, step: f32, colour: Color) {
    let (bottom, right) = (area.y + area.height, area.x + area.width);
    let mut left = area.x - area.height;
    while left < right {
        let (from, until) = ((area.x - left).max(0.0), (right - left).min(area.height));
        let path = canvas::Path::line(
            Point::new(left + from, bottom - from),
            Point::new(left + until, bottom - until),
        );
        frame.stroke(&path, canvas::Stroke::default().with_color(colour).with_width(2.0));
        left += step;
    }
}

/// As much of a name as fits: all of it, else its first letters, else nothing.
fn short(name: &str, size: f32, room: f32) -> Option<String> {
    let initials = || -> String {
        let words: Vec<&str> = name.split_whitespace().collect();
        let letters =
            [words.first(), words.last()].into_iter().flatten().filter_map(|word| word.chars().next());
        letters.collect()
    };
    let fits = |text: &String| width(text, size, TEXT) <= room;
    let first = || name.split_whitespace().next().unwrap_or_default().to_owned();
    [name.to_owned(), first(), initials()].into_iter().find(|text| !text.is_empty() && fits(text))
}

fn words_at(frame: &mut canvas::Frame, look: Look<'_>, word: String, place: Point, colour: Color) {
    frame.fill_text(canvas::Text {
        content: word,
        position: place,
        color: colour,
        size: Pixels(look.px(16.0)),
        font: TEXT,
        ..canvas::Text::default()
    });
}

impl Picture<'_> {
    /// The colours of two operators who follow each other.
    fn shades(&self) -> [(Color, Color); 2] {
        let Colours { accent, on_accent, accent_tint, ink, .. } = self.look.colours;
        [(accent, on_accent), (accent_tint, ink)]
    }
}

impl canvas::Program<Message> for Picture<'_> {
    type State = ();

    fn update(
        &self,
        _: &mut (),
        event: &canvas::Event,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) -> Option<canvas::Action<Message>> {
        if !matches!(event, canvas::Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left))) {
            return None;
        }
        // The handoff next to the finger, where one is near enough to be meant.
        let finger = cursor.position_in(bounds)?;
        let apart = |moment: i64| (at(self.day, moment, bounds.width) - finger.x).abs();
        let near = self.day.marks.iter().min_by(|a, b| apart(a.at).total_cmp(&apart(b.at)))?;
        (apart(near.at) <= self.look.px(22.0))
            .then(|| canvas::Action::publish(Message::Open(near.number)).and_capture())
    }

    fn draw(
        &self,
        (): &(),
        renderer: &Renderer,
        _: &Theme,
        bounds: Rectangle,
        _: mouse::Cursor,
    ) -> Vec<canvas::Geometry> {
        let (look, day, colours) = (self.look, self.day, self.look.colours);
        let mut frame = canvas::Frame::new(renderer, bounds.size());
        let wide = bounds.width;
        let (hours, marks) = (look.px(HOURS), look.px(MARKS));
        let (top, high) = (hours, bounds.height - hours - marks);
        let now = look.utc_ms;
        // The hours, every third with its number.
        let mut hour = day.between.0;
        let mut count = 0;
        while hour < day.between.1 {
            let x = at(day, hour, wide);
            let long = count % 3 == 0;
            let tick = canvas::Path::line(
                Point::new(x, if long { hours - 6.0 } else { hours - 3.0 }),
                Point::new(x, top + high),
            );
            frame.stroke(&tick, canvas::Stroke::default().with_color(colours.line).with_width(1.0));
            if long {
                words_at(&mut frame, look, look.time(hour, "%H"), Point::new(x + 2.0, 0.0), colours.soft);
            }
            hour += 3_600_000;
            count += 1;
        }
        let field = |from: i64, until: i64| {
            let (left, right) = (at(day, from, wide), at(day, until.min(now.max(from)), wide));
            Rectangle::new(Point::new(left, top), Size::new((right - left).max(1.0), high))
        };
        for (place, held) in day.held.iter().enumerate() {
            let area = field(held.from, held.until);
            let [odd, even] = self.shades();
            let (back, ink) = if place % 2 == 0 { odd } else { even };
            frame.fill_rectangle(area.position(), area.size(), back);
            let edge = canvas::Path::rectangle(area.position(), area.size());
            frame.stroke(&edge, canvas::Stroke::default().with_color(colours.accent).with_width(1.0));
            if let Some(name) = short(&escape(&held.name), look.px(16.0), area.width - 8.0) {
                let place = Point::new(area.x + 4.0, area.y + (high - look.px(20.0)) / 2.0);
                words_at(&mut frame, look, name, place, ink);
            }
        }
        for gap in &day.gaps {
            let area = field(gap.from, gap.until);
            let (back, ink) =
                if gap.barred { (colours.bad_tint, colours.bad) } else { (colours.page, colours.soft) };
            frame.fill_rectangle(area.position(), area.size(), back);
            hatch(&mut frame, area, if gap.barred { 6.0 } else { 12.0 }, ink);
            let edge = canvas::Path::rectangle(area.position(), area.size());
            frame.stroke(&edge, canvas::Stroke::default().with_color(ink).with_width(1.0));
        }
        // What is yet to come is left empty behind this line.
        if (day.between.0..day.between.1).contains(&now) {
            let x = at(day, now, wide);
            let line = canvas::Path::line(Point::new(x, top - 2.0), Point::new(x, top + high + 2.0));
            frame.stroke(&line, canvas::Stroke::default().with_color(colours.ink).with_width(2.0));
        }
        let size = look.px(6.0);
        let middle = top + high + marks / 2.0;
        for mark in &day.marks {
            let x = at(day, mark.at, wide).clamp(size, (wide - size).max(size));
            // Clean is round, forced is a ring, not clean is a triangle.
            if mark.clean {
                let dot = canvas::Path::circle(Point::new(x, middle), size * 0.75);
                if mark.forced {
                    frame.stroke(&dot, canvas::Stroke::default().with_color(colours.good).with_width(2.0));
                } else {
                    frame.fill(&dot, colours.good);
                }
            } else {
                let triangle = canvas::Path::new(|path| {
                    path.move_to(Point::new(x, middle - size * 1.4));
                    path.line_to(Point::new(x + size * 1.4, middle + size));
                    path.line_to(Point::new(x - size * 1.4, middle + size));
                    path.close();
                });
                frame.fill(&triangle, colours.bad);
            }
        }
        vec![frame.into_geometry()]
    }
}

/// Handoffs in each hour.
struct Hours<'a> {
    day: &'a Day,
    look: Look<'a>,
}

impl canvas::Program<Message> for Hours<'_> {
    type State = ();

    fn draw(
        &self,
        (): &(),
        renderer: &Renderer,
        _: &Theme,
        bounds: Rectangle,
        _: mouse::Cursor,
    ) -> Vec<canvas::Geometry> {
        let (look, colours) = (self.look, self.look.colours);
        let mut frame = canvas::Frame::new(renderer, bounds.size());
        let per_hour = &self.day.per_hour;
        let most = per_hour.iter().copied().max().unwrap_or(0);
        let head = look.px(HOURS);
        let said = if most == 0 { "per hour".to_owned() } else { format!("per hour, at most {most}") };
        let said =
            if width(&said, look.px(16.0), TEXT) > bounds.width { "per hour".to_owned() } else { said };
        words_at(&mut frame, look, said, Point::ORIGIN, colours.soft);
        #[expect(clippy::cast_precision_loss, reason = "a day has 25 hours at most")]
        let each = bounds.width / per_hour.len().max(1) as f32;
        let high = bounds.height - head - 2.0;
        for (place, count) in per_hour.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a day has 25 hours, and few handoffs in one")]
            let (left, part) = (place as f32 * each, *count as f32 / most.max(1) as f32 * high);
            let bar = Size::new((each - 1.0).max(1.0), part);
            frame.fill_rectangle(Point::new(left, bounds.height - 2.0 - part), bar, colours.accent);
        }
        let floor = Size::new(bounds.width, 1.0);
        frame.fill_rectangle(Point::new(0.0, bounds.height - 2.0), floor, colours.soft);
        vec![frame.into_geometry()]
    }
}
