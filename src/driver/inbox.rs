//! Everything that can reach the driver, as one queue.

use super::log::LogNews;
use super::scene::Wish;
use super::sign_ins::ElsewhereNews;
use crate::handoff::{DrillPart, Event, PinVerified, Turn};
use crate::ports::{
    CapsuleNews, Closing, Destroyed, DrillRow, DrillSearch, GateAnswer, Person, PinProblem, ReaderEvent,
    Result, Shown, Written,
};

/// Something that came in, closed to whoever carries it: a rehearsal may keep it back, or hand it
/// over twice, as a slow or stuttering station would, but cannot make one.
#[derive(Clone)]
pub struct Item(pub(super) Inbox);

impl Item {
    /// Whether it answers a question of the core's.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        match &self.0 {
            Inbox::Closed(..)
            | Inbox::Destroyed(..)
            | Inbox::Drilled(..)
            | Inbox::Looked(..)
            | Inbox::PinSet(..)
            | Inbox::Prepared(..)
            | Inbox::Written(..) => true,
            Inbox::Event(event) => matches!(event, Event::PinChecked(..) | Event::Settled(..)),
            Inbox::Codes(_)
            | Inbox::Disabled(_)
            | Inbox::Elsewhere(_)
            | Inbox::Log(_)
            | Inbox::Met(_)
            | Inbox::News(_)
            | Inbox::Pruned(_)
            | Inbox::Reader(..)
            | Inbox::Restarted(_)
            | Inbox::Shown(..)
            | Inbox::Suspending(_)
            | Inbox::Told(_)
            | Inbox::Verified(_)
            | Inbox::Wish(_) => false,
        }
    }
}

/// Something that came in.
#[derive(Clone)]
pub(super) enum Inbox {
    /// An event that needs nothing added.
    Event(Event),
    /// The apps were asked to close.
    Closed(Turn, Closing),
    /// The capsule was looked into and destroyed.
    Destroyed(Turn, Vec<GateAnswer>, Result<Destroyed>),
    /// Whether there is a break-glass code.
    Codes(Result<bool>),
    /// The operators whose badges are disabled.
    Disabled(Result<Vec<Person>>),
    /// A part of a drill is done, or could not be.
    Drilled(Turn, DrillPart, Result<Vec<DrillRow>>),
    /// Signing in elsewhere, or ending it, tells something.
    Elsewhere(ElsewhereNews),
    /// The gates have looked, and what a drill has planted was searched for.
    Looked(Turn, Vec<GateAnswer>, DrillSearch),
    /// Whose code was found right.
    Met(Person),
    /// The capsule tells something.
    News(CapsuleNews),
    /// A step of pruning is done: whether there may be more to prune.
    Pruned(Result<bool>),
    /// Something of the log was read, checked or written.
    Log(LogNews),
    /// A new PIN was taken or refused.
    PinSet(Turn, std::result::Result<PinVerified, PinProblem>),
    /// The next capsule stands, or does not.
    Prepared(Turn, Result<()>),
    /// A reader tells something, seen at this microsecond.
    Reader(ReaderEvent, u64),
    /// The machine was asked to start anew.
    Restarted(Result<()>),
    /// The roster has said whose badge lies on this reader, seen at this microsecond.
    Shown(String, Result<Shown>, u64),
    /// What was held was told to the ledger.
    Told(Result<Written>),
    /// The host is about to sleep; it waits until the other end of this is gone.
    Suspending(std::sync::mpsc::Sender<()>),
    /// The ledger was verified.
    Verified(std::result::Result<u64, String>),
    /// The screens ask something.
    Wish(Wish),
    /// An entry is durable, or is not.
    Written(Turn, Result<Written>),
}
