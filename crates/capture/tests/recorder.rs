//! What one exchange of each protocol becomes, and what it teaches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use event::EventTime;
use opentrail_capture::{Failure, Identities, Keep, Reason, TlsDetails, Verdict};
use scene::{ALICE, NOW, Scene, recorder, recorder_of, recorder_with_memory};
use serde_json::{Value, json};

fn at<'v>(record: &'v Value, pointer: &str) -> &'v Value {
    record.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn a_json_call_has_all_members_in_their_order() {
    let mut scene = Scene::json(
        "cloudtrail",
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.StopLogging",
        r#"{"Name":"main"}"#,
    )
    .header("host", "cloudtrail.eu-west-1.amazonaws.com")
    .header("user-agent", "aws-cli/2.31.0")
    .answer(200, "{}");
    scene.tls = Some(TlsDetails {
        version: "TLSv1.3".to_owned(),
        cipher_suite: "TLS_AES_128_GCM_SHA256".to_owned(),
        key_exchange: Some("X25519MLKEM768".to_owned()),
    });
    let Verdict::Record(events) = scene.play(&recorder()) else { panic!("no record") };
    let text = std::str::from_utf8(events[0].json()).unwrap();
    assert_eq!(
        text,
        r#"{"eventVersion":"1.11","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEALICE00001","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","accessKeyId":"AKIAEXAMPLEALICE0001","userName":"alice"},"eventTime":"2026-01-15T10:02:03Z","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2.31.0","requestParameters":{"name":"main"},"responseElements":null,"requestID":"request-1","eventID":"00000000-0000-4000-8000-000000000001","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"cloudtrail.eu-west-1.amazonaws.com","keyExchange":"X25519MLKEM768"}}"#
    );
}

#[test]
fn a_query_call_has_lists_and_maps_and_an_xml_result() {
    let record = Scene::form(
        "iam",
        "Action=CreateUser&Version=2010-05-08&UserName=bob&Tags.member.1.Key=a&Tags.member.1.Value=b%20c&Tags.member.2.Key=d&Tags.member.2.Value=",
    )
    .answer(
        200,
        "<CreateUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateUserResult><User><Path>/</Path>\
         <UserName>bob</UserName><CreateDate>2026-01-15T10:02:03Z</CreateDate><Tags/></User></CreateUserResult>\
         <ResponseMetadata><RequestId>in-the-body</RequestId></ResponseMetadata></CreateUserResponse>",
    )
    .record(&recorder());
    assert_eq!(
        at(&record, "/requestParameters"),
        &json!({"userName":"bob","tags":[{"key":"a","value":"b c"},{"key":"d","value":""}]})
    );
    assert_eq!(
        at(&record, "/responseElements"),
        &json!({"user":{"path":"/","userName":"bob","createDate":"Jan 15, 2026 10:02:03 AM","tags":[]}})
    );
    assert_eq!(at(&record, "/awsRegion"), "us-east-1");
    let sqs = Scene::form(
        "sqs",
        "Action=SetQueueAttributes&Version=2012-11-05&QueueUrl=u&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=9",
    );
    let record = sqs.record(&recorder());
    assert_eq!(at(&record, "/eventName"), "SetQueueAttributes");
}

#[test]
fn a_query_error_has_the_modeled_name_and_a_refusal_hides_the_parameters() {
    let error = |code: &str| {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        )
    };
    let call = Scene::form("iam", "Action=GetRole&Version=2010-05-08&RoleName=r");
    let missing = call.clone().answer(404, &error("NoSuchEntity")).record(&recorder());
    assert_eq!(at(&missing, "/errorCode"), "NoSuchEntityException");
    assert_eq!(at(&missing, "/errorMessage"), "no");
    assert_eq!(at(&missing, "/requestParameters"), &json!({"roleName":"r"}));
    let denied = call.answer(403, &error("AccessDenied")).record(&recorder());
    assert_eq!((at(&denied, "/errorCode"), at(&denied, "/requestParameters")), (&json!("AccessDenied"), &Value::Null));
}

