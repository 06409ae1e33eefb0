//! The thread that waits for readers: whether a badge is gone is decided here and nowhere else, and
//! no card can hold it up.
//!
//! Cards are asked who they are by [`super::ask`], on threads of their own; what is told, and in
//! which order, is kept by [`super::told`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use pcsc::{Context, PNP_NOTIFICATION, ReaderState, Scope, State};

use super::told::Told;
use super::{Readers, ask};
use crate::ports::ReaderEvent;

/// How long to wait before the card service is asked for again.
const SERVICE: Duration = Duration::from_millis(200);
/// The longest wait for a change. Changes end it at once; the bound is for a reader that was plugged
/// in between the listing and the wait.
const CHANGE: Duration = Duration::from_secs(60);
/// How long a card service that is stopped itself may hold up the end of a watch.
const STOP: Duration = Duration::from_secs(2);

/// A running watch. It ends when dropped, and tells nothing from then on.
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    ended: Receiver<()>,
}

/// What the watch and its thread share.
struct Shared {
    stop: AtomicBool,
    context: Mutex<Option<Context>>,
    told: Arc<Told>,
}

impl Watch {
    pub(super) fn begin(readers: Readers, tell: impl Fn(ReaderEvent) + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            context: Mutex::default(),
            told: Arc::new(Told::new(tell)),
        });
        let (end, ended) = channel();
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || follow(&readers, &shared, end))
        };
        Self { shared, thread: Some(thread), ended }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.told.close();
        let Some(thread) = self.thread.take() else { return };
        let shared = Arc::clone(&self.shared);
        drop(std::thread::spawn(move || {
            // A cancel that is sent before the wait begins is lost: it is repeated until the thread
            // has ended.
            while !thread.is_finished() {
                if let Some(context) = shared.context() {
                    let _ = context.cancel();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }));
        // The thread drops its end of the channel last of all.
        let _ = self.ended.recv_timeout(STOP);
    }
}

impl Shared {
    fn context(&self) -> Option<Context> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn share(&self, context: Option<Context>) {
        *self.context.lock().unwrap_or_else(PoisonError::into_inner) = context;
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Keeps a context as long as the card service lives, and asks for a new one when it has died.
fn follow(readers: &Readers, shared: &Shared, _end: Sender<()>) {
    while !shared.stops() {
        let error = match Context::establish(Scope::System) {
            Ok(context) => {
                shared.share(Some(context.clone()));
                let error = Seen::default().watch(&context, readers, shared);
                shared.share(None);
                error
            }
            Err(error) => error,
        };
        if shared.stops() {
            return;
        }
        shared.told.lost(&format!("the card service is gone ({error})"));
        std::thread::sleep(SERVICE);
    }
}

/// What lies on each reader that counts.
#[derive(Default)]
struct Seen {
    places: BTreeMap<CString, Place>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    occupied: bool,
    count: u32,
}

impl Seen {
    /// Watches until the context ends; answers why it did.
    fn watch(&mut self, context: &Context, readers: &Readers, shared: &Shared) -> pcsc::Error {
        let mut states = vec![ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
        loop {
            if shared.stops() {
                return pcsc::Error::Cancelled;
            }
            if let Err(error) = self.list(context, readers, &shared.told, &mut states) {
                return error;
            }
            match context.get_status_change(CHANGE, &mut states) {
                Ok(()) => {}
                // The card service cancels every wait when its own configuration changes.
                Err(pcsc::Error::Cancelled | pcsc::Error::Timeout) => continue,
                Err(pcsc::Error::UnknownReader) => {
                    // Pulled out since it was listed; the next listing has it no more.
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                Err(error) => return error,
            }
            for state in &mut states {
                if state.event_state().contains(State::CHANGED) && state.name() != PNP_NOTIFICATION() {
                    self.changed(state, readers.patience, &shared.told);
                }
                // With its counter, which shows a quick swap, and for the reader of plugging in and
                // out how many readers there were.
                state.sync_current_state();
            }
        }
    }

    /// Takes new readers in and lost ones out.
    fn list(
        &mut self,
        context: &Context,
        readers: &Readers,
        told: &Told,
        states: &mut Vec<ReaderState>,
    ) -> Result<(), pcsc::Error> {
        let names = match context.list_readers_owned() {
            Ok(names) => names,
            Err(pcsc::Error::NoReadersAvailable) => Vec::new(),
            Err(error) => return Err(error),
        };
        let names: Vec<_> = names.into_iter().filter(|name| readers.admit(&name.to_string_lossy())).collect();
        self.places.retain(|name, _| {
            let stays = names.contains(name);
            if !stays {
                told.went(&plain(name));
            }
            stays
        });
        states.retain(|state| {
            state.name() == PNP_NOTIFICATION() || names.iter().any(|name| name.as_c_str() == state.name())
        });
        if names.is_empty() {
            told.lost("no allowed reader is connected");
        } else {
            told.back();
        }
        for name in names {
            if let Entry::Vacant(place) = self.places.entry(name) {
                states.push(ReaderState::new(place.key().clone(), State::UNAWARE));
                let _ = place.insert(Place::default());
            }
        }
        Ok(())
    }

    fn changed(&mut self, now: &ReaderState, patience: Duration, told: &Arc<Told>) {
        let Some(place) = self.places.get_mut(now.name()) else { return };
        let was = *place;
        *place = Place { occupied: now.event_state().contains(State::PRESENT), count: now.event_count() };
        // Being spoken to changes a reader's state too, but not its counter.
        let swapped = was.occupied && place.occupied && was.count != place.count;
        let reader = plain(now.name());
        if was.occupied && (!place.occupied || swapped) {
            told.went(&reader);
        }
        if place.occupied && (!was.occupied || swapped) {
            ask::who(now.name(), reader, patience, told);
        }
    }
}

/// A reader's name for the record: without control characters.
fn plain(name: &CStr) -> String {
    name.to_string_lossy().chars().filter(|letter| !letter.is_control()).collect()
}
