//! Who is behind an access key: the seam, and the house's own memory.

use event::{EventTime, Identity};
use std::sync::Arc;

/// Who a key is. Implemented by [`KnownIdentities`](crate::KnownIdentities); the recorder asks and teaches through it.
pub trait Identities: Send + Sync {
    /// The identity behind an access key at a time; `None` when nobody has told us. Called for every record: must be quick.
    fn resolve(&self, access_key_id: &str, at: EventTime) -> Option<Arc<Identity>>;

    /// Takes in what a response taught us.
    fn learn(&self, lesson: Lesson);
}

/// What one response taught about one access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The key that the identity signs with.
    pub access_key_id: String,
    /// The full `userIdentity` of calls signed with that key.
    pub identity: Identity,
    /// When the key stops working; `None` for long-term keys.
    pub expires: Option<EventTime>,
}
