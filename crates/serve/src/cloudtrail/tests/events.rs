//! LookupEvents: the checks before, the response after.

use super::*;
use crate::seams::{HistoryEvent, HistoryResource, LookupAttribute};
use event::Event;

/// What history was asked for by a call that was accepted.
fn asked(api: &Api, body: Value) -> HistoryQuery {
    api.ok("LookupEvents", body);
    api.past.asked.lock().unwrap().pop().unwrap()
}

fn by(key: &str, value: &str) -> Value {
    json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]})
}

#[test]
fn all_eight_attributes_are_asked_for() {
    let api = Api::new();
    for (key, attribute) in [
        ("EventId", LookupAttribute::EventId),
        ("EventName", LookupAttribute::EventName),
        ("ReadOnly", LookupAttribute::ReadOnly),
        ("Username", LookupAttribute::Username),
        ("ResourceType", LookupAttribute::ResourceType),
        ("ResourceName", LookupAttribute::ResourceName),
        ("EventSource", LookupAttribute::EventSource),
        ("AccessKeyId", LookupAttribute::AccessKeyId),
    ] {
        let query = asked(&api, by(key, "true"));
        assert_eq!(query.attribute, Some((attribute, "true".to_owned())));
        assert_eq!((query.account_id.as_str(), query.region.as_str()), (ACCOUNT, "eu-west-1"));
        assert_eq!((query.max_results, query.start, query.end), (50, None, None));
    }
}

#[test]
fn attributes_keep_their_rules() {
    let api = Api::new();
    let pair = json!({"AttributeKey": "EventName", "AttributeValue": "x"});
    for body in [
        json!({"LookupAttributes": [pair, pair]}),
        by("Nonsense", "x"),
        by("eventName", "x"),
        by("EventName", ""),
        by("ReadOnly", "True"),
        by("ReadOnly", "yes"),
        by("EventName", &"a".repeat(2001)),
        // These count as two.
        by("EventName", &"_".repeat(1001)),
        by("EventName", &format!("{}{}", " ,\n".repeat(333), "a".repeat(3))),
        json!({"LookupAttributes": [{"AttributeKey": "EventName"}]}),
    ] {
        api.refuses("LookupEvents", body, "InvalidLookupAttributesException");
    }
    for value in ["a".repeat(2000), "_".repeat(1000), format!("{}aa", " ,\n".repeat(333))] {
        asked(&api, by("EventName", &value));
    }
    assert_eq!(asked(&api, json!({"LookupAttributes": []})).attribute, None);
}

#[test]
fn times_are_whole_seconds_within_the_range() {
    let api = Api::new();
    let query = asked(&api, json!({"StartTime": 100.25, "EndTime": 200.75}));
    assert_eq!((query.start, query.end), (Some(EventTime(101)), Some(EventTime(200))));
    let query = asked(&api, json!({"StartTime": 100, "EndTime": 100}));
    assert_eq!((query.start, query.end), (Some(EventTime(100)), Some(EventTime(100))));
    assert_eq!(query.now, EventTime(1_789_321_194));
    for body in [
        json!({"StartTime": 201, "EndTime": 200}),
        json!({"StartTime": -1}),
        json!({"EndTime": 1e300}),
        json!({"StartTime": 253_402_300_800i64}),
    ] {
        api.refuses("LookupEvents", body, "InvalidTimeRangeException");
    }
    api.refuses("LookupEvents", json!({"StartTime": "yesterday"}), "SerializationException");
}

#[test]
fn a_page_has_between_one_and_fifty_events() {
    let api = Api::new();
    for count in [1, 50] {
        assert_eq!(asked(&api, json!({"MaxResults": count})).max_results, count);
    }
    for count in [0, 51, -1] {
        api.refuses("LookupEvents", json!({"MaxResults": count}), "InvalidMaxResultsException");
    }
    api.refuses("LookupEvents", json!({"MaxResults": "5"}), "SerializationException");
}

