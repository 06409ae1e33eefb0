//! Signing the operator at work in elsewhere, and ending that with her session. What comes late reaches nobody
//! but whom it was meant for, and nothing here stands in the way of opening or covering.

use std::collections::VecDeque;

use crate::handoff::planted::{self, Bug};
use crate::handoff::station::{Doing, Revoking};
use crate::handoff::{CleanUp, Event, Late, Moment, Record, Station, Turn};
use crate::ports::{
    Answer, Body, Ends, Entry, GateAnswer, Grant, Page, PortError, Result, Settlement, SignInNews, TokenEnd,
    TokenState, Written,
};

use super::Driver;
use super::inbox::Inbox;

/// The trace class of what other machines hold open for an operator (requirements, §2.2).
pub(super) const CLASS: u8 = 28;
/// How often a station that is held looks by itself how everything stands, milliseconds.
const LOOK_AGAIN: u64 = 1_000;

/// Signing in elsewhere, as far as the driver must know.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// The session of the operator at work, and the capsule that its tokens are for.
    at_work: Option<(String, u64)>,
    /// Where she could not be signed in, and why.
    pub(super) problems: Vec<(String, String)>,
    /// The farewell that is waited for, and how many pages have not come back.
    farewell: Option<(Turn, usize)>,
    /// What the handoff that is under way ends, and whose session that is.
    ending: Ending,
    session: String,
    /// How that stands, as far as it was told.
    pub(super) ends: Ends,
    /// Whether everything was tried once.
    tried: bool,
    /// The question how everything stands, while it is outstanding.
    settling: Option<Turn>,
    /// The entry that tells of a session, while it is being written.
    tells: Option<(Turn, String)>,
    /// Later results that are not in the ledger yet, and whether the first is being written.
    settlements: VecDeque<Settlement>,
    telling: bool,
}

/// What a handoff ends elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    /// What the shell before has left.
    Left,
    /// Nothing.
    #[default]
    Nothing,
    /// What its own session has begun.
    Session,
}

/// What comes back of it.
#[derive(Clone)]
pub(super) enum ElsewhereNews {
    /// The signing in itself tells something.
    News(SignInNews),
    /// What is still in the outbox.
    Pending(Vec<TokenEnd>),
    /// A token or a page did not get into the capsule.
    Refused(String, PortError),
    /// A later result is in the ledger, or is not.
    Told(Result<Written>),
}

impl Driver {
    /// A session has opened: its operator is signed in wherever the policy says. This returns at once.
    pub(super) fn sign_in(&mut self) {
        let Some(Station::Attended(attended)) = &self.station else { return };
        let id = attended.operator.id;
        if self.settings.rules.sign_ins.is_none() || id.is_emergency() || id.is_drill() {
            return;
        }
        let person = self.book.person(id);
        let (sign_ins, mut session) = (self.ports.sign_ins.clone(), String::new());
        self.hands.now(&mut || session = sign_ins.begin(&person));
        self.elsewhere.at_work = Some((session, self.capsule()));
    }

    /// Whether the station is held until everything is ended elsewhere.
    pub(super) fn is_held(&self) -> bool {
        matches!(&self.station, Some(Station::CleanUp(clean_up)) if clean_up.doing == Doing::Held)
    }

    /// A session is over: what is told of it from now on reaches no capsule and no screen.
    pub(super) fn signed_out(&mut self) {
        self.elsewhere.at_work = None;
        self.elsewhere.problems.clear();
    }

    /// A handoff is over, or another has begun.
    pub(super) fn nothing_ends(&mut self) {
        let elsewhere = &mut self.elsewhere;
        (elsewhere.ending, elsewhere.tried) = (Ending::Nothing, false);
        (elsewhere.farewell, elsewhere.settling, elsewhere.tells) = (None, None, None);
        elsewhere.ends = Ends::default();
        elsewhere.session =
            elsewhere.at_work.as_ref().map(|(session, _)| session.clone()).unwrap_or_default();
    }

