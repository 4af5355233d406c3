//! What people asked for, and how far their wishes are carried out: trails, keys, identities learned, positions.
//!
//! Everything here is a small typed [`Document`] under a key, with a [`Version`] that never repeats. A change says
//! which version it replaces and fails with [`RegistryError::Conflict`] when somebody else was faster
//! ([`Registry::put`], [`Registry::update`]). Whoever carries out wishes watches a kind ([`Registry::watch`]) and looks
//! again when it fires; there are no change lists to lose. These three promises (versions, compare-and-set, watch) are
//! what a replicated key-value store offers too, so that this room can move past one machine without its users noticing.
//!
//! Kept in one SQLite file (`docs/formats/registry.md`): write-ahead log, a full sync per commit, mode 0600 because it
//! holds secret keys, and locked to one process. That lock is why reads never touch the file: each kind is held in
//! memory, and [`Documents::get`] is a lookup in a map, cheap enough for the path of a request. Changes block the
//! calling thread for one disk sync.
//!
//! This room knows no journal: positions are plain numbers.

mod document;
mod error;
mod registry;
mod secret;

pub use document::access_key::{AccessKey, KeyStatus};
pub use document::deleted::DeletedTrail;
pub use document::delivery::{DeliveryState, DeliveryStatus, PendingCut};
pub use document::digest::{DeliveredCut, DeliveredFile, DigestChains, DigestLink, DigestState, PendingDigests};
pub use document::learned::LearnedIdentity;
pub use document::logs::LogsState;
pub use document::meta::Meta;
pub use document::notification::{Notification, NotificationState};
pub use document::organization::{DelegatedAdministrator, Organization};
pub use document::position::Position;
pub use document::signing_key::SigningKey;
pub use document::trail::{Aggregation, InsightSelector, Logging, Period, ReplacedSelectors, Tag, Trail};
pub use document::transparency::{LogKey, LogTree, PendingRound, TransparencyLog, Witnessed};
pub use document::{Document, Older, Version, Versioned};
pub use error::RegistryError;
pub use registry::{Documents, Expected, Registry, Watch};
pub use secret::Secret;
