//! An operator who signs in at a provider in her session's own browser, and what is left of that when another
//! takes over: real Chromium, a certified provider in a process of its own, and a copy of her token.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cleanshift::ctl::demo::provider::Provider;
use cleanshift::ctl::demo::shift::own_pin;
use cleanshift::ctl::demo::stage::{Stage, wait_for};
use serde_json::Value;

use super::ground::*;
use super::memory::find;

/// A provider that knows the stage's station. The stage must have its policy.
fn provider(stage: &Stage) -> Provider {
    let there = Provider::start(stage).unwrap();
    assert!(there.is_some(), "no provider is installed: run packaging/setup.sh test");
    there.unwrap()
}

fn was_asked(provider: &Provider, what: &str) -> bool {
    provider.answered(what).unwrap() > 0
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
    let provider = provider(&stage);
    let issuer = provider.issuer();
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
             app = \"Chart\"\nscopes = [\"openid\", \"chart\"]\naudience = \"{issuer}/api\"\nbearer = true\n"
        ),
    );
    up(&mut stage);
    let mark = stage.mark();
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();

    // Her browser has come up with the provider's page; she types her name there, and is sent to the chart.
    assert!(wait_for(|| was_asked(&provider, "GET /interaction/")), "{:?}", provider.log().unwrap());
    stage.wait_state(mark, "attended, 1 windows").unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    stage.screen.type_text("ana\n").unwrap();
    assert!(
        wait_for(|| was_asked(&provider, "POST /token")),
        "she did not come to sign in: {:?}",
        provider.log().unwrap()
    );
    assert!(wait_for(|| stage.page.requests().iter().any(|asked| asked.contains("/guides"))), "not sent on");

    // A command-line client in her session has the token from there.
    stage.screen.touch(APPS.0, APPS.1).unwrap();
    touch_tile(&stage, 1);
    let told = |name: &str| fs::read_to_string(stage.dir.join("shared").join(name)).unwrap_or_default();
    assert!(wait_for(|| !told("status").is_empty()), "no token came: {}", told("token"));
    assert_eq!(told("status").trim(), "200");
    let token = told("token");
    assert_eq!(provider.api(&token).unwrap(), 200);
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
    assert_eq!(provider.api(&token).unwrap(), 401, "a copy of her token is still good");
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
    let asked = provider.log().unwrap();
    let place = |what: &str| asked.iter().position(|asked| asked.starts_with(what)).unwrap();
    assert!(place("GET /session/end") < place("POST /token/revocation"), "{asked:?}");
    assert_eq!(holding(&stage, &token), Vec::<PathBuf>::new(), "her token was written down");
    verified(&stage);
}

/// A station that signs its operators in by its own word, with a console that copies the token; and the provider.
fn asserting(revoke: &str) -> (Stage, Vec<(String, String)>, Provider) {
    let (stage, issued) = stage("reach = [\"127.0.0.1:1\"]\n");
    let provider = provider(&stage);
    let policy = fs::read_to_string(stage.dir.join("policy.toml")).unwrap();
    stage.write("profile/console.sh", CONSOLE).unwrap();
    stage.write("policy.toml", &provider.in_policy(&policy, false)).unwrap();
    let console = ["/session/home/console.sh".to_owned(), shared(&stage.dir), provider.issuer()];
    add(&stage, &format!("{}network = true\n", app(&stage, "Console", "sh", &console)));
    add(&stage, &format!("[revoke]\n{revoke}\n"));
    (stage, issued, provider)
}

/// The token that the console of whoever is at work has copied; it is good.
fn copied(stage: &Stage, provider: &Provider) -> String {
    let told = |name: &str| fs::read_to_string(stage.dir.join("shared").join(name)).unwrap_or_default();
    drop(fs::remove_file(stage.dir.join("shared/status")));
    touch_tile(stage, 0);
    assert!(wait_for(|| !told("status").is_empty()), "no token came");
    let token = told("token");
    assert_eq!(provider.api(&token).unwrap(), 200);
    token
}

fn states(entry: &Value) -> Vec<String> {
    let word = |end: &Value, name: &str| end[name].as_str().unwrap().to_owned();
    let ends = entry["tokens"].as_array().into_iter().flatten();
    ends.map(|end| format!("{} {}", word(end, "kind"), word(end, "state"))).collect()
}

