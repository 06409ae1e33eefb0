//! What only the driver knows of a session and its handoff: names, times, what the gates saw. The
//! core decides with numbers; the book turns its records into entries for people.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::handoff::record::{Denial, Record, Trigger};
use crate::handoff::{Operator, OperatorId};
use crate::ports::{Answer, Body, Closing, Ends, Entry, GateAnswer, Handoff, Person, Stamp};

use super::receipt;
use super::scene::{CleanSummary, ReceiptScene};
use super::sign_ins;
use super::sign_ins::CLASS;

/// A badge's identifier together with a PIN that the station checks. The identifier can be copied,
/// and a short PIN checked by the station is a password of one factor: this is less than AAL2
/// (NIST SP 800-63B, requirement A-01).
const UID_AND_PIN: &str = "UID+PIN: identification, below AAL2";
/// Nobody sits at a drill's session, which is never shown.
const NOBODY: &str = "nobody: a drill, whose session is not shown";
/// A code that several people may know proves nobody (requirement A-12: break-glass is the exception).
const CODE_ALONE: &str = "break-glass code: no person identified";

/// The book.
#[derive(Default)]
pub(super) struct Book {
    people: HashMap<OperatorId, Person>,
    /// When the session that runs was opened.
    pub(super) opened: Option<Stamp>,
    /// The handoff that is being gathered.
    pub(super) handoff: Option<Gathering>,
    /// What the last finished handoff found.
    pub(super) clean: Option<CleanSummary>,
    /// The number and leaf of the receipt that was written last.
    pub(super) receipt: Option<(u64, [u8; 32])>,
    /// The receipt of the last finished handoff, as the next operator may see it.
    pub(super) before: Option<Arc<ReceiptScene>>,
    /// What stands in every receipt.
    pub(super) capabilities: Vec<(String, String)>,
    /// Hash of the policy in force.
    pub(super) policy: String,
    /// Why emergency access is asked for, as it was chosen or typed.
    pub(super) reason: Option<String>,
}

/// A handoff while it happens.
pub(super) struct Gathering {
    pub(super) outgoing: Option<Person>,
    pub(super) incoming: Option<Person>,
    pub(super) opened: Option<Stamp>,
    pub(super) trigger: Option<Trigger>,
    pub(super) began: Stamp,
    pub(super) began_us: u64,
    pub(super) covered_us: Option<u64>,
    pub(super) clean_us: Option<u64>,
    pub(super) rounds: u8,
    pub(super) closing: Closing,
    pub(super) proof: String,
    pub(super) inside: Vec<GateAnswer>,
    pub(super) after: Vec<GateAnswer>,
    pub(super) sign_ins: Ends,
}

impl Gathering {
    pub(super) fn new(began: Stamp, began_us: u64) -> Self {
        Self {
            outgoing: None,
            incoming: None,
            opened: None,
            trigger: None,
            began,
            began_us,
            covered_us: None,
            clean_us: None,
            rounds: 0,
            closing: Closing::default(),
            proof: String::new(),
            inside: Vec::new(),
            after: Vec::new(),
            sign_ins: Ends::default(),
        }
    }
}

impl Book {
    /// Remembers who somebody is.
    pub(super) fn meet(&mut self, person: Person) {
        drop(self.people.insert(person.id, person));
    }

    /// Who this is; her number stands for her where the roster could not say.
    pub(super) fn person(&self, id: OperatorId) -> Person {
        self.people.get(&id).cloned().unwrap_or_else(|| {
            let (key, name) = if id.is_emergency() {
                ("break-glass".to_owned(), "Emergency access".to_owned())
            } else if id.is_drill() {
                ("drill".to_owned(), "Drill".to_owned())
            } else {
                (format!("#{}", id.0), format!("Operator {}", id.0))
            };
            Person { id, key, name, role: String::new() }
        })
    }

    /// Who this operator is.
    pub(super) fn operator(&self, operator: Operator) -> Person {
        self.person(operator.id)
    }

