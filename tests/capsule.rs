//! What a capsule does with a session's sign-ins: tokens in its keyring, its apps' environment and files,
//! `cleanshift-init token`, and the address at which a browser is handed a page and comes back.
//!
//! A capsule is built here without a display, by an ordinary account: as root, the tests start themselves
//! again as one.

#![expect(
    clippy::unwrap_used,
    unused_results,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use cleanshift::ctl::demo::account::{Account, Part, wait_for};
use cleanshift::platform::linux::capsule::{Capsule, News, Spec};
use cleanshift::platform::linux::init::protocol::{Hold, Launch, Offer};
use cleanshift::platform::linux::network::Network;
use cleanshift::platform::linux::visit;
use cleanshift::policy::{CapsuleMode, CapsulePolicy};
use cleanshift::ports::Secret;

/// By this mark a test knows that it is the one that was started again, and where it may write.
const INSIDE: &str = "CLEANSHIFT_TEST_CAPSULE";
/// So that a token is found nowhere by chance.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.token-5fe21";

/// Runs the test of this name as an ordinary account in a directory of its own.
fn as_ordinary(name: &str, test: impl FnOnce(&Path)) {
    if let Some(dir) = std::env::var_os(INSIDE) {
        test(Path::new(&dir));
        return;
    }
    let (account, _claim) = Account::claim().unwrap();
    let dir = tempfile::tempdir().unwrap();
    account.give(dir.path()).unwrap();
    let own = std::env::current_exe().unwrap();
    let init = own.ancestors().skip(1).map(|place| place.join("cleanshift-init")).find(|init| init.exists());
    // By another program: a file that this one writes to cannot be run while a program that another test
    // starts still holds it.
    for (from, to) in [(init.unwrap().as_path(), "cleanshift-init"), (own.as_path(), "test")] {
        let mut copy = Account::own().command("cp");
        assert!(copy.arg(from).arg(dir.path().join(to)).status().unwrap().success());
    }
    let mut again = account.command(dir.path().join("test"));
    again.args(["--exact", name, "--nocapture"]).env(INSIDE, dir.path()).env("HOME", dir.path());
    let output = again.stdin(Stdio::null()).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "the test was not found: {said}");
}

struct Ground {
    capsule: Capsule,
    news: Receiver<News>,
    shared: PathBuf,
    /// How many programs that were launched have ended, as far as news was read.
    ended: Cell<usize>,
}

impl Ground {
    fn stand(dir: &Path, redirect: bool) -> Self {
        Self::before(dir, redirect, 0)
    }

    /// The same, before a display of this number.
    fn before(dir: &Path, redirect: bool, display: u32) -> Self {
        let shared = dir.join("shared");
        for made in ["shared", "run"] {
            fs::create_dir(dir.join(made)).unwrap();
        }
        fs::write(dir.join("cookie"), "").unwrap();
        let spec = Spec {
            run_dir: dir.join("run"),
            init: dir.join("cleanshift-init"),
            x11: PathBuf::from("/tmp/.X11-unix"),
            cookie: dir.join("cookie"),
            display,
            policy: CapsulePolicy {
                mode: CapsuleMode::Sweep,
                home_bytes: 1 << 30,
                tmp_bytes: 256 << 20,
                processes: 500,
                memory_bytes: None,
                reach: Vec::new(),
                printers: Vec::new(),
                shared: vec![shared.clone()],
                grace: Duration::ZERO,
            },
            profiles: Vec::new(),
            network: Network::choose(true, &[]),
            redirect,
            delegated: None,
            window_manager: (Vec::new(), String::new()),
        };
        assert!(matches!(spec.network, Network::Private(_)), "there is no private network to test with");
        let (tell, news) = channel();
        let capsule = Capsule::build(&spec, Box::new(move |news| drop(tell.send(news)))).unwrap();
        Self { capsule, news, shared, ended: Cell::new(0) }
    }

    fn hold(&self, audience: &str, token: &str, expires_utc_ms: i64) -> Result<(), String> {
        self.hold_so(audience, token, expires_utc_ms, (None, None))
    }

