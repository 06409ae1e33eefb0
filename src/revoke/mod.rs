//! What a session holds elsewhere: signs its operator in at identity providers, and ends that at the handoff.
//!
//! Everything happens on one thread of this module's own; what the driver calls only changes what is kept in memory
//! and returns. A token is noted durably before anybody is given it, sealed under a key that only this process holds;
//! it is ended by its provider, and how far that went is told as it is, never better. Only the tokens of the session
//! that ends are ended, never "all sessions" of its operator.

mod browser;
mod calls;
mod core;
mod discovery;
mod dpop;
mod end;
mod events;
mod grants;
mod key;
mod outbox;
mod provider;
mod signed;
mod vault;
mod wire;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

use self::calls::Caller;
use self::core::{Core, Session, Stage, State};
use self::grants::SignIn;
use self::outbox::{How, Of, Rows, adopt};
use self::provider::Provider;
use crate::policy::Policy;
use crate::ports::{
    Clock, Ends, Outbox, Page, Person, PortError, Result, Secret, SignInNews, SignIns, TokenEnd, TokenKind,
    TokenState,
};

pub use self::browser::{SIGNED_IN, SIGNED_OUT};
pub use self::core::Listener;
pub use self::key::StationKey;
pub use self::vault::{Home, Vault};

/// The name under which the vault holds the secret of the call with this name.
#[must_use]
pub fn secret_name(call: &str) -> String {
    calls::secret_name(call)
}

/// The sign-ins of a station.
pub struct Revoker {
    core: Arc<Core>,
    /// Taken only when this is dropped.
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Revoker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revoker").finish_non_exhaustive()
    }
}

impl Revoker {
    /// The sign-ins that the policy names. `origin` is the name that the station's ledger was begun with, and `keyring`
    /// says whether the host's keyring can be reached. What an earlier shell has left in the outbox is taken over;
    /// nobody is asked before somebody listens.
    ///
    /// # Errors
    /// A fragment, where the outbox cannot be read or the system gives no thread or randomness. A provider that
    /// cannot be reached, or a key that is missing, keeps nobody out: it is told when somebody signs in.
    pub fn open(
        policy: &Policy,
        state: &Path,
        origin: &str,
        keyring: bool,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let vault = Vault::of(state, origin, keyring);
        let provider = |policy: &crate::policy::SignInPolicy| {
            Arc::new(Provider::new(policy.clone(), vault.clone(), Arc::clone(&clock)))
        };
        let rows = Rows::new(outbox)?;
        let home = if policy.sign_ins.is_empty() { String::new() } else { home_of_key(&vault) };
        let core = Core {
            station: policy.station.name.clone(),
            providers: policy.sign_ins.iter().map(provider).collect(),
            calls: policy.revoke.calls.iter().map(|call| Caller::new(call.clone(), vault.clone())).collect(),
            clock,
            rows,
            state: Mutex::new(State::default()),
            woken: Notify::new(),
            writing: Mutex::new(()),
            news: OnceLock::new(),
            findings: OnceLock::new(),
            key_home: Mutex::new(home),
        };
        take_over(&core)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sign-ins")
            .enable_all()
            .build()
            .map_err(|error| PortError(format!("start the thread of the sign-ins: {error}")))?;
        Ok(Self { core: Arc::new(core), runtime: Some(runtime) })
    }

    /// The lines of the capability report: each sign-in with what its provider was found to offer, and where the
    /// station's key is kept.
    #[must_use]
    pub fn capabilities(&self) -> Vec<(String, String)> {
        self.core.capabilities()
    }

    /// Where those lines go each time that a provider was asked about itself. Called at most once.
    pub fn on_findings(&self, listener: Listener) {
        let _ = self.core.findings.set(listener);
    }

    /// The clock has jumped, because the machine was asleep or somebody has set it: whatever waits looks at it again.
    pub fn look_again(&self) {
        self.core.woken.notify_waiters();
    }

