//! Logging, status, tags, and changes that meet.

use super::*;
use registry::DeliveryStatus;

#[test]
fn logging_starts_at_the_end_of_the_journal_and_both_switches_are_idempotent() {
    let mut api = Api::new();
    api.create("main");
    assert_eq!(api.ok("StopLogging", json!({"Name": "main"})), json!({}));
    assert_eq!(api.ok("StartLogging", json!({"Name": "main"})), json!({}));
    let logging = |api: &Api| {
        let trail: Versioned<Trail> = api.registry.get(&arn("eu-west-1", "main")).unwrap().unwrap();
        trail.logging.clone()
    };
    let started = logging(&api);
    assert_eq!((started.periods[0].from, started.started_ms, started.is_on()), (42, Some(NOW_MS), true));
    api.tail.0.store(50, Ordering::Relaxed);
    api.now_ms += 1000;
    api.ok("StartLogging", json!({"Name": arn("eu-west-1", "main")}));
    assert_eq!(logging(&api), started);
    api.ok("StopLogging", json!({"Name": "main"}));
    api.now_ms += 1000;
    api.ok("StopLogging", json!({"Name": "main"}));
    let stopped = logging(&api);
    assert_eq!((stopped.stopped_ms, stopped.is_on()), (Some(NOW_MS + 1000), false));
    api.ok("StartLogging", json!({"Name": "main"}));
    assert_eq!(logging(&api).periods.last().unwrap().from, 50);
}

#[test]
fn an_update_leaves_logging_alone() {
    let api = Api::new();
    api.create("main");
    api.ok("StartLogging", json!({"Name": "main"}));
    api.ok("UpdateTrail", json!({"Name": "main", "S3KeyPrefix": "p"}));
    assert_eq!(api.ok("GetTrailStatus", json!({"Name": "main"}))["IsLogging"], json!(true));
}

#[test]
fn a_status_grows_as_things_happen_and_its_legacy_texts_are_always_there() {
    let mut api = Api::new();
    api.create("main");
    let status = |api: &Api| api.ok("GetTrailStatus", json!({"Name": "main"}));
    let fresh = r#"{"IsLogging":false,"LatestDeliveryAttemptTime":"","LatestNotificationAttemptTime":"","LatestNotificationAttemptSucceeded":"","LatestDeliveryAttemptSucceeded":"","TimeLoggingStarted":"","TimeLoggingStopped":""}"#;
    assert_eq!(status(&api).to_string(), fresh);

    api.ok("StartLogging", json!({"Name": "main"}));
    let trail: Versioned<Trail> = api.registry.get(&arn("eu-west-1", "main")).unwrap().unwrap();
    let mut delivery = DeliveryState::of(&trail);
    delivery.status = DeliveryStatus {
        latest_delivery_ms: Some(NOW_MS + 8000),
        latest_attempt_ms: Some(NOW_MS + 9000),
        latest_error: Some("NoSuchBucket".to_owned()),
    };
    let version = api.registry.put(delivery.clone(), Expected::Absent).unwrap();
    api.now_ms += 60_000;
    api.ok("StopLogging", json!({"Name": "main"}));
    assert_eq!(
        status(&api),
        json!({
            "IsLogging": false,
            "LatestDeliveryError": "NoSuchBucket",
            "LatestDeliveryTime": 1_789_321_202.602,
            "StartLoggingTime": 1_789_321_194.602,
            "StopLoggingTime": 1_789_321_254.602,
            "LatestDeliveryAttemptTime": "2026-09-13T17:40:03Z",
            "LatestNotificationAttemptTime": "",
            "LatestNotificationAttemptSucceeded": "",
            "LatestDeliveryAttemptSucceeded": "2026-09-13T17:40:02Z",
            "TimeLoggingStarted": "2026-09-13T17:39:54Z",
            "TimeLoggingStopped": "2026-09-13T17:40:54Z",
        })
    );
    // A state that an earlier trail of the same name left behind tells nothing of this one.
    delivery.trail_created_ms += 1;
    api.registry.put(delivery, version).unwrap();
    assert!(status(&api).get("LatestDeliveryTime").is_none());
}

#[test]
fn tags_given_at_creation_are_listed_and_changed() {
    let api = Api::new();
    let tags = json!([{"Key": "team", "Value": "security"}, {"Key": "empty"}]);
    api.ok("CreateTrail", json!({"Name": "main", "S3BucketName": "audit", "TagsList": tags}));
    let main = arn("eu-west-1", "main");
    let listed = || api.ok("ListTags", json!({"ResourceIdList": [main]}));
    assert_eq!(listed(), json!({"ResourceTagList": [{"ResourceId": main, "TagsList": tags}]}));
    let more = json!([{"Key": "team", "Value": "audit"}, {"Key": "stage", "Value": "prod"}]);
    assert_eq!(api.ok("AddTags", json!({"ResourceId": main, "TagsList": more})), json!({}));
    api.ok(
        "RemoveTags",
        json!({"ResourceId": main, "TagsList": [{"Key": "empty"}, {"Key": "stage", "Value": "test"}]}),
    );
    let expected = json!([{"Key": "team", "Value": "audit"}, {"Key": "stage", "Value": "prod"}]);
    assert_eq!(listed()["ResourceTagList"][0]["TagsList"], expected);
}

