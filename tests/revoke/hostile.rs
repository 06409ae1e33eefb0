//! A provider and an API that do what a test says: refuse, hang, lie, send elsewhere, or are down. A socket of the
//! test's own; the kernel picks the port.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What a path answers.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// A status and a body.
    Says(u16, String),
    /// A status and a header.
    With(u16, &'static str, String),
    /// No HTTP at all.
    Garbage,
    /// A body without an end.
    Huge,
    /// Nothing, until it is asked no more.
    Never,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct Hostile {
    pub(crate) issuer: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    does: Mutex<HashMap<String, Does>>,
    got: Mutex<Vec<Got>>,
    down: AtomicBool,
}

impl Hostile {
    /// One that grants `access` and `refresh` at /token, and offers what `more` adds to its configuration.
    pub(crate) fn start(access: &str, refresh: &str, expires_in: u32, more: Value) -> Self {
        Self::with(None, access, refresh, expires_in, more)
    }

    /// The same behind TLS with this configuration.
    pub(crate) fn secured(tls: Arc<rustls::ServerConfig>, access: &str, refresh: &str) -> Self {
        Self::with(Some(tls), access, refresh, 300, json!({}))
    }

    fn with(
        tls: Option<Arc<rustls::ServerConfig>>,
        access: &str,
        refresh: &str,
        expires_in: u32,
        more: Value,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let issuer = format!("{scheme}://{}", listener.local_addr().unwrap());
        let mut told = json!({
            "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            "authorization_endpoint": format!("{issuer}/auth"), "revocation_endpoint": format!("{issuer}/revoke"),
        });
        for (name, value) in more.as_object().unwrap() {
            // A path is one of this provider's places.
            let value = match value.as_str() {
                Some(path) if path.starts_with('/') => json!(format!("{issuer}{path}")),
                Some(_) | None => value.clone(),
            };
            told[name] = value;
        }
        let tokens = json!({
            "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": expires_in,
            "refresh_expires_in": 80 * 3600,
        });
        let hostile = Self { issuer, shared: Arc::default() };
        hostile.does("/.well-known/openid-configuration", Does::Says(200, told.to_string()));
        hostile.does("/token", Does::Says(200, tokens.to_string()));
        hostile.does("/revoke", Does::Says(200, String::new()));
        let shared = Arc::clone(&hostile.shared);
        drop(std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                drop(std::thread::spawn(move || match tls {
                    None => shared.answer(stream.unwrap()),
                    Some(tls) => {
                        let session = rustls::ServerConnection::new(tls).unwrap();
                        shared.answer(rustls::StreamOwned::new(session, stream.unwrap()));
                    }
                }));
            }
        }));
        hostile
    }

    pub(crate) fn does(&self, path: &str, does: Does) {
        drop(self.shared.does.lock().unwrap().insert(path.to_owned(), does));
    }

    /// Whether it hangs up on everybody.
    pub(crate) fn down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    /// What it got at paths that begin so.
    pub(crate) fn got(&self, path: &str) -> Vec<Got> {
        let got = self.shared.got.lock().unwrap();
        got.iter().filter(|got| got.line.split(' ').nth(1).unwrap().starts_with(path)).cloned().collect()
    }
}

impl Shared {
    fn answer(&self, mut stream: impl Read + Write) {
        let Some(got) = read(&mut stream) else { return };
        let path = got.line.split(' ').nth(1).unwrap().to_owned();
        let path = path.split('?').next().unwrap();
        self.got.lock().unwrap().push(got.clone());
        if self.down.load(Ordering::SeqCst) {
            return;
        }
        let does = self.does.lock().unwrap();
        let wild = path.rsplit_once('/').map(|(place, _)| format!("{place}/*"));
        let does = does.get(path).or_else(|| does.get(&wild?)).cloned();
        let (status, header, body) = match does {
            Some(Does::Says(status, body)) => (status, String::new(), body),
            Some(Does::With(status, name, value)) => (status, format!("{name}: {value}\r\n"), String::new()),
            Some(Does::Garbage) => {
                let _ = stream.write_all(b"\x00\x01\x02 what is this?\n\n");
                return;
            }
            Some(Does::Huge) => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
                while stream.write_all(&[b'x'; 4096]).is_ok() {}
                return;
            }
            Some(Does::Never) => {
                let _ = stream.read(&mut [0]);
                return;
            }
            None => (404, String::new(), String::new()),
        };
        let length = body.len();
        let _ = stream.write_all(
            format!(
                "HTTP/1.1 {status} X\r\n{header}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .as_bytes(),
        );
        let _ = stream.flush();
    }
}

fn read(stream: &mut impl Read) -> Option<Got> {
    let mut from = BufReader::new(stream);
    let mut line = String::new();
    let _ = from.read_line(&mut line).ok()?;
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        let _ = from.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        drop(headers.insert(name.to_lowercase(), value.to_owned()));
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    if line.is_empty() {
        return None;
    }
    Some(Got { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).unwrap() })
}