    /// A proof of possession (RFC 9449) for one request of the session with the access token of this sign-in. `None`
    /// where the sign-in has no key, or the session is over and its key destroyed.
    ///
    /// # Errors
    /// A fragment.
    pub fn prove(
        &self,
        provider: &str,
        method: &str,
        address: &str,
        access: &Secret,
    ) -> Result<Option<Secret>> {
        let Some(index) = self.core.providers.iter().position(|known| known.policy.name == provider) else {
            return Ok(None);
        };
        let number = self.core.state(|state| state.session.as_ref().map(|session| session.number.clone()));
        let Some(number) = number else { return Ok(None) };
        self.core.proof(&number, index, (method, address), Some(access.expose()))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<tokio::task::JoinHandle<()>> {
        self.runtime.as_ref().map(|runtime| runtime.spawn(task))
    }

    /// Ends the session's sign-ins, where one is open.
    fn end_session(&self) {
        let core = &self.core;
        let ended = core.state(|state| {
            let session = state.session.as_mut().filter(|session| session.stage != Stage::Ended)?;
            session.stage = Stage::Ended;
            let _ = session.over.send_replace(true);
            session.visits.clear();
            // First of all: without its key a bound token is of no use, whatever the provider does (T-08).
            session.proofs.clear();
            session.identities.clear();
            let number = session.number.clone();
            let tasks = std::mem::take(&mut session.tasks);
            let taking_in = session.taking_in.take();
            core.close(state, &number);
            Some((number, tasks, taking_in))
        });
        let Some((number, tasks, taking_in)) = ended else { return };
        let core = Arc::clone(core);
        drop(self.spawn(async move {
            // A call that is taken in after this would never be closed, and never tried.
            if let Some(taking_in) = taking_in {
                let _ = taking_in.await;
            }
            let keys = core.state(|state| {
                core.close(state, &number);
                let those = state.items.iter().filter(|item| item.session == number);
                those.map(|item| item.key).collect::<Vec<_>>()
            });
            core.write(&keys);
            end::finish(core, number, tasks).await;
        }));
    }
}

impl Drop for Revoker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops it may not wait.
            runtime.shutdown_background();
        }
    }
}

impl SignIns for Revoker {
    fn listen(&self, news: Box<dyn Fn(SignInNews) + Send + Sync>) {
        if self.core.news.set(news).is_err() {
            return;
        }
        let core = Arc::clone(&self.core);
        drop(self.spawn(async move {
            // What an earlier shell has left of sessions whose receipts are written.
            let (keys, groups) = core.state(|state| {
                let keys: Vec<u64> = state.items.iter().map(|item| item.key).collect();
                let mut groups: Vec<(String, Of)> = Vec::new();
                for item in &state.items {
                    let group = (item.session.clone(), item.of);
                    if !groups.contains(&group) {
                        groups.push(group);
                    }
                }
                (keys, groups)
            });
            core.tell(&keys);
            for (number, of) in groups {
                drop(tokio::spawn(end::take_up(Arc::clone(&core), number, of)));
            }
            for (index, provider) in core.providers.iter().enumerate() {
                if provider.policy.events.is_some() {
                    drop(tokio::spawn(events::poll(Arc::clone(&core), index)));
                }
            }
            // Asked before anybody needs it, so that a sign-in is quick and the report says what is there.
            for provider in &core.providers {
                drop(provider.metadata().await);
            }
            core.report();
        }));
    }

    fn begin(&self, person: &Person) -> String {
        self.end_session();
        let core = &self.core;
        if core.providers.is_empty() && core.calls.is_empty() {
            return String::new();
        }
        let Ok(number) = key::unguessable() else { return String::new() };
        let (over, _) = watch::channel(false);
        let signs = core.providers.iter().enumerate().map(|(index, provider)| SignIn {
            core: Arc::clone(core),
            provider: Arc::clone(provider),
            index,
            number: number.clone(),
            key: person.key.clone(),
            over: over.subscribe(),
            nonce: None,
        });
        let signs: Vec<SignIn> = signs.collect();
        let rows = core.state(|state| {
            // What was left before belongs to a receipt that is written, or to none: later results stand alone.
            let before = state.left.take();
            let mut rows = Vec::new();
            if let Some(before) = before {
                state.items.retain(|item| {
                    let stays = item.session != before || !item.over();
                    if !stays {
                        rows.push(item.row);
                    }
                    stays
                });
            }
            state.session = Some(Session {
                number: number.clone(),
                person: person.clone(),
                begun_utc_ms: core.utc_ms(),
                stage: Stage::Open,
                tried: false,
                over,
                tasks: Vec::new(),
                taking_in: None,
                proofs: HashMap::new(),
                identities: HashMap::new(),
                visits: HashMap::new(),
                farewells: HashMap::new(),
            });
            rows
        });
        let mut tasks = Vec::new();
        for sign in signs {
            tasks.extend(self.spawn_sign_in(sign));
        }
        core.state(|state| {
            if let Some(session) = state.of(&number) {
                session.tasks = tasks;
            }
        });
        let (mine, session, operator) = (Arc::clone(core), number.clone(), person.key.clone());
        let taking_in = self.spawn(async move {
            let core = mine;
            core.remove(rows);
            for index in 0..core.calls.len() {
                let mut item =
                    core.item(&session, Of::Call(index), TokenKind::Call, &format!("{session} {index}"));
                item.how = How::Sid(operator.clone());
                if let Err(error) = core.take_in(item) {
                    tracing::warn!("failed to {error}");
                }
            }
        });
        core.state(|state| {
            if let Some(session) = state.of(&number) {
                session.taking_in = taking_in;
            }
        });
        number
    }

