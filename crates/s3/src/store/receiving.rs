//! Taking in a body: hashed and written in big steps on blocking threads, so that neither the async threads nor, for
//! a slow client, a blocking thread waits.

use std::fs::File;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::task::JoinHandle;

use super::{Store, blocking};
use crate::blobs::{Blobs, Incoming};
use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::content::{Content, INLINE_MAX, Segment};
use crate::error::{Result, StoreError};

/// Bytes gathered before they are hashed and written in one step. Two such steps are in memory at most.
const STEP: usize = 1024 * 1024;
/// Bytes after which the disk is told to begin, so that the last sync of a huge object finds little left to do. Smaller
/// steps make the writes wait for the disk: 32 MiB halved the throughput of a 1 GiB PUT.
const FLUSH_EVERY: u64 = 256 * 1024 * 1024;

/// A body that has arrived, is on the disk, and belongs to no object yet. Dropping it removes it.
pub struct Received {
    pub(crate) content: Arrived,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Option<Checksum>,
}

pub(crate) enum Arrived {
    Inline(Bytes),
    Blob(Incoming),
}

impl Received {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The MD5 of the bytes.
    pub fn md5(&self) -> [u8; 16] {
        self.md5
    }

    /// The additional checksum that was asked for.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// The ETag of an object or part of these bytes, without quotes.
    pub fn etag(&self) -> String {
        hex::encode(self.md5)
    }
}

impl Arrived {
    pub(crate) fn content(&self, size: u64) -> Content {
        match self {
            Arrived::Inline(bytes) => Content::Inline(bytes.clone()),
            Arrived::Blob(blob) => Content::Segments(vec![Segment { blob: blob.id, offset: 0, length: size }]),
        }
    }
}

impl Store {
    /// Takes in the body of an object and syncs it to the disk. Memory stays flat whatever its size.
    ///
    /// # Errors
    /// [`StoreError::IncompleteBody`] if the stream fails; those of the disk.
    pub async fn receive<E>(
        &self,
        body: impl Stream<Item = std::result::Result<Bytes, E>>,
        checksum: Option<Algorithm>,
    ) -> Result<Received>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.take_in(body, checksum, INLINE_MAX).await
    }

    /// As [`Store::receive`], for a part: always in a blob, so that completing an upload moves no bytes.
    pub async fn receive_part<E>(
        &self,
        body: impl Stream<Item = std::result::Result<Bytes, E>>,
        checksum: Option<Algorithm>,
    ) -> Result<Received>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.take_in(body, checksum, 0).await
    }

    async fn take_in<E>(
        &self,
        body: impl Stream<Item = std::result::Result<Bytes, E>>,
        checksum: Option<Algorithm>,
        inline_max: usize,
    ) -> Result<Received>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = pin!(body);
        let mut sink = Sink::Idle(Box::new(Writing::new(checksum)));
        let mut step = Step::default();
        while let Some(chunk) = body.next().await {
            step.push(chunk.map_err(|e| StoreError::IncompleteBody(Some(e.into())))?);
            if step.bytes >= STEP {
                let blobs = self.inner.blobs.clone();
                sink = sink.idle().await?.begin(blobs, std::mem::take(&mut step));
            }
        }
        match sink {
            Sink::Idle(writing) if step.bytes <= inline_max => Ok(writing.inline(step)),
            sink => {
                let blobs = self.inner.blobs.clone();
                sink.idle().await?.begin(blobs, step).idle().await?.finish().await
            }
        }
    }
}

/// Chunks as they arrived.
#[derive(Default)]
struct Step {
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl Step {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        self.chunks.push(chunk);
    }
}

/// Hashes and writes one step while the next one is gathered.
enum Sink {
    Idle(Box<Writing>),
    Busy(JoinHandle<Result<Box<Writing>>>),
}

impl Sink {
    async fn idle(self) -> Result<Box<Writing>> {
        match self {
            Sink::Idle(writing) => Ok(writing),
            Sink::Busy(step) => step.await.map_err(|_| StoreError::Closed)?,
        }
    }
}

struct Writing {
    hasher: Hasher,
    file: Option<(File, Incoming)>,
    size: u64,
    flushed: u64,
    flush: Option<JoinHandle<()>>,
    /// The kernel reports a failed flush once only: whoever sees it writes it down here.
    failed: Arc<OnceLock<io::Error>>,
}

impl Writing {
    fn new(checksum: Option<Algorithm>) -> Writing {
        let hasher = Hasher::new(checksum);
        Writing { hasher, file: None, size: 0, flushed: 0, flush: None, failed: Arc::default() }
    }

    fn begin(mut self: Box<Self>, blobs: Arc<Blobs>, step: Step) -> Sink {
        Sink::Busy(tokio::task::spawn_blocking(move || {
            self.write(&blobs, &step)?;
            Ok(self)
        }))
    }

    fn write(&mut self, blobs: &Arc<Blobs>, step: &Step) -> Result<()> {
        let (file, _) = match &mut self.file {
            Some(file) => file,
            none => none.insert(blobs.create()?),
        };
        for chunk in &step.chunks {
            self.hasher.update(chunk);
            file.write_all(chunk).map_err(StoreError::io("write a blob"))?;
            self.size += chunk.len() as u64;
        }
        let at_rest = self.flush.as_ref().is_none_or(JoinHandle::is_finished);
        if self.size - self.flushed >= FLUSH_EVERY && at_rest {
            let file = file.try_clone().map_err(StoreError::io("flush a blob"))?;
            let failed = self.failed.clone();
            self.flushed = self.size;
            self.flush = Some(tokio::task::spawn_blocking(move || {
                if let Err(error) = file.sync_data() {
                    let _ = failed.set(error); // the first one counts
                }
            }));
        }
        Ok(())
    }

    fn inline(mut self, step: Step) -> Received {
        let mut bytes = BytesMut::with_capacity(step.bytes);
        for chunk in &step.chunks {
            self.hasher.update(chunk);
            bytes.extend_from_slice(chunk);
        }
        let (md5, checksum) = self.hasher.finish();
        Received { content: Arrived::Inline(bytes.freeze()), size: step.bytes as u64, md5, checksum }
    }

    async fn finish(mut self) -> Result<Received> {
        if let Some(flush) = self.flush.take() {
            flush.await.map_err(|_| StoreError::Closed)?;
        }
        blocking(move || {
            let Some((file, incoming)) = self.file else { return Err(StoreError::Closed) };
            let synced = file.sync_data();
            let synced = Arc::into_inner(self.failed).and_then(OnceLock::into_inner).map_or(synced, Err);
            synced.map_err(StoreError::io("sync a blob"))?;
            let (md5, checksum) = self.hasher.finish();
            Ok(Received { content: Arrived::Blob(incoming), size: self.size, md5, checksum })
        })
        .await
    }
}
