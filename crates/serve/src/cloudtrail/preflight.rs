//! What CreateTrail and UpdateTrail try before they change anything: whether the bucket takes what will be delivered, whether
//! the key is one, whether the topic and the log group can be told, in this order (`reference/trails-and-delivery.md §3`,
//! preflight). What was written stays when a try fails.

use super::destination::{UNKNOWN_LOG_GROUP, check_key_region, key_arn, key_not_found, region_of_arn};
use super::error::ApiError;
use crate::seams::{BucketError, Buckets, DestinationError, Kms, KmsError, LogGroups, Topics};
use registry::Trail;
use std::sync::Arc;
use std::time::Duration;

/// How long the bucket may take: the caller waits.
const BUCKET_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the key may take.
const KEY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the topic may take, and how long the log group.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What is tried.
pub(crate) struct Preflight {
    pub(crate) buckets: Arc<dyn Buckets>,
    /// Who knows the keys; without anybody, key ids and ARNs are believed.
    pub(crate) kms: Option<Arc<dyn Kms>>,
    /// Who has topics; without anybody, a trail can have none.
    pub(crate) topics: Option<Arc<dyn Topics>>,
    /// Who has log groups; without anybody, a trail can have none.
    pub(crate) log_groups: Option<Arc<dyn LogGroups>>,
}

/// The key of a trail: its ARN as far as it is known, with which the bucket is tried, and whether it can be the trail's.
type FoundKey = (Option<String>, Result<(), ApiError>);

/// A trail whose destinations have been tried.
pub(crate) struct Tried {
    trail: Trail,
    key: Option<String>,
}

