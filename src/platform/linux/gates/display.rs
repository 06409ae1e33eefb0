//! Classes 5, 6 and 24: what displays keep. The session's own display dies with it; on the station's
//! own, selections and cut buffers; Wayland's sockets; programs that hold the graphics card.

use std::fs;
use std::path::Path;

use super::{Gate, Ground, Look, Trace, host_runtime};
use crate::platform::linux::display::selections::Kept;

pub(super) const GATES: [Gate; 5] = [
    Gate {
        class: 5,
        name: "session display",
        what: "display sockets",
        method: "pidfd of Xephyr, then its socket",
        inside: &["selections"],
        look: nested,
        clear: None,
    },
    Gate {
        class: 5,
        name: "clipboard of the station's display",
        what: "selections or cut buffers",
        method: "selection owners and root properties",
        inside: &[],
        look: outer,
        clear: Some(clear_outer),
    },
    Gate {
        class: 6,
        name: "Wayland displays",
        what: "Wayland sockets",
        method: "the account's runtime directory",
        inside: &["Wayland sockets"],
        look: wayland,
        clear: None,
    },
    Gate {
        class: 24,
        name: "session's picture",
        what: "places on the screen that still show a session",
        method: "the session's window on the station's display",
        inside: &[],
        look: picture,
        clear: None,
    },
    Gate {
        class: 24,
        name: "graphics memory",
        what: "programs that hold the graphics card",
        method: "open files of graphics devices",
        inside: &[],
        look: graphics,
        clear: None,
    },
];

/// Where graphics cards are.
const CARDS: [&str; 4] = ["/dev/dri", "/dev/fb0", "/dev/nvidia0", "/dev/kfd"];

fn nested(ground: &Ground) -> Look {
    let sockets = ground.remains.display.iter().filter(|socket| socket.exists());
    Look::These(sockets.map(|socket| Trace::of(socket.display().to_string())).collect())
}

fn outer(_: &Ground) -> Look {
    if std::env::var_os("DISPLAY").is_none() {
        return Look::not_here("the station has no display of its own");
    }
    match kept() {
        Ok(found) => Look::These(found),
        Err(error) => Look::unknown(format!("the display did not answer: {error}")),
    }
}

fn kept() -> Result<Vec<Trace>, Box<dyn std::error::Error>> {
    let things = Kept::open()?.things()?;
    Ok(things
        .into_iter()
        .map(|thing| Trace::shown(format!("{} {}", thing.name, thing.state), thing.name))
        .collect())
}

fn clear_outer(_: &Ground, traces: &[Trace]) {
    let cleared = Kept::open().and_then(|kept| kept.clear(traces.iter().map(|trace| trace.shown.as_str())));
    // What could not be cleared is still there, and the look after this one says so.
    drop(cleared);
}

fn wayland(ground: &Ground) -> Look {
    let runtime = host_runtime();
    let mut found = Vec::new();
    for place in [runtime.as_path(), &ground.remains.run_dir] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("wayland-") {
                found.push(Trace::of(entry.path().display().to_string()));
            }
        }
    }
    if found.is_empty() && !runtime.exists() {
        return Look::not_here("no Wayland display runs here, and a session has X alone");
    }
    Look::These(found)
}

/// Whether the window in which sessions are shown is covered, by the word of the display server.
fn picture(ground: &Ground) -> Look {
    let Some(container) = ground.remains.container else {
        return Look::not_here("no session has been shown yet");
    };
    match Kept::open().and_then(|kept| kept.shows(container)) {
        Ok(false) => Look::These(Vec::new()),
        Ok(true) => Look::present("the session's place on the screen is not covered"),
        Err(error) => Look::unknown(format!("the display did not answer: {error}")),
    }
}

fn graphics(ground: &Ground) -> Look {
    if !CARDS.iter().any(|card| Path::new(card).exists()) {
        return Look::not_here("no graphics card here: the display is drawn in its server's own memory");
    }
    let mut holders = Vec::new();
    for process in ground.suspects(ground.scan()) {
        let handles = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
        let mut targets = handles.filter_map(|handle| fs::read_link(handle.path()).ok());
        if targets.any(|target| CARDS.iter().any(|card| target.starts_with(card))) {
            holders.push(format!("{} ({})", process.name, process.pid));
        }
    }
    match holders.first() {
        Some(first) => Look::present(format!("{} programs hold the graphics card: {first}", holders.len())),
        // Nobody can look at a card's freed memory: never absent.
        None => Look::setting(
            ground,
            "graphics-memory",
            true,
            "no program holds the graphics card; whether its memory is cleared is its driver's doing",
        ),
    }
}
