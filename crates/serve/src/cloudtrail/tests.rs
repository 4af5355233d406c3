//! The API as a client sees it: a call in, a response out, over a real registry and a bucket store in memory.

mod changes;
mod events;
mod notified;
mod organization;
mod selectors;
mod trails;

use super::*;
use crate::seams::{BucketError, HistoryError, HistoryPage, HistoryQuery, KmsError, KmsKey};
use futures_util::future::BoxFuture;
use journal::Seq;
use registry::Versioned;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets by name. `locked-…` refuses writes, `shy-…` its ACL, `plain-…` refuses keys, `hanging-…` never answers a write, and `far-…` is
/// a store that does not answer.
#[derive(Default)]
struct Store {
    buckets: Mutex<BTreeSet<String>>,
    markers: Mutex<Vec<String>>,
    /// The keys that the markers were encrypted with.
    marker_keys: Mutex<Vec<Option<String>>>,
}

impl Buckets for Store {
    fn place(&self) -> String {
        "http://store:9000".to_owned()
    }

    fn check<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        let answer = if bucket.starts_with("far-") {
            Err(BucketError::Unavailable("connection refused".to_owned()))
        } else if bucket.starts_with("shy-") {
            Err(BucketError::Denied("AccessDenied".to_owned()))
        } else {
            self.buckets.lock().unwrap().get(bucket).map(drop).ok_or(BucketError::Missing)
        };
        Box::pin(async { answer })
    }

    fn region<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async { Some("eu-west-1".to_owned()) })
    }

    fn put_marker<'a>(&'a self, trail: &'a Trail, key: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        let bucket = &trail.s3_bucket_name;
        if bucket.starts_with("hanging-") {
            return Box::pin(std::future::pending());
        }
        let answer = if bucket.starts_with("locked-") {
            Err(BucketError::Denied("AccessDenied".to_owned()))
        } else if bucket.ends_with("-nowhere") {
            Err(BucketError::Missing)
        } else if bucket.starts_with("plain-") && trail.kms_key_id.is_some() {
            Err(BucketError::Unencrypted)
        } else {
            self.markers.lock().unwrap().push(format!("{bucket}/{key}"));
            self.marker_keys.lock().unwrap().push(trail.kms_key_id.clone());
            Ok(())
        };
        Box::pin(async { answer })
    }
}

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012";

/// Knows one key by its id, its ARN and `alias/audit`; `alias/disabled` cannot be used, `alias/secret`
/// may not be asked for, and `alias/far` is not answered.
struct Keys;

impl Kms for Keys {
    fn find<'a>(&'a self, key: &'a str, region: &'a str) -> BoxFuture<'a, Result<KmsKey, KmsError>> {
        assert_eq!(region, super::destination::region_of_arn(key).unwrap_or("eu-west-1"));
        let found = |is_enabled| Ok(KmsKey { arn: KEY.to_owned(), is_enabled });
        let answer = match key {
            "alias/audit" | KEY => found(true),
            "alias/disabled" => found(false),
            "alias/secret" => Err(KmsError::Denied("no".to_owned())),
            "alias/far" => Err(KmsError::Unavailable("connection refused".to_owned())),
            id if KEY.ends_with(id) => found(true),
            _ => Err(KmsError::Refused("NotFoundException".to_owned())),
        };
        Box::pin(async { answer })
    }
}

struct Tail(AtomicU64);

impl JournalTail for Tail {
    fn end(&self) -> Seq {
        Seq(self.0.load(Ordering::Relaxed))
    }
}

/// A history that notes what it is asked and gives one page.
#[derive(Default)]
struct Past {
    asked: Mutex<Vec<HistoryQuery>>,
    page: Mutex<Option<Result<HistoryPage, HistoryError>>>,
}

impl History for Past {
    fn lookup(&self, query: HistoryQuery) -> BoxFuture<'_, Result<HistoryPage, HistoryError>> {
        self.asked.lock().unwrap().push(query);
        let empty = HistoryPage { events: Vec::new(), next_token: None };
        let answer = self.page.lock().unwrap().take().unwrap_or(Ok(empty));
        Box::pin(async { answer })
    }
}

const ACCOUNT: &str = "111122223333";
const NOW_MS: u64 = 1_789_321_194_602;

struct Api {
    api: CloudTrail,
    registry: Registry,
    store: Arc<Store>,
    tail: Arc<Tail>,
    past: Arc<Past>,
    now_ms: u64,
    /// Whose calls these are.
    account: &'static str,
    _folder: tempfile::TempDir,
}

