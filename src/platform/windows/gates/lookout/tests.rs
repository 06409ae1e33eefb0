//! Every class that can be shown: planted as an app would leave it, seen, cleared, and seen to be gone.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::time::SystemTime;

use super::*;

mod planted;

const SOUND: Gate = Gate {
    class: 1,
    name: "sound",
    what: "things",
    method: "a look",
    inside: false,
    partial: None,
    look: |_| Look::These(vec![Trace::of("a")]),
    clear: None,
};
const BROKEN: Gate = Gate { name: "broken", look: |_| panic!("on purpose"), ..SOUND };
const HANGING: Gate = Gate {
    name: "hanging",
    look: |_| {
        std::thread::sleep(Duration::from_secs(3));
        Look::These(Vec::new())
    },
    ..SOUND
};

/// One sign-in has one clipboard and one registry: only one test may plant in them at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn blank() -> Lookout {
    Lookout {
        baseline: Arc::default(),
        require: Vec::new(),
        shared: Vec::new(),
        busy: Arc::default(),
        tainted: Arc::default(),
        place: None,
    }
}

/// As after a session whose job was seen empty.
fn after() -> Remains {
    Remains { capsule: true, proved: true, first_app: Some(SystemTime::now()), ..Remains::default() }
}

fn answer(answers: &[GateAnswer], gate: &str) -> GateAnswer {
    answers.iter().find(|answer| answer.gate == gate).unwrap().clone()
}

/// A gate on its own, as in a look.
fn ask(lookout: &Lookout, name: &str, remains: &Remains, clear: bool) -> GateAnswer {
    let gate = all().find(|gate| gate.name == name).unwrap();
    lookout.ask(&[gate], remains, clear, PATIENCE).remove(0)
}

/// A look at the host as it is now by these gates alone.
fn stands(gates: &[&str]) -> Lookout {
    let gates: Vec<_> = all().filter(|gate| gates.contains(&gate.name)).collect();
    Lookout::now(&gates, &[], &[]).unwrap()
}

/// Plants something, which the gate must see, clear, and see gone.
fn planted_and_cleared(name: &str, plant: impl FnOnce()) -> GateAnswer {
    let lookout = stands(&[name]);
    let remains = after();
    let before = ask(&lookout, name, &remains, false);
    assert_eq!(before.answer, Answer::Absent, "{name} before: {before:?}");
    plant();
    let seen = ask(&lookout, name, &remains, false);
    assert_eq!(seen.answer, Answer::Present, "{name} does not see what was planted: {seen:?}");
    let cleared = ask(&lookout, name, &remains, true);
    assert_eq!(cleared.answer, Answer::Absent, "{name} does not clear: {cleared:?}");
    assert!(cleared.saw.contains("cleared"), "{cleared:?}");
    let again = ask(&lookout, name, &remains, false);
    assert_eq!(again.answer, Answer::Absent, "{name} after: {again:?}");
    cleared
}

#[test]
fn a_gate_that_breaks_or_hangs_is_unknown_and_costs_no_other() {
    let lookout = blank();
    let ask =
        || lookout.ask(&[&SOUND, &BROKEN, &HANGING], &Remains::default(), true, Duration::from_millis(800));
    let said: Vec<_> = ask().into_iter().map(|answer| (answer.gate, answer.answer)).collect();
    let unknown = |name: &str| (name.to_owned(), Answer::Unknown);
    assert_eq!(said, [("sound".to_owned(), Answer::Present), unknown("broken"), unknown("hanging")]);
    // The one that still hangs gets no second thread.
    let again = ask();
    assert!(again[2].saw.contains("has not ended") && again[2].answer == Answer::Unknown);
    assert_eq!(again[0].answer, Answer::Present);
}

#[test]
fn every_class_is_answered_in_every_look() {
    let classes: BTreeSet<u8> = all().map(|gate| gate.class).collect();
    assert_eq!(classes, (1..=CLASSES).collect());
    let mut names = Lookout::gates();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two gates of one name would share a baseline");
}

#[test]
fn what_can_be_cleared_in_part_alone_is_never_absent_again() {
    static THERE: Mutex<bool> = Mutex::new(false);
    const PARTLY: Gate = Gate {
        name: "partly",
        partial: Some("only in part"),
        look: |_| Look::These(if *lock(&THERE) { vec![Trace::of("a")] } else { Vec::new() }),
        clear: Some(|_, _| *lock(&THERE) = false),
        ..SOUND
    };
    let lookout = blank();
    let ask = || lookout.ask(&[&PARTLY], &Remains::default(), true, PATIENCE).remove(0);
    assert_eq!(ask().answer, Answer::Absent);
    *lock(&THERE) = true;
    let first = ask();
    assert_eq!(
        (first.answer, first.saw.contains("partial: 1 deleted")),
        (Answer::Unknown, true),
        "{first:?}"
    );
    let second = ask();
    assert_eq!(second.answer, Answer::Unknown, "a second look forgot: {second:?}");
}

