//! Providers of a rehearsal, and the signing in at them: they answer late, fail, and are lost for a while. What
//! is true of every token is known here, so that what a receipt says can be checked against it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::RehearsedClock;
use super::dice::Dice;
use super::world::World;
use crate::ports::{
    Clock as _, Ends, Grant, Page, Person, Secret, Settlement, SignInNews, SignIns, TokenEnd, TokenKind,
    TokenState,
};

/// The provider's name.
const NAME: &str = "Hospital";
/// How long a token is good, milliseconds.
const GOOD: u64 = 300_000;

/// Where news goes.
type Listener = Box<dyn Fn(SignInNews) + Send + Sync>;

/// The providers, and what the station's shells have begun at them. They outlive every shell.
pub struct Providers {
    clock: Arc<RehearsedClock>,
    world: Arc<World>,
    news: Mutex<Option<Listener>>,
    inner: Mutex<Inner>,
}

struct Inner {
    dice: Dice,
    sessions: Vec<Session>,
    due: BTreeMap<(u64, u64), Due>,
    number: u64,
    /// No provider answers until then.
    lost_until: u64,
    /// Nothing is late, fails or cannot be revoked.
    calm: bool,
    /// How many tokens were given to capsules.
    given: usize,
    /// Whose sessions were said to be revoked, and when.
    revoked: Vec<(String, u64)>,
    /// The promise that was broken first.
    broken: Option<String>,
}

/// A session that somebody was signed in for.
struct Session {
    name: String,
    capsule: Option<u64>,
    tokens: Vec<Token>,
    /// Since when it is being ended.
    ended: Option<u64>,
    /// The shell that has begun it is dead.
    dead: bool,
    /// An entry that tells of it was asked for, and is in the ledger.
    asked: bool,
    entered: bool,
    /// Its number, as the driver told it.
    entry: Option<u64>,
    /// A supervisor or a break-glass code has opened the station in spite of it.
    excused: bool,
}

struct Token {
    end: TokenEnd,
    tried: bool,
    /// The provider ends the session by its number alone: a later shell can still do it.
    by_number: bool,
    revocable: bool,
    /// How it stood when it was asked for last, and in the newest entry that tells of it.
    shown: TokenState,
    told: Option<TokenState>,
    /// The shell that was to tell of it died.
    lost: bool,
    tries: u32,
}

/// What comes by itself.
enum Due {
    /// The provider answers to a sign-in.
    Answer(usize),
    /// The end of this token is tried.
    Try(usize, usize),
    /// Its time is over.
    Over(usize, usize),
}

impl Providers {
    /// Providers that are well, in this world.
    #[must_use]
    pub fn new(clock: Arc<RehearsedClock>, world: Arc<World>, seed: u64) -> Arc<Self> {
        let inner = Inner {
            dice: Dice::new(seed ^ 0x5eed_0f70_6b65_6e73),
            sessions: Vec::new(),
            due: BTreeMap::new(),
            number: 0,
            lost_until: 0,
            calm: false,
            given: 0,
            revoked: Vec::new(),
            broken: None,
        };
        Arc::new(Self { clock, world, news: Mutex::default(), inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, news: Vec<SignInNews>) {
        if let Some(listener) = &*self.news.lock().unwrap_or_else(PoisonError::into_inner) {
            news.into_iter().for_each(listener);
        }
    }

    // What happens to them.

    /// No provider answers for so long.
    pub fn lose(&self, ms: u64) {
        let until = self.clock.world() + ms;
        let mut inner = self.inner();
        inner.lost_until = inner.lost_until.max(until);
    }

    /// From now on nothing goes wrong; what could not be ended is tried at once, or its time is over.
    pub fn calm(&self) {
        let now = self.clock.world();
        let mut inner = self.inner();
        inner.calm = true;
        inner.lost_until = 0;
        let due: Vec<_> = std::mem::take(&mut inner.due).into_values().collect();
        for due in due {
            inner.push(now, due);
        }
    }

    /// A provider says that whoever has this key is revoked.
    pub fn revoke(&self, key: &str) {
        let now = self.clock.world();
        self.inner().revoked.push((key.to_owned(), now));
        self.tell(vec![SignInNews::Revoked(key.to_owned())]);
    }

    /// The shell dies, and with it what only its memory held.
    pub fn shell_dies(&self) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut inner = self.inner();
        inner.due.retain(|_, due| matches!(due, Due::Over(..)));
        for session in &mut inner.sessions {
            let died = !std::mem::replace(&mut session.dead, true);
            for token in &mut session.tokens {
                token.lost |= session.entered && token.told != Some(token.end.state);
                if died && !token.end.state.is_final() && !token.by_number {
                    token.end.state = TokenState::ExpiresAt;
                    "its key died with the shell".clone_into(&mut token.end.saw);
                }
            }
        }
    }

    /// When something comes by itself.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.inner().due.keys().next().map(|(at, _)| *at)
    }

