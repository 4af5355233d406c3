//! How far the delivery of a trail has come, and how it fares.

use super::trail::Trail;
use super::{Document, Older};
use serde::{Deserialize, Serialize};

/// State of one trail's delivery. Written only by its delivery follower; GetTrailStatus reads it. Key: the trail's ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryState {
    /// ARN of the trail.
    pub trail_arn: String,
    /// [`Trail::created_ms`] of that trail: a state left by an earlier trail of the same name is void.
    pub trail_created_ms: u64,
    /// Sequence number of the first journal entry that is not delivered.
    pub next: u64,
    /// Saved before the first object of a cut is written and cleared after the last: what must be done again, to the
    /// byte, when the process dies in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingCut>,
    /// The stop of logging (its time, as in [`Logging::stopped_ms`](crate::Logging::stopped_ms)) up to which all is
    /// delivered: until the next start there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<u64>,
    /// What GetTrailStatus says.
    #[serde(default)]
    pub status: DeliveryStatus,
}

/// A cut under way: the journal entries from [`DeliveryState::next`] up to `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingCut {
    /// One past the last entry of the cut.
    pub to: u64,
    /// Delivery time, from which the object names are made; milliseconds since the epoch.
    pub delivery_ms: u64,
    /// The trail as it stood when its entries were chosen.
    pub trail: Trail,
}

/// The delivery half of GetTrailStatus (`reference/trails-and-delivery.md` §8.5). Times in milliseconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStatus {
    /// `LatestDeliveryTime`: when log files last reached the bucket. Also `LatestDeliveryAttemptSucceeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_delivery_ms: Option<u64>,
    /// `LatestDeliveryAttemptTime`: when delivery was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_attempt_ms: Option<u64>,
    /// `LatestDeliveryError`: the error code of S3, such as `NoSuchBucket`; gone after the next success. An
    /// unreachable endpoint has no code and leaves it absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_error: Option<String>,
}

impl DeliveryState {
    /// The state of a trail of which nothing is delivered yet.
    pub fn of(trail: &Trail) -> DeliveryState {
        DeliveryState {
            trail_arn: trail.arn(),
            trail_created_ms: trail.created_ms,
            next: 0,
            pending: None,
            finished_ms: None,
            status: DeliveryStatus::default(),
        }
    }
}

impl Document for DeliveryState {
    const KIND: &'static str = "delivery-state";
    /// The second form holds a [`Trail`] of its third form, or of its second: an older program would carry out what is
    /// pending by its own idea of the trail.
    const FORM: u32 = 2;
    const BODY_MAX: usize = Trail::BODY_MAX + 4096;

    fn key(&self) -> String {
        self.trail_arn.clone()
    }

    /// The first form holds a trail of its first form, or of its second.
    fn from_older(form: u32, body: &str) -> Result<Self, Older> {
        match form {
            1 => Ok(serde_json::from_str(body)?),
            _ => Err(Older::Unknown),
        }
    }
}
