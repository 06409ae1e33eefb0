//! The icons: one set, drawn for 24 px with a stroke of 2, coloured by the palette; never alone, always with a word.

use iced::widget::svg;
use iced::{Color, Element};

/// An icon of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// An app without an icon of its own.
    App,
    /// A badge.
    Badge,
    /// Guides.
    Book,
    /// A calculator.
    Calculator,
    /// A chart.
    Chart,
    /// Something that has not begun.
    Circle,
    /// Time.
    Clock,
    /// Close; failed.
    Close,
    /// A filled dot.
    Dot,
    /// A page down; more to choose from.
    Down,
    /// The session ends.
    End,
    /// Go on.
    Enter,
    /// Take a digit back.
    Erase,
    /// Onto a medium.
    Export,
    /// A gauge.
    Gauge,
    /// The web.
    Globe,
    /// Pictures.
    Image,
    /// To know.
    Info,
    /// A key.
    Key,
    /// Back in time, or to the left.
    Left,
    /// The log.
    Log,
    /// Mail.
    Mail,
    /// To write.
    Pen,
    /// A person: in use.
    Person,
    /// Whom to call.
    Phone,
    /// Medicine.
    Pill,
    /// More.
    Plus,
    /// A badge on its reader.
    Reader,
    /// No reader.
    ReaderMissing,
    /// Again.
    Retry,
    /// On in time, or to the right.
    Right,
    /// Cleaning; starting.
    Ring,
    /// What is looked for.
    Search,
    /// Clean.
    ShieldTick,
    /// A terminal.
    Terminal,
    /// Done.
    Tick,
    /// A page up.
    Up,
    /// Not clean; care is needed.
    Warning,
    /// Being mended.
    Wrench,
}

