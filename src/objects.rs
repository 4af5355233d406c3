//! Where log files go: the store that is served here, or the upstream that owns S3.

use crate::aws_keys;
use crate::bucket_policy;
use crate::config::{Config, UpstreamKeys};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use registry::{AccessKey, Trail};
use s3::Store;
use std::sync::Arc;
use trail::transparency::Elsewhere;
use trail::{BucketError, Encryption, KmsEndpoint, KmsError, LogBucket, ObjectHeaders, S3Endpoint, S3Options};

/// Where log files go.
#[derive(Clone)]
pub(crate) enum Buckets {
    /// The store that is served here; buckets are made in the given Region.
    Embedded(Store, String),
    /// The upstream that owns S3, addressed directly: our own calls are not recorded as a client's.
    Upstream(Arc<S3Endpoint>),
}

impl Buckets {
    /// The upstream at `endpoint`, with the keys of the configuration, of the AWS chain, or the administrator's.
    ///
    /// # Errors
    /// [`BucketError`] when the endpoint cannot be addressed.
    pub(crate) fn upstream(
        config: &Config,
        endpoint: String,
        administrator: &AccessKey,
    ) -> Result<Buckets, BucketError> {
        Ok(Buckets::Upstream(Arc::new(S3Endpoint::new(options(config, endpoint, administrator))?)))
    }

    /// Makes a bucket; one that is there already is fine.
    ///
    /// # Errors
    /// [`BucketError`].
    pub(crate) async fn create_bucket(&self, bucket: &str) -> Result<(), BucketError> {
        match self {
            Buckets::Upstream(endpoint) => endpoint.create_bucket(bucket).await,
            Buckets::Embedded(store, region) => {
                store.create_bucket(bucket, region).await.map(|_| ()).map_err(|error| refused(&error))
            }
        }
    }
}

/// How an upstream is called: with the keys of the configuration, of the AWS chain, or the administrator's.
pub(crate) fn options(config: &Config, endpoint: String, administrator: &AccessKey) -> S3Options {
    let keys = config.upstream_keys.clone().or_else(aws_keys::find);
    let keys = keys.unwrap_or_else(|| UpstreamKeys {
        access_key_id: administrator.access_key_id.clone(),
        secret_access_key: administrator.secret.clone(),
        session_token: None,
    });
    S3Options {
        endpoint,
        region: config.region.clone(),
        access_key_id: keys.access_key_id,
        secret: keys.secret_access_key,
        session_token: keys.session_token,
    }
}

/// Makes clients of other S3 endpoints, for witnesses: with their own keys, or those of the upstream.
pub(crate) fn elsewhere(config: &Config, administrator: &AccessKey) -> Elsewhere {
    let keys = config.witness_keys.clone().or_else(|| config.upstream_keys.clone());
    let (config, administrator) = (Config { upstream_keys: keys, ..config.clone() }, administrator.clone());
    Box::new(move |endpoint| S3Endpoint::new(options(&config, endpoint.to_owned(), &administrator)))
}

impl LogBucket for Buckets {
    fn check_bucket<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), BucketError>> {
        match self {
            Buckets::Upstream(endpoint) => endpoint.check_bucket(bucket),
            Buckets::Embedded(store, _) => Box::pin(permitted(store, "s3:GetBucketAcl", bucket, None)),
        }
    }

    fn put<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        body: Bytes,
        headers: ObjectHeaders,
    ) -> BoxFuture<'a, Result<(), BucketError>> {
        match self {
            Buckets::Upstream(endpoint) => endpoint.put(bucket, key, body, headers),
            Buckets::Embedded(store, _) => Box::pin(async move {
                if headers.encryption != Encryption::Store {
                    let message = "the store that is served here does not encrypt: send s3 to an upstream that does";
                    return Err(BucketError::Refused { code: UNENCRYPTED.to_owned(), message: message.to_owned() });
                }
                // AWS has no transparency logs, so the policies that its documentation gives do not permit them.
                if !key.contains(trail::transparency::KIND) {
                    permitted(store, "s3:PutObject", bucket, Some(key)).await?;
                }
                let attributes = s3::Attributes {
                    content_type: Some(headers.content_type.to_owned()),
                    content_encoding: Some(headers.content_encoding.to_owned()).filter(|text| !text.is_empty()),
                    metadata: headers.metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                    ..s3::Attributes::default()
                };
                store.put(bucket, key, attributes, body).await.map(|_| ()).map_err(|error| refused(&error))
            }),
        }
    }

    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, BucketError>> {
        match self {
            Buckets::Upstream(endpoint) => endpoint.get(bucket, key),
            Buckets::Embedded(store, _) => Box::pin(async move {
                let found = match store.get(bucket, key).await {
                    Err(s3::StoreError::NoSuchKey(_)) => return Ok(None),
                    found => found.map_err(|error| refused(&error))?,
                };
                found.bytes().await.map(Some).map_err(|error| refused(&error))
            }),
        }
    }
}

