//! Notifications against a topic that is a list.

use super::*;
use crate::cut::Collection;
use crate::cut::tests::{entry_of, trail};
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tempfile::TempDir;

/// Topics that are lists: `dead…` does not exist, and `hangs…` never answers.
#[derive(Default)]
struct Told(Mutex<Vec<(String, String)>>);

impl Topics for Told {
    fn publish<'a>(&'a self, topic_arn: &'a str, message: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            if topic_arn.starts_with("hangs") {
                return std::future::pending().await;
            }
            if topic_arn.starts_with("dead") {
                return Err(CallError::Refused { code: "NotFound".to_owned(), message: "no".to_owned() });
            }
            self.0.lock().unwrap().push((topic_arn.to_owned(), message.to_owned()));
            Ok(())
        })
    }
}

struct House {
    _folder: TempDir,
    registry: Registry,
    told: Arc<Told>,
    clock: Arc<AtomicU64>,
    tools: NotifyTools,
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let (told, clock) = (Arc::new(Told::default()), Arc::new(AtomicU64::new(1_768_471_323_000)));
        let now = Arc::clone(&clock);
        let now_ms: NowMs = Arc::new(move || now.load(Ordering::Relaxed));
        let tools = NotifyTools::new(&registry, told.clone(), NotifyMetrics::default(), now_ms).unwrap();
        House { _folder: folder, registry, told, clock, tools }
    }

    fn add(&self, name: &str, topic: &str) -> Trail {
        let trail = Trail { name: name.to_owned(), sns_topic_arn: Some(topic.to_owned()), ..trail() };
        self.registry.put(trail.clone(), Expected::Absent).unwrap();
        trail
    }

    fn change(&self, trail: &Trail, topic: Option<&str>) {
        let change = |trail: &mut Trail| -> Result<(), RegistryError> {
            trail.sns_topic_arn = topic.map(str::to_owned);
            Ok(())
        };
        self.registry.update(&trail.arn(), change).unwrap();
    }

    /// Notes a delivered cut with a file in each of these Regions.
    async fn deliver(&self, trail: &Trail, from: u64, regions: &[&str]) {
        let mut collection = Collection::default();
        for (seq, region) in (from..).zip(regions) {
            collection.add(trail, &entry_of(seq, 0, "s", "N", region)).unwrap();
        }
        let cut = collection.cut(trail, from + 100, 1_768_471_323_000).unwrap();
        self.tools.note(trail, &cut, from).await.unwrap();
    }

    fn state(&self, trail: &Trail) -> Option<NotificationState> {
        self.tools.states.get(&trail.arn()).map(|state| NotificationState::clone(&state))
    }

    fn messages(&self, topic: &str) -> Vec<serde_json::Value> {
        let told = self.told.0.lock().unwrap();
        told.iter().filter(|(to, _)| to == topic).map(|(_, message)| serde_json::from_str(message).unwrap()).collect()
    }
}

