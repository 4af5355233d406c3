//! What a reader of the journal is.

use crate::{Entry, Seq};
use std::fmt;
use std::future::Future;
use std::time::Instant;

/// What reads the journal into its own sink. It owns the sink and its position and nothing else; the loop that feeds it is
/// [`follow`](crate::follow).
///
/// An entry is handed over at least once: a follower that is given entries again (after its own error, or after a crash
/// between its sink's commit and its saved position) must come to the same result. The methods may be written as `async fn`.
pub trait Follower: Send + 'static {
    /// Its name in metrics, health and logs, such as `trail/management-events`.
    fn name(&self) -> &str;

    /// The first entry that it wants. Asked when the loop starts, and from then on the loop counts on; it is the follower's
    /// business where that is saved.
    fn position(&mut self) -> impl Future<Output = Result<Seq, FollowError>> + Send;

    /// Takes entries: in order, without gaps, at least one. After an error the same batch comes again.
    fn follow(&mut self, batch: &[Entry]) -> impl Future<Output = Result<(), FollowError>> + Send;

    /// When it wants to be flushed even if nothing more comes. Asked after every batch and flush; a flush should move it.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Finishes what it holds back. After an error it is asked again.
    fn flush(&mut self, _why: Flush) -> impl Future<Output = Result<(), FollowError>> + Send {
        async { Ok(()) }
    }
}

/// Why a follower is flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Its deadline has come.
    Deadline,
    /// The loop ends: every durable entry was handed over, and this is the last call.
    Drain,
}

/// Why a follower could not do as asked. Made from any error with `?`; what it says is shown to operators.
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
