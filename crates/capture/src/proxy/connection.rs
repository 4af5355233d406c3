//! One client connection: request after request, each to the one who answers it.

use super::answer::Refusal;
use super::edge::Worker;
use super::patience::{ClientLimits, Silence};
use super::recording::{Answered, Audit, Passed, Peer, Receipt};
use super::relay::{Ended, Relay};
use super::routes::Destination;
use super::tee::Tee;
use super::upstream::{Pool, UpstreamIo};
use super::{answer, buffers};
use crate::http1::{HeadError, RequestHead};
use crate::{Failure, Keep, Opened};
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// The largest request head (all AWS endpoints refuse earlier; a presigned URL with a session token has about 4 KiB).
pub(super) const MAX_HEAD_BYTES: usize = 64 << 10;
/// What is still read from a client that was answered early, so that it sees the answer and not a reset.
const LINGER_BYTES: usize = 4 << 20;
/// How long that may take.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// Room made for a read.
const READ_BYTES: usize = 8 << 10;
/// What a call is told whose service neither is served here nor has an upstream.
const NOBODY: &str = "OpenTrail has no upstream for this service; start it with --upstream URL";

/// Whether the connection goes on after an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another request may follow.
    Request,
    /// The answer is out and the connection ends in order.
    Close,
    /// The connection ends at once: what the client got is not a whole answer, and it must see that.
    Abort,
}

/// The client's side of a connection.
pub(super) trait Client: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the coming close a reset, so that a client whose response was reset sees just that.
    fn reset_on_close(&self);

    /// Ready once the client is known to have gone, while nobody reads from it. That it has closed its side says nothing:
    /// one that has said all that it wants to say may still listen, and looks the same as one that has ended.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Whether it ends in the middle of a request only by having been reset.
    fn ends_by_reset(&self) -> bool {
        false
    }
}

impl Client for TcpStream {
    fn reset_on_close(&self) {
        let _ = socket2::SockRef::from(self).set_linger(Some(Duration::ZERO));
    }

    /// A look that takes nothing from the next request. Where that waits already, it is the look at the error that waits:
    /// such a client is missed when it is written to.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0u8; 1];
        match self.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Client for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().0.poll_gone(cx)
    }
}

/// Serves one connection to its end. `idle` is true while no request is in flight: then it may be cut off.
pub(super) async fn serve<C>(mut client: C, mut inbound: BytesMut, peer: Peer, worker: &Worker, idle: &AtomicBool)
where
    C: Client,
{
    let mut silence = Silence::default();
    loop {
        let head = match read_head(&mut client, &mut inbound, idle, &mut silence, worker.client_limits).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => {
                worker.recording.metrics.bad_requests.inc();
                let _ = client.write_all(bad_request(&error)).await;
                return linger(&mut client).await;
            }
        };
        let forwarded = forwarded_peer(&head, &peer, worker);
        let peer = forwarded.as_ref().unwrap_or(&peer);
        let opened = head.view(|request| worker.recording.recorder.open(&request));
        let is_key = || head.view(|request| worker.recording.recorder.names_bucket(&request));
        let destination = worker.routes.destination(head.path_and_query().0, opened.service, is_key);
        let next = match destination {
            Destination::Own => answer::own(&mut client, &mut inbound, &head, peer, worker).await,
            _ if !worker.recording.may_act() => answer::not_durable(&mut client, &head, &opened).await,
            Destination::Local => answer::local(&mut client, &mut inbound, &head, opened, peer, worker).await,
            Destination::Upstream(_) if opened.is_elsewhere => {
                let taken = take_in(&mut client, &mut inbound, &head, opened.request_body()).await;
                answer::refuse(&mut client, &head, &opened, peer, worker, taken, Refusal::elsewhere()).await
            }
            Destination::Upstream(index) => match worker.pools.get(index) {
                Some(pool) => forward(&mut client, &mut inbound, &head, &opened, peer, worker, pool).await,
                None => Next::Abort,
            },
            Destination::Nobody => {
                let taken = take_in(&mut client, &mut inbound, &head, opened.request_body()).await;
                let refusal = Refusal::unreachable(503, NOBODY);
                answer::refuse(&mut client, &head, &opened, peer, worker, taken, refusal).await
            }
        };
        match next {
            Next::Request if worker.is_draining() => return linger(&mut client).await,
            Next::Request => {}
            Next::Close => return linger(&mut client).await,
            Next::Abort => return,
        }
    }
}

