//! The parts that screens are put together from: one way to write text, one way to be pressed.

use iced::advanced::graphics::text::Paragraph;
use iced::advanced::text::{LineHeight, Paragraph as _, Shaping, Wrapping};
use iced::widget::{button, column, container, row, space, text};
use iced::{Alignment, Color, Element, Font, Length, Padding, Pixels, Size};
use jiff::tz::TimeZone;

use super::icon::Icon;
use super::theme::{self, Colours, Kind, STRONG, TEXT};
use super::{Log, Message, words};
use crate::driver::scene::Scene;
use crate::evidence::escape;

/// What every screen draws with, beside its own part of the scene.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The shell's own clock, now.
    pub now_ms: u64,
    /// Wall-clock milliseconds (UTC), now.
    pub utc_ms: i64,
    /// Where the station stands.
    pub zone: &'a TimeZone,
    /// The palette.
    pub colours: Colours,
    /// The size of the window.
    pub size: Size,
    /// How much larger than on a 1280×800 screen everything is drawn.
    pub scale: f32,
    /// What has the keyboard's focus.
    pub focus: Option<&'a Message>,
    /// How many digits stand in the pad.
    pub typed: usize,
    /// The handoff log, as far as it was read.
    pub log: &'a Log,
    /// A reason for emergency access while it is typed.
    pub draft: Option<&'a str>,
    /// What could not be written, as a code for a phone.
    pub held: Option<&'a iced::widget::qr_code::Data>,
}

impl Look<'_> {
    /// A length on the grid, for this screen's size.
    #[must_use]
    pub fn px(&self, length: f32) -> f32 {
        (length * self.scale).round()
    }

    /// A wall-clock time here, by `strftime`'s pattern.
    #[must_use]
    pub fn time(&self, utc_ms: i64, pattern: &str) -> String {
        jiff::Timestamp::from_millisecond(utc_ms)
            .map(|at| at.to_zoned(self.zone.clone()).strftime(pattern).to_string())
            .unwrap_or_default()
    }

    /// The hour of the day here.
    #[must_use]
    pub fn hour(&self) -> i8 {
        jiff::Timestamp::from_millisecond(self.utc_ms)
            .map(|at| at.to_zoned(self.zone.clone()).hour())
            .unwrap_or_default()
    }

    /// Milliseconds until a moment on the shell's clock.
    #[must_use]
    pub fn until(&self, moment_ms: u64) -> u64 {
        moment_ms.saturating_sub(self.now_ms)
    }
}

/// A piece of text.
pub fn say<'a>(content: impl Into<String>, size: f32, font: Font, colour: Color) -> text::Text<'a> {
    // One line height for all sizes keeps lines of one row on one base.
    text(content.into()).size(size).font(font).color(colour).line_height(1.25)
}

/// Body text.
pub fn body<'a>(look: Look<'_>, content: impl Into<String>) -> text::Text<'a> {
    say(content, look.px(20.0), TEXT, look.colours.ink)
}

/// Text that comes second.
pub fn soft<'a>(look: Look<'_>, content: impl Into<String>) -> text::Text<'a> {
    say(content, look.px(20.0), TEXT, look.colours.soft)
}

/// A heading.
pub fn heading<'a>(look: Look<'_>, size: f32, content: impl Into<String>) -> text::Text<'a> {
    say(content, look.px(size), STRONG, look.colours.ink)
}

/// How wide a line of text is drawn, in pixels.
#[must_use]
pub fn width(content: &str, size: f32, font: Font) -> f32 {
    Paragraph::with_text(iced::advanced::Text {
        content,
        bounds: Size::INFINITE,
        size: Pixels(size),
        line_height: LineHeight::default(),
        font,
        align_x: iced::advanced::text::Alignment::Default,
        align_y: iced::alignment::Vertical::Top,
        shaping: Shaping::Auto,
        wrapping: Wrapping::None,
    })
    .min_bounds()
    .width
}

/// How high text is drawn that is broken into lines of this width, in pixels: as [`say`] draws it.
#[must_use]
pub fn high(content: &str, size: f32, font: Font, room: f32) -> f32 {
    Paragraph::with_text(iced::advanced::Text {
        content,
        bounds: Size::new(room, f32::INFINITY),
        size: Pixels(size),
        line_height: LineHeight::Relative(1.25),
        font,
        align_x: iced::advanced::text::Alignment::Default,
        align_y: iced::alignment::Vertical::Top,
        shaping: Shaping::Auto,
        wrapping: Wrapping::default(),
    })
    .min_bounds()
    .height
    .ceil()
}