#[track_caller]
fn within(seconds: u64, what: &str, wanted: impl Fn() -> bool) -> impl Future<Output = ()> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    async move {
        while !wanted() {
            assert!(Instant::now() < deadline, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn each_file_is_told_once_in_order_and_the_status_says_when() {
    let house = House::new();
    let trail = house.add("main", "told");
    let silent = Trail { name: "silent".to_owned(), ..self::trail() };
    house.registry.put(silent.clone(), Expected::Absent).unwrap();
    house.deliver(&silent, 0, &["eu-west-1"]).await;
    assert_eq!(house.tools.notes.list().len(), 0, "a trail without a topic");
    house.deliver(&trail, 0, &["eu-west-1", "us-east-1"]).await;
    house.deliver(&trail, 100, &["eu-west-1"]).await;
    let notifier = Notifier::start(house.tools.clone());
    within(5, "three messages", || house.messages("told").len() == 3).await;
    house.deliver(&trail, 200, &["ap-south-1"]).await;
    within(5, "the fourth", || house.messages("told").len() == 4).await;
    notifier.drain().await;
    assert_eq!(house.tools.notes.list().len(), 0);
    let messages = house.messages("told");
    let regions: Vec<&str> = messages
        .iter()
        .map(|message| {
            assert_eq!(message["s3Bucket"], "audit");
            assert_eq!(message["s3ObjectKey"].as_array().unwrap().len(), 1);
            message["s3ObjectKey"][0].as_str().unwrap().split('/').nth(3).unwrap()
        })
        .collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1", "eu-west-1", "ap-south-1"]);
    let state = house.state(&trail).unwrap();
    assert_eq!(state.latest_notification_ms, Some(1_768_471_323_000));
    assert_eq!((state.latest_attempt_ms, state.latest_error), (Some(1_768_471_323_000), None));
}

#[tokio::test]
async fn dead_topics_are_tried_again_and_hold_up_nobody() {
    let house = House::new();
    let (dead, hanging, alive) =
        (house.add("dead", "dead"), house.add("hanging", "hangs"), house.add("alive", "alive"));
    let notifier = Notifier::start(house.tools.clone());
    for trail in [&dead, &hanging, &alive] {
        house.deliver(trail, 0, &["eu-west-1"]).await;
    }
    within(5, "the other topic is told", || house.messages("alive").len() == 1).await;
    within(5, "the error is shown", || {
        house.state(&dead).is_some_and(|state| state.latest_error.as_deref() == Some("NotFound"))
    })
    .await;
    assert_eq!(house.state(&dead).unwrap().latest_notification_ms, None);
    house.deliver(&dead, 100, &["us-east-1"]).await;
    house.change(&dead, Some("revived"));
    within(5, "what was missed, without waiting", || house.messages("revived").len() == 2).await;
    within(5, "the error is gone", || house.state(&dead).is_some_and(|state| state.latest_error.is_none())).await;
    let began = Instant::now();
    notifier.drain().await;
    assert!(began.elapsed() < DRAIN + Duration::from_secs(2), "a topic that hangs does not hold up the end");
    assert_eq!(house.tools.waiting(&hanging.arn()).len(), 1, "and is told after the next start");
}

#[tokio::test]
async fn a_topic_that_is_taken_away_is_told_nothing_and_the_last_files_of_a_trail_are_told() {
    let house = House::new();
    let (cleared, gone) = (house.add("cleared", "cleared"), house.add("gone", "gone"));
    house.deliver(&cleared, 0, &["eu-west-1"]).await;
    house.deliver(&gone, 0, &["eu-west-1"]).await;
    house.change(&cleared, None);
    let version = house.tools.trails.get(&gone.arn()).unwrap().version;
    house.registry.delete::<Trail>(&gone.arn(), version).unwrap();
    let left = NotificationState::of(&gone.arn(), 1);
    house.registry.put(left, Expected::Absent).unwrap();
    let notifier = Notifier::start(house.tools.clone());
    within(5, "nothing waits", || house.tools.notes.list().is_empty()).await;
    notifier.drain().await;
    assert_eq!((house.messages("cleared").len(), house.messages("gone").len()), (0, 1));
    assert_eq!(house.state(&gone), None, "of a trail that is gone nothing is kept");
}

#[tokio::test]
async fn after_thirty_days_a_notification_is_given_up() {
    let house = House::new();
    let trail = house.add("main", "dead");
    house.deliver(&trail, 0, &["eu-west-1"]).await;
    house.clock.fetch_add(31 * 24 * 3600 * 1000, Ordering::Relaxed);
    house.deliver(&trail, 100, &["eu-west-1"]).await;
    let notifier = Notifier::start(house.tools.clone());
    within(5, "the old one is gone", || house.tools.waiting(&trail.arn()).len() == 1).await;
    notifier.drain().await;
    assert_eq!(house.tools.waiting(&trail.arn())[0].from, 100);
}
