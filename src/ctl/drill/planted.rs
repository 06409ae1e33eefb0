//! What the drill has planted: the planter's report, the things that only root can plant, and the way
//! back.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::judge::{FILES, SOCKET};
use crate::ctl::demo::account::wait_for;
use crate::ctl::demo::stage::Stage;
use crate::platform::linux::canary::{START, Side, canary, key};
use crate::platform::linux::drill::planted::read;
pub use crate::platform::linux::drill::planted::{Planted, ROOT_ALONE};
use crate::platform::linux::drill::search;

/// Reads the planter's report, once it is whole.
///
/// # Errors
/// When it does not become whole in time.
pub fn report(path: &Path) -> io::Result<Vec<Planted>> {
    let text = || fs::read_to_string(path).unwrap_or_default();
    if !wait_for(|| text().contains("\tdone\n")) {
        return Err(io::Error::other(format!("the planter did not finish; it said:\n{}", text())));
    }
    Ok(read(&text()))
}

/// Plants on the host under the station's account, and, as root, what only root can plant.
///
/// # Errors
/// When the planter does not finish.
pub fn escape(stage: &Stage, seed: &str) -> io::Result<Vec<Planted>> {
    escape_in_group(stage, seed).map(|(planted, _)| planted)
}

/// The same, and the process group that the planter was in.
///
/// # Errors
/// When the planter does not finish.
pub fn escape_in_group(stage: &Stage, seed: &str) -> io::Result<(Vec<Planted>, i32)> {
    let path = stage.dir.join("escaped");
    let mut planter = stage.command(stage.dir.join("bin/cleanshift-init"));
    let _ = planter.args(["plant", seed, Side::Escaped.word()]).arg(&path).process_group(0);
    // By this mark the drill finds again what it has started.
    let _ = planter.env("CLEANSHIFT_DRILL", seed);
    let mut planter = planter.spawn()?;
    let group = i32::try_from(planter.id()).map_err(io::Error::other)?;
    if !planter.wait()?.success() {
        return Err(io::Error::other("the planter failed on the host"));
    }
    let mut planted = report(&path)?;
    fs::remove_file(path)?;
    let socket = stage.dir.join("run").join(SOCKET);
    fs::write(&socket, canary(seed, Side::Escaped, 5))?;
    stage.account.give(&socket)?;
    planted.push(Planted { class: 5, done: true, what: socket.display().to_string() });
    planted.extend(as_root(stage, seed));
    Ok((planted, group))
}

/// A mounted medium, a tunnel of the account, a collected core: the same objects that the host's own
/// services would make for a session.
fn as_root(stage: &Stage, seed: &str) -> Vec<Planted> {
    let root = rustix::process::geteuid().is_root();
    let mut planted = Vec::new();
    let mut say = |class: u8, done: Result<String, String>| {
        let (done, what) = done.map_or_else(|why| (false, why), |what| (true, what));
        planted.push(Planted { class, done, what });
    };
    if !root {
        for class in [12, 18, 20, 25] {
            say(class, Err(ROOT_ALONE.to_owned()));
        }
        return planted;
    }
    let place = media(seed);
    let mounted = fs::create_dir_all(&place).map_err(|error| error.to_string()).and_then(|()| {
        let owner = format!("uid={}", stage.account.uid());
        succeed("mount", &["-t", "tmpfs", "-o", &owner, "tmpfs", &place.display().to_string()])
    });
    let mounted = mounted.and_then(|()| {
        let file = place.join(canary(seed, Side::Escaped, 18));
        fs::write(&file, canary(seed, Side::Escaped, 18)).map_err(|error| error.to_string())
    });
    say(18, mounted.map(|()| format!("a medium at {}", place.display())));
    // A mount that lives on, as a session's would if something held it.
    let files = stage.dir.join("run").join(FILES);
    let mounted = fs::create_dir_all(&files)
        .map_err(|error| error.to_string())
        .and_then(|()| succeed("mount", &["-t", "tmpfs", "tmpfs", &files.display().to_string()]));
    let mounted = mounted.and_then(|()| {
        let word = canary(seed, Side::Escaped, 12);
        fs::write(files.join(&word), &word).map_err(|error| error.to_string())
    });
    say(12, mounted.map(|()| files.display().to_string()));
    let uid = stage.account.uid().to_string();
    let tunnel = search::tunnel(seed);
    let made = succeed("ip", &["tuntap", "add", "dev", &tunnel, "mode", "tun", "user", &uid]);
    say(25, made.map(|()| format!("a tunnel, {tunnel}")));
    let dumps = Path::new("/var/lib/systemd/coredump");
    if dumps.exists() {
        let file = core(seed, stage.account.uid());
        let made = fs::write(&file, canary(seed, Side::Escaped, 20));
        say(20, made.map(|()| file.display().to_string()).map_err(|error| error.to_string()));
    }
    planted
}

