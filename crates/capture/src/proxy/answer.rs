//! Answers that are made here: by a local service, or by the edge itself when nobody else can.

use super::connection::{Next, bad_request, take_in};
use super::edge::Worker;
use super::patience::{within, write_all};
use super::recording::{Answered, Passed, Peer};
use super::tee::Tee;
use crate::http1::{Framing, HeadError, RequestHead};
use crate::local::{Body, BoxError, LocalCall};
use crate::{Failure, Opened, Reason};
use aws::{Headers, Protocol};
use bytes::{Buf, Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Frames of a request body that wait for the service.
const QUEUED_FRAMES: usize = 2;
/// Room made before a read of a request body.
const READ_BYTES: usize = 64 << 10;
/// From this size on a piece of the response is written at once.
const WRITE_BYTES: usize = 64 << 10;

/// An error that the edge answers itself.
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: &'a str,
    pub(super) failure: Option<Failure>,
}

impl<'a> Refusal<'a> {
    /// Nobody answered.
    pub(super) fn unreachable(status: u16, message: &'a str) -> Refusal<'a> {
        Refusal { status, code: "ServiceUnavailable", message, failure: Some(Failure::Unreachable) }
    }

    /// The host of the request names a bucket as the store does not, which would act on the one in the path.
    pub(super) fn elsewhere() -> Refusal<'static> {
        let message = "The host names a bucket at an endpoint that is not this one (--s3-domain NAME makes NAME one)";
        Refusal { status: 404, code: "NoSuchBucket", message, failure: None }
    }
}

/// Answers one of the house's own pages: never recorded.
pub(super) async fn own<C>(
    client: &mut C,
    inbound: &mut BytesMut,
    head: &RequestHead,
    peer: &Peer,
    worker: &Worker,
) -> Next
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    serve(client, inbound, head, None, peer, worker).await
}

/// Answers a call to a service in the house, recorded like any other.
pub(super) async fn local<C>(
    client: &mut C,
    inbound: &mut BytesMut,
    head: &RequestHead,
    opened: Opened,
    peer: &Peer,
    worker: &Worker,
) -> Next
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    serve(client, inbound, head, Some(opened), peer, worker).await
}

/// Answers with an error in the protocol of the call, and records it.
pub(super) async fn refuse<C>(
    client: &mut C,
    head: &RequestHead,
    opened: &Opened,
    peer: &Peer,
    worker: &Worker,
    (request_body, request_done): (Tee, bool),
    refusal: Refusal<'_>,
) -> Next
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    let keep_alive = head.keep_alive && request_done;
    let error = protocol_error(opened, head, refusal.status, refusal.code, refusal.message, keep_alive);
    let receipt = error.view(|headers| {
        let body = crate::Captured::whole(&error.body);
        let response = Some(Answered { status: refusal.status, headers, body });
        let failure = refusal.failure;
        worker.recording.record(&Passed { peer, head, opened, request_body: &request_body, response, failure })
    });
    if worker.recording.settle(receipt).await.is_err() {
        return not_durable(client, head, opened).await;
    }
    match write_all(client, &error.wire(head), worker.client_stall).await {
        Ok(()) if keep_alive => Next::Request,
        Ok(()) => Next::Close,
        Err(_) => Next::Abort,
    }
}

/// Tells the client that its call is not answered because it could not be recorded (`fail-closed`).
pub(super) async fn not_durable<C>(client: &mut C, head: &RequestHead, opened: &Opened) -> Next
where
    C: AsyncWrite + Unpin + Send,
{
    let message = "OpenTrail could not make the record of this call durable, so it is not answered";
    let error = protocol_error(opened, head, 503, "ServiceUnavailable", message, false);
    let _ = client.write_all(&error.wire(head)).await;
    Next::Close
}

