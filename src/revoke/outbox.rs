//! What is still to be ended, one thing each, and how it outlives a restart: a row that says how it stands, with what
//! has to be sent sealed under a key that this process alone holds.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

use super::key::random;
use crate::ports::{Outbox, OutboxRow, PortError, Result, Secret, TokenEnd, TokenKind, TokenState};

/// The length of the nonce that stands before what is sealed, bytes.
const NONCE: usize = 24;
/// The first wait before something is tried again.
const FIRST: Duration = Duration::from_secs(1);
/// The longest such wait, as far as the provider asks for no longer one.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How long something is tried whose own end is not known, milliseconds.
pub(super) const TRIED_FOR: i64 = 7 * 24 * 60 * 60 * 1000;

/// What of the policy something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// The sign-in with this place in the policy.
    SignIn(usize),
    /// The call with this place.
    Call(usize),
    /// Nothing that the policy still has.
    Gone,
}

/// With what it can be ended.
#[derive(Clone)]
pub(super) enum How {
    /// The token, sealed.
    Token(Vec<u8>),
    /// The provider's number of the session; the operator's key, for a call.
    Sid(String),
    /// Nothing: it ends with the session's memory or at its time.
    Nothing,
}

/// One thing that a session holds elsewhere.
#[derive(Clone)]
pub(super) struct Item {
    /// Tells it from all others of this process; 0 before it is taken in.
    pub(super) key: u64,
    pub(super) session: String,
    pub(super) of: Of,
    pub(super) end: TokenEnd,
    pub(super) how: How,
    /// The number of its row; 0 where it has none.
    pub(super) row: i64,
    pub(super) tries: u32,
    /// The entry of the session's receipt.
    pub(super) entry: Option<u64>,
    /// The state that a receipt has told, or is about to.
    pub(super) shown: Option<TokenState>,
    /// Whether its session is still open.
    pub(super) open: bool,
    pub(super) due_utc_ms: i64,
    /// When this process took it in, milliseconds since 1970.
    pub(super) since_utc_ms: i64,
}

impl Item {
    /// Whether nothing more can come of it.
    pub(super) fn over(&self) -> bool {
        match self.end.state {
            TokenState::Proved | TokenState::Acknowledged | TokenState::Expired | TokenState::Failed => true,
            TokenState::ExpiresAt => self.end.expires_utc_ms.is_none(),
            TokenState::Pending => false,
        }
    }

    /// Sets how it stands and how that is known.
    pub(super) fn stands(&mut self, state: TokenState, saw: impl Into<String>) {
        self.end.state = state;
        self.end.saw = saw.into();
    }

    /// How often it was tried, in words: `, tried twice`.
    pub(super) fn tried(&self) -> String {
        match self.tries {
            0 | 1 => String::new(),
            2 => ", tried twice".to_owned(),
            more => format!(", tried {more} times"),
        }
    }
}

/// What tells two tokens apart and is of no use to anybody (requirement T-13).
pub(super) fn id(text: &str) -> String {
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.get(..16).unwrap_or_default().to_owned()
}

/// The rows, and the key of this process.
pub(super) struct Rows {
    outbox: Arc<dyn Outbox>,
    seal: XChaCha20Poly1305,
}

impl Rows {
    /// Rows sealed under a new key.
    pub(super) fn new(outbox: Arc<dyn Outbox>) -> Result<Self> {
        let key = Zeroizing::new(random::<32>()?);
        Ok(Self { outbox, seal: XChaCha20Poly1305::new(Key::from_slice(&*key)) })
    }

    /// The store behind it.
    pub(super) fn outbox(&self) -> &dyn Outbox {
        &*self.outbox
    }

