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
pub(super) struct LentBody(Arc<Mutex<RequestBody>>);

/// The right to take it back.
pub(super) struct Loan(Arc<Mutex<RequestBody>>);

/// Lends a body.
pub(super) fn lend(body: RequestBody) -> (LentBody, Loan) {
    let shared = Arc::new(Mutex::new(body));
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
    fn lock(&self) -> MutexGuard<'_, RequestBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for LentBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut *self.lock()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
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
}