/// Runs a local service for one request.
async fn serve<C>(
    client: &mut C,
    inbound: &mut BytesMut,
    head: &RequestHead,
    opened: Option<Opened>,
    peer: &Peer,
    worker: &Worker,
) -> Next
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Some(parts) = request_parts(head) else {
        worker.recording.metrics.bad_requests.inc();
        let _ = take_in(client, inbound, head, crate::Keep::Nothing).await;
        let _ = client.write_all(bad_request(&HeadError::Malformed)).await;
        return Next::Close;
    };
    let mut request = Incoming::new(inbound, head, opened.as_ref());
    // Also before a body of no bytes: clients of before 2023 take an answer without it for the one to their next request.
    if head.expects_continue && client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
        return Next::Abort;
    }
    let (body, sender) = request.body();
    let call = LocalCall { request: http::Request::from_parts(parts, body), opened, client: peer.address };
    let mut answering = if opened.is_some() { worker.local.call(call) } else { worker.own.call(call) };
    let response = {
        let mut pumping = pin!(request.pump(client, inbound, sender, worker.client_stall));
        let mut pumped = false;
        loop {
            tokio::select! {
                biased;
                response = &mut answering => break response,
                () = &mut pumping, if !pumped => pumped = true,
            }
        }
    };
    let request_done = request.is_done() && !request.client_gone;
    let mut outgoing = Outgoing::new(response, head, opened.as_ref(), request_done);
    let failure = match outgoing.run(client, worker.client_stall).await {
        Ok(()) => request.client_gone.then_some(Failure::ClientGone),
        Err(failure) => Some(failure),
    };
    if matches!(failure, Some(Failure::ClientGone | Failure::ClientLeft)) {
        worker.recording.metrics.client_gone("gone");
    }
    if let Some(opened) = &opened {
        worker.recording.metrics.answered("local");
        if let Some(reason) = outgoing.unrecorded {
            worker.recording.unrecorded(reason);
        } else {
            let receipt = outgoing.view(|response| {
                // Who sends a body that is none is told so by the edge, whatever the service made of it.
                let response = Some(response).filter(|_| !request.is_malformed);
                worker.recording.record(&Passed { peer, head, opened, request_body: &request.tee, response, failure })
            });
            if worker.recording.settle(receipt).await.is_err() {
                return if outgoing.nothing_sent { not_durable(client, head, opened).await } else { Next::Abort };
            }
        }
    }
    if request.is_malformed && outgoing.nothing_sent {
        worker.recording.metrics.bad_requests.inc();
        let _ = client.write_all(bad_request(&HeadError::Malformed)).await;
        return Next::Close;
    }
    let pending = &outgoing.pending;
    if failure.is_some()
        || write_all(client, pending, worker.client_stall).await.is_err()
        || client.flush().await.is_err()
    {
        return Next::Abort;
    }
    if outgoing.keep_alive { Next::Request } else { Next::Close }
}

/// The request of a local call while its body comes in.
struct Incoming {
    framing: Framing,
    tee: Tee,
    client_gone: bool,
    /// What came is no body; nothing more of it is read.
    is_malformed: bool,
    /// The whole body, when it came with the head.
    at_once: Option<Bytes>,
}

impl Incoming {
    fn new(inbound: &mut BytesMut, head: &RequestHead, opened: Option<&Opened>) -> Incoming {
        inbound.advance(head.raw().len());
        let tee = Tee::new(opened.map_or(crate::Keep::Nothing, Opened::request_body));
        let mut incoming =
            Incoming { framing: head.framing, tee, client_gone: false, is_malformed: false, at_once: None };
        if let Framing::Length(length) = head.framing
            && usize::try_from(length).is_ok_and(|length| length <= inbound.len())
        {
            incoming.at_once = Some(incoming.take(inbound));
        }
        incoming
    }

    fn is_done(&self) -> bool {
        self.framing.is_done()
    }

