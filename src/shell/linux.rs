//! What joins the screens to a Linux station beside the ports: nothing. Its session is shown below the screens' own bar.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::driver::Wish;
use crate::driver::scene::Scene;
use crate::platform::native::station::Station;
use crate::ports::PinCheck;

/// Joins the screens to the station.
pub(super) fn join(
    _: &Arc<Station>,
    _: &watch::Receiver<Scene>,
    _: &mpsc::UnboundedSender<Wish>,
    _: &Handle,
) {
}

/// The check of a PIN as it is: no app of a session reaches the display that it is typed on.
pub(super) fn pins(check: Arc<dyn PinCheck>) -> Arc<dyn PinCheck> {
    check
}

/// Nothing: the station's display ends with the shell.
pub(super) fn over(_: &Path) {}
