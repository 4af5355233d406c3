//! What records of S3 show: names of HTTP, documents, hosts, and what stands in `resources`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use scene::{ACCOUNT, Scene, recorder};
use serde_json::{Value, json};

fn at<'v>(record: &'v Value, pointer: &str) -> &'v Value {
    record.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn a_browsers_form_names_the_object_that_it_stores() {
    let form = |key: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n{key}\r\n--b\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"C:\\me\\x.txt\"\r\n\r\ncontent\r\n--b--\r\n"
        )
    };
    for (key, stored) in [("in/a.txt", "in/a.txt"), ("in/${filename}", "in/x.txt")] {
        let scene = Scene::signed("POST", "/bucket", "s3").header("content-type", "multipart/form-data; boundary=b");
        let record = scene.body(&form(key)).answer(204, "").record(&recorder());
        assert_eq!(at(&record, "/eventName"), "PostObject");
        assert_eq!(at(&record, "/requestParameters/key"), stored);
        assert_eq!(at(&record, "/resources/0/ARN"), &json!(format!("arn:aws:s3:::bucket/{stored}")));
    }
}

#[test]
fn a_call_took_place_where_s3_says_its_bucket_is() {
    let play = |status: u16, told: &str| {
        let scene = Scene::signed("PUT", "/bucket?tagging", "s3").answer(status, "");
        at(&scene.answer_header("x-amz-bucket-region", told).record(&recorder()), "/awsRegion").clone()
    };
    assert_eq!(play(200, "ap-south-1"), "ap-south-1", "whatever the call was signed for");
    assert_eq!(play(307, "ap-south-1"), "eu-west-1", "a redirect says where it was not");
    assert_eq!(play(200, "../../x"), "eu-west-1", "no Region");
}

#[test]
fn an_object_that_is_called_a_form_is_an_object() {
    let put = Scene::signed("PUT", "/bucket/key", "s3").header("content-type", "application/x-www-form-urlencoded");
    let record = Scene { body_total: Some(2_000_000), ..put.body("Action=x") }.record(&recorder());
    assert_eq!(at(&record, "/eventName"), "PutObject");
    let json = Scene::signed("POST", "/", "dynamodb").header("content-type", "application/x-www-form-urlencoded");
    let json = json.header("x-amz-target", "DynamoDB_20120810.PutItem").body("{\"TableName\":\"t\"");
    assert_eq!(at(&Scene { body_total: Some(2_000_000), ..json }.record(&recorder()), "/eventName"), "PutItem");
}

#[test]
fn directory_buckets_have_a_source_and_resources_of_their_own() {
    const BUCKET: &str = "arn:aws:s3express:eu-west-1:111122223333:bucket/b--euw1-az1--x-s3";
    let play = |method: &str, path: &str, host: &str| {
        let scene = Scene::signed(method, path, "s3express");
        scene.header("host", host).answer(200, "").record(&recorder())
    };
    let zone = "b--euw1-az1--x-s3.s3express-euw1-az1.eu-west-1.amazonaws.com";
    let put = play("PUT", "/k", zone);
    assert_eq!(
        (at(&put, "/eventSource"), at(&put, "/eventCategory")),
        (&json!("s3express.amazonaws.com"), &json!("Data"))
    );
    assert_eq!(
        at(&put, "/resources"),
        &json!([{"type":"AWS::S3Express::Object","ARN":format!("{BUCKET}/k")},
            {"accountId":"111122223333","type":"AWS::S3Express::DirectoryBucket","ARN":BUCKET}])
    );
    let listed = play("GET", "/?list-type=2", zone);
    assert_eq!(at(&listed, "/eventName"), "ListObjectsV2");
    let buckets = play("GET", "/", "s3express-control.eu-west-1.amazonaws.com");
    assert_eq!(
        (at(&buckets, "/eventSource"), at(&buckets, "/eventName"), at(&buckets, "/eventCategory")),
        (&json!("s3express.amazonaws.com"), &json!("ListDirectoryBuckets"), &json!("Management"))
    );
}

#[test]
fn a_copy_names_what_it_copies() {
    let copied = |source: &str| {
        let scene = Scene::signed("PUT", "/audit/copy", "s3").header("x-amz-copy-source", source);
        let record = scene.answer(200, "<CopyObjectResult/>").record(&recorder());
        at(&record, "/resources").as_array().unwrap()[2..].to_vec()
    };
    let bucket = json!({"accountId":ACCOUNT,"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::other"});
    let object = json!({"type":"AWS::S3::Object","ARN":"arn:aws:s3:::other/a b"});
    assert_eq!(copied("/other/a%20b?versionId=1"), [bucket.clone(), object.clone()]);
    assert_eq!(copied("other/a%20b"), [bucket, object]);
    assert_eq!(copied("arn:aws:s3:eu-west-1:1:accesspoint/x/object/k"), [Value::Null; 0], "an access point");
    assert_eq!(copied("other"), [Value::Null; 0]);
}

