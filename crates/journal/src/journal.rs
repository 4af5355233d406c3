//! The handle: opening, reading, waiting, forgetting, closing.

use crate::core::{Core, End};
use crate::disk::{Disk, Folder};
use crate::frame::{SEGMENT_HEADER, SegmentHeader};
use crate::queue::Queue;
use crate::recent::Recent;
use crate::recover::{self, Fault};
use crate::segments::{Marks, Segment, Segments};
use crate::status::{FollowerHandle, Followers};
use crate::{
    Appender, Entry, FollowerStatus, JournalError, Metrics, Options, ReadLimit, Reader, RetainPolicy, Retained, Seq,
};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// The one ordered log of all events. Cheap to clone; when the last clone goes, the journal is closed, which waits for the
/// disk: in a server call [`close`](Journal::close) where that may block.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    followers: Followers,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal in the folder `dir`, which is created where it is missing, and starts its writer thread. The newest
    /// segment is read to its end and a torn tail is cut off; older segments are not read. Blocks on the disk.
    ///
    /// # Errors
    /// [`JournalError::Locked`] when another process has it open, [`JournalError::Damaged`] and [`JournalError::Version`]
    /// when it does not read back, [`JournalError::Io`] when the system refuses.
    pub fn open(dir: &Path, options: Options) -> Result<Journal, JournalError> {
        let io = |source| JournalError::Io { doing: "open", path: dir.to_owned(), source: Arc::new(source) };
        let folder = Folder::open(dir).map_err(io)?;
        Journal::on(Box::new(folder), dir, options)
    }

    /// The same on any disk.
    pub(crate) fn on(disk: Box<dyn Disk>, dir: &Path, options: Options) -> Result<Journal, JournalError> {
        let io = |source| JournalError::Io { doing: "open", path: dir.to_owned(), source: Arc::new(source) };
        let lock = disk.lock().map_err(io)?.ok_or_else(|| JournalError::Locked(dir.to_owned()))?;
        let found = Found::on(disk.as_ref(), options.begin_at)?;
        tracing::info!(dir = %dir.display(), segments = found.segments.len(), end = found.next, "journal opened");

        let followers = Followers::default();
        let (capacity, clock) = (options.queue_bytes, options.clock.clone());
        let core = Arc::new(Core {
            queue: Arc::new(Queue::new(
                found.next,
                found.last_ms,
                capacity,
                (options.gather, options.patient),
                clock,
                options.salt,
            )),
            segments: Segments::new(SEGMENT_HEADER as u64, found.segments),
            recent: Recent::new(options.recent_bytes),
            metrics: Metrics::new(followers.clone()),
            end: watch::Sender::new(End { seq: Seq(found.next), stopped: None }),
            disk,
            options,
        });
        let writer = std::thread::Builder::new().name("journal".into()).spawn({
            let core = core.clone();
            move || crate::writer::run(core, lock)
        });
        let writer = Mutex::new(Some(writer.map_err(io)?));
        Ok(Journal(Arc::new(Inner { core, followers, writer })))
    }

    /// Where events are appended.
    pub fn appender(&self) -> Appender {
        Appender::new(self.0.core.queue.clone())
    }

    /// The oldest entry there is; the same as [`end`](Journal::end) when there is none.
    pub fn start(&self) -> Seq {
        self.0.core.start()
    }

    /// One past the newest durable entry.
    pub fn end(&self) -> Seq {
        self.0.core.queue.end()
    }

    /// Entries from `from` on, within the limit; none at the end. May block on the disk.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read(&self, from: Seq, limit: ReadLimit) -> Result<Vec<Entry>, JournalError> {
        self.reader(from).read(limit)
    }

    /// A cursor that stands at `from`, for reading on and on.
    pub fn reader(&self, from: Seq) -> Reader {
        Reader::new(self.0.core.clone(), from)
    }

    /// Waits until entry `seq` is durable; returns the end, which is past it.
    ///
    /// # Errors
    /// Why the journal stopped, when it stopped before.
    pub async fn wait_past(&self, seq: Seq) -> Result<Seq, JournalError> {
        let mut end = self.0.core.end.subscribe();
        // The sender lives as long as this handle.
        let end = end.wait_for(|end| end.seq > seq || end.stopped.is_some()).await.map_err(|_| JournalError::Closed)?;
        match &end.stopped {
            Some(error) if end.seq <= seq => Err(error.clone()),
            _ => Ok(end.seq),
        }
    }

    /// Forgets what the policy allows: removes whole segment files, oldest first. Blocks on the disk.
    ///
    /// # Errors
    /// [`JournalError::Io`] when a file cannot be removed (it is forgotten anyway, and comes back with the next start), and
    /// why the journal stopped, when it did.
    pub fn retain(&self, policy: &RetainPolicy) -> Result<Retained, JournalError> {
        let core = &self.0.core;
        self.check()?;
        let gone = core.segments.forget(policy);
        let mut retained = Retained::default();
        for segment in &gone {
            core.disk.remove(segment.first).map_err(|source| core.io("remove", segment.first, source))?;
            retained.segments += 1;
            retained.bytes += segment.len;
            retained.entries += segment.end - segment.first;
        }
        if let Some(last) = gone.last() {
            core.disk.sync().map_err(|source| core.io("remove", last.first, source))?;
            tracing::info!(segments = retained.segments, bytes = retained.bytes, start = %self.start(), "journal retained");
        }
        Ok(retained)
    }

    /// Why no append is taken any more, for health.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`] or [`JournalError::Closed`].
    pub fn check(&self) -> Result<(), JournalError> {
        self.0.core.queue.check()
    }

    /// The metrics, to be registered.
    pub fn metrics(&self) -> &Metrics {
        &self.0.core.metrics
    }

    /// How the followers fare, for health: those that run, and those that an error has ended.
    pub fn followers(&self) -> Vec<FollowerStatus> {
        self.0.followers.status()
    }

    /// Takes no more appends, makes what is queued durable, ends the writer and lets another process open the journal.
    /// Reading goes on. Blocks on the disk; closing twice is fine.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`] when something that was queued did not become durable.
    pub fn close(&self) -> Result<(), JournalError> {
        self.0.close()
    }

    pub(crate) fn new_follower(&self, name: &str) -> FollowerHandle {
        let handle = FollowerHandle::new(self.0.core.queue.clone(), name);
        self.0.followers.add(handle.clone());
        handle
    }

    pub(crate) fn forget_follower(&self, handle: &FollowerHandle) {
        self.0.followers.remove(handle);
    }
}

