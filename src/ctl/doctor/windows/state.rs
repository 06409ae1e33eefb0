//! The station's own files: the policy, and its state.

use std::path::{Path, PathBuf};

use crate::ctl::doctor::report::Requirement;
use crate::platform::native::{places, private};
use crate::policy::{self, Policy};

/// All of them, and the policy where it is good.
pub(super) fn all(policy: Option<&Path>, state: Option<&Path>) -> (Vec<Requirement>, Option<Policy>) {
    let place = policy.map_or_else(places::policy, Path::to_owned);
    let (asked, policy) = policy_at(&place);
    let state = state.map_or_else(places::state, Path::to_owned);
    (vec![asked, state_at(&state)], policy)
}

fn policy_at(place: &PathBuf) -> (Requirement, Option<Policy>) {
    let shown = place.display();
    let asked = Requirement::of(
        "policy",
        "the policy",
        "it says who may do what here; without a good one the station does not open",
    );
    let check = format!("cleanshiftctl policy check \"{shown}\"");
    if !place.exists() {
        let mend = format!("copy POLICY.toml \"{shown}\"\n{check}");
        return (asked.bad(format!("there is no {shown}"), mend), None);
    }
    let switches = places::switches();
    match Policy::in_force(place, &switches) {
        Ok(policy) => {
            let set = if switches.is_empty() {
                String::new()
            } else {
                format!("; this machine's policies set {}", policy::named(&switches))
            };
            (asked.good(format!("{shown}{set}")), Some(policy))
        }
        Err(problems) => {
            let first = problems.list.first();
            let at = first.and_then(|problem| problems.position(problem));
            let at = at.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
            let what = first.map_or(String::new(), |problem| format!("{} ({})", problem.what, problem.help));
            let more = match problems.list.len() {
                0 | 1 => String::new(),
                all => format!("; and {} more", all - 1),
            };
            // What is wrong by a switch is good by the file alone.
            let mend = if switches.is_empty() {
                check
            } else {
                format!("reg query HKLM\\{}\ncleanshiftctl policy show\n{check}", places::POLICIES)
            };
            (asked.bad(format!("{}{at}: {what}{more}", problems.path), mend), None)
        }
    }
}

fn state_at(place: &Path) -> Requirement {
    let shown = place.display();
    let asked = Requirement::of(
        "state",
        "the station's state",
        "roster, receipts and keys lie there; whoever else can write there decides who opens the station",
    );
    match private::is_closed(place) {
        Ok(true) => asked.good(format!("{shown}, closed to others")),
        Ok(false) => asked.bad(format!("{shown} is open to other accounts"), private::remedy(place)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => asked.reduced(
            format!("there is no {shown} yet; the shell makes it when it starts"),
            "rem start the station",
        ),
        Err(error) => asked.unseen(format!("{shown}: {error}"), "rem run this as the station's account"),
    }
}
