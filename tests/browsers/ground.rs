//! A station with a web app and an app that does inside the session what the test orders, and looks at the
//! session's own display that share nothing with the shell's.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask};
use x11rb::rust_connection::{DefaultStream, RustConnection};

use super::site::Site;

pub(crate) const CONTROL: u32 = 0xffe3;
pub(crate) const SHIFT: u32 = 0xffe1;
pub(crate) const ALT: u32 = 0xffe9;
pub(crate) const ESCAPE: u32 = 0xff1b;
pub(crate) const TAB: u32 = 0xff09;
pub(crate) const ENTER: u32 = 0xff0d;
pub(crate) const F12: u32 = 0xffc9;
pub(crate) const LEFT: u32 = 0xff51;

/// Where the launcher's tiles are.
const TILES: [(i16, i16); 3] = [(160, 264), (400, 264), (640, 264)];

/// A session with its apps open, and all that the test holds of it.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) site: Site,
    pub(crate) display: Nested,
    orders: AtomicU32,
}

impl World {
    /// Opens a session in which the web app of this browser shows its page.
    pub(crate) fn open(browser: &str) -> Self {
        let site = Site::serve();
        let mut stage = Stage::set((1024, 768)).unwrap();
        for part in ["profile", "shared"] {
            stage.account.make_dir(&stage.dir.join(part)).unwrap();
        }
        stage.write("profile/driver.py", include_str!("driver.py")).unwrap();
        let shared = stage.dir.join("shared").display().to_string();
        let policy = format!(
            r#"roles = ["nurse", "supervisor"]
[station]
name = "Station 1"
[badge]
mode = "hold"
[times]
idle = "20 min"
close_grace = "0 s"
[supervisors]
roles = ["supervisor"]
[capsule]
shared = ["{shared}"]
reach = ["127.0.0.1:{own}", "127.0.0.1:{other}"]
[[apps]]
name = "Chart"
kind = "web"
url = "http://127.0.0.1:{own}/"
browser = "{browser}"
[[apps]]
name = "Driver"
command = "python3"
arguments = ["/session/home/driver.py", "{shared}"]
profile = "{profile}"
network = true
[[apps]]
name = "Paper"
kind = "web"
url = "http://127.0.0.1:{own}/"
browser = "{browser}"
printing = true
"#,
            own = site.own,
            other = site.other,
            profile = stage.dir.join("profile").display(),
        );
        stage.write("policy.toml", &policy).unwrap();
        let issued = stage.enrol().unwrap();
        let mark = stage.mark();
        stage.start_shell().unwrap();
        stage.wait_state(mark, "vacant, ready").unwrap();
        stage.tap("ana").unwrap();
        stage.first_pin("ana", &issued).unwrap();
        let display = Nested::find(&stage.dir.join("run"));
        let world = Self { stage, site, display, orders: AtomicU32::new(0) };
        world.touch(1);
        assert!(wait_for(|| world.stage.dir.join("shared/up").exists()), "the driver did not start");
        world.touch(0);
        world.settled(1);
        world
    }

    /// Touches a tile of the launcher, which is to be in front.
    pub(crate) fn touch(&self, tile: usize) {
        std::thread::sleep(Duration::from_millis(300));
        self.stage.screen.touch(TILES[tile].0, TILES[tile].1).unwrap();
    }

    /// How much of the page's colour is on the screen.
    fn page(&self) -> usize {
        self.stage.screen.look().unwrap().count([255, 0, 255])
    }

    /// Has a shell script run inside the session, waits for its end, and answers what it said.
    pub(crate) fn order(&self, script: &str) -> String {
        let number = self.orders.fetch_add(1, Ordering::SeqCst);
        let shared = self.stage.dir.join("shared");
        self.stage.write(&format!("shared/making-{number}"), script).unwrap();
        fs::rename(shared.join(format!("making-{number}")), shared.join(format!("order-{number}"))).unwrap();
        let done = shared.join(format!("done-{number}"));
        assert!((0..4).any(|_| wait_for(|| done.exists())), "the order did not end: {script}");
        fs::read_to_string(done).unwrap()
    }

    /// Waits until the session looks like this.
    pub(crate) fn settles(&self, state: (usize, usize), when: &str) {
        assert!(
            wait_for(|| self.state() == state),
            "{when}: {:?}, {:?}",
            self.state(),
            self.display.titles()
        );
    }

    /// Presses keys together, and gives the browser a moment.
    pub(crate) fn press(&self, keys: &[u32]) {
        self.stage.screen.chord(keys).unwrap();
        std::thread::sleep(Duration::from_millis(700));
    }

    /// What the session looks like: how many windows there are, and how much of the screen the page fills,
    /// in percent.
    pub(crate) fn state(&self) -> (usize, usize) {
        (self.display.windows().len(), self.page() * 100 / (1024 * 768))
    }

