//! ListPublicKeys: what digests of a Region are verified with (`reference/integrity.md` §4).

use super::error::ApiError;
use super::input::Input;
use super::output::epoch_seconds;
use super::reads::value;
use registry::{SigningKey, Versioned};
use serde::Serialize;
use serde_json::Value;

/// Keys on one page. A Region gets a new one every four weeks, so that a page holds several years.
const PAGE: usize = 100;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    public_key_list: Vec<Key<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Key<'a> {
    value: &'a str,
    validity_start_time: f64,
    validity_end_time: f64,
    fingerprint: &'a str,
}

/// The keys of the Region that are valid at some time of the range, oldest first; without a range, those valid now. One
/// bound alone leaves the other side open.
///
/// # Errors
/// `InvalidTimeRangeException`, `InvalidTokenException`, members of the wrong type.
pub(crate) fn list(
    keys: &[Versioned<SigningKey>],
    input: &Input,
    region: &str,
    now_ms: u64,
) -> Result<Value, ApiError> {
    let (start, end) = (input.timestamp("StartTime")?, input.timestamp("EndTime")?);
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(ApiError::new("InvalidTimeRangeException", "The start time is after the end time."));
    }
    let (start, end) = match (start, end) {
        (None, None) => (epoch_seconds(now_ms), epoch_seconds(now_ms)),
        (start, end) => (start.unwrap_or(f64::MIN), end.unwrap_or(f64::MAX)),
    };
    let is_asked_for = |key: &&Versioned<SigningKey>| {
        key.region == region && epoch_seconds(key.valid_from_ms) <= end && epoch_seconds(key.valid_to_ms) >= start
    };
    let mut found: Vec<&Versioned<SigningKey>> = keys.iter().filter(is_asked_for).collect();
    found.sort_by(|a, b| (a.valid_from_ms, &a.fingerprint).cmp(&(b.valid_from_ms, &b.fingerprint)));
    let after = match input.text("NextToken")? {
        None => 0,
        // The token names the last key of the page before: keys are kept for ever, so it stays good.
        Some(token) => {
            let at = found.iter().position(|key| key.fingerprint == token);
            at.ok_or_else(|| ApiError::new("InvalidTokenException", "The token is not one of ours."))? + 1
        }
    };
    let page = found.get(after..).unwrap_or_default();
    let next_token = page.get(PAGE).and(page.get(PAGE - 1)).map(|key| key.fingerprint.clone());
    let public_key_list = page.iter().take(PAGE).map(|found| key_of(found)).collect();
    value(&Output { public_key_list, next_token })
}

fn key_of(key: &Versioned<SigningKey>) -> Key<'_> {
    Key {
        value: &key.document.public_key,
        validity_start_time: epoch_seconds(key.valid_from_ms),
        validity_end_time: epoch_seconds(key.valid_to_ms),
        fingerprint: &key.document.fingerprint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Version;
    use serde_json::json;
    use std::sync::Arc;

    const DAY: u64 = 24 * 3600 * 1000;

    fn keys(count: u64) -> Vec<Versioned<SigningKey>> {
        let key = |number: u64| SigningKey {
            region: if number.is_multiple_of(2) { "eu-west-1" } else { "us-east-1" }.to_owned(),
            fingerprint: format!("{number:032x}"),
            public_key: "MIIB".to_owned(),
            sealed_private_key: "never shown".to_owned(),
            valid_from_ms: number * 10 * DAY,
            valid_to_ms: number * 10 * DAY + 30 * DAY,
        };
        // Not in the order of time.
        (0..count).rev().map(|number| Versioned { version: Version(1), document: Arc::new(key(number)) }).collect()
    }

    fn ask(keys: &[Versioned<SigningKey>], input: Value) -> Result<Value, ApiError> {
        list(keys, &Input::parse(input.to_string().as_bytes())?, "eu-west-1", 25 * DAY)
    }

    fn fingerprints(answer: &Value) -> Vec<u64> {
        let list = answer["PublicKeyList"].as_array().unwrap();
        list.iter().map(|key| u64::from_str_radix(key["Fingerprint"].as_str().unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn keys_are_those_of_the_region_whose_validity_meets_the_range() {
        let keys = keys(10);
        let answer = ask(&keys, json!({})).unwrap();
        assert_eq!(fingerprints(&answer), [0, 2], "valid on day 25");
        let first = &answer["PublicKeyList"][0];
        assert_eq!(
            first,
            &json!({"Value": "MIIB", "ValidityStartTime": 0.0, "ValidityEndTime": 2_592_000.0, "Fingerprint": "0".repeat(32)})
        );
        let days = |from: u64, to: u64| json!({"StartTime": from * DAY / 1000, "EndTime": to * DAY / 1000});
        assert_eq!(fingerprints(&ask(&keys, days(31, 39)).unwrap()), [2]);
        assert_eq!(fingerprints(&ask(&keys, days(30, 40)).unwrap()), [0, 2, 4], "bounds count");
        assert_eq!(fingerprints(&ask(&keys, json!({"StartTime": 100 * DAY / 1000})).unwrap()), [8]);
        assert_eq!(fingerprints(&ask(&keys, json!({"EndTime": 5 * DAY / 1000})).unwrap()), [0]);
        assert_eq!(ask(&keys, days(2, 1)).unwrap_err().code, "InvalidTimeRangeException");
    }

    #[test]
    fn pages_follow_one_another_and_foreign_tokens_are_refused() {
        let keys = keys(450);
        let all = json!({"StartTime": 0});
        let first = ask(&keys, all.clone()).unwrap();
        assert_eq!(fingerprints(&first).len(), PAGE);
        let mut seen = fingerprints(&first);
        let mut token = first["NextToken"].as_str().map(str::to_owned);
        while let Some(next) = token {
            let page = ask(&keys, json!({"StartTime": 0, "NextToken": next})).unwrap();
            seen.extend(fingerprints(&page));
            token = page["NextToken"].as_str().map(str::to_owned);
        }
        assert_eq!(seen, (0..450).step_by(2).collect::<Vec<_>>());
        assert_eq!(ask(&keys, json!({"NextToken": "guess"})).unwrap_err().code, "InvalidTokenException");
        assert!(!ask(&keys, all).unwrap().to_string().contains("never shown"));
    }
}