impl Api {
    fn new() -> Api {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let store = Arc::new(Store::default());
        for bucket in ["audit", "locked-audit", "plain-audit"] {
            store.buckets.lock().unwrap().insert(bucket.to_owned());
        }
        let (tail, past) = (Arc::new(Tail(AtomicU64::new(42))), Arc::new(Past::default()));
        let api = CloudTrail::new(&registry, store.clone(), tail.clone(), Some(past.clone())).unwrap();
        Api { api, registry, store, tail, past, now_ms: NOW_MS, account: ACCOUNT, _folder: folder }
    }

    fn send(&self, region: &str, target: &str, body: &str) -> Response<Bytes> {
        let call = Call {
            target: target.to_owned(),
            region: region.to_owned(),
            account_id: self.account.to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            now_ms: self.now_ms,
            request_id: "5f1d2c3b-0000-4000-8000-000000000001".to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(self.api.call(call))
    }

    /// Calls an operation in a Region; the status and the body.
    fn call_in(&self, region: &str, operation: &str, body: Value) -> (u16, Value) {
        let response = self.send(region, &format!("CloudTrail_20131101.{operation}"), &body.to_string());
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
    }

    #[track_caller]
    fn ok_in(&self, region: &str, operation: &str, body: Value) -> Value {
        let (status, answer) = self.call_in(region, operation, body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    #[track_caller]
    fn ok(&self, operation: &str, body: Value) -> Value {
        self.ok_in("eu-west-1", operation, body)
    }

    /// The error's name and message.
    #[track_caller]
    fn refused_in(&self, region: &str, operation: &str, body: Value) -> (String, String) {
        let (status, answer) = self.call_in(region, operation, body);
        assert_eq!(status, 400, "{answer}");
        (answer["__type"].as_str().unwrap().to_owned(), answer["message"].as_str().unwrap().to_owned())
    }

    #[track_caller]
    fn refused(&self, operation: &str, body: Value) -> (String, String) {
        self.refused_in("eu-west-1", operation, body)
    }

    #[track_caller]
    fn refuses(&self, operation: &str, body: Value, code: &str) {
        assert_eq!(self.refused(operation, body.clone()).0, code, "{body}");
    }

    #[track_caller]
    fn create(&self, name: &str) -> Value {
        self.ok("CreateTrail", json!({"Name": name, "S3BucketName": "audit"}))
    }
}

fn arn(region: &str, name: &str) -> String {
    Trail::arn_of(region, ACCOUNT, name)
}

#[test]
fn responses_have_the_headers_of_json_1_1() {
    let response = Api::new().send("eu-west-1", "CloudTrail_20131101.DescribeTrails", "{}");
    assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
    assert_eq!(response.headers()["x-amzn-requestid"], "5f1d2c3b-0000-4000-8000-000000000001");
    assert_eq!(&response.body()[..], br#"{"trailList":[]}"#);
}

#[test]
fn both_targets_reach_the_same_operation_and_others_none() {
    let api = Api::new();
    for prefix in ["com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "CloudTrail_20131101"] {
        assert_eq!(api.send("eu-west-1", &format!("{prefix}.ListTrails"), "").status(), 200);
    }
    for target in ["", "CloudTrail_20131101.MakeTea", "DynamoDB_20120810.ListTables"] {
        let response = api.send("eu-west-1", target, "{}");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), &body["__type"]), (400, &json!("UnknownOperationException")));
    }
}

#[test]
fn what_is_not_built_says_so_by_name_and_stands_so_in_the_documentation() {
    let api = Api::new();
    let documentation = include_str!("../../../../docs/operate/api-coverage.md");
    for operation in Operation::ALL {
        let (status, answer) = api.call_in("eu-west-1", operation.name(), json!({}));
        let built = answer["__type"] != "UnsupportedOperationException";
        assert!(built || status == 400 && answer["message"].as_str().unwrap().contains(operation.name()));
        let row = format!("| {} | {} |", operation.name(), if built { "built" } else { "not built" });
        assert!(documentation.lines().any(|line| line.starts_with(&row)), "missing: {row}");
    }
}

#[test]
fn a_body_that_is_no_input_is_a_serialization_error() {
    let api = Api::new();
    for body in ["{", "[]", "\u{0}", r#"{"Name":7}"#, r#"{"Name":{"a":1}}"#] {
        let response = api.send("eu-west-1", "CloudTrail_20131101.GetTrail", body);
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(answer["__type"], "SerializationException", "{body}");
    }
    let large = format!(r#"{{"Name":"{}"}}"#, "a".repeat(CloudTrail::MAX_BODY_BYTES));
    assert_eq!(api.send("eu-west-1", "CloudTrail_20131101.GetTrail", &large).status(), 400);
}
