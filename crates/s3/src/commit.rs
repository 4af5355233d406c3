//! The one writer of the index: a thread that gathers what many callers want to change into one transaction.
//!
//! Whoever asked is answered after the commit, so an answer means that the change survives a power cut; and the cost
//! of the sync is shared by all who wait. A change that fails is rolled back alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::blobs::{BlobId, Blobs, Incoming};
use crate::content::Content;
use crate::error::{Result, StoreError};

/// Most changes in one transaction: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 256;

/// What a change may do: read and write the index, and say which blobs it now needs or no longer does.
pub(crate) struct Tx<'c> {
    pub(crate) index: &'c Connection,
    adopted: Vec<Incoming>,
    freed: Vec<BlobId>,
    /// SQLite rolled everything back by itself, as it does when the disk fails.
    aborted: Option<Failure>,
}

/// Why a transaction was not committed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// Nothing was written; the operator can make room.
    Full,
    /// Nobody knows what the disk holds.
    Unknown,
}

impl Failure {
    fn of(error: &StoreError) -> Failure {
        match error {
            StoreError::Index(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => Failure::Full,
            _ => Failure::Unknown,
        }
    }

    fn error(self) -> StoreError {
        match self {
            Failure::Full => StoreError::DiskFull,
            Failure::Unknown => StoreError::Poisoned,
        }
    }
}

impl Tx<'_> {
    /// The blob has its first object.
    pub(crate) fn adopt(&mut self, incoming: Incoming) -> Result<()> {
        let mut insert = self.index.prepare_cached("INSERT INTO blobs (id, refs) VALUES (?1, 1)")?;
        insert.execute([incoming.id.to_string()])?;
        self.adopted.push(incoming);
        Ok(())
    }

    /// One more object or part shares these bytes. The caller holds a lease on them, or another object does.
    pub(crate) fn share(&mut self, content: &Content) -> Result<()> {
        let mut update = self.index.prepare_cached("UPDATE blobs SET refs = refs + 1 WHERE id = ?1")?;
        for id in content.blobs() {
            if update.execute([id.to_string()])? != 1 {
                return Err(StoreError::Damaged(format!("the blob {id} is not counted")));
            }
        }
        Ok(())
    }

    /// An object or part that had these bytes is gone.
    pub(crate) fn release(&mut self, content: &Content) -> Result<()> {
        let mut update = self.index.prepare_cached("UPDATE blobs SET refs = refs - 1 WHERE id = ?1 RETURNING refs")?;
        for id in content.blobs() {
            let refs: i64 = update.query_row([id.to_string()], |row| row.get(0))?;
            if refs == 0 {
                self.freed.push(id);
            }
        }
        Ok(())
    }
}

type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Reply + Send>;
/// Told whether the transaction was committed.
type Reply = Box<dyn FnOnce(Result<(), Failure>)>;

/// The way to the writer.
pub(crate) struct Committer {
    jobs: Sender<Job>,
    poisoned: Arc<AtomicBool>,
}

impl Committer {
    /// Starts the writer. It ends, and closes the index, when the committer is dropped. `freed` is given the blobs
    /// that no object names any more; `swept` yields those whose files are gone.
    pub(crate) fn start(
        index: Connection,
        blobs: Arc<Blobs>,
        freed: Sender<Vec<BlobId>>,
        swept: Receiver<Vec<BlobId>>,
    ) -> Result<(Committer, JoinHandle<()>)> {
        let (jobs, queue) = mpsc::channel();
        let poisoned = Arc::new(AtomicBool::new(false));
        let writer = Writer { index, blobs, freed, swept, poisoned: poisoned.clone() };
        let thread = thread::Builder::new().name("s3-index".into()).spawn(move || writer.run(&queue));
        let thread = thread.map_err(StoreError::io("start the thread of the index"))?;
        Ok((Committer { jobs, poisoned }, thread))
    }

    /// Does `change` and answers once it is durable. Dropping the future does not undo it.
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let outcome = within_savepoint(tx, change);
            Box::new(move |committed| {
                let outcome = committed.map_err(Failure::error).and(outcome);
                let _ = answer.send(outcome); // an error: nobody waits, the client left
            })
        });
        self.jobs.send(job).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

fn within_savepoint<T>(tx: &mut Tx<'_>, change: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
    let (adopted, freed) = (tx.adopted.len(), tx.freed.len());
    if let Some(failure) = tx.aborted {
        return Err(failure.error());
    }
    tx.index.execute_batch("SAVEPOINT change")?;
    let outcome = change(tx);
    if let Err(error) = &outcome {
        if tx.index.is_autocommit() {
            tx.aborted = Some(Failure::of(error));
            return outcome;
        }
        tx.index.execute_batch("ROLLBACK TO change")?;
        tx.adopted.truncate(adopted);
        tx.freed.truncate(freed);
    }
    tx.index.execute_batch("RELEASE change")?;
    outcome
}

struct Writer {
    index: Connection,
    blobs: Arc<Blobs>,
    freed: Sender<Vec<BlobId>>,
    swept: Receiver<Vec<BlobId>>,
    poisoned: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(BATCH_MAX - 1));
            self.write(batch);
        }
    }

    fn write(&mut self, batch: Vec<Job>) {
        if self.poisoned.load(Ordering::Acquire) {
            return; // dropping the jobs answers `Closed`
        }
        let mut tx = Tx { index: &self.index, adopted: Vec::new(), freed: Vec::new(), aborted: None };
        let mut replies = Vec::with_capacity(batch.len());
        let committed = tx.index.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from).and_then(|()| {
            replies.extend(batch.into_iter().map(|job| job(&mut tx)));
            for id in self.swept.try_iter().flatten() {
                let mut forget = tx.index.prepare_cached("DELETE FROM blobs WHERE id = ?1 AND refs = 0")?;
                forget.execute([id.to_string()])?;
            }
            if let Some(failure) = tx.aborted {
                return Err(failure.error());
            }
            if !tx.adopted.is_empty() {
                self.blobs.sync_incoming()?;
            }
            tx.index.execute_batch("COMMIT").map_err(StoreError::from)
        });
        let Tx { adopted, freed, .. } = tx;
        let committed = match committed {
            Ok(()) => {
                adopted.into_iter().for_each(Incoming::publish);
                let _ = self.freed.send(freed); // an error: the sweeper is gone, and the next start sweeps
                Ok(())
            }
            Err(error) => Err(self.failed(&error, adopted)),
        };
        for reply in replies {
            reply(committed);
        }
    }

    /// A full disk is the operator's to clear, and nothing was written; after any other failure nobody knows what the
    /// disk holds, and trying again would only hide it.
    fn failed(&self, error: &StoreError, adopted: Vec<Incoming>) -> Failure {
        if !self.index.is_autocommit()
            && let Err(error) = self.index.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "cannot roll back the index");
        }
        let failure = if matches!(error, StoreError::DiskFull) { Failure::Full } else { Failure::of(error) };
        match failure {
            Failure::Full => tracing::error!("the disk of the object store is full"),
            Failure::Unknown => {
                self.poisoned.store(true, Ordering::Release);
                tracing::error!(error = error as &dyn std::error::Error, "the object store stops writing");
                adopted.into_iter().for_each(Incoming::leave);
            }
        }
        failure
    }
}
