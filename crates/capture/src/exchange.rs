//! What passed through: one request and what came back, as the recorder is given it.

use aws::{Headers, Request};
use event::EventTime;
use std::net::IpAddr;

/// One call as it went over the wire. Everything is borrowed: the proxy keeps the bytes, the recorder reads them.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Method, path, query and headers, exactly as the client sent them.
    pub request: Request<'a>,
    /// The request's body, as much of it as [`Opened::request_body`](crate::Opened::request_body) asked to keep.
    pub request_body: Captured<'a>,
    /// What was answered; `None` when nothing was.
    pub response: Option<Response<'a>>,
    /// Who connected (after trusted proxies): `sourceIPAddress`.
    pub client: IpAddr,
    /// The VPC endpoint through which it connected, `vpce-…`, where a trusted proxy names one: `vpcEndpointId`.
    pub vpc_endpoint: Option<&'a str>,
    /// The client's TLS connection; `None` for plain HTTP.
    pub tls: Option<&'a TlsDetails>,
    /// When the response was complete: `eventTime` (`reference/event-record.md` §1).
    pub completed: EventTime,
    /// What went wrong on the way, if anything.
    pub failure: Option<Failure>,
}

/// A body, or the beginning of one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Captured<'a> {
    /// The first bytes, after removing the transfer encoding (not the content encoding).
    pub bytes: &'a [u8],
    /// How many bytes passed in all; more than `bytes` holds when the body was not kept whole.
    pub total: u64,
}

impl<'a> Captured<'a> {
    /// A body that was kept whole.
    pub fn whole(bytes: &'a [u8]) -> Captured<'a> {
        Captured { bytes, total: bytes.len() as u64 }
    }

    /// Whether nothing of the body is missing.
    pub fn is_whole(&self) -> bool {
        self.total == self.bytes.len() as u64
    }
}

/// What was answered.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// HTTP status code.
    pub status: u16,
    /// Headers as they were sent.
    pub headers: Headers<'a>,
    /// The body, as much of it as [`Opened::response_body`](crate::Opened::response_body) asked to keep.
    pub body: Captured<'a>,
}

/// The client's TLS connection: what `tlsDetails` says (`reference/event-record.md` §4). One value per connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsDetails {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: String,
    /// An OpenSSL-style name such as `TLS_AES_128_GCM_SHA256`.
    pub cipher_suite: String,
    /// The key exchange group, such as `X25519MLKEM768`, where known.
    pub key_exchange: Option<String>,
}

/// What went wrong between the client, this house and the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The upstream could not be reached, or it did not answer.
    Unreachable,
    /// The upstream stopped in the middle of its response.
    ResetMidBody,
    /// The client went away before it had said its whole request.
    ClientGone,
    /// The client had said its whole request and went away before it had the whole answer.
    ClientLeft,
}

/// How many bytes of a body the recorder needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// None: a stream, a blob, or something a record never shows.
    Nothing,
    /// The first so many bytes.
    UpTo(usize),
}

impl Keep {
    /// The number of bytes to keep.
    pub fn limit(self) -> usize {
        match self {
            Keep::Nothing => 0,
            Keep::UpTo(limit) => limit,
        }
    }
}
