//! The peer of `ledger_verify`: systemd's journal with the same texts, sealed, and `journalctl --verify`
//! over it.
//!
//! No journal of the host is read or written: systemd looks for its sealing key under /var/log/journal,
//! in whose place bubblewrap shows it a directory of our own. Each entry is a millisecond after the one
//! before, because the journal seals by time: a clock that runs on for a year would add seals that a
//! station of a year has, and the peer is not to be slowed down by that.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::SystemTime;

use super::rows::now;

const WRITER: &str = "/lib/systemd/systemd-journal-remote";

/// A sealed journal that is being written.
pub(crate) struct Journal {
    place: PathBuf,
    key: String,
    writer: Child,
    export: BufWriter<ChildStdin>,
    entries: u64,
    began_us: u128,
}

impl Journal {
    /// An empty one below this directory.
    pub(crate) fn begin(dir: &Path) -> Self {
        let place = dir.join("journal");
        let machine = fs::read_to_string("/etc/machine-id").unwrap();
        fs::create_dir_all(place.join("keys").join(machine.trim())).unwrap();
        fs::create_dir_all(place.join("entries")).unwrap();
        let made = shown(&place, "journalctl").args(["--setup-keys", "--force"]).output().unwrap();
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(!key.is_empty(), "no sealing key: {}", String::from_utf8_lossy(&made.stderr));
        let mut writer = shown(&place, WRITER)
            .args(["--seal=yes", "--split-mode=none", "-o"])
            .arg(place.join("entries/external-receipts.journal"))
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let export = BufWriter::with_capacity(1 << 20, writer.stdin.take().unwrap());
        let began_us = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
        Self { place, key, writer, export, entries: 0, began_us }
    }

    /// Appends an entry, in the journal's export format. The text has no line breaks.
    pub(crate) fn append(&mut self, text: &[u8]) {
        let after_us = u128::from(self.entries) * 1_000;
        write!(
            self.export,
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={:032x}\nMESSAGE=",
            self.began_us + after_us,
            after_us + 1,
            1
        )
        .unwrap();
        self.export.write_all(text).unwrap();
        self.export.write_all(b"\n\n").unwrap();
        self.entries += 1;
    }

    /// Ends the writing.
    pub(crate) fn finish(self) -> Sealed {
        let Self { place, key, mut writer, export, entries, .. } = self;
        drop(export);
        assert!(writer.wait().unwrap().success(), "the journal could not be written");
        let header = Command::new("journalctl").arg("--header").arg("-D").arg(place.join("entries")).output();
        let header = String::from_utf8(header.unwrap().stdout).unwrap();
        let counts = header.lines().filter_map(|line| line.strip_prefix("Entry objects: "));
        let there: u64 = counts.map(|count| count.parse::<u64>().unwrap()).sum();
        assert_eq!(there, entries, "the journal lost entries");
        assert!(header.contains("SEALED"), "the journal is not sealed");
        Sealed { place, key }
    }
}

/// A sealed journal; its files go when it is dropped.
pub(crate) struct Sealed {
    place: PathBuf,
    key: String,
}

impl Sealed {
    /// Verifies all of it, in seconds.
    pub(crate) fn verify(&self) -> f64 {
        let mut command = Command::new("journalctl");
        command.arg("--verify").arg(format!("--verify-key={}", self.key));
        command.arg("-D").arg(self.place.join("entries"));
        let began = now();
        let output = command.output().unwrap();
        let took = (now() - began).as_secs_f64();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        took
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.place));
    }
}

/// A program that sees our directory where the host's journal is.
fn shown(place: &Path, program: &str) -> Command {
    let mut command = Command::new("bwrap");
    command.args(["--dev-bind", "/", "/", "--tmpfs", "/var/log", "--bind"]);
    command.arg(place.join("keys")).args(["/var/log/journal", program]);
    command
}
