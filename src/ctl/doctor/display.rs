//! What is drawn with and what is drawn: displays, what a session has beside its apps, letters, apps.

use std::path::Path;

use super::host::Host;
use super::report::Requirement;
use crate::policy::Policy;

/// A program: its name, how it tells its version, its package, why it matters.
const PROGRAMS: [(&str, &str, &str, &str); 7] = [
    ("Xorg", "-version", "xserver-xorg-core", "it draws the station's own screen"),
    (
        "Xephyr",
        "",
        "xserver-xephyr",
        "each session has a display of its own, which it draws in the shell's window",
    ),
    ("openbox", "--version", "openbox", "it places the windows of a session"),
    ("dbus-daemon", "--version", "dbus-daemon", "each session has a bus of its own"),
    ("dbus-send", "", "dbus-bin", "it gives a session's keyring its place in memory"),
    (
        "gnome-keyring-daemon",
        "--version",
        "gnome-keyring",
        "a session's secrets live in its own keyring, in memory",
    ),
    ("xkbcomp", "-version", "x11-xkb-utils", "no display knows its keys without it"),
];

/// Libraries that are only loaded while the shell runs, so that no linker misses them.
const LIBRARIES: [(&str, &str); 6] = [
    ("libX11.so.6", "libx11-6"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon.so.0", "libxkbcommon0"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
];

/// Browsers that the policies' samples and most sites use.
const BROWSERS: [&str; 6] =
    ["chromium", "firefox-esr", "firefox", "google-chrome-stable", "google-chrome", "microsoft-edge-stable"];

/// All of them.
#[must_use]
pub fn all(host: &Host, policy: Option<&Policy>) -> Vec<Requirement> {
    let mut all: Vec<_> = PROGRAMS.iter().map(|program| installed(host, program)).collect();
    all.extend([libraries(host), keymaps(host), fonts(host), browsers(host)]);
    all.push(apps(host, policy));
    all
}

fn installed(host: &Host, (name, version, package, why): &(&str, &str, &str, &str)) -> Requirement {
    let asked = Requirement::of(name.to_lowercase(), *name, *why);
    let mend = format!("apt install {package}");
    let Some(path) = host.program(name) else { return asked.bad("it is not installed", mend) };
    if version.is_empty() {
        return asked.good("installed");
    }
    match host.heard(&[&path, version]) {
        Ok(text) => {
            let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()));
            asked.good(line.unwrap_or("it runs").trim())
        }
        Err(said) => {
            asked.bad(format!("it does not run: {said}"), format!("apt install --reinstall {package}"))
        }
    }
}

fn libraries(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "libraries",
        "the shell's libraries",
        "the shell loads them when it starts: without one of them there is no screen",
    );
    let places = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64"];
    let there = |name: &str| places.iter().any(|place| Path::new(&host.at(place)).join(name).exists());
    let missing: Vec<_> = LIBRARIES.iter().filter(|(name, _)| !there(name)).collect();
    if missing.is_empty() {
        return asked.good(format!("all {} are installed", LIBRARIES.len()));
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    asked.bad(format!("not installed: {}", names.join(", ")), format!("apt install {}", packages.join(" ")))
}

fn keymaps(host: &Host) -> Requirement {
    let asked = Requirement::of("keymaps", "keyboard layouts", "no display knows its keys without them");
    if host.has("/usr/share/X11/xkb/rules/evdev") || host.has("/usr/share/xkeyboard-config-2/rules/evdev") {
        return asked.good("installed");
    }
    asked.bad("they are not installed", "apt install xkb-data")
}

fn fonts(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "fonts",
        "letters for apps",
        "the shell brings its own; apps show boxes in place of letters that no font has",
    );
    let mut places = vec![host.at("/usr/share/fonts"), host.at("/usr/local/share/fonts")];
    let mut count = 0;
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            let path = entry.path();
            let end = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if path.is_dir() {
                places.push(path);
            } else if matches!(end.as_str(), "ttf" | "otf" | "ttc") {
                count += 1;
            }
        }
    }
    if count > 0 {
        return asked.good(format!("{count} files of fonts"));
    }
    asked.reduced("there is no font", "apt install fonts-dejavu-core fonts-noto-core")
}

fn browsers(host: &Host) -> Requirement {
    let asked = Requirement::of("browsers", "a browser", "most apps of a station are pages in a browser");
    let found: Vec<_> = BROWSERS.into_iter().filter(|name| host.program(name).is_some()).collect();
    if found.is_empty() {
        return asked.reduced("none is installed", "apt install chromium   # or: apt install firefox-esr");
    }
    asked.good(found.join(", "))
}

fn apps(host: &Host, policy: Option<&Policy>) -> Requirement {
    let asked = Requirement::of("apps", "the policy's apps", "an app that is not installed opens nothing");
    let mend = format!("cleanshiftctl policy check {}", host.shown(&host.policy));
    let Some(policy) = policy else { return asked.unseen("there is no good policy to name them", mend) };
    if policy.apps.is_empty() {
        return asked.reduced("the policy permits none: there would be nothing to work with", mend);
    }
    let missing: Vec<_> = policy
        .apps
        .iter()
        .filter(|app| {
            let program = Path::new("/usr/bin").join(&app.command);
            // Programs under /session are put there with the capsule.
            !program.starts_with("/session") && !host.has(&program.display().to_string())
        })
        .map(|app| format!("{} ({})", app.name, app.command))
        .collect();
    if missing.is_empty() {
        return asked.good(format!("all {} are installed", policy.apps.len()));
    }
    asked.reduced(format!("not installed: {}", missing.join(", ")), mend)
}
