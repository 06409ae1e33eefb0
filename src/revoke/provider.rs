//! One provider, as the station speaks with it: what is known of it, and the requests that need the station's key.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::discovery::{self, Metadata};
use super::key::StationKey;
use super::signed::{self, Signed, Wrong};
use super::vault::Vault;
use super::wire::{Answer, Fault, Wire};
use crate::policy::{SignInPolicy, SignInWay};
use crate::ports::{Clock, Secret};

/// How long what a provider says of itself is believed, milliseconds.
const KNOWN_FOR: u64 = 60 * 60 * 1000;
/// How long its keys are not asked for again, milliseconds, however many texts name one that is not known.
const KEYS_FOR: u64 = 60 * 1000;
/// How long before its end a token of the station's own is not used any more, milliseconds.
const SPARE: i64 = 30_000;

/// A form's field.
pub(super) type Field<'a> = (&'a str, &'a str);

/// A provider of the policy.
pub(super) struct Provider {
    pub(super) policy: SignInPolicy,
    clock: Arc<dyn Clock>,
    vault: Vault,
    wire: OnceCell<Wire>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Metadata, u64)>,
    keys: Option<(Vec<Value>, u64)>,
    station: Option<Arc<StationKey>>,
    own: Option<(Secret, i64)>,
    /// What the capability report says of it.
    finding: String,
    /// What of its tokens people should know.
    remark: String,
}

impl Provider {
    pub(super) fn new(policy: SignInPolicy, vault: Vault, clock: Arc<dyn Clock>) -> Self {
        let known = Known { finding: "not reached yet".to_owned(), ..Known::default() };
        Self { policy, clock, vault, wire: OnceCell::new(), known: Mutex::new(known) }
    }

    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> u64 {
        self.clock.now().0
    }

    fn utc_ms(&self) -> i64 {
        self.clock.stamp().utc_ms
    }

    /// For the capability report: `browser, proof key, revocation, introspection`.
    pub(super) fn finding(&self) -> String {
        let way = match self.policy.how {
            SignInWay::Assertion => "assertion",
            SignInWay::Exchange => "exchange",
            SignInWay::Browser { .. } => "browser",
        };
        self.known(|known| format!("{}: {way}, {}{}", self.policy.name, known.finding, known.remark))
    }

    /// Notes what people should know of its tokens.
    pub(super) fn remark(&self, remark: &str) {
        self.known(|known| known.remark = format!(", {remark}"));
    }

    async fn wire(&self) -> Result<&Wire, Fault> {
        let open = || async {
            let extra = self.policy.certificates.clone();
            let plain = self.policy.issuer.starts_with("http:");
            // It reads the host's certificates from the disk.
            tokio::task::block_in_place(|| Wire::open(extra.as_deref(), plain))
        };
        self.wire.get_or_try_init(open).await
    }

    /// What it says of itself; what it said before where it cannot be asked now.
    pub(super) async fn metadata(&self) -> Result<Metadata, String> {
        let now = self.now();
        let before = self.known(|known| known.metadata.clone());
        if let Some((metadata, until)) = &before
            && now < *until
        {
            return Ok(metadata.clone());
        }
        let asked = match self.wire().await {
            Ok(wire) => discovery::discover(wire, &self.policy.issuer, &self.clock).await,
            Err(fault) => Err(fault.0),
        };
        match asked {
            Ok(metadata) => {
                self.known(|known| {
                    known.finding = found(&metadata, self.policy.bearer);
                    known.metadata = Some((metadata.clone(), now.saturating_add(KNOWN_FOR)));
                });
                Ok(metadata)
            }
            Err(why) => match before {
                Some((metadata, _)) => Ok(metadata),
                None => {
                    self.known(|known| known.finding = format!("not reached: it {why}"));
                    Err(why)
                }
            },
        }
    }

    /// The page at which its browser sessions end, as far as it is known.
    pub(super) fn farewell(&self) -> Option<String> {
        self.known(|known| known.metadata.as_ref()?.0.end_session.clone())
    }

    /// Whether its answers to sign-ins must name it.
    pub(super) fn names_itself(&self) -> bool {
        self.known(|known| known.metadata.as_ref().is_some_and(|(metadata, _)| metadata.names_itself))
    }

    /// The station's key, once it is there; it is looked for each time until then.
    pub(super) fn station(&self) -> Result<Arc<StationKey>, String> {
        if let Some(key) = self.known(|known| known.station.clone()) {
            return Ok(key);
        }
        let found = tokio::task::block_in_place(|| StationKey::find(&self.vault));
        match found.map_err(|error| error.to_string())? {
            Some(key) => {
                let key = Arc::new(key);
                self.known(|known| known.station = Some(Arc::clone(&key)));
                Ok(key)
            }
            None => Err(
                "find the station's sign-in key: make one with `cleanshiftctl sign-in key`, and register \
                         what it prints at the provider"
                    .to_owned(),
            ),
        }
    }

