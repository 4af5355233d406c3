//! Field by field: equal or not.

use serde_json::Value;

/// A field of the report and the pointer to it.
pub(crate) const FIELDS: [(&str, &str); 17] = [
    ("eventSource", "/eventSource"),
    ("eventName", "/eventName"),
    ("readOnly", "/readOnly"),
    ("eventCategory", "/eventCategory"),
    ("managementEvent", "/managementEvent"),
    ("errorCode", "/errorCode"),
    ("errorMessage", "/errorMessage"),
    ("requestParameters", "/requestParameters"),
    ("responseElements", "/responseElements"),
    ("resources", "/resources"),
    ("userIdentity", "/userIdentity"),
    ("awsRegion", "/awsRegion"),
    ("sourceIPAddress", "/sourceIPAddress"),
    ("userAgent", "/userAgent"),
    ("requestID", "/requestID"),
    ("recipientAccountId", "/recipientAccountId"),
    ("additionalEventData", "/additionalEventData"),
];

/// Whether a field can be compared at all: old versions do not have all, and some values cannot be rebuilt.
pub(crate) fn applies(field: &str, record: &Value) -> bool {
    let old = record.get("eventVersion").and_then(Value::as_str).is_none_or(|version| version < "1.05");
    match field {
        "readOnly" | "eventCategory" | "managementEvent" | "recipientAccountId" | "requestID" => {
            record.get(field).is_some()
        }
        // A service calling for somebody names itself here; the recorder sees addresses.
        "sourceIPAddress" => {
            record.get(field).and_then(Value::as_str).is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok())
        }
        "userAgent" => record.get(field).is_some() && !old,
        "additionalEventData" => record.get("eventSource").and_then(Value::as_str) == Some("s3.amazonaws.com") && !old,
        _ => true,
    }
}

/// Whether both are the same, as JSON: members in any order, `89.0` as `89`.
pub(crate) fn same(field: &str, expected: Option<&Value>, actual: Option<&Value>) -> bool {
    // Until version 1.09 objects without members stood in identities (§3.1).
    if let ("userIdentity", Some(expected), Some(actual)) = (field, expected, actual) {
        return equal(&without_empties(expected), &without_empties(actual));
    }
    if field == "eventCategory" {
        return expected == actual;
    }
    match (expected, actual) {
        // A message that the service left empty.
        (Some(Value::String(text)), None) if text.is_empty() => true,
        (Some(expected), Some(actual)) => equal(expected, actual),
        (None | Some(Value::Null), None | Some(Value::Null)) => true,
        _ => false,
    }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|found| equal(value, found)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
        }
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// Without members that are objects without members.
pub(crate) fn without_empties(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().map(|(key, value)| (key.clone(), without_empties(value)));
            Value::Object(kept.filter(|(_, value)| value.as_object().is_none_or(|inner| !inner.is_empty())).collect())
        }
        other => other.clone(),
    }
}
