//! What could keep a session's memory or its paper after it: swap, hibernation, freed memory, cores,
//! printed documents.

use std::io;

use super::host::Host;
use super::report::Requirement;
use crate::platform::linux::setting::{self, Setting};

/// Has the next start of the kernel take `words` as well.
fn kernel(words: &str) -> String {
    format!(
        "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {words}\"' > /etc/default/grub.d/cleanshift-{}.cfg\nupdate-grub && \
         reboot",
        words.split('=').next().unwrap_or(words)
    )
}

/// All of them; `require` are the settings that the policy requires.
#[must_use]
pub fn all(host: &Host, require: &[String]) -> Vec<Requirement> {
    let root = host.at("/");
    let told = |asked: Requirement, found: io::Result<Setting>, mend: &str| match found {
        Err(error) => asked.unseen(format!("it could not be read: {error}"), mend),
        Ok(Setting { kept: true, saw }) => asked.good(saw),
        Ok(Setting { kept: false, saw }) => {
            let required = require.contains(&asked.id);
            let saw = if required { format!("{saw}, and the policy requires otherwise") } else { saw };
            asked.bad_if(required, saw, mend)
        }
    };
    vec![
        told(
            Requirement::of(
                "swap",
                "swap",
                "what a session had in memory can reach the disk, where no gate finds it",
            ),
            setting::swap(&root),
            "swapoff -a && sed -i '/\\sswap\\s/s/^/#/' /etc/fstab   # or use zram: apt install zram-tools",
        ),
        told(
            Requirement::of(
                "hibernation",
                "hibernation",
                "hibernation writes all memory to the disk, with the session's",
            ),
            setting::hibernation(&root),
            &kernel("nohibernate"),
        ),
        told(
            Requirement::of(
                "init-on-free",
                "freed memory",
                "what a session had in memory stays there until somebody else gets that piece",
            ),
            setting::freed(&root),
            &kernel("init_on_free=1"),
        ),
        told(
            Requirement::of(
                "core-pattern",
                "core dumps",
                "a core dump holds what a program knew; sessions leave none, other programs of the host may",
            ),
            setting::core_pattern(&root),
            "cleanshiftctl kiosk enable && reboot",
        )
        .by_kiosk(),
        printing(host),
    ]
}

fn printing(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "print-retention",
        "printed documents",
        "the print service keeps documents and the names of jobs, by default for ever or for a day",
    );
    if host.program("cupsd").is_none() {
        return asked.good("there is no print service (CUPS)");
    }
    let text = match host.read("/etc/cups/cupsd.conf") {
        Err(error) => {
            return asked.unseen(format!("/etc/cups/cupsd.conf: {error}"), "sudo cleanshiftctl doctor");
        }
        Ok(text) => text,
    };
    let is_off = |name: &str| {
        // The last one counts.
        let found =
            text.lines().rfind(|line| line.trim_start().to_lowercase().starts_with(&name.to_lowercase()));
        found.and_then(|line| line.split_whitespace().nth(1)).is_some_and(|value| {
            value.eq_ignore_ascii_case("no") || value.eq_ignore_ascii_case("off") || value == "0"
        })
    };
    match (is_off("PreserveJobFiles"), is_off("PreserveJobHistory")) {
        (true, true) => asked.good("CUPS keeps neither documents nor jobs"),
        (files, _) => asked.reduced(
            format!(
                "CUPS keeps {} (/etc/cups/cupsd.conf)",
                if files { "jobs' names" } else { "documents and jobs' names" }
            ),
            "cupsctl PreserveJobFiles=No PreserveJobHistory=No",
        ),
    }
}
