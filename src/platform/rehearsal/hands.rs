//! Hands that do nothing by themselves: what the driver wants done is kept for whoever directs the
//! rehearsal, who does it when, and if, the day has it so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::world::World;
use crate::ports::{Hands, Job};

/// Something that the driver wants done.
pub enum Wanted {
    /// Beside everything else.
    Aside(Job),
    /// In the ledger's order.
    InOrder(Job),
    /// The first in the ledger's order, then the second beside everything else.
    After(Job, Duration, Job),
}

/// The hands.
pub struct RehearsedHands {
    world: Arc<World>,
    wanted: Mutex<Vec<Wanted>>,
}

impl RehearsedHands {
    /// Hands in this world, which takes note of when a thread was begun.
    #[must_use]
    pub fn new(world: Arc<World>) -> Self {
        Self { world, wanted: Mutex::default() }
    }

    /// What was wanted since this was asked last, in order.
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, wanted: Wanted) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).push(wanted);
    }
}

impl Hands for RehearsedHands {
    fn now(&self, job: &mut dyn FnMut()) {
        job();
    }

    fn aside(&self, job: Job) {
        self.world.begun();
        self.keep(Wanted::Aside(job));
    }

    fn in_order(&self, job: Job) {
        self.keep(Wanted::InOrder(job));
    }

    fn after(&self, first: Job, patience: Duration, then: Job) {
        self.world.begun();
        self.keep(Wanted::After(first, patience, then));
    }

    fn settle(&self, _: Duration) {
        // Whoever directs does the rest.
    }
}