    /// The session's own browser takes leave of the providers, behind the cover.
    pub(super) fn farewell(&mut self, turn: Turn) {
        let (sign_ins, mut pages) = (self.ports.sign_ins.clone(), Vec::new());
        self.hands.now(&mut || pages = sign_ins.farewells());
        if pages.is_empty() {
            let _ = self.post.send(Inbox::Event(Event::Stepped(turn, true)));
            return;
        }
        self.elsewhere.farewell = Some((turn, pages.len()));
        for page in pages {
            self.visit(self.capsule(), page);
        }
    }

    /// Begins to end what the session, or the shell before, has signed in.
    pub(super) fn revoke(&mut self) {
        let session =
            matches!(&self.station, Some(Station::CleanUp(clean_up)) if clean_up.outgoing.is_some());
        self.elsewhere.ending = if session { Ending::Session } else { Ending::Left };
        if !session {
            // Nobody waits for what is gone with the shell before: whatever can still be ended is ended, and
            // its result follows.
            self.elsewhere.tried = true;
        }
        let sign_ins = self.ports.sign_ins.clone();
        self.hands.now(&mut || sign_ins.end());
        self.look_elsewhere();
    }

    /// Reads how everything stands. Not between an entry that tells of it and its number: what changes meanwhile
    /// follows the entry, and must not be taken for read.
    fn look_elsewhere(&mut self) {
        if self.elsewhere.tells.is_some() {
            return;
        }
        let (sign_ins, mut ends) = (self.ports.sign_ins.clone(), Ends::default());
        match self.elsewhere.ending {
            Ending::Left => self.hands.now(&mut || ends = sign_ins.left()),
            Ending::Session => self.hands.now(&mut || ends = sign_ins.ends()),
            Ending::Nothing => return,
        }
        if self.elsewhere.ending == Ending::Left || ends.session == self.elsewhere.session {
            self.elsewhere.ends = ends;
        }
    }

    /// The core asks how everything stands.
    pub(super) fn settle(&mut self, turn: Turn) {
        self.elsewhere.settling = Some(turn);
        self.look_elsewhere();
        self.answer_settling();
    }

    /// Answers that question once everything was tried, and each time that more is known.
    fn answer_settling(&mut self) {
        let Some(turn) = self.elsewhere.settling else { return };
        let waits = match &self.station {
            Some(Station::CleanUp(clean_up)) => clean_up.turn == turn && is_waiting(clean_up),
            Some(
                Station::Attended(_)
                | Station::Challenge(_)
                | Station::Drill(_)
                | Station::Quarantine(_)
                | Station::Vacant(_),
            )
            | None => false,
        };
        if !waits {
            self.elsewhere.settling = None;
            return;
        }
        let settled = self.elsewhere.ends.settled();
        if settled || self.elsewhere.tried {
            // Not told on the spot: whoever is being answered is the core, in the middle of its effects.
            let _ = self.post.send(Inbox::Event(Event::Settled(turn, settled)));
        }
    }

    /// When a station that is held is to look again by itself.
    pub(super) fn looks_again(&self) -> Option<Moment> {
        self.is_held().then(|| self.ports.clock.now().after(LOOK_AGAIN))
    }

    /// Time has come at a station that is held.
    pub(super) fn look_again(&mut self) {
        if self.is_held() {
            self.look_elsewhere();
            self.answer_settling();
        }
    }

    pub(super) fn elsewhere_news(&mut self, news: ElsewhereNews) {
        match news {
            ElsewhereNews::News(news) => self.sign_in_news(news),
            ElsewhereNews::Pending(pending) => {
                if let Some(log) = &mut self.log {
                    log.scene.pending = pending;
                }
            }
            ElsewhereNews::Refused(provider, error) => {
                tracing::warn!(%error, provider, "a sign-in did not reach the session");
                self.sign_in_problem(provider, format!("It failed to {error}."));
                // A page that cannot be opened does not come back either.
                self.farewelled();
            }
            ElsewhereNews::Told(Ok(_)) => {
                self.elsewhere.telling = false;
                drop(self.elsewhere.settlements.pop_front());
                self.tell_settlements();
            }
            ElsewhereNews::Told(Err(error)) => {
                // Told again once the ledger writes.
                tracing::error!(%error, "failed to write how a sign-in has ended");
                self.elsewhere.telling = false;
            }
        }
    }

