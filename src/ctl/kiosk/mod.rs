//! `cleanshiftctl kiosk`: makes a host start into the station and nothing else, and puts it back as it was.

pub mod files;
pub mod manifest;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use self::files::{Laid, What};
use self::manifest::{Now, Tree};
use super::doctor;
use super::{GOOD, WANTING, say};
use crate::platform::linux::display::cookie;
use crate::platform::linux::{host, spawn};
use crate::policy::Policy;

/// The display's cookie.
const COOKIE: &str = "/run/cleanshift-display/cookie";
/// How long the display may take to be there.
const DISPLAY: Duration = Duration::from_secs(30);
/// How long systemd may take to read its units.
const RELOAD: Duration = Duration::from_secs(60);
/// Where the policy of an installed station lies.
const POLICY: &str = "/etc/cleanshift/policy.toml";

/// Make this host start into the station, or put it back as it was.
#[derive(Subcommand)]
pub enum KioskCommand {
    /// From the next start on, the host's screen is the station's and nothing else. `--policy FILE` puts the
    /// policy where the station reads it.
    Enable {
        /// The root of the host's files: an image that is being made.
        #[arg(long, default_value = "/")]
        root: PathBuf,
        /// Although the doctor finds something bad: the station shows it on its screen, and stays locked.
        #[arg(long)]
        anyway: bool,
    },
    /// Put back, byte for byte, what `enable` has replaced.
    Disable {
        /// The root of the host's files.
        #[arg(long, default_value = "/")]
        root: PathBuf,
    },
    /// Say whether the kiosk is enabled, and whether its files are as they were made.
    Status {
        /// The root of the host's files.
        #[arg(long, default_value = "/")]
        root: PathBuf,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// For the display's unit: make a fresh cookie.
    #[command(hide = true)]
    Cookie {
        /// Where.
        #[arg(default_value = COOKIE)]
        file: PathBuf,
        /// The display's number.
        #[arg(long, default_value_t = 0)]
        display: u32,
    },
    /// For the display's unit: wait until the display takes connections.
    #[command(hide = true)]
    Wait,
}

/// Runs the command; `policy` is the file that was named on the command line.
///
/// # Errors
/// What could not be done, with place and remedy.
pub fn run(command: &KioskCommand, policy: Option<&Path>) -> Result<u8, String> {
    match command {
        KioskCommand::Enable { root, anyway } => enable(root, policy, *anyway),
        KioskCommand::Disable { root } => disable(root),
        KioskCommand::Status { root, json } => status(root, *json),
        KioskCommand::Cookie { file, display } => cookie::make(file, *display)
            .map(|_| GOOD)
            .map_err(|error| format!("failed to make the display's cookie {}: {error}", file.display())),
        KioskCommand::Wait => wait(),
    }
}

fn tree(root: &Path) -> Result<Tree, String> {
    Tree::below(root).map_err(|error| format!("failed to find {}: {error}", root.display()))
}

/// A host's own files are root's; a tree is whose it is.
fn may(root: &Path) -> Result<(), String> {
    if root == Path::new("/") && !host::is_root() {
        return Err(
            "failed to change this host: that is root's to do\nhelp: sudo cleanshiftctl kiosk …".to_owned()
        );
    }
    Ok(())
}

fn enable(root: &Path, policy: Option<&Path>, anyway: bool) -> Result<u8, String> {
    may(root)?;
    let tree = tree(root)?;
    let mut all = files::laid();
    if let Some(file) = policy {
        // Checked before anything is touched: a station with a wrong policy does not open.
        let _ = Policy::read(file).map_err(|problems| problems.to_string())?;
        let text =
            std::fs::read(file).map_err(|error| format!("failed to read {}: {error}", file.display()))?;
        let why = "who may do what at this station";
        all.push(Laid { path: POLICY.to_owned(), what: What::File(text), why });
    }
    let report = doctor::look(root, policy, None)?;
    let bad: Vec<_> = report.bad().filter(|requirement| !requirement.kiosk).collect();
    if !bad.is_empty() {
        let named: Vec<_> = bad.iter().map(|bad| format!("  {}: {}", bad.title, bad.saw)).collect();
        if !anyway {
            eprintln!(
                "cleanshiftctl: failed to enable the kiosk: this host is not fit for a station, nothing was changed:\n{}\n\
                 help: `cleanshiftctl doctor` says how to mend it; `--anyway` enables it nevertheless, and the \
                 station's screen says the same until it is mended",
                named.join("\n")
            );
            return Ok(WANTING);
        }
        eprintln!(
            "note: enabled anyway; the station stays locked until this is mended:\n{}",
            named.join("\n")
        );
    }
    tree.lay(&all)?;
    reload(root);
    let way_in = if has_ssh(root) {
        "come in by SSH, and `cleanshiftctl kiosk disable` puts all back"
    } else {
        "no SSH server is installed here: install one first (apt install openssh-server), or only a start from another \
         medium leads back in"
    };
    say(&format!(
        "enabled: from the next start on, this host's screen is the station's.\n\
         What was replaced is recorded in {}.\n\
         There is no login prompt at its keyboard then: {way_in}.\n\
         next: cleanshiftctl doctor; reboot\n",
        tree.record().display()
    ))
}

fn has_ssh(root: &Path) -> bool {
    root.join("usr/sbin/sshd").exists()
}

fn disable(root: &Path) -> Result<u8, String> {
    may(root)?;
    let tree = tree(root)?;
    let Some(manifest) = tree.read()? else { return say("the kiosk is not enabled: nothing to put back\n") };
    let kept = tree.put_back(&manifest)?;
    reload(root);
    let mut text = "disabled: all is as it was before; it counts from the next start on.\n".to_owned();
    for (path, aside) in kept {
        text.push_str(&format!("note: {path} was changed since; that text is kept in {}\n", aside.display()));
    }
    say(&text)
}

/// Lets systemd read what was changed, where it runs this host.
fn reload(root: &Path) {
    if root != Path::new("/") || !Path::new("/run/systemd/system").exists() {
        return;
    }
    if let Err(said) = spawn::heard(None, &["/usr/bin/systemctl", "daemon-reload"], RELOAD) {
        eprintln!("note: systemd did not read its units anew: {said}\nhelp: systemctl daemon-reload");
    }
}

fn status(root: &Path, as_json: bool) -> Result<u8, String> {
    let tree = tree(root)?;
    let manifest = tree.read()?;
    let files = manifest.as_ref().map(|manifest| tree.now(manifest));
    let files = files.transpose().map_err(|error| format!("failed to look: {error}"))?;
    let whole = files.as_ref().is_some_and(|files| files.iter().all(|(_, now)| *now == Now::Unchanged));
    let verdict = match (&files, whole) {
        (None, _) => "disabled",
        (Some(_), true) => "enabled",
        (Some(_), false) => "changed",
    };
    let files = files.unwrap_or_default();
    let text = if as_json {
        let files: Vec<_> = files.iter().map(|(path, now)| json!({ "path": path, "now": now })).collect();
        format!("{:#}\n", json!({ "verdict": verdict, "files": files }))
    } else {
        let mut text = match verdict {
            "disabled" => "the kiosk is not enabled\n".to_owned(),
            "enabled" => "the kiosk is enabled, and all is as it was made:\n".to_owned(),
            _ => "the kiosk is enabled, and not all is as it was made:\n".to_owned(),
        };
        for (path, now) in &files {
            let now = match now {
                Now::Unchanged => "unchanged",
                Now::Changed => "changed",
                Now::Missing => "missing",
            };
            text.push_str(&format!("{now:<10} {path}\n"));
        }
        if verdict == "changed" {
            text.push_str("help: cleanshiftctl kiosk enable\n");
        }
        text
    };
    say(&text).map(|_| if whole { GOOD } else { WANTING })
}

/// Waits until the display that the environment names takes connections.
fn wait() -> Result<u8, String> {
    let mut left = DISPLAY;
    let pause = Duration::from_millis(50);
    while host::screen_size().is_none() {
        left = left.checked_sub(pause).ok_or("failed to reach the station's display: it does not come up")?;
        std::thread::sleep(pause);
    }
    Ok(GOOD)
}
