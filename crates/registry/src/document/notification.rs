//! What a trail's topic is still to be told, and how telling fares.

use super::Document;
use serde::{Deserialize, Serialize};

/// Log files of one delivered cut that a topic is to be told of; removed once it is. Written by the trail's delivery
/// follower before it notes that the cut is delivered, so that none is forgotten. Key: the trail's ARN and where the cut begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// ARN of the trail.
    pub trail_arn: String,
    /// [`Trail::created_ms`](crate::Trail::created_ms) of that trail.
    pub trail_created_ms: u64,
    /// Sequence number of the first journal entry of the cut.
    pub from: u64,
    /// ARN of the topic that the trail had when the files were delivered.
    pub topic_arn: String,
    /// When they were delivered, milliseconds since the epoch.
    pub delivered_ms: u64,
    /// The bucket that they lie in.
    pub bucket: String,
    /// Their keys.
    pub objects: Vec<String>,
}

/// The notification part of GetTrailStatus (`reference/trails-and-delivery.md` §8.5). Written only by the sender of the
/// trail's notifications. Times in milliseconds since the epoch. Key: the trail's ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationState {
    /// ARN of the trail.
    pub trail_arn: String,
    /// [`Trail::created_ms`](crate::Trail::created_ms) of that trail: a state left by an earlier trail of the same name is void.
    pub trail_created_ms: u64,
    /// `LatestNotificationTime`: when the topic last took a message. Also `LatestNotificationAttemptSucceeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_notification_ms: Option<u64>,
    /// `LatestNotificationAttemptTime`: when one was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_attempt_ms: Option<u64>,
    /// `LatestNotificationError`: the error code of SNS, such as `NotFound`; gone after the next success. An endpoint out
    /// of reach has no code and leaves it absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_error: Option<String>,
}

impl Notification {
    /// The key of a cut of that trail.
    pub fn key_of(trail_arn: &str, from: u64) -> String {
        format!("{trail_arn}/{from:020}")
    }
}

impl Document for Notification {
    const KIND: &'static str = "notification";

    fn key(&self) -> String {
        Notification::key_of(&self.trail_arn, self.from)
    }
}

impl NotificationState {
    /// The state of a trail whose topic was never told anything.
    pub fn of(trail_arn: &str, trail_created_ms: u64) -> NotificationState {
        NotificationState {
            trail_arn: trail_arn.to_owned(),
            trail_created_ms,
            latest_notification_ms: None,
            latest_attempt_ms: None,
            latest_error: None,
        }
    }
}

impl Document for NotificationState {
    const KIND: &'static str = "notification-state";

    fn key(&self) -> String {
        self.trail_arn.clone()
    }
}
