//! Who is told of what trails record: the upstreams that own SNS and CloudWatch Logs, called with the same keys as S3.

use crate::config::Config;
use crate::objects;
use futures_util::future::BoxFuture;
use registry::{AccessKey, Trail};
use serve::DestinationError;
use std::sync::Arc;
use trail::{
    CallError, LogGroup, LogGroups, LogsEndpoint, NotifyMetrics, NotifyOptions, SnsEndpoint, Topics,
    VALIDATION_MESSAGE, log_stream_name,
};

/// The upstreams of topics and log groups, where there are any.
pub(crate) struct Notified {
    topics: Option<Arc<dyn Topics>>,
    log_groups: Option<Arc<dyn LogGroups>>,
    /// What is counted.
    pub(crate) metrics: NotifyMetrics,
}

impl Notified {
    /// The upstreams of the configuration. Nothing is sent yet.
    pub(crate) fn of(config: &Config, administrator: &AccessKey) -> Notified {
        let options = |service: &str| {
            let endpoint = config.routes.upstream_of(service)?.to_string();
            Some(objects::options(config, endpoint, administrator))
        };
        Notified {
            topics: options("sns").map(|options| Arc::new(SnsEndpoint::new(options)) as Arc<dyn Topics>),
            log_groups: options("logs").map(|options| Arc::new(LogsEndpoint::new(options)) as Arc<dyn LogGroups>),
            metrics: NotifyMetrics::default(),
        }
    }

    /// As delivery uses them. What trails still want to be told waits where nobody serves it any more.
    pub(crate) fn options(&self) -> NotifyOptions {
        let nobody = NotifyOptions::default();
        NotifyOptions {
            topics: self.topics.clone().unwrap_or(nobody.topics),
            log_groups: self.log_groups.clone().unwrap_or(nobody.log_groups),
            metrics: self.metrics.clone(),
        }
    }

    /// Topics as the CloudTrail API asks for them.
    pub(crate) fn topics(&self) -> Option<Arc<dyn serve::Topics>> {
        self.topics.clone().map(|topics| Arc::new(TrailTopics(topics)) as Arc<dyn serve::Topics>)
    }

    /// Log groups as the CloudTrail API asks for them.
    pub(crate) fn log_groups(&self) -> Option<Arc<dyn serve::LogGroups>> {
        self.log_groups.clone().map(|groups| Arc::new(TrailLogGroups(groups)) as Arc<dyn serve::LogGroups>)
    }
}

struct TrailTopics(Arc<dyn Topics>);

impl serve::Topics for TrailTopics {
    fn validate<'a>(&'a self, topic_arn: &'a str) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move { self.0.publish(topic_arn, VALIDATION_MESSAGE).await.map_err(told) })
    }
}

struct TrailLogGroups(Arc<dyn LogGroups>);

impl serve::LogGroups for TrailLogGroups {
    fn create_stream<'a>(&'a self, trail: &'a Trail) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move {
            let arn = trail.cloud_watch_logs_log_group_arn.as_deref().unwrap_or_default();
            let group =
                LogGroup::of(arn).ok_or_else(|| DestinationError::Missing(format!("`{arn}` is no log group")))?;
            let stream = log_stream_name(trail, &trail.account_id);
            self.0.create_stream(&group, &stream).await.map_err(told)
        })
    }
}

fn told(error: CallError) -> DestinationError {
    let cause = error.to_string();
    match error.code() {
        None => DestinationError::Unavailable(cause),
        Some("NotFound" | "ResourceNotFoundException") => DestinationError::Missing(cause),
        Some(_) => DestinationError::Denied(cause),
    }
}
