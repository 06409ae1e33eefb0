//! Proof of possession (RFC 9449): a key of one sign-in of one session, which lives in memory alone. Without it the
//! access tokens that are bound to it are of no use to anybody, and it is the first thing that a handoff destroys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::key;
use crate::ports::{Result, Secret};

/// The key; wiped on drop.
pub(super) struct ProofKey {
    key: EncodingKey,
    public: Jwk,
    thumbprint: String,
    /// The nonce that the provider last asked for.
    nonce: Option<String>,
}

impl ProofKey {
    /// A new key.
    pub(super) fn fresh() -> Result<Self> {
        let scalar = key::fresh()?;
        let (key, mut public) = key::signing(&*scalar)?;
        let thumbprint = key::thumbprint(&public)?;
        public.common.key_algorithm = None;
        Ok(Self { key, public, thumbprint, nonce: None })
    }

    /// Its thumbprint, as tokens are bound to it (`jkt`).
    pub(super) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The nonce that proofs carry from now on.
    pub(super) fn take_nonce(&mut self, nonce: &str) {
        self.nonce = Some(nonce.to_owned());
    }

    /// A proof for one request; with the access token where it goes along (`ath`).
    pub(super) fn proof(
        &self,
        method: &str,
        address: &str,
        access: Option<&str>,
        utc_ms: i64,
    ) -> Result<Secret> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(self.public.clone());
        // The address without query and fragment (§4.2).
        let address = address.split(['?', '#']).next().unwrap_or_default();
        let mut claims = json!({
            "jti": key::unguessable()?, "htm": method, "htu": address, "iat": utc_ms.div_euclid(1000),
        });
        if let Some(nonce) = &self.nonce {
            claims["nonce"] = json!(nonce);
        }
        if let Some(access) = access {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(access.as_bytes())));
        }
        key::sign(&header, &claims, &self.key)
    }
}
