//! The power is cut at every write of everything that the outbox is asked: what it has acknowledged is there, what it
//! was just doing is there whole or not at all, and the receipt of a session and its rows never part.

use std::sync::Arc;

use cleanshift::evidence::Receipt;
use cleanshift::platform::rehearsal::disk::{Death, Disk, Fault};
use cleanshift::platform::rehearsal::vfs;
use cleanshift::ports::{
    Body, Ends, Entry, Ledger as _, Outbox as _, OutboxRow, Result, Settlement, TokenEnd, TokenKind,
    TokenState,
};
use cleanshift::store::{Rehearsed, Store};

use crate::{handoff, stamp};

const SESSION: &str = "5e5510";

fn row(id: i64, state: TokenState) -> OutboxRow {
    OutboxRow {
        id,
        session: SESSION.to_owned(),
        end: TokenEnd {
            provider: "Hospital".to_owned(),
            issuer: "https://id.example".to_owned(),
            kind: TokenKind::Refresh,
            id: "0123456789abcdef".to_owned(),
            state,
            saw: "HTTP 503".to_owned(),
            expires_utc_ms: None,
        },
        sid: None,
        // More than a page of the file, so that half of it could be there.
        sealed: (0..20_000_u32).map(|place| place.to_le_bytes()[0] ^ state.word().as_bytes()[0]).collect(),
        due_utc_ms: 1,
        tries: 1,
        entry: None,
        open: true,
    }
}

fn receipt() -> Entry {
    let mut entry = handoff(3);
    if let Body::Handoff(facts) = &mut entry.body {
        facts.sign_ins = Ends { session: SESSION.to_owned(), tokens: vec![row(0, TokenState::Pending).end] };
    }
    entry
}

/// What the outbox is asked, in order, and what must be in it after each: its rows, how many entries the ledger
/// has, and whether the event was seen.
type Asked = (fn(&Store) -> Result<()>, fn() -> (Vec<OutboxRow>, u64, bool));

fn told(id: i64, state: TokenState) -> OutboxRow {
    OutboxRow { entry: Some(1), open: false, ..row(id, state) }
}

const ASKED: [Asked; 6] = [
    (
        |store| store.put(&row(0, TokenState::Pending)).map(drop),
        || (vec![row(1, TokenState::Pending)], 1, false),
    ),
    (
        |store| store.put(&row(0, TokenState::ExpiresAt)).map(drop),
        || (vec![row(1, TokenState::Pending), row(2, TokenState::ExpiresAt)], 1, false),
    ),
    (
        |store| store.put(&row(1, TokenState::Failed)).map(drop),
        || (vec![row(1, TokenState::Failed), row(2, TokenState::ExpiresAt)], 1, false),
    ),
    (
        |store| store.append(&receipt()).map(drop),
        || (vec![told(1, TokenState::Failed), told(2, TokenState::ExpiresAt)], 2, false),
    ),
    (
        |store| store.first_seen("jti", 1 << 50, &stamp(1)).map(drop),
        || (vec![told(1, TokenState::Failed), told(2, TokenState::ExpiresAt)], 2, true),
    ),
    (|store| store.remove(1), || (vec![told(2, TokenState::ExpiresAt)], 2, true)),
];

fn open(disk: &Arc<Disk>) -> Result<Store> {
    let rehearsed = Rehearsed { vfs: vfs::NAME.to_owned(), seed: [1; 32], at: stamp(0) };
    Store::rehearse(disk.dir().as_ref(), "Station 12", &rehearsed)
}

/// What the cuts came to.
#[derive(Debug, Default)]
struct Cuts {
    /// How many there were.
    cuts: u32,
    /// After how many what was just done was not there.
    forgotten: u32,
    /// After how many it was.
    done: u32,
}

/// Cuts the power at this write, and looks what is there then: whether there was that write at all, or what is
/// wrong.
fn cut_at(seed: u64, change: u64, all: &mut Cuts) -> std::result::Result<bool, String> {
    let disk = Disk::new(seed);
    let store = open(&disk).map_err(|error| error.0)?;
    disk.plan(disk.changes() + change, Fault::PowerCut);
    let acknowledged = ASKED.iter().take_while(|(ask, _)| ask(&store).is_ok()).count();
    let cut = disk.dead().is_some();
    assert!(cut || acknowledged == ASKED.len(), "change {change} failed without a cut");
    disk.kill(Death::PowerCut);
    drop(store);
    disk.boot();
    disk.forget_plan();
    let store = open(&disk).map_err(|error| error.0)?;
    let after =
        |asked: usize| asked.checked_sub(1).map_or((Vec::new(), 1, false), |place| (ASKED[place].1)());
    let rows = store.rows().map_err(|error| error.0)?;
    let entries = store.entries().map_err(|error| error.0)?;
    let seen = !store.first_seen("jti", 1 << 50, &stamp(2)).map_err(|error| error.0)?;
    let found = (rows, entries, seen);
    let next = (acknowledged + 1).min(ASKED.len());
    if found != after(acknowledged) && found != after(next) {
        let rows: Vec<_> = found.0.iter().map(|row| (row.id, row.end.state, row.entry, row.open)).collect();
        return Err(format!("{acknowledged} were acknowledged, and {rows:?} are there, {entries} entries"));
    }
    all.cuts += u32::from(cut);
    all.forgotten += u32::from(cut && found == after(acknowledged));
    all.done += u32::from(cut && next > acknowledged && found == after(next));
    // Whoever settles after the crash is led to the receipt, without having been told of it.
    if entries == 2 {
        let settlement = Settlement { session: SESSION.to_owned(), entry: None, tokens: Vec::new() };
        let written = store.append(&Entry { at: stamp(9), body: Body::Settled(settlement) });
        let settled = Receipt::read(&written.map_err(|error| error.0)?.json)?;
        if settled.about.map(|about| about.entry) != Some(1) {
            return Err("the settlement does not know its receipt".to_owned());
        }
    }
    store.verify().map_err(|error| error.0)?.map(|_| cut)
}

fn cut_everywhere() -> std::result::Result<Cuts, String> {
    vfs::register();
    let mut all = Cuts::default();
    for seed in 0..3 {
        for change in 0.. {
            let cut = cut_at(seed, change, &mut all);
            if !cut.map_err(|what| format!("seed {seed}, change {change}: {what}"))? {
                break;
            }
        }
    }
    Ok(all)
}

#[test]
fn a_power_cut_at_any_write_takes_nothing_from_the_outbox_that_it_acknowledged() {
    let all = cut_everywhere().unwrap();
    assert!(all.cuts > 60 && all.forgotten > 20 && all.done > 0, "{all:?}");
}

#[cfg(feature = "planted-bugs")]
#[test]
fn an_outbox_that_is_not_synced_is_seen_to_lose() {
    use cleanshift::handoff::planted::{Bug, plant};
    plant(Some(Bug::NotSynced));
    let found = cut_everywhere();
    plant(None);
    assert!(found.is_err(), "{found:?}");
}
