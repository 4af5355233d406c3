//! One follower for each trail that has something to deliver.

use crate::digester::{DigestTools, Digester};
use crate::follower::{Tools, TrailFollower};
use crate::notify::{LogsDelivery, LogsTools, Notifier, NotifyOptions, NotifyTools};
use crate::router::{Feeds, Router};
use crate::transparency::Transparency;
use crate::{Home, LogBucket, NowMs, SigningKeys, period};
use futures_util::FutureExt;
use journal::{FollowOptions, FollowerHandle, FollowerStatus, Journal, JournalError, Seq};
use registry::{
    DeletedTrail, DeliveryState, Document, Documents, LogsState, Registry, RegistryError, Trail, Versioned, Watch,
};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How log files are delivered.
#[derive(Clone)]
pub struct DeliveryOptions {
    /// Whose house it is.
    pub home: Home,
    /// How long the first event of a file waits for others. CloudTrail: about five minutes.
    pub interval: Duration,
    /// The length of a digest's window, at least a second. CloudTrail: an hour.
    pub digest_interval: Duration,
    /// What digests are signed with.
    pub keys: SigningKeys,
    /// The transparency logs; `None` to keep none.
    pub transparency: Option<Transparency>,
    /// How followers read the journal, retry and drain.
    pub follow: FollowOptions,
    /// The clock of delivery times.
    pub now_ms: NowMs,
    /// Who tells topics and log groups.
    pub notify: NotifyOptions,
}

/// The delivery of all trails, under way.
pub struct Delivery {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    /// Until it is drained.
    supervisor: Mutex<Option<JoinHandle<()>>>,
    logs: LogsDelivery,
    notifier: Notifier,
}

struct Shared {
    tools: Tools,
    /// Trails that were deleted and are still owed something.
    deleted: Documents<DeletedTrail>,
    /// By trail ARN, for health to read.
    running: Mutex<BTreeMap<String, Running>>,
    /// Who looks at entries for all of them.
    router: FollowerHandle,
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

/// The loop of a trail's follower that ended: the trail's ARN and creation time, and how; `None` if it panicked.
type Ended = (String, u64, Option<Result<TrailFollower, JournalError>>);

/// How long the final digests of a trail may hold up the others.
const LAST_DIGESTS: Duration = Duration::from_secs(10);

/// Waits between tries to deliver what a deleted trail is owed, and the longest while another waits for its name.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
const PATIENCE: Duration = Duration::from_secs(4);

/// How often it is looked whether a trail that was stopped is done.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The first entry of the journal that no trail has come to yet: a journal that ends before it has lost entries that were
/// delivered or sent.
///
/// # Errors
/// [`RegistryError`] when delivery states cannot be read.
pub fn delivered_to(registry: &Registry) -> Result<Seq, RegistryError> {
    let files = registry.list::<DeliveryState>()?;
    let files = files.iter().map(|state| state.pending.as_ref().map_or(state.next, |cut| state.next.max(cut.to)));
    let sent = registry.list::<LogsState>()?;
    Ok(Seq(files.chain(sent.iter().map(|state| state.next)).max().unwrap_or(0)))
}

impl Delivery {
    /// Starts delivery; needs a tokio runtime. Trails that come, change or go are followed from then on.
    ///
    /// # Errors
    /// [`RegistryError`] when trails or delivery states cannot be read.
    pub fn start(
        journal: &Journal,
        registry: &Registry,
        bucket: Arc<dyn LogBucket>,
        options: DeliveryOptions,
    ) -> Result<Delivery, RegistryError> {
        let (trails, states) = (registry.documents()?, registry.documents()?);
        let feeds = Feeds::new(trails.clone(), route_from(journal, &trails, &states), Arc::clone(&options.now_ms));
        let (route, routed) = oneshot::channel::<()>();
        let (router, routing) = journal::follow(journal, Router::new(feeds.clone()), options.follow, async move {
            let _ = routed.await;
        });
        let NotifyOptions { topics, log_groups, metrics } = options.notify;
        let notify = NotifyTools::new(registry, topics, metrics.clone(), Arc::clone(&options.now_ms))?;
        let logs = LogsTools {
            home: options.home.clone(),
            trails: trails.clone(),
            states: registry.documents()?,
            feeds: feeds.clone(),
            groups: log_groups,
            metrics,
            now_ms: Arc::clone(&options.now_ms),
        };
        let tools = Tools {
            home: options.home,
            trails,
            states,
            feeds,
            notify: notify.clone(),
            digests: DigestTools::new(
                registry,
                options.keys,
                Arc::clone(&bucket),
                options.digest_interval,
                Arc::clone(&options.now_ms),
            )?,
            bucket,
            interval: options.interval,
            now_ms: options.now_ms,
            transparency: options.transparency,
        };
        let changes = tools.trails.watch();
        let shared = Arc::new(Shared { tools, deleted: registry.documents()?, running: Mutex::default(), router });
        let mut supervisor = Supervisor {
            shared: Arc::clone(&shared),
            journal: journal.clone(),
            options: options.follow,
            loops: JoinSet::new(),
            unfinished: BTreeSet::new(),
            waiting: BTreeMap::new(),
            route: Some(route),
            routing: tokio::spawn(routing),
        };
        supervisor.reconcile();
        let (stop, stopped) = watch::channel(false);
        let supervisor = Mutex::new(Some(tokio::spawn(supervisor.run(changes, stopped))));
        let logs = LogsDelivery::start(journal, logs, options.follow);
        Ok(Delivery { shared, stop, supervisor, logs, notifier: Notifier::start(notify) })
    }

