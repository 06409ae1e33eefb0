//! What the parts of signing in and ending share: the session, everything that is held elsewhere, and the news of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use super::calls::Caller;
use super::dpop::ProofKey;
use super::outbox::{How, Item, Of, Rows, id};
use super::provider::Provider;
use crate::ports::{
    Clock, Ends, Person, Result, Secret, Settlement, SignInNews, TokenEnd, TokenKind, TokenState,
};

/// How long a wait goes without looking at the clock again, which counts the time that the machine sleeps.
const LOOK: Duration = Duration::from_secs(30);

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The operator is at work.
    Open,
    /// Its browser takes leave; nothing is refreshed any more.
    Leaving,
    /// Its sign-ins are ended.
    Ended,
}

/// Who the provider says that the operator is.
pub(super) struct Identity {
    pub(super) id_token: Secret,
    pub(super) subject: String,
    pub(super) sid: Option<String>,
}

/// What the browser has brought back from a sign-in.
pub(super) enum Came {
    Code(Secret),
    /// The provider's code of an error.
    Refused(String),
}

/// A page of a sign-in that the browser has not come back from.
pub(super) struct Visit {
    pub(super) index: usize,
    pub(super) came: oneshot::Sender<Came>,
}

/// The session that is open or ending.
pub(super) struct Session {
    pub(super) number: String,
    pub(super) person: Person,
    pub(super) begun_utc_ms: i64,
    pub(super) stage: Stage,
    /// Whether everything was tried once.
    pub(super) tried: bool,
    pub(super) over: watch::Sender<bool>,
    pub(super) tasks: Vec<(usize, JoinHandle<()>)>,
    /// What takes in the calls that are due at its end: a session that is over at once waits for it.
    pub(super) taking_in: Option<JoinHandle<()>>,
    pub(super) proofs: HashMap<usize, ProofKey>,
    pub(super) identities: HashMap<usize, Identity>,
    pub(super) visits: HashMap<String, Visit>,
    pub(super) farewells: HashMap<String, usize>,
}

/// All that changes.
#[derive(Default)]
pub(super) struct State {
    pub(super) session: Option<Session>,
    pub(super) items: Vec<Item>,
    /// The session that the shell before has left unfinished.
    pub(super) left: Option<String>,
    next: u64,
}

impl State {
    /// Takes something in and returns its key.
    pub(super) fn take_in(&mut self, mut item: Item) -> u64 {
        self.next += 1;
        item.key = self.next;
        self.items.push(item);
        self.next
    }

    /// The session where it is this one.
    pub(super) fn of(&mut self, number: &str) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.number == number)
    }

    fn awaits_receipt(&self, number: &str) -> bool {
        let current = self.session.as_ref().is_some_and(|session| session.number == number);
        current || self.left.as_deref() == Some(number)
    }
}

/// Whoever is told the lines of the capability report.
pub type Listener = Box<dyn Fn(Vec<(String, String)>) + Send + Sync>;

/// What all parts share.
pub(super) struct Core {
    pub(super) station: String,
    pub(super) providers: Vec<Arc<Provider>>,
    pub(super) calls: Vec<Caller>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rows: Rows,
    pub(super) state: Mutex<State>,
    pub(super) woken: Notify,
    /// Whose turn it is to write to the outbox.
    pub(super) writing: Mutex<()>,
    pub(super) news: OnceLock<Box<dyn Fn(SignInNews) + Send + Sync>>,
    pub(super) findings: OnceLock<Listener>,
    pub(super) key_home: Mutex<String>,
}

impl Core {
    /// Looks at what changes, and changes it.
    pub(super) fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn utc_ms(&self) -> i64 {
        self.clock.stamp().utc_ms
    }

    /// Tells news, to whoever listens.
    pub(super) fn say(&self, news: SignInNews) {
        if let Some(listener) = self.news.get() {
            listener(news);
        }
    }

