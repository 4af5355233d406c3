//! Log files to any S3 endpoint.
//!
//! Few requests are all that delivery needs, so they are made by hand on `object_store`'s HTTP client: its own `AmazonS3` cannot write a key that ends in a slash (the markers), cannot ask for a bucket's ACL, and hides error codes.

use super::{BucketError, Encryption, LogBucket, ObjectHeaders};
use crate::client::{Patience, client};
use crate::sign::Signer;
use base64::Engine as _;
use bytes::Bytes;
use event::EventTime;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use object_store::client::{HttpClient, HttpRequestBody, HttpResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An S3 endpoint, addressed in path style.
pub struct S3Endpoint {
    client: HttpClient,
    signer: Signer,
    endpoint: String,
    /// The store has refused SSE-S3: it is not asked for it again.
    without_encryption: AtomicBool,
}

/// Where an endpoint is and with which key it is called.
#[derive(Clone)]
pub struct S3Options {
    /// `http://HOST:PORT` or `https://HOST`, without a path.
    pub endpoint: String,
    /// The Region that requests are signed for.
    pub region: String,
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret: registry::Secret,
    /// Of temporary credentials.
    pub session_token: Option<registry::Secret>,
}

/// How long an object may take, and how long a connection: a slow bucket is retried, not waited for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is read of an answer that nobody needs whole, bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// The largest object that is read whole, bytes: a bundle of a transparency log.
const SMALL_MAX: usize = 17 << 20;

/// What stays as it is in a path that is signed: unreserved characters and the slash.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

impl S3Endpoint {
    /// A client for the endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BucketError::Unreachable`] when the endpoint is no `http` or `https` URL.
    pub fn new(options: S3Options) -> Result<S3Endpoint, BucketError> {
        let endpoint = options.endpoint.trim_end_matches('/').to_owned();
        let valid = endpoint.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() == "/" && uri.query().is_none()
        });
        if !valid {
            return Err(BucketError::Unreachable(format!(
                "`{endpoint}` is no S3 endpoint: write http://HOST:PORT or https://HOST"
            )));
        }
        let client = client(&endpoint, Patience { request: REQUEST_TIMEOUT, connect: CONNECT_TIMEOUT })
            .map_err(|error| BucketError::Unreachable(error.to_string()))?;
        let S3Options { access_key_id, secret, session_token, region, .. } = options;
        let signer = Signer::new(access_key_id, secret, session_token, region);
        let without_encryption = AtomicBool::new(false);
        Ok(S3Endpoint { client, signer, endpoint, without_encryption })
    }

    /// Where it is: `http://HOST:PORT` or `https://HOST`.
    pub fn url(&self) -> &str {
        &self.endpoint
    }

    /// The Region in which a bucket lies, where the store tells.
    pub async fn region_of(&self, bucket: &str) -> Option<String> {
        self.ask(bucket, "?location").await.ok().and_then(|answer| region_of(&answer))
    }

    /// Makes a bucket; one that is ours already is fine.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), BucketError> {
        let url = format!("{}/{}", self.endpoint, utf8_percent_encode(bucket, PATH));
        let request = Request::builder().method(Method::PUT).uri(url);
        // S3 refuses to be told its default Region (CreateBucket, `LocationConstraint`).
        let body = match self.signer.region() {
            "us-east-1" => Bytes::new(),
            region => Bytes::from(format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            )),
        };
        match self.send(bucket, request, body).await {
            Err(BucketError::Refused { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
            other => other,
        }
    }

    async fn send(&self, bucket: &str, request: http::request::Builder, body: Bytes) -> Result<(), BucketError> {
        let answer = self.execute(bucket, request, body).await?;
        // Some endpoints say more than nothing; only an answer that was read leaves its connection to the next request.
        beginning(answer).await;
        Ok(())
    }

    /// What a bucket says of itself: the beginning of it.
    async fn ask(&self, bucket: &str, query: &str) -> Result<String, BucketError> {
        let answer = self.read(bucket, bucket, query).await?;
        Ok(String::from_utf8_lossy(&beginning(answer).await).into_owned())
    }

    /// Reads from the endpoint: a path below it, percent-encoded, and a query, to be signed as they are.
    pub(crate) async fn read(&self, bucket: &str, path: &str, query: &str) -> Result<HttpResponse, BucketError> {
        let url = format!("{}/{}{query}", self.endpoint, utf8_percent_encode(path, PATH));
        self.execute(bucket, Request::builder().method(Method::GET).uri(url), Bytes::new()).await
    }

    async fn execute(
        &self,
        bucket: &str,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<HttpResponse, BucketError> {
        let unusable = |error: http::Error| BucketError::Unreachable(format!("no request can be made: {error}"));
        let mut request = request.body(HttpRequestBody::from(body.clone())).map_err(unusable)?;
        self.signer.sign(&mut request, &body, now()).map_err(|error| unusable(error.into()))?;
        let unreachable = |error: object_store::client::HttpError| BucketError::Unreachable(whole_cause(&error));
        let response = self.client.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(refusal(bucket, status, &String::from_utf8_lossy(&beginning(response).await)))
    }
}

/// The beginning of an answer's body, as far as it comes: [`ANSWER_MAX`] bytes of it.
async fn beginning(response: HttpResponse) -> Vec<u8> {
    let mut text = Vec::new();
    let mut chunks = response.into_body().bytes_stream();
    while let Some(Ok(chunk)) = futures_util::StreamExt::next(&mut chunks).await {
        text.extend_from_slice(&chunk[..chunk.len().min(ANSWER_MAX - text.len())]);
        if text.len() == ANSWER_MAX {
            break;
        }
    }
    text
}

impl S3Endpoint {
    async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        headers: &ObjectHeaders,
        plain: bool,
    ) -> Result<(), BucketError> {
        let path = format!("{bucket}/{key}");
        let url = format!("{}/{}", self.endpoint, utf8_percent_encode(&path, PATH));
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri(url)
            .header(CONTENT_TYPE, HeaderValue::from_static(headers.content_type))
            // The bucket policy that AWS tells people to write asks for it (§7).
            .header("x-amz-acl", HeaderValue::from_static("bucket-owner-full-control"));
        if !headers.content_encoding.is_empty() {
            request = request.header(CONTENT_ENCODING, HeaderValue::from_static(headers.content_encoding));
        }
        for (name, value) in &headers.metadata {
            request = request.header(format!("x-amz-meta-{name}"), value);
        }
        match &headers.encryption {
            Encryption::Store if plain => {}
            Encryption::Store => request = request.header("x-amz-server-side-encryption", "AES256"),
            Encryption::Kms { key_arn, trail_arn } => {
                let context = serde_json::json!({ "aws:cloudtrail:arn": trail_arn }).to_string();
                let context = base64::engine::general_purpose::STANDARD.encode(context);
                request = request
                    .header("x-amz-server-side-encryption", "aws:kms")
                    .header("x-amz-server-side-encryption-aws-kms-key-id", key_arn)
                    .header("x-amz-server-side-encryption-context", context);
            }
        }
        self.send(bucket, request, body).await
    }
}