/// The caller behind a trusted proxy, where the request names one.
fn forwarded_peer(head: &RequestHead, peer: &Peer, worker: &Worker) -> Option<Peer> {
    if !worker.trusted_proxies.trusts(peer.address) {
        return None;
    }
    let lines: Vec<&[u8]> = head
        .headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"))
        .map(|(_, value)| value)
        .collect();
    let address = worker.trusted_proxies.caller(peer.address, lines.into_iter());
    (address != peer.address).then(|| Peer { address, ..peer.clone() })
}

/// Carries one exchange to an upstream and back.
async fn forward<C>(
    client: &mut C,
    inbound: &mut BytesMut,
    head: &RequestHead,
    opened: &Opened,
    peer: &Peer,
    worker: &Worker,
    pool: &Pool,
) -> Next
where
    C: Client,
{
    let keep_response = |status| opened.response_body(status);
    let mut waiting = pool.reuse();
    loop {
        let reused = waiting.is_some();
        let mut upstream = match waiting.take() {
            Some(io) => io,
            None => match pool.connect().await {
                Ok(io) => io,
                Err(error) => {
                    worker.recording.metrics.upstream_failed("unreachable");
                    tracing::warn!(upstream = %pool.upstream(), %error, "upstream cannot be reached");
                    let taken = take_in(client, inbound, head, opened.request_body()).await;
                    let message = format!("OpenTrail could not reach the upstream {}", pool.upstream());
                    let refusal = Refusal::unreachable(503, &message);
                    return answer::refuse(client, head, opened, peer, worker, taken, refusal).await;
                }
            },
        };
        let mut relay = Relay::new(client, &mut upstream, inbound, head, opened.request_body(), &keep_response);
        relay.client_stall = worker.client_stall;
        relay.holding = worker.recording.audit == Audit::FailClosed;
        relay.awaits_outcome = opened.may_change();
        let ended = relay.run().await;
        let mut cut_by_reset = false;
        let failure = match ended {
            Ended::Upgraded if would_carry_calls(head) => {
                worker.recording.metrics.upstream_failed("upgraded");
                tracing::warn!(upstream = %pool.upstream(), "upstream would switch to what nobody asked for, or to HTTP/2 where nobody could read the calls");
                cut_by_reset = true;
                Some(Failure::ResetMidBody)
            }
            Ended::Complete | Ended::Upgraded => None,
            Ended::NoAnswer { untouched: true, .. } if reused && relay.replayable() && is_idempotent(head.method()) => {
                // The upstream closed the waiting connection before it saw the request: RFC 9110, section 9.2.2.
                relay.rewind();
                continue;
            }
            Ended::NoAnswer { error, .. } => {
                worker.recording.metrics.upstream_failed("no_answer");
                tracing::warn!(upstream = %pool.upstream(), %error, "upstream did not answer");
                let taken = (std::mem::take(&mut relay.request_body), relay.request_done());
                drop(relay);
                let message = format!("The upstream {} closed the connection without an answer", pool.upstream());
                let refusal = Refusal::unreachable(502, &message);
                return answer::refuse(client, head, opened, peer, worker, taken, refusal).await;
            }
            Ended::CutShort { reset } => {
                worker.recording.metrics.upstream_failed("cut_short");
                cut_by_reset = reset;
                Some(Failure::ResetMidBody)
            }
            Ended::ClientGone { .. } | Ended::ClientStalled => {
                let (reset, how) = match ended {
                    Ended::ClientGone { reset } => (reset, "gone"),
                    _ => (false, "stalled"),
                };
                worker.recording.metrics.client_gone(how);
                cut_by_reset = reset;
                match (relay.request_read(), relay.outcome_is_whole()) {
                    (true, true) => None,
                    (true, false) => Some(Failure::ClientLeft),
                    (false, _) => Some(Failure::ClientGone),
                }
            }
            Ended::BadRequest => {
                worker.recording.metrics.bad_requests.inc();
                if !relay.request_begun() {
                    drop(relay);
                    let _ = client.write_all(bad_request(&HeadError::Malformed)).await;
                    return Next::Close;
                }
                // The upstream has seen a request, and may have acted on its head.
                Some(Failure::ClientGone)
            }
        };
        let receipt = record_relayed(&relay, head, opened, peer, worker, failure);
        worker.recording.metrics.answered("upstream");
        if worker.recording.settle(receipt).await.is_err() {
            let untouched = relay.nothing_sent();
            drop(relay);
            if untouched && !ended.by_client() {
                return answer::not_durable(client, head, opened).await;
            }
            // An answer that ends with its connection must not seem whole.
            client.reset_on_close();
            return Next::Abort;
        }
        if matches!(ended, Ended::BadRequest) {
            let untouched = relay.nothing_sent();
            drop(relay);
            upstream.reset_on_close();
            if !untouched {
                client.reset_on_close();
                return Next::Abort;
            }
            let _ = client.write_all(bad_request(&HeadError::Malformed)).await;
            return Next::Close;
        }
        if ended.by_client() {
            drop(relay);
            if cut_by_reset {
                upstream.reset_on_close();
            }
            return Next::Abort;
        }
        let released = relay.release().await;
        if failure.is_some() || released.is_err() {
            drop(relay);
            if cut_by_reset {
                client.reset_on_close();
            }
            return Next::Abort;
        }
        if matches!(ended, Ended::Upgraded) {
            let remainder = relay.tunnel_remainder();
            drop(relay);
            return tunnel(client, inbound, upstream, remainder).await;
        }
        let keep_alive = head.keep_alive
            && relay.response.as_ref().is_some_and(|response| response.keep_alive)
            && relay.finish_request(head).await;
        // Who was asked to close may do so without a word.
        let reusable = head.keep_alive && relay.upstream_reusable();
        drop(relay);
        if reusable {
            pool.put_back(upstream);
        }
        return if keep_alive { Next::Request } else { Next::Close };
    }
}

