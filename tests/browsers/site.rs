//! A site on two ports of this machine that remembers what it was asked for, and by what name.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The schemes of links that programs outside the browser would open.
pub(crate) const SCHEMES: [&str; 20] = [
    "mailto:a@example.org",
    "tel:123",
    "sms:123",
    "ssh://localhost",
    "telnet://localhost",
    "sftp://localhost/",
    "ftp://localhost/",
    "magnet:?xt=urn:x",
    "ms-word:ofe|u|https://a.example",
    "ms-settings:",
    "vnc://localhost",
    "rdp://localhost",
    "steam://run/1",
    "zoommtg://zoom.us/join",
    "slack://open",
    "irc://localhost/x",
    "news:example",
    "webcal://localhost/c",
    "geo:1,2",
    "x-scheme-of-nobody:1",
];

/// A running site.
pub(crate) struct Site {
    /// The port whose site the web app is.
    pub(crate) own: u16,
    /// Another port.
    pub(crate) other: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(crate) fn serve() -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let [own, other] = [(); 2].map(|()| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            // A browser asks for `localhost` by its address of version 6 first.
            let second = TcpListener::bind(("::1", port));
            for listener in [Some(listener), second.ok()].into_iter().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || {
                    for stream in listener.incoming().flatten() {
                        let log = Arc::clone(&log);
                        std::thread::spawn(move || reply(stream, port, &log));
                    }
                });
            }
            port
        });
        Self { own, other, log }
    }

    /// What was asked for so far: `HOST:PORT PATH`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// What was asked for since there were `from` requests, and has this in it.
    pub(crate) fn since(&self, from: usize, what: &str) -> Vec<String> {
        self.asked().split_off(from).into_iter().filter(|asked| asked.contains(what)).collect()
    }
}

fn reply(stream: TcpStream, port: u16, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let path = request.split(' ').nth(1)?.to_owned();
    let (mut host, mut length, mut kept) = (String::new(), 0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "host" => value.trim().clone_into(&mut host),
            // What the browser's profile has kept of an earlier visit.
            "cookie" if path.starts_with("/kept") => value.trim().clone_into(&mut kept),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let name = host.split(':').next().unwrap_or_default();
    log.lock().unwrap().push(format!("{name}:{port} {path} {kept}{}", String::from_utf8_lossy(&body)));
    let (place, target) = path.split_once('?').unwrap_or((&path, ""));
    let target = decoded(target);
    let (status, kind, extra, body) = match place {
        "/redirect" => ("302 Found", "text/html", format!("Location: {target}\r\n"), String::new()),
        "/kept" => {
            let cookie = "Set-Cookie: seen=1; Max-Age=9999\r\n".to_owned();
            ("200 OK", "text/html; charset=utf-8", cookie, page(place, &target))
        }
        "/download" => ("200 OK", "application/octet-stream", String::new(), "downloaded-5e1c".to_owned()),
        "/extension.crx" => ("200 OK", "application/x-chrome-extension", String::new(), "Cr24".to_owned()),
        "/extension.xpi" => ("200 OK", "application/x-xpinstall", String::new(), "PK".to_owned()),
        _ => ("200 OK", "text/html; charset=utf-8", String::new(), page(place, &target)),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{extra}Content-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    (&stream).write_all(head.as_bytes()).ok()?;
    (&stream).write_all(body.as_bytes()).ok()
}

fn page(place: &str, target: &str) -> String {
    let quoted = serde_json::Value::from(target).to_string();
    let body = match place {
        "/login" => "<form method=post action=/signed-in><input name=who autofocus><input name=secret type=password><button>In</button></form>".to_owned(),
        "/schemes" => {
            let links = SCHEMES.iter().enumerate().map(|(number, link)| {
                let focus = if number == 0 { "autofocus" } else { "" };
                format!("<a {focus} target=f href=\"{link}\" onclick=\"fetch('/clicked?{number}')\">{link}</a><br>")
            });
            links.collect::<String>() + "<iframe name=f></iframe>"
        }
        "/location" => format!("<script>location.href={quoted}</script>"),
        "/replace" => format!("<script>location.replace({quoted})</script>"),
        "/refresh" => format!("<meta http-equiv=refresh content='0;url={target}'>"),
        "/frame" => format!("<iframe src='{target}'></iframe>"),
        "/object" => format!("<object data='{target}' width=200 height=200></object>"),
        "/open" => format!("<script>window.open({quoted})</script>"),
        "/click" => format!("<a id=a href='{target}'>go</a><script>document.getElementById('a').click()</script>"),
        "/form" => format!("<form id=f action='{target}'></form><script>document.getElementById('f').submit()</script>"),
        "/blob" => format!("<iframe id=f></iframe><script>f.src=URL.createObjectURL(new Blob([{quoted}],{{type:'text/html'}}))</script>"),
        _ => String::new(),
    };
    // A test knows by the title which of the two is shown, and not only asked for.
    let title = match place {
        "/login" => "Chart, sign in",
        "/signed-in" => "Chart, signed in",
        _ => "Chart",
    };
    format!(
        "<!doctype html><meta charset=utf-8><title>{title}</title><body style='background:#ff00ff'>{body}<script>onresize=()=>fetch('/resized')</script>"
    )
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
