//! What the shell must not do, whoever asks.

use std::fs;
use std::time::Duration;

use cleanshift::ctl::demo::stage::wait_for;

use super::ground::*;

#[test]
fn what_must_be_refused_is() {
    let (stage, _) = stage("");
    let shell = stage.dir.join("bin/cleanshift");
    // Root.
    if rustix::process::geteuid().is_root() {
        let output = std::process::Command::new(&shell).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("refuses to run as root"));
    }
    // A wrong policy: told on the terminal, and on the screen for as long as it stands.
    let wrong = stage.write("wrong.toml", "roles = []\n[watch]\n").unwrap();
    let mut command = stage.command(&shell);
    let mut told = command.arg("--policy").arg(&wrong).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let before = stage.screen.look().unwrap();
    let black = [before.rgb[0], before.rgb[1], before.rgb[2]];
    let drawn = wait_for(|| stage.screen.look().unwrap().count(black) < before.count(black) / 2);
    told.kill().unwrap();
    let output = told.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("wrong.toml:2:2: unknown key `watch`") && said.contains("help: "), "{said}");
    assert!(drawn, "the screen says nothing of it");
    // A virtual reader outside a demo: the badge is not even seen.
    let mut command = stage.command(&shell);
    let log = fs::File::create(stage.dir.join("real.log")).unwrap();
    command.arg("--policy").arg(stage.dir.join("policy.toml")).arg("--state").arg(stage.dir.join("state"));
    let mut real = command.env("CLEANSHIFT_LOG", "info").env("NO_COLOR", "1").stderr(log).spawn().unwrap();
    let said = || fs::read_to_string(stage.dir.join("real.log")).unwrap_or_default();
    assert!(wait_for(|| said().contains("vacant, ready")), "{}", said());
    stage.lay("ana").unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(said().contains("no reader") && !said().contains("challenge"), "{}", said());
    real.kill().unwrap();
    real.wait().unwrap();
}
