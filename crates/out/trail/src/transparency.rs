//! Proof of completeness: a transparency log over every delivered event of a trail, beside its digests
//! (`docs/formats/transparency-log.md`; C2SP tlog-tiles, tlog-checkpoint, tlog-witness, tlog-proof).
//!
//! Digests prove that files are as they were signed, to those who trust the holder of the key. The log proves more: each event has
//! its place in one Merkle tree that only grows, and whoever keeps one checkpoint, 200 bytes, sees whether anything before it was
//! changed or anything after it taken away, also by the holder of all keys.
//!
//! A delivered cut leaves its entries in a file of the data folder (`spool`) before delivery moves on; a task for each log takes
//! them from there, so that a log that cannot be written holds up no log file. `log` says why there are never two trees of one
//! size. Witnesses get the newest checkpoint each, in tasks of their own.
//!
//! The formats are made by hand on the cryptography that the house has: the crates for them (`tlog_tiles`, `signed_note`) bring a
//! second one, and read tiles synchronously.
//!
//! Pure: `merkle`, `layout`, `leaf`, `note`, `proof`, `records`, `rounds`, `witness`. I/O: `spool`, `log`, `witnessing`; for those who verify
//! `source`, `archived`, `audit`, `seen`.

pub mod archived;
pub mod audit;
mod audit_file;
pub mod layout;
pub mod leaf;
mod log;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod records;
mod rounds;
pub mod seen;
pub mod source;
mod spool;
pub mod witness;
mod witnessing;

use crate::cut::Cut;
use crate::name::ChainName;
use crate::off_thread::off_thread;
use crate::{BucketError, KeyError, LogBucket, NowMs, S3Endpoint, SigningKeys};
use registry::{Documents, Registry, RegistryError, Trail, TransparencyLog, Witnessed};
use rounds::Edge;
use spool::{Noted, Place, Spool};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use witness::Witness;
use witnessing::Attached;

/// How long logs may be written when the process ends. What waits then is written at the next start.
const DRAIN: Duration = Duration::from_secs(8);

/// The folder of transparency logs, beside `CloudTrail` and `CloudTrail-Digest`.
pub const KIND: &str = "CloudTrail-Transparency";

/// Makes a client of the S3 at a URL.
pub type Elsewhere = Box<dyn Fn(&str) -> Result<S3Endpoint, BucketError>>;

/// What the logs of all trails are made with.
pub struct TransparencyOptions {
    /// Where delivered cuts wait; made when it is not there.
    pub folder: PathBuf,
    /// What checkpoints are signed with.
    pub keys: SigningKeys,
    /// Where logs are written: the buckets of log files.
    pub bucket: Arc<dyn LogBucket>,
    /// Who else gets checkpoints.
    pub witnesses: Vec<Witness>,
    /// Makes a client of another S3, for witnesses.
    pub elsewhere: Elsewhere,
    /// The clock.
    pub now_ms: NowMs,
}

/// The logs of all trails, under way. Clones share them.
#[derive(Clone)]
pub struct Transparency(Arc<Inner>);

impl std::fmt::Debug for Transparency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transparency").finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    spool: Spool,
    states: Documents<TransparencyLog>,
    witnessed: Documents<Witnessed>,
    keys: SigningKeys,
    bucket: Arc<dyn LogBucket>,
    witnesses: Vec<Arc<Attached>>,
    now_ms: NowMs,
    /// By trail ARN.
    tasks: Mutex<BTreeMap<String, Task>>,
    statuses: Mutex<BTreeMap<String, LogStatus>>,
    stop: watch::Sender<bool>,
}

struct Task {
    wake: Arc<Notify>,
    running: JoinHandle<()>,
}

/// Why there can be no logs.
#[derive(Debug, thiserror::Error)]
pub enum TransparencyError {
    /// The folder of the waiting cuts.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A witness.
    #[error("the witness {0} cannot be reached: {1}")]
    Witness(String, String),
}

/// How the log of one trail fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// ARN of the trail.
    pub trail_arn: String,
    /// Its name.
    pub origin: String,
    /// What its checkpoints are verified with, `NAME+ID+KEY`.
    pub public_key: String,
    /// The bucket that it lies in.
    pub bucket: String,
    /// What its keys begin with there.
    pub folder: String,
    /// Entries in it.
    pub size: u64,
    /// Its root, lower-case hex.
    pub root: String,
    /// When it was last written, milliseconds since the epoch.
    pub latest_ms: Option<u64>,
    /// Delivered cuts that are not in it yet.
    pub waiting: u64,
    /// Why it could not be written the last time.
    pub last_error: Option<String>,
    /// Its witnesses, by name.
    pub witnesses: BTreeMap<String, WitnessStatus>,
}

/// How a witness fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Entries in the latest checkpoint that it has.
    pub size: u64,
    /// Why it did not take one the last time.
    pub last_error: Option<String>,
}

impl LogStatus {
    /// What the saved state says; the rest as before.
    fn of(state: &TransparencyLog, before: &LogStatus) -> LogStatus {
        let root = Edge::load(&state.tree).map(|edge| hex::encode(edge.tree.root()));
        LogStatus {
            trail_arn: state.trail_arn.clone(),
            origin: state.origin.clone(),
            public_key: log::key_of(state).map(|key| key.to_string()).unwrap_or_default(),
            bucket: state.bucket.clone(),
            folder: state.folder.clone(),
            size: state.tree.size,
            root: root.unwrap_or_default(),
            latest_ms: state.latest_ms,
            ..before.clone()
        }
    }
}

