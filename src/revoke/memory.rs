//! An outbox that ends with its process: where the store keeps none yet.

use std::sync::{Mutex, PoisonError};

use crate::ports::{Outbox, OutboxRow, Result, Stamp};

/// Rows and events in memory.
#[derive(Debug, Default)]
pub struct Unkept(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    rows: Vec<OutboxRow>,
    events: Vec<(String, i64)>,
    next: i64,
}

impl Unkept {
    fn held<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Outbox for Unkept {
    fn put(&self, row: &OutboxRow) -> Result<i64> {
        Ok(self.held(|held| {
            if let Some(there) = held.rows.iter_mut().find(|there| there.id == row.id) {
                there.clone_from(row);
                return row.id;
            }
            held.next += 1;
            held.rows.push(OutboxRow { id: held.next, ..row.clone() });
            held.next
        }))
    }

    fn rows(&self) -> Result<Vec<OutboxRow>> {
        Ok(self.held(|held| held.rows.clone()))
    }

    fn remove(&self, id: i64) -> Result<()> {
        self.held(|held| held.rows.retain(|row| row.id != id));
        Ok(())
    }

    fn told(&self, session: &str, entry: u64) -> Result<()> {
        self.held(|held| {
            held.rows.iter_mut().filter(|row| row.session == session).for_each(|row| row.entry = Some(entry));
        });
        Ok(())
    }

    fn first_seen(&self, event: &str, until_utc_ms: i64, now: &Stamp) -> Result<bool> {
        Ok(self.held(|held| {
            held.events.retain(|(_, until)| *until > now.utc_ms);
            let first = held.events.iter().all(|(seen, _)| seen != event);
            if first {
                held.events.push((event.to_owned(), until_utc_ms));
            }
            first
        }))
    }
}
