//! Buffers that a connection borrows only while bytes are on their way, so that ten thousand idle connections cost
//! their sockets and little more.

use bytes::BytesMut;
use std::cell::RefCell;

/// Capacity of a fresh buffer: a call's head and a small body in one read.
const FRESH_BYTES: usize = 16 << 10;
/// A buffer that grew beyond this (a large stream) is given back to the allocator, not kept.
const KEEP_BYTES: usize = 256 << 10;
/// How many buffers one thread keeps.
const KEPT: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room to read into.
pub(super) fn take() -> BytesMut {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(FRESH_BYTES))
}

/// Gives a buffer back and leaves an empty one without memory in its place.
pub(super) fn give(buffer: &mut BytesMut) {
    let mut buffer = std::mem::take(buffer);
    buffer.clear();
    if (FRESH_BYTES..=KEEP_BYTES).contains(&buffer.capacity()) {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < KEPT {
                spare.push(buffer);
            }
        });
    }
}
