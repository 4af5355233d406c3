//! Reading: a cursor over durable entries, from memory at the tail and from segment files before it.

use crate::core::Core;
use crate::disk::SegmentFile;
use crate::segments::{Mark, Marks, Place};
use crate::stream::{FrameStream, Step};
use crate::{Entry, JournalError, ReadLimit, Seq};
use std::fmt;
use std::io;
use std::sync::Arc;

/// A cursor over the journal. It keeps its file open and its buffer filled, so that reading on is cheap. Memory: 256 KiB
/// and what a read returns.
pub struct Reader {
    core: Arc<Core>,
    position: Seq,
    cursor: Option<Cursor>,
}

/// A place in a file.
struct Cursor {
    /// The segment's name.
    first: u64,
    file: Box<dyn SegmentFile>,
    stream: FrameStream,
    /// The entry that comes next.
    next: u64,
}

impl Reader {
    pub(crate) fn new(core: Arc<Core>, position: Seq) -> Reader {
        Reader { core, position, cursor: None }
    }

    /// The entry that comes next.
    pub fn position(&self) -> Seq {
        self.position
    }

    /// Goes to another place.
    pub fn seek(&mut self, position: Seq) {
        self.position = position;
    }

    /// The next entries within the limit; none at the end of the journal. May block on the disk.
    ///
    /// # Errors
    /// [`JournalError::Gone`] when retention has removed the entry, [`JournalError::Damaged`] when stored bytes do not read
    /// back; entries before the damage are returned first. The position stays before the entry that failed.
    pub fn read(&mut self, limit: ReadLimit) -> Result<Vec<Entry>, JournalError> {
        if let Some(entries) = self.read_recent(limit) {
            return Ok(entries);
        }
        let mut out = Vec::new();
        let mut bytes = 0;
        while self.position < self.core.queue.end() {
            match self.read_one(&mut bytes, limit, out.is_empty()) {
                Ok(Some(entry)) => out.push(entry),
                Ok(None) => break,
                Err(error) => {
                    self.cursor = None;
                    // Behind entries that are fine it is told by the next read, which starts there.
                    return if out.is_empty() { Err(error) } else { Ok(out) };
                }
            }
            if out.len() >= limit.max_entries {
                break;
            }
        }
        Ok(out)
    }

    /// The same, where it needs no file: at the end, and shortly before it.
    pub(crate) fn read_recent(&mut self, limit: ReadLimit) -> Option<Vec<Entry>> {
        if self.position >= self.core.queue.end() {
            return Some(Vec::new());
        }
        if self.position < self.core.start() {
            return None;
        }
        let entries = self.core.recent.read(self.position.0, limit)?;
        self.position = Seq(self.position.0 + entries.len() as u64);
        Some(entries)
    }

    /// Reads the entry at the position from its file, unless it would pass the limit of bytes.
    fn read_one(&mut self, bytes: &mut usize, limit: ReadLimit, first: bool) -> Result<Option<Entry>, JournalError> {
        let asked = self.position;
        let Some(place) = self.core.segments.find(asked.0) else {
            // Asked for only now: what was there a moment ago may have been removed in between.
            return Err(JournalError::Gone { asked, start: self.core.start() });
        };
        let cursor = Cursor::at(&self.core, self.cursor.take(), &place, asked)?;
        let cursor = self.cursor.insert(cursor);
        let offset = cursor.stream.offset();
        let damaged = |what: String| Err(self.core.damaged(place.first, offset, what));
        match cursor.stream.next(cursor.file.as_ref(), place.len) {
            Ok(Step::Frame(frame, header)) if frame.seq == asked.0 => {
                *bytes += frame.json_len();
                if *bytes > limit.max_bytes && !first {
                    cursor.stream.step_back(header.frame_len());
                    return Ok(None);
                }
                match frame.entry() {
                    Ok(entry) => {
                        cursor.next += 1;
                        self.position = asked.next();
                        Ok(Some(entry))
                    }
                    Err(error) => damaged(error.to_string()),
                }
            }
            Ok(Step::Frame(frame, _)) => damaged(format!("entry {} stands where entry {asked} belongs", frame.seq)),
            Ok(Step::Bad(what)) => damaged(what.to_string()),
            Ok(Step::End) => damaged(format!("entries {asked} to {} are missing", place.end - 1)),
            Err(source) => Err(self.core.io("read", place.first, source)),
        }
    }
}

impl Cursor {
    /// A cursor that stands at `asked`: the one at hand where it does, otherwise one moved there.
    fn at(core: &Core, kept: Option<Cursor>, place: &Place, asked: Seq) -> Result<Cursor, JournalError> {
        let mut cursor = match kept {
            Some(cursor) if cursor.first == place.first && cursor.next == asked.0 => return Ok(cursor),
            Some(cursor) if cursor.first == place.first => cursor,
            _ => Cursor {
                first: place.first,
                file: core.disk.open(place.first).map_err(|source| match source.kind() {
                    // Removed since it was looked up.
                    io::ErrorKind::NotFound if core.start() > asked => {
                        JournalError::Gone { asked, start: core.start() }
                    }
                    _ => core.io("open", place.first, source),
                })?,
                stream: FrameStream::at(0, place.salt),
                next: 0,
            },
        };
        cursor.stream = FrameStream::at(place.mark.offset, place.salt);
        cursor.next = place.mark.seq;
        cursor.skip(core, place, asked)?;
        Ok(cursor)
    }

    /// Passes over the frames before `asked`, and leaves marks for those who come after.
    fn skip(&mut self, core: &Core, place: &Place, asked: Seq) -> Result<(), JournalError> {
        let mut passed = Marks::default();
        while self.next < asked.0 {
            let offset = self.stream.offset();
            passed.note(Mark { seq: self.next, offset });
            match self.stream.next(self.file.as_ref(), place.len) {
                Ok(Step::Frame(frame, _)) if frame.seq == self.next => self.next += 1,
                Ok(Step::Frame(..)) => {
                    return Err(core.damaged(place.first, offset, "entries are out of order".into()));
                }
                Ok(Step::Bad(what)) => return Err(core.damaged(place.first, offset, what.into())),
                Ok(Step::End) => return Err(core.damaged(place.first, offset, "entries are missing".into())),
                Err(source) => return Err(core.io("read", place.first, source)),
            }
        }
        core.segments.learn(place.first, &passed);
        Ok(())
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("position", &self.position).finish_non_exhaustive()
    }
}