    /// Posts a form as the client, with its assertion (RFC 7523 §2.2). `proof` is the header of a proof of possession.
    pub(super) async fn post(
        &self,
        address: &str,
        fields: &[Field<'_>],
        proof: Option<&Secret>,
    ) -> Result<Answer, Fault> {
        let fault = |why: String| Fault(format!("cannot be asked: failed to {why}"));
        let key = self.station().map_err(fault)?;
        let assertion = key
            .client_assertion(&self.policy.client, &self.policy.issuer, self.utc_ms())
            .map_err(|error| fault(error.to_string()))?;
        let mut form = fields.to_vec();
        form.extend([
            ("client_id", self.policy.client.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.expose()),
        ]);
        let wire = self.wire().await?;
        let mut request = wire.client().post(address).header("accept", "application/json").form(&form);
        if let Some(proof) = proof {
            request = request.header("dpop", proof.expose());
        }
        wire.send(request, &self.clock).await
    }

    /// Sends a request that carries the station's own access token (client credentials), made by `build`.
    pub(super) async fn authorised(
        &self,
        scope: Option<&str>,
        build: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
        patience: Option<Duration>,
    ) -> Result<Answer, Fault> {
        let own = self.own_token(scope).await?;
        let wire = self.wire().await?;
        let mut request = build(wire.client()).bearer_auth(own.expose());
        if let Some(patience) = patience {
            request = request.timeout(patience);
        }
        let answer = wire.send(request, &self.clock).await?;
        if answer.status == 401 {
            // It was taken back: the next try gets a new one.
            self.known(|known| known.own = None);
        }
        Ok(answer)
    }

    /// The station's own access token: of no operator, never written, and used for the station's own calls alone.
    async fn own_token(&self, scope: Option<&str>) -> Result<Secret, Fault> {
        let now = self.utc_ms();
        if let Some((token, until)) = self.known(|known| known.own.clone())
            && now < until
        {
            return Ok(token);
        }
        #[derive(serde::Deserialize)]
        struct Granted {
            access_token: String,
            expires_in: Option<i64>,
        }
        let metadata = self.metadata().await.map_err(Fault)?;
        let mut fields = vec![("grant_type", "client_credentials")];
        if let Some(scope) = scope.filter(|scope| metadata.scopes.iter().any(|known| known == scope)) {
            fields.push(("scope", scope));
        }
        let answer = self.post(&metadata.token, &fields, None).await?;
        if !answer.good() {
            return Err(Fault(format!("gives the station no token of its own: {}", answer.said())));
        }
        let Some(granted) = answer.json::<Granted>() else {
            return Err(Fault("gives the station no token that can be read".to_owned()));
        };
        let token = Secret::new(granted.access_token);
        let until =
            now.saturating_add(granted.expires_in.unwrap_or(0).saturating_mul(1000)).saturating_sub(SPARE);
        self.known(|known| known.own = Some((token.clone(), until)));
        Ok(token)
    }

    /// Believes a text that it has signed for this client. Its keys are asked for anew where one is not known.
    pub(super) async fn believe(&self, text: &str) -> Result<Signed, Disbelief> {
        let now = self.now();
        let known = self.known(|known| known.keys.clone());
        if let Some((keys, until)) = known {
            match signed::believe(text, &keys, &self.policy.issuer, &self.policy.client) {
                Err(Wrong::Key) if now >= until => {}
                other => return other.map_err(Disbelief::Wrong),
            }
        }
        let metadata = self.metadata().await.map_err(Disbelief::Later)?;
        let place =
            metadata.keys.ok_or_else(|| Disbelief::Later("names no place for its keys".to_owned()))?;
        let wire = self.wire().await.map_err(|fault| Disbelief::Later(fault.0))?;
        let keys = discovery::keys(wire, &place, &self.clock).await.map_err(Disbelief::Later)?;
        let believed = signed::believe(text, &keys, &self.policy.issuer, &self.policy.client);
        self.known(|known| known.keys = Some((keys, now.saturating_add(KEYS_FOR))));
        believed.map_err(Disbelief::Wrong)
    }

    /// A remark to the log of the shell: the provider's name and what it is about, never what is secret.
    pub(super) fn note(&self, what: &str) {
        tracing::info!(provider = %self.policy.name, "{what}");
    }
}

/// Why a signed text is not believed.
#[derive(Debug)]
pub(super) enum Disbelief {
    /// It is not what it says.
    Wrong(Wrong),
    /// The provider's keys cannot be looked at now: a clause.
    Later(String),
}

fn found(metadata: &Metadata, bearer: bool) -> String {
    let parts = [
        (metadata.proof && !bearer, "proof key"),
        (metadata.revocation.is_some(), "revocation"),
        (metadata.introspection.is_some(), "introspection"),
        (metadata.end_session.is_some(), "farewell page"),
    ];
    let there: Vec<&str> = parts.iter().filter(|(there, _)| *there).map(|(_, name)| *name).collect();
    let missing =
        if metadata.revocation.is_none() { ", no revocation: tokens end at their time" } else { "" };
    format!("{}{missing}", if there.is_empty() { "tokens only".to_owned() } else { there.join(", ") })
}
