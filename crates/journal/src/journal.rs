//! The handle (signatures published first; bodies follow).
#![allow(missing_docs, unused_variables, clippy::unimplemented)]

use crate::{Entry, JournalError, Metrics, Options, ReadLimit, RetainPolicy, Retained, Seq};
use event::Event;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Cheap to clone. The last handle that goes closes the journal.
#[derive(Debug, Clone)]
pub struct Journal(Arc<()>);

impl Journal {
    /// Opens or creates the journal in `dir`; repairs a torn tail; starts the writer thread.
    pub fn open(dir: &Path, options: Options) -> Result<Journal, JournalError> {
        unimplemented!()
    }
    pub fn appender(&self) -> Appender {
        unimplemented!()
    }
    /// The oldest entry there is (== end when empty).
    pub fn start(&self) -> Seq {
        unimplemented!()
    }
    /// One past the newest durable entry.
    pub fn end(&self) -> Seq {
        unimplemented!()
    }
    /// Blocking. Entries from `from` on (inclusive); empty at the end. `Gone` below start.
    pub fn read(&self, from: Seq, limit: ReadLimit) -> Result<Vec<Entry>, JournalError> {
        unimplemented!()
    }
    /// A cursor for sequential reading, with its own buffer.
    pub fn reader(&self, from: Seq) -> Reader {
        unimplemented!()
    }
    /// Resolves with the end as soon as the end is past `seq` (entry `seq` is durable).
    pub async fn wait_past(&self, seq: Seq) -> Result<Seq, JournalError> {
        unimplemented!()
    }
    pub fn retain(&self, policy: &RetainPolicy) -> Result<Retained, JournalError> {
        unimplemented!()
    }
    /// `Err` once poisoned or closed: for health.
    pub fn check(&self) -> Result<(), JournalError> {
        unimplemented!()
    }
    pub fn metrics(&self) -> &Metrics {
        unimplemented!()
    }
    /// Blocking: writes and syncs what is queued and stops the writer. Later appends fail with `Closed`; reads still work.
    pub fn close(&self) -> Result<(), JournalError> {
        unimplemented!()
    }
}

/// Cheap to clone; does not keep the journal open.
#[derive(Debug, Clone)]
pub struct Appender(Arc<()>);

impl Appender {
    /// Queues at once where there is room (else when polled); resolves when durable. Dropping the future does not undo a queued append.
    pub fn append(&self, event: Event) -> Append {
        unimplemented!()
    }
    /// All in one batch, in order; resolves to the last one's Seq. For no events: the Seq before the end, at once.
    pub fn append_all(&self, events: Vec<Event>) -> Append {
        unimplemented!()
    }
}

/// Resolves to the `Seq` once durable.
#[derive(Debug)]
#[must_use = "an append is acknowledged only when its future resolves"]
pub struct Append(Arc<()>);

impl Append {
    /// Whether the journal has taken the event (it becomes durable even if this future is dropped). False while the queue is full: fail-open callers drop and count.
    pub fn is_queued(&self) -> bool {
        unimplemented!()
    }
}

impl Future for Append {
    type Output = Result<Seq, JournalError>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        unimplemented!()
    }
}

/// A cursor.
#[derive(Debug)]
pub struct Reader(Arc<()>);

impl Reader {
    /// The next entries (blocking); empty at the end.
    pub fn read(&mut self, limit: ReadLimit) -> Result<Vec<Entry>, JournalError> {
        unimplemented!()
    }
    pub fn position(&self) -> Seq {
        unimplemented!()
    }
}
