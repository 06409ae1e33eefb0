//! What this station can and cannot hold a session to, for the capability report.

use super::{browser, spawn};
use crate::policy::{CapsuleMode, Policy};

/// Each with what was found.
#[must_use]
pub fn report(policy: &Policy) -> Vec<(String, String)> {
    let job = if spawn::limits_desktop() {
        "yes; no breakaway, ended with the shell; no change of display, desktop settings or Windows session"
    } else {
        "yes; no breakaway, ended with the shell. The limits of the desktop are not held: Windows does not take \
         them for a shell that was itself started in a job"
    };
    let mode = match policy.capsule.mode {
        CapsuleMode::Sweep => {
            "sweep: every session runs under the station's account. Apps see what it sees; what they leave in its \
             profile, registry and credentials is swept and looked for"
        }
        CapsuleMode::Account => "account: each session has an account of its own, deleted after it",
    };
    let mut found = vec![
        ("job object".to_owned(), job.to_owned()),
        ("mode".to_owned(), mode.to_owned()),
        (
            "profile".to_owned(),
            "on the disk, one for each session; `home` and `tmp` are not held to a size".to_owned(),
        ),
        ("network".to_owned(), "the host's: `network = false` and `reach` are not held".to_owned()),
    ];
    found.extend(browser::report(&policy.apps));
    found
}
