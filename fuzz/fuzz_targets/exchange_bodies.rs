//! Bytes as the bodies of a call: JSON, forms, XML, CBOR, gzip.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| opentrail_capture::hostile::bodies(input));
