//! The one place where the core's records become receipts: the core's types are never serialised.

use sha2::{Digest as _, Sha256};

use crate::evidence::Receipt;
use crate::evidence::receipt::{
    About, AnchorFacts, AppClosed, Capability, ChangeFacts, GateSaw, HandoffFacts, Held, Time, Who,
};
use crate::evidence::tokens::{self, TokenFacts, TokenId};
use crate::handoff::record::{Denial, Record, Trigger};
use crate::handoff::{OperatorId, Reason};
use crate::ports::{
    Answer, Body, Entry, GateAnswer, Handoff, Note, Person, PortError, Result, Stamp, TokenEnd, TokenKind,
    TokenState,
};

/// How many hexadecimal digits of a token's hash are told.
const ID: usize = 16;
/// The longest that is told of how an end is known, in characters.
const SAW: usize = 300;
/// The longest word in it: IHE BALP lets 32 characters of an opaque token be told, and we none of a longer one.
const WORD: usize = 32;

/// What an entry means for the journal.
pub(super) enum Means {
    /// A session is open.
    Opened(Person, Stamp),
    /// A handoff is complete.
    Finished,
    /// Nothing.
    Nothing,
}

/// The receipt of an entry, without its number and what it follows, and what it means.
pub(super) fn receipt(entry: &Entry) -> Result<(Receipt, Means)> {
    let mut receipt = blank(&entry.at);
    let mut means = Means::Nothing;
    match &entry.body {
        Body::Core { record, person, note, unfinished } => {
            receipt.kind = kind(*record)?.to_owned();
            receipt.operator = person.as_ref().map(who);
            receipt.note.clone_from(note);
            tell_handoff(&mut receipt, unfinished.as_deref());
            if let Record::Quarantined(reason) = record {
                let reason = reason_words(*reason);
                receipt.note = if note.is_empty() { reason.to_owned() } else { format!("{reason}: {note}") };
            }
            let opened = match record {
                Record::Opened(operator) => Some(*operator),
                Record::DrillOpened(_) => Some(OperatorId::DRILL),
                Record::BadgeUnknown
                | Record::BreakGlass
                | Record::Denied(..)
                | Record::Drilled(_)
                | Record::Handoff(..)
                | Record::Quarantined(_)
                | Record::Released(_)
                | Record::Restarted(_)
                | Record::Viewed(_) => None,
            };
            if let Some(operator) = opened {
                let person = person.clone().unwrap_or_else(|| unnamed(operator));
                means = Means::Opened(person, entry.at.clone());
            }
        }
        Body::BreakGlass { person, reason, unfinished } => {
            receipt.kind = "break-glass".to_owned();
            receipt.operator = Some(who(person));
            receipt.note.clone_from(reason);
            tell_handoff(&mut receipt, unfinished.as_deref());
            means = Means::Opened(person.clone(), entry.at.clone());
        }
        Body::Discontinuity(held) => {
            receipt.kind = "discontinuity".to_owned();
            receipt.note = "entries that could not be written when they happened".to_owned();
            receipt.held = held.iter().map(held_back).collect::<Result<_>>()?;
        }
        Body::Handoff(facts) => {
            receipt.kind = "handoff".to_owned();
            receipt.operator = facts.outgoing.as_ref().map(who);
            receipt.capabilities = capabilities(&facts.capabilities);
            receipt.policy.clone_from(&facts.policy);
            tell_handoff(&mut receipt, Some(facts));
            means = Means::Finished;
        }
        Body::Change { what, by, deed, before, after } => {
            if !matches!(what.as_str(), "roster" | "policy" | "key") {
                return Err(PortError::new(format!("write the entry: nothing called {what} can change")));
            }
            receipt.kind.clone_from(what);
            receipt.change = Some(ChangeFacts {
                by: by.clone(),
                deed: deed.clone(),
                before: before.clone(),
                after: after.clone(),
            });
        }
        Body::Drill { by, came_to } => {
            receipt.kind = "drill".to_owned();
            receipt.operator = by.as_ref().map(who);
            receipt.note.clone_from(came_to);
        }
        Body::Started { version, policy, capabilities: found } => {
            receipt.kind = "started".to_owned();
            receipt.note = format!("version {version}");
            receipt.policy.clone_from(policy);
            receipt.capabilities = capabilities(found);
        }
        Body::Stopped => receipt.kind = "stopped".to_owned(),
        Body::Settled(settlement) => {
            receipt.kind = "settled".to_owned();
            // The ledger says which entry it is about: it knows which one tells of this session.
            receipt.session.clone_from(&settlement.session);
            receipt.tokens = settlement.tokens.iter().map(token).collect();
        }
        Body::Noted(noted) => {
            receipt.kind = match noted.what {
                Note::Annotated => "annotated",
                Note::Attested => "attested",
                Note::Exported => "exported",
            }
            .to_owned();
            receipt.operator = Some(who(&noted.by));
            receipt.note.clone_from(&noted.text);
            // The ledger fills the leaf in.
            receipt.about = noted.about.map(|entry| About { entry, leaf: String::new() });
        }
    }
    Ok((receipt, means))
}

