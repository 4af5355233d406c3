//! Bytes as the answer to a call that failed.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_capture::hostile::errors(input));
