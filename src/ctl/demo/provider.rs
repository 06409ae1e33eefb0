//! A certified OpenID provider on this machine for the demo: where the operators of a stage are signed in. It is
//! there where `packaging/setup.sh test` has installed it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::account::{Account, Part};
use super::stage::Stage;

/// What stands around the provider itself: a login form that takes any name, and a resource server.
const SERVER: &str = include_str!("../../../tests/provider/server.mjs");
/// The station's client id there.
const CLIENT: &str = "cleanshift";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running provider; it ends with the stage.
pub struct Provider {
    _part: Part,
    _input: Option<ChildStdin>,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Provider {
    /// Starts a provider that knows the stage's station by its key. The stage must have a policy. `None` where no
    /// provider is installed.
    ///
    /// # Errors
    /// When it is installed and does not come up.
    pub fn start(stage: &Stage) -> io::Result<Option<Self>> {
        let Some(modules) = modules() else { return Ok(None) };
        let key = stage.ctl(&["sign-in", "key", "--json"]).output()?;
        if !key.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&key.stderr).into_owned()));
        }
        let key: Value = serde_json::from_slice(&key.stdout)?;
        let server = stage.write("provider.mjs", SERVER)?;
        let config = json!({ "jwks": key, "client": CLIENT });
        let config = stage.write("provider.json", &config.to_string())?;
        // As this process' own account: the stage's may not be able to read where it is installed.
        let mut command = Account::own().part("node");
        let _ = command.arg(server).arg(modules).arg(config);
        let _ = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut part = Part::start(command)?;
        let input = part.0.stdin.take();
        let lines = part.0.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let port = lines
            .into_iter()
            .flatten()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("PORT ")?.parse().ok())
            .ok_or_else(|| io::Error::other("the provider did not come up: run packaging/setup.sh test"))?;
        Ok(Some(Self { _part: part, _input: input, port }))
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The policy with a sign-in at this provider: in the browser of its app `Chart`, or by the station's word.
    #[must_use]
    pub fn in_policy(&self, policy: &str, browser: bool) -> String {
        let issuer = self.issuer();
        let how = if browser { "how = \"browser\"\napp = \"Chart\"" } else { "how = \"assertion\"" };
        let reach = "reach = [";
        policy.replacen(reach, &format!("{reach}\"127.0.0.1:{}\", ", self.port), 1)
            + &format!(
                "\n[[sign_in]]\nname = \"Example Hospital\"\nissuer = \"{issuer}\"\nclient = \"{CLIENT}\"\n\
                 {how}\n\
                 # Bound to no key, so that a copy of one can be seen to work before the handoff.\nbearer = true\nscopes = [\"openid\", \"chart\"]\naudience = \"{}\"\n",
                self.audience()
            )
    }

    /// Whom its access tokens are for.
    #[must_use]
    pub fn audience(&self) -> String {
        format!("{}/api", self.issuer())
    }

    /// What its resource server answers to a copy of a token.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn api(&self, token: &str) -> io::Result<u16> {
        let answer = self.ask(&format!("GET /api HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n"))?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| io::Error::other("the resource server answered nothing"))
    }

    /// What it was asked for and has answered with 200, in order: `POST /token`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn log(&self) -> io::Result<Vec<String>> {
        let log = self.ask("GET /log HTTP/1.0\r\n\r\n")?;
        let lines = log.rsplit_once("\r\n\r\n").map_or("", |(_, body)| body);
        let lines: Vec<Value> = serde_json::from_str(lines).unwrap_or_default();
        let good = |line: &&Value| line.get("status").and_then(Value::as_u64) == Some(200);
        let text = |line: &Value, name| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let told = |line: &Value| format!("{} {}", text(line, "method"), text(line, "path"));
        Ok(lines.iter().filter(good).map(told).collect())
    }

    /// How often it was asked for this, a method and the beginning of a path.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn answered(&self, what: &str) -> io::Result<usize> {
        Ok(self.log()?.iter().filter(|asked| asked.starts_with(what)).count())
    }

    /// From now on every request is answered with 503 but for `api`, or no longer.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn fail(&self, fails: bool) -> io::Result<()> {
        let order = json!({ "outage": fails.then(|| json!({ "status": 503 })) }).to_string();
        let head = format!("POST /control HTTP/1.0\r\nContent-Length: {}\r\n\r\n", order.len());
        self.ask(&(head + &order)).map(drop)
    }

    fn ask(&self, request: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// Where the provider is installed: beside the programs, or where `CLEANSHIFT_PROVIDER` says.
fn modules() -> Option<PathBuf> {
    let named = std::env::var_os("CLEANSHIFT_PROVIDER").map(PathBuf::from);
    let here = std::env::current_exe().ok()?;
    let beside = here.ancestors().skip(1).map(|place| place.join("provider"));
    let mut places = named.into_iter().chain(beside).map(|place| place.join("node_modules"));
    places.find(|place| place.join("oidc-provider").is_dir())
}
