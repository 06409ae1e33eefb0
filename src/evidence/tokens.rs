//! What a session held elsewhere, as receipts tell it: each token, provider's session and call with how far its
//! end has come. Of a token itself there is its hash's beginning, and nothing else (requirement T-13).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::words::escape;

/// How one token, provider's session or call has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenFacts {
    /// The sign-in's or the call's name in the policy.
    pub provider: String,
    /// The provider's issuer, or the call's host.
    pub issuer: String,
    /// What it is.
    pub kind: TokenKind,
    /// The first 16 hexadecimal digits of a SHA-256 over it; empty where there is nothing to tell apart.
    #[schemars(with = "String", regex(pattern = r"^([0-9a-f]{16})?$"))]
    pub id: TokenId,
    /// How far its end has come.
    pub state: TokenState,
    /// How that is known, in words: `introspection: not active`.
    pub saw: String,
    /// When it ends by itself, RFC 3339 in UTC; empty where that is not known.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub expires: String,
}

/// The first 16 hexadecimal digits of a SHA-256 over it: tells two apart, and is of no use.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(String);

impl TokenId {
    /// The digits; empty where there is nothing to be told apart.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TokenId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |letter: u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
        if text.is_empty() || (text.len() == 16 && text.bytes().all(digit)) {
            return Ok(Self(text));
        }
        // What stands there may be the token itself: it is not said.
        Err("a token's id is not 16 hexadecimal digits".to_owned())
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

/// What a session holds elsewhere.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum TokenKind {
    /// The provider's own session.
    #[serde(rename = "provider session")]
    ProviderSession,
    /// The key that the session's tokens are bound to (RFC 9449).
    #[serde(rename = "proof key")]
    ProofKey,
    /// A refresh token.
    #[serde(rename = "refresh token")]
    Refresh,
    /// An access token.
    #[serde(rename = "access token")]
    Access,
    /// A call to something that is not OAuth.
    #[serde(rename = "call")]
    Call,
}

impl TokenKind {
    /// The word for it.
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

/// How far an end has come (requirement T-02).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// The provider, or what takes the token, says that it is not active; or the key is destroyed.
    Proved,
    /// The provider has taken the order.
    Acknowledged,
    /// Its time is over.
    Expired,
    /// Not ended yet; it is tried again.
    Pending,
    /// It cannot be ended from here, and ends by itself at its time.
    ExpiresAt,
    /// It could not be ended, and is not tried again.
    Failed,
}

impl TokenState {
    /// All of them, those in which nothing more is to be expected first.
    pub const ALL: [Self; 6] =
        [Self::Proved, Self::Acknowledged, Self::Expired, Self::Pending, Self::ExpiresAt, Self::Failed];

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
            Self::Expired => "expired",
            Self::Pending => "pending",
            Self::ExpiresAt => "expires_at",
            Self::Failed => "failed",
        }
    }

    /// The same for people.
    #[must_use]
    pub fn plain(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Acknowledged => "acknowledged",
            Self::Expired => "expired",
            Self::Pending => "pending",
            Self::ExpiresAt => "left to expire",
            Self::Failed => "failed",
        }
    }
}

/// How often each state occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended([usize; TokenState::ALL.len()]);

impl Ended {
    /// Counts one more.
    pub fn add(&mut self, state: TokenState) {
        for (count, of) in self.0.iter_mut().zip(TokenState::ALL) {
            *count += usize::from(of == state);
        }
    }

    /// How many are in this state.
    #[must_use]
    pub fn of(&self, state: TokenState) -> usize {
        TokenState::ALL.into_iter().zip(self.0).find(|(one, _)| *one == state).map_or(0, |(_, count)| count)
    }

    /// How many could still be used somewhere, for all that is known.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        TokenState::ALL.into_iter().filter(|state| !state.is_final()).map(|state| self.of(state)).sum()
    }
}

/// `2 proved, 1 pending`: never a round number that hides the kinds (promise 4).
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = TokenState::ALL.into_iter().map(|state| (self.of(state), state.plain()));
        let told = told.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        f.write_str(&told.collect::<Vec<_>>().join(", "))
    }
}

/// How often each state occurs among these.
#[must_use]
pub fn ended(tokens: &[TokenFacts]) -> Ended {
    let mut ended = Ended::default();
    tokens.iter().for_each(|token| ended.add(token.state));
    ended
}

/// The same for each provider, by the order in which they come.
#[must_use]
pub fn by_provider(tokens: &[TokenFacts]) -> Vec<(&str, Ended)> {
    let mut found: Vec<(&str, Ended)> = Vec::new();
    for token in tokens {
        let place = found.iter().position(|(provider, _)| *provider == token.provider);
        let place = place.unwrap_or_else(|| {
            found.push((&token.provider, Ended::default()));
            found.len() - 1
        });
        if let Some((_, ended)) = found.get_mut(place) {
            ended.add(token.state);
        }
    }
    found
}

/// What became of these, for people: `Hospital: 2 proved, 1 pending; Chart API: 1 acknowledged`. Empty where
/// there are none.
#[must_use]
pub fn signed_out(tokens: &[TokenFacts]) -> String {
    let told = by_provider(tokens).into_iter();
    told.map(|(provider, ended)| format!("{}: {ended}", escape(provider))).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(provider: &str, state: TokenState) -> TokenFacts {
        TokenFacts {
            provider: provider.to_owned(),
            issuer: "https://id.example".to_owned(),
            kind: TokenKind::Access,
            id: TokenId("0123456789abcdef".to_owned()),
            state,
            saw: "introspection: not active".to_owned(),
            expires: String::new(),
        }
    }

    #[test]
    fn words_hide_no_state() {
        let mut tokens: Vec<_> = TokenState::ALL.map(|state| token("Hospital", state)).to_vec();
        tokens.insert(2, token("Chart\nAPI", TokenState::Proved));
        tokens.push(token("Hospital", TokenState::Pending));
        assert_eq!(
            signed_out(&tokens),
            "Hospital: 1 proved, 1 acknowledged, 1 expired, 2 pending, 1 left to expire, 1 failed; \
             Chart\\u{a}API: 1 proved"
        );
        assert_eq!((ended(&tokens).unsettled(), signed_out(&[])), (4, String::new()));
        for state in TokenState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
        assert_eq!(
            serde_json::to_value(TokenKind::ProviderSession).unwrap(),
            TokenKind::ProviderSession.word()
        );
    }

    #[test]
    fn nonsense_is_refused_and_not_repeated() {
        let good = serde_json::to_string(&token("Hospital", TokenState::Proved)).unwrap();
        assert!(serde_json::from_str::<TokenFacts>(&good).is_ok());
        for (from, to) in [
            ("proved", "gone"),
            ("proved", "Proved"),
            ("access token", "token"),
            ("0123456789abcdef", "0123456789abcde"),
            ("0123456789abcdef", "eyJhbGciOiJSUzI1NiJ9.secret"),
            ("0123456789abcdef", "0123456789ABCDEF"),
            ("\"saw\"", "\"seen\""),
        ] {
            let error = serde_json::from_str::<TokenFacts>(&good.replacen(from, to, 1)).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