    fn hold_so(
        &self,
        audience: &str,
        token: &str,
        expires_utc_ms: i64,
        (environment, file): (Option<&str>, Option<&str>),
    ) -> Result<(), String> {
        let order = |serial| Hold {
            serial,
            session: "0a1b".to_owned(),
            provider: "ward".to_owned(),
            issuer: "https://id.example".to_owned(),
            audience: audience.to_owned(),
            access: Secret::new(token),
            expires_utc_ms,
            environment: environment.map(str::to_owned),
            file: file.map(str::to_owned),
        };
        let held = self.capsule.hold(order).map_err(|error| error.to_string())?;
        held.wait().map_err(|error| error.to_string())
    }

    /// What a script says inside, on both of its outputs, and how it ended.
    fn say(&self, script: &str) -> String {
        let said = self.shared.join("said");
        drop(fs::remove_file(&said));
        let whole = format!(
            "{{ {script}\necho \"code $?\"; }} >{0}.part 2>&1; mv {0}.part {0}; exec sleep 300",
            said.display()
        );
        self.launch("sh", &["-c", &whole]);
        // A browser's first start may be slow where many start at once.
        let ended = (0..4).any(|_| wait_for(|| said.exists()));
        assert!(ended, "the script did not end: {script}");
        fs::read_to_string(said).unwrap()
    }

    fn launch(&self, command: &str, arguments: &[&str]) {
        let launch = Launch {
            app: 0,
            command: command.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: Vec::new(),
            network: true,
            files: Vec::new(),
            profile: None,
        };
        self.capsule.launch(launch).unwrap();
    }

    /// What a browser came back with.
    fn returned(&self) -> Option<String> {
        loop {
            match self.news.recv_timeout(Duration::from_secs(90)).ok()? {
                News::Returned(path) => return Some(path.expose().to_owned()),
                News::Ended(..) => self.ended.set(self.ended.get() + 1),
                News::Belongs(..) | News::Lost | News::Started(..) => {}
            }
        }
    }
}

impl Ground {
    /// Where the site says who asked for what. It is read from outside: a script in the capsule for each look
    /// would leave two programs there each time.
    fn visits(&self) -> PathBuf {
        self.shared.join("visits")
    }

    /// Inside the capsule, a provider's page that sends the browser back to the station's address at once, and
    /// the app's own page. The address at which the first is handed out.
    fn site_and_page(&self, nonce: &str) -> String {
        let site = format!(
            r#"cd ~
            echo '<script>location = "http://127.0.0.1:8707/signed-in?code=c0de&state=5tate"</script>' >authorize.html
            echo '<p>This is the chart' >start.html
            python3 -m http.server -b 127.0.0.1 8000 >{} 2>&1 &
            until python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8000))'; do sleep 0.1; done 2>/dev/null
            true"#,
            self.visits().display()
        );
        assert!(self.say(&site).contains("code 0"));
        let offer = Offer {
            nonce: nonce.to_owned(),
            address: Secret::new("http://127.0.0.1:8000/authorize.html"),
            start: Some("http://127.0.0.1:8000/start.html".to_owned()),
        };
        let address = visit::address(&offer.nonce);
        self.capsule.offer(offer).unwrap();
        address
    }
}

/// A time far in the future, milliseconds since 1970.
const LATER: i64 = 4_000_000_000_000;

/// The command line and the environment of every process of this account that has this text in it.
fn showing(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for part in ["cmdline", "environ"] {
            let told = fs::read(entry.path().join(part)).unwrap_or_default();
            if memchr::memmem::find(&told, text.as_bytes()).is_some() {
                found.push(format!("{} of {}", part, entry.file_name().display()));
            }
        }
    }
    found
}

