//! What has been told of each reader. Each badge that is laid down is told once as having come and
//! once as having gone, in this order, however late its answer is.
//!
//! A card that was overtaken by the next one, or by the loss of its reader, before it had answered
//! is not told at all: its answer may even be the next one's.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::ports::{BadgeUid, ReaderEvent};

type Tell = dyn Fn(ReaderEvent) + Send + Sync;

/// Tells what readers see.
pub(super) struct Told {
    tell: Box<Tell>,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    closed: bool,
    /// Whether a reader was there when it was last told; `None` before anything was.
    there: Option<bool>,
    turn: u64,
    lying: BTreeMap<String, Lying>,
}

/// A card that lies on a reader, or has left before it had answered.
struct Lying {
    turn: u64,
    answered: bool,
    gone: bool,
}

impl Told {
    pub(super) fn new(tell: impl Fn(ReaderEvent) + Send + Sync + 'static) -> Self {
        Self { tell: Box::new(tell), board: Mutex::default() }
    }

    /// A card lies on this reader and is about to be asked; answers the turn that its answer is told
    /// with.
    pub(super) fn lies(&self, reader: &str) -> u64 {
        self.on(|board, _| {
            board.turn += 1;
            let lying = Lying { turn: board.turn, answered: false, gone: false };
            let _ = board.lying.insert(reader.to_owned(), lying);
            board.turn
        })
    }

    /// The card of this turn has answered with its identifier, or with none.
    pub(super) fn answered(&self, reader: &str, turn: u64, uid: Option<BadgeUid>) {
        self.on(|board, tell| {
            let Some(lying) = board.lying.get_mut(reader).filter(|lying| lying.turn == turn) else { return };
            lying.answered = true;
            let gone = lying.gone;
            let reader = reader.to_owned();
            tell(match uid {
                Some(uid) => ReaderEvent::Came { reader: reader.clone(), uid },
                None => ReaderEvent::Unreadable { reader: reader.clone() },
            });
            if gone {
                // A quick tap: it counts, and is over.
                let _ = board.lying.remove(&reader);
                tell(ReaderEvent::Went { reader });
            }
        });
    }

    /// Whatever lay on this reader is gone.
    pub(super) fn went(&self, reader: &str) {
        self.on(|board, tell| match board.lying.get_mut(reader) {
            Some(Lying { answered: true, .. }) => {
                let _ = board.lying.remove(reader);
                tell(ReaderEvent::Went { reader: reader.to_owned() });
            }
            Some(lying) => lying.gone = true,
            None => {}
        });
    }

    /// No reader is left; told once.
    pub(super) fn lost(&self, why: &str) {
        self.on(|board, tell| {
            board.lying.clear();
            if board.there.replace(false) != Some(false) {
                tell(ReaderEvent::Lost { why: why.to_owned() });
            }
        });
    }

    /// A reader is there; told once.
    pub(super) fn back(&self) {
        self.on(|board, tell| {
            if board.there.replace(true) != Some(true) {
                tell(ReaderEvent::Back);
            }
        });
    }

    /// Nothing is told from now on.
    pub(super) fn close(&self) {
        self.on(|board, _| board.closed = true);
    }

    /// The board is held while it is told, so that two threads cannot tell in the wrong order.
    fn on<T>(&self, act: impl FnOnce(&mut Board, &Tell) -> T) -> T {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if board.closed {
            return act(&mut board, &|_| {});
        }
        act(&mut board, &*self.tell)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn told() -> (Told, Arc<Mutex<Vec<String>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&said);
        let told = Told::new(move |event| {
            hear.lock().unwrap().push(match event {
                ReaderEvent::Came { reader, uid } => format!("{reader} came {}", uid.0),
                ReaderEvent::Unreadable { reader } => format!("{reader} unreadable"),
                ReaderEvent::Went { reader } => format!("{reader} went"),
                ReaderEvent::Lost { why } => format!("lost: {why}"),
                ReaderEvent::Back => "back".to_owned(),
            });
        });
        (told, said)
    }

    fn uid(text: &str) -> Option<BadgeUid> {
        Some(BadgeUid(text.to_owned()))
    }

    #[test]
    fn a_badge_comes_once_and_goes_once() {
        let (told, said) = told();
        let turn = told.lies("a");
        told.answered("a", turn, uid("01"));
        told.went("a");
        told.went("a");
        assert_eq!(*said.lock().unwrap(), ["a came 01", "a went"]);
    }

    #[test]
    fn a_going_is_never_told_before_the_coming() {
        let (told, said) = told();
        let turn = told.lies("a");
        told.went("a");
        assert!(said.lock().unwrap().is_empty());
        told.answered("a", turn, uid("01"));
        told.went("a");
        assert_eq!(*said.lock().unwrap(), ["a came 01", "a went"]);
    }

    #[test]
    fn a_late_answer_does_not_stand_in_for_the_next_badge() {
        let (told, said) = told();
        let first = told.lies("a");
        told.went("a");
        let second = told.lies("a");
        told.answered("a", first, uid("02"));
        told.answered("a", second, uid("02"));
        assert_eq!(*said.lock().unwrap(), ["a came 02"]);
    }

    #[test]
    fn a_loss_is_told_once_and_swallows_what_had_not_answered() {
        let (told, said) = told();
        told.back();
        told.back();
        let turn = told.lies("a");
        told.lost("x");
        told.lost("y");
        told.answered("a", turn, None);
        told.went("a");
        told.back();
        assert_eq!(*said.lock().unwrap(), ["back", "lost: x", "back"]);
    }

    #[test]
    fn nothing_is_told_after_the_end() {
        let (told, said) = told();
        let turn = told.lies("a");
        told.close();
        told.answered("a", turn, uid("01"));
        told.lost("x");
        assert!(said.lock().unwrap().is_empty());
    }
}
