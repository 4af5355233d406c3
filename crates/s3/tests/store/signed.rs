//! Signed requests as SDKs send them over TLS: chunked bodies, with signatures of the chunks or a trailing checksum.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use opentrail_s3::{Auth, S3Api, Settings, Store};
use s3s::crypto::{Checksum as _, Crc32, Sha256};

const KEY: &str = "AKIASIGNEDREQUESTS01";
const SECRET: &str = "a/secret+of=the/tests";
const HOST: &str = "127.0.0.1:4780";

fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::checksum(data)
}

/// RFC 2104.
fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    match key.len() > 64 {
        true => block[..32].copy_from_slice(&sha256(key)),
        false => block[..key.len()].copy_from_slice(key),
    }
    let inner = sha256(&[&block.map(|b| b ^ 0x36)[..], data].concat());
    sha256(&[&block.map(|b| b ^ 0x5c)[..], &inner].concat())
}

/// A signer of requests and chunks, of one moment (Signature Version 4).
struct Signer {
    date_time: String,
    scope: String,
    key: [u8; 32],
}

impl Signer {
    fn now() -> Signer {
        let date_time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = &date_time[..8];
        let parts = [date, "us-east-1", "s3", "aws4_request"];
        let start = format!("AWS4{SECRET}").into_bytes();
        let key = parts.iter().fold(start, |key, part| hmac(&key, part.as_bytes()).to_vec());
        Signer { scope: parts.join("/"), key: key.try_into().unwrap(), date_time }
    }

    fn sign(&self, kind: &str, rest: &str) -> String {
        let text = format!("{kind}\n{}\n{}\n{rest}", self.date_time, self.scope);
        hex::encode(hmac(&self.key, text.as_bytes()))
    }

    fn chunk(&self, previous: &str, data: &[u8]) -> String {
        let rest = format!("{previous}\n{}\n{}", hex::encode(sha256(b"")), hex::encode(sha256(data)));
        self.sign("AWS4-HMAC-SHA256-PAYLOAD", &rest)
    }

    /// The signature of a PUT to `path` with these headers beside the three that every request has.
    fn put(&self, path: &str, payload: &str, more: &[(&str, &str)]) -> (String, Request<()>) {
        let mut headers = vec![("host", HOST), ("x-amz-content-sha256", payload), ("x-amz-date", &self.date_time)];
        headers.extend(more);
        headers.sort();
        let canonical: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let request = format!("PUT\n{path}\n\n{canonical}\n{names}\n{payload}");
        let signature = self.sign("AWS4-HMAC-SHA256", &hex::encode(sha256(request.as_bytes())));
        let scope = &self.scope;
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}");
        let mut built = Request::put(path).header("authorization", authorization);
        for (name, value) in headers {
            built = built.header(name, value);
        }
        (signature, built.body(()).unwrap())
    }
}

async fn send(request: Request<()>, body: Vec<u8>) -> (StatusCode, String, Option<Bytes>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create_bucket("signed", "us-east-1").await.unwrap();
    let lookup = |key: &str| (key == KEY).then(|| zeroize::Zeroizing::new(SECRET.to_owned()));
    let settings = Settings { account: "123456789012".into(), region: "us-east-1".into(), domains: Vec::new() };
    let api = S3Api::new(store.clone(), settings, Auth::Verify(Arc::new(lookup), Arc::new(|_| Ok(()))));
    let (mut parts, ()) = request.into_parts();
    parts.headers.insert("content-length", body.len().into());
    let answer = api.call(Request::from_parts(parts, Full::new(Bytes::from(body)))).await;
    let status = answer.status();
    let text = String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    let kept = match store.get("signed", "k").await {
        Ok(object) => Some(object.bytes().await.unwrap()),
        Err(_) => None,
    };
    (status, code.to_owned(), kept)
}

/// One chunk holds the whole object, as some SDKs send it.
async fn with_trailer(data: &[u8], crc32: [u8; 4]) -> (StatusCode, String, Option<Bytes>) {
    use base64::Engine as _;
    let length = data.len().to_string();
    let more = [("x-amz-decoded-content-length", length.as_str()), ("x-amz-trailer", "x-amz-checksum-crc32")];
    let (_, request) = Signer::now().put("/signed/k", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &more);
    let mut body = format!("{:x}\r\n", data.len()).into_bytes();
    body.extend(data);
    let crc32 = base64::engine::general_purpose::STANDARD.encode(crc32);
    body.extend(format!("\r\n0\r\nx-amz-checksum-crc32:{crc32}\r\n\r\n").into_bytes());
    send(request, body).await
}

#[tokio::test]
async fn a_trailing_checksum_under_a_signed_head_is_verified() {
    let data = vec![7; 3_000_000];
    let (status, code, kept) = with_trailer(&data, Crc32::checksum(&data)).await;
    assert_eq!((status, code.as_str()), (StatusCode::OK, ""));
    assert_eq!(kept.unwrap(), data);
    let (status, code, kept) = with_trailer(&data, [0; 4]).await;
    assert_eq!((status, code.as_str(), kept), (StatusCode::BAD_REQUEST, "BadDigest", None));
}

/// Signs both chunks; sends what `change` makes of the second.
async fn in_signed_chunks(change: fn(&[u8]) -> Vec<u8>) -> (StatusCode, String, Option<Bytes>) {
    let (first, second) = (vec![1; 70_000], vec![2; 1000]);
    let signer = Signer::now();
    let more = [("x-amz-decoded-content-length", "71000")];
    let (seed, request) = signer.put("/signed/k", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &more);
    let mut body = Vec::new();
    let mut previous = seed;
    for (signed, sent) in [(first.clone(), first), (second.clone(), change(&second)), (vec![], vec![])] {
        previous = signer.chunk(&previous, &signed);
        body.extend(format!("{:x};chunk-signature={previous}\r\n", sent.len()).into_bytes());
        body.extend(sent);
        body.extend(b"\r\n");
    }
    send(request, body).await
}

#[tokio::test]
async fn the_signature_of_every_chunk_is_verified() {
    let (status, code, kept) = in_signed_chunks(<[u8]>::to_vec).await;
    assert_eq!((status, code.as_str()), (StatusCode::OK, ""));
    assert_eq!(kept.unwrap(), [vec![1; 70_000], vec![2; 1000]].concat());
    let (status, code, kept) = in_signed_chunks(|chunk| vec![3; chunk.len()]).await;
    assert_eq!((status, code.as_str(), kept), (StatusCode::FORBIDDEN, "SignatureDoesNotMatch", None));
}

#[tokio::test]
async fn a_signed_hash_of_the_body_is_verified() {
    let (_, request) = Signer::now().put("/signed/k", &hex::encode(sha256(b"said")), &[]);
    let (status, code, kept) = send(request, b"sent".to_vec()).await;
    assert_eq!((status, code.as_str(), kept), (StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", None));
    let (_, request) = Signer::now().put("/signed/k", &hex::encode(sha256(b"said")), &[]);
    let (status, _, kept) = send(request, b"said".to_vec()).await;
    assert_eq!((status, kept), (StatusCode::OK, Some(Bytes::from_static(b"said"))));
}
