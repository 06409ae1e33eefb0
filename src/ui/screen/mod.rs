//! One file for each screen. A screen is a pure function of its part of the scene, and says by
//! itself which places the keyboard can reach, in reading order.

pub mod afresh;
pub mod attended;
pub mod challenge;
pub mod clean_up;
pub mod drill;
pub mod elsewhere;
pub mod emergency;
pub mod handoff_log;
pub mod keyboard;
pub mod launcher;
pub mod log_controls;
pub mod log_day;
pub mod log_entry;
pub mod log_filter;
pub mod out_of_service;
pub mod quarantine;
pub mod receipt;
pub mod vacant;
pub mod warning;

use iced::Element;

use super::Message;
use super::parts::Look;
use crate::driver::scene::{Phase, PinScene};

/// What scrolls on a screen, where something does.
pub const PAGE: &str = "page";

/// The screen of the phase that the station is in.
pub fn view<'a>(look: Look<'a>) -> Element<'a, Message> {
    match &look.scene.phase {
        Phase::Attended(scene) => attended::view(look, scene),
        Phase::Challenge(pin) => challenge::view(look, pin),
        Phase::CleanUp(scene) => clean_up::view(look, scene),
        Phase::Drill(scene) => drill::view(look, scene, false),
        Phase::OutOfService(problem) => out_of_service::view(look, problem),
        Phase::Quarantine(scene) => quarantine::view(look, scene),
        Phase::Vacant(scene) => vacant::view(look, scene),
    }
}

/// What the keyboard can reach, in reading order.
#[must_use]
pub fn stops(look: Look<'_>) -> Vec<Message> {
    match &look.scene.phase {
        Phase::Attended(scene) => attended::stops(look, scene),
        Phase::Challenge(pin) => challenge::stops(look, pin),
        Phase::CleanUp(scene) => {
            let held = || scene.held.as_ref().map(elsewhere::stops).unwrap_or_default();
            scene.guest.as_ref().map_or_else(held, |pin| challenge::stops(look, pin))
        }
        Phase::Drill(scene) => drill::stops(scene, false),
        Phase::OutOfService(_) => Vec::new(),
        Phase::Quarantine(scene) => quarantine::stops(look, scene),
        Phase::Vacant(scene) => vacant::stops(scene),
    }
}

/// Which screen this is, as far as another one has little in common with it.
#[must_use]
pub fn which(phase: &Phase) -> impl PartialEq + use<> {
    let beneath = match phase {
        Phase::Attended(scene) => Some((scene.warning.is_some(), scene.log.is_some(), scene.launcher)),
        // The result of a drill covers the whole of a vacant station.
        Phase::Vacant(scene) => Some((scene.drilled.is_some(), false, false)),
        Phase::Challenge(_)
        | Phase::CleanUp(_)
        | Phase::Drill(_)
        | Phase::OutOfService(_)
        | Phase::Quarantine(_) => None,
    };
    (std::mem::discriminant(phase), asked(phase).map(|pin| pin.ask), beneath)
}

/// Who is asked for a PIN just now.
#[must_use]
pub fn asked(phase: &Phase) -> Option<&PinScene> {
    match phase {
        Phase::Challenge(pin) => Some(pin),
        Phase::CleanUp(scene) => scene.guest.as_ref(),
        Phase::Quarantine(scene) => scene.guest.as_ref(),
        Phase::Attended(scene) => scene.pin_again.as_ref(),
        Phase::Drill(_) | Phase::OutOfService(_) | Phase::Vacant(_) => None,
    }
}
