//! What keeps a session from the rest of Windows, as far as the host's edition and settings can: read, never inferred. The
//! capability report tells it with every receipt, `cleanshiftctl doctor` before the first session.

use std::path::PathBuf;
use std::time::Duration;

use windows_sys::Win32::System::Registry::HKEY_CURRENT_USER;
use windows_sys::Win32::System::SystemInformation::{
    GetPhysicallyInstalledSystemMemory, GlobalMemoryStatusEx, MEMORYSTATUSEX,
};

use super::display::desktop::{self, SessionDesktop};
use super::gates::{has_machine_key, windows_dir};
use super::job::{Job, Limits};
use super::registry::{self, machine_number, machine_text};
use super::security::Sid;
use super::setting::service;
use super::spawn::{self, Program};

const VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const FILTER: &str = r"SOFTWARE\Microsoft\Windows Embedded\KeyboardFilter";
const WINLOGON: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon";
const SHELLS: &str = r"SOFTWARE\Microsoft\Windows Embedded\Shell Launcher";
const SYSTEM: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
const EXPLORER: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer";
/// How a service starts that does not (SERVICE_DISABLED).
const DISABLED: u32 = 4;
/// The beginnings of the editions that have Keyboard Filter, Shell Launcher and UWF, by EditionID.
const FULL: [&str; 3] = ["Enterprise", "Education", "IoTEnterprise"];
/// How long the end of a program that was only tried may take.
const TRY: Duration = Duration::from_secs(5);
/// The first build that calls itself Windows 11.
const ELEVEN: u32 = 22_000;

/// The edition of Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// As people know it.
    pub name: String,
    /// Its id, as Windows has it.
    pub id: String,
    /// Whether it has Keyboard Filter, Shell Launcher and UWF; `None` where it does not say what it is.
    pub full: Option<bool>,
}

/// Which edition this is (requirement W-01).
#[must_use]
pub fn edition() -> Edition {
    let text = |name| machine_text(VERSION, name).unwrap_or_default();
    let (id, build) = (text("EditionID"), text("CurrentBuildNumber"));
    let mut name = text("ProductName");
    // Windows 11 still calls itself 10 there.
    if build.parse::<u32>().is_ok_and(|build| build >= ELEVEN) {
        name = name.replacen("Windows 10", "Windows 11", 1);
    }
    let name =
        [name, text("DisplayVersion"), build].join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let full = (!id.is_empty()).then(|| is_full(&id));
    Edition { name, id, full }
}

fn is_full(id: &str) -> bool {
    FULL.iter().any(|start| id.starts_with(start))
}

impl Edition {
    /// For the capability report.
    #[must_use]
    pub fn report(&self) -> String {
        match self.full {
            Some(true) => format!("{} ({})", self.name, self.id),
            Some(false) => format!(
                "{} ({}): reduced lockdown, no Keyboard Filter, Shell Launcher or UWF",
                self.name, self.id
            ),
            None => format!("{}: reduced lockdown, the edition does not say what it is", self.name),
        }
    }
}

/// What stands of Keyboard Filter (requirements W-02 to W-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyboardFilter {
    /// Whether it is there and starts.
    pub starts: bool,
    /// Whether it does not hold for administrators.
    pub off_for_administrators: bool,
    /// Whether it keeps the keys of accessibility away.
    pub no_accessibility: bool,
    /// Whether the key that breaks out of it is another than by default, where it says.
    pub breakout_changed: bool,
}

/// Reads it.
#[must_use]
pub fn keyboard_filter() -> KeyboardFilter {
    let number = |name| machine_number(FILTER, name);
    KeyboardFilter {
        starts: service("MsKeyboardFilter").is_some_and(|start| start != DISABLED),
        off_for_administrators: number("DisableKeyboardFilterForAdministrators") == Some(1),
        no_accessibility: number("ForceOffAccessibility") == Some(1),
        // 91 is the left key with the sign of Windows, five times: the default.
        breakout_changed: number("BreakoutKeyScanCode").is_some_and(|code| code != 91),
    }
}

/// What Windows starts for an account that signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// The station.
    Station,
    /// Shell Launcher decides, by what it was told.
    Launcher,
    /// Something else, by its command.
    Other(String),
}

/// What starts when the station's account signs in (requirement W-02).
#[must_use]
pub fn shell() -> Shell {
    let own = registry::text(HKEY_CURRENT_USER, WINLOGON, "Shell");
    let command =
        own.or_else(|| machine_text(WINLOGON, "Shell")).unwrap_or_else(|| "explorer.exe".to_owned());
    if command.to_lowercase().contains("cleanshift") {
        Shell::Station
    } else if command.to_lowercase().contains("eshell.exe") || has_machine_key(SHELLS) {
        Shell::Launcher
    } else {
        Shell::Other(command)
    }
}