fn media(seed: &str) -> PathBuf {
    Path::new("/media").join(canary(seed, Side::Escaped, 18))
}

fn core(seed: &str, uid: u32) -> PathBuf {
    let name = canary(seed, Side::Escaped, 20);
    Path::new("/var/lib/systemd/coredump").join(format!("core.{name}.{uid}.0.1.0"))
}

pub(super) fn succeed(name: &str, arguments: &[&str]) -> Result<(), String> {
    let status = super::program(name).args(arguments).stderr(std::process::Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} ended with {status}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Takes away what was planted on the host, as far as the gates have not: ends every program of the
/// account that has a canary in its command line or that came with one, unmounts, removes.
pub fn take_back(stage: &Stage, seed: &str, planted: &[Planted]) {
    if rustix::process::geteuid().is_root() {
        let place = media(seed);
        let _ = succeed("umount", &[&place.display().to_string()]);
        let _ = fs::remove_dir(place);
        let _ = succeed("ip", &["tuntap", "del", "dev", &search::tunnel(seed), "mode", "tun"]);
        let _ = fs::remove_file(core(seed, stage.account.uid()));
    }
    end_marked(stage, seed);
    // What a gate should have cleared, had it been asked or looked.
    let segment = format!("{:#x}", key(&canary(seed, Side::Escaped, 14)));
    for words in
        [&["ipcrm", "-M", &segment][..], &["keyctl", "purge", "user", &canary(seed, Side::Escaped, 9)]]
    {
        if let Some((program, arguments)) = words.split_first() {
            let mut command = stage.command(program);
            let _ = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
    take_jobs_back(stage, seed, planted);
    empty_runtime(stage);
    for planted in planted.iter().filter(|planted| planted.done) {
        let path = Path::new(&planted.what);
        if path.is_absolute() && planted.what.contains(START) {
            let _ = fs::remove_file(path);
        }
    }
    remove_home(stage);
}

/// Takes back what services of the host keep, by what they have called it. Nothing else that the
/// account has there is touched.
fn take_jobs_back(stage: &Stage, seed: &str, planted: &[Planted]) {
    // The table is written back without the line; one that is empty then was not there before.
    const WITHOUT: &str = "table=$(crontab -l | grep -vF -e \"$1\"); \
        if [ -n \"$table\" ]; then printf '%s\\n' \"$table\" | crontab -; else crontab -r; fi";
    let line = canary(seed, Side::Escaped, 4);
    for planted in planted.iter().filter(|planted| planted.done) {
        let words: Vec<&str> = match (planted.class, planted.what.rsplit_once(' ')) {
            (4, Some(("at job", number))) => vec!["atrm", number],
            (4, _) => vec!["sh", "-c", WITHOUT, "sh", &line],
            (17, Some((_, request))) => vec!["cancel", request],
            _ => continue,
        };
        if let Some((program, arguments)) = words.split_first() {
            let mut command = stage.command(program);
            let _ = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// Empties the runtime directory of the stage's account, as the host does when its last session ends.
/// No shell of the stage may run meanwhile.
pub fn empty_runtime(stage: &Stage) {
    let run = stage.dir.join("run");
    if rustix::process::geteuid().is_root() {
        let _ = succeed("umount", &[&run.join(FILES).display().to_string()]);
    }
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            super::take_away(&entry.path());
        } else {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Empties the home of the stage's account.
pub fn remove_home(stage: &Stage) {
    for place in [".config", ".local", ".cache", ".mozilla", ".pki", ".gnupg", "Downloads"] {
        super::take_away(&stage.dir.join("home").join(place));
    }
}

/// Ends the account's programs that carry the drill's mark: in their command line or environment.
fn end_marked(stage: &Stage, seed: &str) {
    let marks: Vec<String> = (1..=28).map(|class| canary(seed, Side::Escaped, class)).collect();
    for _ in 0..50 {
        let mut left = 0;
        for pid in stage.account.processes() {
            let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let text = [read("cmdline"), read("environ")].concat();
            let text = String::from_utf8_lossy(&text);
            if text.contains(seed) || marks.iter().any(|mark| text.contains(mark.as_str())) {
                left += 1;
                super::end(pid);
            }
        }
        if left == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
