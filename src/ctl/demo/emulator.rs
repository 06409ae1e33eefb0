//! Badges without badges: plays cards into vpcd's virtual reader, so that everything from the card
//! service on is the real path.
//!
//! vpcd speaks first: two bytes of length, then either one byte of control (0 off, 1 on, 2 reset,
//! 4 "answer to reset?") or a command for the card. Connecting is inserting, closing is removing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a card does when it is asked who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// It answers something that is no identifier.
    Garbled,
    /// It answers.
    Honest,
    /// It never answers.
    Mute,
    /// It is pulled away in that moment.
    Pulled,
}

/// The answer to reset of a contactless card (PC/SC part 3).
const ATR: [u8; 20] = [
    0x3b, 0x8f, 0x80, 0x01, 0x80, 0x4f, 0x0c, 0xa0, 0x00, 0x00, 0x03, 0x06, 0x03, 0x00, 0x01, 0, 0, 0, 0,
    0x6a,
];
/// How long until a badge that still lies there is noticed by a card service that was started anew.
const AGAIN: Duration = Duration::from_millis(100);

/// Plays cards into the two slots of one virtual reader.
pub struct Emulator {
    port: u16,
    slots: Mutex<[Option<Card>; 2]>,
}

/// A card that lies on a slot, until it is removed.
struct Card {
    uid: Vec<u8>,
    line: Arc<Mutex<Line>>,
}

/// A card's connection. It breaks when the card service dies, and is made again while the card lies there.
#[derive(Default)]
struct Line {
    removed: bool,
    stream: Option<TcpStream>,
}

impl Emulator {
    /// An emulator for the reader whose first slot listens on `port`, the second on the next.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { port, slots: Mutex::default() }
    }

    /// Lays a card with this identifier on a slot, in place of what lay there. It lies there until it
    /// is removed, even when the card service dies meanwhile.
    ///
    /// # Errors
    /// When the reader does not listen, or the slot does not exist.
    pub fn insert(&self, slot: usize, uid: &[u8], temper: Temper) -> io::Result<()> {
        let mut slots = lock(&self.slots);
        let place = slots.get_mut(slot).ok_or_else(|| io::Error::other("there are two slots, 0 and 1"))?;
        drop(place.take());
        let port = self.port + u16::try_from(slot).map_err(io::Error::other)?;
        let line = Arc::new(Mutex::new(Line::default()));
        let stream = connect(port, &line)?;
        let (shared, number) = (Arc::clone(&line), uid.to_vec());
        drop(std::thread::spawn(move || lie(stream, port, &shared, &number, temper)));
        *place = Some(Card { uid: uid.to_vec(), line });
        Ok(())
    }

    /// Takes the card off a slot.
    pub fn remove(&self, slot: usize) {
        drop(lock(&self.slots).get_mut(slot).and_then(Option::take));
    }

    /// The identifiers of the cards that lie on the slots.
    #[must_use]
    pub fn lying(&self) -> [Option<Vec<u8>>; 2] {
        let slots = lock(&self.slots);
        std::array::from_fn(|slot| slots.get(slot)?.as_ref().map(|card| card.uid.clone()))
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        let mut line = lock(&self.line);
        line.removed = true;
        if let Some(stream) = line.stream.take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(port: u16, line: &Mutex<Line>) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut line = lock(line);
    if line.removed {
        return Err(io::Error::other("the card was removed meanwhile"));
    }
    line.stream = Some(stream.try_clone()?);
    Ok(stream)
}

/// Lies on the slot until the card is removed.
fn lie(stream: TcpStream, port: u16, line: &Mutex<Line>, uid: &[u8], temper: Temper) {
    let mut stream = Some(stream);
    loop {
        if let Some(stream) = &mut stream {
            let _ = play(stream, uid, temper);
            let _ = stream.shutdown(Shutdown::Both);
        }
        if temper == Temper::Pulled || lock(line).removed {
            return;
        }
        std::thread::sleep(AGAIN);
        stream = connect(port, line).ok();
    }
}

fn play(card: &mut TcpStream, uid: &[u8], temper: Temper) -> io::Result<()> {
    loop {
        // vpcd sends the length and the rest in two writes: without this each message would wait for
        // a delayed acknowledgement, some 40 ms.
        rustix::net::sockopt::set_tcp_quickack(&*card, true)?;
        let mut length = [0; 2];
        card.read_exact(&mut length)?;
        rustix::net::sockopt::set_tcp_quickack(&*card, true)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        card.read_exact(&mut message)?;
        match message.as_slice() {
            [4] => answer(card, &ATR)?,
            [_] => {}
            _ if temper == Temper::Mute => {}
            _ if temper == Temper::Pulled => return Ok(()),
            _ if temper == Temper::Garbled => answer(card, &[0x00, 0x6f])?,
            [0xff, 0xca, 0x00, 0x00, ..] => answer(card, &[uid, &[0x90, 0x00]].concat())?,
            _ => answer(card, &[0x6d, 0x00])?,
        }
    }
}

fn answer(card: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    card.write_all(&[&length.to_be_bytes()[..], bytes].concat())
}
