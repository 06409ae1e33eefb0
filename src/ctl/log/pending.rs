//! `cleanshiftctl log pending`: what of earlier sessions is still to be ended elsewhere, as the outbox has it.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::evidence::escape;
use crate::ports::{Outbox as _, OutboxRow, Result};
use crate::store::Store;

/// Tells what stands in the outbox. That something is pending is no failure of the log's.
pub(super) fn pending(store: &Store, as_json: bool, out: &mut String) -> Result<u8> {
    let rows = store.rows()?;
    if as_json {
        let rows: Vec<_> = rows.iter().map(value).collect();
        let _ = writeln!(out, "{:#}", json!({ "pending": rows }));
        return Ok(0);
    }
    if rows.is_empty() {
        let _ = writeln!(out, "Nothing of earlier sessions is still to be ended elsewhere.");
        return Ok(0);
    }
    let zone = TimeZone::system();
    let head = ["session", "provider", "what", "state", "tries", "next try", "until", "entry", "last seen"];
    let mut table = vec![head.map(str::to_owned)];
    table.extend(rows.iter().map(|row| cells(row, &zone)));
    super::table(&table, out);
    Ok(0)
}

fn cells(row: &OutboxRow, zone: &TimeZone) -> [String; 9] {
    let none = || "–".to_owned();
    let local = |utc_ms: i64| {
        let at = Timestamp::from_millisecond(utc_ms).ok();
        at.map_or_else(none, |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
    };
    // What a shell that died has left: the one that runs, or comes, settles it.
    let state = if row.open { "session open" } else { row.end.state.word() };
    [
        escape(&row.session),
        escape(&row.end.provider),
        row.end.kind.word().to_owned(),
        state.to_owned(),
        row.tries.to_string(),
        local(row.due_utc_ms),
        row.end.expires_utc_ms.map_or_else(none, local),
        row.entry.map_or_else(none, |entry| entry.to_string()),
        escape(&row.end.saw),
    ]
}

/// The same for programs. Nothing that is sealed is told, nor the provider's number of the session.
fn value(row: &OutboxRow) -> serde_json::Value {
    let utc = |utc_ms: i64| Timestamp::from_millisecond(utc_ms).ok().map(|at| format!("{at:.3}"));
    json!({
        "session": row.session,
        "provider": row.end.provider,
        "issuer": row.end.issuer,
        "kind": row.end.kind.word(),
        "id": row.end.id,
        "state": row.end.state.word(),
        "saw": row.end.saw,
        "expires": row.end.expires_utc_ms.and_then(utc),
        "tries": row.tries,
        "next_try": utc(row.due_utc_ms),
        "entry": row.entry,
        "open": row.open,
        "by_sid": row.sid.is_some(),
    })
}
