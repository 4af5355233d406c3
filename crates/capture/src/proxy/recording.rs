//! From an exchange that has passed to a record that is durable.

use super::tee::Tee;
use crate::http1::RequestHead;
use crate::metrics::Metrics;
use crate::{Captured, Exchange, Failure, Opened, Reason, Recorder, Response, TlsDetails, Verdict};
use aws::Headers;
use event::EventTime;
use journal::Appender;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What happens to an answer whose record is not durable yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// It waits; when the journal refuses, the call is refused.
    FailClosed,
    /// It goes; a record that is lost is counted and reported.
    FailOpen,
}

/// The recorder, the journal and the counters that every exchange needs.
pub(super) struct Recording {
    pub(super) recorder: Arc<Recorder>,
    pub(super) appender: Appender,
    pub(super) audit: Audit,
    pub(super) metrics: Metrics,
}

/// Who is at the other end of a client connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// The VPC endpoint through which it came, where a trusted proxy names one.
    pub(super) vpc_endpoint: Option<Arc<str>>,
    pub(super) tls: Option<TlsDetails>,
}

/// What is known of an exchange when it has ended.
pub(super) struct Passed<'a> {
    pub(super) peer: &'a Peer,
    pub(super) head: &'a RequestHead,
    pub(super) opened: &'a Opened,
    pub(super) request_body: &'a Tee,
    pub(super) response: Option<Answered<'a>>,
    pub(super) failure: Option<Failure>,
}

/// What was answered.
#[derive(Clone, Copy)]
pub(super) struct Answered<'a> {
    pub(super) status: u16,
    pub(super) headers: Headers<'a>,
    pub(super) body: Captured<'a>,
}

/// The journal did not take the record: under `fail-closed` the answer must not go out.
#[derive(Debug)]
pub(super) struct NotDurable;

/// A record on its way to the disk.
#[must_use = "the answer waits for the record"]
pub(super) struct Receipt {
    appended: Option<journal::Append>,
    events: u64,
}

impl Recording {
    /// Whether a call may be carried out: under `fail-closed` not without a journal that takes its record.
    pub(super) fn may_act(&self) -> bool {
        self.audit == Audit::FailOpen || self.appender.check().is_ok()
    }

    /// Composes the record of an exchange and hands it to the journal.
    pub(super) fn record(&self, passed: &Passed<'_>) -> Receipt {
        self.metrics.bytes_in.inc_by(passed.request_body.captured().total);
        if let Some(answered) = &passed.response {
            self.metrics.bytes_out.inc_by(answered.body.total);
        }
        match self.verdict(passed) {
            Verdict::Record(records) => {
                self.metrics.records_reduced.inc_by(records.reduced);
                let count = records.len() as u64;
                Receipt { appended: Some(self.appender.append_all(records.events)), events: count }
            }
            Verdict::Unrecorded(reason) => {
                self.unrecorded(reason);
                Receipt { appended: None, events: 0 }
            }
        }
    }

    /// Returns when the answer may go out: at once under `fail-open`, else when the record is durable.
    pub(super) async fn settle(&self, receipt: Receipt) -> Result<(), NotDurable> {
        let Some(appended) = receipt.appended else { return Ok(()) };
        if self.audit == Audit::FailClosed {
            return match appended.await {
                Ok(_) => {
                    self.metrics.events_recorded.inc_by(receipt.events);
                    Ok(())
                }
                Err(error) => {
                    report_lost(&self.metrics, receipt.events, &error);
                    Err(NotDurable)
                }
            };
        }
        if !appended.is_queued() {
            // To wait for room would gather waiting records without bound.
            self.metrics.events_lost.inc_by(receipt.events);
            tracing::warn!(events = receipt.events, "record lost: the journal is behind");
            return Ok(());
        }
        let metrics = self.metrics.clone();
        tokio::spawn(async move {
            match appended.await {
                Ok(_) => {
                    metrics.events_recorded.inc_by(receipt.events);
                }
                Err(error) => report_lost(&metrics, receipt.events, &error),
            }
        });
        Ok(())
    }

    /// Counts a call that was refused before it could be recorded.
    pub(super) fn unrecorded(&self, reason: Reason) {
        self.metrics.unrecorded(reason);
    }

    fn verdict(&self, passed: &Passed<'_>) -> Verdict {
        passed.head.view(|request| {
            self.recorder.record(
                passed.opened,
                &Exchange {
                    request,
                    request_body: passed.request_body.captured(),
                    response: passed.response.map(|answered| Response {
                        status: answered.status,
                        headers: answered.headers,
                        body: answered.body,
                    }),
                    client: passed.peer.address,
                    vpc_endpoint: passed.peer.vpc_endpoint.as_deref(),
                    tls: passed.peer.tls.as_ref(),
                    completed: now(),
                    failure: passed.failure,
                },
            )
        })
    }
}

fn report_lost(metrics: &Metrics, count: u64, error: &journal::JournalError) {
    metrics.events_lost.inc_by(count);
    tracing::error!(%error, events = count, "record lost: the journal refused it");
}

/// The wall clock, in the precision of `eventTime`.
pub(super) fn now() -> EventTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}
