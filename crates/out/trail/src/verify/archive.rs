//! The seam to where an archive lies.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use std::collections::BTreeMap;
use std::fs::File;

/// Where digests and log files are read from.
pub trait Archive: Send + Sync + 'static {
    /// Keys with a prefix that come after `after`, in order, up to the first for which `until` holds.
    ///
    /// # Errors
    /// [`ArchiveError`].
    fn list<'a>(
        &'a self,
        bucket: &'a str,
        prefix: &'a str,
        after: &'a str,
        until: &'a (dyn Fn(&str) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<Vec<String>, ArchiveError>>;

    /// An object.
    ///
    /// # Errors
    /// [`ArchiveError::NotFound`] when it is not there; the others when that cannot be told.
    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Object, ArchiveError>>;

    /// Whether objects have their user metadata, where digests keep their signatures. A folder has not: there a digest's
    /// signature is known from its successor.
    fn keeps_metadata(&self) -> bool {
        true
    }
}

/// An object that is being read.
pub struct Object {
    /// User metadata: names without `x-amz-meta-`, in lower case.
    pub metadata: BTreeMap<String, String>,
    /// Its bytes.
    pub body: Body,
}

/// The bytes of an object, as they come.
pub enum Body {
    /// From a file.
    File(File),
    /// From the network.
    Stream(BoxStream<'static, Result<Bytes, ArchiveError>>),
}

/// Why an object or a listing was not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// Nothing can be said: no permission, no bucket, no connection.
    #[error("cannot read {0}: {1}")]
    Failed(String, String),
}
