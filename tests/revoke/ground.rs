//! What the tests of signing in stand on: a station with a clock that a test can advance, an outbox in memory that a
//! restart finds again, a real provider, and ears for everything that is told or logged.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use cleanshift::handoff::{Moment, OperatorId};
use cleanshift::policy::{Policy, SignInPolicy, SignInWay};
use cleanshift::ports::{
    Clock, Ends, Outbox, OutboxRow, Person, Result, SignInNews, SignIns, Stamp, TokenEnd, TokenKind,
    TokenState,
};
use cleanshift::revoke::{Revoker, StationKey, Vault};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take that the tests wait for; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
pub(crate) const NAME: &str = "Hospital";

/// The machine's clock, and as much more as a test says.
pub(crate) struct TestClock {
    began: std::time::Instant,
    utc_ms: i64,
    more: AtomicI64,
}

impl TestClock {
    fn begin() -> Self {
        let utc = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self {
            began: std::time::Instant::now(),
            utc_ms: i64::try_from(utc.as_millis()).unwrap(),
            more: AtomicI64::new(0),
        }
    }

    fn ahead(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap() + self.more.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        Moment(u64::try_from(self.ahead()).unwrap())
    }

    fn micros(&self) -> u64 {
        self.now().0 * 1000
    }

    fn stamp(&self) -> Stamp {
        Stamp { utc_ms: self.utc_ms + self.ahead(), boot_ms: self.now().0, boot_id: "test".to_owned() }
    }
}

/// An outbox that outlives its station.
#[derive(Default)]
pub(crate) struct Kept(Mutex<(Vec<OutboxRow>, Vec<String>, i64)>);

impl Outbox for Kept {
    fn put(&self, row: &OutboxRow) -> Result<i64> {
        let mut kept = self.0.lock().unwrap();
        if let Some(place) = kept.0.iter().position(|there| there.id == row.id) {
            kept.0[place] = row.clone();
            return Ok(row.id);
        }
        kept.2 += 1;
        let id = kept.2;
        kept.0.push(OutboxRow { id, ..row.clone() });
        Ok(id)
    }

    fn rows(&self) -> Result<Vec<OutboxRow>> {
        Ok(self.0.lock().unwrap().0.clone())
    }

    fn remove(&self, id: i64) -> Result<()> {
        self.0.lock().unwrap().0.retain(|row| row.id != id);
        Ok(())
    }

    fn told(&self, session: &str, entry: u64) -> Result<()> {
        let mut kept = self.0.lock().unwrap();
        kept.0.iter_mut().filter(|row| row.session == session).for_each(|row| row.entry = Some(entry));
        Ok(())
    }

    fn first_seen(&self, event: &str, _until_utc_ms: i64, _now: &Stamp) -> Result<bool> {
        let mut kept = self.0.lock().unwrap();
        let first = !kept.1.iter().any(|seen| seen == event);
        if first {
            kept.1.push(event.to_owned());
        }
        Ok(first)
    }
}

/// What was told, and whoever waits for it.
#[derive(Default)]
pub(crate) struct Heard {
    all: Mutex<Vec<SignInNews>>,
    more: Condvar,
}

impl Heard {
    /// The first news from number `from` on that this finds something in, and the number after it.
    pub(crate) fn wait<T>(
        &self,
        from: usize,
        what: &str,
        find: impl Fn(&SignInNews) -> Option<T>,
    ) -> (T, usize) {
        let all = self.all.lock().unwrap();
        let mut found = None;
        let look = |all: &mut Vec<SignInNews>| {
            found = all
                .iter()
                .enumerate()
                .skip(from)
                .find_map(|(at, news)| find(news).map(|found| (found, at + 1)));
            found.is_none()
        };
        let (all, _) = self.more.wait_timeout_while(all, PATIENCE, look).unwrap();
        found.unwrap_or_else(|| panic!("{what} was not told; heard: {:?}", &*all))
    }

    pub(crate) fn all(&self) -> Vec<SignInNews> {
        self.all.lock().unwrap().clone()
    }
}

/// A station that signs in and ends that.
pub(crate) struct Station {
    pub(crate) revoker: Arc<Revoker>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) outbox: Arc<Kept>,
    pub(crate) clock: Arc<TestClock>,
    policy: Policy,
    dir: Arc<TempDir>,
}

/// What stations of one test share: the state directory with its key.
pub(crate) struct Site {
    dir: Arc<TempDir>,
    pub(crate) jwks: Value,
}

impl Site {
    pub(crate) fn new() -> Self {
        drop(log());
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let (key, made) = StationKey::find_or_make(&Vault::of(dir.path(), "Station 12", false)).unwrap();
        assert!(made);
        Self { dir, jwks: key.jwks() }
    }

    pub(crate) fn vault(&self) -> Vault {
        Vault::of(self.dir.path(), "Station 12", false)
    }

