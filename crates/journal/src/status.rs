//! How the followers fare, for health and metrics.

use crate::queue::Queue;
use crate::{Ahead, FollowError, Seq};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How one follower fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerStatus {
    /// Its name.
    pub name: String,
    /// The first entry that it has not taken yet; `None` until it has told where it stands.
    pub position: Option<Seq>,
    /// Entries between it and the end of the journal.
    pub lag: u64,
    /// What failed last, unless something has succeeded since.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub failures: u64,
    /// Entries that it never saw because retention had removed them.
    pub skipped: u64,
    /// Whether its loop runs.
    pub running: bool,
}

/// Where the status of one follower is read; cheap to clone.
#[derive(Clone)]
pub struct FollowerHandle {
    queue: Arc<Queue>,
    status: Arc<Mutex<Record>>,
}

/// What the loop has noted.
struct Record {
    status: FollowerStatus,
    /// How far the follower has come without its loop.
    ahead: Option<Ahead>,
    /// Failures since the start.
    all_failures: u64,
}

impl FollowerHandle {
    pub(crate) fn new(queue: Arc<Queue>, name: &str) -> FollowerHandle {
        let status = FollowerStatus {
            name: name.to_string(),
            position: None,
            lag: 0,
            last_error: None,
            failures: 0,
            skipped: 0,
            running: true,
        };
        FollowerHandle { queue, status: Arc::new(Mutex::new(Record { status, ahead: None, all_failures: 0 })) }
    }

    /// How the follower fares now.
    pub fn status(&self) -> FollowerStatus {
        let record = self.record();
        let mut status = record.status.clone();
        status.position = record.position();
        drop(record);
        status.lag = self.lag(status.position);
        status
    }

    pub(crate) fn runs_ahead(&self, ahead: Option<Ahead>) {
        self.record().ahead = ahead;
    }

    pub(crate) fn stands_at(&self, position: Seq) {
        self.record().status.position = Some(position);
    }

    pub(crate) fn skipped(&self, entries: u64) {
        self.record().status.skipped += entries;
    }

    pub(crate) fn succeeded(&self) {
        let status = &mut self.record().status;
        status.last_error = None;
        status.failures = 0;
    }

    /// Returns how often it has failed in a row.
    pub(crate) fn failed(&self, error: &FollowError) -> u64 {
        let mut record = self.record();
        record.all_failures += 1;
        record.status.failures += 1;
        record.status.last_error = Some(error.to_string());
        record.status.failures
    }

    pub(crate) fn ended(&self, error: Option<String>) {
        let status = &mut self.record().status;
        status.running = false;
        status.last_error = error.or(status.last_error.take());
    }

    fn lag(&self, position: Option<Seq>) -> u64 {
        position.map_or(0, |position| self.queue.end().0.saturating_sub(position.0))
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// Where the follower stands; a loop that ended takes nothing more.
    fn position(&self) -> Option<Seq> {
        let ahead = self.ahead.as_ref().filter(|_| self.status.running).and_then(|ahead| ahead());
        self.status.position.map(|position| ahead.map_or(position, |ahead| position.max(ahead)))
    }
}

impl fmt::Debug for FollowerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

/// All followers of a journal, by name; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followers(Arc<Mutex<Vec<FollowerHandle>>>);

/// One follower as metrics see it.
#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) name: String,
    pub(crate) lag: u64,
    pub(crate) failures: u64,
    pub(crate) skipped: u64,
}

impl Followers {
    /// Adds one, in place of an earlier one of the same name.
    pub(crate) fn add(&self, handle: FollowerHandle) {
        let mut list = self.list();
        let name = handle.status().name;
        list.retain(|other| other.record().status.name != name);
        list.push(handle);
    }

    /// Takes one off that has ended as it should: nobody waits for it any more.
    pub(crate) fn remove(&self, handle: &FollowerHandle) {
        self.list().retain(|other| !Arc::ptr_eq(&other.status, &handle.status));
    }

    pub(crate) fn status(&self) -> Vec<FollowerStatus> {
        self.list().iter().map(FollowerHandle::status).collect()
    }

    pub(crate) fn gauges(&self) -> Vec<Gauges> {
        let gauges = |handle: &FollowerHandle| {
            let record = handle.record();
            let status = &record.status;
            Gauges {
                name: status.name.clone(),
                lag: handle.lag(record.position()),
                failures: record.all_failures,
                skipped: status.skipped,
            }
        };
        self.list().iter().map(gauges).collect()
    }

    fn list(&self) -> MutexGuard<'_, Vec<FollowerHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
