//! The small typed index beside a record's bytes, and how it is stored.

use crate::{Category, EventTime};
use smallvec::SmallVec;

/// A field of a record that selectors, lookups or delivery ask for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Field {
    /// `eventID`.
    EventId,
    /// `eventSource`.
    EventSource,
    /// `eventName`.
    EventName,
    /// `awsRegion`.
    AwsRegion,
    /// `eventType`.
    EventType,
    /// `recipientAccountId`.
    RecipientAccountId,
    /// `errorCode`.
    ErrorCode,
    /// `requestID`.
    RequestId,
    /// `sharedEventID`.
    SharedEventId,
    /// `vpcEndpointId`.
    VpcEndpointId,
    /// `userIdentity.type`.
    IdentityType,
    /// `userIdentity.principalId`.
    PrincipalId,
    /// `userIdentity.arn`.
    IdentityArn,
    /// `userIdentity.accountId`.
    IdentityAccountId,
    /// `userIdentity.accessKeyId`.
    AccessKeyId,
    /// `userIdentity.userName`.
    UserName,
    /// `userIdentity.invokedBy`.
    InvokedBy,
}

impl Field {
    /// How many fields there are.
    pub(crate) const COUNT: usize = Field::InvokedBy as usize + 1;
}

/// Where a text value stands: in the record's bytes, or, where the record spells it with escapes, in the side text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// Byte offset; meaningless when absent.
    pub(crate) start: u32,
    /// Length in bytes, shifted left by two; bit 0: present, bit 1: in the side text.
    pub(crate) tagged_len: u32,
}

impl Span {
    pub(crate) fn in_json(start: usize, len: usize) -> Span {
        Span { start: start as u32, tagged_len: ((len as u32) << 2) | 1 }
    }

    pub(crate) fn in_side(start: usize, len: usize) -> Span {
        Span { start: start as u32, tagged_len: ((len as u32) << 2) | 3 }
    }

    /// The text, or `None` when the field is absent.
    pub(crate) fn get<'a>(self, json: &'a str, side: &'a str) -> Option<&'a str> {
        if self.tagged_len & 1 == 0 {
            return None;
        }
        let text = if self.tagged_len & 2 == 0 { json } else { side };
        let start = self.start as usize;
        text.get(start..start + (self.tagged_len >> 2) as usize)
    }

    fn fits(self, json_len: usize, side_len: usize) -> bool {
        let room = if self.tagged_len & 2 == 0 { json_len } else { side_len };
        self.tagged_len & 1 == 0 || self.start as usize + (self.tagged_len >> 2) as usize <= room
    }
}

/// One entry of the record's `resources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ResourceSpans {
    pub(crate) resource_type: Span,
    pub(crate) arn: Span,
}

/// Where the fields stand in one record, and the few that are not text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub(crate) time: EventTime,
    pub(crate) category: Category,
    pub(crate) read_only: Option<bool>,
    pub(crate) management_event: Option<bool>,
    pub(crate) from_console: bool,
    pub(crate) fields: [Span; Field::COUNT],
    pub(crate) resources: SmallVec<[ResourceSpans; 2]>,
    pub(crate) side: Box<str>,
}

/// A stored head that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Fewer bytes than the head announces.
    #[error("the event head is cut short")]
    Truncated,
    /// A version of the form that this program does not know.
    #[error("the event head has version {0}, which this program does not read")]
    Version(u8),
    /// A position outside the record, or an unknown category.
    #[error("the event head does not fit its record")]
    Misfit,
}

/// A head as it is stored: all but those with many resources or escapes need no heap.
pub type StoredHead = SmallVec<[u8; 192]>;

/// The version byte of the stored form (`docs/formats/event-head.md`).
const VERSION: u8 = 1;

impl Head {
    /// The stored form.
    pub fn encode(&self) -> StoredHead {
        let out = &mut StoredHead::new();
        let tri = |value: Option<bool>| value.map_or(0u8, |flag| 1 + u8::from(flag));
        out.push(VERSION);
        out.push(self.category as u8);
        out.push(tri(self.read_only) | tri(self.management_event) << 2 | u8::from(self.from_console) << 4);
        out.extend_from_slice(&self.time.0.to_le_bytes());
        for span in &self.fields {
            put_span(out, *span);
        }
        put(out, self.resources.len() as u32);
        for resource in &self.resources {
            put_span(out, resource.resource_type);
            put_span(out, resource.arn);
        }
        put(out, self.side.len() as u32);
        out.extend_from_slice(self.side.as_bytes());
        std::mem::take(out)
    }

    /// Reads a stored head that belongs to a record of `json_len` bytes.
    ///
    /// # Errors
    /// [`HeadError`] when the bytes are short, of an unknown version, or point outside the record.
    pub fn decode(bytes: &[u8], json_len: usize) -> Result<Head, HeadError> {
        let mut input = bytes;
        let [version, category, flags] = take::<3>(&mut input)?;
        if version != VERSION {
            return Err(HeadError::Version(version));
        }
        let tri = |bits: u8| [None, Some(false), Some(true), None][usize::from(bits & 3)];
        let mut head = Head {
            time: EventTime(i64::from_le_bytes(take::<8>(&mut input)?)),
            category: Category::from_code(category).ok_or(HeadError::Misfit)?,
            read_only: tri(flags),
            management_event: tri(flags >> 2),
            from_console: flags & 16 != 0,
            fields: [Span::default(); Field::COUNT],
            resources: SmallVec::new(),
            side: Box::default(),
        };
        for span in &mut head.fields {
            *span = take_span(&mut input)?;
        }
        for _ in 0..take_varint(&mut input)? {
            head.resources.push(ResourceSpans { resource_type: take_span(&mut input)?, arn: take_span(&mut input)? });
        }
        let side_len = take_varint(&mut input)? as usize;
        let side = input.get(..side_len).ok_or(HeadError::Truncated)?;
        head.side = std::str::from_utf8(side).map_err(|_| HeadError::Misfit)?.into();
        let mut spans = head.fields.iter().copied().chain(head.resources.iter().flat_map(|r| [r.resource_type, r.arn]));
        if spans.all(|span| span.fits(json_len, side_len)) { Ok(head) } else { Err(HeadError::Misfit) }
    }
}

fn put(out: &mut StoredHead, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_span(out: &mut StoredHead, span: Span) {
    put(out, span.tagged_len);
    if span.tagged_len & 1 == 1 {
        put(out, span.start);
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], HeadError> {
    let (head, rest) = input.split_first_chunk::<N>().ok_or(HeadError::Truncated)?;
    *input = rest;
    Ok(*head)
}

fn take_varint(input: &mut &[u8]) -> Result<u32, HeadError> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let [byte] = take::<1>(input)?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(HeadError::Misfit)
}

fn take_span(input: &mut &[u8]) -> Result<Span, HeadError> {
    let tagged_len = take_varint(input)?;
    let start = if tagged_len & 1 == 1 { take_varint(input)? } else { 0 };
    Ok(Span { start, tagged_len })
}
