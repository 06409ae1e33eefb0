//! `cleanshiftctl log checkpoint|key|anchor|rotate-key|prune`: what is kept elsewhere, and what may go here.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use serde_json::json;

use super::verify::given_checkpoints;
use super::{Station, qr};
use crate::evidence::checkpoint::Signature;
use crate::evidence::{Kept, escape};
use crate::platform::native::clock::HostClock;
use crate::platform::native::host;
use crate::ports::{Clock as _, Ledger as _, PortError, Result};
use crate::shell::keep_log;
use crate::store::Store;

/// The longest text that says where a checkpoint is kept, in characters.
const PLACE: usize = 200;

/// Draws for the terminal in black and white, for a file in blocks alone.
fn code(text: &str) -> Result<String> {
    qr::draw(text, std::io::stdout().is_terminal())
}

/// A file to add a checkpoint to is new, or holds checkpoints alone: a key or a ledger would be spoiled.
fn only_checkpoints(path: &Path) -> Result<()> {
    let text = match std::fs::read(path) {
        Ok(text) => String::from_utf8(text).ok(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(PortError::new(format!("read {}: {error}", path.display()))),
    };
    if text.is_some_and(|text| text.is_empty() || Kept::read_all(&text).is_ok()) {
        return Ok(());
    }
    Err(PortError::new(format!(
        "write {}: it holds something else than checkpoints; name a file of their own",
        path.display()
    )))
}

/// The newest checkpoint, which covers every entry.
pub(super) fn checkpoint(
    store: &Store,
    as_qr: bool,
    to: Option<&Path>,
    as_json: bool,
    out: &mut String,
) -> Result<u8> {
    let newest = store.page(None, 1)?.pop();
    let newest = newest.ok_or_else(|| PortError::new("print the checkpoint: the ledger has no entries"))?;
    let key = store.public_key()?;
    if key.check(&newest.checkpoint) != Signature::Good {
        return Err(PortError::new(
            "print the checkpoint: it is not signed by this station's key; `cleanshiftctl log verify` tells more",
        ));
    }
    let kept = Kept::read_all(&newest.checkpoint).map_err(PortError::new)?;
    if let Some(path) = to {
        only_checkpoints(path)?;
        let written = std::fs::File::options().create(true).append(true).open(path).and_then(|mut file| {
            file.write_all(newest.checkpoint.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| PortError::new(format!("write {}: {error}", path.display())))?;
    }
    if as_json {
        let root = kept.first().map(|kept| hex::encode(kept.root));
        let value = json!({
            "origin": key.origin(),
            "size": newest.index + 1,
            "root": root,
            "checkpoint": &*newest.checkpoint,
            "key": key.text(),
            "file": to.map(|path| path.display().to_string()),
        });
        let _ = writeln!(out, "{value:#}");
        return Ok(0);
    }
    if let Some(path) = to {
        let entries = newest.index + 1;
        let _ = writeln!(
            out,
            "The checkpoint over {entries} entries is at the end of {}. Once it is kept away from this machine, \
             `cleanshiftctl log anchor` says so in the ledger.",
            path.display()
        );
    } else {
        out.push_str(&newest.checkpoint);
    }
    if as_qr {
        out.push_str(&code(&newest.checkpoint)?);
    }
    Ok(0)
}

/// The station's public key.
pub(super) fn key(store: &Store, as_qr: bool, out: &mut String) -> Result<u8> {
    let key = store.public_key()?;
    let _ = writeln!(out, "{}", key.text());
    if as_qr {
        out.push_str(&code(key.text())?);
    }
    Ok(0)
}

/// A store that is there: nothing here begins a ledger.
fn there(state: &Path) -> Result<()> {
    if state.join("station.db").exists() {
        return Ok(());
    }
    Err(PortError::new(format!(
        "open the store: there is none in {}; start the station once",
        state.display()
    )))
}

/// Says in the ledger that a checkpoint is kept elsewhere.
pub(super) fn anchor(
    station: &Station,
    given: &str,
    place: &str,
    as_json: bool,
    out: &mut String,
) -> Result<u8> {
    if place.chars().count() > PLACE || escape(place) != place {
        return Err(PortError::new(format!(
            "say where the checkpoint is kept: --place is a line of at most {PLACE} characters, without control or \
             direction characters"
        )));
    }
    let kept = given_checkpoints(given)?;
    let kept = kept.iter().max_by_key(|kept| kept.size);
    let kept = kept.ok_or_else(|| PortError::new("read the checkpoint: there is none"))?;
    there(&station.state)?;
    let store = Store::open_beside(&station.state, &station.policy()?.station.name)?;
    let written = store.anchor(kept, place, &host::account(), &HostClock::begin().stamp())?;
    if as_json {
        let _ = writeln!(out, "{:#}", json!({ "index": written.index, "size": kept.size }));
    } else {
        let _ = writeln!(
            out,
            "Entry {} says that the checkpoint over {} entries is kept elsewhere.",
            written.index, kept.size
        );
    }
    Ok(0)
}

/// Changes the station's key.
pub(super) fn rotate(station: &Station, as_json: bool, out: &mut String) -> Result<u8> {
    there(&station.state)?;
    let store = Store::open(&station.state, &station.policy()?.station.name)?;
    let (old, new) = store.rotate_key(&host::account(), &HostClock::begin().stamp())?;
    if as_json {
        let _ = writeln!(out, "{:#}", json!({ "old": old.text(), "new": new.text() }));
        return Ok(0);
    }
    let _ = writeln!(
        out,
        "The station signs with a new key from now on; the old one is destroyed.\n\n  old  {}\n  new  {}\n\n\
         Both have signed the change. Auditors may go on with the old one, or take the new one.",
        old.text(),
        new.text()
    );
    Ok(0)
}

/// Prunes what is older than the policy keeps it.
pub(super) fn prune(station: &Station, as_json: bool, out: &mut String) -> Result<u8> {
    there(&station.state)?;
    let policy = station.policy()?;
    let Some(keep) = policy.log.keep else {
        let why =
            "the policy keeps the log for ever; [log] keep = \"400 d\" would let older entries be pruned";
        if as_json {
            let _ = writeln!(out, "{:#}", json!({ "texts": 0, "ranges": [], "held_back": why }));
        } else {
            let _ = writeln!(out, "Nothing was pruned: {why}.");
        }
        return Ok(0);
    };
    let keep = keep_log(&policy, keep, &host::account());
    let store = Store::open_beside(&station.state, &policy.station.name)?;
    let clock = HostClock::begin();
    let (mut texts, mut ranges, mut held_back) = (0, Vec::new(), None);
    loop {
        let step = store.prune_once(&keep, &clock.stamp())?;
        let more = step.more();
        texts += step.texts;
        ranges.extend(step.range);
        held_back = step.held_back.or(held_back);
        if !more {
            break;
        }
    }
    if as_json {
        let ranges: Vec<_> =
            ranges.iter().map(|(from, upto)| json!({ "from": from, "upto": upto })).collect();
        let _ = writeln!(out, "{:#}", json!({ "texts": texts, "ranges": ranges, "held_back": held_back }));
        return Ok(0);
    }
    match texts {
        0 => out.push_str("Nothing was pruned.\n"),
        _ => {
            let _ = writeln!(out, "The text of {texts} entries was given up; their hashes stay.");
        }
    }
    if let Some(why) = held_back {
        let _ = writeln!(out, "note: {}", escape(&why));
    }
    Ok(0)
}
