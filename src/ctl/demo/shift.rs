//! The scripted shift: nurse A works and leaves traces, nurse B takes over, the supervisor reads the
//! log. On real parts; anything that is off ends it with an error.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::emulator::Temper;
use super::provider::Provider;
use super::screen::Shot;
use super::stage::{Stage, wait_for};

/// The demo's operators: key, name, role, badge, own PIN.
pub const PEOPLE: [(&str, &str, &str, &str, &str); 3] = [
    ("ana", "Ana Ruiz", "nurse", "04A1B2C3D4E5F6", "271828"),
    ("ben", "Ben Osei", "nurse", "0411223344556677", "314159"),
    ("sofia", "Sofia Lind", "supervisor", "04C0FFEE", "161803"),
];
/// A card that is on nobody's roster.
pub const BUS_CARD: &str = "DEADBEEF";
/// The size of the demo's screen.
const SIZE: (u16, u16) = (1280, 800);

/// The cookie that the page sets and the secret that Ana stores: what must not reach Ben.
const COOKIE: &str = "demo-canary-7f3a";
const SECRET: &str = "keyring-canary-51c2";
/// Where the launcher's tiles are at [`SIZE`].
const CHART: (i16, i16) = (160, 264);
const TERMINAL: (i16, i16) = (672, 264);
/// Where the bar's button for the log is at [`SIZE`].
const LOG: (i16, i16) = (825, 32);
/// Where the log's third entry, the newest handoff, is at [`SIZE`].
const RECEIPT: (i16, i16) = (400, 540);

/// Runs the shift; screenshots and state go to `target`.
///
/// # Errors
/// A sentence that says what was off.
pub fn run(target: &Path) -> io::Result<()> {
    let mut play = Play { began: now(), target: target.to_owned(), shots: 0, copy: None };
    fresh_dir(target)?;
    let mut stage = Stage::set(SIZE)?;
    play.step("a private card service, a display and a page stand");
    // The idle time is shortened, so that the warning can be waited for.
    let policy = include_str!("../../../policies/demo.toml").replace("idle = \"2 min\"", "idle = \"30 s\"");
    let _ = stage.write_policy(&policy, "127.0.0.1:8712")?;
    let provider = Provider::start(&stage)?;
    if let Some(provider) = &provider {
        let _ = stage.write_policy(&provider.in_policy(&policy, true), "127.0.0.1:8712")?;
        play.step("an OpenID provider stands, and knows the station by its key");
    } else {
        play.step(
            "nobody is signed in elsewhere: there is no provider (packaging/setup.sh test installs one)",
        );
    }
    let issued = stage.enrol()?;
    play.step("Ana, Ben and Sofia are on the roster, each with a one-time PIN");
    let mark = stage.mark();
    stage.start_shell()?;
    stage.wait_state(mark, "vacant, ready")?;
    play.shot(&stage, "vacant")?;
    play.step("the shell is up: verified clean, vacant");

    morning(&mut play, &stage, provider.as_ref(), &issued)?;
    takeover(&mut play, &stage, provider.as_ref(), &issued)?;
    quarantine(&mut play, &stage, &issued)?;
    supervisor(&mut play, &stage)?;
    evening(&mut play, &mut stage)
}

