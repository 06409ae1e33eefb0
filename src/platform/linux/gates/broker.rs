//! Classes 17 and 21: what services of the host keep for a session: print jobs and their documents,
//! lines in the system's log.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::lookout::any_here;
use super::{Gate, Ground, Look, Trace};
use crate::platform::linux::{host, pace, spawn};

/// How long the print service may take to answer about one job.
const PATIENCE: Duration = Duration::from_millis(400);

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 17,
        name: "print jobs",
        what: "print jobs or kept documents",
        method: "the print service",
        inside: &[],
        look: printing,
        clear: Some(clear_printing),
    },
    Gate {
        class: 21,
        name: "system log",
        what: "lines",
        method: "the system's log",
        inside: &[],
        look: log,
        clear: None,
    },
];

fn printing(ground: &Ground) -> Look {
    if !any_here(&["/run/cups", "/var/spool/cups", "tcp 631"]) {
        return Look::not_here("no print service runs here");
    }
    ground.counted(17, "print jobs or kept documents", |counts| counts.print)
}

/// Jobs, and what is kept of them, are taken away where nobody signs in to the account: there every
/// job that it has came from a session.
fn clear_printing(_: &Ground, _: &[Trace]) {
    let Some(name) = host::account_name().filter(|_| !host::shared_account()) else { return };
    let listed = spawn::answer(&["/usr/bin/lpstat", "-W", "all", "-u", &name, "-o"]);
    for line in listed.lines() {
        // `ward-printer-17   ana   1024   Fri Nov 27 …`
        let request = line.split_whitespace().next().unwrap_or_default();
        if let Some(job) = request.rsplit_once('-').and_then(|(_, job)| job.parse::<u32>().ok()) {
            // One that could not be purged is still counted.
            drop(purge(job, &name));
        }
    }
}

/// Cancels a job of this account and has its document and history destroyed (RFC 8011 §4.3.3, with the
/// print service's own `purge-job`). CUPS' own `cancel -x` asks for it by a name that its service does
/// not know, and `cancel -a` is refused to ordinary accounts by its default policy.
fn purge(job: u32, name: &str) -> io::Result<()> {
    let mut request = vec![2, 0, 0, 8, 0, 0, 0, 1, 1];
    let uri = format!("ipp://localhost/jobs/{job}");
    let attributes: [(u8, &str, &[u8]); 5] = [
        (0x47, "attributes-charset", b"utf-8"),
        (0x48, "attributes-natural-language", b"en"),
        (0x45, "job-uri", uri.as_bytes()),
        (0x42, "requesting-user-name", name.as_bytes()),
        (0x22, "purge-job", &[1]),
    ];
    for (kind, key, value) in attributes {
        request.push(kind);
        for part in [key.as_bytes(), value] {
            request.extend(u16::try_from(part.len()).map_err(io::Error::other)?.to_be_bytes());
            request.extend(part);
        }
    }
    request.push(3);
    let mut service = UnixStream::connect("/run/cups/cups.sock")?;
    service.set_read_timeout(Some(pace::patience(PATIENCE)))?;
    service.set_write_timeout(Some(pace::patience(PATIENCE)))?;
    let head = format!(
        "POST /jobs/{job} HTTP/1.1\r\nHost: localhost\r\nAuthorization: PeerCred {name}\r\n\
         Content-Type: application/ipp\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        request.len()
    );
    service.write_all(head.as_bytes())?;
    service.write_all(&request)?;
    // The answer is the look after this; here it is only waited for.
    let _ = service.read(&mut [0; 512])?;
    Ok(())
}

/// A line in a log cannot be told from the shell's own by its account; that a session has no way to
/// the log is what can be known.
fn log(ground: &Ground) -> Look {
    if !any_here(&["/run/systemd/journal/socket", "/dev/log", "/var/log/syslog", "/var/log/messages"]) {
        return Look::not_here("no system log runs here");
    }
    ground.by_reach(21)
}
