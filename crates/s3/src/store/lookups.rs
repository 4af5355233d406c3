//! Short reads of the index, made right where they are asked for.
//!
//! A row is found in some microseconds, less than it takes to wake a thread that finds it, and to be woken again. Only when
//! the pages have to come from a slow disk would an event loop stand still for long: once that shows, short reads go to the
//! [`Readers`](super::readers::Readers) like all others, for a while.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::readers::Readers;
use crate::error::Result;
use crate::index;

/// A read that takes longer has waited for the disk, or its thread for a processor.
const SLOW: Duration = Duration::from_millis(1);
/// So many slow reads one after the other, and it is the disk.
const SLOW_MAX: u32 = 3;
/// How long short reads are then left to the readers. One more slow one after that, and they are again.
const AWAY: Duration = Duration::from_millis(250);

/// Finds single rows.
pub(super) struct Lookups {
    path: PathBuf,
    /// Connections that nobody uses: as many as threads have looked something up at once.
    spare: Mutex<Vec<Connection>>,
    pace: Pace,
}

impl Lookups {
    /// For the index at a path. Nothing is opened yet.
    pub(super) fn new(path: PathBuf) -> Lookups {
        Lookups { path, spare: Mutex::default(), pace: Pace::new() }
    }

    /// What a short read finds.
    pub(super) async fn find<T: Send + 'static>(
        &self,
        readers: &Readers,
        find: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.pace.is_slow(Instant::now()) {
            return readers.read(find).await;
        }
        // Taken and given back, not lent: one in which something panicked is not used again.
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let index = match spare {
            Some(index) => index,
            None => index::connect(&self.path)?,
        };
        let began = Instant::now();
        let found = find(&index);
        self.pace.took(began, Instant::now());
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(index);
        found
    }
}

/// Whether the disk is slow.
struct Pace {
    start: Instant,
    slow_reads: AtomicU32,
    /// Microseconds after `start` until which it counts as slow.
    slow_until: AtomicU64,
}

impl Pace {
    fn new() -> Pace {
        Pace { start: Instant::now(), slow_reads: AtomicU32::new(0), slow_until: AtomicU64::new(0) }
    }

    fn is_slow(&self, now: Instant) -> bool {
        self.slow_until.load(Ordering::Relaxed) > self.micros(now)
    }

    fn took(&self, began: Instant, ended: Instant) {
        if ended.saturating_duration_since(began) < SLOW {
            if self.slow_reads.load(Ordering::Relaxed) != 0 {
                self.slow_reads.store(0, Ordering::Relaxed);
            }
        } else if self.slow_reads.fetch_add(1, Ordering::Relaxed) + 1 >= SLOW_MAX {
            self.slow_reads.store(SLOW_MAX - 1, Ordering::Relaxed);
            self.slow_until.store(self.micros(ended + AWAY), Ordering::Relaxed);
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_shows_in_slow_reads_one_after_the_other() {
        let pace = Pace::new();
        let now = Instant::now();
        let quick = || pace.took(now, now + SLOW / 2);
        let slow = || pace.took(now, now + SLOW);
        for _ in 0..10 {
            slow();
            slow();
            quick();
        }
        assert!(!pace.is_slow(now), "some slow reads among others");
        (0..SLOW_MAX).for_each(|_| slow());
        assert!(pace.is_slow(now));
        let later = now + SLOW + AWAY;
        assert!(!pace.is_slow(later), "it is tried again");
        pace.took(later, later + SLOW);
        assert!(pace.is_slow(later + SLOW), "and is slow still");
        let later = later + SLOW + AWAY;
        pace.took(later, later + SLOW / 2);
        pace.took(later, later + SLOW);
        assert!(!pace.is_slow(later + SLOW), "and is quick again");
    }

    #[tokio::test]
    async fn a_row_is_found_whatever_the_pace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.sqlite");
        index::open(&path).unwrap();
        let readers = Readers::start(&path).unwrap();
        let lookups = Lookups::new(path);
        let buckets =
            |index: &Connection| Ok(index.query_row("SELECT count(*) FROM buckets", [], |row| row.get::<_, i64>(0))?);
        assert_eq!(lookups.find(&readers, buckets).await.unwrap(), 0);
        let long_ago = lookups.pace.start;
        (0..SLOW_MAX).for_each(|_| lookups.pace.took(long_ago, Instant::now() + SLOW));
        assert_eq!(lookups.find(&readers, buckets).await.unwrap(), 0);
        assert_eq!(lookups.spare.lock().unwrap().len(), 1);
    }
}
