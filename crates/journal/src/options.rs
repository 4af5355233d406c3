//! How a journal is asked to behave.

use crate::Seq;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What an acknowledged append has survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// An append resolves after `fdatasync`: what was acknowledged survives `kill -9`, a crash of the system and a power
    /// cut (as far as the drive honours a flush).
    #[default]
    Sync,
    /// An append resolves once the kernel has the bytes: what was acknowledged survives `kill -9` of this process, but a
    /// power cut or a crash of the system loses what the kernel had not written yet, typically the last 30 seconds. Segments are still
    /// synced when they are full and at close.
    Buffered,
}

/// Milliseconds since the Unix epoch, from outside: the journal reads no clock of its own for what it stores.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock that asks `now_ms`.
    pub fn new(now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now_ms))
    }

    /// The system's clock.
    pub fn system() -> Clock {
        Clock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
    }

    pub(crate) fn now_ms(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How a journal is opened. `Options::default()` suits a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// What an acknowledged append has survived. Default: [`Durability::Sync`].
    pub durability: Durability,
    /// A segment file is closed and the next begun when a batch would pass this size. Default: 64 MiB.
    pub segment_bytes: u64,
    /// Frames that wait for the writer, in bytes; appends beyond it wait. Memory is bounded by twice this (one
    /// batch collects while one is written) plus one append. Default: 1 MiB.
    pub queue_bytes: usize,
    /// Newest entries kept in memory, in bytes of JSON, so that followers at the tail read no file, also where one core
    /// does everything at full speed and it is not their turn for some 20 ms. Default: 16 MiB.
    pub recent_bytes: usize,
    /// How long after the start of one sync the next may wait for as many appends as came last time. It trades a bounded
    /// latency under load for fewer syncs; an append that comes alone never waits, and twice the time is given where 16 or more came
    /// together last. Default: 1 ms.
    pub gather: Duration,
    /// Let every sync wait for the whole of `gather`, also when nothing says that more will come: for appenders that do not
    /// wait to be told. A sync costs as much CPU time for one event as for twenty. Default: false.
    pub patient: bool,
    /// The place of the first entry of a journal that has none: where its readers stand that have read an earlier one.
    /// Default: 0.
    pub begin_at: Seq,
    /// Where `appended_ms` comes from. Default: the system.
    pub clock: Clock,
    /// What the checksums in new segments are mixed with. Nobody who has a say in what events hold may know it: or he could make one
    /// that holds what looks like a frame. Default: random.
    pub salt: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Sync,
            segment_bytes: 64 << 20,
            queue_bytes: 1 << 20,
            recent_bytes: 16 << 20,
            gather: Duration::from_millis(1),
            patient: false,
            begin_at: Seq(0),
            clock: Clock::system(),
            // Its keys are the system's random bits.
            salt: RandomState::new().hash_one(()) as u32,
        }
    }
}

/// How much one read may return. At least one entry is returned where there is one, however large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// Entries at most.
    pub max_entries: usize,
    /// Bytes of JSON at most.
    pub max_bytes: usize,
}

impl Default for ReadLimit {
    fn default() -> ReadLimit {
        ReadLimit { max_entries: 4096, max_bytes: 4 << 20 }
    }
}

/// What may be forgotten. Whole segments go, never the newest one; the default forgets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetainPolicy {
    /// Only entries before this place may go: the position of the slowest reader. With neither of the two
    /// reasons below, all of them go.
    pub before: Option<Seq>,
    /// A reason to go: appended before this instant, in milliseconds since the Unix epoch.
    pub older_than_ms: Option<u64>,
    /// A reason to go: the segments together are larger than this; the oldest go first.
    pub max_bytes: Option<u64>,
}

/// What [`retain`](crate::Journal::retain) forgot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retained {
    /// Segment files removed.
    pub segments: usize,
    /// Bytes freed.
    pub bytes: u64,
    /// Entries forgotten.
    pub entries: u64,
}
