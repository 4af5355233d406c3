//! S3 tells its operations apart by sub-resources, parameters and headers.
#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

use opentrail_aws::{Catalog, Headers, Request, recognise, uri_labels};

const SIGNATURE: &[u8] =
    b"AWS4-HMAC-SHA256 Credential=A/20260115/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

fn name(line: &str, headers: &[(&str, &[u8])]) -> String {
    let (method, target) = line.split_once(' ').expect("METHOD /path?query");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request { method, path, query, headers: Headers(headers), path_style: false };
    let found = recognise::operation(Catalog::embedded(), &request, &[]);
    let Some(found) = found else { return "nothing".to_owned() };
    let labels: Vec<String> =
        uri_labels(found.operation, &request).iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{}{}", found.operation.name(), labels.concat())
}

fn check(line: &str, expected: &str) {
    assert_eq!(name(line, &[("Host", b"127.0.0.1:4780"), ("Authorization", SIGNATURE)]), expected, "{line}");
}

fn check_with(line: &str, header: (&str, &str), expected: &str) {
    let headers = [("Host", &b"127.0.0.1:4780"[..]), ("Authorization", SIGNATURE), (header.0, header.1.as_bytes())];
    assert_eq!(name(line, &headers), expected, "{line} {header:?}");
}

#[test]
fn buckets_and_objects() {
    check("GET /", "ListBuckets");
    check("PUT /b", "CreateBucket Bucket=b");
    check("PUT /b/", "CreateBucket Bucket=b");
    check("HEAD /b", "HeadBucket Bucket=b");
    check("DELETE /b", "DeleteBucket Bucket=b");
    check("GET /b", "ListObjects Bucket=b");
    check("GET /b?list-type=2&prefix=a%2F", "ListObjectsV2 Bucket=b");
    check("GET /b?list-type=1", "ListObjects Bucket=b");
    check("GET /b?versions&prefix=a", "ListObjectVersions Bucket=b");
    check("GET /b?uploads", "ListMultipartUploads Bucket=b");
    check("POST /b?delete", "DeleteObjects Bucket=b");
    check("GET /b?location", "GetBucketLocation Bucket=b");
    check("GET /b?session", "CreateSession Bucket=b");
    check("PUT /b/k", "PutObject Bucket=b Key=k");
    check("PUT /b/a/b//c/", "PutObject Bucket=b Key=a/b//c/");
    check("GET /b/k%20l", "GetObject Bucket=b Key=k%20l");
    check("HEAD /b/k", "HeadObject Bucket=b Key=k");
    check("DELETE /b/k?versionId=1", "DeleteObject Bucket=b Key=k");
    check("GET /b/k?partNumber=2", "GetObject Bucket=b Key=k");
    check("GET /b/k?response-content-type=text%2Fplain&x-id=GetObject", "GetObject Bucket=b Key=k");
    check("GET /b/k?attributes", "GetObjectAttributes Bucket=b Key=k");
    check("POST /b/k?restore&versionId=1", "RestoreObject Bucket=b Key=k");
    check("POST /b/k?select&select-type=2", "SelectObjectContent Bucket=b Key=k");
    check("GET /b/k?acl", "GetObjectAcl Bucket=b Key=k");
    check("GET /b?acl", "GetBucketAcl Bucket=b");
}

#[test]
fn uploads_in_parts_and_copies() {
    check("POST /b/k?uploads", "CreateMultipartUpload Bucket=b Key=k");
    check("PUT /b/k?partNumber=1&uploadId=u", "UploadPart Bucket=b Key=k");
    check("PUT /b/k?uploadId=u&partNumber=1&x-id=UploadPart", "UploadPart Bucket=b Key=k");
    check("GET /b/k?uploadId=u", "ListParts Bucket=b Key=k");
    check("POST /b/k?uploadId=u", "CompleteMultipartUpload Bucket=b Key=k");
    check("DELETE /b/k?uploadId=u", "AbortMultipartUpload Bucket=b Key=k");
    check_with("PUT /b/k", ("X-Amz-Copy-Source", "/a/k"), "CopyObject Bucket=b Key=k");
    check_with("PUT /b/k?partNumber=1&uploadId=u", ("x-amz-copy-source", "/a/k"), "UploadPartCopy Bucket=b Key=k");
    check_with("PUT /b/k?renameObject", ("x-amz-rename-source", "/a"), "RenameObject Bucket=b Key=k");
}

#[test]
fn configurations_of_one_id_and_lists_of_them() {
    check("GET /b?inventory&id=1", "GetBucketInventoryConfiguration Bucket=b");
    check("GET /b?inventory", "ListBucketInventoryConfigurations Bucket=b");
    check("PUT /b?lifecycle", "PutBucketLifecycleConfiguration Bucket=b");
    check("GET /b?notification", "GetBucketNotificationConfiguration Bucket=b");
    check("DELETE /b?metrics", "DeleteBucketMetricsConfiguration Bucket=b");
}

#[test]
fn a_form_of_a_browser_is_an_upload_and_other_posts_are_nothing() {
    let form = ("Content-Type", "multipart/form-data; boundary=b");
    check_with("POST /b", form, "PostObject Bucket=b");
    check("POST /b", "nothing");
    check("POST /b/k", "nothing");
    check("PATCH /b/k", "nothing");
}

#[test]
fn the_bucket_may_stand_in_the_host() {
    let host = |line: &str, host: &str| name(line, &[("Host", host.as_bytes()), ("Authorization", SIGNATURE)]);
    assert_eq!(host("GET /", "b.s3.eu-west-1.amazonaws.com"), "ListObjects Bucket=b");
    assert_eq!(host("PUT /a/k", "b.s3.amazonaws.com"), "PutObject Bucket=b Key=a/k");
    assert_eq!(host("PUT /a/k", "b.localhost:4780"), "PutObject Bucket=b Key=a/k");
}

#[test]
fn a_request_that_says_nothing_else_is_taken_for_s3_by_path() {
    assert_eq!(name("GET /b/k", &[("Host", b"localhost:4780")]), "GetObject Bucket=b Key=k");
    let presigned = "GET /b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260115%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    assert_eq!(name(presigned, &[("Host", b"localhost:4780")]), "GetObject Bucket=b Key=k");
    assert_eq!(name("GET /b?AWSAccessKeyId=A&Signature=0&Expires=1", &[]), "ListObjects Bucket=b");
}

#[test]
fn directory_buckets_are_listed_under_their_own_scope() {
    let signature: &[u8] =
        b"AWS4-HMAC-SHA256 Credential=A/20260115/us-east-1/s3express/aws4_request, SignedHeaders=host, Signature=0";
    assert_eq!(name("GET /", &[("authorization", signature)]), "ListDirectoryBuckets");
    assert_eq!(
        name("PUT /b--use1-az4--x-s3/k", &[("authorization", signature)]),
        "PutObject Bucket=b--use1-az4--x-s3 Key=k"
    );
}

#[test]
fn a_bucket_may_be_called_as_s3_controls_paths_begin() {
    let control = ("x-amz-account-id", "111122223333");
    check_with("GET /v20180820/bucket/x/policy", control, "GetBucketPolicy name=x");
    check("GET /v20180820/bucket/x/policy", "GetObject Bucket=v20180820 Key=bucket/x/policy");
}
