//! OCSF 1.6.0 events, the first version that knows an account switch. Each entry has the class that fits
//! it best; what fits none is a base event, told as `Other`:
//!
//! | entry | class | activity |
//! |---|---|---|
//! | opened, denied, badge-unknown, break-glass | 3002 Authentication | 1 Logon |
//! | handoff | 3002 | 2 Logoff; 7 Account Switch in a takeover: `actor` had the station, `user` takes it |
//! | settled | 3002 | 2 Logoff, of the providers' services |
//! | disabled | 3001 Account Change | 5 Disable |
//! | roster, policy, key | 3004 Entity Management | 3 Update |
//! | viewed, anchored, exported | 3004 | 2 Read |
//! | annotated, attested | 3004 | 3 Update |
//! | pruned | 3004 | 4 Delete |
//! | quarantine, released | 2004 Detection Finding | 1 Create, 3 Close |
//! | started, stopped, restarted | 6002 Application Lifecycle | 3 Start, 4 Stop, 5 Restart |
//! | handoff of nobody's session, drill, discontinuity, anything newer | 0 Base Event | 99 Other |
//!
//! A badge's identifier and a PIN are never told as more than one factor (`is_mfa` is false).

use serde_json::{Map, Value, json};

use super::{Item, Outcome, Weight, by_itself, deed, instant, outcome, weight};
use crate::evidence::checkpoint::origin;
use crate::evidence::receipt::{Receipt, Who};
use crate::evidence::tokens::TokenFacts;
use crate::evidence::words::escape;

/// The version of the schema.
const VERSION: &str = "1.6.0";

/// A class and an activity, by numbers and captions.
struct Class {
    uid: u32,
    name: &'static str,
    category: u32,
    category_name: &'static str,
    activity: u32,
    activity_name: &'static str,
}

/// The event of an entry.
#[must_use]
pub fn event(entry: &Item<'_>) -> Value {
    let receipt = entry.receipt;
    let class = class(receipt);
    let (severity_id, severity) = match weight(receipt) {
        Weight::Ordinary | Weight::Notice => (1, "Informational"),
        Weight::Refused => (2, "Low"),
        Weight::Wanting => (3, "Medium"),
        Weight::Alarm => (4, "High"),
    };
    let mut event = json!({
        "metadata": {
            "version": VERSION,
            "profiles": ["host"],
            "product": product(),
            "log_name": "handoff log",
            "log_provider": "cleanshift",
            "uid": entry.leaf(),
            "sequence": receipt.index,
            "original_time": escape(&receipt.at.utc),
        },
        "category_uid": class.category,
        "category_name": class.category_name,
        "class_uid": class.uid,
        "class_name": class.name,
        "activity_id": class.activity,
        "activity_name": class.activity_name,
        "type_uid": class.uid * 100 + class.activity,
        "type_name": format!("{}: {}", class.name, class.activity_name),
        "severity_id": severity_id,
        "severity": severity,
        "time": instant(&receipt.at).as_millisecond(),
        "message": entry.sentence(),
        "device": device(receipt),
    });
    let fields = match class.uid {
        3002 if receipt.kind == "settled" => signed_out(receipt),
        3002 => authentication(receipt),
        3001 => json!({ "user": user(receipt.operator.as_ref()) }),
        3004 => managed(receipt),
        2004 => finding(entry),
        6002 => json!({ "app": product() }),
        _ => json!({}),
    };
    let finding = class.uid == 2004;
    if !finding {
        let (id, status) = match outcome(receipt) {
            Outcome::Success => (1, "Success"),
            Outcome::Refused | Outcome::Failed => (2, "Failure"),
        };
        event["status_id"] = json!(id);
        event["status"] = json!(status);
    }
    if !receipt.note.is_empty() {
        event["status_detail"] = json!(escape(&receipt.note));
    }
    if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
        event.extend(fields);
    }
    if let Some(facts) = receipt.finished() {
        event["start_time"] = json!(instant(&facts.began).as_millisecond());
        event["end_time"] = json!(instant(&receipt.at).as_millisecond());
        event["duration"] = json!(facts.clean_after_us / 1000);
    }
    let unmapped: Map<String, Value> =
        entry.facts().into_iter().map(|(name, fact)| (name.to_owned(), fact.value())).collect();
    event["unmapped"] = Value::Object(unmapped);
    event
}

fn class(receipt: &Receipt) -> Class {
    let iam = |uid, name, activity, activity_name| Class {
        uid,
        name,
        category: 3,
        category_name: "Identity & Access Management",
        activity,
        activity_name,
    };
    let found = |activity, activity_name| Class {
        uid: 2004,
        name: "Detection Finding",
        category: 2,
        category_name: "Findings",
        activity,
        activity_name,
    };
    let application = |activity, activity_name| Class {
        uid: 6002,
        name: "Application Lifecycle",
        category: 6,
        category_name: "Application Activity",
        activity,
        activity_name,
    };
    let handoff = receipt.finished();
    match receipt.kind.as_str() {
        "opened" | "denied" | "badge-unknown" | "break-glass" => iam(3002, "Authentication", 1, "Logon"),
        "handoff" if receipt.operator.is_none() => base(),
        "handoff" if handoff.is_some_and(|facts| facts.incoming.is_some()) => {
            iam(3002, "Authentication", 7, "Account Switch")
        }
        "handoff" | "settled" => iam(3002, "Authentication", 2, "Logoff"),
        "disabled" => iam(3001, "Account Change", 5, "Disable"),
        "roster" | "policy" | "key" | "annotated" | "attested" => iam(3004, "Entity Management", 3, "Update"),
        "viewed" | "anchored" | "exported" => iam(3004, "Entity Management", 2, "Read"),
        "pruned" => iam(3004, "Entity Management", 4, "Delete"),
        "quarantine" => found(1, "Create"),
        "released" => found(3, "Close"),
        "started" => application(3, "Start"),
        "stopped" => application(4, "Stop"),
        "restarted" => application(5, "Restart"),
        _ => base(),
    }
}