    fn farewells(&self) -> Vec<Page> {
        browser::farewells(&self.core)
    }

    fn returned(&self, path_and_query: &str) {
        browser::returned(&self.core, path_and_query);
    }

    fn end(&self) {
        self.end_session();
    }

    fn ends(&self) -> Ends {
        self.core.state(|state| match &state.session {
            Some(session) => {
                let (number, ended) = (session.number.clone(), session.stage == Stage::Ended);
                Core::ends_of(state, &number, ended)
            }
            None => Ends::default(),
        })
    }

    fn left(&self) -> Ends {
        self.core.state(|state| match state.left.clone() {
            Some(number) => Core::ends_of(state, &number, true),
            None => Ends::default(),
        })
    }

    fn told(&self, session: &str, number: u64) {
        let keys = self.core.state(|state| {
            if state.of(session).is_some_and(|session| session.stage == Stage::Ended) {
                state.session = None;
            }
            if state.left.as_deref() == Some(session) {
                state.left = None;
            }
            let mut keys = Vec::new();
            for item in state.items.iter_mut().filter(|item| item.session == session) {
                item.entry = Some(number);
                keys.push(item.key);
            }
            keys
        });
        let (core, session) = (Arc::clone(&self.core), session.to_owned());
        drop(self.spawn(async move {
            if let Err(error) = tokio::task::block_in_place(|| core.rows.outbox().told(&session, number)) {
                tracing::warn!("failed to {error}");
            }
            // What has changed since the receipt was made follows it; what is over needs no row any more.
            core.tell(&keys);
        }));
    }

    fn pending(&self) -> Vec<TokenEnd> {
        self.core.state(|state| {
            let at_work = state.session.as_ref().filter(|session| session.stage != Stage::Ended);
            let at_work = at_work.map(|session| session.number.clone());
            let waits = |item: &&outbox::Item| {
                matches!(item.end.state, TokenState::Pending | TokenState::ExpiresAt)
                    && at_work.as_deref() != Some(item.session.as_str())
            };
            state.items.iter().filter(waits).map(|item| item.end.clone()).collect()
        })
    }
}

impl Revoker {
    fn spawn_sign_in(&self, sign: SignIn) -> Option<(usize, tokio::task::JoinHandle<()>)> {
        let index = sign.index;
        self.spawn(sign.run()).map(|task| (index, task))
    }
}

fn home_of_key(vault: &Vault) -> String {
    match StationKey::find(vault) {
        Ok(Some(key)) => key.home().report().to_owned(),
        Ok(None) => "missing: run `cleanshiftctl sign-in key`, and register what it prints".to_owned(),
        Err(error) => format!("failed to {error}"),
    }
}

/// Takes over what an earlier shell has left.
fn take_over(core: &Core) -> Result<()> {
    let utc_ms = core.utc_ms();
    for row in core.rows.outbox().rows()? {
        let is_call = row.end.kind == TokenKind::Call;
        let place = if is_call {
            core.calls.iter().position(|call| call.policy.name == row.end.provider).map(Of::Call)
        } else {
            core.providers
                .iter()
                .position(|provider| provider.policy.name == row.end.provider)
                .map(Of::SignIn)
        };
        let of = place.unwrap_or(Of::Gone);
        let by_sid = match of {
            Of::SignIn(index) => {
                core.providers.get(index).is_some_and(|known| known.policy.end_by_sid.is_some())
            }
            Of::Call(_) => true,
            Of::Gone => false,
        };
        let mut item = adopt(row, of, by_sid, utc_ms);
        if let (Of::Call(index), None) = (of, item.end.expires_utc_ms) {
            let life = core.calls.get(index).map(|call| call.policy.expires).unwrap_or_default();
            let life = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
            item.end.expires_utc_ms = Some(utc_ms.saturating_add(life));
        }
        core.state(|state| {
            if item.entry.is_none() {
                // The newest that has no receipt is the one that was not finished.
                state.left = Some(item.session.clone());
            }
            let _ = state.take_in(item);
        });
    }
    Ok(())
}
