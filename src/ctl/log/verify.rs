//! `cleanshiftctl log verify`: a station's own ledger, a copy of it, or exported receipts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Station;
use crate::ctl::export;
use crate::evidence::against::Came;
use crate::evidence::verify::{Bad, Fault};
use crate::evidence::{Kept, StationKey, Verdict, escape, lines};
use crate::policy;
use crate::ports::{Ledger as _, PortError, Result};
use crate::store::Store;

/// What every file of SQLite's begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// What every file of a single receipt's proof begins with (c2sp.org/tlog-proof), as far as is read of it.
const PROOF: &[u8] = b"c2sp.org/tlog-pr";

/// The longest line of an export that is looked at to tell what a file is, bytes.
const LINE: u64 = 4 << 20;

/// What can be asked of a verification.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// A copy of station.db, a copy of a state directory, or exported receipts (JSON, one a line);
    /// without it, the station's own ledger
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The station's public key as NAME+ID+BASE64, or a file that holds it; an earlier one of the station's keys
    /// is as good
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A checkpoint that was kept elsewhere, or a file with one or more: what it covers must still be there
    #[arg(long, value_name = "CHECKPOINT")]
    against: Vec<String>,
    /// Check the signature of every checkpoint, not of the newest alone
    #[arg(long)]
    all_signatures: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(asked: &VerifyArguments, station: &Station, out: &mut String) -> Result<u8> {
    let key = asked.key.as_deref().map(given_key).transpose()?;
    let mut kept = Vec::new();
    for text in &asked.against {
        kept.extend(given_checkpoints(text)?);
    }
    let (store, own) = match asked.file.as_deref() {
        None => (Store::open_read(&station.state)?, true),
        Some(dir) if dir.is_dir() => (Store::open_read(dir)?, false),
        Some(file) => match begins(file)? {
            Begins::Store => (Store::open_copy(file)?, false),
            // One receipt with what proves it: it says how it came out by itself.
            Begins::Proof => return Ok(export::verify_proof(file, asked.key.as_deref(), asked.json)),
            Begins::Receipts => return exported(file, kept, key.as_ref(), asked.json, out),
        },
    };
    let mut verdict = store.audit_against(key.as_ref(), asked.all_signatures, &kept)?;
    let policy = policy_beside(station, own, &mut verdict)?;
    if !policy && !verdict.notes.iter().any(|note| note.starts_with("policy not compared")) {
        verdict.notes.push("policy not compared: name its file with --policy".to_owned());
    }
    key_beside(&store, &mut verdict);
    without_wal(&store, asked.file.as_deref(), &mut verdict);
    if asked.json {
        let mut value = value(&verdict);
        value["policy_checked"] = json!(policy);
        let _ = writeln!(out, "{value:#}");
    } else {
        let _ = writeln!(out, "{}", escape(&verdict.sentence()));
        for (size, came) in &verdict.against {
            let _ = writeln!(out, "against the checkpoint over {size} entries: {}", came_words(*came));
        }
        if let Some(bad) = &verdict.first_bad {
            let _ = writeln!(out, "help: {}", help(bad));
        }
        if verdict.whole() && kept.is_empty() {
            let _ = writeln!(out, "note: {UNSEEN}");
        }
        for note in &verdict.notes {
            let _ = writeln!(out, "note: {}", escape(note));
        }
    }
    Ok(u8::from(!verdict.whole()))
}

/// What to do when something is wrong.
const KEEP: &str = "copy the state directory as it is, for whoever looks into it; then put the last copy that holds back, \
                    or move the directory away to begin a new ledger";

/// What to do about this fault.
fn help(bad: &Bad) -> &'static str {
    match bad.fault {
        Fault::ChangedOutside if bad.what.contains("policy") => {
            "if IT has changed the policy, start the station anew: it takes the policy, and says so in an entry; if \
             nobody has, find out who did"
        }
        Fault::WrongKey if bad.index == 0 => {
            "if this is not the key that `cleanshiftctl log key` printed when the station was set up, bring that one; if \
             it is, this is not that station's ledger"
        }
        Fault::BadSignature
        | Fault::ChangedOutside
        | Fault::Edited
        | Fault::Missing
        | Fault::Removed
        | Fault::Reordered
        | Fault::Rewritten
        | Fault::Truncated
        | Fault::WrongCheckpoint
        | Fault::WrongKey
        | Fault::WrongRoot => KEEP,
    }
}

/// What no ledger can show by itself.
const UNSEEN: &str = "entries cut off at the end together with their checkpoints cannot be seen from the ledger \
                      alone; --against a checkpoint that was kept elsewhere shows them";

// ---------------------------------------------------------------------------------------------
// What stands beside the ledger
// ---------------------------------------------------------------------------------------------

fn broken(verdict: &mut Verdict, fault: Fault, what: String) {
    let index = verdict.entries.saturating_sub(1);
    let _ = verdict.first_bad.get_or_insert(Bad { index, fault, what });
}

