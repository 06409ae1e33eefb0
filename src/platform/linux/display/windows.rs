//! The windows of a session, seen over the nested display's own connection.
//!
//! What apps put into their titles and properties is hostile: everything read is bounded, and a
//! client that grabs the server only keeps this list from changing. Nothing in the shell waits for
//! it: the list is told as news, and raising or closing only sends.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ClientMessageEvent, ConnectionExt, EventMask, Window,
};
use x11rb::rust_connection::{DefaultStream, RustConnection};

use super::cookie;
use crate::ports::{PortError, Result};

x11rb::atom_manager! {
    /// The atoms in use (EWMH).
    pub(super) Atoms: AtomsCookie {
        _NET_ACTIVE_WINDOW,
        _NET_CLIENT_LIST,
        _NET_CLOSE_WINDOW,
        _NET_WM_NAME,
        _NET_WM_PID,
        UTF8_STRING,
    }
}

/// The longest title that is read, in 32-bit units: 256 bytes.
const TITLE: u32 = 64;
/// The most windows that are told.
const MOST: usize = 64;

/// A window as the nested display tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub window: u32,
    /// Its title, bounded, without control and bidi characters.
    pub title: String,
    /// The pid that its app claims, in the capsule's numbering. For attribution on the bar only.
    pub pid: u32,
    /// Whether it is in front.
    pub front: bool,
}

/// What the nested display tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The connection is gone: the server has died.
    Lost,
    /// The windows that stand now.
    Windows(Vec<Seen>),
}

/// The shell's connection into the nested display.
pub struct Windows {
    connection: Arc<RustConnection>,
    root: Window,
    atoms: Atoms,
}

impl Windows {
    /// Connects, and tells news from then on.
    ///
    /// # Errors
    /// When the nested display does not take the connection.
    pub fn watch(
        socket: &Path,
        number: u32,
        cookie: &[u8],
        news: Box<dyn Fn(News) + Send + Sync>,
    ) -> Result<Self> {
        let failed =
            |error: &dyn std::fmt::Display| PortError(format!("reach the nested display {number}: {error}"));
        let stream = UnixStream::connect(socket).map_err(|error| failed(&error))?;
        let (stream, _) = DefaultStream::from_unix_stream(stream).map_err(|error| failed(&error))?;
        let connection = RustConnection::connect_to_stream_with_auth_info(
            stream,
            0,
            cookie::PROTOCOL.to_vec(),
            cookie.to_vec(),
        )
        .map_err(|error| failed(&error))?;
        let atoms = Atoms::new(&connection)
            .map_err(|error| failed(&error))?
            .reply()
            .map_err(|error| failed(&error))?;
        let root = connection.setup().roots.first().map(|screen| screen.root);
        let root = root.ok_or_else(|| PortError::new("find the nested display's screen"))?;
        let connection = Arc::new(connection);
        let watcher = Watcher { connection: Arc::clone(&connection), root, atoms };
        watcher.follow(root).map_err(|error| failed(&error))?;
        drop(std::thread::spawn(move || watcher.work(&*news)));
        Ok(Self { connection, root, atoms })
    }

    /// Brings a window to the front.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn raise(&self, window: u32) -> Result<()> {
        self.send(window, self.atoms._NET_ACTIVE_WINDOW)
    }

    /// Asks a window to close.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn close(&self, window: u32) -> Result<()> {
        self.send(window, self.atoms._NET_CLOSE_WINDOW)
    }

    fn send(&self, window: u32, what: u32) -> Result<()> {
        // 2 in the first word: the request comes from a pager, which the window manager obeys.
        let words = if what == self.atoms._NET_ACTIVE_WINDOW { [2, 0, 0, 0, 0] } else { [0, 2, 0, 0, 0] };
        let message = ClientMessageEvent::new(32, window, what, words);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        let sent = self.connection.send_event(false, self.root, mask, message).map(drop);
        sent.and_then(|()| self.connection.flush())
            .map_err(|error| PortError(format!("reach the nested display: {error}")))
    }
}

struct Watcher {
    connection: Arc<RustConnection>,
    root: Window,
    atoms: Atoms,
}

type Anything<T> = std::result::Result<T, Box<dyn std::error::Error>>;

