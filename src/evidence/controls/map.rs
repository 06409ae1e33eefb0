//! The map itself: what an auditor may read out of the numbers, and what not. Titles are the frameworks'
//! own: NIST SP 800-53 Rev. 5, CSF 2.0, SP 800-207 §2.1, 45 CFR 164.312, OWASP NHI Top 10 2025.

use super::tally::{Odd, Tally};
use super::{Control, Count, Exception, Numbers, Report, nhi};
use crate::evidence::tokens::TokenState;
use crate::evidence::verify::Verdict;
use crate::evidence::words::escape;

const NIST: &str = "NIST SP 800-53 Rev. 5";
const CSF: &str = "NIST CSF 2.0";
const ZERO_TRUST: &str = "NIST SP 800-207";
const HIPAA: &str = "HIPAA 45 CFR";

/// What the entries are evidence for. `verdict` is that of verifying the whole ledger, where that was
/// done: without it the chain between the entries is checked, and no signature.
#[must_use]
pub fn report(tally: &Tally, verdict: Option<&Verdict>) -> Report {
    let mut broken = Numbers::default();
    if let Some(bad) = verdict.and_then(|verdict| verdict.first_bad.as_ref()) {
        broken.push(bad.index);
    }
    let numbers = |index: Option<u64>| {
        let mut numbers = Numbers::default();
        index.into_iter().for_each(|index| numbers.push(index));
        numbers
    };
    let (unsaid, unanchored) = (numbers(tally.keeping.unsaid()), numbers(tally.keeping.unanchored()));
    // That the time of the one has come by itself makes nothing of the other's failure.
    let unsettled = tally.sign_ins.unsettled(&[TokenState::Pending, TokenState::ExpiresAt], tally.newest());
    let failed = tally.sign_ins.unsettled(&[TokenState::Failed], None);
    let all = Numbered { tally, odd: &tally.odd, broken, unsaid, unanchored, unsettled, failed };
    Report {
        entries: tally.entries,
        range: tally.range,
        verified: verdict.map(|verdict| escape(&verdict.sentence())),
        controls: [all.access(), all.audit(), all.csf_and_zero_trust(), all.hipaa(), all.nhi()].concat(),
        none: nhi::NONE.to_vec(),
    }
}

pub(super) struct Numbered<'a> {
    pub(super) tally: &'a Tally,
    pub(super) odd: &'a Odd,
    broken: Numbers,
    /// The first text that is missing without a word of it.
    unsaid: Numbers,
    /// The first entry that prunes below a checkpoint of which nobody has said that it is kept elsewhere.
    unanchored: Numbers,
    /// Receipts of sessions that hold something elsewhere which has not ended yet.
    pub(super) unsettled: Numbers,
    /// The same of what could not be ended, and is not tried again.
    pub(super) failed: Numbers,
}

pub(super) fn count(what: &str, count: u64) -> Count {
    Count { what: what.to_owned(), count }
}

