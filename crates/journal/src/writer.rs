//! The writer: the one thread that writes, syncs and turns segments over.

use crate::core::Core;
use crate::disk::SegmentFile;
use crate::frame::{SEGMENT_HEADER, SegmentHeader};
use crate::queue::Batch;
use crate::{Durability, JournalError};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// How far zeros are written ahead of small batches.
const AHEAD_BYTES: u64 = 512 << 10;

/// A batch larger than this is written as it is.
const SMALL_BYTES: usize = 128 << 10;

/// Runs until the journal is closed or a write fails. Holds the lock of the folder as long.
pub(crate) fn run(core: Arc<Core>, lock: Box<dyn Send>) {
    let guard = Unwinding(&core);
    let mut writer = Writer { core: &core, active: None };
    if let Err(error) = writer.work() {
        let cause = format!("{} of {}", error.doing, core.disk.path(error.segment).display());
        let error = JournalError::Poisoned { cause: format!("{cause}: {}", error.source).into() };
        tracing::error!(%error, "journal stopped");
        core.stop(error);
    } else {
        core.stop(JournalError::Closed);
    }
    std::mem::forget(guard);
    drop(lock);
}

struct Writer<'a> {
    core: &'a Core,
    active: Option<Active>,
}

/// The segment that grows.
struct Active {
    file: Box<dyn SegmentFile>,
    first: u64,
    len: u64,
    /// Bytes that are set aside for it.
    reserved: u64,
    /// Bytes from its start that have been written once, be it with zeros.
    touched: u64,
}

/// A step that failed.
struct Failure {
    doing: &'static str,
    segment: u64,
    source: io::Error,
}

impl Writer<'_> {
    fn work(&mut self) -> Result<(), Failure> {
        let mut batch = Batch::default();
        let mut started = Instant::now();
        while let Some(mut taken) = self.core.queue.take(batch, started) {
            started = Instant::now();
            self.write(&mut taken)?;
            self.core.publish(&mut taken, started.elapsed());
            batch = taken;
        }
        self.seal()
    }

    /// Writes one batch and makes it durable.
    ///
    /// The first write to a block makes the file system change the file's own record, which the sync then writes too: one more
    /// trip to the disk, and twice the CPU time. So a small batch that comes to blocks never written takes zeros
    /// along, and the next ones are spared that.
    fn write(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        let options = &self.core.options;
        let full = |active: &Active| active.len + batch.bytes.len() as u64 > options.segment_bytes;
        if self.active.as_ref().is_some_and(full) {
            self.seal()?;
        }
        let active = match self.active.take() {
            Some(active) => active,
            None => self.begin(batch)?,
        };
        let active = self.active.insert(active);
        let segment = active.first;
        let failed = |doing| move |source| Failure { doing, segment, source };
        let len = batch.bytes.len();
        let end = active.len + len as u64;
        if options.durability == Durability::Sync && end > active.touched && len <= SMALL_BYTES {
            let ahead = (end + AHEAD_BYTES).min(active.reserved).saturating_sub(end);
            batch.bytes.resize(len + ahead as usize, 0);
        }
        active.file.write_all_at(&batch.bytes, active.len).map_err(failed("write"))?;
        active.touched = active.touched.max(active.len + batch.bytes.len() as u64);
        batch.bytes.truncate(len);
        if options.durability == Durability::Sync {
            active.file.sync().map_err(failed("sync"))?;
        }
        active.len = end;
        Ok(())
    }

    /// Begins a segment: its header and its name are durable before the first frame is written.
    fn begin(&self, batch: &Batch) -> Result<Active, Failure> {
        let (core, first) = (self.core, batch.first);
        let failed = |source| Failure { doing: "creation", segment: first, source };
        let created_ms = batch.entries.first().map_or(0, |entry| entry.appended_ms);
        let (buffered, salt) = (core.options.durability == Durability::Buffered, core.queue.salt());
        let header = SegmentHeader { first, created_ms, buffered, salt };
        let reserve = core.options.segment_bytes.max((SEGMENT_HEADER + batch.bytes.len()) as u64);
        let file = core.disk.create(first, reserve).map_err(failed)?;
        file.write_all_at(&header.encode(), 0).map_err(failed)?;
        file.sync().map_err(failed)?;
        core.disk.sync().map_err(failed)?;
        core.segments.begin(first, created_ms, salt);
        let len = SEGMENT_HEADER as u64;
        Ok(Active { file, first, len, reserved: reserve, touched: len })
    }

    /// Ends the segment that grows: it is cut to its length and synced, and never written again.
    fn seal(&mut self) -> Result<(), Failure> {
        let Some(active) = self.active.take() else { return Ok(()) };
        let failed = |source| Failure { doing: "completion", segment: active.first, source };
        active.file.truncate(active.len).map_err(failed)?;
        active.file.sync().map_err(failed)
    }
}

/// Tells the appenders when the writer ends by a panic: they would wait forever.
struct Unwinding<'a>(&'a Core);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        self.0.stop(JournalError::Poisoned { cause: "the writer panicked".into() });
    }
}
