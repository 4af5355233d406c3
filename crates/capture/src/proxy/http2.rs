//! HTTP/2 in: each stream is carried into the HTTP/1.1 path.
//!
//! Upstreams of this kind speak HTTP/1.1, so the translation has to be made in any case; making it here, over a pipe
//! in memory, leaves one path on which calls are relayed, answered and recorded.

use super::connection;
use super::edge::Worker;
use super::recording::Peer;
use crate::http1;
use crate::local::BoxError;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Empty, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The connection preface (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes in the pipe between a stream and the HTTP/1.1 path, each way.
const PIPE_BYTES: usize = 64 << 10;
/// Frames of a request body that wait for the path.
const QUEUED_FRAMES: usize = 2;
/// How long the end of a response waits for the end of its request.
const REQUEST_END: Duration = Duration::from_secs(5);
/// Streams of one connection that may be open at once.
const MAX_STREAMS: u32 = 256;

/// Whether the client begins with the preface of HTTP/2; what was read to find out stays in `first`.
/// It has `limit` to say so.
pub(super) async fn has_preface<C>(client: &mut C, first: &mut BytesMut, idle: &AtomicBool, limit: Duration) -> bool
where
    C: AsyncRead + Unpin,
{
    let deciding = async {
        while first.len() < PREFACE.len() && PREFACE.starts_with(first) {
            if first.capacity() == first.len() {
                first.reserve(PREFACE.len());
            }
            if !matches!(client.read_buf(first).await, Ok(1..)) {
                return;
            }
            idle.store(false, Ordering::Relaxed);
        }
    };
    let _ = tokio::time::timeout(limit, deciding).await;
    first.starts_with(PREFACE)
}

/// Serves an HTTP/2 connection to its end.
pub(super) async fn serve<C>(client: C, first: Bytes, peer: Peer, worker: Arc<Worker>, idle: &AtomicBool)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let streams = Arc::new(Streams::default());
    let in_flight = Arc::clone(&streams);
    let service = hyper::service::service_fn(move |request| {
        let (peer, worker, in_flight) = (peer.clone(), Arc::clone(&worker), InFlight::new(&in_flight));
        async move {
            let response = carry(request, peer, worker, in_flight).await;
            Ok::<_, std::convert::Infallible>(response.unwrap_or_else(|error| {
                tracing::debug!(%error, "an HTTP/2 stream could not be carried");
                let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }))
        }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(connection::MAX_HEAD_BYTES as u32)
        .keep_alive_interval(Duration::from_secs(60));
    let serving = builder.serve_connection(TokioIo::new(Rewound { first, inner: client }), service);
    tokio::pin!(serving);
    loop {
        idle.store(streams.are_none(), Ordering::Relaxed);
        tokio::select! {
            served = &mut serving => {
                if let Err(error) = served {
                    tracing::debug!(%error, "an HTTP/2 connection ended early");
                }
                break;
            }
            () = streams.turned.notified() => {}
        }
    }
    // What became of the changes whose callers have gone is still to be recorded.
    while !streams.are_none() {
        streams.turned.notified().await;
    }
}

/// The requests in flight of a connection.
#[derive(Default)]
struct Streams {
    count: AtomicUsize,
    /// The first has come, or the last has gone.
    turned: Notify,
}

impl Streams {
    fn are_none(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }
}

/// A request in flight: of a stream, or of one that was reset and whose change is under way.
struct InFlight(Arc<Streams>);

impl InFlight {
    fn new(streams: &Arc<Streams>) -> InFlight {
        if streams.count.fetch_add(1, Ordering::Relaxed) == 0 {
            streams.turned.notify_one();
        }
        InFlight(Arc::clone(streams))
    }

    /// Whether there are more than a connection may have streams: some were reset while others came.
    fn is_one_too_many(&self) -> bool {
        self.0.count.load(Ordering::Relaxed) > MAX_STREAMS as usize
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.turned.notify_one();
        }
    }
}

/// Whether `:authority` and `Host` differ: two readers could see two calls (RFC 9113, section 8.3.1).
fn names_two_hosts(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(http::header::HOST).map(http::HeaderValue::as_bytes);
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    host.zip(authority).is_some_and(|(host, authority)| !host.eq_ignore_ascii_case(authority))
}

/// Sends one stream's request through the HTTP/1.1 path.
async fn carry(
    request: Request<Incoming>,
    peer: Peer,
    worker: Arc<Worker>,
    in_flight: InFlight,
) -> Result<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError> {
    let (two_hosts, one_too_many) = (names_two_hosts(&request), in_flight.is_one_too_many());
    if two_hosts || one_too_many {
        let status = if two_hosts { StatusCode::BAD_REQUEST } else { StatusCode::SERVICE_UNAVAILABLE };
        worker.recording.metrics.bad_requests.inc();
        let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
        return Ok(Response::builder().status(status).body(nothing)?);
    }
    let (ours, theirs) = pipe();
    tokio::spawn(async move {
        let idle = AtomicBool::new(false);
        connection::serve(theirs, BytesMut::new(), peer, &worker, &idle).await;
        drop(in_flight);
    });
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_headers(http1::MAX_HEADERS)
        .handshake(TokioIo::new(ours))
        .await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the pipe of an HTTP/2 stream ended early");
        }
    });
    let (mut parts, body) = request.into_parts();
    if let Some(authority) = parts.uri.authority() {
        let host = http::HeaderValue::from_str(authority.as_str())?;
        parts.headers.entry(http::header::HOST).or_insert(host);
    }
    join_cookies(&mut parts.headers);
    parts.uri = parts.uri.path_and_query().map_or("/", |target| target.as_str()).parse()?;
    parts.version = Version::HTTP_11;
    let (body, taken_in) = take_in(body);
    let response = sender.send_request(Request::from_parts(parts, body)).await?;
    let (mut parts, body) = response.into_parts();
    // Connection-specific fields have no place in HTTP/2 (RFC 9113, section 8.2.2).
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
        parts.headers.remove(name);
    }
    parts.version = Version::HTTP_2;
    // The sender must live until the body has passed.
    let body = body.map_err(BoxError::from).map_frame(move |frame| {
        let _alive = &sender;
        frame
    });
    let body = match taken_in {
        None => body.boxed_unsync(),
        Some(taken_in) => end_after(body, taken_in).boxed_unsync(),
    };
    Ok(Response::from_parts(parts, body))
}

