//! A body that can be taken back: what an early error left unread is read off, so that the client gets to see the
//! answer and can go on using its connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use super::{BoxError, RequestBody};

/// Most bytes that are read off; a longer rest costs more than a new connection.
const REST_MAX: usize = 1024 * 1024;
/// Longest that a client may take to send them.
const REST_TIME: Duration = Duration::from_secs(2);

/// The body that is lent out.
pub(super) struct LentBody(Arc<Mutex<Lent>>);

/// The right to take it back.
pub(super) struct Loan(Arc<Mutex<Lent>>);

/// What is shared. A body that has ended is never asked again: bodies may panic then.
struct Lent {
    body: RequestBody,
    ended: bool,
}

/// Lends a body.
pub(super) fn lend(body: RequestBody) -> (LentBody, Loan) {
    let shared = Arc::new(Mutex::new(Lent { body, ended: false }));
    (LentBody(shared.clone()), Loan(shared))
}

impl Loan {
    /// Reads off what is left of the body, if that is little and comes soon.
    pub(super) async fn read_off(self) {
        let mut rest = LentBody(self.0);
        let read = async {
            let mut bytes = 0;
            while let Some(Ok(frame)) = rest.frame().await {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                if bytes > REST_MAX {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(REST_TIME, read).await; // too slow: the connection is closed
    }
}

impl LentBody {
    fn lock(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for LentBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut lent = self.lock();
        if lent.ended {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut lent.body).poll_frame(cx);
        lent.ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        let lent = self.lock();
        lent.ended || lent.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[tokio::test]
    async fn what_was_not_read_is_read_off() {
        let body = Full::new(Bytes::from_static(b"unread")).map_err(|never| match never {}).boxed_unsync();
        let (lent, loan) = lend(body);
        let watched = LentBody(lent.0.clone());
        drop(lent);
        assert!(!watched.is_end_stream());
        loan.read_off().await;
        assert!(watched.is_end_stream());
    }

    #[tokio::test]
    async fn a_body_that_was_read_to_its_end_is_not_asked_again() {
        let (mut sender, body) = http_body_util::channel::Channel::<Bytes, BoxError>::new(1);
        sender.send_data(Bytes::from_static(b"read")).await.unwrap();
        drop(sender);
        let (mut lent, loan) = lend(body.boxed_unsync());
        while let Some(frame) = lent.frame().await {
            frame.unwrap();
        }
        assert!(lent.frame().await.is_none());
        loan.read_off().await; // a channel panics when it is polled after its end
    }
}
