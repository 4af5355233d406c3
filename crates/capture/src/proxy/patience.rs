//! How long a client is waited for.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep};

/// How long nothing has been said, again and again on one connection.
///
/// The timer is set once and runs through the requests; where it ends it is set anew for what is then left. A timer for each
/// pause would wake the event loop through the kernel each time: a twentieth of a small call.
#[derive(Debug, Default)]
pub(super) struct Silence {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// Something was said.
    pub(super) fn broken(&mut self) {
        self.since = None;
    }

    /// Ready when nothing has been said for `limit` since the first look after [`Silence::broken`].
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let until = *self.since.get_or_insert_with(Instant::now) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        loop {
            if timer.deadline() > until {
                timer.as_mut().reset(until);
            }
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

/// How long a client may keep the house waiting, usually.
pub const CLIENT_STALL: Duration = Duration::from_secs(300);

/// How long a client may keep the house waiting, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// While it neither sends what it announced nor takes what it asked for. Generous: one that works on each piece of a
    /// stream before it reads the next is not gone. Usually [`CLIENT_STALL`].
    pub stall: Duration,
    /// From the first byte of a request's head to its last. Usually 30 seconds.
    pub head: Duration,
    /// While it says nothing between requests. Usually 5 minutes.
    pub idle: Duration,
}

impl Default for ClientLimits {
    fn default() -> ClientLimits {
        ClientLimits { stall: CLIENT_STALL, head: Duration::from_secs(30), idle: Duration::from_secs(300) }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(300);

    async fn over(silence: &mut Silence, limit: Duration) {
        std::future::poll_fn(|cx| silence.poll(cx, limit)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_by_its_limit_after_the_last_word_and_never_before() {
        let (mut silence, start) = (Silence::default(), Instant::now());
        for _ in 0..5 {
            let word = tokio::time::timeout(Duration::from_secs(200), over(&mut silence, LIMIT));
            assert!(word.await.is_err(), "words every 200 s are no silence of 300 s");
            silence.broken();
        }
        over(&mut silence, LIMIT).await;
        assert_eq!(start.elapsed().as_secs(), 5 * 200 + 300);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_limit_takes_the_place_of_a_longer_one() {
        let (mut silence, start) = (Silence::default(), Instant::now());
        assert!(tokio::time::timeout(Duration::from_secs(10), over(&mut silence, LIMIT)).await.is_err());
        silence.broken();
        over(&mut silence, Duration::from_secs(30)).await;
        assert_eq!(start.elapsed().as_secs(), 40);
    }
}
