//! Exchanges from bytes of any kind: whatever comes in, records within the caps or a reason come out.

use crate::{
    Captured, Exchange, Failure, KnownIdentities, Opened, Recorder, RecorderConfig, Response, TlsDetails, Verdict,
};
use aws::{Catalog, Headers, Request};
use event::{Event, EventTime, Field};
use serde_json::Value;
use std::sync::Arc;

/// Method, path, query, signing name and one more header: one call at least for each decoder.
const CALLS: [[&str; 6]; 14] = [
    ["POST", "/", "", "dynamodb", "x-amz-target", "DynamoDB_20120810.TransactWriteItems"],
    ["POST", "/", "", "dynamodb", "x-amz-target", "DynamoDB_20120810.ExecuteStatement"],
    ["POST", "/", "", "ssm", "x-amz-target", "AmazonSSM.AddTagsToResource"],
    ["POST", "/", "", "iam", "content-type", "application/x-www-form-urlencoded"],
    ["POST", "/", "", "sts", "content-type", "application/x-www-form-urlencoded"],
    ["POST", "/", "", "ec2", "content-type", "application/x-www-form-urlencoded"],
    ["POST", "/2015-03-31/functions", "", "lambda", "content-type", "application/json"],
    ["POST", "/2013-04-01/hostedzone", "", "route53", "content-type", "application/xml"],
    ["PUT", "/b", "policy", "s3", "host", "s3.amazonaws.com"],
    ["PUT", "/b", "tagging", "s3", "host", "s3.amazonaws.com"],
    ["POST", "/b", "delete", "s3", "host", "s3.amazonaws.com"],
    ["PUT", "/b/k", "", "s3", "content-encoding", "aws-chunked"],
    ["POST", "/2015-03-31/functions", "", "lambda", "content-encoding", "gzip"],
    [
        "POST",
        "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm",
        "",
        "monitoring",
        "smithy-protocol",
        "rpc-v2-cbor",
    ],
];

/// A call of the table, chosen by the first byte; the second says how it went; behind the length in the next two bytes
/// stand the request's body and the answer's.
pub fn bodies(input: &[u8]) {
    let Some(([call, fate, low, high], rest)) = input.split_first_chunk() else { return };
    let Some([method, path, query, service, name, value]) = CALLS.get(usize::from(*call) % CALLS.len()) else { return };
    let (body, answer) = rest.split_at(usize::from(u16::from_le_bytes([*low, *high])).min(rest.len()));
    let signed = signed(service);
    let headers = [("authorization", signed.as_bytes()), (*name, value.as_bytes())];
    play(Request { method, path, query, headers: Headers(&headers), path_style: false }, body, answer, *fate);
}

/// How a call of the table failed: the first byte chooses the call and the second the status; then come a line for
/// `x-amzn-errortype` (none where it is empty) and the body of the answer. The record says that the call failed.
pub fn errors(input: &[u8]) {
    let Some(([call, status], rest)) = input.split_first_chunk() else { return };
    let Some([method, path, query, service, name, value]) = CALLS.get(usize::from(*call) % CALLS.len()) else { return };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, body) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let signed = signed(service);
    let headers = [("authorization", signed.as_bytes()), (*name, value.as_bytes())];
    let request = Request { method, path, query, headers: Headers(&headers), path_style: false };
    let named = [("x-amzn-errortype", line)];
    let form: &[u8] = match *service {
        "iam" => b"Action=GetUser&Version=2010-05-08",
        "sts" => b"Action=GetCallerIdentity&Version=2011-06-15",
        "ec2" => b"Action=CreateVpc&Version=2016-11-15",
        _ => b"{}",
    };
    let recorder = recorder(true);
    let opened = recorder.open(&request);
    let response = Response {
        status: 400 + u16::from(*status) % 200,
        headers: Headers(if line.is_empty() { &[] } else { &named }),
        body: Captured::whole(body),
    };
    let exchange = exchange(request, Captured::whole(form), Some(response));
    let events = play_with(&recorder, &opened, &exchange);
    assert!(!events.is_empty(), "a failed call without a record");
    for event in events {
        let record: Value = serde_json::from_slice(event.json()).expect("JSON");
        assert!(event.get(Field::ErrorCode).is_some(), "a failure without its code");
        assert!(record["responseElements"].is_null());
    }
}

/// The input as a head: a line `METHOD PATH?QUERY`, then lines `name: value`.
pub fn head(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let Some(first) = lines.next().and_then(|line| std::str::from_utf8(line).ok()) else { return };
    let (method, target) = first.split_once(' ').unwrap_or((first, "/"));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(&str, &[u8])> = lines
        .take(100)
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((std::str::from_utf8(line.get(..colon)?).ok()?, line.get(colon + 1..)?.trim_ascii()))
        })
        .collect();
    play(Request { method, path, query, headers: Headers(&headers), path_style: false }, b"", b"", 0);
}