#[test]
fn insights_can_be_asked_for_and_there_are_none() {
    let api = Api::new();
    assert_eq!(api.ok("LookupEvents", json!({"EventCategory": "insight"})), json!({"Events": []}));
    assert!(api.past.asked.lock().unwrap().is_empty());
    api.refuses("LookupEvents", json!({"EventCategory": "Insight"}), "InvalidEventCategoryException");
    let mut by_user = by("Username", "alice");
    by_user["EventCategory"] = json!("insight");
    api.refuses("LookupEvents", by_user, "InvalidLookupAttributesException");
}

#[test]
fn a_wrong_token_and_an_unreadable_journal_are_told_apart() {
    let api = Api::new();
    *api.past.page.lock().unwrap() = Some(Err(HistoryError::InvalidNextToken));
    api.refuses("LookupEvents", json!({"NextToken": "x"}), "InvalidNextTokenException");
    *api.past.page.lock().unwrap() = Some(Err(HistoryError::Unavailable("/secret/path".to_owned())));
    let (status, answer) = api.call_in("eu-west-1", "LookupEvents", json!({}));
    assert_eq!(status, 500);
    assert!(!answer.to_string().contains("/secret/path"));
}

#[test]
fn an_event_is_shown_with_its_members_in_the_order_of_the_wire() {
    let api = Api::new();
    let record = r#"{"eventTime":"2026-09-13T16:06:40Z","eventSource":"s3.amazonaws.com","eventName":"CreateBucket","userIdentity":{"type":"IAMUser","userName":"alice","accessKeyId":"AKIAEXAMPLE"},"requestParameters":{"bucketName":"a\"b"},"eventID":"id-1","readOnly":false}"#;
    let service = r#"{"eventTime":"2026-09-13T16:06:39Z","eventSource":"kms.amazonaws.com","eventName":"RotateKey","userIdentity":{"type":"AWSService"},"eventID":"id-0"}"#;
    let found = |json: &'static str, resources| HistoryEvent {
        event: Event::from_json(Bytes::from_static(json.as_bytes())).unwrap(),
        resources,
    };
    let resource = |resource_type: Option<&str>, name: &str| HistoryResource {
        resource_type: resource_type.map(str::to_owned),
        resource_name: name.to_owned(),
    };
    let resources = vec![resource(Some("AWS::S3::Bucket"), "a\"b"), resource(None, "key")];
    let page = HistoryPage {
        events: vec![found(record, resources), found(service, Vec::new())],
        next_token: Some("next".to_owned()),
    };
    *api.past.page.lock().unwrap() = Some(Ok(page));
    let response = api.send("eu-west-1", "CloudTrail_20131101.LookupEvents", "{}");
    let expected = format!(
        r#"{{"Events":[{{"EventId":"id-1","EventName":"CreateBucket","ReadOnly":"false","AccessKeyId":"AKIAEXAMPLE","EventTime":1789315600.0,"EventSource":"s3.amazonaws.com","Username":"alice","Resources":[{{"ResourceType":"AWS::S3::Bucket","ResourceName":"a\"b"}},{{"ResourceName":"key"}}],"CloudTrailEvent":{}}},{{"EventId":"id-0","EventName":"RotateKey","EventTime":1789315599.0,"EventSource":"kms.amazonaws.com","Resources":[],"CloudTrailEvent":{}}}],"NextToken":"next"}}"#,
        json!(record),
        json!(service)
    );
    assert_eq!(std::str::from_utf8(response.body()).unwrap(), expected);
}

#[test]
fn without_the_lake_it_says_that_history_is_off() {
    let api = Api::new();
    let off = CloudTrail::new(&api.registry, api.store.clone(), api.tail.clone(), None).unwrap();
    let (code, message) = Api { api: off, ..api }.refused("LookupEvents", json!({}));
    assert_eq!(code, "UnsupportedOperationException");
    assert!(message.contains("lake"));
}