    /// The entry for a record of the core.
    pub(super) fn entry(&mut self, record: Record, at: Stamp, now_us: u64, shared: Vec<String>) -> Entry {
        let body = match record {
            Record::Handoff(_, trigger) => self.handoff_body(trigger, &at, now_us, shared),
            Record::BreakGlass => self.break_glass(now_us, shared),
            Record::Denied(id, Denial::WrongPin) if id.is_emergency() => {
                self.core(record, Some(id), "wrong break-glass code".to_owned())
            }
            Record::DrillOpened(by) => {
                let by = self.person(by);
                let note =
                    format!("a drill, started by {} ({}) after her PIN was found right", by.name, by.key);
                self.core(record, Some(OperatorId::DRILL), note)
            }
            // What it came to is added by whoever has added it up.
            Record::Drilled(by) => Body::Drill { by: Some(self.person(by)), came_to: String::new() },
            Record::Denied(id, denial) => self.core(record, Some(id), denial_note(denial)),
            Record::Opened(id) => self.core(record, Some(id), UID_AND_PIN.to_owned()),
            Record::Released(id) | Record::Restarted(id) | Record::Viewed(id) => {
                self.core(record, Some(id), String::new())
            }
            Record::BadgeUnknown => self.core(record, None, String::new()),
            Record::Quarantined(_) => {
                let outgoing = self.handoff.as_ref().and_then(|handoff| handoff.outgoing.clone());
                let unfinished = self.unfinished(now_us, shared);
                Body::Core { record, person: outgoing, note: self.findings().join(" "), unfinished }
            }
        };
        Entry { at, body }
    }

    fn core(&self, record: Record, id: Option<OperatorId>, note: String) -> Body {
        Body::Core { record, person: id.map(|id| self.person(id)), note, unfinished: None }
    }

    fn handoff_body(&mut self, trigger: Trigger, at: &Stamp, now_us: u64, shared: Vec<String>) -> Body {
        let mut gathered = self.handoff.take().unwrap_or_else(|| Gathering::new(at.clone(), now_us));
        gathered.clean_us = Some(now_us);
        gathered.trigger = Some(trigger);
        let body = Body::Handoff(Box::new(self.facts(&gathered, trigger, now_us, shared)));
        self.handoff = Some(gathered);
        body
    }

    /// The entry of a session that opens by a break-glass code, with what was not proved before it.
    fn break_glass(&mut self, now_us: u64, shared: Vec<String>) -> Body {
        let unfinished = self.unfinished(now_us, shared);
        Body::BreakGlass {
            person: self.person(OperatorId::EMERGENCY),
            reason: self.reason.take().unwrap_or_default(),
            unfinished,
        }
    }

    /// The handoff that has begun and is not proved clean, as far as it came.
    fn unfinished(&self, now_us: u64, shared: Vec<String>) -> Option<Box<Handoff>> {
        let gathered = self.handoff.as_ref()?;
        let trigger = gathered.trigger.unwrap_or(Trigger::Fault);
        Some(Box::new(self.facts(gathered, trigger, now_us, shared)))
    }

    fn facts(&self, gathered: &Gathering, trigger: Trigger, now_us: u64, shared: Vec<String>) -> Handoff {
        let since =
            |us: Option<u64>| Duration::from_micros(us.unwrap_or(now_us).saturating_sub(gathered.began_us));
        let assurance = match &gathered.outgoing {
            Some(person) if person.id.is_emergency() => CODE_ALONE,
            Some(person) if person.id.is_drill() => NOBODY,
            Some(_) => UID_AND_PIN,
            None => "",
        };
        Handoff {
            outgoing: gathered.outgoing.clone(),
            incoming: gathered.incoming.clone(),
            trigger,
            opened: gathered.opened.clone(),
            began: gathered.began.clone(),
            covered_after: since(gathered.covered_us),
            clean_after: since(gathered.clean_us),
            rounds: gathered.rounds,
            apps: gathered.closing.apps.clone(),
            proof: gathered.proof.clone(),
            inside: gathered.inside.clone(),
            after: gathered.after.clone(),
            sign_ins: gathered.sign_ins.clone(),
            shared,
            capabilities: self.capabilities.clone(),
            assurance: assurance.to_owned(),
            policy: self.policy.clone(),
        }
    }

