//! One follower for each trail that has events for a log group.

use super::logs::{LogsFollower, LogsTools, logs_resume_at};
use crate::off_thread::off_thread;
use crate::period;
use futures_util::FutureExt;
use journal::{FollowOptions, FollowerHandle, FollowerStatus, Journal, JournalError, Seq};
use registry::{Trail, Versioned, Watch};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How long log groups may hold up the end of the process. What is left then is sent after the next start.
const DRAIN: Duration = Duration::from_secs(5);
/// How often it is looked whether a trail that was stopped is done.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The delivery of all trails to their log groups, under way.
pub(crate) struct LogsDelivery {
    tools: LogsTools,
    running: Arc<Mutex<BTreeMap<String, Running>>>,
    stop: watch::Sender<bool>,
    /// Until it is drained.
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

/// A follower that runs, or whose loop ended with an error and waits for the operator.
struct Running {
    trail_created_ms: u64,
    handle: FollowerHandle,
    /// Dropped to stop it.
    keep: Option<oneshot::Sender<()>>,
    /// The stop of logging for which it is being stopped: nothing more can come.
    resting: Option<u64>,
}

/// A follower's loop that ended; `None` if it panicked.
type Ended = (String, Option<Result<LogsFollower, JournalError>>);

impl LogsDelivery {
    /// Starts; needs a tokio runtime. Trails that come, change or go are followed from then on.
    pub(crate) fn start(journal: &Journal, tools: LogsTools, follow: FollowOptions) -> LogsDelivery {
        let running = Arc::new(Mutex::default());
        let changes = tools.trails.watch();
        let mut supervisor = Supervisor {
            tools: tools.clone(),
            running: Arc::clone(&running),
            journal: journal.clone(),
            follow: FollowOptions { drain: DRAIN.min(follow.drain), ..follow },
            loops: JoinSet::new(),
            unfinished: BTreeSet::new(),
        };
        supervisor.reconcile();
        let (stop, stopped) = watch::channel(false);
        let supervisor = tokio::spawn(supervisor.run(changes, stopped));
        LogsDelivery { tools, running, stop, supervisor: Mutex::new(Some(supervisor)) }
    }

    /// How each follower fares.
    pub(crate) fn statuses(&self) -> Vec<FollowerStatus> {
        lock(&self.running).values().map(|running| running.handle.status()).collect()
    }

    /// The first journal entry that a log group may still need; `None` when none needs any.
    pub(crate) fn keep_from(&self) -> Option<Seq> {
        let resume_at =
            |trail: Versioned<Trail>| logs_resume_at(&trail, self.tools.states.get(&trail.arn()).as_deref());
        self.tools.trails.list().into_iter().filter_map(resume_at).min().map(Seq)
    }

    /// Sends what is gathered and ends.
    pub(crate) async fn drain(&self) {
        self.stop.send_replace(true);
        let supervisor = lock(&self.supervisor).take();
        if let Some(Err(error)) = futures_util::future::OptionFuture::from(supervisor).await {
            tracing::error!(%error, "delivery to log groups ended badly");
        }
    }
}

struct Supervisor {
    tools: LogsTools,
    running: Arc<Mutex<BTreeMap<String, Running>>>,
    journal: Journal,
    follow: FollowOptions,
    loops: JoinSet<Ended>,
    /// By ARN, the trails whose loops have not been seen to end.
    unfinished: BTreeSet<String>,
}

impl Supervisor {
    async fn run(mut self, mut changes: Watch, mut stopped: watch::Receiver<bool>) {
        for state in self.tools.states.list() {
            if self.tools.trails.get(&state.trail_arn).is_none() {
                self.forget(&state.trail_arn).await;
            }
        }
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while !*stopped.borrow() {
            tokio::select! {
                _ = stopped.changed() => break,
                Some(ended) = self.loops.join_next() => self.ended(ended).await,
                changed = changes.changed() => if changed.is_err() { break },
                _ = looks.tick() => {}
            }
            self.reconcile();
        }
        for running in lock(&self.running).values_mut() {
            running.keep = None;
        }
        while let Some(ended) = self.loops.join_next().await {
            self.ended(ended).await;
        }
    }

