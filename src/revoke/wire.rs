//! HTTP with a provider: bounded in time and size, to where the policy says and nowhere else, and silent about
//! what it carries.
//!
//! No proxy is taken from the environment, and no redirect is followed: an answer that sends a token elsewhere is
//! no answer of the provider's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, RequestBuilder};
use zeroize::Zeroizing;

use crate::ports::Clock;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a whole request may take.
pub(super) const REQUEST: Duration = Duration::from_secs(4);
/// How much of an answer is read, bytes.
const MOST: usize = 256 * 1024;
/// The longest that a provider may ask to be left alone: a wrong header must not silence the station for good.
const LONGEST_RETRY: Duration = Duration::from_hours(1);

/// A client for one provider.
#[derive(Clone, Debug)]
pub(super) struct Wire(Client);

/// What a provider has answered. The body is wiped on drop: it may hold tokens.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// The nonce that the next proof of possession must carry (RFC 9449 §8).
    pub(super) nonce: Option<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The error's code in an answer that refuses (RFC 6749 §5.2), without anything that does not belong in one.
    pub(super) fn error(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Refused {
            error: String,
        }
        let code = self.json::<Refused>()?.error;
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        (!code.is_empty() && code.len() <= 60 && code.chars().all(plain)).then_some(code)
    }

    /// `HTTP 400 invalid_grant`.
    pub(super) fn said(&self) -> String {
        self.error()
            .map_or_else(|| format!("HTTP {}", self.status), |code| format!("HTTP {} {code}", self.status))
    }

    /// Whether the provider may answer otherwise later.
    pub(super) fn later(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500..=599)
    }

    /// Whether it has done what it was asked.
    pub(super) fn good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer: a clause such as `cannot be reached`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) String);

/// Whether an address may be spoken with: https, or http on the loopback, where a test's provider stands.
pub(super) fn permitted(address: &str) -> Option<url::Url> {
    let url = url::Url::parse(address).ok()?;
    let plain = url.scheme() == "http" && loopback(&url);
    let named = url.has_host() && url.username().is_empty() && url.password().is_none();
    ((url.scheme() == "https" || plain) && named).then_some(url)
}

fn loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Wire {
    /// A client that trusts the host's certificates, and those of `extra` beside them.
    ///
    /// `plain` says that only http on the loopback is spoken: then the host's certificates are not read.
    pub(super) fn open(extra: Option<&Path>, plain: bool) -> Result<Self, Fault> {
        // An error says that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .user_agent(concat!("cleanshift/", env!("CARGO_PKG_VERSION")));
        let extra = extra.map(certificates).transpose()?.unwrap_or_default();
        builder = if plain { builder.tls_certs_only(extra) } else { builder.tls_certs_merge(extra) };
        builder.build().map(Self).map_err(|error| Fault(format!("cannot be asked: {}", cause(&error))))
    }

    /// The client, to make a request with.
    pub(super) fn client(&self) -> &Client {
        &self.0
    }

    /// Sends a request and reads the answer, as much of it as is read at all.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        clock: &Arc<dyn Clock>,
    ) -> Result<Answer, Fault> {
        let mut response = request.send().await.map_err(|error| fault(&error))?;
        let headers = response.headers();
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(headers, clock.stamp().utc_ms),
            nonce: headers.get("dpop-nonce").and_then(|nonce| nonce.to_str().ok()).map(str::to_owned),
            body: Zeroizing::default(),
        };
        if response.content_length().is_some_and(|length| length > MOST as u64) {
            return Err(Fault("answers with more than is read".to_owned()));
        }
        while let Some(part) = response.chunk().await.map_err(|error| fault(&error))? {
            if answer.body.len() + part.len() > MOST {
                return Err(Fault("answers with more than is read".to_owned()));
            }
            answer.body.extend_from_slice(&part);
        }
        Ok(answer)
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, Fault> {
    let failed =
        |what: String| Fault(format!("cannot be asked: its certificates in {} {what}", file.display()));
    let pem = std::fs::read(file).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|_| failed("are no PEM".to_owned()))?;
    if found.is_empty() { Err(failed("are none".to_owned())) } else { Ok(found) }
}

/// Seconds, or a date (RFC 9110 §10.2.3), bounded.
fn retry_after(headers: &HeaderMap, utc_ms: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            let ahead = date.timestamp().as_millisecond().saturating_sub(utc_ms);
            Duration::from_millis(u64::try_from(ahead).unwrap_or(0))
        }
    };
    Some(asked.min(LONGEST_RETRY))
}

fn fault(error: &reqwest::Error) -> Fault {
    Fault(if error.is_timeout() {
        "does not answer in time".to_owned()
    } else if error.is_connect() {
        format!("cannot be reached: {}", cause(error))
    } else {
        "breaks off".to_owned()
    })
}

/// The innermost cause, bounded. The outer ones may name the address, which can hold what is secret.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    if inner.is::<reqwest::Error>() {
        return "no answer".to_owned();
    }
    let plain = |letter: &char| !letter.is_control();
    inner.to_string().chars().filter(plain).take(120).collect()
}
