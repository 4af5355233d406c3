//! Who is told of what a trail records: the trail's topic of each log file, its log group of each event.
//!
//! Both have senders of their own, so that a dead topic or log group holds up neither log files nor other trails.
//!
//! *Topics.* Beside each delivered cut stands a [`registry::Notification`] until its messages are published. It is written
//! before the cut is noted as delivered, so that a crash in between makes the cut, and with it the notification, again.
//! One sender for each trail publishes them in order (`sender`).
//!
//! *Log groups.* One follower for each trail with a log group (`logs`) reads what the router picks, gathers for a second,
//! puts it, and only then saves its position. A crash between the two sends one batch twice; there is nothing in the protocol
//! by which CloudWatch Logs could tell.
//!
//! Pure: `message` (what is said, and where), `batch` (what goes together), `backlog` (what is tried again, and for how long). I/O:
//! `sender`, `logs`, `logs_supervisor`, and behind [`Topics`] and [`LogGroups`] the services (`endpoint`).

mod backlog;
mod batch;
mod endpoint;
mod logs;
mod logs_supervisor;
mod message;
mod metrics;
mod sender;

pub use endpoint::{LogsEndpoint, SnsEndpoint};
pub use message::{LogGroup, VALIDATION_MESSAGE, log_stream_name};
pub use metrics::NotifyMetrics;

pub(crate) use logs::LogsTools;
pub(crate) use logs_supervisor::LogsDelivery;
pub(crate) use sender::{Notifier, NotifyTools};

use event::Event;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// The seam to topics.
pub trait Topics: Send + Sync + 'static {
    /// Publishes a message without a subject; taken by the topic when it returns.
    ///
    /// # Errors
    /// [`CallError`].
    fn publish<'a>(&'a self, topic_arn: &'a str, message: &'a str) -> BoxFuture<'a, Result<(), CallError>>;
}

/// The seam to log groups.
pub trait LogGroups: Send + Sync + 'static {
    /// Makes a log stream; one that is there already is fine.
    ///
    /// # Errors
    /// [`CallError`].
    fn create_stream<'a>(&'a self, group: &'a LogGroup, stream: &'a str) -> BoxFuture<'a, Result<(), CallError>>;

    /// Puts events into a stream, all with the same time (milliseconds since the epoch); gives how many were taken.
    ///
    /// # Errors
    /// [`CallError`]: none was taken.
    fn put<'a>(
        &'a self,
        group: &'a LogGroup,
        stream: &'a str,
        timestamp_ms: u64,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<usize, CallError>>;
}

/// Why a service did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It answered with an error.
    #[error("{code}: {message}")]
    Refused {
        /// Its code, such as `NotFound`.
        code: String,
        /// What it says about it.
        message: String,
    },
    /// No usable answer.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
}

impl CallError {
    /// What GetTrailStatus shows: the code of the service. Timeouts never appear there.
    pub fn code(&self) -> Option<&str> {
        match self {
            CallError::Refused { code, .. } => Some(code),
            CallError::Unreachable(_) => None,
        }
    }
}

/// Who tells topics and log groups.
#[derive(Clone)]
pub struct NotifyOptions {
    /// Where topics are.
    pub topics: Arc<dyn Topics>,
    /// Where log groups are.
    pub log_groups: Arc<dyn LogGroups>,
    /// What is counted.
    pub metrics: NotifyMetrics,
}

impl Default for NotifyOptions {
    fn default() -> NotifyOptions {
        NotifyOptions { topics: Arc::new(Nobody), log_groups: Arc::new(Nobody), metrics: NotifyMetrics::default() }
    }
}

/// Stands where no endpoint is known: a trail that was given a topic or a log group when there was one waits for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Topics for Nobody {
    fn publish<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async { Err(CallError::Unreachable("no upstream serves sns".to_owned())) })
    }
}

impl LogGroups for Nobody {
    fn create_stream<'a>(&'a self, _: &'a LogGroup, _: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async { Err(CallError::Unreachable("no upstream serves logs".to_owned())) })
    }

    fn put<'a>(
        &'a self,
        _: &'a LogGroup,
        _: &'a str,
        _: u64,
        _: &'a [Event],
    ) -> BoxFuture<'a, Result<usize, CallError>> {
        Box::pin(async { Err(CallError::Unreachable("no upstream serves logs".to_owned())) })
    }
}
