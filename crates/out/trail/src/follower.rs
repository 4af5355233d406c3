//! The delivery of one trail: the only I/O between entries and objects.

use crate::cut::{Collection, Cut};
use crate::digester::{DigestTools, Digester};
use crate::notify::NotifyTools;
use crate::off_thread::off_thread;
use crate::router::{Feeds, Look, Tap, Turn};
use crate::scope::Scope;
use crate::transparency::{self, Transparency};
use crate::{BucketError, Home, LogBucket, ObjectHeaders, period};
use journal::{Ahead, Entry, Flush, FollowError, Follower, Reading, Seq};
use registry::{DeliveryState, Documents, Expected, PendingCut, RegistryError, Trail, Version, Versioned};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Milliseconds since the epoch, from a clock that tests can set.
pub type NowMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How long a bucket that takes nothing is tried before its events are given up
/// (`reference/trails-and-delivery.md` §7).
const REDELIVERY_MS: u64 = 30 * 24 * 3600 * 1000;

/// How often the position of a trail is saved for which nothing comes: the journal keeps what stands behind it.
const POSITION_EVERY: Duration = Duration::from_secs(300);

/// How much a follower takes before others have their turn, bytes: where there are few threads, the router must find in
/// memory what comes meanwhile.
const TURN_BYTES: usize = 1 << 20;

/// What a follower works with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) home: Home,
    pub(crate) trails: Documents<Trail>,
    pub(crate) states: Documents<DeliveryState>,
    pub(crate) feeds: Feeds,
    pub(crate) bucket: Arc<dyn LogBucket>,
    pub(crate) interval: Duration,
    pub(crate) now_ms: NowMs,
    pub(crate) digests: DigestTools,
    pub(crate) notify: NotifyTools,
    /// `None` where no transparency logs are kept.
    pub(crate) transparency: Option<Transparency>,
}

/// Delivers one trail.
pub(crate) struct TrailFollower {
    name: String,
    arn: String,
    tools: Tools,
    /// The trail under which `collection` is gathered: always one version for a whole cut, because it is saved with it.
    trail: Trail,
    /// `None` while a cut is made again, for a version that may be older than the trail's document.
    version: Option<Version>,
    scope: Scope,
    /// Where entries come from that were picked for this trail.
    tap: Tap,
    /// The last look was into the tap: its entries are wanted as they come.
    is_live: bool,
    /// Where the picked entries at hand end, and the changes of the trail among them.
    picked_to: u64,
    turns: VecDeque<Turn>,
    /// What is saved, and where it stands in the registry.
    state: DeliveryState,
    saved: Expected,
    /// The first entry not taken yet. Everything in `state.next..next` is in `collection` or not wanted.
    next: u64,
    collection: Collection,
    /// A cut that was saved before a crash and must be made again: where it ends, and its delivery time.
    again: Option<(u64, u64)>,
    /// A cut whose files are being delivered, and how many are.
    closed: Option<(Cut, usize)>,
    /// Since when something waits to be delivered or saved.
    waiting: Option<Instant>,
    digester: Digester,
    /// When the position was looked at last.
    looked: Instant,
    /// Since when it tries to deliver, milliseconds since the epoch.
    began_ms: u64,
}

impl TrailFollower {
    /// The follower of a trail, from its saved state. `journal_start`: the oldest entry that the journal has.
    pub(crate) fn new(tools: Tools, trail: Versioned<Trail>, journal_start: u64) -> TrailFollower {
        let tap = tools.feeds.tap(&trail);
        TrailFollower::with(tools, trail, tap, journal_start)
    }

    /// The same of a trail that was deleted at `deleted_ms`: what it is still owed.
    pub(crate) fn of_deleted(
        tools: Tools,
        trail: Versioned<Trail>,
        deleted_ms: u64,
        journal_start: u64,
    ) -> TrailFollower {
        let tap = tools.feeds.tap_of_deleted(&trail, deleted_ms);
        TrailFollower::with(tools, trail, tap, journal_start)
    }

