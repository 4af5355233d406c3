//! The index: per account and Region, chunks of rows sorted by time.

use crate::chunk::{CHUNK_ROWS, Chunk};
use crate::row::{Key, Probe, Row};
use event::EventTime;
use journal::Seq;
use std::collections::HashMap;

/// History goes back 90 days, by event time.
pub(crate) const KEEP_SECONDS: i64 = 90 * 24 * 3600;
/// How often rows are looked at for their age. A lookup never shows older ones, whatever the index still holds.
const SWEEP_SECONDS: i64 = 60;
/// Accounts times Regions. Both come from outside, so their number needs a bound; real ones have a few dozen.
const PARTITIONS_MAX: usize = 4096;

/// Rows of all accounts and Regions.
#[derive(Debug)]
pub(crate) struct Index {
    partitions: HashMap<Box<str>, Partition>,
    rows: usize,
    rows_max: usize,
    /// One past the newest entry that was taken.
    end: Seq,
    /// The oldest entry that the journal holds, as far as it was told.
    start: Seq,
    /// When what is 90 days old is looked for again.
    next_sweep: EventTime,
    /// The key of a partition, written here so that finding one does not allocate.
    scratch: String,
}

/// One account in one Region: chunks in order, none of them empty.
#[derive(Debug, Default)]
struct Partition {
    chunks: Vec<Chunk>,
}

/// Which rows of a partition are asked for, beside the probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// Not before this second.
    pub(crate) from: EventTime,
    /// Only rows below this key.
    pub(crate) below: Key,
    /// Only entries before this place: what came later belongs to no page of this lookup.
    pub(crate) end: Seq,
}

impl Index {
    /// An empty index that will hold at most `rows_max` rows.
    pub(crate) fn new(rows_max: usize) -> Index {
        Index {
            partitions: HashMap::new(),
            rows: 0,
            rows_max,
            end: Seq::default(),
            start: Seq::default(),
            next_sweep: EventTime(0),
            scratch: String::new(),
        }
    }

    /// One past the newest entry that was taken.
    pub(crate) fn end(&self) -> Seq {
        self.end
    }

    /// Rows held.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held, allocations included.
    pub(crate) fn bytes(&self) -> usize {
        let of_partition = |partition: &Partition| partition.chunks.iter().map(Chunk::bytes).sum::<usize>();
        let chunks: usize = self.partitions.values().map(of_partition).sum();
        let keys: usize = self.partitions.keys().map(|key| key.len() + size_of::<(Box<str>, Partition)>()).sum();
        chunks + keys
    }

    /// Notes that everything before `end` was taken.
    pub(crate) fn taken(&mut self, end: Seq) {
        self.end = self.end.max(end);
    }

    /// Puts in a row of an account and Region. One that is there already, from a batch that is taken again, is left.
    pub(crate) fn insert(&mut self, account: &str, region: &str, row: &Row) {
        if !(0..=i64::from(u32::MAX)).contains(&row.key.time.0) {
            return;
        }
        write_key(&mut self.scratch, account, region);
        if !self.partitions.contains_key(self.scratch.as_str()) {
            if self.partitions.len() >= PARTITIONS_MAX {
                self.drop_stalest_partition();
            }
            self.partitions.insert(self.scratch.as_str().into(), Partition::default());
        }
        if let Some(partition) = self.partitions.get_mut(self.scratch.as_str())
            && partition.insert(row)
        {
            self.rows += 1;
        }
        if self.rows > self.rows_max {
            self.drop_oldest_chunk();
        }
    }

    /// Forgets what is 90 days old at `now`, and what the journal no longer holds: entries before `start`.
    ///
    /// Cheap when there is nothing to do: age is looked at once a minute.
    pub(crate) fn forget(&mut self, now: EventTime, start: Seq) {
        let journal_moved = start > self.start;
        if !journal_moved && now < self.next_sweep {
            return;
        }
        let oldest = Key { time: EventTime(now.0 - KEEP_SECONDS), seq: Seq(0) };
        self.next_sweep = EventTime(now.0 + SWEEP_SECONDS);
        self.start = self.start.max(start);
        for partition in self.partitions.values_mut() {
            let stale = partition.chunks.partition_point(|chunk| chunk.last().is_some_and(|last| last < oldest));
            partition.chunks.drain(..stale);
            if journal_moved {
                for chunk in partition.chunks.iter_mut().filter(|chunk| chunk.reaches_before(start)) {
                    chunk.forget_before(start);
                }
                partition.chunks.retain(|chunk| !chunk.is_empty());
            }
        }
        self.partitions.retain(|_, partition| !partition.chunks.is_empty());
        self.rows = self.partitions.values().map(Partition::rows).sum();
    }

