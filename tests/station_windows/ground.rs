//! What the tests stand on: a Wine prefix, a display, a card service of their own, and the Windows programs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cleanshift::ctl::demo::account::{Account, Part, wait_for};
use cleanshift::ctl::demo::card_service::CardService;
use cleanshift::ctl::demo::emulator::{Emulator, Temper};
use cleanshift::ctl::demo::screen::{Screen, Shot};
use cleanshift::ctl::demo::shift::{PEOPLE, own_pin};
use cleanshift::ctl::demo::stage::hidden_display;
use serde_json::Value;

pub(crate) const SIZE: (u16, u16) = (1024, 768);
/// The middle of the launcher's first tile at [`SIZE`], and from one to the next.
const FIRST_TILE: (i16, i16) = (160, 264);
const TILES_APART: i16 = 240;
/// Starts a Windows program without an administrator's rights, as Windows starts what nobody has raised.
const ORDINARY: &str = "ordinary.exe";
/// The Windows programs.
const PROGRAMS: [&str; 4] =
    ["cleanshift.exe", "cleanshiftctl.exe", "cleanshift-init.exe", "cleanshift-looker.exe"];

/// What the policy says besides apps.
pub(crate) const POLICY: &str = "\
roles = [\"nurse\", \"physician\", \"supervisor\"]
[station]
name = \"Station 1\"
[badge]
mode = \"hold\"
[times]
close_grace = \"0 s\"
[supervisors]
roles = [\"supervisor\"]
";

pub(crate) struct Ground {
    shell: Option<Part>,
    pub(crate) emulator: Emulator,
    cards: CardService,
    screen: Screen,
    display: u32,
    _server: Part,
    dir: PathBuf,
    target: PathBuf,
    prefix: PathBuf,
    /// Where the station's programs are.
    programs: PathBuf,
    _files: tempfile::TempDir,
    /// The prefix is one test's at a time.
    _in_use: File,
}

/// A path as Windows programs name it: Wine shows them the whole tree as a drive.
pub(crate) fn windows(path: &Path) -> String {
    format!("Z:{}", path.display().to_string().replace('/', "\\"))
}

impl Ground {
    /// Sets it, with these apps in the policy.
    pub(crate) fn set(apps: &str) -> Self {
        Self::sized(apps, SIZE)
    }

    /// The same, with a display of this size.
    pub(crate) fn sized(apps: &str, size: (u16, u16)) -> Self {
        let account = Account::own();
        let target = target();
        fs::create_dir_all(target.join("wine")).unwrap();
        let in_use = File::create(target.join("wine/prefix.in-use")).unwrap();
        in_use.lock().unwrap();
        let files = tempfile::tempdir().unwrap();
        let dir = files.path().to_owned();
        let built = target.join("windows/x86_64-pc-windows-gnu/debug");
        for program in PROGRAMS {
            fs::copy(built.join(program), dir.join(program)).unwrap_or_else(|error| {
                panic!("{}: {error}: run make test-windows, which builds it", built.join(program).display())
            });
        }
        let shims = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wine/shims.sh");
        let made = account.command(shims).env("CARGO_TARGET_DIR", &target).status().unwrap();
        assert!(
            made.success(),
            "the parts that Wine lacks could not be built: run packaging/setup.sh windows"
        );
        fs::copy(target.join("wine").join(ORDINARY), dir.join(ORDINARY)).unwrap();
        for part in ["reader", "home"] {
            account.make_dir(&dir.join(part)).unwrap();
        }
        fs::write(dir.join("policy.toml"), format!("{POLICY}{apps}")).unwrap();
        let (server, display, cookie) = hidden_display(&dir, account, size).unwrap();
        let screen = Screen::open(display, &cookie).unwrap();
        let cards = CardService::start(account, &dir.join("reader")).unwrap();
        let emulator = Emulator::new(cards.port());
        Self {
            shell: None,
            emulator,
            cards,
            screen,
            display,
            _server: server,
            prefix: target.join("wine/prefix"),
            programs: dir.clone(),
            target,
            dir,
            _files: files,
            _in_use: in_use,
        }
    }

    /// Gives the ground a Windows of its own, in which the package that was built is installed, and whose programs
    /// are worked with from here on.
    pub(crate) fn install(&mut self) {
        self.prefix = self.dir.join("windows");
        let version = env!("CARGO_PKG_VERSION");
        let package = self.target.join(format!("msi/cleanshift-{version}-x64.msi"));
        fs::copy(&package, self.dir.join("cleanshift.msi")).unwrap_or_else(|error| {
            panic!("{}: {error}: run make test-windows, which builds it", package.display())
        });
        self.programs = self.prefix.join("drive_c/Program Files/Cleanshift");
        assert!(!self.programs.exists());
        self.msiexec("/i");
        assert!(self.programs.join("cleanshift.exe").exists(), "the package was installed and is not there");
    }

    /// Takes the installed package away again.
    pub(crate) fn uninstall(&mut self) {
        self.msiexec("/x");
        assert!(
            !self.programs.exists(),
            "the package was taken away and has left {}",
            self.programs.display()
        );
    }

    fn msiexec(&self, what: &str) {
        let output = self.raised(&["msiexec", what, "cleanshift.msi", "/qn"]).output().unwrap();
        assert!(
            output.status.success(),
            "msiexec {what}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// A Windows program with an administrator's rights, as Wine starts it; names of files are those of the ground.
    pub(crate) fn raised(&self, words: &[&str]) -> Command {
        let mut command = Account::own().command(runner());
        self.surround(&mut command);
        command.args(words.iter().map(|word| self.word(word))).stdin(Stdio::null());
        command
    }

    fn word(&self, word: &str) -> String {
        if PROGRAMS.contains(&word) {
            windows(&self.programs.join(word))
        } else if [ORDINARY, "cleanshift.msi", "state", "policy.toml", "roster.csv"].contains(&word) {
            windows(&self.dir.join(word))
        } else {
            word.to_owned()
        }
    }

    fn surround(&self, command: &mut Command) {
        command
            .env("HOME", self.dir.join("home"))
            .env("DISPLAY", format!(":{}", self.display))
            .env("XAUTHORITY", self.dir.join("xauthority"))
            .env("PCSCLITE_CSOCK_NAME", self.cards.socket())
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CLEANSHIFT_WINEPREFIX", &self.prefix)
            .env("CLEANSHIFT_LOG", "info")
            .env("NO_COLOR", "1")
            .current_dir(&self.dir);
    }

    /// Puts the demo's people on the roster, as IT does; answers their one-time PINs.
    pub(crate) fn enrol(&self) -> Vec<(String, String)> {
        let mut csv = "key,name,roles,badges,valid_from,valid_until\n".to_owned();
        for (key, name, role, badge, _) in PEOPLE {
            csv += &format!("{key},{name},{role},{badge},,\n");
        }
        fs::write(self.dir.join("roster.csv"), csv).unwrap();
        let words = [ORDINARY, "cleanshiftctl.exe", "--policy", "policy.toml", "--state", "state"];
        let more = ["roster", "import", "--json", "roster.csv"];
        let output = self.raised(&[&words[..], &more[..]].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let issued: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        issued.as_array().unwrap().iter().map(|row| (text(row, "key"), text(row, "one_time_pin"))).collect()
    }

    /// Starts the shell; what it says goes into `shell.log`.
    pub(crate) fn start_shell(&mut self) {
        let mut command = Account::own().part(runner());
        self.surround(&mut command);
        let log = File::options().create(true).append(true).open(self.dir.join("shell.log")).unwrap();
        let words = [ORDINARY, "cleanshift.exe", "--demo", "--policy", "policy.toml", "--state", "state"];
        command.args(words.map(|word| self.word(word))).stdout(Stdio::null()).stderr(log);
        self.shell = Some(Part::start(command).unwrap());
    }

    fn said(&self, mark: usize) -> String {
        let said = fs::read(self.dir.join("shell.log")).unwrap_or_default();
        String::from_utf8_lossy(said.get(mark..).unwrap_or_default()).into_owned()
    }

    /// How much the shell has said so far: a place to wait from.
    pub(crate) fn mark(&self) -> usize {
        fs::metadata(self.dir.join("shell.log")).map_or(0, |data| usize::try_from(data.len()).unwrap())
    }

    /// Waits a bounded time until the shell, since `mark`, says that the station is in this state.
    pub(crate) fn wait_state(&self, mark: usize, state: &str) {
        let there = wait_for(|| self.said(mark).contains(&format!("station: {state}")));
        if !there {
            drop(self.shot("not-there"));
        }
        assert!(there, "the station did not come to `{state}`; the shell said:\n{}", self.said(mark));
    }

    /// Lays somebody's badge on the reader, in place of what lies there.
    pub(crate) fn lay(&self, key: &str) {
        lay(&self.emulator, key);
    }

    /// Types the one-time PIN, then the own PIN twice, and waits until the operator is in.
    pub(crate) fn first_pin(&self, key: &str, issued: &[(String, String)]) {
        let one_time = &issued.iter().find(|row| row.0 == key).unwrap().1;
        let mark = self.mark();
        self.screen.type_text(&format!("{one_time}\n")).unwrap();
        self.wait_state(mark, "challenge, new PIN");
        self.screen.type_text(&format!("{}\n", own_pin(key))).unwrap();
        self.wait_state(mark, "challenge, new PIN again");
        self.screen.type_text(&format!("{}\n", own_pin(key))).unwrap();
        self.wait_state(mark, "attended");
    }

    /// Touches a tile of the launcher, which is to be in front.
    pub(crate) fn touch_tile(&self, place: i16) {
        std::thread::sleep(std::time::Duration::from_millis(300));
        self.screen.touch(FIRST_TILE.0 + place * TILES_APART, FIRST_TILE.1).unwrap();
    }

    /// The processes of this prefix that run this Windows program, by the host's own list.
    pub(crate) fn programs(&self, name: &str) -> Vec<u32> {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let prefix = format!("WINEPREFIX={}", self.prefix.display());
        pids.filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let surroundings = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let own = surroundings.split(|byte| *byte == 0).any(|one| one == prefix.as_bytes());
            own && String::from_utf8_lossy(&line).to_lowercase().contains(name)
        })
        .collect()
    }

    /// The files of this name in the station's own directories, a session's among them.
    pub(crate) fn files(&self, name: &str) -> Vec<PathBuf> {
        let (mut found, mut places) = (Vec::new(), vec![self.dir.join("state")]);
        while let Some(place) = places.pop() {
            for entry in fs::read_dir(place).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    places.push(path);
                } else if path.ends_with(name) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// What the screen shows; leaves a picture of it in `<target>/station_windows/`.
    pub(crate) fn shot(&self, name: &str) -> Shot {
        shot(&self.screen, name)
    }

    /// Tells the shell to stop, as an administrator does, and waits until it has.
    pub(crate) fn stop_shell(&mut self) {
        let output = self.raised(&["cleanshiftctl.exe", "stop"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut shell = self.shell.take().unwrap();
        assert!(shell.0.wait().unwrap().success(), "{}", self.said(0));
    }

    fn linux_ctl(&self, state: &Path, words: &[&str]) -> Output {
        let mut command = Account::own().command(env!("CARGO_BIN_EXE_cleanshiftctl"));
        command.arg("--state").arg(state).args(words).output().unwrap()
    }

    /// The ledger, as the Linux program reads it.
    pub(crate) fn log(&self) -> Vec<Value> {
        let output = self.linux_ctl(&self.dir.join("state"), &["log", "list", "--json", "--all"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The ledger is whole for the Linux program, which has no use for the secret beside it, and a copy that names
    /// another station is not.
    pub(crate) fn verified(&self) {
        let state = self.dir.join("state");
        let output = self.linux_ctl(&state, &["log", "verify", "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success() && said["verdict"] == "whole", "{said}");
        assert!(said["notes"].to_string().contains("sealed for the Windows machine"), "{said}");

        let copy = tempfile::tempdir_in(&self.dir).unwrap();
        let mut changed = 0;
        for name in ["station.db", "station.db-wal"] {
            let Ok(mut bytes) = fs::read(state.join(name)) else { continue };
            let found: Vec<_> = memchr::memmem::find_iter(&bytes, "\"Station 1\"").collect();
            found.iter().for_each(|at| bytes[at + 9] = b'2');
            changed += found.len();
            fs::write(copy.path().join(name), bytes).unwrap();
        }
        let output = self.linux_ctl(copy.path(), &["log", "verify", "--json"]);
        assert!(changed > 0 && output.status.code() == Some(1), "{changed}: {output:?}");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the shell said:\n{}", self.said(0));
        }
        // Whatever runs in the prefix ends with the test, and nothing else does.
        let mut command = Account::own().command("wineserver");
        let _ = command.env("WINEPREFIX", &self.prefix).arg("-k").status();
        drop(self.shell.take());
    }
}

/// Lays somebody's badge on a virtual reader, in place of what lies there.
pub(crate) fn lay(emulator: &Emulator, key: &str) {
    let badge = PEOPLE.iter().find(|person| person.0 == key).unwrap().3;
    emulator.insert(0, &hex::decode(badge).unwrap(), Temper::Honest).unwrap();
}

/// What a screen shows once it has been drawn; leaves a picture of it in `<target>/station_windows/`.
pub(crate) fn shot(screen: &Screen, name: &str) -> Shot {
    std::thread::sleep(std::time::Duration::from_millis(900));
    let shot = screen.look().unwrap();
    let into = target().join("station_windows");
    fs::create_dir_all(&into).unwrap();
    shot.save(&into.join(format!("{name}.png"))).unwrap();
    shot
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_cleanshiftctl")).ancestors().nth(2).unwrap().to_owned()
}

fn runner() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wine/run.sh")
}
