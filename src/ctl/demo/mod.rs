//! `cleanshiftctl demo`: the main job on virtual badges and real apps.

pub mod account;
pub mod card_service;
pub mod emulator;
pub mod page;
pub mod provider;
pub mod screen;
pub mod shift;
pub mod stage;
pub mod tray;
pub mod window;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::tray::Move;
use super::{COULD_NOT_RUN, GOOD, WANTING};

/// The demo on virtual badges.
#[derive(Subcommand)]
pub enum DemoCommand {
    /// Lay a badge of the demo that runs on a reader, or take it away.
    #[command(subcommand)]
    Badge(BadgeCommand),
    /// Run the scripted shift; leaves screenshots and the verified log.
    Shift {
        /// Where they go.
        #[arg(long, default_value = "target/demo")]
        into: PathBuf,
    },
    /// Open the station in a window, with a tray of badges to click.
    Window,
}

/// What is done with a badge.
#[derive(Subcommand)]
pub enum BadgeCommand {
    /// Lay a badge on the first reader that is free.
    Insert(BadgeArguments),
    /// Take a badge away.
    Remove(BadgeArguments),
}

/// Whose badge, and in which demo.
#[derive(Args)]
pub struct BadgeArguments {
    /// Whose badge: ana, ben, sofia (a supervisor), or unknown (a card that is on no roster).
    name: String,
    /// The directory of the demo's stage; without it, the demo that was started last.
    #[arg(long)]
    stage: Option<PathBuf>,
}

/// Runs the command.
#[must_use]
pub fn run(command: &DemoCommand) -> u8 {
    match command {
        DemoCommand::Badge(BadgeCommand::Insert(badge)) => moved(Move::Insert, badge),
        DemoCommand::Badge(BadgeCommand::Remove(badge)) => moved(Move::Remove, badge),
        DemoCommand::Window => match window::run() {
            Ok(true) => GOOD,
            Ok(false) => WANTING,
            Err(error) => {
                eprintln!("cleanshiftctl: the demo could not run: {error}");
                COULD_NOT_RUN
            }
        },
        DemoCommand::Shift { into } => match shift::run(into) {
            Ok(()) => GOOD,
            Err(error) => {
                eprintln!("cleanshiftctl: the shift was off: {error}");
                WANTING
            }
        },
    }
}

fn moved(what: Move, badge: &BadgeArguments) -> u8 {
    match tray::ask(badge.stage.as_deref(), what, &badge.name) {
        Ok(()) => GOOD,
        Err(error) => {
            eprintln!("cleanshiftctl: {error}");
            COULD_NOT_RUN
        }
    }
}
