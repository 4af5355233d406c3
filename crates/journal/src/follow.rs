//! The one loop that every reader of the journal runs in.
#![allow(unused_variables, clippy::unimplemented)]

use crate::{Entry, Journal, JournalError, ReadLimit, Seq};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What reads the journal to its own sink. It owns the sink and its position and nothing else.
///
/// Methods may be written as `async fn`.
pub trait Follower: Send + 'static {
    /// Its name in metrics, health and logs, such as `trail/management-events`.
    fn name(&self) -> &str;

    /// The first entry that it has not taken yet. Asked once, when the loop starts: from then on the loop counts on.
    fn position(&mut self) -> impl Future<Output = Result<Seq, FollowError>> + Send;

    /// Takes entries, in order and without gaps. After an error it is given the same batch again.
    fn follow(&mut self, batch: &[Entry]) -> impl Future<Output = Result<(), FollowError>> + Send;

    /// When it wants to be flushed though nothing comes; asked after every call.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Finishes what it holds back. After an error it is asked again.
    fn flush(&mut self, why: Flush) -> impl Future<Output = Result<(), FollowError>> + Send {
        async { Ok(()) }
    }
}

/// Why a follower is flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Its deadline has come.
    Deadline,
    /// The loop ends: everything durable was delivered, and this is the last call.
    Drain,
}

/// Why a follower could not take a batch. Made from any error with `?`.
pub struct FollowError(Box<dyn std::error::Error + Send + Sync>);

impl FollowError {
    /// From a text or an error.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FollowError {
        FollowError(cause.into())
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for FollowError {
    fn from(cause: E) -> FollowError {
        FollowError(Box::new(cause))
    }
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How one follower is run.
#[derive(Debug, Clone, Copy)]
pub struct FollowOptions {
    /// The largest batch.
    pub batch: ReadLimit,
    /// After a batch, how long to let entries gather before the next. Default: 20 ms.
    pub linger: Duration,
    /// The first wait after a failure; doubles, with jitter. Default: 100 ms.
    pub backoff: Duration,
    /// The longest wait between tries. Default: 30 s.
    pub max_backoff: Duration,
    /// How long draining may take in all before it gives up (nothing is lost: the position stands). Default: 20 s.
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

/// How a follower fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerStatus {
    /// Its name.
    pub name: String,
    /// The first entry that it has not taken yet; `None` until it has told its position.
    pub position: Option<Seq>,
    /// Entries between it and the end of the journal.
    pub lag: u64,
    /// What failed last, if nothing has succeeded since.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub failures: u32,
    /// When it last took a batch or was flushed, in milliseconds since the Unix epoch.
    pub last_success_ms: Option<u64>,
    /// Whether its loop still runs.
    pub running: bool,
}

/// Where health reads a follower's status; cheap to clone.
#[derive(Debug, Clone)]
pub struct FollowerHandle(Arc<()>);

impl FollowerHandle {
    /// How the follower fares now.
    pub fn status(&self) -> FollowerStatus {
        unimplemented!()
    }
}

/// Runs `follower` until `shutdown` resolves, then drains it. Returns where to read its status, and the loop, to be
/// spawned on a runtime; the loop hands the follower back when it ends.
///
/// # Errors
/// The loop ends early only with [`JournalError::Ahead`], [`JournalError::Damaged`] or an unreadable file.
pub fn follow<F: Follower>(
    journal: &Journal,
    follower: F,
    options: FollowOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> (FollowerHandle, impl Future<Output = Result<F, JournalError>> + Send + 'static) {
    let handle: FollowerHandle = unimplemented!();
    (handle, async move { unimplemented!() })
}
