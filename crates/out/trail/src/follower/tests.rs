//! Delivery through failures and crashes, against a bucket that is a map.

mod digests;
mod notes;
mod routed;

use super::*;
use crate::cut::tests::{entry, ids_in, trail};
use crate::{Nobody, NotifyMetrics};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use registry::Registry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::sync::Notify;

/// When the first entry is appended and the clock starts.
const START_MS: u64 = 1_768_471_323_000;

/// What the bucket does with one write.
#[derive(Debug, Clone, Copy)]
enum Write {
    Takes,
    Refuses,
    /// It has the object, but the answer is lost.
    TakesAndFails,
    /// The process dies before the object is written.
    DiesBefore,
    /// The process dies when the object is written.
    DiesAfter,
}

#[derive(Default)]
struct FakeBucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    plan: Mutex<VecDeque<Write>>,
    died: Notify,
    /// Keys that were written again with other bytes.
    changed: Mutex<Vec<String>>,
}

impl LogBucket for FakeBucket {
    fn check_bucket<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        Box::pin(async { Ok(()) })
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        body: Bytes,
        headers: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>> {
        if key.contains("/CloudTrail-Digest/") {
            let names: Vec<&str> = headers.metadata.iter().map(|(name, _)| *name).collect();
            assert_eq!(names[..2], ["signature", "signature-algorithm"]);
            assert_eq!(names.len() == 3, key.ends_with("_backfill.json.gz"), "the time of its making");
        } else {
            assert_eq!(headers, ObjectHeaders::LOG_FILE);
        }
        Box::pin(async move {
            let write = self.plan.lock().unwrap().pop_front().unwrap_or(Write::Takes);
            if matches!(write, Write::Takes | Write::TakesAndFails | Write::DiesAfter) {
                let key = format!("{bucket}/{key}");
                let before = self.objects.lock().unwrap().insert(key.clone(), body.clone());
                if before.is_some_and(|before| before != body) {
                    self.changed.lock().unwrap().push(key);
                }
            }
            match write {
                Write::Takes => Ok(()),
                Write::Refuses => Err(BucketError::NoSuchBucket(bucket.to_owned())),
                Write::TakesAndFails => Err(BucketError::Unreachable("connection reset".to_owned())),
                Write::DiesBefore | Write::DiesAfter => {
                    self.died.notify_one();
                    std::future::pending().await
                }
            }
        })
    }
}

/// A trail, its registry and its bucket.
struct House {
    folder: TempDir,
    registry: Registry,
    bucket: Arc<FakeBucket>,
    clock: Arc<AtomicU64>,
    arn: String,
}

impl House {
    fn new(plan: impl IntoIterator<Item = Write>) -> House {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
        let bucket = FakeBucket { plan: Mutex::new(plan.into_iter().collect()), ..FakeBucket::default() };
        registry.put(trail(), Expected::Absent).unwrap();
        let clock = Arc::new(AtomicU64::new(START_MS));
        House { folder, registry, bucket: Arc::new(bucket), clock, arn: trail().arn() }
    }

    /// A follower as a new process would make it. Its clock goes on by a slot with every look, so that a name made from
    /// another time than the saved one would show.
    fn follower(&self) -> TrailFollower {
        self.follower_of(Feeds::new(self.registry.documents().unwrap(), Seq(0), Arc::new(|| 0)))
    }

    /// The same with feeds that are routed.
    fn follower_of(&self, feeds: Feeds) -> TrailFollower {
        let clock = Arc::clone(&self.clock);
        let now_ms: NowMs = Arc::new(move || clock.fetch_add(300_000, Ordering::Relaxed));
        let bucket: Arc<dyn LogBucket> = Arc::<FakeBucket>::clone(&self.bucket);
        let keys = crate::SigningKeys::open(&self.registry, &self.folder.path().join("digest.key")).unwrap();
        let hour = Duration::from_secs(3600);
        let trails = self.registry.documents().unwrap();
        let tools = Tools {
            home: crate::Home { account_id: "111122223333".to_owned(), region: "eu-west-1".to_owned() },
            feeds,
            trails,
            states: self.registry.documents().unwrap(),
            digests: DigestTools::new(&self.registry, keys, Arc::clone(&bucket), hour, Arc::clone(&now_ms)).unwrap(),
            bucket,
            interval: Duration::from_secs(5),
            notify: NotifyTools::new(&self.registry, Arc::new(Nobody), NotifyMetrics::default(), Arc::clone(&now_ms))
                .unwrap(),
            now_ms,
            transparency: None,
        };
        let trail = tools.trails.get(&self.arn).unwrap();
        TrailFollower::new(tools, trail, 0)
    }

