//! What can go wrong in the store.

use std::io;

/// Why the store did not do what was asked. The first group are answers to a client; the rest are the operator's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No bucket of that name.
    #[error("the bucket {0} does not exist")]
    NoSuchBucket(String),
    /// The name breaks the rules for bucket names.
    #[error("{0:?} is not a valid bucket name")]
    InvalidBucketName(String),
    /// The bucket still holds objects or uploads.
    #[error("the bucket {0} is not empty")]
    BucketNotEmpty(String),
    /// The bucket has no policy.
    #[error("the bucket {0} has no policy")]
    NoSuchBucketPolicy(String),
    /// The bucket has no tags.
    #[error("the bucket {0} has no tags")]
    NoSuchTagSet(String),
    /// No object of that key.
    #[error("the key {0:?} does not exist")]
    NoSuchKey(String),
    /// The key is empty or longer than 1,024 bytes.
    #[error("the key is empty or longer than 1024 bytes")]
    InvalidKey,
    /// No such multipart upload under that bucket and key.
    #[error("the multipart upload {0:?} does not exist")]
    NoSuchUpload(String),
    /// A part that was named in a completion is not there, or has another ETag or checksum.
    #[error("part {0} could not be found or does not match")]
    InvalidPart(u32),
    /// The parts of a completion are not in ascending order.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is smaller than 5 MiB.
    #[error("part {number} has {size} bytes: all parts but the last need 5 MiB")]
    EntityTooSmall {
        /// The part.
        number: u32,
        /// Its size in bytes.
        size: u64,
    },
    /// A digest that the client sent does not fit the bytes that arrived.
    #[error("the {0} that was sent does not match the content")]
    BadDigest(&'static str),
    /// The precondition does not hold.
    #[error("the precondition {0} does not hold")]
    PreconditionFailed(&'static str),
    /// The body ended early, was too long, or broke.
    #[error("the body could not be read to its end")]
    IncompleteBody(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),

    /// Another process has the folder open.
    #[error("the object store {0} is in use by another process: stop it first")]
    InUse(String),
    /// The folder was written by a newer version.
    #[error("the object store {path} has format {found}, this version reads {known}: use a newer version")]
    UnknownFormat {
        /// The folder.
        path: String,
        /// The number found.
        found: i64,
        /// The number this code writes.
        known: i64,
    },
    /// The disk failed.
    #[error("the object store cannot {doing}")]
    Io {
        /// The attempt, as a verb phrase.
        doing: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The index failed.
    #[error("the index of the object store failed")]
    Index(#[from] rusqlite::Error),
    /// What the index holds cannot be understood.
    #[error("the index of the object store is damaged: {0}")]
    Damaged(String),
    /// No room.
    #[error("the disk of the object store is full: make room and try again")]
    DiskFull,
    /// An earlier write failed to reach the disk: nothing is written until a restart has looked at what did.
    #[error("the object store stopped writing after a failed sync: restart once the disk is well")]
    Poisoned,
    /// The store is shutting down.
    #[error("the object store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> StoreError {
        move |source| StoreError::Io { doing: doing.into(), source }
    }
}

/// The result of the store's functions.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
