//! What joins the screens to a Windows station beside the ports: the bar on the session's own desktop, where no
//! screen of the shell's is. It says what the screens' bar says, and what is pressed there is wished.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::driver::Wish;
use crate::driver::scene::{AttendedScene, Phase, Scene};
use crate::handoff::{BadgeMode, Window};
use crate::platform::native::display::bar::{Palette, Press, Said};
use crate::platform::native::display::pins::only_here;
use crate::platform::native::display::{accessibility, desktop};
use crate::platform::native::places;
use crate::platform::native::station::Station;
use crate::ports::PinCheck;
use crate::ui::theme::Colours;
use crate::ui::words;

/// Joins the screens to the station.
pub(super) fn join(
    station: &Arc<Station>,
    scenes: &watch::Receiver<Scene>,
    wishes: &mpsc::UnboundedSender<Wish>,
    runtime: &Handle,
) {
    let wishes = wishes.clone();
    station.listen_to_bar(Box::new(move |press| {
        let _ = wishes.send(match press {
            Press::Apps => Wish::Launcher(true),
            Press::End => Wish::End,
            Press::Raise(window) => Wish::Raise(Window(window)),
        });
    }));
    let (station, mut scenes, runtime) = (Arc::clone(station), scenes.clone(), runtime.clone());
    // A thread of its own: the bar's desktop may be slow to answer, and nothing else waits for it.
    drop(std::thread::spawn(move || {
        while runtime.block_on(scenes.changed()).is_ok() {
            let said = {
                let scene = scenes.borrow_and_update();
                if let Phase::Attended(attended) = &scene.phase { Some(said(&scene, attended)) } else { None }
            };
            if let Some(Err(error)) = said.map(|said| station.say(said)) {
                tracing::warn!(%error, "the bar of the session does not say what it should");
            }
        }
    }));
}

/// The check of a PIN, made only while the desktop that it is typed on has the keyboard.
pub(super) fn pins(check: Arc<dyn PinCheck>) -> Arc<dyn PinCheck> {
    only_here(check)
}

/// The shell has stopped as it should: the account gets its own desktop and the shortcuts of its keys back.
pub(super) fn over(state: &Path) {
    let back = [accessibility::restore(&places::runtime(state)), desktop::leave()];
    for error in back.into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "what the shell had is not given back");
    }
}

fn said(scene: &Scene, attended: &AttendedScene) -> Said {
    let (second, warns) = match attended.warning {
        Some(until) => (words::left(until.saturating_sub(scene.now_ms)), true),
        None if attended.emergency => {
            (words::emergency_left(attended.end_ms.saturating_sub(scene.now_ms)), true)
        }
        None => match scene.station.badge_mode {
            BadgeMode::Hold => (words::TAKE_BADGE.to_owned(), false),
            BadgeMode::Tap => (words::TAP_BADGE.to_owned(), false),
        },
    };
    Said {
        first: attended.name.clone(),
        second,
        warns,
        windows: Vec::new(),
        palette: palette(&Colours::of(scene.station.look)),
    }
}

fn palette(colours: &Colours) -> Palette {
    let number = |colour: iced::Color| {
        let [red, green, blue, _] = colour.into_rgba8();
        u32::from_be_bytes([0, red, green, blue])
    };
    Palette {
        bar: number(colours.bar),
        marked: number(colours.bar_marked),
        on_bar: number(colours.on_bar),
        soft: number(colours.on_bar_soft),
        amber: number(colours.on_bar_amber),
    }
}
