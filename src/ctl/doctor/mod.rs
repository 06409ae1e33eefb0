//! `cleanshiftctl doctor`: every requirement of the host, whether it is good, reduced or bad, why it matters,
//! and the command that mends it.
//!
//! What can be tried is tried, as the station's account where root asks; what could not be looked at is told
//! as such, and is never good. Exit codes: 0 nothing is bad, 1 something is, 2 it could not run.

pub mod capsule;
pub mod display;
pub mod files;
pub mod host;
pub mod keys;
pub mod memory;
pub mod readers;
pub mod report;
pub mod state;

use std::path::{Path, PathBuf};

use clap::Args;

use self::host::Host;
use self::report::{Report, State};
use super::{GOOD, WANTING, say};

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

/// What the screen shows where the shell fails on a host that is fit.
const UNEXPLAINED: &str = concat!(
    "The station's shell did not stay up, and the host is fit for it. For IT:\n\n",
    "          $ journalctl -u cleanshift -b\n",
    "          $ systemctl reset-failed cleanshift && systemctl start cleanshift\n"
);

/// Runs the command.
///
/// # Errors
/// When there is no such host, or nobody could be told.
pub fn run(arguments: &DoctorArguments, policy: Option<&Path>, state: Option<&Path>) -> Result<u8, String> {
    if arguments.readers {
        let names = readers::listed()?;
        return say(&names.iter().map(|name| format!("{name}\n")).collect::<String>());
    }
    let root = arguments.root.as_deref().unwrap_or_else(|| Path::new("/"));
    let report = look(root, policy, state)?;
    if let Some(gate) = &arguments.gate {
        let text = if report.verdict == State::Bad { report.screen() } else { UNEXPLAINED.to_owned() };
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

/// Looks at the host below `root`.
///
/// # Errors
/// When there is no such directory.
pub fn look(root: &Path, policy: Option<&Path>, state: Option<&Path>) -> Result<Report, String> {
    let host = Host::below(root, policy, state)
        .map_err(|error| format!("failed to look at {}: {error}", root.display()))?;
    let (own, policy) = state::all(&host);
    let require = policy.as_ref().map_or(&[][..], |policy| &policy.require);
    let allowed = policy.as_ref().map_or(&[][..], |policy| &policy.readers);
    let mut all = capsule::all(&host);
    all.extend(own);
    all.extend(readers::all(&host, allowed));
    all.push(readers::right(&host));
    all.extend(keys::all(&host));
    all.extend(display::all(&host, policy.as_ref()));
    all.extend(memory::all(&host, require));
    all.extend(files::all(&host));
    Ok(Report::of(host.tried_as(), all))
}
