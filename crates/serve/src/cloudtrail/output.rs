//! Trails and statuses as they stand in responses (`reference/trails-and-delivery.md §2, §8.5`): what is not set is
//! absent, never null.

use super::States;
use event::{EventTime, Selectors};
use registry::{Tag, Trail};
use serde::Serialize;

/// A trail. CreateTrail and UpdateTrail leave out the members that only Get and Describe show.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TrailOutput<'a> {
    name: &'a str,
    s3_bucket_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_key_prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sns_topic_name: Option<&'a str>,
    #[serde(rename = "SnsTopicARN", skip_serializing_if = "Option::is_none")]
    sns_topic_arn: Option<&'a str>,
    include_global_service_events: bool,
    is_multi_region_trail: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    home_region: Option<&'a str>,
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    log_file_validation_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_watch_logs_log_group_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_watch_logs_role_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_custom_event_selectors: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_insight_selectors: Option<bool>,
    is_organization_trail: bool,
    /// After a change shown only where it was asked for, or is not the default (§2).
    #[serde(skip_serializing_if = "Option::is_none")]
    recursive_logging: Option<bool>,
}

impl<'a> TrailOutput<'a> {
    /// As CreateTrail and UpdateTrail answer; `recursive_logging` is what was asked for.
    pub(crate) fn changed(trail: &'a Trail, recursive_logging: Option<bool>) -> TrailOutput<'a> {
        TrailOutput {
            name: &trail.name,
            s3_bucket_name: &trail.s3_bucket_name,
            s3_key_prefix: trail.s3_key_prefix.as_deref(),
            sns_topic_name: trail.sns_topic_name.as_deref(),
            sns_topic_arn: trail.sns_topic_arn.as_deref(),
            include_global_service_events: trail.include_global_service_events,
            is_multi_region_trail: trail.is_multi_region_trail,
            home_region: None,
            trail_arn: trail.arn(),
            log_file_validation_enabled: trail.log_file_validation_enabled,
            cloud_watch_logs_log_group_arn: trail.cloud_watch_logs_log_group_arn.as_deref(),
            cloud_watch_logs_role_arn: trail.cloud_watch_logs_role_arn.as_deref(),
            kms_key_id: trail.kms_key_id.as_deref(),
            has_custom_event_selectors: None,
            has_insight_selectors: None,
            is_organization_trail: trail.is_organization_trail,
            recursive_logging: recursive_logging.or((!trail.recursive_logging).then_some(false)),
        }
    }

    /// As GetTrail and DescribeTrails answer.
    pub(crate) fn read(trail: &'a Trail) -> TrailOutput<'a> {
        TrailOutput {
            home_region: Some(&trail.home_region),
            has_custom_event_selectors: Some(trail.selectors.as_ref().is_some_and(Selectors::are_custom)),
            has_insight_selectors: Some(!trail.insight_selectors.is_empty()),
            recursive_logging: Some(trail.recursive_logging),
            ..TrailOutput::changed(trail, None)
        }
    }
}

/// An entry of ListTrails.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TrailInfo<'a> {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    name: &'a str,
    home_region: &'a str,
}

impl<'a> TrailInfo<'a> {
    pub(crate) fn of(trail: &'a Trail) -> TrailInfo<'a> {
        TrailInfo { trail_arn: trail.arn(), name: &trail.name, home_region: &trail.home_region }
    }
}

/// A tag; a missing value stays missing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TagOutput<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

impl<'a> TagOutput<'a> {
    pub(crate) fn of(tag: &'a Tag) -> TagOutput<'a> {
        TagOutput { key: &tag.key, value: tag.value.as_deref() }
    }
}

/// GetTrailStatus. The numbers are absent until they first happen; the legacy texts are always there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct StatusOutput<'a> {
    is_logging: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_delivery_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_notification_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_delivery_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_notification_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_logging_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_logging_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_cloud_watch_logs_delivery_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_cloud_watch_logs_delivery_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_digest_delivery_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_digest_delivery_error: Option<&'a str>,
    latest_delivery_attempt_time: String,
    latest_notification_attempt_time: String,
    latest_notification_attempt_succeeded: String,
    latest_delivery_attempt_succeeded: String,
    time_logging_started: String,
    time_logging_stopped: String,
}

impl<'a> StatusOutput<'a> {
    /// The status of a trail that fares like this. What was wrong with a topic or a log group that it has no more is not told.
    pub(crate) fn of(trail: &Trail, states: &'a States) -> StatusOutput<'a> {
        let delivery = states.delivery.as_ref().map(|state| &state.status);
        let (digests, logs) = (states.digests.as_ref(), states.logs.as_ref());
        let notifications = states.notifications.as_ref();
        let has_topic = trail.sns_topic_arn.is_some();
        let has_group = trail.cloud_watch_logs_log_group_arn.is_some();
        let delivered_ms = delivery.and_then(|delivery| delivery.latest_delivery_ms);
        let notified_ms = notifications.and_then(|state| state.latest_notification_ms);
        StatusOutput {
            is_logging: trail.logging.is_on(),
            latest_delivery_error: delivery.and_then(|delivery| delivery.latest_error.as_deref()),
            latest_notification_error: notifications
                .and_then(|state| state.latest_error.as_deref())
                .filter(|_| has_topic),
            latest_delivery_time: delivered_ms.map(epoch_seconds),
            latest_notification_time: notified_ms.map(epoch_seconds),
            start_logging_time: trail.logging.started_ms.map(epoch_seconds),
            stop_logging_time: trail.logging.stopped_ms.map(epoch_seconds),
            latest_cloud_watch_logs_delivery_error: logs
                .and_then(|state| state.latest_error.as_deref())
                .filter(|_| has_group),
            latest_cloud_watch_logs_delivery_time: logs.and_then(|state| state.latest_delivery_ms).map(epoch_seconds),
            latest_digest_delivery_time: digests.and_then(|digests| digests.latest_delivery_ms).map(epoch_seconds),
            latest_digest_delivery_error: digests.and_then(|digests| digests.latest_error.as_deref()),
            latest_delivery_attempt_time: iso(delivery.and_then(|delivery| delivery.latest_attempt_ms)),
            latest_notification_attempt_time: iso(notifications.and_then(|state| state.latest_attempt_ms)),
            latest_notification_attempt_succeeded: iso(notified_ms),
            latest_delivery_attempt_succeeded: iso(delivered_ms),
            time_logging_started: iso(trail.logging.started_ms),
            time_logging_stopped: iso(trail.logging.stopped_ms),
        }
    }
}

/// A timestamp on the wire: epoch seconds with the milliseconds as a fraction.
pub(crate) fn epoch_seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// A legacy time text; empty when it never happened.
fn iso(milliseconds: Option<u64>) -> String {
    milliseconds.map(|milliseconds| EventTime((milliseconds / 1000) as i64).to_string()).unwrap_or_default()
}
