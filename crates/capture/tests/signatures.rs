//! Who signed, in every way that there is to sign, and what the record says of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use event::{Identity, IdentityType};
use opentrail_capture::{Identities, Lesson, Recorder};
use scene::{ALICE, NOW, Scene, recorder, recorder_with_memory};
use serde_json::{Value, json};

const V4A: &str = "AWS4-ECDSA-P256-SHA256";

/// The parts of a record that a signature decides.
#[derive(Debug, PartialEq)]
struct Told {
    key: Value,
    region: Value,
    version: Value,
    method: Value,
}

fn told(scene: &Scene, recorder: &Recorder) -> Told {
    let record = scene.record(recorder);
    assert!(!record.to_string().contains("PLANTED"), "{record}");
    let at = |pointer: &str| record.pointer(pointer).unwrap_or(&Value::Null).clone();
    Told {
        key: at("/userIdentity/accessKeyId"),
        region: at("/awsRegion"),
        version: at("/additionalEventData/SignatureVersion"),
        method: at("/additionalEventData/AuthenticationMethod"),
    }
}

fn expected(region: &str, version: &str, method: &str) -> Told {
    Told { key: json!(ALICE), region: json!(region), version: json!(version), method: json!(method) }
}

fn object(query: &str) -> Scene {
    Scene::unsigned("GET", &format!("/audit/k?{query}")).header("x-amz-security-token", "PLANTED")
}

#[test]
fn version_4a_is_signed_for_a_set_of_regions() {
    let signed = |set: &str| {
        let credential =
            format!("{V4A} Credential={ALICE}/20260115/s3/aws4_request, SignedHeaders=host, Signature=PLANTED");
        object("").header("authorization", &credential).header("x-amz-region-set", set)
    };
    let recorder = recorder();
    assert_eq!(told(&signed("eu-west-1"), &recorder), expected("eu-west-1", "SigV4A", "AuthHeader"));
    // Good in many Regions: the endpoint says in which it was used, or the house stands for it.
    assert_eq!(told(&signed("*"), &recorder), expected("us-east-1", "SigV4A", "AuthHeader"));
    let named = signed("us-east-1,eu-west-3").header("host", "audit.s3.eu-west-3.amazonaws.com");
    assert_eq!(told(&named, &recorder), expected("eu-west-3", "SigV4A", "AuthHeader"));
    let presigned = object(&format!(
        "X-Amz-Algorithm={V4A}&X-Amz-Credential={ALICE}%2F20260115%2Fs3%2Faws4_request&X-Amz-Region-Set=eu-west-1\
         &X-Amz-Date=20260115T100000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=PLANTED"
    ));
    assert_eq!(told(&presigned, &recorder), expected("eu-west-1", "SigV4A", "QueryString"));
}

#[test]
fn version_2_names_no_region() {
    let recorder = recorder();
    let header = object("").header("authorization", &format!("AWS {ALICE}:PLANTED="));
    assert_eq!(told(&header, &recorder), expected("us-east-1", "SigV2", "AuthHeader"));
    let query = format!("AWSAccessKeyId={ALICE}&Expires=1768475000&Signature=PLANTED%3D&x-amz-security-token=PLANTED");
    assert_eq!(told(&object(&query), &recorder), expected("us-east-1", "SigV2", "QueryString"));
    let at_home = object(&query).header("host", "audit.s3.ap-south-1.amazonaws.com");
    assert_eq!(told(&at_home, &recorder).region, "ap-south-1");
    // `Expires` is part of the request as it was sent, the proof is not.
    assert_eq!(object(&query).record(&recorder)["requestParameters"]["Expires"], "1768475000");
}

#[test]
fn a_presigned_call_of_another_service_names_its_signer() {
    // What `aws eks get-token` makes.
    let target = format!(
        "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential={ALICE}%2F20260115%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20260115T100000Z&X-Amz-Expires=60\
         &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=PLANTED&X-Amz-Signature=PLANTED"
    );
    let record = Scene::unsigned("GET", &target).header("host", "sts.eu-west-1.amazonaws.com").record(&recorder());
    assert_eq!((&record["eventName"], &record["awsRegion"]), (&json!("GetCallerIdentity"), &json!("eu-west-1")));
    assert_eq!((&record["userIdentity"]["userName"], &record["requestParameters"]), (&json!("alice"), &Value::Null));
    assert!(!record.to_string().contains("PLANTED"), "{record}");
}

