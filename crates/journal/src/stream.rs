//! Frames of one segment in order, through a buffer.

use crate::disk::SegmentFile;
use crate::frame::{FRAME_HEADER, Frame, FrameHeader};
use std::io;

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// A place in a segment from which frames are read one after the other. Memory: one chunk, or one frame where that
/// is larger.
#[derive(Debug)]
pub(crate) struct FrameStream {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are behind us.
    used: usize,
    /// Where in the file the first byte of the buffer stands.
    base: u64,
    /// The segment's.
    salt: u32,
}

/// What stands at the place.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// An intact frame; the place is behind it now.
    Frame(Frame<'a>, FrameHeader),
    /// No frame: the end of the bytes that count, or bytes that were set aside and never written.
    End,
    /// Something else.
    Bad(&'static str),
}

impl FrameStream {
    pub(crate) fn at(offset: u64, salt: u32) -> FrameStream {
        FrameStream { buffer: Vec::new(), used: 0, base: offset, salt }
    }

    /// Where the next frame starts.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.used as u64
    }

    /// The next frame among the first `limit` bytes of the file.
    pub(crate) fn next(&mut self, file: &dyn SegmentFile, limit: u64) -> io::Result<Step<'_>> {
        self.fill(file, limit, FRAME_HEADER)?;
        let rest = self.rest();
        let Some(header) = FrameHeader::decode(rest) else {
            return Ok(if rest.iter().all(|byte| *byte == 0) { Step::End } else { Step::Bad("a frame is cut short") });
        };
        if !header.is_plausible() {
            let blank = rest.iter().take(FRAME_HEADER).all(|byte| *byte == 0);
            return Ok(if blank { Step::End } else { Step::Bad("no frame starts here") });
        }
        if self.offset() + header.frame_len() as u64 > limit {
            return Ok(Step::Bad("a frame is cut short"));
        }
        self.fill(file, limit, header.frame_len())?;
        let start = self.used;
        match header.open(self.buffer.get(start..).unwrap_or_default(), self.salt) {
            Some(frame) => {
                self.used += header.frame_len();
                Ok(Step::Frame(frame, header))
            }
            None => Ok(Step::Bad("a frame's checksum is wrong")),
        }
    }

    /// Takes the frame of `len` bytes back that was read last: it comes next again.
    pub(crate) fn step_back(&mut self, len: usize) {
        self.used = self.used.saturating_sub(len);
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    /// Reads until `wanted` bytes are buffered or the limit is reached.
    fn fill(&mut self, file: &dyn SegmentFile, limit: u64, wanted: usize) -> io::Result<()> {
        if self.rest().len() >= wanted {
            return Ok(());
        }
        self.buffer.drain(..self.used);
        self.base += self.used as u64;
        self.used = 0;
        let mut have = self.buffer.len();
        let room = limit.saturating_sub(self.base).min(wanted.max(CHUNK) as u64) as usize;
        self.buffer.resize(room.max(have), 0);
        while let Some(space) = self.buffer.get_mut(have..).filter(|space| !space.is_empty()) {
            match file.read_at(space, self.base + have as u64) {
                Ok(0) => break,
                Ok(count) => have += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(have);
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(have);
        Ok(())
    }
}
