//! Shapes: what a value is made of.

use super::{Member, Service};
use crate::catalog::format::shape as flag;
use crate::catalog::{LINEAR, ShapeRow, order};
use std::fmt;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Named members.
    Structure,
    /// Elements of one shape.
    List,
    /// Text keys and values of one shape.
    Map,
    /// Text.
    String,
    /// Bytes.
    Blob,
    /// `true` or `false`.
    Boolean,
    /// 32 bits (or fewer).
    Integer,
    /// 64 bits.
    Long,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// A point in time.
    Timestamp,
    /// Any JSON-like value.
    Document,
}

impl Kind {
    /// All, in the order of their stored numbers.
    pub const ALL: [Kind; 12] = [
        Kind::Structure,
        Kind::List,
        Kind::Map,
        Kind::String,
        Kind::Blob,
        Kind::Boolean,
        Kind::Integer,
        Kind::Long,
        Kind::Float,
        Kind::Double,
        Kind::Timestamp,
        Kind::Document,
    ];
}

/// A shape of a service.
#[derive(Clone, Copy)]
pub struct Shape<'c> {
    service: &'c Service,
    number: u32,
    row: &'c ShapeRow,
}

impl<'c> Shape<'c> {
    pub(crate) fn at(service: &'c Service, number: u32) -> Option<Shape<'c>> {
        service.tables.shapes.get(number as usize).map(|row| Shape { service, number, row })
    }

    /// The service that it belongs to.
    pub fn service(&self) -> &'c Service {
        self.service
    }

    /// Its place in the service's table: stable within one table, good as an index or a key.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The modeled name of a structure. Other shapes have none here: a recorder never needs it, and without the names
    /// equal shapes are one.
    pub fn name(&self) -> &'c str {
        self.service.tables.str(self.row.name)
    }

    /// What kind of value it is.
    pub fn kind(&self) -> Kind {
        self.row.kind
    }

    /// The members of a structure, in the model's order. Of a list its element; of a map its key and value.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Member<'c>> + use<'c> {
        let service = self.service;
        let first = self.row.first as usize;
        let rows = service.tables.members.get(first..first + self.row.count as usize).unwrap_or_default();
        rows.iter().map(move |row| Member::new(service, row))
    }

    /// The member of that modeled name.
    pub fn member(&self, name: &str) -> Option<Member<'c>> {
        self.members().find(|member| member.name() == name)
    }

    /// The member of that name on the wire: its `locationName` or else its modeled name.
    ///
    /// A structure with few members is searched one by one, a larger one by its sorted names; neither allocates.
    #[inline]
    pub fn member_by_wire(&self, wire: &str) -> Option<Member<'c>> {
        if self.row.count as usize <= LINEAR {
            return self.members().find(|member| member.wire_name() == wire);
        }
        let tables = &self.service.tables;
        let start = self.row.sorted as usize;
        let sorted = tables.sorted.get(start..start + self.row.count as usize)?;
        let found = sorted.binary_search_by(|&number| {
            order(tables.members.get(number as usize).map_or("", |row| tables.str(row.wire)), wire)
        });
        let row = tables.members.get(*sorted.get(found.ok()?)? as usize)?;
        Some(Member::new(self.service, row))
    }

    /// The element of a list.
    pub fn element(&self) -> Option<Member<'c>> {
        self.members().next().filter(|_| self.row.kind == Kind::List)
    }

    /// The key of a map.
    pub fn key(&self) -> Option<Member<'c>> {
        self.members().next().filter(|_| self.row.kind == Kind::Map)
    }

    /// The value of a map.
    pub fn value(&self) -> Option<Member<'c>> {
        self.members().nth(1).filter(|_| self.row.kind == Kind::Map)
    }

    /// The member that is the whole HTTP body, where there is one.
    pub fn payload(&self) -> Option<Member<'c>> {
        self.members().find(Member::is_payload)
    }

    /// Whether its value is secret.
    pub fn is_sensitive(&self) -> bool {
        self.has(flag::SENSITIVE)
    }

    /// Whether it is a body of unknown length.
    pub fn is_streaming(&self) -> bool {
        self.has(flag::STREAMING)
    }

    /// Whether exactly one of its members is set.
    pub fn is_union(&self) -> bool {
        self.has(flag::UNION)
    }

    /// Whether its members are the events of a stream.
    pub fn is_event_stream(&self) -> bool {
        self.has(flag::EVENT_STREAM)
    }

    fn has(&self, flag: u32) -> bool {
        self.row.flags & flag != 0
    }
}

impl PartialEq for Shape<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.row, other.row)
    }
}

impl Eq for Shape<'_> {}

impl fmt::Debug for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({:?} {}:{})", self.kind(), self.service.name(), self.name())
    }
}
