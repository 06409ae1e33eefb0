//! Firefox: the command line and the profile of a web app.

use crate::policy::WebPolicy;

/// No address bar: `--kiosk` only moves it out of sight, and what is typed after Ctrl+L would still be
/// opened. What cannot be seen cannot be typed into.
const CHROME: &str = "\
#urlbar, #urlbar-input, #searchbar, #sidebar-box, #sidebar-main { visibility: hidden !important; }
window#places > * { display: none !important; }
";

/// The browser's own pages, and the source of a page, show nothing.
const CONTENT: &str = "\
@-moz-document url-prefix(\"view-source:\"), url-prefix(\"chrome:\"), url-prefix(\"resource:\"),
regexp(\"about:(?!blank|srcdoc|blocked|certerror|httpsonlyerror|neterror|tabcrashed).*\") {
  :root { display: none !important; }
}
";

/// Preferences, each with its value as JavaScript writes it. A profile cannot lock them; they count again
/// at every start.
const PREFERENCES: [(&str, &str); 20] = [
    ("app.normandy.enabled", "false"),
    ("app.shield.optoutstudies.enabled", "false"),
    ("browser.aboutwelcome.enabled", "false"),
    ("browser.formfill.enable", "false"),
    ("browser.sessionstore.resume_from_crash", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("browser.startup.homepage_override.mstone", "\"ignore\""),
    ("browser.tabs.warnOnClose", "false"),
    ("datareporting.healthreport.uploadEnabled", "false"),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("devtools.policy.disabled", "true"),
    ("dom.webnotifications.enabled", "false"),
    ("extensions.getAddons.showPane", "false"),
    ("network.protocol-handler.expose-all", "true"),
    ("network.protocol-handler.external-default", "false"),
    ("signon.autofillForms", "false"),
    ("signon.rememberSignons", "false"),
    ("toolkit.legacyUserProfileCustomizations.stylesheets", "true"),
    ("toolkit.telemetry.enabled", "false"),
    ("xpinstall.enabled", "false"),
];

/// What a web app's browser is started with.
pub(super) fn arguments(profile: &str, address: &str) -> Vec<String> {
    ["--no-remote", "--profile", profile, "--kiosk", address].map(str::to_owned).to_vec()
}

/// The files of its profile, by their place in the session's.
pub(super) fn files(web: &WebPolicy) -> Vec<(String, String)> {
    let mut preferences: String =
        PREFERENCES.iter().map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).collect();
    if web.zoom != 100 {
        let zoom = f64::from(web.zoom) / 100.0;
        preferences.push_str(&format!("user_pref(\"layout.css.devPixelsPerPx\", \"{zoom}\");\n"));
    }
    if !web.printing {
        preferences.push_str("user_pref(\"print.enabled\", false);\n");
    }
    let below = |name: &str| format!(r"{}\{name}", web.profile);
    vec![
        (below("user.js"), preferences),
        (below(r"chrome\userChrome.css"), CHROME.to_owned()),
        (below(r"chrome\userContent.css"), CONTENT.to_owned()),
    ]
}