    /// Whether the session's place on the screen is of one colour.
    pub(crate) fn plain(&self) -> bool {
        let shot = self.stage.screen.part(0, 80, 1024, 680).unwrap();
        let first = [shot.rgb[0], shot.rgb[1], shot.rgb[2]];
        shot.share(first) > 0.999
    }

    /// Waits until the session looks the same twice, with at least so many windows and the page in front.
    pub(crate) fn settled(&self, windows: usize) -> (usize, usize) {
        let same = || {
            let before = self.state();
            std::thread::sleep(Duration::from_millis(400));
            before.0 >= windows && before.1 > 60 && self.state() == before
        };
        assert!(wait_for(same), "the page is not in front: {:?} {:?}", self.state(), self.display.titles());
        self.state()
    }

    /// The programs of the account's processes in a programspace that ran at some time while `what` was done.
    pub(crate) fn ran_during(&self, what: impl FnOnce()) -> BTreeSet<PathBuf> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut programs = BTreeSet::new();
                while !over.load(Ordering::SeqCst) {
                    let pids = self.processes("");
                    let program = |pid| fs::read_link(format!("/proc/{pid}/exe")).ok();
                    programs.extend(pids.into_iter().filter_map(program));
                }
                programs
            });
            what();
            over.store(true, Ordering::SeqCst);
            watch.join().unwrap()
        })
    }

    /// Ends every process of the session in whose command line this is. One that was to tell the first of an address,
    /// and did not reach it, has begun a browser of its own.
    pub(crate) fn end(&self, what: &str) {
        let over = wait_for(|| {
            let left = self.processes(what);
            for pid in left.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).unwrap())) {
                let _ = kill_process(pid, Signal::KILL);
            }
            left.is_empty()
        });
        assert!(over, "of {what} there goes on: {:?}", self.processes(what));
    }

    /// The pids, on the host, of this account's processes in a programspace whose command line has this in it.
    pub(crate) fn processes(&self, what: &str) -> Vec<u32> {
        let uid = format!("Uid:\t{}\t", self.stage.account.uid());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
            let status = read("status");
            let inside =
                status.lines().any(|line| line.starts_with("NSpid:") && line.split_whitespace().count() > 2);
            if inside
                && status.contains(&uid)
                && !status.contains("State:\tZ")
                && read("cmdline").contains(what)
            {
                found.extend(entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
            }
        }
        found
    }
}

/// The session's display, looked at past the shell.
pub(crate) struct Nested {
    connection: RustConnection,
    root: u32,
}

impl Nested {
    fn find(run: &Path) -> Self {
        let mut places = vec![run.to_owned()];
        let (mut sockets, mut cookie) = (Vec::new(), PathBuf::new());
        while let Some(place) = places.pop() {
            for entry in fs::read_dir(place).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() {
                    places.push(entry.path());
                } else if name == "xauthority" {
                    cookie = entry.path();
                } else if name.starts_with('X') {
                    sockets.push(entry.path());
                }
            }
        }
        let bytes = fs::read(&cookie).unwrap();
        let key = bytes[bytes.len() - 16..].to_vec();
        // The sockets of displays that are gone lie there too.
        let stream = sockets.iter().find_map(|socket| UnixStream::connect(socket).ok()).unwrap();
        let (stream, _) = DefaultStream::from_unix_stream(stream).unwrap();
        let name = b"MIT-MAGIC-COOKIE-1".to_vec();
        let connection = RustConnection::connect_to_stream_with_auth_info(stream, 0, name, key).unwrap();
        let root = connection.setup().roots[0].root;
        Self { connection, root }
    }

    fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn property(&self, window: u32, name: &str) -> Vec<u8> {
        let atom = self.atom(name);
        let asked = self.connection.get_property(false, window, atom, AtomEnum::ANY, 0, 1024).unwrap();
        asked.reply().map_or_else(|_| Vec::new(), |reply| reply.value)
    }

    /// The windows that the window manager knows.
    pub(crate) fn windows(&self) -> Vec<u32> {
        let list = self.property(self.root, "_NET_CLIENT_LIST");
        list.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
    }

    /// Their titles.
    pub(crate) fn titles(&self) -> Vec<String> {
        let title = |window| String::from_utf8_lossy(&self.property(window, "_NET_WM_NAME")).into_owned();
        self.windows().into_iter().map(title).collect()
    }

    /// Asks every window to close, as its own button would.
    pub(crate) fn close_all(&self) {
        for window in self.windows() {
            let kind = self.atom("_NET_CLOSE_WINDOW");
            let event = ClientMessageEvent::new(32, window, kind, [0, 2, 0, 0, 0]);
            let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
            self.connection.send_event(false, self.root, mask, event).unwrap().check().unwrap();
        }
    }
}