    fn sign_in_news(&mut self, news: SignInNews) {
        match news {
            SignInNews::Signed(grant) => self.hold(grant),
            SignInNews::Visit(page) => {
                if let Some((_, capsule)) = self.elsewhere.at_work {
                    self.visit(capsule, page);
                }
            }
            SignInNews::Failed(provider, sentence) => self.sign_in_problem(provider, sentence),
            SignInNews::Farewelled => self.farewelled(),
            SignInNews::Ended(session) => {
                self.look_elsewhere();
                if self.elsewhere.ending == Ending::Session && self.elsewhere.session == session {
                    self.elsewhere.tried = true;
                }
                self.answer_settling();
            }
            SignInNews::Settled(settlement) => {
                self.elsewhere.settlements.push_back(settlement);
                self.tell_settlements();
                self.look_elsewhere();
                self.answer_settling();
                if self.log.is_some() {
                    self.ask_pending();
                }
            }
            SignInNews::Revoked(key) => {
                if let Some(Station::Attended(attended)) = &self.station
                    && self.book.operator(attended.operator).key == key
                {
                    let id = attended.operator.id;
                    self.tell(Event::Revoked(id));
                }
            }
        }
    }

    /// A page of the farewell has come back, or could not be opened.
    fn farewelled(&mut self) {
        if let Some((turn, pages)) = &mut self.elsewhere.farewell {
            *pages = pages.saturating_sub(1);
            if *pages == 0 {
                let turn = *turn;
                self.elsewhere.farewell = None;
                self.tell(Event::Stepped(turn, true));
            }
        }
    }

    /// Gives a token to the session that it was got for, as long as that runs, and to no other.
    fn hold(&mut self, grant: Grant) {
        let capsule = match &self.elsewhere.at_work {
            Some((session, capsule)) if *session == grant.session => *capsule,
            Some(_) | None if planted::is(Bug::LateGrant) => self.capsule(),
            Some(_) | None => return,
        };
        self.elsewhere.problems.retain(|(provider, _)| *provider != grant.provider);
        let (capsules, post) = (self.ports.capsules.clone(), self.post.clone());
        self.on_capsule_of(capsule, move || {
            if let Err(error) = capsules.hold(&grant) {
                let _ = post.send(Inbox::Elsewhere(ElsewhereNews::Refused(grant.provider, error)));
            }
        });
    }

    fn visit(&self, capsule: u64, page: Page) {
        let (capsules, post) = (self.ports.capsules.clone(), self.post.clone());
        self.on_capsule_of(capsule, move || {
            if let Err(error) = capsules.visit(&page) {
                let _ = post.send(Inbox::Elsewhere(ElsewhereNews::Refused(page.app, error)));
            }
        });
    }

    /// What she is told of it, while she is at work.
    fn sign_in_problem(&mut self, provider: String, sentence: String) {
        if self.elsewhere.at_work.is_some() {
            self.elsewhere.problems.retain(|(known, _)| *known != provider);
            self.elsewhere.problems.push((provider, sentence));
        }
    }

    // -----------------------------------------------------------------------------------------
    // What the ledger is told
    // -----------------------------------------------------------------------------------------

    /// An entry is about to be written: what it tells of the handoff tells of this too.
    pub(super) fn note_sign_ins(&mut self, turn: Turn, record: Record) {
        let tells = match record {
            Record::Handoff(..) | Record::BreakGlass => true,
            Record::Quarantined(_) => false,
            Record::BadgeUnknown
            | Record::Denied(..)
            | Record::DrillOpened(_)
            | Record::Drilled(_)
            | Record::Opened(_)
            | Record::Released(_)
            | Record::Restarted(_)
            | Record::Viewed(_) => return,
        };
        self.elsewhere.tells = None;
        self.look_elsewhere();
        let gate = self.class_28();
        let Some(handoff) = &mut self.book.handoff else { return };
        handoff.sign_ins = self.elsewhere.ends.clone();
        if let Some(gate) = gate.filter(|_| !handoff.after.is_empty()) {
            match handoff.after.iter_mut().find(|answer| answer.class == CLASS) {
                Some(answer) => *answer = gate,
                None => handoff.after.push(gate),
            }
        }
        if tells && !handoff.sign_ins.session.is_empty() {
            self.elsewhere.tells = Some((turn, handoff.sign_ins.session.clone()));
        }
    }

