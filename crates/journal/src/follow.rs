//! The one loop that every follower runs in: batches, retries, position, drain.

use crate::status::FollowerHandle;
use crate::{Entry, Flush, FollowError, Follower, Journal, JournalError, ReadLimit, Reader, Reading, Seq};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How one follower is run.
#[derive(Debug, Clone, Copy)]
pub struct FollowOptions {
    /// The largest batch. Default: 4096 entries, 4 MiB.
    pub batch: ReadLimit,
    /// After a batch that was not full, how long to let entries gather before the next. Default: 20 ms.
    pub linger: Duration,
    /// The wait after a failure; it doubles with each, and half of it is left to chance. Default: 100 ms.
    pub backoff: Duration,
    /// The longest wait between tries. Default: 30 s.
    pub max_backoff: Duration,
    /// How long the drain may take in all before it is given up; the position stands, so nothing is lost. Default: 20 s.
    pub drain: Duration,
}

impl Default for FollowOptions {
    fn default() -> FollowOptions {
        FollowOptions {
            batch: ReadLimit::default(),
            linger: Duration::from_millis(20),
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(30),
            drain: Duration::from_secs(20),
        }
    }
}

/// Runs `follower` until `shutdown` resolves, and then drains it: what was durable at that moment is handed over and the
/// follower is flushed. Returns where its status is read, and the loop itself, to be spawned on a tokio runtime; the loop
/// gives the follower back when it ends.
///
/// A call to the follower is never cancelled halfway, except when the drain has run out of time.
///
/// # Errors
/// The loop ends early with [`JournalError::Ahead`] when the follower stands past the journal's end, and with
/// [`JournalError::Damaged`] when the journal does not read back. Everything else is tried again.
pub fn follow<F: Follower>(
    journal: &Journal,
    follower: F,
    options: FollowOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> (FollowerHandle, impl Future<Output = Result<F, JournalError>> + Send + 'static) {
    let handle = journal.new_follower(follower.name());
    handle.runs_ahead(follower.ahead());
    let stop = Stop { shutdown: Box::pin(shutdown), drain: options.drain, out_of_time: None };
    let mut following = Following {
        journal: journal.clone(),
        follower,
        options,
        handle: handle.clone(),
        stop,
        reader: journal.reader(Seq(0)),
        drain_to: None,
    };
    let running = async move {
        let _guard = Unwinding(following.handle.clone());
        let ended = following.run().await;
        let Following { journal, follower, handle, .. } = following;
        match ended {
            Ok(()) => handle.ended(None),
            Err(Halt::OutOfTime) => {
                let error = "the drain ran out of time; the rest follows after the next start";
                tracing::warn!(follower = follower.name(), error);
                handle.ended(Some(error.to_string()));
            }
            Err(Halt::Journal(error)) => {
                tracing::error!(follower = follower.name(), %error, "follower stopped");
                handle.ended(Some(error.to_string()));
                return Err(error);
            }
        }
        journal.forget_follower(&handle);
        Ok(follower)
    };
    (handle, running)
}

/// Tells when the loop ends by a panic of the follower, or is dropped: health would take it for one that runs. Of a loop that
/// has told why it ended it changes nothing.
struct Unwinding(FollowerHandle);

impl Drop for Unwinding {
    fn drop(&mut self) {
        self.0.ended(std::thread::panicking().then(|| "it panicked".to_owned()));
    }
}

struct Following<F, S> {
    journal: Journal,
    follower: F,
    options: FollowOptions,
    handle: FollowerHandle,
    stop: Stop<S>,
    /// Stands where the follower stands.
    reader: Reader,
    /// Set once shutdown has come: where the drain ends.
    drain_to: Option<Seq>,
}

/// Why a loop ends before it is drained.
enum Halt {
    OutOfTime,
    Journal(JournalError),
}

/// What a follower is asked.
enum Call<'a> {
    Position,
    Follow(&'a [Entry]),
    Flush(Flush),
}

impl<F: Follower, S: Future<Output = ()> + Send> Following<F, S> {
    async fn run(&mut self) -> Result<(), Halt> {
        self.insist(Call::Position).await?;
        loop {
            self.note_shutdown();
            let before = self.reader.position();
            let is_drained = self.drain_to.is_some_and(|end| before >= end);
            let (batch, is_picked) = if is_drained { (Vec::new(), false) } else { self.next_batch().await? };
            if !batch.is_empty() {
                self.insist(Call::Follow(&batch)).await?;
            }
            if self.reader.position() != before {
                self.handle.stands_at(self.reader.position());
            }
            if self.follower.deadline().is_some_and(|deadline| deadline <= std::time::Instant::now()) {
                self.insist(Call::Flush(Flush::Deadline)).await?;
            }
            // Whoever picks may still be on the way to the end.
            let is_late = is_picked && self.drain_to.is_some_and(|end| self.reader.position() < end);
            if batch.is_empty() && self.drain_to.is_some() && !is_late {
                return self.insist(Call::Flush(Flush::Drain)).await;
            }
            if batch.is_empty() {
                self.idle(is_picked).await;
            }
            if !is_full(&batch, self.options.batch) && !self.stop.pause(self.options.linger).await && is_late {
                return Err(Halt::OutOfTime);
            }
        }
    }

    /// What the follower is handed next, and whether others picked it.
    async fn next_batch(&mut self) -> Result<(Vec<Entry>, bool), Halt> {
        match self.follower.reading() {
            Reading::Journal(end) => Ok((self.read(end).await?, false)),
            Reading::Picked(batch, to) => {
                self.reader.seek(to);
                Ok((batch, true))
            }
        }
    }

    /// Calls the follower until it succeeds or time runs out.
    async fn insist(&mut self, call: Call<'_>) -> Result<(), Halt> {
        loop {
            let answer = match &call {
                Call::Position => {
                    let told = self.stop.limit(self.follower.position()).await;
                    match told {
                        Some(Ok(position)) => Some(self.begin(position).map(Ok)?),
                        Some(Err(error)) => Some(Err(error)),
                        None => None,
                    }
                }
                Call::Follow(batch) => self.stop.limit(self.follower.follow(batch)).await,
                Call::Flush(why) => self.stop.limit(self.follower.flush(*why)).await,
            };
            match answer {
                Some(Ok(())) => {
                    self.handle.succeeded();
                    return Ok(());
                }
                Some(Err(error)) => self.failed(&error).await?,
                None => return Err(Halt::OutOfTime),
            }
        }
    }

    /// Goes to where the follower stands.
    fn begin(&mut self, position: Seq) -> Result<(), Halt> {
        let end = self.journal.end();
        if position > end {
            let follower = self.follower.name().to_string();
            return Err(Halt::Journal(JournalError::Ahead { follower, position, end }));
        }
        self.reader.seek(position);
        self.handle.stands_at(position);
        tracing::info!(follower = self.follower.name(), %position, %end, "follower starts");
        Ok(())
    }

    /// The next batch, before `end`; waits and tries again where the disk refuses, goes on where entries are gone.
    async fn read(&mut self, end: Option<Seq>) -> Result<Vec<Entry>, Halt> {
        loop {
            let mut limit = self.options.batch;
            if let Some(end) = end {
                let left = end.0.saturating_sub(self.reader.position().0);
                limit.max_entries = limit.max_entries.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
            if limit.max_entries == 0 {
                return Ok(Vec::new());
            }
            if let Some(entries) = self.reader.read_recent(limit) {
                return Ok(entries);
            }
            let mut reader = std::mem::replace(&mut self.reader, self.journal.reader(Seq(0)));
            let read = tokio::task::spawn_blocking(move || {
                let entries = reader.read(limit);
                (reader, entries)
            });
            // The task fails only when the runtime is going away.
            let (reader, entries) = read.await.map_err(|_| Halt::Journal(JournalError::Closed))?;
            self.reader = reader;
            match entries {
                Ok(entries) => return Ok(entries),
                Err(JournalError::Gone { asked, start }) => {
                    let skipped = start.0.saturating_sub(asked.0);
                    tracing::warn!(follower = self.follower.name(), %asked, %start, "entries were removed unread");
                    self.handle.skipped(skipped);
                    self.handle.stands_at(start);
                    self.reader.seek(start);
                }
                Err(error @ JournalError::Io { .. }) => self.failed(&FollowError::new(error)).await?,
                Err(error) => return Err(Halt::Journal(error)),
            }
        }
    }

    async fn failed(&mut self, error: &FollowError) -> Result<(), Halt> {
        let failures = self.handle.failed(error);
        let chance = RandomState::new().hash_one(failures);
        let wait = backoff(self.options.backoff, self.options.max_backoff, failures, chance);
        tracing::warn!(follower = self.follower.name(), %error, failures, wait_ms = wait.as_millis() as u64, "follower failed");
        if self.stop.pause(wait).await { Ok(()) } else { Err(Halt::OutOfTime) }
    }

    /// Waits for an entry (of the journal, or a picked one), the follower's deadline or shutdown.
    async fn idle(&mut self, is_picked: bool) {
        let position = self.reader.position();
        let deadline = self.follower.deadline();
        let grown = async {
            if is_picked {
                return self.follower.picked().await;
            }
            // A journal that has stopped never grows; the deadline and shutdown still count.
            if self.journal.wait_past(position).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.come() => {}
            () = grown => {}
            () = due => {}
        }
    }

    fn note_shutdown(&mut self) {
        if self.stop.out_of_time.is_some() && self.drain_to.is_none() {
            self.drain_to = Some(self.journal.end());
        }
    }
}

/// Shutdown, and the time that is left once it has come.
struct Stop<S> {
    shutdown: Pin<Box<S>>,
    drain: Duration,
    out_of_time: Option<Instant>,
}

impl<S: Future<Output = ()> + Send> Stop<S> {
    /// Waits for shutdown; returns at once when it has come.
    async fn come(&mut self) {
        if self.out_of_time.is_none() {
            self.shutdown.as_mut().await;
            self.out_of_time = Some(Instant::now() + self.drain);
        }
    }

    /// Waits for `work`; `None` when time ran out first.
    async fn limit<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        if self.out_of_time.is_none() {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.come() => {}
            }
        }
        let deadline = self.out_of_time?;
        timeout_at(deadline, work).await.ok()
    }

    /// Waits, but not past shutdown; once that has come, `false` when time has run out.
    async fn pause(&mut self, time: Duration) -> bool {
        if let Some(deadline) = self.out_of_time {
            sleep_until(deadline.min(Instant::now() + time)).await;
            return Instant::now() < deadline;
        }
        tokio::select! {
            () = sleep(time) => {}
            () = self.come() => {}
        }
        true
    }
}

/// Whether more entries are likely waiting right behind the batch.
fn is_full(batch: &[Entry], limit: ReadLimit) -> bool {
    let mut bytes = 0;
    batch.len() >= limit.max_entries
        || batch.iter().any(|entry| {
            bytes += entry.event.json().len();
            bytes >= limit.max_bytes / 2
        })
}

/// The wait after the `failures`-th failure in a row: between half and all of `first` doubled each time, at most `longest`.
fn backoff(first: Duration, longest: Duration, failures: u64, chance: u64) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    let full = first.saturating_mul(1 << doublings).min(longest);
    let half = full / 2;
    half + half.mul_f64(chance as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_double_up_to_the_longest_and_leave_half_to_chance(failures in 1u64..2000, chance: u64) {
            let (first, longest) = (Duration::from_millis(100), Duration::from_secs(30));
            let wait = backoff(first, longest, failures, chance);
            let full = longest.min(first * 2u32.pow(failures.min(12) as u32 - 1));
            prop_assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }
    }
}
