//! What the fuzz targets do with their input. Each takes bytes and panics when a promise is broken. The same files are included by
//! property tests (`crates/journal/tests/fuzz.rs`, `crates/capture/tests/fuzz.rs`), so that the promises are held in every test run.

pub mod event_bytes;
pub mod exchange_bytes;
pub mod journal_bytes;
