//! The station's own display: the container in the shell's window, covering and uncovering, and when
//! somebody last touched the station.
//!
//! All of it goes through one thread with one connection; whoever asks waits for the answer with a
//! deadline, so that a display server that does not answer is an error and never a hang.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use x11rb::connection::Connection;
use x11rb::protocol::screensaver;
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConfigureWindowAux, ConnectionExt, CreateWindowAux, InputFocus, StackMode,
    Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use super::BAR_HEIGHT;
use crate::ports::{PortError, Result};

/// How long the display server may take to confirm (requirement L-03).
const CONFIRM: Duration = Duration::from_secs(1);

type Answer = std::result::Result<u64, String>;

enum Ask {
    Attach(Window),
    Cover,
    Idle,
    Show,
}

/// The station's own display.
pub struct Outer {
    asks: Mutex<Sender<(Ask, Sender<Answer>)>>,
    /// Its number.
    pub number: u32,
    /// The size of its screen, in pixels.
    pub size: (u16, u16),
}

impl Outer {
    /// Connects to the display that the environment names.
    ///
    /// # Errors
    /// When there is none or it refuses.
    pub fn open() -> Result<Self> {
        let (connection, screen) = x11rb::connect(None)
            .map_err(|error| PortError(format!("reach the station's display: {error}")))?;
        let number = x11rb_protocol_display()
            .ok_or_else(|| PortError::new("tell the number of the station's display"))?;
        let root = connection.setup().roots.get(screen).ok_or_else(|| PortError::new("find the screen"))?;
        let size = (root.width_in_pixels, root.height_in_pixels);
        let root = root.root;
        let (asks, queue) = channel();
        drop(std::thread::spawn(move || Hands { connection, root, place: None }.work(&queue)));
        Ok(Self { asks: Mutex::new(asks), number, size })
    }

    fn ask(&self, ask: Ask) -> Result<u64> {
        let (answer, answered) = channel();
        let sent = self.asks.lock().unwrap_or_else(PoisonError::into_inner).send((ask, answer));
        sent.map_err(|_| PortError::new("reach the station's display"))?;
        match answered.recv_timeout(CONFIRM) {
            Ok(answer) => answer.map_err(PortError),
            Err(_) => Err(PortError::new("hear from the station's display in time")),
        }
    }

    /// Makes the container in the shell's window, below the bar. Answers its id.
    ///
    /// # Errors
    /// When the display server refuses or does not answer in time.
    pub fn attach(&self, window: u32) -> Result<u32> {
        self.ask(Ask::Attach(window)).map(|id| u32::try_from(id).unwrap_or(0))
    }

    /// Hides the session and takes the keyboard from it; returns when the display server confirms.
    ///
    /// # Errors
    /// When it does not.
    pub fn cover(&self) -> Result<()> {
        self.ask(Ask::Cover).map(drop)
    }

    /// Shows the session and gives it the keyboard.
    ///
    /// # Errors
    /// When the display server does not confirm.
    pub fn show(&self) -> Result<()> {
        self.ask(Ask::Show).map(drop)
    }

    /// How long ago the last input was.
    ///
    /// # Errors
    /// When the display server does not say.
    pub fn since_input(&self) -> Result<Duration> {
        self.ask(Ask::Idle).map(Duration::from_millis)
    }
}

/// The number in `DISPLAY`: `:12.0` is 12.
fn x11rb_protocol_display() -> Option<u32> {
    #[expect(clippy::disallowed_methods, reason = "the display is named by the environment")]
    let name = std::env::var("DISPLAY").ok()?;
    let (_, number) = name.rsplit_once(':')?;
    number.split('.').next()?.parse().ok()
}

struct Hands {
    connection: RustConnection,
    root: Window,
    place: Option<Place>,
}

/// The shell's window and the container in it.
#[derive(Clone, Copy)]
struct Place {
    shell: Window,
    container: Window,
}

impl Hands {
    fn work(mut self, queue: &Receiver<(Ask, Sender<Answer>)>) {
        for (ask, answer) in queue {
            let result = match ask {
                Ask::Attach(window) => self.attach(window),
                Ask::Cover => self.cover(),
                Ask::Idle => self.idle(),
                Ask::Show => self.show(),
            };
            let _ = answer.send(result.map_err(|error| format!("use the station's display: {error}")));
        }
    }

    fn attach(&mut self, shell: Window) -> std::result::Result<u64, Box<dyn std::error::Error>> {
        let container = match self.place {
            Some(place) if place.shell == shell => place.container,
            Some(_) | None => {
                let (width, height) = self.below_bar(shell)?;
                let container = self.connection.generate_id()?;
                let black = CreateWindowAux::new().background_pixel(0).border_pixel(0);
                let top = i16::try_from(BAR_HEIGHT)?;
                self.connection
                    .create_window(
                        0,
                        container,
                        shell,
                        0,
                        top,
                        width,
                        height,
                        0,
                        WindowClass::INPUT_OUTPUT,
                        0,
                        &black,
                    )?
                    .check()?;
                container
            }
        };
        // What the container uncovers when it goes is painted by the server itself: a window without a
        // background would keep the session's pixels until the shell has drawn again.
        let ground = ChangeWindowAttributesAux::new().background_pixel(0);
        self.connection.change_window_attributes(shell, &ground)?.check()?;
        self.place = Some(Place { shell, container });
        // Without a window manager nobody else gives the shell the keyboard. A window that is not
        // mapped yet cannot have it: it is tried until it is.
        for _ in 0..40 {
            let focus = self.connection.set_input_focus(InputFocus::PARENT, shell, x11rb::CURRENT_TIME)?;
            if focus.check().is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(u64::from(container))
    }

    fn below_bar(&self, shell: Window) -> std::result::Result<(u16, u16), Box<dyn std::error::Error>> {
        let geometry = self.connection.get_geometry(shell)?.reply()?;
        Ok((geometry.width.max(1), geometry.height.saturating_sub(BAR_HEIGHT).max(1)))
    }

    fn cover(&self) -> std::result::Result<u64, Box<dyn std::error::Error>> {
        if let Some(place) = self.place {
            let _sent = self.connection.unmap_window(place.container)?;
            let _sent =
                self.connection.set_input_focus(InputFocus::PARENT, place.shell, x11rb::CURRENT_TIME)?;
        }
        // The answer to any question proves that the server has done what came before it.
        let _ = self.connection.get_input_focus()?.reply()?;
        Ok(0)
    }

    fn show(&self) -> std::result::Result<u64, Box<dyn std::error::Error>> {
        let place = self.place.ok_or("the shell's window is not there yet")?;
        let (width, height) = self.below_bar(place.shell)?;
        let size = ConfigureWindowAux::new()
            .width(u32::from(width))
            .height(u32::from(height))
            .stack_mode(StackMode::ABOVE);
        let _sent = self.connection.configure_window(place.container, &size)?;
        let _sent = self.connection.map_window(place.container)?;
        let inside = self.connection.query_tree(place.container)?.reply()?.children;
        let focus = inside.first().copied().unwrap_or(place.container);
        self.connection.set_input_focus(InputFocus::PARENT, focus, x11rb::CURRENT_TIME)?.check()?;
        Ok(0)
    }

    fn idle(&self) -> std::result::Result<u64, Box<dyn std::error::Error>> {
        let info = screensaver::query_info(&self.connection, self.root)?.reply()?;
        Ok(u64::from(info.ms_since_user_input))
    }
}
