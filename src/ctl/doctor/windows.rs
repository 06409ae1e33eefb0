//! What a Windows host is asked. Not built yet.

use std::path::Path;

use super::report::Report;

/// What the screen shows where the shell fails on a host that is fit.
pub(super) const UNEXPLAINED: &str = "The station's shell did not stay up, and the host is fit for it.\n";

/// Looks at the host.
///
/// # Errors
/// Always: it is not built yet.
pub fn look(_: &Path, _: Option<&Path>, _: Option<&Path>) -> Result<Report, String> {
    Err("failed to look at this host: that is not built yet on Windows".to_owned())
}