/// An entry that was held in memory, as the one that tells of it later has it.
fn held_back(entry: &Entry) -> Result<Held> {
    let (receipt, _) = receipt(entry)?;
    let Receipt { at, kind, operator, note, handoff, session, tokens, .. } = receipt;
    Ok(Held { at, kind, operator, note, handoff, session, tokens })
}

/// Whether space is kept on the disk for this entry: break-glass must not fail for want of it.
pub(super) fn has_reserve(entry: &Entry) -> bool {
    match &entry.body {
        Body::BreakGlass { .. } | Body::Discontinuity(_) => true,
        Body::Core { person, .. } => person.as_ref().is_some_and(|person| person.id.is_emergency()),
        Body::Handoff(facts) => facts.outgoing.as_ref().is_some_and(|person| person.id.is_emergency()),
        Body::Change { .. }
        | Body::Drill { .. }
        | Body::Noted(_)
        | Body::Settled(_)
        | Body::Started { .. }
        | Body::Stopped => false,
    }
}

/// Whose session a handoff ends: the one that is open by the journal, which an opening entry has
/// begun and no handoff has ended.
pub(super) fn ends(receipt: &mut Receipt, open: Option<(Person, Stamp)>) {
    let (person, opened) = open.unzip();
    let open = person.as_ref().map(who);
    if let Some(named) = receipt.operator.take()
        && open.as_ref().is_none_or(|open| open.key != named.key)
    {
        receipt.note = format!(
            "no session of {} was open: its end stands above, or its opening was never written",
            named.key
        );
    }
    receipt.operator = open;
    if let Some(facts) = &mut receipt.handoff {
        facts.opened = opened.as_ref().map(time);
    }
}

/// The entry that begins a ledger and names its key, or names the key that takes over.
pub(super) fn key(at: &Stamp, by: &str, public: &str, before: String, after: String) -> Receipt {
    let mut receipt = blank(at);
    receipt.kind = "key".to_owned();
    receipt.note = public.to_owned();
    let deed = if before.is_empty() { "make the station's key" } else { "change the station's key" };
    receipt.change = Some(ChangeFacts { by: by.to_owned(), deed: deed.to_owned(), before, after });
    receipt
}

/// The entry that says that a checkpoint is kept elsewhere, and where.
pub(super) fn anchored(at: &Stamp, anchor: AnchorFacts, place: &str) -> Receipt {
    let mut receipt = blank(at);
    receipt.kind = "anchored".to_owned();
    receipt.note = place.to_owned();
    receipt.anchor = Some(anchor);
    receipt
}

/// The entry that says what was pruned below an anchor, by which policy.
pub(super) fn pruned(at: &Stamp, anchor: AnchorFacts, policy: &str) -> Receipt {
    let mut receipt = blank(at);
    receipt.kind = "pruned".to_owned();
    receipt.policy = policy.to_owned();
    receipt.anchor = Some(anchor);
    receipt
}

fn blank(at: &Stamp) -> Receipt {
    Receipt {
        schema: "cleanshift/receipt/1".to_owned(),
        station: String::new(),
        index: 0,
        previous: String::new(),
        at: time(at),
        kind: String::new(),
        operator: None,
        note: String::new(),
        handoff: None,
        change: None,
        anchor: None,
        about: None,
        held: Vec::new(),
        session: String::new(),
        tokens: Vec::new(),
        capabilities: Vec::new(),
        policy: String::new(),
    }
}

fn kind(record: Record) -> Result<&'static str> {
    Ok(match record {
        Record::Denied(_, Denial::Disabled) => "disabled",
        Record::Denied(_, Denial::Badge(_) | Denial::Unchecked | Denial::WrongPin) => "denied",
        Record::BadgeUnknown => "badge-unknown",
        Record::BreakGlass => "break-glass",
        Record::Restarted(_) => "restarted",
        Record::Opened(_) | Record::DrillOpened(_) => "opened",
        Record::Quarantined(_) => "quarantine",
        Record::Released(_) => "released",
        Record::Viewed(_) => "viewed",
        Record::Drilled(_) | Record::Handoff(..) => {
            return Err(PortError::new("write the entry: a handoff or a drill came without its facts"));
        }
    })
}

fn reason_words(reason: Reason) -> &'static str {
    match reason {
        Reason::NotDestroyed => "the capsule could not be destroyed",
        Reason::NotRecorded => "the receipt could not be written",
        Reason::Residue => "a trace was found",
        Reason::SignIns => "what the session holds elsewhere is not ended",
        Reason::Silent => "a step did not answer in time",
        Reason::Unknown => "a gate could not look",
        Reason::Unprepared => "a new capsule could not be built",
    }
}

/// A trigger in the words of design and receipts.
pub(super) fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::BadgeOut => "badge-out",
        Trigger::Drill => "drill",
        Trigger::Ended => "ended",
        Trigger::Expired => "expired",
        Trigger::Fault => "fault",
        Trigger::FreshStart => "fresh-start",
        Trigger::Idle => "idle",
        Trigger::Maintenance => "maintenance",
        Trigger::ReaderLost => "reader-lost",
        Trigger::Recovery => "recovery",
        Trigger::Revoked => "revoked",
        Trigger::Suspend => "suspend",
        Trigger::Takeover => "takeover",
        Trigger::TapOut => "tap-out",
    }
}