    /// The body for the service, and where its frames are to be sent if it is still coming.
    fn body(&mut self) -> (Body, Option<Sender<Bytes, BoxError>>) {
        if self.is_done() {
            let whole = self.at_once.take().unwrap_or_default();
            return (Full::new(whole).map_err(|never| match never {}).boxed_unsync(), None);
        }
        let (sender, channel) = Channel::new(QUEUED_FRAMES);
        let body: Body = match self.framing {
            // The length is known and the service may want it.
            Framing::Length(length) => Sized { length, inner: channel }.boxed_unsync(),
            _ => channel.boxed_unsync(),
        };
        (body, Some(sender))
    }

    /// Payload among what has been read; malformed coding counts as a client that went away.
    fn take(&mut self, inbound: &mut BytesMut) -> Bytes {
        let mut payload = BytesMut::new();
        let tee = &mut self.tee;
        let fed = self.framing.feed(inbound, |bytes| {
            tee.pass(bytes);
            payload.extend_from_slice(bytes);
        });
        match fed {
            Ok(used) => inbound.advance(used),
            Err(_) => (self.client_gone, self.is_malformed) = (true, true),
        }
        payload.freeze()
    }

    /// Carries the body from the connection to the service, until it is complete or nobody wants it any more.
    async fn pump<C>(
        &mut self,
        client: &mut C,
        inbound: &mut BytesMut,
        sender: Option<Sender<Bytes, BoxError>>,
        limit: Duration,
    ) where
        C: AsyncRead + Unpin,
    {
        let Some(mut sender) = sender else { return };
        loop {
            let payload = self.take(inbound);
            if !payload.is_empty() && sender.send_data(payload).await.is_err() {
                return;
            }
            if self.is_done() {
                return;
            }
            if !self.client_gone {
                inbound.reserve(READ_BYTES);
                self.client_gone = !matches!(within(limit, client.read_buf(inbound)).await, Ok(1..));
            }
            if self.client_gone {
                sender.abort("the client stopped sending the body".into());
                return;
            }
        }
    }
}

/// A streamed body of known length.
struct Sized {
    length: u64,
    inner: Channel<Bytes, BoxError>,
}

impl http_body::Body for Sized {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        if self.length == 0 {
            // The channel must not be asked again after its end.
            return std::task::Poll::Ready(None);
        }
        let polled = std::pin::Pin::new(&mut self.inner).poll_frame(cx);
        if let std::task::Poll::Ready(Some(Ok(frame))) = &polled {
            let passed = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.length = self.length.saturating_sub(passed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.length)
    }
}

/// The answer of a local service on its way out; its last piece stays in `pending`.
struct Outgoing {
    parts: http::response::Parts,
    body: Body,
    tee: Tee,
    /// Bytes of the answer that are not written yet.
    pending: BytesMut,
    nothing_sent: bool,
    chunked: bool,
    bodyless: bool,
    keep_alive: bool,
    unrecorded: Option<Reason>,
}

