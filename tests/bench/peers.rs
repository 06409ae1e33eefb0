//! What others do in the same place, on the same machine, in the same run: the lockers of the
//! distribution, and a clean-up by killing processes and removing files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use cleanshift::ctl::demo::stage::Stage;
use rustix::process::{Pid, Signal, kill_process};

use super::handoffs::{FILL, Load, settled};
use super::observer::Observer;
use super::rows::now;

/// How long lockers take from their start to their first window.
pub(crate) fn lockers(stage: &Stage, observer: &Observer, times: usize) -> Vec<(String, Vec<f64>)> {
    let lockers: [(&str, &[&str]); 2] = [("i3lock", &["-n", "-c", "203040"]), ("xsecurelock", &[])];
    lockers.map(|(name, arguments)| (name.to_owned(), locker(stage, observer, name, arguments, times))).into()
}

fn locker(stage: &Stage, observer: &Observer, name: &str, arguments: &[&str], times: usize) -> Vec<f64> {
    let mut took = Vec::new();
    for _ in 0..times {
        let mut command = stage.command(name);
        command.args(arguments).env("XSECURELOCK_NO_COMPOSITE", "1").process_group(0);
        let began = now();
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        took.push((observer.wait(began, "mapped") - began).as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(150));
        let group = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
        rustix::process::kill_process_group(group, Signal::KILL).unwrap();
        running.wait().unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    took
}

/// How long it takes to kill the same programs and to remove the same profile from the disk.
pub(crate) fn kill_and_remove(stage: &Stage, load: &Load) -> Vec<f64> {
    let home = stage.dir.join("peer");
    let said = stage.dir.join("shared/filled");
    let mut took = Vec::new();
    for _ in 0..load.peer_times {
        stage.account.make_dir(&home).unwrap();
        drop(fs::remove_file(&said));
        let (asked, writing) = (stage.page.requests().len(), now());
        let mut command = stage.command("python3");
        command.args(["-c", FILL]).arg(&home).arg(&said);
        command.args([load.files.to_string(), load.megabytes.to_string()]);
        command.arg(format!("http://127.0.0.1:{}/", stage.page.port)).env("HOME", &home);
        let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Writing the profile is not measured, and may take longer on a disk than anything else is waited for.
        let patience = Duration::from_secs(300);
        while !said.exists() {
            assert!(now() - writing < patience, "the peer's profile was not written");
            std::thread::sleep(Duration::from_millis(50));
        }
        settled(stage, asked);
        // A profile that a session has used is on the disk, not in memory alone.
        assert!(Command::new("sync").arg("-f").arg(&home).status().unwrap().success());
        let began = now();
        while kill_all(running.id(), &home.display().to_string()) > 0 {
            drop(running.try_wait());
        }
        drop(running.wait());
        fs::remove_dir_all(&home).unwrap();
        took.push((now() - began).as_secs_f64() * 1e3);
    }
    took
}

/// Kills every process of the peer's session: what descends from its first process, and what has its
/// home on its command line. Answers how many were still there.
fn kill_all(first: u32, home: &str) -> usize {
    let mut parents: BTreeMap<u32, u32> = BTreeMap::new();
    let mut found: BTreeSet<u32> = BTreeSet::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if status.contains("State:\tZ") {
            continue;
        }
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t")?.parse().ok());
        parents.insert(pid, parent.unwrap_or(0));
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid == first || String::from_utf8_lossy(&command).contains(home) {
            found.insert(pid);
        }
    }
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.retain(|pid| parents.contains_key(pid));
    for pid in &found {
        if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    found.len()
}
