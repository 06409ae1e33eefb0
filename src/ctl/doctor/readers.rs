//! Badges: the card service, its drivers, the right to reach it, and a reader.

use std::fs;
use std::time::Duration;

use super::host::{ACCOUNT, Host};
use super::listed;
use super::report::Requirement;
use crate::badge::Readers;
use crate::platform::linux::spawn;

/// Where drivers of readers are.
const DRIVERS: &str = "/usr/lib/pcsc/drivers";
/// How long the card service may take to name its readers: it may have to be started first.
const PATIENCE: Duration = Duration::from_secs(10);

/// All of them; `allowed` are the readers that the policy names.
#[must_use]
pub fn all(host: &Host, allowed: &[String]) -> Vec<Requirement> {
    let service = Requirement::of(
        "pcscd",
        "the card service",
        "badges are read through it; without it every session ends and none opens by badge",
    );
    let reader =
        Requirement::of("reader", "a badge reader", "without one only break-glass opens the station");
    let mut found = match host.program("pcscd") {
        None => vec![
            service.bad("pcscd is not installed", "apt install pcscd"),
            reader.reduced("nothing can read one: there is no card service", "apt install pcscd libccid"),
        ],
        Some(_) if !host.real => {
            let why = "this is not the machine that runs";
            let mend = "cleanshiftctl doctor   # on the station";
            vec![service.unseen(why, mend), reader.unseen(why, mend)]
        }
        Some(program) => asked(host, service, reader, &program, allowed),
    };
    found.extend([driver(host), virtual_reader(host)]);
    found
}

fn asked(
    host: &Host,
    service: Requirement,
    reader: Requirement,
    program: &str,
    allowed: &[String],
) -> Vec<Requirement> {
    let version = spawn::heard(None, &[program, "--version"], PATIENCE).unwrap_or_default();
    let version = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let version = version.unwrap_or("of unknown version").trim_end_matches(['.', ',']).to_owned();
    let names = match names(host) {
        Ok(names) => names,
        Err(said) => {
            let mend = "systemctl enable --now pcscd.socket";
            let refused =
                said.contains("policy") || said.contains("ermission") || said.contains("not allowed");
            let service = if refused {
                service.bad(
                    format!(
                        "pcscd {version} refuses the account {}: {said}. A rule of polkit's has to allow it",
                        host.tried_as()
                    ),
                    "apt install --reinstall cleanshift   # /usr/share/polkit-1/rules.d/60-cleanshift.rules\n\
                     systemctl restart polkit pcscd",
                )
            } else {
                service.bad(format!("pcscd {version} is installed and cannot be reached: {said}"), mend)
            };
            return vec![service, reader.unseen("the card service cannot be asked", mend)];
        }
    };
    let service = service.good(format!("pcscd {version} answers {}", host.tried_as()));
    let readers = Readers { allowed: allowed.to_vec(), ..Readers::default() };
    let counted: Vec<_> = names.iter().filter(|name| readers.admit(name)).map(String::as_str).collect();
    let reader = if !counted.is_empty() {
        reader.good(counted.join(", "))
    } else if names.is_empty() {
        reader
            .reduced("none is connected", "pcsc_scan   # of the package pcsc-tools: does it see the reader?")
    } else {
        reader.reduced(
            format!("none that counts: {} is not among the policy's `readers`, or virtual", names.join(", ")),
            "cleanshiftctl policy check /etc/cleanshift/policy.toml",
        )
    };
    vec![service, reader]
}

/// The names of the readers, as the station's account sees them.
fn names(host: &Host) -> Result<Vec<String>, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?.display().to_string();
    // Asked in a process of its own, so that root can have it asked as the account, and within a time.
    let heard = host.ids().map(|ids| spawn::heard(Some(ids), &[&own, "doctor", "--readers"], PATIENCE));
    match heard {
        // A program that the account may not start tells nothing about the card service.
        Some(Err(said)) if said.starts_with(&own) => listed(),
        Some(Err(said)) => Err(said.trim_start_matches("cleanshiftctl: ").to_owned()),
        Some(Ok(text)) => Ok(text.lines().map(str::to_owned).collect()),
        None => listed(),
    }
}

fn driver(host: &Host) -> Requirement {
    let asked =
        Requirement::of("reader-driver", "a driver for USB readers", "without it no USB reader is seen");
    let bundles = fs::read_dir(host.at(DRIVERS)).into_iter().flatten().flatten();
    let bundles: Vec<_> = bundles
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".bundle"))
        .collect();
    if bundles.iter().any(|name| name == "ifd-ccid.bundle") {
        return asked.good("libccid");
    }
    let mend = "apt install libccid";
    if bundles.is_empty() {
        return asked.bad("there is none", mend);
    }
    asked.reduced(format!("{} alone; most readers need libccid", bundles.join(", ")), mend)
}

fn virtual_reader(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "virtual-reader",
        "virtual readers",
        "anybody who reaches its port lays any badge on it, from anywhere on the network",
    );
    let drivers = fs::read_dir(host.at(DRIVERS).join("serial")).into_iter().flatten().flatten();
    let bundles = fs::read_dir(host.at(DRIVERS)).into_iter().flatten().flatten();
    let settings = fs::read_dir(host.at("/etc/reader.conf.d")).into_iter().flatten().flatten();
    let found = drivers.chain(bundles).chain(settings).map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.contains("vpcd") || name.contains("vicc") || name.contains("virtual")
    });
    match found {
        Some(path) => asked.bad(
            format!("{} gives the card service one (vpcd)", host.shown(&path)),
            "apt purge vsmartcard-vpcd && systemctl restart pcscd",
        ),
        None => asked.good("vpcd is not installed"),
    }
}

/// Whether the account may reach the card service and start the machine anew, where polkit is asked.
#[must_use]
pub fn right(host: &Host) -> Requirement {
    let path = "/usr/share/polkit-1/rules.d/60-cleanshift.rules";
    let asked = Requirement::of(
        "polkit-rule",
        "the account's rights (polkit)",
        "pcscd 2 and logind ask polkit: without the rule the station reads no badge and cannot start the machine anew",
    );
    let mend = "apt install --reinstall cleanshift";
    if !host.has("/usr/lib/polkit-1/polkitd") && !host.has("/usr/libexec/polkitd") {
        return asked.reduced(
            "polkit is not installed: pcscd 1 lets everybody in, pcscd 2 may let nobody",
            "apt install polkitd",
        );
    }
    match host.read(path) {
        Ok(text) if text == include_str!("../../../packaging/host/60-cleanshift.rules") => {
            asked.good(format!("{ACCOUNT} may reach readers, hold up a sleep, start the machine anew"))
        }
        Ok(_) => asked.reduced(format!("{path} is not the package's"), mend),
        Err(error) => asked.reduced(format!("{path}: {error}"), mend),
    }
}
