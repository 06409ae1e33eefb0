//! Where the policy, the state, the runtime files and the programs of a station lie, which of those are lacking, and
//! what the machine's own policies set before the policy file does.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use crate::policy::{AppPolicy, Switch};

/// The policy of an installed station.
const POLICY: &str = "/etc/cleanshift/policy.toml";
/// The state of an installed station.
const STATE: &str = "/var/lib/cleanshift";

/// The policy file: the installed station's, else the account's own.
#[must_use]
pub fn policy() -> PathBuf {
    let installed = PathBuf::from(POLICY);
    if installed.exists() {
        return installed;
    }
    own().map_or(installed, |own| own.config_dir().join("policy.toml"))
}

/// What the machine's own policies set before the policy file does: nothing, since Linux has no such policies, and
/// the file is IT's own for this station.
#[must_use]
pub fn switches() -> Vec<Switch> {
    Vec::new()
}

/// The state directory: the installed station's where this account may write there, else its own.
#[must_use]
pub fn state() -> PathBuf {
    let installed = Path::new(STATE);
    let writable = rustix::fs::access(installed, rustix::fs::Access::WRITE_OK).is_ok();
    match own() {
        Some(own) if !writable => own.data_local_dir().to_owned(),
        Some(_) | None => installed.to_owned(),
    }
}

/// Where sockets and cookies of the running shell lie: in memory where the host has such a place,
/// else beside the state.
#[must_use]
pub fn runtime(state: &Path) -> PathBuf {
    own().and_then(|own| Some(own.runtime_dir()?.to_owned())).unwrap_or_else(|| state.join("run"))
}

/// Where a program lies that a policy names.
#[must_use]
pub fn program(command: &str) -> PathBuf {
    Path::new("/usr/bin").join(command)
}

/// What the machine lacks to start an app, where it does.
#[must_use]
pub fn lacking(app: &AppPolicy) -> Option<String> {
    let program = program(&app.command);
    // Programs under /session are put there with the capsule.
    (!program.starts_with("/session") && !program.exists()).then(|| program.display().to_string())
}

fn own() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "cleanshift")
}
