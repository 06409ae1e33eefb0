//! The same for identities that are no person's: the OWASP NHI Top 10 2025.

use super::map::{Numbered, count, odd, size};
use super::{Control, Elsewhere};

const NHI: &str = "OWASP NHI Top 10 2025";

/// What a station is no evidence for.
pub(super) const NONE: [Elsewhere; 3] = [
    Elsewhere {
        framework: NHI,
        id: "NHI3:2025",
        title: "Vulnerable Third-Party NHI",
        why: "a station does not know the service accounts of the apps that it starts",
    },
    Elsewhere {
        framework: NHI,
        id: "NHI5:2025",
        title: "Overprivileged NHI",
        why: "what an app's own account may do on a server is decided there",
    },
    Elsewhere {
        framework: NHI,
        id: "NHI6:2025",
        title: "Insecure Cloud Deployment Configurations",
        why: "a station is deployed in no cloud",
    },
];

impl Numbered<'_> {
    pub(super) fn nhi(&self) -> Vec<Control> {
        let (tally, o) = (self.tally, self.odd);
        let nhi = |id, title, evidence, counts, exceptions, not_shown| Control {
            framework: NHI,
            id,
            title,
            evidence,
            counts,
            exceptions,
            not_shown,
        };
        let secrets = &tally.secrets;
        let [waits, fails] = self.still_held();
        vec![
            nhi(
                "NHI1:2025",
                "Improper Offboarding",
                "removals from the roster, and badges that were tried on after",
                vec![count("removals from the roster", tally.removed)],
                odd(&[("a badge was shown that is on no roster", &o.unknown_badge)]),
                "stations and service accounts that were given up elsewhere",
            ),
            nhi(
                "NHI2:2025",
                "Secret Leakage",
                "after each session gates look for secrets: keyring, kernel keys, key agents, tickets, browser profiles",
                vec![
                    count("secrets, absent", size(secrets.absent)),
                    count("secrets, not here", size(secrets.not_here)),
                    count("secrets, present", size(secrets.present)),
                    count("secrets, unknown", size(secrets.unknown)),
                ],
                odd(&[("a gate for secrets found some or could not look", &o.secrets)]),
                "secrets that an app sent elsewhere or wrote into a shared directory",
            ),
            nhi(
                "NHI4:2025",
                "Insecure Authentication",
                "a badge's identifier alone opens nothing: the PIN is always asked",
                self.refused(),
                odd(&[("a session opened without saying for whom", &o.nobody)]),
                "how apps authenticate to servers",
            ),
            nhi(
                "NHI7:2025",
                "Long-Lived Secrets",
                "a session's secrets live in its capsule and end with it, its tokens at their providers too; each change of the station's key is an entry",
                [
                    vec![
                        count("handoffs", tally.kind("handoff")),
                        count("changes of the station's key", tally.kind("key")),
                    ],
                    self.signed_out(),
                ]
                .concat(),
                odd(&[("a gate for secrets found some or could not look", &o.secrets), waits, fails]),
                "tokens that an app got by itself; when the station's key ought to be changed",
            ),
            nhi(
                "NHI8:2025",
                "Environment Isolation",
                "drills are entries of their own and cannot be taken for a day's work",
                vec![count("drills", tally.kind("drill"))],
                odd(&[("a drill was not clean", &o.drill_wanting)]),
                "which servers, of tests or of patients, an app reached",
            ),
            nhi(
                "NHI9:2025",
                "NHI Reuse",
                "the station signs with a key of its own, which the first entry names",
                vec![count("changes of the station's key", tally.kind("key"))],
                Vec::new(),
                "that no other station was given the same key: compare their `log key`",
            ),
            nhi(
                "NHI10:2025",
                "Human Use of NHI",
                "the shared account of the workstation does nothing by itself: each session has one operator's name",
                [self.sessions(), vec![count("operators named", size(tally.operators.len()))]].concat(),
                odd(&[
                    ("a session opened without saying for whom", &o.nobody),
                    ("break-glass names a code, not a person", &o.break_glass),
                ]),
                "people who use the host's account beside the shell",
            ),
        ]
    }
}
