//! Classes that need more to plant than a file: tasks, services, certificates, tickets, drives, printers, settings. Each
//! look sees what was planted before its "absent" counts; what Wine cannot plant is in `manual::windows`, by its name.

use std::process::Command;

use super::*;

/// The gates that a test of this program plants something for, and sees it there.
const PLANTED: [&str; 36] = [
    "Kerberos tickets",
    "Startup folders",
    "Windows Hello",
    "browser profiles",
    "card certificates",
    "certificate propagation",
    "clipboard",
    "clipboard history",
    "cloud clipboard",
    "crash dumps",
    "crash reports",
    "credentials",
    "data protection keys",
    "event logs",
    "fast startup",
    "files for all accounts",
    "freed memory",
    "hibernation",
    "keyboard, pointer and accessibility",
    "mapped drives and shares",
    "notifications",
    "printed documents",
    "processes",
    "profiles",
    "recent files and histories",
    "saved files",
    "scheduled tasks",
    "search index",
    "services",
    "session account",
    "spool folder",
    "swap",
    "temporary files",
    "the account's registry",
    "the machine's start list",
    "thumbnails",
];
/// Those that stand in a list of their own in the tests of this module's parent.
const FILES: [&str; 2] = ["web accounts", "web credentials"];

const BARRED: Answer = Answer::Present;

