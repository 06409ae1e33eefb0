//! Handoffs on the real parts: what the operator who leaves, the one who comes, and the machine at
//! rest feel of it.

use std::fs;
use std::time::Duration;

use cleanshift::ctl::demo::provider::Provider;
use cleanshift::ctl::demo::shift::own_pin;
use cleanshift::ctl::demo::stage::{Stage, wait_for};

use super::observer::Observer;
use super::peers;
use super::rows::{Row, Rows, now};

/// How often each is measured.
const TIMES: usize = 20;
/// How often the clean-up on disk of the large profile is: it takes half a minute each.
const SLOW_TIMES: usize = 5;
const SIZE: (u16, u16) = (1280, 800);
/// The launcher's first tile at [`SIZE`]: its middle, and a part of it that is compared.
const TILE: (i16, i16) = (160, 264);
const TILE_PART: (i16, i16, u16, u16) = (100, 210, 140, 110);

/// A profile of so many files and bytes, beside an open Chromium.
pub(crate) struct Load {
    pub id: &'static str,
    pub megabytes: u32,
    pub files: u32,
    pub bar: f64,
    pub peer_times: usize,
    /// Whether she is signed in at a provider, where her tokens are revoked and looked at.
    pub signed_in: bool,
}

const LOADS: [Load; 3] = [
    Load {
        id: "handoff_100mb",
        megabytes: 100,
        files: 1_500,
        bar: 400.0,
        peer_times: TIMES,
        signed_in: false,
    },
    Load { id: "handoff_tokens", megabytes: 100, files: 1_500, bar: 400.0, peer_times: 0, signed_in: true },
    Load {
        id: "handoff_777mb",
        megabytes: 777,
        files: 12_000,
        bar: 700.0,
        peer_times: SLOW_TIMES,
        signed_in: false,
    },
];

/// Writes the profile, says so, and becomes Chromium.
pub(crate) const FILL: &str = r#"
import os, sys
place, said, files, total, page = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
block = os.urandom(total * 1000000 // files)
for number in range(files):
    folder = "%s/profile/%d" % (place, number // 200)
    os.makedirs(folder, exist_ok=True)
    with open("%s/%d" % (folder, number), "wb") as out: out.write(block)
open(said, "w").close()
os.execvp("chromium", ["chromium", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu",
    "--user-data-dir=%s/profile/chromium" % place, "--start-maximized", "--app=" + page])
"#;

/// Measures every row that needs a station.
pub(crate) fn measure(rows: &mut Rows) {
    for load in &LOADS {
        let first = load.id == LOADS[0].id;
        let beside: &[&str] = if first { &["cover", "pin_to_launcher", load.id] } else { &[load.id] };
        if rows.wanted(beside) {
            handoffs(rows, load, first);
        }
    }
    if rows.wanted(&["start_to_covered", "rest"]) {
        starts(rows);
    }
}

fn set(load: &Load) -> (Stage, Vec<(String, String)>, Option<Provider>) {
    let stage = Stage::set(SIZE).unwrap();
    stage.account.make_dir(&stage.dir.join("shared")).unwrap();
    let said = stage.dir.join("shared/filled").display().to_string();
    let page = format!("http://127.0.0.1:{}/", stage.page.port);
    let arguments =
        ["-c", FILL, "/session/home", &said, &load.files.to_string(), &load.megabytes.to_string(), &page];
    let policy = format!(
        "roles = [\"nurse\", \"supervisor\"]\n[station]\nname = \"Station 1\"\n[badge]\nmode = \"hold\"\n\
         [times]\nidle = \"60 min\"\nabsolute = \"12 h\"\nclose_grace = \"0 s\"\n\
         [supervisors]\nroles = [\"supervisor\"]\n\
         [capsule]\nhome = \"1500 MiB\"\nshared = [{:?}]\nreach = [\"127.0.0.1:{}\"]\n\
         [[apps]]\nname = \"Chart\"\nicon = \"chart\"\ncommand = \"python3\"\nnetwork = true\narguments = {}\n",
        stage.dir.join("shared").display().to_string(),
        stage.page.port,
        toml::Value::from(arguments.map(str::to_owned).to_vec()),
    );
    stage.write("policy.toml", &policy).unwrap();
    let provider = load.signed_in.then(|| {
        let there = Provider::start(&stage).unwrap();
        there.unwrap_or_else(|| unreachable!("no provider is installed: run packaging/setup.sh test"))
    });
    if let Some(provider) = &provider {
        stage.write("policy.toml", &provider.in_policy(&policy, false)).unwrap();
    }
    let issued = stage.enrol().unwrap();
    (stage, issued, provider)
}

/// The processes of Chromium that the stage's account has.
pub(crate) fn browsers(stage: &Stage) -> usize {
    let uid = format!("Uid:\t{}\t", stage.account.uid());
    let status = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("status")).unwrap_or_default();
    let ours = |text: &String| text.starts_with("Name:\tchrom") && text.contains(&uid);
    fs::read_dir("/proc").unwrap().flatten().map(status).filter(ours).count()
}

/// Waits until Chromium has drawn its page and is at rest.
pub(crate) fn settled(stage: &Stage, asked_before: usize) {
    assert!(wait_for(|| stage.page.requests().len() > asked_before), "Chromium did not open its page");
    let mut last = 0;
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(400));
        let count = browsers(stage);
        if count == last && count > 3 {
            break;
        }
        last = count;
    }
    std::thread::sleep(Duration::from_millis(600));
}

