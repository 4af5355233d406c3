//! One log file: `{"Records":[…]}` in one line, compressed as it grows.

use bytes::Bytes;
use event::Event;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, Write};

/// A log file that is being written. Only compressed bytes are held, and up to 64 KiB that wait for compression. The
/// same records give the same bytes: the gzip header carries no time, and level and steps are fixed.
#[derive(Debug)]
pub struct LogFile {
    encoder: GzEncoder<Vec<u8>>,
    waiting: Vec<u8>,
    records: usize,
    size: usize,
}

const HEAD: &[u8] = b"{\"Records\":[";
const TAIL: &[u8] = b"]}";

/// Level of compression: files become a quarter smaller than at 1 and about a tenth larger than at 4, which takes a
/// third more time (figures: `docs/formats/log-file.md`).
const LEVEL: u32 = 2;

/// Records are compressed together in steps of about this size, bytes: a call for each costs a fifth more.
const STEP: usize = 48 * 1024;

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
        }
    }

    /// Appends a record, byte for byte.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        if self.records > 0 {
            self.waiting.push(b',');
        }
        self.waiting.extend_from_slice(event.json());
        self.records += 1;
        self.size += LogFile::growth(event);
        if self.waiting.len() >= STEP {
            self.encoder.write_all(&self.waiting)?;
            self.waiting.clear();
        }
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

    /// The whole file, compressed.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn finish(mut self) -> io::Result<Bytes> {
        self.waiting.extend_from_slice(TAIL);
        self.encoder.write_all(&self.waiting)?;
        Ok(Bytes::from(self.encoder.finish()?))
    }
}
