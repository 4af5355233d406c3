//! What the handle, the writer and the readers share.

use crate::disk::Disk;
use crate::queue::{Batch, Queue};
use crate::recent::Recent;
use crate::segments::Segments;
use crate::{JournalError, Metrics, Options, Seq};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) queue: Arc<Queue>,
    pub(crate) segments: Segments,
    pub(crate) recent: Recent,
    pub(crate) metrics: Metrics,
    /// The end, for those who wait for it.
    pub(crate) end: watch::Sender<End>,
}

/// Where the journal ends, and whether it still grows.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) seq: Seq,
    /// Why it does not.
    pub(crate) stopped: Option<JournalError>,
}

impl Core {
    /// The oldest entry there is; the end when there is none.
    pub(crate) fn start(&self) -> Seq {
        self.segments.start().unwrap_or_else(|| self.queue.end())
    }

    /// The writer's: the batch is durable. Readers see it before its appenders are told.
    pub(crate) fn publish(&self, batch: &mut Batch, took: Duration) {
        let (end, bytes) = (batch.end(), batch.bytes.len() as u64);
        self.metrics.batch(batch.entries.len(), bytes, took);
        self.segments.grow(end, bytes, batch.marks.drain(..));
        self.recent.push(std::mem::take(&mut batch.entries));
        self.queue.complete(end);
        self.end.send_modify(|shared| shared.seq = Seq(end));
    }

    /// The writer's: nothing more becomes durable.
    pub(crate) fn stop(&self, error: JournalError) {
        self.metrics.stopped(&error);
        self.queue.fail(error.clone());
        self.end.send_modify(|shared| shared.stopped = Some(error));
    }
}

impl Core {
    /// The system's refusal, with what it was about.
    pub(crate) fn io(&self, doing: &'static str, segment: u64, source: io::Error) -> JournalError {
        JournalError::Io { doing, path: self.disk.path(segment), source: Arc::new(source) }
    }

    /// Bytes that do not read back.
    pub(crate) fn damaged(&self, segment: u64, offset: u64, what: String) -> JournalError {
        JournalError::Damaged { file: self.disk.path(segment), offset, what }
    }
}
