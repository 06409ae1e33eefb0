//! The keys that the station signs with (ES256, RFC 7518 §3.4): its own client key, and how a new one is made.
//!
//! ES256 and not EdDSA: DPoP (RFC 9449) and `private_key_jwt` are taken with it by every provider that takes either
//! (the FAPI 2.0 and CAEP profiles name it), EdDSA only by some.

use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::vault::{Home, Vault};
use crate::ports::{PortError, Result, Secret};

/// The name of the key in the vault.
const NAME: &str = "sign-in key";
/// How long an assertion is good, seconds.
const GOOD_FOR: i64 = 60;

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| PortError(format!("get random bytes: {error}")))?;
    Ok(bytes)
}

/// Random text that cannot be guessed: hexadecimal, for states, nonces and numbers.
pub(super) fn unguessable() -> Result<String> {
    Ok(hex::encode(random::<16>()?))
}

/// A new private scalar on P-256.
pub(super) fn fresh() -> Result<Zeroizing<[u8; 32]>> {
    loop {
        let bytes = Zeroizing::new(random::<32>()?);
        // One in four thousand million is no scalar of the curve.
        if p256::SecretKey::from_slice(&*bytes).is_ok() {
            return Ok(bytes);
        }
    }
}

/// The signing key of this scalar, wiped on drop, and its public half.
pub(super) fn signing(scalar: &[u8]) -> Result<(EncodingKey, Jwk)> {
    let wrong = || PortError::new("use the key: it is damaged");
    let key = p256::SecretKey::from_slice(scalar).map_err(|_| wrong())?;
    let der = key.to_pkcs8_der().map_err(|_| wrong())?;
    let key = EncodingKey::from_ec_der(der.as_bytes());
    let public = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(|_| wrong())?;
    Ok((key, public))
}

/// Signs with such a key.
pub(super) fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> Result<Secret> {
    encode(header, claims, key)
        .map(Secret::new)
        .map_err(|error| PortError(format!("sign an assertion: {error}")))
}

/// The thumbprint of a public key (RFC 7638).
pub(super) fn thumbprint(public: &Jwk) -> Result<String> {
    public.thumbprint(ThumbprintHash::SHA256).map_err(|error| PortError(format!("name a key: {error}")))
}

/// The station's own client key.
pub struct StationKey {
    key: EncodingKey,
    public: Jwk,
    kid: String,
    home: Home,
}

impl std::fmt::Debug for StationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StationKey({})", self.kid)
    }
}

impl StationKey {
    /// The key that the vault holds, where it holds one.
    ///
    /// # Errors
    /// A fragment with the remedy.
    pub fn find(vault: &Vault) -> Result<Option<Self>> {
        vault.get(NAME)?.map(|(scalar, home)| Self::of(&scalar, home)).transpose()
    }

    /// The key that the vault holds; a new one where it holds none. Only IT's command makes one: a new key is of no
    /// use before the providers know it.
    ///
    /// # Errors
    /// A fragment with the remedy.
    pub fn find_or_make(vault: &Vault) -> Result<(Self, bool)> {
        if let Some(key) = Self::find(vault)? {
            return Ok((key, false));
        }
        let scalar = fresh()?;
        let home = vault.set(NAME, &*scalar)?;
        Ok((Self::of(&*scalar, home)?, true))
    }

    fn of(scalar: &[u8], home: Home) -> Result<Self> {
        let (key, mut public) = signing(scalar)?;
        let kid = thumbprint(&public)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { key, public, kid, home })
    }

    /// Where it is kept.
    #[must_use]
    pub fn home(&self) -> Home {
        self.home
    }

    /// The public half as a JWK Set (RFC 7517 §5), for the registration at a provider.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.public] })
    }

    /// An assertion of who the station is (RFC 7523 §2.2, OpenID Connect Core §9 `private_key_jwt`).
    ///
    /// # Errors
    /// A fragment.
    pub fn client_assertion(&self, client: &str, audience: &str, utc_ms: i64) -> Result<Secret> {
        self.assertion(client, client, audience, utc_ms)
    }

    /// An assertion of who the operator is (RFC 7523 §2.1).
    ///
    /// # Errors
    /// A fragment.
    pub fn subject_assertion(
        &self,
        client: &str,
        subject: &str,
        audience: &str,
        utc_ms: i64,
    ) -> Result<Secret> {
        self.assertion(client, subject, audience, utc_ms)
    }

    fn assertion(&self, issuer: &str, subject: &str, audience: &str, utc_ms: i64) -> Result<Secret> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        let now = utc_ms.div_euclid(1000);
        let claims = json!({
            "iss": issuer, "sub": subject, "aud": audience, "jti": unguessable()?, "iat": now, "exp": now + GOOD_FOR,
        });
        sign(&header, &claims, &self.key)
    }
}
