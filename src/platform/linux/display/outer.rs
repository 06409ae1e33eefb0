//! The station's own display: the container in the shell's window, covering and uncovering, and when
//! somebody last touched the station.
//!
//! Below the shell's window lies a black curtain that is larger than any screen: a monitor that is
//! plugged in shows black before anybody here has heard of it. Whatever else appears on the display is
//! put below the shell's window.
//!
//! All of it goes through one thread with one connection; whoever asks waits for the answer with a
//! deadline, so that a display server that does not answer is an error and never a hang.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::screensaver;
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConfigureWindowAux, ConnectionExt, CreateWindowAux, EventMask, InputFocus,
    StackMode, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;

use super::BAR_HEIGHT;
use crate::platform::linux::clock::monotonic;
use crate::ports::{PortError, Result};

/// How long the display server may take to confirm (requirement L-03).
const CONFIRM: Duration = Duration::from_secs(1);
/// The curtain's width and height: as far as X's coordinates reach.
const EVERYWHERE: u16 = 32_767;

type Answer = std::result::Result<u64, String>;

enum Ask {
    Arrange,
    Attach(Window),
    Cover,
    Curtain,
    Fit,
    Idle,
    Show,
}

/// What is asked, until when somebody waits for it, and where the answer goes.
struct Asked {
    ask: Ask,
    until: Duration,
    answer: Sender<Answer>,
}

/// The station's own display.
pub struct Outer {
    asks: Mutex<Sender<Asked>>,
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
        let hands = Hands { connection, root, curtain: None, place: None };
        drop(std::thread::spawn(move || hands.work(&queue)));
        Ok(Self { asks: Mutex::new(asks), number, size })
    }

    /// Draws the curtain, and from now on keeps the shell's window over every monitor and above
    /// everything else.
    ///
    /// # Errors
    /// When the display server refuses or does not answer in time.
    pub fn guard(&self) -> Result<()> {
        let _ = self.ask(Ask::Curtain)?;
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let watch = Watch::begin()
            .map_err(|error| PortError(format!("hear of changes of the station's display: {error}")))?;
        drop(std::thread::spawn(move || watch.work(&asks)));
        Ok(())
    }

    /// Gives the container all of the shell's window below the bar, for the next session.
    ///
    /// # Errors
    /// When the display server does not confirm.
    pub fn fit(&self) -> Result<()> {
        self.ask(Ask::Fit).map(drop)
    }

    fn ask(&self, ask: Ask) -> Result<u64> {
        let (answer, answered) = channel();
        let asked = Asked { ask, until: monotonic().saturating_add(CONFIRM), answer };
        let sent = self.asks.lock().unwrap_or_else(PoisonError::into_inner).send(asked);
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

/// Hears of what changes on the display: its size, and the windows of others. On a connection of its
/// own, because the other one is spoken on by a thread that waits for what is asked.
struct Watch {
    connection: RustConnection,
}

impl Watch {
    fn begin() -> Anything<Self> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots.get(screen).ok_or("there is no screen")?.root;
        let mask = EventMask::STRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_NOTIFY;
        let heard = ChangeWindowAttributesAux::new().event_mask(mask);
        connection.change_window_attributes(root, &heard)?.check()?;
        Ok(Self { connection })
    }

    /// Runs until the display or the station is gone.
    fn work(self, asks: &Sender<Asked>) {
        while let Ok(event) = self.connection.wait_for_event() {
            let mut changed = is_change(&event);
            while let Ok(Some(event)) = self.connection.poll_for_event() {
                changed |= is_change(&event);
            }
            if !changed {
                continue;
            }
            let (answer, answered) = channel();
            let until = monotonic().saturating_add(CONFIRM);
            if asks.send(Asked { ask: Ask::Arrange, until, answer }).is_err() {
                return;
            }
            // One at a time, however many windows come and go: the answer is waited for.
            let _ = answered.recv_timeout(CONFIRM);
        }
    }
}

/// Whether this can have changed what lies above what, or how large the screen is.
fn is_change(event: &Event) -> bool {
    matches!(
        event,
        Event::CirculateNotify(_)
            | Event::ConfigureNotify(_)
            | Event::MapNotify(_)
            | Event::ReparentNotify(_)
    )
}

type Anything<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Hands {
    connection: RustConnection,
    root: Window,
    curtain: Option<Window>,
    place: Option<Place>,
}

/// The shell's window and the container in it.
#[derive(Clone, Copy)]
struct Place {
    shell: Window,
    container: Window,
}

impl Hands {
    fn work(mut self, queue: &Receiver<Asked>) {
        for Asked { ask, until, answer } in queue {
            let result = match ask {
                Ask::Arrange => self.arrange(),
                Ask::Curtain => self.draw_curtain(),
                Ask::Fit => self.fit(),
                // A display server that was silent for a while finds old wishes waiting. What hides the
                // session is done however late; what shows it only while somebody still waits for it.
                Ask::Show if until < monotonic() => Err("too late to show the session".into()),
                Ask::Attach(window) => self.attach(window),
                Ask::Cover => self.cover(),
                Ask::Idle => self.idle(),
                Ask::Show => self.show(),
            };
            let _ = answer.send(result.map_err(|error| format!("use the station's display: {error}")));
        }
    }