/// A program of Windows' own, which must do what it is told.
fn told(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{program} {words:?}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A number or a text of the registry, as somebody else writes it.
fn set(key: &str, name: &str, kind: &str, value: &str) {
    told("reg.exe", &["add", key, "/v", name, "/t", kind, "/d", value, "/f"]);
}

fn unset(key: &str, name: &str) {
    told("reg.exe", &["delete", key, "/v", name, "/f"]);
}

/// Plants something that the gate must see and leaves to people, and takes it away again.
fn planted_and_left(name: &str, plant: impl FnOnce(), away: impl FnOnce()) {
    let lookout = stands(&[name]);
    let look = || ask(&lookout, name, &after(), true);
    let before = look();
    assert_eq!(before.answer, Answer::Absent, "{name} before: {before:?}");
    plant();
    let seen = look();
    away();
    assert_eq!(seen.answer, Answer::Present, "{name} does not see what was planted: {seen:?}");
    let gone = look();
    assert_eq!(gone.answer, Answer::Absent, "{name} after: {gone:?}");
}

#[test]
fn every_gate_has_seen_something_or_is_in_the_script_that_is_done_by_hand() {
    let script = include_str!("../../../../../manual/windows.rs");
    for gate in all() {
        let by_hand = script.contains(&format!("| {} |", gate.name));
        let here = PLANTED.contains(&gate.name) || FILES.contains(&gate.name);
        assert!(here || by_hand, "nobody has seen the gate `{}` see anything", gate.name);
    }
    for name in PLANTED.iter().chain(&FILES) {
        assert!(all().any(|gate| gate.name == *name), "there is no gate `{name}`");
    }
}

#[test]
fn a_scheduled_task_goes() {
    let _alone = lock(&ALONE);
    let place = tempfile::tempdir().unwrap();
    let plan = place.path().join("task.xml");
    let text = "<?xml version=\"1.0\"?>\r\n<Task version=\"1.2\" \
                xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\"><Actions><Exec>\
                <Command>cmd.exe</Command></Exec></Actions></Task>\r\n";
    fs::write(&plan, text).unwrap();
    let cleared = planted_and_cleared("scheduled tasks", || {
        told("schtasks.exe", &["/create", "/tn", r"\Example", "/xml", plan.to_str().unwrap()]);
    });
    assert!(!cleared.saw.contains("Example"), "a task's name left the station: {cleared:?}");
}

#[test]
fn a_service_is_for_people() {
    let _alone = lock(&ALONE);
    planted_and_left(
        "services",
        || told("sc.exe", &["create", "Example", "binPath=", r"C:\evil.exe"]),
        || told("sc.exe", &["delete", "Example"]),
    );
}

#[test]
fn what_the_machine_starts_is_for_people() {
    let _alone = lock(&ALONE);
    for key in [
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce",
    ] {
        planted_and_left(
            "the machine's start list",
            || set(key, "Example", "REG_SZ", r"C:\evil.exe"),
            || unset(key, "Example"),
        );
    }
}

#[test]
fn a_pin_of_windows_hello_is_for_people() {
    let _alone = lock(&ALONE);
    let sid = crate::platform::windows::gates::account::own_sid().unwrap();
    let key = format!(
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers\{{D6886603-9D2F-4EB2-B667-1971041FA96B}}\{sid}"
    );
    planted_and_left(
        "Windows Hello",
        || told("reg.exe", &["add", &key, "/f"]),
        || told("reg.exe", &["delete", &key, "/f"]),
    );
}

#[test]
fn a_document_in_the_spool_folder_is_for_people() {
    let _alone = lock(&ALONE);
    let place = crate::platform::windows::gates::windows_dir().join(r"System32\spool\PRINTERS");
    fs::create_dir_all(&place).unwrap();
    let path = place.join("Example.SPL");
    planted_and_left(
        "spool folder",
        || fs::write(&path, "Mrs. Example, ward 4").unwrap(),
        || fs::remove_file(&path).unwrap(),
    );
}

#[test]
fn a_certificate_of_a_card_goes() {
    let _alone = lock(&ALONE);
    let made = rcgen::generate_simple_self_signed(vec!["card.example".to_owned()]).unwrap();
    let _ = planted_and_cleared("card certificates", || {
        crate::platform::windows::gates::cards::tests::keep(made.cert.der());
    });
}

/// By the network that the tests' prefix has, which reaches no machine.
#[test]
fn a_mapped_drive_goes() {
    let _alone = lock(&ALONE);
    let key = r"HKCU\Network\Q";
    let cleared = planted_and_cleared("mapped drives and shares", || {
        set(key, "RemotePath", "REG_SZ", r"\\ward\Example");
        set(key, "ProviderName", "REG_SZ", "Cleanshift network");
        set(key, "ConnectionType", "REG_DWORD", "1");
        set(key, "ProviderType", "REG_DWORD", "0x00ff0000");
    });
    assert!(!cleared.saw.contains("Example"), "a share's name left the station: {cleared:?}");
}

/// One ticket, as a file of libkrb5's has it, from which Wine reads them. Wine counts tickets and does not purge them:
/// that they go is seen by hand.
#[test]
fn a_kerberos_ticket_is_counted() {
    let _alone = lock(&ALONE);
    #[expect(
        clippy::disallowed_methods,
        reason = "where this Windows has its tickets is told by the environment"
    )]
    let place = std::env::var("KRB5CCNAME").expect("tests/wine/run.sh says where the tickets are");
    let place = format!("Z:{}", place.trim_start_matches("FILE:"));
    let counted = || without_baseline("Kerberos tickets");
    let _ = fs::remove_file(&place);
    assert_eq!(counted().answer, Answer::Absent);
    fs::write(&place, tickets()).unwrap();
    let seen = counted();
    fs::remove_file(&place).unwrap();
    assert_eq!((seen.answer, seen.saw.contains('1')), (Answer::Present, true), "{seen:?}");
    assert_eq!(counted().answer, Answer::Absent);
}

/// A gate's answer without a baseline.
fn without_baseline(name: &str) -> GateAnswer {
    ask(&blank(), name, &after(), true)
}

