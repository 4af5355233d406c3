//! Which segments there are, what each holds, and which may go. No I/O.

use crate::{RetainPolicy, Seq};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where one entry's frame starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: u64,
    pub(crate) offset: u64,
}

/// Marks of one segment in order, about one in 64 KiB: enough to find an entry by reading little, in 16 KiB of memory for
/// a segment of 64 MiB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks(Vec<Mark>);

impl Marks {
    /// Bytes between marks.
    pub(crate) const STEP: u64 = 64 << 10;

    /// Keeps the mark if it is a step behind the last one.
    pub(crate) fn note(&mut self, mark: Mark) {
        if self.0.last().is_none_or(|last| mark.seq > last.seq && mark.offset >= last.offset + Marks::STEP) {
            self.0.push(mark);
        }
    }

    fn before(&self, seq: u64) -> Option<Mark> {
        let after = self.0.partition_point(|mark| mark.seq <= seq);
        self.0.get(after.checked_sub(1)?).copied()
    }
}

/// What is known of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    /// One past its last durable entry.
    pub(crate) end: u64,
    pub(crate) created_ms: u64,
    /// What the checksums of its frames are mixed with.
    pub(crate) salt: u32,
    /// Bytes that hold durable entries, header included.
    pub(crate) len: u64,
    pub(crate) marks: Marks,
}

/// Where to look for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The segment's name.
    pub(crate) first: u64,
    /// One past its last durable entry.
    pub(crate) end: u64,
    /// Bytes of it that count.
    pub(crate) len: u64,
    /// What the checksums of its frames are mixed with.
    pub(crate) salt: u32,
    /// The nearest known frame at or before the entry.
    pub(crate) mark: Mark,
}

/// All segments in order, without gaps. Shared by the writer and the readers.
#[derive(Debug)]
pub(crate) struct Segments {
    /// Where the first frame of a segment starts.
    first_frame: u64,
    list: Mutex<Vec<Segment>>,
}

impl Segments {
    pub(crate) fn new(first_frame: u64, list: Vec<Segment>) -> Segments {
        Segments { first_frame, list: Mutex::new(list) }
    }

    /// The oldest entry; `None` while there is no segment.
    pub(crate) fn start(&self) -> Option<Seq> {
        self.list().first().map(|segment| Seq(segment.first))
    }

    pub(crate) fn begin(&self, first: u64, created_ms: u64, salt: u32) {
        let marks = Marks::default();
        self.list().push(Segment { first, end: first, created_ms, salt, len: self.first_frame, marks });
    }

    /// The newest segment has grown by a batch that was written at its end.
    pub(crate) fn grow(&self, end: u64, bytes: u64, marks: impl Iterator<Item = (u64, u64)>) {
        if let Some(last) = self.list().last_mut() {
            for (seq, at) in marks {
                last.marks.note(Mark { seq, offset: last.len + at });
            }
            last.end = end;
            last.len += bytes;
        }
    }

    /// Where entry `seq` is; `None` when it is before the first segment or not durable yet.
    pub(crate) fn find(&self, seq: u64) -> Option<Place> {
        let list = self.list();
        let index = list.partition_point(|segment| segment.first <= seq).checked_sub(1)?;
        let segment = list.get(index).filter(|segment| seq < segment.end)?;
        let first = Mark { seq: segment.first, offset: self.first_frame };
        let mark = segment.marks.before(seq).unwrap_or(first);
        Some(Place { first: segment.first, end: segment.end, len: segment.len, salt: segment.salt, mark })
    }

    /// Keeps marks that a reader came by in a segment that nobody had read before.
    pub(crate) fn learn(&self, first: u64, marks: &Marks) {
        if let Some(segment) = self.list().iter_mut().find(|segment| segment.first == first) {
            for mark in &marks.0 {
                segment.marks.note(*mark);
            }
        }
    }

    /// Takes the segments that may go off the list, and returns them, oldest first.
    pub(crate) fn forget(&self, policy: &RetainPolicy) -> Vec<Segment> {
        let mut list = self.list();
        let count = forgettable(&list, policy);
        list.drain(..count).collect()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Segment>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of the oldest segments may go. Never the newest: its name tells where the order goes on.
fn forgettable(list: &[Segment], policy: &RetainPolicy) -> usize {
    if *policy == RetainPolicy::default() {
        return 0;
    }
    let no_reason_needed = policy.older_than_ms.is_none() && policy.max_bytes.is_none();
    let mut bytes: u64 = list.iter().map(|segment| segment.len).sum();
    let mut count = 0;
    for pair in list.windows(2) {
        let [segment, next] = pair else { break };
        let allowed = policy.before.is_none_or(|before| segment.end <= before.0);
        // The next segment was begun after the last entry of this one was appended.
        let old = policy.older_than_ms.is_some_and(|limit| next.created_ms < limit);
        let large = policy.max_bytes.is_some_and(|limit| bytes > limit);
        if !allowed || !(no_reason_needed || old || large) {
            break;
        }
        bytes -= segment.len;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, end: u64, created_ms: u64) -> Segment {
        Segment { first, end, created_ms, salt: 0, len: 100, marks: Marks::default() }
    }

    #[test]
    fn retention_respects_the_slowest_reader_and_keeps_the_newest_segment() {
        let list = [segment(0, 10, 1000), segment(10, 20, 2000), segment(20, 30, 3000), segment(30, 40, 4000)];
        let check = |before: Option<u64>, older_than_ms, max_bytes, expected| {
            let policy = RetainPolicy { before: before.map(Seq), older_than_ms, max_bytes };
            assert_eq!(forgettable(&list, &policy), expected, "{policy:?}");
        };
        check(None, None, None, 0);
        check(Some(0), None, None, 0);
        check(Some(19), None, None, 1);
        check(Some(20), None, None, 2);
        check(Some(99), None, None, 3);
        check(None, Some(2000), None, 0);
        check(None, Some(2001), None, 1);
        check(None, Some(u64::MAX), None, 3);
        check(Some(10), Some(u64::MAX), None, 1);
        check(None, None, Some(400), 0);
        check(None, None, Some(399), 1);
        check(None, None, Some(0), 3);
        check(Some(25), None, Some(0), 2);
        check(None, Some(2001), Some(250), 2);
    }

    #[test]
    fn an_entry_is_looked_for_from_the_nearest_mark() {
        let segments = Segments::new(40, vec![segment(5, 10, 0)]);
        segments.begin(10, 0, 0);
        segments.grow(20, 300_000, [(10, 0), (13, 100_000), (14, 100_001), (18, 200_000)].into_iter());
        let mark = |seq| segments.find(seq).map(|place| (place.first, place.mark.seq, place.mark.offset));
        assert_eq!(mark(4), None);
        assert_eq!(mark(5), Some((5, 5, 40)));
        assert_eq!(mark(10), Some((10, 10, 40)));
        assert_eq!(mark(12), Some((10, 10, 40)));
        assert_eq!(mark(14), Some((10, 13, 100_040)));
        assert_eq!(mark(19), Some((10, 18, 200_040)));
        assert_eq!(mark(20), None);
        assert_eq!(segments.start(), Some(Seq(5)));
    }
}