    /// Up to `limit` keys of rows that fit, the newest first.
    pub(crate) fn find(&self, account: &str, region: &str, probe: Probe, range: Range, limit: usize) -> Vec<Key> {
        let mut found = Vec::new();
        let mut key = String::new();
        write_key(&mut key, account, region);
        let Some(partition) = self.partitions.get(key.as_str()) else { return found };
        // The chunks that begin below the upper bound, the newest first.
        let chunks = partition.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first < range.below));
        for chunk in partition.chunks.iter().take(chunks).rev() {
            let mut done = chunk.last().is_some_and(|last| last.time < range.from);
            if !done {
                let below = if chunk.last() < Some(range.below) { chunk.len() } else { chunk.rows_below(range.below) };
                chunk.find(probe, below, |key| {
                    if key.time < range.from {
                        done = true;
                    } else if key.seq < range.end {
                        found.push(key);
                        done = found.len() >= limit;
                    }
                    !done
                });
            }
            if done {
                break;
            }
        }
        found
    }

    /// Makes room where the limit is reached: the chunk that begins earliest goes.
    fn drop_oldest_chunk(&mut self) {
        let first = |partition: &Partition| partition.chunks.first().and_then(Chunk::first);
        let oldest = self.partitions.iter_mut().min_by_key(|(_, partition)| first(partition));
        if let Some((key, partition)) = oldest {
            let key = key.clone();
            if !partition.chunks.is_empty() {
                self.rows -= partition.chunks.remove(0).len();
            }
            if partition.chunks.is_empty() {
                self.partitions.remove(&key);
            }
        }
    }

    /// Makes room for another partition: the one whose newest event is the oldest goes.
    fn drop_stalest_partition(&mut self) {
        let last = |partition: &Partition| partition.chunks.last().and_then(Chunk::last);
        let stalest = self.partitions.iter().min_by_key(|(_, partition)| last(partition));
        if let Some(key) = stalest.map(|(key, _)| key.clone())
            && let Some(partition) = self.partitions.remove(&key)
        {
            self.rows -= partition.rows();
        }
    }
}

impl Partition {
    fn rows(&self) -> usize {
        self.chunks.iter().map(Chunk::len).sum()
    }

    /// Whether the row was not there.
    fn insert(&mut self, row: &Row) -> bool {
        // The last chunk that begins at or below the row; the first, for a row older than all.
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|first| first <= row.key));
        let place = after.saturating_sub(1);
        let is_last = place + 1 == self.chunks.len();
        let Some(chunk) = self.chunks.get_mut(place) else {
            let mut chunk = Chunk::default();
            chunk.insert(row);
            self.chunks.push(chunk);
            return true;
        };
        if chunk.key(chunk.rows_below(row.key)) == Some(row.key) {
            return false;
        }
        if chunk.len() < CHUNK_ROWS {
            chunk.insert(row);
            return true;
        }
        // Full. At the end of history, the usual case, a new chunk begins; elsewhere the chunk is halved.
        if is_last && chunk.last() < Some(row.key) {
            chunk.seal();
            let mut next = Chunk::default();
            next.insert(row);
            self.chunks.push(next);
            return true;
        }
        let mut upper = chunk.split_off(CHUNK_ROWS / 2);
        if upper.first() <= Some(row.key) {
            upper.insert(row);
        } else {
            chunk.insert(row);
        }
        self.chunks.insert(place + 1, upper);
        true
    }
}

fn write_key(key: &mut String, account: &str, region: &str) {
    key.clear();
    key.push_str(account);
    key.push('/');
    key.push_str(region);
}

#[cfg(test)]
mod tests;