impl Outgoing {
    fn new(
        response: http::Response<Body>,
        head: &RequestHead,
        opened: Option<&Opened>,
        request_done: bool,
    ) -> Outgoing {
        let (mut parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        let bodyless = head.method() == "HEAD" || status == 204 || status == 304;
        let exact = body.size_hint().exact();
        if !bodyless && let Some(length) = exact {
            parts.headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(length));
        }
        let chunked = !bodyless && exact.is_none();
        if chunked {
            parts.headers.remove(http::header::CONTENT_LENGTH);
            parts.headers.insert(http::header::TRANSFER_ENCODING, http::HeaderValue::from_static("chunked"));
        }
        let keep_alive = head.keep_alive && request_done;
        if !keep_alive {
            parts.headers.insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        if let Ok(date) = http::HeaderValue::from_str(&http_date(super::recording::now())) {
            parts.headers.entry(http::header::DATE).or_insert(date);
        }
        let keep = opened.map_or(crate::Keep::Nothing, |opened| opened.response_body(status));
        Outgoing {
            unrecorded: parts.extensions.get::<Reason>().copied(),
            tee: Tee::new(keep),
            pending: head_bytes(parts.status, &parts.headers, exact.filter(|_| !bodyless).map_or(0, room_for)),
            nothing_sent: true,
            chunked,
            bodyless,
            keep_alive,
            parts,
            body,
        }
    }

    /// Streams the body; what completes it stays in `pending`. A client may stand still for `limit`.
    async fn run<C>(&mut self, client: &mut C, limit: Duration) -> Result<(), Failure>
    where
        C: AsyncWrite + Unpin,
    {
        while !self.bodyless {
            let Some(frame) = self.body.frame().await else { break };
            let frame = frame.map_err(|error| {
                tracing::warn!(%error, "a local service stopped in the middle of its answer");
                Failure::ResetMidBody
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            self.tee.pass(&data);
            if self.pending.len() + data.len() > WRITE_BYTES {
                self.nothing_sent = false;
                write_all(client, &self.pending, limit).await.map_err(|_| Failure::ClientLeft)?;
                self.pending.clear();
            }
            if self.chunked {
                self.pending.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.pending.extend_from_slice(&data);
                self.pending.extend_from_slice(b"\r\n");
            } else {
                self.pending.extend_from_slice(&data);
            }
        }
        if self.chunked {
            self.pending.extend_from_slice(b"0\r\n\r\n");
        }
        Ok(())
    }

    fn view<T>(&self, then: impl FnOnce(Answered<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        then(Answered { status: self.parts.status.as_u16(), headers: Headers(&headers), body: self.tee.captured() })
    }
}

/// The head of a request for a local service; `None` when the `http` crate cannot hold it.
fn request_parts(head: &RequestHead) -> Option<http::request::Parts> {
    let (path, query) = head.path_and_query();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut builder = http::Request::builder().method(head.method()).uri(target);
    for (name, value) in head.headers() {
        builder = builder.header(name, value);
    }
    builder.body(()).ok().map(|request| request.into_parts().0)
}

/// The head of an answer, with room behind it for so many bytes of a body.
fn head_bytes(status: http::StatusCode, headers: &http::HeaderMap, room: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(512 + room);
    let reason = status.canonical_reason().unwrap_or("Unknown");
    out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// What of a body may be written with its head.
fn room_for(length: u64) -> usize {
    usize::try_from(length).unwrap_or(WRITE_BYTES).min(WRITE_BYTES)
}

/// `Date` as RFC 9110, section 5.6.7 wants it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(time: event::EventTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, hour, minute, second) = time.civil();
    let weekday = DAYS[time.0.div_euclid(86_400).rem_euclid(7) as usize];
    let month = MONTHS[usize::from(month - 1)];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// An error of the edge's own.
struct ProtocolError {
    status: http::StatusCode,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl ProtocolError {
    fn view<T>(&self, then: impl FnOnce(Headers<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        then(Headers(&headers))
    }

    fn wire(&self, head: &RequestHead) -> BytesMut {
        let mut out = head_bytes(self.status, &self.headers, self.body.len());
        if head.method() != "HEAD" {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

fn protocol_error(
    opened: &Opened,
    head: &RequestHead,
    status: u16,
    code: &str,
    message: &str,
    keep_alive: bool,
) -> ProtocolError {
    let request_id = uuid::Uuid::new_v4().to_string();
    let protocol = opened.protocol().unwrap_or(Protocol::RestXml);
    let is_s3 = opened.service.is_none_or(|service| service.name() == "s3");
    let path = head.path_and_query().0;
    let error = aws::error_body(protocol, is_s3, status, code, message, path, &request_id);
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(error.content_type));
    headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(error.body.len()));
    for (name, value) in &error.headers {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            headers.insert(http::HeaderName::from_static(name), value);
        }
    }
    if !keep_alive {
        headers.insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    ProtocolError { status: http::StatusCode::from_u16(status).unwrap_or_default(), headers, body: error.body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        let time = event::EventTime::parse("1994-11-06T08:49:37Z").unwrap();
        assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
