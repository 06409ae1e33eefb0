//! Signing an operator in elsewhere (identity providers, APIs), and ending that with her session: what the
//! driver asks of whoever speaks with those providers, and what it is told.
//!
//! A token is never plain data: it is a [`Secret`], which is wiped, is not printed, and goes to the capsule's
//! own keyring alone.

use std::fmt;

use zeroize::Zeroizing;

use super::{Person, Result, Stamp};

/// A token, or a page's address that carries one. Wiped on drop, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text as a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for whoever sends it where it belongs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(\u{2022})")
    }
}

/// Signing operators in, and ending what that has begun. Every call returns at once or within the time that
/// it is given; what takes longer comes as [`SignInNews`].
pub trait SignIns: Send + Sync {
    /// Where news goes from now on. Called once, before all else. Only then are the outbox and the providers'
    /// events attended to.
    fn listen(&self, news: Box<dyn Fn(SignInNews) + Send + Sync>);
    /// A session of this operator has opened: signs her in wherever the policy says. What comes of it follows
    /// as news. The number of the session (random, hexadecimal) stands in its receipt and names it in the outbox.
    fn begin(&self, person: &Person) -> String;
    /// The pages that the session's own browser must visit, behind the cover and while its capsule lives, so
    /// that a provider whose session lives in that browser's cookie ends it. Empty where there is none.
    fn farewells(&self) -> Vec<Page>;
    /// The capsule's browser has come back to the station's own address inside the capsule, with this path and
    /// query: from a sign-in, or from a farewell. Bounded, and believed only where it answers what was asked.
    fn returned(&self, path_and_query: &str);
    /// Ends the sign-ins of the session, once: nothing is signed in from now on, the session's keys are
    /// destroyed, refresh tokens are revoked before access tokens, and the providers are asked. To be called
    /// after the capsule is gone. News of [`SignInNews::Ended`] follows when everything was tried once, and each
    /// time that more is known.
    fn end(&self);
    /// How every sign-in of the session that is ending stands now, for its receipt.
    fn ends(&self) -> Ends;
    /// What the shell before has left in the outbox for a session that was not finished: for the receipt of the
    /// recovery. Nothing of it can be used any more: its keys died with that shell.
    fn left(&self) -> Ends;
    /// The receipt of that session is entry `number`: later results refer to it.
    fn told(&self, session: &str, number: u64);
    /// What is still in the outbox, for the view of supervisors.
    fn pending(&self) -> Vec<TokenEnd>;
}

/// How the sign-ins of a session have ended so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The session's number, hexadecimal; empty where nobody was signed in.
    pub session: String,
    /// Each token, provider's session and call.
    pub tokens: Vec<TokenEnd>,
}

impl Ends {
    /// Whether nothing of it can be used any more: each is proved ended, or its time is over. An
    /// acknowledgement counts where the provider gives no proof.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.tokens.iter().all(|token| token.state.is_final())
    }
}

/// How one token, provider's session or call has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEnd {
    /// The sign-in's or the call's name in the policy.
    pub provider: String,
    /// The provider's issuer, or the call's host.
    pub issuer: String,
    /// What it is.
    pub kind: TokenKind,
    /// The first 16 hexadecimal digits of its SHA-256: tells two apart, and is of no use (requirement T-13).
    pub id: String,
    /// How far its end has come.
    pub state: TokenState,
    /// How that is known, in words: `introspection: not active`, `HTTP 503, tried twice`.
    pub saw: String,
    /// When it ends by itself, milliseconds since 1970 (UTC), where that is known.
    pub expires_utc_ms: Option<i64>,
}

/// What a session holds elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenKind {
    /// The provider's own session.
    ProviderSession,
    /// The key that the session's tokens are bound to (RFC 9449).
    ProofKey,
    /// A refresh token.
    Refresh,
    /// An access token.
    Access,
    /// A call to something that is not OAuth.
    Call,
}

/// How far an end has come (requirement T-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenState {
    /// The provider, or what takes the token, says that it is not active; or the key is destroyed.
    Proved,
    /// The provider has taken the order (RFC 7009: it would say the same to a token that it does not know).
    Acknowledged,
    /// Not ended yet: it is in the outbox and tried again.
    Pending,
    /// It cannot be ended from here, and ends by itself at its time.
    ExpiresAt,
    /// Its time is over.
    Expired,
    /// It could not be ended, and is not tried again.
    Failed,
}

