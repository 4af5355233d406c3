//! What the fuzz targets do with their input. Each takes bytes and panics when a promise is broken. The same files are included by
//! tests of the rooms (`crates/journal/tests/fuzz.rs`, `crates/aws/tests/fuzz.rs`, `crates/s3/src/api.rs`), so that the promises are
//! held in every test run. What needs the inside of `capture` stands there (`crates/capture/src/hostile.rs`).

#[path = "../../crates/s3/src/api/aws_chunked.rs"]
mod aws_chunked;
pub mod chunked_bytes;
pub mod credential_bytes;
pub mod event_bytes;
pub mod journal_bytes;
