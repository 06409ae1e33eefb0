//! Browsers: how a web app's is started. Each web app has a browser profile of its own in the session's.
//!
//! On Windows the managed policies of browsers belong to the machine, not to a process: what every browser of a
//! session must not (requirements B-01 to B-09) is IT's to set, by the templates that the package brings. What a
//! command line and a profile can hold, they hold here; whether the machine's policies hold the rest is looked
//! up, and the capability report says what it found.

mod chromium;
mod firefox;

use super::capsule::PROFILE;
use super::registry;
use super::spawn;
use crate::policy::{AppPolicy, Browser, WebPolicy};

/// A browser as Windows knows it: its program, and where the machine's policies for it are.
struct Known {
    program: &'static str,
    policies: &'static str,
}

/// The browsers that can show a web app of each kind, the first that is installed is taken.
const CHROMIUM: [Known; 3] = [
    Known { program: "chrome", policies: r"SOFTWARE\Policies\Google\Chrome" },
    Known { program: "msedge", policies: r"SOFTWARE\Policies\Microsoft\Edge" },
    Known { program: "chromium", policies: r"SOFTWARE\Policies\Chromium" },
];
/// The same for Firefox.
const FIREFOX: [Known; 1] =
    [Known { program: "firefox", policies: r"SOFTWARE\Policies\Mozilla\Firefox\WebsiteFilter\Block" }];

/// Where a list of policies names the sites that nothing may open.
const BLOCKED: &str = "URLBlocklist";
/// How many entries of such a list are looked at.
const LISTED: u32 = 100;

/// What an app is started with. A web app's browser opens its page in a profile of its own.
///
/// # Errors
/// A fragment with the remedy, where no browser is installed.
pub fn command_line(app: &AppPolicy) -> Result<(String, Vec<String>), String> {
    let Some(web) = &app.web else { return Ok((app.command.clone(), app.arguments.clone())) };
    let known = installed(web.browser)
        .ok_or_else(|| format!("show {}: no browser for it is installed for the whole machine", app.name))?;
    let arguments = match web.browser {
        Browser::Chromium => chromium::arguments(web, &profile(web)),
        Browser::Firefox => firefox::arguments(&profile(web), &web.url),
    };
    Ok((known.program.to_owned(), arguments))
}

/// The files that lie in the session's profile before the app starts: where below it, and what is in them.
#[must_use]
pub fn files(app: &AppPolicy) -> Vec<(String, String)> {
    match &app.web {
        Some(web) if web.browser == Browser::Firefox => firefox::files(web),
        Some(_) | None => Vec::new(),
    }
}

/// What the machine's policies hold the web apps' browsers to: one line for each that is used.
#[must_use]
pub fn report(apps: &[AppPolicy]) -> Vec<(String, String)> {
    let used =
        |browser: Browser| apps.iter().any(|app| app.web.as_ref().is_some_and(|web| web.browser == browser));
    let mut found = Vec::new();
    for (browser, name) in
        [(Browser::Chromium, "web apps (Chromium)"), (Browser::Firefox, "web apps (Firefox)")]
    {
        if !used(browser) {
            continue;
        }
        let told = match installed(browser) {
            None => "none is installed for the whole machine".to_owned(),
            Some(known) if is_closed(known, browser) => {
                format!(
                    "{}: the machine's policies close it to all sites but those that they list",
                    known.program
                )
            }
            Some(known) => format!(
                "{}: reduced, the machine has no policies for it: {}",
                known.program,
                match browser {
                    Browser::Chromium => "other sites are kept from it by its command line alone",
                    Browser::Firefox => "it opens any site",
                }
            ),
        };
        found.push((name.to_owned(), told));
    }
    found
}

/// What the machine lacks to show web apps in a browser of this kind, where it does.
#[must_use]
pub fn lacking(browser: Browser) -> Option<String> {
    if installed(browser).is_some() {
        return None;
    }
    let kind = match browser {
        Browser::Chromium => "Edge, Chrome or Chromium",
        Browser::Firefox => "Firefox",
    };
    Some(format!("{kind} that is installed for every account"))
}

fn installed(browser: Browser) -> Option<&'static Known> {
    let known: &'static [Known] = match browser {
        Browser::Chromium => &CHROMIUM,
        Browser::Firefox => &FIREFOX,
    };
    known.iter().find(|known| spawn::find(known.program).is_ok())
}

/// Whether the machine's policies close a browser to every site that they do not list.
fn is_closed(known: &Known, browser: Browser) -> bool {
    let (key, all) = match browser {
        Browser::Chromium => (format!(r"{}\{BLOCKED}", known.policies), "*"),
        Browser::Firefox => (known.policies.to_owned(), "<all_urls>"),
    };
    (1..=LISTED).any(|number| registry::machine_text(&key, &number.to_string()).as_deref() == Some(all))
}

/// Where a web app's browser keeps what it keeps, for the session.
fn profile(web: &WebPolicy) -> String {
    format!(r"{PROFILE}\{}", web.profile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Site;

    fn web(browser: Browser) -> WebPolicy {
        let site = |host: &str, below, port| Site { scheme: "https", host: host.to_owned(), below, port };
        WebPolicy {
            browser,
            url: "https://chart.example.org/".to_owned(),
            sites: vec![site("chart.example.org", false, 443), site("example.com", true, 8443)],
            downloads: false,
            printing: false,
            zoom: 125,
            profile: "web-0".to_owned(),
        }
    }

    #[test]
    fn a_web_app_keeps_to_its_profile_and_its_sites() {
        let arguments = chromium::arguments(&web(Browser::Chromium), r"{profile}\web-0");
        let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
        assert!(
            has(r"--user-data-dir={profile}\web-0") && has("--app=https://chart.example.org/"),
            "{arguments:?}"
        );
        assert!(has("--force-device-scale-factor=1.25"));
        assert!(
            has(
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE chart.example.org, EXCLUDE example.com, EXCLUDE *.example.com"
            ),
            "{arguments:?}"
        );
        assert!(!arguments.iter().any(|argument| argument.contains("no-sandbox")));
    }

    #[test]
    fn firefox_has_its_preferences_in_its_profile() {
        let files = firefox::files(&web(Browser::Firefox));
        let preferences = &files.iter().find(|(place, _)| place == r"web-0\user.js").unwrap().1;
        assert!(preferences.contains("user_pref(\"layout.css.devPixelsPerPx\", \"1.25\");"), "{preferences}");
        assert!(preferences.contains("user_pref(\"browser.formfill.enable\", false);"));
        assert!(files.iter().any(|(place, _)| place == r"web-0\chrome\userChrome.css"));
    }
}
