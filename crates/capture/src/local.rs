//! The seam between the edge and what is answered in this house: the CloudTrail API, the embedded S3, health.

use crate::Opened;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

/// What can go wrong inside a streamed body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body on its way in or out, streamed.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A call that is answered here and not by an upstream.
#[derive(Debug)]
pub struct LocalCall {
    /// The request, its headers and target as sent.
    pub request: http::Request<Body>,
    /// What its head told the recorder; `None` for the house's own pages under `/_opentrail/`.
    pub opened: Option<Opened>,
    /// Who connected.
    pub client: IpAddr,
}

/// A future of an answer.
pub type Answer = Pin<Box<dyn Future<Output = http::Response<Body>> + Send>>;

/// Answers local calls. A response that carries a [`Reason`](crate::Reason) among its extensions is counted under it
/// and not recorded (a refused signature, for one).
pub trait Local: Send + Sync + 'static {
    /// Answers one call.
    fn call(&self, call: LocalCall) -> Answer;
}
