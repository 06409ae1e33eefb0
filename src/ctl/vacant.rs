//! `cleanshiftctl vacant`: whether anybody works at the station, for whatever must not disturb her: the
//! package's own upgrade waits by it.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::{WANTING, say};
use crate::platform::native::clock::since_boot;
use crate::ports::Ledger as _;
use crate::store::Store;

/// How often the store is looked at while waiting.
const AGAIN: Duration = Duration::from_millis(500);

/// Say whether the station is vacant.
#[derive(Args)]
pub struct VacantArguments {
    /// How many seconds to wait for it.
    #[arg(long, default_value_t = 0)]
    wait: u64,
}

/// Says it. A station whose shell does not run is vacant: what it may have left unfinished is cleaned
/// up when it starts. Whoever opens the station right after the answer is not held up by it.
///
/// # Errors
/// When the store of a running shell cannot be read, or the answer cannot be said.
pub fn run(arguments: &VacantArguments, state: &Path) -> Result<u8, String> {
    let patience = Duration::from_secs(arguments.wait);
    let began = since_boot();
    loop {
        let doing = doing(state)?;
        let Some(doing) = doing else { return say("vacant\n") };
        if since_boot().saturating_sub(began) >= patience {
            let _ = say(&format!("not vacant: {doing}\n"))?;
            return Ok(WANTING);
        }
        std::thread::sleep(AGAIN);
    }
}

/// What is begun and not finished at a station whose shell runs.
fn doing(state: &Path) -> Result<Option<String>, String> {
    let failed = |error: crate::ports::PortError| format!("failed to {error}");
    // A mistyped path must not pass for a station where nobody works.
    if !state.is_dir() {
        return Err(format!("there is no station in {}: name its directory with --state", state.display()));
    }
    if !Store::is_held(state).map_err(failed)? {
        return Ok(None);
    }
    let unfinished = Store::open_read(state).and_then(|store| store.unfinished()).map_err(failed)?;
    Ok(unfinished.map(|unfinished| unfinished.last))
}