impl LogBucket for S3Endpoint {
    fn check_bucket<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        Box::pin(async move {
            match self.ask(bucket, "?acl").await {
                Err(BucketError::Refused { code, .. }) if is_unknown_question(&code) => {}
                asked => drop(asked?),
            }
            // Nobody needs the permission to ask that: without an answer the bucket is taken as one that its owner pays for.
            let payment = self.ask(bucket, "?requestPayment").await.unwrap_or_default();
            if element(&payment, "Payer") == Some("Requester") {
                let message = "trails are not delivered into Requester Pays buckets".to_owned();
                return Err(BucketError::Refused { code: "RequesterPays".to_owned(), message });
            }
            Ok(())
        })
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        body: Bytes,
        headers: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>> {
        Box::pin(async move {
            let plain = self.without_encryption.load(Ordering::Relaxed);
            match self.put_object(bucket, key, body.clone(), &headers, plain).await {
                Err(BucketError::Refused { code, .. })
                    if !plain && headers.encryption == Encryption::Store && is_unknown_encryption(&code) =>
                {
                    self.put_object(bucket, key, body, &headers, true).await?;
                    tracing::info!(
                        endpoint = self.endpoint,
                        code,
                        "the store does not know SSE-S3 and is not asked for it"
                    );
                    self.without_encryption.store(true, Ordering::Relaxed);
                    Ok(())
                }
                done => done,
            }
        })
    }

    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BucketError>> {
        Box::pin(async move {
            let response = match self.read(bucket, &format!("{bucket}/{key}"), "").await {
                Err(BucketError::Refused { code, .. }) if code == "NoSuchKey" => return Ok(None),
                answer => answer?,
            };
            let mut bytes = Vec::new();
            let mut chunks = response.into_body().bytes_stream();
            while let Some(chunk) = futures_util::StreamExt::next(&mut chunks).await {
                bytes.extend_from_slice(&chunk.map_err(|error| BucketError::Unreachable(whole_cause(&error)))?);
                if bytes.len() > SMALL_MAX {
                    return Err(BucketError::Unreachable(format!("{key} is larger than expected")));
                }
            }
            Ok(Some(Bytes::from(bytes)))
        })
    }
}

/// When a request is signed.
fn now() -> EventTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}

/// Whether a store that refuses so may take the object without SSE-S3: each store that has none says it in its own way.
fn is_unknown_encryption(code: &str) -> bool {
    matches!(code, "NotImplemented" | "InvalidRequest" | "InvalidArgument" | "InvalidEncryptionAlgorithmError")
}

/// Whether a store that refuses so does not know what it is asked about a bucket.
fn is_unknown_question(code: &str) -> bool {
    matches!(code, "NotImplemented" | "MethodNotAllowed")
}

