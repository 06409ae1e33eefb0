//! Time that passes when the rehearsal says so.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::handoff::Moment;
use crate::ports::{Clock, Stamp};

/// The time of a world in which shells start and die.
#[derive(Debug, Default)]
pub struct RehearsedClock {
    /// Milliseconds since the rehearsal began.
    now: AtomicU64,
    /// When the shell that runs was started.
    shell: AtomicU64,
    /// When the machine was started, and how often.
    boot: AtomicU64,
    boots: AtomicU64,
    /// What the wall clock says beyond the world's time.
    wall: AtomicI64,
}

impl RehearsedClock {
    /// A clock that begins at this time, UTC milliseconds.
    #[must_use]
    pub fn begin(utc_ms: i64) -> Self {
        Self { wall: AtomicI64::new(utc_ms), ..Self::default() }
    }

    /// Milliseconds since the rehearsal began.
    #[must_use]
    pub fn world(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Lets time come.
    pub fn set(&self, world: u64) {
        self.now.store(world, Ordering::Relaxed);
    }

    /// A shell starts; after a power cut, the machine too.
    pub fn start(&self, machine: bool) {
        self.shell.store(self.world(), Ordering::Relaxed);
        if machine {
            self.boot.store(self.world(), Ordering::Relaxed);
            let _ = self.boots.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody sets the wall clock by so many milliseconds.
    pub fn jump(&self, ms: i64) {
        let _ = self.wall.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for RehearsedClock {
    fn now(&self) -> Moment {
        Moment(self.world() - self.shell.load(Ordering::Relaxed))
    }

    fn micros(&self) -> u64 {
        self.now().0.saturating_mul(1000)
    }

    fn stamp(&self) -> Stamp {
        let world = self.world();
        Stamp {
            utc_ms: self
                .wall
                .load(Ordering::Relaxed)
                .saturating_add(i64::try_from(world).unwrap_or(i64::MAX)),
            boot_ms: world - self.boot.load(Ordering::Relaxed),
            boot_id: format!("boot-{}", self.boots.load(Ordering::Relaxed)),
        }
    }
}
