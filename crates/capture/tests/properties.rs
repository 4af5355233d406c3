//! Whatever bytes come in, a valid record within the size caps comes out, or a counted reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use opentrail_capture::{Reason, Verdict};
use proptest::collection::vec;
use proptest::prelude::*;
use scene::{Scene, recorder_of};
use serde_json::Value;

/// Heads of every protocol, so that bodies reach every decoder.
fn scene() -> impl Strategy<Value = Scene> {
    let known = prop_oneof![
        Just(Scene::json("dynamodb", "DynamoDB_20120810.PutItem", "")),
        Just(Scene::json("dynamodb", "DynamoDB_20120810.TransactWriteItems", "")),
        Just(Scene::json("ssm", "AmazonSSM.SendCommand", "")),
        Just(Scene::json("kms", "TrentService.CreateKey", "")),
        Just(Scene::form("iam", "")),
        Just(Scene::form("ec2", "")),
        Just(Scene::form("sqs", "")),
        Just(Scene::signed("POST", "/2015-03-31/functions", "lambda")),
        Just(Scene::signed("PUT", "/b?tagging", "s3")),
        Just(Scene::signed("PUT", "/b?policy", "s3")),
        Just(Scene::signed("POST", "/b?delete", "s3")),
        Just(Scene::signed("POST", "/2013-04-01/hostedzone", "route53")),
        Just(
            Scene::signed("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm", "monitoring")
                .header("smithy-protocol", "rpc-v2-cbor")
        ),
    ];
    let any = ("[A-Z]{1,7}", "/[ -~]{0,40}", "[ -~]{0,60}", "[a-z0-9-]{0,12}")
        .prop_map(|(method, path, query, service)| Scene::signed(&method, &format!("{path}?{query}"), &service));
    prop_oneof![4 => known, 1 => any]
}

/// Bodies of all formats, whole and broken.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let json = "(\\{|\\[|\\}|\\]|,|:|\"[A-Za-z]{0,9}\"|\"TableName\"|\"Item\"|\"Key\"|[0-9]{1,4}|true|null){0,40}";
    let form = "(Action=(RunInstances|CreateUser|CreateFlowLogs|CreateVpc|SendMessage|CreateRole)&)?([A-Z][a-zA-Z]{0,12}(\\.[0-9a-zA-Z]{1,8}){0,5}=[a-z%0-9+]{0,8}&){0,20}";
    let tags = "(<[a-zA-Z]{1,8}( xmlns=\"x\")?>|</[a-zA-Z]{1,8}>|<a/>|[a-z&;#x]{0,6}|<!\\[CDATA\\[|\\]\\]>){0,30}";
    prop_oneof![
        vec(any::<u8>(), 0..300),
        json.prop_map(String::into_bytes),
        form.prop_map(String::into_bytes),
        tags.prop_map(String::into_bytes),
        (1..200usize).prop_map(|depth| "{\"a\":".repeat(depth).into_bytes()),
        Just(format!("{{\"TableName\":\"{}\"}}", "x".repeat(200_000)).into_bytes()),
        Just(format!("Action=CreateUser&UserName={}", "%22".repeat(60_000)).into_bytes()),
        vec("[a-z]{1,9}", 0..3000).prop_map(|names| {
            let pairs: Vec<String> =
                names.iter().enumerate().map(|(at, name)| format!("Tag.{at}.Key={name}")).collect();
            format!("Action=CreateVpc&{}", pairs.join("&")).into_bytes()
        }),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof![
        Just("content-encoding".to_owned()),
        Just("content-type".to_owned()),
        Just("user-agent".to_owned()),
        Just("x-amzn-errortype".to_owned()),
        Just("x-amz-request-id".to_owned()),
        Just("host".to_owned()),
        "[a-z-]{1,20}",
    ];
    vec((name, prop_oneof![vec(any::<u8>(), 0..40), Just(b"gzip".to_vec()), Just(vec![b'a'; 9000])]), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_valid_record_within_the_caps_or_a_reason(
        scene in scene(),
        body in body(),
        extra in headers(),
        answer in body(),
        answer_headers in headers(),
        status in prop_oneof![Just(None), (100u16..600).prop_map(Some), Just(Some(200)), Just(Some(400))],
        cut in prop_oneof![Just(None), (0u64..10_000_000).prop_map(Some)],
    ) {
        let mut scene = scene;
        (scene.body, scene.answer, scene.status, scene.answer_headers) = (body, answer, status, answer_headers);
        scene.headers.extend(extra);
        scene.body_total = cut.map(|more| scene.body.len() as u64 + more);
        let (recorder, _) = recorder_of(true);
        match scene.play(&recorder) {
            Verdict::Record(events) => {
                prop_assert!(!events.is_empty());
                prop_assert_eq!(events.reduced, 0, "the writer wrote what is no record");
                for event in events.iter() {
                    prop_assert!(event.json().len() <= 256 << 10);
                    let record: Value = serde_json::from_slice(event.json()).expect("JSON");
                    for field in ["userAgent", "errorCode", "errorMessage", "requestID"] {
                        prop_assert!(record.get(field).and_then(Value::as_str).is_none_or(|text| text.len() <= 1024));
                    }
                    for field in ["requestParameters", "responseElements"] {
                        let value = record.get(field).expect("present");
                        prop_assert!(value.is_null() || value.as_object().is_some_and(|members| !members.is_empty()));
                    }
                }
            }
            Verdict::Unrecorded(reason) => prop_assert_ne!(reason, Reason::Malformed, "the recorder wrote what is no record"),
        }
    }
}
