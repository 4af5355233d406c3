//! The delivery of one trail to its log group: the only I/O between entries and log events.

use super::batch::{Batch, Put, is_sendable};
use super::message::{LogGroup, log_stream_name};
use super::{CallError, LogGroups, NotifyMetrics};
use crate::off_thread::off_thread;
use crate::router::{Feeds, Look, Tap};
use crate::scope::Scope;
use crate::{Home, NowMs, period};
use journal::{Ahead, Entry, Flush, FollowError, Follower, Reading, Seq};
use registry::{Documents, Expected, LogsState, RegistryError, Trail, Versioned};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an event waits for others: who watches a log group wants to see it at once, and calls cost.
const GATHER: Duration = Duration::from_secs(1);
/// How long a log group that takes nothing is tried before its events are given up: as long as a bucket.
const REDELIVERY_MS: u64 = 30 * 24 * 3600 * 1000;
/// How often the position of a trail is saved for which nothing comes: the journal keeps what stands behind it.
const POSITION_EVERY: Duration = Duration::from_secs(300);

/// What a follower works with.
#[derive(Clone)]
pub(crate) struct LogsTools {
    pub(crate) home: Home,
    pub(crate) trails: Documents<Trail>,
    pub(crate) states: Documents<LogsState>,
    pub(crate) feeds: Feeds,
    pub(crate) groups: Arc<dyn LogGroups>,
    pub(crate) metrics: NotifyMetrics,
    pub(crate) now_ms: NowMs,
}

/// Sends the events of one trail.
pub(crate) struct LogsFollower {
    name: String,
    arn: String,
    tools: LogsTools,
    /// The newest version that was seen of it; the last one, when it is gone.
    trail: Versioned<Trail>,
    scope: Scope,
    /// Where entries come from that were picked for this trail.
    tap: Tap,
    /// The last look was into the tap: its entries are wanted as they come.
    is_live: bool,
    /// Where the picked entries at hand end.
    picked_to: u64,
    /// What is saved, and where it stands in the registry.
    state: LogsState,
    saved: Expected,
    /// The first entry not taken yet. Everything in `state.next..next` is gathered, being put, or not wanted.
    next: u64,
    batch: Batch,
    /// What is being put; while something is, nothing is gathered.
    outbox: VecDeque<Put>,
    /// Since when something is gathered.
    waiting: Option<Instant>,
    /// When the position was looked at last.
    looked: Instant,
    /// Since when it tries to send, milliseconds since the epoch.
    began_ms: u64,
}

/// Where sending goes on, as a sequence number; `None` when there is nothing to do.
pub(crate) fn logs_resume_at(trail: &Trail, state: Option<&LogsState>) -> Option<u64> {
    trail.cloud_watch_logs_log_group_arn.as_ref()?;
    let state = state.filter(|state| state.trail_created_ms == trail.created_ms);
    let begins = trail.cloud_watch_logs_from.unwrap_or(0);
    let next = state.map_or(0, |state| state.next).max(begins);
    period::unfinished_from(trail, next, state.and_then(|state| state.finished_ms))
}

impl LogsFollower {
    /// The follower of a trail, from its saved state. `journal_start`: the oldest entry that the journal has.
    pub(crate) fn new(tools: LogsTools, trail: Versioned<Trail>, journal_start: u64) -> LogsFollower {
        let arn = trail.arn();
        let found = tools.states.get(&arn);
        let saved = found.as_ref().map_or(Expected::Absent, |found| Expected::At(found.version));
        let mut state = found
            .filter(|found| found.trail_created_ms == trail.created_ms)
            .map_or_else(|| LogsState::of(&trail), |found| LogsState::clone(&found));
        state.next = logs_resume_at(&trail, Some(&state)).unwrap_or(state.next).max(journal_start);
        state.finished_ms = None;
        LogsFollower {
            name: tools.home.follower_name("logs", &trail),
            began_ms: (tools.now_ms)(),
            arn,
            tap: tools.feeds.tap(&trail),
            scope: Scope::of(&trail),
            tools,
            trail,
            is_live: false,
            picked_to: 0,
            next: state.next,
            state,
            saved,
            batch: Batch::default(),
            outbox: VecDeque::new(),
            waiting: None,
            looked: Instant::now(),
        }
    }

