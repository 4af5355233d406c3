//! What a segment holds after the process or the machine stopped at any moment.
//!
//! A batch is written only after the batch before it was synced. So after a power cut only the last batch can be in
//! pieces, and cutting the segment back to the last good frame loses nothing that was acknowledged. If however a frame
//! of a *later* batch stands behind the bad place, then the bad place was acknowledged, and it is damage: that is
//! reported, not cut away. (Segments written with [`Durability::Buffered`](crate::Durability) allow no such conclusion.)

use crate::disk::SegmentFile;
use crate::frame::{FRAME_HEADER, FrameHeader, HeaderFault, SEGMENT_HEADER, SegmentHeader};
use crate::segments::{Mark, Marks};
use crate::stream::{FrameStream, Step};
use std::io;

/// What a segment holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// One past its last entry.
    pub(crate) end: u64,
    /// Bytes up to the end of the last good frame.
    pub(crate) len: u64,
    /// When the last entry was appended; the segment's own time where it has none.
    pub(crate) last_ms: u64,
    /// Where entries stand.
    pub(crate) marks: Marks,
    /// Whether something other than set-aside space stands behind the last good frame.
    pub(crate) torn: bool,
}

/// Why a segment does not tell what it holds.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Bytes that a power cut does not explain.
    Damage { offset: u64, what: String },
    /// A version that is not read.
    Version(u32),
    /// The system's answer.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// Reads the header of the segment that is named `first`. `None`: the header was never finished, and nothing stands
/// behind it, so the segment was never begun.
pub(crate) fn header(file: &dyn SegmentFile, first: u64) -> Result<Option<SegmentHeader>, Fault> {
    let mut bytes = [0; SEGMENT_HEADER];
    let got = read_full(file, &mut bytes, 0)?;
    match SegmentHeader::decode(bytes.get(..got).unwrap_or_default()) {
        Ok(header) if header.first == first => Ok(Some(header)),
        Ok(header) => {
            let what = format!("its header says that it begins with entry {}; the file was renamed", header.first);
            Err(Fault::Damage { offset: 0, what })
        }
        Err(HeaderFault::Version(version)) => Err(Fault::Version(version)),
        // The header is synced before anything else is written. Without it nobody knows the salt, so that no frame could be told.
        Err(HeaderFault::Unreadable) => match find_frame(file, SEGMENT_HEADER as u64, 0, |_| false)? {
            Rest::Blank => Ok(None),
            Rest::Scraps | Rest::Found(_) => Err(Fault::Damage { offset: 0, what: "its header is unreadable".into() }),
        },
    }
}

/// Reads a segment to its end.
pub(crate) fn recover(file: &dyn SegmentFile, header: &SegmentHeader) -> Result<Recovered, Fault> {
    let limit = file.len()?;
    let mut stream = FrameStream::at(SEGMENT_HEADER as u64, header.salt);
    let mut found = Recovered {
        end: header.first,
        len: SEGMENT_HEADER as u64,
        last_ms: header.created_ms,
        marks: Marks::default(),
        torn: false,
    };
    loop {
        let offset = stream.offset();
        match stream.next(file, limit)? {
            Step::Frame(frame, _) if frame.seq == found.end => {
                found.marks.note(Mark { seq: frame.seq, offset });
                found.end += 1;
                found.last_ms = found.last_ms.max(frame.appended_ms);
            }
            Step::Frame(frame, _) => {
                let what = format!("entry {} stands where entry {} belongs", frame.seq, found.end);
                return Err(Fault::Damage { offset, what });
            }
            Step::End | Step::Bad(_) => {
                found.len = offset;
                break;
            }
        }
    }
    let missing = found.end;
    match find_frame(file, found.len, header.salt, |later| !header.buffered && later.batch_first() > missing)? {
        Rest::Blank => Ok(found),
        Rest::Scraps => Ok(Recovered { torn: true, ..found }),
        Rest::Found(later) => {
            let what = format!(
                "entry {missing} is unreadable, and entry {later}, written after it was synced, stands behind it"
            );
            Err(Fault::Damage { offset: found.len, what })
        }
    }
}

/// What stands behind a place.
enum Rest {
    /// Nothing but zeros.
    Blank,
    /// Something, but not what was looked for.
    Scraps,
    /// The frame of this entry.
    Found(u64),
}

/// Looks for an intact frame that is `wanted`, at any offset from `from` on. Memory: one window and one frame.
///
/// Nothing that a caller says can be taken for a frame: he does not know the salt.
fn find_frame(file: &dyn SegmentFile, from: u64, salt: u32, wanted: impl Fn(&FrameHeader) -> bool) -> io::Result<Rest> {
    const WINDOW: usize = 1 << 20;
    let limit = file.len()?;
    let mut window = vec![0; WINDOW];
    let mut blank = true;
    let mut base = from;
    while base < limit {
        let got = read_full(file, &mut window, base)?;
        let bytes = window.get(..got).unwrap_or_default();
        if bytes.iter().any(|byte| *byte != 0) {
            blank = false;
            for (at, candidate) in bytes.windows(FRAME_HEADER).enumerate() {
                let Some(header) = FrameHeader::decode(candidate).filter(|header| header.is_plausible()) else {
                    continue;
                };
                let (offset, len) = (base + at as u64, header.frame_len());
                if wanted(&header) && offset + len as u64 <= limit {
                    let mut frame = vec![0; len];
                    read_full(file, &mut frame, offset)?;
                    if header.open(&frame, salt).is_some() {
                        return Ok(Rest::Found(header.seq));
                    }
                }
            }
        }
        if got < FRAME_HEADER {
            break;
        }
        // Windows overlap by one header less a byte.
        base += (got - (FRAME_HEADER - 1)) as u64;
    }
    Ok(if blank { Rest::Blank } else { Rest::Scraps })
}

/// Reads until the buffer is full or the file ends; returns how much was read.
fn read_full(file: &dyn SegmentFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut have = 0;
    while let Some(space) = buffer.get_mut(have..).filter(|space| !space.is_empty()) {
        match file.read_at(space, offset + have as u64) {
            Ok(0) => break,
            Ok(count) => have += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}