/// The facts of a handoff, finished or not, and what became of the sign-ins of its session.
fn tell_handoff(receipt: &mut Receipt, facts: Option<&Handoff>) {
    let Some(facts) = facts else { return };
    receipt.handoff = Some(handoff(facts));
    receipt.session.clone_from(&facts.sign_ins.session);
    receipt.tokens = facts.sign_ins.tokens.iter().map(token).collect();
}

fn token(end: &TokenEnd) -> TokenFacts {
    let end = without_secrets(end);
    TokenFacts {
        provider: end.provider,
        issuer: end.issuer,
        kind: match end.kind {
            TokenKind::ProviderSession => tokens::TokenKind::ProviderSession,
            TokenKind::ProofKey => tokens::TokenKind::ProofKey,
            TokenKind::Refresh => tokens::TokenKind::Refresh,
            TokenKind::Access => tokens::TokenKind::Access,
            TokenKind::Call => tokens::TokenKind::Call,
        },
        id: TokenId::try_from(end.id).unwrap_or_default(),
        state: match end.state {
            TokenState::Proved => tokens::TokenState::Proved,
            TokenState::Acknowledged => tokens::TokenState::Acknowledged,
            TokenState::Pending => tokens::TokenState::Pending,
            TokenState::ExpiresAt => tokens::TokenState::ExpiresAt,
            TokenState::Expired => tokens::TokenState::Expired,
            TokenState::Failed => tokens::TokenState::Failed,
        },
        saw: end.saw,
        expires: end.expires_utc_ms.map(utc).unwrap_or_default(),
    }
}

/// The same, with nothing in it that could be a token, whoever has put it there (requirement T-13): an id that is
/// no hash's beginning becomes that of its hash, and of what was seen, words that are long and random are left
/// out.
pub(super) fn without_secrets(end: &TokenEnd) -> TokenEnd {
    let mut end = end.clone();
    if TokenId::try_from(end.id.clone()).is_err() {
        end.id = hex::encode(Sha256::digest(&end.id)).get(..ID).unwrap_or_default().to_owned();
    }
    // What a token is made of (RFC 6750 §2.1), but for what addresses have between their words.
    let of_word =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_' | '~' | '+' | '=');
    let piece = |piece: &str| {
        let word = piece.trim_end_matches(|letter| !of_word(letter));
        if word.len() > WORD { piece.replacen(word, "[left out]", 1) } else { piece.to_owned() }
    };
    let told: String = end.saw.split_inclusive(|letter| !of_word(letter)).map(piece).collect();
    end.saw = told.chars().take(SAW).collect();
    end
}

fn handoff(facts: &Handoff) -> HandoffFacts {
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    HandoffFacts {
        trigger: trigger(facts.trigger).to_owned(),
        incoming: facts.incoming.as_ref().map(who),
        opened: facts.opened.as_ref().map(time),
        began: time(&facts.began),
        covered_after_us: micros(facts.covered_after),
        clean_after_us: micros(facts.clean_after),
        rounds: facts.rounds,
        apps: facts
            .apps
            .iter()
            .map(|(name, gracefully)| AppClosed { name: name.clone(), gracefully: *gracefully })
            .collect(),
        proof: facts.proof.clone(),
        inside: facts.inside.iter().map(gate).collect(),
        after: facts.after.iter().map(gate).collect(),
        shared: facts.shared.clone(),
        assurance: facts.assurance.clone(),
    }
}

fn gate(answer: &GateAnswer) -> GateSaw {
    let word = match answer.answer {
        Answer::Absent => "absent",
        Answer::NotApplicable => "not-applicable",
        Answer::Present => "present",
        Answer::Setting => "setting",
        Answer::Unknown => "unknown",
    };
    GateSaw {
        class: answer.class,
        gate: answer.gate.clone(),
        answer: word.to_owned(),
        saw: answer.saw.clone(),
        method: answer.method.clone(),
        took_us: u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX),
    }
}

fn capabilities(found: &[(String, String)]) -> Vec<Capability> {
    found.iter().map(|(name, found)| Capability { name: name.clone(), found: found.clone() }).collect()
}

fn who(person: &Person) -> Who {
    Who { key: person.key.clone(), name: person.name.clone(), role: person.role.clone() }
}

fn unnamed(operator: OperatorId) -> Person {
    let number = operator.0;
    Person {
        id: operator,
        key: format!("#{number}"),
        name: format!("Operator {number}"),
        role: String::new(),
    }
}

fn time(at: &Stamp) -> Time {
    Time { utc: utc(at.utc_ms), boot_ms: at.boot_ms, boot_id: at.boot_id.clone() }
}

fn utc(utc_ms: i64) -> String {
    // A clock beyond what a calendar can tell is written as its own end of the calendar.
    let utc = jiff::Timestamp::from_millisecond(utc_ms).unwrap_or(if utc_ms < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    format!("{utc:.3}")
}
