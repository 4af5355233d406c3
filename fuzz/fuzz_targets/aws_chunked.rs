//! Bytes as a body that came `aws-chunked`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_fuzz::chunked_bytes::chunked(input));
