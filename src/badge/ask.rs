//! Asking a card who it is, with a deadline: a card that never answers is unreadable, and holds up
//! nobody but itself.

use std::ffi::{CStr, CString};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::Builder;
use std::time::Duration;

use pcsc::{Context, Disposition, Error, Protocols, Scope, ShareMode};

use super::told::Told;
use super::{apdu, identity};
use crate::ports::BadgeUid;

/// How long to wait before a card is asked again that somebody else was speaking to.
const BUSY: Duration = Duration::from_millis(50);

/// Asks the card that lies on the reader of this name, on a thread and a context of its own, and
/// tells the answer. The thread of a mute card ends when the card is pulled.
pub(super) fn who(name: &CStr, reader: String, patience: Duration, told: &Arc<Told>) {
    let turn = told.lies(&reader);
    if begin(name.to_owned(), reader.clone(), turn, patience, Arc::clone(told)).is_err() {
        // The system gives no more threads.
        told.answered(&reader, turn, None);
    }
}

fn begin(name: CString, reader: String, turn: u64, patience: Duration, told: Arc<Told>) -> io::Result<()> {
    let (answer, answered) = channel();
    drop(Builder::new().name("card".to_owned()).spawn(move || {
        let _ = answer.send(uid(&name, patience));
    })?);
    drop(Builder::new().name("card deadline".to_owned()).spawn(move || {
        told.answered(&reader, turn, answered.recv_timeout(patience).ok().flatten());
    })?);
    Ok(())
}

fn uid(name: &CStr, patience: Duration) -> Option<BadgeUid> {
    let context = Context::establish(Scope::System).ok()?;
    // All in all about as long as somebody waits for the answer.
    for _ in 0..patience.as_millis() / BUSY.as_millis() {
        match once(&context, name) {
            Ok(uid) => return uid,
            // Another program of the host has the card, or has just reset it.
            Err(Error::SharingViolation | Error::ResetCard) => std::thread::sleep(BUSY),
            Err(_) => return None,
        }
    }
    None
}

fn once(context: &Context, name: &CStr) -> Result<Option<BadgeUid>, Error> {
    let card = context.connect(name, ShareMode::Shared, Protocols::ANY)?;
    let mut buffer = [0; apdu::LONGEST];
    let uid = identity::read(card.transmit(&apdu::GET_UID, &mut buffer)?);
    // Left as it is: a reset would disturb other programs that speak to it.
    let _ = card.disconnect(Disposition::LeaveCard);
    Ok(uid)
}
