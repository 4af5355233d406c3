//! Bytes as HTTP/1.1 heads and bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_capture::hostile::http1(input));
