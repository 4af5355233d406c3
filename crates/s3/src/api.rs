//! S3 over HTTP: one call in, one answer out.

mod answer;
mod auth;
mod aws_chunked;
mod body;
mod buckets;
#[cfg(test)]
#[path = "../../../fuzz/src/chunked_bytes.rs"]
#[allow(unreachable_pub, clippy::panic, clippy::expect_used, reason = "the included file is a library in `fuzz`")]
mod chunked_bytes;
mod convert;
mod copies;
mod error;
mod host;
mod lent;
mod listings;
mod objects;
mod operations;
mod reading;
mod receive;
mod uploads;

pub use self::auth::{Auth, Check, Lookup, Named, Refusal};

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3Result, s3_error};

use crate::store::Store;

/// What can fail while a body is read.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request as the edge hands it over.
pub type RequestBody = UnsyncBoxBody<Bytes, BoxError>;
/// The body of an answer.
pub type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// Who the store says it is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account that owns everything here: 12 digits.
    pub account: String,
    /// The Region of buckets that are created without a location.
    pub region: String,
    /// A request to `BUCKET.domain` is one to that bucket (virtual-host style), for each of these, e.g. `s3.localhost`.
    /// Without ports. Path style always works.
    pub domains: Vec<String>,
}

/// The S3 service on a [`Store`]. Cloning is cheap.
#[derive(Clone)]
pub struct S3Api {
    service: S3Service,
    store: Store,
    host: Arc<host::Host>,
    settings: Arc<Settings>,
    /// `None`: nothing of a signature is looked at.
    check: Option<Check>,
}

impl S3Api {
    /// Serves the store.
    pub fn new(store: Store, settings: Settings, auth: Auth) -> S3Api {
        let settings = Arc::new(settings);
        let operations = operations::Operations { store: store.clone(), settings: settings.clone() };
        let mut builder = S3ServiceBuilder::new(operations);
        builder.set_host(host::Host::new(&settings.domains));
        let host = Arc::new(host::Host::new(&settings.domains));
        builder.set_access(auth::Access { asks_for_signature: matches!(auth, Auth::Verify(..)) });
        // s3s asks who may do what only where it knows how to look for a signature.
        let check = match auth {
            Auth::Verify(lookup, check) => {
                builder.set_auth(auth::Verifier(lookup));
                Some(check)
            }
            Auth::Trust => {
                builder.set_auth(auth::Stranger);
                None
            }
        };
        S3Api { service: builder.build(), store, host, settings, check }
    }

    /// Answers one request. Errors are answers too, in S3's XML; the future never fails. Bodies are streamed both ways.
    pub async fn call<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (head, resource) = (request.method() == http::Method::HEAD, request.uri().path().to_owned());
        let holds_back = request.headers().contains_key(http::header::EXPECT);
        let (parts, body) = request.into_parts();
        let bucket = self.host.bucket_of(&parts).map(str::to_owned);
        // Asked for before the call, which may be the one that deletes it.
        let region = bucket.as_deref().and_then(|bucket| self.store.region_of(bucket));
        let (body, loan) = lent::lend(body.map_err(Into::into).boxed_unsync());
        let answer = match self.admit(Request::from_parts(parts, body.boxed_unsync())) {
            Ok(request) => self.service.call(request).await.map_err(|e| {
                let cause: BoxError = e.into();
                tracing::error!(%cause, "cannot answer a request");
                s3_error!(InternalError)
            }),
            Err(refused) => Err(refused),
        };
        let answer = answer.or_else(S3Error::to_http_response);
        let answer = answer.unwrap_or_default();
        // A client that waits for `100 Continue` has sent nothing, and reading would make it.
        if !answer.status().is_success() && !holds_back {
            loan.read_off().await;
        }
        let region = region.or_else(|| self.store.region_of(bucket.as_deref()?));
        answer::complete(answer, head, &resource, region.as_deref())
    }

    /// Refuses what this store never does, and prepares the rest for s3s.
    fn admit(&self, request: Request<RequestBody>) -> S3Result<s3s::HttpRequest> {
        for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
            if request.headers().get(name).is_some_and(|owner| owner.as_bytes() != self.settings.account.as_bytes()) {
                return Err(s3_error!(AccessDenied, "Access Denied"));
            }
        }
        let named = request.extensions().get::<Named>().and_then(|named| named.bucket_in_host.as_deref());
        if named.is_some_and(|bucket| !self.host.agrees(request.headers(), bucket)) {
            return Err(s3_error!(NoSuchBucket, "The host names a bucket at an endpoint that is not this one"));
        }
        if is_form_post(&request) {
            return Err(s3_error!(NotImplemented, "POST Object (browser-based uploads) is not implemented"));
        }
        let Some(check) = &self.check else {
            return Ok(auth::strip(request)?.map(s3s::Body::http_body_unsync));
        };
        let (head, body) = request.into_parts();
        auth::check(check, &head)?;
        Ok(auth::bound_chunks(Request::from_parts(head, body)).map(s3s::Body::http_body_unsync))
    }
}

fn is_form_post(request: &Request<RequestBody>) -> bool {
    let content_type = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    request.method() == http::Method::POST
        && content_type.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}
