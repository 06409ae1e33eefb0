//! `cleanshiftctl log`: the handoff log for IT and auditors. Shows and verifies, changes nothing.
//!
//! Exit codes: 0 good, 1 found wanting (the chain is broken), 2 could not run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use jiff::tz::TimeZone;
use serde_json::json;

use super::export::{self, ControlsArguments, ExportArguments};
use crate::evidence::checkpoint::Signature;
use crate::evidence::receipt::{GateSaw, Receipt};
use crate::evidence::words::{local, seconds};
use crate::evidence::{StationKey, Verdict, counts, escape, leaf_hash, sentence};
use crate::ports::{Ledger as _, PortError, Result, Written};
use crate::store::Store;

/// So many entries are listed when nobody says how many.
const SHOWN: usize = 50;

/// So many entries are read at once.
const PAGE: usize = 1000;

/// What can be asked of the log.
#[derive(Clone, Debug, Subcommand)]
pub enum LogCommand {
    /// List entries, the newest last
    List {
        /// Print JSON, one entry a line
        #[arg(long)]
        json: bool,
        /// How many of the newest entries
        #[arg(long, value_name = "N", default_value_t = SHOWN)]
        limit: usize,
        /// All entries
        #[arg(long, conflicts_with = "limit")]
        all: bool,
    },
    /// Show one entry: what it says, what the gates saw, and its proof
    Show {
        /// The entry's number
        index: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Verify the whole log; exit code 1 when it does not hold
    Verify {
        /// A proof that `log export --format proof` has written; the station's whole ledger without
        file: Option<PathBuf>,
        /// The station's public key as NAME+ID+BASE64, or a file that holds it
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// Check the signature of every checkpoint, not of the newest alone
        #[arg(long)]
        all_signatures: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the station's public key, for auditors to keep elsewhere
    Key {},
    /// Write entries in a form that others read
    Export(ExportArguments),
    /// Tell which controls the entries are evidence for, with every exception
    Controls(ControlsArguments),
    /// Print the JSON Schema of a receipt
    Schema,
}

/// Runs a command on the store in `state_dir`; the answer is the exit code.
#[must_use]
pub fn run(cmd: &LogCommand, state_dir: &Path) -> u8 {
    if let LogCommand::Export(arguments) = cmd {
        return export::run(arguments, state_dir);
    }
    if let LogCommand::Schema = cmd {
        return export::schema();
    }
    if let LogCommand::Verify { file: Some(file), key, json, .. } = cmd {
        return export::verify_proof(file, key.as_deref(), *json);
    }
    let mut out = String::new();
    let done = Store::open_read(state_dir).and_then(|store| match cmd {
        LogCommand::List { json, limit, all } => {
            list(&store, *json, if *all { usize::MAX } else { *limit }, &mut out)
        }
        LogCommand::Show { index, json } => show(&store, *index, *json, &mut out),
        LogCommand::Verify { key, all_signatures, json, .. } => {
            verify(&store, key.as_deref(), *all_signatures, *json, &mut out)
        }
        LogCommand::Key {} => {
            let _ = writeln!(out, "{}", store.public_key()?.text());
            Ok(0)
        }
        LogCommand::Controls(arguments) => export::controls(&store, arguments, &mut out),
        // Done above.
        LogCommand::Export(_) | LogCommand::Schema => Ok(0),
    });
    // A reader that went away (`| head`) is no failure of ours.
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cleanshiftctl: failed to {error}");
            2
        }
    }
}

// ---------------------------------------------------------------------------------------------
// list
// ---------------------------------------------------------------------------------------------

fn list(store: &Store, as_json: bool, limit: usize, out: &mut String) -> Result<u8> {
    let mut entries: Vec<Written> = Vec::new();
    while entries.len() < limit {
        let before = entries.last().map(|entry| entry.index);
        let page = store.page(before, PAGE.min(limit - entries.len()))?;
        if page.is_empty() {
            break;
        }
        entries.extend(page);
    }
    entries.reverse();
    if as_json {
        for entry in &entries {
            let _ = writeln!(out, "{}", as_value(entry));
        }
        return Ok(0);
    }
    let zone = TimeZone::system();
    let head = ["#", "when", "kind", "who", "trigger", "closed/forced", "clean in", "verdict"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| row(entry, &zone)));
    table(&rows, out);
    Ok(0)
}

