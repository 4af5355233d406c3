//! The HTTP door, without a socket: what real clients do not easily send.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use opentrail_s3::{Auth, ResponseBody, S3Api, Settings, Store};

struct Door {
    api: S3Api,
    _dir: tempfile::TempDir,
}

impl Door {
    async fn open(auth: Auth, region: &str) -> Door {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.create_bucket("door", region).await.unwrap();
        let domain = Some("s3.localhost".to_owned());
        let settings =
            Settings { account: "123456789012".into(), region: region.into(), domains: domain.into_iter().collect() };
        Door { api: S3Api::new(store, settings, auth), _dir: dir }
    }

    async fn call(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> Response<ResponseBody> {
        let mut request = Request::builder().method(method).uri(uri).header("content-length", body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.api.call(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
    }

    /// The status and body of a call.
    async fn text(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        let answer = self.call(method, uri, headers, body).await;
        let status = answer.status();
        (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }
}

const SIGNED: (&str, &str) = (
    "authorization",
    "AWS4-HMAC-SHA256 Credential=AKIAANY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
);

#[tokio::test]
async fn in_trust_a_chunked_body_is_decoded_whatever_its_signatures_are() {
    let door = Door::open(Auth::Trust, "us-east-1").await;
    let body = "5;chunk-signature=00\r\nhello\r\n0;chunk-signature=00\r\n\r\n";
    let headers =
        [SIGNED, ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("x-amz-decoded-content-length", "5")];
    assert_eq!(door.text(Method::PUT, "/door/k", &headers, body).await, (StatusCode::OK, String::new()));
    assert_eq!(door.text(Method::GET, "/door/k", &[], "").await, (StatusCode::OK, "hello".into()));
}

#[tokio::test]
async fn a_trailing_checksum_is_verified() {
    let door = Door::open(Auth::Trust, "us-east-1").await;
    let put = async |trailer: &str, length: &str| {
        let body = format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n");
        let headers = [
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", length),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
            ("content-encoding", "aws-chunked"),
        ];
        let (status, text) = door.text(Method::PUT, "/door/k", &headers, &body).await;
        let code =
            text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code.to_owned());
        (status.as_u16(), code)
    };
    assert_eq!(put("x-amz-checksum-crc32:NhCmhg==", "5").await, (200, None));
    assert_eq!(put("x-amz-checksum-crc32:AAAAAA==", "5").await, (400, Some("BadDigest".into())));
    assert_eq!(put("x-amz-checksum-crc32:?", "5").await, (400, Some("InvalidRequest".into())));
    assert_eq!(put("x-amz-other:1", "5").await, (400, Some("InvalidRequest".into())));
    assert_eq!(put("x-amz-checksum-crc32:NhCmhg==", "6").await, (400, Some("IncompleteBody".into())));
    let answer = door.call(Method::HEAD, "/door/k", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(answer.headers().get("x-amz-checksum-crc32").unwrap(), "NhCmhg==");
    assert_eq!(answer.headers().get("content-encoding"), None);
}

#[tokio::test]
async fn bodies_that_are_not_what_they_say_are_refused() {
    let door = Door::open(Auth::Trust, "us-east-1").await;
    let streaming = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let (status, text) = door.text(Method::PUT, "/door/k", &[streaming], "not chunked").await;
    assert!(status == StatusCode::LENGTH_REQUIRED && text.contains("MissingContentLength"), "{status} {text}");
    let headers = [streaming, ("x-amz-decoded-content-length", "11")];
    let (status, text) = door.text(Method::PUT, "/door/k", &headers, "not chunked").await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("IncompleteBody"), "{status} {text}");
    let sha512 = ("x-amz-checksum-sha512", "AAAA");
    let (status, text) = door.text(Method::PUT, "/door/k", &[sha512], "x").await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("InvalidRequest"), "{status} {text}");
    assert_eq!(door.call(Method::GET, "/door/k", &[], "").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn in_verify_nobody_gets_in_without_a_signature() {
    let door = Door::open(Auth::Verify(Arc::new(|_| None), Arc::new(|_| Ok(()))), "us-east-1").await;
    for (method, uri) in
        [(Method::GET, "/"), (Method::GET, "/door"), (Method::PUT, "/door/k"), (Method::POST, "/door?delete")]
    {
        let (status, text) = door.text(method, uri, &[], "").await;
        assert!(
            status == StatusCode::FORBIDDEN && text.contains("<Code>AccessDenied</Code>"),
            "{uri}: {status} {text}"
        );
    }
    let (status, text) =
        door.text(Method::POST, "/door", &[("content-type", "multipart/form-data; boundary=x")], "--x--").await;
    assert!(status == StatusCode::NOT_IMPLEMENTED && text.contains("POST Object"), "{status} {text}");
}

#[tokio::test]
async fn away_from_us_east_1_a_bucket_is_made_once() {
    let door = Door::open(Auth::Trust, "eu-central-1").await;
    let (status, text) = door.text(Method::PUT, "/door", &[], "").await;
    assert!(status == StatusCode::CONFLICT && text.contains("BucketAlreadyOwnedByYou"), "{status} {text}");
    assert_eq!(door.call(Method::PUT, "/fresh", &[], "").await.status(), StatusCode::OK);
    let (_, text) = door.text(Method::GET, "/fresh?location", &[], "").await;
    assert!(text.contains(">eu-central-1</LocationConstraint>"), "{text}");
}

#[tokio::test]
async fn virtual_host_and_path_style_are_one() {
    let door = Door::open(Auth::Trust, "us-east-1").await;
    let host = ("host", "door.s3.localhost:4780");
    assert_eq!(door.call(Method::PUT, "/a/k", &[host], "x").await.status(), StatusCode::OK);
    assert_eq!(door.text(Method::GET, "/door/a/k", &[("host", "127.0.0.1:4780")], "").await.1, "x");
    assert_eq!(door.text(Method::GET, "/door/a/k", &[("host", "localhost:4780")], "").await.1, "x");
    assert_eq!(door.text(Method::GET, "/door/a/k", &[("host", "s3.localhost:4780")], "").await.1, "x");
}

#[tokio::test]
async fn errors_of_a_head_and_304_have_no_body() {
    let door = Door::open(Auth::Trust, "us-east-1").await;
    let (status, text) = door.text(Method::HEAD, "/door/missing", &[], "").await;
    assert_eq!((status, text.as_str()), (StatusCode::NOT_FOUND, ""));
    let put = door.call(Method::PUT, "/door/k", &[], "x").await;
    let etag = put.headers().get("etag").unwrap().to_str().unwrap().to_owned();
    let answer = door.call(Method::GET, "/door/k", &[("if-none-match", &etag)], "").await;
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(answer.headers().get("etag").unwrap(), etag.as_str());
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn what_is_not_done_here_says_so() {
    let door = Door::open(Auth::Trust, "us-east-1").await;
    for query in ["versioning", "lifecycle", "cors", "replication", "encryption", "object-lock", "website", "acl"] {
        let (status, text) = door.text(Method::PUT, &format!("/door?{query}"), &[], "<A/>").await;
        assert!(status == StatusCode::NOT_IMPLEMENTED || text.contains("MalformedXML"), "{query}: {status} {text}");
    }
    let (status, _) = door.text(Method::GET, "/door?lifecycle", &[], "").await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn odd_requests_get_an_answer() {
    let door = Door::open(Auth::Trust, "us-east-1").await;
    for uri in
        ["/%", "/%ff", "//", "/door/%00", "/door?list-type=2&max-keys=x", "/door?uploads&max-uploads=-1", "/DOOR/k"]
    {
        let (status, text) = door.text(Method::GET, uri, &[], "").await;
        assert!(status.is_client_error() && text.contains("<Code>"), "{uri}: {status} {text}");
    }
    let (status, _) = door.text(Method::POST, "/door?delete", &[], "<Delete><Object>").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
