//! Time: CLOCK_BOOTTIME for the core (it counts suspend and never goes back), the wall clock and the
//! boot's id for the ledger.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::handoff::Moment;
use crate::ports::{Clock, Stamp};

/// The host's clocks, counted from when this was made.
pub struct HostClock {
    started: Duration,
    boot_id: String,
}

impl HostClock {
    /// A clock that begins now.
    #[must_use]
    pub fn begin() -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { started: read(ClockId::Boottime), boot_id: boot_id.trim().to_owned() }
    }

    fn elapsed(&self) -> Duration {
        read(ClockId::Boottime).saturating_sub(self.started)
    }
}

impl Clock for HostClock {
    fn now(&self) -> Moment {
        Moment(u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            utc_ms: i64::try_from(read(ClockId::Realtime).as_millis()).unwrap_or(i64::MAX),
            boot_ms: u64::try_from(read(ClockId::Boottime).as_millis()).unwrap_or(u64::MAX),
            boot_id: self.boot_id.clone(),
        }
    }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CLOCK_MONOTONIC, for measuring how long something took.
pub(super) fn monotonic() -> Duration {
    read(ClockId::Monotonic)
}

/// CLOCK_BOOTTIME: how long ago the kernel was started, counting suspend.
#[must_use]
pub fn since_boot() -> Duration {
    read(ClockId::Boottime)
}

/// What the wall clock showed at this time since boot, as far as it has not been set since.
pub(super) fn wall_of(since_boot: Duration) -> Option<Duration> {
    let ago = read(ClockId::Boottime).checked_sub(since_boot)?;
    read(ClockId::Realtime).checked_sub(ago)
}

/// Whether the kernel holds its wall clock to be set by others, and how far it may be off, at most, in
/// microseconds (adjtimex(2)).
///
/// # Errors
/// Those of the system call.
#[expect(unsafe_code, reason = "no crate in use asks for the kernel's opinion of its clock")]
pub fn synchronized() -> std::io::Result<(bool, i64)> {
    // SAFETY: a timex of zeros asks and sets nothing (`modes` is 0); it is valid for every bit pattern.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure outlives the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok((state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0, timex.maxerror))
}
