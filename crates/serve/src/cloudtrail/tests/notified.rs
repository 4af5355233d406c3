//! Topics and log groups of trails: what is tried, what is refused, what is shown.

use super::*;
use crate::seams::{DestinationError, LogGroups, Topics};

const GROUP: &str = "arn:aws:logs:eu-west-1:111122223333:log-group:audit:*";
const ROLE: &str = "arn:aws:iam::111122223333:role/Delivery";

/// Topics and log groups by what stands in their names: `missing`, `denied`, `far`; notes what they are asked.
#[derive(Default)]
struct Services(Mutex<Vec<String>>);

impl Services {
    fn answer(&self, asked: String) -> Result<(), DestinationError> {
        let cause = || "because".to_owned();
        let answer = match &asked {
            asked if asked.contains("missing") => Err(DestinationError::Missing(cause())),
            asked if asked.contains("denied") => Err(DestinationError::Denied(cause())),
            asked if asked.contains("far") => Err(DestinationError::Unavailable(cause())),
            _ => Ok(()),
        };
        self.0.lock().unwrap().push(asked);
        answer
    }
}

impl Topics for Services {
    fn validate<'a>(&'a self, topic_arn: &'a str) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move { self.answer(topic_arn.to_owned()) })
    }
}

impl LogGroups for Services {
    fn create_stream<'a>(&'a self, trail: &'a Trail) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move { self.answer(trail.cloud_watch_logs_log_group_arn.clone().unwrap()) })
    }
}

fn api() -> (Api, Arc<Services>) {
    let (mut api, services) = (Api::new(), Arc::new(Services::default()));
    api.api = api.api.with_topics(Some(services.clone())).with_log_groups(Some(services.clone()));
    (api, services)
}

