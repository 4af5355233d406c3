//! Event history: the last 90 days of management events per account and Region, findable by eight attributes
//! (`reference/event-history-and-insights.md §1–2`).
//!
//! **Takes** journal entries, in order. **Gives** pages of events, newest first. **May lose** everything: it is an index in
//! memory, and a start rebuilds it from the journal, which stays the truth. What the journal no longer holds is no longer
//! history.
//!
//! The index keeps no text. Of each event it remembers where it stands in the journal, its second, and a 32-bit hash of
//! each attribute, in columns of about a thousand rows sorted by time: some 40 bytes per event. A lookup scans the one
//! column it asks for, which the processor does at several rows per cycle, reads the few entries that match from the
//! journal, and holds them to the question itself, so that a colliding hash costs a read and never a wrong answer. The
//! alternative, a posting list per value, is faster for rare values and several times larger; at a million events the
//! scan takes a fraction of a millisecond, less than the reads that follow.
//!
//! This room is the wall behind which the heavy engine (Delta and SQL) will stand; only the binary names it.

mod chunk;
mod follower;
mod index;
mod lookup;
mod lookup_resources;
mod row;
mod token;

pub use follower::HistoryFollower;
pub use lookup::{Attribute, Found, History, LookupError, Options, Page, Query};
pub use lookup_resources::{LookupResource, lookup_resources};