/// The policy file must be what the newest entry of kind `policy` says: whether it was compared. That of
/// another station says nothing, so that only one that was named, or the station's own, is.
fn policy_beside(station: &Station, own: bool, verdict: &mut Verdict) -> Result<bool> {
    let path = match &station.policy {
        Some(path) => path.clone(),
        None if own && !station.state_given => crate::platform::native::places::policy(),
        None => return Ok(false),
    };
    let file = match std::fs::read(&path) {
        Ok(file) => file,
        Err(error) if station.policy.is_some() => {
            return Err(PortError::new(format!("read the policy {}: {error}", path.display())));
        }
        Err(error) => {
            verdict.notes.push(format!("policy not compared: {}: {error}", path.display()));
            return Ok(false);
        }
    };
    let Some(said) = verdict.latest.get("policy") else {
        verdict.notes.push("policy not compared: no station has taken one yet".to_owned());
        return Ok(false);
    };
    // What `policy show` has printed is the policy in force already.
    let switches = crate::platform::native::places::switches();
    let same = *said == policy::hash(&policy::in_force(&file, &switches))
        || station.policy.is_some() && *said == policy::hash(&file);
    if !same {
        let what = format!(
            "the policy {} is not the one that the newest entry about it says; a station that is started anew takes \
             it, and says so in an entry",
            path.display()
        );
        broken(verdict, Fault::ChangedOutside, what);
    }
    Ok(true)
}

/// `station.key`, where it lies beside and may be read, must be the key that the ledger names.
fn key_beside(store: &Store, verdict: &mut Verdict) {
    let path = store.dir().join("station.key");
    match std::fs::read(&path).map(Zeroizing::new) {
        Ok(kept) => {
            // Away from the machine that sealed it, it says nothing of the ledger.
            if let Err(error) = crate::private::unseal(&kept) {
                verdict.notes.push(format!("station.key not compared: {error}"));
            } else if let (true, Err(error)) = (verdict.whole(), store.public_key()) {
                broken(verdict, Fault::WrongKey, format!("wrong key: failed to {error}"));
            }
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            verdict.notes.push(format!("station.key not compared: {error}"));
        }
        Err(_) => {}
    }
}

/// Says what a copy that was taken while the station ran has not.
fn without_wal(store: &Store, file: Option<&Path>, verdict: &mut Verdict) {
    let Some(file) = file.filter(|_| !store.has_wal()) else { return };
    let newest = store.page(None, 1).ok().and_then(|page| page.into_iter().next());
    let receipt = newest.and_then(|entry| crate::evidence::Receipt::read(&entry.json).ok());
    if receipt.is_none_or(|receipt| receipt.kind != "stopped") {
        verdict.notes.push(format!(
            "{} has no -wal file beside it, and its last entry is no stop: if the station ran when this copy was made, its \
             newest entries are in station.db-wal alone; copy both files, or stop the station first",
            file.display()
        ));
    }
}

// ---------------------------------------------------------------------------------------------
// Exported receipts
// ---------------------------------------------------------------------------------------------

enum Begins {
    Proof,
    Store,
    Receipts,
}

fn begins(file: &Path) -> Result<Begins> {
    let wrong = |what: String| PortError::new(format!("read {}: {what}", file.display()));
    if std::fs::metadata(file).is_ok_and(|data| !data.is_file()) {
        return Err(wrong(
            "it is a pipe or a device, which cannot be read twice; save it as a file first".to_owned(),
        ));
    }
    let mut head = [0; 16];
    let read = std::fs::File::open(file).and_then(|mut open| {
        let mut read = 0;
        loop {
            match std::io::Read::read(&mut open, head.get_mut(read..).unwrap_or_default())? {
                0 => return Ok(read),
                more => read += more,
            }
        }
    });
    let read = read.map_err(|error| wrong(error.to_string()))?;
    match head.get(..read).unwrap_or_default() {
        begins if begins == SQLITE => Ok(Begins::Store),
        begins if begins == PROOF => Ok(Begins::Proof),
        [b'{', ..] if is_receipt(file) => Ok(Begins::Receipts),
        [] => Err(wrong(
            "there is nothing in it; if it is a copy of station.db, station.db-wal belongs to it: copy both, or stop \
             the station before you copy"
                .to_owned(),
        )),
        _ => Err(wrong(
            "it is neither a copy of station.db, nor exported receipts, nor a C2SP tlog-proof (`cleanshiftctl log \
             export`); if it was a copy of station.db, its beginning is damaged: take another copy"
                .to_owned(),
        )),
    }
}

/// Whether the first line is a receipt, of whatever version: other JSON is no export that was edited.
fn is_receipt(file: &Path) -> bool {
    use std::io::{BufRead as _, Read as _};
    let mut line = Vec::new();
    let read = std::fs::File::open(file)
        .and_then(|open| std::io::BufReader::new(open.take(LINE)).read_until(b'\n', &mut line));
    const MARK: &[u8] = b"\"schema\":\"cleanshift/receipt/";
    read.is_ok() && line.windows(MARK.len()).any(|part| part == MARK)
}

