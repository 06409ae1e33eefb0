//! The demo by hand: the station in a window of this desktop, and beside it a tray of badges to click.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use iced::widget::{Space, button, column, container, row, text};
use iced::{Element, Length, Size, Task};

use super::provider::Provider;
use super::shift::PEOPLE;
use super::stage::Stage;
use super::tray::{self, Move, UNKNOWN};
use crate::ui::theme::{self, Colours, Kind};

/// The size of the station's screen.
const STATION: (u16, u16) = (1280, 800);
/// The size of the tray.
const TRAY: Size = Size::new(420.0, 560.0);
/// The tray's colours.
const COLOURS: Colours = theme::LIGHT;

/// Runs the demo until the tray or the station's window is closed; answers whether its log verifies.
///
/// # Errors
/// When the stage cannot be set, or the windows cannot be drawn.
pub fn run() -> io::Result<bool> {
    let mut stage = Stage::in_window(STATION)?;
    let policy = include_str!("../../../policies/demo.toml");
    let _ = stage.write_policy(policy, "127.0.0.1:8712")?;
    let provider = Provider::start(&stage)?;
    if let Some(provider) = &provider {
        let _ = stage.write_policy(&provider.in_policy(policy, true), "127.0.0.1:8712")?;
        println!("When a session opens, sign in at the example provider with any name.");
    }
    let badges = badges(&stage.enrol()?);
    stage.start_shell()?;
    println!("The station is in a window of its own; its badges are in the tray beside it.");
    println!("From another terminal: cleanshiftctl demo badge insert|remove NAME");
    let stage = Arc::new(Mutex::new(stage));
    let shared = Arc::clone(&stage);
    let boot = move || Tray { stage: Arc::clone(&shared), badges: badges.clone(), problem: None };
    iced::application(boot, Tray::update, Tray::view)
        .title("Cleanshift demo: badges")
        .theme(|_: &Tray| theme::theme(COLOURS))
        .subscription(|_: &Tray| iced::time::every(Duration::from_millis(500)).map(|_| Message::Look))
        .settings(iced::Settings {
            fonts: theme::fonts().map(Into::into).to_vec(),
            default_font: theme::TEXT,
            ..iced::Settings::default()
        })
        .window_size(TRAY)
        .run()
        .map_err(io::Error::other)?;
    let mut stage = lock(&stage);
    let _ = stage.stop_shell()?;
    let verified = stage.ctl(&["log", "verify"]).output()?;
    print!("{}", String::from_utf8_lossy(&verified.stdout));
    Ok(verified.status.success())
}

/// A badge of the tray.
#[derive(Clone)]
struct Badge {
    key: &'static str,
    whose: &'static str,
    what: String,
    uid: Vec<u8>,
}

/// The demo's badges, each with what to type.
fn badges(issued: &[(String, String)]) -> Vec<Badge> {
    let about = |key: &str| match PEOPLE.iter().find(|person| person.0 == key) {
        Some((_, name, role, _, _)) => {
            let pin = issued.iter().find(|row| row.0 == key).map_or("", |row| row.1.as_str());
            (*name, format!("{role} · one-time PIN {pin}"))
        }
        None => ("Bus card", "on nobody's roster".to_owned()),
    };
    let badge = |key| {
        let (whose, what) = about(key);
        Some(Badge { key, whose, what, uid: tray::uid(key).ok()? })
    };
    tray::names().filter_map(badge).collect()
}

struct Tray {
    stage: Arc<Mutex<Stage>>,
    badges: Vec<Badge>,
    problem: Option<String>,
}

#[derive(Clone, Debug)]
enum Message {
    /// Look whether the station still stands, and what lies on its readers.
    Look,
    /// A badge was clicked.
    Put(Move, &'static str),
}

fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tray {
    fn update(&mut self, message: Message) -> Task<Message> {
        match message {
            Message::Look => {
                if !lock(&self.stage).stands() {
                    return iced::exit();
                }
            }
            Message::Put(what, key) => {
                let put = tray::put(&lock(&self.stage).emulator, what, key);
                self.problem = put.err().map(|error| error.to_string());
            }
        }
        Task::none()
    }

    fn view(&self) -> Element<'_, Message> {
        let lying = lock(&self.stage).emulator.lying();
        let mut rows = column![
            text("Badges").size(26).font(theme::STRONG),
            text(
                "Click a badge to lay it on the station's reader, and again to take it away. \
                 After the one-time PIN the station asks for an own one, twice."
            )
            .size(15)
            .color(COLOURS.soft),
        ]
        .spacing(12);
        for badge in &self.badges {
            let lies = lying.iter().any(|uid| uid.as_ref() == Some(&badge.uid));
            rows = rows.push(face(badge, lies));
        }
        let problem = self.problem.as_deref().unwrap_or_default();
        rows = rows.push(text(problem).size(15).color(COLOURS.bad));
        container(rows).padding(24).into()
    }
}

/// A badge as it lies in the tray or, marked, on a reader.
fn face(badge: &Badge, lies: bool) -> Element<'_, Message> {
    let (what, kind, place) =
        if lies { (Move::Remove, Kind::CardMarked, "on the reader") } else { (Move::Insert, Kind::Card, "") };
    let note = if badge.key == UNKNOWN { COLOURS.soft } else { COLOURS.ink };
    let words =
        column![text(badge.whose).size(20).font(theme::STRONG), text(&badge.what).size(15).color(note),]
            .spacing(4);
    let inside = row![words, Space::new().width(Length::Fill), text(place).size(15).color(COLOURS.accent),]
        .align_y(iced::Alignment::Center);
    button(inside)
        .width(Length::Fill)
        .padding(16)
        .style(move |_, status| theme::press(COLOURS, kind, status, false, 12.0))
        .on_press(Message::Put(what, badge.key))
        .into()
}
