//! What a reader of the journal is.

use crate::{Entry, Seq};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
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

    /// Where its next entries come from. Asked before each batch; most followers read the journal.
    fn reading(&mut self) -> Reading {
        Reading::Journal(None)
    }

    /// Resolves when there is something new to be had by [`Follower::reading`], for a follower whose entries are picked.
    fn picked(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Tells from anywhere how far a follower whose entries are picked has come without being asked; `None` where it
    /// stands where its last batch ended.
    fn ahead(&self) -> Option<Ahead> {
        None
    }

    /// Takes entries: in order, at least one, and of the journal without gaps. After an error the same batch comes again.
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

/// Where the next entries of a follower come from.
#[derive(Debug)]
pub enum Reading {
    /// From the journal, where the follower stands; up to, but without, the entry that is given.
    Journal(Option<Seq>),
    /// From somebody who has read the journal for several followers: these, of all up to the given place.
    Picked(Vec<Entry>, Seq),
}

/// How far a follower has come of which nothing was wanted; `None` where that is not known.
pub type Ahead = Arc<dyn Fn() -> Option<Seq> + Send + Sync>;

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
