//! The capsule's own keyring, asked over its private bus (Secret Service): where tokens are put, and where
//! programs of the session find them.

use std::collections::HashMap;
use std::time::Duration;

use secret_service::blocking::{Item, SecretService};
use secret_service::{EncryptionType, Error};

use super::protocol::Hold;
use crate::platform::linux::pace;
use crate::ports::Secret;

/// How long the bus or the keyring may keep silent.
const PATIENCE: Duration = Duration::from_secs(2);
/// The collection that lives in memory only.
const COLLECTION: &str = "session";
/// The attribute that says until when a token is good: milliseconds since 1970 (UTC).
const EXPIRES: &str = "expires";

/// A token that was found.
pub(super) struct Found {
    /// The token.
    pub(super) token: Secret,
    /// Until when it is good, milliseconds since 1970 (UTC).
    pub(super) expires_utc_ms: i64,
}

/// Puts a token into the keyring, in place of the one that it refreshes.
pub(super) fn put(hold: &Hold) -> Result<(), String> {
    let failed = |error: Error| format!("reach the session's keyring: {error}");
    let service = open().map_err(failed)?;
    let collection = service.get_collection_by_alias(COLLECTION).map_err(failed)?;
    let named = HashMap::from([
        ("issuer", hold.issuer.as_str()),
        ("audience", &hold.audience),
        ("session", &hold.session),
        ("provider", &hold.provider),
    ]);
    let before = collection.search_items(named.clone()).map_err(failed)?;
    let expires = hold.expires_utc_ms.to_string();
    let mut attributes = named;
    let _ = attributes.insert(EXPIRES, &expires);
    let label = format!("{}: access token", hold.provider);
    let kept = collection
        .create_item(&label, attributes, hold.access.expose().as_bytes(), true, "text/plain")
        .map_err(failed)?;
    // The old one goes last, so that a program that asks meanwhile finds one or the other.
    for old in before.iter().filter(|old| old.item_path != kept.item_path) {
        match old.delete() {
            // A program of the session may have deleted it in the meantime.
            Ok(()) | Err(Error::NoResult) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// The token for this audience that is good the longest, where the keyring has one.
pub(super) fn find(audience: &str) -> Result<Option<Found>, String> {
    let failed = |error: Error| format!("reach the session's keyring: {error}");
    let service = open().map_err(failed)?;
    let collection = service.get_collection_by_alias(COLLECTION).map_err(failed)?;
    let mut best: Option<(i64, Item<'_>)> = None;
    for item in collection.search_items(HashMap::from([("audience", audience)])).map_err(failed)? {
        let attributes = item.get_attributes().map_err(failed)?;
        let expires = attributes.get(EXPIRES).and_then(|text| text.parse().ok());
        let Some(expires) = expires.filter(|_| attributes.contains_key("session")) else { continue };
        if best.as_ref().is_none_or(|(latest, _)| expires > *latest) {
            best = Some((expires, item));
        }
    }
    let Some((expires_utc_ms, item)) = best else { return Ok(None) };
    let token = item.get_secret().map_err(failed)?;
    let token = String::from_utf8(token).map_err(|_| "read the token: it is no text".to_owned())?;
    Ok(Some(Found { token: Secret::new(token), expires_utc_ms }))
}

/// Plain between the keyring and here: both, and the bus, are the session's own.
fn open() -> Result<SecretService<'static>, Error> {
    let bus =
        zbus::blocking::connection::Builder::session()?.method_timeout(pace::patience(PATIENCE)).build()?;
    SecretService::connect_with_existing(EncryptionType::Plain, bus)
}
