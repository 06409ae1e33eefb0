//! What this host can and cannot do: read, not inferred, and told in every receipt.

use super::setting::{self, Setting};
use super::{lockdown, setting::service};

/// The capability report: each name with what was found.
#[must_use]
pub fn report() -> Vec<(String, String)> {
    let edition = lockdown::edition();
    let filter = lockdown::keyboard_filter();
    let shell = match lockdown::shell() {
        lockdown::Shell::Station => "the station".to_owned(),
        lockdown::Shell::Launcher => "Shell Launcher".to_owned(),
        lockdown::Shell::Other(command) => {
            format!("{command}: whoever ends the station is at Windows' own shell")
        }
    };
    let account = lockdown::account();
    let rights = match account.administrator {
        Some(true) => "administrator",
        Some(false) => "ordinary",
        None => "unknown",
    };
    let account = format!("{rights}, {}", if account.domain { "of a domain" } else { "of this machine" });
    let memory = lockdown::memory()
        .map_or_else(|| "unknown".to_owned(), |(all, free)| format!("{all} MiB, {free} MiB free"));
    let told = |found: Setting| found.saw;
    let yes_no = |known: Option<bool>, yes: &str, no: &str, unknown: &str| {
        known.map_or(unknown, |known| if known { yes } else { no }).to_owned()
    };
    [
        ("edition", edition.report()),
        (
            "lockdown",
            if edition.full == Some(true) && filter.starts {
                "Keyboard Filter holds the keys".to_owned()
            } else {
                "reduced: the shell's own hook holds the keys, and Ctrl+Alt+Del only as far as policy empties it".to_owned()
            },
        ),
        ("shell", shell),
        ("account", account),
        ("programs", lockdown::allow_list().report().to_owned()),
        ("write filter", yes_no(lockdown::write_filter(), "on", "off", "none")),
        ("drive", yes_no(lockdown::encrypted(), "encrypted (BitLocker)", "not encrypted", "unknown: Windows does not say whether it is encrypted")),
        ("swap", told(setting::swap())),
        ("hibernation", told(setting::hibernation())),
        ("fast startup", told(setting::fast_startup())),
        ("crash dumps", told(setting::crash_dumps())),
        ("clipboard history", told(super::gates::clipboard_history())),
        ("card certificates", told(setting::card_certificates())),
        ("search index", told(setting::search_index())),
        ("card service", service("SCardSvr").map_or("none", |_| "there").to_owned()),
        ("memory", memory),
    ]
    .map(|(name, found)| (name.to_owned(), found))
    .to_vec()
}