    /// A station with this policy.
    pub(crate) fn station(&self, change: impl FnOnce(&mut Policy)) -> Station {
        let mut policy = policy();
        change(&mut policy);
        let clock = Arc::new(TestClock::begin());
        open(policy, Arc::clone(&self.dir), Arc::new(Kept::default()), clock)
    }
}

fn policy() -> Policy {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/demo.toml");
    let mut policy = Policy::read(&sample).unwrap_or_else(|problems| panic!("{problems}"));
    policy.station.name = "Station 12".to_owned();
    policy.sign_ins.clear();
    policy.revoke.calls.clear();
    policy
}

fn open(policy: Policy, dir: Arc<TempDir>, outbox: Arc<Kept>, clock: Arc<TestClock>) -> Station {
    let kept: Arc<dyn Outbox> = outbox.clone();
    let time: Arc<dyn Clock> = clock.clone();
    let revoker = Arc::new(Revoker::open(&policy, dir.path(), "Station 12", false, kept, time).unwrap());
    Station { revoker, heard: Arc::new(Heard::default()), outbox, clock, policy, dir }
}

pub(crate) fn person(key: &str) -> Person {
    Person { id: OperatorId(7), key: key.to_owned(), name: "Ana Ruiz".to_owned(), role: "nurse".to_owned() }
}

/// A sign-in at this issuer.
pub(crate) fn sign_in(issuer: &str, how: SignInWay) -> SignInPolicy {
    SignInPolicy {
        name: NAME.to_owned(),
        issuer: issuer.to_owned(),
        client: "cleanshift".to_owned(),
        how,
        scopes: vec!["chart".to_owned()],
        audience: format!("{issuer}/api"),
        subject: "{key}@hospital.example".to_owned(),
        environment: Some("CHART_TOKEN".to_owned()),
        file: None,
        end_by_sid: None,
        events: None,
        certificates: None,
        bearer: false,
    }
}

impl Station {
    /// Listens, as the driver does at the start.
    pub(crate) fn listening(self) -> Self {
        let heard = Arc::clone(&self.heard);
        self.revoker.listen(Box::new(move |news| {
            heard.all.lock().unwrap().push(news);
            heard.more.notify_all();
        }));
        self
    }

    /// The shell after this one has died: nothing of its memory is left, the outbox and the clock are.
    pub(crate) fn restarted(self) -> Self {
        let Self { revoker, outbox, clock, policy, dir, .. } = self;
        drop(revoker);
        open(policy, dir, outbox, clock)
    }

    pub(crate) fn advance(&self, by: Duration) {
        let _ = self.clock.more.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
        self.revoker.look_again();
    }

    /// The access token that is given to the capsule, from news number `from` on.
    pub(crate) fn signed(&self, from: usize) -> (String, usize) {
        self.heard.wait(from, "a sign-in", |news| match news {
            SignInNews::Signed(grant) => Some(grant.access.expose().to_owned()),
            _ => None,
        })
    }

    pub(crate) fn failed(&self, from: usize) -> String {
        let find = |news: &SignInNews| match news {
            SignInNews::Failed(name, sentence) if name == NAME => Some(sentence.clone()),
            _ => None,
        };
        self.heard.wait(from, "a failure", find).0
    }

    /// Ends the session and returns how that stands once everything was tried.
    pub(crate) fn ended(&self, session: &str) -> Ends {
        let from = self.heard.all().len();
        self.revoker.end();
        let find = |news: &SignInNews| (*news == SignInNews::Ended(session.to_owned())).then_some(());
        let _ = self.heard.wait(from, "the end", find);
        self.revoker.ends()
    }

    /// Waits until a later result of the session has this state.
    pub(crate) fn settled(
        &self,
        session: &str,
        kind: TokenKind,
        state: TokenState,
    ) -> (Option<u64>, TokenEnd) {
        let find = |news: &SignInNews| match news {
            SignInNews::Settled(settled) if settled.session == session => settled
                .tokens
                .iter()
                .find(|token| token.kind == kind && token.state == state)
                .map(|token| (settled.entry, token.clone())),
            _ => None,
        };
        self.heard.wait(0, "a later result", find).0
    }

    /// Waits until this is so; the state of what is looked at comes by itself.
    pub(crate) fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE.as_millis() / 20 {
            if so(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what} did not come; ends: {:?}, pending: {:?}", self.revoker.ends(), self.revoker.pending());
    }
}

/// The one thing of this kind.
pub(crate) fn one(ends: &Ends, kind: TokenKind) -> TokenEnd {
    let mut those = ends.tokens.iter().filter(|token| token.kind == kind);
    let first = those.next().unwrap_or_else(|| panic!("no {}: {ends:?}", kind.word()));
    assert!(those.next().is_none(), "more than one {}: {ends:?}", kind.word());
    first.clone()
}

/// oidc-provider in a process of its own; it ends with its standard input.
pub(crate) struct Provider {
    child: Child,
    _input: ChildStdin,
    pub(crate) issuer: String,
}