#[test]
fn streamed_uploads_are_the_signers_and_show_none_of_their_framing() {
    let recorder = recorder();
    for content in [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    ] {
        let by_4a = content.contains("ECDSA");
        let scope = if by_4a { "20260115/s3" } else { "20260115/eu-west-1/s3" };
        let algorithm = if by_4a { V4A } else { "AWS4-HMAC-SHA256" };
        let mut scene = Scene::unsigned("PUT", "/audit/streamed")
            .header("authorization", &format!("{algorithm} Credential={ALICE}/{scope}/aws4_request, SignedHeaders=host, Signature=PLANTED"))
            .header("x-amz-region-set", "eu-west-1")
            .header("host", "s3.eu-west-1.amazonaws.com")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-content-sha256", content)
            .header("x-amz-decoded-content-length", "7")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .header("x-amz-sdk-checksum-algorithm", "CRC32")
            .body("7;chunk-signature=PLANTED\r\nPLANTED\r\n0;chunk-signature=PLANTED\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:PLANTED\r\n\r\n");
        let wire = scene.body.len();
        let version = if by_4a { "SigV4A" } else { "SigV4" };
        assert_eq!(told(&scene, &recorder), expected("eu-west-1", version, "AuthHeader"), "{content}");
        let record = scene.record(&recorder);
        assert_eq!(record["additionalEventData"]["bytesTransferredIn"], wire);
        assert_eq!(
            record["requestParameters"],
            json!({"bucketName":"audit","key":"streamed","Host":"s3.eu-west-1.amazonaws.com","x-amz-sdk-checksum-algorithm":"CRC32"})
        );
        scene.status = None;
        assert_eq!(scene.record(&recorder)["errorCode"], "ServiceUnavailable");
    }
}

#[test]
fn a_form_is_its_signers_by_either_version_also_with_a_session() {
    let (recorder, memory) = recorder_with_memory();
    let session =
        Identity { access_key_id: Some("ASIAFORM".to_owned()), ..Identity::of_type(IdentityType::AssumedRole) };
    memory.learn(
        Lesson { access_key_id: "ASIAFORM".to_owned(), identity: session, origins: Vec::new(), expires: None },
        NOW,
    );
    let field = |(name, value): &(&str, &str)| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = |fields: &[(&str, &str)]| {
        let fields: String = fields.iter().chain(&[("file", "PLANTED")]).map(field).collect();
        Scene::unsigned("POST", "/album")
            .header("content-type", "multipart/form-data; boundary=b")
            .body(&(fields + "--b--\r\n"))
            .answer(204, "")
            .answer_header("x-amz-server-side-encryption", "AES256")
    };
    let second = form(&[
        ("key", "k"),
        ("AWSAccessKeyId", "ASIAFORM"),
        ("policy", "PLANTED"),
        ("signature", "PLANTED"),
        ("x-amz-security-token", "PLANTED"),
    ]);
    let record = second.record(&recorder);
    assert_eq!(
        (&record["userIdentity"]["type"], &record["userIdentity"]["accessKeyId"]),
        (&json!("AssumedRole"), &json!("ASIAFORM"))
    );
    assert_eq!(record["additionalEventData"]["SignatureVersion"], "SigV2");
    assert_eq!(record["additionalEventData"]["SSEApplied"], "Default_SSE_S3");
    assert!(!record.to_string().contains("PLANTED"), "{record}");
    let credential = "ASIAFORM/20260115/eu-west-1/s3/aws4_request";
    let fourth = form(&[
        ("key", "k"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", credential),
        ("x-amz-security-token", "PLANTED"),
        ("policy", "PLANTED"),
        ("x-amz-signature", "PLANTED"),
    ]);
    let record = fourth.record(&recorder);
    assert_eq!(
        (&record["userIdentity"]["accessKeyId"], &record["awsRegion"]),
        (&json!("ASIAFORM"), &json!("eu-west-1"))
    );
    assert_eq!(record["additionalEventData"]["SSEApplied"], "SSE_S3");
    let nobody = form(&[("key", "k")]).record(&recorder);
    assert_eq!(nobody["userIdentity"]["accountId"], "ANONYMOUS_PRINCIPAL");
    assert_eq!(nobody["additionalEventData"].get("SignatureVersion"), None);
}

#[test]
fn a_bearer_token_names_nobody_and_is_not_told() {
    let record = Scene::json("dynamodb", "DynamoDB_20120810.ListTables", "{}");
    let mut scene = record;
    scene.headers.retain(|(name, _)| name != "authorization");
    let record = scene.header("authorization", "Bearer PLANTED").record(&recorder());
    assert_eq!(record["userIdentity"], json!({"type":"Unknown","accountId":"111122223333"}));
    assert!(!record.to_string().contains("PLANTED"), "{record}");
}
