//! The adapter to the lake: the only file that names it.

use futures_util::future::BoxFuture;
use journal::{FollowOptions, FollowerHandle, Journal, JournalError, Seq};
use lake::{Attribute, History, HistoryFollower, LookupError, Options, Query};
use serve::{HistoryError, HistoryEvent, HistoryPage, HistoryQuery, HistoryResource, LookupAttribute};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often it is looked whether the history has read the journal.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How long a lookup waits for what was durable before it was asked. A history that is further behind answers with
/// what it has.
const LOOKUP_WAIT: Duration = Duration::from_secs(1);
/// Entries gather this long before the history takes them: a call is to be found well within a second.
const LINGER: Duration = Duration::from_millis(20);

/// Event history at work.
pub(crate) struct Running {
    history: History,
    journal: Journal,
    handle: FollowerHandle,
    stop: oneshot::Sender<()>,
    following: JoinHandle<Result<HistoryFollower, JournalError>>,
    began_at: Seq,
}

impl Running {
    /// Starts reading the journal from its beginning.
    pub(crate) fn start(journal: &Journal) -> Running {
        let history = History::new(journal.clone(), Options::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let options = FollowOptions { linger: LINGER, ..FollowOptions::default() };
        let (handle, follow) = journal::follow(journal, history.follower(), options, shutdown);
        let following = tokio::spawn(follow);
        Running { history, journal: journal.clone(), handle, stop, following, began_at: journal.end() }
    }

    /// Where to read how it fares.
    pub(crate) fn handle(&self) -> FollowerHandle {
        self.handle.clone()
    }

    /// Event history for the CloudTrail API.
    pub(crate) fn lookups(&self) -> Arc<dyn serve::History> {
        Arc::new(Lookups {
            history: self.history.clone(),
            journal: self.journal.clone(),
            handle: self.handle.clone(),
            began_at: self.began_at,
        })
    }

    /// Returns once everything is found that the journal held at the start.
    pub(crate) async fn caught_up(&self) {
        reached(&self.handle, self.began_at).await;
    }

    /// Stops reading.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        match self.following.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "event history stopped reading"),
            Err(error) => tracing::error!(%error, "event history ended badly"),
        }
    }
}

/// Returns once the follower stands at `place`, or runs no more.
async fn reached(handle: &FollowerHandle, place: Seq) {
    loop {
        let status = handle.status();
        if !status.running || status.position.is_some_and(|position| position >= place) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Event history as the CloudTrail API asks for it: a lookup finds every call whose record was durable before it was
/// asked, so that who makes a call and then looks it up need not wait.
struct Lookups {
    history: History,
    journal: Journal,
    handle: FollowerHandle,
    /// Where the journal ended at the start.
    began_at: Seq,
}

impl serve::History for Lookups {
    fn lookup(&self, query: HistoryQuery) -> BoxFuture<'_, Result<HistoryPage, HistoryError>> {
        Box::pin(async move {
            let _ = tokio::time::timeout(LOOKUP_WAIT, reached(&self.handle, self.journal.end())).await;
            let status = self.handle.status();
            // It has read all it can, and newer calls are not among it: no answer is better than half of one.
            if let (false, Some(why)) = (status.running, status.last_error) {
                return Err(HistoryError::Unavailable(why));
            }
            // So it is while what was there at the start is read: a long journal takes a while.
            if let Some(read) = status.position.filter(|read| *read < self.began_at) {
                let why = format!("it is read anew after a start, and stands at {read} of {}", self.began_at);
                return Err(HistoryError::Unavailable(why));
            }
            let page = self.history.lookup(asked(query)).await.map_err(|error| match error {
                LookupError::InvalidNextToken => HistoryError::InvalidNextToken,
                other => HistoryError::Unavailable(other.to_string()),
            })?;
            let event = |found: lake::Found| HistoryEvent {
                event: found.event,
                resources: found.resources.into_iter().map(resource).collect(),
            };
            Ok(HistoryPage { events: page.events.into_iter().map(event).collect(), next_token: page.next_token })
        })
    }
}

fn asked(query: HistoryQuery) -> Query {
    let attribute = |key| match key {
        LookupAttribute::EventId => Attribute::EventId,
        LookupAttribute::EventName => Attribute::EventName,
        LookupAttribute::ReadOnly => Attribute::ReadOnly,
        LookupAttribute::Username => Attribute::Username,
        LookupAttribute::ResourceType => Attribute::ResourceType,
        LookupAttribute::ResourceName => Attribute::ResourceName,
        LookupAttribute::EventSource => Attribute::EventSource,
        LookupAttribute::AccessKeyId => Attribute::AccessKeyId,
    };
    Query {
        account_id: query.account_id,
        region: query.region,
        attribute: query.attribute.map(|(key, value)| (attribute(key), value)),
        start: query.start,
        end: query.end,
        max_results: query.max_results,
        next_token: query.next_token,
        now: query.now,
    }
}

fn resource(found: lake::LookupResource) -> HistoryResource {
    HistoryResource { resource_type: found.resource_type.map(Into::into), resource_name: found.resource_name }
}
