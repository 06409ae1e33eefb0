//! `cleanshiftctl log`: the handoff log for IT and auditors. Shows and verifies; `anchor`, `rotate-key` and
//! `prune` write entries, and change no other.
//!
//! Exit codes: 0 good, 1 found wanting (the chain is broken), 2 could not run.

mod keep;
mod pending;
mod qr;
mod verify;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use jiff::tz::TimeZone;
use serde_json::json;

pub(super) use self::verify::given_key;
use super::export::{self, ControlsArguments, ExportArguments};
use crate::evidence::checkpoint::Signature;
use crate::evidence::receipt::{GateSaw, Receipt};
use crate::evidence::tokens::{ended, signed_out};
use crate::evidence::words::{local, seconds};
use crate::evidence::{StationKey, counts, escape, leaf_hash, sentence};
use crate::policy::Policy;
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
    Verify(verify::VerifyArguments),
    /// Print the newest checkpoint, which covers every entry: to be kept elsewhere
    Checkpoint {
        /// Draw it as a QR code too
        #[arg(long)]
        qr: bool,
        /// Add it to the end of this file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Print JSON
        #[arg(long, conflicts_with = "qr")]
        json: bool,
    },
    /// Print the station's public key, for auditors to keep elsewhere
    Key {
        /// Draw it as a QR code too
        #[arg(long)]
        qr: bool,
    },
    /// Say in the ledger that a checkpoint is kept elsewhere: what it covers may be pruned from now on
    Anchor {
        /// The checkpoint, or a file that holds it
        #[arg(value_name = "CHECKPOINT")]
        checkpoint: String,
        /// Where it is kept
        #[arg(long, value_name = "TEXT", default_value = "")]
        place: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change the station's key, while no shell runs; the old key signs the new one
    RotateKey {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give up the text of entries that are older than the policy keeps them, below an anchored checkpoint
    Prune {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write entries in a form that others read
    Export(ExportArguments),
    /// Tell which controls the entries are evidence for, with every exception
    Controls(ControlsArguments),
    /// Tell what of earlier sessions is still to be ended elsewhere
    Pending {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of a receipt
    Schema,
}

/// The station that a command is about.
pub struct Station {
    /// Where its state lies.
    pub state: PathBuf,
    /// Whether that was named.
    pub state_given: bool,
    /// The policy file that was named.
    pub policy: Option<PathBuf>,
}

impl Station {
    fn policy(&self) -> Result<Policy> {
        let path = self.policy.clone().unwrap_or_else(crate::platform::native::places::policy);
        Policy::in_force(&path, &crate::platform::native::places::switches())
            .map_err(|problems| PortError::new(format!("read the policy:\n{problems}")))
    }
}

/// Runs a command; the answer is the exit code.
#[must_use]
pub fn run(cmd: &LogCommand, station: &Station) -> u8 {
    if let LogCommand::Export(arguments) = cmd {
        return export::run(arguments, &station.state);
    }
    if let LogCommand::Schema = cmd {
        return export::schema();
    }
    let mut out = String::new();
    let read =
        |work: &mut dyn FnMut(&Store) -> Result<u8>| Store::open_read(&station.state).and_then(|s| work(&s));
    let done = match cmd {
        LogCommand::List { json, limit, all } => {
            read(&mut |store| list(store, *json, if *all { usize::MAX } else { *limit }, &mut out))
        }
        LogCommand::Show { index, json } => read(&mut |store| show(store, *index, *json, &mut out)),
        LogCommand::Verify(asked) => verify::run(asked, station, &mut out),
        LogCommand::Checkpoint { qr, out: to, json } => {
            read(&mut |store| keep::checkpoint(store, *qr, to.as_deref(), *json, &mut out))
        }
        LogCommand::Key { qr } => read(&mut |store| keep::key(store, *qr, &mut out)),
        LogCommand::Anchor { checkpoint, place, json } => {
            keep::anchor(station, checkpoint, place, *json, &mut out)
        }
        LogCommand::Controls(arguments) => read(&mut |store| export::controls(store, arguments, &mut out)),
        LogCommand::Pending { json } => read(&mut |store| pending::pending(store, *json, &mut out)),
        // Done above.
        LogCommand::Export(_) | LogCommand::Schema => Ok(0),
        LogCommand::RotateKey { json } => keep::rotate(station, *json, &mut out),
        LogCommand::Prune { json } => keep::prune(station, *json, &mut out),
    };
    if let (Err(error), true) = (&done, as_json(cmd)) {
        // Whoever reads JSON is told in JSON that nothing could be found out.
        let _ = writeln!(out, "{:#}", json!({ "error": format!("failed to {error}") }));
    }
    // A reader that went away (`| head`) has ended us quietly; a disk that is full has not.
    let heard = super::say(&out);
    match done {
        Ok(_) if heard.is_err() => {
            let _ = writeln!(std::io::stderr(), "cleanshiftctl: {}", heard.err().unwrap_or_default());
            2
        }
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cleanshiftctl: failed to {error}");
            2
        }
    }
}

fn as_json(cmd: &LogCommand) -> bool {
    match cmd {
        LogCommand::List { json, .. }
        | LogCommand::Show { json, .. }
        | LogCommand::Checkpoint { json, .. }
        | LogCommand::Anchor { json, .. }
        | LogCommand::RotateKey { json }
        | LogCommand::Pending { json }
        | LogCommand::Prune { json } => *json,
        LogCommand::Verify(asked) => asked.json,
        LogCommand::Controls(asked) => asked.json,
        LogCommand::Export(_) | LogCommand::Key { .. } | LogCommand::Schema => false,
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
    let when = format!("when ({})", zone_name(&entries, &zone));
    let head = ["#", &when, "kind", "who", "trigger", "closed/forced", "clean in", "verdict"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| row(entry, &zone)));
    table(&rows, out);
    Ok(0)
}

/// The zone that the times of these entries are told in: `CET`, or `CEST/CET` where there are summer and
/// winter among them.
fn zone_name(entries: &[Written], zone: &TimeZone) -> String {
    let receipts = entries.iter().filter_map(|entry| Receipt::read(&entry.json).ok());
    let names: BTreeSet<String> = receipts
        .filter_map(|receipt| receipt.at.utc.parse::<jiff::Timestamp>().ok())
        .map(|at| zone.to_offset_info(at).abbreviation().to_owned())
        .collect();
    names.into_iter().collect::<Vec<_>>().join("/")
}

fn row(entry: &Written, zone: &TimeZone) -> [String; 8] {
    let none = || "–".to_owned();
    let index = entry.index.to_string();
    let Ok(receipt) = Receipt::read(&entry.json) else {
        let what = if entry.json.is_empty() { "(pruned)" } else { "unreadable" };
        return [index, none(), what.to_owned(), none(), none(), none(), none(), none()];
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
    if let Some(anchor) = &receipt.anchor {
        row[3] = escape(&anchor.by);
        row[4] = match &anchor.pruned {
            Some(pruned) => format!("entries {} to {}", pruned.from, pruned.upto.saturating_sub(1)),
            None => format!("over {} entries", anchor.size),
        };
    }
    if let Some(change) = &receipt.change {
        row[3] = escape(&change.by);
        row[4] = escape(&change.deed);
    }
    if let Some(facts) = &receipt.handoff {
        let forced = facts.apps.iter().filter(|app| !app.gracefully).count();
        row[4] = escape(&facts.trigger);
        // Which apps were open, the shell that was ended knew.
        if !facts.apps.is_empty() || facts.trigger != "recovery" {
            row[5] = format!("{}/{forced}", facts.apps.len() - forced);
        }
        let clean = receipt.finished().is_some() && counts(&facts.after).clean();
        if clean {
            row[6] = seconds(facts.clean_after_us);
        }
        row[7] = if clean { "clean".to_owned() } else { "not clean".to_owned() };
        let unsettled = ended(&receipt.tokens).unsettled();
        if unsettled > 0 {
            let _ = write!(row[7], ", {unsettled} open elsewhere");
        }
    }
    if receipt.kind == "settled" {
        row[4] = receipt.about.as_ref().map_or_else(none, |about| format!("of entry {}", about.entry));
        row[7] = signed_out(&receipt.tokens);
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
        .ok_or_else(|| none_such(store, index))?;
    let (holds, proof) = proof(store, &entry);
    if as_json {
        let mut value = as_value(&entry);
        value["verified"] = json!(holds);
        value["proof"] = json!(proof);
        let _ = writeln!(out, "{value:#}");
        return Ok(u8::from(!holds));
    }
    match Receipt::read(&entry.json) {
        _ if entry.json.is_empty() => {
            let _ = writeln!(out, "Entry {index} was pruned: its text is gone, its hash is in the tree.");
        }
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

fn none_such(store: &Store, index: u64) -> PortError {
    let newest = store.entries().ok().and_then(|entries| entries.checked_sub(1));
    PortError::new(match newest {
        Some(newest) if index > newest => format!(
            "show entry {index}: there is none, the newest is {newest}; `cleanshiftctl log list` shows which there are"
        ),
        Some(_) => format!("show entry {index}: it is missing; `cleanshiftctl log verify` tells more"),
        None => format!("show entry {index}: the log is empty; start the station once"),
    })
}

fn facts(receipt: &Receipt, out: &mut String) {
    let _ = writeln!(out, "{}.", sentence(receipt));
    let at = local(&receipt.at, &TimeZone::system(), "%Y-%m-%d %H:%M:%S %Z");
    let (index, station) = (receipt.index, escape(&receipt.station));
    let _ = writeln!(out, "\nEntry {index} of {station}, {} ({at})", escape(&receipt.at.utc));
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
    sign_ins(receipt, out);
    if let Some(change) = &receipt.change {
        let or_none = |hash: &str| if hash.is_empty() { "nothing".to_owned() } else { escape(hash) };
        let _ = writeln!(out, "  before  {}", or_none(&change.before));
        let _ = writeln!(out, "  after   {}", or_none(&change.after));
    }
    if let Some(about) = &receipt.about {
        let _ = writeln!(out, "  about   entry {}, its leaf {}", about.entry, escape(&about.leaf));
    }
    if let Some(anchor) = &receipt.anchor {
        let _ = writeln!(out, "  checkpoint over  {} entries", anchor.size);
        let _ = writeln!(out, "  its root         {}", escape(&anchor.root));
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

/// What the session held elsewhere, and how far its end had come.
fn sign_ins(receipt: &Receipt, out: &mut String) {
    if receipt.tokens.is_empty() {
        return;
    }
    let session = escape(&receipt.session);
    let _ = writeln!(out, "\nSigned in elsewhere, session {session}: {}", ended(&receipt.tokens));
    let head = ["provider", "what", "id", "state", "how it is known", "ends by itself"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(receipt.tokens.iter().map(|token| {
        [
            escape(&token.provider),
            token.kind.word().to_owned(),
            token.id.digits().to_owned(),
            token.state.word().to_owned(),
            escape(&token.saw),
            escape(&token.expires),
        ]
    }));
    table(&rows, out);
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
            if gate.took_us == 0 { "–".to_owned() } else { format!("{} µs", gate.took_us) },
        ]
    }));
    table(&rows, out);
}

/// What can be said of one entry without reading all: its text and its checkpoint's signature.
fn proof(store: &Store, entry: &Written) -> (bool, String) {
    if entry.json.is_empty() {
        let text = "by its hash alone: `cleanshiftctl log verify` checks the tree that it is in, and that an entry \
                    says that it was pruned";
        return (true, text.to_owned());
    }
    if leaf_hash(&entry.json) != entry.leaf {
        return (false, "no: the text does not give the leaf hash".to_owned());
    }
    let keys = match store.public_key().and_then(|_| store.all_keys()) {
        Ok(keys) => keys,
        Err(error) => return (false, format!("no: failed to {error}")),
    };
    // The key may have changed since: the entries about that are the whole verification's.
    match signed_by(&keys, &entry.checkpoint) {
        Signature::Good => {
            let text = "yes: the text gives the leaf, and the checkpoint is signed by this station's key; \
                        `cleanshiftctl log verify` checks the tree between them";
            (true, text.to_owned())
        }
        Signature::Bad => (false, "no: the checkpoint's signature does not hold".to_owned()),
        Signature::Other => (false, "no: the checkpoint is signed by another key".to_owned()),
    }
}

fn signed_by(keys: &[StationKey], checkpoint: &str) -> Signature {
    let found: Vec<Signature> = keys.iter().map(|key| key.check(checkpoint)).collect();
    let one = |signature| found.contains(&signature).then_some(signature);
    one(Signature::Good).or_else(|| one(Signature::Bad)).unwrap_or(Signature::Other)
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
