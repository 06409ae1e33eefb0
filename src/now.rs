//! What time it is where there is no clock's port to ask yet: the key's own entry is written while the store is
//! opened.

use crate::platform::native::clock::HostClock;
use crate::ports::{Clock as _, Stamp};

/// Now, for the ledger.
#[must_use]
pub fn stamp() -> Stamp {
    HostClock::begin().stamp()
}
