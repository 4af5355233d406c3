//! The nouns of the store: what an object is, apart from its bytes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::checksum::{Algorithm, Checksum, ChecksumKind};

/// What a client says about an object beside its bytes; given back unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`, without the `aws-chunked` of the transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Expires`, an HTTP date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website_redirect_location: Option<String>,
    /// `x-amz-storage-class`; absent means `STANDARD`. Kept as a label: every object lies on the same disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// `x-amz-meta-*`: lower-case names without the prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The tag set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// An object as HEAD and listings know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without the quotes: the hexadecimal MD5, or `md5-of-md5s-N` for a multipart object.
    pub etag: String,
    /// When it was written.
    pub modified: Time,
    /// The additional checksum, if the client asked for one.
    pub checksum: Option<Checksum>,
    /// What the client said about it.
    pub attributes: Attributes,
    /// The parts it was completed from, in order; empty for an object put whole.
    pub parts: Vec<PartInfo>,
}

/// One part of an upload or of a multipart object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInfo {
    /// 1 to 10,000.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// The hexadecimal MD5.
    pub etag: String,
    /// When it was written.
    pub modified: Time,
    /// The additional checksum of the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
}

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without the quotes.
    pub etag: String,
    /// When it was written.
    pub modified: Time,
    /// The additional checksum, if there is one.
    pub checksum: Option<(Algorithm, ChecksumKind)>,
    /// `None` means `STANDARD`.
    pub storage_class: Option<String>,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Time,
    /// The Region it was created in.
    pub region: String,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    /// The key it will have.
    pub key: String,
    /// Its name.
    pub upload_id: String,
    /// When it was initiated.
    pub initiated: Time,
    /// The attributes that the object will have.
    pub attributes: Attributes,
    /// The additional checksum that was asked for, and what it shall cover.
    pub checksum: Option<(Algorithm, ChecksumKind)>,
}

/// Milliseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub i64);

impl Time {
    /// Now, by the system's clock.
    pub fn now() -> Time {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Whole seconds since 1970: all that an HTTP date can say, and so what date conditions compare.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(time.0).unwrap_or(0))
    }
}

/// A condition on what is already there under a key, checked in the same transaction as the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `If-Match`.
    pub if_match: Option<Tag>,
    /// `If-None-Match`.
    pub if_none_match: Option<Tag>,
}

/// What an `If-Match` or `If-None-Match` header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `*`: whatever is there.
    Any,
    /// This ETag, without the quotes.
    Is(String),
}

impl Tag {
    /// Whether an object with this ETag is meant.
    pub fn matches(&self, etag: &str) -> bool {
        match self {
            Tag::Any => true,
            Tag::Is(tag) => tag == etag,
        }
    }
}

/// Longest key, in bytes of UTF-8 (S3 user guide, "Naming Amazon S3 objects").
pub(crate) const KEY_MAX: usize = 1024;
/// Smallest part but the last, in bytes (S3 user guide, "Multipart upload limits").
pub(crate) const PART_MIN: u64 = 5 * 1024 * 1024;
/// Largest part number, and so the most parts of an object.
pub(crate) const PART_NUMBER_MAX: u32 = 10_000;
/// Largest bucket policy, in bytes.
pub(crate) const POLICY_MAX: usize = 20 * 1024;

/// Whether S3 allows a bucket of this name.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    s3s::path::check_bucket_name(name)
}

/// Whether S3 allows this key.
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= KEY_MAX
}
