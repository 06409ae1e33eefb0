//! The house's rules, read from the text: who may name whom, where the systems differ, where the
//! unsafe lives. Each rule is shown to fail on a planted line.

#![expect(clippy::unwrap_used, reason = "sources that cannot be read fail the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// A module and the crate's modules that it may name.
const MAY_NAME: [(&str, &[&str]); 15] = [
    ("handoff", &["handoff"]),
    ("pin", &["pin"]),
    ("policy", &["policy", "handoff"]),
    ("evidence", &["evidence"]),
    ("ports", &["ports", "handoff", "pin"]),
    ("badge", &["badge", "ports"]),
    ("roster", &["roster", "handoff", "pin", "ports", "private"]),
    ("revoke", &["revoke", "policy", "ports", "private"]),
    ("store", &["store", "evidence", "handoff", "now", "ports", "private"]),
    // What every part may need of the system it runs on, and no more of it than this.
    ("private", &["platform"]),
    ("now", &["platform", "ports"]),
    ("driver", &["driver", "handoff", "pin", "ports"]),
    // The screens read receipts (evidence), show what the gates and the ledger said (ports' plain
    // data, as the scene carries it) and lend the keypad its home (pin).
    ("ui", &["ui", "handoff", "driver", "evidence", "pin", "ports"]),
    ("platform", &["platform", "policy", "handoff", "pin", "ports"]),
    ("manual", &["manual"]),
];

/// What the core must not touch: the world.
const WORLD: [&str; 10] = [
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "tokio",
    "serde",
    "iced",
    "async ",
];

/// How code tells the systems apart.
const SYSTEMS: [&str; 8] = [
    "cfg(target_os",
    "cfg(unix",
    "cfg(windows",
    "cfg(target_family",
    "cfg(not(unix",
    "cfg(not(windows",
    "cfg(not(target_os",
    "cfg_attr(windows",
];

/// What is there on one system alone.
const OF_A_SYSTEM: [&str; 9] = [
    "std::os::",
    "rustix::",
    "libc::",
    "x11rb::",
    "zbus::",
    "httparse::",
    "windows_sys::",
    "tokio::signal::unix",
    "platform::linux",
];

/// Where the parts outside platform/ lie that are built on one system alone.
const ON_ONE_SYSTEM: [&str; 16] = [
    "src/ctl/demo/",
    "src/ctl/drill/",
    "src/ctl/kiosk/",
    "src/ctl/linux.rs",
    "src/ctl/windows.rs",
    "src/ctl/doctor/capsule.rs",
    "src/ctl/doctor/display.rs",
    "src/ctl/doctor/files.rs",
    "src/ctl/doctor/host.rs",
    "src/ctl/doctor/keys.rs",
    "src/ctl/doctor/linux.rs",
    "src/ctl/doctor/memory.rs",
    "src/ctl/doctor/readers.rs",
    "src/ctl/doctor/state.rs",
    "src/ctl/doctor/windows",
    "src/shell/",
];

/// Words that the design has better ones for.
const AVOIDED: [&str; 7] = ["logout", "Manager", "Handler", "_helper", "helpers", "fn wipe_", "kiosk mode"];

/// What Windows calls its own parts.
const OF_WINDOWS: [&str; 8] = [
    "ActivityManager",
    "Credential Manager",
    "CtrlHandler",
    "DeliveryManager",
    "PolicyManager",
    "SCManager",
    "Session Manager",
    "Task Manager",
];

struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut places = vec![PathBuf::from("src")];
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&place)).unwrap().flatten() {
            let path = place.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                places.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(entry.path()).unwrap();
                found.push(Source { path: path.display().to_string(), text });
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The lines that are code, with their numbers.
fn code(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

fn module(source: &Source) -> &str {
    let rest = source.path.strip_prefix("src/").unwrap_or(&source.path);
    rest.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn broken(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |line: usize, what: String| found.push(format!("{}:{line}: {what}", source.path));
    if !source.text.starts_with("//!") {
        say(1, "a file begins with what it promises (//!)".to_owned());
    }
    if source.text.lines().count() > 600 {
        say(601, "over 600 lines: does it still hold one thing?".to_owned());
    }
    let own = module(source);
    let allowed = MAY_NAME.iter().find(|(name, _)| *name == own).map(|(_, allowed)| *allowed);
    // Tests beside the code may put parts together.
    let is_test = source.path.ends_with("tests.rs");
    let mut in_tests = is_test;
    for (number, line) in code(source) {
        in_tests |= line.starts_with("#[cfg(test)]");
        if let Some(allowed) = allowed
            && !in_tests
        {
            for part in line.split("crate::").skip(1) {
                let named: String =
                    part.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                if !named.is_empty() && !allowed.contains(&named.as_str()) {
                    say(number, format!("{own} may not name {named}"));
                }
            }
        }
        if line.contains("super::super") {
            say(number, "super::super slips past the rules".to_owned());
        }
        if own == "handoff"
            && let Some(world) = WORLD.iter().find(|world| line.contains(*world))
        {
            say(number, format!("the core does not know {world}"));
        }
        let platform = own == "platform" || own == "bin";
        if let Some(word) = SYSTEMS.iter().find(|word| line.contains(**word))
            && !platform
        {
            say(number, format!("`{word}`: the systems differ under platform/ alone"));
        }
        // What is one system's alone outside platform/ is declared by a macro of platform/: the compiler leaves it
        // out on the other, so that what it names need not be there.
        let one_system = ON_ONE_SYSTEM.iter().any(|place| source.path.starts_with(place));
        if let Some(word) = OF_A_SYSTEM.iter().find(|word| line.contains(**word))
            && !platform
            && !one_system
            && !in_tests
        {
            say(number, format!("`{word}` is there on one system alone: ask platform/"));
        }
        if line.contains("unsafe ") && !platform {
            say(number, "unsafe lives under platform/ alone".to_owned());
        }
        let proof = matches!(own, "handoff" | "roster") || source.path.contains("rehearsal");
        if line.contains("PinVerified::of") && !proof && !in_tests {
            say(number, "only the PIN check makes the proof of a PIN".to_owned());
        }
        // What others have named, on a bus or in a protocol, is called as they call it.
        if let Some(word) = AVOIDED.iter().find(|word| line.contains(*word))
            && !line.contains("org.freedesktop.")
            && !line.contains("post_logout_redirect_uri")
            && !OF_WINDOWS.iter().any(|name| line.contains(name))
            // Browsers have words of their own for their policies.
            && !source.path.contains("linux/browser/")
        {
            say(number, format!("`{word}`: the design has a better word"));
        }
    }
    found
}

#[test]
fn the_house_keeps_its_rules() {
    let found: Vec<_> = sources().iter().flat_map(broken).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_rule_can_fail() {
    let planted = [
        ("src/handoff/x.rs", "//! x\nuse crate::driver::Scene;", "may not name driver"),
        ("src/handoff/x.rs", "//! x\nuse std::time::Instant;", "does not know std::time"),
        ("src/ui/x.rs", "//! x\nuse crate::store::Store;", "may not name store"),
        ("src/badge/x.rs", "//! x\nuse crate::roster::Directory;", "may not name roster"),
        ("src/store/x.rs", "//! x\n#[cfg(target_os = \"linux\")]", "under platform/ alone"),
        ("src/store/x.rs", "//! x\n#[cfg(unix)]", "under platform/ alone"),
        ("src/store/x.rs", "//! x\n#[cfg(windows)]", "under platform/ alone"),
        ("src/ctl/demo/x.rs", "//! x\n#[cfg(not(unix))]", "under platform/ alone"),
        ("src/store/x.rs", "//! x\nuse std::os::unix::fs::MetadataExt;", "on one system alone"),
        ("src/store/x.rs", "//! x\nlet x = rustix::fs::statvfs(y);", "on one system alone"),
        ("src/ctl/x.rs", "//! x\nuse windows_sys::Win32::Foundation::HANDLE;", "on one system alone"),
        ("src/ctl/x.rs", "//! x\nuse crate::platform::linux::host;", "on one system alone"),
        ("src/private.rs", "//! x\nuse crate::store::Store;", "may not name store"),
        ("src/store/x.rs", "//! x\nunsafe { x() };", "unsafe lives"),
        ("src/driver/x.rs", "//! x\nlet proof = PinVerified::of(id);", "only the PIN check"),
        ("src/store/x.rs", "fn x() {}", "begins with what it promises"),
        ("src/store/x.rs", "//! x\nuse super::super::y;", "super::super"),
        ("src/store/x.rs", "//! x\nstruct StoreManager;", "better word"),
    ];
    for (path, text, rule) in planted {
        let found = broken(&Source { path: path.to_owned(), text: text.to_owned() });
        assert!(
            found.iter().any(|found| found.contains(rule)),
            "{rule}: not seen in {text:?}, only {found:?}"
        );
    }
    let long = Source { path: "src/store/x.rs".to_owned(), text: format!("//! x\n{}", "\n".repeat(700)) };
    assert!(broken(&long).iter().any(|found| found.contains("600 lines")));
}

/// The tests that a text of the manual names, as `tests/file.rs::test`, that are not there.
fn missing_tests(text: &str) -> Vec<String> {
    let named = text.split('`').filter(|part| part.starts_with("tests/") && part.contains("::"));
    let missing = named.filter(|name| {
        let (file, test) = name.split_once("::").unwrap_or_default();
        let there = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default();
        !there.contains(&format!("#[test]\nfn {test}("))
    });
    missing.map(str::to_owned).collect()
}

#[test]
fn the_manual_names_tests_that_exist() {
    assert_eq!(missing_tests("`tests/architecture.rs::no_such_test`").len(), 1, "the look is blind");
    let manual = sources().into_iter().filter(|source| source.path.starts_with("src/manual/"));
    let missing: Vec<_> = manual.flat_map(|source| missing_tests(&source.text)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let failures = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/failures.rs"));
    let rows = (1..=17).filter(|row| failures.as_ref().unwrap().contains(&format!("//! | {row} | "))).count();
    assert_eq!(rows, 17, "a known failure has no row");
}