#[test]
fn ec2_speaks_both_of_its_styles() {
    let old = Scene::form(
        "ec2",
        "Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=2&InstanceType=t3.micro&UserData=c2VjcmV0\
         &SecurityGroupId.1=sg-1&Placement.AvailabilityZone=eu-west-1a&TagSpecification.1.ResourceType=instance\
         &TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=web&Monitoring.Enabled=true",
    )
    .answer(
        200,
        "<RunInstancesResponse><requestId>r</requestId><reservationId>r-1</reservationId><groupSet/><instancesSet><item>\
         <instanceId>i-1</instanceId><instanceState><code>0</code><name>pending</name></instanceState>\
         <launchTime>2026-01-15T10:02:03.000Z</launchTime></item></instancesSet></RunInstancesResponse>",
    )
    .record(&recorder());
    assert_eq!(
        at(&old, "/requestParameters"),
        &json!({
            "instancesSet":{"items":[{"imageId":"ami-1","minCount":1,"maxCount":2}]},
            "groupSet":{"items":[{"groupId":"sg-1"}]},
            "availabilityZone":"eu-west-1a","instanceType":"t3.micro","userData":"<sensitiveDataRemoved>",
            "tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Name","value":"web"}]}]},
            "monitoring":{"enabled":true},"blockDeviceMapping":{},"disableApiTermination":false,"disableApiStop":false
        })
    );
    assert_eq!(
        at(&old, "/responseElements"),
        &json!({"requestId":"r","reservationId":"r-1","groupSet":{},"instancesSet":{"items":[
            {"instanceId":"i-1","instanceState":{"code":0,"name":"pending"},"launchTime":1_768_471_323_000_u64}]}})
    );
    let new = Scene::form("ec2", "Action=CreateFlowLogs&Version=2016-11-15&ResourceId.1=vpc-1&ResourceId.2=vpc-2&ResourceType=VPC&MaxAggregationInterval=60")
        .answer(400, "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>")
        .record(&recorder());
    assert_eq!(
        at(&new, "/requestParameters"),
        &json!({"CreateFlowLogsRequest":{"ResourceId":[{"tag":1,"content":"vpc-1"},{"tag":2,"content":"vpc-2"}],"ResourceType":"VPC","MaxAggregationInterval":60}})
    );
    assert_eq!(at(&new, "/errorCode"), "Client.UnauthorizedOperation");
    let empty = Scene::form("ec2", "Action=GetEbsEncryptionByDefault&Version=2016-11-15").record(&recorder());
    assert_eq!(at(&empty, "/requestParameters"), &json!({"GetEbsEncryptionByDefaultRequest":""}));
}

