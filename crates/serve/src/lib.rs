//! The doors that people use: the CloudTrail API, who-am-I, health and metrics.
//!
//! A door is a function from a request's values to a response. Deciding is pure: each operation of [`CloudTrail`] is a
//! function over a snapshot of the trails, the request's members and the present, and gives either a changed trail or a
//! response. What touches the world stands in one file (`cloudtrail.rs`): it takes the snapshot, tries the bucket, writes
//! the change with compare-and-set, and looks again when somebody else was faster.
//!
//! This room owns small traits for what it needs of others ([`Buckets`], [`Kms`], [`History`], [`JournalTail`],
//! [`Vitals`]), so
//! that it knows neither the lake nor an object store; the binary plugs them in. It never opens a socket and never
//! checks a signature: calls come in already recognised and already verified.
//!
//! What is not built is answered by name with a modeled error (`docs/operate/api-coverage.md`), never with an invented
//! success.

pub mod cloudtrail;
pub mod health;
pub mod organizations;
pub mod seams;
pub mod sts;

pub use cloudtrail::{ApiError, Call, CloudTrail, Operation};
pub use health::{FollowerVitals, Health, Vitals};
pub use seams::{
    BucketError, Buckets, DestinationError, History, HistoryError, HistoryEvent, HistoryPage, HistoryQuery,
    HistoryResource, JournalTail, Kms, KmsError, KmsKey, LogGroups, LookupAttribute, Topics,
};