    /// How each trail's followers fare: those that deliver files, by trail ARN, then those that send events. One that is not
    /// running any more has failed for good.
    pub fn statuses(&self) -> Vec<FollowerStatus> {
        let files: Vec<_> = lock(&self.shared.running).values().map(|running| running.handle.status()).collect();
        files.into_iter().chain(self.logs.statuses()).collect()
    }

    /// How the follower fares that looks at entries for all trails.
    pub fn router(&self) -> FollowerStatus {
        self.shared.router.status()
    }

    /// The first journal entry that delivery may still need, also after a crash; `None` when it needs none. Retention
    /// must not pass it.
    pub fn keep_from(&self) -> Option<Seq> {
        let tools = &self.shared.tools;
        let resume_at = |trail: Versioned<Trail>| {
            let state = tools.states.get(&trail.arn());
            period::resume_at(&trail, state.as_deref())
        };
        let files = tools.trails.list().into_iter().filter_map(resume_at).map(Seq);
        let owed = self.shared.deleted.list().into_iter().filter_map(|gone| {
            let state = tools.states.get(&gone.trail.arn());
            period::resume_at(&gone.trail, state.as_deref()).map(Seq)
        });
        files.chain(owed).chain(self.logs.keep_from()).min()
    }

    /// Delivers what is gathered and ends. Bounded by [`FollowOptions::drain`]; what is not delivered then is at the
    /// next start.
    pub async fn drain(&self) {
        self.stop.send_replace(true);
        let supervisor = futures_util::future::OptionFuture::from(lock(&self.supervisor).take());
        let (ended, ()) = tokio::join!(supervisor, self.logs.drain());
        if let Some(Err(error)) = ended {
            tracing::error!(%error, "delivery ended badly");
        }
        self.notifier.drain().await;
    }
}

struct Supervisor {
    shared: Arc<Shared>,
    journal: Journal,
    options: FollowOptions,
    loops: JoinSet<Ended>,
    /// By ARN, the trails whose loops have not been seen to end.
    unfinished: BTreeSet<String>,
    /// By ARN, when a deleted trail that is owed something is tried again, and after which wait.
    waiting: BTreeMap<String, (Instant, Duration)>,
    /// Dropped to stop the router.
    route: Option<oneshot::Sender<()>>,
    routing: JoinHandle<Result<Router, JournalError>>,
}

impl Supervisor {
    async fn run(mut self, mut changes: Watch, mut stopped: watch::Receiver<bool>) {
        self.forget_the_gone().await;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while !*stopped.borrow() {
            let now = Instant::now();
            let due = self.waiting.values().map(|(at, _)| *at).filter(|at| *at > now).min();
            tokio::select! {
                _ = stopped.changed() => break,
                Some(ended) = self.loops.join_next() => self.ended(ended).await,
                changed = changes.changed() => if changed.is_err() { break },
                ended = &mut self.routing, if self.route.is_some() => {
                    let ended = ended.map(|ended| ended.map(drop));
                    tracing::error!(?ended, "nobody looks at entries for all trails any more");
                    self.route = None;
                    self.shared.tools.feeds.close();
                }
                _ = looks.tick() => {}
                () = tokio::time::sleep_until(due.unwrap_or(now).into()), if due.is_some() => {}
            }
            self.shared.tools.feeds.turn();
            self.reconcile();
        }
        self.stop_routing().await;
        for running in lock(&self.shared.running).values_mut() {
            running.keep = None;
        }
        while let Some(ended) = self.loops.join_next().await {
            self.ended(ended).await;
        }
    }

