//! Where the policy, the state, the runtime files and the programs of a station lie, which of those are lacking, and
//! what the machine's own policies set before the policy file does.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::browser;
use crate::policy::{AppPolicy, Switch, SwitchValue};

use super::registry;

/// Where IT's own policies (ADMX) may name another policy file.
pub const POLICIES: &str = r"SOFTWARE\Policies\Cleanshift";

/// The directory of an installed station, for its policy and its state.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "Windows names its directories in the environment")]
pub fn station() -> PathBuf {
    let data = std::env::var_os("ProgramData").filter(|data| Path::new(data).is_absolute());
    data.map_or_else(|| PathBuf::from(r"C:\ProgramData"), PathBuf::from).join("Cleanshift")
}

/// The policy file: the one that the machine's policies name, else the installed station's, else the account's own.
#[must_use]
pub fn policy() -> PathBuf {
    match registry::machine_text(POLICIES, "Policy") {
        Some(named) if !named.is_empty() => return PathBuf::from(named),
        // What is no text names no file: the station says so, and does not take another.
        None if registry::machine_has(POLICIES, "Policy") => {
            return PathBuf::from(format!(r"HKLM\{POLICIES}\Policy"));
        }
        Some(_) | None => {}
    }
    let installed = station().join("policy.toml");
    if installed.exists() {
        return installed;
    }
    own().map_or(installed, |own| own.config_dir().join("policy.toml"))
}

/// A value of the machine's policies, and the table and key of the policy file that it stands before.
type Named = (&'static str, (&'static str, &'static str));
/// Texts.
const TEXTS: [Named; 5] = [
    ("StationName", ("station", "name")),
    ("StationPlace", ("station", "place")),
    ("StationHelp", ("station", "help")),
    ("BadgeMode", ("badge", "mode")),
    ("CapsuleMode", ("capsule", "mode")),
];
/// Numbers of seconds.
const SECONDS: [Named; 2] = [("IdleSeconds", ("times", "idle")), ("WarningSeconds", ("times", "warning"))];
/// One or zero.
const FLAGS: [Named; 2] = [("BreakGlass", ("break_glass", "enabled")), ("ShowNames", ("log", "show_names"))];

/// What the machine's own policies (ADMX) set before the policy file does. A value of another type than it should be,
/// or one that cannot be read, is passed on as one that no policy may have, so that it is told as wrong.
#[must_use]
pub fn switches() -> Vec<Switch> {
    let text = |name| registry::machine_text(POLICIES, name);
    let number = |name| registry::machine_number(POLICIES, name);
    let other = |name| registry::machine_has(POLICIES, name).then_some(name);
    let texts = TEXTS.iter().map(|(name, key)| {
        let value = text(name).map(SwitchValue::Text);
        // No text of the file may be false.
        (key, value.or_else(|| other(name).map(|_| SwitchValue::Flag(false))))
    });
    let seconds = SECONDS.iter().map(|(name, key)| {
        let value = number(name).map(|number| format!("{number} s")).or_else(|| text(name));
        (key, value.map(SwitchValue::Text).or_else(|| other(name).map(|_| SwitchValue::Flag(false))))
    });
    let flags = FLAGS.iter().map(|(name, key)| {
        let flag = number(name).map(|number| match number {
            0 => SwitchValue::Flag(false),
            1 => SwitchValue::Flag(true),
            _ => SwitchValue::Text(number.to_string()),
        });
        (key, flag.or_else(|| other(name).map(|name| SwitchValue::Text(text(name).unwrap_or_default()))))
    });
    let set = |(key, value): (&(&'static str, &'static str), _)| Some(Switch { key: *key, value: value? });
    // A text that is empty is one that is not set: so templates leave it that were opened and closed again.
    let empty =
        |switch: &Switch| switch.value == SwitchValue::Text(String::new()) && switch.key.0 == "station";
    texts.chain(seconds).chain(flags).filter_map(set).filter(|switch| !empty(switch)).collect()
}

/// The state directory: the installed station's where there is one, else this account's own.
#[must_use]
pub fn state() -> PathBuf {
    let installed = station();
    match own() {
        Some(own) if !installed.is_dir() => own.data_local_dir().to_owned(),
        Some(_) | None => installed.join("state"),
    }
}

/// Where the directories of sessions lie: beside the state, since Windows keeps none in memory.
#[must_use]
pub fn runtime(state: &Path) -> PathBuf {
    state.join("run")
}

/// Where a program lies that a policy names.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "Windows names its directories in the environment")]
pub fn program(command: &str) -> PathBuf {
    let windows = std::env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    windows.join("System32").join(command)
}

/// What the machine lacks to start an app, where it does.
#[must_use]
pub fn lacking(app: &AppPolicy) -> Option<String> {
    if let Some(web) = &app.web {
        return browser::lacking(web.browser);
    }
    let program = program(&app.command);
    (!program.exists()).then(|| program.display().to_string())
}

fn own() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "Cleanshift")
}
