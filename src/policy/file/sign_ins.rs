//! The tables `[[sign_in]]`, `[revoke]` and `[[revoke.call]]`. TOML takes no table and list of one name, so that the
//! calls stand below `[revoke]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{Time, nothing};

/// An identity provider at which operators are signed in when their session opens (OpenID Connect), and out when
/// it ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Its name, as screens and receipts tell it: "Hospital".
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// The issuer, letter by letter as the provider writes it, with https. Http is taken on the host's own
    /// loopback alone.
    #[schemars(with = "String")]
    pub issuer: Spanned<String>,
    /// The client id under which the provider knows the station. Its key is the station's own, in the host's
    /// keyring.
    #[schemars(with = "String")]
    pub client: Spanned<String>,
    /// How the operator is signed in. "assertion": the station asserts who she is (RFC 7523); "exchange": it
    /// exchanges such an assertion for tokens (RFC 8693); "browser": she signs in herself, in the browser of `app`.
    #[schemars(with = "How")]
    pub how: Spanned<How>,
    /// The app in whose browser she does, with how = "browser".
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub app: Option<Spanned<String>>,
    /// The scopes that are asked for. Default ["openid"]; never "offline_access".
    #[serde(default = "openid")]
    #[schemars(with = "Vec<String>")]
    pub scopes: Vec<Spanned<String>>,
    /// Whom the access token is for, where that is not the provider's to choose (RFC 8707).
    #[serde(default = "nothing")]
    #[schemars(with = "String")]
    pub audience: Spanned<String>,
    /// What names the operator there, with {key} for her key on the roster. Default "{key}".
    #[serde(default = "her_key")]
    #[schemars(with = "String")]
    pub subject: Spanned<String>,
    /// An environment variable in which apps that start from then on find the access token.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub environment: Option<Spanned<String>>,
    /// A file below the session's home in which apps find it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub file: Option<Spanned<String>>,
    /// The provider's own address that ends one session, with {sid} in it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub end_by_sid: Option<Spanned<String>>,
    /// The address where the provider's events are polled (RFC 8936): a revoked session is handed off.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub events: Option<Spanned<String>>,
    /// A file of certificates (PEM) that are trusted for it beside the host's.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub certificates: Option<Spanned<String>>,
    /// Apps use its access token by themselves, as a bearer token: it is then not bound to the session's key
    /// (RFC 9449), which no app has, where the provider could bind it. Default false.
    #[serde(default)]
    pub bearer: bool,
}

fn openid() -> Vec<Spanned<String>> {
    vec![Spanned::new(0..0, "openid".to_owned())]
}

fn her_key() -> Spanned<String> {
    Spanned::new(0..0, "{key}".to_owned())
}

/// How an operator is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The station asserts who she is.
    Assertion,
    /// The station exchanges such an assertion for tokens.
    Exchange,
    /// She signs in herself, in a browser.
    Browser,
}

/// How what a session holds elsewhere is ended.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Revoke {
    /// What is done when something is not ended in time. "open": the station opens, and what is left is ended
    /// as soon as it can be. "hold": the station is held until everything is ended or its time is over, or a
    /// supervisor releases it. Default "open".
    pub late: LateWord,
    /// How long a station that opens late waits. Default "2 s".
    #[schemars(with = "Option<String>")]
    pub after: Option<Spanned<Time>>,
    /// How long a station is held before it is quarantined. Default "12 h".
    #[schemars(with = "Option<String>")]
    pub longest: Option<Spanned<Time>>,
    /// Calls that end what is not OAuth: an EHR's or a vendor's API.
    pub call: Vec<Call>,
}

/// What is done when something of a session is not ended elsewhere in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LateWord {
    /// The station is held.
    Hold,
    /// The station opens.
    #[default]
    Open,
}

/// A call that ends something that is not OAuth. In `url`, `headers` and `body`, {operator} stands for the
/// operator's key on the roster, {session} for the session's number and {station} for the station's name; in
/// `headers` and `body`, {secret} for what `cleanshiftctl secret set NAME` keeps.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Its name, as receipts tell it, and under which its secret is kept.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What it is.
    pub kind: CallKind,
    /// The method: "POST", "DELETE", "PUT", "PATCH" or "GET".
    #[schemars(with = "String")]
    pub method: Spanned<String>,
    /// The address. http:// is taken on the host's own loopback alone.
    #[schemars(with = "String")]
    pub url: Spanned<String>,
    /// Headers, by their names.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Spanned<String>>,
    /// The body.
    #[serde(default = "nothing")]
    #[schemars(with = "String")]
    pub body: Spanned<String>,
    /// How long after the handoff it is worth trying. Default "1 h".
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Spanned<Time>>,
    /// A file of certificates (PEM) that are trusted for it beside the host's.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub certificates: Option<Spanned<String>>,
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    /// An HTTP request.
    Http,
}