fn handoffs(rows: &mut Rows, load: &Load, with_cover: bool) {
    let (mut stage, issued, provider) = set(load);
    let tokens = || provider.as_ref().map_or(0, |provider| provider.answered("POST /token").unwrap());
    let observer = Observer::start(&stage);
    let mark = stage.mark();
    stage.start_shell().unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    // The first session chooses the PIN and shows what the launcher looks like.
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let (x, y, width, height) = TILE_PART;
    let tile = || stage.screen.part(x, y, width, height).unwrap().rgb;
    let launcher = tile();
    leave(&stage);

    let mut cover = Row::new("cover", "PC/SC removal event → session unreachable on screen", "ms", 16.0);
    let mut opened = Row::new("pin_to_launcher", "right PIN → launcher usable", "ms", 250.0);
    let mut handoff = Row::new(load.id, "", "ms", load.bar);
    let mut processes = Vec::new();
    for _ in 0..TIMES {
        let tokens_before = tokens();
        stage.tap("ana").unwrap();
        stage.screen.type_text(own_pin("ana")).unwrap();
        assert!(tile() != launcher, "the launcher cannot be told from the question for the PIN");
        let began = now();
        stage.screen.type_text("\n").unwrap();
        assert!(wait_until(|| tile() == launcher), "the launcher did not come");
        opened.samples.push(millis(now() - began));

        let (asked, filled) = (stage.page.requests().len(), stage.dir.join("shared/filled"));
        drop(fs::remove_file(&filled));
        stage.screen.touch(TILE.0, TILE.1).unwrap();
        assert!(wait_for(|| filled.exists()), "the profile was not written");
        settled(&stage, asked);
        assert!(provider.is_none() || tokens() > tokens_before, "she was not signed in");
        processes.push(browsers(&stage));

        let (covered, clean) = leave_and_measure(&stage, &observer);
        cover.samples.push(covered);
        handoff.samples.push(clean);
    }
    processes.sort_unstable();
    handoff.what = format!(
        "PC/SC removal event → proved clean and receipt durable, Chromium open ({} processes), {} MB in {} files",
        processes[processes.len() / 2],
        load.megabytes,
        load.files
    );
    stage.stop_shell().unwrap();
    if with_cover {
        cover.peers = peers::lockers(&stage, &observer, TIMES);
        rows.take(cover);
        rows.take(opened);
    }
    if load.signed_in {
        handoff.what += ", her tokens revoked and proved at the provider";
    }
    if load.peer_times > 0 {
        handoff.peers = vec![("kill and rm -rf".to_owned(), peers::kill_and_remove(&stage, load))];
    }
    rows.take(handoff);
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Waits without sleeping long: what it waits for is being measured.
fn wait_until(holds: impl Fn() -> bool) -> bool {
    let began = now();
    while now() - began < Duration::from_secs(30) {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    false
}

fn leave(stage: &Stage) {
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
}

/// Takes the badge away: how long, from the card service's event, until the session's display was off
/// the screen, and until the station said that it is vacant, which follows the durable receipt.
fn leave_and_measure(stage: &Stage, observer: &Observer) -> (f64, f64) {
    let (mark, before) = (stage.mark(), now());
    let log = stage.dir.join("shell.log");
    stage.emulator.remove(0);
    let vacant = || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.get(mark..).unwrap_or_default().contains("station: vacant")
    };
    assert!(wait_until(vacant), "the station did not come to rest");
    let clean = now();
    let removed = observer.wait(before, "removed");
    let covered = observer.wait(before, "hidden");
    stage.wait_state(mark, "vacant, ready").unwrap();
    // The shell may be told a moment before the observer is.
    (millis(covered.saturating_sub(removed)), millis(clean - removed))
}

fn starts(rows: &mut Rows) {
    let (mut stage, _, _) = set(&LOADS[0]);
    let mut start = Row::new("start_to_covered", "shell start → covered first frame", "ms", 300.0);
    let middle = || {
        let (x, y) = (SIZE.0 / 2, SIZE.1 / 2);
        stage.screen.part(i16::try_from(x).unwrap(), i16::try_from(y).unwrap(), 4, 4).unwrap().rgb
    };
    let nothing = middle();
    let mut began = Vec::new();
    for _ in 0..TIMES {
        let mark = stage.mark();
        let at = now();
        stage.start_shell().unwrap();
        let screen = &stage.screen;
        let (x, y) = (i16::try_from(SIZE.0 / 2).unwrap(), i16::try_from(SIZE.1 / 2).unwrap());
        assert!(wait_until(|| screen.part(x, y, 4, 4).unwrap().rgb != nothing), "nothing was drawn");
        began.push(millis(now() - at));
        stage.wait_state(mark, "vacant, ready").unwrap();
        assert!(stage.stop_shell().unwrap());
        assert!(
            wait_for(|| stage.screen.part(x, y, 4, 4).unwrap().rgb == nothing),
            "the shell is still drawn"
        );
    }
    start.samples = began;
    rows.take(start);

    let mark = stage.mark();
    stage.start_shell().unwrap();
    stage.wait_state(mark, "vacant, ready").unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let pid = stage.shell_pid().unwrap();
    let mut rest = Row::new("rest", "", "MB", 60.0);
    let mut used = 0;
    for _ in 0..3 {
        let before = ticks(pid);
        std::thread::sleep(Duration::from_secs(10));
        used += ticks(pid) - before;
        rest.samples.push(resident(pid));
    }
    rest.what = format!("shell at rest, vacant: resident memory; CPU ticks in three times 10 s: {used}");
    rest.spoiled = used > 0;
    rows.take(rest);
    stage.stop_shell().unwrap();
}

fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1e3
}
