//! Before the host sleeps, the station is covered: a delay inhibitor of logind is held all the time,
//! and let go only once the session is gone, or cannot be waited for any longer.
//!
//! Without logind nobody announces a sleep, and none is delayed: the capability report says so.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use zbus::blocking::{Connection, Proxy, connection, fdo::DBusProxy};
use zbus::names::BusName;
use zbus::zvariant::OwnedFd;

const LOGIND: &str = "org.freedesktop.login1";
/// How long the bus and logind may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// What logind grants where it does not say (its own default).
const DELAY: Duration = Duration::from_secs(5);

/// What is done before the host sleeps; returns when it may, or when this time is over.
pub type Before = Box<dyn Fn(Duration) + Send>;

/// The host's sleep, which waits for the station.
pub struct Sleep {
    before: Sender<Before>,
}

impl Sleep {
    /// Takes the inhibitor.
    ///
    /// # Errors
    /// Why sleep is not announced here: a lowercase fragment.
    pub fn delay() -> Result<Self, String> {
        let (before, told) = channel();
        let (taken, is_taken) = channel();
        drop(std::thread::spawn(move || watch(&taken, &told)));
        // A bus that takes the connection and says nothing must not keep the station from starting.
        is_taken
            .recv_timeout(ANSWER * 2)
            .unwrap_or_else(|_| Err("the system bus does not answer".to_owned()))?;
        Ok(Self { before })
    }

    /// From now on this is done before the host sleeps.
    pub fn call(&self, before: Before) {
        let _ = self.before.send(before);
    }
}

/// What the capability report says of it.
#[must_use]
pub fn report(sleep: &Result<Sleep, String>) -> String {
    match sleep {
        Ok(_) => "covered before it (logind delay inhibitor)".to_owned(),
        Err(why) => format!("not waited for ({why})"),
    }
}

fn watch(taken: &Sender<Result<(), String>>, told: &Receiver<Before>) {
    let begun = begin();
    let _ = taken.send(begun.as_ref().map(drop).map_err(Clone::clone));
    let Ok((logind, signals, mut held)) = begun else { return };
    // Until the station stands there is no session that a sleep could show.
    let Ok(before) = told.recv() else { return };
    for signal in signals {
        match signal.body().deserialize::<bool>() {
            Ok(true) => {
                before(patience(&logind));
                drop(held.take());
            }
            Ok(false) => {
                held = inhibit(&logind)
                    .map_err(|error| tracing::error!(%error, "failed to delay the next sleep"))
                    .ok();
            }
            Err(error) => tracing::warn!(%error, "logind announces a sleep in words that are not its own"),
        }
    }
}

type Begun = (Proxy<'static>, zbus::blocking::proxy::SignalIterator<'static>, Option<OwnedFd>);

fn begin() -> Result<Begun, String> {
    let connection: Connection = connection::Builder::system()
        .and_then(|builder| builder.method_timeout(ANSWER).build())
        .map_err(|error| format!("no system bus: {error}"))?;
    let failed = |error: zbus::Error| format!("logind refuses: {error}");
    // Asked first, so that a bus without logind does not try to start one.
    let name = BusName::try_from(LOGIND).map_err(|error| error.to_string())?;
    let bus = DBusProxy::new(&connection).map_err(failed)?;
    if !bus.name_has_owner(name).map_err(|error| format!("the system bus refuses: {error}"))? {
        return Err("no logind".to_owned());
    }
    let logind = Proxy::new(&connection, LOGIND, "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
        .map_err(failed)?;
    // Heard before the inhibitor is taken: no sleep falls between the two.
    let signals = logind.receive_signal("PrepareForSleep").map_err(failed)?;
    let held = inhibit(&logind).map_err(failed)?;
    Ok((logind, signals, Some(held)))
}

fn inhibit(logind: &Proxy<'_>) -> zbus::Result<OwnedFd> {
    logind.call(
        "Inhibit",
        &("sleep", "Cleanshift", "The session is covered and ended before the station sleeps", "delay"),
    )
}

/// How long a sleep may be held up: less than logind grants, after which it goes on regardless.
fn patience(logind: &Proxy<'_>) -> Duration {
    let most = logind.get_property::<u64>("InhibitDelayMaxUSec").map_or(DELAY, Duration::from_micros);
    most * 4 / 5
}
