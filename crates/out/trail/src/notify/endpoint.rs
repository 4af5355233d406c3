//! SNS and CloudWatch Logs, called through the AWS SDK. One call is one try: when to try again is decided elsewhere.

use super::message::topic_region;
use super::{CallError, LogGroup, LogGroups, Topics};
use crate::bucket::s3::{S3Options, whole_cause};
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, RejectedLogEventsInfo};
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::config::timeout::TimeoutConfig;
use aws_sdk_sns::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use event::Event;
use futures_util::future::BoxFuture;
use std::fmt;
use std::time::Duration;

/// How long a connection may take, and a whole call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// An SNS endpoint.
pub struct SnsEndpoint(aws_sdk_sns::Client);

/// A CloudWatch Logs endpoint.
pub struct LogsEndpoint(aws_sdk_cloudwatchlogs::Client);

impl SnsEndpoint {
    /// A client for the endpoint, with the options of an S3 endpoint. Nothing is sent yet.
    pub fn new(options: S3Options) -> SnsEndpoint {
        let config = aws_sdk_sns::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(options.endpoint.clone())
            .region(Region::new(options.region.clone()))
            .timeout_config(timeouts())
            .retry_config(RetryConfig::disabled())
            .credentials_provider(credentials(options))
            .build();
        SnsEndpoint(aws_sdk_sns::Client::from_conf(config))
    }
}

impl Topics for SnsEndpoint {
    fn publish<'a>(&'a self, topic_arn: &'a str, message: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            let region = topic_region(topic_arn).map(|region| Region::new(region.to_owned()));
            let there = aws_sdk_sns::Config::builder().region(region);
            let call = self.0.publish().topic_arn(topic_arn).message(message);
            call.customize().config_override(there).send().await.map(drop).map_err(failed)
        })
    }
}

impl LogsEndpoint {
    /// A client for the endpoint, with the options of an S3 endpoint. Nothing is sent yet.
    pub fn new(options: S3Options) -> LogsEndpoint {
        let config = aws_sdk_cloudwatchlogs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(options.endpoint.clone())
            .region(Region::new(options.region.clone()))
            .timeout_config(timeouts())
            .retry_config(RetryConfig::disabled())
            .credentials_provider(credentials(options))
            .build();
        LogsEndpoint(aws_sdk_cloudwatchlogs::Client::from_conf(config))
    }
}

impl LogGroups for LogsEndpoint {
    fn create_stream<'a>(&'a self, group: &'a LogGroup, stream: &'a str) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            let there = aws_sdk_cloudwatchlogs::Config::builder().region(Region::new(group.region.clone()));
            let call = self.0.create_log_stream().log_group_name(&group.name).log_stream_name(stream);
            match call.customize().config_override(there).send().await.map(drop).map_err(failed) {
                Err(CallError::Refused { code, .. }) if code == "ResourceAlreadyExistsException" => Ok(()),
                done => done,
            }
        })
    }

    fn put<'a>(
        &'a self,
        group: &'a LogGroup,
        stream: &'a str,
        timestamp_ms: u64,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<usize, CallError>> {
        Box::pin(async move {
            let timestamp = i64::try_from(timestamp_ms).unwrap_or(i64::MAX);
            let event = |event: &Event| InputLogEvent::builder().timestamp(timestamp).message(event.text()).build();
            let messages = events.iter().map(event).collect::<Result<Vec<_>, _>>();
            let messages = messages.map_err(|error| CallError::Unreachable(error.to_string()))?;
            let there = aws_sdk_cloudwatchlogs::Config::builder().region(Region::new(group.region.clone()));
            let call = self.0.put_log_events().log_group_name(&group.name).log_stream_name(stream);
            let call = call.set_log_events(Some(messages));
            let answer = call.customize().config_override(there).send().await.map_err(failed)?;
            Ok(answer.rejected_log_events_info.map_or(events.len(), |rejected| taken(&rejected, events.len())))
        })
    }
}

/// How many of so many events were taken: those between the ones that are too old and the ones that are too new.
fn taken(rejected: &RejectedLogEventsInfo, events: usize) -> usize {
    let index = |at: Option<i32>| at.and_then(|at| usize::try_from(at).ok());
    let old = index(rejected.too_old_log_event_end_index).max(index(rejected.expired_log_event_end_index));
    let new = index(rejected.too_new_log_event_start_index).unwrap_or(events).min(events);
    new.saturating_sub(old.unwrap_or(0))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(CALL_TIMEOUT).build()
}

fn credentials(options: S3Options) -> Credentials {
    let secret = options.secret.expose().to_owned();
    let token = options.session_token.map(|token| token.expose().to_owned());
    Credentials::new(options.access_key_id, secret, token, None, "opentrail")
}

/// What an error of the SDK means.
fn failed<E, R>(error: SdkError<E, R>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug + 'static,
{
    let service = error.as_service_error();
    match service.and_then(|error| Some((error.code()?, error.message()))) {
        Some((code, message)) => {
            CallError::Refused { code: code.to_owned(), message: message.unwrap_or_default().to_owned() }
        }
        None => CallError::Unreachable(whole_cause(&error)),
    }
}

impl fmt::Debug for SnsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnsEndpoint")
    }
}

impl fmt::Debug for LogsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogsEndpoint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_events_are_counted() {
        let info = |old: Option<i32>, new: Option<i32>| {
            RejectedLogEventsInfo::builder()
                .set_too_old_log_event_end_index(old)
                .set_too_new_log_event_start_index(new)
                .build()
        };
        assert_eq!(taken(&info(None, None), 5), 5);
        assert_eq!(taken(&info(Some(2), None), 5), 3);
        assert_eq!(taken(&info(Some(1), Some(3)), 5), 2);
        assert_eq!(taken(&info(None, Some(0)), 5), 0);
        assert_eq!(taken(&info(Some(-1), Some(99)), 5), 5);
    }
}
