//! The bytes of a segment: its header and its frames (`docs/formats/journal-segment.md`). Pure.

use crate::{Entry, Seq};
use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};
use event::{Event, HeadError, StoredHead};

/// The version of the form that is written.
pub(crate) const VERSION: u32 = 2;

/// The version that is read, too: it had no salt.
const UNSALTED: u32 = 1;

/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER: usize = 40;

/// Bytes of a frame's header; the event's head and its JSON follow.
pub(crate) const FRAME_HEADER: usize = 32;

/// The longest head or JSON that a frame announces; an [`Event`] has at most 16 MiB of JSON. A length beyond it is
/// damage, and nobody reserves memory for it.
const MAX_PART: u32 = 64 << 20;

const MAGIC: [u8; 8] = *b"OTJOURNL";
const FLAG_BUFFERED: u32 = 1;

/// What stands at the start of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The place of its first entry; also its name.
    pub(crate) first: u64,
    /// When it was begun; not before the last entry of the segment before it was appended.
    pub(crate) created_ms: u64,
    /// Whether batches in it were acknowledged before they were synced.
    pub(crate) buffered: bool,
    /// What the checksums of its frames are mixed with.
    pub(crate) salt: u32,
}

/// Why bytes are not a segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Short, without the magic bytes, or with a wrong checksum.
    Unreadable,
    /// Intact, of another version.
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        out[0..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&(if self.buffered { FLAG_BUFFERED } else { 0 }).to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..32].copy_from_slice(&self.created_ms.to_le_bytes());
        out[32..36].copy_from_slice(&self.salt.to_le_bytes());
        let sum = crc32_iscsi(&out[..SEGMENT_HEADER - 4]);
        out[SEGMENT_HEADER - 4..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderFault> {
        let bytes = bytes.first_chunk::<SEGMENT_HEADER>().ok_or(HeaderFault::Unreadable)?;
        let sum = crc32_iscsi(&bytes[..SEGMENT_HEADER - 4]);
        if bytes[..8] != MAGIC || u32_at(bytes, SEGMENT_HEADER - 4) != sum {
            return Err(HeaderFault::Unreadable);
        }
        match u32_at(bytes, 8) {
            version @ (UNSALTED | VERSION) => Ok(SegmentHeader {
                first: u64_at(bytes, 16),
                created_ms: u64_at(bytes, 24),
                buffered: u32_at(bytes, 12) & FLAG_BUFFERED != 0,
                salt: if version == UNSALTED { 0 } else { u32_at(bytes, 32) },
            }),
            other => Err(HeaderFault::Version(other)),
        }
    }
}

/// What stands before each entry. The checksum covers the head, the JSON and then bytes 4..32 of this header: in that
/// order, so that an appender sums its event before it knows its place. It is mixed with the segment's salt, which no caller
/// knows: or what is said in a call could be made to look like a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    sum: u32,
    json_len: u32,
    head_len: u32,
    /// How many entries of the same batch stand before it.
    pub(crate) batch_index: u32,
    pub(crate) seq: u64,
    pub(crate) appended_ms: u64,
}

impl FrameHeader {
    pub(crate) fn decode(bytes: &[u8]) -> Option<FrameHeader> {
        let bytes = bytes.first_chunk::<FRAME_HEADER>()?;
        Some(FrameHeader {
            sum: u32_at(bytes, 0),
            json_len: u32_at(bytes, 4),
            head_len: u32_at(bytes, 8),
            batch_index: u32_at(bytes, 12),
            seq: u64_at(bytes, 16),
            appended_ms: u64_at(bytes, 24),
        })
    }

    /// Whether the lengths are ones that an appender writes.
    pub(crate) fn is_plausible(&self) -> bool {
        (1..=MAX_PART).contains(&self.json_len) && (1..=MAX_PART).contains(&self.head_len)
    }

    /// The place of the first entry of its batch.
    pub(crate) fn batch_first(&self) -> u64 {
        self.seq.saturating_sub(u64::from(self.batch_index))
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_len(&self) -> usize {
        FRAME_HEADER + self.head_len as usize + self.json_len as usize
    }

    /// The frame that these bytes of a segment with that salt hold, or `None` when they are short or do not sum up.
    pub(crate) fn open<'a>(&self, frame: &'a [u8], salt: u32) -> Option<Frame<'a>> {
        let (fields, content) = frame.get(..self.frame_len())?.split_first_chunk::<FRAME_HEADER>()?;
        if append(crc32_iscsi(content), &fields[4..]) ^ salt != self.sum {
            return None;
        }
        let (head, json) = content.split_at_checked(self.head_len as usize)?;
        Some(Frame { seq: self.seq, appended_ms: self.appended_ms, head, json })
    }
}