    fn change_trail(&self, change: impl Fn(&mut Trail)) {
        self.registry
            .update::<Trail, RegistryError>(&self.arn, |trail| {
                change(trail);
                Ok(())
            })
            .unwrap();
    }

    fn state(&self) -> DeliveryState {
        DeliveryState::clone(&self.registry.get::<DeliveryState>(&self.arn).unwrap().unwrap())
    }

    /// The events in the log files of the bucket, as the sequence numbers that they carry, sorted.
    fn delivered(&self) -> Vec<u64> {
        let objects = self.bucket.objects.lock().unwrap();
        let logs = objects.iter().filter(|(key, _)| !key.contains("/CloudTrail-Digest/"));
        let mut ids: Vec<u64> = logs.flat_map(|(_, body)| ids_in(body)).map(|id| id.parse().unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    fn keys(&self) -> Vec<String> {
        self.bucket.objects.lock().unwrap().keys().cloned().collect()
    }
}

/// What happens to a follower between batches.
#[derive(Debug, Clone, Copy)]
enum Step {
    Batch(usize),
    Deadline,
    /// The process dies with whatever it has gathered.
    Dies,
    /// The trail gets another tag: a new version that changes nothing.
    TrailChanges,
}

/// Runs the loop of the journal's followers over `entries`: the same batch again after an error, until all is drained.
/// Returns whether a step said to die first.
async fn run(house: &House, follower: &mut TrailFollower, entries: &[Entry], steps: &mut VecDeque<Step>) -> bool {
    let mut at = follower.position().await.unwrap().0 as usize;
    loop {
        match steps.pop_front().unwrap_or(Step::Batch(3)) {
            Step::Dies => return true,
            Step::TrailChanges => house.change_trail(|trail| {
                trail.tags.push(registry::Tag { key: "k".to_owned(), value: None });
            }),
            Step::Deadline => while follower.flush(Flush::Deadline).await.is_err() {},
            Step::Batch(size) => {
                let batch = &entries[at..entries.len().min(at + size)];
                while follower.follow(batch).await.is_err() {}
                at += batch.len();
            }
        }
        if at == entries.len() {
            while follower.flush(Flush::Drain).await.is_err() {}
            return false;
        }
    }
}

async fn live_through(house: &House, entries: &[Entry], mut steps: VecDeque<Step>) {
    loop {
        let mut follower = house.follower();
        let died = tokio::select! {
            () = house.bucket.died.notified() => true,
            died = run(house, &mut follower, entries, &mut steps) => died,
        };
        if !died {
            assert!(follower.is_settled());
            return;
        }
    }
}

fn run_async<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn entries(regions: &[&str]) -> Vec<Entry> {
    let one = |(seq, region): (u64, &&str)| {
        crate::cut::tests::entry_of(seq, START_MS + seq, "sqs.amazonaws.com", "CreateQueue", region)
    };
    (0..).zip(regions).map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_event_is_delivered_once_through_any_crash(
        regions in proptest::collection::vec(prop_oneof!["eu-west-1", "eu-west-2", "eu-west-3"], 1..40),
        plan in proptest::collection::vec(
            prop_oneof![
                3 => Just(Write::Takes),
                1 => Just(Write::Refuses),
                1 => Just(Write::TakesAndFails),
                1 => Just(Write::DiesBefore),
                1 => Just(Write::DiesAfter),
            ],
            0..30,
        ),
        steps in proptest::collection::vec(
            prop_oneof![
                4 => (1usize..9).prop_map(Step::Batch),
                2 => Just(Step::Deadline),
                1 => Just(Step::Dies),
                1 => Just(Step::TrailChanges),
            ],
            0..40,
        ),
    ) {
        let house = House::new(plan);
        let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
        let entries = entries(&regions);
        run_async(live_through(&house, &entries, steps.into()));
        prop_assert_eq!(house.delivered(), (0..entries.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(&*house.bucket.changed.lock().unwrap(), &Vec::<String>::new(), "written again, but not the same");
        let state = house.state();
        prop_assert_eq!((state.next, state.pending), (entries.len() as u64, None));
    }
}

#[test]
fn a_cut_that_was_interrupted_ends_where_it_ended() {
    let house = House::new([Write::DiesAfter]);
    let entries = entries(&["eu-west-1"; 10]);
    let steps = [Step::Batch(4), Step::Deadline, Step::Batch(6)];
    run_async(live_through(&house, &entries, steps.into()));
    let keys = house.keys();
    assert_eq!(keys.len(), 2, "{keys:?}");
    let objects = house.bucket.objects.lock().unwrap();
    let mut sizes: Vec<usize> = objects.values().map(|body| ids_in(body).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [4, 6]);
}

#[test]
fn what_was_gathered_before_a_change_is_delivered_as_it_was_asked_for() {
    let house = House::new([]);
    let entries = entries(&["eu-west-1", "eu-west-2", "eu-west-1", "eu-west-2"]);
    run_async(async {
        let mut follower = house.follower();
        follower.follow(&entries[..2]).await.unwrap();
        house.change_trail(|trail| {
            trail.s3_key_prefix = Some("new".to_owned());
            trail.is_multi_region_trail = false;
        });
        follower.follow(&entries[2..]).await.unwrap();
        follower.flush(Flush::Drain).await.unwrap();
    });
    let keys = house.keys();
    assert_eq!(house.delivered(), [0, 1, 2], "the last one is of a Region that is not asked for any more");
    assert_eq!(keys.iter().filter(|key| key.starts_with("audit/AWSLogs/")).count(), 2);
    assert_eq!(keys.iter().filter(|key| key.starts_with("audit/new/AWSLogs/")).count(), 1);
}

#[test]
fn a_trail_is_freed_from_a_bad_bucket_by_pointing_it_at_another() {
    let house = House::new([Write::Refuses, Write::Refuses]);
    let entries = entries(&["eu-west-1"; 2]);
    run_async(async {
        let mut follower = house.follower();
        follower.follow(&entries).await.unwrap();
        let error = follower.flush(Flush::Deadline).await.unwrap_err();
        assert!(error.to_string().contains("no bucket `audit`"), "{error}");
        assert_eq!(house.state().status.latest_error.as_deref(), Some("NoSuchBucket"));
        house.change_trail(|trail| trail.s3_bucket_name = "other".to_owned());
        assert!(follower.flush(Flush::Deadline).await.is_err(), "this try still goes to the old one");
        follower.flush(Flush::Deadline).await.unwrap();
    });
    assert_eq!(house.delivered(), [0, 1]);
    assert!(house.keys()[0].starts_with("other/AWSLogs/"));
    let status = house.state().status;
    assert_eq!(status.latest_error, None, "gone after a success");
    assert_eq!(status.latest_attempt_ms, status.latest_delivery_ms);
}

#[test]
fn events_are_given_up_after_thirty_days_of_failure_and_not_before() {
    let house = House::new(std::iter::repeat_n(Write::Refuses, 3));
    run_async(async {
        let mut follower = house.follower();
        follower.follow(&[entry(0, START_MS)]).await.unwrap();
        assert!(follower.flush(Flush::Deadline).await.is_err());
        house.clock.store(START_MS + REDELIVERY_MS - 1, Ordering::Relaxed);
        assert!(follower.flush(Flush::Deadline).await.is_err());
        house.clock.store(START_MS + REDELIVERY_MS + 1, Ordering::Relaxed);
        follower.flush(Flush::Deadline).await.unwrap();
        follower.follow(&[entry(1, START_MS + REDELIVERY_MS)]).await.unwrap();
        follower.flush(Flush::Deadline).await.unwrap();
    });
    assert_eq!(house.delivered(), [1]);
}

#[test]
fn what_arrived_of_a_cut_that_is_given_up_is_digested() {
    let house = House::new([Write::Takes, Write::Refuses]);
    house.change_trail(|trail| trail.log_file_validation_enabled = true);
    run_async(async {
        let mut follower = house.follower();
        follower.follow(&entries(&["eu-west-1", "eu-west-2"])).await.unwrap();
        house.clock.store(START_MS + REDELIVERY_MS + 2, Ordering::Relaxed);
        follower.cut().await.unwrap();
    });
    assert_eq!((house.delivered(), house.state().next), (vec![0], 2));
    let noted = house.registry.list::<registry::DeliveredCut>().unwrap();
    let listed: Vec<&str> = noted.iter().flat_map(|cut| &cut.files).map(|file| file.object.as_str()).collect();
    assert_eq!(house.keys(), [format!("audit/{}", listed.join(" "))]);
}

#[test]
fn what_lay_here_for_long_while_nobody_ran_is_tried_for_thirty_days_too() {
    let house = House::new([Write::Refuses]);
    run_async(async {
        house.clock.store(START_MS + 2 * REDELIVERY_MS, Ordering::Relaxed);
        let mut follower = house.follower();
        follower.follow(&[entry(0, START_MS)]).await.unwrap();
        assert!(follower.flush(Flush::Deadline).await.is_err());
        follower.flush(Flush::Deadline).await.unwrap();
    });
    assert_eq!(house.delivered(), [0]);
}

#[test]
fn an_interval_without_wanted_events_moves_the_position_and_delivers_nothing() {
    let house = House::new([]);
    house.change_trail(|trail| trail.is_multi_region_trail = false);
    run_async(async {
        let mut follower = house.follower();
        follower.flush(Flush::Deadline).await.unwrap();
        assert!(house.registry.get::<DeliveryState>(&house.arn).unwrap().is_none(), "nothing came, nothing is saved");
        assert_eq!(follower.deadline(), None);
        follower.follow(&entries(&["eu-west-9"; 3])).await.unwrap();
        assert!(follower.deadline().is_some());
        follower.flush(Flush::Deadline).await.unwrap();
        assert_eq!(follower.deadline(), None);
    });
    assert_eq!(house.keys(), Vec::<String>::new());
    assert_eq!((house.state().next, house.state().status.latest_attempt_ms), (3, None));
}

#[test]
fn stopping_delivers_what_came_before_and_nothing_after() {
    let house = House::new([]);
    let entries = entries(&["eu-west-1"; 6]);
    run_async(async {
        let mut follower = house.follower();
        follower.follow(&entries[..2]).await.unwrap();
        house.change_trail(|trail| trail.logging.stop(START_MS + 3));
        follower.follow(&entries[2..]).await.unwrap();
        follower.flush(Flush::Deadline).await.unwrap();
    });
    assert_eq!(house.delivered(), [0, 1, 2, 3]);
    assert_eq!(house.state().next, 6);
}

#[test]
fn a_trail_made_anew_under_an_old_name_starts_anew() {
    let house = House::new([]);
    let entries = entries(&["eu-west-1"; 2]);
    run_async(async {
        let mut follower = house.follower();
        follower.follow(&entries).await.unwrap();
        follower.flush(Flush::Drain).await.unwrap();
        house.change_trail(|trail| trail.created_ms += 1);
        let mut follower = house.follower();
        assert_eq!(follower.position().await.unwrap(), Seq(0));
        follower.follow(&entries).await.unwrap();
        follower.flush(Flush::Drain).await.unwrap();
    });
    assert_eq!(house.delivered(), [0, 0, 1, 1], "each trail has them");
    assert_eq!(house.state().trail_created_ms, trail().created_ms + 1);
}