/// Ana chooses her own PIN, opens the chart, stores a secret, and is reminded that she is idle.
///
/// Where there is a provider she signs in there, and somebody keeps a copy of her token, which is answered.
fn morning(
    play: &mut Play,
    stage: &Stage,
    provider: Option<&Provider>,
    issued: &[(String, String)],
) -> io::Result<()> {
    stage.lay("bus card")?;
    std::thread::sleep(Duration::from_millis(900));
    play.shot(stage, "unknown-badge")?;
    stage.emulator.remove(0);
    play.step("a bus card is not known here");
    stage.tap("ana")?;
    play.shot(stage, "challenge")?;
    stage.first_pin("ana", issued)?;
    play.shot(stage, "launcher")?;
    play.step("Ana is in, with a PIN of her own");
    match provider {
        Some(provider) => sign_in(play, stage, provider, "ana.ruiz", 1)?,
        None => open(stage, CHART, "attended, 1 windows")?,
    }
    if !wait_for(|| stage.page.requests().iter().any(|request| request.starts_with("/ "))) {
        return Err(io::Error::other("the chart did not open its page"));
    }
    std::thread::sleep(Duration::from_millis(2500));
    play.shot(stage, "attended")?;
    play.step("Chromium shows the chart, in the capsule, with its own sandbox on");
    stage.screen.touch(APPS.0, APPS.1)?;
    open(stage, TERMINAL, "attended, 2 windows")?;
    std::thread::sleep(Duration::from_millis(800));
    let line =
        format!("printf {SECRET} | secret-tool store --label=demo shift ana; secret-tool lookup shift ana");
    stage.screen.type_text(&format!("{line}\n"))?;
    std::thread::sleep(Duration::from_millis(1200));
    play.shot(stage, "terminal")?;
    play.step("Ana has stored a secret in the capsule's keyring");
    if let Some(provider) = provider {
        keep_token(play, stage, provider)?;
    }
    let mark = stage.mark();
    stage.wait_state(mark, "attended, warning")?;
    play.shot(stage, "idle-warning")?;
    play.step("nobody has touched the station: the warning counts down");
    stage.screen.touch(640, 700)?;
    settle();
    Ok(())
}

/// The station opens the provider's page in the browser of the chart, and whoever is at work types who she is.
fn sign_in(play: &mut Play, stage: &Stage, provider: &Provider, who: &str, times: usize) -> io::Result<()> {
    let before = stage.page.requests().len();
    if !wait_for(|| provider.answered("GET /interaction/").is_ok_and(|asked| asked >= times)) {
        return Err(io::Error::other("the station did not open the provider's page"));
    }
    std::thread::sleep(Duration::from_millis(2500));
    if times == 1 {
        play.shot(stage, "sign-in")?;
    }
    stage.screen.type_text(&format!("{who}\n"))?;
    if !wait_for(|| stage.page.requests().len() > before) {
        return Err(io::Error::other("signing in did not lead to the chart"));
    }
    play.step(&format!("{who} is signed in at the provider, in a browser that obeys the chart's own policy"));
    Ok(())
}

/// Somebody copies her token while she works: it is good at the resource server.
fn keep_token(play: &mut Play, stage: &Stage, provider: &Provider) -> io::Result<()> {
    let send = format!(
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; printf \"GET /told?%s HTTP/1.0\\r\\n\\r\\n\" \
         $(/session/cleanshift-init token {}) >&3; cat <&3' >/dev/null\n",
        stage.page.port,
        provider.audience()
    );
    let told = || stage.page.requests().into_iter().find(|request| request.starts_with("/told?"));
    stage.screen.type_text(&send)?;
    if !wait_for(|| told().is_some()) {
        return Err(io::Error::other("no token was found in the session's keyring"));
    }
    let copy = told().unwrap_or_default();
    let copy = copy.trim_start_matches("/told?").split(' ').next().unwrap_or_default().to_owned();
    match provider.api(&copy)? {
        200 => play.step("a copy of Ana's token is good at the resource server while she works"),
        other => {
            return Err(io::Error::other(format!("the resource server answers {other} while she works")));
        }
    }
    play.copy = Some(copy);
    Ok(())
}

/// The copy is refused now, and the receipt says how far each of her sign-ins has ended.
fn token_ended(play: &Play, stage: &Stage, provider: &Provider, copy: &str) -> io::Result<()> {
    match provider.api(copy)? {
        401 => {}
        other => {
            return Err(io::Error::other(format!("the resource server answers {other} to a copy of hers")));
        }
    }
    let listed = stage.ctl(&["log", "list", "--json", "--all"]).output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let entries: Vec<Value> = listed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let states: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.pointer("/receipt/tokens")?.as_array())
        .flatten()
        .map(|token| {
            let word = |name| token.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{} {}", word("kind"), word("state"))
        })
        .collect();
    if !states.iter().any(|state| state == "access token proved") {
        return Err(io::Error::other(format!(
            "the receipt does not say that her token is ended: {states:?}"
        )));
    }
    play.step(&format!("a copy of Ana's token is refused; the receipt says: {}", states.join(", ")));
    Ok(())
}