    /// What has come.
    pub fn time_came(&self) {
        let now = self.clock.world();
        let mut news = Vec::new();
        {
            let mut inner = self.inner();
            while let Some(entry) = inner.due.first_entry()
                && entry.key().0 <= now
            {
                let due = entry.remove();
                let utc_ms = self.clock.stamp().utc_ms;
                inner.comes(now, utc_ms, &due, &mut news);
            }
        }
        self.tell(news);
    }

    // What is true.

    /// A token of this session was given to this capsule.
    pub fn given(&self, name: &str, capsule: u64) {
        let mut inner = self.inner();
        inner.given += 1;
        let whose = inner.sessions.iter().find(|session| session.name == name);
        if whose.and_then(|session| session.capsule) != Some(capsule) {
            let what = format!("one operator: capsule {capsule} was given a token of session {name}");
            let _ = inner.broken.get_or_insert(what);
        }
    }

    /// How many tokens were given to capsules.
    #[must_use]
    pub fn grants(&self) -> usize {
        self.inner().given
    }

    /// Whether this operator's session was said to be revoked in the last so many milliseconds.
    #[must_use]
    pub fn was_revoked(&self, key: &str, within: u64) -> bool {
        let now = self.clock.world();
        self.inner().revoked.iter().any(|(whose, at)| whose == key && now - at <= within)
    }

    /// Since when the newest session is being ended.
    #[must_use]
    pub fn ended_at(&self) -> Option<u64> {
        self.inner().sessions.last().and_then(|session| session.ended)
    }

    /// Tokens that can still be used, though the station has been opened in spite of none of them.
    #[must_use]
    pub fn unsettled(&self) -> Vec<String> {
        let inner = self.inner();
        let open = inner.sessions.iter().filter(|session| !session.excused);
        let tokens = open.flat_map(|session| &session.tokens);
        tokens.filter(|token| !token.end.state.is_final()).map(|token| token.end.id.clone()).collect()
    }

    /// The station was opened, or is to be, in spite of what is not ended.
    pub fn excuse(&self) {
        self.inner().sessions.iter_mut().for_each(|session| session.excused = true);
    }

    /// An entry that tells of the end of a session is asked for; `durable` when it is in the ledger. It tells of
    /// every token that was begun, with a state.
    pub fn entered(&self, ends: &Ends, recovery: bool, durable: bool) {
        let mut inner = self.inner();
        let Some(session) = inner.sessions.last_mut() else { return };
        if session.entered {
            // A receipt that was late tells of it, and another one since, which knows more.
            let tokens = session.tokens.iter_mut().zip(&ends.tokens);
            tokens.filter(|_| durable && session.name == ends.session).for_each(|(token, end)| {
                token.told = Some(end.state);
            });
            return;
        }
        // What a shell that died had asked for may be in the ledger already; what could not be written was held.
        let held = session.asked && session.name != ends.session;
        let certain = session.dead == recovery && !(session.dead && session.asked) && !held;
        let same = session.name == ends.session
            && session.tokens.len() == ends.tokens.len()
            && session.tokens.iter().zip(&ends.tokens).all(|(token, end)| token.end.id == end.id);
        let ended = session.ended.is_some() || session.dead;
        if session.name == ends.session {
            session.asked = true;
            session.entered |= durable;
            for (token, end) in session.tokens.iter_mut().zip(&ends.tokens).filter(|_| durable) {
                token.told = Some(end.state);
            }
        }
        if durable && certain && !session.tokens.is_empty() && !(same && ended) {
            let what = format!(
                "a receipt for every handoff: session {} has {} tokens, and its receipt tells of {} of {:?} (ended: {ended})",
                session.name,
                session.tokens.len(),
                ends.tokens.len(),
                ends.session
            );
            let _ = inner.broken.get_or_insert(what);
        }
    }

    /// A later result is in the ledger.
    pub fn settled(&self, settlement: &Settlement) {
        let mut inner = self.inner();
        let session = inner.sessions.iter_mut().find(|session| session.name == settlement.session);
        for token in session.into_iter().flat_map(|session| &mut session.tokens) {
            if let Some(end) = settlement.tokens.iter().find(|end| end.id == token.end.id) {
                token.told = Some(end.state);
            }
        }
    }

