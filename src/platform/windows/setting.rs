//! Settings of the host that decide what outlives a session in memory, on the disk and in Windows' own stores: read from
//! the registry, never inferred. The gates tell them after every handoff, `cleanshiftctl doctor` before the first.
//!
//! A value that is not there is what Windows does by default, and is told so.

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::System::Registry::{
    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, RRF_RT_REG_MULTI_SZ, RRF_SUBKEY_WOW6464KEY, RegGetValueW,
};

use super::gates::{has_machine_key, windows_dir};
use super::registry::{self, machine_number, machine_text, wide};

/// A setting as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Whether it is as a station wants it.
    pub kept: bool,
    /// Whether it is known to do harm now, where that is more than not to be kept.
    pub on: bool,
    /// What was seen: a lowercase fragment.
    pub saw: String,
}

fn found(kept: bool, saw: impl Into<String>) -> Setting {
    Setting { kept, on: false, saw: saw.into() }
}

const MEMORY: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management";
const POWER: &str = r"SYSTEM\CurrentControlSet\Control\Power";
const SESSION: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager\Power";
const SYSTEM: &str = r"SOFTWARE\Policies\Microsoft\Windows\System";
const REPORTING: &str = r"SOFTWARE\Microsoft\Windows\Windows Error Reporting";
const REPORTING_POLICY: &str = r"SOFTWARE\Policies\Microsoft\Windows\Windows Error Reporting";
const AI: &str = r"SOFTWARE\Policies\Microsoft\Windows\WindowsAI";
const POWERSHELL: &str = r"SOFTWARE\Policies\Microsoft\Windows\PowerShell";
const AUDIT: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Audit";
const EXPLORER: &str = r"SOFTWARE\Policies\Microsoft\Windows\Explorer";
const CLIPBOARD: &str = r"Software\Microsoft\Clipboard";
const VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// The first build of Windows that has Recall.
const RECALL: u32 = 26_100;
/// How a service starts that does not (SERVICE_DISABLED).
const DISABLED: u32 = 4;

/// How a service starts; `None` where there is no such one.
#[must_use]
pub fn service(name: &str) -> Option<u32> {
    machine_number(&format!(r"SYSTEM\CurrentControlSet\Services\{name}"), "Start")
}

