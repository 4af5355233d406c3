//! What reaches an S3 endpoint, byte by byte, and what its answers mean.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of a test may fail it")]

use base64::Engine as _;
use bytes::Bytes;
use opentrail_trail::{BucketError, Key, KmsEndpoint, KmsError, LogBucket, ObjectHeaders, S3Endpoint, S3Options};
use registry::{Secret, Trail};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request with the next of `answers`; keeps what was asked.
async fn serve(answers: Vec<&'static str>) -> (S3Endpoint, Arc<Mutex<Vec<String>>>) {
    let (options, asked) = listen(answers).await;
    (S3Endpoint::new(options).unwrap(), asked)
}

async fn listen(answers: Vec<&'static str>) -> (S3Options, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            while !is_whole(&request) {
                let read = socket.read(&mut chunk).await.unwrap();
                assert!(read > 0, "the request ended early");
                request.extend_from_slice(&chunk[..read]);
            }
            asks.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let options = S3Options {
        endpoint,
        region: "eu-west-1".to_owned(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: Secret::new("wJalrXUtnFEMI".to_owned()),
        session_token: Some(Secret::new("token".to_owned())),
    };
    (options, asked)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn an_object_is_put_signed_and_with_its_headers() {
    let (bucket, asked) = serve(vec![OK]).await;
    bucket.put("audit", "p/x.json.gz", Bytes::from_static(b"body"), ObjectHeaders::LOG_FILE).await.unwrap();
    let asked = asked.lock().unwrap()[0].to_lowercase();
    assert!(asked.starts_with("put /audit/p/x.json.gz http/1.1\r\n"), "{asked}");
    assert!(asked.ends_with("\r\n\r\nbody"), "{asked}");
    for header in [
        "content-type: application/json\r\n",
        "content-encoding: gzip\r\n",
        "content-length: 4\r\n",
        "x-amz-acl: bucket-owner-full-control\r\n",
        "x-amz-security-token: token\r\n",
        "x-amz-content-sha256: 230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5\r\n",
        "authorization: aws4-hmac-sha256 credential=akiaiosfodnn7example/",
        "/eu-west-1/s3/aws4_request, signedheaders=content-encoding;content-type;host;x-amz-acl;",
    ] {
        assert!(asked.contains(header), "{header} in {asked}");
    }
    assert!(!asked.contains("wjalrx"), "the secret stays here");
}

#[tokio::test]
async fn markers_keep_their_slash_and_prefixes_their_spelling() {
    let (bucket, asked) = serve(vec![OK]).await;
    let key = "a b+ü/AWSLogs/111122223333/CloudTrail/";
    bucket.put("audit", key, Bytes::new(), ObjectHeaders::LOG_FILE).await.unwrap();
    let asked = asked.lock().unwrap()[0].clone();
    assert!(asked.starts_with("PUT /audit/a%20b%2B%C3%BC/AWSLogs/111122223333/CloudTrail/ HTTP/1.1\r\n"), "{asked}");
}

#[tokio::test]
async fn a_missing_bucket_is_told_from_a_closed_one() {
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let closed = "HTTP/1.1 403 Forbidden\r\nContent-Length: 59\r\nConnection: close\r\n\r\n\
                  <Error><Code>AllAccessDisabled</Code><Message/></Error>    ";
    let (bucket, asked) = serve(vec![OK, OK, missing, closed]).await;
    assert_eq!(bucket.check_bucket("audit").await, Ok(()));
    assert_eq!(bucket.check_bucket("audit").await, Err(BucketError::NoSuchBucket("audit".to_owned())));
    let error = bucket.put("audit", "k", Bytes::new(), ObjectHeaders::LOG_FILE).await.unwrap_err();
    assert_eq!(error.code(), Some("AllAccessDisabled"));
    assert!(asked.lock().unwrap()[0].starts_with("GET /audit?acl HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_bucket_is_asked_for_its_acl_where_the_store_has_acls_and_for_who_pays_where_it_may_be() {
    let denied = "HTTP/1.1 403 Forbidden\r\nContent-Length: 40\r\nConnection: close\r\n\r\n\
                  <Error><Code>AccessDenied</Code></Error>";
    let unknown = "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let not_allowed = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let requester = "HTTP/1.1 200 OK\r\nContent-Length: 82\r\nConnection: close\r\n\r\n\
                     <RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";
    let (bucket, asked) = serve(vec![denied, unknown, unknown, not_allowed, denied, OK, requester]).await;
    let code = async || bucket.check_bucket("audit").await.err().and_then(|error| error.code().map(str::to_owned));
    assert_eq!(code().await.as_deref(), Some("AccessDenied"));
    assert_eq!((code().await, code().await), (None, None), "stores without ACLs can be delivered to");
    assert_eq!(code().await.as_deref(), Some("RequesterPays"));
    let asked: Vec<String> =
        asked.lock().unwrap().iter().flat_map(|asked| asked.lines().next().map(str::to_owned)).collect();
    assert_eq!(asked[5..], ["GET /audit?acl HTTP/1.1", "GET /audit?requestPayment HTTP/1.1"]);
}

#[tokio::test]
async fn a_bucket_is_made_where_the_endpoint_is() {
    let owned = "HTTP/1.1 409 Conflict\r\nContent-Length: 50\r\nConnection: close\r\n\r\n\
                 <Error><Code>BucketAlreadyOwnedByYou</Code></Error>";
    let (bucket, asked) = serve(vec![OK, owned]).await;
    bucket.create_bucket("audit").await.unwrap();
    bucket.create_bucket("audit").await.unwrap();
    let asked = asked.lock().unwrap()[0].clone();
    assert!(asked.starts_with("PUT /audit HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("<LocationConstraint>eu-west-1</LocationConstraint>"), "{asked}");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_has_no_error_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let bucket = S3Endpoint::new(S3Options {
        endpoint,
        region: "eu-west-1".to_owned(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: Secret::new("secret".to_owned()),
        session_token: None,
    })
    .unwrap();
    let error = bucket.check_bucket("audit").await.unwrap_err();
    assert!(matches!(&error, BucketError::Unreachable(text) if text.contains("refused")), "{error}");
    assert_eq!(error.code(), None);
}

fn trail_with_key() -> Trail {
    Trail {
        kms_key_id: Some("arn:aws:kms:eu-west-1:111122223333:key/1".to_owned()),
        ..Trail::new("eu-west-1", "111122223333", "main", "audit", 1)
    }
}

#[tokio::test]
async fn an_object_is_encrypted_with_the_key_and_in_the_context_of_its_trail() {
    let (bucket, asked) = serve(vec![OK]).await;
    let headers = ObjectHeaders::LOG_FILE.encrypted_for(&trail_with_key());
    bucket.put("audit", "k", Bytes::new(), headers).await.unwrap();
    let asked = asked.lock().unwrap()[0].clone();
    let context = r#"{"aws:cloudtrail:arn":"arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"}"#;
    let context = base64::engine::general_purpose::STANDARD.encode(context);
    for header in [
        "x-amz-server-side-encryption: aws:kms\r\n",
        "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu-west-1:111122223333:key/1\r\n",
        &format!("x-amz-server-side-encryption-context: {context}\r\n"),
    ] {
        assert!(asked.contains(header), "{header} in {asked}");
    }
}

#[tokio::test]
async fn a_store_without_encryption_is_asked_for_it_once_and_never_let_off_a_key() {
    let refused = "HTTP/1.1 501 Not Implemented\r\nContent-Length: 44\r\nConnection: close\r\n\r\n\
                   <Error><Code>NotImplemented</Code></Error>  ";
    let (bucket, asked) = serve(vec![refused, OK, OK, refused]).await;
    for key in ["one", "two"] {
        bucket.put("audit", key, Bytes::from_static(b"body"), ObjectHeaders::LOG_FILE).await.unwrap();
    }
    let headers = ObjectHeaders::LOG_FILE.encrypted_for(&trail_with_key());
    let error = bucket.put("audit", "three", Bytes::new(), headers).await.unwrap_err();
    assert_eq!(error.code(), Some("NotImplemented"));
    let encryption = |asked: &String| {
        let (_, rest) = asked.split_once("x-amz-server-side-encryption: ")?;
        rest.lines().next().map(str::to_owned)
    };
    let asked: Vec<Option<String>> = asked.lock().unwrap().iter().map(encryption).collect();
    assert_eq!(asked, [Some("AES256".to_owned()), None, None, Some("aws:kms".to_owned())]);
}

#[tokio::test]
async fn kms_tells_a_key_by_its_alias_or_says_why_not() {
    let answer = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let found =
        answer("200 OK", &format!(r#"{{"KeyMetadata":{{"Arn":"{arn}","Enabled":false,"KeyState":"Disabled"}}}}"#));
    let missing = answer("400 Bad Request", r#"{"__type":"com.amazonaws.kms#NotFoundException","message":"no"}"#);
    let other = answer("404 Not Found", "<html>no KMS here</html>");
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let (options, asked) = listen(vec![leak(found), leak(missing), leak(other)]).await;
    let kms = KmsEndpoint::new(options).unwrap();
    assert_eq!(kms.describe("alias/a", "eu-west-1").await, Ok(Key { arn: arn.to_owned(), is_enabled: false }));
    let refused = KmsError::Refused { code: "NotFoundException".to_owned(), message: "no".to_owned() };
    assert_eq!(kms.describe("alias/b", "eu-west-1").await, Err(refused));
    assert!(matches!(kms.describe("alias/c", "eu-west-1").await, Err(KmsError::Unreachable(_))), "no KMS has answered");
    let asked = asked.lock().unwrap()[0].clone();
    assert!(
        asked.contains("x-amz-target: TrentService.DescribeKey\r\n") && asked.contains("/eu-west-1/kms/"),
        "{asked}"
    );
    assert!(asked.ends_with(r#"{"KeyId":"alias/a"}"#), "{asked}");
}
