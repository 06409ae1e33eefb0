//! The files of the package that make a host a kiosk: each is listed, and is there as it was made, or not.

use super::host::Host;
use super::report::Requirement;
use crate::ctl::kiosk::files::{self, Laid};

/// All of them, and whether the kiosk is enabled.
#[must_use]
pub fn all(host: &Host) -> Vec<Requirement> {
    let mut all: Vec<_> = files::UNITS.iter().map(|(name, text)| unit(host, name, text)).collect();
    all.extend(files::laid().iter().map(|laid| one(host, laid)));
    all
}

fn unit(host: &Host, name: &str, text: &str) -> Requirement {
    let path = format!("{}/{name}", files::UNIT_PLACE);
    let asked = Requirement::of(
        format!("unit:{name}"),
        name,
        "it starts a part of the station, with the rights that this part needs and no more",
    );
    let mend = "apt install --reinstall cleanshift && systemctl daemon-reload";
    match host.read(&path) {
        Ok(there) if there == text => asked.good("there, unchanged"),
        Ok(_) => asked.reduced("changed; changes belong into a directory of its name with .d", mend),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => asked.reduced("not installed", mend),
        Err(error) => asked.unseen(format!("{path}: {error}"), "sudo cleanshiftctl doctor"),
    }
}

fn one(host: &Host, laid: &Laid) -> Requirement {
    let asked = Requirement::of(format!("kiosk:{}", laid.path), laid.path.clone(), laid.why).by_kiosk();
    let mend = "cleanshiftctl kiosk enable && reboot";
    match laid.found(&host.at(&laid.path)) {
        Ok(files::Found::AsLaid) => asked.good("there, unchanged"),
        Ok(files::Found::Absent) => asked.reduced("not there", mend),
        Ok(files::Found::Other) => asked.reduced("changed", mend),
        Err(error) => asked.unseen(error.to_string(), "sudo cleanshiftctl doctor"),
    }
}
