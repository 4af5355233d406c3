//! Tells topics of delivered log files: one sender for each trail for which something waits.

use super::backlog::{self, Address};
use super::message::file_message;
use super::{CallError, NotifyMetrics, Topics};
use crate::NowMs;
use crate::cut::Cut;
use crate::off_thread::off_thread;
use registry::{
    Documents, Expected, Notification, NotificationState, Registry, RegistryError, Trail, Versioned, Watch,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long the messages of the last log files may hold up the end of the process. What is left then waits for the next start.
const DRAIN: Duration = Duration::from_secs(5);

/// What senders work with.
#[derive(Clone)]
pub(crate) struct NotifyTools {
    trails: Documents<Trail>,
    notes: Documents<Notification>,
    states: Documents<NotificationState>,
    topics: Arc<dyn Topics>,
    metrics: NotifyMetrics,
    now_ms: NowMs,
}

/// The senders of all trails, under way.
pub(crate) struct Notifier {
    stop: watch::Sender<bool>,
    /// Until it is drained.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl NotifyTools {
    pub(crate) fn new(
        registry: &Registry,
        topics: Arc<dyn Topics>,
        metrics: NotifyMetrics,
        now_ms: NowMs,
    ) -> Result<NotifyTools, RegistryError> {
        let (trails, notes, states) = (registry.documents()?, registry.documents()?, registry.documents()?);
        Ok(NotifyTools { trails, notes, states, topics, metrics, now_ms })
    }

    /// Keeps what the topic of a trail is to be told, once the files of a cut that begins at `from` are written; `as_cut` is the
    /// trail that they were written for. Doing it again changes nothing, unless it was told already: then it is told twice.
    pub(crate) async fn note(&self, as_cut: &Trail, cut: &Cut, from: u64) -> Result<(), RegistryError> {
        let newest = self.trails.get(&as_cut.arn()).filter(|newest| newest.created_ms == as_cut.created_ms);
        let Some(topic_arn) = newest.as_deref().unwrap_or(as_cut).sns_topic_arn.clone() else { return Ok(()) };
        let note = Notification {
            trail_arn: as_cut.arn(),
            trail_created_ms: as_cut.created_ms,
            from,
            topic_arn,
            delivered_ms: (self.now_ms)(),
            bucket: as_cut.s3_bucket_name.clone(),
            objects: cut.files.iter().map(|file| cut.key(as_cut, file)).collect(),
        };
        let notes = self.notes.clone();
        let put = move || {
            let key = Notification::key_of(&note.trail_arn, note.from);
            let expected = notes.get(&key).map_or(Expected::Absent, |found| Expected::At(found.version));
            notes.put(note, expected).map(drop)
        };
        off_thread(put).await
    }

    /// What waits for a trail, in the order of the journal.
    fn waiting(&self, arn: &str) -> Vec<Versioned<Notification>> {
        self.notes.list().into_iter().filter(|note| note.trail_arn == arn).collect()
    }

    /// The trails for which something waits.
    fn addressees(&self) -> BTreeSet<String> {
        self.notes.list().into_iter().map(|note| note.trail_arn.clone()).collect()
    }

    /// Changes what GetTrailStatus says, as long as there is a trail of which to say it.
    async fn tell(&self, note: &Notification, change: impl FnOnce(&mut NotificationState, u64) + Send + 'static) {
        let (tools, arn, created_ms) = (self.clone(), note.trail_arn.clone(), note.trail_created_ms);
        let saved = off_thread(move || {
            if tools.trails.get(&arn).is_none_or(|trail| trail.created_ms != created_ms) {
                return Ok(());
            }
            let found = tools.states.get(&arn);
            let expected = found.as_ref().map_or(Expected::Absent, |found| Expected::At(found.version));
            let found = found.filter(|found| found.trail_created_ms == created_ms);
            let mut state =
                found.map_or_else(|| NotificationState::of(&arn, created_ms), |found| NotificationState::clone(&found));
            change(&mut state, (tools.now_ms)());
            tools.states.put(state, expected).map(drop)
        });
        if let Err(error) = saved.await {
            tracing::warn!(trail = note.trail_arn, %error, "cannot save how a trail's notifications fare");
        }
    }

    /// Removes a notification that is dealt with. One that was written again in the meantime stays.
    async fn forget(&self, note: &Versioned<Notification>) {
        let (notes, key, version) =
            (self.notes.clone(), Notification::key_of(&note.trail_arn, note.from), note.version);
        match off_thread(move || notes.delete(&key, version)).await {
            Ok(()) | Err(RegistryError::Conflict { .. }) => {}
            Err(error) => {
                tracing::warn!(trail = note.trail_arn, %error, "cannot remove a notification that is published")
            }
        }
    }
}

impl Notifier {
    /// Starts telling; needs a tokio runtime.
    pub(crate) fn start(tools: NotifyTools) -> Notifier {
        let (stop, stopped) = watch::channel(false);
        Notifier { stop, task: Mutex::new(Some(tokio::spawn(run(tools, stopped)))) }
    }

    /// Publishes what waits, where the topics take it at once, and ends.
    pub(crate) async fn drain(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = futures_util::future::OptionFuture::from(task).await {
            tracing::error!(%error, "notifications ended badly");
        }
    }
}

async fn run(tools: NotifyTools, mut stopped: watch::Receiver<bool>) {
    forget_the_gone(&tools).await;
    let mut changes = tools.notes.watch();
    let mut senders: JoinSet<String> = JoinSet::new();
    let mut busy: BTreeSet<String> = BTreeSet::new();
    loop {
        let is_last = *stopped.borrow_and_update();
        changes.mark_unchanged();
        for arn in tools.addressees().difference(&busy) {
            senders.spawn(send(tools.clone(), arn.clone(), stopped.clone()));
        }
        busy.extend(tools.addressees());
        if is_last {
            break;
        }
        tokio::select! {
            _ = stopped.changed() => {}
            Some(ended) = senders.join_next() => match ended {
                Ok(arn) => drop(busy.remove(&arn)),
                Err(error) => tracing::error!(%error, "a trail's notifications ended badly"),
            },
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
    let all = async { while senders.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        tracing::warn!("a topic does not answer; its notifications are sent after the next start");
    }
}

/// Removes states whose trail is gone.
async fn forget_the_gone(tools: &NotifyTools) {
    let gone = |state: &Versioned<NotificationState>| tools.trails.get(&state.trail_arn).is_none();
    for state in tools.states.list().into_iter().filter(gone) {
        let states = tools.states.clone();
        if let Err(error) = off_thread(move || states.delete(&state.trail_arn, state.version)).await {
            tracing::warn!(%error, "cannot remove the state of a trail that is gone");
        }
    }
}

/// Publishes what waits for a trail, until nothing does; gives the trail back. When the process ends, every topic is tried once
/// more.
async fn send(tools: NotifyTools, arn: String, mut stopped: watch::Receiver<bool>) -> String {
    let mut changes = tools.trails.watch();
    let mut wait = None;
    loop {
        let waiting = tools.waiting(&arn);
        let Some(last) = waiting.len().checked_sub(1) else { return arn };
        for (at, note) in waiting.iter().enumerate() {
            let Err(error) = publish(&tools, note).await else {
                wait = None;
                tools.forget(note).await;
                continue;
            };
            let code = error.code().map(str::to_owned);
            tools
                .tell(note, move |state, now_ms| (state.latest_attempt_ms, state.latest_error) = (Some(now_ms), code))
                .await;
            tools.metrics.notification("failed", 1);
            let trail = tools.trails.get(&arn);
            if backlog::is_given_up(note, trail.as_deref(), last - at, (tools.now_ms)()) {
                tracing::error!(trail = arn, %error, files = note.objects.len(), "gave up the notification of log files");
                tools.metrics.notification("given_up", note.objects.len());
                tools.forget(note).await;
                continue;
            }
            let next = backlog::next_wait(wait);
            wait = Some(next);
            tracing::warn!(trail = arn, %error, wait_ms = next.as_millis() as u64, "a topic takes no notification");
            if !rest(next, &mut changes, &mut stopped).await {
                return arn;
            }
            break;
        }
    }
}

/// Waits, but not longer than until a trail changes; `false` when the process ends.
async fn rest(wait: Duration, changes: &mut Watch, stopped: &mut watch::Receiver<bool>) -> bool {
    changes.mark_unchanged();
    if !*stopped.borrow() {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = changes.changed() => {}
            _ = stopped.changed() => {}
        }
    }
    !*stopped.borrow()
}

/// Publishes one message for each file.
async fn publish(tools: &NotifyTools, note: &Notification) -> Result<(), CallError> {
    let trail = tools.trails.get(&note.trail_arn);
    let Address::Topic(topic) = backlog::address(note, trail.as_deref()) else { return Ok(()) };
    for key in &note.objects {
        let message = file_message(&note.bucket, key).map_err(|error| CallError::Unreachable(error.to_string()))?;
        tools.topics.publish(topic, &message).await?;
        tools.metrics.notification("published", 1);
        tracing::debug!(trail = note.trail_arn, topic, key, "log file announced");
    }
    let published = |state: &mut NotificationState, now_ms| {
        (state.latest_attempt_ms, state.latest_notification_ms, state.latest_error) =
            (Some(now_ms), Some(now_ms), None);
    };
    tools.tell(note, published).await;
    Ok(())
}

#[cfg(test)]
mod tests;