/// Many texts of the machine's hive (REG_MULTI_SZ), where they are there.
#[expect(unsafe_code, reason = "the registry is asked through the system's own calls")]
fn texts(key: &str, name: &str) -> Option<Vec<String>> {
    let (key, name) = (wide(key), wide(name));
    let mut found = vec![0_u16; 16_384];
    let mut bytes = u32::try_from(found.len() * 2).ok()?;
    // SAFETY: the names end with a zero; the buffer has as many bytes as `bytes` says, and outlives the call.
    let code = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_MULTI_SZ | RRF_SUBKEY_WOW6464KEY,
            std::ptr::null_mut(),
            found.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if code != ERROR_SUCCESS {
        return None;
    }
    let text = String::from_utf16_lossy(found.get(..bytes as usize / 2)?);
    Some(text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

/// Whether memory can stay on the disk by paging.
#[must_use]
pub fn swap() -> Setting {
    let files = texts(MEMORY, "PagingFiles").unwrap_or_default();
    let files = files.iter().filter(|file| !file.trim().is_empty()).count();
    let cleared = machine_number(MEMORY, "ClearPageFileAtShutdown") == Some(1);
    match (files, cleared) {
        (0, _) => found(true, "Windows has no page file"),
        (_, true) => found(true, "the page file is cleared when Windows stops (ClearPageFileAtShutdown)"),
        (_, false) => {
            found(false, "Windows pages to the disk and does not clear the page file when it stops")
        }
    }
}

/// Whether Windows can write all memory to the disk.
#[must_use]
pub fn hibernation() -> Setting {
    match machine_number(POWER, "HibernateEnabled") {
        Some(0) => found(true, "Windows does not hibernate"),
        Some(_) => found(false, "Windows can hibernate to its disk"),
        None => match machine_number(POWER, "HibernateEnabledDefault") {
            Some(0) => found(true, "Windows does not hibernate, by its default"),
            Some(_) => found(false, "Windows can hibernate to its disk, by its default"),
            None if hiberfil() => found(false, "there is a file to hibernate to"),
            None => found(true, "there is neither a setting for hibernation nor a file for it"),
        },
    }
}

fn hiberfil() -> bool {
    let windows = windows_dir();
    windows.parent().is_some_and(|drive| drive.join("hiberfil.sys").symlink_metadata().is_ok())
}

/// Whether Windows writes part of its memory to the disk when it stops.
#[must_use]
pub fn fast_startup() -> Setting {
    if hibernation().kept {
        return found(true, "without hibernation there is no fast startup");
    }
    match machine_number(SESSION, "HiberbootEnabled") {
        Some(0) => found(true, "fast startup is off"),
        Some(_) => found(false, "fast startup is on: stopping Windows writes its memory to the disk"),
        None => found(false, "fast startup is not switched off"),
    }
}

/// Whether memory is overwritten when it is freed.
#[must_use]
pub fn freed() -> Setting {
    found(false, "Windows overwrites memory before it hands it out again, not when it is freed")
}

/// Where a dump would go if a program broke.
#[must_use]
pub fn crash_dumps() -> Setting {
    let off = machine_number(REPORTING_POLICY, "Disabled") == Some(1)
        || machine_number(REPORTING, "Disabled") == Some(1);
    let dumps = has_machine_key(&format!(r"{REPORTING}\LocalDumps"));
    match (off, dumps) {
        (true, false) => found(true, "Windows Error Reporting is off"),
        (_, true) => found(false, "dumps of programs that break are kept on this machine (LocalDumps)"),
        (false, false) => found(false, "Windows Error Reporting is on"),
    }
}

/// Whether Windows Search keeps an index of what files say.
#[must_use]
pub fn search_index() -> Setting {
    match service("WSearch") {
        None => found(true, "this Windows has no search index"),
        Some(DISABLED) => found(true, "the search index is off"),
        Some(_) => found(false, "Windows Search keeps an index of what files say, for the whole machine"),
    }
}

/// Whether Windows may take pictures of what is on the screen.
#[must_use]
pub fn recall() -> Setting {
    let build = machine_text(VERSION, "CurrentBuildNumber").and_then(|build| build.parse::<u32>().ok());
    if build.is_some_and(|build| build < RECALL) {
        return found(true, "this Windows has no Recall");
    }
    if machine_number(AI, "AllowRecallEnablement") == Some(0)
        || machine_number(AI, "DisableAIDataAnalysis") == Some(1)
    {
        return found(true, "Recall is off by policy");
    }
    found(false, "no policy keeps Recall from taking pictures of the screen")
}

/// Whether logs are told what programs were given.
#[must_use]
pub fn event_logs() -> Setting {
    let on: Vec<&str> = [
        (format!(r"{POWERSHELL}\Transcription"), "EnableTranscripting", "PowerShell transcripts"),
        (format!(r"{POWERSHELL}\ScriptBlockLogging"), "EnableScriptBlockLogging", "PowerShell script blocks"),
        (AUDIT.to_owned(), "ProcessCreationIncludeCmdLine_Enabled", "command lines of programs"),
    ]
    .iter()
    .filter(|(key, name, _)| machine_number(key, name) == Some(1))
    .map(|(_, _, what)| *what)
    .collect();
    if on.is_empty() {
        return found(true, "the event logs are told neither scripts nor command lines");
    }
    found(false, format!("kept in logs: {}", on.join(", ")))
}

/// Whether notifications outlive who they were for.
#[must_use]
pub fn notifications() -> Setting {
    let off = machine_number(EXPLORER, "DisableNotificationCenter") == Some(1)
        || registry::number(HKEY_CURRENT_USER, EXPLORER, "DisableNotificationCenter") == Some(1);
    let saw =
        if off { "the notification centre is off" } else { "the notification centre keeps notifications" };
    found(off, saw)
}

/// Whether Windows keeps what was on the clipboard before.
#[must_use]
pub fn clipboard_history() -> Setting {
    of_clipboard("AllowClipboardHistory", "EnableClipboardHistory", "the clipboard's history")
}

/// Whether the clipboard goes to other machines.
#[must_use]
pub fn cloud_clipboard() -> Setting {
    of_clipboard(
        "AllowCrossDeviceClipboard",
        "EnableCloudClipboard",
        "the clipboard that goes to other machines",
    )
}

fn of_clipboard(policy: &str, choice: &str, what: &str) -> Setting {
    if machine_number(SYSTEM, policy) == Some(0) {
        return found(true, format!("{what} is off by policy"));
    }
    if registry::number(HKEY_CURRENT_USER, CLIPBOARD, choice) == Some(1) {
        return Setting { kept: false, on: true, saw: format!("{what} is on") };
    }
    found(false, format!("{what} is off, and no policy keeps it off"))
}

/// Whether certificates of cards are copied into an account's store.
#[must_use]
pub fn card_certificates() -> Setting {
    match service("CertPropSvc") {
        None => found(true, "this Windows does not copy certificates of cards"),
        Some(DISABLED) => found(true, "certificates of cards are not copied (CertPropSvc is off)"),
        Some(_) => found(false, "certificates of a card are copied into the account's store (CertPropSvc)"),
    }
}
