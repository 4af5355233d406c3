//! Bytes as a body: JSON, XML, CBOR, a form, gzip.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_capture::hostile::body(input));
