//! The drill's search on its stage: where it looks, beside what every search looks at.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::planted::{Planted, succeed};
use crate::ctl::demo::stage::Stage;
use crate::platform::linux::drill::search::{self, Ground};

pub use crate::platform::linux::drill::search::Found;

/// Nobody waits behind the command line's search.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Searches for every canary of this seed; files count that changed since `since` (seconds since 1970),
/// but for what the drill itself has written down.
#[must_use]
pub fn search(stage: &Stage, seed: &str, since: i64, planted: &[Planted]) -> Found {
    let table = |program: &str, arguments: &[&str], place: &str| {
        let output = stage.command(program).args(arguments).stderr(Stdio::null()).output();
        let output = output.map(|output| output.stdout).map_err(|error| format!("{program}: {error}"));
        (place.to_owned(), output)
    };
    let place = stage.dir.join("queues");
    let shown = rustix::process::geteuid().is_root()
        && fs::create_dir(&place).is_ok()
        && succeed("mount", &["-t", "mqueue", "none", &place.display().to_string()]).is_ok();
    let over = AtomicBool::new(false);
    let ground = Ground {
        account: stage.account.uid(),
        own: ["policy.toml", "shared", "escaped", "roster.csv"].map(|name| stage.dir.join(name)).to_vec(),
        near: Vec::new(),
        tables: vec![
            table("cat", &["/proc/keys"], "/proc/keys"),
            table("xprop", &["-root"], "the display's root window"),
        ],
        queues: shown.then(|| place.clone()),
        patience: PATIENCE,
        over: &over,
    };
    let found = search::search(&ground, seed, since, planted);
    if shown {
        let _ = succeed("umount", &[&place.display().to_string()]);
    }
    let _ = fs::remove_dir(place);
    found
}