/// The files that may hold the checkpoint of an export.
fn beside_export(file: &Path) -> [PathBuf; 2] {
    let mut longer = file.as_os_str().to_owned();
    longer.push(".checkpoint");
    [PathBuf::from(longer), file.with_extension("checkpoint")]
}

fn exported(
    file: &Path,
    mut kept: Vec<Kept>,
    key: Option<&StationKey>,
    as_json: bool,
    out: &mut String,
) -> Result<u8> {
    let text =
        std::fs::read(file).map_err(|error| PortError::new(format!("read {}: {error}", file.display())))?;
    for beside in beside_export(file).iter().filter(|path| path.exists()) {
        kept.extend(given_checkpoints(&beside.to_string_lossy())?);
    }
    let found = lines::verify(text.split(|byte| *byte == b'\n'), &kept, key).map_err(PortError::new)?;
    let whole = found.first_bad.is_none();
    if as_json {
        let against = found
            .against
            .iter()
            .map(|(size, holds)| json!({ "size": size, "result": if *holds { "holds" } else { "unknown" } }));
        let value = json!({
            "verdict": if whole { "whole" } else { "broken" },
            "sentence": found.sentence(),
            "from": found.from,
            "entries": found.entries,
            "pruned": found.pruned,
            "first_bad": found.first_bad.as_ref().map(bad_value),
            "key_checked": found.key_checked,
            "in_tree": found.in_tree,
            "against": against.collect::<Vec<_>>(),
            "notes": found.notes,
        });
        let _ = writeln!(out, "{value:#}");
    } else {
        let _ = writeln!(out, "{}", escape(&found.sentence()));
        if !whole {
            let _ = writeln!(out, "help: export again, and compare with what this file was copied from");
        }
        for note in &found.notes {
            let _ = writeln!(out, "note: {}", escape(note));
        }
    }
    // What was brought to be held against it, and could not be, leaves the question open.
    let open = (key.is_some() && !found.key_checked) || (!kept.is_empty() && !found.in_tree);
    Ok(if !whole {
        1
    } else if open {
        2
    } else {
        0
    })
}

// ---------------------------------------------------------------------------------------------
// What the auditor brings
// ---------------------------------------------------------------------------------------------

/// A key's text, or a file that holds it.
pub(in crate::ctl) fn given_key(key: &str) -> Result<StationKey> {
    if key.contains('+') && !Path::new(key).exists() {
        return StationKey::read(key).map_err(PortError::new);
    }
    let text = std::fs::read_to_string(key).map_err(|error| {
        PortError::new(format!(
            "read the key {}: {error}; give a key as NAME+ID+BASE64, or a file that holds one: `cleanshiftctl log key` \
             prints it at the station",
            escape(key)
        ))
    })?;
    StationKey::read(&text).map_err(PortError::new)
}

/// A checkpoint's text, or a file that holds one or more.
pub(super) fn given_checkpoints(given: &str) -> Result<Vec<Kept>> {
    if given.contains('\n') {
        return Kept::read_all(given).map_err(PortError::new);
    }
    let text = std::fs::read_to_string(given).map_err(|error| {
        PortError::new(format!(
            "read the checkpoint {}: {error}; give a file that holds one, or its text: `cleanshiftctl log checkpoint` prints \
             it at the station",
            escape(given)
        ))
    })?;
    Kept::read_all(&text).map_err(|error| PortError::new(format!("{error}: {}", escape(given))))
}

// ---------------------------------------------------------------------------------------------
// JSON
// ---------------------------------------------------------------------------------------------

fn came_words(came: Came) -> &'static str {
    match came {
        Came::Holds => "holds",
        Came::Foreign => "it is not this ledger's",
        Came::Rewritten => "does not hold, what it covers is not what it was",
        Came::Truncated => "does not hold, the end of what it covers is missing",
        Came::Unknown => "not compared, the ledger is broken before its end",
    }
}

fn bad_value(bad: &Bad) -> Value {
    json!({ "index": bad.index, "fault": bad.fault.word(), "what": escape(&bad.what) })
}

fn value(verdict: &Verdict) -> Value {
    let against = verdict.against.iter().map(|(size, came)| json!({ "size": size, "result": came.word() }));
    let anchors = verdict.anchors.iter().map(|anchor| json!({ "index": anchor.index, "size": anchor.size }));
    json!({
        "verdict": if verdict.whole() { "whole" } else { "broken" },
        "sentence": escape(&verdict.sentence()),
        "entries": verdict.entries,
        "first_bad": verdict.first_bad.as_ref().map(bad_value),
        "key_checked": verdict.key_checked,
        "keys": verdict.keys.iter().map(StationKey::text).collect::<Vec<_>>(),
        "signatures": verdict.signatures,
        "all_signatures": verdict.all_signatures,
        "root": hex::encode(verdict.tree.root()),
        "pruned": verdict.pruned,
        "pruned_below": verdict.pruned_below,
        "anchors": anchors.collect::<Vec<_>>(),
        "against": against.collect::<Vec<_>>(),
        "notes": verdict.notes,
    })
}