impl Provider {
    pub(crate) fn start(site: &Site, more: Value) -> Self {
        let mut config = json!({ "jwks": site.jwks });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all(config.to_string().as_bytes()).unwrap();
        let mut child = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provider/server.mjs"))
            .arg(modules())
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node and the provider are installed by packaging/setup.sh test");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().strip_prefix("PORT ").map(str::to_owned));
        let port = port.expect("the provider did not start: run packaging/setup.sh test");
        let input = child.stdin.take().unwrap();
        Self { child, _input: input, issuer: format!("http://127.0.0.1:{port}") }
    }

    /// What the resource server answers to this token, as a bearer or with a proof.
    pub(crate) fn api(&self, token: &str, proof: Option<&str>) -> u16 {
        let address = format!("{}/api", self.issuer);
        web(|client| {
            let request = client.get(&address);
            match proof {
                Some(proof) => request.header("authorization", format!("DPoP {token}")).header("dpop", proof),
                None => request.bearer_auth(token),
            }
        })
        .status
    }

    pub(crate) fn control(&self, order: Value) -> Value {
        let address = format!("{}/control", self.issuer);
        serde_json::from_str(&web(|client| client.post(&address).json(&order)).body).unwrap()
    }

    /// The paths that were asked for, with what they were about, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        let address = format!("{}/log", self.issuer);
        let log: Vec<Value> = serde_json::from_str(&web(|client| client.get(&address)).body).unwrap();
        let word = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
        log.iter()
            .map(|line| format!("{} {}", word(line, "path"), word(line, "about")).trim_end().to_owned())
            .collect()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn modules() -> PathBuf {
    let beside =
        || Path::new(env!("CARGO_BIN_EXE_cleanshiftctl")).ancestors().nth(2).unwrap().join("provider");
    std::env::var_os("CLEANSHIFT_PROVIDER").map_or_else(beside, PathBuf::from).join("node_modules")
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

/// A request of the test itself; no redirect is followed.
pub(crate) fn web(build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder) -> Reply {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([])
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let response = build(&client).send().await.unwrap();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        Reply {
            status: response.status().as_u16(),
            location: response.headers().get("location").map(text),
            cookies: response.headers().get_all("set-cookie").iter().map(text).collect(),
            body: response.text().await.unwrap(),
        }
    })
}

/// A browser as far as sign-ins need one: cookies, redirects, and a form.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn ask(&mut self, build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder) -> Reply {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let reply = web(|client| build(client).header("cookie", cookies.join("; ")));
        for cookie in &reply.cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }

    /// Follows redirects from here until a page stands, or until the station's own address is reached: that one's path
    /// and query.
    fn follow(&mut self, base: &str, mut reply: Reply) -> std::result::Result<String, Reply> {
        while let Some(to) = &reply.location {
            let to = url::Url::parse(base).unwrap().join(to).unwrap();
            if to.port() == Some(8707) {
                return Ok(format!("{}?{}", to.path(), to.query().unwrap_or_default()));
            }
            reply = self.ask(|client| client.get(to));
        }
        Err(reply)
    }

    /// Opens a page of the provider's and signs in there; what the browser comes back with.
    pub(crate) fn sign_in(&mut self, page: &str, login: &str) -> String {
        let first = self.ask(|client| client.get(page));
        let form = first.location.clone().expect("a page to sign in at");
        let shown = match self.follow(page, first) {
            Ok(back) => return back,
            Err(shown) => shown,
        };
        assert!(shown.body.contains("name=\"login\""), "no form: {}", shown.body);
        let form = url::Url::parse(page).unwrap().join(&form).unwrap();
        let sent = self.ask(|client| client.post(form).form(&[("login", login), ("password", "x")]));
        self.follow(page, sent).unwrap_or_else(|page| panic!("not back: {} {}", page.status, page.body))
    }

    /// Opens the page of a farewell and does what its script does.
    pub(crate) fn leave(&mut self, page: &str) -> String {
        let shown = self.ask(|client| client.get(page));
        let value = |name: &str| {
            let after =
                shown.body.split(&format!("{name}=\"")).nth(1).unwrap_or_else(|| panic!("{}", shown.body));
            after.split('"').next().unwrap().to_owned()
        };
        let (action, xsrf) = (value("action"), value("name=\"xsrf\" value"));
        let sent = self.ask(|client| client.post(action).form(&[("xsrf", xsrf.as_str()), ("logout", "yes")]));
        self.follow(page, sent).unwrap_or_else(|page| panic!("not back: {} {}", page.status, page.body))
    }
}

/// Everything that any part of the program has logged in this process, at every level.
pub(crate) fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    struct Ear(Arc<Mutex<Vec<u8>>>);
    impl Write for Ear {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = LOG.get_or_init(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&log);
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || Ear(Arc::clone(&ear)))
            .init();
        log
    });
    Arc::clone(log)
}
