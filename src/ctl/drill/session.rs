//! A real session of the drill: a badge on a virtual reader, a PIN, a capsule, apps that plant, a
//! handoff, and the receipt of it.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::planted::{Planted, report};
use crate::ctl::demo::emulator::Temper;
use crate::ctl::demo::stage::{Stage, wait_for};
use crate::platform::linux::canary::{Side, canary};

/// The size of the drill's screen.
pub const SIZE: (u16, u16) = (1024, 768);
/// The launcher's first two tiles at [`SIZE`].
const TILES: [(i16, i16); 2] = [(160, 264), (400, 264)];
/// The drill's operator.
const BADGE: &str = "04D211D211";
const KEY: &str = "drill";
const PIN: &str = "846290";

/// What a handoff's receipt says.
#[derive(Clone, Debug, Default)]
pub struct Handoff {
    /// What was counted inside before the end: class, gate, how much.
    pub inside: Vec<(u8, String, u64)>,
    /// What the gates said afterwards: class, gate, answer, what was seen, how.
    pub after: Vec<(u8, String, String, String, String)>,
    /// The apps that were open, and whether each has closed by itself.
    pub apps: Vec<(String, bool)>,
    /// How many handoffs the ledger has.
    pub number: usize,
    /// How many rounds of clean-up it took.
    pub rounds: u64,
}

/// The drill's own policy, or the station's with the drill's apps in front.
///
/// # Errors
/// When the station's policy cannot be read.
pub fn policy(stage: &Stage, given: Option<&Path>, seed: &str, browser: bool) -> io::Result<String> {
    let text = given.map_or_else(|| Ok(include_str!("drill.toml").to_owned()), fs::read_to_string)?;
    let mut table: toml::Table = text.parse().map_err(io::Error::other)?;
    let app = |name: &str, command: &str, arguments: Vec<String>, network: bool| {
        let mut app = toml::Table::new();
        let _ = app.insert("name".to_owned(), name.into());
        let _ = app.insert("command".to_owned(), command.into());
        let _ = app.insert("arguments".to_owned(), arguments.into());
        let _ = app.insert("network".to_owned(), network.into());
        toml::Value::Table(app)
    };
    let note = stage.dir.join("shared/contained").display().to_string();
    let planter = ["plant", seed, Side::Contained.word(), &note].map(str::to_owned).to_vec();
    let mut apps = vec![app("Planter", "/session/cleanshift-init", planter, true)];
    if browser {
        let page = format!("http://127.0.0.1:{}/set?{}", stage.page.port, canary(seed, Side::Contained, 12));
        let arguments = ["--no-first-run", "--disable-gpu", &page].map(str::to_owned).to_vec();
        apps.push(app("Chromium", "chromium", arguments, true));
    }
    let _ = table.insert("apps".to_owned(), toml::Value::Array(apps));
    let part = |table: &mut toml::Table, name: &str| -> toml::Table {
        table.get(name).and_then(toml::Value::as_table).cloned().unwrap_or_default()
    };
    let mut capsule = part(&mut table, "capsule");
    // The planter's report is all that leaves the capsule, and every receipt of the drill names it.
    let _ = capsule.insert("shared".to_owned(), vec![stage.dir.join("shared").display().to_string()].into());
    let _ = capsule.insert("reach".to_owned(), vec![format!("127.0.0.1:{}", stage.page.port)].into());
    let _ = table.insert("capsule".to_owned(), capsule.into());
    let mut badge = part(&mut table, "badge");
    let _ = badge.insert("mode".to_owned(), "hold".into());
    // The drill's reader is its own.
    let _ = badge.remove("readers");
    let _ = table.insert("badge".to_owned(), badge.into());
    let mut times = part(&mut table, "times");
    // Long enough that a browser can be asked to close, and be seen in the receipt.
    let _ = times.insert("close_grace".to_owned(), "10 s".into());
    let _ = table.insert("times".to_owned(), times.into());
    toml::to_string(&table).map_err(io::Error::other)
}

/// Puts the drill's operator on the stage's roster; answers the one-time PIN.
///
/// # Errors
/// When the roster is refused.
pub fn enrol(stage: &Stage) -> io::Result<String> {
    let policy: toml::Table =
        fs::read_to_string(stage.dir.join("policy.toml"))?.parse().map_err(io::Error::other)?;
    let role = policy.get("roles").and_then(|roles| roles.get(0)).and_then(toml::Value::as_str);
    let role = role.ok_or_else(|| io::Error::other("the policy names no role"))?;
    let csv =
        format!("key,name,roles,badges,valid_from,valid_until\n{KEY},Drill operator,{role},{BADGE},,\n");
    let file = stage.write("roster.csv", &csv)?;
    let output = stage.ctl(&["roster", "import", "--json", &file.display().to_string()]).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let issued: Value = serde_json::from_slice(&output.stdout)?;
    let pin = issued.get(0).and_then(|row| row.get("one_time_pin")).and_then(Value::as_str);
    pin.map(str::to_owned).ok_or_else(|| io::Error::other("no one-time PIN was issued"))
}