#[test]
fn a_session_that_left_nothing_bars_nothing() {
    let _alone = lock(&ALONE);
    let lookout = Lookout::now(&all().collect::<Vec<_>>(), &[], &[]).unwrap();
    let answers = lookout.look(&after());
    for answer in &answers {
        println!(
            "{:>2} {:<36} {:?}: {} ({}) {:?}",
            answer.class, answer.gate, answer.answer, answer.saw, answer.method, answer.took
        );
    }
    let bars = |answer: &&GateAnswer| matches!(answer.answer, Answer::Present | Answer::Unknown);
    assert_eq!(answers.iter().find(bars), None);
}

#[test]
fn a_job_that_was_not_seen_empty_is_unknown() {
    let _alone = lock(&ALONE);
    let lookout = stands(&["processes"]);
    let remains = Remains { proved: false, ..after() };
    assert_eq!(ask(&lookout, "processes", &remains, false).answer, Answer::Unknown);
    assert_eq!(ask(&lookout, "processes", &after(), false).answer, Answer::Absent);
}

#[test]
fn a_setting_is_never_absent_and_bars_where_it_is_required() {
    let names = ["session-account", "init-on-free"].map(str::to_owned);
    let free = Lookout { require: Vec::new(), ..blank() };
    let bound = Lookout { require: names.to_vec(), ..blank() };
    for gate in ["session account", "freed memory"] {
        assert_eq!(ask(&free, gate, &after(), false).answer, Answer::Setting);
        let barred = ask(&bound, gate, &after(), false);
        assert_eq!(barred.answer, Answer::Present, "{barred:?}");
        assert!(barred.saw.contains("the policy requires otherwise"));
    }
}

#[test]
fn a_process_that_was_left_is_found_and_ended() {
    let _alone = lock(&ALONE);
    let lookout = stands(&["processes"]);
    let remains = after();
    assert_eq!(ask(&lookout, "processes", &remains, false).answer, Answer::Absent);
    let mut left = std::process::Command::new("ping.exe").args(["-n", "60", "127.0.0.1"]).spawn().unwrap();
    let seen = ask(&lookout, "processes", &remains, false);
    assert!(seen.answer == Answer::Present && seen.saw.to_lowercase().contains("ping"), "{seen:?}");
    let cleared = ask(&lookout, "processes", &remains, true);
    assert_eq!(cleared.answer, Answer::Absent, "{cleared:?}");
    assert!(left.try_wait().unwrap().is_some(), "it still runs");
}

#[test]
fn a_process_of_the_shells_own_is_no_trace() {
    let _alone = lock(&ALONE);
    let lookout = stands(&["processes"]);
    let remains = after();
    let mut own = std::process::Command::new("ping.exe").args(["-n", "60", "127.0.0.1"]).spawn().unwrap();
    let ours = crate::platform::windows::gates::Ours::is(own.id());
    assert_eq!(ask(&lookout, "processes", &remains, true).answer, Answer::Absent);
    drop(ours);
    assert_eq!(ask(&lookout, "processes", &remains, false).answer, Answer::Present);
    own.kill().unwrap();
    let _ = own.wait().unwrap();
}

#[test]
fn the_clipboard_is_emptied() {
    let _alone = lock(&ALONE);
    crate::platform::windows::gates::clipboard::tests::copy("");
    let _ = ask(&blank(), "clipboard", &after(), true);
    let _ = planted_and_cleared("clipboard", || {
        crate::platform::windows::gates::clipboard::tests::copy("Mrs. Example, ward 4")
    });
}

#[test]
fn credentials_of_a_session_go_and_others_stay() {
    let _alone = lock(&ALONE);
    use crate::platform::windows::gates::credentials::tests::{forget, has, keep};
    keep("it's own proxy");
    keep("pepper-test.cleanshift");
    let _ = planted_and_cleared("credentials", || keep("a portal of the session"));
    assert!(has("it's own proxy") && has("pepper-test.cleanshift"));
    assert!(!has("a portal of the session"));
    // What is the station's by its name, and was written after an app began, is seen and left to people.
    let lookout = stands(&["credentials"]);
    let remains = after();
    std::thread::sleep(Duration::from_millis(1100));
    keep("pepper-test.cleanshift");
    let seen = ask(&lookout, "credentials", &remains, true);
    assert_eq!(seen.answer, Answer::Present, "{seen:?}");
    assert!(has("pepper-test.cleanshift"));
    forget("it's own proxy");
    forget("pepper-test.cleanshift");
}