    /// Notes that everything up to the stop of logging at `stopped_ms` is sent, if it is.
    pub(crate) async fn finish(mut self, stopped_ms: u64) -> Result<(), RegistryError> {
        if !self.has_unsent() && self.state.next == self.next {
            self.save(LogsState { finished_ms: Some(stopped_ms), ..self.state.clone() }).await?;
        }
        Ok(())
    }

    /// The creation time that tells this trail from others of its name.
    pub(crate) fn trail_created_ms(&self) -> u64 {
        self.trail.created_ms
    }

    fn has_unsent(&self) -> bool {
        !self.batch.is_empty() || !self.outbox.is_empty()
    }

    fn send_due(&self) -> Option<Instant> {
        if self.outbox.is_empty() { self.waiting.map(|since| since + GATHER) } else { Some(self.looked) }
    }

    fn position_due(&self) -> Option<Instant> {
        (self.is_live || self.state.next != self.next).then(|| self.looked + POSITION_EVERY)
    }

    /// Goes on with the trail as it is now.
    fn look_at_trail(&mut self) {
        let newest = self.tools.trails.get(&self.arn).filter(|newest| newest.created_ms == self.trail.created_ms);
        if let Some(newest) = newest.filter(|newest| newest.version != self.trail.version) {
            self.scope = Scope::of(&newest);
            self.trail = newest;
        }
    }

    async fn take(&mut self, entry: &Entry) -> Result<(), FollowError> {
        let event = &entry.event;
        if self.is_live || (self.scope.wants(&self.trail, entry) && !self.tap.is_past(entry)) {
            if !is_sendable(event) {
                self.tools.metrics.log_events("too_large", 1);
                let bytes = event.json().len();
                tracing::warn!(trail = self.arn, event = event.id(), bytes, "an event is too large for its log group");
            } else {
                if !self.batch.has_room_for(event) {
                    self.send().await?;
                }
                let stream = log_stream_name(&self.trail, event.account());
                self.batch.add(&stream, entry.appended_ms, event);
                self.waiting.get_or_insert_with(Instant::now);
            }
        }
        self.next = entry.seq.0 + 1;
        Ok(())
    }

    /// Puts what is gathered, and saves that it is put.
    async fn send(&mut self) -> Result<(), FollowError> {
        if self.outbox.is_empty() {
            self.outbox = std::mem::take(&mut self.batch).into_puts();
            self.waiting = None;
        }
        self.look_at_trail();
        let mut latest_ms = None;
        while let Some(put) = self.outbox.front() {
            let group = self.trail.cloud_watch_logs_log_group_arn.as_deref().and_then(LogGroup::of);
            // A group that was taken away gets nothing more.
            if let Some(group) = group {
                let now_ms = (self.tools.now_ms)();
                match self.put(&group, put, now_ms).await {
                    Ok(taken) => {
                        self.count(put, taken);
                        latest_ms = Some(now_ms);
                    }
                    Err(error) => self.refused(&error, now_ms).await?,
                }
            }
            self.outbox.pop_front();
        }
        let mut state = LogsState { next: self.next, ..self.state.clone() };
        if latest_ms.is_some() {
            (state.latest_delivery_ms, state.latest_error) = (latest_ms, None);
        }
        self.save(state).await?;
        Ok(())
    }