    /// A finished handoff: what the screens tell of it from now on.
    pub(super) fn finish(&mut self, utc_ms: i64, show_names: bool) {
        let Some(gathered) = self.handoff.take() else {
            return;
        };
        // A class has one answer, the gravest of its gates'.
        let gravity = |answer: Answer| match answer {
            Answer::NotApplicable => 0,
            Answer::Setting => 1,
            Answer::Absent => 2,
            Answer::Unknown => 3,
            Answer::Present => 4,
        };
        let mut classes: HashMap<u8, Answer> = HashMap::new();
        for gate in &gathered.after {
            let class = classes.entry(gate.class).or_insert(gate.answer);
            if gravity(gate.answer) > gravity(*class) {
                *class = gate.answer;
            }
        }
        let open = gathered.sign_ins.tokens.iter().filter(|token| !token.state.is_final()).count();
        if open > 0 {
            let _ = classes.remove(&CLASS);
        }
        let count = |answer: Answer| {
            u16::try_from(classes.values().filter(|class| **class == answer).count()).unwrap_or(u16::MAX)
        };
        self.clean = Some(CleanSummary {
            at_utc_ms: utc_ms,
            absent: count(Answer::Absent),
            not_here: count(Answer::NotApplicable),
            settings: count(Answer::Setting),
            elsewhere: u16::try_from(open).unwrap_or(u16::MAX),
            took_ms: gathered.clean_us.unwrap_or(gathered.began_us).saturating_sub(gathered.began_us) / 1000,
        });
        self.before = receipt::of(&gathered, self.receipt.take(), show_names).map(Arc::new);
        self.opened = None;
    }

    /// Whether the receipt before this session holds is known now.
    pub(super) fn before_checked(&mut self, number: u64, checked: Result<u64, String>) {
        if let Some(before) = self.before.as_mut().filter(|before| before.number == number) {
            Arc::make_mut(before).checked = Some(checked);
        }
    }

    /// What the gates found, in plain words, one sentence each.
    pub(super) fn findings(&self) -> Vec<String> {
        let Some(gathered) = &self.handoff else {
            return Vec::new();
        };
        gathered
            .after
            .iter()
            .filter_map(|gate| match gate.answer {
                Answer::Present if gate.class == sign_ins::CLASS => {
                    Some(format!("What the last session holds elsewhere is not ended yet: {}.", gate.saw))
                }
                Answer::Present => Some(format!(
                    "Something of the last session is still here: {} ({}).",
                    gate.gate, gate.saw
                )),
                Answer::Unknown => Some(format!("It could not be checked: {} ({}).", gate.gate, gate.saw)),
                Answer::Absent | Answer::NotApplicable | Answer::Setting => None,
            })
            .collect()
    }

    /// The gates behind [`Book::findings`].
    pub(super) fn unclean(&self) -> Vec<GateAnswer> {
        self.handoff
            .iter()
            .flat_map(|gathered| &gathered.after)
            .filter(|gate| matches!(gate.answer, Answer::Present | Answer::Unknown))
            .cloned()
            .collect()
    }
}

fn denial_note(denial: Denial) -> String {
    use crate::handoff::Refusal;
    match denial {
        Denial::Badge(Refusal::Disabled) => "the badge is disabled",
        Denial::Badge(Refusal::Expired) => "the time on the roster is over",
        Denial::Badge(Refusal::NotYetValid) => "the time on the roster has not begun",
        Denial::Disabled => "too many wrong PINs; the badge is now disabled",
        Denial::Unchecked => "the PIN could not be checked",
        Denial::WrongPin => "wrong PIN",
    }
    .to_owned()
}