impl Icon {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::App,
        Self::Badge,
        Self::Book,
        Self::Calculator,
        Self::Chart,
        Self::Circle,
        Self::Clock,
        Self::Close,
        Self::Dot,
        Self::Down,
        Self::End,
        Self::Enter,
        Self::Erase,
        Self::Export,
        Self::Gauge,
        Self::Globe,
        Self::Image,
        Self::Info,
        Self::Key,
        Self::Left,
        Self::Log,
        Self::Mail,
        Self::Pen,
        Self::Person,
        Self::Phone,
        Self::Pill,
        Self::Plus,
        Self::Reader,
        Self::ReaderMissing,
        Self::Retry,
        Self::Right,
        Self::Ring,
        Self::Search,
        Self::ShieldTick,
        Self::Terminal,
        Self::Tick,
        Self::Up,
        Self::Warning,
        Self::Wrench,
    ];

    /// Its name, as a policy writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Badge => "badge",
            Self::Book => "book",
            Self::Calculator => "calculator",
            Self::Chart => "chart",
            Self::Circle => "circle",
            Self::Clock => "clock",
            Self::Close => "close",
            Self::Dot => "dot",
            Self::Down => "down",
            Self::End => "end",
            Self::Enter => "enter",
            Self::Erase => "erase",
            Self::Export => "export",
            Self::Gauge => "gauge",
            Self::Globe => "globe",
            Self::Image => "image",
            Self::Info => "info",
            Self::Key => "key",
            Self::Left => "left",
            Self::Log => "log",
            Self::Mail => "mail",
            Self::Pen => "pen",
            Self::Person => "person",
            Self::Phone => "phone",
            Self::Pill => "pill",
            Self::Plus => "plus",
            Self::Reader => "reader",
            Self::ReaderMissing => "reader-missing",
            Self::Retry => "retry",
            Self::Right => "right",
            Self::Ring => "ring",
            Self::Search => "search",
            Self::ShieldTick => "shield-tick",
            Self::Terminal => "terminal",
            Self::Tick => "tick",
            Self::Up => "up",
            Self::Warning => "warning",
            Self::Wrench => "wrench",
        }
    }

    /// The icon of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|icon| icon.name() == name)
    }

    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::App => include_bytes!("../../assets/icons/app.svg"),
            Self::Badge => include_bytes!("../../assets/icons/badge.svg"),
            Self::Book => include_bytes!("../../assets/icons/book.svg"),
            Self::Calculator => include_bytes!("../../assets/icons/calculator.svg"),
            Self::Chart => include_bytes!("../../assets/icons/chart.svg"),
            Self::Circle => include_bytes!("../../assets/icons/circle.svg"),
            Self::Clock => include_bytes!("../../assets/icons/clock.svg"),
            Self::Close => include_bytes!("../../assets/icons/close.svg"),
            Self::Dot => include_bytes!("../../assets/icons/dot.svg"),
            Self::Down => include_bytes!("../../assets/icons/down.svg"),
            Self::End => include_bytes!("../../assets/icons/end.svg"),
            Self::Enter => include_bytes!("../../assets/icons/enter.svg"),
            Self::Erase => include_bytes!("../../assets/icons/erase.svg"),
            Self::Export => include_bytes!("../../assets/icons/export.svg"),
            Self::Gauge => include_bytes!("../../assets/icons/gauge.svg"),
            Self::Globe => include_bytes!("../../assets/icons/globe.svg"),
            Self::Image => include_bytes!("../../assets/icons/image.svg"),
            Self::Info => include_bytes!("../../assets/icons/info.svg"),
            Self::Key => include_bytes!("../../assets/icons/key.svg"),
            Self::Left => include_bytes!("../../assets/icons/left.svg"),
            Self::Log => include_bytes!("../../assets/icons/log.svg"),
            Self::Mail => include_bytes!("../../assets/icons/mail.svg"),
            Self::Pen => include_bytes!("../../assets/icons/pen.svg"),
            Self::Person => include_bytes!("../../assets/icons/person.svg"),
            Self::Phone => include_bytes!("../../assets/icons/phone.svg"),
            Self::Pill => include_bytes!("../../assets/icons/pill.svg"),
            Self::Plus => include_bytes!("../../assets/icons/plus.svg"),
            Self::Reader => include_bytes!("../../assets/icons/reader.svg"),
            Self::ReaderMissing => include_bytes!("../../assets/icons/reader-missing.svg"),
            Self::Retry => include_bytes!("../../assets/icons/retry.svg"),
            Self::Right => include_bytes!("../../assets/icons/right.svg"),
            Self::Ring => include_bytes!("../../assets/icons/ring.svg"),
            Self::Search => include_bytes!("../../assets/icons/search.svg"),
            Self::ShieldTick => include_bytes!("../../assets/icons/shield-tick.svg"),
            Self::Terminal => include_bytes!("../../assets/icons/terminal.svg"),
            Self::Tick => include_bytes!("../../assets/icons/tick.svg"),
            Self::Up => include_bytes!("../../assets/icons/up.svg"),
            Self::Warning => include_bytes!("../../assets/icons/warning.svg"),
            Self::Wrench => include_bytes!("../../assets/icons/wrench.svg"),
        }
    }

    /// The icon drawn `size` pixels wide and high.
    pub fn view<'a, Message: 'a>(self, size: f32, colour: Color) -> Element<'a, Message> {
        svg(svg::Handle::from_memory(self.bytes()))
            .width(size)
            .height(size)
            .style(move |_: &iced::Theme, _| svg::Style { color: Some(colour) })
            .into()
    }
}

/// The icon of an app, as the policy names it: one of the set, or the absolute path of an SVG file,
/// which keeps its own colours.
pub fn of_app<'a, Message: 'a>(icon: &str, size: f32, colour: Color) -> Element<'a, Message> {
    match Icon::named(icon) {
        Some(icon) => icon.view(size, colour),
        None if icon.starts_with('/') && icon.ends_with(".svg") => {
            svg(svg::Handle::from_path(icon)).width(size).height(size).into()
        }
        None => Icon::App.view(size, colour),
    }
}
