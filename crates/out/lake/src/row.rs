//! What the index remembers of one event: its place, its time, and hashes of what it can be found by.

use crate::lookup_resources::each_resource;
use crate::{Attribute, lookup_resources};
use event::{Category, Event, EventTime, Field};
use journal::Seq;
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hasher, RandomState};

/// An event as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) attributes: [u32; COLUMNS],
    pub(crate) read_only: Option<bool>,
    /// Hashes of the types and names of its lookup resources.
    pub(crate) resources: SmallVec<[u32; 8]>,
}

/// The order of history: by second, and within one by place in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) time: EventTime,
    pub(crate) seq: Seq,
}

/// Attributes with a column of their own: event id, name, source, user name, access key.
pub(crate) const COLUMNS: usize = 5;

/// The hash of a value that an event does not have; no value has it.
const ABSENT: u32 = 0;

/// Hashes values of attributes. Keyed anew in every process, so that nobody can choose values that collide.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hashing(RandomState);

impl Hashing {
    /// The hash of one attribute's value. The same text under another attribute has another hash.
    pub(crate) fn hash(&self, attribute: Attribute, value: &str) -> u32 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u8(attribute as u8);
        hasher.write(value.as_bytes());
        (hasher.finish() as u32).max(ABSENT + 1)
    }

    /// The row of an event; `None` for one that event history does not hold.
    pub(crate) fn row(&self, seq: Seq, event: &Event) -> Option<Row> {
        if event.category() != Category::Management {
            return None;
        }
        let hash = |attribute, value: Option<&str>| value.map_or(ABSENT, |value| self.hash(attribute, value));
        let mut resources = SmallVec::new();
        each_resource(event, |resource_type, name| {
            resources.extend(resource_type.map(|value| self.hash(Attribute::ResourceType, value)));
            resources.push(self.hash(Attribute::ResourceName, name));
        });
        resources.sort_unstable();
        resources.dedup();
        Some(Row {
            key: Key { time: event.time(), seq },
            attributes: [
                hash(Attribute::EventId, Some(event.id())),
                hash(Attribute::EventName, Some(event.name())),
                hash(Attribute::EventSource, Some(event.source())),
                hash(Attribute::Username, event.lookup_user_name()),
                hash(Attribute::AccessKeyId, event.get(Field::AccessKeyId)),
            ],
            read_only: event.read_only(),
            resources,
        })
    }
}

/// What a row is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Every row.
    All,
    /// Rows with this hash in a column.
    Column(usize, u32),
    /// Rows with this `readOnly`.
    ReadOnly(bool),
    /// Rows with a resource of this hash.
    Resource(u32),
}

impl Hashing {
    /// The probe for an attribute's value.
    pub(crate) fn probe(&self, attribute: Option<&(Attribute, String)>) -> Probe {
        let Some((attribute, value)) = attribute else { return Probe::All };
        let hash = self.hash(*attribute, value);
        match attribute {
            Attribute::EventId => Probe::Column(0, hash),
            Attribute::EventName => Probe::Column(1, hash),
            Attribute::EventSource => Probe::Column(2, hash),
            Attribute::Username => Probe::Column(3, hash),
            Attribute::AccessKeyId => Probe::Column(4, hash),
            Attribute::ReadOnly => Probe::ReadOnly(value == "true"),
            Attribute::ResourceType | Attribute::ResourceName => Probe::Resource(hash),
        }
    }
}

/// Whether an event itself has an attribute of exactly that value: what a hash only suggests.
pub(crate) fn has_attribute(event: &Event, attribute: Attribute, value: &str) -> bool {
    match attribute {
        Attribute::EventId => event.id() == value,
        Attribute::EventName => event.name() == value,
        Attribute::EventSource => event.source() == value,
        Attribute::Username => event.lookup_user_name() == Some(value),
        Attribute::AccessKeyId => event.get(Field::AccessKeyId) == Some(value),
        Attribute::ReadOnly => event.read_only() == Some(value == "true"),
        Attribute::ResourceType => lookup_resources(event).iter().any(|found| found.resource_type == Some(value)),
        Attribute::ResourceName => lookup_resources(event).iter().any(|found| found.resource_name == value),
    }
}
