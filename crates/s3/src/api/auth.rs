//! Who may call: signatures verified by s3s, or none looked at.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use http::{Request, Uri};
use http_body_util::BodyExt;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use zeroize::Zeroizing;

use super::RequestBody;
use super::body::{ChunkedBody, Chunks, Trailers};

/// Gives the secret of an access key that may call, `None` for any other.
pub type Lookup = Arc<dyn Fn(&str) -> Option<Zeroizing<String>> + Send + Sync>;

/// Looks at the head of a signed request before its signature is compared: what the signature must cover, and how long it is
/// good. s3s asks little of that: it takes `x-amz-…` headers that are not signed, by which the holder of a presigned URL would
/// do something else than was signed, and Signature Version 2, for ever.
pub type Check = Arc<dyn Fn(&http::request::Parts) -> Result<(), Refusal> + Send + Sync>;

/// Why a head is refused, as S3 says it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// S3's code, such as `AccessDenied`.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// Whether signatures are verified.
pub enum Auth {
    /// Every request needs a valid signature, in its head or its URL, by a key that the lookup knows, and a head that passes
    /// the check, which also says by which versions it may be signed.
    Verify(Lookup, Check),
    /// Anyone may call, with any key or none; nothing of a signature is looked at.
    Trust,
}

pub(super) struct Verifier(pub(super) Lookup);

#[async_trait::async_trait]
impl S3Auth for Verifier {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0(access_key) {
            Some(secret) => Ok(SecretKey::from(secret.as_str())),
            None => Err(s3_error!(InvalidAccessKeyId)),
        }
    }
}

/// Knows no key: signatures are taken off before, and nobody asks for one.
pub(super) struct Stranger;

#[async_trait::async_trait]
impl S3Auth for Stranger {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Err(s3_error!(InvalidAccessKeyId))
    }
}

/// What a request was taken for before it came here. Among the extensions of a request it binds the store, whose library reads
/// requests in its own way and passes over sub-resources that it does not know: a `DELETE` of an annotation would delete the
/// object.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name of its operation in S3's model; `None` for no operation that is known.
    pub operation: Option<&'static str>,
    /// The bucket that was read from one of AWS's host names. The store knows fewer of these, and takes others for path style.
    pub bucket_in_host: Option<String>,
}

/// Who may do what: all that is done has the name that the request was given, and whoever asks has signed where that is asked.
pub(super) struct Access {
    pub(super) asks_for_signature: bool,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = context.extensions_mut().get::<Named>().map(|named| named.operation);
        if operation.is_some_and(|name| name != Some(context.s3_op().name())) {
            return Err(s3_error!(
                NotImplemented,
                "A header or query you provided requested a function that is not implemented."
            ));
        }
        if self.asks_for_signature && context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        Ok(())
    }
}

/// The check of a head, as an error of s3s.
pub(super) fn check(check: &Check, head: &http::request::Parts) -> S3Result<()> {
    check(head).map_err(|Refusal { status, code, message }| {
        let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::AccessDenied);
        let mut error = S3Error::with_message(code, message);
        if let Ok(status) = http::StatusCode::from_u16(status) {
            error.set_status_code(status);
        }
        error
    })
}

/// The query parameters of presigned URLs, Version 4 and 2.
const SIGNATURE_PARAMETERS: [&str; 11] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "awsaccesskeyid",
    "signature",
    "expires",
];

/// Takes the signature off a request, which s3s would refuse to pass without knowing the secret, and the chunks off
/// its body, which s3s only undoes while it verifies them.
pub(super) fn strip(request: Request<RequestBody>) -> S3Result<Request<RequestBody>> {
    let (mut head, mut body) = request.into_parts();
    head.uri = without_signature(&head.uri);
    head.headers.remove(AUTHORIZATION);
    if is_streaming(&head) {
        let length = head.headers.get("x-amz-decoded-content-length").cloned();
        let length = length.ok_or_else(|| {
            s3_error!(MissingContentLength, "You must provide the x-amz-decoded-content-length HTTP header.")
        })?;
        head.headers.insert(CONTENT_LENGTH, length);
        let trailers = Trailers::default();
        head.extensions.insert(trailers.clone());
        body = ChunkedBody::new(body, Chunks::Decode, trailers).boxed_unsync();
    }
    head.headers.remove("x-amz-content-sha256");
    Ok(Request::from_parts(head, body))
}

/// Bounds the memory that s3s takes to verify the chunks of a body.
pub(super) fn bound_chunks(request: Request<RequestBody>) -> Request<RequestBody> {
    let (head, mut body) = request.into_parts();
    if is_streaming(&head) {
        let unsigned =
            head.headers.get("x-amz-content-sha256").is_some_and(|v| v == "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        let chunks = if unsigned { Chunks::Cut } else { Chunks::Limit };
        body = ChunkedBody::new(body, chunks, Trailers::default()).boxed_unsync();
    }
    Request::from_parts(head, body)
}

fn is_streaming(head: &http::request::Parts) -> bool {
    head.headers.get("x-amz-content-sha256").map(HeaderValue::as_bytes).is_some_and(|v| v.starts_with(b"STREAMING-"))
}

/// The URI without the parameters of a presigned URL, if it is one. Otherwise unchanged: `expires` may be anything.
fn without_signature(uri: &Uri) -> Uri {
    let query = uri.query().unwrap_or_default();
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    if !query.split('&').any(|pair| matches!(name(pair).as_str(), "x-amz-signature" | "signature")) {
        return uri.clone();
    }
    let kept: Vec<_> = query.split('&').filter(|pair| !SIGNATURE_PARAMETERS.contains(&name(pair).as_str())).collect();
    let mut parts = uri.clone().into_parts();
    let target = if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) };
    parts.path_and_query = target.parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presigned_urls_lose_their_signature_and_nothing_else() {
        let check = |uri: &str, expect: &str| assert_eq!(without_signature(&uri.parse().unwrap()).to_string(), expect);
        check(
            "/b/k?X-Amz-Algorithm=A&X-Amz-Signature=0&response-content-type=a%2Fb",
            "/b/k?response-content-type=a%2Fb",
        );
        check("/b/k?AWSAccessKeyId=A&Expires=1&Signature=x", "/b/k");
        check("/b?list-type=2&expires=1", "/b?list-type=2&expires=1");
        check("http://h:1/b/k?partNumber=1&uploadId=2&X-Amz-Signature=0", "http://h:1/b/k?partNumber=1&uploadId=2");
    }
}
