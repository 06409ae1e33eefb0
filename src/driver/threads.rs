//! The hands of a real station: tokio's threads for what takes time, and one thread of its own
//! through which every entry and intent goes, in order.

use std::sync::mpsc;
use std::time::Duration;

use crate::ports::{Hands, Job};

/// Threads.
pub(super) struct Threads {
    ledger: mpsc::Sender<Job>,
}

impl Threads {
    /// Starts the ledger's thread; it ends with these hands.
    pub(super) fn start() -> Self {
        let (ledger, jobs) = mpsc::channel::<Job>();
        drop(std::thread::spawn(move || jobs.into_iter().for_each(|job| job())));
        Self { ledger }
    }
}

impl Hands for Threads {
    fn now(&self, job: &mut dyn FnMut()) {
        tokio::task::block_in_place(job);
    }

    fn aside(&self, job: Job) {
        drop(tokio::task::spawn_blocking(job));
    }

    fn in_order(&self, job: Job) {
        let _ = self.ledger.send(job);
    }

    fn after(&self, first: Job, patience: Duration, then: Job) {
        let (done, durable) = mpsc::channel();
        self.in_order(Box::new(move || {
            first();
            let _ = done.send(());
        }));
        self.aside(Box::new(move || {
            let _ = durable.recv_timeout(patience);
            then();
        }));
    }

    fn settle(&self, patience: Duration) {
        let (done, all) = mpsc::channel();
        self.in_order(Box::new(move || {
            let _ = done.send(());
        }));
        let _ = all.recv_timeout(patience);
    }
}
