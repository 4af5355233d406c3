//! The newest entries, in memory, so that a follower at the tail reads no file.

use crate::{Entry, ReadLimit};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// What one entry takes beside its JSON, roughly.
const OVERHEAD: usize = 384;

/// The last batches, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Recent {
    capacity: usize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    batches: VecDeque<Batch>,
    bytes: usize,
}

#[derive(Debug)]
struct Batch {
    first: u64,
    bytes: usize,
    entries: Arc<Vec<Entry>>,
}

impl Recent {
    pub(crate) fn new(capacity: usize) -> Recent {
        Recent { capacity, ring: Mutex::default() }
    }

    /// Adds a batch that follows on the last one, and drops the oldest ones beyond the capacity.
    pub(crate) fn push(&self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.seq.0) else { return };
        let bytes = entries.iter().map(size).sum();
        let mut dropped = Vec::new();
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += bytes;
        ring.batches.push_back(Batch { first, bytes, entries: Arc::new(entries) });
        while ring.bytes > self.capacity {
            let Some(oldest) = ring.batches.pop_front() else { break };
            ring.bytes -= oldest.bytes;
            dropped.push(oldest);
        }
        // Freed after the lock is.
        drop(ring);
    }

    /// Entries from `from` on; `None` when the first of them is not (or no longer) here.
    pub(crate) fn read(&self, from: u64, limit: ReadLimit) -> Option<Vec<Entry>> {
        let batches = self.batches(from, limit)?;
        let held: usize = batches.iter().map(|batch| batch.len()).sum();
        let mut out = Vec::with_capacity(held.min(limit.max_entries.max(1)));
        let mut bytes = 0;
        for batch in &batches {
            let skip = batch.first().map_or(0, |first| from.saturating_sub(first.seq.0)) as usize;
            for entry in batch.iter().skip(skip) {
                bytes += entry.event.json().len();
                if !out.is_empty() && (out.len() >= limit.max_entries || bytes > limit.max_bytes) {
                    return Some(out);
                }
                out.push(entry.clone());
            }
        }
        Some(out)
    }

    /// The batches that a read needs, so that entries are copied without the lock.
    fn batches(&self, from: u64, limit: ReadLimit) -> Option<Vec<Arc<Vec<Entry>>>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let index = ring.batches.partition_point(|batch| batch.first <= from).checked_sub(1)?;
        let mut batches = Vec::new();
        let mut entries = 0usize;
        for batch in ring.batches.range(index..) {
            batches.push(batch.entries.clone());
            let skip = from.saturating_sub(batch.first) as usize;
            entries += batch.entries.len().saturating_sub(skip);
            if entries >= limit.max_entries.max(1) {
                break;
            }
        }
        (entries > 0).then_some(batches)
    }
}

fn size(entry: &Entry) -> usize {
    entry.event.json().len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seq;
    use crate::testing::event;

    fn batch(range: std::ops::Range<u64>) -> Vec<Entry> {
        range.map(|n| Entry { seq: Seq(n), appended_ms: 0, event: event(n, 1000) }).collect()
    }

    fn seqs(recent: &Recent, from: u64, max_entries: usize) -> Option<Vec<u64>> {
        let limit = ReadLimit { max_entries, max_bytes: usize::MAX };
        recent.read(from, limit).map(|entries| entries.iter().map(|entry| entry.seq.0).collect())
    }

    #[test]
    fn the_newest_batches_are_served_across_their_borders_and_older_ones_are_not() {
        let recent = Recent::new(10 * size(&batch(0..1)[0]));
        assert_eq!(seqs(&recent, 0, 10), None);
        recent.push(batch(0..4));
        recent.push(batch(4..5));
        recent.push(batch(5..9));
        assert_eq!(seqs(&recent, 0, 100), Some((0..9).collect()));
        assert_eq!(seqs(&recent, 3, 3), Some(vec![3, 4, 5]));
        assert_eq!(seqs(&recent, 9, 3), None);
        recent.push(batch(9..13));
        assert_eq!(seqs(&recent, 3, 3), None);
        assert_eq!(seqs(&recent, 4, 2), Some(vec![4, 5]));
        assert_eq!(seqs(&recent, 12, 0), Some(vec![12]));
    }

    #[test]
    fn bytes_are_a_limit_too_but_one_entry_always_comes() {
        let recent = Recent::new(usize::MAX);
        recent.push(batch(0..5));
        let json = batch(0..1)[0].event.json().len();
        let read = |max_bytes| recent.read(1, ReadLimit { max_entries: 10, max_bytes }).unwrap().len();
        assert_eq!((read(0), read(json), read(2 * json), read(3 * json + 5)), (1, 1, 2, 3));
    }
}
