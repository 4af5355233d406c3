//! The house's own pages under `/_opentrail/`, and the figures behind them.

use crate::services::whole;
use capture::{Answer, Local, LocalCall};
use journal::{FollowerStatus, Journal};
use serve::{FollowerVitals, Health, Vitals};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads the status of every follower.
pub(crate) type Statuses = Box<dyn Fn() -> Vec<FollowerStatus> + Send + Sync>;

/// How the house fares.
pub(crate) struct HouseVitals {
    /// The journal.
    pub(crate) journal: Journal,
    /// Every follower.
    pub(crate) statuses: Statuses,
    /// Set once everything has started, cleared when draining begins.
    pub(crate) started: Arc<AtomicBool>,
}

impl Vitals for HouseVitals {
    fn followers(&self) -> Vec<FollowerVitals> {
        let vitals = |status: FollowerStatus| FollowerVitals {
            name: status.name,
            position: status.position.map(|seq| seq.0),
            lag: status.lag,
            last_error: status.last_error,
        };
        (self.statuses)().into_iter().map(vitals).collect()
    }

    fn failure(&self) -> Option<String> {
        self.journal.check().err().map(|error| error.to_string())
    }

    fn ready(&self) -> bool {
        self.started.load(Ordering::Acquire)
            && self.failure().is_none()
            && (self.statuses)().iter().all(|status| status.running && status.position.is_some())
    }
}

/// Answers requests under `/_opentrail/`.
pub(crate) struct Pages(pub(crate) Arc<Health>);

impl Local for Pages {
    fn call(&self, call: LocalCall) -> Answer {
        let health = Arc::clone(&self.0);
        Box::pin(async move {
            // Gathering the figures takes locks: not worth a thread, but never on the way of a recorded call.
            whole(health.answer(call.request.method().as_str(), call.request.uri().path()))
        })
    }
}
