//! What the tests stand on: a stage with a policy of the test's own, and looks that share nothing with
//! the station's gates.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use rustix::process::{Pid, Signal};
use serde_json::Value;

pub(crate) const SIZE: (u16, u16) = (1024, 768);
/// The middle of the launcher's first tile at [`SIZE`].
pub(crate) const FIRST_TILE: (i16, i16) = (160, 264);
/// The middle of the bar's button for the apps at [`SIZE`].
pub(crate) const APPS: (i16, i16) = (682, 32);
/// The bar's button for the log, for supervisors.
pub(crate) const LOG: (i16, i16) = (692, 32);
/// The bar's button for a fresh start, and the one below it that means it.
pub(crate) const FRESH: (i16, i16) = (808, 32);
pub(crate) const MEANT: (i16, i16) = (258, 384);
/// From one tile to the next.
pub(crate) const TILES_APART: i16 = 240;
/// What hostile programs leave, and what is looked for.
pub(crate) const MARKER: &str = "adversary-4c1f9";

/// A stage whose policy permits the given apps.
pub(crate) fn stage(apps: &str) -> (Stage, Vec<(String, String)>) {
    furnished(Stage::set(SIZE).unwrap(), apps)
}

/// The same on a stage that stands already.
pub(crate) fn furnished(stage: Stage, apps: &str) -> (Stage, Vec<(String, String)>) {
    for part in ["profile", "shared"] {
        stage.account.make_dir(&stage.dir.join(part)).unwrap();
    }
    for (name, text) in [
        ("adversary.py", include_str!("adversary.py")),
        ("display_adversary.py", include_str!("display_adversary.py")),
        ("finder.py", include_str!("finder.py")),
    ] {
        stage.write(&format!("profile/{name}"), text).unwrap();
    }
    let shared = stage.dir.join("shared");
    let policy = format!(
        r#"roles = ["nurse", "supervisor"]
[station]
name = "Station 1"
[badge]
mode = "hold"
[times]
close_grace = "0 s"
[supervisors]
roles = ["supervisor"]
[capsule]
home = "64 MiB"
tmp = "64 MiB"
processes = 1000
shared = ["{}"]
{apps}
"#,
        shared.display()
    );
    stage.write("policy.toml", &policy).unwrap();
    let issued = stage.enrol().unwrap();
    (stage, issued)
}

/// An app of the policy whose home begins with the hostile programs.
pub(crate) fn app(stage: &Stage, name: &str, command: &str, arguments: &[String]) -> String {
    let profile = stage.dir.join("profile");
    format!(
        "[[apps]]\nname = {name:?}\ncommand = {command:?}\narguments = {arguments:?}\nprofile = {:?}\n",
        profile.display().to_string()
    )
}

/// Adds to the stage's policy.
pub(crate) fn add(stage: &Stage, text: &str) {
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    stage.write("policy.toml", &format!("{policy}{text}")).unwrap();
}

/// The stage with a hostile app, the shell up, Ana in, the app started by touching its tile.
pub(crate) fn attended(
    command: &str,
    arguments: &dyn Fn(&Path) -> Vec<String>,
) -> (Stage, Vec<(String, String)>) {
    let (mut stage, issued) = stage("");
    add(&stage, &app(&stage, "Adversary", command, &arguments(&stage.dir)));
    let finder = ["/session/home/finder.py".to_owned(), shared(&stage.dir), MARKER.to_owned()];
    add(&stage, &app(&stage, "Finder", "python3", &finder));
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    touch_tile(&stage, 0);
    (stage, issued)
}

/// The directory that the policy shares into the capsule.
pub(crate) fn shared(dir: &Path) -> String {
    dir.join("shared").display().to_string()
}

/// Touches a tile of the launcher, which is to be in front.
pub(crate) fn touch_tile(stage: &Stage, place: i16) {
    std::thread::sleep(Duration::from_millis(300));
    stage.screen.touch(FIRST_TILE.0 + place * TILES_APART, FIRST_TILE.1).unwrap();
}

/// What the finder finds when it is started from its tile: the places where it found something.
pub(crate) fn found(stage: &Stage) -> Vec<String> {
    let file = stage.dir.join("shared/found");
    drop(fs::remove_file(&file));
    touch_tile(stage, 1);
    assert!(wait_for(|| file.exists()), "the finder did not run");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.lines().count() == 6, "the finder did not look everywhere: {text}");
    text.lines().filter_map(|line| line.strip_suffix(": yes")).map(str::to_owned).collect()
}

pub(crate) fn up(stage: &mut Stage) {
    let mark = stage.mark();
    stage.start_shell().unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
}

pub(crate) fn adversary(dir: &Path) -> Vec<String> {
    let mut arguments = vec![
        "/session/home/adversary.py".to_owned(),
        dir.join("shared").display().to_string(),
        MARKER.to_owned(),
    ];
    let hidden = [
        "policy.toml",
        "state/station.db",
        "state/station.key",
        "state/pepper",
        "xauthority",
        "run",
        "shell.log",
    ];
    arguments.extend(hidden.iter().map(|name| dir.join(name).display().to_string()));
    arguments.extend(
        ["/run/pcscd", "/run/dbus", "/etc/cleanshift", "/home", "/root", "/var/lib"].map(str::to_owned),
    );
    arguments
}

pub(crate) fn report(stage: &Stage) -> String {
    fs::read_to_string(stage.dir.join("shared/report")).unwrap_or_default()
}

