//! Looking at a display from outside, and touching it: screenshots, keys, clicks.

use std::io;
use std::path::Path;
use std::time::Duration;

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::{DefaultStream, RustConnection};

use crate::platform::linux::display::cookie::PROTOCOL;

const KEY_PRESS: u8 = 2;
const KEY_RELEASE: u8 = 3;
const BUTTON_PRESS: u8 = 4;
const BUTTON_RELEASE: u8 = 5;
const MOTION: u8 = 6;
/// The keysym of the left Shift key.
const SHIFT: u32 = 0xffe1;

/// A display, looked at and touched from outside.
pub struct Screen {
    connection: RustConnection,
    root: u32,
    /// Its size in pixels.
    pub size: (u16, u16),
}

/// A screenshot: 8-bit RGB, rows from the top.
pub struct Shot {
    /// Width and height in pixels.
    pub size: (u16, u16),
    /// Red, green, blue; row after row.
    pub rgb: Vec<u8>,
}

fn failed(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("use the display: {error}"))
}

impl Screen {
    /// Connects to a display by its number and cookie.
    ///
    /// # Errors
    /// When the display refuses.
    pub fn open(number: u32, cookie: &[u8]) -> io::Result<Self> {
        let stream = std::os::unix::net::UnixStream::connect(format!("/tmp/.X11-unix/X{number}"))?;
        let (stream, _) = DefaultStream::from_unix_stream(stream)?;
        let connection =
            RustConnection::connect_to_stream_with_auth_info(stream, 0, PROTOCOL.to_vec(), cookie.to_vec())
                .map_err(failed)?;
        let screen = connection.setup().roots.first().ok_or_else(|| failed("there is no screen"))?;
        let (root, size) = (screen.root, (screen.width_in_pixels, screen.height_in_pixels));
        Ok(Self { connection, root, size })
    }