    /// Makes what runs what should run.
    fn reconcile(&mut self) {
        let all = self.tools.trails.list().into_iter();
        let trails: BTreeMap<String, Versioned<Trail>> = all.map(|trail| (trail.arn(), trail)).collect();
        let shared = Arc::clone(&self.running);
        let mut running = lock(&shared);
        let has_group = |arn: &String, created_ms: u64| {
            trails
                .get(arn)
                .filter(|trail| trail.created_ms == created_ms && trail.cloud_watch_logs_log_group_arn.is_some())
        };
        for (arn, one) in running.iter_mut() {
            let Some(trail) = has_group(arn, one.trail_created_ms) else {
                one.keep = None;
                continue;
            };
            // Entries up to the end of the journal are taken, and none that comes can be wanted.
            let over = period::over_since(trail, (self.tools.now_ms)());
            let status = one.handle.status();
            let is_caught_up = status.position.is_some() && status.lag == 0 && status.last_error.is_none();
            if over.is_some() && one.keep.is_some() && is_caught_up {
                (one.keep, one.resting) = (None, over);
            }
        }
        // A loop that failed stays listed while its trail is there, so that health shows it.
        running.retain(|arn, one| one.handle.status().running || has_group(arn, one.trail_created_ms).is_some());
        for (arn, trail) in trails {
            let state = self.tools.states.get(&arn);
            // One that has ended and is not seen off yet would take its successor away.
            let is_free = !running.contains_key(&arn) && !self.unfinished.contains(&arn);
            if is_free && logs_resume_at(&trail, state.as_deref()).is_some() {
                running.insert(arn.clone(), self.spawn(arn, trail));
            }
        }
    }

    fn spawn(&mut self, arn: String, trail: Versioned<Trail>) -> Running {
        let trail_created_ms = trail.created_ms;
        let follower = LogsFollower::new(self.tools.clone(), trail, self.journal.start().0);
        let (keep, kept) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = kept.await;
        };
        let (handle, follow) = journal::follow(&self.journal, follower, self.follow, shutdown);
        self.unfinished.insert(arn.clone());
        self.loops.spawn(async move { (arn, AssertUnwindSafe(follow).catch_unwind().await.ok()) });
        Running { trail_created_ms, handle, keep: Some(keep), resting: None }
    }

    /// A loop has ended: because it was stopped, or because it cannot go on.
    async fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let (arn, result) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a trail's delivery to its log group was broken off");
                return;
            }
        };
        self.unfinished.remove(&arn);
        let follower = match result {
            Some(Ok(follower)) => follower,
            Some(Err(error)) => {
                tracing::error!(trail = arn, %error, "delivery of the trail to its log group stopped");
                return;
            }
            None => {
                tracing::error!(
                    trail = arn,
                    "delivery of the trail to its log group panicked and stands until the next start"
                );
                return;
            }
        };
        let resting = lock(&self.running).remove(&arn).and_then(|one| one.resting);
        match self.tools.trails.get(&arn) {
            None => self.forget(&arn).await,
            Some(trail) if trail.created_ms == follower.trail_created_ms() => {
                if let Some(resting) = resting
                    && let Err(error) = follower.finish(resting).await
                {
                    tracing::warn!(trail = arn, %error, "cannot save that a trail's log group has everything");
                }
            }
            Some(_) => {}
        }
    }

    /// Removes the state of a trail that is gone. What fails is done at the next start.
    async fn forget(&self, arn: &str) {
        let (states, arn) = (self.tools.states.clone(), arn.to_owned());
        let delete = move || match states.get(&arn) {
            Some(state) => states.delete(&arn, state.version),
            None => Ok(()),
        };
        if let Err(error) = off_thread(delete).await {
            tracing::warn!(%error, "cannot remove the state of a trail that is gone");
        }
    }
}

/// A panic elsewhere leaves the map as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
