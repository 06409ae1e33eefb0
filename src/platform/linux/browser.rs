//! Browsers: how a web app's is started, and the managed policies that every browser of a session obeys
//! (requirements B-01 to B-09).
//!
//! The whole capsule has the strict policies without a list of sites: for apps that are browsers by
//! themselves, and for a browser that somebody starts in a terminal. A web app's own bwrap lays its own
//! over them. All are bound read-only, and what they are bound from is nowhere in the capsule.
//!
//! Firefox looks for its system-wide policies in `/etc/firefox`, Debian's `firefox-esr` too.

mod chromium;
mod firefox;

use super::root::HOME;
use crate::policy::{AppPolicy, Browser, WebPolicy};

/// A file of a browser inside the capsule: its path and its text.
pub type File = (String, String);

/// The policies for every browser that is no web app's: all that is forbidden anywhere, and http and https
/// to whatever the network reaches. Each with its name in the shell's own directory, its path inside and its text.
#[must_use]
pub fn everywhere() -> [(&'static str, String, String); 3] {
    [
        ("browser-chromium", chromium::PLACE.to_owned(), chromium::policies(None)),
        ("browser-firefox", firefox::PLACE.to_owned(), firefox::policies(None)),
        ("browser-firefox-defaults", firefox::DEFAULTS.to_owned(), firefox::NO_REMOTE.to_owned()),
    ]
}

/// The files that an app's own bwrap binds read-only.
#[must_use]
pub fn files(app: &AppPolicy) -> Vec<File> {
    let Some(web) = &app.web else { return Vec::new() };
    match web.browser {
        Browser::Chromium => vec![(chromium::PLACE.to_owned(), chromium::policies(Some(web)))],
        Browser::Firefox => {
            let sheet = |name: &str| format!("{}/chrome/{name}", profile(web));
            vec![
                (firefox::PLACE.to_owned(), firefox::policies(Some(web))),
                (sheet("userChrome.css"), firefox::CHROME.to_owned()),
                (sheet("userContent.css"), firefox::CONTENT.to_owned()),
            ]
        }
    }
}

/// What an app is started with. A web app's browser opens `address` where it is given, in the profile and,
/// where it runs already, in the process that the app has.
#[must_use]
pub fn command_line(app: &AppPolicy, address: Option<&str>) -> (String, Vec<String>) {
    let arguments = app.web.as_ref().map_or_else(
        || app.arguments.clone(),
        |web| {
            let address = address.unwrap_or(&web.url);
            match web.browser {
                Browser::Chromium => chromium::arguments(web, &profile(web), address),
                Browser::Firefox => firefox::arguments(&profile(web), address),
            }
        },
    );
    (app.command.clone(), arguments)
}

/// Where a web app's browser keeps what it keeps, for the session.
fn profile(web: &WebPolicy) -> String {
    format!("{HOME}/{}", web.profile)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::policy::Policy;

    fn app(entry: &str) -> AppPolicy {
        let text = format!(
            "roles = [\"nurse\"]\n[station]\nname = \"S\"\n[badge]\nmode = \"hold\"\n[[apps]]\nname = \"Chart\"\n{entry}"
        );
        let mut policy = Policy::parse(&text, "policy.toml").unwrap();
        policy.apps.remove(0)
    }

    fn told(app: &AppPolicy) -> Value {
        serde_json::from_str(&files(app)[0].1).unwrap()
    }

    #[test]
    fn one_line_is_enough_and_opens_its_own_site_alone() {
        let chart = app("kind = \"web\"\nurl = \"https://chart.example.org\"");
        assert!(chart.network && chart.icon == "globe");
        let policies = told(&chart);
        assert_eq!(policies["URLBlocklist"][0], "*");
        assert_eq!(policies["URLAllowlist"], serde_json::json!(["https://.chart.example.org:443"]));
        assert_eq!(policies["DownloadRestrictions"], 3);
        let (command, arguments) = command_line(&chart, None);
        assert_eq!(command, "chromium");
        assert!(arguments.contains(&"--app=https://chart.example.org/".to_owned()), "{arguments:?}");
        assert!(arguments.contains(&"--user-data-dir=/session/home/web-0".to_owned()), "{arguments:?}");
    }

    #[test]
    fn hosts_are_told_as_each_browser_reads_them() {
        let entry = "kind = \"web\"\nurl = \"http://127.0.0.1:8712/a\"\n\
                     hosts = [\"*.example.org\", \"api.example.com:8443\", \"LOCALHOST\"]\n";
        assert_eq!(
            told(&app(entry))["URLAllowlist"],
            serde_json::json!([
                "http://.127.0.0.1:8712",
                "https://example.org:443",
                "https://.api.example.com:8443",
                "https://.localhost:443",
                "http://.localhost:80"
            ])
        );
        let policies = told(&app(&format!("{entry}browser = \"firefox\"")));
        let policies = &policies["policies"];
        assert_eq!(
            policies["WebsiteFilter"]["Exceptions"],
            serde_json::json!([
                "http://127.0.0.1/*",
                "https://*.example.org/*",
                "https://api.example.com/*",
                "https://localhost/*",
                "http://localhost/*"
            ])
        );
        let ports = &policies["Preferences"]["network.security.ports.banned.override"]["Value"];
        assert_eq!(ports, "80,443,8443,8712");
    }

    #[test]
    fn what_the_policy_permits_is_permitted() {
        let entry =
            "kind = \"web\"\nurl = \"https://a.example\"\ndownloads = true\nprinting = true\nzoom = 125\n";
        let chart = app(entry);
        assert_eq!(
            (&told(&chart)["DownloadRestrictions"], &told(&chart)["PrintingEnabled"]),
            (&0.into(), &true.into())
        );
        let sites = &told(&chart)["URLAllowlist"];
        assert_eq!(
            *sites,
            serde_json::json!(["https://.a.example:443", "chrome://print", "chrome-untrusted://print"])
        );
        assert!(command_line(&chart, None).1.contains(&"--force-device-scale-factor=1.25".to_owned()));
        let chart = app(&format!("{entry}browser = \"firefox\""));
        assert_eq!(told(&chart)["policies"]["PrintingEnabled"], true);
        assert_eq!(files(&chart).len(), 3);
    }

    #[test]
    fn a_program_is_started_as_the_policy_says() {
        let terminal = app("command = \"xterm\"\narguments = [\"-fs\", \"12\"]");
        assert_eq!(
            command_line(&terminal, None),
            ("xterm".to_owned(), vec!["-fs".to_owned(), "12".to_owned()])
        );
        assert!(files(&terminal).is_empty());
        for (_, _, text) in everywhere().into_iter().filter(|(_, place, _)| place.ends_with(".json")) {
            let policies: Value = serde_json::from_str(&text).unwrap();
            assert!(!policies.as_object().unwrap().is_empty());
        }
    }
}
