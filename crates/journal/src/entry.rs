//! What the journal holds: an event and its place in the order.

use event::Event;
use std::fmt;

/// The place of an entry in the one order of all events: 0 for the first ever appended, dense, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One event, where it stands, and when it was appended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// Milliseconds since the Unix epoch at the append; never smaller than that of the entry before, even where the
    /// clock was set back.
    pub appended_ms: u64,
    /// The event, byte for byte as it was appended.
    pub event: Event,
}
