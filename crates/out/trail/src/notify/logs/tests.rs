//! Delivery to log groups through failures and crashes, against groups that are a map.

mod crashes;

use super::*;
use crate::cut::tests::trail;
use crate::notify::LogsDelivery;
use crate::router::Router;
use event::Event;
use futures_util::future::BoxFuture;
use journal::{FollowOptions, Journal};
use registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

const GROUP: &str = "arn:aws:logs:eu-west-1:111122223333:log-group:audit:*";
const STREAM: &str = "audit/111122223333_CloudTrail_eu-west-1";

/// Log groups that are there, and the streams in them: time and text of each event. `hangs` never answers.
#[derive(Default)]
struct Groups {
    there: Mutex<BTreeSet<String>>,
    streams: Mutex<BTreeMap<String, Vec<(u64, String)>>>,
    calls: AtomicU64,
}

impl Groups {
    fn missing() -> CallError {
        CallError::Refused { code: "ResourceNotFoundException".to_owned(), message: "no".to_owned() }
    }

    fn ids(&self) -> Vec<u64> {
        let streams = self.streams.lock().unwrap();
        let id = |(_, text): &(u64, String)| Event::from_text(text).unwrap().id().parse().unwrap();
        streams.get(STREAM).map(|events| events.iter().map(id).collect()).unwrap_or_default()
    }
}

impl LogGroups for Groups {
    fn create_stream<'a>(&'a self, group: &'a LogGroup, stream: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            assert_eq!(group.region, "eu-west-1");
            if !self.there.lock().unwrap().contains(&group.name) {
                return Err(Groups::missing());
            }
            self.streams.lock().unwrap().entry(format!("{}/{stream}", group.name)).or_default();
            Ok(())
        })
    }

    fn put<'a>(
        &'a self,
        group: &'a LogGroup,
        stream: &'a str,
        timestamp_ms: u64,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<usize, CallError>> {
        Box::pin(async move {
            if group.name == "hangs" {
                return std::future::pending().await;
            }
            self.calls.fetch_add(1, Ordering::Relaxed);
            let is_there = self.there.lock().unwrap().contains(&group.name);
            match self.streams.lock().unwrap().get_mut(&format!("{}/{stream}", group.name)).filter(|_| is_there) {
                None => Err(Groups::missing()),
                Some(taken) => {
                    taken.extend(events.iter().map(|event| (timestamp_ms, event.text().to_owned())));
                    Ok(events.len())
                }
            }
        })
    }
}

struct House {
    folder: TempDir,
    groups: Arc<Groups>,
    clock: Arc<AtomicU64>,
}

/// One process.
struct Process {
    journal: Journal,
    registry: Registry,
    logs: LogsDelivery,
    metrics: NotifyMetrics,
    _route: tokio::sync::oneshot::Sender<()>,
}

impl House {
    fn new() -> House {
        let house = House {
            folder: tempfile::tempdir().unwrap(),
            groups: Arc::default(),
            clock: Arc::new(AtomicU64::new(1_768_471_500_000)),
        };
        house.make("audit");
        house
    }

    fn make(&self, group: &str) {
        self.groups.there.lock().unwrap().insert(group.to_owned());
    }

    fn remove(&self, group: &str) {
        self.groups.there.lock().unwrap().remove(group);
        self.groups.streams.lock().unwrap().retain(|stream, _| !stream.starts_with(&format!("{group}/")));
    }

    fn open(&self) -> (Journal, Registry) {
        let journal = Journal::open(&self.folder.path().join("journal"), journal::Options::default()).unwrap();
        (journal, Registry::open(&self.folder.path().join("registry")).unwrap())
    }

    fn start(&self) -> Process {
        let (journal, registry) = self.open();
        let trails: Documents<Trail> = registry.documents().unwrap();
        let feeds = Feeds::new(trails.clone(), journal.end(), Arc::new(|| 0));
        let (route, routed) = tokio::sync::oneshot::channel::<()>();
        let follow = FollowOptions { backoff: Duration::from_millis(20), ..FollowOptions::default() };
        let (_, routing) = journal::follow(&journal, Router::new(feeds.clone()), follow, async move {
            let _ = routed.await;
        });
        tokio::spawn(routing);
        let metrics = NotifyMetrics::default();
        let clock = Arc::clone(&self.clock);
        let tools = LogsTools {
            home: crate::Home { account_id: "111122223333".to_owned(), region: "eu-west-1".to_owned() },
            trails,
            states: registry.documents().unwrap(),
            feeds,
            groups: self.groups.clone(),
            metrics: metrics.clone(),
            now_ms: Arc::new(move || clock.load(Ordering::Relaxed)),
        };
        let logs = LogsDelivery::start(&journal, tools, follow);
        Process { journal, registry, logs, metrics, _route: route }
    }
}