fn row(entry: &Written, zone: &TimeZone) -> [String; 8] {
    let none = || "–".to_owned();
    let index = entry.index.to_string();
    let Ok(receipt) = Receipt::read(&entry.json) else {
        return [index, none(), "unreadable".to_owned(), none(), none(), none(), none(), none()];
    };
    let mut row = [
        index,
        local(&receipt.at, zone, "%Y-%m-%d %H:%M:%S"),
        escape(&receipt.kind),
        receipt.operator.as_ref().map_or_else(none, |who| escape(&who.name)),
        none(),
        none(),
        none(),
        none(),
    ];
    if let Some(change) = &receipt.change {
        row[3] = escape(&change.by);
        row[4] = escape(&change.deed);
    }
    if let Some(facts) = &receipt.handoff {
        let forced = facts.apps.iter().filter(|app| !app.gracefully).count();
        row[4] = escape(&facts.trigger);
        row[5] = format!("{}/{forced}", facts.apps.len() - forced);
        let clean = receipt.finished().is_some() && counts(&facts.after).clean();
        if clean {
            row[6] = seconds(facts.clean_after_us);
        }
        row[7] = if clean { "clean".to_owned() } else { "not clean".to_owned() };
    }
    row
}

/// Columns that hold numbers stand to the right.
const TO_THE_RIGHT: [usize; 3] = [0, 5, 6];

