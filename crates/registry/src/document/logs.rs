//! How far a trail's delivery to CloudWatch Logs has come, and how it fares.

use super::Document;
use super::trail::Trail;
use serde::{Deserialize, Serialize};

/// State of one trail's delivery to its log group. Written only by the follower that sends there; GetTrailStatus reads it.
/// Key: the trail's ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsState {
    /// ARN of the trail.
    pub trail_arn: String,
    /// [`Trail::created_ms`] of that trail: a state left by an earlier trail of the same name is void.
    pub trail_created_ms: u64,
    /// Sequence number of the first journal entry that is not sent.
    pub next: u64,
    /// The stop of logging up to which all is sent, as in [`DeliveryState::finished_ms`](crate::DeliveryState::finished_ms).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<u64>,
    /// `LatestCloudWatchLogsDeliveryTime`: when the log group last took events, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_delivery_ms: Option<u64>,
    /// `LatestCloudWatchLogsDeliveryError`: the error code of CloudWatch Logs, such as `ResourceNotFoundException`; gone
    /// after the next success. An endpoint out of reach has no code and leaves it absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_error: Option<String>,
}

impl LogsState {
    /// The state of a trail of which nothing is sent yet.
    pub fn of(trail: &Trail) -> LogsState {
        LogsState {
            trail_arn: trail.arn(),
            trail_created_ms: trail.created_ms,
            next: 0,
            finished_ms: None,
            latest_delivery_ms: None,
            latest_error: None,
        }
    }
}

impl Document for LogsState {
    const KIND: &'static str = "logs-state";

    fn key(&self) -> String {
        self.trail_arn.clone()
    }
}
