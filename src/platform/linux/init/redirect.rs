//! The station's own address inside a capsule: hands the browser a page of a provider, once, and takes
//! note when a provider sends it back.
//!
//! It is bound before any app starts, so that none can have it, and only where the capsule has a network
//! of its own: on the host nothing listens. Every program and every page of the session can call it.
//! What it is told is therefore passed on and never believed: whoever asked checks state and PKCE.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use super::protocol::{Offer, is_return};
use crate::platform::linux::clock::monotonic;
pub use crate::policy::REDIRECT;
use crate::ports::Secret;

/// Below this path, with its number, a page is handed out.
const GO: &str = "/go/";
/// The most pages that wait to be handed out.
const WAITING: usize = 8;
/// The most visitors at a time: one more sends the oldest away.
const VISITORS: usize = 32;
/// How long a visitor may take for its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request that is read.
const LONGEST: usize = 24 * 1024;
/// How much is read at once.
const PART: usize = 4096;
/// The most headers of a request.
const HEADERS: usize = 64;
/// So many returns within [`WINDOW`] are told, and no more.
const RETURNS: usize = 20;
/// The time over which returns are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// The address, as PID 1 holds it.
pub(super) struct Redirect {
    offers: Arc<Mutex<Offers>>,
}

/// The pages that wait, and where the browser goes after the last sign-in.
#[derive(Default)]
struct Offers {
    waiting: VecDeque<Offer>,
    start: Option<String>,
}

impl Redirect {
    /// Listens at [`REDIRECT`]. What comes back from a provider goes to `told`.
    pub(super) fn listen(told: impl Fn(Secret) + Send + 'static) -> Result<Self, String> {
        let listener = TcpListener::bind(REDIRECT);
        let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
        listener
            .and_then(|listener| Self::on(listener, told))
            .map_err(|error| format!("listen at {REDIRECT} inside the capsule: {error}"))
    }

    fn on(listener: TcpListener, told: impl Fn(Secret) + Send + 'static) -> std::io::Result<Self> {
        let offers = Arc::<Mutex<Offers>>::default();
        let desk = Desk { offers: Arc::clone(&offers), told, returns: VecDeque::new() };
        drop(std::thread::Builder::new().spawn(move || serve(&listener, desk))?);
        Ok(Self { offers })
    }

    /// From now on this page is handed out, once.
    pub(super) fn offer(&self, offer: Offer) {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain(offer.address.expose()) || offer.start.as_deref().is_some_and(|start| !plain(start)) {
            return;
        }
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers.start.clone_from(&offer.start);
        if offers.waiting.len() >= WAITING {
            let _ = offers.waiting.pop_front();
        }
        offers.waiting.push_back(offer);
    }
}

/// A visitor who has not said all yet.
struct Visitor {
    stream: TcpStream,
    heard: Zeroizing<Vec<u8>>,
    until: Duration,
}

