//! What the edge counts, in one place.

use crate::Reason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters and gauges of the edge. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Calls that were answered, by who answered.
    pub(crate) calls: Family<AnsweredBy, Counter>,
    /// Records handed to the journal.
    pub(crate) events_recorded: Counter,
    /// Calls without a record, by reason.
    pub(crate) unrecorded: Family<Why, Counter>,
    /// Records that tell no details, because with them they could not be written.
    pub(crate) records_reduced: Counter,
    /// Records that the journal refused after the call was carried out.
    pub(crate) events_lost: Counter,
    /// Body bytes from clients.
    pub(crate) bytes_in: Counter,
    /// Body bytes to clients.
    pub(crate) bytes_out: Counter,
    /// Connections open now.
    pub(crate) connections: Gauge,
    /// Requests that are no HTTP this proxy passes on.
    pub(crate) bad_requests: Counter,
    /// Exchanges that an upstream did not finish, by how.
    pub(crate) upstream_failures: Family<Why, Counter>,
    /// Exchanges that a client did not wait for, by how.
    pub(crate) clients_gone: Family<Why, Counter>,
}

/// Who answered a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct AnsweredBy {
    /// `upstream` or `local`.
    pub(crate) by: &'static str,
}

/// Why something happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Why {
    /// A short name.
    pub(crate) reason: &'static str,
}

impl Metrics {
    /// Registers everything under the names that `docs/operate/metrics.md` lists.
    pub fn register(&self, registry: &mut Registry) {
        for by in ["upstream", "local"] {
            let _ = self.calls.get_or_create(&AnsweredBy { by });
        }
        for reason in Reason::ALL {
            let _ = self.unrecorded.get_or_create(&Why { reason: reason.name() });
        }
        for reason in ["unreachable", "no_answer", "cut_short", "upgraded"] {
            let _ = self.upstream_failures.get_or_create(&Why { reason });
        }
        for reason in ["gone", "stalled"] {
            let _ = self.clients_gone.get_or_create(&Why { reason });
        }
        registry.register("opentrail_calls", "Calls answered", self.calls.clone());
        registry.register("opentrail_events_recorded", "Records handed to the journal", self.events_recorded.clone());
        registry.register("opentrail_calls_unrecorded", "Calls without a record", self.unrecorded.clone());
        registry.register(
            "opentrail_records_reduced",
            "Records written without details, because with them they are no records",
            self.records_reduced.clone(),
        );
        registry.register("opentrail_events_lost", "Records the journal refused", self.events_lost.clone());
        registry.register("opentrail_body_bytes_in", "Body bytes from clients", self.bytes_in.clone());
        registry.register("opentrail_body_bytes_out", "Body bytes to clients", self.bytes_out.clone());
        registry.register("opentrail_connections", "Client connections open now", self.connections.clone());
        registry.register("opentrail_bad_requests", "Requests that are not usable HTTP", self.bad_requests.clone());
        registry.register(
            "opentrail_upstream_failures",
            "Exchanges that an upstream did not finish",
            self.upstream_failures.clone(),
        );
        registry.register(
            "opentrail_clients_gone",
            "Exchanges that a client did not wait for",
            self.clients_gone.clone(),
        );
    }

    pub(crate) fn unrecorded(&self, reason: Reason) {
        self.unrecorded.get_or_create(&Why { reason: reason.name() }).inc();
    }

    pub(crate) fn answered(&self, by: &'static str) {
        self.calls.get_or_create(&AnsweredBy { by }).inc();
    }

    pub(crate) fn upstream_failed(&self, reason: &'static str) {
        self.upstream_failures.get_or_create(&Why { reason }).inc();
    }

    pub(crate) fn client_gone(&self, reason: &'static str) {
        self.clients_gone.get_or_create(&Why { reason }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_page_is_told_under_its_name() {
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        metrics.records_reduced.inc_by(2);
        let mut told = String::new();
        prometheus_client::encoding::text::encode(&mut told, &registry).unwrap();
        assert!(told.contains("\nopentrail_records_reduced_total 2\n"), "{told}");
        let page = include_str!("../../../docs/operate/metrics.md");
        for line in told.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let brief = name.replace("opentrail_body_bytes", "…");
            assert!(
                page.contains(name) || page.contains(&brief.replace("…_out", "`…_out")),
                "{name} is not in docs/operate/metrics.md"
            );
        }
    }
}
