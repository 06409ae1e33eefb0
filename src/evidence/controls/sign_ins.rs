//! What sessions held elsewhere, and how far its end has come by the newest entry: a receipt says how it stood, and
//! what was settled later is an entry of its own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Numbers;
use crate::evidence::receipt::Receipt;
use crate::evidence::tokens::{TokenFacts, TokenId, TokenKind, TokenState};

/// Tokens, providers' sessions and calls by how they have ended. Of those that have, numbers are kept alone.
#[derive(Clone, Debug, Default)]
pub(super) struct SignIns {
    /// Sessions of the asked time that were signed in elsewhere.
    pub(super) sessions: u64,
    counts: BTreeMap<TokenState, u64>,
    waiting: BTreeMap<Held, Waiting>,
}

/// What tells one from another: the session, the provider, what it is, and its id.
type Held = (String, String, TokenKind, TokenId);

/// One that has not ended yet.
#[derive(Clone, Debug)]
struct Waiting {
    /// The entry that tells of its session.
    index: u64,
    counted: bool,
    state: TokenState,
    expires: Option<Timestamp>,
}

impl SignIns {
    /// Takes the next entry. What a quarantine tells of the handoff that waits behind it will tell again.
    pub(super) fn entry(&mut self, receipt: &Receipt, counted: bool) {
        let held = receipt.held.iter().map(|held| (held.kind.as_str(), &held.session, &held.tokens));
        for (kind, session, tokens) in
            held.chain([(receipt.kind.as_str(), &receipt.session, &receipt.tokens)])
        {
            match kind {
                "handoff" | "break-glass" if !session.is_empty() => {
                    self.sessions += u64::from(counted);
                    tokens.iter().for_each(|token| self.told(receipt.index, counted, session, token));
                }
                "settled" => tokens.iter().for_each(|token| self.settled(session, token)),
                _ => {}
            }
        }
    }

    fn told(&mut self, index: u64, counted: bool, session: &str, token: &TokenFacts) {
        if counted {
            *self.counts.entry(token.state).or_default() += 1;
        }
        if !token.state.is_final() {
            let waiting = Waiting { index, counted, state: token.state, expires: token.expires.parse().ok() };
            let _ = self.waiting.insert(held(session, token), waiting);
        }
    }

    fn settled(&mut self, session: &str, token: &TokenFacts) {
        let held = held(session, token);
        let Some(waiting) = self.waiting.get_mut(&held) else { return };
        if waiting.counted {
            if let Some(before) = self.counts.get_mut(&waiting.state) {
                *before = before.saturating_sub(1);
            }
            *self.counts.entry(token.state).or_default() += 1;
        }
        waiting.state = token.state;
        waiting.expires = token.expires.parse().ok().or(waiting.expires);
        if token.state.is_final() {
            let _ = self.waiting.remove(&held);
        }
    }

    /// How many of the asked time were in this state when they were last told of.
    pub(super) fn of(&self, state: TokenState) -> u64 {
        self.counts.get(&state).copied().unwrap_or_default()
    }

    /// The receipts of the asked time that tell of something that could still be used at this moment, for all that
    /// is known, and is in one of these states.
    pub(super) fn unsettled(&self, states: &[TokenState], now: Option<Timestamp>) -> Numbers {
        let over = |waiting: &Waiting| waiting.expires.zip(now).is_some_and(|(expires, now)| expires <= now);
        let open =
            self.waiting.values().filter(|one| one.counted && states.contains(&one.state) && !over(one));
        let mut numbers = Numbers::default();
        open.map(|one| one.index).collect::<BTreeSet<_>>().into_iter().for_each(|index| numbers.push(index));
        numbers
    }
}

fn held(session: &str, token: &TokenFacts) -> Held {
    (session.to_owned(), token.provider.clone(), token.kind, token.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, kind: &str, states: &[(&str, &str)]) -> Receipt {
        let token = |(id, state): &(&str, &str)| {
            let json = serde_json::json!({
                "provider": "Hospital", "issuer": "https://id.example", "kind": "access token",
                "id": id.repeat(16), "state": state, "saw": "", "expires": "2026-11-23T08:00:00Z",
            });
            serde_json::from_value(json).unwrap()
        };
        let tokens = states.iter().map(token).collect();
        Receipt { index, kind: kind.to_owned(), session: "5e55".to_owned(), tokens, ..Receipt::default() }
    }

    #[test]
    fn the_last_word_counts_and_a_quarantine_counts_nothing_twice() {
        let mut all = SignIns::default();
        let open = [TokenState::Pending, TokenState::ExpiresAt];
        let before: Timestamp = "2026-11-23T07:59:59Z".parse().unwrap();
        let after: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        all.entry(&entry(1, "quarantine", &[("a", "pending")]), true);
        all.entry(
            &entry(2, "handoff", &[("a", "pending"), ("b", "pending"), ("c", "failed"), ("d", "proved")]),
            true,
        );
        all.entry(&entry(3, "settled", &[("a", "proved"), ("b", "expires_at"), ("f", "expired")]), false);
        let counts = TokenState::ALL.map(|state| all.of(state));
        assert_eq!((all.sessions, counts), (1, [2, 0, 0, 0, 1, 1]));
        assert_eq!(all.unsettled(&open, Some(before)).first, [2]);
        assert_eq!(all.unsettled(&open, None).first, [2]);
        assert_eq!(all.unsettled(&open, Some(after)).count, 0, "its time is over");
        assert_eq!(all.unsettled(&[TokenState::Failed], Some(before)).first, [2]);
        all.entry(&entry(4, "settled", &[("b", "expired")]), true);
        assert_eq!((all.unsettled(&open, Some(before)).count, all.of(TokenState::Expired)), (0, 1));
        // Of a time that was not asked for, nothing is counted and nothing an exception.
        let mut other = SignIns::default();
        other.entry(&entry(2, "handoff", &[("a", "pending")]), false);
        other.entry(&entry(3, "settled", &[("a", "proved")]), true);
        assert_eq!(
            (other.sessions, other.of(TokenState::Proved), other.unsettled(&open, None).count),
            (0, 0, 0)
        );
    }
}
