//! Bytes as both sides of a connection: a request, an answer, and how it ended.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_capture::hostile::conversation(input));
