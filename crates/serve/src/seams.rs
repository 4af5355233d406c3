//! What the CloudTrail API asks of the rest of the house: small traits that this room owns.
//!
//! The binary plugs the real things in (`src/lake.rs`, the object store, the journal), so that this room knows neither
//! the lake nor a store, and its rules are tested against plain values.

use event::{Event, EventTime};
use futures_util::future::BoxFuture;
use journal::Seq;
use registry::Trail;

/// The object store that trails deliver into.
pub trait Buckets: Send + Sync + 'static {
    /// Where the store is, as an error tells people: `http://minio:9000`.
    fn place(&self) -> String;

    /// Asks the bucket what CloudTrail asks before it uses one: its ACL, and that it is not Requester Pays
    /// (`reference/trails-and-delivery.md §3, §7`). A store that has no ACLs is fine.
    ///
    /// # Errors
    /// [`BucketError`] when it is not there, or may not be used.
    fn check<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Result<(), BucketError>>;

    /// The Region in which the bucket lies, where the store tells and lets us ask: the key of a trail must be of that Region.
    fn region<'a>(&'a self, bucket: &'a str) -> BoxFuture<'a, Option<String>>;

    /// Writes the zero-byte object that shows that delivery may write into the trail's bucket: `Content-Type:
    /// application/json`, `Content-Encoding: gzip`, encrypted with the trail's key
    /// (`reference/trails-and-delivery.md §3`, preflight). Writing it again is fine.
    ///
    /// # Errors
    /// [`BucketError`] when the object is not there afterwards.
    fn put_marker<'a>(&'a self, trail: &'a Trail, key: &'a str) -> BoxFuture<'a, Result<(), BucketError>>;
}

/// The KMS that knows the keys that trails name.
pub trait Kms: Send + Sync + 'static {
    /// The key that an id, an alias or an ARN names in a Region.
    ///
    /// # Errors
    /// [`KmsError`] when there is none, or none can be asked for.
    fn find<'a>(&'a self, key: &'a str, region: &'a str) -> BoxFuture<'a, Result<KmsKey, KmsError>>;
}

/// A key that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey {
    /// Its whole ARN.
    pub arn: String,
    /// Whether it can be used.
    pub is_enabled: bool,
}

/// Why a key is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// KMS answered that it is not there, or is none; the cause for the operator.
    #[error("KMS refused: {0}")]
    Refused(String),
    /// KMS does not let us ask; whether the key may be used is another question. The cause for the operator.
    #[error("KMS may not be asked: {0}")]
    Denied(String),
    /// There is no answer of a KMS; the cause for the operator.
    #[error("KMS cannot be reached: {0}")]
    Unavailable(String),
}

/// Where the topics of trails are.
pub trait Topics: Send + Sync + 'static {
    /// Publishes the message that shows that a topic may be told: `CloudTrail validation message.`, without a subject
    /// (`reference/trails-and-delivery.md §3`, preflight).
    ///
    /// # Errors
    /// [`DestinationError`] when the topic did not take it.
    fn validate<'a>(&'a self, topic_arn: &'a str) -> BoxFuture<'a, Result<(), DestinationError>>;
}

/// Where the log groups of trails are.
pub trait LogGroups: Send + Sync + 'static {
    /// Makes the stream of the trail in its log group; one that is there already is fine.
    ///
    /// # Errors
    /// [`DestinationError`] when the stream is not there afterwards.
    fn create_stream<'a>(&'a self, trail: &'a Trail) -> BoxFuture<'a, Result<(), DestinationError>>;
}

/// Why a topic or a log group could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It is not there; the cause for the operator.
    #[error("it does not exist: {0}")]
    Missing(String),
    /// The service answered, and refused; the cause for the operator.
    #[error("the service refused: {0}")]
    Denied(String),
    /// There is no answer of such a service; the cause for the operator.
    #[error("the service cannot be reached: {0}")]
    Unavailable(String),
}

/// Why a bucket could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// There is no such bucket.
    #[error("the bucket does not exist")]
    Missing,
    /// The store answered, and refused; the cause for the operator.
    #[error("the store refused: {0}")]
    Denied(String),
    /// The store could not use the trail's key; the cause for the operator.
    #[error("the store could not use the key: {0}")]
    Key(String),
    /// The store cannot encrypt with a key.
    #[error("the store does not encrypt")]
    Unencrypted,
    /// The store did not answer usefully; the cause for the operator.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
}

/// Where the journal ends: a trail logs from, and up to, the place at which it was told to.
pub trait JournalTail: Send + Sync + 'static {
    /// One past the last durable entry.
    fn end(&self) -> Seq;
}

/// Event history: the last 90 days of management events, per account and Region.
pub trait History: Send + Sync + 'static {
    /// One page of events, newest first.
    ///
    /// # Errors
    /// [`HistoryError`] for a token that does not belong to this query, or when the events cannot be read.
    fn lookup(&self, query: HistoryQuery) -> BoxFuture<'_, Result<HistoryPage, HistoryError>>;
}

/// What LookupEvents asks for, already checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Account whose events are asked for (12 digits).
    pub account_id: String,
    /// Region whose events are asked for.
    pub region: String,
    /// Only events with this attribute of exactly this value.
    pub attribute: Option<(LookupAttribute, String)>,
    /// Not before this second; `None`: 90 days ago.
    pub start: Option<EventTime>,
    /// Not after this second; `None`: the newest event.
    pub end: Option<EventTime>,
    /// 1 to 50.
    pub max_results: usize,
    /// The token of the page before.
    pub next_token: Option<String>,
    /// The present.
    pub now: EventTime,
}

/// `AttributeKey` of LookupEvents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupAttribute {
    /// `eventID` of the record.
    EventId,
    /// `eventName` of the record.
    EventName,
    /// `readOnly`: `true` or `false`.
    ReadOnly,
    /// The user name derived from the caller's identity.
    Username,
    /// The type of a resource of the lookup resource list.
    ResourceType,
    /// The name, id or ARN of a resource of the lookup resource list.
    ResourceName,
    /// `eventSource` of the record.
    EventSource,
    /// `userIdentity.accessKeyId`.
    AccessKeyId,
}

/// One page of a lookup.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// Newest first.
    pub events: Vec<HistoryEvent>,
    /// `None` on the last page.
    pub next_token: Option<String>,
}

/// One found event.
#[derive(Debug, Clone)]
pub struct HistoryEvent {
    /// The record.
    pub event: Event,
    /// The lookup resource list (`reference/event-history-and-insights.md §2.1`).
    pub resources: Vec<HistoryResource>,
}

/// One entry of the lookup resource list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryResource {
    /// Such as `AWS::S3::Bucket`; `None` where CloudTrail names no type.
    pub resource_type: Option<String>,
    /// Name, id or ARN.
    pub resource_name: String,
}

/// Why a lookup failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// The token is not ours, or belongs to other parameters.
    #[error("the token does not belong to this query")]
    InvalidNextToken,
    /// The events cannot be read; the cause for the operator.
    #[error("event history cannot be read: {0}")]
    Unavailable(String),
}
