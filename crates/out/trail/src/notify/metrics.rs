//! What is counted of notifications and log events.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of what topics and log groups were told. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct NotifyMetrics {
    notifications: Family<Outcome, Counter>,
    log_events: Family<Outcome, Counter>,
    log_calls_failed: Counter,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

impl NotifyMetrics {
    /// Registers everything under the names that `docs/operate/metrics.md` lists.
    pub fn register(&self, registry: &mut Registry) {
        for result in ["published", "failed", "given_up"] {
            let _ = self.notifications.get_or_create(&Outcome { result });
        }
        for result in ["delivered", "too_large", "rejected", "given_up"] {
            let _ = self.log_events.get_or_create(&Outcome { result });
        }
        registry.register("opentrail_notifications", "Messages to topics of trails", self.notifications.clone());
        registry.register("opentrail_log_events", "Events for log groups of trails", self.log_events.clone());
        registry.register(
            "opentrail_log_deliveries_failed",
            "Tries to put events into a log group that failed",
            self.log_calls_failed.clone(),
        );
    }

    pub(crate) fn notification(&self, result: &'static str, count: usize) {
        self.notifications.get_or_create(&Outcome { result }).inc_by(count as u64);
    }

    pub(crate) fn log_events(&self, result: &'static str, count: usize) {
        self.log_events.get_or_create(&Outcome { result }).inc_by(count as u64);
    }

    pub(crate) fn log_call_failed(&self) {
        self.log_calls_failed.inc();
    }
}
