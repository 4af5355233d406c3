//! What many trails cost: the processor time to deliver events that only one of them takes, with that trail alone and with
//! 99 others, each with selectors of its own.
//!
//!     cargo bench -p opentrail-trail --bench trails
//!
//! The events come at a steady pace into a journal, as they do in life; the time of writing them is measured without any
//! trail and taken off.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark may stop at anything unexpected"
)]

use bytes::Bytes;
use event::{AdvancedEventSelector, Event, FieldSelector, Operators, SelectorField, Selectors};
use futures_util::future::BoxFuture;
use journal::{FollowOptions, Journal};
use opentrail_trail::{
    BucketError, Delivery, DeliveryOptions, Home, LogBucket, NotifyOptions, ObjectHeaders, SigningKeys,
};
use registry::{Expected, Registry, Trail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TRAILS: usize = 100;
const EVENTS: usize = 100_000;
/// Events per step, and steps per second.
const STEP: usize = 200;
const STEPS: u64 = 100;
const ROUNDS: usize = 3;

/// A bucket that counts what it gets.
#[derive(Default)]
struct Sink(AtomicUsize);

impl LogBucket for Sink {
    fn check_bucket<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        body: Bytes,
        _: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>> {
        self.0.fetch_add(body.len(), Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }
}

/// The objects of a bucket of the trail's own.
fn selectors(trail: usize) -> Selectors {
    let condition = |field, value: String| FieldSelector {
        field,
        operators: Operators { equals: vec![value], ..Operators::default() },
    };
    Selectors::Advanced(vec![AdvancedEventSelector {
        name: None,
        field_selectors: vec![
            condition(SelectorField::EventCategory, "Data".to_owned()),
            condition(SelectorField::ResourcesType, "AWS::S3::Object".to_owned()),
            FieldSelector {
                field: SelectorField::ResourcesArn,
                operators: Operators {
                    starts_with: vec![format!("arn:aws:s3:::bucket-{trail}/")],
                    ..Operators::default()
                },
            },
        ],
    }])
}

/// Events that only trail 0 takes, of the size of a real S3 record.
fn event(number: usize) -> Event {
    let json = format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLEROLE000001:session","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/session","accountId":"111122223333","accessKeyId":"ASIAEXAMPLEKEY000001","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLEROLE000001","arn":"arn:aws:iam::111122223333:role/Deploy","accountId":"111122223333","userName":"Deploy"}},"attributes":{{"creationDate":"2026-01-15T09:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2026-01-15T10:02:03Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.7","userAgent":"[aws-cli/2.31.0]","requestParameters":{{"bucketName":"bucket-0","Host":"bucket-0.s3.eu-west-1.amazonaws.com","key":"logs/{number}"}},"responseElements":{{"x-amz-server-side-encryption":"AES256"}},"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":4096,"bytesTransferredOut":0,"AuthenticationMethod":"AuthHeader"}},"requestID":"{number:016X}","eventID":"{:032x}","readOnly":false,"resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket-0/logs/{number}"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::bucket-0"}}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}}"#,
        (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
    );
    Event::from_json(json.into()).unwrap()
}

/// Seconds of processor time of this process's threads (Linux).
fn cpu() -> f64 {
    let mut nanoseconds = 0u64;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanoseconds += stat.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    nanoseconds as f64 / 1e9
}

/// Seconds of processor time to journal and deliver all events with so many trails.
async fn run(trails: usize, events: &[Event]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal"), journal::Options::default()).unwrap();
    let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    for number in 0..trails {
        let name = format!("trail-{number}");
        let mut trail = Trail::new("eu-west-1", "111122223333", &name, "audit", now_ms());
        trail.selectors = Some(selectors(number));
        trail.logging.start(0, now_ms(), 0);
        registry.put(trail, Expected::Absent).unwrap();
    }
    let sink = Arc::new(Sink::default());
    let options = DeliveryOptions {
        home: Home { account_id: "111122223333".to_owned(), region: "eu-west-1".to_owned() },
        transparency: None,
        interval: Duration::from_secs(1),
        digest_interval: Duration::from_secs(3600),
        keys: SigningKeys::open(&registry, &folder.path().join("digest.key")).unwrap(),
        follow: FollowOptions::default(),
        now_ms: Arc::new(now_ms),
        notify: NotifyOptions::default(),
    };
    let delivery = Delivery::start(&journal, &registry, Arc::<Sink>::clone(&sink), options).unwrap();
    let appender = journal.appender();
    let before = cpu();
    let mut ticks = tokio::time::interval(Duration::from_millis(1000 / STEPS));
    for step in events.chunks(STEP) {
        ticks.tick().await;
        appender.append_all(step.to_vec()).await.unwrap();
    }
    delivery.drain().await;
    let spent = cpu() - before;
    assert_eq!(sink.0.load(Ordering::Relaxed) > 0, trails > 0);
    journal.close().unwrap();
    spent
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let events: Vec<Event> = (0..EVENTS).map(event).collect();
    let mut best = [f64::MAX; 3];
    for _ in 0..ROUNDS {
        for (best, trails) in best.iter_mut().zip([0, 1, TRAILS]) {
            *best = best.min(runtime.block_on(run(trails, &events)));
        }
    }
    let [none, one, many] = best;
    let per_event = |seconds: f64| seconds * 1e6 / EVENTS as f64;
    println!("journal alone:    {:6.2} us/event", per_event(none));
    println!("with one trail:   {:6.2} us/event more", per_event(one - none));
    println!("with {TRAILS} trails:  {:6.2} us/event more", per_event(many - none));
    println!("ratio: {:.2}", (many - none) / (one - none));
}
