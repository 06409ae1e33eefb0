//! A FHIR R4 bundle of `AuditEvent`s, in the manner of IHE BALP: the operator as `IRCP`, the station as
//! application (DCM 110150), the receipt as a security resource whose leaf and checkpoint are its
//! details. No profile is claimed: BALP 1.1 has none for people who come and go at a workstation.
//!
//! | entry | type | subtype | action | outcome |
//! |---|---|---|---|---|
//! | opened | 110114 User Authentication | 110122 Login | E | 0 |
//! | denied, badge-unknown | 110114 | 110122 | E | 4 minor failure |
//! | disabled | 110114 | 110122 | E | 8 serious failure |
//! | handoff of a session | 110114 | 110123 Logout | E | 0, 8 where not clean or a sign-in could not be ended |
//! | handoff of nobody's, drill | 110100 Application Activity | | E | 0, 8 where not clean |
//! | settled | 110114 | 110123 Logout | E | 0, 8 where a sign-in could not be ended |
//! | break-glass | 110113 Security Alert | 110127 Emergency Override Started, 110122 | E | 0 |
//! | quarantine | 110113 | | E | 8 |
//! | released | 110113 | 110135 Object Security Attributes Changed | U | 0 |
//! | roster | 110113 | 110137 User security Attributes Changed | U | 0 |
//! | policy, key | 110113 | 110129 Security Configuration | U | 0 |
//! | discontinuity | 110113 | 110133 Audit Recording Stopped, 110134 Started | E | 8 |
//! | viewed, anchored | 110101 Audit Log Used | | R | 0 |
//! | annotated, attested | 110101 | | U | 0 |
//! | pruned | 110101 | | D | 0 |
//! | exported | 110106 Export | | R | 0 |
//! | started | 110100 | 110120 Application Start | E | 0 |
//! | stopped, restarted | 110100 | 110121 Application Stop | E | 0 |
//!
//! Exactly one agent is the requestor: whoever began it. A session that ended because nobody touched the
//! station was ended by the station; in a takeover the incoming operator is an agent, and the requestor.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Item, Outcome, by_itself, deed, outcome, rfc3339};
use crate::evidence::checkpoint::origin;
use crate::evidence::receipt::{Receipt, Who};
use crate::evidence::words::escape;

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";

/// What stands before the first entry.
pub(super) fn before() -> String {
    r#"{"resourceType":"Bundle","type":"collection""#.to_owned()
}

/// An entry of the bundle. FHIR knows no empty list, so that the first one opens it.
pub(super) fn entry(entry: &Item<'_>, first: bool) -> String {
    let resource = audit_event(entry);
    let url = format!("urn:uuid:{}", uuid(entry.stored.leaf));
    let one = json!({ "fullUrl": url, "resource": resource });
    format!("{}\n{one}", if first { r#","entry":["# } else { "," })
}

/// What stands after the last entry.
pub(super) fn after(any: bool) -> &'static str {
    if any { "\n]}\n" } else { "}\n" }
}

/// The `AuditEvent` of an entry.
#[must_use]
pub fn audit_event(entry: &Item<'_>) -> Value {
    let receipt = entry.receipt;
    let (kind, subtypes, action) = codes(receipt);
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": uuid(entry.stored.leaf),
        "type": dcm(kind),
        "action": action,
        "recorded": rfc3339(&receipt.at),
        "outcome": match outcome(receipt) {
            Outcome::Success => "0",
            Outcome::Refused => "4",
            Outcome::Failed => "8",
        },
        "outcomeDesc": string(&entry.sentence()),
        "agent": agents(receipt),
        "source": {
            "site": string(&receipt.station),
            "observer": station(receipt),
            "type": [coding(SOURCE_TYPE, "1", "User Device")],
        },
        "entity": [entity(entry)],
    });
    if !subtypes.is_empty() {
        event["subtype"] = subtypes.iter().map(|code| dcm(code)).collect();
    }
    if let Some(facts) = receipt.finished() {
        event["period"] = json!({ "start": rfc3339(&facts.began), "end": rfc3339(&receipt.at) });
        // A clock that went back meanwhile makes no period.
        if facts.began.utc > receipt.at.utc {
            event["period"] = json!({ "start": rfc3339(&facts.began) });
        }
    }
    if receipt.kind == "break-glass" {
        let why = coding(REASON, "BTG", "break the glass");
        event["purposeOfEvent"] = json!([{ "coding": [why], "text": string(&receipt.note) }]);
    }
    without_empty(event)
}

