//! Chrome, Edge and Chromium: the command line of a web app.

use crate::policy::WebPolicy;

/// What every web app's browser is started with.
const ALWAYS: [&str; 11] = [
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-mode",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--start-maximized",
    "--disable-features=Translate,MediaRouter,AutofillServerCommunication,msEdgeIdentityFeatures",
];

/// What a web app's browser is started with. Hosts that are none of its own are not found by it: that keeps
/// pages to their sites where the machine's policies do not; only those know of paths and schemes.
pub(super) fn arguments(web: &WebPolicy, profile: &str) -> Vec<String> {
    let mut arguments: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    let mut rules = "MAP * ~NOTFOUND".to_owned();
    for site in &web.sites {
        rules.push_str(&format!(", EXCLUDE {}", site.host));
        if site.below {
            rules.push_str(&format!(", EXCLUDE *.{}", site.host));
        }
    }
    arguments.push(format!("--host-resolver-rules={rules}"));
    if web.zoom != 100 {
        arguments.push(format!("--force-device-scale-factor={}", f64::from(web.zoom) / 100.0));
    }
    arguments.push(format!("--user-data-dir={profile}"));
    arguments.push(format!("--app={}", web.url));
    arguments
}
