//! What a Windows host is asked, in the order in which it is told.
//!
//! Looked at as whoever runs it: `cleanshiftctl doctor` in the station's own account sees what a session would have.

mod account;
mod lockdown;
mod settings;
mod state;

use std::path::Path;

use super::report::{Report, Requirement};
use crate::platform::native::host;

/// What the screen shows where the shell fails on a host that is fit.
pub(super) const UNEXPLAINED: &str = concat!(
    "The station's shell did not stay up, and the host is fit for it. For IT:\n\n",
    "          > Get-WinEvent -LogName Application -MaxEvents 50 | Where-Object Message -match cleanshift\n",
    "          > cleanshiftctl doctor\n"
);

/// How the station is started again.
pub(super) const AGAIN: &str = "Then: sign the station's account out and in, or: shutdown /r /t 0\n";

/// Looks at this host.
///
/// # Errors
/// Where a tree of files is to be looked at: Windows is asked, and no image of it can be.
pub fn look(root: &Path, policy: Option<&Path>, state: Option<&Path>) -> Result<Report, String> {
    if root.components().count() > 1 {
        return Err(format!(
            "failed to look at {}: on Windows this machine alone can be looked at",
            root.display()
        ));
    }
    let (own, policy) = state::all(policy, state);
    let require = policy.as_ref().map_or(&[][..], |policy| &policy.require);
    let mut all = lockdown::all();
    all.extend(account::all(require));
    all.extend(own);
    all.extend(readers(policy.as_ref().map_or(&[][..], |policy| &policy.readers)));
    all.extend(settings::all(require));
    Ok(Report::of(host::account_name().unwrap_or_else(host::account), all))
}

/// The card service, and the readers that count.
fn readers(allowed: &[String]) -> Vec<Requirement> {
    let asked = Requirement::of("readers", "badge readers", "without one nobody can tap a badge");
    let start = "sc.exe config SCardSvr start= auto\nsc.exe start SCardSvr";
    vec![match super::listed() {
        Err(why) => asked.bad(format!("the card service does not answer: {why}"), start),
        Ok(names) => {
            let counts = |name: &&String| {
                if allowed.is_empty() {
                    !name.to_lowercase().contains("virtual")
                } else {
                    allowed.iter().any(|start| name.starts_with(start))
                }
            };
            match names.iter().filter(counts).count() {
                0 if names.is_empty() => asked
                    .bad("there is no reader", "cleanshiftctl doctor   # once a PC/SC reader is plugged in"),
                0 => asked.bad(
                    format!("none of {} readers counts: {}", names.len(), names.join(", ")),
                    "cleanshiftctl policy check   # once it is named under [badge] readers in the policy",
                ),
                count => asked.good(format!("{count} of {} readers count", names.len())),
            }
        }
    }]
}

#[cfg(test)]
mod tests;
