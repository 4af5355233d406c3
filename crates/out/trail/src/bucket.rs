//! The seam to where log files go.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use registry::Trail;

pub(crate) mod s3;

/// Buckets that log files are written to: an S3 endpoint ([`S3Endpoint`](crate::S3Endpoint)) or the store served here.
pub trait LogBucket: Send + Sync + 'static {
    /// Asks a bucket what CloudTrail asks before it uses one: its ACL (`reference/trails-and-delivery.md` §7, which no other
    /// permission to look is needed for), and that it is not Requester Pays (§3). A store that has no ACLs is fine.
    ///
    /// # Errors
    /// [`BucketError::NoSuchBucket`] when it is not there; the others.
    fn check_bucket<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), BucketError>>;

    /// Writes an object, in place of one of the same key; durable when it returns.
    ///
    /// # Errors
    /// [`BucketError`].
    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        body: Bytes,
        headers: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>>;

    /// Reads a small object; `None` where there is none. Delivery never reads: this is for transparency logs, which look whether
    /// what lies there is what was written, and prove to witnesses that they have only grown.
    ///
    /// # Errors
    /// [`BucketError`].
    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BucketError>> {
        let _ = (bucket, key);
        Box::pin(async { Err(BucketError::Unreachable("it cannot be read from".to_owned())) })
    }
}

/// Metadata of an object that is written. CloudTrail sets user metadata on digests alone
/// (`reference/trails-and-delivery.md` §7, `reference/integrity.md` §1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Content-Encoding`; empty: none.
    pub content_encoding: &'static str,
    /// Names without `x-amz-meta-`, in lower case, and their values.
    pub metadata: Vec<(&'static str, String)>,
    /// How it is to be encrypted.
    pub encryption: Encryption,
}

/// How the store is to encrypt an object (`reference/trails-and-delivery.md` §7, encryption).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encryption {
    /// SSE-S3, where the store has it.
    #[default]
    Store,
    /// SSE-KMS with this key, in the context `aws:cloudtrail:arn` of this trail.
    Kms {
        /// ARN of the key.
        key_arn: String,
        /// ARN of the trail.
        trail_arn: String,
    },
}

impl ObjectHeaders {
    /// Those of log files, and of the markers that CreateTrail leaves.
    pub const LOG_FILE: ObjectHeaders = ObjectHeaders {
        content_type: "application/json",
        content_encoding: "gzip",
        metadata: Vec::new(),
        encryption: Encryption::Store,
    };

    /// The same, encrypted with the key of the trail, where it has one.
    #[must_use]
    pub fn encrypted_for(self, trail: &Trail) -> ObjectHeaders {
        let encryption = match &trail.kms_key_id {
            Some(key) => Encryption::Kms { key_arn: key.clone(), trail_arn: trail.arn() },
            None => Encryption::Store,
        };
        ObjectHeaders { encryption, ..self }
    }
}

/// Why a bucket did not take what it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// The bucket is not there.
    #[error("there is no bucket `{0}`: create it, or give the trail another one")]
    NoSuchBucket(String),
    /// The store answered with an error.
    #[error("the bucket refused: {code}: {message}")]
    Refused {
        /// S3's error code, such as `AccessDenied`.
        code: String,
        /// What the store says about it.
        message: String,
    },
    /// No answer.
    #[error("the store cannot be reached: {0}")]
    Unreachable(String),
}

impl BucketError {
    /// What `LatestDeliveryError` shows: the code of S3. Timeouts never appear there.
    pub fn code(&self) -> Option<&str> {
        match self {
            BucketError::NoSuchBucket(_) => Some("NoSuchBucket"),
            BucketError::Refused { code, .. } => Some(code),
            BucketError::Unreachable(_) => None,
        }
    }
}