impl Watcher {
    fn work(self, news: &(dyn Fn(News) + Send + Sync)) {
        let mut told = Vec::new();
        let mut followed = Vec::new();
        loop {
            match self.look(&mut followed) {
                Ok(seen) if seen != told => {
                    told.clone_from(&seen);
                    news(News::Windows(seen));
                }
                // A window that went away while it was looked at: the next event tells.
                Ok(_) | Err(_) => {}
            }
            match self.next_change() {
                Ok(()) => {}
                Err(_) => break,
            }
        }
        news(News::Lost);
    }

    /// Waits for a change that matters, and takes all that have come with it.
    fn next_change(&self) -> Anything<()> {
        loop {
            let event = self.connection.wait_for_event()?;
            while self.connection.poll_for_event()?.is_some() {}
            if matches!(event, Event::PropertyNotify(_) | Event::DestroyNotify(_) | Event::UnmapNotify(_)) {
                return Ok(());
            }
        }
    }

    fn follow(&self, window: Window) -> Anything<()> {
        let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        self.connection.change_window_attributes(window, &mask)?.check()?;
        Ok(())
    }

    fn look(&self, followed: &mut Vec<Window>) -> Anything<Vec<Seen>> {
        let front = self.numbers(self.root, self.atoms._NET_ACTIVE_WINDOW, AtomEnum::WINDOW.into(), 1)?;
        let most = u32::try_from(MOST)?;
        let list = self.numbers(self.root, self.atoms._NET_CLIENT_LIST, AtomEnum::WINDOW.into(), most)?;
        followed.retain(|window| list.contains(window));
        let mut seen = Vec::new();
        for window in list {
            if !followed.contains(&window) && self.follow(window).is_ok() {
                followed.push(window);
            }
            let pid = self.numbers(window, self.atoms._NET_WM_PID, AtomEnum::CARDINAL.into(), 1);
            seen.push(Seen {
                window,
                title: self.title(window).unwrap_or_default(),
                pid: pid.ok().and_then(|pid| pid.first().copied()).unwrap_or(0),
                front: front.contains(&window),
            });
        }
        Ok(seen)
    }

    fn numbers(&self, window: Window, property: u32, kind: u32, most: u32) -> Anything<Vec<u32>> {
        let reply = self.connection.get_property(false, window, property, kind, 0, most)?.reply()?;
        Ok(reply.value32().into_iter().flatten().collect())
    }

    fn title(&self, window: Window) -> Anything<String> {
        let wide = self.connection.get_property(
            false,
            window,
            self.atoms._NET_WM_NAME,
            self.atoms.UTF8_STRING,
            0,
            TITLE,
        )?;
        let mut bytes = wide.reply()?.value;
        if bytes.is_empty() {
            let narrow =
                self.connection.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::STRING, 0, TITLE)?;
            bytes = narrow.reply()?.value;
        }
        Ok(String::from_utf8_lossy(&bytes).chars().filter(|letter| !is_disguise(*letter)).collect())
    }
}

/// Characters that can make a title look like another: controls and directions.
fn is_disguise(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The window manager inside: its command line and its configuration. Main windows fill the session
/// without decorations; there are no menus and no keys of its own that could lead anywhere.
#[must_use]
pub fn window_manager() -> (Vec<String>, String) {
    let command =
        ["/usr/bin/openbox", "--sm-disable", "--config-file", crate::platform::linux::root::WINDOW_MANAGER];
    (command.map(str::to_owned).to_vec(), OPENBOX.to_owned())
}

const OPENBOX: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
<focus><focusNew>yes</focusNew><followMouse>no</followMouse></focus>
<placement><policy>Smart</policy><center>yes</center></placement>
<theme><name>Clearlooks</name><titleLayout>L</titleLayout><keepBorder>no</keepBorder><animateIconify>no</animateIconify></theme>
<desktops><number>1</number><popupTime>0</popupTime></desktops>
<resize><popupShow>Never</popupShow></resize>
<keyboard></keyboard>
<mouse><dragThreshold>8</dragThreshold><doubleClickTime>200</doubleClickTime>
<context name="Client"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind></context>
<context name="Titlebar"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
<mousebind button="Left" action="Drag"><action name="Move"/></mousebind></context>
</mouse>
<menu></menu>
<applications>
<application type="normal"><decor>no</decor><maximized>yes</maximized><focus>yes</focus></application>
</applications>
</openbox_config>
"#;