#[test]
fn a_token_is_held_where_the_session_finds_it() {
    as_ordinary("a_token_is_held_where_the_session_finds_it", |dir| {
        let ground = Ground::stand(dir, false);
        let token = |audience: &str| format!("/session/cleanshift-init token {audience}");
        let none = ground.say(&token("https://api.example"));
        assert_eq!(none, "cleanshift-init: no token for https://api.example in this session\ncode 1\n");
        assert_eq!(ground.hold("https://api.example", TOKEN, LATER), Ok(()));
        assert_eq!(ground.say(&token("https://api.example")), format!("{TOKEN}\ncode 0\n"));
        let json = ground.say(&token("https://api.example --json"));
        let expected = format!(r#"{{"expires":"2096-10-02T07:06:40Z","token":"{TOKEN}"}}"#);
        assert_eq!(json, format!("{expected}\ncode 0\n"));
        assert!(ground.say(&token("")).contains("usage: cleanshift-init token AUDIENCE"));
        // Other programs find it as they find any secret, with all that says what it is.
        let lookup = "secret-tool search --all session 0a1b issuer https://id.example provider ward";
        let found = ground.say(lookup);
        assert!(found.contains(&format!("secret = {TOKEN}")), "{found}");
        // A fresh one takes its place.
        assert_eq!(ground.hold("https://api.example", "fresh-1", LATER + 1000), Ok(()));
        assert_eq!(ground.hold("https://api.example", "fresh-2", LATER + 500), Ok(()));
        assert_eq!(ground.say(&token("https://api.example")), "fresh-2\ncode 0\n");
        let found = ground.say(lookup);
        assert_eq!(found.matches("secret = ").count(), 1, "{found}");
        // One for somebody else stands beside it; one whose time is over is not given out.
        assert_eq!(ground.hold("https://other.example", "other", 1000), Ok(()));
        assert!(ground.say(&token("https://other.example")).contains("has expired"));
        assert_eq!(ground.say(&token("https://api.example")), "fresh-2\ncode 0\n");
        // Nothing of it was written to a file.
        let files = ground.say("grep -rl fresh-2 /session/home /session/run /tmp /var/tmp /dev/shm; true");
        assert_eq!(files, "code 0\n", "a token in a file");
        let planted = ground.say("echo fresh-2 >/tmp/planted; grep -rl fresh-2 /tmp");
        assert_eq!(planted, "/tmp/planted\ncode 0\n", "the look is blind");
        assert!(ground.hold("x", &"x".repeat(70_000), LATER).is_err(), "longer than a message");
    });
}

#[test]
fn a_token_goes_into_environment_and_file_where_the_policy_says_so() {
    as_ordinary("a_token_goes_into_environment_and_file_where_the_policy_says_so", |dir| {
        let ground = Ground::stand(dir, false);
        assert_eq!(ground.say("echo \"$WARD_TOKEN.\""), ".\ncode 0\n");
        let both = (Some("WARD_TOKEN"), Some(".config/ward/token"));
        assert_eq!(ground.hold_so("api", TOKEN, LATER, both), Ok(()));
        let look = "echo \"$WARD_TOKEN\"; cat ~/.config/ward/token; echo; stat -c %a ~/.config/ward/token";
        assert_eq!(ground.say(look), format!("{TOKEN}\n{TOKEN}\n600\ncode 0\n"));
        assert_eq!(ground.hold_so("api", "fresh", LATER, both), Ok(()));
        assert_eq!(ground.say(look), "fresh\nfresh\n600\ncode 0\n");
        assert_eq!(ground.say("ls -A ~/.config/ward"), "token\ncode 0\n", "nothing half-written is left");
        for file in ["../out", "/tmp/out", "", "a/../../out"] {
            assert!(ground.hold_so("api", "fresh", LATER, (None, Some(file))).is_err(), "{file}");
        }
        for name in ["", "A=B", "A B"] {
            assert!(ground.hold_so("api", "fresh", LATER, (Some(name), None)).is_err(), "{name}");
        }
        // A place that the session has made impossible is told as such, and holds up nothing.
        ground.say("rm -r ~/.config/ward; mkfifo ~/.config/ward");
        let failed = ground.hold_so("api", "fresh", LATER, both).unwrap_err();
        assert!(failed.starts_with("write the token to ~/.config/ward/token: "), "{failed}");
        assert_eq!(ground.say("echo \"$WARD_TOKEN\""), "fresh\ncode 0\n");
    });
}

#[test]
fn a_token_stands_in_no_programs_arguments_or_environment() {
    as_ordinary("a_token_stands_in_no_programs_arguments_or_environment", |dir| {
        let ground = Ground::stand(dir, false);
        // Whoever looks all the time from inside sees every program that comes and goes.
        let watch = "while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done 2>/dev/null";
        let watched = ground.shared.join("watched");
        let script = format!(
            "{{ {watch}; }} | tr '\\0' '\\n' | grep -a --line-buffered -F -e token-5fe -e keep >{}",
            watched.display()
        );
        ground.launch("sh", &["-c", &script]);
        assert!(wait_for(|| watched.exists()));
        for round in 0..10 {
            assert_eq!(ground.hold("api", &format!("{TOKEN}-{round}"), LATER + round), Ok(()));
        }
        let seen = || fs::read_to_string(&watched).unwrap();
        assert!(wait_for(|| seen().contains("keep")), "the look is blind for what puts tokens away");
        assert!(!seen().contains(TOKEN), "{}", seen());
        assert_eq!(showing(TOKEN), Vec::<String>::new());
        ground.say(&format!("exec 3>&1; sh -c 'sleep 300' {TOKEN} >/dev/null 2>&1 & true"));
        assert!(wait_for(|| !showing(TOKEN).is_empty()), "the look is blind");
    });
}

#[test]
fn a_session_that_stops_its_keyring_holds_up_nobody() {
    as_ordinary("a_session_that_stops_its_keyring_holds_up_nobody", |dir| {
        let mut ground = Ground::stand(dir, false);
        assert!(ground.say("kill -STOP $(pidof gnome-keyring-daemon)").contains("code 0"));
        assert!(ground.hold("api", TOKEN, LATER).is_err());
        assert!(ground.say("echo works").contains("works"));
        assert_eq!(ground.capsule.destroy().unwrap().proof, "init pidfd");
    });
}

#[test]
fn a_browser_is_handed_a_page_and_comes_back() {
    as_ordinary("a_browser_is_handed_a_page_and_comes_back", |dir| {
        let ground = Ground::stand(dir, true);
        let address = ground.site_and_page("0123");
        // Without the session's policies, which keep a browser from being driven from outside (B-02).
        let browser = "timeout 110 bwrap --dev-bind / / --tmpfs /etc/chromium/policies chromium --headless=new --disable-gpu --virtual-time-budget=20000 --dump-dom";
        let shown = ground.say(&format!("{browser} {address} 2>/dev/null"));
        assert!(shown.contains("This is the chart"), "{shown}");
        assert_eq!(ground.returned().as_deref(), Some("/signed-in?code=c0de&state=5tate"));
        // Once only, whoever reads the number in the browser's arguments.
        let again = ground.say(&format!("{browser} {address} 2>/dev/null"));
        assert!(again.contains("This page was shown already."), "{again}");
        // The host does not reach it.
        assert!(
            std::net::TcpStream::connect("127.0.0.1:8707").is_err(),
            "the host has the station's address"
        );
    });
}

/// A display of the test's own, without a window manager.
fn display() -> (Part, u32) {
    let mut server = Account::own().part("Xvfb");
    server.args(["-displayfd", "1", "-ac", "-nolisten", "tcp", "-screen", "0", "1024x768x24"]);
    server.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Part::start(server).unwrap();
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().parse().unwrap())
}

