//! Members: a name, a place on the wire, and a shape.

use super::{Service, Shape};
use crate::catalog::MemberRow;
use crate::catalog::format::member as flag;
use std::fmt;

/// Where in an HTTP message a member of an input or output stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Location {
    /// In the body.
    Body,
    /// One header.
    Header,
    /// All headers with a prefix.
    Headers,
    /// A label of the path.
    Uri,
    /// A parameter of the query string (a map: all that have no member of their own).
    QueryString,
    /// The status of the response.
    StatusCode,
}

impl Location {
    /// All, in the order of their stored numbers.
    pub const ALL: [Location; 6] = [
        Location::Body,
        Location::Header,
        Location::Headers,
        Location::Uri,
        Location::QueryString,
        Location::StatusCode,
    ];
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampFormat {
    /// `2026-01-15T10:02:03Z`, with or without a fraction.
    Iso8601,
    /// Seconds since 1970, with or without a fraction.
    UnixTimestamp,
    /// `Thu, 15 Jan 2026 10:02:03 GMT`.
    Rfc822,
}

impl TimestampFormat {
    /// All, in the order of their stored numbers (from 1).
    pub const ALL: [TimestampFormat; 3] =
        [TimestampFormat::Iso8601, TimestampFormat::UnixTimestamp, TimestampFormat::Rfc822];
}

/// A member of a structure, or the element, key or value of a list or map. What the model says of a member and of its
/// shape is already merged, the member's own word winning, as the SDKs do.
#[derive(Clone, Copy)]
pub struct Member<'c> {
    service: &'c Service,
    row: &'c MemberRow,
}

impl<'c> Member<'c> {
    pub(crate) fn new(service: &'c Service, row: &'c MemberRow) -> Member<'c> {
        Member { service, row }
    }

    /// The modeled name; `member`, `key` or `value` in lists and maps.
    #[inline]
    pub fn name(&self) -> &'c str {
        self.service.tables.str(self.row.name)
    }

    /// The name on the wire: `locationName`, or else the modeled name.
    #[inline]
    pub fn wire_name(&self) -> &'c str {
        self.service.tables.str(self.row.wire)
    }

    /// `locationName`, where the model gives one that differs from the name.
    pub fn location_name(&self) -> Option<&'c str> {
        (self.row.wire != self.row.name).then(|| self.wire_name())
    }

    /// The name in a form of the EC2 protocol: `queryName`, or `locationName` with its first letter in upper case, or
    /// the modeled name. In services of other protocols the wire name.
    pub fn query_name(&self) -> &'c str {
        if self.row.query == 0 { self.wire_name() } else { self.service.tables.str(self.row.query) }
    }

    /// Where it stands in the HTTP message.
    pub fn location(&self) -> Location {
        let number = (self.row.flags >> flag::LOCATION_SHIFT) & 0b111;
        Location::ALL.get(number as usize).copied().unwrap_or(Location::Body)
    }

    /// The shape of its value.
    pub fn shape(&self) -> Shape<'c> {
        // Every member's shape is checked when the service is decoded, and a service with a member has a shape 0.
        let shape = Shape::at(self.service, self.row.shape);
        shape.unwrap_or_else(|| unreachable!("a member's shape was checked on decoding"))
    }

    /// How its timestamp is written; `None` where the protocol decides.
    pub fn timestamp_format(&self) -> Option<TimestampFormat> {
        let number = (self.row.flags >> flag::TIMESTAMP_SHIFT) & 0b11;
        TimestampFormat::ALL.get((number as usize).checked_sub(1)?).copied()
    }

    /// Whether its value is secret.
    pub fn is_sensitive(&self) -> bool {
        self.has(flag::SENSITIVE)
    }

    /// Whether it is a body of unknown length.
    pub fn is_streaming(&self) -> bool {
        self.has(flag::STREAMING)
    }

    /// Whether it is a stream of events.
    pub fn is_event_stream(&self) -> bool {
        self.has(flag::EVENT_STREAM)
    }

    /// Whether the whole HTTP body is this member.
    pub fn is_payload(&self) -> bool {
        self.has(flag::PAYLOAD)
    }

    /// Whether a list or map stands without its wrapping element.
    pub fn is_flattened(&self) -> bool {
        self.has(flag::FLATTENED)
    }

    /// Whether it must be sent.
    pub fn is_required(&self) -> bool {
        self.has(flag::REQUIRED)
    }

    fn has(&self, flag: u32) -> bool {
        self.row.flags & flag != 0
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({} {:?})", self.name(), self.shape())
    }
}
