//! The station on its real parts, looked at from outside: a private card service with a virtual reader,
//! a display, the shell, capsules with hostile programs in them.
//!
//! The looks here share nothing with the station's own gates, and each is first shown to see what it
//! later says is gone. Nothing is timed; whatever is waited for is waited for a bounded time.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unused_results,
    reason = "what fails in a test ends the test, and a test starts programs of its own"
)]

#[path = "station_linux/drill.rs"]
mod drill;
#[path = "station_linux/emergency.rs"]
mod emergency;
#[path = "station_linux/ground.rs"]
mod ground;
#[path = "station_linux/hostile.rs"]
mod hostile;
#[path = "station_linux/lock.rs"]
mod lock;
#[path = "station_linux/log_view.rs"]
mod log_view;
#[path = "station_linux/memory.rs"]
mod memory;
#[path = "station_linux/monitors.rs"]
mod monitors;
#[path = "station_linux/operators.rs"]
mod operators;
#[path = "station_linux/refusals.rs"]
mod refusals;
#[path = "station_linux/sign_ins.rs"]
mod sign_ins;
#[path = "station_linux/sleep.rs"]
mod sleep;
