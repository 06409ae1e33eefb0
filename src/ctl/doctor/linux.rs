//! What a Linux host is asked, in the order in which it is told.

use std::path::Path;

use super::host::Host;
use super::report::Report;
use super::{capsule, display, files, keys, memory, readers, state};

/// What the screen shows where the shell fails on a host that is fit.
pub(super) const UNEXPLAINED: &str = concat!(
    "The station's shell did not stay up, and the host is fit for it. For IT:\n\n",
    "          $ journalctl -u cleanshift -b\n",
    "          $ systemctl reset-failed cleanshift && systemctl start cleanshift\n"
);

/// How the station is started again.
pub(super) const AGAIN: &str = "Then: systemctl reset-failed cleanshift && systemctl start cleanshift\n";

/// Looks at the host below `root`.
///
/// # Errors
/// When there is no such directory.
pub fn look(root: &Path, policy: Option<&Path>, state: Option<&Path>) -> Result<Report, String> {
    let host = Host::below(root, policy, state)
        .map_err(|error| format!("failed to look at {}: {error}", root.display()))?;
    let (own, policy) = state::all(&host);
    let require = policy.as_ref().map_or(&[][..], |policy| &policy.require);
    let allowed = policy.as_ref().map_or(&[][..], |policy| &policy.readers);
    let mut all = capsule::all(&host);
    all.extend(own);
    all.extend(readers::all(&host, allowed));
    all.push(readers::right(&host));
    all.extend(keys::all(&host));
    all.extend(display::all(&host, policy.as_ref()));
    all.extend(memory::all(&host, require));
    all.extend(files::all(&host));
    Ok(Report::of(host.tried_as(), all))
}
