//! What could keep a session's memory, paper or pictures after it: the same settings that the gates tell.

use super::lockdown::set;
use crate::ctl::doctor::report::Requirement;
use crate::platform::native::setting::{self, Setting};
use crate::platform::native::{gates, lockdown};

/// Tells a setting; where the policy requires it otherwise, it is bad.
fn told(require: &[String], asked: Requirement, found: Setting, mend: &str) -> Requirement {
    if found.kept {
        return asked.good(found.saw);
    }
    // The policy has one name for both.
    let name = if asked.id == "cloud-clipboard" { "clipboard-history" } else { &asked.id };
    let required = require.iter().any(|required| required == name);
    let saw = if required { format!("{}, and the policy requires otherwise", found.saw) } else { found.saw };
    asked.bad_if(required || found.on, saw, mend)
}

/// All of them; `require` are the settings that the policy requires.
pub(super) fn all(require: &[String]) -> Vec<Requirement> {
    const SYSTEM: &str = r"SOFTWARE\Policies\Microsoft\Windows\System";
    let of = Requirement::of;
    let mut all = vec![
        told(
            require,
            of(
                "swap",
                "page file",
                "what a session had in memory can reach the disk, where no gate finds it",
            ),
            setting::swap(),
            &set(
                r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management",
                "ClearPageFileAtShutdown",
                1,
            ),
        ),
        told(
            require,
            of("hibernation", "hibernation", "hibernation writes all memory to the disk, with the session's"),
            setting::hibernation(),
            "powercfg /hibernate off",
        ),
        told(
            require,
            of("fast-startup", "fast startup", "with it stopping Windows is a hibernation in part"),
            setting::fast_startup(),
            &set(r"SYSTEM\CurrentControlSet\Control\Session Manager\Power", "HiberbootEnabled", 0),
        ),
        told(
            require,
            of(
                "init-on-free",
                "freed memory",
                "what a session had in memory stays there until that piece is used again",
            ),
            setting::freed(),
            "rem no setting of Windows changes this: leave `init-on-free` out of the policy's `require`",
        ),
        told(
            require,
            of("core-pattern", "crash dumps", "a dump holds what a program knew"),
            setting::crash_dumps(),
            &set(r"SOFTWARE\Policies\Microsoft\Windows\Windows Error Reporting", "Disabled", 1),
        ),
        told(
            require,
            of(
                "clipboard-history",
                "clipboard history",
                "it shows the next operator what was copied before, where the station cannot empty it",
            ),
            gates::clipboard_history(),
            &set(SYSTEM, "AllowClipboardHistory", 0),
        ),
        told(
            require,
            of("cloud-clipboard", "cloud clipboard", "what is copied goes to other machines"),
            setting::cloud_clipboard(),
            &set(SYSTEM, "AllowCrossDeviceClipboard", 0),
        ),
    ];
    all.extend([
        told(
            require,
            of(
                "search-index",
                "search index",
                "it keeps words of files that a session had, for the whole machine",
            ),
            setting::search_index(),
            "sc.exe config WSearch start= disabled\nsc.exe stop WSearch",
        ),
        told(
            require,
            of("recall", "Recall", "it takes pictures of what is on the screen, and keeps them"),
            setting::recall(),
            &set(r"SOFTWARE\Policies\Microsoft\Windows\WindowsAI", "AllowRecallEnablement", 0),
        ),
        told(
            require,
            of("event-logs", "what logs are told", "command lines and scripts can name patients"),
            setting::event_logs(),
            &set(r"SOFTWARE\Policies\Microsoft\Windows\PowerShell\Transcription", "EnableTranscripting", 0),
        ),
        told(
            require,
            of("notifications", "notification centre", "it keeps what came for somebody who has gone"),
            setting::notifications(),
            &set(r"SOFTWARE\Policies\Microsoft\Windows\Explorer", "DisableNotificationCenter", 1),
        ),
        told(
            require,
            of(
                "card-certificates",
                "certificates of cards",
                "a card's certificates stay in the account after the card",
            ),
            setting::card_certificates(),
            "sc.exe config CertPropSvc start= disabled\nsc.exe stop CertPropSvc",
        ),
        drive(),
        write_filter(),
        memory(),
    ]);
    all
}

fn drive() -> Requirement {
    let asked = Requirement::of(
        "drive-encryption",
        "the drive's encryption",
        "whoever takes the disk away reads what was deleted on it",
    );
    let mend = "manage-bde -on C: -used";
    match lockdown::encrypted() {
        Some(true) => asked.good("the system's drive is encrypted (BitLocker)"),
        Some(false) => asked.reduced("the system's drive is not encrypted", mend),
        None => asked.unseen(
            "Windows does not say it to this account",
            "manage-bde -status C: & rem as an administrator",
        ),
    }
}

fn write_filter() -> Requirement {
    let asked = Requirement::of(
        "write-filter",
        "write filter (UWF)",
        "with it a restart undoes whatever was written outside the station's state",
    );
    let mend = "dism /online /enable-feature /featurename:Client-UnifiedWriteFilter\nuwfmgr filter enable & rem with exclusions for %ProgramData%\\Cleanshift";
    match lockdown::write_filter() {
        Some(true) => asked.good("it is there; leave the station's state out of it"),
        Some(false) => asked.reduced("it is off", mend),
        None => asked.reduced("it is not installed", mend),
    }
}

/// Less than this much memory, in MiB, and a session has to page.
const LEAST: u64 = 3_500;

fn memory() -> Requirement {
    let asked =
        Requirement::of("memory", "memory", "a session that has to page writes what it knows to the disk");
    match lockdown::memory() {
        Some((all, free)) if all >= LEAST => asked.good(format!("{all} MiB, {free} MiB of them free")),
        Some((all, _)) => {
            asked.reduced(format!("{all} MiB"), format!("rem give this machine at least {LEAST} MiB"))
        }
        None => asked.unseen("Windows does not say how much there is", "systeminfo"),
    }
}
