//! How it looks: three palettes whose text stands out by 7:1 or more, one grid of 8 px, one family of type.

use iced::widget::{button, container, scrollable};
use iced::{Background, Border, Color, Font, Shadow, Size, border, font};

use crate::driver::scene::Look;

/// The text font: Inter with tabular figures, see `assets/fonts/README.md`.
pub const TEXT: Font = Font::with_name("Cleanshift Sans");
/// The same, for what must stand out.
pub const STRONG: Font = Font { weight: font::Weight::Semibold, ..TEXT };
/// The font for what must line up: hashes, and what the command line prints.
pub const MONO: Font = Font::with_name("Cleanshift Mono");

/// The height of the bar above a session, in pixels, on every screen: the platform puts the
/// session's own display right below it.
pub const BAR: f32 = 64.0;

/// The embedded fonts, in the order in which they are loaded.
#[must_use]
pub fn fonts() -> [&'static [u8]; 3] {
    [
        include_bytes!("../../assets/fonts/CleanshiftSans-Regular.ttf"),
        include_bytes!("../../assets/fonts/CleanshiftSans-SemiBold.ttf"),
        include_bytes!("../../assets/fonts/CleanshiftMono-Regular.ttf"),
    ]
}

/// How much larger than on a 1280×800 screen everything below the bar is drawn: it is read at two
/// metres, so a larger screen shows larger letters, not more of them.
#[must_use]
pub fn scale(size: Size) -> f32 {
    (size.width / 1280.0).min(size.height / 800.0).clamp(1.0, 2.0)
}

/// A palette.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colours {
    /// Behind everything.
    pub page: Color,
    /// Cards, rows and keys.
    pub card: Color,
    /// A card while it is pressed.
    pub pressed: Color,
    /// Lines around cards.
    pub line: Color,
    /// How thick those lines are.
    pub stroke: f32,
    /// Text.
    pub ink: Color,
    /// Text that comes second.
    pub soft: Color,
    /// The primary action, and *in use*.
    pub accent: Color,
    /// The primary action while it is pressed.
    pub accent_pressed: Color,
    /// Text on the primary action.
    pub on_accent: Color,
    /// A field that belongs to the accent.
    pub accent_tint: Color,
    /// *Clean*.
    pub good: Color,
    /// A field that says *clean*.
    pub good_tint: Color,
    /// *Cleaning*, and what needs care.
    pub amber: Color,
    /// A field that says so.
    pub amber_tint: Color,
    /// *Not clean*.
    pub bad: Color,
    /// A field that says *not clean*.
    pub bad_tint: Color,
    /// The band that says *not clean* at two metres.
    pub bad_band: Color,
    /// Text on that band.
    pub on_bad_band: Color,
    /// The bar above a session.
    pub bar: Color,
    /// A marked button of the bar.
    pub bar_marked: Color,
    /// Text on the bar.
    pub on_bar: Color,
    /// Text on the bar that comes second.
    pub on_bar_soft: Color,
    /// Warnings on the bar.
    pub on_bar_amber: Color,
    /// The ring around what has the keyboard's focus.
    pub focus: Color,
    /// The same on the bar.
    pub bar_focus: Color,
}

impl Colours {
    /// The same with the bar of an emergency session, which nobody can take for another.
    #[must_use]
    pub fn in_emergency(self) -> Self {
        let dark =
            |colour: Color| Color { r: colour.r * 0.66, g: colour.g * 0.66, b: colour.b * 0.66, a: 1.0 };
        Self {
            bar: self.bad_band,
            bar_marked: dark(self.bad_band),
            on_bar: self.on_bad_band,
            on_bar_soft: self.on_bad_band,
            on_bar_amber: self.on_bad_band,
            bar_focus: self.on_bad_band,
            ..self
        }
    }
}

