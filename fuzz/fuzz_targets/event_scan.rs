//! Bytes as a record.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_fuzz::event_bytes::scan(input));