    /// Lets the router finish; from then on each trail reads for itself what is left.
    async fn stop_routing(&mut self) {
        if self.route.take().is_some()
            && let Err(error) = (&mut self.routing).await
        {
            tracing::error!(%error, "the router of the trails ended badly");
        }
        self.shared.tools.feeds.close();
    }

    /// Removes states whose trail was deleted just before an earlier process ended.
    async fn forget_the_gone(&self) {
        let tools = &self.shared.tools;
        let is_forgotten = |arn: &str| tools.trails.get(arn).is_none() && self.owed(arn).is_none();
        for state in tools.states.list().into_iter().filter(|state| is_forgotten(&state.trail_arn)) {
            on_disk(&tools.states, move |states| forget(states, &state.trail_arn)).await;
        }
        for left in tools.digests.states.list().into_iter().filter(|state| is_forgotten(&state.trail_arn)) {
            let (digests, arn) = (tools.digests.clone(), left.trail_arn.clone());
            // A bucket that does not answer must not hold up the others.
            tokio::spawn(async move {
                if let Err(error) = Digester::backfill(digests, left).await {
                    tracing::warn!(trail = arn, %error, "the last log files of a deleted trail are in no digest yet");
                }
            });
        }
    }

    /// The trail of that ARN that was deleted first, of those that are still owed something.
    fn owed(&self, arn: &str) -> Option<Versioned<DeletedTrail>> {
        let of_arn = self.shared.deleted.list().into_iter().filter(|gone| gone.trail.arn() == arn);
        of_arn.min_by_key(|gone| gone.trail.created_ms)
    }

    /// Makes what runs what should run.
    fn reconcile(&mut self) {
        let shared = Arc::clone(&self.shared);
        let trails: BTreeMap<String, Versioned<Trail>> =
            shared.tools.trails.list().into_iter().map(|trail| (trail.arn(), trail)).collect();
        let mut running = lock(&shared.running);
        for (arn, one) in running.iter_mut() {
            let Some(trail) = trails.get(arn).filter(|trail| trail.created_ms == one.trail_created_ms) else {
                one.keep = None;
                continue;
            };
            // Entries up to the end of the journal are taken, and none that comes can be wanted.
            let over = period::over_since(trail, (shared.tools.now_ms)());
            if over.is_some() && one.keep.is_some() && is_caught_up(&one.handle.status()) {
                (one.keep, one.resting) = (None, over);
            }
        }
        // A loop that failed stays listed while its trail is there, so that health shows it.
        let is_listed =
            |arn: &String, one: &Running| trails.get(arn).is_some_and(|trail| trail.created_ms == one.trail_created_ms);
        let unfinished = &self.unfinished;
        running.retain(|arn, one| one.handle.status().running || is_listed(arn, one) || unfinished.contains(arn));
        // Before a trail that has taken the name of a deleted one: they have their states under the same key.
        let mut owed = BTreeSet::new();
        for gone in shared.deleted.list() {
            let arn = gone.trail.arn();
            let is_there = trails.get(&arn).is_some_and(|trail| trail.created_ms == gone.trail.created_ms);
            if is_there || running.contains_key(&arn) || self.unfinished.contains(&arn) {
                continue;
            }
            let state = shared.tools.states.get(&arn);
            if period::resume_at(&gone.trail, state.as_deref()).is_some() {
                owed.insert(arn.clone());
                // One that keeps another from its name has waited long enough.
                let is_due = |(at, wait): &(Instant, Duration)| {
                    *at <= Instant::now() || (*wait > PATIENCE && trails.contains_key(&arn))
                };
                if self.waiting.get(&arn).is_none_or(is_due) {
                    running.insert(arn.clone(), self.spawn_deleted(arn, &gone));
                }
            } else {
                let (deleted, states) = (shared.deleted.clone(), shared.tools.states.clone());
                tokio::spawn(async move {
                    on_disk(&states, move |_| deleted.delete(&gone.key(), gone.version)).await;
                });
            }
        }
        for (arn, trail) in trails {
            let state = shared.tools.states.get(&arn);
            // One that has ended and is not seen off yet would take its successor away.
            let is_free = !running.contains_key(&arn) && !self.unfinished.contains(&arn) && !owed.contains(&arn);
            if is_free && period::resume_at(&trail, state.as_deref()).is_some() {
                running.insert(arn.clone(), self.spawn(arn, trail));
            }
        }
    }