#[test]
fn the_encryption_of_a_new_object_is_told_as_s3_tells_it() {
    let put = |asked: &[(&str, &str)], answered: &[(&str, &str)]| {
        let scene = Scene::signed("PUT", "/audit/k", "s3");
        let scene = asked.iter().fold(scene, |scene, (name, value)| scene.header(name, value));
        let scene = answered.iter().fold(scene, |scene, (name, value)| scene.answer_header(name, value));
        at(&scene.record(&recorder()), "/additionalEventData/SSEApplied").clone()
    };
    const SSE: &str = "x-amz-server-side-encryption";
    let (s3, kms) = ((SSE, "AES256"), (SSE, "aws:kms"));
    assert_eq!(put(&[], &[s3]), "Default_SSE_S3");
    assert_eq!(put(&[s3], &[s3]), "SSE_S3");
    assert_eq!(put(&[], &[kms]), "Default_SSE_KMS");
    assert_eq!(put(&[kms], &[kms]), "SSE_KMS");
    let customer = ("x-amz-server-side-encryption-customer-algorithm", "AES256");
    assert_eq!(put(&[customer], &[customer]), "SSE_C");
    assert_eq!(put(&[], &[]), Value::Null, "an upstream that says nothing");
    assert_eq!(put(&[], &[(SSE, "aws:kms:dsse")]), Value::Null, "no record shows what stands there");
    let read = Scene::signed("GET", "/audit/k", "s3").answer_header(SSE, "AES256").record(&recorder());
    assert_eq!(at(&read, "/additionalEventData/SSEApplied"), &Value::Null);
    let begun = Scene::signed("POST", "/audit/k?uploads", "s3").answer_header(SSE, "AES256").record(&recorder());
    assert_eq!(at(&begun, "/additionalEventData/SSEApplied"), "Default_SSE_S3");
    let refused = Scene::signed("PUT", "/audit/k", "s3")
        .answer_header(SSE, "AES256")
        .answer(403, "<Error><Code>AccessDenied</Code></Error>");
    assert_eq!(at(&refused.record(&recorder()), "/additionalEventData/SSEApplied"), &Value::Null);
}

#[test]
fn the_context_of_an_objects_key_and_its_expiration_are_told() {
    const CONTEXT: &str = "x-amz-server-side-encryption-context";
    const EXPIRATION: &str = "x-amz-expiration";
    let record = Scene::signed("PUT", "/audit/k", "s3")
        .header(CONTEXT, "e30=")
        .answer_header(CONTEXT, "e30=")
        .answer_header(EXPIRATION, "rule-id=\"audit\"")
        .record(&recorder());
    assert_eq!(record["requestParameters"][CONTEXT], "e30=");
    assert_eq!(record["responseElements"], json!({CONTEXT: "e30=", EXPIRATION: "rule-id=\"audit\""}));
}

#[test]
fn an_access_point_stands_in_place_of_its_bucket() {
    let read = |target: &str, host: &str| {
        let record = Scene::signed("GET", target, "s3").header("host", host).record(&recorder());
        at(&record, "/resources").clone()
    };
    let arn = format!("arn:aws:s3:us-west-2:{ACCOUNT}:accesspoint/point");
    let both = json!([
        {"type":"AWS::S3::Object","ARN":format!("{arn}/object/k")},
        {"accountId":ACCOUNT,"type":"AWS::S3::AccessPoint","ARN":arn},
    ]);
    assert_eq!(read("/k", &format!("point-{ACCOUNT}.s3-accesspoint.us-west-2.amazonaws.com")), both);
    assert_eq!(read(&format!("/{}/k", arn.replace('/', "%2F")), "s3.us-west-2.amazonaws.com"), both);
    let lambda = Scene::signed("GET", "/k", "s3-object-lambda")
        .header("host", &format!("point-{ACCOUNT}.s3-object-lambda.us-west-2.amazonaws.com"));
    let arn = format!("arn:aws:s3-object-lambda:us-west-2:{ACCOUNT}:accesspoint/point");
    let record = lambda.record(&recorder());
    assert_eq!(
        at(&record, "/resources"),
        &json!([
            {"type":"AWS::S3::Object","ARN":format!("{arn}/object/k")},
            {"accountId":ACCOUNT,"type":"AWS::S3ObjectLambda::AccessPoint","ARN":arn},
        ])
    );
}

#[test]
fn annotations_are_data_of_their_object() {
    let record = Scene::signed("PUT", "/bucket/key?annotation&annotationName=n", "s3").body("x").record(&recorder());
    assert_eq!(at(&record, "/eventName"), "PutObjectAnnotation");
    assert_eq!(at(&record, "/eventCategory"), "Data");
    assert_eq!(at(&record, "/resources/0/ARN"), "arn:aws:s3:::bucket/key");
}