/// One intact frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) seq: u64,
    pub(crate) appended_ms: u64,
    head: &'a [u8],
    json: &'a [u8],
}

impl Frame<'_> {
    /// Bytes of its JSON.
    pub(crate) fn json_len(&self) -> usize {
        self.json.len()
    }

    /// The entry, with bytes of its own.
    pub(crate) fn entry(&self) -> Result<Entry, HeadError> {
        let event = Event::from_stored(self.head, self.json)?;
        Ok(Entry { seq: Seq(self.seq), appended_ms: self.appended_ms, event })
    }
}

/// An event made ready to be framed, as far as that goes without its place.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) event: Event,
    head: StoredHead,
    content_sum: u32,
}

impl Prepared {
    pub(crate) fn new(event: Event) -> Prepared {
        let head = event.head().encode();
        let content_sum = append(crc32_iscsi(&head), event.json());
        Prepared { event, head, content_sum }
    }

    /// Appends the frame to `out`, for a segment with that salt.
    pub(crate) fn write(&self, out: &mut Vec<u8>, seq: u64, batch_index: u32, appended_ms: u64, salt: u32) {
        let mut header = [0; FRAME_HEADER];
        header[4..8].copy_from_slice(&(self.event.json().len() as u32).to_le_bytes());
        header[8..12].copy_from_slice(&(self.head.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&batch_index.to_le_bytes());
        header[16..24].copy_from_slice(&seq.to_le_bytes());
        header[24..32].copy_from_slice(&appended_ms.to_le_bytes());
        let sum = append(self.content_sum, &header[4..]) ^ salt;
        header[..4].copy_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(self.event.json());
    }
}

/// The CRC-32C (iSCSI) of what `sum` is of and these bytes.
fn append(sum: u32, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!sum));
    digest.update(bytes);
    digest.finalize() as u32
}

/// Reads a number at a place that the caller has checked by the array's length.
fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four))
}

fn u64_at<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;
    use proptest::prelude::*;

    #[test]
    fn a_segment_header_reads_back_and_any_flipped_bit_is_noticed() {
        let header = SegmentHeader { first: 7, created_ms: 1_700_000_000_000, buffered: true, salt: 0x0102_0304 };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for bit in 0..SEGMENT_HEADER * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&damaged), Err(HeaderFault::Unreadable), "bit {bit}");
        }
        assert_eq!(SegmentHeader::decode(&bytes[..39]), Err(HeaderFault::Unreadable));
    }

    #[test]
    fn sums_are_crc_32c_and_go_on_where_they_ended() {
        // RFC 3720, B.4, and the check value of the catalogue of CRCs.
        assert_eq!((crc32_iscsi(&[0; 32]), crc32_iscsi(b"123456789")), (0x8a91_36aa, 0xe306_9283));
        assert_eq!(append(crc32_iscsi(b"1234"), b"56789"), 0xe306_9283);
        assert_eq!(append(crc32_iscsi(b""), b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_newer_version_is_told_apart_from_damage() {
        let mut bytes = SegmentHeader { first: 0, created_ms: 0, buffered: false, salt: 0 }.encode();
        bytes[8] = 9;
        let sum = crc32_iscsi(&bytes[..36]);
        bytes[36..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Version(9)));
    }

    proptest! {
        #[test]
        fn a_frame_reads_back_and_a_flipped_bit_anywhere_is_noticed(
            seq: u64, batch_index: u32, appended_ms: u64, salt: u32, size in 0usize..2000, at: prop::sample::Index, bit in 0u8..8,
        ) {
            let event = event(1, size);
            let mut bytes = Vec::new();
            Prepared::new(event.clone()).write(&mut bytes, seq, batch_index, appended_ms, salt);
            let header = FrameHeader::decode(&bytes).unwrap();
            prop_assert_eq!(header.frame_len(), bytes.len());
            prop_assert_eq!((header.batch_index, header.seq, header.appended_ms), (batch_index, seq, appended_ms));
            prop_assert!(header.open(&bytes, salt ^ 1).is_none());
            let entry = header.open(&bytes, salt).unwrap().entry().unwrap();
            prop_assert_eq!(entry.event.json(), event.json());
            prop_assert_eq!(entry.event.head(), event.head());

            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let damaged = FrameHeader::decode(&bytes).unwrap();
            prop_assert!(damaged.open(&bytes, salt).is_none());
        }
    }
}
