//! Where the scenes come from, and the one window that they are shown in.

use std::hash::{Hash, Hasher};
use std::time::Instant;

use iced::futures::{Stream, StreamExt, stream};
use iced::theme::{Base as _, Style};
use iced::{Color, Point, Size, window};
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};

use super::{App, Message, theme};
use crate::driver::Wish;
use crate::driver::scene::Scene;
use crate::pin::PinPad;

/// A difference between two colours that no screen shows.
const UNSEEN: f32 = 1e-5;

/// Where the scenes come from. There is one such source, so all are the same subscription.
#[derive(Clone)]
pub(super) struct Scenes(watch::Receiver<Scene>);

impl Hash for Scenes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        "scenes".hash(state);
    }
}

impl Scenes {
    /// The newest scene at once, each new one when it comes, and the end.
    pub(super) fn stream(&self) -> impl Stream<Item = Message> + use<> {
        let mut scenes = self.0.clone();
        scenes.mark_changed();
        let shown = stream::unfold(scenes, |mut scenes| async move {
            scenes.changed().await.ok()?;
            let scene = Box::new(scenes.borrow_and_update().clone());
            Some((Message::Shown(scene, now()), scenes))
        });
        shown.chain(stream::once(async { Message::Over }))
    }
}

pub(super) fn alarm(at: &Instant) -> impl Stream<Item = Message> + use<> {
    let at = *at;
    stream::once(async move {
        tokio::time::sleep_until(at.into()).await;
        Message::Alarm(now().max(at))
    })
}

#[expect(clippy::disallowed_methods, reason = "how long ago a scene came is the screens' own business")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Opens the shell's one window at the origin of the display, without any window manager, and shows
/// scenes in it until their source ends. `system` is what the window needs of the system it is on.
///
/// # Errors
/// When no window can be opened on the display.
pub fn run(
    scenes: watch::Receiver<Scene>,
    wishes: mpsc::UnboundedSender<Wish>,
    pad: PinPad,
    (width, height): (f32, f32),
    system: window::settings::PlatformSpecific,
) -> iced::Result {
    let size = Size::new(width, height);
    let boot = move || {
        let scene = scenes.borrow().clone();
        let mut app = App::new(scene, now(), wishes.clone(), pad.clone(), size, TimeZone::system());
        app.scenes = Some(Scenes(scenes.clone()));
        let (_, opened) = window::open(window_settings(size, system.clone()));
        (app, opened.map(Message::Opened))
    };
    let settings = iced::Settings {
        id: Some("cleanshift".to_owned()),
        fonts: theme::fonts().map(Into::into).to_vec(),
        default_font: theme::TEXT,
        default_text_size: 20.0.into(),
        ..iced::Settings::default()
    };
    iced::daemon(boot, App::update, App::view_in)
        .title(|app: &App, _| app.scene.station.name.clone())
        .theme(|app: &App, _| app.theme())
        .style(|app: &App, theme| Style { background_color: app.background(), ..theme.base() })
        .subscription(App::subscription)
        .settings(settings)
        .run()
}

impl App {
    /// The window's background: the page's colour, twice. Where it is another than the last picture's, the
    /// renderer draws all of the window as one; where it is the same it draws what differs, and of two
    /// screens that have little in common that is dozens of parts, each of which costs nearly as much
    /// as the whole. No screen shows the two apart: they are far less than one step of 255 from each other.
    fn background(&self) -> Color {
        let page = self.colours.page;
        let red = if page.r > 0.5 { page.r - UNSEEN } else { page.r + UNSEEN };
        if self.turned { Color { r: red, ..page } } else { page }
    }
}

fn window_settings(size: Size, system: window::settings::PlatformSpecific) -> window::Settings {
    window::Settings {
        size,
        position: window::Position::Specific(Point::ORIGIN),
        decorations: false,
        resizable: false,
        exit_on_close_request: false,
        platform_specific: system,
        ..window::Settings::default()
    }
}
