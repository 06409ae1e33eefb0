//! A session whose app wants to outlive it: every part of the adversary, seen from outside while the session lasts, and
//! from outside once it is over. What looks is not of the session: the host's list of processes, the files of
//! the prefix, and Windows programs that the test starts beside the station.

use std::fs;
use std::path::{Path, PathBuf};

use cleanshift::ctl::demo::account::Account;
use cleanshift::ctl::demo::stage::wait_for;

use super::ground::{Ground, windows};

const PROGRAM: &str = "adversary.exe";
/// What each part says when it has done what it wants.
const PARTS: [&str; 7] = ["breakaway", "children", "copy", "hold", "keep", "traps", "where"];
const COPIED: &str = "Mrs. Example, ward 4";
const KEPT: &str = "portal of Mrs. Example";

/// The adversary as the build of the tests has left it last: under a name with a number of cargo's.
fn built(place: &Path) -> PathBuf {
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("adversary-") && name.ends_with(".exe")
    };
    let all = fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path()).filter(ours);
    let last = all.max_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok());
    assert!(last.is_some(), "{}: no adversary: run make test-windows, which builds it", place.display());
    last.unwrap()
}

#[test]
#[ignore = "drives the programs for Windows, which `make test-windows` builds"]
fn nothing_of_a_hostile_session_outlives_it() {
    let account = Account::own();
    let files = tempfile::tempdir().unwrap();
    // The account that the station is run as has to come through to what is its own.
    account.give(files.path()).unwrap();
    let place = files.path().join("reports");
    let outside = place.join("outside");
    account.make_dir(&place).unwrap();
    account.make_dir(&outside).unwrap();
    fs::write(outside.join("of-others.txt"), "kept").unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_cleanshiftctl")).ancestors().nth(2).unwrap();
    let program = files.path().join(PROGRAM);
    fs::copy(built(&target.join("windows/x86_64-pc-windows-gnu/debug/examples")), &program).unwrap();
    let (program, words) = (windows(&program), windows(&place));
    let mut ground = Ground::set(&format!(
        "[[apps]]\nname = \"Hostile\"\ncommand = '{program}'\narguments = ['all', '{words}']\n"
    ));
    let look = |ground: &Ground, words: &[&str]| {
        let output = ground.raised(&[]).arg(&program).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };

    let issued = ground.enrol();
    ground.start_shell();
    ground.wait_state(0, "vacant, ready");
    assert_eq!(look(&ground, &["kept", KEPT]), "none");
    assert_ne!(look(&ground, &["paste"]), COPIED);
    assert!(ground.programs(PROGRAM).is_empty());
    let mark = ground.mark();
    ground.lay("ana");
    ground.wait_state(mark, "challenge, PIN");
    ground.first_pin("ana", &issued);
    ground.touch_tile(0);

    // Each part is there, as far as it was not refused.
    let said = |part: &str| fs::read_to_string(place.join(format!("{part}.txt"))).unwrap_or_default();
    let all = wait_for(|| PARTS.iter().all(|part| !said(part).is_empty()));
    assert!(all, "{:?}", PARTS.map(|part| (part, said(part))));
    assert_eq!(said("breakaway"), "refused 5", "a program has left the job");
    assert!(!said("children").contains("refused"), "{}", said("children"));
    // Itself, a process for each of six parts, and two children of one of them.
    assert!(ground.programs(PROGRAM).len() >= 9, "the look is blind: {:?}", ground.programs(PROGRAM));
    assert_eq!((said("copy"), said("keep")), ("left".to_owned(), "left".to_owned()));
    assert_eq!(look(&ground, &["kept", KEPT]), "kept", "the look is blind");
    assert_eq!(look(&ground, &["paste"]), COPIED, "the look is blind");
    let held = ground.files("held.txt");
    let (deep, fixed) = (ground.files("bottom.txt"), ground.files("read-only.txt"));
    assert_eq!(
        (held.len(), deep.len(), fixed.len()),
        (1, 1, 1),
        "the look is blind: {held:?} {deep:?} {fixed:?}"
    );

    let mark = ground.mark();
    ground.emulator.remove(0);
    ground.wait_state(mark, "vacant, ready");
    assert_eq!(ground.programs(PROGRAM), Vec::<u32>::new(), "a program has outlived its session");
    assert_eq!(look(&ground, &["kept", KEPT]), "none", "a credential has outlived its session");
    assert_eq!(look(&ground, &["paste"]), "", "the clipboard has outlived its session");
    for name in ["held.txt", "bottom.txt", "read-only.txt"] {
        assert_eq!(ground.files(name), Vec::<PathBuf>::new(), "a file has outlived its session");
    }
    assert!(outside.join("of-others.txt").exists(), "a way out of the profile was followed");
    ground.stop_shell();
    ground.verified();
    // The receipt says so of each: no gate has found anything that is left.
    let log = ground.log();
    let handoff = log.iter().rev().map(|entry| &entry["receipt"]["handoff"]);
    let receipt = handoff.into_iter().find(|facts| facts["trigger"] == "badge-out").unwrap();
    let gates = receipt["after"].as_array().unwrap();
    for name in ["processes", "credentials", "clipboard"] {
        let gate = gates.iter().find(|gate| gate["gate"] == name).unwrap();
        assert_eq!(gate["answer"], "absent", "{gate}");
    }
}
