//! The signature's mathematics against published examples: AWS's Signature Version 4 test suite (service `service`), the IAM
//! User Guide's ListUsers, the examples of the Amazon S3 API Reference; and against what botocore signs.
#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use opentrail_aws::sigv4::{
    Canonical, EMPTY_PAYLOAD, SigningKey, UNSIGNED_PAYLOAD, canonical_request, sha256_hex, string_to_sign,
};
use opentrail_aws::{Headers, Request, credential};

const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

struct Case<'a> {
    line: &'a str,
    headers: &'a [(&'a str, &'a str)],
    signed: &'a str,
    payload: &'a str,
}

fn signature_of(case: &Case<'_>, secret: &str, timestamp: &str, region: &str, service: &str) -> String {
    let (method, target) = case.line.split_once(' ').expect("METHOD /path?query");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(&str, &[u8])> = case.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let request = Request { method, path, query, headers: Headers(&headers), path_style: false };
    let how = Canonical {
        signed_headers: case.signed,
        payload_hash: case.payload,
        s3_path: service == "s3",
        presigned: query.contains("X-Amz-Signature"),
    };
    let date = &timestamp[..8];
    let text = string_to_sign(timestamp, date, region, service, &canonical_request(&request, how));
    let signature = SigningKey::new(secret, date, region, service).sign(&text);
    assert!(signature.matches(&signature.to_hex()));
    signature.to_hex()
}

fn suite(line: &str, headers: &[(&str, &str)], signed: &str, expected: &str) {
    let mut all = vec![("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")];
    all.extend(headers);
    let case = Case { line, headers: &all, signed, payload: EMPTY_PAYLOAD };
    let found = signature_of(&case, SUITE_SECRET, "20150830T123600Z", "us-east-1", "service");
    assert_eq!(found, expected, "{line}");
}

#[test]
fn the_test_suite_of_aws_passes() {
    let plain = "host;x-amz-date";
    let own = "host;my-header1;x-amz-date";
    suite("GET /", &[], plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    suite("POST /", &[], plain, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
    let unsorted = "GET /?Param2=value2&Param1=value1";
    suite(unsorted, &[], plain, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
    suite("GET /ሴ", &[], plain, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
    let twice = [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")];
    suite("GET /", &twice, own, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea");
    for dotted in ["GET /example/..", "GET /./", "GET //", "GET /example1/example2/../.."] {
        suite(dotted, &[], plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    }
    let spaced = [("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")];
    let both = "host;my-header1;my-header2;x-amz-date";
    suite("GET /", &spaced, both, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

#[test]
fn the_example_of_the_iam_guide_passes() {
    let case = Case {
        line: "GET /?Action=ListUsers&Version=2010-05-08",
        headers: &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ],
        signed: "content-type;host;x-amz-date",
        payload: EMPTY_PAYLOAD,
    };
    let found = signature_of(&case, SUITE_SECRET, "20150830T123600Z", "us-east-1", "iam");
    assert_eq!(found, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

#[test]
fn the_examples_of_the_s3_reference_pass() {
    let s3 = |line: &str, headers: &[(&str, &str)], signed: &str, payload: &str| {
        let mut all = vec![("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z")];
        all.push(("x-amz-content-sha256", payload));
        all.extend(headers);
        let case = Case { line, headers: &all, signed, payload };
        signature_of(&case, S3_SECRET, "20130524T000000Z", "us-east-1", "s3")
    };
    let plain = "host;x-amz-content-sha256;x-amz-date";
    assert_eq!(
        s3("GET /test.txt", &[("Range", "bytes=0-9")], "host;range;x-amz-content-sha256;x-amz-date", EMPTY_PAYLOAD),
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    assert_eq!(
        s3(
            "PUT /test%24file.text",
            &[("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            &sha256_hex(b"Welcome to Amazon S3."),
        ),
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    );
    assert_eq!(
        s3("GET /?lifecycle", &[], plain, EMPTY_PAYLOAD),
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    );
    assert_eq!(
        s3("GET /?max-keys=2&prefix=J", &[], plain, EMPTY_PAYLOAD),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    );
}

#[test]
fn the_presigned_example_of_the_s3_reference_passes() {
    let line = "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
        &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let headers = [("host", "examplebucket.s3.amazonaws.com")];
    let case = Case { line, headers: &headers, signed: "host", payload: UNSIGNED_PAYLOAD };
    let found = signature_of(&case, S3_SECRET, "20130524T000000Z", "us-east-1", "s3");

    let query = line.split_once('?').expect("a query").1;
    let request = Request { method: "GET", path: "/test.txt", query, headers: Headers(&[]), path_style: false };
    assert_eq!(found, credential(&request).expect("signed").signature);
}

/// Signed with botocore 1.44 for a key `secret/key+1` on 2026-01-15T10:02:03Z in `eu-west-1`.
#[test]
fn what_botocore_signs_is_verified() {
    let check = |line: &str, host: &str, service: &str, payload: &[u8], expected: &str| {
        let hash = sha256_hex(payload);
        let mut headers = vec![("Host", host), ("X-Amz-Date", "20260115T100203Z")];
        let mut signed = "host;x-amz-date";
        if service == "s3" {
            headers.push(("X-Amz-Content-SHA256", &hash));
            signed = "host;x-amz-content-sha256;x-amz-date";
        }
        let case = Case { line, headers: &headers, signed, payload: &hash };
        assert_eq!(signature_of(&case, "secret/key+1", "20260115T100203Z", "eu-west-1", service), expected, "{line}");
    };
    check(
        "POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/invocations?Qualifier=a%2Fb",
        "lambda.eu-west-1.amazonaws.com",
        "lambda",
        b"{}",
        "96b26add53b5d44d3ca1e2638ca1ce6caa6b595ef0c6aeb71a453e26e14a3f3d",
    );
    check(
        "GET /a/./b//c/../d%20e/?x=&b=2&b=1&a-b=~",
        "example.com",
        "execute-api",
        b"",
        "5d5f3b2e151a6e6ce62a7cd1b5f509ad78f95641f56732a9eea9bcb5dd20ecc0",
    );
    check(
        "GET /a//b/./k%20%281%29%2B.txt?versions&prefix=a%2Fb",
        "b.s3.eu-west-1.amazonaws.com",
        "s3",
        b"",
        "97f44e603c804510cabc37eedf7f05ef2a420c6b6cebd82820d1908c82465169",
    );
}

#[test]
fn other_signatures_do_not_match() {
    let key = SigningKey::new(SUITE_SECRET, "20150830", "us-east-1", "service");
    let signature = key.sign("text");
    assert!(!signature.matches(""));
    assert!(!signature.matches("zz"));
    assert!(!signature.matches(&key.sign("other").to_hex()));
    assert!(
        !signature.matches(&SigningKey::new(SUITE_SECRET, "20150831", "us-east-1", "service").sign("text").to_hex())
    );
}
