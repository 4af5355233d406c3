//! Calls with more than one record: keys of `DeleteObjects`, and two accounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use event::Identity;
use opentrail_capture::{Identities, Lesson, Recorder};
use scene::{ACCOUNT, NOW, Scene, recorder, recorder_with_memory};
use serde_json::{Value, json};
use std::collections::HashSet;

const OTHER: &str = "444455556666";
const BOB: &str = "AKIAEXAMPLEBOB000001";

fn at<'v>(record: &'v Value, pointer: &str) -> &'v Value {
    record.pointer(pointer).unwrap_or(&Value::Null)
}

/// A recorder that knows a user of another account too.
fn two_accounts() -> Recorder {
    let (recorder, memory) = recorder_with_memory();
    let identity = Identity::iam_user(OTHER, "bob", "AIDAEXAMPLEBOB0000001", BOB);
    memory.learn(Lesson { access_key_id: BOB.to_owned(), identity, origins: Vec::new(), expires: None }, NOW);
    recorder
}

fn delete(answer: &str) -> Scene {
    Scene::signed("POST", "/audit?delete", "s3")
        .header("host", "s3.eu-west-1.amazonaws.com")
        .body(
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a/1</Key></Object>\
             <Object><Key>b&amp;2</Key><VersionId>v1</VersionId></Object><Quiet>false</Quiet></Delete>",
        )
        .answer(200, answer)
}

#[test]
fn delete_objects_has_one_record_more_for_each_key() {
    let records = delete(
        "<DeleteResult><Deleted><Key>a/1</Key></Deleted><Error><Key>b&amp;2</Key><VersionId>v1</VersionId>\
         <Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>",
    )
    .records(&recorder());
    let [all, first, second] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((at(all, "/eventName"), at(all, "/errorCode")), (&json!("DeleteObjects"), &Value::Null));
    for key in [first, second] {
        assert_eq!(at(key, "/eventName"), "DeleteObject");
        assert_eq!((at(key, "/eventCategory"), at(key, "/readOnly")), (&json!("Data"), &json!(false)));
        assert_eq!(at(key, "/requestID"), at(all, "/requestID"));
        assert_eq!(at(key, "/additionalEventData/bytesTransferredIn"), &json!(0));
        assert_eq!(at(key, "/responseElements"), &Value::Null);
    }
    assert_eq!(records.iter().map(|record| at(record, "/eventID").to_string()).collect::<HashSet<_>>().len(), 3);
    assert_eq!(
        at(first, "/requestParameters"),
        &json!({"bucketName":"audit","key":"a/1","Host":"s3.eu-west-1.amazonaws.com"})
    );
    assert_eq!(
        at(first, "/resources"),
        &json!([{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::audit/a/1"},
            {"accountId":ACCOUNT,"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::audit"}])
    );
    assert_eq!(first.get("errorCode"), None);
    assert_eq!(at(second, "/requestParameters/versionId"), "v1");
    assert_eq!(at(second, "/resources/0/ARN"), "arn:aws:s3:::audit/b&2");
    assert_eq!(
        (at(second, "/errorCode"), at(second, "/errorMessage")),
        (&json!("AccessDenied"), &json!("Access Denied"))
    );
}

#[test]
fn keys_are_told_of_a_quiet_answer_and_not_of_an_unknown_one() {
    assert_eq!(delete("<DeleteResult/>").records(&recorder()).len(), 3);
    assert_eq!(delete("<DeleteResult><Dele").records(&recorder()).len(), 1);
    let mut cut = delete("<DeleteResult/>");
    cut.answer_total = Some(5 << 20);
    assert_eq!(cut.records(&recorder()).len(), 1);
    let refused = delete("<Error><Code>NoSuchBucket</Code></Error>");
    assert_eq!(Scene { status: Some(404), ..refused }.records(&recorder()).len(), 1);
}

#[test]
fn a_thousand_keys_are_all_told_and_no_more() {
    let keys: String = (0..1001).map(|n| format!("<Object><Key>{n:0>1000}</Key></Object>")).collect();
    let scene = delete("<DeleteResult/>").body(&format!("<Delete>{keys}</Delete>"));
    assert_eq!(scene.records(&recorder()).len(), 1001);
}

fn assume(by: &str, role_of: &str) -> Scene {
    Scene::unsigned("POST", "/")
        .by(by, "sts")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(&format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A{role_of}%3Arole%2Fr&RoleSessionName=s"
        ))
        .answer(200, "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>")
}