fn base() -> Class {
    Class {
        uid: 0,
        name: "Base Event",
        category: 0,
        category_name: "Uncategorized",
        activity: 99,
        activity_name: "Other",
    }
}

fn product() -> Value {
    json!({ "name": "Cleanshift", "vendor_name": "Cleanshift", "version": env!("CARGO_PKG_VERSION") })
}

fn device(receipt: &Receipt) -> Value {
    let (name, uid) = (escape(&receipt.station), origin(&receipt.station));
    json!({ "type_id": 2, "type": "Desktop", "name": name, "uid": uid })
}

/// A badge that is on no roster is somebody's, and nobody knows whose.
fn user(who: Option<&Who>) -> Value {
    match who {
        Some(who) => json!({
            "uid": escape(&who.key),
            "name": escape(&who.key),
            "full_name": escape(&who.name),
            "type_id": 1,
            "type": "User",
            "groups": [{ "name": escape(&who.role) }],
        }),
        None => json!({ "name": "unknown", "type_id": 0, "type": "Unknown" }),
    }
}

fn authentication(receipt: &Receipt) -> Value {
    let incoming = receipt.finished().and_then(|facts| facts.incoming.as_ref());
    let protocol =
        if receipt.kind == "break-glass" { "break-glass code" } else { "badge identifier and PIN" };
    let mut fields = json!({
        "user": user(receipt.operator.as_ref()),
        "service": { "name": "Cleanshift", "uid": origin(&receipt.station) },
        "auth_protocol_id": 99,
        "auth_protocol": protocol,
        "logon_type_id": 2,
        "logon_type": "Interactive",
        "is_mfa": false,
        "is_remote": false,
    });
    if let Some(incoming) = incoming {
        fields["actor"] = json!({ "user": user(receipt.operator.as_ref()) });
        fields["user"] = user(Some(incoming));
        fields["account_switch_type_id"] = json!(99);
        fields["account_switch_type"] = json!("takeover");
    }
    if let Some(opened) = receipt.finished().and_then(|facts| facts.opened.as_ref()) {
        fields["session"] = json!({
            "created_time": instant(opened).as_millisecond(),
            "is_remote": false,
            "terminal": escape(&receipt.station),
        });
    }
    fields
}

/// What a session held elsewhere has ended there.
fn signed_out(receipt: &Receipt) -> Value {
    let joined = |of: fn(&TokenFacts) -> &str| {
        let mut found: Vec<String> = Vec::new();
        for token in &receipt.tokens {
            let told = escape(of(token));
            if !found.contains(&told) {
                found.push(told);
            }
        }
        found.join(", ")
    };
    json!({
        "user": user(receipt.operator.as_ref()),
        "service": { "name": joined(|token| &token.provider), "uid": joined(|token| &token.issuer) },
        "is_remote": true,
    })
}

fn managed(receipt: &Receipt) -> Value {
    let named = |by: &str| json!({ "user": { "uid": escape(by), "name": escape(by) } });
    let Some(change) = &receipt.change else {
        let log = json!({ "name": "handoff log", "type": "log", "type_id": 99 });
        let Some((by, deed)) = deed(receipt) else {
            return json!({ "entity": log, "actor": { "user": user(receipt.operator.as_ref()) } });
        };
        let itself = json!({ "app_name": "Cleanshift", "app_uid": origin(&receipt.station) });
        let actor = if by_itself(receipt) { itself } else { named(by) };
        return json!({ "entity": log, "actor": actor, "comment": escape(&deed) });
    };
    let (type_id, kind) = if receipt.kind == "policy" { (5, "Policy") } else { (99, receipt.kind.as_str()) };
    let entity = |hash: &str| {
        let name = escape(&receipt.kind);
        json!({ "name": name, "type": escape(kind), "type_id": type_id, "version": escape(hash) })
    };
    json!({
        "actor": named(&change.by),
        "entity": entity(&change.before),
        "entity_result": entity(&change.after),
        "comment": escape(&change.deed),
    })
}

/// That a station is not clean is one finding, which is created and closed again and again.
fn finding(entry: &Item<'_>) -> Value {
    let receipt = entry.receipt;
    let (status_id, status) = if receipt.kind == "quarantine" { (1, "New") } else { (4, "Resolved") };
    json!({
        "status_id": status_id,
        "status": status,
        "finding_info": {
            "uid": format!("{}/quarantine", origin(&receipt.station)),
            "title": "The station is not proved clean",
            "desc": entry.sentence(),
            "types": ["session residue"],
        },
    })
}
