//! Firefox: its policies, its command line, and the style sheets that leave nothing of it but the page.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::policy::{Site, WebPolicy};

/// Where the system-wide policies are.
pub(super) const PLACE: &str = "/etc/firefox/policies/policies.json";

/// Where the system-wide defaults of preferences are.
pub(super) const DEFAULTS: &str = "/etc/firefox/defaults/pref/cleanshift.js";

/// No policy forbids remote control (B-02), and none may set these preferences. Without a protocol, what
/// `--remote-debugging-port` opens answers every request with an error; with a port that the account may not
/// take, Firefox ends when it is started with `--marionette`.
pub(super) const NO_REMOTE: &str = "\
pref(\"remote.active-protocols\", 0, locked);
pref(\"marionette.port\", 1, locked);
";

/// No address bar: `--kiosk` only moves it out of sight, and what is typed after Ctrl+L would still be
/// opened. What cannot be seen cannot be typed into. The library would be another way to type an address.
pub(super) const CHROME: &str = "\
#urlbar, #urlbar-input, #searchbar, #sidebar-box, #sidebar-main { visibility: hidden !important; }
window#places > * { display: none !important; }
";

/// No policy forbids all of the browser's own pages, or the source of a page: those that are left show nothing.
pub(super) const CONTENT: &str = "\
@-moz-document url-prefix(\"view-source:\"), url-prefix(\"chrome:\"), url-prefix(\"resource:\"),
regexp(\"about:(?!blank|srcdoc|blocked|certerror|httpsonlyerror|neterror|tabcrashed).*\") {
  :root { display: none !important; }
}
";

/// What a web app's browser is started with.
pub(super) fn arguments(profile: &str, address: &str) -> Vec<String> {
    ["--profile", profile, "--kiosk", address].map(str::to_owned).to_vec()
}

/// The policies: a web app's, or those of every other browser. There is none against downloads: they go into
/// the session's home, and no dialog opens.
pub(super) fn policies(web: Option<&WebPolicy>) -> String {
    let mut policies = forbidden();
    let filter = web.map_or_else(
        || json!({ "Block": ["file:///*"] }),
        |web| json!({ "Block": ["<all_urls>"], "Exceptions": web.sites.iter().map(pattern).collect::<Vec<_>>() }),
    );
    let own = json!({
        "WebsiteFilter": filter,
        "Homepage": { "URL": web.map_or("about:blank", |web| &web.url), "Locked": true, "StartPage": "homepage" },
        "PrintingEnabled": web.is_some_and(|web| web.printing),
        "Preferences": preferences(web),
    });
    policies.extend(own.as_object().cloned().unwrap_or_default());
    format!("{:#}\n", json!({ "policies": policies }))
}

/// A site as a match pattern. It has no port: those are left to [`preferences`].
fn pattern(site: &Site) -> String {
    let below = if site.below { "*." } else { "" };
    format!("{}://{below}{}/*", site.scheme, site.host)
}

fn preferences(web: Option<&WebPolicy>) -> Value {
    let mut preferences = json!({
        "toolkit.legacyUserProfileCustomizations.stylesheets": true,
        // No program is asked to open what Firefox cannot (B-05).
        "network.protocol-handler.external-default": false,
        "network.protocol-handler.expose-all": true,
        "network.protocol-handler.external.mailto": false,
        "network.protocol-handler.external.news": false,
        "network.protocol-handler.external.nntp": false,
        "network.protocol-handler.external.snews": false,
        "network.protocol-handler.external.file": false,
        "browser.aboutwelcome.enabled": false,
        "browser.tabs.warnOnClose": false,
        "browser.sessionstore.resume_from_crash": false,
        "browser.download.open_pdf_attachments_inline": true,
        "browser.formfill.enable": false,
        "browser.shell.checkDefaultBrowser": false,
        "extensions.getAddons.showPane": false,
        "print.always_print_silent": false,
    });
    let (Value::Object(all), Some(web)) = (&mut preferences, web) else { return locked(&preferences) };
    let ports: BTreeSet<u16> = web.sites.iter().map(|site| site.port).chain([80, 443]).collect();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    all.extend([
        // Port 80 stays for revocation lists: a page of it is no site of the app.
        ("network.security.ports.banned".to_owned(), json!("1-65535")),
        ("network.security.ports.banned.override".to_owned(), json!(ports.join(","))),
    ]);
    if web.zoom != 100 {
        let zoom = format!("{}", f64::from(web.zoom) / 100.0);
        all.extend([("layout.css.devPixelsPerPx".to_owned(), json!(zoom))]);
    }
    locked(&preferences)
}

/// Preferences that nobody in the session can change.
fn locked(values: &Value) -> Value {
    let values = values.as_object().into_iter().flatten();
    values.map(|(name, value)| (name.clone(), json!({ "Value": value, "Status": "locked" }))).collect()
}

/// What is forbidden in every browser of a session.
fn forbidden() -> Map<String, Value> {
    let parts = [ways(), kept(), distractions()];
    parts
        .iter()
        .filter_map(Value::as_object)
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Ways out of the page.
fn ways() -> Value {
    json!({
        // Ways into the browser, and programs beside it (B-02, B-05, B-08).
        "DisableDeveloperTools": true,
        "BlockAboutAddons": true,
        "BlockAboutConfig": true,
        "BlockAboutProfiles": true,
        "BlockAboutSupport": true,
        "ExtensionSettings": { "*": { "installation_mode": "blocked" } },
        "ExtensionUpdate": false,
        "InstallAddonsPermission": { "Default": false },
        "Handlers": { "schemes": {}, "mimeTypes": {}, "extensions": {} },
        "AutoLaunchProtocolsFromOrigins": [],
        "DisableSafeMode": true,
        // Ways to files and printers (B-03).
        "AllowFileSelectionDialogs": false,
        "PromptForDownloadLocation": false,
        "DisableFirefoxScreenshots": true,
        "DisableSetDesktopBackground": true,
        // Other profiles (B-04).
        "DisablePrivateBrowsing": true,
        "DisableProfileImport": true,
        "DisableProfileRefresh": true,
    })
}

/// What would be kept, or sent to somebody's account (B-06).
fn kept() -> Value {
    json!({
        "PasswordManagerEnabled": false,
        "OfferToSaveLogins": false,
        "DisableMasterPasswordCreation": true,
        "DisablePasswordReveal": true,
        "DisableFormHistory": true,
        "AutofillAddressEnabled": false,
        "AutofillCreditCardEnabled": false,
        "DisableFirefoxAccounts": true,
    })
}

/// What speaks with others than the page, and what would come between it and the operator.
fn distractions() -> Value {
    json!({
        "AppAutoUpdate": false,
        "DisableAppUpdate": true,
        "DisableSystemAddonUpdate": true,
        "DisableTelemetry": true,
        "DisableFirefoxStudies": true,
        "DisableFeedbackCommands": true,
        "CaptivePortal": false,
        "NetworkPrediction": false,
        "SearchSuggestEnabled": false,
        "TranslateEnabled": false,
        "DNSOverHTTPS": { "Enabled": false, "Locked": true },
        "FirefoxSuggest": { "WebSuggestions": false, "SponsoredSuggestions": false, "ImproveSuggest": false, "Locked": true },
        "GenerativeAI": { "Enabled": false, "Locked": true },
        "DontCheckDefaultBrowser": true,
        "DisplayBookmarksToolbar": "never",
        "FirefoxHome": {
            "Search": false, "TopSites": false, "SponsoredTopSites": false, "Highlights": false, "Pocket": false,
            "SponsoredPocket": false, "Snippets": false, "Locked": true
        },
        "NewTabPage": false,
        "NoDefaultBookmarks": true,
        "OverrideFirstRunPage": "",
        "OverridePostUpdatePage": "",
        "PictureInPicture": { "Enabled": false, "Locked": true },
        "PopupBlocking": { "Default": true, "Locked": true },
        "Permissions": {
            "Camera": { "BlockNewRequests": true, "Locked": true },
            "Microphone": { "BlockNewRequests": true, "Locked": true },
            "Location": { "BlockNewRequests": true, "Locked": true },
            "Notifications": { "BlockNewRequests": true, "Locked": true },
            "VirtualReality": { "BlockNewRequests": true, "Locked": true }
        },
        "SkipTermsOfUse": true,
        "UserMessaging": {
            "ExtensionRecommendations": false, "FeatureRecommendations": false, "UrlbarInterventions": false,
            "SkipOnboarding": true, "MoreFromMozilla": false, "FirefoxLabs": false, "Locked": true
        },
    })
}