impl Inner {
    fn close(&self) -> Result<(), JournalError> {
        self.core.queue.close();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            // A panic in it has been told through the queue.
            drop(writer.join());
        }
        match self.core.queue.check() {
            Ok(()) | Err(JournalError::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "journal closed");
        }
    }
}

/// What is on the disk.
struct Found {
    segments: Vec<Segment>,
    /// The place of the next entry.
    next: u64,
    last_ms: u64,
}

impl Found {
    /// Reads all headers and the newest segment, and repairs its tail. After this, every segment is complete and synced,
    /// and the next append begins a new one.
    fn on(disk: &dyn Disk, begin_at: Seq) -> Result<Found, JournalError> {
        let list = |source| JournalError::Io { doing: "list", path: disk.path(0), source: Arc::new(source) };
        let firsts = disk.segments().map_err(list)?;
        let mut segments: Vec<Segment> = Vec::with_capacity(firsts.len());
        for (index, first) in firsts.iter().copied().enumerate() {
            let newest = index + 1 == firsts.len();
            let told = |fault| told(disk, first, fault);
            let file = disk.open(first).map_err(Fault::Io).map_err(told)?;
            let Some(header) = recover::header(file.as_ref(), first).map_err(told)? else {
                if newest {
                    return Found::unfinished(disk, segments, first);
                }
                return Err(told(Fault::Damage { offset: 0, what: "it is empty, and newer segments exist".into() }));
            };
            let len = file.len().map_err(Fault::Io).map_err(told)?;
            let mut segment = Segment {
                first,
                end: first,
                created_ms: header.created_ms,
                salt: header.salt,
                len,
                marks: Marks::default(),
            };
            if let Some(next) = firsts.get(index + 1) {
                segment.end = *next;
                segments.push(segment);
                continue;
            }
            let last_ms = repair(disk, file.as_ref(), &header, &mut segment).map_err(told)?;
            let next = segment.end;
            if next > first {
                segments.push(segment);
            }
            return Ok(Found { segments, next, last_ms });
        }
        Ok(Found { segments, next: begin_at.0, last_ms: 0 })
    }

    /// The newest segment was being created when the process ended. Its name tells where the order goes on.
    fn unfinished(disk: &dyn Disk, mut segments: Vec<Segment>, next: u64) -> Result<Found, JournalError> {
        let mut last_ms = 0;
        if let Some(before) = segments.last_mut() {
            let told = |fault| told(disk, before.first, fault);
            let file = disk.open(before.first).map_err(Fault::Io).map_err(told)?;
            let header = SegmentHeader {
                first: before.first,
                created_ms: before.created_ms,
                buffered: false,
                salt: before.salt,
            };
            let found = recover::recover(file.as_ref(), &header).map_err(told)?;
            last_ms = found.last_ms;
        }
        Ok(Found { segments, next, last_ms })
    }
}

/// Cuts the newest segment behind its last good frame and makes all of it durable: bytes that were read here may have been
/// in the kernel's memory only. Returns when its last entry was appended.
fn repair(
    disk: &dyn Disk,
    file: &dyn crate::disk::SegmentFile,
    header: &SegmentHeader,
    segment: &mut Segment,
) -> Result<u64, Fault> {
    let found = recover::recover(file, header)?;
    if found.torn {
        let file = disk.path(segment.first);
        tracing::warn!(file = %file.display(), offset = found.len, end = found.end, "torn tail of the journal cut off");
    }
    file.truncate(found.len)?;
    file.sync()?;
    segment.end = found.end;
    segment.len = found.len;
    segment.marks = found.marks;
    Ok(found.last_ms)
}

/// A fault, with the file that has it.
fn told(disk: &dyn Disk, segment: u64, fault: Fault) -> JournalError {
    let file = disk.path(segment);
    match fault {
        Fault::Damage { offset, what } => JournalError::Damaged { file, offset, what },
        Fault::Version(version) => JournalError::Version { file, version },
        Fault::Io(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            JournalError::Io { doing: "open (is it owned by another user?)", path: file, source: Arc::new(source) }
        }
        Fault::Io(source) => JournalError::Io { doing: "read", path: file, source: Arc::new(source) },
    }
}
