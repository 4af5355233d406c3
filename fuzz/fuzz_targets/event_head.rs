//! Bytes as a stored head and the record that it belongs to.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_fuzz::event_bytes::head(input));
