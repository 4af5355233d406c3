//! The threads that read the index, each on a connection of its own.
//!
//! A read takes some microseconds, less than it takes to wake a thread. So few threads read for all: under load each goes
//! from one read to the next without sleeping in between, and keeps the pages that it has seen at hand.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Result, StoreError};
use crate::index;

/// Threads, at least and at most: a read that waits for the disk, or a long listing, holds up nobody else.
const THREADS: (usize, usize) = (4, 16);

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Reads the index for all who ask. Dropped, it waits for the reads that were asked for.
pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

struct Queue {
    path: PathBuf,
    asked: Mutex<Asked>,
    called: Condvar,
}

#[derive(Default)]
struct Asked {
    reads: VecDeque<Read>,
    /// Threads that sleep.
    idle: usize,
    closed: bool,
}

impl Readers {
    /// Starts the threads on the index at a path.
    pub(super) fn start(path: &Path) -> io::Result<Readers> {
        let queue = Queue { path: path.to_owned(), asked: Mutex::default(), called: Condvar::new() };
        let mut readers = Readers { queue: Arc::new(queue), threads: Vec::new() };
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).clamp(THREADS.0, THREADS.1) {
            let queue = Arc::clone(&readers.queue);
            readers.threads.push(thread::Builder::new().name("s3-index".to_owned()).spawn(move || queue.serve())?);
        }
        Ok(readers)
    }

    /// What a read finds. It is done even when nobody waits for it any more.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (found, answer) = oneshot::channel();
        self.queue.ask(Box::new(move |index| drop(found.send(read(index)))));
        // Nothing comes when the index cannot be opened, or from a read that panicked: told where it happened.
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Queue {
    fn ask(&self, read: Read) {
        let mut asked = self.lock();
        asked.reads.push_back(read);
        let somebody_sleeps = asked.idle > 0;
        drop(asked);
        if somebody_sleeps {
            self.called.notify_one();
        }
    }

    fn serve(&self) {
        let mut index = None;
        while let Some(read) = self.next() {
            if index.is_none() {
                index = index::connect(&self.path)
                    .inspect_err(|error| tracing::error!(%error, "cannot open the index of the store"))
                    .ok();
            }
            if let Some(open) = &index
                && catch_unwind(AssertUnwindSafe(|| read(open))).is_err()
            {
                index = None;
            }
        }
    }

    fn next(&self) -> Option<Read> {
        let mut asked = self.lock();
        loop {
            match asked.reads.pop_front() {
                None if !asked.closed => {}
                next => return next,
            }
            asked.idle += 1;
            asked = self.called.wait(asked).unwrap_or_else(PoisonError::into_inner);
            asked.idle -= 1;
        }
    }

    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.called.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // a panic there was reported there
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn readers() -> (tempfile::TempDir, Readers) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.sqlite");
        index::open(&path).unwrap();
        let readers = Readers::start(&path).unwrap();
        (folder, readers)
    }

    fn buckets(index: &Connection) -> Result<i64> {
        Ok(index.query_row("SELECT count(*) FROM buckets", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn a_slow_read_holds_up_no_other() {
        let (_folder, readers) = readers();
        let barrier = Arc::new(Barrier::new(2));
        let reached = Arc::clone(&barrier);
        let slow = readers.read(move |index| {
            reached.wait();
            buckets(index)
        });
        let others = async {
            for _ in 0..100 {
                assert_eq!(readers.read(buckets).await.unwrap(), 0);
            }
            barrier.wait();
        };
        assert_eq!(tokio::join!(slow, others).0.unwrap(), 0);
    }

    #[tokio::test]
    async fn after_a_read_that_panics_the_next_is_served() {
        let (_folder, readers) = readers();
        for _ in 0..50 {
            let failed = readers.read(|_| -> Result<()> { panic!("a bug") }).await;
            assert!(matches!(failed, Err(StoreError::Closed)), "{failed:?}");
        }
        assert_eq!(readers.read(buckets).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_was_asked_for_is_read_before_the_end() {
        let (_folder, readers) = readers();
        let (told, count) = std::sync::mpsc::channel();
        for _ in 0..100 {
            let told = told.clone();
            readers.queue.ask(Box::new(move |_| told.send(()).unwrap()));
        }
        drop((readers, told));
        assert_eq!(count.iter().count(), 100);
    }
}