/// What the screen behind Ctrl+Alt+Del still offers (requirement W-05).
#[must_use]
pub fn offered() -> Vec<&'static str> {
    let off = |key: &str, name: &str| {
        machine_number(key, name) == Some(1) || registry::number(HKEY_CURRENT_USER, key, name) == Some(1)
    };
    let all = [
        (SYSTEM, "DisableTaskMgr", "Task Manager"),
        (SYSTEM, "DisableLockWorkstation", "Lock"),
        (SYSTEM, "HideFastUserSwitching", "Switch user"),
        (SYSTEM, "DisableChangePassword", "Change a password"),
        (EXPLORER, "NoLogoff", "Sign out"),
    ];
    all.iter().filter(|(key, name, _)| !off(key, name)).map(|(_, _, what)| *what).collect()
}

/// How the account signs in, and what else can reach it (requirement W-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whether it has an administrator's rights, where Windows says.
    pub administrator: Option<bool>,
    /// Whether Windows signs it in by itself.
    pub signs_in: bool,
    /// Whether its password lies readable in the registry.
    pub password_readable: bool,
    /// Whether programs must ask for rights (UAC).
    pub uac: bool,
    /// Whether the machine can be reached by a remote desktop.
    pub remote: bool,
    /// Whether it is an account of a domain.
    pub domain: bool,
}

/// Reads it.
#[must_use]
pub fn account() -> Account {
    const TERMINAL: &str = r"SYSTEM\CurrentControlSet\Control\Terminal Server";
    // The two are one for an account of this machine; they are the system's own, as this process was started with.
    let (domain, machine) = (std::env::var_os("USERDOMAIN"), std::env::var_os("COMPUTERNAME"));
    Account {
        administrator: super::gates::is_administrator(),
        signs_in: machine_text(WINLOGON, "AutoAdminLogon").as_deref() == Some("1"),
        password_readable: machine_text(WINLOGON, "DefaultPassword")
            .is_some_and(|password| !password.is_empty()),
        uac: machine_number(SYSTEM, "EnableLUA") == Some(1),
        remote: machine_number(TERMINAL, "fDenyTSConnections") == Some(0),
        domain: domain.is_some() && machine.is_some() && domain != machine,
    }
}

/// Whether whoever asks is another account than the station's, where the package was told of that.
#[must_use]
pub fn is_another() -> bool {
    Sid::station().is_some_and(|station| Sid::own().is_ok_and(|own| own != station))
}

/// What Windows itself can bring in front of the station (requirements W-03, W-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Above {
    /// Whether notifications show above the lock.
    pub toasts: bool,
    /// Whether a blue screen is shown and stays.
    pub blue_screen: bool,
    /// Whether updates may start the machine anew while somebody is at work.
    pub updates: bool,
    /// Whether the power button is still asked.
    pub power_button: bool,
    /// Whether the sign-in screen has its buttons for accessibility, power and network.
    pub sign_in_buttons: bool,
}

/// Reads it.
#[must_use]
pub fn above() -> Above {
    const LOCK: &str = r"SOFTWARE\Microsoft\PolicyManager\current\device\AboveLock";
    const PUSH: &str = r"SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\PushNotifications";
    const CRASH: &str = r"SYSTEM\CurrentControlSet\Control\CrashControl";
    const UPDATE: &str = r"SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU";
    const BUTTON: &str =
        r"SOFTWARE\Policies\Microsoft\Power\PowerSettings\7648EFA3-DD9C-4E3E-B566-50F929386280";
    const LOGON: &str = r"SOFTWARE\Microsoft\Windows Embedded\EmbeddedLogon";
    let no_toasts = "NoToastApplicationNotificationOnLockScreen";
    Above {
        toasts: machine_number(LOCK, "AllowToasts") != Some(0)
            && machine_number(PUSH, no_toasts) != Some(1)
            && registry::number(HKEY_CURRENT_USER, PUSH, no_toasts) != Some(1),
        blue_screen: machine_number(CRASH, "DisplayDisabled") != Some(1)
            || machine_number(CRASH, "AutoReboot") == Some(0),
        updates: machine_number(UPDATE, "NoAutoRebootWithLoggedOnUsers") != Some(1)
            && machine_number(UPDATE, "NoAutoUpdate") != Some(1),
        power_button: machine_number(BUTTON, "ACSettingIndex") != Some(0),
        sign_in_buttons: machine_number(LOGON, "BrandingNeutral").unwrap_or(0) == 0,
    }
}

/// What decides which programs may run (requirement W-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowList {
    /// AppLocker.
    AppLocker,
    /// There are policies of code integrity (WDAC). Windows brings some of its own, against drivers: one alone is no
    /// allow-list, and which is which needs an administrator to ask.
    Integrity,
    /// Nothing.
    None,
}

