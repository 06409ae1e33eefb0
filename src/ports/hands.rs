//! Who does the driver's work beside its loop: threads at a real station, a stage manager in a
//! rehearsal, which decides when each job is done, late or never.

use std::time::Duration;

/// Something to be done once.
pub type Job = Box<dyn FnOnce() + Send>;

/// Who does the driver's work beside its loop.
pub trait Hands: Send + Sync {
    /// Does this now and returns when it is done: covering waits for no thread.
    fn now(&self, job: &mut dyn FnMut());
    /// Does this beside everything else.
    fn aside(&self, job: Job);
    /// Does this for the ledger: after all that was given here before, before all that follows.
    fn in_order(&self, job: Job);
    /// Does `first` as [`Hands::in_order`], and `then` beside everything else: as soon as `first` is
    /// done or `patience` is over.
    fn after(&self, first: Job, patience: Duration, then: Job);
    /// Returns when all that was given to [`Hands::in_order`] is done, or `patience` is over.
    fn settle(&self, patience: Duration);
}
