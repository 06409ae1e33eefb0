//! Classes 7, 12, 16, 19 and 26: what programs keep in a home. A session's own home is memory of its
//! capsule and ends with it ("profiles and mounts"); these gates look into the home that the station's
//! account has on the host.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Gate, Ground, Look, Trace, home};
use crate::platform::linux::host;

/// Databases of clipboard managers.
pub(in crate::platform::linux) const CLIPBOARDS: &[&str] = &[
    ".cache/clipman",
    ".cache/cliphist",
    ".cache/gpaste",
    ".clipman",
    ".config/copyq",
    ".local/share/clipit",
    ".local/share/copyq",
    ".local/share/diodon",
    ".local/share/gpaste",
    ".local/share/klipper",
    ".local/share/parcellite",
];
/// Browsers' profiles and caches.
pub(in crate::platform::linux) const BROWSERS: &[&str] = &[
    ".cache/chromium",
    ".cache/google-chrome",
    ".cache/microsoft-edge",
    ".cache/mozilla",
    ".config/BraveSoftware",
    ".config/chromium",
    ".config/google-chrome",
    ".config/microsoft-edge",
    ".mozilla",
    ".pki",
];
/// What was opened last, and what was thrown away.
pub(in crate::platform::linux) const RECENT: &[&str] = &[
    ".bash_history",
    ".cache/thumbnails",
    ".cache/tracker3",
    ".lesshst",
    ".local/share/RecentDocuments",
    ".local/share/Trash",
    ".local/share/baloo",
    ".local/share/recently-used.xbel",
    ".local/share/tracker",
    ".python_history",
    ".sh_history",
    ".thumbnails",
    ".viminfo",
    ".zsh_history",
];
/// Pictures of the screen, recordings, and what was saved by hand.
pub(in crate::platform::linux) const PICTURES: &[&str] =
    &["Desktop", "Documents", "Downloads", "Music", "Pictures", "Screenshots", "Videos"];
/// What input methods have learned, and how the last one liked the station.
pub(in crate::platform::linux) const LEARNED: &[&str] = &[
    ".config/dconf",
    ".config/fcitx",
    ".config/fcitx5",
    ".config/ibus",
    ".config/mozc",
    ".config/pulse",
    ".local/share/fcitx5",
    ".local/share/ibus-table",
    ".local/share/onboard",
    ".local/state/wireplumber",
    ".xkb",
    ".xmodmap",
];

/// How deep a place is walked.
const DEPTH: usize = 6;
/// The most files that are told apart in one place; beyond them a look cannot vouch for all.
const MOST: usize = 20_000;

pub(super) const GATES: [Gate; 5] = [
    Gate {
        class: 7,
        name: "clipboard managers",
        what: "clipboard databases",
        method: "the account's home",
        inside: &["clipboard databases"],
        look: |ground| look(ground, 7, CLIPBOARDS),
        clear: None,
    },
    Gate {
        class: 12,
        name: "browser profiles",
        what: "browser files",
        method: "the account's home",
        inside: &["browser files"],
        look: |ground| look(ground, 12, BROWSERS),
        clear: None,
    },
    Gate {
        class: 16,
        name: "recent files and histories",
        what: "histories",
        method: "the account's home",
        inside: &["histories"],
        look: |ground| look(ground, 16, RECENT),
        clear: None,
    },
    Gate {
        class: 19,
        name: "pictures and downloads",
        what: "files",
        method: "the account's home",
        inside: &["saved files"],
        look: |ground| look(ground, 19, PICTURES),
        clear: None,
    },
    Gate {
        class: 26,
        name: "learned input and preferences",
        what: "preferences",
        method: "the account's home",
        inside: &["preferences"],
        look: |ground| look(ground, 26, LEARNED),
        clear: None,
    },
];

fn look(ground: &Ground, class: u8, places: &[&str]) -> Look {
    // A person's own programs write into her home all the time: there only reach can tell.
    if host::shared_account() {
        return ground.by_reach(class);
    }
    let Some(home) = home() else {
        return Look::unknown("the account's home is not named in the environment");
    };
    let mut found = Vec::new();
    let mut blind = None;
    for place in places {
        let place = home.join(place);
        if let Err(why) = walk(&place, &place, DEPTH, &mut found) {
            blind = Some(why);
        }
    }
    match blind {
        Some(why) => Look::Partly(found, why),
        None => Look::These(found),
    }
}

/// Every file below a place, known by its path and by when and how it was last changed.
fn walk(place: &Path, path: &Path, depth: usize, found: &mut Vec<Trace>) -> Result<(), String> {
    let data = match fs::symlink_metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{} could not be looked at: {error}", place.display())),
    };
    if found.len() >= MOST {
        return Err("there are more files than can be told apart".to_owned());
    }
    if data.is_dir() && depth > 0 {
        let entries = fs::read_dir(path)
            .map_err(|error| format!("{} could not be looked at: {error}", place.display()))?;
        for entry in entries.flatten() {
            walk(place, &entry.path(), depth - 1, found)?;
        }
        return Ok(());
    }
    let state = (data.ino(), data.size(), data.ctime(), data.ctime_nsec());
    found.push(Trace::file(place, path, &format!("{state:?}")));
    Ok(())
}
