//! Bytes as what says who signed a request.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_fuzz::credential_bytes::credentials(input));
