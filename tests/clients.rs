//! The command-line clients of an admin's console, real ones, in real sessions: what they leave (a shared ssh
//! connection, a database connection, cached passwords, agents with keys, files) is gone with the session, and
//! the servers see their connections closed.
//!
//! The servers run as an account of their own, so that a session's traces are not theirs. That needs root;
//! without it the test says `skipped`.

#![expect(
    clippy::unwrap_used,
    unused_results,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

#[path = "station_linux/ground.rs"]
#[expect(dead_code, reason = "the station's tests stand on all of it")]
mod ground;
#[path = "clients/servers.rs"]
mod servers;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use cleanshift::ctl::demo::account::Account;
use cleanshift::ctl::demo::stage::{Stage, wait_for};

use ground::*;
use servers::{Database, Git, Ssh};

/// The password of the database and of the git server, and the passphrase of the key.
const SECRET: &str = "quiet-anchor-7d20c";
/// What the script looks for, before it works and afterwards.
const LOOKS: usize = 6;
/// The programs that keep connections and secrets, by the names that the kernel keeps of them; git is its
/// credential cache.
const PROGRAMS: [&str; 5] = ["git", "gpg-agent", "psql", "ssh", "ssh-agent"];

/// What the script found before it worked, and after.
fn told(stage: &Stage) -> (String, String) {
    let read = |name: &str| fs::read_to_string(stage.dir.join("shared").join(name)).unwrap_or_default();
    assert!(
        wait_for(|| stage.dir.join("shared/done").exists()),
        "the console did not work: {}",
        read("work")
    );
    let told = (read("before"), read("after"));
    for look in [&told.0, &told.1] {
        assert_eq!(look.lines().count(), LOOKS, "the console did not look everywhere: {told:?}");
    }
    told
}

/// Has the script work in the session that is open, and the servers and the host see what it did.
fn work(stage: &Stage, ssh: &Ssh, database: &Database, git: &Git) {
    fs::remove_file(stage.dir.join("shared/done")).unwrap_or_default();
    let secret = stage.write("shared/secret", SECRET).unwrap();
    let let_in = git.let_in();
    touch_tile(stage, 0);
    let (before, after) = told(stage);
    assert!(!before.contains("yes"), "something of the session before was there:\n{before}");
    let why = fs::read_to_string(stage.dir.join("shared/work")).unwrap();
    assert!(!after.contains("no"), "the look is blind:\n{after}\n{why}");
    assert_eq!(ssh.connections(), 1, "{why}");
    assert!(wait_for(|| database.connections() == 1), "{why}");
    assert_eq!(git.let_in(), let_in + 1);
    let names = contained(stage);
    let missing: Vec<_> = PROGRAMS.iter().filter(|name| !names.iter().any(|is| is == *name)).collect();
    assert!(missing.is_empty(), "the look is blind for {missing:?}: {names:?}");
    fs::remove_file(secret).unwrap();
}

/// Nothing of what the script did is there any more, and the servers know it.
fn gone(stage: &Stage, ssh: &Ssh, database: &Database) {
    assert!(wait_for(|| ssh.connections() == 0), "the ssh server still has a connection");
    assert!(wait_for(|| database.connections() == 0), "the database still has a connection");
    let left: Vec<_> =
        contained(stage).into_iter().filter(|name| PROGRAMS.contains(&name.as_str())).collect();
    assert!(left.is_empty(), "still running: {left:?}");
    assert_eq!(holding_the_secret(stage), Vec::<PathBuf>::new());
}

/// Files of the stage's account, or in its directory, that hold the secret.
fn holding_the_secret(stage: &Stage) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> = ["/tmp", "/var/tmp", "/dev/shm", "/run"].map(PathBuf::from).to_vec();
    places.push(stage.dir.clone());
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                places.push(entry.path());
            } else if data.is_file() && data.uid() == stage.account.uid() && data.len() < 64 << 20 {
                let text = fs::read(entry.path()).unwrap_or_default();
                if memchr::memmem::find(&text, SECRET.as_bytes()).is_some() {
                    found.push(entry.path());
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn what_an_admins_clients_hold_ends_with_the_session() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: servers of another account need root");
        return;
    }
    let stage = Stage::set(SIZE).unwrap();
    let (account, _claim) = Account::claim().unwrap();
    let dir = tempfile::tempdir().unwrap();
    account.give(dir.path()).unwrap();
    let ssh = Ssh::serve(account, dir.path());
    let database = Database::serve(account, dir.path(), SECRET);
    let git = Git::serve(SECRET);
    let ports = [ssh.port, database.port, git.port].map(|port| format!("\"127.0.0.1:{port}\"")).join(", ");
    let (mut stage, issued) = furnished(stage, &format!("reach = [{ports}]"));
    stage.write("profile/clients.sh", include_str!("clients/clients.sh")).unwrap();
    stage.write("profile/station-key", &ssh.key).unwrap();
    let script = ["/session/home/clients.sh".to_owned(), shared(&stage.dir), ssh.port.to_string()];
    let rest = [ssh.account.clone(), database.port.to_string(), git.port.to_string()];
    let console = app(&stage, "Console", "sh", &[script, rest].concat());
    add(&stage, &format!("{console}network = true\n"));
    up(&mut stage);

    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    work(&stage, &ssh, &database, &git);
    assert_eq!(holding_the_secret(&stage), Vec::<PathBuf>::new(), "a session's file is seen from outside");
    let planted = stage.write("shared/planted", SECRET).unwrap();
    assert_eq!(holding_the_secret(&stage), std::slice::from_ref(&planted), "the look is blind");
    fs::remove_file(planted).unwrap();
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    gone(&stage, &ssh, &database);

    // The next operator's console finds nothing of it, and leaves as much to whoever takes over from her.
    stage.tap("ben").unwrap();
    stage.first_pin("ben", &issued).unwrap();
    work(&stage, &ssh, &database, &git);
    // A secret was rotated: he begins afresh, and no client of his can use what the old one had opened.
    let mark = stage.mark();
    stage.screen.touch(FRESH.0, FRESH.1).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(600));
    stage.screen.touch(MEANT.0, MEANT.1).unwrap();
    stage.wait_state(mark, "challenge, PIN").unwrap();
    gone(&stage, &ssh, &database);
    assert!(wait_for(|| last_handoff(&stage).contains("fresh-start")), "{}", last_handoff(&stage));
    stage.pin("ben").unwrap();
    work(&stage, &ssh, &database, &git);
    let mark = stage.mark();
    stage.lay_on(1, "ana").unwrap();
    stage.wait_state(mark, "challenge, PIN").unwrap();
    gone(&stage, &ssh, &database);
    assert!(wait_for(|| last_handoff(&stage).contains("takeover")), "{}", last_handoff(&stage));
    verified(&stage);
}