    /// Seals a token for what this is the end of, so that it opens for nothing else.
    pub(super) fn seal(&self, token: &Secret, session: &str, end: &TokenEnd) -> Result<Vec<u8>> {
        let nonce = random::<NONCE>()?;
        let bound = bound(session, end);
        let payload = Payload { msg: token.expose().as_bytes(), aad: bound.as_bytes() };
        let sealed = self.seal.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|_| PortError::new("seal a token for the outbox"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed, where this process has sealed it.
    pub(super) fn open(&self, item: &Item) -> Option<Secret> {
        let How::Token(sealed) = &item.how else { return None };
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let bound = bound(&item.session, &item.end);
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        let opened = Zeroizing::new(self.seal.decrypt(XNonce::from_slice(nonce), payload).ok()?);
        std::str::from_utf8(&opened).ok().map(Secret::new)
    }

    /// Writes how it stands; blocks until that is durable. Returns the number of its row.
    pub(super) fn put(&self, item: &Item) -> Result<i64> {
        let (sid, sealed) = match &item.how {
            How::Token(sealed) => (None, sealed.clone()),
            How::Sid(sid) => (Some(sid.clone()), Vec::new()),
            How::Nothing => (None, Vec::new()),
        };
        tokio::task::block_in_place(|| {
            self.outbox.put(&OutboxRow {
                id: item.row,
                session: item.session.clone(),
                end: item.end.clone(),
                sid,
                sealed,
                due_utc_ms: item.due_utc_ms,
                tries: item.tries,
                entry: item.entry,
                open: item.open,
            })
        })
    }

    /// Removes the row.
    pub(super) fn remove(&self, row: i64) {
        if row != 0
            && let Err(error) = tokio::task::block_in_place(|| self.outbox.remove(row))
        {
            tracing::warn!("failed to {error}");
        }
    }
}

fn bound(session: &str, end: &TokenEnd) -> String {
    format!("{session}\n{}\n{}\n{}", end.provider, end.kind.word(), end.id)
}

/// What is known of a row that an earlier shell has left: what it sealed opens for nobody any more.
pub(super) fn adopt(row: OutboxRow, of: Of, by_sid: bool, utc_ms: i64) -> Item {
    let mut item = Item {
        key: 0,
        session: row.session,
        of,
        end: row.end,
        how: How::Nothing,
        row: row.id,
        tries: row.tries,
        entry: row.entry,
        shown: None,
        open: false,
        due_utc_ms: row.due_utc_ms,
        since_utc_ms: utc_ms,
    };
    if item.entry.is_some() {
        item.shown = Some(item.end.state);
    }
    if item.over() {
        return item;
    }
    if item.end.expires_utc_ms.is_some_and(|expires| expires <= utc_ms) {
        item.stands(TokenState::Expired, "its time is over");
        return item;
    }
    match (item.end.kind, row.sid) {
        (TokenKind::ProofKey, _) => {
            item.stands(TokenState::Proved, "it was in the memory of a shell that has ended");
        }
        (_, Some(sid)) if by_sid => {
            item.how = How::Sid(sid);
            item.stands(
                TokenState::Pending,
                "left by a shell that ended; tried again by the session's number",
            );
        }
        (TokenKind::ProviderSession, _) => {
            item.stands(TokenState::Failed, "cookie destroyed, provider not told");
        }
        (TokenKind::Call, _) => item.stands(TokenState::Failed, "the policy has no such call any more"),
        (TokenKind::Refresh | TokenKind::Access, _) => {
            item.stands(
                TokenState::ExpiresAt,
                "sealed under a key that ended with its shell: nobody can use or end it",
            );
        }
    }
    item
}

/// How long to wait before the next try, after this many.
pub(super) fn pause(tries: u32, asked: Option<Duration>) -> Duration {
    let doubled =
        FIRST.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST);
    // Between half and all of it, so that the stations of a hospital do not come back as one.
    let dice = random::<2>().map_or(u16::MAX, u16::from_le_bytes);
    let jittered = doubled / 2 + (doubled / 2).mul_f64(f64::from(dice) / f64::from(u16::MAX));
    jittered.max(asked.unwrap_or_default())
}
