//! The durable order: Event to Entry, and the one Follower loop.

mod entry;
mod error;
mod follow;
mod journal;
mod metrics;
mod options;

pub use entry::{Entry, Seq};
pub use error::JournalError;
pub use follow::{FollowError, FollowOptions, Flush, Follower, FollowerHandle, FollowerStatus, follow};
pub use journal::{Append, Appender, Journal, Reader};
pub use metrics::Metrics;
pub use options::{Clock, Durability, Options, ReadLimit, RetainPolicy, Retained};