/// A file of tickets with one of `nurse@WARD.EXAMPLE`.
fn tickets() -> Vec<u8> {
    const REALM: &[u8] = b"WARD.EXAMPLE";
    let counted = |bytes: &[u8]| {
        let mut text = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        text.extend(bytes);
        text
    };
    let name = |parts: &[&[u8]]| {
        let mut text = 1_u32.to_be_bytes().to_vec();
        text.extend(u32::try_from(parts.len()).unwrap().to_be_bytes());
        text.extend(counted(REALM));
        parts.iter().for_each(|part| text.extend(counted(part)));
        text
    };
    // ASN.1, all of it shorter than 128 bytes.
    let tag = |tag: u8, inner: &[&[u8]]| {
        let inner = inner.concat();
        [&[tag, u8::try_from(inner.len()).unwrap()], inner.as_slice()].concat()
    };
    let number = |number: u8| tag(0x02, &[&[number]]);
    let text = |bytes: &[u8]| tag(0x1b, &[bytes]);
    let service = tag(0x30, &[&text(b"krbtgt"), &text(REALM)]);
    let ticket = tag(
        0x61,
        &[&tag(
            0x30,
            &[
                &tag(0xa0, &[&number(5)]),
                &tag(0xa1, &[&text(REALM)]),
                &tag(0xa2, &[&tag(0x30, &[&tag(0xa0, &[&number(2)]), &tag(0xa1, &[&service])])]),
                &tag(0xa3, &[&tag(0x30, &[&tag(0xa0, &[&number(18)]), &tag(0xa2, &[&tag(0x04, &[b"x"])])])]),
            ],
        )],
    );
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let times = [now, now, now + 36_000, now + 36_000].map(|time| u32::try_from(time).unwrap().to_be_bytes());
    [
        // The version, and a header that says nothing of the clock.
        &[5, 4, 0, 12, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
        name(&[b"nurse"]).as_slice(),
        &name(&[b"nurse"]),
        &name(&[b"krbtgt", REALM]),
        &[0, 18],
        &counted(&[0; 32]),
        &times.concat(),
        &[0],
        &0x40e1_0000_u32.to_be_bytes(),
        // Neither addresses nor more about whom it authorises.
        &[0; 8],
        &counted(&ticket),
        &[0; 4],
    ]
    .concat()
}

/// Wine has printers and keeps no list of their jobs (`EnumJobs` does nothing): such a spooler is unknown, never absent.
#[test]
fn a_printer_that_keeps_what_it_prints_is_told_and_a_spooler_that_lists_no_jobs_is_unknown() {
    let _alone = lock(&ALONE);
    let driver = r"HKLM\System\CurrentControlSet\Control\Print\Environments\Windows x64\Drivers\Version-3\Example driver";
    for name in ["Driver", "Data File", "Configuration File"] {
        set(driver, name, "REG_SZ", "wineps.drv");
    }
    set(driver, "Version", "REG_DWORD", "3");
    let bound = Lookout { require: vec!["printed-documents".to_owned()], ..blank() };
    let kept = || ask(&bound, "printed documents", &after(), false);
    let jobs = || ask(&blank(), "print jobs", &after(), false);
    assert_eq!(kept().answer, Answer::Setting, "{:?}", kept());
    assert_eq!(jobs().answer, Answer::Absent, "{:?}", jobs());
    let printer =
        crate::platform::windows::gates::printing::tests::Printer::add("Ward printer", "Example driver");
    let (seen, listed) = (kept(), jobs());
    drop(printer);
    told("reg.exe", &["delete", driver, "/f"]);
    assert!(seen.answer == BARRED && seen.saw.contains("Ward printer"), "{seen:?}");
    assert_eq!(listed.answer, Answer::Unknown, "{listed:?}");
    assert_eq!(kept().answer, Answer::Setting, "{:?}", kept());
}

#[test]
fn a_key_of_data_protection_is_counted() {
    let _alone = lock(&ALONE);
    let sid = crate::platform::windows::gates::account::own_sid().unwrap();
    let roaming = crate::platform::windows::gates::account::folder(
        &windows_sys::Win32::UI::Shell::FOLDERID_RoamingAppData,
    );
    let place = roaming.unwrap().join(r"Microsoft\Protect").join(sid);
    fs::create_dir_all(&place).unwrap();
    let told = || without_baseline("data protection keys").saw;
    let before = told();
    fs::write(place.join("Example"), "key").unwrap();
    let seen = told();
    fs::remove_file(place.join("Example")).unwrap();
    assert_ne!(before, seen);
    assert_eq!(told(), before);
}

/// Windows' choice of the account; Wine has neither history, so that one that is on is never told as empty there.
#[test]
fn a_clipboard_that_is_kept_or_sent_is_never_absent() {
    let _alone = lock(&ALONE);
    let key = r"HKCU\Software\Microsoft\Clipboard";
    for (gate, name, seen) in [
        ("clipboard history", "EnableClipboardHistory", Answer::Unknown),
        ("cloud clipboard", "EnableCloudClipboard", Answer::Present),
    ] {
        assert_eq!(without_baseline(gate).answer, Answer::Setting, "{gate} before");
        set(key, name, "REG_DWORD", "1");
        let on = without_baseline(gate);
        told("reg.exe", &["delete", key, "/f"]);
        assert_eq!(on.answer, seen, "{on:?}");
        assert_eq!(without_baseline(gate).answer, Answer::Setting, "{gate} after");
    }
}

/// Settings, each as it should be and as it should not: what the policy requires otherwise bars.
#[test]
fn a_setting_is_told_as_it_is_found() {
    let _alone = lock(&ALONE);
    const CONTROL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control";
    const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
    const POLICIES: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows";
    let manager = format!(r"{CONTROL}\Session Manager");
    let cases: [(&str, &str, String, &str, &str, &str); 8] = [
        ("search index", "search-index", format!(r"{SERVICES}\WSearch"), "Start", "4", "2"),
        (
            "certificate propagation",
            "card-certificates",
            format!(r"{SERVICES}\CertPropSvc"),
            "Start",
            "4",
            "2",
        ),
        ("crash dumps", "core-pattern", format!(r"{POLICIES}\Windows Error Reporting"), "Disabled", "1", "0"),
        (
            "event logs",
            "event-logs",
            format!(r"{POLICIES}\PowerShell\Transcription"),
            "EnableTranscripting",
            "0",
            "1",
        ),
        ("swap", "swap", format!(r"{manager}\Memory Management"), "ClearPageFileAtShutdown", "1", "0"),
        ("hibernation", "hibernation", format!(r"{CONTROL}\Power"), "HibernateEnabled", "0", "1"),
        ("fast startup", "fast-startup", format!(r"{manager}\Power"), "HiberbootEnabled", "0", "1"),
        (
            "notifications",
            "notifications",
            format!(r"{POLICIES}\Explorer"),
            "DisableNotificationCenter",
            "1",
            "0",
        ),
    ];
    let paging = format!(r"{manager}\Memory Management");
    set(&paging, "PagingFiles", "REG_MULTI_SZ", r"C:\pagefile.sys 0 0");
    // Fast startup is a hibernation in part: it is told where there is one.
    let hibernates = format!(r"{CONTROL}\Power");
    for (gate, name, key, value, good, bad) in cases {
        let bound = Lookout { require: vec![name.to_owned()], ..blank() };
        let told = || ask(&bound, gate, &after(), false);
        if gate == "fast startup" {
            set(&hibernates, "HibernateEnabled", "REG_DWORD", "1");
        }
        set(&key, value, "REG_DWORD", good);
        let kept = told();
        set(&key, value, "REG_DWORD", bad);
        let barred = told();
        unset(&key, value);
        assert_eq!((kept.answer, barred.answer), (Answer::Setting, BARRED), "{kept:?} {barred:?}");
        assert_ne!(kept.saw, barred.saw);
    }
    unset(&hibernates, "HibernateEnabled");
    unset(&paging, "PagingFiles");
}
