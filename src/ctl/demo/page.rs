//! A small web page on this machine for the demo and the tests: a chart with nobody in it that sets
//! a cookie, and tells what cookies it was sent.
//!
//! `/` is the chart; it sets the cookie `shift` and a note in local storage. `/set?VALUE` sets both to
//! VALUE, `/seen` answers which cookies came with the request, as JSON, and sets none, and `/note`
//! asks for `/told?VALUE` with what lies in local storage. `/guides` is a page that keeps nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A running page.
pub struct Page {
    /// Its port on 127.0.0.1.
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Page {
    /// Serves the page on a port that the kernel picks, until the process ends.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn serve() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&seen);
        drop(std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                drop(std::thread::spawn(move || reply(stream, &seen)));
            }
        }));
        Ok(Self { port, seen })
    }

    /// Each request so far: its path, and the cookies that came with it.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn reply(stream: TcpStream, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
    let mut cookies = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("cookie")
        {
            value.trim().clone_into(&mut cookies);
        }
    }
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{path} [{cookies}]"));
    let (place, value) = path.split_once('?').unwrap_or((&path, CANARY));
    // Only what a cookie's value may hold.
    let value: String =
        value.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    let html = "text/html; charset=utf-8";
    let (status, kind, body) = match place {
        "/" => {
            let been = if cookies.is_empty() { "is new here" } else { "has been here before" };
            let greeting = format!("This browser {been}.");
            ("200 OK", html, CHART.replace("{{greeting}}", &greeting).replace("{{note}}", &value))
        }
        "/guides" => ("200 OK", html, GUIDES.to_owned()),
        "/note" => ("200 OK", html, NOTE.to_owned()),
        "/seen" => ("200 OK", "application/json", serde_json::json!({ "cookies": cookies }).to_string()),
        "/told" => ("200 OK", html, String::new()),
        "/set" => ("200 OK", html, SET.replace("{{note}}", &value)),
        _ => ("404 Not Found", html, String::new()),
    };
    let cookie = if matches!(place, "/" | "/set") {
        format!("Set-Cookie: shift={value}; Max-Age=86400; SameSite=Strict\r\n")
    } else {
        String::new()
    };
    // The chart may be kept by the browser, so that a cache is left to be destroyed.
    let keep = if place == "/seen" { "no-store" } else { "max-age=600" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{cookie}Cache-Control: {keep}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    (&stream).write_all(head.as_bytes())?;
    (&stream).write_all(body.as_bytes())
}

/// What the chart keeps in the browser.
const CANARY: &str = "demo-canary-7f3a";
const CHART: &str = include_str!("chart.html");
const GUIDES: &str = "<!doctype html><meta charset=utf-8><title>Guides</title><body style='font:20px sans-serif;margin:64px;max-width:40em'>\
<h1>Guides</h1><p>Hand hygiene before and after each patient. Badge out when you leave the station.</p>";
const SET: &str = "<!doctype html><meta charset=utf-8><title>Kept</title><body style='font:20px sans-serif;margin:64px'>\
<h1>Kept</h1><script>localStorage.setItem('shift','{{note}}')</script>";
const NOTE: &str = "<!doctype html><meta charset=utf-8><title>Note</title><body style='font:20px sans-serif;margin:64px'>\
<h1 id=note></h1><script>const note=localStorage.getItem('shift');document.getElementById('note').textContent=note??'no note';\
fetch('/told?'+(note??'no-note'))</script>";

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn get(port: u16, path: &str, cookies: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn the_page_sets_a_cookie_and_tells_what_it_was_sent() {
        let page = Page::serve().unwrap();
        assert!(get(page.port, "/", "").contains("Set-Cookie: shift=demo-canary-7f3a;"));
        assert!(get(page.port, "/set?ana-1", "").contains("localStorage.setItem('shift','ana-1')"));
        // What could end the header or the script is left out.
        let odd = get(page.port, "/set?a'%0d\"<b", "");
        assert!(odd.contains("shift=a0db;"));
        let seen = get(page.port, "/seen", "shift=\"x\"");
        assert!(!seen.contains("Set-Cookie"));
        assert!(seen.ends_with(r#"{"cookies":"shift=\"x\""}"#));
        assert_eq!(page.requests().last().unwrap(), "/seen [shift=\"x\"]");
    }
}