#[test]
fn a_document_of_s3_stands_under_its_name_and_grants_in_one_member() {
    let acl = "<AccessControlPolicy><AccessControlList><Grant><Grantee><ID>1</ID></Grantee><Permission>READ</Permission></Grant>\
               </AccessControlList></AccessControlPolicy>";
    let record = Scene::signed("PUT", "/bucket/key?acl", "s3").body(acl).record(&recorder());
    let grant = "/requestParameters/AccessControlPolicy/AccessControlList/Grant";
    assert_eq!(at(&record, grant), &json!({"Grantee": {"ID": 1}, "Permission": "READ"}));
    let parts =
        "<CompleteMultipartUpload><Part><ETag>a</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>";
    let record = Scene::signed("POST", "/bucket/key?uploadId=u", "s3").body(parts).record(&recorder());
    let shown = json!({"Part": {"ETag": "a", "PartNumber": 1}});
    assert_eq!(at(&record, "/requestParameters/CompleteMultipartUpload"), &shown);
    let copy = Scene::signed("PUT", "/bucket/key", "s3")
        .header("x-amz-copy-source", "/from/key")
        .header("x-amz-grant-full-control", "id=\"1\"")
        .header("x-amz-storage-class", "GLACIER");
    let record = copy.record(&recorder());
    let shown =
        (at(&record, "/requestParameters/accessControlList"), at(&record, "/requestParameters/x-amz-storage-class"));
    assert_eq!(shown, (&json!({"x-amz-grant-full-control": "id=\"1\""}), &json!("GLACIER")));
}

#[test]
fn a_long_document_hides_no_object() {
    let part = |number: usize| format!("<Part><ETag>a</ETag><PartNumber>{number}</PartNumber></Part>");
    let parts = (1..5000).map(part).collect::<String>();
    let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    for body in [&body, &body[..body.len() - 9]] {
        let record = Scene::signed("POST", "/bucket/key?uploadId=u", "s3").body(body).record(&recorder());
        let shown =
            ["bucketName", "key", "uploadId"].map(|name| at(&record, &format!("/requestParameters/{name}")).clone());
        assert_eq!(shown, ["bucket", "key", "u"]);
    }
    let program = "A".repeat(200_000);
    let canary = format!(r#"{{"Name":"c","Code":{{"ZipFile":"{program}"}}}}"#);
    let record = Scene::signed("POST", "/canary", "synthetics").body(&canary).record(&recorder());
    assert_eq!(at(&record, "/requestParameters"), &json!({"Name": "c", "Code": {}}));
}

#[test]
fn a_stated_name_says_more_of_a_host_than_the_rules_of_aws() {
    let names = ["minio.localhost", "s3.eu-west-1.amazonaws.com"].map(str::to_owned).to_vec();
    let recorder = recorder().with_s3_domains(names, false);
    for (method, host, path, name, bucket, key) in [
        ("DELETE", "b.minio.localhost:9000", "/", "DeleteBucket", "b", None),
        ("GET", "b.minio.localhost", "/k", "GetObject", "b", Some("k")),
        ("GET", "minio.localhost", "/b/k", "GetObject", "b", Some("k")),
        ("DELETE", "b.s3.eu-west-1.amazonaws.com", "/", "DeleteBucket", "b", None),
        ("GET", "b.s3.eu-west-2.amazonaws.com", "/k", "GetObject", "b", Some("k")),
    ] {
        let record = Scene::signed(method, path, "s3").header("host", host).record(&recorder);
        let told = (
            at(&record, "/eventName"),
            at(&record, "/requestParameters/bucketName"),
            at(&record, "/requestParameters/Host"),
        );
        assert_eq!(told, (&json!(name), &json!(bucket), &json!(host)), "{host} {path}");
        assert_eq!(record.pointer("/requestParameters/key").and_then(Value::as_str), key, "{host} {path}");
    }
}

#[test]
fn s3_brackets_no_agent_that_is_aws_itself() {
    for (agent, shown) in [
        ("athena.amazonaws.com", "athena.amazonaws.com"),
        ("AWS Internal", "AWS Internal"),
        ("aws-cli/2 of x.amazonaws.com", "[aws-cli/2 of x.amazonaws.com]"),
    ] {
        let record = Scene::signed("GET", "/bucket?acl", "s3").header("user-agent", agent).record(&recorder());
        assert_eq!(at(&record, "/userAgent"), shown);
    }
}

#[test]
fn bytes_that_are_no_text_hide_no_header() {
    let latin = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let mut scene = Scene::signed("PUT", "/bucket?acl", "s3");
    scene.headers.push(latin("user-agent", b"old\xe9"));
    scene.headers.push(latin("x-amz-grant-read", b"id=\"\xe9\""));
    let record = scene.record(&recorder());
    assert_eq!(at(&record, "/userAgent"), "[old\u{fffd}]");
    assert_eq!(at(&record, "/requestParameters/accessControlList/x-amz-grant-read"), "id=\"\u{fffd}\"");
}

#[test]
fn a_signature_that_cannot_be_read_is_not_told_as_nobodys() {
    let scene = Scene::unsigned("GET", "/bucket/key").header("authorization", "AWS4-HMAC-SHA256 Credential=A\"/x");
    assert_eq!(at(&scene.record(&recorder()), "/userIdentity/type"), "Unknown");
    assert_eq!(
        at(&Scene::unsigned("GET", "/bucket/key").record(&recorder()), "/userIdentity/accountId"),
        "ANONYMOUS_PRINCIPAL"
    );
}
