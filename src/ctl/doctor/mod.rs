//! `cleanshiftctl doctor`: every requirement of the host, whether it is good, reduced or bad, why it matters,
//! and the command that mends it.
//!
//! What can be tried is tried, as the station's account where root asks; what could not be looked at is told
//! as such, and is never good. Exit codes: 0 nothing is bad, 1 something is, 2 it could not run.

pub mod report;

use std::path::{Path, PathBuf};

use clap::Args;

use self::report::{Report, State};
pub use self::system::look;
use super::{GOOD, WANTING, say};

crate::platform::on_linux! {
    pub mod capsule;
    pub mod display;
    pub mod files;
    pub mod host;
    pub mod keys;
    mod linux;
    pub mod memory;
    pub mod readers;
    pub mod state;

    use self::linux as system;
}
crate::platform::on_windows! {
    mod windows;

    use self::windows as system;
}

/// Look at this host: what is good, reduced or bad for a station, why it matters, and what mends it.
#[derive(Args)]
pub struct DoctorArguments {
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Look at a tree of files instead of this machine: an image that is being made.
    #[arg(long)]
    root: Option<PathBuf>,
    /// For the station's unit: print nothing that is good, and leave in this file what the out-of-service
    /// screen shows if the shell does not start.
    #[arg(long, hide = true)]
    gate: Option<PathBuf>,
    /// For the doctor itself: print the names of the readers that this account sees.
    #[arg(long, hide = true)]
    readers: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such host, or nobody could be told.
pub fn run(arguments: &DoctorArguments, policy: Option<&Path>, state: Option<&Path>) -> Result<u8, String> {
    if arguments.readers {
        let names = listed()?;
        return say(&names.iter().map(|name| format!("{name}\n")).collect::<String>());
    }
    let root = arguments.root.as_deref().unwrap_or_else(|| Path::new(std::path::MAIN_SEPARATOR_STR));
    let report = look(root, policy, state)?;
    if let Some(gate) = &arguments.gate {
        let text =
            if report.verdict == State::Bad { report.screen() } else { system::UNEXPLAINED.to_owned() };
        std::fs::write(gate, &text)
            .map_err(|error| format!("failed to write {}: {error}", gate.display()))?;
        if report.verdict == State::Bad {
            eprint!("{text}");
        }
        return Ok(code(&report));
    }
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&report);
        json.map_err(|error| format!("failed to write JSON: {error}"))? + "\n"
    } else {
        report.text()
    };
    say(&text).map(|_| code(&report))
}

fn code(report: &Report) -> u8 {
    if report.verdict == State::Bad { WANTING } else { GOOD }
}

/// The names of the readers, as this process sees them.
///
/// # Errors
/// What the card service said.
pub fn listed() -> Result<Vec<String>, String> {
    let context = pcsc::Context::establish(pcsc::Scope::User).map_err(|error| error.to_string())?;
    match context.list_readers_owned() {
        Ok(names) => Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect()),
        Err(pcsc::Error::NoReadersAvailable) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}
