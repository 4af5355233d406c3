//! Bytes as a proof, a signed note, a key, a witness and its answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_trail::hostile::proof(input));