    fn with(tools: Tools, trail: Versioned<Trail>, tap: Tap, journal_start: u64) -> TrailFollower {
        let arn = trail.arn();
        let found = tools.states.get(&arn);
        let saved = found.as_ref().map_or(Expected::Absent, |found| Expected::At(found.version));
        let mut state = found
            .filter(|found| found.trail_created_ms == trail.created_ms)
            .map_or_else(|| DeliveryState::of(&trail), |found| DeliveryState::clone(&found));
        let resume_at = period::resume_at(&trail, Some(&state)).unwrap_or(state.next);
        if resume_at < journal_start && state.pending.take().is_some() {
            tracing::error!(
                trail = arn,
                "part of a delivery under way is no longer in the journal; going on behind it"
            );
        }
        state.next = resume_at.max(journal_start);
        state.finished_ms = None;
        let (trail_as_cut, again) = match &state.pending {
            Some(pending) => (pending.trail.clone(), Some((pending.to, pending.delivery_ms))),
            None => (Trail::clone(&trail), None),
        };
        let digester = Digester::new(tools.digests.clone(), &trail);
        let is_logged = tools.transparency.is_some();
        TrailFollower {
            name: tools.home.follower_name("trail", &trail),
            began_ms: (tools.now_ms)(),
            arn,
            tap,
            tools,
            scope: Scope::of(&trail_as_cut),
            trail: trail_as_cut,
            version: again.is_none().then_some(trail.version),
            is_live: false,
            picked_to: 0,
            turns: VecDeque::new(),
            looked: Instant::now(),
            next: state.next,
            state,
            saved,
            collection: Collection::new(is_logged, None),
            again,
            closed: None,
            waiting: None,
            digester,
        }
    }

    /// Delivers the final digests of the stop of logging at `stopped_ms` and notes that everything up to it is delivered,
    /// if it is.
    pub(crate) async fn finish(mut self, stopped_ms: u64) -> Result<(), FollowError> {
        if !self.is_settled() {
            return Ok(());
        }
        self.digester.conclude(&self.trail, self.state.next).await?;
        self.save(DeliveryState { finished_ms: Some(stopped_ms), ..self.state.clone() }).await?;
        Ok(())
    }

    /// Delivers the final digests of a trail that is gone; whether it has all that it was owed.
    pub(crate) async fn part(mut self) -> Result<bool, FollowError> {
        if !self.is_settled() {
            return Ok(false);
        }
        self.digester.conclude(&self.trail, self.state.next).await?;
        Ok(true)
    }

    /// The creation time that tells this trail from others of its name.
    pub(crate) fn trail_created_ms(&self) -> u64 {
        self.trail.created_ms
    }

    /// When what is gathered has waited long enough.
    fn delivery_due(&self) -> Option<Instant> {
        self.waiting.map(|since| since + self.tools.interval)
    }

    /// When the position of a trail for which nothing comes is saved.
    fn position_due(&self) -> Option<Instant> {
        self.is_live.then(|| self.looked + POSITION_EVERY)
    }

    /// Whether the trail is still there and logs: otherwise what remains of it is concluded, not interrupted.
    fn goes_on(&self) -> bool {
        let newest = self.tools.trails.get(&self.arn);
        newest.is_some_and(|newest| newest.created_ms == self.trail.created_ms && newest.logging.is_on())
    }

    /// Whether everything taken is delivered and saved.
    fn is_settled(&self) -> bool {
        self.state.pending.is_none() && self.state.next == self.next
    }

    /// Goes as far as can be gone without an entry: to the trail as it is now, and past what nobody picked.
    async fn look(&mut self) -> Result<(), FollowError> {
        self.looked = Instant::now();
        if !self.is_live {
            return self.look_at_trail().await;
        }
        self.turn_before(u64::MAX).await?;
        self.next = self.next.max(self.tap.idle_to().unwrap_or(0));
        Ok(())
    }

    /// Follows the trail's document to its newest version. What was gathered under the old one is delivered as it is.
    async fn look_at_trail(&mut self) -> Result<(), FollowError> {
        let Some(newest) = self.tools.trails.get(&self.arn) else { return Ok(()) };
        if newest.created_ms == self.trail.created_ms { self.turn_to(&newest).await } else { Ok(()) }
    }

    /// Follows the changes of the trail that come before an entry of those picked.
    async fn turn_before(&mut self, seq: u64) -> Result<(), FollowError> {
        while let Some(turn) = self.turns.front().filter(|turn| turn.at <= seq) {
            let (at, trail) = (turn.at, turn.trail.clone());
            self.next = self.next.max(at);
            self.turn_to(&trail).await?;
            self.turns.pop_front();
        }
        Ok(())
    }

    /// What is taken from now on, is taken for this version of the trail.
    async fn turn_to(&mut self, trail: &Versioned<Trail>) -> Result<(), FollowError> {
        if self.version != Some(trail.version) {
            self.cut().await?;
            self.trail = Trail::clone(trail);
            self.scope = Scope::of(trail);
            self.version = Some(trail.version);
        }
        Ok(())
    }

