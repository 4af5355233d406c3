//! The record and what can be asked of it.

use crate::head::{Field, Head, HeadError};
use crate::{Category, EventTime, scan};
use bytes::Bytes;
use std::sync::Arc;

/// One CloudTrail record: its bytes, written once, and where its fields stand in them.
///
/// A clone is the same record again: nothing is copied.
#[derive(Debug, Clone)]
pub struct Event(Arc<Record>);

#[derive(Debug)]
struct Record {
    /// Text and not bytes, so that fields need not be checked to be text again whenever they are asked for.
    json: Box<str>,
    head: Head,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or not an object; the byte offset where reading stopped.
    #[error("the record is not a JSON object (at byte {0})")]
    NotJson(usize),
    /// A field that every record has is missing or is not text.
    #[error("the record has no usable `{0}`")]
    Missing(&'static str),
    /// More than 16 MiB: no record is that large.
    #[error("the record has {0} bytes, more than any CloudTrail record")]
    TooLarge(usize),
}

/// One entry of `resources`: what the event acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Such as `AWS::S3::Object`; some services leave it out.
    pub resource_type: Option<&'a str>,
    /// `ARN`, or `ARNPrefix` for list operations.
    pub arn: Option<&'a str>,
}

impl Event {
    /// Reads a record from its JSON. The bytes are kept as they are.
    ///
    /// # Errors
    /// [`EventError`] when the bytes are not a JSON object with `eventTime`, `eventSource` and `eventName`.
    pub fn from_json(json: Bytes) -> Result<Event, EventError> {
        match std::str::from_utf8(&json) {
            Ok(text) => Event::from_text(text),
            Err(error) => Err(EventError::NotJson(error.valid_up_to())),
        }
    }

    /// [`from_json`](Event::from_json) of what is known to be text.
    ///
    /// # Errors
    /// The same.
    pub fn from_text(json: &str) -> Result<Event, EventError> {
        let head = scan::head_of(json)?;
        Ok(Event(Arc::new(Record { json: json.into(), head })))
    }

    /// Puts a record and its stored head together again.
    ///
    /// # Errors
    /// [`HeadError`] when the head cannot be read or does not fit the record.
    pub fn from_stored(head: &[u8], json: &[u8]) -> Result<Event, HeadError> {
        let json = std::str::from_utf8(json).map_err(|_| HeadError::Misfit)?;
        let head = Head::decode(head, json.len())?;
        Ok(Event(Arc::new(Record { json: json.into(), head })))
    }

    /// The record's bytes: the truth that is journaled, delivered and signed.
    pub fn json(&self) -> &[u8] {
        self.0.json.as_bytes()
    }

    /// The same as text.
    pub fn text(&self) -> &str {
        &self.0.json
    }

    /// The index of the record, to be stored beside it.
    pub fn head(&self) -> &Head {
        &self.0.head
    }

    /// A text field; `None` when the record does not have it (or has `null`).
    pub fn get(&self, field: Field) -> Option<&str> {
        let head = self.head();
        head.fields[field as usize].get(self.text(), &head.side)
    }

    /// `eventTime`.
    pub fn time(&self) -> EventTime {
        self.head().time
    }

    /// `eventCategory`; records before version 1.07 are told apart by `managementEvent` and `eventType`.
    pub fn category(&self) -> Category {
        self.head().category
    }

    /// `readOnly`.
    pub fn read_only(&self) -> Option<bool> {
        self.head().read_only
    }

    /// `managementEvent`.
    pub fn management_event(&self) -> Option<bool> {
        self.head().management_event
    }

    /// Whether `sessionCredentialFromConsole` is `"true"`.
    pub fn from_console(&self) -> bool {
        self.head().from_console
    }

    /// `eventID`; the empty string for the odd record without one.
    pub fn id(&self) -> &str {
        self.get(Field::EventId).unwrap_or_default()
    }

    /// `eventSource`, such as `s3.amazonaws.com`.
    pub fn source(&self) -> &str {
        self.get(Field::EventSource).unwrap_or_default()
    }

    /// `eventName`, such as `CreateBucket`.
    pub fn name(&self) -> &str {
        self.get(Field::EventName).unwrap_or_default()
    }

    /// `awsRegion`.
    pub fn region(&self) -> &str {
        self.get(Field::AwsRegion).unwrap_or_default()
    }

    /// `recipientAccountId`, or for old records the caller's account.
    pub fn account(&self) -> &str {
        self.get(Field::RecipientAccountId).or_else(|| self.get(Field::IdentityAccountId)).unwrap_or_default()
    }

    /// `resources[]` in the record's order.
    pub fn resources(&self) -> impl ExactSizeIterator<Item = Resource<'_>> {
        self.head().resources.iter().map(|spans| Resource {
            resource_type: spans.resource_type.get(self.text(), &self.head().side),
            arn: spans.arn.get(self.text(), &self.head().side),
        })
    }

    /// The `Username` by which LookupEvents finds this event
    /// (`reference/event-history-and-insights.md`, section 2: derivation).
    pub fn lookup_user_name(&self) -> Option<&str> {
        match self.get(Field::IdentityType) {
            Some("AssumedRole") => {
                self.get(Field::PrincipalId).and_then(|id| id.split_once(':')).map(|(_, session)| session)
            }
            Some("Root") => Some("root"),
            Some("FederatedUser") => self
                .get(Field::UserName)
                .or_else(|| self.get(Field::PrincipalId).and_then(|id| id.split_once(':')).map(|(_, name)| name)),
            Some("AWSService") | None => None,
            Some(_) => self.get(Field::UserName),
        }
    }
}
