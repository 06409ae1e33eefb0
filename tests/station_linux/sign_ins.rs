//! An operator who signs in at a provider in her session's own browser, and what is left of that when another
//! takes over: real Chromium, a certified provider in a process of its own, and a copy of her token.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use serde_json::{Value, json};

use super::ground::*;
use super::memory::find;

/// oidc-provider with a resource server beside it; it ends with its standard input.
struct Provider {
    child: Child,
    _input: ChildStdin,
    port: u16,
}

impl Provider {
    fn start(stage: &Stage) -> Self {
        let output = stage.ctl(&["sign-in", "key", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let jwks: Value = serde_json::from_slice(&output.stdout).unwrap();
        let config =
            stage.write("provider.json", &json!({ "jwks": jwks, "dpop": false }).to_string()).unwrap();
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provider/server.mjs"));
        node.arg(modules()).arg(config).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().strip_prefix("PORT ")?.parse().ok());
        assert!(port.is_some(), "the provider did not start: run packaging/setup.sh test");
        let input = child.stdin.take().unwrap();
        Self { child, _input: input, port: port.unwrap() }
    }

    /// The status and the body that are answered to a request.
    fn ask(&self, path: &str, token: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let host = format!("Host: 127.0.0.1:{}\r\nConnection: close", self.port);
        write!(stream, "GET {path} HTTP/1.0\r\n{host}\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// What the resource server answers to this token.
    fn api(&self, token: &str) -> u16 {
        self.ask("/api", token).0
    }

    /// The paths that were asked for, in order.
    fn log(&self) -> Vec<String> {
        let log: Vec<Value> = serde_json::from_str(&self.ask("/log", "").1).unwrap();
        log.iter().map(|line| line["path"].as_str().unwrap().to_owned()).collect()
    }

    fn was_asked(&self, path: &str) -> bool {
        self.log().iter().any(|asked| asked.starts_with(path))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn modules() -> PathBuf {
    let beside =
        || Path::new(env!("CARGO_BIN_EXE_cleanshiftctl")).ancestors().nth(2).unwrap().join("provider");
    std::env::var_os("CLEANSHIFT_PROVIDER").map_or_else(beside, PathBuf::from).join("node_modules")
}

/// Asks for the token as a command-line client does, until it is there, and calls the resource server with it.
const CONSOLE: &str = r#"
until token=$(/session/cleanshift-init token "$2/api"); do sleep 0.2; done
printf %s "$token" >"$1/token"
python3 - "$2/api" "$token" >"$1/status.part" <<'E'
import sys, urllib.request as ask
print(ask.urlopen(ask.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})).status)
E
mv "$1/status.part" "$1/status"
exec sleep 600
"#;

/// Files in the stage's directory that hold this text.
fn holding(stage: &Stage, text: &str) -> Vec<PathBuf> {
    let (mut found, mut places) = (Vec::new(), vec![stage.dir.clone()]);
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                places.push(entry.path());
            } else if memchr::memmem::find(&fs::read(entry.path()).unwrap_or_default(), text.as_bytes())
                .is_some()
            {
                found.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn a_copy_of_her_token_is_refused_after_the_takeover() {
    let (mut stage, issued) = stage("reach = [\"127.0.0.1:1\"]\n");
    let provider = Provider::start(&stage);
    let issuer = format!("http://127.0.0.1:{}", provider.port);
    let page = stage.page.port;
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    let reach = format!("[\"127.0.0.1:{}\", \"127.0.0.1:{page}\"]", provider.port);
    stage.write("policy.toml", &policy.replace("[\"127.0.0.1:1\"]", &reach)).unwrap();
    stage.write("profile/console.sh", CONSOLE).unwrap();
    // The provider and the station's address are let through by the sign-in, not by hosts of the app.
    let chart =
        format!("[[apps]]\nname = \"Chart\"\nkind = \"web\"\nurl = \"http://127.0.0.1:{page}/guides\"\n");
    add(&stage, &chart);
    let console = ["/session/home/console.sh".to_owned(), shared(&stage.dir), issuer.clone()];
    add(&stage, &format!("{}network = true\n", app(&stage, "Console", "sh", &console)));
    add(
        &stage,
        &format!(
            "[[sign_in]]\nname = \"Hospital\"\nissuer = \"{issuer}\"\nclient = \"cleanshift\"\nhow = \"browser\"\n\
             app = \"Chart\"\nscopes = [\"openid\", \"chart\"]\naudience = \"{issuer}/api\"\n"
        ),
    );
    up(&mut stage);
    let mark = stage.mark();
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();

    // Her browser has come up with the provider's page; she types her name there, and is sent to the chart.
    assert!(wait_for(|| provider.was_asked("/interaction/")), "{:?}", provider.log());
    stage.wait_state(mark, "attended, 1 windows").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    stage.screen.type_text("ana\n").unwrap();
    assert!(wait_for(|| provider.was_asked("/token")), "she did not come to sign in: {:?}", provider.log());
    assert!(wait_for(|| stage.page.requests().iter().any(|asked| asked.contains("/guides"))), "not sent on");

    // A command-line client in her session has the token from there.
    stage.screen.touch(APPS.0, APPS.1).unwrap();
    touch_tile(&stage, 1);
    let told = |name: &str| fs::read_to_string(stage.dir.join("shared").join(name)).unwrap_or_default();
    assert!(wait_for(|| !told("status").is_empty()), "no token came: {}", told("token"));
    assert_eq!(told("status").trim(), "200");
    let token = told("token");
    assert_eq!(provider.api(&token), 200);
    assert_eq!(
        holding(&stage, &token),
        [stage.dir.join("shared/token")],
        "the look is blind, or it was written"
    );
    fs::remove_file(stage.dir.join("shared/token")).unwrap();

    // The shell keeps it sealed: nothing of it stands in its memory, where the look sees whom it was got from.
    if rustix::process::geteuid().is_root() {
        let shell = stage.shell_pid().unwrap();
        assert!(!find(shell, &issuer).is_empty(), "the look does not see into the shell");
        assert!(wait_for(|| find(shell, &token).is_empty()), "{:#?}", find(shell, &token));
    }

    let mark = stage.mark();
    stage.lay_on(1, "ben").unwrap();
    stage.wait_state(mark, "challenge, PIN").unwrap();
    assert!(wait_for(|| last_handoff(&stage).contains("\"takeover\"")), "{}", last_handoff(&stage));
    assert_eq!(provider.api(&token), 401, "a copy of her token is still good");
    let receipt = last_handoff(&stage);
    let told: Value = serde_json::from_str(&receipt).unwrap();
    let ends = told["receipt"]["tokens"].as_array().unwrap();
    let state =
        |kind: &str| ends.iter().find(|end| end["kind"] == kind).map(|end| end["state"].as_str().unwrap());
    assert_eq!(state("provider session"), Some("acknowledged"), "{ends:#?}");
    assert_eq!(
        (state("refresh token"), state("access token")),
        (Some("proved"), Some("proved")),
        "{ends:#?}"
    );
    // Her browser took leave behind the cover, before the tokens were revoked.
    let asked = provider.log();
    let place = |what: &str| asked.iter().position(|asked| asked.starts_with(what)).unwrap();
    assert!(place("/session/end/confirm") < place("/token/revocation"), "{asked:?}");
    assert_eq!(holding(&stage, &token), Vec::<PathBuf>::new(), "her token was written down");
    verified(&stage);
}