/// Hands what passed through a relay to the recorder.
fn record_relayed<C, U>(
    relay: &Relay<'_, C, U>,
    head: &RequestHead,
    opened: &Opened,
    peer: &Peer,
    worker: &Worker,
    failure: Option<Failure>,
) -> Receipt
where
    C: Client,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let request_body = &relay.request_body;
    match &relay.response {
        None => worker.recording.record(&Passed { peer, head, opened, request_body, response: None, failure }),
        Some(response) => response.view(|headers| {
            let body = relay.response_body.captured();
            let response = Some(Answered { status: response.status, headers, body });
            worker.recording.record(&Passed { peer, head, opened, request_body, response, failure })
        }),
    }
}

/// After a protocol switch: bytes both ways until one side closes.
async fn tunnel<C>(client: &mut C, inbound: &mut BytesMut, mut upstream: UpstreamIo, remainder: BytesMut) -> Next
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    let early = inbound.split();
    if upstream.write_all(&early).await.is_ok() && client.write_all(&remainder).await.is_ok() {
        let _ = tokio::io::copy_bidirectional(client, &mut upstream).await;
    }
    Next::Abort
}

/// Reads the next request head; `None` when the client has gone or said nothing for long.
async fn read_head<C>(
    client: &mut C,
    inbound: &mut BytesMut,
    idle: &AtomicBool,
    silence: &mut Silence,
    limits: ClientLimits,
) -> Result<Option<RequestHead>, HeadError>
where
    C: AsyncRead + Unpin,
{
    let (mut limit, mut has_begun) = (limits.idle, false);
    silence.broken();
    loop {
        if !inbound.is_empty() {
            // A stray empty line before a request is to be passed over (RFC 9112, section 2.2).
            while let Some(line) = [&b"\r\n"[..], b"\n"].into_iter().find(|line| inbound.starts_with(line)) {
                inbound.advance(line.len());
            }
            if let Some(head) = RequestHead::parse(inbound)? {
                return Ok(Some(head));
            }
            if inbound.len() >= MAX_HEAD_BYTES {
                return Err(HeadError::TooLarge);
            }
            if !std::mem::replace(&mut has_begun, true) {
                limit = limits.head;
                silence.broken();
            }
        }
        idle.store(inbound.is_empty(), Ordering::Relaxed);
        let read = poll_fn(|cx| {
            if inbound.capacity() == 0 {
                *inbound = buffers::take();
            }
            inbound.reserve(READ_BYTES);
            if let Poll::Ready(read) = pin!(client.read_buf(inbound)).poll(cx) {
                return Poll::Ready(read);
            }
            if inbound.is_empty() {
                buffers::give(inbound);
            }
            silence.poll(cx, limit).map(|()| Ok(0))
        });
        match read.await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => idle.store(false, Ordering::Relaxed),
        }
    }
}