fn table<const N: usize>(rows: &[[String; N]], out: &mut String) {
    let width = |text: &String| text.chars().count();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    for row in rows {
        let mut line = String::new();
        for (column, text) in row.iter().enumerate() {
            let space = " ".repeat(widths[column] - width(text));
            let (left, right) =
                if TO_THE_RIGHT.contains(&column) { (space.as_str(), "") } else { ("", space.as_str()) };
            let _ = write!(line, "{left}{text}{right}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

// ---------------------------------------------------------------------------------------------
// show
// ---------------------------------------------------------------------------------------------

fn show(store: &Store, index: u64, as_json: bool, out: &mut String) -> Result<u8> {
    let entry = store
        .page(index.checked_add(1), 1)?
        .pop()
        .filter(|entry| entry.index == index)
        .ok_or_else(|| PortError::new(format!("show entry {index}: there is none")))?;
    let (holds, proof) = proof(store, &entry);
    if as_json {
        let mut value = as_value(&entry);
        value["verified"] = json!(holds);
        value["proof"] = json!(proof);
        let _ = writeln!(out, "{value:#}");
        return Ok(u8::from(!holds));
    }
    match Receipt::read(&entry.json) {
        Ok(receipt) => facts(&receipt, out),
        Err(error) => {
            let _ = writeln!(out, "Entry {index} cannot be read: {}", escape(&error));
        }
    }
    let _ = writeln!(out, "\nProof");
    let _ = writeln!(out, "  leaf        {}", hex::encode(entry.leaf));
    for (number, line) in entry.checkpoint.lines().enumerate() {
        let name = if number == 0 { "checkpoint" } else { "" };
        let _ = writeln!(out, "  {name:<10}  {}", escape(line));
    }
    let _ = writeln!(out, "  verified    {proof}");
    Ok(u8::from(!holds))
}

fn facts(receipt: &Receipt, out: &mut String) {
    let _ = writeln!(out, "{}.", sentence(receipt));
    let _ = writeln!(out, "\nEntry {} of {}, {}", receipt.index, escape(&receipt.station), receipt.at.utc);
    if let Some(facts) = &receipt.handoff {
        let _ = writeln!(out, "  covered after  {} µs", facts.covered_after_us);
        let _ = writeln!(out, "  rounds         {}", facts.rounds);
        let _ = writeln!(out, "  destroyed      {}", escape(&facts.proof));
        if !facts.assurance.is_empty() {
            let _ = writeln!(out, "  assurance      {}", escape(&facts.assurance));
        }
        for app in &facts.apps {
            let how = if app.gracefully { "closed by itself" } else { "forced" };
            let _ = writeln!(out, "  app            {}: {how}", escape(&app.name));
        }
        for shared in &facts.shared {
            let _ = writeln!(out, "  shared         {}: not checked", escape(shared));
        }
        gates("Inside the capsule, before its end", &facts.inside, out);
        gates(&format!("After it: {}", counts(&facts.after)), &facts.after, out);
    }
    if let Some(change) = &receipt.change {
        let or_none = |hash: &str| if hash.is_empty() { "nothing".to_owned() } else { escape(hash) };
        let _ = writeln!(out, "  before  {}", or_none(&change.before));
        let _ = writeln!(out, "  after   {}", or_none(&change.after));
    }
    if !receipt.policy.is_empty() {
        let _ = writeln!(out, "\nPolicy {}", escape(&receipt.policy));
    }
    if !receipt.capabilities.is_empty() {
        let _ = writeln!(out, "\nThis host");
        let width = receipt.capabilities.iter().map(|found| found.name.chars().count()).max().unwrap_or(0);
        for capability in &receipt.capabilities {
            let _ = writeln!(out, "  {:<width$}  {}", escape(&capability.name), escape(&capability.found));
        }
    }
}

fn gates(title: &str, gates: &[GateSaw], out: &mut String) {
    if gates.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    let head = ["class", "gate", "answer", "saw", "how", "took"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(gates.iter().map(|gate| {
        [
            gate.class.to_string(),
            escape(&gate.gate),
            escape(&gate.answer),
            escape(&gate.saw),
            escape(&gate.method),
            format!("{} µs", gate.took_us),
        ]
    }));
    table(&rows, out);
}

/// What can be said of one entry without reading all: its text and its checkpoint's signature.
fn proof(store: &Store, entry: &Written) -> (bool, String) {
    if leaf_hash(&entry.json) != entry.leaf {
        return (false, "no: the text does not give the leaf hash".to_owned());
    }
    let key = match store.public_key() {
        Ok(key) => key,
        Err(error) => return (false, format!("no: failed to {error}")),
    };
    match key.check(&entry.checkpoint) {
        Signature::Good => {
            let text = "yes: the text gives the leaf, and the checkpoint is signed by this station's key; \
                        `cleanshiftctl log verify` checks the tree between them";
            (true, text.to_owned())
        }
        Signature::Bad => (false, "no: the checkpoint's signature does not hold".to_owned()),
        Signature::Other => (false, "no: the checkpoint is signed by another key".to_owned()),
    }
}

fn as_value(entry: &Written) -> serde_json::Value {
    let receipt = serde_json::from_slice(&entry.json).unwrap_or(serde_json::Value::Null);
    json!({
        "index": entry.index,
        "receipt": receipt,
        "leaf": hex::encode(entry.leaf),
        "checkpoint": &*entry.checkpoint,
    })
}

// ---------------------------------------------------------------------------------------------
// verify
// ---------------------------------------------------------------------------------------------

fn verify(
    store: &Store,
    key: Option<&str>,
    all_signatures: bool,
    as_json: bool,
    out: &mut String,
) -> Result<u8> {
    let key = key.map(given_key).transpose()?;
    let verdict = store.audit(key.as_ref(), all_signatures)?;
    if as_json {
        let _ = writeln!(out, "{:#}", verdict_value(&verdict));
    } else {
        let _ = writeln!(out, "{}", escape(&verdict.sentence()));
        for note in &verdict.notes {
            let _ = writeln!(out, "note: {}", escape(note));
        }
    }
    Ok(u8::from(!verdict.whole()))
}

/// A key's text, or a file that holds it.
pub(super) fn given_key(key: &str) -> Result<StationKey> {
    if key.contains('+') && !Path::new(key).exists() {
        return StationKey::read(key).map_err(PortError::new);
    }
    let text = std::fs::read_to_string(key)
        .map_err(|error| PortError::new(format!("read the key {}: {error}", escape(key))))?;
    StationKey::read(&text).map_err(PortError::new)
}

fn verdict_value(verdict: &Verdict) -> serde_json::Value {
    let first_bad =
        verdict.first_bad.as_ref().map(|bad| json!({ "index": bad.index, "what": escape(&bad.what) }));
    json!({
        "verdict": if verdict.whole() { "whole" } else { "broken" },
        "entries": verdict.entries,
        "first_bad": first_bad,
        "key_checked": verdict.key_checked,
        "signatures": verdict.signatures,
        "root": hex::encode(verdict.tree.root()),
        "notes": verdict.notes,
    })
}