fn wish(more: Value) -> Value {
    let mut body = json!({"Name": "main", "S3BucketName": "audit"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn logs(group: &str) -> Value {
    json!({"CloudWatchLogsLogGroupArn": group, "CloudWatchLogsRoleArn": ROLE})
}

fn begins(api: &Api) -> Option<u64> {
    api.registry.get::<Trail>(&arn("eu-west-1", "main")).unwrap().unwrap().cloud_watch_logs_from
}

#[test]
fn a_topic_and_a_log_group_are_tried_in_this_order_and_shown_as_given() {
    let (api, services) = api();
    let mut body = wish(logs(GROUP));
    body["SnsTopicName"] = json!("told");
    let made = api.ok("CreateTrail", body);
    let topic = "arn:aws:sns:eu-west-1:111122223333:told";
    assert_eq!(*services.0.lock().unwrap(), [topic, GROUP]);
    assert_eq!(api.store.markers.lock().unwrap().len(), 1);
    let shown = api.ok("GetTrail", json!({"Name": "main"}))["Trail"].clone();
    let described = api.ok("DescribeTrails", json!({}))["trailList"][0].clone();
    for trail in [made, shown, described] {
        assert_eq!((&trail["SnsTopicName"], &trail["SnsTopicARN"]), (&json!("told"), &json!(topic)));
        assert_eq!(trail["CloudWatchLogsLogGroupArn"], json!(GROUP));
        assert_eq!(trail["CloudWatchLogsRoleArn"], json!(ROLE));
    }
    let spelled = api.ok("UpdateTrail", json!({"Name": "main", "SnsTopicName": topic}));
    assert_eq!((&spelled["SnsTopicName"], &spelled["SnsTopicARN"]), (&json!(topic), &json!(topic)));
    let fresh = api.ok("GetTrailStatus", json!({"Name": "main"}));
    assert!(fresh.get("LatestNotificationTime").is_none(), "a trial message is no notification");
}

#[test]
fn a_topic_or_log_group_that_does_not_take_anything_is_refused_and_the_trail_stays_as_it_was() {
    let (api, services) = api();
    for topic in ["missing", "denied"] {
        let mut body = wish(logs(GROUP));
        body["SnsTopicName"] = json!(topic);
        let (code, message) = api.refused("CreateTrail", body);
        assert_eq!(code, "InsufficientSnsTopicPolicyException");
        assert_eq!(message, "SNS Topic does not exist or the topic policy is incorrect!");
    }
    assert!(services.0.lock().unwrap().iter().all(|asked| asked.contains(":sns:")), "the log group comes later");
    for (group, said) in [
        ("missing", "CloudTrail cannot validate the specified log group ARN."),
        ("denied", "Access denied. Verify in IAM that the role has adequate permissions."),
    ] {
        let (code, message) = api.refused("CreateTrail", wish(logs(&GROUP.replace("audit", group))));
        assert_eq!((code.as_str(), message.as_str()), ("InvalidCloudWatchLogsLogGroupArnException", said));
    }
    for (body, code, said) in [
        (wish(json!({"SnsTopicName": "far"})), "InsufficientSnsTopicPolicyException", "serves sns cannot be reached"),
        (
            wish(logs(&GROUP.replace("audit", "far"))),
            "CloudWatchLogsDeliveryUnavailableException",
            "serves logs cannot be reached",
        ),
    ] {
        let refused = api.refused("CreateTrail", body);
        assert!(refused.0 == code && refused.1.contains(said), "{refused:?}");
    }
    api.refuses("GetTrail", json!({"Name": "main"}), "TrailNotFoundException");
    assert_eq!(api.store.markers.lock().unwrap().len(), 6, "what was written stays");
    api.create("main");
    api.refuses(
        "UpdateTrail",
        json!({"Name": "main", "SnsTopicName": "denied"}),
        "InsufficientSnsTopicPolicyException",
    );
    assert!(api.ok("GetTrail", json!({"Name": "main"}))["Trail"].get("SnsTopicName").is_none());
}

#[test]
fn where_nobody_serves_topics_or_log_groups_the_error_says_so_and_nothing_is_touched() {
    let api = Api::new();
    for (body, remedy) in [
        (wish(json!({"SnsTopicName": "told"})), "--upstream sns=URL, or leave SnsTopicName out"),
        (wish(logs(GROUP)), "--upstream logs=URL, or leave CloudWatchLogsLogGroupArn out"),
    ] {
        let (code, message) = api.refused("CreateTrail", body);
        assert_eq!(code, "UnsupportedOperationException");
        assert!(message.contains(remedy), "{message}");
    }
    assert!(api.store.markers.lock().unwrap().is_empty());
}

#[test]
fn a_log_group_has_the_events_from_the_call_on_that_set_it() {
    let (api, _) = api();
    api.create("main");
    assert_eq!(begins(&api), None);
    let update = |more: Value, at: u64| {
        api.tail.0.store(at, Ordering::Relaxed);
        let mut body = more;
        body["Name"] = json!("main");
        api.ok("UpdateTrail", body);
        begins(&api)
    };
    assert_eq!(update(logs(GROUP), 50), Some(50));
    assert_eq!(update(json!({"S3KeyPrefix": "p"}), 60), Some(50));
    assert_eq!(update(logs(&GROUP.replace("audit", "other")), 70), Some(50), "it has what the first has not");
    assert_eq!(update(json!({"CloudWatchLogsRoleArn": ""}), 80), None);
    assert_eq!(update(logs(GROUP), 90), Some(90));
}

#[test]
fn the_status_tells_of_messages_and_log_events_and_their_errors_of_a_topic_and_group_that_are_there() {
    let (api, _) = api();
    let mut body = wish(logs(GROUP));
    body["SnsTopicName"] = json!("told");
    api.ok("CreateTrail", body);
    let arn = arn("eu-west-1", "main");
    let notifications = NotificationState {
        latest_notification_ms: Some(1_789_321_210_200),
        latest_attempt_ms: Some(1_789_321_222_000),
        latest_error: Some("AuthorizationError".to_owned()),
        ..NotificationState::of(&arn, NOW_MS)
    };
    let trail = api.registry.get::<Trail>(&arn).unwrap().unwrap();
    let logs = LogsState {
        latest_delivery_ms: Some(1_789_321_211_500),
        latest_error: Some("ResourceNotFoundException".to_owned()),
        ..LogsState::of(&trail)
    };
    api.registry.put(notifications.clone(), Expected::Absent).unwrap();
    api.registry.put(logs, Expected::Absent).unwrap();
    let status = api.ok("GetTrailStatus", json!({"Name": "main"}));
    for (member, value) in [
        ("LatestNotificationTime", json!(1_789_321_210.2)),
        ("LatestNotificationError", json!("AuthorizationError")),
        ("LatestNotificationAttemptTime", json!("2026-09-13T17:40:22Z")),
        ("LatestNotificationAttemptSucceeded", json!("2026-09-13T17:40:10Z")),
        ("LatestCloudWatchLogsDeliveryTime", json!(1_789_321_211.5)),
        ("LatestCloudWatchLogsDeliveryError", json!("ResourceNotFoundException")),
    ] {
        assert_eq!(status[member], value, "{member}");
    }
    api.ok("UpdateTrail", json!({"Name": "main", "SnsTopicName": "", "CloudWatchLogsLogGroupArn": ""}));
    let status = api.ok("GetTrailStatus", json!({"Name": "main"}));
    for member in ["LatestNotificationError", "LatestCloudWatchLogsDeliveryError"] {
        assert!(status.get(member).is_none(), "{member}");
    }
    let earlier = NotificationState { trail_created_ms: NOW_MS - 1, ..notifications };
    let version = api.registry.get::<NotificationState>(&arn).unwrap().unwrap().version;
    api.registry.put(earlier, version).unwrap();
    let status = api.ok("GetTrailStatus", json!({"Name": "main"}));
    assert!(status.get("LatestNotificationTime").is_none(), "that of an earlier trail");
}

#[test]
fn what_the_log_group_still_needs_is_not_forgotten() {
    let (api, _) = api();
    api.ok("CreateTrail", wish(logs(GROUP)));
    api.ok("StartLogging", json!({"Name": "main"}));
    let found = api.registry.get::<Trail>(&arn("eu-west-1", "main")).unwrap().unwrap();
    let delivered = DeliveryState { next: 90, ..DeliveryState::of(&found) };
    api.registry.put(delivered, Expected::Absent).unwrap();
    let sent = LogsState { next: 45, ..LogsState::of(&found) };
    api.registry.put(sent, Expected::Absent).unwrap();
    api.ok("StopLogging", json!({"Name": "main"}));
    api.tail.0.store(80, Ordering::Relaxed);
    api.ok("StartLogging", json!({"Name": "main"}));
    let periods = |api: &Api| {
        let trail = api.registry.get::<Trail>(&arn("eu-west-1", "main")).unwrap().unwrap();
        trail.logging.periods.iter().map(|period| period.from).collect::<Vec<_>>()
    };
    assert_eq!(periods(&api), [42, 80], "files are delivered up to 90, events sent up to 45");
}