#[test]
fn the_accounts_registry_is_put_back() {
    let _alone = lock(&ALONE);
    use crate::platform::windows::gates::hive::tests::{plant, planted, unplant};
    let run = r"Software\Microsoft\Windows\CurrentVersion\Run";
    plant(r"Software\Cleanshift test\kept", "colour", "blue");
    plant(r"Software\Cleanshift test\lost", "size", "large");
    let before = planted(r"Software\Cleanshift test\kept", "colour").unwrap();
    let _ = planted_and_cleared("the account's registry", || {
        plant(run, "updater", r"C:\evil.exe");
        plant(
            r"Software\Classes\CLSID\{00000000-0000-0000-0000-00000000c5c5}\InprocServer32",
            "",
            r"C:\evil.dll",
        );
        plant(r"Software\Cleanshift test\kept", "colour", "red");
        unplant(r"Software\Cleanshift test\lost");
    });
    assert_eq!(planted(run, "updater"), None);
    assert_eq!(
        planted(r"Software\Classes\CLSID\{00000000-0000-0000-0000-00000000c5c5}\InprocServer32", ""),
        None
    );
    assert_eq!(planted(r"Software\Cleanshift test\kept", "colour"), Some(before));
    assert!(planted(r"Software\Cleanshift test\lost", "size").is_some());
    unplant(r"Software\Cleanshift test");
}

/// Plants a file below one of the account's folders, and takes it through the gate.
fn file(gate: &str, folder: &windows_sys::core::GUID, below: &str) {
    let _alone = lock(&ALONE);
    let path = crate::platform::windows::gates::account::folder(folder).unwrap().join(below);
    let cleared = planted_and_cleared(gate, || {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "Mrs. Example, ward 4").unwrap();
    });
    assert!(!path.exists());
    let there = crate::platform::windows::gates::account::folder(folder);
    assert!(there.is_some_and(|there| there.is_dir()), "a folder of Windows' own went with it");
    assert!(!cleared.saw.contains("Example"), "a file's name left the station: {cleared:?}");
}

#[test]
fn files_of_each_kind_go() {
    use windows_sys::Win32::UI::Shell::{
        FOLDERID_Documents, FOLDERID_LocalAppData, FOLDERID_ProgramData, FOLDERID_Public,
        FOLDERID_RoamingAppData, FOLDERID_Startup,
    };
    let (local, roaming) = (&FOLDERID_LocalAppData, &FOLDERID_RoamingAppData);
    file("browser profiles", local, r"Microsoft\Edge\User Data\Default\Example History");
    file("browser profiles", local, r"Microsoft\Windows\WebCache\Example.dat");
    file("recent files and histories", roaming, r"Microsoft\Windows\Recent\Example.lnk");
    file("recent files and histories", roaming, r"Microsoft\Windows\Recent\AutomaticDestinations\Example.ms");
    file("recent files and histories", local, r"Microsoft\Office\16.0\OfficeFileCache\Example.FSD");
    file("thumbnails", local, r"Microsoft\Windows\Explorer\thumbcache_Example.db");
    file("temporary files", local, r"Temp\Example\deep\Example.tmp");
    file("saved files", &FOLDERID_Documents, "Example.txt");
    file("files for all accounts", &FOLDERID_ProgramData, r"Example dropping\Example.txt");
    file("files for all accounts", &FOLDERID_Public, "Example.txt");
    file("crash reports", local, r"CrashDumps\Example.dmp");
    file("Startup folders", &FOLDERID_Startup, "Example.lnk");
    file("web credentials", local, r"Microsoft\Vault\Example\Example.vcrd");
}

#[test]
fn a_web_account_that_was_deleted_is_told_as_partial() {
    let _alone = lock(&ALONE);
    let local = crate::platform::windows::gates::account::folder(
        &windows_sys::Win32::UI::Shell::FOLDERID_LocalAppData,
    )
    .unwrap();
    let place = local.join(r"Microsoft\IdentityCache\1");
    let lookout = stands(&["web accounts"]);
    assert_eq!(ask(&lookout, "web accounts", &after(), true).answer, Answer::Absent);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("account"), "token").unwrap();
    assert_eq!(ask(&lookout, "web accounts", &after(), false).answer, Answer::Present);
    for _ in 0..2 {
        let said = ask(&lookout, "web accounts", &after(), true);
        assert!(said.answer == Answer::Unknown && said.saw.starts_with("partial: 1 deleted"), "{said:?}");
    }
    assert!(!place.join("account").exists());
}

