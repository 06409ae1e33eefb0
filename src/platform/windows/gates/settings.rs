//! Classes 10, 13, 15, 16 and 18 as far as only settings of the host can answer: what Windows indexes, photographs, logs,
//! swaps and dumps. They are told as found, never as absent, and bar the station only where the policy requires them.

use super::{Gate, Ground, Look};
use crate::platform::windows::setting::{self, Setting};

/// A gate that tells a setting.
const fn told(class: u8, name: &'static str, method: &'static str, look: fn(&Ground) -> Look) -> Gate {
    Gate { class, name, what: "", method, inside: false, partial: None, look, clear: None }
}

pub(super) const GATES: [Gate; 9] = [
    told(10, "search index", "the service WSearch", |ground| {
        say(ground, "search-index", setting::search_index())
    }),
    told(10, "Recall", "the policies of Windows AI", |ground| say(ground, "recall", setting::recall())),
    told(13, "crash dumps", "Windows Error Reporting", |ground| {
        say(ground, "core-pattern", setting::crash_dumps())
    }),
    told(15, "event logs", "the policies of PowerShell and of auditing", |ground| {
        say(ground, "event-logs", setting::event_logs())
    }),
    told(16, "swap", "PagingFiles, ClearPageFileAtShutdown", |ground| say(ground, "swap", setting::swap())),
    told(16, "hibernation", "HibernateEnabled", |ground| say(ground, "hibernation", setting::hibernation())),
    told(16, "fast startup", "HiberbootEnabled", |ground| {
        say(ground, "fast-startup", setting::fast_startup())
    }),
    told(16, "freed memory", "how Windows hands out memory", |ground| {
        say(ground, "init-on-free", setting::freed())
    }),
    told(18, "notifications", "DisableNotificationCenter", |ground| {
        say(ground, "notifications", setting::notifications())
    }),
];

fn say(ground: &Ground, name: &str, found: Setting) -> Look {
    Look::setting(ground, name, found.kept, found.saw)
}
