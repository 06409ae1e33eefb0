//! The baseline, kept for a shell that is killed: what its session left must not become what was always there.
//!
//! The file is written when the baseline is taken. A mark beside it is set, durably, before a session's first app, and
//! taken away when every gate has said that nothing was left. A shell that finds the mark takes the baseline from the
//! file; where it cannot be read, it says so, and opens no station.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Baseline;
use super::hive::Hive;
use super::shell_state::State;
use crate::platform::windows::private;

/// Where both are, below the shell's directory for sessions.
const FILE: &str = "baseline.json";
const MARK: &str = "session-open";
/// What was cleared and is not proved gone by that, by gate; people take the file away once it is.
const PARTIAL: &str = "partial.json";

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    traces: BTreeMap<String, BTreeSet<String>>,
    hive: Hive,
    state: State,
}

/// Where a baseline is kept.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn of(run_dir: &Path) -> Self {
        Self(run_dir.to_owned())
    }

    /// Whether a session may have left something that nobody has looked for since.
    pub(super) fn is_open(&self) -> bool {
        fs::symlink_metadata(self.0.join(MARK)).is_ok()
    }

    /// Sets the mark, durably.
    pub(super) fn open(&self) -> io::Result<()> {
        let mark = private::file(&self.0.join(MARK))?;
        mark.sync_all()?;
        private::sync_dir(&self.0)
    }

    /// Takes the mark away: what was looked for is gone. Where that fails, the next shell looks once more.
    pub(super) fn close(&self) {
        let _ = fs::remove_file(self.0.join(MARK));
    }

    /// Keeps what gates have cleared in part alone.
    pub(super) fn taint(&self, tainted: &BTreeMap<String, usize>) -> io::Result<()> {
        let mut file = private::file(&self.0.join(PARTIAL))?;
        file.set_len(0)?;
        file.write_all(serde_json::to_string(tainted).map_err(io::Error::other)?.as_bytes())?;
        file.sync_all()
    }

    pub(super) fn tainted(&self) -> io::Result<BTreeMap<String, usize>> {
        match fs::read(self.0.join(PARTIAL)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        }
    }

    pub(super) fn write(&self, baseline: &Baseline) -> io::Result<()> {
        let Baseline { traces, hive, state, .. } = baseline;
        let kept = Kept { traces: traces.clone(), hive: hive.clone(), state: state.clone() };
        let new = self.0.join(format!("{FILE}.new"));
        let mut file = private::file(&new)?;
        file.set_len(0)?;
        let mut buffer = io::BufWriter::new(&mut file);
        serde_json::to_writer(&mut buffer, &kept).map_err(io::Error::other)?;
        buffer.flush()?;
        drop(buffer);
        file.sync_all()?;
        drop(file);
        fs::rename(&new, self.0.join(FILE))?;
        private::sync_dir(&self.0)
    }

    pub(super) fn read(&self) -> io::Result<Baseline> {
        let text = fs::read(self.0.join(FILE))?;
        let Kept { traces, hive, state } = serde_json::from_slice(&text).map_err(io::Error::other)?;
        Ok(Baseline { traces, hive, state, ..Baseline::default() })
    }
}
