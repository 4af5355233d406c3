//! The durable order: [`Event`](event::Event) to [`Entry`], and the one loop in which everything that reads them runs.
//!
//! Every event is first written here, and only here: an answered call is an entry, and everything else (delivery, the
//! lake, rules) is a [`Follower`] that reads entries into its own sink and keeps its own position. So there is one place that
//! must never lose anything, and it does one thing.
//!
//! # How it is built
//!
//! * **Segment files** of frames with checksums (`docs/formats/journal-segment.md`), written at the end and never changed; a full
//!   one is never opened for writing again. Forgetting is removing files. A database was the alternative: it writes everything
//!   twice, and what we need of it is an array.
//! * **Group commit.** One thread writes and syncs ([`Durability`]); while it syncs, the next batch collects. A sync costs about
//!   70 µs of CPU time however much it covers, so under load the writer gives the crowd of the last batch up to a millisecond (a large one two) to come
//!   again ([`Options::gather`]); an append that comes alone goes to the disk at once. Space is set aside for a whole segment, and small
//!   batches write zeros ahead, so that a sync has nothing but the batch to write: that halves its time and its CPU time.
//! * **Woken by thread, not by task.** To wake a task from outside its runtime is a system call. The writer wakes one waiting task of
//!   each thread and that one wakes the others.
//! * **Bounded.** A queue that is full makes appenders wait ([`Append::is_queued`] tells those that would not); the newest entries are
//!   kept in memory up to a size; readers have one buffer each.
//! * **A failed sync is final** ([`JournalError::Poisoned`]).
//!
//! The core is synchronous; only [`Append`], [`Journal::wait_past`] and [`follow`] know futures. One file touches files (`disk.rs`),
//! behind a seam that tests let fail. Who may stop losing what: after a power cut, what was acknowledged is there; what was
//! not may be there or not, but a prefix of it, in order.

mod append;
mod core;
mod disk;
mod entry;
mod error;
mod follow;
mod follower;
mod frame;
mod journal;
mod metrics;
mod options;
mod queue;
mod reader;
mod recent;
mod recover;
mod segments;
mod status;
mod stream;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wake;
mod writer;

pub use append::{Append, Appender};
pub use entry::{Entry, Seq};
pub use error::JournalError;
pub use follow::{FollowOptions, follow};
pub use follower::{Ahead, Flush, FollowError, Follower, Reading};
pub use journal::Journal;
pub use metrics::Metrics;
pub use options::{Clock, Durability, Options, ReadLimit, RetainPolicy, Retained};
pub use reader::Reader;
pub use status::{FollowerHandle, FollowerStatus};