/// Ben taps on the second reader: Ana's session is covered, destroyed, checked and receipted.
fn takeover(
    play: &mut Play,
    stage: &Stage,
    provider: Option<&Provider>,
    issued: &[(String, String)],
) -> io::Result<()> {
    let before = stage.page.requests().len();
    let mark = stage.mark();
    let attended = stage.screen.look()?;
    stage.lay_on(1, "ben")?;
    stage.wait_state(mark, "clean-up")?;
    bar_gone(stage, &attended)?;
    play.now(stage, "takeover")?;
    stage.wait_state(mark, "challenge, PIN")?;
    play.step("Ben took over: Ana's session is destroyed, checked and receipted");
    if let (Some(provider), Some(copy)) = (provider, &play.copy) {
        token_ended(play, stage, provider, copy)?;
    }
    stage.emulator.remove(0);
    stage.screen.type_text("999999\n")?;
    std::thread::sleep(Duration::from_millis(500));
    play.shot(stage, "wrong-pin")?;
    stage.first_pin("ben", issued)?;
    play.step("Ben is in, in a capsule that nobody has used");
    match provider {
        Some(provider) => sign_in(play, stage, provider, "ben.osei", 2)?,
        None => open(stage, CHART, "attended, 1 windows")?,
    }
    if !wait_for(|| stage.page.requests().len() > before) {
        return Err(io::Error::other("Ben's chart did not open its page"));
    }
    std::thread::sleep(Duration::from_millis(1500));
    let first = stage.page.requests().get(before).cloned().unwrap_or_default();
    if first.contains(COOKIE) {
        return Err(io::Error::other("Ben's browser was sent Ana's cookie"));
    }
    stage.screen.touch(APPS.0, APPS.1)?;
    open(stage, TERMINAL, "attended, 2 windows")?;
    std::thread::sleep(Duration::from_millis(800));
    stage.screen.type_text("secret-tool lookup shift ana; echo \"found: $?\"\n")?;
    std::thread::sleep(Duration::from_millis(900));
    play.shot(stage, "next-operator")?;
    play.step("Ben's browser sent no cookie of Ana's, and his keyring has no secret of hers");
    Ok(())
}

/// Something is left outside the capsule on purpose: the station bars itself until it is gone.
fn quarantine(play: &mut Play, stage: &Stage, issued: &[(String, String)]) -> io::Result<()> {
    let trace = std::env::temp_dir().join(format!("cleanshift-demo-trace-{}", stage.display));
    let mark = stage.mark();
    let touched = stage.command("touch").arg(&trace).status()?;
    let attended = stage.screen.look()?;
    stage.emulator.remove(1);
    stage.wait_state(mark, "clean-up")?;
    bar_gone(stage, &attended)?;
    play.now(stage, "clean-up")?;
    stage.wait_state(mark, "quarantine")?;
    play.shot(stage, "quarantine")?;
    play.step("a file left in /tmp on purpose: the station is not clean, and says what it found");
    let mark = stage.mark();
    stage.lay("sofia")?;
    std::thread::sleep(Duration::from_millis(900));
    let removed = std::fs::remove_file(&trace);
    if !touched.success() || removed.is_err() {
        return Err(io::Error::other("the trace could not be planted and removed"));
    }
    stage.wait_state(mark, "vacant, ready")?;
    stage.emulator.remove(0);
    settle();
    play.step("the file is gone: the station has cleaned itself again, and is vacant");
    stage.tap("sofia")?;
    stage.first_pin("sofia", issued)?;
    Ok(())
}

