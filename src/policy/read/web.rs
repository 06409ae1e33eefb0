//! The web apps of a policy: addresses are read as browsers read them (WHATWG URL).

use toml::Spanned;
use url::{Host, Url};

use super::Check;
use crate::policy::file::{App, Kind, WebBrowser};
use crate::policy::{Browser, Site, WebPolicy};

/// How large a page may be shown, in percent: what browsers themselves offer.
const ZOOM: (u16, u16) = (50, 300);
/// The most hosts of a web app: browsers take more, people do not survey them.
const MOST_HOSTS: usize = 200;

impl Check {
    /// Checks what an app is, a program or a page; answers the page's facts.
    pub(super) fn web(&mut self, app: &App) -> Option<WebPolicy> {
        match app.kind {
            Kind::Program => {
                self.program(app);
                None
            }
            Kind::Web => self.page(app),
        }
    }

    fn program(&mut self, app: &App) {
        match &app.command {
            None if app.url.is_some() => {
                let help = "add `kind = \"web\"` to have a browser show `url`";
                self.wrong(app.name.span(), format!("app `{}` names no program", app.name.get_ref()), help);
                return;
            }
            None => {
                let help = "add `command`, or `kind = \"web\"` and `url`";
                self.wrong(app.name.span(), format!("app `{}` names no program", app.name.get_ref()), help);
            }
            Some(command) => {
                let name = command.get_ref();
                if name.is_empty() || (name.contains('/') && !name.starts_with('/')) {
                    let help = "write an absolute path, or the name of a program in /usr/bin";
                    self.wrong(command.span(), format!("`{name}` names no program"), help);
                }
            }
        }
        let keys = [
            ("url", app.url.as_ref().map(Spanned::span)),
            ("hosts", app.hosts.first().map(Spanned::span)),
            ("browser", app.browser.as_ref().map(Spanned::span)),
            ("downloads", app.downloads.as_ref().map(Spanned::span)),
            ("printing", app.printing.as_ref().map(Spanned::span)),
            ("zoom", app.zoom.as_ref().map(Spanned::span)),
        ];
        for (key, place) in keys {
            if let Some(place) = place {
                let help = "add `kind = \"web\"` and remove `command`, or remove this key";
                self.wrong(place, format!("`{key}` belongs to a web app"), help);
            }
        }
    }

    fn page(&mut self, app: &App) -> Option<WebPolicy> {
        if let Some(command) = &app.command {
            let help = "remove `command`; `browser` chooses between chromium and firefox";
            self.wrong(command.span(), "a web app has no program of its own", help);
        }
        if let Some(argument) = app.arguments.first() {
            let help = "remove `arguments`: the browser is started with the station's own";
            self.wrong(argument.span(), "a web app has no arguments of its own", help);
        }
        let mut zoom = 100;
        if let Some(given) = &app.zoom {
            zoom = *given.get_ref();
            if !(ZOOM.0..=ZOOM.1).contains(&zoom) {
                let help = format!("write {} to {}, in percent", ZOOM.0, ZOOM.1);
                self.wrong(given.span(), "`zoom` is out of range", help);
            }
        }
        let Some(address) = &app.url else {
            let help = "add `url = \"https://…\"`";
            self.wrong(app.name.span(), format!("web app `{}` has no page", app.name.get_ref()), help);
            return None;
        };
        if let Some(host) = app.hosts.get(MOST_HOSTS) {
            self.wrong(host.span(), format!("there are more than {MOST_HOSTS} hosts"), "remove some");
        }
        let mut sites: Vec<Site> = Vec::new();
        let url = self.address(address);
        sites.extend(url.as_ref().map(|(_, site)| site.clone()));
        for host in &app.hosts {
            for site in self.host(host) {
                if !sites.contains(&site) {
                    sites.push(site);
                }
            }
        }
        let (url, _) = url?;
        Some(WebPolicy {
            browser: match app.browser.as_ref().map(|browser| *browser.get_ref()) {
                None | Some(WebBrowser::Chromium) => Browser::Chromium,
                Some(WebBrowser::Firefox) => Browser::Firefox,
            },
            url: url.to_string(),
            sites,
            downloads: app.downloads.as_ref().is_some_and(|given| *given.get_ref()),
            printing: app.printing.as_ref().is_some_and(|given| *given.get_ref()),
            zoom,
            profile: String::new(),
        })
    }

    /// The page of a web app, and the site that it is of.
    fn address(&mut self, given: &Spanned<String>) -> Option<(Url, Site)> {
        let text = given.get_ref();
        let mut wrong = |what: String, help: &str| self.wrong(given.span(), what, help);
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => {
                wrong(format!("`{text}` is no address: {error}"), "write \"https://HOST/\"");
                return None;
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            wrong(
                "an address with a name or a password in it would be shown and kept".to_owned(),
                "remove them: operators sign in on the page",
            );
            return None;
        }
        let local = is_loopback(url.host());
        let scheme = match url.scheme() {
            "https" => "https",
            "http" if local => "http",
            "http" => {
                wrong(
                    format!("`{text}` is not encrypted"),
                    "write https; http is for this machine's own loopback alone",
                );
                return None;
            }
            other => {
                wrong(format!("`{other}:` is no page of a site"), "write \"https://HOST/\"");
                return None;
            }
        };
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        let site = Site { scheme, host, below: false, port };
        Some((url, site))
    }

    /// The sites that an entry of `hosts` means: on the loopback both schemes, elsewhere https.
    fn host(&mut self, given: &Spanned<String>) -> Vec<Site> {
        let text = given.get_ref();
        let plain = text.strip_prefix("*.").unwrap_or(text);
        let below = plain.len() < text.len();
        let mut wrong = |what: &str, help: &str| {
            self.wrong(given.span(), format!("`{text}` {what}"), help);
            Vec::new()
        };
        if text.contains("://") {
            return wrong("is an address", "write the host alone: \"chart.example.org\"");
        }
        if text.contains(['/', '?', '#', '\\']) {
            return wrong("has a path", "write the host alone: a whole site is allowed, or nothing of it");
        }
        if text.contains('@') {
            return wrong("has a name in it", "write the host alone: \"chart.example.org\"");
        }
        if plain.is_empty() || plain.contains('*') {
            return wrong(
                "is no host",
                "write \"chart.example.org\", or \"*.example.org\" with all below it",
            );
        }
        let help = "write \"chart.example.org\", \"chart.example.org:8443\" or \"*.example.org\"";
        let Ok(url) = Url::parse(&format!("https://{plain}/")) else { return wrong("is no host", help) };
        let named = matches!(url.host(), Some(Host::Domain(_)));
        if below && (!named || !url.host_str().unwrap_or_default().contains('.')) {
            return wrong("names no domain that has hosts below it", help);
        }
        let Some(host) = url.host_str().map(str::to_owned) else { return wrong("is no host", help) };
        // An explicit port 443 is the default too, and is not told apart.
        let port = url.port();
        let site = |scheme, usual| Site { scheme, host: host.clone(), below, port: port.unwrap_or(usual) };
        if is_loopback(url.host()) {
            vec![site("https", 443), site("http", 80)]
        } else {
            vec![site("https", 443)]
        }
    }
}

/// Whether a host is this machine's own loopback, by address or by the name that no resolver is asked for
/// (RFC 6761).
pub(super) fn is_loopback(host: Option<Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
