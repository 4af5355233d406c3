//! The noun that travels: one CloudTrail record, written once.
//!
//! An [`Event`] is the record's JSON bytes, exactly as they were first written, and beside them a small [`Head`] that
//! says where in those bytes the fields stand that selectors, lookups and delivery ask for. Nothing is copied out and
//! nothing is written twice: from the recorder to the delivered log file the same bytes travel.
//!
//! Facts and field names: `docs/formats/event-head.md` and the CloudTrail record reference.
//!
//! This room never sees a socket, a file, a clock or a runtime. Time is an argument.

mod category;
mod escape;
mod event;
mod head;
mod identity;
mod partition;
mod scan;
mod selector;
mod time;

pub use category::Category;
pub use escape::first_to_escape;
pub use event::{Event, EventError, Resource};
pub use head::{Field, Head, HeadError, StoredHead};
pub use identity::{
    Identity, IdentityType, InScopeOf, InvokedByDelegate, OnBehalfOf, SessionAttributes, SessionContext, SessionIssuer,
    WebIdFederationData,
};
pub use partition::{is_partition, partition_of};
pub use selector::{
    AdvancedEventSelector, DataResource, EventSelector, FieldSelector, Matcher, Operators, ReadWriteType,
    SelectorError, SelectorField, Selectors, Union, has_network_activity,
};
pub use time::EventTime;