/// Sofia reads the handoff log on the station's screen.
fn supervisor(play: &mut Play, stage: &Stage) -> io::Result<()> {
    settle();
    play.shot(stage, "supervisor")?;
    let mark = stage.mark();
    stage.screen.touch(LOG.0, LOG.1)?;
    stage.wait_state(mark, "attended, log")?;
    std::thread::sleep(Duration::from_millis(900));
    play.shot(stage, "handoff-log")?;
    let list = stage.screen.look()?;
    stage.screen.touch(RECEIPT.0, RECEIPT.1)?;
    drawn_anew(stage, &list, "the receipt")?;
    play.shot(stage, "receipt")?;
    play.step("Sofia has read the handoff log, which says so");
    Ok(())
}

/// The shell stops, and the ledger is verified from outside.
fn evening(play: &mut Play, stage: &mut Stage) -> io::Result<()> {
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready")?;
    if !stage.stop_shell()? {
        return Err(io::Error::other("the shell did not stop as it should"));
    }
    let verified = stage.ctl(&["log", "verify", "--json"]).output()?;
    let verdict: Value = serde_json::from_slice(&verified.stdout)?;
    if verdict.get("verdict").and_then(Value::as_str) != Some("whole") {
        return Err(io::Error::other(format!("the log does not verify: {verdict}")));
    }
    copy_state(&stage.dir.join("state"), &play.target.join("state"))?;
    for (name, path) in files(&stage.dir.join("state"))? {
        let bytes = std::fs::read(&path)?;
        let copy = play.copy.as_deref().into_iter();
        for canary in [COOKIE, SECRET, own_pin("ana"), own_pin("ben")].into_iter().chain(copy) {
            if bytes.windows(canary.len()).any(|part| part == canary.as_bytes()) {
                return Err(io::Error::other(format!("{name} holds what only the session knew")));
            }
        }
    }
    play.step("the shell has stopped; its log verifies, and holds no secret of a session");
    let listed = stage.ctl(&["log", "list"]).output()?;
    println!("{}", String::from_utf8_lossy(&listed.stdout).trim_end());
    println!("pictures and state: {}", play.target.display());
    Ok(())
}

/// Where the bar's button for the apps is at [`SIZE`].
const APPS: (i16, i16) = (852, 32);

/// What the shift tells, and where its pictures go.
struct Play {
    began: Duration,
    target: PathBuf,
    shots: u8,
    /// The copy of a token that somebody has kept.
    copy: Option<String>,
}

impl Play {
    fn step(&self, what: &str) {
        println!("{:>6.2} s  {what}", now().saturating_sub(self.began).as_secs_f64());
    }

    fn shot(&mut self, stage: &Stage, name: &str) -> io::Result<()> {
        settle();
        self.now(stage, name)
    }

    fn now(&mut self, stage: &Stage, name: &str) -> io::Result<()> {
        self.shots += 1;
        stage.screen.look()?.save(&self.target.join(format!("{:02}-{name}.png", self.shots)))
    }
}

fn now() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Lets the screen draw what the shell has said.
fn settle() {
    std::thread::sleep(Duration::from_millis(350));
}