impl TokenState {
    /// Whether nothing more is to be expected of it.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Proved | Self::Acknowledged | Self::Expired => true,
            Self::Pending | Self::ExpiresAt | Self::Failed => false,
        }
    }

    /// The word for it in receipts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Acknowledged => "acknowledged",
            Self::Pending => "pending",
            Self::ExpiresAt => "expires_at",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl TokenKind {
    /// The word for it in receipts.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ProviderSession => "provider session",
            Self::ProofKey => "proof key",
            Self::Refresh => "refresh token",
            Self::Access => "access token",
            Self::Call => "call",
        }
    }
}

/// What a capsule is given of a sign-in. Refreshed tokens come as a new grant in place of the old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The session's number.
    pub session: String,
    /// The sign-in's name in the policy.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// Whom the access token is for.
    pub audience: String,
    /// The access token.
    pub access: Secret,
    /// Until when it is good, milliseconds since 1970 (UTC).
    pub expires_utc_ms: i64,
    /// The environment variable in which apps that are started from now on find it, where the policy names one.
    pub environment: Option<String>,
    /// The file below the home in which apps find it, where the policy names one.
    pub file: Option<String>,
}

/// A page that the capsule's own browser is to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The name of the app in the policy in whose browser and profile it is opened.
    pub app: String,
    /// Its address. Init hands it to the browser by a redirect from inside the capsule, so that it stands in
    /// no program's arguments.
    pub address: Secret,
}

/// What comes of signing in and of ending it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInNews {
    /// The operator is signed in: this is for her capsule.
    Signed(Grant),
    /// The operator signs in herself: this page is to be opened in her capsule.
    Visit(Page),
    /// She could not be signed in: the sign-in's name, and a sentence for her screen.
    Failed(String, String),
    /// A farewell's page came back as it should.
    Farewelled,
    /// More is known of how the session's sign-ins have ended: the session's number.
    Ended(String),
    /// A later result of a session whose receipt is written: an entry of its own.
    Settled(Settlement),
    /// A provider says that this operator's session is revoked, by her key on the roster: the station hands off
    /// where she is at work, and does nothing else.
    Revoked(String),
}

/// What became of a session's sign-ins after its receipt was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The session's number.
    pub session: String,
    /// The entry of its receipt, where it is known.
    pub entry: Option<u64>,
    /// The tokens whose state has changed.
    pub tokens: Vec<TokenEnd>,
}

/// Something that is still to be ended, as the store keeps it. What it holds of a token is sealed under a key
/// that only the memory of the shell that wrote it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number; 0 before it is stored.
    pub id: i64,
    /// The session's number.
    pub session: String,
    /// What is known of it, without a secret: how it stands.
    pub end: TokenEnd,
    /// The provider's number of the session (`sid`), where the provider can end it by that alone.
    pub sid: Option<String>,
    /// What has to be sent, sealed; empty where the sid does.
    pub sealed: Vec<u8>,
    /// When it is tried next, milliseconds since 1970 (UTC).
    pub due_utc_ms: i64,
    /// How often it was tried.
    pub tries: u32,
    /// The entry of the session's receipt, where it is written.
    pub entry: Option<u64>,
    /// Whether the session was still open when this was written: what is left so was left by a shell that died.
    pub open: bool,
}

/// Where what is still to be ended outlives a restart.
pub trait Outbox: Send + Sync {
    /// Writes a row, in place of the one with the same number; returns its number. Durable before the answer.
    fn put(&self, row: &OutboxRow) -> Result<i64>;
    /// All rows, the oldest first.
    fn rows(&self) -> Result<Vec<OutboxRow>>;
    /// Removes a row.
    fn remove(&self, id: i64) -> Result<()>;
    /// The receipt of this session is this entry.
    fn told(&self, session: &str, entry: u64) -> Result<()>;
    /// Whether this event of a provider was not taken before; it is from now on, until the time is over.
    fn first_seen(&self, event: &str, until_utc_ms: i64, now: &Stamp) -> Result<bool>;
}
