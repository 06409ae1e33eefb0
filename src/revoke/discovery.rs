//! What a provider says of itself: OpenID Connect Discovery 1.0, and where it leaves the place of revocation out,
//! the SMART configuration (requirement T-06).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::wire::{Answer, Wire, permitted};
use crate::ports::Clock;

/// What the station needs to know of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) token: String,
    pub(super) authorization: Option<String>,
    pub(super) keys: Option<String>,
    pub(super) revocation: Option<String>,
    pub(super) introspection: Option<String>,
    pub(super) end_session: Option<String>,
    /// Whether it binds tokens to an ES256 key (RFC 9449 §5.1).
    pub(super) proof: bool,
    /// Whether its answers to sign-ins name it (RFC 9207).
    pub(super) names_itself: bool,
    /// The scopes that it says it knows.
    pub(super) scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: Option<String>,
    authorization_endpoint: Option<String>,
    jwks_uri: Option<String>,
    revocation_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    #[serde(default)]
    dpop_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Smart {
    revocation_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
}

/// Asks a provider about itself. An error is a clause: `cannot be reached: …`.
pub(super) async fn discover(wire: &Wire, issuer: &str, clock: &Arc<dyn Clock>) -> Result<Metadata, String> {
    let Some(_) = permitted(issuer) else {
        return Err("has an issuer in the policy that is not https".to_owned());
    };
    let answer = get(wire, &beside(issuer, "openid-configuration"), clock).await?;
    let Some(document) = answer.json::<Document>() else {
        return Err("does not tell its configuration as JSON".to_owned());
    };
    // Word for word (Discovery 1.0 §4.3): else one provider could speak for another.
    if document.issuer != issuer {
        return Err("says that it is another issuer than the policy's".to_owned());
    }
    let place = |told: Option<String>| told.filter(|address| permitted(address).is_some());
    let Some(token) = place(document.token_endpoint) else {
        return Err("names no place for tokens that can be trusted".to_owned());
    };
    let mut found = Metadata {
        token,
        authorization: place(document.authorization_endpoint),
        keys: place(document.jwks_uri),
        revocation: place(document.revocation_endpoint),
        introspection: place(document.introspection_endpoint),
        end_session: place(document.end_session_endpoint),
        proof: document.dpop_signing_alg_values_supported.iter().any(|known| known == "ES256"),
        names_itself: document.authorization_response_iss_parameter_supported,
        scopes: document.scopes_supported,
    };
    if found.revocation.is_none() {
        // That there is none is a finding, not an error: then tokens end at their time, and the receipt says so.
        let smart = get(wire, &beside(issuer, "smart-configuration"), clock).await;
        let smart = smart.ok().and_then(|answer| answer.json::<Smart>()).unwrap_or_default();
        found.revocation = place(smart.revocation_endpoint);
        found.introspection = found.introspection.or(place(smart.introspection_endpoint));
    }
    Ok(found)
}

/// The keys that a provider signs with, as they are told: each is looked at only when it is used.
pub(super) async fn keys(wire: &Wire, address: &str, clock: &Arc<dyn Clock>) -> Result<Vec<Value>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let answer = get(wire, address, clock).await?;
    answer.json::<Set>().map(|set| set.keys).ok_or_else(|| "does not tell its keys as a JWK Set".to_owned())
}

fn beside(issuer: &str, name: &str) -> String {
    format!("{}/.well-known/{name}", issuer.trim_end_matches('/'))
}

async fn get(wire: &Wire, address: &str, clock: &Arc<dyn Clock>) -> Result<Answer, String> {
    let request = wire.client().get(address).header("accept", "application/json");
    let answer = wire.send(request, clock).await.map_err(|fault| fault.0)?;
    if answer.status == 200 { Ok(answer) } else { Err(format!("answers {}", answer.said())) }
}