pub(super) fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The exceptions that have happened.
pub(super) fn odd(list: &[(&'static str, &Numbers)]) -> Vec<Exception> {
    let happened = list.iter().filter(|(_, numbers)| numbers.count > 0);
    happened
        .map(|(what, numbers)| Exception { what, count: numbers.count, entries: numbers.first.clone() })
        .collect()
}

impl Numbered<'_> {
    pub(super) fn sessions(&self) -> Vec<Count> {
        vec![
            count("sessions opened with badge and PIN", self.tally.kind("opened")),
            count("sessions opened with a break-glass code", self.tally.kind("break-glass")),
        ]
    }

    fn ended(&self) -> Vec<Count> {
        let because =
            |(trigger, many): (&String, &u64)| count(&format!("handoffs: {}", escape(trigger)), *many);
        self.tally.triggers.iter().map(because).collect()
    }

    fn gates(&self) -> Vec<Count> {
        let gates = &self.tally.gates;
        vec![
            count("classes looked at: absent", size(gates.absent)),
            count("classes looked at: not here", size(gates.not_here)),
            count("classes looked at: by setting", size(gates.setting)),
            count("classes looked at: present", size(gates.present)),
            count("classes looked at: unknown", size(gates.unknown)),
            count("handoffs with shared directories, which are not checked", self.tally.shared),
        ]
    }

    /// What became of what sessions held elsewhere.
    pub(super) fn signed_out(&self) -> Vec<Count> {
        let sign_ins = &self.tally.sign_ins;
        let of = |state: TokenState| count(&format!("held elsewhere: {}", state.plain()), sign_ins.of(state));
        let sessions = count("sessions signed in elsewhere", sign_ins.sessions);
        [vec![sessions], TokenState::ALL.map(of).to_vec()].concat()
    }

    /// Where it is not shown to have ended.
    pub(super) fn still_held(&self) -> [(&'static str, &Numbers); 2] {
        [
            ("what the session held elsewhere has not ended yet, for all that is known", &self.unsettled),
            ("something that the session held elsewhere could not be ended", &self.failed),
        ]
    }

    fn covers(&self) -> Vec<Count> {
        vec![
            count("handoffs, covered first", self.tally.kind("handoff")),
            count("slowest cover, microseconds", self.tally.slowest_cover_us),
        ]
    }

    fn kinds(&self) -> Vec<Count> {
        let kind = |(kind, many): (&String, &u64)| count(&format!("entries: {}", escape(kind)), *many);
        self.tally.kinds.iter().map(kind).collect()
    }

    fn anchors(&self) -> Vec<Count> {
        vec![
            count("checkpoints said to be kept elsewhere", self.tally.kind("anchored")),
            count(
                "entries that the largest of them covers",
                self.tally.keeping.highest().unwrap_or_default(),
            ),
        ]
    }

    pub(super) fn refused(&self) -> Vec<Count> {
        vec![
            count("refused: a wrong PIN or a refused badge", self.tally.kind("denied")),
            count("badges disabled after wrong PINs", self.tally.kind("disabled")),
            count("badges shown that are on no roster", self.tally.kind("badge-unknown")),
        ]
    }

    fn access(&self) -> Vec<Control> {
        let (tally, o) = (self.tally, self.odd);
        let late = ("the cover took longer than a second", &o.covered_late);
        let without_end = ("a session has no end in the ledger before the next one", &o.without_end);
        let [waits, fails] = self.still_held();
        let nist = |id, title, evidence, counts, exceptions, not_shown| Control {
            framework: NIST,
            id,
            title,
            evidence,
            counts,
            exceptions,
            not_shown,
        };
        vec![
            nist(
                "AC-7",
                "Unsuccessful Logon Attempts",
                "each wrong PIN is an entry; after too many in a row the badge is disabled until a supervisor or IT enables it",
                self.refused(),
                odd(&[(
                    "somebody was let in whose badge was disabled, and no entry enables it",
                    &o.disabled_let_in,
                )]),
                "the limits themselves: they stand in the policy, whose hash each handoff names; break-glass codes are slowed down, never disabled",
            ),
            nist(
                "AC-10",
                "Concurrent Session Control",
                "a station has one session; the next opens after the handoff of the one before",
                self.sessions(),
                odd(&[("a session opened while another was open", &o.opened_beside)]),
                "sessions of the same operator at other stations, and inside the apps' servers",
            ),
            nist(
                "AC-11",
                "Device Lock",
                "whenever control ends the session is covered before anything else, and destroyed",
                [self.covers(), self.ended()].concat(),
                odd(&[late, without_end]),
                "whether a person left without taking the badge, before the idle time was over",
            ),
            nist(
                "AC-11(1)",
                "Device Lock | Pattern-hiding Displays",
                "the display server has confirmed that nothing of the session is shown",
                self.covers(),
                odd(&[late]),
                "what a camera or a bystander saw before; remote displays",
            ),
            nist(
                "AC-12",
                "Session Termination",
                "each session ends in a handoff that destroys it and says why, and ends where the policy signed it in",
                [
                    self.ended(),
                    vec![count("apps open at the end", tally.apps), count("of these forced", tally.forced)],
                    self.signed_out(),
                ]
                .concat(),
                odd(&[
                    without_end,
                    ("a handoff ended a session that was not open", &o.end_of_nothing),
                    waits,
                    fails,
                ]),
                "sessions on an app's server that the policy knows nothing of: whoever signed in there by hand",
            ),
            nist(
                "IA-11",
                "Re-authentication",
                "each session is opened anew by badge and PIN; none is unlocked",
                [
                    self.sessions(),
                    vec![count("handoffs of sessions proved below AAL2", tally.pin_below_aal2)],
                ]
                .concat(),
                odd(&[
                    ("a session opened without saying for whom", &o.nobody),
                    ("a session opened with a break-glass code in place of badge and PIN", &o.break_glass),
                ]),
                "that the person is the one on the roster: a badge's identifier can be copied, and with a PIN it is below AAL2",
            ),
            nist(
                "SC-4",
                "Information in Shared System Resources",
                "after each session gates look for 28 classes of traces and say what each saw and how",
                [self.gates(), vec![count("slowest to clean, microseconds", tally.slowest_clean_us)]]
                    .concat(),
                odd(&[
                    ("a handoff whose gates found something or could not look", &o.not_clean),
                    ("the station was not proved clean, and was barred", &o.quarantine),
                    ("a session opened that no clean handoff stands before", &o.opened_unproved),
                    ("break-glass opened a station that was not proved clean", &o.break_glass_unclean),
                    ("a drill was not clean", &o.drill_wanting),
                ]),
                "directories that the policy shares; freed memory and swap, which are told as settings of the host; traces outside the 28 classes",
            ),
            nist(
                "SC-23(1)",
                "Session Authenticity | Invalidate Session Identifiers at Logout",
                "each token, provider's session and call of a session, with how far its end had come and how that is known; later ends are entries of their own",
                self.signed_out(),
                odd(&[waits, fails]),
                "what a provider does not say: an acknowledgement is its word, and introspection its view",
            ),
            nist(
                "SC-24",
                "Fail in Known State",
                "after a fault, a crash or a start there is a clean-up first; what is not proved clean is barred",
                vec![
                    count("starts", tally.kind("started")),
                    count("handoffs after a crash", tally.triggers(&["recovery"])),
                    count("handoffs after a fault", tally.triggers(&["fault", "reader-lost"])),
                    count("quarantines", o.quarantine.count),
                    count("releases by a supervisor", tally.kind("released")),
                ],
                odd(&[
                    ("a session opened that no clean handoff stands before", &o.opened_unproved),
                    ("break-glass opened a station that was not proved clean", &o.break_glass_unclean),
                ]),
                "what the host did while the shell did not run",
            ),
        ]
    }

    fn retention(&self) -> Vec<Count> {
        let tally = self.tally;
        let mut counts = vec![
            count("entries whose text was pruned", tally.pruned),
            count("entries that say what was pruned", tally.kind("pruned")),
        ];
        if let Some(below) = tally.keeping.below() {
            counts.push(count("entries of the checkpoint kept elsewhere that they lie below", below));
        }
        counts.extend(self.anchors());
        counts
    }

    fn audit(&self) -> Vec<Control> {
        let (tally, o) = (self.tally, self.odd);
        let chain = [
            ("verifying the ledger found this entry first", &self.broken),
            ("an entry does not follow from the one before", &o.unlinked),
            ("an entry is missing before this one", &o.missing),
            ("an entry cannot be read", &o.unreadable),
        ];
        let nist = |id, title, evidence, counts, exceptions, not_shown| Control {
            framework: NIST,
            id,
            title,
            evidence,
            counts,
            exceptions,
            not_shown,
        };
        let signed = vec![count("entries, each a leaf under a signed checkpoint", tally.entries)];
        vec![
            nist(
                "AU-8",
                "Time Stamps",
                "each entry has UTC to the millisecond, the time since boot and the boot's own id",
                vec![count("entries", tally.entries), count("boots", size(tally.boots.len()))],
                odd(&[("the wall clock went backwards", &o.clock_back)]),
                "that the wall clock is right: its source is the host's",
            ),
            nist(
                "AU-9(3)",
                "Protection of Audit Information | Cryptographic Protection",
                "RFC 6962 tree over all entries, its head signed with Ed25519 in the same transaction",
                [signed.clone(), self.anchors()].concat(),
                odd(&chain),
                "a tail that was cut off together with its checkpoints, or a ledger rewritten by whoever has the station's key: keep a checkpoint elsewhere",
            ),
            nist(
                "AU-10",
                "Non-repudiation",
                "who came, went, was refused, changed or read, signed by the station",
                [signed, vec![count("operators named", size(tally.operators.len()))]].concat(),
                odd(&[chain[0], chain[1], ("break-glass names a code, not a person", &o.break_glass)]),
                "a signature of the operator's own: the station signs, and vouches for badge and PIN",
            ),
            nist(
                "AU-11",
                "Audit Record Retention",
                "entries keep their text for ever, or as long as the policy says; then it is given up below a checkpoint that is kept elsewhere, and the hash stays",
                self.retention(),
                odd(&[
                    ("text is missing, and no entry says that it was pruned", &self.unsaid),
                    (
                        "pruned below a checkpoint of which no entry says that it is kept elsewhere",
                        &self.unanchored,
                    ),
                    ("it names no checkpoint over entries before it", &o.pruned_wrong),
                ]),
                "how long a law or a contract asks for; that a checkpoint still is where it was said to be kept",
            ),
            nist(
                "AU-12",
                "Audit Record Generation",
                "an entry for everything that matters, durable before the station goes on",
                [self.kinds(), vec![count("entries whose text was pruned", tally.pruned)]].concat(),
                odd(&[
                    ("entries could not be written when they happened, and are told here", &o.discontinuity),
                    chain[2],
                ]),
                "what happens inside an app: its own audit log tells",
            ),
        ]
    }

    fn csf_and_zero_trust(&self) -> Vec<Control> {
        let (tally, o) = (self.tally, self.odd);
        let csf = |id, title, evidence, counts, exceptions, not_shown| Control {
            framework: CSF,
            id,
            title,
            evidence,
            counts,
            exceptions,
            not_shown,
        };
        let mut controls = vec![
            csf(
                "PR.AA-01",
                "Identities and credentials for authorized users, services, and hardware are managed by the organization",
                "each change of roster and key, with who made it and the hashes before and after",
                vec![
                    count("changes of the roster", tally.kind("roster")),
                    count("of these removals", tally.removed),
                    count("changes of the station's key", tally.kind("key")),
                ],
                odd(&[("a badge was shown that is on no roster", &o.unknown_badge)]),
                "that the roster is right: who should be on it is known elsewhere",
            ),
            csf(
                "PR.AA-03",
                "Users, services, and hardware are authenticated",
                "each session names its operator and how she was proved",
                [self.sessions(), self.refused()].concat(),
                odd(&[
                    ("a session opened without saying for whom", &o.nobody),
                    ("a session opened with a break-glass code in place of badge and PIN", &o.break_glass),
                ]),
                "authentication to the apps themselves",
            ),
            csf(
                "PR.AA-05",
                "Access permissions, entitlements, and authorizations are defined in a policy, managed, enforced, and reviewed (formerly PR.AC-4)",
                "each policy by its hash and when it came; sessions that ended because a time or a right was over; readings of the log",
                vec![
                    count("changes of the policy", tally.kind("policy")),
                    count(
                        "sessions ended by their time or by revocation",
                        tally.triggers(&["expired", "revoked"]),
                    ),
                    count("readings of the log", tally.kind("viewed")),
                ],
                odd(&[(
                    "somebody was let in whose badge was disabled, and no entry enables it",
                    &o.disabled_let_in,
                )]),
                "permissions inside the apps; that anybody has reviewed the policy",
            ),
        ];
        controls.push(csf(
            "PR.DS-01",
            "The confidentiality, integrity, and availability of data-at-rest are protected",
            "the log cannot be altered unseen: tree, chain and signatures, and checkpoints that are kept elsewhere",
            [vec![count("entries", tally.entries)], self.anchors()].concat(),
            odd(&[
                ("verifying the ledger found this entry first", &self.broken),
                ("text is missing, and no entry says that it was pruned", &self.unsaid),
            ]),
            "confidentiality and availability; data of the apps, of which the station keeps none",
        ));
        controls.push(Control {
            framework: ZERO_TRUST,
            id: "2.1 (3)",
            title: "Access to individual enterprise resources is granted on a per-session basis",
            evidence: "no trust is carried over from an earlier login: each session begins in a new capsule, after a clean handoff, with badge and PIN",
            counts: [self.sessions(), vec![count("handoffs", tally.kind("handoff"))]].concat(),
            exceptions: odd(&[
                ("a session opened while another was open", &o.opened_beside),
                ("a session opened that no clean handoff stands before", &o.opened_unproved),
                ("break-glass opened a station that was not proved clean", &o.break_glass_unclean),
            ]),
            not_shown: "decisions of a policy engine for each request: the station decides for each session",
        });
        controls
    }

    fn hipaa(&self) -> Vec<Control> {
        let (tally, o) = (self.tally, self.odd);
        let hipaa = |id, title, evidence, counts, exceptions, not_shown| Control {
            framework: HIPAA,
            id,
            title,
            evidence,
            counts,
            exceptions,
            not_shown,
        };
        let code = ("break-glass names a code, not a person", &o.break_glass);
        vec![
            hipaa(
                "164.312(a)(2)(i)",
                "Unique user identification",
                "each session has one operator of the roster, by key and name",
                [vec![count("operators named", size(tally.operators.len()))], self.sessions()].concat(),
                odd(&[("a session opened without saying for whom", &o.nobody), code]),
                "the account under which an app works on its server",
            ),
            hipaa(
                "164.312(a)(2)(ii)",
                "Emergency access procedure",
                "break-glass: by which code, when, why, and what was not proved clean",
                vec![count("emergency accesses", tally.kind("break-glass"))],
                odd(&[("no reason was given", &o.break_glass_without_reason)]),
                "that sealed codes were renewed after use",
            ),
            hipaa(
                "164.312(a)(2)(iii)",
                "Automatic logoff",
                "sessions that the station ended because nobody was there any more",
                vec![
                    count("nobody touched the station", tally.triggers(&["idle"])),
                    count("the badge was taken away", tally.triggers(&["badge-out"])),
                    count("the time was over", tally.triggers(&["expired"])),
                    count(
                        "the reader was lost or the machine slept",
                        tally.triggers(&["reader-lost", "suspend"]),
                    ),
                ],
                odd(&[("a session has no end in the ledger before the next one", &o.without_end)]),
                "logoff on an app's server that the policy does not sign in at",
            ),
            hipaa(
                "164.312(b)",
                "Audit controls",
                "the ledger itself, and who has read it on the station",
                [vec![count("readings of the log on the station", tally.kind("viewed"))], self.kinds()]
                    .concat(),
                odd(&[(
                    "entries could not be written when they happened, and are told here",
                    &o.discontinuity,
                )]),
                "activity in systems that hold health information: the apps' own logs; that anybody examines the log",
            ),
            hipaa(
                "164.312(c)(1)",
                "Integrity",
                "the evidence cannot be altered unseen: tree, chain and signatures, and checkpoints that are kept elsewhere",
                [vec![count("entries", tally.entries)], self.anchors()].concat(),
                odd(&[
                    ("verifying the ledger found this entry first", &self.broken),
                    ("an entry does not follow from the one before", &o.unlinked),
                    ("an entry is missing before this one", &o.missing),
                ]),
                "integrity of health information: the station holds none",
            ),
            hipaa(
                "164.312(d)",
                "Person or entity authentication",
                "each session is opened by badge and PIN, and says how strong that was",
                [
                    self.sessions(),
                    vec![count("handoffs of sessions proved below AAL2", tally.pin_below_aal2)],
                ]
                .concat(),
                odd(&[code]),
                "identity proofing when the badge was issued",
            ),
        ]
    }
}