    /// The lines of the capability report.
    pub(super) fn capabilities(&self) -> Vec<(String, String)> {
        if self.providers.is_empty() {
            return Vec::new();
        }
        let home = self.key_home.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let signs = self.providers.iter().map(|provider| ("sign-ins".to_owned(), provider.finding()));
        signs.chain([("sign-in key".to_owned(), home)]).collect()
    }

    /// Tells the capability report's listener.
    pub(super) fn report(&self) {
        if let Some(listener) = self.findings.get() {
            listener(self.capabilities());
        }
    }

    /// Waits until the station's clock shows this (milliseconds since the shell started). The clock is looked at
    /// again where somebody says that it has jumped.
    pub(super) async fn until(&self, moment: u64) {
        loop {
            let woken = self.woken.notified();
            tokio::pin!(woken);
            let _ = woken.as_mut().enable();
            let now = self.clock.now().0;
            if now >= moment {
                return;
            }
            let left = Duration::from_millis(moment - now).min(LOOK);
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = woken => {}
            }
        }
    }

    /// The moment of the station's clock at which the wall clock shows this, as both stand now.
    pub(super) fn moment_of(&self, utc_ms: i64) -> u64 {
        let ahead = u64::try_from(utc_ms.saturating_sub(self.utc_ms())).unwrap_or(0);
        self.clock.now().0.saturating_add(ahead)
    }

    /// A proof of possession of the sign-in's key, where it has one and the session is not over.
    pub(super) fn proof(
        &self,
        number: &str,
        index: usize,
        request: (&str, &str),
        access: Option<&str>,
    ) -> Result<Option<Secret>> {
        let utc_ms = self.utc_ms();
        self.state(|state| {
            let key = state.of(number).and_then(|session| session.proofs.get(&index));
            key.map(|key| key.proof(request.0, request.1, access, utc_ms)).transpose()
        })
    }

    /// Something new of a session, not yet taken in.
    pub(super) fn item(&self, number: &str, of: Of, kind: TokenKind, secret: &str) -> Item {
        let (provider, issuer) = match of {
            Of::SignIn(index) => self
                .providers
                .get(index)
                .map(|provider| (provider.policy.name.clone(), provider.policy.issuer.clone())),
            Of::Call(index) => {
                self.calls.get(index).map(|call| (call.policy.name.clone(), call.host.clone()))
            }
            Of::Gone => None,
        }
        .unwrap_or_default();
        let utc_ms = self.utc_ms();
        Item {
            key: 0,
            session: number.to_owned(),
            of,
            end: TokenEnd {
                provider,
                issuer,
                kind,
                id: id(secret),
                state: TokenState::Pending,
                saw: "the session is open".to_owned(),
                expires_utc_ms: None,
            },
            how: How::Nothing,
            row: 0,
            tries: 0,
            entry: None,
            shown: None,
            open: true,
            due_utc_ms: utc_ms,
            since_utc_ms: utc_ms,
        }
    }

    /// Writes something new durably and takes it in. Where it cannot be written it is taken in all the same, so that
    /// it is ended, and the error says so.
    pub(super) fn take_in(&self, mut item: Item) -> Result<u64> {
        let written = self.rows.put(&item);
        if let Ok(row) = &written {
            item.row = *row;
        }
        let key = self.state(|state| state.take_in(item));
        written.map(|_| key)
    }

    /// Changes one thing, where it is still there.
    pub(super) fn change(&self, key: u64, change: impl FnOnce(&mut Item)) {
        self.state(|state| {
            if let Some(item) = state.items.iter_mut().find(|item| item.key == key) {
                change(item);
            }
        });
    }

    /// What of a session belongs to this and is not over, in the order in which it is ended.
    pub(super) fn group(&self, number: &str, of: Of) -> Vec<Item> {
        let mut group: Vec<Item> = self.state(|state| {
            let those =
                state.items.iter().filter(|item| item.session == number && item.of == of && !item.over());
            those.cloned().collect()
        });
        group.sort_by_key(|item| (item.end.kind, item.key));
        group
    }

    /// Writes how these stand now, as far as they are still there: a row that was removed must not come back.
    pub(super) fn write(&self, keys: &[u64]) {
        for key in keys {
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let item = self.state(|state| state.items.iter().find(|item| item.key == *key).cloned());
            let Some(item) = item else { continue };
            match self.rows.put(&item) {
                Ok(row) => self.change(item.key, |item| item.row = row),
                Err(error) => tracing::warn!("failed to {error}"),
            }
        }
    }

    /// Removes rows whose things were taken out before.
    pub(super) fn remove(&self, rows: Vec<i64>) {
        for row in rows {
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            self.rows.remove(row);
        }
    }

    /// Writes and tells what has changed: of the session that is ending, that there is more to read; of one whose
    /// receipt is written, what changed.
    pub(super) fn tell(&self, keys: &[u64]) {
        self.write(keys);
        let (news, rows) = self.state(|state| {
            let mut news = Vec::new();
            let mut settled: HashMap<String, Settlement> = HashMap::new();
            let mut rows = Vec::new();
            let mut sessions: Vec<String> = Vec::new();
            for item in state.items.iter().filter(|item| keys.contains(&item.key)) {
                if !sessions.contains(&item.session) {
                    sessions.push(item.session.clone());
                }
            }
            for number in sessions {
                if state.awaits_receipt(&number) {
                    if state.of(&number).is_some_and(|session| session.tried) {
                        news.push(SignInNews::Ended(number));
                    }
                    continue;
                }
                for item in state.items.iter_mut() {
                    if item.session != number
                        || !keys.contains(&item.key)
                        || item.shown == Some(item.end.state)
                    {
                        continue;
                    }
                    item.shown = Some(item.end.state);
                    let settlement = settled.entry(number.clone()).or_insert_with(|| Settlement {
                        session: number.clone(),
                        entry: item.entry,
                        tokens: Vec::new(),
                    });
                    settlement.tokens.push(item.end.clone());
                }
                state.items.retain(|item| {
                    let stays = item.session != number || !item.over();
                    if !stays {
                        rows.push(item.row);
                    }
                    stays
                });
            }
            news.extend(settled.into_values().map(SignInNews::Settled));
            (news, rows)
        });
        news.into_iter().for_each(|news| self.say(news));
        self.remove(rows);
    }

    /// Notes that a session is over: its keys are destroyed, everything else is about to be asked for.
    pub(super) fn close(&self, state: &mut State, number: &str) {
        let now = self.utc_ms();
        for item in state.items.iter_mut().filter(|item| item.session == number && item.open) {
            item.open = false;
            item.since_utc_ms = now;
            if item.over() {
                continue;
            }
            if let (TokenKind::Call, Of::Call(index)) = (item.end.kind, item.of) {
                let life = self.calls.get(index).map(|call| call.policy.expires).unwrap_or_default();
                let life = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
                item.end.expires_utc_ms = Some(now.saturating_add(life));
            }
            if item.end.kind == TokenKind::ProofKey {
                item.stands(TokenState::Proved, "destroyed in memory");
            } else {
                "asked, no answer yet".clone_into(&mut item.end.saw);
            }
        }
    }

    /// How what this session holds stands; `shown` where a receipt is about to tell it.
    pub(super) fn ends_of(state: &mut State, number: &str, shown: bool) -> Ends {
        let mut tokens = Vec::new();
        for item in state.items.iter_mut().filter(|item| item.session == number) {
            if shown {
                item.shown = Some(item.end.state);
            }
            tokens.push(item.end.clone());
        }
        tokens.sort_by(|one, other| {
            (&one.provider, one.kind, &one.id).cmp(&(&other.provider, other.kind, &other.id))
        });
        Ends { session: number.to_owned(), tokens }
    }
}