    /// That entry is durable: later results refer to it, and what has changed since it was asked for follows it.
    pub(super) fn sign_ins_told(&mut self, turn: Turn, number: u64) {
        if let Some((_, session)) = self.elsewhere.tells.take_if(|(asked, _)| *asked == turn) {
            let sign_ins = self.ports.sign_ins.clone();
            self.hands.aside(Box::new(move || sign_ins.told(&session, number)));
            // Nothing is read of it any more: what is read is not told again.
            self.elsewhere.ending = Ending::Nothing;
        }
    }

    /// The answer of the class that no gate on this host can give.
    fn class_28(&self) -> Option<GateAnswer> {
        let late = self.settings.rules.sign_ins?.late;
        let ends = &self.elsewhere.ends;
        let released = match &self.station {
            Some(Station::CleanUp(clean_up)) => clean_up.revoking == Revoking::Released,
            Some(Station::Quarantine(quarantine)) => quarantine.revoking == Revoking::Released,
            Some(Station::Attended(_) | Station::Challenge(_) | Station::Drill(_) | Station::Vacant(_))
            | None => false,
        };
        let counted = counted(&ends.tokens);
        let (answer, saw) = match late {
            _ if ends.tokens.is_empty() => (Answer::Absent, "nobody was signed in".to_owned()),
            _ if ends.settled() => (Answer::Absent, counted),
            Late::Hold { .. } if released => {
                (Answer::Setting, format!("{counted}; released by a supervisor"))
            }
            Late::Hold { .. } => (Answer::Present, counted),
            Late::Open { .. } => (Answer::Setting, format!("{counted}; revoke.late = open")),
        };
        Some(GateAnswer {
            class: CLASS,
            gate: "sign-ins elsewhere".to_owned(),
            answer,
            saw,
            method: "the providers' answers".to_owned(),
            took: std::time::Duration::ZERO,
        })
    }

    /// Writes later results, one after the other, each once it is sure that the one before is written.
    pub(super) fn tell_settlements(&mut self) {
        if self.elsewhere.telling {
            return;
        }
        let Some(settlement) = self.elsewhere.settlements.front().cloned() else { return };
        self.elsewhere.telling = true;
        let entry = Entry { at: self.ports.clock.stamp(), body: Body::Settled(settlement) };
        let (ledger, post) = (self.ports.ledger.clone(), self.post.clone());
        self.hands.in_order(Box::new(move || {
            let _ = post.send(Inbox::Elsewhere(ElsewhereNews::Told(ledger.append(&entry))));
        }));
    }

    /// What is pending now, for whoever reads the log.
    pub(super) fn ask_pending(&mut self) {
        if self.settings.rules.sign_ins.is_none() {
            return;
        }
        let sign_ins = self.ports.sign_ins.clone();
        self.work(move || Inbox::Elsewhere(ElsewhereNews::Pending(sign_ins.pending())));
    }
}

/// Whether a clean-up waits for the end of what its session holds elsewhere.
pub(super) fn is_waiting(clean_up: &CleanUp) -> bool {
    matches!(clean_up.doing, Doing::Held | Doing::Settling)
}

/// How many there are of each state: `3 proved, 1 pending`.
pub(super) fn counted(tokens: &[TokenEnd]) -> String {
    const STATES: [TokenState; 6] = [
        TokenState::Proved,
        TokenState::Acknowledged,
        TokenState::Expired,
        TokenState::Pending,
        TokenState::ExpiresAt,
        TokenState::Failed,
    ];
    let counts = STATES.into_iter().filter_map(|state| {
        let count = tokens.iter().filter(|token| token.state == state).count();
        (count > 0).then(|| format!("{count} {}", state.word()))
    });
    counts.collect::<Vec<_>>().join(", ")
}
