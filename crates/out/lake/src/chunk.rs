//! About a thousand rows in columns, sorted by [`Key`].

use crate::row::{COLUMNS, Key, Probe, Row};
use event::EventTime;
use journal::Seq;

/// Rows per chunk: small enough that an insertion in the middle moves a few kilobytes, large enough that what a chunk
/// itself takes does not matter.
pub(crate) const CHUNK_ROWS: usize = 1024;

/// Rows in columns. Seconds since the epoch fit 32 bits until 2106; times outside are held to that range by the index.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    times: Vec<u32>,
    seqs: Vec<u64>,
    attributes: [Vec<u32>; COLUMNS],
    /// 0: unknown, 1: false, 2: true.
    read_only: Vec<u8>,
    /// The resources of all rows, in the order of the rows: to which row each belongs, and its hash.
    resource_rows: Vec<u16>,
    resource_hashes: Vec<u32>,
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Bytes that this chunk takes, allocations included.
    pub(crate) fn bytes(&self) -> usize {
        let columns: usize = self.attributes.iter().map(|column| column.capacity() * 4).sum();
        size_of::<Chunk>()
            + self.times.capacity() * 4
            + self.seqs.capacity() * 8
            + columns
            + self.read_only.capacity()
            + self.resource_rows.capacity() * 2
            + self.resource_hashes.capacity() * 4
    }

    pub(crate) fn key(&self, row: usize) -> Option<Key> {
        let (time, seq) = (self.times.get(row)?, self.seqs.get(row)?);
        Some(Key { time: EventTime(i64::from(*time)), seq: Seq(*seq) })
    }

    pub(crate) fn first(&self) -> Option<Key> {
        self.key(0)
    }

    pub(crate) fn last(&self) -> Option<Key> {
        self.key(self.len().checked_sub(1)?)
    }

    /// Whether a row stands before that place in the journal.
    pub(crate) fn reaches_before(&self, seq: Seq) -> bool {
        self.seqs.iter().any(|&found| found < seq.0)
    }

    /// Rows before the first whose key is not smaller.
    pub(crate) fn rows_below(&self, key: Key) -> usize {
        let time = u32::try_from(key.time.0).unwrap_or(if key.time.0 < 0 { 0 } else { u32::MAX });
        let start = self.times.partition_point(|&found| found < time);
        let end = self.times.partition_point(|&found| found <= time);
        let same_second = self.seqs.get(start..end).unwrap_or_default();
        start + same_second.partition_point(|&found| found < key.seq.0)
    }

    /// Puts a row where it belongs.
    pub(crate) fn insert(&mut self, row: &Row) {
        let place = self.rows_below(row.key);
        let resource_place = self.resource_rows.partition_point(|&found| usize::from(found) < place);
        if place < self.len() {
            for moved in self.resource_rows.iter_mut().skip(resource_place) {
                *moved += 1;
            }
        }
        self.times.insert(place, u32::try_from(row.key.time.0).unwrap_or_default());
        self.seqs.insert(place, row.key.seq.0);
        for (column, &hash) in self.attributes.iter_mut().zip(&row.attributes) {
            column.insert(place, hash);
        }
        self.read_only.insert(place, row.read_only.map_or(0, |flag| 1 + u8::from(flag)));
        let count = row.resources.len();
        self.resource_rows.splice(resource_place..resource_place, std::iter::repeat_n(place as u16, count));
        self.resource_hashes.splice(resource_place..resource_place, row.resources.iter().copied());
    }

    /// Cuts off the rows from `row` on.
    pub(crate) fn split_off(&mut self, row: usize) -> Chunk {
        let resource_place = self.resource_rows.partition_point(|&found| usize::from(found) < row);
        let mut upper = Chunk {
            times: self.times.split_off(row),
            seqs: self.seqs.split_off(row),
            attributes: std::array::from_fn(|_| Vec::new()),
            read_only: self.read_only.split_off(row),
            resource_rows: self.resource_rows.split_off(resource_place),
            resource_hashes: self.resource_hashes.split_off(resource_place),
        };
        for (upper, column) in upper.attributes.iter_mut().zip(&mut self.attributes) {
            *upper = column.split_off(row);
        }
        for moved in &mut upper.resource_rows {
            *moved -= row as u16;
        }
        upper
    }

    /// Gives back what was allocated for rows that will not come.
    pub(crate) fn seal(&mut self) {
        self.times.shrink_to_fit();
        self.seqs.shrink_to_fit();
        self.attributes.iter_mut().for_each(Vec::shrink_to_fit);
        self.read_only.shrink_to_fit();
        self.resource_rows.shrink_to_fit();
        self.resource_hashes.shrink_to_fit();
    }

    /// Keeps the rows of entries that are not before `seq`.
    pub(crate) fn forget_before(&mut self, seq: Seq) {
        let keep: Vec<bool> = self.seqs.iter().map(|&found| found >= seq.0).collect();
        let places: Vec<u16> = keep
            .iter()
            .scan(0u16, |next, &kept| {
                let place = *next;
                *next += u16::from(kept);
                Some(place)
            })
            .collect();
        let kept = |row: usize| keep.get(row).copied().unwrap_or(false);
        let rows = std::mem::take(&mut self.resource_rows);
        let hashes = std::mem::take(&mut self.resource_hashes);
        for (row, hash) in rows.into_iter().zip(hashes).filter(|(row, _)| kept(usize::from(*row))) {
            self.resource_rows.extend(places.get(usize::from(row)));
            self.resource_hashes.push(hash);
        }
        retain_rows(&mut self.times, &keep);
        retain_rows(&mut self.seqs, &keep);
        self.attributes.iter_mut().for_each(|column| retain_rows(column, &keep));
        retain_rows(&mut self.read_only, &keep);
    }

    /// Rows below `below` that fit the probe, the newest first, until `take` says that it has enough.
    pub(crate) fn find(&self, probe: Probe, below: usize, mut take: impl FnMut(Key) -> bool) {
        let mut take_row = |row: usize| self.key(row).is_none_or(&mut take);
        let below = below.min(self.len());
        match probe {
            Probe::All => {
                for row in (0..below).rev() {
                    if !take_row(row) {
                        return;
                    }
                }
            }
            Probe::Column(column, hash) => {
                let column = self.attributes.get(column).map(Vec::as_slice).unwrap_or_default();
                if !any_equal(column, hash) {
                    return;
                }
                find_equal(column.get(..below).unwrap_or_default(), &hash, take_row);
            }
            Probe::ReadOnly(flag) => {
                find_equal(self.read_only.get(..below).unwrap_or_default(), &(1 + u8::from(flag)), take_row);
            }
            Probe::Resource(hash) => {
                if !any_equal(&self.resource_hashes, hash) {
                    return;
                }
                let hashes = self.resource_rows.iter().zip(&self.resource_hashes).rev();
                for (&row, &found) in hashes {
                    if found == hash && usize::from(row) < below && !take_row(usize::from(row)) {
                        return;
                    }
                }
            }
        }
    }
}

/// Whether a hash occurs. Without an early exit, so that it compiles to vector instructions.
fn any_equal(column: &[u32], hash: u32) -> bool {
    column.iter().fold(false, |found, &value| found | (value == hash))
}

fn find_equal<T: PartialEq>(column: &[T], wanted: &T, mut take_row: impl FnMut(usize) -> bool) {
    for (row, value) in column.iter().enumerate().rev() {
        if value == wanted && !take_row(row) {
            return;
        }
    }
}

fn retain_rows<T>(column: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter().copied();
    column.retain(|_| keep.next().unwrap_or(false));
}
