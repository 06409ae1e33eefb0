//! Before the host sleeps, or the screen goes to another account, the station is covered and its session ended, for
//! as long as the system waits; and the end of the machine is the order to stop.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::display::notices::{BEFORE_END, BEFORE_SLEEP, Notice, Notices};

/// What is done before the host sleeps; returns when it may, or when this time is over.
pub type Before = Box<dyn Fn(Duration) + Send>;

/// The host's sleep, which waits for the station.
pub struct Sleep {
    before: Sender<Before>,
    notices: Notices,
}

/// Set when the system ends.
static ENDING: Notify = Notify::const_new();

impl Sleep {
    /// Takes notice of sleep, of other accounts, and of the system's end.
    ///
    /// # Errors
    /// Why sleep is not announced here: a lowercase fragment.
    pub fn delay() -> Result<Self, String> {
        let (before, told) = channel();
        let (told, known) = (Mutex::new(told), Mutex::new(None::<Before>));
        let notices = Notices::listen(Arc::new(move |notice| match notice {
            Notice::End => {
                ENDING.notify_one();
                // The process ends by itself as soon as nothing of a session is left; until then the system waits
                // for this.
                std::thread::sleep(BEFORE_END);
            }
            Notice::Away | Notice::Sleep => {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                let newest = told.lock().unwrap_or_else(PoisonError::into_inner).try_iter().last();
                if let Some(newest) = newest {
                    *known = Some(newest);
                }
                // Until the station stands there is no session that a sleep could show.
                if let Some(before) = known.as_ref() {
                    before(BEFORE_SLEEP);
                }
            }
        }));
        notices.map(|notices| Self { before, notices }).map_err(|error| error.to_string())
    }

    /// From now on this is done before the host sleeps.
    pub fn call(&self, before: Before) {
        let _ = self.before.send(before);
    }
}

/// Waits until the system ends, and with it the station's sign-in: an order to stop.
pub async fn ending() {
    ENDING.notified().await;
}

/// What the capability report says of it.
#[must_use]
pub fn report(sleep: &Result<Sleep, String>) -> String {
    match sleep {
        Ok(sleep) if sleep.notices.missing.is_empty() => {
            "covered before it, before a lock, and before another account (for as long as Windows waits)"
                .to_owned()
        }
        Ok(sleep) => format!("covered before it; not heard of: {}", sleep.notices.missing.join(", ")),
        Err(why) => format!("not waited for ({why})"),
    }
}
