//! One client connection: request after request, each to the one who answers it.

use super::edge::Worker;
use super::recording::{Answered, Passed, Peer};
use super::relay::{Ended, Relay};
use super::routes::Destination;
use super::tee::Tee;
use super::upstream::{Pool, UpstreamIo};
use super::{answer, buffers};
use crate::http1::{HeadError, RequestHead};
use crate::{Failure, Keep, Opened};
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest request head (all AWS endpoints refuse earlier; a presigned URL with a session token has about 4 KiB).
const MAX_HEAD_BYTES: usize = 64 << 10;
/// From the first byte of a head to its last.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may say nothing between requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// What is still read from a client that was answered early, so that it sees the answer and not a reset.
const LINGER_BYTES: usize = 4 << 20;
/// How long that may take.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

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

/// Serves one connection to its end. `idle` is true while no request is in flight: then it may be cut off.
pub(super) async fn serve<C>(mut client: C, mut inbound: BytesMut, peer: Peer, worker: &Worker, idle: &AtomicBool)
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    loop {
        let head = match read_head(&mut client, &mut inbound, idle).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => {
                worker.recording.metrics.bad_requests.inc();
                let _ = client.write_all(bad_request(&error)).await;
                return linger(&mut client).await;
            }
        };
        let opened = head.view(|request| worker.recording.recorder.open(&request));
        let destination = worker.routes.destination(head.path_and_query().0, opened.service_entry());
        let next = match destination {
            Destination::Own => answer::own(&mut client, &mut inbound, &head, &peer, worker).await,
            Destination::Local => answer::local(&mut client, &mut inbound, &head, opened, &peer, worker).await,
            Destination::Upstream(index) => match worker.pools.get(index) {
                Some(pool) => forward(&mut client, &mut inbound, &head, &opened, &peer, worker, pool).await,
                None => Next::Abort,
            },
            Destination::Nobody => answer::nobody(&mut client, &mut inbound, &head, &opened, &peer, worker).await,
        };
        match next {
            Next::Request if worker.is_draining() => return linger(&mut client).await,
            Next::Request => {}
            Next::Close => return linger(&mut client).await,
            Next::Abort => return,
        }
    }
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
    C: AsyncRead + AsyncWrite + Unpin + Send,
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
                    let message = format!("OpenTrail could not reach the upstream {}", pool.upstream());
                    return answer::failed(client, inbound, head, opened, peer, worker, 503, &message).await;
                }
            },
        };
        let mut relay = Relay::new(client, &mut upstream, inbound, head, opened.request_body(), &keep_response);
        let ended = relay.run().await;
        let failure = match ended {
            Ended::Complete | Ended::Upgraded => None,
            Ended::NoAnswer { untouched: true, .. } if reused && relay.replayable() && is_idempotent(head.method()) => {
                // The upstream closed the waiting connection before it saw the request: RFC 9110, section 9.2.2.
                relay.rewind();
                continue;
            }
            Ended::NoAnswer { error, .. } => {
                worker.recording.metrics.upstream_failed("no_answer");
                tracing::warn!(upstream = %pool.upstream(), %error, "upstream did not answer");
                let message = format!("The upstream {} closed the connection without an answer", pool.upstream());
                let request_body = std::mem::take(&mut relay.request_body);
                let request_done = relay.request_done();
                drop(relay);
                return answer::failed_after(client, head, opened, peer, worker, 502, &message, request_body, request_done).await;
            }
            Ended::CutShort { .. } => {
                worker.recording.metrics.upstream_failed("cut_short");
                Some(Failure::ResetMidBody)
            }
            Ended::ClientGone => Some(Failure::ClientGone),
            Ended::BadRequest => {
                worker.recording.metrics.bad_requests.inc();
                drop(relay);
                let _ = client.write_all(bad_request(&HeadError::Malformed)).await;
                return Next::Close;
            }
        };
        let recorded = record_relayed(&relay, head, opened, peer, worker, failure).await;
        worker.recording.metrics.calls_by_upstream();
        if recorded.is_err() {
            return refuse(relay, client_refusal(opened)).await;
        }
        if failure == Some(Failure::ClientGone) {
            return Next::Abort;
        }
        let released = relay.release().await;
        if failure.is_some() || released.is_err() {
            return Next::Abort;
        }
        if matches!(ended, Ended::Upgraded) {
            let remainder = relay.tunnel_remainder();
            drop(relay);
            return tunnel(client, inbound, upstream, remainder).await;
        }
        let keep_alive = head.keep_alive && relay.response.as_ref().is_some_and(|r| r.keep_alive) && relay.request_done();
        let reusable = relay.upstream_reusable();
        drop(relay);
        if reusable {
            pool.put_back(upstream);
        }
        return if keep_alive { Next::Request } else { Next::Close };
    }
}

async fn record_relayed<C, U>(
    relay: &Relay<'_, C, U>,
    head: &RequestHead,
    opened: &Opened,
    peer: &Peer,
    worker: &Worker,
    failure: Option<Failure>,
) -> Result<(), super::recording::NotDurable>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let record = |response| {
        worker.recording.record(Passed { peer, head, opened, request_body: &relay.request_body, response, failure })
    };
    todo!()
}