impl fmt::Debug for S3Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Endpoint").field("endpoint", &self.endpoint).field("region", &self.signer.region()).finish()
    }
}

/// What an error answer means. Without a body that says it, the status has to do.
fn refusal(bucket: &str, status: StatusCode, body: &str) -> BucketError {
    let code = element(body, "Code").unwrap_or(match status {
        StatusCode::NOT_FOUND => "NoSuchBucket",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "AccessDenied",
        StatusCode::MOVED_PERMANENTLY => "PermanentRedirect",
        StatusCode::NOT_IMPLEMENTED => "NotImplemented",
        StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
        _ => status.canonical_reason().unwrap_or("UnknownError"),
    });
    if code == "NoSuchBucket" {
        return BucketError::NoSuchBucket(bucket.to_owned());
    }
    let message = element(body, "Message").unwrap_or_default();
    let message = if message.is_empty() { format!("HTTP status {status}") } else { message.to_owned() };
    BucketError::Refused { code: code.to_owned(), message }
}

/// The text of the first element of that name in an S3 error document, which is flat.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(text, _)| text)
}

/// The Region of a bucket, from what GetBucketLocation answers. `None` where it names none: AWS does so for us-east-1, and
/// stores without Regions do. One has a name of old.
pub(crate) fn region_of(answer: &str) -> Option<String> {
    match elements(answer, "LocationConstraint").next().unwrap_or_default().as_str() {
        "" => None,
        "EU" => Some("eu-west-1".to_owned()),
        region => Some(region.to_owned()),
    }
}

/// The texts of all elements of a name, in a document in which they hold nothing but text.
pub(crate) fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let (opening, closing) = (format!("<{name}"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once(opening.as_str())?;
            let (attributes, content) = after.split_once('>')?;
            rest = content;
            // Otherwise the name of the element only begins so.
            if !attributes.starts_with(|letter: char| !letter.is_ascii_whitespace() && letter != '/') {
                break if attributes.ends_with('/') { Some(String::new()) } else { text_of(&mut rest, &closing) };
            }
        }
    })
}

/// The text up to the end of an element.
fn text_of(rest: &mut &str, closing: &str) -> Option<String> {
    let (text, after) = rest.split_once(closing)?;
    *rest = after;
    Some(quick_xml::escape::unescape(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned))
}

/// An error with its causes: the HTTP client hides "connection refused" two levels down.
pub(crate) fn whole_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_listing_are_read_as_they_are_meant() {
        let xml = "<ListBucketResult><Contents><Key>a&amp;b/c</Key></Contents><Contents><Key>d</Key></Contents><IsTruncated>false</IsTruncated></ListBucketResult>";
        assert_eq!(elements(xml, "Key").collect::<Vec<_>>(), ["a&b/c", "d"]);
        assert_eq!(elements(xml, "NextContinuationToken").next(), None);
        let xml = "<KeyCount>2</KeyCount><Key>a</Key><Key/><Key x=\"y\">b</Key><Key>cut";
        assert_eq!(elements(xml, "Key").collect::<Vec<_>>(), ["a", "", "b"]);
    }

    #[test]
    fn the_region_of_a_bucket_is_read_as_aws_tells_it() {
        const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
        for (answer, region) in [
            (
                format!("<?xml version=\"1.0\"?>\n<LocationConstraint {NAMESPACE}>eu-central-1</LocationConstraint>"),
                Some("eu-central-1"),
            ),
            (format!("<LocationConstraint {NAMESPACE}/>"), None),
            (format!("<LocationConstraint {NAMESPACE}></LocationConstraint>"), None),
            ("<LocationConstraint>EU</LocationConstraint>".to_owned(), Some("eu-west-1")),
            ("<LocationConstraint/>".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(region_of(&answer).as_deref(), region, "{answer}");
        }
    }

    #[test]
    fn an_error_answer_keeps_the_code_of_s3() {
        let denied = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        assert_eq!(
            refusal("b", StatusCode::FORBIDDEN, denied),
            BucketError::Refused { code: "AccessDenied".to_owned(), message: "no".to_owned() }
        );
        assert_eq!(refusal("b", StatusCode::NOT_FOUND, ""), BucketError::NoSuchBucket("b".to_owned()));
        assert_eq!(refusal("b", StatusCode::SERVICE_UNAVAILABLE, "<html>").code(), Some("Service Unavailable"));
    }

    #[test]
    fn an_endpoint_is_a_bare_url() {
        let options = |endpoint: &str| S3Options {
            endpoint: endpoint.to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret: registry::Secret::new("secret".to_owned()),
            session_token: None,
        };
        for good in ["http://127.0.0.1:9000", "https://s3.example.com/"] {
            assert!(S3Endpoint::new(options(good)).is_ok(), "{good}");
        }
        for bad in ["", "127.0.0.1:9000", "ftp://x", "http://x/y", "http://x?y"] {
            assert!(S3Endpoint::new(options(bad)).is_err(), "{bad}");
        }
    }
}
