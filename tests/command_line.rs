//! The command line as IT meets it: wrong files get their line and remedy, nothing is lost or half
//! done, and the ledger says who was changed how.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "what fails in a test ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use cleanshift::handoff::OperatorId;
use cleanshift::ports::{Intent, Ledger as _, Person, Stamp};
use cleanshift::store::Store;

const HEAD: &str = "key,name,roles,badges,valid_from,valid_until\n";

struct Station(tempfile::TempDir);

impl Station {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn ctl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"));
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/demo.toml");
        let _ = command.arg("--policy").arg(policy).arg("--state").arg(self.0.path().join("state"));
        // The keyring of whoever runs the tests is not the station's.
        let _ = command.args(arguments).env_remove("DBUS_SESSION_BUS_ADDRESS").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.ctl(arguments).output().unwrap()
    }

    fn import(&self, csv: &[u8]) -> Output {
        let file = self.0.path().join("roster.csv");
        fs::write(&file, csv).unwrap();
        self.run(&["roster", "import", &file.display().to_string()])
    }

    /// The deeds in the ledger.
    fn deeds(&self) -> Vec<String> {
        let listed = self.run(&["log", "list", "--json", "--all"]);
        let text = String::from_utf8(listed.stdout).unwrap();
        let entries = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let deeds = entries.filter_map(|entry| Some(entry["receipt"]["change"]["deed"].as_str()?.to_owned()));
        deeds.filter(|deed| !deed.contains("key")).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_wrong_roster_is_told_its_line_and_changes_nothing() {
    let station = Station::new();
    let good = "ana,Ana Ruiz,nurse,04AABBCC,,\n";
    let wrong: [(&[u8], &str); 9] = [
        (b"", "roster.csv:1: the first line must be: key,name"),
        (HEAD.as_bytes(), "roster.csv:1: there is no operator in this file"),
        (
            b"key;name;roles;badges;valid_from;valid_until\n",
            "roster.csv:1: the columns are separated by semicolons",
        ),
        (b"\xff\xfek\0e\0y\0", "roster.csv:1: this file is UTF-16"),
        (b"PK\x03\x04\n\0\0", "roster.csv:2: this is no CSV file"),
        (
            &[HEAD.as_bytes(), b"zoe,Zo\xeb,nurse,04AABBCC,,\n"].concat(),
            "roster.csv:2: a letter here is not UTF-8",
        ),
        // Blank lines count, as they do where somebody looks for the line.
        (
            &[HEAD.as_bytes(), b"\n\r\n", good.as_bytes(), b"\nben,Ben\n"].concat(),
            "roster.csv:6: this line does not",
        ),
        (
            &[HEAD.as_bytes(), b"\n\n", b"ana,Ana,nurze,04AABBCC,,\n"].concat(),
            "roster.csv:4: unknown role `nurze`",
        ),
        (&[HEAD.as_bytes(), b"ana,Ana,nurse;nurse,04AABBCC,,\n"].concat(), "role `nurse` is there twice"),
    ];
    for (csv, expected) in wrong {
        let output = station.import(csv);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(expected) && said(&output).contains("help: "), "{}", said(&output));
    }
    assert!(station.deeds().is_empty(), "{:?}", station.deeds());
    assert_eq!(station.import(&[HEAD.as_bytes(), good.as_bytes()].concat()).status.code(), Some(0));
}

#[test]
fn the_ledger_says_who_was_changed_how() {
    let station = Station::new();
    let two = format!("{HEAD}ana,Ana Ruiz,nurse,04AABBCC,,\nben,Ben Osei,nurse,04AABBCD,,\n");
    assert!(station.import(two.as_bytes()).status.success());
    // The same once more is no change, and no entry.
    let again = station.import(two.as_bytes());
    assert!(again.status.success() && said(&again).contains("unchanged: ana, ben"), "{}", said(&again));
    let other = two.replace("Ben Osei,nurse", "Ben Osei,physician").replace("04AABBCD", "04AABBCE");
    assert!(station.import(other.as_bytes()).status.success());
    assert!(station.run(&["roster", "reset-pin", "ben"]).status.success());
    assert_eq!(
        station.deeds(),
        ["import: add ana; add ben", "import: change roles, badges of ben", "reset PIN of ben"]
    );
    let verified = station.run(&["log", "verify"]);
    assert!(verified.status.success(), "{}", said(&verified));
}

