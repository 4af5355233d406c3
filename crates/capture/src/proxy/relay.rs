//! Bytes both ways between one client and one upstream, for one exchange.
//!
//! What the client sent is written to the upstream as it came, and what the upstream answers is written to the client
//! as it came: heads, chunk sizes, trailers and all. The relay only follows the framing to know where each message
//! ends. When the response is complete its last bytes are *held*, and of a small one all bytes (`hold.rs`): the caller
//! lets them go once the record is durable. One task drives both directions, so that an early answer, an
//! `Expect: 100-continue` or a stream in each direction pass as they would without us.

use super::buffers;
use super::connection::Client;
use super::hold::Hold;
use super::tee::Tee;
use crate::http1::{RequestHead, ResponseHead};
use crate::{Keep, http1::Framing};
use bytes::{Buf, BytesMut};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Sleep;

/// The most bytes that wait in one direction before reading pauses.
const HIGH_WATER: usize = 256 << 10;
/// Room made before a read when the buffer is small, and when a body streams.
const READ_BYTES: usize = 16 << 10;
const STREAM_READ_BYTES: usize = 128 << 10;
/// The largest response head that is passed on.
const MAX_RESPONSE_HEAD_BYTES: usize = 256 << 10;
/// How long an upstream may take to tell what became of a change whose caller has gone.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an upstream that has answered early may take to read on before the rest of the request is given up.
const REST_TIMEOUT: Duration = Duration::from_secs(30);

/// How an exchange with an upstream ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The response is complete; its tail is held in the relay until [`Relay::release`].
    Complete,
    /// The upstream agreed to another protocol (101): the connection becomes a tunnel after [`Relay::release`].
    Upgraded,
    /// The upstream closed, failed or sent no HTTP before a response head. `untouched`: not one byte came back.
    NoAnswer { untouched: bool, error: io::Error },
    /// The upstream stopped in the middle of its response. `reset`: by an error, not by closing.
    CutShort { reset: bool },
    /// The client stopped sending its request, or stopped taking the response. `reset`: by a reset, not by closing.
    ClientGone { reset: bool },
    /// The client did neither for so long that it was given up.
    ClientStalled,
    /// The client's chunked coding cannot be followed.
    BadRequest,
}

impl Ended {
    /// Whether it was the client that ended it early.
    pub(super) fn by_client(&self) -> bool {
        matches!(self, Ended::ClientGone { .. } | Ended::ClientStalled)
    }
}

/// One exchange in flight.
pub(super) struct Relay<'c, C, U> {
    client: &'c mut C,
    upstream: &'c mut U,
    /// What the client sent: `[..accepted]` belongs to this request, `[..written]` has reached the upstream.
    inbound: &'c mut BytesMut,
    inbound_accepted: usize,
    inbound_written: usize,
    request_framing: Framing,
    pub(super) request_body: Tee,
    /// Bytes of the request were dropped from `inbound`: it cannot be sent a second time.
    consumed: bool,
    /// The upstream takes no more of the request (it answered early and closed its side).
    upstream_deaf: bool,
    /// What the upstream sent: `[..accepted]` belongs to this response, `[..written]` has reached the client.
    outbound: BytesMut,
    outbound_accepted: usize,
    outbound_written: usize,
    /// Where the next response head begins, before a final one has been read.
    head_at: usize,
    any_answer: bool,
    /// Something of the answer has reached the client, of its final head or its body.
    answering: bool,
    /// Whether a beginning of the answer may wait for the record, and what of it does (`fail-closed`).
    pub(super) holding: bool,
    hold: Hold,
    to_head: bool,
    pub(super) response: Option<ResponseHead>,
    response_framing: Framing,
    pub(super) response_body: Tee,
    keep_response: &'c (dyn Fn(u16) -> Keep + Send + Sync),
    /// Whether the call changes something: then it counts what became of it, also when nobody listens any more.
    pub(super) awaits_outcome: bool,
    /// Whether all of the answer came to a client that had gone.
    outcome_is_whole: bool,
    /// A client that neither sends what it announced nor takes what it asked for is given up after this.
    pub(super) client_stall: Duration,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<'c, C, U> Relay<'c, C, U>