    /// At the end of a day: what was ended after its receipt has an entry that says so.
    ///
    /// # Errors
    /// The token that nothing tells of.
    pub fn all_told(&self) -> Result<(), String> {
        let inner = self.inner();
        for session in inner.sessions.iter().filter(|session| session.entry.is_some()) {
            let untold =
                session.tokens.iter().find(|token| !token.lost && token.told != Some(token.end.state));
            if let Some(token) = untold {
                return Err(format!(
                    "evidence: {} of session {} is {}, and the ledger says {:?}",
                    token.end.id,
                    session.name,
                    token.end.state.word(),
                    token.told
                ));
            }
        }
        Ok(())
    }

    /// What was broken.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        self.inner().broken.clone()
    }
}

impl Inner {
    fn push(&mut self, at: u64, due: Due) {
        self.number += 1;
        let _ = self.due.insert((at, self.number), due);
    }

    fn comes(&mut self, now: u64, utc_ms: i64, due: &Due, news: &mut Vec<SignInNews>) {
        match *due {
            Due::Answer(place) => self.answer(now, utc_ms, place, news),
            Due::Try(place, which) => self.try_end(now, place, which, news),
            Due::Over(place, which) => {
                let Some(token) =
                    self.sessions.get_mut(place).and_then(|session| session.tokens.get_mut(which))
                else {
                    return;
                };
                if !token.end.state.is_final() {
                    token.end.state = TokenState::Expired;
                    "its time is over".clone_into(&mut token.end.saw);
                    self.changed(place, which, news);
                }
            }
        }
    }

    /// The provider answers to a sign-in, perhaps when nobody waits for it any more.
    fn answer(&mut self, now: u64, utc_ms: i64, place: usize, news: &mut Vec<SignInNews>) {
        if self.lost_until > now || (!self.calm && self.dice.one_in(8)) {
            news.push(SignInNews::Failed(NAME.to_owned(), "The provider did not answer.".to_owned()));
            return;
        }
        let revocable = self.calm || !self.dice.one_in(6);
        let by_number = self.dice.one_in(2);
        let Some(session) = self.sessions.get_mut(place) else { return };
        let name = session.name.clone();
        if session.ended.is_none() {
            for kind in [TokenKind::ProofKey, TokenKind::Refresh, TokenKind::Access] {
                let which = session.tokens.len();
                let revocable = revocable || kind != TokenKind::Access;
                let expires = utc_ms.saturating_add_unsigned(GOOD);
                session.tokens.push(Token {
                    end: TokenEnd {
                        provider: NAME.to_owned(),
                        issuer: "https://id.hospital.example".to_owned(),
                        kind,
                        id: format!("{name}{which:04}"),
                        state: TokenState::Pending,
                        saw: String::new(),
                        expires_utc_ms: Some(expires),
                    },
                    tried: false,
                    by_number,
                    revocable,
                    shown: TokenState::Pending,
                    told: None,
                    lost: false,
                    tries: 0,
                });
                self.number += 1;
                let _ = self.due.insert((now + GOOD, self.number), Due::Over(place, which));
            }
        }
        // It is told in any case: whoever is in by now must not get it.
        news.push(SignInNews::Signed(Grant {
            session: name,
            provider: NAME.to_owned(),
            issuer: "https://id.hospital.example".to_owned(),
            audience: "chart".to_owned(),
            access: Secret::new("rehearsed"),
            expires_utc_ms: utc_ms.saturating_add_unsigned(GOOD),
            environment: None,
            file: None,
        }));
    }

    fn try_end(&mut self, now: u64, place: usize, which: usize, news: &mut Vec<SignInNews>) {
        let lost = self.lost_until > now || (!self.calm && self.dice.one_in(10));
        let proves = self.dice.one_in(2);
        let Some(session) = self.sessions.get_mut(place) else { return };
        let Some(token) = session.tokens.get_mut(which) else { return };
        if token.end.state.is_final() || token.end.state == TokenState::ExpiresAt {
            return;
        }
        token.tried = true;
        token.tries += 1;
        let before = token.end.state;
        let (state, saw) = match (token.end.kind, token.revocable) {
            (TokenKind::ProofKey, _) => (TokenState::Proved, "destroyed"),
            (_, false) => (TokenState::ExpiresAt, "it cannot be revoked"),
            _ if lost => (TokenState::Pending, "HTTP 503"),
            _ if proves => (TokenState::Proved, "introspection: not active"),
            _ => (TokenState::Acknowledged, "HTTP 200"),
        };
        token.end.state = state;
        saw.clone_into(&mut token.end.saw);
        let again = now + (1_000 << token.tries.min(5));
        if state == TokenState::Pending {
            self.push(again, Due::Try(place, which));
        }
        let Some(session) = self.sessions.get(place) else { return };
        if session.entry.is_some() {
            if before != state {
                self.changed(place, which, news);
            }
        } else if session.tokens.iter().all(|token| token.tried) {
            news.push(SignInNews::Ended(session.name.clone()));
        }
    }