impl Process {
    async fn append(&self, ids: std::ops::Range<u64>) {
        for id in ids {
            self.append_event(id, "").await;
        }
    }

    async fn append_event(&self, id: u64, filler: &str) {
        let json = format!(
            r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"sqs.amazonaws.com","eventName":"CreateQueue","awsRegion":"us-east-1","userAgent":"{filler}","eventID":"{id}","recipientAccountId":"111122223333","eventCategory":"Management"}}"#
        );
        self.journal.appender().append(Event::from_json(json.into()).unwrap()).await.unwrap();
    }

    fn change(&self, change: impl Fn(&mut Trail)) {
        let apply = |trail: &mut Trail| -> Result<(), RegistryError> {
            change(trail);
            Ok(())
        };
        self.registry.update(&trail().arn(), apply).unwrap();
    }

    fn state(&self) -> Option<LogsState> {
        self.registry.get::<LogsState>(&trail().arn()).unwrap().map(|state| LogsState::clone(&state))
    }

    fn metrics(&self) -> String {
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }
}

/// The trail logs from the first entry on, and has a log group from there on.
fn with_group() -> Trail {
    Trail {
        cloud_watch_logs_log_group_arn: Some(GROUP.to_owned()),
        cloud_watch_logs_role_arn: Some("arn:aws:iam::111122223333:role/Delivery".to_owned()),
        cloud_watch_logs_from: Some(0),
        ..trail()
    }
}

