//! `cleanshiftctl log export`, `log controls`, `log schema`, and `log verify` of a single proof: what of
//! the ledger leaves the station. Entries are read and written one by one; only a proof needs more than
//! one of them, and of the others their hashes alone.
//!
//! Exit codes: 0 good, 1 found wanting (an entry is not what was written), 2 could not run.

mod sink;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use self::sink::{Folder, Sink};
use super::log::given_key;
use super::{COULD_NOT_RUN, GOOD, WANTING};
use crate::evidence::checkpoint::Signature;
use crate::evidence::controls::{Tally, report};
use crate::evidence::export::{Form, Item, Wanted};
use crate::evidence::proof::{Proof, Prover};
use crate::evidence::{Receipt, Stored, escape, leaf_hash, sentence};
use crate::ports::{PortError, Result};
use crate::store::{Snapshot, Store};

/// The forms that entries can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A C2SP tlog-proof for each receipt, which proves itself
    Proof,
    /// The receipts themselves, one a line
    Jsonl,
    /// A table for people
    Csv,
    /// A FHIR R4 bundle of `AuditEvent`s
    Fhir,
    /// OCSF events, one a line
    Ocsf,
    /// RFC 5424 messages, one a line
    Syslog,
}

impl Format {
    fn form(self) -> Option<Form> {
        match self {
            Self::Proof => None,
            Self::Jsonl => Some(Form::Jsonl),
            Self::Csv => Some(Form::Csv),
            Self::Fhir => Some(Form::Fhir),
            Self::Ocsf => Some(Form::Ocsf),
            Self::Syslog => Some(Form::Syslog),
        }
    }
}

/// What is exported, and where to.
#[derive(Args, Clone, Debug)]
pub struct ExportArguments {
    /// The form
    #[arg(long, value_enum)]
    format: Format,
    /// From this day or instant on: 2026-11-23 or 2026-11-23T07:00:00Z
    #[arg(long, value_name = "T", value_parser = first_instant)]
    from: Option<Timestamp>,
    /// Up to the end of this day, or before this instant
    #[arg(long, value_name = "T", value_parser = last_instant)]
    to: Option<Timestamp>,
    /// Only entries that name this operator, by her key on the roster
    #[arg(long, value_name = "KEY")]
    operator: Option<String>,
    /// Only entries of the station of this name
    #[arg(long, value_name = "NAME")]
    station: Option<String>,
    /// The file to write, or the directory for proofs; the terminal without
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Replace what is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Print as JSON what was written
    #[arg(long, requires = "out")]
    json: bool,
}

