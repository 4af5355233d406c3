//! The numbers of the stored table, shared by the reader here and the writer in `xtask`.
//!
//! The file is: [`MAGIC`], the index (see `index.rs`), then one zstd frame per service (see `tables.rs`). All numbers are
//! LEB128 unless said otherwise. The table is stored by columns because columns of one kind compress well.

/// The first eight bytes of the file; the last two are the version of the format.
pub const MAGIC: &[u8; 8] = b"AWSOPS01";

/// Flags of a shape.
pub mod shape {
    /// Exactly one of the members is set.
    pub const UNION: u32 = 1;
    /// Its value is secret.
    pub const SENSITIVE: u32 = 1 << 1;
    /// A body of unknown length.
    pub const STREAMING: u32 = 1 << 2;
    /// The members are the events of a stream.
    pub const EVENT_STREAM: u32 = 1 << 3;
    /// An error that operations name.
    pub const ERROR: u32 = 1 << 4;
}

/// Flags of a member (of a structure, or the element, key or value of a list or map).
pub mod member {
    /// Must be sent.
    pub const REQUIRED: u32 = 1;
    /// Its value is secret (by its shape).
    pub const SENSITIVE: u32 = 1 << 1;
    /// A body of unknown length.
    pub const STREAMING: u32 = 1 << 2;
    /// A stream of events.
    pub const EVENT_STREAM: u32 = 1 << 3;
    /// The whole HTTP body is this member.
    pub const PAYLOAD: u32 = 1 << 4;
    /// A list or map without its wrapping element.
    pub const FLATTENED: u32 = 1 << 5;
    /// An XML attribute of the enclosing element.
    pub const XML_ATTRIBUTE: u32 = 1 << 6;
    /// Text that holds JSON (base64 in a header).
    pub const JSON_VALUE: u32 = 1 << 7;
    /// The payload of an event of a stream.
    pub const EVENT_PAYLOAD: u32 = 1 << 8;
    /// Where the three bits of [`crate::Location`] start.
    pub const LOCATION_SHIFT: u32 = 9;
    /// Where the two bits of [`crate::TimestampFormat`] start (0 is "the protocol's own").
    pub const TIMESTAMP_SHIFT: u32 = 12;
}

/// Flags of an operation.
pub mod operation {
    /// May be called without a signature.
    pub const UNSIGNED: u32 = 1;
    /// The model says that it changes nothing.
    pub const READ_ONLY: u32 = 1 << 1;
    /// The model calls it deprecated.
    pub const DEPRECATED: u32 = 1 << 2;
}

/// Flags of a service.
pub mod service {
    /// Speaks JSON but reports errors with the codes of its former query protocol (SQS).
    pub const QUERY_COMPATIBLE: u32 = 1;
    /// Has operations that need no signature.
    pub const UNSIGNED_OPERATIONS: u32 = 1 << 1;
}