async fn within(seconds: u64, what: &str, wanted: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !wanted() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn records_arrive_in_order_as_they_are_and_soon() {
    let house = House::new();
    let process = house.start();
    process.registry.put(with_group(), Expected::Absent).unwrap();
    process.append(0..50).await;
    within(5, "all events", || house.groups.ids().len() == 50).await;
    process.append(50..60).await;
    within(5, "the rest", || house.groups.ids().len() == 60).await;
    assert_eq!(house.groups.ids(), (0..60).collect::<Vec<_>>());
    let streams = house.groups.streams.lock().unwrap();
    assert!(streams[STREAM].iter().all(|(time, _)| *time == 1_768_471_500_000), "the time of delivery");
    assert!(house.groups.calls.load(Ordering::Relaxed) < 20, "a call carries what came within a second");
    let state = process.state().unwrap();
    assert_eq!((state.latest_delivery_ms, state.latest_error), (Some(1_768_471_500_000), None));
    assert!(process.metrics().contains("opentrail_log_events_total{result=\"delivered\"} 60"));
}

#[tokio::test]
async fn the_trail_of_an_organization_has_a_stream_for_each_account() {
    let house = House::new();
    let process = house.start();
    let organization = Some(registry::Organization { id: "o-exampleorgid".to_owned(), accounts: Vec::new() });
    process.registry.put(Trail { organization, ..with_group() }, Expected::Absent).unwrap();
    process.append(0..2).await;
    let theirs = r#"{"eventTime":"2026-01-15T10:02:03Z","eventSource":"sqs.amazonaws.com","eventName":"CreateQueue","awsRegion":"us-east-1","eventID":"2","recipientAccountId":"444455556666","eventCategory":"Management"}"#;
    process.journal.appender().append(Event::from_text(theirs).unwrap()).await.unwrap();
    let streams = || -> Vec<(String, usize)> {
        let streams = house.groups.streams.lock().unwrap();
        streams.iter().map(|(name, events)| (name.clone(), events.len())).collect()
    };
    let stream = |account: &str| format!("audit/o-exampleorgid_{account}_CloudTrail_eu-west-1");
    within(5, "both streams", || streams() == [(stream("111122223333"), 2), (stream("444455556666"), 1)]).await;
    within(5, "all is saved", || process.state().is_some_and(|state| state.next == 3)).await;
}

#[tokio::test]
async fn an_event_over_256_kb_is_left_out() {
    let house = House::new();
    let process = house.start();
    process.registry.put(with_group(), Expected::Absent).unwrap();
    process.append(0..1).await;
    process.append_event(1, &"x".repeat(256 * 1024)).await;
    for id in 2..12 {
        process.append_event(id, &"x".repeat(255 * 1024)).await;
    }
    within(10, "the others", || house.groups.ids().len() == 11).await;
    assert_eq!(house.groups.ids(), [0].into_iter().chain(2..12).collect::<Vec<_>>());
    assert!(process.metrics().contains("opentrail_log_events_total{result=\"too_large\"} 1"));
}

#[tokio::test]
async fn a_group_that_is_gone_gets_what_it_missed_when_it_is_back() {
    let house = House::new();
    let process = house.start();
    process.registry.put(with_group(), Expected::Absent).unwrap();
    process.append(0..3).await;
    within(5, "the first events", || house.groups.ids().len() == 3).await;
    house.remove("audit");
    process.append(3..6).await;
    let error = || process.state().and_then(|state| state.latest_error);
    within(5, "the error", || error().as_deref() == Some("ResourceNotFoundException")).await;
    let told = || process.logs.statuses().iter().any(|status| status.last_error.is_some());
    within(5, "health shows it", told).await;
    let kept = process.logs.keep_from().unwrap();
    assert!(kept <= Seq(3), "the journal keeps {kept}");
    process.append(6..9).await;
    house.make("audit");
    within(5, "what was missed", || house.groups.ids().len() == 6).await;
    assert_eq!(house.groups.ids(), (3..9).collect::<Vec<_>>());
    within(5, "the error is gone", || error().is_none()).await;
}

#[tokio::test]
async fn a_trail_that_gets_a_group_sends_from_there_on_and_one_that_loses_it_nothing() {
    let house = House::new();
    let process = house.start();
    process.registry.put(trail(), Expected::Absent).unwrap();
    process.append(0..5).await;
    let from = process.journal.end().0;
    process.change(|trail| *trail = Trail { cloud_watch_logs_from: Some(from), ..with_group() });
    process.append(5..8).await;
    within(5, "the later events", || house.groups.ids().len() == 3).await;
    assert_eq!(house.groups.ids(), [5, 6, 7]);
    process.change(|trail| trail.cloud_watch_logs_log_group_arn = None);
    within(5, "nobody sends", || process.logs.statuses().is_empty()).await;
    process.append(8..9).await;
    let from = process.journal.end().0;
    process.change(|trail| *trail = Trail { cloud_watch_logs_from: Some(from), ..with_group() });
    process.append(9..10).await;
    within(5, "the newest", || house.groups.ids().len() == 4).await;
    assert_eq!(house.groups.ids(), [5, 6, 7, 9]);
}

#[tokio::test]
async fn a_stopped_trail_sends_what_it_has_and_rests() {
    let house = House::new();
    let process = house.start();
    process.registry.put(with_group(), Expected::Absent).unwrap();
    process.append(0..2).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    process.change(|trail| trail.logging.stop(now));
    tokio::time::sleep(Duration::from_millis(20)).await;
    process.append(2..3).await;
    within(5, "both events", || house.groups.ids().len() == 2).await;
    house.clock.store(now + 60_000, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(50)).await;
    process.change(|trail| trail.tags.clear());
    within(10, "it rests", || process.state().is_some_and(|state| state.finished_ms == Some(now))).await;
    assert_eq!((house.groups.ids(), process.logs.statuses().len(), process.logs.keep_from()), (vec![0, 1], 0, None));
    let end = process.journal.end().0;
    process.change(|trail| trail.logging.start(end, now + 60_000, end));
    process.append(3..4).await;
    within(5, "what comes after the next start", || house.groups.ids() == [0, 1, 3]).await;
}

#[tokio::test]
async fn a_group_that_hangs_does_not_hold_up_the_end() {
    let house = House::new();
    let process = house.start();
    let hanging = Trail {
        cloud_watch_logs_log_group_arn: Some("arn:aws:logs:eu-west-1:111122223333:log-group:hangs:*".to_owned()),
        ..with_group()
    };
    process.registry.put(hanging, Expected::Absent).unwrap();
    process.append(0..2).await;
    tokio::time::sleep(GATHER * 2).await;
    let began = Instant::now();
    process.logs.drain().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_when_the_process_died_is_sent_by_the_next() {
    let house = House::new();
    {
        let process = house.start();
        process.registry.put(with_group(), Expected::Absent).unwrap();
        process.append(0..3).await;
        within(5, "the first events", || house.groups.ids().len() == 3).await;
        within(5, "they are saved", || process.state().is_some_and(|state| state.next == 3)).await;
        process.append(3..7).await;
        process.logs.drain().await;
        assert_eq!(house.groups.ids().len(), 7, "a drain sends what is gathered");
        house.remove("audit");
        process.append(7..9).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    house.make("audit");
    let process = house.start();
    within(5, "the rest", || house.groups.ids().len() >= 2).await;
    assert_eq!(house.groups.ids(), [7, 8]);
    within(5, "they are saved", || process.state().is_some_and(|state| state.next == 9)).await;
}