    /// What the screen shows.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn look(&self) -> io::Result<Shot> {
        self.part(0, 0, self.size.0, self.size.1)
    }

    /// What a part of the screen shows: a quick look.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn part(&self, x: i16, y: i16, width: u16, height: u16) -> io::Result<Shot> {
        let image =
            self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, height, u32::MAX);
        let data = image.map_err(failed)?.reply().map_err(failed)?.data;
        let rgb = data.chunks_exact(4).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        Ok(Shot { size: (width, height), rgb })
    }

    /// How large the screen is now: it grows with a monitor that is plugged in.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn size_now(&self) -> io::Result<(u16, u16)> {
        let whole = self.connection.get_geometry(self.root).map_err(failed)?.reply().map_err(failed)?;
        Ok((whole.width, whole.height))
    }

    /// Types text in ASCII; `\n` is Enter.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn type_text(&self, text: &str) -> io::Result<()> {
        for letter in text.chars() {
            self.key(if letter == '\n' { 0xff0d } else { u32::from(letter) })?;
        }
        Ok(())
    }

    /// Presses and releases the key with this keysym, with Shift where it needs it.
    ///
    /// # Errors
    /// When no key has it, or the display does not answer.
    pub fn key(&self, keysym: u32) -> io::Result<()> {
        let (code, shifted) = self.code(keysym)?;
        let shift = if shifted { Some(self.code(SHIFT)?.0) } else { None };
        if let Some(shift) = shift {
            self.fake(KEY_PRESS, shift, 0, 0)?;
        }
        self.fake(KEY_PRESS, code, 0, 0)?;
        self.fake(KEY_RELEASE, code, 0, 0)?;
        if let Some(shift) = shift {
            self.fake(KEY_RELEASE, shift, 0, 0)?;
        }
        std::thread::sleep(Duration::from_millis(15));
        Ok(())
    }

    /// Presses these keys one after the other, and releases them.
    ///
    /// # Errors
    /// When no key has one of these keysyms, or the display does not answer.
    pub fn chord(&self, keysyms: &[u32]) -> io::Result<()> {
        let codes: Vec<u8> =
            keysyms.iter().map(|keysym| Ok(self.code(*keysym)?.0)).collect::<io::Result<_>>()?;
        codes.iter().try_for_each(|code| self.fake(KEY_PRESS, *code, 0, 0))?;
        codes.iter().rev().try_for_each(|code| self.fake(KEY_RELEASE, *code, 0, 0))
    }

    /// Presses these keys, by their numbers on the keyboard, one after the other, and releases them.
    /// Keys that this keyboard does not have are left out.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn strike(&self, codes: &[u8]) -> io::Result<()> {
        let setup = self.connection.setup();
        let there = |code: &&u8| (setup.min_keycode..=setup.max_keycode).contains(*code);
        codes.iter().filter(there).try_for_each(|code| self.fake(KEY_PRESS, *code, 0, 0))?;
        codes.iter().filter(there).try_for_each(|code| self.fake(KEY_RELEASE, *code, 0, 0))
    }

    /// The key that has this keysym, and whether it needs Shift.
    fn code(&self, keysym: u32) -> io::Result<(u8, bool)> {
        let setup = self.connection.setup();
        let (least, most) = (setup.min_keycode, setup.max_keycode);
        let map = self.connection.get_keyboard_mapping(least, most - least + 1).map_err(failed)?;
        let map = map.reply().map_err(failed)?;
        let rows = || map.keysyms.chunks(usize::from(map.keysyms_per_keycode));
        let find = |column: usize| rows().position(|row| row.get(column) == Some(&keysym));
        let (place, shifted) = match (find(0), find(1)) {
            (Some(place), _) => (place, false),
            (None, Some(place)) => (place, true),
            (None, None) => return Err(failed(format!("no key types {keysym:#x}"))),
        };
        Ok((least + u8::try_from(place).map_err(failed)?, shifted))
    }

    /// Touches the screen at this point.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn touch(&self, x: i16, y: i16) -> io::Result<()> {
        self.fake(MOTION, 0, x, y)?;
        std::thread::sleep(Duration::from_millis(30));
        self.fake(BUTTON_PRESS, 1, 0, 0)?;
        std::thread::sleep(Duration::from_millis(30));
        self.fake(BUTTON_RELEASE, 1, 0, 0)
    }

    fn fake(&self, kind: u8, detail: u8, x: i16, y: i16) -> io::Result<()> {
        let sent = self.connection.xtest_fake_input(kind, detail, 0, self.root, x, y, 0).map_err(failed)?;
        sent.check().map_err(failed)
    }
}

impl Shot {
    /// Writes it as PNG.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = io::BufWriter::new(std::fs::File::create(path)?);
        let mut encoder = png::Encoder::new(file, u32::from(self.size.0), u32::from(self.size.1));
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.rgb)).map_err(failed)
    }

    /// How many pixels have exactly this colour.
    #[must_use]
    pub fn count(&self, colour: [u8; 3]) -> usize {
        self.rgb.chunks_exact(3).filter(|pixel| *pixel == colour).count()
    }

    /// The share of pixels that have exactly this colour, from 0 to 1.
    #[must_use]
    pub fn share(&self, colour: [u8; 3]) -> f64 {
        self.count(colour) as f64 / (self.rgb.len() / 3).max(1) as f64
    }

    /// Whether any pixel is like this colour: each channel no further away than `within`.
    #[must_use]
    pub fn has_like(&self, colour: [u8; 3], within: u8) -> bool {
        let near = |(one, other): (&u8, &u8)| one.abs_diff(*other) <= within;
        self.rgb.chunks_exact(3).any(|pixel| pixel.iter().zip(&colour).all(near))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_counted_and_found() {
        let shot = Shot { size: (2, 1), rgb: vec![10, 20, 30, 200, 0, 0] };
        assert_eq!(shot.count([200, 0, 0]), 1);
        assert!((shot.share([200, 0, 0]) - 0.5).abs() < f64::EPSILON);
        assert!(shot.has_like([12, 18, 30], 2));
        assert!(!shot.has_like([13, 20, 30], 2));
    }
}