    /// One call, and another where the stream is not there yet.
    async fn put(&self, group: &LogGroup, put: &Put, now_ms: u64) -> Result<usize, CallError> {
        let groups = &self.tools.groups;
        match groups.put(group, &put.stream, now_ms, &put.events).await {
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                groups.create_stream(group, &put.stream).await?;
                groups.put(group, &put.stream, now_ms, &put.events).await
            }
            done => done,
        }
    }

    fn count(&self, put: &Put, taken: usize) {
        let rejected = put.events.len().saturating_sub(taken);
        self.tools.metrics.log_events("delivered", taken);
        tracing::debug!(trail = self.arn, stream = put.stream, events = taken, "events put into the log group");
        if rejected > 0 {
            self.tools.metrics.log_events("rejected", rejected);
            tracing::error!(
                trail = self.arn,
                rejected,
                "the log group takes no events of this time: look at the clock"
            );
        }
    }

    /// Events could not be put: tells the status, and gives them up after long.
    async fn refused(&mut self, error: &CallError, now_ms: u64) -> Result<(), FollowError> {
        self.tools.metrics.log_call_failed();
        let newest_ms = self.outbox.front().map_or(now_ms, |put| put.newest_ms);
        // What lay here while nobody ran was not tried yet.
        if now_ms.saturating_sub(newest_ms.max(self.began_ms)) > REDELIVERY_MS {
            let events = self.outbox.front().map_or(0, |put| put.events.len());
            self.tools.metrics.log_events("given_up", events);
            tracing::error!(trail = self.arn, events, %error, "gave up events that no log group took for 30 days");
            return Ok(());
        }
        let code = error.code().map(str::to_owned);
        if code != self.state.latest_error {
            self.save(LogsState { latest_error: code, ..self.state.clone() }).await?;
        }
        let group = self.trail.cloud_watch_logs_log_group_arn.as_deref().unwrap_or_default();
        Err(FollowError::new(format!("cannot put events into log group `{group}`: {error}")))
    }

    /// Saves the state; it blocks for a disk sync, so not on this thread.
    async fn save(&mut self, state: LogsState) -> Result<(), RegistryError> {
        let (states, document, expected) = (self.tools.states.clone(), state.clone(), self.saved);
        let version = off_thread(move || states.put(document, expected)).await?;
        (self.state, self.saved) = (state, Expected::At(version));
        Ok(())
    }
}

impl Follower for LogsFollower {
    fn name(&self) -> &str {
        &self.name
    }

    async fn position(&mut self) -> Result<Seq, FollowError> {
        Ok(Seq(self.next))
    }

    fn reading(&mut self) -> Reading {
        match self.tap.look(self.next) {
            Look::Direct(end) => {
                self.is_live = false;
                Reading::Journal(end)
            }
            Look::Picked { entries, to, .. } => {
                self.is_live = true;
                self.picked_to = to;
                if entries.is_empty() {
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
        if !self.outbox.is_empty() {
            self.send().await?;
        }
        self.look_at_trail();
        for entry in batch {
            // After an error the same batch comes again; what was taken from it stays taken.
            if entry.seq.0 >= self.next {
                self.take(entry).await?;
            }
        }
        if self.is_live {
            self.next = self.next.max(self.picked_to);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        [self.send_due(), self.position_due()].into_iter().flatten().min()
    }

    async fn flush(&mut self, why: Flush) -> Result<(), FollowError> {
        let is_due = self.send_due().is_some_and(|due| due <= Instant::now());
        if self.has_unsent() && (is_due || why == Flush::Drain) {
            match self.send().await {
                // The process, or the trail, does not wait for a log group that is gone: what is left stays in the journal.
                Err(error) if why == Flush::Drain => {
                    tracing::warn!(trail = self.arn, %error, "events are left to be sent")
                }
                sent => return sent,
            }
        }
        self.looked = Instant::now();
        if self.is_live {
            self.next = self.next.max(self.tap.idle_to().unwrap_or(0));
        }
        if !self.has_unsent() && self.state.next != self.next {
            self.save(LogsState { next: self.next, ..self.state.clone() }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
