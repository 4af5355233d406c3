//! Bytes as the head of a call: which service, which operation, whose credential.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_capture::hostile::head(input));
