//! One log file: `{"Records":[…]}` in one line, compressed as it grows.

use bytes::Bytes;
use event::Event;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use std::io::{self, Write};

/// A log file that is being written. Only compressed bytes are held. The same records give the same bytes: the gzip
/// header carries no time, and the level is fixed.
#[derive(Debug)]
pub struct LogFile {
    encoder: GzEncoder<Vec<u8>>,
    records: usize,
    size: usize,
}

const HEAD: &[u8] = b"{\"Records\":[";
const TAIL: &[u8] = b"]}";

/// Level of compression: see the figures in `docs/formats/log-file.md`.
const LEVEL: u32 = 3;

impl LogFile {
    /// A file without records.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn new() -> io::Result<LogFile> {
        LogFile::with_level(LEVEL)
    }

    fn with_level(level: u32) -> io::Result<LogFile> {
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(level));
        encoder.write_all(HEAD)?;
        Ok(LogFile { encoder, records: 0, size: HEAD.len() + TAIL.len() })
    }

    /// Appends a record, byte for byte.
    ///
    /// # Errors
    /// None in practice: it is written to memory.
    pub fn push(&mut self, event: &Event) -> io::Result<()> {
        if self.records > 0 {
            self.encoder.write_all(b",")?;
        }
        self.encoder.write_all(event.json())?;
        self.records += 1;
        self.size += LogFile::growth(event);
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
        self.encoder.write_all(TAIL)?;
        Ok(Bytes::from(self.encoder.finish()?))
    }
}