/// The text, or as much of it as fits on a line of this width, with an ellipsis.
#[must_use]
pub fn fit(content: &str, size: f32, font: Font, room: f32) -> String {
    // Titles are others' text: what could never fit is not even measured.
    let chars: Vec<char> = escape(content).chars().take(160).collect();
    let whole: String = chars.iter().collect();
    if width(&whole, size, font) <= room {
        return whole;
    }
    let (mut fits, mut too_long) = (0, chars.len());
    while too_long - fits > 1 {
        let middle = usize::midpoint(fits, too_long);
        if width(&shortened(&chars, middle), size, font) <= room {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    shortened(&chars, fits)
}

fn shortened(chars: &[char], count: usize) -> String {
    let kept: String = chars.iter().take(count).collect();
    format!("{}…", kept.trim_end())
}

/// One line of text that never grows beyond its room.
pub fn line<'a>(content: &str, size: f32, font: Font, colour: Color, room: f32) -> Element<'a, Message> {
    say(fit(content, size, font, room), size, font, colour).wrapping(Wrapping::None).into()
}

/// The name under which a test finds the place that a finger presses.
#[must_use]
pub fn place_of(message: &Message) -> iced::widget::Id {
    iced::widget::Id::from(message.place())
}

/// Something that can be pressed. Everything that can be pressed is made here, so that all of it
/// has its place, its size and its ring of focus.
pub struct Touch<'a> {
    look: Look<'a>,
    kind: Kind,
    message: Option<Message>,
    name: Message,
    width: Length,
    height: Length,
    padding: Padding,
    radius: f32,
    letters: f32,
}

impl<'a> Touch<'a> {
    /// Sends `message` when pressed.
    pub fn new(look: Look<'a>, kind: Kind, message: Message) -> Self {
        Self {
            look,
            kind,
            name: message.clone(),
            message: Some(message),
            width: Length::Shrink,
            height: Length::Fixed(look.px(64.0)),
            padding: Padding::from([0.0, look.px(24.0)]),
            radius: look.px(12.0),
            letters: look.px(20.0),
        }
    }

    /// How large its letters are.
    #[must_use]
    pub fn letters(mut self, letters: f32) -> Self {
        self.letters = letters;
        self
    }

    /// How wide it is.
    #[must_use]
    pub fn width(mut self, width: impl Into<Length>) -> Self {
        self.width = width.into();
        self
    }

    /// How high it is.
    #[must_use]
    pub fn height(mut self, height: impl Into<Length>) -> Self {
        self.height = height.into();
        self
    }

    /// The room between its edge and what it says.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Whether it can be pressed just now.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.message = self.message.filter(|_| enabled);
        self
    }

    /// It, with what it says.
    pub fn holding<'b>(self, content: impl Into<Element<'b, Message>>) -> Element<'b, Message> {
        let Self { look, kind, message, name, width, height, padding, radius, letters: _ } = self;
        let (colours, focused) = (look.colours, look.focus == Some(&name));
        let ring = if focused { colours.focus } else { Color::TRANSPARENT };
        let on_bar = matches!(kind, Kind::Bar | Kind::BarMarked | Kind::BarEnd);
        let content: Element<'b, Message> = match theme::on_bar(colours, kind) {
            Some(style) => container(
                container(content)
                    .width(Length::Fill)
                    .center_y(Length::Fill)
                    .padding(padding)
                    .style(move |_| style),
            )
            .padding([8.0, 6.0])
            .into(),
            None if on_bar => container(content).padding(padding).center_y(Length::Fill).into(),
            None => content.into(),
        };
        let pressable = button(content)
            .width(width)
            .height(height)
            .padding(if on_bar { Padding::ZERO } else { padding })
            .on_press_maybe(message)
            .style(move |_, status| theme::press(colours, kind, status, focused, radius));
        let placed = container(pressable).id(place_of(&name));
        if on_bar {
            return placed.into();
        }
        // The ring has its room always, so that nothing moves when the focus does.
        let outer = if width == Length::Fill { Length::Fill } else { Length::Shrink };
        container(placed)
            .width(outer)
            .padding(4)
            .style(move |_| theme::framed(Color::TRANSPARENT, ring, 4.0, radius + 4.0))
            .into()
    }

    /// It, with one line in the middle.
    pub fn saying<'b>(self, content: impl Into<String>) -> Element<'b, Message> {
        let words = text(content.into()).size(self.letters).font(STRONG).wrapping(Wrapping::None);
        let (width, height) = (self.width, self.height);
        self.holding(container(words).center_x(width).center_y(height))
    }

    /// It, with an icon before the line.
    pub fn with_icon<'b>(self, icon: Icon, content: impl Into<String>) -> Element<'b, Message> {
        let look = self.look;
        let colour = match self.kind {
            Kind::Primary => look.colours.on_accent,
            Kind::Bar | Kind::BarMarked => look.colours.on_bar,
            Kind::BarEnd => look.colours.bar,
            Kind::Card | Kind::CardMarked | Kind::Quiet => look.colours.ink,
        };
        let words = text(content.into()).size(self.letters).font(STRONG).wrapping(Wrapping::None);
        let both = row![icon.view((self.letters * 1.2).round(), colour), words]
            .spacing(look.px(10.0))
            .align_y(Alignment::Center);
        let (width, height) = (self.width, self.height);
        self.holding(container(both).center_x(width).center_y(height))
    }
}