#[test]
fn a_pin_that_could_not_be_shown_is_an_error_with_a_remedy() {
    let station = Station::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let add = ["roster", "add", "ana", "--name", "Ana Ruiz", "--role", "nurse", "--badge", "04AABBCC"];
    let output = station.ctl(&add).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("reset-pin"), "{}", said(&output));
    assert!(station.run(&["roster", "reset-pin", "ana"]).status.success());
}

#[test]
fn a_code_in_place_of_another_says_so() {
    let station = Station::new();
    let first = said(&station.run(&["break-glass", "issue", "Ward 4"]));
    assert!(!first.contains("opens nothing"), "{first}");
    let second = said(&station.run(&["break-glass", "issue", "Ward 4"]));
    assert!(second.contains("opens nothing any more"), "{second}");
}

#[test]
fn a_listing_makes_no_station_and_a_directory_of_others_is_left_alone() {
    let station = Station::new();
    for listing in [["roster", "list"], ["break-glass", "list"], ["roster", "export"]] {
        let output = station.run(&listing);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("there is none"), "{}", said(&output));
    }
    assert!(!station.0.path().join("state").exists());
    // What is somebody else's is neither closed to others nor written into.
    let theirs = station.0.path().join("state");
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(theirs.join("letter.txt"), "x").unwrap();
    let output =
        station.run(&["roster", "add", "ana", "--name", "Ana", "--role", "nurse", "--badge", "04AABBCC"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("other files"), "{}", said(&output));
    assert_eq!(fs::metadata(&theirs).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
}

#[test]
fn what_nobody_could_hear_or_read_is_an_error() {
    let station = Station::new();
    assert!(station.run(&["break-glass", "issue", "Ward 4"]).status.success());
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/ward.toml");
    for command in
        [&["log", "list"][..], &["log", "key"], &["policy", "check", policy], &["policy", "schema"]]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = station.ctl(command).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {}", said(&output));
        assert!(said(&output).contains("standard output"), "{command:?}: {}", said(&output));
    }
    // A file that never ends is no policy, and no ledger comes out of a pipe.
    let output = station.run(&["policy", "check", "/dev/zero"]);
    assert!(output.status.code() == Some(1) && said(&output).contains("1 MiB"), "{}", said(&output));
    // Nor can one be checked that is not there.
    let output = station.run(&["policy", "check", policy, "nowhere.toml"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("nowhere.toml"), "{}", said(&output));
    let output = station.run(&["log", "verify", "/dev/zero"]);
    assert!(
        output.status.code() == Some(2) && said(&output).contains("pipe or a device"),
        "{}",
        said(&output)
    );
}

#[test]
fn no_output_is_written_over_what_the_station_needs() {
    let station = Station::new();
    assert!(station.run(&["break-glass", "issue", "Ward 4"]).status.success());
    let key = station.0.path().join("state/station.key");
    let before = fs::read(&key).unwrap();
    let output = station.run(&["log", "checkpoint", "--out", key.to_str().unwrap()]);
    assert!(output.status.code() == Some(2) && said(&output).contains("something else"), "{}", said(&output));
    let output =
        station.run(&["log", "export", "--format", "csv", "--force", "--out", key.to_str().unwrap()]);
    assert!(
        output.status.code() == Some(2) && said(&output).contains("state directory"),
        "{}",
        said(&output)
    );
    assert_eq!(fs::read(&key).unwrap(), before);
    // A file of checkpoints takes another.
    let kept = station.0.path().join("kept.txt");
    for _ in 0..2 {
        assert!(station.run(&["log", "checkpoint", "--out", kept.to_str().unwrap()]).status.success());
    }
}

#[test]
fn whether_anybody_works_there_is_told_from_outside() {
    let station = Station::new();
    let state = station.0.path().join("state");
    let vacant = |wait: &str| station.run(&["vacant", "--wait", wait]);
    let nowhere = vacant("0");
    assert_eq!(nowhere.status.code(), Some(2), "a mistyped path passes for a station where nobody works");
    assert!(said(&nowhere).contains("there is no station in"), "{}", said(&nowhere));
    assert!(!state.exists(), "to look makes nothing");
    fs::create_dir(&state).unwrap();
    let free = vacant("0");
    assert_eq!(free.status.code(), Some(0), "{}", said(&free));

    let store = Store::open(&state, "Station 12").unwrap();
    assert_eq!(vacant("0").status.code(), Some(0), "a shell runs, and nobody works");
    let ana = Person {
        id: OperatorId(1),
        key: "ana.ruiz".to_owned(),
        name: "Ana Ruiz".to_owned(),
        role: "nurse".to_owned(),
    };
    let at = Stamp { utc_ms: 1_790_000_000_000, boot_ms: 1, boot_id: "0b1e".to_owned() };
    store.intend(Intent::Open(ana, at)).unwrap();
    let held = vacant("0");
    assert_eq!(held.status.code(), Some(1), "{}", said(&held));
    assert!(said(&held).contains("not vacant: a session was about to open"), "{}", said(&held));

    // A shell that was killed is cleaned up after when it starts: nothing is waited for.
    drop(store);
    assert_eq!(vacant("0").status.code(), Some(0));
}

/// Runs these lines of a shell with a session bus and an empty keyring of their own, as a station that has one. The
/// keyring answers before they begin.
fn with_keyring(station: &Station, lines: &str) -> Output {
    let home = station.0.path();
    let script = format!(
        "printf x | gnome-keyring-daemon --unlock --components=secrets >/dev/null || exit 9\n\
         tried() {{ printf y | secret-tool store --label=try try it && [ \"$(secret-tool lookup try it)\" = y ]; }}\n\
         for try in {{1..300}}; do tried 2>/dev/null && break; sleep 0.1; done\n\
         ctl() {{ '{}' --policy '{}' --state '{}' \"$@\"; }}\n{lines}",
        env!("CARGO_BIN_EXE_cleanshiftctl"),
        home.join("policy.toml").display(),
        home.join("state").display()
    );
    let mut command = Command::new("dbus-run-session");
    let _ = command.args(["--", "bash", "-c", &script]).env("XDG_RUNTIME_DIR", home).env("HOME", home);
    command.env_remove("XDG_DATA_HOME").stdin(Stdio::null()).output().unwrap()
}

/// A policy, and the same in which the station has another name.
fn name_twice(home: &Path) {
    let policy = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/demo.toml")).unwrap();
    let first = policy.lines().find(|line| line.starts_with("name = ")).unwrap();
    for (file, name) in [("policy.toml", "Ward 4"), ("renamed.toml", "Ward 5")] {
        fs::write(home.join(file), policy.replacen(first, &format!("name = {name:?}"), 1)).unwrap();
    }
}

#[test]
fn a_station_that_is_renamed_finds_in_the_keyring_what_it_had_put_there() {
    let station = Station::new();
    let home = station.0.path();
    name_twice(home);
    fs::write(home.join("roster.csv"), format!("{HEAD}ana,Ana Ruiz,nurse,04AABBCC,,\n")).unwrap();
    let output = with_keyring(
        &station,
        "set -e; cd \"$HOME\"; ctl roster import roster.csv; ctl sign-in key --json >before; \
         mv renamed.toml policy.toml; ctl roster reset-pin ana; ctl sign-in key --json >after; cmp before after",
    );
    assert!(output.status.success(), "{}", said(&output));
    // Both came from the keyring: there is a file of neither.
    let files = |place: &str| -> Vec<String> {
        let files = fs::read_dir(home.join(place)).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert!(!files("state").contains(&"pepper".to_owned()), "{:?}", files("state"));
    assert_eq!(files("state/secrets"), ["keyring-sign-in+key"]);
}

#[test]
fn a_key_that_was_made_before_the_roster_is_found_under_another_name_and_never_made_twice() {
    let station = Station::new();
    name_twice(station.0.path());
    let output = with_keyring(
        &station,
        "set -e; cd \"$HOME\"; ctl sign-in key --json >before; mv renamed.toml policy.toml; \
         ctl sign-in key --json >after; cmp before after; echo found again; \
         secret-tool clear service cleanshift; ctl sign-in key --json",
    );
    assert!(said(&output).contains("found again"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("where it was put: it was removed there"), "{}", said(&output));
    let made = said(&output).matches("A new key was made: the host's keyring.").count();
    assert_eq!(made, 1, "{}", said(&output));
}