#[test]
fn an_outage_holds_nobody_up_and_is_settled_later() {
    let (mut stage, issued, provider) = asserting("late = \"open\"\nafter = \"1 s\"");
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let token = copied(&stage, &provider);
    provider.fail(true).unwrap();
    let mark = stage.mark();
    stage.emulator.remove(0);
    // The station opens all the same, and says that it does not know her tokens to be ended.
    stage.wait_state(mark, "vacant, ready").unwrap();
    let handoff = newest(&stage, "handoff");
    assert_eq!(states(&handoff), ["refresh token pending", "access token pending"], "{handoff}");
    let gates = handoff["handoff"]["after"].as_array().unwrap();
    let remote = gates.iter().find(|gate| gate["class"] == 28).unwrap();
    assert_eq!(remote["answer"], "setting", "{remote}");
    assert_eq!(provider.api(&token).unwrap(), 200, "the receipt says pending, and it is ended");
    let pending = || String::from_utf8(stage.ctl(&["log", "pending"]).output().unwrap().stdout).unwrap();
    assert!(pending().contains("Example Hospital"), "{}", pending());
    // The provider is back: what was left is ended, and an entry of its own says so.
    provider.fail(false).unwrap();
    assert!(wait_for(|| provider.api(&token).unwrap() == 401), "nothing was tried again");
    let settled = || log(&stage).into_iter().filter(|entry| entry["receipt"]["kind"] == "settled");
    let all = || settled().flat_map(|entry| states(&entry["receipt"])).collect::<Vec<_>>();
    let proved = |what: &str| all().contains(&format!("{what} proved"));
    assert!(wait_for(|| proved("refresh token") && proved("access token")), "{:?}", all());
    for entry in settled() {
        assert_eq!(entry["receipt"]["about"]["entry"], handoff["index"], "{entry}");
    }
    assert!(wait_for(|| !pending().contains("Example Hospital")), "{}", pending());
    verified(&stage);
}

#[test]
fn a_held_station_waits_for_the_end_of_every_token_or_a_supervisor() {
    let (mut stage, issued, provider) = asserting("late = \"hold\"");
    up(&mut stage);
    // The supervisor has her own PIN before she is needed.
    stage.tap("sofia").unwrap();
    stage.first_pin("sofia", &issued).unwrap();
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let token = copied(&stage, &provider);
    provider.fail(true).unwrap();
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "held").unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(!stage.was(mark, "vacant"), "the station opened over a token that is good");
    assert!(states(&newest(&stage, "handoff")).iter().all(|state| !state.contains("pending")));
    // A supervisor answers for it.
    let mark = stage.mark();
    stage.lay("sofia").unwrap();
    stage.wait_state(mark, "held, PIN").unwrap();
    stage.screen.type_text(&format!("{}\n", own_pin("sofia"))).unwrap();
    stage.wait_state(mark, "vacant").unwrap();
    assert_eq!(newest(&stage, "released")["operator"]["key"], "sofia");
    let handoff = newest(&stage, "handoff");
    assert_eq!(handoff["operator"]["key"], "ana");
    assert!(states(&handoff).contains(&"access token pending".to_owned()), "{handoff}");
    stage.wait_state(mark, "vacant, ready").unwrap();
    provider.fail(false).unwrap();
    assert!(wait_for(|| provider.api(&token).unwrap() == 401));
    verified(&stage);
}

#[test]
fn a_fresh_start_ends_everything_and_asks_for_the_pin_again() {
    let (mut stage, issued, provider) = asserting("late = \"open\"");
    up(&mut stage);
    stage.tap("ana").unwrap();
    stage.first_pin("ana", &issued).unwrap();
    let token = copied(&stage, &provider);
    let mark = stage.mark();
    stage.screen.touch(FRESH.0, FRESH.1).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    assert!(!stage.was(mark, "clean-up"), "one touch ended the session");
    stage.screen.touch(MEANT.0, MEANT.1).unwrap();
    stage.wait_state(mark, "challenge, PIN").unwrap();
    let handoff = newest(&stage, "handoff");
    assert_eq!(handoff["handoff"]["trigger"], "fresh-start");
    assert_eq!(handoff["operator"]["key"], "ana");
    assert_eq!(provider.api(&token).unwrap(), 401, "the old token is good in the new session");
    // Her badge has stayed; the PIN alone is asked for, and another token comes.
    let wrong = if own_pin("ana") == "111111" { "222222" } else { "111111" };
    stage.screen.type_text(&format!("{wrong}\n")).unwrap();
    assert!(wait_for(|| newest(&stage, "denied")["operator"]["key"] == "ana"), "no PIN is asked for");
    std::thread::sleep(Duration::from_millis(400));
    stage.pin("ana").unwrap();
    assert_ne!(copied(&stage, &provider), token);
    verified(&stage);
}