/// Whether the embedded bucket is there, and its policy, if it has one, lets CloudTrail do that.
async fn permitted(store: &Store, action: &str, bucket: &str, key: Option<&str>) -> Result<(), BucketError> {
    let Some(policy) = store.bucket_policy(bucket).await.map_err(|error| refused(&error))? else { return Ok(()) };
    let resource = key.map_or_else(|| bucket.to_owned(), |key| format!("{bucket}/{key}"));
    if bucket_policy::permits(&policy, action, &resource) {
        return Ok(());
    }
    let message = format!("the policy of the bucket does not let cloudtrail.amazonaws.com do {action} to {resource}");
    Err(BucketError::Refused { code: "AccessDenied".to_owned(), message })
}

/// What the embedded store answers to a KMS key.
const UNENCRYPTED: &str = "NotImplemented";

fn refused(error: &s3::StoreError) -> BucketError {
    match error {
        s3::StoreError::NoSuchBucket(bucket) => BucketError::NoSuchBucket(bucket.clone()),
        other => BucketError::Refused { code: "InternalError".to_owned(), message: other.to_string() },
    }
}

/// Buckets as the CloudTrail API asks for them.
pub(crate) struct TrailBuckets(pub(crate) Buckets);

impl serve::Buckets for TrailBuckets {
    fn place(&self) -> String {
        match &self.0 {
            Buckets::Upstream(endpoint) => endpoint.url().to_owned(),
            Buckets::Embedded(..) => "this OpenTrail".to_owned(),
        }
    }

    fn check<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), serve::BucketError>> {
        Box::pin(async move { self.0.check_bucket(bucket).await.map_err(told) })
    }

    fn region<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            match &self.0 {
                Buckets::Upstream(endpoint) => endpoint.region_of(bucket).await,
                // The store that is served here takes no keys.
                Buckets::Embedded(..) => None,
            }
        })
    }

    fn put_marker<'a>(&'a self, trail: &'a Trail, key: &'a str) -> BoxFuture<'a, Result<(), serve::BucketError>> {
        let headers = ObjectHeaders::LOG_FILE.encrypted_for(trail);
        Box::pin(async move { self.0.put(&trail.s3_bucket_name, key, Bytes::new(), headers).await.map_err(told) })
    }
}

fn told(error: BucketError) -> serve::BucketError {
    match error {
        BucketError::NoSuchBucket(_) => serve::BucketError::Missing,
        BucketError::Refused { code, .. } if code == UNENCRYPTED => serve::BucketError::Unencrypted,
        BucketError::Refused { code, message } if code.starts_with("KMS.") => {
            serve::BucketError::Key(format!("{code}: {message}"))
        }
        BucketError::Refused { code, message } => serve::BucketError::Denied(format!("{code}: {message}")),
        BucketError::Unreachable(cause) => serve::BucketError::Unavailable(cause),
    }
}

/// The keys of the upstream that owns KMS.
pub(crate) struct UpstreamKms(KmsEndpoint);

impl UpstreamKms {
    /// KMS at `endpoint`, called with the same keys as S3.
    ///
    /// # Errors
    /// [`KmsError`] when no client can be made.
    pub(crate) fn new(config: &Config, endpoint: String, administrator: &AccessKey) -> Result<UpstreamKms, KmsError> {
        KmsEndpoint::new(options(config, endpoint, administrator)).map(UpstreamKms)
    }
}

impl serve::Kms for UpstreamKms {
    fn find<'a>(&'a self, key: &'a str, region: &'a str) -> BoxFuture<'a, Result<serve::KmsKey, serve::KmsError>> {
        Box::pin(async move {
            match self.0.describe(key, region).await {
                Ok(found) => Ok(serve::KmsKey { arn: found.arn, is_enabled: found.is_enabled }),
                Err(KmsError::Refused { code, message }) if code == "AccessDeniedException" => {
                    Err(serve::KmsError::Denied(message))
                }
                Err(KmsError::Refused { code, message }) => Err(serve::KmsError::Refused(format!("{code}: {message}"))),
                Err(KmsError::Unreachable(cause)) => Err(serve::KmsError::Unavailable(cause)),
            }
        })
    }
}