where
    C: Client,
    U: AsyncRead + AsyncWrite + Unpin,
{
    /// A relay for the request whose head stands at the beginning of `inbound`. `keep_response` tells by the status
    /// how much of the response's body the recorder needs.
    pub(super) fn new(
        client: &'c mut C,
        upstream: &'c mut U,
        inbound: &'c mut BytesMut,
        head: &RequestHead,
        keep_request: Keep,
        keep_response: &'c (dyn Fn(u16) -> Keep + Send + Sync),
    ) -> Relay<'c, C, U> {
        Relay {
            client,
            upstream,
            inbound,
            inbound_accepted: head.raw().len(),
            inbound_written: 0,
            request_framing: head.framing,
            request_body: Tee::new(keep_request),
            consumed: false,
            upstream_deaf: false,
            outbound: buffers::take(),
            outbound_accepted: 0,
            outbound_written: 0,
            head_at: 0,
            any_answer: false,
            answering: false,
            holding: false,
            hold: Hold::End,
            to_head: head.method() == "HEAD",
            response: None,
            response_framing: Framing::Done,
            response_body: Tee::default(),
            keep_response,
            awaits_outcome: false,
            outcome_is_whole: false,
            client_stall: super::patience::CLIENT_STALL,
            stall: None,
        }
    }

    /// Runs the exchange until its response is complete, or cannot be.
    pub(super) async fn run(&mut self) -> Ended {
        if self.accept_request().is_err() {
            return Ended::BadRequest;
        }
        let ended = std::future::poll_fn(|cx| self.poll(cx)).await;
        let is_open = self.response.is_none() && self.request_done() && !self.upstream_deaf;
        if matches!(ended, Ended::ClientGone { .. }) && self.awaits_outcome && is_open {
            // Otherwise whoever makes a change and hangs up had it recorded as one that failed.
            let outcome = std::future::poll_fn(|cx| self.poll_outcome(cx));
            self.outcome_is_whole = tokio::time::timeout(OUTCOME_TIMEOUT, outcome).await.unwrap_or(false);
        }
        ended
    }

    /// Takes in the answer for the record alone, as much of it as may wait; whether that is all.
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if self.response.is_some() && self.outbound.len() >= HIGH_WATER {
                return Poll::Ready(false);
            }
            if let Err(ended) = ready!(self.poll_receive_response(cx)) {
                return Poll::Ready(matches!(ended, Ended::Complete));
            }
        }
    }

    /// Whether the answer is known whole, though the client had gone.
    pub(super) fn outcome_is_whole(&self) -> bool {
        self.outcome_is_whole
    }

    /// Writes what is held, after the record is durable.
    pub(super) async fn release(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            while self.outbound_written < self.outbound_accepted {
                let held = &self.outbound[self.outbound_written..self.outbound_accepted];
                match Pin::new(&mut *self.client).poll_write(cx, held) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(written)) => {
                        (self.outbound_written, self.stall) = (self.outbound_written + written, None)
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        ready!(self.poll_stall(cx));
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                }
            }
            Pin::new(&mut *self.client).poll_flush(cx)
        })
        .await
    }

    /// Carries what is left of a request that was answered early, for an upstream that reads on to keep its connection;
    /// whether all of it has passed. A client that was told not to send the body (`Expect: 100-continue`) may or may not
    /// send it now (RFC 9110, section 10.1.1): that connection is not worth a guess.
    pub(super) async fn finish_request(&mut self, head: &RequestHead) -> bool {
        let told_not_to = head.expects_continue && !self.request_done() && self.request_body.captured().total == 0;
        if self.request_done() || told_not_to {
            return self.request_done();
        }
        let rest = std::future::poll_fn(|cx| {
            loop {
                let sent = self.poll_send_request(cx)? == Poll::Ready(true);
                if self.request_done() {
                    return Poll::Ready(Ok(()));
                }
                let received = self.poll_receive_request(cx).map_err(|_| io::ErrorKind::BrokenPipe)?.is_ready();
                if !sent && !received {
                    return Poll::Pending;
                }
            }
        });
        let done: Result<io::Result<()>, _> = tokio::time::timeout(REST_TIMEOUT, rest).await;
        matches!(done, Ok(Ok(())))
    }

    /// Whether the client has not seen a byte of the answer.
    pub(super) fn nothing_sent(&self) -> bool {
        !self.answering
    }

    /// Whether the request can be sent again on another connection: nothing of it has been forgotten.
    pub(super) fn replayable(&self) -> bool {
        !self.consumed && self.request_framing.is_done()
    }

    /// Whether anything of the request has gone to the upstream.
    pub(super) fn request_begun(&self) -> bool {
        self.consumed || self.inbound_written > 0
    }

    /// Whether the client has said its whole request.
    pub(super) fn request_read(&self) -> bool {
        self.request_framing.is_done()
    }

    /// Whether the whole request has passed.
    pub(super) fn request_done(&self) -> bool {
        self.request_framing.is_done() && (self.inbound_written == self.inbound_accepted)
    }

    /// Whether the upstream connection can carry another exchange.
    pub(super) fn upstream_reusable(&self) -> bool {
        self.request_done()
            && !self.upstream_deaf
            && self.outbound.len() == self.outbound_accepted
            && self.response.as_ref().is_some_and(|response| response.keep_alive)
    }

    /// Leaves the request in the client's buffer, to be sent again on another connection.
    pub(super) fn rewind(mut self) {
        self.inbound_accepted = 0;
    }

    /// Bytes that the upstream sent after switching protocols, and that the client has not got.
    pub(super) fn tunnel_remainder(&mut self) -> BytesMut {
        self.outbound.split_off(self.outbound_accepted)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            let mut progress = false;
            match self.poll_send_request(cx) {
                Poll::Ready(Ok(moved)) => progress |= moved,
                // An upstream may answer early and close its ear; what it said still counts.
                Poll::Ready(Err(_)) => (self.upstream_deaf, progress) = (true, true),
                Poll::Pending => {}
            }
            match self.poll_receive_request(cx) {
                Poll::Ready(Ok(moved)) => progress |= moved,
                Poll::Ready(Err(ended)) => return Poll::Ready(ended),
                Poll::Pending => {}
            }
            match self.poll_send_response(cx) {
                Poll::Ready(Ok(moved)) => progress |= moved,
                Poll::Ready(Err(error)) => return Poll::Ready(client_gone(&error)),
                Poll::Pending => {}
            }
            match self.poll_receive_response(cx) {
                Poll::Ready(Ok(moved)) => progress |= moved,
                Poll::Ready(Err(ended)) => return Poll::Ready(ended),
                Poll::Pending => {}
            }
            if !progress {
                // Nobody reads from a client that has said its request: it may have gone while the upstream thinks.
                if self.request_read() && self.client.poll_gone(cx).is_ready() {
                    return Poll::Ready(Ended::ClientGone { reset: true });
                }
                if self.hold.poll_over(cx).is_ready() {
                    continue;
                }
                return self.poll_stall(cx);
            }
            self.stall = None;
        }
    }

    /// Follows the framing of what has been read from the client.
    fn accept_request(&mut self) -> Result<(), Ended> {
        let body = &mut self.request_body;
        let fresh = &self.inbound[self.inbound_accepted..];
        let taken = self.request_framing.feed(fresh, |payload| body.pass(payload)).map_err(|_| Ended::BadRequest)?;
        self.inbound_accepted += taken;
        Ok(())
    }

    fn poll_send_request(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut moved = false;
        while self.inbound_written < self.inbound_accepted {
            if self.upstream_deaf {
                self.inbound_written = self.inbound_accepted;
                moved = true;
                break;
            }
            let waiting = &self.inbound[self.inbound_written..self.inbound_accepted];
            match Pin::new(&mut *self.upstream).poll_write(cx, waiting) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.inbound_written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return if moved { Poll::Ready(Ok(true)) } else { Poll::Pending },
            }
            moved = true;
        }
        if moved {
            // TLS buffers; on a plain socket this does nothing.
            let _ = Pin::new(&mut *self.upstream).poll_flush(cx)?;
        }
        if self.inbound_written == self.inbound_accepted && !self.request_framing.is_done() && self.inbound_written > 0
        {
            self.inbound.advance(self.inbound_written);
            (self.inbound_written, self.inbound_accepted, self.consumed) = (0, 0, true);
        }
        Poll::Ready(Ok(moved))
    }

    fn poll_receive_request(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Ended>> {
        if self.request_framing.is_done() || self.inbound.len() >= HIGH_WATER {
            return Poll::Pending;
        }
        let room = if matches!(self.request_framing, Framing::Length(left) if left < READ_BYTES as u64) {
            READ_BYTES
        } else {
            STREAM_READ_BYTES
        };
        self.inbound.reserve(room);
        match ready!(pin!(self.client.read_buf(self.inbound)).poll(cx)) {
            Ok(0) => Poll::Ready(Err(Ended::ClientGone { reset: self.client.ends_by_reset() })),
            Err(error) => Poll::Ready(Err(client_gone(&error))),
            Ok(_) => Poll::Ready(self.accept_request().map(|()| true)),
        }
    }

    /// Writes what may go: everything accepted, except what completes the response, and what is held.
    fn poll_send_response(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.is_held() {
            return Poll::Pending;
        }
        let mut moved = false;
        while self.outbound_written < self.outbound_accepted {
            let waiting = &self.outbound[self.outbound_written..self.outbound_accepted];
            match Pin::new(&mut *self.client).poll_write(cx, waiting) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.outbound_written += written;
                    if self.response.is_some() {
                        (self.answering, self.hold) = (true, Hold::End);
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return if moved { Poll::Ready(Ok(true)) } else { Poll::Pending },
            }
            moved = true;
        }
        if moved {
            let _ = Pin::new(&mut *self.client).poll_flush(cx)?;
        }
        if self.outbound_written > 0 && self.outbound_written == self.outbound_accepted {
            self.outbound.advance(self.outbound_written);
            self.head_at -= self.outbound_written.min(self.head_at);
            (self.outbound_written, self.outbound_accepted) = (0, 0);
        }
        Poll::Ready(Ok(moved))
    }

    fn poll_receive_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Ended>> {
        if self.outbound.len() - self.outbound_written >= HIGH_WATER {
            return Poll::Pending;
        }
        let room = match (&self.response, self.response_framing) {
            (None, _) => READ_BYTES,
            // The end of a small answer: it has the room that its head left.
            (Some(_), Framing::Length(left)) if left < READ_BYTES as u64 => left as usize,
            (Some(_), _) => STREAM_READ_BYTES,
        };
        self.outbound.reserve(room);
        match ready!(pin!(self.upstream.read_buf(&mut self.outbound)).poll(cx)) {
            Ok(0) => Poll::Ready(Err(self.upstream_closed())),
            Err(error) => Poll::Ready(Err(match self.response {
                Some(_) => Ended::CutShort { reset: true },
                None => Ended::NoAnswer { untouched: !self.any_answer, error },
            })),
            Ok(_) => {
                self.any_answer = true;
                match self.accept_response() {
                    Some(ended) => Poll::Ready(Err(ended)),
                    None => Poll::Ready(Ok(true)),
                }
            }
        }
    }

    fn upstream_closed(&self) -> Ended {
        match (&self.response, self.response_framing) {
            (Some(_), Framing::UntilClose) => Ended::Complete,
            (Some(_), _) => Ended::CutShort { reset: false },
            (None, _) => {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the upstream closed without an answer");
                Ended::NoAnswer { untouched: !self.any_answer, error }
            }
        }
    }

    /// Follows the framing of what has been read from the upstream; `Some` when the exchange has ended.
    fn accept_response(&mut self) -> Option<Ended> {
        while self.response.is_none() {
            let unread = &self.outbound[self.head_at..];
            match ResponseHead::parse(unread, self.to_head) {
                Ok(None) if unread.len() < MAX_RESPONSE_HEAD_BYTES => return None,
                Ok(Some(head)) => {
                    self.head_at += head.len();
                    self.outbound_accepted = self.head_at;
                    if head.status >= 200 || head.status == 101 {
                        self.response_framing = head.framing;
                        if self.holding {
                            self.hold = Hold::of(&head, self.head_at, !self.request_framing.is_done());
                        }
                        self.response_body = Tee::new((self.keep_response)(head.status));
                        self.response = Some(head);
                    }
                }
                Ok(None) | Err(_) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, "the upstream's answer is not HTTP");
                    return Some(Ended::NoAnswer { untouched: false, error });
                }
            }
        }
        if self.response.as_ref().is_some_and(|response| response.status == 101) {
            return Some(Ended::Upgraded);
        }
        let body = &mut self.response_body;
        match self.response_framing.feed(&self.outbound[self.outbound_accepted..], |payload| body.pass(payload)) {
            Ok(taken) => self.outbound_accepted += taken,
            Err(_) => return Some(Ended::CutShort { reset: true }),
        }
        self.response_framing.is_done().then_some(Ended::Complete)
    }

    /// Whether what has been read of the answer waits for its record. Nothing of it has been written then.
    fn is_held(&self) -> bool {
        self.hold.holds(self.outbound.len())
    }

    /// Nothing moves: if it is the client that keeps us waiting, it has a limited time.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        // What has been read and waits to be written is the upstream's to take.
        let to_be_sent = !self.request_framing.is_done() && self.inbound_written == self.inbound_accepted;
        let to_be_taken = self.outbound_written < self.outbound_accepted && !self.is_held();
        if !to_be_sent && !to_be_taken {
            return Poll::Pending;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.client_stall)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Ended::ClientStalled)
    }
}

fn client_gone(error: &io::Error) -> Ended {
    Ended::ClientGone { reset: error.kind() == io::ErrorKind::ConnectionReset }
}

impl<C, U> Drop for Relay<'_, C, U> {
    /// What is left in `inbound` is the beginning of the next request.
    fn drop(&mut self) {
        self.inbound.advance(self.inbound_accepted.min(self.inbound.len()));
        buffers::give(&mut self.outbound);
    }
}