#[test]
fn tags_are_changed_at_home_and_listed_everywhere() {
    let api = Api::new();
    api.ok("CreateTrail", json!({"Name": "main", "S3BucketName": "audit", "IsMultiRegionTrail": true}));
    let main = arn("eu-west-1", "main");
    for operation in ["AddTags", "RemoveTags"] {
        let body = json!({"ResourceId": main, "TagsList": [{"Key": "a"}]});
        assert_eq!(api.refused_in("us-east-1", operation, body.clone()).0, "InvalidHomeRegionException");
        api.ok(operation, body);
    }
    api.ok_in("us-east-1", "ListTags", json!({"ResourceIdList": [main]}));
}

#[test]
fn tags_keep_their_rules() {
    let api = Api::new();
    api.create("main");
    let main = arn("eu-west-1", "main");
    let many = |count: usize| (0..count).map(|n| json!({"Key": format!("k{n}")})).collect::<Vec<_>>();
    for (tags, code) in [
        (json!([{"Key": ""}]), "InvalidTagParameterException"),
        (json!([{"Value": "v"}]), "InvalidTagParameterException"),
        (json!([{"Key": "k".repeat(129)}]), "InvalidTagParameterException"),
        (json!([{"Key": "k", "Value": "v".repeat(257)}]), "InvalidTagParameterException"),
        (json!([{"Key": "AWS:k"}]), "InvalidTagParameterException"),
        (json!([{"Key": "k*"}]), "InvalidTagParameterException"),
        (json!([{"Key": "k"}, {"Key": "k"}]), "InvalidTagParameterException"),
        (json!(many(51)), "TagsLimitExceededException"),
        (json!(["k"]), "SerializationException"),
    ] {
        api.refuses("AddTags", json!({"ResourceId": main, "TagsList": tags}), code);
    }
    api.ok("AddTags", json!({"ResourceId": main, "TagsList": many(50)}));
    let one_more = json!({"ResourceId": main, "TagsList": [{"Key": "another"}]});
    api.refuses("AddTags", one_more, "TagsLimitExceededException");
    let of = |resource: &str| format!("arn:aws:cloudtrail:eu-west-1:111122223333:{resource}");
    for (id, code) in [
        (arn("eu-west-1", "unknown"), "ResourceNotFoundException"),
        (of("eventdatastore/1"), "EventDataStoreNotFoundException"),
        (of("channel/1"), "ChannelNotFoundException"),
        (of("dashboard/d"), "ResourceNotFoundException"),
        (of("import/1"), "ResourceTypeNotSupportedException"),
        ("main".to_owned(), "CloudTrailARNInvalidException"),
    ] {
        api.refuses("AddTags", json!({"ResourceId": id, "TagsList": []}), code);
        api.refuses("ListTags", json!({"ResourceIdList": [id]}), code);
    }
    api.refuses("ListTags", json!({"ResourceIdList": vec![main.clone(); 21]}), "InvalidParameterException");
    api.refuses("ListTags", json!({"ResourceIdList": [main], "NextToken": "x"}), "InvalidTokenException");
}

#[test]
fn creates_that_meet_never_pass_the_limit_of_a_region() {
    let api = Api::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let call = |number: usize| Call {
        target: "CloudTrail_20131101.CreateTrail".to_owned(),
        region: "eu-west-1".to_owned(),
        account_id: ACCOUNT.to_owned(),
        body: json!({"Name": format!("trail-{number}"), "S3BucketName": "audit"}).to_string().into(),
        now_ms: NOW_MS,
        request_id: String::new(),
    };
    let calls = (0..20).map(|number| api.api.call(call(number)));
    let statuses: Vec<u16> = runtime
        .block_on(futures_util::future::join_all(calls))
        .iter()
        .map(|response| response.status().as_u16())
        .collect();
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 5);
    assert_eq!(api.registry.list::<Trail>().unwrap().len(), 5);
}

#[test]
fn a_bucket_that_hangs_delays_no_other_change() {
    let api = Api::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let call = |operation: &str, body: Value| Call {
        target: format!("CloudTrail_20131101.{operation}"),
        region: "eu-west-1".to_owned(),
        account_id: ACCOUNT.to_owned(),
        body: body.to_string().into(),
        now_ms: NOW_MS,
        request_id: String::new(),
    };
    api.store.buckets.lock().unwrap().insert("hanging-audit".to_owned());
    runtime.block_on(async {
        let hangs = api.api.call(call("CreateTrail", json!({"Name": "slow", "S3BucketName": "hanging-audit"})));
        let goes_on = async {
            tokio::task::yield_now().await;
            api.api.call(call("CreateTrail", json!({"Name": "fast", "S3BucketName": "audit"}))).await
        };
        tokio::select! {
            biased;
            _ = hangs => panic!("it does not hang"),
            answer = goes_on => assert_eq!(answer.status(), 200),
        }
    });
}
