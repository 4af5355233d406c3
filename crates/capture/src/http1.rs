//! HTTP/1.1 as it stands on the wire (RFC 9112): heads read in place and message framing followed byte by byte.
//!
//! The proxy passes bytes on as they came, so it needs to know where a message ends and what its head says, and
//! nothing more: no header map, no re-serialisation. Both files are pure.

mod framing;
mod head;

pub(crate) use framing::Framing;
#[cfg(any(test, fuzzing))]
pub(crate) use framing::FramingError;
pub(crate) use head::{HeadError, MAX_HEADERS, RequestHead, ResponseHead};