pub(crate) fn beats(stage: &Stage) -> u64 {
    fs::metadata(stage.dir.join("shared/heartbeat")).map_or(0, |data| data.len())
}

/// Whether the shell's own log, since `mark`, has this in it.
pub(crate) fn said(stage: &Stage, mark: usize, what: &str) -> bool {
    let log = fs::read_to_string(stage.dir.join("shell.log")).unwrap();
    log.get(mark..).unwrap_or_default().contains(what)
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// The stage with a session whose whole place on the screen is magenta.
pub(crate) fn painted() -> (Stage, Vec<(String, String)>) {
    let (mut stage, issued) = stage("");
    paint(&mut stage, &issued);
    (stage, issued)
}

/// Brings the shell up and Ana in, with an app that fills the session with magenta.
pub(crate) fn paint(stage: &mut Stage, issued: &[(String, String)]) {
    let colours = ["-bg", "#ff00ff", "-fg", "#ff00ff", "-cr", "#ff00ff", "-T", MARKER];
    add(stage, &app(stage, "Painter", "xterm", &colours.map(str::to_owned)));
    up(stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", issued).unwrap();
    touch_tile(stage, 0);
    assert!(
        wait_for(|| painted_pixels(stage) > 100_000),
        "the look is blind: the session is not on the screen"
    );
}

/// How much of the session that [`painted`] opens is on the screen.
pub(crate) fn painted_pixels(stage: &Stage) -> usize {
    stage.screen.look().unwrap().count([255, 0, 255])
}

/// Whether the living parts of the adversary still move.
pub(crate) fn alive(stage: &Stage) -> bool {
    let before = beats(stage);
    std::thread::sleep(Duration::from_millis(400));
    beats(stage) > before
}

/// The processes of the stage's account that are in a PID namespace of their own, by name. Read from
/// `NSpid` in their status, which nobody can hide.
pub(crate) fn contained(stage: &Stage) -> Vec<String> {
    contained_pids(stage).into_iter().map(|(_, name)| name).collect()
}

/// The same, with their pids.
pub(crate) fn contained_pids(stage: &Stage) -> Vec<(u32, String)> {
    let uid = format!("Uid:\t{}\t", stage.account.uid());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let depth = status
            .lines()
            .find(|line| line.starts_with("NSpid:"))
            .map_or(0, |line| line.split_whitespace().count() - 1);
        if status.contains(&uid) && depth > 1 && !status.contains("State:\tZ") {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).unwrap();
            let name = status.lines().next().unwrap_or_default().trim_start_matches("Name:\t");
            found.push((pid, name.to_owned()));
        }
    }
    found
}

/// Files of the stage's account outside its own directory whose name or content has the marker.
pub(crate) fn left_files(stage: &Stage) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> =
        ["/tmp", "/var/tmp", "/dev/shm", "/var/spool", "/run"].map(PathBuf::from).to_vec();
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            if entry.path() == stage.dir {
                continue;
            }
            if data.is_dir() {
                places.push(entry.path());
            } else if data.uid() == stage.account.uid()
                && entry.file_name().to_string_lossy().contains(MARKER)
            {
                found.push(entry.path());
            }
        }
    }
    found
}

pub(crate) fn has_line(file: &str, what: &str) -> bool {
    fs::read_to_string(file).unwrap_or_default().contains(what)
}

pub(crate) fn sysv_of(uid: u32) -> usize {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    table.lines().skip(1).filter(|line| line.split_whitespace().nth(7) == Some(&uid.to_string())).count()
}

pub(crate) fn log(stage: &Stage) -> Vec<Value> {
    let output = stage.ctl(&["log", "list", "--json", "--all"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The newest handoff in the ledger, as text.
pub(crate) fn last_handoff(stage: &Stage) -> String {
    let handoff = log(stage).into_iter().rfind(|entry| entry.to_string().contains("\"handoff\""));
    handoff.map_or_else(String::new, |entry| entry.to_string())
}

pub(crate) fn verified(stage: &Stage) {
    let output = stage.ctl(&["log", "verify", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The button that asks for emergency access on the vacant screen, at the tests' size.
pub(crate) const EMERGENCY: (i16, i16) = (880, 697);
/// The same on a quarantined station.
pub(crate) const BARRED: (i16, i16) = (762, 583);
/// The first reason.
pub(crate) const REASON: (i16, i16) = (273, 330);
/// The bar's button that ends an emergency session.
pub(crate) const END: (i16, i16) = (940, 32);

/// Issues a code as IT does.
pub(crate) fn code(stage: &Stage) -> String {
    let output = stage.ctl(&["break-glass", "issue", "Ward 4 envelope", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let issued: Value = serde_json::from_slice(&output.stdout).unwrap();
    issued["code"].as_str().unwrap().to_owned()
}

/// Asks for emergency access and chooses the first reason.
pub(crate) fn ask(stage: &Stage, button: (i16, i16)) {
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.touch(button.0, button.1).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    stage.screen.touch(REASON.0, REASON.1).unwrap();
    std::thread::sleep(Duration::from_millis(400));
}

/// The newest entry of this kind.
pub(crate) fn newest(stage: &Stage, kind: &str) -> Value {
    log(stage).into_iter().rfind(|entry| entry["receipt"]["kind"] == kind).unwrap_or_default()["receipt"]
        .clone()
}
