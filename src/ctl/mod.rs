//! `cleanshiftctl`: what IT and auditors use. Exit codes: 0 good, 1 found wanting, 2 could not run.

pub mod break_glass;
pub mod doctor;
pub mod export;
pub mod log;
pub mod policy;
pub mod roster;
pub mod sign_in;
pub mod vacant;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::system::SystemCommand;
use crate::platform::native::clock::HostClock;
use crate::platform::native::{host, places};
use crate::policy::Policy;
use crate::revoke::Vault;
use crate::roster::Pepper;
use crate::store::Store;

crate::platform::on_linux! {
    pub mod demo;
    pub mod drill;
    pub mod kiosk;
    mod linux;

    use self::linux as system;
}
crate::platform::on_windows! {
    mod windows;

    use self::windows as system;
}

/// Good.
pub const GOOD: u8 = 0;
/// Found wanting: problems, residue, a broken ledger.
pub const WANTING: u8 = 1;
/// Could not run.
pub const COULD_NOT_RUN: u8 = 2;

/// Looks after a Cleanshift station.
#[derive(Parser)]
#[command(name = "cleanshiftctl", version)]
struct Arguments {
    /// The policy file of the station.
    #[arg(long, global = true)]
    policy: Option<PathBuf>,
    /// The directory of the station's state.
    #[arg(long, global = true)]
    state: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look after break-glass codes: emergency access when nothing else opens a station.
    #[command(subcommand)]
    BreakGlass(break_glass::BreakGlassCommand),
    /// Check policy files, or print their JSON Schema.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Look after the roster: operators, badges, one-time PINs.
    #[command(subcommand)]
    Roster(roster::RosterCommand),
    /// Read and verify the ledger.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Look at this host: what is good, reduced or bad for a station, why it matters, and what mends it.
    Doctor(doctor::DoctorArguments),
    /// Look after how the station signs operators in at identity providers.
    #[command(subcommand)]
    SignIn(sign_in::SignInCommand),
    /// Look after the secrets of the policy's calls.
    #[command(subcommand)]
    Secret(sign_in::SecretCommand),
    #[command(flatten)]
    System(SystemCommand),
    /// Say whether the station is vacant, or wait until it is; exit code 1 when it is not.
    Vacant(vacant::VacantArguments),
}

/// The command line itself, for its manual pages and completions.
#[must_use]
pub fn command_line() -> clap::Command {
    Arguments::command()
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    host::log_to_stderr();
    let arguments = Arguments::parse();
    let state = arguments.state.clone().unwrap_or_else(places::state);
    if !matches!(&arguments.command, Command::System(command) if command.starts_programs()) {
        // A reader that went away (`| head`) ends a listing quietly.
        host::end_with_its_reader();
    }
    let code = match arguments.command {
        Command::Policy(command) => {
            let path = arguments.policy.unwrap_or_else(places::policy);
            told(policy::run(&command, &path))
        }
        Command::BreakGlass(command) => {
            let path = arguments.policy.unwrap_or_else(places::policy);
            told(with_codes(&path, &state, &command))
        }
        Command::Roster(command) => {
            let path = arguments.policy.unwrap_or_else(places::policy);
            told(with_roster(&path, &state, &command))
        }
        Command::SignIn(command) => {
            let path = arguments.policy.unwrap_or_else(places::policy);
            told(with_vault(&path, &state, true, |vault, _| sign_in::run(&command, vault)))
        }
        Command::Secret(command) => {
            let path = arguments.policy.unwrap_or_else(places::policy);
            let keeps = !matches!(command, sign_in::SecretCommand::List { .. });
            told(with_vault(&path, &state, keeps, |vault, policy| {
                sign_in::run_secret(&command, vault, policy)
            }))
        }
        Command::Log(command) => {
            let state_given = arguments.state.is_some();
            log::run(&command, &log::Station { state, state_given, policy: arguments.policy })
        }
        Command::Doctor(doctor) => {
            told(doctor::run(&doctor, arguments.policy.as_deref(), arguments.state.as_deref()))
        }
        Command::System(command) => {
            system::run(&command, arguments.policy.as_deref(), arguments.state.as_deref())
        }
        Command::Vacant(vacant) => told(vacant::run(&vacant, &state)),
    };
    ExitCode::from(code)
}