    fn attach(&mut self, shell: Window) -> Anything<u64> {
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
        self.place = Some(Place { shell, container });
        // What the session leaves bare is black at once, and not what stood there until the screens'
        // own thread has drawn.
        let black = ChangeWindowAttributesAux::new().background_pixel(0);
        self.connection.change_window_attributes(shell, &black)?.check()?;
        let _ = self.arrange()?;
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

    fn below_bar(&self, shell: Window) -> Anything<(u16, u16)> {
        let geometry = self.connection.get_geometry(shell)?.reply()?;
        Ok((geometry.width.max(1), geometry.height.saturating_sub(BAR_HEIGHT).max(1)))
    }

    /// The curtain: black, below the shell's window, over everything else.
    fn draw_curtain(&mut self) -> Anything<u64> {
        let curtain = self.connection.generate_id()?;
        let look = CreateWindowAux::new().background_pixel(0).border_pixel(0).override_redirect(1);
        let class = WindowClass::INPUT_OUTPUT;
        let created = self
            .connection
            .create_window(0, curtain, self.root, 0, 0, EVERYWHERE, EVERYWHERE, 0, class, 0, &look)?;
        created.check()?;
        self.connection.map_window(curtain)?.check()?;
        self.curtain = Some(curtain);
        Ok(0)
    }

    /// Puts the shell's window over the whole screen, which may have become another, and it and the
    /// curtain above whatever else is there. The session never grows: a monitor that comes while
    /// somebody works shows nothing of her session.
    fn arrange(&self) -> Anything<u64> {
        let whole = self.connection.get_geometry(self.root)?.reply()?;
        if let Some(place) = self.place {
            let shell = self.connection.get_geometry(place.shell)?.reply()?;
            if (shell.x, shell.y, shell.width, shell.height) != (0, 0, whole.width, whole.height) {
                let size = ConfigureWindowAux::new();
                let size = size.x(0).y(0).width(u32::from(whole.width)).height(u32::from(whole.height));
                self.connection.configure_window(place.shell, &size)?.check()?;
                let least = self.connection.get_geometry(place.container)?.reply()?;
                let (width, height) = self.below_bar(place.shell)?;
                self.resize(place, width.min(least.width), height.min(least.height))?;
            }
        }
        // Nothing is done where the order is right already: what this changes is heard of again.
        let ours: Vec<Window> = self.place.map(|place| place.shell).into_iter().chain(self.curtain).collect();
        let order = self.connection.query_tree(self.root)?.reply()?.children;
        if !order.iter().rev().take(ours.len()).eq(&ours) {
            for window in ours.iter().rev() {
                let top = ConfigureWindowAux::new().stack_mode(StackMode::ABOVE);
                self.connection.configure_window(*window, &top)?.check()?;
            }
        }
        Ok(0)
    }

    fn fit(&self) -> Anything<u64> {
        let place = self.place.ok_or("the shell's window is not there yet")?;
        let (width, height) = self.below_bar(place.shell)?;
        self.resize(place, width, height)?;
        Ok(0)
    }

    /// The container, and the nested display's window in it, which follows.
    fn resize(&self, place: Place, width: u16, height: u16) -> Anything<()> {
        let size = ConfigureWindowAux::new().width(u32::from(width)).height(u32::from(height));
        let inside = self.connection.query_tree(place.container)?.reply()?.children;
        for window in inside.into_iter().chain([place.container]) {
            // The nested display may be ending just now.
            let _ = self.connection.configure_window(window, &size)?.check();
        }
        Ok(())
    }

    fn cover(&self) -> Anything<u64> {
        if let Some(place) = self.place {
            let _sent = self.connection.unmap_window(place.container)?;
            // The bar, with her name and the titles of her windows, is the shell's own drawing: it goes
            // black too, and does not wait for the screens' own thread.
            let _sent = self.connection.clear_area(false, place.shell, 0, 0, 0, 0)?;
            let _sent =
                self.connection.set_input_focus(InputFocus::PARENT, place.shell, x11rb::CURRENT_TIME)?;
        }
        // The answer to any question proves that the server has done what came before it.
        let _ = self.connection.get_input_focus()?.reply()?;
        Ok(0)
    }

    fn show(&self) -> Anything<u64> {
        let place = self.place.ok_or("the shell's window is not there yet")?;
        let top = ConfigureWindowAux::new().stack_mode(StackMode::ABOVE);
        let _sent = self.connection.configure_window(place.container, &top)?;
        let _sent = self.connection.map_window(place.container)?;
        let inside = self.connection.query_tree(place.container)?.reply()?.children;
        let focus = inside.first().copied().unwrap_or(place.container);
        self.connection.set_input_focus(InputFocus::PARENT, focus, x11rb::CURRENT_TIME)?.check()?;
        Ok(0)
    }

    fn idle(&self) -> Anything<u64> {
        let info = screensaver::query_info(&self.connection, self.root)?.reply()?;
        Ok(u64::from(info.ms_since_user_input))
    }
}