    /// More is known of a token.
    fn changed(&self, place: usize, which: usize, news: &mut Vec<SignInNews>) {
        let Some(session) = self.sessions.get(place) else { return };
        match (session.entry, session.tokens.get(which)) {
            (Some(entry), Some(token)) => news.push(SignInNews::Settled(Settlement {
                session: session.name.clone(),
                entry: Some(entry),
                tokens: vec![token.end.clone()],
            })),
            _ if session.ended.is_some() => news.push(SignInNews::Ended(session.name.clone())),
            _ => {}
        }
    }
}

impl Session {
    /// How it stands, for whoever asks.
    fn show(&mut self) -> Ends {
        for token in &mut self.tokens {
            token.shown = token.end.state;
        }
        Ends {
            session: self.name.clone(),
            tokens: self.tokens.iter().map(|token| token.end.clone()).collect(),
        }
    }
}

impl SignIns for Providers {
    fn listen(&self, news: Box<dyn Fn(SignInNews) + Send + Sync>) {
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = Some(news);
        // What the shell before has left, and what can be ended by its number alone, is tried again.
        let now = self.clock.world();
        let mut inner = self.inner();
        let left: Vec<_> = inner
            .sessions
            .iter()
            .enumerate()
            .flat_map(|(place, session)| {
                let tokens = session.tokens.iter().enumerate();
                tokens
                    .filter(|(_, token)| {
                        token.end.state == TokenState::Pending && token.by_number && session.dead
                    })
                    .map(move |(which, _)| (place, which))
            })
            .collect();
        for (place, which) in left {
            inner.push(now + 500, Due::Try(place, which));
        }
    }

    fn begin(&self, _: &Person) -> String {
        let now = self.clock.world();
        let capsule = self.world.capsule();
        let mut inner = self.inner();
        let name = format!("{:012x}", 0x5e55_0000_0000_u64 + inner.sessions.len() as u64);
        inner.sessions.push(Session {
            name: name.clone(),
            capsule,
            tokens: Vec::new(),
            ended: None,
            dead: false,
            asked: false,
            entered: false,
            entry: None,
            excused: false,
        });
        let late = !inner.calm && inner.dice.one_in(5);
        let delay = 20 + inner.dice.below(if late { 20_000 } else { 400 });
        let place = inner.sessions.len() - 1;
        inner.push(now + delay, Due::Answer(place));
        name
    }

    fn farewells(&self) -> Vec<Page> {
        Vec::new()
    }

    fn returned(&self, _: &str) {}

    fn end(&self) {
        let now = self.clock.world();
        let mut inner = self.inner();
        let Some(place) = inner.sessions.len().checked_sub(1) else { return };
        let Some(session) =
            inner.sessions.get_mut(place).filter(|session| session.ended.is_none() && !session.dead)
        else {
            return;
        };
        session.ended = Some(now);
        let count = session.tokens.len();
        for which in 0..count {
            let slow = !inner.calm && inner.dice.one_in(6);
            let delay = 10 + inner.dice.below(if slow { 6_000 } else { 200 });
            inner.push(now + delay, Due::Try(place, which));
        }
    }

    fn ends(&self) -> Ends {
        let mut inner = self.inner();
        let newest = inner.sessions.last_mut().filter(|session| session.ended.is_some());
        newest.map(Session::show).unwrap_or_default()
    }

    fn left(&self) -> Ends {
        let mut inner = self.inner();
        let left = inner.sessions.iter_mut().rev().find(|session| session.dead && session.entry.is_none());
        left.map(Session::show).unwrap_or_default()
    }

    fn told(&self, session: &str, number: u64) {
        let mut news = Vec::new();
        {
            let mut inner = self.inner();
            let Some(place) = inner.sessions.iter().position(|known| known.name == session) else { return };
            let mut changed = Vec::new();
            if let Some(session) = inner.sessions.get_mut(place) {
                session.entry = Some(number);
                // What has changed since it was asked for follows the receipt.
                let tokens = session.tokens.iter().enumerate();
                let since = tokens.filter(|(_, token)| token.shown != token.end.state);
                changed.extend(since.map(|(which, _)| which));
            }
            for which in changed {
                inner.changed(place, which, &mut news);
            }
        }
        self.tell(news);
    }

    fn pending(&self) -> Vec<TokenEnd> {
        let inner = self.inner();
        let ended = inner.sessions.iter().filter(|session| session.ended.is_some() || session.dead);
        let tokens = ended.flat_map(|session| &session.tokens);
        tokens.filter(|token| !token.end.state.is_final()).map(|token| token.end.clone()).collect()
    }
}