/// A browser that runs is told of the page, in the profile in which the operator works.
fn told_while_it_runs(dir: &Path, command: &str, arguments: &[&str]) {
    let (_server, number) = display();
    let ground = Ground::before(dir, true, number);
    let address = ground.site_and_page("4567");
    let ended = || {
        let more = ground.news.try_iter().filter(|news| matches!(news, News::Ended(..))).count();
        ground.ended.set(ground.ended.get() + more);
        ground.ended.get()
    };
    ground.launch(command, &[arguments, &["http://127.0.0.1:8000/start.html"]].concat());
    let visits = ground.visits();
    let asked = |page: &str| fs::read_to_string(&visits).unwrap().contains(&format!("GET /{page}"));
    assert!(wait_for(|| asked("start.html")), "{command} did not show its page");
    assert_eq!(ended(), 0, "{command} has ended");
    ground.launch(command, &[arguments, &[address.as_str()]].concat());
    assert_eq!(ground.returned().as_deref(), Some("/signed-in?code=c0de&state=5tate"));
    assert!(asked("authorize.html"));
    // It was the one that ran already: whoever told it has ended.
    assert!(wait_for(|| ended() == 1), "two of {command} run");
}

#[test]
fn a_chromium_that_runs_is_told_of_the_page() {
    as_ordinary("a_chromium_that_runs_is_told_of_the_page", |dir| {
        let profile = ["--user-data-dir=/session/home/profile", "--no-first-run", "--disable-gpu"];
        told_while_it_runs(dir, "chromium", &profile);
    });
}

#[test]
fn a_firefox_that_runs_is_told_of_the_page() {
    as_ordinary("a_firefox_that_runs_is_told_of_the_page", |dir| {
        told_while_it_runs(dir, "firefox-esr", &[]);
    });
}
