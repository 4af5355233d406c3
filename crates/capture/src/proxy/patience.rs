//! How long a client is waited for.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Sleep;

/// What a read or write gives, or [`io::ErrorKind::TimedOut`]. A timer is made only for what has to wait.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let (mut work, mut timer) = (pin!(work), None::<Pin<Box<Sleep>>>);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        ready!(timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    })
    .await
}

/// Writes everything to a client that takes a piece at least every so often.
pub(super) async fn write_all<C>(client: &mut C, mut bytes: &[u8], limit: Duration) -> io::Result<()>
where
    C: AsyncWrite + Unpin,
{
    while !bytes.is_empty() {
        match within(limit, client.write(bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = bytes.get(written..).unwrap_or_default(),
        }
    }
    Ok(())
}
