//! The receipt of a handoff as the next operator may see it: what was done and found, and nobody's name
//! unless the policy says so.

use super::book::Gathering;
use super::scene::ReceiptScene;

/// What of a finished handoff is told to whoever comes next; `None` where its entry is not known.
pub(super) fn of(
    gathered: &Gathering,
    entry: Option<(u64, [u8; 32])>,
    show_names: bool,
) -> Option<ReceiptScene> {
    let (number, leaf) = entry?;
    let since = |us: Option<u64>| us.unwrap_or(gathered.began_us).saturating_sub(gathered.began_us);
    let apps = &gathered.closing.apps;
    Some(ReceiptScene {
        number,
        leaf,
        began_utc_ms: gathered.began.utc_ms,
        trigger: gathered.trigger.unwrap_or(crate::handoff::Trigger::FreshStart),
        covered_us: since(gathered.covered_us),
        clean_us: since(gathered.clean_us),
        apps: (apps.len(), apps.iter().filter(|(_, gracefully)| !gracefully).count()),
        proof: gathered.proof.clone(),
        gates: gathered.after.clone(),
        of_session: gathered.outgoing.is_some(),
        name: gathered.outgoing.as_ref().filter(|_| show_names).map(|person| person.name.clone()),
        checked: None,
    })
}