    /// Takes one entry. A cut that becomes due is made first.
    async fn take(&mut self, entry: &Entry) -> Result<(), FollowError> {
        let wanted = self.is_live || (self.scope.wants(&self.trail, entry) && !self.tap.is_past(entry));
        if wanted && self.again.is_none() && !self.collection.has_room_for(&self.trail, entry) {
            self.cut().await?;
        }
        if wanted {
            self.collection.add(&self.trail, entry)?;
        }
        self.next = entry.seq.0 + 1;
        self.waiting.get_or_insert_with(Instant::now);
        match self.again {
            Some((to, _)) if self.next >= to => self.cut().await,
            _ => Ok(()),
        }
    }

    /// Closes and delivers what is gathered; saves the position where nothing is.
    async fn cut(&mut self) -> Result<(), FollowError> {
        self.deliver().await?;
        if self.collection.is_empty() {
            if !self.is_settled() {
                self.save(DeliveryState { next: self.next, pending: None, ..self.state.clone() }).await?;
            }
            (self.again, self.waiting) = (None, None);
            return Ok(());
        }
        let (to, delivery_ms) = match self.again {
            Some(again) => again,
            None => {
                let (to, delivery_ms) = (self.next, (self.tools.now_ms)());
                let pending = PendingCut { to, delivery_ms, trail: self.trail.clone() };
                self.save(DeliveryState { pending: Some(pending), ..self.state.clone() }).await?;
                (to, delivery_ms)
            }
        };
        let is_logged = self.tools.transparency.is_some();
        let gathered = std::mem::replace(&mut self.collection, Collection::new(is_logged, None));
        let cut = gathered.cut(&self.trail, to, delivery_ms)?;
        self.collection = Collection::new(is_logged, Some(&cut));
        self.closed = Some((cut, 0));
        self.deliver().await
    }

    /// Writes the files of the closed cut that are not written yet, and saves that it is done.
    async fn deliver(&mut self) -> Result<(), FollowError> {
        while let Some((cut, done)) = &self.closed
            && let Some(file) = cut.files.get(*done)
        {
            let key = cut.key(&self.trail, file);
            let (records, bytes) = (file.records, file.body.len());
            let bucket = &self.trail.s3_bucket_name;
            // A batch is encrypted with the key that the trail has when it is delivered.
            let newest = self.tools.trails.get(&self.arn).filter(|newest| newest.created_ms == self.trail.created_ms);
            let headers = ObjectHeaders::LOG_FILE.encrypted_for(newest.as_deref().unwrap_or(&self.trail));
            match self.tools.bucket.put(bucket, &key, file.body.clone(), headers).await {
                Ok(()) => {
                    tracing::debug!(trail = self.arn, bucket, key, records, bytes, "log file delivered");
                    self.closed = self.closed.take().map(|(cut, done)| (cut, done + 1));
                }
                Err(error) => return self.refused(error).await,
            }
        }
        let mut state = self.state.clone();
        let now_ms = (self.tools.now_ms)();
        state.status.latest_attempt_ms = Some(now_ms);
        state.status.latest_delivery_ms = Some(now_ms);
        state.status.latest_error = None;
        self.close(state).await
    }

    /// Keeps what digests, the transparency log and the topic have to be told of the closed cut, and saves that it is done.
    async fn close(&mut self, state: DeliveryState) -> Result<(), FollowError> {
        let Some((cut, _)) = &self.closed else { return Ok(()) };
        if let Some(log) = &self.tools.transparency
            && let Some(noted) = transparency::noted(cut, &self.trail, self.state.next)
        {
            log.note(noted).await?;
        }
        if let Some(delivered) = cut.delivered(&self.trail, self.state.next) {
            self.digester.note(delivered).await?;
        }
        if !cut.files.is_empty() {
            self.tools.notify.note(&self.trail, cut, self.state.next).await?;
        }
        self.save(DeliveryState { next: cut.to, pending: None, ..state }).await?;
        (self.closed, self.again, self.waiting) = (None, None, None);
        Ok(())
    }

