//! What the shell's own memory still holds after a handoff, read from outside by root.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use memchr::memmem;

use super::ground::*;

/// A PIN that is found nowhere by chance.
const PIN: &str = "583920174655";
/// What a window of the session is called.
const TITLE: &str = "Mustermann Erika 1948-02-29";
/// What stands on the app's page.
const PAGE: &str = "haemoglobin 7 point 3";
/// What the session puts into its keyring.
const SECRET: &str = "correct horse battery staple";

/// The writable memory of a process, part by part.
fn memory(pid: u32) -> Vec<(String, Vec<u8>)> {
    let (Ok(maps), Ok(memory)) =
        (fs::read_to_string(format!("/proc/{pid}/maps")), File::open(format!("/proc/{pid}/mem")))
    else {
        return Vec::new();
    };
    let part = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let at = |text: &str| u64::from_str_radix(text, 16).ok();
        let mut bytes = vec![0; usize::try_from(at(to)? - at(from)?).ok()?];
        let readable = rest.starts_with("rw") && memory.read_exact_at(&mut bytes, at(from)?).is_ok();
        readable.then(|| (line.to_owned(), bytes))
    };
    maps.lines().filter_map(part).collect()
}

/// Where a text stands in a process: as bytes, and as wide characters of 16 and 32 bits.
pub(crate) fn find(pid: u32, text: &str) -> Vec<String> {
    let wide: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
    let wider: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0, 0, 0]).collect();
    let needles = [text.as_bytes(), &wide, &wider];
    let found =
        |(_, bytes): &(String, Vec<u8>)| needles.iter().any(|needle| memmem::find(bytes, needle).is_some());
    memory(pid).into_iter().filter(found).map(|(place, _)| place).collect()
}

/// Where the digits of a PIN stand one after the other at equal distances, as events of a keyboard
/// would: as characters, as numbers, or by the numbers of their keys.
fn find_keys(pid: u32, pin: &str) -> Vec<String> {
    let digits: Vec<u8> = pin.bytes().map(|byte| byte - b'0').collect();
    let ways: [Vec<u8>; 3] = [
        pin.bytes().collect(),
        digits.clone(),
        digits.iter().map(|digit| if *digit == 0 { 19 } else { digit + 9 }).collect(),
    ];
    let at = |bytes: &[u8], way: &[u8], place: usize, step: usize| {
        way.iter().enumerate().skip(1).all(|(number, key)| bytes.get(place + number * step) == Some(key))
    };
    let found = |(_, bytes): &(String, Vec<u8>)| {
        let stands = |way: &Vec<u8>| {
            memchr::memchr_iter(way[0], bytes).any(|place| (1..=256).any(|step| at(bytes, way, place, step)))
        };
        ways.iter().any(stands)
    };
    memory(pid).into_iter().filter(found).map(|(place, _)| place).collect()
}

/// The processes of the session.
fn session(stage: &Stage) -> Vec<u32> {
    let ours = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let depth = status.lines().find(|line| line.starts_with("NSpid:")).unwrap_or_default();
        status.contains(&format!("Uid:\t{}\t", stage.account.uid())) && depth.split_whitespace().count() > 2
    };
    let pids = fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
}

#[test]
fn the_shell_forgets_what_passed_through_it() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: to read another program's memory needs root");
        return;
    }
    let (mut stage, issued) = stage("");
    let script = format!(
        "printf '\\033]2;{TITLE}\\007{PAGE}\\n'; printf '%s' '{SECRET}' | secret-tool store --label=x a b; exec sleep 600"
    );
    stage.write("profile/chart.sh", &script).unwrap();
    let arguments = ["-e", "sh", "/session/home/chart.sh"].map(str::to_owned);
    add(&stage, &app(&stage, "Chart", "xterm", &arguments));
    up(&mut stage);
    let shell = stage.shell_pid().unwrap();
    stage.tap("ana").unwrap();
    let one_time = issued.iter().find(|row| row.0 == "ana").unwrap().1.clone();
    let mark = stage.mark();
    stage.screen.type_text(&format!("{one_time}\n")).unwrap();
    stage.wait_state(mark, "challenge, new PIN").unwrap();
    stage.screen.type_text(PIN).unwrap();
    assert!(wait_for(|| !find(shell, PIN).is_empty()), "the look does not see a PIN that is being typed");
    assert!(!find_keys(shell, PIN).is_empty());
    stage.screen.type_text("\n").unwrap();
    stage.wait_state(mark, "challenge, new PIN again").unwrap();
    stage.screen.type_text(&format!("{PIN}\n")).unwrap();
    stage.wait_state(mark, "attended").unwrap();
    touch_tile(&stage, 0);
    // The title has come to the bar; the page and the secret are in the session, where the look sees them.
    assert!(wait_for(|| !find(shell, TITLE).is_empty()), "the look does not see the title on the bar");
    let inside = |text: &str| session(&stage).into_iter().any(|pid| !find(pid, text).is_empty());
    assert!(
        wait_for(|| inside(PAGE)) && wait_for(|| inside(SECRET)),
        "the look does not see into the session"
    );
    let mark = stage.mark();
    stage.emulator.remove(0);
    stage.wait_state(mark, "vacant, ready").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let left: Vec<_> =
        [("PIN", PIN), ("one-time PIN", &one_time), ("title", TITLE), ("page", PAGE), ("secret", SECRET)]
            .into_iter()
            .filter(|(what, _)| *what != "one-time PIN")
            .map(|(what, text)| (what, find(shell, text)))
            .chain([("keys of the PIN", find_keys(shell, PIN))])
            .filter(|(_, places)| !places.is_empty())
            .collect();
    assert!(left.is_empty(), "the shell still holds: {left:#?}");
    verified(&stage);
    // Nor was it written down: the receipts tell of the session, and of nothing that it showed or was told.
    let receipts = stage.ctl(&["log", "export", "--format", "jsonl"]).output().unwrap().stdout;
    let told = |text: &str| memchr::memmem::find(&receipts, text.as_bytes()).is_some();
    assert!(told(r#""trigger":"badge-out""#), "the look does not see the receipt");
    let written: Vec<_> = [TITLE, PAGE, SECRET, PIN].into_iter().filter(|text| told(text)).collect();
    assert!(written.is_empty(), "a receipt holds {written:?}");
}

#[test]
fn nobody_reads_the_shell() {
    let (mut stage, _) = stage("");
    up(&mut stage);
    let shell = stage.shell_pid().unwrap();
    // Another program of the account: it reads its own memory, and not the shell's.
    let read = |whose: &str| {
        let mut dd = stage.command("head");
        dd.args(["-c", "0", &format!("/proc/{whose}/mem")]).status().unwrap().success()
    };
    assert!(read("self"), "the look is blind");
    assert!(!read(&shell.to_string()), "a program of the same account can open the shell's memory");
    let owner = fs::metadata(format!("/proc/{shell}/environ")).unwrap().uid();
    assert_eq!(owner, 0, "the shell is dumpable");
    let limits = fs::read_to_string(format!("/proc/{shell}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["1", "1"], "{core}");
    // And it leaves no core.
    signal(shell, rustix::process::Signal::ABORT);
    assert!(wait_for(|| !Path::new(&format!("/proc/{shell}/exe")).exists()));
    let cores = || {
        fs::read_dir(&stage.dir)
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("core"))
    };
    assert_eq!(cores().count(), 0);
}