/// Which time the controls are told for.
#[derive(Args, Clone, Debug)]
pub struct ControlsArguments {
    /// From this day or instant on: 2026-11-23 or 2026-11-23T07:00:00Z
    #[arg(long, value_name = "T", value_parser = first_instant)]
    from: Option<Timestamp>,
    /// Up to the end of this day, or before this instant
    #[arg(long, value_name = "T", value_parser = last_instant)]
    to: Option<Timestamp>,
    /// The station's public key as NAME+ID+BASE64, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A day of the station's own time zone begins with its first instant.
fn first_instant(text: &str) -> std::result::Result<Timestamp, String> {
    instant(text, false)
}

/// It ends with the first instant of the next.
fn last_instant(text: &str) -> std::result::Result<Timestamp, String> {
    instant(text, true)
}

fn instant(text: &str, end: bool) -> std::result::Result<Timestamp, String> {
    let help = "write a day as 2026-11-23, or an instant as 2026-11-23T07:00:00Z";
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    // What has a time of day and no zone could mean any of 26 hours.
    if text.len() != "2026-11-23".len() {
        return Err(help.to_owned());
    }
    let day: Date = text.parse().map_err(|_| help.to_owned())?;
    let day = if end { day.tomorrow().map_err(|_| help.to_owned())? } else { day };
    day.to_zoned(TimeZone::system()).map(|at| at.timestamp()).map_err(|_| help.to_owned())
}

fn told(error: &PortError) -> u8 {
    let _ = writeln!(std::io::stderr(), "cleanshiftctl: failed to {error}");
    COULD_NOT_RUN
}

/// Prints the JSON Schema of a receipt.
#[must_use]
pub fn schema() -> u8 {
    let text = format!("{:#}\n", crate::evidence::schema());
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    GOOD
}

// ---------------------------------------------------------------------------------------------
// export
// ---------------------------------------------------------------------------------------------

/// What was written.
#[derive(Default)]
struct Written {
    entries: u64,
    first: Option<u64>,
    last: Option<u64>,
    /// Entries of the ledger whose text was pruned, so that nothing of them can be written.
    pruned: u64,
    /// What an entry is that is not what was written into the ledger.
    damaged: Option<String>,
    /// The entries that change the station's key, with their checkpoints.
    changes: Vec<(u64, Vec<u8>, String)>,
}

/// Whether a place is in this directory or is it, whatever it is called.
fn within(place: &Path, dir: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let parent = match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let dir = whole(dir);
    dir.is_ok_and(|dir| {
        [place, parent].into_iter().any(|path| whole(path).is_ok_and(|path| path.starts_with(&dir)))
    })
}

/// Runs `log export`; the answer is the exit code.
#[must_use]
pub fn run(arguments: &ExportArguments, state_dir: &Path) -> u8 {
    if let Some(out) = &arguments.out
        && within(out, state_dir)
    {
        let what = "it is in the state directory, where the station's own files are; write to another place";
        return told(&PortError::new(format!("write {}: {what}", escape(&out.display().to_string()))));
    }
    let mut written = Written::default();
    let done = export(arguments, state_dir, &mut written);
    if let Some(what) = written.damaged {
        let _ = writeln!(std::io::stderr(), "cleanshiftctl: the export ended, and is not to be used: {what}");
        return WANTING;
    }
    if let Err(error) = done {
        return told(&error);
    }
    if let Some(out) = &arguments.out {
        let out = escape(&out.display().to_string());
        let text = if arguments.json {
            let format =
                arguments.format.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
            let told = json!({
                "format": format,
                "out": out,
                "entries": written.entries,
                "first": written.first,
                "last": written.last,
                "pruned": written.pruned,
            });
            format!("{told:#}\n")
        } else {
            let range = written.first.zip(written.last);
            let range = range.map_or_else(String::new, |(first, last)| format!(", {first} to {last}"));
            let entries = if written.entries == 1 { "entry" } else { "entries" };
            format!("{out}: {} {entries}{range}\n", written.entries)
        };
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
    if written.pruned > 0 {
        let text = "entries were pruned: their hashes alone are left, and they are in no export";
        let _ = writeln!(std::io::stderr(), "note: {} {text}", written.pruned);
    }
    if written.entries == 0 {
        let text =
            "no entry is of this time, operator and station; `cleanshiftctl log list` shows what there is";
        let _ = writeln!(std::io::stderr(), "note: {text}");
    }
    GOOD
}

fn export(arguments: &ExportArguments, state_dir: &Path, written: &mut Written) -> Result<()> {
    let wanted = Wanted {
        from: arguments.from,
        to: arguments.to,
        operator: arguments.operator.clone(),
        station: arguments.station.clone(),
    };
    if arguments.from.zip(arguments.to).is_some_and(|(from, to)| from >= to) {
        return Err(PortError::new("export the log: --from is not before --to; exchange the two"));
    }
    let store = Store::open_read(state_dir)?;
    let snapshot = store.snapshot()?;
    match arguments.format.form() {
        Some(form) => {
            let mut sink = Sink::open(arguments.out.as_deref(), arguments.force)?;
            sink.write(form.before().as_bytes())?;
            each(&snapshot, &wanted, written, |stored, receipt, first| {
                sink.write(&form.entry(&Item { stored, receipt }, first))
            })?;
            sink.write(form.after(written.entries > 0).as_bytes())?;
            sink.finish()
        }
        None => {
            let help = "write proofs: each is a file; name a directory for them with --out";
            let out = arguments.out.as_deref().ok_or_else(|| PortError::new(help))?;
            let folder = Folder::open(out, arguments.force)?;
            proofs(&store, &snapshot, &wanted, written, &folder)?;
            folder.finish()
        }
    }
}

/// Hands over every wanted entry that is what was written. The first one that is not ends it all. What the
/// checkpoints have signed is for `log verify` to say, which reads everything.
fn each(
    snapshot: &Snapshot,
    wanted: &Wanted,
    written: &mut Written,
    mut work: impl FnMut(&Stored<'_>, &Receipt, bool) -> Result<()>,
) -> Result<()> {
    let mut previous = None;
    snapshot.each(|stored| {
        let follows = previous.replace(hex::encode(stored.leaf));
        if stored.json.is_empty() {
            written.pruned += 1;
            return Ok(());
        }
        let receipt = match whole(stored, follows.as_deref()) {
            Ok(receipt) => receipt,
            Err(what) => {
                let what = format!("entry {} {what}; `cleanshiftctl log verify` tells more", stored.index);
                written.damaged = Some(what.clone());
                return Err(PortError::new(what));
            }
        };
        if receipt.kind == "key" && receipt.index > 0 {
            written.changes.push((stored.index, stored.json.to_vec(), stored.checkpoint.to_owned()));
        }
        if !wanted.takes(&receipt) {
            return Ok(());
        }
        work(stored, &receipt, written.entries == 0)?;
        written.entries += 1;
        written.first = written.first.or(Some(stored.index));
        written.last = Some(stored.index);
        Ok(())
    })
}

/// The entry, read, where it is what was written after the one whose leaf is `follows`.
fn whole(stored: &Stored<'_>, follows: Option<&str>) -> std::result::Result<Receipt, String> {
    if leaf_hash(stored.json) != stored.leaf {
        return Err("was edited: its text does not give its leaf hash".to_owned());
    }
    let receipt = Receipt::read(stored.json).map_err(|error| format!("is unreadable: {error}"))?;
    if receipt.index != stored.index {
        return Err(format!("was reordered: entry {} stands in its place", receipt.index));
    }
    if follows.is_some_and(|leaf| leaf != receipt.previous) {
        return Err("does not follow from the one before: one is missing or was changed".to_owned());
    }
    Ok(receipt)
}

/// Writes a proof of each wanted entry, all against the newest checkpoint. Beside them, for whoever has an
/// earlier one of the station's keys, each entry that changes the key against its own checkpoint, which the
/// old key and the new one have signed.
fn proofs(
    store: &Store,
    snapshot: &Snapshot,
    wanted: &Wanted,
    written: &mut Written,
    folder: &Folder,
) -> Result<()> {
    let mut prover = Prover::default();
    snapshot.leaves(|leaf| prover.push(leaf).map_err(PortError::new))?;
    let checkpoint = snapshot.checkpoint()?;
    let signed = store.public_key()?.check(&checkpoint);
    let head = crate::evidence::checkpoint::says(&checkpoint);
    let root = prover.root().map_err(PortError::new)?;
    if signed != Signature::Good || head != Some((prover.size(), root)) {
        let what = "the newest checkpoint is not the signed head of these entries";
        written.damaged = Some(format!("{what}; `cleanshiftctl log verify` tells more"));
        return Err(PortError::new(what));
    }
    each(snapshot, wanted, written, |stored, receipt, _| {
        let path = prover.path(stored.index).map_err(PortError::new)?;
        let (index, json, checkpoint) = (stored.index, stored.json.to_vec(), checkpoint.clone());
        let proof = Proof { index, json, path, checkpoint };
        folder.write(&format!("{:07}-{}.tlog-proof", index, plain(&receipt.kind)), proof.text().as_bytes())
    })?;
    for (index, json, checkpoint) in written.changes.drain(..) {
        let path = prover.path_below(index, index + 1).map_err(PortError::new)?;
        let proof = Proof { index, json, path, checkpoint };
        folder.write(&format!("{index:07}-key.{HANDOVER}"), proof.text().as_bytes())?;
    }
    Ok(())
}

/// The end of the names of the files by which one key hands over to the next.
const HANDOVER: &str = "handover";

/// The keys to which this one has handed over, by the files beside a proof; itself first.
fn successors(proof: &Path, key: crate::evidence::StationKey) -> Vec<crate::evidence::StationKey> {
    let dir = proof.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == HANDOVER)).collect();
    files.sort();
    let mut keys = vec![key];
    for text in files.iter().filter_map(|path| std::fs::read_to_string(path).ok()) {
        let next = Proof::read(&text).ok().and_then(|proof| proof.hands_over(keys.last()?));
        keys.extend(next);
    }
    keys
}

/// What may stand in a file's name.
fn plain(kind: &str) -> String {
    kind.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').take(32).collect()
}

// ---------------------------------------------------------------------------------------------
// verify a proof
// ---------------------------------------------------------------------------------------------

/// Verifies a proof that stands alone; needs no station. The answer is the exit code.
#[must_use]
pub fn verify_proof(file: &Path, key: Option<&str>, as_json: bool) -> u8 {
    let name = escape(&file.display().to_string());
    let read = || -> Result<(Option<crate::evidence::StationKey>, String)> {
        let text = std::fs::read(file).map_err(|error| PortError::new(format!("read {name}: {error}")))?;
        if !Proof::is(&text) {
            let what = "it is no C2SP tlog-proof; `cleanshiftctl log export --format proof` writes them";
            return Err(PortError::new(format!("read {name}: {what}")));
        }
        let text = String::from_utf8(text)
            .map_err(|_| PortError::new(format!("read {name}: a proof is text in UTF-8")))?;
        Ok((key.map(given_key).transpose()?, text))
    };
    let (key, text) = match read() {
        Ok(read) => read,
        Err(error) => return told(&error),
    };
    let mut handed_over = false;
    let found = Proof::read(&text).and_then(|proof| {
        let keys = key.map_or_else(Vec::new, |key| successors(file, key));
        let signs = |key: &&crate::evidence::StationKey| key.check(&proof.checkpoint) == Signature::Good;
        let later = keys.iter().skip(1).find(signs);
        handed_over = later.is_some() && !keys.first().is_some_and(|key| signs(&key));
        proof.check(if handed_over { later } else { keys.first() })
    });
    let out = match (&found, as_json) {
        (Ok(proven), false) => {
            let note = match (proven.key_checked, handed_over) {
                (true, false) => "",
                (true, true) => {
                    "note: the key was changed since; the files .handover beside this one lead to the new one\n"
                }
                (false, _) => {
                    "note: without --key nobody vouches for the checkpoint; `cleanshiftctl log key` prints the station's\n"
                }
            };
            format!("{}\n{}.\n{note}", proven.sentence(), sentence(&proven.receipt))
        }
        (Ok(proven), true) => {
            let told = json!({
                "verdict": "whole",
                "key_checked": proven.key_checked,
                "handed_over": handed_over,
                "entry": proven.receipt.index,
                "entries": proven.size,
                "leaf": hex::encode(proven.leaf),
                "root": hex::encode(proven.root),
                "receipt": proven.receipt,
            });
            format!("{told:#}\n")
        }
        (Err(what), false) => format!("broken: {}\n", escape(what)),
        (Err(what), true) => format!("{:#}\n", json!({ "verdict": "broken", "what": escape(what) })),
    };
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    if found.is_ok() { GOOD } else { WANTING }
}

// ---------------------------------------------------------------------------------------------
// controls
// ---------------------------------------------------------------------------------------------

/// Tells which controls the entries are evidence for. Verifies the whole ledger first.
///
/// # Errors
/// When the store cannot be read.
pub fn controls(store: &Store, arguments: &ControlsArguments, out: &mut String) -> Result<u8> {
    let key = arguments.key.as_deref().map(given_key).transpose()?;
    let verdict = store.audit(key.as_ref(), false)?;
    let wanted = Wanted { from: arguments.from, to: arguments.to, ..Wanted::default() };
    let mut tally = Tally::default();
    store.snapshot()?.each(|stored| {
        match Receipt::read(stored.json) {
            Ok(receipt) => tally.entry(&receipt, stored.leaf, wanted.takes(&receipt)),
            Err(_) if stored.json.is_empty() => tally.pruned(stored.index, stored.leaf),
            Err(_) => tally.unreadable(stored.index, stored.leaf),
        }
        Ok(())
    })?;
    let report = report(&tally, Some(&verdict));
    if arguments.json {
        let mut told = serde_json::to_value(&report).unwrap_or_default();
        told["verdict"] = json!(if verdict.whole() { "whole" } else { "broken" });
        told["exceptions"] = json!(report.exceptions());
        out.push_str(&format!("{told:#}\n"));
    } else {
        out.push_str(&report.text());
    }
    Ok(if verdict.whole() { GOOD } else { WANTING })
}