impl Tried {
    /// Puts the whole ARN of the key into a trail, if its destinations are those that were tried; otherwise `false`.
    pub(crate) fn settle(self, trail: &mut Trail) -> bool {
        let destination = |trail: &Trail| {
            let Trail { s3_bucket_name, s3_key_prefix, kms_key_id, log_file_validation_enabled, organization, .. } =
                trail.clone();
            let bucket = (s3_bucket_name, s3_key_prefix, kms_key_id, log_file_validation_enabled, organization);
            (bucket, trail.sns_topic_arn.clone(), trail.cloud_watch_logs_log_group_arn.clone())
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
    /// The bucket's errors, the key's, the topic's, the log group's. Where nobody serves topics or log groups, that comes first.
    pub(crate) async fn try_out(&self, trail: &Trail) -> Result<Tried, ApiError> {
        self.check_served(trail)?;
        let in_region = self.check_key_fits(trail).await;
        let (key, verdict) = self.find_key(trail).await;
        // Also a key that is none: the bucket comes first, and nothing is written there with less encryption than was asked for.
        let tried = Trail { kms_key_id: key.clone(), ..trail.clone() };
        match tokio::time::timeout(BUCKET_TIMEOUT, self.try_bucket(&tried)).await {
            // A store that knows the key's Region refuses it in its own words.
            Ok(Err(error)) if error.code == insufficient_encryption().code => return in_region.and(Err(error)),
            Ok(done) => done?,
            Err(_) => return Err(self.unreachable(&trail.s3_bucket_name, "it did not answer in time")),
        }
        in_region.and(verdict)?;
        self.try_topic(trail).await?;
        self.try_log_group(trail).await?;
        Ok(Tried { trail: trail.clone(), key })
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

    /// The bucket is there, and delivery may write the marker objects. Writing is tried also where the bucket may not be
    /// asked for its ACL, which is refused nevertheless (`reference/trails-and-delivery.md §3`).
    async fn try_bucket(&self, trail: &Trail) -> Result<(), ApiError> {
        let bucket = &trail.s3_bucket_name;
        let checked = self.buckets.check(bucket).await;
        if checked == Err(BucketError::Missing) {
            return Err(self.bucket_error(bucket, BucketError::Missing));
        }
        let mut written = Ok(());
        for key in marker_keys(trail) {
            if written.is_ok() {
                written = self.buckets.put_marker(trail, &key).await;
            }
        }
        let tried = if written == Err(BucketError::Missing) { written } else { checked.and(written) };
        tried.map_err(|error| self.bucket_error(bucket, error))
    }

    /// Refuses a destination that nobody has before anything is touched.
    fn check_served(&self, trail: &Trail) -> Result<(), ApiError> {
        let nobody = |what: &str, service: &str, member: &str| {
            Err(ApiError::unsupported(format!(
                "{what} of this OpenTrail: no upstream serves {service}. Start it with --upstream {service}=URL, or leave \
                 {member} out."
            )))
        };
        if trail.sns_topic_arn.is_some() && self.topics.is_none() {
            return nobody("There are no topics in reach", "sns", "SnsTopicName");
        }
        if trail.cloud_watch_logs_log_group_arn.is_some() && self.log_groups.is_none() {
            return nobody("There are no log groups in reach", "logs", "CloudWatchLogsLogGroupArn");
        }
        Ok(())
    }

    async fn try_topic(&self, trail: &Trail) -> Result<(), ApiError> {
        let (Some(topics), Some(topic)) = (&self.topics, &trail.sns_topic_arn) else { return Ok(()) };
        match in_time(topics.validate(topic)).await {
            Ok(()) => Ok(()),
            Err(DestinationError::Missing(cause) | DestinationError::Denied(cause)) => {
                tracing::info!(topic, %cause, "the topic of a trail refused");
                let message = "SNS Topic does not exist or the topic policy is incorrect!";
                Err(ApiError::new("InsufficientSnsTopicPolicyException", message))
            }
            // AWS has no error for that; as with a bucket, what follows for the caller is said, and the sentence says why.
            Err(DestinationError::Unavailable(cause)) => {
                tracing::warn!(topic, %cause, "the topic of a trail cannot be reached");
                let message = format!(
                    "CloudTrail cannot notify topic {topic}: the upstream that serves sns cannot be reached. Nothing was \
                     changed; try again when it answers."
                );
                Err(ApiError::new("InsufficientSnsTopicPolicyException", message))
            }
        }
    }

    async fn try_log_group(&self, trail: &Trail) -> Result<(), ApiError> {
        let (Some(groups), Some(group)) = (&self.log_groups, &trail.cloud_watch_logs_log_group_arn) else {
            return Ok(());
        };
        let refused = |message, cause: String| {
            tracing::info!(group, %cause, "the log group of a trail refused");
            Err(ApiError::new("InvalidCloudWatchLogsLogGroupArnException", message))
        };
        match in_time(groups.create_stream(trail)).await {
            Ok(()) => Ok(()),
            Err(DestinationError::Missing(cause)) => refused(UNKNOWN_LOG_GROUP, cause),
            Err(DestinationError::Denied(cause)) => {
                refused("Access denied. Verify in IAM that the role has adequate permissions.", cause)
            }
            Err(DestinationError::Unavailable(cause)) => {
                tracing::warn!(group, %cause, "the log group of a trail cannot be reached");
                let message = "CloudTrail cannot deliver to CloudWatch Logs: the upstream that serves logs cannot be \
                               reached. Nothing was changed; try again when it answers.";
                Err(ApiError::new("CloudWatchLogsDeliveryUnavailableException", message))
            }
        }
    }

    /// Whether the key is of the bucket's Region.
    async fn check_key_fits(&self, trail: &Trail) -> Result<(), ApiError> {
        let Some(key) = trail.kms_key_id.as_deref().filter(|key| region_of_arn(key).is_some()) else { return Ok(()) };
        let asked = self.buckets.region(&trail.s3_bucket_name);
        let region = tokio::time::timeout(KEY_TIMEOUT, asked).await.ok().flatten();
        check_key_region(key, region.as_deref(), &trail.home_region)
    }

    /// The trail's key. Where nobody can be asked, what an alias stands for is not known, and the rest is believed.
    async fn find_key(&self, trail: &Trail) -> FoundKey {
        let Some(key) = trail.kms_key_id.as_deref() else { return (None, Ok(())) };
        let given = Some(key_arn(key, &trail.home_region, &trail.account_id));
        let believed = if key.contains("alias/") { Err(key_not_found(key)) } else { Ok(()) };
        let Some(kms) = &self.kms else { return (given, believed) };
        let late = || KmsError::Unavailable("it did not answer in time".to_owned());
        let found =
            tokio::time::timeout(KEY_TIMEOUT, kms.find(key, region_of_arn(key).unwrap_or(&trail.home_region))).await;
        match found.unwrap_or_else(|_| Err(late())) {
            Ok(found) if found.is_enabled => (Some(found.arn), Ok(())),
            Ok(found) => {
                let message = format!("KMS key {} is disabled.", found.arn);
                (Some(found.arn), Err(ApiError::new("KmsException", message)))
            }
            Err(KmsError::Refused(cause)) => {
                tracing::info!(key, %cause, "the key of a trail was refused");
                (given, Err(insufficient_encryption()))
            }
            // CloudTrail does without DescribeKey (`reference/trails-and-delivery.md §7`): the store uses the key, or does not.
            Err(KmsError::Denied(cause)) => {
                tracing::info!(key, %cause, "the key of a trail may not be looked at, and the bucket is tried with it");
                (given, Ok(()))
            }
            Err(KmsError::Unavailable(cause)) => {
                tracing::warn!(key, %cause, "the key of a trail could not be looked at and is believed");
                (given, believed)
            }
        }
    }
}

/// What comes of a try, unless it takes too long.
async fn in_time(tried: impl Future<Output = Result<(), DestinationError>>) -> Result<(), DestinationError> {
    let too_long = || Err(DestinationError::Unavailable("it did not answer in time".to_owned()));
    tokio::time::timeout(CALL_TIMEOUT, tried).await.unwrap_or_else(|_| too_long())
}

fn insufficient_encryption() -> ApiError {
    let message = "Insufficient permissions to access S3 bucket or KMS key.";
    ApiError::new("InsufficientEncryptionPolicyException", message)
}

/// `[prefix/]AWSLogs/ACCOUNT/CloudTrail/`, and the same for digests when they are asked for; for the trail of an
/// organization also below `AWSLogs/o-ID/`, which a statement of its own in the bucket's policy allows
/// (`reference/trails-and-delivery.md §7`).
fn marker_keys(trail: &Trail) -> Vec<String> {
    let prefix = trail.s3_key_prefix.as_ref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
    let below = |organization: &str| {
        let folder = |name: &str| format!("{prefix}AWSLogs/{organization}{}/{name}/", trail.account_id);
        let digests = trail.log_file_validation_enabled.then(|| folder("CloudTrail-Digest"));
        [Some(folder("CloudTrail")), digests].into_iter().flatten()
    };
    let organization = trail.organization.as_ref().map(|organization| format!("{}/", organization.id));
    below("").chain(organization.iter().flat_map(|organization| below(organization))).collect()
}