/// Serves for as long as the capsule stands: all visitors at once, so that a slow one holds up nobody.
fn serve<T: Fn(Secret)>(listener: &TcpListener, mut desk: Desk<T>) {
    let mut visitors: VecDeque<Visitor> = VecDeque::new();
    loop {
        let now = monotonic();
        visitors.retain(|visitor| visitor.until > now);
        let wait = visitors.iter().map(|visitor| visitor.until.saturating_sub(now)).min().map(timespec);
        let mut watched: Vec<PollFd<'_>> =
            visitors.iter().map(|visitor| PollFd::new(&visitor.stream, PollFlags::IN)).collect();
        watched.push(PollFd::new(listener, PollFlags::IN));
        if poll(&mut watched, wait.as_ref()).is_err() {
            // Interrupted, or short of memory: looked at anew.
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let mut ready: Vec<bool> = watched.iter().map(|watched| !watched.revents().is_empty()).collect();
        let somebody = ready.pop().unwrap_or(false);
        for (mut visitor, ready) in std::mem::take(&mut visitors).into_iter().zip(ready) {
            if !ready || desk.hear(&mut visitor) {
                visitors.push_back(visitor);
            }
        }
        if !somebody {
            continue;
        }
        let came = listener.accept().and_then(|(stream, _)| stream.set_nonblocking(true).map(|()| stream));
        if let Ok(stream) = came {
            if visitors.len() >= VISITORS {
                let _ = visitors.pop_front();
            }
            // With room for all that is read, so that it never moves and leaves a copy.
            let heard = Zeroizing::new(Vec::with_capacity(LONGEST + PART));
            visitors.push_back(Visitor { stream, heard, until: monotonic().saturating_add(PATIENCE) });
        } else {
            // Whoever came is gone again, or there is no room: not tried again at once.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

/// Whoever answers.
struct Desk<T> {
    offers: Arc<Mutex<Offers>>,
    told: T,
    /// When the last returns were told.
    returns: VecDeque<Duration>,
}

impl<T: Fn(Secret)> Desk<T> {
    /// Hears what a visitor says; whether there is more to come.
    fn hear(&mut self, visitor: &mut Visitor) -> bool {
        let mut part = Zeroizing::new([0; PART]);
        match visitor.stream.read(&mut part[..]) {
            Ok(0) => return false,
            Ok(read) => visitor.heard.extend_from_slice(part.get(..read).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return true;
            }
            Err(_) => return false,
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let answer = match request.parse(&visitor.heard) {
            Ok(httparse::Status::Partial) if visitor.heard.len() < LONGEST => return true,
            Ok(httparse::Status::Partial) => page("431 Request Header Fields Too Large", "This is too long."),
            Ok(httparse::Status::Complete(_)) if request.method != Some("GET") => {
                page("405 Method Not Allowed", "This address is only for reading.")
            }
            Ok(httparse::Status::Complete(_)) if !navigates(request.headers) => {
                page("403 Forbidden", "This address is only for pages.")
            }
            Ok(httparse::Status::Complete(_)) => self.answer(request.path.unwrap_or_default()),
            Err(_) => page("400 Bad Request", "This cannot be understood."),
        };
        // The answer fits what the kernel takes at once; whoever does not take it goes without.
        let _ = visitor.stream.write_all(answer.as_bytes());
        let _ = visitor.stream.shutdown(std::net::Shutdown::Write);
        false
    }

    fn answer(&mut self, path: &str) -> Zeroizing<String> {
        if let Some(nonce) = path.strip_prefix(GO) {
            let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
            let place = offers.waiting.iter().position(|offer| offer.nonce == nonce);
            return match place.and_then(|place| offers.waiting.remove(place)) {
                Some(offer) => redirect(offer.address.expose()),
                None => page("410 Gone", "This page was shown already."),
            };
        }
        if !is_return(path) {
            return page("404 Not Found", "There is nothing here.");
        }
        let now = monotonic();
        self.returns.retain(|at| now.saturating_sub(*at) < WINDOW);
        if self.returns.len() >= RETURNS {
            return page("429 Too Many Requests", "Please try again in a moment.");
        }
        self.returns.push_back(now);
        (self.told)(Secret::new(path));
        let (way, query) = path.split_once('?').unwrap_or((path, ""));
        let refused = query.split('&').any(|part| part.starts_with("error="));
        let start = self.offers.lock().unwrap_or_else(PoisonError::into_inner).start.clone();
        match (way, start) {
            ("/signed-out", _) => page("200 OK", "You are signed out."),
            (_, _) if refused => page("200 OK", "You were not signed in."),
            (_, Some(start)) => redirect(&start),
            (_, None) => page("200 OK", "You are signed in."),
        }
    }
}

/// Whether it is a page that the browser opens, not a picture or a script in somebody's page. A browser that
/// does not say counts as opening one.
fn navigates(headers: &[httparse::Header<'_>]) -> bool {
    let said = headers.iter().find(|header| header.name.eq_ignore_ascii_case("sec-fetch-dest"));
    said.is_none_or(|said| said.value == b"document")
}

/// What every answer says: it is shown once, kept by nobody, and tells no other site where it came from.
const ALWAYS: &str = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n";

fn redirect(address: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("HTTP/1.1 302 Found\r\nLocation: {address}\r\n{ALWAYS}Content-Length: 0\r\n\r\n"))
}

fn page(status: &str, words: &str) -> Zeroizing<String> {
    let text = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{words}</title>\
         <body style=\"font:20px sans-serif;margin:20vh auto;text-align:center\"><p>{words}</html>"
    );
    let length = text.len();
    Zeroizing::new(format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
         {ALWAYS}Content-Length: {length}\r\n\r\n{text}"
    ))
}

#[cfg(test)]
mod tests;
