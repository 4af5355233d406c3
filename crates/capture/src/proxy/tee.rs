//! The recorder's copy of a body: its first bytes, and how many passed.

use crate::exchange::{Captured, Keep};

/// Collects the beginning of a body while it streams past.
#[derive(Debug, Default)]
pub(super) struct Tee {
    limit: usize,
    bytes: Vec<u8>,
    total: u64,
}

impl Tee {
    pub(super) fn new(keep: Keep) -> Tee {
        Tee { limit: keep.limit(), bytes: Vec::new(), total: 0 }
    }

    pub(super) fn pass(&mut self, payload: &[u8]) {
        self.total += payload.len() as u64;
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&payload[..payload.len().min(room)]);
    }

    pub(super) fn captured(&self) -> Captured<'_> {
        Captured { bytes: &self.bytes, total: self.total }
    }
}