/// Says it on standard output; that nobody could hear it is an error.
///
/// # Errors
/// What the terminal, file or pipe said.
pub fn say(text: &str) -> Result<u8, String> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let told = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    told.map(|()| GOOD).map_err(|error| {
        format!(
            "standard output took not all of it: {error}\nhelp: make room there, or write to another place"
        )
    })
}

/// Tells an error to the terminal.
fn told(result: Result<u8, String>) -> u8 {
    result.unwrap_or_else(|error| {
        eprintln!("cleanshiftctl: {}", error.trim_end());
        COULD_NOT_RUN
    })
}

/// The store and the pepper of the station that this policy is for.
fn secrets(policy: &Policy, state: &std::path::Path) -> Result<(Arc<Store>, Pepper), String> {
    let failed = |error: crate::ports::PortError| format!("failed to {error}");
    let store = Arc::new(Store::open_beside(state, &policy.station.name).map_err(failed)?);
    let pins = crate::ports::RosterRows::all(&*store).map_err(failed)?.iter().any(|row| row.pin.is_some());
    let codes = !crate::ports::CodeRows::codes(&*store).map_err(failed)?.is_empty();
    let key = store.public_key().map_err(failed)?;
    let (pepper, _) =
        Pepper::open(state, key.origin(), host::has_keyring(), pins || codes).map_err(failed)?;
    Ok((store, pepper))
}

/// What only lists makes no station where there is none.
fn there(state: &std::path::Path) -> Result<(), String> {
    Store::open_read(state).map(drop).map_err(|error| format!("failed to {error}"))
}

fn with_codes(
    policy: &std::path::Path,
    state: &std::path::Path,
    command: &break_glass::BreakGlassCommand,
) -> Result<u8, String> {
    let policy = Policy::in_force(policy, &places::switches()).map_err(|problems| problems.to_string())?;
    if matches!(command, break_glass::BreakGlassCommand::List { .. }) {
        there(state)?;
    }
    let (store, pepper) = secrets(&policy, state)?;
    break_glass::run(command, &store, &pepper, &HostClock::begin(), &host::account())
}

/// The vault of the station that this policy is for. A keyring keeps things under the name that the ledger was begun
/// with: before something is kept there, the ledger is begun.
fn with_vault(
    policy: &std::path::Path,
    state: &std::path::Path,
    keeps: bool,
    run: impl FnOnce(&Vault, &Policy) -> Result<u8, String>,
) -> Result<u8, String> {
    let policy = Policy::in_force(policy, &places::switches()).map_err(|problems| problems.to_string())?;
    let name = &policy.station.name;
    let origin = match (host::has_keyring(), keeps) {
        (false, _) => Ok(String::new()),
        (true, false) => Store::origin_in(state, name),
        (true, true) => Store::open_beside(state, name)
            .and_then(|store| store.public_key())
            .map(|key| key.origin().to_owned()),
    };
    let origin = origin.map_err(|error| format!("failed to {error}"))?;
    run(&Vault::of(state, &origin, host::has_keyring()), &policy)
}

fn with_roster(
    policy: &std::path::Path,
    state: &std::path::Path,
    command: &roster::RosterCommand,
) -> Result<u8, String> {
    let policy = Policy::in_force(policy, &places::switches()).map_err(|problems| problems.to_string())?;
    if matches!(command, roster::RosterCommand::List { .. } | roster::RosterCommand::Export { .. }) {
        there(state)?;
    }
    let (store, pepper) = secrets(&policy, state)?;
    let context = roster::Context {
        rows: store,
        clock: Arc::new(HostClock::begin()),
        rules: crate::shell::roster_rules(&policy),
        pepper,
        by: host::account(),
    };
    roster::run(command, &context)
}
