//! From the journal to the bucket, with trails that come, stop, start again and go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of a test may fail it")]

use bytes::Bytes;
use event::Event;
use flate2::read::GzDecoder;
use futures_util::future::BoxFuture;
use journal::{Clock, FollowOptions, Journal, Seq};
use opentrail_trail::{
    BucketError, Delivery, DeliveryOptions, Home, LogBucket, NotifyOptions, ObjectHeaders, SigningKeys,
};
use registry::{DeletedTrail, DeliveryState, Expected, Registry, RegistryError, Trail};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// Buckets that are a map; the one called `hangs` never answers, and `no-digests` takes log files alone.
#[derive(Default)]
struct Objects(Mutex<BTreeMap<String, Bytes>>, AtomicU64);

impl LogBucket for Objects {
    fn check_bucket<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        body: Bytes,
        _: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>> {
        if bucket == "hangs" {
            return Box::pin(std::future::pending());
        }
        if bucket == "no-digests" && key.contains("CloudTrail-Digest") {
            self.1.fetch_add(1, Ordering::Relaxed);
            let (code, message) = ("AccessDenied".to_owned(), String::new());
            return Box::pin(async { Err(BucketError::Refused { code, message }) });
        }
        self.0.lock().unwrap().insert(format!("{bucket}/{key}"), body);
        Box::pin(async { Ok(()) })
    }
}

/// Everything that delivery works on; it survives the processes that come and go in a test.
struct House {
    folder: TempDir,
    bucket: Arc<Objects>,
    clock: Arc<AtomicU64>,
}

/// One process.
struct Process {
    journal: Journal,
    registry: Registry,
    delivery: Delivery,
}

impl House {
    fn new() -> House {
        House {
            folder: tempfile::tempdir().unwrap(),
            bucket: Arc::default(),
            clock: Arc::new(AtomicU64::new(1_768_471_323_000)),
        }
    }

    fn now_ms(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn start(&self, interval: Duration) -> Process {
        let clock = |clock: &Arc<AtomicU64>| {
            let clock = Arc::clone(clock);
            move || clock.load(Ordering::Relaxed)
        };
        let options = journal::Options { clock: Clock::new(clock(&self.clock)), ..journal::Options::default() };
        let journal = Journal::open(&self.folder.path().join("journal"), options).unwrap();
        let registry = Registry::open(&self.folder.path().join("registry.sqlite")).unwrap();
        let bucket: Arc<dyn LogBucket> = Arc::<Objects>::clone(&self.bucket);
        let follow = FollowOptions { drain: Duration::from_secs(1), ..FollowOptions::default() };
        let keys = SigningKeys::open(&registry, &self.folder.path().join("digest.key")).unwrap();
        let options = DeliveryOptions {
            home: Home { account_id: "111122223333".to_owned(), region: "eu-west-1".to_owned() },
            transparency: None,
            interval,
            digest_interval: Duration::from_secs(3600),
            keys,
            follow,
            now_ms: Arc::new(clock(&self.clock)),
            notify: NotifyOptions::default(),
        };
        let delivery = Delivery::start(&journal, &registry, bucket, options).unwrap();
        Process { journal, registry, delivery }
    }

    /// The events delivered under a key prefix, sorted.
    fn delivered(&self, prefix: &str) -> Vec<String> {
        let objects = self.bucket.0.lock().unwrap();
        let mut ids = Vec::new();
        for (_, body) in objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let mut text = String::new();
            GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            let file: serde_json::Value = serde_json::from_str(&text).unwrap();
            ids.extend(
                file["Records"].as_array().unwrap().iter().map(|record| record["eventID"].as_str().unwrap().to_owned()),
            );
        }
        ids.sort_unstable();
        ids
    }

    /// Waits until exactly these are delivered.
    async fn await_delivery(&self, prefix: &str, expected: &[&str]) {
        eventually(&format!("{expected:?} under {prefix}"), || self.delivered(prefix) == expected).await;
    }
}

impl Process {
    fn add_trail(&self, name: &str, now_ms: u64) -> String {
        let mut trail =
            Trail { is_multi_region_trail: true, ..Trail::new("eu-west-1", "111122223333", name, name, now_ms) };
        trail.logging.start(self.journal.end().0, now_ms, 0);
        let arn = trail.arn();
        self.registry.put(trail, Expected::Absent).unwrap();
        arn
    }

    fn change(&self, arn: &str, change: impl Fn(&mut Trail)) {
        let change = |trail: &mut Trail| -> Result<(), RegistryError> {
            change(trail);
            Ok(())
        };
        self.registry.update(arn, change).unwrap();
    }

    async fn append(&self, id: &str) -> Seq {
        let json = format!(
            r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"sqs.amazonaws.com","eventName":"CreateQueue","awsRegion":"eu-west-1","eventID":"{id}","recipientAccountId":"111122223333","eventCategory":"Management"}}"#
        );
        self.journal.appender().append(Event::from_json(json.into()).unwrap()).await.unwrap()
    }

    /// Waits until the only follower has taken everything before `end`.
    async fn await_taken(&self, end: Seq) {
        let taken = || self.delivery.statuses().first().is_some_and(|status| status.position == Some(end));
        eventually("taken", taken).await;
    }

    async fn end(self) {
        self.delivery.drain().await;
        self.journal.close().unwrap();
    }
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..400 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never came: {what}");
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn trails_are_followed_from_when_they_come() {
    let house = House::new();
    let process = house.start(SHORT);
    process.append("before").await;
    assert_eq!(process.delivery.keep_from(), None);
    process.add_trail("one", house.now_ms());
    process.append("a").await;
    house.await_delivery("one/", &["a"]).await;
    process.add_trail("two", house.now_ms());
    process.append("b").await;
    house.await_delivery("one/", &["a", "b"]).await;
    house.await_delivery("two/", &["b"]).await;
    let names: Vec<String> = process.delivery.statuses().into_iter().map(|status| status.name).collect();
    assert_eq!(names, ["trail/one", "trail/two"]);
    process.end().await;
}

