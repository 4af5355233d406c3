//! What a call through a VPC endpoint leaves: in its own record, and in the one of network activity beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use opentrail_capture::Verdict;
use scene::{ACCOUNT, Scene, recorder};
use serde_json::json;

#[test]
fn the_vpc_endpoint_stands_between_the_recipient_and_the_category() {
    let call = || Scene::json("sqs", "AmazonSQS.CreateQueue", r#"{"QueueName":"orders"}"#);
    let members = |scene: Scene| {
        let Verdict::Record(records) = scene.play(&recorder()) else { panic!("a record") };
        let text = std::str::from_utf8(records[0].json()).unwrap().to_owned();
        text[text.find("\"recipientAccountId\"").unwrap()..].to_owned()
    };
    let through = Scene { vpc_endpoint: Some("vpce-08d2bf15fac5001c9"), ..call() };
    let category = r#""eventCategory":"Management"}"#;
    let account = format!(r#""recipientAccountId":"{ACCOUNT}","#);
    assert_eq!(members(through), format!(r#"{account}"vpcEndpointId":"vpce-08d2bf15fac5001c9",{category}"#));
    assert_eq!(members(call()), format!("{account}{category}"));
}

#[test]
fn a_call_through_an_endpoint_has_a_record_of_network_activity_beside_its_own_where_that_is_wanted() {
    let endpoint = Some("vpce-08d2bf15fac5001c9");
    let body = r#"{"QueueName":"orders"}"#;
    let queue = || Scene::json("sqs", "AmazonSQS.CreateQueue", body).header("user-agent", "boto3");
    let records = |scene: Scene, wanted: bool| scene.records(&recorder().with_network_activity(move || wanted));
    let two = records(Scene { vpc_endpoint: endpoint, ..queue() }, true);
    let [call, activity] = two.as_slice() else { panic!("{two:?}") };
    assert_eq!((&call["eventCategory"], &call["vpcEndpointId"]), (&json!("Management"), &json!(endpoint)));
    let members: Vec<&str> = activity.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members.join(" "),
        "eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress requestID eventID eventType \
         recipientAccountId vpcEndpointId eventCategory"
    );
    assert_eq!(activity["eventType"], "AwsVpceEvent");
    assert_eq!(activity["eventCategory"], "NetworkActivity");
    for member in ["userIdentity", "eventName", "requestID", "recipientAccountId", "vpcEndpointId"] {
        assert_eq!(activity[member], call[member], "{member}");
    }
    assert_ne!(activity["eventID"], call["eventID"]);
    assert_eq!(records(Scene { vpc_endpoint: endpoint, ..queue() }, false).len(), 1, "nobody wants it");
    assert_eq!(Scene { vpc_endpoint: endpoint, ..queue() }.records(&recorder()).len(), 1, "nobody was asked");
    assert_eq!(records(queue(), true).len(), 1, "it came through no endpoint");
    let users = Scene::form("iam", "Action=ListUsers&Version=2010-05-08");
    assert_eq!(records(Scene { vpc_endpoint: endpoint, ..users }, true).len(), 1, "IAM has no such events");
}

#[test]
fn network_activity_tells_how_a_call_failed_and_of_many_keys_once() {
    let endpoint = Some("vpce-08d2bf15fac5001c9");
    let play = |scene: Scene| {
        let records = Scene { vpc_endpoint: endpoint, ..scene }.records(&recorder().with_network_activity(|| true));
        records.into_iter().filter(|record| record["eventCategory"] == "NetworkActivity").collect::<Vec<_>>()
    };
    let refusal = r#"{"__type":"com.amazonaws.kms#AccessDeniedException","message":"no"}"#;
    let refused = play(Scene::json("kms", "TrentService.ListKeys", "{}").answer(400, refusal));
    assert_eq!((refused.len(), &refused[0]["errorCode"]), (1, &json!("AccessDenied")));
    let keys = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    let deleted = play(Scene::signed("POST", "/bucket?delete", "s3").body(keys).answer(200, "<DeleteResult/>"));
    assert_eq!((deleted.len(), &deleted[0]["eventName"]), (1, &json!("DeleteObjects")));
}
