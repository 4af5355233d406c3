//! What the first start leaves behind: the default trail and its bucket (`design.md`, "Public contract").

use crate::config::Config;
use registry::{Expected, Registry, RegistryError, Trail};
use std::sync::Arc;
use std::time::Duration;
use trail::LogBucket;

/// Name of the default management trail.
const DEFAULT_TRAIL: &str = "management-events";
/// Waits between tries to make the bucket, while an upstream is not up yet.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// The bucket of the default trail.
pub fn default_bucket(account: &str) -> String {
    format!("opentrail-logs-{account}")
}

/// Creates the default trail, logging from `from` on, unless there are trails or there was one before.
///
/// # Errors
/// [`RegistryError`] when the registry fails.
pub fn ensure_trail(registry: &Registry, config: &Config, from: u64, now_ms: u64) -> Result<(), RegistryError> {
    let trails = registry.documents::<Trail>()?;
    let trail = Trail {
        is_multi_region_trail: true,
        include_global_service_events: true,
        log_file_validation_enabled: true,
        ..Trail::new(DEFAULT_TRAIL, &config.region, &config.account, &default_bucket(&config.account), now_ms)
    };
    let mut trail = trail;
    trail.logging.start(from, now_ms);
    match trails.put(trail, Expected::Absent) {
        Ok(_) | Err(RegistryError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the default trail's bucket, however long its store takes to come up.
pub async fn ensure_bucket(buckets: Arc<dyn LogBucket>, bucket: String) {
    let (mut wait, longest) = RETRY;
    while let Err(error) = buckets.create_bucket(&bucket).await {
        tracing::warn!(bucket, %error, "cannot make the bucket of the default trail yet");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(longest);
    }
}
