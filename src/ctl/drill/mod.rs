//! `cleanshiftctl drill`: plants traces on purpose, shows that the gates see them, hands off, and looks
//! for every one of them by ways of its own.

pub mod compare;
pub mod control;
pub mod course;
pub mod judge;
pub mod planted;
pub mod search;
pub mod session;
pub mod table;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::{Args, Subcommand};

use self::table::{Table, Verdict};
use super::demo::stage::Stage;
use super::{COULD_NOT_RUN, GOOD, WANTING, say};
use crate::policy::Policy;

/// Plants traces on purpose, and proves that the gates see them and a handoff removes them.
#[derive(Args)]
pub struct DrillArguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Plant the same on a plain account too, and show what the two ordinary ways of cleaning up leave.
    #[arg(long)]
    compare: bool,
    /// Leave out the controls and the search: only what the station itself notices counts.
    #[arg(long, hide = true)]
    session_alone: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Answer for the gates, a line at a time: a part of the drill, not for use by hand.
    #[command(hide = true)]
    Judge,
}

/// Runs the command. Without a policy the drill has one of its own; its sessions have a state of their
/// own, and what it came to is entered in the ledger of `state`, where one is named.
#[must_use]
pub fn run(arguments: &DrillArguments, policy: Option<&Path>, state: Option<&Path>) -> u8 {
    let done = match arguments.part {
        Some(Part::Judge) => judge::run().map(|()| GOOD),
        None => drill(arguments, policy, state),
    };
    done.unwrap_or_else(|error| {
        eprintln!("cleanshiftctl: the drill could not run: {error}");
        COULD_NOT_RUN
    })
}

fn drill(arguments: &DrillArguments, policy: Option<&Path>, state: Option<&Path>) -> std::io::Result<u8> {
    if let Some(path) = policy {
        // Told as the file that IT has written, not as the drill's copy of it.
        let _ = Policy::read(path).map_err(|problems| std::io::Error::other(problems.to_string()))?;
    }
    let mut stage = Stage::set(session::SIZE)?;
    let table = course::run(&mut stage, policy, arguments.session_alone)?;
    let own = stage.dir.join("state");
    enter(&table, state.unwrap_or(&own))?;
    let compared = if arguments.compare { Some(compare::run(&stage)?) } else { None };
    let mut text;
    if arguments.json {
        let mut told = table.json();
        if let (Some(compared), Some(told)) = (&compared, told.as_object_mut()) {
            let _ = told.insert("compared".to_owned(), compared.json());
        }
        text = format!("{told:#}\n");
    } else {
        text = table.text();
        if let Some(compared) = &compared {
            text.push_str(&compared.text(&table));
        }
    }
    let _ = say(&text).map_err(std::io::Error::other)?;
    Ok(if table.verdict() == Verdict::Clean { GOOD } else { WANTING })
}

/// Enters what the drill came to in a ledger.
fn enter(table: &Table, state: &Path) -> std::io::Result<()> {
    let failed = |error: crate::ports::PortError| std::io::Error::other(format!("failed to {error}"));
    let store = crate::store::Store::open_beside(state, "Drill").map_err(failed)?;
    let clock = crate::platform::linux::clock::HostClock::begin();
    let entry = crate::ports::Entry {
        at: crate::ports::Clock::stamp(&clock),
        body: crate::ports::Body::Drill { by: None, came_to: table.summary() },
    };
    crate::ports::Ledger::append(&store, &entry).map(drop).map_err(failed)
}

/// The wall clock.
fn now() -> Duration {
    let clock = crate::platform::linux::clock::HostClock::begin();
    Duration::from_millis(u64::try_from(crate::ports::Clock::stamp(&clock).utc_ms).unwrap_or(0))
}

#[expect(clippy::disallowed_methods, reason = "the drill plants what services of the host would make")]
fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    let _ = command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

#[expect(clippy::disallowed_methods, reason = "what the drill itself has planted, by a name of its own")]
fn take_away(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}

fn end_group(group: i32) {
    if let Some(group) = rustix::process::Pid::from_raw(group) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

fn end(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