/// Lays the badge and types the PIN; with a one-time PIN it chooses its own first.
///
/// # Errors
/// When the station does not open.
pub fn come(stage: &Stage, one_time: Option<&str>) -> io::Result<()> {
    let mark = stage.mark();
    let uid = hex::decode(BADGE).map_err(io::Error::other)?;
    stage.emulator.insert(0, &uid, Temper::Honest)?;
    stage.wait_state(mark, "challenge, PIN")?;
    if let Some(pin) = one_time {
        stage.enter(mark, pin, "challenge, new PIN")?;
        stage.enter(mark, PIN, "challenge, new PIN again")?;
    }
    stage.enter(stage.mark(), PIN, "attended")
}

/// Has the session's apps plant, and answers what they planted.
///
/// # Errors
/// When they do not.
pub fn plant(stage: &Stage, seed: &str, browser: bool) -> io::Result<Vec<Planted>> {
    let [planter, chromium] = TILES;
    settle();
    stage.screen.touch(planter.0, planter.1)?;
    let mut planted = report(&stage.dir.join("shared/contained"))?;
    if browser {
        settle();
        stage.screen.touch(chromium.0, chromium.1)?;
        let asked = format!("/set?{}", canary(seed, Side::Contained, 12));
        let kept = wait_for(|| stage.page.requests().iter().any(|request| request.starts_with(&asked)));
        let what = "a cookie and local storage in Chromium".to_owned();
        planted.push(Planted { class: 12, done: kept, what });
        // Chromium writes its cookies down only after a while.
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    Ok(planted)
}

/// Takes the badge away and waits until the station is vacant; answers the receipt.
///
/// # Errors
/// When the station does not become vacant: what it said instead.
pub fn leave(stage: &Stage) -> io::Result<Handoff> {
    let before = last(stage)?.number;
    let mark = stage.mark();
    stage.emulator.remove(0);
    // A station that bars itself is not waited for: that it did is the finding.
    let said = || fs::read_to_string(stage.dir.join("shell.log")).unwrap_or_default();
    let since = || said().get(mark..).unwrap_or_default().to_owned();
    let came_to = |state: &str| since().contains(&format!("station: {state}"));
    if !wait_for(|| came_to("vacant, ready") || came_to("quarantine")) || came_to("quarantine") {
        return Err(io::Error::other(since()));
    }
    let handoff = last(stage)?;
    if handoff.number == before {
        return Err(io::Error::other("not clean: the ledger has no receipt of the handoff"));
    }
    Ok(handoff)
}

/// The newest handoff in the stage's ledger.
///
/// # Errors
/// When there is none.
pub fn last(stage: &Stage) -> io::Result<Handoff> {
    let output = stage.ctl(&["log", "list", "--json", "--all"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let facts: Vec<Value> = entries
        .filter_map(|entry| {
            let receipt = entry.get("receipt").cloned().unwrap_or(entry);
            receipt.get("handoff").cloned()
        })
        .collect();
    let number = facts.len();
    let facts = facts.last().ok_or_else(|| io::Error::other("the ledger has no handoff"))?;
    let rows = |name: &str| facts.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let class =
        |row: &Value| u8::try_from(row.get("class").and_then(Value::as_u64).unwrap_or(0)).unwrap_or(0);
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Handoff {
        inside: rows("inside")
            .iter()
            .filter_map(|row| Some((class(row), text(row, "gate"), text(row, "saw").parse().ok()?)))
            .collect(),
        after: rows("after")
            .iter()
            .map(|row| {
                (class(row), text(row, "gate"), text(row, "answer"), text(row, "saw"), text(row, "method"))
            })
            .collect(),
        apps: rows("apps")
            .iter()
            .map(|row| (text(row, "name"), row.get("gracefully").and_then(Value::as_bool) == Some(true)))
            .collect(),
        number,
        rounds: facts.get("rounds").and_then(Value::as_u64).unwrap_or(0),
    })
}

/// Lets the screen draw what the shell has said.
fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(350));
}
