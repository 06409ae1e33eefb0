//! What a display keeps for programs: selections, by who owns them, and the cut buffers of its root.

use std::os::unix::net::UnixStream;
use std::path::Path;

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt, MapState, Window};
use x11rb::rust_connection::{DefaultStream, RustConnection};

use super::cookie;

/// Selections that programs leave text in.
pub const SELECTIONS: [&str; 3] = ["PRIMARY", "SECONDARY", "CLIPBOARD"];
/// How many cut buffers a root window may have.
const CUT_BUFFERS: u8 = 8;
/// The length of a cookie.
const COOKIE: usize = 16;

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

/// A display that can be asked what it keeps.
pub struct Kept {
    connection: RustConnection,
    root: Window,
}

/// One thing that a display keeps: its name, and what changes when it is replaced.
pub struct Thing {
    /// The selection's or cut buffer's name.
    pub name: String,
    /// The owner's window, or a hash of the content.
    pub state: String,
}

impl Kept {
    /// The display that the environment names.
    ///
    /// # Errors
    /// When it does not take the connection.
    pub fn open() -> Anything<Self> {
        let (connection, screen) = x11rb::connect(None)?;
        let root = connection.setup().roots.get(screen).ok_or("no screen")?.root;
        Ok(Self { connection, root })
    }

    /// The display behind this socket, with the cookie in this file.
    ///
    /// # Errors
    /// When it does not take the connection.
    pub fn behind(socket: &Path, cookie_file: &Path) -> Anything<Self> {
        // The cookie is the last field of the only entry.
        let file = std::fs::read(cookie_file)?;
        let key = file.len().checked_sub(COOKIE).and_then(|start| file.get(start..)).ok_or("no cookie")?;
        let (stream, _) = DefaultStream::from_unix_stream(UnixStream::connect(socket)?)?;
        let connection = RustConnection::connect_to_stream_with_auth_info(
            stream,
            0,
            cookie::PROTOCOL.to_vec(),
            key.to_vec(),
        )?;
        let root = connection.setup().roots.first().ok_or("no screen")?.root;
        Ok(Self { connection, root })
    }

    /// What it keeps now.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn things(&self) -> Anything<Vec<Thing>> {
        let mut found = Vec::new();
        for name in SELECTIONS {
            let owner = self.connection.get_selection_owner(self.atom(name)?)?.reply()?.owner;
            if owner != x11rb::NONE {
                found.push(Thing { name: name.to_owned(), state: owner.to_string() });
            }
        }
        for number in 0..CUT_BUFFERS {
            let name = format!("CUT_BUFFER{number}");
            let property = self.atom(&name)?;
            let asked = self.connection.get_property(false, self.root, property, AtomEnum::ANY, 0, 4096)?;
            let value = asked.reply()?.value;
            if !value.is_empty() {
                found.push(Thing { name, state: hash(&value) });
            }
        }
        Ok(found)
    }

    /// Whether a window is shown.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn shows(&self, window: Window) -> Anything<bool> {
        let attributes = self.connection.get_window_attributes(window)?.reply()?;
        Ok(attributes.map_state != MapState::UNMAPPED)
    }

    /// Takes selections from their owners and cut buffers from the root, by name.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn clear<'a>(&self, names: impl Iterator<Item = &'a str>) -> Anything<()> {
        for name in names {
            let atom = self.atom(name)?;
            if SELECTIONS.contains(&name) {
                self.connection.set_selection_owner(x11rb::NONE, atom, x11rb::CURRENT_TIME)?.check()?;
            } else {
                self.connection.delete_property(self.root, atom)?.check()?;
            }
        }
        Ok(())
    }

    fn atom(&self, name: &str) -> Anything<u32> {
        Ok(self.connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
    }
}

fn hash(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes)).chars().take(16).collect()
}
