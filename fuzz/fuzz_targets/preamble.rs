//! Bytes as what a proxy says before a connection, and of whom.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_capture::hostile::preamble(input));