#[test]
fn an_action_across_accounts_has_a_record_in_each() {
    let records = assume(BOB, ACCOUNT).records(&two_accounts());
    let [caller, owner] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((at(caller, "/recipientAccountId"), at(owner, "/recipientAccountId")), (&json!(OTHER), &json!(ACCOUNT)));
    assert_eq!(at(caller, "/userIdentity/userName"), "bob");
    assert_eq!(
        at(owner, "/userIdentity"),
        &json!({"type":"AWSAccount","principalId":"AIDAEXAMPLEBOB0000001","accountId":OTHER})
    );
    assert_eq!(at(caller, "/resources"), at(owner, "/resources"));
    assert_eq!(at(caller, "/requestID"), at(owner, "/requestID"));
    assert_eq!(at(caller, "/sharedEventID"), at(owner, "/sharedEventID"));
    assert!(at(caller, "/sharedEventID").is_string());
    assert_ne!(at(caller, "/eventID"), at(owner, "/eventID"));
    for record in [caller, owner] {
        let id = at(record, "/eventID").as_str().unwrap();
        assert_eq!(id.chars().nth(14), Some('3'), "{id}");
    }
}

#[test]
fn the_owner_of_a_bucket_hears_of_others_and_they_do_not_hear_who_that_is() {
    let mut put = Scene::unsigned("PUT", "/audit/k").by(BOB, "s3");
    put.body_total = Some(1);
    let records = put.records(&two_accounts());
    let [caller, owner] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(at(caller, "/resources/1/accountId"), "HIDDEN_DUE_TO_SECURITY_REASONS");
    assert_eq!(at(owner, "/resources/1/accountId"), ACCOUNT);
    assert_eq!(at(owner, "/userIdentity/type"), "AWSAccount");
    assert_eq!(owner.pointer("/userIdentity/arn"), None);
}

#[test]
fn only_the_requester_reads_the_addresses_of_those_who_are_granted_something() {
    let acl = "<AccessControlPolicy><AccessControlList><Grant><Grantee><EmailAddress>b@example.com</EmailAddress></Grantee>\
               <Permission>READ</Permission></Grant></AccessControlList>\
               <Owner xmlns:x=\"u\"><x:EmailAddress>d@example.com</x:EmailAddress></Owner></AccessControlPolicy>";
    let put = Scene::unsigned("PUT", "/audit?acl&x-amz-grant-read-acp=emailAddress%3Dc%40example.com")
        .by(BOB, "s3")
        .header("x-amz-grant-read", "emailAddress=\"a@example.com\"")
        .header("x-amz-grant-write", "id=\"1\"")
        .body(acl);
    let records = put.records(&two_accounts());
    let [caller, owner] = records.as_slice() else { panic!("{records:?}") };
    let email = "/requestParameters/AccessControlPolicy/AccessControlList/Grant/Grantee/EmailAddress";
    assert_eq!(at(caller, email), "b@example.com");
    assert!(at(caller, "/requestParameters/accessControlList/x-amz-grant-read").to_string().contains("a@example.com"));
    assert_eq!(at(caller, "/requestParameters/x-amz-grant-read-acp"), "emailAddress=c@example.com");
    assert_eq!(at(owner, email), "HIDDEN_DUE_TO_SECURITY_REASONS");
    assert!(!owner.to_string().contains("@example.com"), "{owner}");
    assert_eq!(at(owner, "/requestParameters/accessControlList/x-amz-grant-write"), "id=\"1\"");
}