const fn rgb(hex: u32) -> Color {
    Color::from_rgb8((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// By day.
pub const LIGHT: Colours = Colours {
    page: rgb(0xF0_F3_F6),
    card: rgb(0xFF_FF_FF),
    pressed: rgb(0xDF_E6_EC),
    line: rgb(0xC5_CF_D8),
    stroke: 1.0,
    ink: rgb(0x0F_1D_29),
    soft: rgb(0x3C_4A_57),
    accent: rgb(0x0B_4A_7D),
    accent_pressed: rgb(0x08_36_5C),
    on_accent: rgb(0xFF_FF_FF),
    accent_tint: rgb(0xDF_EC_F7),
    good: rgb(0x0B_55_34),
    good_tint: rgb(0xDC_F2_E5),
    amber: rgb(0x66_3F_00),
    amber_tint: rgb(0xFD_EC_C8),
    bad: rgb(0x8A_12_1F),
    bad_tint: rgb(0xFC_E5_E6),
    bad_band: rgb(0x9C_13_21),
    on_bad_band: rgb(0xFF_FF_FF),
    bar: rgb(0x10_24_36),
    bar_marked: rgb(0x29_47_63),
    on_bar: rgb(0xFF_FF_FF),
    on_bar_soft: rgb(0xC8_D5_E1),
    on_bar_amber: rgb(0xFF_D4_86),
    focus: rgb(0x0B_4A_7D),
    bar_focus: rgb(0xFF_C2_47),
};

/// At night.
pub const DARK: Colours = Colours {
    page: rgb(0x0D_14_1B),
    card: rgb(0x18_22_2C),
    pressed: rgb(0x26_33_40),
    line: rgb(0x37_46_55),
    stroke: 1.0,
    ink: rgb(0xEF_F4_F8),
    soft: rgb(0xB8_C5_D1),
    accent: rgb(0x92_C8_FF),
    accent_pressed: rgb(0xC2_E0_FF),
    on_accent: rgb(0x06_20_38),
    accent_tint: rgb(0x15_2D_44),
    good: rgb(0x8A_E2_B1),
    good_tint: rgb(0x12_2F_22),
    amber: rgb(0xFF_D0_7D),
    amber_tint: rgb(0x36_28_0E),
    bad: rgb(0xFF_B0_B0),
    bad_tint: rgb(0x3D_18_1C),
    bad_band: rgb(0x5E_10_1A),
    on_bad_band: rgb(0xFF_F1_F1),
    bar: rgb(0x05_0A_0F),
    bar_marked: rgb(0x22_33_43),
    on_bar: rgb(0xF3_F7_FA),
    on_bar_soft: rgb(0xB8_C5_D1),
    on_bar_amber: rgb(0xFF_D0_7D),
    focus: rgb(0xFF_D0_7D),
    bar_focus: rgb(0xFF_D0_7D),
};

/// High contrast.
pub const CONTRAST: Colours = Colours {
    page: rgb(0x00_00_00),
    card: rgb(0x00_00_00),
    pressed: rgb(0x3A_3A_3A),
    line: rgb(0xFF_FF_FF),
    stroke: 2.0,
    ink: rgb(0xFF_FF_FF),
    soft: rgb(0xFF_FF_FF),
    accent: rgb(0xFF_E1_00),
    accent_pressed: rgb(0xFF_FF_FF),
    on_accent: rgb(0x00_00_00),
    accent_tint: rgb(0x00_00_00),
    good: rgb(0x7D_FF_B3),
    good_tint: rgb(0x00_00_00),
    amber: rgb(0xFF_D2_4A),
    amber_tint: rgb(0x00_00_00),
    bad: rgb(0xFF_A0_A0),
    bad_tint: rgb(0x00_00_00),
    bad_band: rgb(0xFF_A0_A0),
    on_bad_band: rgb(0x00_00_00),
    bar: rgb(0x1F_1F_1F),
    bar_marked: rgb(0x4D_4D_4D),
    on_bar: rgb(0xFF_FF_FF),
    on_bar_soft: rgb(0xFF_FF_FF),
    on_bar_amber: rgb(0xFF_D2_4A),
    focus: rgb(0x00_D7_FF),
    bar_focus: rgb(0x00_D7_FF),
};

impl Colours {
    /// The palette of a look.
    #[must_use]
    pub const fn of(look: Look) -> Self {
        match look {
            Look::Contrast => CONTRAST,
            Look::Dark => DARK,
            Look::Light => LIGHT,
        }
    }

    /// Every text colour with every field that it is set on, for the test of contrast.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, Color, Color)> {
        vec![
            ("ink on page", self.ink, self.page),
            ("ink on card", self.ink, self.card),
            ("ink on pressed", self.ink, self.pressed),
            ("soft on page", self.soft, self.page),
            ("soft on pressed", self.soft, self.pressed),
            ("soft on card", self.soft, self.card),
            ("ink on accent tint", self.ink, self.accent_tint),
            ("soft on accent tint", self.soft, self.accent_tint),
            ("on accent", self.on_accent, self.accent),
            ("on accent pressed", self.on_accent, self.accent_pressed),
            ("accent on card", self.accent, self.card),
            ("accent on page", self.accent, self.page),
            ("accent on its tint", self.accent, self.accent_tint),
            ("good on its tint", self.good, self.good_tint),
            ("good on page", self.good, self.page),
            ("good on card", self.good, self.card),
            ("amber on its tint", self.amber, self.amber_tint),
            ("amber on page", self.amber, self.page),
            ("amber on card", self.amber, self.card),
            ("ink on amber tint", self.ink, self.amber_tint),
            ("bad on its tint", self.bad, self.bad_tint),
            ("bad on page", self.bad, self.page),
            ("bad on card", self.bad, self.card),
            ("ink on bad tint", self.ink, self.bad_tint),
            ("on bad band", self.on_bad_band, self.bad_band),
            ("on bar", self.on_bar, self.bar),
            ("on bar marked", self.on_bar, self.bar_marked),
            ("on bar soft", self.on_bar_soft, self.bar),
            ("on bar amber", self.on_bar_amber, self.bar),
        ]
    }
}

/// The theme of a palette, for what iced draws by itself.
#[must_use]
pub fn theme(colours: Colours) -> iced::Theme {
    iced::Theme::custom(
        "Cleanshift",
        iced::theme::Palette {
            background: colours.page,
            text: colours.ink,
            primary: colours.accent,
            success: colours.good,
            warning: colours.amber,
            danger: colours.bad,
        },
    )
}

/// A field of one colour.
pub fn field(colour: Color, radius: f32) -> container::Style {
    container::Style {
        background: Some(Background::Color(colour)),
        border: border::rounded(radius),
        ..container::Style::default()
    }
}

/// A field of one colour with a line around it.
pub fn framed(colour: Color, line: Color, stroke: f32, radius: f32) -> container::Style {
    container::Style {
        background: Some(Background::Color(colour)),
        border: Border { color: line, width: stroke, radius: radius.into() },
        ..container::Style::default()
    }
}

/// What a button is for, which decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On the bar.
    Bar,
    /// On the bar, and its window is in front.
    BarMarked,
    /// On the bar: the one that ends the session.
    BarEnd,
    /// A key of the PIN pad, a tile, a row: a card that can be pressed.
    Card,
    /// A card that is open just now.
    CardMarked,
    /// The one primary action of a screen.
    Primary,
    /// Any other action.
    Quiet,
}

/// The look of a button.
#[must_use]
pub fn press(
    colours: Colours,
    kind: Kind,
    status: button::Status,
    focused: bool,
    radius: f32,
) -> button::Style {
    let pressed = status == button::Status::Pressed;
    let disabled = status == button::Status::Disabled;
    let (back, text, line, stroke) = match kind {
        // On the bar the button fills the bar for the finger; for the eye, a smaller field in it is
        // drawn by [`on_bar`].
        Kind::Bar | Kind::BarMarked | Kind::BarEnd => {
            let back = if pressed { colours.bar_marked } else { colours.bar };
            let text = if kind == Kind::BarEnd { colours.bar } else { colours.on_bar };
            (back, text, colours.bar, 0.0)
        }
        Kind::Card | Kind::CardMarked | Kind::Quiet if disabled => {
            (colours.page, colours.soft, colours.line, colours.stroke)
        }
        Kind::Primary if disabled => (colours.pressed, colours.soft, colours.pressed, 0.0),
        Kind::Card => (colours.card, colours.ink, colours.line, colours.stroke),
        Kind::CardMarked => (colours.accent_tint, colours.ink, colours.accent, 2.0),
        Kind::Primary if pressed => (colours.accent_pressed, colours.on_accent, colours.accent, 0.0),
        Kind::Primary => (colours.accent, colours.on_accent, colours.accent, 0.0),
        Kind::Quiet => (colours.card, colours.ink, colours.soft, 2.0),
    };
    let back = match kind {
        Kind::Card | Kind::CardMarked | Kind::Quiet if pressed => colours.pressed,
        Kind::Bar
        | Kind::BarMarked
        | Kind::BarEnd
        | Kind::Card
        | Kind::CardMarked
        | Kind::Primary
        | Kind::Quiet => back,
    };
    let border = match (focused, kind) {
        (true, Kind::Bar | Kind::BarMarked | Kind::BarEnd) => {
            Border { color: colours.bar_focus, width: 4.0, radius: radius.into() }
        }
        (true, Kind::Card | Kind::CardMarked | Kind::Primary | Kind::Quiet) => {
            Border { color: colours.page, width: 3.0, radius: radius.into() }
        }
        (false, _) => Border { color: line, width: stroke, radius: radius.into() },
    };
    button::Style {
        background: Some(Background::Color(back)),
        text_color: text,
        border,
        shadow: Shadow::default(),
        snap: true,
    }
}

/// The field that a button of the bar shows to the eye. `None` where there is only what it says.
#[must_use]
pub fn on_bar(colours: Colours, kind: Kind) -> Option<container::Style> {
    match kind {
        Kind::BarMarked => Some(field(colours.bar_marked, 8.0)),
        Kind::BarEnd => Some(field(colours.on_bar, 8.0)),
        Kind::Bar | Kind::Card | Kind::CardMarked | Kind::Primary | Kind::Quiet => None,
    }
}

/// The look of a list that scrolls: a broad rail that a glove can drag.
#[must_use]
pub fn scroll(colours: Colours) -> scrollable::Style {
    let rail = scrollable::Rail {
        background: Some(Background::Color(colours.page)),
        border: border::rounded(8),
        scroller: scrollable::Scroller {
            background: Background::Color(colours.soft),
            border: border::rounded(8),
        },
    };
    scrollable::Style {
        container: container::Style::default(),
        vertical_rail: rail,
        horizontal_rail: rail,
        gap: None,
        auto_scroll: scrollable::AutoScroll {
            background: Background::Color(colours.card),
            border: border::rounded(8),
            shadow: Shadow::default(),
            icon: colours.ink,
        },
    }
}