#[test]
fn rest_json_gathers_path_query_headers_and_body() {
    let record = Scene::signed("POST", "/2015-03-31/functions/fn%3A1/policy?Qualifier=7", "lambda")
        .body(r#"{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"*","Unheard":"x"}"#)
        .answer(201, r#"{"Statement":"{}"}"#)
        .record(&recorder());
    assert_eq!(at(&record, "/eventName"), "AddPermission20150331v2");
    assert_eq!(
        at(&record, "/requestParameters"),
        &json!({"functionName":"fn:1","qualifier":"7","statementId":"s","action":"lambda:InvokeFunction","principal":"*"})
    );
    assert_eq!(at(&record, "/responseElements"), &json!({"statement":"{}"}));
    let invoke = Scene::signed("POST", "/2015-03-31/functions/fn/invocations", "lambda")
        .header("x-amz-invocation-type", "Event")
        .body(r#"{"password":"PLANTED"}"#)
        .answer(202, "PLANTED")
        .record(&recorder());
    assert_eq!(at(&invoke, "/requestParameters"), &json!({"functionName":"fn","invocationType":"Event"}));
    assert_eq!((at(&invoke, "/eventCategory"), at(&invoke, "/managementEvent")), (&json!("Data"), &json!(false)));
    assert_eq!(at(&invoke, "/resources/0/ARN"), "arn:aws:lambda:eu-west-1:111122223333:function:fn");
    assert!(!invoke.to_string().contains("PLANTED"));
}

#[test]
fn a_parameter_cannot_be_hidden_behind_many_others() {
    let others: String = (0..1000).map(|number| format!("j{number}=1&")).collect();
    let play = |method: &str, path: &str, service: &str| {
        Scene::signed(
            method,
            &format!("{path}?{others}{}", if service == "s3" { "versionId=v" } else { "Qualifier=7" }),
            service,
        )
        .answer(204, "")
        .record(&recorder())
    };
    let record = play("DELETE", "/2015-03-31/functions/f", "lambda");
    assert_eq!(at(&record, "/requestParameters"), &json!({"functionName": "f", "qualifier": "7"}));
    assert_eq!(at(&play("DELETE", "/bucket/key", "s3"), "/requestParameters/versionId"), "v");
}

#[test]
fn a_form_that_names_an_operation_is_that_call_whatever_its_query_string_looks_like() {
    for query in ["uploadId=x", "delete", "AWSAccessKeyId=A&Expires=9&Signature=s"] {
        for (service, form, name) in [
            ("iam", "Action=DeleteUser&Version=2010-05-08&UserName=bob", "DeleteUser"),
            ("sqs", "Action=DeleteQueue&Version=2012-11-05", "DeleteQueue"),
        ] {
            let scene = Scene::signed("POST", &format!("/111122223333/q?{query}"), service);
            let scene = scene.header("content-type", "application/x-www-form-urlencoded").body(form);
            assert_eq!(at(&scene.answer(200, "").record(&recorder()), "/eventName"), name, "{service} {query}");
        }
    }
    let scene = Scene::signed("POST", "/bucket/key?uploadId=x", "s3");
    let scene = scene.header("content-type", "application/x-www-form-urlencoded").body("<CompleteMultipartUpload/>");
    assert_eq!(at(&scene.answer(200, "").record(&recorder()), "/eventName"), "CompleteMultipartUpload");
}

#[test]
fn services_behind_api_gateway_keep_their_own_ways() {
    let denied = Scene::signed("DELETE", "/detector/d-1", "guardduty")
        .answer_header("x-amzn-errortype", "AccessDeniedException:")
        .answer(403, r#"{"message":"no"}"#)
        .record(&recorder());
    assert_eq!(at(&denied, "/errorCode"), "AccessDenied");
    assert_eq!(denied.get("errorMessage"), None);
    assert_eq!(at(&denied, "/requestParameters"), &json!({"detectorId":"d-1"}));
    assert_eq!(at(&denied, "/responseElements"), &json!({"message":"no"}));
}

#[test]
fn cbor_is_read_like_json() {
    // {"AlarmNames": ["a"]}
    let body = [b"\xa1\x6aAlarmNames\x81\x61a".as_slice()].concat();
    let mut scene =
        Scene::signed("POST", "/service/GraniteServiceVersion20100801/operation/DeleteAlarms", "monitoring")
            .header("smithy-protocol", "rpc-v2-cbor")
            .header("content-type", "application/cbor");
    scene.body = body;
    let record = scene.record(&recorder());
    assert_eq!(at(&record, "/eventSource"), "monitoring.amazonaws.com");
    assert_eq!(at(&record, "/requestParameters"), &json!({"alarmNames":["a"]}));
}

#[test]
fn s3_says_host_flags_and_documents() {
    let tagging = Scene::signed("PUT", "/audit?tagging", "s3")
        .header("host", "s3.eu-west-1.amazonaws.com")
        .header("user-agent", "me")
        .body("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag><Key>a</Key><Value>true</Value></Tag></TagSet></Tagging>")
        .answer(204, "")
        .record(&recorder());
    assert_eq!(
        at(&tagging, "/requestParameters"),
        &json!({"bucketName":"audit","Host":"s3.eu-west-1.amazonaws.com","tagging":"",
            "Tagging":{"xmlns":"http://s3.amazonaws.com/doc/2006-03-01/","TagSet":{"Tag":{"Key":"a","Value":true}}}})
    );
    assert_eq!(at(&tagging, "/userAgent"), "[me]");
    assert_eq!(
        at(&tagging, "/resources"),
        &json!([{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::audit"}])
    );
    let policy = Scene::signed("PUT", "/audit?policy", "s3")
        .body(r#"{"Version":"2012-10-17","Statement":[]}"#)
        .record(&recorder());
    assert_eq!(at(&policy, "/requestParameters/bucketPolicy"), &json!({"Version":"2012-10-17","Statement":[]}));

    let mut put = Scene::signed("PUT", "/audit/a/b%20c.txt", "s3")
        .header("host", "s3.amazonaws.com")
        .header("x-amz-acl", "private")
        .header("x-amz-server-side-encryption-customer-key", "PLANTED")
        .header("x-amz-security-token", "PLANTED")
        .answer_header("x-amz-version-id", "v1")
        .answer_header("x-amz-id-2", "id2");
    put.body_total = Some(5 << 30);
    let record = put.record(&recorder());
    assert_eq!(
        at(&record, "/requestParameters"),
        &json!({"bucketName":"audit","key":"a/b c.txt","Host":"s3.amazonaws.com","x-amz-acl":"private"})
    );
    assert_eq!(at(&record, "/responseElements"), &json!({"x-amz-version-id":"v1"}));
    assert_eq!(
        at(&record, "/additionalEventData"),
        &json!({"SignatureVersion":"SigV4","bytesTransferredIn":5_u64 << 30,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"id2","bytesTransferredOut":0})
    );
    assert_eq!(at(&record, "/resources/0"), &json!({"type":"AWS::S3::Object","ARN":"arn:aws:s3:::audit/a/b c.txt"}));
}

#[test]
fn a_presigned_url_names_its_caller_and_keeps_its_signature_to_itself() {
    let record = Scene::unsigned(
        "GET",
        "/audit/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLEALICE0001%2F20260115%2Feu-west-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20260115T100000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=PLANTED&X-Amz-Security-Token=PLANTED",
    )
    .record(&recorder());
    assert_eq!(at(&record, "/userIdentity/userName"), "alice");
    assert_eq!(at(&record, "/additionalEventData/AuthenticationMethod"), "QueryString");
    assert_eq!(at(&record, "/requestParameters/X-Amz-Expires"), "60");
    assert!(!record.to_string().contains("PLANTED"));
}

#[test]
fn anonymous_reads_are_recorded_and_other_unsigned_calls_are_counted() {
    let recorder = recorder();
    let anonymous = Scene::unsigned("GET", "/public/index.html").record(&recorder);
    assert_eq!(
        at(&anonymous, "/userIdentity"),
        &json!({"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"})
    );
    let reason = |scene: Scene| match scene.play(&recorder) {
        Verdict::Unrecorded(reason) => reason,
        Verdict::Record(_) => panic!("recorded"),
    };
    let unsigned = Scene::unsigned("POST", "/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("Action=ListUsers&Version=2010-05-08");
    assert_eq!(reason(unsigned.clone()), Reason::Unauthenticated);
    let refused = Scene::json("dynamodb", "DynamoDB_20120810.ListTables", "{}")
        .answer(400, r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException"}"#);
    assert_eq!(reason(refused), Reason::BadSignature);
    assert_eq!(reason(Scene::json("dynamodb", "DynamoDB_20120810.Frobnicate", "{}")), Reason::UnknownOperation);
    let told = unsigned.record(&recorder_of(true).0);
    assert_eq!(at(&told, "/userIdentity"), &json!({"type":"Unknown","accountId":"111122223333"}));
}

#[test]
fn an_unknown_key_is_recorded_as_such() {
    let record = Scene::unsigned("GET", "/").by("AKIAWHOEVER", "s3").record(&recorder());
    assert_eq!(
        at(&record, "/userIdentity"),
        &json!({"type":"Unknown","accountId":"111122223333","accessKeyId":"AKIAWHOEVER"})
    );
}

#[test]
fn a_session_is_learned_and_its_secrets_are_not_recorded() {
    let (recorder, memory) = recorder_with_memory();
    let assume = Scene::form(
        "sts",
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fops%2FDeploy&RoleSessionName=ci\
         &SourceIdentity=alice&SerialNumber=arn%3Amfa&TokenCode=PLANTED",
    )
    .answer(
        200,
        "<AssumeRoleResponse><AssumeRoleResult><SourceIdentity>alice</SourceIdentity><AssumedRoleUser>\
         <AssumedRoleId>AROAEXAMPLE:ci</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/Deploy/ci</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>ASIANEW</AccessKeyId><SecretAccessKey>PLANTED</SecretAccessKey><SessionToken>token</SessionToken>\
         <Expiration>2026-01-15T11:02:03Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
    )
    .record(&recorder);
    assert!(!assume.to_string().contains("PLANTED"), "{assume}");
    assert_eq!(at(&assume, "/readOnly"), &json!(true));
    assert_eq!(
        at(&assume, "/responseElements/credentials"),
        &json!({"accessKeyId":"ASIANEW","sessionToken":"token","expiration":"Jan 15, 2026, 11:02:03 AM"})
    );
    assert_eq!(at(&assume, "/resources/0/type"), "AWS::IAM::Role");

    let next = Scene::unsigned("POST", "/")
        .by("ASIANEW", "dynamodb")
        .header("x-amz-target", "DynamoDB_20120810.ListTables")
        .body("{}")
        .record(&recorder);
    assert_eq!(
        at(&next, "/userIdentity"),
        &json!({"type":"AssumedRole","principalId":"AROAEXAMPLE:ci","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/ci",
            "accountId":"111122223333","accessKeyId":"ASIANEW","sessionContext":{
                "sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/ops/Deploy",
                    "accountId":"111122223333","userName":"Deploy"},
                "attributes":{"creationDate":"2026-01-15T10:02:03Z","mfaAuthenticated":"true"},"sourceIdentity":"alice"}})
    );
    assert!(memory.resolve("ASIANEW", EventTime(NOW.0 + 3601)).is_none());
}

#[test]
fn a_caller_identity_teaches_only_what_nobody_knew() {
    let (recorder, memory) = recorder_with_memory();
    let who = |key: &str| {
        Scene::unsigned("POST", "/").by(key, "sts").header("content-type", "application/x-www-form-urlencoded")
            .body("Action=GetCallerIdentity&Version=2011-06-15")
            .answer(200, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::444455556666:user/team/bob</Arn>\
                <UserId>AIDABOB</UserId><Account>444455556666</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
    };
    who("AKIABOB").record(&recorder);
    let bob = memory.resolve("AKIABOB", NOW).unwrap();
    assert_eq!((bob.user_name.as_deref(), bob.principal_id.as_deref()), (Some("bob"), Some("AIDABOB")));
    who(ALICE).record(&recorder);
    assert_eq!(memory.resolve(ALICE, NOW).unwrap().user_name.as_deref(), Some("alice"));
}

#[test]
fn saml_and_web_identities_need_no_signature() {
    let record = Scene::unsigned("POST", "/").header("host", "sts.amazonaws.com").header("content-type", "application/x-www-form-urlencoded")
        .body("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FWeb&RoleSessionName=s&WebIdentityToken=PLANTED")
        .answer(200, "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Provider>accounts.google.com</Provider>\
            <Audience>app</Audience><SubjectFromWebIdentityToken>user-1</SubjectFromWebIdentityToken>\
            </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")
        .record(&recorder());
    assert_eq!(
        at(&record, "/userIdentity"),
        &json!({"type":"WebIdentityUser","principalId":"accounts.google.com:app:user-1","userName":"user-1","identityProvider":"accounts.google.com"})
    );
    assert!(!record.to_string().contains("PLANTED"));
}

#[test]
fn an_unreachable_upstream_and_a_cut_answer_are_failures_of_the_call() {
    let mut scene = Scene::json("dynamodb", "DynamoDB_20120810.CreateTable", r#"{"TableName":"t"}"#);
    (scene.status, scene.failure) = (None, Some(Failure::Unreachable));
    let record = scene.record(&recorder());
    assert_eq!(at(&record, "/errorCode"), "ServiceUnavailable");
    assert_eq!(at(&record, "/requestParameters"), &json!({"tableName":"t"}));
    (scene.status, scene.failure, scene.answer) = (Some(200), Some(Failure::ResetMidBody), b"{\"Tab".to_vec());
    let record = scene.record(&recorder());
    assert_eq!(
        (at(&record, "/errorCode"), at(&record, "/responseElements")),
        (&json!("InternalFailure"), &Value::Null)
    );
}

#[test]
fn a_client_that_went_away_is_told_by_what_is_missing() {
    let mut scene = Scene::form("iam", "Action=CreateUser&Version=2010-05-08&UserName=bo");
    (scene.status, scene.failure) = (None, Some(Failure::ClientGone));
    let record = scene.record(&recorder());
    assert_eq!(at(&record, "/errorCode"), "RequestTimeout");
    assert_eq!(at(&record, "/requestParameters/omitted"), &json!(true), "the name may be longer");
    // The call was carried out: that the client did not hear all of it is no failure of the call.
    let mut scene =
        Scene::json("dynamodb", "DynamoDB_20120810.CreateTable", r#"{"TableName":"t"}"#).answer(200, "{\"Tab");
    (scene.answer_total, scene.failure) = (Some(900), Some(Failure::ClientGone));
    let record = scene.record(&recorder());
    assert_eq!(record.get("errorCode"), None);
    assert_eq!(at(&record, "/responseElements/omitted"), &json!(true));
}

#[test]
fn additional_data_is_what_the_wire_tells() {
    let sts = |host: &str| {
        Scene::form("sts", "Action=GetCallerIdentity&Version=2011-06-15").header("host", host).record(&recorder())
    };
    assert_eq!(
        at(&sts("sts.eu-west-1.amazonaws.com"), "/additionalEventData/RequestDetails"),
        &json!({"awsServingRegion":"eu-west-1","endpointType":"regional"})
    );
    assert_eq!(at(&sts("sts.amazonaws.com"), "/additionalEventData/RequestDetails"), &json!({"endpointType":"global"}));
    assert_eq!(sts("127.0.0.1:4566").get("additionalEventData"), None);
    let kms = Scene::json("kms", "TrentService.Decrypt", "{}")
        .answer(200, r#"{"KeyId":"arn:aws:kms:eu-west-1:111122223333:key/k","KeyMaterialId":"m"}"#)
        .record(&recorder());
    assert_eq!(at(&kms, "/additionalEventData"), &json!({"keyMaterialId":"m"}));
    let invoke = Scene::signed("POST", "/2015-03-31/functions/fn/invocations", "lambda")
        .answer_header("x-amz-executed-version", "$LATEST")
        .record(&recorder());
    assert_eq!(
        at(&invoke, "/additionalEventData"),
        &json!({"functionVersion":"arn:aws:lambda:eu-west-1:111122223333:function:fn:$LATEST"})
    );
    let anonymous = Scene::unsigned("GET", "/public/index.html").record(&recorder());
    assert_eq!(at(&anonymous, "/additionalEventData"), &json!({"bytesTransferredIn":0,"bytesTransferredOut":0}));
}

#[test]
fn what_was_not_kept_whole_is_said_to_be_omitted() {
    let mut scene = Scene::json("ssm", "AmazonSSM.AddTagsToResource", r#"{"ResourceType":"Parameter","ResourceId":"#);
    scene.body_total = Some(3 << 20);
    let record = scene.record(&recorder());
    assert_eq!(at(&record, "/requestParameters/omitted"), &json!(true));
}

#[test]
fn compressed_bodies_are_read() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(br#"{"trailNameList":["a"]}"#).unwrap();
    let mut scene =
        Scene::json("cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DescribeTrails", "")
            .header("content-encoding", "gzip");
    scene.body = packed.finish().unwrap();
    assert_eq!(at(&scene.record(&recorder()), "/requestParameters"), &json!({"trailNameList":["a"]}));
}

#[test]
fn only_needed_bytes_are_kept() {
    let recorder = recorder();
    let kept = |scene: &Scene| {
        let headers: Vec<(&str, &[u8])> =
            scene.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let request = aws::Request {
            method: &scene.method,
            path: &scene.path,
            query: &scene.query,
            headers: aws::Headers(&headers),
            path_style: false,
        };
        let opened = recorder.open(&request);
        (opened.request_body(), opened.response_body(200), opened.response_body(404))
    };
    let error = Keep::UpTo(64 << 10);
    assert_eq!(kept(&Scene::signed("PUT", "/b/k", "s3")), (Keep::Nothing, Keep::Nothing, error));
    assert_eq!(kept(&Scene::signed("GET", "/b/k", "s3")).1, Keep::Nothing);
    assert_eq!(
        kept(&Scene::signed("POST", "/2015-03-31/functions/f/invocations", "lambda")),
        (Keep::Nothing, Keep::Nothing, error)
    );
    let list = kept(&Scene::json("dynamodb", "DynamoDB_20120810.GetItem", ""));
    assert_eq!((list.0, list.1), (Keep::UpTo(1 << 20), Keep::Nothing));
    assert_eq!(kept(&Scene::json("dynamodb", "DynamoDB_20120810.CreateTable", "")).1, Keep::UpTo(1 << 20));
}

#[test]
fn no_caller_can_name_another_bucket_in_the_record_than_the_one_it_asked() {
    let record =
        Scene::signed("PUT", "/secret/k?tagging&bucketName=public&key=x&Host=y&x-amz-acl=private&Tagging=z", "s3")
            .header("host", "s3.example.com")
            .header("x-amz-acl", "public-read")
            .body("<Tagging><TagSet/></Tagging>")
            .record(&recorder());
    let parameters = at(&record, "/requestParameters");
    assert_eq!((&parameters["bucketName"], &parameters["key"]), (&json!("secret"), &json!("k")));
    assert_eq!(parameters["Host"], "s3.example.com");
    let record =
        Scene::signed("PUT", "/secret?tagging", "s3").body("<bucketName>public</bucketName>").record(&recorder());
    assert_eq!(at(&record, "/requestParameters/bucketName"), "secret");
}
