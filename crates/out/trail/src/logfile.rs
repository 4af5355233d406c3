//! One log file: `{"Records":[…]}` in one line, compressed as it grows.

use crate::hash::Parted;
use crate::transparency::leaf::EventLeaves;
use bytes::Bytes;
use event::{Event, EventTime};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, Write};
use std::ops::Range;

/// A log file that is being written. Only compressed bytes are held, and up to 64 KiB that wait for compression. The
/// same records give the same bytes: the gzip header carries no time, and level and steps are fixed.
pub struct LogFile {
    encoder: GzEncoder<Vec<u8>>,
    waiting: Vec<u8>,
    records: usize,
    size: usize,
    hash: Option<Parted>,
    leaves: Option<EventLeaves>,
    unhashed: Unhashed,
    times: Option<(EventTime, EventTime)>,
}

/// A log file as it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The whole file, compressed.
    pub body: Bytes,
    /// SHA-256 of its uncompressed bytes, of a file that was begun with [`LogFile::hashed`].
    pub sha256: Option<[u8; 32]>,
    /// Times of its oldest and newest record; `None` without records.
    pub times: Option<(EventTime, EventTime)>,
    /// What its records add to a transparency log, of a file that was begun with [`LogFile::logged`].
    pub leaves: Option<EventLeaves>,
}

/// Records that go to a transparency log, too, and wait to be hashed with the file.
#[derive(Default)]
struct Unhashed {
    /// Where each lies in what waits, and where its ID ends among the IDs.
    records: Vec<(Range<usize>, usize)>,
    ids: String,
}

const HEAD: &[u8] = b"{\"Records\":[";
const TAIL: &[u8] = b"]}";

/// Level of compression: files are kept for years, and a record is compressed once. Higher ones gain nothing (figures:
/// `docs/formats/log-file.md`).
const LEVEL: u32 = 6;

/// Records are compressed together in steps of about this size, bytes: a call for each costs a fifth more.
const STEP: usize = 48 * 1024;

// A hash under way shows nothing.
impl std::fmt::Debug for LogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFile").field("records", &self.records).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Default for LogFile {
    fn default() -> LogFile {
        LogFile::new()
    }
}

impl LogFile {
    /// A file without records.
    pub fn new() -> LogFile {
        LogFile {
            encoder: GzBuilder::new().write(Vec::new(), Compression::new(LEVEL)),
            waiting: HEAD.to_vec(),
            records: 0,
            size: HEAD.len() + TAIL.len(),
            hash: None,
            leaves: None,
            unhashed: Unhashed::default(),
            times: None,
        }
    }

    /// A file without records that is hashed as it is written, for a digest to list.
    pub fn hashed() -> LogFile {
        LogFile { hash: Some(Parted::alone()), ..LogFile::new() }
    }

    /// The same, whose records go to a transparency log, too.
    pub fn logged() -> LogFile {
        LogFile { hash: Some(Parted::new()), leaves: Some(EventLeaves::default()), ..LogFile::new() }
    }

    /// Appends a record, byte for byte.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        if self.records > 0 {
            self.waiting.push(b',');
        }
        let start = self.waiting.len();
        self.waiting.extend_from_slice(event.json());
        if self.leaves.is_some() {
            self.unhashed.ids.push_str(event.id());
            self.unhashed.records.push((start..self.waiting.len(), self.unhashed.ids.len()));
        }
        self.records += 1;
        self.size += LogFile::growth(event);
        let time = event.time();
        self.times = Some(self.times.map_or((time, time), |(oldest, newest)| (oldest.min(time), newest.max(time))));
        if self.waiting.len() >= STEP {
            self.step()?;
        }
        Ok(())
    }

    /// Hashes and compresses what waits, while it is in the processor's cache.
    fn step(&mut self) -> io::Result<()> {
        if let Some(hash) = &mut self.hash {
            let Unhashed { records, ids } = &mut self.unhashed;
            let messages = records.iter().map(|(at, _)| self.waiting.get(at.clone()).unwrap_or_default());
            let hashes = hash.update(&self.waiting, messages);
            let mut id_start = 0;
            for ((_, id_end), hash) in records.drain(..).zip(&hashes) {
                if let Some(leaves) = &mut self.leaves {
                    leaves.push(hash, ids.get(id_start..id_end).unwrap_or_default());
                }
                id_start = id_end;
            }
            ids.clear();
        }
        self.encoder.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// By how much a record makes a file larger, at most: its bytes and a comma.
    pub fn growth(event: &Event) -> usize {
        event.json().len() + 1
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Its size before compression, at most.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The same, with room for so many compressed bytes.
    pub(crate) fn with_room(mut self, bytes: usize) -> LogFile {
        self.encoder.get_mut().reserve(bytes);
        self
    }

    /// The whole file.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn finish(mut self) -> io::Result<Finished> {
        self.waiting.extend_from_slice(TAIL);
        self.step()?;
        let sha256 = self.hash.map(Parted::finish);
        Ok(Finished { body: Bytes::from(self.encoder.finish()?), sha256, times: self.times, leaves: self.leaves })
    }
}
