//! Edition, keys, shell, what stands above the lock, and what may run (requirements W-01 to W-05, W-07 to W-09).

use crate::ctl::doctor::report::Requirement;
use crate::platform::native::display::desktop;
use crate::platform::native::lockdown::{self, AllowList, Shell};

/// The command that sets a number of the machine's registry.
pub(super) fn set(key: &str, name: &str, number: u32) -> String {
    format!(r#"reg add "HKLM\{key}" /v {name} /t REG_DWORD /d {number} /f"#)
}

const SYSTEM: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
const EXPLORER: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer";

/// All of them.
pub(super) fn all() -> Vec<Requirement> {
    vec![
        edition(),
        keys(),
        filter(),
        shell(),
        attention(),
        accessibility(),
        toasts(),
        blue_screen(),
        updates(),
        power(),
        programs(),
        jobs(),
        desktops(),
    ]
}

fn edition() -> Requirement {
    let asked = Requirement::of(
        "edition",
        "edition of Windows",
        "Keyboard Filter, Shell Launcher and UWF exist on Enterprise, Education and IoT Enterprise alone",
    );
    let found = lockdown::edition();
    let mend = "slmgr.vbs /ipk KEY-OF-AN-ENTERPRISE-EDITION & rem or use Windows IoT Enterprise";
    match found.full {
        Some(true) => asked.good(found.report()),
        Some(false) => asked.reduced(found.report(), mend),
        None => asked.unseen("Windows does not say which edition it is", mend),
    }
}

fn keys() -> Requirement {
    let asked = Requirement::of(
        "keyboard-filter",
        "Keyboard Filter",
        "without it Windows takes some keys before the shell's own hook does, Ctrl+Alt+Del among them",
    );
    let mend = "dism /online /enable-feature /featurename:Client-DeviceLockdown /featurename:Client-KeyboardFilter\nsc.exe config MsKeyboardFilter start= auto";
    if lockdown::keyboard_filter().starts {
        return asked.good("its service starts");
    }
    match lockdown::edition().full {
        Some(true) => asked.reduced("its service is not there or off", mend),
        Some(false) => {
            asked.reduced("this edition has none: the shell's own hook holds the keys", "rem see `edition`")
        }
        None => asked.reduced(
            "its service is not there or off, and this edition may have none: the shell's own hook holds the keys",
            mend,
        ),
    }
}

fn filter() -> Requirement {
    let asked = Requirement::of(
        "keyboard-filter-settings",
        "how Keyboard Filter is set",
        "it must hold for the station's account and not for IT's, and no well-known key may break out of it",
    );
    let found = lockdown::keyboard_filter();
    if !found.starts {
        return asked.reduced("there is no Keyboard Filter to be set", "rem see `keyboard-filter`");
    }
    let wmi = |name: &str, value: &str| {
        format!(
            "powershell -Command \"Get-CimInstance -Namespace root/standardcimv2/embedded WEKF_Settings -Filter \\\"Name='{name}'\\\" | Set-CimInstance -Property @{{Value='{value}'}}\""
        )
    };
    let wanting: Vec<(&str, String)> = [
        (
            found.off_for_administrators,
            "it holds for administrators too",
            wmi("DisableKeyboardFilterForAdministrators", "true"),
        ),
        (
            found.breakout_changed,
            "five times the key with Windows' sign breaks out of it",
            wmi("BreakoutKeyScanCode", "0"),
        ),
        (found.no_accessibility, "keys of accessibility work", wmi("ForceOffAccessibility", "true")),
    ]
    .into_iter()
    .filter(|(good, ..)| !good)
    .map(|(_, saw, mend)| (saw, mend))
    .collect();
    if wanting.is_empty() {
        return asked.good("off for administrators, another key breaks out, no keys of accessibility");
    }
    let (saw, mend): (Vec<&str>, Vec<String>) = wanting.into_iter().unzip();
    asked.reduced(saw.join("; "), mend.join("\n"))
}

fn shell() -> Requirement {
    let asked = Requirement::of(
        "shell",
        "what Windows starts",
        "where Explorer starts, whoever ends the station is at the desktop of the station's account",
    );
    match lockdown::shell() {
        Shell::Station => asked.good("the station, by Winlogon"),
        Shell::Launcher => asked.unseen(
            "Shell Launcher; which shell it starts for whom, only an administrator may ask",
            "powershell -Command \"Get-CimInstance -Namespace root/standardcimv2/embedded WESL_UserSetting\"",
        ),
        Shell::Other(command) => asked.reduced(
            format!("{command}"),
            "msiexec /i cleanshift-VERSION-x64.msi ADDLOCAL=Main,Kiosk /qn & rem then sign in to the station's account anew",
        ),
    }
}

fn attention() -> Requirement {
    let asked = Requirement::of(
        "ctrl-alt-del",
        "the screen behind Ctrl+Alt+Del",
        "no program can take these keys: only what policy removes from that screen is not offered there",
    );
    let offered = lockdown::offered();
    if offered.is_empty() {
        return asked.good("it offers nothing");
    }
    let mend = [
        set(SYSTEM, "DisableTaskMgr", 1),
        set(SYSTEM, "DisableLockWorkstation", 1),
        set(SYSTEM, "HideFastUserSwitching", 1),
        set(SYSTEM, "DisableChangePassword", 1),
        set(EXPLORER, "NoLogoff", 1),
    ];
    asked.reduced(format!("it offers: {}", offered.join(", ")), mend.join("\n"))
}

fn accessibility() -> Requirement {
    let asked = Requirement::of(
        "sign-in-screen",
        "Windows' own sign-in screen",
        "its buttons start programs of accessibility, change the network and stop the machine, before anybody signs in",
    );
    if lockdown::above().sign_in_buttons {
        return asked.reduced(
            "it has its buttons (BrandingNeutral)",
            set(r"SOFTWARE\Microsoft\Windows Embedded\EmbeddedLogon", "BrandingNeutral", 23),
        );
    }
    asked.good("it has no buttons (BrandingNeutral)")
}

fn toasts() -> Requirement {
    let asked = Requirement::of(
        "lock-screen-notifications",
        "notifications above the lock",
        "they show what came for somebody who has gone",
    );
    if lockdown::above().toasts {
        return asked.reduced(
            "they are shown",
            r#"reg add "HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\PushNotifications" /v NoToastApplicationNotificationOnLockScreen /t REG_DWORD /d 1 /f"#,
        );
    }
    asked.good("they are not shown")
}

fn blue_screen() -> Requirement {
    let asked = Requirement::of(
        "blue-screen",
        "Windows' stop screen",
        "a station that has stopped should start anew by itself, and not stand there in blue",
    );
    const CRASH: &str = r"SYSTEM\CurrentControlSet\Control\CrashControl";
    if lockdown::above().blue_screen {
        let mend = [set(CRASH, "DisplayDisabled", 1), set(CRASH, "AutoReboot", 1)];
        return asked.reduced("it is shown, or stays", mend.join("\n"));
    }
    asked.good("it stays black, and the machine starts anew")
}

fn updates() -> Requirement {
    let asked = Requirement::of(
        "update-restarts",
        "restarts for updates",
        "a restart while somebody is at work ends a session without her hand",
    );
    if lockdown::above().updates {
        let mend =
            set(r"SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU", "NoAutoRebootWithLoggedOnUsers", 1);
        return asked.reduced("updates may start the machine anew while somebody is at work", mend);
    }
    asked.good("updates do not start the machine anew while somebody is at work")
}

fn power() -> Requirement {
    let asked = Requirement::of(
        "power-button",
        "the power button",
        "pressed in passing it ends a session and stops the station",
    );
    if lockdown::above().power_button {
        let mend = "powercfg /setacvalueindex SCHEME_CURRENT SUB_BUTTONS PBUTTONACTION 0\npowercfg /setactive SCHEME_CURRENT";
        return asked.unseen("no policy says what it does; a power plan may", mend);
    }
    asked.good("it does nothing, by policy")
}

fn programs() -> Requirement {
    let asked = Requirement::of(
        "allow-list",
        "which programs may run",
        "a file dialog of any app starts any program that this account can read, and one that a session saves",
    );
    let mend = "powershell -Command \"Get-AppLockerPolicy -Local\" & rem set AppLocker or WDAC to allow the policy's apps alone, see the manual";
    match lockdown::allow_list() {
        AllowList::AppLocker => asked.good(AllowList::AppLocker.report()),
        // Windows brings some of its own, against drivers: one that is there is no list of programs yet.
        AllowList::Integrity => asked
            .unseen(AllowList::Integrity.report(), "CiTool.exe --list-policies & rem as an administrator"),
        AllowList::None => asked.reduced(AllowList::None.report(), mend),
    }
}

/// Tried, because a job that this process is in can forbid others below it.
fn jobs() -> Requirement {
    let asked = Requirement::of(
        "job-object",
        "job objects",
        "all programs of a session are ended as one: without it some outlive the handoff",
    );
    let mend = "rem run this and the station outside of other job objects: from the station's account, not from a remote prompt";
    match lockdown::try_job() {
        Ok(()) => asked.good("a program was held by one, and ended with it"),
        Err(why) => asked.bad(format!("failed to {why}"), mend),
    }
}

fn desktops() -> Requirement {
    let asked = Requirement::of(
        "desktops",
        "desktop objects",
        "the PIN is typed on a desktop of the shell's own, where no app of a session can read keys",
    );
    match lockdown::try_desktop() {
        Ok(true) => asked.good(desktop::report()),
        Ok(false) => asked.reduced(desktop::report(), "rem use Windows itself, not Wine"),
        Err(why) => asked.bad(
            format!("failed to {why}"),
            "rem run this as the station's account, signed in at the screen",
        ),
    }
}