    fn spawn(&mut self, arn: String, trail: Versioned<Trail>) -> Running {
        let follower = TrailFollower::new(self.shared.tools.clone(), trail, self.journal.start().0);
        self.follow(arn, follower)
    }

    /// Delivers what a deleted trail is owed, and ends: nothing more can come.
    fn spawn_deleted(&mut self, arn: String, gone: &Versioned<DeletedTrail>) -> Running {
        let trail = Versioned { version: gone.version, document: Arc::new(gone.trail.clone()) };
        let (tools, start) = (self.shared.tools.clone(), self.journal.start().0);
        let follower = TrailFollower::of_deleted(tools, trail, gone.deleted_ms, start);
        Running { keep: None, ..self.follow(arn, follower) }
    }

    fn follow(&mut self, arn: String, follower: TrailFollower) -> Running {
        let trail_created_ms = follower.trail_created_ms();
        let (keep, kept) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = kept.await;
        };
        let (handle, follow) = journal::follow(&self.journal, follower, self.options, shutdown);
        self.unfinished.insert(arn.clone());
        self.loops.spawn(async move { (arn, trail_created_ms, AssertUnwindSafe(follow).catch_unwind().await.ok()) });
        Running { trail_created_ms, handle, keep: Some(keep), resting: None }
    }