impl Transparency {
    /// Starts the logs; needs a tokio runtime. What waited when the last process ended is written, whatever became of its trail.
    ///
    /// # Errors
    /// [`TransparencyError`].
    pub fn start(registry: &Registry, options: TransparencyOptions) -> Result<Transparency, TransparencyError> {
        let TransparencyOptions { folder, keys, bucket, witnesses, elsewhere, now_ms } = options;
        let failed = |source| TransparencyError::Folder { path: folder.clone(), source };
        let spool = Spool::open(folder.clone()).map_err(failed)?;
        let attach = |witness: &Witness| {
            let attached = Attached::new(witness, &bucket, elsewhere.as_ref());
            attached.map(Arc::new).map_err(|error| TransparencyError::Witness(witness.to_string(), error))
        };
        let witnesses = witnesses.iter().map(attach).collect::<Result<_, _>>()?;
        let inner = Arc::new(Inner {
            states: registry.documents()?,
            witnessed: registry.documents()?,
            keys,
            bucket,
            witnesses,
            now_ms,
            tasks: Mutex::default(),
            statuses: Mutex::default(),
            stop: watch::Sender::new(false),
            spool,
        });
        let waiting = inner.spool.trails().map_err(failed)?;
        for state in inner.states.list() {
            inner.tell(&state.trail_arn, |status| *status = LogStatus::of(&state, status));
            for witness in &inner.witnesses {
                if let Some(seen) = inner.witnessed.get(&Witnessed::key_of(&state.origin, &witness.name)) {
                    inner.tell_witness(&state.trail_arn, &witness.name, Ok(seen.size));
                }
            }
        }
        let known = inner.states.list().into_iter().map(|state| state.trail_arn.clone());
        for arn in known.chain(waiting) {
            inner.wake(&arn);
        }
        Ok(Transparency(inner))
    }

    /// How each log fares, by trail ARN.
    pub fn statuses(&self) -> Vec<LogStatus> {
        lock(&self.0.statuses).values().filter(|status| !status.trail_arn.is_empty()).cloned().collect()
    }

    /// Writes what waits and ends. Bounded; what is not written then is at the next start.
    pub async fn drain(&self) {
        self.0.stop.send_replace(true);
        let tasks = std::mem::take(&mut *lock(&self.0.tasks));
        let all = futures_util::future::join_all(tasks.into_values().map(|task| task.running));
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("a transparency log could not be written in time; it goes on at the next start");
        }
    }

    /// Keeps what a delivered cut adds to its trail's log; durable when it returns. Doing it again changes nothing.
    pub(crate) async fn note(&self, noted: Noted) -> std::io::Result<()> {
        let (inner, arn) = (Arc::clone(&self.0), noted.head.trail_arn.clone());
        off_thread(move || inner.spool.keep(noted)).await?;
        self.0.wake(&arn);
        Ok(())
    }
}

impl Inner {
    /// Tells a log's task that something waits; starts it where there is none.
    fn wake(self: &Arc<Inner>, arn: &str) {
        if *self.stop.borrow() {
            return;
        }
        let mut tasks = lock(&self.tasks);
        if let Some(task) = tasks.get(arn).filter(|task| !task.running.is_finished()) {
            task.wake.notify_one();
            return;
        }
        let wake = Arc::new(Notify::new());
        let task = log::LogTask::new(Arc::clone(self), arn);
        let running = tokio::spawn(task.run(Arc::clone(&wake), self.stop.subscribe()));
        tasks.insert(arn.to_owned(), Task { wake, running });
    }

    fn tell(&self, arn: &str, change: impl FnOnce(&mut LogStatus)) {
        change(lock(&self.statuses).entry(arn.to_owned()).or_default());
    }

    fn tell_witness(&self, arn: &str, witness: &str, done: Result<u64, String>) {
        self.tell(arn, |status| {
            let witness = status.witnesses.entry(witness.to_owned()).or_default();
            match done {
                Ok(size) => (witness.size, witness.last_error) = (size, None),
                Err(error) => witness.last_error = Some(error),
            }
        });
    }
}

/// What a delivered cut that begins at `from` adds to its trail's log; `None` where it adds nothing.
pub(crate) fn noted(cut: &Cut, trail: &Trail, from: u64) -> Option<Noted> {
    let bundle = cut.log_entries(trail)?;
    let name = ChainName {
        prefix: trail.s3_key_prefix.as_deref(),
        organization: None,
        account: &trail.account_id,
        region: &trail.home_region,
        trail: &trail.name,
        home_region: &trail.home_region,
    };
    let place = Place {
        trail_arn: trail.arn(),
        origin: format!("opentrail/{}/{}/{}", trail.account_id, trail.home_region, trail.name),
        trail_created_ms: trail.created_ms,
        bucket: trail.s3_bucket_name.clone(),
        folder: format!("{}{}/", name.folder(KIND), trail.name),
        kms_key_id: trail.kms_key_id.clone(),
    };
    Some(Noted::new(place, from, cut.to, bundle))
}

/// A panic elsewhere leaves the maps as they were.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
