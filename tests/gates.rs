//! Each gate sees what it is for: objects of every class that exists here are really planted on the
//! host under the station's account, the gates must find them, and find nothing when they are gone.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unused_results,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use cleanshift::ctl::drill::judge::{Judge, Said};
use cleanshift::ctl::drill::planted;
use cleanshift::platform::linux::looker;

/// What no gate can answer by looking, whatever is planted: settings, and what does not exist here.
const BY_KIND: [&str; 3] = ["setting", "not-applicable", "absent"];

fn judge(stage: &Stage) -> Judge {
    let mut command = stage.command(stage.dir.join("bin/cleanshiftctl"));
    command.args(["drill", "judge"]);
    Judge::start(command).unwrap()
}

fn present(said: &[Said]) -> BTreeSet<u8> {
    said.iter().filter(|said| said.answer == "present").map(|said| said.class).collect()
}

fn all_answered(said: &[Said]) {
    let classes: BTreeSet<u8> = said.iter().map(|said| said.class).collect();
    assert_eq!(classes, (1..=28).collect(), "not every class is answered");
}

struct Back<'a>(&'a Stage, &'a str, &'a [planted::Planted]);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        planted::take_back(self.0, self.1, self.2);
    }
}

#[test]
fn gates_see_what_was_planted_and_nothing_when_it_is_gone() {
    let stage = Stage::set((640, 480)).unwrap();
    let mut judge = judge(&stage);
    let before = judge.find().unwrap();
    all_answered(&before);
    assert_eq!(present(&before), BTreeSet::new(), "{before:#?}");
    assert!(before.iter().all(|said| BY_KIND.contains(&said.answer.as_str())), "{before:#?}");

    let seed = &cleanshift::platform::linux::capsule::random_hex(16).unwrap();
    let planted = planted::escape(&stage, seed).unwrap();
    // Nothing stays on this machine when the test fails.
    let back = Back(&stage, seed, &planted);
    let done: BTreeSet<u8> =
        planted.iter().filter(|planted| planted.done).map(|planted| planted.class).collect();
    // What needs nothing but Linux was planted here, whatever else is installed.
    for class in [1, 5, 7, 9, 11, 12, 13, 14, 15, 16, 19, 26, 27] {
        assert!(done.contains(&class), "{class} was not planted: {planted:#?}");
    }
    let seen = judge.find().unwrap();
    all_answered(&seen);
    // Where the looker is not installed, what only root may see is proved by reach, of capsules alone.
    let by_reach: BTreeSet<u8> = seen
        .iter()
        .filter(|said| said.method == "by construction" && [4, 17, 21].contains(&said.class))
        .map(|said| said.class)
        .collect();
    let to_be_seen: BTreeSet<u8> = done.difference(&by_reach).copied().collect();
    assert!(present(&seen).is_superset(&to_be_seen), "planted {done:?}: {seen:#?}");

    // Some gates clear: what they cleared is absent afterwards, and says so.
    let cleared = judge.look().unwrap();
    for gate in ["kernel keys", "System V IPC", "Kerberos tickets", "clipboard of the station's display"] {
        let said = cleared.iter().find(|said| said.gate == gate).unwrap();
        assert!(said.answer == "absent" && said.saw.contains("cleared"), "{said:?}");
    }
    drop(back);
    let after = judge.find().unwrap();
    all_answered(&after);
    assert_eq!(present(&after), BTreeSet::new(), "{after:#?}");
}

#[test]
fn a_program_that_was_just_ending_is_no_trace() {
    let stage = Stage::set((640, 480)).unwrap();
    let mut judge = judge(&stage);
    let mut brief = stage.command("sleep").arg("0.1").spawn().unwrap();
    let reaped = std::thread::spawn(move || brief.wait());
    assert_eq!(present(&judge.find().unwrap()), BTreeSet::new());
    reaped.join().unwrap().unwrap();
    let mut stays = stage.command("sleep").arg("60").spawn().unwrap();
    assert!(present(&judge.find().unwrap()).contains(&1));
    stays.kill().unwrap();
    stays.wait().unwrap();
    assert_eq!(present(&judge.find().unwrap()), BTreeSet::new());
}

#[test]
fn the_looker_counts_for_one_account_alone() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &[u8], uid: u32| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(path, Some(uid), None).unwrap();
        }
    };
    write("etc/passwd", b"root:x:0:0::/root:/bin/sh\nward:x:4242:4242::/nonexistent:/usr/sbin/nologin\n", 0);
    let none = looker::count(root.path(), 4242);
    assert_eq!(none, looker::Counts::default(), "what is not there is not counted as nothing");
    write("var/spool/cups/c00001", b"\x01job-originating-user-name\0\x04ward", 0);
    write("var/spool/cups/d00001-001", b"the document", 0);
    // Whose document this is, nobody knows until its control file is written.
    write("var/spool/cups/d00003-001", b"another document", 0);
    write("var/spool/cups/c00002", b"\x01job-originating-user-name\0\x05other", 0);
    write("var/lib/systemd/coredump/core.viewer.4242.aa.7.1.zst", b"x", 0);
    write("var/lib/systemd/coredump/core.viewer.1000.aa.7.1.zst", b"x", 0);
    write("var/spool/cups/d00002-001", b"the other's document", 0);
    let counts = looker::count(root.path(), 4242);
    assert_eq!((counts.print, counts.cores, counts.at), (Some(3), Some(1), None));
    if rustix::process::geteuid().is_root() {
        write("var/spool/cron/crontabs/ward", b"* * * * * true", 4242);
        write("var/spool/cron/crontabs/other", b"* * * * * true", 1);
        assert_eq!(looker::count(root.path(), 4242).cron, Some(1));
    }
}

#[test]
fn a_looker_that_others_could_have_written_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Only root can make a program of root's.
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("cleanshift-looker");
    let built = Path::new(env!("CARGO_BIN_EXE_cleanshift-looker"));
    fs::copy(built, &place).unwrap();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(dir.path(), 0o755);
    mode(&place, 0o755);
    assert!(looker::trusted(&place).unwrap_err().contains("setuid"));
    mode(&place, 0o4755);
    assert_eq!(looker::trusted(&place), Ok(()));
    assert!(looker::ask(&place).is_some());
    mode(&place, 0o4775);
    assert!(looker::trusted(&place).unwrap_err().contains("others"));
    mode(&place, 0o4755);
    mode(dir.path(), 0o777);
    assert!(looker::trusted(&place).unwrap_err().contains("others"));
    mode(dir.path(), 0o755);
    chown(&place, Some(1), None).unwrap();
    assert!(looker::trusted(&place).unwrap_err().contains("root"));
    assert_eq!(looker::ask(&place), None);
    let with_argument = std::process::Command::new(built).arg("0").output().unwrap();
    assert!(!with_argument.status.success() && with_argument.stdout.is_empty());
    assert!(wait_for(|| !dir.path().join("core").exists()));
}