    /// A file could not be written: tells the status, and makes the next try go where the trail points now.
    async fn refused(&mut self, error: BucketError) -> Result<(), FollowError> {
        let now_ms = (self.tools.now_ms)();
        let mut state = self.state.clone();
        state.status.latest_attempt_ms = Some(now_ms);
        state.status.latest_error = error.code().map(str::to_owned);
        let newest_ms = self.closed.as_ref().map_or(now_ms, |(cut, _)| cut.newest_ms);
        // What lay here while nobody ran was not tried yet.
        if now_ms.saturating_sub(newest_ms.max(self.began_ms)) > REDELIVERY_MS {
            // Files that did arrive are digested like any other.
            let left = self.closed.iter_mut().flat_map(|(cut, done)| cut.files.drain(*done..));
            let records: usize = left.map(|file| file.records).sum();
            tracing::error!(trail = self.arn, records, %error, "gave up events that could not be delivered for 30 days");
            return self.close(state).await;
        }
        let moved = self.tools.trails.get(&self.arn).filter(|newest| {
            newest.created_ms == self.trail.created_ms
                && (&newest.s3_bucket_name, &newest.s3_key_prefix)
                    != (&self.trail.s3_bucket_name, &self.trail.s3_key_prefix)
        });
        let trail = match &moved {
            Some(newest) => Trail {
                s3_bucket_name: newest.s3_bucket_name.clone(),
                s3_key_prefix: newest.s3_key_prefix.clone(),
                ..self.trail.clone()
            },
            None => self.trail.clone(),
        };
        if let Some(pending) = &mut state.pending {
            pending.trail = trail.clone();
        }
        self.save(state).await?;
        let bucket = std::mem::replace(&mut self.trail, trail).s3_bucket_name;
        if moved.is_some() {
            self.closed = self.closed.take().map(|(cut, _)| (cut, 0));
        }
        self.digester.held_up(&self.trail, error.code()).await?;
        Err(FollowError::new(format!("cannot deliver to bucket `{bucket}`: {error}")))
    }

    /// Saves the state; it blocks for a disk sync, so not on this thread.
    async fn save(&mut self, state: DeliveryState) -> Result<(), RegistryError> {
        let (states, document, expected) = (self.tools.states.clone(), state.clone(), self.saved);
        let version = off_thread(move || states.put(document, expected)).await?;
        (self.state, self.saved) = (state, Expected::At(version));
        Ok(())
    }
}

impl Follower for TrailFollower {
    fn name(&self) -> &str {
        &self.name
    }

    async fn position(&mut self) -> Result<Seq, FollowError> {
        Ok(Seq(self.next))
    }

    fn reading(&mut self) -> Reading {
        // What a cut that is made again holds, is known to its own version of the trail alone.
        let look = match self.again {
            Some((to, _)) => Look::Direct(Some(Seq(to))),
            None => self.tap.look(self.next),
        };
        match look {
            Look::Direct(end) => {
                self.is_live = false;
                Reading::Journal(end)
            }
            Look::Picked { entries, turns, to } => {
                self.is_live = true;
                self.turns.extend(turns);
                self.picked_to = to;
                if entries.is_empty() && self.turns.is_empty() {
                    self.next = self.next.max(to);
                }
                Reading::Picked(entries, Seq(to))
            }
        }
    }

    async fn picked(&mut self) {
        self.tap.called().await;
    }

    fn ahead(&self) -> Option<Ahead> {
        Some(self.tap.ahead())
    }

    async fn follow(&mut self, batch: &[Entry]) -> Result<(), FollowError> {
        self.deliver().await?;
        if !self.is_live && self.again.is_none() {
            self.look_at_trail().await?;
        }
        let mut taken = 0;
        for entry in batch {
            if taken > TURN_BYTES {
                taken = 0;
                tokio::task::yield_now().await;
            }
            taken += entry.event.json().len();
            // After an error the same batch comes again; what was taken from it stays taken.
            if entry.seq.0 < self.next {
                continue;
            }
            self.turn_before(entry.seq.0).await?;
            let was_again = self.again.is_some();
            self.take(entry).await?;
            if was_again && self.again.is_none() {
                self.look_at_trail().await?;
            }
        }
        if self.is_live {
            self.turn_before(u64::MAX).await?;
            self.next = self.next.max(self.picked_to);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        // A change of the trail at hand waits for nothing.
        let turn_due = (!self.turns.is_empty()).then_some(self.looked);
        // A cut that is being made again waits for its entries, and digests wait for the cut.
        let is_again = self.again.is_some();
        let delivery_due = self.delivery_due().filter(|_| !is_again);
        let digests_due = if is_again { None } else { self.digester.due(&self.trail) };
        [turn_due, self.position_due(), delivery_due, digests_due].into_iter().flatten().min()
    }

    async fn flush(&mut self, why: Flush) -> Result<(), FollowError> {
        self.deliver().await?;
        // A cut that is being made again ends where it ended before, not where the journal stands now.
        if self.again.is_some() {
            return Ok(());
        }
        let has_come = |due: Option<Instant>| due.is_some_and(|due| due <= Instant::now());
        let is_for_others = has_come(self.digester.due(&self.trail)) || has_come(self.position_due());
        let is_early = why == Flush::Deadline && is_for_others && !has_come(self.delivery_due());
        self.look().await?;
        // What is gathered waits for its own time; a position on its own can be saved at any.
        if !is_early || self.collection.is_empty() {
            self.cut().await?;
        }
        self.digester.tend(&self.trail, self.state.next).await;
        if why == Flush::Drain && self.goes_on() {
            self.digester.make_early(&self.trail, self.state.next).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
