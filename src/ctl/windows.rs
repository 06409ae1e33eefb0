//! The commands that only the Windows station has.

use std::path::Path;

use clap::Subcommand;

use super::{GOOD, WANTING, say, told};
use crate::platform::native::stop;

/// The commands that only the Windows station has.
#[derive(Subcommand)]
pub(super) enum SystemCommand {
    /// End the session that is open, if any, and stop the station; for administrators, who sit at it.
    Stop,
}

impl SystemCommand {
    /// Whether it starts programs of its own.
    pub(super) fn starts_programs(&self) -> bool {
        match self {
            Self::Stop => false,
        }
    }
}

/// Runs the command; answers the exit code.
pub(super) fn run(command: &SystemCommand, _: Option<&Path>, _: Option<&Path>) -> u8 {
    match command {
        SystemCommand::Stop => told(stop()),
    }
}

fn stop() -> Result<u8, String> {
    match stop::order() {
        Ok(true) => say("The station was told to stop.\n").map(|_| GOOD),
        Ok(false) => say("No station runs in this sign-in of the machine.\n").map(|_| WANTING),
        Err(error) => {
            Err(format!("failed to tell the station to stop: {error}; start this as an administrator"))
        }
    }
}