    /// A loop has ended: because it was stopped, or because it cannot go on.
    async fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let (arn, created_ms, result) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a trail's delivery was broken off");
                return;
            }
        };
        self.unfinished.remove(&arn);
        let why = match result {
            None => Some("it panicked".to_owned()),
            Some(Err(error)) => Some(error.to_string()),
            Some(Ok(follower)) => {
                self.finished(&arn, follower).await;
                None
            }
        };
        if let Some(why) = why {
            tracing::error!(trail = arn, why, "delivery of the trail stopped");
            // One that is there stays listed, and stands until the next start.
            if self.shared.tools.trails.get(&arn).is_none_or(|trail| trail.created_ms != created_ms) {
                lock(&self.shared.running).remove(&arn);
                self.try_later(&arn, created_ms, &why).await;
            }
        }
        if self.shared.tools.trails.get(&arn).is_none() && self.owed(&arn).is_none() {
            on_disk(&self.shared.tools.states, move |states| forget(states, &arn)).await;
        }
    }

    /// A loop was stopped: the trail rests or is gone, or the process ends.
    async fn finished(&mut self, arn: &str, follower: TrailFollower) {
        let one = lock(&self.shared.running).remove(arn);
        let shared = Arc::clone(&self.shared);
        let tools = &shared.tools;
        let created_ms = follower.trail_created_ms();
        let is_gone = tools.trails.get(arn).is_none_or(|trail| trail.created_ms != created_ms);
        // One whose drain ran out of time has not taken all that there is.
        let has_all = one.as_ref().is_none_or(|one| one.handle.status().last_error.is_none());
        let last = async {
            match one.and_then(|one| one.resting) {
                _ if is_gone && !has_all => Ok(false),
                _ if is_gone => follower.part().await,
                Some(resting) => follower.finish(resting).await.map(|()| true),
                None => Ok(true),
            }
        };
        let why = match tokio::time::timeout(LAST_DIGESTS, last).await {
            Ok(Ok(true)) if is_gone => {
                self.waiting.remove(arn);
                return self.settled(arn, created_ms).await;
            }
            Ok(Ok(true)) => return,
            Ok(Ok(false)) => "log files are not delivered".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its last digests could not be delivered in time".to_owned(),
        };
        if is_gone {
            self.try_later(arn, created_ms, &why).await;
        } else {
            tracing::warn!(trail = arn, why, "cannot finish a trail that was stopped");
        }
    }

    /// A deleted trail is owed something and cannot get it. One whose name another has taken keeps that one from being
    /// delivered, and is given up after some tries.
    async fn try_later(&mut self, arn: &str, created_ms: u64, why: &str) {
        let wait = self.waiting.get(arn).map_or(RETRY.0, |(_, wait)| (*wait * 2).min(RETRY.1));
        if wait > PATIENCE && self.shared.tools.trails.get(arn).is_some() {
            tracing::error!(trail = arn, why, "gave up what a deleted trail was owed: another has taken its name");
            self.waiting.remove(arn);
            self.settled(arn, created_ms).await;
        } else {
            let wait_ms = wait.as_millis() as u64;
            tracing::warn!(
                trail = arn,
                why,
                wait_ms,
                "a deleted trail is still owed log files or digests; trying again"
            );
            self.waiting.insert(arn.to_owned(), (Instant::now() + wait, wait));
        }
    }
}

impl Supervisor {
    /// A trail that is gone has all that it was owed.
    async fn settled(&self, arn: &str, created_ms: u64) {
        let (tools, deleted) = (&self.shared.tools, self.shared.deleted.clone());
        let (digests, arn) = (tools.digests.clone(), arn.to_owned());
        let is_free = tools.trails.get(&arn).is_none();
        on_disk(&tools.states, move |_| {
            if is_free {
                digests.forget(&arn)?;
            }
            match deleted.get(&DeletedTrail::key_of(&arn, created_ms)) {
                Some(gone) => deleted.delete(&gone.key(), gone.version),
                None => Ok(()),
            }
        })
        .await;
    }
}

/// Where the router begins: with what is not delivered yet, so that it is looked at once for all trails. A trail whose
/// bucket fails may be far behind, and is not waited for: it reads for itself.
fn route_from(journal: &Journal, trails: &Documents<Trail>, states: &Documents<DeliveryState>) -> Seq {
    let resume_at = |trail: Versioned<Trail>| {
        let state = states.get(&trail.arn());
        let fails = state.as_ref().is_some_and(|state| state.status.latest_error.is_some());
        period::resume_at(&trail, state.as_deref()).filter(|_| !fails).map(Seq)
    };
    let first = trails.list().into_iter().filter_map(resume_at).min();
    first.unwrap_or(journal.end()).clamp(journal.start(), journal.end())
}

/// Whether a follower has taken all there is.
fn is_caught_up(status: &FollowerStatus) -> bool {
    status.position.is_some() && status.lag == 0 && status.last_error.is_none()
}

/// Removes the state of a trail that is gone.
fn forget(states: &Documents<DeliveryState>, arn: &str) -> Result<(), RegistryError> {
    match states.get(arn) {
        Some(state) => states.delete(arn, state.version),
        None => Ok(()),
    }
}

/// Changes states away from the runtime's threads: a change blocks for a disk sync. What fails is done at the next start.
async fn on_disk(
    states: &Documents<DeliveryState>,
    change: impl FnOnce(&Documents<DeliveryState>) -> Result<(), RegistryError> + Send + 'static,
) {
    let states = states.clone();
    match tokio::task::spawn_blocking(move || change(&states)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "cannot save the state of a delivery"),
        Err(error) => tracing::error!(%error, "saving the state of a delivery failed"),
    }
}

/// A panic elsewhere leaves the map as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