/// A state in colour, shape and word.
pub fn pill<'a>(
    look: Look<'_>,
    icon: Icon,
    content: impl Into<String>,
    colour: Color,
    tint: Color,
) -> Element<'a, Message> {
    let stroke = look.colours.stroke;
    let radius = look.px(12.0);
    // Where the tint is the page itself (high contrast), the line makes the field.
    container(
        row![icon.view(look.px(28.0), colour), say(content, look.px(20.0), STRONG, colour)]
            .spacing(look.px(12.0))
            .align_y(Alignment::Center),
    )
    .padding(Padding::from([look.px(12.0), look.px(16.0)]))
    .style(move |_| {
        if stroke > 1.0 { theme::framed(tint, colour, stroke, radius) } else { theme::field(tint, radius) }
    })
    .into()
}

/// An icon in a disc, to be seen from across the room.
pub fn disc<'a>(look: Look<'_>, icon: Icon, size: f32, colour: Color, tint: Color) -> Element<'a, Message> {
    let (size, stroke) = (look.px(size), look.colours.stroke);
    container(icon.view((size * 0.56).round(), colour))
        .center(size)
        .style(move |_| {
            if stroke > 1.0 {
                theme::framed(tint, colour, 3.0, size / 2.0)
            } else {
                theme::field(tint, size / 2.0)
            }
        })
        .into()
}

/// A card.
pub fn card<'a>(
    look: Look<'_>,
    padding: f32,
    content: impl Into<Element<'a, Message>>,
) -> container::Container<'a, Message> {
    let colours = look.colours;
    let radius = look.px(16.0);
    container(content)
        .padding(look.px(padding))
        .style(move |_| theme::framed(colours.card, colours.line, colours.stroke, radius))
}

/// A screen: station and clock above, the content, and a line beneath.
pub fn page<'a>(
    look: Look<'_>,
    content: impl Into<Element<'a, Message>>,
    beneath: Option<Element<'a, Message>>,
) -> Element<'a, Message> {
    let middle = container(content).width(Length::Fill).height(Length::Fill);
    let column = column![head(look), middle].spacing(look.px(16.0));
    container(if let Some(beneath) = beneath { column.push(beneath) } else { column })
        .padding(Padding::from([look.px(32.0), look.px(40.0)]))
        .width(Length::Fill)
        .height(Length::Fill)
        .into()
}

/// Where this station stands, and what time it is.
fn head<'a>(look: Look<'_>) -> Element<'a, Message> {
    let facts = &look.scene.station;
    let clock = column![
        say(look.time(look.utc_ms, "%H:%M"), look.px(64.0), STRONG, look.colours.ink).line_height(1.0),
        soft(look, look.time(look.utc_ms, "%A, %-d %B")),
    ]
    .spacing(look.px(4.0))
    .align_x(Alignment::End);
    let room = look.size.width - look.px(80.0) - look.px(300.0);
    let mut place =
        column![line(&facts.name, look.px(32.0), STRONG, look.colours.ink, room)].spacing(look.px(4.0));
    if !facts.place.is_empty() {
        place = place.push(line(&facts.place, look.px(20.0), TEXT, look.colours.soft, room));
    }
    if facts.demo {
        place = place.push(space::vertical().height(look.px(4.0))).push(demo(look));
    }
    row![place, space::horizontal(), clock].into()
}

/// The mark of a demo.
fn demo<'a>(look: Look<'_>) -> Element<'a, Message> {
    let (colours, radius) = (look.colours, look.px(8.0));
    container(say(words::DEMO, look.px(18.0), STRONG, colours.amber))
        .padding(Padding::from([look.px(4.0), look.px(12.0)]))
        .style(move |_| theme::framed(colours.amber_tint, colours.amber, colours.stroke, radius))
        .into()
}

/// The line beneath: whom to call.
pub fn whom_to_call<'a>(look: Look<'_>) -> Element<'a, Message> {
    let help = &look.scene.station.help;
    if help.is_empty() {
        return space::horizontal().width(Length::Shrink).into();
    }
    row![Icon::Phone.view(look.px(24.0), look.colours.soft), soft(look, escape(help))]
        .spacing(look.px(12.0))
        .align_y(Alignment::Center)
        .into()
}
