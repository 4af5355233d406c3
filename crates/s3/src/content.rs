//! Where the bytes of an object lie: within the index if they are few, else in pieces of blobs.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::blobs::BlobId;
use crate::error::{Result, StoreError};

/// Objects up to this size live in the index: one sync writes them, and no file is made.
pub(crate) const INLINE_MAX: usize = 16 * 1024;

/// The bytes of an object or part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Inline(Bytes),
    Segments(Vec<Segment>),
}

/// A piece of a blob. Serialised as `[blob, offset, length]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(BlobId, u64, u64)", into = "(BlobId, u64, u64)")]
pub(crate) struct Segment {
    pub(crate) blob: BlobId,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl From<(BlobId, u64, u64)> for Segment {
    fn from((blob, offset, length): (BlobId, u64, u64)) -> Segment {
        Segment { blob, offset, length }
    }
}

impl From<Segment> for (BlobId, u64, u64) {
    fn from(segment: Segment) -> (BlobId, u64, u64) {
        (segment.blob, segment.offset, segment.length)
    }
}

impl Content {
    /// The blobs named, each once.
    pub(crate) fn blobs(&self) -> Vec<BlobId> {
        let mut ids: Vec<_> = match self {
            Content::Inline(_) => Vec::new(),
            Content::Segments(segments) => segments.iter().map(|segment| segment.blob).collect(),
        };
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The bytes of that range, still where they are. The range must lie within the content.
    pub(crate) fn slice(&self, range: Range<u64>) -> Content {
        match self {
            Content::Inline(bytes) => {
                let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
                Content::Inline(bytes.slice(at(range.start).min(at(range.end))..at(range.end)))
            }
            Content::Segments(segments) => {
                let mut cut = Vec::new();
                let mut begin = 0;
                for segment in segments {
                    let end = begin + segment.length;
                    let (from, to) = (range.start.clamp(begin, end), range.end.clamp(begin, end));
                    if from < to {
                        cut.push(Segment { offset: segment.offset + (from - begin), length: to - from, ..*segment });
                    }
                    begin = end;
                }
                Content::Segments(cut)
            }
        }
    }

    /// All of these one after the other. Only contents in blobs can be joined; parts always are.
    pub(crate) fn join(contents: impl IntoIterator<Item = Content>) -> Result<Content> {
        let mut joined: Vec<Segment> = Vec::new();
        for content in contents {
            match content {
                Content::Segments(segments) => joined.extend(segments),
                Content::Inline(bytes) if bytes.is_empty() => {}
                Content::Inline(_) => return Err(StoreError::Damaged("a part lies within the index".into())),
            }
        }
        Ok(if joined.is_empty() { Content::Inline(Bytes::new()) } else { Content::Segments(joined) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_slice_of_segments_is_the_slice_of_the_bytes(lengths in prop::collection::vec(1u64..9, 0..6), a in 0u64..60, b in 0u64..60) {
            // Every byte is named by (blob, offset): what a slice names must be the slice of those names.
            let names = |content: &Content| match content {
                Content::Segments(s) => s.iter().flat_map(|s| (s.offset..s.offset + s.length).map(|o| (s.blob, o))).collect(),
                Content::Inline(_) => vec![],
            };
            let segment = |(i, length): (usize, &u64)| Segment { blob: BlobId(i as u128), offset: 7 * i as u64, length: *length };
            let content = Content::Segments(lengths.iter().enumerate().map(segment).collect());
            let whole = names(&content);
            let end = a.max(b).min(whole.len() as u64);
            let start = a.min(b).min(end);
            prop_assert_eq!(names(&content.slice(start..end)), &whole[start as usize..end as usize]);
        }
    }

    #[test]
    fn blobs_are_named_once() {
        let segment = |blob| Segment { blob: BlobId(blob), offset: 0, length: 1 };
        let content = Content::Segments(vec![segment(2), segment(1), segment(2)]);
        assert_eq!(content.blobs(), [BlobId(1), BlobId(2)]);
        assert_eq!(Content::join([content.clone(), content.clone()]).unwrap().blobs(), content.blobs());
    }
}