#[test]
fn a_file_that_stood_before_and_was_changed_is_for_people() {
    let _alone = lock(&ALONE);
    let documents =
        crate::platform::windows::gates::account::folder(&windows_sys::Win32::UI::Shell::FOLDERID_Documents)
            .unwrap();
    let path = documents.join("of the station.txt");
    fs::create_dir_all(&documents).unwrap();
    fs::write(&path, "before").unwrap();
    let lookout = stands(&["saved files"]);
    fs::write(&path, "changed by a session").unwrap();
    let seen = ask(&lookout, "saved files", &after(), true);
    assert_eq!(seen.answer, Answer::Present, "{seen:?}");
    assert!(path.exists());
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_pointer_that_was_turned_round_is_turned_back() {
    let _alone = lock(&ALONE);
    crate::platform::windows::gates::shell_state::tests::swap_buttons(false);
    let _ = planted_and_cleared("keyboard, pointer and accessibility", || {
        crate::platform::windows::gates::shell_state::tests::swap_buttons(true);
    });
}

#[test]
fn what_there_is_before_the_end_is_told_and_left() {
    let _alone = lock(&ALONE);
    let lookout = Lookout::now(&all().collect::<Vec<_>>(), &[], &[]).unwrap();
    let path = std::env::temp_dir().join("Example inside.tmp");
    fs::write(&path, "x").unwrap();
    let answers = lookout.inside(&after(), Some(3));
    assert_eq!(answer(&answers, "processes").saw, "3");
    assert_eq!(answer(&answers, "temporary files").answer, Answer::Present);
    assert!(path.exists(), "a look before the end cleared");
    fs::remove_file(&path).unwrap();
}

#[test]
fn what_a_killed_shell_left_is_found_by_the_next() {
    let _alone = lock(&ALONE);
    use crate::platform::windows::gates::hive::tests::{plant, planted};
    let run_dir = tempfile::tempdir_in(r"C:\").unwrap();
    let run = r"Software\Microsoft\Windows\CurrentVersion\Run";
    let first = Lookout::begin(&[], &[], run_dir.path()).unwrap();
    first.session_begins().unwrap();
    plant(run, "left", r"C:\evil.exe");
    drop(first);
    let remains = Remains { run_dir: run_dir.path().to_owned(), ..Remains::default() };
    let second = Lookout::begin(&[], &[], run_dir.path()).unwrap();
    assert_eq!(ask(&second, "the account's registry", &remains, false).answer, Answer::Present);
    let answers = second.look(&remains);
    assert_eq!(answer(&answers, "the account's registry").answer, Answer::Absent);
    assert_eq!(planted(run, "left"), None);
    // Once all is clean, what stands then is what the next shell begins with.
    assert!(!run_dir.path().join("session-open").exists(), "{answers:#?}");
    plant(run, "of IT", r"C:\good.exe");
    let third = Lookout::begin(&[], &[], run_dir.path()).unwrap();
    assert_eq!(ask(&third, "the account's registry", &remains, true).answer, Answer::Absent);
    assert!(planted(run, "of IT").is_some());
    crate::platform::windows::gates::hive::tests::unplant_value(run, "of IT");
    // A baseline that cannot be read is none.
    third.session_begins().unwrap();
    fs::write(run_dir.path().join("baseline.json"), "{").unwrap();
    assert!(Lookout::begin(&[], &[], run_dir.path()).is_err());
}

#[test]
fn a_profile_that_was_left_is_found() {
    let _alone = lock(&ALONE);
    let place = crate::platform::windows::gates::account::folder(
        &windows_sys::Win32::UI::Shell::FOLDERID_UserProfiles,
    )
    .unwrap();
    let lookout = stands(&["profiles"]);
    assert_eq!(ask(&lookout, "profiles", &after(), false).answer, Answer::Absent);
    fs::create_dir(place.join("Example")).unwrap();
    let seen = ask(&lookout, "profiles", &after(), true);
    fs::remove_dir(place.join("Example")).unwrap();
    assert!(seen.answer == Answer::Present && !seen.saw.contains("Example"), "{seen:?}");
}

#[test]
fn an_account_of_the_sessions_own_must_be_gone() {
    let remains = |sid: &str| Remains { account: Some(sid.to_owned()), ..after() };
    let mut profiles = crate::platform::windows::gates::account::own_sid().unwrap();
    // Wine lists the profile of this account, as Windows does.
    let own = ask(&blank(), "session account", &remains(&profiles), false);
    assert_eq!(own.answer, Answer::Present, "{own:?}");
    profiles.push_str("77");
    let gone = ask(&blank(), "session account", &remains(&profiles), false);
    assert_eq!(gone.answer, Answer::Absent, "{gone:?}");
}
