//! What CreateTrail and UpdateTrail try before they change anything: whether the bucket takes what will be delivered, and
//! whether the key is one (`reference/trails-and-delivery.md §3`, preflight). What was written stays when a try fails.

use super::destination::key_arn;
use super::error::ApiError;
use crate::seams::{BucketError, Buckets, Kms, KmsError};
use registry::Trail;
use std::sync::Arc;
use std::time::Duration;

/// How long the bucket may take: the caller waits.
const BUCKET_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the key may take.
const KEY_TIMEOUT: Duration = Duration::from_secs(5);

/// What is tried.
pub(crate) struct Preflight {
    pub(crate) buckets: Arc<dyn Buckets>,
    /// Who knows the keys; without anybody, key ids and ARNs are believed.
    pub(crate) kms: Option<Arc<dyn Kms>>,
}

/// A trail whose destinations have been tried.
pub(crate) struct Tried {
    trail: Trail,
    key: Option<String>,
}

impl Tried {
    /// Puts the whole ARN of the key into a trail, if its destinations are those that were tried; otherwise `false`.
    pub(crate) fn settle(self, trail: &mut Trail) -> bool {
        let destination = |trail: &Trail| {
            let Trail { s3_bucket_name, s3_key_prefix, kms_key_id, log_file_validation_enabled, .. } = trail.clone();
            (s3_bucket_name, s3_key_prefix, kms_key_id, log_file_validation_enabled)
        };
        let fits = destination(trail) == destination(&self.trail);
        if fits {
            trail.kms_key_id = self.key;
        }
        fits
    }
}

impl Preflight {
    /// Tries a trail's destinations.
    ///
    /// # Errors
    /// The bucket's errors, then the key's.
    pub(crate) async fn try_out(&self, trail: &Trail) -> Result<Tried, ApiError> {
        let key = self.find_key(trail).await;
        let mut tried = trail.clone();
        tried.kms_key_id = key.as_ref().ok().cloned().flatten();
        match tokio::time::timeout(BUCKET_TIMEOUT, self.try_bucket(&tried)).await {
            Ok(done) => done?,
            Err(_) => return Err(self.unreachable(&trail.s3_bucket_name, "it did not answer in time")),
        }
        Ok(Tried { trail: trail.clone(), key: key? })
    }

    fn bucket_error(&self, bucket: &str, error: BucketError) -> ApiError {
        match error {
            BucketError::Missing => {
                ApiError::new("S3BucketDoesNotExistException", format!("S3 bucket {bucket} does not exist!"))
            }
            BucketError::Denied(cause) => {
                tracing::info!(%bucket, %cause, "trail bucket refused");
                let message = format!("Incorrect S3 bucket policy is detected for bucket: {bucket}");
                ApiError::new("InsufficientS3BucketPolicyException", message)
            }
            BucketError::Key(cause) => {
                tracing::info!(%bucket, %cause, "trail bucket refused the key");
                if cause.starts_with("KMS.Disabled") {
                    return ApiError::new("KmsException", "The KMS key of the trail is disabled.");
                }
                insufficient_encryption()
            }
            BucketError::Unencrypted => {
                let message = "The object store that OpenTrail serves itself does not encrypt with KMS keys: leave KmsKeyId \
                               out, or send s3 to an upstream that does.";
                ApiError::unsupported(message)
            }
            BucketError::Unavailable(cause) => self.unreachable(bucket, &cause),
        }
    }

    /// The store does not answer, which AWS has no error for: that of a bucket which CloudTrail cannot use says what
    /// follows for the caller, and the sentence says why.
    fn unreachable(&self, bucket: &str, cause: &str) -> ApiError {
        let place = self.buckets.place();
        tracing::warn!(%bucket, %place, %cause, "the store of a trail's bucket cannot be reached");
        let message = format!(
            "CloudTrail cannot deliver to bucket {bucket}: the object store at {place} cannot be reached. Nothing was \
             changed; try again when it answers."
        );
        ApiError::new("InsufficientS3BucketPolicyException", message)
    }

    /// The bucket is there, and delivery may write the marker objects. Writing is tried also where the bucket cannot be
    /// looked at, as CloudTrail does.
    async fn try_bucket(&self, trail: &Trail) -> Result<(), ApiError> {
        let bucket = &trail.s3_bucket_name;
        let looked = self.buckets.bucket_exists(bucket).await;
        if looked == Ok(false) {
            return Err(self.bucket_error(bucket, BucketError::Missing));
        }
        let mut written = Ok(());
        for key in marker_keys(trail) {
            if written.is_ok() {
                written = self.buckets.put_marker(trail, &key).await;
            }
        }
        looked.map(drop).and(written).map_err(|error| self.bucket_error(bucket, error))
    }

    /// The whole ARN of the trail's key.
    async fn find_key(&self, trail: &Trail) -> Result<Option<String>, ApiError> {
        let Some(key) = trail.kms_key_id.as_deref() else { return Ok(None) };
        let as_given = || key_arn(key, &trail.home_region, &trail.account_id).map(Some);
        let Some(kms) = &self.kms else { return as_given() };
        let late = || KmsError::Unavailable("it did not answer in time".to_owned());
        let found = tokio::time::timeout(KEY_TIMEOUT, kms.find(key, &trail.home_region)).await;
        match found.unwrap_or_else(|_| Err(late())) {
            Ok(found) if found.is_enabled => Ok(Some(found.arn)),
            Ok(found) => {
                let message = format!("KMS key {} is disabled.", found.arn);
                Err(ApiError::new("KmsException", message))
            }
            Err(KmsError::Refused(cause)) => {
                tracing::info!(key, %cause, "the key of a trail was refused");
                Err(insufficient_encryption())
            }
            Err(KmsError::Unavailable(cause)) => {
                tracing::warn!(key, %cause, "the key of a trail could not be looked at and is believed");
                as_given()
            }
        }
    }
}

fn insufficient_encryption() -> ApiError {
    let message = "Insufficient permissions to access S3 bucket or KMS key.";
    ApiError::new("InsufficientEncryptionPolicyException", message)
}

/// `[prefix/]AWSLogs/ACCOUNT/CloudTrail/`, and the same for digests when they are asked for.
fn marker_keys(trail: &Trail) -> Vec<String> {
    let prefix = trail.s3_key_prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
    let folder = |name: &str| format!("{prefix}AWSLogs/{}/{name}/", trail.account_id);
    let mut keys = vec![folder("CloudTrail")];
    if trail.log_file_validation_enabled {
        keys.push(folder("CloudTrail-Digest"));
    }
    keys
}
