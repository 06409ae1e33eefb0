//! The drill at the station itself. On Windows nothing is planted: a drill that is asked for says so.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::station::WindowsStation;
use crate::handoff::DrillPart;
use crate::ports::{Clock, Drill, DrillRow, DrillSearch, PortError, Result};

/// The drill of a station.
pub struct StationDrill(());

/// Does nothing: no shell before has planted anything.
///
/// # Errors
/// None.
pub fn sweep(_: &Path) -> Result<()> {
    Ok(())
}

impl StationDrill {
    /// The drill of this station.
    ///
    /// # Errors
    /// None.
    pub fn new(_: Arc<WindowsStation>, _: Arc<dyn Clock>, _: &Path, _: &Path) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(())))
    }
}

impl Drill for StationDrill {
    fn plant(&self, _: DrillPart, _: &AtomicBool) -> Result<Vec<DrillRow>> {
        Err(PortError::new(
            "hold a drill: traces are planted on Linux alone. On Windows run the tests that come with it",
        ))
    }

    fn take_back(&self) {}

    fn search(&self, _: Duration, _: &AtomicBool) -> DrillSearch {
        DrillSearch {
            found: Vec::new(),
            notes: vec!["Not searched: nothing is planted on Windows.".to_owned()],
        }
    }
}
