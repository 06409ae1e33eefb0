//! Before the host sleeps, the station is covered. Not built yet: the capability report says so.

use std::time::Duration;

/// What is done before the host sleeps; returns when it may, or when this time is over.
pub type Before = Box<dyn Fn(Duration) + Send>;

/// The host's sleep, which waits for the station.
pub struct Sleep(());

impl Sleep {
    /// Takes notice of sleep.
    ///
    /// # Errors
    /// Why sleep is not announced here: a lowercase fragment.
    pub fn delay() -> Result<Self, String> {
        Err("not built yet".to_owned())
    }

    /// From now on this is done before the host sleeps.
    pub fn call(&self, _: Before) {}
}

/// What the capability report says of it.
#[must_use]
pub fn report(sleep: &Result<Sleep, String>) -> String {
    match sleep {
        Ok(_) => "covered before it".to_owned(),
        Err(why) => format!("not waited for ({why})"),
    }
}
