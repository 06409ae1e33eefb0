//! Space that is kept on the disk for break-glass: a file of random bytes beside the store, a part of
//! which is given up when the disk is full and an emergency's entry must be written.

use std::fs::OpenOptions;
use std::path::Path;

use crate::ports::{PortError, Result};

/// How much is kept, bytes.
const KEPT: u64 = 8 << 20;
/// How much is given up at a time: an entry with its WAL frames needs far less.
const PART: u64 = 1 << 20;
/// The file's name in the state directory.
const NAME: &str = "station.reserve";

/// Keeps the space, as far as the disk has it now. What cannot be kept is tried again at the next start.
pub(super) fn keep(dir: &Path) -> Result<()> {
    let path = dir.join(NAME);
    let file = super::files::private_file(&path)?;
    let say = |error: std::io::Error| PortError::new(format!("keep space for emergencies: {error}"));
    let there = file.metadata().map_err(say)?.len();
    if there >= KEPT {
        return Ok(());
    }
    // Random, so that no file system keeps it as less than it is.
    let mut bytes = vec![0; usize::try_from(KEPT).unwrap_or_default()];
    getrandom::fill(&mut bytes)
        .map_err(|error| PortError::new(format!("keep space for emergencies: {error}")))?;
    let kept = std::fs::write(&path, bytes).and_then(|()| file.sync_all());
    kept.map_err(|error| {
        // A disk that has not that much must not be filled for it: what is ordinary needs the rest.
        let _ = file.set_len(there);
        say(error)
    })
}

/// Gives a part of it up; false where nothing is left.
pub(super) fn give_up(dir: &Path) -> bool {
    let file = OpenOptions::new().write(true).open(dir.join(NAME));
    let shrunk = file.and_then(|file| {
        let left = file.metadata()?.len();
        file.set_len(left.saturating_sub(PART))?;
        file.sync_all()?;
        Ok(left > 0)
    });
    shrunk.unwrap_or(false)
}
