//! `cleanshiftctl drill`: plants traces on purpose, and shows that the gates see them.

pub mod judge;
pub mod planted;

use std::path::Path;
use std::process::Command;

use clap::{Args, Subcommand};

use super::{COULD_NOT_RUN, GOOD};

/// Plants traces on purpose, and proves that the gates see them.
#[derive(Args)]
pub struct DrillArguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Answer for the gates, a line at a time: a part of the drill, not for use by hand.
    #[command(hide = true)]
    Judge,
}

/// Runs the command.
#[must_use]
pub fn run(arguments: &DrillArguments) -> u8 {
    let done = match arguments.part {
        Part::Judge => judge::run().map(|()| GOOD),
    };
    done.unwrap_or_else(|error| {
        eprintln!("cleanshiftctl: the drill could not run: {error}");
        COULD_NOT_RUN
    })
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

fn end(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