/// A recorder that knows nobody.
pub(super) fn recorder(record_unauthenticated: bool) -> Recorder {
    let config = RecorderConfig {
        account_id: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        record_unauthenticated,
    };
    Recorder::new(Catalog::embedded(), config, Arc::new(KnownIdentities::new(8)), || 7).with_network_activity(|| true)
}

/// Makes the records of an exchange and holds them to what a record must be.
pub(super) fn play_with(recorder: &Recorder, opened: &Opened, exchange: &Exchange<'_>) -> Vec<Event> {
    let Verdict::Record(records) = recorder.record(opened, exchange) else { return Vec::new() };
    assert!(!records.is_empty());
    assert_eq!(records.reduced, 0, "the writer wrote what is no record");
    for event in records.iter() {
        assert!(event.json().len() <= 256 << 10);
        let again = Event::from_text(event.text()).expect("a record");
        assert_eq!(again.head(), event.head());
        let record: Value = serde_json::from_slice(event.json()).expect("JSON");
        for field in ["userAgent", "errorCode", "errorMessage", "requestID"] {
            assert!(record.get(field).is_none_or(|value| value.as_str().is_some_and(|text| text.len() <= 1024)));
        }
        if record["eventCategory"] == "NetworkActivity" {
            continue;
        }
        no_name_twice(event.json(), &record);
        for (field, cap) in [("requestParameters", 100 << 10), ("responseElements", 100 << 10)] {
            let value = record.get(field).expect("it is in every record");
            assert!(value.is_null() || value.as_object().is_some_and(|members| !members.is_empty()));
            assert!(value.to_string().len() <= cap);
        }
    }
    records.events
}

/// Of a name that stands twice in S3's parameters, readers would take one or the other: a caller could have its bucket
/// overlooked. (In the parameters of JSON a name stands twice where the caller wrote it twice, and readers take the last, as
/// services do.)
fn no_name_twice(json: &[u8], record: &Value) {
    if record["eventSource"] != "s3.amazonaws.com" {
        return;
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw<'a> {
        #[serde(borrow)]
        request_parameters: &'a serde_json::value::RawValue,
    }
    let raw: Raw<'_> = serde_json::from_slice(json).expect("a record");
    let shown = record["requestParameters"].as_object().map_or(0, serde_json::Map::len);
    assert_eq!(members(raw.request_parameters.get()), shown, "a name stands twice: {}", raw.request_parameters);
}

/// How many members an object has, counted one by one.
fn members(object: &str) -> usize {
    let (mut depth, mut colons, mut in_text, mut escaped) = (0usize, 0, false, false);
    for byte in object.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => colons += 1,
            _ => {}
        }
    }
    colons
}

fn signed(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIA/20260115/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

fn play(request: Request<'_>, body: &[u8], answer: &[u8], fate: u8) {
    let recorder = recorder(true);
    let opened = recorder.open(&request);
    let status = [200, 204, 400, 403, 404, 503].get(usize::from(fate % 8)).copied();
    let failure = [Failure::Unreachable, Failure::ResetMidBody, Failure::ClientGone, Failure::ClientLeft];
    let tls = TlsDetails {
        version: "TLSv1.3".to_owned(),
        cipher_suite: "TLS_AES_128_GCM_SHA256".to_owned(),
        key_exchange: None,
    };
    let kept = |bytes: &[u8], limit: usize| bytes.get(..limit.min(bytes.len())).unwrap_or_default().to_vec();
    let asked = kept(body, opened.request_body().limit());
    let answered = kept(answer, status.map_or(0, |status| opened.response_body(status).limit()));
    let response = status.map(|status| Response {
        status,
        headers: Headers(&[]),
        body: Captured { bytes: &answered, total: answer.len() as u64 },
    });
    let request_body = Captured { bytes: &asked, total: body.len() as u64 };
    let failure = failure.get(usize::from(fate / 8 % 8)).copied();
    play_with(&recorder, &opened, &Exchange { tls: Some(&tls), failure, ..exchange(request, request_body, response) });
}

fn exchange<'a>(request: Request<'a>, request_body: Captured<'a>, response: Option<Response<'a>>) -> Exchange<'a> {
    Exchange {
        request,
        request_body,
        response,
        client: [198, 51, 100, 7].into(),
        vpc_endpoint: Some("vpce-08d2bf15fac5001c9"),
        tls: None,
        completed: EventTime(1_768_471_323),
        failure: None,
    }
}
