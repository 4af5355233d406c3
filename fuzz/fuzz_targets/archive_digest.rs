//! Bytes as a digest, or as damage to one.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_trail::hostile::digest(input));