/// One end of the pipe between a stream and the HTTP/1.1 path, that can end as a connection does: by a reset.
struct Pipe {
    end: DuplexStream,
    reset: Arc<AtomicBool>,
}

fn pipe() -> (Pipe, Pipe) {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let reset = Arc::new(AtomicBool::new(false));
    (Pipe { end: ours, reset: Arc::clone(&reset) }, Pipe { end: theirs, reset })
}

impl connection::Client for Pipe {
    /// The other end reads an error and resets the stream; without, an answer that ends with its connection would seem
    /// whole.
    fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// The pipe carries one request; behind it comes nothing but the end, when the stream was reset or its connection has
    /// gone.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0u8; 1];
        let mut read = ReadBuf::new(&mut byte);
        match Pin::new(&mut self.end).poll_read(cx, &mut read) {
            Poll::Ready(Ok(())) if !read.filled().is_empty() => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => Poll::Pending,
        }
    }

    fn ends_by_reset(&self) -> bool {
        true
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.end).poll_read(cx, buf))?;
        let ended = buf.filled().len() == before && buf.remaining() > 0;
        Poll::Ready(match ended && self.reset.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        })
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_shutdown(cx)
    }
}

/// The body of a request for the HTTP/1.1 path, and the task that reads it to its last frame. The path stops reading at
/// `Content-Length`, but the frame that ends the stream may come after.
fn take_in(mut body: Incoming) -> (UnsyncBoxBody<Bytes, BoxError>, Option<JoinHandle<()>>) {
    if body.is_end_stream() {
        return (body.map_err(BoxError::from).boxed_unsync(), None);
    }
    let (mut sender, channel) = Channel::<Bytes, BoxError>::new(QUEUED_FRAMES);
    let reading = tokio::spawn(async move {
        let mut wanted = true;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) if wanted => wanted = sender.send(frame).await.is_ok(),
                Ok(_) => {}
                Err(error) => return sender.abort(error.into()),
            }
        }
    });
    (channel.boxed_unsync(), Some(reading))
}

/// A response that ends after its request has: a stream that is answered to the end while its request is open is reset
/// (RFC 9113, section 8.1), and there are clients that take the reset for an error.
fn end_after(
    body: impl http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static,
    taken_in: JoinHandle<()>,
) -> impl http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static {
    let state = (Box::pin(body), Some(taken_in));
    StreamBody::new(futures_util::stream::unfold(state, |(mut body, mut taken_in)| async move {
        if let Some(frame) = body.frame().await {
            return Some((frame, (body, taken_in)));
        }
        if let Some(mut taken_in) = taken_in.take()
            && tokio::time::timeout(REQUEST_END, &mut taken_in).await.is_err()
        {
            taken_in.abort();
        }
        None
    }))
}

/// HTTP/2 may split `Cookie`; HTTP/1.1 may not (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut http::HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(http::header::COOKIE).iter().map(http::HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = http::HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(http::header::COOKIE, joined);
    }
}

/// A connection whose first bytes have been read already.
struct Rewound<C> {
    first: Bytes,
    inner: C,
}

impl<C: AsyncRead + Unpin> AsyncRead for Rewound<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let len = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first.split_to(len));
        Poll::Ready(Ok(()))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Rewound<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
