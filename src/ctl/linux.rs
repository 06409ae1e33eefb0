//! The commands that only the Linux station has.

use std::path::Path;

use clap::Subcommand;

use super::{demo, drill, kiosk, told};

/// The commands that only the Linux station has.
#[derive(Subcommand)]
pub(super) enum SystemCommand {
    /// Make this host start into the station, or put it back as it was.
    #[command(subcommand)]
    Kiosk(kiosk::KioskCommand),
    /// The demo on virtual badges.
    #[command(subcommand)]
    Demo(demo::DemoCommand),
    /// Plant traces on purpose, and prove that the gates see them and a handoff removes them.
    Drill(drill::DrillArguments),
}

impl SystemCommand {
    /// Whether it starts programs of its own, and is told itself when one of them has gone.
    pub(super) fn starts_programs(&self) -> bool {
        match self {
            Self::Demo(_) | Self::Drill(_) => true,
            Self::Kiosk(_) => false,
        }
    }
}

/// Runs the command; answers the exit code.
pub(super) fn run(command: &SystemCommand, policy: Option<&Path>, state: Option<&Path>) -> u8 {
    match command {
        SystemCommand::Kiosk(command) => told(kiosk::run(command, policy)),
        SystemCommand::Demo(command) => demo::run(command),
        SystemCommand::Drill(drill) => drill::run(drill, policy, state),
    }
}