/// Touches a tile until its app has its window: on a busy machine the first touch may come before the
/// launcher is drawn, and a person would touch it again.
fn open(stage: &Stage, tile: (i16, i16), then: &str) -> io::Result<()> {
    let mark = stage.mark();
    for _ in 0..3 {
        settle();
        stage.screen.touch(tile.0, tile.1)?;
        for _ in 0..400 {
            if stage.was(mark, then) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    stage.wait_state(mark, then)
}

/// Waits a bounded time until the bar above a session is gone.
fn bar_gone(stage: &Stage, before: &Shot) -> io::Result<()> {
    let top = |shot: &Shot| {
        let middle = usize::from(SIZE.0) / 2 * 3;
        shot.rgb.get(middle..middle + 3).map(<[u8]>::to_vec)
    };
    let gone = || stage.screen.look().is_ok_and(|now| top(&now) != top(before));
    if wait_for(gone) { Ok(()) } else { Err(io::Error::other("the clean-up was not drawn")) }
}

/// Waits a bounded time until the screen looks different.
fn drawn_anew(stage: &Stage, before: &Shot, what: &str) -> io::Result<()> {
    let differs = || stage.screen.look().is_ok_and(|now| now.rgb != before.rgb);
    if wait_for(differs) { Ok(()) } else { Err(io::Error::other(format!("{what} was not drawn"))) }
}

/// An empty directory: what an earlier shift has left there is taken away, file by file.
fn fresh_dir(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for (name, path) in files(dir)? {
        if name.ends_with(".png") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn files(dir: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    Ok(found)
}

fn copy_state(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for (_, old) in files(to)? {
        std::fs::remove_file(old)?;
    }
    for (name, path) in files(from)? {
        let _ = std::fs::copy(path, to.join(name))?;
    }
    Ok(())
}

impl Stage {
    /// Writes the stage's policy, with the page's own port in place of the sample's.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_policy(&self, text: &str, sample: &str) -> io::Result<PathBuf> {
        self.write("policy.toml", &text.replace(sample, &format!("127.0.0.1:{}", self.page.port)))
    }

    /// Puts the demo's people on the roster; answers their one-time PINs by key.
    ///
    /// # Errors
    /// When the roster is refused.
    pub fn enrol(&self) -> io::Result<Vec<(String, String)>> {
        let mut csv = "key,name,roles,badges,valid_from,valid_until\n".to_owned();
        for (key, name, role, badge, _) in PEOPLE {
            csv += &format!("{key},{name},{role},{badge},,\n");
        }
        let file = self.write("roster.csv", &csv)?;
        let output = self.ctl(&["roster", "import", "--json", &file.display().to_string()]).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let issued: Value = serde_json::from_slice(&output.stdout)?;
        let text =
            |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(issued
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| (text(row, "key"), text(row, "one_time_pin")))
            .collect())
    }

    /// Lays somebody's badge on the reader.
    ///
    /// # Errors
    /// When there is nobody of that name.
    pub fn lay(&self, key: &str) -> io::Result<()> {
        self.lay_on(0, key)
    }

    /// The same, on the first (0) or the second (1) reader.
    ///
    /// # Errors
    /// When the reader does not listen.
    pub fn lay_on(&self, slot: usize, key: &str) -> io::Result<()> {
        let badge = PEOPLE.iter().find(|person| person.0 == key).map_or(BUS_CARD, |person| person.3);
        let uid = hex::decode(badge).map_err(io::Error::other)?;
        self.emulator.insert(slot, &uid, Temper::Honest)
    }

    /// Lays somebody's badge on the reader and waits for the question for the PIN.
    ///
    /// # Errors
    /// When it is not asked.
    pub fn tap(&self, key: &str) -> io::Result<()> {
        let mark = self.mark();
        self.lay(key)?;
        self.wait_state(mark, "challenge, PIN")
    }

    /// Types the one-time PIN, then the own PIN twice, and waits until the operator is in.
    ///
    /// # Errors
    /// When a step does not follow.
    pub fn first_pin(&self, key: &str, issued: &[(String, String)]) -> io::Result<()> {
        let one_time = issued.iter().find(|row| row.0 == key).map(|row| row.1.clone()).unwrap_or_default();
        let own = own_pin(key);
        let mark = self.mark();
        self.enter(mark, &one_time, "challenge, new PIN")?;
        self.enter(mark, own, "challenge, new PIN again")?;
        self.enter(mark, own, "attended")
    }

    /// Types the own PIN and waits until the operator is in.
    ///
    /// # Errors
    /// When the station does not open.
    pub fn pin(&self, key: &str) -> io::Result<()> {
        self.enter(self.mark(), own_pin(key), "attended")
    }
}

/// The PIN that this person of the demo chooses.
#[must_use]
pub fn own_pin(key: &str) -> &'static str {
    PEOPLE.iter().find(|person| person.0 == key).map_or("000000", |person| person.4)
}