impl AllowList {
    /// What people are told.
    #[must_use]
    pub fn report(self) -> &'static str {
        match self {
            Self::AppLocker => "AppLocker enforces rules for programs",
            Self::Integrity => {
                "there are policies of code integrity (WDAC); whether one is an allow-list is not looked at"
            }
            Self::None => "any program that a session can write may run",
        }
    }
}

/// Whether Windows refuses programs that nobody has allowed: by AppLocker, or by a policy of code integrity.
#[must_use]
pub fn allow_list() -> AllowList {
    const RULES: &str = r"SOFTWARE\Policies\Microsoft\Windows\SrpV2\Exe";
    let active: PathBuf = windows_dir().join(r"System32\CodeIntegrity\CiPolicies\Active");
    let integrity = std::fs::read_dir(active).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|end| end.eq_ignore_ascii_case("cip")))
    });
    if machine_number(RULES, "EnforcementMode") == Some(1)
        && service("AppIDSvc").is_some_and(|start| start != DISABLED)
    {
        AllowList::AppLocker
    } else if integrity {
        AllowList::Integrity
    } else {
        AllowList::None
    }
}

/// Holds a program of Windows' own in a job object and ends it with it (requirement W-09).
///
/// # Errors
/// A fragment: what did not work.
pub fn try_job() -> Result<(), String> {
    let failed = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    let job = Job::new(None, Limits::default()).map_err(failed("make a job object"))?;
    let own = Job::new(None, Limits::default()).map_err(failed("make a job object"))?;
    let directory = spawn::system_directory();
    // It waits for words that nobody says.
    let program = Program {
        path: &directory.join("cmd.exe"),
        arguments: &["/k".to_owned()],
        environment: &spawn::environment(&directory),
        directory: &directory,
        desktop: None,
    };
    let started = spawn::start(&program, &job, &own).map_err(failed("start a program in a job object"))?;
    let held = job.processes().map_err(failed("list a job object's programs"))?;
    if !held.contains(&started.pid) {
        started.end();
        return Err("find a program in the job object that it was put into".to_owned());
    }
    let _ = job.end(TRY).map_err(failed("end a job object"))?;
    if started.ended(TRY) { Ok(()) } else { Err("end a program with its job object".to_owned()) }
}

/// Makes a desktop object; answers whether this system keeps desktops apart (requirement W-09).
///
/// # Errors
/// A fragment: why none could be made.
pub fn try_desktop() -> Result<bool, String> {
    let _made = SessionDesktop::make(None).map_err(|error| error.to_string())?;
    Ok(desktop::keeps_apart())
}

/// Whether the write filter (UWF) is there and on, so that a restart undoes what was written.
#[must_use]
pub fn write_filter() -> Option<bool> {
    service("uwfvol").map(|start| start != DISABLED)
}

/// Whether the system's drive is encrypted, where Windows says.
#[must_use]
pub fn encrypted() -> Option<bool> {
    machine_number(r"SYSTEM\CurrentControlSet\Control\BitLockerStatus", "BootStatus")
        .map(|status| status == 1)
}

/// How much memory the machine has, and how much is free, in MiB.
#[must_use]
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
pub fn memory() -> Option<(u64, u64)> {
    let mut status =
        MEMORYSTATUSEX { dwLength: u32::try_from(size_of::<MEMORYSTATUSEX>()).ok()?, ..Default::default() };
    let mut installed = 0;
    // SAFETY: the structure says its own size, and the places outlive the calls.
    let (told, known) = unsafe {
        (GlobalMemoryStatusEx(&raw mut status), GetPhysicallyInstalledSystemMemory(&raw mut installed))
    };
    let all = if known == 0 { status.ullTotalPhys / 1024 } else { installed };
    (told != 0).then_some((all / 1024, status.ullAvailPhys >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pro_and_home_are_reduced() {
        for full in
            ["Enterprise", "EnterpriseS", "IoTEnterprise", "IoTEnterpriseSK", "Education", "EnterpriseN"]
        {
            assert!(is_full(full), "{full}");
        }
        for reduced in
            ["Professional", "ProfessionalWorkstation", "Core", "ProfessionalEducation", "CoreSingleLanguage"]
        {
            assert!(!is_full(reduced), "{reduced}");
        }
        let edition =
            Edition { name: "Windows 11".to_owned(), id: "Professional".to_owned(), full: Some(false) };
        assert!(edition.report().contains("reduced lockdown"));
    }

    #[test]
    fn this_host_says_what_it_is() {
        let found = edition();
        assert!(found.name.contains("Windows"), "{found:?}");
        let (all, free) = memory().unwrap_or_default();
        assert!(all >= free && free > 0, "{all} {free}");
    }
}