#[test]
fn a_key_that_only_the_answer_names_and_a_bus_of_an_entry_say_whose_they_are() {
    let decrypt = |asked: &str| {
        Scene::unsigned("POST", "/")
            .by(BOB, "kms")
            .header("x-amz-target", "TrentService.Decrypt")
            .body(asked)
            .answer(200, &format!(r#"{{"KeyId":"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"}}"#))
            .records(&two_accounts())
            .len()
    };
    assert_eq!((decrypt(r#"{"CiphertextBlob":"AA=="}"#), decrypt(r#"{"KeyId":"alias/own"}"#)), (2, 1));
    let put = |bus: &str| {
        Scene::unsigned("POST", "/")
            .by(BOB, "events")
            .header("x-amz-target", "AWSEvents.PutEvents")
            .body(&format!(r#"{{"Entries":[{{"Source":"s"}},{{"Source":"s","EventBusName":"{bus}"}}]}}"#))
            .records(&two_accounts())
            .len()
    };
    assert_eq!((put(&format!("arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/b")), put("b")), (2, 1));
}

#[test]
fn refusals_of_sts_and_kms_stay_with_the_caller() {
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    let records = assume(BOB, ACCOUNT).answer(403, denied).records(&two_accounts());
    assert_eq!(records.len(), 1);
    assert_eq!(at(&records[0], "/recipientAccountId"), OTHER);
    assert_eq!(records[0].get("sharedEventID"), None);
    let kms = |status, body: &str| {
        Scene::unsigned("POST", "/")
            .by(BOB, "kms")
            .header("x-amz-target", "TrentService.Decrypt")
            .body(&format!(r#"{{"KeyId":"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"}}"#))
            .answer(status, body)
            .records(&two_accounts())
            .len()
    };
    assert_eq!((kms(400, r#"{"__type":"AccessDeniedException"}"#), kms(200, "{}")), (1, 2));
}

#[test]
fn within_one_account_and_where_an_account_is_not_certain_there_is_one_record() {
    let recorder = two_accounts();
    let by_bob = |target: &str, body: &str| {
        Scene::unsigned("POST", "/").by(BOB, "dynamodb").header("x-amz-target", target).body(body)
    };
    let table = format!(r#"{{"TableName":"arn:aws:dynamodb:eu-west-1:{OTHER}:table/t"}}"#);
    let scenes = [
        assume(scene::ALICE, ACCOUNT),
        assume(BOB, OTHER),
        assume("AKIANOBODYKNOWSME001", OTHER),
        by_bob("DynamoDB_20120810.ListTables", "{}"),
        by_bob("DynamoDB_20120810.DescribeTable", r#"{"TableName":"t"}"#),
        by_bob("DynamoDB_20120810.DescribeTable", &table),
        Scene::signed("GET", "/audit/k", "s3"),
        Scene::unsigned("GET", "/").by(BOB, "s3"),
        Scene::unsigned("GET", "/audit/k"),
    ];
    for scene in scenes {
        let records = scene.records(&recorder);
        assert_eq!(records.len(), 1, "{records:?}");
        assert_eq!(records[0].get("sharedEventID"), None);
    }
}

#[test]
fn the_owner_of_an_endpoint_does_not_hear_who_in_another_account_came_through_it() {
    let recorder = two_accounts().with_network_activity(|| true);
    let call = Scene::unsigned("POST", "/").by(BOB, "sqs").header("x-amz-target", "AmazonSQS.ListQueues").body("{}");
    let call = call.header("content-type", "application/x-amz-json-1.0");
    let records = Scene { vpc_endpoint: Some("vpce-08d2bf15fac5001c9"), ..call }.records(&recorder);
    let [call, activity] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(at(call, "/userIdentity/userName"), "bob");
    assert_eq!(at(activity, "/eventCategory"), "NetworkActivity");
    assert_eq!(
        at(activity, "/userIdentity"),
        &json!({"type":"AWSAccount","principalId":"AIDAEXAMPLEBOB0000001","accountId":OTHER})
    );
    assert_eq!(at(activity, "/recipientAccountId"), ACCOUNT);
}
