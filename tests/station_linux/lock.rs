//! The lock's own failures: what other lock screens showed, let in or forgot (`src/manual/failures.rs`).

use cleanshift::ctl::demo::stage::wait_for;
use rustix::process::Signal;

use super::ground::*;

#[test]
fn a_cover_that_is_not_confirmed_kills_the_session() {
    let (stage, _) = painted();
    assert!(
        contained(&stage).iter().any(|name| name == "xterm"),
        "the look is blind: {:?}",
        contained(&stage)
    );
    // The display server answers nobody: nothing can be covered, and nothing new be shown.
    signal(stage.display_pid(), Signal::STOP);
    let mark = stage.mark();
    stage.emulator.remove(0);
    let gone = wait_for(|| contained(&stage).is_empty());
    let barred = stage.wait_state(mark, "quarantine");
    signal(stage.display_pid(), Signal::CONT);
    assert!(gone, "left behind a display that does not answer: {:?}", contained(&stage));
    barred.unwrap();
    assert!(said(&stage, mark, "failed to cover; the capsule is killed"));
    assert!(said(&stage, mark, "not clean: It could not be checked: cover"), "it does not say why");
    // Once the server answers, nothing of the session shows, and the station comes back by itself.
    assert!(wait_for(|| painted_pixels(&stage) == 0));
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert_eq!(painted_pixels(&stage), 0);
    assert!(last_handoff(&stage).contains("badge-out"), "{}", last_handoff(&stage));
    verified(&stage);
}
