//! The Windows station as the driver sees it. Not built yet: it refuses to open.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::handoff::{App, Window};
use crate::policy::Policy;
use crate::ports::{
    CapsuleNews, Capsules, Closing, Destroyed, GateAnswer, Gates, Grant, Idle, Machine, Page, PortError,
    Result, Screen,
};

/// The Windows station.
pub struct WindowsStation(());

/// The station of this system.
pub type Station = WindowsStation;

fn missing() -> PortError {
    PortError::new("run a station on Windows: this part is not built yet")
}

impl WindowsStation {
    /// Opens the station.
    ///
    /// # Errors
    /// Always: it is not built yet.
    pub fn open(_: &Policy, _: &Path, _: &Path) -> Result<Arc<Self>> {
        Err(missing())
    }

    /// The size of the station's screen, in pixels.
    #[must_use]
    pub fn screen_size(&self) -> (u16, u16) {
        super::host::screen_size().unwrap_or_default()
    }

    /// Replaces the capability report by one that others have added to.
    pub fn report(&self, _: Vec<(String, String)>) {}
}

impl Capsules for WindowsStation {
    fn listen(&self, _: Box<dyn Fn(CapsuleNews) + Send + Sync>) {}

    fn prepare(&self) -> Result<()> {
        Err(missing())
    }

    fn launch(&self, _: App) -> Result<()> {
        Err(missing())
    }

    fn raise(&self, _: Window) -> Result<()> {
        Err(missing())
    }

    fn close(&self, _: Window) -> Result<()> {
        Err(missing())
    }

    fn hold(&self, _: &Grant) -> Result<()> {
        Err(missing())
    }

    fn visit(&self, _: &Page) -> Result<()> {
        Err(missing())
    }

    fn ask_to_close(&self, _: Duration) -> Closing {
        Closing::default()
    }

    fn destroy(&self) -> Result<Destroyed> {
        Err(missing())
    }

    fn shared(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Gates for WindowsStation {
    fn look_inside(&self) -> Vec<GateAnswer> {
        Vec::new()
    }

    fn look(&self) -> Vec<GateAnswer> {
        Vec::new()
    }

    fn capabilities(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl Screen for WindowsStation {
    fn attach(&self, _: u64) -> Result<()> {
        Err(missing())
    }

    fn cover(&self) -> Result<()> {
        Err(missing())
    }

    fn uncover(&self, _: bool) -> Result<()> {
        Err(missing())
    }

    fn show_shell(&self, _: bool) -> Result<()> {
        Err(missing())
    }
}

impl Machine for WindowsStation {
    fn restart(&self) -> Result<()> {
        super::host::restart()
    }
}

impl Idle for WindowsStation {
    fn since_input(&self) -> Result<Duration> {
        Err(missing())
    }
}
