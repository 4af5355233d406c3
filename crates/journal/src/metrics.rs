//! What an operator watches: how fast syncs are, how much is appended, how far the followers are behind.

use crate::JournalError;
use crate::status::Followers;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Duration;

/// The journal's and its followers' metrics; clones share their values.
#[derive(Debug, Clone)]
pub struct Metrics {
    sync_seconds: Histogram,
    batch_entries: Histogram,
    entries: Counter,
    bytes: Counter,
    stopped: Gauge,
    followers: Followers,
}

impl Metrics {
    pub(crate) fn new(followers: Followers) -> Metrics {
        Metrics {
            // 20 µs to 5 s, 1 to 64 Ki entries.
            sync_seconds: Histogram::new(exponential_buckets(20e-6, 2.0, 18)),
            batch_entries: Histogram::new(exponential_buckets(1.0, 4.0, 9)),
            entries: Counter::default(),
            bytes: Counter::default(),
            stopped: Gauge::default(),
            followers,
        }
    }

    /// Registers all of them, under `opentrail_journal_` and `opentrail_follower_`.
    pub fn register(&self, registry: &mut Registry) {
        let journal = registry.sub_registry_with_prefix("opentrail_journal");
        journal.register("sync_seconds", "Time to write and sync one batch", self.sync_seconds.clone());
        journal.register("batch_entries", "Entries made durable by one sync", self.batch_entries.clone());
        journal.register("entries", "Entries made durable", self.entries.clone());
        journal.register("bytes", "Bytes written, framing included", self.bytes.clone());
        journal.register("stopped", "1 after a failed write: nothing is recorded any more", self.stopped.clone());
        registry.register_collector(Box::new(FollowerMetrics(self.followers.clone())));
    }

    pub(crate) fn batch(&self, entries: usize, bytes: u64, took: Duration) {
        self.sync_seconds.observe(took.as_secs_f64());
        self.batch_entries.observe(entries as f64);
        self.entries.inc_by(entries as u64);
        self.bytes.inc_by(bytes);
    }

    pub(crate) fn stopped(&self, why: &JournalError) {
        self.stopped.set(i64::from(matches!(why, JournalError::Poisoned { .. })));
    }
}

/// Reads the followers when it is asked, so that the lag of one that hangs still grows.
#[derive(Debug)]
struct FollowerMetrics(Followers);

impl Collector for FollowerMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let followers = self.0.gauges();
        let name = "opentrail_follower_lag_entries";
        let help = "Entries between a follower and the end of the journal";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for follower in &followers {
            let labels = [("follower", follower.name.as_str())];
            ConstGauge::new(i64::try_from(follower.lag).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
        }
        let name = "opentrail_follower_failures";
        let help = "Batches and flushes that a follower failed, each try counted";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for follower in &followers {
            let labels = [("follower", follower.name.as_str())];
            ConstCounter::new(follower.failures).encode(family.encode_family(&labels)?)?;
        }
        let name = "opentrail_follower_skipped_entries";
        let help = "Entries that a follower never saw because retention had removed them";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for follower in &followers {
            let labels = [("follower", follower.name.as_str())];
            ConstCounter::new(follower.skipped).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
