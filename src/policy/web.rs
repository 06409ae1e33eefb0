//! Web apps: which browser shows a page, and which sites that browser may open.

use std::path::Path;

use url::Url;

/// A browser that obeys managed policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Chromium.
    Chromium,
    /// Firefox, its release with extended support included.
    Firefox,
}

impl Browser {
    /// The browser that this program is, where it is one that obeys managed policies.
    #[must_use]
    pub fn of(command: &str) -> Option<Self> {
        match Path::new(command).file_name()?.to_str()? {
            "chromium" => Some(Self::Chromium),
            "firefox" | "firefox-esr" => Some(Self::Firefox),
            _ => None,
        }
    }

    /// Its program, as a name in /usr/bin.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }
}

/// A page that looks like an app (requirements B-01 to B-09).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebPolicy {
    /// The browser that shows it.
    pub browser: Browser,
    /// The page.
    pub url: String,
    /// The sites that the browser may open, that of the page first. Nothing else loads.
    pub sites: Vec<Site>,
    /// Whether files may be downloaded, into the session's own home.
    pub downloads: bool,
    /// Whether pages may be printed; never into a file.
    pub printing: bool,
    /// How large the page is shown, in percent.
    pub zoom: u16,
    /// The name of the browser's profile below the home: each web app has its own.
    pub profile: String,
}

/// Where a capsule's own init answers browsers, inside the capsule: there a sign-in comes back to the station
/// (RFC 8252 §7.3), which listens nowhere on the host.
pub const REDIRECT: &str = "127.0.0.1:8707";
/// Its port.
pub const REDIRECT_PORT: u16 = 8707;

impl WebPolicy {
    /// Lets the browser open the pages of a provider at which its operator signs in, and the station's own
    /// address in the capsule to which she comes back.
    pub(super) fn signs_in_at(&mut self, issuer: &Url) {
        let Some((host, port)) = issuer.host_str().zip(issuer.port_or_known_default()) else { return };
        let scheme = if issuer.scheme() == "http" { "http" } else { "https" };
        let provider = Site { scheme, host: host.to_owned(), below: false, port };
        let own = Site { scheme: "http", host: "127.0.0.1".to_owned(), below: false, port: REDIRECT_PORT };
        for site in [provider, own] {
            if !self.sites.contains(&site) {
                self.sites.push(site);
            }
        }
    }
}

/// A site that a browser may open: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// `https`; `http` on the loopback alone.
    pub scheme: &'static str,
    /// The host.
    pub host: String,
    /// Whether the hosts below it are meant too: `*.example.org`.
    pub below: bool,
    /// The port.
    pub port: u16,
}