fn codes(receipt: &Receipt) -> (&'static str, &'static [&'static str], &'static str) {
    match receipt.kind.as_str() {
        "opened" | "denied" | "badge-unknown" | "disabled" => ("110114", &["110122"], "E"),
        "handoff" if receipt.operator.is_some() => ("110114", &["110123"], "E"),
        "settled" => ("110114", &["110123"], "E"),
        "break-glass" => ("110113", &["110127", "110122"], "E"),
        "quarantine" => ("110113", &[], "E"),
        "released" => ("110113", &["110135"], "U"),
        "roster" => ("110113", &["110137"], "U"),
        "policy" | "key" => ("110113", &["110129"], "U"),
        "discontinuity" => ("110113", &["110133", "110134"], "E"),
        "viewed" | "anchored" => ("110101", &[], "R"),
        "annotated" | "attested" => ("110101", &[], "U"),
        "pruned" => ("110101", &[], "D"),
        "exported" => ("110106", &[], "R"),
        "started" => ("110100", &["110120"], "E"),
        "stopped" | "restarted" => ("110100", &["110121"], "E"),
        _ => ("110100", &[], "E"),
    }
}

/// The names that DICOM gives its codes (PS3.16, CID 400 and 401).
fn dcm(code: &str) -> Value {
    let display = match code {
        "110101" => "Audit Log Used",
        "110106" => "Export",
        "110113" => "Security Alert",
        "110114" => "User Authentication",
        "110120" => "Application Start",
        "110121" => "Application Stop",
        "110122" => "Login",
        "110123" => "Logout",
        "110127" => "Emergency Override Started",
        "110129" => "Security Configuration",
        "110133" => "Audit Recording Stopped",
        "110134" => "Audit Recording Started",
        "110135" => "Object Security Attributes Changed",
        "110137" => "User security Attributes Changed",
        "110150" => "Application",
        _ => "Application Activity",
    };
    coding(DCM, code, display)
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

// ---------------------------------------------------------------------------------------------
// Who
// ---------------------------------------------------------------------------------------------

fn agents(receipt: &Receipt) -> Value {
    let incoming = receipt.finished().and_then(|facts| facts.incoming.as_ref());
    let trigger = receipt.finished().map_or("", |facts| facts.trigger.as_str());
    // What an operator does with hand or badge; everything else the station does by itself.
    let by_operator = match receipt.kind.as_str() {
        "handoff" => matches!(trigger, "badge-out" | "tap-out" | "ended"),
        "quarantine" | "discontinuity" | "settled" => false,
        _ => true,
    };
    let mut agents = Vec::new();
    let mut asked = false;
    if let Some(who) = incoming {
        agents.push(person(who, true));
        asked = true;
    }
    if let Some(who) = &receipt.operator {
        let began = by_operator && !asked;
        agents.push(person(who, began));
        asked |= began;
    }
    if let Some((by, _)) = deed(receipt).filter(|_| !by_itself(receipt)) {
        let by = escape(by);
        agents.push(person(&Who { key: by.clone(), name: by, role: String::new() }, !asked));
        asked = true;
    }
    agents.push(json!({
        "type": { "coding": [dcm("110150")] },
        "who": station(receipt),
        "name": string(&format!("Cleanshift on {}", receipt.station)),
        "requestor": !asked,
    }));
    Value::Array(agents)
}

fn person(who: &Who, requestor: bool) -> Value {
    json!({
        "type": { "coding": [coding(PARTICIPATION, "IRCP", "information recipient")] },
        "role": [{ "text": string(&who.role) }],
        "who": { "identifier": { "value": string(&who.key) }, "display": string(&who.name) },
        "name": string(&who.name),
        "requestor": requestor,
    })
}

fn station(receipt: &Receipt) -> Value {
    json!({ "identifier": { "value": origin(&receipt.station) }, "display": string(&receipt.station) })
}

// ---------------------------------------------------------------------------------------------
// What
// ---------------------------------------------------------------------------------------------

fn entity(entry: &Item<'_>) -> Value {
    let receipt = entry.receipt;
    let mut details = Vec::new();
    for (name, fact) in entry.facts() {
        details.extend(fact.texts().iter().map(|value| detail(name, value)));
    }
    details.push(detail("utc", &escape(&receipt.at.utc)));
    let checkpoint = STANDARD.encode(entry.stored.checkpoint);
    details.push(json!({ "type": "checkpoint", "valueBase64Binary": checkpoint }));
    details.retain(|detail| detail.get("valueString") != Some(&json!("")));
    json!({
        "what": {
            "identifier": { "value": entry.leaf() },
            "display": string(&format!("Entry {} of the ledger of {}", receipt.index, receipt.station)),
        },
        "type": coding(ENTITY_TYPE, "4", "Other"),
        "role": coding(OBJECT_ROLE, "13", "Security Resource"),
        "name": string(&format!("receipt {}", receipt.index)),
        "detail": details,
    })
}

fn detail(name: &str, value: &str) -> Value {
    json!({ "type": name, "valueString": string(value) })
}

/// A FHIR string: no controls, no white space but the plain one (its own pattern allows no other), none
/// at either end.
fn string(text: &str) -> String {
    let plain = |character: char| if character.is_whitespace() { ' ' } else { character };
    escape(text).chars().map(plain).collect::<String>().trim().to_owned()
}

/// FHIR knows neither empty strings nor empty lists and objects: what has nothing to say is not there.
fn without_empty(value: Value) -> Value {
    let said = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
    };
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, without_empty(value)))
            .filter(|(_, value)| said(value))
            .collect(),
        Value::Array(list) => list.into_iter().map(without_empty).filter(said).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// A UUID of version 8 (RFC 9562): the first bytes of the leaf, so that the same entry has the same id in
/// every export.
fn uuid(leaf: &[u8]) -> String {
    let mut bytes = [0; 16];
    for (byte, of_leaf) in bytes.iter_mut().zip(leaf) {
        *byte = *of_leaf;
    }
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let (a, rest) = text.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_ids_are_as_fhir_wants_them() {
        assert_eq!(string("\u{a0}Zoë\u{2003}\u{202e}\n "), "Zoë \\u{202e}\\u{a}");
        assert_eq!(uuid(&[0xff; 32]), "ffffffff-ffff-8fff-bfff-ffffffffffff");
        let told = without_empty(json!({ "a": "", "b": [{ "c": "" }], "d": { "e": [] }, "f": false }));
        assert_eq!(told, json!({ "f": false }));
    }
}
