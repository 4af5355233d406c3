//! The house's own pages under `/_opentrail/`, and the figures behind them.

use crate::services::whole;
use bytes::Bytes;
use capture::{Answer, Local, LocalCall};
use http::{HeaderValue, Response, header};
use journal::{FollowerStatus, Journal};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use serde_json::json;
use serve::{FollowerVitals, Health, Vitals};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trail::transparency::{LogStatus, Transparency, WitnessStatus};

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
pub(crate) struct Pages {
    pub(crate) health: Arc<Health>,
    pub(crate) transparency: Option<Transparency>,
}

impl Local for Pages {
    fn call(&self, call: LocalCall) -> Answer {
        let health = Arc::clone(&self.health);
        let transparency = self.transparency.clone();
        Box::pin(async move {
            let (method, path) = (call.request.method().as_str(), call.request.uri().path());
            if matches!(method, "GET" | "HEAD") && path.trim_end_matches('/') == "/_opentrail/transparency" {
                return whole(logs_page(transparency.map(|logs| logs.statuses()).unwrap_or_default()));
            }
            // Gathering the figures takes locks: not worth a thread, but never on the way of a recorded call.
            whole(health.answer(method, path))
        })
    }
}

/// The transparency logs: where they are, and the public keys that others verify them with.
fn logs_page(logs: Vec<LogStatus>) -> Response<Bytes> {
    let witnesses = |log: &LogStatus| -> Vec<serde_json::Value> {
        let witness = |(name, witness): (&String, &WitnessStatus)| json!({"witness": name, "size": witness.size, "lastError": witness.last_error});
        log.witnesses.iter().map(witness).collect()
    };
    let log = |log: &LogStatus| {
        json!({
            "trailArn": log.trail_arn,
            "origin": log.origin,
            "publicKey": log.public_key,
            "bucket": log.bucket,
            "folder": log.folder,
            "size": log.size,
            "root": log.root,
            "waitingCuts": log.waiting,
            "lastError": log.last_error,
            "witnesses": witnesses(log),
        })
    };
    let body = json!({"logs": logs.iter().map(log).collect::<Vec<_>>()});
    let mut response = Response::new(Bytes::from(format!("{body:#}\n")));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The figures of the transparency logs.
#[derive(Debug)]
pub(crate) struct Logs(pub(crate) Transparency);

impl Collector for Logs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        type Figure = fn(&LogStatus) -> i64;
        let figures: [(&str, &str, Figure); 3] = [
            ("opentrail_transparency_log_entries", "Entries of a trail's transparency log", |log| log.size as i64),
            ("opentrail_transparency_log_waiting", "Delivered cuts that are not in the log yet", |log| {
                log.waiting as i64
            }),
            ("opentrail_transparency_log_failing", "1 while the log cannot be written", |log| {
                i64::from(log.last_error.is_some())
            }),
        ];
        let logs = self.0.statuses();
        for (name, help, figure) in figures {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for log in &logs {
                let labels = [("trail", log.trail_arn.as_str())];
                ConstGauge::new(figure(log)).encode(family.encode_family(&labels)?)?;
            }
        }
        type WitnessFigure = fn(&LogStatus, &WitnessStatus) -> i64;
        let figures: [(&str, &str, WitnessFigure); 2] = [
            ("opentrail_witness_behind", "Entries of the log that the witness has not seen", |log, witness| {
                log.size.saturating_sub(witness.size) as i64
            }),
            ("opentrail_witness_failing", "1 while the witness takes no checkpoints", |_, witness| {
                i64::from(witness.last_error.is_some())
            }),
        ];
        for (name, help, figure) in figures {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for log in &logs {
                for (witness_name, witness) in &log.witnesses {
                    let labels = [("trail", log.trail_arn.as_str()), ("witness", witness_name.as_str())];
                    ConstGauge::new(figure(log, witness)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}