/// Closes our side and reads what is still on its way, so that the last answer is not lost to a reset.
async fn linger<C>(client: &mut C)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    if client.shutdown().await.is_err() {
        return;
    }
    let draining = async {
        let mut scratch = buffers::take();
        let mut read = 0;
        while read < LINGER_BYTES {
            scratch.clear();
            match client.read_buf(&mut scratch).await {
                Ok(0) | Err(_) => break,
                Ok(bytes) => read += bytes,
            }
        }
        buffers::give(&mut scratch);
    };
    let _ = tokio::time::timeout(LINGER_TIMEOUT, draining).await;
}

/// Takes in what is left of a request that will not be passed on, within bounds; whether it came to its end.
pub(super) async fn take_in<C>(client: &mut C, inbound: &mut BytesMut, head: &RequestHead, keep: Keep) -> (Tee, bool)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    inbound.advance(head.raw().len());
    let (mut tee, mut framing) = (Tee::new(keep), head.framing);
    if head.expects_continue && !head.framing.is_done() && inbound.is_empty() {
        return (tee, false);
    }
    let taking = async {
        let mut taken = 0;
        loop {
            match framing.feed(inbound, |payload| tee.pass(payload)) {
                Ok(used) => {
                    taken += used;
                    inbound.advance(used);
                }
                Err(_) => return false,
            }
            if framing.is_done() {
                return true;
            }
            inbound.reserve(READ_BYTES);
            if taken > LINGER_BYTES || !matches!(client.read_buf(inbound).await, Ok(1..)) {
                return false;
            }
        }
    };
    let done = tokio::time::timeout(LINGER_TIMEOUT, taking).await.unwrap_or(false);
    (tee, done)
}

/// Methods that may be sent twice (RFC 9110, section 9.2.2).
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS")
}

/// Whether a switch of protocols would let calls like the one that it answers pass through a tunnel without a record: the client
/// asks for HTTP/2 (RFC 7540, section 3.2), for TLS around HTTP (RFC 2817), or for nothing at all, so that it goes on as before.
fn would_carry_calls(head: &RequestHead) -> bool {
    let asked = head.headers().filter(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
    let mut asked = asked.flat_map(|(_, value)| value.split(|byte| *byte == b',')).peekable();
    asked.peek().is_none()
        || asked.any(|protocol| {
            let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default().trim_ascii();
            [&b"h2c"[..], b"h2", b"http", b"tls"].iter().any(|http| name.eq_ignore_ascii_case(http))
        })
}

/// The answer to bytes that are no request.
pub(super) fn bad_request(error: &HeadError) -> &'static [u8] {
    match error {
        HeadError::TooLarge | HeadError::TooManyHeaders => {
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        }
        HeadError::TransferCoding | HeadError::Method => {
            b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        }
        HeadError::Malformed
        | HeadError::AmbiguousLength
        | HeadError::Ambiguous
        | HeadError::Host
        | HeadError::Target => b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    }
}
