//! The doctor on a Windows whose settings are planted: each row as it should be and as it should not, by what somebody
//! else has written into the registry.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;
use std::process::Command;

use super::{AGAIN, look};
use crate::ctl::doctor::code;
use crate::ctl::doctor::report::{Report, Requirement, State};
use crate::handoff::BadgeMode;
use crate::platform::native::{places, service::runs};
use crate::policy::{CapsuleMode, Policy};

const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const WINLOGON: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon";
const POLICY: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies";
const POLICIES: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows";
const EMBEDDED: &str = r"HKLM\SOFTWARE\Microsoft\Windows Embedded";
const CONTROL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control";
const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";

/// A value of the registry while this lives; what was there before is back afterwards, and a key that was not has gone.
struct Planted {
    key: String,
    stood: bool,
    name: String,
    before: Option<(String, String)>,
}

fn reg(words: &[&str]) -> Option<String> {
    let output = Command::new("reg.exe").args(words).output().unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Planted {
    fn set(key: &str, name: &str, kind: &str, value: &str) -> Self {
        let stood = reg(&["query", key]).is_some();
        let line = reg(&["query", key, "/v", name]);
        let before = line.and_then(|text| {
            let line =
                text.lines().find_map(|line| line.trim().strip_prefix(name).map(str::trim))?.to_owned();
            let (kind, value) = line.split_once("    ").unwrap_or((&line, ""));
            Some((kind.trim().to_owned(), value.trim().to_owned()))
        });
        assert!(reg(&["add", key, "/v", name, "/t", kind, "/d", value, "/f"]).is_some(), "{key} {name}");
        Self { key: key.to_owned(), stood, name: name.to_owned(), before }
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        let (key, name) = (self.key.as_str(), self.name.as_str());
        let _ = match &self.before {
            Some((kind, value)) => reg(&["add", key, "/v", name, "/t", kind, "/d", value, "/f"]),
            None if self.stood => reg(&["delete", key, "/v", name, "/f"]),
            None => reg(&["delete", key, "/f"]),
        };
        let there = reg(&["query", key, "/v", name]).is_some();
        assert!(there == self.before.is_some() || std::thread::panicking(), "{key} {name} was not put back");
    }
}

fn report() -> Report {
    let nowhere = Path::new(r"C:\cleanshift test without a station");
    look(Path::new(r"\"), Some(&nowhere.join("policy.toml")), Some(&nowhere.join("state"))).unwrap()
}

fn row(id: &str) -> Requirement {
    report().requirements.into_iter().find(|one| one.id == id).unwrap()
}

/// A row, the value that decides it, the good one and the other, and how the row stands with that.
type Case = (&'static str, String, &'static str, &'static str, &'static str, &'static str, State);

#[test]
fn a_row_follows_what_is_planted() {
    let number = "REG_DWORD";
    let of = |start: &str, end: &str| format!(r"{start}\{end}");
    let cases: [Case; 11] = [
        (
            "edition",
            VERSION.to_owned(),
            "EditionID",
            "REG_SZ",
            "IoTEnterprise",
            "Professional",
            State::Reduced,
        ),
        (
            "shell",
            WINLOGON.to_owned(),
            "Shell",
            "REG_SZ",
            r"C:\Program Files\Cleanshift\cleanshift.exe --watch",
            "explorer.exe",
            State::Reduced,
        ),
        (
            "sign-in-screen",
            of(EMBEDDED, "EmbeddedLogon"),
            "BrandingNeutral",
            number,
            "23",
            "0",
            State::Reduced,
        ),
        ("uac", of(POLICY, "System"), "EnableLUA", number, "1", "0", State::Reduced),
        (
            "remote-desktop",
            of(CONTROL, "Terminal Server"),
            "fDenyTSConnections",
            number,
            "1",
            "0",
            State::Reduced,
        ),
        (
            "lock-screen-notifications",
            r"HKLM\SOFTWARE\Microsoft\PolicyManager\current\device\AboveLock".to_owned(),
            "AllowToasts",
            number,
            "0",
            "1",
            State::Reduced,
        ),
        ("blue-screen", of(CONTROL, "CrashControl"), "DisplayDisabled", number, "1", "0", State::Reduced),
        (
            "update-restarts",
            of(POLICIES, r"WindowsUpdate\AU"),
            "NoAutoRebootWithLoggedOnUsers",
            number,
            "1",
            "0",
            State::Reduced,
        ),
        (
            "cloud-clipboard",
            of(POLICIES, "System"),
            "AllowCrossDeviceClipboard",
            number,
            "0",
            "1",
            State::Reduced,
        ),
        ("search-index", of(SERVICES, "WSearch"), "Start", number, "4", "2", State::Reduced),
        ("write-filter", of(SERVICES, "uwfvol"), "Start", number, "0", "4", State::Reduced),
    ];
    for (id, key, name, kind, good, bad, state) in cases {
        let planted = Planted::set(&key, name, kind, good);
        let kept = row(id);
        drop(planted);
        let planted = Planted::set(&key, name, kind, bad);
        let wanting = row(id);
        drop(planted);
        assert_eq!((kept.state, kept.looked, kept.mend.is_empty()), (State::Good, true, true), "{kept:?}");
        assert_eq!(wanting.state, state, "{wanting:?}");
        assert!(!wanting.mend.is_empty() && wanting.saw != kept.saw, "{wanting:?}");
    }
}

#[test]
fn what_must_not_be_is_bad_and_so_is_the_verdict() {
    let bad = [
        // A password that anybody can read, a clipboard that leaves the machine, a history that Wine cannot empty.
        ("sign-in", WINLOGON, "DefaultPassword", "REG_SZ", "secret"),
        ("cloud-clipboard", r"HKCU\Software\Microsoft\Clipboard", "EnableCloudClipboard", "REG_DWORD", "1"),
        (
            "clipboard-history",
            r"HKCU\Software\Microsoft\Clipboard",
            "EnableClipboardHistory",
            "REG_DWORD",
            "1",
        ),
    ];
    let _signs_in = Planted::set(WINLOGON, "AutoAdminLogon", "REG_SZ", "1");
    for (id, key, name, kind, value) in bad {
        assert_ne!(row(id).state, State::Bad, "{id}: {:?}", row(id));
        let planted = Planted::set(key, name, kind, value);
        let report = report();
        drop(planted);
        let row = report.requirements.iter().find(|one| one.id == id).unwrap();
        assert_eq!((row.state, report.verdict, code(&report)), (State::Bad, State::Bad, 1), "{row:?}");
        assert!(!row.saw.contains("secret"), "the password was told: {row:?}");
        assert!(
            report.screen().contains(&row.title)
                && report.screen().ends_with("All of it: cleanshiftctl doctor\n")
        );
        assert!(report.screen().contains(AGAIN.trim_end()));
    }
}

#[test]
fn the_screen_behind_ctrl_alt_del_is_good_when_nothing_is_offered() {
    let system = format!(r"{POLICY}\System");
    let explorer = format!(r"{POLICY}\Explorer");
    let off = [
        (&system, "DisableTaskMgr", "Task Manager"),
        (&system, "DisableLockWorkstation", "Lock"),
        (&system, "HideFastUserSwitching", "Switch user"),
        (&system, "DisableChangePassword", "Change a password"),
        (&explorer, "NoLogoff", "Sign out"),
    ];
    let mut planted = Vec::new();
    for (key, name, what) in off {
        let before = row("ctrl-alt-del");
        assert!(before.state == State::Reduced && before.saw.contains(what), "{before:?}");
        planted.push(Planted::set(key, name, "REG_DWORD", "1"));
        assert!(!row("ctrl-alt-del").saw.contains(what), "{:?}", row("ctrl-alt-del"));
    }
    assert_eq!(row("ctrl-alt-del").state, State::Good);
}

#[test]
fn keyboard_filter_is_good_when_it_starts_and_is_set() {
    let service = format!(r"{SERVICES}\MsKeyboardFilter");
    let filter = format!(r"{EMBEDDED}\KeyboardFilter");
    let _edition = Planted::set(VERSION, "EditionID", "REG_SZ", "IoTEnterprise");
    assert_eq!(
        (row("keyboard-filter").state, row("keyboard-filter-settings").state),
        (State::Reduced, State::Reduced)
    );
    let starts = Planted::set(&service, "Start", "REG_DWORD", "2");
    assert_eq!(row("keyboard-filter").state, State::Good);
    let mut set = Vec::new();
    for (name, value, wanting) in [
        ("DisableKeyboardFilterForAdministrators", "1", "administrators"),
        ("BreakoutKeyScanCode", "0", "breaks out"),
        ("ForceOffAccessibility", "1", "accessibility"),
    ] {
        assert!(
            row("keyboard-filter-settings").saw.contains(wanting),
            "{:?}",
            row("keyboard-filter-settings")
        );
        set.push(Planted::set(&filter, name, "REG_DWORD", value));
    }
    assert_eq!(row("keyboard-filter-settings").state, State::Good, "{:?}", row("keyboard-filter-settings"));
    drop(set);
    let off = Planted::set(&service, "Start", "REG_DWORD", "4");
    assert_eq!(row("keyboard-filter").state, State::Reduced);
    // In the order that puts back what there was.
    drop(off);
    drop(starts);
}

#[test]
fn what_group_policy_sets_stands_before_the_policy_file_and_a_wrong_value_is_bad() {
    const OURS: &str = r"HKLM\SOFTWARE\Policies\Cleanshift";
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("policy.toml");
    let text = "roles = []\n[station]\nname = \"Station 12\"\nplace = \"Ward 4\"\n[badge]\nmode = \"hold\"\n";
    std::fs::write(&file, text).unwrap();
    let look = || {
        let found = look(Path::new(r"\"), Some(&file), Some(&place.path().join("state"))).unwrap();
        found.requirements.into_iter().find(|one| one.id == "policy").unwrap()
    };
    let in_force = || Policy::in_force(&file, &places::switches()).unwrap();
    assert!(places::switches().is_empty());
    let alone = (in_force(), look());
    assert!(alone.1.state == State::Good && !alone.1.saw.contains("set"), "{:?}", alone.1);

    // The last one planted is the first one taken away, so that the key goes with the first.
    let mut planted = vec![Planted::set(OURS, "StationName", "REG_EXPAND_SZ", "%COMPUTERNAME% 7")];
    planted.push(Planted::set(OURS, "BadgeMode", "REG_SZ", "tap"));
    planted.push(Planted::set(OURS, "CapsuleMode", "REG_SZ", "account"));
    planted.push(Planted::set(OURS, "IdleSeconds", "REG_DWORD", "45"));
    planted.push(Planted::set(OURS, "BreakGlass", "REG_DWORD", "0"));
    let set = in_force();
    assert!(set.station.name.ends_with(" 7") && !set.station.name.contains('%'), "{}", set.station.name);
    assert_eq!((set.station.place.as_str(), set.rules.idle), ("Ward 4", 45_000));
    assert_eq!((set.rules.badge_mode, set.capsule.mode), (BadgeMode::Tap, CapsuleMode::Account));
    assert!(alone.0.rules.emergency.is_some() && set.rules.emergency.is_none());
    assert_ne!(set.hash, alone.0.hash);
    let row = look();
    assert!(row.state == State::Good && row.saw.contains("station.name, badge.mode"), "{row:?}");

    // A time that is no number, and a mode that there is not.
    for (name, kind, value) in [
        ("IdleSeconds", "REG_SZ", "soon"),
        ("IdleSeconds", "REG_BINARY", "2d000000"),
        ("CapsuleMode", "REG_SZ", "quick"),
        ("StationName", "REG_DWORD", "7"),
        ("StationName", "REG_MULTI_SZ", "Station"),
        ("BreakGlass", "REG_BINARY", "00"),
        ("BreakGlass", "REG_DWORD", "2"),
    ] {
        let wrong = Planted::set(OURS, name, kind, value);
        let row = look();
        assert!(row.state == State::Bad && row.saw.contains("this machine's policies"), "{row:?}");
        drop(wrong);
    }
    // What is no text names no policy file, least of all the usual one.
    let named = Planted::set(OURS, "Policy", "REG_DWORD", "1");
    assert!(
        !places::policy().exists() && places::policy().starts_with("HKLM"),
        "{}",
        places::policy().display()
    );
    drop(named);
    while planted.pop().is_some() {}
    assert_eq!(in_force(), alone.0);
}

#[test]
fn the_service_of_session_accounts_is_seen() {
    // One that runs and one that does not, as Wine has them.
    assert!(runs("PlugPlay").unwrap() && !runs("Winmgmt").unwrap() && runs("CleanshiftService").is_err());
    let before = row("session-account");
    assert!(before.state == State::Reduced && before.saw.contains("is not there"), "{before:?}");
    let _there = Planted::set(&format!(r"{SERVICES}\CleanshiftService"), "Start", "REG_DWORD", "2");
    // Of one that is written down and that Windows has not taken for a service, it cannot be said that it runs.
    let there = row("session-account");
    assert!(there.state == State::Reduced && there.saw.contains("CleanshiftService"), "{there:?}");
}

#[test]
fn what_could_not_be_looked_at_is_never_good() {
    let _launcher = Planted::set(&format!(r"{EMBEDDED}\Shell Launcher"), "Example", "REG_SZ", "x");
    let shell = row("shell");
    assert_eq!((shell.state, shell.looked), (State::Reduced, false), "{shell:?}");
    for one in report().requirements {
        assert!(one.looked || one.state != State::Good, "{one:?}");
        assert!(one.state == State::Good || !one.mend.is_empty(), "nothing mends {one:?}");
    }
}

#[test]
fn a_job_object_and_a_desktop_are_tried() {
    let (job, desktops) = (row("job-object"), row("desktops"));
    assert_eq!((job.state, job.looked), (State::Good, true), "{job:?}");
    // Wine makes them, and shows all on one screen.
    assert_eq!(desktops.state, State::Reduced, "{desktops:?}");
}

#[test]
fn what_is_reduced_alone_opens_the_station() {
    let left: Vec<_> = report().requirements.into_iter().filter(|one| one.state != State::Bad).collect();
    let report = Report::of("station".to_owned(), left);
    assert_eq!((report.verdict, code(&report)), (State::Reduced, 0));
}

#[test]
fn a_station_without_policy_is_bad_and_an_image_is_no_windows() {
    assert_eq!(row("policy").state, State::Bad);
    assert_eq!(row("state").state, State::Reduced);
    assert!(look(Path::new(r"C:\image"), None, None).is_err());
}