#[tokio::test]
async fn draining_delivers_what_is_gathered_and_the_next_process_goes_on() {
    let house = House::new();
    let process = house.start(LONG);
    process.add_trail("one", house.now_ms());
    process.append("a").await;
    process.append("b").await;
    process.end().await;
    assert_eq!(house.delivered("one/"), ["a", "b"], "though the interval is long");
    let process = house.start(SHORT);
    process.append("c").await;
    house.await_delivery("one/", &["a", "b", "c"]).await;
    process.end().await;
    assert_eq!(house.delivered("one/"), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_stopped_trail_rests_once_it_is_delivered_and_wakes_at_the_next_start() {
    let house = House::new();
    let process = house.start(LONG);
    let arn = process.add_trail("one", house.now_ms());
    process.append("a").await;
    process.await_taken(Seq(1)).await;
    let stopped_ms = house.now_ms();
    process.change(&arn, |trail| trail.logging.stop(stopped_ms));
    house.clock.fetch_add(1, Ordering::Relaxed);
    process.append("while stopped").await;
    house.await_delivery("one/", &["a"]).await;
    assert_eq!(process.delivery.statuses().len(), 1, "its last call may still come");
    house.clock.fetch_add(10_001, Ordering::Relaxed);
    process.change(&arn, |trail| trail.tags.clear());
    eventually("rest", || process.delivery.statuses().is_empty()).await;
    let state = || process.registry.get::<DeliveryState>(&arn).unwrap().unwrap();
    eventually("rest is saved", || state().finished_ms == Some(stopped_ms)).await;
    assert_eq!(process.delivery.keep_from(), None, "retention need not wait for it");
    process.append("still stopped").await;
    let (end, now_ms, delivered) = (process.journal.end().0, house.now_ms(), state().next);
    process.change(&arn, |trail| trail.logging.start(end, now_ms, delivered));
    assert_eq!(process.delivery.keep_from(), Some(Seq(end)));
    process.append("b").await;
    process.end().await;
    assert_eq!(house.delivered("one/"), ["a", "b"]);
}

#[tokio::test]
async fn a_deleted_trail_leaves_its_files_and_no_state() {
    let house = House::new();
    let process = house.start(LONG);
    let arn = process.add_trail("one", house.now_ms());
    process.append("a").await;
    process.await_taken(Seq(1)).await;
    let version = process.registry.get::<Trail>(&arn).unwrap().unwrap().version;
    process.registry.delete::<Trail>(&arn, version).unwrap();
    house.await_delivery("one/", &["a"]).await;
    eventually("gone", || {
        process.delivery.statuses().is_empty() && process.registry.get::<DeliveryState>(&arn).unwrap().is_none()
    })
    .await;
    process.end().await;
}

/// The old trail's last digests are tried for some seconds, with growing pauses, and no longer: its bucket may never take them.
#[tokio::test]
async fn a_trail_made_anew_is_delivered_though_the_old_ones_bucket_takes_no_digests() {
    let house = House::new();
    let process = house.start(SHORT);
    let now_ms = house.now_ms();
    let mut old = Trail::new("eu-west-1", "111122223333", "one", "no-digests", now_ms);
    old.log_file_validation_enabled = true;
    old.logging.start(0, now_ms, 0);
    process.registry.put(old.clone(), Expected::Absent).unwrap();
    process.append("a").await;
    house.await_delivery("no-digests/", &["a"]).await;
    process.registry.put(DeletedTrail { trail: old.clone(), deleted_ms: now_ms }, Expected::Absent).unwrap();
    let version = process.registry.get::<Trail>(&old.arn()).unwrap().unwrap().version;
    process.registry.delete::<Trail>(&old.arn(), version).unwrap();
    let mut new = Trail::new("eu-west-1", "111122223333", "one", "good", now_ms + 1);
    new.logging.start(process.journal.end().0, now_ms + 1, 0);
    process.registry.put(new, Expected::Absent).unwrap();
    house.clock.fetch_add(10, Ordering::Relaxed);
    process.append("b").await;
    house.await_delivery("good/", &["b"]).await;
    let tries = house.bucket.1.load(Ordering::Relaxed);
    assert!((2..20).contains(&tries), "{tries} tries");
    process.end().await;
}

#[tokio::test]
async fn a_bucket_that_hangs_holds_up_no_other_trail_and_no_shutdown() {
    let house = House::new();
    let process = house.start(SHORT);
    let hanging = process.add_trail("hangs", house.now_ms());
    process.add_trail("works", house.now_ms());
    process.append("a").await;
    house.await_delivery("works/", &["a"]).await;
    process.append("b").await;
    house.await_delivery("works/", &["a", "b"]).await;
    tokio::time::timeout(Duration::from_secs(5), process.end()).await.expect("an end");
    let process = house.start(SHORT);
    assert_eq!(process.delivery.keep_from(), Some(Seq(0)), "what hangs is still needed");
    process.change(&hanging, |trail| trail.s3_bucket_name = "freed".to_owned());
    process.append("c").await;
    house.await_delivery("works/", &["a", "b", "c"]).await;
    process.end().await;
}
