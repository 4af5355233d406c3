//! What CreateTrail and UpdateTrail try before they accept a bucket.

use crate::name::{digest_folder, log_folder};
use crate::{BucketError, LogBucket, ObjectHeaders};
use bytes::Bytes;
use registry::Trail;

/// Asks whether the trail's bucket is there, and leaves the zero-byte markers in it that CloudTrail leaves: the folder of
/// its log files and, with validation, that of its digests (`reference/trails-and-delivery.md` §3, preflight).
///
/// # Errors
/// The first [`BucketError`]. [`BucketError::NoSuchBucket`] is S3BucketDoesNotExistException, everything else
/// InsufficientS3BucketPolicyException.
pub async fn preflight(bucket: &dyn LogBucket, trail: &Trail) -> Result<(), BucketError> {
    // AWS tries both calls and tells of the first; a marker stays even when the other call fails.
    let there = bucket.head_bucket(&trail.s3_bucket_name).await;
    if let Err(BucketError::NoSuchBucket(_)) = there {
        return there;
    }
    let prefix = trail.s3_key_prefix.as_deref();
    let mut markers = vec![log_folder(prefix, &trail.account_id)];
    if trail.log_file_validation_enabled {
        markers.push(digest_folder(prefix, &trail.account_id));
    }
    for marker in markers {
        bucket.put(&trail.s3_bucket_name, &marker, Bytes::new(), ObjectHeaders::LOG_FILE).await?;
    }
    there
}
