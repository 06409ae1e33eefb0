//! Texts that a provider has signed (JWT, RFC 7519; SET, RFC 8417): whether they are what they say. Times are
//! compared with the station's own clock by whoever asks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// What a provider may sign with: asymmetric alone, so that neither `none` nor a key that others know counts.
const PERMITTED: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
/// The least size of an RSA key, bytes of its modulus (the CAEP interoperability profile, 2048 bits).
const LEAST_RSA: usize = 256;

/// A text whose signature holds.
#[derive(Debug)]
pub(super) struct Signed {
    /// Its type, as the header tells.
    pub(super) kind: Option<String>,
    pub(super) claims: Value,
}

/// Why a text is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is no such text, or signed with what does not count.
    Form,
    /// No key of the provider's fits; it may have a newer one.
    Key,
    /// The signature does not hold.
    Signature,
    /// Another issuer.
    Issuer,
    /// For somebody else.
    Audience,
}

impl Wrong {
    /// A clause for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Form => "is not signed as it must be",
            Self::Key => "is signed with a key that is not the provider's",
            Self::Signature => "has a signature that does not hold",
            Self::Issuer => "is another issuer's",
            Self::Audience => "is for somebody else",
        }
    }
}

/// Believes a text that one of these keys has signed, of this issuer, for this client.
pub(super) fn believe(text: &str, keys: &[Value], issuer: &str, client: &str) -> Result<Signed, Wrong> {
    let header = decode_header(text).map_err(|_| Wrong::Form)?;
    if !PERMITTED.contains(&header.alg) || header.crit.is_some() {
        return Err(Wrong::Form);
    }
    let mut last = Wrong::Key;
    for key in keys {
        let Some(key) = fitting(key, header.kid.as_deref(), header.alg) else { continue };
        let mut rules = Validation::new(header.alg);
        // The times are judged by the caller with the station's clock; issuer and audience below, so that each
        // wrong has its own name.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        match decode::<Value>(text, &key, &rules) {
            Ok(data) => {
                if data.claims["iss"].as_str() != Some(issuer) {
                    return Err(Wrong::Issuer);
                }
                let named = |value: &Value| value.as_str() == Some(client);
                let audience = &data.claims["aud"];
                if !(named(audience) || audience.as_array().is_some_and(|all| all.iter().any(named))) {
                    return Err(Wrong::Audience);
                }
                return Ok(Signed { kind: data.header.typ, claims: data.claims });
            }
            Err(_) => last = Wrong::Signature,
        }
    }
    Err(last)
}

/// The key where it may have signed this.
fn fitting(key: &Value, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
    let key: Jwk = serde_json::from_value(key.clone()).ok()?;
    let common = &key.common;
    if kid.is_some_and(|kid| common.key_id.as_deref() != Some(kid)) {
        return None;
    }
    if matches!(common.public_key_use, Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_))) {
        return None;
    }
    let told = common.key_algorithm.map(|told| told.to_string());
    if told.is_some_and(|told| told.parse() != Ok(algorithm)) {
        return None;
    }
    if let AlgorithmParameters::RSA(rsa) = &key.algorithm {
        let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
        if modulus.iter().skip_while(|byte| **byte == 0).count() < LEAST_RSA {
            return None;
        }
    }
    let fits = DecodingKey::from_jwk(&key).ok()?;
    (fits.family() == algorithm.family()).then_some(fits)
}
